//! `loaxa demo`: the whole way on this machine in about a minute. The province makes keys, publishes its list and
//! serves it; the commune's daemon fetches it, plays one session with the province's offer inside, starting at an
//! exact second; then the log is shown, exported and verified. Every step is the real command, run as a child.

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::cli::{Context, Done, Failure};
use crate::daemon::clock::MachineClock;
use crate::domain::airing::Airing;
use crate::domain::config::{Device, Language};
use crate::domain::report::RowFilter;
use crate::domain::text::{Text, length_words, outcome_word, reason_words};
use crate::domain::time::{Clock, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Wall, Zone};
use crate::edge::airing_log::{AiringLog, FILE_NAME, LogError};
use crate::edge::control::{Answer, Request, ask};
use crate::edge::speaker;

/// Shown under `--help`.
pub const EXAMPLE: &str = "Ví dụ (example):\n  loaxa demo\n  loaxa demo --wav buoi-phat.wav --keep thu-muc";

/// `loaxa demo`
#[derive(Args)]
pub struct Arguments {
    /// Ghi âm vào tệp thay vì phát ra loa (record instead of playing)
    #[arg(long, value_name = "FILE")]
    wav: Option<PathBuf>,
    /// Giữ mọi tệp trong thư mục này (keep everything in this folder)
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// How long before the session the list must have come, milliseconds.
const LEAD_MS: i64 = 4 * SECOND_MS;
/// Longest wait for the first contact.
const PATIENCE_MS: i64 = 20 * SECOND_MS;

const PROVINCE: &[(&str, &[u8])] = &[
    ("cd1.mp3", include_bytes!("../../audio/province/cd1.mp3")),
    ("cd2.ogg", include_bytes!("../../audio/province/cd2.ogg")),
    ("cd3.flac", include_bytes!("../../audio/province/cd3.flac")),
    ("thông-điệp-10-10.mp3", include_bytes!("../../audio/province/thông-điệp-10-10.mp3")),
];
const COMMUNE: &[(&str, &[u8])] = &[
    ("nhạc-hiệu.flac", include_bytes!("../../audio/commune/nhạc-hiệu.flac")),
    ("lời-xướng.wav", include_bytes!("../../audio/commune/lời-xướng.wav")),
    ("bản-tin-xã.mp3", include_bytes!("../../audio/commune/bản-tin-xã.mp3")),
];
const CAMPAIGN: &str = include_str!("../../audio/province/playlist.toml");
/// Dates of the campaign as shipped: its first day, its last, and those around them.
const CAMPAIGN_DAYS: (&str, &str) = ("2022-10-01", "2022-10-10");

/// A child that ends with the demo.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Demo {
    dir: PathBuf,
    program: PathBuf,
    language: Language,
    clock: Arc<MachineClock>,
    zone: Zone,
}

/// Plays it all.
pub fn run(context: &Context, arguments: &Arguments) -> Done {
    let demo = Demo::prepare(context, arguments)?;
    let say = |text: Text| println!("{}", text.say(demo.language));
    say(Text::DemoBegins { dir: demo.dir.display().to_string() });
    let device = demo.device(arguments)?;

    let key = demo.publish()?;
    let (_server, url) = demo.serve()?;
    demo.write_station(&device, &url, &key)?;
    let daemon = demo.start_daemon()?;
    demo.wait_for_list()?;
    let start = demo.schedule_session()?;
    say(Text::DemoStarts { at: demo.zone.local(start).format("%H:%M:%S").to_string(), device: device.to_string() });
    let airings = demo.watch(start)?;
    demo.stop_daemon(daemon)?;
    demo.show(&airings);
    let whole = demo.export_and_verify()?;
    if !device.counts() {
        say(Text::DemoSilent { device: device.to_string() });
    }
    println!("{}", Text::AiredMeans {}.say(demo.language));
    let all_aired = airings.len() == 5 && airings.iter().all(|a| a.outcome == crate::domain::airing::Outcome::Aired);
    if whole && all_aired {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::Failed(Text::DemoFailed {}.say(demo.language)))
    }
}

