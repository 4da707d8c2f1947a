//! The rehearsal (rule R9): the same state machine, driven through simulated time with an ideal speaker. What
//! happens to the box on the way - power cuts, a device that goes, a clock that jumps, people - comes in as
//! incidents. Same input, same rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::airing::{Airing, Entry, Reason, Write};
use crate::domain::playout::{
    Action, EndedHow, Event, Past, PlayRefusal, Playout, REMEMBERED_MS, Report, SessionName, Settings, session_of,
};
use crate::domain::schedule::{EMERGENCY_GAP_MS, EmergencyOrder, Programme};
use crate::domain::stage::{Absence, Stop};
use crate::domain::time::{ClockState, Now, Wall};

/// The name rows give the output of a rehearsal.
pub const OUTPUT: &str = "simulation";

/// Something that happens to the box. Moments are true time: what an unstepped clock would show.
#[derive(Clone, Debug)]
pub enum Incident {
    /// The box goes, and is back at a moment.
    Away(Absence, Wall),
    /// The audio device goes.
    DeviceLost,
    /// It is back.
    DeviceBack,
    /// The amplifier cannot be switched on from now on.
    HookFails,
    /// It can again.
    HookWorks,
    /// The box does nothing until a moment, though it runs: suspended, or too busy to look.
    Stall(Wall),
    /// The wall clock jumps by so many milliseconds.
    ClockStep(i64),
    /// The next start finds the wall clock off by so much more, milliseconds, and trusted or not: no battery.
    NextBoot {
        /// Added to the wall clock while the box is away.
        step_ms: i64,
        /// Whether it is trusted then.
        clock: ClockState,
    },
    /// The clock is trusted from now on, or no more.
    Clock(ClockState),
    /// A person silences the station.
    Stop {
        /// How long, milliseconds; none: until resumed.
        for_ms: Option<i64>,
        /// Whether emergencies pass.
        but_emergency: bool,
    },
    /// A person ends the silence.
    Resume,
    /// Other lists or config come into force.
    Programme(Arc<Programme>),
    /// The audio of a clip, `SOURCE/ID`, is missing or broken from now on.
    Clip(String, Reason),
    /// It is there again.
    ClipBack(String),
    /// A person plays a clip, `SOURCE/ID`.
    Play(String),
    /// A person sends a clip, `SOURCE/ID`, as an emergency.
    Emergency {
        /// The clip.
        clip: String,
        /// It is still worth sending so long, milliseconds.
        for_ms: i64,
        /// From round to round, milliseconds; none: one round.
        every_ms: Option<i64>,
    },
}

impl Incident {
    /// Whether it makes a difference to a box that is away when it happens and back at `back`: nobody can order about
    /// a program that does not run, and a box that is off can not go off.
    fn happens_to_a_box_that_is_off(&self, back: Wall) -> bool {
        match self {
            Incident::Away(_, until) | Incident::Stall(until) => *until > back,
            Incident::Stop { .. } | Incident::Resume | Incident::Play(_) | Incident::Emergency { .. } => false,
            _ => true,
        }
    }
}

/// A stretch of simulated time and what happens in it.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The lists come into force and the first session may start.
    pub from: Wall,
    /// Rows planned before this are wanted.
    pub to: Wall,
    /// What happens, in any order.
    pub incidents: Vec<(Wall, Incident)>,
    /// Whether the clock is trusted at the start.
    pub clock: ClockState,
}

/// A row of a rehearsal and the moment it would have been written.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// The row.
    pub entry: Entry,
    /// When, by the box's own clock.
    pub recorded_at: Wall,
    /// Counts the boots from 1.
    pub boot: u32,
}

/// What came of a manual play.
pub type Answers = Vec<Result<String, PlayRefusal>>;

struct World {
    playout: Option<Playout>,
    rows: Vec<Rehearsed>,
    answers: Answers,
    boot: u32,
    booted: Wall,
    offset_ms: i64,
    clock: ClockState,
    programme: Arc<Programme>,
    bad: BTreeMap<String, Reason>,
    next_boot: Option<(i64, ClockState)>,
    wake: Wall,
    played: u64,
}

fn settings() -> Settings {
    Settings { pre_roll_ms: 0, lead_ms: 0, output: OUTPUT.into(), ideal: true }
}

