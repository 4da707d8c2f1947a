//! From config and lists to sessions with their planned airings, in the order of time: rules R1, R2, R3 (session
//! clock and length) and R5 (offers, rotations, exceptions). Here everything in force is compiled into a
//! [`Programme`]; a [`Walk`] goes through its sessions.

mod clashes;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::airing::Reason;
use crate::domain::config::{Config, Origin};
use crate::domain::cron::{CronError, Recurrence};
use crate::domain::playlist::{
    Clip, ClipKind, Dates, Item, LOCAL, List, Offer, Priority, Ref, Skip, SlotKind, Start, What, Withdrawn,
};
use crate::domain::time::{HOUR_MS, QuietHours, SECOND_MS, Wall, Zone};

pub use clashes::{Clash, airs_first, clashes};
pub use walk::Walk;

/// A session's plan is fixed so long before its start, milliseconds (invariant 6).
pub const FIX_AHEAD_MS: i64 = 60 * SECOND_MS;

/// A list and the moment it came into force on this box (invariant 11).
#[derive(Clone, Debug)]
pub struct InForce {
    /// The source's id in the config; `local` for the commune's own.
    pub source: Arc<str>,
    /// The list.
    pub list: Arc<List>,
    /// Since when.
    pub since: Wall,
}

/// A list from above as it is kept on this box.
#[derive(Clone, Debug)]
pub struct Held {
    /// The source's id in the config.
    pub source: Arc<str>,
    /// The list.
    pub list: Arc<List>,
    /// Since when it is in force.
    pub since: Wall,
    /// It holds until then; none: for ever.
    pub expires_at: Option<Wall>,
    /// Whether the key that signed it is known to be in other hands.
    pub leaked: bool,
}

/// What the sources have in force at a moment: an urgent list stands beside its source's list for as long as it holds;
/// where that has expired, it stands alone.
pub fn from_above(config: &Config, held: &[Held], now: Wall) -> Vec<InForce> {
    let holds = |held: &&Held| held.expires_at.is_none_or(|e| e > now);
    let above = config.sources.iter().filter_map(|source| {
        let list = held.iter().find(|h| h.source == source.id && !h.list.urgent);
        let news = held.iter().find(|h| h.source == source.id && h.list.urgent && holds(h));
        let alive = list.filter(|l| source.keeps_expired || holds(l));
        let (list, since) = match (list, alive, news) {
            (_, Some(l), Some(n)) => {
                let whole = match (l.leaked, n.leaked) {
                    (false, false) | (true, true) => l.list.with_urgent(&n.list, n.since),
                    // Of two whose keys differ, what one is worth must not hang on the other.
                    (false, true) => l.list.with_urgent(&n.list.beside(&l.list), n.since),
                    (true, false) => l.list.withdrawn_but(&n.list).with_urgent(&n.list, n.since),
                };
                (Arc::new(whole), l.since)
            }
            (_, None, Some(n)) => (n.list.clone(), n.since),
            (l, _, None) => l.map(|l| (l.list.clone(), l.since))?,
        };
        Some(InForce { source: source.id.clone(), list, since })
    });
    above.collect()
}

/// What a row says of a clip, as it was when the session was planned (invariant 4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipFacts {
    /// Where it comes from.
    pub source: Arc<str>,
    /// Level of that source.
    pub origin: Origin,
    /// Plain id.
    pub id: Arc<str>,
    /// Title.
    pub title: Arc<str>,
    /// What it is.
    pub kind: ClipKind,
    /// How much it matters.
    pub priority: Priority,
    /// Hash of the audio, when known.
    pub sha256: Option<Arc<str>>,
    /// Length, milliseconds; none when the audio could not be measured.
    pub duration_ms: Option<i64>,
    /// `SOURCE/ID`
    pub campaign_id: Option<Arc<str>>,
    /// `SOURCE/ID`
    pub topic_id: Option<Arc<str>>,
    /// The campaign's document.
    pub doc_number: Option<Arc<str>>,
    /// Who approved it.
    pub approved_by: Option<Arc<str>>,
    /// When.
    pub approved_at: Option<Arc<str>>,
    /// Whether it may air as far as approval goes.
    pub approved: bool,
    /// Serial of its list.
    pub serial: Option<u64>,
    /// Its own gain, dB.
    pub gain_db: f64,
    /// Why its audio cannot be used, where its length is not known.
    pub unfit: Option<Reason>,
}

