//! What came from above, on disk: clips by their SHA-256 and, per source, the list in force.
//!
//! ```text
//! DIR/clips/SHA256.mp3                    a clip: verified, decoded whole once, never changed
//! DIR/clips/SHA256.measured.json          what the decoding found
//! DIR/clips/SHA256.part.mp3, .part.tag    a transfer under way, or one to take up again, and the server's tag
//! DIR/playlists/SOURCE.SERIAL-HASH.json, .json.minisig   a list as signed, and its signature
//! DIR/playlists/SOURCE.accepted           which of them is in force, since when; and which was before
//! DIR/playlists/SOURCE~keys.VERSION-HASH.json, .json.minisig   every accepted keys.json, where root keys are pinned
//! ```
//!
//! A clip has its final name only when its bytes have the right hash **and** it decodes: whoever finds the name may
//! play it. A generation (a list with all the clips it needs) comes into force by one rename; before it the old
//! one is whole, after it the new one:
//!
//! 1. every clip the list needs: part file, flushed; decoded; what was found noted; renamed; folder flushed
//! 2. (the first time only: `SOURCE.accepted` that says "nothing yet") `SOURCE.SERIAL-HASH.json` and `.minisig` written under their own names, flushed; folder flushed
//! 3. `SOURCE.accepted.tmp` written, flushed
//! 4. `SOURCE.accepted.tmp` renamed to `SOURCE.accepted`: **the switch**; folder flushed
//! 5. lists older than the one before are removed
//!
//! What was accepted (serial, hash, since when) stands in the same file as the switch, so neither can be without
//! the other. When that file is damaged or gone while lists are there, it is never taken for a fresh start: the
//! newest list whose signature holds goes on, its serial still refuses older ones, and an alarm is raised.
//!
//! The version of `keys.json` that is in force stands in the same state file, and each list's entry says under which
//! version it was judged. All versions are kept, so that the chain from the pinned root keys can be followed again at
//! each start: what is on disk is believed for its signatures, not because it is there.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::config::Language;
use crate::domain::keyring::KEYS;
use crate::domain::loudness::{self, Heard};
use crate::domain::signature::{Accepted, ENDINGS, URGENT, Wanted, hex, is_sha256, is_tame_id, sha256_hex};
use crate::domain::text::Text;
use crate::domain::time::{ClockState, Wall};

/// Bytes of disk that clips leave for the log, whatever the quota says.
pub const LEFT_FOR_LOG: u64 = 64 * 1024 * 1024;

/// What decoding a clip whole found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Length of the sound in milliseconds.
    pub duration_ms: i64,
    /// Integrated loudness in LUFS; none for silence.
    pub loudness_lufs: Option<f64>,
    /// True peak in dBTP; none for silence.
    pub true_peak_db: Option<f64>,
}

impl Measured {
    /// How loud it is.
    pub fn heard(&self) -> Heard {
        Heard { loudness_lufs: self.loudness_lufs, true_peak_db: self.true_peak_db }
    }
}

/// Decodes a clip whole and says what it found, or why it may not air. Handed in: this file knows no decoder.
pub type Admit<'a> = dyn Fn(&Path) -> Result<Measured, Text> + Send + Sync + 'a;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text(Language::En).say(Language::En))]
#[allow(missing_docs)] // the fields are what the sentence shows
pub enum StoreError {
    /// The disk said no.
    Io { path: PathBuf, cause: io::Error },
    /// The bytes are not those the list signs.
    WrongBytes { title: String },
    /// It does not decode, or may not air.
    Refused { title: String, why: Box<Text> },
    /// Too loud, or silent.
    Unfit { why: Box<Text> },
    /// It is longer or shorter than signed.
    Duration { title: String, signed_ms: i64, found_ms: i64 },
    /// A clip the list needs is not there.
    Missing { title: String },
    /// The disk is nearly full.
    NoRoom { needed: u64 },
    /// The list needs more than the quota.
    OverQuota { needed: u64, quota: u64 },
    /// Somebody else brought a list as new in the meantime.
    Overtaken { source_id: String },
    /// There is no list before to go back to.
    NothingBefore { source_id: String },
    /// The source's id cannot be a file name.
    BadName { source_id: String },
}

impl StoreError {
    /// The sentence for people. A sentence within it is said in `language`.
    pub fn text(&self, language: Language) -> Text {
        match self {
            StoreError::Io { path, cause } => {
                Text::StoreIo { path: path.display().to_string(), cause: cause.to_string() }
            }
            StoreError::WrongBytes { title } => Text::ClipWrongBytes { title: title.clone() },
            StoreError::Refused { title, why } => Text::ClipRefused { title: title.clone(), why: why.say(language) },
            StoreError::Unfit { why } => Text::ClipUnfit { why: why.say(language) },
            StoreError::Duration { title, signed_ms, found_ms } => {
                Text::ClipDuration { title: title.clone(), signed_ms: *signed_ms, found_ms: *found_ms }
            }
            StoreError::Missing { title } => Text::ClipNotThere { title: title.clone() },
            StoreError::NoRoom { needed } => Text::StoreNoRoom { needed_mb: megabytes(*needed) },
            StoreError::OverQuota { needed, quota } => {
                Text::StoreOverQuota { needed_mb: megabytes(*needed), quota_mb: megabytes(*quota) }
            }
            StoreError::Overtaken { source_id } => Text::StoreOvertaken { source: source_id.clone() },
            StoreError::NothingBefore { source_id } => Text::StoreNothingBefore { source: source_id.clone() },
            StoreError::BadName { source_id } => Text::StoreBadName { source: source_id.clone() },
        }
    }

    /// Whether the list itself is at fault, so that trying again before it changes is of no use.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            StoreError::Refused { .. }
                | StoreError::Unfit { .. }
                | StoreError::Duration { .. }
                | StoreError::OverQuota { .. }
        )
    }
}

/// Bytes in whole megabytes, rounded up.
fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// What `SOURCE.accepted` says of one generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    serial: u64,
    body_sha256: String,
    issued_at: Wall,
    in_force_at: Wall,
    clock: ClockState,
    /// The version of `keys.json` it was judged under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<u64>,
    /// The key that signed it, where root keys are pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Entry {
    fn accepted(&self) -> Accepted {
        Accepted { serial: self.serial, body_sha256: self.body_sha256.clone(), issued_at: self.issued_at }
    }

    fn stem(&self, source: &str) -> String {
        format!("{source}.{}-{}", self.serial, &self.body_sha256[..16])
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    /// None before the first list: so that a missing state file beside lists always means damage.
    current: Option<Entry>,
    previous: Option<Entry>,
    /// Whether a person has put the one before back in force, until a later serial than `current` comes.
    #[serde(default)]
    rolled_back: bool,
    /// The `keys.json` in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<KeysAccepted>,
}

