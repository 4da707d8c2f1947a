//! What is decided on its way to the speaker: armed one pre-roll ahead, taken back when it is no longer to
//! come, and written down before any of it is done.

use super::{AMPLIFIER_LINGERS_MS, Action, Armed, Playout};
use crate::domain::airing::Write;
use crate::domain::stage::{Begin, Decision, Light};
use crate::domain::time::{Now, SECOND_MS, Zone};

impl Playout {
    /// What will begin within one pre-roll if nothing else happens: the stage itself, played ahead by an ideal
    /// speaker on a device that works. What would begin this very moment is among them: it may be armed already and
    /// wait for the speaker to report the end of what sounds before it.
    pub(super) fn foresee(&self, now: Now) -> Vec<Begin> {
        let wall = now.wall();
        let horizon = wall + self.settings.pre_roll_ms;
        let nothing_near = self.stage.next_begin().is_none_or(|t| t > horizon);
        if self.settings.ideal || (nothing_near && self.armed.is_empty()) {
            return Vec::new();
        }
        let mut ahead = self.stage.clone();
        ahead.conditions.device_ok = true;
        ahead.conditions.hook_failed = false;
        // What was given to the speaker in this very step sounds, though it has not said so yet: or it would be played
        // once more ahead, and what follows foreseen a clip too late.
        if let Some((airing_id, at)) = ahead.voice.as_ref().filter(|v| !v.begun).map(|v| (v.airing_id.clone(), v.at)) {
            ahead.began(&airing_id, at.0 * 1_000_000, 0);
        }
        let mut out = Vec::new();
        let armed = Vec::new();
        let light = Light { ideal: true, lead_ms: 0, ..self.light(now, &armed) };
        // This very moment first: what is to end by now has ended there, though the speaker has not said so yet.
        ahead.advance(wall, &light, &mut out);
        ahead.advance(horizon, &light, &mut out);
        out.into_iter()
            .filter_map(|d| match d {
                Decision::Begin(begin) => Some(begin),
                _ => None,
            })
            .collect()
    }

    pub(super) fn carry_out(
        &mut self,
        now: Now,
        out: Vec<Decision>,
        foreseen: Vec<Begin>,
        actions: Vec<Action>,
    ) -> Vec<Action> {
        let wall = now.wall();
        let mut writes = Vec::new();
        let mut doing = Vec::new();
        for decision in out {
            match decision {
                Decision::Write(write) => {
                    if let Write::Close { airing_id } = &write
                        && let Some(armed) = self.armed.remove(airing_id)
                    {
                        // Its outcome is settled before it sounded, as after a step of the clock: what waits at the
                        // speaker would sound against its row.
                        self.armings.remove(airing_id);
                        doing.push(Action::Cut { arming: armed.arming, at: wall });
                    }
                    writes.push(write);
                }
                Decision::Begin(begin) => {
                    self.changed = true;
                    match self.armed.remove(&begin.airing_id) {
                        Some(armed) => {
                            if let Some((wall_ns, error_ns)) = armed.began {
                                self.stage.began(&begin.airing_id, wall_ns, error_ns);
                                writes.push(Write::Note { airing_id: begin.airing_id, played_ms: 0 });
                                self.noted_ms = 0;
                            }
                        }
                        None => {
                            writes.push(intent(&begin, self.programme.zone));
                            doing.push(Action::Play { arming: self.arm(&begin.airing_id), begin });
                        }
                    }
                }
                Decision::Cut { airing_id, at } => {
                    doing.extend(self.arming_of(&airing_id).map(|arming| Action::Cut { arming, at }));
                }
                Decision::RelayBegins { airing_id } => {
                    self.changed = true;
                    doing.push(Action::Relay { on: true, airing_id: Some(airing_id) });
                }
                Decision::RelayEnds => doing.push(Action::Relay { on: false, airing_id: None }),
            }
        }
        for begin in foreseen.iter().filter(|b| b.at > wall) {
            if !self.armed.contains_key(&begin.airing_id) && !self.is_voice(&begin.airing_id) {
                if self.stage.conditions.hook_failed {
                    // Another try at the amplifier for this one.
                    self.stage.conditions.hook_failed = false;
                    self.amplifier = false;
                }
                writes.push(intent(begin, self.programme.zone));
                let (arming, begin) = (self.arm(&begin.airing_id), begin.clone());
                doing.push(Action::Play { arming, begin: begin.clone() });
                self.armed.insert(begin.airing_id.clone(), Armed { arming, begin, began: None });
            }
        }
        // What was armed and is no longer to come: a stop, an emergency, another list.
        let stale: Vec<String> = self
            .armed
            .iter()
            .filter(|(id, a)| a.begin.at + SECOND_MS < wall || !foreseen.iter().any(|f| f.airing_id == **id))
            .filter(|(id, _)| !self.is_voice(id))
            .map(|(id, _)| id.clone())
            .collect();
        for airing_id in stale {
            let Some(armed) = self.armed.remove(&airing_id) else { continue };
            self.armings.remove(&airing_id);
            doing.push(Action::Cut { arming: armed.arming, at: wall });
            writes.push(Write::Close { airing_id });
        }
        // A relay window has its own call to the hooks; our sound needs the amplifier only when it is ours.
        let sound_wanted = !self.armed.is_empty()
            || (!self.stage.is_relaying()
                && (self.stage.voice.is_some()
                    || (!self.stage.conditions.device_ok && !self.stage.is_empty())
                    || (self.amplifier && self.stage.next_begin().is_some_and(|t| t <= wall + AMPLIFIER_LINGERS_MS))));
        let mut all = Vec::new();
        if sound_wanted != self.amplifier && !self.settings.ideal {
            self.amplifier = sound_wanted;
            if sound_wanted {
                doing.insert(0, Action::Amplifier(true));
            } else {
                doing.push(Action::Amplifier(false));
            }
        }
        if self.changed || !writes.is_empty() {
            if !self.settings.ideal {
                // A rehearsal has no next start.
                writes.push(self.save());
            }
            all.push(Action::Write(writes));
        }
        all.extend(doing);
        all.extend(actions);
        all.push(Action::WakeAt(self.wake_at(wall)));
        all
    }

    /// A number for what the speaker is to be given.
    fn arm(&mut self, airing_id: &str) -> u64 {
        if self.settings.ideal {
            // An ideal speaker does not say the last of anything; it has one sound at a time.
            self.armings.clear();
        }
        self.last_arming += 1;
        let before = self.armings.insert(airing_id.to_owned(), self.last_arming);
        debug_assert_eq!(before, None, "{airing_id} would sound twice");
        self.last_arming
    }

    fn is_voice(&self, airing_id: &str) -> bool {
        self.stage.voice.as_ref().is_some_and(|v| v.airing_id == airing_id)
    }
}

fn intent(begin: &Begin, zone: Zone) -> Write {
    let body = serde_json::json!({
        "at": zone.rfc3339(begin.at),
        "clip": format!("{}/{}", begin.clip.source, begin.clip.id),
        "sha256": begin.clip.sha256,
        "kind": begin.kind,
    });
    Write::Intend { airing_id: begin.airing_id.clone(), body }
}
