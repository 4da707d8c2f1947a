//! The way in for signed bytes from anywhere, a server or a USB stick: judged, its clips brought, in force as one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use super::{Latest, Soonest, key_of};
use crate::daemon::keys::{KeysIntake, KnownKeys, Trust};
use crate::domain::config::{Config, Language};
use crate::domain::keyring::{KEYS, Keyring};
use crate::domain::playlist::{Form, List, read_list};
use crate::domain::schedule::Held;
use crate::domain::signature::{self, Accept, Accepted, Expected, Fresh, Keys, Refusal, Wanted};
use crate::domain::text::Text;
use crate::domain::time::{Clock, ClockState, Wall, Zone};
use crate::edge::clip_store::{
    Admit, ClipStore, Generation, Incoming, KeysAccepted, Measured, Part, StoreError, Whole,
};
use crate::edge::http::HttpError;

/// A list in force, with what the station knows of it.
#[derive(Debug)]
pub struct Stored {
    /// The source's id.
    pub source: Arc<str>,
    /// The list.
    pub list: Arc<List>,
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of its bytes.
    pub body_sha256: String,
    /// When it was issued.
    pub issued_at: Wall,
    /// From when on its clips may no longer air.
    pub expires_at: Wall,
    /// When it came into force on this box: planning never looks earlier.
    pub in_force_at: Wall,
    /// What the clock was worth then.
    pub clock: ClockState,
    /// Whether it is the source's urgent list.
    pub urgent: bool,
    /// The later serial that a person has taken back; this list is in force in its place.
    pub instead_of: Option<u64>,
    /// The number of the key that signed it, when that is in other hands by now: then all of the list is withdrawn.
    pub leaked: Option<String>,
}

impl Stored {
    /// Whether another is the same list of the same source.
    pub fn is(&self, other: &Stored) -> bool {
        let key = |s: &Stored| {
            (s.source.clone(), s.urgent, s.serial, s.body_sha256.clone(), s.instead_of, s.leaked.is_some())
        };
        key(self) == key(other)
    }

    /// As planning sees it.
    pub fn held(&self) -> Held {
        let (source, list) = (self.source.clone(), self.list.clone());
        let leaked = self.leaked.is_some();
        Held { source, list, since: self.in_force_at, expires_at: Some(self.expires_at), leaked }
    }
}

/// What loading a source from disk found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The list in force.
    pub stored: Option<Arc<Stored>>,
    /// What was accepted last, whether or not its list could be read: refuses older ones.
    pub accepted: Option<Accepted>,
    /// Damage, or a list that no longer holds.
    pub alarm: Option<Text>,
    /// The urgent list in force beside it.
    pub urgent: Option<Arc<Stored>>,
    /// Clips of the list that is on disk beside the one in force, by SHA-256: kept where there is room.
    pub beside: Vec<String>,
    /// The `keys.json` in force, where root keys are pinned.
    pub keys: Option<KeysInForce>,
}

/// A `keys.json` in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysInForce {
    /// Its version and hash.
    pub accepted: KeysAccepted,
    /// How many keys may sign, now or later.
    pub keys: usize,
}

impl KeysInForce {
    /// What a ring says.
    pub fn of(ring: &Keyring) -> KeysInForce {
        let file = ring.file();
        let accepted = KeysAccepted { version: ring.version(), sha256: ring.sha256().to_owned() };
        KeysInForce { accepted, keys: file.keys.iter().filter(|k| !k.leaked && k.until > file.issued_at).count() }
    }
}

/// Why nothing new came into force.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Nothing usable came.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// What came breaks a rule.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// A clip, or the disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no `keys.json` where one must be.
    #[error("{place}: no such file")]
    #[allow(missing_docs)] // the fields are what the sentence shows
    NoKeysFile { source_id: String, place: String },
}

impl Trouble {
    /// The sentence for people.
    pub fn text(&self, language: Language) -> Text {
        match self {
            Trouble::Http(e) => e.text(),
            Trouble::Refusal(e) => e.text(language),
            Trouble::Store(e) => e.text(language),
            Trouble::NoKeysFile { source_id, place } => {
                Text::KeysNotServed { source: source_id.clone(), place: place.clone() }
            }
        }
    }

    /// Whether the list is at fault, so that only another list helps.
    pub fn is_refusal(&self) -> bool {
        match self {
            Trouble::Http(_) | Trouble::NoKeysFile { .. } => false,
            Trouble::Refusal(_) => true,
            Trouble::Store(e) => e.is_refusal(),
        }
    }
}

/// What came of a list.
#[derive(Debug)]
pub enum Taken {
    /// It is the one in force.
    Same,
    /// It came into force.
    New(Arc<Stored>),
}

