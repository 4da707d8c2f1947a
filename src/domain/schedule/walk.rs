//! Goes through the sessions of a programme in the order of time and plans each: rules R1, R2, R3 (session clock and
//! length) and R5 (offers, rotations, exceptions). It asks "which session next", so it can be replayed over a power cut
//! and names what was missed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;

use super::{ClipFacts, CompiledItem, CompiledWhat, FIX_AHEAD_MS, Planned, Programme, Session, Target};
use crate::domain::airing::Reason;
use crate::domain::playlist::{Priority, SlotKind, Start};
use crate::domain::time::Wall;
/// How often an offer entered sessions on one date, counted apart before and after its list came into force.
#[derive(Clone, Copy, Debug, Default)]
struct DayCount {
    date: Option<NaiveDate>,
    in_force: bool,
    uses: u32,
}

/// When a slot falls due next, its place among those due at once, and its number.
type Next = (Wall, (u32, u32), usize);

/// Goes through the sessions of a programme in the order of time: session start, list order, file order. Carries
/// the counts of rotations and offers, which reach back to before the moment asked for (rule R5).
#[derive(Clone, Debug)]
pub struct Walk {
    programme: Arc<Programme>,
    heap: BinaryHeap<Reverse<Next>>,
    rotation_uses: Vec<u64>,
    offer_days: Vec<DayCount>,
    /// Sessions (start, slot) that were fixed before some offer of theirs came into force, and when they were.
    fixed_before: HashMap<(Wall, usize), Wall>,
    /// Only the counts are wanted of the session being planned.
    counting_only: bool,
}

impl Walk {
    /// A walk whose first session is the first that starts at or after `from`.
    pub fn new(programme: Arc<Programme>, from: Wall) -> Walk {
        Walk::knowing(programme, from, &BTreeMap::new())
    }

    /// The same, where `fixed` says at which moment the plans of some sessions were fixed: an offer whose list came
    /// into force after that did not enter them, and they do not count in its `sessions_per_day`.
    pub fn knowing(programme: Arc<Programme>, from: Wall, fixed: &BTreeMap<(Wall, Arc<str>, Arc<str>), Wall>) -> Walk {
        let zone = programme.zone;
        let mut fixed_before = HashMap::new();
        if let Some(latest) = programme.offers.iter().map(|o| o.since).max() {
            let today = (zone.midnight(zone.date(from)), Arc::from(""), Arc::from(""));
            for ((start, source, slot), at) in fixed.range(today..).filter(|(_, at)| **at < latest) {
                let named = Target::Slot(source.clone(), slot.clone());
                let index = programme.slots.iter().position(|s| s.target == named);
                fixed_before.extend(index.map(|index| ((*start, index), *at)));
            }
        }
        let mut walk = Walk {
            fixed_before,
            counting_only: false,
            heap: BinaryHeap::with_capacity(programme.slots.len()),
            rotation_uses: vec![0; programme.rotations.len()],
            offer_days: vec![DayCount::default(); programme.offers.len()],
            programme,
        };
        let programme = walk.programme.clone();
        let today = zone.midnight(zone.date(from));
        let begin = programme.rotations.iter().map(|r| zone.midnight(r.from)).min().unwrap_or(today).min(today);
        for (index, slot) in programme.slots.iter().enumerate().filter(|(_, s)| s.counts) {
            walk.push(index, slot.recurrence.next_after(begin + -1, zone));
        }
        while walk.heap.peek().is_some_and(|Reverse((start, ..))| *start < from) {
            if let Some(Reverse((start, _, index))) = walk.heap.pop() {
                walk.plan(index, start, true);
                walk.push(index, programme.slots[index].recurrence.next_after(start, zone));
            }
        }
        for (index, slot) in programme.slots.iter().enumerate().filter(|(_, s)| !s.counts) {
            walk.push(index, slot.recurrence.next_after(from + -1, zone));
        }
        walk
    }

    fn push(&mut self, index: usize, start: Option<Wall>) {
        self.heap.extend(start.map(|start| Reverse((start, self.programme.slots[index].order, index))));
    }

    /// When the next session starts, without planning it. It may turn out to be left out by a special day.
    pub fn next_start(&self) -> Option<Wall> {
        self.heap.peek().map(|Reverse((start, ..))| *start)
    }

    /// The next session that starts before `until`.
    pub fn next_before(&mut self, until: Wall) -> Option<Session> {
        while self.next_start()? < until {
            let Reverse((start, _, index)) = self.heap.pop()?;
            let programme = self.programme.clone();
            self.push(index, programme.slots[index].recurrence.next_after(start, programme.zone));
            // What was before a list came into force was never in force; it only counts in rotations.
            let counting_only = start < programme.channels[programme.slots[index].channel].since;
            if let Some(session) = self.plan(index, start, counting_only) {
                return Some(session);
            }
        }
        None
    }

