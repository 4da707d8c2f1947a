//! Who has the floor (rule R4): sessions claim it at their start, a stronger one takes over, one that waited gets it when
//! it is free.

use super::runs::{Progress, Run, RunName, name_of};
use super::{Decision, Light, Stage};
use crate::domain::airing::Reason;
use crate::domain::playlist::Start;
use crate::domain::schedule::Programme;
use crate::domain::time::Wall;

impl Stage {
    /// Rule R4: the floor goes to sessions as they fall due, is taken over, and is handed on when it gets free.
    pub(super) fn claim(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        if let Some(floor) = &self.floor {
            let keeps = self.run(floor).is_some_and(|run| self.can_sound(run, at, light.programme));
            if !keeps {
                self.floor = None;
            }
        }
        let mut due: Vec<usize> =
            (0..self.runs.len()).filter(|i| !self.runs[*i].claimed && self.runs[*i].session.start <= at).collect();
        // Starts that were passed in one leap are dealt with in their order, each as of its own start.
        due.sort_by_key(|i| {
            let s = &self.runs[*i].session;
            (s.start, std::cmp::Reverse(s.priority), s.hard, s.order)
        });
        // A free floor is given among all that may begin in this instant, those that waited included.
        if self.floor.is_none() {
            self.hand_on(at, light);
        }
        for index in due {
            let name = name_of(&self.runs[index].session);
            let run = &self.runs[index];
            let (start, priority, hard) = (run.session.start, run.session.priority, run.session.hard);
            let able = self.can_sound(run, at, light.programme);
            let first_ok = self.first_can_sound(run, at, light) && !self.leapt_over(run, at, light);
            self.runs[index].claimed = true;
            if !able || self.floor.as_ref() == Some(&name) {
                continue;
            }
            let Some(holder) = self.floor.clone() else {
                self.floor = Some(name);
                continue;
            };
            let Some(held) = self.run(&holder).map(|r| (r.session.start, r.session.priority)) else { continue };
            let takes =
                held.0 != start && first_ok && (priority > held.1 || (priority == held.1 && hard == Start::Hard));
            if takes {
                self.cut_session(&holder, at, light, out);
                self.floor = Some(name);
            } else {
                self.runs[index].waited = true;
            }
        }
        if self.floor.is_none() {
            self.hand_on(at, light);
        }
    }

    /// Whether some item of a run can still sound.
    pub(super) fn can_sound(&self, run: &Run, at: Wall, programme: &Programme) -> bool {
        (0..run.items.len()).any(|i| {
            run.items[i].progress == Progress::Sounding
                || (run.items[i].progress == Progress::Waiting
                    && run.session.items[i].forbidden.is_none()
                    && run.items[i].bad.is_none()
                    && !self.is_withdrawn(run, i, at, programme)
                    && at <= run.last_moment(i))
        })
    }

    pub(super) fn first_can_sound(&self, run: &Run, at: Wall, light: &Light) -> bool {
        run.first().is_some_and(|first| {
            run.items[first].progress == Progress::Waiting
                && run.items[first].bad.is_none()
                && !self.is_withdrawn(run, first, at, light.programme)
                && (run.passes_quiet || light.programme.quiet.quiet_until(at).is_none())
        })
    }

    /// Whether the clock leapt over the time in which a session might have begun while something sounded: that is
    /// not cut for the sake of what is past.
    pub(super) fn leapt_over(&self, run: &Run, at: Wall, light: &Light) -> bool {
        at < light.live_from
            && self.voice.is_some()
            && run.first().is_none_or(|first| run.last_moment(first) < light.live_from)
    }

    pub(super) fn hand_on(&mut self, at: Wall, light: &Light) {
        let free = self.absence.is_none() && self.round.is_none() && at >= light.live_from;
        if !free {
            return;
        }
        let best = (0..self.runs.len())
            .filter(|i| self.runs[*i].session.start <= at && self.beginnable(&self.runs[*i], at, light).is_some())
            .min_by_key(|i| {
                let s = &self.runs[*i].session;
                let due_now = s.start == at && s.hard == Start::Hard;
                (std::cmp::Reverse(s.priority), !due_now, s.start, s.hard, s.order)
            });
        if let Some(best) = best {
            self.floor = Some(name_of(&self.runs[best].session));
        }
    }

    /// The session that had the floor gives way for good: what sounds is interrupted, the rest is missed.
    pub(super) fn cut_session(&mut self, name: &RunName, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        if self.voice.as_ref().is_some_and(|v| v.run == *name) {
            self.cut_voice(at, Reason::HardStart, light, out);
        }
        let count = self.run(name).map_or(0, |r| r.items.len());
        for index in 0..count {
            let dying = self.dying.iter().any(|d| d.voice.run == *name && d.voice.item == index);
            let Some(run) = self.run(name) else { return };
            if run.items[index].progress == Progress::Settled || dying {
                continue;
            }
            let mut causes = self.causes_for(run, index, at, light);
            causes.0 &= !(1 << Reason::Overlap as u32);
            causes.add(Reason::HardStart);
            if let Some(run) = self.run_mut(name) {
                run.items[index].causes.join(causes);
            }
            self.settle_unbegun(name, index, light, out);
        }
    }
}
