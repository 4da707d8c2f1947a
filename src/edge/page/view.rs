//! What the station page shows: a copy handed over by the daemon once a second, and the plan worked out from it.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Value;

use crate::domain::airing::{Outcome, Reason};
use crate::domain::chain::Row;
use crate::domain::config::{Language, Origin};
use crate::domain::playlist::List;
use crate::domain::quota::Short;
use crate::domain::report::RowFilter;
use crate::domain::schedule::{Programme, Session, Walk};
use crate::domain::stage::{OnStage, Stop};
use crate::domain::text::Text;
use crate::domain::time::{ClockState, DAY_MS, Wall, Zone};

/// Days the page looks ahead, today included.
pub const DAYS_AHEAD: i64 = 8;
/// Rows of today the page keeps in mind; a day of a station has a few hundred.
const MOST_ROWS: usize = 3000;

/// A list from above.
#[derive(Clone, Debug)]
pub struct Above {
    /// The source's id.
    pub source: Arc<str>,
    /// Its level.
    pub origin: Option<Origin>,
    /// The list.
    pub list: Arc<List>,
    /// Its serial.
    pub serial: u64,
    /// Since when it is in force here.
    pub since: Wall,
    /// Until when it may air.
    pub expires_at: Wall,
}

/// A source.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Its id.
    pub id: Arc<str>,
    /// Serial in force.
    pub serial: Option<u64>,
    /// Version of its `keys.json` in force, where root keys are pinned.
    pub keys: Option<u64>,
    /// When that list expires.
    pub expires_at: Option<Wall>,
    /// Last contact.
    pub last_success: Option<Wall>,
    /// What is wrong.
    pub last_error: Option<Text>,
}

/// The station at one moment.
#[derive(Clone)]
pub struct View {
    /// The moment.
    pub now: Wall,
    /// Whether it can be believed.
    pub clock: ClockState,
    /// The station's name.
    pub station: Arc<str>,
    /// The station's language, for who chose none.
    pub language: Language,
    /// A trial on an editor's or developer's machine.
    pub trial: bool,
    /// Everything in force.
    pub programme: Arc<Programme>,
    /// The commune's own list.
    pub own: Option<Arc<List>>,
    /// The lists from above, in the order of the config.
    pub above: Vec<Above>,
    /// Urgent lists, which stand beside those.
    pub urgent: Vec<Above>,
    /// Campaigns that cannot reach their quota on some day of the month to come.
    pub short: Vec<Short>,
    /// A person's order to be silent.
    pub stop: Option<Stop>,
    /// What sounds.
    pub on_air: Option<OnStage>,
    /// Whether that is a relay window.
    pub relaying: bool,
    /// The next airing of the sessions that are fixed.
    pub next_fixed: Option<OnStage>,
    /// Up to here sessions are fixed.
    pub fixed_until: Wall,
    /// The sessions that are fixed and not over.
    pub fixed: Vec<Session>,
    /// Name of the output.
    pub device: String,
    /// What is wrong with it.
    pub device_error: Option<Text>,
    /// Sources.
    pub contacts: Vec<Contact>,
    /// Number of the log's last row.
    pub log_seq: u64,
    /// Whether every row is on disk.
    pub log_durable: bool,
    /// Alarms: code, since when, what.
    pub alarms: Vec<(String, Wall, Text)>,
    /// Since when the daemon runs, seconds.
    pub uptime_s: i64,
}

impl View {
    /// The station's zone.
    pub fn zone(&self) -> Zone {
        self.programme.zone
    }

    /// Until when a person wants silence who asks for it to last as long as this session: the session that runs,
    /// what sounds, or the session about to start.
    pub fn end_of_session(&self) -> Wall {
        let soon = self.now + 30 * 60_000;
        let running = self.fixed.iter().filter(|s| s.start <= self.now).map(Session::planned_end).max();
        let sounding = self.on_air.as_ref().map(|a| a.planned_at + a.clip_ms.unwrap_or(0));
        let coming = self.fixed.iter().filter(|s| s.start <= soon).map(Session::planned_end).max();
        let later = |end: &Wall| *end > self.now;
        running.filter(later).or(sounding.filter(later)).or(coming.filter(later)).unwrap_or(self.now + 60_000) + 1000
    }