impl Demo {
    fn prepare(context: &Context, arguments: &Arguments) -> Result<Demo, Failure> {
        let clock = Arc::new(MachineClock::plain());
        let dir = match &arguments.keep {
            Some(dir) => dir.clone(),
            None => std::env::temp_dir().join(format!("loaxa-demo-{}", clock.now().wall().0 / 1000)),
        };
        let demo = Demo {
            program: std::env::current_exe().map_err(|e| Failure::Failed(e.to_string()))?,
            language: context.language,
            zone: Zone::default(),
            dir,
            clock,
        };
        if demo.dir.join("state").exists() {
            let text = Text::DemoFolderTaken { dir: demo.dir.display().to_string() };
            return Err(Failure::Failed(text.say(demo.language)));
        }
        for sub in ["province", "www", "clips"] {
            demo.ok(std::fs::create_dir_all(demo.dir.join(sub)))?;
        }
        for (name, bytes) in PROVINCE {
            demo.ok(std::fs::write(demo.dir.join("province").join(name), bytes))?;
        }
        for (name, bytes) in COMMUNE {
            demo.ok(std::fs::write(demo.dir.join("clips").join(name), bytes))?;
        }
        Ok(demo)
    }

    fn ok<T>(&self, result: std::io::Result<T>) -> Result<T, Failure> {
        result.map_err(|e| Failure::Failed(format!("{}: {e}", self.dir.display())))
    }

    fn say(&self, text: Text) {
        println!("{}", text.say(self.language));
    }

