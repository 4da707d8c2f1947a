//! Which keys may sign a source's lists, where the station pins root keys: `keys.json`.
//!
//! A key that signs every week lies on a machine with a network, and can be stolen there. So it is not the pinned one:
//! `station.toml` names root keys, kept offline by several people, and `keys.json`, signed by a threshold of them (as
//! 2 of 3), says which content keys may sign lists, and from when until when.
//!
//! - The versions are a chain: the next has exactly `version` + 1 and is signed by the threshold of the roots before
//!   **and** by that of the roots it names itself. So roots are exchanged in the same way, and nobody skips a step.
//! - A station that has none yet begins with any version that a threshold of its *pinned* roots signed.
//! - A content key holds while `from <= t < until`. `t` is the latest of what is certainly over: the wall clock where
//!   it is trusted, else the floor, and in either case the times at which `keys.json` and the list say they were
//!   made. Whether a key may be used *already* is asked of a trusted clock only.
//! - A key past its end signs nothing new; the list it signed stays in force until its own expiry. A key marked
//!   `leaked` takes back the list it signed as well: nobody can say who made it.
//! - A key that a later version does not name any more is as one past its end; `leaked` stays with it.
//!
//! The signature file holds one minisign signature after the other, each of four lines, so that everybody adds theirs
//! at the end, and minisign's own tool checks the first.

use minisign_verify::{Error as MinisignError, PublicKey, Signature};
use serde::{Deserialize, Serialize};

use crate::domain::signature::{Keys, Refusal, Standing, key_id, sha256_hex, signature_blocks};
use crate::domain::text::Text;
use crate::domain::time::{DAY_MS, Now, Wall, Zone};

/// The `format` this program writes.
pub const FORMAT: u64 = 1;
/// The largest `keys.json` in bytes; one with three roots and five keys has about 1,500.
pub const LARGEST_KEYS: u64 = 64 * 1024;
/// The largest signature file in bytes: about 50 signatures.
pub const LARGEST_SIGNATURES: u64 = 16 * 1024;
/// The most root keys.
pub const MOST_ROOTS: usize = 16;
/// The most content keys in one version.
pub const MOST_KEYS: usize = 64;
/// The longest a content key may hold, in days: a stolen server that holds back news holds it back no longer.
pub const LONGEST_KEY_DAYS: i64 = 1_100;
/// How far a station walks along the versions in one look.
pub const MOST_STEPS: u64 = 256;
/// What follows a source's id in the names of its key files in the store: no source's id can end so.
pub const KEYS: &str = "~keys";
/// The times that a file may hold: from 1970 on, and before the year 9000, so that each can be written as it was read.
const EARLIEST: Wall = Wall(0);
/// The end of them.
const LATEST: Wall = Wall(221_845_392_000_000);
/// How far ahead of a trusted clock a version may have been made, in milliseconds.
const AHEAD_MS: i64 = DAY_MS;

/// The number and the bytes of a minisign public key: what makes two keys the same, however they are written.
fn parts(text: &str) -> Option<(String, [u8; 32])> {
    let bytes = minisign::PublicKey::from_base64(text.trim()).ok()?.to_bytes();
    Some((key_id(bytes.get(2..10)?), bytes.get(10..42)?.try_into().ok()?))
}

/// The number of a minisign public key, as minisign prints it.
pub fn id_of(text: &str) -> Option<String> {
    parts(text).map(|(id, _)| id)
}

#[derive(Clone, Debug)]
struct Root {
    text: String,
    id: String,
    raw: [u8; 32],
    public: PublicKey,
}

/// Root keys and how many of them must sign.
#[derive(Clone, Debug)]
pub struct Roots {
    keys: Vec<Root>,
    threshold: usize,
}

/// Why root keys are none. The number is the place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootsFault {
    /// Not a minisign key.
    Malformed(usize),
    /// The same key, or the same number, as an earlier one: one person would count twice.
    Twice(usize),
    /// None, or too many.
    Count,
    /// A threshold below 1 or above the number of keys.
    Threshold,
}

impl Roots {
    /// Reads root keys: each the second line of a minisign `.pub` file.
    ///
    /// # Errors
    /// The first fault.
    pub fn new(texts: &[String], threshold: u64) -> Result<Roots, RootsFault> {
        let mut keys: Vec<Root> = Vec::new();
        if !(1..=MOST_ROOTS).contains(&texts.len()) {
            return Err(RootsFault::Count);
        }
        for (n, text) in texts.iter().enumerate() {
            let text = text.trim();
            let (id, raw) = parts(text).ok_or(RootsFault::Malformed(n))?;
            let public = PublicKey::from_base64(text).map_err(|_| RootsFault::Malformed(n))?;
            if keys.iter().any(|k| k.raw == raw || k.id == id) {
                return Err(RootsFault::Twice(n));
            }
            keys.push(Root { text: text.to_owned(), id, raw, public });
        }
        match usize::try_from(threshold) {
            Ok(threshold) if (1..=keys.len()).contains(&threshold) => Ok(Roots { keys, threshold }),
            _ => Err(RootsFault::Threshold),
        }
    }

