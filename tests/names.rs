//! A machine whose resolver hangs, answers late, knows no name or knows every name: the sync goes on, and what plays
//! hears nothing of it.
//!
//! The resolver is a stub on port 53 of a network that only this test can see (a namespace of its own, with its own
//! `/etc/resolv.conf`); where the machine allows none, nothing is looked at.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod lying_server;
mod province;
mod station_box;

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lying_server::{LyingServer, say};
use province::Province;
use serde_json::Value;
use station_box::{Station, clip, slot, soon, tone};

/// Says that this process is inside.
const INSIDE: &str = "LOAXA_TEST_NAMES";
const HOST: &str = "truyenthanh.example.vn";

/// What the resolver does with a question.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Swallows it.
    Hangs,
    /// Knows every name, after a while.
    Knows(Duration),
    /// There is no such name.
    Nobody,
}

struct Resolver {
    way: Arc<Mutex<Way>>,
    asked: Arc<Mutex<usize>>,
}

impl Resolver {
    fn start() -> Resolver {
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let (way, asked) = (Arc::new(Mutex::new(Way::Hangs)), Arc::new(Mutex::new(0)));
        let (shared, counted) = (way.clone(), asked.clone());
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((n, from)) = socket.recv_from(&mut question) {
                *counted.lock().unwrap() += 1;
                let (question, socket, way) =
                    (question[..n].to_vec(), socket.try_clone().unwrap(), *shared.lock().unwrap());
                std::thread::spawn(move || answer(&socket, from, &question, way));
            }
        });
        Resolver { way, asked }
    }

    fn turn(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

/// 127.0.0.1 for every name, or "no such name", as RFC 1035 writes it.
fn answer(socket: &UdpSocket, to: SocketAddr, question: &[u8], way: Way) {
    let after = match way {
        Way::Hangs => return,
        Way::Knows(after) => after,
        Way::Nobody => Duration::ZERO,
    };
    std::thread::sleep(after);
    let end = question[12..].iter().position(|b| *b == 0).unwrap() + 12 + 5;
    let address = question[end - 4..end - 2] == [0, 1]; // the kind of question: A
    let known = way != Way::Nobody;
    let mut out = question[..2].to_vec();
    out.extend([0x81, if known { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(known && address), 0, 0, 0, 0]);
    out.extend(&question[12..end]);
    if known && address {
        out.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    let _ = socket.send_to(&out, to);
}

fn source(status: &Value) -> &Value {
    &status["sources"][0]
}

fn error(station: &Station) -> String {
    station.status().map(|s| source(&s)["last_error"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// Of all of a process.
fn threads(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

#[test]
fn names_that_do_not_resolve_hold_up_nobody() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    std::fs::write(dir.path().join("nsswitch.conf"), "hosts: files dns\n").unwrap();
    // The loopback of a new network is down; nothing that is always there but Python can put it up.
    let script = "mount --bind resolv.conf /etc/resolv.conf && mount --bind nsswitch.conf /etc/nsswitch.conf || exit 77\n\
        python3 -c 'import fcntl, socket, struct\n\
fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sh\", b\"lo\", 1))' || exit 77\n\
        exec \"$TEST\" --exact names_that_do_not_resolve_hold_up_nobody --nocapture";
    let done = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "sh", "-c", script])
        .env(INSIDE, "1")
        .env("TEST", std::env::current_exe().unwrap())
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    if matches!(done.status.code(), Some(77)) || said.contains("unshare failed") {
        eprintln!("no namespaces here: not looked at\n{said}");
        return;
    }
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    print!("{said}");
}

fn inside() {
    let resolver = Resolver::start();
    let (province, server) = (Province::new(), LyingServer::start());
    province.publish("[[offers]]\nid = \"o\"\nitems = [\"tin\"]\n", &[("tin", 700)]);
    province.serve(&server);
    let none = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let mut station = Station::new("null").with_env(none.map(|name| (name.into(), String::new())).into());
    let named = province.source(&server, "").replace("127.0.0.1", HOST);
    station.configure("null", &named);
    tone(&station.path("clips/t.wav"), 400);
    let start = soon(9_000);
    let slots: String = (0..6).map(|i| slot(&format!("s{i}"), start + i * 2_000, "\"t\"", "")).collect();
    station.list(&(clip("t", &station.path("clips/t.wav")) + &slots));

    // It hangs: each check ends by itself, and what is due sounds when it is due.
    station.start();
    let calm = threads(station.pid());
    let mut most = 0;
    for _ in 0..2 {
        let began = Instant::now();
        let output = station.run(&["sync"]);
        assert!(!output.status.success());
        assert!(began.elapsed() < Duration::from_secs(25), "a check took {:?}", began.elapsed());
        most = most.max(threads(station.pid()));
    }
    assert!(resolver.asked() > 0, "the stub was not asked");
    assert!(error(&station).contains(HOST), "{}", error(&station));
    assert!(most <= calm + 3, "{most} threads after {calm}: look-ups pile up");
    let airings = station.wait_for_airings(6, Duration::from_secs(30));
    for airing in &airings {
        assert_eq!(airing["outcome"], "aired", "{airing}");
        let at = |field: &str| {
            chrono::DateTime::parse_from_rfc3339(airing[field].as_str().unwrap()).unwrap().timestamp_millis()
        };
        let late = at("started_at") - at("planned_at");
        assert!((-50..50).contains(&late), "{late} ms late: {airing}");
    }

    // There is no such name.
    resolver.turn(Way::Nobody);
    let began = Instant::now();
    assert!(!station.run(&["sync"]).status.success());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(error(&station).contains(HOST), "{}", error(&station));

    // Every name leads to the provider's own page: no contact, and no list of the page's making.
    resolver.turn(Way::Knows(Duration::ZERO));
    server.lie("/playlist.json", |_, out| {
        let page = "<!DOCTYPE html><title>Trang không tồn tại</title>";
        say(
            out,
            &format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}", page.len()),
        );
    });
    assert!(!station.run(&["sync"]).status.success());
    let status = station.status().unwrap();
    assert!(source(&status)["serial"].is_null() && error(&station).contains("/playlist.json"), "{status}");

    // It answers late, but answers.
    server.repent();
    resolver.turn(Way::Knows(Duration::from_secs(2)));
    let serial = |s: &Station| s.status().and_then(|status| source(&status)["serial"].as_u64());
    let came = station.wait(Duration::from_secs(60), |s| {
        let _ = s.run(&["sync"]);
        serial(s) == Some(1)
    });
    assert!(came, "{}\n{}", error(&station), station.log());
    assert_eq!(station.end(), Some(0));
}
