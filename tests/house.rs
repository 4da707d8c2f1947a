//! The floors of the house: arrows point down only.

use std::path::{Path, PathBuf};

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The code of a file, without comments and without its own tests: those may look where they like.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
    text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn below(floor: &str) -> Vec<(PathBuf, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(floor);
    let mut files = Vec::new();
    sources(&dir, &mut files);
    assert!(!files.is_empty());
    files.into_iter().map(|f| (f.clone(), code(&f))).collect()
}

#[test]
fn no_floor_names_one_above_it() {
    for (floor, above) in [
        ("domain", &["crate::edge", "crate::daemon", "crate::cli"][..]),
        ("edge", &["crate::daemon", "crate::cli"][..]),
        ("daemon", &["crate::cli"][..]),
    ] {
        for (file, code) in below(floor) {
            for name in above {
                assert!(!code.contains(name), "{} names {name}: arrows point down only", file.display());
            }
        }
    }
}

#[test]
fn edges_do_not_know_each_other() {
    for (file, code) in below("edge") {
        for line in code.lines().filter(|l| l.contains("crate::edge::")) {
            // `page/view.rs` belongs to `page`.
            let inside = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge")).unwrap();
            let own = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
            let named = line.split("crate::edge::").nth(1).unwrap_or_default();
            assert!(named.starts_with(own), "{}: {line}", file.display());
        }
    }
}

#[test]
fn the_ground_floor_does_nothing() {
    for (file, code) in below("domain") {
        for doing in [
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "std::thread",
            "std::process",
            "std::env",
            "tokio",
            "rusqlite",
            "SystemTime",
            "Instant::",
        ] {
            assert!(!code.contains(doing), "{} uses {doing}", file.display());
        }
    }
}

#[test]
fn only_the_clock_reads_clocks() {
    for floor in ["domain", "edge", "cli", "daemon"] {
        for (file, code) in below(floor) {
            if file.ends_with("daemon/clock.rs") {
                continue;
            }
            for reading in ["clock_gettime", "SystemTime::now", "Instant::now", "Utc::now", "Local::now"] {
                assert!(!code.contains(reading), "{} reads a clock by {reading}", file.display());
            }
        }
    }
}

#[test]
fn the_program_itself_is_small() {
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
    assert!(std::fs::read_to_string(main).unwrap().lines().count() <= 60);
}
