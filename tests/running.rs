//! The running daemon, heard from outside: a recorded sound card, real files, real signals.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod rig;
mod station_box;

use std::time::Duration;

use rig::{Clip, Rig, median};
use serde_json::Value;
use station_box::{Station, clip, local, now_ms, slot, soon, tone};

fn outcomes(airings: &[Value]) -> Vec<(String, Option<String>)> {
    airings
        .iter()
        .map(|a| (a["outcome"].as_str().unwrap().to_owned(), a["reason"].as_str().map(str::to_owned)))
        .collect()
}

fn aired(airings: &[Value]) -> bool {
    airings.iter().all(|a| a["outcome"] == "aired")
}

/// Twenty airings, each its own session and its own clip: the right one every time, on its second.
#[test]
fn twenty_airings_start_on_their_second() {
    let rig = Rig::start();
    let mut station = Station::new("default").with_env(rig.env());
    let count = 20;
    let clips: Vec<Clip> =
        (0..5).map(|i| Clip::make(&station.path("clips"), i, 700, 44_100, 1, ["wav", "mp3"][i as usize % 2])).collect();
    let first = soon(14_000);
    let mut list: String = clips.iter().map(|c| clip(&format!("c{}", c.seed), &c.file)).collect();
    for i in 0..count {
        list += &slot(&format!("s{i}"), first + i * 2_000, &format!("\"c{}\"", i % 5), "");
    }
    station.list(&list);
    // The recorder first: the start of a busy machine's daemon must not eat the first sound.
    let recorder = rig.record();
    station.start();
    let airings = station.wait_for_airings(count as usize, Duration::from_secs(90));
    let recording = recorder.stop();
    assert!(aired(&airings), "{:?}", outcomes(&airings));
    let mut errors = Vec::new();
    for i in 0..count {
        let planned = (first + i * 2_000) * 1_000_000;
        let heard = recording.onsets(&clips[i as usize % 5].head());
        let near = heard.iter().map(|o| (o.wall_ns - planned) as f64 / 1e6).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        let near = near.unwrap_or(f64::MAX);
        assert!(near.abs() <= 50.0, "airing {i}: {near:.2} ms");
        errors.push(near);
    }
    let worst = errors.iter().fold(0f64, |m, e| m.max(e.abs()));
    println!("20 starts: median {:.2} ms, worst {worst:.2} ms", median(&errors));
    // What the log says of itself agrees with what was heard.
    for (airing, heard) in airings.iter().zip(&errors) {
        let said = airing["start_error_ms"].as_f64().unwrap();
        assert!((said - heard).abs() < 20.0, "the log says {said}, heard {heard}");
    }
    station.verify();
}

/// One session of six items of mixed formats and rates, back to back.
#[test]
fn a_session_has_no_seams() {
    let rig = Rig::start();
    let mut station = Station::new("default").with_env(rig.env());
    let kinds = [
        ("mp3", 44_100, 1),
        ("ogg", 44_100, 2),
        ("flac", 48_000, 2),
        ("wav", 22_050, 1),
        ("mp3", 48_000, 2),
        ("wav", 8_000, 1),
    ];
    let clips: Vec<Clip> = kinds
        .iter()
        .enumerate()
        .map(|(i, (ext, rate, channels))| Clip::make(&station.path("clips"), i as u64, 1500, *rate, *channels, ext))
        .collect();
    let start = soon(10_000);
    let list: String = clips.iter().map(|c| clip(&format!("c{}", c.seed), &c.file)).collect();
    let items: Vec<String> = clips.iter().map(|c| format!("\"c{}\"", c.seed)).collect();
    station.list(&(list + &slot("s", start, &items.join(", "), "")));
    // The recorder first: the start of a busy machine's daemon must not eat the first sound.
    let recorder = rig.record();
    station.start();
    let airings = station.wait_for_airings(6, Duration::from_secs(30));
    let recording = recorder.stop();
    assert!(aired(&airings), "{:?}\n{}", outcomes(&airings), station.log());
    let onset = |reference: &[f32]| {
        let heard = recording.onsets(reference);
        assert_eq!(heard.len(), 1, "heard once: {heard:?}");
        heard[0].sample
    };
    let mark = rig::MARK_MS as f64 * 48.0;
    let mut worst = 0f64;
    for pair in clips.windows(2) {
        let seam = (onset(&pair[1].head()) - (onset(&pair[0].tail()) + mark)) / 48.0;
        worst = worst.max(seam.abs());
    }
    println!("seams: worst {worst:.3} ms");
    assert!(worst < 5.0, "seam of {worst} ms");
    // The last sample was heard before the device closed.
    onset(&clips[5].tail());
    station.verify();
}

