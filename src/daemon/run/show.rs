//! What the daemon shows of itself: the snapshot behind `status`, the page and the service manager.

use super::*;
use crate::domain::config::Source;

impl Daemon {
    pub(super) fn short_time(&self, at: Wall) -> String {
        self.zone.local(at).format("%H:%M ngày %d/%m/%Y").to_string()
    }

    pub(super) fn state(&self) -> State {
        let stage = self.playout.stage();
        if stage.stop.is_some() {
            State::Stopped
        } else if stage.on_air(self.playout.programme()).is_some() {
            State::OnAir
        } else if !self.clock.now().clock.trusted() {
            State::WaitingForClock
        } else {
            State::Idle
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let wall = now.wall();
        let stage = self.playout.stage();
        let on_air = stage.on_air(self.playout.programme()).map(|b| self.brief(b, None));
        let state = self.state();
        let time = |t: Wall| self.zone.rfc3339(t);
        let (clips, bytes) = self.store.usage();
        let sources = self.syncing.as_ref().map(Syncing::status).unwrap_or_default();
        Snapshot {
            state,
            on_air,
            next: self.next(wall),
            clock: now.clock,
            now: time(wall),
            output: OutputStatus {
                device: self.config.output.device.to_string(),
                ok: self.device_error.is_none(),
                error: self.device_error.as_ref().map(|t| t.say(self.language)),
            },
            sources: sources
                .into_iter()
                .map(|s| {
                    let stored = self.stored.iter().find(|l| l.source == s.id);
                    SourceBrief {
                        id: s.id.to_string(),
                        serial: stored.map(|l| l.serial).or(s.serial),
                        keys: s.keys,
                        expires_at: stored.map(|l| l.expires_at).or(s.expires_at).map(time),
                        last_success: s.last_success.map(time),
                        last_error: s.last_error.map(|t| t.say(self.language)),
                    }
                })
                .collect(),
            log: LogStatus {
                seq: self.log_head.0,
                head: hex(&self.log_head.1),
                durable: {
                    let health = self.log.health();
                    health.failing.is_none() && health.waiting_rows == 0
                },
                looked_over_at: self.looked_over_at.map(time),
            },
            store: StoreStatus { clips, bytes, quota_bytes: self.config.state.clips_quota_bytes },
            campaigns: self.campaigns_status(wall),
            short: self.short.clone(),
            alarms: self.alarms.brief(self.language, time),
            trial: self.options.trial,
            station: self.config.station.name.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_s: (now.boot_ns - self.started.boot_ns) / 1_000_000_000,
        }
    }

    /// How far campaigns are, day by day.
    fn campaigns_status(&self, wall: Wall) -> Vec<CampaignStatus> {
        let today = self.zone.date(wall);
        let of = |facts: CampaignFacts| {
            let days = quota::standing_about(&facts, &self.planned, &self.history, today, QUOTA_AHEAD_DAYS);
            let days = days.into_iter().map(|day| CampaignDay {
                date: day.date.to_string(),
                topic: day.topic,
                aired: day.aired,
                planned: day.planned,
                quota: day.quota,
            });
            CampaignStatus { id: facts.id, title: facts.title, days: days.collect() }
        };
        self.campaigns().into_iter().map(of).filter(|c| !c.days.is_empty()).collect()
    }

    pub(super) fn brief(&self, airing: OnStage, blocked_by: Option<Reason>) -> Brief {
        Brief {
            airing_id: airing.airing_id,
            slot_id: Some(airing.slot.to_string()),
            slot_name: Some(airing.slot_name.to_string()),
            clip_id: airing.clip_id.map(|c| c.to_string()),
            title: airing.title.map(|t| t.to_string()),
            planned_at: self.zone.rfc3339(airing.planned_at),
            started_at: airing.started_at.map(|t| self.zone.rfc3339(t)),
            played_ms: airing.played_ms,
            clip_ms: airing.clip_ms,
            blocked_by: blocked_by.map(|r| r.key().to_owned()),
        }
    }

    /// The next planned airing within 31 days, fixed already or not (rule R11).
    pub(super) fn next(&self, wall: Wall) -> Option<Brief> {
        let stage = self.playout.stage();
        let programme = self.playout.programme();
        let fixed = stage.next_planned(wall, programme);
        let from = wall.max(self.playout.fixed_until() + 1);
        let mut walk = Walk::new(programme.clone(), from);
        let planned = walk.next_before(wall + 31 * DAY_MS).and_then(|session| {
            let at = session.items.iter().position(|i| i.planned_at >= wall)?;
            Some(OnStage::planned(&session, at, programme))
        });
        let next = match (fixed, planned) {
            (Some(a), Some(b)) => Some(if a.planned_at <= b.planned_at { a } else { b }),
            (a, b) => a.or(b),
        }?;
        let blocked = if next.forbidden.is_some() {
            next.forbidden
        } else if stage.stop.as_ref().is_some_and(|s| s.until.is_none_or(|u| u > next.planned_at)) {
            Some(Reason::Stopped)
        } else {
            programme.quiet.quiet_until(next.planned_at).map(|_| Reason::QuietHours)
        };
        Some(self.brief(next, blocked))
    }

    pub(super) fn status_line(&self) -> String {
        let stage = self.playout.stage();
        let text = if stage.stop.is_some() {
            Text::StateStopped {}
        } else if let Some(on_air) = stage.on_air(self.playout.programme()) {
            Text::StateOnAir { title: on_air.title.unwrap_or(on_air.slot_name).to_string() }
        } else if !self.clock.now().clock.trusted() {
            Text::StateWaitingForClock {}
        } else {
            Text::StateIdle {}
        };
        text.say(self.language)
    }

    /// Hands the page a copy of how things are.
    pub(super) fn show_page(&self) {
        let Some(page) = &self.page else { return };
        let now = self.clock.now();
        let stage = self.playout.stage();
        let programme = self.playout.programme();
        let health = self.log.health();
        let of = |lists: &[Arc<Stored>]| -> Vec<Above> {
            let shown = |source: &Source| {
                let stored = lists.iter().find(|s| s.source == source.id)?;
                Some(Above {
                    source: source.id.clone(),
                    origin: Some(source.origin),
                    list: stored.list.clone(),
                    serial: stored.serial,
                    since: stored.in_force_at,
                    expires_at: stored.expires_at,
                })
            };
            self.config.sources.iter().filter_map(shown).collect()
        };
        let contacts = self.syncing.as_ref().map(Syncing::status).unwrap_or_default().into_iter().map(|s| {
            let stored = self.stored.iter().find(|l| l.source == s.id);
            Contact {
                serial: stored.map(|l| l.serial).or(s.serial),
                expires_at: stored.map(|l| l.expires_at).or(s.expires_at),
                keys: s.keys,
                id: s.id,
                last_success: s.last_success,
                last_error: s.last_error,
            }
        });
        page.show(View {
            now: now.wall(),
            clock: now.clock,
            station: self.config.station.name.as_str().into(),
            language: self.language,
            trial: self.options.trial,
            programme: programme.clone(),
            own: self.own.as_ref().map(|o| o.list.clone()),
            above: of(&self.stored),
            urgent: of(&self.urgent),
            short: self.short.clone(),
            stop: stage.stop.clone(),
            on_air: stage.on_air(programme),
            relaying: stage.is_relaying(),
            next_fixed: stage.next_planned(now.wall(), programme),
            fixed_until: self.playout.fixed_until(),
            fixed: stage.sessions().cloned().collect(),
            device: self.config.output.device.to_string(),
            device_error: self.device_error.clone(),
            contacts: contacts.collect(),
            log_seq: self.log_head.0,
            log_durable: health.failing.is_none() && health.waiting_rows == 0,
            alarms: self.alarms.list(),
            uptime_s: (now.boot_ns - self.started.boot_ns) / 1_000_000_000,
        });
    }
}