    /// How many must sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The keys as texts.
    pub fn texts(&self) -> Vec<String> {
        self.keys.iter().map(|k| k.text.clone()).collect()
    }

    /// Their numbers, in the same order.
    pub fn ids(&self) -> Vec<String> {
        self.keys.iter().map(|k| k.id.clone()).collect()
    }

    /// Whether this public key is one of them.
    pub fn has(&self, text: &str) -> bool {
        parts(text).is_some_and(|(_, raw)| self.keys.iter().any(|k| k.raw == raw))
    }

    /// Whether another set is the same, in whatever order.
    pub fn same(&self, other: &Roots) -> bool {
        let in_other = |k: &Root| other.keys.iter().any(|o| o.raw == k.raw);
        self.threshold == other.threshold && self.keys.len() == other.keys.len() && self.keys.iter().all(in_other)
    }

    /// Who of them signed these bytes: each counts once, however often it signed.
    pub fn signers(&self, bytes: &[u8], signatures: &Signatures) -> Signers {
        let mut signers = Signers::default();
        for root in &self.keys {
            let mut signed = false;
            for signature in &signatures.0 {
                match root.public.verify(bytes, signature, false) {
                    Ok(()) => signed = true,
                    Err(MinisignError::UnexpectedKeyId) => {}
                    Err(_) => signers.changed = true,
                }
            }
            if signed {
                signers.ids.push(root.id.clone());
            }
        }
        signers
    }
}

/// Who signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    /// The numbers of the root keys whose signature holds.
    pub ids: Vec<String>,
    /// Whether one of them signed other bytes than these.
    pub changed: bool,
}

/// A signature file, read: any number of minisign signatures.
#[derive(Clone)]
pub struct Signatures(Vec<Signature>);

impl Signatures {
    /// Reads a signature file in minisign's plain form, one signature or several. None for any other.
    pub fn parse(bytes: &[u8]) -> Option<Signatures> {
        if bytes.len() as u64 > LARGEST_SIGNATURES {
            return None;
        }
        let blocks = signature_blocks(bytes)?;
        blocks.iter().map(|block| Signature::decode(block).ok()).collect::<Option<Vec<_>>>().map(Signatures)
    }
}

/// A key that may sign lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentKey {
    /// The minisign public key.
    pub key: String,
    /// For people, as "máy phòng Văn hóa".
    pub name: Option<String>,
    /// From when on it holds.
    pub from: Wall,
    /// From when on it does not any more.
    pub until: Wall,
    /// Whether it is in other hands.
    pub leaked: bool,
}

impl ContentKey {
    /// Its number, as minisign prints it.
    pub fn id(&self) -> String {
        id_of(&self.key).unwrap_or_default()
    }
}

/// One version of `keys.json`.
#[derive(Clone, Debug)]
pub struct KeysFile {
    /// Whose.
    pub source: String,
    /// 1 and up.
    pub version: u64,
    /// When it was made.
    pub issued_at: Wall,
    /// The roots from here on.
    pub roots: Roots,
    /// Names for people of those who keep them, in the same order; empty where nobody wrote them down.
    pub root_names: Vec<String>,
    /// The content keys.
    pub keys: Vec<ContentKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    format: u64,
    source: String,
    version: u64,
    issued_at: String,
    threshold: u64,
    root_keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    root_names: Vec<String>,
    keys: Vec<RawKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    from: String,
    until: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    leaked: bool,
}

/// The version a file says it has. Nothing is believed yet: it only says which files to look for.
pub fn peek_version(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Peek {
        version: u64,
    }
    if bytes.len() as u64 > LARGEST_KEYS {
        return None;
    }
    serde_json::from_slice::<Peek>(bytes).ok().map(|p| p.version).filter(|v| *v > 0)
}