/// A changed list in mid-play: nothing is lost, the change is in force from the next session.
#[test]
fn a_reload_in_mid_play_is_not_heard() {
    let rig = Rig::start();
    let mut station = Station::new("default").with_env(rig.env());
    let clips: Vec<Clip> = (0..2).map(|i| Clip::make(&station.path("clips"), i, 4_000, 44_100, 1, "mp3")).collect();
    let start = soon(9_000);
    let list: String = clips.iter().map(|c| clip(&format!("c{}", c.seed), &c.file)).collect();
    station.list(&(list.clone() + &slot("s", start, "\"c0\", \"c1\"", "")));
    // The recorder first: the start of a busy machine's daemon must not eat the first sound.
    let recorder = rig.record();
    station.start();
    std::thread::sleep(Duration::from_millis((start + 1_500 - now_ms()).max(0) as u64));
    // First a broken file: refused, the old one stays. Then a good one: taken.
    station.list("[[slots]\nid =");
    station.signal("HUP");
    assert!(
        station.wait(Duration::from_secs(5), |s| s
            .status()
            .is_some_and(|s| s["alarms"].to_string().contains("config_refused"))),
        "{}",
        station.log()
    );
    station.list(&(list + &slot("s", start + 60_000, "\"c1\"", "")));
    station.signal("HUP");
    let airings = station.wait_for_airings(2, Duration::from_secs(20));
    let recording = recorder.stop();
    assert!(aired(&airings), "{:?}", outcomes(&airings));
    assert_eq!(recording.onsets(&clips[0].tail()).len(), 1);
    assert_eq!(recording.onsets(&clips[1].tail()).len(), 1);
    let status = station.status().unwrap();
    assert_eq!(status["alarms"], serde_json::json!([]), "the alarm is over");
    assert!(status["next"]["airing_id"].as_str().unwrap().starts_with("local/s/"));
    station.verify();
}

/// `stop` silences within half a second, holds over a restart, and `resume` ends it.
#[test]
fn stop_is_heard_at_once_and_outlives_a_restart() {
    let rig = Rig::start();
    let mut station = Station::new("default").with_env(rig.env());
    let long = Clip::make(&station.path("clips"), 0, 8_000, 44_100, 1, "mp3");
    let start = soon(9_000);
    station.list(&(clip("dai", &long.file) + &slot("s", start, "\"dai\", \"dai\"", "")));
    // The recorder first: the start of a busy machine's daemon must not eat the first sound.
    let recorder = rig.record();
    station.start();
    std::thread::sleep(Duration::from_millis((start + 2_000 - now_ms()).max(0) as u64));
    let asked = rig::wall_ns();
    station.ok(&["stop", "--by", "Nguyễn Văn A", "--why", "thử"]);
    let airings = station.wait_for_airings(1, Duration::from_secs(5));
    std::thread::sleep(Duration::from_millis(900));
    let recording = recorder.stop();
    assert_eq!(outcomes(&airings), [("interrupted".into(), Some("stopped".into()))]);
    assert_eq!(airings[0]["by"], "Nguyễn Văn A");
    assert!(recording.peak(asked - 400_000_000, asked) > 0.005, "it sounded before");
    assert!(recording.peak(asked + 500_000_000, asked + 1_100_000_000) < 0.001, "silent within 500 ms");
    station.kill();
    station.start();
    assert_eq!(station.status().unwrap()["state"], "stopped");
    let refused = station.run(&["play", "tone"]);
    assert_eq!(refused.status.code(), Some(1));
    station.ok(&["resume", "--by", "Nguyễn Văn A"]);
    assert_eq!(station.status().unwrap()["state"], "idle");
    station.ok(&["play", "tone", "--wait"]);
    let rows = station.airings();
    assert!(rows.iter().any(|r| r["kind"] == "manual" && r["outcome"] == "blocked" && r["reason"] == "stopped"));
    assert!(rows.iter().any(|r| r["kind"] == "manual" && r["outcome"] == "aired"), "{rows:#?}");
    station.verify();
}

