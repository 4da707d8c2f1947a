//! Cron text, and `at` + days, as "when next after t". The only file that knows the `cron` crate's habits.
//!
//! The crate is fed what cannot be misread: six fields and a year, weekdays by name, local readings handed in as
//! if they were UTC, so that the station's zone is applied here and by rule R1: a local second that does not exist
//! is no occurrence, one that comes twice counts the first time.
//!
//! The dialect: 5 fields (minute hour day month weekday) or 6 with seconds first. Weekdays by name only (`MON-SUN`,
//! `T2-T7`, `CN`; ranges may wrap), because a digit means a different day in every dialect. Day of month and
//! weekday may not both be restricted: crontab joins them by OR, others by AND.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use cron::TimeUnitSpec;

use crate::domain::playlist::{At, Dates, Slot, When};
use crate::domain::time::{Days, Wall, Zone, day_before, next_day};

/// A field of a cron text, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// 0-59
    Second,
    /// 0-59
    Minute,
    /// 0-23
    Hour,
    /// 1-31
    DayOfMonth,
    /// 1-12 or JAN-DEC
    Month,
    /// MON-SUN, T2-T7, CN
    Weekday,
}

impl Field {
    fn range(self) -> (u32, u32) {
        match self {
            Field::Second | Field::Minute => (0, 59),
            Field::Hour => (0, 23),
            Field::DayOfMonth => (1, 31),
            Field::Month => (1, 12),
            Field::Weekday => (0, 0),
        }
    }
}

/// Why a cron text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not 5 or 6 fields.
    #[error("{found} fields, 5 or 6 are needed")]
    FieldCount {
        /// How many stand there.
        found: usize,
    },
    /// A digit where a weekday belongs.
    #[error("weekday \"{text}\" is a digit")]
    WeekdayDigit {
        /// The part as written.
        text: String,
    },
    /// Both day fields are restricted.
    #[error("day of month \"{day}\" and weekday \"{weekday}\" together")]
    BothDays {
        /// The day-of-month field.
        day: String,
        /// The weekday field.
        weekday: String,
    },
    /// A field that cannot be read, or is out of its range.
    #[error("{field:?} \"{text}\" is not within {min}-{max}")]
    BadField {
        /// Which.
        field: Field,
        /// As written.
        text: String,
        /// Least allowed value.
        min: u32,
        /// Greatest allowed value.
        max: u32,
    },
    /// It never comes: a date such as 31 February.
    #[error("no such date ever comes")]
    NeverFires,
}

/// A cron text that was understood.
#[derive(Clone, Debug)]
pub struct Cron {
    schedule: cron::Schedule,
    /// What the crate understood, laid out so that the next one is found by looking it up. None for a text that
    /// names more seconds of a day than are worth listing.
    table: Option<Table>,
}

/// The seconds of a day, and the days, that a text names.
#[derive(Clone, Debug)]
struct Table {
    /// Seconds since midnight, sorted.
    times: Vec<u32>,
    /// Bit n: day n of the month.
    days: u32,
    /// Bit n: month n.
    months: u16,
    weekdays: Days,
}

/// The most seconds of a day that are listed.
const MOST_TIMES: usize = 1_500;

impl Table {
    fn of(schedule: &cron::Schedule) -> Option<Table> {
        fn sorted(unit: &impl TimeUnitSpec) -> BTreeSet<u32> {
            unit.iter().collect()
        }
        let (hours, minutes, seconds) =
            (sorted(schedule.hours()), sorted(schedule.minutes()), sorted(schedule.seconds()));
        if hours.len() * minutes.len() * seconds.len() > MOST_TIMES {
            return None;
        }
        let mut times = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
        for hour in &hours {
            for minute in &minutes {
                times.extend(seconds.iter().map(|second| hour * 3600 + minute * 60 + second));
            }
        }
        Some(Table {
            times,
            days: schedule.days_of_month().iter().fold(0, |bits, day| bits | 1 << day),
            months: schedule.months().iter().fold(0, |bits, month| bits | 1 << month),
            // The crate counts from Sunday = 1.
            weekdays: schedule.days_of_week().iter().fold(Days::NONE, |days, day| days.with(day + 5)),
        })
    }

    fn names(&self, date: NaiveDate) -> bool {
        self.months & 1 << date.month() != 0 && self.days & 1 << date.day() != 0 && self.weekdays.contains(date)
    }