impl World {
    fn now(&self, truth: Wall) -> Now {
        Now {
            wall_ns: (truth.0 + self.offset_ms) * 1_000_000,
            boot_ns: (truth - self.booted) * 1_000_000,
            clock: self.clock,
        }
    }

    /// The sessions that have rows, as a start finds them in the log.
    fn settled_since(&self, since: Wall) -> Vec<SessionName> {
        airings(&self.rows, since, Wall(i64::MAX))
            .filter_map(|a| session_of(&a.airing_id, self.programme.zone))
            .collect()
    }

    fn step(&mut self, truth: Wall, event: Event) {
        let now = self.now(truth);
        let Some(playout) = &mut self.playout else { return };
        for action in playout.step(now, event) {
            match action {
                Action::Write(writes) => {
                    for write in writes {
                        if let Write::Append(mut entry) = write {
                            if let Entry::Airing(airing) = &mut entry {
                                airing.boot_id = Some(format!("sim-{}", self.boot));
                            }
                            self.rows.push(Rehearsed { entry, recorded_at: now.wall(), boot: self.boot });
                        }
                    }
                }
                Action::WakeAt(at) => self.wake = at + -self.offset_ms,
                Action::Answer { result, .. } => self.answers.push(result),
                _ => {}
            }
        }
    }

    fn happens(&mut self, truth: Wall, incident: Incident) -> Option<Wall> {
        match incident {
            Incident::Away(absence, back) => {
                // Nothing begins at the very moment of the cut: what is due then finds the box gone.
                self.step(truth + -1, Event::Tick);
                if absence == Absence::ShutDown {
                    self.step(truth, Event::ShutDown);
                    self.step(truth, Event::Farewell);
                }
                let now = self.now(truth);
                let playout = self.playout.take()?;
                let mut saved = playout.saved();
                let rebooted = absence == Absence::PowerOff;
                let mut absence = absence;
                let noted_ms = match playout.unsettled() {
                    // Nobody knew the time since the last absence: it is all one, for the graver reason.
                    Some((before, noted)) => {
                        absence = absence.graver(before);
                        noted.clone()
                    }
                    None => {
                        saved.stage.now = now.wall();
                        let voice = saved.stage.voice.as_ref();
                        voice.map(|v| (v.airing_id.clone(), now.wall() - v.at)).into_iter().collect()
                    }
                };
                let planned = self.settled_since(now.wall().min(saved.stage.now) + -REMEMBERED_MS);
                let past = Past { saved, absence, noted_ms, planned };
                if rebooted {
                    self.booted = back;
                    self.boot += 1;
                }
                if let Some((step_ms, clock)) = self.next_boot.take() {
                    self.offset_ms += step_ms;
                    self.clock = clock;
                }
                let wall = self.now(back).wall();
                let mut playout = Playout::new(self.programme.clone(), settings(), Some(past), wall);
                self.bad.iter().for_each(|(clip, fault)| playout.clip_fault(clip, Some(*fault)));
                self.playout = Some(playout);
                self.step(back, Event::Tick);
                return Some(back);
            }
            Incident::DeviceLost => {
                let voice = self.playout.as_ref().and_then(|p| p.stage().voice.clone());
                let arming = voice.as_ref().and_then(|v| self.playout.as_ref()?.arming_of(&v.airing_id));
                let now = self.now(truth);
                self.step(truth, Event::Speaker(Report::DeviceLost));
                if let (Some(voice), Some(arming)) = (voice, arming) {
                    let ended = Report::Ended {
                        airing_id: voice.airing_id.clone(),
                        arming,
                        wall_ns: now.wall_ns,
                        played_ms: now.wall() - voice.at,
                        how: EndedHow::DeviceLost,
                    };
                    self.step(truth, Event::Speaker(ended));
                }
            }
            Incident::DeviceBack => self.step(truth, Event::Speaker(Report::DeviceBack)),
            Incident::HookFails => self.step(truth, Event::HookFailed),
            Incident::HookWorks => self.step(truth, Event::HookWorks),
            Incident::Stall(until) => {
                self.step(until, Event::Tick);
                return Some(until);
            }
            Incident::NextBoot { step_ms, clock } => self.next_boot = Some((step_ms, clock)),
            Incident::ClockStep(ms) => {
                self.step(truth, Event::Tick);
                self.offset_ms += ms;
                self.step(truth, Event::Tick);
            }
            Incident::Clock(clock) => {
                self.step(truth, Event::Tick);
                self.clock = clock;
                self.step(truth, Event::Tick);
            }
            Incident::Stop { for_ms, but_emergency } => {
                let since = self.now(truth).wall();
                let until = for_ms.map(|ms| since + ms);
                self.step(truth, Event::Stop(Stop { since, until, but_emergency, by: None, why: None }));
            }
            Incident::Resume => self.step(truth, Event::Resume { by: None }),
            Incident::Programme(programme) => {
                self.programme = programme.clone();
                self.step(truth, Event::Programme(programme));
            }
            Incident::Clip(clip, reason) => {
                self.bad.insert(clip.clone(), reason);
                self.step(truth, Event::Clip { clip, fault: Some(reason) });
            }
            Incident::ClipBack(clip) => {
                self.bad.remove(&clip);
                self.step(truth, Event::Clip { clip, fault: None });
            }
            Incident::Play(name) => {
                if let Some(clip) = self.programme.clip(&name).cloned() {
                    self.played += 1;
                    let (token, number) = (self.played, self.played);
                    self.step(truth, Event::Play { token, clip, number, by: None });
                }
            }
            Incident::Emergency { clip, for_ms, every_ms } => {
                if let Some(clip) = self.programme.clip(&clip).cloned() {
                    let until = self.now(truth).wall() + for_ms;
                    let (by, gap_ms) = (OUTPUT.to_owned(), EMERGENCY_GAP_MS);
                    let order = EmergencyOrder { clip, until, repeat: 1, gap_ms, every_ms, by };
                    self.played += 1;
                    self.step(truth, Event::Emergency { token: self.played, order });
                }
            }
        }
        None
    }
}

