//! What holds whatever the world does: random days with sessions that overlap, relay windows, emergencies, offers,
//! withdrawals, stops, lost devices, clock steps, power cuts and crashes at arbitrary milliseconds, and people who edit:
//! sessions moved, taken out and put in, withdrawals, lists that come late, quiet hours and rights that change, played
//! through by the rehearsal. A failing case prints its seed: `LOAXA_SEED=N cargo test --test properties` plays it
//! again. `LOAXA_CASES` sets how many are tried.

#![allow(clippy::unwrap_used)] // a test

mod days;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use days::{Case, make};
use loaxa::domain::airing::{Airing, Entry, Kind, Reason, legal};
use loaxa::domain::config::Config;
use loaxa::domain::schedule::{FIX_AHEAD_MS, Walk};
use loaxa::domain::simulate::{Incident, Rehearsed, rehearse};
use loaxa::domain::time::{SECOND_MS, Wall};

fn wall(text: &str) -> Wall {
    Wall::parse_rfc3339(text).unwrap()
}

fn check(case: &Case, rows: &[Rehearsed]) -> Result<(), String> {
    let mut planned: BTreeMap<String, Wall> = BTreeMap::new();
    let mut airings: BTreeMap<String, &Airing> = BTreeMap::new();
    let mut last = Wall(i64::MIN);
    for row in rows {
        if !case.steps && row.recorded_at < last {
            return Err("rows go back in time".into());
        }
        last = row.recorded_at;
        match &row.entry {
            Entry::Session(session) => {
                for item in &session.items {
                    if planned.insert(item.airing_id.clone(), wall(&item.planned_at)).is_some() {
                        return Err(format!("{} is planned twice", item.airing_id));
                    }
                }
            }
            Entry::Airing(a) => {
                if airings.insert(a.airing_id.clone(), a).is_some() {
                    return Err(format!("{} has two rows", a.airing_id));
                }
            }
            Entry::Event(_) => {}
        }
    }
    for (id, at) in &planned {
        match airings.get(id) {
            None if *at < case.rehearsal.to => return Err(format!("{id} has no row")),
            Some(a) if wall(&a.planned_at) != *at => return Err(format!("{id} changed its planned time")),
            _ => {}
        }
    }
    nothing_is_forgotten(case, &planned, &airings)?;
    let mut spans: Vec<(Wall, Wall, String)> = Vec::new();
    for (id, a) in &airings {
        if !legal(a.outcome, a.reason) {
            return Err(format!("{id} may not be {:?} {:?}", a.outcome, a.reason));
        }
        if a.kind != Kind::Manual && !planned.contains_key(id) {
            return Err(format!("{id} was never planned"));
        }
        if a.outcome.begun() != a.started_at.is_some() {
            return Err(format!("{id} is {:?} but started {:?}", a.outcome, a.started_at));
        }
        if !(case.steps || case.stalls) && a.reason == Some(Reason::Late) {
            return Err(format!("{id} is late for no reason"));
        }
        let Some(started) = a.started_at.as_deref().map(wall) else { continue };
        let ended = wall(a.ended_at.as_deref().ok_or(format!("{id} began and never ended"))?);
        let due = wall(&a.planned_at);
        // A step back of less than a second lets a seam win: the next item follows without a gap.
        let early = if case.steps { SECOND_MS - 1 } else { 0 };
        if started + early < due {
            return Err(format!("{id} began before its time"));
        }
        let source = a.slot_source.clone().unwrap_or_default();
        let length = a.clip_ms.unwrap_or(0);
        let late = (started - due).max(0);
        match a.kind {
            Kind::Scheduled => {
                let slot = format!("{source}/{}", a.slot_id.clone().unwrap_or_default());
                let bounds = case.bounds.get(&slot).copied().ok_or(format!("{slot} is unknown"))?;
                let window = bounds.late_ms.max(bounds.wait_ms);
                let inside = bounds.resume || case.device;
                let most = if inside { window + length.max(SECOND_MS) } else { window + SECOND_MS - 1 };
                if late > most {
                    return Err(format!("{id} began {late} ms late, {most} at most"));
                }
            }
            Kind::Relay => {
                let slot = format!("{source}/{}", a.slot_id.clone().unwrap_or_default());
                let window = case.bounds[&slot].relay_ms.unwrap_or(0);
                if late >= window {
                    return Err(format!("{id} began {late} ms late in a window of {window}"));
                }
            }
            Kind::Emergency => {
                if a.position != Some(1) && late >= SECOND_MS && !case.device {
                    return Err(format!("{id} began {late} ms late"));
                }
            }
            Kind::Manual => {}
        }
        if case.steps {
            continue;
        }
        let whole = ended - started == a.played_ms || a.kind == Kind::Relay;
        for (n, (since, programme)) in case.versions.iter().enumerate() {
            let until = case.versions.get(n + 1).map_or(Wall(i64::MAX), |(next, _)| *next);
            let (from, to) = (started.max(*since), ended.min(until));
            let passes = a.kind == Kind::Emergency && may_pass(programme.config(), &source);
            if passes || from >= to {
                continue;
            }
            let quiet = &programme.quiet;
            let inside = if whole {
                quiet.between(from, to).into_iter().any(|(a, b)| a < to && from < b)
            } else {
                (from == started && quiet.quiet_until(started).is_some())
                    || (to == ended && quiet.quiet_until(ended + -1).is_some())
            };
            if inside {
                return Err(format!("{id} sounds in quiet hours"));
            }
        }
        if a.played_ms > ended - started || (a.kind != Kind::Relay && a.played_ms > length) {
            return Err(format!("{id} played {} ms of {length} between {started:?} and {ended:?}", a.played_ms));
        }
        if whole {
            for (from, incident) in case.rehearsal.incidents.iter().filter(|_| !case.stalls) {
                if let Incident::Away(_, back) = incident
                    && started < *back
                    && *from < ended
                {
                    return Err(format!("{id} sounds while the box is off"));
                }
            }
            spans.push((started, ended, id.clone()));
        }
    }
    spans.sort();
    for pair in spans.windows(2) {
        if pair[1].0 < pair[0].1 {
            return Err(format!("{} and {} sound at once", pair[0].2, pair[1].2));
        }
    }
    Ok(())
}

