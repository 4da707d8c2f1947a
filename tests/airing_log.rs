//! The airing log from outside: what is committed stays, what is tampered with is found.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loaxa::domain::airing::{
    Airing, Entry, EventKind, EventRow, Kind, Outcome, Reason, SessionRow, SessionRowItem, Write,
};
use loaxa::domain::chain::{Checker, Scratch, Verdict, examine};
use loaxa::domain::config::{Language, Origin};
use loaxa::domain::playlist::{ClipKind, Priority};
use loaxa::domain::report::{CsvSheet, Format, RowFilter, Sum, Totals};
use loaxa::domain::time::{Clock, ClockState, Now, Wall, Zone};
use loaxa::edge::airing_log::{
    AiringLog, Committed, Committer, Identity, LogError, LogEvent, LogWriter, MAX_QUEUED_ROWS, StoredIntent,
};
use proptest::prelude::*;
use serde_json::json;

/// 2022-10-05T05:30:00+07:00
const START: Wall = Wall(1_664_922_600_000);
const DAY: i64 = 86_400_000;

struct Still(Wall);

impl Clock for Still {
    fn now(&self) -> Now {
        Now { wall_ns: self.0.0 * 1_000_000, boot_ns: 0, clock: ClockState::Synced }
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(Still(START))
}

fn identity() -> Identity {
    Identity {
        station_id: "xa-binh-minh".into(),
        device_id: "bm-01".into(),
        boot_id: "boot-1".into(),
        zone: Zone::default(),
    }
}

fn open(path: &Path) -> AiringLog {
    AiringLog::open(path, identity(), clock()).unwrap()
}

fn rfc(wall: Wall) -> String {
    Zone::default().rfc3339(wall)
}

fn session_key(n: i64) -> String {
    format!("local/sang/{}", Zone::default().rfc3339_seconds(START + n * DAY))
}

/// Item `position` of the session `session` days after the first, aired.
fn airing(session: i64, position: u32) -> Airing {
    let start = START + session * DAY;
    let planned = start + i64::from(position - 1) * 20_000;
    Airing {
        seq: None,
        row_type: "airing".into(),
        airing_id: format!("{}/{position}", session_key(session)),
        station_id: String::new(),
        device_id: String::new(),
        log_id: None,
        boot_id: None,
        kind: Kind::Scheduled,
        source: Some("tinh".into()),
        origin: Some(Origin::Tinh),
        slot_source: Some("local".into()),
        slot_id: Some("sang".into()),
        slot_name: Some("Buổi sáng".into()),
        session_start: Some(rfc(start)),
        position: Some(position),
        offer_id: Some("tinh/cds".into()),
        playlist_serial: Some(12),
        clip_id: Some("cd1".into()),
        clip_sha256: Some("ab".repeat(32)),
        title: Some("Nội dung Quyết định số 1092/QĐ-BTTTT".into()),
        clip_kind: Some(ClipKind::BanTin),
        priority: Some(Priority::Priority),
        campaign_id: Some("tinh/cds-2022".into()),
        topic_id: Some("tinh/CD1".into()),
        doc_number: Some("647/TTCS-TQ".into()),
        approved_by: Some("Nguyễn Văn A".into()),
        approved_at: Some("2022-09-30".into()),
        planned_at: rfc(planned),
        started_at: Some(rfc(planned)),
        ended_at: Some(rfc(planned + 20_000)),
        clip_ms: Some(20_000),
        played_ms: 20_000,
        start_error_ms: Some(0.42),
        outcome: Outcome::Aired,
        reason: None,
        gain_db: Some(-6.5),
        output: "default".into(),
        clock: ClockState::Synced,
        by: None,
        recorded_at: None,
        prev_hash: None,
        hash: None,
    }
}

fn not_begun(mut airing: Airing, outcome: Outcome, reason: Reason) -> Airing {
    (airing.started_at, airing.ended_at, airing.played_ms, airing.start_error_ms) = (None, None, 0, None);
    (airing.outcome, airing.reason) = (outcome, Some(reason));
    airing
}

fn plan(session: i64, items: u32) -> Write {
    let item = |a: Airing| SessionRowItem {
        airing_id: a.airing_id,
        planned_at: a.planned_at,
        clip_id: a.clip_id,
        source: a.source,
        clip_sha256: a.clip_sha256,
        clip_ms: a.clip_ms,
        blocked: None,
    };
    Write::Append(Entry::Session(SessionRow {
        slot_source: "local".into(),
        slot_id: "sang".into(),
        slot_name: "Buổi sáng".into(),
        session_start: rfc(START + session * DAY),
        kind: Kind::Scheduled,
        priority: Priority::Normal,
        items: (1..=items).map(|p| item(airing(session, p))).collect(),
    }))
}

fn event(kind: EventKind) -> Write {
    let detail = json!({"version": "0.1.0", "lý do": ["khởi động \"lại\"\n", null, {"z": 1, "a": -0.5}]});
    let detail = detail.as_object().unwrap().clone();
    Write::Append(Entry::Event(EventRow { event: kind, at: START, by: None, detail }))
}

fn row(airing: Airing) -> Write {
    Write::Append(Entry::Airing(Box::new(airing)))
}

fn keep(session: i64) -> Write {
    Write::KeepSession { key: session_key(session), body: json!({"shift_ms": 0}) }
}

fn intend(airing_id: &str) -> Write {
    Write::Intend { airing_id: airing_id.into(), body: json!({"title": "Bão số 4"}) }
}

fn close(airing_id: &str) -> Write {
    Write::Close { airing_id: airing_id.into() }
}

/// A start, then `sessions` days of three items each: row 1 and four rows a session.
fn fill(log: &mut AiringLog, sessions: i64) {
    log.commit(&[event(EventKind::Start)]).unwrap();
    for s in 0..sessions {
        log.commit(&[plan(s, 3), keep(s)]).unwrap();
        for p in 1..=3 {
            let a = airing(s, p);
            let id = a.airing_id.clone();
            log.commit(&[intend(&id)]).unwrap();
            log.commit(&[row(a), close(&id)]).unwrap();
        }
        log.commit(&[Write::ForgetSession { key: session_key(s) }]).unwrap();
    }
}

fn check(path: &Path) -> Verdict {
    let log = AiringLog::open_read_only(path).unwrap();
    let mut checker = Checker::of_a_log();
    let mut scratch = Scratch::default();
    log.for_each_raw::<LogError>(|row| {
        let text = std::str::from_utf8(row.body).unwrap_or("");
        checker.take(match &row.index {
            Some(index) => examine(text, Some((row.seq, index, row.hash)), &mut scratch),
            None => examine("", None, &mut scratch),
        });
        Ok(())
    })
    .unwrap();
    let open: Vec<String> = log.sessions().unwrap().into_iter().map(|s| s.key).collect();
    checker.finish(open.iter().map(String::as_str))
}

/// Runs the program on a state folder: exit code, stdout, stderr.
fn loaxa(state: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_loaxa"))
        .args(args)
        .arg("--state")
        .arg(state)
        .env_remove("LOAXA_CONFIG")
        .env_remove("LC_MESSAGES")
        .env("LANG", "vi_VN.UTF-8")
        .output()
        .unwrap();
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

/// Changes a database as anybody with SQLite could.
fn tamper(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// A log of `sessions` days in one file, nothing beside it.
fn one_file(path: &Path, sessions: i64) {
    fill(&mut open(path), sessions);
    tamper(path, "PRAGMA journal_mode = DELETE;");
}

// ---- committing and reading

#[test]
fn what_is_committed_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let mut log = open(&path);
    assert_eq!(log.head().unwrap(), Committed { seq: 0, head: [0; 32] });
    assert_eq!(log.noted_head().unwrap(), None);
    fill(&mut log, 2);
    let id = airing(7, 1).airing_id;
    log.commit(&[
        intend(&id),
        intend("manual/3"),
        Write::Note { airing_id: id.clone(), played_ms: 5_000 },
        Write::KeepSession { key: "k".into(), body: json!([1]) },
        Write::Set { name: "fixed_until".into(), value: json!(17) },
        Write::Set { name: "gone".into(), value: json!(1) },
        Write::Set { name: "gone".into(), value: json!(null) },
    ])
    .unwrap();
    let log_id = log.log_id().to_owned();
    let head = log.head().unwrap();
    drop(log);

    for log in [AiringLog::open_read_only(&path).unwrap(), open(&path)] {
        assert_eq!((log.log_id(), log.log_id().len()), (log_id.as_str(), 32));
        assert_eq!((log.head().unwrap(), log.noted_head().unwrap()), (head, Some(head)));
        assert_eq!((log.first_seq().unwrap(), head.seq), (1, 9));
        let intents = log.intents().unwrap();
        assert_eq!(intents.len(), 2);
        let StoredIntent { airing_id, body, played_ms, boot_id, armed_at } = intents[0].clone();
        assert_eq!((airing_id, played_ms, boot_id.as_str(), armed_at), (id.clone(), 5_000, "boot-1", START));
        assert_eq!(body, json!({"title": "Bão số 4"}));
        assert_eq!(log.sessions().unwrap().len(), 1);
        assert_eq!(log.named("fixed_until").unwrap(), Some(json!(17)));
        assert_eq!(log.named("gone").unwrap(), None);
        assert!(log.has_airing(&airing(1, 2).airing_id).unwrap());
        assert!(!log.has_airing(&id).unwrap());
        assert_eq!(log.settled_since(START + DAY).unwrap().len(), 3);
        assert_eq!(log.last_event(EventKind::Start).unwrap().unwrap().seq, 1);
        assert_eq!(log.last_event(EventKind::Shutdown).unwrap(), None);
        assert_eq!(log.last_row_recorded_at().unwrap(), Some(START));
        assert_eq!(log.last_row().unwrap().unwrap().boot_id, "boot-1");
        assert_eq!(log.manual_count().unwrap(), 3);
        let positions: Vec<_> = log.recent(2).unwrap().iter().map(|r| r["position"].clone()).collect();
        assert_eq!(positions, [json!(3), json!(2)]);
        assert_eq!(log.quick_check().unwrap(), Vec::<String>::new());
    }
    let verdict = check(&path);
    assert_eq!((verdict.broken, verdict.tally.rows, verdict.tally.items), (0, 9, 6));
}

#[test]
fn rows_have_the_contract_s_keys_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(&dir.path().join("loaxa.db"));
    log.commit(&[row(airing(0, 1))]).unwrap();
    let mut text = String::new();
    log.for_each_row::<LogError>(&RowFilter::default(), |_, body| {
        text = body.to_owned();
        Ok(())
    })
    .unwrap();
    let keys = "seq, type, airing_id, station_id, device_id, log_id, boot_id, kind, source, origin, slot_source, \
        slot_id, slot_name, session_start, position, offer_id, playlist_serial, clip_id, clip_sha256, title, \
        clip_kind, priority, campaign_id, topic_id, doc_number, approved_by, approved_at, planned_at, started_at, \
        ended_at, clip_ms, played_ms, start_error_ms, outcome, reason, gain_db, output, clock, by, recorded_at, \
        prev_hash, hash";
    let found: serde_json::Map<_, _> = serde_json::from_str(&text).unwrap();
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>().join(", "), keys);
    assert_eq!(found["planned_at"], "2022-10-05T05:30:00.000+07:00");
    assert_eq!(found["prev_hash"], "0".repeat(64));
    let airing: Airing = serde_json::from_str(&text).unwrap();
    assert_eq!((airing.seq, airing.reason, airing.device_id.as_str()), (Some(1), None, "bm-01"));
}

