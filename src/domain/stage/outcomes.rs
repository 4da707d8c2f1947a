//! How each airing ends (rule R6): items whose time has passed or that have none get their row, and one that has sounded
//! gets the outcome its samples have earned.

use super::rows::{airing_row, close_session};
use super::runs::{Progress, Run, RunName, name_of};
use super::{Decision, Light, Stage};
use crate::domain::airing::{Entry, Outcome, Reason, Write};
use crate::domain::time::Wall;

/// So much of a clip, in per cent, must have been accepted to count as aired (invariant 5).
pub(super) const AIRED_PERCENT: i64 = 98;

impl Stage {
    /// Items whose time has passed, or that have no time.
    pub(super) fn settle_items(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        for name in self.names() {
            let count = self.run(&name).map_or(0, |r| r.items.len());
            for index in 0..count {
                let Some(run) = self.run(&name) else { continue };
                let item = &run.items[index];
                if item.progress != Progress::Waiting
                    || self.dying.iter().any(|d| d.voice.run == name && d.voice.item == index)
                {
                    continue;
                }
                let planned = &run.session.items[index];
                let due = run.due(index);
                if due > at {
                    // The session clock runs on; what comes later is later.
                    break;
                }
                if planned.forbidden.is_none() && run.may_still_shift(index, at) {
                    continue;
                }
                let withdrawn = self.is_withdrawn(run, index, at, light.programme);
                let quiet = !run.passes_quiet && light.programme.quiet.quiet_until(at).is_some();
                let begins_quiet = quiet && !run.is_relay() && run.may_be_first(index);
                let never = planned.forbidden.is_some()
                    || item.bad.is_some()
                    || (withdrawn && item.began.is_none())
                    // Quiet hours are nothing to wait out: a session that begins in them does not shift (rule R3).
                    || (begins_quiet && !run.session.resume);
                if begins_quiet && run.session.resume {
                    // It may be taken up when they end, in its own time.
                    if let Some(run) = self.run_mut(&name) {
                        run.joined = true;
                    }
                    continue;
                }
                if at > run.last_moment(index) || never {
                    if withdrawn || quiet {
                        let causes = self.causes_for(run, index, at, light);
                        if let Some(run) = self.run_mut(&name) {
                            run.items[index].causes.join(causes);
                        }
                    }
                    self.settle_unbegun(&name, index, light, out);
                }
            }
        }
    }

    /// Writes the row of an airing that has sounded.
    pub(super) fn settle_begun(&mut self, name: &RunName, index: usize, light: &Light, out: &mut Vec<Decision>) {
        let stop_by = self.stop.as_ref().and_then(|s| s.by.clone());
        let Some(run) = self.run_mut(name) else { return };
        let relay = run.is_relay();
        let length = run.session.items[index].length_ms;
        let item = &mut run.items[index];
        if item.progress == Progress::Settled {
            return;
        }
        item.progress = Progress::Settled;
        let enough = item.played_ms * 100 >= length * AIRED_PERCENT;
        let (outcome, reason) = if relay {
            item.hole.map_or((Outcome::Relayed, None), |r| (begun_outcome(r), Some(r)))
        } else if enough && !item.device_lost {
            (Outcome::Aired, None)
        } else {
            // Too little, and nobody said why: the file was verified, so the machine was too slow for its output.
            let reason = match item.hole {
                Some(reason) => reason,
                None => Reason::DeviceLost,
            };
            (begun_outcome(reason), Some(reason))
        };
        run.joined = true;
        let by = if reason == Some(Reason::Stopped) { stop_by } else { None };
        let row = airing_row(run, index, outcome, reason, by, light);
        let airing_id = row.airing_id.clone();
        out.push(Decision::Write(Write::Append(Entry::Airing(Box::new(row)))));
        out.push(Decision::Write(Write::Close { airing_id }));
    }

    /// Writes the row of an airing that has not sounded and no longer can.
    pub(super) fn settle_unbegun(&mut self, name: &RunName, index: usize, light: &Light, out: &mut Vec<Decision>) {
        let stop_by = self.stop.as_ref().and_then(|s| s.by.clone());
        let Some(run) = self.run_mut(name) else { return };
        if run.items[index].began.is_some() {
            return self.settle_begun(name, index, light, out);
        }
        if run.items[index].progress == Progress::Settled {
            return;
        }
        run.items[index].progress = Progress::Settled;
        if run.first() == Some(index) {
            run.joined = true;
        }
        let mut causes = run.items[index].causes;
        for reason in [run.session.items[index].forbidden, run.items[index].bad].into_iter().flatten() {
            causes.add(reason);
        }
        let (outcome, reason) = causes.verdict();
        let by = if reason == Reason::Stopped { stop_by } else { None };
        let row = airing_row(run, index, outcome, Some(reason), by, light);
        let airing_id = row.airing_id.clone();
        out.push(Decision::Write(Write::Append(Entry::Airing(Box::new(row)))));
        out.push(Decision::Write(Write::Close { airing_id }));
    }

    /// Takes away what is over.
    pub(super) fn clear_stage(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        let programme = light.programme;
        let is_dying = |name: &RunName| self.dying.iter().any(|d| d.voice.run == *name);
        if let Some(round) = self.round.as_ref().filter(|r| r.over() && !is_dying(&RunName::Round)) {
            close_session(round, programme, out);
            self.round = None;
            self.round_of = None;
        }
        if self.manual.as_ref().is_some_and(|r| r.over()) {
            self.manual = None;
        }
        let over = |run: &Run| run.over() && !self.dying.iter().any(|d| d.voice.run == name_of(&run.session));
        let (gone, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut self.runs).into_iter().partition(over);
        self.runs = stay;
        gone.iter().for_each(|run| close_session(run, programme, out));
        if let Some(floor) = self.floor.clone()
            && self.run(&floor).is_none_or(|run| !self.can_sound(run, at, programme))
        {
            self.floor = None;
        }
    }
}

pub(super) fn begun_outcome(reason: Reason) -> Outcome {
    match reason {
        Reason::PowerOff | Reason::Crashed | Reason::DeviceLost | Reason::ClipBad | Reason::ClipMissing => {
            Outcome::Partial
        }
        _ => Outcome::Interrupted,
    }
}
