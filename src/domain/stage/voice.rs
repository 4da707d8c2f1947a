//! What sounds: how an item begins at its due second, in a seam or after a hole (rule R3), and how it is made to end by
//! time, at a quiet edge, by a withdrawal or by something stronger.

use serde::{Deserialize, Serialize};

use super::runs::{ITS_SECOND_MS, Progress, Run, RunName, name_of};
use super::{Begin, Causes, Decision, Light, Stage};
use crate::domain::airing::{Kind, Reason};
use crate::domain::schedule::Programme;
use crate::domain::time::{SECOND_MS, Wall};

/// What has no second of its own to keep waits so long for a device that opens slowly, milliseconds.
pub(super) const DEVICE_PATIENCE_MS: i64 = 10 * SECOND_MS;

/// What sounds, or is about to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Voice {
    /// The airing.
    pub airing_id: String,
    /// Whose item.
    pub(super) run: RunName,
    pub(super) item: usize,
    /// The instant aimed at.
    pub at: Wall,
    /// How far inside the clip it begins, milliseconds.
    pub(super) offset_ms: i64,
    /// Whether the speaker has begun.
    pub begun: bool,
    /// When it will have ended.
    pub ends_at: Wall,
    /// A relay window: no sound of ours.
    pub(super) relay: bool,
    /// How much was reported so far, milliseconds, this time.
    pub progress_ms: i64,
}

impl Voice {
    /// Whether it is a relay window, without sound of ours.
    pub fn relays(&self) -> bool {
        self.relay
    }
}

/// The right of a sound to pass quiet hours, and the quiet edge at which it must have faded.
pub(super) fn bounds(
    programme: &Programme,
    emergency: Option<&str>,
    from: Wall,
    ends_at: Wall,
) -> (bool, Option<Wall>) {
    let passes = emergency.is_some_and(|source| programme.passes_quiet(source));
    (passes, if passes { None } else { programme.quiet.next_quiet(from).filter(|edge| *edge < ends_at) })
}

/// A voice that was told to end and has not reported yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Dying {
    pub(super) voice: Voice,
    pub(super) reason: Reason,
}

impl Stage {
    /// Lets sound begin: of the round, else of the session that has the floor.
    pub(super) fn begin(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        if self.absence.is_some() || at < light.live_from {
            return;
        }
        let name = if self.round.is_some() {
            RunName::Round
        } else {
            match &self.floor {
                Some(floor) => floor.clone(),
                None => return,
            }
        };
        // Manual play ranks lowest, an emergency highest: only these cut here. Sessions are cut by taking over.
        let keeps = |v: &Voice| v.run != RunName::Manual && (name != RunName::Round || v.run == RunName::Round);
        if self.voice.as_ref().is_some_and(keeps) {
            return;
        }
        let Some(run) = self.run(&name) else { return };
        let Some((index, offset)) = self.beginnable(run, at, light) else { return };
        let mut causes = self.causes_for(run, index, at, light);
        causes.0 &= !(1 << Reason::Overlap as u32);
        if causes.any() {
            return;
        }
        let follows = self.follows(&name, run, index);
        let id = run.airing_id(index, light.programme);
        let armed = light.armed.contains(&id);
        let due = run.due(index);
        // Foreseen: exactly when due. Not foreseen: as soon as the speaker can.
        let begins = if run.kind == Kind::Emergency && !armed {
            due.max(at)
        } else if armed || follows {
            at.max(due.min(at))
        } else {
            at + light.lead_ms
        };
        let as_first = run.may_be_first(index);
        let late_for_its_second = begins >= due + ITS_SECOND_MS && offset == 0 && !as_first && !run.is_relay();
        if late_for_its_second && !run.session.resume && run.kind != Kind::Emergency {
            return;
        }
        if self.voice.is_some() {
            let reason = if name == RunName::Round { Reason::Emergency } else { Reason::HardStart };
            self.cut_voice(begins, reason, light, out);
        }
        self.start_voice(&name, index, begins, offset, follows, light, out);
    }

