//! The log on a thread of its own: keeps what it is handed while the disk fails, in order, and writes it when the
//! disk heals.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::opening::{READ_PAUSE, random_hex};
use super::{AiringLog, Committed, Identity, LogError, sqlite};
use crate::domain::airing::{Entry, EventKind, EventRow, Write};
use crate::domain::time::{Clock, Wall};

/// Most rows kept in memory while the log cannot be written.
pub const MAX_QUEUED_ROWS: usize = 1_000;
/// Most changes joined into one transaction: after an outage the queue is written in few flushes.
const MAX_JOINED: usize = 500;
/// More changes than this are brought down to those that still matter.
const MAX_QUEUED_WRITES: usize = 4 * MAX_QUEUED_ROWS;
/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A write that takes longer is a card that hangs; nanoseconds.
const HANGS_AFTER_NS: i64 = 5_000_000_000;

/// What a [`LogWriter`] writes to: an [`AiringLog`], or in a test something that fails.
pub trait Committer: Send {
    /// Carries out changes in one transaction, once under each name of a batch.
    fn commit(&mut self, batch: &str, writes: &[Write]) -> Result<Committed, LogError>;

    /// Mends what is damaged. Where the chain stands then; none where there is nothing to mend.
    fn mend(&mut self) -> Result<Option<Committed>, LogError> {
        Ok(None)
    }
}

impl Committer for AiringLog {
    fn commit(&mut self, batch: &str, writes: &[Write]) -> Result<Committed, LogError> {
        match (self.commit_once(batch, writes), &self.writer) {
            (Err(error), Some(_)) if error.is_damage() => {
                Committer::mend(self)?;
                self.commit_once(batch, writes)
            }
            (result, _) => result,
        }
    }

    fn mend(&mut self) -> Result<Option<Committed>, LogError> {
        let Some((identity, clock)) = self.writer.clone() else { return Ok(None) };
        let path = self.path.clone();
        // The damaged file is let go of before another takes its name.
        let nothing = Connection::open_in_memory().map_err(sqlite("open", &path))?;
        drop(std::mem::replace(&mut self.db, nothing));
        // The station runs: all others go first. Only a thread of its own can be gentle and leave no trace of it.
        let gently = || {
            let _ = rustix::process::setpriority_process(None, 19);
            AiringLog::mend(&path, identity, clock)
        };
        let mended = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("log-mend".into()).spawn_scoped(scope, gently)?;
            thread.join().map_err(|_| std::io::Error::other("log-mend"))
        });
        *self = mended.map_err(|source| LogError::Io { what: "mend", path: path.clone(), source })??;
        self.head().map(Some)
    }
}

/// Opens the log again after a failure.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Committer>, LogError> + Send>;

/// What a [`LogWriter`] says.
#[derive(Clone, Debug)]
pub enum LogEvent {
    /// A batch has reached the disk.
    Committed {
        /// What was handed to [`LogWriter::send`] with it.
        token: Option<u64>,
        /// Number of the last row of the chain.
        seq: u64,
        /// Its hash.
        head: [u8; 32],
    },
    /// Writing fails, or does not come back. Said once until it heals; trying goes on.
    Failing {
        /// Why.
        error: Arc<LogError>,
        /// Since when.
        since: Wall,
    },
    /// Writing works again.
    Healed,
    /// All of it has been looked at ([`LogWriter::look_over`]).
    LookedOver {
        /// How many rows there are.
        rows: u64,
        /// The numbers of those that do not prove themselves, the first hundred.
        broken: Vec<u64>,
    },
    /// The log has a row of this airing already; the second was left out, the rest of its batch is written.
    LeftOut {
        /// The airing.
        airing_id: String,
    },
}

/// How the log is doing, for `status`.
#[derive(Clone, Debug, Default)]
pub struct LogHealth {
    /// Rows in memory that have not reached the disk.
    pub waiting_rows: usize,
    /// Why and since when writing fails; none when it does not.
    pub failing: Option<(Arc<LogError>, Wall)>,
}

struct Batch {
    name: String,
    writes: Arc<Vec<Write>>,
    tokens: Vec<u64>,
    /// A try to write it was made: it may be on the disk, so it stays as it is.
    tried: bool,
}

impl Batch {
    fn rows(&self) -> usize {
        self.writes.iter().filter(|w| matches!(w, Write::Append(_))).count()
    }
}

