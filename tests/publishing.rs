//! The editor's side with the real program: keys, a signed folder, a server; and the station that takes it, from
//! the server and from a USB stick. minisign's own tool is used in both directions where it is installed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loaxa::daemon::clock::MachineClock;
use loaxa::daemon::sync::{Answer, Latest, Settings, Surroundings, Syncing, introduction, load_all};
use loaxa::domain::config::{Language, read_config};
use loaxa::domain::playlist::{Form, read_list};
use loaxa::domain::time::Clock;
use loaxa::edge::clip_store::{Admit, ClipStore, Measured};
use loaxa::edge::decoder;
use unicode_normalization::UnicodeNormalization;

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_loaxa").into()
}

fn loaxa(args: &[&str]) -> Output {
    Command::new(program()).args(args).env("LANG", "vi_VN.UTF-8").env_remove("LC_MESSAGES").output().unwrap()
}

fn fine(args: &[&str]) -> String {
    let output = loaxa(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(args: &[&str], code: i32, word: &str) {
    let output = loaxa(args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    assert!(errors.contains(word), "{args:?}: {errors}");
}

/// Admission with the real program as the child that decodes.
fn admission(clock: Arc<dyn Clock>) -> Arc<Admit<'static>> {
    Arc::new(move |path: &Path| {
        let limits = decoder::Limits::default();
        let found = decoder::measure_in_child(&program(), path, limits, &*clock).map_err(|e| e.text())?;
        let duration_ms = i64::try_from(found.duration_ms).unwrap();
        Ok(Measured { duration_ms, loudness_lufs: found.loudness_lufs, true_peak_db: found.true_peak_db })
    })
}

/// A second of a quiet 440 Hz tone, 16 bit mono.
fn tone(rate: u32, ms: u32, amplitude: f64) -> Vec<u8> {
    let samples = rate * ms / 1000;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + samples * 2).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&(rate * 2).to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&(samples * 2).to_le_bytes());
    for n in 0..samples {
        let t = f64::from(n) / f64::from(rate);
        let v = (t * 440.0 * std::f64::consts::TAU).sin() * amplitude;
        bytes.extend_from_slice(&((v * 32767.0) as i16).to_le_bytes());
    }
    bytes
}

const LIST: &str = r#"source = "tinh"

[[campaigns]]
id = "cds"
title = "Ngày Chuyển đổi số"
min_per_day = 2

[[clips]]
id = "cd1"
file = "Bản tin số 1.wav"
title = "Nội dung Quyết định số 1092/QĐ-BTTTT"
kind = "ban_tin"
campaign = "cds"
approved_by = "Nguyễn Văn A"
approved_at = "2022-09-30"
gain_db = 1.0

[[clips]]
id = "hieu"
file = "hieu.wav"
title = "Nhạc hiệu"
kind = "nhac_hieu"

[[offers]]
id = "cds"
items = ["hieu", "cd1"]
priority = "priority"
"#;

struct Editor {
    temp: tempfile::TempDir,
}

impl Editor {
    fn new() -> Editor {
        let editor = Editor { temp: tempfile::tempdir().unwrap() };
        let dir = editor.path("chien-dich");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("playlist.toml"), LIST).unwrap();
        // As an archive from a Mac would bring it: marks taken apart.
        let apart: String = "Bản tin số 1.wav".nfd().collect();
        fs::write(dir.join(apart), tone(16_000, 1_500, 0.05)).unwrap();
        fs::write(dir.join("hieu.wav"), tone(8_000, 700, 0.9)).unwrap();
        editor
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn keygen(&self, name: &str) -> String {
        fine(&["keygen", "--out", &self.text(name)]).trim().to_owned()
    }

    fn publish(&self, more: &[&str]) -> String {
        let (dir, key, out) = (self.text("chien-dich"), self.text("khoa.key"), self.text("out"));
        let mut args = vec!["publish", dir.as_str(), "--key", &key, "--out", &out];
        args.extend(more);
        fine(&args)
    }