impl KeysFile {
    /// Reads one; of whom, and by whom it is signed, is not looked at.
    ///
    /// # Errors
    /// [`Refusal::KeysMalformed`] or [`Refusal::KeysFormatUnknown`]; `from` is who is asked for it.
    pub fn read(bytes: &[u8], from: &str) -> Result<KeysFile, Refusal> {
        let malformed = |why: Text| Refusal::KeysMalformed { from: from.into(), why: Box::new(why) };
        if bytes.len() as u64 > LARGEST_KEYS {
            return Err(malformed(Text::KeysTooLarge { most: LARGEST_KEYS / 1024 }));
        }
        let syntax = |e: serde_json::Error| malformed(Text::JsonSyntax { message: e.to_string() });
        // A file of a later format has much that is unknown here: the format is the reason.
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(syntax)?;
        if let Some(format) = value.get("format").and_then(serde_json::Value::as_i64).filter(|f| *f > FORMAT as i64) {
            return Err(Refusal::KeysFormatUnknown { from: from.into(), format });
        }
        // From the bytes again: a key that stands twice is a mistake, not the last one's.
        let raw: RawFile = serde_json::from_slice(bytes).map_err(syntax)?;
        if raw.format != FORMAT || raw.version == 0 || i64::try_from(raw.version).is_err() {
            return Err(malformed(Text::KeysVersionBad {}));
        }
        let time = |text: &str| {
            let wall = Wall::parse_rfc3339(text).filter(|wall| (EARLIEST..LATEST).contains(wall));
            wall.ok_or_else(|| malformed(Text::KeysTimeBad { text: cut(text) }))
        };
        let roots = Roots::new(&raw.root_keys, raw.threshold).map_err(|fault| {
            malformed(match fault {
                RootsFault::Malformed(_) => Text::KeysRootBad {},
                RootsFault::Twice(_) => Text::KeysRootTwice {},
                RootsFault::Count => Text::KeysRootCount { most: MOST_ROOTS },
                RootsFault::Threshold => Text::KeysThresholdBad { threshold: raw.threshold, keys: raw.root_keys.len() },
            })
        })?;
        if !raw.root_names.is_empty() && raw.root_names.len() != raw.root_keys.len() {
            return Err(malformed(Text::KeysRootNames {}));
        }
        if raw.keys.len() > MOST_KEYS {
            return Err(malformed(Text::KeysTooMany { most: MOST_KEYS }));
        }
        let mut keys: Vec<ContentKey> = Vec::new();
        let mut seen: Vec<(String, [u8; 32])> = Vec::new();
        for raw in &raw.keys {
            let this = parts(&raw.key).ok_or_else(|| malformed(Text::KeysKeyBad { key: cut(&raw.key) }))?;
            let id = this.0.clone();
            if roots.keys.iter().any(|r| r.raw == this.1 || r.id == this.0) {
                return Err(malformed(Text::KeysRootSignsLists { id }));
            }
            if seen.iter().any(|s| s.0 == this.0 || s.1 == this.1) {
                return Err(malformed(Text::KeysKeyTwice { id }));
            }
            let (from, until) = (time(&raw.from)?, time(&raw.until)?);
            if until < from || until - from > LONGEST_KEY_DAYS * DAY_MS {
                return Err(malformed(Text::KeysLifeBad { id, most: LONGEST_KEY_DAYS }));
            }
            seen.push(this);
            let name = raw.name.as_deref().map(cut).filter(|n| !n.is_empty());
            keys.push(ContentKey { key: raw.key.trim().to_owned(), name, from, until, leaked: raw.leaked });
        }
        let issued_at = time(&raw.issued_at)?;
        let root_names = raw.root_names.iter().map(|n| cut(n)).collect();
        Ok(KeysFile { source: raw.source, version: raw.version, issued_at, roots, root_names, keys })
    }

    /// The file as text: the same content gives the same bytes.
    pub fn document(&self, zone: Zone) -> String {
        let raw = RawFile {
            format: FORMAT,
            source: self.source.clone(),
            version: self.version,
            issued_at: zone.rfc3339_seconds(self.issued_at),
            threshold: self.roots.threshold as u64,
            root_keys: self.roots.texts(),
            root_names: self.root_names.clone(),
            keys: (self.keys.iter())
                .map(|k| RawKey {
                    key: k.key.clone(),
                    name: k.name.clone(),
                    from: zone.rfc3339_seconds(k.from),
                    until: zone.rfc3339_seconds(k.until),
                    leaked: k.leaked,
                })
                .collect(),
        };
        let mut text = serde_json::to_string_pretty(&raw).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Of a text from a file that nobody has vouched for, as much as a sentence can hold.
fn cut(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(80).collect()
}

/// What is trusted after all versions so far.
#[derive(Clone, Debug)]
pub struct Keyring {
    file: KeysFile,
    sha256: String,
    /// Content keys of earlier versions that this one does not name.
    gone: Vec<ContentKey>,
}

impl Keyring {
    /// The first version a station takes, signed by the threshold of the roots it pins; any version may be the first.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn first(pinned: &Roots, source: &str, bytes: &[u8], signatures: &[u8]) -> Result<Keyring, Refusal> {
        let file = signed(pinned, source, bytes, signatures, None)?;
        Ok(Keyring { file, sha256: sha256_hex(bytes), gone: Vec::new() })
    }

    /// The next version.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn next(&self, bytes: &[u8], signatures: &[u8]) -> Result<Keyring, Refusal> {
        let stored = self.file.version;
        let from = || self.file.source.clone();
        // Refused in either case: what it says of itself only chooses the sentence.
        match peek_version(bytes) {
            Some(version) if version < stored => return Err(Refusal::KeysLower { from: from(), version, stored }),
            Some(version) if version > stored + 1 => {
                return Err(Refusal::KeysSkip { from: from(), version, stored, missing: stored + 1 });
            }
            _ => {}
        }
        let file = signed(&self.file.roots, &self.file.source, bytes, signatures, Some(stored))?;
        let sha256 = sha256_hex(bytes);
        if file.version == stored {
            return match sha256 == self.sha256 {
                true => Ok(self.clone()),
                false => Err(Refusal::KeysEquivocation { from: from(), version: stored }),
            };
        }
        if file.version != stored + 1 {
            return Err(Refusal::KeysSkip { from: from(), version: file.version, stored, missing: stored + 1 });
        }
        let named = |key: &ContentKey| file.keys.iter().any(|k| parts(&k.key) == parts(&key.key));
        let gone = self.gone.iter().chain(&self.file.keys).filter(|k| !named(k)).cloned().collect();
        Ok(Keyring { sha256, gone, file })
    }

