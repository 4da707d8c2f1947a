//! The airing log in SQLite: what is about to sound, what became of everything planned, one chain of rows that
//! is only ever appended to. `docs/airing-log.md` says what stands where and why.
//!
//! [`AiringLog`] is the database on the calling thread. [`LogWriter`] owns one on a thread of its own, so that
//! nothing that has a due second ever waits for a disk: while the disk fails it keeps what was handed in, in
//! order, and writes it when the disk heals (invariant 2).

mod salvage;

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::domain::airing::{Entry, EventKind, EventRow, Stamp, Write, hex, seal, unhex32};
use crate::domain::chain::{Index, Row};
use crate::domain::keyring::KEYS;
use crate::domain::report::RowFilter;
use crate::domain::signature::URGENT;
use crate::domain::text::Text;
use crate::domain::time::{Clock, DAY_MS, Wall, Zone};

/// The database's name inside the state folder.
pub const FILE_NAME: &str = "loaxa.db";

/// `loxa`: what SQLite's header says this file is.
const APPLICATION_ID: i64 = 0x6c6f_7861;

/// One step of the database's form after the other; `user_version` counts those that have been taken.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE rows (
        seq              INTEGER PRIMARY KEY,
        type             TEXT NOT NULL,
        airing_id        TEXT,
        event            TEXT,
        planned_at_ms    INTEGER,
        session_start_ms INTEGER,
        body             TEXT NOT NULL,
        hash             BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX rows_airing ON rows (airing_id) WHERE airing_id IS NOT NULL;
    CREATE INDEX rows_event ON rows (event, seq) WHERE event IS NOT NULL;
    CREATE INDEX rows_planned ON rows (planned_at_ms);
    CREATE TABLE intents (
        airing_id   TEXT PRIMARY KEY,
        body        TEXT NOT NULL,
        played_ms   INTEGER NOT NULL,
        boot_id     TEXT NOT NULL,
        armed_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE named (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"];

/// Whose log it is: stamped into every row.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `[station] id`
    pub station_id: String,
    /// `[station] device_id`
    pub device_id: String,
    /// The kernel's boot id, from [`kernel_boot_id`].
    pub boot_id: String,
    /// The zone in which rows write their times.
    pub zone: Zone,
}

/// Why the log did not do what it was asked. The display is English, for the journal; [`LogError::text`] is for
/// people.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no database.
    #[error("no airing log at \"{}\"", .0.display())]
    Missing(PathBuf),
    /// A database, but of something else.
    #[error("\"{}\" is not an airing log", .0.display())]
    NotALog(PathBuf),
    /// Written by a newer loaxa.
    #[error("\"{}\" was written by a newer loaxa (form {found}, known {known})", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its form.
        found: i64,
        /// The newest form this program knows.
        known: i64,
    },
    /// The airing has its row already; nothing of the batch was written.
    #[error("the airing \"{airing_id}\" has its row already")]
    Twice {
        /// The airing.
        airing_id: String,
    },
    /// A write has not come back for some seconds: a card that hangs.
    #[error("the disk does not answer")]
    Hangs,
    /// SQLite or the disk under it.
    #[error("{what} \"{}\": {source}", path.display())]
    Sqlite {
        /// What was tried, as `write` or `open`.
        what: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The folder, the random numbers or the file system around the database.
    #[error("{what} \"{}\": {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something stored does not read back as what was written.
    #[error("\"{}\" holds a damaged {what}", path.display())]
    Damaged {
        /// What could not be read.
        what: &'static str,
        /// The database.
        path: PathBuf,
    },
}

impl LogError {
    /// Whether the database itself is damaged, so that trying again is of no use.
    pub fn is_damage(&self) -> bool {
        match self {
            LogError::Sqlite { source, .. } => is_damage(source),
            LogError::Damaged { .. } => true,
            _ => false,
        }
    }

    /// Whether a part of the database could not be read from the disk.
    fn is_unreadable(&self) -> bool {
        let LogError::Sqlite { source: rusqlite::Error::SqliteFailure(error, _), .. } = self else { return false };
        error.extended_code == rusqlite::ffi::SQLITE_IOERR_READ
    }

    /// The sentence for people.
    pub fn text(&self) -> Text {
        let show = |p: &Path| p.display().to_string();
        match self {
            LogError::Missing(path) => Text::LogMissing { file: show(path) },
            LogError::NotALog(path) => Text::LogNotALog { file: show(path) },
            LogError::Newer { path, .. } => Text::LogNewer { file: show(path) },
            LogError::Twice { airing_id } => Text::LogTwice { airing: airing_id.clone() },
            LogError::Hangs => Text::LogHangs {},
            LogError::Sqlite { path, source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => Text::LogDiskFull { file: show(path) },
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Text::LogLocked { file: show(path) },
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Text::LogDamaged { file: show(path) },
                Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                    Text::LogNoAccess { file: show(path), why: source.to_string() }
                }
                _ => Text::LogDiskFails { file: show(path), why: source.to_string() },
            },
            LogError::Io { path, source, .. } => Text::LogDiskFails { file: show(path), why: source.to_string() },
            LogError::Damaged { path, .. } => Text::LogDamaged { file: show(path) },
        }
    }
}

/// The kernel's boot id: another one after every boot. In a trial (`LOAXA_TRIAL=1`) the variable
/// `LOAXA_BOOT_ID` stands in its place, so that tests can act out a power cut.
pub fn kernel_boot_id() -> std::io::Result<String> {
    if std::env::var("LOAXA_TRIAL").is_ok_and(|v| v == "1")
        && let Ok(id) = std::env::var("LOAXA_BOOT_ID")
        && !id.is_empty()
    {
        return Ok(id);
    }
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// What stands for this machine in its log: a hash, so that the id itself is not handed on. None when the machine has
/// no id; its log is then bound to none. In a trial (`LOAXA_TRIAL=1`) the variable `LOAXA_MACHINE_ID` stands in its
/// place.
pub fn machine_mark() -> Option<String> {
    let trial = std::env::var("LOAXA_TRIAL").is_ok_and(|v| v == "1");
    let given = std::env::var("LOAXA_MACHINE_ID").ok().filter(|id| trial && !id.is_empty());
    let id = given.or_else(|| fs::read_to_string("/etc/machine-id").ok())?;
    let id = id.trim();
    // On the way through the first boot the file says that it has none yet.
    (!id.is_empty() && id != "uninitialized").then(|| hex(&Sha256::digest(format!("loaxa machine {id}").as_bytes())))
}

/// In the place of a machine's mark in a copy made by `loaxa backup`: wherever it is restored, a new log begins. Two
/// logs that go on from one row would contradict each other.
const RESTORED: &str = "restored";

/// Up to this size of the database every page is looked at when it is opened for writing, bytes: a second or two on a
/// slow card. A larger one is looked over once the station runs ([`LogWriter::look_over`]).
const LOOKED_AT_WHOLE: u64 = 64 << 20;

/// What cannot be read in so many tries is lost.
const READ_TRIES: u32 = 3;
/// The pause between two of them.
const READ_PAUSE: Duration = Duration::from_millis(300);

/// Random bytes from the kernel, in hexadecimal.
fn random_hex<const N: usize>() -> std::io::Result<String> {
    let mut bytes = [0; N];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex(&bytes))
}

