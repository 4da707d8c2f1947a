//! The pages of a database looked at one by one, without SQLite: records of tables and indexes, and the rows of the
//! chain among them that their own hashes prove.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use serde_json::Value;

use super::{beside, has_content, signed};
use crate::domain::chain::{Index, Row, Scratch};

/// A value of a record.
pub(super) enum Field {
    Null,
    Int(i64),
    Text(String),
    Other,
}

/// Pages looked at in one go.
const PART: usize = 64;
/// Threads that look at pages, at most: what they send waits in memory.
const MOST_THREADS: usize = 4;

/// A row of the chain that its own hash proves.
pub(super) struct Proved {
    pub(super) seq: u64,
    pub(super) log_id: String,
    pub(super) index: Index<'static>,
    pub(super) body: String,
    pub(super) hash: [u8; 32],
    /// Of a row that tells of pruning: the last number that was removed.
    pub(super) pruned: Option<u64>,
}

/// What stands on a page.
pub(super) enum Found {
    Row(Proved),
    /// A record of what has no rowid: what stands beside the rows, or an index.
    Beside(Vec<Field>),
}

/// A record as a row, when its own hash says that it is one.
fn proved(rowid: i64, record: Vec<Field>, scratch: &mut Scratch) -> Option<Proved> {
    if !matches!(record.as_slice(), [Field::Null, .., Field::Text(_), _]) {
        return None;
    }
    let Some(Field::Text(body)) = record.into_iter().rev().nth(1) else { return None };
    let row = Row::parse(&body)?;
    let (seq, prev, hash) = (row.seq()?, row.hash("prev_hash")?, row.hash("hash")?);
    if signed(seq) != rowid || row.recomputed_hash(&prev, scratch) != Some(hash) {
        return None;
    }
    let index = Index::of(&row)?.into_owned();
    let tells = index.event.as_deref() == Some("prune");
    let detail = row.raw("detail").filter(|_| tells).and_then(|d| serde_json::from_str::<Value>(d).ok());
    let pruned = detail.and_then(|d| d["last_seq"].as_u64());
    let log_id = row.text("log_id")?.into_owned();
    Some(Proved { seq, log_id, index, body, hash, pruned })
}

/// The pages of a database with the committed part of its write-ahead log laid over them.
pub(super) struct Pages {
    file: File,
    size: usize,
    count: u32,
    wal: Option<File>,
    over: HashMap<u32, u64>,
    /// Where pages stand in the write-ahead log behind a bad frame: no longer proved by its sums, but a row proves
    /// itself.
    loose: Vec<u64>,
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

impl Pages {
    pub(super) fn open(path: &Path) -> io::Result<Pages> {
        let file = File::open(path)?;
        let mut header = [0; 18];
        let told = match file.read_exact_at(&mut header, 0) {
            Ok(()) if header.starts_with(b"SQLite format 3\0") => be16(&header, 16).unwrap_or(0),
            _ => 0,
        };
        // What SQLite makes when nobody asks for anything else, as here.
        let size = if told.is_power_of_two() && told >= 512 { told } else { 4096 };
        let count = u32::try_from(file.metadata()?.len() / size as u64).unwrap_or(u32::MAX);
        let mut pages = Pages { file, size, count, wal: None, over: HashMap::new(), loose: Vec::new() };
        let wal = beside(path, "-wal");
        if has_content(&wal) {
            let wal = File::open(wal)?;
            (pages.over, pages.loose) = frames(&wal, size).unwrap_or_default();
            pages.count = pages.over.keys().copied().fold(pages.count, u32::max);
            pages.wal = Some(wal);
        }
        Ok(pages)
    }

    fn read(&self, number: u32) -> Option<Vec<u8>> {
        let mut page = vec![0; self.size];
        match (self.over.get(&number), &self.wal) {
            (Some(at), Some(wal)) => wal.read_exact_at(&mut page, *at).ok()?,
            _ => self.file.read_exact_at(&mut page, u64::from(number.checked_sub(1)?) * self.size as u64).ok()?,
        }
        Some(page)
    }

