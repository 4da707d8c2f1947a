//! What the daemon looks at once a second: the quiet gate, alarms, old rows, the clock.

use super::*;

impl Daemon {
    pub(super) fn tick(&mut self) {
        systemd::alive();
        self.ticks += 1;
        if self.ticks % GIVE_BACK_TICKS == START_IS_OVER_TICKS {
            self.give_back();
        }
        if !self.files_settle() {
            // The kernel tells of nothing that another machine does to a shared folder.
            self.watch_files();
        }
        let now = self.clock.now();
        self.step(Event::Tick);
        let off_ns = now.wall_ns - now.boot_ns - self.gate_offset_ns;
        if now.wall() + DAY_MS > self.gate_until || off_ns.abs() > GATE_OFF_NS {
            self.set_gate();
        }
        if !self.urgent.is_empty() && self.holding != self.which_hold(now.wall()) {
            self.programme_changed();
        }
        self.watch_alarms(now);
        self.prune(now);
        self.look_over_log(now);
        self.show_page();
        self.beat();
        let line = self.status_line();
        if line != self.last_line {
            systemd::status(&line);
            self.last_line = line;
        }
    }

    /// Gives back what a transfer, a page or a person's question needed, while nothing sounds or is about to.
    fn give_back(&self) {
        let quiet = !self.device_open && self.playout.stage().voice.is_none();
        if quiet && self.wake_at - self.clock.now().wall() > GIVE_BACK_AHEAD_MS {
            memory::give_back();
        }
    }

    /// Of each list from above, whether it has not expired.
    pub(super) fn which_hold(&self, now: Wall) -> Vec<bool> {
        self.stored.iter().chain(&self.urgent).map(|s| s.expires_at > now).collect()
    }

    /// Once a day, while nothing is on the air and the clock can be believed, rows older than `[log] keep` go.
    pub(super) fn prune(&mut self, now: Now) {
        let today = self.zone.date(now.wall());
        if self.pruned_on == Some(today) || !now.clock.trusted() || self.playout.stage().voice.is_some() {
            return;
        }
        self.pruned_on = Some(today);
        let oldest = today.checked_sub_months(chrono::Months::new(self.config.log_keep_months.max(1)));
        if let Some(oldest) = oldest {
            self.log.send(vec![Write::Prune { before: self.zone.midnight(oldest) }], None);
        }
    }

    /// Once a day, and soon after a start, every page and row of the log is looked at, while nothing is on the air.
    pub(super) fn look_over_log(&mut self, now: Now) {
        let silent = self.playout.stage().voice.is_none();
        self.log.leisure(silent);
        let today = self.zone.date(now.wall());
        if self.looked_over_on == Some(today) || !silent || self.ticks < LOOKED_OVER_AFTER_TICKS {
            return;
        }
        self.looked_over_on = Some(today);
        if let Err(error) = self.log.look_over(&self.state_dir.join(FILE_NAME)) {
            tracing::warn!("log-pages: {error}");
        }
    }

    /// Hands the sync threads what they say of the station.
    pub(super) fn beat(&self) {
        let snapshot = (self.state(), self.log_head, &self.log_id, &self.short);
        let (state, (seq, head), log_id, short) = snapshot;
        let mut names: Vec<String> = short.iter().map(|s| s.campaign.clone()).collect();
        names.dedup();
        let mut beat = self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.head = log_id.as_ref().filter(|_| seq > 0).map(|id| heartbeat::Head::of(id, seq, &hex(&head)));
        beat.state = Some(state.key().into());
        beat.short = names;
    }

    pub(super) fn set_gate(&mut self) {
        let now = self.clock.now();
        let quiet = self.config.quiet().between(now.wall(), now.wall() + GATE_AHEAD_MS);
        self.speaker.set_gate(quiet.into_iter().map(|(a, b)| (now.boot_ns_of(a), now.boot_ns_of(b))).collect());
        self.gate_until = now.wall() + GATE_AHEAD_MS;
        self.gate_offset_ns = now.wall_ns - now.boot_ns;
    }