/// Where the chain stands: the last number (0 before the first row) and hash (32 zero bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number of the last row.
    pub seq: u64,
    /// Its hash.
    pub head: [u8; 32],
}

/// A sound that was about to be made and has no row yet.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredIntent {
    /// The airing.
    pub airing_id: String,
    /// What is needed to close it honestly.
    pub body: Value,
    /// What had been accepted at the last note, milliseconds: a lower bound.
    pub played_ms: i64,
    /// The boot it was written in.
    pub boot_id: String,
    /// When it was written.
    pub armed_at: Wall,
}

/// A session that is not over.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSession {
    /// `slot_source/slot/session start`
    pub key: String,
    /// What `playout` needs to go on.
    pub body: Value,
}

/// A row read back.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub recorded_at: Option<Wall>,
    /// In which boot.
    pub boot_id: String,
    /// All of it.
    pub body: Map<String, Value>,
}

/// One row with the columns kept beside it, as the database has them: for verification, which trusts neither.
#[derive(Debug)]
pub struct RawRow<'a> {
    /// The row's number by the database.
    pub seq: u64,
    /// The columns; none where one has the wrong type.
    pub index: Option<Index<'a>>,
    /// The row's text, not checked to be UTF-8.
    pub body: &'a [u8],
    /// The hash kept beside it.
    pub hash: &'a [u8],
}

/// Sums over the entries of the search indexes: equal for the indexes and for the rows, or an entry is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed([u64; 3]);

impl Indexed {
    fn add<K: Hash>(&mut self, which: usize, seq: u64, key: K) {
        let mut hasher = DefaultHasher::new();
        (seq, key).hash(&mut hasher);
        self.0[which] = self.0[which].wrapping_add(hasher.finish());
    }

    fn airing(&mut self, seq: u64, id: &str) {
        self.add(0, seq, id);
    }

    fn event(&mut self, seq: u64, event: &str) {
        self.add(1, seq, event);
    }

    fn planned(&mut self, seq: u64, at_ms: i64) {
        self.add(2, seq, at_ms);
    }

    /// Adds a row by its columns.
    pub fn row(&mut self, row: &RawRow<'_>) {
        let Some(index) = &row.index else { return };
        if let Some(id) = &index.airing_id {
            self.airing(row.seq, id);
        }
        if let Some(event) = &index.event {
            self.event(row.seq, event);
        }
        self.planned(row.seq, index.planned_at_ms.unwrap_or(i64::MIN));
    }
}

/// The database, opened for writing by one daemon or for reading by anybody.
pub struct AiringLog {
    path: PathBuf,
    db: Connection,
    writer: Option<(Identity, Arc<dyn Clock>)>,
    log_id: String,
}

impl AiringLog {
    /// Opens the log for writing, and makes it where there is none. One writer at a time: the daemon's lock on
    /// the state folder sees to that.
    ///
    /// A damaged database is mended on the way, and one that came from another machine gives way to a new one; both
    /// leave the old file beside and a `repair` row.
    pub fn open(path: &Path, identity: Identity, clock: Arc<dyn Clock>) -> Result<AiringLog, LogError> {
        salvage::finish_switch(path)?;
        if !has_content(path) && !has_content(&beside(path, "-wal")) && salvage::noted(path).is_some() {
            // There was one: it is gone, and the numbering goes on.
            return AiringLog::mend(path, identity, clock);
        }
        let mut tries = 1;
        let opened = loop {
            match AiringLog::open_as_it_is(path, identity.clone(), clock.clone()) {
                // A loose card may read on the next try; a dead sector never does.
                Err(error) if error.is_unreadable() && tries < READ_TRIES => {
                    tries += 1;
                    std::thread::sleep(READ_PAUSE);
                }
                opened => break opened,
            }
        };
        let log = match opened {
            Err(error) if error.is_damage() || error.is_unreadable() => return AiringLog::mend(path, identity, clock),
            Err(LogError::NotALog(_)) if salvage::holds_rows(path) => return AiringLog::mend(path, identity, clock),
            opened => opened?,
        };
        log.bind(identity, clock)
    }

    /// Mends a damaged database and opens it: keeps the old file beside, takes over every row that proves itself,
    /// goes on with the numbering, and says in a `repair` row what is missing.
    ///
    /// # Errors
    /// As [`AiringLog::open`]; then everything is as it was.
    pub fn mend(path: &Path, identity: Identity, clock: Arc<dyn Clock>) -> Result<AiringLog, LogError> {
        salvage::mend(path, &identity, &*clock)?;
        AiringLog::open_as_it_is(path, identity.clone(), clock.clone())?.bind(identity, clock)
    }

