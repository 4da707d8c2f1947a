//! Generations: a list with all the clips it needs, and the state file that says which is in force and which was
//! before. Nothing here judges a signature.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ClipStore, KeysAccepted, StoreError, at, names};
use crate::domain::signature::{Accepted, URGENT, Wanted, is_sha256, sha256_hex};
use crate::domain::time::{ClockState, Wall};

/// What `SOURCE.accepted` says of one generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
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
pub(super) struct State {
    /// None before the first list: so that a missing state file beside lists always means damage.
    pub(super) current: Option<Entry>,
    pub(super) previous: Option<Entry>,
    /// Whether a person has put the one before back in force, until a later serial than `current` comes.
    #[serde(default)]
    pub(super) rolled_back: bool,
    /// The `keys.json` in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<KeysAccepted>,
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

impl ClipStore {
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
    pub(super) fn lock(&self) -> Result<File, StoreError> {
        let path = self.playlists.join(".lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).map_err(|e| at(&path)(e.into()))?;
        Ok(lock)
    }

    /// The lists of a source that have files, by serial.
    pub(super) fn stems(&self, source: &str) -> Result<Vec<(u64, String)>, StoreError> {
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

    pub(super) fn generation(&self, stem: &str, entry: Option<Entry>) -> Option<Generation> {
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

    pub(super) fn replace_state(&self, path: &Path, state: &State) -> Result<(), StoreError> {
        self.replace(path, &write_state(state).map_err(|e| at(path)(e.into()))?)
    }
}

fn write_state(state: &State) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_string(state)?;
    let sum = sha256_hex(text.as_bytes());
    text.push('\n');
    text.push_str(&sum);
    text.push('\n');
    Ok(text.into_bytes())
}

pub(super) fn read_state(bytes: &[u8]) -> Option<State> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (json, sum) = text.strip_suffix('\n')?.split_once('\n')?;
    let state: State = (sha256_hex(json.as_bytes()) == sum).then(|| serde_json::from_str(json).ok())??;
    let sound = |e: &Entry| is_sha256(&e.body_sha256);
    let sound_keys = state.keys.as_ref().is_none_or(|k| is_sha256(&k.sha256));
    (sound_keys && state.current.iter().chain(&state.previous).all(sound)).then_some(state)
}

#[cfg(test)]
mod tests {
    use super::super::given::*;
    use super::*;
    use std::sync::atomic::Ordering;

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
}
