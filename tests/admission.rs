//! What a clip has to pass before it may air, in the real probing process: shut in, limited, measured.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod lying_server;
mod province;
mod rig;
mod station_box;

use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use loaxa::daemon::clock::MachineClock;
use loaxa::edge::decoder::{ClipError, LONGEST_MS, Limits, measure, measure_in_child};
use loaxa::edge::fence;
use lying_server::LyingServer;
use province::Province;
use station_box::{Station, clip, slot, soon, tone};

fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin("loaxa")
}

const INSIDE: &str = "LOAXA_TEST_INSIDE_THE_FENCE";

/// Not a test of its own: what [`behind_the_fence_there_is_no_way_out`] starts.
#[test]
fn child_behind_the_fence() {
    let Ok(dir) = std::env::var(INSIDE) else { return };
    let (there, other) = (Path::new(&dir).join("there"), Path::new(&dir).join("other"));
    let address = std::env::var("LOAXA_TEST_ADDRESS").unwrap();
    fence::shut_in().unwrap();
    let denied = |what: &str, result: std::io::Result<()>| {
        let error = result.expect_err(what);
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{what}: {error}");
    };
    denied("tcp", TcpStream::connect(address).map(drop));
    denied("udp", UdpSocket::bind("127.0.0.1:0").map(drop));
    denied("unix", UnixStream::connect("/run/dbus/system_bus_socket").map(drop));
    denied("a pair of sockets", UnixStream::pair().map(drop));
    denied("another program", Command::new("true").status().map(drop));
    denied(
        "a signal",
        rustix::process::kill_process(rustix::process::getppid().unwrap(), rustix::process::Signal::CONT)
            .map_err(Into::into),
    );
    // SAFETY: signal 0 only asks whether one could be sent; numbers in, a number out.
    let signal = |call: libc::c_long, who: &[i32]| unsafe {
        match libc::syscall(call, who[0], who[1], who.get(2).copied().unwrap_or(0)) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    let (own, parent) = (std::process::id() as i32, std::os::unix::process::parent_id() as i32);
    denied("a signal to a thread", signal(libc::SYS_tkill, &[parent, 0]));
    denied("a signal to another's thread", signal(libc::SYS_tgkill, &[parent, parent, 0]));
    signal(libc::SYS_tgkill, &[own, own, 0]).expect("giving up is allowed");
    let others = rustix::process::getppid();
    let limit = rustix::process::Rlimit { current: Some(1), maximum: Some(1) };
    denied(
        "a limit for another",
        rustix::process::prlimit(others, rustix::process::Resource::Cpu, limit).map(drop).map_err(Into::into),
    );
    denied("a priority", rustix::process::setpriority_process(others, 19).map_err(Into::into));
    denied("writing", std::fs::OpenOptions::new().write(true).open(&there).map(drop));
    denied("emptying", std::fs::File::create(&there).map(drop));
    denied("removing", std::fs::remove_file(&there));
    denied("renaming", std::fs::rename(&there, &other));
    denied("a folder", std::fs::create_dir(&other));
    assert_eq!(std::fs::read(&there).unwrap(), b"still here", "reading is what it is for");
    println!("shut in");
}

/// Point for point what a program that has taken over the decoder might try.
#[test]
fn behind_the_fence_there_is_no_way_out() {
    let server = LyingServer::start();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("there"), "still here").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_behind_the_fence", "--nocapture"])
        .env(INSIDE, dir.path())
        .env("LOAXA_TEST_ADDRESS", server.url("").strip_prefix("http://").unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("shut in"), "{said}");
}

