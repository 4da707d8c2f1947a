//! Decoding: every sample of a clip and no other, places inside it, broken and foreign files, the probing child.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod rig;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use loaxa::daemon::clock::MachineClock;
use loaxa::domain::config::{Device, Language};
use loaxa::domain::render::Format;
use loaxa::domain::time::Clock;
use loaxa::edge::decoder::{ClipError, Decoder, Limits, measure, measure_in_child, open_verified};
use loaxa::edge::speaker::{Convert, How, Play, Speaker, SpeakerEvent};
use rig::{Clip, encode, mark, write_wav};

fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin("loaxa")
}

fn all(file: &Path) -> (Format, Vec<f32>) {
    let mut decoder = Decoder::open(file).unwrap();
    let mut samples = Vec::new();
    while decoder.read(&mut samples).unwrap() > 0 {}
    (decoder.spec(), samples)
}

#[test]
fn every_format_gives_back_as_many_samples_as_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let forms = [
        (8_000, 1, "wav"),
        (96_000, 2, "wav"),
        (44_100, 1, "mp3"),
        (22_050, 2, "mp3"),
        (48_000, 2, "flac"),
        (44_100, 2, "ogg"),
        (44_100, 1, "m4a"),
        (48_000, 2, "m4a"),
    ];
    for (i, (rate, channels, ext)) in forms.into_iter().enumerate() {
        let clip = Clip::make(dir.path(), i as u64, 3_000, rate, channels, ext);
        let (spec, samples) = all(&clip.file);
        assert_eq!(spec, Format { rate, channels: channels as u16 }, "{ext}");
        let frames = rate as usize * 3;
        assert_eq!(samples.len(), frames * channels, "{ext} {rate}");
        let decoder = Decoder::open(&clip.file).unwrap();
        assert_eq!(decoder.total_frames(), Some(frames as u64), "{ext} {rate}");
        // The first mark stands at the first sample, the last at the last.
        let mono: Vec<f32> = samples.chunks(channels).map(|f| f[0]).collect();
        for (wanted, from) in [(mark(clip.seed, rate), 0), (mark(clip.seed + 1_000, rate), frames - rate as usize / 4)]
        {
            let heard = &mono[from..from + wanted.len()];
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let likeness = dot(heard, &wanted) / (dot(heard, heard) * dot(&wanted, &wanted)).sqrt();
            assert!(likeness > 0.97, "{ext} {rate}: likeness {likeness} at {from}");
        }
        let measured = measure(&clip.file).unwrap();
        assert_eq!((measured.duration_ms, measured.frames), (3_000, frames as u64));
        assert!(measured.loudness_lufs.is_some_and(|l| (-40.0..-5.0).contains(&l)), "{measured:?}");
    }
}

#[test]
fn a_place_inside_is_exact_to_the_frame() {
    let dir = tempfile::tempdir().unwrap();
    for (i, (rate, ext)) in
        [(44_100, "mp3"), (44_100, "ogg"), (8_000, "ogg"), (48_000, "flac"), (22_050, "wav"), (44_100, "m4a")]
            .into_iter()
            .enumerate()
    {
        // Every quarter of a second is unlike every other. No noise: aac makes up its own at each decoding.
        let noise: Vec<f32> = (0..80).flat_map(|n| mark(i as u64 * 100 + n, rate)).collect();
        let wav = dir.path().join(format!("noise{i}.wav"));
        write_wav(&wav, &noise, rate, 1);
        let file = dir.path().join(format!("noise{i}-.{ext}"));
        if ext == "wav" {
            std::fs::copy(&wav, &file).map(|_| ()).unwrap()
        } else {
            encode(&wav, &file)
        }
        let (_, whole) = all(&file);
        for ms in [1u64, 777, 6_001, 13_370, 19_990, 25_000] {
            let mut decoder = Decoder::open(&file).unwrap();
            decoder.skip_to(ms).unwrap();
            let mut rest = Vec::new();
            while decoder.read(&mut rest).unwrap() > 0 {}
            let from = ((ms * u64::from(rate) / 1000) as usize).min(whole.len());
            assert_eq!(rest.len(), whole.len() - from, "{ext} at {ms} ms");
            let off = rest.iter().zip(&whole[from..]).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            // AAC fills some bands with noise of its own, other noise at each decoding: a frame off would be ten times that.
            assert!(off < if ext == "m4a" { 0.03 } else { 1e-3 }, "{ext} at {ms} ms differs by {off}");
        }
    }
}