    /// Whether opening leaves pages unseen, because there are so many.
    pub fn is_large(path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|m| m.len() > LOOKED_AT_WHOLE)
    }

    /// Sees to it that the log is this machine's own.
    fn bind(self, identity: Identity, clock: Arc<dyn Clock>) -> Result<AiringLog, LogError> {
        let Some(here) = machine_mark() else { return Ok(self) };
        let path = self.path.clone();
        let found = meta(&self.db, "machine").map_err(sqlite("read", &path))?;
        if found.as_ref() == Some(&here) {
            return Ok(self);
        }
        let log = match found {
            None => self,
            Some(mark) => {
                drop(self);
                let why = if mark == RESTORED { "restored" } else { "other_machine" };
                salvage::begin_anew(&path, &identity, &*clock, why)?;
                AiringLog::open_as_it_is(&path, identity, clock)?
            }
        };
        let set = || -> rusqlite::Result<()> {
            let tx = Transaction::new_unchecked(&log.db, TransactionBehavior::Immediate)?;
            set_meta(&tx, "machine", &here)?;
            set_check(&tx)?;
            tx.commit()
        };
        set().map_err(sqlite("write", &path))?;
        Ok(log)
    }

    /// Reads what the daemon begins with, and a database that is not large as a whole.
    fn probe(&self) -> Result<(), LogError> {
        self.intents()?;
        self.sessions()?;
        self.recent(20)?;
        self.last_row()?;
        let noted = self.noted_head()?;
        self.first_seq()?;
        // A log from before there was a check gets one with the next commit.
        if self.side_is_right()? == Some(false) {
            return Err(LogError::Damaged { what: "state", path: self.path.clone() });
        }
        // The note in a file of its own never leads: rows that it knows of were on the disk.
        let reached = noted.map_or(0, |n| n.seq).max(self.head()?.seq);
        let restored = meta(&self.db, "machine").map_err(self.on_read())?.as_deref() == Some(RESTORED);
        let leads = salvage::noted(&self.path).is_some_and(|n| n.log_id == self.log_id && n.at.seq > reached);
        if leads && !restored {
            return Err(LogError::Damaged { what: "tail", path: self.path.clone() });
        }
        if AiringLog::is_large(&self.path) {
            return Ok(());
        }
        let found = self.quick_check()?;
        let unread = format!("error code={}", rusqlite::ffi::SQLITE_IOERR_READ);
        if found.iter().any(|line| line.contains(&unread) || line.contains("failed to get page")) {
            let read = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_READ);
            return Err(sqlite("read", &self.path)(rusqlite::Error::SqliteFailure(read, found.first().cloned())));
        }
        match found.is_empty() {
            true => Ok(()),
            false => Err(LogError::Damaged { what: "page", path: self.path.clone() }),
        }
    }

    fn open_as_it_is(path: &Path, identity: Identity, clock: Arc<dyn Clock>) -> Result<AiringLog, LogError> {
        let new = !path.exists();
        let db = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(sqlite("open", path))?;
        // Until the log has been looked at, closing it leaves the write-ahead log as it is: mending needs all of it.

        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sqlite("open", path))?;
        Self::prepare(&db, path).map_err(sqlite("open", path))?;
        Self::migrate(&db, path)?;
        if new {
            // The new file's name must outlive a power cut as well as its content.
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let io = |source| LogError::Io { what: "fsync", path: folder.to_owned(), source };
            fs::File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
        }
        let log = Self::finish(path, db, Some((identity, clock)))?;
        log.probe()?;
        log.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(sqlite("open", path))?;
        Ok(log)
    }

    /// Opens an existing log for reading, while the daemon writes or not. All that is read is of one moment: the
    /// moment of opening.
    pub fn open_read_only(path: &Path) -> Result<AiringLog, LogError> {
        if !path.exists() {
            return Err(LogError::Missing(path.to_owned()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let begin = |uri: String| -> rusqlite::Result<Connection> {
            let db = Connection::open_with_flags(uri, flags)?;
            db.busy_timeout(Duration::from_secs(5))?;
            db.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; BEGIN;")?;
            db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(db)
        };
        let uri = file_uri(path);
        let db = match begin(format!("{uri}?mode=ro")) {
            // Without leave to make the files beside the database, reading still works as long as there is
            // nothing in them to miss: no writer has it open.
            Err(error) if !has_content(&beside(path, "-wal")) && !is_damage(&error) => {
                begin(format!("{uri}?immutable=1")).map_err(|_| error)
            }
            other => other,
        }
        .map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => LogError::NotALog(path.to_owned()),
            _ => sqlite("open", path)(error),
        })?;
        let id: i64 = db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(sqlite("read", path))?;
        let version = user_version(&db).map_err(sqlite("read", path))?;
        if id != APPLICATION_ID || version < 1 {
            return Err(LogError::NotALog(path.to_owned()));
        }
        let known = MIGRATIONS.len() as i64;
        if version > known {
            return Err(LogError::Newer { path: path.to_owned(), found: version, known });
        }
        Self::finish(path, db, None)
    }

    fn prepare(db: &Connection, _path: &Path) -> rusqlite::Result<()> {
        db.busy_timeout(Duration::from_secs(2))?;
        db.set_prepared_statement_cache_capacity(32);
        // FULL: a commit has reached the disk when it returns. NORMAL loses hundreds of rows at a power cut.
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024;",
        )
    }

    fn migrate(db: &Connection, path: &Path) -> Result<(), LogError> {
        let on = sqlite("open", path);
        let known = MIGRATIONS.len() as i64;
        let found = user_version(db).map_err(&on)?;
        if found > known {
            return Err(LogError::Newer { path: path.to_owned(), found, known });
        }
        let id: i64 = db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(&on)?;
        let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).map_err(&on)?;
        if (found > 0 || tables > 0) && id != APPLICATION_ID {
            return Err(LogError::NotALog(path.to_owned()));
        }
        if found == known {
            return Ok(());
        }
        let log_id =
            random_hex::<16>().map_err(|source| LogError::Io { what: "read", path: "/dev/urandom".into(), source })?;
        let steps = || -> rusqlite::Result<()> {
            let tx = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
                tx.execute_batch(step)?;
            }
            if found == 0 {
                tx.execute("INSERT INTO meta VALUES ('log_id', ?1)", [&log_id])?;
            }
            set_check(&tx)?;
            tx.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known};"))?;
            tx.commit()
        };
        steps().map_err(&on)
    }

    fn finish(path: &Path, db: Connection, writer: Option<(Identity, Arc<dyn Clock>)>) -> Result<AiringLog, LogError> {
        let log_id = meta(&db, "log_id").map_err(sqlite("read", path))?;
        let log_id = log_id.ok_or(LogError::Damaged { what: "log_id", path: path.to_owned() })?;
        Ok(AiringLog { path: path.to_owned(), db, writer, log_id })
    }

    /// The id made with the database.
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    /// Carries out changes in one transaction: all or none, in order. When it returns they have reached the disk.
    ///
    /// Rows are taken as they are, whatever their outcome and reason: a row that breaks a rule is found by
    /// `verify`, one that was refused would be an airing lost. Only a second row of one airing is refused, with
    /// [`LogError::Twice`].
    pub fn commit(&mut self, writes: &[Write]) -> Result<Committed, LogError> {
        self.commit_once("", writes)
    }

    /// As [`AiringLog::commit`], but a batch that has been written under this name already is not written again:
    /// after an error at the very end of a commit nobody can know whether it reached the disk.
    fn commit_once(&mut self, batch: &str, writes: &[Write]) -> Result<Committed, LogError> {
        let Some((identity, clock)) = &self.writer else {
            let read_only = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
            return Err(sqlite("write", &self.path)(rusqlite::Error::SqliteFailure(read_only, None)));
        };
        let on = sqlite("write", &self.path);
        let tx = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate).map_err(&on)?;
        let mut last = head(&tx).map_err(&on)?;
        if !batch.is_empty() {
            if meta(&tx, "last_batch").map_err(&on)?.as_deref() == Some(batch) {
                return Ok(last);
            }
            set_meta(&tx, "last_batch", batch).map_err(&on)?;
        }
        let now = clock.now().wall();
        let before = last;
        for write in writes {
            match write {
                Write::Append(entry) => {
                    let stamp = Stamp {
                        seq: last.seq + 1,
                        station_id: identity.station_id.clone(),
                        device_id: identity.device_id.clone(),
                        log_id: self.log_id.clone(),
                        boot_id: identity.boot_id.clone(),
                        recorded_at: now,
                        prev_hash: last.head,
                    };
                    last = append(&tx, entry, &stamp, identity.zone).map_err(|error| match (&error, entry) {
                        (rusqlite::Error::SqliteFailure(e, _), Entry::Airing(airing))
                            if e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
                        {
                            LogError::Twice { airing_id: airing.airing_id.clone() }
                        }
                        _ => on(error),
                    })?;
                }
                Write::Prune { before } => {
                    if let Some(event) = prune(&tx, *before, identity.zone, now).map_err(&on)? {
                        let stamp = Stamp {
                            seq: last.seq + 1,
                            station_id: identity.station_id.clone(),
                            device_id: identity.device_id.clone(),
                            log_id: self.log_id.clone(),
                            boot_id: identity.boot_id.clone(),
                            recorded_at: now,
                            prev_hash: last.head,
                        };
                        last = append(&tx, &Entry::Event(event), &stamp, identity.zone).map_err(&on)?;
                    }
                }
                other => apply(&tx, other, &identity.boot_id, now).map_err(&on)?,
            }
        }
        if last != before {
            // Beside the rows: a tail cut off with an editor shows.
            set_meta(&tx, "head", &format!("{}:{}", last.seq, hex(&last.head))).map_err(&on)?;
        }
        set_check(&tx).map_err(&on)?;
        tx.commit().map_err(&on)?;
        if last != before {
            salvage::note(&self.path, &self.log_id, last);
        }
        Ok(last)
    }

    fn on_read(&self) -> impl Fn(rusqlite::Error) -> LogError + '_ {
        sqlite("read", &self.path)
    }

    fn value(&self, what: &'static str, text: &str) -> Result<Value, LogError> {
        serde_json::from_str(text).map_err(|_| LogError::Damaged { what, path: self.path.clone() })
    }

    /// The sounds that were about to be made and have no row.
    pub fn intents(&self) -> Result<Vec<StoredIntent>, LogError> {
        let on = self.on_read();
        let mut query = self
            .db
            .prepare_cached(
                "SELECT airing_id, body, played_ms, boot_id, armed_at_ms FROM intents ORDER BY armed_at_ms, airing_id",
            )
            .map_err(&on)?;
        let mut rows = query.query([]).map_err(&on)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(&on)? {
            let body: String = row.get(1).map_err(&on)?;
            out.push(StoredIntent {
                airing_id: row.get(0).map_err(&on)?,
                body: self.value("intent", &body)?,
                played_ms: row.get(2).map_err(&on)?,
                boot_id: row.get(3).map_err(&on)?,
                armed_at: Wall(row.get(4).map_err(&on)?),
            });
        }
        Ok(out)
    }

    /// The sessions that are not over, by key.
    pub fn sessions(&self) -> Result<Vec<StoredSession>, LogError> {
        let on = self.on_read();
        let mut query = self.db.prepare_cached("SELECT key, body FROM sessions ORDER BY key").map_err(&on)?;
        let pairs: Vec<(String, String)> =
            query.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).and_then(Iterator::collect).map_err(&on)?;
        pairs.into_iter().map(|(key, body)| Ok(StoredSession { key, body: self.value("session", &body)? })).collect()
    }

    /// A named value outside the chain.
    pub fn named(&self, name: &str) -> Result<Option<Value>, LogError> {
        let text: Option<String> = self
            .db
            .prepare_cached("SELECT value FROM named WHERE name = ?1")
            .and_then(|mut q| q.query_row([name], |r| r.get(0)).optional())
            .map_err(self.on_read())?;
        text.map(|t| self.value("value", &t)).transpose()
    }

    /// Whether an airing has its row.
    pub fn has_airing(&self, airing_id: &str) -> Result<bool, LogError> {
        self.db
            .prepare_cached("SELECT 1 FROM rows WHERE airing_id = ?1")
            .and_then(|mut q| q.exists([airing_id]))
            .map_err(self.on_read())
    }

    /// Where the chain stands.
    pub fn head(&self) -> Result<Committed, LogError> {
        head(&self.db).map_err(self.on_read())
    }

    /// Where the chain stood after the last commit, by the note kept beside the rows. None before the first row.
    pub fn noted_head(&self) -> Result<Option<Committed>, LogError> {
        let note = meta(&self.db, "head").map_err(self.on_read())?;
        note.map(|text| {
            text.split_once(':')
                .and_then(|(seq, hash)| Some(Committed { seq: seq.parse().ok()?, head: unhex32(hash)? }))
                .ok_or(LogError::Damaged { what: "head", path: self.path.clone() })
        })
        .transpose()
    }

    /// The hash of a row by its number.
    pub fn hash_at(&self, seq: u64) -> Result<Option<[u8; 32]>, LogError> {
        self.db
            .prepare_cached("SELECT hash FROM rows WHERE seq = ?1")
            .and_then(|mut q| q.query_row([signed(seq)], |r| r.get(0)).optional())
            .map_err(self.on_read())
    }

    /// Number of the first row, 0 when there is none.
    pub fn first_seq(&self) -> Result<u64, LogError> {
        Ok(self.seq_range(None, None)?.map_or(0, |(first, _)| first))
    }

    /// The airings planned at or after a moment that have their rows, in the order of the rows. Sessions that
    /// start at or after the moment are in it whole: no item is planned before its session's start.
    pub fn settled_since(&self, since: Wall) -> Result<Vec<String>, LogError> {
        self.db
            .prepare_cached(
                // The plus keeps SQLite from walking the whole table by number to spare itself the sorting.
                "SELECT airing_id FROM rows WHERE planned_at_ms >= ?1 AND airing_id IS NOT NULL ORDER BY +seq",
            )
            .and_then(|mut q| q.query_map([since.0], |r| r.get(0))?.collect())
            .map_err(self.on_read())
    }

    fn stored(&self, row: Option<(u64, String)>) -> Result<Option<StoredRow>, LogError> {
        let Some((seq, text)) = row else { return Ok(None) };
        let Value::Object(body) = self.value("row", &text)? else {
            return Err(LogError::Damaged { what: "row", path: self.path.clone() });
        };
        let say = |key: &str| body.get(key).and_then(Value::as_str);
        let recorded_at = say("recorded_at").and_then(Wall::parse_rfc3339);
        let boot_id = say("boot_id").unwrap_or_default().to_owned();
        Ok(Some(StoredRow { seq, recorded_at, boot_id, body }))
    }

    /// The last event of a kind.
    pub fn last_event(&self, kind: EventKind) -> Result<Option<StoredRow>, LogError> {
        let key = event_key(kind);
        let row = self
            .db
            .prepare_cached("SELECT seq, body FROM rows WHERE event = ?1 ORDER BY seq DESC LIMIT 1")
            .and_then(|mut q| q.query_row([key], |r| Ok((number(r, 0)?, r.get(1)?))).optional())
            .map_err(self.on_read())?;
        self.stored(row)
    }

    /// The latest list that came into force from each source by what the log says: serial and SHA-256 of its bytes; and
    /// under [`KEYS`] the latest `keys.json`, its version and SHA-256. A rollback puts an older list in force for a
    /// while; the latest stays the latest.
    pub fn latest_lists(&self) -> Result<HashMap<String, (u64, String)>, LogError> {
        let mut latest: HashMap<String, (u64, String)> = HashMap::new();
        for kind in [EventKind::ListInForce, EventKind::KeysInForce] {
            let key = event_key(kind);
            let mut query = self.db.prepare_cached("SELECT body FROM rows WHERE event = ?1").map_err(self.on_read())?;
            let bodies = query.query_map([key], |r| r.get::<_, String>(0)).map_err(self.on_read())?;
            for body in bodies {
                let body = body.map_err(self.on_read())?;
                let row: Value = serde_json::from_str(&body).unwrap_or_default();
                let detail = &row["detail"];
                let number = if kind == EventKind::KeysInForce { "version" } else { "serial" };
                let (Some(source), Some(serial), Some(sha256)) =
                    (detail["source"].as_str(), detail[number].as_u64(), detail["body_sha256"].as_str())
                else {
                    continue;
                };
                let name = match kind {
                    EventKind::KeysInForce => format!("{source}{KEYS}"),
                    _ if detail["urgent"] == true => format!("{source}{URGENT}"),
                    _ => source.to_owned(),
                };
                let known = latest.entry(name).or_insert((0, String::new()));
                if serial >= known.0 {
                    *known = (serial, sha256.to_owned());
                }
            }
        }
        Ok(latest)
    }

    /// Hands each airing planned since a moment to `each`, with that moment, up to the row of a number.
    ///
    /// # Errors
    /// What reading says.
    pub fn each_airing_since(
        &self,
        since: Wall,
        last: u64,
        mut each: impl FnMut(Wall, &Row<'_>),
    ) -> Result<(), LogError> {
        let on = self.on_read();
        let mut query = self
            .db
            .prepare_cached(
                "SELECT body, planned_at_ms FROM rows WHERE planned_at_ms >= ?1 AND +seq <= ?2 AND type = 'airing'",
            )
            .map_err(&on)?;
        let mut rows = query.query([since.0, signed(last)]).map_err(&on)?;
        while let Some(row) = rows.next().map_err(&on)? {
            let planned_at = Wall(row.get(1).map_err(&on)?);
            if let Some(row) = row.get_ref(0).map_err(&on)?.as_str().ok().and_then(Row::parse) {
                each(planned_at, &row);
            }
        }
        Ok(())
    }

    /// The audio behind the airings planned since a moment that sounded, by SHA-256, and when each was last planned.
    ///
    /// # Errors
    /// What reading says.
    pub fn aired_since(&self, since: Wall) -> Result<HashMap<String, Wall>, LogError> {
        let mut last: HashMap<String, Wall> = HashMap::new();
        self.each_airing_since(since, u64::MAX, |at, row| {
            let sounded = row.int("played_ms").is_some_and(|ms| ms > 0);
            let Some(sha256) = row.text("clip_sha256").filter(|_| sounded) else { return };
            match last.get_mut(&*sha256) {
                Some(known) => *known = at.max(*known),
                None => drop(last.insert(sha256.into_owned(), at)),
            }
        })?;
        Ok(last)
    }

    /// When something last aired whole, as its row says it; looked for in the last 5,000 rows.
    pub fn last_aired(&self) -> Result<Option<String>, LogError> {
        self.db
            .prepare_cached(
                "SELECT coalesce(json_extract(body, '$.started_at'), json_extract(body, '$.planned_at')) FROM rows
                 WHERE seq > (SELECT max(seq) FROM rows) - 5000 AND type = 'airing'
                 AND json_extract(body, '$.outcome') = 'aired' ORDER BY seq DESC LIMIT 1",
            )
            .and_then(|mut q| q.query_row([], |r| r.get(0)).optional())
            .map_err(self.on_read())
    }

    /// The last row.
    pub fn last_row(&self) -> Result<Option<StoredRow>, LogError> {
        let row = self
            .db
            .prepare_cached("SELECT seq, body FROM rows ORDER BY seq DESC LIMIT 1")
            .and_then(|mut q| q.query_row([], |r| Ok((number(r, 0)?, r.get(1)?))).optional())
            .map_err(self.on_read())?;
        self.stored(row)
    }

    /// The last row that the daemon wrote while it ran: notes may be written while it does not, and say nothing of
    /// when it ended; mending comes before it runs.
    pub fn last_row_of_daemon(&self) -> Result<Option<StoredRow>, LogError> {
        let row = self
            .db
            .prepare_cached(
                "SELECT seq, body FROM rows WHERE event IS NULL OR event NOT IN ('note', 'repair') ORDER BY seq DESC LIMIT 1",
            )
            .and_then(|mut q| q.query_row([], |r| Ok((number(r, 0)?, r.get(1)?))).optional())
            .map_err(self.on_read())?;
        self.stored(row)
    }

    /// When the last row was written: the clock is not before that.
    pub fn last_row_recorded_at(&self) -> Result<Option<Wall>, LogError> {
        Ok(self.last_row()?.and_then(|r| r.recorded_at))
    }

    /// The highest N of a `manual/N` that has a row or an intent; 0 when there is none. Removing old rows does
    /// not lower it: an id is never given twice.
    pub fn manual_count(&self) -> Result<u64, LogError> {
        let noted = meta(&self.db, "manual").map_err(self.on_read())?.and_then(|n| n.parse().ok()).unwrap_or(0);
        let intended = self.intents()?.iter().filter_map(|i| manual_number(&i.airing_id)).max().unwrap_or(0);
        Ok(intended.max(noted))
    }

    /// The last `n` airings, the newest first.
    pub fn recent(&self, n: usize) -> Result<Vec<Map<String, Value>>, LogError> {
        let rows: Vec<(u64, String)> = self
            .db
            .prepare_cached("SELECT seq, body FROM rows WHERE type = 'airing' ORDER BY seq DESC LIMIT ?1")
            .and_then(|mut q| q.query_map([n as i64], |r| Ok((number(r, 0)?, r.get(1)?)))?.collect())
            .map_err(self.on_read())?;
        let rows = rows.into_iter().map(|row| Ok(self.stored(Some(row))?.map(|r| r.body)));
        rows.filter_map(Result::transpose).collect()
    }

    /// The first and last number among rows whose planned time (a session's start, an event's time) lies in
    /// `[from, to)`. None when there is none.
    pub fn seq_range(&self, from: Option<Wall>, to: Option<Wall>) -> Result<Option<(u64, u64)>, LogError> {
        let all = from.is_none() && to.is_none();
        let (from, to) = (from.map_or(i64::MIN, |w| w.0), to.map_or(i64::MAX, |w| w.0));
        let query = if all {
            // Two questions, so that each is answered from one end of the table.
            "SELECT (SELECT min(seq) FROM rows), (SELECT max(seq) FROM rows) WHERE ?1 < ?2"
        } else {
            "SELECT min(seq), max(seq) FROM rows WHERE planned_at_ms >= ?1 AND planned_at_ms < ?2"
        };
        let none = |r: &rusqlite::Row<'_>| r.get_ref(0).map(|v| v == ValueRef::Null);
        self.db
            .query_row(
                query,
                [from, to],
                |r| {
                    if none(r)? { Ok(None) } else { Ok(Some((number(r, 0)?, number(r, 1)?))) }
                },
            )
            .map_err(self.on_read())
    }

    /// Hands each row that passes the filter to `each`, by number, and holds no more than one. The number of
    /// rows handed on. `each` may end it with an error of its own.
    pub fn for_each_row<E: From<LogError>>(
        &self,
        filter: &RowFilter,
        mut each: impl FnMut(u64, &str) -> Result<(), E>,
    ) -> Result<u64, E> {
        let on = self.on_read();
        let (from, to) = if filter.every_type { (None, None) } else { (filter.from, filter.to) };
        // Two steps, so that rows come by number without being sorted: sorting would hold them all.
        let Some((mut first, mut last)) = self.seq_range(filter.from, filter.to)? else { return Ok(0) };
        if let Some((a, b)) = filter.numbers {
            (first, last) = (first.max(a), last.min(b));
        }
        let mut query = self
            .db
            .prepare_cached(
                "SELECT seq, body FROM rows NOT INDEXED WHERE seq BETWEEN ?1 AND ?2
                 AND (?5 OR type = 'airing')
                 AND (?3 IS NULL OR planned_at_ms >= ?3) AND (?4 IS NULL OR planned_at_ms < ?4) ORDER BY seq",
            )
            .map_err(&on)?;
        let mut rows = query
            .query(params![signed(first), signed(last), from.map(|w| w.0), to.map(|w| w.0), filter.every_type])
            .map_err(&on)?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(&on)? {
            let seq = number(row, 0).map_err(&on)?;
            let damaged = || LogError::Damaged { what: "row", path: self.path.clone() };
            let body = row.get_ref(1).map_err(&on)?.as_str().map_err(|_| damaged())?;
            if filter.looks_inside() && !filter.passes(&Row::parse(body).ok_or_else(damaged)?) {
                continue;
            }
            each(seq, body)?;
            count += 1;
        }
        Ok(count)
    }

    /// Hands each row with the columns beside it to `each`, by number: for verification. Rows on pages that cannot be
    /// read are left out; the error that hid the first of them comes at the end.
    pub fn for_each_raw<E: From<LogError>>(&self, mut each: impl FnMut(RawRow<'_>) -> Result<(), E>) -> Result<(), E> {
        // What a bad page hides is found by asking for later rows: one by one at first, then in longer steps.
        const ONE_BY_ONE: u64 = 64;
        let (mut last, mut step, mut hidden) = (0, 0, None);
        loop {
            let mut read = Ok(());
            let result = self.each_raw_after(last + step, &mut |row: RawRow<'_>| {
                (last, step) = (row.seq, 0);
                read = each(row);
                read.is_ok()
            });
            read?;
            let Err(error) = result else { break };
            if !error.is_damage() && !error.is_unreadable() {
                return Err(error.into());
            }
            hidden.get_or_insert(error);
            step = if step < ONE_BY_ONE { step + 1 } else { step * 2 };
            if last + step > i64::MAX as u64 / 2 {
                break;
            }
        }
        hidden.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The rows after a number, until `each` says no.
    fn each_raw_after(&self, after: u64, each: &mut dyn FnMut(RawRow<'_>) -> bool) -> Result<(), LogError> {
        let on = self.on_read();
        let mut query = self
            .db
            .prepare_cached(
                "SELECT seq, type, airing_id, event, planned_at_ms, session_start_ms, body, hash FROM rows
                 NOT INDEXED WHERE seq > ?1 ORDER BY seq",
            )
            .map_err(&on)?;
        // A number under 1 is a finding of its own.
        let after = if after == 0 { i64::MIN } else { signed(after) };
        let mut rows = query.query([after]).map_err(&on)?;
        while let Some(row) = rows.next().map_err(&on)? {
            let get = |i| row.get_ref(i).map_err(&on);
            let bytes = |value| match value {
                ValueRef::Text(b) | ValueRef::Blob(b) => b,
                _ => &[],
            };
            let (a, b, c, d, e) = (get(1)?, get(2)?, get(3)?, get(4)?, get(5)?);
            let index = || {
                Some(Index {
                    row_type: a.as_str().ok()?.into(),
                    airing_id: b.as_str_or_null().ok()?.map(Into::into),
                    event: c.as_str_or_null().ok()?.map(Into::into),
                    planned_at_ms: d.as_i64_or_null().ok()?,
                    session_start_ms: e.as_i64_or_null().ok()?,
                })
            };
            let more = each(RawRow {
                seq: u64::try_from(row.get::<_, i64>(0).map_err(&on)?).unwrap_or(0),
                index: index(),
                body: bytes(get(6)?),
                hash: bytes(get(7)?),
            });
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// What the search indexes hold, to be compared with what the rows say; none for one that is not in order.
    ///
    /// # Errors
    /// What reading says.
    pub fn indexed(&self) -> Result<Option<Indexed>, LogError> {
        let on = self.on_read();
        let mut indexed = Indexed::default();
        let mut in_order = true;
        let mut walk = |sql: &str, add: &mut dyn FnMut(&mut Indexed, u64, ValueRef<'_>) -> bool| {
            let mut query = self.db.prepare(sql)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                in_order &= add(&mut indexed, number(row, 1)?, row.get_ref(0)?);
            }
            Ok(())
        };
        let text = |value: ValueRef<'_>| value.as_str().map(str::to_owned).unwrap_or_default();
        let mut last = String::new();
        walk(
            "SELECT airing_id, seq FROM rows INDEXED BY rows_airing WHERE airing_id IS NOT NULL ORDER BY airing_id",
            &mut |indexed, seq, value| {
                let id = text(value);
                indexed.airing(seq, &id);
                let rises = last < id;
                last = id;
                rises
            },
        )
        .map_err(&on)?;
        let mut last = (String::new(), 0);
        walk(
            "SELECT event, seq FROM rows INDEXED BY rows_event WHERE event IS NOT NULL ORDER BY event, seq",
            &mut |indexed, seq, value| {
                let next = (text(value), seq);
                indexed.event(seq, &next.0);
                let rises = last < next;
                last = next;
                rises
            },
        )
        .map_err(&on)?;
        let mut last = (i64::MIN, 0);
        walk(
            "SELECT planned_at_ms, seq FROM rows INDEXED BY rows_planned ORDER BY planned_at_ms, seq",
            &mut |indexed, seq, value| {
                let next = (value.as_i64_or_null().ok().flatten().unwrap_or(i64::MIN), seq);
                indexed.planned(seq, next.0);
                let rises = last < next;
                last = next;
                rises
            },
        )
        .map_err(&on)?;
        Ok(in_order.then_some(indexed))
    }

    /// Whether what stands beside the rows is as the last commit left it: named values, sessions, intents. None when
    /// no commit has said so.
    ///
    /// # Errors
    /// What reading says.
    pub fn side_is_right(&self) -> Result<Option<bool>, LogError> {
        let on = self.on_read();
        let Some(noted) = meta(&self.db, CHECK).map_err(&on)? else { return Ok(None) };
        Ok(Some(noted == side_check(&self.db).map_err(&on)?))
    }

    /// Whether the database has the tables and indexes that it was made with.
    ///
    /// # Errors
    /// What reading says.
    pub fn form_is_right(&self) -> Result<bool, LogError> {
        let form = |db: &Connection| -> rusqlite::Result<Vec<[Option<String>; 4]>> {
            db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?
                .query_map([], |r| Ok([r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?]))?
                .collect()
        };
        let made = || {
            let db = Connection::open_in_memory()?;
            MIGRATIONS.iter().try_for_each(|step| db.execute_batch(step))?;
            form(&db)
        };
        Ok(form(&self.db).map_err(self.on_read())? == made().map_err(self.on_read())?)
    }

    /// Where the chain stood by the note in the file beside the database; none when it is of another log. To be read
    /// before the log is opened for reading: the daemon writes on.
    pub fn head_beside(path: &Path) -> Option<(String, Committed)> {
        salvage::noted(path).map(|noted| (noted.log_id, noted.at))
    }

    /// Copies the log as it was when this was opened into a new file, while the daemon writes on. The copy is bound to
    /// no machine: where it is restored, a new log begins. Where the copied chain stands.
    ///
    /// # Errors
    /// What reading or writing says; nothing usable is left then.
    pub fn copy_to(&self, file: &Path) -> Result<Committed, LogError> {
        let on = sqlite("copy", file);
        let _ = fs::remove_file(file);
        let mut copy = Connection::open(file).map_err(&on)?;
        rusqlite::backup::Backup::new(&self.db, &mut copy)
            .and_then(|b| b.run_to_completion(4_096, Duration::ZERO, None))
            .map_err(&on)?;
        // One file, nothing beside it.
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(&on)?;
        set_meta(&copy, "machine", RESTORED).and_then(|()| set_check(&copy)).map_err(&on)?;
        let at = head(&copy).map_err(&on)?;
        copy.close().map_err(|(_, e)| on(e))?;
        Ok(at)
    }

    /// What SQLite itself finds wrong with the file's pages, at most ten sentences. It sees few flipped bits: the
    /// chain is what proves the rows.
    pub fn quick_check(&self) -> Result<Vec<String>, LogError> {
        let mut query = self.db.prepare("PRAGMA quick_check(10)").map_err(self.on_read())?;
        let found: Vec<String> =
            query.query_map([], |r| r.get(0)).and_then(Iterator::collect).map_err(self.on_read())?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }
}

fn sqlite<'a>(what: &'static str, path: &'a Path) -> impl Fn(rusqlite::Error) -> LogError + 'a {
    move |source| LogError::Sqlite { what, path: path.to_owned(), source }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.len() > 0)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// A `file:` address, with everything escaped that means something in one.
fn file_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

fn user_version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |r| r.get(0))
}

fn meta(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?.query_row([name], |r| r.get(0)).optional()
}

fn set_meta(db: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value")?
        .execute([name, value])
        .map(drop)
}

/// Name of the value that proves the others: SHA-256 over everything beside the rows.
const CHECK: &str = "check";

/// What [`CHECK`] should say.
fn side_check(db: &Connection) -> rusqlite::Result<String> {
    let mut hasher = Sha256::new();
    for (sql, columns) in [
        ("SELECT name, value FROM meta WHERE name <> 'check' ORDER BY name", 2),
        ("SELECT name, value FROM named ORDER BY name", 2),
        ("SELECT key, body FROM sessions ORDER BY key", 2),
        ("SELECT airing_id, body, played_ms, boot_id, armed_at_ms FROM intents ORDER BY airing_id", 5),
    ] {
        let mut query = db.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        hasher.update(b"T");
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Integer(n) => {
                        hasher.update(b"I");
                        hasher.update(n.to_le_bytes());
                    }
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        hasher.update(b"B");
                        hasher.update((bytes.len() as u64).to_le_bytes());
                        hasher.update(bytes);
                    }
                    ValueRef::Null | ValueRef::Real(_) => hasher.update(b"N"),
                }
            }
        }
    }
    Ok(hex(&hasher.finalize()))
}