/// Which `keys.json` was accepted last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysAccepted {
    /// Its version.
    pub version: u64,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
}

/// An accepted `keys.json` as it stands on disk. Its signatures are still to be looked at.
#[derive(Clone, Debug)]
pub struct KeysVersion {
    /// By its name.
    pub version: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The signature file's bytes.
    pub signatures: Vec<u8>,
}

/// Everything on disk about a source's keys.
#[derive(Clone, Debug, Default)]
pub struct KeysOnDisk {
    /// All versions, the oldest first.
    pub versions: Vec<KeysVersion>,
    /// What was accepted last by the state file.
    pub accepted: Option<KeysAccepted>,
    /// Whether there are versions but no state that says which of them is in force.
    pub damaged: bool,
}

/// A list as it stands on disk. Its signature is still to be looked at.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its file.
    pub path: PathBuf,
    /// The list's bytes.
    pub bytes: Vec<u8>,
    /// The signature file's bytes.
    pub signature: Vec<u8>,
    /// What was accepted; of a recovered list only what its name and bytes tell.
    pub serial: u64,
    /// SHA-256 of `bytes`.
    pub body_sha256: String,
    /// The moment it came into force on this box: planning never looks earlier.
    pub in_force_at: Wall,
    /// What the clock was worth at that moment.
    pub clock: ClockState,
    /// The key that signed it when it was accepted, where root keys are pinned.
    pub key: Option<String>,
}

/// Everything on disk for one source, the one in force first.
#[derive(Clone, Debug, Default)]
pub struct OnDisk {
    /// The list in force, then those to fall back on.
    pub generations: Vec<Generation>,
    /// Whether the state file or the list it names is damaged or gone: an alarm, never a fresh start.
    pub damaged: bool,
    /// Whether a person has put the list before back in force: it stands first then.
    pub rolled_back: bool,
    /// What was accepted last; what it stands for may be damaged, its serial still refuses older ones.
    pub accepted: Option<Accepted>,
}

/// A new list and what to remember of it, for [`ClipStore::switch`].
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The source's id.
    pub source: &'a str,
    /// The list's bytes.
    pub bytes: &'a [u8],
    /// The signature file's bytes.
    pub signature: &'a [u8],
    /// Serial, hash and issue time.
    pub accepted: &'a Accepted,
    /// Now.
    pub in_force_at: Wall,
    /// What the clock is worth now.
    pub clock: ClockState,
    /// The clips that have to be there.
    pub needed: &'a [Wanted],
    /// The `keys.json` under which it was judged, where root keys are pinned.
    pub keys: Option<&'a KeysAccepted>,
    /// The key that signed it, in the same case.
    pub key: Option<&'a str>,
}

#[derive(Default)]
struct Busy {
    /// Clips being fetched: the same clip is fetched once.
    fetching: HashSet<String>,
    /// Clips of a generation that is being put together: not to be evicted.
    pinned: HashMap<String, usize>,
}

/// The store below a state folder. One per process; shared between the threads of the sources.
pub struct ClipStore {
    clips: PathBuf,
    playlists: PathBuf,
    busy: Mutex<Busy>,
    freed: Condvar,
    #[cfg(test)]
    cut: cut::Cut,
}

