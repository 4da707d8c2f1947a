//! A log that cannot go on as it is: a damaged database is mended, one that came with a card from another machine
//! is closed and a new one begun.
//!
//! SQLite finds rows by walking down from a root, so one bad page high up hides thousands of good ones. Here every
//! page of the file is looked at by itself, the committed part of the write-ahead log laid over it, and a record is
//! taken for a row when its own hash says that it is one. The new database is built beside the old and takes its
//! place by steps of which each can be cut: `docs/airing-log.md` lists them.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use serde_json::{Map, Value, json};

use super::pages::{Field, Found, Pages, Proved};
use super::proof::{CHECK, set_check};
use super::reading::manual_number;
use super::writing::append;
use super::{AiringLog, Committed, Identity, LogError, beside, hex, set_meta, signed, sqlite};
use crate::domain::airing::{Entry, EventKind, EventRow, Stamp, unhex32};
use crate::domain::time::Clock;

/// A repair row names at most so many holes; what is more is one hole from the first of the rest to the last.
const MOST_HOLES: usize = 200;

/// Where the chain stood, by the note in a file of its own beside the database.
pub(super) struct Noted {
    pub(super) log_id: String,
    pub(super) at: Committed,
}

fn head_path(path: &Path) -> PathBuf {
    path.with_extension("head")
}

/// The note beside the database. It is written after each commit and not flushed: a hint that can lag, never lead.
pub(super) fn noted(path: &Path) -> Option<Noted> {
    let text = fs::read_to_string(head_path(path)).ok()?;
    let mut words = text.split_whitespace();
    let (log_id, seq, head) = (words.next()?, words.next()?, words.next()?);
    let whole = log_id.len() == 32 && text.ends_with('\n');
    let at = Committed { seq: seq.parse().ok()?, head: unhex32(head)? };
    whole.then(|| Noted { log_id: log_id.to_owned(), at })
}

/// Writes the note. That it fails is no failure of the log.
pub(super) fn note(path: &Path, log_id: &str, at: Committed) {
    let _ = fs::write(head_path(path), format!("{log_id} {:020} {}\n", at.seq, hex(&at.head)));
}

fn io_error<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> LogError + 'a {
    move |source| LogError::Io { what, path: path.to_owned(), source }
}

fn sync_folder(path: &Path) -> Result<(), LogError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(io_error("fsync", folder))
}

fn remove(path: &Path) -> Result<(), LogError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Gives a file a second name; on a file system without such names, copies it.
fn keep_as(from: &Path, to: &Path) -> io::Result<()> {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to)?;
        File::open(to)?.sync_all()?;
    }
    Ok(())
}

/// Ends a change of database that was cut: from the moment the new one is whole, it counts.
pub(super) fn finish_switch(path: &Path) -> Result<(), LogError> {
    let whole = beside(path, ".mended");
    if !whole.exists() {
        return Ok(());
    }
    // First what belongs to the old one: SQLite would lay it over the new.
    remove(&beside(path, "-wal"))?;
    remove(&beside(path, "-shm"))?;
    fs::rename(&whole, path).map_err(io_error("rename", path))?;
    sync_folder(path)
}

/// Whether a file that does not look like a log holds rows of one all the same.
pub(super) fn holds_rows(path: &Path) -> bool {
    Pages::open(path).is_ok_and(|pages| pages.first_row().is_some())
}

/// What stands beside the rows.
#[derive(Default)]
struct Beside {
    meta: HashMap<String, String>,
    named: HashMap<String, String>,
    sessions: HashMap<String, String>,
    intents: HashMap<String, (String, i64, String, i64)>,
}

