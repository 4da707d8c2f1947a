//! The disk fails at every point where it can: what was acknowledged stays, nothing is torn, every airing planned has
//! one outcome, and what can sound sounds. A preload shim (`tests/shim/shim.c`) acts out the faults.
//!
//! Every tenth point with one fault each by default; `LOAXA_FAULTS=all` every point with every fault.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod shim;
mod station_box;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use shim::shim;
use station_box::{Station, clip, now_ms, slot, soon, tone};

const ITEMS: usize = 10;
const ITEM_MS: i64 = 300;
/// Whether every point is tried with every fault.
fn all() -> bool {
    std::env::var("LOAXA_FAULTS").is_ok_and(|v| v == "all")
}

/// From making the list to its session, milliseconds: a dozen stations at once take longer to be up.
fn ahead_ms() -> i64 {
    if all() { 9_000 } else { 4_000 }
}
/// Calls that fail one after another before the disk heals.
const FAILING_CALLS: u64 = 4;

/// A station with one short session, and the daemon under the shim.
struct Faulty {
    station: Station,
    start_ms: i64,
}

impl Faulty {
    fn new() -> Faulty {
        let station = Station::new("null");
        tone(&station.path("clips/a.wav"), ITEM_MS as usize);
        std::fs::create_dir(station.path("state")).unwrap();
        std::fs::write(station.path("count"), [0; 8]).unwrap();
        let start_ms = soon(ahead_ms());
        let items = ["\"a\""; ITEMS].join(", ");
        station.list(&(clip("a", &station.path("clips/a.wav")) + &slot("s", start_ms, &items, "")));
        Faulty { station, start_ms }
    }

    fn daemon(&self, env: &[(&str, String)]) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.station.path("log")).unwrap();
        let mut command = self.station.command(&["run"]);
        if !env.is_empty() {
            command.env("LD_PRELOAD", shim()).env("SHIM_DIR", self.station.path("state"));
            command.env("SHIM_COUNT", self.station.path("count"));
        }
        command.envs(env.iter().map(|(k, v)| (*k, v.clone()))).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn calls(&self) -> u64 {
        u64::from_ne_bytes(std::fs::read(self.station.path("count")).unwrap().try_into().unwrap())
    }

    /// Where the chain stood when the last commit came back.
    fn acknowledged(&self) -> Option<(u64, String)> {
        let text = std::fs::read_to_string(self.station.path("state/loaxa.head")).ok()?;
        let mut words = text.strip_suffix('\n')?.split(' ');
        Some((words.nth(1)?.parse().ok()?, words.next()?.to_owned()))
    }

    /// Lets the daemon live until its session is over; starts it again, with a healed disk, whenever it ends. What had
    /// been acknowledged each time it ended.
    fn through(&self, env: &[(&str, String)]) -> Vec<(u64, String)> {
        let over = self.start_ms + ITEMS as i64 * ITEM_MS + 1_500;
        let mut known = Vec::new();
        let mut child = self.daemon(env);
        while now_ms() < over {
            std::thread::sleep(Duration::from_millis(20));
            if child.try_wait().unwrap().is_some() {
                known.extend(self.acknowledged());
                child = self.daemon(&[]);
            }
        }
        // The queue is written when the disk heals; the session is not over before.
        let whole =
            self.station.wait(Duration::from_secs(30), |_| self.rows().is_some_and(|r| outcomes(&r).len() >= ITEMS));
        known.extend(self.acknowledged());
        let _ = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
        let _ = child.wait();
        if !whole && !self.came_too_late() {
            panic!("an airing has no row: {:?}\n{}", self.rows().map(|r| outcomes(&r)), self.station.log());
        }
        known
    }

    fn rows(&self) -> Option<Vec<Value>> {
        let output = self.station.run(&["export", "--format", "jsonl", "--chain"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let rows = text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).filter(|r| r["type"] != "summary");
        output.status.success().then(|| rows.collect())
    }

    /// Whether an item was left out because the machine was too busy.
    fn was_late(&self) -> bool {
        self.rows().is_some_and(|rows| rows.iter().any(|r| r["reason"] == "late"))
    }

    /// Whether the station was up so late that its list came into force after the session.
    fn came_too_late(&self) -> bool {
        let at = |row: &Value| row["recorded_at"].as_str().and_then(loaxa::domain::time::Wall::parse_rfc3339);
        self.rows().is_some_and(|rows| {
            outcomes(&rows).is_empty() && rows.iter().filter_map(at).next().is_some_and(|at| at.0 > self.start_ms)
        })
    }

    /// What must hold whatever happened.
    fn judge(&self, what: &str, known: &[(u64, String)], heard: bool) {
        let rows = self.rows().unwrap_or_else(|| panic!("{what}: no log\n{}", self.station.log()));
        for (seq, hash) in known {
            let row = rows.iter().find(|r| r["seq"] == *seq);
            assert_eq!(
                row.map(|r| &r["hash"]),
                Some(&Value::from(hash.as_str())),
                "{what}: row {seq} was acknowledged"
            );
        }
        let seen = outcomes(&rows);
        assert_eq!(seen.len(), ITEMS, "{what}: {seen:?}");
        for (id, all) in &seen {
            assert_eq!(all.len(), 1, "{what}: {id}: {all:?}");
        }
        if heard {
            assert!(seen.values().all(|o| o[0] == "aired"), "{what}: {seen:?}\n{}", self.station.log());
        }
        let verify = self.station.run(&["verify"]);
        let said = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert!(verify.status.success(), "{what}: {said}\n{}", self.station.log());
        let damaged = std::fs::read_dir(self.station.path("state")).unwrap().filter_map(Result::ok);
        let damaged: Vec<_> =
            damaged.map(|e| e.file_name()).filter(|n| n.to_string_lossy().contains("damaged")).collect();
        assert!(damaged.is_empty(), "{what}: {damaged:?}");
    }
}

