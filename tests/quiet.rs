//! Quiet hours with every input hostile, sample by sample, on the whole way from the lists to the device: sessions laid
//! over each edge, clips and the test tone played by hand, emergencies with and without the right, resumes after a
//! crash, clocks that step into the night, configs that change, a loop that wakes late. What may not sound is positive,
//! what may is negative, and whether a moment is quiet is reckoned here by minutes of the day, not by the program.
//! `LOAXA_CASES` sets how many cases are tried, `LOAXA_SEED` plays one again.
#![allow(clippy::unwrap_used)] // a test

mod days;
mod machine;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use days::Dice;
use loaxa::domain::airing::{Kind, Reason};
use loaxa::domain::config::read_config;
use loaxa::domain::playlist::{Form, read_list};
use loaxa::domain::playout::Event;
use loaxa::domain::schedule::{EmergencyOrder, InForce, Programme};
use loaxa::domain::stage::{Absence, Begin, Stop};
use loaxa::domain::time::{ClockState, DAY_MS, MINUTE_MS, Wall};
use machine::{Build, Machine};

/// Midnight of 5 October 2022, a Wednesday, in Vietnam.
const MIDNIGHT: Wall = Wall(1_664_902_800_000);
/// Cases played with one station.
const EACH: u64 = 8;

/// A window in minutes of the day; over midnight when it ends before it begins.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: i64,
    to: i64,
    /// Only on this weekday, from Monday 0.
    on: Option<i64>,
}

/// When it is quiet.
#[derive(Clone, Debug, Default)]
struct Quiet {
    windows: Vec<Window>,
    /// A stretch of one night that is open, in milliseconds from [`MIDNIGHT`].
    open: Option<(i64, i64)>,
}

impl Quiet {
    fn holds(&self, ms: i64) -> bool {
        if self.open.is_some_and(|(a, b)| a <= ms && ms < b) {
            return false;
        }
        let (day, minute_ms) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
        self.windows.iter().any(|w| {
            let on = |day: i64| w.on.is_none_or(|weekday| (day + 2).rem_euclid(7) == weekday);
            let (from, to) = (w.from * MINUTE_MS, w.to * MINUTE_MS);
            if from < to {
                on(day) && from <= minute_ms && minute_ms < to
            } else {
                // The day it begins on names it, whose evening and next morning it is.
                (on(day) && from <= minute_ms) || (on(day - 1) && minute_ms < to)
            }
        })
    }

    /// Moments at which it may begin or end.
    fn edges(&self) -> Vec<i64> {
        let times = self.windows.iter().flat_map(|w| [w.from, w.to]).map(|m| m * MINUTE_MS);
        times.chain(self.open.iter().flat_map(|(a, b)| [*a, *b])).collect()
    }
}

