//! A whole day of the running daemon, its own loop, threads, log and silent sound card, against the rehearsal of the same
//! day: the same rows, but for what is measured. Clocks run at high speed (`tests/shim/clock.c`): two thousand times as
//! fast while nothing is near, `LOAXA_SPEED` times while something sounds. `LOAXA_AIRINGS` sets how many airings the day
//! has.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod station_box;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use station_box::{Station, clip, local, tone};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// 5 October 2022, 04:30 in Vietnam: the box is switched on.
const ON: i64 = 1_664_919_000_000;
/// So long the daemon gets to start, at the speed of every day.
const START: i64 = 12 * SECOND;
/// How fast the hours go by in which nothing is near.
const FAST: i64 = 2_000;
/// How fast the minute before a session goes by, in which its plan is made.
const BRISK: i64 = 200;
/// So long before a session it goes slowly, and after its end.
const BEFORE: i64 = 9 * SECOND;
const AFTER: i64 = 3 * SECOND;

fn number(name: &str) -> Option<i64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

/// `HH:MM:SS` of that day, as a moment.
fn at(text: &str) -> i64 {
    let n: Vec<i64> = text.split(':').map(|n| n.parse().unwrap()).collect();
    ON - 4 * HOUR - 30 * MINUTE + n[0] * HOUR + n[1] * MINUTE + n[2] * SECOND
}

/// The day: its list, the stretches in which something may sound, and how many airings are planned.
struct Day {
    list: String,
    busy: Vec<(i64, i64)>,
    airings: usize,
}

impl Day {
    fn slot(&mut self, id: &str, start: i64, items: &[&str], more: &str, lasts: i64) {
        let items: Vec<String> =
            items.iter().map(|i| if i.starts_with('{') { (*i).to_owned() } else { format!("\"{i}\"") }).collect();
        let _ = write!(
            self.list,
            "[[slots]]\nid = \"{id}\"\nname = \"Buổi {id}\"\nat = \"{}\"\nitems = [{}]\n{more}\n",
            local(start, "%H:%M:%S"),
            items.join(", ")
        );
        self.busy.push((start, start + lasts));
        self.airings += items.len();
    }
}

