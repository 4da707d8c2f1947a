//! What the loudspeaker hears: the speaker plays into a recorded null sink. Bounds are wide enough for a busy
//! machine; the figures themselves are printed (`--nocapture`).
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod rig;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use loaxa::daemon::clock::MachineClock;
use loaxa::domain::config::Device;
use loaxa::domain::render::Format;
use loaxa::domain::time::Clock;
use loaxa::edge::decoder::{Decoder, open_verified};
use loaxa::edge::speaker::{How, Play, Refusal, Speaker, SpeakerEvent};
use rig::{Clip, RATE, Recording, Rig, mark, median, snr_db};

const MS: i64 = 1_000_000;

/// A speaker and what it says.
struct Under {
    speaker: Speaker,
    events: Receiver<SpeakerEvent>,
    heard: Vec<SpeakerEvent>,
}

impl Under {
    fn test(device: Device) -> Under {
        let (tx, events) = mpsc::channel();
        let speaker = Speaker::start(device, Arc::new(MachineClock::plain()), Arc::new(open_verified), move |event| {
            let _ = tx.send(event);
        })
        .unwrap();
        Under { speaker, events, heard: Vec::new() }
    }

    /// Waits for an event; panics with everything heard so far when it does not come.
    #[track_caller]
    fn wait(&mut self, seconds: u64, what: impl Fn(&SpeakerEvent) -> bool) -> SpeakerEvent {
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    self.heard.push(event.clone());
                    if what(&event) {
                        return event;
                    }
                }
                Err(_) => panic!("it did not come; heard {:#?}", self.heard),
            }
        }
    }

    #[track_caller]
    fn ended(&mut self, seconds: u64, name: &str) -> (i64, i64, How) {
        match self.wait(seconds, |e| matches!(e, SpeakerEvent::Ended { airing, .. } if airing == name)) {
            SpeakerEvent::Ended { played_ms, total_ms, how, .. } => (played_ms, total_ms, how),
            _ => unreachable!(),
        }
    }

    fn count(&mut self, what: impl Fn(&SpeakerEvent) -> bool) -> usize {
        self.heard.extend(self.events.try_iter());
        self.heard.iter().filter(|e| what(e)).count()
    }
}

fn alsa() -> Device {
    Device::Alsa("default".into())
}

fn boot_ns() -> i64 {
    MachineClock::plain().now().boot_ns
}

/// The wall time of an instant of boot time.
fn wall_of(boot: i64) -> i64 {
    MachineClock::plain().now().wall_ns_of(boot)
}

/// Every name is played once.
fn number(name: &str) -> u64 {
    name.bytes().fold(0u64, |n, byte| n.wrapping_mul(257).wrapping_add(u64::from(byte)))
}

fn play(name: &str, clip: &Clip, at: i64) -> Play {
    Play {
        arming: number(name),
        airing: name.into(),
        file: clip.file.clone(),
        sha256: Some(clip.sha256()),
        at_boot_ns: at,
        start_by_boot_ns: at + 200 * MS,
        offset_ms: 0,
        gain_db: 0.0,
        seam: false,
        takes_over: false,
        end_by_boot_ns: None,
        passes_quiet: false,
        format: None,
    }
}

/// Milliseconds between where a clip's first mark was heard and when it was due; exactly one such mark.
#[track_caller]
fn start_error_ms(recording: &Recording, clip: &Clip, due_boot_ns: i64) -> f64 {
    let onsets = recording.onsets(&clip.head());
    assert_eq!(onsets.len(), 1, "clip {} heard {onsets:?}", clip.seed);
    (onsets[0].wall_ns - wall_of(due_boot_ns)) as f64 / 1e6
}

