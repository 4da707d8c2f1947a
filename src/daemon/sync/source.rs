//! One source's thread: when it asks, what it asks, and what becomes of the answer.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::intake::hashes_of;
use super::{Answer, Loaded, Settings, Shared, Surroundings, SyncEvent, Taken, Trouble, locked};
use crate::daemon::keys::{KnownKeys, Trust};
use crate::domain::heartbeat::Heartbeat;
use crate::domain::keyring::Keyring;
use crate::domain::signature::{self, Accepted, Keys, LARGEST_LIST, LARGEST_SIGNATURE, Refusal};
use crate::domain::text::Text;
use crate::domain::time::{HOUR_MS, Zone};
use crate::edge::clip_store::{KeysAccepted, StoreError};
use crate::edge::http::{self, Fetched, Fetcher, HttpError};

pub(super) struct SourceThread {
    pub(super) index: usize,
    pub(super) id: Arc<str>,
    /// The name of the list in the store and in events.
    pub(super) key: Arc<str>,
    pub(super) urgent: bool,
    /// Whether the server has no such file: usual for an urgent list.
    pub(super) absent: bool,
    /// Where this check asks.
    pub(super) url: String,
    /// Where it may ask: the source's own address and its mirrors.
    pub(super) urls: Vec<String>,
    pub(super) trust: Result<Trust, Refusal>,
    /// Where root keys are pinned: what is known of `keys.json`.
    pub(super) known_keys: KnownKeys,
    /// Whether the disk has been looked at for it.
    pub(super) keys_looked: bool,
    /// What the disk said of itself then.
    pub(super) keys_seen: Option<KeysAccepted>,
    /// The tag of the `keys.json` in force, and whose tag it is.
    pub(super) keys_etag: Option<(String, String)>,
    /// The version of `keys.json` under which the list in force was last judged.
    pub(super) judged_under: Option<u64>,
    pub(super) station: String,
    pub(super) zone: Zone,
    pub(super) poll_ms: i64,
    pub(super) quota: u64,
    pub(super) fetcher: Arc<Fetcher>,
    pub(super) surroundings: Surroundings,
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) known: Loaded,
    /// Whether the disk has been looked at: what was found then has been told by [`load_all`].
    pub(super) looked: bool,
    /// What the disk said of itself then.
    pub(super) seen: Option<(Accepted, bool)>,
    /// Clips of the list in force that may not air, and since when: not fetched again today.
    pub(super) bad: HashMap<String, (Text, i64)>,
    /// The tag of the list that was judged last and is in force, and whose tag it is.
    pub(super) etag: Option<(String, String)>,
    /// Boot time of the last whole fetch.
    pub(super) whole_at_ns: Option<i64>,
    /// A list whose clips may not air: only another one helps, so it is not fetched clip by clip again today.
    pub(super) refused: Option<(String, Text, i64)>,
    /// The last sentence told, and when.
    pub(super) said: Option<(Text, i64)>,
    /// Whether the check under way has brought anything of a clip.
    pub(super) moved: Cell<bool>,
}

impl SourceThread {
    pub(super) fn run(&mut self) {
        let mut failures = 0;
        self.sleep(self.settings.first_after.mul_f64(0.9 + 0.2 * chance()));
        while !self.stopped() {
            let asking = std::mem::take(&mut self.shared.sources()[self.index].asking);
            let (answer, retry_after) = self.check();
            if self.stopped() {
                return;
            }
            // A bad line that brings something each time is no dead one: it is not left alone for longer and longer.
            let before = if self.moved.replace(false) { 0 } else { failures };
            failures = if matches!(answer, Answer::Failed(_)) || self.absent { before + 1 } else { 0 };
            // Nothing urgent is what everybody expects, and whether the source answers its list tells.
            let worth = !self.urgent || matches!(answer, Answer::New(_) | Answer::Refused(_));
            for waiting in asking.into_iter().filter(|_| worth) {
                // Whoever asked may have gone.
                let _ = waiting.send((self.id.clone(), answer.clone()));
            }
            self.sleep(pause(&self.settings, self.poll_ms, failures, retry_after, chance()));
        }
    }