    fn published(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path("out/playlist.json")).unwrap()).unwrap()
    }

    fn station(&self, url: &str, key: &str) -> PathBuf {
        let config = self.path("station.toml");
        let state = self.path("state");
        let text = format!(
            "[station]\nid = \"xa-a\"\nname = \"Đài xã A\"\ndevice_id = \"a-01\"\n[state]\ndir = {state:?}\n\
             [[source]]\nid = \"tinh\"\norigin = \"tinh\"\nurl = {url:?}\npublic_keys = [{key:?}]\n\
             [output]\ndevice = \"null\"\n[time]\ntrust = \"always\"\n"
        );
        fs::write(&config, text).unwrap();
        config
    }
}

#[test]
fn keys_are_never_written_over_and_the_secret_one_is_private() {
    let editor = Editor::new();
    let public = editor.keygen("khoa.2026");
    assert!(public.starts_with("RW") && public.len() == 56);
    let mode = fs::metadata(editor.path("khoa.2026.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fs::read_to_string(editor.path("khoa.2026.pub")).unwrap().contains(&public));
    let secret = fs::read(editor.path("khoa.2026.key")).unwrap();
    refused(&["keygen", "--out", &editor.text("khoa.2026")], 1, "không ghi đè");
    fs::remove_file(editor.path("khoa.2026.key")).unwrap();
    refused(&["keygen", "--out", &editor.text("khoa.2026")], 1, "không ghi đè");
    assert!(!editor.path("khoa.2026.key").exists());
    assert_ne!(secret.len(), 0);
}

#[test]
fn minisign_reads_our_keys_and_we_read_its() {
    if Command::new("minisign").arg("-v").output().is_err() {
        eprintln!("minisign is not installed: not looked at");
        return;
    }
    let editor = Editor::new();
    let minisign = |args: &[&str]| {
        let output = Command::new("minisign").args(args).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let list = editor.text("out/playlist.json");

    // Our keys and signature, its verification; and its signature with our secret key.
    let public = editor.keygen("khoa");
    editor.publish(&[]);
    minisign(&["-V", "-P", &public, "-m", &list]);
    minisign(&["-V", "-p", &editor.text("khoa.pub"), "-m", &list]);
    minisign(&["-S", "-s", &editor.text("khoa.key"), "-m", &list]);
    let config = editor.station("http://127.0.0.1:1/playlist.json", &public);
    fine(&["--config", config.to_str().unwrap(), "import", &editor.text("out")]);

    // Its keys, our publishing.
    minisign(&["-G", "-W", "-p", &editor.text("theirs.pub"), "-s", &editor.text("theirs.key")]);
    let (dir, key, out) = (editor.text("chien-dich"), editor.text("theirs.key"), editor.text("out2"));
    fine(&["publish", &dir, "--key", &key, "--out", &out]);
    minisign(&["-V", "-p", &editor.text("theirs.pub"), "-m", &editor.text("out2/playlist.json")]);
}

#[test]
fn publishing_adds_what_stations_need_and_goes_up_by_one() {
    let editor = Editor::new();
    let public = editor.keygen("khoa");
    let said = editor.publish(&["--url", "https://tinh.example.vn/playlist.json"]);
    assert!(said.contains("số 1") && said.contains("Nhạc hiệu"), "{said}");
    assert!(said.contains("danh sách đầu tiên"), "{said}");
    assert!(said.contains("mỗi lần được phát") && said.contains("yêu cầu 2 lượt mỗi ngày, có 1 tệp"), "{said}");
    let list = editor.published();
    let clip = &list["clips"][0];
    assert_eq!(clip["duration_ms"], 1_500);
    assert_eq!(clip["approved_by"], "Nguyễn Văn A");
    let file = fs::read(editor.path("out").join(clip["url"].as_str().unwrap())).unwrap();
    assert_eq!(clip["bytes"], file.len());
    assert_eq!(clip["sha256"], loaxa::domain::signature::sha256_hex(&file));
    // A tone of -29 dBFS is raised by what it lacks, its own decibel on top; one near full scale is held at -1 dBTP
    // or lowered.
    let quiet = clip["gain_db"].as_f64().unwrap();
    assert!((10.0..18.0).contains(&quiet), "{quiet}");
    assert!(list["clips"][1]["gain_db"].as_f64().unwrap() < 0.0);
    assert_eq!(list["offers"][0]["items"][1], "cd1");
    assert_eq!(list["campaigns"][0]["min_per_day"], 2);
    let block = fs::read_to_string(editor.path("out/source.toml")).unwrap();
    assert!(block.contains(&public) && block.contains("https://tinh.example.vn/playlist.json"));
    let station = format!("[station]\nid = \"xa-a\"\nname = \"A\"\ndevice_id = \"a\"\n{block}");
    assert_eq!(read_config(station.as_bytes(), false).value.unwrap().sources.len(), 1);

    // Unchanged input: the next serial, the same clips.
    let said = editor.publish(&[]);
    assert!(said.contains("giống hệt danh sách số 1"), "{said}");
    assert_eq!(editor.published()["serial"], 2);
    editor.publish(&["--serial", "41"]);
    assert_eq!(editor.published()["serial"], 42);

    // Audio that was measured is not decoded again; what another version measured is.
    let memo = editor.path("chien-dich/.loaxa-measured.json");
    let measured = fs::read_to_string(&memo).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&measured).unwrap();
    let sha256 = clip["sha256"].as_str().unwrap();
    let lufs = other["clips"][sha256]["loudness_lufs"].as_f64().unwrap();
    other["clips"][sha256]["loudness_lufs"] = (lufs - 3.0).into();
    fs::write(&memo, other.to_string()).unwrap();
    editor.publish(&[]);
    let louder = editor.published()["clips"][0]["gain_db"].as_f64().unwrap();
    assert!((louder - quiet - 3.0).abs() < 0.2, "{louder} {quiet}");
    other["version"] = "0.0.0".into();
    fs::write(&memo, other.to_string()).unwrap();
    editor.publish(&[]);
    assert_eq!(editor.published()["clips"][0]["gain_db"].as_f64(), Some(quiet));
    assert_eq!(fs::read_to_string(&memo).unwrap(), measured);

    // A clip that left stays for one list more, then goes.
    let count = || fs::read_dir(editor.path("out/clips")).unwrap().count();
    fs::write(editor.path("chien-dich/hieu.wav"), tone(8_000, 800, 0.9)).unwrap();
    let said = editor.publish(&[]);
    assert!(said.contains("so với danh sách số 44:\n  clips: sửa hieu\n"), "{said}");
    assert_eq!(count(), 3);
    editor.publish(&[]);
    assert_eq!(count(), 2);
    let mut left: Vec<String> =
        fs::read_dir(editor.path("out")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["clips", "playlist.json", "playlist.json.minisig", "source.toml"]);
    let reading = read_list(&fs::read(editor.path("out/playlist.json")).unwrap(), Form::Published);
    assert_eq!(reading.findings, Vec::new());
}

#[test]
fn mistakes_are_caught_before_the_villages_hear_them() {
    let editor = Editor::new();
    editor.keygen("khoa");
    let (dir, key, out) = (editor.text("chien-dich"), editor.text("khoa.key"), editor.text("out"));
    let args = ["publish", &dir, "--key", &key, "--out", &out];
    let with = |more: &[&'static str]| -> Vec<String> {
        args.iter().map(|s| s.to_string()).chain(more.iter().map(|s| s.to_string())).collect()
    };
    let refused_with = |more: &[&'static str], code, word| {
        let args = with(more);
        refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), code, word);
        assert!(!editor.path("out/playlist.json").exists());
    };
    refused_with(&["--expires", "101d"], 64, "100");
    refused_with(&["--expires", "một tháng"], 64, "31d");
    let list = editor.path("chien-dich/playlist.toml");
    fs::write(&list, LIST.replace("hieu.wav", "hieuu.wav")).unwrap();
    refused_with(&[], 1, "tên gần giống nhất: hieu.wav");
    fs::write(&list, LIST.replace("\"cd1\"]", "\"cd9\"]")).unwrap();
    refused_with(&[], 1, "playlist.toml:");
    fs::write(&list, LIST).unwrap();
    fs::write(editor.path("chien-dich/hieu.wav"), "không phải âm thanh").unwrap();
    refused_with(&[], 1, "hieu");
    fs::write(editor.path("chien-dich/hieu.wav"), tone(8_000, 700, 0.9)).unwrap();
    fs::write(editor.path("khac.key"), "không phải khóa").unwrap();
    refused(&["publish", &dir, "--key", &editor.text("khac.key"), "--out", &out], 1, "khac.key");

    // What every station would refuse: nothing to hear. An unreadable last list stops everything.
    fs::write(editor.path("chien-dich/hieu.wav"), tone(8_000, 700, 0.0)).unwrap();
    refused_with(&[], 1, "hieu: tệp âm thanh \"Nhạc hiệu\" im lặng");
    fs::write(editor.path("chien-dich/hieu.wav"), tone(8_000, 700, 0.9)).unwrap();
    editor.publish(&[]);
    fs::write(editor.path("out/playlist.json"), "{").unwrap();
    refused(&args, 1, "--serial");
}

