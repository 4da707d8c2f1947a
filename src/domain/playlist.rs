//! The lists a station airs from: the commune's own (`local.toml`) and one signed list per source
//! (`playlist.json`). One set of types serves both; what is read here is well formed, whether it makes sense
//! together with the others is `config`'s question.

use std::ops::Range;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};

use crate::domain::airing::Reason;
use crate::domain::time::{Days, Wall};

mod reading;

pub(crate) use reading::known;
pub use reading::{Form, LONGEST_LIFE_MS, read_list};

/// The source id of the commune's own list.
pub const LOCAL: &str = "local";

/// Where something stands in its file: a range of bytes, for findings. Empty when it came from no text.
pub type Span = Range<usize>;

/// How much a bulletin matters (TT 39/2020): decides who takes the air (rule R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// `thong_thuong`
    #[default]
    Normal,
    /// `uu_tien`
    Priority,
    /// `khan_cap`
    Emergency,
}

/// What a clip is, in the words of the circular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipKind {
    /// Signature tune.
    NhacHieu,
    /// Station call.
    LoiXuong,
    /// Bumper.
    NhacCat,
    /// Closing tune.
    NhacKet,
    /// Bulletin.
    BanTin,
    /// Notice.
    ThongBao,
    /// Feature.
    ChuyenMuc,
    /// Spot.
    ThongDiep,
    /// Song.
    CaKhuc,
}

impl ClipKind {
    /// The key as written in lists and rows, as `ban_tin`.
    pub fn key(self) -> &'static str {
        match self {
            ClipKind::NhacHieu => "nhac_hieu",
            ClipKind::LoiXuong => "loi_xuong",
            ClipKind::NhacCat => "nhac_cat",
            ClipKind::NhacKet => "nhac_ket",
            ClipKind::BanTin => "ban_tin",
            ClipKind::ThongBao => "thong_bao",
            ClipKind::ChuyenMuc => "chuyen_muc",
            ClipKind::ThongDiep => "thong_diep",
            ClipKind::CaKhuc => "ca_khuc",
        }
    }

    /// Every kind, in the order of the circular's list.
    pub const ALL: [ClipKind; 9] = [
        ClipKind::NhacHieu,
        ClipKind::LoiXuong,
        ClipKind::NhacCat,
        ClipKind::NhacKet,
        ClipKind::BanTin,
        ClipKind::ThongBao,
        ClipKind::ChuyenMuc,
        ClipKind::ThongDiep,
        ClipKind::CaKhuc,
    ];

    /// The station's frame: tunes and the call. They need no approval and always stay in a session that is
    /// shortened (rules R2 and R3).
    pub fn is_frame(self) -> bool {
        matches!(self, ClipKind::NhacHieu | ClipKind::LoiXuong | ClipKind::NhacCat | ClipKind::NhacKet)
    }
}

/// A name for something in a list: a plain id means the list's own, `SOURCE/ID` another's.
#[derive(Clone, Debug)]
pub struct Ref {
    /// The list meant, when named.
    pub source: Option<Arc<str>>,
    /// The id within that list.
    pub id: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// The days on which something is meant; absent parts do not limit.
#[derive(Clone, Debug, Default)]
pub struct Dates {
    /// First date, inclusive.
    pub from: Option<NaiveDate>,
    /// Last date, inclusive.
    pub to: Option<NaiveDate>,
    /// Weekdays.
    pub days: Option<Days>,
    /// Dates left out.
    pub except: Vec<NaiveDate>,
}

impl Dates {
    /// Whether `date` is meant.
    pub fn contain(&self, date: NaiveDate) -> bool {
        self.from.is_none_or(|d| d <= date)
            && self.to.is_none_or(|d| date <= d)
            && self.days.is_none_or(|d| d.contains(date))
            && !self.except.contains(&date)
    }
}

/// A campaign (đợt tuyên truyền): what a dispatch asks for.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Unique within the list.
    pub id: Arc<str>,
    /// The campaign's name for people.
    pub title: String,
    /// Number and sign of the dispatch, as `647/TTCS-TQ`.
    pub doc_number: Option<String>,
    /// Its date.
    pub doc_date: Option<NaiveDate>,
    /// First day.
    pub from: Option<NaiveDate>,
    /// Last day.
    pub to: Option<NaiveDate>,
    /// The quota: aired airings of its clips a day, all topics together.
    pub min_per_day: Option<u32>,
    /// Its topics.
    pub topics: Vec<Topic>,
    /// Where it stands.
    pub span: Span,
}