#[test]
fn another_rate_keeps_first_sample_length_and_sound() {
    for (from, to) in [(44_100u32, 48_000u32), (8_000, 48_000), (96_000, 48_000), (22_050, 44_100), (44_099, 48_000)] {
        let spec = Format { rate: from, channels: 1 };
        let tone = |rate: u32, frames: usize| -> Vec<f32> {
            (0..frames)
                .map(|i| (f64::from(i as u32) / f64::from(rate) * 1_000.0 * std::f64::consts::TAU).sin() as f32 * 0.5)
                .collect()
        };
        let input = tone(from, from as usize * 2);
        let mut convert = Convert::new(spec, Format { rate: to, channels: 2 }).unwrap();
        let mut out = Vec::new();
        for part in input.chunks(1_111) {
            convert.push(part, &mut out).unwrap();
        }
        convert.finish(&mut out).unwrap();
        assert_eq!(out.len(), to as usize * 2 * 2, "{from} to {to}");
        let wanted = tone(to, to as usize * 2);
        let (mut signal, mut noise) = (0f64, 0f64);
        for i in to as usize / 10..to as usize * 19 / 10 {
            assert_eq!(out[2 * i], out[2 * i + 1]);
            signal += f64::from(wanted[i]).powi(2);
            noise += f64::from(wanted[i] - out[2 * i]).powi(2);
        }
        let snr = 10.0 * (signal / noise).log10();
        // An odd rate may sit up to one frame off; the rates of real files do not.
        assert!(snr > if from == 44_099 { 18.0 } else { 80.0 }, "{from} to {to}: {snr} dB");
    }
}

#[test]
fn foreign_and_broken_files_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file
    };
    let clip = Clip::make(dir.path(), 1, 2_000, 44_100, 1, "mp3");
    let opus = dir.path().join("zalo.opus");
    encode(&dir.path().join("1.wav"), &opus);
    let quad = dir.path().join("quad.wav");
    write_wav(&quad, &vec![0.1; 4 * 48_000], 48_000, 4);
    let wav = std::fs::read(dir.path().join("1.wav")).unwrap();

    let kind = |file: &Path| match measure(file) {
        Err(e) => {
            for language in [Language::Vi, Language::En] {
                assert!(e.text().say(language).contains(&file.display().to_string()));
            }
            assert_eq!(measure_in_child(&program(), file, Limits::default(), &MachineClock::plain()), Err(e.clone()));
            e
        }
        Ok(measured) => panic!("{}: {measured:?}", file.display()),
    };
    assert!(matches!(kind(&dir.path().join("none.mp3")), ClipError::Missing { .. }));
    assert!(
        matches!(kind(&put("amr.amr", b"#!AMR\n0123456789")), ClipError::UnknownFormat { format, .. } if format == "AMR")
    );
    assert!(matches!(kind(&opus), ClipError::UnknownFormat { format, .. } if format == "Opus"));
    assert!(matches!(kind(&put("empty.mp3", b"")), ClipError::Broken { .. }));
    assert!(matches!(kind(&put("short", b"x")), ClipError::UnknownFormat { .. } | ClipError::Broken { .. }));
    assert!(matches!(
        kind(&put("text.mp3", "bà con ".repeat(500).as_bytes())),
        ClipError::UnknownFormat { .. } | ClipError::Broken { .. }
    ));
    assert!(matches!(kind(&put("half.wav", &wav[..wav.len() / 2])), ClipError::Broken { .. }));
    assert!(matches!(kind(&quad), ClipError::Unplayable { channels: 4, .. }));
    assert!(matches!(kind(dir.path()), ClipError::Unreadable { .. }));

    let measured = measure(&clip.file).unwrap();
    assert_eq!(measure_in_child(&program(), &clip.file, Limits::default(), &MachineClock::plain()), Ok(measured));
    let silence = dir.path().join("silence.wav");
    write_wav(&silence, &vec![0.0; 44_100], 44_100, 1);
    assert_eq!(measure(&silence).unwrap().true_peak_db, None);
}

#[test]
fn bytes_turned_over_never_hurt_the_parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = rig::Dice::new(5);
    for (i, ext) in ["mp3", "ogg", "flac", "wav", "m4a"].into_iter().enumerate() {
        let clip = Clip::make(dir.path(), i as u64, 1_000, 44_100, 1, ext);
        let good = std::fs::read(&clip.file).unwrap();
        for n in 0..12 {
            let mut bad = good.clone();
            for _ in 0..1 + n * 3 {
                // Mostly headers: that is where lengths stand.
                let reach = if dice.roll() < 0.5 { 200 } else { bad.len() };
                let at = (dice.roll() * reach as f64) as usize % bad.len();
                bad[at] = (dice.roll() * 256.0) as u8;
            }
            let file = dir.path().join(format!("bad{n}.{ext}"));
            std::fs::write(&file, bad).unwrap();
            let _ = measure_in_child(&program(), &file, Limits::default(), &MachineClock::plain());
        }
    }
}

#[test]
fn a_child_that_takes_too_long_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("long.wav");
    write_wav(&wav, &vec![0.1; 96_000 * 2 * 60], 96_000, 2);
    let before = MachineClock::plain().now().boot_ns;
    let limits = Limits { wall_ms: 100, ..Limits::default() };
    let result = measure_in_child(&program(), &wav, limits, &MachineClock::plain());
    assert!(matches!(result, Err(ClipError::Broken { .. })), "{result:?}");
    assert!(MachineClock::plain().now().boot_ns - before < 2_000_000_000);
}