    fn next_after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut date = local.date();
        if self.names(date) {
            let now = local.time().num_seconds_from_midnight();
            let later = self.times.partition_point(|t| *t <= now);
            if let Some(time) = self.times.get(later) {
                return NaiveTime::from_num_seconds_from_midnight_opt(*time, 0).map(|t| date.and_time(t));
            }
        }
        let first = NaiveTime::from_num_seconds_from_midnight_opt(*self.times.first()?, 0)?;
        // No date stays away longer than 29 February on a given weekday around a century's turn: 40 years.
        for _ in 0..41 * 366 {
            date = date.succ_opt()?;
            if self.names(date) {
                return Some(date.and_time(first));
            }
        }
        None
    }
}

impl Cron {
    /// Reads a cron text in the dialect above.
    pub fn parse(text: &str) -> Result<Cron, CronError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (second, rest) = match fields.len() {
            5 => ("0", &fields[..]),
            6 => (fields[0], &fields[1..]),
            found => return Err(CronError::FieldCount { found }),
        };
        let [minute, hour, day, month, weekday] = [rest[0], rest[1], rest[2], rest[3], rest[4]];
        let any = |f: &str| f == "*" || f == "?";
        let weekdays = weekday_list(weekday)?;
        if !any(day) && !any(weekday) {
            return Err(CronError::BothDays { day: day.into(), weekday: weekday.into() });
        }
        for (field, text) in [
            (Field::Second, second),
            (Field::Minute, minute),
            (Field::Hour, hour),
            (Field::DayOfMonth, day),
            (Field::Month, month),
        ] {
            check_numbers(field, text)?;
        }
        let text = format!("{second} {minute} {hour} {day} {month} {weekdays} *");
        let schedule = cron::Schedule::from_str(&text).map_err(|_| CronError::FieldCount { found: fields.len() })?;
        let cron = Cron { table: Table::of(&schedule), schedule };
        // Eight years hold every date of the calendar, 29 February at a century's turn included.
        let start = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN);
        if cron.next_after(start).is_none() {
            return Err(CronError::NeverFires);
        }
        Ok(cron)
    }

    /// `at` + days as cron: every allowed weekday at a time of day.
    pub fn daily(time: NaiveTime, days: Days) -> Cron {
        let names: Vec<_> = (0..7).filter(|d| days.has(*d)).map(|d| Days::NAMES_EN[d as usize]).collect();
        let weekdays = if names.len() == 7 || names.is_empty() { "*".into() } else { names.join(",") };
        let text = format!("{} {} {} * * {weekdays} *", time.second(), time.minute(), time.hour());
        // Built from checked parts: the crate accepts every such text; midnight stands in where it would not.
        let schedule = cron::Schedule::from_str(&text).unwrap_or_else(|_| midnight());
        Cron { table: Table::of(&schedule), schedule }
    }

    /// The first local reading strictly after `local` that the text names, before the zone has its say.
    pub fn next_after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        match &self.table {
            Some(table) => table.next_after(local),
            None => self.next_by_crate(local),
        }
    }

    fn next_by_crate(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        self.schedule.after(&local.and_utc()).next().map(|t| t.naive_utc())
    }
}

fn midnight() -> cron::Schedule {
    #[allow(clippy::expect_used)] // a constant
    cron::Schedule::from_str("0 0 0 * * * *").expect("a constant cron text")
}

fn weekday_list(text: &str) -> Result<String, CronError> {
    if text == "*" || text == "?" {
        return Ok("*".into());
    }
    if text.chars().any(|c| c.is_ascii_digit())
        && text.split([',', '-', '/']).any(|p| p.starts_with(|c: char| c.is_ascii_digit()))
    {
        return Err(CronError::WeekdayDigit { text: text.into() });
    }
    let days =
        Days::parse(text).map_err(|part| CronError::BadField { field: Field::Weekday, text: part, min: 0, max: 0 })?;
    let names: Vec<_> = (0..7).filter(|d| days.has(*d)).map(|d| Days::NAMES_EN[d as usize]).collect();
    Ok(if names.len() == 7 { "*".into() } else { names.join(",") })
}

