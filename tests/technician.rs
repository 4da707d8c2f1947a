//! What a technician does while the station plays, and what others do to its page: editors on its files, a config that
//! would air at night, a thousand connections. Heard on a recorded sound card.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod rig;
mod station_box;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rig::{Clip, RATE, Recording, Rig, mark, median, snr_db};
use serde_json::Value;
use sha2::{Digest, Sha256};
use station_box::{Station, at, clip, now_ms, slot, soon, tone};

/// What a clip of [`Clip::make`] sounds like on the recording: the marks at both ends, the tone between.
fn reference(clip: &Clip) -> Vec<f32> {
    let frames = RATE as usize * clip.ms / 1000;
    let (first, last) = (mark(clip.seed, RATE), mark(clip.seed + 1_000, RATE));
    let hum = |i: usize| (0.02 * (i as f64 / f64::from(RATE) * 440.0 * std::f64::consts::TAU).sin()) as f32;
    let mut samples: Vec<f32> = (0..frames).map(hum).collect();
    samples[..first.len()].copy_from_slice(&first);
    samples[frames - last.len()..].copy_from_slice(&last);
    samples
}

/// Heard once, from its first sample to its last, nothing lost between: where it began, and the worst 100 ms in dB.
fn heard_whole(recording: &Recording, clip: &Clip) -> (i64, f64) {
    let (head, tail) = (recording.onsets(&clip.head()), recording.onsets(&clip.tail()));
    assert_eq!((head.len(), tail.len()), (1, 1), "clip {} is heard once", clip.seed);
    let long = tail[0].sample - head[0].sample;
    let meant = ((clip.ms - rig::MARK_MS) * RATE as usize / 1000) as f64;
    assert!((long - meant).abs() < 1.0, "clip {}: {:.1} samples too long", clip.seed, long - meant);
    let start = head[0].sample.round() as usize;
    let snr = snr_db(&recording.samples[start..], &reference(clip));
    println!("clip {}: typical {:.1} dB", clip.seed, median(&snr));
    (head[0].wall_ns, snr.iter().copied().fold(f64::MAX, f64::min))
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

fn config_rows(station: &Station) -> Vec<Value> {
    station.chain().into_iter().filter(|r| r["event"] == "config").collect()
}

/// A running daemon whose files people edit.
struct Desk {
    station: Station,
    /// The list as the last good edit left it.
    list: String,
    slowest_ms: i64,
}

impl Desk {
    fn file(&self) -> std::path::PathBuf {
        self.station.path("local.toml")
    }

    /// Waits for the row that tells what became of the file as it stands, and how long that took.
    fn settled(&mut self, how: &str, since_ms: i64, accepted: bool, rows_before: usize) -> Value {
        let mut rows = Vec::new();
        let there = self.station.wait(Duration::from_secs(10), |s| {
            rows = config_rows(s);
            rows.len() > rows_before
        });
        assert!(there, "{how}: no row\n{}", self.station.log());
        let row = rows[rows_before].clone();
        assert_eq!(row["detail"]["accepted"], accepted, "{how}: {row}");
        let recorded = chrono::DateTime::parse_from_rfc3339(row["at"].as_str().unwrap()).unwrap().timestamp_millis();
        let took = recorded - since_ms;
        println!("{how}: {} after {took} ms", if accepted { "in force" } else { "refused" });
        assert!(took < 2_000, "{how}: {took} ms");
        self.slowest_ms = self.slowest_ms.max(took);
        row
    }

    /// Someone changes the list in some way; the file must then hold `list`, and that be in force within two seconds.
    fn takes(&mut self, how: &str, list: String, edit: impl FnOnce(&Path)) {
        let before = config_rows(&self.station).len();
        edit(&self.file());
        let done = now_ms();
        assert_eq!(fs::read_to_string(self.file()).unwrap(), list, "{how} did not do what it was to do");
        let row = self.settled(how, done, true, before);
        assert_eq!(row["detail"]["local_sha256"], sha256(&list), "{how}");
        self.list = list;
    }

    /// Someone spoils the list: refused with the place, and what was in force stays so.
    fn refuses(&mut self, how: &str, place: &str, edit: impl FnOnce(&Path)) {
        let before = config_rows(&self.station).len();
        edit(&self.file());
        let row = self.settled(how, now_ms(), false, before);
        assert!(row["detail"]["finding"].as_str().unwrap().contains(place), "{how}: {row}");
        let status = self.station.status().unwrap();
        assert!(status["alarms"].to_string().contains("config_refused"), "{how}: {status}");
        assert_eq!(status["state"], "on_air", "{how}: the station plays on");
        let kept = self.station.path("state/in-force/local.toml");
        assert_eq!(fs::read_to_string(kept).unwrap(), self.list, "{how}: the last good list is kept");
    }
}

fn run(program: &str, arguments: &[&str], file: &Path) {
    let status = Command::new(program)
        .args(arguments)
        .arg(file)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap_or_else(|e| panic!("{program} is not installed: {e}"));
    assert!(status.success(), "{program}: {status}");
}

/// vim as a person's commands drive it, in its silent mode; the small one goes by its old name only.
fn vim(file: &Path, command: &str) {
    run("vi", &["-u", "NONE", "-es", "-c", command, "-c", "wq"], file);
}

/// nano on a terminal of its own: the cursor on `line`, the line cut, another one typed, saved, left.
fn nano(file: &Path, line: usize, typed: &str) {
    let command = format!("nano -I +{line},1 '{}'", file.display());
    let mut script = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("script (bsdutils) is not installed");
    let mut keys = script.stdin.take().unwrap();
    // A key before nano reads the terminal would be echoed and lost.
    std::thread::sleep(Duration::from_millis(1_000));
    for stroke in ["\u{b}", typed, "\r", "\u{13}"] {
        keys.write_all(stroke.as_bytes()).unwrap();
        keys.flush().unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }
    keys.write_all(b"\x18").unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while script.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "nano does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A copy over a slow network: in pieces, with pauses.
fn copy_slowly(file: &Path, text: &str, cuts: &[usize], pause: Duration) {
    let mut out = File::create(file).unwrap();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([text.len()]) {
        out.write_all(&text.as_bytes()[from..cut]).unwrap();
        out.flush().unwrap();
        from = cut;
        if cut < text.len() {
            std::thread::sleep(pause);
        }
    }
}

/// vim, nano, `sed -i` and a copy written in pieces, good and bad ones, while a session plays: what is right is in force
/// within two seconds, what is wrong is refused, and nobody hears any of it.
#[test]
fn editors_at_work_are_not_heard() {
    let rig = Rig::start();
    let station = Station::new("default").with_env(rig.env());
    let clips: Vec<Clip> = (0..6).map(|i| Clip::make(&station.path("clips"), i, 6_400, 48_000, 2, "wav")).collect();
    let start = soon(9_000);
    let length = 5 * 6_400;
    let known: String = clips.iter().map(|c| clip(&format!("c{}", c.seed), &c.file)).collect();
    let running = slot("s", start, "\"c0\", \"c1\", \"c2\", \"c3\", \"c4\"", "");
    let later = |at_ms: i64| slot("sau", at_ms, "\"c5\"", "");
    let far = |minutes: i64| start + minutes * 60_000;
    let list = format!("{known}{running}{}", later(far(60)));
    station.list(&list);
    let mut desk = Desk { station, list, slowest_ms: 0 };
    // The recorder first: the start of a busy machine's daemon must not eat the first sound.
    let recorder = rig.record();
    desk.station.start();
    std::thread::sleep(Duration::from_millis((start + 500 - now_ms()).max(0) as u64));

    let swap = |list: &str, from: i64, to: i64| list.replace(&at(far(from)), &at(far(to)));
    let list = swap(&desk.list, 60, 61);
    desk.takes("vim", list, |f| vim(f, &format!("%s/{}/{}/", at(far(60)), at(far(61)))));
    desk.refuses("vim, a time that is none", "local.toml:", |f| {
        vim(f, &format!("%s/{}/{}/", at(far(61)), "2026-13-01T25:00"));
    });
    let list = swap(&desk.list, 61, 62);
    let line = 1 + list.lines().position(|l| l.contains(&at(far(62)))).unwrap();
    desk.takes("nano", list, |f| nano(f, line, &format!("at = \"{}\"", at(far(62)))));
    let list = swap(&desk.list, 62, 63);
    desk.takes("sed -i", list, |f| run("sed", &["-i", &format!("s/{}/{}/", at(far(62)), at(far(63)))], f));
    // The station's own way writes down who it was, and waits for nothing.
    let list = swap(&desk.list, 63, 64);
    let editor = format!("sed -i s/{}/{}/", at(far(63)), at(far(64)));
    let mut edit = desk.station.command(&["edit", "local", "--yes", "--by", "Nguyễn Văn A"]);
    desk.takes("loaxa edit", list, |_| {
        let output = edit.env("EDITOR", editor).env_remove("VISUAL").output().unwrap();
        assert!(output.status.success(), "{output:?}");
    });
    assert_eq!(config_rows(&desk.station).last().unwrap()["by"], "Nguyễn Văn A");
    desk.refuses("sed -i, a key that is none", "local.toml:", |f| run("sed", &["-i", "s/^items/itmes/"], f));

    // The last change takes an item from the session that plays (it is fixed: that is not felt) and calls the next
    // one soon. It arrives in pieces, of which the first is a list by itself: that is never in force.
    let soon_after = start + length + 4_000;
    let list = format!("{known}{}{}", running.replace(", \"c4\"", ""), later(soon_after));
    let cuts = [known.len(), known.len() + running.len() / 2];
    desk.takes("a copy in pieces", list.clone(), |f| copy_slowly(f, &list, &cuts, Duration::from_millis(1_600)));
    // And one that never ends well.
    desk.refuses("half a copy", "local.toml:", |f| fs::write(f, &list[..list.len() - 20]).unwrap());
    let left = start + length - now_ms();
    assert!(left > 0, "all this took longer than the session: {left} ms");

    let airings = desk.station.wait_for_airings(6, Duration::from_secs(60));
    let recording = recorder.stop();
    for airing in &airings {
        assert_eq!((&airing["outcome"], &airing["reason"]), (&"aired".into(), &Value::Null), "{airing}");
    }
    let mut worst = f64::MAX;
    let mut began = Vec::new();
    for clip in &clips {
        let (at, snr) = heard_whole(&recording, clip);
        worst = worst.min(snr);
        began.push(at);
    }
    let errors: Vec<f64> = (0..6)
        .map(|i| if i < 5 { start + i * 6_400 } else { soon_after })
        .zip(&began)
        .map(|(due, at)| (at - due * 1_000_000) as f64 / 1e6)
        .collect();
    println!(
        "slowest change {} ms; worst 100 ms of sound {worst:.1} dB; starts {errors:.2?} ms; seams by the sample",
        desk.slowest_ms
    );
    // Half a millisecond of silence in a tenth of a second would be 23 dB.
    assert!(worst > 27.0, "something is missing: {worst} dB");
    assert!(errors.iter().all(|e| e.abs() <= 50.0), "{errors:?}");
    // The half copy is still there: mended, the alarm is over.
    let list = desk.list.clone();
    desk.takes("mended", list.clone(), |f| fs::write(f, &list).unwrap());
    assert_eq!(desk.station.status().unwrap()["alarms"], serde_json::json!([]));
    desk.station.verify();
}

/// A zone in which it is past three at night right now, and its hours east of Greenwich.
fn three_at_night() -> (String, i64) {
    let hour = now_ms() / 3_600_000 % 24;
    let east = (3 - hour + 36) % 24 - 12;
    let name = if east == 0 { "Etc/GMT".into() } else { format!("Etc/GMT{:+}", -east) };
    (name, east)
}

/// 03:15 by force: a signed list that airs at night, a session that was fixed before the hours changed, files planted in
/// the state folder. Nothing sounds, and the rows say why.
#[test]
fn nothing_forced_into_the_state_folder_sounds_at_night() {
    let rig = Rig::start();
    let (zone, east) = three_at_night();
    let there = |ms: i64| {
        chrono::DateTime::from_timestamp_millis(ms + east * 3_600_000).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string()
    };
    let mut station = Station::new("default").with_env(rig.env());
    let night = Clip::make(&station.path("clips"), 1, 3_000, 44_100, 1, "wav");
    let recorder = rig.record();

    // The province signs a list of its own that airs at night: legal and odd, so it is taken.
    let province = station.path("province");
    fs::create_dir(&province).unwrap();
    fs::copy(&night.file, province.join("dem.wav")).unwrap();
    let due = soon(14_000);
    let theirs = format!(
        "source = \"tinh\"\n[[clips]]\nid = \"dem\"\nfile = \"dem.wav\"\ntitle = \"Đêm\"\nkind = \"nhac_cat\"\n\
         [[slots]]\nid = \"dem\"\nname = \"Đêm\"\nat = \"{}\"\nitems = [\"dem\"]\n",
        there(due)
    );
    fs::write(province.join("playlist.toml"), theirs).unwrap();
    station.ok(&["keygen", "--out", "tinh"]);
    station.ok(&["publish", "province", "--key", "tinh.key", "--out", "out"]);
    let key = fs::read_to_string(station.path("tinh.pub")).unwrap();
    let key = key.lines().last().unwrap();
    // Quiet hours stand nowhere: 21:00-05:00 holds all the same.
    let good = format!(
        "[station]\nid = \"xa-thu\"\nname = \"Đài thử\"\ntimezone = \"{zone}\"\n[state]\ndir = \"state\"\n\
         [[source]]\nid = \"tinh\"\norigin = \"tinh\"\nurl = \"http://127.0.0.1:9/playlist.json\"\npublic_keys = [\"{key}\"]\n\
         [local]\n[output]\ndevice = \"default\"\n[time]\ntrust = \"always\"\n"
    );
    fs::write(station.path("station.toml"), &good).unwrap();
    station.ok(&["import", "out"]);
    station.start();
    let rows = station.wait_for_airings(1, Duration::from_secs(40));
    let blocked = (Value::from("blocked"), Value::from("quiet_hours"));
    assert_eq!((rows[0]["outcome"].clone(), rows[0]["reason"].clone()), blocked, "{rows:?}");
    assert_eq!(rows[0]["slot_source"], "tinh");
    assert!(rows[0]["planned_at"].as_str().unwrap().contains("T03:"), "{rows:?}");
    // By hand neither: a clip of the stored list, the test tone, an emergency of a source that may send none.
    for words in [&["play", "tinh/dem"][..], &["play", "tone"]] {
        assert_eq!(station.run(words).status.code(), Some(1), "{words:?}");
    }
    station.verify();
    station.kill();

    // A night session written into the copy that is used when the file is broken: the copy is checked like any file.
    let forged = clip("dem", &night.file)
        + &format!("[[slots]]\nid = \"dem\"\nat = \"{}\"\nitems = [\"dem\"]\n", there(soon(10_000)));
    fs::write(station.path("state/in-force/local.toml"), &forged).unwrap();
    fs::write(station.path("state/own-list.toml"), &forged).unwrap();
    fs::write(station.path("station.toml"), good.replace("[output]", "[output")).unwrap();
    assert_eq!(station.run(&["run"]).status.code(), Some(78), "neither the file nor the copy may run");
    // With a file that is right the planted copies count for nothing: they are overwritten.
    fs::write(station.path("station.toml"), &good).unwrap();
    fs::write(station.path("local.toml"), "").unwrap();
    station.start();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(fs::read_to_string(station.path("state/in-force/local.toml")).unwrap(), "");
    assert!(station.status().unwrap()["next"].is_null());
    station.kill();
    // The stored list with another hour in it is not what was signed.
    let stored = fs::read_dir(station.path("state/playlists")).unwrap().map(|e| e.unwrap().path());
    let mut changed = 0;
    for file in walk(stored.collect()) {
        let text = fs::read(&file).unwrap();
        if let Some(place) = text.windows(10).position(|w| w == &there(due).as_bytes()[..10]) {
            let mut text = text.clone();
            text[place + 3] ^= 1;
            fs::write(&file, text).unwrap();
            changed += 1;
        }
    }
    assert!(changed > 0, "the stored list was not found");
    station.start();
    let status = station.status().unwrap();
    assert!(status["alarms"].to_string().contains("source_tinh"), "{status}");
    station.kill();

    // A session fixed by day, taken up when it is night: the state says it is to sound now, the gate says no.
    let mut other = Station::new("default").with_env(rig.env());
    let due = soon(12_000);
    fs::copy(&night.file, other.path("clips/1.wav")).unwrap();
    other.list(&(clip("dem", &night.file) + &slot("dem", due, "\"dem\"", "")));
    other.start();
    assert!(other.wait(Duration::from_secs(20), |s| s.chain().iter().any(|r| r["type"] == "session")));
    other.kill();
    let (from, to) =
        (station_box::local(now_ms() - 600_000, "%H:%M"), station_box::local(now_ms() + 18_000_000, "%H:%M"));
    other.configure("default", &format!("[quiet_hours]\nfrom = \"{from}\"\nto = \"{to}\"\nshorter_by = \"thử\"\n"));
    other.list("");
    other.start();
    let rows = other.wait_for_airings(1, Duration::from_secs(40));
    assert_eq!((rows[0]["outcome"].clone(), rows[0]["reason"].clone()), blocked, "{rows:?}");
    std::thread::sleep(Duration::from_millis((due + 1_500 - now_ms()).max(0) as u64));
    other.verify();

    let recording = recorder.stop();
    let loudest = recording.samples.iter().fold(0f32, |m, s| m.max(s.abs()));
    println!("{:.0} s recorded, loudest sample {loudest}", recording.samples.len() as f64 / f64::from(RATE));
    assert!(loudest == 0.0, "something sounded: {loudest}");
}

/// Every file below some paths.
fn walk(mut paths: Vec<std::path::PathBuf>) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
        } else {
            files.push(path);
        }
    }
    files
}

