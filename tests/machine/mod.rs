//! The daemon's machine without its daemon: `playout` and the sample-exact `render`, brought together as `daemon/run` and
//! `edge/speaker` bring them together - sounds armed one pre-roll ahead, a device that takes buffers a little before
//! they sound, reports that come when they come, a loop that wakes late - in invented time.
#![allow(dead_code, clippy::unwrap_used)] // shared by tests that use parts

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use loaxa::domain::airing::{Airing, Entry, Reason, Write};
use loaxa::domain::playout::{Action, EndedHow, Event, Past, PlayRefusal, Playout, Report, SessionName, Settings};
use loaxa::domain::render::{Ending, Feed, NotBegun, Placed, Renderer, Report as Rendered};
use loaxa::domain::schedule::{Programme, session_key};
use loaxa::domain::stage::{Absence, Begin};
use loaxa::domain::time::{ClockState, Now, Wall};

const MS: i64 = 1_000_000;
/// How far ahead the daemon hands the speaker the quiet hours, milliseconds.
const GATE_AHEAD_MS: i64 = 3 * 24 * 3_600_000;

/// A clip of one level.
pub struct Tone {
    left: u64,
    level: Rc<Cell<f32>>,
}

impl Feed for Tone {
    fn pull(&mut self, out: &mut [f32]) -> usize {
        let n = out.len().min(self.left as usize);
        out[..n].fill(self.level.get());
        self.left -= n as u64;
        n
    }
    fn exhausted(&self) -> bool {
        self.left == 0
    }
    fn ready(&self) -> bool {
        true
    }
}

/// How the machine is built.
#[derive(Clone, Debug)]
pub struct Build {
    /// Frames a second.
    pub rate: u32,
    /// The device takes so much at a time, milliseconds.
    pub buffer_ms: i64,
    /// So long before it sounds.
    pub ahead_ms: i64,
    /// The device takes so long to open.
    pub open_ms: i64,
    /// The loop wakes so much too late, at most.
    pub late_ms: u64,
    pub pre_roll_ms: i64,
    pub lead_ms: i64,
    /// An ending is told so late.
    pub report_ms: i64,
    /// The loop looks so often whatever it was told.
    pub look_ms: i64,
}

struct Voice {
    /// What playout called this arming; the renderer knows it by the same number.
    number: u64,
    airing: String,
    level: Rc<Cell<f32>>,
    begin: Begin,
    begun: bool,
}

type Level<'a> = dyn Fn(&Begin, &Programme) -> f32 + 'a;
type Heard<'a> = dyn FnMut(Wall, &[f32]) + 'a;

/// The machine.
pub struct Machine<'a> {
    pub build: Build,
    pub playout: Playout,
    programme: Arc<Programme>,
    renderer: Renderer<Tone>,
    voices: Vec<Voice>,
    /// How loud a sound is: decided by the test, not by the machine.
    level: Box<Level<'a>>,
    /// Every buffer: wall time of its first frame as the box sees it when the buffer is filled, and the samples.
    heard: Box<Heard<'a>>,
    /// Boot time, milliseconds.
    pub at: i64,
    /// Wall time less boot time, milliseconds.
    pub offset: i64,
    pub clock: ClockState,
    wake: i64,
    callback: Option<i64>,
    frame_at: i64,
    told_progress: i64,
    held: Vec<(i64, Report)>,
    /// Levels that change: when, whose.
    flips: Vec<(i64, Rc<Cell<f32>>, f32)>,
    inbox: Vec<Report>,
    luck: u64,
    noted: HashMap<String, i64>,
    closed: Vec<String>,
    saved: Option<serde_json::Value>,
    pub rows: Vec<Airing>,
    pub answers: Vec<Result<String, PlayRefusal>>,
    pub device_ok: bool,
}