/// The crate's own messages name no field; so every number is looked at here first.
fn check_numbers(field: Field, text: &str) -> Result<(), CronError> {
    const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    let (min, max) = field.range();
    let bad = || CronError::BadField { field, text: text.into(), min, max };
    let number = |part: &str| -> Result<u32, CronError> {
        if field == Field::Month
            && let Some(i) = MONTHS.iter().position(|m| part.eq_ignore_ascii_case(m))
        {
            return Ok(i as u32 + 1);
        }
        match part.parse::<u32>() {
            Ok(n) if part.len() <= 2 && min <= n && n <= max => Ok(n),
            _ => Err(bad()),
        }
    };
    if text == "?" && field == Field::DayOfMonth {
        return Ok(());
    }
    for part in text.split(',') {
        let (base, step) = match part.split_once('/') {
            Some((base, step)) => (base, Some(step)),
            None => (part, None),
        };
        if let Some(step) = step
            && !step.parse::<u32>().is_ok_and(|s| s >= 1 && s <= max)
        {
            return Err(bad());
        }
        match base.split_once('-') {
            Some((a, b)) => {
                if number(a)? > number(b)? {
                    return Err(bad());
                }
            }
            None if base == "*" => {}
            None => {
                number(base)?;
            }
        }
    }
    Ok(())
}

/// When a slot falls due: its cron texts, its single occasions and its dates, in the station's zone.
#[derive(Clone, Debug)]
pub struct Recurrence {
    crons: Vec<Cron>,
    once: Vec<NaiveDateTime>,
    dates: Dates,
}

impl Recurrence {
    /// From a slot whose `cron` was already found good.
    pub fn of(slot: &Slot) -> Result<Recurrence, CronError> {
        let mut recurrence = Recurrence { crons: Vec::new(), once: Vec::new(), dates: slot.dates.clone() };
        match &slot.when {
            When::Cron(text) => recurrence.crons.push(Cron::parse(text)?),
            When::At(times) => {
                for at in times {
                    match at {
                        At::Daily(time) => {
                            recurrence.crons.push(Cron::daily(*time, slot.dates.days.unwrap_or(Days::ALL)));
                        }
                        At::Once(local) => recurrence.once.push(*local),
                    }
                }
            }
        }
        Ok(recurrence)
    }

    /// The first occurrence strictly after `after` (rule R1).
    pub fn next_after(&self, after: Wall, zone: Zone) -> Option<Wall> {
        let once = self
            .once
            .iter()
            .filter(|local| self.dates.contain(local.date()))
            .filter_map(|local| zone.instant(*local))
            .filter(|t| *t > after);
        let crons = self.crons.iter().filter_map(|cron| self.next_of(cron, after, zone));
        once.chain(crons).min()
    }

    fn next_of(&self, cron: &Cron, after: Wall, zone: Zone) -> Option<Wall> {
        let mut local = zone.local(after);
        if let Some(from) = self.dates.from {
            local = local.max(day_before(from).and_hms_opt(23, 59, 59)?);
        }
        loop {
            local = cron.next_after(local)?;
            let date = local.date();
            if self.dates.to.is_some_and(|to| date > to) {
                return None;
            }
            if !self.dates.contain(date) {
                // The rest of a day left out cannot matter.
                local = next_day(date).and_time(NaiveTime::MIN) - chrono::TimeDelta::seconds(1);
                continue;
            }
            match zone.instant(local) {
                Some(t) if t > after => return Some(t),
                // Skipped by a gap, or the first reading of a fold whose second we are in.
                _ => continue,
            }
        }
    }