fn set_check(db: &Connection) -> rusqlite::Result<()> {
    set_meta(db, CHECK, &side_check(db)?)
}

fn head(db: &Connection) -> rusqlite::Result<Committed> {
    let last = db
        .prepare_cached("SELECT seq, hash FROM rows ORDER BY seq DESC LIMIT 1")?
        .query_row([], |r| Ok(Committed { seq: number(r, 0)?, head: r.get(1)? }))
        .optional()?;
    Ok(last.unwrap_or(Committed { seq: 0, head: [0; 32] }))
}

/// SQLite's numbers have a sign, ours do not.
fn number(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(at)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, value))
}

fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn manual_number(airing_id: &str) -> Option<u64> {
    airing_id.strip_prefix("manual/")?.parse().ok()
}

fn event_key(kind: EventKind) -> String {
    // An enum without content serialises to its name.
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn append(tx: &Transaction<'_>, entry: &Entry, stamp: &Stamp, zone: Zone) -> rusqlite::Result<Committed> {
    let row = seal(entry, stamp, zone);
    let hash = row.get("hash").and_then(Value::as_str).and_then(unhex32).unwrap_or_default();
    let body = Value::Object(row).to_string();
    // The columns are read from the text that is stored, by the same code that verifies them later.
    let parsed = Row::parse(&body);
    let index = parsed.as_ref().and_then(Index::of);
    let Some(index) = index else {
        return Err(rusqlite::Error::ToSqlConversionFailure("a sealed row does not read back".into()));
    };
    tx.prepare_cached("INSERT INTO rows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
        signed(stamp.seq),
        index.row_type,
        index.airing_id,
        index.event,
        index.planned_at_ms,
        index.session_start_ms,
        body,
        hash,
    ])?;
    if let Some(n) = index.airing_id.as_deref().and_then(manual_number) {
        let known = meta(tx, "manual")?.and_then(|m| m.parse::<u64>().ok()).unwrap_or(0);
        if n > known {
            set_meta(tx, "manual", &n.to_string())?;
        }
    }
    Ok(Committed { seq: stamp.seq, head: hash })
}

