//! The log as evidence: signed on one box and checked on another, carried by a backup, bound to its machine.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod station_box;

use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use station_box::{Station, clip, slot, soon, tone};

/// A box that has aired two clips of its own.
fn aired() -> Station {
    let mut station = Station::new("null").with_env(vec![("LOAXA_MACHINE_ID".into(), "may-a".into())]);
    tone(&station.path("clips/a.wav"), 200);
    let list = clip("a", &station.path("clips/a.wav")) + &slot("s", soon(2_000), "\"a\", \"a\"", "");
    station.list(&list);
    station.start();
    station.wait_for_airings(2, Duration::from_secs(30));
    station
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_export_is_signed_by_its_box_and_proved_elsewhere() {
    let mut station = aired();
    let file = station.path("nhat-ky.jsonl");
    let name = file.to_str().unwrap();
    station.ok(&["export", "--format", "jsonl", "--chain", "--sign", "-o", name]);
    let key = station.path("state/device.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let public = station.path("state/device.pub");
    let signature = std::fs::read_to_string(station.path("nhat-ky.jsonl.minisig")).unwrap();
    let export = std::fs::read_to_string(&file).unwrap();
    let summary: Value = serde_json::from_str(export.lines().last().unwrap()).unwrap();
    let head = summary["head"].as_str().unwrap();
    for said in [format!("head={head}"), "device=thu-01".into(), format!("last_seq={}", summary["last_seq"])] {
        assert!(signature.contains(&said), "{said}: {signature}");
    }
    // What has been exported is noted, by the daemon that holds the log.
    let noted = |station: &Station| {
        let db = rusqlite::Connection::open(station.path("state/loaxa.db")).unwrap();
        db.query_row("SELECT value FROM named WHERE name = 'exported'", [], |r| r.get::<_, String>(0)).ok()
    };
    let last = format!("\"seq\":{}", summary["last_seq"]);
    assert!(station.wait(Duration::from_secs(5), |s| noted(s).is_some_and(|n| n.contains(&last))));
    station.ok(&["verify", "--against", name]);
    station.end();

    // A tail cut off together with the note of the head: whole by itself, found against the export.
    let db = rusqlite::Connection::open(station.path("state/loaxa.db")).unwrap();
    let kept = db
        .query_row("SELECT seq, lower(hex(hash)) FROM rows WHERE seq = 2", [], |r| {
            Ok(format!("{}:{}", r.get::<_, i64>(0)?, r.get::<_, String>(1)?))
        })
        .unwrap();
    db.execute_batch("DELETE FROM rows WHERE seq > 2; DELETE FROM sessions;").unwrap();
    db.execute("UPDATE meta SET value = ?1 WHERE name = 'head'", [&kept]).unwrap();
    drop(db);
    let cut = station.run(&["verify", "--against", name]);
    assert_eq!(cut.status.code(), Some(1), "{}", text(&cut.stdout));
    assert!(text(&cut.stdout).contains("bị cắt"), "{}", text(&cut.stdout));

    // Another box: nothing but the file, its signature and the public key.
    let other = Station::new("null");
    let verify = |key: &str| other.run(&["verify", name, "--key", key]);
    let output = verify(public.to_str().unwrap());
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains(head));
    if let Ok(output) = Command::new("minisign").args(["-V", "-p"]).arg(&public).arg("-m").arg(&file).output() {
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    }
    // Somebody else's key.
    other.ok(&["keygen", "--out", other.path("la").to_str().unwrap()]);
    assert_eq!(verify(other.path("la.pub").to_str().unwrap()).status.code(), Some(1));
    // Any changed byte.
    let bytes = std::fs::read(&file).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 25) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(&file, changed).unwrap();
        assert_eq!(verify(public.to_str().unwrap()).status.code(), Some(1), "byte {at}");
    }
    // Rows cut off and the summary made to fit: whole by itself, found by the signature.
    std::fs::write(&file, &bytes).unwrap();
    std::fs::remove_file(station.path("nhat-ky.jsonl.minisig")).unwrap();
    assert_eq!(verify(public.to_str().unwrap()).status.code(), Some(1), "no signature");
    assert_eq!(other.run(&["export", "--format", "jsonl", "--sign"]).status.code(), Some(64));
}

