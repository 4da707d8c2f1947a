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

/// Back to the list before by order: over restarts and polls, until a later one comes.
#[test]
fn a_person_goes_back_until_something_later_comes() {
    let province = Province::new();
    let server = LyingServer::start();
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, ""));
    for (n, ms) in [(1, 700), (2, 800)] {
        province.publish(OFFER, &[("tin", ms)]);
        province.serve(&server);
        if n == 1 {
            station.start();
        }
        station.ok(&["sync"]);
        assert_eq!(serial(&station), Some(n));
    }
    let said = station.ok(&["sync", "--rollback", "tinh", "--by", "Nguyễn Văn A"]);
    assert!(said.contains("bản số 1") && said.contains("bỏ bản số 2"), "{said}");
    let back = |station: &Station| {
        let status = station.status().unwrap();
        let alarm = status["alarms"].as_array().unwrap().iter().any(|a| a["code"] == "rolled_back_tinh");
        (status["sources"][0]["serial"].as_u64(), alarm)
    };
    assert!(station.wait(LONG, |s| back(s) == (Some(1), true)), "{:?}", station.status());
    station.ok(&["sync"]);
    assert_eq!(back(&station), (Some(1), true));
    station.kill();
    station.start();
    station.ok(&["sync"]);
    assert!(station.wait(LONG, |s| back(s) == (Some(1), true)), "{:?}", station.status());
    let twice = station.run(&["sync", "--rollback", "tinh"]);
    assert!(!twice.status.success() && String::from_utf8_lossy(&twice.stderr).contains("không còn bản trước"));
    assert!(!station.run(&["sync", "--rollback", "khong-co"]).status.success());
    province.publish(OFFER, &[("tin", 900)]);
    province.serve(&server);
    station.ok(&["sync"]);
    assert!(station.wait(LONG, |s| back(s) == (Some(3), false)), "{:?}", station.status());
    let rows: Vec<_> = station.chain().into_iter().filter(|r| r["event"] == "list_in_force").collect();
    let serials: Vec<_> = rows.iter().map(|r| r["detail"]["serial"].as_u64().unwrap()).collect();
    assert_eq!(serials, [1, 2, 1, 3]);
    station.verify();
}

/// The mirror serves while the source does not; a redirect is followed to a host of the config and to no other.
#[test]
fn mirrors_and_redirects() {
    let province = Province::new();
    let (first, mirror, stranger) = (LyingServer::start(), LyingServer::start(), LyingServer::start());
    province.publish(OFFER, &[("tin", 700)]);
    province.serve(&mirror);
    province.serve(&stranger);
    let mut station = Station::new("null");
    let more = format!("mirrors = [\"{}\"]\n", mirror.url("/playlist.json"));
    station.configure("null", &province.source(&first, &more));
    let refuse = |out: &mut std::net::TcpStream| {
        lying_server::say(
            out,
            "HTTP/1.1 503 Busy\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
        );
    };
    first.lie("/playlist.json", move |_, out| refuse(out));
    station.start();
    station.ok(&["sync"]);
    assert_eq!(serial(&station), Some(1));
    // A mirror that lags behind is no attack; the source's own failure is what is told.
    let old: Vec<_> = ["playlist.json", "playlist.json.minisig"]
        .map(|name| (name, std::fs::read(province.dir.path().join("out").join(name)).unwrap()))
        .into();
    province.publish(OFFER, &[("tin", 800)]);
    let sends = |to: String| {
        move |_: &lying_server::Request, out: &mut std::net::TcpStream| {
            lying_server::say(out, &format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"));
        }
    };
    province.serve(&stranger);
    first.lie("/playlist.json", sends(stranger.url("/playlist.json")));
    first.lie("/playlist.json.minisig", sends(stranger.url("/playlist.json.minisig")));
    stranger.forget_requests();
    station.ok(&["sync"]);
    assert_eq!(serial(&station), Some(1));
    assert!(stranger.requests("/playlist.json").is_empty());
    province.serve(&mirror);
    first.lie("/playlist.json", sends(mirror.url("/playlist.json")));
    station.ok(&["sync"]);
    assert_eq!(serial(&station), Some(2));
    // Round and round between hosts of the config: given up after a few.
    let (there, back) = (sends(mirror.url("/playlist.json")), sends(first.url("/playlist.json")));
    first.lie("/playlist.json", there);
    mirror.lie("/playlist.json", back);
    first.forget_requests();
    assert!(!station.run(&["sync"]).status.success());
    let asked = first.requests("/playlist.json").len();
    assert!((2..10).contains(&asked), "{asked} times round");
    assert_eq!(serial(&station), Some(2));
    mirror.repent();
    for (name, bytes) in old {
        mirror.file(&format!("/{name}"), bytes);
    }
    first.lie("/playlist.json", move |_, out| refuse(out));
    let output = station.run(&["sync"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("503"), "{said}");
    assert_eq!(serial(&station), Some(2));
    let alarms = station.status().unwrap()["alarms"].to_string();
    assert!(!alarms.contains("source_tinh"), "{alarms}");
}

/// Fault 17: the login page of a network is "no network": one line, no alarm.
#[test]
fn a_captive_portal_is_quiet() {
    let province = Province::new();
    let server = LyingServer::start();
    server.file("/playlist.json", "<!DOCTYPE html><html>login</html>");
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, ""));
    station.start();
    (0..4).for_each(|_| drop(station.run(&["sync"])));
    let lines = station.log().matches("/playlist.json").count();
    assert_eq!(lines, 1, "{}", station.log());
    let alarms = station.status().unwrap()["alarms"].to_string();
    assert!(!alarms.contains("source_tinh"), "{alarms}");
}

