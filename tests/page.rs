//! The station page against the real daemon, over raw HTTP: who may look, who may change something, and that nobody
//! who hammers it delays the station.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const TITLE: &str = "Bản tin <script>alert('x')</script> & <img src=x>";

fn loaxa() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loaxa"));
    command.env("LOAXA_TRIAL", "1").env_remove("LOAXA_CONFIG").env_remove("LANG").env_remove("LC_MESSAGES");
    command
}

/// Half a minute of hum at 8 kHz.
fn wav(path: &Path, seconds: u32) {
    let samples = seconds * 8000;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + samples * 2).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend([1u8, 0, 1, 0]);
    bytes.extend(8000u32.to_le_bytes());
    bytes.extend(16_000u32.to_le_bytes());
    bytes.extend([2u8, 0, 16, 0]);
    bytes.extend(b"data");
    bytes.extend((samples * 2).to_le_bytes());
    for n in 0..samples {
        bytes.extend((if n % 20 < 10 { 3000i16 } else { -3000 }).to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

struct Station {
    _folder: tempfile::TempDir,
    config: PathBuf,
    port: u16,
    daemon: Child,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| {
            let (key, value) = l.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Station {
    fn start() -> Station {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::create_dir(folder.path().join("clips")).unwrap();
        wav(&folder.path().join("clips/tin.wav"), 30);
        // Quiet hours as far from now as they can be.
        let utc = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let minute = |ahead: u64| {
            let m = (utc / 60 + 7 * 60 + ahead) % 1440;
            format!("{:02}:{:02}", m / 60, m % 60)
        };
        let config = folder.path().join("station.toml");
        let text = format!(
            "[station]\nid = \"xa-thu\"\nname = \"Đài <b>thử</b>\"\n[state]\ndir = \"state\"\n[local]\n\
             [output]\ndevice = \"null\"\n[quiet_hours]\nfrom = \"{}\"\nto = \"{}\"\nshorter_by = \"thử\"\n\
             [time]\ntrust = \"always\"\n[page]\nlisten = \"127.0.0.1:{port}\"\nhosts = [\"dai.example.vn\"]\n",
            minute(720),
            minute(721)
        );
        std::fs::write(&config, text).unwrap();
        let local = format!(
            "[[clips]]\nid = \"tin\"\nfile = \"tin.wav\"\ntitle = \"{}\"\nkind = \"ban_tin\"\napproved_by = \"B\"\n\
             approved_at = \"2026-09-30\"\n[[slots]]\nid = \"buoi\"\nname = \"Buổi <i>một</i>\"\nat = \"{}\"\n\
             items = [\"tin\"]\n",
            TITLE,
            minute(360)
        );
        std::fs::write(folder.path().join("local.toml"), local).unwrap();
        let daemon = loaxa().args(["run", "--config"]).arg(&config).stderr(Stdio::null()).spawn().unwrap();
        let station = Station { _folder: folder, config, port, daemon };
        let until = Instant::now() + Duration::from_secs(30);
        while station.try_get("/").is_none_or(|r| r.status != 200) {
            assert!(Instant::now() < until, "the page does not open");
            std::thread::sleep(Duration::from_millis(50));
        }
        station
    }

    fn run(&self, arguments: &[&str]) -> Output {
        loaxa().args(arguments).arg("--config").arg(&self.config).output().unwrap()
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.run(&["status", "--json"]).stdout).unwrap()
    }

    fn try_raw(&self, request: &str) -> Option<Reply> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Reply { status, head: head.to_owned(), body: body.to_owned() })
    }

    fn raw(&self, request: &str) -> Reply {
        self.try_raw(request).expect("no answer")
    }

    fn try_get(&self, path: &str) -> Option<Reply> {
        let port = self.port;
        self.try_raw(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"))
    }

    fn get(&self, path: &str) -> Reply {
        self.try_get(path).expect("no answer")
    }

    fn post(&self, path: &str, more: &str, body: &str) -> Reply {
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{more}\r\n{body}",
            self.port,
            body.len()
        ))
    }

    /// As the page's own form sends it.
    fn form(&self, path: &str, cookie: &str, body: &str) -> Reply {
        let mut more = format!("Origin: http://127.0.0.1:{}\r\nSec-Fetch-Site: same-origin\r\n", self.port);
        if !cookie.is_empty() {
            let _ = write!(more, "Cookie: lang=vi; loaxa={cookie}\r\n");
        }
        self.post(path, &more, body)
    }

    fn code(&self, by: &str) -> String {
        let out = self.run(&["page-code", "--by", by]);
        assert!(out.status.success(), "{out:?}");
        let text = String::from_utf8(out.stdout).unwrap();
        let code: String = text.lines().next().unwrap().chars().rev().take(8).collect();
        let code: String = code.chars().rev().collect();
        assert!(code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()), "{text}");
        code
    }

    fn login(&self, by: &str) -> String {
        let reply = self.form("/login", "", &format!("code={}", self.code(by)));
        assert_eq!(reply.status, 303, "{}", reply.body);
        let cookie = reply.header("set-cookie").unwrap().to_owned();
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        cookie.strip_prefix("loaxa=").unwrap().split(';').next().unwrap().to_owned()
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn strangers_look_but_change_nothing() {
    let station = Station::start();
    // Another site whose name leads here sees nothing.
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""] {
        let reply = station.raw(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert_eq!(reply.status, 421, "{host}");
        assert!(!reply.body.contains("Buổi"));
    }
    for host in ["localhost", "dai.example.vn", "127.0.0.1"] {
        let reply = station.raw(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert_eq!(reply.status, 200, "{host}");
    }
    let twice = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(matches!(station.raw(twice).status, 400 | 421));
    let absolute = "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(station.raw(absolute).status, 421);

    // A change needs this page's own form, and a login.
    let cookie = station.login("Nguyễn Văn A");
    let own = format!("http://127.0.0.1:{}", station.port);
    let with = format!("Cookie: loaxa={cookie}\r\n");
    for (headers, status) in [
        (with.clone(), 403),
        (format!("{with}Origin: http://evil.example\r\n"), 403),
        (format!("{with}Origin: null\r\n"), 403),
        (format!("{with}Origin: {own}\r\nSec-Fetch-Site: cross-site\r\n"), 403),
        (format!("{with}Origin: {own}\r\nSec-Fetch-Site: same-site\r\n"), 403),
        (format!("Origin: {own}\r\nSec-Fetch-Site: same-origin\r\n"), 303),
    ] {
        let reply = station.post("/stop", &headers, "how=good");
        assert_eq!(reply.status, status, "{headers}");
        if status == 303 {
            assert_eq!(reply.header("location"), Some("/login"));
        }
    }
    let large = station.form("/stop", &cookie, &format!("why={}", "x".repeat(5000)));
    assert_eq!(large.status, 413);
    assert_eq!(station.raw("PUT / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").status, 405);
    assert_eq!(station.status()["state"], "idle");

    // Nothing that stands in a file is markup, on any page.
    let front = station.get("/");
    assert_eq!(front.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(front.header("cache-control"), Some("no-store"));
    assert!(front.header("content-security-policy").unwrap().contains("default-src 'none'"));
    for path in ["/", "/week", "/received", "/play", "/log", "/reports", "/login"] {
        let reply = station.get(path);
        assert_eq!(reply.status, 200, "{path}");
        for raw in ["<script>alert", "<img", "<b>thử", "<i>một"] {
            assert!(!reply.body.contains(raw), "{raw} in {path}");
        }
        assert!(reply.body.contains("Đài &lt;b&gt;thử&lt;/b&gt;"), "{path}");
    }
    assert!(
        station.get("/play").body.contains("Bản tin &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &lt;img")
    );
    for (query, kind) in [
        ("which=diary&week=2026-W40&format=html", "text/html"),
        ("which=period&kind=month&ending=2026-10&format=docx", "application/vnd.openxmlformats"),
    ] {
        let reply = station.get(&format!("/report?{query}"));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.header("content-type").unwrap().starts_with(kind));
        assert!(reply.body.len() > 1000 && !reply.body.contains("<b>thử"));
    }
    assert_eq!(station.get("/report?which=diary&week=--output").status, 400);
    assert!(station.get("/?lang=en").body.contains("Log in to stop or play"));
    assert_eq!(station.get("/audio/../station.toml").status, 404);
    let csv = station.get("/log.csv");
    assert!(csv.body.contains("Giờ theo lịch") && csv.header("content-disposition").is_some());

    // Light: the first view with its style and script.
    let weight: usize = ["/", "/page.css", "/page.js"].iter().map(|p| station.get(p).body.len()).sum();
    assert!(weight < 60_000, "{weight} bytes");
}

#[test]
fn a_code_opens_once_and_its_login_can_be_taken_back() {
    let station = Station::start();
    let code = station.code("Trần Thị B");
    let wrong = if code == "12345678" { "87654321" } else { "12345678" };
    for left in [4, 3, 2, 1, 0] {
        let reply = station.form("/login", "", &format!("code={wrong}"));
        assert_eq!(reply.status, 403);
        assert!(reply.body.contains(&format!("còn {left} lần")), "{}", reply.body);
    }
    // The right one comes too late: a new code is needed.
    assert_eq!(station.form("/login", "", &format!("code={code}")).status, 403);
    let cookie = station.login("Trần Thị B");
    assert!(
        !std::fs::read_to_string(station.config.with_file_name("state").join("page-logins.json"))
            .unwrap()
            .contains(&cookie)
    );

    // Stop and go on, with the name in the log.
    // A busy machine may not have the sound ready within the second it is due: pressed again then, as a person would.
    for press in 1.. {
        assert_eq!(station.form("/play", &cookie, "clip=tin").status, 303);
        let status = station.status();
        if status["state"] == "on_air" {
            break;
        }
        assert!(press < 8, "{status}");
    }
    let pressed = Instant::now();
    assert_eq!(station.form("/stop", &cookie, "how=good&why=th%E1%BB%AD+d%E1%BB%ABng").status, 303);
    let took = pressed.elapsed();
    assert_eq!(station.status()["state"], "stopped");
    assert!(took < Duration::from_millis(500), "{took:?}");
    std::thread::sleep(Duration::from_millis(300));
    assert!(station.status()["on_air"].is_null());
    let front = station
        .raw(&format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: loaxa={cookie}\r\nConnection: close\r\n\r\n"));
    assert!(front.body.contains("Trần Thị B dừng lúc") && front.body.contains("thử dừng"), "{}", front.body);
    assert_eq!(station.form("/resume", &cookie, "").status, 303);
    assert_ne!(station.status()["state"], "stopped");
    assert_eq!(station.form("/stop", &cookie, "how=day").status, 303);
    assert_eq!(station.status()["state"], "stopped");
    assert_eq!(station.form("/resume", &cookie, "").status, 303);
    std::thread::sleep(Duration::from_millis(500));
    let chain = station.run(&["export", "--format", "jsonl", "--chain"]).stdout;
    let chain = String::from_utf8(chain).unwrap();
    let rows: Vec<Value> = chain.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let named = |kind: &str| rows.iter().filter(|r| r["event"] == kind && r["by"] == "Trần Thị B").count();
    assert_eq!((named("stop"), named("resume")), (2, 2), "{chain}");
    let manual = rows.iter().rfind(|r| r["kind"] == "manual").unwrap();
    assert_eq!((&manual["by"], &manual["outcome"]), (&"Trần Thị B".into(), &"interrupted".into()));

    // Asking for new lists is a change too.
    assert_eq!(station.form("/sync", &cookie, "").status, 303);
    let other = station.login("Lê Văn C");
    assert_eq!(station.form("/logout", &other, "").status, 303);
    assert_eq!(station.form("/stop", &other, "how=good").header("location"), Some("/login"));

    // Taken back, it opens nothing.
    assert!(station.run(&["page-code", "--revoke", "Trần Thị B"]).status.success());
    let reply = station.form("/stop", &cookie, "how=good");
    assert_eq!((reply.status, reply.header("location")), (303, Some("/login")));
    assert_ne!(station.status()["state"], "stopped");

    // Who came in, who was refused, who left: in the log, and the log is whole.
    std::thread::sleep(Duration::from_millis(500));
    let chain = String::from_utf8(station.run(&["export", "--format", "jsonl", "--chain"]).stdout).unwrap();
    let rows: Vec<Value> = chain.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let asked: Vec<&Value> = rows.iter().filter(|r| r["event"] == "sync").map(|r| &r["by"]).collect();
    assert_eq!(asked, ["Trần Thị B"]);
    let doors: Vec<String> = rows
        .iter()
        .filter(|r| r["event"] == "login")
        .map(|r| {
            let (detail, by) = (&r["detail"], r["by"].as_str().unwrap_or("-"));
            let more = ["name", "tries_left", "tries"]
                .map(|k| if detail[k].is_null() { String::new() } else { format!(" {}", detail[k]) });
            format!("{} {by}{}", detail["what"].as_str().unwrap(), more.concat())
        })
        .collect();
    let refused = (0..5).rev().map(|left| format!("refused - \"Trần Thị B\" {left}"));
    let expected: Vec<String> = std::iter::once("code_shown Trần Thị B".to_owned())
        .chain(refused)
        .chain(
            [
                "refused - 1",
                "code_shown Trần Thị B",
                "opened Trần Thị B",
                "code_shown Lê Văn C",
                "opened Lê Văn C",
                "left Lê Văn C",
                "revoked - \"Trần Thị B\"",
            ]
            .map(str::to_owned),
        )
        .collect();
    assert_eq!(doors, expected, "{chain}");
    // Guessing on at a closed door fills no log.
    for _ in 0..20 {
        assert_eq!(station.form("/login", "", "code=11112222").status, 403);
    }
    std::thread::sleep(Duration::from_millis(500));
    let chain = String::from_utf8(station.run(&["export", "--format", "jsonl", "--chain"]).stdout).unwrap();
    assert_eq!(chain.lines().count(), rows.len(), "{chain}");
    let verified = station.run(&["verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_thousand_connections_and_dripping_heads_do_not_hold_up_the_station() {
    let station = Station::start();
    let dripping: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", station.port)).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    assert_eq!(station.get("/").status, 200);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let more: Vec<_> = (0..800).filter_map(|_| TcpStream::connect(("127.0.0.1", station.port)).ok()).collect();
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(station.status()["state"], "idle");
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    drop(more);
    // Whoever drips is sent away; then there is room for all again.
    let mut slow = dripping.into_iter().next().unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(station.get("/").status, 200);
}

#[test]
fn who_follows_sees_each_change_until_the_station_ends() {
    let mut station = Station::start();
    let mut stream = TcpStream::connect(("127.0.0.1", station.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut heard = String::new();
    let mut block = [0; 4096];
    let mut hear = |wanted: &str, heard: &mut String| {
        while !heard.contains(wanted) {
            let n = stream.read(&mut block).unwrap();
            assert!(n > 0, "ended before {wanted}: {heard}");
            heard.push_str(&String::from_utf8_lossy(&block[..n]));
        }
    };
    hear("event: band", &mut heard);
    assert!(station.run(&["stop", "--by", "C"]).status.success());
    hear("event: state\ndata: stopped", &mut heard);
    hear("C dừng lúc", &mut heard);
    let pid = rustix::process::Pid::from_raw(station.daemon.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let until = Instant::now() + Duration::from_secs(8);
    while station.daemon.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "the page keeps the daemon from ending");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_broken_file_at_start_leaves_the_last_good_one_in_force() {
    let mut station = Station::start();
    let kept = station.config.with_file_name("state").join("in-force");
    assert!(kept.join("station.toml").exists() && kept.join("local.toml").exists());
    let _ = station.daemon.kill();
    let _ = station.daemon.wait();
    let good = std::fs::read_to_string(&station.config).unwrap();
    std::fs::write(&station.config, good.replace("[output]", "[output")).unwrap();
    let start = |config: &Path| loaxa().args(["run", "--config"]).arg(config).stderr(Stdio::null()).spawn().unwrap();
    station.daemon = start(&station.config);
    let until = Instant::now() + Duration::from_secs(20);
    while station.try_get("/").is_none_or(|r| r.status != 200) {
        assert!(Instant::now() < until, "it does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let alarms = station.status()["alarms"].to_string();
    assert!(alarms.contains("config_refused") && alarms.contains("station.toml:"), "{alarms}");
    // Mended, it is taken without a restart.
    std::fs::write(&station.config, &good).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while station.status()["alarms"].to_string().contains("config_refused") {
        assert!(Instant::now() < until, "the mended file is not taken");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Without a last good one a broken file is exit 78; and a state forged by hand airs nothing at night.
    let _ = station.daemon.kill();
    let _ = station.daemon.wait();
    std::fs::write(&station.config, good.replace("[output]", "[output")).unwrap();
    let night = "[[clips]]\nid='x'\nfile='tin.wav'\ntitle='X'\nkind='nhac_hieu'\n[[slots]]\nid='dem'\nat='03:15'\nitems=['x']\n";
    std::fs::write(kept.join("local.toml"), night).unwrap();
    std::fs::write(kept.join("station.toml"), "[station]\nid='xa-thu'\nname='X'\n[state]\ndir='state'\n[local]\n")
        .unwrap();
    assert_eq!(start(&station.config).wait().unwrap().code(), Some(78));
}