/// Whether the machine has much else to do.
fn is_busy() -> bool {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    load > 1.5 * std::thread::available_parallelism().unwrap().get() as f64
}

fn outcomes(rows: &[Value]) -> HashMap<String, Vec<String>> {
    let mut out: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows.iter().filter(|r| r["type"] == "airing") {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        out.entry(text("airing_id")).or_default().push(text("outcome"));
    }
    out
}

#[test]
fn at_every_point_of_a_session_the_disk_may_fail() {
    let quiet = Faulty::new();
    let known = quiet.through(&[("SHIM_AT", "0".into())]);
    quiet.judge("no fault", &known, true);
    let calls = quiet.calls();
    assert!(calls > 100, "{calls} calls were counted");
    let faults = ["kill", "torn", "enospc", "eio"];
    let points: Vec<(u64, &str)> = if all() {
        (1..=calls).flat_map(|at| faults.map(|f| (at, f))).collect()
    } else {
        (0..calls / 10).map(|i| (1 + i * 10 + i % 10, faults[i as usize % 4])).collect()
    };
    let (next, again, unheard) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = Mutex::new(Vec::new());
    let at_once = if all() { 12 } else { points.len().div_ceil(3).min(16) };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                let mut tries = 0;
                let mut point = next.fetch_add(1, Ordering::Relaxed);
                while let Some((at, fault)) = points.get(point) {
                    let faulty = Faulty::new();
                    let env = [
                        ("SHIM_AT", at.to_string()),
                        ("SHIM_DO", (*fault).to_owned()),
                        ("SHIM_FOR", if matches!(*fault, "enospc" | "eio") { FAILING_CALLS } else { 1 }.to_string()),
                    ];
                    let known = faulty.through(&env);
                    let mut heard = matches!(*fault, "enospc" | "eio");
                    // Others may starve a dozen stations: a fault that is at fault is so each time, and on a machine
                    // that has nothing else to do. What cannot be judged is counted.
                    let starved = is_busy() && (faulty.came_too_late() || heard && faulty.was_late());
                    if starved && tries < 3 {
                        tries += 1;
                        again.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    if starved {
                        heard = false;
                        unheard.fetch_add(1, Ordering::Relaxed);
                    }
                    let what = format!("{fault} at call {at}");
                    let judge = || faulty.judge(&what, &known, heard);
                    let nothing = starved && faulty.came_too_late();
                    if !nothing && catch_unwind(AssertUnwindSafe(judge)).is_err() {
                        failed.lock().unwrap().push(what.clone());
                    }
                    tries = 0;
                    point = next.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (failed, again, unheard) = (failed.into_inner().unwrap(), again.into_inner(), unheard.into_inner());
    println!(
        "{} faults at {calls} points, {} failed; on a busy machine {again} were tried again and {unheard} not judged by \
         what was heard",
        points.len(),
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_full_disk_silences_nothing_and_loses_nothing() {
    let faulty = Faulty::new();
    let full = faulty.station.path("full");
    let mut child = faulty.daemon(&[("SHIM_WHILE", full.display().to_string())]);
    let up = faulty.station.wait(Duration::from_secs(20), |s| s.status().is_some());
    assert!(up, "{}", faulty.station.log());
    std::fs::write(&full, "").unwrap();
    let full_at = faulty.start_ms.max(now_ms());
    let alarmed = faulty.station.wait(Duration::from_secs(20), |s| {
        let status = s.status().unwrap_or_default();
        status["alarms"].as_array().is_some_and(|a| a.iter().any(|a| a["code"] == "log_failing"))
    });
    assert!(alarmed && now_ms() - full_at < 10_000, "alarm after {} ms", now_ms() - full_at);
    let over = faulty.start_ms + ITEMS as i64 * ITEM_MS + 1_000;
    std::thread::sleep(Duration::from_millis((over - now_ms()).max(0) as u64));
    assert_eq!(faulty.station.status().unwrap()["log"]["durable"], false);
    std::fs::remove_file(&full).unwrap();
    let whole = faulty.station.wait(Duration::from_secs(30), |_| {
        faulty.rows().is_some_and(|r| outcomes(&r).len() >= ITEMS)
            && faulty.station.status().is_some_and(|s| s["log"]["durable"] == true)
    });
    assert!(whole, "{}", faulty.station.log());
    let _ = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    let _ = child.wait();
    faulty.judge("full disk", &[], true);
}