#[test]
fn a_batch_is_written_whole_or_not_at_all_and_no_airing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(&dir.path().join("loaxa.db"));
    fill(&mut log, 1);
    let before = log.head().unwrap();
    let set = Write::Set { name: "n".into(), value: json!(1) };
    let error = log.commit(&[row(airing(5, 1)), set, row(airing(0, 2))]).unwrap_err();
    assert!(matches!(error, LogError::Twice { airing_id } if airing_id == airing(0, 2).airing_id));
    assert_eq!(log.head().unwrap(), before);
    assert_eq!(log.named("n").unwrap(), None);
    assert_eq!(log.commit(&[row(airing(5, 1))]).unwrap().seq, before.seq + 1);
}

#[test]
fn reading_needs_a_log_and_sees_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("có dấu #1?.db");
    assert!(matches!(AiringLog::open_read_only(&path), Err(LogError::Missing(_))));
    std::fs::write(&path, "xin chào, đây là một tệp văn bản bình thường".repeat(90)).unwrap();
    assert!(matches!(AiringLog::open_read_only(&path), Err(LogError::NotALog(_))));
    std::fs::remove_file(&path).unwrap();
    tamper(&path, "CREATE TABLE t (a)");
    assert!(matches!(AiringLog::open_read_only(&path), Err(LogError::NotALog(_))));
    assert!(matches!(AiringLog::open(&path, identity(), clock()), Err(LogError::NotALog(_))));
    std::fs::remove_file(&path).unwrap();

    let mut log = open(&path);
    fill(&mut log, 1);
    let mut reader = AiringLog::open_read_only(&path).unwrap();
    log.commit(&[row(airing(1, 1))]).unwrap();
    assert_eq!(reader.head().unwrap().seq, 5);
    assert_eq!(AiringLog::open_read_only(&path).unwrap().head().unwrap().seq, 6);
    assert!(reader.commit(&[]).is_err());
    drop((log, reader));
    tamper(&path, "PRAGMA user_version = 99");
    assert!(matches!(AiringLog::open_read_only(&path), Err(LogError::Newer { found: 99, .. })));
    assert!(matches!(AiringLog::open(&path, identity(), clock()), Err(LogError::Newer { found: 99, .. })));
}

// ---- kill -9

/// Not a test: the child that [`no_acknowledged_row_is_lost_to_kill_9`] kills.
#[test]
#[ignore = "the child of another test"]
fn child_commits_until_it_is_killed() {
    let Ok(path) = std::env::var("LOAXA_TEST_LOG") else { return };
    let mut log = open(Path::new(&path));
    let mut session = log.head().unwrap().seq as i64;
    let say = |c: Committed| println!("ack {}", c.seq);
    loop {
        session += 1;
        say(log.commit(&[plan(session, 3), keep(session)]).unwrap());
        for p in 1..=3 {
            let id = airing(session, p).airing_id;
            log.commit(&[intend(&id)]).unwrap();
            say(log.commit(&[row(airing(session, p)), close(&id)]).unwrap());
        }
        say(log.commit(&[Write::ForgetSession { key: session_key(session) }]).unwrap());
    }
}

#[test]
fn no_acknowledged_row_is_lost_to_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let acknowledgement = |line: &str| line.split_once("ack ")?.1.trim().parse::<u64>().ok();
    for _ in 0..20 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_commits_until_it_is_killed", "--ignored", "--nocapture"])
            .env("LOAXA_TEST_LOG", &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        // At a random row, and a random moment after it.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut rows = 1 + (random >> 33) % 12;
        let mut acknowledged = 0;
        let mut line = String::new();
        while rows > 0 && out.read_line(&mut line).unwrap() > 0 {
            if let Some(seq) = acknowledgement(&line) {
                acknowledged = seq;
                rows -= 1;
            }
            line.clear();
        }
        std::thread::sleep(Duration::from_micros((random >> 20) % 3_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        acknowledged = rest.lines().filter_map(acknowledgement).next_back().unwrap_or(acknowledged);
        assert!(acknowledged > 0);
        let head = AiringLog::open_read_only(&path).unwrap().head().unwrap();
        assert!(head.seq >= acknowledged, "row {acknowledged} was acknowledged, {} is the last", head.seq);
        // What the kill left open is closed, as the daemon does it.
        let mut log = open(&path);
        let sessions = log.sessions().unwrap();
        assert!(sessions.len() <= 1 && log.intents().unwrap().len() <= 1);
        assert_eq!(check(&path).broken, 0);
        for session in sessions {
            let n = (1..).find(|n| session_key(*n) == session.key).unwrap();
            let mut writes = Vec::new();
            for a in (1..=3).map(|p| airing(n, p)) {
                if !log.has_airing(&a.airing_id).unwrap() {
                    writes.push(close(&a.airing_id));
                    writes.push(row(not_begun(a, Outcome::Missed, Reason::Crashed)));
                }
            }
            writes.push(Write::ForgetSession { key: session.key });
            log.commit(&writes).unwrap();
        }
        assert_eq!(log.intents().unwrap(), []);
        drop(log);
        assert_eq!(check(&path).broken, 0);
    }
}

// ---- tampering

/// All that the database holds of its rows.
fn contents(path: &Path) -> Vec<(u64, Vec<u8>, Vec<u8>)> {
    let mut out = Vec::new();
    let log = AiringLog::open_read_only(path).unwrap();
    log.for_each_raw::<LogError>(|r| {
        out.push((r.seq, r.body.to_vec(), r.hash.to_vec()));
        Ok(())
    })
    .unwrap();
    out
}

#[test]
fn every_flipped_bit_in_a_row_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    one_file(&path, 6);
    let original = std::fs::read(&path).unwrap();
    let rows = contents(&path);
    // Where the rows' texts and hashes stand in the file. Free space may hold copies of them.
    let mut places: Vec<(u64, usize)> = Vec::new();
    for (seq, body, hash) in &rows {
        for part in [body, hash] {
            let found = (0..=original.len() - part.len()).filter(|at| original[*at..].starts_with(part));
            places.extend(found.flat_map(|at| at..at + part.len()).map(|b| (*seq, b)));
        }
    }
    let mut random = 88_172_645_463_325_252_u64;
    let copy = dir.path().join("copy.db");
    let mut found = 0;
    while found < 200 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (seq, at) = places[(random % places.len() as u64) as usize];
        let mut bytes = original.clone();
        bytes[at] ^= 1 << (random >> 40 & 7);
        std::fs::write(&copy, &bytes).unwrap();
        let verdict = check(&copy);
        if verdict.broken > 0 {
            assert_eq!(verdict.breaks[0].seq, seq, "bit at {at}");
            found += 1;
        } else {
            assert_eq!(contents(&copy), rows, "bit at {at} of row {seq} not found");
        }
    }
}

/// How many bits are flipped, and how many rows tampered with: some by default, a thousand in `scripts/faults`.
fn flips() -> usize {
    std::env::var("LOAXA_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

/// xorshift: the same places in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << by } else { self.0 >> by };
        }
        (self.0 % n as u64) as usize
    }
}

/// All that a database says: every table, every index in its order, and the definitions of both.
fn said_by(path: &Path) -> Vec<String> {
    use rusqlite::types::Value;
    let db = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut out = Vec::new();
    for sql in [
        "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name",
        "SELECT * FROM rows NOT INDEXED ORDER BY seq",
        "SELECT airing_id, seq FROM rows INDEXED BY rows_airing WHERE airing_id IS NOT NULL ORDER BY airing_id",
        "SELECT event, seq FROM rows INDEXED BY rows_event WHERE event IS NOT NULL ORDER BY event, seq",
        "SELECT planned_at_ms, seq FROM rows INDEXED BY rows_planned ORDER BY planned_at_ms, seq",
        "SELECT * FROM meta",
        "SELECT * FROM named",
        "SELECT * FROM sessions",
        "SELECT * FROM intents",
    ] {
        let mut query = db.prepare(sql).unwrap();
        let columns = query.column_count();
        let mut rows = query.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            out.push(format!("{:?}", (0..columns).map(|c| row.get::<_, Value>(c).unwrap()).collect::<Vec<_>>()));
        }
    }
    out
}