    /// Every record on the leaf pages of tables and, with `beside`, on the pages of what has no rowid: of one page.
    fn records(&self, page: &[u8], beside: bool, each: &mut dyn FnMut(Option<i64>, Vec<Field>)) {
        // Where its cells are listed, and what stands in each before its length.
        let (table, list, ahead) = match page[0] {
            0x0d => (true, 8, 0),
            0x0a if beside => (false, 8, 0),
            0x02 if beside => (false, 12, 4),
            _ => return,
        };
        let cells = be16(page, 3).unwrap_or(0).min(self.size / 4);
        for cell in 0..cells {
            let Some(at) = be16(page, list + 2 * cell) else { break };
            if let Some((rowid, payload)) = self.cell(page, at + ahead, table)
                && let Some(record) = fields(&payload)
            {
                each(table.then_some(rowid), record);
            }
        }
    }

    /// What one page holds.
    fn look(&self, page: &[u8], beside: bool, scratch: &mut Scratch, found: &mut Vec<Found>) {
        self.records(page, beside, &mut |rowid, record| match rowid {
            Some(rowid) => found.extend(proved(rowid, record, scratch).map(Found::Row)),
            None => found.push(Found::Beside(record)),
        });
    }

    /// The first row of the chain that its own hash proves.
    pub(super) fn first_row(&self) -> Option<Proved> {
        let (mut scratch, mut found) = (Scratch::default(), Vec::new());
        for number in 2..=self.count {
            if let Some(page) = self.read(number) {
                self.look(&page, false, &mut scratch, &mut found);
            }
            if let Some(Found::Row(row)) = found.pop() {
                return Some(row);
            }
        }
        None
    }