/// Fetches the bytes of one clip into its part file.
pub type FetchClip<'a> = dyn FnMut(&Wanted, &mut Part) -> Result<(), Trouble> + 'a;

/// The way in for one source's lists.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// The source's id.
    pub source: &'a str,
    /// Whether this is the way in for its urgent list.
    pub urgent: bool,
    /// The keys that may sign for it.
    pub keys: &'a Keys,
    /// The `keys.json` they are from, where root keys are pinned: stored with each list.
    pub keys_file: Option<&'a KeysAccepted>,
    /// Whether a later one was accepted once and is lost: no list before the one in force is taken back into force.
    pub behind: bool,
    /// This station's id.
    pub station: &'a str,
    /// The station's zone, for sentences.
    pub zone: Zone,
    /// The language of a sentence within a sentence.
    pub language: Language,
    /// Where it goes.
    pub store: &'a ClipStore,
    /// Decodes a clip whole.
    pub admit: &'a Admit<'a>,
    /// Most bytes of clips.
    pub quota: u64,
    /// Clips not to be evicted for new ones: those in force anywhere, and audio behind rows.
    pub keep: &'a dyn Fn(&str) -> bool,
    /// Clips of the lists before, which go before those.
    pub keep_before: &'a dyn Fn(&str) -> bool,
    /// The latest list that came into force by what the airing log says: where the disk knows less, it was set back.
    pub latest: Option<&'a Accepted>,
    /// The ids of a list's clips in the order in which they would air.
    pub soonest: &'a Soonest<'a>,
    /// Both clocks.
    pub clock: &'a dyn Clock,
}

