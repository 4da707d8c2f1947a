//! `loaxa edit` and `loaxa schema`, as a technician uses them.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const STATION: &str = "[station]\nid = \"xa-thu\"\nname = \"Đài thử\"\n[state]\ndir = \"state\"\n[local]\n[output]\n\
                       device = \"null\"\n[time]\ntrust = \"always\"\n";
const LOCAL: &str = "[[clips]]\nid = \"nhac\"\nfile = \"nhac.wav\"\ntitle = \"Nhạc hiệu\"\nkind = \"nhac_hieu\"\n\
                     duration_ms = 5000\n[[slots]]\nid = \"sang\"\nname = \"Buổi sáng\"\nat = \"05:30\"\nitems = [\"nhac\"]\n";

struct Station(tempfile::TempDir);

impl Station {
    fn new() -> Station {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("clips")).unwrap();
        std::fs::write(folder.path().join("station.toml"), STATION).unwrap();
        std::fs::write(folder.path().join("local.toml"), LOCAL).unwrap();
        Station(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn edit(&self, editor: &str, arguments: &[&str], answer: &str) -> Output {
        use std::io::Write;
        let mut child = Command::new(env!("CARGO_BIN_EXE_loaxa"))
            .args(["--config"])
            .arg(self.file("station.toml"))
            .arg("edit")
            .args(arguments)
            .env("EDITOR", editor)
            .env_remove("VISUAL")
            .env_remove("LANG")
            .env_remove("LC_MESSAGES")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody may be asking any more.
        let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
        child.wait_with_output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_change_is_shown_asked_about_and_can_be_taken_back() {
    let station = Station::new();
    let earlier = "sed -i s/05:30/05:15/";
    // Not confirmed: nothing happens.
    let output = station.edit(earlier, &["local"], "\n");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(station.file("local.toml")).unwrap(), LOCAL);
    let output = station.edit(earlier, &["local"], "c\n");
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Sẽ phát trong 24 giờ tới"), "{text}");
    let lines = |mark: &str, time: &str| text.lines().any(|l| l.starts_with(mark) && l.contains(time));
    assert!(lines("- ", "05:30:00  Buổi sáng: Nhạc hiệu") && lines("+ ", "05:15:00  Buổi sáng: Nhạc hiệu"), "{text}");
    let edited = LOCAL.replace("05:30", "05:15");
    assert_eq!(std::fs::read_to_string(station.file("local.toml")).unwrap(), edited);
    assert_eq!(std::fs::read_to_string(station.file("local.toml.truoc")).unwrap(), LOCAL);
    let output = station.edit("false", &["local", "--undo"], "c\n");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(station.file("local.toml")).unwrap(), LOCAL);
    // And forth again.
    assert!(station.edit("false", &["--undo", "--yes"], "").status.success());
    assert_eq!(std::fs::read_to_string(station.file("local.toml")).unwrap(), edited);
}

#[test]
fn what_is_wrong_does_not_get_through() {
    let station = Station::new();
    for (editor, code) in [
        ("sed -i s/05:30/03:15/", "giờ không phát loa"),
        ("sed -i s/05:30/25:00/", "25:00"),
        ("sed -i 's/items = /itmes = /'", "itmes"),
    ] {
        let output = station.edit(editor, &["local"], "b\n");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(code) && text.contains("local.toml:"), "{text}");
        assert!(!text.contains("loaxa-edit-"), "the draft's own name helps nobody: {text}");
        let output = station.edit(editor, &["local", "--yes"], "");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    }
    let output = station.edit("sed -i s/null/none/", &["station"], "");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(station.file("local.toml")).unwrap(), LOCAL);
    assert_eq!(std::fs::read_to_string(station.file("station.toml")).unwrap(), STATION);
    assert_eq!(station.edit("true", &["station"], "").status.code(), Some(0));
    assert_eq!(station.edit("false", &["station"], "").status.code(), Some(1));
    assert_eq!(station.edit("true", &["station", "--undo"], "c\n").status.code(), Some(1));
}

#[test]
fn a_file_somebody_else_changed_meanwhile_is_left_alone() {
    let station = Station::new();
    let local = station.file("local.toml");
    let editor = format!("sh -c 'echo \"# khác\" >> {}; sed -i s/05:30/05:15/ \"$0\"'", local.display());
    let output = station.edit(&editor, &["local", "--yes"], "");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(std::fs::read_to_string(&local).unwrap(), format!("{LOCAL}# khác\n"));
    let draft = text.lines().find_map(|l| l.split('"').find(|p| p.contains("loaxa-edit-"))).unwrap();
    assert!(std::fs::read_to_string(draft).unwrap().contains("05:15"), "{text}");
    std::fs::remove_file(draft).unwrap();
}

#[test]
fn the_shipped_schemas_are_those_the_program_writes_and_the_files_point_to_them() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for name in ["station", "local", "playlist"] {
        let output = Command::new(env!("CARGO_BIN_EXE_loaxa")).args(["schema", name]).output().unwrap();
        let shipped = std::fs::read_to_string(config.join(format!("schema/{name}.json"))).unwrap();
        assert!(output.stdout == shipped.as_bytes(), "run: loaxa schema {name} > config/schema/{name}.json");
        for file in [format!("{name}.toml"), format!("{name}.minimal.toml")] {
            let text = std::fs::read_to_string(config.join(&file)).unwrap();
            assert_eq!(text.lines().next(), Some(format!("#:schema ./schema/{name}.json").as_str()), "{file}");
        }
    }
}
