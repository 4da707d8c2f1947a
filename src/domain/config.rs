//! `station.toml` as types.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

mod reading;

pub use reading::read_config;

use crate::domain::keyring::Roots;
use crate::domain::playlist::Span;
use crate::domain::time::{QuietDays, QuietHours, Window, Zone};

/// The level a source belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Central.
    TrungUong,
    /// Province.
    Tinh,
    /// District; gone since July 2025, kept readable.
    Huyen,
    /// Commune.
    Xa,
    /// Village.
    Thon,
}

impl Origin {
    /// Every level, from the top.
    pub const ALL: [Origin; 5] = [Origin::TrungUong, Origin::Tinh, Origin::Huyen, Origin::Xa, Origin::Thon];

    /// Whether its lists count as the station's own, into whose sessions offers may enter (rule R5).
    pub fn is_own(self) -> bool {
        matches!(self, Origin::Xa | Origin::Thon)
    }

    /// The key as written in config and rows.
    pub fn key(self) -> &'static str {
        match self {
            Origin::TrungUong => "trung_uong",
            Origin::Tinh => "tinh",
            Origin::Huyen => "huyen",
            Origin::Xa => "xa",
            Origin::Thon => "thon",
        }
    }
}

/// The language of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Vietnamese.
    #[default]
    Vi,
    /// English.
    En,
}

/// `[station]`
#[derive(Clone, Debug)]
pub struct Station {
    /// Stable id, as `xa-binh-minh`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// This box among the station's.
    pub device_id: String,
    /// Time zone.
    pub timezone: Zone,
    /// Language of messages; none written: from the environment.
    pub language: Option<Language>,
    /// Speaker clusters, declared for reports.
    pub clusters: Option<u32>,
    /// Speakers, declared for reports.
    pub speakers: Option<u32>,
}

/// `[state]`
#[derive(Clone, Debug)]
pub struct State {
    /// Folder of database, clips, lists and socket.
    pub dir: std::path::PathBuf,
    /// Most bytes of clips.
    pub clips_quota_bytes: u64,
    /// Audio behind rows is kept so many months.
    pub keep_aired_months: u32,
}

/// `[[source]]`
#[derive(Clone, Debug)]
pub struct Source {
    /// Id used in references.
    pub id: Arc<str>,
    /// Level.
    pub origin: Origin,
    /// Where its list stands.
    pub url: String,
    /// minisign public keys, any of which may sign; none where root keys are pinned.
    pub public_keys: Vec<String>,
    /// Root keys whose `keys.json` says which keys may sign.
    pub roots: Option<Roots>,
    /// The same folder on other servers, tried in turn while `url` fails.
    pub mirrors: Vec<String>,
    /// Time between two polls, milliseconds.
    pub poll_ms: i64,
    /// Time between two questions for `urgent.json`, milliseconds; none: it is never asked for.
    pub urgent_poll_ms: Option<i64>,
    /// Whether the list goes on after its expiry.
    pub keeps_expired: bool,
    /// Whether it may open sessions of its own.
    pub slots: bool,
    /// Whether it may pass quiet hours with an emergency.
    pub emergency: bool,
    /// Where it stands.
    pub span: Span,
}

/// `[local]`
#[derive(Clone, Debug)]
pub struct Local {
    /// The list, as written: relative to the config file.
    pub playlist: std::path::PathBuf,
    /// The folder of its clips, as written: relative to the config file.
    pub clips: std::path::PathBuf,
    /// Whether it may pass quiet hours with an emergency.
    pub emergency: bool,
}

/// Where sound goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// An ALSA name.
    Alsa(String),
    /// Nowhere, in real time.
    Null,
    /// Into a file, in real time.
    Wav(std::path::PathBuf),
}

