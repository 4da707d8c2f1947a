//! What a bad line and a quiet hour cost: a transfer that is reset again and again, and a poll with nothing new.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod lying_server;
mod province;
mod station_box;

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lying_server::{LyingServer, Request, answer_head, etag};
use province::Province;
use station_box::Station;

fn serial(station: &Station) -> Option<u64> {
    station.status()?["sources"][0]["serial"].as_u64()
}

/// Sends at 1 MB/s and resets the line at a random moment within a second.
fn reset_each_second(request: &Request, bytes: &[u8], out: &mut TcpStream, chance: f64, sent: &AtomicU64) {
    let (head, rest) = answer_head(request, bytes, &etag(bytes));
    let life = Duration::from_secs_f64(0.1 + 0.9 * chance);
    let began = Instant::now();
    if out.write_all(head.as_bytes()).is_err() {
        return;
    }
    sent.fetch_add(head.len() as u64, Ordering::Relaxed);
    let mut gone = 0;
    for piece in rest.chunks(10_000) {
        if began.elapsed() >= life {
            // A reset, not an orderly end: what lies unread on the other side is lost.
            let _ = rustix::net::sockopt::set_socket_linger(&*out, Some(Duration::ZERO));
            return;
        }
        if out.write_all(piece).is_err() {
            return;
        }
        sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        gone += piece.len();
        let due = Duration::from_secs_f64(gone as f64 / 1e6);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
}

/// 50 MB in the large (`LOAXA_RESETS=50`), 3 MB here, over a line of 1 MB/s that is reset each second at a random
/// point: done, for at most 1.15 times the bytes.
#[test]
fn a_line_that_breaks_each_second_brings_the_clip_without_waste() {
    let megabytes: usize = std::env::var("LOAXA_RESETS").ok().and_then(|v| v.parse().ok()).unwrap_or(3);
    let province = Province::new();
    // 16,000 bytes a second of sound.
    province.publish("[[offers]]\nid = \"o\"\nitems = [\"dai\"]\n", &[("dai", megabytes * 62_500)]);
    let server = LyingServer::start();
    province.serve(&server);
    let clips = std::fs::read_dir(province.dir.path().join("out/clips")).unwrap();
    let path = clips.flatten().next().unwrap().path();
    let bytes = std::fs::read(&path).unwrap();
    let (sent, tries) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let url = format!("/clips/{}", path.file_name().unwrap().to_str().unwrap());
    let (counted, total) = (sent.clone(), bytes.len());
    let tried = tries.clone();
    server.lie(&url, move |request, out| {
        let n = tried.fetch_add(1, Ordering::Relaxed) + 1;
        let chance = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1u64 << 53) as f64;
        reset_each_second(request, &bytes, out, chance, &counted);
    });
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, ""));
    station.start();
    let _ = station.command(&["sync"]).spawn().unwrap().wait();
    let longest = Duration::from_secs(60 + 6 * megabytes as u64);
    assert!(station.wait(longest, |s| serial(s) == Some(1)), "{}", station.log());
    let (sent, tries) = (sent.load(Ordering::Relaxed), tries.load(Ordering::Relaxed));
    let ratio = sent as f64 / total as f64;
    println!("{total} bytes over a line reset {} times: {sent} sent, {ratio:.3} times", tries - 1);
    assert!(tries >= megabytes as u64, "{tries}");
    assert!(ratio <= 1.15, "{ratio:.3} times");
}

/// Every file below a folder with its size and time.
fn state_of(dir: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut all = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folders.push(entry.path());
            }
            all.push((entry.path(), meta.len(), meta.modified().unwrap()));
        }
    }
    all.sort();
    all
}

/// What the daemon has had written to a disk, bytes; none where the kernel does not count.
fn written(station: &Station) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{}/io", station.pid())).ok()?;
    text.lines().find_map(|l| l.strip_prefix("write_bytes: "))?.trim().parse().ok()
}

