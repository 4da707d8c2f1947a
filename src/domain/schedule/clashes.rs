//! The plan looked through ahead: which sessions want the same time, and which clips of a list air soonest.

use std::collections::HashSet;
use std::sync::Arc;

use super::{InForce, Programme, Session, Walk};
use crate::domain::config::{Config, Language};
use crate::domain::playlist::{LOCAL, List};
use crate::domain::text::{Text, length_words};
use crate::domain::time::{DAY_MS, Wall, Zone};
/// Two sessions that want the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Clash {
    /// What is cut or waited for: title or session name, and its time.
    pub first: (String, Wall, Wall),
    /// What comes into its way.
    pub second: (String, Wall, Wall),
}

impl Clash {
    /// How long both want the air, milliseconds.
    pub fn overlap_ms(&self) -> i64 {
        self.first.2.min(self.second.2) - self.first.1.max(self.second.1)
    }

    /// The sentence for people.
    pub fn text(&self, zone: Zone, language: Language) -> Text {
        let time = |t: Wall| zone.local(t).format("%H:%M:%S").to_string();
        Text::Clash {
            first: self.first.0.clone(),
            first_from: time(self.first.1),
            first_to: time(self.first.2),
            second: self.second.0.clone(),
            second_from: time(self.second.1),
            second_to: time(self.second.2),
            overlap: length_words(self.overlap_ms(), language),
        }
    }
}

/// It is looked so far ahead for what airs soonest, milliseconds, and over so many sessions at most.
const SOON_MS: i64 = 8 * DAY_MS;
const SOON_SESSIONS: usize = 2_000;

/// The clips of a list from above, by id, in the order in which they would first air if it came into force at `now`
/// beside the commune's own list. Those that would not within eight days are left out.
pub fn airs_first(
    config: &Arc<Config>,
    own: Option<&Arc<List>>,
    (source, list): (&str, &Arc<List>),
    now: Wall,
) -> Vec<Arc<str>> {
    let in_force = |source: &str, list: &Arc<List>| InForce { source: source.into(), list: list.clone(), since: now };
    let lists: Vec<_> = own.map(|own| in_force(LOCAL, own)).into_iter().chain([in_force(source, list)]).collect();
    let Ok(programme) = Programme::new(config.clone(), &lists) else { return Vec::new() };
    let mut walk = Walk::new(Arc::new(programme), now);
    let (mut order, mut seen) = (Vec::new(), HashSet::new());
    for _ in 0..SOON_SESSIONS {
        let Some(session) = walk.next_before(now + SOON_MS) else { break };
        let of_it = session.items.into_iter().filter(|item| &*item.source == source);
        order.extend(of_it.filter_map(|item| item.clip_id).filter(|id| seen.insert(id.clone())));
        if order.len() == list.clips.len() {
            break;
        }
    }
    order
}

/// Every clash among the sessions that start in `[from, until)`, one per pair of sessions: the first items of both
/// that overlap.
pub fn clashes(programme: &Arc<Programme>, from: Wall, until: Wall) -> Vec<Clash> {
    let mut walk = Walk::new(programme.clone(), from);
    let mut running: Vec<Session> = Vec::new();
    let mut found = Vec::new();
    while let Some(session) = walk.next_before(until) {
        running.retain(|earlier| earlier.planned_end() > session.start);
        for earlier in &running {
            let sounding = |s: &Session| -> Vec<(String, Wall, Wall)> {
                s.items
                    .iter()
                    .filter(|i| i.forbidden.is_none() && i.length_ms > 0)
                    .map(|i| {
                        let name = i.clip.as_ref().map_or_else(|| s.name.to_string(), |c| c.title.to_string());
                        (name, i.planned_at, i.planned_at + i.length_ms)
                    })
                    .collect()
            };
            let second = sounding(&session);
            let pair = sounding(earlier).into_iter().find_map(|a| {
                second.iter().find(|b| a.1 < b.2 && b.1 < a.2).map(|b| Clash { first: a.clone(), second: b.clone() })
            });
            found.extend(pair);
        }
        running.push(session);
    }
    found
}
