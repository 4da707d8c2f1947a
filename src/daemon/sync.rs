//! Lists from above: fetch, verify, fetch the clips, let them be decoded, store, tell.
//!
//! One thread per source, so that a server that stalls holds up nobody else; none of them ever touches what plays.
//! A source is asked every `poll` (10 % earlier or later, so that 120 stations do not come in one second); while it
//! fails, after 30 s, then twice as long each time up to 30 min. A transfer whose line breaks goes on where it broke
//! after a second, for as long as each try brings something. The list is asked for with the tag of the last
//! one, but once a day as a whole, whatever the server says about it.
//!
//! [`Intake`] is the way in for signed bytes from anywhere, a server or a USB stick: the checks are the same.

mod intake;
mod key_files;
mod source;
mod transfer;

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::intake::{
    FetchClip, Intake, KeysInForce, Loaded, Stored, Taken, Trouble, keys_accepted, load_all, roll_back,
};
use self::source::SourceThread;
use crate::daemon::keys::{KnownKeys, Trust};
use crate::domain::config::{Config, Language, Source};
use crate::domain::heartbeat::Heartbeat;
use crate::domain::playlist::List;
use crate::domain::signature::{Accepted, URGENT};
use crate::domain::text::Text;
use crate::domain::time::{Clock, DAY_MS, Wall};
use crate::edge::clip_store::{Admit, ClipStore};
use crate::edge::http::{self, Fetcher};

/// The longest pause between two questions for an urgent list that fail.
const URGENT_BACKOFF_TO: Duration = Duration::from_secs(5 * 60);
/// The urgent list's file, beside the list.
const URGENT_LIST: &str = crate::edge::published::URGENT_LIST;

/// The name of a source's list, or of its urgent list, in the store and in events.
fn key_of(source: &str, urgent: bool) -> String {
    if urgent { format!("{source}{URGENT}") } else { source.to_owned() }
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

/// The clips of a source's list, by id, in the order in which they would air if it came into force now.
pub type Soonest<'a> = dyn Fn(&str, &List) -> Vec<Arc<str>> + Send + Sync + 'a;

/// The outside things a sync works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Where things go.
    pub store: Arc<ClipStore>,
    /// Decodes a clip whole.
    pub admit: Arc<Admit<'static>>,
    /// Audio that is not to be evicted although no list in force names it: what stands behind rows.
    pub keep: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// The ids of a list's clips in the order in which they would air.
    pub soonest: Arc<Soonest<'static>>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub tell: Tell,
    /// What the station says of itself with each question; the list's serial is put in here.
    pub heartbeat: Arc<Mutex<Heartbeat>>,
    /// What the airing log knew at the start.
    pub latest: Arc<Latest>,
}

/// The latest list of each source that came into force, by what the airing log says; under
/// [`KEYS`](crate::domain::keyring::KEYS) the latest `keys.json`.
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