    /// What a run may begin at this instant: the item, and how far inside it.
    pub(super) fn beginnable(&self, run: &Run, at: Wall, light: &Light) -> Option<(usize, i64)> {
        let name = match run.kind {
            Kind::Emergency => RunName::Round,
            Kind::Manual => RunName::Manual,
            _ => name_of(&run.session),
        };
        if run.items.iter().any(|i| i.progress == Progress::Sounding) {
            return None;
        }
        for index in 0..run.items.len() {
            let item = &run.items[index];
            let due = run.due(index);
            let early = if self.follows(&name, run, index) { ITS_SECOND_MS } else { 0 };
            if due + -early > at {
                return None;
            }
            let dying = self.dying.iter().any(|d| d.voice.run == name && d.voice.item == index);
            if item.progress != Progress::Waiting
                || run.session.items[index].forbidden.is_some()
                || item.bad.is_some()
                || dying
                || self.is_withdrawn(run, index, at, light.programme)
            {
                continue;
            }
            let in_its_second = at < due + ITS_SECOND_MS && item.began.is_none();
            let as_first =
                run.may_be_first(index) && at >= run.session.start && at <= run.session.start + run.window_ms();
            if in_its_second || as_first {
                return Some((index, 0));
            }
            let hole = item.hole.or(item.causes.hole());
            let inside = (run.is_relay() || ((run.session.resume || item.joins_inside) && hole.is_some()))
                && at < run.end_of(index);
            if inside {
                return Some((index, at - due));
            }
        }
        None
    }

    /// Whether an item comes right after the one that ended at this instant: a hole between them is no seam.
    pub(super) fn follows(&self, name: &RunName, run: &Run, index: usize) -> bool {
        self.just_ended.as_ref().is_some_and(|(ended, item)| {
            ended == name && *item < index && run.session.items[item + 1..index].iter().all(|p| p.length_ms == 0)
        })
    }

    #[allow(clippy::too_many_arguments)] // one voice, in parts
    pub(super) fn start_voice(
        &mut self,
        name: &RunName,
        index: usize,
        begins: Wall,
        offset: i64,
        follows: bool,
        light: &Light,
        out: &mut Vec<Decision>,
    ) {
        let takes_over = self.just_cut || !self.dying.is_empty();
        let quiet_edge = light.programme.quiet.next_quiet(begins);
        let Some(run) = self.run_mut(name) else { return };
        if run.may_be_first(index) && run.kind != Kind::Manual {
            if offset == 0 && !run.is_relay() {
                run.shift_ms = begins - run.session.start;
                if run.shift_ms > 0 {
                    // Their time is another one now: what kept them from sounding before it does not count.
                    run.items.iter_mut().skip(index + 1).for_each(|i| i.causes = Causes::default());
                }
            }
            run.joined = true;
        }
        let relay = run.is_relay();
        let length = run.session.items[index].length_ms;
        let offset = if relay {
            0
        } else if offset > 0 {
            begins - run.due(index)
        } else {
            0
        };
        let ends_at = if relay { run.end_of(index) } else { begins + (length - offset).max(0) };
        let airing_id = run.airing_id(index, light.programme);
        let last = run.last_moment(index);
        let resumable = run.session.resume;
        let item = &mut run.items[index];
        item.progress = Progress::Sounding;
        if offset > 0 {
            item.hole = item.hole.or(item.causes.hole());
        } else if item.began.is_none() {
            item.device_lost = false;
            item.joins_inside = false;
        }
        if (light.ideal || relay) && item.began.is_none() {
            item.began = Some((begins.0 * 1_000_000, 0));
        }
        let planned = &run.session.items[index];
        let session = run.session.key(light.programme.zone);
        if relay {
            out.push(Decision::RelayBegins { airing_id: airing_id.clone() });
        } else if let Some(clip) = planned.clip.clone() {
            out.push(Decision::Begin(Begin {
                airing_id: airing_id.clone(),
                clip,
                at: begins,
                start_by: match run.kind {
                    // These begin as soon as the device lets them.
                    Kind::Manual | Kind::Emergency => begins + DEVICE_PATIENCE_MS,
                    _ if resumable => last,
                    _ => last.max(begins + (ITS_SECOND_MS - 1)),
                },
                offset_ms: offset,
                gain_db: planned.gain_db,
                seam: follows,
                takes_over,
                end_by: if run.passes_quiet { None } else { quiet_edge.filter(|q| *q < ends_at) },
                passes_quiet: run.passes_quiet,
                kind: run.kind,
                session,
            }));
        }
        self.voice = Some(Voice {
            airing_id,
            run: name.clone(),
            item: index,
            at: begins,
            offset_ms: offset,
            begun: light.ideal || relay,
            ends_at,
            relay,
            progress_ms: 0,
        });
    }

    /// The bounds of what sounds and of what is armed, after quiet hours, rights or the clock have changed.
    pub fn bounds(
        &self,
        programme: &Programme,
        armed: &mut [&mut Begin],
        now: Wall,
    ) -> Vec<(String, bool, Option<Wall>)> {
        let mut all = Vec::new();
        if let Some(voice) = self.voice.as_ref().filter(|v| !v.relay) {
            let source = self.round_of.as_ref().filter(|_| voice.run == RunName::Round).map(|(source, _)| &**source);
            let (passes, end_by) = bounds(programme, source, now, voice.ends_at);
            all.push((voice.airing_id.clone(), passes, end_by));
        }
        for begin in armed.iter_mut().filter(|b| self.voice.as_ref().is_none_or(|v| v.airing_id != b.airing_id)) {
            let source = begin.airing_id.split('/').next().filter(|_| begin.kind == Kind::Emergency);
            let ends_at = begin.at + (begin.clip.duration_ms.unwrap_or(0) - begin.offset_ms);
            let (passes, end_by) = bounds(programme, source, begin.at, ends_at);
            (begin.passes_quiet, begin.end_by) = (passes, end_by);
            all.push((begin.airing_id.clone(), passes, end_by));
        }
        all
    }

