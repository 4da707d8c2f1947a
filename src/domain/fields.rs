//! Reads a table key by key and collects every mistake at once: what is missing, of the wrong kind, unknown or in
//! the wrong place, each with what to write instead.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::domain::document::{Node, Table, Value};
use crate::domain::findings::{Finding, LineIndex, Severity};
use crate::domain::playlist::{Dates, Ref, Span};
use crate::domain::text::Text;
use crate::domain::time::{DAY_MS, Days, Wall, Window, parse_duration_ms};

/// Findings so far, and the text they are about.
pub struct Notes {
    /// What was found.
    pub list: Vec<Finding>,
    lines: LineIndex,
    errors: usize,
}

/// The most findings of one file.
const MOST_FINDINGS: usize = 20_000;

impl Notes {
    /// Starts with what reading the form of the file found.
    pub fn new(text: &str, list: Vec<Finding>) -> Notes {
        Notes { list, lines: LineIndex::new(text), errors: 0 }
    }

    /// Adds a finding. A file of nothing but mistakes fills no memory; an error is never lost behind warnings.
    pub fn push(&mut self, finding: Finding) {
        let error = finding.severity == Severity::Error;
        self.errors += usize::from(error);
        if self.list.len() < MOST_FINDINGS || (error && self.errors < MOST_FINDINGS) {
            self.list.push(finding);
        }
    }

    /// The line of a place, from 1.
    pub fn line_of(&self, span: &Span) -> usize {
        self.lines.line_of(span.start)
    }
}

/// Findings about one value, which hold whatever is wrong with the form of the file elsewhere.
const ABOUT_ONE_VALUE: [&str; 11] = [
    "bad_time",
    "bad_date",
    "bad_moment",
    "bad_duration",
    "bad_days",
    "bad_choice",
    "bad_cron",
    "bad_id",
    "bad_size",
    "wrong_type",
    "out_of_range",
];

impl Notes {
    /// Whether of the first `form` findings all are about missing ends, which were put in before reading on.
    pub fn is_closed(&self, form: usize) -> bool {
        self.list[..form].iter().all(|f| matches!(f.code, "unclosed_table" | "unclosed_list" | "unclosed_braces"))
    }

    /// The findings, the first `form` of which are about the form of the file. A slip of form moves what follows
    /// under another header; so with one only what is wrong in itself is worth saying, and one finding a line.
    pub fn settled(self, form: usize) -> Vec<Finding> {
        if form == 0 {
            return self.list;
        }
        let closed = self.is_closed(form);
        let line = |f: &Finding| self.lines.line_of(f.span.start);
        let (form, others) = self.list.split_at(form);
        // Of an unquoted value, what it should be says more than that it needs quotes.
        let better = |f: &&Finding| f.code.starts_with("bad_") && f.code != "bad_id";
        let (mut kept, mut told) = (Vec::new(), Vec::new());
        for finding in form {
            let inside = others.iter().filter(better).find(|o| line(o) == line(finding));
            kept.push(inside.filter(|_| finding.code == "unquoted").unwrap_or(finding).clone());
            told.push(line(finding));
        }
        let holds = |f: &&Finding| closed || ABOUT_ONE_VALUE.contains(&f.code);
        kept.extend(others.iter().filter(holds).filter(|f| !told.contains(&line(f))).cloned());
        kept
    }
}

/// A key the reader asked for; what is not among them is unknown.
type Asked = Vec<&'static str>;

#[cfg(test)]
thread_local! {
    static ASKED: std::cell::RefCell<Vec<(&'static str, &'static str)>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Every place and key that readers asked for on this thread since the last call.
#[cfg(test)]
pub fn asked_so_far() -> Vec<(&'static str, &'static str)> {
    ASKED.take()
}

/// One table being read.
pub struct Fields<'a> {
    table: &'a Table,
    /// Where its header, or the table itself, stands.
    pub span: Span,
    /// How it is written, as `[[clips]]`; empty at the top of the file.
    pub place: &'static str,
    asked: Asked,
    missing: Vec<(&'static str, String)>,
}

/// A value that stands under a key.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    /// The key.
    pub key: &'static str,
    /// The value and its place.
    pub node: &'a Node,
}

