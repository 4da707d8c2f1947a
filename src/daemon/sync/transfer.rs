//! Clips over the network: into part files, taken up again where the line broke, and what the list in force lacks.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::source::{SourceThread, chance};
use super::{Intake, SyncEvent, Trouble};
use crate::domain::signature::{self, Keys, Wanted};
use crate::edge::clip_store::Part;
use crate::edge::http::{self, Sink};

/// Bytes that make it worth while to go on at once when the line broke.
const WORTH_A_TRY: u64 = 16 * 1024;

/// A part file as the far end of a transfer, with the way to stop it.
struct Filling<'a, 's> {
    part: &'a mut Part<'s>,
    stop: &'a AtomicBool,
    told: &'a mut dyn FnMut(u64),
}

impl Sink for Filling<'_, '_> {
    fn have(&self) -> u64 {
        self.part.have()
    }
    fn tag(&self) -> Option<String> {
        self.part.tag().map(str::to_owned)
    }
    fn restart(&mut self, tag: Option<&str>) -> io::Result<()> {
        self.part.restart(tag)
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.part.write(bytes)?;
        (self.told)(self.part.have());
        Ok(())
    }
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.part.is_needless()
    }
}

impl SourceThread {
    /// Gets what the list in force names and the disk lacks: clips lost since, and those a commune may take into
    /// its own sessions.
    pub(super) fn fill_up(&mut self, keys: &Keys) -> Result<(), Trouble> {
        let Some(stored) = self.known.stored.clone().filter(|s| s.leaked.is_none()) else { return Ok(()) };
        let now_ns = self.boot_ns();
        self.bad.retain(|_, (_, at)| (now_ns - *at) / 1_000_000 < self.settings.whole_every_ms);
        let store = self.surroundings.store.clone();
        let mut wanted: Vec<Wanted> = (signature::needed(&stored.list).into_iter())
            .chain(signature::spare(&stored.list))
            .filter(|w| !store.has(w) && !self.bad.contains_key(&w.sha256))
            .collect();
        self.with_intake(keys, |intake| intake.order(&stored.list, &mut wanted));
        // One bad file must not keep the others away; a dead network need not be tried for each.
        let troubles = self.with_intake(keys, |intake| {
            intake.bring(&wanted, true, &Trouble::is_refusal, &mut |wanted, part| self.fetch(wanted, part))
        });
        let (refused, others): (Vec<_>, Vec<_>) = troubles.into_iter().partition(|(_, t)| t.is_refusal());
        for (n, trouble) in &refused {
            self.bad.insert(wanted[*n].sha256.clone(), (trouble.text(self.settings.language), now_ns));
        }
        let first_trouble = others.into_iter().chain(refused).map(|(_, trouble)| trouble).next();
        first_trouble.map_or(Ok(()), Err)
    }

    pub(super) fn fetch(&self, wanted: &Wanted, part: &mut Part) -> Result<(), Trouble> {
        let url = http::clip_url(&self.url, &wanted.url);
        let mut told_at = self.boot_ns();
        let mut told = |have: u64| {
            let now = self.boot_ns();
            // Twice a second is enough for a person.
            if now - told_at >= 500_000_000 || have == wanted.bytes {
                told_at = now;
                let (title, bytes) = (wanted.title.clone(), wanted.bytes);
                self.tell(SyncEvent::Progress { source: self.id.clone(), title, have, bytes });
            }
        };
        let mut sink = Filling { part, stop: &self.shared.stop, told: &mut told };
        let (mut furthest, mut fruitless) = (sink.have(), 0);
        loop {
            let error = match self.fetcher.file(&url, wanted.bytes, &mut sink) {
                Ok(_) => {
                    self.moved.set(true);
                    return Ok(());
                }
                Err(error) => error,
            };
            // A mobile link that breaks every few seconds: go on where it broke, for as long as that leads somewhere.
            fruitless += 1;
            if sink.have() >= furthest + WORTH_A_TRY {
                furthest = sink.have();
                fruitless = 0;
                self.moved.set(true);
            }
            if !error.is_broken_line() || fruitless >= self.settings.fruitless_most || self.stopped() {
                return Err(error.into());
            }
            self.sleep(self.settings.resume_after.saturating_mul(1 << fruitless).mul_f64(0.5 + chance()));
        }
    }

    pub(super) fn with_intake<T>(&self, keys: &Keys, run: impl FnOnce(&Intake) -> T) -> T {
        let keep = |sha256: &str| {
            let named = self.shared.sources().iter().any(|s| s.clips.iter().any(|c| c == sha256));
            named || (self.surroundings.keep)(sha256)
        };
        run(&Intake {
            source: &self.id,
            urgent: self.urgent,
            keys,
            keys_file: self.known_keys.accepted().as_ref(),
            behind: self.known_keys.behind(),
            station: &self.station,
            zone: self.zone,
            language: self.settings.language,
            store: &self.surroundings.store,
            admit: &*self.surroundings.admit,
            quota: self.quota,
            keep: &keep,
            keep_before: &|sha256| self.shared.sources().iter().any(|s| s.before.iter().any(|c| c == sha256)),
            latest: self.surroundings.latest.get(&*self.key),
            soonest: &*self.surroundings.soonest,
            clock: &*self.surroundings.clock,
        })
    }
}
