//! A session, an emergency's round or a manual play on its way through its plan: the session clock of rule R3. When
//! an item is due, until when it may still begin, and what its name in the log is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::causes::Causes;
use crate::domain::airing::{Kind, Reason};
use crate::domain::playlist::SlotKind;
use crate::domain::schedule::{Programme, Session, session_key};
use crate::domain::time::{SECOND_MS, Wall};

/// An item that is due may still begin within its second (rule R6: missed when its second has passed).
pub(super) const ITS_SECOND_MS: i64 = SECOND_MS;

/// How far an airing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Progress {
    /// Not begun, or in a hole from which it may be taken up again.
    Waiting,
    /// It has the voice.
    Sounding,
    /// Its row is written.
    Settled,
}

/// One airing of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ItemRun {
    pub(super) progress: Progress,
    pub(super) causes: Causes,
    /// What ended it while it sounded, when it may still be taken up again.
    pub(super) hole: Option<Reason>,
    /// Audio that turned out missing or broken.
    pub(super) bad: Option<Reason>,
    /// The device failed while it sounded: it is never `aired` (invariant 5).
    pub(super) device_lost: bool,
    /// The device is or was gone in its time: it may be joined inside.
    pub(super) joins_inside: bool,
    pub(super) played_ms: i64,
    /// Wall time, nanoseconds, of the first sample, and how far that was from the instant aimed at.
    pub(super) began: Option<(i64, i64)>,
    pub(super) ended_at: Option<Wall>,
}

/// A session, an emergency's round or a manual play, on its way through its plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The plan.
    pub session: Session,
    pub(super) kind: Kind,
    pub(super) items: Vec<ItemRun>,
    /// How late the session began, milliseconds; the session clock runs so much behind.
    pub(super) shift_ms: i64,
    /// Whether its first item has begun or can no longer.
    pub(super) joined: bool,
    /// Whether it found the air taken at its start.
    pub(super) waited: bool,
    /// Whether its start has been dealt with.
    pub(super) claimed: bool,
    /// Emergencies and manual plays: `airing_id` is made of these.
    pub(super) id_start: Wall,
    pub(super) id_offset: u32,
    pub(super) passes_quiet: bool,
    pub(super) by: Option<String>,
}

impl Run {
    pub(super) fn new(session: Session, kind: Kind) -> Run {
        let items = session
            .items
            .iter()
            .map(|_| ItemRun {
                progress: Progress::Waiting,
                causes: Causes::default(),
                hole: None,
                bad: None,
                device_lost: false,
                joins_inside: false,
                played_ms: 0,
                began: None,
                ended_at: None,
            })
            .collect();
        Run {
            id_start: session.start,
            session,
            kind,
            items,
            shift_ms: 0,
            joined: false,
            waited: false,
            claimed: false,
            id_offset: 0,
            passes_quiet: false,
            by: None,
        }
    }

    pub(super) fn due(&self, item: usize) -> Wall {
        self.session.items[item].planned_at + self.shift_ms
    }

    pub(super) fn end_of(&self, item: usize) -> Wall {
        // A relay window always ends at its own end.
        let shift = if self.is_relay() { 0 } else { self.shift_ms };
        self.session.items[item].planned_at + shift + self.session.items[item].length_ms
    }

    pub(super) fn is_relay(&self) -> bool {
        matches!(self.session.kind, SlotKind::Relay { .. })
    }

    pub(super) fn over(&self) -> bool {
        self.items.iter().all(|i| i.progress == Progress::Settled)
    }

    pub(super) fn window_ms(&self) -> i64 {
        if self.waited { self.session.wait_up_to_ms } else { self.session.late_ms }
    }

    /// The first item that takes time: it alone may begin late and shift the session.
    pub(super) fn first(&self) -> Option<usize> {
        self.session.items.iter().position(|p| p.forbidden.is_none())
    }

    pub(super) fn may_be_first(&self, item: usize) -> bool {
        !self.joined && self.kind != Kind::Emergency && self.first() == Some(item)
    }

    /// Whether an item comes after a first one that may still begin late: the whole session moves with that one, so
    /// nothing after it is past yet.
    pub(super) fn may_still_shift(&self, item: usize, at: Wall) -> bool {
        !self.joined
            && self.kind != Kind::Emergency
            && self.first().is_some_and(|first| first < item)
            && at <= self.session.start + self.window_ms()
    }

    /// The last moment at which an item might begin.
    pub(super) fn last_moment(&self, item: usize) -> Wall {
        if self.is_relay() {
            return self.end_of(item) + -1;
        }
        let mut last = self.due(item) + (ITS_SECOND_MS - 1);
        if self.may_be_first(item) {
            last = last.max(self.session.start + self.window_ms());
        }
        if self.session.resume || self.items[item].joins_inside {
            last = last.max(self.end_of(item) + -1);
        }
        last
    }

    pub(super) fn airing_id(&self, item: usize, programme: &Programme) -> String {
        if self.kind == Kind::Manual {
            return format!("manual/{}", self.session.slot);
        }
        let key = session_key(&self.session.source, &self.session.slot, self.id_start, programme.zone);
        format!("{key}/{}", self.id_offset + item as u32 + 1)
    }
}

/// Names a run among those on stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunName {
    /// `source`, `slot`, start.
    Session(Arc<str>, Arc<str>, Wall),
    /// The round of an emergency that has the air.
    Round,
    /// What a person plays.
    Manual,
}

pub(super) fn name_of(session: &Session) -> RunName {
    RunName::Session(session.source.clone(), session.slot.clone(), session.start)
}
