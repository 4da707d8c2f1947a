//! Root keys against the real daemon: what `keys.json` allows and forbids, however the server, the stick or the disk
//! lies about it.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod lying_server;
mod station_box;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loaxa::daemon::clock::MachineClock;
use loaxa::daemon::sync::{Answer, Settings, Surroundings, Syncing, introduction};
use loaxa::domain::config::{self, read_config};
use loaxa::domain::time::Wall;
use loaxa::edge::clip_store::{ClipStore, Measured};

use lying_server::LyingServer;
use station_box::{Station, at, soon, tone};

const LONG: Duration = Duration::from_secs(45);

/// A provincial office: three people with root keys, two machines that sign lists, and what they publish.
struct Office {
    dir: tempfile::TempDir,
}

impl Office {
    /// Root keys goc-1 to goc-3, content keys khoa-a and khoa-b; version 1 allows khoa-a, signed by the first and the
    /// third.
    fn new() -> Office {
        let office = Office { dir: tempfile::tempdir().unwrap() };
        for name in ["goc-1", "goc-2", "goc-3", "khoa-a", "khoa-b"] {
            office.ok(&["keygen", "--out", name]);
        }
        fs::create_dir(office.path("in")).unwrap();
        tone(&office.path("in/tin.wav"), 700);
        let roots = ["--root", "goc-1.pub", "--root", "goc-2.pub", "--root", "goc-3.pub"];
        office.ok(&[&["keys", "new", "khoa", "--source", "tinh"], &roots[..]].concat());
        office.ok(&["keys", "add", "khoa", "--key", "khoa-a.pub", "--name", "Máy phòng Văn hóa"]);
        office.sign(&["goc-1", "goc-3"]);
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loaxa"));
        command.args(arguments).current_dir(self.dir.path()).env("LANG", "vi_VN.UTF-8").env_remove("LC_MESSAGES");
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn sign(&self, names: &[&str]) {
        for name in names {
            self.ok(&["keys", "sign", "khoa", "--key", &format!("{name}.key"), "--yes"]);
        }
    }

    /// Version 2: khoa-a has leaked, khoa-b takes its place.
    fn replace_leaked(&self) {
        self.ok(&["keys", "retire", "khoa", "khoa-a.pub", "--leaked"]);
        self.ok(&["keys", "add", "khoa", "--key", "khoa-b.pub"]);
        self.sign(&["goc-2", "goc-3"]);
    }

    /// Another version with the same content.
    fn another(&self, names: &[&str]) {
        self.ok(&["keys", "add", "khoa", "--key", "khoa-b.pub"]);
        self.sign(names);
    }

    /// Publishes a list with one clip and whatever else, signed by a content key.
    fn publish(&self, key: &str, list: &str) {
        let head =
            "source = \"tinh\"\n[[clips]]\nid = \"tin\"\nfile = \"tin.wav\"\ntitle = \"Bài\"\nkind = \"nhac_cat\"\n";
        fs::write(self.path("in/playlist.toml"), format!("{head}{list}")).unwrap();
        let key = format!("{key}.key");
        self.ok(&["publish", "in", "--key", &key, "--keys", "khoa", "--out", "out"]);
    }

    /// Signs any list as somebody would who has a content key and the server.
    fn forge(&self, server: &LyingServer, key: &str, serial: u64) {
        let list = fs::read_to_string(self.path("out/playlist.json")).unwrap();
        let before: serde_json::Value = serde_json::from_str(&list).unwrap();
        let list = list.replace(&format!("\"serial\": {}", before["serial"]), &format!("\"serial\": {serial}"));
        server.file("/playlist.json.minisig", signed(&self.path(&format!("{key}.key")), list.as_bytes()));
        server.file("/playlist.json", list);
    }

    /// Puts everything that is published on a server.
    fn serve(&self, server: &LyingServer) {
        put(server, &self.path("out"), "");
    }

    /// The block a station needs, as `publish` writes it.
    fn source(&self, server: &LyingServer, more: &str) -> String {
        let block = fs::read_to_string(self.path("out/source.toml")).unwrap();
        let url = server.url("/playlist.json");
        block.replace("https://SUA-DIA-CHI.example.vn/playlist.json", &url).replace("urgent_poll", "# urgent_poll")
            + more
    }
}

fn put(server: &LyingServer, dir: &Path, below: &str) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            put(server, &path, &name);
        } else {
            server.file(&name, fs::read(path).unwrap());
        }
    }
}

