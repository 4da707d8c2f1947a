//! Wall time to choose, boot time to wait and measure.
//!
//! The ground floor counts wall time in whole milliseconds since 1970 UTC ([`Wall`]): every planned
//! instant is the sum of a local second and clip lengths in milliseconds, so nothing is lost. Boot time
//! (`CLOCK_BOOTTIME`, nanoseconds) only ever appears inside [`Now`], which is handed down as an argument.

mod trust;

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{
    DateTime, Datelike, Days as ChronoDays, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone,
    Timelike, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use trust::{Belief, DOUBTED_STEP_MS, Right, SECOND_LOOK_MS, TrustRules, Why};

/// One second, in milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// One minute, in milliseconds.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// One hour, in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Twenty-four hours, in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// An instant of wall time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// The instant `ms` later (earlier when negative); saturates at the ends of time.
    pub fn plus_ms(self, ms: i64) -> Wall {
        Wall(self.0.saturating_add(ms))
    }

    /// This instant in UTC.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// From an RFC 3339 text with an offset, as `2022-10-05T08:10:00+07:00`.
    pub fn parse_rfc3339(text: &str) -> Option<Wall> {
        DateTime::parse_from_rfc3339(text).ok().map(|t| Wall(t.timestamp_millis()))
    }
}

impl Add<i64> for Wall {
    type Output = Wall;
    /// Adds milliseconds.
    fn add(self, ms: i64) -> Wall {
        self.plus_ms(ms)
    }
}

impl Sub<Wall> for Wall {
    type Output = i64;
    /// The difference in milliseconds.
    fn sub(self, other: Wall) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

/// Whether wall time may be believed, as written into each row's `clock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// The kernel says it follows a reference.
    Synced,
    /// It did within `[time] hold`, or an RTC or a person vouches for it.
    Held,
    /// Nobody vouches: nothing airs by schedule.
    Unknown,
}

impl ClockState {
    /// Whether the schedule may act on this clock.
    pub fn trusted(self) -> bool {
        self != ClockState::Unknown
    }
}

/// What the clocks say at one moment. Made only by a [`Clock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since 1970 UTC.
    pub wall_ns: i64,
    /// Nanoseconds since the machine booted, time asleep included.
    pub boot_ns: i64,
    /// Whether `wall_ns` may be believed.
    pub clock: ClockState,
}

impl Now {
    /// Wall time, cut to the millisecond.
    pub fn wall(&self) -> Wall {
        Wall(self.wall_ns.div_euclid(1_000_000))
    }

    /// The boot time at which the wall clock will show `wall`, if nobody steps it meanwhile.
    pub fn boot_ns_of(&self, wall: Wall) -> i64 {
        self.boot_ns + (wall.0 * 1_000_000 - self.wall_ns)
    }

    /// The wall time, in nanoseconds, of a moment of boot time.
    pub fn wall_ns_of(&self, boot_ns: i64) -> i64 {
        self.wall_ns + (boot_ns - self.boot_ns)
    }

    /// How far the wall clock was stepped between `earlier` and now, in milliseconds: positive forward.
    pub fn step_since_ms(&self, earlier: &Now) -> i64 {
        ((self.wall_ns - earlier.wall_ns) - (self.boot_ns - earlier.boot_ns)) / 1_000_000
    }
}

/// Where time comes from. The daemon's implementation reads the machine's clocks; tests bring their own.
pub trait Clock: Send + Sync {
    /// Both clocks, read as close together as can be.
    fn now(&self) -> Now;

    /// The latest moment that has certainly passed, as far as this clock knows.
    fn floor(&self) -> Wall {
        Wall(0)
    }
}

/// The station's time zone, with its rules compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

impl Default for Zone {
    fn default() -> Self {
        Zone(chrono_tz::Asia::Ho_Chi_Minh)
    }
}

impl Zone {
    /// Looks a zone up by its IANA name.
    pub fn by_name(name: &str) -> Option<Zone> {
        name.parse().ok().map(Zone)
    }

