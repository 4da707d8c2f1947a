//! A province with the real program: keys, a published folder, and a server for it.
#![allow(dead_code, clippy::unwrap_used)] // shared by tests that use parts

use std::path::Path;
use std::process::Command;

use super::lying_server::LyingServer;
use super::station_box::tone;

/// The province: keys, and a folder published from `list` with tones of these lengths.
pub struct Province {
    /// Its folder: `in`, `out`, `tinh.key`.
    pub dir: tempfile::TempDir,
    /// Its public key.
    pub key: String,
}

impl Province {
    pub fn new() -> Province {
        let dir = tempfile::tempdir().unwrap();
        let output = loaxa(dir.path(), &["keygen", "--out", "tinh"]);
        std::fs::create_dir(dir.path().join("in")).unwrap();
        Province { key: String::from_utf8(output).unwrap().trim().to_owned(), dir }
    }

    pub fn publish(&self, list: &str, clips: &[(&str, usize)]) {
        let mut text = String::from("source = \"tinh\"\n");
        for (id, ms) in clips {
            tone(&self.dir.path().join(format!("in/{id}.wav")), *ms);
            text += &format!(
                "[[clips]]\nid = \"{id}\"\nfile = \"{id}.wav\"\ntitle = \"Bài {id}\"\nkind = \"ban_tin\"\npriority = \"uu_tien\"\n\
                 approved_by = \"Nguyễn Văn A\"\napproved_at = \"2022-09-30\"\n"
            );
        }
        std::fs::write(self.dir.path().join("in/playlist.toml"), text + list).unwrap();
        loaxa(self.dir.path(), &["publish", "in", "--key", "tinh.key", "--out", "out"]);
    }

    pub fn serve(&self, server: &LyingServer) {
        for name in ["playlist.json", "playlist.json.minisig"] {
            server.file(&format!("/{name}"), std::fs::read(self.dir.path().join("out").join(name)).unwrap());
        }
        for entry in std::fs::read_dir(self.dir.path().join("out/clips")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            server.file(&format!("/clips/{name}"), std::fs::read(path).unwrap());
        }
    }

    pub fn source(&self, server: &LyingServer, more: &str) -> String {
        format!(
            "[[source]]\nid = \"tinh\"\norigin = \"tinh\"\nurl = \"{}\"\npublic_keys = [\"{}\"]\n{more}\n",
            server.url("/playlist.json"),
            self.key
        )
    }
}

/// Runs a command that must succeed; what it printed.
pub fn loaxa(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_loaxa")).args(arguments).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