impl Intake<'_> {
    /// The list in force from disk, its signature looked at again. No network is needed. Damage is repaired from
    /// the newest list that holds, and told.
    ///
    /// # Errors
    /// What the disk says of the folder itself.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let disk = self.store.on_disk(&self.key())?;
        let mut loaded = Loaded { accepted: disk.accepted.clone(), ..Loaded::default() };
        if disk.damaged {
            loaded.alarm = Some(Text::StoreDamaged { source: self.source.into() });
        }
        let mut looked = false;
        let back = disk.rolled_back.then_some(disk.accepted).flatten().map(|a| a.serial);
        for generation in disk.generations {
            if loaded.stored.is_some() || looked && self.behind {
                loaded.beside = clips_of(&generation);
                break;
            }
            looked = true;
            let (bytes, signature) = (&generation.bytes, &generation.signature);
            match self.reread(&generation, bytes, signature) {
                Ok(fresh) => {
                    if disk.damaged {
                        let key = self.key();
                        let incoming = Incoming {
                            source: &key,
                            bytes: &generation.bytes,
                            signature: &generation.signature,
                            accepted: &fresh.accepted,
                            in_force_at: generation.in_force_at,
                            clock: generation.clock,
                            needed: &[],
                            keys: self.keys_file,
                            key: fresh.key.as_deref(),
                        };
                        // Refused when the state on disk knows a later one: then that stays what is accepted.
                        let _ = self.store.switch(&incoming);
                    }
                    let instead_of = back.filter(|serial| *serial != fresh.accepted.serial);
                    loaded.stored = Some(self.stored(fresh, generation.in_force_at, generation.clock, instead_of));
                }
                Err(refusal) => loaded.alarm = Some(refusal.text(self.language)),
            }
        }
        if let Some(latest) = self.latest
            && loaded.accepted.as_ref().is_none_or(|a| a.serial < latest.serial)
        {
            loaded.accepted = Some(latest.clone());
            loaded.alarm.get_or_insert(Text::StoreDamaged { source: self.source.into() });
        }
        Ok(loaded)
    }

    /// A stored list, its signature looked at again. Where the keys it was judged under are lost, the key that stands
    /// with it in the state file says whether it is still the same; nothing new is taken by that.
    fn reread(&self, generation: &Generation, bytes: &[u8], signature: &[u8]) -> Result<Fresh, Refusal> {
        let by = |keys: &Keys| signature::reread(bytes, signature, keys, self.source, self.station, self.urgent);
        match (by(self.keys), &generation.key) {
            (Err(Refusal::KeyNotListed { .. }), Some(key)) if self.behind => {
                by(&Keys::parse(self.source, std::slice::from_ref(key))?)
            }
            (judged, _) => judged,
        }
    }

    /// Its name in the store.
    fn key(&self) -> String {
        key_of(self.source, self.urgent)
    }

    fn stored(&self, fresh: Fresh, in_force_at: Wall, clock: ClockState, instead_of: Option<u64>) -> Arc<Stored> {
        let list = if fresh.leaked { fresh.list.withdrawn() } else { fresh.list };
        Arc::new(Stored {
            source: self.source.into(),
            list: Arc::new(list),
            serial: fresh.accepted.serial,
            body_sha256: fresh.accepted.body_sha256,
            issued_at: fresh.accepted.issued_at,
            expires_at: fresh.expires_at,
            in_force_at,
            clock,
            urgent: self.urgent,
            instead_of,
            leaked: fresh.leaked.then_some(fresh.key_id),
        })
    }

    /// Judges a list, gets the clips it needs, and brings it into force when every one of them is there, verified
    /// and decoded. Until then, and when anything fails, the one in force stays.
    ///
    /// # Errors
    /// The first thing that stood in the way.
    pub fn take(
        &self,
        bytes: &[u8],
        signature: &[u8],
        known: &Loaded,
        fetch: &mut FetchClip,
    ) -> Result<Taken, Trouble> {
        let expected = Expected {
            source: self.source,
            urgent: self.urgent,
            station: self.station,
            keys: self.keys,
            stored: known.accepted.as_ref(),
            now: self.clock.now(),
            floor: (known.stored.iter().map(|s| s.issued_at.min(s.in_force_at))).fold(self.clock.floor(), Wall::max),
            zone: self.zone,
        };
        let fresh = match signature::accept(bytes, signature, &expected)? {
            Accept::Same(fresh) => {
                let in_force = |s: &Arc<Stored>| s.body_sha256 == fresh.accepted.body_sha256;
                // One that a person has taken back stays where it is.
                if known.stored.as_ref().is_some_and(|s| in_force(s) || s.instead_of.is_some()) {
                    return Ok(Taken::Same);
                }
                fresh // accepted once, lost since
            }
            Accept::New(fresh) => fresh,
        };
        let mut needed = signature::needed(&fresh.list);
        self.order(&fresh.list, &mut needed);
        let _pin = self.store.pin(&needed);
        self.make_room(&needed)?;
        if let Some((_, trouble)) = self.bring(&needed, false, &|_| false, fetch).into_iter().next() {
            return Err(trouble);
        }
        // Those a commune may take, where they are there already: what an older list said of them need not hold.
        for wanted in signature::spare(&fresh.list).iter().filter(|w| self.store.has(w)) {
            self.store.check_admitted(wanted, self.admit)?;
        }
        let now = self.clock.now();
        self.store.switch(&Incoming {
            source: &self.key(),
            bytes,
            signature,
            accepted: &fresh.accepted,
            in_force_at: now.wall(),
            clock: now.clock,
            needed: &needed,
            keys: self.keys_file,
            key: fresh.key.as_deref(),
        })?;
        Ok(Taken::New(self.stored(*fresh, now.wall(), now.clock, None)))
    }

    /// What is missing is fetched in this order: emergencies, then what airs soonest.
    pub(super) fn order(&self, list: &List, wanted: &mut [Wanted]) {
        if wanted.iter().filter(|w| !self.store.has(w)).nth(1).is_some() {
            signature::soonest_first(list, &(self.soonest)(self.source, list), wanted);
        }
    }

    pub(super) fn make_room(&self, needed: &[Wanted]) -> Result<(), StoreError> {
        let all: u64 = needed.iter().map(|w| w.bytes).sum();
        if all > self.quota {
            return Err(StoreError::OverQuota { needed: all, quota: self.quota });
        }
        let missing: u64 = needed.iter().filter(|w| !self.store.has(w)).map(|w| w.bytes).sum();
        if missing > 0 {
            let keep = |sha256: &str| needed.iter().any(|w| w.sha256 == sha256) || (self.keep)(sha256);
            let most = self.quota.saturating_sub(missing);
            // The list before can be restored for as long as nothing else needs the room.
            self.store.evict(most, &|sha256| keep(sha256) || (self.keep_before)(sha256))?;
            if self.store.usage().1 > most {
                self.store.evict(most, &keep)?;
            }
        }
        Ok(())
    }

    /// Gets clips that are not there, in their order: one at a time over the line, while those that have come are
    /// decoded. A file that was pieced together and has the wrong bytes is thrown away and fetched once more as a
    /// whole. After a trouble only those under way are brought to their end, unless `goes_on` says that the others
    /// have nothing to do with it. `clear`: room is made for each by itself.
    ///
    /// Returns what stood in the way, by the place of the clip in `wanted`, the first first.
    pub(super) fn bring(
        &self,
        wanted: &[Wanted],
        clear: bool,
        goes_on: &(dyn Fn(&Trouble) -> bool + Sync),
        fetch: &mut FetchClip,
    ) -> Vec<(usize, Trouble)> {
        let (store, admit) = (self.store, self.admit);
        let mut troubles = Vec::new();
        let mut open = Vec::new();
        for (n, wanted) in wanted.iter().enumerate() {
            // What was decoded before costs a look.
            if store.has(wanted) && store.measured(&wanted.sha256).is_some() {
                if let Err(error) = store.check_admitted(wanted, admit) {
                    let trouble = Trouble::from(error);
                    let enough = !goes_on(&trouble);
                    troubles.push((n, trouble));
                    if enough {
                        return troubles;
                    }
                }
            } else {
                open.push(n);
            }
        }
        if open.is_empty() {
            return troubles;
        }
        let desk =
            Desk { store, admit, urgent: self.urgent, goes_on, enough: Arc::default(), troubles: Mutex::new(troubles) };
        let judges = store.judges().min(open.len());
        std::thread::scope(|scope| {
            // As many as are being decoded may wait for it.
            let (hand_over, come) = mpsc::sync_channel(judges);
            let come = Arc::new(Mutex::new(come));
            let mut there = 0;
            for _ in 0..judges {
                let (come, desk) = (come.clone(), &desk);
                let judge = std::thread::Builder::new().name("admit".into()).stack_size(256 * 1024);
                there += usize::from(judge.spawn_scoped(scope, move || desk.judge_all(&come)).is_ok());
            }
            for n in open {
                if desk.enough.load(Ordering::Relaxed) {
                    break;
                }
                let come = match self.fetched(&wanted[n], clear, &desk.enough, fetch) {
                    Ok(come) => come,
                    Err(trouble) => {
                        let stopped = matches!(trouble, Trouble::Http(HttpError::Stopped));
                        let more = goes_on(&trouble);
                        desk.note(n, trouble);
                        if stopped {
                            desk.enough.store(true, Ordering::Relaxed);
                        }
                        if more {
                            continue;
                        }
                        break;
                    }
                };
                if there == 0 {
                    desk.judge(n, come);
                } else if hand_over.send((n, come)).is_err() {
                    break;
                }
            }
        });
        let mut troubles = desk.troubles.into_inner().unwrap_or_else(PoisonError::into_inner);
        troubles.sort_by_key(|(n, _)| *n);
        troubles
    }

    /// The bytes of one clip.
    fn fetched<'w>(
        &'w self,
        wanted: &'w Wanted,
        clear: bool,
        enough: &Arc<AtomicBool>,
        fetch: &mut FetchClip,
    ) -> Result<Come<'w>, Trouble> {
        if clear {
            self.make_room(std::slice::from_ref(wanted))?;
        }
        loop {
            if self.store.has(wanted) {
                return Ok(Come::There(wanted));
            }
            let Some(mut part) = self.store.part(wanted)? else { continue };
            part.needless_when(enough.clone());
            let pieced = part.have() > 0;
            if let Err(trouble) = fetch(wanted, &mut part) {
                if matches!(&trouble, Trouble::Http(e) if !e.keeps_part()) {
                    part.discard();
                }
                return Err(trouble);
            }
            match part.whole() {
                Err(StoreError::WrongBytes { .. }) if pieced => {}
                whole => return Ok(Come::Whole(whole?)),
            }
        }
    }
}

