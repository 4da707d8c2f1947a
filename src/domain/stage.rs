//! Who has the air, and how each planned airing ends: the session clock and the floor of rules R3 and R4, the
//! outcomes of rule R6. A stage is advanced along wall time; whatever happened meanwhile (power off, clock jumped,
//! speaker events) it is the same code that decides, so the past is settled by the rules that run the present.
//!
//! A stage can be cloned and advanced ahead of time with an ideal speaker: that is how `playout` knows what to arm
//! one pre-roll early, and how `simulate` plays a month in a second.
//!
//! Where the rules are:
//! - `runs`: the session clock of R3, when an item is due and until when it may begin;
//! - `voice`: how a sound begins and is made to end (R3, R4);
//! - `floor`: which session has the air and who takes over (R4);
//! - `emergencies`: rounds that interrupt (R4);
//! - `causes`: what keeps an airing from sounding, and the order of reasons (R6);
//! - `outcomes`: how each airing ends (R6); `rows` writes that down;
//! - `people`: stop, play, an emergency by hand; `outside`: what speaker, amplifier and absences report;
//! - `shown`: what a person sees of it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::airing::{EventKind, Kind, Reason, Write};
use crate::domain::playlist::SlotKind;
use crate::domain::schedule::{ClipFacts, Planned, Programme, Session};
use crate::domain::time::{ClockState, Wall};

mod causes;
mod emergencies;
mod floor;
mod outcomes;
mod outside;
mod people;
mod rows;
mod runs;
mod shown;
mod voice;

pub use causes::{Absence, Causes};
use emergencies::EmergencyRun;
pub use people::Stop;
pub use rows::event;
use rows::open_session;
use runs::{Progress, name_of};
pub use runs::{Run, RunName};
pub use shown::OnStage;
use voice::Dying;
pub use voice::Voice;

/// What the outside allows at the moment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Conditions {
    /// Whether the device can be played to.
    pub device_ok: bool,
    /// Whether the amplifier failed to switch on.
    pub hook_failed: bool,
}

/// What a stage decides.
#[derive(Clone, Debug)]
pub enum Decision {
    /// A sound begins.
    Begin(Begin),
    /// What sounds is to end, its fade at `at`.
    Cut {
        /// The airing.
        airing_id: String,
        /// When.
        at: Wall,
    },
    /// A relay window begins.
    RelayBegins {
        /// The airing.
        airing_id: String,
    },
    /// A relay window ends.
    RelayEnds,
    /// Rows and intents.
    Write(Write),
}

/// A sound to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Begin {
    /// The airing.
    pub airing_id: String,
    /// The clip.
    pub clip: Arc<ClipFacts>,
    /// The instant of its first sample.
    pub at: Wall,
    /// The last instant at which it may begin.
    pub start_by: Wall,
    /// How far inside the clip it begins, milliseconds.
    pub offset_ms: i64,
    /// Sum of gains, dB.
    pub gain_db: f64,
    /// It follows the item before without a gap.
    pub seam: bool,
    /// It ends what sounds before.
    pub takes_over: bool,
    /// The quiet edge at which it must have faded.
    pub end_by: Option<Wall>,
    /// An emergency that may pass quiet hours.
    pub passes_quiet: bool,
    /// What made it.
    pub kind: Kind,
    /// The session it belongs to, for the device's format.
    pub session: String,
}

/// How the stage is being advanced.
pub struct Light<'a> {
    /// What is in force.
    pub programme: &'a Programme,
    /// The name rows give the output.
    pub output: &'a str,
    /// What rows say of the clock.
    pub clock: ClockState,
    /// Sounds cannot begin before this.
    pub live_from: Wall,
    /// The time between deciding a sound and hearing it when it was not foreseen, milliseconds.
    pub lead_ms: i64,
    /// Foreseen airings are armed already: they need no lead.
    pub armed: &'a [String],
    /// Whether voices begin and end by themselves, exactly on time.
    pub ideal: bool,
    /// Clips, `SOURCE/ID`, whose audio is known to be missing or broken before anybody tried to play it.
    pub faults: &'a HashMap<String, Reason>,
}

impl Light<'_> {
    fn fault_of(&self, planned: &Planned) -> Option<Reason> {
        if self.faults.is_empty() {
            return None;
        }
        let id = planned.clip_id.as_ref()?;
        self.faults.get(&format!("{}/{id}", planned.source)).copied()
    }
}

/// Everything that is on stage. Stored with each change, so that the next start can go on with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stage {
    /// How far along wall time it has come.
    pub now: Wall,
    runs: Vec<Run>,
    floor: Option<RunName>,
    round: Option<Box<Run>>,
    /// Which emergency the round belongs to.
    round_of: Option<(Arc<str>, Arc<str>)>,
    emergencies: Vec<EmergencyRun>,
    /// How many emergencies people have ordered by hand.
    #[serde(default)]
    by_hand: u64,
    manual: Option<Box<Run>>,
    /// What sounds.
    pub voice: Option<Voice>,
    dying: Vec<Dying>,
    /// The order to be silent, if one is in force.
    pub stop: Option<Stop>,
    /// Why the box does nothing.
    pub absence: Option<Absence>,
    /// What the outside allows.
    pub conditions: Conditions,
    /// The run and item whose voice ended at this very instant: what comes next in it follows without a gap.
    #[serde(skip)]
    just_ended: Option<(RunName, usize)>,
    /// Something was made to end at this very instant: what begins takes over from it.
    #[serde(skip)]
    just_cut: bool,
}

impl Stage {
    /// An empty stage.
    pub fn new(now: Wall) -> Stage {
        Stage {
            now,
            runs: Vec::new(),
            floor: None,
            round: None,
            round_of: None,
            emergencies: Vec::new(),
            by_hand: 0,
            manual: None,
            voice: None,
            dying: Vec::new(),
            stop: None,
            absence: None,
            conditions: Conditions { device_ok: true, hook_failed: false },
            just_ended: None,
            just_cut: false,
        }
    }