/// A minisign signature with a key without password.
fn signed(key: &Path, bytes: &[u8]) -> String {
    let boxed = minisign::SecretKeyBox::from_string(&fs::read_to_string(key).unwrap()).unwrap();
    let secret = minisign::SecretKey::from_unencrypted_box(boxed).unwrap();
    minisign::sign(None, &secret, bytes, Some("timestamp:1"), None).unwrap().to_string()
}

/// A running station of an office, with its first list.
fn begun(office: &Office, server: &LyingServer, list: &str) -> Station {
    office.publish("khoa-a", list);
    office.serve(server);
    let mut station = Station::new("null");
    station.configure("null", &office.source(server, ""));
    station.ok(&["check"]);
    station.start();
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(1), Some(1)));
    station
}

/// Versions of keys and list in force.
fn state(station: &Station) -> (Option<u64>, Option<u64>) {
    let source = &station.status().unwrap()["sources"][0];
    (source["keys"].as_u64(), source["serial"].as_u64())
}

fn alarm(station: &Station, code: &str) -> bool {
    station.status().unwrap()["alarms"].as_array().unwrap().iter().any(|a| a["code"] == code)
}

/// What is accepted, as names and bytes: a refusal changes none of it.
fn on_disk(station: &Station) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(station.path("state/playlists"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

/// A check that must be refused, with these words; nothing changes on disk.
fn refused(station: &Station, words: &str) {
    let before = on_disk(station);
    let output = station.run(&["sync"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains(words), "wanted {words:?}: {said}");
    assert_eq!(before, on_disk(station), "after {words:?}");
}

#[test]
fn a_station_learns_its_keys_and_asks_cheaply_for_new_ones() {
    let (office, server) = (Office::new(), LyingServer::start());
    let mut station = begun(&office, &server, "");
    let said = station.run(&["status"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("keys.json bản 1"), "{said:?}");
    let row = |s: &Station| s.chain().into_iter().find(|r| r["event"] == "keys_in_force");
    assert!(station.wait(LONG, |s| row(s).is_some()));
    assert_eq!(row(&station).unwrap()["detail"]["version"], 1);

    // Nothing new: two conditional questions and two 304, nothing written; who asks says its version.
    station.ok(&["sync"]);
    let before = on_disk(&station);
    server.forget_requests();
    station.ok(&["sync"]);
    for path in ["/keys.json", "/playlist.json"] {
        let requests = server.requests(path);
        assert_eq!(requests.len(), 1, "{path}");
        assert!(requests[0].header("if-none-match").is_some(), "{path}");
        let agent = requests[0].header("user-agent").unwrap();
        assert!(agent.contains("; list=1; ") && agent.ends_with("; keys=1)"), "{agent}");
    }
    assert_eq!((server.body_bytes(), before), (0, on_disk(&station)));
    let agent = server.requests("/keys.json")[0].header("user-agent").unwrap().to_owned();
    let line = format!("1.2.3.4 - - [24/Nov/2026:07:13:41 +0000] \"GET / HTTP/1.1\" 304 0 \"-\" \"{agent}\"\n");
    fs::write(station.path("access.log"), line).unwrap();
    let table = station.ok(&["fleet", "access.log", "--at", "2026-11-24T07:20:00Z"]);
    assert!(table.contains("keys.json"), "{table}");

    // Still so after a restart, without a network.
    station.end();
    let silent = LyingServer::start();
    station.configure("null", &office.source(&silent, ""));
    station.start();
    assert!(station.wait(LONG, |s| state(s) == (Some(1), Some(1))), "{}", station.log());
    let rows = station.chain().into_iter().filter(|r| r["event"] == "keys_in_force").count();
    assert_eq!(rows, 1);
    station.verify();
}

/// Fault 12: what a leaked key signs is dead after one contact, and so is what it signed.
#[test]
fn a_leaked_key_is_dead_after_one_contact() {
    let (office, server) = (Office::new(), LyingServer::start());
    let start = soon(12_000);
    let slot = |id: &str, ms: i64| {
        format!("[[slots]]\nid = \"{id}\"\nname = \"Buổi\"\nat = \"{}\"\nitems = [\"tin\"]\n", at(ms))
    };
    let mut station = begun(&office, &server, &slot("s", start));
    // Whoever has the key and the server is believed until the keys are exchanged.
    office.forge(&server, "khoa-a", 2);
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(1), Some(2)));

    // The office exchanges them; its own list is not up yet.
    office.replace_leaked();
    for name in ["keys.json", "keys/2.json", "keys/2.json.minisig"] {
        let from = if name == "keys.json" { "khoa/keys.json".to_owned() } else { format!("khoa/{name}") };
        server.file(&format!("/{name}"), fs::read(office.path(&from)).unwrap());
    }
    let output = station.run(&["sync"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("đã bị lộ"), "{said}");
    assert!(station.wait(LONG, |s| state(s).0 == Some(2) && alarm(s, "key_leaked_tinh")), "{}", station.log());
    // All of what it signed is withdrawn, over a restart as well.
    station.end();
    station.start();
    assert!(station.wait(LONG, |s| alarm(s, "key_leaked_tinh")), "{}", station.log());
    let rows = station.wait_for_airings(1, Duration::from_secs(40));
    assert_eq!((&rows[0]["outcome"], &rows[0]["reason"]), (&"blocked".into(), &"withdrawn".into()), "{rows:?}");
    // Nothing it signs is taken any more, whatever the serial.
    for serial in 3..23 {
        office.forge(&server, "khoa-a", serial);
        refused(&station, "đã bị lộ");
    }
    // The office signs with the new key, above the forged serial.
    office.ok(&["publish", "in", "--key", "khoa-b.key", "--keys", "khoa", "--out", "out", "--serial", "2"]);
    office.serve(&server);
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(2), Some(3)));
    assert!(station.wait(LONG, |s| !alarm(s, "key_leaked_tinh") && !alarm(s, "source_tinh")));
    station.verify();
}

/// A key that was retired takes nothing back: its list goes on, and nothing newer of it is taken.
#[test]
fn a_retired_key_signs_nothing_new() {
    let (office, server) = (Office::new(), LyingServer::start());
    let mut station = begun(&office, &server, "");
    office.ok(&["keys", "retire", "khoa", "khoa-a.pub"]);
    office.ok(&["keys", "add", "khoa", "--key", "khoa-b.pub"]);
    office.sign(&["goc-1", "goc-2"]);
    let said = office.run(&["publish", "in", "--key", "khoa-a.key", "--keys", "khoa", "--out", "out"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("đã hết hiệu lực") && said.contains("chưa phát hành"), "{said}");
    // Old list, new keys: nothing changes for what is in force.
    put(&server, &office.path("khoa/keys"), "/keys");
    server.file("/keys.json", fs::read(office.path("khoa/keys.json")).unwrap());
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(2), Some(1)));
    office.forge(&server, "khoa-a", 2);
    refused(&station, "đã hết hiệu lực");
    station.end();
    station.start();
    assert!(station.wait(LONG, |s| state(s) == (Some(2), Some(1))), "{}", station.log());
    assert!(!alarm(&station, "key_leaked_tinh"));
}