impl<'a> Fields<'a> {
    /// Starts to read a table.
    pub fn new(table: &'a Table, span: Span, place: &'static str) -> Fields<'a> {
        Fields { table, span, place, asked: Vec::new(), missing: Vec::new() }
    }

    /// The value of a key that may be absent.
    pub fn get(&mut self, key: &'static str) -> Option<Held<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key).filter(|e| !matches!(e.node.value, Value::Null)).map(|e| Held { key, node: &e.node })
    }

    /// Whether a key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|e| !matches!(e.node.value, Value::Null))
    }

    /// The place of a key.
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.table.get(key).map(|e| e.key_span.clone())
    }

    /// The value of a key that must be there; `example` is a line as it might be written.
    pub fn need(&mut self, key: &'static str, example: &str) -> Option<Held<'a>> {
        let held = self.get(key);
        if held.is_none() {
            self.missing(key, example);
        }
        held
    }

    /// Notes that a key is missing.
    pub fn missing(&mut self, key: &'static str, example: &str) {
        self.missing.push((key, example.to_owned()));
    }

    fn note_missing(&self, key: &str, example: &str, notes: &mut Notes) {
        let text = if self.place.is_empty() {
            Text::MissingKeyTop { key: key.into() }
        } else {
            Text::MissingKey { key: key.into(), place: self.place.into() }
        };
        let mut finding = Finding::error("missing_key", self.span.clone(), text);
        if !example.is_empty() {
            finding = finding.hint(Text::AddLine { line: example.into() });
        }
        notes.push(finding);
    }

    /// Notes every key nobody asked for, and every key that is missing, unless it is there by another spelling.
    pub fn close(self, notes: &mut Notes) {
        #[cfg(test)]
        ASKED.with_borrow_mut(|all| all.extend(self.asked.iter().map(|key| (self.place, *key))));
        let mut misspelt = Vec::new();
        for entry in &self.table.entries {
            if self.asked.contains(&entry.key.as_str()) {
                continue;
            }
            let key: String = entry.key.chars().take(60).collect();
            let text = if self.place.is_empty() {
                Text::UnknownKeyTop { key }
            } else {
                Text::UnknownKey { key, place: self.place.into() }
            };
            let hint = match keys_meant(&entry.key, &self.asked) {
                Some(meant) => {
                    misspelt.push(meant);
                    Text::WriteKey { key: meant.into() }
                }
                None => match home_of(&entry.key, self.place) {
                    Some("") => Text::KeyBelongsTop { key: entry.key.clone() },
                    Some(place) => Text::KeyBelongs { key: entry.key.clone(), place: place.into() },
                    None => Text::KnownKeys { keys: self.asked.join(", ") },
                },
            };
            notes.push(Finding::error("unknown_key", entry.key_span.clone(), text).hint(hint));
        }
        for (key, example) in &self.missing {
            if !misspelt.contains(key) {
                self.note_missing(key, example, notes);
            }
        }
    }

    /// The table under a key, as `[station]`.
    pub fn table(&mut self, key: &'static str, place: &'static str, notes: &mut Notes) -> Option<Fields<'a>> {
        let held = self.get(key)?;
        match &held.node.value {
            Value::Table(table) => Some(Fields::new(table, held.node.span.clone(), place)),
            Value::List(list) if matches!(list.first(), Some(Node { value: Value::Table(_), .. })) => {
                let text = Text::OneTable { key: key.into() };
                notes.push(
                    Finding::error("wrong_type", held.node.span.clone(), text)
                        .hint(Text::WriteLine { line: place.into() }),
                );
                None
            }
            _ => {
                let text = Text::WantTable { key: key.into() };
                notes.push(
                    Finding::error("wrong_type", held.node.span.clone(), text)
                        .hint(Text::WriteLine { line: place.into() }),
                );
                None
            }
        }
    }

    /// The tables under a key, as `[[clips]]`; none when the key is absent.
    pub fn tables(&mut self, key: &'static str, place: &'static str, notes: &mut Notes) -> Vec<Fields<'a>> {
        let Some(held) = self.get(key) else { return Vec::new() };
        let wrong = |span: &Span| {
            Finding::error("wrong_type", span.clone(), Text::WantTables { key: key.into() })
                .hint(Text::WriteLine { line: place.into() })
        };
        match &held.node.value {
            Value::List(list) => list
                .iter()
                .filter_map(|node| match &node.value {
                    Value::Table(table) => Some(Fields::new(table, node.span.clone(), place)),
                    _ => {
                        notes.push(wrong(&node.span));
                        None
                    }
                })
                .collect(),
            _ => {
                notes.push(wrong(&held.node.span));
                Vec::new()
            }
        }
    }

    /// Text that may be absent.
    pub fn text(&mut self, key: &'static str, notes: &mut Notes) -> Option<(&'a str, Span)> {
        self.get(key).and_then(|held| held.text(notes))
    }

    /// Text that must be there and not be empty.
    pub fn need_text(&mut self, key: &'static str, example: &str, notes: &mut Notes) -> Option<(&'a str, Span)> {
        self.need(key, example).and_then(|held| held.text(notes))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str, default: bool, notes: &mut Notes) -> bool {
        let Some(held) = self.get(key) else { return default };
        match &held.node.value {
            Value::Flag(flag) => *flag,
            other => {
                let guess = match other {
                    Value::Text(t) => {
                        matches!(fold(t).as_str(), "true" | "co" | "yes" | "bat" | "on" | "1" | "dung").to_string()
                    }
                    Value::Whole(n) => (*n != 0).to_string(),
                    _ => default.to_string(),
                };
                notes.push(
                    Finding::error("wrong_type", held.node.span.clone(), Text::WantFlag { key: key.into() })
                        .hint(Text::WriteLine { line: format!("{key} = {guess}") }),
                );
                default
            }
        }
    }

    /// A whole number within bounds.
    pub fn whole(&mut self, key: &'static str, min: i64, max: i64, notes: &mut Notes) -> Option<i64> {
        self.get(key).and_then(|held| held.whole(min, max, notes))
    }

    /// A whole number within bounds that must be there.
    pub fn need_whole(
        &mut self,
        key: &'static str,
        min: i64,
        max: i64,
        example: &str,
        notes: &mut Notes,
    ) -> Option<i64> {
        self.need(key, example).and_then(|held| held.whole(min, max, notes))
    }

    /// A gain in dB; 0 when absent.
    pub fn gain(&mut self, notes: &mut Notes) -> f64 {
        self.get("gain_db").and_then(|held| held.gain(notes)).unwrap_or(0.0)
    }

    /// A length of time in milliseconds within bounds.
    pub fn duration(&mut self, key: &'static str, min: i64, max: i64, notes: &mut Notes) -> Option<i64> {
        self.get(key).and_then(|held| held.duration(min, max, notes))
    }

    /// A date.
    pub fn date(&mut self, key: &'static str, notes: &mut Notes) -> Option<NaiveDate> {
        self.get(key).and_then(|held| held.date(notes))
    }

    /// Dates, one or several; empty when absent.
    pub fn dates(&mut self, key: &'static str, notes: &mut Notes) -> Vec<NaiveDate> {
        let Some(held) = self.get(key) else { return Vec::new() };
        held.each().filter_map(|one| one.date(notes)).collect()
    }

    /// Texts, one or several.
    pub fn texts(&mut self, key: &'static str, notes: &mut Notes) -> Option<Vec<(&'a str, Span)>> {
        let held = self.get(key)?;
        Some(held.each().filter_map(|one| one.text(notes)).collect())
    }

    /// A list of texts, empty when absent; one text alone is a mistake here.
    pub fn arguments(&mut self, key: &'static str, notes: &mut Notes) -> Vec<String> {
        let Some(held) = self.get(key) else { return Vec::new() };
        match &held.node.value {
            Value::List(_) => held.each().filter_map(|one| one.text(notes)).map(|(t, _)| t.to_owned()).collect(),
            other => {
                let words = match other {
                    Value::Text(t) => t.split_whitespace().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(", "),
                    _ => "\"...\"".into(),
                };
                notes.push(
                    Finding::error("wrong_type", held.node.span.clone(), Text::WantTexts { key: key.into() })
                        .hint(Text::WriteLine { line: format!("{key} = [{words}]") }),
                );
                Vec::new()
            }
        }
    }

    /// One of several words. The first of each row is the one that is suggested; the others are read as well.
    pub fn choice<T: Copy>(&mut self, key: &'static str, rows: &[(&[&str], T)], notes: &mut Notes) -> Option<T> {
        self.get(key).and_then(|held| held.choice(rows, notes))
    }

    /// The window `from`, `to`, both needed.
    pub fn window(&mut self, notes: &mut Notes) -> Option<Window> {
        let from = self.need("from", "from = \"05:00\"").and_then(|h| h.time(notes));
        let to = self.need("to", "to = \"06:00\"").and_then(|h| h.time(notes));
        Some(Window { from: from?, to: to? })
    }

    /// `from`, `to`, `days` and `except`.
    pub fn limits(&mut self, notes: &mut Notes) -> Dates {
        let from = self.date("from", notes);
        let to = self.date("to", notes);
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            let span = self.get("to").map_or(self.span.clone(), |h| h.node.span.clone());
            let text = Text::ToBeforeFrom { from: from.to_string(), to: to.to_string() };
            notes.push(Finding::error("never_fires", span, text).hint(Text::SwapFromTo {}));
        }
        let days = self.get("days").and_then(|held| held.days(notes));
        let except = self.dates("except", notes);
        Dates { from, to, days, except }
    }

    /// A name that other entries use: safe in paths, messages and reports.
    pub fn id(&mut self, example: &str, notes: &mut Notes) -> Option<(Arc<str>, Span)> {
        let (text, span) = self.need_text("id", example, notes)?;
        Some((read_id(text, &span, notes)?, span))
    }

    /// The file or group entries under a key whose keys are free, as `groups`.
    pub fn free_table(&mut self, key: &'static str, example: &str, notes: &mut Notes) -> Option<&'a Table> {
        let held = self.get(key)?;
        match &held.node.value {
            Value::Table(table) => Some(table),
            _ => {
                notes.push(
                    Finding::error("wrong_type", held.node.span.clone(), Text::WantTable { key: key.into() })
                        .hint(Text::WriteLine { line: example.into() }),
                );
                None
            }
        }
    }
}