fn day(clips: &Path, airings: usize) -> Day {
    let mut day = Day { list: String::new(), busy: Vec::new(), airings: 0 };
    // Lengths in milliseconds; one is not approved, one has no file.
    for (id, ms) in [("nhac", 1_300), ("a", 2_100), ("b", 900), ("c", 1_700), ("d", 3_000)] {
        tone(&clips.join(format!("{id}.wav")), ms);
        day.list += &clip(id, &clips.join(format!("{id}.wav")));
    }
    for (id, ms, kind, priority) in [("bao", 1_500, "thong_bao", "emergency"), ("dai", 14_000, "chuyen_muc", "normal")]
    {
        let file = clips.join(format!("{id}.wav"));
        tone(&file, ms);
        day.list += &clip(id, &file).replace("nhac_cat", kind);
        let _ = write!(day.list, "approved_by = \"A\"\napproved_at = \"2022-10-01\"\npriority = \"{priority}\"\n");
    }
    tone(&clips.join("tin.wav"), 1_500);
    day.list += &clip("tin", &clips.join("tin.wav")).replace("nhac_cat", "ban_tin");
    day.list +=
        "[[clips]]\nid = \"mat\"\nfile = \"mat.wav\"\ntitle = \"Mất tệp\"\nkind = \"nhac_cat\"\nduration_ms = 2000\n";
    day.list += "[[rotations]]\nid = \"vong\"\nclips = [\"a\", \"b\", \"c\"]\nfrom = \"2022-10-01\"\n";
    day.list += "[[special_days]]\ndates = [\"2022-10-05\"]\nskip = [\"nghi\"]\n";
    let _ = write!(
        day.list,
        "[[emergencies]]\nid = \"bao\"\nclip = \"bao\"\nfrom = \"2022-10-05T17:06:02+07:00\"\n\
         until = \"2022-10-05T17:40:00+07:00\"\nrepeat = 2\ngap = \"2s\"\nevery = \"10m\"\n\
         [[withdrawals]]\nslot = \"rut\"\nat = \"2022-10-05T10:00:03+07:00\"\n"
    );
    day.busy.extend(
        [("17:06:02", 6), ("17:16:02", 6), ("17:26:02", 6), ("17:36:02", 6)].map(|(t, s)| (at(t), at(t) + s * SECOND)),
    );
    day.airings += 8;
    // What meets, waits, is cut, is broken, is forbidden.
    day.slot("cung", at("05:10:00"), &["dai", "a"], "", 25 * SECOND);
    day.slot("cat", at("05:10:07"), &["b", "a"], "start = \"hard\"", 5 * SECOND);
    day.slot("dai", at("05:20:00"), &["dai", "a"], "start = \"soft\"", 20 * SECOND);
    day.slot("cho", at("05:20:05"), &["b", "c"], "start = \"soft\"", 25 * SECOND);
    day.slot("muon", at("05:20:06"), &["b", "c"], "start = \"soft\"\nwait_up_to = \"2s\"", 25 * SECOND);
    day.slot("uu", at("05:30:00"), &["a"], "priority = \"priority\"", 4 * SECOND);
    day.slot("nhuong", at("05:30:00"), &["b"], "", 8 * SECOND);
    day.slot("hong", at("05:40:00"), &["nhac", "mat", "a", "tin", "b"], "", 12 * SECOND);
    day.slot("ngan", at("05:50:00"), &["nhac", "dai", "a", "b"], "max_length = \"6s\"", 8 * SECOND);
    day.slot("rut", at("10:00:00"), &["a", "d", "b"], "", 10 * SECOND);
    day.slot("bao-cat", at("17:06:00"), &["nhac", "d", "b", "a"], "", 12 * SECOND);
    day.slot("vao-dem", at("20:59:55"), &["a", "d", "b", "c"], "", 12 * SECOND);
    day.list +=
        "[[slots]]\nid = \"tiep\"\nname = \"Tiếp sóng\"\nkind = \"relay\"\nat = \"06:00:00\"\nlength = \"10s\"\n";
    day.busy.push((at("06:00:00"), at("06:00:10")));
    day.airings += 1;
    // Left out by the list's own special day: no row.
    day.list += "[[slots]]\nid = \"nghi\"\nat = \"06:30:00\"\nitems = [\"a\"]\n";
    // The rest of the day: five items each, evenly.
    let sessions = (airings.saturating_sub(day.airings)).div_ceil(5);
    let (first, last) = (at("07:00:30"), at("20:50:00"));
    for n in 0..sessions as i64 {
        // To the whole minute and 30 seconds past it, out of the way of the others.
        let start = (first + (last - first) * n / sessions as i64 - 30 * SECOND) / MINUTE * MINUTE + 30 * SECOND;
        let items = match n % 4 {
            0 => ["nhac", "a", "b", "{ rotation = \"vong\" }", "c"],
            1 => ["nhac", "{ rotation = \"vong\" }", "d", "b", "nhac"],
            2 => ["a", "b", "mat", "c", "d"],
            _ => ["nhac", "c", "c", "tin", "a"],
        };
        day.slot(&format!("n{n}"), start, &items, "", 12 * SECOND);
    }
    day
}

/// The speeds, and how long it all takes.
fn table(busy: &[(i64, i64)], end: i64, speed: i64) -> (String, Duration) {
    let mut slow: Vec<(i64, i64)> = busy.iter().map(|(a, b)| (a - BEFORE, b + AFTER)).collect();
    slow.sort_unstable();
    let speed_at = |t: i64| {
        if t < ON + START {
            1
        } else if slow.iter().any(|(a, b)| *a <= t && t < *b) {
            speed
        } else if slow.iter().any(|(a, _)| *a - 80 * SECOND <= t && t < *a) {
            BRISK
        } else {
            FAST
        }
    };
    let mut edges: Vec<i64> = slow.iter().flat_map(|(a, b)| [*a - 80 * SECOND, *a, *b]).chain([ON + START]).collect();
    edges.retain(|t| *t > ON);
    edges.sort_unstable();
    edges.dedup();
    let (mut text, mut real_ms) = (format!("0 {}\n", speed_at(ON)), 0.0);
    let mut before = (ON, speed_at(ON));
    for edge in edges.into_iter().chain([end]) {
        real_ms += (edge - before.0) as f64 / before.1 as f64;
        let speed = speed_at(edge);
        let _ = writeln!(text, "{} {speed}", edge - ON);
        before = (edge, speed);
    }
    // The day is over: every day's speed again.
    let _ = writeln!(text, "{} 1", end + SECOND - ON);
    (text, Duration::from_secs_f64(real_ms / 1_000.0))
}

