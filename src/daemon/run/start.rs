//! How the daemon comes up: the files in force, the log with what the last run left, and what runs beside the loop.

use super::*;

/// What the log knows of the last run.
#[derive(Default)]
struct LastRun {
    /// The latest list of each source.
    latest: sync::Latest,
    /// The head of the log's id, and when something last aired.
    log_id: Option<String>,
    last_aired: Option<String>,
    past: Option<Past>,
    manual_count: u64,
    own_since: Option<(String, Wall)>,
    floor: Wall,
    right: Option<Right>,
}

fn last_run(log: &AiringLog, boot_id: &str, zone: Zone, now: Wall) -> Result<LastRun, LogError> {
    let last_row = log.last_row()?;
    let own_since = log
        .named("own_list")?
        .and_then(|v| Some((v.get("sha256")?.as_str()?.to_owned(), Wall(v.get("since")?.as_i64()?))));
    let saved: Option<Saved> = log.named("playout")?.and_then(|v| serde_json::from_value(v).ok());
    let past = match saved {
        None => None,
        Some(saved) => {
            let seq_of = |kind| log.last_event(kind).map(|r| r.map_or(0, |r| r.seq));
            let farewell = seq_of(EventKind::Shutdown)? > seq_of(EventKind::Start)?;
            let same_boot = log.last_row_of_daemon()?.is_some_and(|r| r.boot_id == boot_id);
            let absence = match (farewell, same_boot) {
                (true, _) => Absence::ShutDown,
                (_, true) => Absence::Crashed,
                _ => Absence::PowerOff,
            };
            // Runs that never knew the time settled nothing: all of it counts as the gravest (rule R6).
            let before =
                log.named(UNSETTLED)?.and_then(|v| serde_json::from_value::<Option<Absence>>(v).ok().flatten());
            let absence = before.map_or(absence, |before| absence.graver(before));
            let noted_ms = log.intents()?.into_iter().map(|i| (i.airing_id, i.played_ms)).collect();
            let since = now.min(saved.stage.now) + -REMEMBERED_MS;
            let planned = log.settled_since(since)?.iter().filter_map(|id| session_of(id, zone)).collect();
            Some(Past { saved, absence, noted_ms, planned })
        }
    };
    Ok(LastRun {
        latest: sync::latest_of(log.latest_lists()?),
        log_id: Some(log.log_id().to_owned()),
        last_aired: log.last_aired()?,
        past,
        manual_count: log.manual_count()?,
        own_since,
        floor: last_row.and_then(|r| r.recorded_at).unwrap_or(Wall(0)),
        right: log
            .named(CLOCK_RIGHT)?
            .filter(|v| v["boot_id"] == *boot_id)
            .and_then(|v| serde_json::from_value(v["right"].clone()).ok()),
    })
}

