//! Who has the air, and how each planned airing ends: the session clock and the floor of rules R3 and R4, the
//! outcomes of rule R6. A stage is advanced along wall time; whatever happened meanwhile (power off, clock jumped,
//! speaker events) it is the same code that decides, so the past is settled by the rules that run the present.
//!
//! A stage can be cloned and advanced ahead of time with an ideal speaker: that is how `playout` knows what to arm
//! one pre-roll early, and how `simulate` plays a month in a second.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::airing::{
    Airing, Entry, EventKind, EventRow, Kind, Outcome, Reason, SessionRow, SessionRowItem, Write,
};
use crate::domain::playlist::{LOCAL, Priority, SlotKind, Start};
use crate::domain::schedule::{ClipFacts, EmergencyOrder, EmergencyPlan, Planned, Programme, Session, session_key};
use crate::domain::time::{ClockState, SECOND_MS, Wall};

/// An item that is due may still begin within its second (rule R6: missed when its second has passed).
const ITS_SECOND_MS: i64 = SECOND_MS;

/// What has no second of its own to keep waits so long for a device that opens slowly, milliseconds.
const DEVICE_PATIENCE_MS: i64 = 10 * SECOND_MS;

/// So much of a clip, in per cent, must have been accepted to count as aired (invariant 5).
const AIRED_PERCENT: i64 = 98;

/// A set of reasons that held while an airing might have begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Causes(u32);

impl Causes {
    const SHUT_DOWN: u32 = 1 << 31;

    fn add(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u32;
    }

    fn join(&mut self, other: Causes) {
        self.0 |= other.0;
    }

    fn has(self, reason: Reason) -> bool {
        self.0 & 1 << reason as u32 != 0
    }

    fn any(self) -> bool {
        self.0 != 0
    }

