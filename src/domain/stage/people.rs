//! What people order: silence, a clip now, an emergency by hand.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::causes::Causes;
use super::emergencies::EmergencyRun;
use super::runs::{Progress, Run, RunName};
use super::{Decision, Light, Stage};
use crate::domain::airing::{Kind, Reason};
use crate::domain::playlist::{LOCAL, Priority, SlotKind, Start};
use crate::domain::schedule::{ClipFacts, EmergencyOrder, Planned, Session};
use crate::domain::time::{ClockState, Wall};

/// A person's order to be silent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Since when.
    pub since: Wall,
    /// It ends by itself then; none: until `resume`.
    pub until: Option<Wall>,
    /// Whether emergencies pass it.
    pub but_emergency: bool,
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
}

impl Stage {
    /// Whether anything sounds that a manual play would have to wait for.
    pub fn is_airing(&self) -> bool {
        self.voice.is_some() || self.round.is_some() || self.manual.is_some()
    }

    /// A person plays a clip now. Answers the reason when it is forbidden; the row is written either way.
    pub fn play(
        &mut self,
        number: u64,
        clip: Arc<ClipFacts>,
        gain_db: f64,
        by: Option<String>,
        light: &Light,
        out: &mut Vec<Decision>,
    ) -> Result<String, Reason> {
        let at = self.now.max(light.live_from);
        let begins = at + light.lead_ms;
        let forbidden = light.programme.forbidden_for(&clip.source, &clip.id, Some(&clip), begins);
        let planned = Planned {
            source: clip.source.clone(),
            clip_id: Some(clip.id.clone()),
            length_ms: clip.duration_ms.unwrap_or(0),
            offer: None,
            planned_at: begins,
            gain_db,
            forbidden,
            clip: Some(clip),
        };
        let mut run = Run::new(
            Session {
                source: "manual".into(),
                slot: number.to_string().into(),
                name: "manual".into(),
                start: begins,
                kind: SlotKind::Session,
                hard: Start::Soft,
                wait_up_to_ms: 0,
                late_ms: 0,
                priority: Priority::Normal,
                resume: false,
                order: (u32::MAX, 0),
                items: vec![planned],
            },
            Kind::Manual,
        );
        run.by = by;
        let mut causes = self.causes_for(&run, 0, at, light);
        if !light.ideal {
            // The speaker tries to open the device anew for a person, and says how that went.
            causes.0 &= !(1 << Reason::DeviceLost as u32);
        }
        run.items[0].bad = light.fault_of(&run.session.items[0]);
        run.items[0].bad.into_iter().for_each(|r| causes.add(r));
        forbidden.into_iter().for_each(|r| causes.add(r));
        if light.clock == ClockState::Unknown {
            causes.add(Reason::ClockUnknown);
        }
        run.items[0].causes = causes;
        let id = run.airing_id(0, light.programme);
        self.manual = Some(Box::new(run));
        if causes.any() {
            self.settle_unbegun(&RunName::Manual, 0, light, out);
            self.manual = None;
            return Err(causes.verdict().1);
        }
        self.start_voice(&RunName::Manual, 0, begins, 0, false, light, out);
        Ok(id)
    }

    /// A person orders an emergency. It begins at once, or when the round that has the air is over. Answers
    /// `SOURCE/ID` of it, or the reason when it is forbidden; the rows are written either way.
    pub fn play_emergency(
        &mut self,
        order: EmergencyOrder,
        light: &Light,
        out: &mut Vec<Decision>,
    ) -> Result<String, Reason> {
        let at = self.now.max(light.live_from);
        let taken = |id: &str| light.programme.emergencies.iter().any(|e| &*e.source == LOCAL && &*e.id == id);
        let id = loop {
            self.by_hand += 1;
            let id = format!("khan-cap-{}", self.by_hand);
            if !taken(&id) {
                break id;
            }
        };
        let key = format!("{LOCAL}/{id}");
        let plan = light.programme.by_hand(id.into(), at, order);
        let index = self.emergencies.len();
        self.emergencies.push(EmergencyRun {
            plan,
            first: None,
            next_round: at,
            soundings: 0,
            finished: false,
            causes: Causes::default(),
            bad: None,
            before: None,
        });
        let probe = self.emergency_run(index, at + light.lead_ms, light.programme);
        let planned = &probe.session.items[0];
        let mut causes = self.causes_for(&probe, 0, at, light);
        // Another one's round is waited for; the speaker and the amplifier are tried anew.
        for reason in [Reason::Emergency, Reason::DeviceLost, Reason::HookFailed] {
            causes.0 &= !(1 << reason as u32);
        }
        planned.forbidden.into_iter().chain(light.fault_of(planned)).for_each(|r| causes.add(r));
        if light.clock == ClockState::Unknown {
            causes.add(Reason::ClockUnknown);
        }
        if causes.any() {
            let e = &mut self.emergencies[index];
            (e.causes, e.finished) = (causes, true);
            self.emergency_never_sounded(index, light, out);
            self.emergencies.truncate(index);
            return Err(causes.verdict().1);
        }
        if self.round.is_none() {
            self.start_round(index, at, light, out);
        }
        Ok(key)
    }

    /// A plain stop ends for good what a person ordered by hand.
    pub(super) fn end_by_hand(&mut self, light: &Light, out: &mut Vec<Decision>) {
        for index in 0..self.emergencies.len() {
            let e = &mut self.emergencies[index];
            if e.plan.by.is_none() || e.finished {
                continue;
            }
            e.finished = true;
            e.causes.add(Reason::Stopped);
            if e.first.is_none() {
                self.emergency_never_sounded(index, light, out);
            }
        }
        let dying: Vec<usize> =
            self.dying.iter().filter(|d| d.voice.run == RunName::Round).map(|d| d.voice.item).collect();
        let Some(round) = self.round.as_mut().filter(|r| r.by.is_some()) else { return };
        let rest: Vec<usize> = (0..round.items.len())
            .filter(|i| round.items[*i].progress == Progress::Waiting && !dying.contains(i))
            .collect();
        for index in rest {
            if let Some(round) = &mut self.round {
                round.items[index].causes.add(Reason::Stopped);
            }
            self.settle_unbegun(&RunName::Round, index, light, out);
        }
    }

    /// Silence, at once.
    pub fn stop(&mut self, stop: Stop, light: &Light, out: &mut Vec<Decision>) {
        let emergency_passes = stop.but_emergency;
        self.stop = Some(stop);
        let spared = emergency_passes && self.voice.as_ref().is_some_and(|v| v.run == RunName::Round);
        if !spared {
            self.cut_voice(self.now, Reason::Stopped, light, out);
        }
        if !emergency_passes {
            self.end_by_hand(light, out);
        }
    }
}
