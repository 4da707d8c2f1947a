//! What the outside reports: the speaker, the amplifier, the clip store, and the box that was away.

use super::causes::Absence;
use super::runs::{Progress, RunName};
use super::{Decision, Light, Stage};
use crate::domain::airing::{Kind, Reason};
use crate::domain::schedule::{Planned, session_key};
use crate::domain::time::Wall;

impl Stage {
    /// The first sample of an airing sounded at `wall_ns`, `error_ns` after the instant aimed at.
    pub fn began(&mut self, airing_id: &str, wall_ns: i64, error_ns: i64) -> bool {
        let Some(voice) = self.voice.as_mut().filter(|v| v.airing_id == airing_id) else { return false };
        voice.begun = true;
        let at = Wall(wall_ns.div_euclid(1_000_000));
        // One that joined inside its clip skipped what it came too late for: it ends when it was to end.
        if voice.offset_ms == 0 {
            voice.ends_at = voice.ends_at + (at - voice.at);
        }
        voice.at = at;
        let (name, index) = (voice.run.clone(), voice.item);
        if let Some(run) = self.run_mut(&name) {
            run.items[index].began.get_or_insert((wall_ns, error_ns));
        }
        true
    }

    /// How much of it has sounded so far.
    pub fn progressed(&mut self, airing_id: &str, played_ms: i64) {
        if let Some(voice) = self.voice.as_mut().filter(|v| v.airing_id == airing_id) {
            voice.progress_ms = played_ms;
        }
    }

    /// The speaker is done with an airing. `fault` names what the speaker itself ran into.
    pub fn ended(
        &mut self,
        airing_id: &str,
        at: Wall,
        played_ms: i64,
        fault: Option<Reason>,
        light: &Light,
        out: &mut Vec<Decision>,
    ) {
        if let Some(voice) = self.voice.clone().filter(|v| v.airing_id == airing_id) {
            self.voice_ended(&voice, at, played_ms, fault, light, out);
        } else if let Some(i) = self.dying.iter().position(|d| d.voice.airing_id == airing_id) {
            let dying = self.dying.remove(i);
            // Why it was told to end is known better here than to the speaker, unless something broke meanwhile.
            let broke = fault.filter(|f| matches!(f, Reason::DeviceLost | Reason::ClipBad | Reason::ClipMissing));
            self.voice_ended(&dying.voice, at, played_ms, broke.or(Some(dying.reason)), light, out);
        }
    }

    /// The speaker could not take an airing: its audio is missing or broken, or it came too late.
    pub fn refused(&mut self, airing_id: &str, reason: Reason, light: &Light, out: &mut Vec<Decision>) {
        let programme = light.programme;
        let bad = matches!(reason, Reason::ClipMissing | Reason::ClipBad);
        for name in self.names().into_iter().chain([RunName::Manual]) {
            let Some(run) = self.run_mut(&name) else { continue };
            for index in 0..run.items.len() {
                if run.airing_id(index, programme) != airing_id {
                    continue;
                }
                let manual = run.kind == Kind::Manual;
                if bad {
                    run.items[index].bad = Some(reason);
                }
                if run.items[index].progress == Progress::Sounding {
                    run.items[index].progress = Progress::Waiting;
                    run.items[index].causes.add(reason);
                }
                if self.voice.as_ref().is_some_and(|v| v.airing_id == airing_id) {
                    self.voice = None;
                }
                if manual {
                    self.settle_unbegun(&name, index, light, out);
                }
                return;
            }
        }
        if bad {
            // A round foreseen but not begun.
            for e in &mut self.emergencies {
                let id = session_key(&e.plan.source, &e.plan.id, e.first.unwrap_or(e.next_round), programme.zone);
                if airing_id.starts_with(&id) {
                    e.bad = Some(reason);
                }
            }
        }
    }

    /// The audio of a clip, `SOURCE/ID`, turned out missing or broken, or is there again.
    pub fn clip_fault(&mut self, clip: &str, fault: Option<Reason>) {
        let same = |p: &Planned| p.clip_id.as_ref().is_some_and(|id| clip == format!("{}/{id}", p.source));
        for run in self.runs.iter_mut().chain(self.round.as_deref_mut()) {
            for (item, planned) in run.items.iter_mut().zip(&run.session.items) {
                if item.progress == Progress::Waiting && item.began.is_none() && same(planned) {
                    item.bad = fault;
                }
            }
        }
        for emergency in &mut self.emergencies {
            if clip == format!("{}/{}", emergency.plan.clip_source, emergency.plan.clip_id) {
                emergency.bad = fault;
            }
        }
    }

    /// The amplifier did not switch on: what was to sound through it waits, a relay window has failed.
    pub fn hook_failed(&mut self, light: &Light, out: &mut Vec<Decision>) {
        self.conditions.hook_failed = true;
        let Some(voice) = self.voice.clone().filter(|v| v.relay) else { return };
        self.voice = None;
        if let Some(run) = self.run_mut(&voice.run) {
            let item = &mut run.items[voice.item];
            item.progress = Progress::Waiting;
            item.began = None;
            item.bad = Some(Reason::HookFailed);
        }
        out.push(Decision::RelayEnds);
        self.settle_unbegun(&voice.run, voice.item, light, out);
    }

    /// Ends what sounds because the program ends: the row says so, and nothing begins any more.
    pub fn shut_down(&mut self, light: &Light, out: &mut Vec<Decision>) {
        self.cut_voice(self.now, Reason::Stopped, light, out);
        self.absence = Some(Absence::ShutDown);
    }

    /// The box was away: what sounded when it left is closed with what is known of it, lower bounds all.
    pub fn left(
        &mut self,
        absence: Absence,
        played_ms: impl Fn(&str) -> Option<i64>,
        light: &Light,
        out: &mut Vec<Decision>,
    ) {
        let reason = match absence {
            Absence::PowerOff => Reason::PowerOff,
            Absence::Crashed => Reason::Crashed,
            Absence::ShutDown => Reason::Stopped,
            Absence::ClockUnknown => Reason::ClockUnknown,
        };
        for dying in std::mem::take(&mut self.dying) {
            let played = played_ms(&dying.voice.airing_id).unwrap_or(dying.voice.progress_ms);
            let at = dying.voice.at + played;
            self.voice_ended(&dying.voice, at, played, Some(dying.reason), light, out);
        }
        if let Some(voice) = self.voice.take() {
            let played = played_ms(&voice.airing_id).unwrap_or(voice.progress_ms);
            let (at, played) = if voice.relay { (self.now, self.now - voice.at) } else { (voice.at + played, played) };
            self.voice_ended(&voice, at, played, Some(reason), light, out);
        }
        if self.manual.as_ref().is_some_and(|m| !m.over()) {
            if let Some(run) = &mut self.manual {
                run.items[0].causes.join(absence.cause());
            }
            self.settle_unbegun(&RunName::Manual, 0, light, out);
        }
        self.manual = None;
        self.absence = Some(absence);
    }
}