    /// The reason a row keeps when an airing joined inside its time stays short of whole: those that may end what
    /// has begun. None: nothing of that kind held, and it is not joined inside.
    fn hole(self) -> Option<Reason> {
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
    fn verdict(self) -> (Outcome, Reason) {
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

    fn cause(self) -> Causes {
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

/// How far an airing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Progress {
    /// Not begun, or in a hole from which it may be taken up again.
    Waiting,
    /// It has the voice.
    Sounding,
    /// Its row is written.
    Settled,
}

/// One airing of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ItemRun {
    progress: Progress,
    causes: Causes,
    /// What ended it while it sounded, when it may still be taken up again.
    hole: Option<Reason>,
    /// Audio that turned out missing or broken.
    bad: Option<Reason>,
    /// The device failed while it sounded: it is never `aired` (invariant 5).
    device_lost: bool,
    /// The device is or was gone in its time: it may be joined inside.
    joins_inside: bool,
    played_ms: i64,
    /// Wall time, nanoseconds, of the first sample, and how far that was from the instant aimed at.
    began: Option<(i64, i64)>,
    ended_at: Option<Wall>,
}

/// A session, an emergency's round or a manual play, on its way through its plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The plan.
    pub session: Session,
    kind: Kind,
    items: Vec<ItemRun>,
    /// How late the session began, milliseconds; the session clock runs so much behind.
    shift_ms: i64,
    /// Whether its first item has begun or can no longer.
    joined: bool,
    /// Whether it found the air taken at its start.
    waited: bool,
    /// Whether its start has been dealt with.
    claimed: bool,
    /// Emergencies and manual plays: `airing_id` is made of these.
    id_start: Wall,
    id_offset: u32,
    passes_quiet: bool,
    by: Option<String>,
}

impl Run {
    fn new(session: Session, kind: Kind) -> Run {
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

    fn due(&self, item: usize) -> Wall {
        self.session.items[item].planned_at + self.shift_ms
    }

    fn end_of(&self, item: usize) -> Wall {
        // A relay window always ends at its own end.
        let shift = if self.is_relay() { 0 } else { self.shift_ms };
        self.session.items[item].planned_at + shift + self.session.items[item].length_ms
    }

    fn is_relay(&self) -> bool {
        matches!(self.session.kind, SlotKind::Relay { .. })
    }

    fn over(&self) -> bool {
        self.items.iter().all(|i| i.progress == Progress::Settled)
    }

    fn window_ms(&self) -> i64 {
        if self.waited { self.session.wait_up_to_ms } else { self.session.late_ms }
    }

    /// The first item that takes time: it alone may begin late and shift the session.
    fn first(&self) -> Option<usize> {
        self.session.items.iter().position(|p| p.forbidden.is_none())
    }

    fn may_be_first(&self, item: usize) -> bool {
        !self.joined && self.kind != Kind::Emergency && self.first() == Some(item)
    }

    /// Whether an item comes after a first one that may still begin late: the whole session moves with that one, so
    /// nothing after it is past yet.
    fn may_still_shift(&self, item: usize, at: Wall) -> bool {
        !self.joined
            && self.kind != Kind::Emergency
            && self.first().is_some_and(|first| first < item)
            && at <= self.session.start + self.window_ms()
    }

    /// The last moment at which an item might begin.
    fn last_moment(&self, item: usize) -> Wall {
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

    fn airing_id(&self, item: usize, programme: &Programme) -> String {
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

/// What sounds, or is about to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Voice {
    /// The airing.
    pub airing_id: String,
    /// Whose item.
    run: RunName,
    item: usize,
    /// The instant aimed at.
    pub at: Wall,
    /// How far inside the clip it begins, milliseconds.
    offset_ms: i64,
    /// Whether the speaker has begun.
    pub begun: bool,
    /// When it will have ended.
    pub ends_at: Wall,
    /// A relay window: no sound of ours.
    relay: bool,
    /// How much was reported so far, milliseconds, this time.
    pub progress_ms: i64,
}

impl Voice {
    /// Whether it is a relay window, without sound of ours.
    pub fn relays(&self) -> bool {
        self.relay
    }
}

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

    fn of(run: &Run, index: usize, programme: &Programme) -> OnStage {
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

/// How an emergency stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct EmergencyRun {
    plan: EmergencyPlan,
    /// Its first sounding, once there was one.
    first: Option<Wall>,
    next_round: Wall,
    soundings: u32,
    finished: bool,
    causes: Causes,
    bad: Option<Reason>,
    /// Another emergency had this id before: its first sounding, and how many airings bear its name.
    #[serde(default)]
    before: Option<(Wall, u32)>,
}

/// A voice that was told to end and has not reported yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Dying {
    voice: Voice,
    reason: Reason,
}

/// What the outside allows at the moment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Conditions {
    /// Whether the device can be played to.
    pub device_ok: bool,
    /// Whether the amplifier failed to switch on.
    pub hook_failed: bool,
}

/// What a stage decides.
#[derive(Clone, Debug)]
pub enum Decision {
    /// A sound begins.
    Begin(Begin),
    /// What sounds is to end, its fade at `at`.
    Cut {
        /// The airing.
        airing_id: String,
        /// When.
        at: Wall,
    },
    /// A relay window begins.
    RelayBegins {
        /// The airing.
        airing_id: String,
    },
    /// A relay window ends.
    RelayEnds,
    /// Rows and intents.
    Write(Write),
}

/// A sound to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Begin {
    /// The airing.
    pub airing_id: String,
    /// The clip.
    pub clip: Arc<ClipFacts>,
    /// The instant of its first sample.
    pub at: Wall,
    /// The last instant at which it may begin.
    pub start_by: Wall,
    /// How far inside the clip it begins, milliseconds.
    pub offset_ms: i64,
    /// Sum of gains, dB.
    pub gain_db: f64,
    /// It follows the item before without a gap.
    pub seam: bool,
    /// It ends what sounds before.
    pub takes_over: bool,
    /// The quiet edge at which it must have faded.
    pub end_by: Option<Wall>,
    /// An emergency that may pass quiet hours.
    pub passes_quiet: bool,
    /// What made it.
    pub kind: Kind,
    /// The session it belongs to, for the device's format.
    pub session: String,
}

/// How the stage is being advanced.
pub struct Light<'a> {
    /// What is in force.
    pub programme: &'a Programme,
    /// The name rows give the output.
    pub output: &'a str,
    /// What rows say of the clock.
    pub clock: ClockState,
    /// Sounds cannot begin before this.
    pub live_from: Wall,
    /// The time between deciding a sound and hearing it when it was not foreseen, milliseconds.
    pub lead_ms: i64,
    /// Foreseen airings are armed already: they need no lead.
    pub armed: &'a [String],
    /// Whether voices begin and end by themselves, exactly on time.
    pub ideal: bool,
    /// Clips, `SOURCE/ID`, whose audio is known to be missing or broken before anybody tried to play it.
    pub faults: &'a HashMap<String, Reason>,
}

