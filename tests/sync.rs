//! Lists from above against servers that lie, stall, break off and never end, and against kills in mid-sync.

mod lying_server;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loaxa::daemon::clock::MachineClock;
use loaxa::daemon::sync::{
    Answer, Latest, Loaded, Settings, Stored, Surroundings, SyncEvent, Syncing, introduction, load_all,
};
use loaxa::domain::config::{Config, Language, read_config};
use loaxa::domain::playlist::{Form, List, read_list};
use loaxa::domain::schedule::airs_first;
use loaxa::domain::signature::sha256_hex;
use loaxa::domain::text::Text;
use loaxa::domain::time::{Clock, ClockState, Now, Wall};
use loaxa::edge::clip_store::{ClipStore, Measured};
use loaxa::edge::http::Limits;
use lying_server::{LyingServer, drip, etag, say};
use minisign::KeyPair;

/// Real boot time, a wall clock of its own.
struct TestClock {
    wall: Mutex<(Wall, ClockState)>,
    machine: MachineClock,
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        let (wall, clock) = *self.wall.lock().unwrap();
        Now { wall_ns: wall.0 * 1_000_000, boot_ns: self.machine.now().boot_ns, clock }
    }
}

const ISSUED: &str = "2022-10-01T08:00:00+07:00";
const EXPIRES: &str = "2022-11-01T08:00:00+07:00";

fn wall(text: &str) -> Wall {
    Wall::parse_rfc3339(text).unwrap()
}

/// "Audio" of `seconds` whose decoding [`admit`] fakes: the first bytes say how long it is, or that it is bad.
fn sound(seconds: u8, size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..size).map(|i| (i * 31 + usize::from(seconds) * 7) as u8).collect();
    bytes[0] = seconds;
    bytes
}

fn admit(path: &Path) -> Result<Measured, Text> {
    let bytes = std::fs::read(path).unwrap();
    match bytes[0] {
        0 => Err(Text::StoreIo { path: "x".into(), cause: "không giải mã được".into() }),
        n => Ok(Measured { duration_ms: i64::from(n) * 1000, loudness_lufs: Some(-18.0), true_peak_db: Some(-2.0) }),
    }
}

/// A province: keys, a server, and what it publishes.
struct Province {
    pair: KeyPair,
    server: LyingServer,
}

impl Province {
    fn new() -> Province {
        Province { pair: KeyPair::generate_unencrypted_keypair().unwrap(), server: LyingServer::start() }
    }

    fn list(&self, serial: u64, clips: &[(&str, &[u8])]) -> String {
        let clip = |(id, bytes): &(&str, &[u8])| {
            serde_json::json!({
                "id": id, "title": format!("Bản tin {id}"), "kind": "nhac_hieu", "sha256": sha256_hex(bytes),
                "bytes": bytes.len(), "duration_ms": i64::from(bytes[0].max(1)) * 1000,
                "url": format!("clips/{}.mp3", sha256_hex(bytes)),
            })
        };
        if clips.is_empty() {
            return format!(
                r#"{{"format":1,"source":"tinh","serial":{serial},"issued_at":"{ISSUED}","expires_at":"{EXPIRES}"}}"#
            );
        }
        serde_json::json!({
            "format": 1, "source": "tinh", "serial": serial, "issued_at": ISSUED, "expires_at": EXPIRES,
            "clips": clips.iter().map(clip).collect::<Vec<_>>(),
            "rotations": [{"id": "r", "from": "2022-10-01", "clips": clips.iter().map(|c| c.0).collect::<Vec<_>>()}],
        })
        .to_string()
    }

    fn sign(&self, list: &str) -> String {
        minisign::sign(None, &self.pair.sk, list.as_bytes(), Some("timestamp:1"), None).unwrap().to_string()
    }

    /// Puts a list and its clips on the server.
    fn publish(&self, serial: u64, clips: &[(&str, &[u8])]) -> String {
        let list = self.list(serial, clips);
        for (_, bytes) in clips {
            self.server.file(&clip_path(bytes), *bytes);
        }
        self.server.file("/playlist.json.minisig", self.sign(&list));
        self.server.file("/playlist.json", list.clone());
        list
    }
}

fn clip_path(bytes: &[u8]) -> String {
    format!("/clips/{}.mp3", sha256_hex(bytes))
}

/// A station's box.
struct Station {
    dir: PathBuf,
    config: Config,
    clock: Arc<TestClock>,
    settings: Settings,
    _temp: Option<tempfile::TempDir>,
}

impl Station {
    fn of(province: &Province) -> Station {
        let temp = tempfile::tempdir().unwrap();
        let mut station =
            Station::at(temp.path(), &province.server.url("/playlist.json"), &province.pair.pk.to_base64());
        station._temp = Some(temp);
        station
    }