    /// Until when it is today.
    pub fn end_of_day(&self) -> Wall {
        let zone = self.zone();
        zone.midnight(crate::domain::time::next_day(zone.date(self.now)))
    }
}

/// What disk and store hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk {
    /// Clips received.
    pub clips: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Most bytes.
    pub quota: u64,
    /// Free on the file system, bytes.
    pub free: u64,
}

/// What a logged-in person wants.
#[derive(Clone, Debug)]
pub enum Order {
    /// Silence.
    Stop {
        /// It ends by itself then.
        until: Option<Wall>,
        /// Emergencies pass.
        but_emergency: bool,
        /// Why.
        why: Option<String>,
    },
    /// The silence ends.
    Resume,
    /// A clip, `SOURCE/ID`, a local id, or `tone`.
    Play(String),
    /// New lists.
    Sync,
}

/// What an order came to: what there is to show, or the sentence why not.
pub type Ordered = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

/// What happened at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knock {
    /// A code let its person in.
    Opened(Arc<str>),
    /// A wrong code was typed while that person's was open; so many tries are left.
    Wrong(Arc<str>, u32),
    /// A code was typed while none was open.
    NoCode,
    /// A person logged out.
    Left(Arc<str>),
}

/// What the page asks of the daemon. Nothing here may hold up the loop.
pub trait Office: Send + Sync + 'static {
    /// Hands an order to the loop.
    fn order(&self, order: Order, by: &str) -> Ordered;
    /// Hands rows of the log to `each`, by number; how many passed. Reads the disk.
    fn rows(
        &self,
        filter: &RowFilter,
        each: &mut dyn FnMut(u64, &str) -> std::io::Result<()>,
    ) -> Result<u64, std::io::Error>;
    /// The file of a clip by its hash. Reads the disk.
    fn audio(&self, sha256: &str) -> Option<PathBuf>;
    /// What disk and store hold. Reads the disk.
    fn disk(&self) -> Disk;
    /// Makes a report or a workbook: a command of `loaxa` with its arguments, which writes it. Takes a while: not for
    /// the page's own thread.
    fn made(&self, language: Language, arguments: &[String]) -> Result<Vec<u8>, String>;
    /// Says that the page listens, or why it does not.
    fn listening(&self, trouble: Option<Text>);
    /// Says what happened at the door, for the log.
    fn at_the_door(&self, knock: Knock);
}

/// An airing that is over.
#[derive(Clone, Debug)]
pub struct Past {
    /// `slot_source/slot/start`; empty for what was played by hand.
    pub session: String,
    /// The session's name.
    pub slot_name: String,
    /// Title.
    pub title: String,
    /// When it was to sound.
    pub planned: Wall,
    /// When it began.
    pub started: Option<Wall>,
    /// How much sounded, milliseconds.
    pub played_ms: i64,
    /// Its length, milliseconds.
    pub clip_ms: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// A relay window.
    pub relay: bool,
    /// Who played or stopped it.
    pub by: Option<String>,
    /// Where the clip comes from.
    pub source: String,
}

impl Past {
    /// From a row of the log.
    pub fn of(row: &Row<'_>) -> Option<Past> {
        let text = |key: &str| row.text(key).map(|t| t.into_owned());
        let session = match (text("slot_source"), text("slot_id"), text("session_start")) {
            (Some(source), Some(slot), Some(start)) => format!("{source}/{slot}/{}", Wall::parse_rfc3339(&start)?.0),
            _ => String::new(),
        };
        let slot_name = text("slot_name").unwrap_or_default();
        Some(Past {
            session,
            title: text("title").unwrap_or_else(|| slot_name.clone()),
            slot_name,
            planned: row.time("planned_at")?,
            started: row.time("started_at"),
            played_ms: row.int("played_ms").unwrap_or(0),
            clip_ms: row.int("clip_ms").unwrap_or(0),
            outcome: row.outcome()?,
            reason: row.reason(),
            relay: row.text("kind").is_some_and(|k| k == "relay"),
            by: text("by"),
            source: text("source").unwrap_or_default(),
        })
    }
}