    /// Local seconds in `[from, until)` on allowed dates that the zone's clock never shows: what `check` warns of.
    pub fn skipped_between(&self, from: NaiveDateTime, until: NaiveDateTime, zone: Zone) -> Vec<NaiveDateTime> {
        let mut skipped: Vec<_> =
            self.once.iter().copied().filter(|l| *l >= from && *l < until && zone.instant(*l).is_none()).collect();
        for cron in &self.crons {
            let mut local = from - chrono::TimeDelta::seconds(1);
            // A cron text of every second has no business here; a year of minutes is the most that is looked at.
            for _ in 0..600_000 {
                match cron.next_after(local) {
                    Some(next) if next < until => local = next,
                    _ => break,
                }
                if self.dates.contain(local.date()) && zone.instant(local).is_none() {
                    skipped.push(local);
                }
            }
        }
        skipped.sort_unstable();
        skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> Wall {
        Wall::parse_rfc3339(text).unwrap()
    }

    fn recurrence(cron: &str) -> Recurrence {
        Recurrence { crons: vec![Cron::parse(cron).unwrap()], once: vec![], dates: Dates::default() }
    }

    #[test]
    fn weekday_names_of_both_languages_mean_the_same_day() {
        for text in ["30 5 * * MON-FRI", "30 5 * * T2-T6", "0 30 5 * * t2-t6"] {
            let next = recurrence(text).next_after(wall("2022-10-01T00:00:00+07:00"), Zone::default());
            assert_eq!(next, Some(wall("2022-10-03T05:30:00+07:00")), "{text}");
        }
        let weekend = recurrence("0 6 * * SAT-MON").next_after(wall("2022-10-03T07:00:00+07:00"), Zone::default());
        assert_eq!(weekend, Some(wall("2022-10-08T06:00:00+07:00")));
    }

    #[test]
    fn what_dialects_disagree_on_is_refused() {
        assert_eq!(Cron::parse("30 5 * * 1-5").unwrap_err(), CronError::WeekdayDigit { text: "1-5".into() });
        assert!(matches!(Cron::parse("30 5 1 * MON"), Err(CronError::BothDays { .. })));
        assert_eq!(Cron::parse("******").unwrap_err(), CronError::FieldCount { found: 1 });
        assert_eq!(Cron::parse("30 5 * * * * *").unwrap_err(), CronError::FieldCount { found: 7 });
        assert_eq!(Cron::parse("0 0 31 2 *").unwrap_err(), CronError::NeverFires);
        assert!(matches!(
            Cron::parse("61 5 * * *"),
            Err(CronError::BadField { field: Field::Minute, min: 0, max: 59, .. })
        ));
        assert!(matches!(Cron::parse("5 25 * * *"), Err(CronError::BadField { field: Field::Hour, .. })));
        assert!(matches!(Cron::parse("5 5 * * T8"), Err(CronError::BadField { field: Field::Weekday, .. })));
        assert!(Cron::parse("0 0 29 2 *").is_ok());
        assert!(Cron::parse("*/15 6-8 * JAN,DEC *").is_ok());
    }

    #[test]
    fn the_table_comes_to_the_same_seconds_as_the_crate() {
        let texts = [
            "30 5 * * *",
            "0 0 * * T2-T6",
            "15 59 23 * * CN",
            "0 12 ? * SAT-MON",
            "*/10 5-6 * JAN,MAR *",
            "7,9 */5 1-7 * *",
            "0 0 29 2 *",
        ];
        for text in texts {
            let cron = Cron::parse(text).unwrap();
            assert!(cron.table.is_some(), "{text}");
            let mut at = NaiveDate::from_ymd_opt(2023, 12, 20).unwrap().and_hms_milli_opt(5, 29, 59, 999).unwrap();
            // The crate knows no year after 2100.
            for _ in 0..200 {
                if at.year() > 2090 {
                    break;
                }
                let next = cron.next_after(at);
                assert_eq!(next, cron.next_by_crate(at), "{text} after {at}");
                let Some(next) = next else { break };
                at = next;
            }
        }
        assert!(Cron::parse("* * * * * *").unwrap().table.is_none());
    }

    #[test]
    fn a_gap_is_no_occurrence_and_a_fold_counts_once() {
        let zone = Zone::by_name("Europe/Berlin").unwrap();
        let daily = recurrence("30 2 * * *");
        assert_eq!(
            daily.next_after(wall("2022-03-26T12:00:00Z"), zone),
            Some(wall("2022-03-28T02:30:00+02:00")),
            "02:30 does not exist on 27 March"
        );
        let first = daily.next_after(wall("2022-10-29T12:00:00Z"), zone).unwrap();
        assert_eq!(first, wall("2022-10-30T02:30:00+02:00"));
        assert_eq!(daily.next_after(first, zone), Some(wall("2022-10-31T02:30:00+01:00")));
        assert_eq!(
            daily.next_after(wall("2022-10-30T02:10:00+01:00"), zone),
            Some(wall("2022-10-31T02:30:00+01:00")),
            "asked within the second reading"
        );
    }

    #[test]
    fn dates_limit_and_times_need_not_be_on_the_minute() {
        let mut r = recurrence("15 30 5 * * *");
        r.dates.from = Some("2022-10-01".parse().unwrap());
        r.dates.to = Some("2022-10-03".parse().unwrap());
        r.dates.except = vec!["2022-10-02".parse().unwrap()];
        let zone = Zone::default();
        let a = r.next_after(wall("2020-01-01T00:00:00Z"), zone).unwrap();
        assert_eq!(a, wall("2022-10-01T05:30:15+07:00"));
        let b = r.next_after(a, zone).unwrap();
        assert_eq!(b, wall("2022-10-03T05:30:15+07:00"));
        assert_eq!(r.next_after(b, zone), None);
        assert_eq!(r.next_after(Wall(a.0 - 1), zone), Some(a));
    }
}
