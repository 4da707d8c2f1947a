//! The daemon: start-up, the loop, carrying out what `playout` decides, shutdown. One task on one thread decides;
//! disk, network, decoding, sound and hooks have threads of their own and talk to the loop by messages, so that
//! nothing that waits stands between a due second and its sound.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::daemon::clock::MachineClock;
use crate::daemon::office::{Counter, Shelf};
use crate::daemon::station::{
    LocalAudio, Look, Survey, folder_of, glance, hold_approvals, keep_in_force, kept_in, measure_local, survey,
};
use crate::daemon::status::{Alarms, Brief, LogStatus, OutputStatus, Snapshot, SourceBrief, State, StoreStatus};
use crate::daemon::sync::{self, Stored, SyncEvent, Syncing, load_all};
use crate::domain::airing::{Airing, Entry, EventKind, Outcome, Reason, SessionRow, Write, hex, unhex32};
use crate::domain::config::{Config, Language};
use crate::domain::findings::{FileRole, Severity};
use crate::domain::heartbeat::{self, Heartbeat};
use crate::domain::playlist::{ClipKind, Form, LOCAL, List, Priority, read_list};
use crate::domain::playout::{
    Action, EndedHow, Event, LEAD_MS, Past, PlayRefusal, Playout, Report, Saved, Settings, UNSETTLED,
};
use crate::domain::quota;
use crate::domain::render::Format;
use crate::domain::report::campaign::CampaignFacts;
use crate::domain::schedule::{ClipFacts, EMERGENCY_FOR_MS, EmergencyOrder, InForce, Programme, Walk, session_key};
use crate::domain::signature::URGENT;
use crate::domain::stage::{Absence, OnStage, Stop, event};
use crate::domain::text::{Text, length_words, reason_words};
use crate::domain::time::{Clock, DAY_MS, HOUR_MS, Now, Right, Wall, Why, Zone};
use crate::edge::airing_log::{
    AiringLog, EXPORTED, FILE_NAME, Identity, LogError, LogEvent, LogWriter, kernel_boot_id, machine_mark,
};
use crate::edge::amplifier::{Amplifier, Occasion};
use crate::edge::clip_store::{ClipStore, Measured, StoreError};
use crate::edge::control::{self, Answer, Asked, Request};
use crate::edge::decoder::{self, Decoder};
use crate::edge::device_key::DeviceKey;
use crate::edge::memory;
use crate::edge::page::door::Door;
use crate::edge::page::view::{Above, Contact, View};
use crate::edge::page::{Page, Place};
use crate::edge::speaker::{How, Play, Refusal, Speaker, SpeakerEvent};
use crate::edge::systemd;

/// The loop looks at files, alarms and the watchdog so often.
const TICK: Duration = Duration::from_secs(1);
/// Config and list are looked at so often.
const LOOK: Duration = Duration::from_millis(500);
/// Looks that must find a changed file unchanged before it is read: editors write in parts, and rename.
const STILL: u32 = 2;
/// After so many looks what only start-up needed is given back.
const START_IS_OVER_TICKS: u64 = 5;
/// The quiet gate of the speaker reaches so far ahead, milliseconds.
const GATE_AHEAD_MS: i64 = 3 * DAY_MS;
/// A sounding clip gets so long to fade and report when the daemon ends.
const FAREWELL: Duration = Duration::from_millis(800);
/// Rows get so long to reach the disk when the daemon ends.
const LAST_FLUSH: Duration = Duration::from_secs(5);
/// A person vouches for a clock that was set to a moment this close, milliseconds.
const VOUCH_WITHIN_MS: i64 = 60_000;
/// A source not heard of for so long is an alarm, milliseconds.
const NO_CONTACT_MS: i64 = 24 * HOUR_MS;
/// Quotas are looked at so many days ahead.
const QUOTA_AHEAD_DAYS: u32 = 31;
/// A list that expires so soon is an alarm, milliseconds.
const EXPIRES_SOON_MS: i64 = 7 * DAY_MS;

/// The name under which the log keeps when the clock was last right.
const CLOCK_RIGHT: &str = "clock_right";
/// That is written anew so often, nanoseconds of boot time, or when the clock was stepped by so much.
const RIGHT_NOTED_EVERY_NS: i64 = HOUR_MS * 1_000_000;
const RIGHT_NOTED_STEP_NS: i64 = 60 * 1_000_000_000;

/// The test tone, played by `loaxa play tone`: 1 kHz at -20 dBFS.
static TONE: &[u8] = include_bytes!("../../audio/tone-1khz.wav");

/// What the daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// `station.toml`.
    pub config: PathBuf,
    /// `LOAXA_TRIAL=1`
    pub trial: bool,
    /// The language when the config does not say.
    pub language: Language,
    /// Whether it was asked for on the command line, which beats the config.
    pub language_forced: bool,
}

/// Why the daemon did not start.
#[derive(Debug)]
pub enum StartError {
    /// The config cannot be read, or is refused: the findings, as people read them.
    Config(Vec<String>),
    /// A file of the config cannot even be read.
    Unreadable(Text),
    /// Something else: the sentence.
    Failed(Text),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        StartError::Failed(error.text(Language::Vi))
    }
}

enum Message {
    Speaker(SpeakerEvent),
    Log(LogEvent),
    Sync(SyncEvent),
    Hook(bool, Result<(), Text>),
    Asked(Asked),
    Format(String, Format),
    Reloaded(Box<Result<Reloaded, Vec<String>>>),
    Synced(oneshot::Sender<Answer>, Vec<(Arc<str>, sync::Answer)>),
    PageListens(Option<Text>),
}

