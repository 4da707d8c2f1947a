//! One value under a key: read as what the key wants, or found wrong with what to write in its place.

use chrono::{NaiveDate, NaiveTime};

use super::guess::{
    date_guess, days_guess, duration_guess, duration_text, parse_date, parse_local, parse_size, parse_time, time_guess,
};
use super::names::nearest;
use super::{Notes, fold, read_id};
use crate::domain::document::{Node, Value};
use crate::domain::findings::Finding;
use crate::domain::playlist::{Ref, Span};
use crate::domain::text::Text;
use crate::domain::time::{Days, Wall, parse_duration_ms};

/// A value that stands under a key.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    /// The key.
    pub key: &'static str,
    /// The value and its place.
    pub node: &'a Node,
}

impl<'a> Held<'a> {
    /// The value's place.
    pub fn span(&self) -> Span {
        self.node.span.clone()
    }

    pub(super) fn wrong(&self, text: Text, write: &str) -> Finding {
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
    pub(super) fn words(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) | Value::Moment(text) => Some(text.trim()),
            _ => None,
        }
    }

    pub(super) fn written(&self) -> String {
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