impl ClipStore {
    /// Opens the store below `dir` and makes its folders.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(dir: &Path) -> Result<ClipStore, StoreError> {
        let store = ClipStore::looked_at(dir);
        for folder in [&store.clips, &store.playlists] {
            fs::create_dir_all(folder).map_err(at(folder))?;
            for name in names(folder)? {
                // Left by a cut in mid-write; whatever it was going to replace is whole.
                // So with what is left of a transfer whose clip is there.
                let over = name.split_once('.').filter(|(_, rest)| rest.starts_with("part."));
                if name.ends_with(".tmp") || over.is_some_and(|(sha256, _)| store.path_of(sha256).is_some()) {
                    let _ = fs::remove_file(folder.join(name));
                }
            }
        }
        Ok(store)
    }

    /// The store below `dir` for somebody who only looks: nothing is made or tidied.
    pub fn looked_at(dir: &Path) -> ClipStore {
        ClipStore {
            clips: dir.join("clips"),
            playlists: dir.join("playlists"),
            busy: Mutex::default(),
            freed: Condvar::new(),
            #[cfg(test)]
            cut: cut::Cut::default(),
        }
    }

    /// Where a clip is, if it is there: whoever finds it may play it.
    pub fn path_of(&self, sha256: &str) -> Option<PathBuf> {
        if !is_sha256(sha256) {
            return None;
        }
        ENDINGS.iter().map(|ending| self.clips.join(format!("{sha256}.{ending}"))).find(|path| path.is_file())
    }

    /// Whether a clip is there with the right number of bytes.
    pub fn has(&self, wanted: &Wanted) -> bool {
        self.path_of(&wanted.sha256)
            .and_then(|path| fs::metadata(path).ok())
            .is_some_and(|meta| meta.len() == wanted.bytes)
    }

    /// What decoding found when the clip was admitted.
    pub fn measured(&self, sha256: &str) -> Option<Measured> {
        let bytes = is_sha256(sha256).then(|| fs::read(self.clips.join(format!("{sha256}.measured.json"))))?.ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Whether a clip that is there still has the bytes of its name. Reads the whole file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn intact(&self, sha256: &str) -> Result<bool, StoreError> {
        match self.path_of(sha256) {
            Some(path) => Ok(hash_file(&path).map_err(at(&path))? == sha256),
            None => Ok(false),
        }
    }

    /// Throws a clip's file away when its bytes are no longer those of its name. Whether it did; a file that is none
    /// of this store's stays. Reads the whole file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn drop_altered(&self, path: &Path) -> Result<bool, StoreError> {
        let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.split_once('.'));
        let Some((sha256, _)) = name.filter(|(sha256, _)| self.path_of(sha256).is_some_and(|own| own == path)) else {
            return Ok(false);
        };
        if hash_file(path).map_err(at(path))? == sha256 {
            return Ok(false);
        }
        fs::remove_file(path).map_err(at(path))?;
        Ok(true)
    }

    /// Number of clips and their bytes.
    pub fn usage(&self) -> (u64, u64) {
        let clips = self.list_clips().unwrap_or_default();
        (clips.len() as u64, clips.iter().map(|c| c.bytes).sum())
    }

    /// Whether a clip that is already there also fits what this list signs of it; decodes it again only when
    /// nobody wrote down what was found the first time.
    ///
    /// # Errors
    /// [`StoreError::Refused`], [`StoreError::Unfit`] or [`StoreError::Duration`].
    pub fn check_admitted(&self, wanted: &Wanted, admit: &Admit) -> Result<(), StoreError> {
        let measured = match self.measured(&wanted.sha256) {
            Some(measured) => measured,
            None => {
                let path =
                    self.path_of(&wanted.sha256).ok_or_else(|| StoreError::Missing { title: wanted.title.clone() })?;
                let measured = refused_as(&wanted.title, admit(&path))?;
                self.note_measured(&wanted.sha256, &measured)?;
                measured
            }
        };
        fits(wanted, &measured)
    }

    /// Keeps clips from being evicted until the pin is dropped.
    pub fn pin<'s>(&'s self, clips: &[Wanted]) -> Pin<'s> {
        let clips: Vec<String> = clips.iter().map(|c| c.sha256.clone()).collect();
        let mut busy = self.busy();
        for sha256 in &clips {
            *busy.pinned.entry(sha256.clone()).or_default() += 1;
        }
        Pin { store: self, clips }
    }

    /// Opens a clip's part file, with what an earlier try left in it. Waits while another thread fetches the same
    /// clip: look for it again first. None when it is there now.
    ///
    /// # Errors
    /// What the disk says; [`StoreError::NoRoom`].
    pub fn part<'s>(&'s self, wanted: &Wanted) -> Result<Option<Part<'s>>, StoreError> {
        let mut busy = self.busy();
        while busy.fetching.contains(&wanted.sha256) {
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        if self.has(wanted) {
            return Ok(None);
        }
        busy.fetching.insert(wanted.sha256.clone());
        drop(busy);
        // From here on the claim is given back by dropping it.
        let claim = Claim { store: self, sha256: wanted.sha256.clone() };
        let path = self.clips.join(format!("{}.part.{}", wanted.sha256, wanted.ending));
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(at(&path))?;
        let mut hasher = Sha256::new();
        let have = hash_rest(&mut file, &mut hasher).map_err(at(&path))?;
        let needed = wanted.bytes.saturating_sub(have);
        if self.room().is_some_and(|room| room < needed + LEFT_FOR_LOG) {
            return Err(StoreError::NoRoom { needed });
        }
        let tag_path = self.clips.join(format!("{}.part.tag", wanted.sha256));
        let tag = fs::read_to_string(&tag_path).ok().filter(|_| have > 0);
        Ok(Some(Part { claim, wanted: wanted.clone(), path, tag_path, file, hasher, have, tag }))
    }

    /// Free bytes on the disk, if it says.
    fn room(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.clips).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Not flushed: it is only a memo. Lost or torn by a power cut, the clip is decoded again when it is asked for.
    fn note_measured(&self, sha256: &str, measured: &Measured) -> Result<(), StoreError> {
        let path = self.clips.join(format!("{sha256}.measured.json"));
        let tmp = self.clips.join(format!("{sha256}.measured.json.tmp"));
        let text = serde_json::to_vec(measured).map_err(|e| at(&path)(e.into()))?;
        self.step(&tmp)?;
        fs::write(&tmp, text).map_err(at(&tmp))?;
        self.step(&path)?;
        fs::rename(&tmp, &path).map_err(at(&path))
    }

    /// Reads everything on disk for a source.
    ///
    /// # Errors
    /// What the disk says of the folder; damage to single files is told in [`OnDisk::damaged`].
    pub fn on_disk(&self, source: &str) -> Result<OnDisk, StoreError> {
        self.name_of(source)?;
        let state_path = self.playlists.join(format!("{source}.accepted"));
        let mut found = OnDisk::default();
        let mut entries: Vec<(String, Option<Entry>)> = Vec::new();
        match fs::read(&state_path) {
            Ok(bytes) => match read_state(&bytes) {
                Some(state) => {
                    found.accepted = state.current.as_ref().map(Entry::accepted);
                    found.rolled_back = state.rolled_back;
                    let in_order = match state.rolled_back {
                        false => [state.current, state.previous],
                        true => [state.previous, state.current],
                    };
                    entries = in_order.into_iter().flatten().map(|e| (e.stem(source), Some(e))).collect();
                }
                None => found.damaged = true,
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => found.damaged = !self.stems(source)?.is_empty(),
            Err(_) => found.damaged = true,
        }
        if found.damaged {
            entries = self.stems(source)?.into_iter().rev().map(|(_, stem)| (stem, None)).collect();
        }
        for (n, (stem, entry)) in entries.into_iter().enumerate() {
            match self.generation(&stem, entry) {
                Some(generation) => found.generations.push(generation),
                // The one before may be gone; the one in force may not.
                None => found.damaged |= n == 0,
            }
        }
        if found.accepted.is_none()
            && let Some(newest) = found.generations.first()
        {
            let (serial, body_sha256) = (newest.serial, newest.body_sha256.clone());
            found.accepted = Some(Accepted { serial, body_sha256, issued_at: Wall(0) });
        }
        Ok(found)
    }

    /// What was accepted last, and whether the one before is back in force, from the state file alone.
    pub fn accepted(&self, source: &str) -> Option<(Accepted, bool)> {
        let bytes = fs::read(self.playlists.join(format!("{source}.accepted"))).ok()?;
        let state = read_state(&bytes)?;
        Some((state.current.as_ref()?.accepted(), state.rolled_back))
    }

    /// Puts the list before back in force, from `now` on and until a later serial comes. The accepted serial stays, so
    /// that nothing older than it is taken. Returns the serial left and the serial in force. `needed` tells the clips
    /// a list needs.
    ///
    /// # Errors
    /// [`StoreError::NothingBefore`] when there is none, or it is back already; [`StoreError::Missing`] when one of its
    /// clips is gone; else what the disk says. What is in force stays then.
    pub fn roll_back(
        &self,
        source: &str,
        now: (Wall, ClockState),
        needed: &dyn Fn(&Generation) -> Vec<Wanted>,
    ) -> Result<(u64, u64), StoreError> {
        self.name_of(source)?;
        let _lock = self.lock()?;
        let nothing = || StoreError::NothingBefore { source_id: source.into() };
        let path = self.playlists.join(format!("{source}.accepted"));
        let mut state = fs::read(&path).ok().and_then(|b| read_state(&b)).ok_or_else(nothing)?;
        let (Some(current), Some(previous), false) = (&state.current, &mut state.previous, state.rolled_back) else {
            return Err(nothing());
        };
        let generation = self.generation(&previous.stem(source), Some(previous.clone())).ok_or_else(nothing)?;
        if let Some(gone) = needed(&generation).iter().find(|c| !self.has(c)) {
            return Err(StoreError::Missing { title: gone.title.clone() });
        }
        (previous.in_force_at, previous.clock) = now;
        let serials = (current.serial, previous.serial);
        state.rolled_back = true;
        self.replace_state(&path, &state)?;
        Ok(serials)
    }

    /// `loaxa import` may run beside the daemon: one switch at a time on this disk.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.playlists.join(".lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).map_err(|e| at(&path)(e.into()))?;
        Ok(lock)
    }

    /// The lists of a source that have files, by serial.
    fn stems(&self, source: &str) -> Result<Vec<(u64, String)>, StoreError> {
        let mut stems: Vec<(u64, String)> = names(&self.playlists)?
            .into_iter()
            .filter_map(|name| {
                let stem = name.strip_suffix(".json")?;
                let (serial, hash) = stem.strip_prefix(source)?.strip_prefix('.')?.split_once('-')?;
                (hash.len() == 16).then_some(())?;
                Some((serial.parse().ok()?, stem.to_owned()))
            })
            .collect();
        stems.sort();
        Ok(stems)
    }

    fn generation(&self, stem: &str, entry: Option<Entry>) -> Option<Generation> {
        let path = self.playlists.join(format!("{stem}.json"));
        let bytes = fs::read(&path).ok()?;
        let signature = fs::read(self.playlists.join(format!("{stem}.json.minisig"))).ok()?;
        let body_sha256 = sha256_hex(&bytes);
        let (rest, hash) = stem.rsplit_once('-')?;
        if !body_sha256.starts_with(hash) || entry.as_ref().is_some_and(|e| e.body_sha256 != body_sha256) {
            return None;
        }
        let serial = rest.rsplit_once('.')?.1.parse().ok()?;
        let (in_force_at, clock, key) = match entry {
            Some(entry) => (entry.in_force_at, entry.clock, entry.key),
            None => {
                let written = fs::metadata(&path).ok()?.modified().ok()?;
                let ms = written.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis());
                (Wall(i64::try_from(ms).unwrap_or(0)), ClockState::Unknown, None)
            }
        };
        Some(Generation { path, bytes, signature, serial, body_sha256, in_force_at, clock, key })
    }

    /// Brings a list into force, with the order of steps at the top of this file. The one before stays on disk.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when a needed clip is not there; [`StoreError::Overtaken`] when the disk already
    /// knows this serial or a later one; else what the disk says. The old generation is then still in force.
    pub fn switch(&self, incoming: &Incoming) -> Result<(), StoreError> {
        self.name_of(incoming.source)?;
        // One switch at a time, and never backwards.
        let _lock = self.lock()?;

        let state_path = self.playlists.join(format!("{}.accepted", incoming.source));
        let disk = self.on_disk(incoming.source)?;
        let serial = incoming.accepted.serial;
        // What is damaged may be brought in once more.
        let overtaken = |stored: &Accepted| stored.serial > serial || stored.serial == serial && !disk.damaged;
        if disk.accepted.as_ref().is_some_and(overtaken) {
            return Err(StoreError::Overtaken { source_id: incoming.source.into() });
        }
        if let Some(gone) = incoming.needed.iter().find(|c| !self.has(c)) {
            return Err(StoreError::Missing { title: gone.title.clone() });
        }
        let before = fs::read(&state_path).ok().and_then(|bytes| read_state(&bytes));
        if before.is_none() && !disk.damaged {
            let nothing = State { current: None, previous: None, rolled_back: false, keys: None };
            self.replace_state(&state_path, &nothing)?;
        }
        let current = Entry {
            serial,
            body_sha256: incoming.accepted.body_sha256.clone(),
            issued_at: incoming.accepted.issued_at,
            in_force_at: incoming.in_force_at,
            clock: incoming.clock,
            keys: incoming.keys.map(|k| k.version),
            key: incoming.key.map(str::to_owned),
        };
        let keys_before = before.as_ref().and_then(|s| s.keys.clone());
        let stem = current.stem(incoming.source);
        self.write_flushed(&self.playlists.join(format!("{stem}.json.minisig")), incoming.signature)?;
        self.write_flushed(&self.playlists.join(format!("{stem}.json")), incoming.bytes)?;
        self.flush_folder(&self.playlists)?;
        // What was in force stands behind the new one, not what a person took back.
        let previous =
            before.and_then(|s| if s.rolled_back { s.previous } else { s.current }).filter(|e| e.serial < serial);
        let kept: Vec<String> = std::iter::once(&current).chain(&previous).map(|e| e.stem(incoming.source)).collect();
        // Keys never go back either; those of the urgent list are its source's.
        let own_keys = incoming.keys.filter(|_| !incoming.source.ends_with(URGENT)).cloned();
        let keys = [keys_before, own_keys].into_iter().flatten().max_by_key(|k| k.version);
        self.replace_state(&state_path, &State { current: Some(current), previous, rolled_back: false, keys })?;

        for (_, stem) in self.stems(incoming.source)? {
            if !kept.contains(&stem) {
                // A leftover does no harm: it is tried again at the next switch.
                let _ = fs::remove_file(self.playlists.join(format!("{stem}.json.minisig")));
                let _ = fs::remove_file(self.playlists.join(format!("{stem}.json")));
            }
        }
        Ok(())
    }

    /// Reads every accepted `keys.json` of a source.
    ///
    /// # Errors
    /// What the disk says of the folder.
    pub fn keys_on_disk(&self, source: &str) -> Result<KeysOnDisk, StoreError> {
        self.name_of(source)?;
        let stems = self.stems(&format!("{source}{KEYS}"))?;
        let version = |(version, stem): &(u64, String)| {
            let found = self.generation(stem, None)?;
            Some(KeysVersion { version: *version, bytes: found.bytes, signatures: found.signature })
        };
        let versions: Vec<KeysVersion> = stems.iter().filter_map(version).collect();
        let accepted = self.keys_accepted(source);
        let damaged = accepted.is_none() && !stems.is_empty();
        Ok(KeysOnDisk { versions, accepted, damaged })
    }

    /// Which `keys.json` was accepted last, from the state file alone.
    pub fn keys_accepted(&self, source: &str) -> Option<KeysAccepted> {
        read_state(&fs::read(self.playlists.join(format!("{source}.accepted"))).ok()?)?.keys
    }

    /// Brings a `keys.json` into force, by the same steps as a list: its files first, then the state file by rename.
    /// A state file that is damaged beside lists stays as it is, so that it is not taken for a fresh start; the files
    /// alone then remember the version.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] when the disk knows another of this version; else what the disk says. The old one is
    /// then still in force.
    pub fn switch_keys(
        &self,
        source: &str,
        accepted: &KeysAccepted,
        bytes: &[u8],
        signatures: &[u8],
    ) -> Result<(), StoreError> {
        self.name_of(source)?;
        let _lock = self.lock()?;
        let path = self.playlists.join(format!("{source}.accepted"));
        let state = match fs::read(&path) {
            Ok(bytes) => read_state(&bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.stems(source)?.is_empty() => {
                Some(State { current: None, previous: None, rolled_back: false, keys: None })
            }
            Err(_) => None,
        };
        let known = state.as_ref().and_then(|s| s.keys.as_ref());
        if known.is_some_and(|k| k.version == accepted.version && k != accepted) {
            return Err(StoreError::Overtaken { source_id: source.into() });
        }
        let stem = format!("{source}{KEYS}.{}-{}", accepted.version, &accepted.sha256[..16]);
        if self.generation(&stem, None).is_none_or(|there| there.signature != signatures) {
            self.write_flushed(&self.playlists.join(format!("{stem}.json.minisig")), signatures)?;
            self.write_flushed(&self.playlists.join(format!("{stem}.json")), bytes)?;
            self.flush_folder(&self.playlists)?;
        }
        match state {
            // A version on the way to the one in force was lost, and is here again.
            Some(State { keys: Some(known), .. }) if known.version >= accepted.version => Ok(()),
            Some(state) => self.replace_state(&path, &State { keys: Some(accepted.clone()), ..state }),
            None => Ok(()),
        }
    }

    fn replace_state(&self, path: &Path, state: &State) -> Result<(), StoreError> {
        self.replace(path, &write_state(state).map_err(|e| at(path)(e.into()))?)
    }

    /// Removes clips until their bytes are within `quota`, the longest unused first; never one that `keep` names or
    /// that a generation being put together needs. Part files nobody is fetching go when `keep` does not name them.
    /// Returns how many bytes were freed.
    ///
    /// # Errors
    /// What the disk says.
    pub fn evict(&self, quota: u64, keep: &dyn Fn(&str) -> bool) -> Result<u64, StoreError> {
        // Held throughout: nothing may be pinned or claimed between looking and removing.
        let busy = self.busy();
        let may_go = |sha256: &str| !keep(sha256) && !busy.pinned.contains_key(sha256);
        let mut freed = 0;
        for name in names(&self.clips)? {
            let Some((sha256, rest)) = name.split_once('.') else { continue };
            if rest.starts_with("part.") && is_sha256(sha256) && may_go(sha256) && !busy.fetching.contains(sha256) {
                let _ = fs::remove_file(self.clips.join(&name));
            }
        }
        let mut clips = self.list_clips()?;
        let mut total: u64 = clips.iter().map(|c| c.bytes).sum();
        clips.sort_by_key(|c| c.changed_ms);
        for clip in clips {
            if total <= quota {
                break;
            }
            if may_go(&clip.sha256) {
                fs::remove_file(&clip.path).map_err(at(&clip.path))?;
                let _ = fs::remove_file(self.clips.join(format!("{}.measured.json", clip.sha256)));
                total -= clip.bytes;
                freed += clip.bytes;
            }
        }
        Ok(freed)
    }

    fn list_clips(&self) -> Result<Vec<OneClip>, StoreError> {
        let mut clips = Vec::new();
        for name in names(&self.clips)? {
            let Some((sha256, ending)) = name.split_once('.') else { continue };
            if !is_sha256(sha256) || !ENDINGS.contains(&ending) {
                continue;
            }
            let path = self.clips.join(&name);
            if let Ok(meta) = fs::metadata(&path) {
                let changed = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
                let changed_ms = changed.map_or(0, |d| d.as_millis());
                clips.push(OneClip { sha256: sha256.into(), path, bytes: meta.len(), changed_ms });
            }
        }
        Ok(clips)
    }

    fn name_of(&self, source: &str) -> Result<(), StoreError> {
        // The urgent list of a source has a name that no source can have.
        if is_tame_id(source.strip_suffix(URGENT).unwrap_or(source)) {
            Ok(())
        } else {
            Err(StoreError::BadName { source_id: source.into() })
        }
    }

    fn busy(&self) -> MutexGuard<'_, Busy> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- the few ways in which this file writes

    fn write_flushed(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.step(path)?;
        let mut file = File::create(path).map_err(at(path))?;
        file.write_all(bytes).map_err(at(path))?;
        self.step(path)?;
        file.sync_all().map_err(at(path))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let mut tmp = path.as_os_str().to_owned();
        tmp.push(".tmp");
        let tmp = PathBuf::from(tmp);
        self.write_flushed(&tmp, bytes)?;
        self.step(path)?;
        fs::rename(&tmp, path).map_err(at(path))?;
        self.step(path)?;
        self.flush_folder(path.parent().unwrap_or(Path::new(".")))
    }

    fn flush_folder(&self, folder: &Path) -> Result<(), StoreError> {
        self.step(folder)?;
        File::open(folder).and_then(|f| f.sync_all()).map_err(at(folder))
    }

    /// A moment at which a power cut would leave its own state on disk: tests cut here.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)]
    fn step(&self, _path: &Path) -> Result<(), StoreError> {
        #[cfg(test)]
        self.cut.step(_path)?;
        Ok(())
    }
}