/// Rows that memory could not hold.
#[derive(Default)]
struct LostRows {
    airings: u64,
    others: u64,
    from: Option<Wall>,
    to: Option<Wall>,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    rows: usize,
    writes: usize,
    named: u64,
    lost: LostRows,
    in_flight_since_ns: Option<i64>,
    failing: Option<(Arc<LogError>, Wall)>,
    /// Damage was found while looking the pages over.
    mend: bool,
    /// Whether there is time to look the log over, and whether that is under way.
    leisure: bool,
    looking: bool,
    hurry: bool,
    stopping: bool,
    ended: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    run: String,
    clock: Arc<dyn Clock>,
    events: Box<dyn Fn(LogEvent) + Send + Sync>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere must not take the log with it: the queue is whole between any two statements.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, Queue>, pause: Option<Duration>) -> MutexGuard<'a, Queue> {
        match pause {
            None => self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(pause) => self.changed.wait_timeout(guard, pause).map_or_else(|e| e.into_inner().0, |(g, _)| g),
        }
    }

    /// Waits until there is leisure. Whether to go on: not when all ends, or the log is being mended.
    fn rest_for_leisure(&self) -> bool {
        let waits = |q: &mut Queue| !q.leisure && !q.stopping;
        let queue = self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        !queue.stopping && !queue.mend
    }

    fn say(&self, event: LogEvent) {
        (self.events)(event);
    }

    /// Marks the log as failing; says so the first time.
    fn fails(&self, error: LogError) {
        let error = Arc::new(error);
        let since = self.clock.now().wall();
        {
            let mut queue = self.lock();
            if queue.failing.is_some() {
                return;
            }
            queue.failing = Some((error.clone(), since));
        }
        self.say(LogEvent::Failing { error, since });
    }
}

/// Owns the log on a thread of its own and commits what is sent, in order.
pub struct LogWriter {
    shared: Arc<Shared>,
}

impl LogWriter {
    /// Starts the thread. `log` is the log already open, or none when opening failed: then `open` is tried until
    /// it works. `events` is called on the writer's threads and must not block.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(
        log: Option<Box<dyn Committer>>,
        open: Opener,
        clock: Arc<dyn Clock>,
        events: impl Fn(LogEvent) + Send + Sync + 'static,
    ) -> std::io::Result<LogWriter> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            run: random_hex::<8>()?,
            clock,
            events: Box::new(events),
        });
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let for_writing = shared.clone();
        thread("log").stack_size(512 * 1024).spawn(move || write_all(&for_writing, log, open))?;
        let for_watching = shared.clone();
        thread("log-watch").stack_size(64 * 1024).spawn(move || watch(&for_watching))?;
        Ok(LogWriter { shared })
    }

    /// Starts the thread over the log at `path`.
    ///
    /// # Errors
    /// As [`LogWriter::start`].
    pub fn over(
        log: Option<AiringLog>,
        path: &Path,
        identity: Identity,
        clock: Arc<dyn Clock>,
        events: impl Fn(LogEvent) + Send + Sync + 'static,
    ) -> std::io::Result<LogWriter> {
        let (path, for_opening) = (path.to_owned(), clock.clone());
        let open: Opener = Box::new(move || {
            let log = AiringLog::open(&path, identity.clone(), for_opening.clone())?;
            Ok(Box::new(log))
        });
        LogWriter::start(log.map(|l| Box::new(l) as Box<dyn Committer>), open, clock, events)
    }

    /// Hands in changes that belong together. Never waits for the disk. When they have reached it,
    /// [`LogEvent::Committed`] comes with `done`.
    pub fn send(&self, writes: Vec<Write>, done: Option<u64>) {
        let mut queue = self.shared.lock();
        queue.named += 1;
        let name = format!("{}-{}", self.shared.run, queue.named);
        let batch = Batch { name, writes: Arc::new(writes), tokens: done.into_iter().collect(), tried: false };
        queue.rows += batch.rows();
        queue.writes += batch.writes.len();
        queue.batches.push_back(batch);
        while queue.rows > MAX_QUEUED_ROWS && lose_one(&mut queue) {}
        if queue.writes > MAX_QUEUED_WRITES {
            condense(&mut queue);
        }
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Waits until everything sent has reached the disk, at most `timeout`. Whether it has.
    pub fn flush(&self, timeout: Duration) -> bool {
        let mut queue = self.shared.lock();
        queue.hurry = true;
        self.shared.changed.notify_all();
        let (queue, _) = self
            .shared
            .changed
            .wait_timeout_while(queue, timeout, |q| !q.batches.is_empty() && !q.ended)
            .unwrap_or_else(PoisonError::into_inner);
        queue.batches.is_empty()
    }

    /// Whether there is leisure to look the log over: not while something is on the air. There is none at first.
    pub fn leisure(&self, there_is: bool) {
        if std::mem::replace(&mut self.shared.lock().leisure, there_is) != there_is {
            self.shared.changed.notify_all();
        }
    }

    /// Looks at every page and proves every row of the log at `path`, on a thread of its own that lets all others go
    /// first and waits while there is no [leisure](LogWriter::leisure). A page that is damaged is mended at once. A row
    /// that does not prove itself stays as it is, for whoever looks into it: [`LogEvent::LookedOver`] names it.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn look_over(&self, path: &Path) -> std::io::Result<()> {
        if std::mem::replace(&mut self.shared.lock().looking, true) {
            return Ok(());
        }
        let (shared, path) = (self.shared.clone(), path.to_owned());
        let look = move || {
            let _ = rustix::process::setpriority_process(None, 19);
            for last in [false, false, true] {
                match look_at_all(&shared, &path) {
                    Ok(Looked::Stopped) => break,
                    Ok(Looked::Whole { rows, broken }) => {
                        // Whoever hears of it may ask again at once.
                        shared.lock().looking = false;
                        return shared.say(LogEvent::LookedOver { rows, broken });
                    }
                    // Whoever writes finds out what is wrong with the disk or the file as a whole.
                    Err(error) if !error.is_damage() && !error.is_unreadable() => break,
                    // A loose card may read on the next try.
                    _ if !last => std::thread::sleep(READ_PAUSE),
                    _ => {
                        shared.fails(LogError::Damaged { what: "page", path: path.clone() });
                        shared.lock().mend = true;
                        shared.changed.notify_all();
                    }
                }
            }
            shared.lock().looking = false;
        };
        std::thread::Builder::new().name("log-pages".into()).stack_size(256 * 1024).spawn(look).map(drop)
    }

    /// How the log is doing.
    pub fn health(&self) -> LogHealth {
        let queue = self.shared.lock();
        LogHealth { waiting_rows: queue.rows, failing: queue.failing.clone() }
    }
}