/// The rows that a verification names, as `(from, to)`.
fn named_rows(said: &str) -> Vec<(u64, u64)> {
    let mut out = Vec::new();
    for line in said.lines().filter_map(|l| l.strip_prefix("HỎNG: dòng ")) {
        let rows = line.split(':').next().unwrap();
        let mut ends = rows.split('-').map_while(|n| n.parse::<u64>().ok());
        // "The last line" is none of the rows.
        let Some(first) = ends.next() else { continue };
        // "row 9: rows are missing, it should be 8": 8 and what follows up to 9.
        let from = line.rsplit_once("lẽ ra là số ").and_then(|(_, n)| n.parse().ok()).unwrap_or(first);
        out.push((from.min(first), ends.next().unwrap_or(first)));
    }
    out
}

/// One bit flipped anywhere in the database: found, and where it hit a row's text or hash that row is named. What is
/// not found has touched nothing: every table, index and definition says what it said, so the bit lies in free space
/// or in a figure that SQLite keeps for itself (change counter, version of the last writer).
#[test]
fn every_flipped_bit_of_the_database_is_found_or_has_touched_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good.db");
    let mut log = open(&good);
    fill(&mut log, 40);
    // A session under way, and what else stands beside the rows.
    let (a, b) = (airing(40, 1), airing(40, 2).airing_id);
    log.commit(&[plan(40, 3), keep(40), Write::Set { name: "exported".into(), value: json!({"seq": 20}) }]).unwrap();
    log.commit(&[row(a), intend(&b), Write::Note { airing_id: b.clone(), played_ms: 5_000 }]).unwrap();
    drop(log);
    let original = std::fs::read(&good).unwrap();
    let said = said_by(&good);
    // Where rows' texts and hashes stand; a copy in free space is told apart by what the database says.
    let mut owner: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
    for (seq, body, hash) in contents(&good) {
        for part in [body, hash] {
            let places = (0..=original.len() - part.len()).filter(|at| original[*at..].starts_with(&part));
            owner.extend(places.map(|at| (at, (part.len(), seq))));
        }
    }
    let state = dir.path().join("state");
    let path = state.join("loaxa.db");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut found, mut named, mut nothing) = (0, 0, 0);
    for _ in 0..flips() {
        let bit = random.below(original.len() * 8);
        let at = bit / 8;
        let mut bytes = original.clone();
        bytes[at] ^= 1 << (bit % 8);
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir(&state).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        std::fs::copy(dir.path().join("good.head"), state.join("loaxa.head")).unwrap();
        let (code, out, err) = loaxa(&state, &["verify"]);
        let hit = owner.range(..=at).next_back().filter(|(from, (length, _))| at < **from + length);
        match code {
            Some(0) => {
                assert_eq!(said_by(&path), said, "bit {} of byte {at} changed something\n{out}", bit % 8);
                nothing += 1;
            }
            Some(1) => {
                found += 1;
                if let Some((_, (_, seq))) = hit {
                    let rows = named_rows(&out);
                    assert!(rows.iter().any(|(a, b)| a <= seq && seq <= b), "row {seq}, byte {at}\n{out}{err}");
                    named += 1;
                } else {
                    assert!(out.contains("HỎNG") || !err.is_empty(), "byte {at}\n{out}{err}");
                }
            }
            other => panic!("{other:?} for byte {at}\n{out}{err}"),
        }
    }
    println!("{found} flips found, {named} of them in a row and named; {nothing} touched nothing");
    assert!(named * 2 > flips(), "most of the file is rows");
}

/// One bit flipped anywhere in an exported chain, its last line included: always found.
#[test]
fn every_flipped_bit_of_an_exported_file_is_found_by_the_program() {
    let dir = tempfile::tempdir().unwrap();
    fill(&mut open(&dir.path().join("loaxa.db")), 40);
    let file = dir.path().join("chuỗi.jsonl");
    let name = file.to_str().unwrap();
    assert_eq!(loaxa(dir.path(), &["export", "--format", "jsonl", "--chain", "-o", name]).0, Some(0));
    let original = std::fs::read(&file).unwrap();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let summary = original[..original.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for n in 0..flips() {
        // Every tenth in the last line, which is short.
        let bit = match n % 10 {
            0 => summary * 8 + random.below((original.len() - summary) * 8),
            _ => random.below(original.len() * 8),
        };
        let at = bit / 8;
        let line = original[..at].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        let mut bytes = original.clone();
        bytes[at] ^= 1 << (bit % 8);
        std::fs::write(&file, &bytes).unwrap();
        let (code, out, err) = loaxa(dir.path(), &["verify", name]);
        assert_eq!(code, Some(1), "bit {} of byte {at}\n{out}{err}", bit % 8);
        // The first byte decides what the file is at all.
        if at > 0 && at < summary - 1 && original[at] != b'\n' {
            let rows = named_rows(&out);
            assert!(rows.iter().any(|(a, b)| *a <= line && line <= *b), "row {line}, byte {at}\n{out}{err}");
        }
    }
}

/// Rows deleted, swapped, written back to another day with a hash made to fit: always found, and named.
#[test]
fn whichever_row_is_deleted_swapped_or_backdated_it_is_found() {
    use loaxa::domain::airing::{hash_of, hex, unhex32};
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good.db");
    one_file(&good, 40);
    let path = dir.path().join("loaxa.db");
    let rows = contents(&good).len();
    let mut random = Random(0x853c_49e6_748f_ea9b);
    for n in 0..flips() {
        std::fs::copy(&good, &path).unwrap();
        let seq = 1 + random.below(rows - 1) as u64;
        let db = rusqlite::Connection::open(&path).unwrap();
        let (from, to) = match n % 3 {
            0 => {
                let many = random.below(4) as u64;
                let last = (seq + many).min(rows as u64 - 1);
                db.execute("DELETE FROM rows WHERE seq BETWEEN ?1 AND ?2", [seq as i64, last as i64]).unwrap();
                (seq, last + 1)
            }
            1 => {
                // The whole of two rows but their numbers.
                let other = 1 + random.below(rows) as u64;
                let sql = format!(
                    "PRAGMA foreign_keys = OFF; UPDATE rows SET seq = -1 WHERE seq = {seq};
                     UPDATE rows SET seq = {seq} WHERE seq = {other}; UPDATE rows SET seq = {other} WHERE seq = -1;"
                );
                db.execute_batch(&sql).unwrap();
                if other == seq {
                    continue;
                }
                (seq.min(other), seq.min(other))
            }
            _ => {
                // Somebody who can compute hashes writes the row anew, a day earlier, columns and all.
                let body: String =
                    db.query_row("SELECT body FROM rows WHERE seq = ?1", [seq as i64], |r| r.get(0)).unwrap();
                let old = serde_json::from_str::<serde_json::Map<_, _>>(&body).unwrap();
                let day = |n: i64| Zone::default().rfc3339(START + n * DAY)[..10].to_owned();
                let mut new = body.clone();
                for d in 0..42 {
                    new = new.replace(&day(d), &day(d - 1));
                }
                let mut new: serde_json::Map<_, _> = serde_json::from_str(&new).unwrap();
                new.shift_remove("hash");
                let prev = unhex32(old["prev_hash"].as_str().unwrap()).unwrap();
                let hash = hash_of(&new, &prev);
                new.insert("hash".into(), hex(&hash).into());
                let text = serde_json::Value::Object(new).to_string();
                let columns = "planned_at_ms = planned_at_ms - 86400000, session_start_ms = session_start_ms - 86400000,
                               airing_id = CASE WHEN airing_id IS NULL THEN NULL ELSE json_extract(?2, '$.airing_id') END";
                db.execute("DROP INDEX rows_airing", []).unwrap();
                db.execute(
                    &format!("UPDATE rows SET body = ?2, hash = ?3, {columns} WHERE seq = ?1"),
                    rusqlite::params![seq as i64, text, hash],
                )
                .unwrap();
                (seq, seq + 1)
            }
        };
        drop(db);
        let verdict = check(&path);
        assert!(verdict.broken > 0, "{n}: row {seq}");
        let first = verdict.breaks[0].seq;
        assert!((from..=to).contains(&first), "{n}: row {seq}: {:?}", verdict.breaks);
    }
}

#[test]
fn deleted_swapped_and_backdated_rows_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good.db");
    one_file(&good, 4);
    let path = dir.path().join("loaxa.db");
    let attempt = |sql: &str| {
        std::fs::copy(&good, &path).unwrap();
        tamper(&path, sql);
        let (code, out, err) = loaxa(dir.path(), &["verify"]);
        (code, out + &err)
    };
    let (code, out) = attempt("");
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("17 dòng (số 1-17): 12 lượt phát, 4 buổi phát với 12 mục, 1 sự kiện"), "{out}");
    assert!(out.trim_end().ends_with("NGUYÊN VẸN"), "{out}");
    let cases = [
        ("DELETE FROM rows WHERE seq = 8", "dòng 9: thiếu dòng hoặc sai thứ tự, lẽ ra là số 8"),
        ("DELETE FROM rows WHERE seq < 3", "dòng 3: thiếu dòng hoặc sai thứ tự, lẽ ra là số 1"),
        ("DELETE FROM rows WHERE seq > 15", "dòng 16: các dòng cuối đã bị cắt"),
        ("DELETE FROM rows", "dòng 1: các dòng cuối đã bị cắt"),
        (
            "UPDATE rows SET seq = 100 WHERE seq = 4; UPDATE rows SET seq = 4 WHERE seq = 5;
             UPDATE rows SET seq = 5 WHERE seq = 100;",
            "dòng 4-5: cột tra cứu khác nội dung dòng",
        ),
        (
            "UPDATE rows SET body = replace(body, '\"recorded_at\":\"2022-10-05', '\"recorded_at\":\"2022-10-04')
             WHERE seq = 7",
            "dòng 7: nội dung đã bị thay đổi",
        ),
        ("UPDATE rows SET planned_at_ms = planned_at_ms - 1 WHERE seq = 7", "dòng 7: cột tra cứu khác"),
        ("UPDATE rows SET airing_id = 'manual/1' WHERE seq = 7", "dòng 7: cột tra cứu khác"),
        ("UPDATE rows SET hash = zeroblob(32) WHERE seq = 7", "dòng 7: cột tra cứu khác"),
        ("UPDATE rows SET body = 'x' WHERE seq = 3", "dòng 3: không đúng cách ghi"),
        ("UPDATE rows SET body = 'x' WHERE seq BETWEEN 3 AND 6", "dòng 3-6: không đúng cách ghi"),
    ];
    for (sql, expected) in cases {
        let (code, out) = attempt(sql);
        assert_eq!(code, Some(1), "{sql}\n{out}");
        assert!(out.contains(expected), "{sql}\n{out}");
        assert!(out.contains("KHÔNG NGUYÊN VẸN"), "{out}");
    }
}