impl Light<'_> {
    fn fault_of(&self, planned: &Planned) -> Option<Reason> {
        if self.faults.is_empty() {
            return None;
        }
        let id = planned.clip_id.as_ref()?;
        self.faults.get(&format!("{}/{id}", planned.source)).copied()
    }
}

/// Everything that is on stage. Stored with each change, so that the next start can go on with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stage {
    /// How far along wall time it has come.
    pub now: Wall,
    runs: Vec<Run>,
    floor: Option<RunName>,
    round: Option<Box<Run>>,
    /// Which emergency the round belongs to.
    round_of: Option<(Arc<str>, Arc<str>)>,
    emergencies: Vec<EmergencyRun>,
    /// How many emergencies people have ordered by hand.
    #[serde(default)]
    by_hand: u64,
    manual: Option<Box<Run>>,
    /// What sounds.
    pub voice: Option<Voice>,
    dying: Vec<Dying>,
    /// The order to be silent, if one is in force.
    pub stop: Option<Stop>,
    /// Why the box does nothing.
    pub absence: Option<Absence>,
    /// What the outside allows.
    pub conditions: Conditions,
    /// The run and item whose voice ended at this very instant: what comes next in it follows without a gap.
    #[serde(skip)]
    just_ended: Option<(RunName, usize)>,
    /// Something was made to end at this very instant: what begins takes over from it.
    #[serde(skip)]
    just_cut: bool,
}

impl Stage {
    /// An empty stage.
    pub fn new(now: Wall) -> Stage {
        Stage {
            now,
            runs: Vec::new(),
            floor: None,
            round: None,
            round_of: None,
            emergencies: Vec::new(),
            by_hand: 0,
            manual: None,
            voice: None,
            dying: Vec::new(),
            stop: None,
            absence: None,
            conditions: Conditions { device_ok: true, hook_failed: false },
            just_ended: None,
            just_cut: false,
        }
    }

    /// Puts a session whose plan is now fixed on stage and writes the plan down.
    pub fn fix(&mut self, session: Session, light: &Light, out: &mut Vec<Decision>) {
        let kind = if matches!(session.kind, SlotKind::Relay { .. }) { Kind::Relay } else { Kind::Scheduled };
        let mut run = Run::new(session, kind);
        for (item, planned) in run.items.iter_mut().zip(&run.session.items) {
            item.bad = light.fault_of(planned);
        }
        open_session(&run, light.programme, out);
        self.runs.push(run);
    }

    /// Whether a session of this name is on stage.
    pub fn has(&self, source: &str, slot: &str, start: Wall) -> bool {
        self.runs.iter().any(|r| &*r.session.source == source && &*r.session.slot == slot && r.session.start == start)
    }

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

