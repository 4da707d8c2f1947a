//! What holds whatever the world does: random days with sessions that overlap, relay windows, emergencies, offers,
//! withdrawals, stops, lost devices, clock steps, new lists, power cuts and crashes at arbitrary milliseconds, played
//! through by the rehearsal. A failing case prints its seed: `LOAXA_SEED=N cargo test --test properties` plays it
//! again. `LOAXA_CASES` sets how many are tried.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use loaxa::domain::airing::{Airing, Entry, Kind, Reason, legal};
use loaxa::domain::config::{Config, read_config};
use loaxa::domain::playlist::{Form, List, read_list};
use loaxa::domain::schedule::{InForce, Programme};
use loaxa::domain::simulate::{Incident, Rehearsal, Rehearsed, rehearse};
use loaxa::domain::stage::Absence;
use loaxa::domain::time::{ClockState, HOUR_MS, MINUTE_MS, SECOND_MS, Wall, Zone};

/// A generator of numbers, the same for the same seed on every machine (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from) as u64) as i64
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// What a row must answer to, by slot.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    late_ms: i64,
    wait_ms: i64,
    resume: bool,
    relay_ms: Option<i64>,
}

/// A world to be played through.
struct Case {
    programme: Arc<Programme>,
    rehearsal: Rehearsal,
    bounds: HashMap<String, Bounds>,
    passes_quiet: HashMap<String, bool>,
    steps: bool,
    stalls: bool,
    unknown: bool,
    device: bool,
    clip_lengths: HashMap<String, i64>,
    told: String,
}

struct Maker {
    dice: Dice,
    day: String,
    zone: Zone,
    midnight: Wall,
    slots: usize,
    bounds: HashMap<String, Bounds>,
    clip_lengths: HashMap<String, i64>,
}

impl Maker {
    fn clip(&mut self, source: &str, id: &str, kind: &str) -> String {
        let ms = *self.dice.pick(&[700, 4_000, 15_000, 15_000, 30_500, 61_000, 180_000, 600_000]);
        self.clip_lengths.insert(format!("{source}/{id}"), ms);
        let priority = *self.dice.pick(&["normal", "normal", "priority", "emergency"]);
        let approval = if self.dice.one_in(12) { "" } else { "approved_by = \"A\"\napproved_at = \"2022-01-01\"\n" };
        format!(
            "[[clips]]\nid = \"{id}\"\nfile = \"{id}.mp3\"\ntitle = \"{id}\"\nkind = \"{kind}\"\nduration_ms = {ms}\n\
             priority = \"{priority}\"\n{approval}"
        )
    }

