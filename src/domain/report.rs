//! Rows for people: CSV with Vietnamese headings, JSON lines, totals. Streaming: one row at a time, into any
//! writer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use serde_json::json;

use crate::domain::airing::{Airing, Outcome, hash_of, hex, legal};
use crate::domain::chain::{Row, Scratch};
use crate::domain::config::Language;
use crate::domain::playlist::{ClipKind, Priority};
use crate::domain::text::{Text, clip_kind_words, outcome_word, priority_words, reason_words};
use crate::domain::time::{Wall, Zone};

pub mod campaign;
pub mod diary;
pub mod docx;
pub mod gather;
pub mod html;
pub mod paper;
pub mod period;

/// Which rows of the log are wanted. The default is every airing.
#[derive(Clone, Debug, Default)]
pub struct RowFilter {
    /// Planned at or after.
    pub from: Option<Wall>,
    /// Planned before.
    pub to: Option<Wall>,
    /// `SOURCE/ID`, or a plain id of any source.
    pub campaign: Option<String>,
    /// `SOURCE/ID` by the session's source, or a plain id of any.
    pub slot: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Where the clip comes from.
    pub source: Option<String>,
    /// Session and event rows as well. Then `from` and `to` choose the first and the last row, and every row
    /// between them belongs to it: a chain has no holes.
    pub every_type: bool,
    /// Numbers, both ends included.
    pub numbers: Option<(u64, u64)>,
}

impl RowFilter {
    /// Whether the row's text must be looked at to answer.
    pub fn looks_inside(&self) -> bool {
        self.campaign.is_some() || self.slot.is_some() || self.outcome.is_some() || self.source.is_some()
    }

    /// Whether a row is wanted, as far as its text tells; times and numbers are chosen by the database.
    pub fn passes(&self, row: &Row<'_>) -> bool {
        let is = |wanted: &Option<String>, key: &str| {
            wanted.as_ref().is_none_or(|w| row.text(key).is_some_and(|v| v == w.as_str()))
        };
        let campaign = self.campaign.as_ref().is_none_or(|wanted| {
            row.text("campaign_id").is_some_and(|id| {
                id == wanted.as_str() || (!wanted.contains('/') && id.split_once('/').is_some_and(|(_, i)| i == wanted))
            })
        });
        let slot = match self.slot.as_ref().map(|s| s.split_once('/')) {
            None => true,
            Some(None) => is(&self.slot, "slot_id"),
            Some(Some((source, id))) => {
                is(&Some(source.to_owned()), "slot_source") && is(&Some(id.to_owned()), "slot_id")
            }
        };
        campaign && slot && is(&self.source, "source") && self.outcome.is_none_or(|o| row.outcome() == Some(o))
    }
}

/// Whether rows of an output count in totals and quotas (invariant 5). A trial counts them all.
pub fn output_counts(output: &str, trial: bool) -> bool {
    trial || !(output == "null" || output == "simulation" || output.starts_with("wav:"))
}

/// How a table is written.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Of headings and words.
    pub language: Language,
    /// Between two cells.
    pub separator: u8,
    /// Of dates and times.
    pub zone: Zone,
}

impl Format {
    /// Vietnamese: `;` and a decimal comma, as Excel in Viet Nam reads it. English: `,` and a point.
    pub fn of(language: Language, zone: Zone) -> Format {
        let separator = match language {
            Language::Vi => b';',
            Language::En => b',',
        };
        Format { language, separator, zone }
    }

    /// A length in seconds, to the millisecond, without noughts at the end.
    pub fn seconds(&self, ms: i64) -> String {
        let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
        let mut out = format!("{sign}{}", ms / 1000);
        if ms % 1000 != 0 {
            let comma = match self.language {
                Language::Vi => ',',
                Language::En => '.',
            };
            out.push_str(format!("{comma}{:03}", ms % 1000).trim_end_matches('0'));
        }
        out
    }
}