    fn at(dir: &Path, url: &str, key: &str) -> Station {
        let text = format!(
            "[station]\nid = \"xa-a\"\nname = \"Đài xã A\"\ndevice_id = \"a-01\"\n[state]\ndir = {:?}\n\
             [[source]]\nid = \"tinh\"\norigin = \"tinh\"\nurl = {url:?}\npublic_keys = [{key:?}]\npoll = \"15m\"\n\
             [output]\ndevice = \"null\"\n",
            dir.display().to_string()
        );
        let reading = read_config(text.as_bytes(), false);
        let config = reading.value.unwrap_or_else(|| panic!("{:?}", reading.findings));
        let settings = Settings {
            first_after: Duration::from_secs(3600),
            between_files: Duration::from_millis(50),
            resume_after: Duration::from_millis(10),
            ..Settings::default()
        };
        let wall = Mutex::new((wall("2022-10-01T12:00:00+07:00"), ClockState::Synced));
        let clock = TestClock { wall, machine: MachineClock::plain() };
        Station { dir: dir.into(), config, clock: Arc::new(clock), settings, _temp: None }
    }

    /// Limits short enough to wait for in a test.
    fn impatient(mut self) -> Station {
        let short = Duration::from_millis(1_500);
        self.settings.limits = Limits { headers: short, silence: short, speed_over: short, ..Limits::default() };
        self
    }

    fn store(&self) -> Arc<ClipStore> {
        Arc::new(ClipStore::open(&self.dir).unwrap())
    }

    fn start(&self) -> Running {
        self.start_with(admit)
    }

    fn start_with(&self, admit: impl Fn(&Path) -> Result<Measured, Text> + Send + Sync + 'static) -> Running {
        self.start_planning(admit, |_, _| Vec::new())
    }

    fn start_planning(
        &self,
        admit: impl Fn(&Path) -> Result<Measured, Text> + Send + Sync + 'static,
        soonest: impl Fn(&str, &List) -> Vec<Arc<str>> + Send + Sync + 'static,
    ) -> Running {
        let (send, events) = mpsc::channel();
        let store = self.store();
        let send = Mutex::new(send);
        let surroundings = Surroundings {
            store: store.clone(),
            admit: Arc::new(admit),
            keep: Arc::new(|_| false),
            soonest: Arc::new(soonest),
            clock: self.clock.clone(),
            tell: Arc::new(move |event| {
                let _ = send.lock().unwrap().send(event);
            }),
            heartbeat: Arc::new(Mutex::new(introduction(&self.config))),
            latest: Arc::default(),
        };
        let syncing = Syncing::start(&self.config, &surroundings, &self.settings).unwrap();
        Running { syncing, events, store }
    }

    /// One check and its answer.
    fn check(&self) -> Answer {
        self.start().check()
    }

    fn loaded(&self) -> Loaded {
        let loaded = load_all(&self.config, &self.store(), &*self.clock, Language::Vi, &Latest::new()).unwrap();
        loaded.into_iter().next().unwrap().1
    }

    fn stored(&self) -> Option<Arc<Stored>> {
        self.loaded().stored
    }

    /// Everything below the state folder, as names and bytes: a refusal changes none of it.
    fn bytes_on_disk(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        for folder in ["playlists", "clips"] {
            for entry in std::fs::read_dir(self.dir.join(folder)).into_iter().flatten().flatten() {
                all.push((entry.path(), std::fs::read(entry.path()).unwrap()));
            }
        }
        all.sort();
        all
    }
}

struct Running {
    syncing: Syncing,
    events: Receiver<SyncEvent>,
    store: Arc<ClipStore>,
}

impl Running {
    fn check(&self) -> Answer {
        let answers = self.syncing.sync_now();
        answers.recv_timeout(Duration::from_secs(30)).expect("an answer").1
    }
}

fn refusal(answer: &Answer) -> &'static str {
    match answer {
        Answer::Refused(text) => text.name(),
        other => panic!("not refused: {other:?}"),
    }
}

fn failure(answer: &Answer) -> &'static str {
    match answer {
        Answer::Failed(text) => text.name(),
        other => panic!("not failed: {other:?}"),
    }
}

fn new_serial(answer: &Answer) -> u64 {
    match answer {
        Answer::New(stored) => stored.serial,
        other => panic!("not new: {other:?}"),
    }
}

