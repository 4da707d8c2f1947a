//! What people ask of the running daemon, through the socket and the page.

use super::*;

impl Daemon {
    pub(super) fn asked(&mut self, asked: Asked) {
        let Asked { request, reply } = asked;
        let now = self.clock.now().wall();
        match request {
            Request::Status => {
                let answer = match serde_json::to_value(self.snapshot()) {
                    Ok(value) => Answer::Done(value),
                    Err(error) => Answer::Refused { text: error.to_string(), code: "internal".into() },
                };
                let _ = reply.send(answer);
            }
            Request::Stop { until, for_ms, but_emergency, by, why } => {
                let until = until.or(for_ms.map(|ms| now + ms));
                self.step(Event::Stop(Stop { since: now, until, but_emergency, by, why }));
                let _ = reply.send(Answer::Done(json!({ "until": until.map(|t| self.zone.rfc3339(t)) })));
            }
            Request::Resume { by } => {
                self.step(Event::Resume { by });
                let _ = reply.send(Answer::Done(Value::Null));
            }
            Request::Play { clip, wait, by } => self.play(&clip, wait, by, reply),
            Request::Emergency { clip, by, repeat, gap_ms, every_ms, until } => {
                let until = until.unwrap_or(now + EMERGENCY_FOR_MS);
                self.send_emergency(&clip, reply, |clip| EmergencyOrder { clip, until, repeat, gap_ms, every_ms, by });
            }
            Request::Clock => {
                let standing = self.clock.standing();
                let _ = reply.send(Answer::Done(json!({
                    "now": self.zone.rfc3339(standing.now.wall()),
                    "shown": self.zone.rfc3339(standing.shown),
                    "clock": standing.now.clock,
                    "why": standing.why,
                    "floor": self.zone.rfc3339(standing.rules.floor),
                    "hold_ms": standing.rules.hold_ms,
                })));
            }
            Request::Vouch { at, by } => {
                let _ = reply.send(self.vouch(at, &by));
            }
            Request::Note { text, by } => {
                let row = event(EventKind::Note, now, Some(by), &[("text", text.into())]);
                self.step(Event::Note(row));
                let _ = reply.send(Answer::Done(Value::Null));
            }
            Request::Exported { seq } => {
                let value = json!({ "seq": seq.min(self.log_head.0), "at": self.zone.rfc3339(now) });
                self.log.send(vec![Write::Set { name: EXPORTED.into(), value }], None);
                let _ = reply.send(Answer::Done(Value::Null));
            }
            Request::Sync { by } => {
                self.step(Event::Note(event(EventKind::Sync, now, by, &[])));
                match &self.syncing {
                    Some(syncing) => {
                        let answers = syncing.sync_now();
                        let tx = self.tx.clone();
                        let waiting = move || {
                            let _ = tx.send(Message::Synced(reply, answers.iter().collect()));
                        };
                        if let Err(error) = std::thread::Builder::new().name("sync-now".into()).spawn(waiting) {
                            tracing::error!("sync: {error}");
                        }
                    }
                    None => {
                        let _ = reply.send(Answer::Done(json!([])));
                    }
                }
            }
            Request::RollBack { source, by } => {
                let refused =
                    |text: Text, code: &str| Answer::Refused { text: text.say(self.language), code: code.into() };
                let answer = if !self.config.sources.iter().any(|s| *s.id == *source) {
                    refused(Text::RollbackUnknownSource { source }, "unknown_source")
                } else {
                    match sync::roll_back(&self.store, &source, &*self.clock) {
                        Ok((left, serial)) => {
                            let text = format!("sync --rollback {source}: {left} -> {serial}");
                            self.step(Event::Note(event(EventKind::Note, now, by, &[("text", text.into())])));
                            self.look_at_store();
                            Answer::Done(json!({ "source": source, "left": left, "serial": serial }))
                        }
                        Err(error) => refused(error.text(self.language), "no_list_before"),
                    }
                };
                let _ = reply.send(answer);
            }
            Request::Look => {
                self.look_at_store();
                let _ = reply.send(Answer::Done(Value::Null));
            }
            Request::PageCode { by } => {
                let refused =
                    |text: Text, code: &str| Answer::Refused { text: text.say(self.language), code: code.into() };
                let answer = if self.page.is_none() {
                    refused(Text::PageAbsent {}, "no_page")
                } else if by.trim().is_empty() {
                    refused(Text::PageNeedsName {}, "no_name")
                } else {
                    match self.door.code(&by) {
                        Ok(code) => {
                            let by = by.trim().to_owned();
                            self.login_row("code_shown", Some(by.clone()), &[]);
                            Answer::Done(json!({ "by": by, "code": code }))
                        }
                        Err(error) => refused(Text::PageFailed { why: error.to_string() }, "internal"),
                    }
                };
                let _ = reply.send(answer);
            }
            Request::PageRevoke { by } => {
                self.login_row("revoked", None, &[("name", by.trim().into())]);
                let (door, language) = (self.door.clone(), self.language);
                let revoke = move || {
                    let answer = match door.revoke(&by) {
                        Ok(logins) => Answer::Done(json!({ "by": by, "logins": logins })),
                        Err(error) => Answer::Refused {
                            text: Text::PageFailed { why: error.to_string() }.say(language),
                            code: "internal".into(),
                        },
                    };
                    let _ = reply.send(answer);
                };
                if let Err(error) = std::thread::Builder::new().name("revoke".into()).spawn(revoke) {
                    tracing::error!("revoke: {error}");
                }
            }
            Request::Reload { by } => {
                self.reload(by);
                let _ = reply.send(Answer::Done(Value::Null));
            }
        }
    }

