//! Opening the log: made where there is none, looked over, mended, bound to its machine; or for reading only.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::proof::set_check;
use super::{
    AiringLog, Identity, LogError, beside, has_content, is_damage, machine_mark, meta, salvage, set_meta, sqlite,
};
use crate::domain::airing::hex;
use crate::domain::time::Clock;

/// `loxa`: what SQLite's header says this file is.
const APPLICATION_ID: i64 = 0x6c6f_7861;

/// One step of the database's form after the other; `user_version` counts those that have been taken.
pub(super) const MIGRATIONS: [&str; 1] = ["
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

/// In the place of a machine's mark in a copy made by `loaxa backup`: wherever it is restored, a new log begins. Two
/// logs that go on from one row would contradict each other.
pub(super) const RESTORED: &str = "restored";

/// Up to this size of the database every page is looked at when it is opened for writing, bytes: a second or two on a
/// slow card. A larger one is looked over once the station runs ([`LogWriter::look_over`](super::LogWriter::look_over)).
const LOOKED_AT_WHOLE: u64 = 64 << 20;

/// What cannot be read in so many tries is lost.
const READ_TRIES: u32 = 3;
/// The pause between two of them.
pub(super) const READ_PAUSE: Duration = Duration::from_millis(300);

/// Random bytes from the kernel, in hexadecimal.
pub(super) fn random_hex<const N: usize>() -> std::io::Result<String> {
    let mut bytes = [0; N];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex(&bytes))
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

    pub(super) fn migrate(db: &Connection, path: &Path) -> Result<(), LogError> {
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
}