/// A line that may break any minute brings first what a village waits for.
#[test]
fn emergencies_come_first_and_then_what_airs_soonest() {
    let province = Province::new();
    let mut sounds: Vec<Vec<u8>> = (1..=5).map(|seconds| sound(seconds, 5_000)).collect();
    let ids = ["spare", "late", "soon", "sooner", "storm"];
    let mut list: serde_json::Value = serde_json::from_str(
        &province.list(1, &ids.iter().zip(&sounds).map(|(id, bytes)| (*id, &bytes[..])).collect::<Vec<_>>()),
    )
    .unwrap();
    list["rotations"][0]["clips"] = serde_json::json!(["sooner", "soon"]);
    list["rotations"][0]["from"] = "2022-10-02".into();
    list["emergencies"] = serde_json::json!([{ "id": "e", "clip": "storm", "from": "2022-10-09T05:00:00+07:00",
        "until": "2022-10-09T09:00:00+07:00" }]);
    let offer = |id: &str, item: serde_json::Value, from: &str| serde_json::json!({ "id": id, "items": [item], "priority": "priority", "from": from });
    list["offers"] = serde_json::json!([
        offer("a", "late".into(), "2022-10-05"),
        offer("b", serde_json::json!({ "rotation": "r" }), "2022-10-02")
    ]);
    let list = list.to_string();
    for bytes in &sounds {
        province.server.file(&clip_path(bytes), &bytes[..]);
    }
    province.server.file("/playlist.json.minisig", province.sign(&list));
    province.server.file("/playlist.json", list.clone());
    let station = Station::of(&province);
    let own = "[[slots]]\nid = \"s\"\nat = \"05:30\"\nitems = [{ offers = \"priority\" }]\n";
    let own = Arc::new(read_list(own.as_bytes(), Form::Local).value.unwrap());
    let config = "[station]\nid = \"xa-a\"\nname = \"A\"\n[local]\nplaylist = \"l\"\nclips = \"c\"\n[[source]]\nid = \"tinh\"\n\
        origin = \"tinh\"\nurl = \"http://a/\"\npublic_keys = [\"KEY\"]\n[output]\ndevice = \"null\"\n";
    let config = config.replace("KEY", &province.pair.pk.to_base64());
    let config = Arc::new(read_config(config.as_bytes(), false).value.unwrap());
    let noon = wall("2022-10-01T12:00:00+07:00");
    let soonest =
        move |source: &str, list: &List| airs_first(&config, Some(&own), (source, &Arc::new(list.clone())), noon);
    let running = station.start_planning(admit, soonest);
    assert_eq!(new_serial(&running.check()), 1);
    let fetched: Vec<String> = province.server.paths().into_iter().filter(|path| path.contains("clips")).collect();
    // The rotation begins with its first clip; the emergency's is there before all, though it is a week off. What no
    // session takes comes once the list is in force.
    sounds.rotate_left(1);
    sounds[..4].reverse();
    let wanted: Vec<String> = sounds.iter().map(|bytes| clip_path(bytes)).collect();
    assert_eq!(fetched[..4], wanted[..4]);
}

#[test]
fn a_list_comes_into_force_with_all_its_clips_and_stays_without_a_network() {
    let province = Province::new();
    let (one, two) = (sound(3, 50_000), sound(4, 70_000));
    province.publish(1, &[("cd1", &one), ("cd2", &two)]);
    let station = Station::of(&province);
    let running = station.start();
    assert_eq!(new_serial(&running.check()), 1);
    let ready =
        running.events.iter().find_map(|e| if let SyncEvent::Ready { stored } = e { Some(stored) } else { None });
    let ready = ready.unwrap();
    assert_eq!((ready.serial, ready.in_force_at), (1, wall("2022-10-01T12:00:00+07:00")));
    assert_eq!(std::fs::read(running.store.path_of(&sha256_hex(&two)).unwrap()).unwrap(), two);
    assert_eq!(running.syncing.status()[0].serial, Some(1));

    // Nothing new: one request, 304, not a byte written.
    province.server.forget_requests();
    let before = station.bytes_on_disk();
    assert!(matches!(running.check(), Answer::Same { serial: Some(1) }));
    let requests = province.server.requests("/playlist.json");
    assert_eq!(requests.len(), 1);
    assert_eq!(province.server.body_bytes(), 0);
    assert!(requests[0].header("user-agent").unwrap().starts_with("loaxa/"));
    assert!(requests[0].header("user-agent").unwrap().ends_with("(xa-a; a-01; list=1)"));
    assert_eq!(station.bytes_on_disk(), before);

    // A clip lost from the disk comes back by itself, though the list is the same.
    std::fs::remove_file(running.store.path_of(&sha256_hex(&one)).unwrap()).unwrap();
    assert!(matches!(running.check(), Answer::Same { .. }));
    assert!(running.store.path_of(&sha256_hex(&one)).is_some());
    drop(running);

    // The server is dead, the box restarts: the list is there, with the moment it came into force.
    drop(province);
    station.clock.wall.lock().unwrap().0 = wall("2022-10-05T12:00:00+07:00");
    let stored = station.stored().unwrap();
    assert_eq!((stored.serial, stored.in_force_at), (1, wall("2022-10-01T12:00:00+07:00")));
    assert_eq!(stored.list.clips.len(), 2);
}

