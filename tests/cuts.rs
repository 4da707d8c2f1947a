//! The power goes, or the disk fails, at every write, flush, rename and removal of a sync: afterwards the old list is
//! in force with all its clips or the new one with all of its, never a mixture, and the next try gets through. A
//! preload shim (`tests/shim/shim.c`) acts out the faults below `clips` and below `playlists`.
//!
//! A few points by default; `LOAXA_CUTS=all` every point with every fault, `LOAXA_CUTS=1000` so many cuts: every point
//! with every fault, and what is left at moments by chance.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod lying_server;
mod province;
mod shim;
mod station_box;

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loaxa::daemon::clock::MachineClock;
use loaxa::daemon::sync::{Latest, load_all};
use loaxa::domain::config::{Language, read_config};
use loaxa::edge::clip_store::ClipStore;
use lying_server::LyingServer;
use province::Province;
use shim::shim;
use station_box::Station;

const FOLDERS: [&str; 2] = ["clips", "playlists"];
const FAULTS: [&str; 4] = ["kill", "torn", "enospc", "eio"];
/// Not at a call but at a moment: kill -9 after so many milliseconds.
const PLUG: &str = "plug";
/// Calls that fail one after another before the disk heals.
const FAILING_CALLS: u64 = 3;
/// What both lists share, what only the old and what only the new one has; the lengths make them differ.
const OLD: &[(&str, usize)] = &[("chung", 2_000), ("cu", 3_000)];
const NEW: &[(&str, usize)] = &[("chung", 2_000), ("moi", 5_000), ("them", 900)];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn offer(clips: &[(&str, usize)]) -> String {
    let names: Vec<String> = clips.iter().map(|(id, _)| format!("\"{id}\"")).collect();
    format!("[[offers]]\nid = \"o\"\nitems = [{}]\n", names.join(", "))
}

/// A station that has the old list, and a server with the new one.
struct Scene {
    province: Province,
    server: LyingServer,
    before: Station,
}

impl Scene {
    fn new() -> Scene {
        let (province, server) = (Province::new(), LyingServer::start());
        province.publish(&offer(OLD), OLD);
        province.serve(&server);
        let mut before = Station::new("null");
        before.configure("null", &province.source(&server, ""));
        before.start();
        before.ok(&["sync"]);
        assert!(before.wait(Duration::from_secs(20), |s| serial(s) == Some(1)), "{}", before.log());
        before.end();
        province.publish(&offer(NEW), NEW);
        province.serve(&server);
        Scene { province, server, before }
    }

    fn station(&self) -> Station {
        let station = Station::new("null");
        station.configure("null", &self.province.source(&self.server, ""));
        copy(&self.before.path("state"), &station.path("state"));
        std::fs::write(station.path("count"), [0; 8]).unwrap();
        station
    }