impl Beside {
    /// By SQLite, as far as it gets. Whether it got to the end of all.
    fn read(&mut self, path: &Path) -> bool {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let Ok(db) = Connection::open_with_flags(path, flags) else { return false };
        let pairs = |table: &str, into: &mut HashMap<String, String>| -> rusqlite::Result<()> {
            let mut query = db.prepare(&format!("SELECT * FROM {table}"))?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                into.insert(row.get(0)?, row.get(1)?);
            }
            Ok(())
        };
        let intents = |into: &mut HashMap<String, _>| -> rusqlite::Result<()> {
            let mut query = db.prepare("SELECT * FROM intents")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                into.insert(row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
            }
            Ok(())
        };
        let read = [
            pairs("meta", &mut self.meta),
            pairs("named", &mut self.named),
            pairs("sessions", &mut self.sessions),
            intents(&mut self.intents),
        ];
        read.iter().all(Result::is_ok)
    }

    /// From the pages themselves what SQLite could not reach.
    fn take(&mut self, record: Vec<Field>) {
        match record.as_slice() {
            [Field::Text(key), Field::Text(value)] => {
                let table = match key.as_str() {
                    "log_id" | "head" | "last_batch" | "manual" | "machine" | "pruned" | CHECK => &mut self.meta,
                    other if other.matches('/').count() >= 2 => &mut self.sessions,
                    _ => &mut self.named,
                };
                table.entry(key.clone()).or_insert_with(|| value.clone());
            }
            [Field::Text(id), Field::Text(body), Field::Int(played), Field::Text(boot), Field::Int(armed)] => {
                let intent = (body.clone(), *played, boot.clone(), *armed);
                self.intents.entry(id.clone()).or_insert(intent);
            }
            _ => {}
        }
    }

    /// `manual` is the highest number of a play by hand among the rows.
    fn write(&self, tx: &Transaction<'_>, manual: u64) -> rusqlite::Result<()> {
        let whole = |text: &str| serde_json::from_str::<Value>(text).is_ok();
        if let Some(pruned) = self.meta.get("pruned") {
            set_meta(tx, "pruned", pruned)?;
        }
        for (name, value) in self.named.iter().filter(|(_, v)| whole(v)) {
            tx.execute("INSERT INTO named VALUES (?1, ?2)", [name, value])?;
        }
        for (key, body) in self.sessions.iter().filter(|(_, v)| whole(v)) {
            tx.execute("INSERT INTO sessions VALUES (?1, ?2)", [key, body])?;
        }
        for (id, (body, played, boot, armed)) in self.intents.iter().filter(|(_, v)| whole(&v.0)) {
            tx.execute("INSERT INTO intents VALUES (?1, ?2, ?3, ?4, ?5)", params![id, body, played, boot, armed])?;
        }
        if let Some(batch) = self.meta.get("last_batch") {
            set_meta(tx, "last_batch", batch)?;
        }
        let noted = self.meta.get("manual").and_then(|m| m.parse::<u64>().ok());
        let highest = noted.unwrap_or(0).max(manual);
        if highest > 0 {
            set_meta(tx, "manual", &highest.to_string())?;
        }
        Ok(())
    }

    fn head(&self) -> Option<Committed> {
        let (seq, hash) = self.meta.get("head")?.split_once(':')?;
        Some(Committed { seq: seq.parse().ok()?, head: unhex32(hash)? })
    }
}

/// A name beside the database that nobody has yet.
fn free_name(path: &Path, ending: &str) -> PathBuf {
    let first = beside(path, ending);
    let mut names = std::iter::once(first.clone()).chain((2..1_000).map(|n| beside(path, &format!("{ending}-{n}"))));
    names.find(|p| !p.exists()).unwrap_or(first)
}

fn shown(path: &Path) -> Value {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned().into()
}

/// Builds a database beside `path` by `fill`, which gives back the event to append and where the chain stood before
/// it, and puts it in the place of the old one.
fn replace(
    path: &Path,
    identity: &Identity,
    clock: &dyn Clock,
    fill: impl FnOnce(&Transaction<'_>, &str) -> Result<(String, Committed, Map<String, Value>), LogError>,
) -> Result<(), LogError> {
    let fresh = beside(path, ".mending");
    remove(&fresh)?;
    remove(&beside(&fresh, "-journal"))?;
    let on = sqlite("mend", &fresh);
    {
        let db = Connection::open(&fresh).map_err(&on)?;
        // Flushed as a whole below; a cut before that leaves nothing but a file to be removed.
        db.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;
                          PRAGMA cache_size = -8192;",
        )
        .map_err(&on)?;
        AiringLog::migrate(&db, &fresh)?;
        let made: String =
            db.query_row("SELECT value FROM meta WHERE name = 'log_id'", [], |r| r.get(0)).map_err(&on)?;
        let tx = Transaction::new_unchecked(&db, TransactionBehavior::Immediate).map_err(&on)?;
        let (log_id, before, detail) = fill(&tx, &made)?;
        let now = clock.now().wall();
        let stamp = Stamp {
            seq: before.seq + 1,
            station_id: identity.station_id.clone(),
            device_id: identity.device_id.clone(),
            log_id: log_id.clone(),
            boot_id: identity.boot_id.clone(),
            recorded_at: now,
            prev_hash: before.head,
        };
        let event = Entry::Event(EventRow { event: EventKind::Repair, at: now, by: None, detail });
        let last = append(&tx, &event, &stamp, identity.zone).map_err(&on)?;
        set_meta(&tx, "log_id", &log_id).map_err(&on)?;
        set_meta(&tx, "head", &format!("{}:{}", last.seq, hex(&last.head))).map_err(&on)?;
        set_check(&tx).map_err(&on)?;
        tx.commit().map_err(&on)?;
        db.close().map_err(|(_, e)| on(e))?;
    }
    File::open(&fresh).and_then(|f| f.sync_all()).map_err(io_error("fsync", &fresh))?;
    let whole = beside(path, ".mended");
    fs::rename(&fresh, &whole).map_err(io_error("rename", &whole))?;
    sync_folder(path)?;
    finish_switch(path)
}

