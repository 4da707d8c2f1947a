//! Signed bytes and keys in, a list that may come into force out: the only way to get one from above.
//!
//! A stolen web server must not be able to speak to a village. So nothing of a list is looked at before its
//! minisign signature (prehashed form only) holds under a key the technician wrote into `station.toml`, and a
//! list that holds still has to be newer than the last accepted one (rule R12), meant for this station, from this
//! source, and within its time.
//!
//! Serial numbers: a station that never accepted anything from a source takes any first serial from 1 up to the
//! largest jump (10^6), as if serial 0 had been accepted before; so a box that joins a source late is served, and a
//! serial near the end of the numbers (fast-forward) is refused on a new box like on an old one.

use std::sync::Arc;

use minisign_verify::{Error as MinisignError, PublicKey, Signature};
use sha2::{Digest, Sha256};

use crate::domain::config::Language;
use crate::domain::findings::Severity;
use crate::domain::playlist::{Clip, Form, List, Ref, What, read_list};
use crate::domain::text::Text;
use crate::domain::time::{DAY_MS, Now, Wall, Zone};

/// The largest step from one accepted serial to the next.
pub const LARGEST_JUMP: u64 = 1_000_000;
/// The longest a list may live, in days.
pub const LONGEST_LIFE_DAYS: i64 = 100;
/// The largest list in bytes.
pub const LARGEST_LIST: u64 = 8 * 1024 * 1024;
/// The largest signature file in bytes; a real one has about 300.
pub const LARGEST_SIGNATURE: u64 = 4 * 1024;
/// What follows a source's id in the names of its urgent list: no source's id can end so.
pub const URGENT: &str = "~urgent";
/// The `format` this program writes.
pub const FORMAT: u64 = 1;
/// How far ahead of a trusted clock a list may have been issued, in milliseconds.
const AHEAD_MS: i64 = DAY_MS;

/// When a key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Always: it stands in `station.toml`.
    Always,
    /// For a time, by `keys.json`.
    Between {
        /// From when on.
        from: Wall,
        /// Until when.
        until: Wall,
        /// When `keys.json` was made: it is at least as late.
        at_least: Wall,
    },
    /// No longer: this version of `keys.json` does not name it.
    Gone {
        /// The version in force.
        version: u64,
    },
    /// Never again, and what it signed does not count: it is in other hands.
    Leaked {
        /// The version in force.
        version: u64,
    },
}

/// The keys that may sign for one source: read once from the config, or as `keys.json` has them.
#[derive(Clone, Debug)]
pub struct Keys {
    keys: Vec<(PublicKey, Standing, String)>,
    /// The version of `keys.json`; none where the keys stand in the config.
    version: Option<u64>,
}

impl Keys {
    /// Reads the `public_keys` of a source: each the second line of a minisign `.pub` file.
    ///
    /// # Errors
    /// [`Refusal::KeyMalformed`] names the first that is not a minisign key: a typing mistake must not look like
    /// an attack. [`Refusal::NoKey`] when there is none.
    pub fn parse(source: &str, texts: &[String]) -> Result<Keys, Refusal> {
        if texts.is_empty() {
            return Err(Refusal::NoKey { from: source.into() });
        }
        texts
            .iter()
            .map(|text| {
                let key = PublicKey::from_base64(text.trim());
                key.map(|key| (key, text.trim().to_owned()))
                    .map_err(|_| Refusal::KeyMalformed { from: source.into(), key: text.trim().into() })
            })
            .map(|key| key.map(|(key, text)| (key, Standing::Always, text)))
            .collect::<Result<_, _>>()
            .map(|keys| Keys { keys, version: None })
    }

    /// Keys as a version of `keys.json` has them. All are minisign keys: that has been looked at.
    pub fn of_ring<'a>(version: u64, keys: impl Iterator<Item = (&'a str, Standing)>) -> Keys {
        let key = |(text, standing): (&str, _)| Some((PublicKey::from_base64(text).ok()?, standing, text.to_owned()));
        let keys = keys.filter_map(key);
        Keys { keys: keys.collect(), version: Some(version) }
    }
}

/// Whether a text is a minisign public key, for checking a config.
pub fn is_public_key(text: &str) -> bool {
    PublicKey::from_base64(text.trim()).is_ok()
}

/// Bytes whose signature held.
#[derive(Clone, Debug)]
pub struct Verified<'a> {
    bytes: &'a [u8],
    standing: Standing,
    key_id: String,
    key: &'a str,
}

impl<'a> Verified<'a> {
    /// The bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// What was accepted last from a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of the list's bytes, lower-case hexadecimal.
    pub body_sha256: String,
    /// When it was issued.
    pub issued_at: Wall,
}