fn may_pass(config: &Config, source: &str) -> bool {
    match config.sources.iter().find(|s| &*s.id == source) {
        Some(source) => source.emergency,
        None => config.local.as_ref().is_some_and(|l| l.emergency),
    }
}

/// Each session that any programme in force at its time names was planned, and each emergency has a row, whatever was
/// edited when: looked up anew, not by the machine's own memory.
fn nothing_is_forgotten(
    case: &Case,
    planned: &BTreeMap<String, Wall>,
    airings: &BTreeMap<String, &Airing>,
) -> Result<(), String> {
    if case.steps {
        // A clock that steps leaves no such order.
        return Ok(());
    }
    for (n, (since, programme)) in case.versions.iter().enumerate() {
        let until = case.versions.get(n + 1).map_or(case.rehearsal.to, |(next, _)| *next);
        let mut walk = Walk::new(programme.clone(), *since);
        while let Some(session) = walk.next_before((until + FIX_AHEAD_MS + 1).min(case.rehearsal.to)) {
            // What an offer brings depends on what was planned before.
            let own = session.items.iter().position(|i| i.offer.is_none());
            let key = session.key(programme.zone);
            if own.is_some() && !planned.keys().any(|id| id.starts_with(&format!("{key}/"))) {
                return Err(format!("{key} was never planned"));
            }
        }
        for e in &programme.emergencies {
            let start = e.from.max(e.since).max(*since);
            if start >= until.min(e.until).min(case.rehearsal.to) {
                continue;
            }
            let of_it = |a: &&Airing| {
                a.slot_source.as_deref() == Some(&*e.source)
                    && a.slot_id.as_deref() == Some(&*e.id)
                    && wall(a.session_start.as_deref().unwrap_or_default()) + SECOND_MS > e.from
            };
            // It may have waited until after the last row that is wanted.
            let waits = planned
                .iter()
                .any(|(id, at)| id.starts_with(&format!("{}/{}/", e.source, e.id)) && *at >= case.rehearsal.to);
            if !waits && !airings.values().copied().any(|a| of_it(&a)) {
                return Err(format!("emergency {}/{} has no row", e.source, e.id));
            }
        }
    }
    Ok(())
}

fn play(seed: u64) -> Result<(), String> {
    let case = make(seed);
    let shown = |why: String, rows: &[Rehearsed]| {
        let mut text = format!("seed {seed}: {why}\n{}\n", case.told);
        for row in rows {
            let at = case.programme.zone.rfc3339(row.recorded_at);
            let _ = match &row.entry {
                Entry::Airing(a) => writeln!(
                    text,
                    "{at} {} {:?} {:?} {:?}-{:?} {}/{:?}",
                    a.airing_id, a.outcome, a.reason, a.started_at, a.ended_at, a.played_ms, a.clip_ms
                ),
                Entry::Session(s) => writeln!(text, "{at} session {} {}", s.slot_id, s.session_start),
                Entry::Event(e) => writeln!(text, "{at} {:?} {:?}", e.event, e.detail),
            };
        }
        text
    };
    let (rows, answers) = rehearse(case.programme.clone(), &case.rehearsal);
    check(&case, &rows).map_err(|why| shown(why, &rows))?;
    if seed.is_multiple_of(4) {
        let (rows_again, answers_again) = rehearse(case.programme.clone(), &case.rehearsal);
        if format!("{rows:?}{answers:?}") != format!("{rows_again:?}{answers_again:?}") {
            return Err(shown("the same input came out otherwise".into(), &rows));
        }
    }
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

#[test]
fn whatever_happens_each_planned_airing_ends_once_and_lawfully() {
    if let Some(seed) = number("LOAXA_SEED") {
        return play(seed).unwrap_or_else(|why| panic!("{why}"));
    }
    let cases = number("LOAXA_CASES").unwrap_or(2_000);
    let first = number("LOAXA_FIRST_SEED").unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let one = |seed: u64| match std::panic::catch_unwind(|| play(seed)) {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_) => Some(format!("seed {seed} panicked")),
    };
    let mut failed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|t| {
                scope.spawn(move || {
                    (first..first + cases).skip(t as usize).step_by(threads as usize).filter_map(one).collect()
                })
            })
            .collect();
        workers.into_iter().flat_map(|w| w.join().unwrap_or_else(|_| vec!["a worker panicked".to_owned()])).collect()
    });
    failed.sort_by_key(String::len);
    let heads: Vec<&str> = failed.iter().filter_map(|f| f.lines().next()).take(30).collect();
    assert!(failed.is_empty(), "{} of {cases} cases\n{}\n{}", failed.len(), failed[0], heads.join("\n"));
}
