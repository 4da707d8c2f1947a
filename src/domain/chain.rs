//! The chain read back: the rules that hold from row to row (invariants 1, 3, 5 and 6, rules R6 and R8).
//!
//! [`Row`] takes a row's text apart; [`examine`] looks at one row by itself and may run on any thread; [`Checker`]
//! takes what it found in order.

mod row;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::domain::airing::{Outcome, SessionRowItem, legal, unhex32};
use crate::domain::time::Wall;

pub use self::row::{Row, Scratch, canonical_text};

/// What of a row stands in columns of its own, so that it can be searched for. Derived from the row's text, so
/// that the two can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index<'a> {
    /// `airing`, `session` or `event`.
    pub row_type: Cow<'a, str>,
    /// Of an airing.
    pub airing_id: Option<Cow<'a, str>>,
    /// Of an event.
    pub event: Option<Cow<'a, str>>,
    /// An airing's planned time, a session's start, an event's time; milliseconds since 1970 UTC.
    pub planned_at_ms: Option<i64>,
    /// Of an airing or session; milliseconds since 1970 UTC.
    pub session_start_ms: Option<i64>,
}

impl<'a> Index<'a> {
    /// The columns of a row.
    pub fn of(row: &Row<'a>) -> Option<Index<'a>> {
        let row_type = row.text("type")?;
        let ms = |key| row.time(key).map(|t| t.0);
        let session_start_ms = ms("session_start");
        let planned_at_ms = match &*row_type {
            "airing" => ms("planned_at"),
            "session" => session_start_ms,
            _ => ms("at"),
        };
        let (airing_id, event) = match &*row_type {
            "airing" => (row.text("airing_id"), None),
            "event" => (None, row.text("event")),
            _ => (None, None),
        };
        Some(Index { row_type, airing_id, event, planned_at_ms, session_start_ms })
    }

    /// The same, hanging on no row.
    pub fn into_owned(self) -> Index<'static> {
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Index {
            row_type: own(self.row_type),
            airing_id: self.airing_id.map(own),
            event: self.event.map(own),
            planned_at_ms: self.planned_at_ms,
            session_start_ms: self.session_start_ms,
        }
    }
}

/// A rule that a row breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The text is not a row as loaxa writes it.
    Unreadable,
    /// A search column of the database says something else than the row.
    Column,
    /// Rows are missing before this one, or it stands out of order. The number that should have come.
    Number {
        /// The number that should have come.
        expected: u64,
    },
    /// The hash recomputed from the row is not the one it carries.
    Hash,
    /// The row does not hang on the one before.
    Link,
    /// The row belongs to another log.
    OtherLog,
    /// Outcome and reason may not stand together (rule R6).
    Pair,
    /// Times or lengths contradict the outcome (invariant 5, rule R7).
    Contradiction,
    /// This airing has had its outcome before (invariants 1 and 6).
    Twice,
    /// The session is over and this item of its plan has no outcome (invariant 1).
    NoOutcome {
        /// Place in the plan, from 1.
        item: usize,
    },
    /// The airing names another time or other audio than the plan that was fixed (invariant 6).
    OtherThanPlanned,
    /// The last row is not the one the log was left with: its tail was cut off.
    Tail,
}

/// One finding of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The row's number; in a text that cannot be read, the line of the file or the number in the database.
    pub seq: u64,
    /// What it breaks.
    pub rule: Rule,
}

/// A 128-bit stand-in for an id, so that a million of them fit into memory.
type Mark = [u64; 2];

/// The stand-in of an id.
fn mark(id: &str) -> Mark {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let word = |at: usize| digest[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    [word(0), word(8)]
}

/// An airing: its session's stand-in and its place in it. An id that does not end in a number stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    session: Mark,
    position: u64,
}