/// What a list has to agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The source's id in `station.toml`.
    pub source: &'a str,
    /// Whether it was asked for as the urgent list, which says so itself: neither can stand for the other.
    pub urgent: bool,
    /// This station's id.
    pub station: &'a str,
    /// The keys that may sign.
    pub keys: &'a Keys,
    /// What was accepted last, if anything.
    pub stored: Option<&'a Accepted>,
    /// Both clocks; an untrusted one judges neither expiry nor issue time.
    pub now: Now,
    /// The latest moment that has certainly passed: an untrusted clock judges the end of a key by it.
    pub floor: Wall,
    /// For the times in sentences.
    pub zone: Zone,
}

/// A list that may come into force.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The list.
    pub list: List,
    /// What to remember of it.
    pub accepted: Accepted,
    /// From when on its clips may no longer air.
    pub expires_at: Wall,
    /// The number of the key that signed it.
    pub key_id: String,
    /// The key itself, where it stands in `keys.json`.
    pub key: Option<String>,
    /// Whether that key is in other hands: then nobody can say who made the list.
    pub leaked: bool,
}

/// What to do with a list whose signature held and which breaks no rule.
#[derive(Debug)]
pub enum Accept {
    /// The one accepted last: nothing to do, unless it was lost since.
    Same(Box<Fresh>),
    /// A newer one.
    New(Box<Fresh>),
}

/// Why a list from above is refused. Whatever is stored stays as it is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.text(Language::En).say(Language::En))]
#[allow(missing_docs)] // the fields are what the sentence shows
pub enum Refusal {
    /// No key in the config.
    NoKey { from: String },
    /// A key in the config is not a key.
    KeyMalformed { from: String, key: String },
    /// The signature file is not one of minisign's, or not in its plain form.
    SignatureMalformed { from: String },
    /// Signed in the old way, over the bytes instead of their hash.
    SignatureLegacy { from: String },
    /// Signed by a key that is not in the config.
    KeyUnknown { from: String, key_id: String },
    /// Signed by a known key, but for other bytes.
    BytesChanged { from: String },
    /// Signed, but not a list.
    Malformed { from: String, finding: Box<Text>, findings: usize },
    /// Made for a newer program.
    FormatUnknown { from: String, format: i64 },
    /// Another source's list.
    OtherSource { from: String, found: String },
    /// The urgent list in place of the list, or the other way round.
    OtherFile { from: String },
    /// Not meant for this station.
    NotForStation { from: String, station: String },
    /// Older than the accepted one (rollback).
    SerialLower { from: String, serial: u64, stored: u64 },
    /// Two lists of one serial.
    Equivocation { from: String, serial: u64 },
    /// Too far ahead of the accepted one (fast-forward).
    SerialJump { from: String, serial: u64, stored: u64 },
    /// Valid for too long.
    LifeTooLong { from: String, days: i64 },
    /// Past its end when it came.
    Expired { from: String, expires_at: String },
    /// Issued in the future.
    IssuedAhead { from: String, issued_at: String },
    /// Signed by a key that `keys.json` does not name.
    KeyNotListed { from: String, key_id: String, version: u64 },
    /// Signed by a key that does not hold yet.
    KeyNotYet { from: String, key_id: String, valid_from: String },
    /// Signed by a key past its end.
    KeyExpired { from: String, key_id: String, until: String },
    /// Signed by a key that `keys.json` named once.
    KeyGone { from: String, key_id: String, version: u64 },
    /// Signed by a key in other hands.
    KeyLeaked { from: String, key_id: String, version: u64 },
    /// No `keys.json` has been accepted yet.
    KeysNone { from: String },
    /// `keys.json` is none.
    KeysMalformed { from: String, why: Box<Text> },
    /// Made for a newer program.
    KeysFormatUnknown { from: String, format: i64 },
    /// Its signature file is not one of minisign's.
    KeysSignatureMalformed { from: String, version: u64 },
    /// Root keys signed, but other bytes.
    KeysChanged { from: String, version: u64 },
    /// Too few of the roots in force signed.
    KeysTooFewSignatures { from: String, version: u64, have: usize, need: usize },
    /// Too few of the pinned roots signed the first version to be taken.
    KeysPinnedMissing { from: String, version: u64, have: usize, need: usize },
    /// Too few of the roots it names itself signed.
    KeysNewRootsMissing { from: String, version: u64, have: usize, need: usize },
    /// Another source's.
    KeysOtherSource { from: String, found: String },
    /// Older than the one in force (rollback).
    KeysLower { from: String, version: u64, stored: u64 },
    /// Two of one version.
    KeysEquivocation { from: String, version: u64 },
    /// A version between is missing.
    KeysSkip { from: String, version: u64, stored: u64, missing: u64 },
    /// Made in the future.
    KeysAhead { from: String, version: u64, issued_at: String },
}