    pub(super) fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Until `wait` has passed, somebody asks, or it is over.
    pub(super) fn sleep(&self, wait: Duration) {
        let until_ns = self.boot_ns() + i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX / 2);
        let mut sources = self.shared.sources();
        while !self.stopped() && sources[self.index].asking.is_empty() {
            let left_ns = until_ns - self.boot_ns();
            if left_ns <= 0 {
                return;
            }
            // In pieces: boot time goes on while the machine sleeps, a condition variable's does not.
            let piece = Duration::from_nanos(left_ns.unsigned_abs()).min(Duration::from_secs(60));
            sources = self.shared.wake.wait_timeout(sources, piece).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn boot_ns(&self) -> i64 {
        self.surroundings.clock.now().boot_ns
    }

    fn check(&mut self) -> (Answer, Option<Duration>) {
        let now = self.surroundings.clock.now();
        let mut result = self.check_list();
        self.absent = self.urgent && matches!(&result, Err(Trouble::Http(HttpError::Status { status: 404 | 410, .. })));
        if self.absent {
            result = Ok(self.same());
        }
        let language = self.settings.language;
        let (answer, retry_after) = match result {
            Ok(answer) => (answer, None),
            Err(trouble) => {
                let text = trouble.text(language);
                let retry_after = match &trouble {
                    Trouble::Http(e) => e.retry_after(),
                    _ => None,
                };
                let refused = trouble.is_refusal();
                (if refused { Answer::Refused(text) } else { Answer::Failed(text) }, retry_after)
            }
        };
        if self.stopped() {
            return (answer, retry_after);
        }
        {
            let mut sources = self.shared.sources();
            let watched = &mut sources[self.index];
            let status = &mut watched.status;
            match &answer {
                Answer::Same { .. } | Answer::New(_) => {
                    status.last_success = Some(now.wall());
                    status.last_error = None;
                }
                Answer::Failed(text) | Answer::Refused(text) => status.last_error = Some(text.clone()),
            }
        }
        let source = self.key.clone();
        match &answer {
            Answer::Same { .. } => {
                self.said = None;
                self.tell(SyncEvent::Checked { source });
            }
            Answer::New(_) => self.said = None,
            Answer::Failed(text) => {
                if self.says_anew(text) {
                    self.tell(SyncEvent::Failed { source, text: text.clone() });
                }
            }
            Answer::Refused(text) => {
                if self.says_anew(text) {
                    self.tell(SyncEvent::Refused { source, text: text.clone() });
                }
            }
        }
        (answer, retry_after)
    }

    /// Whether a sentence is another than the last one, or an hour old.
    fn says_anew(&mut self, text: &Text) -> bool {
        let now = self.boot_ns();
        // By name: the same fault may carry other figures each time.
        let again =
            self.said.as_ref().is_some_and(|(last, at)| last.name() == text.name() && now - at < HOUR_MS * 1_000_000);
        if !again {
            self.said = Some((text.clone(), now));
        }
        !again
    }

    pub(super) fn tell(&self, event: SyncEvent) {
        (self.surroundings.tell)(event);
    }

    /// Asks the source, and while nothing usable comes its mirrors in turn. What the source itself said is what is
    /// told.
    fn check_list(&mut self) -> Result<Answer, Trouble> {
        let mut first = None;
        for (n, url) in self.urls.clone().into_iter().enumerate() {
            if self.stopped() {
                break;
            }
            self.url = url;
            let trouble = match self.check_here() {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let next = match &trouble {
                Trouble::Http(_) | Trouble::NoKeysFile { .. } | Trouble::Store(StoreError::WrongBytes { .. }) => true,
                // A mirror that lags behind is none that lies.
                Trouble::Refusal(Refusal::SerialLower { .. } | Refusal::KeysLower { .. }) => n > 0,
                _ => false,
            };
            if !next {
                return Err(trouble);
            }
            first.get_or_insert(trouble);
        }
        Err(first.unwrap_or(Trouble::Http(HttpError::Stopped)))
    }

    fn check_here(&mut self) -> Result<Answer, Trouble> {
        self.look_at_keys()?;
        if let Ok(keys) = self.keys() {
            self.reload(&keys)?;
        }
        let keys_version = self.known_keys.ring.as_ref().map(Keyring::version);
        let beat = locked(&self.surroundings.heartbeat).clone();
        let beat = Heartbeat { list: self.list_serial(), keys: keys_version, ..beat };
        self.fetcher.set_user_agent(&beat.to_string());
        let now_ns = self.boot_ns();
        let due = self.whole_at_ns.is_none_or(|at| (now_ns - at) / 1_000_000 >= self.settings.whole_every_ms);
        // The thread of the urgent list leaves that to the other, but on a box that has no keys yet.
        if !self.urgent || self.known_keys.ring.is_none() {
            self.ask_for_keys(due)?;
        }
        let mut keys = self.keys()?;
        self.reload(&keys)?;
        let known = self.etag.clone().filter(|(url, _)| *url == self.url && !due && self.known.stored.is_some());
        let etag = known.map(|(_, tag)| tag);
        let fetched = self.fetcher.body(&self.url, etag.as_deref(), LARGEST_LIST)?;
        let (mut bytes, mut etag) = match fetched {
            Fetched::NotModified => {
                self.fill_up(&keys)?;
                return self.still();
            }
            Fetched::Body { bytes, etag } => (bytes, etag),
        };
        self.etag = None;
        let here = self.url.clone();
        let tagged = move |tag: Option<String>| tag.map(|tag| (here, tag));
        if self.in_force(&bytes) {
            (self.etag, self.whole_at_ns) = (tagged(etag), Some(now_ns));
            self.fill_up(&keys)?;
            return self.still();
        }
        if self.urgent {
            // Something new is judged by the latest keys; nothing new costs no question for them.
            self.ask_for_keys(false)?;
            keys = self.keys()?;
            self.reload(&keys)?;
        }
        let body_sha256 = signature::sha256_hex(&bytes);
        if let Some((refused, text, at)) = &self.refused
            && *refused == body_sha256
            && (now_ns - at) / 1_000_000 < self.settings.whole_every_ms
        {
            return Ok(Answer::Refused(text.clone()));
        }
        let mut signature = self.signature()?;
        if signature::verify(&bytes, &signature, &keys, &self.id).is_err() {
            // The publisher writes two files, one after the other.
            self.sleep(self.settings.between_files);
            if let Fetched::Body { bytes: b, etag: e } = self.fetcher.body(&self.url, None, LARGEST_LIST)? {
                (bytes, etag) = (b, e);
            }
            signature = self.signature()?;
        }
        let taken = self.take(&keys, &bytes, &signature);
        match taken {
            Ok(Taken::Same) => {
                (self.etag, self.whole_at_ns) = (tagged(etag), Some(now_ns));
                self.fill_up(&keys)?;
                self.still()
            }
            Ok(Taken::New(stored)) => {
                (self.etag, self.whole_at_ns, self.refused) = (tagged(etag), Some(now_ns), None);
                self.set_known(Loaded {
                    accepted: Some(Accepted {
                        serial: stored.serial,
                        body_sha256: stored.body_sha256.clone(),
                        issued_at: stored.issued_at,
                    }),
                    stored: Some(stored.clone()),
                    alarm: None,
                    urgent: None,
                    keys: None,
                    beside: self.known.stored.iter().flat_map(|s| hashes_of(&s.list)).collect(),
                });
                self.seen = self.known.accepted.clone().map(|a| (a, false));
                self.tell(SyncEvent::Ready { stored: stored.clone() });
                // The list is in force; what only a commune might take is tried again at the next poll.
                if let Err(trouble) = self.fill_up(&keys) {
                    let text = trouble.text(self.settings.language);
                    self.tell(SyncEvent::Failed { source: self.key.clone(), text });
                }
                Ok(Answer::New(stored))
            }
            Err(trouble) => {
                if let Trouble::Store(error) = &trouble
                    && error.is_refusal()
                {
                    let body_sha256 = signature::sha256_hex(&bytes);
                    self.refused = Some((body_sha256, error.text(self.settings.language), now_ns));
                }
                Err(trouble)
            }
        }
    }

    /// The serial of the source's list in force, also for the thread of its urgent list.
    fn list_serial(&self) -> Option<u64> {
        self.shared.sources().iter().find(|s| !s.urgent && s.status.id == self.id).and_then(|s| s.status.serial)
    }

    fn signature(&self) -> Result<Vec<u8>, HttpError> {
        match self.fetcher.body(&http::signature_url(&self.url), None, LARGEST_SIGNATURE)? {
            Fetched::Body { bytes, .. } => Ok(bytes),
            Fetched::NotModified => Ok(Vec::new()),
        }
    }

    /// The source has what is in force here already: nothing new, unless nobody can say who made it.
    fn still(&self) -> Result<Answer, Trouble> {
        match self.known.stored.as_ref().and_then(|s| s.leaked.clone()) {
            None => Ok(self.same()),
            Some(key_id) => {
                let version = self.known_keys.ring.as_ref().map_or(0, Keyring::version);
                Err(Refusal::KeyLeaked { from: self.id.to_string(), key_id, version }.into())
            }
        }
    }

    fn same(&self) -> Answer {
        Answer::Same { serial: self.known.stored.as_ref().map(|s| s.serial) }
    }

    fn in_force(&self, bytes: &[u8]) -> bool {
        self.known.stored.as_ref().is_some_and(|s| s.body_sha256 == signature::sha256_hex(bytes))
    }

    /// Looks whether the disk has another list than we know: at the first check, and after an import.
    fn reload(&mut self, keys: &Keys) -> Result<(), StoreError> {
        let on_disk = self.surroundings.store.accepted(&self.key);
        let under = self.known_keys.ring.as_ref().map(Keyring::version);
        let first = !std::mem::replace(&mut self.looked, true);
        if !first && self.judged_under == under && (on_disk.is_none() || on_disk == self.seen) {
            return Ok(());
        }
        (self.seen, self.judged_under) = (on_disk, under);
        let loaded = self.with_intake(keys, |intake| intake.load())?;
        if let Some(text) = loaded.alarm.clone() {
            self.tell(SyncEvent::Damaged { source: self.key.clone(), text });
        }
        let before = self.known.stored.clone();
        let ready = loaded.stored.clone().filter(|s| !first && before.is_none_or(|b| !b.is(s)));
        self.set_known(loaded);
        if let Some(stored) = ready {
            self.tell(SyncEvent::Ready { stored });
        }
        Ok(())
    }

    fn set_known(&mut self, known: Loaded) {
        let mut sources = self.shared.sources();
        let watched = &mut sources[self.index];
        watched.status.serial = known.stored.as_ref().map(|s| s.serial);
        watched.status.expires_at = known.stored.as_ref().map(|s| s.expires_at);
        watched.clips = (known.stored.iter().flat_map(|s| &s.list.clips))
            .filter_map(|c| c.sha256.as_deref().map(str::to_owned))
            .collect();
        watched.before = known.beside.clone();
        drop(sources);
        self.known = known;
    }

    fn take(&self, keys: &Keys, bytes: &[u8], signature: &[u8]) -> Result<Taken, Trouble> {
        self.with_intake(keys, |intake| {
            intake.take(bytes, signature, &self.known, &mut |wanted, part| self.fetch(wanted, part))
        })
    }
}

/// The wait until the next check after so many failures in a row. `chance` in `[0, 1)` makes it a tenth shorter or
/// longer.
fn pause(settings: &Settings, poll_ms: i64, failures: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
    let wait = match failures {
        0 => Duration::from_millis(poll_ms.max(1_000).unsigned_abs()),
        n => settings.backoff_from.saturating_mul(1 << (n - 1).min(20)).min(settings.backoff_to),
    };
    wait.mul_f64(0.9 + 0.2 * chance).max(retry_after.unwrap_or_default().min(settings.retry_after_most))
}

/// A number in `[0, 1)`, different on each box and each time: enough for jitter.
pub(super) fn chance() -> f64 {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_an_hour_and_obey_the_server_within_reason() {
        let settings = Settings::default();
        let after = |failures, retry, chance| {
            pause(&settings, 15 * 60_000, failures, Option::map(retry, Duration::from_secs), chance).as_secs()
        };
        assert_eq!([after(0, None, 0.5), after(0, None, 0.0), after(0, None, 0.999_999)], [900, 810, 989]);
        assert_eq!([1, 2, 3, 6, 7, 8, 4_000_000].map(|n| after(n, None, 0.5)), [30, 60, 120, 960, 1800, 1800, 1800]);
        assert_eq!(after(1, Some(1_000_000_000), 0.5), 6 * 3600);
        assert_eq!(after(1, Some(100), 0.5), 100);
        assert_eq!(after(1, Some(1), 0.5), 30);
        // Fault 26: at most 60 tries a day while it fails, however the dice fall.
        let (mut tries, mut at) = (0, 0);
        while at < 86_400 {
            tries += 1;
            at += after(tries, None, 0.0);
        }
        assert!(tries <= 60, "{tries}");
    }

    #[test]
    fn chances_differ() {
        let chances: Vec<f64> = (0..100).map(|_| chance()).collect();
        assert!(chances.iter().all(|c| (0.0..1.0).contains(c)) && chances.iter().any(|c| *c != chances[0]));
    }
}