    /// The IANA name.
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// The version of the compiled-in zone data, as `2025b`.
    pub fn data_version() -> &'static str {
        chrono_tz::IANA_TZDB_VERSION
    }

    /// The local date and time the station's clock shows at `wall`.
    pub fn local(&self, wall: Wall) -> NaiveDateTime {
        let utc = wall.utc().naive_utc();
        let offset = self.0.offset_from_utc_datetime(&utc).fix();
        utc.checked_add_offset(offset).unwrap_or(utc)
    }

    /// The local date at `wall`.
    pub fn date(&self, wall: Wall) -> NaiveDate {
        self.local(wall).date()
    }

    /// The instant a local second names: the first one when the clock shows it twice, none when it is
    /// skipped (rule R1).
    pub fn instant(&self, local: NaiveDateTime) -> Option<Wall> {
        match self.0.offset_from_local_datetime(&local) {
            LocalResult::Single(o) | LocalResult::Ambiguous(o, _) => {
                Some(minus_offset(local, o.fix().local_minus_utc()))
            }
            LocalResult::None => None,
        }
    }

    /// The edge of a window that begins at a local second: the first reading in a fold, the moment of the
    /// change in a gap.
    pub fn opening(&self, local: NaiveDateTime) -> Wall {
        self.edge(local, true)
    }

    /// The edge of a window that ends at a local second: the last reading in a fold, so that the longest
    /// reading of a quiet window holds (rule R1); the moment of the change in a gap.
    pub fn closing(&self, local: NaiveDateTime) -> Wall {
        self.edge(local, false)
    }

    fn edge(&self, local: NaiveDateTime, first: bool) -> Wall {
        match self.0.offset_from_local_datetime(&local) {
            LocalResult::Single(o) => minus_offset(local, o.fix().local_minus_utc()),
            LocalResult::Ambiguous(a, b) => {
                let (a, b) =
                    (minus_offset(local, a.fix().local_minus_utc()), minus_offset(local, b.fix().local_minus_utc()));
                if first { a.min(b) } else { a.max(b) }
            }
            LocalResult::None => {
                // Both sides of a gap meet in one instant: read with the offset of the day before, then
                // with that of the day after, and search the change between them.
                let mut low = minus_offset(local, self.offset_s(Wall(local.and_utc().timestamp_millis() - DAY_MS)));
                let mut high = minus_offset(local, self.offset_s(Wall(local.and_utc().timestamp_millis() + DAY_MS)));
                if low > high {
                    std::mem::swap(&mut low, &mut high);
                }
                let before = self.offset_s(low.plus_ms(-DAY_MS / 24));
                let (mut a, mut b) = (low.plus_ms(-DAY_MS / 24), high.plus_ms(DAY_MS / 24));
                while b - a > 1 {
                    let mid = Wall(a.0 + (b.0 - a.0) / 2);
                    if self.offset_s(mid) == before { a = mid } else { b = mid }
                }
                b
            }
        }
    }

    fn offset_s(&self, wall: Wall) -> i32 {
        self.0.offset_from_utc_datetime(&wall.utc().naive_utc()).fix().local_minus_utc()
    }

    /// The first instant of a local date.
    pub fn midnight(&self, date: NaiveDate) -> Wall {
        self.opening(date.and_time(NaiveTime::MIN))
    }

    /// RFC 3339 with offset and milliseconds: the form of every time in a row.
    pub fn rfc3339(&self, wall: Wall) -> String {
        let (local, offset) = self.written(wall);
        format!("{}{offset}", local.format("%Y-%m-%dT%H:%M:%S%.3f"))
    }

    /// RFC 3339 with offset, whole seconds: the form inside an airing id.
    pub fn rfc3339_seconds(&self, wall: Wall) -> String {
        let (local, offset) = self.written(wall);
        format!("{}{offset}", local.format("%Y-%m-%dT%H:%M:%S"))
    }

    /// The local reading and its offset as RFC 3339 has them: with an offset of whole minutes. A hundred years ago a
    /// zone's own had seconds (Saigon +07:06:30); then the reading gives way, so that both together are right.
    fn written(&self, wall: Wall) -> (NaiveDateTime, String) {
        let s = self.offset_s(wall);
        let local = self.local(wall);
        let local = local.checked_sub_signed(chrono::TimeDelta::seconds(i64::from(s % 60))).unwrap_or(local);
        let (sign, s) = if s < 0 { ('-', -s) } else { ('+', s) };
        (local, format!("{sign}{:02}:{:02}", s / 3600, s % 3600 / 60))
    }

    /// A time from a command line: RFC 3339, or local `YYYY-MM-DDTHH:MM[:SS]`, or a bare date (its midnight).
    pub fn parse(&self, text: &str) -> Option<Wall> {
        if let Some(wall) = Wall::parse_rfc3339(text) {
            return Some(wall);
        }
        for format in ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"] {
            if let Ok(local) = NaiveDateTime::parse_from_str(text, format) {
                return Some(self.opening(local));
            }
        }
        text.parse::<NaiveDate>().ok().map(|date| self.midnight(date))
    }
}

