//! Scenarios in the chrony manner: `tests/scenarios/NAME.toml` holds a situation and the rows that must come of it,
//! argued in its comments. `LOAXA_BLESS=1` writes what came in place of what was expected; read the change before you
//! believe it. `tests/scenarios/README.md` explains the form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loaxa::domain::airing::{Airing, Entry, Reason, legal};
use loaxa::domain::config::{Config, read_config};
use loaxa::domain::document::{Node, Table, Value, read_toml};
use loaxa::domain::playlist::{Form, List, read_list};
use loaxa::domain::playout::PlayRefusal;
use loaxa::domain::schedule::{InForce, Programme};
use loaxa::domain::simulate::{Incident, Rehearsal, rehearse};
use loaxa::domain::stage::Absence;
use loaxa::domain::time::{ClockState, Wall, Zone, parse_duration_ms};

/// Every scenario's station, before what it says of its own.
const STATION: &str = r#"
[station]
id = "xa"
name = "Xã"
timezone = "ZONE"
[[source]]
id = "tinh"
origin = "tinh"
url = "http://127.0.0.1:1/playlist.json"
public_keys = ["RWSiHO5ysL3Y1Impfpb3VMAGOUY3VQsl9QZnf5AB+lH6FNdq/6Oc79+b"]
emergency = true
[[source]]
id = "huyen"
origin = "huyen"
url = "http://127.0.0.1:1/playlist.json"
public_keys = ["RWSiHO5ysL3Y1Impfpb3VMAGOUY3VQsl9QZnf5AB+lH6FNdq/6Oc79+b"]
[local]
playlist = "local.toml"
clips = "clips"
[output]
device = "null"
"#;

/// Clips every list has: id, kind, seconds, priority, approved.
const CLIPS: [(&str, &str, u32, &str, bool); 11] = [
    ("nhac", "nhac_hieu", 20, "normal", true),
    ("ket", "nhac_ket", 10, "normal", true),
    ("a", "ban_tin", 60, "normal", true),
    ("b", "ban_tin", 60, "normal", true),
    ("c", "ban_tin", 60, "normal", true),
    ("d", "ban_tin", 60, "normal", true),
    ("dai", "chuyen_muc", 600, "normal", true),
    ("uu", "thong_bao", 60, "priority", true),
    ("bao", "thong_bao", 30, "emergency", true),
    ("lu", "thong_bao", 30, "emergency", true),
    ("chua-duyet", "ban_tin", 60, "normal", false),
];

fn table<'a>(node: &'a Node, what: &str) -> &'a Table {
    match &node.value {
        Value::Table(table) => table,
        _ => panic!("{what} is no table"),
    }
}

fn text(table: &Table, key: &str) -> Option<String> {
    match &table.get(key)?.node.value {
        Value::Text(text) | Value::Moment(text) => Some(text.clone()),
        other => panic!("{key} is {other:?}, not a text"),
    }
}

fn need(table: &Table, key: &str) -> String {
    text(table, key).unwrap_or_else(|| panic!("\"{key}\" is missing"))
}

fn flag(table: &Table, key: &str) -> bool {
    matches!(table.get(key).map(|e| &e.node.value), Some(Value::Flag(true)))
}

fn only(table: &Table, keys: &[&str]) {
    for entry in &table.entries {
        assert!(keys.contains(&entry.key.as_str()), "unknown key \"{}\"", entry.key);
    }
}

fn clips() -> String {
    CLIPS.iter().fold(String::new(), |mut all, (id, kind, seconds, priority, approved)| {
        let approval = if *approved { "approved_by = \"A\"\napproved_at = \"2022-01-01\"\n" } else { "" };
        let _ = write!(
            all,
            "\n[[clips]]\nid = \"{id}\"\nfile = \"{id}.mp3\"\ntitle = \"{id}\"\nkind = \"{kind}\"\n\
             duration_ms = {seconds}000\npriority = \"{priority}\"\n{approval}"
        );
        all
    })
}

/// A moment of a scenario: whole, or a time on its first day.
fn moment(text: &str, day: &str, zone: Zone) -> Wall {
    let whole = if text.contains('T') || text.contains('-') { text.to_owned() } else { format!("{day}T{text}") };
    let (second, ms) = match whole.split_once('.') {
        Some((second, ms)) => (second.to_owned(), ms.parse::<i64>().expect("milliseconds")),
        None => (whole, 0),
    };
    zone.parse(&second).unwrap_or_else(|| panic!("\"{text}\" is no moment")) + ms
}

fn signed_duration(text: &str) -> i64 {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    sign * parse_duration_ms(rest.trim_start_matches('+')).unwrap_or_else(|| panic!("\"{text}\" is no duration"))
}

