//! What keeps a station in touch, and what it says of itself: imports seen at once, a set-back store, the heartbeat,
//! the fleet, the witness.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod lying_server;
mod province;
mod station_box;

use std::time::Duration;

use lying_server::LyingServer;
use province::{Province, loaxa};
use station_box::{Station, clip, slot, soon, tone};

const OFFER: &str = "[[offers]]\nid = \"o\"\nitems = [\"tin\"]\n";
const LONG: Duration = Duration::from_secs(20);

fn serial(station: &Station) -> Option<u64> {
    station.status()?["sources"][0]["serial"].as_u64()
}

fn out(province: &Province) -> String {
    province.dir.path().join("out").display().to_string()
}

/// A stick is read although the commune's own list has a mistake, and the running station has it at once; `check`
/// knows the stored list by the name of its file.
#[test]
fn an_import_is_seen_at_once() {
    let province = Province::new();
    province.publish(OFFER, &[("tin", 700)]);
    let server = LyingServer::start(); // serves nothing
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, ""));
    station.start();
    station.list("[[clips]]\nid = 7\n");
    let said = station.ok(&["import", &out(&province)]);
    assert!(said.contains("số 1"), "{said}");
    assert!(
        station.wait(Duration::from_secs(5), |s| {
            s.chain().iter().any(|r| r["event"] == "list_in_force" && r["detail"]["serial"] == 1)
        }),
        "{}",
        station.log()
    );
    assert_eq!(serial(&station), Some(1));
    // What stands in the list twice is known to be one: the row is written once, also after the source's own look.
    station.run(&["sync"]);
    let rows = station.chain().into_iter().filter(|r| r["event"] == "list_in_force").count();
    assert_eq!(rows, 1);
    station.list(&slot("s", soon(3_600_000), "\"tinh/khong-co\"", ""));
    let output = station.run(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("khong-co"), "{said}");
}

/// Fault 14: with the whole store deleted, what the log knows still refuses an older list.
#[test]
fn a_deleted_store_is_no_fresh_start() {
    let province = Province::new();
    let server = LyingServer::start();
    province.publish(OFFER, &[("tin", 700)]);
    province.serve(&server);
    let old: Vec<_> = ["playlist.json", "playlist.json.minisig"]
        .map(|name| (name, std::fs::read(province.dir.path().join("out").join(name)).unwrap()))
        .into();
    province.publish(OFFER, &[("tin", 800)]);
    province.serve(&server);
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, ""));
    station.start();
    assert!(station.wait(LONG, |s| serial(s) == Some(2)), "{}", station.log());
    station.end();
    std::fs::remove_dir_all(station.path("state/playlists")).unwrap();
    for (name, bytes) in old {
        server.file(&format!("/{name}"), bytes);
    }
    station.start();
    let output = station.run(&["sync"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("cũ hơn"), "{said}");
    assert_eq!(serial(&station), None);
    // The one that was in force, or a later one, is welcome.
    province.serve(&server);
    station.ok(&["sync"]);
    assert_eq!(serial(&station), Some(2));
    station.verify();
}

/// Each question tells the server who asks; its access log is a table of stations, and a witness of the log.
#[test]
fn the_access_log_knows_the_stations_and_their_logs() {
    let province = Province::new();
    let server = LyingServer::start();
    province.publish(OFFER, &[("tin", 700)]);
    province.serve(&server);
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, ""));
    tone(&station.path("clips/t.wav"), 300);
    station.list(&(clip("t", &station.path("clips/t.wav")) + &slot("s", soon(4_000), "\"t\"", "")));
    station.start();
    station.wait_for_airings(1, LONG);
    station.ok(&["sync"]);
    std::thread::sleep(Duration::from_millis(1_200));
    server.forget_requests();
    station.ok(&["sync"]);
    let agent = server.requests("/playlist.json")[0].header("user-agent").unwrap().to_owned();
    for part in ["(xa-thu; thu-01; log=", "; list=1; state=idle; last=20"] {
        assert!(agent.contains(part), "{agent}");
    }

    let line = |time: &str, agent: &str| {
        format!("10.0.0.7 - - [{time}] \"GET /playlist.json HTTP/1.1\" 304 0 \"-\" \"{agent}\"\n")
    };
    let now = chrono::Utc::now().format("%d/%b/%Y:%H:%M:%S +0000").to_string();
    let lost = "loaxa/0.1.0 (xa-cu; cu-01; log=00112233/9/0011223344556677; list=3; state=stopped; short=tinh%2Fcds)";
    let log = line("05/Oct/2022:05:40:00 +0700", lost) + &line(&now, &agent) + &line(&now, "Mozilla/5.0");
    std::fs::write(station.path("access.log"), &log).unwrap();
    let output = station.run(&["fleet", "access.log"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{table}");
    let row = |name: &str| table.lines().find(|l| l.contains(name)).unwrap_or_else(|| panic!("{table}")).to_owned();
    assert!(row("xa-cu").contains("IM LẶNG") && row("xa-cu").contains("tinh/cds"), "{table}");
    assert!(!row("xa-thu").contains("IM LẶNG"), "{table}");

    // The witness: what was seen is there; what is not there, or not so, is told.
    let witness = |name: &str, text: &str| {
        std::fs::write(station.path(name), text).unwrap();
        let output = station.run(&["verify", "--witness", name]);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (fine, said) = witness("access.log", &log);
    assert!(fine && said.contains("khớp với 1 dấu"), "{said}");
    let head = agent.split("log=").nth(1).unwrap().split(';').next().unwrap();
    let (id, seq) = (head.split('/').next().unwrap(), head.split('/').nth(1).unwrap());
    let hash = head.split('/').nth(2).unwrap();
    let (fine, said) = witness("forged.log", &line(&now, &agent.replace(hash, "00112233aabbccdd")));
    assert!(!fine && said.contains(&format!("dòng {seq} không phải")), "{said}");
    let (fine, said) = witness("later.log", &line(&now, &agent.replace(&format!("/{seq}/"), "/99999/")));
    assert!(!fine && said.contains("99999"), "{said}");
    let (fine, said) = witness("other.log", &line(&now, &agent.replace(id, "0badc0de")));
    assert!(fine && said.contains("0badc0de"), "{said}");
}

/// `serve` writes what `fleet` reads.
#[test]
fn serve_keeps_an_access_log() {
    let province = Province::new();
    province.publish(OFFER, &[("tin", 700)]);
    let mut station = Station::new("null");
    let mut serve = station
        .command(&["serve", &out(&province), "--listen", "127.0.0.1:0", "--access-log", "access.log"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(serve.stdout.take().unwrap()), &mut url).unwrap();
    let source = format!(
        "[[source]]\nid = \"tinh\"\norigin = \"tinh\"\nurl = \"{}\"\npublic_keys = [\"{}\"]\n",
        url.trim(),
        province.key
    );
    station.configure("null", &source);
    station.start();
    station.ok(&["sync"]);
    let table = station.ok(&["fleet", "access.log"]);
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert!(table.contains("xa-thu") && table.contains("thu-01"), "{table}");
    let log = std::fs::read_to_string(station.path("access.log")).unwrap();
    assert!(log.starts_with("127.0.0.1 - - [") && log.contains("\"GET /playlist.json HTTP/1.1\" 200 "), "{log}");
    loaxa(station.path(".").as_path(), &["fleet", "--help"]);
}