#[test]
fn attacks_are_refused_and_change_nothing() {
    let province = Province::new();
    let clip = sound(2, 2_000);
    province.publish(5, &[("cd1", &clip)]);
    let station = Station::of(&province);
    assert_eq!(new_serial(&station.check()), 5);
    let before = station.bytes_on_disk();

    let serve = |list: &str, signature: String| {
        province.server.file("/playlist.json", list);
        province.server.file("/playlist.json.minisig", signature);
    };
    let expect = |what: &str, name: &str| {
        assert_eq!(refusal(&station.check()), name, "{what}");
        assert_eq!(station.bytes_on_disk(), before, "{what}");
        assert_eq!(station.stored().unwrap().serial, 5, "{what}");
    };
    let stranger = KeyPair::generate_unencrypted_keypair().unwrap();
    let newer = province.list(6, &[("cd1", &clip)]);

    let forged = minisign::sign(None, &stranger.sk, newer.as_bytes(), None, None).unwrap().to_string();
    serve(&newer, forged);
    expect("unknown key", "SignatureKeyUnknown");
    serve(&newer.replace("cd1", "cd9"), province.sign(&newer));
    expect("changed", "SignatureBytesChanged");
    serve(&newer, "không phải chữ ký".into());
    expect("no signature", "SignatureMalformed");
    let old = province.list(4, &[("cd1", &clip)]);
    serve(&old, province.sign(&old));
    expect("rollback", "SerialLower");
    let twin = province.list(5, &[("cd1", &clip), ("cd2", &clip)]);
    serve(&twin, province.sign(&twin));
    expect("equivocation", "SerialEquivocation");
    let far = province.list(i64::MAX as u64, &[("cd1", &clip)]);
    serve(&far, province.sign(&far));
    expect("fast-forward", "SerialJump");
    let elsewhere = newer.replacen('{', "{\"stations\":[\"xa-khac\"],", 1);
    serve(&elsewhere, province.sign(&elsewhere));
    expect("other stations", "ListNotForStation");
    let other = newer.replace("\"tinh\"", "\"huyen\"");
    serve(&other, province.sign(&other));
    expect("other source", "ListOtherSource");
    let trick = newer.replace("\"cd1\"", "\"../cd1\"");
    serve(&trick, province.sign(&trick));
    expect("path trick", "ListMalformed");
    let trick = newer.replace("clips/", "../clips/");
    serve(&trick, province.sign(&trick));
    expect("path trick in an address", "ListMalformed");
    let stale = newer.replace(EXPIRES, "2022-10-01T11:00:00+07:00");
    serve(&stale, province.sign(&stale));
    expect("frozen", "ListExpiredOnArrival");
    let mut mistyped = station.config.clone();
    mistyped.sources[0].public_keys = vec!["RWQabc".into()];
    let station = Station { config: mistyped, _temp: None, dir: station.dir.clone(), ..Station::of(&province) };
    assert_eq!(refusal(&station.check()), "SourceKeyMalformed");
}

#[test]
fn a_clip_from_another_list_or_one_that_does_not_decode_keeps_the_generation_out() {
    let province = Province::new();
    let good = sound(2, 2_000);
    province.publish(1, &[("cd1", &good)]);
    let station = Station::of(&province);
    let running = station.start();
    running.check();

    // Mix and match: right size, other bytes.
    let (two, mut other) = (sound(3, 3_000), sound(3, 3_000));
    other[100] ^= 1;
    province.publish(2, &[("cd1", &good), ("cd2", &two)]);
    province.server.file(&clip_path(&two), other);
    assert_eq!(failure(&running.check()), "ClipWrongBytes");
    assert_eq!(station.stored().unwrap().serial, 1);

    // It does not decode: refused, named, and not fetched again at each poll.
    let bad = sound(0, 3_000);
    province.publish(3, &[("cd1", &good), ("cd3", &bad)]);
    let answer = running.check();
    assert_eq!(refusal(&answer), "ClipRefused");
    let Answer::Refused(text) = answer else { unreachable!() };
    assert!(text.say(Language::Vi).contains("Bản tin cd3") && text.say(Language::Vi).contains("không giải mã được"));
    province.server.forget_requests();
    assert_eq!(refusal(&running.check()), "ClipRefused");
    assert!(province.server.requests(&clip_path(&bad)).is_empty());
    assert_eq!(station.stored().unwrap().serial, 1);

    // It lasts longer than signed.
    let long = sound(9, 3_000);
    let list = province.publish(4, &[("cd4", &long)]).replace("9000", "9300");
    province.server.file("/playlist.json.minisig", province.sign(&list));
    province.server.file("/playlist.json", list);
    assert_eq!(refusal(&running.check()), "ClipDuration");
    assert_eq!(station.stored().unwrap().serial, 1);

    // Too much for the card.
    let mut small = Station::of(&province);
    small.config.state.clips_quota_bytes = 2_500;
    province.publish(5, &[("cd1", &good), ("cd2", &two)]);
    assert_eq!(refusal(&small.check()), "StoreOverQuota");

    province.publish(6, &[("cd1", &good), ("cd2", &two)]);
    assert_eq!(new_serial(&running.check()), 6);
}