/// Who hammers the page: connections that hold on, heads that drip a byte a second, and real questions besides.
struct Hammer {
    ends: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Hammer {
    fn start(port: u16, connections: usize) -> Hammer {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let wanted = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
        let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, wanted);
        let mut hammer =
            Hammer { ends: Arc::default(), open: Arc::default(), answered: Arc::default(), threads: vec![] };
        let (ends, open) = (hammer.ends.clone(), hammer.open.clone());
        hammer.threads.push(std::thread::spawn(move || {
            let head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
            let mut held: Vec<TcpStream> = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                // Each gets its next byte; whom the page has sent away comes again.
                held.retain_mut(|stream| {
                    let alive = match stream.read(&mut [0; 256]) {
                        Ok(0) => false,
                        Ok(_) => true,
                        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
                    };
                    alive && stream.write_all(b"x").is_ok()
                });
                while held.len() < connections && !ends.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { break };
                    let _ = stream.write_all(head);
                    let _ = stream.set_nonblocking(true);
                    held.push(stream);
                }
                open.fetch_max(held.len(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1_000));
            }
        }));
        for _ in 0..2 {
            let (ends, answered) = (hammer.ends.clone(), hammer.answered.clone());
            hammer.threads.push(std::thread::spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                        let _ = stream.write_all(b"GET /week HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
                        let mut reply = Vec::new();
                        let _ = stream.read_to_end(&mut reply);
                        answered.fetch_add(usize::from(reply.starts_with(b"HTTP/1.1 200")), Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }));
        }
        hammer
    }

    fn stop(self) -> (usize, usize) {
        self.ends.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|t| t.join().unwrap());
        (self.open.load(Ordering::Relaxed), self.answered.load(Ordering::Relaxed))
    }
}