    /// Puts a session whose plan is now fixed on stage and writes the plan down.
    pub fn fix(&mut self, session: Session, light: &Light, out: &mut Vec<Decision>) {
        let kind = if matches!(session.kind, SlotKind::Relay { .. }) { Kind::Relay } else { Kind::Scheduled };
        let mut run = Run::new(session, kind);
        for (item, planned) in run.items.iter_mut().zip(&run.session.items) {
            item.bad = light.fault_of(planned);
        }
        open_session(&run, light.programme, out);
        self.runs.push(run);
    }

    /// The wall clock was stepped: what sounds goes on by the boot clock.
    pub fn clock_stepped(&mut self, step_ms: i64, now: Wall) {
        if let Some(voice) = self.voice.as_mut().filter(|v| !v.relay) {
            voice.at = voice.at + step_ms;
            voice.ends_at = voice.ends_at + step_ms;
        }
        self.now = self.now.min(now);
    }

    /// Advances to `to`, deciding everything that falls due on the way, each thing at its own instant.
    pub fn advance(&mut self, to: Wall, light: &Light, out: &mut Vec<Decision>) {
        loop {
            let at = self.next_event(light.programme, light.ideal).filter(|e| *e <= to).unwrap_or(to).max(self.now);
            self.now = at;
            self.settle_instant(at, light, out);
            if at >= to {
                return;
            }
        }
    }

    /// The next instant after now at which something may have to be decided.
    pub fn next_event(&self, programme: &Programme, ideal: bool) -> Option<Wall> {
        let now = self.now;
        let mut next: Option<Wall> = None;
        let mut consider = |at: Wall| {
            if at > now && next.is_none_or(|n| at < n) {
                next = Some(at);
            }
        };
        for run in self.runs.iter().chain(self.round.as_deref()) {
            consider(run.session.start);
            if !run.joined {
                consider(run.session.start + run.window_ms() + 1);
            }
            for (i, item) in run.items.iter().enumerate() {
                if item.progress != Progress::Settled {
                    consider(run.due(i));
                    consider(run.last_moment(i) + 1);
                    consider(run.end_of(i));
                }
            }
        }
        if let Some(voice) = self.voice.as_ref().filter(|v| ideal || v.relay) {
            consider(voice.ends_at);
        }
        if !self.is_empty() || self.emergencies.iter().any(|e| !e.finished) {
            match programme.quiet.quiet_until(now) {
                Some(end) => consider(end),
                None => programme.quiet.next_quiet(now).into_iter().for_each(&mut consider),
            }
            programme.withdrawals_after(now).into_iter().for_each(&mut consider);
        }
        for emergency in self.emergencies.iter().filter(|e| !e.finished) {
            consider(emergency.next_round);
            consider(emergency.plan.until);
        }
        if let Some(until) = self.stop.as_ref().and_then(|s| s.until) {
            consider(until);
        }
        next
    }

    /// Instants after now at which a sound may begin: a pre-roll before each is the time to look ahead.
    pub fn next_begin(&self) -> Option<Wall> {
        self.next_begin_after(self.now)
    }

    /// The first such instant after `after`.
    pub fn next_begin_after(&self, after: Wall) -> Option<Wall> {
        let items = self.runs.iter().chain(self.round.as_deref()).flat_map(|run| {
            (0..run.items.len()).filter(|i| run.items[*i].progress == Progress::Waiting).map(|i| run.due(i))
        });
        let rounds = self.emergencies.iter().filter(|e| !e.finished).map(|e| e.next_round);
        items.chain(rounds).chain(self.voice.as_ref().map(|v| v.ends_at)).filter(|t| *t > after).min()
    }

    fn settle_instant(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        self.just_ended = None;
        self.just_cut = false;
        if self.stop.as_ref().is_some_and(|s| s.until.is_some_and(|until| until <= at)) {
            self.stop = None;
            out.push(Decision::Write(event(EventKind::Resume, at, None, &[("ended_by", "time".into())])));
        }
        // Each pass may free what the next one needs; nothing gets unsettled, so this ends.
        for _ in 0..64 {
            let before = (out.len(), self.floor.clone(), self.round.is_some(), self.voice.is_some());
            self.end_voice(at, light, out);
            self.settle_items(at, light, out);
            self.claim(at, light, out);
            self.start_rounds(at, light, out);
            self.begin(at, light, out);
            self.note_causes(at, light);
            self.clear_stage(at, light, out);
            if before == (out.len(), self.floor.clone(), self.round.is_some(), self.voice.is_some()) {
                break;
            }
        }
    }

    fn run(&self, name: &RunName) -> Option<&Run> {
        match name {
            RunName::Round => self.round.as_deref(),
            RunName::Manual => self.manual.as_deref(),
            RunName::Session(source, slot, start) => self
                .runs
                .iter()
                .find(|r| r.session.source == *source && r.session.slot == *slot && r.session.start == *start),
        }
    }

    fn run_mut(&mut self, name: &RunName) -> Option<&mut Run> {
        match name {
            RunName::Round => self.round.as_deref_mut(),
            RunName::Manual => self.manual.as_deref_mut(),
            RunName::Session(source, slot, start) => self
                .runs
                .iter_mut()
                .find(|r| r.session.source == *source && r.session.slot == *slot && r.session.start == *start),
        }
    }

    fn names(&self) -> Vec<RunName> {
        let mut names: Vec<_> = self.runs.iter().map(|r| name_of(&r.session)).collect();
        names.extend(self.round.as_ref().map(|_| RunName::Round));
        names
    }
}
