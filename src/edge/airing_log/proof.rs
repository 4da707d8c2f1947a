//! What `verify` and the look over need to prove the file: raw rows, search indexes, the check over what stands
//! beside the rows, pages and tables.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};

use super::opening::MIGRATIONS;
use super::{AiringLog, Committed, LogError, meta, number, salvage, set_meta, signed, sqlite};
use crate::domain::airing::hex;
use crate::domain::chain::{Index, Scratch, examine};

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

/// Name of the value that proves the others: SHA-256 over everything beside the rows.
pub(super) const CHECK: &str = "check";

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

pub(super) fn set_check(db: &Connection) -> rusqlite::Result<()> {
    set_meta(db, CHECK, &side_check(db)?)
}

impl AiringLog {
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

    /// What SQLite itself finds wrong with the file's pages, at most ten sentences. It sees few flipped bits: the
    /// chain is what proves the rows.
    pub fn quick_check(&self) -> Result<Vec<String>, LogError> {
        let mut query = self.db.prepare("PRAGMA quick_check(10)").map_err(self.on_read())?;
        let found: Vec<String> =
            query.query_map([], |r| r.get(0)).and_then(Iterator::collect).map_err(self.on_read())?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// The same, and every few hundred pages `rest` is called, which may wait; it says whether to go on. None when not.
    ///
    /// # Errors
    /// What reading says.
    pub fn quick_check_at_leisure(
        &mut self,
        mut rest: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Option<Vec<String>>, LogError> {
        let path = self.path.clone();
        let on = sqlite("read", &path);
        let stopped = Arc::new(AtomicBool::new(false));
        let told = stopped.clone();
        let tired = move || {
            let stop = !rest();
            told.fetch_or(stop, Ordering::Relaxed);
            stop
        };
        self.db.progress_handler(STEPS_AT_ONCE, Some(tired)).map_err(&on)?;
        let found = self.quick_check();
        self.db.progress_handler(0, None::<fn() -> bool>).map_err(&on)?;
        if stopped.load(Ordering::Relaxed) {
            return Ok(None);
        }
        found.map(Some)
    }

    /// Proves the rows after a number, so many at most: each by its own hash, and that it hangs on the row before where
    /// that is there. What rules hold from row to row beyond that, `loaxa verify` says.
    ///
    /// # Errors
    /// What reading says.
    pub fn prove_some(&self, after: u64, most: usize) -> Result<Proven, LogError> {
        let mut proven = Proven::default();
        let mut before = (after, self.hash_at(after)?);
        let mut scratch = Scratch::default();
        self.each_raw_after(after, &mut |row: RawRow<'_>| {
            let columns = row.index.as_ref().map(|index| (row.seq, index, row.hash));
            let text = std::str::from_utf8(row.body).unwrap_or_default();
            let found = examine(text, columns, &mut scratch);
            // The hash kept beside a row is what the next one hangs on.
            let hangs = match before {
                (seq, Some(hash)) if seq + 1 == row.seq => found.hangs_on() == Some(hash),
                _ => true,
            };
            if !found.is_unbroken() || columns.is_none() || !hangs {
                proven.broken.push(row.seq);
            }
            before = (row.seq, row.hash.try_into().ok());
            proven.rows += 1;
            proven.last = row.seq;
            (proven.rows as usize) < most
        })?;
        Ok(proven)
    }
}

/// SQLite does so many steps, or looks at so many pages, before it asks whether to go on.
const STEPS_AT_ONCE: i32 = 300;

/// What came of rows that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// How many.
    pub rows: u64,
    /// Number of the last one; 0 when there was none.
    pub last: u64,
    /// Those that do not prove themselves.
    pub broken: Vec<u64>,
}