/// The device goes in mid-play and returns: joined inside, `partial`, `device_lost`; the next item on its second.
fn vanishes_and_returns(what: &str, goes: fn(&mut Rig), returns: fn(&mut Rig)) {
    let mut rig = Rig::start();
    let mut station = Station::new("default").with_env(rig.env());
    let clips: Vec<Clip> =
        (0..2).map(|i| Clip::make(&station.path("clips"), i, 12_000 - 7_000 * i as usize, 44_100, 1, "mp3")).collect();
    let start = soon(9_000);
    let list: String = clips.iter().map(|c| clip(&format!("c{}", c.seed), &c.file)).collect();
    station.list(&(list + &slot("s", start, "\"c0\", \"c1\"", "")));
    station.start();
    std::thread::sleep(Duration::from_millis((start + 2_000 - now_ms()).max(0) as u64));
    goes(&mut rig);
    std::thread::sleep(Duration::from_millis(3_000));
    returns(&mut rig);
    let back = now_ms();
    let recorder = rig.record();
    let airings = station.wait_for_airings(2, Duration::from_secs(30));
    let recording = recorder.stop();
    assert_eq!(outcomes(&airings)[0], ("partial".into(), Some("device_lost".into())), "{what}: {}", station.log());
    assert_eq!(outcomes(&airings)[1], ("aired".into(), None), "{what}: {}", station.log());
    assert_eq!(recording.onsets(&clips[0].tail()).len(), 1, "{what}: it went on where the session clock was");
    let first = (0..60).find(|n| {
        let from = (back + n * 100) * 1_000_000;
        recording.peak(from, from + 100_000_000) > 0.005
    });
    let first = first.unwrap_or(60) * 100;
    let due = (start + 12_000) * 1_000_000;
    let next = recording.onsets(&clips[1].head());
    assert_eq!(next.len(), 1, "{what}");
    let error = (next[0].wall_ns - due) as f64 / 1e6;
    println!("{what}: heard again {first} ms after the device came back; the next item {error:.2} ms from its second");
    assert!(first <= 3_000, "{what}: silent {first} ms after the device came back");
    assert!(error.abs() < 50.0, "{what}: {error} ms");
    let lines = station.log().lines().count();
    assert!(lines < 200, "{what}: {lines} lines of log are a storm");
    station.verify();
}

#[test]
fn a_sound_server_that_is_killed_and_returns() {
    vanishes_and_returns("killed", Rig::kill, Rig::revive);
}

#[test]
fn a_sink_that_is_removed_and_returns() {
    vanishes_and_returns("removed", |rig| rig.remove_sink(), |rig| rig.restore_sink());
}

#[test]
fn a_sound_server_that_freezes_and_thaws() {
    vanishes_and_returns("frozen", |rig| rig.freeze(), |rig| rig.thaw());
}

/// No such device: the airing fails, says so, and the daemon lives.
#[test]
fn an_unknown_device_fails_the_airing_and_nothing_else() {
    let rig = Rig::start();
    let mut station = Station::new("khong-co").with_env(rig.env());
    tone(&station.path("clips/t.wav"), 500);
    let start = soon(8_000);
    let items = clip("t", &station.path("clips/t.wav"));
    station.list(&(items + &slot("s", start, "\"t\"", "late = \"1s\"")));
    station.start();
    let airings = station.wait_for_airings(1, Duration::from_secs(20));
    assert_eq!(outcomes(&airings), [("failed".into(), Some("device_lost".into()))], "{}", station.log());
    let status = station.status().unwrap();
    assert!(status["alarms"].to_string().contains("device_lost"), "{status}");
    assert_eq!(status["output"]["ok"], false);
    station.verify();
}