/// Rows made by somebody who can compute hashes still break the rules between rows.
#[test]
fn well_hashed_rows_that_break_a_rule_are_named() {
    let rule = |writes: &[Write]| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("loaxa.db");
        open(&path).commit(writes).unwrap();
        check(&path).breaks.into_iter().map(|b| (b.seq, format!("{:?}", b.rule))).collect::<Vec<_>>()
    };
    let named = |seq, rule: &str| vec![(seq, rule.to_owned())];
    let mut illegal = airing(0, 1);
    illegal.reason = Some(Reason::Late);
    assert_eq!(rule(&[row(airing(0, 2)), row(illegal)]), named(2, "Pair"));
    let mut short = airing(0, 1);
    short.played_ms = 12_000;
    assert_eq!(rule(&[row(short)]), named(1, "Contradiction"));
    let mut sounded = airing(0, 1);
    (sounded.outcome, sounded.reason) = (Outcome::Missed, Some(Reason::Late));
    assert_eq!(rule(&[row(sounded)]), named(1, "Contradiction"));
    assert_eq!(rule(&[plan(0, 2), row(airing(0, 2))]), named(1, "NoOutcome { item: 1 }"));
    let mut moved = airing(0, 1);
    moved.planned_at = rfc(START + 1_000);
    assert_eq!(rule(&[plan(0, 1), row(moved)]), named(2, "OtherThanPlanned"));
    let mut other = airing(0, 1);
    other.clip_sha256 = Some("cd".repeat(32));
    assert_eq!(rule(&[plan(0, 1), row(other)]), named(2, "OtherThanPlanned"));
    assert_eq!(rule(&[plan(0, 2), keep(0)]), []);
}

#[test]
fn stored_clips_are_hashed_again() {
    use sha2::{Digest, Sha256};
    let dir = tempfile::tempdir().unwrap();
    fill(&mut open(&dir.path().join("loaxa.db")), 1);
    let clips = dir.path().join("clips");
    std::fs::create_dir(&clips).unwrap();
    let name = loaxa::domain::airing::hex(&Sha256::digest(b"tin"));
    std::fs::write(clips.join(format!("{name}.mp3")), "tin").unwrap();
    std::fs::write(clips.join("dang-tai.part"), "x").unwrap();
    let (code, out, _) = loaxa(dir.path(), &["verify"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("1 tệp âm thanh trong kho"), "{out}");
    std::fs::write(clips.join(format!("{name}.mp3")), "tim").unwrap();
    let (code, out, _) = loaxa(dir.path(), &["verify"]);
    assert_eq!(code, Some(1));
    assert!(out.contains(&format!("{name}.mp3\" không đúng mã băm")), "{out}");
    assert!(out.contains("các dòng nhật ký đều đúng"), "{out}");
}

// ---- exports

#[test]
fn the_csv_is_as_clerks_read_it() {
    let mut sheet = CsvSheet::new(Vec::new(), Format::of(Language::Vi, Zone::default())).unwrap();
    sheet.airing(&airing(0, 2)).unwrap();
    let mut cut = airing(0, 3);
    (cut.outcome, cut.reason, cut.played_ms) = (Outcome::Partial, Some(Reason::PowerOff), 8_512);
    cut.title = Some("=1+1; \"đọc\"".into());
    sheet.airing(&cut).unwrap();
    let mut relay = not_begun(airing(0, 1), Outcome::Missed, Reason::Overlap);
    (relay.kind, relay.clip_kind, relay.clip_id, relay.title) = (Kind::Relay, None, None, None);
    (relay.clip_ms, relay.priority, relay.approved_by) = (None, None, None);
    relay.planned_at = rfc(START + 18 * 3_600_000 + 30 * 60_000);
    sheet.airing(&relay).unwrap();
    let text = String::from_utf8(sheet.finish().unwrap()).unwrap();
    let expected = [
        "\u{feff}STT;Ngày;Buổi phát;Giờ theo lịch;Giờ bắt đầu;Giờ kết thúc;Mã bài;Tiêu đề;Loại bài;Mức ưu tiên;\
         Đợt tuyên truyền;Chủ đề;Số, ký hiệu văn bản;Thời lượng (giây);Thời gian đã phát (giây);Kết quả;Lý do;\
         Mã thiết bị;Đơn vị gửi;Người duyệt",
        "1;05/10/2022;Buổi sáng;05:30:20;05:30:20;05:30:40;cd1;Nội dung Quyết định số 1092/QĐ-BTTTT;Bản tin;Ưu tiên;\
         tinh/cds-2022;tinh/CD1;647/TTCS-TQ;20;20;Đã phát đủ;;;tinh;Nguyễn Văn A",
        "2;05/10/2022;Buổi sáng;05:30:40;05:30:40;05:31:00;cd1;\"'=1+1; \"\"đọc\"\"\";Bản tin;Ưu tiên;\
         tinh/cds-2022;tinh/CD1;647/TTCS-TQ;20;8,512;Phát dở (do sự cố);Thiết bị tắt nguồn;;tinh;Nguyễn Văn A",
        "3;06/10/2022;Buổi sáng;00:00:00;;;;;Tiếp sóng;;tinh/cds-2022;tinh/CD1;647/TTCS-TQ;;0;\
         Không phát được;Trùng giờ buổi khác;;tinh;",
        "",
    ];
    assert_eq!(text, expected.join("\r\n"));

    let mut sheet = CsvSheet::new(Vec::new(), Format::of(Language::En, Zone::default())).unwrap();
    sheet.airing(&cut).unwrap();
    let text = String::from_utf8(sheet.finish().unwrap()).unwrap();
    assert!(text.starts_with("\u{feff}No.,Date,Session,"), "{text}");
    assert!(text.contains(",20,8.512,Partial (fault),Power off,"), "{text}");
}

#[test]
fn cells_that_look_like_formulas_are_guarded() {
    use loaxa::domain::report::guarded;
    for cell in ["=1", "+84 912", "-1+2", "@SUM(A1)", "\tx", "\rx", "-", "-1,2,3", "-1.", "＝1"] {
        assert_eq!(guarded(cell.into()), format!("'{cell}"));
    }
    for cell in ["", "-6", "-6,5", "-0.25", "1=1", "Bản tin", "'=1", "5-6"] {
        assert_eq!(guarded(cell.into()), cell);
    }
}

#[test]
fn totals_leave_out_what_nobody_can_have_heard() {
    let count = |trial: bool| {
        let mut totals = Totals::new(trial);
        totals.airing(&airing(0, 1));
        for output in ["null", "wav:/tmp/a.wav", "simulation"] {
            let mut silent = airing(0, 2);
            silent.output = output.into();
            totals.airing(&silent);
        }
        totals.airing(&not_begun(airing(0, 3), Outcome::Missed, Reason::PowerOff));
        let mut cut = airing(1, 1);
        (cut.outcome, cut.reason, cut.played_ms) = (Outcome::Partial, Some(Reason::PowerOff), 8_500);
        totals.airing(&cut);
        totals
    };
    let totals = count(false);
    let sum = Sum { aired: 1, aired_ms: 20_000, cut: 1, cut_ms: 8_500, not_begun: 1 };
    assert_eq!((totals.all, totals.not_counted), (sum, 3));
    assert_eq!(totals.clips, BTreeMap::from([("tinh/cd1".to_owned(), sum)]));
    assert_eq!(totals.campaigns, BTreeMap::from([("tinh/cds-2022".to_owned(), sum)]));
    assert_eq!(totals.sessions.len(), 1);
    assert_eq!(count(true).all.aired, 4);
}

#[test]
fn export_chooses_rows_and_writes_whole_files() {
    let dir = tempfile::tempdir().unwrap();
    fill(&mut open(&dir.path().join("loaxa.db")), 3);
    let run = |args: &[&str]| loaxa(dir.path(), args);
    let (code, out, _) = run(&["export", "--format", "jsonl", "--from", "2022-10-06", "--to", "2022-10-06T05:30:40"]);
    assert_eq!((code, out.lines().count()), (Some(0), 2));
    assert!(out.starts_with("{\"seq\":7,\"type\":\"airing\","), "{out}");
    for (option, value, rows) in [
        ("--campaign", "tinh/cds-2022", 9),
        ("--campaign", "cds-2022", 9),
        ("--campaign", "tinh/khac", 0),
        ("--slot", "local/sang", 9),
        ("--slot", "sang", 9),
        ("--slot", "tinh/sang", 0),
        ("--outcome", "aired", 9),
        ("--outcome", "missed", 0),
        ("--source", "tinh", 9),
        ("--source", "local", 0),
    ] {
        let (code, out, _) = run(&["export", "--format", "jsonl", option, value]);
        assert_eq!((code, out.lines().count()), (Some(0), rows), "{option} {value}");
    }
    let file = dir.path().join("tháng 10.csv");
    let name = file.to_str().unwrap();
    let (code, out, _) = run(&["export", "--format", "csv", "-o", name]);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    let sheet = std::fs::read_to_string(&file).unwrap();
    assert_eq!(sheet.lines().count(), 10);
    assert!(sheet.starts_with("\u{feff}STT;"));
    assert!(sheet.contains(";bm-01;tinh;"));
    // The same rows, the same bytes.
    assert_eq!(run(&["export", "--format", "csv"]).1, sheet);
    assert!(run(&["export", "--format", "csv", "--separator", "tab"]).1.starts_with("\u{feff}STT\tNgày\t"));
    assert!(run(&["--lang", "en", "export", "--format", "csv"]).1.starts_with("\u{feff}No.,Date,"));
    for (args, code) in [
        (vec!["export", "--format", "odt"], 64),
        (vec!["export", "--format", "pdf"], 64),
        (vec!["export", "--format", "csv", "--chain"], 64),
        (vec!["export", "--format", "jsonl", "--chain", "--source", "tinh"], 64),
        (vec!["export", "--format", "csv", "--outcome", "thuong"], 64),
        (vec!["export", "--format", "csv", "--from", "hôm qua"], 64),
        (vec!["export", "--format", "csv", "--separator", "ab"], 64),
        (vec!["export", "--format", "csv", "-o", "/không/có/đây.csv"], 1),
    ] {
        let (found, out, err) = run(&args);
        assert_eq!(found, Some(code), "{args:?} {err}");
        assert_eq!(out, "");
        assert!(err.starts_with("loaxa: "), "{err}");
    }
    assert!(run(&["export", "--format", "odt"]).2.contains("không có định dạng"));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|n| n.to_string_lossy().ends_with(".part")), "{left:?}");
    let (code, _, err) = loaxa(&dir.path().join("không"), &["export", "--format", "csv"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("không có nhật ký phát thanh"), "{err}");
}