/// What is in a folder, as names and bytes.
fn all_in(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(all_in(&path)),
            false => all.push((path.clone(), fs::read(path).unwrap())),
        }
    }
    all.sort();
    all
}

impl Editor {
    /// A folder of keys for `khoa`, with three people's root keys and no signature yet.
    fn with_keys() -> (Editor, String) {
        let editor = Editor::new();
        for name in ["goc-1", "goc-2", "goc-3", "khoa", "khoa-2"] {
            editor.keygen(name);
        }
        let keys = editor.text("keys");
        let roots: Vec<String> = (1..=3).map(|n| editor.text(&format!("goc-{n}.pub"))).collect();
        let mut args = vec!["keys", "new", keys.as_str(), "--source", "tinh"];
        roots.iter().for_each(|root| args.extend(["--root", root]));
        assert!(fine(&args).contains("keys add"));
        fine(&["keys", "add", &keys, "--key", &editor.text("khoa.pub"), "--name", "Máy ở phòng Văn hóa"]);
        (editor, keys)
    }

    fn sign(&self, keys: &str, who: &[&str]) -> String {
        let key = |name: &&str| self.text(&format!("{name}.key"));
        who.iter().map(|name| fine(&["keys", "sign", keys, "--key", &key(name), "--yes"])).collect()
    }
}