/// While a clip is decoded the next one comes: one at a time over the line, in the list's order, and never more
/// decodings at once than may be.
#[test]
fn a_clip_is_decoded_while_the_next_one_comes() {
    let province = Province::new();
    let clips: Vec<Vec<u8>> = (1..7).map(|n| sound(n, 20_000 + usize::from(n))).collect();
    let ids = ["a", "b", "c", "d", "e", "f"];
    let named: Vec<(&str, &[u8])> = ids.iter().zip(&clips).map(|(id, c)| (*id, c.as_slice())).collect();
    province.publish(1, &named);
    let server = Arc::new(province.server);
    let (second, at_once, most) = (clip_path(&clips[1]), AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    for clip in &clips {
        let (path, clip, order) = (clip_path(clip), clip.clone(), order.clone());
        let name = path.clone();
        server.lie(&path, move |_, out| {
            order.lock().unwrap().push(name.clone());
            say(out, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", clip.len()));
            let _ = out.write_all(&clip);
        });
    }
    let temp = tempfile::tempdir().unwrap();
    let station = Station::at(temp.path(), &server.url("/playlist.json"), &province.pair.pk.to_base64());
    let (asked, seen) = (server.clone(), most.clone());
    let running = station.start_with(move |path| {
        let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
        seen.fetch_max(now, Ordering::SeqCst);
        // Not done before the second clip is asked for: whoever decodes first and fetches then waits for ever.
        let comes = (0..4_000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            !asked.requests(&second).is_empty()
        });
        if !comes {
            return Err(Text::HttpStopped {});
        }
        std::thread::sleep(Duration::from_millis(20));
        let admitted = admit(path);
        at_once.fetch_sub(1, Ordering::SeqCst);
        admitted
    });
    assert_eq!(new_serial(&running.check()), 1);
    let most = most.load(Ordering::SeqCst);
    assert!(most >= 1 && most <= running.store.judges() as u64, "{most} at once");
    assert_eq!(*order.lock().unwrap(), clips.iter().map(|c| clip_path(c)).collect::<Vec<_>>());
}

/// A clip that does not decode keeps the list out at once, also while the next one crawls; what came of that one is
/// not thrown away.
#[test]
fn a_refused_clip_does_not_wait_for_the_transfer_of_the_next() {
    let province = Province::new();
    let (old, bad, next) = (sound(9, 5_000), sound(0, 40_000), sound(4, 90_000));
    province.publish(1, &[("cu", &old)]);
    let station = Station::of(&province);
    let running = station.start();
    assert_eq!(new_serial(&running.check()), 1);
    province.publish(2, &[("hong", &bad), ("sau", &next)]);
    let (length, bytes) = (next.len(), next.clone());
    province.server.lie(&clip_path(&next), move |_, out| {
        say(out, &format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
        let _ = out.write_all(&bytes[..30_000]);
        drip(out, 1, Duration::from_millis(100));
    });
    assert_eq!(refusal(&running.check()), "ClipRefused");
    assert_eq!(station.stored().unwrap().serial, 1);
    let part = station.dir.join(format!("clips/{}.part.mp3", sha256_hex(&next)));
    let kept = std::fs::metadata(part).map_or(0, |m| m.len());
    assert!((30_000..90_000).contains(&kept), "{kept}");
    // The same list is refused without being fetched again; a mended one gets in.
    assert_eq!(refusal(&running.check()), "ClipRefused");
    province.server.repent();
    let good = sound(3, 40_000);
    province.publish(3, &[("hong", &good), ("sau", &next)]);
    assert_eq!(new_serial(&running.check()), 3);
}

#[test]
fn lies_about_the_list_are_survived() {
    let province = Province::new();
    let list = province.publish(1, &[]);
    let station = Station::of(&province).impatient();
    let server = &province.server;
    let expect = |what: &str, name: &str| {
        let answer = station.check();
        assert_eq!(failure(&answer), name, "{what}");
        assert!(station.stored().is_none(), "{what}");
        server.repent();
    };

    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/evil\r\nContent-Length: 0\r\n\r\n");
    });
    expect("redirect", "HttpRedirect");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!DOCTYPE html><title>Đăng nhập Wi-Fi</title>");
    });
    expect("captive portal", "HttpPortal");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n");
    });
    expect("captive portal that says so", "HttpPortal");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\n");
        let line = format!("X-Filler: {}\r\n", "x".repeat(8_000));
        while out.write_all(line.as_bytes()).is_ok() {}
    });
    expect("endless headers", "HttpHeaders");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\n\r\n[");
        while out.write_all(&[b' '; 64 * 1024]).is_ok() {}
    });
    expect("endless list", "HttpTooLong");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n[");
    });
    expect("a list that says it is endless", "HttpTooLong");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\nX-Slow: ");
        drip(out, b'x', Duration::from_millis(100));
    });
    expect("headers at a crawl", "HttpSilence");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
        drip(out, b'[', Duration::from_millis(100));
    });
    expect("a body at a crawl", "HttpTooSlow");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n[");
        std::thread::sleep(Duration::from_secs(5));
    });
    expect("a body that stops", "HttpSilence");
    let cut = list.clone();
    server.lie("/playlist.json", move |_, out| {
        say(out, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", cut.len(), &cut[..20]));
    });
    expect("truncated", "HttpTruncated");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/2\r\nContent-Length: 2\r\n\r\n{}");
    });
    expect("a part", "HttpStatus");
    server.lie("/playlist.json", |_, out| say(out, "HTTP/1.1 304 Not Modified\r\n\r\n"));
    expect("not modified, though nothing was said to be known", "HttpStatus");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}");
    });
    expect("compressed", "HttpEncoded");
    server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 503 Busy\r\nRetry-After: 1000000000\r\nContent-Length: 0\r\n\r\n");
    });
    expect("busy for ever", "HttpStatus");
    server.lie("/playlist.json", |_, out| say(out, "SSH-2.0-OpenSSH_9.2\r\n"));
    assert!(matches!(station.check(), Answer::Failed(_)), "not even HTTP");
    server.repent();
    // Half of what the publisher is putting there: the list is new, its signature is not yet.
    let signature = province.sign(&list);
    let asked = AtomicU64::new(0);
    server.lie("/playlist.json.minisig", move |_, out| {
        let old = asked.fetch_add(1, Ordering::Relaxed) == 0;
        let text = if old { signature.replace("timestamp:1", "timestamp:0") } else { signature.clone() };
        say(out, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
    });
    assert_eq!(new_serial(&station.check()), 1);
}

