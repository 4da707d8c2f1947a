//! What the machine is told, what it answers, and what of it must survive a restart.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::airing::{Reason, Write};
use crate::domain::schedule::{ClipFacts, EmergencyOrder, Programme};
use crate::domain::stage::{Absence, Begin, Stage, Stop};
use crate::domain::time::Wall;
/// What the machine is told of its surroundings once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Intent flushed, amplifier on, device opened so long before a sound, milliseconds.
    pub pre_roll_ms: i64,
    /// From deciding an unforeseen sound to hearing it, milliseconds.
    pub lead_ms: i64,
    /// The name rows give the output.
    pub output: String,
    /// Whether sounds begin and end by themselves, exactly on time: in a simulation.
    pub ideal: bool,
}

/// How the speaker ended an airing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedHow {
    /// To its last sample.
    Whole,
    /// As told.
    Cut,
    /// The next one took over.
    TakenOver,
    /// At the quiet edge.
    Quiet,
    /// The device went.
    DeviceLost,
    /// The audio broke off.
    Broken,
}

/// What the speaker reports, in wall time. `arming` is the number [`Action::Play`] gave: what is said of an arming that
/// was taken back does not concern the next of the same airing.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// First sample.
    Began {
        /// The airing.
        airing_id: String,
        /// Which arming of it.
        arming: u64,
        /// When, nanoseconds of wall time.
        wall_ns: i64,
        /// Against the instant aimed at, nanoseconds, positive late.
        error_ns: i64,
    },
    /// So much so far.
    Progress {
        /// The airing.
        airing_id: String,
        /// Which arming of it.
        arming: u64,
        /// Accepted, milliseconds.
        played_ms: i64,
    },
    /// Over.
    Ended {
        /// The airing.
        airing_id: String,
        /// Which arming of it.
        arming: u64,
        /// When, nanoseconds of wall time.
        wall_ns: i64,
        /// Accepted, milliseconds.
        played_ms: i64,
        /// How.
        how: EndedHow,
    },
    /// It could not be taken.
    Refused {
        /// The airing.
        airing_id: String,
        /// Which arming of it.
        arming: u64,
        /// Why: `clip_missing`, `clip_bad` or `late`.
        reason: Reason,
    },
    /// The device is gone.
    DeviceLost,
    /// It is back.
    DeviceBack,
}

impl Report {
    /// The moment before which the report must not be acted on: the speaker knows of sounds while they are still on
    /// their way through the device.
    pub(super) fn not_before(&self) -> Option<Wall> {
        let ceil = |ns: i64| Wall(ns.div_euclid(1_000_000));
        match self {
            Report::Began { wall_ns, .. } => Some(ceil(*wall_ns)),
            // What took over, or the edge, is decided on the stage at its own instant: let that come first.
            Report::Ended { wall_ns, how: EndedHow::TakenOver | EndedHow::Quiet | EndedHow::Cut, .. } => {
                Some(ceil(*wall_ns) + 5)
            }
            Report::Ended { wall_ns, .. } => Some(ceil(*wall_ns)),
            _ => None,
        }
    }

    /// The same moment by a clock that was stepped since.
    pub(super) fn clock_stepped(&mut self, step_ms: i64) {
        if let Report::Began { wall_ns, .. } | Report::Ended { wall_ns, .. } = self {
            *wall_ns += step_ms * 1_000_000;
        }
    }

    /// The sound it is about.
    pub(super) fn arming(&self) -> Option<(&str, u64)> {
        match self {
            Report::Began { airing_id, arming, .. }
            | Report::Progress { airing_id, arming, .. }
            | Report::Ended { airing_id, arming, .. }
            | Report::Refused { airing_id, arming, .. } => Some((airing_id, *arming)),
            Report::DeviceLost | Report::DeviceBack => None,
        }
    }
}

/// What happens to the machine.
#[derive(Clone, Debug)]
pub enum Event {
    /// The time asked for has come.
    Tick,
    /// Other lists or another config have come into force.
    Programme(Arc<Programme>),
    /// From the speaker.
    Speaker(Report),
    /// The amplifier hook failed.
    HookFailed,
    /// The amplifier can be switched on again.
    HookWorks,
    /// The audio of a clip, `SOURCE/ID`, was found missing or broken before its time, or (none) is there again.
    Clip {
        /// The clip.
        clip: String,
        /// `clip_missing` or `clip_bad`.
        fault: Option<Reason>,
    },
    /// A person silences the station.
    Stop(Stop),
    /// A person ends the silence.
    Resume {
        /// Who.
        by: Option<String>,
    },
    /// A person plays a clip now.
    Play {
        /// Returned with the answer.
        token: u64,
        /// The clip.
        clip: Arc<ClipFacts>,
        /// The number of this manual play in the log.
        number: u64,
        /// Who.
        by: Option<String>,
    },
    /// A person sends an emergency: answered with `SOURCE/ID` of it.
    Emergency {
        /// Returned with the answer.
        token: u64,
        /// What.
        order: EmergencyOrder,
    },
    /// An event row of an edge: a list, an alarm, a config.
    Note(Write),
    /// The program is to end: what sounds is ended, nothing begins any more.
    ShutDown,
    /// What sounded has ended: the last row.
    Farewell,
}

/// Why a manual play did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayRefusal {
    /// Something airs.
    Busy,
    /// A rule or a person forbids it; the row is written.
    Forbidden(Reason),
}

/// What is to be done, in this order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Commit to the log, in one transaction.
    Write(Vec<Write>),
    /// Arm a sound.
    Play {
        /// Its number: no other has it while the program runs. Everything else said of the sound names it by this.
        arming: u64,
        /// The sound.
        begin: Begin,
    },
    /// An armed sound belongs at another boot time: the wall clock was stepped.
    Retime {
        /// Which.
        arming: u64,
        /// The same wall time as before.
        at: Wall,
    },
    /// The wall clock was stepped: whatever else is kept in boot time, as the quiet hours at the speaker, has moved.
    ClockStepped,
    /// Quiet hours, or who may pass them, have changed: for an armed or sounding airing this holds now.
    Bound {
        /// Which.
        arming: u64,
        /// Whether it may pass quiet hours.
        passes_quiet: bool,
        /// The quiet edge at which it must have faded.
        end_by: Option<Wall>,
    },
    /// End a sound, or take back one that is armed.
    Cut {
        /// Which.
        arming: u64,
        /// When its fade is over.
        at: Wall,
    },
    /// Amplifier on or off.
    Amplifier(bool),
    /// A relay window begins or ends.
    Relay {
        /// Begins.
        on: bool,
        /// The airing, when it begins.
        airing_id: Option<String>,
    },
    /// The answer to a manual play or an emergency by hand.
    Answer {
        /// As given.
        token: u64,
        /// The airing, or the emergency's `SOURCE/ID`, or why not.
        result: Result<String, PlayRefusal>,
    },
    /// Call `step` again then, or earlier.
    WakeAt(Wall),
}

/// What must survive a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// The stage as it was.
    pub stage: Stage,
    /// Sessions that start up to here have had their plan fixed.
    pub fixed_until: Wall,
}

/// How the last run ended, for the next.
#[derive(Clone, Debug)]
pub struct Past {
    /// What was saved.
    pub saved: Saved,
    /// Why nothing happened since.
    pub absence: Absence,
    /// Played time noted per airing that was open, milliseconds.
    pub noted_ms: HashMap<String, i64>,
    /// `(session start, source, slot)` of sessions already planned.
    pub planned: Vec<(Wall, Arc<str>, Arc<str>)>,
}