/// Keeps the damaged database beside, builds a new one of what can still be read, and appends a row that says what
/// could not. Numbers go on from the highest that is known.
pub(super) fn mend(path: &Path, identity: &Identity, clock: &dyn Clock) -> Result<(), LogError> {
    let stamp = chrono::DateTime::from_timestamp_millis(clock.now().wall().0).unwrap_or_default();
    let aside = free_name(path, &format!(".damaged-{}", stamp.format("%Y%m%dT%H%M%SZ")));
    let wal = beside(path, "-wal");
    if path.exists() {
        keep_as(path, &aside).map_err(io_error("keep", &aside))?;
    }
    if wal.exists() {
        keep_as(&wal, &beside(&aside, "-wal")).map_err(io_error("keep", &aside))?;
    }
    let noted = noted(path);
    let result = replace(path, identity, clock, |tx, made| {
        let on = sqlite("mend", path);
        let mut kept = Beside::default();
        let pages = Pages::open(&aside).ok();
        let whole = aside.exists() && kept.read(&aside);
        let log_id = kept.meta.get("log_id").cloned();
        let log_id = log_id.or_else(|| pages.as_ref()?.first_row().map(|row| row.log_id));
        let log_id = log_id.or_else(|| noted.as_ref().map(|n| n.log_id.clone())).unwrap_or_else(|| made.to_owned());
        let mut numbers = Numbers::default();
        let (mut told, mut manual) = (0, 0);
        if let Some(pages) = &pages {
            let mut insert = tx.prepare(INSERT).map_err(&on)?;
            let mut failed = None;
            let mut take = |row: Proved| -> rusqlite::Result<()> {
                if row.log_id != log_id {
                    return Ok(());
                }
                told = told.max(row.pruned.unwrap_or(0));
                if numbers.has(row.seq) {
                    return Ok(());
                }
                let Proved { seq, index, body, hash, .. } = row;
                let (planned, start) = (index.planned_at_ms, index.session_start_ms);
                let row =
                    params![signed(seq), index.row_type, index.airing_id, index.event, planned, start, body, hash];
                if insert.execute(row)? == 1 {
                    numbers.add(seq);
                    manual = manual.max(index.airing_id.as_deref().and_then(manual_number).unwrap_or(0));
                }
                Ok(())
            };
            let read = pages.salvage(!whole, |found| {
                match found {
                    Found::Row(row) => failed = take(row).err(),
                    Found::Beside(record) => kept.take(record),
                }
                failed.is_none()
            });
            if let Some(error) = failed {
                return Err(on(error));
            }
            read.map_err(io_error("read", &aside))?;
        }
        // Without the row that tells of pruning, the repair row tells of those rows as well.
        let pruned = told.max(kept.meta.get("pruned").and_then(|p| p.parse().ok()).unwrap_or(0));
        // A page given back keeps what was in it: rows that were pruned do not come back.
        if numbers.first().is_some_and(|first| first <= pruned) {
            tx.execute("DELETE FROM rows WHERE seq <= ?1", [signed(pruned)]).map_err(&on)?;
            numbers.cut(pruned);
        }
        kept.write(tx, manual).map_err(&on)?;
        let (mut holes, next) = numbers.holes(told + 1);
        let count = numbers.count();
        let salvaged = super::head(tx).map_err(&on)?;
        let known = [kept.head(), noted.filter(|n| n.log_id == log_id).map(|n| n.at)];
        let before = known.into_iter().flatten().fold(salvaged, |a, b| if b.seq > a.seq { b } else { a });
        if before.seq >= next {
            holes.push((next, before.seq));
        }
        let lost: u64 = holes.iter().map(|(a, b)| b - a + 1).sum();
        if holes.len() > MOST_HOLES
            && let Some((_, end)) = holes.last().copied()
        {
            holes.truncate(MOST_HOLES);
            if let Some(last) = holes.last_mut() {
                last.1 = end;
            }
        }
        let detail = json!({
            "what": "damaged", "file": shown(&aside), "salvaged": count, "missing_rows": lost, "missing": holes,
            "old_seq": before.seq, "old_head": hex(&before.head),
        });
        Ok((log_id, before, detail.as_object().cloned().unwrap_or_default()))
    });
    if result.is_err() && path.exists() && !beside(path, ".mended").exists() {
        // Tried again later: no second names until then.
        let _ = fs::remove_file(&aside);
        let _ = fs::remove_file(beside(&aside, "-wal"));
    }
    result
}

