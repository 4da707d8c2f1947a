//! Rows from one log or from the exports of several boxes, made ready for reports: proved, each taken once, those
//! that do not count left out and named.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Summary, output_counts};
use crate::domain::airing::{Kind, Outcome, Reason, hex, legal};
use crate::domain::chain::{Checker, Row, Scratch, examine};
use crate::domain::config::Origin;
use crate::domain::playlist::ClipKind;
use crate::domain::time::Wall;

/// One device's airing, as its row says. Words that rows repeat are kept once.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Number in its chain.
    pub seq: u64,
    /// The chain.
    pub log_id: Arc<str>,
    /// The box.
    pub device_id: Arc<str>,
    /// The airing.
    pub airing_id: Arc<str>,
    /// What made it happen.
    pub kind: Kind,
    /// Where the clip comes from; of a relay the session's source.
    pub source: Arc<str>,
    /// Level of that source.
    pub origin: Option<Origin>,
    /// The session, `slot_source/slot/session start`; none for what was played by hand.
    pub session: Option<Arc<str>>,
    /// The session's name for people.
    pub slot_name: Arc<str>,
    /// Plain clip id.
    pub clip_id: Option<Arc<str>>,
    /// Title; of a relay the session's name.
    pub title: Arc<str>,
    /// What the clip is; none for a relay.
    pub clip_kind: Option<ClipKind>,
    /// `SOURCE/ID`
    pub campaign_id: Option<Arc<str>>,
    /// `SOURCE/ID`
    pub topic_id: Option<Arc<str>>,
    /// The campaign's document.
    pub doc_number: Option<Arc<str>>,
    /// Who approved it.
    pub approved_by: Option<Arc<str>>,
    /// When it was to sound.
    pub planned_at: Wall,
    /// When its first sample sounded.
    pub started_at: Option<Wall>,
    /// When its last accepted sample had sounded.
    pub ended_at: Option<Wall>,
    /// Length of the clip, milliseconds.
    pub clip_ms: Option<i64>,
    /// How much sounded, milliseconds; after a power cut a lower bound.
    pub played_ms: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// When the row was written.
    pub recorded_at: Option<Wall>,
}

impl Line {
    /// Reads a row. None when it is no airing, or outcome and reason may not stand together.
    fn of(row: &Row<'_>, words: &mut Words) -> Option<Line> {
        let mut text = |key: &str| row.text(key).map(|t| words.keep(&t));
        let outcome = row.outcome()?;
        let reason = row.reason();
        if !legal(outcome, reason) {
            return None;
        }
        let kind = match row.text("kind")?.as_ref() {
            "manual" => Kind::Manual,
            "emergency" => Kind::Emergency,
            "relay" => Kind::Relay,
            _ => Kind::Scheduled,
        };
        let airing_id = row.text("airing_id")?;
        let slot_name = text("slot_name").unwrap_or_default();
        Some(Line {
            seq: row.seq().unwrap_or(0),
            log_id: text("log_id").unwrap_or_default(),
            device_id: text("device_id")?,
            source: text("source").or_else(|| text("slot_source")).unwrap_or_default(),
            origin: row.text("origin").and_then(|o| Origin::ALL.into_iter().find(|x| x.key() == o)),
            clip_id: text("clip_id"),
            title: text("title").unwrap_or_else(|| slot_name.clone()),
            clip_kind: row.text("clip_kind").and_then(|k| ClipKind::ALL.into_iter().find(|x| x.key() == k)),
            campaign_id: text("campaign_id"),
            topic_id: text("topic_id"),
            doc_number: text("doc_number"),
            approved_by: text("approved_by"),
            planned_at: row.time("planned_at")?,
            started_at: row.time("started_at"),
            ended_at: row.time("ended_at"),
            clip_ms: row.int("clip_ms"),
            played_ms: row.int("played_ms").unwrap_or(0),
            recorded_at: row.time("recorded_at"),
            session: match kind {
                Kind::Manual => None,
                _ => airing_id.rsplit_once('/').map(|(session, _)| words.keep(session)),
            },
            airing_id: (&*airing_id).into(),
            kind,
            slot_name,
            outcome,
            reason,
        })
    }