/// One planned airing of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Where the clip comes from, also when no list has it.
    pub source: Arc<str>,
    /// Plain clip id; none for a relay window.
    pub clip_id: Option<Arc<str>>,
    /// What is known of the clip; none when no list has it, or for a relay.
    pub clip: Option<Arc<ClipFacts>>,
    /// `SOURCE/ID` of the offer that brought it.
    pub offer: Option<Arc<str>>,
    /// When it is to sound.
    pub planned_at: Wall,
    /// How long it lasts, milliseconds; 0 when it takes no time.
    pub length_ms: i64,
    /// Sum of station, daypart, slot and clip gain, dB.
    pub gain_db: f64,
    /// Why it was forbidden or dropped when the plan was made; such an item takes no time (rule R3).
    pub forbidden: Option<Reason>,
}

/// One session, planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub source: Arc<str>,
    /// Plain slot id.
    pub slot: Arc<str>,
    /// Its name for people.
    pub name: Arc<str>,
    /// When it starts.
    pub start: Wall,
    /// What it does.
    pub kind: SlotKind,
    /// Hard or soft.
    pub hard: Start,
    /// How long it may wait for another session, milliseconds.
    pub wait_up_to_ms: i64,
    /// How late it may begin otherwise, milliseconds.
    pub late_ms: i64,
    /// Who gives way.
    pub priority: Priority,
    /// Whether a cut item is taken up again.
    pub resume: bool,
    /// Place of list and slot in config and file: settles ties (rule R4).
    pub order: (u32, u32),
    /// What it plays.
    pub items: Vec<Planned>,
}

impl Session {
    /// `slot_source/slot/session start`: names a session among all.
    pub fn key(&self, zone: Zone) -> String {
        session_key(&self.source, &self.slot, self.start, zone)
    }

    /// The planned end of its last item.
    pub fn planned_end(&self) -> Wall {
        self.items.iter().map(|i| i.planned_at + i.length_ms).max().unwrap_or(self.start)
    }
}

/// `slot_source/slot/session start` (rule R7).
pub fn session_key(source: &str, slot: &str, start: Wall, zone: Zone) -> String {
    format!("{source}/{slot}/{}", zone.rfc3339_seconds(start))
}

/// An emergency of a list, ready to be played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmergencyPlan {
    /// Whose it is.
    pub source: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// Where the clip comes from.
    pub clip_source: Arc<str>,
    /// Plain clip id.
    pub clip_id: Arc<str>,
    /// What is known of the clip.
    pub clip: Option<Arc<ClipFacts>>,
    /// First moment.
    pub from: Wall,
    /// No sounding is planned at or after.
    pub until: Wall,
    /// Soundings in a round.
    pub repeat: u32,
    /// Silence between two, milliseconds.
    pub gap_ms: i64,
    /// From round to round, milliseconds.
    pub every_ms: Option<i64>,
    /// Whether it may pass quiet hours.
    pub passes_quiet: bool,
    /// Since when its list is in force.
    pub since: Wall,
    /// Gain without daypart, dB.
    pub gain_db: f64,
    /// Who ordered it, when a person did and not a list: it stays whatever lists come, and ends with a plain stop.
    #[serde(default)]
    pub by: Option<String>,
}

