//! The airing: one play of one item at one time, as a row of the log. Outcomes, reasons and which of them
//! go together (rule R6); the hash that binds a row to the one before (rule R8).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::domain::config::Origin;
use crate::domain::playlist::{ClipKind, Priority};
use crate::domain::time::{ClockState, Wall, Zone};

/// How a planned airing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At least 98 % of the samples were accepted by the device, and it reported no error.
    Aired,
    /// Begun, ended by a fault.
    Partial,
    /// Begun, ended by a rule or a person.
    Interrupted,
    /// Not begun: its second passed.
    Missed,
    /// Not begun: a rule or a person forbade it.
    Blocked,
    /// Not begun: tried, and material, device or hook failed.
    Failed,
    /// A relay window kept to its end.
    Relayed,
}

impl Outcome {
    /// Every outcome, in the order of rule R6's table on screen.
    pub const ALL: [Outcome; 7] = [
        Outcome::Aired,
        Outcome::Partial,
        Outcome::Interrupted,
        Outcome::Missed,
        Outcome::Blocked,
        Outcome::Failed,
        Outcome::Relayed,
    ];

    /// The key as written in rows.
    pub fn key(self) -> &'static str {
        match self {
            Outcome::Aired => "aired",
            Outcome::Partial => "partial",
            Outcome::Interrupted => "interrupted",
            Outcome::Missed => "missed",
            Outcome::Blocked => "blocked",
            Outcome::Failed => "failed",
            Outcome::Relayed => "relayed",
        }
    }

    /// Whether at least one sample was accepted.
    pub fn begun(self) -> bool {
        matches!(self, Outcome::Aired | Outcome::Partial | Outcome::Interrupted | Outcome::Relayed)
    }
}

/// Why, in the order in which the first of several is taken (rule R6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The box lost power.
    PowerOff,
    /// The program ended without a farewell.
    Crashed,
    /// The clock was not trusted.
    ClockUnknown,
    /// Stopped by a person, or shut down.
    Stopped,
    /// The local list skips it that day.
    SpecialDay,
    /// Taken back.
    Withdrawn,
    /// The list's life is over.
    Expired,
    /// Nobody approved it.
    NotApproved,
    /// Quiet hours.
    QuietHours,
    /// Dropped to keep the session's length.
    TooLong,
    /// Gave way to an emergency.
    Emergency,
    /// Gave way to a session that took over.
    HardStart,
    /// Another session had the air.
    Overlap,
    /// No audio.
    ClipMissing,
    /// Audio broken or changed.
    ClipBad,
    /// Audio device gone.
    DeviceLost,
    /// Amplifier did not switch on.
    HookFailed,
    /// Past its second with no other reason.
    Late,
}

impl Reason {
    /// Every reason, in the order of precedence.
    pub const ALL: [Reason; 18] = [
        Reason::PowerOff,
        Reason::Crashed,
        Reason::ClockUnknown,
        Reason::Stopped,
        Reason::SpecialDay,
        Reason::Withdrawn,
        Reason::Expired,
        Reason::NotApproved,
        Reason::QuietHours,
        Reason::TooLong,
        Reason::Emergency,
        Reason::HardStart,
        Reason::Overlap,
        Reason::ClipMissing,
        Reason::ClipBad,
        Reason::DeviceLost,
        Reason::HookFailed,
        Reason::Late,
    ];

    /// The key as written in rows.
    pub fn key(self) -> &'static str {
        match self {
            Reason::PowerOff => "power_off",
            Reason::Crashed => "crashed",
            Reason::ClockUnknown => "clock_unknown",
            Reason::Stopped => "stopped",
            Reason::SpecialDay => "special_day",
            Reason::Withdrawn => "withdrawn",
            Reason::Expired => "expired",
            Reason::NotApproved => "not_approved",
            Reason::QuietHours => "quiet_hours",
            Reason::TooLong => "too_long",
            Reason::Emergency => "emergency",
            Reason::HardStart => "hard_start",
            Reason::Overlap => "overlap",
            Reason::ClipMissing => "clip_missing",
            Reason::ClipBad => "clip_bad",
            Reason::DeviceLost => "device_lost",
            Reason::HookFailed => "hook_failed",
            Reason::Late => "late",
        }
    }
}