#[test]
fn on_other_hardware_a_new_log_begins_and_names_the_old_one() {
    let mut station = aired();
    let old = station.chain();
    assert_eq!(station.end(), Some(0));
    let old_key = std::fs::read(station.path("state/device.key")).unwrap();
    let log_id = |rows: &[Value]| rows[0]["log_id"].as_str().unwrap().to_owned();
    let mut moved = station.with_env(vec![("LOAXA_MACHINE_ID".into(), "may-b".into())]);
    moved.start();
    let rows = moved.chain();
    assert_ne!(log_id(&rows), log_id(&old));
    assert_eq!((&rows[0]["event"], &rows[0]["seq"]), (&"repair".into(), &1.into()));
    let detail = &rows[0]["detail"];
    assert_eq!(detail["what"], "other_machine");
    assert_eq!(detail["old_log_id"], log_id(&old));
    assert!(detail["old_seq"].as_u64().unwrap() >= old.len() as u64);
    assert!(moved.path("state").join(detail["file"].as_str().unwrap()).exists());
    assert!(rows.iter().all(|r| r["type"] != "airing"), "nothing is told a second time");
    moved.verify();
    assert_ne!(std::fs::read(moved.path("state/device.key")).unwrap(), old_key, "no two boxes share a key");
    // The same machine again: nothing more happens.
    moved.end();
    moved.start();
    assert_eq!(log_id(&moved.chain()), log_id(&rows));
}

#[test]
fn a_backup_holds_everything_but_the_key_and_restores_only_when_whole() {
    let station = aired();
    let file = station.path("dai.loaxa");
    let name = file.to_str().unwrap();
    station.ok(&["backup", "-o", name]);
    let bytes = std::fs::read(&file).unwrap();
    let has = |what: &str| bytes.windows(what.len()).any(|w| w == what.as_bytes());
    for inside in ["config/station.toml", "config/local.toml", "clips/a.wav", "state/loaxa.db", "manifest.json"] {
        assert!(has(inside), "{inside}");
    }
    assert!(!has("device.key") && !has("minisign"), "the key is in it");
    let secret = std::fs::read_to_string(station.path("state/device.key")).unwrap();
    assert!(!has(secret.lines().nth(1).unwrap()));
    let old = station.chain();

    // Nothing happens on a box that has something, or with a file that is not whole.
    let mut other = Station::new("null").with_env(vec![("LOAXA_MACHINE_ID".into(), "may-c".into())]);
    let mine = std::fs::read(other.path("station.toml")).unwrap();
    assert_eq!(other.run(&["restore", name]).status.code(), Some(1));
    let bad = other.path("hong.loaxa");
    let cuts = (0..bytes.len()).step_by(bytes.len() / 12).skip(1);
    for at in cuts {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        std::fs::write(&bad, &changed).unwrap();
        let output = other.run(&["restore", "--force", bad.to_str().unwrap()]);
        // A byte between two members says nothing: then what is restored is right all the same.
        if output.status.success() {
            assert_eq!(
                std::fs::read(other.path("local.toml")).unwrap(),
                std::fs::read(station.path("local.toml")).unwrap()
            );
            std::fs::write(other.path("station.toml"), &mine).unwrap();
        }
        std::fs::write(&bad, &bytes[..at]).unwrap();
        assert_eq!(other.run(&["restore", "--force", bad.to_str().unwrap()]).status.code(), Some(1), "cut at {at}");
        assert_eq!(std::fs::read(other.path("station.toml")).unwrap(), mine);
    }
    let output = other.run(&["restore", "--force", name]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(other.path("clips/a.wav")).unwrap(), std::fs::read(station.path("clips/a.wav")).unwrap());
    other.start();
    let rows = other.chain();
    assert_eq!(rows[0]["detail"]["what"], "restored");
    assert_eq!(rows[0]["detail"]["old_log_id"], old[0]["log_id"]);
    assert_ne!(rows[0]["log_id"], old[0]["log_id"]);
    other.verify();
    // While it runs nothing is restored.
    assert_eq!(other.run(&["restore", "--force", name]).status.code(), Some(1));
}

#[test]
fn a_box_with_a_damaged_log_starts_and_plays() {
    let mut station = aired();
    station.kill();
    let path = station.path("state/loaxa.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA journal_mode = DELETE;").unwrap();
    drop(db);
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in [0, 4] {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xd0; 4096]).unwrap();
    }
    station.list(&(clip("a", &station.path("clips/a.wav")) + &slot("t", soon(4_000), "\"a\"", "")));
    let began = std::time::Instant::now();
    station.start();
    assert!(began.elapsed() < Duration::from_secs(15));
    let played = station.wait(Duration::from_secs(30), |s| s.airings().iter().any(|a| a["slot_id"] == "t"));
    assert!(played, "{}", station.log());
    let rows = station.chain();
    let repair = rows.iter().find(|r| r["event"] == "repair").unwrap();
    assert_eq!(repair["detail"]["what"], "damaged");
    station.verify();
}