#[test]
fn keys_are_handed_round_and_count_once_for_each() {
    let (editor, keys) = Editor::with_keys();
    let (root_1, key) = (editor.text("goc-1.pub"), editor.text("khoa.pub"));
    // What is no beginning.
    refused(&["keys", "new", &keys, "--source", "tinh", "--root", &root_1, "--root", &key], 1, "đã có keys.json");
    let other = editor.text("khac");
    let new = ["keys", "new", &other, "--source", "tinh", "--root", &root_1];
    refused(&[&new[..], &["--root", &root_1]].concat(), 1, "khóa của người đã ghi ở trước");
    refused(&new, 1, "threshold 2 không hợp với 1 khóa gốc");
    refused(&[&new[..], &["--root", &editor.text("goc-1.key")]].concat(), 1, "goc-1.key");
    refused(&["keys", "show", &other], 1, "loaxa keys new");
    refused(&["keys", "add", &keys, "--key", &root_1], 1, "vừa là khóa gốc vừa là khóa ký");
    refused(&["keys", "add", &keys, "--key", &key, "--until", "2099-01-01"], 1, "1100 ngày");
    refused(&["keys", "add", &keys, "--key", &key, "--until", "mai"], 64, "mai");

    // Nobody signs by accident, with another's key, or twice.
    refused(&["keys", "sign", &keys, "--key", &editor.text("goc-1.key")], 64, "--yes");
    refused(&["keys", "sign", &keys, "--key", &editor.text("khoa.key"), "--yes"], 1, "không phải khóa gốc");
    let said = editor.sign(&keys, &["goc-1"]);
    assert!(said.contains("thiếu 1 chữ ký trong số goc-2 (") && said.contains("Máy ở phòng Văn hóa"), "{said}");
    let said = editor.sign(&keys, &["goc-1"]);
    assert!(said.contains("đã ký rồi") && said.contains("thiếu 1 chữ ký"), "{said}");
    assert!(!editor.path("keys/keys/1.json").exists());
    let (dir, out) = (editor.text("chien-dich"), editor.text("out"));
    let publish = ["publish", &dir, "--key", &editor.text("khoa.key"), "--out", &out, "--keys", &keys];
    refused(&publish, 1, "chưa có bản keys.json nào đủ chữ ký");
    assert!(!editor.path("out").exists());

    // A change makes what was signed worthless.
    let changed = loaxa(&["keys", "add", &keys, "--key", &key, "--name", "Máy mới"]);
    assert!(String::from_utf8_lossy(&changed.stderr).contains("bỏ các chữ ký"), "{changed:?}");
    let said = editor.sign(&keys, &["goc-2", "goc-3"]);
    assert!(said.contains("bản 1 đủ chữ ký"), "{said}");
    refused(&["keys", "sign", &keys, "--key", &editor.text("goc-1.key"), "--yes"], 1, "không có gì để ký");
    let shown = fine(&["keys", "show", &keys]);
    assert!(shown.contains("Máy mới") && shown.matches('✓').count() == 2, "{shown}");

    // Other people: both the old and the new sign.
    editor.keygen("goc-4");
    let (root_2, root_4) = (editor.text("goc-2.pub"), editor.text("goc-4.pub"));
    fine(&["keys", "roots", &keys, "--root", &root_1, "--root", &root_2, "--root", &root_4]);
    let said = editor.sign(&keys, &["goc-2", "goc-4"]);
    assert!(said.contains("Khóa gốc cũ") && said.contains("thiếu 1 chữ ký") && !said.contains("đủ chữ ký\n"), "{said}");
    let said = editor.sign(&keys, &["goc-3"]);
    assert!(said.contains("bản 2 đủ chữ ký"), "{said}");
    // Who has left signs no more.
    fine(&["keys", "retire", &keys, &key]);
    refused(&["keys", "sign", &keys, "--key", &editor.text("goc-3.key"), "--yes"], 1, "không phải khóa gốc");
    refused(&["keys", "retire", &keys, "0123456789ABCDEF"], 1, "không có khóa 0123456789ABCDEF");
}