    /// Takes over the emergencies of a programme that has come into force: what has begun keeps its count.
    pub fn set_emergencies(&mut self, programme: &Programme) {
        let mut emergencies: Vec<EmergencyRun> = Vec::new();
        for plan in &programme.emergencies {
            // One that begins at another time is another one, whatever its id.
            let same =
                |e: &&EmergencyRun| e.plan.source == plan.source && e.plan.id == plan.id && e.plan.from == plan.from;
            let known = self.emergencies.iter().find(same);
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
                    causes: Causes::default(),
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
        emergencies.extend(std::mem::take(&mut self.emergencies).into_iter().filter(by_hand));
        self.emergencies = emergencies;
    }

    /// The wall clock was stepped: what sounds goes on by the boot clock.
    pub fn clock_stepped(&mut self, step_ms: i64, now: Wall) {
        if let Some(voice) = self.voice.as_mut().filter(|v| !v.relay) {
            voice.at = voice.at + step_ms;
            voice.ends_at = voice.ends_at + step_ms;
        }
        self.now = self.now.min(now);
    }

    // ---- advancing

    /// Advances to `to`, deciding everything that falls due on the way, each thing at its own instant.
    pub fn advance(&mut self, to: Wall, light: &Light, out: &mut Vec<Decision>) {
        loop {
            let at = self.next_event(light.programme, light.ideal).filter(|e| *e <= to).unwrap_or(to).max(self.now);
            self.now = at;
            self.settle_instant(at, light, out);
            if at >= to {
                return;
            }
        }
    }

    /// The next instant after now at which something may have to be decided.
    pub fn next_event(&self, programme: &Programme, ideal: bool) -> Option<Wall> {
        let now = self.now;
        let mut next: Option<Wall> = None;
        let mut consider = |at: Wall| {
            if at > now && next.is_none_or(|n| at < n) {
                next = Some(at);
            }
        };
        for run in self.runs.iter().chain(self.round.as_deref()) {
            consider(run.session.start);
            if !run.joined {
                consider(run.session.start + run.window_ms() + 1);
            }
            for (i, item) in run.items.iter().enumerate() {
                if item.progress != Progress::Settled {
                    consider(run.due(i));
                    consider(run.last_moment(i) + 1);
                    consider(run.end_of(i));
                }
            }
        }
        if let Some(voice) = self.voice.as_ref().filter(|v| ideal || v.relay) {
            consider(voice.ends_at);
        }
        if !self.is_empty() || self.emergencies.iter().any(|e| !e.finished) {
            match programme.quiet.quiet_until(now) {
                Some(end) => consider(end),
                None => programme.quiet.next_quiet(now).into_iter().for_each(&mut consider),
            }
            programme.withdrawals_after(now).into_iter().for_each(&mut consider);
        }
        for emergency in self.emergencies.iter().filter(|e| !e.finished) {
            consider(emergency.next_round);
            consider(emergency.plan.until);
        }
        if let Some(until) = self.stop.as_ref().and_then(|s| s.until) {
            consider(until);
        }
        next
    }

    /// Instants after now at which a sound may begin: a pre-roll before each is the time to look ahead.
    pub fn next_begin(&self) -> Option<Wall> {
        self.next_begin_after(self.now)
    }

    /// The first such instant after `after`.
    pub fn next_begin_after(&self, after: Wall) -> Option<Wall> {
        let items = self.runs.iter().chain(self.round.as_deref()).flat_map(|run| {
            (0..run.items.len()).filter(|i| run.items[*i].progress == Progress::Waiting).map(|i| run.due(i))
        });
        let rounds = self.emergencies.iter().filter(|e| !e.finished).map(|e| e.next_round);
        items.chain(rounds).chain(self.voice.as_ref().map(|v| v.ends_at)).filter(|t| *t > after).min()
    }

    fn settle_instant(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        self.just_ended = None;
        self.just_cut = false;
        if self.stop.as_ref().is_some_and(|s| s.until.is_some_and(|until| until <= at)) {
            self.stop = None;
            out.push(Decision::Write(event(EventKind::Resume, at, None, &[("ended_by", "time".into())])));
        }
        // Each pass may free what the next one needs; nothing gets unsettled, so this ends.
        for _ in 0..64 {
            let before = (out.len(), self.floor.clone(), self.round.is_some(), self.voice.is_some());
            self.end_voice(at, light, out);
            self.settle_items(at, light, out);
            self.claim(at, light, out);
            self.start_rounds(at, light, out);
            self.begin(at, light, out);
            self.note_causes(at, light);
            self.clear_stage(at, light, out);
            if before == (out.len(), self.floor.clone(), self.round.is_some(), self.voice.is_some()) {
                break;
            }
        }
    }

    fn run(&self, name: &RunName) -> Option<&Run> {
        match name {
            RunName::Round => self.round.as_deref(),
            RunName::Manual => self.manual.as_deref(),
            RunName::Session(source, slot, start) => self
                .runs
                .iter()
                .find(|r| r.session.source == *source && r.session.slot == *slot && r.session.start == *start),
        }
    }

    fn run_mut(&mut self, name: &RunName) -> Option<&mut Run> {
        match name {
            RunName::Round => self.round.as_deref_mut(),
            RunName::Manual => self.manual.as_deref_mut(),
            RunName::Session(source, slot, start) => self
                .runs
                .iter_mut()
                .find(|r| r.session.source == *source && r.session.slot == *slot && r.session.start == *start),
        }
    }

    /// Voices that end by time, at a quiet edge or by a withdrawal.
    fn end_voice(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
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

    fn is_withdrawn(&self, run: &Run, item: usize, at: Wall, programme: &Programme) -> bool {
        let planned = &run.session.items[item];
        (run.kind == Kind::Emergency && programme.emergency_withdrawn(&run.session.source, &run.session.slot, at))
            || (matches!(run.kind, Kind::Scheduled | Kind::Relay)
                && programme.slot_withdrawn(&run.session.source, &run.session.slot, at))
            || planned.clip_id.as_ref().is_some_and(|id| programme.clip_withdrawn(&planned.source, id, at))
            || planned.offer.as_ref().is_some_and(|o| programme.offer_withdrawn(o, at))
    }

    /// Ends what sounds, for a reason, with the fade at `at`.
    pub fn cut_voice(&mut self, at: Wall, reason: Reason, light: &Light, out: &mut Vec<Decision>) {
        let Some(voice) = self.voice.clone() else { return };
        self.just_cut |= !voice.relay;
        // Nothing ends in the past, though the clock may have leapt over the moment that decided it; but the speaker
        // keeps the quiet edge by itself.
        let at = if light.ideal && reason != Reason::QuietHours { at.max(light.live_from) } else { at };
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
    fn voice_ended(
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

    /// Writes the row of an airing that has sounded.
    fn settle_begun(&mut self, name: &RunName, index: usize, light: &Light, out: &mut Vec<Decision>) {
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
    fn settle_unbegun(&mut self, name: &RunName, index: usize, light: &Light, out: &mut Vec<Decision>) {
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

    fn names(&self) -> Vec<RunName> {
        let mut names: Vec<_> = self.runs.iter().map(|r| name_of(&r.session)).collect();
        names.extend(self.round.as_ref().map(|_| RunName::Round));
        names
    }

    /// Items whose time has passed, or that have no time.
    fn settle_items(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
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

    /// Everything that keeps an item from sounding at this moment.
    fn causes_for(&self, run: &Run, index: usize, at: Wall, light: &Light) -> Causes {
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

    fn note_causes(&mut self, at: Wall, light: &Light) {
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

    /// Whether some item of a run can still sound.
    fn can_sound(&self, run: &Run, at: Wall, programme: &Programme) -> bool {
        (0..run.items.len()).any(|i| {
            run.items[i].progress == Progress::Sounding
                || (run.items[i].progress == Progress::Waiting
                    && run.session.items[i].forbidden.is_none()
                    && run.items[i].bad.is_none()
                    && !self.is_withdrawn(run, i, at, programme)
                    && at <= run.last_moment(i))
        })
    }

    /// Rule R4: the floor goes to sessions as they fall due, is taken over, and is handed on when it gets free.
    fn claim(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
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

    fn first_can_sound(&self, run: &Run, at: Wall, light: &Light) -> bool {
        run.first().is_some_and(|first| {
            run.items[first].progress == Progress::Waiting
                && run.items[first].bad.is_none()
                && !self.is_withdrawn(run, first, at, light.programme)
                && (run.passes_quiet || light.programme.quiet.quiet_until(at).is_none())
        })
    }

    /// Whether the clock leapt over the time in which a session might have begun while something sounded: that is
    /// not cut for the sake of what is past.
    fn leapt_over(&self, run: &Run, at: Wall, light: &Light) -> bool {
        at < light.live_from
            && self.voice.is_some()
            && run.first().is_none_or(|first| run.last_moment(first) < light.live_from)
    }

    fn hand_on(&mut self, at: Wall, light: &Light) {
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
    fn cut_session(&mut self, name: &RunName, at: Wall, light: &Light, out: &mut Vec<Decision>) {
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

    /// Rounds of emergencies that fall due.
    fn start_rounds(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
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
            let past = at < light.live_from;
            if e.first.is_none() && (causes.any() || past) {
                // As soon as the box can, within `until`.
                self.emergencies[index].causes.join(causes);
                continue;
            }
            self.start_round(index, at, light, out);
        }
    }

    fn emergency_run(&self, index: usize, start: Wall, programme: &Programme) -> Run {
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

    fn start_round(&mut self, index: usize, at: Wall, light: &Light, out: &mut Vec<Decision>) {
        let armed = |id: &String| light.armed.contains(id);
        let foreseen = self.emergency_run(index, at, light.programme).airing_id(0, light.programme);
        let unheard = self.absence.is_some() || at < light.live_from;
        let start = if armed(&foreseen) || unheard { at } else { at + light.lead_ms };
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

    fn causes_free(&self, at: Wall, light: &Light) -> bool {
        self.round.as_ref().is_some_and(|run| {
            let causes = self.causes_for(run, 0, at, light);
            !causes.any() && run.session.items[0].forbidden.is_none()
        })
    }

    fn emergency_never_sounded(&mut self, index: usize, light: &Light, out: &mut Vec<Decision>) {
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

    /// What a run may begin at this instant: the item, and how far inside it.
    fn beginnable(&self, run: &Run, at: Wall, light: &Light) -> Option<(usize, i64)> {
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
    fn follows(&self, name: &RunName, run: &Run, index: usize) -> bool {
        self.just_ended.as_ref().is_some_and(|(ended, item)| {
            ended == name && *item < index && run.session.items[item + 1..index].iter().all(|p| p.length_ms == 0)
        })
    }

    /// Lets sound begin: of the round, else of the session that has the floor.
    fn begin(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
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

    #[allow(clippy::too_many_arguments)] // one voice, in parts
    fn start_voice(
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

    /// Takes away what is over.
    fn clear_stage(&mut self, at: Wall, light: &Light, out: &mut Vec<Decision>) {
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

    // ---- what the speaker reports

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

    // ---- what people order

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
    fn end_by_hand(&mut self, light: &Light, out: &mut Vec<Decision>) {
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

    /// Silence, at once.
    pub fn stop(&mut self, stop: Stop, light: &Light, out: &mut Vec<Decision>) {
        let emergency_passes = stop.but_emergency;
        self.stop = Some(stop);
        if !emergency_passes {
            self.end_by_hand(light, out);
        }
        let spared = emergency_passes && self.voice.as_ref().is_some_and(|v| v.run == RunName::Round);
        if !spared {
            self.cut_voice(self.now, Reason::Stopped, light, out);
        }
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

fn name_of(session: &Session) -> RunName {
    RunName::Session(session.source.clone(), session.slot.clone(), session.start)
}

fn begun_outcome(reason: Reason) -> Outcome {
    match reason {
        Reason::PowerOff | Reason::Crashed | Reason::DeviceLost | Reason::ClipBad | Reason::ClipMissing => {
            Outcome::Partial
        }
        _ => Outcome::Interrupted,
    }
}

/// An event row, ready to be written.
pub fn event(kind: EventKind, at: Wall, by: Option<String>, detail: &[(&str, serde_json::Value)]) -> Write {
    let detail = detail.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    Write::Append(Entry::Event(EventRow { event: kind, at, by, detail }))
}

/// The key of a session in the log: its airings' ids without their positions.
fn log_key(run: &Run, programme: &Programme) -> String {
    session_key(&run.session.source, &run.session.slot, run.id_start, programme.zone)
}

/// Writes a fixed plan down, and that its airings are still to come.
fn open_session(run: &Run, programme: &Programme, out: &mut Vec<Decision>) {
    let key = log_key(run, programme);
    out.push(Decision::Write(Write::Append(Entry::Session(session_row(run, programme)))));
    out.push(Decision::Write(Write::KeepSession { key, body: serde_json::Value::Null }));
}

/// Every airing of the session has its row.
fn close_session(run: &Run, programme: &Programme, out: &mut Vec<Decision>) {
    out.push(Decision::Write(Write::ForgetSession { key: log_key(run, programme) }));
}

fn session_row(run: &Run, programme: &Programme) -> SessionRow {
    let zone = programme.zone;
    let items = run.session.items.iter().enumerate().map(|(i, p)| SessionRowItem {
        airing_id: run.airing_id(i, programme),
        planned_at: zone.rfc3339(p.planned_at),
        clip_id: p.clip_id.as_deref().map(str::to_owned),
        source: Some(p.source.to_string()),
        clip_sha256: p.clip.as_ref().and_then(|c| c.sha256.as_deref()).map(str::to_owned),
        clip_ms: p.clip.as_ref().and_then(|c| c.duration_ms),
        blocked: p.forbidden,
    });
    SessionRow {
        slot_source: run.session.source.to_string(),
        slot_id: run.session.slot.to_string(),
        slot_name: run.session.name.to_string(),
        session_start: zone.rfc3339(run.id_start),
        kind: run.kind,
        priority: run.session.priority,
        items: items.collect(),
    }
}

fn airing_row(
    run: &Run,
    index: usize,
    outcome: Outcome,
    reason: Option<Reason>,
    by: Option<String>,
    light: &Light,
) -> Airing {
    let programme = light.programme;
    let zone = programme.zone;
    let planned = &run.session.items[index];
    let item = &run.items[index];
    let clip = planned.clip.as_deref();
    let text = |t: &Option<Arc<str>>| t.as_deref().map(str::to_owned);
    let manual = run.kind == Kind::Manual;
    let of_slot = |value: &Arc<str>| if manual { None } else { Some(value.to_string()) };
    Airing {
        seq: None,
        row_type: "airing".into(),
        airing_id: run.airing_id(index, programme),
        station_id: programme.station_id.clone(),
        device_id: programme.device_id.clone(),
        log_id: None,
        boot_id: None,
        kind: run.kind,
        source: Some(planned.source.to_string()),
        origin: clip.map(|c| c.origin).or_else(|| programme.origin_of(&planned.source)),
        slot_source: of_slot(&run.session.source),
        slot_id: of_slot(&run.session.slot),
        slot_name: of_slot(&run.session.name),
        session_start: if manual { None } else { Some(zone.rfc3339(run.id_start)) },
        position: if manual { None } else { Some(run.id_offset + index as u32 + 1) },
        offer_id: text(&planned.offer),
        playlist_serial: clip.and_then(|c| c.serial),
        clip_id: text(&planned.clip_id),
        clip_sha256: clip.and_then(|c| text(&c.sha256)),
        title: clip.map(|c| c.title.to_string()),
        clip_kind: clip.map(|c| c.kind),
        priority: clip.map(|c| c.priority),
        campaign_id: clip.and_then(|c| text(&c.campaign_id)),
        topic_id: clip.and_then(|c| text(&c.topic_id)),
        doc_number: clip.and_then(|c| text(&c.doc_number)),
        approved_by: clip.and_then(|c| text(&c.approved_by)),
        approved_at: clip.and_then(|c| text(&c.approved_at)),
        planned_at: zone.rfc3339(planned.planned_at),
        started_at: item.began.map(|(ns, _)| zone.rfc3339(Wall(ns.div_euclid(1_000_000)))),
        ended_at: item.began.and(item.ended_at).map(|t| zone.rfc3339(t)),
        clip_ms: clip.and_then(|c| c.duration_ms),
        played_ms: if item.began.is_some() { item.played_ms } else { 0 },
        // Two decimals; a plain zero never carries a minus sign.
        start_error_ms: item.began.map(|(_, error_ns)| (error_ns as f64 / 10_000.0).round() / 100.0 + 0.0),
        outcome,
        reason,
        gain_db: Some((planned.gain_db * 100.0).round() / 100.0 + 0.0),
        output: light.output.to_owned(),
        clock: light.clock,
        by: by.or_else(|| run.by.clone()),
        recorded_at: None,
        prev_hash: None,
        hash: None,
    }
}