    /// Voices that end by time, at a quiet edge or by a withdrawal.
    pub(super) fn end_voice(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        let Some(voice) = self.voice.clone() else { return };
        let Some(run) = self.run(&voice.run) else {
            self.voice = None;
            return;
        };
        if (light.ideal || voice.relay) && voice.ends_at <= at {
            self.voice_ended(&voice, voice.ends_at, voice.ends_at - voice.at, None, light, out);
            return;
        }
        let quiet = !run.passes_quiet && light.programme.quiet.quiet_until(at).is_some();
        let withdrawn = self.is_withdrawn(run, voice.item, at, light.programme);
        if at < voice.at {
            // A moment the clock leapt over: what sounds began after it.
            return;
        }
        if withdrawn {
            self.cut_voice(at, Reason::Withdrawn, light, out);
        } else if quiet {
            self.cut_voice(at, Reason::QuietHours, light, out);
        }
    }

    /// Ends what sounds, for a reason, with the fade at `at`.
    pub fn cut_voice(&mut self, at: Wall, reason: Reason, light: &Light, out: &mut Vec<Decision>) {
        let Some(voice) = self.voice.clone() else { return };
        self.just_cut |= !voice.relay;
        // Nothing ends in the past, though the clock may have leapt over the moment that decided it; but the speaker
        // keeps the quiet edge by itself.
        let at = if light.ideal && reason != Reason::QuietHours { at.max(light.live_from) } else { at };
        if light.ideal && at >= voice.ends_at {
            // It came to its end by itself before anybody looked.
            self.voice_ended(&voice, voice.ends_at, voice.ends_at - voice.at, None, light, out);
            return;
        }
        if light.ideal || voice.relay {
            let played = (at - voice.at).max(0);
            self.voice_ended(&voice, at, played, Some(reason), light, out);
            return;
        }
        out.push(Decision::Cut { airing_id: voice.airing_id.clone(), at });
        // The speaker will say how much sounded; until then the item is neither here nor there, and the air is free.
        self.voice = None;
        self.dying.push(Dying { voice, reason });
    }

    /// A voice is over: whole when `reason` is none.
    pub(super) fn voice_ended(
        &mut self,
        voice: &Voice,
        at: Wall,
        played_ms: i64,
        reason: Option<Reason>,
        light: &Light,
        out: &mut Vec<Decision>,
    ) {
        if self.voice.as_ref().is_some_and(|v| v.airing_id == voice.airing_id) {
            self.voice = None;
        }
        if reason.is_none() {
            // What was cut leaves a hole and no seam.
            self.just_ended = Some((voice.run.clone(), voice.item));
        }
        if voice.relay {
            out.push(Decision::RelayEnds);
        }
        let resume_allowed = self.run(&voice.run).is_some_and(|run| {
            reason.is_some()
                && !run.is_relay()
                && at < run.end_of(voice.item)
                && (run.session.resume || reason == Some(Reason::DeviceLost))
                && !matches!(
                    reason,
                    Some(Reason::HardStart | Reason::Withdrawn | Reason::ClipBad | Reason::ClipMissing)
                )
                && run.kind != Kind::Manual
        });
        let Some(run) = self.run_mut(&voice.run) else { return };
        let item = &mut run.items[voice.item];
        item.played_ms += played_ms;
        item.progress = Progress::Waiting;
        if light.ideal && reason.is_some() && item.played_ms == 0 {
            // Begun means that a sample was accepted: one ended in its very first instant never began.
            item.began = None;
        }
        if item.began.is_some() {
            item.ended_at = Some(at);
        }
        if reason == Some(Reason::DeviceLost) {
            item.device_lost = true;
            item.joins_inside = true;
        } else if reason.is_some() {
            item.joins_inside = false;
        }
        if item.began.is_none() {
            // Told to sound, and ended before its first sample: as if it had never been told.
            item.causes.0 |= reason.map_or(0, |r| 1 << r as u32);
            if voice.run == RunName::Manual {
                self.settle_unbegun(&RunName::Manual, 0, light, out);
            }
            return;
        }
        item.hole = reason.or(item.hole);
        if !resume_allowed {
            self.settle_begun(&voice.run, voice.item, light, out);
        }
    }
}
