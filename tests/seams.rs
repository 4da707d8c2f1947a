//! What is armed or planned stays so, once.
//!
//! Between the second at which an item should have ended and the speaker's word that it did, the next one stays armed:
//! a sound card's clock is never the wall's, and a busy machine reports late.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use loaxa::domain::airing::{Entry, Outcome, Reason, Write};
use loaxa::domain::config::read_config;
use loaxa::domain::playlist::{Form, read_list};
use loaxa::domain::playout::{Action, EndedHow, Event, Past, Playout, Report, Saved, Settings};
use loaxa::domain::schedule::{InForce, Programme};
use loaxa::domain::stage::{Absence, Stop};
use loaxa::domain::time::{ClockState, Now, Wall};

const CONFIG: &str =
    "[station]\nid = \"xa\"\nname = \"X\"\n[local]\nplaylist = \"l\"\nclips = \"c\"\n[output]\ndevice = \"null\"\n";

const LIST: &str = r#"
slots = [{ id = "s", at = "05:30", items = ["a", "b", "a"] }]
clips = [
  { id = "a", file = "a.mp3", title = "a", kind = "nhac_cat", duration_ms = 1500 },
  { id = "b", file = "b.mp3", title = "b", kind = "nhac_cat", duration_ms = 1500 },
]
"#;

#[test]
fn an_armed_seam_stays_armed_while_the_item_before_it_is_not_reported_over() {
    let start = Wall::parse_rfc3339("2022-10-05T05:30:00+07:00").unwrap();
    let from = start + -120_000;
    let config = read_config(CONFIG.as_bytes(), true).value.unwrap();
    let list = read_list(LIST.as_bytes(), Form::Local).value.unwrap();
    let lists = [InForce { source: "local".into(), list: Arc::new(list), since: from }];
    let programme = Arc::new(Programme::new(Arc::new(config), &lists).unwrap());
    for late_ms in [0, 1, 3, 40, 300] {
        let settings = Settings { pre_roll_ms: 2_000, lead_ms: 300, output: "null".into(), ideal: false };
        let mut playout = Playout::new(programme.clone(), settings, None, from);
        let now = |at: Wall| Now {
            wall_ns: at.0 * 1_000_000 + 300_000,
            boot_ns: (at - from) * 1_000_000,
            clock: ClockState::Synced,
        };
        let (mut plays, mut cuts) = (Vec::new(), Vec::new());
        let mut step = |at: Wall, event: Event| {
            for action in playout.step(now(at), event) {
                match action {
                    Action::Play { arming, begin } => plays.push((arming, begin.airing_id)),
                    Action::Cut { arming, .. } => cuts.push(arming),
                    _ => {}
                }
            }
        };
        let id = |n: i64| format!("local/s/2022-10-05T05:30:00+07:00/{n}");
        let mut at = from;
        // Ticks every half second, and at every millisecond from each end to its report.
        for n in 1..=3i64 {
            let (begins, ends) = (start + (n - 1) * 1_500, start + n * 1_500);
            while at < begins {
                step(at, Event::Tick);
                at = at + 500;
            }
            let report =
                Report::Began { airing_id: id(n), arming: n as u64, wall_ns: begins.0 * 1_000_000, error_ns: 0 };
            step(at.max(begins), Event::Speaker(report));
            while at < ends {
                step(at, Event::Tick);
                at = at + 500;
            }
            for ms in 0..late_ms {
                step(ends + ms, Event::Tick);
            }
            let report = Report::Ended {
                airing_id: id(n),
                arming: n as u64,
                wall_ns: (ends + late_ms).0 * 1_000_000,
                played_ms: 1_500,
                how: EndedHow::Whole,
            };
            step(ends + late_ms, Event::Speaker(report));
        }
        assert_eq!(plays, [(1, id(1)), (2, id(2)), (3, id(3))], "{late_ms} ms late");
        assert_eq!(cuts, Vec::<u64>::new(), "{late_ms} ms late");
    }
}

