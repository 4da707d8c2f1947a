//! The largest list anybody is likely to send: 10,000 clips, about 4 MB, signed; and the way of it through a station.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)] // shared by a test and a bench; a stopwatch

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loaxa::domain::config::read_config;
use loaxa::domain::schedule::{InForce, Programme, Walk};
use loaxa::domain::signature::{Accept, Expected, Keys, accept, needed};
use loaxa::domain::time::{ClockState, Now, Wall, Zone};
use minisign::KeyPair;

const CONFIG: &str = "[station]\nid = \"xa\"\nname = \"X\"\n[local]\nplaylist = \"l\"\nclips = \"c\"\n\
    [[source]]\nid = \"tinh\"\norigin = \"xa\"\nurl = \"https://x.example/playlist.json\"\npublic_keys = [\"KEY\"]\n\
    [output]\ndevice = \"null\"\n";

/// A signed list and the keys that hold for it.
pub struct Large {
    pub body: String,
    signature: Vec<u8>,
    keys: Keys,
    key: String,
}

/// How long each step took.
#[derive(Debug)]
pub struct Took {
    pub accepted: Duration,
    pub planned: Duration,
}

impl Took {
    pub fn all(&self) -> Duration {
        self.accepted + self.planned
    }
}

/// A list of so many clips, all of them named: by rotations, by offers and by sessions of a whole day.
pub fn make(clips: usize) -> Large {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let mut body = String::from(
        "{\"format\": 1, \"source\": \"tinh\", \"serial\": 7, \"issued_at\": \"2022-10-01T08:00:00+07:00\", \
         \"expires_at\": \"2022-12-01T08:00:00+07:00\", \"campaigns\": [{\"id\": \"cds\", \"title\": \"Chuyển đổi số\", \
         \"from\": \"2022-10-01\", \"to\": \"2022-11-01\", \"min_per_day\": 2}], \"clips\": [",
    );
    for n in 0..clips {
        let sha256 = format!("{n:08x}").repeat(8);
        let _ = write!(
            body,
            "{}{{\"id\": \"bai-{n}\", \"title\": \"Bản tin số {n} về Ngày Chuyển đổi số quốc gia 10 tháng 10\", \
             \"kind\": \"ban_tin\", \"campaign\": \"cds\", \"approved_by\": \"Nguyễn Văn A\", \"approved_at\": \"2022-09-30\", \
             \"sha256\": \"{sha256}\", \"bytes\": {}, \"duration_ms\": {}, \"gain_db\": -1.5, \"url\": \"clips/{sha256}.mp3\"}}",
            if n == 0 { "" } else { ",\n" },
            1_000_000 + n,
            60_000 + n
        );
    }
    body.push_str("], \"rotations\": [");
    for (n, first) in (0..clips).step_by(50).enumerate() {
        let names: Vec<String> = (first..(first + 50).min(clips)).map(|c| format!("\"bai-{c}\"")).collect();
        let comma = if n == 0 { "" } else { ", " };
        let _ =
            write!(body, "{comma}{{\"id\": \"r{n}\", \"from\": \"2022-10-01\", \"clips\": [{}]}}", names.join(", "));
    }
    body.push_str("], \"slots\": [");
    for hour in 5..21 {
        let items: Vec<String> = (0..10).map(|i| format!("{{\"rotation\": \"r{}\"}}", (hour * 10 + i) % 200)).collect();
        let comma = if hour == 5 { "" } else { ", " };
        let _ =
            write!(body, "{comma}{{\"id\": \"s{hour}\", \"at\": \"{hour:02}:00\", \"items\": [{}]}}", items.join(", "));
    }
    body.push_str("]}");
    let signature = minisign::sign(None, &pair.sk, body.as_bytes(), None, None).unwrap().to_string().into_bytes();
    let key = pair.pk.to_base64();
    Large { body, signature, keys: Keys::parse("tinh", std::slice::from_ref(&key)).unwrap(), key }
}

impl Large {
    /// From signed bytes to the next session, as a station goes.
    pub fn through(&self) -> Took {
        let now = Wall::parse_rfc3339("2022-10-05T12:34:56+07:00").unwrap();
        let config = read_config(CONFIG.replace("KEY", &self.key).as_bytes(), true).value.expect("a config");
        let start = Instant::now();
        let expected = Expected {
            source: "tinh",
            urgent: false,
            station: "xa",
            keys: &self.keys,
            stored: None,
            now: Now { wall_ns: now.0 * 1_000_000, boot_ns: 0, clock: ClockState::Synced },
            floor: now,
            zone: Zone::default(),
        };
        let Ok(Accept::New(fresh)) = accept(self.body.as_bytes(), &self.signature, &expected) else {
            panic!("not accepted")
        };
        assert_eq!(needed(&fresh.list).len(), fresh.list.clips.len());
        let accepted = start.elapsed();
        let start = Instant::now();
        let lists = [InForce { source: "tinh".into(), list: Arc::new(fresh.list), since: now }];
        let programme = Arc::new(Programme::new(Arc::new(config), &lists).expect("slots"));
        let mut walk = Walk::new(programme, now);
        let session = walk.next_before(Wall(i64::MAX)).expect("a session");
        assert_eq!(session.items.len(), 10);
        Took { accepted, planned: start.elapsed() }
    }
}
