//! Lists from above: fetch, verify, fetch the clips, let them be decoded, store, tell.
//!
//! One thread per source, so that a server that stalls holds up nobody else; none of them ever touches what plays.
//! A source is asked every `poll` (10 % earlier or later, so that 120 stations do not come in one second); while it
//! fails, after 30 s, then twice as long each time up to 30 min. A transfer whose line breaks goes on where it broke
//! after a second, for as long as each try brings something. The list is asked for with the tag of the last
//! one, but once a day as a whole, whatever the server says about it.
//!
//! [`Intake`] is the way in for signed bytes from anywhere, a server or a USB stick: the checks are the same.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::daemon::keys::{FetchVersion, KeysIntake, KnownKeys, Trust};
use crate::domain::config::{Config, Language, Source};
use crate::domain::heartbeat::Heartbeat;
use crate::domain::keyring::{KEYS, Keyring, LARGEST_KEYS, LARGEST_SIGNATURES, peek_version};
use crate::domain::playlist::{Form, List, read_list};
use crate::domain::schedule::Held;
use crate::domain::signature::{
    self, Accept, Accepted, Expected, Fresh, Keys, LARGEST_LIST, LARGEST_SIGNATURE, Refusal, URGENT, Wanted,
};
use crate::domain::text::Text;
use crate::domain::time::{Clock, ClockState, DAY_MS, HOUR_MS, Wall, Zone};
use crate::edge::clip_store::{Admit, ClipStore, Generation, Incoming, KeysAccepted, Measured, Part, StoreError};
use crate::edge::http::{self, Fetched, Fetcher, HttpError, Sink};
use crate::edge::published::SignedKeys;

/// The longest pause between two questions for an urgent list that fail.
const URGENT_BACKOFF_TO: Duration = Duration::from_secs(5 * 60);
/// Bytes that make it worth while to go on at once when the line broke.
const WORTH_A_TRY: u64 = 16 * 1024;
/// The urgent list's file, beside the list.
const URGENT_LIST: &str = crate::edge::published::URGENT_LIST;
/// The keys' file, beside the list.
const KEYS_FILE: &str = crate::edge::published::KEYS;

/// A list in force, with what the station knows of it.
#[derive(Debug)]
pub struct Stored {
    /// The source's id.
    pub source: Arc<str>,
    /// The list.
    pub list: Arc<List>,
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of its bytes.
    pub body_sha256: String,
    /// When it was issued.
    pub issued_at: Wall,
    /// From when on its clips may no longer air.
    pub expires_at: Wall,
    /// When it came into force on this box: planning never looks earlier.
    pub in_force_at: Wall,
    /// What the clock was worth then.
    pub clock: ClockState,
    /// Whether it is the source's urgent list.
    pub urgent: bool,
    /// The later serial that a person has taken back; this list is in force in its place.
    pub instead_of: Option<u64>,
    /// The number of the key that signed it, when that is in other hands by now: then all of the list is withdrawn.
    pub leaked: Option<String>,
}

impl Stored {
    /// Whether another is the same list of the same source.
    pub fn is(&self, other: &Stored) -> bool {
        let key = |s: &Stored| {
            (s.source.clone(), s.urgent, s.serial, s.body_sha256.clone(), s.instead_of, s.leaked.is_some())
        };
        key(self) == key(other)
    }

    /// As planning sees it.
    pub fn held(&self) -> Held {
        let (source, list) = (self.source.clone(), self.list.clone());
        let leaked = self.leaked.is_some();
        Held { source, list, since: self.in_force_at, expires_at: Some(self.expires_at), leaked }
    }
}

/// What loading a source from disk found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The list in force.
    pub stored: Option<Arc<Stored>>,
    /// What was accepted last, whether or not its list could be read: refuses older ones.
    pub accepted: Option<Accepted>,
    /// Damage, or a list that no longer holds.
    pub alarm: Option<Text>,
    /// The urgent list in force beside it.
    pub urgent: Option<Arc<Stored>>,
    /// Clips of the list that is on disk beside the one in force, by SHA-256: kept where there is room.
    pub beside: Vec<String>,
    /// The `keys.json` in force, where root keys are pinned.
    pub keys: Option<KeysInForce>,
}

/// A `keys.json` in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysInForce {
    /// Its version and hash.
    pub accepted: KeysAccepted,
    /// How many keys may sign, now or later.
    pub keys: usize,
}

impl KeysInForce {
    /// What a ring says.
    pub fn of(ring: &Keyring) -> KeysInForce {
        let file = ring.file();
        let accepted = KeysAccepted { version: ring.version(), sha256: ring.sha256().to_owned() };
        KeysInForce { accepted, keys: file.keys.iter().filter(|k| !k.leaked && k.until > file.issued_at).count() }
    }
}