impl EmergencyPlan {
    /// When its rounds fall due in `[from, until)` if nothing comes between: the first as soon as it may sound, and from
    /// there every so often, each with so many soundings as begin before its end.
    pub fn rounds(&self, from: Wall, until: Wall) -> Vec<(Wall, u32)> {
        let first = self.from.max(self.since);
        let end = until.min(self.until);
        let length = self.clip.as_ref().and_then(|c| c.duration_ms).unwrap_or(0);
        let each = (length + self.gap_ms).max(1);
        let round = i64::from(self.repeat) * each - self.gap_ms;
        // A round due while the last one lasts is left out (rule R4).
        let every = self.every_ms.map(|every| every.max(1) * ((round - 1).max(0) / every.max(1) + 1));
        let skipped = every.map_or(0, |every| ((from - first) + every - 1).max(0) / every * every);
        let starts = std::iter::successors(Some(first + skipped), |at| Some(*at + every?));
        starts
            .take_while(|at| *at < end)
            .filter(|at| *at >= from)
            .map(|at| (at, (1..self.repeat).take_while(|k| at + i64::from(*k) * each < self.until).count() as u32 + 1))
            .collect()
    }
}

/// Silence between two soundings of an emergency that does not say, milliseconds (rule R4).
pub const EMERGENCY_GAP_MS: i64 = 10 * SECOND_MS;
/// An emergency by hand that does not say until when is worth sending for so long, milliseconds.
pub const EMERGENCY_FOR_MS: i64 = HOUR_MS;

/// What a person orders who sends an emergency by hand.
#[derive(Clone, Debug)]
pub struct EmergencyOrder {
    /// The clip.
    pub clip: Arc<ClipFacts>,
    /// No sounding is planned at or after.
    pub until: Wall,
    /// Soundings in a round.
    pub repeat: u32,
    /// Silence between two, milliseconds.
    pub gap_ms: i64,
    /// From round to round, milliseconds; none: one round.
    pub every_ms: Option<i64>,
    /// Who.
    pub by: String,
}

/// Where a withdrawal points, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Target {
    Clip(Arc<str>, Arc<str>),
    Offer(Arc<str>, Arc<str>),
    Slot(Arc<str>, Arc<str>),
    Emergency(Arc<str>, Arc<str>),
}

type MakeTarget = fn(Arc<str>, Arc<str>) -> Target;

#[derive(Clone, Debug)]
enum CompiledWhat {
    Clip {
        source: Arc<str>,
        id: Arc<str>,
        facts: Option<Arc<ClipFacts>>,
    },
    Rotation(usize),
    Offer(usize),
    Offers(Priority),
    /// A name that leads nowhere, of a rotation or offer: no item.
    Nothing,
}

#[derive(Clone, Debug)]
struct CompiledItem {
    what: CompiledWhat,
    dates: Dates,
}

/// Source, id and facts of a clip in a rotation.
type Member = (Arc<str>, Arc<str>, Option<Arc<ClipFacts>>);

#[derive(Clone, Debug)]
struct CompiledRotation {
    clips: Vec<Member>,
    from: NaiveDate,
}

#[derive(Clone, Debug)]
struct CompiledOffer {
    full_id: Arc<str>,
    target: Target,
    items: Vec<CompiledItem>,
    priority: Priority,
    dates: Dates,
    sessions_per_day: Option<u32>,
    since: Wall,
}

#[derive(Clone, Debug)]
struct CompiledSlot {
    channel: usize,
    order: (u32, u32),
    target: Target,
    slot: Arc<crate::domain::playlist::Slot>,
    recurrence: Recurrence,
    items: Vec<CompiledItem>,
    /// Dates on which the list's own special days leave it out: not planned, no row, not counted.
    own_skip: Vec<NaiveDate>,
    /// Dates on which the local list skips another's slot: rows blocked, `special_day`.
    local_skip: Vec<NaiveDate>,
    /// Whether planning it changes a count that later sessions depend on.
    counts: bool,
}

#[derive(Clone, Debug)]
struct Channel {
    id: Arc<str>,
    since: Wall,
    expires_at: Option<Wall>,
    own: bool,
}

/// A slot whose start time cannot be understood: `check` finds it before a list comes into force.
#[derive(Debug, thiserror::Error)]
#[error("slot \"{slot}\": {error}")]
pub struct BadSlot {
    /// The slot.
    pub slot: String,
    /// Why.
    pub error: CronError,
}