/// Fault 13, and every other way in which `keys.json` may be wrong.
#[test]
fn keys_that_break_a_rule_are_refused() {
    let (office, server) = (Office::new(), LyingServer::start());
    let station = begun(&office, &server, "");
    let version_1 = fs::read(office.path("out/keys.json")).unwrap();
    office.ok(&["keys", "add", "khoa", "--key", "khoa-b.pub"]);
    let next = fs::read(office.path("khoa/keys.json")).unwrap();
    let by = |names: &[&str], bytes: &[u8]| -> String {
        names.iter().map(|name| signed(&office.path(&format!("{name}.key")), bytes)).collect()
    };
    let offer = |bytes: &[u8], version: u64, signatures: String| {
        server.file(&format!("/keys/{version}.json"), bytes);
        server.file(&format!("/keys/{version}.json.minisig"), signatures);
        server.file("/keys.json", bytes);
    };
    // 1 of 3, one of them twice, a content key beside one of them, none.
    offer(&next, 2, by(&["goc-2"], &next));
    refused(&station, "có 1 chữ ký khóa gốc, cần 2");
    offer(&next, 2, by(&["goc-2", "goc-2", "goc-2"], &next));
    refused(&station, "có 1 chữ ký khóa gốc, cần 2");
    offer(&next, 2, by(&["goc-2", "khoa-a", "khoa-b"], &next));
    refused(&station, "có 1 chữ ký khóa gốc, cần 2");
    offer(&next, 2, String::new());
    refused(&station, "tệp chữ ký của keys.json");
    // Signed, then changed.
    let altered = String::from_utf8(next.clone()).unwrap().replace("Văn hóa", "Tư pháp").into_bytes();
    offer(&altered, 2, by(&["goc-1", "goc-2"], &next));
    refused(&station, "bị thay đổi sau khi ký");
    // A version skipped, though all three signed it.
    let skipped = String::from_utf8(next.clone()).unwrap().replace("\"version\": 2", "\"version\": 3").into_bytes();
    server.file("/keys/3.json.minisig", by(&["goc-1", "goc-2", "goc-3"], &skipped));
    server.file("/keys/2.json.minisig", "");
    server.file("/keys/3.json", skipped.clone());
    server.file("/keys.json", skipped.clone());
    refused(&station, "tệp chữ ký của keys.json");
    server.lie("/keys/2.json", |_, out| lying_server::say(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    refused(&station, "thiếu keys/2.json");
    // The skipped one under the number that is wanted.
    server.repent();
    offer(&skipped, 2, by(&["goc-1", "goc-2", "goc-3"], &skipped));
    server.file("/keys.json", next.clone());
    refused(&station, "keys.json");
    // Another source's, one that is none, one without end, a newer program's, one from the future.
    let with = |from: &str, to: &str| String::from_utf8(next.clone()).unwrap().replace(from, to).into_bytes();
    let all = ["goc-1", "goc-2", "goc-3"];
    for (bytes, words) in [
        (with("\"tinh\"", "\"huyen\""), "là của đơn vị gửi \"huyen\""),
        (with("\"threshold\": 2", "\"threshold\": 9"), "threshold 9 không hợp"),
        (with("\"format\": 1", "\"format\": 2"), "định dạng 2"),
        (with("\"issued_at\": \"20", "\"issued_at\": \"21"), "sau giờ hiện tại"),
        (vec![b' '; 70_000], "dài quá"),
        (b"{}".to_vec(), "không dùng được"),
    ] {
        offer(&bytes, 2, by(&all, &bytes));
        let before = on_disk(&station);
        let output = station.run(&["sync"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success(), "{words}: {said}");
        if words != "dài quá" {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(before, on_disk(&station), "{words}");
        assert_eq!(state(&station), (Some(1), Some(1)), "{words}");
    }
    // The same number twice, both signed.
    let twin = String::from_utf8(version_1.clone()).unwrap().replace("Văn hóa", "Tư pháp").into_bytes();
    offer(&twin, 1, by(&["goc-1", "goc-2"], &twin));
    refused(&station, "hai tệp keys.json khác nhau");
    // No keys at all where there must be some: whatever list comes with it is not looked at.
    office.forge(&server, "khoa-a", 2);
    server.lie("/keys.json", |_, out| lying_server::say(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    refused(&station, "không có tệp");
    server.repent();
    // The right ones are taken after all that, and with them the list.
    offer(&next, 2, by(&["goc-1", "goc-2"], &next));
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(2), Some(2)));
    // Rollback, and a mix of old keys and a new list.
    server.file("/keys.json", version_1);
    refused(&station, "cũ hơn bản 2");
    office.forge(&server, "khoa-a", 3);
    refused(&station, "cũ hơn bản 2");
    assert_eq!(state(&station), (Some(2), Some(2)));
    assert!(station.wait(LONG, |s| alarm(s, "source_tinh")));
    station.verify();
}

/// The freeze: a server that says "not modified" for ever hides new keys for a day at most. And mirrors: one that lags
/// behind is passed over, one that has no keys is not believed.
#[test]
fn held_back_keys_come_with_the_whole_fetch_and_from_mirrors() {
    let (office, server, mirror) = (Office::new(), LyingServer::start(), LyingServer::start());
    office.publish("khoa-a", "");
    office.serve(&server);
    office.serve(&mirror);
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[station]\nid = \"xa-a\"\nname = \"A\"\ndevice_id = \"a\"\n[state]\ndir = {:?}\n{}mirrors = [{:?}]\n",
        dir.path().display().to_string(),
        office.source(&server, ""),
        mirror.url("/playlist.json"),
    );
    let config = read_config(text.as_bytes(), false).value.unwrap();
    let clock = Arc::new(MachineClock::new(config::Trust::Always, 0, Wall(0)));
    let store = Arc::new(ClipStore::open(dir.path()).unwrap());
    let loud = Measured { duration_ms: 700, loudness_lufs: Some(-18.0), true_peak_db: Some(-2.0) };
    let surroundings = Surroundings {
        store: store.clone(),
        admit: Arc::new(move |_| Ok(loud)),
        keep: Arc::new(|_| false),
        soonest: Arc::new(|_, _| Vec::new()),
        clock,
        tell: Arc::new(|_| {}),
        heartbeat: Arc::new(Mutex::new(introduction(&config))),
        latest: Arc::default(),
    };
    let whole_every_ms = 3_000;
    let between_files = Duration::from_millis(20);
    let first_after = Duration::from_secs(3_600);
    let settings = Settings { whole_every_ms, between_files, first_after, ..Settings::default() };
    let syncing = Syncing::start(&config, &surroundings, &settings).unwrap();
    let check = || syncing.sync_now().recv_timeout(Duration::from_secs(30)).unwrap().1;
    let keys = || syncing.status()[0].keys;
    assert!(matches!(check(), Answer::New(_)) && keys() == Some(1));

    office.replace_leaked();
    office.publish("khoa-b", "");
    office.serve(&server);
    for path in ["/keys.json", "/playlist.json"] {
        let file = fs::read(office.path("out").join(&path[1..])).unwrap();
        server.lie(path, move |request, out| {
            if request.header("if-none-match").is_some() {
                return lying_server::say(out, "HTTP/1.1 304 Not Modified\r\n\r\n");
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", file.len());
            lying_server::say(out, &(head + std::str::from_utf8(&file).unwrap()));
        });
    }
    let until = std::time::Instant::now() + LONG;
    while keys() == Some(1) && std::time::Instant::now() < until {
        assert!(matches!(check(), Answer::Same { .. } | Answer::New(_)));
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!((keys(), syncing.status()[0].serial), (Some(2), Some(2)));

    // The mirror still has version 1 while the source does not answer: no refusal, no way back.
    let gone = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    server.repent();
    server.lie("/keys.json", |_, out| lying_server::say(out, gone));
    assert!(matches!(check(), Answer::Failed(text) if text.name() == "HttpStatus"));
    assert_eq!((keys(), syncing.status()[0].serial), (Some(2), Some(2)));
    // The same lag at the source itself is told.
    server.repent();
    server.file("/keys.json", fs::read(office.path("out/keys/1.json")).unwrap());
    assert!(matches!(check(), Answer::Refused(text) if text.name() == "KeysLower"));
    // It has the list but no keys: the mirror, brought up to date, is asked.
    office.publish("khoa-b", "");
    office.serve(&mirror);
    server.lie("/keys.json", |_, out| lying_server::say(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    assert!(matches!(check(), Answer::New(_)));
    assert_eq!((keys(), syncing.status()[0].serial), (Some(2), Some(3)));
}

#[test]
fn a_box_several_versions_behind_catches_up_over_an_exchange_of_roots() {
    let (office, server) = (Office::new(), LyingServer::start());
    let station = begun(&office, &server, "");
    let pinned = office.source(&server, "");
    office.another(&["goc-1", "goc-2"]);
    // Version 3: the third hands over to a fourth.
    office.ok(&["keygen", "--out", "goc-4"]);
    office.ok(&["keys", "roots", "khoa", "--root", "goc-1.pub", "--root", "goc-2.pub", "--root", "goc-4.pub"]);
    office.sign(&["goc-3", "goc-4", "goc-1"]);
    office.another(&["goc-4", "goc-2"]);
    office.another(&["goc-1", "goc-4"]);
    office.publish("khoa-b", "");
    office.serve(&server);
    // A version is missing on the server: nothing beyond it is believed.
    server.lie("/keys/3.json", |_, out| lying_server::say(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    let output = station.run(&["sync"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("thiếu keys/3.json"), "{said}");
    assert!(station.wait(LONG, |s| state(s) == (Some(2), Some(1))));
    server.repent();
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(5), Some(2)));
    station.verify();

    // A new box: with the roots of the beginning, and with those of today.
    let today = office.source(&server, "");
    assert_ne!(pinned, today);
    for block in [&pinned, &today] {
        let mut fresh = Station::new("null");
        fresh.configure("null", block);
        fresh.start();
        fresh.ok(&["sync"]);
        assert_eq!(state(&fresh), (Some(5), Some(2)));
    }
    // One with other people's roots takes nothing, and says what to compare.
    let strangers = Office::new();
    strangers.publish("khoa-a", "");
    let mut other = Station::new("null");
    other.configure("null", &strangers.source(&server, ""));
    other.start();
    let output = other.run(&["sync"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("0 chữ ký của các khóa trong root_keys"), "{said}");
    assert_eq!(state(&other), (None, None));
}

/// Fault 14: keys on disk that are torn, gone, or set back as a whole are an alarm and no fresh start.
#[test]
fn damaged_keys_are_no_fresh_start() {
    let (office, server) = (Office::new(), LyingServer::start());
    let mut station = begun(&office, &server, "");
    let version_1 = fs::read(office.path("out/keys.json")).unwrap();
    office.replace_leaked();
    office.publish("khoa-b", "");
    office.serve(&server);
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(2), Some(2)));
    let noted =
        |s: &Station| s.chain().into_iter().any(|r| r["event"] == "keys_in_force" && r["detail"]["version"] == 2);
    assert!(station.wait(LONG, noted));
    let old = |server: &LyingServer| {
        server.file("/keys.json", version_1.clone());
        office.forge(server, "khoa-a", 9);
    };
    let file_of = |station: &Station, version: u64| {
        let names = on_disk(station).into_iter().map(|(name, _)| name);
        let found: Vec<_> = names.filter(|n| n.starts_with(&format!("tinh~keys.{version}-"))).collect();
        found.into_iter().map(|n| station.path("state/playlists").join(n)).collect::<Vec<_>>()
    };

    // The state file is torn: what verifies goes on, under an alarm.
    station.end();
    let path = station.path("state/playlists/tinh.accepted");
    let mut torn = fs::read(&path).unwrap();
    let middle = torn.len() / 2;
    torn[middle] ^= 4;
    fs::write(&path, torn).unwrap();
    old(&server);
    station.start();
    assert!(alarm(&station, "source_tinh"), "{}", station.log());
    let output = station.run(&["sync"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stdout).contains("cũ hơn bản 2"));
    assert_eq!(state(&station), (Some(2), Some(2)));

    // The file of version 2 is altered: the list it allowed stays, and by version 1 nothing is taken any more.
    station.end();
    for path in file_of(&station, 2) {
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    station.start();
    assert!(alarm(&station, "source_tinh"), "{}", station.log());
    let output = station.run(&["sync"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stdout).contains("cũ hơn bản 2"));
    assert_eq!(state(&station), (Some(1), Some(2)));
    // It is mended from the server.
    office.serve(&server);
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(2), Some(2)));

    // All of it deleted: the log remembers.
    station.end();
    fs::remove_dir_all(station.path("state/playlists")).unwrap();
    old(&server);
    station.start();
    let output = station.run(&["sync"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stdout).contains("cũ hơn bản 2"));
    assert_eq!(state(&station), (None, None));
    office.serve(&server);
    station.ok(&["sync"]);
    assert_eq!(state(&station), (Some(2), Some(2)));
    station.verify();
}

/// The same from a USB stick; one that lags behind is none that lies.
#[test]
fn keys_come_on_a_stick_as_well() {
    let (office, server) = (Office::new(), LyingServer::start()); // serves nothing
    office.publish("khoa-a", "");
    let out = office.path("out").display().to_string();
    let copy = |name: &str| {
        assert!(Command::new("cp").args(["-r", &out, office.path(name).to_str().unwrap()]).status().unwrap().success());
        office.path(name).display().to_string()
    };
    let first = copy("stick-1");
    let mut station = Station::new("null");
    station.configure("null", &office.source(&server, ""));
    station.start();
    let said = station.ok(&["import", &first]);
    assert!(said.contains("keys.json bản 1") && said.contains("số 1"), "{said}");
    assert!(station.wait(LONG, |s| s.chain().iter().any(|r| r["event"] == "keys_in_force")), "{}", station.log());

    office.publish("khoa-a", "");
    let second = copy("stick-2");
    office.replace_leaked();
    office.publish("khoa-b", "");
    let third = copy("stick-3");
    // Keys alone, without their list: still what the leaked key signed is gone at once.
    fs::remove_file(format!("{third}/playlist.json.minisig")).unwrap();
    let output = station.run(&["import", &third]);
    assert_eq!(output.status.code(), Some(1));
    assert!(station.wait(LONG, |s| alarm(s, "key_leaked_tinh")), "{}", station.log());
    // An older stick: its keys are passed over, and those that are known judge its list.
    let output = station.run(&["import", &second]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("đã bị lộ"), "{said}");
    let whole = station.ok(&["import", &out]);
    assert!(whole.contains("số 3"), "{whole}");
    assert!(station.wait(LONG, |s| !alarm(s, "key_leaked_tinh")), "{}", station.log());

    // A stick without keys, and one whose version is signed by too few.
    fs::remove_file(format!("{first}/keys.json")).unwrap();
    let output = station.run(&["import", &first]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("không có tệp"), "{output:?}");
    office.ok(&["keys", "add", "khoa", "--key", "khoa-b.pub", "--name", "khác"]);
    let draft = fs::read(office.path("khoa/keys.json")).unwrap();
    fs::write(format!("{out}/keys.json"), &draft).unwrap();
    fs::write(format!("{out}/keys/3.json"), &draft).unwrap();
    fs::write(format!("{out}/keys/3.json.minisig"), signed(&office.path("goc-1.key"), &draft)).unwrap();
    let output = station.run(&["import", &out]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("có 1 chữ ký khóa gốc, cần 2"), "{output:?}");
    station.verify();
}

/// A list whose key leaked is withdrawn whole; what its source's other list says, by a key that holds, is not touched.
#[test]
fn a_withdrawn_list_takes_nothing_of_the_other_with_it() {
    use loaxa::domain::playlist::{Form, Withdrawn, read_list};
    let read = |text: &str| read_list(text.as_bytes(), Form::Handwritten).value.unwrap();
    let clip = |id: &str| format!("[[clips]]\nid=\"{id}\"\ntitle=\"{id}\"\nkind=\"nhac_cat\"\nfile=\"{id}.mp3\"\n");
    let emergency = |id: &str, clip: &str| {
        format!(
            "[[emergencies]]\nid=\"{id}\"\nclip=\"{clip}\"\nfrom=\"2022-10-01T08:00:00+07:00\"\n\
             until=\"2022-10-01T09:00:00+07:00\"\n"
        )
    };
    let slot = "[[slots]]\nid=\"s\"\nname=\"S\"\nat=\"06:00\"\nitems=[\"a\"]\n[[offers]]\nid=\"o\"\nitems=[\"b\"]\n";
    let mut list = read(&format!("source=\"tinh\"\n{}{}{slot}{}", clip("a"), clip("b"), emergency("e", "b")));
    let mut urgent = read(&format!(
        "source=\"tinh\"\n{}{}{}{}[[withdrawals]]\nclip=\"a\"\nby=\"A\"\nwhy=\"x\"\n",
        clip("b"),
        clip("c"),
        emergency("e", "b"),
        emergency("f", "c")
    ));
    for clip in list.clips.iter_mut().chain(&mut urgent.clips) {
        clip.sha256 = Some(clip.id.clone());
    }
    let back = |list: &loaxa::domain::playlist::List| {
        let mut names: Vec<String> = (list.withdrawals.iter())
            .map(|w| match &w.what {
                Withdrawn::Clip(r) => format!("clip {}", r.id),
                Withdrawn::Offer(r) => format!("offer {}", r.id),
                Withdrawn::Slot(r) => format!("slot {}", r.id),
                Withdrawn::Emergency(r) => format!("emergency {}", r.id),
            })
            .collect();
        names.sort();
        names.join(", ")
    };
    let gone = list.withdrawn();
    assert_eq!(back(&gone), "clip a, clip b, emergency e, offer o, slot s");
    // The forged withdrawal of "a" does not count, and its emergency "e" takes nothing from the list's own.
    let forged = urgent.withdrawn().beside(&list);
    assert_eq!(back(&forged), "clip c, emergency f");
    let whole = list.with_urgent(&forged, Wall(7));
    assert_eq!(back(&whole), "clip c, emergency f");
    assert_eq!(whole.emergencies.iter().map(|e| &*e.id).collect::<Vec<_>>(), ["e", "f"]);
    // And the other way round: an urgent list that holds vouches for the audio it brings.
    assert_eq!(back(&gone.withdrawn_but(&urgent)), "clip a, emergency e, offer o, slot s");
    urgent.clips[0].sha256 = Some("other".into());
    assert_eq!(back(&gone.withdrawn_but(&urgent)), back(&gone));
}

/// The urgent list is signed by the same keys: it brings them to a box that has none, and a leaked one ends it as well.
#[test]
fn the_urgent_list_is_under_the_same_keys() {
    let (office, server) = (Office::new(), LyingServer::start());
    office.publish("khoa-a", "");
    // From a minute ago on, again and again: what it says is heard, or not.
    let urgent = |key: &str| {
        let text = format!(
            "source = \"tinh\"\n[[clips]]\nid = \"khan\"\nfile = \"tin.wav\"\ntitle = \"Khẩn\"\nkind = \"nhac_cat\"\n\
             [[emergencies]]\nid = \"e\"\nclip = \"khan\"\nfrom = \"{}+07:00\"\nuntil = \"{}+07:00\"\nevery = \"10s\"\n",
            at(soon(-60_000)),
            at(soon(3_600_000))
        );
        fs::write(office.path("in/urgent.toml"), text).unwrap();
        let key = format!("{key}.key");
        office.ok(&["publish", "in", "--urgent", "--key", &key, "--keys", "khoa", "--out", "out"]);
        office.serve(&server);
    };
    urgent("khoa-a");
    let mut station = Station::new("null");
    station.configure("null", &office.source(&server, "urgent_poll = \"1s\"\n"));
    station.start();
    let heard = |s: &Station| s.airings().iter().filter(|r| r["clip_id"] == "khan" && r["outcome"] == "aired").count();
    assert!(station.wait(LONG, |s| state(s) == (Some(1), Some(1)) && heard(s) > 0), "{}", station.log());
    assert!(!alarm(&station, "source_tinh~urgent") && !station.log().contains("chưa nhận được keys.json"));

    // New keys, and a new list; the urgent one is still there by the old key.
    office.replace_leaked();
    office.publish("khoa-b", "");
    office.serve(&server);
    station.ok(&["sync"]);
    let withdrawn = |s: &Station| alarm(s, "key_leaked_tinh") && alarm(s, "source_tinh~urgent");
    assert!(station.wait(LONG, withdrawn), "{:?}\n{}", station.status(), station.log());
    assert_eq!(state(&station), (Some(2), Some(2)));
    std::thread::sleep(Duration::from_secs(1));
    let before = heard(&station);
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!(heard(&station), before, "{}", station.log());
    urgent("khoa-b");
    let back = |s: &Station| !alarm(s, "key_leaked_tinh") && heard(s) > before;
    assert!(station.wait(LONG, back), "{:?}\n{}", station.status(), station.log());
    station.verify();
}