/// Why nothing new came into force.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Nothing usable came.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// What came breaks a rule.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// A clip, or the disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no `keys.json` where one must be.
    #[error("{place}: no such file")]
    #[allow(missing_docs)] // the fields are what the sentence shows
    NoKeysFile { source_id: String, place: String },
}

impl Trouble {
    /// The sentence for people.
    pub fn text(&self, language: Language) -> Text {
        match self {
            Trouble::Http(e) => e.text(),
            Trouble::Refusal(e) => e.text(language),
            Trouble::Store(e) => e.text(language),
            Trouble::NoKeysFile { source_id, place } => {
                Text::KeysNotServed { source: source_id.clone(), place: place.clone() }
            }
        }
    }

    /// Whether the list is at fault, so that only another list helps.
    pub fn is_refusal(&self) -> bool {
        match self {
            Trouble::Http(_) | Trouble::NoKeysFile { .. } => false,
            Trouble::Refusal(_) => true,
            Trouble::Store(e) => e.is_refusal(),
        }
    }
}

/// What came of a list.
#[derive(Debug)]
pub enum Taken {
    /// It is the one in force.
    Same,
    /// It came into force.
    New(Arc<Stored>),
}

/// Fetches the bytes of one clip into its part file.
pub type FetchClip<'a> = dyn FnMut(&Wanted, &mut Part) -> Result<(), Trouble> + 'a;

/// The way in for one source's lists.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// The source's id.
    pub source: &'a str,
    /// Whether this is the way in for its urgent list.
    pub urgent: bool,
    /// The keys that may sign for it.
    pub keys: &'a Keys,
    /// The `keys.json` they are from, where root keys are pinned: stored with each list.
    pub keys_file: Option<&'a KeysAccepted>,
    /// Whether a later one was accepted once and is lost: no list before the one in force is taken back into force.
    pub behind: bool,
    /// This station's id.
    pub station: &'a str,
    /// The station's zone, for sentences.
    pub zone: Zone,
    /// The language of a sentence within a sentence.
    pub language: Language,
    /// Where it goes.
    pub store: &'a ClipStore,
    /// Decodes a clip whole.
    pub admit: &'a Admit<'a>,
    /// Most bytes of clips.
    pub quota: u64,
    /// Clips not to be evicted for new ones: those in force anywhere, and audio behind rows.
    pub keep: &'a dyn Fn(&str) -> bool,
    /// Clips of the lists before, which go before those.
    pub keep_before: &'a dyn Fn(&str) -> bool,
    /// The latest list that came into force by what the airing log says: where the disk knows less, it was set back.
    pub latest: Option<&'a Accepted>,
    /// Both clocks.
    pub clock: &'a dyn Clock,
}