/// Everything in force on the station, compiled for planning: references resolved, what is meant for other
/// stations left out.
#[derive(Clone, Debug)]
pub struct Programme {
    /// The station.
    pub station_id: String,
    /// The box.
    pub device_id: String,
    /// Its zone.
    pub zone: Zone,
    /// When nothing sounds.
    pub quiet: QuietHours,
    /// Emergencies meant for this station.
    pub emergencies: Vec<EmergencyPlan>,
    config: Arc<Config>,
    channels: Vec<Channel>,
    slots: Vec<CompiledSlot>,
    rotations: Vec<CompiledRotation>,
    offers: Vec<CompiledOffer>,
    clips: HashMap<(Arc<str>, Arc<str>), Arc<ClipFacts>>,
    withdrawn: HashMap<Target, Wall>,
}

impl Programme {
    /// Compiles config and lists. `lists` may come in any order; a list of a source the config does not name is
    /// left out.
    pub fn new(config: Arc<Config>, lists: &[InForce]) -> Result<Programme, BadSlot> {
        let mut order: Vec<(&InForce, Origin, bool, bool)> = Vec::new();
        if let Some(local) = &config.local {
            order.extend(lists.iter().find(|l| &*l.source == LOCAL).map(|l| (l, Origin::Xa, true, local.emergency)));
        }
        for source in &config.sources {
            let found = lists.iter().find(|l| l.source == source.id);
            order.extend(found.map(|l| (l, source.origin, source.slots, source.emergency)));
        }
        let station = config.station.id.clone();
        let lists: Vec<&List> = order.iter().map(|(l, ..)| &*l.list).collect();
        let ids: Vec<Arc<str>> = order.iter().map(|(l, ..)| l.source.clone()).collect();
        let channels: Vec<Channel> = order
            .iter()
            .map(|(l, origin, ..)| Channel {
                id: l.source.clone(),
                since: l.since,
                expires_at: l
                    .list
                    .expires_at
                    .filter(|_| !config.sources.iter().any(|s| s.id == l.source && s.keeps_expired)),
                own: &*l.source == LOCAL || origin.is_own(),
            })
            .collect();

        let mut clips = HashMap::new();
        for (channel, (in_force, origin, ..)) in order.iter().enumerate() {
            for clip in &in_force.list.clips {
                let facts = clip_facts(clip, &ids[channel], *origin, &in_force.list, &ids, &lists);
                clips.insert((ids[channel].clone(), clip.id.clone()), Arc::new(facts));
            }
        }

        let mut rotation_index = HashMap::new();
        let mut offer_index = HashMap::new();
        let mut rotations = Vec::new();
        for (channel, list) in lists.iter().enumerate() {
            for rotation in &list.rotations {
                rotation_index.insert((ids[channel].clone(), rotation.id.clone()), rotations.len());
                let members = rotation.clips.iter().map(|r| {
                    let (source, id) = resolve(r, &ids[channel]);
                    let facts = clips.get(&(source.clone(), id.clone())).cloned();
                    (source, id, facts)
                });
                rotations.push(CompiledRotation { clips: members.collect(), from: rotation.from });
            }
        }
        let mut offers: Vec<CompiledOffer> = Vec::new();
        let compile = |item: &Item, home: &Arc<str>, offer_index: &HashMap<(Arc<str>, Arc<str>), usize>| {
            let what = match &item.what {
                What::Clip(r) => {
                    let (source, id) = resolve(r, home);
                    let facts = clips.get(&(source.clone(), id.clone())).cloned();
                    CompiledWhat::Clip { source, id, facts }
                }
                What::Rotation(r) => {
                    rotation_index.get(&resolve(r, home)).map_or(CompiledWhat::Nothing, |i| CompiledWhat::Rotation(*i))
                }
                What::Offer(r) => {
                    offer_index.get(&resolve(r, home)).map_or(CompiledWhat::Nothing, |i| CompiledWhat::Offer(*i))
                }
                What::Offers(priority) => CompiledWhat::Offers(*priority),
            };
            CompiledItem { what, dates: item.dates.clone() }
        };
        for (channel, list) in lists.iter().enumerate() {
            for offer in list.offers.iter().filter(|o: &&Offer| list.is_for(&o.stations, &station)) {
                offer_index.insert((ids[channel].clone(), offer.id.clone()), offers.len());
                offers.push(CompiledOffer {
                    full_id: format!("{}/{}", ids[channel], offer.id).into(),
                    target: Target::Offer(ids[channel].clone(), offer.id.clone()),
                    items: offer.items.iter().map(|i| compile(i, &ids[channel], &HashMap::new())).collect(),
                    priority: offer.priority,
                    dates: offer.dates.clone(),
                    sessions_per_day: offer.sessions_per_day,
                    since: channels[channel].since,
                });
            }
        }

        let mut slots = Vec::new();
        for (channel, (_, _, may_slots, _)) in order.iter().enumerate() {
            let list = lists[channel];
            if !may_slots {
                continue;
            }
            for (place, slot) in list.slots.iter().enumerate() {
                if !list.is_for(&slot.stations, &station) {
                    continue;
                }
                let recurrence = Recurrence::of(slot).map_err(|error| BadSlot { slot: slot.id.to_string(), error })?;
                let named = (ids[channel].clone(), slot.id.clone());
                let skips = |by: usize| {
                    let list = lists[by];
                    let home = ids[by].clone();
                    let named = named.clone();
                    list.special_days
                        .iter()
                        .filter(|day| list.is_for(&day.stations, &station))
                        .filter(move |day| match &day.skip {
                            Skip::All => home == named.0,
                            Skip::Slots(slots) => slots.iter().any(|r| resolve(r, &home) == named),
                        })
                        .flat_map(|day| day.dates.iter().copied())
                        .collect::<Vec<_>>()
                };
                let local = ids.iter().position(|id| &**id == LOCAL);
                let items: Vec<_> = slot.items.iter().map(|i| compile(i, &ids[channel], &offer_index)).collect();
                slots.push(CompiledSlot {
                    channel,
                    order: (channel as u32, place as u32),
                    target: Target::Slot(named.0.clone(), named.1.clone()),
                    slot: Arc::new(slot.clone()),
                    recurrence,
                    own_skip: skips(channel),
                    local_skip: local.filter(|l| *l != channel).map_or_else(Vec::new, skips),
                    counts: items.iter().any(|i| !matches!(i.what, CompiledWhat::Clip { .. } | CompiledWhat::Nothing)),
                    items,
                });
            }
        }

        let mut withdrawn = HashMap::new();
        for (channel, list) in lists.iter().enumerate() {
            let home = &ids[channel];
            for w in &list.withdrawals {
                let (r, make): (&Ref, MakeTarget) = match &w.what {
                    Withdrawn::Clip(r) => (r, Target::Clip),
                    Withdrawn::Offer(r) => (r, Target::Offer),
                    Withdrawn::Slot(r) => (r, Target::Slot),
                    Withdrawn::Emergency(r) => (r, Target::Emergency),
                };
                let (source, id) = resolve(r, home);
                // A source takes back its own; only the local list anybody's (rule R5).
                if source == *home || &**home == LOCAL {
                    let since = w.at.unwrap_or(channels[channel].since).max(channels[channel].since);
                    let entry = withdrawn.entry(make(source, id)).or_insert(since);
                    *entry = since.min(*entry);
                }
            }
        }

        let emergencies = order.iter().enumerate().flat_map(|(channel, (in_force, _, _, passes))| {
            let list = lists[channel];
            let home = ids[channel].clone();
            let (clips, config, station) = (&clips, &config, &station);
            list.emergencies.iter().filter(move |e| list.is_for(&e.stations, station)).map(move |e| {
                let (clip_source, clip_id) = resolve(&e.clip, &home);
                let clip = clips.get(&(clip_source.clone(), clip_id.clone())).cloned();
                EmergencyPlan {
                    source: home.clone(),
                    id: e.id.clone(),
                    gain_db: config.output.gain_db + clip.as_ref().map_or(0.0, |c| c.gain_db),
                    clip_source,
                    clip_id,
                    clip,
                    from: e.from,
                    until: e.until,
                    repeat: e.repeat.max(1),
                    gap_ms: e.gap_ms,
                    every_ms: e.every_ms,
                    passes_quiet: *passes,
                    since: e.since.unwrap_or(in_force.since),
                    by: None,
                }
            })
        });
        let emergencies = emergencies.collect();
        Ok(Programme {
            station_id: config.station.id.clone(),
            device_id: config.station.device_id.clone(),
            zone: config.station.timezone,
            quiet: config.quiet(),
            emergencies,
            channels,
            slots,
            rotations,
            offers,
            clips,
            withdrawn,
            config,
        })
    }