/// The plan of today and the days after, as far as it is still known, and what became of today.
pub struct Plan {
    made_of: (usize, NaiveDate),
    /// Today.
    pub today: NaiveDate,
    /// Its two edges.
    pub day: (Wall, Wall),
    /// Sessions by start, from midnight on.
    pub sessions: Vec<Session>,
    /// Quiet hours today.
    pub quiet: Vec<(Wall, Wall)>,
}

impl Plan {
    /// Works out the plan of a view, or keeps `old` when it still holds.
    pub fn of(view: &View, old: Option<Arc<Plan>>) -> Arc<Plan> {
        let zone = view.zone();
        let today = zone.date(view.now);
        let made_of = (Arc::as_ptr(&view.programme) as usize, today);
        if let Some(old) = old.filter(|o| o.made_of == made_of) {
            return old;
        }
        let midnight = zone.midnight(today);
        let mut walk = Walk::new(view.programme.clone(), midnight);
        let until = midnight + DAYS_AHEAD * DAY_MS;
        let mut sessions = Vec::new();
        while let Some(session) = walk.next_before(until) {
            sessions.push(session);
        }
        let day = (midnight, zone.midnight(crate::domain::time::next_day(today)));
        let quiet = view.programme.quiet.between(day.0, day.1);
        Arc::new(Plan { made_of, today, day, sessions, quiet })
    }

    /// The next airing and why it will not sound, as `status` shows it.
    pub fn next(&self, view: &View) -> Option<(OnStage, Option<Reason>)> {
        let programme = &view.programme;
        let from = view.now.max(view.fixed_until + 1);
        let planned = self.sessions.iter().filter(|s| s.start >= from).find_map(|session| {
            let at = session.items.iter().position(|i| i.planned_at >= view.now)?;
            Some(OnStage::planned(session, at, programme))
        });
        let next = match (view.next_fixed.clone(), planned) {
            (Some(a), Some(b)) => Some(if a.planned_at <= b.planned_at { a } else { b }),
            (a, b) => a.or(b),
        }?;
        let stopped = view.stop.as_ref().is_some_and(|s| s.until.is_none_or(|u| u > next.planned_at));
        let blocked = next
            .forbidden
            .or(stopped.then_some(Reason::Stopped))
            .or(programme.quiet.quiet_until(next.planned_at).map(|_| Reason::QuietHours));
        Some((next, blocked))
    }

    /// Planned times of what passes, from now on.
    pub fn coming<'p>(
        &'p self,
        view: &'p View,
        passes: impl Fn(&crate::domain::schedule::Planned) -> bool + 'p,
    ) -> impl Iterator<Item = (&'p Session, &'p crate::domain::schedule::Planned)> {
        let from = view.now;
        self.sessions
            .iter()
            .flat_map(|s| s.items.iter().map(move |i| (s, i)))
            .filter(move |(_, i)| i.planned_at >= from && i.forbidden.is_none() && passes(i))
    }
}

/// Today's airings, the oldest first, and how many there were of each session.
#[derive(Default)]
pub struct Rows {
    /// Airings.
    pub list: Vec<Past>,
    /// By session: aired or relayed, and all.
    pub sessions: HashMap<String, (usize, usize)>,
}

impl Rows {
    /// Reads the airings planned from `from` on.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(office: &dyn Office, from: Wall) -> std::io::Result<Rows> {
        let mut rows = Rows::default();
        let filter = RowFilter { from: Some(from), ..RowFilter::default() };
        office.rows(&filter, &mut |_, body| {
            if let Some(past) = Row::parse(body).as_ref().and_then(Past::of) {
                if rows.list.len() >= MOST_ROWS {
                    rows.list.remove(0);
                }
                let (good, all) = rows.sessions.entry(past.session.clone()).or_default();
                *good += usize::from(matches!(past.outcome, Outcome::Aired | Outcome::Relayed));
                *all += 1;
                rows.list.push(past);
            }
            Ok(())
        })?;
        Ok(rows)
    }
}