struct OneClip {
    sha256: String,
    path: PathBuf,
    bytes: u64,
    changed_ms: u128,
}

/// Clips kept from eviction for as long as it lives.
pub struct Pin<'s> {
    store: &'s ClipStore,
    clips: Vec<String>,
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        let mut busy = self.store.busy();
        for sha256 in &self.clips {
            if let Some(n) = busy.pinned.get_mut(sha256) {
                *n -= 1;
                if *n == 0 {
                    busy.pinned.remove(sha256);
                }
            }
        }
    }
}

/// The right to fetch one clip.
struct Claim<'s> {
    store: &'s ClipStore,
    sha256: String,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.store.busy().fetching.remove(&self.sha256);
        self.store.freed.notify_all();
    }
}

/// A clip on its way in.
pub struct Part<'s> {
    claim: Claim<'s>,
    wanted: Wanted,
    path: PathBuf,
    tag_path: PathBuf,
    file: File,
    hasher: Sha256,
    have: u64,
    tag: Option<String>,
}

impl Part<'_> {
    /// Bytes it holds.
    pub fn have(&self) -> u64 {
        self.have
    }

    /// The server's tag under which they were fetched.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Throws everything away and begins again under a new tag.
    ///
    /// # Errors
    /// What the disk says.
    pub fn restart(&mut self, tag: Option<&str>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.hasher = Sha256::new();
        self.have = 0;
        self.tag = tag.map(str::to_owned);
        match tag {
            Some(tag) => fs::write(&self.tag_path, tag),
            None => match fs::remove_file(&self.tag_path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            },
        }
    }

    /// Adds to the end.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Throws the file away: what is in it cannot become the clip.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.tag_path);
    }

    /// Checks size and hash, lets the clip be decoded whole, and gives it its name.
    ///
    /// # Errors
    /// [`StoreError::WrongBytes`], [`StoreError::Refused`], [`StoreError::Unfit`] and [`StoreError::Duration`] remove
    /// the part file; else what the disk says.
    pub fn finish(self, admit: &Admit) -> Result<Measured, StoreError> {
        let store = self.claim.store;
        let title = self.wanted.title.clone();
        if self.have != self.wanted.bytes || hex(&self.hasher.clone().finalize()) != self.wanted.sha256 {
            self.discard();
            return Err(StoreError::WrongBytes { title });
        }
        store.step(&self.path)?;
        self.file.sync_all().map_err(at(&self.path))?;
        // What was decoded once, under this very hash, need not be again when only the file was lost.
        let known = store.measured(&self.wanted.sha256);
        let admitted = known.map_or_else(|| refused_as(&title, admit(&self.path)), Ok);
        let admitted = admitted.and_then(|measured| fits(&self.wanted, &measured).map(|()| measured));
        let measured = match admitted {
            Ok(measured) => measured,
            Err(error) => {
                self.discard();
                return Err(error);
            }
        };
        if known.is_none() {
            store.note_measured(&self.wanted.sha256, &measured)?;
        }
        let path = store.clips.join(format!("{}.{}", self.wanted.sha256, self.wanted.ending));
        store.step(&path)?;
        fs::rename(&self.path, &path).map_err(at(&path))?;
        let _ = fs::remove_file(&self.tag_path);
        store.flush_folder(&store.clips)?;
        Ok(measured)
    }
}