impl Place {
    fn of(id: &str) -> Place {
        let number = |text: &str| {
            let canonical = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|_| canonical)
        };
        match id.rsplit_once('/').and_then(|(session, n)| Some((session, number(n)?))) {
            Some((session, position)) => Place { session: mark(session), position },
            None => Place { session: mark(id), position: 0 },
        }
    }
}

/// The airings that have their row. A session's are bits of a word, so a million need a few megabytes.
#[derive(Default)]
struct Seen(HashMap<Mark, u64>);

impl Seen {
    fn at(place: &Place) -> (Mark, u64) {
        let [high, low] = place.session;
        ([high, low.wrapping_add(place.position / 64)], 1 << (place.position % 64))
    }

    fn contains(&self, place: &Place) -> bool {
        let (word, bit) = Seen::at(place);
        self.0.get(&word).is_some_and(|bits| bits & bit != 0)
    }

    /// Whether it is new.
    fn insert(&mut self, place: &Place) -> bool {
        let (word, bit) = Seen::at(place);
        let bits = self.0.entry(word).or_default();
        let new = *bits & bit == 0;
        *bits |= bit;
        new
    }
}

/// What one row says, looked at by itself.
#[derive(Debug)]
pub struct Examined {
    seq: Option<u64>,
    prev_hash: Option<[u8; 32]>,
    hash: Option<[u8; 32]>,
    log_id: Option<Mark>,
    /// The first rule that the row breaks by itself.
    broken: Option<Rule>,
    content: Content,
}

impl Examined {
    /// The hash of the row before, as it names it; none when it cannot be read.
    pub fn hangs_on(&self) -> Option<[u8; 32]> {
        self.prev_hash
    }

    /// Whether the row breaks no rule by itself.
    pub fn is_unbroken(&self) -> bool {
        self.broken.is_none()
    }
}

#[derive(Debug)]
enum Content {
    Airing { id: Place, planned_at: Option<Wall>, clip: Option<Mark> },
    Session(Vec<(Place, Option<Wall>, Option<Mark>)>),
    Repair(Lost),
    Prune(Pruned),
    Event,
    Nothing,
}

/// Rows that could not be kept while the log could not be written (invariant 2), as a `repair` row tells.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Default)]
pub struct Lost {
    /// How many airing rows.
    #[serde(default)]
    pub lost: u64,
    /// The earliest planned time among them.
    #[serde(default)]
    pub lost_from: Wall,
    /// The latest.
    #[serde(default)]
    pub lost_to: Wall,
    /// Numbers of rows that a damaged database lost, from and to, both included.
    #[serde(default)]
    pub missing: Vec<(u64, u64)>,
}

/// What a `prune` row says of the rows that were removed from the oldest end (invariant 3).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Pruned {
    /// Number of the last row removed.
    last_seq: u64,
    /// Its hash, in hexadecimal.
    last_hash: String,
}