#[test]
fn a_recording_runs_in_real_time_and_holds_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let clip = Clip::make(dir.path(), 9, 1_500, 44_100, 1, "flac");
    let file = dir.path().join("rec.wav");
    let play = |name: &str, offset_ms: i64| Play {
        arming: u64::from(name.as_bytes()[0]),
        airing: name.into(),
        file: clip.file.clone(),
        sha256: None,
        at_boot_ns: MachineClock::plain().now().boot_ns + 300_000_000,
        start_by_boot_ns: i64::MAX / 2,
        offset_ms,
        gain_db: -6.0,
        seam: false,
        takes_over: false,
        end_by_boot_ns: None,
        passes_quiet: false,
        format: None,
    };
    for round in 0..2 {
        let (tx, events) = mpsc::channel();
        let speaker = Speaker::start(
            Device::Wav(file.clone()),
            Arc::new(MachineClock::plain()),
            Arc::new(open_verified),
            move |event| {
                let _ = tx.send(event);
            },
        )
        .unwrap();
        let begun = MachineClock::plain().now().boot_ns;
        speaker.play(play("a", if round == 0 { 0 } else { 500 }));
        let mut seen = Vec::new();
        loop {
            let event = events.recv_timeout(Duration::from_secs(5)).unwrap();
            seen.push(event.clone());
            match event {
                SpeakerEvent::Progress { .. } => {
                    // In mid-play the file is a whole one already.
                    assert!(all(&file).1.len() > 30_000);
                }
                SpeakerEvent::Ended { played_ms, total_ms, how, .. } => {
                    let wanted = if round == 0 { 1_500 } else { 1_000 };
                    assert_eq!((played_ms, total_ms, how), (wanted, 1_500, How::Whole), "{seen:?}");
                    let took = (MachineClock::plain().now().boot_ns - begun) / 1_000_000;
                    assert!((wanted + 300..wanted + 900).contains(&took), "took {took} ms");
                    break;
                }
                SpeakerEvent::Began { late_ns, .. } => assert!(late_ns.abs() < 50_000_000),
                _ => {}
            }
        }
        drop(speaker);
        let (spec, samples) = all(&file);
        assert_eq!(spec, Format { rate: 44_100, channels: 1 });
        // The clip stands in it sample for sample, half as loud; a second session is appended.
        let (_, source) = all(&clip.file);
        let lively: Vec<usize> = (0..samples.len()).filter(|i| samples[*i] != 0.0).collect();
        if round == 0 {
            let first = lively[0] - source.iter().position(|s| *s != 0.0).unwrap();
            let gain = 10f32.powf(-6.0 / 20.0);
            let off = source.iter().zip(&samples[first..]).map(|(a, b)| (a * gain - b).abs()).fold(0f32, f32::max);
            assert!(off < 1e-4, "{off}");
        } else {
            assert!(lively.len() > 44_100 * 2);
        }
    }
    // A session of another format goes into the same recording, converted.
    let wide = Clip::make(dir.path(), 10, 1_000, 48_000, 2, "wav");
    let (tx, events) = mpsc::channel();
    let speaker = Speaker::start(
        Device::Wav(file.clone()),
        Arc::new(MachineClock::plain()),
        Arc::new(open_verified),
        move |event| {
            let _ = tx.send(event);
        },
    )
    .unwrap();
    let before = all(&file).1.len();
    speaker.play(Play { file: wide.file.clone(), ..play("b", 0) });
    let mut ready = 0;
    loop {
        match events.recv_timeout(Duration::from_secs(5)).unwrap() {
            SpeakerEvent::Ready { .. } => ready += 1,
            SpeakerEvent::Opened { rate, channels, .. } => assert_eq!((rate, channels), (44_100, 1)),
            SpeakerEvent::Ended { played_ms, total_ms, how, .. } => {
                assert_eq!((played_ms, total_ms, how, ready), (1_000, 1_000, How::Whole, 1));
                break;
            }
            _ => {}
        }
    }
    drop(speaker);
    assert!(all(&file).1.len() > before + 44_100);
    // A file of somebody else's is not touched.
    let other = dir.path().join("notes.txt");
    std::fs::write(&other, "lịch trực".repeat(20)).unwrap();
    let (tx, events) = mpsc::channel();
    let speaker = Speaker::start(
        Device::Wav(other.clone()),
        Arc::new(MachineClock::plain()),
        Arc::new(open_verified),
        move |event| {
            let _ = tx.send(event);
        },
    )
    .unwrap();
    speaker.play(play("a", 0));
    loop {
        if let SpeakerEvent::DeviceLost { .. } = events.recv_timeout(Duration::from_secs(3)).unwrap() {
            break;
        }
    }
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "lịch trực".repeat(20));
}