#[test]
fn each_clip_starts_at_its_instant() {
    let rig = Rig::here();
    let dir = tempfile::tempdir().unwrap();
    let starts: u64 = std::env::var("LOAXA_STARTS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let clips: Vec<Clip> = (0..starts).map(|i| Clip::make(dir.path(), i, 700, 44_100, 1, "mp3")).collect();
    let recorder = rig.record();
    let mut under = Under::test(alsa());
    let first = boot_ns() + 2_500 * MS;
    let mut due = Vec::new();
    for (i, clip) in clips.iter().enumerate() {
        let at = first + i as i64 * 1_537 * MS;
        due.push(at);
        under.speaker.play(play(&i.to_string(), clip, at));
    }
    for i in 0..clips.len() {
        let (played, total, how) = under.ended(60, &i.to_string());
        assert_eq!((played, total, how), (700, 700, How::Whole));
    }
    assert_eq!(under.count(|e| matches!(e, SpeakerEvent::Opened { name, .. } if name == "default")), 1);
    assert_eq!(under.count(|e| matches!(e, SpeakerEvent::Ready { .. })), clips.len());
    let recording = recorder.stop();
    let errors: Vec<f64> = clips.iter().zip(&due).map(|(c, at)| start_error_ms(&recording, c, *at)).collect();
    let worst = errors.iter().fold(0f64, |m, e| m.max(e.abs()));
    println!("start errors, ms: {errors:.2?}");
    println!("start error: median {:+.2} ms, worst {worst:.2} ms of {}", median(&errors), errors.len());
    assert!(worst <= 50.0, "{errors:?}");
    for clip in &clips {
        assert_eq!(recording.onsets(&clip.tail()).len(), 1, "the end of clip {}", clip.seed);
    }
}

#[test]
fn a_session_of_mixed_formats_has_no_gaps() {
    let rig = Rig::here();
    let dir = tempfile::tempdir().unwrap();
    let session = [
        (20, 1_500, 44_100, 1, "mp3"),
        (21, 1_203, 48_000, 2, "flac"),
        (22, 1_000, 8_000, 1, "wav"),
        (23, 1_350, 44_100, 2, "ogg"),
        (24, 1_100, 22_050, 1, "mp3"),
        (25, 1_000, 96_000, 2, "wav"),
    ];
    let clips: Vec<Clip> =
        session.iter().map(|(seed, ms, rate, ch, ext)| Clip::make(dir.path(), *seed, *ms, *rate, *ch, ext)).collect();
    let recorder = rig.record();
    let mut under = Under::test(alsa());
    let first = boot_ns() + 2_500 * MS;
    let mut at = first;
    for clip in &clips {
        let format = Some(Format { rate: 48_000, channels: 2 });
        under.speaker.play(Play { seam: true, format, ..play(&clip.seed.to_string(), clip, at) });
        at += clip.ms as i64 * MS;
    }
    for clip in &clips {
        let (played, total, how) = under.ended(30, &clip.seed.to_string());
        assert_eq!((played, total, how), (clip.ms as i64, clip.ms as i64, How::Whole));
    }
    let recording = recorder.stop();
    let error = start_error_ms(&recording, &clips[0], first);
    let at = |mark: &[f32]| {
        let onsets = recording.onsets(mark);
        assert_eq!(onsets.len(), 1);
        (onsets[0].sample, onsets[0].score)
    };
    let ms = |samples: f64| samples * 1000.0 / f64::from(RATE);
    let mut worst = 0f64;
    for pair in clips.windows(2) {
        let (end, likeness) = at(&pair[0].tail());
        let seam = ms(at(&pair[1].head()).0 - end) - rig::MARK_MS as f64;
        println!("seam {} -> {}: {seam:+.3} ms (end heard with likeness {likeness:.3})", pair[0].seed, pair[1].seed);
        worst = worst.max(seam.abs());
    }
    for clip in &clips {
        let (head, tail) = (at(&clip.head()), at(&clip.tail()));
        let length = ms(tail.0 - head.0) + rig::MARK_MS as f64;
        assert!((length - clip.ms as f64).abs() < 0.5, "clip {} is {length} ms long", clip.seed);
        assert!(head.1 > 0.95 && tail.1 > 0.95, "clip {}: likeness {} and {}", clip.seed, head.1, tail.1);
    }
    println!("session: start {error:+.2} ms, worst seam {worst:.3} ms");
    assert!(worst <= 5.0);
}

/// Vietnamese speech where espeak-ng is installed, else something as lively.
fn speech(dir: &Path, rate: u32, channels: usize) -> PathBuf {
    let raw = dir.join("speech.wav");
    let text = "Kính mời bà con nghe chương trình phát thanh của xã. Sáng nay trời nắng, nhiệt độ ba mươi hai độ.";
    let spoken = Command::new("espeak-ng").args(["-v", "vi", "-s", "150", "-w"]).arg(&raw).arg(text).status();
    if !spoken.is_ok_and(|s| s.success()) {
        let words: Vec<f32> = (0..12).flat_map(|i| mark(300 + i, 22_050)).collect();
        rig::write_wav(&raw, &words, 22_050, 1);
    }
    let wav = dir.join(format!("speech-{rate}-{channels}.wav"));
    let (rate, channels) = (rate.to_string(), channels.to_string());
    let pad = "volume=-6dB,apad=pad_dur=0.3,adelay=delays=200:all=1,atrim=end=3";
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&raw)
        .args(["-af", pad, "-ar", &rate, "-ac", &channels])
        .arg(&wav)
        .status()
        .unwrap();
    assert!(done.success());
    wav
}