    /// Writes down who got into the station page, or did not.
    pub(super) fn at_the_door(&mut self, knock: Knock) {
        match knock {
            Knock::Opened(by) => self.login_row("opened", Some(by.to_string()), &[]),
            Knock::Left(by) => self.login_row("left", Some(by.to_string()), &[]),
            Knock::Wrong(name, left) => {
                self.login_row("refused", None, &[("name", (&*name).into()), ("tries_left", left.into())]);
            }
            Knock::NoCode => {
                let boot_ns = self.clock.now().boot_ns;
                let (tries, last) = (self.stray_tries.0 + 1, self.stray_tries.1);
                self.stray_tries.0 = tries;
                if last.is_none_or(|last| boot_ns - last >= STRAY_TRIES_EVERY_NS) {
                    self.stray_tries = (0, Some(boot_ns));
                    self.login_row("refused", None, &[("tries", tries.into())]);
                }
            }
        }
    }

    fn login_row(&mut self, what: &str, by: Option<String>, more: &[(&str, Value)]) {
        let mut detail = vec![("what", what.into())];
        detail.extend_from_slice(more);
        self.step(Event::Note(event(EventKind::Login, self.clock.now().wall(), by, &detail)));
    }

    /// A person vouches for the clock, which was set to `at`.
    pub(super) fn vouch(&mut self, at: Wall, by: &str) -> Answer {
        let refused = |text: Text, code: &str| Answer::Refused { text: text.say(self.language), code: code.into() };
        let before = self.clock.standing();
        if by.trim().is_empty() {
            return refused(Text::ClockNeedsName {}, "no_name");
        }
        if before.shown.min(at) < before.rules.floor {
            let floor = self.zone.local(before.rules.floor).format("%H:%M:%S %d/%m/%Y").to_string();
            return refused(Text::ClockBelowFloor { floor }, "below_floor");
        }
        if (before.shown - at).abs() > VOUCH_WITHIN_MS {
            return refused(Text::ClockNotSet {}, "not_set");
        }
        self.clock.vouch(by.trim().to_owned());
        let now = self.clock.now().wall();
        let until = self.zone.rfc3339(now + before.rules.hold_ms);
        let detail = [("clock_before", json!(before.now.clock)), ("held_until", until.clone().into())];
        self.step(Event::Note(event(EventKind::ClockSet, now, Some(by.trim().to_owned()), &detail)));
        self.step(Event::Tick);
        self.set_gate();
        self.watch_alarms(self.clock.now());
        Answer::Done(json!({ "now": self.zone.rfc3339(now), "held_until": until }))
    }