/// The headings of the log for people, in their order.
pub fn headings(language: Language) -> [&'static str; 20] {
    match language {
        Language::Vi => [
            "STT",
            "Ngày",
            "Buổi phát",
            "Giờ theo lịch",
            "Giờ bắt đầu",
            "Giờ kết thúc",
            "Mã bài",
            "Tiêu đề",
            "Loại bài",
            "Mức ưu tiên",
            "Đợt tuyên truyền",
            "Chủ đề",
            "Số, ký hiệu văn bản",
            "Thời lượng (giây)",
            "Thời gian đã phát (giây)",
            "Kết quả",
            "Lý do",
            "Mã thiết bị",
            "Đơn vị gửi",
            "Người duyệt",
        ],
        Language::En => [
            "No.",
            "Date",
            "Session",
            "Planned",
            "Started",
            "Ended",
            "Clip",
            "Title",
            "Kind",
            "Priority",
            "Campaign",
            "Topic",
            "Document",
            "Length (s)",
            "Played (s)",
            "Outcome",
            "Reason",
            "Device",
            "Source",
            "Approved by",
        ],
    }
}

/// A cell that a spreadsheet must not take for a formula: one that begins like one gets an apostrophe in front.
/// A plain negative number is left alone.
pub fn guarded(cell: Cow<'_, str>) -> Cow<'_, str> {
    let Some(first) = cell.chars().next() else { return cell };
    let formula = match first {
        '=' | '+' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠' => true,
        '-' => {
            let digits = &cell[1..];
            let mut parts = digits.splitn(2, [',', '.']);
            let number = |p: Option<&str>| p.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
            digits.is_empty() || !(number(parts.next()) && number(parts.next()))
        }
        _ => false,
    };
    if formula { format!("'{cell}").into() } else { cell }
}

/// Airings as CSV: UTF-8 with a byte order mark, one line each, numbered from 1.
pub struct CsvSheet<W: io::Write> {
    out: csv::Writer<W>,
    format: Format,
    lines: u64,
    day: Option<(chrono::NaiveDate, String)>,
}

impl<W: io::Write> CsvSheet<W> {
    /// Begins a sheet with its headings.
    pub fn new(mut out: W, format: Format) -> io::Result<CsvSheet<W>> {
        out.write_all("\u{feff}".as_bytes())?;
        let mut out = csv::WriterBuilder::new()
            .delimiter(format.separator)
            .terminator(csv::Terminator::CRLF)
            .buffer_capacity(64 * 1024)
            .from_writer(out);
        out.write_record(headings(format.language)).map_err(plain_io)?;
        Ok(CsvSheet { out, format, lines: 0, day: None })
    }

    /// Adds an airing that was not written to a log, as `simulate` makes them.
    pub fn airing(&mut self, airing: &Airing) -> io::Result<()> {
        let text = serde_json::to_string(airing).map_err(io::Error::other)?;
        let row = Row::parse(&text).ok_or_else(|| io::Error::other("an airing does not read back"))?;
        self.row(&row)
    }

    /// Adds an airing's row.
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.lines += 1;
        for cell in cells(row, self.lines, &self.format, &mut self.day) {
            self.out.write_field(guarded(cell).as_bytes()).map_err(plain_io)?;
        }
        self.out.write_record(None::<&[u8]>).map_err(plain_io)
    }

    /// Writes what is still held and gives the writer back.
    pub fn finish(self) -> io::Result<W> {
        self.out.into_inner().map_err(|e| e.into_error())
    }
}