impl Refusal {
    /// The sentence for people. A sentence within it is said in `language`.
    pub fn text(&self, language: Language) -> Text {
        match self.clone() {
            Refusal::NoKey { from: source } => Text::SourceNoKey { source },
            Refusal::KeyMalformed { from: source, key } => Text::SourceKeyMalformed { source, key },
            Refusal::SignatureMalformed { from: source } => Text::SignatureMalformed { source },
            Refusal::SignatureLegacy { from: source } => Text::SignatureLegacy { source },
            Refusal::KeyUnknown { from: source, key_id } => Text::SignatureKeyUnknown { source, key_id },
            Refusal::BytesChanged { from: source } => Text::SignatureBytesChanged { source },
            Refusal::Malformed { from: source, finding, findings } => {
                Text::ListMalformed { source, finding: finding.say(language), findings }
            }
            Refusal::FormatUnknown { from: source, format } => Text::ListFormatUnknown { source, format },
            Refusal::OtherSource { from: source, found } => Text::ListOtherSource { source, found },
            Refusal::OtherFile { from: source } => Text::ListOtherFile { source },
            Refusal::NotForStation { from: source, station } => Text::ListNotForStation { source, station },
            Refusal::SerialLower { from: source, serial, stored } => Text::SerialLower { source, serial, stored },
            Refusal::Equivocation { from: source, serial } => Text::SerialEquivocation { source, serial },
            Refusal::SerialJump { from: source, serial, stored } => {
                Text::SerialJump { source, serial, stored, most: LARGEST_JUMP }
            }
            Refusal::LifeTooLong { from: source, days } => {
                Text::ListLifeTooLong { source, days, most: LONGEST_LIFE_DAYS }
            }
            Refusal::Expired { from: source, expires_at } => Text::ListExpiredOnArrival { source, expires_at },
            Refusal::IssuedAhead { from: source, issued_at } => Text::ListIssuedAhead { source, issued_at },
            Refusal::KeyNotListed { from: source, key_id, version } => Text::KeyNotListed { source, key_id, version },
            Refusal::KeyNotYet { from: source, key_id, valid_from } => Text::KeyNotYet { source, key_id, valid_from },
            Refusal::KeyExpired { from: source, key_id, until } => Text::KeyExpired { source, key_id, until },
            Refusal::KeyGone { from: source, key_id, version } => Text::KeyGone { source, key_id, version },
            Refusal::KeyLeaked { from: source, key_id, version } => Text::KeyLeaked { source, key_id, version },
            Refusal::KeysNone { from: source } => Text::KeysNone { source },
            Refusal::KeysMalformed { from: source, why } => Text::KeysMalformed { source, why: why.say(language) },
            Refusal::KeysFormatUnknown { from: source, format } => Text::KeysFormatUnknown { source, format },
            Refusal::KeysSignatureMalformed { from: source, version } => {
                Text::KeysSignatureMalformed { source, version }
            }
            Refusal::KeysChanged { from: source, version } => Text::KeysChanged { source, version },
            Refusal::KeysTooFewSignatures { from: source, version, have, need } => {
                Text::KeysTooFewSignatures { source, version, have, need }
            }
            Refusal::KeysPinnedMissing { from: source, version, have, need } => {
                Text::KeysPinnedMissing { source, version, have, need }
            }
            Refusal::KeysNewRootsMissing { from: source, version, have, need } => {
                Text::KeysNewRootsMissing { source, version, have, need }
            }
            Refusal::KeysOtherSource { from: source, found } => Text::KeysOtherSource { source, found },
            Refusal::KeysLower { from: source, version, stored } => Text::KeysLower { source, version, stored },
            Refusal::KeysEquivocation { from: source, version } => Text::KeysEquivocation { source, version },
            Refusal::KeysSkip { from: source, version, stored, missing } => {
                Text::KeysSkip { source, version, stored, missing }
            }
            Refusal::KeysAhead { from: source, version, issued_at } => Text::KeysAhead { source, version, issued_at },
        }
    }
}

/// SHA-256 of bytes, lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Whether a text is a SHA-256 as this program writes it: 64 lower-case hexadecimal digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The first line of a signature file is not signed. Its plain forms (minisign's own, and those of the crates made
/// after it) are the only ones taken, so that not one byte of the file can change unseen.
const PLAIN_COMMENTS: [&str; 3] = [
    "untrusted comment: signature from minisign secret key",
    "untrusted comment: signature from rsign secret key",
    "untrusted comment: signature from loaxa secret key",
];

/// The signatures of a minisign signature file, each of four lines, none without its plain first line.
pub(in crate::domain) fn signature_blocks(signatures: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(signatures).ok()?.replace("\r\n", "\n");
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(&text).split('\n').collect();
    if !lines.len().is_multiple_of(4) || text.contains('\r') {
        return None;
    }
    let block = |lines: &[&str]| PLAIN_COMMENTS.contains(&lines[0]).then(|| lines.join("\n"));
    lines.chunks(4).map(block).collect()
}