impl<'a> Held<'a> {
    /// The value's place.
    pub fn span(&self) -> Span {
        self.node.span.clone()
    }

    fn wrong(&self, text: Text, write: &str) -> Finding {
        Finding::error("wrong_type", self.span(), text)
            .hint(Text::WriteLine { line: format!("{} = {write}", self.key) })
    }

    /// The elements of a list; a value that is no list stands for itself.
    pub fn each(&self) -> impl Iterator<Item = Held<'a>> + use<'a> {
        let nodes = match &self.node.value {
            Value::List(list) => list.as_slice(),
            _ => std::slice::from_ref(self.node),
        };
        let key = self.key;
        nodes.iter().map(move |node| Held { key, node })
    }

    /// Text, not empty.
    pub fn text(&self, notes: &mut Notes) -> Option<(&'a str, Span)> {
        match &self.node.value {
            Value::Text(text) if text.trim().is_empty() => {
                notes.push(Finding::error("empty", self.span(), Text::EmptyText { key: self.key.into() }));
                None
            }
            Value::Text(text) => Some((text, self.span())),
            other => {
                let write = match other {
                    Value::Whole(n) => format!("\"{n}\""),
                    Value::Real(n) => format!("\"{n}\""),
                    Value::Flag(b) => format!("\"{b}\""),
                    Value::Moment(t) => format!("\"{t}\""),
                    _ => "\"...\"".into(),
                };
                notes.push(self.wrong(Text::WantText { key: self.key.into() }, &write));
                None
            }
        }
    }

