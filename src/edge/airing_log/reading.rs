//! Reading the log: what is under way, named values, rows by number, by time and by kind.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

use super::opening::RESTORED;
use super::proof::set_check;
use super::{AiringLog, Committed, LogError, event_key, head, meta, number, set_meta, signed, sqlite};
use crate::domain::airing::{EventKind, unhex32};
use crate::domain::chain::Row;
use crate::domain::keyring::KEYS;
use crate::domain::report::RowFilter;
use crate::domain::signature::URGENT;
use crate::domain::time::Wall;

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

pub(super) fn manual_number(airing_id: &str) -> Option<u64> {
    airing_id.strip_prefix("manual/")?.parse().ok()
}

impl AiringLog {
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
}
