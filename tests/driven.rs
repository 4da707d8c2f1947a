//! The state machine driven as the daemon drives it - ticks that come a little late, sounds armed one pre-roll ahead, a
//! speaker that reports - must come to the same rows as the rehearsal, but for what is measured.

#![allow(clippy::unwrap_used)] // a test

mod days;
mod machine;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta};
use days::{Case, PEOPLE, make_with};

use loaxa::domain::airing::{Airing, Entry, Kind, Write};
use loaxa::domain::config::read_config;
use loaxa::domain::playlist::{Form, read_list};
use loaxa::domain::playout::{Action, EndedHow, Event, Playout, Report, Settings};
use loaxa::domain::schedule::{EMERGENCY_GAP_MS, EmergencyOrder, InForce, Programme};
use loaxa::domain::simulate::{Incident, Rehearsal, airings, rehearse};
use loaxa::domain::stage::{Begin, Stop};
use loaxa::domain::time::{ClockState, Now, Wall};
use machine::{Build, Machine};

const CONFIG: &str =
    "[station]\nid = \"xa\"\nname = \"X\"\n[local]\nplaylist = \"l\"\nclips = \"c\"\n[output]\ndevice = \"null\"\n";

const LIST: &str = r#"
slots = [
  { id = "s", at = "05:30", items = ["nhac", "a", "b", "a"] },
  { id = "h", at = "05:32", items = ["b", "a"] },
  { id = "w", at = "05:33", start = "soft", items = ["a", "nhac"] },
  { id = "r", kind = "relay", at = "05:50", length = "5m" },
  { id = "u", at = "05:52", start = "soft", priority = "priority", items = ["a"] },
  { id = "x", at = "06:00", items = ["dai", "a", "b"] },
  { id = "q", at = "20:58:30", items = ["a", "b", "a"] },
  { id = "ngay", cron = "*/20 7-19 * * *", items = ["nhac", "a", "b"] },
]
emergencies = [
  { id = "e", clip = "bao", from = "2022-10-05T06:03:00+07:00", until = "2022-10-05T06:30:00+07:00", repeat = 2, every = "5m" },
  { id = "f", clip = "a", from = "2022-10-05T07:20:30+07:00", until = "2022-10-05T09:30:00+07:00", every = "20m" },
]
withdrawals = [{ slot = "ngay", at = "2022-10-05T12:01:00+07:00" }]
[[clips]]
id = "nhac"
file = "n.mp3"
title = "n"
kind = "nhac_hieu"
duration_ms = 20500
[[clips]]
id = "a"
file = "a.mp3"
title = "a"
kind = "nhac_cat"
duration_ms = 60000
[[clips]]
id = "b"
file = "b.mp3"
title = "b"
kind = "nhac_cat"
duration_ms = 45250
[[clips]]
id = "bao"
file = "bao.mp3"
title = "bao"
kind = "nhac_cat"
duration_ms = 30000
[[clips]]
id = "dai"
file = "dai.mp3"
title = "dai"
kind = "nhac_cat"
duration_ms = 600000
"#;

/// What a speaker has been told and not done yet.
struct Speaker {
    armed: Vec<(u64, Begin)>,
    sounding: Option<(u64, Begin, Wall)>,
    reports: Vec<Report>,
}

impl Speaker {
    fn end(&mut self, at: Wall, how: EndedHow) {
        if let Some((arming, begin, began)) = self.sounding.take() {
            let airing_id = begin.airing_id;
            self.reports.push(Report::Ended {
                airing_id,
                arming,
                wall_ns: at.0 * 1_000_000,
                played_ms: at - began,
                how,
            });
        }
    }

    /// The next moment at which something begins or ends by itself.
    fn next(&self) -> Option<Wall> {
        let ends = self.sounding.as_ref().map(|(_, b, began)| {
            let whole = *began + (b.clip.duration_ms.unwrap_or(0) - b.offset_ms);
            b.end_by.map_or(whole, |edge| edge.min(whole))
        });
        self.armed.iter().map(|(_, b)| b.at).chain(ends).min()
    }