/// Runs the rehearsal. Rows come in the order in which the log would get them, sessions and events included.
pub fn rehearse(programme: Arc<Programme>, rehearsal: &Rehearsal) -> (Vec<Rehearsed>, Answers) {
    let from = rehearsal.from;
    let mut world = World {
        playout: Some(Playout::new(programme.clone(), settings(), None, from)),
        rows: Vec::new(),
        answers: Vec::new(),
        boot: 1,
        booted: from,
        offset_ms: 0,
        clock: rehearsal.clock,
        programme,
        bad: BTreeMap::new(),
        next_boot: None,
        wake: from,
        played: 0,
    };
    let mut incidents = rehearsal.incidents.clone();
    incidents.sort_by_key(|(at, _)| *at);
    let mut incidents = incidents.into_iter().peekable();
    let mut truth = from;
    world.step(truth, Event::Tick);
    loop {
        let next_incident = incidents.peek().map(|(at, _)| *at);
        // Incidents come before what else falls due in the same instant.
        if let Some(at) = next_incident.filter(|at| *at <= world.wake)
            && let Some((_, incident)) = incidents.next()
        {
            if at < truth && !incident.happens_to_a_box_that_is_off(truth) {
                continue;
            }
            truth = truth.max(at);
            truth = world.happens(truth, incident).unwrap_or(truth);
            continue;
        }
        let wall = truth + world.offset_ms;
        // What fell due before the end is settled after it when nobody knew the time until then.
        let unsettled = world.playout.as_ref().is_some_and(|p| {
            p.stage().has_unsettled_before(rehearsal.to) || (p.unsettled().is_some() && incidents.peek().is_some())
        });
        if wall >= rehearsal.to && !unsettled {
            break;
        }
        if world.wake <= truth {
            truth = truth + 1;
        } else {
            truth = world.wake;
        }
        if truth.0 == i64::MAX {
            break;
        }
        // Nothing more is planned: the end is reached at once.
        if truth > rehearsal.to && wall < rehearsal.to && !unsettled {
            break;
        }
        world.step(truth, Event::Tick);
    }
    (world.rows, world.answers)
}

/// The airings of a rehearsal planned in `[from, to)`.
pub fn airings(rows: &[Rehearsed], from: Wall, to: Wall) -> impl Iterator<Item = &Airing> {
    rows.iter().filter_map(move |row| match &row.entry {
        Entry::Airing(airing) => {
            let planned = Wall::parse_rfc3339(&airing.planned_at)?;
            (from <= planned && planned < to).then_some(&**airing)
        }
        _ => None,
    })
}
