//! `keys.json` over the network: asked for beside the list, walked version by version, told when it changes.

use super::source::SourceThread;
use super::{KeysInForce, SyncEvent, Trouble, keys_accepted};
use crate::daemon::keys::{FetchVersion, KeysIntake, Trust};
use crate::domain::keyring::{KEYS, LARGEST_KEYS, LARGEST_SIGNATURES, Roots, peek_version};
use crate::domain::signature::{Keys, Refusal};
use crate::edge::http::{self, Fetched, HttpError};
use crate::edge::published::SignedKeys;

/// The keys' file, beside the list.
const KEYS_FILE: &str = crate::edge::published::KEYS;

impl SourceThread {
    /// The keys that may sign now.
    pub(super) fn keys(&self) -> Result<Keys, Refusal> {
        match self.trust.as_ref().map_err(Clone::clone)? {
            Trust::Fixed(keys) => Ok(keys.clone()),
            Trust::Rooted(_) => self.known_keys.keys(&self.id),
        }
    }

    /// Looks whether the disk has another `keys.json` than we know: at the first check, after an import, and when the
    /// source's other thread has brought one.
    pub(super) fn look_at_keys(&mut self) -> Result<(), Trouble> {
        let Trust::Rooted(roots) = self.trust.clone()? else { return Ok(()) };
        let on_disk = self.surroundings.store.keys_accepted(&self.id);
        let first = !std::mem::replace(&mut self.keys_looked, true);
        if !first && on_disk == self.keys_seen {
            return Ok(());
        }
        self.keys_seen = on_disk;
        self.known_keys = self.with_keys_intake(&roots, |intake| intake.load())?;
        if let Some(text) = self.known_keys.alarm.clone() {
            self.tell(SyncEvent::Damaged { source: self.key.clone(), text });
        }
        self.keys_changed();
        Ok(())
    }

    /// Asks for `keys.json`, and walks to its version. One request when nothing is new.
    pub(super) fn ask_for_keys(&mut self, whole: bool) -> Result<(), Trouble> {
        let Trust::Rooted(roots) = self.trust.clone()? else { return Ok(()) };
        let url = http::beside(&self.url, KEYS_FILE);
        let mut again = false;
        loop {
            let behind = self.known_keys.alarm.is_some() || self.known_keys.ring.is_none();
            let known = self.keys_etag.clone().filter(|(of, _)| *of == url && !whole && !again && !behind);
            let tag = known.map(|(_, tag)| tag);
            let (bytes, etag) = match self.fetcher.body(&url, tag.as_deref(), LARGEST_KEYS) {
                Ok(Fetched::NotModified) => return Ok(()),
                Ok(Fetched::Body { bytes, etag }) => (bytes, etag),
                Err(HttpError::Status { status: 404 | 410, .. }) => {
                    return Err(Trouble::NoKeysFile { source_id: self.id.to_string(), place: url });
                }
                Err(error) => return Err(error.into()),
            };
            self.keys_etag = None;
            let version = peek_version(&bytes);
            let mut known_keys = std::mem::take(&mut self.known_keys);
            let mut fetch = |n: u64| self.version(n, (Some(n) == version).then_some(&bytes));
            let fetch: &mut FetchVersion = &mut fetch;
            let updated = self.with_keys_intake(&roots, |intake| intake.update(&mut known_keys, &bytes, fetch));
            self.known_keys = known_keys;
            let changed = match &updated {
                Ok(changed) => *changed,
                Err(_) => true, // as far as it came
            };
            if changed {
                self.keys_seen = self.surroundings.store.keys_accepted(&self.id);
                self.keys_changed();
            }
            match updated {
                Ok(_) => {
                    let current = self.known_keys.ring.as_ref().is_some_and(|r| Some(r.version()) == version);
                    if changed && !current {
                        continue; // the rest of a long way
                    }
                    self.keys_etag = etag.filter(|_| current).map(|tag| (url, tag));
                    return Ok(());
                }
                // Whoever uploads by hand may be between two files.
                Err(Trouble::Refusal(
                    Refusal::KeysSkip { .. } | Refusal::KeysChanged { .. } | Refusal::KeysSignatureMalformed { .. },
                )) if !again => {
                    again = true;
                    self.sleep(self.settings.between_files);
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// `keys/N.json` and its signatures; the file itself may be at hand.
    fn version(&self, n: u64, at_hand: Option<&Vec<u8>>) -> Result<Option<SignedKeys>, Trouble> {
        let get = |url: &str, most| match self.fetcher.body(url, None, most) {
            Ok(Fetched::Body { bytes, .. }) => Ok(Some(bytes)),
            Ok(Fetched::NotModified) | Err(HttpError::Status { status: 404 | 410, .. }) => Ok(None),
            Err(error) => Err(Trouble::from(error)),
        };
        let url = http::beside(&self.url, &crate::edge::published::keys_version(n));
        let bytes = match at_hand {
            Some(bytes) => bytes.clone(),
            None => match get(&url, LARGEST_KEYS)? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        let signatures = get(&http::signature_url(&url), LARGEST_SIGNATURES)?;
        Ok(signatures.map(|signatures| SignedKeys { bytes, signatures }))
    }

    /// Tells of the keys in force, and shows their version.
    fn keys_changed(&self) {
        let Some(ring) = &self.known_keys.ring else { return };
        let id = self.id.clone();
        for watched in self.shared.sources().iter_mut().filter(|s| s.status.id == id) {
            watched.status.keys = Some(ring.version());
        }
        self.tell(SyncEvent::Keys { source: id, keys: KeysInForce::of(ring) });
    }

    fn with_keys_intake<T>(&self, roots: &Roots, run: impl FnOnce(&KeysIntake) -> T) -> T {
        let latest = self.surroundings.latest.get(&format!("{}{KEYS}", self.id)).map(keys_accepted);
        run(&KeysIntake {
            source: &self.id,
            roots,
            store: &self.surroundings.store,
            latest: latest.as_ref(),
            clock: &*self.surroundings.clock,
            zone: self.zone,
        })
    }
}
