//! The daemon: start-up, the loop, carrying out what `playout` decides, shutdown. One task on one thread decides;
//! disk, network, decoding, sound and hooks have threads of their own and talk to the loop by messages, so that
//! nothing that waits stands between a due second and its sound.

mod people;
mod reload;
mod show;
mod watch;

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
use crate::daemon::status::{
    Alarms, Brief, CampaignDay, CampaignStatus, LogStatus, OutputStatus, Snapshot, SourceBrief, State, StoreStatus,
};
use crate::daemon::sync::{self, KeysInForce, Stored, SyncEvent, Syncing, load_all};
use crate::domain::airing::{Airing, Entry, EventKind, Outcome, Reason, SessionRow, Write, hex, unhex32};
use crate::domain::config::{Config, Language};
use crate::domain::findings::{FileRole, Severity};
use crate::domain::heartbeat::{self, Heartbeat};
use crate::domain::keyring::KEYS;
use crate::domain::playlist::{ClipKind, Form, LOCAL, List, Priority, read_list};
use crate::domain::playout::{
    Action, EndedHow, Event, LEAD_MS, Past, PlayRefusal, Playout, Report, Saved, Settings, UNSETTLED,
};
use crate::domain::quota;
use crate::domain::render::Format;
use crate::domain::report::campaign::CampaignFacts;
use crate::domain::schedule::{
    ClipFacts, EMERGENCY_FOR_MS, EmergencyOrder, InForce, Programme, Walk, from_above, session_key,
};
use crate::domain::signature::URGENT;
use crate::domain::stage::{Absence, OnStage, Stop, event};
use crate::domain::text::{Text, length_words, reason_words};
use crate::domain::time::{Clock, DAY_MS, HOUR_MS, Now, Right, Wall, Why, Zone};
use crate::edge::airing_log::{
    AiringLog, EXPORTED, FILE_NAME, Identity, LogError, LogEvent, LogWriter, kernel_boot_id, machine_mark,
};
use crate::edge::amplifier::{Amplifier, Occasion};
use crate::edge::clip_store::{ClipStore, KeysAccepted, Measured, StoreError};
use crate::edge::control::{self, Answer, Asked, Request};
use crate::edge::decoder::{self, Decoder};
use crate::edge::device_key::DeviceKey;
use crate::edge::memory;
use crate::edge::page::door::Door;
use crate::edge::page::view::{Above, Contact, Knock, View};
use crate::edge::page::{Page, Place};
use crate::edge::speaker::{How, Play, Refusal, Speaker, SpeakerEvent};
use crate::edge::systemd;
use crate::edge::written::{Watched, Written};

/// The loop looks at files, alarms and the watchdog so often.
const TICK: Duration = Duration::from_secs(1);
/// Config and list are looked at so often.
const LOOK: Duration = Duration::from_millis(250);
/// Looks that must find a changed file unchanged before it is read: editors write in parts, and rename.
const STILL: u32 = 4;
/// After so many ticks the log is looked over: the start comes first.
const LOOKED_OVER_AFTER_TICKS: u64 = 10;
/// After so many looks what only start-up needed is given back.
const START_IS_OVER_TICKS: u64 = 5;
/// The quiet gate of the speaker is set anew when the wall clock has moved against boot time by so much, nanoseconds.
const GATE_OFF_NS: i64 = 5_000_000;
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
/// Codes typed while none is open are written down so often, nanoseconds: nobody fills a log with them.
const STRAY_TRIES_EVERY_NS: i64 = 600 * 1_000_000_000;
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
    /// A clip from above is no longer there.
    ClipGone,
    PageListens(Option<Text>),
    Recalled(quota::History),
    AtTheDoor(Knock),
}