/// One topic of a campaign.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Unique within the campaign.
    pub id: Arc<str>,
    /// The topic's name for people.
    pub title: String,
    /// A quota of its own.
    pub min_per_day: Option<u32>,
    /// Where it stands.
    pub span: Span,
}

/// One recording and what a row says of it.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Unique within the list.
    pub id: Arc<str>,
    /// The audio file's name, in a list written by hand.
    pub file: Option<String>,
    /// Where the file can be fetched, relative to the published list.
    pub url: Option<String>,
    /// SHA-256 of the file, lower-case hexadecimal; absent until published or measured.
    pub sha256: Option<Arc<str>>,
    /// Length of the file in bytes.
    pub bytes: Option<u64>,
    /// Length of the sound in milliseconds.
    pub duration_ms: Option<i64>,
    /// Title as read out in reports.
    pub title: Arc<str>,
    /// What it is.
    pub kind: ClipKind,
    /// The campaign it counts for.
    pub campaign: Option<Ref>,
    /// The topic within that campaign.
    pub topic: Option<Ref>,
    /// How much it matters.
    pub priority: Priority,
    /// Who approved it.
    pub approved_by: Option<Arc<str>>,
    /// When, as written: a date or an RFC 3339 time.
    pub approved_at: Option<Arc<str>>,
    /// By which document.
    pub approved_doc: Option<String>,
    /// Gain in dB, measured loudness to target included once published.
    pub gain_db: f64,
    /// Why its audio cannot be used on this box, when it was looked for and has no known length.
    pub unfit: Option<Reason>,
    /// Where it stands.
    pub span: Span,
}

impl Clip {
    /// Whether it may air as far as approval goes: the frame needs none, all else names who and when (rule R2).
    pub fn is_approved(&self) -> bool {
        self.kind.is_frame() || (self.approved_by.is_some() && self.approved_at.is_some())
    }
}

/// Clips that take turns.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Unique within the list.
    pub id: Arc<str>,
    /// The clips, in turn.
    pub clips: Vec<Ref>,
    /// The day of use 0.
    pub from: NaiveDate,
    /// Where it stands.
    pub span: Span,
}

/// What an item of a session or offer names.
#[derive(Clone, Debug)]
pub enum What {
    /// A clip.
    Clip(Ref),
    /// The next clip of a rotation.
    Rotation(Ref),
    /// One offer, by name. Only in slots.
    Offer(Ref),
    /// The place where offers of at least this priority enter by themselves. Only in slots.
    Offers(Priority),
}

/// An item of a session or offer.
#[derive(Clone, Debug)]
pub struct Item {
    /// What sounds.
    pub what: What,
    /// When it is meant.
    pub dates: Dates,
    /// Where it stands.
    pub span: Span,
}

/// Clips without hours of their own that go inside the station's sessions (rule R5).
#[derive(Clone, Debug)]
pub struct Offer {
    /// Unique within the list.
    pub id: Arc<str>,
    /// Its clips, whole or not at all.
    pub items: Vec<Item>,
    /// `priority` and above enter by themselves at an offers place.
    pub priority: Priority,
    /// When it is meant.
    pub dates: Dates,
    /// The first so many sessions of a day that have a place; absent: all.
    pub sessions_per_day: Option<u32>,
    /// The stations or groups meant; absent: all.
    pub stations: Option<Vec<String>>,
    /// Where it stands.
    pub span: Span,
}

/// One written start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Every allowed day.
    Daily(NaiveTime),
    /// Once.
    Once(NaiveDateTime),
}

/// When a slot falls due.
#[derive(Clone, Debug)]
pub enum When {
    /// `at`, on the slot's days.
    At(Vec<At>),
    /// `cron`: five fields, or six with seconds first.
    Cron(String),
}

/// How a session claims the air (rule R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Cuts a session of equal priority.
    Hard,
    /// Waits.
    Soft,
}

/// What a slot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotKind {
    /// Plays its items.
    Session,
    /// Silent for us; the hooks may hand the amplifier to a tuner.
    Relay {
        /// The window's length in milliseconds.
        length_ms: i64,
    },
}