struct Lists {
    lists: BTreeMap<String, InForce>,
}

impl Lists {
    /// Takes over the lists a table names: `local` and `sources.ID`, and `expires.ID`.
    fn take(&mut self, from: &Table, since: Wall, day: &str, zone: Zone) {
        let mut put = |source: &str, text: &str, form: Form| {
            let head = if form == Form::Local { String::new() } else { format!("source = \"{source}\"\n") };
            let whole = format!("{head}{text}\n{}", clips());
            let reading = read_list(whole.as_bytes(), form);
            let list: List = reading.value.unwrap_or_else(|| panic!("{source}: {:#?}\n{whole}", reading.findings));
            self.lists.insert(source.into(), InForce { source: source.into(), list: Arc::new(list), since });
        };
        if let Some(local) = text(from, "local") {
            put("local", &local, Form::Local);
        }
        if let Some(sources) = from.get("sources") {
            for entry in &table(&sources.node, "sources").entries {
                put(&entry.key, &need(table(&sources.node, "sources"), &entry.key), Form::Handwritten);
            }
        }
        if let Some(expires) = from.get("expires") {
            for entry in &table(&expires.node, "expires").entries {
                let at = moment(&need(table(&expires.node, "expires"), &entry.key), day, zone);
                let list = self.lists.get_mut(&entry.key).expect("a list that expires");
                Arc::make_mut(&mut list.list).expires_at = Some(at);
            }
        }
    }

    fn programme(&self, config: &Arc<Config>) -> Arc<Programme> {
        let lists: Vec<InForce> = self.lists.values().cloned().collect();
        Arc::new(Programme::new(config.clone(), &lists).expect("slots that fire"))
    }
}

fn incident(one: &Table, at: Wall, lists: &mut Lists, config: &mut Arc<Config>, day: &str, zone: Zone) -> Incident {
    let when = |key: &str| moment(&need(one, key), day, zone);
    let until_or = |key: &str| text(one, key).map(|d| signed_duration(&d));
    let clock = |name: &str| match name {
        "synced" => ClockState::Synced,
        "held" => ClockState::Held,
        "unknown" => ClockState::Unknown,
        other => panic!("clock \"{other}\""),
    };
    match need(one, "what").as_str() {
        "power_off" => Incident::Away(Absence::PowerOff, when("until")),
        "crash" => Incident::Away(Absence::Crashed, when("until")),
        "shutdown" => Incident::Away(Absence::ShutDown, when("until")),
        "stall" => Incident::Stall(when("until")),
        "device_lost" => Incident::DeviceLost,
        "device_back" => Incident::DeviceBack,
        "hook_fails" => Incident::HookFails,
        "hook_works" => Incident::HookWorks,
        "clock_step" => Incident::ClockStep(signed_duration(&need(one, "by"))),
        "clock" => Incident::Clock(clock(&need(one, "state"))),
        "next_boot" => {
            Incident::NextBoot { step_ms: signed_duration(&need(one, "by")), clock: clock(&need(one, "state")) }
        }
        "stop" => Incident::Stop { for_ms: until_or("for"), but_emergency: flag(one, "but_emergency") },
        "resume" => Incident::Resume,
        "lists" => {
            if let Some(more) = text(one, "station") {
                *config = station(&more, zone);
            }
            lists.take(one, at, day, zone);
            Incident::Programme(lists.programme(config))
        }
        "clip_missing" => Incident::Clip(need(one, "clip"), Reason::ClipMissing),
        "clip_bad" => Incident::Clip(need(one, "clip"), Reason::ClipBad),
        "clip_back" => Incident::ClipBack(need(one, "clip")),
        "play" => Incident::Play(need(one, "clip")),
        "emergency" => Incident::Emergency {
            clip: need(one, "clip"),
            for_ms: until_or("for").unwrap_or(3_600_000),
            every_ms: until_or("by"),
        },
        other => panic!("incident \"{other}\""),
    }
}

fn station(more: &str, zone: Zone) -> Arc<Config> {
    let whole = format!("{}{more}", STATION.replace("ZONE", zone.name()));
    let reading = read_config(whole.as_bytes(), true);
    Arc::new(reading.value.unwrap_or_else(|| panic!("station: {:#?}\n{whole}", reading.findings)))
}

/// A moment as short as it can be read: the date only when it is another day, the offset only when it is another.
fn short(rfc3339: &str, from: Wall, zone: Zone) -> String {
    let at = Wall::parse_rfc3339(rfc3339).expect("a time in a row");
    let (whole, first) = (zone.rfc3339(at), zone.rfc3339(from));
    let date = if whole[..10] == first[..10] { "" } else { &whole[..11] };
    let time = whole[11..23].trim_end_matches('0').trim_end_matches('.');
    // Whole minutes lose their zeros as well: put them back.
    let time = if time.len() < 8 { &whole[11..19] } else { time };
    let offset = if whole[23..] == first[23..] { "" } else { &whole[23..] };
    format!("{date}{time}{offset}")
}

