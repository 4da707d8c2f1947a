//! The heart: `step(now, event) -> actions`. Decides what is armed, played, cut, written and when to be woken;
//! does nothing itself. What is on the air follows the rules kept in `stage`; this file adds what an unattended box
//! needs around them: plans fixed in time, absences settled, clock steps survived, and in `arming` what goes to the
//! speaker one pre-roll ahead.

mod arming;
mod messages;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::airing::{EventKind, Reason, Write};
use crate::domain::schedule::{FIX_AHEAD_MS, Programme, Session, Walk};
use crate::domain::stage::{Absence, Begin, Decision, Light, Stage, Stop, event};
use crate::domain::time::{DAY_MS, Now, SECOND_MS, Wall, Zone};

pub use messages::{Action, EndedHow, Event, Past, PlayRefusal, Report, Saved, Settings};

/// The plan is looked at again at least so often, milliseconds: a timer that fails must not silence the station.
pub const LOOK_AGAIN_MS: i64 = 30 * SECOND_MS;

/// From deciding an unforeseen sound to hearing it when no amplifier has to be switched on, milliseconds: the time
/// the device takes to open.
pub const LEAD_MS: i64 = 400;

/// A difference between wall and boot time of this size is a step of the wall clock, milliseconds.
const STEP_MS: i64 = 500;

/// The amplifier stays on when the next sound is this close, milliseconds.
const AMPLIFIER_LINGERS_MS: i64 = 10 * SECOND_MS;

/// Played time is noted this often, milliseconds: after a cut it is the lower bound a row gives.
const NOTE_EVERY_MS: i64 = 5 * SECOND_MS;

/// So many sessions are remembered as planned, so that no step of the clock makes them air twice.
const REMEMBERED_SESSIONS: usize = 32_768;

/// At a start the sessions of so long, milliseconds, are read back from the log: no clock that is set back further
/// than that finds them planned.
pub const REMEMBERED_MS: i64 = 31 * DAY_MS;

/// So many programmes that came while the time was not known are kept, the newest, to be settled by.
const WAITING_PROGRAMMES: usize = 32;

/// The name under which the log keeps an [`Absence`] that is not settled yet.
pub const UNSETTLED: &str = "unsettled_absence";

struct Armed {
    arming: u64,
    begin: Begin,
    /// The speaker has begun it before its instant was dealt with.
    began: Option<(i64, i64)>,
}

/// Start, source and slot: names a session among all.
pub type SessionName = (Wall, Arc<str>, Arc<str>);

/// The session of an airing by the id its row carries, `SOURCE/SLOT/START/POSITION`; none for a manual play.
pub fn session_of(airing_id: &str, zone: Zone) -> Option<SessionName> {
    let mut parts = airing_id.splitn(4, '/');
    let (source, slot, start) = (parts.next()?, parts.next()?, parts.next()?);
    Some((zone.parse(start)?, source.into(), slot.into()))
}

/// The state machine.
pub struct Playout {
    programme: Arc<Programme>,
    /// As it came in, with the moments at which its lists came into force as they were written down.
    given_programme: Arc<Programme>,
    /// What came while the time was not known, and when, nanoseconds of boot time, the oldest first.
    waiting_programmes: Vec<(i64, Arc<Programme>)>,
    settings: Settings,
    walk: Walk,
    stage: Stage,
    fixed_until: Wall,
    faults: HashMap<String, Reason>,
    planned: BTreeMap<SessionName, Wall>,
    past: Option<(Absence, HashMap<String, i64>)>,
    first_step: Option<Now>,
    last_step: Option<Now>,
    settled_past: bool,
    /// What waits at the speaker for its instant.
    armed: HashMap<String, Armed>,
    /// The arming of every airing that waits or sounds, until the speaker has said the last of it.
    armings: HashMap<String, u64>,
    last_arming: u64,
    held: Vec<Report>,
    amplifier: bool,
    noted_ms: i64,
    changed: bool,
}