    /// What tells the station's airings apart: the same item of the same session on two boxes is one airing, but what
    /// was played by hand is each box's own.
    fn key(&self) -> (&str, &str, &str) {
        match self.kind {
            Kind::Manual => (&self.device_id, &self.log_id, &self.airing_id),
            _ => ("", "", &self.airing_id),
        }
    }
}

/// Words, each kept once however many rows say it.
#[derive(Default)]
pub(super) struct Words(HashSet<Arc<str>>);

impl Words {
    pub(super) fn keep(&mut self, word: &str) -> Arc<str> {
        match self.0.get(word) {
            Some(known) => known.clone(),
            None => {
                let word: Arc<str> = word.into();
                self.0.insert(word.clone());
                word
            }
        }
    }
}

/// An event's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// Its key, as `list_in_force`.
    pub event: String,
    /// When.
    pub at: Wall,
    /// Who.
    pub by: Option<String>,
    /// More.
    pub detail: Map<String, Value>,
    /// The box.
    pub device_id: String,
}

/// When a box was off.
#[derive(Clone, Debug, PartialEq)]
pub struct Away {
    /// The box.
    pub device_id: String,
    /// The last sign of life before.
    pub from: Wall,
    /// The start after.
    pub to: Wall,
    /// Whether it said farewell: then `from` is exact.
    pub farewell: bool,
}

/// How far the rows of one log are proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Every row from the first to the last is there, unchanged.
    Whole,
    /// Each row is unchanged; whether all are there cannot be told (an export without `--chain`).
    EachRow,
    /// So many findings.
    Broken(u64),
}

/// One log among those a report is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFacts {
    /// The file it was read from, or empty for this box's own.
    pub file: String,
    /// The box.
    pub device_id: String,
    /// The log.
    pub log_id: String,
    /// Rows read.
    pub rows: u64,
    /// The first and last number.
    pub numbers: Option<(u64, u64)>,
    /// Hash of the last row, hexadecimal.
    pub head: Option<String>,
    /// How far it is proved.
    pub proof: Proof,
    /// The first and last moment a row was written.
    pub written: Option<(Wall, Wall)>,
}

/// Something a report must say about where its rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// Two rows of one number of one log differ; neither counts.
    Conflict {
        /// The box.
        device_id: String,
        /// The number.
        seq: u64,
    },
    /// A file is not whole, or rows were changed.
    Broken {
        /// The file, or empty for this box's own log.
        file: String,
        /// How many findings.
        findings: u64,
        /// Number of the first row that breaks a rule.
        first: Option<u64>,
    },
    /// Numbers are missing inside a log that came in several files.
    Hole {
        /// The box.
        device_id: String,
        /// First and last number missing.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A box of the station has no rows here.
    Missing {
        /// The box.
        device_id: String,
    },
    /// A box has no rows before or after a moment, while the report goes on.
    Short {
        /// The box.
        device_id: String,
        /// From here.
        from: Wall,
        /// To here.
        to: Wall,
    },
    /// Rows of another station were left out.
    OtherStation {
        /// The file.
        file: String,
        /// The other station's id.
        station_id: String,
    },
}

/// Everything a report is made from.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The airings that count, by planned time.
    pub lines: Vec<Arc<Line>>,
    /// The events, by time.
    pub happenings: Vec<Happening>,
    /// When boxes were off.
    pub away: Vec<Away>,
    /// The logs.
    pub logs: Vec<LogFacts>,
    /// What must be said.
    pub troubles: Vec<Trouble>,
    /// Rows that were in two files and counted once.
    pub dropped: u64,
    /// Airings left out because of their output (invariant 5).
    pub not_counted: u64,
}

/// Takes rows in and hands them over as [`Gathered`].
pub struct Gatherer {
    trial: bool,
    station_id: Option<String>,
    /// Of each log, half of each row's hash: a few megabytes for a hundred thousand rows.
    seen: HashMap<Arc<str>, HashMap<u64, [u8; 16]>>,
    conflicts: BTreeMap<(Arc<str>, u64), String>,
    numbers: BTreeMap<(String, String), Vec<(u64, u64)>>,
    lives: BTreeMap<String, Vec<(u64, Wall, bool)>>,
    stops: Vec<(String, Wall, Wall)>,
    lines: Vec<Arc<Line>>,
    words: Words,
    happenings: Vec<Happening>,
    gathered: Gathered,
    scratch: Scratch,
}