fn row_line(a: &Airing, from: Wall, zone: Zone) -> String {
    let name = match (&a.slot_source, &a.slot_id, &a.session_start, a.position) {
        (Some(source), Some(slot), Some(start), Some(position)) => {
            format!("{source}/{slot}/{}/{position}", short(start, from, zone))
        }
        _ => a.airing_id.clone(),
    };
    let seconds = format!("{}.{:03}", a.played_ms / 1000, a.played_ms % 1000);
    format!(
        "{name} | {} | {} | {} | {} | {}",
        a.outcome.key(),
        a.reason.map_or("-", Reason::key),
        a.started_at.as_deref().map_or("-".into(), |t| short(t, from, zone)),
        seconds.trim_end_matches('0').trim_end_matches('.'),
        a.clip_id.as_deref().unwrap_or("-"),
    )
}

/// Columns apart from each other by any number of spaces.
fn squeezed(lines: &str) -> Vec<String> {
    lines
        .lines()
        .map(|l| l.split('|').map(str::trim).collect::<Vec<_>>().join(" | "))
        .filter(|l| !l.is_empty())
        .collect()
}

fn aligned(lines: &[String]) -> String {
    let cells: Vec<Vec<&str>> = lines.iter().map(|l| l.split(" | ").collect()).collect();
    let width = |i: usize| cells.iter().filter_map(|c| c.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
    cells.iter().fold(String::new(), |mut all, row| {
        let padded: Vec<String> = row.iter().enumerate().map(|(i, c)| format!("{c:<w$}", w = width(i))).collect();
        let _ = writeln!(all, "{}", padded.join(" | ").trim_end());
        all
    })
}

/// What must hold whatever the situation: each planned airing one row, legal, never two.
fn invariants(rows: &[&Airing], planned: &BTreeSet<String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for a in rows {
        if !legal(a.outcome, a.reason) {
            return Err(format!("{} may not be {:?} {:?}", a.airing_id, a.outcome, a.reason));
        }
        if !seen.insert(a.airing_id.clone()) {
            return Err(format!("{} has two rows", a.airing_id));
        }
        if a.outcome.begun() != a.started_at.is_some() || (!a.outcome.begun() && a.played_ms != 0) {
            return Err(format!("{} is {:?} and started {:?}", a.airing_id, a.outcome, a.started_at));
        }
    }
    match planned.difference(&seen).next() {
        Some(id) => Err(format!("{id} was planned and has no row")),
        None => Ok(()),
    }
}

fn run(file: &Path) -> Result<(), String> {
    let source = std::fs::read_to_string(file).expect("a scenario");
    let (root, findings) = read_toml(&source);
    assert!(findings.is_empty(), "{findings:#?}");
    let top = table(&root, "the scenario");
    only(
        top,
        &[
            "shows", "rules", "peers", "zone", "station", "clock", "from", "to", "local", "sources", "expires",
            "incident", "expect", "trial",
        ],
    );
    need(top, "shows");
    need(top, "rules");
    let zone = Zone::by_name(&text(top, "zone").unwrap_or("Asia/Ho_Chi_Minh".into())).expect("a zone");
    let (from_text, to_text) = (need(top, "from"), need(top, "to"));
    let day = from_text[..10].to_owned();
    let (from, to) = (moment(&from_text, &day, zone), moment(&to_text, &day, zone));
    let mut config = station(&text(top, "station").unwrap_or_default(), zone);
    let mut lists = Lists { lists: BTreeMap::new() };
    lists.take(top, from, &day, zone);
    let programme = lists.programme(&config);
    let mut incidents = Vec::new();
    if let Some(Value::List(all)) = top.get("incident").map(|e| &e.node.value) {
        for one in all {
            let one = table(one, "incident");
            only(
                one,
                &[
                    "at",
                    "what",
                    "until",
                    "by",
                    "state",
                    "for",
                    "but_emergency",
                    "station",
                    "local",
                    "sources",
                    "expires",
                    "clip",
                ],
            );
            let at = moment(&need(one, "at"), &day, zone);
            incidents.push((at, incident(one, at, &mut lists, &mut config, &day, zone)));
        }
    }
    let clock = match text(top, "clock").as_deref() {
        None | Some("synced") => ClockState::Synced,
        Some("unknown") => ClockState::Unknown,
        Some(other) => panic!("clock \"{other}\""),
    };
    let rehearsal = Rehearsal { from, to, incidents, clock };
    let (rows, answers) = rehearse(programme.clone(), &rehearsal);
    let (again, _) = rehearse(programme, &rehearsal);
    assert_eq!(format!("{rows:?}"), format!("{again:?}"), "same input, same rows");

    let airings: Vec<&Airing> =
        rows.iter().filter_map(|r| if let Entry::Airing(a) = &r.entry { Some(&**a) } else { None }).collect();
    let planned: BTreeSet<String> = rows
        .iter()
        .filter_map(|r| if let Entry::Session(s) = &r.entry { Some(s) } else { None })
        .flat_map(|s| s.items.iter())
        .filter(|i| Wall::parse_rfc3339(&i.planned_at).is_some_and(|t| t < to))
        .map(|i| i.airing_id.clone())
        .collect();
    invariants(&airings, &planned)?;

    let mut got: Vec<String> = airings
        .iter()
        .filter(|a| Wall::parse_rfc3339(&a.planned_at).is_some_and(|t| from <= t && t < to))
        .map(|a| row_line(a, from, zone))
        .collect();
    for (i, answer) in answers.iter().enumerate() {
        got.push(match answer {
            Ok(id) => format!("play {} | {id}", i + 1),
            Err(PlayRefusal::Busy) => format!("play {} | busy", i + 1),
            Err(PlayRefusal::Forbidden(reason)) => format!("play {} | {}", i + 1, reason.key()),
        });
    }
    let expect = text(top, "expect").unwrap_or_default();
    let wanted = squeezed(&expect);
    if got == wanted {
        return Ok(());
    }
    let shown = aligned(&got);
    if std::env::var_os("LOAXA_BLESS").is_some() {
        let head = source.find("expect = '''").map_or(source.as_str(), |at| &source[..at]);
        let rest = source.rfind("'''").filter(|at| *at > head.len() + 12).map_or("\n", |at| &source[at + 3..]);
        std::fs::write(file, format!("{head}expect = '''\n{shown}'''{rest}")).expect("blessed");
        return Ok(());
    }
    let marked = |lines: &[String], others: &[String]| {
        lines.iter().fold(String::new(), |mut all, l| {
            let _ = writeln!(all, "  {} {l}", if others.contains(l) { ' ' } else { '>' });
            all
        })
    };
    Err(format!("expected\n{}came\n{}", marked(&wanted, &got), marked(&got, &wanted)))
}

/// `docs/scenarios.md` names every scenario with what it shows.
#[test]
fn the_docs_list_every_scenario() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("tests/scenarios"))
        .expect("the scenarios")
        .map(|e| e.expect("a file").path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    let mut list = String::from(
        "# Scenarios\n\nSituations in, expected rows out: each file of `tests/scenarios/` is played through the state machine in simulated\n\
         time, and argues in its comments why its rows must be these. Rules: [rules.md](rules.md); `I` is an invariant, see\n\
         [architecture.md](architecture.md). `tests/properties.rs` tries the rest at random. This list is kept by\n\
         `LOAXA_BLESS=1 cargo test --test scenarios`.\n\n| scenario | shows | rules | a fault of |\n|---|---|---|---|\n",
    );
    for file in &files {
        let source = std::fs::read_to_string(file).expect("a scenario");
        let (node, _) = read_toml(&source);
        let top = table(&node, "the scenario");
        let name = file.file_stem().expect("a name").to_string_lossy();
        let peers = text(top, "peers").unwrap_or_default();
        let _ = writeln!(list, "| `{name}` | {} | {} | {peers} |", need(top, "shows"), need(top, "rules"));
    }
    let docs = root.join("docs/scenarios.md");
    if std::env::var_os("LOAXA_BLESS").is_some() {
        std::fs::write(&docs, &list).expect("docs/scenarios.md");
    }
    let found = std::fs::read_to_string(&docs).unwrap_or_default().replace('\r', "");
    assert!(found == list, "docs/scenarios.md is not up to date: LOAXA_BLESS=1 cargo test --test scenarios");
}

#[test]
fn every_scenario_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let wanted = std::env::var("LOAXA_SCENARIO").ok();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the scenarios")
        .map(|e| e.expect("a file").path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .filter(|p| wanted.as_ref().is_none_or(|w| p.to_string_lossy().contains(w)))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut failed = Vec::new();
    for file in &files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let outcome = std::panic::catch_unwind(|| run(file));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(why)) => failed.push(format!("{name}: {why}")),
            Err(_) => failed.push(format!("{name}: panicked")),
        }
    }
    assert!(failed.is_empty(), "{} of {} scenarios:\n{}", failed.len(), files.len(), failed.join("\n"));
    assert!(wanted.is_some() || files.len() >= 55, "{} scenarios", files.len());
}