/// Whether an outcome and a reason may stand in one row: the table of rule R6.
pub fn legal(outcome: Outcome, reason: Option<Reason>) -> bool {
    use Reason::*;
    match (outcome, reason) {
        (Outcome::Aired | Outcome::Relayed, reason) => reason.is_none(),
        (_, None) => false,
        (Outcome::Blocked, Some(r)) => {
            matches!(r, QuietHours | NotApproved | Expired | Stopped | SpecialDay | TooLong | Withdrawn)
        }
        (Outcome::Missed, Some(r)) => {
            matches!(r, PowerOff | Crashed | ClockUnknown | Emergency | HardStart | Overlap | Late | Stopped)
        }
        (Outcome::Failed, Some(r)) => matches!(r, ClipMissing | ClipBad | DeviceLost | HookFailed),
        (Outcome::Partial, Some(r)) => matches!(r, PowerOff | Crashed | DeviceLost | ClipBad),
        (Outcome::Interrupted, Some(r)) => matches!(r, QuietHours | Emergency | HardStart | Stopped | Withdrawn),
    }
}

/// What made an airing happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A session's item.
    Scheduled,
    /// Played by a person.
    Manual,
    /// An emergency's sounding.
    Emergency,
    /// A relay window.
    Relay,
}

/// One airing as a row: the fields of the contract in its order. Times are RFC 3339 texts with offset and
/// milliseconds; what is absent is `null`, never missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Airing {
    /// Number in the chain; none in a simulation.
    pub seq: Option<u64>,
    /// Always `airing`.
    #[serde(rename = "type")]
    pub row_type: String,
    /// `slot_source/slot/session start/position`, or `manual/N` (rule R7).
    pub airing_id: String,
    /// The station.
    pub station_id: String,
    /// The box.
    pub device_id: String,
    /// Made with the database.
    pub log_id: Option<String>,
    /// The kernel's boot id when the row was written.
    pub boot_id: Option<String>,
    /// What made it happen.
    pub kind: Kind,
    /// Where the clip comes from.
    pub source: Option<String>,
    /// Level of that source.
    pub origin: Option<Origin>,
    /// Whose session it is.
    pub slot_source: Option<String>,
    /// Plain slot id; an emergency's id.
    pub slot_id: Option<String>,
    /// The session's name for people.
    pub slot_name: Option<String>,
    /// When the session was to start.
    pub session_start: Option<String>,
    /// Place in the session, from 1.
    pub position: Option<u32>,
    /// `SOURCE/ID` of the offer that brought it.
    pub offer_id: Option<String>,
    /// Serial of the list the clip comes from.
    pub playlist_serial: Option<u64>,
    /// Plain clip id.
    pub clip_id: Option<String>,
    /// Hash of the audio as planned.
    pub clip_sha256: Option<String>,
    /// Title as it was.
    pub title: Option<String>,
    /// What the clip is.
    pub clip_kind: Option<ClipKind>,
    /// How much it matters.
    pub priority: Option<Priority>,
    /// `SOURCE/ID`
    pub campaign_id: Option<String>,
    /// `SOURCE/ID`
    pub topic_id: Option<String>,
    /// The campaign's document.
    pub doc_number: Option<String>,
    /// As it was.
    pub approved_by: Option<String>,
    /// As it was.
    pub approved_at: Option<String>,
    /// When it was to sound.
    pub planned_at: String,
    /// When its first sample sounded.
    pub started_at: Option<String>,
    /// When its last accepted sample had sounded.
    pub ended_at: Option<String>,
    /// Length of the clip, milliseconds.
    pub clip_ms: Option<i64>,
    /// How much of it was accepted, milliseconds; after a cut a lower bound.
    pub played_ms: i64,
    /// `started_at` against the instant aimed at, milliseconds, two decimals, positive late.
    pub start_error_ms: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// Sum of station, daypart, slot and clip gain, dB.
    pub gain_db: Option<f64>,
    /// The output: an ALSA name, `null`, `wav:FILE` or `simulation`.
    pub output: String,
    /// Whether the clock could be believed.
    pub clock: ClockState,
    /// Who played or stopped it.
    pub by: Option<String>,
    /// When the row was written.
    pub recorded_at: Option<String>,
    /// Hash of the row before.
    pub prev_hash: Option<String>,
    /// Hash of this row.
    pub hash: Option<String>,
}