fn apply(tx: &Transaction<'_>, write: &Write, boot_id: &str, now: Wall) -> rusqlite::Result<()> {
    match write {
        Write::Append(_) | Write::Prune { .. } => Ok(()),
        Write::Intend { airing_id, body } => tx
            .prepare_cached(
                "INSERT INTO intents VALUES (?1, ?2, 0, ?3, ?4) ON CONFLICT DO UPDATE
                 SET body = excluded.body, boot_id = excluded.boot_id, armed_at_ms = excluded.armed_at_ms",
            )?
            .execute(params![airing_id, body.to_string(), boot_id, now.0])
            .map(drop),
        Write::Note { airing_id, played_ms } => tx
            .prepare_cached("UPDATE intents SET played_ms = ?2 WHERE airing_id = ?1")?
            .execute(params![airing_id, played_ms])
            .map(drop),
        Write::Close { airing_id } => {
            tx.prepare_cached("DELETE FROM intents WHERE airing_id = ?1")?.execute([airing_id]).map(drop)
        }
        Write::KeepSession { key, body } => tx
            .prepare_cached("INSERT INTO sessions VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = excluded.body")?
            .execute(params![key, body.to_string()])
            .map(drop),
        Write::ForgetSession { key } => {
            tx.prepare_cached("DELETE FROM sessions WHERE key = ?1")?.execute([key]).map(drop)
        }
        Write::Set { name, value: Value::Null } => {
            tx.prepare_cached("DELETE FROM named WHERE name = ?1")?.execute([name]).map(drop)
        }
        Write::Set { name, value } => tx
            .prepare_cached("INSERT INTO named VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value")?
            .execute(params![name, value.to_string()])
            .map(drop),
    }
}