    fn plan(&mut self, index: usize, start: Wall, counting_only: bool) -> Option<Session> {
        let programme = self.programme.clone();
        let slot = &programme.slots[index];
        let zone = programme.zone;
        let local = zone.local(start);
        let date = local.date();
        if slot.own_skip.contains(&date) {
            return None;
        }
        let channel = &programme.channels[slot.channel];
        // The moment the plan is fixed: what was decided by then counts (invariant 6).
        let fixed_at = (start + -FIX_AHEAD_MS).max(channel.since);
        let whole = if slot.local_skip.contains(&date) {
            Some(Reason::SpecialDay)
        } else if programme.is_withdrawn(&slot.target, fixed_at) {
            Some(Reason::Withdrawn)
        } else if channel.expires_at.is_some_and(|e| e <= fixed_at) {
            Some(Reason::Expired)
        } else {
            None
        };

        self.counting_only = counting_only;
        let mut drafts: Vec<Draft> = Vec::with_capacity(if counting_only { 0 } else { slot.items.len() + 4 });
        if let SlotKind::Relay { length_ms } = slot.slot.kind {
            drafts.push(Draft {
                source: channel.id.clone(),
                id: None,
                facts: None,
                offer: None,
                unit: 0,
                unit_priority: Priority::Normal,
                length_ms,
                forbidden: None,
            });
        } else {
            let mut entered: Vec<usize> = Vec::new();
            let known_at = self.fixed_before.get(&(start, index)).copied().unwrap_or(start);
            for (unit, item) in slot.items.iter().enumerate() {
                if !item.dates.contain(date) {
                    continue;
                }
                match &item.what {
                    CompiledWhat::Offer(offer) => {
                        if channel.own {
                            self.enter(
                                *offer,
                                unit as u32 * 1000,
                                start,
                                known_at,
                                date,
                                fixed_at,
                                &mut entered,
                                &mut drafts,
                            );
                        }
                    }
                    CompiledWhat::Offers(least) => {
                        if channel.own {
                            for (nth, offer) in (0..programme.offers.len())
                                .filter(|o| programme.offers[*o].priority >= *least)
                                .enumerate()
                            {
                                let unit = unit as u32 * 1000 + nth as u32;
                                self.enter(offer, unit, start, known_at, date, fixed_at, &mut entered, &mut drafts);
                            }
                        }
                    }
                    _ => self.draft(item, None, unit as u32 * 1000, None, date, fixed_at, &mut drafts),
                }
            }
        }
        if counting_only {
            return None;
        }
        for draft in &mut drafts {
            draft.forbidden = whole.into_iter().chain(draft.forbidden).min();
        }
        if let Some(max_ms) = slot.slot.max_length_ms {
            shorten(&mut drafts, max_ms);
        }
        let gain = programme.config.output.gain_db + slot.slot.gain_db;
        let dayparts = !programme.config.dayparts.is_empty();
        let mut at = start;
        let items = drafts.into_iter().map(|draft| {
            let length_ms = if draft.forbidden.is_some() { 0 } else { draft.length_ms };
            let daypart = if dayparts { programme.config.daypart_gain_db(zone.local(at).time()) } else { 0.0 };
            let planned = Planned {
                gain_db: gain + daypart + draft.facts.as_ref().map_or(0.0, |f| f.gain_db),
                source: draft.source,
                clip_id: draft.id,
                clip: draft.facts,
                offer: draft.offer,
                planned_at: at,
                length_ms,
                forbidden: draft.forbidden,
            };
            at = at + length_ms;
            planned
        });
        Some(Session {
            items: items.collect(),
            source: channel.id.clone(),
            slot: slot.slot.id.clone(),
            name: slot.slot.name.clone(),
            start,
            kind: slot.slot.kind,
            // A relay is a hard slot of normal priority that may begin at any second of its window (rule R4).
            hard: if matches!(slot.slot.kind, SlotKind::Relay { .. }) { Start::Hard } else { slot.slot.start },
            wait_up_to_ms: relay_window(slot.slot.kind).unwrap_or(slot.slot.wait_up_to_ms),
            late_ms: relay_window(slot.slot.kind).unwrap_or(slot.slot.late_ms),
            priority: if relay_window(slot.slot.kind).is_some() { Priority::Normal } else { slot.slot.priority },
            resume: slot.slot.resume,
            order: slot.order,
        })
    }