/// `on_expiry`: what an expired list does; the commune's own never expires.
#[test]
fn an_expired_list_stops_or_goes_on_as_the_config_says() {
    use loaxa::domain::playlist::{Form, read_list};
    use loaxa::domain::schedule::{InForce, Programme};
    use loaxa::domain::time::Wall;
    let key = "RWSiHO5ysL3Y1Impfpb3VMAGOUY3VQsl9QZnf5AB+lH6FNdq/6Oc79+b";
    let text = |more: &str| {
        format!(
            "[station]\nid=\"x\"\nname=\"X\"\n[[source]]\nid=\"tinh\"\norigin=\"tinh\"\nurl=\"http://a.vn/p.json\"\n\
             public_keys=[\"{key}\"]\n{more}\n"
        )
    };
    let list = "{\"format\":1,\"source\":\"tinh\",\"serial\":1,\"issued_at\":\"2022-10-01T08:00:00+07:00\",\
                \"expires_at\":\"2022-11-01T08:00:00+07:00\"}";
    let list = std::sync::Arc::new(read_list(list.as_bytes(), Form::Published).value.unwrap());
    let expired = |more: &str| {
        let config = loaxa::domain::config::read_config(text(more).as_bytes(), false).value.unwrap();
        let in_force = InForce { source: "tinh".into(), list: list.clone(), since: Wall(0) };
        let programme = Programme::new(std::sync::Arc::new(config), &[in_force]).unwrap();
        programme.expired("tinh", Wall::parse_rfc3339("2022-12-01T08:00:00+07:00").unwrap())
    };
    assert!(expired("") && expired("on_expiry = \"stop\"") && !expired("on_expiry = \"keep\""));
    assert!(loaxa::domain::config::read_config(text("on_expiry = \"giữ\"").as_bytes(), false).value.is_none());
}