impl Drop for LogWriter {
    /// Tells the thread to end after what it has; does not wait for it, a card may hang. Call
    /// [`LogWriter::flush`] before.
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
    }
}

/// How looking at all of it ended.
enum Looked {
    /// The daemon ends, or the log is mended meanwhile.
    Stopped,
    /// There was no bad page.
    Whole { rows: u64, broken: Vec<u64> },
    /// There was.
    Damaged,
}

/// Rows proved in one go, and the pause behind it: a slow card has time for others.
const ROWS_AT_ONCE: usize = 500;
const ROWS_PAUSE: Duration = Duration::from_millis(20);
/// So many rows that do not prove themselves are named.
const MOST_NAMED: usize = 100;

fn look_at_all(shared: &Arc<Shared>, path: &Path) -> Result<Looked, LogError> {
    let resting = shared.clone();
    let found = AiringLog::open_read_only(path)?.quick_check_at_leisure(move || resting.rest_for_leisure())?;
    match found {
        None => return Ok(Looked::Stopped),
        Some(found) if !found.is_empty() => return Ok(Looked::Damaged),
        Some(_) => {}
    }
    let (mut rows, mut broken, mut after) = (0, Vec::new(), 0);
    loop {
        if !shared.rest_for_leisure() {
            return Ok(Looked::Stopped);
        }
        // Each time a moment of its own: the write-ahead log need not wait for the end.
        let prove = || AiringLog::open_read_only(path)?.prove_some(after, ROWS_AT_ONCE);
        let mut proven = prove()?;
        if !proven.broken.is_empty() {
            std::thread::sleep(READ_PAUSE);
            proven = prove()?;
        }
        if proven.rows == 0 {
            return Ok(Looked::Whole { rows, broken });
        }
        rows += proven.rows;
        broken.extend(proven.broken);
        broken.truncate(MOST_NAMED);
        after = proven.last;
        std::thread::sleep(ROWS_PAUSE);
    }
}