    /// Lets an offer into a session, if it may: once, on its days, in the first so many sessions of the date.
    #[allow(clippy::too_many_arguments)] // the session being planned, in parts
    fn enter(
        &mut self,
        offer: usize,
        unit: u32,
        start: Wall,
        known_at: Wall,
        date: NaiveDate,
        fixed_at: Wall,
        entered: &mut Vec<usize>,
        drafts: &mut Vec<Draft>,
    ) {
        let programme = self.programme.clone();
        let compiled = &programme.offers[offer];
        if entered.contains(&offer) || !compiled.dates.contain(date) {
            return;
        }
        let in_force = start >= compiled.since && known_at >= compiled.since;
        let count = &mut self.offer_days[offer];
        if count.date != Some(date) || count.in_force != in_force {
            *count = DayCount { date: Some(date), in_force, uses: 0 };
        }
        if compiled.sessions_per_day.is_some_and(|most| count.uses >= most) {
            return;
        }
        count.uses += 1;
        entered.push(offer);
        let withdrawn = programme.is_withdrawn(&compiled.target, fixed_at).then_some(Reason::Withdrawn);
        let before = drafts.len();
        for item in compiled.items.iter().filter(|i| i.dates.contain(date)) {
            let unit_of = Some((compiled.full_id.clone(), compiled.priority));
            self.draft(item, unit_of, unit, withdrawn, date, fixed_at, drafts);
        }
        if !in_force {
            // Its list was not here yet: the use counts in rotations, nothing is planned.
            drafts.truncate(before);
        }
    }

    #[allow(clippy::too_many_arguments)] // the session being planned, in parts
    fn draft(
        &mut self,
        item: &CompiledItem,
        offer: Option<(Arc<str>, Priority)>,
        unit: u32,
        forbidden: Option<Reason>,
        date: NaiveDate,
        fixed_at: Wall,
        drafts: &mut Vec<Draft>,
    ) {
        let (source, id, facts) = match &item.what {
            CompiledWhat::Clip { .. } if self.counting_only => return,
            CompiledWhat::Clip { source, id, facts } => (source.clone(), id.clone(), facts.clone()),
            CompiledWhat::Rotation(index) => {
                let rotation = &self.programme.rotations[*index];
                if date < rotation.from || rotation.clips.is_empty() {
                    return;
                }
                let n = self.rotation_uses[*index];
                self.rotation_uses[*index] += 1;
                if self.counting_only {
                    return;
                }
                rotation.clips[(n % rotation.clips.len() as u64) as usize].clone()
            }
            _ => return,
        };
        let own = self.programme.forbidden_for(&source, &id, facts.as_deref(), fixed_at);
        let (offer, offer_priority) = offer.unzip();
        drafts.push(Draft {
            unit_priority: offer_priority.unwrap_or_else(|| facts.as_ref().map_or(Priority::Normal, |f| f.priority)),
            length_ms: facts.as_ref().and_then(|f| f.duration_ms).unwrap_or(0),
            source,
            id: Some(id),
            facts,
            offer,
            unit,
            forbidden: forbidden.into_iter().chain(own).min(),
        });
    }
}

fn relay_window(kind: SlotKind) -> Option<i64> {
    match kind {
        SlotKind::Relay { length_ms } => Some(length_ms),
        SlotKind::Session => None,
    }
}

/// An item on its way into a plan. Items of one unit stay or go together: an offer is one, any other item is its own.
struct Draft {
    source: Arc<str>,
    id: Option<Arc<str>>,
    facts: Option<Arc<ClipFacts>>,
    offer: Option<Arc<str>>,
    unit: u32,
    unit_priority: Priority,
    length_ms: i64,
    forbidden: Option<Reason>,
}

/// Keeps a session within its length (rule R3): the frame always stays; of the rest stays what still fits, priority
/// before normal, first before last, an offer as a whole.
fn shorten(drafts: &mut [Draft], max_ms: i64) {
    let mut units: BTreeMap<(Reverse<Priority>, u32), i64> = BTreeMap::new();
    let mut total = 0;
    for draft in drafts.iter().filter(|d| d.forbidden.is_none()) {
        let frame = draft.offer.is_none() && draft.facts.as_ref().is_some_and(|f| f.kind.is_frame());
        if frame {
            total += draft.length_ms;
        } else {
            *units.entry((Reverse(draft.unit_priority), draft.unit)).or_default() += draft.length_ms;
        }
    }
    let mut dropped = Vec::new();
    for ((_, unit), length_ms) in units {
        if total + length_ms <= max_ms {
            total += length_ms;
        } else {
            dropped.push(unit);
        }
    }
    for draft in drafts.iter_mut().filter(|d| d.forbidden.is_none() && dropped.contains(&d.unit)) {
        draft.forbidden = Some(Reason::TooLong);
    }
}