fn hhmm(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A config, and its quiet hours.
fn config(dice: &mut Dice) -> (String, Quiet) {
    let mut quiet = Quiet::default();
    let from = *dice.pick(&[21 * 60, 21 * 60, 22 * 60 + 10, 20 * 60 + 31, 12 * 60]);
    let main = Window { from, to: (from + 60 * dice.between(4, 14)) % 1440, on: None };
    quiet.windows.push(main);
    let mut text = format!(
        "[station]\nid = \"xa\"\nname = \"X\"\n[[source]]\nid = \"tinh\"\norigin = \"{}\"\nurl = \"http://a/\"\n\
         public_keys = [\"RWSiHO5ysL3Y1Impfpb3VMAGOUY3VQsl9QZnf5AB+lH6FNdq/6Oc79+b\"]\nemergency = {}\n[local]\n\
         playlist = \"l\"\nclips = \"c\"\nemergency = {}\n[output]\ndevice = \"null\"\n[quiet_hours]\nfrom = \"{}\"\n\
         to = \"{}\"\nshorter_by = \"1\"\n",
        dice.pick(&["tinh", "xa"]),
        dice.one_in(2),
        dice.one_in(2),
        hhmm(main.from),
        hhmm(main.to),
    );
    for _ in 0..dice.below(3) {
        let from = dice.between(0, 1440);
        let on = dice.one_in(2).then(|| dice.between(0, 7));
        let window = Window { from, to: (from + dice.between(1, 200)) % 1440, on };
        if window.from == window.to {
            continue;
        }
        let _ = write!(text, "[[quiet_also]]\nfrom = \"{}\"\nto = \"{}\"\n", hhmm(window.from), hhmm(window.to));
        if let Some(on) = on {
            let _ = writeln!(text, "days = \"{}\"", ["T2", "T3", "T4", "T5", "T6", "T7", "CN"][on as usize]);
        }
        quiet.windows.push(window);
    }
    if dice.one_in(3) {
        let from = (main.from + dice.between(-30, 120)).rem_euclid(1440);
        let length = dice.between(1, 180);
        let _ = write!(
            text,
            "[[quiet_open]]\ndate = \"2022-10-05\"\nfrom = \"{}\"\nto = \"{}\"\nby = \"A\"\n",
            hhmm(from),
            hhmm((from + length) % 1440)
        );
        quiet.open = Some((from * MINUTE_MS, (from + length) * MINUTE_MS));
    }
    (text, quiet)
}

fn moment(ms: i64) -> String {
    let local = chrono::DateTime::from_timestamp_millis(MIDNIGHT.0 + ms + 7 * 3_600_000).unwrap();
    local.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A list whose sessions and emergencies lie over the edges.
fn list(dice: &mut Dice, source: &str, edges: &[i64]) -> String {
    let mut text = if source == "local" { String::new() } else { format!("source = \"{source}\"\n") };
    for id in ["a", "b", "c"] {
        let ms = *dice.pick(&[400, 700, 3_000, 9_000, 15_000, 40_000, 200_000]);
        let _ = write!(
            text,
            "[[clips]]\nid = \"{id}\"\nfile = \"{id}.mp3\"\ntitle = \"{id}\"\nkind = \"nhac_cat\"\nduration_ms = {ms}\n\
             priority = \"{}\"\n",
            dice.pick(&["normal", "priority", "emergency"])
        );
    }
    for slot in 0..1 + dice.below(4) {
        let at = dice.pick(edges) + 1_000 * dice.between(-45, 20);
        let _ = write!(text, "[[slots]]\nid = \"s{slot}\"\nat = \"{}\"\n", moment(at));
        if dice.one_in(6) {
            text.push_str("kind = \"relay\"\nlength = \"30s\"\n");
            continue;
        }
        let items: Vec<&str> = (0..1 + dice.below(4)).map(|_| *dice.pick(&["\"a\"", "\"b\"", "\"c\""])).collect();
        let _ = write!(
            text,
            "items = [{}]\nstart = \"{}\"\npriority = \"{}\"\nlate = \"{}s\"\nwait_up_to = \"{}s\"\nresume = {}\n",
            items.join(", "),
            dice.pick(&["hard", "soft"]),
            dice.pick(&["normal", "priority", "emergency"]),
            dice.pick(&[0, 5, 600]),
            dice.pick(&[0, 5, 600]),
            dice.one_in(2),
        );
    }
    for id in 0..dice.below(3) {
        let from = dice.pick(edges) + 1_000 * dice.between(-30, 15);
        let _ = write!(
            text,
            "[[emergencies]]\nid = \"e{id}\"\nclip = \"{}\"\nfrom = \"{}+07:00\"\nuntil = \"{}+07:00\"\nrepeat = {}\n\
             gap = \"{}s\"\n",
            dice.pick(&["a", "b", "c"]),
            moment(from),
            moment(from + 1_000 * dice.between(5, 4_000)),
            1 + dice.below(3),
            dice.pick(&[0, 1, 10]),
        );
        if dice.one_in(2) {
            text.push_str("every = \"15s\"\n");
        }
    }
    text
}

/// Whether a sound has the right to pass: by the config, not by what the machine says.
fn may_pass(begin: &Begin, programme: &Programme) -> bool {
    let source = begin.airing_id.split('/').next().unwrap_or_default();
    let config = programme.config();
    let right = match config.sources.iter().find(|s| &*s.id == source) {
        Some(source) => source.emergency,
        None => source == "local" && config.local.as_ref().is_some_and(|l| l.emergency),
    };
    begin.kind == Kind::Emergency && right
}

struct World {
    programme: Arc<Programme>,
    quiet: Quiet,
    told: String,
}

fn world(dice: &mut Dice, around: Option<&[i64]>) -> World {
    let (text, quiet) = config(dice);
    let reading = read_config(text.as_bytes(), true);
    let config = Arc::new(reading.value.unwrap_or_else(|| panic!("{:#?}\n{text}", reading.findings)));
    let mut edges = quiet.edges();
    edges.extend(around.into_iter().flatten());
    let mut told = text;
    let mut lists = Vec::new();
    for source in ["local", "tinh"] {
        let text = list(dice, source, &edges);
        let form = if source == "local" { Form::Local } else { Form::Handwritten };
        let reading = read_list(text.as_bytes(), form);
        let list = reading.value.unwrap_or_else(|| panic!("{:#?}\n{text}", reading.findings));
        let _ = write!(told, "--- {source}\n{text}");
        lists.push(InForce { source: source.into(), list: Arc::new(list), since: MIDNIGHT });
    }
    World { programme: Arc::new(Programme::new(config, &lists).unwrap()), quiet, told }
}

/// What was heard of all cases, so that silence is no proof.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    outside: u64,
    passed: u64,
    stopped_at_an_edge: u64,
    forbidden: u64,
}

impl Heard {
    fn add(&mut self, other: Heard) {
        self.outside += other.outside;
        self.passed += other.passed;
        self.stopped_at_an_edge += other.stopped_at_an_edge;
        self.forbidden += other.forbidden;
    }
}

fn order(dice: &mut Dice, programme: &Programme, now: Wall) -> Option<EmergencyOrder> {
    let name = *dice.pick(&["a", "b", "tinh/c"]);
    Some(EmergencyOrder {
        clip: programme.clip(name)?.clone(),
        until: now + 1_000 * dice.between(1, 600),
        repeat: 1 + dice.below(3) as u32,
        gap_ms: 1_000,
        every_ms: dice.one_in(2).then_some(10_000),
        by: "A".into(),
    })
}

fn case(seed: u64, world: &World) -> Result<Heard, String> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9).wrapping_add(77));
    let quiet = RefCell::new(world.quiet.clone());
    let found: RefCell<Option<String>> = RefCell::new(None);
    let heard = RefCell::new(Heard::default());
    let rate = 200;
    let build = Build {
        rate,
        buffer_ms: *dice.pick(&[50, 100, 200]),
        ahead_ms: *dice.pick(&[0, 100, 300]),
        open_ms: *dice.pick(&[10, 200, 900]),
        late_ms: *dice.pick(&[0, 3, 40, 700]),
        pre_roll_ms: 2_000,
        lead_ms: *dice.pick(&[400, 2_000]),
        report_ms: *dice.pick(&[0, 1, 30, 200]),
        look_ms: 1_000,
    };
    let edges = world.quiet.edges();
    let day = *dice.pick(&[0, 0, 0, DAY_MS, -DAY_MS]);
    let start = MIDNIGHT + *dice.pick(&edges) + day + -dice.between(0, 40_000);
    let level = |begin: &Begin, programme: &Programme| if may_pass(begin, programme) { -0.5 } else { 0.5 };
    let listen = |first: Wall, samples: &[f32]| {
        let mut heard = heard.borrow_mut();
        for (n, sample) in samples.iter().enumerate().filter(|(_, s)| **s != 0.0) {
            let at = first + n as i64 * 1_000 / i64::from(rate);
            let quiet = quiet.borrow().holds(at - MIDNIGHT);
            match (quiet, *sample < 0.0) {
                (true, false) => {
                    let mut found = found.borrow_mut();
                    found.get_or_insert_with(|| format!("{sample} sounds at {}", moment(at - MIDNIGHT)));
                }
                (true, true) => heard.passed += 1,
                (false, _) => heard.outside += 1,
            }
        }
    };
    let mut m = Machine::new(build.clone(), world.programme.clone(), start, level, listen);
    let mut told = format!("{build:?} from {}\n", moment(start - MIDNIGHT));
    let mut others: Vec<World> = Vec::new();
    let mut manual = 0;
    for _ in 0..dice.below(7) {
        let until = m.at + dice.between(1, 15_000);
        m.run_to(until);
        let programme = others.last().map_or(&world.programme, |w| &w.programme).clone();
        let what = dice.below(13);
        let _ = writeln!(told, "{} {what}", moment(m.wall() - MIDNIGHT));
        match what {
            0 | 1 => {
                manual += 1;
                let name = *dice.pick(&["a", "b", "tinh/c"]);
                let clip = programme.clip(name).unwrap().clone();
                m.step(Event::Play { token: manual, clip, number: manual, by: None });
            }
            2 | 3 => {
                let order = order(&mut dice, &programme, m.wall()).unwrap();
                m.step(Event::Emergency { token: 9, order });
            }
            4 => {
                m.away(*dice.pick(&[Absence::Crashed, Absence::PowerOff, Absence::ShutDown]), dice.between(50, 20_000))
            }
            5 => {
                // Into another night, or to just before it.
                let to = MIDNIGHT + *dice.pick(&edges) + dice.between(-4_000, 4_000);
                m.step_clock(to - m.wall());
            }
            6 => m.step_clock(dice.between(-15_000, 15_000)),
            7 => {
                m.lose_device();
                let until = m.at + dice.between(1, 5_000);
                m.run_to(until);
                m.device_back();
            }
            8 => {
                let stop = Stop { since: m.wall(), until: None, but_emergency: dice.one_in(2), by: None, why: None };
                m.step(Event::Stop(stop));
            }
            9 => m.step(Event::Resume { by: None }),
            10 => {
                m.clock = if m.clock == ClockState::Unknown { ClockState::Synced } else { ClockState::Unknown };
                m.step(Event::Tick);
            }
            _ => {
                // Other quiet hours, other rights, other lists, from this moment.
                let now = m.wall() - MIDNIGHT;
                let other = self::world(&mut dice, Some(&[now, now + 10_000]));
                quiet.replace(other.quiet.clone());
                m.step(Event::Programme(other.programme.clone()));
                let _ = writeln!(told, "{}", other.told);
                others.push(other);
            }
        }
    }
    let until = m.at + dice.between(5_000, 40_000);
    m.run_to(until);
    for row in &m.rows {
        if row.reason == Some(Reason::QuietHours) {
            let mut heard = heard.borrow_mut();
            *(if row.outcome.begun() { &mut heard.stopped_at_an_edge } else { &mut heard.forbidden }) += 1;
        }
    }
    let rows: Vec<String> = m
        .rows
        .iter()
        .map(|a| {
            format!(
                "{} {:?} {:?} {:?} {:?} {}",
                a.airing_id, a.outcome, a.reason, a.started_at, a.ended_at, a.played_ms
            )
        })
        .collect();
    drop(m);
    match found.into_inner() {
        Some(why) => Err(format!("seed {seed}: {why}\n{}\n{told}\n{}", world.told, rows.join("\n"))),
        None => Ok(heard.into_inner()),
    }
}

