//! Which `keys.json` is in force, where root keys are pinned: all accepted versions, and their place in the state file.

use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::generations::{State, read_state};
use super::{ClipStore, StoreError};
use crate::domain::keyring::KEYS;

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

impl ClipStore {
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
}

#[cfg(test)]
mod tests {
    use super::super::Incoming;
    use super::super::given::*;
    use super::*;
    use crate::domain::signature::sha256_hex;
    use crate::domain::time::{ClockState, Wall};
    use std::sync::atomic::Ordering;

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
}