fn minus_offset(local: NaiveDateTime, offset_s: i32) -> Wall {
    Wall(local.and_utc().timestamp_millis() - i64::from(offset_s) * SECOND_MS)
}

/// A set of weekdays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// Every day of the week.
    pub const ALL: Days = Days(0x7f);
    /// No day.
    pub const NONE: Days = Days(0);
    /// Vietnamese names from Monday on; on screen and in config.
    pub const NAMES: [&'static str; 7] = ["T2", "T3", "T4", "T5", "T6", "T7", "CN"];
    /// English names from Monday on; also what the cron dialect takes.
    pub const NAMES_EN: [&'static str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

    /// This set and one day more; `day` counts from Monday = 0.
    pub fn with(self, day: u32) -> Days {
        Days(self.0 | 1 << (day % 7))
    }

    /// Whether the weekday of `date` belongs to the set.
    pub fn contains(self, date: NaiveDate) -> bool {
        self.0 & 1 << date.weekday().num_days_from_monday() != 0
    }

    /// Whether the day counted from Monday = 0 belongs to the set.
    pub fn has(self, day: u32) -> bool {
        self.0 & 1 << (day % 7) != 0
    }

    /// `T2`, `CN`, `MON`: the day counted from Monday = 0.
    pub fn day_by_name(name: &str) -> Option<u32> {
        let name = name.trim().to_ascii_uppercase();
        let find = |names: &[&str; 7]| names.iter().position(|n| *n == name);
        find(&Days::NAMES).or_else(|| find(&Days::NAMES_EN)).map(|i| i as u32)
    }

    /// `T2-T6`, `T7,CN`, `FRI-MON`: ranges may wrap over the week's end. The error is the part that is no day.
    pub fn parse(text: &str) -> Result<Days, String> {
        let mut days = Days::NONE;
        for part in text.split(',') {
            let part = part.trim();
            let bad = || part.to_owned();
            match part.split_once('-') {
                Some((from, to)) => {
                    let from = Days::day_by_name(from).ok_or_else(bad)?;
                    let to = Days::day_by_name(to).ok_or_else(bad)?;
                    let length = (to + 7 - from) % 7;
                    days = (0..=length).fold(days, |set, i| set.with(from + i));
                }
                None => days = days.with(Days::day_by_name(part).ok_or_else(bad)?),
            }
        }
        Ok(days)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = (0..7).filter(|d| self.has(*d)).map(|d| Days::NAMES[d as usize]).collect();
        f.write_str(&names.join(","))
    }
}

impl fmt::Debug for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Days({self})")
    }
}

/// A daily window `[from, to)` of local time; when `to` is not after `from` it runs over midnight and belongs
/// to the day it begins (rule R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it begins.
    pub from: NaiveTime,
    /// When it is over.
    pub to: NaiveTime,
}

impl Window {
    /// Length in milliseconds on an ordinary day; a window that begins and ends at the same time lasts 24 hours.
    pub fn length_ms(&self) -> i64 {
        let s = |t: NaiveTime| i64::from(t.num_seconds_from_midnight());
        let length = (s(self.to) - s(self.from)).rem_euclid(86_400);
        (if length == 0 { 86_400 } else { length }) * SECOND_MS
    }

    /// The two edges of the window that begins on `date`, in the longest reading.
    pub fn on(&self, date: NaiveDate, zone: Zone) -> (Wall, Wall) {
        let end_date = if self.to > self.from { date } else { next_day(date) };
        (zone.opening(date.and_time(self.from)), zone.closing(end_date.and_time(self.to)))
    }
}