    /// Syncs under the shim until the daemon is dead or has the new list, and says which.
    fn sync_under(&self, station: &Station, folder: &str, at: u64, fault: &str) -> bool {
        let mut child = daemon(station, folder, at, fault);
        let until = Instant::now() + Duration::from_secs(60);
        let died = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            let _ = station.run(&["sync"]);
            if serial(station) == Some(2) {
                break child.try_wait().unwrap().is_some();
            }
            assert!(Instant::now() < until, "{fault} at {at} in {folder}: no end\n{}", station.log());
            std::thread::sleep(Duration::from_millis(20));
        };
        let _ = child.kill();
        let _ = child.wait();
        died
    }

    /// Syncs until the plug is pulled, after so many milliseconds, wherever it then is.
    fn unplugged(&self, station: &Station, ms: u64) {
        let until = Instant::now() + Duration::from_millis(ms);
        let mut child = daemon(station, "clips", 0, "kill");
        while Instant::now() < until {
            // Asked for again and again: at the beginning there is nobody to ask.
            let mut sync = station.command(&["sync"]);
            let mut asking = sync.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(until.saturating_duration_since(Instant::now()).min(Duration::from_millis(100)));
            let _ = asking.kill();
            let _ = asking.wait();
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn daemon(station: &Station, folder: &str, at: u64, fault: &str) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(station.path("log")).unwrap();
    let failing = if matches!(fault, "enospc" | "eio") { FAILING_CALLS } else { 1 };
    station
        .command(&["run"])
        .env("LD_PRELOAD", shim())
        .env("SHIM_DIR", station.path(&format!("state/{folder}")))
        .env("SHIM_COUNT", station.path("count"))
        .env("SHIM_AT", at.to_string())
        .env("SHIM_DO", fault)
        .env("SHIM_FOR", failing.to_string())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn serial(station: &Station) -> Option<u64> {
    station.status()?["sources"][0]["serial"].as_u64()
}

fn calls(station: &Station) -> u64 {
    u64::from_ne_bytes(std::fs::read(station.path("count")).unwrap().try_into().unwrap())
}

/// The serial in force by what is on the disk, every clip of it whole.
fn whole(station: &Station, what: &str) -> u64 {
    let text = std::fs::read(station.path("station.toml")).unwrap();
    let mut config = read_config(&text, true).value.unwrap();
    config.state.dir = station.path("state");
    let store = ClipStore::looked_at(&config.state.dir);
    let loaded = load_all(&config, &store, &MachineClock::plain(), Language::Vi, &Latest::new()).unwrap();
    let loaded = &loaded[0].1;
    assert_eq!(loaded.alarm, None, "{what}");
    let stored = loaded.stored.as_ref().unwrap_or_else(|| panic!("{what}: no list at all"));
    assert_eq!(stored.list.clips.len(), if stored.serial == 1 { OLD.len() } else { NEW.len() }, "{what}");
    for clip in &stored.list.clips {
        let sha256 = clip.sha256.as_deref().unwrap();
        assert!(store.path_of(sha256).is_some(), "{what}: {} of list {} is not there", clip.id, stored.serial);
        assert!(store.intact(sha256).unwrap(), "{what}: {} of list {} is torn", clip.id, stored.serial);
    }
    stored.serial
}

#[test]
fn at_every_point_of_a_sync_the_old_list_is_whole_or_the_new_one() {
    let scene = Scene::new();
    let cuts = std::env::var("LOAXA_CUTS").ok();
    let all = cuts.is_some();
    let mut points: Vec<(&str, u64, &str)> = Vec::new();
    let mut counted = 0;
    let mut took = Duration::ZERO;
    for folder in FOLDERS {
        let quiet = scene.station();
        let began = Instant::now();
        scene.sync_under(&quiet, folder, 0, "kill");
        took = took.max(began.elapsed());
        assert_eq!(whole(&quiet, "no fault"), 2);
        let calls = calls(&quiet);
        assert!(calls >= 8, "{calls} calls were counted in {folder}");
        counted += calls;
        if all {
            points.extend((1..=calls).flat_map(|at| FAULTS.map(|fault| (folder, at, fault))));
        } else {
            let step = (calls / 6).max(1);
            points.extend((0..calls / step).map(|i| (folder, 1 + i * step + i % step, FAULTS[i as usize % 4])));
        }
    }
    if let Some(cuts) = cuts.and_then(|v| v.parse::<usize>().ok()) {
        // What is left: the plug is pulled at a moment between the start and the end of a sync, wherever it then is.
        let moments = u64::try_from(took.as_millis()).unwrap() * 3 / 2;
        let mut dice = 0x2545_F491_4F6C_DD1D_u64;
        while points.len() < cuts {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            points.push(("clips", dice % moments, PLUG));
        }
        // A smaller number is spread over all points.
        points = (0..cuts).map(|n| points[n * points.len() / cuts]).collect();
    }
    let next = AtomicUsize::new(0);
    let (old, new) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((folder, at, fault)) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let what = match *fault {
                        PLUG => format!("the plug pulled after {at} ms"),
                        _ => format!("{fault} at call {at} in {folder}"),
                    };
                    let mut station = scene.station();
                    let died = match *fault {
                        PLUG => {
                            scene.unplugged(&station, *at);
                            true
                        }
                        _ => scene.sync_under(&station, folder, *at, fault),
                    };
                    assert!(died || matches!(*fault, "enospc" | "eio" | "torn"), "{what}: nothing happened");
                    match whole(&station, &what) {
                        1 => old.fetch_add(1, Ordering::Relaxed),
                        _ => new.fetch_add(1, Ordering::Relaxed),
                    };
                    // And then it gets through.
                    station.start();
                    station.ok(&["sync"]);
                    assert!(
                        station.wait(Duration::from_secs(30), |s| serial(s) == Some(2)),
                        "{what}: the sync does not complete\n{}",
                        station.log()
                    );
                    assert_eq!(station.end(), Some(0));
                    assert_eq!(whole(&station, &what), 2);
                    let left = std::fs::read_dir(station.path("state/clips")).unwrap().flatten();
                    let left: Vec<_> = left.map(|e| e.file_name().into_string().unwrap()).collect();
                    assert!(!left.iter().any(|n| n.contains(".part") || n.contains(".tmp")), "{what}: {left:?}");
                }
            });
        }
    });
    let (old, new) = (old.into_inner(), new.into_inner());
    println!("{} cuts at {counted} points: {old} left the old list, {new} the new one, 0 a mixture", points.len());
    assert_eq!(old + new, points.len());
}