impl Daemon {
    pub(super) fn start(
        options: Options,
        tx: mpsc::UnboundedSender<Message>,
    ) -> Result<(Daemon, fs::File), StartError> {
        let plain = MachineClock::plain();
        let (loaded, refused) = last_good(&options, &plain)?;
        let language = loaded.language;
        let Some(config) = loaded.config.clone().map(Arc::new) else {
            return Err(StartError::Config(loaded.rendered(&[Severity::Error]).collect()));
        };
        for line in loaded.rendered(&[Severity::Warning]) {
            tracing::warn!("{line}");
        }
        let zone = config.station.timezone;
        let state_dir = config.state.dir.clone();
        let lock = lock_state(&state_dir)?;
        let clock = Arc::new(MachineClock::new(config.trust, config.hold_ms, Wall(0)));
        let shared_clock: Arc<dyn Clock> = clock.clone();

        // The log first: what it knows decides how the rest begins.
        let boot_id = kernel_boot_id().unwrap_or_else(|_| "unknown".into());
        let identity = Identity {
            station_id: config.station.id.clone(),
            device_id: config.station.device_id.clone(),
            boot_id: boot_id.clone(),
            zone,
        };
        let mut alarms = Alarms::default();
        let now = clock.now();
        let path = state_dir.join(FILE_NAME);
        let known = |log: AiringLog| {
            let last = last_run(&log, &boot_id, zone, now.wall())?;
            Ok((log, last))
        };
        let opened = AiringLog::open(&path, identity.clone(), shared_clock.clone()).and_then(known);
        let opened = match opened {
            Err(error) if error.is_damage() => {
                AiringLog::mend(&path, identity.clone(), shared_clock.clone()).and_then(known)
            }
            opened => opened,
        };
        if let Err(error) = DeviceKey::of(&state_dir, machine_mark().as_deref()) {
            tracing::error!("{}", error.text().say(language));
            alarms.raise("device_key", now.wall(), error.text());
        }
        let (log, last) = match opened {
            Ok((log, last)) => (Some(log), last),
            Err(error) => {
                // The duty to warn beats the record: play on, keep rows in memory, go on trying.
                tracing::error!("{}", error.text().say(language));
                alarms.raise("log_failing", now.wall(), error.text());
                (None, LastRun::default())
            }
        };
        let head = log.as_ref().and_then(|l| l.head().ok());
        clock.raise_floor(last.floor);
        if let Some(right) = last.right {
            clock.remember(right);
        }

        let store = Arc::new(ClipStore::open(&state_dir)?);
        let (mut stored, mut urgent) = (Vec::new(), Vec::new());
        for (source, from_disk) in load_all(&config, &store, &*clock, language, &last.latest)? {
            if let Some(text) = from_disk.alarm {
                tracing::error!("{}", text.say(language));
                alarms.raise(&format!("source_{source}"), now.wall(), text);
            }
            urgent.extend(from_disk.urgent);
            if let Some(list) = from_disk.stored {
                clock.raise_floor(list.issued_at.min(list.in_force_at));
                stored.push(list);
            }
        }
        let (list, audio) = own_list(&loaded, &clock);
        let own_sha = loaded.sha256(FileRole::Local).unwrap_or_default();
        let own = list.map(|list| OwnList {
            list: Arc::new(list),
            since: match &last.own_since {
                Some((sha256, since)) if *sha256 == own_sha => *since,
                // A clock that nobody believes does not say since when.
                _ => {
                    let now = clock.now();
                    if now.clock.trusted() { now.wall() } else { now.wall().max(clock.floor()) }
                }
            },
        });
        if let Err(error) = write_tone(&state_dir) {
            tracing::warn!("{}: {error}", state_dir.join("tone.wav").display());
        }

        // What was in force while the box was away settles the past; only then does the new come into force.
        let before = own_list_before(&loaded, &clock, last.own_since.as_ref(), &own_sha);
        let present_at = clock.now().wall();
        let present = programme(&config, own.as_ref(), (&stored, &urgent), present_at)?;
        let settling = match &before {
            Some(old) => {
                programme(&config, Some(old), (&stored, &urgent), present_at).unwrap_or_else(|_| present.clone())
            }
            None => present.clone(),
        };
        let mut playout = Playout::new(settling, settings(&config), last.past, present_at);
        for (clip, fault) in audio.faults() {
            playout.clip_fault(&clip, Some(fault));
        }

        let speaker_tx = tx.clone();
        let fails = |what: &str| {
            let what = what.to_owned();
            move |e: std::io::Error| StartError::Failed(Text::StartFails { what, why: e.to_string() })
        };
        let open_pcm = Arc::new(decoder::open_verified);
        let speaker = Speaker::start(config.output.device.clone(), shared_clock.clone(), open_pcm, move |event| {
            let _ = speaker_tx.send(Message::Speaker(event));
        })
        .map_err(fails("speaker"))?;
        let hook_tx = tx.clone();
        let amplifier = Amplifier::start(shared_clock.clone(), move |on, result| {
            let _ = hook_tx.send(Message::Hook(on, result));
        })
        .map_err(fails("amplifier"))?;
        let log_tx = tx.clone();
        let log = LogWriter::over(log, &path, identity, shared_clock.clone(), move |event| {
            let _ = log_tx.send(Message::Log(event));
        })
        .map_err(fails("log"))?;
        let mut daemon = Daemon {
            language,
            zone,
            state_dir,
            audio,
            stored,
            urgent,
            holding: Vec::new(),
            store,
            playout,
            speaker,
            amplifier,
            log,
            log_head: head.map_or((0, [0; 32]), |h| (h.seq, h.head)),
            syncing: None,
            tx,
            alarms,
            device_error: None,
            device_open: false,
            formats: HashMap::new(),
            plays: HashMap::new(),
            told_of_rows: Vec::new(),
            answers: HashMap::new(),
            manual_count: last.manual_count,
            tokens: 0,
            started: clock.now(),
            wake_at: Wall(0),
            gate_until: Wall(0),
            gate_offset_ns: 0,
            files_seen: Vec::new(),
            files_changed: false,
            files_still: 0,
            written: Written::default(),
            reloading: false,
            ticks: 0,
            last_line: String::new(),
            short_on: None,
            pruned_on: None,
            looked_over_on: None,
            looked_over_at: None,
            short: Vec::new(),
            planned: quota::Counts::default(),
            history: quota::History::default(),
            protected: Arc::new(Mutex::new(HashSet::new())),
            aired: Arc::new(Mutex::new(Kept::default())),
            heartbeat: Arc::new(Mutex::new(Heartbeat { last: last.last_aired, ..sync::introduction(&config) })),
            keys_noted: (last.latest.iter())
                .filter_map(|(name, latest)| Some((name.strip_suffix(KEYS)?.into(), latest.serial)))
                .collect(),
            latest: Arc::new(last.latest),
            log_id: last.log_id,
            page: None,
            door: Arc::new(Door::new(&config.state.dir, shared_clock.clone())),
            stray_tries: (0, None),
            reload_by: None,
            beside: Arc::new(Mutex::new(Beside {
                config: config.clone(),
                own: own.as_ref().map(|own| own.list.clone()),
            })),
            shelf: Arc::default(),
            boot_id,
            right_noted: None,
            own,
            config,
            clock,
            options,
        };
        daemon.files_seen = daemon.look_at_files();
        // What changed since it was read is seen in a moment.
        let differs = |path: &Path, read: &[u8]| fs::read(path).is_ok_and(|bytes| bytes != read);
        daemon.files_changed = refused.is_none() && loaded.sheets.iter().any(|s| differs(&s.path, &s.bytes));
        daemon.set_gate();
        daemon.step(Event::Note(daemon.start_row(&loaded)));
        if before.is_some() {
            daemon.step(Event::Programme(present));
        }
        daemon.keep_own_list(&loaded);
        match refused {
            Some(place) => {
                let now = daemon.clock.now().wall();
                let detail = [
                    ("accepted", false.into()),
                    ("finding", place.clone().into()),
                    ("in_force_sha256", loaded.sha256(FileRole::Station).into()),
                ];
                daemon.step(Event::Note(event_of(EventKind::Config, now, &detail)));
                daemon.alarm("config_refused", Text::ConfigNotTaken { finding: place });
            }
            None => keep_in_force(&daemon.state_dir, &loaded),
        }
        daemon.tell_troubles();
        daemon.begin_sync();
        Ok((daemon, lock))
    }