#[test]
fn lies_about_a_clip_end_with_the_right_bytes_or_none() {
    let province = Province::new();
    let clip = sound(5, 200_000);
    let path = clip_path(&clip);
    let server = &province.server;
    province.publish(1, &[("cd1", &clip)]);
    let fails = |station: &Station, what: &str, name: &str| {
        assert_eq!(failure(&station.check()), name, "{what}");
        assert!(station.stored().is_none(), "{what}");
        let clips = station.dir.join("clips");
        let size: u64 = std::fs::read_dir(clips).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
        assert!(size <= clip.len() as u64 + 4096, "{what}: {size}");
        server.repent();
    };
    let head = |len: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");

    let station = Station::of(&province).impatient();
    server.lie(&path, |_, out| {
        say(out, "HTTP/1.1 200 OK\r\n\r\n");
        while out.write_all(&[7; 64 * 1024]).is_ok() {}
    });
    fails(&station, "endless", "HttpTooLong");
    assert!(!station.dir.join(format!("clips/{}.part.mp3", sha256_hex(&clip))).exists());
    for (len, what) in [(clip.len() - 1, "too small"), (clip.len() + 1, "too large")] {
        let (head, bytes) = (head(len), clip.clone());
        server.lie(&path, move |_, out| {
            say(out, &head);
            let _ = out.write_all(&bytes);
        });
        fails(&station, what, "HttpLength");
    }
    server.lie(&path, |_, out| {
        say(out, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/2\r\nContent-Length: 2\r\n\r\nab");
    });
    fails(&station, "a part in place of the whole", "HttpRange");
    server.lie(&path, |_, out| {
        say(out, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
        drip(out, 5, Duration::from_millis(100));
    });
    fails(&station, "at a crawl", "HttpTooSlow");

    // Cut in the middle, then taken up where it stood, under the same tag; also after a restart.
    let cut = |bytes: &[u8], tag: String| {
        let (bytes, all) = (bytes.to_vec(), bytes.len());
        move |_: &lying_server::Request, out: &mut std::net::TcpStream| {
            say(out, &format!("HTTP/1.1 200 OK\r\nContent-Length: {all}\r\nETag: {tag}\r\n\r\n"));
            let _ = out.write_all(&bytes[..all / 2]);
        }
    };
    let station = Station::of(&province).impatient();
    server.lie(&path, cut(&clip, etag(&clip)));
    fails(&station, "cut", "HttpTruncated");
    server.forget_requests();
    assert_eq!(new_serial(&station.check()), 1);
    let asked = &server.requests(&path)[0];
    assert_eq!(asked.header("range"), Some("bytes=100000-"));
    assert_eq!(asked.header("if-range"), Some(&*etag(&clip)));
    assert!(server.body_bytes() < 105_000, "{}", server.body_bytes());

    // The server forgot the range and sends all of it; the wrong part; a part under another tag; 416.
    type Lie = Box<dyn Fn(&lying_server::Request, &mut std::net::TcpStream) + Send + Sync>;
    let whole = |out: &mut std::net::TcpStream, clip: &[u8]| {
        say(out, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", clip.len()));
        let _ = out.write_all(clip);
    };
    let answers: Vec<(&str, String)> = vec![
        ("the whole", String::new()),
        (
            "the wrong part",
            "HTTP/1.1 206 P\r\nContent-Range: bytes 0-99999/200000\r\nContent-Length: 100000\r\n\r\n".into(),
        ),
        ("a part of something longer", "HTTP/1.1 206 P\r\nContent-Range: bytes 100000-199999/300000\r\n\r\n".into()),
        ("another tag", "HTTP/1.1 206 P\r\nContent-Range: bytes 100000-199999/200000\r\nETag: \"x\"\r\n\r\n".into()),
        ("no such part", "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n".into()),
    ];
    for (what, answer) in answers {
        let station = Station::of(&province).impatient();
        server.lie(&path, cut(&clip, etag(&clip)));
        fails(&station, what, "HttpTruncated");
        let bytes = clip.clone();
        let lie: Lie = Box::new(move |request, out| {
            if request.range_from().is_some() && !answer.is_empty() { say(out, &answer) } else { whole(out, &bytes) }
        });
        server.lie(&path, lie);
        assert_eq!(new_serial(&station.check()), 1, "{what}");
        server.repent();
    }

    // The beginning is of an older file under the same tag: thrown away once and fetched as a whole.
    let station = Station::of(&province).impatient();
    let old = sound(6, 200_000);
    server.lie(&path, cut(&old, etag(&clip)));
    fails(&station, "old beginning", "HttpTruncated");
    server.forget_requests();
    assert_eq!(new_serial(&station.check()), 1);
    assert_eq!(server.requests(&path).len(), 2);
}

#[test]
fn a_crawling_source_holds_up_nobody_and_stops_at_once() {
    let (slow, quick) = (Province::new(), Province::new());
    quick.publish(1, &[]);
    slow.publish(1, &[]);
    slow.server.lie("/playlist.json", |_, out| {
        say(out, "HTTP/1.1 200 OK\r\n\r\n");
        drip(out, b'[', Duration::from_millis(50));
    });
    let mut station = Station::of(&quick);
    let mut other = station.config.sources[0].clone();
    other.id = "cham".into();
    other.url = slow.server.url("/playlist.json");
    station.config.sources.insert(0, other);
    let running = station.start();
    let answers = running.syncing.sync_now();
    let (source, answer) = answers.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(&*source, "tinh");
    assert_eq!(new_serial(&answer), 1);
    running.syncing.stop();
    // The slow thread lets go of the channel within moments, not after its minute.
    let rest = answers.recv_timeout(Duration::from_secs(5));
    assert!(matches!(rest, Err(mpsc::RecvTimeoutError::Disconnected)), "{rest:?}");
}

#[test]
fn the_same_failure_is_told_once_and_the_status_shows_it() {
    let province = Province::new();
    let station = Station::of(&province);
    let running = station.start();
    for _ in 0..4 {
        assert_eq!(failure(&running.check()), "HttpStatus");
    }
    assert_eq!(running.events.try_iter().filter(|e| matches!(e, SyncEvent::Failed { .. })).count(), 1);
    let status = &running.syncing.status()[0];
    assert!(status.last_error.is_some() && status.last_success.is_none());
    province.publish(1, &[]);
    assert_eq!(new_serial(&running.check()), 1);
    let status = &running.syncing.status()[0];
    assert!(status.last_error.is_none() && status.last_success.is_some());
    assert_eq!(status.expires_at, Some(wall(EXPIRES)));
}

/// A certificate that nobody vouches for: no contact, whatever the clock says, and nothing of the list is looked at.
#[test]
fn a_certificate_that_does_not_hold_is_no_contact() {
    let temp = tempfile::tempdir().unwrap();
    let openssl = |args: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(args).current_dir(temp.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let made = openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-days",
        "30",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]);
    assert!({ made }.status().unwrap().success());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let province = Province::new();
    let list = province.publish(1, &[]);
    std::fs::write(temp.path().join("playlist.json"), list).unwrap();
    let accept = port.to_string();
    let mut server =
        openssl(&["s_server", "-accept", &accept, "-key", "key.pem", "-cert", "cert.pem", "-WWW"]).spawn().unwrap();
    for _ in 0..200 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    let url = format!("https://localhost:{port}/playlist.json");
    let station = Station::at(&temp.path().join("box"), &url, &province.pair.pk.to_base64());
    for (time, state) in
        [("2022-10-01T12:00:00+07:00", ClockState::Synced), ("1970-01-01T00:00:00+00:00", ClockState::Unknown)]
    {
        *station.clock.wall.lock().unwrap() = (wall(time), state);
        let answer = station.check();
        assert_eq!(failure(&answer), "HttpTls");
    }
    assert!(station.stored().is_none());
    let _ = server.kill();
    let _ = server.wait();
}

#[test]
fn a_server_that_always_says_not_modified_is_found_out() {
    let province = Province::new();
    province.publish(1, &[]);
    let mut station = Station::of(&province);
    let running = station.start();
    assert_eq!(new_serial(&running.check()), 1);
    // It goes on saying 304 whatever it has.
    province.publish(2, &[]);
    province.server.lie("/playlist.json", |request, out| {
        assert!(request.header("if-none-match").is_some());
        say(out, "HTTP/1.1 304 Not Modified\r\n\r\n");
    });
    assert!(matches!(running.check(), Answer::Same { serial: Some(1) }));
    drop(running);

    // Once a day the whole is asked for; here every time.
    station.settings.whole_every_ms = 0;
    province.server.repent();
    let running = station.start();
    assert_eq!(new_serial(&running.check()), 2);
    province.server.forget_requests();
    running.check();
    assert_eq!(province.server.requests("/playlist.json")[0].header("if-none-match"), None);
}

#[test]
fn what_two_sources_share_is_fetched_once_and_tampering_on_disk_is_noticed() {
    let (one, two) = (Province::new(), Province::new());
    let clip = sound(3, 300_000);
    one.publish(1, &[("cd1", &clip)]);
    let list = two.list(1, &[("khac", &clip)]).replace("\"tinh\"", "\"huyen\"");
    two.server.file(&clip_path(&clip), clip.clone());
    two.server.file("/playlist.json.minisig", two.sign(&list));
    two.server.file("/playlist.json", list);
    let mut station = Station::of(&one);
    let mut other = station.config.sources[0].clone();
    other.id = "huyen".into();
    other.url = two.server.url("/playlist.json");
    other.public_keys = vec![two.pair.pk.to_base64()];
    station.config.sources.push(other);
    let running = station.start();
    let answers: Vec<_> = running.syncing.sync_now().iter().collect();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|(_, a)| matches!(a, Answer::New(_))), "{answers:?}");
    let asked = one.server.requests(&clip_path(&clip)).len() + two.server.requests(&clip_path(&clip)).len();
    assert_eq!(asked, 1);
    drop(running);

    // Somebody edits the stored list: it does not hold any more; nothing older is taken in its place.
    let stored = std::fs::read_dir(station.dir.join("playlists")).unwrap().flatten().map(|e| e.path());
    let path = stored.into_iter().find(|p| p.to_string_lossy().contains("tinh.1-") && p.extension().unwrap() == "json");
    let path = path.unwrap();
    let edited = std::fs::read_to_string(&path).unwrap().replace("Bản tin", "Bản tìn");
    std::fs::write(&path, edited).unwrap();
    let loaded = station.loaded();
    assert!(loaded.stored.is_none() && loaded.alarm.is_some());
    assert_eq!(loaded.accepted.unwrap().serial, 1);
    // And the next check mends it from the server.
    let running = station.start();
    let answers: Vec<_> = running.syncing.sync_now().iter().collect();
    assert!(answers.iter().any(|(id, a)| &**id == "tinh" && matches!(a, Answer::New(_))), "{answers:?}");
    let loaded = station.loaded();
    assert!(loaded.stored.is_some() && loaded.alarm.is_none(), "{:?}", loaded.alarm);
}