/// Checks a minisign signature file over bytes. When the key may sign is looked at by [`accept`].
///
/// # Errors
/// [`Refusal::SignatureMalformed`], [`Refusal::SignatureLegacy`], [`Refusal::KeyUnknown`] (or
/// [`Refusal::KeyNotListed`]) or [`Refusal::BytesChanged`].
pub fn verify<'a>(bytes: &'a [u8], signature: &[u8], keys: &'a Keys, source: &str) -> Result<Verified<'a>, Refusal> {
    let malformed = || Refusal::SignatureMalformed { from: source.into() };
    let blocks = signature_blocks(signature).ok_or_else(malformed)?;
    let [block] = &blocks[..] else { return Err(malformed()) };
    let signature = Signature::decode(block).map_err(|_| malformed())?;
    let key_id = minisign::SignatureBox::from_string(block).map(|s| key_id(s.keynum())).unwrap_or_default();
    let mut changed = false;
    for (key, standing, text) in &keys.keys {
        match key.verify(bytes, &signature, false) {
            Ok(()) => return Ok(Verified { bytes, standing: *standing, key_id, key: text }),
            Err(MinisignError::UnexpectedKeyId) => {}
            Err(MinisignError::UnexpectedAlgorithm) => {
                return Err(Refusal::SignatureLegacy { from: source.into() });
            }
            Err(_) => changed = true,
        }
    }
    if changed {
        return Err(Refusal::BytesChanged { from: source.into() });
    }
    Err(match keys.version {
        Some(version) => Refusal::KeyNotListed { from: source.into(), key_id, version },
        None => Refusal::KeyUnknown { from: source.into(), key_id },
    })
}

/// When the key of a signature that holds may sign: for whoever is about to publish.
///
/// # Errors
/// As [`verify`].
pub fn standing(bytes: &[u8], signature: &[u8], keys: &Keys, source: &str) -> Result<Standing, Refusal> {
    verify(bytes, signature, keys, source).map(|v| v.standing)
}

/// Whether a key may sign a list issued at `issued_at`, looked at now.
fn may_sign(verified: &Verified, issued_at: Wall, expected: &Expected) -> Result<(), Refusal> {
    let (from_source, key_id) = (expected.source.to_owned(), verified.key_id.clone());
    let time = |at: Wall| expected.zone.rfc3339_seconds(at);
    match verified.standing {
        Standing::Always => Ok(()),
        Standing::Gone { version } => Err(Refusal::KeyGone { from: from_source, key_id, version }),
        Standing::Leaked { version } => Err(Refusal::KeyLeaked { from: from_source, key_id, version }),
        Standing::Between { from, until, at_least } => {
            let trusted = expected.now.clock.trusted();
            let over = if trusted { expected.now.wall() } else { expected.floor };
            if until <= over.max(at_least).max(issued_at) {
                return Err(Refusal::KeyExpired { from: from_source, key_id, until: time(until) });
            }
            if trusted && over.max(at_least) < from {
                return Err(Refusal::KeyNotYet { from: from_source, key_id, valid_from: time(from) });
            }
            Ok(())
        }
    }
}

/// A key's number as minisign prints it.
pub fn key_id(keynum: &[u8]) -> String {
    keynum.iter().rev().map(|b| format!("{b:02X}")).collect()
}

/// Decides over a list that came from above: signature first, then form, then whose it is, then its serial, then
/// whether its key holds, then its time.
///
/// # Errors
/// The first rule it breaks.
pub fn accept(bytes: &[u8], signature: &[u8], expected: &Expected) -> Result<Accept, Refusal> {
    let source = || expected.source.to_owned();
    let verified = verify(bytes, signature, expected.keys, expected.source)?;
    if let Standing::Leaked { version } = verified.standing {
        return Err(Refusal::KeyLeaked { from: source(), key_id: verified.key_id, version });
    }
    let fresh = read(&verified, expected.source, expected.station, expected.urgent)?;

    let (serial, stored) = (fresh.accepted.serial, expected.stored.map_or(0, |s| s.serial));
    if serial < stored || serial == 0 {
        return Err(Refusal::SerialLower { from: source(), serial, stored });
    }
    if let Some(stored) = expected.stored
        && serial == stored.serial
    {
        return if stored.body_sha256 == fresh.accepted.body_sha256 {
            Ok(Accept::Same(Box::new(fresh)))
        } else {
            Err(Refusal::Equivocation { from: source(), serial })
        };
    }
    // One that was accepted once is not judged again: a key's end takes nothing back.
    may_sign(&verified, fresh.accepted.issued_at, expected)?;
    if serial - stored > LARGEST_JUMP {
        return Err(Refusal::SerialJump { from: source(), serial, stored });
    }
    if expected.now.clock.trusted() {
        let now = expected.now.wall();
        if fresh.expires_at <= now {
            let expires_at = expected.zone.rfc3339_seconds(fresh.expires_at);
            return Err(Refusal::Expired { from: source(), expires_at });
        }
        if fresh.accepted.issued_at - now > AHEAD_MS {
            let issued_at = expected.zone.rfc3339_seconds(fresh.accepted.issued_at);
            return Err(Refusal::IssuedAhead { from: source(), issued_at });
        }
    }
    Ok(Accept::New(Box::new(fresh)))
}

/// Reads a stored list again at start: signature and form, without the rules about what came before it and about
/// when its key holds.
///
/// # Errors
/// What makes it unreadable: altered on disk, or the keys in the config were changed since.
pub fn reread(
    bytes: &[u8],
    signature: &[u8],
    keys: &Keys,
    source: &str,
    station: &str,
    urgent: bool,
) -> Result<Fresh, Refusal> {
    read(&verify(bytes, signature, keys, source)?, source, station, urgent)
}