/// Audio behind rows.
#[derive(Default)]
struct Kept {
    /// By SHA-256, when it last aired.
    last: HashMap<String, Wall>,
    /// Whether the rows from before the start have been read. Until then all audio is kept.
    recalled: bool,
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
    /// Wall time less boot time when the gate was set, nanoseconds: a clock that is steered moves away from it.
    gate_offset_ns: i64,
    files_seen: Vec<(PathBuf, Option<(u64, std::time::SystemTime)>)>,
    files_changed: bool,
    files_still: u32,
    written: Written,
    reloading: bool,
    ticks: u64,
    last_line: String,
    /// The day on which `short` was found.
    short_on: Option<chrono::NaiveDate>,
    /// The day on which looking over the log began.
    looked_over_on: Option<chrono::NaiveDate>,
    /// When that last ended.
    looked_over_at: Option<Wall>,
    /// The day on which old rows were looked for.
    pruned_on: Option<chrono::NaiveDate>,
    /// Campaigns that cannot reach their quota.
    short: Vec<quota::Short>,
    /// What is planned of campaigns from today on.
    planned: quota::Counts,
    /// What the log says of campaigns in the month before.
    history: quota::History,
    protected: Arc<Mutex<HashSet<String>>>,
    /// Audio behind rows: kept for as long as the config says.
    aired: Arc<Mutex<Kept>>,
    heartbeat: Arc<Mutex<Heartbeat>>,
    latest: Arc<sync::Latest>,
    /// Versions of `keys.json` that the log has a row of, by source.
    keys_noted: HashMap<Arc<str>, u64>,
    page: Option<Page>,
    door: Arc<Door>,
    /// Codes typed while none was open that no row tells of yet, and when one last did, nanoseconds of boot time.
    stray_tries: (u64, Option<i64>),
    /// Who asked for the files to be read again.
    reload_by: Option<String>,
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
    let held: Vec<_> = stored.iter().chain(urgent).map(|s| s.held()).collect();
    let lists: Vec<_> = own.into_iter().chain(from_above(config, &held, now)).collect();
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
pub fn measure(clock: &dyn Clock, path: &Path) -> Result<Measured, Text> {
    let program = std::env::current_exe().unwrap_or_else(|_| "loaxa".into());
    let m = decoder::measure_in_child(&program, path, decoder::Limits::default(), clock).map_err(|e| e.text())?;
    Ok(Measured {
        duration_ms: i64::try_from(m.duration_ms).unwrap_or(i64::MAX),
        loudness_lufs: m.loudness_lufs,
        true_peak_db: m.true_peak_db,
    })
}

/// Admission of a clip to the store: it decodes to its end. What was found the store judges.
pub fn admit(clock: Arc<dyn Clock>) -> impl Fn(&Path) -> Result<Measured, Text> + Send + Sync + 'static {
    move |path| measure(&*clock, path)
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
            let since = now.min(saved.stage.now) + -31 * DAY_MS;
            let planned = log.settled_since(since)?.iter().filter_map(|id| planned_session(id, zone)).collect();
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
            protected.lock().unwrap_or_else(PoisonError::into_inner).contains(sha) || {
                let aired = aired.lock().unwrap_or_else(PoisonError::into_inner);
                !aired.recalled || aired.last.get(sha).is_some_and(is_fresh)
            }
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
        self.recall();
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
                _ = hup.recv() => self.reload(None),
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
            }
            Action::ClockStepped => self.set_gate(),
            Action::Bound { airing_id, passes_quiet, end_by } => {
                let now = self.clock.now();
                self.speaker.bound(&airing_id, passes_quiet, end_by.map(|t| now.boot_ns_of(t)));
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
        if let (Some(campaign), Some(at)) = (&airing.campaign_id, Wall::parse_rfc3339(&airing.planned_at)) {
            let of = (campaign.as_str(), airing.topic_id.as_deref());
            self.history.add(of, self.zone.date(at), airing.outcome, &airing.output);
        }
        if airing.outcome == Outcome::Aired {
            let last = airing.started_at.as_ref().unwrap_or(&airing.planned_at).clone();
            self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner).last = Some(last);
        }
        if airing.played_ms > 0
            && let Some(sha256) = &airing.clip_sha256
        {
            let mut aired = self.aired.lock().unwrap_or_else(PoisonError::into_inner);
            aired.last.insert(sha256.clone(), self.clock.now().wall());
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

    fn speaker_says(&mut self, event: SpeakerEvent) {
        let now = self.clock.now();
        let report = match event {
            SpeakerEvent::Ready { .. } => return,
            SpeakerEvent::Closed => {
                memory::give_back_code();
                return;
            }
            SpeakerEvent::Opened { name, rate, channels } => {
                // Ahead of the first sound, never under one that comes back.
                if self.playout.stage().voice.is_none() {
                    memory::give_back_code();
                }
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
                    if let Text::ClipChanged { path } = &text {
                        self.drop_altered(PathBuf::from(path));
                    }
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
    fn keys_in_force(&mut self, source: Arc<str>, keys: &KeysInForce) {
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

    /// Another program has brought a list into force: it is taken into the plan at once, whatever the sync threads
    /// wait for.
    fn look_at_store(&self) {
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

    /// A clip from above that was altered on the card is thrown away, so that the sync fetches it again.
    fn drop_altered(&self, path: PathBuf) {
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

    /// Reads what the log says of the months before the start, off the loop: for a start nobody waits for it.
    fn recall(&self) {
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