// ---- kills

const CHILD: &str = "LOAXA_TEST_SYNC_CHILD";

/// Not a test of its own: what [`killed_at_any_moment_old_or_new_is_whole`] kills.
#[test]
fn child_that_syncs_until_it_is_killed() {
    let Ok(order) = std::env::var(CHILD) else { return };
    let parts: Vec<&str> = order.split('\n').collect();
    let station = Station::at(Path::new(parts[0]), parts[1], parts[2]);
    let running = station.start();
    println!("started");
    running.check();
    println!("done");
    std::thread::sleep(Duration::from_secs(20));
}

#[test]
fn killed_at_any_moment_old_or_new_is_whole() {
    let province = Province::new();
    let temp = tempfile::tempdir().unwrap();
    let (url, key) = (province.server.url("/playlist.json"), province.pair.pk.to_base64());
    let station = Station::at(temp.path(), &url, &key);
    let mut clips: Vec<Vec<u8>> = (1..5).map(|n| sound(n, 30_000)).collect();
    let publish = |serial: u64, clips: &[Vec<u8>]| {
        let named: Vec<(String, &[u8])> =
            clips.iter().enumerate().map(|(n, c)| (format!("cd{n}"), c.as_slice())).collect();
        let named: Vec<(&str, &[u8])> = named.iter().map(|(id, c)| (id.as_str(), *c)).collect();
        province.publish(serial, &named);
    };
    publish(1, &clips);
    assert_eq!(new_serial(&station.check()), 1);

    let mut serial = 1;
    let (mut old, mut new) = (0, 0);
    let mut spread = 0x2545_f491_4f6c_dd1du64;
    for round in 0..24u64 {
        if station.stored().unwrap().serial == serial {
            serial += 1;
            for (n, clip) in clips.iter_mut().enumerate() {
                *clip = sound((n + 1) as u8, 30_000 + serial as usize * 10);
            }
            publish(serial, &clips);
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_syncs_until_it_is_killed", "--nocapture"])
            .env(CHILD, format!("{}\n{url}\n{key}", temp.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        lines.find(|l| l.as_ref().is_ok_and(|l| l.ends_with("started"))).unwrap().unwrap();
        spread = spread.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
        std::thread::sleep(Duration::from_micros((spread >> 33) % 60_000));
        child.kill().unwrap();
        child.wait().unwrap();

        let loaded = station.loaded();
        assert_eq!(loaded.alarm, None);
        let stored = loaded.stored.expect("never none");
        assert!(stored.serial == serial || stored.serial == serial - 1, "{} of {serial}", stored.serial);
        let store = station.store();
        for clip in &stored.list.clips {
            assert!(store.intact(clip.sha256.as_deref().unwrap()).unwrap(), "round {round}");
        }
        if stored.serial == serial { new += 1 } else { old += 1 }
    }
    println!("{old} kills left the old list, {new} the new one");
    assert!(old + new == 24);
    if station.stored().unwrap().serial != serial {
        assert_eq!(new_serial(&station.check()), serial);
    }
}
