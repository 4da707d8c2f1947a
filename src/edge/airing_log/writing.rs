//! Writing the log: one transaction a batch, rows appended to the chain, old days removed.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::{Value, json};

use super::proof::set_check;
use super::reading::manual_number;
use super::{AiringLog, Committed, LogError, head, meta, number, salvage, set_meta, signed, sqlite};
use crate::domain::airing::{Entry, EventKind, EventRow, Stamp, Write, hex, seal, unhex32};
use crate::domain::chain::{Index, Row};
use crate::domain::time::{DAY_MS, Wall, Zone};

pub(super) fn append(tx: &Transaction<'_>, entry: &Entry, stamp: &Stamp, zone: Zone) -> rusqlite::Result<Committed> {
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

impl AiringLog {
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
    pub(super) fn commit_once(&mut self, batch: &str, writes: &[Write]) -> Result<Committed, LogError> {
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
        let stamp_after = |last: &Committed| Stamp {
            seq: last.seq + 1,
            station_id: identity.station_id.clone(),
            device_id: identity.device_id.clone(),
            log_id: self.log_id.clone(),
            boot_id: identity.boot_id.clone(),
            recorded_at: now,
            prev_hash: last.head,
        };
        let before = last;
        for write in writes {
            match write {
                Write::Append(entry) => {
                    last = append(&tx, entry, &stamp_after(&last), identity.zone).map_err(|error| {
                        match (&error, entry) {
                            (rusqlite::Error::SqliteFailure(e, _), Entry::Airing(airing))
                                if e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
                            {
                                LogError::Twice { airing_id: airing.airing_id.clone() }
                            }
                            _ => on(error),
                        }
                    })?;
                }
                Write::Prune { before } => {
                    if let Some(event) = prune(&tx, *before, identity.zone, now).map_err(&on)? {
                        last = append(&tx, &Entry::Event(event), &stamp_after(&last), identity.zone).map_err(&on)?;
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
}