/// The day after; the last representable date stands still.
pub fn next_day(date: NaiveDate) -> NaiveDate {
    date.checked_add_days(ChronoDays::new(1)).unwrap_or(date)
}

/// The day before; the first representable date stands still.
pub fn day_before(date: NaiveDate) -> NaiveDate {
    date.checked_sub_days(ChronoDays::new(1)).unwrap_or(date)
}

/// The quiet hours of a station (rule R1: what is open beats what is quiet).
#[derive(Clone, Debug, Default)]
pub struct QuietHours {
    /// The station's zone.
    pub zone: Zone,
    /// Windows that repeat: `[quiet_hours]` every day, `[[quiet_also]]` on some.
    pub closed: Vec<(Window, QuietDays)>,
    /// `[[quiet_open]]`: one night each.
    pub open: Vec<(Window, NaiveDate)>,
}

/// The days on which a quiet window begins.
#[derive(Clone, Debug)]
pub enum QuietDays {
    /// On these weekdays.
    Weekly(Days),
    /// On these dates.
    Dates(Vec<NaiveDate>),
}

impl QuietDays {
    fn contains(&self, date: NaiveDate) -> bool {
        match self {
            QuietDays::Weekly(days) => days.contains(date),
            QuietDays::Dates(dates) => dates.contains(&date),
        }
    }
}

impl QuietHours {
    /// The quiet stretches that touch `[from, until)`, sorted, apart from each other, not clipped.
    pub fn between(&self, from: Wall, until: Wall) -> Vec<(Wall, Wall)> {
        let mut closed: Vec<(Wall, Wall)> = Vec::new();
        let mut date = day_before(day_before(self.zone.date(from)));
        let last = next_day(self.zone.date(until));
        while date <= last {
            closed
                .extend(self.closed.iter().filter(|(_, days)| days.contains(date)).map(|(w, _)| w.on(date, self.zone)));
            let next = next_day(date);
            if next == date {
                break;
            }
            date = next;
        }
        closed.retain(|(a, b)| a < b);
        closed.sort_unstable();
        let mut merged: Vec<(Wall, Wall)> = Vec::new();
        for (a, b) in closed {
            match merged.last_mut() {
                Some(last) if a <= last.1 => last.1 = last.1.max(b),
                _ => merged.push((a, b)),
            }
        }
        let mut open: Vec<_> = self.open.iter().map(|(w, date)| w.on(*date, self.zone)).collect();
        open.sort_unstable();
        let mut quiet = Vec::new();
        for (mut a, b) in merged {
            for (oa, ob) in &open {
                if *ob <= a || *oa >= b {
                    continue;
                }
                if *oa > a {
                    quiet.push((a, *oa));
                }
                a = a.max(*ob);
            }
            if a < b {
                quiet.push((a, b));
            }
        }
        quiet.retain(|(a, b)| *b > from && *a < until);
        quiet
    }

    /// The end of the quiet stretch that holds `at`, if `at` is quiet.
    pub fn quiet_until(&self, at: Wall) -> Option<Wall> {
        self.between(at, at + 1).into_iter().find(|(a, b)| *a <= at && at < *b).map(|(_, b)| b)
    }

    /// The next moment at or after `at` at which it is quiet, looking 8 days ahead.
    pub fn next_quiet(&self, at: Wall) -> Option<Wall> {
        // Most questions are answered by the same day; the week is there for windows on one weekday.
        for ahead in [DAY_MS, 8 * DAY_MS] {
            if let Some((a, _)) = self.between(at, at + ahead).into_iter().find(|(_, b)| *b > at) {
                return Some(a.max(at));
            }
        }
        None
    }
}