/// Looks at one row by itself: reads it, recomputes its hash from the hash before that it names, compares the
/// columns kept beside it and its own figures.
pub fn examine(text: &str, columns: Option<(u64, &Index<'_>, &[u8])>, scratch: &mut Scratch) -> Examined {
    let unreadable = Examined {
        seq: columns.map(|(seq, ..)| seq),
        prev_hash: None,
        hash: None,
        log_id: None,
        broken: Some(Rule::Unreadable),
        content: Content::Nothing,
    };
    let Some(row) = Row::parse(text) else { return unreadable };
    let (Some(seq), Some(prev_hash), Some(hash), Some(index)) =
        (row.seq(), row.hash("prev_hash"), row.hash("hash"), Index::of(&row))
    else {
        return unreadable;
    };
    let broken = if row.recomputed_hash(&prev_hash, scratch) != Some(hash) {
        Some(Rule::Hash)
    } else if columns.is_some_and(|(s, i, h)| s != seq || *i != index || h != hash) {
        Some(Rule::Column)
    } else if index.row_type == "airing" {
        figures(&row)
    } else {
        None
    };
    let content = match &*index.row_type {
        "airing" => match &index.airing_id {
            Some(id) => Content::Airing {
                id: Place::of(id),
                planned_at: index.planned_at_ms.map(Wall),
                clip: row.text("clip_sha256").map(|s| mark(&s)),
            },
            None => Content::Nothing,
        },
        "session" => match serde_json::from_str::<Vec<SessionRowItem>>(row.raw("items").unwrap_or("")) {
            Ok(items) => Content::Session(
                items
                    .iter()
                    .map(|i| {
                        let clip = i.clip_sha256.as_deref().map(mark);
                        (Place::of(&i.airing_id), Wall::parse_rfc3339(&i.planned_at), clip)
                    })
                    .collect(),
            ),
            Err(_) => Content::Nothing,
        },
        "event" if index.event.as_deref() == Some("repair") => {
            Content::Repair(row.raw("detail").and_then(|d| serde_json::from_str(d).ok()).unwrap_or_default())
        }
        "event" if index.event.as_deref() == Some("prune") => {
            let pruned = row.raw("detail").and_then(|d| serde_json::from_str(d).ok());
            pruned.map_or(Content::Event, Content::Prune)
        }
        "event" => Content::Event,
        _ => Content::Nothing,
    };
    let broken = broken.or(matches!(content, Content::Nothing).then_some(Rule::Unreadable));
    let log_id = row.text("log_id").map(|l| mark(&l));
    // Where the row stands counts, not what it says of itself: one finding where one row was moved.
    let seq = columns.map_or(seq, |(s, ..)| s);
    Examined { seq: Some(seq), prev_hash: Some(prev_hash), hash: Some(hash), log_id, broken, content }
}

/// Whether an airing's figures agree with its outcome.
fn figures(row: &Row<'_>) -> Option<Rule> {
    let Some(outcome) = row.outcome() else { return Some(Rule::Pair) };
    let reason = row.reason();
    if !legal(outcome, reason) || (reason.is_none() && row.raw("reason") != Some("null")) {
        return Some(Rule::Pair);
    }
    let played = row.int("played_ms")?;
    let sounded = played != 0 || row.raw("started_at") != Some("null") || row.raw("ended_at") != Some("null");
    if !outcome.begun() && sounded {
        return Some(Rule::Contradiction);
    }
    // 98 %, and a millisecond for lengths that were rounded.
    let length = row.int("clip_ms");
    if outcome == Outcome::Aired && length.is_some_and(|l| (played + 1) * 100 < l * 98) {
        return Some(Rule::Contradiction);
    }
    None
}

/// What was counted on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All rows.
    pub rows: u64,
    /// Airings.
    pub airings: u64,
    /// Fixed plans.
    pub sessions: u64,
    /// Events.
    pub events: u64,
    /// Items of plans whose outcome was looked for.
    pub items: u64,
    /// Airing rows that the log says it lost, with a `repair` row that tells.
    pub lost: u64,
    /// Numbers of rows that a damaged database lost, where they lack and a `repair` row tells.
    pub missing: Vec<(u64, u64)>,
    /// Number of the first row.
    pub first_seq: Option<u64>,
    /// Number of the last row.
    pub last_seq: Option<u64>,
    /// Hash of the last row.
    pub head: Option<[u8; 32]>,
}

struct Awaited {
    session_seq: u64,
    item: usize,
    planned_at: Option<Wall>,
    clip: Option<Mark>,
}

/// Holds the rules that go from row to row. Its memory grows by some bytes a session (that no airing comes
/// twice) and by the items whose outcome is still to come.
pub struct Checker {
    whole: bool,
    from_start: bool,
    first_prev: Option<[u8; 32]>,
    pruned: Option<Pruned>,
    tally: Tally,
    log_id: Option<Mark>,
    prev: Option<[u8; 32]>,
    seen: Seen,
    awaited: HashMap<Place, Awaited>,
    lost: Vec<Lost>,
    /// Numbers that lack between two rows: from, to.
    holes: Vec<(u64, u64)>,
    breaks: Vec<Break>,
    broken: u64,
}

