//! Reads a table key by key and collects every mistake at once: what is missing, of the wrong kind, unknown or in
//! the wrong place, each with what to write instead.

mod guess;
mod names;
mod notes;
mod value;
mod vietnamese;

use std::sync::Arc;

use chrono::NaiveDate;

pub use self::guess::{date_guess, days_guess, duration_guess, duration_text, parse_date, parse_time, time_guess};
pub use self::names::{Ids, fold, is_inside, match_name, nearest, read_id};
pub use self::notes::Notes;
pub use self::value::Held;
pub use self::vietnamese::english_key;
use self::vietnamese::{home_of, keys_meant};
use crate::domain::document::{Node, Table, Value};
use crate::domain::findings::Finding;
use crate::domain::playlist::{Dates, Span};
use crate::domain::text::Text;
use crate::domain::time::Window;

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
