//! What is read of the log on the page and taken away from it: rows, tables and workbooks, and the reports.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use chrono::NaiveDate;
use tokio::sync::mpsc;

use super::body::{Pipe, Sending};
use super::sheets::{LogAsked, Sheet, standard_days};
use super::view::{Office, Past, View};
use super::{Caller, HTML, PLAIN, Shop, response};
use crate::domain::airing::Outcome;
use crate::domain::chain::Row;
use crate::domain::config::Language;
use crate::domain::report::{CsvSheet, Format, RowFilter};
use crate::domain::text::Text;
use crate::domain::time::{Wall, next_day};

/// Rows shown on the log page.
const ROWS_SHOWN: usize = 200;

const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

impl Shop {
    /// The newest rows that a filter leaves.
    pub(super) async fn log(&self, sheet: &Sheet<'_>, view: &View, query: &HashMap<String, String>) -> Response<Body> {
        let (asked, filter) = log_filter(view, query);
        let office = self.office.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut last: VecDeque<Past> = VecDeque::new();
            let all = office.rows(&filter, &mut |_, body| {
                if let Some(past) = Row::parse(body).as_ref().and_then(Past::of) {
                    if last.len() == ROWS_SHOWN {
                        last.pop_front();
                    }
                    last.push_back(past);
                }
                Ok(())
            })?;
            io::Result::Ok((Vec::from(last), all))
        });
        match read.await {
            Ok(Ok((list, all))) => response(StatusCode::OK, HTML, sheet.log(&asked, &list, all)),
            Ok(Err(error)) => {
                let text = Text::PageFailed { why: error.to_string() };
                response(StatusCode::INTERNAL_SERVER_ERROR, HTML, sheet.plain(text))
            }
            Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, Body::empty()),
        }
    }

    /// A report, to be printed or taken away. A child of the daemon makes it.
    pub(super) async fn report(
        &self,
        sheet: &Sheet<'_>,
        view: &View,
        query: &HashMap<String, String>,
    ) -> Response<Body> {
        let refused = || response(StatusCode::BAD_REQUEST, PLAIN, Body::empty());
        let Some((mut arguments, kind, name)) = report_arguments(query) else { return refused() };
        if view.trial {
            arguments.push("--trial".into());
        }
        let Ok(place) = self.downloads.clone().try_acquire_owned() else {
            return response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, Body::empty());
        };
        let office = self.office.clone();
        let made = tokio::task::spawn_blocking(move || {
            let _place = place;
            office.made(Language::Vi, &arguments)
        });
        let bytes = match made.await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(why)) => {
                return response(StatusCode::INTERNAL_SERVER_ERROR, HTML, sheet.plain(Text::PageFailed { why }));
            }
            Err(_) => return response(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, Body::empty()),
        };
        let mut response = response(StatusCode::OK, kind, bytes);
        let headers = response.headers_mut();
        if kind == HTML {
            // A report is one whole page with its style inside, to be kept and printed anywhere.
            let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        } else if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        response
    }

    /// The log as a workbook. A child of the daemon makes it: that takes memory.
    pub(super) async fn workbook(
        &self,
        view: &View,
        query: &HashMap<String, String>,
        caller: &Caller,
    ) -> Response<Body> {
        let Ok(place) = self.downloads.clone().try_acquire_owned() else {
            return response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, Body::empty());
        };
        let (arguments, language) = (workbook_arguments(view, query), caller.language);
        let office = self.office.clone();
        let made = tokio::task::spawn_blocking(move || {
            let _place = place;
            office.made(language, &arguments)
        });
        match made.await {
            Ok(Ok(bytes)) => {
                let mut response = response(StatusCode::OK, WORKBOOK, bytes);
                let name = HeaderValue::from_static("attachment; filename=\"nhat-ky.xlsx\"");
                response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
                response
            }
            Ok(Err(why)) => {
                let by = caller.by.as_ref().map(|(by, _)| &**by);
                let sheet = Sheet { view, language, by, said: None, has_audio: &|_| false };
                response(StatusCode::INTERNAL_SERVER_ERROR, HTML, sheet.plain(Text::PageFailed { why }))
            }
            Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, Body::empty()),
        }
    }

    /// The log as a table or as lines, sent while it is read.
    pub(super) fn download(
        &self,
        view: &View,
        query: &HashMap<String, String>,
        language: Language,
        csv: bool,
    ) -> Response<Body> {
        let Ok(place) = self.downloads.clone().try_acquire_owned() else {
            return response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, Body::empty());
        };
        let (_, filter) = log_filter(view, query);
        let format = Format::of(language, view.zone());
        let office = self.office.clone();
        let (tx, rx) = mpsc::channel(2);
        let handle = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let out = Sending { tx, handle, block: Vec::new() };
            let done = if csv { sheet_of(&*office, &filter, format, out) } else { lines_of(&*office, &filter, out) };
            if let Err(error) = done {
                tracing::warn!("page: log: {error}");
            }
        });
        let kind = if csv { "text/csv; charset=utf-8" } else { "application/jsonl; charset=utf-8" };
        let mut response = response(StatusCode::OK, kind, Body::new(Pipe(rx)));
        let name = if csv { "attachment; filename=\"nhat-ky.csv\"" } else { "attachment; filename=\"nhat-ky.jsonl\"" };
        response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
        response
    }
}