/// Removes the oldest airing row that may still be removed, or where there is none the oldest row; counts it.
fn lose_one(queue: &mut Queue) -> bool {
    let is_airing = |w: &Write| matches!(w, Write::Append(Entry::Airing(_)));
    let is_row = |w: &Write| matches!(w, Write::Append(_));
    let find = |queue: &Queue, fits: &dyn Fn(&Write) -> bool| {
        let untried = queue.batches.iter().enumerate().filter(|(_, b)| !b.tried);
        untried.filter_map(|(i, b)| b.writes.iter().position(fits).map(|w| (i, w))).next()
    };
    let Some((batch, at)) = find(queue, &is_airing).or_else(|| find(queue, &is_row)) else { return false };
    let gone = Arc::make_mut(&mut queue.batches[batch].writes).remove(at);
    queue.rows -= 1;
    queue.writes -= 1;
    let lost = &mut queue.lost;
    if let Write::Append(Entry::Airing(airing)) = gone {
        lost.airings += 1;
        if let Some(at) = Wall::parse_rfc3339(&airing.planned_at) {
            lost.from = Some(lost.from.map_or(at, |t| t.min(at)));
            lost.to = Some(lost.to.map_or(at, |t| t.max(at)));
        }
    } else {
        lost.others += 1;
    }
    true
}

/// Joins the batches that were not tried yet into one and leaves out what a later change makes void. Being one
/// transaction, nothing can be seen in between.
fn condense(queue: &mut Queue) {
    let Some(first) = queue.batches.iter().position(|b| !b.tried) else { return };
    let rest: Vec<Batch> = queue.batches.drain(first..).collect();
    let name = rest.first().map(|b| b.name.clone()).unwrap_or_default();
    let tokens = rest.iter().flat_map(|b| b.tokens.iter().copied()).collect();
    let all: Vec<Write> = rest.into_iter().flat_map(|b| Arc::unwrap_or_clone(b.writes)).collect();
    let mut later = std::collections::HashSet::new();
    let mut kept: Vec<Write> = Vec::new();
    for write in all.into_iter().rev() {
        let void = match &write {
            Write::Append(_) => false,
            Write::Intend { airing_id, .. } => later.contains(&('c', airing_id.clone())),
            Write::Note { airing_id, .. } => {
                later.contains(&('c', airing_id.clone())) || !later.insert(('n', airing_id.clone()))
            }
            Write::Close { airing_id } => !later.insert(('c', airing_id.clone())),
            Write::KeepSession { key, .. } | Write::ForgetSession { key } => !later.insert(('s', key.clone())),
            Write::Set { name, .. } => !later.insert(('v', name.clone())),
            Write::Prune { .. } => !later.insert(('p', String::new())),
        };
        if !void {
            kept.push(write);
        }
    }
    kept.reverse();
    queue.batches.push_back(Batch { name, writes: Arc::new(kept), tokens, tried: false });
    queue.writes = queue.batches.iter().map(|b| b.writes.len()).sum();
}

/// Gets the first batch ready to be tried: joins what waits behind it, and tells of rows that were lost.
fn next_batch(queue: &mut Queue, now: Wall) -> Option<(String, Arc<Vec<Write>>)> {
    let front = queue.batches.front()?;
    if !front.tried {
        let mut joined = queue.batches.pop_front()?;
        while let Some(next) = queue.batches.front()
            && joined.writes.len() + next.writes.len() <= MAX_JOINED
        {
            let next = queue.batches.pop_front()?;
            Arc::make_mut(&mut joined.writes).extend(Arc::unwrap_or_clone(next.writes));
            joined.tokens.extend(next.tokens);
        }
        let lost = std::mem::take(&mut queue.lost);
        if lost.airings + lost.others > 0 {
            // Times as milliseconds, so that `verify` can tell which outcomes are excused.
            let detail = json!({
                "what": "memory_full", "lost": lost.airings, "lost_others": lost.others,
                "lost_from": lost.from, "lost_to": lost.to,
            });
            let detail = detail.as_object().cloned().unwrap_or_default();
            let event = EventRow { event: EventKind::Repair, at: now, by: None, detail };
            Arc::make_mut(&mut joined.writes).insert(0, Write::Append(Entry::Event(event)));
            queue.rows += 1;
            queue.writes += 1;
        }
        joined.tried = true;
        queue.batches.push_front(joined);
    }
    queue.batches.front().map(|b| (b.name.clone(), b.writes.clone()))
}