/// A session's fixed plan as a row (invariant 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Whose session it is.
    pub slot_source: String,
    /// Plain slot id; an emergency's id.
    pub slot_id: String,
    /// The session's name for people.
    pub slot_name: String,
    /// When it starts.
    pub session_start: String,
    /// What made it.
    pub kind: Kind,
    /// Its priority.
    pub priority: Priority,
    /// What it was to play.
    pub items: Vec<SessionRowItem>,
}

/// One item of a fixed plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRowItem {
    /// The airing to come.
    pub airing_id: String,
    /// When it was to sound.
    pub planned_at: String,
    /// Plain clip id; none for a relay.
    pub clip_id: Option<String>,
    /// Where the clip comes from.
    pub source: Option<String>,
    /// Hash of the audio.
    pub clip_sha256: Option<String>,
    /// Length, milliseconds.
    pub clip_ms: Option<i64>,
    /// The reason it was forbidden or dropped when the plan was fixed.
    pub blocked: Option<Reason>,
}

/// What happened to the station, as a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The daemon started.
    Start,
    /// It ended softly.
    Shutdown,
    /// A person silenced the station.
    Stop,
    /// The silence ended.
    Resume,
    /// The wall clock jumped.
    ClockStep,
    /// A person set the wall clock, or vouched for it.
    ClockSet,
    /// A config came into force or was refused.
    Config,
    /// A list came into force.
    ListInForce,
    /// A `keys.json` came into force.
    KeysInForce,
    /// Something was withdrawn.
    Withdrawal,
    /// Something is wrong, or right again.
    Alarm,
    /// The log was mended.
    Repair,
    /// Old rows were removed.
    Prune,
    /// Something a person wrote down. It proves nothing.
    Note,
    /// A code for the station page was shown, opened it or did not, or what it had opened was closed.
    Login,
    /// A person asked the sources for new lists.
    Sync,
}

/// An event as a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// What happened.
    pub event: EventKind,
    /// When.
    pub at: Wall,
    /// Who did it.
    pub by: Option<String>,
    /// More, by event; documented in `docs/airing-log.md`.
    pub detail: Map<String, Value>,
}

/// A row before it has its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Entry {
    /// An airing.
    Airing(Box<Airing>),
    /// A fixed plan.
    Session(SessionRow),
    /// An event.
    Event(EventRow),
}

/// One change to the log's database. What one step decides is committed in one transaction, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Appends a row to the chain.
    Append(Entry),
    /// Writes down that a sound is about to be made, before it is made (invariant 2). `body` is read back
    /// after a crash.
    Intend {
        /// The airing.
        airing_id: String,
        /// What is needed to close it honestly.
        body: Value,
    },
    /// How much of an intended airing has sounded so far, milliseconds.
    Note {
        /// The airing.
        airing_id: String,
        /// Accepted so far.
        played_ms: i64,
    },
    /// The intent is closed: its row is written, or it never sounded and never will.
    Close {
        /// The airing.
        airing_id: String,
    },
    /// State of a fixed session that is not over yet, so that the next start can go on with it.
    KeepSession {
        /// `slot_source/slot/session start`.
        key: String,
        /// What `playout` needs to go on.
        body: Value,
    },
    /// A session is over: every item has its row.
    ForgetSession {
        /// As above.
        key: String,
    },
    /// Removes rows from the oldest end of the chain, after a row that says so: whole days, planned before this
    /// moment, and only what has been exported. Nothing when there is none.
    Prune {
        /// What was planned at or after this moment stays.
        before: Wall,
    },
    /// A named value outside the chain, as the moment up to which sessions have been fixed.
    Set {
        /// Its name.
        name: String,
        /// Its value; null removes it.
        value: Value,
    },
}

/// What the log adds to a row when it writes it.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Number in the chain, from 1.
    pub seq: u64,
    /// The station.
    pub station_id: String,
    /// The box.
    pub device_id: String,
    /// Made with the database.
    pub log_id: String,
    /// The kernel's boot id.
    pub boot_id: String,
    /// When the row is written.
    pub recorded_at: Wall,
    /// Hash of the row before; 32 zero bytes before the first.
    pub prev_hash: [u8; 32],
}