/// A file that changed after it was measured, and one that is gone: `failed`; what follows starts on its second.
#[test]
fn altered_and_missing_clips_do_not_sound() {
    let mut station = Station::new("null");
    for name in ["a", "b", "c"] {
        tone(&station.path(&format!("clips/{name}.wav")), 1_500);
    }
    let start = soon(9_000);
    let list: String = ["a", "b", "c"].iter().map(|n| clip(n, &station.path(&format!("clips/{n}.wav")))).collect();
    station.list(&(list + &slot("s", start, "\"a\", \"b\", \"c\"", "")));
    station.start();
    // Behind the daemon's back: the right size with wrong bytes and the old time stamp, and a missing file. The
    // folder is not looked at again before the session, as its time stamp is put back too.
    let a = station.path("clips/a.wav");
    let stamp = std::fs::metadata(&a).unwrap().modified().unwrap();
    let folder = std::fs::metadata(station.path("clips")).unwrap().modified().unwrap();
    let mut bytes = std::fs::read(&a).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    let put_back = |path: &std::path::Path, at| std::fs::File::open(path).unwrap().set_modified(at).unwrap();
    std::fs::write(&a, bytes).unwrap();
    put_back(&a, stamp);
    std::fs::remove_file(station.path("clips/b.wav")).unwrap();
    put_back(&station.path("clips"), folder);
    let airings = station.wait_for_airings(3, Duration::from_secs(20));
    let of = |id: &str| airings.iter().find(|a| a["clip_id"] == id).unwrap().clone();
    assert_eq!((of("a")["outcome"].clone(), of("a")["reason"].clone()), ("failed".into(), "clip_bad".into()));
    assert_eq!((of("b")["outcome"].clone(), of("b")["reason"].clone()), ("failed".into(), "clip_missing".into()));
    let c = of("c");
    assert_eq!(c["outcome"], "aired");
    let due = chrono::DateTime::parse_from_rfc3339(c["started_at"].as_str().unwrap()).unwrap().timestamp_millis();
    assert!((due - (start + 3_000)).abs() < 200, "{due} against {}", start + 3_000);
    station.verify();
}

/// Inside quiet hours nothing sounds and no hook is called, whoever asks.
#[test]
fn quiet_hours_hold_on_every_path() {
    let mut station = Station::new("null");
    tone(&station.path("clips/t.wav"), 500);
    let hook = station.path("hook-called");
    let quiet = format!(
        "[quiet_hours]\nfrom = \"{}\"\nto = \"{}\"\nshorter_by = \"thử\"\n",
        local(now_ms() - 600_000, "%H:%M"),
        local(now_ms() + 1_200_000, "%H:%M")
    );
    // Written while its hours are open, so that `check` has nothing to say; then the hours change.
    let start = soon(4_000);
    let list = clip("t", &station.path("clips/t.wav")) + &slot("s", start, "\"t\"", "");
    station.list(&list);
    let refused = {
        station.configure("null", &quiet);
        station.run(&["check"])
    };
    assert_eq!(refused.status.code(), Some(78), "the commune's own session in quiet hours is refused");
    assert!(String::from_utf8_lossy(&refused.stdout).contains("local.toml:"));
    station.list("");
    let hooks = quiet.clone();
    station.configure("null", &hooks);
    let text = std::fs::read_to_string(station.path("station.toml")).unwrap();
    let text = text
        .replace("device = \"null\"", &format!("device = \"null\"\non_start = [\"touch\", \"{}\"]", hook.display()));
    std::fs::write(station.path("station.toml"), text).unwrap();
    station.start();
    let tone = station.run(&["play", "tone"]);
    assert_eq!(tone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&tone.stderr).contains("Trong giờ không phát loa"));
    let rows = station.airings();
    assert_eq!(outcomes(&rows), [("blocked".into(), Some("quiet_hours".into()))]);
    assert!(!hook.exists(), "no hook is called in quiet hours");
    station.verify();
}

/// SIGTERM in mid-play: the clip fades, its row is written, the next start finds a farewell.
#[test]
fn the_end_is_soft() {
    let mut station = Station::new("null");
    tone(&station.path("clips/t.wav"), 6_000);
    let start = soon(8_000);
    let list = clip("t", &station.path("clips/t.wav"));
    station.list(&(list + &slot("s", start, "\"t\", \"t\"", "")));
    station.start();
    std::thread::sleep(Duration::from_millis((start + 1_500 - now_ms()).max(0) as u64));
    assert_eq!(station.end(), Some(0));
    let airings = station.airings();
    assert_eq!(outcomes(&airings), [("interrupted".into(), Some("stopped".into()))], "{}", station.log());
    let played = airings[0]["played_ms"].as_i64().unwrap();
    assert!((1_000..3_000).contains(&played), "{played} ms");
    std::thread::sleep(Duration::from_millis((start + 8_000 - now_ms()).max(0) as u64));
    station.start();
    let airings = station.wait_for_airings(2, Duration::from_secs(10));
    assert_eq!(outcomes(&airings)[1], ("missed".into(), Some("stopped".into())));
    station.verify();
    let second = station.run(&["run"]);
    assert_eq!(second.status.code(), Some(1), "one daemon per state folder");
}