/// Nothing new: a poll is one request, answered 304, less than a kilobyte each way, and not a byte on the card.
#[test]
fn a_poll_with_nothing_new_costs_one_small_question() {
    let province = Province::new();
    province.publish("[[offers]]\nid = \"o\"\nitems = [\"tin\"]\n", &[("tin", 700)]);
    let server = LyingServer::start();
    province.serve(&server);
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, "poll = \"1s\"\n"));
    station.start();
    assert!(station.wait(Duration::from_secs(15), |s| serial(s) == Some(1)), "{}", station.log());
    // The first rows are written, and the look at the log that follows a start is over.
    let looked_over = |s: &Station| s.status().is_some_and(|s| s["log"]["looked_over_at"].is_string());
    assert!(station.wait(Duration::from_secs(60), looked_over), "{}", station.log());
    std::thread::sleep(Duration::from_secs(2));
    server.forget_requests();
    let (files, bytes) = (state_of(&station.path("state")), written(&station));
    const POLLS: u64 = 5;
    assert!(station.wait(Duration::from_secs(30), |_| server.traffic().requests >= POLLS));
    let traffic = server.traffic();
    assert_eq!(server.requests("/playlist.json").len() as u64, traffic.requests, "one question a poll");
    assert_eq!(server.body_bytes(), 0, "all were 304");
    let polls = traffic.requests;
    assert!(traffic.came / polls < 1_024 && traffic.went / polls < 1_024, "{traffic:?}");
    assert_eq!(state_of(&station.path("state")), files, "{}", station.log());
    assert_eq!(written(&station), bytes);
    println!("a poll: {} bytes asked, {} answered, 0 written", traffic.came / polls, traffic.went / polls);
}

/// A figure of the daemon's memory from `/proc/PID/status`, bytes.
fn memory(station: &Station, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", station.pid())).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// A list, a signature, headers and a clip without end, and a compressed body that would be huge: each is given up
/// within its limit, and the daemon's memory hardly grows.
#[test]
fn whatever_never_ends_costs_little() {
    let province = Province::new();
    province.publish("[[offers]]\nid = \"o\"\nitems = [\"tin\"]\n", &[("tin", 700)]);
    let server = LyingServer::start();
    province.serve(&server);
    let list: serde_json::Value =
        serde_json::from_slice(&std::fs::read(province.dir.path().join("out/playlist.json")).unwrap()).unwrap();
    let clip = format!("/{}", list["clips"][0]["url"].as_str().unwrap());
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, ""));
    station.start();
    // One honest failure first, so that what a first question needs is there.
    server.lie("/playlist.json", |_, out| drop(out.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")));
    let _ = station.run(&["sync"]);
    let before = memory(&station, "VmHWM");
    let endless = |head: &'static str, body: &'static [u8]| {
        move |_: &Request, out: &mut TcpStream| {
            let _ = out.write_all(head.as_bytes());
            while out.write_all(body).is_ok() {}
        }
    };
    const PLAIN: &str = "HTTP/1.1 200 OK\r\n\r\n";
    type Lie = Box<dyn Fn(&Request, &mut TcpStream) + Send + Sync>;
    let lies: [(&str, &str, Lie, u64); 5] = [
        ("a list", "/playlist.json", Box::new(endless(PLAIN, &[b' '; 64 * 1024])), 20),
        ("a signature", "/playlist.json.minisig", Box::new(endless(PLAIN, &[b'x'; 64 * 1024])), 20),
        (
            "headers",
            "/playlist.json",
            Box::new(endless("HTTP/1.1 200 OK\r\n", b"X-More: yyyyyyyyyyyyyyyyyyyyyy\r\n")),
            20,
        ),
        (
            "what is compressed",
            "/playlist.json",
            // A megabyte of zeros in a few bytes, over and over.
            Box::new(endless("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", b"\x1f\x8b\x08\0\0\0\0\0\0\x03")),
            10,
        ),
        ("a clip", &clip, Box::new(endless(PLAIN, &[7; 64 * 1024])), 20),
    ];
    for (what, path, lie, most) in lies {
        server.repent();
        server.lie(path, lie);
        assert!(!station.run(&["sync"]).status.success(), "{what}");
        let grown = memory(&station, "VmHWM").saturating_sub(before);
        println!("{what} without end: {} kB more", grown / 1024);
        assert!(grown < most * 1024 * 1024, "{what}: {grown} bytes more");
        assert_eq!(serial(&station), None, "{what}");
    }
    server.repent();
    station.ok(&["sync"]);
    assert!(station.wait(Duration::from_secs(30), |s| serial(s) == Some(1)), "{}", station.log());
}