fn cases(first: u64, count: u64) -> (Heard, Option<String>) {
    let (mut heard, mut failed) = (Heard::default(), None);
    let mut kept: Option<(u64, World)> = None;
    for seed in first..first + count {
        let station = seed / EACH;
        if kept.as_ref().is_none_or(|(number, _)| *number != station) {
            kept = Some((station, world(&mut Dice(station), None)));
        }
        let Some((_, world)) = &kept else { continue };
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case(seed, world))) {
            Ok(Ok(more)) => heard.add(more),
            Ok(Err(why)) => {
                failed.get_or_insert(why);
            }
            Err(_) => {
                failed.get_or_insert(format!("seed {seed} panicked\n{}", world.told));
            }
        }
    }
    (heard, failed)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

#[test]
fn nothing_that_may_not_sound_is_heard_in_quiet_hours() {
    if let Some(seed) = number("LOAXA_SEED") {
        let (_, failed) = cases(seed, 1);
        assert!(failed.is_none(), "{}", failed.unwrap_or_default());
        return;
    }
    let total = number("LOAXA_CASES").unwrap_or(20_000);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let each = total.div_ceil(threads).div_ceil(EACH) * EACH;
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|t| scope.spawn(move || cases(t * each, each))).collect();
        workers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    let (mut heard, mut failed) = (Heard::default(), Vec::new());
    for (more, why) in results {
        heard.add(more);
        failed.extend(why);
    }
    println!("{} cases: {heard:?}", each * threads);
    assert!(failed.is_empty(), "{}", failed[0]);
    // Each of these must have happened, or nothing was proved.
    let least = total / 20;
    assert!(heard.outside > total && heard.passed > total, "{heard:?}");
    assert!(heard.stopped_at_an_edge > least && heard.forbidden > least, "{heard:?}");
}

/// The reckoning by minutes of the day says the same as the program's windows, over three days.
#[test]
fn both_reckonings_of_quiet_hours_agree() {
    for seed in 0..40 {
        let world = world(&mut Dice(seed), None);
        for minute in -1440..2880 {
            let ms = minute * MINUTE_MS;
            for off in [-1, 0] {
                let program = world.programme.quiet.quiet_until(MIDNIGHT + (ms + off)).is_some();
                assert_eq!(world.quiet.holds(ms + off), program, "{}\n{}", moment(ms + off), world.told);
            }
        }
    }
}
