//! Which keys may sign a source's lists: those of `station.toml`, or those of the `keys.json` that its root keys signed.
//!
//! `keys.json` says the latest version; beside it every version stands under its number, `keys/N.json` and
//! `keys/N.json.minisig`, and is never changed again. So a look costs one conditional request, and a box that was away
//! for several versions walks from the one it has to the latest, each signed by the roots of the one before.
//!
//! Keys come into force by themselves, before any list: a leaked key is dead after one contact, whatever became of the
//! list that was fetched with it.

use crate::daemon::sync::Trouble;
use crate::domain::config::Source;
use crate::domain::keyring::{Keyring, MOST_STEPS, Roots, peek_version};
use crate::domain::signature::{Keys, Refusal, sha256_hex};
use crate::domain::text::Text;
use crate::domain::time::{Clock, Zone};
use crate::edge::clip_store::{ClipStore, KeysAccepted, StoreError};
use crate::edge::published::SignedKeys;

/// Where a source's keys stand.
#[derive(Clone, Debug)]
pub enum Trust {
    /// In `station.toml`.
    Fixed(Keys),
    /// In `keys.json`, signed by these.
    Rooted(Box<Roots>),
}

impl Trust {
    /// As the config has it.
    ///
    /// # Errors
    /// [`Refusal::KeyMalformed`] or [`Refusal::NoKey`].
    pub fn of(source: &Source) -> Result<Trust, Refusal> {
        match &source.roots {
            Some(roots) => Ok(Trust::Rooted(Box::new(roots.clone()))),
            None => Keys::parse(&source.id, &source.public_keys).map(Trust::Fixed),
        }
    }
}

/// What the disk has of a source's keys.
#[derive(Clone, Debug, Default)]
pub struct KnownKeys {
    /// What is in force.
    pub ring: Option<Keyring>,
    /// The latest that was ever accepted, by disk and log: nothing older is taken.
    pub latest: Option<KeysAccepted>,
    /// Damage, or keys that are not under the pinned roots.
    pub alarm: Option<Text>,
}

impl KnownKeys {
    /// The keys that may sign.
    ///
    /// # Errors
    /// [`Refusal::KeysNone`] before the first `keys.json`.
    pub fn keys(&self, source: &str) -> Result<Keys, Refusal> {
        self.ring.as_ref().map(Keyring::keys).ok_or_else(|| Refusal::KeysNone { from: source.into() })
    }

    /// Whether what is in force is older than what was accepted once: lists are not judged by it then.
    pub fn behind(&self) -> bool {
        let version = self.ring.as_ref().map_or(0, Keyring::version);
        self.latest.as_ref().is_some_and(|latest| latest.version > version)
    }

    /// What to remember with a list that is judged under it.
    pub fn accepted(&self) -> Option<KeysAccepted> {
        self.ring.as_ref().map(accepted_of)
    }
}

fn accepted_of(ring: &Keyring) -> KeysAccepted {
    KeysAccepted { version: ring.version(), sha256: ring.sha256().to_owned() }
}

/// Fetches `keys/N.json` and its signatures; none when there is no such file.
pub type FetchVersion<'a> = dyn FnMut(u64) -> Result<Option<SignedKeys>, Trouble> + 'a;

/// The way in for one source's keys.
#[derive(Clone, Copy)]
pub struct KeysIntake<'a> {
    /// The source's id.
    pub source: &'a str,
    /// The roots that `station.toml` pins.
    pub roots: &'a Roots,
    /// Where they go.
    pub store: &'a ClipStore,
    /// The latest that came into force by what the airing log says: where the disk knows less, it was set back.
    pub latest: Option<&'a KeysAccepted>,
    /// Both clocks.
    pub clock: &'a dyn Clock,
    /// For the times in sentences.
    pub zone: Zone,
}