/// The writer's thread.
fn write_all(shared: &Shared, mut log: Option<Box<dyn Committer>>, mut open: Opener) {
    let mut pause = FIRST_PAUSE;
    loop {
        let next = {
            let mut queue = shared.lock();
            loop {
                if std::mem::take(&mut queue.mend) {
                    break None;
                }
                let now = shared.clock.now();
                if let Some(batch) = next_batch(&mut queue, now.wall()) {
                    queue.in_flight_since_ns = Some(now.boot_ns);
                    break Some(batch);
                }
                if queue.stopping {
                    queue.ended = true;
                    drop(queue);
                    shared.changed.notify_all();
                    return;
                }
                queue = shared.wait(queue, None);
            }
        };
        shared.changed.notify_all();
        let Some((name, writes)) = next else {
            let mended = match &mut log {
                Some(log) => log.mend(),
                None => open().and_then(|fresh| log.insert(fresh).mend()),
            };
            match mended {
                Ok(at) => {
                    pause = FIRST_PAUSE;
                    let healed = shared.lock().failing.take().is_some();
                    if let Some(Committed { seq, head }) = at {
                        shared.say(LogEvent::Committed { token: None, seq, head });
                    }
                    if healed {
                        shared.say(LogEvent::Healed);
                    }
                }
                Err(error) => {
                    log = None;
                    shared.fails(error);
                    let mut queue = shared.lock();
                    queue.mend = !queue.stopping;
                    drop(queue);
                    rest(shared, &mut pause);
                }
            }
            continue;
        };
        let result = match &mut log {
            Some(log) => log.commit(&name, &writes),
            None => open().and_then(|fresh| log.insert(fresh).commit(&name, &writes)),
        };
        drop(writes);
        match result {
            Ok(Committed { seq, head }) => {
                pause = FIRST_PAUSE;
                let mut queue = shared.lock();
                queue.in_flight_since_ns = None;
                let done = queue.batches.pop_front();
                queue.rows -= done.as_ref().map_or(0, Batch::rows);
                queue.writes -= done.as_ref().map_or(0, |b| b.writes.len());
                let healed = queue.failing.take().is_some();
                queue.hurry = false;
                drop(queue);
                let tokens = done.map(|b| b.tokens).unwrap_or_default();
                if tokens.is_empty() {
                    shared.say(LogEvent::Committed { token: None, seq, head });
                }
                for token in tokens {
                    shared.say(LogEvent::Committed { token: Some(token), seq, head });
                }
                if healed {
                    shared.say(LogEvent::Healed);
                }
                shared.changed.notify_all();
            }
            Err(LogError::Twice { airing_id }) => {
                let mut queue = shared.lock();
                queue.in_flight_since_ns = None;
                let removed = leave_out(&mut queue, &airing_id);
                drop(queue);
                if removed {
                    shared.say(LogEvent::LeftOut { airing_id });
                } else {
                    // Not in the batch: the database contradicts itself. Look at it afresh.
                    log = None;
                    shared.fails(LogError::Twice { airing_id });
                    rest(shared, &mut pause);
                }
            }
            Err(error) => {
                // What SQLite knows of the file may be wrong now: open it again.
                log = None;
                shared.lock().in_flight_since_ns = None;
                shared.fails(error);
                rest(shared, &mut pause);
            }
        }
        let mut queue = shared.lock();
        if queue.stopping && queue.failing.is_some() {
            queue.ended = true;
            drop(queue);
            shared.changed.notify_all();
            return;
        }
    }
}

/// Takes the second row of an airing out of the batch being written: the last one in it, since the first may
/// stand in the same batch.
fn leave_out(queue: &mut Queue, airing_id: &str) -> bool {
    let Some(batch) = queue.batches.front_mut() else { return false };
    let second =
        batch.writes.iter().rposition(|w| matches!(w, Write::Append(Entry::Airing(a)) if a.airing_id == airing_id));
    let Some(at) = second else { return false };
    Arc::make_mut(&mut batch.writes).remove(at);
    queue.rows -= 1;
    queue.writes -= 1;
    true
}

/// Waits before the next try, longer each time; not at all when somebody waits for a flush.
fn rest(shared: &Shared, pause: &mut Duration) {
    let queue = shared.lock();
    let (mut queue, _) = shared
        .changed
        .wait_timeout_while(queue, *pause, |q| !q.hurry && !q.stopping)
        .unwrap_or_else(PoisonError::into_inner);
    queue.hurry = false;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}

/// The watching thread: a write that does not come back can't say so itself.
fn watch(shared: &Shared) {
    let mut queue = shared.lock();
    loop {
        if queue.ended {
            return;
        }
        let Some(since) = queue.in_flight_since_ns else {
            queue = shared.wait(queue, None);
            continue;
        };
        if queue.failing.is_none() && shared.clock.now().boot_ns - since > HANGS_AFTER_NS {
            drop(queue);
            shared.fails(LogError::Hangs);
            queue = shared.lock();
        }
        queue = shared.wait(queue, Some(Duration::from_secs(1)));
    }
}