fn read(verified: &Verified, source: &str, station: &str, urgent: bool) -> Result<Fresh, Refusal> {
    let bytes = verified.bytes();
    let malformed = |finding: Text, findings: usize| Refusal::Malformed {
        from: source.into(),
        finding: Box::new(finding),
        findings,
    };
    let reading = read_list(bytes, Form::Published);
    let Some(list) = reading.value else {
        let errors: Vec<_> = reading.findings.into_iter().filter(|f| f.severity == Severity::Error).collect();
        // A list of a later format has much that is unknown here: the format is the reason.
        for error in &errors {
            match error.text {
                Text::FormatUnknown { format } => {
                    return Err(Refusal::FormatUnknown { from: source.into(), format });
                }
                Text::LifeTooLong { days, limit } if errors.len() == 1 => {
                    return Err(Refusal::LifeTooLong { from: source.into(), days: days.max(limit + 1) });
                }
                _ => {}
            }
        }
        let count = errors.len();
        let first = errors.into_iter().next().map_or(Text::WantObject {}, |f| f.text);
        return Err(malformed(first, count));
    };
    let missing = || malformed(Text::WantObject {}, 1);
    let serial = list.serial.ok_or_else(missing)?;
    let issued_at = list.issued_at.ok_or_else(missing)?;
    let expires_at = list.expires_at.ok_or_else(missing)?;
    if let Some(clip) = list.clips.iter().find(|clip| Wanted::of(clip).is_none()) {
        return Err(malformed(Text::ClipEndingUnknown { id: clip.id.to_string() }, 1));
    }
    match &list.source {
        Some(found) if **found == *source => {}
        found => {
            let found = found.as_deref().unwrap_or("-").to_owned();
            return Err(Refusal::OtherSource { from: source.into(), found });
        }
    }
    if list.urgent != urgent {
        return Err(Refusal::OtherFile { from: source.into() });
    }
    let more = list.slots.len() + list.offers.len() + list.rotations.len() + list.special_days.len();
    if urgent && more > 0 {
        return Err(malformed(Text::UrgentHasMore {}, 1));
    }
    if !list.is_for(&list.stations, station) {
        return Err(Refusal::NotForStation { from: source.into(), station: station.into() });
    }
    let accepted = Accepted { serial, body_sha256: sha256_hex(bytes), issued_at };
    let key = (verified.standing != Standing::Always).then(|| verified.key.to_owned());
    let leaked = matches!(verified.standing, Standing::Leaked { .. });
    Ok(Fresh { list, accepted, expires_at, key_id: verified.key_id.clone(), key, leaked })
}

/// A clip as it has to be fetched and stored: hash and size are known, the address is tame.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The clip's id, for sentences.
    pub id: String,
    /// Its title, for sentences.
    pub title: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The ending of its name in the store: one of [`ENDINGS`].
    pub ending: &'static str,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Length of the sound in milliseconds, as signed.
    pub duration_ms: i64,
    /// Its gain in dB, as signed; of several clips with one file the greatest.
    pub gain_db: f64,
    /// Where the file is, relative to the list.
    pub url: String,
}

/// The endings an audio file may have.
pub const ENDINGS: [&str; 9] = ["mp3", "ogg", "oga", "flac", "wav", "m4a", "mp4", "aac", "aif"];

/// The ending of a file name or address, if it is one of [`ENDINGS`]; in any case of letters.
pub fn ending_of(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.into_iter().find(|e| e.eq_ignore_ascii_case(ending))
}

impl Wanted {
    /// From a published clip. None when it lacks what publishing adds; [`accept`] lets no such list through.
    pub fn of(clip: &Clip) -> Option<Wanted> {
        let url = clip.url.clone()?;
        Some(Wanted {
            id: clip.id.to_string(),
            title: clip.title.to_string(),
            sha256: clip.sha256.as_deref().filter(|s| is_sha256(s))?.to_owned(),
            ending: ending_of(&url)?,
            bytes: clip.bytes.filter(|b| *b > 0)?,
            duration_ms: clip.duration_ms.filter(|ms| *ms > 0)?,
            gain_db: clip.gain_db,
            url,
        })
    }
}

/// The clips a list needs before it may come into force (rule R2): those that a slot, rotation, offer or emergency
/// of the list names. Those of emergencies come first, then as the list has them; each file once.
pub fn needed(list: &List) -> Vec<Wanted> {
    let own = |r: &Ref| r.source.is_none() || r.source == list.source;
    let mut ids: Vec<&str> = list.emergencies.iter().map(|e| &e.clip).filter(|r| own(r)).map(|r| &*r.id).collect();
    for item in list.slots.iter().flat_map(|s| &s.items).chain(list.offers.iter().flat_map(|o| &o.items)) {
        if let What::Clip(r) = &item.what
            && own(r)
        {
            ids.push(&r.id);
        }
    }
    ids.extend(list.rotations.iter().flat_map(|r| &r.clips).filter(|r| own(r)).map(|r| &*r.id));
    let named: std::collections::HashSet<&str> = ids.iter().copied().collect();
    let urgent: std::collections::HashSet<&str> = list.emergencies.iter().map(|e| &*e.clip.id).collect();
    let (first, rest): (Vec<&Clip>, Vec<&Clip>) =
        list.clips.iter().filter(|c| named.contains(&*c.id)).partition(|c| urgent.contains(&*c.id));
    unique(first.into_iter().chain(rest))
}