impl Intake<'_> {
    /// The list in force from disk, its signature looked at again. No network is needed. Damage is repaired from
    /// the newest list that holds, and told.
    ///
    /// # Errors
    /// What the disk says of the folder itself.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let disk = self.store.on_disk(&self.key())?;
        let mut loaded = Loaded { accepted: disk.accepted.clone(), ..Loaded::default() };
        if disk.damaged {
            loaded.alarm = Some(Text::StoreDamaged { source: self.source.into() });
        }
        let mut looked = false;
        let back = disk.rolled_back.then_some(disk.accepted).flatten().map(|a| a.serial);
        for generation in disk.generations {
            if loaded.stored.is_some() || looked && self.behind {
                loaded.beside = clips_of(&generation);
                break;
            }
            looked = true;
            let (bytes, signature) = (&generation.bytes, &generation.signature);
            match self.reread(&generation, bytes, signature) {
                Ok(fresh) => {
                    if disk.damaged {
                        let key = self.key();
                        let incoming = Incoming {
                            source: &key,
                            bytes: &generation.bytes,
                            signature: &generation.signature,
                            accepted: &fresh.accepted,
                            in_force_at: generation.in_force_at,
                            clock: generation.clock,
                            needed: &[],
                            keys: self.keys_file,
                            key: fresh.key.as_deref(),
                        };
                        // Refused when the state on disk knows a later one: then that stays what is accepted.
                        let _ = self.store.switch(&incoming);
                    }
                    let instead_of = back.filter(|serial| *serial != fresh.accepted.serial);
                    loaded.stored = Some(self.stored(fresh, generation.in_force_at, generation.clock, instead_of));
                }
                Err(refusal) => loaded.alarm = Some(refusal.text(self.language)),
            }
        }
        if let Some(latest) = self.latest
            && loaded.accepted.as_ref().is_none_or(|a| a.serial < latest.serial)
        {
            loaded.accepted = Some(latest.clone());
            loaded.alarm.get_or_insert(Text::StoreDamaged { source: self.source.into() });
        }
        Ok(loaded)
    }

    /// A stored list, its signature looked at again. Where the keys it was judged under are lost, the key that stands
    /// with it in the state file says whether it is still the same; nothing new is taken by that.
    fn reread(&self, generation: &Generation, bytes: &[u8], signature: &[u8]) -> Result<Fresh, Refusal> {
        let by = |keys: &Keys| signature::reread(bytes, signature, keys, self.source, self.station, self.urgent);
        match (by(self.keys), &generation.key) {
            (Err(Refusal::KeyNotListed { .. }), Some(key)) if self.behind => {
                by(&Keys::parse(self.source, std::slice::from_ref(key))?)
            }
            (judged, _) => judged,
        }
    }

    /// Its name in the store.
    fn key(&self) -> String {
        key_of(self.source, self.urgent)
    }

    fn stored(&self, fresh: Fresh, in_force_at: Wall, clock: ClockState, instead_of: Option<u64>) -> Arc<Stored> {
        let list = if fresh.leaked { fresh.list.withdrawn() } else { fresh.list };
        Arc::new(Stored {
            source: self.source.into(),
            list: Arc::new(list),
            serial: fresh.accepted.serial,
            body_sha256: fresh.accepted.body_sha256,
            issued_at: fresh.accepted.issued_at,
            expires_at: fresh.expires_at,
            in_force_at,
            clock,
            urgent: self.urgent,
            instead_of,
            leaked: fresh.leaked.then_some(fresh.key_id),
        })
    }

    /// Judges a list, gets the clips it needs, and brings it into force when every one of them is there, verified
    /// and decoded. Until then, and when anything fails, the one in force stays.
    ///
    /// # Errors
    /// The first thing that stood in the way.
    pub fn take(
        &self,
        bytes: &[u8],
        signature: &[u8],
        known: &Loaded,
        fetch: &mut FetchClip,
    ) -> Result<Taken, Trouble> {
        let expected = Expected {
            source: self.source,
            urgent: self.urgent,
            station: self.station,
            keys: self.keys,
            stored: known.accepted.as_ref(),
            now: self.clock.now(),
            floor: (known.stored.iter().map(|s| s.issued_at.min(s.in_force_at))).fold(self.clock.floor(), Wall::max),
            zone: self.zone,
        };
        let fresh = match signature::accept(bytes, signature, &expected)? {
            Accept::Same(fresh) => {
                let in_force = |s: &Arc<Stored>| s.body_sha256 == fresh.accepted.body_sha256;
                // One that a person has taken back stays where it is.
                if known.stored.as_ref().is_some_and(|s| in_force(s) || s.instead_of.is_some()) {
                    return Ok(Taken::Same);
                }
                fresh // accepted once, lost since
            }
            Accept::New(fresh) => fresh,
        };
        let needed = signature::needed(&fresh.list);
        let _pin = self.store.pin(&needed);
        self.make_room(&needed)?;
        for wanted in &needed {
            self.bring(wanted, fetch)?;
        }
        // Those a commune may take, where they are there already: what an older list said of them need not hold.
        for wanted in signature::spare(&fresh.list).iter().filter(|w| self.store.has(w)) {
            self.store.check_admitted(wanted, self.admit)?;
        }
        let now = self.clock.now();
        self.store.switch(&Incoming {
            source: &self.key(),
            bytes,
            signature,
            accepted: &fresh.accepted,
            in_force_at: now.wall(),
            clock: now.clock,
            needed: &needed,
            keys: self.keys_file,
            key: fresh.key.as_deref(),
        })?;
        Ok(Taken::New(self.stored(*fresh, now.wall(), now.clock, None)))
    }

    fn make_room(&self, needed: &[Wanted]) -> Result<(), StoreError> {
        let all: u64 = needed.iter().map(|w| w.bytes).sum();
        if all > self.quota {
            return Err(StoreError::OverQuota { needed: all, quota: self.quota });
        }
        let missing: u64 = needed.iter().filter(|w| !self.store.has(w)).map(|w| w.bytes).sum();
        if missing > 0 {
            let keep = |sha256: &str| needed.iter().any(|w| w.sha256 == sha256) || (self.keep)(sha256);
            let most = self.quota.saturating_sub(missing);
            // The list before can be restored for as long as nothing else needs the room.
            self.store.evict(most, &|sha256| keep(sha256) || (self.keep_before)(sha256))?;
            if self.store.usage().1 > most {
                self.store.evict(most, &keep)?;
            }
        }
        Ok(())
    }

    /// Gets one clip, unless it is there. A file that was pieced together and has the wrong bytes is thrown away
    /// and fetched once more as a whole.
    ///
    /// # Errors
    /// What stood in the way.
    pub fn bring(&self, wanted: &Wanted, fetch: &mut FetchClip) -> Result<(), Trouble> {
        loop {
            if self.store.has(wanted) {
                return Ok(self.store.check_admitted(wanted, self.admit)?);
            }
            let Some(mut part) = self.store.part(wanted)? else { continue };
            let pieced = part.have() > 0;
            if let Err(trouble) = fetch(wanted, &mut part) {
                if matches!(&trouble, Trouble::Http(e) if !e.keeps_part()) {
                    part.discard();
                }
                return Err(trouble);
            }
            match part.finish(self.admit) {
                Err(StoreError::WrongBytes { .. }) if pieced => {}
                finished => return Ok(finished.map(|_| ())?),
            }
        }
    }
}