    /// The config it was made from.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// A clip by `SOURCE/ID`, or a plain id of the local list.
    pub fn clip(&self, name: &str) -> Option<&Arc<ClipFacts>> {
        let (source, id) = name.split_once('/').unwrap_or((LOCAL, name));
        self.clips.get(&(Arc::from(source), Arc::from(id)))
    }

    /// Every clip that some list has.
    pub fn clips(&self) -> impl Iterator<Item = &Arc<ClipFacts>> {
        self.clips.values()
    }

    /// Whether emergencies of a source may pass quiet hours.
    pub fn passes_quiet(&self, source: &str) -> bool {
        match self.config.sources.iter().find(|s| &*s.id == source) {
            Some(source) => source.emergency,
            None => source == LOCAL && self.config.local.as_ref().is_some_and(|l| l.emergency),
        }
    }

    /// The plan of an emergency that a person orders at `from`, under an id of the local list.
    pub fn by_hand(&self, id: Arc<str>, from: Wall, order: EmergencyOrder) -> EmergencyPlan {
        EmergencyPlan {
            source: LOCAL.into(),
            id,
            clip_source: order.clip.source.clone(),
            clip_id: order.clip.id.clone(),
            gain_db: self.config.output.gain_db + order.clip.gain_db,
            clip: Some(order.clip),
            from,
            until: order.until,
            repeat: order.repeat.max(1),
            gap_ms: order.gap_ms,
            every_ms: order.every_ms,
            passes_quiet: self.passes_quiet(LOCAL),
            since: from,
            by: Some(order.by),
        }
    }

