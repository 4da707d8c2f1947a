//! How long planning takes: the next session among many slots, cold and from the kept walk, a year of sessions, and how
//! both grow; and a list of 10,000 clips from signed bytes to the next session. Prints tables; `cargo bench --bench
//! planning`. With `--check` it fails where a bound is passed.

#![allow(clippy::disallowed_methods)] // a stopwatch is what this is

#[path = "../tests/large_list/mod.rs"]
mod large_list;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loaxa::domain::config::read_config;
use loaxa::domain::playlist::{Form, read_list};
use loaxa::domain::schedule::{InForce, Programme, Walk};
use loaxa::domain::time::{DAY_MS, Wall};

const CONFIG: &str =
    "[station]\nid = \"xa\"\nname = \"X\"\n[local]\nplaylist = \"l\"\nclips = \"c\"\n[output]\ndevice = \"null\"\n";

/// `slots` sessions of `items` items, at different minutes; every tenth by a cron text, every seventh on weekdays only.
fn programme(slots: usize, items: usize, since: Wall) -> Arc<Programme> {
    let mut text = String::new();
    for clip in 0..16 {
        let _ = write!(
            text,
            "[[clips]]\nid = \"c{clip}\"\nfile = \"c{clip}.mp3\"\ntitle = \"c\"\nkind = \"nhac_hieu\"\nduration_ms = 20000\n"
        );
    }
    let names: Vec<String> = (0..items).map(|i| format!("\"c{}\"", i % 16)).collect();
    for slot in 0..slots {
        let (hour, minute, second) = (5 + slot % 16, slot / 16 % 60, slot / 960 % 60);
        let when = match slot % 70 {
            n if n % 10 == 3 => format!("cron = \"{second} {minute} {hour} 1-28 * *\""),
            n if n % 7 == 2 => format!("at = \"{hour:02}:{minute:02}:{second:02}\"\ndays = \"T2-T6\""),
            _ => format!("at = \"{hour:02}:{minute:02}:{second:02}\""),
        };
        let _ = write!(text, "[[slots]]\nid = \"s{slot}\"\n{when}\nitems = [{}]\n", names.join(", "));
    }
    let config = read_config(CONFIG.as_bytes(), true).value.expect("a config");
    let list = read_list(text.as_bytes(), Form::Local).value.expect("a list");
    let lists = [InForce { source: "local".into(), list: Arc::new(list), since }];
    Arc::new(Programme::new(Arc::new(config), &lists).expect("slots"))
}

/// The median of some runs.
fn median(runs: usize, mut once: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..runs).map(|_| once()).collect();
    all.sort();
    all[all.len() / 2]
}

fn main() {
    let check = std::env::args().any(|a| a == "--check");
    let from = Wall::parse_rfc3339("2022-01-01T00:00:00+07:00").expect("a moment");
    let now = from + 100 * DAY_MS + 12_345_678;
    let mut passed = Vec::new();
    println!("slots | items | next, cold | next, kept walk | a year planned | sessions | per session");
    println!("------|-------|------------|-----------------|----------------|----------|------------");
    for (slots, items) in [(10, 8), (100, 8), (1_000, 8), (10_000, 8)] {
        let programme = programme(slots, items, from);
        let cold = median(5, || {
            let start = Instant::now();
            let walk = Walk::new(programme.clone(), now);
            assert!(walk.next_start().is_some());
            start.elapsed()
        });
        let mut walk = Walk::new(programme.clone(), now);
        let kept = median(1_001, || {
            let start = Instant::now();
            let session = walk.next_before(Wall(i64::MAX));
            assert!(session.is_some() && walk.next_start().is_some());
            start.elapsed()
        });
        let until = from + if slots > 1_000 { 36 } else { 365 } * DAY_MS;
        let start = Instant::now();
        let mut walk = Walk::new(programme.clone(), from);
        let mut sessions = 0u32;
        while let Some(session) = walk.next_before(until) {
            assert_eq!(session.items.len(), items);
            sessions += 1;
        }
        let year = start.elapsed();
        let each = year / sessions.max(1);
        println!(
            "{slots:>5} | {items:>5} | {cold:>10.2?} | {kept:>15.2?} | {year:>14.2?} | {sessions:>8} | {each:>10.2?}"
        );
        let bounds = match slots {
            100 => vec![("a year of 100 slots", year, Duration::from_millis(100))],
            10_000 => vec![
                ("next among 10,000 slots, cold", cold, Duration::from_millis(20)),
                ("next among 10,000 slots, kept", kept, Duration::from_micros(50)),
            ],
            _ => Vec::new(),
        };
        passed.extend(bounds.into_iter().filter(|(_, took, most)| took > most));
    }
    println!("(10,000 slots: 36 days in place of a year)");
    let large = large_list::make(10_000);
    let mut runs: Vec<large_list::Took> = (0..9).map(|_| large.through()).collect();
    runs.sort_by_key(large_list::Took::all);
    let took = &runs[runs.len() / 2];
    println!(
        "\na list of 10,000 clips, {:.1} MB: read and verified in {:.1?}, planned in {:.1?}, together {:.1?} (median of {})",
        large.body.len() as f64 / 1e6,
        took.accepted,
        took.planned,
        took.all(),
        runs.len()
    );
    if took.all() > Duration::from_millis(200) {
        passed.push(("a list of 10,000 clips", took.all(), Duration::from_millis(200)));
    }
    for (what, took, most) in &passed {
        println!("over the bound: {what}: {took:.2?}, {most:.2?} at most");
    }
    assert!(!check || passed.is_empty(), "too slow");
}