    /// Times of day huddle together, so that sessions meet.
    fn time(&mut self) -> String {
        let hour = *self.dice.pick(&[4, 5, 5, 5, 5, 6, 11, 17, 20, 20, 23, 0]);
        let minute = *self.dice.pick(&[0, 0, 15, 29, 30, 30, 30, 31, 45, 58, 59]);
        let second = *self.dice.pick(&[0, 0, 0, 0, 1, 30, 59]);
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    fn slot(&mut self, source: &str, names: &[&str]) -> String {
        let id = format!("s{}", self.slots);
        self.slots += 1;
        let mut bounds = Bounds { late_ms: 2 * MINUTE_MS, wait_ms: 5 * MINUTE_MS, ..Bounds::default() };
        let mut text = format!("[[slots]]\nid = \"{id}\"\n");
        if self.dice.one_in(8) {
            let _ = writeln!(
                text,
                "cron = \"*/{} {} * * *\"",
                self.dice.pick(&[7, 10, 20]),
                self.dice.pick(&["5", "5-6", "20-21"])
            );
        } else if self.dice.one_in(6) {
            let time = self.time();
            let _ = writeln!(text, "at = \"{}T{time}\"", self.day);
        } else {
            let _ = writeln!(text, "at = \"{}\"", self.time());
        }
        if self.dice.one_in(5) {
            let length = *self.dice.pick(&[20 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS]);
            let _ = writeln!(text, "kind = \"relay\"\nlength = \"{}s\"", length / SECOND_MS);
            bounds.relay_ms = Some(length);
        } else {
            let count = 1 + self.dice.below(6);
            let items: Vec<String> = (0..count)
                .map(|_| match self.dice.below(10) {
                    0 | 1 if source == "local" => "{ offers = \"priority\" }".to_owned(),
                    2 if source == "local" => "{ offer = \"tinh/of\" }".to_owned(),
                    3 => "{ rotation = \"tinh/vong\" }".to_owned(),
                    4 => format!("\"{}/khong-co\"", if source == "local" { "tinh" } else { "huyen" }),
                    _ => format!("\"{}\"", self.dice.pick(names)),
                })
                .collect();
            let _ = writeln!(text, "items = [{}]", items.join(", "));
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
        text
    }

    fn instant(&mut self) -> Wall {
        // Where sessions huddle there is more to break.
        let hour = *self.dice.pick(&[0, 4, 5, 5, 5, 5, 5, 6, 11, 17, 20, 21, 23]);
        self.midnight + hour * HOUR_MS + self.dice.between(0, HOUR_MS)
    }

    fn moment(&mut self) -> String {
        let at = self.instant();
        self.zone.rfc3339(at)
    }

    fn list(&mut self, source: &str) -> (String, List) {
        let mut text = String::new();
        if source != "local" {
            let _ = writeln!(text, "source = \"{source}\"");
        }
        let names = ["nhac", "a", "b", "c", "tinh/td"];
        text.push_str(&self.clip(source, "nhac", "nhac_hieu"));
        for id in ["a", "b", "c", "td"] {
            let kind = *self.dice.pick(&["ban_tin", "thong_diep"]);
            text.push_str(&self.clip(source, id, kind));
        }
        if source == "tinh" {
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
            let slot = self.slot(source, &names);
            text.push_str(&slot);
        }
        if self.dice.one_in(2) {
            for id in 0..1 + self.dice.below(2) {
                let (from, length) = (self.instant(), self.dice.between(1, 4 * HOUR_MS));
                let _ = write!(
                    text,
                    "[[emergencies]]\nid = \"e{id}\"\nclip = \"{}\"\nfrom = \"{}\"\nuntil = \"{}\"\nrepeat = {}\ngap = \"{}s\"\n",
                    self.dice.pick(&["a", "b"]),
                    self.zone.rfc3339(from),
                    self.zone.rfc3339(from + length),
                    1 + self.dice.below(3),
                    self.dice.pick(&[0, 1, 10, 60]),
                );
                if self.dice.one_in(2) {
                    let _ = writeln!(text, "every = \"{}s\"", self.dice.pick(&[10, 60, 600, 1800]));
                }
            }
        }
        if self.dice.one_in(3) {
            let what = *self.dice.pick(&["clip = \"a\"", "clip = \"td\"", "slot = \"s0\"", "slot = \"s1\""]);
            let _ = writeln!(text, "[[withdrawals]]\n{what}\nat = \"{}\"", self.moment());
        }
        let form = if source == "local" { Form::Local } else { Form::Handwritten };
        let reading = read_list(text.as_bytes(), form);
        let mut list = reading.value.unwrap_or_else(|| panic!("{:#?}\n{text}", reading.findings));
        if source != "local" && self.dice.one_in(6) {
            list.expires_at = Some(self.instant());
        }
        (text, list)
    }
}

fn config(dice: &mut Dice, zone: Zone, day: &str) -> (Config, String) {
    let (from, to) = *dice.pick(&[("21:00", "05:00"), ("21:00", "05:00"), ("22:10", "04:30"), ("20:31", "05:31")]);
    let mut text = format!(
        "[station]\nid = \"xa\"\nname = \"X\"\ntimezone = \"{}\"\n[[source]]\nid = \"tinh\"\norigin = \"{}\"\nurl = \"http://a/\"\n\
         public_keys = [\"RWSiHO5ysL3Y1Impfpb3VMAGOUY3VQsl9QZnf5AB+lH6FNdq/6Oc79+b\"]\nemergency = {}\n[local]\n\
         playlist = \"l\"\nclips = \"c\"\nemergency = {}\n[output]\ndevice = \"null\"\n[quiet_hours]\nfrom = \"{from}\"\nto = \"{to}\"\n\
         shorter_by = \"1\"\n",
        zone.name(),
        dice.pick(&["tinh", "xa"]),
        dice.one_in(2),
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

fn make(seed: u64) -> Case {
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
    let (config, config_text) = config(&mut dice, zone, day);
    let config = Arc::new(config);
    let midnight = zone.midnight(day.parse().unwrap());
    let mut maker =
        Maker { dice, day: day.into(), zone, midnight, slots: 0, bounds: HashMap::new(), clip_lengths: HashMap::new() };
    let from = midnight + if maker.dice.one_in(2) { 0 } else { maker.dice.between(0, 6 * HOUR_MS) };
    let to = midnight + if maker.dice.one_in(2) { 24 * HOUR_MS } else { 30 * HOUR_MS };
    let mut told = config_text;
    let mut lists: BTreeMap<String, InForce> = BTreeMap::new();
    for source in ["local", "tinh"] {
        let (text, list) = maker.list(source);
        let _ = write!(told, "\n--- {source}\n{text}");
        lists.insert(source.into(), InForce { source: source.into(), list: Arc::new(list), since: from });
    }
    let programme = |lists: &BTreeMap<String, InForce>| {
        Arc::new(Programme::new(config.clone(), &lists.values().cloned().collect::<Vec<_>>()).unwrap())
    };
    let first = programme(&lists);
    let mut case = Case {
        programme: first,
        rehearsal: Rehearsal { from, to, incidents: Vec::new(), clock: ClockState::Synced },
        bounds: HashMap::new(),
        passes_quiet: HashMap::from([
            ("local".into(), config.local.as_ref().unwrap().emergency),
            ("tinh".into(), config.sources[0].emergency),
        ]),
        steps: false,
        stalls: false,
        unknown: false,
        device: false,
        clip_lengths: HashMap::new(),
        told: String::new(),
    };
    let mut moments: Vec<Wall> = (0..maker.dice.below(9)).map(|_| maker.instant().max(from)).collect();
    moments.sort();
    let with_steps = maker.dice.one_in(2);
    let mut wrong_boot = false;
    for at in moments {
        let dice = &mut maker.dice;
        let until = at + *dice.pick(&[1, 400, 5_000, 61_000, 600_000, 3_600_000, 20_000_000]) + dice.between(0, 1_000);
        let mut kind = dice.below(if with_steps { 15 } else { 12 });
        let away = |(_, i): &(Wall, Incident)| matches!(i, Incident::Away(..) | Incident::Stall(_));
        if (kind == 13 && case.rehearsal.incidents.iter().any(away)) || (wrong_boot && (kind <= 2 || kind >= 11)) {
            // The one boot with a wrong clock stays apart from other absences: what it steps, it steps back.
            kind = 5;
        }
        let is_away = |(from, i): &(Wall, Incident)| match i {
            Incident::Away(_, back) | Incident::Stall(back) => *from <= at && at <= *back,
            _ => false,
        };
        if kind == 6 && case.rehearsal.incidents.iter().any(is_away) {
            // A list comes into force on a box that runs.
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
            6 => {
                let source = if dice.one_in(2) { "local" } else { "tinh" };
                let (text, list) = maker.list(source);
                let _ = write!(told, "\n--- {source} from {}\n{text}", zone.rfc3339(at));
                lists.insert(source.into(), InForce { source: source.into(), list: Arc::new(list), since: at });
                Incident::Programme(programme(&lists))
            }
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
    for (at, incident) in &case.rehearsal.incidents {
        let said = match incident {
            Incident::Programme(_) => "Programme".into(),
            other => format!("{other:?}"),
        };
        let _ = writeln!(told, "{} {said}", zone.rfc3339(*at));
    }
    case.bounds = maker.bounds;
    case.clip_lengths = maker.clip_lengths;
    case.told = told;
    case
}

fn wall(text: &str) -> Wall {
    Wall::parse_rfc3339(text).unwrap()
}

fn check(case: &Case, rows: &[Rehearsed]) -> Result<(), String> {
    let mut planned: BTreeMap<String, Wall> = BTreeMap::new();
    let mut airings: BTreeMap<String, &Airing> = BTreeMap::new();
    let mut last = Wall(i64::MIN);
    for row in rows {
        if !case.steps && row.recorded_at < last {
            return Err("rows go back in time".into());
        }
        last = row.recorded_at;
        match &row.entry {
            Entry::Session(session) => {
                for item in &session.items {
                    if planned.insert(item.airing_id.clone(), wall(&item.planned_at)).is_some() {
                        return Err(format!("{} is planned twice", item.airing_id));
                    }
                }
            }
            Entry::Airing(a) => {
                if airings.insert(a.airing_id.clone(), a).is_some() {
                    return Err(format!("{} has two rows", a.airing_id));
                }
            }
            Entry::Event(_) => {}
        }
    }
    for (id, at) in &planned {
        match airings.get(id) {
            None if *at < case.rehearsal.to => return Err(format!("{id} has no row")),
            Some(a) if wall(&a.planned_at) != *at => return Err(format!("{id} changed its planned time")),
            _ => {}
        }
    }
    let quiet = &case.programme.quiet;
    let mut spans: Vec<(Wall, Wall, String)> = Vec::new();
    for (id, a) in &airings {
        if !legal(a.outcome, a.reason) {
            return Err(format!("{id} may not be {:?} {:?}", a.outcome, a.reason));
        }
        if a.kind != Kind::Manual && !planned.contains_key(id) {
            return Err(format!("{id} was never planned"));
        }
        if a.outcome.begun() != a.started_at.is_some() {
            return Err(format!("{id} is {:?} but started {:?}", a.outcome, a.started_at));
        }
        if !(case.steps || case.stalls) && a.reason == Some(Reason::Late) {
            return Err(format!("{id} is late for no reason"));
        }
        let Some(started) = a.started_at.as_deref().map(wall) else { continue };
        let ended = wall(a.ended_at.as_deref().ok_or(format!("{id} began and never ended"))?);
        let due = wall(&a.planned_at);
        // A step back of less than a second lets a seam win: the next item follows without a gap.
        let early = if case.steps { SECOND_MS - 1 } else { 0 };
        if started + early < due {
            return Err(format!("{id} began before its time"));
        }
        let source = a.slot_source.clone().unwrap_or_default();
        let length = a.clip_ms.unwrap_or(0);
        let late = (started - due).max(0);
        match a.kind {
            Kind::Scheduled => {
                let slot = format!("{source}/{}", a.slot_id.clone().unwrap_or_default());
                let bounds = case.bounds.get(&slot).copied().ok_or(format!("{slot} is unknown"))?;
                let window = bounds.late_ms.max(bounds.wait_ms);
                let inside = bounds.resume || case.device;
                let most = if inside { window + length.max(SECOND_MS) } else { window + SECOND_MS - 1 };
                if late > most {
                    return Err(format!("{id} began {late} ms late, {most} at most"));
                }
            }
            Kind::Relay => {
                let slot = format!("{source}/{}", a.slot_id.clone().unwrap_or_default());
                let window = case.bounds[&slot].relay_ms.unwrap_or(0);
                if late >= window {
                    return Err(format!("{id} began {late} ms late in a window of {window}"));
                }
            }
            Kind::Emergency => {
                if a.position != Some(1) && late >= SECOND_MS && !case.device {
                    return Err(format!("{id} began {late} ms late"));
                }
            }
            Kind::Manual => {}
        }
        if case.steps {
            continue;
        }
        let passes = a.kind == Kind::Emergency && case.passes_quiet[&source];
        let whole = ended - started == a.played_ms || a.kind == Kind::Relay;
        if !passes {
            let inside = if whole {
                quiet.between(started, ended).into_iter().any(|(from, until)| from < ended && started < until)
            } else {
                quiet.quiet_until(started).is_some() || quiet.quiet_until(ended + -1).is_some()
            };
            if inside {
                return Err(format!("{id} sounds in quiet hours"));
            }
        }
        if a.played_ms > ended - started || (a.kind != Kind::Relay && a.played_ms > length) {
            return Err(format!("{id} played {} ms of {length} between {started:?} and {ended:?}", a.played_ms));
        }
        if whole {
            for (from, incident) in case.rehearsal.incidents.iter().filter(|_| !case.stalls) {
                if let Incident::Away(_, back) = incident
                    && started < *back
                    && *from < ended
                {
                    return Err(format!("{id} sounds while the box is off"));
                }
            }
            spans.push((started, ended, id.clone()));
        }
    }
    spans.sort();
    for pair in spans.windows(2) {
        if pair[1].0 < pair[0].1 {
            return Err(format!("{} and {} sound at once", pair[0].2, pair[1].2));
        }
    }
    Ok(())
}

fn play(seed: u64) -> Result<(), String> {
    let case = make(seed);
    let shown = |why: String, rows: &[Rehearsed]| {
        let mut text = format!("seed {seed}: {why}\n{}\n", case.told);
        for row in rows {
            let at = case.programme.zone.rfc3339(row.recorded_at);
            let _ = match &row.entry {
                Entry::Airing(a) => writeln!(
                    text,
                    "{at} {} {:?} {:?} {:?}-{:?} {}/{:?}",
                    a.airing_id, a.outcome, a.reason, a.started_at, a.ended_at, a.played_ms, a.clip_ms
                ),
                Entry::Session(s) => writeln!(text, "{at} session {} {}", s.slot_id, s.session_start),
                Entry::Event(e) => writeln!(text, "{at} {:?} {:?}", e.event, e.detail),
            };
        }
        text
    };
    let (rows, answers) = rehearse(case.programme.clone(), &case.rehearsal);
    check(&case, &rows).map_err(|why| shown(why, &rows))?;
    if seed.is_multiple_of(4) {
        let (rows_again, answers_again) = rehearse(case.programme.clone(), &case.rehearsal);
        if format!("{rows:?}{answers:?}") != format!("{rows_again:?}{answers_again:?}") {
            return Err(shown("the same input came out otherwise".into(), &rows));
        }
    }
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

#[test]
fn whatever_happens_each_planned_airing_ends_once_and_lawfully() {
    if let Some(seed) = number("LOAXA_SEED") {
        return play(seed).unwrap_or_else(|why| panic!("{why}"));
    }
    let cases = number("LOAXA_CASES").unwrap_or(2_000);
    let first = number("LOAXA_FIRST_SEED").unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let one = |seed: u64| match std::panic::catch_unwind(|| play(seed)) {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_) => Some(format!("seed {seed} panicked")),
    };
    let mut failed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|t| {
                scope.spawn(move || {
                    (first..first + cases).skip(t as usize).step_by(threads as usize).filter_map(one).collect()
                })
            })
            .collect();
        workers.into_iter().flat_map(|w| w.join().unwrap_or_else(|_| vec!["a worker panicked".to_owned()])).collect()
    });
    failed.sort_by_key(String::len);
    let heads: Vec<&str> = failed.iter().filter_map(|f| f.lines().next()).take(30).collect();
    assert!(failed.is_empty(), "{} of {cases} cases\n{}\n{}", failed.len(), failed[0], heads.join("\n"));
}