    pub(super) fn start_row(&self, loaded: &Survey) -> Write {
        let detail = [
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("config_sha256", loaded.sha256(FileRole::Station).into()),
            ("local_sha256", loaded.sha256(FileRole::Local).into()),
            ("zone_data", Zone::data_version().into()),
            ("output", self.config.output.device.to_string().into()),
            ("quiet_hours_shorter_by", self.config.quiet_main.shorter_by.clone().into()),
            ("trial", self.options.trial.into()),
        ];
        event(EventKind::Start, self.clock.now().wall(), None, &detail)
    }

    /// Notes which local list is in force and since when, and keeps a copy: after a restart the time in between is
    /// settled with it, whatever the file says by then.
    pub(super) fn keep_own_list(&mut self, loaded: &Survey) {
        let Some(own) = &self.own else { return };
        let sha256 = loaded.sha256(FileRole::Local).unwrap_or_default();
        if let Some(file) = loaded.sheets.iter().find(|f| f.role == FileRole::Local) {
            let kept = self.state_dir.join("own-list.toml");
            let part = kept.with_extension("part");
            if let Err(error) = fs::write(&part, &file.bytes).and_then(|()| fs::rename(&part, &kept)) {
                tracing::warn!("{}: {error}", kept.display());
            }
        }
        let value = json!({ "sha256": sha256, "since": own.since.0 });
        self.log.send(vec![Write::Set { name: "own_list".into(), value }], None);
    }