    fn failed(&self, text: Text) -> Failure {
        Failure::Failed(text.say(self.language))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let lang = if self.language == Language::En { "en" } else { "vi" };
        command.args(arguments).args(["--lang", lang]).current_dir(&self.dir).env("LOAXA_TRIAL", "1");
        command.env("LOAXA_CONFIG", "station.toml").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end and answers what it printed; its messages stay hidden unless it fails.
    fn done(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.ok(self.command(arguments).output())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        Err(self.failed(Text::DemoStepFailed { command: arguments.join(" "), said }))
    }

    /// The sound device to play to: the machine's own when it opens, else none, in real time.
    fn device(&self, arguments: &Arguments) -> Result<Device, Failure> {
        if let Some(file) = &arguments.wav {
            let file = if file.is_absolute() { file.clone() } else { self.ok(std::env::current_dir())?.join(file) };
            return Ok(Device::Wav(file));
        }
        let default = Device::Alsa("default".into());
        Ok(if speaker::opens(&default, self.clock.clone(), Duration::from_secs(3)) { default } else { Device::Null })
    }

    /// The province: keys, the campaign laid on today, a published folder. Answers the public key.
    fn publish(&self) -> Result<String, Failure> {
        let key = self.done(&["keygen", "--out", "tinh"])?.trim().to_owned();
        let today = self.zone.date(self.clock.now().wall());
        let last = today + chrono::TimeDelta::days(9);
        let list = CAMPAIGN
            .replace(CAMPAIGN_DAYS.1, &last.format("%Y-%m-%d").to_string())
            .replace(CAMPAIGN_DAYS.0, &today.format("%Y-%m-%d").to_string());
        self.ok(std::fs::write(self.dir.join("province/playlist.toml"), list))?;
        self.done(&["publish", "province", "--key", "tinh.key", "--out", "www"])?;
        self.say(Text::DemoPublished { key: key.clone() });
        Ok(key)
    }

    fn serve(&self) -> Result<(Running, String), Failure> {
        let mut command = self.command(&["serve", "www", "--listen", "127.0.0.1:0"]);
        let mut child = self.ok(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn())?;
        let out = child.stdout.take();
        let running = Running(child);
        let mut url = String::new();
        if let Some(out) = out {
            self.ok(BufReader::new(out).read_line(&mut url))?;
        }
        let url = url.trim().to_owned();
        self.say(Text::DemoServes { url: url.clone() });
        Ok((running, url))
    }

    /// The commune: its config, and a list without sessions yet.
    fn write_station(&self, device: &Device, url: &str, key: &str) -> Result<(), Failure> {
        let now = self.clock.now().wall();
        // Quiet hours on the other side of the clock, so that the demo can be heard at any hour.
        let quiet = |ahead_ms: i64| self.zone.local(now + ahead_ms).format("%H:%M").to_string();
        let station = format!(
            "[station]\nid = \"xa-binh-minh\"\nname = \"Đài Truyền thanh xã Bình Minh (ví dụ)\"\ndevice_id = \"bm-01\"\n\n\
             [state]\ndir = \"state\"\n\n\
             [[source]]\nid = \"tinh\"\norigin = \"tinh\"\nurl = \"{url}\"\npublic_keys = [\"{key}\"]\n\n\
             [local]\nplaylist = \"local.toml\"\nclips = \"clips\"\n\n\
             [output]\ndevice = {}\n\n\
             [quiet_hours]\nfrom = \"{}\"\nto = \"{}\"\n\n\
             [time]\ntrust = \"always\"\n",
            Value::from(device.to_string()),
            quiet(10 * HOUR_MS),
            quiet(10 * HOUR_MS + 30 * MINUTE_MS),
        );
        self.ok(std::fs::write(self.dir.join("station.toml"), station))?;
        self.write_local(None)
    }

    fn write_local(&self, start: Option<Wall>) -> Result<(), Failure> {
        let mut list = String::from(
            "[[clips]]\nid = \"nhac-hieu\"\nfile = \"nhạc-hiệu.flac\"\ntitle = \"Nhạc hiệu\"\nkind = \"nhac_hieu\"\n\n\
             [[clips]]\nid = \"loi-xuong\"\nfile = \"lời-xướng.wav\"\n\
             title = \"Đây là Đài Truyền thanh xã Bình Minh\"\nkind = \"loi_xuong\"\n\n\
             [[clips]]\nid = \"ban-tin\"\nfile = \"bản-tin-xã.mp3\"\ntitle = \"Bản tin xã\"\nkind = \"ban_tin\"\n\
             approved_by = \"Trần Thị B\"\napproved_at = \"2022-09-30\"\n",
        );
        let start = start.unwrap_or(self.clock.now().wall() + 300 * DAY_MS);
        list += &format!(
            "\n[[slots]]\nid = \"buoi-thu\"\nname = \"Buổi thử\"\nat = \"{}\"\n\
             items = [\"nhac-hieu\", \"loi-xuong\", \"ban-tin\", {{ offers = \"priority\" }}]\n",
            self.zone.local(start).format("%Y-%m-%dT%H:%M:%S")
        );
        let part = self.dir.join("local.part");
        self.ok(std::fs::write(&part, list).and_then(|()| std::fs::rename(&part, self.dir.join("local.toml"))))
    }

    fn start_daemon(&self) -> Result<Running, Failure> {
        let log = self.ok(std::fs::File::create(self.dir.join("loaxa.log")))?;
        let child = self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn();
        Ok(Running(self.ok(child)?))
    }

    fn status(&self) -> Option<Value> {
        match ask(&self.dir.join("state"), &Request::Status, Some(Duration::from_secs(5))) {
            Ok(Answer::Done(value)) => Some(value),
            _ => None,
        }
    }

    fn wait_for(&self, what: &str, until: Wall, mut ready: impl FnMut() -> bool) -> Result<(), Failure> {
        while !ready() {
            if self.clock.now().wall() > until {
                let log = self.dir.join("loaxa.log").display().to_string();
                return Err(self.failed(Text::DemoWaits { what: what.into(), log }));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn wait_for_list(&self) -> Result<(), Failure> {
        let until = self.clock.now().wall() + PATIENCE_MS;
        let mut serial = None;
        self.wait_for("sync", until, || {
            serial = self.status().and_then(|s| s["sources"][0]["serial"].as_u64());
            serial.is_some()
        })?;
        self.say(Text::DemoSynced { serial: serial.unwrap_or(0) });
        Ok(())
    }

    /// The technician sets the session's time; the running daemon takes the changed list.
    fn schedule_session(&self) -> Result<Wall, Failure> {
        let now = self.clock.now().wall();
        let start = Wall((now.0 + LEAD_MS) / SECOND_MS * SECOND_MS + SECOND_MS);
        self.write_local(Some(start))?;
        // It would notice by itself within two seconds; asking saves them.
        let _ = ask(&self.dir.join("state"), &Request::Reload { by: None }, Some(Duration::from_secs(5)));
        Ok(start)
    }

    /// Shows what is on the air until the session is over; answers its rows.
    fn watch(&self, start: Wall) -> Result<Vec<Airing>, Failure> {
        let shown = std::io::stderr().is_terminal();
        let bar = if shown { ProgressBar::new(1000) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{msg:42!} [{bar:30}] {prefix}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let mut last = String::new();
        let mut airings = Vec::new();
        // A minute and a half is more than the session takes.
        self.wait_for("session", start + 90 * SECOND_MS, || {
            if let Some(status) = self.status() {
                let on_air = &status["on_air"];
                let title = on_air["title"].as_str().unwrap_or_default().to_owned();
                let (played, length) =
                    (on_air["played_ms"].as_i64().unwrap_or(0), on_air["clip_ms"].as_i64().unwrap_or(1).max(1));
                bar.set_message(title.clone());
                bar.set_prefix(length_words(played, self.language));
                bar.set_position((played * 1000 / length).clamp(0, 1000) as u64);
                if !title.is_empty() && title != last {
                    if !shown {
                        self.say(Text::StateOnAir { title: title.clone() });
                    }
                    last = title;
                }
            }
            airings = self.rows().unwrap_or_default();
            airings.len() >= 5
        })?;
        bar.finish_and_clear();
        Ok(airings)
    }

    fn rows(&self) -> Result<Vec<Airing>, LogError> {
        let log = AiringLog::open_read_only(&self.dir.join("state").join(FILE_NAME))?;
        let mut airings = Vec::new();
        log.for_each_row::<LogError>(&RowFilter::default(), |_, body| {
            airings.extend(serde_json::from_str::<Airing>(body));
            Ok(())
        })?;
        Ok(airings)
    }

    fn stop_daemon(&self, mut daemon: Running) -> Result<(), Failure> {
        if let Some(pid) = i32::try_from(daemon.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // Softly, as systemd does.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let until = self.clock.now().wall() + 10 * SECOND_MS;
        self.wait_for("shutdown", until, || matches!(daemon.0.try_wait(), Ok(Some(_))))
    }

    fn show(&self, airings: &[Airing]) {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        let headings = [
            Text::HeadTime {},
            Text::HeadTitle {},
            Text::HeadPlayed {},
            Text::HeadOutcome {},
            Text::HeadReason {},
            Text::HeadStartError {},
        ];
        table.set_header(headings.map(|h| h.say(self.language)));
        for airing in airings {
            let planned = Wall::parse_rfc3339(&airing.planned_at).unwrap_or_default();
            let error = airing.start_error_ms.map(|e| format!("{e:+.2} ms"));
            table.add_row([
                self.zone.local(planned).format("%H:%M:%S").to_string(),
                airing.title.clone().unwrap_or_default(),
                length_words(airing.played_ms, self.language),
                outcome_word(airing.outcome, self.language).to_owned(),
                airing.reason.map(|r| reason_words(r, self.language).to_owned()).unwrap_or_default(),
                error.unwrap_or_default(),
            ]);
        }
        println!("{table}");
    }

    fn export_and_verify(&self) -> Result<bool, Failure> {
        for (format, name) in [("csv", "nhat-ky.csv"), ("jsonl", "nhat-ky.jsonl")] {
            self.done(&["export", "--format", format, "-o", name])?;
            println!("{}", self.dir.join(name).display());
        }
        let verified = self.ok(self.command(&["verify"]).output())?;
        print!("{}", String::from_utf8_lossy(&verified.stdout));
        Ok(verified.status.success())
    }
}
