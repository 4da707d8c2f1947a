//! Emergencies (rule R4): which stand, when their rounds fall due, and the round that has the air.

use serde::{Deserialize, Serialize};

use super::causes::Causes;
use super::rows::{close_session, open_session};
use super::runs::{Run, RunName};
use super::{Decision, Light, Stage};
use crate::domain::airing::{Kind, Reason};
use crate::domain::playlist::{Priority, SlotKind, Start};
use crate::domain::schedule::{EmergencyPlan, Planned, Programme, Session};
use crate::domain::time::{SECOND_MS, Wall};

/// How an emergency stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EmergencyRun {
    pub(super) plan: EmergencyPlan,
    /// Its first sounding, once there was one.
    pub(super) first: Option<Wall>,
    pub(super) next_round: Wall,
    pub(super) soundings: u32,
    pub(super) finished: bool,
    pub(super) causes: Causes,
    pub(super) bad: Option<Reason>,
    /// Another emergency had this id before: its first sounding, and how many airings bear its name.
    #[serde(default)]
    pub(super) before: Option<(Wall, u32)>,
}

impl EmergencyRun {
    /// Whether a plan is of this emergency: one that begins at another time is another one, whatever its id.
    fn is(&self, plan: &EmergencyPlan) -> bool {
        self.plan.by.is_none()
            && self.plan.source == plan.source
            && self.plan.id == plan.id
            && self.plan.from == plan.from
    }
}

impl Stage {
    /// Takes over the emergencies of a programme that has come into force: what has begun keeps its count, and one that
    /// was due, could not sound yet and is gone from its list has its row.
    pub fn set_emergencies(&mut self, light: &Light, out: &mut Vec<Decision>) {
        let programme = light.programme;
        for index in 0..self.emergencies.len() {
            let e = &self.emergencies[index];
            let due = !e.finished && e.first.is_none() && e.next_round <= self.now && e.plan.by.is_none();
            let stays = programme.emergencies.iter().any(|plan| e.is(plan));
            if due && !stays {
                self.emergency_never_sounded(index, light, out);
            }
        }
        // Who may pass quiet hours may be another one now, for what sounds already too.
        if let (Some(round), Some((source, _))) = (&mut self.round, &self.round_of) {
            round.passes_quiet = programme.passes_quiet(source);
        }
        let mut emergencies: Vec<EmergencyRun> = Vec::new();
        for plan in &programme.emergencies {
            let known = self.emergencies.iter().find(|e| e.is(plan));
            emergencies.push(match known {
                Some(known) => {
                    // A list that is renewed brings nothing new of what it said before.
                    let plan = EmergencyPlan { since: known.plan.since.min(plan.since), ..plan.clone() };
                    let unheard = known.first.is_none();
                    let next_round = if unheard { plan.from.max(plan.since) } else { known.next_round };
                    let ended =
                        known.finished && (plan.until <= known.plan.until || (plan.every_ms.is_none() && !unheard));
                    EmergencyRun { finished: ended || next_round >= plan.until, next_round, plan, ..known.clone() }
                }
                None => EmergencyRun {
                    first: None,
                    next_round: plan.from.max(plan.since),
                    soundings: 0,
                    finished: plan.until <= plan.since,
                    // Where it was due already, what keeps the box silent has kept it from that too.
                    causes: match self.absence {
                        Some(absence) if plan.from.max(plan.since) <= self.now => absence.cause(),
                        _ => Causes::default(),
                    },
                    bad: None,
                    before: self
                        .emergencies
                        .iter()
                        .find(|e| e.plan.source == plan.source && e.plan.id == plan.id)
                        .map(|e| (e.first.unwrap_or(e.plan.from.max(e.plan.since)), e.soundings)),
                    plan: plan.clone(),
                },
            });
        }
        // What a person ordered is no list's to end.
        let by_hand = |e: &EmergencyRun| e.plan.by.is_some() && !e.finished;
        let kept = std::mem::take(&mut self.emergencies).into_iter().filter(by_hand);
        emergencies.extend(kept.map(|mut e| {
            e.plan.passes_quiet = programme.passes_quiet(&e.plan.source);
            e
        }));
        self.emergencies = emergencies;
    }

    /// Rounds of emergencies that fall due.
    pub(super) fn start_rounds(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        for index in 0..self.emergencies.len() {
            let e = &self.emergencies[index];
            if e.finished {
                continue;
            }
            // An id that is used again while its last round lasts is another emergency: it waits.
            let own_round = self.round.is_some()
                && e.first.is_some()
                && self.round_of.as_ref().is_some_and(|(s, i)| *s == e.plan.source && *i == e.plan.id);
            if at >= e.plan.until {
                let never = e.first.is_none();
                self.emergencies[index].finished = true;
                if never && !own_round {
                    self.emergency_never_sounded(index, light, out);
                }
                continue;
            }
            if e.next_round > at {
                continue;
            }
            if own_round {
                // A round due while the last one lasts is left out.
                let every = e.plan.every_ms.unwrap_or(i64::MAX);
                let e = &mut self.emergencies[index];
                while e.next_round <= at {
                    e.next_round = e.next_round + every.max(1);
                }
                continue;
            }
            if self.round.is_some() {
                self.emergencies[index].causes.add(Reason::Emergency);
                continue;
            }
            let mut probe = self.emergency_run(index, at, light.programme);
            let bad = e.bad.or_else(|| light.fault_of(&probe.session.items[0]));
            probe.items.iter_mut().for_each(|i| i.bad = bad);
            let mut causes = self.causes_for(&probe, 0, at, light);
            if probe.session.items[0].forbidden.is_some_and(|r| r != Reason::ClipMissing) {
                causes.join(Causes(1 << probe.session.items[0].forbidden.map_or(0, |r| r as u32)));
            }
            let past = at < light.live_from && !self.is_foreseen(index, at, light);
            if e.first.is_none() && (causes.any() || past) {
                // As soon as the box can, within `until`.
                self.emergencies[index].causes.join(causes);
                continue;
            }
            self.start_round(index, at, light, out);
        }
    }