impl Playout {
    /// A machine that goes on from `past`, or begins afresh.
    pub fn new(programme: Arc<Programme>, settings: Settings, past: Option<Past>, now: Wall) -> Playout {
        let (stage, fixed_until, past, planned) = match past {
            Some(p) => (p.saved.stage, p.saved.fixed_until, Some((p.absence, p.noted_ms)), p.planned),
            None => (Stage::new(now), now, None, Vec::new()),
        };
        let on_stage: Vec<SessionName> =
            stage.sessions().map(|s| (s.start, s.source.clone(), s.slot.clone())).collect();
        Playout {
            walk: Walk::new(programme.clone(), fixed_until),
            given_programme: programme.clone(),
            programme,
            waiting_programmes: Vec::new(),
            settings,
            stage,
            fixed_until,
            faults: HashMap::new(),
            // When these were fixed is not known to the second: the usual time is as good. What stands on the stage
            // may have no row yet and is planned all the same.
            planned: planned
                .into_iter()
                .chain(on_stage)
                .map(|name| {
                    let at = name.0 + -FIX_AHEAD_MS;
                    (name, at)
                })
                .collect(),
            past,
            first_step: None,
            last_step: None,
            settled_past: false,
            armed: HashMap::new(),
            armings: HashMap::new(),
            last_arming: 0,
            held: Vec::new(),
            amplifier: false,
            noted_ms: 0,
            changed: false,
        }
    }

    /// What is in force.
    pub fn programme(&self) -> &Arc<Programme> {
        &self.programme
    }

    /// The stage, for showing.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Under which number an airing waits or sounds at the speaker.
    pub fn arming_of(&self, airing_id: &str) -> Option<u64> {
        self.armings.get(airing_id).copied()
    }

    /// Sessions that start up to here have had their plan fixed.
    pub fn fixed_until(&self) -> Wall {
        self.fixed_until
    }

    /// What must survive a restart.
    pub fn saved(&self) -> Saved {
        Saved { stage: self.stage.clone(), fixed_until: self.fixed_until }
    }

    /// The absence that is not settled yet, because the clock was never trusted since the start.
    pub fn unsettled(&self) -> Option<(Absence, &HashMap<String, i64>)> {
        self.past.as_ref().map(|(absence, noted)| (*absence, noted))
    }

    /// The audio of a clip, `SOURCE/ID`, is missing or broken, or (none) is there again. At a start to be said before
    /// the first step, so that the past is settled knowing it.
    pub fn clip_fault(&mut self, clip: &str, fault: Option<Reason>) {
        self.stage.clip_fault(clip, fault);
        match fault {
            Some(fault) => self.faults.insert(clip.to_owned(), fault),
            None => self.faults.remove(clip),
        };
    }

    /// Sessions already planned, for the next start.
    pub fn planned(&self) -> Vec<(Wall, Arc<str>, Arc<str>)> {
        self.planned.keys().cloned().collect()
    }

    /// The rows name this output from now on.
    pub fn set_output(&mut self, output: String, pre_roll_ms: i64) {
        self.settings.output = output;
        self.settings.pre_roll_ms = pre_roll_ms;
    }

    fn light<'a>(&'a self, now: Now, armed: &'a [String]) -> Light<'a> {
        Light {
            programme: &self.programme,
            output: &self.settings.output,
            clock: now.clock,
            live_from: now.wall(),
            lead_ms: if self.amplifier { self.settings.lead_ms.min(LEAD_MS) } else { self.settings.lead_ms },
            armed,
            ideal: self.settings.ideal,
            faults: &self.faults,
        }
    }