/// A session (buổi phát) that recurs, or happens once.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Unique within the list.
    pub id: Arc<str>,
    /// Its name for people; the id when none is given.
    pub name: Arc<str>,
    /// Its start times.
    pub when: When,
    /// The dates allowed.
    pub dates: Dates,
    /// What it does.
    pub kind: SlotKind,
    /// What it plays, in order.
    pub items: Vec<Item>,
    /// Hard or soft.
    pub start: Start,
    /// How long after its time it may begin once it has waited for another session, milliseconds, inclusive.
    pub wait_up_to_ms: i64,
    /// How long after its time it may begin otherwise, milliseconds, inclusive.
    pub late_ms: i64,
    /// The longest it may be planned, milliseconds.
    pub max_length_ms: Option<i64>,
    /// Who gives way to whom.
    pub priority: Priority,
    /// Whether the rest of a cut item is played when its time is not over.
    pub resume: bool,
    /// Gain in dB.
    pub gain_db: f64,
    /// The stations or groups meant; absent: all.
    pub stations: Option<Vec<String>>,
    /// Where it stands.
    pub span: Span,
}

/// Slots named by a special day.
#[derive(Clone, Debug)]
pub enum Skip {
    /// Every slot of this list.
    All,
    /// These; the local list may name others'.
    Slots(Vec<Ref>),
}

/// Dates on which slots do not take place.
#[derive(Clone, Debug)]
pub struct SpecialDay {
    /// The dates.
    pub dates: Vec<NaiveDate>,
    /// What is skipped.
    pub skip: Skip,
    /// The stations or groups meant; absent: all.
    pub stations: Option<Vec<String>>,
    /// Where it stands.
    pub span: Span,
}

/// What a withdrawal takes back.
#[derive(Clone, Debug)]
pub enum Withdrawn {
    /// A clip, wherever it plays.
    Clip(Ref),
    /// An offer.
    Offer(Ref),
    /// A slot.
    Slot(Ref),
    /// An emergency.
    Emergency(Ref),
}

/// Something taken back, at once (rule R5: a source its own; the local list anybody's).
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// What.
    pub what: Withdrawn,
    /// From when; absent: since the list came into force.
    pub at: Option<Wall>,
    /// Who decided.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// An announcement that interrupts (rule R4).
#[derive(Clone, Debug)]
pub struct Emergency {
    /// Unique within the list.
    pub id: Arc<str>,
    /// The clip.
    pub clip: Ref,
    /// First moment.
    pub from: Wall,
    /// No sounding is planned at or after this.
    pub until: Wall,
    /// Soundings in a round, 1 or more.
    pub repeat: u32,
    /// Silence between two soundings of a round, milliseconds.
    pub gap_ms: i64,
    /// From the start of one round to that of the next, milliseconds; absent: one round.
    pub every_ms: Option<i64>,
    /// The stations or groups meant; absent: all.
    pub stations: Option<Vec<String>>,
    /// When its urgent list came into force; none: with its list.
    pub since: Option<Wall>,
    /// Where it stands.
    pub span: Span,
}

/// A group of stations.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name, usable wherever `stations` stands.
    pub name: String,
    /// The station ids in it.
    pub stations: Vec<String>,
}

/// A whole list.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The id the publisher gives itself; none in `local.toml`.
    pub source: Option<Arc<str>>,
    /// Format number of a published list.
    pub format: Option<u64>,
    /// Serial number of a published list (rule R12).
    pub serial: Option<u64>,
    /// When it was published.
    pub issued_at: Option<Wall>,
    /// From when on its clips may no longer air.
    pub expires_at: Option<Wall>,
    /// Whether it is the urgent list that stands beside a source's list.
    pub urgent: bool,
    /// The stations or groups meant; absent: all.
    pub stations: Option<Vec<String>>,
    /// Names for sets of stations.
    pub groups: Vec<Group>,
    /// Campaigns.
    pub campaigns: Vec<Campaign>,
    /// Clips.
    pub clips: Vec<Clip>,
    /// Rotations.
    pub rotations: Vec<Rotation>,
    /// Offers.
    pub offers: Vec<Offer>,
    /// Slots.
    pub slots: Vec<Slot>,
    /// Special days.
    pub special_days: Vec<SpecialDay>,
    /// Withdrawals.
    pub withdrawals: Vec<Withdrawal>,
    /// Emergencies.
    pub emergencies: Vec<Emergency>,
}

