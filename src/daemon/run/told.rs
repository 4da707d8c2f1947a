//! What comes to the loop from the edges: the speaker, the log, the sources, hooks and people.

use super::*;

impl Daemon {
    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Speaker(event) => self.speaker_says(event),
            Message::Log(event) => self.log_says(event),
            Message::Sync(event) => self.sync_says(event),
            Message::Hook(true, Ok(())) => {
                self.clear("hook_failed");
                self.step(Event::HookWorks);
            }
            Message::Hook(false, Ok(())) => {}
            Message::Recalled(history) => self.history.join(history),
            Message::Hook(on, Err(text)) => {
                tracing::error!("{}", text.say(self.language));
                self.alarm("hook_failed", text);
                if on {
                    self.step(Event::HookFailed);
                }
            }
            Message::Asked(asked) => {
                self.asked(asked);
                self.show_page();
            }
            Message::AtTheDoor(knock) => self.at_the_door(knock),
            Message::PageListens(None) => self.clear("page_failing"),
            Message::PageListens(Some(text)) => self.alarm("page_failing", text),
            Message::Format(session, format) => {
                self.formats.insert(session, format);
            }
            Message::Reloaded(result) => self.reloaded(*result),
            // Fetched again at once; whoever waits for the answer is nobody.
            Message::ClipGone => drop(self.syncing.as_ref().map(Syncing::sync_now)),
            Message::Synced(reply, answers) => {
                let _ = reply.send(self.sync_answer(&answers));
            }
        }
    }

    pub(super) fn speaker_says(&mut self, event: SpeakerEvent) {
        let now = self.clock.now();
        let report = match event {
            SpeakerEvent::Ready { .. } => return,
            SpeakerEvent::Closed => {
                self.device_open = false;
                memory::give_back();
                return;
            }
            SpeakerEvent::Opened { name, rate, channels } => {
                self.device_open = true;
                // Ahead of the first sound, never under one that comes back.
                if self.playout.stage().voice.is_none() {
                    memory::give_back();
                }
                tracing::info!("{name}: {rate} Hz, {channels}");
                return;
            }
            SpeakerEvent::Began { airing, arming, at_boot_ns, late_ns } => {
                self.answer_begun(&airing);
                self.clear("hook_failed");
                Report::Began { airing_id: airing, arming, wall_ns: now.wall_ns_of(at_boot_ns), error_ns: late_ns }
            }
            SpeakerEvent::Progress { airing, arming, played_ms } => {
                Report::Progress { airing_id: airing, arming, played_ms }
            }
            SpeakerEvent::Ended { airing, arming, played_ms, at_boot_ns, how, .. } => Report::Ended {
                airing_id: airing,
                arming,
                wall_ns: now.wall_ns_of(at_boot_ns),
                played_ms,
                how: match how {
                    How::Whole => EndedHow::Whole,
                    How::Cut => EndedHow::Cut,
                    How::TakenOver => EndedHow::TakenOver,
                    How::Quiet | How::EndBy => EndedHow::Quiet,
                    How::DeviceLost => EndedHow::DeviceLost,
                    How::DecodeFailed => EndedHow::Broken,
                },
            },
            SpeakerEvent::Refused { airing, arming, why } => match why {
                Refusal::Missing => {
                    self.alarm("clip_bad", Text::AudioAbsent { airing: airing.clone() });
                    Report::Refused { airing_id: airing, arming, reason: Reason::ClipMissing }
                }
                Refusal::Bad(text) => {
                    tracing::error!("{}", text.say(self.language));
                    if let Text::ClipChanged { path } = &text {
                        self.drop_altered(PathBuf::from(path));
                    }
                    self.alarm("clip_bad", text);
                    Report::Refused { airing_id: airing, arming, reason: Reason::ClipBad }
                }
                Refusal::Late => Report::Refused { airing_id: airing, arming, reason: Reason::Late },
                Refusal::Quiet => Report::Refused { airing_id: airing, arming, reason: Reason::QuietHours },
                // Taken back before its first sample.
                Refusal::Cut => {
                    Report::Ended { airing_id: airing, arming, wall_ns: now.wall_ns, played_ms: 0, how: EndedHow::Cut }
                }
            },
            SpeakerEvent::DeviceLost { error } => {
                tracing::error!("{}", error.say(self.language));
                self.device_error = Some(error.clone());
                self.device_open = false;
                self.alarm("device_lost", error);
                Report::DeviceLost
            }
            SpeakerEvent::DeviceBack => {
                self.device_error = None;
                self.clear("device_lost");
                Report::DeviceBack
            }
        };
        self.step(Event::Speaker(report));
    }

    pub(super) fn log_says(&mut self, event: LogEvent) {
        match event {
            LogEvent::Committed { token, seq, head } => {
                self.log_head = (seq, head);
                if token.is_some() {
                    self.tell_of_rows(token);
                }
            }
            LogEvent::Failing { error, .. } => {
                self.tell_of_rows(None);
                let text = error.text();
                tracing::error!("{}", text.say(self.language));
                self.alarm("log_failing", text);
            }
            LogEvent::Healed => self.clear("log_failing"),
            LogEvent::LookedOver { rows, broken } => {
                let now = self.clock.now().wall();
                tracing::info!(rows, broken = broken.len(), "the log was looked over");
                self.looked_over_at = Some(now);
                if broken.is_empty() {
                    return self.clear("log_changed");
                }
                let named: Vec<String> = broken.iter().take(5).map(u64::to_string).collect();
                let more = if broken.len() > named.len() { ", ..." } else { "" };
                let which = named.join(", ") + more;
                self.alarm("log_changed", Text::LogRowsBroken { rows: broken.len() as u64, which });
            }
            LogEvent::LeftOut { airing_id } => tracing::error!("{airing_id}: a second row was left out"),
        }
    }

    pub(super) fn sync_says(&mut self, event: SyncEvent) {
        match event {
            SyncEvent::Checked { source } => {
                self.clear(&format!("source_{source}"));
                self.clear(&format!("no_contact_{source}"));
            }
            SyncEvent::Failed { text, .. } => tracing::warn!("{}", text.say(self.language)),
            SyncEvent::Refused { source, text } | SyncEvent::Damaged { source, text } => {
                tracing::error!("{}", text.say(self.language));
                self.alarm(&format!("source_{source}"), text);
            }
            SyncEvent::Progress { .. } => {}
            // Seen by two: after an import, the thread of the source finds it as well.
            SyncEvent::Keys { source, keys } => self.keys_in_force(source, &keys),
            SyncEvent::Ready { stored } if self.stored.iter().chain(&self.urgent).any(|s| s.is(&stored)) => {}
            SyncEvent::Ready { stored } => {
                let key = if stored.urgent { format!("{}{URGENT}", stored.source) } else { stored.source.to_string() };
                self.clear(&format!("source_{key}"));
                self.clear(&format!("no_contact_{}", stored.source));
                self.clock.raise_floor(stored.issued_at.min(stored.in_force_at));
                let (source, serial, at) =
                    (stored.source.to_string(), stored.serial, self.short_time(stored.in_force_at));
                let text = match (&stored.leaked, stored.urgent) {
                    (Some(key_id), _) => Text::ListWithdrawnKeyLeaked { source, serial, key_id: key_id.clone() },
                    (None, false) => Text::ListReceived { source, serial, at },
                    (None, true) => Text::UrgentReceived { source, serial, at },
                };
                tracing::info!("{}", text.say(self.language));
                let mut detail = vec![
                    ("source", stored.source.to_string().into()),
                    ("serial", stored.serial.into()),
                    ("body_sha256", stored.body_sha256.clone().into()),
                    ("expires_at", self.zone.rfc3339(stored.expires_at).into()),
                ];
                if stored.urgent {
                    detail.push(("urgent", true.into()));
                }
                let row = match &stored.leaked {
                    None => event_of(EventKind::ListInForce, stored.in_force_at, &detail),
                    Some(key_id) => {
                        let what = format!("danh sách {} số {}", stored.source, stored.serial);
                        detail.extend([("what", what.into()), ("leaked_key", key_id.clone().into())]);
                        event_of(EventKind::Withdrawal, self.clock.now().wall(), &detail)
                    }
                };
                let lists = if stored.urgent { &mut self.urgent } else { &mut self.stored };
                match lists.iter_mut().find(|s| s.source == stored.source) {
                    Some(old) => *old = stored,
                    None => lists.push(stored),
                }
                self.step(Event::Note(row));
                self.programme_changed();
            }
        }
    }

    /// Other keys may sign from now on: the log remembers the version, so that a set-back disk is found out.
    pub(super) fn keys_in_force(&mut self, source: Arc<str>, keys: &KeysInForce) {
        let KeysAccepted { version, sha256 } = &keys.accepted;
        if self.keys_noted.get(&source).is_some_and(|noted| noted >= version) {
            return;
        }
        self.keys_noted.insert(source.clone(), *version);
        let text = Text::KeysReceived { source: source.to_string(), version: *version, keys: keys.keys };
        tracing::info!("{}", text.say(self.language));
        let detail = [
            ("source", source.to_string().into()),
            ("version", (*version).into()),
            ("body_sha256", sha256.clone().into()),
        ];
        let row = event_of(EventKind::KeysInForce, self.clock.now().wall(), &detail);
        self.step(Event::Note(row));
    }

    /// A clip from above that was altered on the card is thrown away, so that the sync fetches it again.
    pub(super) fn drop_altered(&self, path: PathBuf) {
        let (store, tx, language) = (self.store.clone(), self.tx.clone(), self.language);
        let look = move || match store.drop_altered(&path) {
            Ok(true) => drop(tx.send(Message::ClipGone)),
            Ok(false) => {}
            Err(error) => tracing::error!("{}", error.text(language).say(language)),
        };
        if let Err(error) = std::thread::Builder::new().name("look".into()).spawn(look) {
            tracing::error!("look: {error}");
        }
    }
}