    fn run_until(&mut self, now: Wall) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            if let Some((_, b, began)) = &self.sounding {
                let whole = *began + (b.clip.duration_ms.unwrap_or(0) - b.offset_ms);
                if whole <= at {
                    self.end(whole, EndedHow::Whole);
                    continue;
                }
                if let Some(edge) = b.end_by.filter(|edge| *edge <= at) {
                    self.end(edge, EndedHow::Quiet);
                    continue;
                }
            }
            let Some(i) = self.armed.iter().position(|(_, b)| b.at <= at) else { continue };
            let (arming, begin) = self.armed.remove(i);
            self.end(at, EndedHow::TakenOver);
            let airing_id = begin.airing_id.clone();
            self.reports.push(Report::Began { airing_id, arming, wall_ns: at.0 * 1_000_000, error_ns: 0 });
            self.sounding = Some((arming, begin, at));
        }
    }

    fn told(&mut self, action: Action, now: Wall) {
        match action {
            Action::Play { arming, begin } => {
                let at = begin.at.max(now);
                self.armed.push((arming, Begin { at, ..begin }));
            }
            Action::Cut { arming, at } => {
                self.armed.retain(|(number, _)| *number != arming);
                if self.sounding.as_ref().is_some_and(|(number, ..)| *number == arming) {
                    self.end(at.max(now), EndedHow::Cut);
                }
            }
            _ => {}
        }
    }
}

fn driven(programme: Arc<Programme>, from: Wall, to: Wall, late_ms: i64) -> BTreeMap<String, Airing> {
    let settings = Settings { pre_roll_ms: 2_000, lead_ms: 300, output: "null".into(), ideal: false };
    let mut playout = Playout::new(programme, settings, None, from);
    let mut speaker = Speaker { armed: Vec::new(), sounding: None, reports: Vec::new() };
    let mut rows = BTreeMap::new();
    let (mut at, mut wake, mut ticks) = (from, from, 0i64);
    while at < to {
        let mut events: Vec<Event> = std::mem::take(&mut speaker.reports).into_iter().map(Event::Speaker).collect();
        if events.is_empty() {
            events.push(Event::Tick);
        }
        for event in events {
            let now = Now { wall_ns: at.0 * 1_000_000, boot_ns: (at - from) * 1_000_000, clock: ClockState::Synced };
            for action in playout.step(now, event) {
                match action {
                    Action::Write(writes) => {
                        for write in writes {
                            if let Write::Append(Entry::Airing(airing)) = write {
                                let id = airing.airing_id.clone();
                                assert!(rows.insert(id.clone(), *airing).is_none(), "{id} has two rows");
                            }
                        }
                    }
                    Action::WakeAt(when) => wake = when,
                    other => speaker.told(other, at),
                }
            }
        }
        if !speaker.reports.is_empty() {
            continue;
        }
        ticks += 1;
        let jitter = if late_ms == 0 { 0 } else { ticks * 7 % late_ms };
        let next = speaker.next().map_or(wake, |s| s.min(wake));
        at = next.max(at + 1) + jitter;
        speaker.run_until(at);
    }
    rows
}

#[test]
fn the_daemons_way_and_the_rehearsal_come_to_the_same_rows() {
    let from = Wall::parse_rfc3339("2022-10-05T05:00:00+07:00").unwrap();
    let to = Wall::parse_rfc3339("2022-10-05T23:00:00+07:00").unwrap();
    let config = read_config(CONFIG.as_bytes(), true).value.unwrap();
    let reading = read_list(LIST.as_bytes(), Form::Local);
    let list = reading.value.unwrap_or_else(|| panic!("{:#?}", reading.findings));
    let lists = [InForce { source: "local".into(), list: Arc::new(list), since: from }];
    let programme = Arc::new(Programme::new(Arc::new(config), &lists).unwrap());
    let rehearsal = Rehearsal { from, to, incidents: Vec::new(), clock: ClockState::Synced };
    let (rows, _) = rehearse(programme.clone(), &rehearsal);
    let wanted: BTreeMap<String, Airing> = airings(&rows, from, to).map(|a| (a.airing_id.clone(), a.clone())).collect();
    assert!(wanted.len() > 100, "{}", wanted.len());
    for late_ms in [0, 3, 40] {
        let got = driven(programme.clone(), from, to, late_ms);
        let mut differ = Vec::new();
        for (id, w) in &wanted {
            match got.get(id) {
                Some(g)
                    if g.outcome == w.outcome && g.reason == w.reason && (g.played_ms - w.played_ms).abs() <= 400 => {}
                g => differ.push(format!(
                    "{id}: rehearsed {:?} {:?} {} at {:?}, driven {:?}",
                    w.outcome,
                    w.reason,
                    w.played_ms,
                    w.started_at,
                    g.map(|g| (g.outcome, g.reason, g.played_ms, g.started_at.clone()))
                )),
            }
        }
        let more: Vec<_> = got.keys().filter(|id| !wanted.contains_key(*id)).collect();
        assert!(differ.is_empty() && more.is_empty(), "{late_ms} ms late:\n{}\nmore: {more:?}", differ.join("\n"));
    }
}