    /// Text, or a date or time without quotes.
    fn words(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) | Value::Moment(text) => Some(text.trim()),
            _ => None,
        }
    }

    fn written(&self) -> String {
        match &self.node.value {
            Value::Text(t) | Value::Moment(t) => t.chars().take(60).collect(),
            Value::Whole(n) => n.to_string(),
            Value::Real(n) => n.to_string(),
            Value::Flag(b) => b.to_string(),
            Value::Null => "null".into(),
            Value::List(_) => "[...]".into(),
            Value::Table(_) => "{...}".into(),
        }
    }

    /// A whole number within bounds.
    pub fn whole(&self, min: i64, max: i64, notes: &mut Notes) -> Option<i64> {
        match &self.node.value {
            Value::Whole(n) if (min..=max).contains(n) => Some(*n),
            Value::Whole(_) | Value::Real(_) => {
                let text = Text::OutOfRange { key: self.key.into(), text: self.written(), min, max };
                notes.push(Finding::error("out_of_range", self.span(), text));
                None
            }
            other => {
                let write = match other {
                    Value::Text(t) => t.chars().filter(char::is_ascii_digit).take(18).collect::<String>(),
                    _ => String::new(),
                };
                let write = if write.is_empty() { min.max(1).to_string() } else { write };
                notes.push(self.wrong(Text::WantWhole { key: self.key.into() }, &write));
                None
            }
        }
    }

    /// A gain in dB, -60 to +20.
    pub fn gain(&self, notes: &mut Notes) -> Option<f64> {
        let gain = match &self.node.value {
            Value::Whole(n) => *n as f64,
            Value::Real(n) => *n,
            Value::Text(t) => {
                let write = t.to_lowercase().replace("db", "").replace(',', ".").trim().to_owned();
                let write = if write.parse::<f64>().is_ok() { write } else { "0.0".into() };
                notes.push(self.wrong(Text::WantNumber { key: self.key.into() }, &write));
                return None;
            }
            _ => {
                notes.push(self.wrong(Text::WantNumber { key: self.key.into() }, "0.0"));
                return None;
            }
        };
        if !(-60.0..=20.0).contains(&gain) {
            let text = Text::OutOfRange { key: self.key.into(), text: self.written(), min: -60, max: 20 };
            notes.push(Finding::error("out_of_range", self.span(), text));
            return None;
        }
        Some(gain)
    }

    /// A length of time in milliseconds within bounds.
    pub fn duration(&self, min: i64, max: i64, notes: &mut Notes) -> Option<i64> {
        let read = match &self.node.value {
            Value::Text(text) => parse_duration_ms(text),
            _ => None,
        };
        match read {
            Some(ms) if (min..=max).contains(&ms) => Some(ms),
            Some(_) => {
                let text = Text::DurationRange {
                    key: self.key.into(),
                    text: self.written(),
                    min: duration_text(min),
                    max: duration_text(max),
                };
                notes.push(Finding::error("out_of_range", self.span(), text));
                None
            }
            None => {
                let guess = duration_guess(&self.written()).unwrap_or_else(|| "5m".into());
                let text = Text::BadDuration { text: self.written() };
                notes.push(
                    Finding::error("bad_duration", self.span(), text)
                        .hint(Text::WriteDuration { line: format!("{} = \"{guess}\"", self.key) }),
                );
                None
            }
        }
    }

    /// A time of day.
    pub fn time(&self, notes: &mut Notes) -> Option<NaiveTime> {
        if let Some(time) = self.words().and_then(parse_time) {
            return Some(time);
        }
        let written = self.written();
        let text = Text::BadTime { text: written.clone() };
        let hint = match time_guess(&written) {
            Some(guess) => Text::WriteLine { line: format!("{} = \"{guess}\"", self.key) },
            None => Text::TimeForm {},
        };
        notes.push(Finding::error("bad_time", self.span(), text).hint(hint));
        None
    }

    /// A time of day, or a date and time for once.
    pub fn at(&self, notes: &mut Notes) -> Option<crate::domain::playlist::At> {
        use crate::domain::playlist::At;
        if let Some(words) = self.words() {
            if let Some(time) = parse_time(words) {
                return Some(At::Daily(time));
            }
            if words.len() >= 10 && words.contains(['T', ' ']) && words.as_bytes()[4..].contains(&b'-') {
                if let Some(moment) = parse_local(words) {
                    return Some(At::Once(moment));
                }
                let text = Text::BadMoment { text: self.written() };
                notes.push(Finding::error("bad_moment", self.span(), text).hint(Text::MomentForm {}));
                return None;
            }
            if parse_date(words).is_some() {
                let text = Text::BadTime { text: self.written() };
                notes.push(
                    Finding::error("bad_time", self.span(), text)
                        .hint(Text::WriteLine { line: format!("{} = \"{words}T17:00\"", self.key) }),
                );
                return None;
            }
        }
        self.time(notes).map(At::Daily)
    }

    /// A date.
    pub fn date(&self, notes: &mut Notes) -> Option<NaiveDate> {
        if let Some(date) = self.words().and_then(parse_date) {
            return Some(date);
        }
        let written = self.written();
        let hint = match date_guess(&written) {
            Some(guess) => Text::WriteDate { date: guess.to_string() },
            None => Text::DateForm {},
        };
        notes.push(Finding::error("bad_date", self.span(), Text::BadDate { text: written }).hint(hint));
        None
    }

    /// An instant: RFC 3339 with an offset.
    pub fn moment(&self, notes: &mut Notes) -> Option<Wall> {
        if let Some(wall) = self.words().and_then(Wall::parse_rfc3339) {
            return Some(wall);
        }
        let written = self.written();
        let hint = match parse_local(&written) {
            Some(local) => {
                Text::WriteLine { line: format!("{} = \"{}+07:00\"", self.key, local.format("%Y-%m-%dT%H:%M:%S")) }
            }
            None => Text::InstantForm {},
        };
        notes.push(Finding::error("bad_moment", self.span(), Text::BadMoment { text: written }).hint(hint));
        None
    }

    /// A date, or an instant, kept as written.
    pub fn date_or_moment(&self, notes: &mut Notes) -> Option<&'a str> {
        match self.words() {
            Some(words)
                if parse_date(words).is_some()
                    || Wall::parse_rfc3339(words).is_some()
                    || parse_local(words).is_some() =>
            {
                Some(words)
            }
            _ => {
                self.date(notes);
                None
            }
        }
    }

    /// Weekdays.
    pub fn days(&self, notes: &mut Notes) -> Option<Days> {
        let written = match &self.node.value {
            Value::Text(text) => text.clone(),
            Value::List(list) => {
                // ["T2", "T4"] says the same as "T2,T4".
                let texts: Vec<_> = list
                    .iter()
                    .filter_map(|n| if let Value::Text(t) = &n.value { Some(t.as_str()) } else { None })
                    .collect();
                if texts.len() == list.len() { texts.join(",") } else { self.written() }
            }
            _ => self.written(),
        };
        match Days::parse(&written) {
            Ok(days) => Some(days),
            Err(part) => {
                let text = Text::BadDays { text: part.chars().take(60).collect() };
                let hint = match days_guess(&written) {
                    Some(guess) => Text::WriteDays { line: format!("{} = \"{guess}\"", self.key) },
                    None => Text::DaysForm {},
                };
                notes.push(Finding::error("bad_days", self.span(), text).hint(hint));
                None
            }
        }
    }

    /// One of several words.
    pub fn choice<T: Copy>(&self, rows: &[(&[&str], T)], notes: &mut Notes) -> Option<T> {
        let (text, span) = self.text(notes)?;
        if let Some((_, value)) = rows.iter().find(|(words, _)| words.contains(&text)) {
            return Some(*value);
        }
        let words: Vec<&str> = rows.iter().filter_map(|(words, _)| words.first().copied()).collect();
        let folded = fold(text);
        let near = rows
            .iter()
            .find(|(words, _)| words.iter().any(|w| fold(w) == folded))
            .and_then(|(words, _)| words.first().copied())
            .or_else(|| nearest(text, words.iter().copied()));
        let hint = match near {
            Some(near) => Text::WriteLine { line: format!("{} = \"{near}\"", self.key) },
            None => Text::Choose { words: words.join(", ") },
        };
        let text = Text::BadChoice { key: self.key.into(), text: text.chars().take(60).collect() };
        notes.push(Finding::error("bad_choice", span, text).hint(hint));
        None
    }

    /// A reference: `ID` or `SOURCE/ID`.
    pub fn reference(&self, notes: &mut Notes) -> Option<Ref> {
        let (text, span) = self.text(notes)?;
        match text.split_once('/') {
            Some((source, id)) => {
                Some(Ref { source: Some(read_id(source, &span, notes)?), id: read_id(id, &span, notes)?, span })
            }
            None => Some(Ref { source: None, id: read_id(text, &span, notes)?, span }),
        }
    }

    /// A number of months, as `"6 months"`.
    pub fn months(&self, notes: &mut Notes) -> Option<u32> {
        let read = match &self.node.value {
            Value::Text(text) => {
                let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
                let unit = fold(text.trim()[digits.len()..].trim());
                let each = match unit.as_str() {
                    "month" | "months" | "thang" => Some(1),
                    "year" | "years" | "nam" => Some(12),
                    _ => None,
                };
                digits.parse::<u32>().ok().zip(each).and_then(|(n, each)| n.checked_mul(each))
            }
            _ => None,
        };
        match read {
            Some(months) if (1..=1200).contains(&months) => Some(months),
            _ => {
                let number: String = self.written().chars().filter(char::is_ascii_digit).take(4).collect();
                let number = if number.is_empty() || number.trim_start_matches('0').is_empty() { "6" } else { &number };
                let text = Text::BadMonths { text: self.written() };
                notes.push(
                    Finding::error("bad_duration", self.span(), text)
                        .hint(Text::WriteLine { line: format!("{} = \"{number} months\"", self.key) }),
                );
                None
            }
        }
    }

    /// A size in bytes, as `"4GB"`.
    pub fn size(&self, notes: &mut Notes) -> Option<u64> {
        let read = match &self.node.value {
            Value::Text(text) => parse_size(text),
            _ => None,
        };
        if read.is_none() {
            let text = Text::BadSize { text: self.written() };
            notes.push(
                Finding::error("bad_size", self.span(), text)
                    .hint(Text::WriteLine { line: format!("{} = \"4GB\"", self.key) }),
            );
        }
        read
    }
}

