//! The running daemon and a clock that cannot be relied on, a storm, a stalled machine. The clock is bent by libfaketime,
//! which leaves boot time alone.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod lying_server;
mod rig;
mod station_box;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lying_server::LyingServer;
use rig::{Clip, Rig};
use serde_json::Value;
use station_box::{Station, at, clip, now_ms, slot, soon, tone};

/// A clock that shows another time, by a file that says by how many seconds.
struct Bent {
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Bent {
    fn new(seconds: i64) -> Bent {
        let dir = tempfile::tempdir().unwrap();
        let bent = Bent { file: dir.path().join("by"), _dir: dir };
        bent.by(seconds);
        bent
    }

    fn by(&self, seconds: i64) {
        let part = self.file.with_extension("part");
        std::fs::write(&part, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(part, &self.file).unwrap();
    }

    fn env(&self) -> Vec<(String, String)> {
        let library = ["x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf"]
            .map(|arch| PathBuf::from(format!("/usr/lib/{arch}/faketime/libfaketime.so.1")));
        let library = library.iter().find(|l| l.exists()).expect("faketime is not installed");
        [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap()),
            ("FAKETIME_CACHE_DURATION", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
    }
}

fn trust(station: &Station, device: &str, trust: &str, more: &str) {
    station.configure(device, more);
    let text = std::fs::read_to_string(station.path("station.toml")).unwrap();
    std::fs::write(station.path("station.toml"), text.replace("\"always\"", &format!("\"{trust}\""))).unwrap();
}

fn sleep_until(ms: i64) {
    std::thread::sleep(Duration::from_millis((ms - now_ms()).max(0) as u64));
}

fn state(station: &Station) -> String {
    station.status().map(|s| s["state"].as_str().unwrap().to_owned()).unwrap_or_default()
}

fn outcome(airing: &Value) -> (&str, Option<&str>) {
    (airing["outcome"].as_str().unwrap(), airing["reason"].as_str())
}

fn events(station: &Station, kind: &str) -> Vec<Value> {
    station.chain().into_iter().filter(|r| r["event"] == kind).collect()
}

fn time_ms(value: &Value) -> i64 {
    chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap().timestamp_millis()
}

/// A box without a battery: 1970, silence; the clock steps to the truth, the right airing; back to 1970 and forward
/// again, what went by is missed, and what comes airs.
#[test]
fn a_box_that_wakes_in_1970_is_silent_until_it_knows_the_time() {
    let clock = Bent::new(-now_ms() / 1000 + 10);
    let mut station = Station::new("null").with_env(clock.env());
    trust(&station, "null", "rtc", "");
    tone(&station.path("clips/t.wav"), 400);
    let first = soon(12_000);
    let starts = [-5_000, 0, 7_000, 14_000];
    let slots = starts.iter().enumerate().map(|(i, ms)| slot(&format!("s{i}"), first + ms, "\"t\"", "late = \"1s\""));
    station.list(&(clip("t", &station.path("clips/t.wav")) + &slots.collect::<String>()));
    station.start();
    assert_eq!(state(&station), "waiting_for_clock");
    sleep_until(first - 4_000);
    assert!(station.airings().is_empty(), "silence");
    clock.by(0);
    sleep_until(first + 2_500);
    let airings = station.airings();
    assert_eq!(airings.iter().map(outcome).collect::<Vec<_>>(), [("aired", None)], "{}", station.log());
    assert!(airings[0]["airing_id"].as_str().unwrap().starts_with("local/s1/"));
    assert!((time_ms(&airings[0]["started_at"]) - first).abs() < 200, "{}", airings[0]);
    let steps = events(&station, "clock_step");
    assert_eq!(steps[0]["detail"]["direction"], "forward");
    assert!(steps[0]["detail"]["step_ms"].as_i64().unwrap() > 50 * 365 * 86_400_000, "{}", steps[0]);
    clock.by(-now_ms() / 1000 + 10);
    assert!(station.wait(Duration::from_secs(4), |s| state(s) == "waiting_for_clock"), "{}", station.log());
    sleep_until(first + 9_000);
    clock.by(0);
    let of = |s: &Station, slot: &str| s.airings().into_iter().find(|a| a["slot_id"] == slot);
    assert!(station.wait(Duration::from_secs(15), |s| of(s, "s3").is_some()), "{}", station.log());
    assert_eq!(outcome(&of(&station, "s2").unwrap()), ("missed", Some("clock_unknown")), "{}", station.log());
    assert_eq!(outcome(&of(&station, "s3").unwrap()), ("aired", None), "{}", station.log());
    station.verify();
}

/// The way out without a network: a person vouches. Then the clock leaps by two hours: doubted, until it is back.
#[test]
fn a_person_vouches_and_a_leap_is_doubted() {
    let clock = Bent::new(0);
    let mut station = Station::new("null").with_env(clock.env());
    trust(&station, "null", "auto", "");
    tone(&station.path("clips/t.wav"), 400);
    station.list(&clip("t", &station.path("clips/t.wav")));
    station.start();
    let shown = station.run(&["clock"]);
    let followed = shown.status.success();
    if !followed {
        assert_eq!(state(&station), "waiting_for_clock");
        let said = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(said.contains("từ khi bật máy chưa lấy được giờ") && said.contains("loaxa clock set"), "{said}");
        let refused = station.run(&["play", "t", "--emergency", "--by", "A"]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("Chưa có giờ chính xác"));
    }
    let refused = station.run(&["clock", "set", "1999-01-01T00:00:00", "--by", "A"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("là lúc chắc chắn đã qua"));
    let said = station.ok(&["clock", "set", &at(now_ms()), "--by", "Nguyễn Văn A"]);
    assert!(said.contains("Đã đặt giờ"), "{said}");
    assert_eq!(state(&station), "idle", "{}", station.log());
    assert_eq!(events(&station, "clock_set")[0]["by"], "Nguyễn Văn A");
    if !followed {
        assert!(station.ok(&["clock"]).contains("Nguyễn Văn A"));
        // A restart in the same boot knows it still.
        std::thread::sleep(Duration::from_millis(1_500));
        station.kill();
        station.start();
        assert_eq!(state(&station), "idle", "{}", station.log());
    }
    clock.by(7_200);
    assert!(station.wait(Duration::from_secs(5), |s| state(s) == "waiting_for_clock"), "{}", station.log());
    let shown = station.run(&["clock"]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&shown.stdout).contains("vừa nhảy tới 2 giờ"), "{shown:?}");
    let now = time_ms(&station.status().unwrap()["now"]);
    assert!((now - now_ms()).abs() < 5_000, "it goes by the time it leapt from: {now}");
    clock.by(0);
    assert!(station.wait(Duration::from_secs(5), |s| state(s) == "idle"), "{}", station.log());
    let healthy = station.wait(Duration::from_secs(4), |s| s.run(&["status"]).status.success());
    assert!(healthy, "no alarm is left: {:?}", station.status());
    station.verify();
}

/// The machine stalls over several starts: nothing begins later than its `late`, all has an outcome.
#[test]
fn a_stalled_machine_starts_nothing_too_late() {
    let mut station = Station::new("null");
    tone(&station.path("clips/t.wav"), 300);
    let first = soon(8_000);
    let late_ms = [1_000, 2_000, 0, 1_000, 8_000, 1_000];
    let slots = late_ms.iter().enumerate().map(|(i, late)| {
        slot(&format!("s{i}"), first + i as i64 * 1_000, "\"t\"", &format!("late = \"{}s\"", late / 1000))
    });
    station.list(&(clip("t", &station.path("clips/t.wav")) + &slots.collect::<String>()));
    station.start();
    sleep_until(first - 700);
    station.signal("STOP");
    sleep_until(first + 4_400);
    station.signal("CONT");
    let airings = station.wait_for_airings(late_ms.len(), Duration::from_secs(20));
    let mut begun = 0;
    for airing in &airings {
        let index: usize = airing["slot_id"].as_str().unwrap()[1..].parse().unwrap();
        if airing["started_at"].is_null() {
            assert_eq!(airing["outcome"], "missed", "{airing}");
        } else {
            begun += 1;
            let late = time_ms(&airing["started_at"]) - time_ms(&airing["planned_at"]);
            assert!(late <= late_ms[index] + 250, "s{index} began {late} ms late\n{}", station.log());
        }
    }
    assert!(begun >= 1, "{airings:#?}");
    station.verify();
}

/// An emergency by hand lasts over a power cut and ends with a plain stop; it does not pass quiet hours of its own.
#[test]
fn an_emergency_by_hand_lasts_until_a_stop() {
    let mut station = Station::new("null");
    tone(&station.path("clips/bao.wav"), 1_000);
    station.list(&clip("bao", &station.path("clips/bao.wav")));
    station.start();
    let nameless = station.run(&["play", "bao", "--emergency"]);
    assert_eq!(nameless.status.code(), Some(64));
    let until = at(now_ms() + 120_000);
    let order =
        ["play", "bao", "--emergency", "--by", "Nguyễn Văn A", "--every", "10s", "--repeat", "2", "--gap", "1s"];
    let said = station.ok(&[&order[..], &["--until", &until]].concat());
    assert!(said.contains("local/khan-cap-1/"), "{said}");
    let airings = station.wait_for_airings(2, Duration::from_secs(8));
    station.kill();
    station.start();
    let after = station.wait_for_airings(3, Duration::from_secs(14));
    for (n, airing) in after.iter().enumerate() {
        assert_eq!(outcome(airing), ("aired", None), "{}", station.log());
        assert_eq!((&airing["kind"], &airing["by"]), (&"emergency".into(), &"Nguyễn Văn A".into()));
        let id = airings[0]["airing_id"].as_str().unwrap();
        assert_eq!(airing["airing_id"], format!("{}/{}", id.rsplit_once('/').unwrap().0, n + 1));
    }
    station.ok(&["stop"]);
    let refused = station.run(&["play", "bao", "--emergency", "--by", "A"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Đang tạm dừng"), "{refused:?}");
    station.ok(&["resume"]);
    let rows = station.airings();
    assert_eq!(outcome(rows.last().unwrap()), ("blocked", Some("stopped")));
    let count = rows.len();
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(station.airings().len(), count, "the stop ended it");
    station.verify();
}

struct Province {
    dir: tempfile::TempDir,
    key: String,
}

impl Province {
    fn new() -> Province {
        let dir = tempfile::tempdir().unwrap();
        let key = loaxa(dir.path(), &["keygen", "--out", "tinh"]);
        std::fs::create_dir(dir.path().join("in")).unwrap();
        Province { key: key.trim().to_owned(), dir }
    }

    fn publish(&self, server: &LyingServer, list: &str) {
        let head = "source = \"tinh\"\n[[clips]]\nid = \"bao\"\nfile = \"bao.wav\"\ntitle = \"Bão\"\nkind = \"thong_bao\"\n\
             approved_by = \"Nguyễn Văn A\"\napproved_at = \"2022-09-30\"\n";
        std::fs::write(self.dir.path().join("in/playlist.toml"), format!("{head}{list}")).unwrap();
        loaxa(self.dir.path(), &["publish", "in", "--key", "tinh.key", "--out", "out"]);
        for name in ["playlist.json", "playlist.json.minisig"] {
            server.file(&format!("/{name}"), std::fs::read(self.dir.path().join("out").join(name)).unwrap());
        }
        for entry in std::fs::read_dir(self.dir.path().join("out/clips")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            server.file(&format!("/clips/{name}"), std::fs::read(path).unwrap());
        }
    }
}

fn loaxa(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_loaxa")).args(arguments).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A storm in mid-session: the list comes, the first sample within a second; taken back in mid-clip; the session goes on
/// at its second. Then once more by hand.
#[test]
fn an_emergency_is_heard_within_a_second_and_the_session_goes_on() {
    let rig = Rig::start();
    let province = Province::new();
    let server = LyingServer::start();
    let storm = Clip::make(&province.dir.path().join("in"), 7, 6_000, 44_100, 1, "wav");
    std::fs::rename(&storm.file, province.dir.path().join("in/bao.wav")).unwrap();
    province.publish(&server, "");
    let mut station = Station::new("default").with_env(rig.env());
    let source = format!(
        "[[source]]\nid = \"tinh\"\norigin = \"tinh\"\nurl = \"{}\"\npublic_keys = [\"{}\"]\nemergency = true\n",
        server.url("/playlist.json"),
        province.key
    );
    station.configure("default", &source);
    let clips: Vec<Clip> = [9_000, 8_000, 2_000]
        .iter()
        .enumerate()
        .map(|(i, ms)| Clip::make(&station.path("clips"), i as u64, *ms, 44_100, 1, "wav"))
        .collect();
    let short = Clip::make(&station.path("clips"), 9, 1_500, 44_100, 1, "wav");
    let start = soon(11_000);
    let list: String = clips.iter().chain([&short]).map(|c| clip(&format!("c{}", c.seed), &c.file)).collect();
    station.list(&(list + &slot("s", start, "\"c0\", \"c1\", \"c2\"", "")));
    station.start();
    let received = |s: &Station, n: u64| s.status().is_some_and(|s| s["sources"][0]["serial"] == n);
    assert!(station.wait(Duration::from_secs(8), |s| received(s, 1)), "{}", station.log());
    let recorder = rig.record();
    let emergency = format!(
        "[[emergencies]]\nid = \"bao\"\nclip = \"bao\"\nfrom = \"{}+07:00\"\nuntil = \"{}+07:00\"\n",
        at(now_ms() - 60_000),
        at(now_ms() + 600_000)
    );
    province.publish(&server, &emergency);
    sleep_until(start + 1_500);
    station.ok(&["sync"]);
    sleep_until(start + 5_000);
    province.publish(
        &server,
        &format!("{emergency}[[withdrawals]]\nemergency = \"bao\"\nby = \"Nguyễn Văn A\"\nwhy = \"đổi hướng\"\n"),
    );
    station.ok(&["sync"]);
    let withdrawn = now_ms();
    assert!(withdrawn < start + 7_300, "too slow a machine");
    sleep_until(start + 11_500);
    let asked = now_ms();
    station.ok(&["play", "c9", "--emergency", "--by", "Nguyễn Văn A"]);
    let airings = station.wait_for_airings(5, Duration::from_secs(20));
    let recording = recorder.stop();
    let of = |slot: &str, position: i64| {
        airings
            .iter()
            .find(|a| a["slot_id"] == slot && a["position"] == position)
            .unwrap_or_else(|| panic!("{airings:#?}"))
    };
    assert_eq!(outcome(of("s", 1)), ("interrupted", Some("emergency")), "{}", station.log());
    assert_eq!(outcome(of("bao", 1)), ("interrupted", Some("withdrawn")), "{}", station.log());
    assert_eq!(outcome(of("s", 2)), ("interrupted", Some("emergency")), "{}", station.log());
    assert_eq!(outcome(of("khan-cap-1", 1)), ("aired", None), "{}", station.log());
    assert_eq!(outcome(of("s", 3)), ("aired", None), "{}", station.log());
    let heard = |clip: &Clip| {
        let onsets = recording.onsets(&clip.head());
        assert_eq!(onsets.len(), 1, "clip {} is heard once", clip.seed);
        onsets[0].wall_ns as f64 / 1e6
    };
    let had = events(&station, "list_in_force").iter().map(|e| time_ms(&e["recorded_at"])).nth(1).unwrap();
    let by_list = heard(&storm) - had as f64;
    let by_hand = heard(&short) - asked as f64;
    let late = [heard(&clips[1]) - (start + 9_000) as f64, heard(&clips[2]) - (start + 17_000) as f64];
    println!(
        "first sample {by_list:.0} ms after the list, {by_hand:.0} ms after the order; the session again {late:.1?} ms"
    );
    assert!(by_list < 1_000.0, "{by_list} ms after the list was in force");
    assert!(by_hand < 1_500.0, "{by_hand} ms after a person asked");
    assert!(late.iter().all(|ms| ms.abs() < 50.0), "{late:?}");
    let ns = |ms: i64| ms * 1_000_000;
    assert!(
        recording.peak(ns(withdrawn + 500), ns(start + 8_800)) < 0.001,
        "silent half a second after the withdrawal"
    );
    station.verify();
}

/// Half a minute over New Year's midnight, as full of sessions as it can be, by the daemon and by `simulate`: the same
/// rows but for what is measured. In real time, as libfaketime does not hasten waits on a futex; a whole day goes
/// through the same state machine in `driven.rs`.
#[test]
fn the_daemon_and_the_rehearsal_come_to_the_same_rows() {
    let midnight = chrono::DateTime::parse_from_rfc3339("2028-01-01T00:00:00+07:00").unwrap().timestamp_millis();
    let clock = Bent::new((midnight - 26_000 - now_ms()) / 1000);
    let mut station = Station::new("null").with_env(clock.env());
    station.configure("null", "[quiet_hours]\nfrom = \"10:00\"\nto = \"15:00\"\nshorter_by = \"thử\"\n");
    let mut list = String::from("[[rotations]]\nid = \"r\"\nclips = [\"a\", \"b\"]\nfrom = \"2027-12-31\"\n");
    for id in ["a", "b", "t", "chua"] {
        tone(&station.path(&format!("clips/{id}.wav")), 450);
        let of = clip(id, &station.path(&format!("clips/{id}.wav")));
        list += &if id == "chua" { of.replace("nhac_cat", "ban_tin") } else { of };
    }
    for (id, cron) in [("nam-cu", "*/3 59 23 31 12 *"), ("nam-moi", "*/3 0 0 1 1 *")] {
        list += &format!(
            "[[slots]]\nid = \"{id}\"\ncron = \"{cron}\"\nitems = [\"t\", {{ rotation = \"r\" }}, \"chua\", \"t\"]\n"
        );
    }
    let soft = slot("mem", midnight - 2_000, "\"a\", \"b\", \"a\", \"b\", \"a\"", "start = \"soft\"");
    list += &soft;
    list +=
        &format!("[[withdrawals]]\nclip = \"b\"\nat = \"{}+07:00\"\nby = \"A\"\nwhy = \"sai\"\n", at(midnight + 7_000));
    station.list(&list);
    station.start();
    let (from, to) = (midnight - 12_000, midnight + 15_000);
    let in_time = |rows: Vec<Value>| -> Vec<Value> {
        let mut rows: Vec<Value> =
            rows.into_iter().filter(|r| (from..to).contains(&time_ms(&r["session_start"]))).collect();
        for row in &mut rows {
            for measured in ["started_at", "ended_at", "played_ms", "start_error_ms"] {
                row[measured] = Value::Null;
            }
            for stamp in ["seq", "log_id", "boot_id", "recorded_at", "prev_hash", "hash", "output", "clock"] {
                row[stamp] = Value::Null;
            }
        }
        rows.sort_by_key(|r| r["airing_id"].as_str().unwrap().to_owned());
        rows
    };
    let text = station.ok(&["simulate", "--from", &at(from), "--to", &at(to), "--format", "jsonl"]);
    let wanted = in_time(text.lines().map(|l| serde_json::from_str(l).unwrap()).collect());
    let enough = station.wait(Duration::from_secs(60), |s| in_time(s.airings()).len() >= wanted.len());
    assert!(enough, "{}", station.log());
    let got = in_time(station.airings());
    let keys: std::collections::BTreeSet<_> = wanted.iter().map(outcome).collect();
    println!("{} rows, {keys:?}", wanted.len());
    assert!(wanted.len() >= 39 && keys.len() >= 4, "{keys:?}");
    for (got, wanted) in got.iter().zip(&wanted) {
        assert_eq!(got, wanted, "{}", station.log());
    }
    station.verify();
}

/// A source that is not heard of for a day, whose list is about to end, and has ended: each an alarm within a minute.
#[test]
fn silence_from_above_and_the_end_of_a_list_are_alarms() {
    let province = Province::new();
    let server = LyingServer::start();
    tone(&province.dir.path().join("in/bao.wav"), 500);
    province.publish(&server, "");
    let bent = Bent::new(0);
    let mut station = Station::new("null").with_env(bent.env());
    let source = format!(
        "[[source]]\nid = \"tinh\"\norigin = \"tinh\"\nurl = \"{}\"\npublic_keys = [\"{}\"]\npoll = \"24h\"\n",
        server.url("/playlist.json"),
        province.key
    );
    station.configure("null", &source);
    station.start();
    station.ok(&["sync"]);
    server.lie("/playlist.json", |_, _| {});
    let alarm = |station: &Station, code: &str| -> Option<String> {
        let status = station.status()?;
        let alarms = status["alarms"].as_array()?.clone();
        alarms.iter().find(|a| a["code"] == code).map(|a| a["text"].as_str().unwrap().to_owned())
    };
    assert_eq!(alarm(&station, "no_contact_tinh"), None);
    assert_eq!(alarm(&station, "expires_tinh"), None);
    for (days, code, word) in [
        (1.05, "no_contact_tinh", "Mất liên lạc với tinh"),
        (25.0, "expires_tinh", "sẽ hết hạn"),
        (31.5, "expires_tinh", "đã hết hạn"),
    ] {
        bent.by((days * 86_400.0) as i64);
        let since = now_ms();
        let told = |s: &Station| alarm(s, code).is_some_and(|text| text.to_lowercase().contains(&word.to_lowercase()));
        let seen = station.wait(Duration::from_secs(60), told);
        assert!(seen, "{code} after {days} days: {:?}\n{}", station.status(), station.log());
        println!("{code} after {} ms", now_ms() - since);
    }
}
