//! Broken media of our own making: clips of every format with bits turned over, cut short, with headers that lie,
//! parts swapped, doubled, taken out, and sizes beyond all bounds. Each goes through the real probing process and
//! through the decoder as the player uses it. Nothing panics, the limits hold, the daemon goes on.
//!
//! 200 by default; `LOAXA_MUTANTS=4000` makes so many.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads clocks

mod rig;
mod station_box;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loaxa::daemon::clock::MachineClock;
use loaxa::edge::decoder::{ClipError, Decoder, Limits, Verdict, measure_in_child, open_verified};
use rig::{Dice, encode, write_wav};
use station_box::{Station, clip, slot, soon, tone};

const FORMATS: [&str; 5] = ["mp3", "ogg", "flac", "wav", "m4a"];

fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin("loaxa")
}

fn wanted() -> usize {
    std::env::var("LOAXA_MUTANTS").ok().and_then(|v| v.parse().ok()).unwrap_or(200)
}

/// Two seconds of the province's own bulletin in each format, mono and stereo, at the rates people use.
fn originals(dir: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let bulletin = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio/province/cd1.mp3");
    let mut decoder = Decoder::open(&bulletin).unwrap();
    let mut samples = Vec::new();
    while samples.len() < 200_000 && decoder.read(&mut samples).unwrap() > 0 {}
    let mono: Vec<f32> = samples.chunks(usize::from(decoder.spec().channels)).map(|f| f[0]).collect();
    let mut out = Vec::new();
    for (rate, channels) in [(44_100, 1), (22_050, 2)] {
        let voice: Vec<f32> =
            mono[..2 * rate as usize].iter().flat_map(|s| std::iter::repeat_n(*s, channels)).collect();
        let wav = dir.join(format!("{rate}.wav"));
        write_wav(&wav, &voice, rate, channels);
        for format in FORMATS {
            let file = dir.join(format!("{rate}-.{format}"));
            if format == "wav" {
                std::fs::copy(&wav, &file).map(|_| ()).unwrap()
            } else {
                encode(&wav, &file)
            }
            out.push((format, std::fs::read(file).unwrap()));
        }
    }
    out
}

/// Makes one broken file of a good one, and says how.
fn mutate(good: &[u8], dice: &mut Dice) -> (&'static str, Vec<u8>) {
    let mut bad = good.to_vec();
    let mut below = |n: usize| ((dice.roll() * n as f64) as usize).min(n.saturating_sub(1));
    let len = bad.len();
    let head = 600.min(len);
    let how = match below(9) {
        0 => {
            for _ in 0..1 + below(64) {
                let at = below(len);
                bad[at] ^= 1 << below(8);
            }
            "bits turned over"
        }
        1 => {
            for _ in 0..1 + below(8) {
                let at = below(head);
                bad[at] = below(256) as u8;
            }
            "a header of dice"
        }
        2 => {
            bad.truncate(below(len));
            "cut short"
        }
        3 => {
            // A number in the header becomes the greatest, the least, or one at a border.
            let edges = [u32::MAX, 0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff, 0x0100_0000, 0xffff_fffe];
            for _ in 0..1 + below(3) {
                let (at, edge) = (below(head - 8), edges[below(edges.len())]);
                let bytes = if below(2) == 0 { edge.to_le_bytes() } else { edge.to_be_bytes() };
                bad[at..at + 4].copy_from_slice(&bytes);
            }
            "a number that lies"
        }
        4 => {
            let size = 1 + below(len / 4);
            let (a, b) = (below(len - size), below(len - size));
            let part = bad[a..a + size].to_vec();
            bad.copy_within(b..b + size, a);
            bad[b..b + size].copy_from_slice(&part);
            "parts swapped"
        }
        5 => {
            let (at, size) = (below(len), 1 + below(len / 8));
            bad.drain(at..(at + size).min(len));
            "a part taken out"
        }
        6 => {
            let (at, size) = (below(len), 1 + below(len / 8));
            let part = bad[at..(at + size).min(len)].to_vec();
            for _ in 0..1 + below(20) {
                bad.splice(at..at, part.iter().copied());
            }
            "a part many times"
        }
        7 => {
            // Where a four-letter name stands a size stands before or behind it.
            let names: Vec<usize> = (4..len - 8)
                .filter(|i| bad[*i..*i + 4].iter().all(|b| b.is_ascii_lowercase() || *b == b' ') && bad[*i] != b' ')
                .collect();
            let at = if names.is_empty() { below(len - 8) } else { names[below(names.len())] };
            let size: u32 = [u32::MAX, 0x7fff_ffff, 0, 7, 0x0fff_ffff][below(5)];
            bad[at - 4.min(at)..][..4].copy_from_slice(&size.to_be_bytes());
            bad[at + 4..at + 8].copy_from_slice(&size.to_le_bytes());
            "a size beyond all bounds"
        }
        _ => {
            let (at, size) = (below(len), below(4_000));
            let fill = [0, 0xff, 0x55][below(3)];
            bad[at..(at + size).min(len)].fill(fill);
            "a hole"
        }
    };
    (how, bad)
}