impl Checker {
    /// `whole`: every row is there, so numbers have no holes, hashes link and plans have their outcomes.
    pub fn new(whole: bool) -> Checker {
        Checker {
            whole,
            from_start: false,
            first_prev: None,
            pruned: None,
            tally: Tally::default(),
            log_id: None,
            prev: None,
            seen: Seen::default(),
            awaited: HashMap::new(),
            lost: Vec::new(),
            holes: Vec::new(),
            breaks: Vec::new(),
            broken: 0,
        }
    }

    /// For a whole log: it begins with row 1, or a `prune` row tells which rows before its first were removed.
    pub fn of_a_log() -> Checker {
        Checker { from_start: true, ..Checker::new(true) }
    }

    /// Most findings that are kept; the rest is only counted.
    pub const KEPT: usize = 1_000;

    fn breaks(&mut self, seq: u64, rule: Rule) {
        self.broken += 1;
        if self.breaks.len() < Checker::KEPT {
            self.breaks.push(Break { seq, rule });
        }
    }

    /// Takes the next row, in order.
    pub fn take(&mut self, row: Examined) {
        self.tally.rows += 1;
        let expected = self.tally.last_seq.map(|s| s.saturating_add(1));
        let seq = row.seq.unwrap_or(expected.unwrap_or(self.tally.rows));
        // One finding a row: the first, in the order in which one fault causes the next.
        let mut rule = row.broken;
        let mut hole = None;
        if rule.is_none() {
            rule = match expected {
                // A later row may tell of it.
                Some(e) if self.whole && seq > e => {
                    hole = Some((e, seq - 1));
                    None
                }
                Some(e) if self.whole && seq != e || seq < e => Some(Rule::Number { expected: e }),
                None if self.whole && seq == 1 && row.prev_hash != Some([0; 32]) => Some(Rule::Link),
                _ => None,
            };
        }
        let follows = expected == Some(seq);
        if rule.is_none() && follows && self.prev.is_some() && row.prev_hash != self.prev {
            rule = Some(Rule::Link);
        }
        if rule.is_none() && self.whole && self.log_id.is_some() && row.log_id != self.log_id {
            rule = Some(Rule::OtherLog);
        }
        self.log_id = self.log_id.or(row.log_id);
        match row.content {
            Content::Airing { id, planned_at, clip } => {
                self.tally.airings += 1;
                if !self.seen.insert(&id) {
                    rule = rule.or(Some(Rule::Twice));
                }
                if let Some(plan) = self.awaited.remove(&id)
                    && (plan.planned_at != planned_at || (plan.clip.is_some() && clip.is_some() && plan.clip != clip))
                {
                    rule = rule.or(Some(Rule::OtherThanPlanned));
                }
            }
            Content::Session(items) => {
                self.tally.sessions += 1;
                self.tally.items += items.len() as u64;
                for (i, (id, planned_at, clip)) in items.into_iter().enumerate() {
                    if self.whole && !self.seen.contains(&id) {
                        self.awaited.insert(id, Awaited { session_seq: seq, item: i + 1, planned_at, clip });
                    }
                }
            }
            Content::Repair(lost) => {
                self.tally.events += 1;
                self.tally.lost += lost.lost;
                self.lost.push(lost);
            }
            Content::Prune(pruned) => {
                self.tally.events += 1;
                self.pruned = Some(pruned);
            }
            Content::Event => self.tally.events += 1,
            Content::Nothing => {}
        }
        match rule {
            Some(rule) => self.breaks(seq, rule),
            None => self.holes.extend(hole),
        }
        if self.tally.first_seq.is_none() {
            self.tally.first_seq = Some(seq);
            self.first_prev = row.prev_hash;
        }
        self.tally.last_seq = Some(seq);
        self.prev = row.hash;
        self.tally.head = row.hash;
    }

