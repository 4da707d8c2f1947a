//! Why an airing does not sound: the reasons of rule R6 as they hold, moment by moment, between the second an item is
//! due and the last moment it might have begun; and which of several a row keeps.

use serde::{Deserialize, Serialize};

use super::runs::{Progress, Run, RunName, name_of};
use super::{Light, Stage};
use crate::domain::airing::{Kind, Outcome, Reason};
use crate::domain::schedule::Programme;
use crate::domain::time::Wall;

/// A set of reasons that held while an airing might have begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Causes(pub(super) u32);

impl Causes {
    pub(super) const SHUT_DOWN: u32 = 1 << 31;

    pub(super) fn add(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u32;
    }

    pub(super) fn join(&mut self, other: Causes) {
        self.0 |= other.0;
    }

    pub(super) fn has(self, reason: Reason) -> bool {
        self.0 & 1 << reason as u32 != 0
    }

    pub(super) fn any(self) -> bool {
        self.0 != 0
    }

    /// The reason a row keeps when an airing joined inside its time stays short of whole: those that may end what
    /// has begun. None: nothing of that kind held, and it is not joined inside.
    pub(super) fn hole(self) -> Option<Reason> {
        let shut_down = self.0 & Causes::SHUT_DOWN != 0;
        [
            (Reason::PowerOff, Reason::PowerOff),
            (Reason::Crashed, Reason::Crashed),
            (Reason::Stopped, Reason::Stopped),
            (Reason::QuietHours, Reason::QuietHours),
            (Reason::Emergency, Reason::Emergency),
            (Reason::HardStart, Reason::HardStart),
            (Reason::DeviceLost, Reason::DeviceLost),
            (Reason::HookFailed, Reason::DeviceLost),
        ]
        .into_iter()
        .find(|(held, _)| self.has(*held) || (*held == Reason::Stopped && shut_down))
        .map(|(_, reason)| reason)
    }

    /// The first reason in the order of rule R6, with the outcome of an airing that did not begin.
    pub(super) fn verdict(self) -> (Outcome, Reason) {
        let shut_down = self.0 & Causes::SHUT_DOWN != 0;
        let held = |r: Reason| self.has(r) || (r == Reason::Stopped && shut_down);
        let reason = Reason::ALL.into_iter().find(|r| held(*r)).unwrap_or(Reason::Late);
        let outcome = match reason {
            Reason::Stopped if !self.has(Reason::Stopped) => Outcome::Missed,
            Reason::Stopped
            | Reason::SpecialDay
            | Reason::Withdrawn
            | Reason::Expired
            | Reason::NotApproved
            | Reason::QuietHours
            | Reason::TooLong => Outcome::Blocked,
            Reason::ClipMissing | Reason::ClipBad | Reason::DeviceLost | Reason::HookFailed => Outcome::Failed,
            _ => Outcome::Missed,
        };
        (outcome, reason)
    }
}

/// Why the box did nothing for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// The kernel was not running.
    PowerOff,
    /// The program was not, without having said so.
    Crashed,
    /// The program was ended softly.
    ShutDown,
    /// It ran, but nobody knew what time it was.
    ClockUnknown,
}

impl Absence {
    /// The graver of two: after several absences between which nobody knew the time, all of it counts as that.
    pub fn graver(self, other: Absence) -> Absence {
        let order = [Absence::PowerOff, Absence::Crashed, Absence::ShutDown, Absence::ClockUnknown];
        order.into_iter().find(|x| *x == self || *x == other).unwrap_or(self)
    }

    pub(super) fn cause(self) -> Causes {
        let mut causes = Causes::default();
        match self {
            Absence::PowerOff => causes.add(Reason::PowerOff),
            Absence::Crashed => causes.add(Reason::Crashed),
            Absence::ClockUnknown => causes.add(Reason::ClockUnknown),
            Absence::ShutDown => causes.0 |= Causes::SHUT_DOWN,
        }
        causes
    }
}

impl Stage {
    pub(super) fn is_withdrawn(&self, run: &Run, item: usize, at: Wall, programme: &Programme) -> bool {
        let planned = &run.session.items[item];
        (run.kind == Kind::Emergency && programme.emergency_withdrawn(&run.session.source, &run.session.slot, at))
            || (matches!(run.kind, Kind::Scheduled | Kind::Relay)
                && programme.slot_withdrawn(&run.session.source, &run.session.slot, at))
            || planned.clip_id.as_ref().is_some_and(|id| programme.clip_withdrawn(&planned.source, id, at))
            || planned.offer.as_ref().is_some_and(|o| programme.offer_withdrawn(o, at))
    }

    /// Everything that keeps an item from sounding at this moment.
    pub(super) fn causes_for(&self, run: &Run, index: usize, at: Wall, light: &Light) -> Causes {
        let mut causes = self.absence.map(Absence::cause).unwrap_or_default();
        let emergency = run.kind == Kind::Emergency;
        if self.stop.as_ref().is_some_and(|s| !(emergency && s.but_emergency)) {
            causes.add(Reason::Stopped);
        }
        if self.is_withdrawn(run, index, at, light.programme) {
            causes.add(Reason::Withdrawn);
        }
        if !run.passes_quiet && light.programme.quiet.quiet_until(at).is_some() {
            causes.add(Reason::QuietHours);
        }
        if !emergency && self.round.is_some() {
            causes.add(Reason::Emergency);
        }
        let other = |floor: &RunName| *floor != name_of(&run.session);
        if matches!(run.kind, Kind::Scheduled | Kind::Relay) && self.floor.as_ref().is_some_and(other) {
            causes.add(Reason::Overlap);
        }
        if let Some(bad) = run.items[index].bad {
            causes.add(bad);
        }
        if !self.conditions.device_ok && !run.is_relay() {
            causes.add(Reason::DeviceLost);
        }
        if self.conditions.hook_failed {
            causes.add(Reason::HookFailed);
        }
        causes
    }

    pub(super) fn note_causes(&mut self, at: Wall, light: &Light) {
        for name in self.names() {
            let count = self.run(&name).map_or(0, |r| r.items.len());
            for index in 0..count {
                let Some(run) = self.run(&name) else { continue };
                if run.due(index) > at {
                    break;
                }
                if run.items[index].progress != Progress::Waiting || at > run.last_moment(index) {
                    continue;
                }
                let mut causes = self.causes_for(run, index, at, light);
                // Its own session sounds an item before it: not another's fault, and no reason yet.
                let own_voice = self.voice.as_ref().is_some_and(|v| v.run == name);
                if own_voice {
                    causes = Causes::default();
                }
                let device = !self.conditions.device_ok;
                if let Some(run) = self.run_mut(&name) {
                    run.items[index].causes.join(causes);
                    if device && !run.is_relay() && at < run.end_of(index) {
                        run.items[index].joins_inside = true;
                    }
                }
            }
        }
    }
}