/// One file or log while it is read.
pub struct Feed {
    file: String,
    checker: Checker,
    chain: bool,
    facts: Option<LogFacts>,
    strange: HashSet<String>,
}

impl Gatherer {
    /// `trial` counts every output. With a station's id the rows of others are left out.
    pub fn new(trial: bool, station_id: Option<&str>) -> Gatherer {
        Gatherer {
            trial,
            station_id: station_id.map(str::to_owned),
            seen: HashMap::new(),
            conflicts: BTreeMap::new(),
            numbers: BTreeMap::new(),
            lives: BTreeMap::new(),
            stops: Vec::new(),
            lines: Vec::new(),
            words: Words::default(),
            happenings: Vec::new(),
            gathered: Gathered::default(),
            scratch: Scratch::default(),
        }
    }

    /// Begins a file, by name, or this box's own log with an empty name. `chain`: it claims to hold every row.
    pub fn begin(&self, file: &str, chain: bool) -> Feed {
        let strange = HashSet::new();
        Feed { file: file.to_owned(), checker: Checker::new(chain), chain, facts: None, strange }
    }

    /// Takes a row's text.
    pub fn take(&mut self, feed: &mut Feed, text: &str) {
        let examined = examine(text, None, &mut self.scratch);
        let unbroken = examined.is_unbroken();
        feed.checker.take(examined);
        let Some(row) = Row::parse(text) else { return };
        let (Some(seq), Some(hash), Some(log_id), Some(device_id)) =
            (row.seq(), row.hash("hash"), row.text("log_id"), row.text("device_id"))
        else {
            return;
        };
        let (log_id, device_id) = (log_id.into_owned(), device_id.into_owned());
        if let (Some(wanted), Some(found)) = (&self.station_id, row.text("station_id"))
            && *wanted != *found
        {
            if feed.strange.insert(found.to_string()) {
                let trouble = Trouble::OtherStation { file: feed.file.clone(), station_id: found.into_owned() };
                self.gathered.troubles.push(trouble);
            }
            return;
        }
        let recorded = row.time("recorded_at");
        let facts = feed.facts.get_or_insert_with(|| LogFacts {
            file: feed.file.clone(),
            device_id: device_id.clone(),
            log_id: log_id.clone(),
            rows: 0,
            numbers: None,
            head: None,
            proof: Proof::EachRow,
            written: None,
        });
        facts.rows += 1;
        facts.numbers = Some(facts.numbers.map_or((seq, seq), |(a, b)| (a.min(seq), b.max(seq))));
        facts.head = Some(hex(&hash));
        if let Some(at) = recorded {
            facts.written = Some(facts.written.map_or((at, at), |(a, b)| (a.min(at), b.max(at))));
        }
        // A changed row is a finding already; it proves nothing and counts for nothing.
        if !unbroken {
            return;
        }
        let half: [u8; 16] = std::array::from_fn(|i| hash[i]);
        let log_id = self.words.keep(&log_id);
        match self.seen.entry(log_id.clone()).or_default().entry(seq) {
            hash_map::Entry::Occupied(known) if *known.get() == half => {
                self.gathered.dropped += 1;
                return;
            }
            hash_map::Entry::Occupied(_) => {
                self.conflicts.insert((log_id, seq), device_id);
                return;
            }
            hash_map::Entry::Vacant(place) => {
                place.insert(half);
            }
        }
        self.sort_in(&row, seq, log_id, device_id, recorded);
    }