    pub(super) fn send_emergency(
        &mut self,
        name: &str,
        reply: oneshot::Sender<Answer>,
        order: impl FnOnce(Arc<ClipFacts>) -> EmergencyOrder,
    ) {
        let Some((clip, reply)) = self.playable(name, reply) else { return };
        let order = order(clip);
        let now = self.clock.now();
        if order.by.trim().is_empty() || order.until <= now.wall() {
            let text = if order.by.trim().is_empty() { Text::EmergencyNeedsName {} } else { Text::EmergencyOver {} };
            let _ = reply.send(Answer::Refused { text: text.say(self.language), code: "bad_request".into() });
            return;
        }
        self.tokens += 1;
        self.answers.insert(self.tokens, (reply, false));
        self.step(Event::Emergency { token: self.tokens, order });
    }

    /// The clip that a person names, when there is one with audio; else they are told.
    pub(super) fn playable(
        &self,
        name: &str,
        reply: oneshot::Sender<Answer>,
    ) -> Option<(Arc<ClipFacts>, oneshot::Sender<Answer>)> {
        let clip =
            if name == "tone" { Some(Arc::new(tone_facts())) } else { self.playout.programme().clip(name).cloned() };
        let (text, code) = match clip {
            None => (Text::NoSuchClip { clip: name.to_owned() }, "unknown_clip"),
            Some(clip) if self.file_of(&clip).is_some() => return Some((clip, reply)),
            Some(_) => (Text::AudioAbsent { airing: name.to_owned() }, "clip_missing"),
        };
        let _ = reply.send(Answer::Refused { text: text.say(self.language), code: code.into() });
        None
    }

    pub(super) fn play(&mut self, name: &str, wait: bool, by: Option<String>, reply: oneshot::Sender<Answer>) {
        let Some((clip, reply)) = self.playable(name, reply) else { return };
        self.tokens += 1;
        self.manual_count += 1;
        let (token, number) = (self.tokens, self.manual_count);
        self.answers.insert(token, (reply, wait));
        self.step(Event::Play { token, clip, number, by });
    }

    pub(super) fn answer(&mut self, token: u64, result: Result<String, PlayRefusal>) {
        let Some((reply, to_the_end)) = self.answers.remove(&token) else { return };
        match result {
            Ok(airing_id) => {
                self.plays.insert(airing_id, WaitingPlay { reply, to_the_end });
            }
            Err(refusal) => {
                let answer = match refusal {
                    PlayRefusal::Busy => {
                        // The number was not used: the next manual play has it.
                        self.manual_count -= 1;
                        Answer::Refused { text: Text::PlayBusy {}.say(self.language), code: "busy".into() }
                    }
                    PlayRefusal::Forbidden(reason) => self.refusal(reason),
                };
                let _ = reply.send(answer);
            }
        }
    }

    pub(super) fn refusal(&self, reason: Reason) -> Answer {
        let text = Text::PlayForbidden { reason: reason_words(reason, self.language).to_owned() };
        Answer::Refused { text: text.say(self.language), code: reason.key().into() }
    }

    pub(super) fn answer_begun(&mut self, airing_id: &str) {
        let key = waited_for(airing_id);
        if self.plays.get(key).is_some_and(|w| !w.to_the_end)
            && let Some(waiting) = self.plays.remove(key)
        {
            let _ = waiting.reply.send(Answer::Done(json!({ "airing_id": airing_id })));
        }
    }

    pub(super) fn sync_answer(&self, answers: &[(Arc<str>, sync::Answer)]) -> Answer {
        let rows = answers.iter().map(|(source, answer)| match answer {
            sync::Answer::Same { serial } => json!({ "source": &**source, "result": "same", "serial": serial }),
            sync::Answer::New(stored) => json!({ "source": &**source, "result": "new", "serial": stored.serial }),
            sync::Answer::Failed(text) => {
                json!({ "source": &**source, "result": "failed", "text": text.say(self.language) })
            }
            sync::Answer::Refused(text) => {
                json!({ "source": &**source, "result": "refused", "text": text.say(self.language) })
            }
        });
        Answer::Done(rows.collect())
    }
}
