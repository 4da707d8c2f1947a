//! The airing log in SQLite: what is about to sound, what became of everything planned, one chain of rows that
//! is only ever appended to. `docs/airing-log.md` says what stands where and why.
//!
//! [`AiringLog`] is the database on the calling thread. [`LogWriter`] owns one on a thread of its own, so that
//! nothing that has a due second ever waits for a disk: while the disk fails it keeps what was handed in, in
//! order, and writes it when the disk heals (invariant 2).

mod opening;
mod pages;
mod proof;
mod reading;
mod salvage;
mod writer;
mod writing;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::proof::{Indexed, Proven, RawRow};
pub use self::reading::{StoredIntent, StoredRow, StoredSession};
pub use self::writer::{Committer, LogEvent, LogHealth, LogWriter, MAX_QUEUED_ROWS, Opener};
pub use self::writing::EXPORTED;
use crate::domain::airing::{EventKind, hex};
use crate::domain::text::Text;
use crate::domain::time::{Clock, Zone};

/// The database's name inside the state folder.
pub const FILE_NAME: &str = "loaxa.db";

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

/// Where the chain stands: the last number (0 before the first row) and hash (32 zero bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number of the last row.
    pub seq: u64,
    /// Its hash.
    pub head: [u8; 32],
}

/// The database, opened for writing by one daemon or for reading by anybody.
pub struct AiringLog {
    path: PathBuf,
    db: Connection,
    writer: Option<(Identity, Arc<dyn Clock>)>,
    log_id: String,
}

impl AiringLog {
    /// The id made with the database.
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    fn on_read(&self) -> impl Fn(rusqlite::Error) -> LogError + '_ {
        sqlite("read", &self.path)
    }

    fn value(&self, what: &'static str, text: &str) -> Result<Value, LogError> {
        serde_json::from_str(text).map_err(|_| LogError::Damaged { what, path: self.path.clone() })
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

fn meta(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?.query_row([name], |r| r.get(0)).optional()
}

fn set_meta(db: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value")?
        .execute([name, value])
        .map(drop)
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

fn event_key(kind: EventKind) -> String {
    // An enum without content serialises to its name.
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
