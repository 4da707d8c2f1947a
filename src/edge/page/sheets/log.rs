//! The log page, and how an airing that was is told wherever it is.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::{Sheet, esc, percent, second};
use crate::domain::airing::{Outcome, Reason};
use crate::domain::text::{Text, length_words, outcome_word, reason_words};
use crate::domain::time::{DAY_MS, Wall, Zone};
use crate::edge::page::view::Past;

/// What the log page was asked for.
#[derive(Clone, Debug, Default)]
pub struct LogAsked {
    /// First date, as typed.
    pub from: String,
    /// Last date, as typed.
    pub to: String,
    /// Key of an outcome.
    pub outcome: String,
    /// `SOURCE/ID` of a campaign.
    pub campaign: String,
}

/// The days of the log page when nobody chose any: the last seven.
pub fn standard_days(zone: Zone, now: Wall) -> (NaiveDate, NaiveDate) {
    (zone.date(now + -6 * DAY_MS), zone.date(now))
}

impl Sheet<'_> {
    pub(super) fn reason(&self, outcome: Outcome, reason: Option<Reason>) -> String {
        let good = matches!(outcome, Outcome::Aired | Outcome::Relayed);
        let mut text = outcome_word(outcome, self.language).to_owned();
        if let Some(reason) = reason {
            let _ = write!(text, ": {}", reason_words(reason, self.language));
        }
        format!("<span class=\"{}\">{}</span>", if good { "good" } else { "bad" }, esc(&text))
    }

    pub(super) fn airings(&self, list: &[&Past], with_date: bool) -> String {
        if list.is_empty() {
            return format!("<p>{}</p>", self.t(Text::PageNoRows {}));
        }
        let zone = self.zone();
        let mut out = String::from("<ul class=\"rows\">");
        for past in list {
            let at = past.started.unwrap_or(past.planned);
            let when =
                if with_date { zone.local(at).format("%d/%m/%Y<br>%H:%M:%S").to_string() } else { second(zone, at) };
            let by = past.by.as_deref().map(|b| format!(" · {}", esc(b))).unwrap_or_default();
            let slot = match past.slot_name.as_str() {
                "" => format!(" · {}", self.t(Text::PageByHand {})),
                name if name == past.title => String::new(),
                name => format!(" · {}", esc(name)),
            };
            let _ = write!(
                out,
                "<li><span class=\"time\">{when}</span><span class=\"what\"><b>{}</b><br>{} \
                 <span class=\"small\">{}{slot}{by}</span></span></li>",
                esc(&past.title),
                self.reason(past.outcome, past.reason),
                esc(&length_words(past.played_ms, self.language)),
            );
        }
        out.push_str("</ul>");
        out
    }

    /// The log with its filters.
    pub fn log(&self, asked: &LogAsked, list: &[Past], all: u64) -> String {
        let mut outcomes = format!("<option value=\"\">{}</option>", self.t(Text::PageAll {}));
        for outcome in Outcome::ALL {
            let chosen = if outcome.key() == asked.outcome { " selected" } else { "" };
            let word = esc(outcome_word(outcome, self.language));
            let _ = write!(outcomes, "<option value=\"{}\"{chosen}>{word}</option>", outcome.key());
        }
        let mut campaigns = format!("<option value=\"\">{}</option>", self.t(Text::PageAll {}));
        for above in &self.view.above {
            for campaign in &above.list.campaigns {
                let full = format!("{}/{}", above.source, campaign.id);
                let chosen = if full == asked.campaign { " selected" } else { "" };
                let _ = write!(
                    campaigns,
                    "<option value=\"{}\"{chosen}>{}</option>",
                    esc(&full),
                    esc(&campaign.title.chars().take(60).collect::<String>())
                );
            }
        }
        let query = format!(
            "from={}&amp;to={}&amp;outcome={}&amp;campaign={}",
            percent(&asked.from),
            percent(&asked.to),
            percent(&asked.outcome),
            percent(&asked.campaign)
        );
        let rows: Vec<&Past> = list.iter().rev().collect();
        let only = if all > list.len() as u64 {
            format!("<p class=\"small\">{}</p>", self.t(Text::PageOnlyLast { shown: list.len(), all }))
        } else {
            String::new()
        };
        let content = format!(
            "<h1>{title}</h1><form method=\"get\" class=\"filter\">\
             <label>{from}<input type=\"date\" name=\"from\" value=\"{from_value}\"></label>\
             <label>{to}<input type=\"date\" name=\"to\" value=\"{to_value}\"></label>\
             <label>{outcome}<select name=\"outcome\">{outcomes}</select></label>\
             <label>{campaign}<select name=\"campaign\">{campaigns}</select></label>\
             <button>{show}</button></form>\
             <p class=\"files\">{download} <a href=\"/log.xlsx?{query}\" download>Excel</a> \
             <a href=\"/log.csv?{query}\" download>CSV</a> \
             <a href=\"/log.jsonl?{query}\" download>JSON Lines</a></p>{only}\
             <p class=\"small\">{means}</p>{rows}",
            title = self.t(Text::PageLog {}),
            from = self.t(Text::PageFrom {}),
            from_value = esc(&asked.from),
            to = self.t(Text::PageTo {}),
            to_value = esc(&asked.to),
            outcome = self.t(Text::HeadOutcome {}),
            campaign = self.t(Text::PageCampaign {}),
            show = self.t(Text::PageShow {}),
            download = self.t(Text::PageDownload {}),
            means = self.t(Text::AiredMeans {}),
            rows = self.airings(&rows, true),
        );
        self.page("/log", &self.t(Text::PageLog {}), &content)
    }
}
