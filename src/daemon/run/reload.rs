//! Config and local list that change while the daemon runs: read aside, taken whole or not at all.

use super::start::{look, own_list};
use super::*;

impl Daemon {
    pub(super) fn look_at_files(&self) -> Vec<(PathBuf, Option<(u64, std::time::SystemTime)>)> {
        let base = folder_of(&self.options.config);
        let local = self.config.local.as_ref();
        let files = [
            Some(self.options.config.clone()),
            local.map(|l| base.join(&l.playlist)),
            local.map(|l| base.join(&l.clips)),
        ];
        files
            .into_iter()
            .flatten()
            .map(|path| {
                let seen = fs::metadata(&path).ok().and_then(|m| Some((m.len(), m.modified().ok()?)));
                (path, seen)
            })
            .collect()
    }

    /// Whether a file has changed or is being written and has not come to rest.
    pub(super) fn files_settle(&self) -> bool {
        self.files_changed || self.written.half_written()
    }

    /// Has the kernel tell of changes of the files in force.
    fn watch_written(&mut self) {
        let base = folder_of(&self.options.config);
        let local = self.config.local.as_ref();
        let files = [Some(self.options.config.clone()), local.map(|l| base.join(&l.playlist))];
        let files = files.into_iter().flatten().map(Watched::File);
        self.written.watch(files.chain(local.map(|l| Watched::Folder(base.join(&l.clips)))).collect());
    }

    /// A file that changed is read when it has stood still for a second and nobody is in the midst of writing it:
    /// editors write in parts, and rename.
    pub(super) fn watch_files(&mut self) {
        self.watch_written();
        let written = self.written.look(self.clock.now().boot_ns);
        let seen = self.look_at_files();
        if seen != self.files_seen || written.changed || (written.half_written && self.files_changed) {
            self.files_seen = seen;
            self.files_changed = true;
            self.files_still = 0;
        } else if self.files_changed {
            self.files_still += 1;
            if self.files_still >= STILL {
                self.files_changed = false;
                self.reload(None);
            }
        }
    }

    /// Reads the files again; `by` changed them, where that is known.
    pub(super) fn reload(&mut self, by: Option<String>) {
        self.reload_by = by.or(self.reload_by.take());
        if self.reloading {
            self.files_changed = true;
            return;
        }
        self.reloading = true;
        // What changes from here on is read again: the files are read a moment later.
        self.files_seen = self.look_at_files();
        self.files_changed = false;
        let _ = self.written.look(self.clock.now().boot_ns);
        let options = self.options.clone();
        let clock = self.clock.clone();
        let (tx, language) = (self.tx.clone(), self.language);
        let spawned = std::thread::Builder::new().name("reload".into()).spawn(move || {
            let result = match look(&options, &*clock, true) {
                Err(text) => Err(vec![text.say(language)]),
                Ok(loaded) if !loaded.may_run() => Err(loaded.rendered(&[Severity::Error]).collect()),
                Ok(mut loaded) => {
                    let (list, audio) = own_list(&loaded, &clock);
                    loaded.local = list;
                    Ok(Reloaded { loaded, audio })
                }
            };
            let _ = tx.send(Message::Reloaded(Box::new(result)));
        });
        if let Err(error) = spawned {
            self.reloading = false;
            tracing::error!("reload: {error}");
        }
    }

    pub(super) fn reloaded(&mut self, result: Result<Reloaded, Vec<String>>) {
        self.reloading = false;
        let now = self.clock.now().wall();
        let by = self.reload_by.take();
        let Reloaded { loaded, audio } = match result {
            Ok(reloaded) => reloaded,
            Err(lines) => {
                for line in &lines {
                    tracing::error!("{line}");
                }
                let first = lines.first().cloned().unwrap_or_default();
                let place = first.lines().next().unwrap_or_default().to_owned();
                let detail = [("accepted", false.into()), ("finding", place.clone().into())];
                self.step(Event::Note(event(EventKind::Config, now, by, &detail)));
                self.alarm("config_refused", Text::ConfigNotTaken { finding: place });
                return;
            }
        };
        self.clear("config_refused");
        let Some(config) = loaded.config.clone().map(Arc::new) else { return };
        if config.state.dir != self.state_dir || config.station.id != self.config.station.id {
            self.alarm("needs_restart", Text::NeedsRestart {});
            return;
        }
        let local_sha = loaded.sha256(FileRole::Local);
        let detail = [
            ("accepted", true.into()),
            ("config_sha256", loaded.sha256(FileRole::Station).into()),
            ("local_sha256", local_sha.into()),
            ("quiet_hours_shorter_by", config.quiet_main.shorter_by.clone().into()),
        ];
        self.step(Event::Note(event(EventKind::Config, now, by, &detail)));
        let sources_changed = format!("{:?}", config.sources) != format!("{:?}", self.config.sources);
        self.language = loaded.language;
        self.zone = config.station.timezone;
        self.clock.set_rules(config.trust, config.hold_ms);
        if config.output.device != self.config.output.device {
            self.speaker.set_device(config.output.device.clone());
        }
        self.playout.set_output(config.output.device.to_string(), settings(&config).pre_roll_ms);
        self.own = loaded.local.clone().map(|list| OwnList { list: Arc::new(list), since: now });
        let (before, faults) = (self.audio.faults(), audio.faults());
        self.audio = audio;
        self.tell_troubles();
        for clip in before.keys().filter(|clip| !faults.contains_key(*clip)) {
            self.step(Event::Clip { clip: clip.clone(), fault: None });
        }
        for (clip, fault) in faults.into_iter().filter(|(clip, fault)| before.get(clip) != Some(fault)) {
            self.step(Event::Clip { clip, fault: Some(fault) });
        }
        self.config = config;
        self.stored.retain(|s| self.config.sources.iter().any(|c| c.id == s.source));
        self.urgent.retain(|s| self.config.sources.iter().any(|c| c.id == s.source && c.urgent_poll_ms.is_some()));
        self.keep_own_list(&loaded);
        self.set_gate();
        self.programme_changed();
        self.begin_page();
        let dir = self.state_dir.clone();
        // On a thread of its own: the disk may take its time.
        let kept = std::thread::Builder::new().name("keep".into()).spawn(move || keep_in_force(&dir, &loaded));
        if let Err(error) = kept {
            tracing::warn!("in-force: {error}");
        }
        if sources_changed {
            self.begin_sync();
        }
        tracing::info!("{}", Text::ConfigTaken {}.say(self.language));
        // The config may name other files by now; a change of the same ones since they were read is still to be seen.
        let seen = self.look_at_files().into_iter();
        let known = |path: &PathBuf| self.files_seen.iter().find(|(p, _)| p == path).cloned();
        self.files_seen = seen.map(|now| known(&now.0).unwrap_or(now)).collect();
        self.watch_written();
    }
}