/// A thousand connections, dripping heads and questions while clips start: on their second as without.
#[test]
fn a_thousand_connections_do_not_shift_a_start() {
    let rig = Rig::start();
    let mut station = Station::new("default").with_env(rig.env());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    station.configure("default", &format!("[page]\nlisten = \"127.0.0.1:{port}\"\n"));
    let clips: Vec<Clip> =
        (0..4).map(|i| Clip::make(&station.path("clips"), i, 700, 44_100, 1, ["wav", "mp3"][i as usize % 2])).collect();
    let (half, step) = (10, 2_000);
    let first = soon(12_000);
    // Ten starts in peace, time for the connections to come, ten starts under them.
    let due = |i: i64| first + i * step + if i < half { 0 } else { 4_000 };
    let mut list: String = clips.iter().map(|c| clip(&format!("c{}", c.seed), &c.file)).collect();
    for i in 0..2 * half {
        list += &slot(&format!("s{i}"), due(i), &format!("\"c{}\"", i % 4), "");
    }
    station.list(&list);
    let recorder = rig.record();
    station.start();
    std::thread::sleep(Duration::from_millis((due(half) - 4_500 - now_ms()).max(0) as u64));
    let hammer = Hammer::start(port, 1_000);
    let airings = station.wait_for_airings(2 * half as usize, Duration::from_secs(90));
    let (open, answered) = hammer.stop();
    let recording = recorder.stop();
    assert!(airings.iter().all(|a| a["outcome"] == "aired"), "{airings:?}");
    let errors: Vec<f64> = (0..2 * half)
        .map(|i| {
            let planned = due(i) * 1_000_000;
            let heard = recording.onsets(&clips[i as usize % 4].head());
            let near = heard.iter().map(|o| (o.wall_ns - planned) as f64 / 1e6);
            near.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::MAX)
        })
        .collect();
    let (without, under) = errors.split_at(half as usize);
    let worst = |e: &[f64]| e.iter().fold(0f64, |m, e| m.max(e.abs()));
    let (a, b) = (median(without), median(under));
    println!(
        "start error without: median {a:.2} ms, worst {:.2} ms; under {open} connections ({answered} pages read): \
         median {b:.2} ms, worst {:.2} ms",
        worst(without),
        worst(under)
    );
    assert!(open >= 1_000, "only {open} connections");
    assert!(answered > 0, "nobody gets the page any more");
    assert!(worst(&errors) <= 50.0, "{errors:?}");
    assert!((a - b).abs() <= 10.0, "the middle start moved from {a:.2} to {b:.2} ms");
    station.verify();
}

/// The rig hears what is planned: the silence of the night above is not that of a dead microphone.
#[test]
fn the_recorder_is_not_deaf() {
    let rig = Rig::start();
    let mut station = Station::new("default").with_env(rig.env());
    tone(&station.path("clips/t.wav"), 300);
    let recorder = rig.record();
    station.start();
    station.ok(&["play", "tone", "--wait"]);
    let recording = recorder.stop();
    assert!(recording.samples.iter().fold(0f32, |m, s| m.max(s.abs())) > 0.01);
}