/// The name of a source's list, or of its urgent list, in the store and in events.
fn key_of(source: &str, urgent: bool) -> String {
    if urgent { format!("{source}{URGENT}") } else { source.to_owned() }
}

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
        self.stop.load(Ordering::Relaxed)
    }
}

/// What the daemon is told.
#[derive(Clone, Debug)]
pub enum SyncEvent {
    /// The source answered and nothing is new.
    Checked {
        /// The source.
        source: Arc<str>,
    },
    /// It could not be reached, or what came was not usable. The same sentence at most once an hour.
    Failed {
        /// The source.
        source: Arc<str>,
        /// Why.
        text: Text,
    },
    /// What came breaks a rule: an alarm. The same sentence at most once an hour.
    Refused {
        /// The source.
        source: Arc<str>,
        /// Why.
        text: Text,
    },
    /// The store was damaged.
    Damaged {
        /// The source.
        source: Arc<str>,
        /// How, and what was done.
        text: Text,
    },
    /// A clip is on its way.
    Progress {
        /// The source.
        source: Arc<str>,
        /// The clip's title.
        title: String,
        /// Bytes that are there.
        have: u64,
        /// Bytes it has.
        bytes: u64,
    },
    /// A list came into force.
    Ready {
        /// The list.
        stored: Arc<Stored>,
    },
    /// A `keys.json` came into force.
    Keys {
        /// The source.
        source: Arc<str>,
        /// Which.
        keys: KeysInForce,
    },
}

/// How one check of a source ended, as `loaxa sync` shows it.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing new.
    Same {
        /// The serial in force; none when nothing ever came.
        serial: Option<u64>,
    },
    /// A new list is in force.
    New(Arc<Stored>),
    /// It could not be reached.
    Failed(Text),
    /// What came breaks a rule.
    Refused(Text),
}

/// One line of `status`'s `sources`.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// The source's id.
    pub id: Arc<str>,
    /// The serial in force.
    pub serial: Option<u64>,
    /// The version of `keys.json` in force, where root keys are pinned.
    pub keys: Option<u64>,
    /// When it expires.
    pub expires_at: Option<Wall>,
    /// When the source last answered with something that holds.
    pub last_success: Option<Wall>,
    /// What is wrong now.
    pub last_error: Option<Text>,
}

/// Where events go: a closure over whatever channel the daemon has.
pub type Tell = Arc<dyn Fn(SyncEvent) + Send + Sync>;

/// What syncing needs from the floors around it, and its times.
#[derive(Clone)]
pub struct Settings {
    /// Limits of each transfer.
    pub limits: http::Limits,
    /// Wait before the first check, a tenth more or less: after a power cut 120 stations start in one second.
    pub first_after: Duration,
    /// First wait after a failure.
    pub backoff_from: Duration,
    /// Longest wait after failures.
    pub backoff_to: Duration,
    /// Wait before a transfer goes on whose line broke, twice as long after each try that brought nothing.
    pub resume_after: Duration,
    /// So many tries that bring nothing, one after the other, before the line counts as dead.
    pub fruitless_most: u32,
    /// Longest a server may ask to be left alone.
    pub retry_after_most: Duration,
    /// Longest time with nothing but "not modified".
    pub whole_every_ms: i64,
    /// How long to wait before looking again when list and signature do not belong together: the publisher may
    /// be between the two.
    pub between_files: Duration,
    /// Language of a sentence within a sentence.
    pub language: Language,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            limits: http::Limits::default(),
            first_after: Duration::from_secs(3),
            backoff_from: Duration::from_secs(30),
            backoff_to: Duration::from_secs(30 * 60),
            resume_after: Duration::from_secs(1),
            fruitless_most: 3,
            retry_after_most: Duration::from_secs(6 * 3600),
            whole_every_ms: DAY_MS,
            between_files: Duration::from_secs(3),
            language: Language::Vi,
        }
    }
}

/// The outside things a sync works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Where things go.
    pub store: Arc<ClipStore>,
    /// Decodes a clip whole.
    pub admit: Arc<Admit<'static>>,
    /// Audio that is not to be evicted although no list in force names it: what stands behind rows.
    pub keep: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub tell: Tell,
    /// What the station says of itself with each question; the list's serial is put in here.
    pub heartbeat: Arc<Mutex<Heartbeat>>,
    /// What the airing log knew at the start.
    pub latest: Arc<Latest>,
}