/// The very process that probes is behind it before it opens the file, with its limits set and nothing handed down.
#[test]
fn the_probing_process_is_shut_in_before_it_opens_the_file() {
    let dir = tempfile::tempdir().unwrap();
    // Opening a pipe waits for somebody who writes: time to look.
    let pipe = dir.path().join("pipe.mp3");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = Command::new(program())
        .args(["probe", "--memory-bytes", "67108864", "--cpu-s", "600", "--"])
        .arg(&pipe)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let of = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(20);
    while !of("status").contains("Seccomp:\t2") {
        assert!(Instant::now() < until, "not shut in: {}", of("status"));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(of("status").contains("NoNewPrivs:\t1"));
    let limits = of("limits");
    for (name, most) in [("Max address space", "67108864"), ("Max cpu time", "600"), ("Max file size", "0")] {
        let line = limits.lines().find(|l| l.starts_with(name)).unwrap();
        let words: Vec<&str> = line[name.len()..].split_whitespace().collect();
        assert_eq!(words[..2], [most, most], "{line}");
    }
    assert_eq!(of("oom_score_adj").trim(), "1000");
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
    assert_eq!(open, 3, "the standard streams and nothing else");
    drop(std::fs::OpenOptions::new().write(true).open(&pipe).unwrap());
    assert!(child.wait().unwrap().success());
}

/// Too little memory, no time, a bomb: the child ends, the parent has not grown.
#[test]
fn limits_end_the_child_and_the_parent_feels_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("long.wav");
    rig::write_wav(&wav, &vec![0.1; 48_000 * 2 * 120], 48_000, 2);
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap()
    };
    let clock = MachineClock::plain();
    let judge = |file: &Path, limits| measure_in_child(&program(), file, limits, &clock);
    let before = resident();
    for (what, limits) in [
        ("memory", Limits { memory_bytes: 4 << 20, ..Limits::default() }),
        ("processor", Limits { cpu_s: 0, ..Limits::default() }),
        ("time", Limits { wall_ms: 30, ..Limits::default() }),
    ] {
        let result = judge(&wav, limits);
        assert!(matches!(result, Err(ClipError::Broken { .. })), "{what}: {result:?}");
    }
    // A header that asks for all the memory there is.
    for bomb in bombs(dir.path()) {
        let result = judge(&bomb, Limits::default());
        assert!(result.is_err(), "{}: {result:?}", bomb.display());
    }
    assert!(resident() - before < 1_024, "the parent grew by {} kB", resident() - before);
    assert!(judge(&wav, Limits::default()).is_ok());
}

/// Files that promise far more than they hold.
fn bombs(dir: &Path) -> Vec<PathBuf> {
    let put = |name: &str, bytes: Vec<u8>| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut flac = b"fLaC\x80\x00\x00\x22".to_vec();
    flac.extend([0xff; 34]);
    let mut atoms = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42".to_vec();
    atoms.extend(
        b"\x7f\xff\xff\xffmoov\x7f\xff\xff\xf0trak\x7f\xff\xff\xe0mdia\x7f\xff\xff\xd0minf\x7f\xff\xff\xc0stbl",
    );
    atoms.extend(b"\x7f\xff\xff\x00stsz\0\0\0\0\0\0\0\0\x3f\xff\xff\xff");
    let mut wav = b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xf0".to_vec();
    wav.extend([1; 64]);
    let mut id3 = b"ID3\x04\0\0\x7f\x7f\x7f\x7fTXXX\x7f\x7f\x7f\x70".to_vec();
    id3.extend([b'x'; 4_000]);
    vec![put("bomb.flac", flac), put("bomb.m4a", atoms), put("bomb.wav", wav), put("bomb.mp3", id3)]
}

/// One sample, no channel, a rate of bats, ten hours.
#[test]
fn what_is_no_clip_for_a_loudspeaker_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let wav = |name: &str, channels: u16, rate: u32, frames: u32| {
        let path = dir.path().join(name);
        let block = channels.max(1);
        let bytes = frames * u32::from(block);
        let mut head = Vec::new();
        head.extend(b"RIFF");
        head.extend((36 + bytes).to_le_bytes());
        head.extend(b"WAVEfmt \x10\0\0\0\x01\0");
        head.extend(channels.to_le_bytes());
        head.extend(rate.to_le_bytes());
        head.extend((rate.wrapping_mul(u32::from(block))).to_le_bytes());
        head.extend(block.to_le_bytes());
        head.extend(b"\x08\0data");
        head.extend(bytes.to_le_bytes());
        std::fs::write(&path, &head).unwrap();
        // The sound itself is a hole in the file: it costs nothing.
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(44 + u64::from(bytes)).unwrap();
        path
    };
    let refused = |path: PathBuf| measure(&path).expect_err("taken");
    assert!(matches!(refused(wav("one.wav", 1, 44_100, 1)), ClipError::Broken { .. }));
    assert!(!matches!(refused(wav("none.wav", 0, 44_100, 44_100)), ClipError::Missing { .. }));
    assert!(matches!(refused(wav("bats.wav", 1, 384_000, 384_000)), ClipError::Unplayable { rate: 384_000, .. }));
    assert!(matches!(refused(wav("low.wav", 1, 4_000, 4_000)), ClipError::Unplayable { rate: 4_000, .. }));
    let long = wav("long.wav", 1, 8_000, 8_000 * 36_000);
    let limits = Limits { cpu_s: 60, ..Limits::default() };
    let result = measure_in_child(&program(), &long, limits, &MachineClock::plain());
    assert!(matches!(&result, Err(ClipError::TooLong { limit_ms: LONGEST_MS, .. })), "{result:?}");
}