/// Urgent: an emergency and a withdrawal reach a station within seconds, beside its list; the two files cannot stand
/// for each other; it outlives a restart.
#[test]
fn what_is_urgent_is_in_force_at_once() {
    let province = Province::new();
    let server = LyingServer::start();
    province.publish(OFFER, &[("tin", 700)]);
    province.serve(&server);
    let mut station = Station::new("null");
    station.configure("null", &province.source(&server, "urgent_poll = \"1s\"\nemergency = true\n"));
    station.start();
    station.ok(&["sync"]);
    assert!(station.wait(LONG, |s| serial(s) == Some(1)), "{}", station.log());
    let quiet = station.status().unwrap()["alarms"].to_string();
    assert!(!quiet.contains("urgent"), "nothing urgent is no alarm: {quiet}");

    let dir = province.dir.path();
    tone(&dir.join("in/bao.wav"), 400);
    let (from, until) = (station_box::now_ms(), station_box::now_ms() + 600_000);
    std::fs::write(
        dir.join("in/urgent.toml"),
        format!(
            "source = \"tinh\"\n[[clips]]\nid = \"tin\"\nfile = \"bao.wav\"\ntitle = \"Tin bão\"\nkind = \"thong_bao\"\n\
             priority = \"khan_cap\"\napproved_by = \"Nguyễn Văn A\"\napproved_at = \"2022-09-30\"\n\
             [[emergencies]]\nid = \"bao\"\nclip = \"tin\"\nfrom = \"{}+07:00\"\nuntil = \"{}+07:00\"\n\
             [[withdrawals]]\noffer = \"o\"\nby = \"Nguyễn Văn A\"\nwhy = \"thử\"\n",
            station_box::local(from, "%Y-%m-%dT%H:%M:%S"),
            station_box::local(until, "%Y-%m-%dT%H:%M:%S"),
        ),
    )
    .unwrap();
    loaxa(dir, &["publish", "in", "--urgent", "--key", "tinh.key", "--out", "out"]);
    province.serve(&server);
    for name in ["urgent.json.minisig", "urgent.json"] {
        server.file(&format!("/{name}"), std::fs::read(dir.join("out").join(name)).unwrap());
    }
    let airings = station.wait_for_airings(1, LONG);
    assert_eq!((&airings[0]["outcome"], &airings[0]["title"]), (&"aired".into(), &"Tin bão".into()), "{airings:#?}");
    assert_eq!(serial(&station), Some(1), "its own serial");
    // `keep_aired`: the audio behind the row is known to the next start, and for as long as it is young.
    let log = loaxa::edge::airing_log::AiringLog::open_read_only(&station.path("state/loaxa.db")).unwrap();
    let since = |ms: i64| log.aired_since(loaxa::domain::time::Wall(station_box::now_ms() + ms)).unwrap();
    assert!(since(-60_000).contains_key(airings[0]["clip_sha256"].as_str().unwrap()));
    assert!(since(60_000).is_empty());
    drop(log);
    server.forget_requests();
    std::thread::sleep(Duration::from_millis(2_500));
    let requests = server.requests("/urgent.json");
    assert!(!requests.is_empty() && requests.iter().all(|r| r.header("if-none-match").is_some()));
    assert_eq!(server.body_bytes(), 0);
    assert!(requests[0].header("user-agent").unwrap().contains("; list=1;"), "{requests:?}");

    // Each says what it is: a server that swaps the two gets neither taken.
    for (name, other) in [("playlist.json", "urgent.json"), ("playlist.json.minisig", "urgent.json.minisig")] {
        server.file(&format!("/{name}"), std::fs::read(dir.join("out").join(other)).unwrap());
    }
    let output = station.run(&["sync"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("đưa nhầm"), "{said}");
    province.serve(&server);

    station.kill();
    station.start();
    station.ok(&["sync"]);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(station.airings().len(), 1, "it has sounded");
    let rows: Vec<_> = station.chain().into_iter().filter(|r| r["event"] == "list_in_force").collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["detail"]["urgent"], true);
    station.verify();

    // An editor who puts a programme into it is told; a stick carries it as well.
    let text = std::fs::read_to_string(dir.join("in/urgent.toml")).unwrap();
    std::fs::write(dir.join("in/urgent.toml"), text + "[[offers]]\nid = \"x\"\nitems = [\"tin\"]\n").unwrap();
    let output = station.run(&[
        "publish",
        dir.join("in").to_str().unwrap(),
        "--urgent",
        "--key",
        dir.join("tinh.key").to_str().unwrap(),
        "--out",
        dir.join("out").to_str().unwrap(),
    ]);
    assert!(!output.status.success(), "{output:?}");
    let other = Station::new("null");
    other.configure("null", &province.source(&server, "urgent_poll = \"30s\"\n"));
    let said = other.ok(&["import", &out(&province)]);
    assert_eq!(said.lines().count(), 2, "{said}");
}

/// What an urgent list adds, and what it cannot touch.
#[test]
fn an_urgent_list_is_added_to_the_list() {
    use loaxa::domain::playlist::{Form, read_list};
    use loaxa::domain::time::Wall;
    let read = |text: &str| read_list(text.as_bytes(), Form::Handwritten).value.unwrap();
    let clip = |id: &str, title: &str| {
        format!("[[clips]]\nid=\"{id}\"\ntitle=\"{title}\"\nkind=\"nhac_cat\"\nfile=\"{title}.mp3\"\n")
    };
    let emergency = |clip: &str| {
        format!(
            "[[emergencies]]\nid=\"e\"\nclip=\"{clip}\"\nfrom=\"2022-10-01T08:00:00+07:00\"\n\
             until=\"2022-10-01T09:00:00+07:00\"\n"
        )
    };
    let mut list = read(&format!("source=\"tinh\"\n{}{}{}", clip("a", "cũ"), clip("b", "khác"), emergency("b")));
    let mut urgent = read(&format!(
        "source=\"tinh\"\n{}{}[[withdrawals]]\nclip=\"b\"\nby=\"A\"\nwhy=\"x\"\n",
        clip("a", "mới"),
        emergency("a")
    ));
    list.clips[0].sha256 = Some("1".into());
    urgent.clips[0].sha256 = Some("2".into());
    let whole = list.with_urgent(&urgent, Wall(7));
    assert_eq!(&*whole.clip("a").unwrap().title, "cũ", "what sessions name stays what it was");
    assert_eq!(whole.emergencies.len(), 1);
    let said = &whole.emergencies[0];
    assert_eq!(&*whole.clip(&said.clip.id).unwrap().title, "mới");
    assert_eq!((said.since, whole.withdrawals[0].at), (Some(Wall(7)), Some(Wall(7))));
    urgent.clips[0].sha256 = Some("1".into());
    assert_eq!(list.with_urgent(&urgent, Wall(7)).clips.len(), 2, "the same audio is there once");
}