    pub(super) fn watch_alarms(&mut self, now: Now) {
        let wall = now.wall();
        match self.clock.standing().why {
            why if why.state().trusted() => self.clear("clock_unknown"),
            Why::Leapt { step_ms, .. } => {
                let length = length_words(step_ms.abs(), self.language);
                let forward = step_ms > 0;
                let text = if forward { Text::ClockLeaptOn { length } } else { Text::ClockLeaptBack { length } };
                self.alarm("clock_unknown", text);
            }
            _ => self.alarm("clock_unknown", Text::ClockUnknown {}),
        }
        self.remember_clock();
        match self.playout.stage().stop.clone() {
            Some(stop) => {
                let since = self.short_time(stop.since);
                let days = (wall - stop.since).max(0) / DAY_MS + 1;
                let by = stop.by.unwrap_or_else(|| Text::NoNameGiven {}.say(self.language));
                let text = Text::StoppedAlarm { since, by, days };
                self.alarm("stopped", text);
            }
            None => self.clear("stopped"),
        }
        let started = self.started;
        let sources: Vec<_> = self.syncing.as_ref().map(Syncing::status).unwrap_or_default();
        for source in sources {
            let code = format!("no_contact_{}", source.id);
            let up_ms = (now.boot_ns - started.boot_ns) / 1_000_000;
            let silent_ms = source.last_success.map_or(up_ms, |t| wall - t);
            if silent_ms >= NO_CONTACT_MS {
                let since = self.short_time(source.last_success.unwrap_or(wall + -silent_ms));
                self.alarm(&code, Text::NoContact { source: source.id.to_string(), since });
            } else {
                self.clear(&code);
            }
            let code = format!("expires_{}", source.id);
            let list = self.stored.iter().find(|s| s.source == source.id).cloned();
            let list_source = source.id.clone();
            let back = format!("rolled_back_{}", source.id);
            match list.as_ref().and_then(|s| Some((s.instead_of?, s.serial))) {
                Some((left, serial)) => {
                    let source = source.id.to_string();
                    self.alarm(&back, Text::RolledBackAlarm { source, left, serial });
                }
                None => self.clear(&back),
            }
            let urgent = self.urgent.iter().find(|s| s.source == source.id && s.expires_at > wall);
            let leaked = list.iter().chain(urgent).find_map(|s| Some((s.leaked.clone()?, s.serial)));
            let code_leaked = format!("key_leaked_{}", source.id);
            match leaked {
                Some((key_id, serial)) => {
                    let source = source.id.to_string();
                    self.alarm(&code_leaked, Text::ListWithdrawnKeyLeaked { source, serial, key_id });
                }
                None => self.clear(&code_leaked),
            }
            match list.map(|s| s.expires_at) {
                Some(at) if at <= wall + EXPIRES_SOON_MS && now.clock.trusted() => {
                    let (source, at_text) = (source.id.to_string(), self.short_time(at));
                    let keeps = self.config.sources.iter().any(|s| s.id == list_source && s.keeps_expired);
                    let text = if at <= wall && keeps {
                        Text::ListExpiredKept { source, at: at_text }
                    } else if at <= wall {
                        Text::ListExpired { source, at: at_text }
                    } else {
                        Text::ListExpiresSoon { source, at: at_text }
                    };
                    self.alarm(&code, text);
                }
                _ => self.clear(&code),
            }
        }
        let homeless = self.playout.programme().offers_without_place();
        match homeless.first() {
            Some(offer) => self.alarm("offer_without_place", Text::OfferHasNoPlace { offer: offer.to_string() }),
            None => self.clear("offer_without_place"),
        }
        // Only the day or the programme change the answer.
        let today = self.zone.date(wall);
        if self.short_on != Some(today) {
            self.short_on = Some(today);
            let facts = self.campaigns();
            (self.planned, self.short) = quota::ahead(self.playout.programme(), &facts, today, QUOTA_AHEAD_DAYS);
            let kept = chrono::Days::new(u64::from(QUOTA_AHEAD_DAYS));
            self.history.forget_before(today.checked_sub_days(kept).unwrap_or(today));
        }
        match self.short.first() {
            Some(short) => self.alarm("quota_short", short.alarm()),
            None => self.clear("quota_short"),
        }
    }

    /// Writes down when the clock was last right, for the next run in this boot.
    pub(super) fn remember_clock(&mut self) {
        let Some(right) = self.clock.right() else { return };
        let same = self.right_noted.as_ref().is_some_and(|noted| {
            noted.by == right.by
                && right.at_ns - noted.at_ns < RIGHT_NOTED_EVERY_NS
                && (right.offset_ns - noted.offset_ns).abs() < RIGHT_NOTED_STEP_NS
        });
        if !same {
            let value = json!({ "boot_id": self.boot_id, "right": right });
            self.log.send(vec![Write::Set { name: CLOCK_RIGHT.into(), value }], None);
            self.right_noted = Some(right);
        }
    }

    /// The campaigns of the lists in force.
    pub(super) fn campaigns(&self) -> Vec<CampaignFacts> {
        let own = self.own.iter().map(|o| (LOCAL, &o.list));
        let above = self.stored.iter().map(|s| (&*s.source, &s.list));
        own.chain(above)
            .flat_map(|(source, list)| list.campaigns.iter().map(move |c| CampaignFacts::of_list(source, c)))
            .collect()
    }

    /// What is wrong with the commune's own audio: all of it in the journal, the first of it as an alarm.
    pub(super) fn tell_troubles(&mut self) {
        for (_, _, text) in &self.audio.troubles {
            tracing::error!("{}", text.say(self.language));
        }
        match self.audio.troubles.first().map(|(_, _, text)| text.clone()) {
            Some(text) => self.alarm("local_audio", text),
            None => self.clear("local_audio"),
        }
    }

    pub(super) fn alarm(&mut self, code: &str, text: Text) {
        let now = self.clock.now().wall();
        if self.alarms.raise(code, now, text.clone()) {
            tracing::warn!(alarm = code, "{}", text.say(self.language));
            let detail = [("code", code.into()), ("raised", true.into()), ("text", text.say(Language::Vi).into())];
            self.log.send(vec![event_of(EventKind::Alarm, now, &detail)], None);
        }
    }

    pub(super) fn clear(&mut self, code: &str) {
        if self.alarms.clear(code) {
            tracing::info!(alarm = code, "cleared");
            let now = self.clock.now().wall();
            let detail = [("code", code.into()), ("raised", false.into())];
            self.log.send(vec![event_of(EventKind::Alarm, now, &detail)], None);
        }
    }
}