    /// How many findings there are so far.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Number of the first row that broke a rule so far.
    pub fn first_break(&self) -> Option<u64> {
        self.breaks.first().map(|b| b.seq)
    }

    /// Says that the log was left with another head than its last row.
    pub fn tail_is_cut(&mut self) {
        let next = self.tally.last_seq.map_or(1, |s| s.saturating_add(1));
        self.breaks(next, Rule::Tail);
    }

    /// What was counted so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The end: items of plans without an outcome are findings, unless their session is one of `open`
    /// (`slot_source/slot/session start`) or a `repair` row tells that rows of that time were lost.
    /// Findings in rows come first, in order, then the plans' missing outcomes, which may follow from them.
    pub fn finish<'s>(mut self, open: impl IntoIterator<Item = &'s str>) -> Verdict {
        let told: Vec<(u64, u64)> = self.lost.iter().flat_map(|l| l.missing.iter().copied()).collect();
        if let Some(first) = self.tally.first_seq.filter(|_| self.from_start) {
            // The last prune row tells of them all: pruning goes on from where it was.
            let begin = self.pruned.as_ref().map_or(1, |p| p.last_seq.saturating_add(1));
            let hangs = self.pruned.as_ref().is_none_or(|p| unhex32(&p.last_hash) == self.first_prev);
            if first > begin {
                self.holes.insert(0, (begin, first - 1));
            } else if first != begin || !hangs {
                self.broken += 1;
                self.breaks.insert(0, Break { seq: first, rule: Rule::Number { expected: 1 } });
            }
        }
        let of_start = self.holes.first().copied().filter(|h| Some(h.1.saturating_add(1)) == self.tally.first_seq);
        for (from, to) in std::mem::take(&mut self.holes) {
            if told.iter().any(|(a, b)| *a <= from && to <= *b) {
                self.tally.missing.push((from, to));
            } else {
                self.broken += 1;
                let at = self.breaks.partition_point(|b| b.seq <= to);
                let expected = if of_start == Some((from, to)) { 1 } else { from };
                self.breaks.insert(at, Break { seq: to.saturating_add(1), rule: Rule::Number { expected } });
            }
        }
        let open: HashSet<Mark> = open.into_iter().map(mark).collect();
        let missing = self.awaited.drain().filter(|(place, _)| !open.contains(&place.session));
        let mut missing: Vec<Awaited> = missing.map(|(_, a)| a).collect();
        missing.sort_unstable_by_key(|a| (a.planned_at, a.session_seq, a.item));
        let mut lost = std::mem::take(&mut self.lost);
        missing.retain(|a| {
            let told = lost
                .iter_mut()
                .find(|l| l.lost > 0 && a.planned_at.is_some_and(|at| l.lost_from <= at && at <= l.lost_to));
            told.map(|l| l.lost -= 1).is_none()
        });
        // An outcome that lacks may be in a hole behind its plan; a hole holds no more of them than it has rows.
        let mut room: Vec<(u64, u64)> =
            told.iter().map(|(a, b)| (*b, b.saturating_sub(*a).saturating_add(1))).collect();
        missing.retain(|a| {
            let hole = room.iter_mut().find(|(end, rows)| *rows > 0 && a.session_seq < *end);
            hole.map(|(_, rows)| *rows -= 1).is_none()
        });
        missing.sort_unstable_by_key(|a| (a.session_seq, a.item));
        for a in missing {
            self.breaks(a.session_seq, Rule::NoOutcome { item: a.item });
        }
        Verdict { tally: self.tally, breaks: self.breaks, broken: self.broken }
    }
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was counted.
    pub tally: Tally,
    /// The first findings, in the order of [`Checker::finish`]; at most [`Checker::KEPT`].
    pub breaks: Vec<Break>,
    /// How many there are.
    pub broken: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_missing_outcome_is_excused_only_by_an_open_session_or_a_row_that_tells_of_the_loss() {
        let item = |n: i64| (Place::of(&format!("local/sang/t/{n}")), Some(Wall(n)), None);
        let row = |seq, content| Examined {
            seq: Some(seq),
            prev_hash: Some([0; 32]),
            hash: Some([0; 32]),
            log_id: None,
            broken: None,
            content,
        };
        let run = |lost: Option<Lost>, open: &[&str]| {
            let mut checker = Checker::new(true);
            checker.take(row(1, Content::Session(vec![item(1), item(2), item(3)])));
            checker.take(row(
                2,
                Content::Airing { id: Place::of("local/sang/t/1"), planned_at: Some(Wall(1)), clip: None },
            ));
            if let Some(lost) = lost {
                checker.take(row(3, Content::Repair(lost)));
            }
            checker.finish(open.iter().copied())
        };
        let rules: Vec<_> = run(None, &[]).breaks.into_iter().map(|b| (b.seq, b.rule)).collect();
        assert_eq!(rules, [(1, Rule::NoOutcome { item: 2 }), (1, Rule::NoOutcome { item: 3 })]);
        assert_eq!(run(None, &["local/sang/t"]).broken, 0);
        assert_eq!(run(Some(Lost { lost: 2, lost_from: Wall(2), lost_to: Wall(3), ..Lost::default() }), &[]).broken, 0);
        assert_eq!(run(Some(Lost { lost: 1, lost_from: Wall(2), lost_to: Wall(3), ..Lost::default() }), &[]).broken, 1);
        assert_eq!(run(Some(Lost { lost: 9, lost_from: Wall(3), lost_to: Wall(3), ..Lost::default() }), &[]).broken, 1);
    }

    #[test]
    fn a_log_without_its_first_rows_needs_a_prune_row_that_names_them() {
        let row = |seq, content| Examined {
            seq: Some(seq),
            prev_hash: Some([9; 32]),
            hash: Some([9; 32]),
            log_id: None,
            broken: None,
            content,
        };
        let run = |checker: fn() -> Checker, pruned: Option<(u64, &str)>| {
            let mut checker = checker();
            checker.take(row(11, Content::Event));
            if let Some((last_seq, last_hash)) = pruned {
                checker.take(row(12, Content::Prune(Pruned { last_seq, last_hash: last_hash.repeat(32) })));
            }
            checker.finish([]).breaks
        };
        let broken = [Break { seq: 11, rule: Rule::Number { expected: 1 } }];
        assert_eq!(run(Checker::of_a_log, None), broken);
        assert_eq!(run(Checker::of_a_log, Some((10, "09"))), []);
        assert_eq!(run(Checker::of_a_log, Some((9, "09"))), broken);
        assert_eq!(run(Checker::of_a_log, Some((10, "08"))), broken);
        // A part of a chain may begin anywhere.
        assert_eq!(run(|| Checker::new(true), None), []);
    }

    #[test]
    fn figures_must_fit_the_outcome() {
        let row = |outcome: &str, reason: Value, started: Value, played: i64| {
            json!({"outcome": outcome, "reason": reason, "started_at": started, "ended_at": null,
                   "played_ms": played, "clip_ms": 10_000})
            .to_string()
        };
        let rule = |text: String| figures(&Row::parse(&text).unwrap());
        assert_eq!(rule(row("aired", Value::Null, "t".into(), 9_800)), None);
        assert_eq!(rule(row("aired", Value::Null, "t".into(), 9_700)), Some(Rule::Contradiction));
        assert_eq!(rule(row("missed", "late".into(), "t".into(), 0)), Some(Rule::Contradiction));
        assert_eq!(rule(row("missed", "late".into(), Value::Null, 0)), None);
        assert_eq!(rule(row("missed", "quiet_hours".into(), Value::Null, 0)), Some(Rule::Pair));
        assert_eq!(rule(row("missed", "thuong".into(), Value::Null, 0)), Some(Rule::Pair));
        assert_eq!(rule(row("aired", "thuong".into(), "t".into(), 9_900)), Some(Rule::Pair));
    }
}