/// The campaign that ships with loaxa, all of it, passes both doors: publishing, and the commune's own.
#[test]
fn every_clip_that_ships_passes() {
    use loaxa::domain::loudness::{OWN, PUBLISHED, objection};
    use loaxa::domain::publication::gain_db;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio");
    let mut seen = 0;
    for folder in ["province", "commune", "."] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
            if !["mp3", "ogg", "flac", "wav", "m4a"].contains(&ending) {
                continue;
            }
            let found = measure(&path).unwrap();
            let heard =
                loaxa::domain::loudness::Heard { loudness_lufs: found.loudness_lufs, true_peak_db: found.true_peak_db };
            assert_eq!(objection("x", heard, 0.0, OWN), None, "{}", path.display());
            assert_eq!(objection("x", heard, gain_db("x", heard, 0.0, -16.0).0, PUBLISHED), None, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen}");
}

/// A list whose clip is too loud, torn or silent stays out as a whole, and the sentence says which clip, and the
/// figure; a commune's own such clip does not air, and says so.
#[test]
fn a_clip_that_hurts_keeps_the_list_out_and_is_named() {
    let province = Province::new();
    province.publish("[[offers]]\nid = \"o\"\nitems = [\"tin\", \"hay\"]\n", &[("tin", 900), ("hay", 1_200)]);
    let loud: Vec<f32> = (0..12_000).map(|i| 0.5 * (i as f32 * 0.35).sin()).collect();
    rig::write_wav(&province.dir.path().join("in/tin.wav"), &loud, 8_000, 1);
    province::loaxa(province.dir.path(), &["publish", "in", "--key", "tinh.key", "--out", "out"]);
    let out = province.dir.path().join("out/playlist.json");
    let list: serde_json::Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let gain = list["clips"][0]["gain_db"].as_f64().unwrap();
    let mut station = Station::new("null");
    let server = LyingServer::start();
    province.serve(&server);
    station.configure("null", &province.source(&server, ""));
    // Signed by the province's own key, past its own program: a gain that lost its minus.
    let list = std::fs::read_to_string(&out).unwrap();
    let torn = list.replacen(&format!("\"gain_db\": {gain:.1}"), &format!("\"gain_db\": {:.1}", -gain), 1);
    assert!(gain < -5.0 && torn != list, "{gain}");
    let key = std::fs::read_to_string(province.dir.path().join("tinh.key")).unwrap();
    let key = minisign::SecretKeyBox::from_string(&key).unwrap().into_unencrypted_secret_key().unwrap();
    let signature = minisign::sign(None, &key, torn.as_bytes(), None, None).unwrap().to_string();
    server.file("/playlist.json", torn);
    server.file("/playlist.json.minisig", signature);
    // The commune's own: one in which the microphone was off, one that is fine.
    rig::write_wav(&station.path("clips/im.wav"), &vec![0.0; 8_000], 8_000, 1);
    tone(&station.path("clips/t.wav"), 400);
    let clips = clip("im", &station.path("clips/im.wav")) + &clip("t", &station.path("clips/t.wav"));
    station.list(&(clips + &slot("s", soon(7_000), "\"im\", \"t\"", "")));
    station.start();
    let said = String::from_utf8_lossy(&station.run(&["sync"]).stdout).into_owned();
    let status = station.status().unwrap();
    assert_eq!(status["sources"][0]["serial"], serde_json::Value::Null, "{said}");
    let error = status["sources"][0]["last_error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("giữ danh sách cũ") && error.contains("\"Bài tin\"") && error.contains("dBTP"), "{error}");
    let airings = station.wait_for_airings(2, Duration::from_secs(20));
    assert_eq!((&airings[0]["outcome"], &airings[0]["reason"]), (&"failed".into(), &"clip_bad".into()));
    assert_eq!(airings[1]["outcome"], "aired");
    let alarms = station.status().unwrap()["alarms"].to_string();
    assert!(alarms.contains("im.wav") && alarms.contains("im lặng"), "{alarms}");

    // Put right and published again it comes into force, though the clips were there.
    province.publish("[[offers]]\nid = \"o\"\nitems = [\"tin\", \"hay\"]\n", &[("tin", 900), ("hay", 1_200)]);
    province.serve(&server);
    station.ok(&["sync"]);
    assert!(station.status().unwrap()["sources"][0]["serial"].as_u64() >= Some(2));
}
