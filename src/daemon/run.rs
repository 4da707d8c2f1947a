//! The daemon: the loop, carrying out what `playout` decides, shutdown. One task on one thread decides;
//! disk, network, decoding, sound and hooks have threads of their own and talk to the loop by messages, so that
//! nothing that waits stands between a due second and its sound.

mod people;
mod reload;
mod show;
mod start;
mod told;
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
    Action, EndedHow, Event, LEAD_MS, Past, PlayRefusal, Playout, REMEMBERED_MS, Report, Saved, Settings, UNSETTLED,
    session_of,
};
use crate::domain::quota;
use crate::domain::render::Format;
use crate::domain::report::campaign::CampaignFacts;
use crate::domain::schedule::{
    ClipFacts, EMERGENCY_FOR_MS, EmergencyOrder, InForce, Programme, Walk, airs_first, from_above, session_key,
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

/// The loop looks at files, alarms and the watchdog so often. Between two of these it sleeps until something is due or
/// somebody has something to say: each wake costs a small box more than what is then done.
const TICK: Duration = Duration::from_secs(1);
/// Files that somebody is changing are looked at so often.
const LOOK: Duration = Duration::from_millis(250);
/// Looks that must find a changed file unchanged before it is read: editors write in parts, and rename.
const STILL: u32 = 4;
/// After so many ticks the log is looked over: the start comes first.
const LOOKED_OVER_AFTER_TICKS: u64 = 10;
/// After so many ticks what only start-up needed is given back, and every so many what came to it since.
const START_IS_OVER_TICKS: u64 = 5;
const GIVE_BACK_TICKS: u64 = 15;
/// That happens only when nothing is to be done for so long, milliseconds.
const GIVE_BACK_AHEAD_MS: i64 = 5_000;
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

/// What a list from above is planned beside: the config and the own list in force.
#[derive(Clone)]
struct Beside {
    config: Arc<Config>,
    own: Option<Arc<List>>,
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
    device_open: bool,
    formats: HashMap<String, Format>,
    plays: HashMap<String, WaitingPlay>,
    /// Answers that tell of a row, by the token of the batch it is in: nobody hears of a row that is not on the disk.
    told_of_rows: Vec<(u64, oneshot::Sender<Answer>, Answer)>,
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
    /// For whoever fetches clips.
    beside: Arc<Mutex<Beside>>,
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
    memory::be_frugal();
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

impl Daemon {
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
        let (mut noise, mut unrest) = (false, (false, false));
        loop {
            // The kernel says when a file is written to; only while one changes is it looked at again and again, and
            // after something else has happened in its folder: that may go on and on, and an editor's own file may be
            // about to take the name.
            let now_unrest = (self.files_settle(), noise);
            if now_unrest != unrest {
                unrest = now_unrest;
                look.reset();
            }
            let at_rest = unrest == (false, false);
            let now = self.clock.now();
            let wait_ns = (self.wake_at.0 * 1_000_000 - now.wall_ns).max(0) as u64;
            tokio::select! {
                biased;
                Some(message) = rx.recv() => self.take(message),
                () = tokio::time::sleep(Duration::from_nanos(wait_ns)) => self.step(Event::Tick),
                _ = tick.tick() => self.tick(),
                _ = look.tick(), if !at_rest => {
                    noise = false;
                    self.watch_files();
                }
                () = self.written.stirs(), if at_rest => {
                    self.watch_files();
                    noise = !self.files_settle();
                }
                _ = hup.recv() => self.reload(None),
                _ = term.recv() => break,
                _ = int.recv() => break,
            }
        }
        self.end(&mut rx).await;
        let _ = fs::remove_file(&path);
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
        self.tell_of_rows(None);
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
            Action::Play { arming, begin } => {
                let now = self.clock.now();
                let Some(file) = self.file_of(&begin.clip) else {
                    let refused = SpeakerEvent::Refused { airing: begin.airing_id, arming, why: Refusal::Missing };
                    let _ = self.tx.send(Message::Speaker(refused));
                    return;
                };
                self.speaker.play(Play {
                    arming,
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
            Action::Retime { arming, at } => {
                let now = self.clock.now();
                self.speaker.retime(arming, now.boot_ns_of(at));
            }
            Action::ClockStepped => self.set_gate(),
            Action::Bound { arming, passes_quiet, end_by } => {
                let now = self.clock.now();
                self.speaker.bound(arming, passes_quiet, end_by.map(|t| now.boot_ns_of(t)));
            }
            Action::Cut { arming, at } => {
                let now = self.clock.now();
                let end = (at > now.wall()).then(|| now.boot_ns_of(at));
                self.speaker.cut(arming, end);
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
        self.tokens += 1;
        let (token, told) = (self.tokens, self.told_of_rows.len());
        for write in &writes {
            match write {
                Write::Append(Entry::Airing(airing)) => {
                    self.recorded(airing);
                    let waiting = self.plays.remove(waited_for(&airing.airing_id));
                    self.told_of_rows.extend(waiting.map(|w| (token, w.reply, self.played(airing))));
                }
                Write::Append(Entry::Session(session)) => self.prepare(session),
                Write::Append(Entry::Event(row)) => {
                    tracing::info!(event = ?row.event, "{}", serde_json::to_string(&row.detail).unwrap_or_default());
                }
                _ => {}
            }
        }
        let asked = self.told_of_rows.len() > told;
        self.log.send(writes, asked.then_some(token));
        if asked && self.log.health().failing.is_some() {
            self.tell_of_rows(None);
        }
    }

    /// Answers those who wait for the rows of a batch, or, when rows do not reach the disk, everybody: the alarm says
    /// why the log does not have them yet.
    fn tell_of_rows(&mut self, token: Option<u64>) {
        for (_, reply, answer) in self.told_of_rows.extract_if(.., |(t, ..)| token.is_none_or(|token| *t == token)) {
            let _ = reply.send(answer);
        }
    }

    /// What became of it, for whoever played it.
    fn played(&self, airing: &Airing) -> Answer {
        match (airing.outcome, airing.reason) {
            (Outcome::Aired, _) => done_row(airing),
            (_, Some(reason)) => self.refusal(reason),
            _ => done_row(airing),
        }
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

    fn programme_changed(&mut self) {
        self.short_on = None;
        let now = self.clock.now().wall();
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner) =
            Beside { config: self.config.clone(), own: self.own.as_ref().map(|own| own.list.clone()) };
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