/// Through the decoder as the player uses it, from the beginning and from a place inside.
fn play(file: &Path) -> Result<(), String> {
    for offset_ms in [0, 700] {
        let caught = std::panic::catch_unwind(|| {
            let Ok(mut pcm) = open_verified(file, None, offset_ms) else { return };
            let (mut block, mut frames) = (Vec::new(), 0u64);
            while let Ok(n) = pcm.read(&mut block) {
                frames += n as u64;
                // A minute of sound out of two seconds is as long as anybody listens.
                if n == 0 || frames > u64::from(pcm.format().rate) * 60 {
                    break;
                }
                assert!(block.len() < 64 << 20, "a block of {} samples", block.len());
                block.clear();
            }
        });
        if caught.is_err() {
            return Err(format!("panics from {offset_ms} ms"));
        }
    }
    Ok(())
}

/// Through the probing process; whether it took the clip.
fn probe(file: &Path, limits: Limits) -> Result<bool, String> {
    let began = Instant::now();
    let output = Command::new(program())
        .args(["probe", "--memory-bytes", &limits.memory_bytes.to_string(), "--cpu-s", &limits.cpu_s.to_string(), "--"])
        .arg(file)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("panicked") || said.contains("overflow") {
        return Err(format!("the child panics: {said}"));
    }
    if began.elapsed() > Duration::from_secs(limits.cpu_s + 20) {
        return Err(format!("the child took {:?}", began.elapsed()));
    }
    match serde_json::from_slice(&output.stdout) {
        Ok(Verdict::Measured(_)) => Ok(true),
        Ok(Verdict::Refused(ClipError::NoFence { why })) => Err(format!("no fence: {why}")),
        Ok(Verdict::Refused(_)) => Ok(false),
        // Ended by its own limits: refused as well.
        Err(_) if !output.status.success() => Ok(false),
        Err(e) => Err(format!("{e}: {:?}", output.stdout)),
    }
}

#[test]
fn no_broken_file_does_more_than_be_refused() {
    let dir = tempfile::tempdir().unwrap();
    let originals = originals(dir.path());
    let (count, next) = (wanted(), AtomicUsize::new(0));
    let (taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let limits = Limits { cpu_s: 20, ..Limits::default() };
    for (format, good) in &originals {
        let file = dir.path().join(format!("good.{format}"));
        std::fs::write(&file, good).unwrap();
        assert_eq!(probe(&file, limits), Ok(true), "{format}");
    }
    std::thread::scope(|scope| {
        let workers = (0..2).map(|worker| {
            let (originals, next, taken, refused, dir) = (&originals, &next, &taken, &refused, dir.path());
            scope.spawn(move || {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    let mut dice = Dice::new(n as u64 + 1);
                    let (format, good) = &originals[n % originals.len()];
                    for _ in 0..8 {
                        dice.roll();
                    }
                    let (how, bad) = mutate(good, &mut dice);
                    let file = dir.join(format!("bad{worker}.{format}"));
                    std::fs::write(&file, &bad).unwrap();
                    let name = format!("{format} {n}, {how}");
                    match probe(&file, limits) {
                        Ok(true) => taken.fetch_add(1, Ordering::Relaxed),
                        Ok(false) => refused.fetch_add(1, Ordering::Relaxed),
                        Err(why) => panic!("{name}: {why}"),
                    };
                    if n % 8 == 0 {
                        let again = measure_in_child(&program(), &file, limits, &MachineClock::plain());
                        assert!(!matches!(again, Err(ClipError::Missing { .. } | ClipError::NoFence { .. })), "{name}");
                    }
                    play(&file).unwrap_or_else(|why| panic!("{name}: {why}"));
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            if let Err(why) = worker.join() {
                std::panic::resume_unwind(why);
            }
        }
    });
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    println!("{count} broken files: {taken} taken, {refused} refused, 0 panics");
    assert!(taken > 0 && refused > taken / 10, "{taken} taken, {refused} refused: no real test");
}

/// A folder full of them beside a clip that is well: that clip airs, the same process goes on.
#[test]
fn a_folder_of_broken_clips_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let originals = originals(dir.path());
    let mut station = Station::new("null");
    tone(&station.path("clips/tot.wav"), 500);
    let mut list = clip("tot", &station.path("clips/tot.wav"));
    let mut items = String::new();
    for n in 0..20u64 {
        let mut dice = Dice::new(n + 9_000);
        for _ in 0..8 {
            dice.roll();
        }
        let (format, good) = &originals[n as usize % originals.len()];
        let file = station.path(&format!("clips/hong{n}.{format}"));
        std::fs::write(&file, mutate(good, &mut dice).1).unwrap();
        list += &clip(&format!("hong{n}"), &file);
        if n < 3 {
            items += &format!("\"hong{n}\", ");
        }
    }
    station.list(&list);
    station.start();
    let pid = station.pid();
    station.list(&(list + &slot("s", soon(4_000), &format!("{items}\"tot\""), "")));
    station.signal("HUP");
    let airings = station.wait_for_airings(4, Duration::from_secs(40));
    let good = airings.iter().find(|a| a["clip_id"] == "tot").unwrap();
    assert_eq!(good["outcome"], "aired", "{airings:#?}");
    assert_eq!(station.status().map(|_| station.pid()), Some(pid));
    station.verify();
}