    fn sort_in(&mut self, row: &Row<'_>, seq: u64, log_id: Arc<str>, device_id: String, recorded: Option<Wall>) {
        let row_type = row.text("type").unwrap_or_default();
        if let Some(at) = recorded {
            let event = if row_type == "event" { row.text("event") } else { None };
            let is = |name: &str| event.as_deref() == Some(name);
            let (started, farewell) = (is("start"), is("shutdown"));
            let life = self.lives.entry(device_id.clone()).or_default();
            match life.last_mut() {
                // Somebody may write a note while the box does nothing: no sign of life.
                Some(last) if is("note") => last.0 = seq,
                _ => life.push((seq, at, farewell)),
            }
            if started {
                let before = life.iter().rev().skip(1).find(|(s, ..)| *s + 1 == seq).copied();
                if let (Some((_, from, farewell)), Some(to)) = (before, row.time("at")) {
                    let away = Away { device_id: device_id.clone(), from, to: to.max(from), farewell };
                    self.gathered.away.push(away);
                }
            }
        }
        match &*row_type {
            "airing" => {
                if !output_counts(&row.text("output").unwrap_or_default(), self.trial) {
                    self.gathered.not_counted += 1;
                } else if let Some(line) = Line::of(row, &mut self.words) {
                    // A clip cut by the outage sounded later than the last row before it was written.
                    if let (Some(Reason::PowerOff | Reason::Crashed), Some(ended), Some(recorded)) =
                        (line.reason, line.ended_at, recorded)
                    {
                        self.stops.push((device_id, ended, recorded));
                    }
                    self.lines.push(Arc::new(Line { log_id, ..line }));
                }
            }
            "event" => {
                let detail = row.raw("detail").and_then(|d| serde_json::from_str(d).ok()).unwrap_or_default();
                if let (Some(event), Some(at)) = (row.text("event"), row.time("at")) {
                    let by = row.text("by").map(|b| b.into_owned());
                    self.happenings.push(Happening { event: event.into_owned(), at, by, detail, device_id });
                }
            }
            _ => {}
        }
    }

    /// Ends a file. `summary` is its last line, and whether that is as it was written.
    pub fn end(&mut self, feed: Feed, summary: Option<(&Summary, bool)>) {
        let tally = feed.checker.tally().clone();
        let open: Vec<String> = summary.map(|(s, _)| s.open_sessions.clone()).unwrap_or_default();
        let verdict = feed.checker.finish(open.iter().map(String::as_str));
        let mut findings = verdict.broken;
        if let Some((summary, unchanged)) = summary {
            let agrees = unchanged
                && summary.count == tally.rows
                && summary.last_seq == tally.last_seq
                && summary.head == tally.head.map(|h| hex(&h));
            findings += u64::from(!agrees);
        }
        if findings > 0 {
            let first = verdict.breaks.first().map(|b| b.seq);
            self.gathered.troubles.push(Trouble::Broken { file: feed.file.clone(), findings, first });
        }
        if let Some(mut facts) = feed.facts {
            facts.proof = match findings {
                0 if feed.chain => Proof::Whole,
                0 => Proof::EachRow,
                n => Proof::Broken(n),
            };
            if feed.chain
                && let Some(numbers) = facts.numbers
            {
                self.numbers.entry((facts.device_id.clone(), facts.log_id.clone())).or_default().push(numbers);
            }
            self.gathered.logs.push(facts);
        }
    }

    /// Ends a stretch of this box's own log, read from its database: rows before and after are there, but were not
    /// asked for, so plans without an outcome are no finding.
    pub fn end_of_own(&mut self, feed: Feed, head: Option<String>) {
        let (broken, first) = (feed.checker.broken(), feed.checker.first_break());
        if broken > 0 {
            self.gathered.troubles.push(Trouble::Broken { file: String::new(), findings: broken, first });
        }
        if let Some(mut facts) = feed.facts {
            facts.proof = if broken > 0 { Proof::Broken(broken) } else { Proof::EachRow };
            facts.head = head.or(facts.head);
            self.gathered.logs.push(facts);
        }
    }