    /// Gain of what is played by hand at `at`: station, daypart and clip, dB.
    pub fn manual_gain_db(&self, clip_gain_db: f64, at: Wall) -> f64 {
        self.config.output.gain_db + self.config.daypart_gain_db(self.zone.local(at).time()) + clip_gain_db
    }

    /// Since when a clip is withdrawn, if it is by `at`.
    pub fn clip_withdrawn(&self, source: &str, id: &str, at: Wall) -> bool {
        self.is_withdrawn(&Target::Clip(source.into(), id.into()), at)
    }

    /// Whether an offer, named `SOURCE/ID`, is withdrawn at `at`.
    pub fn offer_withdrawn(&self, full_id: &str, at: Wall) -> bool {
        full_id.split_once('/').is_some_and(|(s, id)| self.is_withdrawn(&Target::Offer(s.into(), id.into()), at))
    }

    /// Whether a slot is withdrawn at `at`.
    pub fn slot_withdrawn(&self, source: &str, id: &str, at: Wall) -> bool {
        self.is_withdrawn(&Target::Slot(source.into(), id.into()), at)
    }

    /// Whether an emergency is withdrawn at `at`.
    pub fn emergency_withdrawn(&self, source: &str, id: &str, at: Wall) -> bool {
        self.is_withdrawn(&Target::Emergency(source.into(), id.into()), at)
    }

    fn is_withdrawn(&self, target: &Target, at: Wall) -> bool {
        self.withdrawn.get(target).is_some_and(|since| *since <= at)
    }

    /// The moments at which withdrawals take effect, for waking up.
    pub fn withdrawals_after(&self, at: Wall) -> Option<Wall> {
        self.withdrawn.values().copied().filter(|t| *t > at).min()
    }

    /// Whether a source's list has expired at `at`.
    pub fn expired(&self, source: &str, at: Wall) -> bool {
        self.channels.iter().any(|c| &*c.id == source && c.expires_at.is_some_and(|e| e <= at))
    }

