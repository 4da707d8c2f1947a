//! What is on stage, for showing.

use std::sync::Arc;

use super::Stage;
use super::runs::{Progress, Run};
use crate::domain::airing::{Kind, Reason};
use crate::domain::schedule::{Programme, Session};
use crate::domain::time::Wall;

/// An airing on stage, for showing.
#[derive(Clone, Debug)]
pub struct OnStage {
    /// Its id.
    pub airing_id: String,
    /// Whose session.
    pub source: Arc<str>,
    /// Plain slot id.
    pub slot: Arc<str>,
    /// The session's name.
    pub slot_name: Arc<str>,
    /// Plain clip id; none for a relay window.
    pub clip_id: Option<Arc<str>>,
    /// Title.
    pub title: Option<Arc<str>>,
    /// When it is to sound.
    pub planned_at: Wall,
    /// When it began.
    pub started_at: Option<Wall>,
    /// How much has sounded, milliseconds.
    pub played_ms: Option<i64>,
    /// Its length, milliseconds.
    pub clip_ms: Option<i64>,
    /// Why it will not sound.
    pub forbidden: Option<Reason>,
}

impl OnStage {
    /// An item of a session that is not on stage yet.
    pub fn planned(session: &Session, item: usize, programme: &Programme) -> OnStage {
        OnStage::of(&Run::new(session.clone(), Kind::Scheduled), item, programme)
    }

    pub(super) fn of(run: &Run, index: usize, programme: &Programme) -> OnStage {
        let planned = &run.session.items[index];
        OnStage {
            airing_id: run.airing_id(index, programme),
            source: run.session.source.clone(),
            slot: run.session.slot.clone(),
            slot_name: run.session.name.clone(),
            clip_id: planned.clip_id.clone(),
            title: planned.clip.as_ref().map(|c| c.title.clone()),
            planned_at: planned.planned_at,
            started_at: run.items[index].began.map(|(ns, _)| Wall(ns.div_euclid(1_000_000))),
            played_ms: None,
            clip_ms: Some(planned.length_ms),
            forbidden: planned.forbidden,
        }
    }
}

impl Stage {
    /// Sessions on stage, for showing.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.runs.iter().map(|r| &r.session)
    }

    /// Whether a round of an emergency has the air.
    pub fn in_emergency(&self) -> bool {
        self.round.is_some()
    }

    /// What sounds, or the relay window that runs.
    pub fn on_air(&self, programme: &Programme) -> Option<OnStage> {
        let voice = self.voice.as_ref().filter(|v| v.begun)?;
        let shown = OnStage::of(self.run(&voice.run)?, voice.item, programme);
        Some(OnStage { played_ms: Some(voice.offset_ms + voice.progress_ms), ..shown })
    }

    /// The first airing planned after `after` among the sessions on stage.
    pub fn next_planned(&self, after: Wall, programme: &Programme) -> Option<OnStage> {
        let runs = self.runs.iter().chain(self.round.as_deref());
        let waiting = runs.flat_map(|run| {
            let items = run.items.iter().zip(&run.session.items).enumerate();
            items
                .filter(|(_, (i, p))| i.progress == Progress::Waiting && p.planned_at > after)
                .map(move |(i, _)| (run, i))
        });
        let (run, index) = waiting.min_by_key(|(run, i)| run.session.items[*i].planned_at)?;
        Some(OnStage::of(run, index, programme))
    }

    /// Whether something was told to end and has not reported yet.
    pub fn is_dying(&self) -> bool {
        !self.dying.is_empty()
    }

    /// Whether a relay window has the air.
    pub fn is_relaying(&self) -> bool {
        self.voice.as_ref().is_some_and(|v| v.relay)
    }

    /// Whether something planned before `until` has no row yet.
    pub fn has_unsettled_before(&self, until: Wall) -> bool {
        let waits = |run: &Run| {
            run.items
                .iter()
                .zip(&run.session.items)
                .any(|(i, p)| i.progress != Progress::Settled && p.planned_at < until)
        };
        self.runs.iter().chain(self.round.as_deref()).any(waits)
            || self.emergencies.iter().any(|e| !e.finished && e.first.is_none() && e.next_round < until)
    }

    /// Whether nothing at all is on stage.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
            && self.round.is_none()
            && self.manual.is_none()
            && self.voice.is_none()
            && self.dying.is_empty()
    }
}