    /// Decides. Time comes in, never asked for.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        let mut actions = Vec::new();
        self.changed = false;
        if let Event::Clip { clip, fault } = &event {
            // What is there and what is not holds whatever the time is, for the past too that is yet to be settled.
            self.clip_fault(clip, *fault);
            self.changed = true;
        }
        let first = *self.first_step.get_or_insert(now);
        if let Some(last) = self.last_step.replace(now) {
            self.clock_step(now.step_since_ms(&last), now, &mut out, &mut actions);
        }
        if !self.settled_past {
            if !now.clock.trusted() {
                return self.step_untrusted(now, event, out, actions);
            }
            self.settle_past(first, now, &mut out, &mut actions);
        }
        let unsure = !now.clock.trusted();
        if unsure && self.stage.absence.is_none() {
            self.stage.absence = Some(Absence::ClockUnknown);
        }
        self.advance(now, now.wall(), &mut out);
        if !unsure && self.stage.absence == Some(Absence::ClockUnknown) {
            self.stage.absence = None;
        }
        self.happens(now, event, &mut out, &mut actions);
        self.release_held(now, &mut out);
        self.advance(now, now.wall(), &mut out);
        let foreseen = self.foresee(now);
        self.carry_out(now, out, foreseen, actions)
    }

    /// The clock is not trusted and never was since the start: the past cannot be settled, nothing is planned.
    fn step_untrusted(&mut self, now: Now, event: Event, out: Vec<Decision>, mut actions: Vec<Action>) -> Vec<Action> {
        let note = |mut writes: Vec<Write>, past: &Option<(Absence, HashMap<String, i64>)>| {
            if let Some((absence, _)) = past {
                // The next start may find this run over before anybody knew the time.
                writes.push(unsettled(Some(*absence)));
            }
            Action::Write(writes)
        };
        let steps = out.into_iter().filter_map(|d| if let Decision::Write(write) = d { Some(write) } else { None });
        let steps: Vec<Write> = steps.collect();
        if !steps.is_empty() {
            actions.insert(0, note(steps, &self.past));
        }
        match event {
            Event::Programme(programme) => {
                if self.waiting_programmes.len() == WAITING_PROGRAMMES {
                    self.waiting_programmes.remove(0);
                }
                self.waiting_programmes.push((now.boot_ns, programme));
            }
            Event::Play { token, .. } | Event::Emergency { token, .. } => {
                let result = Err(PlayRefusal::Forbidden(Reason::ClockUnknown));
                actions.push(Action::Answer { token, result });
            }
            Event::Stop(stop) => {
                self.stage.stop = Some(stop.clone());
                actions.push(Action::Write(vec![stop_row(&stop), self.save()]));
            }
            Event::Resume { by } => {
                self.stage.stop = None;
                actions.push(Action::Write(vec![event_row(EventKind::Resume, now.wall(), by), self.save()]));
            }
            Event::Note(write) => actions.push(note(vec![write], &self.past)),
            Event::ShutDown => {
                actions.push(Action::Write(vec![event_row(EventKind::Shutdown, now.wall(), None), self.save()]));
            }
            _ => {}
        }
        actions.push(Action::WakeAt(now.wall() + LOOK_AGAIN_MS));
        actions
    }

    /// The time is known for the first time since the start: what fell due before gets its outcomes, under each
    /// programme for as long as it was in force.
    fn settle_past(&mut self, first: Now, now: Now, out: &mut Vec<Decision>, actions: &mut Vec<Action>) {
        self.settled_past = true;
        let wall = now.wall();
        let ago = |boot_ns: i64| wall + -((now.boot_ns - boot_ns) / 1_000_000).max(0);
        let waiting = std::mem::take(&mut self.waiting_programmes);
        if let Some((absence, noted)) = self.past.take() {
            if !self.settings.ideal {
                out.push(Decision::Write(unsettled(None)));
            }
            let armed = Vec::new();
            let mut stage = std::mem::replace(&mut self.stage, Stage::new(wall));
            stage.now = stage.now.min(wall);
            stage.left(absence, |id| noted.get(id).copied(), &self.light(now, &armed), out);
            self.stage = stage;
            self.rewind(wall);
            self.take_emergencies(now, out);
            // What fell due in the very moment it left finds it gone too.
            self.advance(now, self.stage.now, out);
            // This run began then; before that the box was away.
            self.advance(now, ago(first.boot_ns), out);
        } else {
            // A fresh box: there is no past but under the lists that came meanwhile. What the wrong clock said is
            // forgotten.
            self.stage.now = waiting.first().map_or(wall, |(came_ns, _)| ago(*came_ns));
            self.fixed_until = self.stage.now;
            self.rewind(self.stage.now);
            self.take_emergencies(now, out);
        }
        if !first.clock.trusted() {
            self.stage.absence = Some(Absence::ClockUnknown);
            for (came_ns, programme) in waiting {
                let came = ago(came_ns);
                self.advance(now, came, out);
                // The moment at which it came into force was written down by the wrong clock.
                self.take_programme(Arc::new(programme.in_force_by(came)), came, now, out, actions);
                self.given_programme = programme;
            }
            self.advance(now, wall, out);
        }
        self.stage.absence = None;
        self.stage.conditions.device_ok = true;
        self.stage.conditions.hook_failed = false;
        self.changed = true;
    }

    fn take_emergencies(&mut self, now: Now, out: &mut Vec<Decision>) {
        let mut stage = std::mem::replace(&mut self.stage, Stage::new(now.wall()));
        stage.set_emergencies(&self.light(now, &[]), out);
        self.stage = stage;
    }

    /// What sounds and what is armed learns of other quiet hours and other rights.
    fn bound_anew(&mut self, now: Now, actions: &mut Vec<Action>) {
        let mut armed: Vec<&mut Begin> = self.armed.values_mut().map(|a| &mut a.begin).collect();
        let bounds = self.stage.bounds(&self.programme, &mut armed, now.wall());
        actions.extend(bounds.into_iter().filter_map(|(airing_id, passes_quiet, end_by)| {
            Some(Action::Bound { arming: self.arming_of(&airing_id)?, passes_quiet, end_by })
        }));
    }

    /// Nothing planned may depend on moments that lie ahead only because the clock was wrong.
    fn rewind(&mut self, wall: Wall) {
        if self.fixed_until > wall + FIX_AHEAD_MS {
            self.fixed_until = wall;
        }
        self.walk_from(self.fixed_until.min(wall), wall);
    }

    /// Plans anew from a moment on, by a clock that shows `wall`.
    fn walk_from(&mut self, from: Wall, wall: Wall) {
        self.programme = Arc::new(self.given_programme.in_force_by(wall));
        // A clock that was years behind leaps over years in which no list was in force.
        let from = self.programme.since().map_or(from, |since| from.max(since));
        self.walk = Walk::knowing(self.programme.clone(), from, &self.planned);
    }

    fn clock_step(&mut self, step_ms: i64, now: Now, out: &mut Vec<Decision>, actions: &mut Vec<Action>) {
        if step_ms.abs() < STEP_MS {
            return;
        }
        let detail = [("step_ms", step_ms.into()), ("direction", if step_ms > 0 { "forward" } else { "back" }.into())];
        out.push(Decision::Write(event(EventKind::ClockStep, now.wall(), None, &detail)));
        actions.push(Action::ClockStepped);
        if !self.settled_past {
            return;
        }
        self.stage.clock_stepped(step_ms, now.wall());
        self.bound_anew(now, actions);
        self.fixed_until = self.fixed_until.min(now.wall());
        self.walk_from(self.fixed_until, now.wall());
        self.held.iter_mut().for_each(|report| report.clock_stepped(step_ms));
        for armed in self.armed.values_mut() {
            if let Some((wall_ns, _)) = &mut armed.began {
                *wall_ns += step_ms * 1_000_000;
            }
            actions.push(Action::Retime { arming: armed.arming, at: armed.begin.at });
        }
        self.changed = true;
    }

    /// Advances the stage, fixing each session's plan in its time on the way.
    fn advance(&mut self, now: Now, to: Wall, out: &mut Vec<Decision>) {
        let armed: Vec<String> = self.armed.keys().cloned().collect();
        loop {
            let fix_at = self.walk.next_start().map(|start| (start + -FIX_AHEAD_MS).max(self.stage.now));
            let Some(fix_at) = fix_at.filter(|f| *f <= to) else { break };
            let mut stage = std::mem::replace(&mut self.stage, Stage::new(to));
            if fix_at > stage.now {
                stage.advance(fix_at, &self.light(now, &armed), out);
            }
            self.stage = stage;
            let before = out.len();
            if let Some(session) = self.walk.next_before(fix_at + FIX_AHEAD_MS + 1) {
                self.fix(session, now, &armed, out);
            }
            self.changed |= out.len() != before;
        }
        let mut stage = std::mem::replace(&mut self.stage, Stage::new(to));
        stage.advance(to.max(stage.now), &self.light(now, &armed), out);
        self.stage = stage;
        self.fixed_until = self.fixed_until.max(to + FIX_AHEAD_MS);
    }

    fn fix(&mut self, session: Session, now: Now, armed: &[String], out: &mut Vec<Decision>) {
        self.fixed_until = self.fixed_until.max(session.start);
        let name = (session.start, session.source.clone(), session.slot.clone());
        if session.items.is_empty() || self.planned.contains_key(&name) {
            return;
        }
        self.planned.insert(name, self.stage.now);
        while self.planned.len() > REMEMBERED_SESSIONS {
            // The clock may have been stepped back: what lies farthest off, before or behind, is forgotten first.
            let far = |name: Option<&SessionName>| name.map_or(0, |(start, ..)| (*start - session.start).abs());
            let (first, last) = (far(self.planned.keys().next()), far(self.planned.keys().next_back()));
            if first >= last {
                self.planned.pop_first()
            } else {
                self.planned.pop_last()
            };
        }
        let mut stage = std::mem::replace(&mut self.stage, Stage::new(now.wall()));
        stage.fix(session, &self.light(now, armed), out);
        self.stage = stage;
    }

    /// Another programme is in force and plans what starts from `from` on.
    fn take_programme(
        &mut self,
        programme: Arc<Programme>,
        from: Wall,
        now: Now,
        out: &mut Vec<Decision>,
        actions: &mut Vec<Action>,
    ) {
        self.programme = programme.clone();
        self.given_programme = programme;
        self.walk = Walk::knowing(self.programme.clone(), from, &self.planned);
        self.take_emergencies(now, out);
        self.bound_anew(now, actions);
        self.changed = true;
    }

    fn happens(&mut self, now: Now, event: Event, out: &mut Vec<Decision>, actions: &mut Vec<Action>) {
        let armed: Vec<String> = self.armed.keys().cloned().collect();
        match event {
            Event::Tick => {}
            Event::Programme(programme) => self.take_programme(programme, now.wall(), now, out, actions),
            Event::Speaker(report) => self.held.push(report),
            Event::HookFailed => {
                let mut stage = std::mem::replace(&mut self.stage, Stage::new(now.wall()));
                stage.hook_failed(&self.light(now, &armed), out);
                self.stage = stage;
            }
            Event::HookWorks => self.stage.conditions.hook_failed = false,
            // Known since the beginning of the step.
            Event::Clip { .. } => {}
            Event::Stop(stop) => {
                out.push(Decision::Write(stop_row(&stop)));
                let mut stage = std::mem::replace(&mut self.stage, Stage::new(now.wall()));
                stage.stop(stop, &self.light(now, &armed), out);
                self.stage = stage;
                self.changed = true;
            }
            Event::Resume { by } => {
                if self.stage.stop.take().is_some() {
                    out.push(Decision::Write(event_row(EventKind::Resume, now.wall(), by)));
                    self.changed = true;
                }
            }
            Event::Play { token, clip, number, by } => {
                let soon = self.armed.values().any(|a| a.begin.at <= now.wall() + self.settings.lead_ms);
                let result = if self.stage.is_airing() || soon {
                    Err(PlayRefusal::Busy)
                } else {
                    let gain_db = self.programme.manual_gain_db(clip.gain_db, now.wall());
                    let mut stage = std::mem::replace(&mut self.stage, Stage::new(now.wall()));
                    let result = stage.play(number, clip, gain_db, by, &self.light(now, &armed), out);
                    self.stage = stage;
                    result.map_err(PlayRefusal::Forbidden)
                };
                actions.push(Action::Answer { token, result });
            }
            Event::Emergency { token, order } => {
                let mut stage = std::mem::replace(&mut self.stage, Stage::new(now.wall()));
                let result = stage.play_emergency(order, &self.light(now, &armed), out);
                self.stage = stage;
                self.changed = true;
                actions.push(Action::Answer { token, result: result.map_err(PlayRefusal::Forbidden) });
            }
            Event::Note(write) => out.push(Decision::Write(write)),
            Event::ShutDown => {
                let mut stage = std::mem::replace(&mut self.stage, Stage::new(now.wall()));
                stage.shut_down(&self.light(now, &armed), out);
                self.stage = stage;
                self.changed = true;
            }
            Event::Farewell => {
                out.push(Decision::Write(event_row(EventKind::Shutdown, now.wall(), None)));
                self.changed = true;
            }
        }
    }

    /// Acts on what the speaker reported, each report at its own moment.
    fn release_held(&mut self, now: Now, out: &mut Vec<Decision>) {
        let wall = now.wall();
        let (mut ready, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|r| r.not_before().is_none_or(|t| t <= wall));
        self.held = held;
        ready.sort_by_key(|r| (r.not_before(), matches!(r, Report::Began { .. })));
        for report in ready {
            if report.arming().is_some_and(|(airing_id, arming)| self.arming_of(airing_id) != Some(arming)) {
                continue;
            }
            let armed: Vec<String> = self.armed.keys().cloned().collect();
            let mut stage = std::mem::replace(&mut self.stage, Stage::new(wall));
            let light = self.light(now, &armed);
            match report {
                Report::Began { airing_id, wall_ns, error_ns, .. } => {
                    if stage.began(&airing_id, wall_ns, error_ns) {
                        out.push(Decision::Write(Write::Note { airing_id, played_ms: 0 }));
                        self.noted_ms = 0;
                        self.changed = true;
                    } else if let Some(armed) = self.armed.get_mut(&airing_id) {
                        armed.began = Some((wall_ns, error_ns));
                    }
                }
                Report::Progress { airing_id, played_ms, .. } => {
                    stage.progressed(&airing_id, played_ms);
                    if played_ms >= self.noted_ms + NOTE_EVERY_MS {
                        self.noted_ms = played_ms;
                        out.push(Decision::Write(Write::Note { airing_id, played_ms }));
                    }
                }
                Report::Ended { airing_id, wall_ns, played_ms, how, .. } => {
                    let fault = match how {
                        EndedHow::Whole | EndedHow::Cut => None,
                        EndedHow::TakenOver => Some(Reason::HardStart),
                        EndedHow::Quiet => Some(Reason::QuietHours),
                        EndedHow::DeviceLost => Some(Reason::DeviceLost),
                        EndedHow::Broken => Some(Reason::ClipBad),
                    };
                    if how == EndedHow::DeviceLost {
                        stage.conditions.device_ok = false;
                    }
                    // A loop that woke late hears of the end in the very step that deals with the beginning: that
                    // one is still to be carried out, and must find it armed, or it would be played again.
                    let begins = out.iter().any(|d| matches!(d, Decision::Begin(b) if b.airing_id == airing_id));
                    if begins && let Some((wall_ns, error_ns)) = self.armed.get(&airing_id).and_then(|a| a.began) {
                        stage.began(&airing_id, wall_ns, error_ns);
                    }
                    stage.ended(&airing_id, Wall(wall_ns.div_euclid(1_000_000)), played_ms, fault, &light, out);
                    if !begins {
                        self.armed.remove(&airing_id);
                    }
                    self.armings.remove(&airing_id);
                }
                Report::Refused { airing_id, reason, .. } => {
                    // A loop that woke late hears it in the very step that deals with the beginning: there is none.
                    out.retain(|d| !matches!(d, Decision::Begin(b) if b.airing_id == airing_id));
                    stage.refused(&airing_id, reason, &light, out);
                    self.armed.remove(&airing_id);
                    self.armings.remove(&airing_id);
                }
                Report::DeviceLost => stage.conditions.device_ok = false,
                Report::DeviceBack => stage.conditions.device_ok = true,
            }
            self.stage = stage;
            self.advance(now, wall, out);
        }
    }

    fn save(&self) -> Write {
        Write::Set { name: "playout".into(), value: serde_json::to_value(self.saved()).unwrap_or_default() }
    }

    fn wake_at(&self, wall: Wall) -> Wall {
        let fix = self.walk.next_start().map(|start| start + -FIX_AHEAD_MS);
        let pre_roll = self.settings.pre_roll_ms;
        let arm = self.stage.next_begin_after(wall + pre_roll).map(|t| t + -pre_roll);
        let held = self.held.iter().filter_map(|r| r.not_before()).min();
        let event = self.stage.next_event(&self.programme, self.settings.ideal);
        let next = [fix, arm, held, event].into_iter().flatten().min().unwrap_or(wall + LOOK_AGAIN_MS);
        let latest = if self.settings.ideal { Wall(i64::MAX) } else { wall + LOOK_AGAIN_MS };
        next.clamp(wall + 1, latest)
    }
}

/// The absence before a run that has not known the time so far: `UNSETTLED` in the log.
fn unsettled(absence: Option<Absence>) -> Write {
    Write::Set { name: UNSETTLED.into(), value: serde_json::to_value(absence).unwrap_or_default() }
}

fn stop_row(stop: &Stop) -> Write {
    let detail = [
        ("until", stop.until.map_or(serde_json::Value::Null, |t| t.utc().to_rfc3339().into())),
        ("but_emergency", stop.but_emergency.into()),
        ("why", stop.why.clone().into()),
    ];
    event(EventKind::Stop, stop.since, stop.by.clone(), &detail)
}

fn event_row(kind: EventKind, at: Wall, by: Option<String>) -> Write {
    event(kind, at, by, &[])
}