fn refused_as(title: &str, admitted: Result<Measured, Text>) -> Result<Measured, StoreError> {
    admitted.map_err(|why| StoreError::Refused { title: title.into(), why: Box::new(why) })
}

/// Whether what was measured is what the list signs, and fit for people's ears with the gain it signs.
fn fits(wanted: &Wanted, measured: &Measured) -> Result<(), StoreError> {
    duration_fits(wanted, measured)?;
    match loudness::objection(&wanted.title, measured.heard(), wanted.gain_db, loudness::PUBLISHED) {
        Some(why) => Err(StoreError::Unfit { why: Box::new(why) }),
        None => Ok(()),
    }
}

/// Within 2 % of what is signed. Up to 30 ms more are forgiven: about one frame of MP3, which players count
/// differently.
fn duration_fits(wanted: &Wanted, measured: &Measured) -> Result<(), StoreError> {
    let apart = (measured.duration_ms - wanted.duration_ms).abs();
    if apart.saturating_sub(30).saturating_mul(50) <= wanted.duration_ms {
        return Ok(());
    }
    Err(StoreError::Duration {
        title: wanted.title.clone(),
        signed_ms: wanted.duration_ms,
        found_ms: measured.duration_ms,
    })
}

fn write_state(state: &State) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_string(state)?;
    let sum = sha256_hex(text.as_bytes());
    text.push('\n');
    text.push_str(&sum);
    text.push('\n');
    Ok(text.into_bytes())
}