/// Of two rows of one number or one airing the first stays.
const INSERT: &str = "INSERT OR IGNORE INTO rows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Which rows there are: from each first number to the last of those that follow it without a hole.
#[derive(Default)]
struct Numbers(BTreeMap<u64, u64>);

impl Numbers {
    fn has(&self, seq: u64) -> bool {
        self.0.range(..=seq).next_back().is_some_and(|(_, last)| *last >= seq)
    }

    fn add(&mut self, seq: u64) {
        let last = self.0.remove(&(seq + 1)).unwrap_or(seq);
        match self.0.range_mut(..seq).next_back() {
            Some((_, end)) if *end + 1 == seq => *end = last,
            _ => drop(self.0.insert(seq, last)),
        }
    }

    fn first(&self) -> Option<u64> {
        self.0.first_key_value().map(|(first, _)| *first)
    }

    /// Takes out all up to a number.
    fn cut(&mut self, seq: u64) {
        let mut rest = self.0.split_off(&(seq + 1));
        if let Some((_, last)) = self.0.last_key_value().filter(|(_, last)| **last > seq) {
            rest.insert(seq + 1, *last);
        }
        self.0 = rest;
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// What is missing from a number on, and the number after the last.
    fn holes(&self, from: u64) -> (Vec<(u64, u64)>, u64) {
        let (mut holes, mut next) = (Vec::new(), from);
        for (first, last) in &self.0 {
            if *first > next {
                holes.push((next, first - 1));
            }
            next = last + 1;
        }
        (holes, next)
    }
}

/// Begins a new log in the place of one that came from elsewhere: `why` is `other_machine` or `restored`. The old
/// file is kept beside; what is under way goes on in the new one.
pub(super) fn begin_anew(path: &Path, identity: &Identity, clock: &dyn Clock, why: &str) -> Result<(), LogError> {
    let on = sqlite("open", path);
    let mut kept = Beside::default();
    let (old_id, old) = {
        let db = Connection::open(path).map_err(&on)?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(&on)?;
        let old_id = super::meta(&db, "log_id").map_err(&on)?.unwrap_or_default();
        (old_id, super::head(&db).map_err(&on)?)
    };
    if !kept.read(path) {
        return Err(LogError::Damaged { what: "table", path: path.to_owned() });
    }
    let ending: String = old_id.chars().take(8).collect();
    let aside = free_name(path, &format!(".log-{ending}"));
    keep_as(path, &aside).map_err(io_error("keep", &aside))?;
    let result = replace(path, identity, clock, |tx, made| {
        kept.named.remove("exported");
        kept.write(tx, 0).map_err(sqlite("mend", path))?;
        let detail = json!({
            "what": why, "file": shown(&aside), "old_log_id": old_id, "old_seq": old.seq, "old_head": hex(&old.head),
        });
        let none = Committed { seq: 0, head: [0; 32] };
        Ok((made.to_owned(), none, detail.as_object().cloned().unwrap_or_default()))
    });
    if result.is_err() && !beside(path, ".mended").exists() {
        let _ = fs::remove_file(&aside);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_know_what_is_missing_in_whatever_order_they_come() {
        let mut numbers = Numbers::default();
        for seq in [5, 3, 4, 9, 7, 8, 1] {
            assert!(!numbers.has(seq));
            numbers.add(seq);
            assert!(numbers.has(seq));
        }
        assert_eq!((numbers.count(), numbers.first()), (7, Some(1)));
        assert_eq!(numbers.holes(1), (vec![(2, 2), (6, 6)], 10));
        numbers.cut(4);
        assert!(!numbers.has(4) && numbers.has(5));
        assert_eq!(numbers.holes(5), (vec![(6, 6)], 10));
        numbers.cut(20);
        assert_eq!((numbers.count(), numbers.holes(21)), (0, (vec![], 21)));
    }
}