#[test]
fn the_config_says_where_the_log_is() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("trạng thái");
    std::fs::create_dir(&state).unwrap();
    fill(&mut open(&state.join("loaxa.db")), 1);
    let config = dir.path().join("station.toml");
    let text = format!("\u{feff}[station]\r\nlanguage = \"en\"\r\n[state]\r\ndir = '{}'\r\n", state.display());
    std::fs::write(&config, text).unwrap();
    let run = |config: &Path| {
        Command::new(env!("CARGO_BIN_EXE_loaxa"))
            .args(["export", "--format", "csv", "--config"])
            .arg(config)
            .output()
            .unwrap()
    };
    let out = run(&config);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout.starts_with("\u{feff}No.,".as_bytes()));
    assert_eq!(run(&dir.path().join("none.toml")).status.code(), Some(78));
}

#[test]
fn an_exported_chain_proves_that_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(&dir.path().join("loaxa.db"));
    fill(&mut log, 3);
    log.commit(&[plan(3, 2), keep(3)]).unwrap();
    let file = dir.path().join("chuỗi.jsonl");
    let name = file.to_str().unwrap();
    let verify = |text: &[u8]| {
        std::fs::write(&file, text).unwrap();
        let (code, out, err) = loaxa(dir.path(), &["verify", name]);
        (code, out + &err)
    };
    assert_eq!(loaxa(dir.path(), &["export", "--format", "jsonl", "--chain", "-o", name]).0, Some(0));
    let whole = std::fs::read(&file).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 15);
    assert!(lines[14].starts_with(r#"{"type":"summary","count":14,"first_seq":1,"last_seq":14,"head":""#));
    let (code, out) = verify(&whole);
    assert_eq!(code, Some(0), "{out}");
    let join = |lines: &[&str]| (lines.join("\n") + "\n").into_bytes();

    // A part of the time is a part of the chain, without holes.
    let part = ["export", "--format", "jsonl", "--chain", "--from", "2022-10-06", "--to", "2022-10-07", "-o", name];
    assert_eq!(loaxa(dir.path(), &part).0, Some(0));
    let (code, out) = verify(&std::fs::read(&file).unwrap());
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("4 dòng (số 6-9)"), "{out}");

    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    for (what, tampered) in [
        ("tail cut", join(&lines[..10])),
        ("row gone", join(&[&lines[..6], &lines[7..]].concat())),
        ("rows swapped", join(&swapped)),
        ("last row gone", join(&[&lines[..13], &lines[14..]].concat())),
        ("first row gone", join(&lines[1..])),
        ("doubled", [whole.clone(), whole.clone()].concat()),
        ("words changed", text.replacen("Nguyễn Văn A", "Nguyễn Văn B", 1).into_bytes()),
        ("spaces", text.replacen("\":", "\": ", 1).into_bytes()),
    ] {
        let (code, out) = verify(&tampered);
        assert_eq!(code, Some(1), "{what}\n{out}");
    }
    // Airings alone: each by itself.
    let (_, rows, _) = loaxa(dir.path(), &["export", "--format", "jsonl"]);
    let (code, out) = verify(rows.as_bytes());
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("không chứng minh được là đủ dòng"), "{out}");
    let (code, out) = verify("\u{feff}STT;Ngày\n".as_bytes());
    assert_eq!(code, Some(1));
    assert!(out.contains("không phải là tệp xuất jsonl"), "{out}");
}

/// With nothing but airings in it a chain looks like an export without one, but for its last line: that is not to be
/// passed over when it cannot be read.
#[test]
fn a_summary_that_cannot_be_read_is_no_export_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(&dir.path().join("loaxa.db"));
    log.commit(&[row(airing(0, 1)), row(airing(0, 2))]).unwrap();
    drop(log);
    let file = dir.path().join("a.jsonl");
    let name = file.to_str().unwrap();
    assert_eq!(loaxa(dir.path(), &["export", "--format", "jsonl", "--chain", "-o", name]).0, Some(0));
    let whole = std::fs::read(&file).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for at in (last..whole.len()).step_by(23).chain([whole.len() - 2, whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x80;
        std::fs::write(&file, bytes).unwrap();
        let (code, out, err) = loaxa(dir.path(), &["verify", name]);
        assert_eq!(code, Some(1), "byte {at}: {out}{err}");
        assert!(out.contains("KHÔNG NGUYÊN VẸN"), "{out}");
    }
}

#[test]
fn every_flipped_bit_of_an_export_is_found() {
    let dir = tempfile::tempdir().unwrap();
    fill(&mut open(&dir.path().join("loaxa.db")), 2);
    let (_, text, _) = loaxa(dir.path(), &["export", "--format", "jsonl", "--chain"]);
    let rows = text.rfind("{\"type\":\"summary\"").unwrap();
    let original = text.into_bytes();
    // Every bit of the rows 1 to 3, one of each type, so that every key and mark is met. The rows after them
    // are there for the link.
    let ends: Vec<usize> = (0..rows).filter(|i| original[*i] == b'\n').collect();
    let mut scratch = Scratch::default();
    for at in 0..ends[2] {
        for bit in 0..8 {
            let mut bytes = original[..ends[4]].to_vec();
            bytes[at] ^= 1 << bit;
            let mut checker = Checker::new(true);
            for line in bytes.split(|b| *b == b'\n') {
                checker.take(examine(std::str::from_utf8(line).unwrap_or(""), None, &mut scratch));
            }
            assert!(checker.broken() > 0, "bit {bit} of byte {at}");
        }
    }
}