    /// Whether it may come into force now: not made in the future.
    ///
    /// # Errors
    /// [`Refusal::KeysAhead`]; an untrusted clock does not judge.
    pub fn timely(&self, now: Now, zone: Zone) -> Result<(), Refusal> {
        if now.clock.trusted() && self.file.issued_at - now.wall() > AHEAD_MS {
            let issued_at = zone.rfc3339_seconds(self.file.issued_at);
            return Err(Refusal::KeysAhead { from: self.file.source.clone(), version: self.file.version, issued_at });
        }
        Ok(())
    }

    /// The version.
    pub fn version(&self) -> u64 {
        self.file.version
    }

    /// SHA-256 of its bytes.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// When it was made.
    pub fn issued_at(&self) -> Wall {
        self.file.issued_at
    }

    /// What it says.
    pub fn file(&self) -> &KeysFile {
        &self.file
    }

    /// Its content keys, for judging lists.
    pub fn keys(&self) -> Keys {
        let (version, issued_at) = (self.file.version, self.file.issued_at);
        let listed = self.file.keys.iter().map(|k| {
            let standing = match k.leaked {
                true => Standing::Leaked { version },
                false => Standing::Between { from: k.from, until: k.until, at_least: issued_at },
            };
            (k, standing)
        });
        let gone = self
            .gone
            .iter()
            .map(|k| (k, if k.leaked { Standing::Leaked { version } } else { Standing::Gone { version } }));
        Keys::of_ring(version, listed.chain(gone).map(|(k, standing)| (&*k.key, standing)))
    }
}