impl<'a> Machine<'a> {
    pub fn new(
        build: Build,
        programme: Arc<Programme>,
        wall: Wall,
        level: impl Fn(&Begin, &Programme) -> f32 + 'a,
        heard: impl FnMut(Wall, &[f32]) + 'a,
    ) -> Machine<'a> {
        let at = 1_000;
        let mut machine = Machine {
            playout: Playout::new(programme.clone(), settings(&build), None, wall),
            renderer: Renderer::new(build.rate, 1),
            build,
            programme,
            voices: Vec::new(),
            level: Box::new(level),
            heard: Box::new(heard),
            at,
            offset: wall.0 - at,
            clock: ClockState::Synced,
            wake: at,
            callback: None,
            frame_at: at,
            told_progress: 0,
            held: Vec::new(),
            flips: Vec::new(),
            inbox: Vec::new(),
            luck: 1,
            noted: HashMap::new(),
            closed: Vec::new(),
            saved: None,
            rows: Vec::new(),
            answers: Vec::new(),
            device_ok: true,
        };
        machine.set_gate();
        machine.step(Event::Tick);
        machine
    }

    pub fn wall(&self) -> Wall {
        Wall(self.at + self.offset)
    }

    fn now(&self) -> Now {
        Now { wall_ns: (self.at + self.offset) * MS, boot_ns: self.at * MS, clock: self.clock }
    }

    fn set_gate(&mut self) {
        let now = self.now();
        let quiet = self.programme.quiet.between(now.wall(), now.wall() + GATE_AHEAD_MS);
        self.renderer.set_gate(quiet.into_iter().map(|(a, b)| (now.boot_ns_of(a), now.boot_ns_of(b))).collect());
    }

    fn frames(&self, ms: i64) -> u64 {
        (ms.max(0) * i64::from(self.build.rate) / 1000) as u64
    }

    fn ms(&self, frames: u64) -> i64 {
        ((frames * 1000 + u64::from(self.build.rate) / 2) / u64::from(self.build.rate)) as i64
    }

    /// Hands the machine an event, and what comes of it.
    pub fn step(&mut self, event: Event) {
        if let Event::Programme(programme) = &event {
            self.programme = programme.clone();
            self.set_gate();
            // What loses its right gets a moment to fade, beside what the device has taken already; what has one has it
            // at once.
            let by = self.at + self.build.ahead_ms + self.build.buffer_ms + 50;
            self.flips.clear();
            for voice in &self.voices {
                let level = (self.level)(&voice.begin, programme);
                if level < 0.0 {
                    voice.level.set(level);
                } else {
                    self.flips.push((by, voice.level.clone(), level));
                }
            }
        }
        let settled = self.rows.len();
        let actions = self.playout.step(self.now(), event);
        for action in actions {
            self.carry_out(action);
        }
        for row in self.rows[settled..].iter().filter(|row| !row.outcome.begun()) {
            // Whatever waits at the speaker for its instant will sound.
            let waits = self.voices.iter().any(|v| v.airing == row.airing_id && !v.begun);
            assert!(!waits, "{} is {:?} and waits at the speaker", row.airing_id, row.outcome);
        }
        for report in std::mem::take(&mut self.inbox) {
            self.step(Event::Speaker(report));
        }
    }

    fn carry_out(&mut self, action: Action) {
        let now = self.now();
        match action {
            Action::Write(writes) => writes.into_iter().for_each(|w| self.write(w)),
            Action::Play { arming, begin } => self.play(arming, begin),
            Action::Retime { arming, at } => {
                if let Some(v) = self.voices.iter().find(|v| v.number == arming && !v.begun) {
                    self.renderer.retime(v.number, now.boot_ns_of(at));
                }
            }
            Action::ClockStepped => self.set_gate(),
            Action::Bound { arming, passes_quiet, end_by } => {
                if let Some(v) = self.voices.iter().find(|v| v.number == arming) {
                    self.renderer.bound(v.number, passes_quiet, end_by.map(|t| now.boot_ns_of(t)));
                }
            }
            Action::Cut { arming, at } => {
                let end = (at > now.wall()).then(|| now.boot_ns_of(at));
                let Some(i) = self.voices.iter().position(|v| v.number == arming) else { return };
                if self.renderer.cut(arming, end).is_some() {
                    let airing_id = self.voices.remove(i).airing;
                    let ended =
                        Report::Ended { airing_id, arming, wall_ns: now.wall_ns, played_ms: 0, how: EndedHow::Cut };
                    self.inbox.push(ended);
                }
            }
            Action::Answer { result, .. } => self.answers.push(result),
            Action::WakeAt(at) => {
                self.luck = self.luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let late = (self.luck >> 33) % (self.build.late_ms + 1);
                self.wake = (at.0 - self.offset).min(self.at + self.build.look_ms).max(self.at + 1) + late as i64;
            }
            Action::Amplifier(_) | Action::Relay { .. } => {}
        }
    }

    fn play(&mut self, number: u64, begin: Begin) {
        let level = Rc::new(Cell::new((self.level)(&begin, &self.programme)));
        let left = self.frames(begin.clip.duration_ms.unwrap_or(0) - begin.offset_ms);
        let now = self.now();
        let placed = Placed {
            voice: number,
            at_boot_ns: now.boot_ns_of(begin.at),
            start_by_boot_ns: now.boot_ns_of(begin.start_by),
            gain: 10f64.powf(begin.gain_db / 20.0) as f32,
            seam: begin.seam,
            takes_over: begin.takes_over,
            end_by_boot_ns: begin.end_by.map(|t| now.boot_ns_of(t)),
            passes_quiet: begin.passes_quiet,
            fade_in: begin.offset_ms > 0,
        };
        self.renderer.place(placed, Tone { left, level: level.clone() });
        self.voices.push(Voice { number, airing: begin.airing_id.clone(), level, begin, begun: false });
        if self.callback.is_none() && self.device_ok {
            let first = self.at + self.build.open_ms;
            self.callback = Some(first);
            self.frame_at = first + self.build.ahead_ms;
        }
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Append(Entry::Airing(airing)) => self.rows.push(*airing),
            Write::Note { airing_id, played_ms } => {
                self.noted.insert(airing_id, played_ms);
            }
            Write::Close { airing_id } => {
                self.noted.remove(&airing_id);
                self.closed.push(airing_id);
            }
            Write::Set { name, value } if name == "playout" => self.saved = Some(value),
            _ => {}
        }
    }

    /// The device takes one buffer.
    fn buffer(&mut self) {
        let at = self.at;
        self.flips.retain(|(by, level, value)| {
            if *by <= at {
                level.set(*value);
            }
            *by > at
        });
        let mut out = vec![0.0; self.frames(self.build.buffer_ms) as usize];
        let mut reports = Vec::new();
        self.renderer.render(self.frame_at * MS, &mut out, &mut reports);
        (self.heard)(Wall(self.frame_at + self.offset), &out);
        self.frame_at += self.build.buffer_ms;
        let now = self.now();
        for report in reports {
            let voice = match &report {
                Rendered::Began { voice, .. } | Rendered::Ended { voice, .. } | Rendered::Refused { voice, .. } => {
                    *voice
                }
            };
            let Some(i) = self.voices.iter().position(|v| v.number == voice) else { continue };
            let (airing_id, arming) = (self.voices[i].airing.clone(), voice);
            match report {
                Rendered::Began { at_boot_ns, late_ns, .. } => {
                    self.voices[i].begun = true;
                    self.told_progress = at_boot_ns / MS;
                    let (wall_ns, error_ns) = (now.wall_ns_of(at_boot_ns), late_ns);
                    self.inbox.push(Report::Began { airing_id, arming, wall_ns, error_ns });
                }
                Rendered::Ended { at_boot_ns, accepted, how, .. } => {
                    self.voices.remove(i);
                    let how = match how {
                        Ending::Whole => EndedHow::Whole,
                        Ending::Cut => EndedHow::Cut,
                        Ending::TakenOver => EndedHow::TakenOver,
                        Ending::Quiet | Ending::EndBy => EndedHow::Quiet,
                    };
                    let (wall_ns, played_ms) = (now.wall_ns_of(at_boot_ns), self.ms(accepted));
                    // Told when the last sample has sounded.
                    let told = (at_boot_ns + MS - 1) / MS + self.build.report_ms;
                    self.held.push((told, Report::Ended { airing_id, arming, wall_ns, played_ms, how }));
                }
                Rendered::Refused { why, .. } => {
                    self.voices.remove(i);
                    let reason = match why {
                        NotBegun::Late => Reason::Late,
                        NotBegun::Quiet => Reason::QuietHours,
                    };
                    self.inbox.push(Report::Refused { airing_id, arming, reason });
                }
            }
        }
        if let Some((number, frames)) = self.renderer.sounding()
            && self.at >= self.told_progress + 1_000
            && let Some(voice) = self.voices.iter().find(|v| v.number == number)
        {
            self.told_progress = self.at;
            let (airing_id, arming) = (voice.airing.clone(), number);
            self.inbox.push(Report::Progress { airing_id, arming, played_ms: self.ms(frames) });
        }
        self.callback = (!self.renderer.is_empty()).then_some(self.at + self.build.buffer_ms);
        for report in std::mem::take(&mut self.inbox) {
            self.step(Event::Speaker(report));
        }
    }

    /// Goes on to a moment of boot time, milliseconds.
    pub fn run_to(&mut self, until: i64) {
        loop {
            let told = self.held.iter().map(|(at, _)| *at).min();
            let next = [Some(self.wake), self.callback, told].into_iter().flatten().min().unwrap_or(until);
            if next > until {
                self.at = self.at.max(until);
                return;
            }
            self.at = self.at.max(next);
            while let Some(i) = self.held.iter().position(|(at, _)| *at <= self.at) {
                let (_, report) = self.held.remove(i);
                self.step(Event::Speaker(report));
            }
            if self.callback.is_some_and(|at| at <= self.at) {
                self.buffer();
            }
            if self.wake <= self.at {
                self.step(Event::Tick);
            }
        }
    }

    /// Goes on to a moment at which something happens: before what else falls due in the same instant.
    pub fn run_until(&mut self, wall: Wall) {
        let at = wall.0 - self.offset;
        self.run_to(at - 1);
        self.at = self.at.max(at);
    }

    /// The wall clock jumps, and is looked at. The daemon holds the quiet hours against it once a second, so that what
    /// is too little for a step (a clock that is slewed) moves them as well.
    pub fn step_clock(&mut self, ms: i64) {
        self.offset += ms;
        self.step(Event::Tick);
        self.set_gate();
    }

    /// The program is gone and comes back after a while; what it knows is what it wrote down.
    pub fn away(&mut self, absence: Absence, ms: i64) {
        let saved = self.saved.clone().and_then(|v| serde_json::from_value(v).ok());
        // As the log says it: sessions of which something is settled.
        let planned = self.playout.planned().into_iter().filter(|name| self.settled(name)).collect();
        self.renderer = Renderer::new(self.build.rate, 1);
        self.voices.clear();
        self.held.clear();
        self.inbox.clear();
        self.callback = None;
        self.at += ms;
        self.device_ok = true;
        let past = saved.map(|saved| Past { saved, absence, noted_ms: std::mem::take(&mut self.noted), planned });
        self.playout = Playout::new(self.programme.clone(), settings(&self.build), past, self.wall());
        self.set_gate();
        self.step(Event::Tick);
    }

    fn settled(&self, (start, source, slot): &SessionName) -> bool {
        let session = session_key(source, slot, *start, self.programme.zone) + "/";
        self.rows.iter().any(|row| row.airing_id.starts_with(&session))
    }

    /// The audio device goes: what sounds is told to have ended with it.
    pub fn lose_device(&mut self) {
        let sounding = self.renderer.sounding();
        for (placed, feed) in self.renderer.drain() {
            self.renderer.place(placed, feed);
        }
        self.callback = None;
        self.device_ok = false;
        let now = self.now();
        let (begun, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.voices).into_iter().partition(|v| v.begun);
        self.voices = waiting;
        self.step(Event::Speaker(Report::DeviceLost));
        for voice in begun {
            let frames = sounding.filter(|(number, _)| *number == voice.number).map_or(0, |(_, frames)| frames);
            let (wall_ns, played_ms) = (now.wall_ns, self.ms(frames));
            let how = EndedHow::DeviceLost;
            self.step(Event::Speaker(Report::Ended {
                airing_id: voice.airing,
                arming: voice.number,
                wall_ns,
                played_ms,
                how,
            }));
        }
    }

    /// It is back.
    pub fn device_back(&mut self) {
        self.device_ok = true;
        if !self.renderer.is_empty() {
            self.callback = Some(self.at + self.build.open_ms);
            self.frame_at = self.at + self.build.open_ms + self.build.ahead_ms;
        }
        self.step(Event::Speaker(Report::DeviceBack));
    }
}

fn settings(build: &Build) -> Settings {
    Settings { pre_roll_ms: build.pre_roll_ms, lead_ms: build.lead_ms, output: "null".into(), ideal: false }
}