impl KeysIntake<'_> {
    /// The keys in force from disk: the chain is followed again from the pinned roots. No network is needed. Damage
    /// never makes a fresh start: the last version that verifies goes on, and nothing older than what was accepted
    /// once is taken.
    ///
    /// # Errors
    /// What the disk says of the folder itself.
    pub fn load(&self) -> Result<KnownKeys, StoreError> {
        let disk = self.store.keys_on_disk(self.source)?;
        let mut ring: Option<Keyring> = None;
        let mut last = None;
        let mut whole = disk.accepted.is_none();
        for file in &disk.versions {
            if let Some(accepted) = &disk.accepted {
                if file.version > accepted.version {
                    break; // written, but not switched to
                }
                let this = sha256_hex(&file.bytes) == accepted.sha256;
                whole |= this;
                if file.version == accepted.version && !this {
                    continue;
                }
            }
            let next = match &ring {
                None => Keyring::first(self.roots, self.source, &file.bytes, &file.signatures),
                Some(ring) => ring.next(&file.bytes, &file.signatures),
            };
            if let Ok(next) = next {
                (ring, last) = (Some(next), Some(file));
            }
        }
        if disk.damaged
            && let (Some(ring), Some(file)) = (&ring, last)
        {
            // What says which is in force is lost: it is this one, and once more written down as that.
            let _ = self.store.switch_keys(self.source, &accepted_of(ring), &file.bytes, &file.signatures);
        }
        let version = ring.as_ref().map_or(0, Keyring::version);
        let by_disk = disk.accepted.clone().or_else(|| ring.as_ref().map(accepted_of));
        let latest = by_disk.into_iter().chain(self.latest.cloned()).max_by_key(|k| k.version);
        let source = || self.source.to_owned();
        let alarm = match &latest {
            None => None,
            Some(latest) if latest.version == version && !disk.damaged => None,
            Some(latest) if ring.is_none() && whole && !disk.versions.is_empty() => {
                Some(Text::KeysOtherRoots { source: source(), stored: latest.version })
            }
            Some(latest) => Some(Text::KeysDamaged { source: source(), version, stored: latest.version }),
        };
        Ok(KnownKeys { ring, latest, alarm })
    }

    /// Judges what a server or a stick has for `keys.json`, and walks to it: the new keys, or none when nothing is
    /// new. Each version on the way is in force on disk before the next is looked at.
    ///
    /// # Errors
    /// The first thing that stood in the way; what came into force until then stays.
    pub fn update(&self, known: &mut KnownKeys, bytes: &[u8], fetch: &mut FetchVersion) -> Result<bool, Trouble> {
        let from = || self.source.to_owned();
        let sha256 = sha256_hex(bytes);
        if !known.behind() && known.ring.as_ref().is_some_and(|r| r.sha256() == sha256) {
            return Ok(false);
        }
        let Some(version) = peek_version(bytes) else {
            // Its own reading says why.
            let malformed = |e| Trouble::Refusal(e);
            return match crate::domain::keyring::KeysFile::read(bytes, self.source) {
                Err(refusal) => Err(malformed(refusal)),
                Ok(_) => Ok(false),
            };
        };
        let stored = known.latest.as_ref().map_or(0, |k| k.version);
        if version < stored {
            return Err(Refusal::KeysLower { from: from(), version, stored }.into());
        }
        if let Some(ring) = known.ring.as_ref().filter(|r| r.version() == version) {
            // Another of the same version: whether root keys signed both is what the sentence says.
            let two = fetch(version)?.map(|v| v.signatures).unwrap_or_default();
            ring.next(bytes, &two)?;
            return Err(Refusal::KeysEquivocation { from: from(), version }.into());
        }
        let mut at = match &known.ring {
            Some(ring) => ring.version() + 1,
            None => self.beginning(version, fetch)?,
        };
        let last = version.min(at.saturating_add(MOST_STEPS));
        let mut changed = false;
        while at <= last {
            let have = known.ring.as_ref().map_or(0, Keyring::version);
            let skip = || Refusal::KeysSkip { from: from(), version, stored: have, missing: at };
            let SignedKeys { bytes, signatures } = fetch(at)?.ok_or_else(skip)?;
            let next = match &known.ring {
                None => Keyring::first(self.roots, self.source, &bytes, &signatures)?,
                Some(ring) => ring.next(&bytes, &signatures)?,
            };
            next.timely(self.clock.now(), self.zone)?;
            let accepted = accepted_of(&next);
            // Between a set-back disk and the latest that was ever accepted, the way is walked, not believed.
            if known.latest.as_ref().is_none_or(|k| k.version <= accepted.version) {
                if known.latest.as_ref().is_some_and(|k| k.version == accepted.version && *k != accepted) {
                    return Err(Refusal::KeysEquivocation { from: from(), version: accepted.version }.into());
                }
                known.latest = Some(accepted.clone());
            }
            self.store.switch_keys(self.source, &accepted, &bytes, &signatures)?;
            (known.ring, changed) = (Some(next), true);
            if known.latest.as_ref() == Some(&accepted) {
                known.alarm = None;
            }
            at += 1;
        }
        Ok(changed)
    }

    /// The version a box without any begins with: the latest that the pinned roots signed. Where the roots have
    /// changed since the installer wrote them down, that is an earlier one.
    fn beginning(&self, version: u64, fetch: &mut FetchVersion) -> Result<u64, Trouble> {
        let mut first_refusal = None;
        for at in (version.saturating_sub(MOST_STEPS).max(1)..=version).rev() {
            let Some(found) = fetch(at)? else { break };
            match Keyring::first(self.roots, self.source, &found.bytes, &found.signatures) {
                Ok(_) => return Ok(at),
                Err(refusal @ Refusal::KeysPinnedMissing { .. }) => {
                    first_refusal.get_or_insert(refusal);
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
        let skip = Refusal::KeysSkip { from: self.source.into(), version, stored: 0, missing: version };
        Err(first_refusal.unwrap_or(skip).into())
    }
}