/// The loop wakes late, and hears that what waited was refused in the very step that deals with its beginning: what is
/// tried again is armed once.
#[test]
fn what_was_refused_before_the_loop_woke_is_armed_once_more_at_most() {
    let start = Wall::parse_rfc3339("2022-10-05T05:30:00+07:00").unwrap();
    let from = start + -120_000;
    let config = read_config(CONFIG.as_bytes(), true).value.unwrap();
    let list = read_list(LIST.replace("at = ", "late = \"5s\", at = ").as_bytes(), Form::Local).value.unwrap();
    let lists = [InForce { source: "local".into(), list: Arc::new(list), since: from }];
    let programme = Arc::new(Programme::new(Arc::new(config), &lists).unwrap());
    let settings = Settings { pre_roll_ms: 2_000, lead_ms: 300, output: "null".into(), ideal: false };
    let id = "local/s/2022-10-05T05:30:00+07:00/1";
    let mut again = 0;
    for reason in [Reason::Late, Reason::QuietHours, Reason::ClipBad] {
        let mut playout = Playout::new(programme.clone(), settings.clone(), None, from);
        let mut armed = Vec::new();
        let mut step = |at: Wall, event: Event| {
            let now = Now { wall_ns: at.0 * 1_000_000, boot_ns: (at - from) * 1_000_000, clock: ClockState::Synced };
            let plays = playout.step(now, event).into_iter().filter_map(|action| match action {
                Action::Play { arming, begin } => Some((arming, begin.airing_id)),
                _ => None,
            });
            armed.extend(plays.filter(|(_, airing)| airing == id).map(|(arming, _)| arming));
            armed.clone()
        };
        let mut at = from;
        while at < start {
            step(at, Event::Tick);
            at = at + 500;
        }
        assert_eq!(step(start + -100, Event::Tick), [1]);
        let refused = Report::Refused { airing_id: id.into(), arming: 1, reason };
        let armed = step(start + 500, Event::Speaker(refused));
        assert!(armed.len() <= 2, "{reason:?}: {armed:?}");
        again += armed.len() - 1;
    }
    assert!(again > 0, "nothing was tried again");
}

/// Taken back and armed again: the speaker's late word that the first arming is over does not end the second.
#[test]
fn the_late_end_of_an_arming_that_was_taken_back_ends_nothing() {
    let start = Wall::parse_rfc3339("2022-10-05T05:30:00+07:00").unwrap();
    let config = read_config(CONFIG.as_bytes(), true).value.unwrap();
    let list = read_list(LIST.as_bytes(), Form::Local).value.unwrap();
    let from = start + -120_000;
    let lists = [InForce { source: "local".into(), list: Arc::new(list), since: from }];
    let programme = Arc::new(Programme::new(Arc::new(config), &lists).unwrap());
    let settings = Settings { pre_roll_ms: 2_000, lead_ms: 300, output: "null".into(), ideal: false };
    let mut playout = Playout::new(programme, settings, None, from);
    let airing_id = "local/s/2022-10-05T05:30:00+07:00/1".to_owned();
    let (mut orders, mut rows) = (Vec::new(), Vec::new());
    let mut step = |at: Wall, event: Event| {
        let now = Now { wall_ns: at.0 * 1_000_000, boot_ns: (at - from) * 1_000_000, clock: ClockState::Synced };
        for action in playout.step(now, event) {
            match action {
                Action::Play { arming, begin } if begin.airing_id == airing_id => orders.push(("play", arming)),
                Action::Cut { arming, .. } => orders.push(("cut", arming)),
                Action::Write(writes) => rows.extend(writes.into_iter().filter_map(|write| match write {
                    Write::Append(Entry::Airing(row)) if row.airing_id == airing_id => {
                        Some((row.outcome, row.played_ms))
                    }
                    _ => None,
                })),
                _ => {}
            }
        }
    };
    let mut at = from;
    while at < start + -1_500 {
        step(at, Event::Tick);
        at = at + 500;
    }
    let since = start + -1_400;
    step(since, Event::Stop(Stop { since, until: None, but_emergency: false, by: None, why: None }));
    step(start + -1_000, Event::Resume { by: None });
    step(start, Event::Tick);
    let ended = |arming, ms, how| {
        let (airing_id, wall_ns) = (airing_id.clone(), (start + ms).0 * 1_000_000);
        Event::Speaker(Report::Ended { airing_id, arming, wall_ns, played_ms: ms, how })
    };
    step(start + 20, ended(1, 0, EndedHow::Cut));
    let began = Report::Began { airing_id: airing_id.clone(), arming: 2, wall_ns: start.0 * 1_000_000, error_ns: 0 };
    step(start + 40, Event::Speaker(began));
    step(start + 1_500, ended(2, 1_500, EndedHow::Whole));
    assert_eq!(orders, [("play", 1), ("cut", 1), ("play", 2)]);
    assert_eq!(rows, [(Outcome::Aired, 1_500)]);
}