fn read_state(bytes: &[u8]) -> Option<State> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (json, sum) = text.strip_suffix('\n')?.split_once('\n')?;
    let state: State = (sha256_hex(json.as_bytes()) == sum).then(|| serde_json::from_str(json).ok())??;
    let sound = |e: &Entry| is_sha256(&e.body_sha256);
    let sound_keys = state.keys.as_ref().is_none_or(|k| is_sha256(&k.sha256));
    (sound_keys && state.current.iter().chain(&state.previous).all(sound)).then_some(state)
}

fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        if let Ok(name) = entry.map_err(at(folder))?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// SHA-256 of a file, lower-case hexadecimal.
///
/// # Errors
/// What the disk says.
pub fn hash_file(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    hash_rest(&mut File::open(path)?, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

fn hash_rest(file: &mut File, hasher: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut have = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(have);
        }
        hasher.update(&buffer[..n]);
        have += n as u64;
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    move |cause| StoreError::Io { path: path.into(), cause }
}

#[cfg(test)]
mod cut {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Cuts the power before the n-th step: it and all after it do not happen.
    pub struct Cut(pub AtomicI64);

    impl Default for Cut {
        fn default() -> Self {
            Cut(AtomicI64::new(i64::MAX))
        }
    }

    impl Cut {
        pub fn step(&self, path: &Path) -> Result<(), StoreError> {
            if self.0.fetch_sub(1, Ordering::Relaxed) <= 0 {
                return Err(StoreError::Io { path: path.into(), cause: io::Error::other("power cut") });
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    fn sound(n: u8) -> Vec<u8> {
        vec![n; 1000 + usize::from(n)]
    }

    fn wanted(n: u8) -> Wanted {
        let bytes = sound(n);
        Wanted {
            id: format!("c{n}"),
            title: format!("Bản tin {n}"),
            sha256: sha256_hex(&bytes),
            ending: "mp3",
            bytes: bytes.len() as u64,
            duration_ms: 10_000,
            gain_db: 0.0,
            url: format!("clips/{n}.mp3"),
        }
    }

    fn lasting(duration_ms: i64) -> impl Fn(&Path) -> Result<Measured, Text> + Send + Sync {
        move |_| Ok(Measured { duration_ms, loudness_lufs: Some(-20.0), true_peak_db: Some(-3.0) })
    }

    fn bring(store: &ClipStore, n: u8) -> Result<(), StoreError> {
        let Some(mut part) = store.part(&wanted(n))? else { return Ok(()) };
        if part.have() != part.wanted.bytes {
            part.restart(None).map_err(at(Path::new("part")))?;
            part.write(&sound(n)).map_err(at(Path::new("part")))?;
        }
        part.finish(&lasting(10_000)).map(|_| ())
    }

    fn accepted(serial: u64) -> (Vec<u8>, Accepted) {
        let bytes = format!("list {serial}").into_bytes();
        let body_sha256 = sha256_hex(&bytes);
        (bytes, Accepted { serial, body_sha256, issued_at: Wall(5) })
    }

    fn switch(store: &ClipStore, serial: u64, needed: &[Wanted]) -> Result<(), StoreError> {
        let (bytes, accepted) = accepted(serial);
        store.switch(&Incoming {
            source: "tinh",
            bytes: &bytes,
            signature: b"signature",
            accepted: &accepted,
            in_force_at: Wall(1_000 + serial as i64),
            clock: ClockState::Synced,
            needed,
            keys: None,
            key: None,
        })
    }

    fn in_force(store: &ClipStore) -> Option<(u64, bool)> {
        let disk = store.on_disk("tinh").unwrap();
        disk.generations.first().map(|g| (g.serial, disk.damaged))
    }

    #[test]
    fn a_clip_is_there_only_when_whole_right_and_decoded() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        let clip = wanted(1);
        let mut part = store.part(&clip).unwrap().unwrap();
        part.restart(Some("\"tag\"")).unwrap();
        part.write(&sound(1)[..500]).unwrap();
        drop(part);
        assert!(!store.has(&clip));

        // Taken up where it was, under the same tag, also after a restart.
        let store = ClipStore::open(dir.path()).unwrap();
        let mut part = store.part(&clip).unwrap().unwrap();
        assert_eq!((part.have(), part.tag()), (500, Some("\"tag\"")));
        part.write(&sound(1)[500..]).unwrap();
        let refused = part.finish(&|_| Err(Text::ClipNotThere { title: "x".into() }));
        assert!(matches!(refused, Err(StoreError::Refused { .. })));
        assert!(store.path_of(&clip.sha256).is_none());

        bring(&store, 1).unwrap();
        assert!(store.has(&clip) && store.intact(&clip.sha256).unwrap());
        assert_eq!(store.measured(&clip.sha256).unwrap().duration_ms, 10_000);
        assert!(store.part(&clip).unwrap().is_none());
        assert_eq!(store.usage(), (1, clip.bytes));
        assert_eq!(names(&store.clips).unwrap().len(), 2, "clip and what was measured, no rests");
    }

    #[test]
    fn wrong_bytes_and_lengths_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        let mut part = store.part(&wanted(1)).unwrap().unwrap();
        part.write(&vec![9; sound(1).len()]).unwrap();
        assert!(matches!(part.finish(&lasting(10_000)), Err(StoreError::WrongBytes { .. })));
        for (ms, fits) in [(10_200, true), (9_800, true), (10_300, false), (9_000, false)] {
            let mut part = store.part(&wanted(2)).unwrap().unwrap();
            assert_eq!(part.have(), 0, "what was refused is gone");
            part.write(&sound(2)).unwrap();
            let finished = part.finish(&lasting(ms));
            assert_eq!(finished.is_ok(), fits, "{ms}");
            if let Some(path) = store.path_of(&wanted(2).sha256) {
                // Another list that signs another length for the same file is refused without decoding again.
                let mut longer = wanted(2);
                longer.duration_ms = 20_000;
                let never = |_: &Path| -> Result<Measured, Text> { panic!("decoded twice") };
                let checked = store.check_admitted(&longer, &never);
                assert!(matches!(checked, Err(StoreError::Duration { .. })));
                fs::remove_file(path).unwrap();
                // Fetched again it is not decoded again: the same hash, the same sound.
                let mut part = store.part(&wanted(2)).unwrap().unwrap();
                part.write(&sound(2)).unwrap();
                assert_eq!(part.finish(&never).unwrap().duration_ms, ms);
                fs::remove_file(store.path_of(&wanted(2).sha256).unwrap()).unwrap();
                fs::remove_file(dir.path().join(format!("clips/{}.measured.json", wanted(2).sha256))).unwrap();
            }
        }
    }

    /// Row for row what publishing promises: a gain that would tear, one that is too loud, nothing to hear.
    #[test]
    fn too_loud_or_silent_stays_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        let finish = |gain_db: f64, loudness_lufs, true_peak_db| {
            let mut part = store.part(&Wanted { gain_db, ..wanted(1) }).unwrap().unwrap();
            part.write(&sound(1)).unwrap();
            let found = part.finish(&|_| Ok(Measured { duration_ms: 10_000, loudness_lufs, true_peak_db }));
            match found {
                Err(StoreError::Unfit { why }) => why.name(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(finish(3.0, Some(-20.0), Some(-1.0)), "SoundPeak");
        assert_eq!(finish(4.0, Some(-10.0), Some(-6.0)), "SoundLoud");
        assert_eq!(finish(0.0, None, None), "SoundNone");
        assert_eq!(finish(20.0, None, Some(-70.0)), "SoundNone");
        assert_eq!(names(&store.clips).unwrap(), Vec::<String>::new(), "nothing of them is left");

        // One that is there already is judged anew by the gain of another list, without decoding.
        bring(&store, 1).unwrap();
        let never = |_: &Path| -> Result<Measured, Text> { panic!("decoded twice") };
        store.check_admitted(&wanted(1), &never).unwrap();
        let louder = Wanted { gain_db: 6.0, ..wanted(1) };
        assert!(matches!(store.check_admitted(&louder, &never), Err(StoreError::Unfit { .. })));
    }

    #[test]
    fn no_switch_without_every_clip_and_none_backwards() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        bring(&store, 1).unwrap();
        assert!(matches!(switch(&store, 3, &[wanted(1), wanted(2)]), Err(StoreError::Missing { .. })));
        assert_eq!(in_force(&store), None);
        switch(&store, 3, &[wanted(1)]).unwrap();
        assert_eq!(in_force(&store), Some((3, false)));
        for serial in [2, 3] {
            assert!(matches!(switch(&store, serial, &[]), Err(StoreError::Overtaken { .. })));
        }
        switch(&store, 4, &[]).unwrap();
        switch(&store, 5, &[]).unwrap();
        let disk = store.on_disk("tinh").unwrap();
        let serials: Vec<u64> = disk.generations.iter().map(|g| g.serial).collect();
        assert_eq!(serials, [5, 4], "the one before is kept, older ones are not");
        assert_eq!(disk.generations[0].in_force_at, Wall(1_005));
        assert!(store.on_disk("khac").unwrap().generations.is_empty());
        assert!(matches!(store.on_disk("../x"), Err(StoreError::BadName { .. })));
    }

    /// The power goes at every step of a sync in turn: the old generation is whole, or the new one.
    #[test]
    fn a_cut_at_any_step_leaves_old_or_new() {
        for with_old in [false, true] {
            let mut steps = 0;
            loop {
                let dir = tempfile::tempdir().unwrap();
                if with_old {
                    let store = ClipStore::open(dir.path()).unwrap();
                    bring(&store, 1).unwrap();
                    switch(&store, 1, &[wanted(1)]).unwrap();
                }
                let store = ClipStore::open(dir.path()).unwrap();
                store.cut.0.store(steps, Ordering::Relaxed);
                let done = bring(&store, 2).and_then(|()| switch(&store, 2, &[wanted(2)]));
                drop(store);

                let store = ClipStore::open(dir.path()).unwrap();
                match in_force(&store) {
                    None => assert!(!with_old),
                    Some((1, damaged)) => assert!(with_old && !damaged && store.has(&wanted(1))),
                    Some((2, damaged)) => assert!(!damaged && store.has(&wanted(2))),
                    other => panic!("{other:?} after {steps} steps"),
                }
                if store.path_of(&wanted(2).sha256).is_some() {
                    assert!(store.intact(&wanted(2).sha256).unwrap(), "after {steps} steps");
                }
                // And the next try gets through.
                bring(&store, 2).unwrap();
                if in_force(&store).is_none_or(|(serial, _)| serial == 1) {
                    switch(&store, 2, &[wanted(2)]).unwrap();
                }
                assert_eq!(in_force(&store), Some((2, false)));
                if done.is_ok() {
                    break;
                }
                steps += 1;
            }
            assert!(steps > 12, "{steps}");
        }
    }

    /// Fault 14: a damaged state is an alarm and goes on with what is there; never a fresh start.
    #[test]
    fn damage_is_never_a_fresh_start() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        switch(&store, 6, &[]).unwrap();
        switch(&store, 7, &[]).unwrap();
        let state = dir.path().join("playlists/tinh.accepted");
        let whole = fs::read(&state).unwrap();
        for at in 0..whole.len() {
            let mut torn = whole.clone();
            torn[at] ^= 4;
            fs::write(&state, &torn).unwrap();
            let disk = store.on_disk("tinh").unwrap();
            assert!(disk.damaged, "byte {at}");
            assert_eq!(disk.accepted.unwrap().serial, 7, "byte {at}");
            assert!(matches!(switch(&store, 6, &[]), Err(StoreError::Overtaken { .. })));
        }
        fs::remove_file(&state).unwrap();
        assert_eq!(in_force(&store), Some((7, true)));
        assert!(matches!(switch(&store, 5, &[]), Err(StoreError::Overtaken { .. })));
        switch(&store, 7, &[]).unwrap();
        assert_eq!(in_force(&store), Some((7, false)), "mended");

        // The list itself is gone: the one before goes on, its successor's serial still counts.
        let (_, seven) = accepted(7);
        fs::remove_file(dir.path().join(format!("playlists/tinh.7-{}.json", &seven.body_sha256[..16]))).unwrap();
        let disk = store.on_disk("tinh").unwrap();
        assert!(disk.damaged);
        assert_eq!(disk.accepted, Some(seven));
    }

    fn keys(version: u64) -> (Vec<u8>, KeysAccepted) {
        let bytes = format!("keys {version}").into_bytes();
        let sha256 = sha256_hex(&bytes);
        (bytes, KeysAccepted { version, sha256 })
    }

    fn switch_keys(store: &ClipStore, version: u64) -> Result<(), StoreError> {
        let (bytes, accepted) = keys(version);
        store.switch_keys("tinh", &accepted, &bytes, b"signatures")
    }

    /// Keys and lists stand in one state file: each switch keeps what the other wrote, and neither goes back.
    #[test]
    fn keys_are_switched_beside_lists_and_never_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        assert!(store.keys_on_disk("tinh").unwrap().versions.is_empty());
        switch_keys(&store, 2).unwrap();
        assert_eq!(in_force(&store), None);
        switch(&store, 7, &[]).unwrap();
        switch_keys(&store, 3).unwrap();
        let disk = store.keys_on_disk("tinh").unwrap();
        assert_eq!(disk.versions.iter().map(|v| v.version).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((disk.accepted, disk.damaged), (Some(keys(3).1), false));
        assert_eq!(in_force(&store), Some((7, false)));
        // A version that was lost may be written again; it does not become the one in force.
        switch_keys(&store, 2).unwrap();
        assert_eq!(store.keys_accepted("tinh"), Some(keys(3).1));
        let other = KeysAccepted { sha256: "a".repeat(64), ..keys(3).1 };
        assert!(matches!(store.switch_keys("tinh", &other, b"x", b"y"), Err(StoreError::Overtaken { .. })));
        // A list judged under older keys, by another program, takes none back; under newer ones, it brings them.
        let (bytes, accepted) = accepted(8);
        let incoming = Incoming {
            source: "tinh",
            bytes: &bytes,
            signature: b"signature",
            accepted: &accepted,
            in_force_at: Wall(1),
            clock: ClockState::Synced,
            needed: &[],
            keys: Some(&keys(2).1),
            key: None,
        };
        store.switch(&incoming).unwrap();
        assert_eq!(store.keys_accepted("tinh"), Some(keys(3).1));
        // The state is lost beside lists: the keys alone do not make a fresh one.
        let state = dir.path().join("playlists/tinh.accepted");
        fs::write(&state, "torn").unwrap();
        assert!(store.keys_on_disk("tinh").unwrap().damaged);
        switch_keys(&store, 4).unwrap();
        assert_eq!(in_force(&store), Some((8, true)));
        // Mended with the list, and both are in force again.
        store.switch(&Incoming { keys: Some(&keys(4).1), ..incoming }).unwrap();
        assert_eq!((store.keys_accepted("tinh"), in_force(&store)), (Some(keys(4).1), Some((8, false))));
    }

    /// The power goes at every step of a change of keys: the old version is in force, or the new one, and the list
    /// stays.
    #[test]
    fn a_cut_at_any_step_leaves_old_or_new_keys() {
        let mut steps = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let store = ClipStore::open(dir.path()).unwrap();
            switch_keys(&store, 1).unwrap();
            switch(&store, 7, &[]).unwrap();
            store.cut.0.store(steps, Ordering::Relaxed);
            let done = switch_keys(&store, 2);
            drop(store);
            let store = ClipStore::open(dir.path()).unwrap();
            let disk = store.keys_on_disk("tinh").unwrap();
            let accepted = disk.accepted.unwrap();
            assert!(!disk.damaged && (1..=2).contains(&accepted.version), "after {steps} steps");
            assert!(disk.versions.iter().any(|v| v.version == accepted.version), "after {steps} steps");
            assert_eq!(in_force(&store), Some((7, false)), "after {steps} steps");
            switch_keys(&store, 2).unwrap();
            assert_eq!(store.keys_accepted("tinh").unwrap().version, 2);
            if done.is_ok() {
                break;
            }
            steps += 1;
        }
        assert!(steps > 6, "{steps}");
    }

    #[test]
    fn eviction_keeps_what_is_named_pinned_or_on_its_way() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        for n in 1..=4 {
            bring(&store, n).unwrap();
            let file = File::open(store.path_of(&wanted(n).sha256).unwrap()).unwrap();
            let day = std::time::Duration::from_secs(86_400 * u64::from(n));
            file.set_modified(std::time::UNIX_EPOCH + day).unwrap();
        }
        let mut part = store.part(&wanted(5)).unwrap().unwrap();
        part.write(b"beginning").unwrap();
        let pin = store.pin(&[wanted(2)]);
        let named = wanted(1).sha256;
        store.evict(wanted(4).bytes * 3 + 50, &|sha256| sha256 == named).unwrap();
        let there = |n: u8| store.has(&wanted(n));
        assert_eq!([there(1), there(2), there(3), there(4)], [true, true, false, true], "the oldest that may go");
        store.evict(0, &|sha256| sha256 == named).unwrap();
        assert_eq!([there(1), there(2), there(3), there(4)], [true, true, false, false]);
        assert!(part.path.exists());
        drop((part, pin));
        store.evict(0, &|_| false).unwrap();
        assert_eq!(names(&store.clips).unwrap(), Vec::<String>::new());
    }
}
