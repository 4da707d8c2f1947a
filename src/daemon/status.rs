//! The snapshot that the page, `status` and systemd show: copied, so that looking at it cannot harm what plays.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::config::Language;
use crate::domain::text::Text;
use crate::domain::time::{ClockState, Wall};

/// What the station does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A person silenced it.
    Stopped,
    /// Something sounds, or a relay window runs.
    OnAir,
    /// Nobody knows what time it is.
    WaitingForClock,
    /// Waiting for what comes.
    Idle,
}

impl State {
    /// The word for tools.
    pub fn key(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::OnAir => "on_air",
            State::WaitingForClock => "waiting_for_clock",
            State::Idle => "idle",
        }
    }
}

/// An airing, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Brief {
    /// Its id.
    pub airing_id: String,
    /// Plain slot id.
    pub slot_id: Option<String>,
    /// The session's name.
    pub slot_name: Option<String>,
    /// Plain clip id.
    pub clip_id: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// When it is to sound.
    pub planned_at: String,
    /// When it began.
    pub started_at: Option<String>,
    /// How much has sounded, milliseconds.
    pub played_ms: Option<i64>,
    /// Its length, milliseconds.
    pub clip_ms: Option<i64>,
    /// What will keep it from sounding.
    pub blocked_by: Option<String>,
}

/// `output` of the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputStatus {
    /// As configured.
    pub device: String,
    /// Whether it can be played to, as far as is known.
    pub ok: bool,
    /// Why not.
    pub error: Option<String>,
}

/// A source in the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceBrief {
    /// Its id.
    pub id: String,
    /// Serial in force.
    pub serial: Option<u64>,
    /// Version of its `keys.json` in force; absent where its keys stand in `station.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// When its list expires.
    pub expires_at: Option<String>,
    /// Last contact.
    pub last_success: Option<String>,
    /// What is wrong now.
    pub last_error: Option<String>,
}

/// The log in the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogStatus {
    /// Number of the last row on disk.
    pub seq: u64,
    /// Its hash.
    pub head: String,
    /// Whether every row has reached the disk.
    pub durable: bool,
    /// When all of its pages and rows were last looked at since the start, RFC 3339.
    pub looked_over_at: Option<String>,
}

/// The clip store in the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreStatus {
    /// Clips there.
    pub clips: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Most bytes.
    pub quota_bytes: u64,
}

/// How far a campaign is on one day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CampaignDay {
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// `SOURCE/ID`; none: all topics together.
    pub topic: Option<String>,
    /// Aired whole, to an output that counts.
    pub aired: u32,
    /// In the plan.
    pub planned: u32,
    /// Asked for.
    pub quota: Option<u32>,
}

/// A campaign in the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CampaignStatus {
    /// `SOURCE/ID`
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Its days within a month before and after today: all topics together, then each topic.
    pub days: Vec<CampaignDay>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmBrief {
    /// Stable word, as `device_lost`.
    pub code: String,
    /// Since when.
    pub since: String,
    /// The sentence.
    pub text: String,
}

/// Everything `status --json` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// What the station does.
    pub state: State,
    /// What sounds.
    pub on_air: Option<Brief>,
    /// What comes next.
    pub next: Option<Brief>,
    /// Whether the clock can be believed.
    pub clock: ClockState,
    /// Local time at the moment of the snapshot.
    pub now: String,
    /// The output.
    pub output: OutputStatus,
    /// The sources, in the order of the config.
    pub sources: Vec<SourceBrief>,
    /// The log.
    pub log: LogStatus,
    /// The store.
    pub store: StoreStatus,
    /// Campaigns with days in the month before or the month to come.
    pub campaigns: Vec<CampaignStatus>,
    /// Campaigns that cannot reach their quota on days of the month to come.
    pub short: Vec<crate::domain::quota::Short>,
    /// What is wrong.
    pub alarms: Vec<AlarmBrief>,
    /// A trial on an editor's or developer's machine.
    pub trial: bool,
    /// The station's name.
    pub station: String,
    /// This program.
    pub version: String,
    /// How long the daemon has run, seconds.
    pub uptime_s: i64,
}

/// What is wrong at the moment, by a stable word.
#[derive(Clone, Debug, Default)]
pub struct Alarms(BTreeMap<String, (Wall, Text)>);

impl Alarms {
    /// Something is wrong. True when that is new.
    pub fn raise(&mut self, code: &str, now: Wall, text: Text) -> bool {
        match self.0.get_mut(code) {
            Some((_, old)) if *old == text => false,
            Some((_, old)) => {
                *old = text;
                true
            }
            None => {
                self.0.insert(code.to_owned(), (now, text));
                true
            }
        }
    }

    /// It is right again. True when it was wrong.
    pub fn clear(&mut self, code: &str) -> bool {
        self.0.remove(code).is_some()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The alarms: code, since when, what.
    pub fn list(&self) -> Vec<(String, Wall, Text)> {
        self.0.iter().map(|(code, (since, text))| (code.clone(), *since, text.clone())).collect()
    }

    /// The alarms for showing.
    pub fn brief(&self, language: Language, time: impl Fn(Wall) -> String) -> Vec<AlarmBrief> {
        self.0
            .iter()
            .map(|(code, (since, text))| AlarmBrief {
                code: code.clone(),
                since: time(*since),
                text: text.say(language),
            })
            .collect()
    }
}