/// A file as loaxa decodes it, mono, brought to the recording's rate by sox.
fn decoded(file: &Path, dir: &Path) -> Vec<f32> {
    let mut decoder = Decoder::open(file).unwrap();
    let spec = decoder.spec();
    let mut samples = Vec::new();
    while decoder.read(&mut samples).unwrap() > 0 {}
    let mono: Vec<f32> = samples
        .chunks_exact(usize::from(spec.channels))
        .map(|f| f.iter().sum::<f32>() / f32::from(spec.channels))
        .collect();
    if spec.rate == RATE {
        return mono;
    }
    let (raw, out) = (dir.join("decoded.f32"), dir.join("decoded48.f32"));
    std::fs::write(&raw, mono.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let form = ["-t", "raw", "-e", "floating-point", "-b", "32", "-c", "1"];
    let done = Command::new("sox")
        .args(["-q", "-D"])
        .args(form)
        .args(["-r", &spec.rate.to_string()])
        .arg(&raw)
        .args(form)
        .args(["-r", &RATE.to_string()])
        .arg(&out)
        .args(["rate", "-v", "-b", "99"])
        .status()
        .expect("sox is not installed");
    assert!(done.success());
    std::fs::read(&out).unwrap().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
fn speech_comes_out_as_it_went_in() {
    let rig = Rig::here();
    let dir = tempfile::tempdir().unwrap();
    let native = std::env::var("LOAXA_NATIVE_RATE").is_ok();
    for (rate, channels, ext) in [(44_100, 1, "mp3"), (48_000, 2, "flac"), (22_050, 1, "wav"), (44_100, 2, "ogg")] {
        let wav = speech(dir.path(), rate, channels);
        let file = dir.path().join(format!("said.{ext}"));
        if ext == "wav" {
            std::fs::copy(&wav, &file).map(|_| ()).unwrap()
        } else {
            rig::encode(&wav, &file)
        }
        let reference = decoded(&file, dir.path());
        let clip = Clip { file, seed: 0, ms: 0 };
        let recorder = rig.record();
        let mut under = Under::test(alsa());
        let format = if native { None } else { Some(Format { rate: 48_000, channels: 2 }) };
        let at = boot_ns() + 1_800 * MS;
        under.speaker.play(Play { format, ..play("a", &clip, at) });
        let (played, total, how) = under.ended(30, "a");
        assert_eq!((played, how), (total, How::Whole));
        let recording = recorder.stop();
        // Find it by a lively second of its own.
        let second = &reference[RATE as usize / 2..RATE as usize * 3 / 2];
        let onsets = recording.onsets(second);
        assert_eq!(onsets.len(), 1, "{ext}");
        let start = onsets[0].sample.round() as usize - RATE as usize / 2;
        let snr = snr_db(&recording.samples[start..], &reference);
        let typical = median(&snr);
        let worst = snr.iter().copied().fold(f64::MAX, f64::min);
        let error = (recording.wall_ns(start as f64) - wall_of(at)) as f64 / 1e6;
        let click = recording.samples[start - 4_800..start + 4_800].iter().fold(0f32, |m, s| m.max(s.abs()));
        println!(
            "{ext} {rate} Hz x{channels}: typical {typical:.1} dB, worst {worst:.1} dB, start {error:+.2} ms, loudest in the first 100 ms {click:.5}"
        );
        assert!(typical >= 60.0, "{ext}: {snr:?}");
        // The clip begins with silence: anything louder is a click.
        assert!(click < 0.01, "{ext} begins with a click of {click}");
    }
}

#[test]
fn a_device_that_vanishes_and_returns() {
    let mut rig = Rig::here();
    let dir = tempfile::tempdir().unwrap();
    let long = Clip::make(dir.path(), 40, 20_000, 44_100, 1, "wav");
    let mut under = Under::test(alsa());
    type Act = fn(&mut Rig);
    let ways: [(&str, Act, Act); 3] = [
        ("killed", |r| r.kill(), |r| r.revive()),
        ("sink", |r| r.remove_sink(), |r| r.restore_sink()),
        ("frozen", |r| r.freeze(), |r| r.thaw()),
    ];
    for (i, (way, vanish, back)) in ways.iter().enumerate() {
        let short = Clip::make(dir.path(), 41 + i as u64, 700, 48_000, 1, "wav");
        let recorder = rig.record();
        let at = boot_ns() + 1_700 * MS;
        under.speaker.play(play(way, &long, at));
        under.wait(10, |e| matches!(e, SpeakerEvent::Progress { airing, .. } if airing == way));
        let lost_before = under.count(|e| matches!(e, SpeakerEvent::DeviceLost { .. }));
        let gone = Instant::now();
        let gone_boot = boot_ns();
        vanish(&mut rig);
        let (played, total, how) = under.ended(5, way);
        println!("{way}: told after {} ms, {played} ms played", gone.elapsed().as_millis());
        assert_eq!((total, how), (20_000, How::DeviceLost));
        let truly = (gone_boot - at) / MS;
        assert!(played <= truly + 120 && played >= truly - 700, "{way}: {played} of {truly} ms");
        under.wait(5, |e| matches!(e, SpeakerEvent::DeviceLost { .. }));
        // What falls due while it is away is refused in time, and nothing hangs.
        let missed = format!("{way}-missed");
        under.speaker.play(play(&missed, &short, boot_ns() + 300 * MS));
        under.wait(3, |e| matches!(e, SpeakerEvent::Refused { airing, why: Refusal::Late, .. } if *airing == missed));
        assert_eq!(under.count(|e| matches!(e, SpeakerEvent::DeviceLost { .. })), lost_before + 1, "{way}: said once");
        drop(recorder);
        back(&mut rig);
        let returned = Instant::now();
        under.wait(5, |e| matches!(e, SpeakerEvent::DeviceBack));
        let recorder = rig.record();
        let next = format!("{way}-next");
        let at = boot_ns() + 600 * MS;
        under.speaker.play(Play { start_by_boot_ns: at + 2_000 * MS, ..play(&next, &short, at) });
        under.wait(5, |e| matches!(e, SpeakerEvent::Began { airing, .. } if *airing == next));
        println!("{way}: plays {} ms after it is back", returned.elapsed().as_millis());
        assert_eq!(under.ended(5, &next).2, How::Whole);
        let recording = recorder.stop();
        assert!(start_error_ms(&recording, &short, at).abs() <= 50.0);
    }
}

#[test]
fn the_last_sample_is_heard_before_the_device_closes() {
    let rig = Rig::here();
    let dir = tempfile::tempdir().unwrap();
    let recorder = rig.record();
    let mut under = Under::test(alsa());
    let mut clips = Vec::new();
    for i in 0..3 {
        let clip = Clip::make(dir.path(), 50 + i, 900, 48_000, 1, "wav");
        let name = i.to_string();
        under.speaker.play(play(&name, &clip, boot_ns() + 1_700 * MS));
        under.speaker.release();
        let begun = Instant::now();
        assert_eq!(under.ended(6, &name), (900, 900, How::Whole));
        under.wait(2, |e| matches!(e, SpeakerEvent::Closed));
        assert!(begun.elapsed() < Duration::from_millis(3_600), "released, it does not linger");
        clips.push(clip);
    }
    let recording = recorder.stop();
    for clip in &clips {
        let tail = recording.onsets(&clip.tail());
        assert_eq!(tail.len(), 1);
        assert!(tail[0].score > 0.98, "the end is heard with likeness {}", tail[0].score);
    }
}

#[test]
fn taking_over_cutting_and_quiet_hours_end_with_a_fade_in_time() {
    let rig = Rig::here();
    let dir = tempfile::tempdir().unwrap();
    let recorder = rig.record();
    let mut under = Under::test(alsa());
    let a = Clip::make(dir.path(), 60, 6_000, 44_100, 1, "wav");
    let b = Clip::make(dir.path(), 61, 4_000, 22_050, 2, "flac");
    let late = Clip::make(dir.path(), 62, 1_000, 48_000, 1, "wav");
    let at = boot_ns() + 1_800 * MS;
    let over = at + 1_500 * MS;
    under.speaker.play(play("a", &a, at));
    under.speaker.play(Play { takes_over: true, ..play("b", &b, over) });
    let (played, _, how) = under.ended(10, "a");
    assert_eq!(how, How::TakenOver);
    assert!((played - 1_500).abs() <= 5, "{played}");
    // A cut at once: silent within half a second of asking.
    std::thread::sleep(Duration::from_millis(700));
    let asked = boot_ns();
    under.speaker.cut(number("b"), None);
    let (_, _, how) = under.ended(3, "b");
    assert_eq!(how, How::Cut);
    // A cut at an instant.
    let c = Clip::make(dir.path(), 63, 5_000, 44_100, 1, "wav");
    let at_c = boot_ns() + 700 * MS;
    let end_c = at_c + 1_234 * MS;
    under.speaker.play(play("c", &c, at_c));
    under.wait(4, |e| matches!(e, SpeakerEvent::Began { airing, .. } if airing == "c"));
    under.speaker.cut(number("c"), Some(end_c));
    let (played, _, how) = under.ended(4, "c");
    assert!(how == How::Cut && (played - 1_234).abs() <= 5, "{played}");
    // Quiet hours come while it plays; another would begin inside them, an emergency may.
    let d = Clip::make(dir.path(), 64, 5_000, 44_100, 1, "wav");
    let e = Clip::make(dir.path(), 65, 800, 44_100, 1, "wav");
    let at_d = boot_ns() + 700 * MS;
    let quiet = at_d + 1_111 * MS;
    under.speaker.set_gate(vec![(quiet, quiet + 3_000 * MS)]);
    under.speaker.play(play("d", &d, at_d));
    under.speaker.play(play("late", &late, quiet + 500 * MS));
    under.speaker.play(Play { passes_quiet: true, ..play("e", &e, quiet + 1_800 * MS) });
    let (played, _, how) = under.ended(5, "d");
    assert!(how == How::Quiet && (played - 1_111).abs() <= 5, "{played}");
    under.wait(4, |e| matches!(e, SpeakerEvent::Refused { airing, why: Refusal::Quiet, .. } if airing == "late"));
    assert_eq!(under.ended(5, "e").2, How::Whole);
    let recording = recorder.stop();

    assert!(start_error_ms(&recording, &b, over).abs() <= 50.0);
    assert_eq!(recording.onsets(&late.head()).len(), 0);
    assert_eq!(recording.onsets(&e.tail()).len(), 1);
    let silent = |what: &str, from: i64, to: i64| {
        let peak = recording.peak(wall_of(from), wall_of(to));
        assert!(peak < 0.001, "{what}: {peak}");
    };
    let sounding = |from: i64, to: i64| assert!(recording.peak(wall_of(from), wall_of(to)) > 0.015);
    silent("after the cut at once", asked + 500 * MS, at_c - 20 * MS);
    sounding(end_c - 60 * MS, end_c - 30 * MS);
    silent("after the cut at an instant", end_c + 3 * MS, at_d - 20 * MS);
    sounding(quiet - 60 * MS, quiet - 30 * MS);
    silent("in quiet hours", quiet + 3 * MS, quiet + 1_700 * MS);
}

#[test]
fn a_file_that_is_not_what_was_planned_does_not_sound() {
    let _rig = Rig::here();
    let dir = tempfile::tempdir().unwrap();
    let clip = Clip::make(dir.path(), 70, 600, 44_100, 1, "wav");
    let mut under = Under::test(alsa());
    let at = boot_ns() + 1_000 * MS;
    under.speaker.play(Play { sha256: Some([7; 32]), ..play("changed", &clip, at) });
    under.wait(2, |e| matches!(e, SpeakerEvent::Refused { airing, why: Refusal::Bad(_), .. } if airing == "changed"));
    let gone = dir.path().join("gone.mp3");
    under.speaker.play(Play { file: gone, ..play("missing", &clip, at) });
    under.wait(2, |e| matches!(e, SpeakerEvent::Refused { airing, why: Refusal::Missing, .. } if airing == "missing"));
    let text = dir.path().join("text.mp3");
    std::fs::write(&text, "Kính mời bà con nghe chương trình".repeat(50)).unwrap();
    under.speaker.play(Play { file: text, sha256: None, ..play("text", &clip, at) });
    under.wait(2, |e| matches!(e, SpeakerEvent::Refused { airing, why: Refusal::Bad(_), .. } if airing == "text"));
    under.speaker.play(play("taken", &clip, boot_ns() + 60_000 * MS));
    under.speaker.cut(number("taken"), None);
    under.wait(2, |e| matches!(e, SpeakerEvent::Refused { airing, why: Refusal::Cut, .. } if airing == "taken"));
}

#[test]
fn a_device_that_is_not_there_is_said_once() {
    let _rig = Rig::here();
    let dir = tempfile::tempdir().unwrap();
    let clip = Clip::make(dir.path(), 71, 600, 44_100, 1, "wav");
    let mut under = Under::test(Device::Alsa("hw:CARD=Loa,DEV=0".into()));
    let at = boot_ns() + 1_000 * MS;
    under.speaker.play(play("a", &clip, at));
    under.wait(2, |e| matches!(e, SpeakerEvent::DeviceLost { .. }));
    under.wait(3, |e| matches!(e, SpeakerEvent::Refused { why: Refusal::Late, .. }));
    assert_eq!(under.count(|e| matches!(e, SpeakerEvent::DeviceLost { .. })), 1);
    // Another name, and it plays.
    under.speaker.set_device(Device::Null);
    under.speaker.play(play("b", &clip, boot_ns() + 1_000 * MS));
    assert_eq!(under.ended(4, "b"), (600, 600, How::Whole));
}