struct Reloaded {
    loaded: Survey,
    audio: LocalAudio,
}

/// The commune's own list and since when it has been in force here.
struct OwnList {
    list: Arc<List>,
    since: Wall,
}

struct WaitingPlay {
    reply: oneshot::Sender<Answer>,
    to_the_end: bool,
}

struct Daemon {
    options: Options,
    clock: Arc<MachineClock>,
    language: Language,
    zone: Zone,
    config: Arc<Config>,
    state_dir: PathBuf,
    audio: LocalAudio,
    own: Option<OwnList>,
    stored: Vec<Arc<Stored>>,
    /// Urgent lists.
    urgent: Vec<Arc<Stored>>,
    /// Which of them had not expired when the programme was put together.
    holding: Vec<bool>,
    store: Arc<ClipStore>,
    playout: Playout,
    speaker: Speaker,
    amplifier: Amplifier,
    log: LogWriter,
    log_head: (u64, [u8; 32]),
    log_id: Option<String>,
    syncing: Option<Syncing>,
    tx: mpsc::UnboundedSender<Message>,
    alarms: Alarms,
    device_error: Option<Text>,
    formats: HashMap<String, Format>,
    plays: HashMap<String, WaitingPlay>,
    answers: HashMap<u64, (oneshot::Sender<Answer>, bool)>,
    manual_count: u64,
    tokens: u64,
    started: Now,
    wake_at: Wall,
    gate_until: Wall,
    files_seen: Vec<(PathBuf, Option<(u64, std::time::SystemTime)>)>,
    files_changed: bool,
    files_still: u32,
    reloading: bool,
    ticks: u64,
    last_line: String,
    /// The day on which `short` was found.
    short_on: Option<chrono::NaiveDate>,
    /// The day on which old rows were looked for.
    pruned_on: Option<chrono::NaiveDate>,
    /// Campaigns that cannot reach their quota.
    short: Vec<quota::Short>,
    protected: Arc<Mutex<HashSet<String>>>,
    /// Audio behind rows, and when it last aired: kept for as long as the config says.
    aired: Arc<Mutex<HashMap<String, Wall>>>,
    heartbeat: Arc<Mutex<Heartbeat>>,
    latest: Arc<sync::Latest>,
    page: Option<Page>,
    door: Arc<Door>,
    shelf: Arc<Mutex<Arc<Shelf>>>,
    boot_id: String,
    /// What the log knows of when the clock was last right.
    right_noted: Option<Right>,
}

/// Runs the daemon until it is told to end.
///
/// # Errors
/// [`StartError`] when it cannot start.
pub fn run(options: Options) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| StartError::Failed(Text::StartFails { what: "tokio".into(), why: e.to_string() }))?;
    runtime.block_on(async {
        let (tx, rx) = mpsc::unbounded_channel();
        let (mut daemon, lock) = Daemon::start(options, tx)?;
        daemon.live(rx).await;
        drop(lock);
        Ok(())
    })
}

/// The station's programme from its parts.
fn programme(
    config: &Arc<Config>,
    own: Option<&OwnList>,
    (stored, urgent): (&[Arc<Stored>], &[Arc<Stored>]),
    now: Wall,
) -> Result<Arc<Programme>, StartError> {
    let own = own.map(|o| InForce { source: LOCAL.into(), list: o.list.clone(), since: o.since });
    // An urgent list stands beside its source's list for as long as it holds; where that has expired, it stands alone.
    let above = config.sources.iter().filter_map(|source| {
        let list = stored.iter().find(|s| s.source == source.id);
        let news = urgent.iter().find(|s| s.source == source.id && s.expires_at > now);
        let alive = list.filter(|l| source.keeps_expired || l.expires_at > now);
        let in_force = |l: &Arc<Stored>| (l.list.clone(), l.in_force_at);
        let (list, since) = match (list, alive, news) {
            (_, Some(l), Some(n)) => (Arc::new(l.list.with_urgent(&n.list, n.in_force_at)), l.in_force_at),
            (_, None, Some(n)) => in_force(n),
            (l, _, None) => in_force(l?),
        };
        Some(InForce { source: source.id.clone(), list, since })
    });
    let lists: Vec<_> = own.into_iter().chain(above).collect();
    Programme::new(config.clone(), &lists)
        .map(Arc::new)
        .map_err(|e| StartError::Failed(Text::StartFails { what: "lịch".into(), why: e.to_string() }))
}

fn settings(config: &Config) -> Settings {
    let hooks = !config.output.on_start.is_empty();
    Settings {
        pre_roll_ms: config.output.pre_roll_ms.max(LEAD_MS),
        lead_ms: if hooks { config.output.pre_roll_ms.max(LEAD_MS) } else { LEAD_MS },
        output: config.output.device.to_string(),
        ideal: false,
    }
}

/// Decodes a clip whole in a limited child of this program.
fn measure(clock: &dyn Clock, path: &Path) -> Result<decoder::Measured, Text> {
    let program = std::env::current_exe().unwrap_or_else(|_| "loaxa".into());
    decoder::measure_in_child(&program, path, decoder::Limits::default(), clock).map_err(|e| e.text())
}