    pub(super) fn begin_sync(&mut self) {
        let tx = self.tx.clone();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let (protected, aired) = (self.protected.clone(), self.aired.clone());
        let (keep_ms, keep_clock) = (keep_aired_ms(&self.config), self.clock.clone());
        let keep = move |sha: &str| {
            let is_fresh = |at: &Wall| *at + keep_ms > keep_clock.now().wall();
            protected.lock().unwrap_or_else(PoisonError::into_inner).contains(sha) || {
                let aired = aired.lock().unwrap_or_else(PoisonError::into_inner);
                !aired.recalled || aired.last.get(sha).is_some_and(is_fresh)
            }
        };
        self.beat();
        let (beside, time) = (self.beside.clone(), self.clock.clone());
        let soonest = move |source: &str, list: &List| {
            let now = time.now();
            if !now.clock.trusted() {
                return Vec::new();
            }
            let Beside { config, own } = beside.lock().unwrap_or_else(PoisonError::into_inner).clone();
            airs_first(&config, own.as_ref(), (source, &Arc::new(list.clone())), now.wall())
        };
        let surroundings = sync::Surroundings {
            store: self.store.clone(),
            admit: Arc::new(admit(clock.clone())),
            keep: Arc::new(keep),
            soonest: Arc::new(soonest),
            heartbeat: self.heartbeat.clone(),
            latest: self.latest.clone(),
            clock,
            tell: Arc::new(move |event| {
                let _ = tx.send(Message::Sync(event));
            }),
        };
        let settings = sync::Settings { language: self.language, ..sync::Settings::default() };
        self.syncing = None;
        match Syncing::start(&self.config, &surroundings, &settings) {
            Ok(syncing) => self.syncing = Some(syncing),
            Err(error) => self.alarm("sync_failing", Text::StartFails { what: "sync".into(), why: error.to_string() }),
        }
    }

    /// Opens the station page where the config says, or closes it.
    pub(super) fn begin_page(&mut self) {
        let audio = &self.audio.files;
        let own = self.own.iter().flat_map(|o| &o.list.clips);
        let own = own.filter_map(|c| Some((c.sha256.as_ref()?.to_string(), audio.get(&c.id)?.clone()))).collect();
        let quota = self.config.state.clips_quota_bytes;
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Shelf { own, quota });
        let place = self
            .config
            .page_listen
            .as_ref()
            .map(|listen| Place { listen: listen.clone(), hosts: self.config.page_hosts.clone() });
        if self.page.as_ref().map(|p| &p.place) == place.as_ref() {
            return;
        }
        self.page = None;
        self.clear("page_failing");
        let Some(place) = place else { return };
        let (ask, tell, knock) = (self.tx.clone(), self.tx.clone(), self.tx.clone());
        let office = Counter {
            state_dir: self.state_dir.clone(),
            store: self.store.clone(),
            shelf: self.shelf.clone(),
            config: self.options.config.clone(),
            ask: Box::new(move |asked| {
                let _ = ask.send(Message::Asked(asked));
            }),
            tell: Box::new(move |trouble| {
                let _ = tell.send(Message::PageListens(trouble));
            }),
            knock: Box::new(move |what| {
                let _ = knock.send(Message::AtTheDoor(what));
            }),
        };
        match Page::start(place, Arc::new(office), self.door.clone(), self.clock.clone()) {
            Ok(page) => {
                self.page = Some(page);
                self.show_page();
            }
            Err(error) => {
                let why = error.to_string();
                self.alarm("page_failing", Text::StartFails { what: "page".into(), why });
            }
        }
    }

    /// Another program has brought a list into force: it is taken into the plan at once, whatever the sync threads
    /// wait for.
    pub(super) fn look_at_store(&self) {
        let (config, store, clock) = (self.config.clone(), self.store.clone(), self.clock.clone());
        let (tx, language, latest) = (self.tx.clone(), self.language, self.latest.clone());
        let look = move || match load_all(&config, &store, &*clock, language, &latest) {
            Ok(found) => {
                for (source, loaded) in found {
                    if let Some(keys) = loaded.keys {
                        let _ = tx.send(Message::Sync(SyncEvent::Keys { source, keys }));
                    }
                    for stored in loaded.stored.into_iter().chain(loaded.urgent) {
                        let _ = tx.send(Message::Sync(SyncEvent::Ready { stored }));
                    }
                }
            }
            Err(error) => tracing::error!("{}", error.text(language).say(language)),
        };
        if let Err(error) = std::thread::Builder::new().name("look".into()).spawn(look) {
            tracing::error!("look: {error}");
        }
    }

    /// Reads what the log says of the months before the start, off the loop: for a start nobody waits for it.
    pub(super) fn recall(&self) {
        let (path, seq, zone) = (self.state_dir.join(FILE_NAME), self.log_head.0, self.zone);
        let (now, aired, tx) = (self.clock.now().wall(), self.aired.clone(), self.tx.clone());
        let (kept_since, counted_since) =
            (now + -keep_aired_ms(&self.config), now + -i64::from(QUOTA_AHEAD_DAYS) * DAY_MS);
        let read = move || {
            let mut last = HashMap::new();
            let mut history = quota::History::default();
            let read = AiringLog::open_read_only(&path).and_then(|log| {
                last = log.aired_since(kept_since)?;
                log.each_airing_since(counted_since, seq, |at, row| {
                    if let (Some(campaign), Some(outcome), Some(output)) =
                        (row.text("campaign_id"), row.outcome(), row.text("output"))
                    {
                        let topic = row.text("topic_id");
                        history.add((&campaign, topic.as_deref()), zone.date(at), outcome, &output);
                    }
                })
            });
            if let Err(error) = read {
                tracing::warn!("{error}");
            }
            let mut aired = aired.lock().unwrap_or_else(PoisonError::into_inner);
            for (sha256, at) in last {
                let known = aired.last.entry(sha256).or_insert(at);
                *known = at.max(*known);
            }
            aired.recalled = true;
            drop(aired);
            let _ = tx.send(Message::Recalled(history));
        };
        if let Err(error) = std::thread::Builder::new().name("recall".into()).stack_size(256 * 1024).spawn(read) {
            tracing::error!("recall: {error}");
        }
    }
}