/// The arguments of `loaxa report` that a query means, the kind of what comes, and a name for its file. Nothing that
/// was typed is handed on unless it has exactly the form it must have.
fn report_arguments(query: &HashMap<String, String>) -> Option<(Vec<String>, &'static str, String)> {
    let field = |name: &str| query.get(name).map(String::as_str);
    let digits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(b, f)| if f == b'0' { b.is_ascii_digit() } else { b == f })
    };
    let (mut arguments, name): (Vec<String>, String) = match field("which")? {
        "diary" => {
            let week = field("week").filter(|w| digits(w, "0000-W00"))?;
            (vec!["diary".into(), "--week".into(), week.into()], format!("so-nhat-ky-{week}"))
        }
        "period" => {
            let kinds = ["month", "quarter", "half", "nine-months", "year"];
            let kind = kinds.into_iter().find(|k| Some(*k) == field("kind"))?;
            let ending = field("ending").filter(|e| digits(e, "0000-00"))?;
            let mut words: Vec<String> = ["period", "--kind", kind, "--ending", ending].map(str::to_owned).into();
            if query.contains_key("calendar") {
                words.push("--calendar".into());
            }
            (words, format!("bao-cao-ky-{ending}"))
        }
        "campaign" => {
            let id = field("campaign").filter(|i| !i.starts_with('-') && i.len() < 140 && i.contains('/'))?;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let name: String = id.chars().map(|c| if plain(c) { c } else { '-' }).collect();
            (vec!["campaign".into(), id.into()], format!("bao-cao-{name}"))
        }
        _ => return None,
    };
    let (format, kind) = match field("format") {
        Some("docx") => ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        Some("xlsx") => ("xlsx", WORKBOOK),
        _ => ("html", HTML),
    };
    arguments.insert(0, "report".into());
    arguments.extend(["--format".to_owned(), format.to_owned()]);
    Some((arguments, kind, format!("{name}.{format}")))
}

/// The arguments of `loaxa export` that the log page's filter means. Nothing typed is handed on as it is but the name
/// of a campaign, which must look like one.
fn workbook_arguments(view: &View, query: &HashMap<String, String>) -> Vec<String> {
    let (asked, filter) = log_filter(view, query);
    let after = NaiveDate::parse_from_str(&asked.to, "%Y-%m-%d").map_or(asked.to.clone(), |d| next_day(d).to_string());
    let mut arguments: Vec<String> =
        ["export", "--format", "xlsx", "--from", &asked.from, "--to", &after].map(str::to_owned).into();
    if let Some(outcome) = filter.outcome {
        arguments.extend(["--outcome".to_owned(), outcome.key().to_owned()]);
    }
    if let Some(campaign) = filter.campaign.filter(|c| !c.starts_with('-') && c.len() < 140 && c.contains('/')) {
        arguments.extend(["--campaign".to_owned(), campaign]);
    }
    arguments
}

/// What was asked for, made whole, and the filter it means.
fn log_filter(view: &View, query: &HashMap<String, String>) -> (LogAsked, RowFilter) {
    let zone = view.zone();
    let (first, last) = standard_days(zone, view.now);
    let date = |name: &str, standard: NaiveDate| {
        query.get(name).and_then(|t| NaiveDate::parse_from_str(t, "%Y-%m-%d").ok()).unwrap_or(standard)
    };
    let (from, to) = (date("from", first), date("to", last));
    let text = |name: &str| query.get(name).cloned().unwrap_or_default();
    let outcome = Outcome::ALL.into_iter().find(|o| Some(o.key()) == query.get("outcome").map(String::as_str));
    let campaign = text("campaign");
    let asked = LogAsked {
        from: from.to_string(),
        to: to.to_string(),
        outcome: outcome.map_or("", Outcome::key).to_owned(),
        campaign: campaign.clone(),
    };
    let edge = |date: NaiveDate| -> Wall { zone.midnight(date) };
    let filter = RowFilter {
        from: Some(edge(from)),
        to: Some(edge(next_day(to))),
        outcome,
        campaign: (!campaign.is_empty()).then_some(campaign),
        ..RowFilter::default()
    };
    (asked, filter)
}

fn sheet_of(office: &dyn Office, filter: &RowFilter, format: Format, mut out: Sending) -> io::Result<()> {
    let mut sheet = CsvSheet::new(&mut out, format)?;
    office.rows(filter, &mut |_, body| match Row::parse(body) {
        Some(row) => sheet.row(&row),
        None => Ok(()),
    })?;
    sheet.finish()?;
    out.flush()
}

fn lines_of(office: &dyn Office, filter: &RowFilter, mut out: Sending) -> io::Result<()> {
    office.rows(filter, &mut |_, body| {
        out.write_all(body.as_bytes())?;
        out.write_all(b"\n")
    })?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::super::fields;
    use super::*;

    #[test]
    fn a_report_takes_nothing_that_was_not_chosen() {
        let made = |text: &str| report_arguments(&fields(text)).map(|(arguments, _, name)| (arguments.join(" "), name));
        let (words, name) = made("which=diary&week=2022-W40&format=docx").unwrap();
        assert_eq!(
            (words.as_str(), name.as_str()),
            ("report diary --week 2022-W40 --format docx", "so-nhat-ky-2022-W40.docx")
        );
        let (words, _) = made("which=period&kind=year&ending=2022-10&calendar=1").unwrap();
        assert_eq!(words, "report period --kind year --ending 2022-10 --calendar --format html");
        assert_eq!(made("which=campaign&campaign=tinh/cds-2022").unwrap().1, "bao-cao-tinh-cds-2022.html");
        for bad in [
            "",
            "which=x",
            "which=diary&week=2022-W4x",
            "which=campaign&campaign=--output%3Dx/y",
            "which=period&kind=year",
        ] {
            assert_eq!(made(bad), None, "{bad}");
        }
    }
}