#[test]
fn a_row_that_was_changed_raises_an_alarm_that_names_it_and_stays() {
    let mut station = aired();
    let told = |s: &Station| {
        let status = s.status()?;
        let alarms = status["alarms"].as_array()?.iter().find(|a| a["code"] == "log_changed").cloned();
        Some((status["log"]["looked_over_at"].is_string(), alarms))
    };
    assert!(station.wait(Duration::from_secs(60), |s| told(s) == Some((true, None))), "{:?}", told(&station));
    station.kill();
    let db = rusqlite::Connection::open(station.path("state/loaxa.db")).unwrap();
    let seq: i64 = db.query_row("SELECT min(seq) FROM rows WHERE type = 'airing'", [], |r| r.get(0)).unwrap();
    let sql = "UPDATE rows SET body = replace(body, '\"outcome\":\"', '\"outcome\":\"x') WHERE seq = ?1";
    assert_eq!(db.execute(sql, [seq]).unwrap(), 1);
    drop(db);
    station.start();
    assert!(station.wait(Duration::from_secs(60), |s| matches!(told(s), Some((true, Some(_))))), "{}", station.log());
    let (_, alarm) = told(&station).unwrap();
    let text = alarm.unwrap()["text"].as_str().unwrap().to_owned();
    assert!(text.lines().next().unwrap().ends_with(&format!(": dòng {seq}")), "{text}");
    let rows = station.chain();
    let raised = rows.iter().find(|r| r["event"] == "alarm" && r["detail"]["code"] == "log_changed");
    assert_eq!(raised.unwrap()["detail"]["raised"], true);
    assert!(!rows.iter().any(|r| r["event"] == "repair"), "nothing was taken out of the log");
    assert_eq!(station.run(&["verify"]).status.code(), Some(1));
}

#[test]
fn status_says_how_far_a_campaign_is_day_by_day() {
    let mut station = Station::new("null");
    tone(&station.path("clips/a.wav"), 200);
    let start = soon(3_000);
    let day = |days: i64| station_box::local(start + days * 86_400_000, "%Y-%m-%d");
    let campaign = format!(
        "[[campaigns]]\nid = \"cds\"\ntitle = \"Chuyển đổi số\"\nfrom = \"{}\"\nto = \"{}\"\nmin_per_day = 2\n\
         topics = [{{ id = \"CD1\", title = \"Một\", min_per_day = 1 }}, {{ id = \"CD2\", title = \"Hai\" }}]\n\
         [[clips]]\nid = \"a\"\nfile = \"a.wav\"\ntitle = \"Bài a\"\nkind = \"ban_tin\"\ncampaign = \"cds\"\ntopic = \"CD1\"\n\
         approved_by = \"Nguyễn Văn A\"\napproved_at = \"2022-09-30\"\n",
        day(-40),
        day(2),
    );
    station.list(&(campaign + &slot("s", start, "\"a\", \"a\"", "")));
    station.start();
    let today = |station: &Station, topic: Value| {
        let status = station.status().unwrap();
        assert_eq!(
            (&status["campaigns"][0]["id"], status["campaigns"].as_array().unwrap().len()),
            (&"local/cds".into(), 1)
        );
        let days = status["campaigns"][0]["days"].as_array().unwrap().clone();
        // A month back, today, and to its end: all together and two topics each.
        assert_eq!(days.len(), (31 + 1 + 2) * 3);
        days.into_iter().find(|d| d["date"] == day(0) && d["topic"] == topic).unwrap()
    };
    let is = |day: &Value| ["aired", "planned", "quota"].map(|key| day[key].as_u64());
    assert_eq!(is(&today(&station, Value::Null)), [Some(0), Some(2), Some(2)]);
    assert_eq!(is(&today(&station, "local/CD1".into())), [Some(0), Some(2), Some(1)]);
    assert_eq!(is(&today(&station, "local/CD2".into())), [Some(0), Some(0), None]);
    let shown = text(&station.run(&["status"]).stdout);
    let line = format!("* {} 0/2/2  (CD1 0/2/1)", station_box::local(start, "%d/%m/%Y"));
    assert!(shown.contains("Đợt tuyên truyền \"Chuyển đổi số\" (local/cds)") && shown.contains(&line), "{shown}");
    // What went to no loudspeaker is aired for the log, and for no quota.
    let rows = station.wait_for_airings(2, Duration::from_secs(30));
    assert!(rows.iter().all(|r| r["outcome"] == "aired"), "{rows:?}");
    assert_eq!(is(&today(&station, Value::Null)), [Some(0), Some(2), Some(2)]);
}