impl Device {
    /// Reads `default`, an ALSA name, `null` or `wav:FILE`.
    pub fn parse(text: &str) -> Device {
        match text.strip_prefix("wav:") {
            Some(file) => Device::Wav(file.into()),
            None if text == "null" => Device::Null,
            None => Device::Alsa(text.to_owned()),
        }
    }

    /// Whether its rows count in totals and quotas (invariant 5).
    pub fn counts(&self) -> bool {
        matches!(self, Device::Alsa(_))
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Device::Alsa(name) => f.write_str(name),
            Device::Null => f.write_str("null"),
            Device::Wav(file) => write!(f, "wav:{}", file.display()),
        }
    }
}

/// `[output]`
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Where sound goes.
    pub device: Device,
    /// Station gain in dB.
    pub gain_db: f64,
    /// Time before a sound at which its intent is flushed, the amplifier switched on and the device opened.
    pub pre_roll_ms: i64,
    /// Amplifier on: program and arguments, no shell.
    pub on_start: Vec<String>,
    /// Amplifier off.
    pub on_stop: Vec<String>,
}

/// `[[daypart]]`
#[derive(Clone, Debug)]
pub struct Daypart {
    /// Its hours.
    pub window: Window,
    /// Gain in dB for what is planned inside.
    pub gain_db: f64,
}

/// `[quiet_hours]`: as written, for showing; [`Config::quiet`] is what holds.
#[derive(Clone, Debug)]
pub struct QuietMain {
    /// The nightly window.
    pub window: Window,
    /// The decision that shortens it.
    pub shorter_by: Option<String>,
}

/// `[[quiet_open]]`
#[derive(Clone, Debug)]
pub struct QuietOpen {
    /// The night.
    pub date: NaiveDate,
    /// Its hours.
    pub window: Window,
    /// Who answers for it.
    pub by: String,
}

/// When the wall clock is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Trust {
    /// The kernel's synchronisation state, held for a while.
    #[default]
    Auto,
    /// A battery-backed clock.
    Rtc,
    /// Always; only in trials.
    Always,
}

/// `station.toml`, whole and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[station]`
    pub station: Station,
    /// `[state]`
    pub state: State,
    /// `[[source]]`, in order: order settles ties.
    pub sources: Vec<Source>,
    /// `[local]`
    pub local: Option<Local>,
    /// `[output]`
    pub output: Output,
    /// `[[daypart]]`: of overlapping ones the first in the file.
    pub dayparts: Vec<Daypart>,
    /// `[quiet_hours]`
    pub quiet_main: QuietMain,
    /// `[[quiet_also]]`
    pub quiet_also: Vec<(Window, QuietDays)>,
    /// `[[quiet_open]]`
    pub quiet_open: Vec<QuietOpen>,
    /// `[time] trust`
    pub trust: Trust,
    /// `[time] hold`, milliseconds.
    pub hold_ms: i64,
    /// `[page] listen`
    pub page_listen: Option<String>,
    /// `[page] hosts`: names under which the page may be asked for, beside its address and the machine's own name.
    pub page_hosts: Vec<String>,
    /// `[log] keep`, months.
    pub log_keep_months: u32,
}

impl Config {
    /// The windows in which nothing sounds.
    pub fn quiet(&self) -> QuietHours {
        let every_day = QuietDays::Weekly(crate::domain::time::Days::ALL);
        QuietHours {
            zone: self.station.timezone,
            closed: std::iter::once((self.quiet_main.window, every_day))
                .chain(self.quiet_also.iter().cloned())
                .collect(),
            open: self.quiet_open.iter().map(|o| (o.window, o.date)).collect(),
        }
    }

    /// The gain of the first daypart that holds a local time of day, in dB.
    pub fn daypart_gain_db(&self, time: NaiveTime) -> f64 {
        let inside = |w: &Window| {
            if w.from < w.to { w.from <= time && time < w.to } else { time >= w.from || time < w.to }
        };
        self.dayparts.iter().find(|d| inside(&d.window)).map_or(0.0, |d| d.gain_db)
    }
}