    /// Hands on every row of the chain that its own hash proves and, with `beside`, the records of what has no rowid, in
    /// the order of the pages, until `each` says no. Several threads read and prove, as gently as the one that asks; some
    /// megabytes are in use whatever the size of the file.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub(super) fn salvage(&self, beside: bool, mut each: impl FnMut(Found) -> bool) -> io::Result<()> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, MOST_THREADS);
        std::thread::scope(|scope| {
            let mut results = Vec::new();
            for first in 0..threads {
                let (done, result) = sync_channel(1);
                results.push(result);
                std::thread::Builder::new().name("log-mend".into()).stack_size(256 * 1024).spawn_scoped(
                    scope,
                    move || {
                        let mut scratch = Scratch::default();
                        for part in (first..self.parts()).step_by(threads) {
                            let mut found = Vec::new();
                            self.look_at_part(part, beside, &mut scratch, &mut found);
                            if done.send(found).is_err() {
                                return;
                            }
                        }
                    },
                )?;
            }
            for part in 0..self.parts() {
                let Ok(found) = results[part % threads].recv() else { break };
                if !found.into_iter().all(&mut each) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// In how many parts the file is looked at; the last one is what stands behind a bad frame.
    fn parts(&self) -> usize {
        self.count as usize / PART + 2
    }

    fn look_at_part(&self, part: usize, beside: bool, scratch: &mut Scratch, found: &mut Vec<Found>) {
        let mut page = vec![0; self.size];
        if part + 1 == self.parts() {
            for at in &self.loose {
                if self.wal.as_ref().is_some_and(|wal| wal.read_exact_at(&mut page, *at).is_ok()) {
                    self.look(&page, false, scratch, found);
                }
            }
            return;
        }
        let first = (part * PART) as u64;
        let mut together = vec![0; PART * self.size];
        let whole = self.file.read_exact_at(&mut together, first * self.size as u64).is_ok();
        for (number, read) in (first + 1..).zip(together.chunks_exact(self.size)) {
            let Some(number) = u32::try_from(number).ok().filter(|n| (2..=self.count).contains(n)) else { continue };
            if whole && !self.over.contains_key(&number) {
                self.look(read, beside, scratch, found);
            } else if let Some(page) = self.read(number) {
                self.look(&page, beside, scratch, found);
            }
        }
    }

    fn cell(&self, page: &[u8], mut at: usize, table: bool) -> Option<(i64, Vec<u8>)> {
        let length = usize::try_from(varint(page, &mut at)?).ok()?;
        let rowid = if table { varint(page, &mut at)? as i64 } else { 0 };
        if length > 64 << 20 {
            return None;
        }
        let usable = self.size;
        let least = (usable - 12) * 32 / 255 - 23;
        let most = if table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
        let here = match length {
            short if short <= most => short,
            long => {
                let fits = least + (long - least) % (usable - 4);
                if fits <= most { fits } else { least }
            }
        };
        let mut payload = page.get(at..at + here)?.to_vec();
        let mut next = if here < length { be32(page, at + here)? } else { 0 };
        while payload.len() < length {
            let more = self.read(next)?;
            let take = (length - payload.len()).min(usable - 4);
            payload.extend_from_slice(more.get(4..4 + take)?);
            next = be32(&more, 0)?;
        }
        Some((rowid, payload))
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for i in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if i == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A record's values. None when the bytes are no record.
fn fields(payload: &[u8]) -> Option<Vec<Field>> {
    let mut at = 0;
    let header = usize::try_from(varint(payload, &mut at)?).ok()?;
    if header > payload.len() || header > 256 {
        return None;
    }
    let mut body = header;
    let mut out = Vec::new();
    while at < header {
        let kind = varint(payload, &mut at)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let bytes = payload.get(body..body.checked_add(length)?)?;
        body += length;
        out.push(match kind {
            0 => Field::Null,
            8 => Field::Int(0),
            9 => Field::Int(1),
            1..=6 => {
                let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) { -1i64 } else { 0 };
                Field::Int(bytes.iter().fold(sign, |n, b| n << 8 | i64::from(*b)))
            }
            text if text >= 13 && text % 2 == 1 => Field::Text(String::from_utf8(bytes.to_vec()).ok()?),
            _ => Field::Other,
        });
    }
    Some(out)
}

/// Where the newest committed copy of each page stands in a write-ahead log, and where pages stand behind a bad frame.
fn frames(wal: &File, size: usize) -> Option<(HashMap<u32, u64>, Vec<u64>)> {
    let mut header = [0; 32];
    wal.read_exact_at(&mut header, 0).ok()?;
    let big = be32(&header, 0)? & 1 == 1;
    let word = |bytes: &[u8]| {
        let four = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    let sum = |(mut a, mut b): (u32, u32), bytes: &[u8]| {
        for pair in bytes.chunks_exact(8) {
            a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
            b = b.wrapping_add(word(&pair[4..])).wrapping_add(a);
        }
        (a, b)
    };
    let mut so_far = sum((0, 0), &header[..24]);
    if usize::try_from(be32(&header, 8)?).ok()? != size || so_far != (be32(&header, 24)?, be32(&header, 28)?) {
        return None;
    }
    let (mut committed, mut pending) = (HashMap::new(), HashMap::new());
    let mut frame = vec![0; 24 + size];
    let mut at = 32u64;
    while wal.read_exact_at(&mut frame, at).is_ok() {
        so_far = sum(sum(so_far, &frame[..8]), &frame[24..]);
        if frame[8..16] != header[16..24] || so_far != (be32(&frame, 16)?, be32(&frame, 20)?) {
            break;
        }
        pending.insert(be32(&frame, 0)?, at + 24);
        if be32(&frame, 4)? != 0 {
            committed.extend(pending.drain());
        }
        at += frame.len() as u64;
    }
    let mut loose = Vec::new();
    while wal.read_exact_at(&mut frame[..24], at).is_ok() {
        if frame[8..16] == header[16..24] {
            loose.push(at + 24);
        }
        at += frame.len() as u64;
    }
    Some((committed, loose))
}