#[test]
fn publish_puts_the_keys_first_and_refuses_what_they_do_not_allow() {
    let (editor, keys) = Editor::with_keys();
    editor.sign(&keys, &["goc-3", "goc-1"]);
    let published = editor.publish(&["--keys", &keys]);
    assert!(published.contains("số 1"), "{published}");
    let same = |a: &str, b: &str| assert_eq!(fs::read(editor.path(a)).unwrap(), fs::read(editor.path(b)).unwrap());
    same("out/keys.json", "keys/keys/1.json");
    same("out/keys/1.json", "keys/keys/1.json");
    same("out/keys/1.json.minisig", "keys/keys/1.json.minisig");

    // The block pins the roots, and no key that signs lists.
    let block = fs::read_to_string(editor.path("out/source.toml")).unwrap();
    let station = format!("[station]\nid = \"xa-a\"\nname = \"A\"\ndevice_id = \"a\"\n{block}");
    let reading = read_config(station.as_bytes(), false);
    let source = &reading.value.unwrap().sources[0];
    let roots = source.roots.as_ref().unwrap();
    assert_eq!((roots.threshold(), roots.texts().len(), source.public_keys.len()), (2, 3, 0));
    for n in 1..=3 {
        let public = fs::read_to_string(editor.path(&format!("goc-{n}.pub"))).unwrap();
        assert!(block.contains(public.lines().nth(1).unwrap()));
    }

    // What is published is known afterwards; a key it does not name publishes nothing.
    editor.publish(&[]);
    assert_eq!(editor.published()["serial"], 2);
    let before = all_in(&editor.path("out"));
    let publish = |key: &str, more: &[&str], word: &str| {
        let (dir, key, out) = (editor.text("chien-dich"), editor.text(key), editor.text("out"));
        refused(&[&["publish", dir.as_str(), "--key", &key, "--out", &out], more].concat(), 1, word);
        assert!(all_in(&editor.path("out")) == before, "{word}");
    };
    publish("khoa-2.key", &[], "không có trong đó");
    let key_2 = editor.text("khoa-2.pub");
    fine(&["keys", "add", &keys, "--key", &key_2, "--from", "2020-01-01", "--until", "2020-02-01"]);
    editor.sign(&keys, &["goc-1", "goc-2"]);
    publish("khoa-2.key", &["--keys", &keys], "đã hết hiệu lực từ 2020-02-02T00:00:00+07:00");
    fine(&["keys", "add", &keys, "--key", &key_2, "--from", "2098-01-01", "--until", "2098-12-31"]);
    editor.sign(&keys, &["goc-1", "goc-2"]);
    publish("khoa-2.key", &["--keys", &keys], "mới có hiệu lực");
    fine(&["keys", "retire", &keys, &editor.text("khoa.pub"), "--leaked"]);
    fine(&["keys", "add", &keys, "--key", &key_2]);
    refused(&["keys", "add", &keys, "--key", &editor.text("khoa.pub")], 1, "đã bị lộ: không dùng lại được");
    // Not signed yet: what is complete counts, with a word.
    let (dir, key, out) = (editor.text("chien-dich"), editor.text("khoa.key"), editor.text("unfinished"));
    let output = loaxa(&["publish", &dir, "--key", &key, "--out", &out, "--keys", &keys]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("phát hành với bản 3"));
    editor.sign(&keys, &["goc-1", "goc-2"]);
    publish("khoa.key", &["--keys", &keys], "đã bị lộ");
    let (key, out) = (editor.text("khoa-2.key"), editor.text("out"));
    fine(&["publish", &dir, "--key", &key, "--out", &out, "--keys", &keys]);
    assert_eq!(fs::read_dir(editor.path("out/keys")).unwrap().count(), 8);

    // Folders of keys that are behind, that went another way, or that are for somebody else; and a damaged OUT.
    let before = all_in(&editor.path("out"));
    let publish = |more: &[&str], word: &str| {
        refused(&[&["publish", dir.as_str(), "--key", &key, "--out", &out], more].concat(), 1, word);
        assert!(all_in(&editor.path("out")) == before, "{word}");
    };
    let behind = editor.text("behind");
    assert!(Command::new("cp").args(["-r", &keys, &behind]).status().unwrap().success());
    for version in [4, 3] {
        fs::remove_file(editor.path(&format!("behind/keys/{version}.json"))).unwrap();
        fs::remove_file(editor.path(&format!("behind/keys/{version}.json.minisig"))).unwrap();
        fs::write(editor.path("behind/keys.json"), fs::read(editor.path("behind/keys/2.json")).unwrap()).unwrap();
        if version == 4 {
            publish(&["--keys", &behind], "thư mục phát hành đã có bản 4");
        }
    }
    for name in ["lac", "lac nữa"] {
        fine(&["keys", "add", &behind, "--key", &key_2, "--name", name]);
        editor.sign(&behind, &["goc-1", "goc-2"]);
    }
    publish(&["--keys", &behind], "khác bản đã phát hành");
    let broken = editor.path("out/keys/2.json.minisig");
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, "").unwrap();
    refused(&["publish", &dir, "--key", &key, "--out", &out], 1, "không dùng được");
    fs::write(&broken, whole).unwrap();
    fine(&["publish", &dir, "--key", &key, "--out", &out]);
}