/// An emergency nobody foresaw, of a clip shorter than a second: what follows it is armed for the moment it ends.
#[test]
fn what_follows_a_short_clip_nobody_foresaw_is_armed_for_its_own_moment() {
    let start = Wall::parse_rfc3339("2022-10-05T06:30:00+07:00").unwrap();
    let config = read_config(CONFIG.replace("clips = \"c\"", "clips = \"c\"\nemergency = true").as_bytes(), true);
    let config = Arc::new(config.value.unwrap());
    let programme = |text: &str| {
        let list = read_list(text.as_bytes(), Form::Local).value.unwrap();
        let lists = [InForce { source: "local".into(), list: Arc::new(list), since: start + -600_000 }];
        Arc::new(Programme::new(config.clone(), &lists).unwrap())
    };
    let short = LIST.replace("1500", "700");
    let urgent = format!(
        "{short}emergencies = [{{ id = \"e\", clip = \"a\", from = \"2022-10-05T06:00:00+07:00\", \
         until = \"2022-10-05T07:00:00+07:00\", repeat = 2, gap = \"0s\" }}]\n"
    );
    let settings = Settings { pre_roll_ms: 2_000, lead_ms: 0, output: "null".into(), ideal: false };
    let mut playout = Playout::new(programme(&short), settings, None, start + -30_000);
    let now =
        |at: Wall| Now { wall_ns: at.0 * 1_000_000, boot_ns: (at - start) * 1_000_000, clock: ClockState::Synced };
    playout.step(now(start + -30_000), Event::Tick);
    let actions = playout.step(now(start), Event::Programme(programme(&urgent)));
    let begins = actions.into_iter().filter_map(|action| match action {
        Action::Play { begin, .. } => Some(begin.at - start),
        _ => None,
    });
    assert_eq!(begins.collect::<Vec<_>>(), [0, 700]);
}