/// `"500MB"`, `"4GB"`, `"1.5 TB"`: bytes, in steps of a thousand; `GiB` in steps of 1024. At least 1 MB.
fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim().to_ascii_uppercase().as_str() {
        "B" => 1.0,
        "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KIB" => 1024.0,
        "MIB" => 1_048_576.0,
        "GIB" => 1_073_741_824.0,
        "TIB" => 1_099_511_627_776.0,
        _ => return None,
    };
    let bytes = number * unit;
    (1e6..=1e15).contains(&bytes).then_some(bytes as u64)
}

/// `05:30`, `5:30`, `05:30:15`.
pub fn parse_time(text: &str) -> Option<NaiveTime> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        if digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None }
    };
    match parts[..] {
        [h, m] => NaiveTime::from_hms_opt(number(h, 1..=2)?, number(m, 2..=2)?, 0),
        [h, m, s] => NaiveTime::from_hms_opt(number(h, 1..=2)?, number(m, 2..=2)?, number(s, 2..=2)?),
        _ => None,
    }
}

/// `2022-10-05`, of the years 1970 to 2199.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    use chrono::Datelike;
    let date: NaiveDate = if text.len() == 10 { text.parse().ok()? } else { return None };
    (1970..2200).contains(&date.year()).then_some(date)
}

fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once(['T', ' '])?;
    Some(parse_date(date)?.and_time(parse_time(time)?))
}

/// What someone who wrote a time in another way meant: `5h30`, `17 15`, `17.15`, `24:00`, `1715`, `5h30 chiều`.
pub fn time_guess(text: &str) -> Option<String> {
    let folded = fold(text);
    let numbers: Vec<&str> = folded.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).collect();
    let (hour, minute) = match numbers[..] {
        [one] if one.len() == 4 => (one[..2].parse().ok()?, one[2..].parse().ok()?),
        [one] if one.len() == 3 => (one[..1].parse().ok()?, one[1..].parse().ok()?),
        [hour] if hour.len() <= 2 => (hour.parse::<u32>().ok()?, 0),
        [hour, minute] | [hour, minute, "00" | "0"] if hour.len() <= 2 => (hour.parse().ok()?, minute.parse().ok()?),
        _ => return None,
    };
    let afternoon = ["chieu", "toi", "pm"].iter().any(|w| folded.contains(w));
    let hour = if afternoon && hour < 12 { hour + 12 } else { hour };
    let hour = if hour == 24 && minute == 0 { 0 } else { hour };
    let time = NaiveTime::from_hms_opt(hour, minute, 0)?;
    Some(format!("{:02}:{:02}", time.hour(), time.minute()))
}

/// What a date in another order meant: `01/10/2022`, `1-10-2022`, `2022/10/1`, `2022-10-1`.
pub fn date_guess(text: &str) -> Option<NaiveDate> {
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).collect();
    let [a, b, c] = parts[..] else { return None };
    let (y, m, d) = match (a.len(), c.len()) {
        (4, 1..=2) => (a, b, c),
        (1..=2, 4) => (c, b, a),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(y.parse().ok()?, m.parse().ok()?, d.parse().ok()?)
}

