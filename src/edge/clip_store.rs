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

mod clips;
mod generations;
mod keys;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::clips::{Part, Pin, Seat, Whole};
pub use self::generations::{Generation, Incoming, OnDisk};
pub use self::keys::{KeysAccepted, KeysOnDisk, KeysVersion};
use crate::domain::config::Language;
use crate::domain::loudness::Heard;
use crate::domain::signature::{URGENT, hex, is_tame_id};
use crate::domain::text::Text;

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

#[derive(Default)]
struct Busy {
    /// Clips being fetched: the same clip is fetched once.
    fetching: HashSet<String>,
    /// Clips of a generation that is being put together: not to be evicted.
    pinned: HashMap<String, usize>,
    /// Clips being decoded.
    judging: usize,
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

/// What the tests of every part begin with.
#[cfg(test)]
mod given {
    use super::*;
    use crate::domain::signature::{Accepted, Wanted, sha256_hex};
    use crate::domain::time::{ClockState, Wall};

    pub fn sound(n: u8) -> Vec<u8> {
        vec![n; 1000 + usize::from(n)]
    }

    pub fn wanted(n: u8) -> Wanted {
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

    pub fn lasting(duration_ms: i64) -> impl Fn(&Path) -> Result<Measured, Text> + Send + Sync {
        move |_| Ok(Measured { duration_ms, loudness_lufs: Some(-20.0), true_peak_db: Some(-3.0) })
    }

    pub fn bring(store: &ClipStore, n: u8) -> Result<(), StoreError> {
        let Some(mut part) = store.part(&wanted(n))? else { return Ok(()) };
        if part.have() != wanted(n).bytes {
            part.restart(None).map_err(at(Path::new("part")))?;
            part.write(&sound(n)).map_err(at(Path::new("part")))?;
        }
        part.finish(&lasting(10_000)).map(|_| ())
    }

    pub fn accepted(serial: u64) -> (Vec<u8>, Accepted) {
        let bytes = format!("list {serial}").into_bytes();
        let body_sha256 = sha256_hex(&bytes);
        (bytes, Accepted { serial, body_sha256, issued_at: Wall(5) })
    }

    pub fn switch(store: &ClipStore, serial: u64, needed: &[Wanted]) -> Result<(), StoreError> {
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

    pub fn in_force(store: &ClipStore) -> Option<(u64, bool)> {
        let disk = store.on_disk("tinh").unwrap();
        disk.generations.first().map(|g| (g.serial, disk.damaged))
    }
}