fn any_airing() -> impl Strategy<Value = Airing> {
    let reasons = || std::iter::once(None).chain(Reason::ALL.into_iter().map(Some));
    let pairs: Vec<_> = Outcome::ALL
        .into_iter()
        .flat_map(|o| reasons().map(move |r| (o, r)))
        .filter(|(o, r)| loaxa::domain::airing::legal(*o, *r))
        .collect();
    let words = any::<Option<String>>;
    (prop::sample::select(pairs), words(), words(), -9.0..9.0f64, any::<f64>(), 0i64..20_000).prop_map(
        |((outcome, reason), title, by, start, gain, played)| {
            let mut a = airing(0, 1);
            (a.title, a.by, a.outcome, a.reason) = (title, by, outcome, reason);
            a.start_error_ms = Some((start * 100.0).round() / 100.0);
            a.gain_db = Some(gain);
            a.played_ms = if outcome == Outcome::Aired { 20_000 } else { played };
            if outcome.begun() { a } else { not_begun(a, outcome, reason.unwrap_or(Reason::Late)) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_exported_verifies(
        rows in prop::collection::vec(any_airing(), 1..12),
        hit in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(&dir.path().join("loaxa.db"));
        for (i, mut a) in rows.into_iter().enumerate() {
            a.airing_id = format!("manual/{}", i + 1);
            a.kind = Kind::Manual;
            log.commit(&[row(a)]).unwrap();
        }
        drop(log);
        let file = dir.path().join("a.jsonl");
        let name = file.to_str().unwrap();
        prop_assert_eq!(loaxa(dir.path(), &["export", "--format", "jsonl", "--chain", "-o", name]).0, Some(0));
        let (code, out, err) = loaxa(dir.path(), &["verify", name]);
        prop_assert_eq!(code, Some(0), "{}{}", out, err);
        let mut bytes = std::fs::read(&file).unwrap();
        let at = hit.index(bytes.len());
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&file, bytes).unwrap();
        prop_assert_eq!(loaxa(dir.path(), &["verify", name]).0, Some(1), "byte {}", at);
    }
}

// ---- the writer

/// A log whose disk fails, or hangs, when told to.
struct Faulty {
    log: AiringLog,
    switches: Switches,
}

#[derive(Clone, Default)]
struct Switches {
    fails: Arc<AtomicBool>,
    /// With `fails`: it was written all the same, the error came after the last flush.
    lies: Arc<AtomicBool>,
    /// Held: the disk hangs.
    gate: Arc<Mutex<()>>,
    opened: Arc<AtomicUsize>,
}

impl Committer for Faulty {
    fn commit(&mut self, batch: &str, writes: &[Write]) -> Result<Committed, LogError> {
        let _held = self.switches.gate.lock().unwrap();
        if !self.switches.fails.load(Ordering::SeqCst) {
            return Committer::commit(&mut self.log, batch, writes);
        }
        if self.switches.lies.load(Ordering::SeqCst) {
            Committer::commit(&mut self.log, batch, writes)?;
        }
        Err(LogError::Hangs)
    }
}

struct Bench {
    writer: LogWriter,
    events: Receiver<LogEvent>,
    switches: Switches,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let switches = Switches::default();
    let opener = {
        let (path, switches) = (path.clone(), switches.clone());
        Box::new(move || -> Result<Box<dyn Committer>, LogError> {
            switches.opened.fetch_add(1, Ordering::SeqCst);
            let log = AiringLog::open(&path, identity(), clock())?;
            Ok(Box::new(Faulty { log, switches: switches.clone() }))
        })
    };
    let (say, events) = sayer();
    let writer = LogWriter::start(None, opener, clock(), say).unwrap();
    Bench { writer, events, switches, path, _dir: dir }
}

fn sayer() -> (impl Fn(LogEvent) + Send + Sync + 'static, Receiver<LogEvent>) {
    let (send, events) = channel();
    let send = Mutex::new(send);
    let say = move |event| {
        let _ = send.lock().unwrap().send(event);
    };
    (say, events)
}

const LONG: Duration = Duration::from_secs(30);

/// The next `n` tokens; the last word may still be on its way when the queue is empty.
fn tokens(events: &Receiver<LogEvent>, n: usize) -> Vec<u64> {
    let mut said = Vec::new();
    while said.len() < n {
        if let LogEvent::Committed { token: Some(t), .. } = events.recv_timeout(LONG).unwrap() {
            said.push(t);
        }
    }
    said
}

#[test]
fn the_writer_commits_in_order_and_says_so() {
    let bench = bench();
    for s in 0..50 {
        bench.writer.send(vec![row(airing(s, 1))], Some(s as u64));
    }
    assert!(bench.writer.flush(LONG));
    assert_eq!(tokens(&bench.events, 50), (0..50).collect::<Vec<_>>());
    let verdict = check(&bench.path);
    assert_eq!((verdict.broken, verdict.tally.rows), (0, 50));
}

#[test]
fn a_failing_disk_loses_nothing_and_heals() {
    let Bench { writer, events, switches, path, _dir } = bench();
    writer.send(vec![row(airing(0, 1))], Some(0));
    assert!(writer.flush(LONG));
    switches.fails.store(true, Ordering::SeqCst);
    for s in 1..=20 {
        writer.send(vec![row(airing(s, 1))], Some(s as u64));
    }
    while !matches!(events.recv_timeout(LONG).unwrap(), LogEvent::Failing { .. }) {}
    assert!(!writer.flush(Duration::from_millis(200)));
    let health = writer.health();
    assert_eq!(health.waiting_rows, 20);
    assert!(health.failing.is_some());
    switches.fails.store(false, Ordering::SeqCst);
    assert!(writer.flush(LONG));
    assert!(switches.opened.load(Ordering::SeqCst) >= 2);
    let mut failures = 0;
    loop {
        match events.recv_timeout(LONG).unwrap() {
            LogEvent::Failing { .. } => failures += 1,
            LogEvent::Healed => break,
            _ => {}
        }
    }
    assert_eq!(failures, 0, "a failure is said once");
    let ids = AiringLog::open_read_only(&path).unwrap().settled_since(Wall(0)).unwrap();
    assert_eq!(ids, (0..=20).map(|s| airing(s, 1).airing_id).collect::<Vec<_>>());
    assert_eq!(check(&path).broken, 0);
    assert_eq!(writer.health().waiting_rows, 0);
}

/// A clock whose boot time a test moves.
struct Moved(std::sync::atomic::AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Now {
        let boot_ns = self.0.load(Ordering::SeqCst);
        Now { wall_ns: START.0 * 1_000_000, boot_ns, clock: ClockState::Synced }
    }
}

#[test]
fn a_card_that_hangs_is_reported_while_it_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let switches = Switches::default();
    let log = open(&dir.path().join("loaxa.db"));
    let faulty = Faulty { log, switches: switches.clone() };
    let clock = Arc::new(Moved(0.into()));
    let (say, events) = sayer();
    let opener = Box::new(|| Err(LogError::Hangs));
    let writer = LogWriter::start(Some(Box::new(faulty)), opener, clock.clone(), say).unwrap();
    let held = switches.gate.lock().unwrap();
    writer.send(vec![row(airing(0, 1))], Some(7));
    assert!(!writer.flush(Duration::from_millis(100)));
    assert!(events.try_recv().is_err());
    clock.0.store(6_000_000_000, Ordering::SeqCst);
    let event = events.recv_timeout(LONG).unwrap();
    assert!(matches!(&event, LogEvent::Failing { error, .. } if matches!(**error, LogError::Hangs)), "{event:?}");
    drop(held);
    assert!(matches!(events.recv_timeout(LONG).unwrap(), LogEvent::Committed { token: Some(7), .. }));
    assert!(matches!(events.recv_timeout(LONG).unwrap(), LogEvent::Healed));
}

#[test]
fn an_error_after_the_last_flush_writes_no_row_twice() {
    let Bench { writer, events, switches, path, _dir } = bench();
    switches.lies.store(true, Ordering::SeqCst);
    switches.fails.store(true, Ordering::SeqCst);
    writer.send(vec![event(EventKind::Start), row(airing(0, 1))], Some(1));
    while !matches!(events.recv_timeout(LONG).unwrap(), LogEvent::Failing { .. }) {}
    writer.send(vec![row(airing(0, 2))], Some(2));
    switches.fails.store(false, Ordering::SeqCst);
    assert!(writer.flush(LONG));
    let verdict = check(&path);
    assert_eq!((verdict.broken, verdict.tally.rows, verdict.tally.events), (0, 3, 1));
    assert_eq!(tokens(&events, 2), [1, 2]);
}

#[test]
fn memory_is_bounded_and_a_row_tells_what_it_cost() {
    let Bench { writer, events, switches, path, _dir } = bench();
    writer.send(vec![plan(0, 3)], None);
    assert!(writer.flush(LONG));
    let held = switches.gate.lock().unwrap();
    let sent = MAX_QUEUED_ROWS as i64 + 25;
    for s in 0..sent {
        // The first three are the plan's.
        let a = if s < 3 { airing(0, s as u32 + 1) } else { airing(s, 1) };
        let id = a.airing_id.clone();
        writer.send(vec![intend(&id)], None);
        for played_ms in 1..5 {
            writer.send(vec![Write::Note { airing_id: id.clone(), played_ms }], None);
        }
        writer.send(vec![row(a), close(&id)], Some(s as u64));
    }
    assert!(writer.health().waiting_rows <= MAX_QUEUED_ROWS);
    drop(held);
    assert!(writer.flush(LONG));
    assert_eq!(tokens(&events, sent as usize), (0..sent as u64).collect::<Vec<_>>());
    let log = AiringLog::open_read_only(&path).unwrap();
    let repair = log.last_event(EventKind::Repair).unwrap().unwrap();
    let lost = repair.body["detail"]["lost"].as_u64().unwrap();
    let kept = log.settled_since(Wall(0)).unwrap();
    assert_eq!(kept.len() as u64 + lost, sent as u64);
    assert_eq!(lost, 25);
    assert_eq!(log.intents().unwrap(), []);
    // The oldest went, the rest is in order, and the row that tells excuses the plan's missing outcomes.
    assert_eq!(kept.last().unwrap(), &airing(sent - 1, 1).airing_id);
    let verdict = check(&path);
    assert_eq!((verdict.broken, verdict.tally.lost), (0, lost));
}

#[test]
fn a_second_outcome_is_left_out_and_the_rest_written() {
    let Bench { writer, events, path, _dir, .. } = bench();
    writer.send(vec![row(airing(0, 1))], Some(1));
    assert!(writer.flush(LONG));
    let id = airing(0, 1).airing_id;
    writer.send(vec![row(airing(0, 1)), close(&id)], Some(2));
    writer.send(vec![row(airing(0, 2))], Some(3));
    assert!(writer.flush(LONG));
    assert_eq!(check(&path).tally.rows, 2);
    let left_out = |e: LogEvent| matches!(e, LogEvent::LeftOut { airing_id } if airing_id == id);
    assert!(events.try_iter().any(left_out));
}

#[test]
fn a_real_disk_that_fails_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    std::fs::write(&state, "not a folder").unwrap();
    let path = state.join("loaxa.db");
    let (say, events) = sayer();
    let writer = LogWriter::over(None, &path, identity(), clock(), say).unwrap();
    for s in 0..5 {
        writer.send(vec![row(airing(s, 1))], None);
    }
    assert!(matches!(events.recv_timeout(LONG).unwrap(), LogEvent::Failing { .. }));
    assert!(!writer.flush(Duration::from_millis(50)));
    std::fs::remove_file(&state).unwrap();
    std::fs::create_dir(&state).unwrap();
    assert!(writer.flush(LONG));
    assert_eq!(check(&path).tally.rows, 5);
}