/// The station's files when they may run; else those that ran last, with the place of the first mistake.
fn last_good(options: &Options, clock: &dyn Clock) -> Result<(Survey, Option<String>), StartError> {
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let (place, error) = match look(options, clock, false) {
        Ok(loaded) if loaded.may_run() => return Ok((loaded, None)),
        Ok(loaded) => {
            let findings: Vec<String> = loaded.rendered(&[Severity::Error]).collect();
            (findings.first().map(|f| first_line(f)).unwrap_or_default(), StartError::Config(findings))
        }
        Err(text) => (first_line(&text.say(options.language)), StartError::Unreadable(text)),
    };
    // The state folder is found even in a file with mistakes; in one that is gone it is where it usually is.
    let dir = glance(&options.config).map_or_else(|_| PathBuf::from("/var/lib/loaxa"), |g| g.dir);
    let kept = kept_in(&dir);
    match look_at(options, clock, false, Some(&kept)) {
        Ok(loaded) if loaded.may_run() => {
            tracing::error!("{place}");
            Ok((loaded, Some(place)))
        }
        _ => Err(error),
    }
}

/// Reads and checks the station's files.
pub(super) fn look(options: &Options, clock: &dyn Clock, stored: bool) -> Result<Survey, Text> {
    look_at(options, clock, stored, None)
}

fn look_at(options: &Options, clock: &dyn Clock, stored: bool, kept: Option<&Path>) -> Result<Survey, Text> {
    let speak = |written: Option<Language>| match written {
        Some(language) if !options.language_forced => language,
        _ => options.language,
    };
    let today = |zone: Zone| zone.date(clock.now().wall());
    survey(&Look { config: &options.config, trial: options.trial, speak: &speak, today: &today, stored, kept })
}

pub(super) fn own_list(loaded: &Survey, clock: &MachineClock) -> (Option<List>, LocalAudio) {
    let (Some(config), Some(folder), Some(mut list)) = (&loaded.config, loaded.clips_dir(), loaded.local.clone())
    else {
        return (None, LocalAudio::default());
    };
    let memory = config.state.dir.join("local-clips.json");
    let mut audio = measure_local(&mut list, &folder, Some(&memory), &|path| measure(clock, path));
    let held = hold_approvals(&mut list, &config.state.dir.join("approvals.json"));
    held.into_iter().for_each(|text| audio.troubles.push(("".into(), Reason::NotApproved, text)));
    (Some(list), audio)
}

/// The local list that was in force when the last run ended, when the file says something else now.
fn own_list_before(
    loaded: &Survey,
    clock: &MachineClock,
    known: Option<&(String, Wall)>,
    present_sha: &str,
) -> Option<OwnList> {
    let (sha256, since) = known.filter(|(sha, _)| sha != present_sha)?;
    let state_dir = &loaded.config.as_ref()?.state.dir;
    let bytes = fs::read(state_dir.join("own-list.toml")).ok()?;
    if hex(&Sha256::digest(&bytes)) != *sha256 {
        return None;
    }
    let mut list = read_list(&bytes, Form::Local).value?;
    let memory = state_dir.join("local-clips.json");
    measure_local(&mut list, &loaded.clips_dir()?, Some(&memory), &|path| measure(clock, path));
    Some(OwnList { list: Arc::new(list), since: *since })
}

fn write_tone(state_dir: &Path) -> std::io::Result<()> {
    let path = state_dir.join("tone.wav");
    if fs::metadata(&path).is_ok_and(|m| m.len() == TONE.len() as u64) {
        return Ok(());
    }
    let part = path.with_extension("part");
    fs::write(&part, TONE)?;
    fs::rename(part, path)
}