/// What a length of time in other words meant: `90`, `5 phút`, `1 giờ 30 phút`, `5p`.
pub fn duration_guess(text: &str) -> Option<String> {
    let folded = fold(text);
    let mut guess = String::new();
    let mut rest = folded.as_str();
    while !rest.is_empty() {
        rest = rest.trim_start_matches('_');
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 || digits > 6 {
            break;
        }
        let number = &rest[..digits];
        rest = rest[digits..].trim_start_matches('_');
        let word = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..word] {
            "" | "s" | "sec" | "seconds" | "giay" | "g" => "s",
            "m" | "min" | "mins" | "minutes" | "p" | "ph" | "phut" => "m",
            "h" | "hour" | "hours" | "gio" => "h",
            "d" | "day" | "days" | "ngay" => "d",
            _ => return None,
        };
        guess.push_str(&format!("{number}{unit}"));
        rest = &rest[word..];
    }
    parse_duration_ms(&guess).map(|_| guess)
}

/// What weekdays in digits or words meant: `2-6`, `thứ 2, thứ 4`, `2,4,6`, `chủ nhật`. The digits are those of
/// Vietnamese speech: 2 is Monday, 8 Sunday.
pub fn days_guess(text: &str) -> Option<String> {
    let folded: String = text.to_lowercase();
    let mut parts = Vec::new();
    for part in folded.split([',', ';', '+', '&']) {
        let ends: Vec<String> = part.split(['-', '–', '—']).map(day_guess).collect::<Option<_>>()?;
        match &ends[..] {
            [one] => parts.push(one.clone()),
            [a, b] => parts.push(format!("{a}-{b}")),
            _ => return None,
        }
    }
    let guess = parts.join(",");
    Days::parse(&guess).ok().map(|_| guess)
}

fn day_guess(part: &str) -> Option<String> {
    let folded = fold(part);
    let name = folded.trim_matches('_').trim_start_matches("thu").trim_start_matches('t').trim_matches('_');
    let day = match name {
        "2" | "hai" | "mon" | "monday" | "MON" => "T2",
        "3" | "ba" | "ue" | "uesday" | "tue" => "T3",
        "4" | "tu" | "u" | "wed" | "wednesday" => "T4",
        "5" | "nam" | "hursday" | "rsday" => "T5",
        "6" | "sau" | "fri" | "friday" => "T6",
        "7" | "bay" | "sat" | "saturday" => "T7",
        "8" | "1" | "0" | "cn" | "chu_nhat" | "sun" | "sunday" => "CN",
        _ => return Days::day_by_name(part).map(|d| Days::NAMES[d as usize].to_owned()),
    };
    Some(day.to_owned())
}

/// A length of time as it is written in a list.
pub fn duration_text(ms: i64) -> String {
    match ms {
        ms if ms >= DAY_MS && ms % DAY_MS == 0 => format!("{}d", ms / DAY_MS),
        ms if ms >= 3_600_000 && ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        ms if ms >= 60_000 && ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

/// Letters without marks, small, all else as `_`: how two spellings are compared.
pub fn fold(text: &str) -> String {
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'đ' => 'd',
            c if c.is_ascii_alphanumeric() => c,
            _ => '_',
        })
        .collect()
}

/// The nearest of several names, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = fold(name);
    let allowed = (name.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|other| (strsim::damerau_levenshtein(&name, &fold(other)), other))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, other)| *distance <= allowed && *distance < other.chars().count())
        .map(|(_, other)| other)
}

/// Checks and composes an id. It is used in references, in file names and in reports.
pub fn read_id(text: &str, span: &Span, notes: &mut Notes) -> Option<Arc<str>> {
    let id: String = text.nfc().collect();
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || (c.is_whitespace() && c != ' ')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
    };
    let safe = !id.is_empty()
        && id.chars().count() <= 64
        && id.trim() == id
        && !id.starts_with('.')
        && !id.contains("..")
        && !id.chars().any(bad);
    if safe {
        return Some(id.into());
    }
    let shown: String = text.chars().map(|c| if bad(c) && c != '/' && c != '\\' { '?' } else { c }).take(70).collect();
    notes.push(Finding::error("bad_id", span.clone(), Text::BadId { id: shown }).hint(Text::IdForm {}));
    None
}

/// Ids that were taken, of one kind.
#[derive(Debug, Default)]
pub struct Ids {
    lines: HashMap<Arc<str>, usize>,
}

impl Ids {
    /// Whether an id is taken.
    pub fn has(&self, id: &str) -> bool {
        self.lines.contains_key(id)
    }

    /// The ids in the order of the file.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.lines.iter().collect();
        names.sort_unstable_by_key(|(id, line)| (**line, (*id).clone()));
        names.into_iter().map(|(id, _)| &**id).collect()
    }

    /// Takes an id; says so when somebody had it before.
    pub fn take(&mut self, id: &Arc<str>, span: &Span, notes: &mut Notes) {
        let line = notes.line_of(span);
        if let Some(first) = self.lines.get(id) {
            let text = Text::DuplicateId { id: id.to_string(), line: *first };
            notes.push(Finding::error("duplicate_id", span.clone(), text).hint(Text::OtherId {}));
        } else {
            self.lines.insert(id.clone(), line);
        }
    }
}

/// Whether a path names a file inside a folder: relative, no way up, no device or stream of other systems.
pub fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 500
        && path.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && !part.chars().any(|c| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|'))
        })
}

/// Picks the name of a listing that is meant by `wanted`: the same bytes if they are there, else the same letters
/// whichever way their marks are stored. Archives made on a Mac store them apart, most others joined.
pub fn match_name<'a>(listing: impl IntoIterator<Item = &'a str>, wanted: &str) -> Option<&'a str> {
    let composed: String = wanted.nfc().collect();
    let mut found = None;
    for name in listing {
        if name == wanted {
            return Some(name);
        }
        if found.is_none() && name.nfc().eq(composed.chars()) {
            found = Some(name);
        }
    }
    found
}