/// Not a test: the child of [`a_full_disk_keeps_rows_in_memory`], whose files may not grow.
#[test]
#[ignore = "the child of another test"]
fn child_meets_a_full_disk() {
    let Ok(path) = std::env::var("LOAXA_TEST_FULL") else { return };
    let path = Path::new(&path);
    let (say, events) = sayer();
    let writer = LogWriter::over(Some(open(path)), path, identity(), clock(), say).unwrap();
    writer.send(vec![row(airing(0, 1))], None);
    assert!(writer.flush(LONG));
    // SAFETY: sets this process's own limit and ignores the signal that goes with it; nothing is shared.
    let limit = |bytes| unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        libc::setrlimit(libc::RLIMIT_FSIZE, &limit)
    };
    limit(150_000);
    for s in 1..=200 {
        writer.send(vec![row(airing(s, 1))], None);
        if s % 20 == 0 {
            writer.flush(Duration::from_millis(20));
        }
    }
    while !matches!(events.recv_timeout(LONG).unwrap(), LogEvent::Failing { .. }) {}
    assert!(writer.health().waiting_rows > 0);
    limit(libc::RLIM_INFINITY);
    assert!(writer.flush(LONG));
    let verdict = check(path);
    assert_eq!((verdict.broken, verdict.tally.rows), (0, 201));
    let ids = AiringLog::open_read_only(path).unwrap().settled_since(Wall(0)).unwrap();
    assert_eq!(ids, (0..=200).map(|s| airing(s, 1).airing_id).collect::<Vec<_>>());
    std::fs::write(path.with_extension("done"), "").unwrap();
}

#[test]
fn a_full_disk_keeps_rows_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_meets_a_full_disk", "--ignored", "--nocapture"])
        .env("LOAXA_TEST_FULL", &path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(path.with_extension("done").exists());
}

// ---- size

/// A million rows: run by hand, `LOAXA_TEST_MILLION=FOLDER cargo test --release --test airing_log million --
/// --ignored`; the folder then holds a log to time `export` and `verify` on.
#[test]
#[ignore = "takes a minute and 2 GB"]
fn a_million_rows_are_made() {
    let Ok(dir) = std::env::var("LOAXA_TEST_MILLION") else { return };
    let mut log = open(&Path::new(&dir).join("loaxa.db"));
    for s in (0..200_000).step_by(100) {
        let mut writes = Vec::new();
        for session in s..s + 100 {
            writes.push(plan(session, 4));
            writes.extend((1..=4).map(|p| row(airing(session, p))));
        }
        log.commit(&writes).unwrap();
    }
    assert_eq!(log.head().unwrap().seq, 1_000_000);
}

// ---- the manual

/// The ten lines of Python in the manual do what they say.
#[test]
fn the_manual_s_python_agrees() {
    let manual = include_str!("../docs/airing-log.md");
    let code = manual.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("python3 is not here: not tried");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fill(&mut open(&dir.path().join("loaxa.db")), 2);
    let script = dir.path().join("chain.py");
    std::fs::write(&script, code).unwrap();
    let file = dir.path().join("a.jsonl");
    let name = file.to_str().unwrap();
    assert_eq!(loaxa(dir.path(), &["export", "--format", "jsonl", "--chain", "-o", name]).0, Some(0));
    let run = || Command::new("python3").arg(&script).arg(&file).output().unwrap();
    let out = run();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut edit = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    edit.seek(SeekFrom::Start(2_000)).unwrap();
    edit.write_all(b"~").unwrap();
    assert!(!run().status.success());
}

// ---- damage

/// Rows of the repair kind, newest last.
fn repairs(path: &Path) -> Vec<serde_json::Value> {
    let log = AiringLog::open_read_only(path).unwrap();
    let mut found = Vec::new();
    log.for_each_raw::<LogError>(|row| {
        let body: serde_json::Value = serde_json::from_slice(row.body).unwrap();
        if body["event"] == "repair" {
            found.push(body);
        }
        Ok(())
    })
    .unwrap();
    found
}

fn overwrite(path: &Path, page: u64, byte: u8) {
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    file.write_all(&[byte; 4096]).unwrap();
}

fn copy_to(from: &Path, dir: &Path) -> PathBuf {
    std::fs::create_dir(dir).unwrap();
    for entry in std::fs::read_dir(from.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
    }
    dir.join(from.file_name().unwrap())
}

#[test]
fn whatever_page_is_damaged_the_rows_of_all_others_are_kept_and_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    one_file(&path, 12);
    open(&path).commit(&[Write::Set { name: "playout".into(), value: json!({"a": "x".repeat(3000)}) }]).unwrap();
    let pages = std::fs::metadata(&path).unwrap().len() / 4096;
    let rows = 49;
    assert!(pages > 15, "{pages}");
    let mut mended = 0;
    for page in 1..=pages {
        let path = copy_to(&path, &dir.path().join(format!("p{page}")));
        overwrite(&path, page, if page % 2 == 0 { 0 } else { 0xa5 });
        let mut log = open(&path);
        // A row may stand on the bad page, with what else is on it; four at most fit.
        let repair = repairs(&path).pop();
        let before = log.head().unwrap().seq;
        if let Some(repair) = &repair {
            mended += 1;
            let detail = &repair["detail"];
            let missing = detail["missing_rows"].as_u64().unwrap();
            assert!(missing <= 5, "page {page}: {detail}");
            assert_eq!(detail["salvaged"].as_u64().unwrap() + missing, rows, "page {page}: {detail}");
            assert_eq!((detail["old_seq"].as_u64(), before), (Some(rows), rows + 1), "page {page}");
            assert!(path.with_file_name(detail["file"].as_str().unwrap()).exists());
        } else {
            assert_eq!(before, rows);
        }
        assert_eq!(log.commit(&[row(airing(99, 1))]).unwrap().seq, before + 1);
        drop(log);
        let verdict = check(&path);
        assert_eq!(verdict.breaks, [], "page {page}: {repair:?}");
        let (code, said, _) = loaxa(path.parent().unwrap(), &["verify"]);
        assert_eq!(code, Some(0), "page {page}: {said}");
        assert_eq!(
            AiringLog::open_read_only(&path).unwrap().log_id(),
            AiringLog::open_read_only(&dir.path().join("loaxa.db")).unwrap().log_id()
        );
    }
    assert!(mended * 10 >= pages * 8, "{mended} of {pages}");
}

#[test]
fn many_bad_pages_of_a_large_log_cost_only_their_own_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let mut log = open(&path);
    for s in 0..400 {
        log.commit(&[plan(s, 3), row(airing(s, 1)), row(airing(s, 2)), row(airing(s, 3))]).unwrap();
    }
    drop(log);
    let pages = std::fs::metadata(&path).unwrap().len() / 4096;
    let bad: Vec<u64> = (1..=pages).filter(|p| p % 20 == 1).collect();
    bad.iter().for_each(|p| overwrite(&path, *p, 0x5a));
    open(&path);
    let detail = repairs(&path).pop().unwrap()["detail"].clone();
    let (missing, salvaged) = (detail["missing_rows"].as_u64().unwrap(), detail["salvaged"].as_u64().unwrap());
    assert_eq!(missing + salvaged, 1_600);
    assert!(missing <= 5 * bad.len() as u64, "{missing} rows on {} pages", bad.len());
    assert_eq!(check(&path).breaks, []);
}

/// The numbers of the pages of one kind: 0x05 inside a table, 0x02 inside an index, 0x0d and 0x0a their leaves.
fn pages_of_kind(path: &Path, kind: u8) -> Vec<u64> {
    let bytes = std::fs::read(path).unwrap();
    (1..).zip(bytes.chunks(4096)).skip(1).filter(|(_, page)| page[0] == kind).map(|(number, _)| number).collect()
}

/// `scripts/bench-ledger` measures the same at a million rows.
#[test]
fn pages_inside_the_trees_cost_no_row_and_a_cut_file_only_what_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let mut log = open(&path);
    for s in (0..1_200).step_by(100) {
        let writes =
            (s..s + 100).flat_map(|s| std::iter::once(plan(s, 3)).chain((1..=3).map(move |p| row(airing(s, p)))));
        log.commit(&writes.collect::<Vec<_>>()).unwrap();
    }
    log.commit(&[intend("manual/7"), Write::Set { name: "playout".into(), value: json!({"a": 1}) }]).unwrap();
    drop(log);
    tamper(&path, "PRAGMA journal_mode = DELETE;");
    let rows = 4_800;
    let length = std::fs::metadata(&path).unwrap().len();
    let (tables, indexes) = (pages_of_kind(&path, 0x05), pages_of_kind(&path, 0x02));
    assert!(tables.len() > 1 && indexes.len() > 1, "{tables:?} {indexes:?}");
    let cut = |path: &Path| {
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length / 3 * 2).unwrap();
    };
    type Damage<'a> = Box<dyn Fn(&Path) + 'a>;
    let cases: Vec<(&str, Damage<'_>, std::ops::RangeInclusive<u64>)> = vec![
        ("header", Box::new(|path| overwrite(path, 1, 0x5a)), 0..=0),
        ("tables", Box::new(|path| tables.iter().for_each(|p| overwrite(path, *p, 0x5a))), 0..=0),
        ("indexes", Box::new(|path| indexes.iter().for_each(|p| overwrite(path, *p, 0))), 0..=0),
        ("cut", Box::new(cut), rows / 4..=rows / 2),
    ];
    for (name, damage, costs) in cases {
        let path = copy_to(&path, &dir.path().join(name));
        damage(&path);
        let mut log = open(&path);
        let detail = repairs(&path).pop().unwrap()["detail"].clone();
        let missing = detail["missing_rows"].as_u64().unwrap();
        assert!(costs.contains(&missing), "{name}: {missing} of {rows}");
        assert_eq!((detail["old_seq"].as_u64(), missing + detail["salvaged"].as_u64().unwrap()), (Some(rows), rows));
        assert_eq!(log.commit(&[row(airing(2_000, 1))]).unwrap().seq, rows + 2, "{name}");
        if missing == 0 {
            assert_eq!(log.intents().unwrap()[0].airing_id, "manual/7", "{name}");
            assert_eq!(log.named("playout").unwrap(), Some(json!({"a": 1})), "{name}");
        }
        drop(log);
        assert_eq!(check(&path).breaks, [], "{name}");
    }
}