/// Reads a length of time: `"90s"`, `"5m"`, `"2h"`, `"500ms"`, `"31d"`, also joined as `"1h30m"`. Milliseconds.
pub fn parse_duration_ms(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0i64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_len = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..unit_len] {
            "ms" => 1,
            "s" => SECOND_MS,
            "m" => MINUTE_MS,
            "h" => HOUR_MS,
            "d" => DAY_MS,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[unit_len..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> Wall {
        Wall::parse_rfc3339(text).unwrap()
    }

    fn nightly() -> QuietHours {
        let window = Window { from: "21:00:00".parse().unwrap(), to: "05:00:00".parse().unwrap() };
        QuietHours { closed: vec![(window, QuietDays::Weekly(Days::ALL))], ..Default::default() }
    }

    #[test]
    fn quiet_hours_hold_over_midnight_with_half_open_edges() {
        let quiet = nightly();
        assert_eq!(quiet.quiet_until(wall("2022-10-05T03:15:00+07:00")), Some(wall("2022-10-05T05:00:00+07:00")));
        assert_eq!(quiet.quiet_until(wall("2022-10-05T05:00:00+07:00")), None);
        assert!(quiet.quiet_until(wall("2022-10-05T21:00:00+07:00")).is_some());
        assert_eq!(quiet.next_quiet(wall("2022-10-05T05:30:00+07:00")), Some(wall("2022-10-05T21:00:00+07:00")));
    }

    #[test]
    fn what_is_written_is_the_same_moment_also_where_an_offset_had_seconds() {
        for (name, text) in [
            ("Asia/Ho_Chi_Minh", "1900-01-01T00:00:00Z"),
            ("Africa/Monrovia", "1971-06-01T12:34:56Z"),
            ("Asia/Ho_Chi_Minh", "2022-10-05T08:10:00+07:00"),
        ] {
            let zone = Zone::by_name(name).unwrap();
            assert_eq!(wall(&zone.rfc3339_seconds(wall(text))), wall(text), "{name}");
            assert_eq!(wall(&zone.rfc3339(wall(text))), wall(text), "{name}");
        }
    }

    #[test]
    fn an_open_night_beats_quiet_hours() {
        let mut quiet = nightly();
        let tet = Window { from: "23:30:00".parse().unwrap(), to: "00:30:00".parse().unwrap() };
        quiet.open.push((tet, "2026-02-16".parse().unwrap()));
        assert_eq!(quiet.quiet_until(wall("2026-02-17T00:00:00+07:00")), None);
        assert_eq!(quiet.quiet_until(wall("2026-02-16T22:00:00+07:00")), Some(wall("2026-02-16T23:30:00+07:00")));
        assert!(quiet.quiet_until(wall("2026-02-17T00:30:00+07:00")).is_some());
    }

    #[test]
    fn a_quiet_window_takes_the_longest_reading_in_a_fold_and_closes_in_a_gap() {
        let zone = Zone::by_name("Europe/Berlin").unwrap();
        let window = Window { from: "02:15:00".parse().unwrap(), to: "02:45:00".parse().unwrap() };
        // 30 October 2022: 03:00 summer time becomes 02:00.
        let (a, b) = window.on("2022-10-30".parse().unwrap(), zone);
        assert_eq!(b - a, 90 * MINUTE_MS);
        // 27 March 2022: 02:00 becomes 03:00; both edges fall into the change.
        let (a, b) = window.on("2022-03-27".parse().unwrap(), zone);
        assert_eq!((a, b), (wall("2022-03-27T01:00:00Z"), wall("2022-03-27T01:00:00Z")));
    }

    #[test]
    fn weekdays_take_names_of_both_languages_and_wrap() {
        assert_eq!(Days::parse("T2-CN").unwrap(), Days::ALL);
        assert_eq!(Days::parse("SAT-MON").unwrap().to_string(), "T2,T7,CN");
        assert_eq!(Days::parse("T2,T4-T6").unwrap().to_string(), "T2,T4,T5,T6");
        assert_eq!(Days::parse("2-6"), Err("2-6".into()));
    }

    #[test]
    fn durations_name_their_unit() {
        assert_eq!(parse_duration_ms("90s"), Some(90_000));
        assert_eq!(parse_duration_ms("1h30m"), Some(5_400_000));
        assert_eq!(parse_duration_ms("90"), None);
        assert_eq!(parse_duration_ms("5 phút"), None);
    }

    #[test]
    fn rows_carry_offset_and_milliseconds() {
        let zone = Zone::default();
        let t = wall("2022-10-04T22:35:35.250Z");
        assert_eq!(zone.rfc3339(t), "2022-10-05T05:35:35.250+07:00");
        assert_eq!(zone.rfc3339_seconds(t), "2022-10-05T05:35:35+07:00");
        assert_eq!(zone.parse("2022-10-05T05:35"), Some(wall("2022-10-05T05:35:00+07:00")));
    }
}