/// The clips a list carries beside the needed ones: a commune may take them into its own sessions, so they are
/// fetched as well, after the list has come into force.
pub fn spare(list: &List) -> Vec<Wanted> {
    let needed: std::collections::HashSet<String> = needed(list).into_iter().map(|w| w.sha256).collect();
    unique(list.clips.iter()).into_iter().filter(|w| !needed.contains(&w.sha256)).collect()
}

/// Puts those of clips first that air soonest: `soonest` are ids of the list in that order. Emergencies stay before
/// all others; the rest stays as it was.
pub fn soonest_first(list: &List, soonest: &[Arc<str>], wanted: &mut [Wanted]) {
    let mut place: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for id in list.emergencies.iter().map(|e| &*e.clip.id).chain(soonest.iter().map(|id| &**id)) {
        let next = place.len();
        place.entry(id).or_insert(next);
    }
    let mut rank: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for clip in &list.clips {
        let (Some(sha256), Some(at)) = (clip.sha256.as_deref(), place.get(&*clip.id)) else { continue };
        rank.entry(sha256).and_modify(|known| *known = (*at).min(*known)).or_insert(*at);
    }
    wanted.sort_by_key(|w| rank.get(&*w.sha256).copied().unwrap_or(usize::MAX));
}

fn unique<'a>(clips: impl Iterator<Item = &'a Clip>) -> Vec<Wanted> {
    let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    let mut all: Vec<Wanted> = Vec::new();
    for wanted in clips.filter_map(Wanted::of) {
        match seen.get(&wanted.sha256) {
            Some(at) => all[*at].gain_db = all[*at].gain_db.max(wanted.gain_db),
            None => {
                seen.insert(wanted.sha256.clone(), all.len());
                all.push(wanted);
            }
        }
    }
    all
}

/// Whether a source's id is harmless as a part of a file name on any system: 1 to 64 characters, none of those that
/// mean something to a file system or cannot be seen, not beginning or ending with a point or a space, no `..`.
pub fn is_tame_id(id: &str) -> bool {
    (1..=64).contains(&id.chars().count())
        && id.trim_matches(['.', ' ']) == id
        && !id.contains("..")
        && id.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ') || is_mark(c))
}