/// Admission of a clip to the store: it decodes to its end.
pub fn admit(clock: Arc<dyn Clock>) -> impl Fn(&Path) -> Result<Measured, Text> + Send + Sync + 'static {
    move |path| {
        let m = measure(&*clock, path)?;
        Ok(Measured {
            duration_ms: i64::try_from(m.duration_ms).unwrap_or(i64::MAX),
            loudness_lufs: m.loudness_lufs,
            true_peak_db: m.true_peak_db,
        })
    }
}

/// Length of a clip in milliseconds, found by decoding it whole in a limited child.
pub fn length_ms(clock: &dyn Clock, path: &Path) -> Result<i64, Text> {
    measure(clock, path).map(|m| i64::try_from(m.duration_ms).unwrap_or(i64::MAX))
}

/// Takes the state folder's lock: held by the daemon, or by a command that writes while no daemon runs.
///
/// # Errors
/// [`StartError`] when somebody else holds it or the folder cannot be used.
pub fn lock_state(dir: &Path) -> Result<fs::File, StartError> {
    let fails = |e: std::io::Error| {
        StartError::Failed(Text::StateDirUnusable { dir: dir.display().to_string(), why: e.to_string() })
    };
    fs::create_dir_all(dir).map_err(fails)?;
    let file =
        fs::OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("loaxa.lock")).map_err(fails)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(StartError::Failed(Text::AlreadyRunning { dir: dir.display().to_string() }))
        }
        Err(e) => Err(fails(e.into())),
    }
}

/// What the log knows of the last run.
#[derive(Default)]
struct LastRun {
    /// The latest list of each source.
    latest: sync::Latest,
    /// The head of the log's id, and when something last aired.
    log_id: Option<String>,
    last_aired: Option<String>,
    /// Audio behind rows, and since when it is.
    aired: HashMap<String, Wall>,
    past: Option<Past>,
    manual_count: u64,
    own_since: Option<(String, Wall)>,
    floor: Wall,
    right: Option<Right>,
}