impl List {
    /// Whether an entry with these `stations` is meant for `station`: by its id or by a group of this list.
    pub fn is_for(&self, stations: &Option<Vec<String>>, station: &str) -> bool {
        stations.as_ref().is_none_or(|names| {
            names.iter().any(|name| {
                name == station
                    || self.groups.iter().any(|g| g.name == *name && g.stations.iter().any(|s| s == station))
            })
        })
    }

    /// This list with what an urgent list of the same source adds to it from `since` on: emergencies, where one of
    /// the same id gives way, withdrawals, and clips. A clip whose id stands for other audio here gets another id.
    pub fn with_urgent(&self, urgent: &List, since: Wall) -> List {
        let mut whole = self.clone();
        let other_id = |id: &Arc<str>| match self.clip(id) {
            Some(known) if urgent.clip(id).is_some_and(|c| c.sha256 != known.sha256) => format!("{id}.khan").into(),
            _ => id.clone(),
        };
        for clip in &urgent.clips {
            let id = other_id(&clip.id);
            if whole.clip(&id).is_none() {
                whole.clips.push(Clip { id, ..clip.clone() });
            }
        }
        for emergency in &urgent.emergencies {
            let mut emergency = Emergency { since: Some(since), ..emergency.clone() };
            if emergency.clip.source.is_none() || emergency.clip.source == urgent.source {
                emergency.clip.id = other_id(&emergency.clip.id);
            }
            whole.emergencies.retain(|e| e.id != emergency.id);
            whole.emergencies.push(emergency);
        }
        let taken = urgent.withdrawals.iter().cloned();
        whole.withdrawals.extend(taken.map(|w| Withdrawal { at: Some(w.at.unwrap_or(since).max(since)), ..w }));
        whole.groups.extend(urgent.groups.iter().cloned());
        let new = urgent.campaigns.iter().filter(|c| !self.campaigns.iter().any(|k| k.id == c.id));
        whole.campaigns.extend(new.cloned());
        whole
    }

    /// This list with all of it taken back, since it came into force: what there is to say of a list whose key is in
    /// other hands. What it takes back itself does not count; it goes on making rows, as an expired one does.
    pub fn withdrawn(&self) -> List {
        let own = |id: &Arc<str>, span: &Span| Ref { source: None, id: id.clone(), span: span.clone() };
        let clips = self.clips.iter().map(|c| Withdrawn::Clip(own(&c.id, &c.span)));
        let slots = self.slots.iter().map(|s| Withdrawn::Slot(own(&s.id, &s.span)));
        let offers = self.offers.iter().map(|o| Withdrawn::Offer(own(&o.id, &o.span)));
        let emergencies = self.emergencies.iter().map(|e| Withdrawn::Emergency(own(&e.id, &e.span)));
        let all = clips.chain(slots).chain(offers).chain(emergencies);
        let back = |what| Withdrawal { what, at: None, by: None, why: None, span: 0..0 };
        List { withdrawals: all.map(back).collect(), ..self.clone() }
    }

    /// Of a withdrawn urgent list, what touches nothing of its source's list: a forged one must not take that back.
    pub fn beside(&self, list: &List) -> List {
        let known = |id: &str| list.emergencies.iter().any(|e| *e.id == *id);
        let own = |what: &Withdrawn| match what {
            Withdrawn::Emergency(r) => !known(&r.id),
            Withdrawn::Clip(r) => list.clip(&r.id).is_none(),
            Withdrawn::Offer(_) | Withdrawn::Slot(_) => false,
        };
        let mut beside = self.clone();
        beside.emergencies.retain(|e| !known(&e.id));
        beside.withdrawals.retain(|w| own(&w.what));
        beside
    }

    /// Of a withdrawn list, all but the clips that its source's urgent list brings as well: that one vouches for them.
    pub fn withdrawn_but(&self, urgent: &List) -> List {
        let vouched = |id: &str| {
            let same = |own: &Clip, other: &Clip| own.sha256.is_some() && own.sha256 == other.sha256;
            self.clip(id).zip(urgent.clip(id)).is_some_and(|(own, other)| same(own, other))
        };
        let mut list = self.clone();
        list.withdrawals.retain(|w| !matches!(&w.what, Withdrawn::Clip(r) if vouched(&r.id)));
        list
    }

    /// The clip of this id.
    pub fn clip(&self, id: &str) -> Option<&Clip> {
        self.clips.iter().find(|c| *c.id == *id)
    }
}