/// A combining mark of a Vietnamese letter in its taken-apart form.
fn is_mark(c: char) -> bool {
    ('\u{0300}'..='\u{036f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{ClockState, HOUR_MS};
    use minisign::KeyPair;

    const NOON: &str = "2022-10-01T12:00:00+07:00";

    fn pair() -> (KeyPair, Keys) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let keys = Keys::parse("tinh", &[pair.pk.to_base64()]).unwrap();
        (pair, keys)
    }

    fn sign(pair: &KeyPair, bytes: &[u8]) -> Vec<u8> {
        minisign::sign(None, &pair.sk, bytes, Some("timestamp:1664600000"), None).unwrap().to_string().into_bytes()
    }

    fn now(text: &str) -> Now {
        let wall_ns = Wall::parse_rfc3339(text).unwrap().0 * 1_000_000;
        Now { wall_ns, boot_ns: 0, clock: ClockState::Synced }
    }

    fn expected<'a>(keys: &'a Keys, stored: Option<&'a Accepted>) -> Expected<'a> {
        Expected {
            source: "tinh",
            urgent: false,
            station: "xa-a",
            keys,
            stored,
            now: now(NOON),
            floor: Wall(0),
            zone: Zone::default(),
        }
    }

    fn list(serial: u64) -> String {
        body(serial, "2022-10-01T08:00:00+07:00", "2022-11-01T08:00:00+07:00", "")
    }

    fn body(serial: u64, issued: &str, expires: &str, more: &str) -> String {
        format!(
            r#"{{"format":1,"source":"tinh","serial":{serial},"issued_at":"{issued}","expires_at":"{expires}"{more}}}"#
        )
    }

    fn outcome(pair: &KeyPair, keys: &Keys, stored: Option<&Accepted>, body: &str) -> Result<Accept, Refusal> {
        accept(body.as_bytes(), &sign(pair, body.as_bytes()), &expected(keys, stored))
    }

    fn name(result: Result<Accept, Refusal>) -> &'static str {
        match result {
            Ok(Accept::New(_)) => "New",
            Ok(Accept::Same(_)) => "Same",
            Err(refusal) => {
                // Every refusal can be said in both languages and in more than a word.
                assert!(refusal.text(Language::Vi).say(Language::Vi).len() > 20);
                assert!(refusal.to_string().len() > 20);
                refusal.text(Language::Vi).name()
            }
        }
    }

    fn accepted(serial: u64, body: &str) -> Accepted {
        Accepted { serial, body_sha256: sha256_hex(body.as_bytes()), issued_at: Wall(0) }
    }

    #[test]
    fn not_one_byte_of_list_or_signature_can_change() {
        let (pair, keys) = pair();
        let list = list(1).into_bytes();
        let signature = sign(&pair, &list);
        assert!(verify(&list, &signature, &keys, "tinh").is_ok());
        let mut tried = 0;
        for at in 0..list.len() {
            let mut changed = list.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(verify(&changed, &signature, &keys, "tinh").is_err(), "list byte {at}");
        }
        for at in 0..signature.len() {
            // Every bit, and what looks alike to a careless reader.
            for other in (0..8).map(|bit| signature[at] ^ (1 << bit)).chain(*b"\r\n =A") {
                if other == signature[at] {
                    continue;
                }
                let mut changed = signature.clone();
                changed[at] = other;
                assert!(verify(&list, &changed, &keys, "tinh").is_err(), "signature byte {at} as {other}");
                tried += 1;
            }
        }
        assert!(tried > 2_000);
        for end in 0..signature.len() - 1 {
            assert!(verify(&list, &signature[..end], &keys, "tinh").is_err(), "signature cut at {end}");
        }
    }

    #[test]
    fn no_unknown_key_may_speak() {
        let (pair, _) = pair();
        let list = list(1).into_bytes();
        let signature = sign(&pair, &list);
        for _ in 0..1_000 {
            let mut raw = pair.pk.to_bytes();
            // Half of them pretend to be the key that signed.
            let other = KeyPair::generate_unencrypted_keypair().unwrap().pk.to_bytes();
            let keep_number = other[20] & 1 == 0;
            raw[10..].copy_from_slice(&other[10..]);
            if !keep_number {
                raw[2..10].copy_from_slice(&other[2..10]);
            }
            let text = minisign::PublicKey::from_bytes(&raw).unwrap().to_base64();
            let keys = Keys::parse("tinh", &[text]).unwrap();
            match verify(&list, &signature, &keys, "tinh") {
                Err(Refusal::BytesChanged { .. }) if keep_number => {}
                Err(Refusal::KeyUnknown { key_id, .. }) if !keep_number => assert_eq!(key_id.len(), 16),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn any_of_several_keys_may_sign_and_a_mistyped_one_is_not_an_attack() {
        let (one, _) = pair();
        let (two, _) = pair();
        let list = list(1).into_bytes();
        let keys = Keys::parse("tinh", &[one.pk.to_base64(), format!(" {} ", two.pk.to_base64())]).unwrap();
        assert!(verify(&list, &sign(&one, &list), &keys, "tinh").is_ok());
        assert!(verify(&list, &sign(&two, &list), &keys, "tinh").is_ok());
        let mistyped = Keys::parse("tinh", &[one.pk.to_base64()[1..].to_owned()]);
        assert!(matches!(mistyped, Err(Refusal::KeyMalformed { .. })));
        assert!(matches!(Keys::parse("tinh", &[]), Err(Refusal::NoKey { .. })));
    }

    #[test]
    fn a_signature_file_from_notepad_is_taken() {
        let (pair, keys) = pair();
        let list = list(1).into_bytes();
        let crlf = String::from_utf8(sign(&pair, &list)).unwrap().replace('\n', "\r\n");
        assert!(verify(&list, crlf.as_bytes(), &keys, "tinh").is_ok());
    }

    #[test]
    fn serials_only_go_up_and_not_too_far() {
        let (pair, keys) = pair();
        let stored = accepted(7, &list(7));
        let with = |serial| name(outcome(&pair, &keys, Some(&stored), &list(serial)));
        assert_eq!(with(8), "New");
        assert_eq!(with(7), "Same");
        assert_eq!(with(6), "SerialLower");
        assert_eq!(with(7 + LARGEST_JUMP), "New");
        assert_eq!(with(8 + LARGEST_JUMP), "SerialJump");
        assert_eq!(with(i64::MAX.unsigned_abs()), "SerialJump");
        assert_ne!(with(1 << 63), "New");
        let other = accepted(7, "another body");
        assert_eq!(name(outcome(&pair, &keys, Some(&other), &list(7))), "SerialEquivocation");
        // The first list of a source.
        assert_eq!(name(outcome(&pair, &keys, None, &list(1))), "New");
        assert_eq!(name(outcome(&pair, &keys, None, &list(LARGEST_JUMP))), "New");
        assert_eq!(name(outcome(&pair, &keys, None, &list(LARGEST_JUMP + 1))), "SerialJump");
        assert_ne!(name(outcome(&pair, &keys, None, &list(0))), "New");
    }

    #[test]
    fn times_are_judged_on_a_trusted_clock_only() {
        let (pair, keys) = pair();
        let judge = |issued: &str, expires: &str, clock: ClockState| {
            let body = body(1, issued, expires, "");
            let mut expected = expected(&keys, None);
            expected.now.clock = clock;
            name(accept(body.as_bytes(), &sign(&pair, body.as_bytes()), &expected))
        };
        let (day, month) = ("2022-10-01T08:00:00+07:00", "2022-11-01T08:00:00+07:00");
        assert_eq!(judge(day, month, ClockState::Synced), "New");
        assert_eq!(judge(day, "2023-01-09T08:00:00+07:00", ClockState::Synced), "New");
        assert_eq!(judge(day, "2023-01-09T08:00:01+07:00", ClockState::Unknown), "ListLifeTooLong");
        assert_eq!(judge("2022-09-01T08:00:00+07:00", NOON, ClockState::Synced), "ListExpiredOnArrival");
        assert_eq!(judge("2022-09-01T08:00:00+07:00", NOON, ClockState::Unknown), "New");
        assert_eq!(judge("2022-10-02T12:00:00+07:00", month, ClockState::Held), "New");
        assert_eq!(judge("2022-10-02T12:00:01+07:00", month, ClockState::Held), "ListIssuedAhead");
        assert_eq!(judge("2022-10-09T12:00:01+07:00", month, ClockState::Unknown), "New");
        assert_eq!(judge(month, day, ClockState::Unknown), "ListMalformed");
        assert_eq!(100 * 24 * HOUR_MS, LONGEST_LIFE_DAYS * DAY_MS);
    }

    #[test]
    fn a_list_is_for_this_station_from_this_source_in_this_format() {
        let (pair, keys) = pair();
        let (day, month) = ("2022-10-01T08:00:00+07:00", "2022-11-01T08:00:00+07:00");
        let with = |more: &str| name(outcome(&pair, &keys, None, &body(1, day, month, more)));
        assert_eq!(with(r#","stations":["xa-a"]"#), "New");
        assert_eq!(with(r#","stations":["xa-b"]"#), "ListNotForStation");
        assert_eq!(with(r#","stations":["bien"],"groups":{"bien":["xa-b","xa-a"]}"#), "New");
        let other = list(1).replace("tinh", "tỉnh");
        assert_eq!(name(outcome(&pair, &keys, None, &other)), "ListOtherSource");
        let later = list(1).replace(r#""format":1"#, r#""format":2"#);
        assert!(["ListFormatUnknown", "ListMalformed"].contains(&name(outcome(&pair, &keys, None, &later))));
        assert_eq!(name(outcome(&pair, &keys, None, "<html>")), "ListMalformed");
    }

    #[test]
    fn tricks_in_names_refuse_the_list() {
        for id in ["..", "a/b", "../x", "a\\b", "a\0b", "con:", "a..b", ".ẩn", "", " ", "a ", "a\u{202e}b", "x."] {
            assert!(!is_tame_id(id), "{id:?}");
        }
        assert!(!is_tame_id(&"a".repeat(65)));
        for id in ["cd1", "bản-tin", "ba\u{309}n-tin", "Thông_báo.2", "1"] {
            assert!(is_tame_id(id), "{id:?}");
        }
    }

    #[test]
    fn a_list_with_a_trick_is_refused_whole() {
        let (pair, keys) = pair();
        let (day, month) = ("2022-10-01T08:00:00+07:00", "2022-11-01T08:00:00+07:00");
        let sha = "a".repeat(64);
        let with = |id: &str, sha: &str, url: &str| {
            let clip = serde_json::json!({"id": id, "title": "t", "kind": "nhac_hieu", "sha256": sha, "bytes": 10,
                "duration_ms": 1000, "url": url});
            name(outcome(&pair, &keys, None, &body(1, day, month, &format!(r#","clips":[{clip}]"#))))
        };
        assert_eq!(with("cd1", &sha, "clips/x.mp3"), "New");
        for id in ["..", "a/b", "a\\b", "a\0b", "x:y"] {
            assert_eq!(with(id, &sha, "clips/x.mp3"), "ListMalformed", "{id:?}");
        }
        for bad in ["../../x", &sha[1..], &format!("{}/", &sha[1..])] {
            assert_eq!(with("cd1", bad, "clips/x.mp3"), "ListMalformed", "{bad:?}");
        }
        for url in ["../x.mp3", "/x.mp3", "http://evil/x.mp3", "clips/x.exe", "clips/x"] {
            assert_eq!(with("cd1", &sha, url), "ListMalformed", "{url:?}");
        }
    }

    proptest::proptest! {
        /// `PROPTEST_CASES` says how many. Half of them are made of what leads elsewhere on some system.
        #[test]
        fn names_never_lead_outside(id in "[./\\\\:~ \\x00-\\x1fa-cCONạ|?*\u{202e}-]{1,10}|.*") {
            if is_tame_id(&id) {
                let path = std::path::Path::new(&id);
                proptest::prop_assert_eq!(path.components().count(), 1);
                proptest::prop_assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
            }
        }
    }
}