/// Vietnamese keys people write, and the key of the same meaning; of several the first that the table has.
const VIETNAMESE: &[(&str, &[&str])] = &[
    ("ma", &["id"]),
    ("ma_bai", &["id", "clip"]),
    ("ten", &["name", "title", "id"]),
    ("ten_bai", &["title"]),
    ("tieu_de", &["title"]),
    ("tep", &["file"]),
    ("tep_am_thanh", &["file"]),
    ("tap_tin", &["file"]),
    ("loai", &["kind"]),
    ("loai_bai", &["kind"]),
    ("bai", &["clips", "clip", "items"]),
    ("cac_bai", &["clips", "items"]),
    ("noi_dung", &["items", "title"]),
    ("muc", &["items"]),
    ("buoi_phat", &["slots", "slot"]),
    ("lich", &["slots", "at"]),
    ("lich_phat", &["slots"]),
    ("lich_phat_thanh", &["slots"]),
    ("gio", &["at", "from"]),
    ("gio_phat", &["at"]),
    ("thoi_gian", &["at", "from"]),
    ("luc", &["at"]),
    ("thu", &["days"]),
    ("ngay", &["days", "dates", "date"]),
    ("cac_ngay", &["dates", "days"]),
    ("tu", &["from"]),
    ("tu_ngay", &["from"]),
    ("tu_gio", &["from"]),
    ("bat_dau", &["from", "start"]),
    ("den", &["to", "until"]),
    ("den_ngay", &["to", "until"]),
    ("den_gio", &["to", "until"]),
    ("ket_thuc", &["to", "until"]),
    ("tru", &["except"]),
    ("tru_ngay", &["except"]),
    ("ngoai_tru", &["except"]),
    ("uu_tien", &["priority"]),
    ("muc_uu_tien", &["priority"]),
    ("nguoi_duyet", &["approved_by"]),
    ("duyet", &["approved_by"]),
    ("ngay_duyet", &["approved_at"]),
    ("van_ban_duyet", &["approved_doc"]),
    ("so_van_ban", &["doc_number"]),
    ("so_ky_hieu", &["doc_number"]),
    ("ngay_van_ban", &["doc_date"]),
    ("dot", &["campaign", "campaigns"]),
    ("dot_tuyen_truyen", &["campaign", "campaigns"]),
    ("chien_dich", &["campaign", "campaigns"]),
    ("chu_de", &["topic", "topics"]),
    ("chi_tieu", &["min_per_day"]),
    ("luan_phien", &["rotations", "rotation"]),
    ("xoay_vong", &["rotations", "rotation"]),
    ("ngay_dac_biet", &["special_days"]),
    ("bo", &["skip"]),
    ("bo_qua", &["skip"]),
    ("thu_hoi", &["withdrawals"]),
    ("ly_do", &["why"]),
    ("nguoi", &["by"]),
    ("khan_cap", &["emergencies", "emergency"]),
    ("lap_lai", &["repeat"]),
    ("cach", &["gap", "every"]),
    ("moi", &["every"]),
    ("dai", &["station", "length"]),
    ("dai_truyen_thanh", &["station"]),
    ("tram", &["station", "stations"]),
    ("cac_dai", &["stations"]),
    ("nhom", &["groups"]),
    ("ma_thiet_bi", &["device_id"]),
    ("mui_gio", &["timezone"]),
    ("ngon_ngu", &["language"]),
    ("cum_loa", &["clusters"]),
    ("so_loa", &["speakers"]),
    ("loa", &["speakers"]),
    ("thu_muc", &["dir"]),
    ("nguon", &["source"]),
    ("don_vi_gui", &["source"]),
    ("cap", &["origin"]),
    ("dia_chi", &["url", "listen"]),
    ("khoa", &["public_keys", "root_keys"]),
    ("khoa_cong_khai", &["public_keys"]),
    ("khoa_goc", &["root_keys"]),
    ("nguong", &["threshold"]),
    ("danh_sach", &["playlist", "items"]),
    ("thiet_bi", &["device"]),
    ("dau_ra", &["output"]),
    ("am_luong", &["gain_db"]),
    ("am_thanh", &["output", "file"]),
    ("gio_yen_lang", &["quiet_hours"]),
    ("gio_yen_tinh", &["quiet_hours"]),
    ("gio_im_lang", &["quiet_hours"]),
    ("gio_khong_phat", &["quiet_hours"]),
    ("gio_khong_phat_loa", &["quiet_hours"]),
    ("gio_nghi", &["quiet_also", "quiet_hours"]),
    ("quyet_dinh", &["shorter_by", "approved_doc"]),
    ("buoi", &["daypart", "slots"]),
    ("thoi_luong", &["length", "duration_ms", "max_length"]),
    ("do_dai", &["length", "max_length"]),
    ("toi_da", &["max_length"]),
    ("tre", &["late"]),
    ("cho", &["wait_up_to"]),
    ("trang", &["page"]),
    ("trang_web", &["page"]),
    ("nhat_ky", &["log"]),
    ("giu", &["keep"]),
    ("dong_ho", &["time"]),
    ("gio_he_thong", &["time"]),
    ("cuc_bo", &["local"]),
    ("tiep_song", &["slots"]),
];

/// The English key for a Vietnamese one, or the same without marks.
pub fn english_key(written: &str) -> String {
    let folded = fold(written);
    match VIETNAMESE.iter().find(|(vi, _)| *vi == folded) {
        Some((_, keys)) => keys[0].to_owned(),
        None => folded,
    }
}