/// Plays a day with the machine as it stands behind the daemon, sample by sample.
fn played(case: &Case, build: Build) -> Vec<Airing> {
    let (from, to) = (case.rehearsal.from, case.rehearsal.to);
    let mut m = Machine::new(build, case.programme.clone(), from, |_, _| 0.5, |_, _| ());
    let mut incidents = case.rehearsal.incidents.clone();
    incidents.sort_by_key(|(at, _)| *at);
    let mut programme = case.programme.clone();
    let mut orders = 0;
    for (at, incident) in incidents.into_iter().take_while(|(at, _)| *at < to) {
        m.run_until(at);
        match incident {
            Incident::Stop { for_ms, but_emergency } => {
                let until = for_ms.map(|ms| at + ms);
                m.step(Event::Stop(Stop { since: at, until, but_emergency, by: None, why: None }));
            }
            Incident::Resume => m.step(Event::Resume { by: None }),
            Incident::Programme(other) => {
                programme = other.clone();
                m.step(Event::Programme(other));
            }
            Incident::Clip(clip, fault) => m.step(Event::Clip { clip, fault: Some(fault) }),
            Incident::ClipBack(clip) => m.step(Event::Clip { clip, fault: None }),
            Incident::Play(name) => {
                if let Some(clip) = programme.clip(&name).cloned() {
                    orders += 1;
                    m.step(Event::Play { token: orders, clip, number: orders, by: None });
                }
            }
            Incident::Emergency { clip, for_ms, every_ms } => {
                if let Some(clip) = programme.clip(&clip).cloned() {
                    orders += 1;
                    let (until, by) = (at + for_ms, "simulation".to_owned());
                    let order = EmergencyOrder { clip, until, repeat: 1, gap_ms: EMERGENCY_GAP_MS, every_ms, by };
                    m.step(Event::Emergency { token: orders, order });
                }
            }
            other => panic!("{other:?}"),
        }
    }
    m.run_until(to);
    // What was planned before is played to its end.
    for _ in 0..600 {
        if !m.playout.stage().has_unsettled_before(to) {
            break;
        }
        let on = m.at + 60_000;
        m.run_to(on);
    }
    m.rows
}

/// A row without what is measured or tells the boots apart.
fn decided(airing: &Airing) -> Airing {
    Airing {
        started_at: None,
        ended_at: None,
        start_error_ms: None,
        played_ms: 0,
        output: String::new(),
        boot_id: None,
        recorded_at: None,
        ..airing.clone()
    }
}

fn ms(text: &Option<String>) -> Option<i64> {
    Some(Wall::parse_rfc3339(text.as_deref()?)?.0)
}

/// The name of the same round of an emergency if it began in the second after.
fn next_second(airing: &Airing) -> Option<String> {
    let (head, position) = airing.airing_id.rsplit_once('/').filter(|_| airing.kind == Kind::Emergency)?;
    let (source, start) = head.rsplit_once('/')?;
    let later = DateTime::parse_from_rfc3339(start).ok()? + TimeDelta::seconds(1);
    Some(format!("{source}/{}/{position}", later.to_rfc3339_opts(SecondsFormat::Secs, false)))
}