#[test]
fn root_keys_may_be_minisigns_own() {
    if Command::new("minisign").arg("-v").output().is_err() {
        eprintln!("minisign is not installed: not looked at");
        return;
    }
    let minisign = |args: &[&str]| {
        let output = Command::new("minisign").args(args).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let (editor, keys) = Editor::with_keys();
    fine(&["keys", "show", &keys]);
    // Signed by its tool, and put behind what is there, as anybody can; then by ours.
    let (file, mine) = (editor.text("keys/keys.json"), editor.text("mine.minisig"));
    minisign(&["-S", "-s", &editor.text("goc-2.key"), "-m", &file, "-x", &mine]);
    fs::copy(&mine, editor.path("keys/keys.json.minisig")).unwrap();
    let said = editor.sign(&keys, &["goc-3"]);
    assert!(said.contains("bản 1 đủ chữ ký"), "{said}");
    // Its tool checks the first of the signatures.
    minisign(&["-V", "-p", &editor.text("goc-2.pub"), "-m", &editor.text("keys/keys/1.json")]);
}

/// A program that is stopped when the test is over.
struct Served(Child, String);

impl Served {
    fn start(dir: &Path) -> Served {
        let mut child = Command::new(program())
            .args(["serve", dir.to_str().unwrap(), "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Served(child, line.trim().to_owned())
    }

    fn ask(&self, request: &str) -> String {
        let address = self.1.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn from_the_editor_over_the_server_to_the_station_and_by_usb() {
    let editor = Editor::new();
    let public = editor.keygen("khoa");
    editor.publish(&[]);
    let served = Served::start(&editor.path("out"));
    assert!(served.1.ends_with("/playlist.json"), "{}", served.1);

    let answer = served.ask("GET /playlist.json HTTP/1.1");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("application/json"), "{answer}");
    let header = |name: &str| {
        let start = format!("{name}: ");
        answer.lines().find_map(|l| l.to_ascii_lowercase().starts_with(&start).then(|| l[start.len()..].to_owned()))
    };
    let (tag, date) = (header("etag").unwrap(), header("last-modified").unwrap());
    for known in [format!("If-None-Match: {tag}"), format!("If-Modified-Since: {date}")] {
        let answer = served.ask(&format!("GET /playlist.json HTTP/1.1\r\n{known}"));
        assert!(answer.starts_with("HTTP/1.1 304"), "{answer}");
    }
    let answer = served.ask("GET /playlist.json HTTP/1.1\r\nRange: bytes=0-1");
    assert!(answer.starts_with("HTTP/1.1 206") && answer.ends_with("{\n"), "{answer}");
    assert!(served.ask("GET /playlist.json HTTP/1.1\r\nRange: bytes=9999999-").starts_with("HTTP/1.1 416"));
    assert!(served.ask("HEAD /playlist.json HTTP/1.1").ends_with("\r\n\r\n"));
    for nothing in ["/", "/clips", "/clips/", "/../khoa.key", "/%2e%2e/khoa.key", "/clips/%2e%2e/%2e%2e/khoa.key"] {
        assert!(served.ask(&format!("GET {nothing} HTTP/1.1")).starts_with("HTTP/1.1 404"), "{nothing}");
    }
    assert!(served.ask("POST /playlist.json HTTP/1.1\r\nContent-Length: 0").starts_with("HTTP/1.1 405"));

    // The station.
    let config_path = editor.station(&served.1, &public);
    let config = read_config(&fs::read(&config_path).unwrap(), false).value.unwrap();
    let clock = Arc::new(MachineClock::plain());
    let store = Arc::new(ClipStore::open(&config.state.dir).unwrap());
    let surroundings = Surroundings {
        store: store.clone(),
        admit: admission(clock.clone()),
        keep: Arc::new(|_| false),
        soonest: Arc::new(|_, _| Vec::new()),
        clock: clock.clone(),
        tell: Arc::new(|_| {}),
        heartbeat: Arc::new(Mutex::new(introduction(&config))),
        latest: Arc::default(),
    };
    let settings = Settings { first_after: Duration::from_secs(3600), ..Settings::default() };
    let syncing = Syncing::start(&config, &surroundings, &settings).unwrap();
    let check = || syncing.sync_now().recv_timeout(Duration::from_secs(30)).unwrap().1;
    match check() {
        Answer::New(stored) => {
            assert_eq!(stored.serial, 1);
            let clip = stored.list.clip("cd1").unwrap();
            let measured = store.measured(clip.sha256.as_deref().unwrap()).unwrap();
            assert_eq!(measured.duration_ms, 1_500);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(check(), Answer::Same { serial: Some(1) }));

    // The same folder from a stick is nothing new; the next list is, and the running sync sees it on the disk.
    let config_arg = config_path.to_str().unwrap();
    let import = |dir: &str| loaxa(&["--config", config_arg, "import", dir]);
    let out = editor.text("out");
    assert!(String::from_utf8_lossy(&import(&out).stdout).contains("đã có"));
    editor.publish(&[]);
    let imported = import(&out);
    assert!(String::from_utf8_lossy(&imported.stdout).contains("số 2"), "{imported:?}");
    drop(served);
    assert!(matches!(check(), Answer::Failed(_)));
    assert_eq!(syncing.status()[0].serial, Some(2));

    // The old one does not come back, by stick or by anything; nor does a forged one.
    let (dir, key, old) = (editor.text("chien-dich"), editor.text("khoa.key"), editor.text("old"));
    fine(&["publish", &dir, "--key", &key, "--out", &old]);
    refused(&["--config", config_arg, "import", &old], 1, "cũ hơn");
    editor.keygen("la");
    let (stranger, forged) = (editor.text("la.key"), editor.text("forged"));
    fine(&["publish", &dir, "--key", &stranger, "--out", &forged, "--serial", "9"]);
    refused(&["--config", config_arg, "import", &forged], 1, "khóa lạ");
    refused(&["--config", config_arg, "import", &editor.text("nowhere")], 1, "playlist.json");
    let loaded = load_all(&config, &store, &*clock, Language::Vi, &Latest::new()).unwrap();
    assert_eq!(loaded[0].1.stored.as_ref().unwrap().serial, 2);
}