/// A clip to be judged.
enum Come<'w> {
    /// It has come.
    Whole(Whole<'w>),
    /// It was there.
    There(&'w Wanted),
}

/// Where clips that have come are judged beside the transfer of the next.
struct Desk<'w> {
    store: &'w ClipStore,
    admit: &'w Admit<'w>,
    /// What is urgent waits for no other list's clips.
    urgent: bool,
    goes_on: &'w (dyn Fn(&Trouble) -> bool + Sync),
    /// Whether whatever else might come is of no use.
    enough: Arc<AtomicBool>,
    troubles: Mutex<Vec<(usize, Trouble)>>,
}

impl Desk<'_> {
    fn judge_all(&self, come: &Mutex<mpsc::Receiver<(usize, Come)>>) {
        loop {
            let next = come.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((n, come)) = next else { return };
            self.judge(n, come);
        }
    }

    fn judge(&self, n: usize, come: Come) {
        if self.enough.load(Ordering::Relaxed) {
            return;
        }
        let wanted = match &come {
            Come::Whole(whole) => whole.wanted(),
            Come::There(wanted) => wanted,
        };
        let decodes = self.store.measured(&wanted.sha256).is_none();
        let _seat = (decodes && !self.urgent).then(|| self.store.seat());
        let judged = match come {
            Come::Whole(whole) => whole.admit(self.admit).map(drop),
            Come::There(wanted) => self.store.check_admitted(wanted, self.admit),
        };
        if let Err(error) = judged {
            self.note(n, error.into());
        }
    }

    fn note(&self, n: usize, trouble: Trouble) {
        if !(self.goes_on)(&trouble) && !matches!(trouble, Trouble::Http(_)) {
            self.enough.store(true, Ordering::Relaxed);
        }
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push((n, trouble));
    }
}

