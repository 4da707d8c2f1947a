//! Summer time against a table made by brute force: five zones with five ways to change their clocks, five years, every
//! minute asked of the zone's data by itself (UTC to local), the code under test not among those asked.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;
use loaxa::domain::cron::Recurrence;
use loaxa::domain::playlist::{Form, Slot, read_list};
use loaxa::domain::time::{Days, MINUTE_MS, QuietDays, QuietHours, Wall, Window, Zone};

/// Berlin and New York change at night, Lord Howe by half an hour, Santiago and Cairo at midnight.
const ZONES: [&str; 5] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo"];

const YEARS: (i32, i32) = (2021, 2026);

fn offset_s(tz: Tz, utc: NaiveDateTime) -> i64 {
    i64::from(tz.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}

/// Every minute of the years as `(UTC milliseconds, local reading)`.
fn minutes(tz: Tz) -> Vec<(i64, NaiveDateTime)> {
    let day = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
    let (mut utc, end) = (day(YEARS.0), day(YEARS.1));
    let mut all = Vec::with_capacity(2_700_000);
    while utc < end {
        // Where a quarter of an hour begins and ends with the same offset, its minutes share it.
        let (a, b) = (offset_s(tz, utc), offset_s(tz, utc + TimeDelta::minutes(15)));
        for minute in 0..15 {
            let t = utc + TimeDelta::minutes(minute);
            let offset = if a == b { a } else { offset_s(tz, t) };
            all.push((t.and_utc().timestamp_millis(), t + TimeDelta::seconds(offset)));
        }
        utc += TimeDelta::minutes(15);
    }
    all
}

fn slot(when: &str) -> Slot {
    let text = format!(
        "[[clips]]\nid = \"a\"\nfile = \"a.mp3\"\ntitle = \"a\"\nkind = \"nhac_hieu\"\n[[slots]]\nid = \"s\"\nitems = [\"a\"]\n{when}\n"
    );
    read_list(text.as_bytes(), Form::Local).value.unwrap().slots.remove(0)
}

#[test]
fn sessions_fall_on_the_seconds_of_the_table() {
    type Names = fn(NaiveDateTime) -> bool;
    let cases: [(&str, Names); 8] = [
        ("at = \"02:30\"", |l| (l.hour(), l.minute()) == (2, 30)),
        ("at = \"00:00\"", |l| (l.hour(), l.minute()) == (0, 0)),
        ("at = [\"01:59\", \"03:00\"]", |l| [(1, 59), (3, 0)].contains(&(l.hour(), l.minute()))),
        ("at = \"00:30\"\ndays = \"T7,CN\"", |l| {
            (l.hour(), l.minute()) == (0, 30) && Days::parse("SAT,SUN").unwrap().contains(l.date())
        }),
        ("at = \"02:15\"\nfrom = \"2022-03-01\"\nto = \"2024-11-30\"", |l| {
            (l.hour(), l.minute()) == (2, 15)
                && ("2022-03-01".parse().unwrap()..="2024-11-30".parse().unwrap()).contains(&l.date())
        }),
        ("cron = \"*/10 1-3 * * *\"", |l| (1..=3).contains(&l.hour()) && l.minute() % 10 == 0),
        ("cron = \"45 23,0-2 * * SAT-SUN\"", |l| {
            [23, 0, 1, 2].contains(&l.hour()) && l.minute() == 45 && Days::parse("SAT,SUN").unwrap().contains(l.date())
        }),
        ("cron = \"30 1,2 * MAR,APR,SEP,OCT,NOV *\"", |l| {
            use chrono::Datelike;
            [1, 2].contains(&l.hour()) && l.minute() == 30 && [3, 4, 9, 10, 11].contains(&l.month())
        }),
    ];
    for name in ZONES {
        let tz: Tz = name.parse().unwrap();
        let zone = Zone::by_name(name).unwrap();
        let minutes = minutes(tz);
        for (when, names) in &cases {
            // Each local minute counts the first time it is seen; one that is never seen is no session.
            let mut first: BTreeMap<NaiveDateTime, i64> = BTreeMap::new();
            for (utc, local) in minutes.iter().filter(|(_, local)| names(*local)) {
                first.entry(*local).or_insert(*utc);
            }
            let mut wanted: Vec<i64> = first.into_values().collect();
            wanted.sort_unstable();
            let recurrence = Recurrence::of(&slot(when)).unwrap();
            let (mut at, end) = (Wall(minutes[0].0 - 1), minutes[minutes.len() - 1].0);
            let mut got = Vec::with_capacity(wanted.len());
            while let Some(next) = recurrence.next_after(at, zone).filter(|t| t.0 <= end) {
                got.push(next.0);
                at = next;
            }
            // Around the first minute of the table the local year has begun already, or has not: leave that day out.
            let inner = |t: &i64| *t > minutes[2 * 1440].0;
            let differ = got.iter().filter(|t| inner(t)).zip(wanted.iter().filter(|t| inner(t))).find(|(g, w)| g != w);
            assert_eq!(differ, None, "{name} {when}");
            let count = |all: &[i64]| all.iter().filter(|t| inner(t)).count();
            assert_eq!(count(&got), count(&wanted), "{name} {when}");
        }
    }
}

#[test]
fn quiet_windows_hold_in_their_longest_reading() {
    for name in ZONES {
        let tz: Tz = name.parse().unwrap();
        let zone = Zone::by_name(name).unwrap();
        let minutes = minutes(tz);
        let changes: Vec<usize> = (1..minutes.len())
            .filter(|i| minutes[*i].1 - minutes[*i - 1].1 != TimeDelta::minutes(1))
            .filter(|i| (4 * 1440..minutes.len() - 4 * 1440).contains(i))
            .collect();
        assert!(changes.len() >= 5, "{name} changes its clocks");
        for (from, to) in
            [("21:00", "02:30"), ("02:15", "02:45"), ("00:00", "00:30"), ("23:45", "05:00"), ("01:30", "03:00")]
        {
            let time = |t: &str| format!("{t}:00").parse().unwrap();
            let window = Window { from: time(from), to: time(to) };
            let quiet = QuietHours { zone, closed: vec![(window, QuietDays::Weekly(Days::ALL))], open: Vec::new() };
            for change in &changes {
                let around = &minutes[change - 3 * 1440..change + 3 * 1440];
                // An edge at a local reading: its first or last minute; where the clock leaps over it, the leap.
                let edge = |local: NaiveDateTime, last: bool| {
                    let seen = around.iter().filter(|(_, l)| *l == local).map(|(utc, _)| *utc);
                    let leap =
                        || around.windows(2).find(|pair| pair[0].1 < local && local < pair[1].1).map(|pair| pair[1].0);
                    if last { seen.max() } else { seen.min() }.or_else(leap)
                };
                let mut stretches = Vec::new();
                for ahead in -2..=2 {
                    let date = minutes[*change].1.date() + TimeDelta::days(ahead);
                    let end = if window.to > window.from { date } else { date + TimeDelta::days(1) };
                    if let (Some(a), Some(b)) =
                        (edge(date.and_time(window.from), false), edge(end.and_time(window.to), true))
                    {
                        stretches.push((a, b));
                    }
                }
                for (utc, local) in &around[2 * 1440..4 * 1440] {
                    let wanted = stretches.iter().any(|(a, b)| a <= utc && utc < b);
                    let got = quiet.quiet_until(Wall(*utc)).is_some();
                    assert_eq!(got, wanted, "{name} {from}-{to} at {local} ({utc})");
                    let edge = quiet.quiet_until(Wall(utc + MINUTE_MS - 1)).is_some();
                    assert_eq!(edge, wanted, "{name} {from}-{to} in the last millisecond of {local}");
                }
            }
        }
    }
}