/// A row as the cells under [`headings`]. `day` keeps the last date as text: most rows have the same one.
pub(crate) fn cells<'r>(
    row: &Row<'r>,
    number: u64,
    format: &Format,
    day: &mut Option<(chrono::NaiveDate, String)>,
) -> [Cow<'r, str>; 20] {
    let language = format.language;
    let planned = row.time("planned_at").map(|t| format.zone.local(t));
    let date = planned.map_or(String::new(), |p| {
        let date = p.date();
        match day {
            Some((known, text)) if *known == date => text.clone(),
            _ => day.insert((date, date.format("%d/%m/%Y").to_string())).1.clone(),
        }
    });
    let time = |key: &str| row.time(key).map_or(String::new(), |t| clock_text(format.zone.local(t)));
    let text = |key: &str| row.text(key).unwrap_or_default();
    let seconds = |key: &str| row.int(key).map_or(String::new(), |ms| format.seconds(ms));
    let outcome = row.outcome().map_or_else(|| text("outcome"), |o| outcome_word(o, language).into());
    let reason = row.reason().map_or_else(|| text("reason"), |r| reason_words(r, language).into());
    [
        number.to_string().into(),
        date.into(),
        text("slot_name"),
        planned.map_or(String::new(), clock_text).into(),
        time("started_at").into(),
        time("ended_at").into(),
        text("clip_id"),
        text("title"),
        kind_cell(row, language),
        priority_cell(row, language),
        text("campaign_id"),
        text("topic_id"),
        text("doc_number"),
        seconds("clip_ms").into(),
        seconds("played_ms").into(),
        outcome,
        reason,
        text("device_id"),
        text("source"),
        text("approved_by"),
    ]
}

fn kind_cell<'r>(row: &Row<'r>, language: Language) -> Cow<'r, str> {
    let relay = row.text("kind").is_some_and(|k| k == "relay");
    match row.text("clip_kind") {
        Some(key) => {
            ClipKind::ALL.into_iter().find(|k| k.key() == key).map_or(key, |k| clip_kind_words(k, language).into())
        }
        None if relay => Text::RelayKind {}.say(language).into(),
        None => "".into(),
    }
}

fn priority_cell<'r>(row: &Row<'r>, language: Language) -> Cow<'r, str> {
    row.text("priority").map_or("".into(), |key| {
        let known =
            [(Priority::Normal, "normal"), (Priority::Priority, "priority"), (Priority::Emergency, "emergency")];
        known.into_iter().find(|(_, k)| *k == key).map_or(key, |(p, _)| priority_words(p, language).into())
    })
}

/// `05:35:35`
fn clock_text(local: chrono::NaiveDateTime) -> String {
    use chrono::Timelike;
    format!("{:02}:{:02}:{:02}", local.hour(), local.minute(), local.second())
}

/// The error under a CSV error, so that a broken pipe stays one.
fn plain_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(io) => io,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// The last line of `export --chain`: by it `verify` proves that the file is whole.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// Always `summary`.
    #[serde(rename = "type")]
    pub row_type: String,
    /// Rows before this line.
    pub count: u64,
    /// Number of the first; null when there is none.
    pub first_seq: Option<u64>,
    /// Number of the last.
    pub last_seq: Option<u64>,
    /// Hash of the last.
    pub head: Option<String>,
    /// When the export was made.
    pub made_at: String,
    /// Made with the database.
    pub log_id: String,
    /// Sessions that were not over (`slot_source/slot/session start`): their items may lack an outcome.
    #[serde(default)]
    pub open_sessions: Vec<String>,
    /// Hash of this line, made as a row's: the line hangs on `head` as the next row would.
    #[serde(default)]
    pub hash: String,
}

impl Summary {
    /// A summary in the order of its fields.
    pub fn line(&self) -> String {
        json!(self).to_string()
    }

    /// Reads a line; none when it is no summary.
    pub fn read(line: &str) -> Option<Summary> {
        serde_json::from_str::<Summary>(line).ok().filter(|s| s.row_type == "summary")
    }

    /// Whether the line is the very one that was written.
    pub fn is_unchanged(line: &str) -> bool {
        let Some(row) = Row::parse(line) else { return false };
        let head = row.hash("head").unwrap_or_default();
        row.hash("hash").is_some_and(|hash| row.recomputed_hash(&head, &mut Scratch::default()) == Some(hash))
    }
}

