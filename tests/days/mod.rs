//! Random days: a station, its lists, and what happens to them. Made from a seed, the same on every machine.
#![allow(dead_code, clippy::unwrap_used)] // shared by tests that use parts

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use loaxa::domain::airing::Reason;
use loaxa::domain::config::{Config, read_config};
use loaxa::domain::playlist::{Form, List, read_list};
use loaxa::domain::schedule::{InForce, Programme};
use loaxa::domain::simulate::{Incident, Rehearsal};
use loaxa::domain::stage::Absence;
use loaxa::domain::time::{ClockState, HOUR_MS, MINUTE_MS, SECOND_MS, Wall, Zone};

/// A generator of numbers, the same for the same seed on every machine (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from) as u64) as i64
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// What a row must answer to, by slot.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    pub late_ms: i64,
    pub wait_ms: i64,
    pub resume: bool,
    pub relay_ms: Option<i64>,
}

/// A world to be played through.
pub struct Case {
    pub programme: Arc<Programme>,
    pub rehearsal: Rehearsal,
    /// What was in force, and since when: by true time.
    pub versions: Vec<(Wall, Arc<Programme>)>,
    pub bounds: HashMap<String, Bounds>,
    pub steps: bool,
    pub stalls: bool,
    pub unknown: bool,
    pub device: bool,
    pub told: String,
}

/// A list as somebody writes it: in parts, so that it can be edited.
#[derive(Clone, Default)]
pub struct Sheet {
    pub head: String,
    pub clips: Vec<(String, String)>,
    pub fixed: String,
    /// Id, when it starts, the rest.
    pub slots: Vec<(String, String, String)>,
    pub emergencies: Vec<(String, String)>,
    pub withdrawals: Vec<String>,
    pub expires_at: Option<Wall>,
}

impl Sheet {
    pub fn text(&self) -> String {
        let mut text = self.head.clone();
        self.clips.iter().for_each(|(_, clip)| text.push_str(clip));
        text.push_str(&self.fixed);
        for (id, when, rest) in &self.slots {
            let _ = write!(text, "[[slots]]\nid = \"{id}\"\n{when}\n{rest}");
        }
        self.emergencies.iter().for_each(|(_, emergency)| text.push_str(emergency));
        self.withdrawals.iter().for_each(|withdrawal| text.push_str(withdrawal));
        text
    }

    pub fn list(&self, source: &str) -> List {
        let form = if source == "local" { Form::Local } else { Form::Handwritten };
        let text = self.text();
        let reading = read_list(text.as_bytes(), form);
        let mut list = reading.value.unwrap_or_else(|| panic!("{:#?}\n{text}", reading.findings));
        list.expires_at = self.expires_at;
        list
    }
}

pub struct Maker {
    pub dice: Dice,
    pub day: String,
    pub zone: Zone,
    pub midnight: Wall,
    pub slots: usize,
    pub emergencies: usize,
    pub bounds: HashMap<String, Bounds>,
    /// Where sessions start: near there is most to break.
    pub starts: Vec<Wall>,
}

impl Maker {
    pub fn clip(&mut self, id: &str, kind: &str) -> String {
        let ms = *self.dice.pick(&[700, 4_000, 15_000, 15_000, 30_500, 61_000, 180_000, 600_000]);
        let priority = *self.dice.pick(&["normal", "normal", "priority", "emergency"]);
        let approval = if self.dice.one_in(12) { "" } else { "approved_by = \"A\"\napproved_at = \"2022-01-01\"\n" };
        format!(
            "[[clips]]\nid = \"{id}\"\nfile = \"{id}.mp3\"\ntitle = \"{id}\"\nkind = \"{kind}\"\nduration_ms = {ms}\n\
             priority = \"{priority}\"\n{approval}"
        )
    }