/// Random days with people and lists that come and go: the same rows, and what is measured within a fade.
fn compare(seed: u64, build: &Build, near_ms: i64) -> Result<usize, String> {
    let case = make_with(seed, PEOPLE);
    let (from, to) = (case.rehearsal.from, case.rehearsal.to);
    let (rows, _) = rehearse(case.programme.clone(), &case.rehearsal);
    let wanted: BTreeMap<&str, &Airing> = airings(&rows, from, to).map(|a| (&*a.airing_id, a)).collect();
    let rows = played(&case, build.clone());
    let mut got: BTreeMap<&str, &Airing> = BTreeMap::new();
    for row in rows.iter().filter(|a| Wall::parse_rfc3339(&a.planned_at).is_some_and(|t| from <= t && t < to)) {
        if got.insert(&row.airing_id, row).is_some() {
            return Err(format!("seed {seed}: {} has two rows", row.airing_id));
        }
    }
    let shown = |a: &Airing| {
        format!(
            "{:?} {:?} {:?}-{:?} {} at {}",
            a.outcome, a.reason, a.started_at, a.ended_at, a.played_ms, a.planned_at
        )
    };
    let mut differ = String::new();
    for (id, w) in &wanted {
        // A round is named by the second it begins in; one that waits for a fade may begin in the next.
        let name = next_second(w).filter(|next| !got.contains_key(id) && got.contains_key(&**next));
        let name = name.as_deref().unwrap_or(id);
        let found = got.remove(name);
        let same = found.is_some_and(|g| {
            let near = |a: &Option<String>, b: &Option<String>| match (ms(a), ms(b)) {
                (Some(a), Some(b)) => (a - b).abs() <= near_ms,
                (a, b) => a == b,
            };
            // What begins when something has faded begins a fade later, and says so in its plan.
            let by_hand = matches!(w.kind, Kind::Emergency | Kind::Manual);
            let planned = |a: &Airing| Some(a.planned_at.clone()).filter(|_| by_hand);
            // What was cut within its first fade may not have begun.
            let hardly = w.played_ms <= near_ms && !g.outcome.begun() && w.reason == g.reason;
            // Just at the border of 98 per cent a fade decides.
            let border = w.clip_ms.is_some_and(|ms| (w.played_ms * 100 - ms * 98).abs() <= near_ms * 100);
            let kept = if border || hardly {
                Airing { outcome: g.outcome, reason: g.reason, ..(*w).clone() }
            } else {
                (*w).clone()
            };
            let even = match by_hand {
                true => Airing {
                    airing_id: name.to_owned(),
                    planned_at: g.planned_at.clone(),
                    session_start: g.session_start.clone(),
                    ..kept
                },
                false => kept,
            };
            decided(&even) == decided(g)
                && near(&planned(w), &planned(g))
                && (hardly || (near(&w.started_at, &g.started_at) && near(&w.ended_at, &g.ended_at)))
                && (w.kind == Kind::Relay || (w.played_ms - g.played_ms).abs() <= near_ms)
        });
        if !same {
            let _ = writeln!(differ, "{id}: rehearsed {}\n   driven {:?}", shown(w), found.map(shown));
        }
    }
    for (id, g) in got {
        let _ = writeln!(differ, "{id}: not rehearsed, driven {}", shown(g));
    }
    if differ.is_empty() { Ok(wanted.len()) } else { Err(format!("seed {seed}:\n{differ}\n{}", case.told)) }
}

/// Whatever people do on random days, the machine behind the daemon and the rehearsal write the same rows: on hardware
/// that needs no time nothing but fades may differ.
#[test]
fn random_days_come_to_the_same_rows() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let seeds = number("LOAXA_SEED").map_or(0..number("LOAXA_CASES").unwrap_or(12u64), |seed: u64| seed..seed + 1);
    let build = |report_ms: i64| Build {
        rate: 1_000,
        buffer_ms: 20,
        ahead_ms: 0,
        open_ms: 0,
        late_ms: 0,
        pre_roll_ms: 2_000,
        lead_ms: 0,
        report_ms,
        look_ms: 30_000,
    };
    let (mut rows, mut failed) = (0, Vec::new());
    let all = seeds.end - seeds.start;
    for seed in seeds {
        // The speaker's word that something has ended comes at once, or a little after the loop has looked.
        let report_ms = [0, 1, 15][seed as usize % 3];
        match compare(seed, &build(report_ms), 45 + report_ms) {
            Ok(n) => rows += n,
            Err(why) => failed.push(why),
        }
    }
    println!("{all} days, {rows} rows");
    failed.sort_by_key(String::len);
    let heads: Vec<&str> = failed.iter().filter_map(|f| f.lines().next()).take(30).collect();
    assert!(failed.is_empty(), "{} of {all} days\n{}\n{}", failed.len(), failed[0], heads.join("\n"));
    assert!(rows > 20 * all as usize || all < 10, "{rows} rows prove nothing");
}