/// Loads what is in force for every source from disk, in the order of the config. A source whose keys are
/// mistyped has an alarm and no list.
///
/// # Errors
/// What the disk says of the folder itself.
pub fn load_all(
    config: &Config,
    store: &ClipStore,
    clock: &dyn Clock,
    language: Language,
    latest: &Latest,
) -> Result<Vec<(Arc<str>, Loaded)>, StoreError> {
    let nothing_to_admit = |_: &Path| -> Result<Measured, Text> { Err(Text::HttpStopped {}) };
    config
        .sources
        .iter()
        .map(|source| {
            let alarmed = |refusal: Refusal| {
                let alarm = Some(refusal.text(language));
                Ok((source.id.clone(), Loaded { alarm, ..Loaded::default() }))
            };
            let latest_keys = latest.get(&format!("{}{KEYS}", source.id)).map(keys_accepted);
            let known_keys = match Trust::of(source) {
                Ok(Trust::Fixed(_)) => None,
                Ok(Trust::Rooted(roots)) => {
                    let (source, latest, zone) = (&*source.id, latest_keys.as_ref(), config.station.timezone);
                    Some(KeysIntake { source, roots: &roots, store, latest, clock, zone }.load()?)
                }
                Err(refusal) => return alarmed(refusal),
            };
            let keys = match &known_keys {
                None => Keys::parse(&source.id, &source.public_keys),
                Some(known) => known.keys(&source.id),
            };
            let keys = match (keys, &known_keys) {
                (Ok(keys), _) => keys,
                // Nothing has ever come, or what there is does not hold.
                (Err(_), Some(known)) => {
                    return Ok((source.id.clone(), Loaded { alarm: known.alarm.clone(), ..Loaded::default() }));
                }
                (Err(refusal), None) => return alarmed(refusal),
            };
            let keys_file = known_keys.as_ref().and_then(KnownKeys::accepted);
            let intake = Intake {
                source: &source.id,
                urgent: false,
                keys: &keys,
                keys_file: keys_file.as_ref(),
                behind: known_keys.as_ref().is_some_and(KnownKeys::behind),
                station: &config.station.id,
                zone: config.station.timezone,
                language,
                store,
                admit: &nothing_to_admit,
                quota: config.state.clips_quota_bytes,
                keep: &|_| true,
                keep_before: &|_| true,
                soonest: &|_, _| Vec::new(),
                latest: latest.get(&*source.id),
                clock,
            };
            let mut loaded = intake.load()?;
            if source.urgent_poll_ms.is_some() {
                let latest = latest.get(&key_of(&source.id, true));
                let urgent = Intake { urgent: true, latest, ..intake }.load()?;
                loaded.alarm = loaded.alarm.or(urgent.alarm);
                loaded.urgent = urgent.stored;
            }
            if let Some(known) = known_keys {
                loaded.keys = known.ring.as_ref().map(KeysInForce::of);
                loaded.alarm = known.alarm.or(loaded.alarm);
            }
            Ok((source.id.clone(), loaded))
        })
        .collect()
}

/// What the airing log knew of a source's keys.
pub fn keys_accepted(latest: &Accepted) -> KeysAccepted {
    KeysAccepted { version: latest.serial, sha256: latest.body_sha256.clone() }
}

pub(super) fn hashes_of(list: &List) -> Vec<String> {
    list.clips.iter().filter_map(|c| c.sha256.as_deref().map(str::to_owned)).collect()
}

/// The clips of a list on disk; it was verified when it came.
fn clips_of(generation: &Generation) -> Vec<String> {
    read_list(&generation.bytes, Form::Published).value.map(|l| hashes_of(&l)).unwrap_or_default()
}

/// Puts the list before the one in force back in force ([`ClipStore::roll_back`]).
///
/// # Errors
/// See there.
pub fn roll_back(store: &ClipStore, source: &str, clock: &dyn Clock) -> Result<(u64, u64), StoreError> {
    let now = clock.now();
    store.roll_back(source, (now.wall(), now.clock), &|generation| {
        let list = read_list(&generation.bytes, Form::Published).value;
        list.map(|l| signature::needed(&l)).unwrap_or_default()
    })
}