/// The key of a table that somebody meant by another spelling.
fn keys_meant<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let folded = fold(written);
    if let Some(same) = known.iter().find(|k| **k == folded) {
        return Some(same);
    }
    let of_meaning = VIETNAMESE
        .iter()
        .find(|(vi, _)| *vi == folded)
        .and_then(|(_, keys)| keys.iter().find_map(|k| known.iter().find(|known| *known == k)));
    of_meaning.copied().or_else(|| nearest(&folded, known.iter().copied()))
}

/// Keys and the tables they belong to, for those that end up under another header.
const HOMES: &[(&str, &str)] = &[
    ("timezone", "[station]"),
    ("language", "[station]"),
    ("device_id", "[station]"),
    ("clusters", "[station]"),
    ("speakers", "[station]"),
    ("dir", "[state]"),
    ("clips_quota", "[state]"),
    ("keep_aired", "[state]"),
    ("origin", "[[source]]"),
    ("url", "[[source]]"),
    ("public_keys", "[[source]]"),
    ("root_keys", "[[source]]"),
    ("threshold", "[[source]]"),
    ("poll", "[[source]]"),
    ("playlist", "[local]"),
    ("device", "[output]"),
    ("pre_roll", "[output]"),
    ("on_start", "[output]"),
    ("on_stop", "[output]"),
    ("shorter_by", "[quiet_hours]"),
    ("trust", "[time]"),
    ("hold", "[time]"),
    ("hosts", "[page]"),
    ("listen", "[page]"),
    ("keep", "[log]"),
    ("source", ""),
    ("groups", ""),
    ("doc_number", "[[campaigns]]"),
    ("doc_date", "[[campaigns]]"),
    ("topics", "[[campaigns]]"),
    ("min_per_day", "[[campaigns]]"),
    ("file", "[[clips]]"),
    ("topic", "[[clips]]"),
    ("campaign", "[[clips]]"),
    ("approved_by", "[[clips]]"),
    ("approved_at", "[[clips]]"),
    ("approved_doc", "[[clips]]"),
    ("sessions_per_day", "[[offers]]"),
    ("at", "[[slots]]"),
    ("cron", "[[slots]]"),
    ("late", "[[slots]]"),
    ("wait_up_to", "[[slots]]"),
    ("max_length", "[[slots]]"),
    ("resume", "[[slots]]"),
    ("length", "[[slots]]"),
    ("skip", "[[special_days]]"),
    ("repeat", "[[emergencies]]"),
    ("gap", "[[emergencies]]"),
    ("every", "[[emergencies]]"),
];

fn home_of(key: &str, place: &str) -> Option<&'static str> {
    HOMES.iter().find(|(k, home)| *k == key && *home != place).map(|(_, home)| *home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_for_a_time_is_understood() {
        for (written, meant) in [
            ("5h30", "05:30"),
            ("17 15", "17:15"),
            ("17.15", "17:15"),
            ("17h", "17:00"),
            ("24:00", "00:00"),
            ("1715", "17:15"),
            ("5h30 chiều", "17:30"),
            ("5 giờ 30", "05:30"),
        ] {
            assert_eq!(time_guess(written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(time_guess("25:00"), None);
    }

    #[test]
    fn what_people_write_for_days_dates_and_lengths_is_understood() {
        assert_eq!(days_guess("2-6").as_deref(), Some("T2-T6"));
        assert_eq!(days_guess("thứ 2, thứ Tư").as_deref(), Some("T2,T4"));
        assert_eq!(days_guess("Chủ nhật").as_deref(), Some("CN"));
        assert_eq!(days_guess("hàng ngày"), None);
        assert_eq!(date_guess("01/10/2022").unwrap().to_string(), "2022-10-01");
        assert_eq!(date_guess("2022-10-1").unwrap().to_string(), "2022-10-01");
        assert_eq!(date_guess("31/02/2022"), None);
        assert_eq!(duration_guess("90").as_deref(), Some("90s"));
        assert_eq!(duration_guess("5 phút").as_deref(), Some("5m"));
        assert_eq!(duration_guess("1 giờ 30 phút").as_deref(), Some("1h30m"));
    }

    #[test]
    fn keys_in_vietnamese_find_their_english_one() {
        assert_eq!(keys_meant("gio_yen_lang", &["station", "quiet_hours"]), Some("quiet_hours"));
        assert_eq!(keys_meant("Giờ yên lặng", &["station", "quiet_hours"]), Some("quiet_hours"));
        assert_eq!(keys_meant("approvedby", &["approved_by", "approved_at"]), Some("approved_by"));
        assert_eq!(keys_meant("zzz", &["approved_by"]), None);
    }

    #[test]
    fn every_vietnamese_key_is_written_as_fold_writes_it() {
        for (vi, _) in VIETNAMESE {
            assert_eq!(fold(vi), *vi);
        }
    }

    #[test]
    fn file_names_are_found_whichever_way_their_marks_are_stored() {
        let (joined, apart) = ("bản tin.mp3".nfc().collect::<String>(), "bản tin.mp3".nfd().collect::<String>());
        assert_ne!(joined, apart);
        assert_eq!(match_name(["x.mp3", &apart], &joined), Some(apart.as_str()));
        assert_eq!(match_name([joined.as_str()], &apart), Some(joined.as_str()));
        assert_eq!(match_name([apart.as_str(), &joined], &joined), Some(joined.as_str()));
        assert_eq!(match_name(["ban tin.mp3"], &joined), None);
    }

    #[test]
    fn paths_stay_inside() {
        for good in ["a.mp3", "tin/a b.mp3", "bản tin.mp3", "clips/ab.ogg"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/a", "../a", "a/../b", "a//b", "C:\\a", "a\\b", "./a", "a\0b", "nul:x"] {
            assert!(!is_inside(bad), "{bad}");
        }
    }

    #[test]
    fn sizes_name_their_unit() {
        assert_eq!(parse_size("4GB"), Some(4_000_000_000));
        assert_eq!(parse_size("1.5 GiB"), Some(1_610_612_736));
        assert_eq!(parse_size("4"), None);
    }
}