    /// Offers that some place of an own slot takes, by `SOURCE/ID`: the others have no place at all.
    pub fn offers_without_place(&self) -> Vec<Arc<str>> {
        let placed = |index: usize| {
            self.slots.iter().filter(|s| self.channels[s.channel].own).any(|s| {
                s.items.iter().any(|i| match i.what {
                    CompiledWhat::Offer(o) => o == index,
                    CompiledWhat::Offers(least) => self.offers[index].priority >= least,
                    _ => false,
                })
            })
        };
        (0..self.offers.len()).filter(|i| !placed(*i)).map(|i| self.offers[i].full_id.clone()).collect()
    }

    /// The level of a source in force.
    pub fn origin_of(&self, source: &str) -> Option<Origin> {
        if source == LOCAL {
            return Some(Origin::Xa);
        }
        self.config.sources.iter().find(|s| &*s.id == source).map(|s| s.origin)
    }

    /// The earliest moment at which any of the lists came into force: before it nothing was ever planned.
    pub fn since(&self) -> Option<Wall> {
        self.channels.iter().map(|c| c.since).min()
    }

    /// The same programme with no list in force since later than `now`: after the clock was set back, a moment
    /// written down by the wrong clock must not silence the station until it comes round again.
    pub fn in_force_by(&self, now: Wall) -> Programme {
        let mut programme = self.clone();
        programme.channels.iter_mut().for_each(|c| c.since = c.since.min(now));
        programme.offers.iter_mut().for_each(|o| o.since = o.since.min(now));
        programme.emergencies.iter_mut().for_each(|e| e.since = e.since.min(now));
        programme
    }

    /// Why a clip may not sound at a moment, whatever the session (rule R6).
    pub fn forbidden_for(&self, source: &str, id: &str, facts: Option<&ClipFacts>, at: Wall) -> Option<Reason> {
        if self.clip_withdrawn(source, id, at) {
            return Some(Reason::Withdrawn);
        }
        if self.expired(source, at) {
            return Some(Reason::Expired);
        }
        match facts {
            None => Some(Reason::ClipMissing),
            Some(facts) if !facts.approved => Some(Reason::NotApproved),
            Some(facts) if facts.duration_ms.is_none() => Some(facts.unfit.unwrap_or(Reason::ClipMissing)),
            Some(_) => None,
        }
    }
}

fn clip_facts(
    clip: &Clip,
    home: &Arc<str>,
    origin: Origin,
    list: &List,
    ids: &[Arc<str>],
    lists: &[&List],
) -> ClipFacts {
    let campaign = clip.campaign.as_ref().map(|r| resolve(r, home));
    let doc_number = campaign.as_ref().and_then(|(source, id)| {
        let list = ids.iter().position(|i| i == source).map(|i| lists[i])?;
        list.campaigns.iter().find(|c| c.id == *id)?.doc_number.as_deref().map(Arc::from)
    });
    // A topic belongs to its campaign's list unless it says otherwise.
    let topic_home = campaign.as_ref().map_or(home, |(source, _)| source).clone();
    let full = |(source, id): (Arc<str>, Arc<str>)| Arc::from(format!("{source}/{id}"));
    ClipFacts {
        source: home.clone(),
        origin,
        id: clip.id.clone(),
        title: clip.title.clone(),
        kind: clip.kind,
        priority: clip.priority,
        sha256: clip.sha256.clone(),
        duration_ms: clip.duration_ms,
        topic_id: clip.topic.as_ref().map(|r| full(resolve(r, &topic_home))),
        campaign_id: campaign.map(full),
        doc_number,
        approved_by: clip.approved_by.clone(),
        approved_at: clip.approved_at.clone(),
        approved: clip.is_approved(),
        serial: list.serial,
        gain_db: clip.gain_db,
        unfit: clip.unfit,
    }
}

fn resolve(r: &Ref, home: &Arc<str>) -> (Arc<str>, Arc<str>) {
    (r.source.clone().unwrap_or_else(|| home.clone()), r.id.clone())
}