/// Collects what a [`Summary`] says while rows go by.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    count: u64,
    first: Option<u64>,
    last: Option<u64>,
    head: Option<[u8; 32]>,
}

impl Counted {
    /// Counts a row.
    pub fn add(&mut self, seq: u64, row: &Row<'_>) {
        self.count += 1;
        self.first = self.first.or(Some(seq));
        self.last = Some(seq);
        self.head = row.hash("hash");
    }

    /// The summary of what was counted.
    pub fn summary(self, made_at: String, log_id: &str, open_sessions: Vec<String>) -> Summary {
        let mut summary = Summary {
            row_type: "summary".into(),
            count: self.count,
            first_seq: self.first,
            last_seq: self.last,
            head: self.head.map(|h| hex(&h)),
            made_at,
            log_id: log_id.to_owned(),
            open_sessions,
            hash: String::new(),
        };
        if let serde_json::Value::Object(mut line) = json!(summary) {
            line.shift_remove("hash");
            summary.hash = hex(&hash_of(&line, &self.head.unwrap_or_default()));
        }
        summary
    }
}

/// What one clip, topic or campaign comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Airings that count: `aired` to an output that counts.
    pub aired: u64,
    /// How long those sounded, milliseconds.
    pub aired_ms: i64,
    /// Airings that ended early, to an output that counts.
    pub cut: u64,
    /// How long those sounded, milliseconds; after a power cut a lower bound.
    pub cut_ms: i64,
    /// Airings that did not begin.
    pub not_begun: u64,
}

/// Totals over rows. Rows of output `null`, `wav:` and `simulation` count in none, but in a trial.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Whether every output counts.
    pub trial: bool,
    /// Everything together.
    pub all: Sum,
    /// By `SOURCE/ID` of the clip.
    pub clips: BTreeMap<String, Sum>,
    /// By `SOURCE/ID` of the campaign.
    pub campaigns: BTreeMap<String, Sum>,
    /// Sessions with an airing that counts, by `slot_source/slot/session start`.
    pub sessions: std::collections::BTreeSet<String>,
    /// Rows left out because of their output.
    pub not_counted: u64,
}

impl Totals {
    /// Totals; a trial counts every output.
    pub fn new(trial: bool) -> Totals {
        Totals { trial, ..Totals::default() }
    }

    /// Adds an airing that was not written to a log.
    pub fn airing(&mut self, airing: &Airing) {
        if let Ok(text) = serde_json::to_string(airing)
            && let Some(row) = Row::parse(&text)
        {
            self.row(&row);
        }
    }

    /// Adds an airing's row.
    pub fn row(&mut self, row: &Row<'_>) {
        let Some(outcome) = row.outcome() else { return };
        if !legal(outcome, row.reason()) || !output_counts(&row.text("output").unwrap_or_default(), self.trial) {
            self.not_counted += 1;
            return;
        }
        let played = row.int("played_ms").unwrap_or(0);
        let add = |sum: &mut Sum| match outcome {
            Outcome::Aired => {
                sum.aired += 1;
                sum.aired_ms += played;
            }
            Outcome::Partial | Outcome::Interrupted => {
                sum.cut += 1;
                sum.cut_ms += played;
            }
            Outcome::Missed | Outcome::Blocked | Outcome::Failed => sum.not_begun += 1,
            // A relay is another station's sound.
            Outcome::Relayed => {}
        };
        add(&mut self.all);
        if let (Some(source), Some(clip)) = (row.text("source"), row.text("clip_id")) {
            add(self.clips.entry(format!("{source}/{clip}")).or_default());
        }
        if let Some(campaign) = row.text("campaign_id") {
            add(self.campaigns.entry(campaign.into_owned()).or_default());
        }
        if outcome == Outcome::Aired
            && let Some((session, _)) = row.text("airing_id").as_deref().and_then(|id| id.rsplit_once('/'))
            && session != "manual"
        {
            self.sessions.insert(session.to_owned());
        }
    }
}