/// Name of the value that says up to which row `export --chain` has written the log to a file.
pub const EXPORTED: &str = "exported";

/// Days removed at once at most: after a shorter `[log] keep` the rest follows on the days after.
const PRUNED_AT_ONCE_MS: i64 = 31 * DAY_MS;

/// Removes whole days from the oldest end: only what was planned before `before` and has been exported, and never the
/// last row. The event that says so.
fn prune(tx: &Transaction<'_>, before: Wall, zone: Zone, now: Wall) -> rusqlite::Result<Option<EventRow>> {
    let exported: Option<String> =
        tx.prepare_cached("SELECT value FROM named WHERE name = ?1")?.query_row([EXPORTED], |r| r.get(0)).optional()?;
    let exported = exported.and_then(|t| serde_json::from_str::<Value>(&t).ok()?["seq"].as_u64()).unwrap_or(0);
    let planned = |at: u64| {
        tx.prepare_cached("SELECT seq, planned_at_ms FROM rows WHERE seq >= ?1 ORDER BY seq LIMIT 1")?
            .query_row([signed(at)], |r| Ok((number(r, 0)?, Wall(r.get(1)?))))
            .optional()
    };
    let Some((first, oldest)) = planned(0)? else { return Ok(None) };
    let midnight = |at: Wall| zone.midnight(zone.date(at));
    let mut cut = midnight(before).min(midnight(oldest + PRUNED_AT_ONCE_MS));
    // The first row that has not been exported keeps its whole day.
    if let Some((_, at)) = planned(exported.saturating_add(1))? {
        cut = cut.min(midnight(at));
    }
    let kept: Option<i64> =
        tx.prepare_cached("SELECT min(seq) FROM rows WHERE planned_at_ms >= ?1")?.query_row([cut.0], |r| r.get(0))?;
    let Some(last) = kept.and_then(|k| u64::try_from(k).ok()?.checked_sub(1)).map(|l| l.min(exported)) else {
        return Ok(None);
    };
    if last < first {
        return Ok(None);
    }
    let gone = tx
        .prepare_cached("SELECT seq, hash FROM rows WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([signed(last)], |r| Ok((number(r, 0)?, r.get::<_, [u8; 32]>(1)?)))?;
    let removed = tx.prepare_cached("DELETE FROM rows WHERE seq <= ?1")?.execute([signed(last)])?;
    set_meta(tx, "pruned", &gone.0.to_string())?;
    let detail = json!({
        "last_seq": gone.0, "last_hash": hex(&gone.1), "first_seq": first, "rows": removed, "before": zone.rfc3339(cut),
    });
    let detail = detail.as_object().cloned().unwrap_or_default();
    Ok(Some(EventRow { event: EventKind::Prune, at: now, by: None, detail }))
}

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
        *self = AiringLog::mend(&path, identity, clock)?;
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

    /// Looks at every page of the log at `path` on a thread of its own that lets all others go first; what is damaged is
    /// mended. For a log that was too large to be looked at as a whole when it was opened, and from time to time.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn look_over(&self, path: &Path) -> std::io::Result<()> {
        let (shared, path) = (self.shared.clone(), path.to_owned());
        let look = move || {
            let _ = rustix::process::setpriority_process(None, 19);
            for last in [false, false, true] {
                let looked = AiringLog::open_read_only(&path).and_then(|log| log.quick_check());
                match looked {
                    Ok(found) if found.is_empty() => return,
                    // Whoever writes finds out what is wrong with the disk or the file as a whole.
                    Err(error) if !error.is_damage() && !error.is_unreadable() => return,
                    // A loose card may read on the next try.
                    _ if !last => std::thread::sleep(READ_PAUSE),
                    _ => {
                        shared.fails(LogError::Damaged { what: "page", path: path.clone() });
                        shared.lock().mend = true;
                        shared.changed.notify_all();
                    }
                }
            }
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