/// The clock is set forward past the start of what waits at the speaker: its row says `missed`, and so it is.
#[test]
fn what_a_clock_step_made_too_late_is_taken_back_from_the_speaker() {
    let start = Wall::parse_rfc3339("2022-10-05T05:30:00+07:00").unwrap();
    let config = read_config(CONFIG.replace("clips = \"c\"", "clips = \"c\"\nemergency = true").as_bytes(), true);
    let list = format!(
        "{LIST}emergencies = [{{ id = \"e\", clip = \"a\", from = \"2022-10-05T05:30:00+07:00\", \
         until = \"2022-10-05T05:40:00+07:00\" }}]\n"
    );
    let list = read_list(list.as_bytes(), Form::Local).value.unwrap();
    let lists = [InForce { source: "local".into(), list: Arc::new(list), since: start + -600_000 }];
    let programme = Arc::new(Programme::new(Arc::new(config.value.unwrap()), &lists).unwrap());
    let settings = Settings { pre_roll_ms: 2_000, lead_ms: 300, output: "null".into(), ideal: false };
    for step_ms in [700, 3_500, 20_000, 900_000] {
        let from = start + -90_000;
        let mut playout = Playout::new(programme.clone(), settings.clone(), None, from);
        let (mut waiting, mut unheard) = (BTreeMap::new(), BTreeSet::new());
        let mut step = |boot_ms: i64, off_ms: i64| {
            let wall = from + boot_ms + off_ms;
            let now = Now { wall_ns: wall.0 * 1_000_000, boot_ns: boot_ms * 1_000_000, clock: ClockState::Synced };
            for action in playout.step(now, Event::Tick) {
                match action {
                    Action::Play { arming, begin } => drop(waiting.insert(arming, begin.airing_id)),
                    Action::Cut { arming, .. } => drop(waiting.remove(&arming)),
                    Action::Write(writes) => unheard.extend(writes.into_iter().filter_map(|w| match w {
                        Write::Append(Entry::Airing(a)) if !a.outcome.begun() => Some(a.airing_id),
                        _ => None,
                    })),
                    _ => {}
                }
            }
        };
        for boot_ms in (0..89_000).step_by(500) {
            step(boot_ms, 0);
        }
        for boot_ms in (89_000..95_000).step_by(100) {
            step(boot_ms, step_ms);
        }
        let against: Vec<_> = waiting.values().filter(|id| unheard.contains(*id)).collect();
        assert_eq!(against, Vec::<&String>::new(), "a step of {step_ms} ms");
        assert!(step_ms < 1_000 || !unheard.is_empty(), "a step of {step_ms} ms");
    }
}

/// A box that crashes a minute before a session, with its plan fixed and nothing of it settled yet.
#[test]
fn a_session_that_was_planned_before_a_crash_is_not_planned_again() {
    let start = Wall::parse_rfc3339("2022-10-05T05:30:00+07:00").unwrap();
    let config = read_config(CONFIG.as_bytes(), true).value.unwrap();
    let list = read_list(LIST.as_bytes(), Form::Local).value.unwrap();
    let lists = [InForce { source: "local".into(), list: Arc::new(list), since: start + -600_000 }];
    let programme = Arc::new(Programme::new(Arc::new(config), &lists).unwrap());
    let settings = Settings { pre_roll_ms: 2_000, lead_ms: 300, output: "null".into(), ideal: false };
    let now =
        |at: Wall| Now { wall_ns: at.0 * 1_000_000, boot_ns: (at - start) * 1_000_000, clock: ClockState::Synced };
    let from = start + -90_000;
    let mut first = Playout::new(programme.clone(), settings.clone(), None, from);
    let mut at = from;
    let mut saved = None;
    while at < start + -30_000 {
        for action in first.step(now(at), Event::Tick) {
            if let Action::Write(writes) = action {
                for write in writes {
                    if let Write::Set { name, value } = write
                        && name == "playout"
                    {
                        saved = Some(serde_json::from_value::<Saved>(value).unwrap());
                    }
                }
            }
        }
        at = at + 1_000;
    }
    // As the log knows it: no airing is settled.
    let past = Past { saved: saved.unwrap(), absence: Absence::Crashed, noted_ms: HashMap::new(), planned: Vec::new() };
    let mut second = Playout::new(programme, settings, Some(past), at);
    let (mut plays, mut sessions) = (Vec::new(), 0);
    while at < start + 10_000 {
        for action in second.step(now(at), Event::Tick) {
            match action {
                Action::Play { begin, .. } => plays.push(begin.airing_id),
                Action::Write(writes) => {
                    sessions += writes.iter().filter(|w| matches!(w, Write::Append(Entry::Session(_)))).count();
                }
                _ => {}
            }
        }
        at = at + 1_000;
    }
    assert_eq!(sessions, 0, "its plan is in the log already");
    assert_eq!(second.stage().sessions().count(), 1);
    let once: BTreeSet<_> = plays.iter().collect();
    assert_eq!(once.len(), plays.len(), "{plays:?}");
}