    /// Times of day huddle together, so that sessions meet.
    pub fn time(&mut self) -> String {
        let hour = *self.dice.pick(&[4, 5, 5, 5, 5, 6, 11, 17, 20, 20, 23, 0]);
        let minute = *self.dice.pick(&[0, 0, 15, 29, 30, 30, 30, 31, 45, 58, 59]);
        let second = *self.dice.pick(&[0, 0, 0, 0, 1, 30, 59]);
        self.starts.push(self.midnight + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS);
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    /// When a session starts.
    pub fn when(&mut self) -> String {
        if self.dice.one_in(8) {
            let (minutes, hours) = (*self.dice.pick(&[7, 10, 20]), *self.dice.pick(&["5", "5-6", "20-21"]));
            format!("cron = \"*/{minutes} {hours} * * *\"")
        } else if self.dice.one_in(6) {
            let time = self.time();
            format!("at = \"{}T{time}\"", self.day)
        } else {
            format!("at = \"{}\"", self.time())
        }
    }

    /// Just before or just after a moment: a session moved while its plan is being made, or is made already.
    pub fn when_near(&mut self, at: Wall) -> String {
        let by = *self.dice.pick(&[-3_600, -90, -5, 0, 1, 20, 59, 60, 61, 120, 600, 7_200]);
        let start = at + by * SECOND_MS;
        self.starts.push(Wall(start.0.div_euclid(SECOND_MS) * SECOND_MS));
        let local = self.zone.local(start);
        if self.dice.one_in(2) {
            format!("at = \"{}\"", local.format("%H:%M:%S"))
        } else {
            format!("at = \"{}\"", local.format("%Y-%m-%dT%H:%M:%S"))
        }
    }

    pub fn items(&mut self, source: &str) -> String {
        let names = ["nhac", "a", "b", "c", "tinh/td"];
        let count = 1 + self.dice.below(6);
        let items: Vec<String> = (0..count)
            .map(|_| match self.dice.below(10) {
                0 | 1 if source == "local" => "{ offers = \"priority\" }".to_owned(),
                2 if source == "local" => "{ offer = \"tinh/of\" }".to_owned(),
                3 => "{ rotation = \"tinh/vong\" }".to_owned(),
                4 => format!("\"{}/khong-co\"", if source == "local" { "tinh" } else { "huyen" }),
                _ => format!("\"{}\"", self.dice.pick(&names)),
            })
            .collect();
        format!("items = [{}]\n", items.join(", "))
    }

    pub fn slot(&mut self, source: &str) -> (String, String, String) {
        let id = format!("s{}", self.slots);
        self.slots += 1;
        let mut bounds = Bounds { late_ms: 2 * MINUTE_MS, wait_ms: 5 * MINUTE_MS, ..Bounds::default() };
        let when = self.when();
        let mut text = String::new();
        if self.dice.one_in(5) {
            let length = *self.dice.pick(&[20 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS]);
            let _ = writeln!(text, "kind = \"relay\"\nlength = \"{}s\"", length / SECOND_MS);
            bounds.relay_ms = Some(length);
        } else {
            text.push_str(&self.items(source));
            let _ = writeln!(text, "start = \"{}\"", self.dice.pick(&["hard", "soft"]));
            let _ = writeln!(text, "priority = \"{}\"", self.dice.pick(&["normal", "normal", "priority", "emergency"]));
            if self.dice.one_in(2) {
                bounds.late_ms = *self.dice.pick(&[0, 1_000, 30_000, 600_000]);
                bounds.wait_ms = *self.dice.pick(&[0, 1_000, 30_000, 600_000]);
                let _ = writeln!(text, "late = \"{}ms\"\nwait_up_to = \"{}ms\"", bounds.late_ms, bounds.wait_ms);
            }
            if self.dice.one_in(4) {
                bounds.resume = true;
                text.push_str("resume = true\n");
            }
            if self.dice.one_in(5) {
                let _ = writeln!(text, "max_length = \"{}s\"", self.dice.pick(&[20, 60, 300]));
            }
        }
        self.bounds.insert(format!("{source}/{id}"), bounds);
        (id, when, text)
    }

    pub fn instant(&mut self) -> Wall {
        // Where sessions huddle there is more to break.
        if !self.starts.is_empty() && self.dice.one_in(3) {
            let start = *self.dice.pick(&self.starts);
            let off = [-61_000, -60_001, -60_000, -59_999, -20_000, -1_000, -1, 0, 1, 500, 999, 1_000, 4_001, 120_000];
            return start + *self.dice.pick(&off);
        }
        let hour = *self.dice.pick(&[0, 4, 5, 5, 5, 5, 5, 6, 11, 17, 20, 21, 23]);
        self.midnight + hour * HOUR_MS + self.dice.between(0, HOUR_MS)
    }

    pub fn emergency(&mut self, id: Option<String>, from: Wall) -> (String, String) {
        let id = id.unwrap_or_else(|| {
            self.emergencies += 1;
            format!("e{}", self.emergencies)
        });
        let length = self.dice.between(1, 4 * HOUR_MS);
        let mut text = format!(
            "[[emergencies]]\nid = \"{id}\"\nclip = \"{}\"\nfrom = \"{}\"\nuntil = \"{}\"\nrepeat = {}\ngap = \"{}s\"\n",
            self.dice.pick(&["a", "b"]),
            self.zone.rfc3339(from),
            self.zone.rfc3339(from + length),
            1 + self.dice.below(3),
            self.dice.pick(&[0, 1, 10, 60]),
        );
        if self.dice.one_in(2) {
            let _ = writeln!(text, "every = \"{}s\"", self.dice.pick(&[10, 60, 600, 1800]));
        }
        (id, text)
    }

    /// Takes something back: at a moment, or at once when the list says none.
    pub fn withdrawal(&mut self, sheet: &Sheet, near: Option<Wall>) -> String {
        let mut targets = vec!["clip = \"a\"".to_owned(), "clip = \"td\"".to_owned()];
        targets.extend(sheet.slots.iter().map(|(id, ..)| format!("slot = \"{id}\"")));
        targets.extend(sheet.emergencies.iter().map(|(id, _)| format!("emergency = \"{id}\"")));
        if sheet.head.contains("tinh") {
            targets.push("offer = \"of\"".into());
        }
        let what = self.dice.pick(&targets).clone();
        let at = match near {
            Some(_) if self.dice.one_in(2) => String::new(),
            Some(now) if self.dice.one_in(2) => {
                let by = *self.dice.pick(&[-3_600_000, -1_000, 0, 1_000, 30_000, 600_000]);
                format!("at = \"{}\"\n", self.zone.rfc3339(now + by))
            }
            _ => {
                let at = self.instant();
                format!("at = \"{}\"\n", self.zone.rfc3339(at))
            }
        };
        format!("[[withdrawals]]\n{what}\n{at}")
    }

    pub fn sheet(&mut self, source: &str) -> Sheet {
        let mut sheet = Sheet::default();
        if source != "local" {
            sheet.head = format!("source = \"{source}\"\n");
        }
        sheet.clips.push(("nhac".into(), self.clip("nhac", "nhac_hieu")));
        for id in ["a", "b", "c", "td"] {
            let kind = *self.dice.pick(&["ban_tin", "thong_diep"]);
            sheet.clips.push((id.into(), self.clip(id, kind)));
        }
        if source == "tinh" {
            let text = &mut sheet.fixed;
            text.push_str("[[rotations]]\nid = \"vong\"\nclips = [\"a\", \"b\", \"c\"]\nfrom = \"2022-03-20\"\n");
            for id in ["of", "of2"] {
                let _ = write!(
                    text,
                    "[[offers]]\nid = \"{id}\"\nitems = [\"td\", {{ rotation = \"vong\" }}]\npriority = \"priority\"\n"
                );
                if self.dice.one_in(2) {
                    text.push_str("sessions_per_day = 2\n");
                }
            }
        }
        for _ in 0..self.dice.below(if source == "local" { 7 } else { 3 }) {
            let slot = self.slot(source);
            sheet.slots.push(slot);
        }
        if self.dice.one_in(2) {
            for _ in 0..1 + self.dice.below(2) {
                let from = self.instant();
                sheet.emergencies.push(self.emergency(None, from));
            }
        }
        if self.dice.one_in(3) {
            let withdrawal = self.withdrawal(&sheet, None);
            sheet.withdrawals.push(withdrawal);
        }
        if source != "local" && self.dice.one_in(6) {
            sheet.expires_at = Some(self.instant());
        }
        sheet
    }

    /// Somebody edits a list at a moment.
    pub fn edit(&mut self, source: &str, sheet: &mut Sheet, at: Wall) {
        let slot = (!sheet.slots.is_empty()).then(|| self.dice.below(sheet.slots.len() as u64) as usize);
        let emergency =
            (!sheet.emergencies.is_empty()).then(|| self.dice.below(sheet.emergencies.len() as u64) as usize);
        match (self.dice.below(12), slot, emergency) {
            (0 | 1, Some(slot), _) => sheet.slots[slot].1 = self.when_near(at),
            (2, Some(slot), _) => {
                sheet.slots.remove(slot);
            }
            (3, ..) => {
                let mut slot = self.slot(source);
                slot.1 = self.when_near(at);
                sheet.slots.push(slot);
            }
            (4, Some(slot), _) if sheet.slots[slot].2.contains("items = ") => {
                let items = self.items(source);
                let lines = sheet.slots[slot].2.lines();
                let rest: String = lines.filter(|l| !l.starts_with("items")).map(|l| format!("{l}\n")).collect();
                sheet.slots[slot].2 = format!("{items}{rest}");
            }
            (5 | 6, ..) => {
                let withdrawal = self.withdrawal(sheet, Some(at));
                sheet.withdrawals.push(withdrawal);
            }
            (7, ..) => {
                let by = *self.dice.pick(&[-600_000, -1_000, 0, 1_000, 30_000, 600_000]);
                let emergency = self.emergency(None, at + by);
                sheet.emergencies.push(emergency);
            }
            (8, _, Some(emergency)) => {
                let (id, _) = sheet.emergencies.remove(emergency);
                if self.dice.one_in(2) {
                    // Another one under the same id.
                    let by = *self.dice.pick(&[-600_000, -1_000, 0, 700, 30_000]);
                    let again = self.emergency(Some(id), at + by);
                    sheet.emergencies.push(again);
                }
            }
            (9, ..) => {
                let clip = self.dice.below(sheet.clips.len() as u64) as usize;
                let id = sheet.clips[clip].0.clone();
                let kind = if id == "nhac" { "nhac_hieu" } else { "ban_tin" };
                sheet.clips[clip].1 = self.clip(&id, kind);
            }
            (10, ..) if !sheet.withdrawals.is_empty() => {
                sheet.withdrawals.pop();
            }
            _ => *sheet = self.sheet(source),
        }
        // What is gone cannot be taken back by name.
        let there = |w: &String| {
            let what = w.lines().nth(1).unwrap_or_default();
            let id = what.split('"').nth(1).unwrap_or_default();
            match what.split(' ').next() {
                Some("slot") => sheet.slots.iter().any(|(s, ..)| s == id),
                Some("emergency") => sheet.emergencies.iter().any(|(e, _)| e == id),
                _ => true,
            }
        };
        let stay: Vec<String> = sheet.withdrawals.iter().filter(|w| there(w)).cloned().collect();
        sheet.withdrawals = stay;
    }
}

pub fn config_of(dice: &mut Dice, zone: Zone, day: &str) -> (Config, String) {
    let (from, to) = *dice.pick(&[("21:00", "05:00"), ("21:00", "05:00"), ("22:10", "04:30"), ("20:31", "05:31")]);
    let mut text = format!(
        "[station]\nid = \"xa\"\nname = \"X\"\ntimezone = \"{}\"\n[[source]]\nid = \"tinh\"\norigin = \"{}\"\nurl = \"http://a/\"\n\
         public_keys = [\"RWSiHO5ysL3Y1Impfpb3VMAGOUY3VQsl9QZnf5AB+lH6FNdq/6Oc79+b\"]\nemergency = {}\nslots = {}\n[local]\n\
         playlist = \"l\"\nclips = \"c\"\nemergency = {}\n[output]\ndevice = \"null\"\n[quiet_hours]\nfrom = \"{from}\"\nto = \"{to}\"\n\
         shorter_by = \"1\"\n",
        zone.name(),
        dice.pick(&["tinh", "xa"]),
        dice.one_in(2),
        !dice.one_in(5),
        dice.one_in(2),
    );
    if dice.one_in(3) {
        text.push_str("[[quiet_also]]\nfrom = \"05:40\"\nto = \"05:44\"\n");
    }
    if dice.one_in(4) {
        let _ = writeln!(text, "[[quiet_open]]\ndate = \"{day}\"\nfrom = \"23:30\"\nto = \"00:30\"\nby = \"A\"");
    }
    let reading = read_config(text.as_bytes(), true);
    (reading.value.unwrap_or_else(|| panic!("{:#?}\n{text}", reading.findings)), text)
}

/// What happens on a day: each once for the chance it has.
pub const EVERYTHING: &[u64] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
/// The same without clock steps.
pub const TRUE_CLOCK: &[u64] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// Only what people do: stop, resume, emergencies, plays, and audio that comes and goes.
pub const PEOPLE: &[u64] = &[4, 5, 6, 7, 8];

/// A day with everything in it, in half of the cases but for clock steps.
pub fn make(seed: u64) -> Case {
    let kinds = if seed.is_multiple_of(2) { EVERYTHING } else { TRUE_CLOCK };
    make_with(seed, kinds)
}

/// A day on which these kinds of things happen, and edits.
pub fn make_with(seed: u64, kinds: &[u64]) -> Case {
    let mut dice = Dice(seed);
    let (zone, day) = *dice.pick(&[
        ("Asia/Ho_Chi_Minh", "2022-10-05"),
        ("Asia/Ho_Chi_Minh", "2022-10-05"),
        ("Asia/Ho_Chi_Minh", "2024-02-29"),
        ("Asia/Ho_Chi_Minh", "2022-12-31"),
        ("Europe/Berlin", "2022-03-27"),
        ("Europe/Berlin", "2022-10-30"),
    ]);
    let zone = Zone::by_name(zone).unwrap();
    let (config, config_text) = config_of(&mut dice, zone, day);
    let mut config = Arc::new(config);
    let midnight = zone.midnight(day.parse().unwrap());
    let (bounds, starts) = (HashMap::new(), Vec::new());
    let mut maker = Maker { dice, day: day.into(), zone, midnight, slots: 0, emergencies: 0, bounds, starts };
    let from = midnight + if maker.dice.one_in(2) { 0 } else { maker.dice.between(0, 6 * HOUR_MS) };
    let to = midnight + if maker.dice.one_in(2) { 24 * HOUR_MS } else { 30 * HOUR_MS };
    let mut told = config_text;
    let mut sheets: BTreeMap<&str, Sheet> = BTreeMap::new();
    let mut lists: BTreeMap<&str, InForce> = BTreeMap::new();
    for source in ["local", "tinh"] {
        let sheet = maker.sheet(source);
        if source == "local" || !maker.dice.one_in(4) {
            // Else the list from above comes later, or never.
            let _ = write!(told, "\n--- {source}\n{}", sheet.text());
            let list = Arc::new(sheet.list(source));
            lists.insert(source, InForce { source: source.into(), list, since: from });
        }
        sheets.insert(source, sheet);
    }
    let programme = |config: &Arc<Config>, lists: &BTreeMap<&str, InForce>| {
        Arc::new(Programme::new(config.clone(), &lists.values().cloned().collect::<Vec<_>>()).unwrap())
    };
    let first = programme(&config, &lists);
    let mut case = Case {
        versions: vec![(from, first.clone())],
        programme: first,
        rehearsal: Rehearsal { from, to, incidents: Vec::new(), clock: ClockState::Synced },
        bounds: HashMap::new(),
        steps: false,
        stalls: false,
        unknown: false,
        device: false,
        told: String::new(),
    };
    let mut moments: Vec<Wall> = (0..maker.dice.below(9)).map(|_| maker.instant().max(from)).collect();
    moments.sort();
    let mut wrong_boot = false;
    for at in moments {
        let dice = &mut maker.dice;
        let until = at + *dice.pick(&[1, 400, 5_000, 61_000, 600_000, 3_600_000, 20_000_000]) + dice.between(0, 1_000);
        let mut kind = *dice.pick(kinds);
        let away = |(_, i): &(Wall, Incident)| matches!(i, Incident::Away(..) | Incident::Stall(_));
        if (kind == 13 && case.rehearsal.incidents.iter().any(away)) || (wrong_boot && (kind <= 2 || kind >= 11)) {
            // The one boot with a wrong clock stays apart from other absences: what it steps, it steps back.
            kind = 5;
        }
        wrong_boot |= kind == 13;
        let incident = match kind {
            0 => Incident::Away(Absence::PowerOff, until),
            1 => Incident::Away(Absence::Crashed, until),
            2 => Incident::Away(Absence::ShutDown, until),
            3 => {
                case.device = true;
                case.rehearsal.incidents.push((until, Incident::DeviceBack));
                Incident::DeviceLost
            }
            4 => Incident::Stop {
                for_ms: if dice.one_in(2) { Some(until - at) } else { None },
                but_emergency: dice.one_in(2),
            },
            5 => Incident::Resume,
            6 => Incident::Emergency {
                clip: dice.pick(&["local/a", "local/b", "tinh/td"]).to_string(),
                for_ms: until - at,
                every_ms: if dice.one_in(2) { Some(*dice.pick(&[10_000, 60_000, 600_000])) } else { None },
            },
            7 => {
                let clip = dice.pick(&["local/a", "local/nhac", "tinh/td", "tinh/a"]).to_string();
                if dice.one_in(2) {
                    case.rehearsal.incidents.push((until, Incident::ClipBack(clip.clone())));
                }
                Incident::Clip(clip, *dice.pick(&[Reason::ClipMissing, Reason::ClipBad]))
            }
            8 | 9 => Incident::Play(dice.pick(&["local/a", "local/b", "tinh/td"]).to_string()),
            10 => {
                case.rehearsal.incidents.push((until, Incident::HookWorks));
                Incident::HookFails
            }
            11 => {
                case.stalls = true;
                Incident::Stall(until)
            }
            12 => {
                case.unknown = true;
                case.rehearsal.incidents.push((until, Incident::Clock(ClockState::Synced)));
                Incident::Clock(ClockState::Unknown)
            }
            13 => {
                case.steps = true;
                case.unknown = true;
                let away = *dice.pick(&[-50 * 365 * 24 * HOUR_MS, -3 * HOUR_MS, 5 * HOUR_MS]);
                let step_ms = away + dice.between(-1000, 1000);
                let incidents = &mut case.rehearsal.incidents;
                incidents.push((at, Incident::NextBoot { step_ms, clock: ClockState::Unknown }));
                incidents.push((until + 90_000, Incident::ClockStep(-step_ms)));
                incidents.push((until + 90_001, Incident::Clock(ClockState::Synced)));
                Incident::Away(Absence::PowerOff, until)
            }
            _ => {
                case.steps = true;
                let size = *dice.pick(&[700, 3_000, 90_000, 1_800_000, 7_200_000, 40_000_000]);
                Incident::ClockStep(if dice.one_in(2) { size } else { -size })
            }
        };
        case.rehearsal.incidents.push((at, incident));
    }
    // Edits come to a box that runs, and mostly where something is about to happen.
    let mut edits: Vec<Wall> = (0..maker.dice.below(5)).map(|_| maker.instant().max(from + 1)).collect();
    let away: Vec<(Wall, Wall)> = case
        .rehearsal
        .incidents
        .iter()
        .filter_map(|(at, i)| match i {
            Incident::Away(_, back) | Incident::Stall(back) => Some((*at, *back)),
            _ => None,
        })
        .collect();
    for _ in &away {
        for edit in &mut edits {
            if let Some((_, back)) = away.iter().find(|(gone, back)| *gone <= *edit && *edit <= *back) {
                *edit = *back + 1;
            }
        }
    }
    edits.sort();
    for at in edits {
        let stepped: i64 = case
            .rehearsal
            .incidents
            .iter()
            .filter_map(|(when, i)| match i {
                Incident::ClockStep(ms) if *when < at => Some(*ms),
                _ => None,
            })
            .sum();
        // What the box's own clock shows.
        let shown = at + if wrong_boot { 0 } else { stepped };
        if maker.dice.one_in(4) {
            let (other, text) = config_of(&mut maker.dice, zone, day);
            let _ = write!(told, "\n--- config from {}\n{text}", zone.rfc3339(at));
            config = Arc::new(other);
        } else {
            let source = *maker.dice.pick(&["local", "local", "tinh"]);
            let sheet = sheets.get_mut(source).unwrap();
            if lists.contains_key(source) {
                maker.edit(source, sheet, shown);
            }
            let _ = write!(told, "\n--- {source} from {}\n{}", zone.rfc3339(at), sheet.text());
            let list = Arc::new(sheet.list(source));
            lists.insert(source, InForce { source: source.into(), list, since: shown });
        }
        let other = programme(&config, &lists);
        case.versions.push((at, other.clone()));
        case.rehearsal.incidents.push((at, Incident::Programme(other)));
    }
    for (at, incident) in &case.rehearsal.incidents {
        let said = match incident {
            Incident::Programme(_) => "Programme".into(),
            other => format!("{other:?}"),
        };
        let _ = writeln!(told, "{} {said}", zone.rfc3339(*at));
    }
    case.bounds = maker.bounds;
    case.told = told;
    case
}