fn last_run(log: &AiringLog, boot_id: &str, zone: Zone, now: Wall, keep_aired_ms: i64) -> Result<LastRun, LogError> {
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
            let since = now.min(saved.stage.now) + -31 * DAY_MS;
            let planned = log.settled_since(since)?.iter().filter_map(|id| planned_session(id, zone)).collect();
            Some(Past { saved, absence, noted_ms, planned })
        }
    };
    Ok(LastRun {
        latest: sync::latest_of(log.latest_lists()?),
        log_id: Some(log.log_id().to_owned()),
        last_aired: log.last_aired()?,
        aired: log.aired_since(now + -keep_aired_ms)?,
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

/// `source/slot/start/position` -> the session.
fn planned_session(airing_id: &str, zone: Zone) -> Option<(Wall, Arc<str>, Arc<str>)> {
    let mut parts = airing_id.splitn(4, '/');
    let (source, slot, start) = (parts.next()?, parts.next()?, parts.next()?);
    Some((zone.parse(start)?, source.into(), slot.into()))
}

impl Daemon {
    fn start(options: Options, tx: mpsc::UnboundedSender<Message>) -> Result<(Daemon, fs::File), StartError> {
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
            let last = last_run(&log, &boot_id, zone, now.wall(), keep_aired_ms(&config))?;
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
                _ => clock.now().wall().max(if clock.now().clock.trusted() { Wall(0) } else { clock.floor() }),
            },
        });
        if let Err(error) = write_tone(&state_dir) {
            tracing::warn!("{}: {error}", state_dir.join("tone.wav").display());
        }

        // What was in force while the box was away settles the past; only then does the new come into force.
        let before = own_list_before(&loaded, &clock, last.own_since.as_ref(), &own_sha);
        let present = programme(&config, own.as_ref(), (&stored, &urgent), clock.now().wall())?;
        let settling = match &before {
            Some(old) => programme(&config, Some(old), (&stored, &urgent), clock.now().wall())
                .unwrap_or_else(|_| present.clone()),
            None => present.clone(),
        };
        let mut playout = Playout::new(settling, settings(&config), last.past, clock.now().wall());
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
            formats: HashMap::new(),
            plays: HashMap::new(),
            answers: HashMap::new(),
            manual_count: last.manual_count,
            tokens: 0,
            started: clock.now(),
            wake_at: Wall(0),
            gate_until: Wall(0),
            files_seen: Vec::new(),
            files_changed: false,
            files_still: 0,
            reloading: false,
            ticks: 0,
            last_line: String::new(),
            short_on: None,
            pruned_on: None,
            short: Vec::new(),
            protected: Arc::new(Mutex::new(HashSet::new())),
            aired: Arc::new(Mutex::new(last.aired)),
            heartbeat: Arc::new(Mutex::new(Heartbeat { last: last.last_aired, ..sync::introduction(&config) })),
            latest: Arc::new(last.latest),
            log_id: last.log_id,
            page: None,
            door: Arc::new(Door::new(&config.state.dir, shared_clock.clone())),
            shelf: Arc::default(),
            boot_id,
            right_noted: None,
            own,
            config,
            clock,
            options,
        };
        daemon.files_seen = daemon.look_at_files();
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

    fn start_row(&self, loaded: &Survey) -> Write {
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
    fn keep_own_list(&mut self, loaded: &Survey) {
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

    fn begin_sync(&mut self) {
        let tx = self.tx.clone();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let (protected, aired) = (self.protected.clone(), self.aired.clone());
        let (keep_ms, keep_clock) = (keep_aired_ms(&self.config), self.clock.clone());
        let keep = move |sha: &str| {
            let is_fresh = |at: &Wall| *at + keep_ms > keep_clock.now().wall();
            protected.lock().unwrap_or_else(PoisonError::into_inner).contains(sha)
                || aired.lock().unwrap_or_else(PoisonError::into_inner).get(sha).is_some_and(is_fresh)
        };
        self.beat();
        let surroundings = sync::Surroundings {
            store: self.store.clone(),
            admit: Arc::new(admit(clock.clone())),
            keep: Arc::new(keep),
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

    async fn live(&mut self, mut rx: mpsc::UnboundedReceiver<Message>) {
        let path = control::path_in(&self.state_dir);
        match control::listen(&path) {
            Ok(listener) => {
                let (asked_tx, mut asked_rx) = mpsc::unbounded_channel();
                let tx = self.tx.clone();
                tokio::spawn(control::serve(listener, asked_tx));
                tokio::spawn(async move {
                    while let Some(asked) = asked_rx.recv().await {
                        if tx.send(Message::Asked(asked)).is_err() {
                            return;
                        }
                    }
                });
            }
            Err(error) => self.alarm(
                "no_socket",
                Text::FileUnreadable { file: path.display().to_string(), cause: error.to_string() },
            ),
        }
        self.begin_page();
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
        let (Ok(mut term), Ok(mut int), Ok(mut hup)) = signals else {
            tracing::error!("signals cannot be received");
            return;
        };
        systemd::ready();
        tracing::info!("{}", Text::DaemonReady { station: self.config.station.name.clone() }.say(self.language));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let now = self.clock.now();
            let wait_ns = (self.wake_at.0 * 1_000_000 - now.wall_ns).max(0) as u64;
            tokio::select! {
                biased;
                Some(message) = rx.recv() => self.take(message),
                () = tokio::time::sleep(Duration::from_nanos(wait_ns)) => self.step(Event::Tick),
                _ = tick.tick() => self.tick(),
                _ = look.tick() => self.watch_files(),
                _ = hup.recv() => self.reload(),
                _ = term.recv() => break,
                _ = int.recv() => break,
            }
        }
        self.end(&mut rx).await;
        let _ = fs::remove_file(&path);
    }

    /// Opens the station page where the config says, or closes it.
    fn begin_page(&mut self) {
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
        let (ask, tell) = (self.tx.clone(), self.tx.clone());
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

    /// Hands the page a copy of how things are.
    fn show_page(&self) {
        let Some(page) = &self.page else { return };
        let now = self.clock.now();
        let stage = self.playout.stage();
        let programme = self.playout.programme();
        let health = self.log.health();
        let above = self.config.sources.iter().filter_map(|source| {
            let stored = self.stored.iter().find(|s| s.source == source.id)?;
            Some(Above {
                source: source.id.clone(),
                origin: Some(source.origin),
                list: stored.list.clone(),
                serial: stored.serial,
                since: stored.in_force_at,
                expires_at: stored.expires_at,
            })
        });
        let contacts = self.syncing.as_ref().map(Syncing::status).unwrap_or_default().into_iter().map(|s| {
            let stored = self.stored.iter().find(|l| l.source == s.id);
            Contact {
                serial: stored.map(|l| l.serial).or(s.serial),
                expires_at: stored.map(|l| l.expires_at).or(s.expires_at),
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
            above: above.collect(),
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

    /// Ends softly: the clip fades, rows are written.
    async fn end(&mut self, rx: &mut mpsc::UnboundedReceiver<Message>) {
        systemd::stopping();
        tracing::info!("{}", Text::DaemonEnds {}.say(self.language));
        if let Some(syncing) = &self.syncing {
            syncing.stop();
        }
        let sounding = self.playout.stage().voice.is_some();
        self.step(Event::ShutDown);
        if sounding {
            let until = tokio::time::sleep(FAREWELL);
            tokio::pin!(until);
            while self.playout.stage().is_dying() {
                tokio::select! {
                    () = &mut until => break,
                    Some(message) = rx.recv() => self.take(message),
                    () = tokio::time::sleep(Duration::from_millis(10)) => self.step(Event::Tick),
                }
            }
        }
        self.step(Event::Farewell);
        if !self.log.flush(LAST_FLUSH) {
            tracing::error!("{}", Text::RowsLeftUnwritten {}.say(self.language));
        }
    }

    /// Hands the machine an event and carries out what it decides.
    fn step(&mut self, event: Event) {
        let now = self.clock.now();
        let actions = self.playout.step(now, event);
        for action in actions {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Write(writes) => self.write(writes),
            Action::Play(begin) => {
                let now = self.clock.now();
                let Some(file) = self.file_of(&begin.clip) else {
                    let refused = SpeakerEvent::Refused { airing: begin.airing_id, why: Refusal::Missing };
                    let _ = self.tx.send(Message::Speaker(refused));
                    return;
                };
                self.speaker.play(Play {
                    airing: begin.airing_id.clone(),
                    file,
                    sha256: begin.clip.sha256.as_deref().and_then(unhex32),
                    at_boot_ns: now.boot_ns_of(begin.at),
                    start_by_boot_ns: now.boot_ns_of(begin.start_by),
                    offset_ms: begin.offset_ms,
                    gain_db: begin.gain_db,
                    seam: begin.seam,
                    takes_over: begin.takes_over,
                    end_by_boot_ns: begin.end_by.map(|t| now.boot_ns_of(t)),
                    passes_quiet: begin.passes_quiet,
                    format: self.formats.get(&begin.session).copied(),
                });
            }
            Action::Retime { airing_id, at } => {
                let now = self.clock.now();
                self.speaker.retime(&airing_id, now.boot_ns_of(at));
                self.set_gate();
            }
            Action::Cut { airing_id, at } => {
                let now = self.clock.now();
                let end = (at > now.wall()).then(|| now.boot_ns_of(at));
                self.speaker.cut(&airing_id, end);
            }
            Action::Amplifier(on) => {
                let argv = if on { &self.config.output.on_start } else { &self.config.output.on_stop };
                self.amplifier.order(argv, on, Occasion { kind: "sound", airing_id: None });
                if on {
                    self.speaker.want();
                } else {
                    self.speaker.release();
                    self.formats.clear();
                }
            }
            Action::Relay { on, airing_id } => {
                let argv = if on { &self.config.output.on_start } else { &self.config.output.on_stop };
                self.amplifier.order(argv, on, Occasion { kind: "relay", airing_id });
            }
            Action::Answer { token, result } => self.answer(token, result),
            Action::WakeAt(at) => self.wake_at = at,
        }
    }

    fn file_of(&self, clip: &ClipFacts) -> Option<PathBuf> {
        if &*clip.source != LOCAL {
            return self.store.path_of(clip.sha256.as_deref()?);
        }
        match self.audio.files.get(&clip.id) {
            Some(file) => Some(file.clone()),
            None if &*clip.id == "tone" => Some(self.state_dir.join("tone.wav")),
            None => None,
        }
    }

    fn write(&mut self, writes: Vec<Write>) {
        for write in &writes {
            match write {
                Write::Append(Entry::Airing(airing)) => self.recorded(airing),
                Write::Append(Entry::Session(session)) => self.prepare(session),
                Write::Append(Entry::Event(row)) => {
                    tracing::info!(event = ?row.event, "{}", serde_json::to_string(&row.detail).unwrap_or_default());
                }
                _ => {}
            }
        }
        self.log.send(writes, None);
    }

    fn recorded(&mut self, airing: &Airing) {
        if airing.outcome == Outcome::Aired {
            let last = airing.started_at.as_ref().unwrap_or(&airing.planned_at).clone();
            self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner).last = Some(last);
        }
        if airing.played_ms > 0
            && let Some(sha256) = &airing.clip_sha256
        {
            let mut aired = self.aired.lock().unwrap_or_else(PoisonError::into_inner);
            aired.insert(sha256.clone(), self.clock.now().wall());
        }
        let title = airing.title.as_deref().or(airing.slot_name.as_deref()).unwrap_or_default();
        let reason = airing.reason.map_or("", Reason::key);
        tracing::info!(
            airing = airing.airing_id,
            played_ms = airing.played_ms,
            start_error_ms = airing.start_error_ms,
            "{title}: {} {reason}",
            airing.outcome.key()
        );
        if let Some(waiting) = self.plays.remove(waited_for(&airing.airing_id)) {
            let answer = match (airing.outcome, airing.reason) {
                (Outcome::Aired, _) => done_row(airing),
                (_, Some(reason)) => self.refusal(reason),
                _ => done_row(airing),
            };
            let _ = waiting.reply.send(answer);
        }
    }

    /// Finds out, a minute ahead and off the loop, what the device should be opened at for a session.
    fn prepare(&self, session: &SessionRow) {
        let files: Vec<PathBuf> = session
            .items
            .iter()
            .filter_map(|i| {
                let name = format!("{}/{}", i.source.as_deref()?, i.clip_id.as_deref()?);
                self.file_of(self.playout.programme().clip(&name)?)
            })
            .collect();
        let start = Wall::parse_rfc3339(&session.session_start).unwrap_or_default();
        let key = session_key(&session.slot_source, &session.slot_id, start, self.zone);
        let tx = self.tx.clone();
        let spawned = std::thread::Builder::new().name("formats".into()).stack_size(512 * 1024).spawn(move || {
            let specs: Vec<_> = files.iter().filter_map(|f| Decoder::open(f).ok()).map(|d| d.spec()).collect();
            let Some(rate) = commonest(specs.iter().map(|s| s.rate)) else { return };
            let channels = if specs.iter().any(|s| s.channels > 1) { 2 } else { 1 };
            let _ = tx.send(Message::Format(key, Format { rate, channels }));
        });
        if let Err(error) = spawned {
            tracing::warn!("formats: {error}");
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Speaker(event) => self.speaker_says(event),
            Message::Log(event) => self.log_says(event),
            Message::Sync(event) => self.sync_says(event),
            Message::Hook(true, Ok(())) => {
                self.clear("hook_failed");
                self.step(Event::HookWorks);
            }
            Message::Hook(false, Ok(())) => {}
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
            Message::PageListens(None) => self.clear("page_failing"),
            Message::PageListens(Some(text)) => self.alarm("page_failing", text),
            Message::Format(session, format) => {
                self.formats.insert(session, format);
            }
            Message::Reloaded(result) => self.reloaded(*result),
            Message::Synced(reply, answers) => {
                let _ = reply.send(self.sync_answer(&answers));
            }
        }
    }

    fn speaker_says(&mut self, event: SpeakerEvent) {
        let now = self.clock.now();
        let report = match event {
            SpeakerEvent::Ready { .. } => return,
            SpeakerEvent::Closed => {
                memory::give_back_code();
                return;
            }
            SpeakerEvent::Opened { name, rate, channels } => {
                tracing::info!("{name}: {rate} Hz, {channels}");
                return;
            }
            SpeakerEvent::Began { airing, at_boot_ns, late_ns } => {
                self.answer_begun(&airing);
                self.clear("hook_failed");
                Report::Began { airing_id: airing, wall_ns: now.wall_ns_of(at_boot_ns), error_ns: late_ns }
            }
            SpeakerEvent::Progress { airing, played_ms } => Report::Progress { airing_id: airing, played_ms },
            SpeakerEvent::Ended { airing, played_ms, at_boot_ns, how, .. } => Report::Ended {
                airing_id: airing,
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
            SpeakerEvent::Refused { airing, why } => match why {
                Refusal::Missing => {
                    self.alarm("clip_bad", Text::AudioAbsent { airing: airing.clone() });
                    Report::Refused { airing_id: airing, reason: Reason::ClipMissing }
                }
                Refusal::Bad(text) => {
                    tracing::error!("{}", text.say(self.language));
                    self.alarm("clip_bad", text);
                    Report::Refused { airing_id: airing, reason: Reason::ClipBad }
                }
                Refusal::Late => Report::Refused { airing_id: airing, reason: Reason::Late },
                Refusal::Quiet => Report::Refused { airing_id: airing, reason: Reason::QuietHours },
                // Taken back before its first sample.
                Refusal::Cut => {
                    Report::Ended { airing_id: airing, wall_ns: now.wall_ns, played_ms: 0, how: EndedHow::Cut }
                }
            },
            SpeakerEvent::DeviceLost { error } => {
                tracing::error!("{}", error.say(self.language));
                self.device_error = Some(error.clone());
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

    fn log_says(&mut self, event: LogEvent) {
        match event {
            LogEvent::Committed { seq, head, .. } => self.log_head = (seq, head),
            LogEvent::Failing { error, .. } => {
                let text = error.text();
                tracing::error!("{}", text.say(self.language));
                self.alarm("log_failing", text);
            }
            LogEvent::Healed => self.clear("log_failing"),
            LogEvent::LeftOut { airing_id } => tracing::error!("{airing_id}: a second row was left out"),
        }
    }

    fn sync_says(&mut self, event: SyncEvent) {
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
            SyncEvent::Ready { stored } if self.stored.iter().chain(&self.urgent).any(|s| s.is(&stored)) => {}
            SyncEvent::Ready { stored } => {
                let key = if stored.urgent { format!("{}{URGENT}", stored.source) } else { stored.source.to_string() };
                self.clear(&format!("source_{key}"));
                self.clear(&format!("no_contact_{}", stored.source));
                self.clock.raise_floor(stored.issued_at.min(stored.in_force_at));
                let (source, serial, at) =
                    (stored.source.to_string(), stored.serial, self.short_time(stored.in_force_at));
                let text = match stored.urgent {
                    false => Text::ListReceived { source, serial, at },
                    true => Text::UrgentReceived { source, serial, at },
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
                let row = event_of(EventKind::ListInForce, stored.in_force_at, &detail);
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

    /// Another program has brought a list into force: it is taken into the plan at once, whatever the sync threads
    /// wait for.
    fn look_at_store(&self) {
        let (config, store, clock) = (self.config.clone(), self.store.clone(), self.clock.clone());
        let (tx, language, latest) = (self.tx.clone(), self.language, self.latest.clone());
        let look = move || match load_all(&config, &store, &*clock, language, &latest) {
            Ok(found) => {
                for stored in found.into_iter().flat_map(|(_, loaded)| loaded.stored.into_iter().chain(loaded.urgent)) {
                    let _ = tx.send(Message::Sync(SyncEvent::Ready { stored }));
                }
            }
            Err(error) => tracing::error!("{}", error.text(language).say(language)),
        };
        if let Err(error) = std::thread::Builder::new().name("look".into()).spawn(look) {
            tracing::error!("look: {error}");
        }
    }

    fn programme_changed(&mut self) {
        self.short_on = None;
        let now = self.clock.now().wall();
        self.holding = self.which_hold(now);
        match programme(&self.config, self.own.as_ref(), (&self.stored, &self.urgent), now) {
            Ok(programme) => self.step(Event::Programme(programme)),
            Err(StartError::Failed(text) | StartError::Unreadable(text)) => self.alarm("config_refused", text),
            Err(StartError::Config(_)) => {}
        }
        let mut protected = self.protected.lock().unwrap_or_else(PoisonError::into_inner);
        protected.clear();
        let sessions = self.playout.stage().sessions();
        protected.extend(
            sessions.flat_map(|s| &s.items).filter_map(|i| Some(i.clip.as_ref()?.sha256.as_ref()?.to_string())),
        );
    }

    // ---- once a second

    fn tick(&mut self) {
        systemd::alive();
        self.ticks += 1;
        if self.ticks == START_IS_OVER_TICKS {
            memory::give_back_code();
        }
        let now = self.clock.now();
        self.step(Event::Tick);
        if now.wall() + DAY_MS > self.gate_until || self.gate_until > now.wall() + 2 * GATE_AHEAD_MS {
            self.set_gate();
        }
        if !self.urgent.is_empty() && self.holding != self.which_hold(now.wall()) {
            self.programme_changed();
        }
        self.watch_alarms(now);
        self.prune(now);
        self.show_page();
        self.beat();
        let line = self.status_line();
        if line != self.last_line {
            systemd::status(&line);
            self.last_line = line;
        }
    }

    /// Of each list from above, whether it has not expired.
    fn which_hold(&self, now: Wall) -> Vec<bool> {
        self.stored.iter().chain(&self.urgent).map(|s| s.expires_at > now).collect()
    }

    /// Once a day, while nothing is on the air and the clock can be believed, rows older than `[log] keep` go.
    fn prune(&mut self, now: Now) {
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

    /// Hands the sync threads what they say of the station.
    fn beat(&self) {
        let snapshot = (self.state(), self.log_head, &self.log_id, &self.short);
        let (state, (seq, head), log_id, short) = snapshot;
        let mut names: Vec<String> = short.iter().map(|s| s.campaign.clone()).collect();
        names.dedup();
        let mut beat = self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.head = log_id.as_ref().filter(|_| seq > 0).map(|id| heartbeat::Head::of(id, seq, &hex(&head)));
        beat.state = Some(state.key().into());
        beat.short = names;
    }

    fn set_gate(&mut self) {
        let now = self.clock.now();
        let quiet = self.config.quiet().between(now.wall(), now.wall() + GATE_AHEAD_MS);
        self.speaker.set_gate(quiet.into_iter().map(|(a, b)| (now.boot_ns_of(a), now.boot_ns_of(b))).collect());
        self.gate_until = now.wall() + GATE_AHEAD_MS;
    }

    fn watch_alarms(&mut self, now: Now) {
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
                let days = (wall - stop.since).max(0) / DAY_MS;
                let text = Text::StoppedAlarm { since, by: stop.by.unwrap_or_default(), days };
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
            self.short = self.short_days(today);
        }
        match self.short.first() {
            Some(short) => self.alarm("quota_short", short.alarm()),
            None => self.clear("quota_short"),
        }
    }

    /// Writes down when the clock was last right, for the next run in this boot.
    fn remember_clock(&mut self) {
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

    /// The campaigns that cannot reach their quota in the month to come.
    fn short_days(&self, today: chrono::NaiveDate) -> Vec<quota::Short> {
        let own = self.own.iter().map(|o| (LOCAL, &o.list));
        let above = self.stored.iter().map(|s| (&*s.source, &s.list));
        let facts: Vec<_> = own
            .chain(above)
            .flat_map(|(source, list)| list.campaigns.iter().map(move |c| CampaignFacts::of_list(source, c)))
            .collect();
        quota::short_ahead(self.playout.programme(), &facts, today, QUOTA_AHEAD_DAYS)
    }

    /// What is wrong with the commune's own audio: all of it in the journal, the first of it as an alarm.
    fn tell_troubles(&mut self) {
        for (_, _, text) in &self.audio.troubles {
            tracing::error!("{}", text.say(self.language));
        }
        match self.audio.troubles.first().map(|(_, _, text)| text.clone()) {
            Some(text) => self.alarm("local_audio", text),
            None => self.clear("local_audio"),
        }
    }

    fn alarm(&mut self, code: &str, text: Text) {
        let now = self.clock.now().wall();
        if self.alarms.raise(code, now, text.clone()) {
            tracing::warn!(alarm = code, "{}", text.say(self.language));
            let detail = [("code", code.into()), ("raised", true.into()), ("text", text.say(Language::Vi).into())];
            self.log.send(vec![event_of(EventKind::Alarm, now, &detail)], None);
        }
    }

    fn clear(&mut self, code: &str) {
        if self.alarms.clear(code) {
            tracing::info!(alarm = code, "cleared");
            let now = self.clock.now().wall();
            let detail = [("code", code.into()), ("raised", false.into())];
            self.log.send(vec![event_of(EventKind::Alarm, now, &detail)], None);
        }
    }

    // ---- config and local list

    fn look_at_files(&self) -> Vec<(PathBuf, Option<(u64, std::time::SystemTime)>)> {
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

    /// A file that changed is read when it has stood still for a second: editors write in parts, and rename.
    fn watch_files(&mut self) {
        let seen = self.look_at_files();
        if seen != self.files_seen {
            self.files_seen = seen;
            self.files_changed = true;
            self.files_still = 0;
        } else if self.files_changed {
            self.files_still += 1;
            if self.files_still >= STILL {
                self.files_changed = false;
                self.reload();
            }
        }
    }

    fn reload(&mut self) {
        if self.reloading {
            self.files_changed = true;
            return;
        }
        self.reloading = true;
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

    fn reloaded(&mut self, result: Result<Reloaded, Vec<String>>) {
        self.reloading = false;
        let now = self.clock.now().wall();
        let Reloaded { loaded, audio } = match result {
            Ok(reloaded) => reloaded,
            Err(lines) => {
                for line in &lines {
                    tracing::error!("{line}");
                }
                let first = lines.first().cloned().unwrap_or_default();
                let place = first.lines().next().unwrap_or_default().to_owned();
                let detail = [("accepted", false.into()), ("finding", place.clone().into())];
                self.step(Event::Note(event_of(EventKind::Config, now, &detail)));
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
        self.step(Event::Note(event_of(EventKind::Config, now, &detail)));
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
        self.files_seen = self.look_at_files();
    }

    // ---- what people ask

    fn asked(&mut self, asked: Asked) {
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
            Request::Sync => match &self.syncing {
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
            },
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
                        Ok(code) => Answer::Done(json!({ "by": by.trim(), "code": code })),
                        Err(error) => refused(Text::PageFailed { why: error.to_string() }, "internal"),
                    }
                };
                let _ = reply.send(answer);
            }
            Request::PageRevoke { by } => {
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
            Request::Reload => {
                self.reload();
                let _ = reply.send(Answer::Done(Value::Null));
            }
        }
    }

    /// A person vouches for the clock, which was set to `at`.
    fn vouch(&mut self, at: Wall, by: &str) -> Answer {
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

    fn send_emergency(
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
    fn playable(
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

    fn play(&mut self, name: &str, wait: bool, by: Option<String>, reply: oneshot::Sender<Answer>) {
        let Some((clip, reply)) = self.playable(name, reply) else { return };
        self.tokens += 1;
        self.manual_count += 1;
        let (token, number) = (self.tokens, self.manual_count);
        self.answers.insert(token, (reply, wait));
        self.step(Event::Play { token, clip, number, by });
    }

    fn answer(&mut self, token: u64, result: Result<String, PlayRefusal>) {
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

    fn refusal(&self, reason: Reason) -> Answer {
        let text = Text::PlayForbidden { reason: reason_words(reason, self.language).to_owned() };
        Answer::Refused { text: text.say(self.language), code: reason.key().into() }
    }

    fn answer_begun(&mut self, airing_id: &str) {
        let key = waited_for(airing_id);
        if self.plays.get(key).is_some_and(|w| !w.to_the_end)
            && let Some(waiting) = self.plays.remove(key)
        {
            let _ = waiting.reply.send(Answer::Done(json!({ "airing_id": airing_id })));
        }
    }

    fn sync_answer(&self, answers: &[(Arc<str>, sync::Answer)]) -> Answer {
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

    // ---- showing

    fn short_time(&self, at: Wall) -> String {
        self.zone.local(at).format("%H:%M ngày %d/%m/%Y").to_string()
    }

    fn state(&self) -> State {
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

    fn snapshot(&self) -> Snapshot {
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
            },
            store: StoreStatus { clips, bytes, quota_bytes: self.config.state.clips_quota_bytes },
            short: self.short.clone(),
            alarms: self.alarms.brief(self.language, time),
            trial: self.options.trial,
            station: self.config.station.name.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_s: (now.boot_ns - self.started.boot_ns) / 1_000_000_000,
        }
    }

    fn brief(&self, airing: OnStage, blocked_by: Option<Reason>) -> Brief {
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
    fn next(&self, wall: Wall) -> Option<Brief> {
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

    fn status_line(&self) -> String {
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
fn look(options: &Options, clock: &dyn Clock, stored: bool) -> Result<Survey, Text> {
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

/// What a person who plays something waits for: the manual play, or the first sounding of an emergency, of which only
/// `SOURCE/ID` was known.
fn waited_for(airing_id: &str) -> &str {
    if airing_id.starts_with("manual/") {
        return airing_id;
    }
    airing_id.match_indices('/').nth(1).map_or(airing_id, |(at, _)| &airing_id[..at])
}

/// How long audio behind rows is kept from eviction, milliseconds.
fn keep_aired_ms(config: &Config) -> i64 {
    i64::from(config.state.keep_aired_months) * 31 * DAY_MS
}

fn event_of(kind: EventKind, at: Wall, detail: &[(&str, Value)]) -> Write {
    event(kind, at, None, detail)
}

fn done_row(airing: &Airing) -> Answer {
    Answer::Done(
        json!({ "airing_id": airing.airing_id, "outcome": airing.outcome.key(), "played_ms": airing.played_ms }),
    )
}

fn commonest(rates: impl Iterator<Item = u32>) -> Option<u32> {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    rates.for_each(|r| *counts.entry(r).or_default() += 1);
    let most = counts.values().copied().max()?;
    let mut best = counts.iter().filter(|(_, n)| **n == most).map(|(r, _)| *r);
    let first = best.next()?;
    // As many of one rate as of another: 48 kHz is what cards and mixers like best.
    Some(if best.next().is_some() { 48_000 } else { first })
}

fn own_list(loaded: &Survey, clock: &MachineClock) -> (Option<List>, LocalAudio) {
    let (Some(config), Some(folder), Some(mut list)) = (&loaded.config, loaded.clips_dir(), loaded.local.clone())
    else {
        return (None, LocalAudio::default());
    };
    let memory = config.state.dir.join("local-clips.json");
    let mut audio = measure_local(&mut list, &folder, Some(&memory), &|path| length_ms(clock, path));
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
    measure_local(&mut list, &loaded.clips_dir()?, Some(&memory), &|path| length_ms(clock, path));
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

/// The test tone as a clip: two seconds, the commune's own, part of the frame and so in need of no approval.
fn tone_facts() -> ClipFacts {
    ClipFacts {
        source: LOCAL.into(),
        origin: crate::domain::config::Origin::Xa,
        id: "tone".into(),
        title: "Âm thử 1 kHz".into(),
        kind: ClipKind::NhacHieu,
        priority: Priority::Normal,
        sha256: None,
        duration_ms: Some(TONE_MS),
        campaign_id: None,
        topic_id: None,
        doc_number: None,
        approved_by: None,
        approved_at: None,
        approved: true,
        serial: None,
        gain_db: 0.0,
        unfit: None,
    }
}

/// Length of the test tone, milliseconds: 16 bit mono at 48 kHz behind a header of 44 bytes.
const TONE_MS: i64 = (TONE_BYTES - 44) / 96;
const TONE_BYTES: i64 = 192_044;