#[test]
fn a_bad_page_found_while_the_station_runs_is_mended_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    one_file(&path, 60);
    let log = open(&path);
    let (say, events) = sayer();
    let writer = LogWriter::over(Some(log), &path, identity(), clock(), say).unwrap();
    // A page in the middle that the writer has no reason to read.
    writer.send(vec![row(airing(70, 1))], Some(1));
    assert_eq!(tokens(&events, 1), [1]);
    writer.look_over(&path).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(events.try_recv().is_err(), "no leisure: it waits");
    writer.leisure(true);
    match events.recv_timeout(LONG).unwrap() {
        LogEvent::LookedOver { rows, broken } => assert_eq!((rows, broken), (242, vec![]), "a whole log"),
        other => panic!("{other:?}"),
    }
    let leaf = (2u64..)
        .find(|p| {
            let mut kind = [0];
            let mut file = std::fs::File::open(&path).unwrap();
            file.seek(SeekFrom::Start((p - 1) * 4096)).unwrap();
            file.read_exact(&mut kind).unwrap();
            *p > 40 && kind == [0x0d]
        })
        .unwrap();
    overwrite(&path, leaf, 0x5a);
    writer.look_over(&path).unwrap();
    let told = |wanted: fn(&LogEvent) -> bool| {
        while !wanted(&events.recv_timeout(LONG).expect("an event")) {}
    };
    told(|e| matches!(e, LogEvent::Failing { error, .. } if error.is_damage()));
    told(|e| matches!(e, LogEvent::Committed { token: None, .. }));
    told(|e| matches!(e, LogEvent::Healed));
    writer.send(vec![row(airing(71, 1))], Some(2));
    assert_eq!(tokens(&events, 1), [2]);
    let detail = repairs(&path).pop().unwrap()["detail"].clone();
    assert_eq!(detail["what"], "damaged");
    assert!((1..=5).contains(&detail["missing_rows"].as_u64().unwrap()), "{detail}");
    assert_eq!(check(&path).breaks, []);
    drop(writer);
}

/// A row that was changed breaks no page: proving the rows finds it, names it, and leaves it as it is.
#[test]
fn rows_that_were_changed_are_named_while_the_station_runs_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    // More than is proved in one go.
    one_file(&path, 200);
    let log = open(&path);
    let (say, events) = sayer();
    let writer = LogWriter::over(Some(log), &path, identity(), clock(), say).unwrap();
    writer.leisure(true);
    let db = rusqlite::Connection::open(&path).unwrap();
    let change = |seq: i64, sql: &str| db.execute(sql, [seq]).unwrap();
    // A word, and a row that carries a hash of its own but hangs on nothing.
    change(40, "UPDATE rows SET body = replace(body, 'ban_tin', 'ca_khuc') WHERE seq = ?1");
    change(700, "UPDATE rows SET hash = zeroblob(32) WHERE seq = ?1");
    let looked = || {
        writer.look_over(&path).unwrap();
        match events.recv_timeout(LONG).unwrap() {
            LogEvent::LookedOver { rows, broken } => (rows, broken),
            other => panic!("{other:?}"),
        }
    };
    let (rows, broken) = looked();
    // The row behind hangs on a hash that is no longer there.
    assert_eq!((rows, broken), (801, vec![40, 700, 701]));
    assert_eq!(repairs(&path), Vec::<serde_json::Value>::new());
    assert!(check(&path).breaks.iter().any(|b| b.seq == 40));
    assert_eq!(looked().1, [40, 700, 701], "and again the next day");
    drop(writer);
}

/// A bit flipped in the write-ahead log hides every commit behind it: the note in a file of its own tells.
#[test]
fn a_flipped_bit_in_the_write_ahead_log_hides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let mut log = open(&path);
    fill(&mut log, 6);
    let last = log.head().unwrap();
    let state = copy_to(&path, &dir.path().join("cut"));
    drop(log);
    let wal = state.with_extension("db-wal");
    let mut bytes = std::fs::read(&wal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&wal, bytes).unwrap();
    let (code, out, _) = loaxa(state.parent().unwrap(), &["verify"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("các dòng cuối đã bị cắt"), "{out}");
    let log = open(&state);
    assert_eq!(log.head().unwrap().seq, last.seq + 1, "numbers go on");
    drop(log);
    let detail = repairs(&state).pop().unwrap()["detail"].clone();
    assert_eq!((&detail["old_seq"], &detail["what"]), (&last.seq.into(), &"damaged".into()));
    // Rows behind the bad frame prove themselves: at most those of the page it holds are lost.
    assert!(detail["missing_rows"].as_u64().unwrap() <= 3, "{detail}");
    assert_eq!(check(&state).breaks, []);
}

#[test]
fn what_stands_beside_the_rows_is_not_changed_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let mut log = open(&path);
    fill(&mut log, 2);
    log.commit(&[keep(5), Write::Set { name: "exported".into(), value: json!({"seq": 3}) }]).unwrap();
    let head = log.head().unwrap();
    drop(log);
    let said = |sql: &str| {
        tamper(&path, sql);
        let (code, out, _) = loaxa(dir.path(), &["verify"]);
        (code, out)
    };
    assert_eq!(said("").0, Some(0));
    let (code, out) = said("UPDATE named SET value = '{\"seq\":7}' WHERE name = 'exported'");
    assert_eq!(code, Some(1));
    assert!(out.contains("trạng thái ghi cạnh nhật ký") && !out.contains("HỎNG: dòng"), "{out}");
    // The next start says so in a row, and goes on from what is there.
    assert_eq!(open(&path).head().unwrap().seq, head.seq + 1);
    assert_eq!(repairs(&path).pop().unwrap()["detail"]["missing_rows"], 0);
    assert_eq!(said("").0, Some(0));
    let (_, out) = said("DROP INDEX rows_planned; CREATE INDEX rows_planned ON rows (session_start_ms);");
    assert!(out.contains("định nghĩa bảng đã bị thay đổi"), "{out}");
}

#[test]
fn rows_that_are_only_in_the_write_ahead_log_are_kept_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let mut log = open(&path);
    fill(&mut log, 5);
    let copy = copy_to(&path, &dir.path().join("copy"));
    drop(log);
    std::fs::remove_file(copy.with_file_name("loaxa.db-shm")).unwrap();
    std::fs::write(&copy, [0x77; 4096]).unwrap();
    // The committed pages of the write-ahead log lie over the damage: nothing is lost, with or without mending.
    let log = open(&copy);
    assert!(log.head().unwrap().seq >= 21);
    drop(log);
    let verdict = check(&copy);
    assert_eq!((verdict.breaks, verdict.tally.missing), (vec![], vec![]));
}

#[test]
fn a_log_that_is_gone_goes_on_from_the_noted_head() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    one_file(&path, 2);
    let head = open(&path).head().unwrap();
    for content in [None, Some(&b""[..]), Some(b"gone")] {
        match content {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let _ = std::fs::remove_file(dir.path().join("loaxa.db-wal"));
        let before = open(&path).head().unwrap();
        assert!(before.seq > head.seq);
        assert_eq!(check(&path).breaks, []);
    }
}

// ---- pruning

#[test]
fn only_whole_exported_days_are_pruned_and_a_row_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loaxa.db");
    let mut log = open(&path);
    fill(&mut log, 10);
    let prune = |log: &mut AiringLog, days: i64| log.commit(&[Write::Prune { before: START + days * DAY }]).unwrap();
    let head = log.head().unwrap();
    assert_eq!(prune(&mut log, 5), head, "nothing was exported");
    // In the middle of the third day: two days may go.
    let exported = Write::Set { name: "exported".into(), value: json!({"seq": 11}) };
    log.commit(&[exported]).unwrap();
    let after = prune(&mut log, 5);
    assert_eq!((after.seq, log.first_seq().unwrap()), (head.seq + 1, 10));
    assert_eq!(check(&path).breaks, []);
    assert_eq!(prune(&mut log, 5), after, "nothing more");
    log.commit(&[Write::Set { name: "exported".into(), value: json!({"seq": 42}) }]).unwrap();
    prune(&mut log, 4);
    assert_eq!(log.first_seq().unwrap(), 18);
    drop(log);
    let verdict = check(&path);
    assert_eq!((verdict.breaks, verdict.tally.missing), (vec![], vec![]));
    assert_eq!(loaxa(dir.path(), &["verify"]).0, Some(0));
    // Damage after pruning: what was pruned does not come back.
    let pages = std::fs::metadata(&path).unwrap().len() / 4096;
    overwrite(&path, pages, 0x11);
    overwrite(&path, 1, 0x11);
    drop(open(&path));
    assert_eq!(check(&path).breaks, []);
    assert!(AiringLog::open_read_only(&path).unwrap().first_seq().unwrap() >= 18);
}
