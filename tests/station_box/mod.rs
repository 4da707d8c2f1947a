//! The real daemon in a folder of its own: what every black-box test begins with.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)] // shared by tests that use parts; they read clocks

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The local reading (UTC+7) of a moment, by a format of `strftime`.
pub fn local(ms: i64, format: &str) -> String {
    chrono::DateTime::from_timestamp_millis(ms + 7 * 3_600_000).unwrap().format(format).to_string()
}

/// `at = "..."` of a moment, to the second.
pub fn at(ms: i64) -> String {
    local(ms, "%Y-%m-%dT%H:%M:%S")
}

/// The next whole second at least `ahead_ms` from now.
pub fn soon(ahead_ms: i64) -> i64 {
    (now_ms() + ahead_ms + 999) / 1000 * 1000
}

/// A commune's box.
pub struct Station {
    dir: tempfile::TempDir,
    daemon: Option<Child>,
    env: Vec<(String, String)>,
}

impl Station {
    /// A box that plays to `device`, with an empty list and quiet hours far from now.
    pub fn new(device: &str) -> Station {
        let station = Station { dir: tempfile::tempdir().unwrap(), daemon: None, env: Vec::new() };
        std::fs::create_dir(station.path("clips")).unwrap();
        station.configure(device, "");
        station.list("");
        station
    }

    /// Variables for the daemon and every command.
    pub fn with_env(mut self, env: Vec<(String, String)>) -> Station {
        self.env.extend(env);
        self
    }

    /// A path below the box's folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Writes `station.toml`: `more` is added, and may hold any table but those written here.
    pub fn configure(&self, device: &str, more: &str) {
        let quiet = |hours: i64| local(now_ms() + hours * 3_600_000, "%H:%M");
        let hours = if more.contains("[quiet_hours]") {
            String::new()
        } else {
            format!("[quiet_hours]\nfrom = \"{}\"\nto = \"{}\"\nshorter_by = \"thử\"\n", quiet(10), quiet(11))
        };
        let text = format!(
            "[station]\nid = \"xa-thu\"\nname = \"Đài thử\"\ndevice_id = \"thu-01\"\n\
             [state]\ndir = \"state\"\n[local]\nplaylist = \"local.toml\"\nclips = \"clips\"\n\
             [output]\ndevice = \"{device}\"\n[time]\ntrust = \"always\"\n{hours}{more}"
        );
        self.put("station.toml", &text);
    }

    /// Writes `local.toml`.
    pub fn list(&self, text: &str) {
        self.put("local.toml", text);
    }

    fn put(&self, name: &str, text: &str) {
        let part = self.path(&format!("{name}.part"));
        std::fs::write(&part, text).unwrap();
        std::fs::rename(part, self.path(name)).unwrap();
    }

    /// A command over this box.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loaxa"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("LOAXA_TRIAL", "1")
            .env("LOAXA_CONFIG", self.path("station.toml"))
            .env("LANG", "C.UTF-8")
            .env_remove("LC_MESSAGES")
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "loaxa {arguments:?}: {said}\n{}", self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the daemon and waits until it answers.
    pub fn start(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let child = self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.daemon = Some(child);
        let answers = self.wait(Duration::from_secs(20), |s| s.status().is_some());
        assert!(answers, "the daemon does not answer:\n{}", self.log());
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The daemon's process id.
    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().unwrap().id()
    }

    /// Sends a signal to the daemon.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap().success());
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it as systemd does; its exit code.
    pub fn end(&mut self) -> Option<i32> {
        self.signal("TERM");
        let mut child = self.daemon.take().unwrap();
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "the daemon does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `status --json`
    pub fn status(&self) -> Option<Value> {
        let output = self.run(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Every row of the chain but the summary.
    pub fn chain(&self) -> Vec<Value> {
        let text = self.ok(&["export", "--format", "jsonl", "--chain"]);
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|r| r["type"] != "summary").collect()
    }

    /// The airings.
    pub fn airings(&self) -> Vec<Value> {
        self.chain().into_iter().filter(|r| r["type"] == "airing").collect()
    }

    /// Waits for something to become true.
    pub fn wait(&self, longest: Duration, mut ready: impl FnMut(&Station) -> bool) -> bool {
        let until = Instant::now() + longest;
        while Instant::now() < until {
            if ready(self) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// Waits until so many airings have their row.
    pub fn wait_for_airings(&self, count: usize, longest: Duration) -> Vec<Value> {
        let mut seen = Vec::new();
        let enough = self.wait(longest, |s| {
            seen = s.airings();
            seen.len() >= count
        });
        assert!(enough, "{count} airings wanted, {}: {seen:#?}\n{}", seen.len(), self.log());
        seen
    }

    /// The log is whole by its own judgement.
    pub fn verify(&self) {
        let output = self.run(&["verify"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "verify: {said}\n{}", self.log());
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `[[clips]]` of a file in the clips folder: part of the frame, so that no approval is needed.
pub fn clip(id: &str, file: &Path) -> String {
    let name = file.file_name().unwrap().to_str().unwrap();
    format!("[[clips]]\nid = \"{id}\"\nfile = \"{name}\"\ntitle = \"Bài {id}\"\nkind = \"nhac_cat\"\n")
}

/// `[[slots]]` at one moment.
pub fn slot(id: &str, start_ms: i64, items: &str, more: &str) -> String {
    format!("[[slots]]\nid = \"{id}\"\nname = \"Buổi {id}\"\nat = \"{}\"\nitems = [{items}]\n{more}\n", at(start_ms))
}

/// A short tone as a wav file.
pub fn tone(path: &Path, ms: usize) {
    let rate = 8_000u32;
    let samples: Vec<i16> = (0..rate as usize * ms / 1000)
        .map(|i| ((i as f64 * 440.0 * std::f64::consts::TAU / f64::from(rate)).sin() * 3_000.0) as i16)
        .collect();
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16u32.to_le_bytes());
    file.extend_from_slice(&1u16.to_le_bytes());
    file.extend_from_slice(&1u16.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * 2).to_le_bytes());
    file.extend_from_slice(&2u16.to_le_bytes());
    file.extend_from_slice(&16u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&bytes.to_le_bytes());
    samples.iter().for_each(|s| file.extend_from_slice(&s.to_le_bytes()));
    std::fs::write(path, file).unwrap();
}