/// The latest list of each source that came into force, by what the airing log says; under [`KEYS`] the latest
/// `keys.json`.
pub type Latest = HashMap<String, Accepted>;

/// [`Latest`] of an airing log: serials and hashes.
pub fn latest_of(lists: HashMap<String, (u64, String)>) -> Latest {
    let accepted = |(serial, body_sha256)| Accepted { serial, body_sha256, issued_at: Wall(0) };
    lists.into_iter().map(|(source, list)| (source, accepted(list))).collect()
}

/// The running sync of all sources. Dropping it stops it.
pub struct Syncing {
    shared: Arc<Shared>,
    fetchers: Vec<Arc<Fetcher>>,
}

struct Shared {
    stop: AtomicBool,
    sources: Mutex<Vec<Watched>>,
    wake: Condvar,
}

struct Watched {
    /// Whether it is an urgent list.
    urgent: bool,
    status: SourceStatus,
    /// Clips of the list in force.
    clips: Vec<String>,
    /// Clips of the list before.
    before: Vec<String>,
    /// Who waits for the next check.
    asking: Vec<mpsc::Sender<(Arc<str>, Answer)>>,
}

impl Shared {
    fn sources(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Syncing {
    /// Begins to sync every source of a config, the first time after a few seconds. What is on disk has been loaded and
    /// settled before ([`load_all`]).
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub fn start(config: &Config, surroundings: &Surroundings, settings: &Settings) -> io::Result<Syncing> {
        let channels: Vec<(&Source, bool)> = (config.sources.iter())
            .flat_map(|s| std::iter::once((s, false)).chain(s.urgent_poll_ms.map(|_| (s, true))))
            .collect();
        let watched = |id: &Arc<str>, urgent: bool| Watched {
            urgent,
            status: SourceStatus {
                id: id.clone(),
                serial: None,
                keys: None,
                expires_at: None,
                last_success: None,
                last_error: None,
            },
            clips: Vec::new(),
            before: Vec::new(),
            asking: Vec::new(),
        };
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            sources: Mutex::new(channels.iter().map(|(s, urgent)| watched(&s.id, *urgent)).collect()),
            wake: Condvar::new(),
        });
        let agent = locked(&surroundings.heartbeat).to_string();
        let mut syncing = Syncing { shared: shared.clone(), fetchers: Vec::new() };
        for (index, (source, urgent)) in channels.into_iter().enumerate() {
            let urls: Vec<&str> = std::iter::once(&source.url).chain(&source.mirrors).map(String::as_str).collect();
            let mut settings = settings.clone();
            let mut poll_ms = source.poll_ms;
            if let Some(ms) = source.urgent_poll_ms.filter(|_| urgent) {
                poll_ms = ms;
                settings.backoff_from = Duration::from_millis(ms.unsigned_abs());
                settings.backoff_to = settings.backoff_from.max(URGENT_BACKOFF_TO);
            }
            let fetcher = Arc::new(Fetcher::new(&urls, &agent, settings.limits.clone(), surroundings.clock.clone()));
            syncing.fetchers.push(fetcher.clone());
            let mut thread = SourceThread {
                index,
                id: source.id.clone(),
                key: key_of(&source.id, urgent).into(),
                urgent,
                absent: false,
                url: source.url.clone(),
                urls: (urls.iter())
                    .map(|url| if urgent { http::beside(url, URGENT_LIST) } else { (*url).to_owned() })
                    .collect(),
                trust: Trust::of(source),
                known_keys: KnownKeys::default(),
                keys_looked: false,
                keys_seen: None,
                keys_etag: None,
                judged_under: None,
                station: config.station.id.clone(),
                zone: config.station.timezone,
                poll_ms,
                quota: config.state.clips_quota_bytes,
                fetcher,
                surroundings: surroundings.clone(),
                settings,
                shared: shared.clone(),
                known: Loaded::default(),
                looked: false,
                seen: None,
                bad: HashMap::new(),
                etag: None,
                whole_at_ns: None,
                refused: None,
                said: None,
                moved: Cell::new(false),
            };
            std::thread::Builder::new()
                .name(format!("sync-{}", key_of(&source.id, urgent)))
                .stack_size(512 * 1024)
                .spawn(move || thread.run())?;
        }
        Ok(syncing)
    }

    /// Checks every source now. The receiver gets one answer for each and is then closed.
    pub fn sync_now(&self) -> mpsc::Receiver<(Arc<str>, Answer)> {
        let (asking, answers) = mpsc::channel();
        for source in self.shared.sources().iter_mut() {
            source.asking.push(asking.clone());
        }
        self.shared.wake.notify_all();
        answers
    }