/// The row as it is kept and exported by `--chain`: stamped and hashed.
pub fn seal(entry: &Entry, stamp: &Stamp, zone: Zone) -> Map<String, Value> {
    let mut row = match entry {
        Entry::Airing(airing) => object(&**airing),
        Entry::Session(session) => object(session),
        Entry::Event(event) => {
            let mut row = object(event);
            row.insert("at".into(), zone.rfc3339(event.at).into());
            row
        }
    };
    let row_type = match entry {
        Entry::Airing(_) => "airing",
        Entry::Session(_) => "session",
        Entry::Event(_) => "event",
    };
    if !matches!(entry, Entry::Airing(_)) {
        let mut named = Map::new();
        named.insert("seq".into(), Value::Null);
        named.insert("type".into(), Value::Null);
        named.append(&mut row);
        row = named;
    }
    row.insert("seq".into(), stamp.seq.into());
    row.insert("type".into(), row_type.into());
    row.insert("station_id".into(), stamp.station_id.clone().into());
    row.insert("device_id".into(), stamp.device_id.clone().into());
    row.insert("log_id".into(), stamp.log_id.clone().into());
    row.insert("boot_id".into(), stamp.boot_id.clone().into());
    row.insert("recorded_at".into(), zone.rfc3339(stamp.recorded_at).into());
    row.insert("prev_hash".into(), hex(&stamp.prev_hash).into());
    row.shift_remove("hash");
    let hash = hash_of(&row, &stamp.prev_hash);
    row.insert("hash".into(), hex(&hash).into());
    row
}

/// SHA-256(prev_hash bytes || canonical JSON of the row without `hash`): rule R8.
pub fn hash_of(row_without_hash: &Map<String, Value>, prev_hash: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(prev_hash);
    hasher.update(canonical_json(row_without_hash).as_bytes());
    hasher.finalize().into()
}

/// Canonical JSON: keys sorted by their bytes, no white space, UTF-8 unescaped where JSON allows it.
pub fn canonical_json(row: &Map<String, Value>) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Object(map) => {
                let mut keys: Vec<_> = map.keys().collect();
                keys.sort_unstable();
                out.push('{');
                for (i, key) in keys.into_iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&Value::from(key.as_str()).to_string());
                    out.push(':');
                    write(&map[key], out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write(item, out);
                }
                out.push(']');
            }
            plain => out.push_str(&plain.to_string()),
        }
    }
    let mut out = String::new();
    write(&Value::Object(row.clone()), &mut out);
    out
}

fn object<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        // Only structs with text keys are passed in; serde_json cannot fail on them.
        _ => Map::new(),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Bytes from lower- or upper-case hexadecimal of exactly 32 bytes.
pub fn unhex32(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut out = [0; 32];
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_belongs_to_some_outcome_but_late_only_to_missed() {
        for reason in Reason::ALL {
            assert!(Outcome::ALL.iter().any(|o| legal(*o, Some(reason))), "{reason:?}");
        }
        assert!(legal(Outcome::Missed, Some(Reason::Late)));
        assert!(!legal(Outcome::Aired, Some(Reason::Late)));
        assert!(!legal(Outcome::Partial, None));
    }

    #[test]
    fn canonical_json_sorts_keys_at_every_depth_and_keeps_vietnamese() {
        let row = serde_json::json!({"b": {"z": 1, "a": [null, "Đài"]}, "a": -0.25});
        let Value::Object(map) = row else { unreachable!() };
        assert_eq!(canonical_json(&map), r#"{"a":-0.25,"b":{"a":[null,"Đài"],"z":1}}"#);
    }

    #[test]
    fn a_seal_binds_every_field_and_the_row_before() {
        let event = Entry::Event(EventRow { event: EventKind::Start, at: Wall(0), by: None, detail: Map::new() });
        let stamp = Stamp {
            seq: 1,
            station_id: "xa".into(),
            device_id: "d".into(),
            log_id: "l".into(),
            boot_id: "b".into(),
            recorded_at: Wall(5),
            prev_hash: [0; 32],
        };
        let row = seal(&event, &stamp, Zone::default());
        let mut body = row.clone();
        body.shift_remove("hash");
        assert_eq!(row["hash"], hex(&hash_of(&body, &[0; 32])));
        assert_ne!(hash_of(&body, &[0; 32]), hash_of(&body, &[1; 32]));
        body["seq"] = 2.into();
        assert_ne!(row["hash"], hex(&hash_of(&body, &[0; 32])));
    }
}