    pub(super) fn emergency_run(&self, index: usize, start: Wall, programme: &Programme) -> Run {
        let e = &self.emergencies[index];
        let plan = &e.plan;
        let length = plan.clip.as_ref().and_then(|c| c.duration_ms).unwrap_or(0);
        let daypart = programme.config().daypart_gain_db(programme.zone.local(start).time());
        let approved = plan.clip.as_ref().is_none_or(|c| c.approved);
        let expired = programme.expired(&plan.source, start) || programme.expired(&plan.clip_source, start);
        let items = (0..plan.repeat)
            .map(|k| Planned {
                source: plan.clip_source.clone(),
                clip_id: Some(plan.clip_id.clone()),
                clip: plan.clip.clone(),
                offer: None,
                planned_at: start + i64::from(k) * (length + plan.gap_ms),
                length_ms: length,
                gain_db: plan.gain_db + daypart,
                forbidden: match (&plan.clip, approved) {
                    _ if expired => Some(Reason::Expired),
                    (None, _) => Some(Reason::ClipMissing),
                    (_, false) => Some(Reason::NotApproved),
                    _ => None,
                },
            })
            .enumerate()
            .filter(|(k, p)| *k == 0 || p.planned_at < plan.until)
            .map(|(_, p)| p)
            .collect();
        let mut run = Run::new(
            Session {
                source: plan.source.clone(),
                slot: plan.id.clone(),
                name: plan.clip.as_ref().map_or_else(|| plan.id.clone(), |c| c.title.clone()),
                start,
                kind: SlotKind::Session,
                hard: Start::Hard,
                wait_up_to_ms: 0,
                late_ms: 0,
                priority: Priority::Emergency,
                resume: false,
                order: (0, index as u32),
                items,
            },
            Kind::Emergency,
        );
        run.passes_quiet = plan.passes_quiet;
        run.by = plan.by.clone();
        run.id_start = e.first.unwrap_or(start);
        // Names tell seconds apart, no less: two that begin in the same one share their numbers.
        let same_second = |first: Wall| first.0.div_euclid(SECOND_MS) == run.id_start.0.div_euclid(SECOND_MS);
        run.id_offset = e.soundings + e.before.filter(|(first, _)| same_second(*first)).map_or(0, |(_, n)| n);
        run.claimed = true;
        run
    }

    /// Whether the first sounding of a round that begins at `at` is armed: the speaker begins it at its very instant,
    /// though the machine may look a little later.
    fn is_foreseen(&self, index: usize, at: Wall, light: &Light) -> bool {
        !light.armed.is_empty() && {
            let id = self.emergency_run(index, at, light.programme).airing_id(0, light.programme);
            light.armed.contains(&id)
        }
    }

    pub(super) fn start_round(&mut self, index: usize, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        let foreseen = self.is_foreseen(index, at, light);
        let unheard = self.absence.is_some() || (at < light.live_from && !foreseen);
        let start = if foreseen || unheard { at } else { at + light.lead_ms };
        let mut run = self.emergency_run(index, start, light.programme);
        if let Some(bad) = self.emergencies[index].bad.or_else(|| light.fault_of(&run.session.items[0])) {
            run.items.iter_mut().for_each(|i| i.bad = Some(bad));
        }
        let e = &mut self.emergencies[index];
        let first = *e.first.get_or_insert(start);
        e.soundings += run.items.len() as u32;
        match e.plan.every_ms {
            Some(every) => {
                while e.next_round <= start {
                    let n = (start - first) / every.max(1) + 1;
                    e.next_round = first + n * every.max(1);
                }
            }
            None => e.finished = true,
        }
        if e.next_round >= e.plan.until {
            e.finished = true;
        }
        self.round_of = Some((e.plan.source.clone(), e.plan.id.clone()));
        open_session(&run, light.programme, out);
        self.round = Some(Box::new(run));
        // What sounds ends where the first sounding begins; when that is later than now, the last words may be said.
        if !unheard && self.causes_free(start, light) {
            self.cut_voice(start, Reason::Emergency, light, out);
        }
    }

    pub(super) fn causes_free(&self, at: Wall, light: &Light) -> bool {
        self.round.as_ref().is_some_and(|run| {
            let causes = self.causes_for(run, 0, at, light);
            !causes.any() && run.session.items[0].forbidden.is_none()
        })
    }

    pub(super) fn emergency_never_sounded(&mut self, index: usize, light: &Light, out: &mut Vec<Decision>) {
        let start = self.emergencies[index].plan.from.max(self.emergencies[index].plan.since);
        let mut run = self.emergency_run(index, start, light.programme);
        let causes = self.emergencies[index].causes;
        let bad = self.emergencies[index].bad.or_else(|| light.fault_of(&run.session.items[0]));
        self.emergencies[index].soundings += run.items.len() as u32;
        for item in &mut run.items {
            item.causes.join(causes);
            item.bad = bad;
        }
        open_session(&run, light.programme, out);
        let kept = self.round.replace(Box::new(run));
        let count = self.round.as_ref().map_or(0, |r| r.items.len());
        for item in 0..count {
            self.settle_unbegun(&RunName::Round, item, light, out);
        }
        if let Some(run) = &self.round {
            close_session(run, light.programme, out);
        }
        self.round = kept;
    }
}