    /// How each source stands.
    pub fn status(&self) -> Vec<SourceStatus> {
        self.shared.sources().iter().filter(|s| !s.urgent).map(|s| s.status.clone()).collect()
    }

    /// Stops at once; transfers under way break off, their part files are kept.
    pub fn stop(&self) {
        // Under the lock: a thread between looking at the flag and going to sleep must not miss it.
        let guard = self.shared.sources();
        self.shared.stop.store(true, Ordering::Relaxed);
        drop(guard);
        self.shared.wake.notify_all();
        for fetcher in &self.fetchers {
            fetcher.shut_down();
        }
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a station says of itself before anything else is known.
pub fn introduction(config: &Config) -> Heartbeat {
    Heartbeat {
        version: env!("CARGO_PKG_VERSION").into(),
        station: config.station.id.clone(),
        device: config.station.device_id.clone(),
        ..Heartbeat::default()
    }
}

fn locked(heartbeat: &Mutex<Heartbeat>) -> MutexGuard<'_, Heartbeat> {
    heartbeat.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Loads what is in force for every source from disk, in the order of the config. A source whose keys are
/// mistyped has an alarm and no list.
///
/// # Errors
/// What the disk says of the folder itself.
pub fn load_all(
    config: &Config,
    store: &ClipStore,
    clock: &dyn Clock,
    language: Language,
    latest: &Latest,
) -> Result<Vec<(Arc<str>, Loaded)>, StoreError> {
    let nothing_to_admit = |_: &Path| -> Result<Measured, Text> { Err(Text::HttpStopped {}) };
    config
        .sources
        .iter()
        .map(|source| {
            let alarmed = |refusal: Refusal| {
                let alarm = Some(refusal.text(language));
                Ok((source.id.clone(), Loaded { alarm, ..Loaded::default() }))
            };
            let latest_keys = latest.get(&format!("{}{KEYS}", source.id)).map(keys_accepted);
            let known_keys = match Trust::of(source) {
                Ok(Trust::Fixed(_)) => None,
                Ok(Trust::Rooted(roots)) => {
                    let (source, latest, zone) = (&*source.id, latest_keys.as_ref(), config.station.timezone);
                    Some(KeysIntake { source, roots: &roots, store, latest, clock, zone }.load()?)
                }
                Err(refusal) => return alarmed(refusal),
            };
            let keys = match &known_keys {
                None => Keys::parse(&source.id, &source.public_keys),
                Some(known) => known.keys(&source.id),
            };
            let keys = match (keys, &known_keys) {
                (Ok(keys), _) => keys,
                // Nothing has ever come, or what there is does not hold.
                (Err(_), Some(known)) => {
                    return Ok((source.id.clone(), Loaded { alarm: known.alarm.clone(), ..Loaded::default() }));
                }
                (Err(refusal), None) => return alarmed(refusal),
            };
            let keys_file = known_keys.as_ref().and_then(KnownKeys::accepted);
            let intake = Intake {
                source: &source.id,
                urgent: false,
                keys: &keys,
                keys_file: keys_file.as_ref(),
                behind: known_keys.as_ref().is_some_and(KnownKeys::behind),
                station: &config.station.id,
                zone: config.station.timezone,
                language,
                store,
                admit: &nothing_to_admit,
                quota: config.state.clips_quota_bytes,
                keep: &|_| true,
                keep_before: &|_| true,
                latest: latest.get(&*source.id),
                clock,
            };
            let mut loaded = intake.load()?;
            if source.urgent_poll_ms.is_some() {
                let latest = latest.get(&key_of(&source.id, true));
                let urgent = Intake { urgent: true, latest, ..intake }.load()?;
                loaded.alarm = loaded.alarm.or(urgent.alarm);
                loaded.urgent = urgent.stored;
            }
            if let Some(known) = known_keys {
                loaded.keys = known.ring.as_ref().map(KeysInForce::of);
                loaded.alarm = known.alarm.or(loaded.alarm);
            }
            Ok((source.id.clone(), loaded))
        })
        .collect()
}

/// What the airing log knew of a source's keys.
pub fn keys_accepted(latest: &Accepted) -> KeysAccepted {
    KeysAccepted { version: latest.serial, sha256: latest.body_sha256.clone() }
}

fn hashes_of(list: &List) -> Vec<String> {
    list.clips.iter().filter_map(|c| c.sha256.as_deref().map(str::to_owned)).collect()
}

/// The clips of a list on disk; it was verified when it came.
fn clips_of(generation: &Generation) -> Vec<String> {
    read_list(&generation.bytes, Form::Published).value.map(|l| hashes_of(&l)).unwrap_or_default()
}

/// Puts the list before the one in force back in force ([`ClipStore::roll_back`]).
///
/// # Errors
/// See there.
pub fn roll_back(store: &ClipStore, source: &str, clock: &dyn Clock) -> Result<(u64, u64), StoreError> {
    let now = clock.now();
    store.roll_back(source, (now.wall(), now.clock), &|generation| {
        let list = read_list(&generation.bytes, Form::Published).value;
        list.map(|l| signature::needed(&l)).unwrap_or_default()
    })
}

struct SourceThread {
    index: usize,
    id: Arc<str>,
    /// The name of the list in the store and in events.
    key: Arc<str>,
    urgent: bool,
    /// Whether the server has no such file: usual for an urgent list.
    absent: bool,
    /// Where this check asks.
    url: String,
    /// Where it may ask: the source's own address and its mirrors.
    urls: Vec<String>,
    trust: Result<Trust, Refusal>,
    /// Where root keys are pinned: what is known of `keys.json`.
    known_keys: KnownKeys,
    /// Whether the disk has been looked at for it.
    keys_looked: bool,
    /// What the disk said of itself then.
    keys_seen: Option<KeysAccepted>,
    /// The tag of the `keys.json` in force, and whose tag it is.
    keys_etag: Option<(String, String)>,
    /// The version of `keys.json` under which the list in force was last judged.
    judged_under: Option<u64>,
    station: String,
    zone: Zone,
    poll_ms: i64,
    quota: u64,
    fetcher: Arc<Fetcher>,
    surroundings: Surroundings,
    settings: Settings,
    shared: Arc<Shared>,
    known: Loaded,
    /// Whether the disk has been looked at: what was found then has been told by [`load_all`].
    looked: bool,
    /// What the disk said of itself then.
    seen: Option<(Accepted, bool)>,
    /// Clips of the list in force that may not air, and since when: not fetched again today.
    bad: HashMap<String, (Text, i64)>,
    /// The tag of the list that was judged last and is in force, and whose tag it is.
    etag: Option<(String, String)>,
    /// Boot time of the last whole fetch.
    whole_at_ns: Option<i64>,
    /// A list whose clips may not air: only another one helps, so it is not fetched clip by clip again today.
    refused: Option<(String, Text, i64)>,
    /// The last sentence told, and when.
    said: Option<(Text, i64)>,
    /// Whether the check under way has brought anything of a clip.
    moved: Cell<bool>,
}

impl SourceThread {
    fn run(&mut self) {
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

    fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Until `wait` has passed, somebody asks, or it is over.
    fn sleep(&self, wait: Duration) {
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

    fn boot_ns(&self) -> i64 {
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

    fn tell(&self, event: SyncEvent) {
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

    /// The keys that may sign now.
    fn keys(&self) -> Result<Keys, Refusal> {
        match self.trust.as_ref().map_err(Clone::clone)? {
            Trust::Fixed(keys) => Ok(keys.clone()),
            Trust::Rooted(_) => self.known_keys.keys(&self.id),
        }
    }

    /// Looks whether the disk has another `keys.json` than we know: at the first check, after an import, and when the
    /// source's other thread has brought one.
    fn look_at_keys(&mut self) -> Result<(), Trouble> {
        let Trust::Rooted(roots) = self.trust.clone()? else { return Ok(()) };
        let on_disk = self.surroundings.store.keys_accepted(&self.id);
        let first = !std::mem::replace(&mut self.keys_looked, true);
        if !first && on_disk == self.keys_seen {
            return Ok(());
        }
        self.keys_seen = on_disk;
        self.known_keys = self.with_keys_intake(&roots, |intake| intake.load())?;
        if let Some(text) = self.known_keys.alarm.clone() {
            self.tell(SyncEvent::Damaged { source: self.key.clone(), text });
        }
        self.keys_changed();
        Ok(())
    }

    /// Asks for `keys.json`, and walks to its version. One request when nothing is new.
    fn ask_for_keys(&mut self, whole: bool) -> Result<(), Trouble> {
        let Trust::Rooted(roots) = self.trust.clone()? else { return Ok(()) };
        let url = http::beside(&self.url, KEYS_FILE);
        let mut again = false;
        loop {
            let behind = self.known_keys.alarm.is_some() || self.known_keys.ring.is_none();
            let known = self.keys_etag.clone().filter(|(of, _)| *of == url && !whole && !again && !behind);
            let tag = known.map(|(_, tag)| tag);
            let (bytes, etag) = match self.fetcher.body(&url, tag.as_deref(), LARGEST_KEYS) {
                Ok(Fetched::NotModified) => return Ok(()),
                Ok(Fetched::Body { bytes, etag }) => (bytes, etag),
                Err(HttpError::Status { status: 404 | 410, .. }) => {
                    return Err(Trouble::NoKeysFile { source_id: self.id.to_string(), place: url });
                }
                Err(error) => return Err(error.into()),
            };
            self.keys_etag = None;
            let version = peek_version(&bytes);
            let mut known_keys = std::mem::take(&mut self.known_keys);
            let mut fetch = |n: u64| self.version(n, (Some(n) == version).then_some(&bytes));
            let fetch: &mut FetchVersion = &mut fetch;
            let updated = self.with_keys_intake(&roots, |intake| intake.update(&mut known_keys, &bytes, fetch));
            self.known_keys = known_keys;
            let changed = match &updated {
                Ok(changed) => *changed,
                Err(_) => true, // as far as it came
            };
            if changed {
                self.keys_seen = self.surroundings.store.keys_accepted(&self.id);
                self.keys_changed();
            }
            match updated {
                Ok(_) => {
                    let current = self.known_keys.ring.as_ref().is_some_and(|r| Some(r.version()) == version);
                    if changed && !current {
                        continue; // the rest of a long way
                    }
                    self.keys_etag = etag.filter(|_| current).map(|tag| (url, tag));
                    return Ok(());
                }
                // Whoever uploads by hand may be between two files.
                Err(Trouble::Refusal(
                    Refusal::KeysSkip { .. } | Refusal::KeysChanged { .. } | Refusal::KeysSignatureMalformed { .. },
                )) if !again => {
                    again = true;
                    self.sleep(self.settings.between_files);
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// `keys/N.json` and its signatures; the file itself may be at hand.
    fn version(&self, n: u64, at_hand: Option<&Vec<u8>>) -> Result<Option<SignedKeys>, Trouble> {
        let get = |url: &str, most| match self.fetcher.body(url, None, most) {
            Ok(Fetched::Body { bytes, .. }) => Ok(Some(bytes)),
            Ok(Fetched::NotModified) | Err(HttpError::Status { status: 404 | 410, .. }) => Ok(None),
            Err(error) => Err(Trouble::from(error)),
        };
        let url = http::beside(&self.url, &crate::edge::published::keys_version(n));
        let bytes = match at_hand {
            Some(bytes) => bytes.clone(),
            None => match get(&url, LARGEST_KEYS)? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        let signatures = get(&http::signature_url(&url), LARGEST_SIGNATURES)?;
        Ok(signatures.map(|signatures| SignedKeys { bytes, signatures }))
    }

    /// Tells of the keys in force, and shows their version.
    fn keys_changed(&self) {
        let Some(ring) = &self.known_keys.ring else { return };
        let id = self.id.clone();
        for watched in self.shared.sources().iter_mut().filter(|s| s.status.id == id) {
            watched.status.keys = Some(ring.version());
        }
        self.tell(SyncEvent::Keys { source: id, keys: KeysInForce::of(ring) });
    }

    fn with_keys_intake<T>(&self, roots: &crate::domain::keyring::Roots, run: impl FnOnce(&KeysIntake) -> T) -> T {
        let latest = self.surroundings.latest.get(&format!("{}{KEYS}", self.id)).map(keys_accepted);
        run(&KeysIntake {
            source: &self.id,
            roots,
            store: &self.surroundings.store,
            latest: latest.as_ref(),
            clock: &*self.surroundings.clock,
            zone: self.zone,
        })
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

    /// Gets what the list in force names and the disk lacks: clips lost since, and those a commune may take into
    /// its own sessions.
    fn fill_up(&mut self, keys: &Keys) -> Result<(), Trouble> {
        let Some(stored) = self.known.stored.clone().filter(|s| s.leaked.is_none()) else { return Ok(()) };
        let now_ns = self.boot_ns();
        self.bad.retain(|_, (_, at)| (now_ns - *at) / 1_000_000 < self.settings.whole_every_ms);
        let wanted = signature::needed(&stored.list).into_iter().chain(signature::spare(&stored.list));
        let store = self.surroundings.store.clone();
        let mut first_trouble = None;
        for wanted in wanted.filter(|w| !store.has(w)) {
            if self.bad.contains_key(&wanted.sha256) {
                continue;
            }
            let brought = self.with_intake(keys, |intake| {
                intake.make_room(std::slice::from_ref(&wanted))?;
                intake.bring(&wanted, &mut |wanted, part| self.fetch(wanted, part))
            });
            match brought {
                Ok(()) => {}
                // One bad file must not keep the others away; a dead network need not be tried for each.
                Err(trouble) if trouble.is_refusal() => {
                    self.bad.insert(wanted.sha256.clone(), (trouble.text(self.settings.language), now_ns));
                    first_trouble = first_trouble.or(Some(trouble));
                }
                Err(trouble) => return Err(trouble),
            }
        }
        first_trouble.map_or(Ok(()), Err)
    }

    fn fetch(&self, wanted: &Wanted, part: &mut Part) -> Result<(), Trouble> {
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

    fn with_intake<T>(&self, keys: &Keys, run: impl FnOnce(&Intake) -> T) -> T {
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
            clock: &*self.surroundings.clock,
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
fn chance() -> f64 {
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