/// Signatures first, then form, then whose it is. `before`: the version of `roots`; none where they are pinned.
fn signed(
    roots: &Roots,
    source: &str,
    bytes: &[u8],
    signatures: &[u8],
    before: Option<u64>,
) -> Result<KeysFile, Refusal> {
    let from = || source.to_owned();
    let version = peek_version(bytes).unwrap_or(0);
    let signatures =
        Signatures::parse(signatures).ok_or_else(|| Refusal::KeysSignatureMalformed { from: from(), version })?;
    let enough = |roots: &Roots, new_roots: bool| {
        let signers = roots.signers(bytes, &signatures);
        let (have, need) = (signers.ids.len(), roots.threshold);
        if have >= need {
            return Ok(());
        }
        Err(match signers.changed {
            true => Refusal::KeysChanged { from: from(), version },
            false if new_roots => Refusal::KeysNewRootsMissing { from: from(), version, have, need },
            false if before.is_none() => Refusal::KeysPinnedMissing { from: from(), version, have, need },
            false => Refusal::KeysTooFewSignatures { from: from(), version, have, need },
        })
    };
    enough(roots, false)?;
    let file = KeysFile::read(bytes, source)?;
    if file.source != source {
        return Err(Refusal::KeysOtherSource { from: from(), found: cut(&file.source) });
    }
    enough(&file.roots, true)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::Language;
    use crate::domain::signature::{Accept, Accepted, Expected, accept, reread};
    use crate::domain::time::ClockState;
    use minisign::KeyPair;

    const MADE: &str = "2026-01-01T08:00:00+07:00";
    const NOON: &str = "2026-06-01T12:00:00+07:00";

    fn wall(text: &str) -> Wall {
        Wall::parse_rfc3339(text).unwrap()
    }

    fn now(text: &str, clock: ClockState) -> Now {
        Now { wall_ns: wall(text).0 * 1_000_000, boot_ns: 0, clock }
    }

    fn pairs(n: usize) -> Vec<KeyPair> {
        (0..n).map(|_| KeyPair::generate_unencrypted_keypair().unwrap()).collect()
    }

    fn text_of(pair: &KeyPair) -> String {
        pair.pk.to_base64()
    }

    fn roots(pairs: &[&KeyPair], threshold: u64) -> Roots {
        Roots::new(&pairs.iter().map(|p| text_of(p)).collect::<Vec<_>>(), threshold).unwrap()
    }

    fn content(pair: &KeyPair, from: &str, until: &str) -> ContentKey {
        ContentKey { key: text_of(pair), name: None, from: wall(from), until: wall(until), leaked: false }
    }

    fn file(version: u64, roots: &Roots, keys: Vec<ContentKey>) -> KeysFile {
        KeysFile {
            source: "tinh".into(),
            version,
            issued_at: wall(MADE),
            roots: roots.clone(),
            root_names: Vec::new(),
            keys,
        }
    }

    fn bytes(file: &KeysFile) -> Vec<u8> {
        file.document(Zone::default()).into_bytes()
    }

    fn sign(bytes: &[u8], by: &[&KeyPair]) -> Vec<u8> {
        let one =
            |pair: &&KeyPair| minisign::sign(None, &pair.sk, bytes, Some("timestamp:1"), None).unwrap().to_string();
        by.iter().map(one).collect::<String>().into_bytes()
    }

    fn name(result: Result<Keyring, Refusal>) -> &'static str {
        match result {
            Ok(_) => "Ok",
            Err(refusal) => {
                // Every refusal can be said in both languages, and in Vietnamese says what to do.
                let said = refusal.text(Language::Vi).say(Language::Vi);
                assert!(said.contains('\n') && said.len() > 60, "{said}");
                assert!(refusal.to_string().len() > 40);
                refusal.text(Language::Vi).name()
            }
        }
    }

    /// Three people, one content key, and version 1.
    struct Office {
        people: Vec<KeyPair>,
        roots: Roots,
        signer: KeyPair,
        ring: Keyring,
    }

    impl Office {
        fn new() -> Office {
            let people = pairs(3);
            let roots = roots(&people.iter().collect::<Vec<_>>(), 2);
            let signer = pairs(1).remove(0);
            let keys = vec![content(&signer, MADE, "2027-01-01T00:00:00+07:00")];
            let first = bytes(&file(1, &roots, keys));
            let ring = Keyring::first(&roots, "tinh", &first, &sign(&first, &[&people[0], &people[2]])).unwrap();
            Office { people, roots, signer, ring }
        }

        fn next(&self, version: u64, by: &[usize]) -> Result<Keyring, Refusal> {
            let next = bytes(&file(version, &self.roots, self.ring.file().keys.clone()));
            self.ring.next(&next, &sign(&next, &by.iter().map(|n| &self.people[*n]).collect::<Vec<_>>()))
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let office = Office::new();
        let mut written = file(7, &office.roots, office.ring.file().keys.clone());
        written.keys[0].name = Some("Máy phòng Văn hóa".into());
        written.root_names = ["Nguyễn Văn A", "Trần Thị B", "Lê C"].map(String::from).into();
        written.keys.push(ContentKey { leaked: true, ..content(&pairs(1)[0], MADE, MADE) });
        let text = bytes(&written);
        let read = KeysFile::read(&text, "tinh").unwrap();
        assert_eq!((read.version, &read.keys, read.issued_at), (7, &written.keys, written.issued_at));
        assert!(read.roots.same(&office.roots));
        assert_eq!(read.root_names, written.root_names);
        assert_eq!(bytes(&read), text);
        assert_eq!(peek_version(&text), Some(7));
        assert_eq!(peek_version(b"<html>"), None);
    }

    #[test]
    fn a_threshold_of_different_roots_must_sign() {
        let office = Office::new();
        assert_eq!(name(office.next(2, &[0, 1])), "Ok");
        assert_eq!(name(office.next(2, &[2, 1, 0])), "Ok");
        assert_eq!(name(office.next(2, &[])), "KeysSignatureMalformed");
        assert_eq!(name(office.next(2, &[1])), "KeysTooFewSignatures");
        // One of them twice is still one.
        assert_eq!(name(office.next(2, &[1, 1])), "KeysTooFewSignatures");
        assert_eq!(name(office.next(2, &[1, 1, 1, 1])), "KeysTooFewSignatures");
        // Strangers count for nothing, and do no harm beside those who do.
        let (strangers, next) = (pairs(2), bytes(&file(2, &office.roots, Vec::new())));
        let [a, b] = [&strangers[0], &strangers[1]];
        assert_eq!(name(office.ring.next(&next, &sign(&next, &[a, b, &office.people[0]]))), "KeysTooFewSignatures");
        assert_eq!(name(office.ring.next(&next, &sign(&next, &[a, &office.people[1], &office.people[0]]))), "Ok");
    }

    #[test]
    fn one_key_under_two_numbers_counts_once() {
        let people = pairs(2);
        let mut raw = people[0].pk.to_bytes();
        raw[2] ^= 1;
        let alias = minisign::PublicKey::from_bytes(&raw).unwrap().to_base64();
        let texts = [text_of(&people[0]), alias];
        assert_eq!(Roots::new(&texts, 2).err(), Some(RootsFault::Twice(1)));
        assert_eq!(Roots::new(&[text_of(&people[0]), text_of(&people[0])], 2).err(), Some(RootsFault::Twice(1)));
        assert_eq!(Roots::new(&[], 1).err(), Some(RootsFault::Count));
        assert_eq!(Roots::new(&[text_of(&people[0])], 2).err(), Some(RootsFault::Threshold));
        assert_eq!(Roots::new(&[text_of(&people[0])], 0).err(), Some(RootsFault::Threshold));
        assert_eq!(Roots::new(&["RWabc".into()], 1).err(), Some(RootsFault::Malformed(0)));
        // The same inside keys.json.
        let text = String::from_utf8(bytes(&file(1, &roots(&[&people[0], &people[1]], 2), Vec::new()))).unwrap();
        let twice = text.replace(&text_of(&people[1]), &texts[1]);
        assert!(matches!(KeysFile::read(twice.as_bytes(), "tinh"), Err(Refusal::KeysMalformed { .. })));
    }

    #[test]
    fn versions_go_up_by_one_and_never_back() {
        let office = Office::new();
        let two = office.next(2, &[0, 1]).unwrap();
        assert_eq!(two.version(), 2);
        assert_eq!(name(office.next(3, &[0, 1])), "KeysSkip");
        assert_eq!(name(office.next(u64::MAX, &[0, 1])), "KeysSkip");
        assert_eq!(name(office.next(0, &[0, 1])), "KeysMalformed");
        let second = Office { ring: two, ..office };
        assert_eq!(name(second.next(1, &[0, 1, 2])), "KeysLower");
        // The same bytes again are nothing new; others under the same number are an alarm.
        let same = bytes(&file(2, &second.roots, second.ring.file().keys.clone()));
        let by = [&second.people[0], &second.people[1]];
        assert_eq!(name(second.ring.next(&same, &sign(&same, &by))), "Ok");
        let other = bytes(&file(2, &second.roots, Vec::new()));
        assert_eq!(name(second.ring.next(&other, &sign(&other, &by))), "KeysEquivocation");
        assert_eq!(name(second.ring.next(&other, &sign(&other, &by[..1]))), "KeysTooFewSignatures");
    }

    #[test]
    fn roots_change_under_the_old_and_the_new() {
        let office = Office::new();
        let (old, new) = (&office.people, pairs(2));
        let after = roots(&[&old[0], &new[0], &new[1]], 2);
        let next = bytes(&file(2, &after, office.ring.file().keys.clone()));
        let with = |by: &[&KeyPair]| name(office.ring.next(&next, &sign(&next, by)));
        assert_eq!(with(&[&old[0], &old[1], &new[0], &new[1]]), "Ok");
        // One who stays counts on both sides.
        assert_eq!(with(&[&old[0], &old[1], &new[0]]), "Ok");
        assert_eq!(with(&[&old[0], &old[1]]), "KeysNewRootsMissing");
        assert_eq!(with(&[&old[0], &new[0], &new[1]]), "KeysTooFewSignatures");
        assert_eq!(with(&[&new[0], &new[1]]), "KeysTooFewSignatures");
        // From then on only the new ones decide; who has left counts no more.
        let ring = office.ring.next(&next, &sign(&next, &[&old[0], &old[1], &new[1]])).unwrap();
        let third = bytes(&file(3, &after, Vec::new()));
        assert_eq!(name(ring.next(&third, &sign(&third, &[&old[0], &old[1], &old[2]]))), "KeysTooFewSignatures");
        assert_eq!(name(ring.next(&third, &sign(&third, &[&new[0], &new[1]]))), "Ok");
        // A box that still pins the old ones can begin with the version that exchanged them, not with a later one.
        let begin =
            |bytes: &[u8], by: &[&KeyPair]| name(Keyring::first(&office.roots, "tinh", bytes, &sign(bytes, by)));
        assert_eq!(begin(&next, &[&old[0], &old[1], &new[1]]), "Ok");
        assert_eq!(begin(&third, &[&new[0], &new[1]]), "KeysPinnedMissing");
    }

    #[test]
    fn not_one_byte_of_keys_or_signatures_can_change() {
        let office = Office::new();
        let next = bytes(&file(2, &office.roots, office.ring.file().keys.clone()));
        let signatures = sign(&next, &[&office.people[0], &office.people[1]]);
        assert!(office.ring.next(&next, &signatures).is_ok());
        for at in 0..next.len() {
            let mut changed = next.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(office.ring.next(&changed, &signatures).is_err(), "byte {at}");
        }
        for at in 0..signatures.len() {
            let mut changed = signatures.clone();
            changed[at] ^= 1 << (at % 7);
            assert!(office.ring.next(&next, &changed).is_err(), "signature byte {at}");
        }
        let altered = String::from_utf8(next.clone()).unwrap().replace("2027-01-01", "2028-01-01").into_bytes();
        assert_eq!(name(office.ring.next(&altered, &signatures)), "KeysChanged");
        for end in 0..signatures.len() - 1 {
            assert!(office.ring.next(&next, &signatures[..end]).is_err(), "cut at {end}");
        }
        // From Notepad, with its line ends.
        let crlf = String::from_utf8(signatures).unwrap().replace('\n', "\r\n");
        assert!(office.ring.next(&next, crlf.as_bytes()).is_ok());
    }

    #[test]
    fn mistakes_inside_are_refused_though_signed() {
        let office = Office::new();
        let good = String::from_utf8(bytes(&file(2, &office.roots, office.ring.file().keys.clone()))).unwrap();
        let with = |text: &str| {
            let by = [&office.people[0], &office.people[1], &office.people[2]];
            name(office.ring.next(text.as_bytes(), &sign(text.as_bytes(), &by)))
        };
        assert_eq!(with(&good), "Ok");
        assert_eq!(with(&good.replace("\"tinh\"", "\"huyen\"")), "KeysOtherSource");
        assert_eq!(with(&good.replace("\"format\": 1", "\"format\": 2")), "KeysFormatUnknown");
        for (from, to) in [
            ("\"format\": 1", "\"format\": 0"),
            ("\"format\"", "\"fromat\""),
            ("\"until\"", "\"untill\""),
            ("\"threshold\": 2", "\"threshold\": 4"),
            ("\"threshold\": 2", "\"threshold\": 0"),
            ("\"threshold\": 2", "\"threshold\": 2, \"threshold\": 1"),
            ("\"keys\"", "\"root_names\": [\"A\"], \"keys\""),
            ("2027-01-01T00:00:00+07:00", "2027-01-01"),
            ("2027-01-01T00:00:00+07:00", "2025-01-01T00:00:00+07:00"),
            ("2027-01-01T00:00:00+07:00", "2029-02-01T00:00:00+07:00"),
            (&text_of(&office.signer), "RWabc"),
            (&text_of(&office.signer), &text_of(&office.people[1])),
            (&text_of(&office.people[0]), &text_of(&office.people[1])),
            (&text_of(&office.people[0]), "RWabc"),
        ] {
            assert!(good.contains(from), "{from}");
            let said = with(&good.replace(from, to));
            assert!(["KeysMalformed", "KeysSkip"].contains(&said), "{from} -> {to}: {said}");
        }
        assert_eq!(with(&format!("{good}{}", " ".repeat(64 * 1024))), "KeysMalformed");
        assert_eq!(with("<html>"), "KeysMalformed");
        // Times that nobody means; what lies past the year 9999 in one zone could not be read again.
        for far in ["1013-11-24T09:00:00+07:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(with(&good.replacen(MADE, far, 1)), "KeysMalformed", "{far}");
        }
    }

    proptest::proptest! {
        /// Whatever somebody writes into it: read or refused, and what is read is written again as it was.
        #[test]
        fn anything_is_read_or_refused(at in 0usize..2_000, put in "[ -~]{0,12}", cut in 0usize..40) {
            let office = OFFICE.get_or_init(|| String::from_utf8(bytes(Office::new().ring.file())).unwrap());
            let at = at.min(office.len());
            let changed = format!("{}{put}{}", &office[..at], &office[(at + cut).min(office.len())..]);
            if let Ok(file) = KeysFile::read(changed.as_bytes(), "tinh") {
                let again = bytes(&file);
                let read = KeysFile::read(&again, "tinh").unwrap();
                proptest::prop_assert_eq!((read.version, &read.keys), (file.version, &file.keys));
                proptest::prop_assert_eq!(bytes(&read), again);
            }
            let _ = (peek_version(changed.as_bytes()), Signatures::parse(changed.as_bytes()));
        }
    }

    static OFFICE: std::sync::OnceLock<String> = std::sync::OnceLock::new();

    #[test]
    fn made_in_the_future_is_for_a_trusted_clock_to_say() {
        let office = Office::new();
        let judge = |at: &str, clock| office.ring.timely(now(at, clock), Zone::default()).is_ok();
        assert!(judge(NOON, ClockState::Synced));
        assert!(judge("2025-12-31T08:00:00+07:00", ClockState::Synced));
        assert!(!judge("2025-12-31T07:59:59+07:00", ClockState::Synced));
        assert!(judge("1970-01-01T08:00:00+07:00", ClockState::Unknown));
    }

    fn list(serial: u64, issued: &str) -> Vec<u8> {
        let expires = wall(issued) + 31 * DAY_MS;
        let expires = Zone::default().rfc3339_seconds(expires);
        format!(r#"{{"format":1,"source":"tinh","serial":{serial},"issued_at":"{issued}","expires_at":"{expires}"}}"#)
            .into_bytes()
    }

    /// What a station says to a list signed with a key of a ring.
    fn judged(ring: &Keyring, by: &KeyPair, issued: &str, now: Now, floor: &str, stored: Option<&Accepted>) -> String {
        let list = list(2, issued);
        let keys = ring.keys();
        let (zone, floor) = (Zone::default(), wall(floor));
        let expected =
            Expected { source: "tinh", urgent: false, station: "xa-a", keys: &keys, stored, now, floor, zone };
        match accept(&list, &sign(&list, &[by]), &expected) {
            Ok(Accept::New(_)) => "New".into(),
            Ok(Accept::Same(_)) => "Same".into(),
            Err(refusal) => {
                assert!(refusal.text(Language::Vi).say(Language::Vi).contains('\n'));
                refusal.text(Language::Vi).name().into()
            }
        }
    }

    #[test]
    fn a_content_key_holds_for_its_time_and_no_clock_makes_it_hold_longer() {
        let office = Office::new();
        let (from, until) = ("2026-02-01T00:00:00+07:00", "2026-09-01T00:00:00+07:00");
        let next = bytes(&file(2, &office.roots, vec![content(&office.signer, from, until)]));
        let ring = office.ring.next(&next, &sign(&next, &[&office.people[0], &office.people[1]])).unwrap();
        let (old, day) = ("1970-01-01T00:00:00+07:00", "2026-05-30T00:00:00+07:00");
        let at =
            |time: &str, issued: &str| judged(&ring, &office.signer, issued, now(time, ClockState::Synced), old, None);
        assert_eq!(at(NOON, day), "New");
        assert_eq!(at("2026-01-31T23:59:59+07:00", "2026-01-31T00:00:00+07:00"), "KeyNotYet");
        assert_eq!(at(from, "2026-01-31T00:00:00+07:00"), "New");
        assert_eq!(at("2026-08-31T23:59:59+07:00", "2026-08-31T00:00:00+07:00"), "New");
        assert_eq!(at(until, "2026-08-31T00:00:00+07:00"), "KeyExpired");
        // Without a clock: what is certainly over is over, be it by the floor, the list, or keys.json.
        let unknown = |time: &str, floor: &str, issued: &str| {
            judged(&ring, &office.signer, issued, now(time, ClockState::Unknown), floor, None)
        };
        assert_eq!(unknown("1970-01-01T00:00:00+07:00", old, day), "New");
        assert_eq!(unknown("2099-01-01T00:00:00+07:00", old, day), "New");
        assert_eq!(unknown(NOON, until, day), "KeyExpired");
        assert_eq!(unknown(NOON, old, until), "KeyExpired");
        // A key nobody listed, and one for another ring.
        let stranger = pairs(1).remove(0);
        assert_eq!(judged(&ring, &stranger, day, now(NOON, ClockState::Synced), old, None), "KeyNotListed");
    }

    #[test]
    fn a_retired_key_signs_nothing_new_and_takes_nothing_back() {
        let office = Office::new();
        let day = "2026-05-30T00:00:00+07:00";
        let stored = list(2, day);
        let accepted = Accepted { serial: 2, body_sha256: sha256_hex(&stored), issued_at: wall(day) };
        let by = [&office.people[0], &office.people[1]];
        let judge = |ring: &Keyring, stored| {
            // A clock that is behind, or none at all, gains nothing.
            let behind = judged(ring, &office.signer, day, now(MADE, ClockState::Synced), MADE, stored);
            assert_eq!(behind, judged(ring, &office.signer, day, now(MADE, ClockState::Unknown), MADE, stored));
            behind
        };
        let kept =
            |ring: &Keyring| reread(&stored, &sign(&stored, &[&office.signer]), &ring.keys(), "tinh", "xa-a", false);

        // Ended when version 2 was made, or not named by it any more.
        let ended = ContentKey { until: wall(NOON), ..office.ring.file().keys[0].clone() };
        for (keys, said) in [(vec![ended], "KeyExpired"), (Vec::new(), "KeyGone")] {
            let two = KeysFile { issued_at: wall(NOON), ..file(2, &office.roots, keys) };
            let two = office.ring.next(&bytes(&two), &sign(&bytes(&two), &by)).unwrap();
            assert_eq!(judge(&two, None), said);
            assert_eq!(judge(&two, Some(&accepted)), "Same");
            assert!(!kept(&two).unwrap().leaked);
            // Not forgotten by later versions either.
            let three = KeysFile { issued_at: wall(NOON), ..file(3, &office.roots, Vec::new()) };
            let three = two.next(&bytes(&three), &sign(&bytes(&three), &by)).unwrap();
            assert_eq!(judge(&three, None), "KeyGone");
            assert!(!kept(&three).unwrap().leaked);
        }

        // In other hands: what it signed does not count, now and in later versions that do not name it.
        let leaked = ContentKey { leaked: true, ..office.ring.file().keys[0].clone() };
        let two = file(2, &office.roots, vec![leaked]);
        let two = office.ring.next(&bytes(&two), &sign(&bytes(&two), &by)).unwrap();
        let three = file(3, &office.roots, Vec::new());
        let three = two.next(&bytes(&three), &sign(&bytes(&three), &by)).unwrap();
        for ring in [&two, &three] {
            assert_eq!(judge(ring, None), "KeyLeaked");
            assert_eq!(judge(ring, Some(&accepted)), "KeyLeaked");
            assert!(kept(ring).unwrap().leaked);
        }
    }
}