/// A row without what is measured or belongs to one log.
fn decided(row: &Value) -> Value {
    let mut row = row.as_object().unwrap().clone();
    for measured in [
        "seq",
        "log_id",
        "boot_id",
        "started_at",
        "ended_at",
        "played_ms",
        "start_error_ms",
        "recorded_at",
        "prev_hash",
        "hash",
        "output",
        "clock",
    ] {
        row.remove(measured);
    }
    Value::Object(row)
}

fn ms(value: &Value) -> Option<i64> {
    Some(chrono::DateTime::parse_from_rfc3339(value.as_str()?).unwrap().timestamp_millis())
}

#[test]
fn a_day_of_the_daemon_is_the_day_of_the_rehearsal() {
    let speed = number("LOAXA_SPEED").unwrap_or(4);
    let station = Station::new("null");
    let day = day(&station.path("clips"), number("LOAXA_AIRINGS").unwrap_or(70) as usize);
    let end = at("21:05:00");
    let library = station.path("clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/clock.c");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(cc.status().unwrap().success(), "cc");
    let (text, takes) = table(&day.busy, end, speed);
    std::fs::write(station.path("speeds"), text).unwrap();
    std::fs::write(station.path("begin"), [0; 8]).unwrap();
    let env = [
        ("LD_PRELOAD", library.display().to_string()),
        ("CLOCK_TABLE", station.path("speeds").display().to_string()),
        ("CLOCK_BEGIN", station.path("begin").display().to_string()),
        ("CLOCK_WALL", ON.to_string()),
    ];
    station.list(&day.list);
    let quiet = "[quiet_hours]\nfrom = \"21:00\"\nto = \"04:00\"\nshorter_by = \"thử\"\n";
    station.configure("null", quiet);
    let config = std::fs::read_to_string(station.path("station.toml")).unwrap();
    let config = config.replace("device = \"null\"", "device = \"null\"\npre_roll = \"5s\"");
    std::fs::write(station.path("station.toml"), config).unwrap();

    let rehearsed = station.ok(&[
        "simulate",
        "--from",
        &local(ON, "%Y-%m-%dT%H:%M:%S"),
        "--to",
        &local(end, "%Y-%m-%dT%H:%M:%S"),
        // The list gives its length, the daemon finds no file.
        "--clip-missing",
        &format!("local/mat@{}..{}", local(ON, "%Y-%m-%dT%H:%M:%S"), local(end, "%Y-%m-%dT%H:%M:%S")),
        "--format",
        "jsonl",
    ]);
    let rehearsed: Vec<Value> = rehearsed.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rehearsed.len(), day.airings, "the day is as it is meant to be");

    let mut station = station.with_env(env.map(|(k, v)| (k.to_owned(), v)).to_vec());
    println!("{} airings, {:.0} s at {speed} times", rehearsed.len(), takes.as_secs_f64());
    station.start();
    std::thread::sleep(takes);
    let logged = station.wait_for_airings(rehearsed.len(), Duration::from_secs(20));
    station.verify();

    let logged: BTreeMap<&str, &Value> = logged.iter().map(|r| (r["airing_id"].as_str().unwrap(), r)).collect();
    let (mut differ, mut late) = (Vec::new(), Vec::new());
    for wanted in &rehearsed {
        let id = wanted["airing_id"].as_str().unwrap();
        let Some(got) = logged.get(id) else {
            differ.push(format!("{id}: no row"));
            continue;
        };
        let (a, b) = (decided(wanted), decided(got));
        if a != b {
            let fields: Vec<String> = a
                .as_object()
                .unwrap()
                .iter()
                .filter(|(key, value)| b[key.as_str()] != **value)
                .map(|(key, value)| format!("{key} {value} / {}", b[key.as_str()]))
                .collect();
            differ.push(format!("{id}: {}", fields.join(", ")));
        }
        match (ms(&wanted["started_at"]), ms(&got["started_at"])) {
            (Some(a), Some(b)) => late.push((b - a).abs()),
            (a, b) if a != b => differ.push(format!("{id}: began {a:?} / {b:?}")),
            _ => {}
        }
    }
    late.sort_unstable();
    let (middle, worst) = (late[late.len() / 2], late[late.len() - 1]);
    println!(
        "{} rows, {} began; start against the rehearsal: median {middle} ms, worst {worst} ms",
        rehearsed.len(),
        late.len()
    );
    assert!(
        differ.is_empty(),
        "{} of {} rows differ\n{}\n{}",
        differ.len(),
        rehearsed.len(),
        differ.join("\n"),
        station.log()
    );
    assert_eq!(logged.len(), rehearsed.len(), "rows that nobody rehearsed");
}