    /// Everything taken in. `expected` are the boxes the station is known to have; of each box the rows should reach
    /// over `span`, as far as it lies before `now`.
    pub fn finish(mut self, expected: &[String], span: Option<(Wall, Wall)>, now: Wall) -> Gathered {
        let conflicts = std::mem::take(&mut self.conflicts);
        self.lines.retain(|l| !conflicts.contains_key(&(l.log_id.clone(), l.seq)));
        let found =
            conflicts.iter().map(|((_, seq), device)| Trouble::Conflict { device_id: device.clone(), seq: *seq });
        self.gathered.troubles.extend(found);
        for ((device_id, _), mut numbers) in std::mem::take(&mut self.numbers) {
            numbers.sort_unstable();
            let mut last = numbers.first().map_or(0, |(_, b)| *b);
            for (a, b) in numbers {
                if a > last + 1 {
                    self.gathered.troubles.push(Trouble::Hole {
                        device_id: device_id.clone(),
                        from: last + 1,
                        to: a - 1,
                    });
                }
                last = last.max(b);
            }
        }
        let mut reach: BTreeMap<String, (Wall, Wall)> = BTreeMap::new();
        for facts in self.gathered.logs.iter().filter(|f| !f.file.is_empty()) {
            if let Some((a, b)) = facts.written {
                let entry = reach.entry(facts.device_id.clone()).or_insert((a, b));
                *entry = (entry.0.min(a), entry.1.max(b));
            }
        }
        let from_files = self.gathered.logs.iter().any(|f| !f.file.is_empty());
        for device in expected.iter().filter(|_| from_files) {
            if !self.gathered.logs.iter().any(|f| f.device_id == *device) {
                self.gathered.troubles.push(Trouble::Missing { device_id: device.clone() });
            }
        }
        if let Some((from, to)) = span {
            // A day without a row is no gap: a box writes when it plays. More than that is told.
            const QUIET_MS: i64 = 36 * 3_600_000;
            let to = to.min(now);
            for (device_id, (first, last)) in reach {
                if first - from > QUIET_MS {
                    let until = first.min(to);
                    self.gathered.troubles.push(Trouble::Short { device_id: device_id.clone(), from, to: until });
                }
                if to - last > QUIET_MS {
                    self.gathered.troubles.push(Trouble::Short { device_id, from: last.max(from), to });
                }
            }
        }
        for away in &mut self.gathered.away {
            let later = self.stops.iter().filter(|(device, ended, recorded)| {
                *device == away.device_id && *recorded >= away.to && *ended > away.from && *ended <= away.to
            });
            if let Some(ended) = later.map(|(_, ended, _)| *ended).max() {
                away.from = ended;
            }
        }
        self.lines.sort_by(|a, b| {
            (a.planned_at, &a.airing_id, &a.device_id, a.seq).cmp(&(b.planned_at, &b.airing_id, &b.device_id, b.seq))
        });
        self.happenings.sort_by_key(|h| h.at);
        self.gathered.away.sort_by_key(|a| a.to);
        Gathered { lines: self.lines, happenings: self.happenings, ..self.gathered }
    }
}

/// One airing of the station: the rows of its boxes for one item.
#[derive(Clone, Debug, PartialEq)]
pub struct StationAiring {
    /// What counts: the best of its rows.
    pub best: Arc<Line>,
    /// Every box's row, the best first.
    pub all: Vec<Arc<Line>>,
}

/// How good an outcome is for the station: the more was heard the better.
fn rank(outcome: Outcome) -> usize {
    Outcome::ALL.into_iter().position(|o| o == outcome).unwrap_or(usize::MAX)
}

/// Joins the boxes' rows: a station's airing counts once when at least one of its devices aired it. In the order of
/// planned times.
pub fn station_airings(lines: &[Arc<Line>]) -> Vec<StationAiring> {
    let mut places: HashMap<(&str, &str, &str), usize> = HashMap::new();
    let mut out: Vec<StationAiring> = Vec::new();
    for line in lines {
        match places.get(&line.key()) {
            Some(place) => out[*place].all.push(line.clone()),
            None => {
                places.insert(line.key(), out.len());
                out.push(StationAiring { best: line.clone(), all: vec![line.clone()] });
            }
        }
    }
    for airing in &mut out {
        airing.all.sort_by_key(|l| (rank(l.outcome), std::cmp::Reverse(l.played_ms), l.device_id.clone()));
        airing.best = airing.all[0].clone();
    }
    out
}
