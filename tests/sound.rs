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
use loaxa::domain::time::Clock;
use loaxa::edge::decoder::Decoder;
use loaxa::edge::speaker::{Format, How, Play, Refusal, Speaker, SpeakerEvent};
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
        let speaker = Speaker::start(device, Arc::new(MachineClock), move |event| {
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
    MachineClock.now().boot_ns
}

/// The wall time of an instant of boot time.
fn wall_of(boot: i64) -> i64 {
    MachineClock.now().wall_ns_of(boot)
}

fn play(name: &str, clip: &Clip, at: i64) -> Play {
    Play {
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
    let recording = recorder.stop();
    let errors: Vec<f64> = clips.iter().zip(&due).map(|(c, at)| start_error_ms(&recording, c, *at)).collect();
    let worst = errors.iter().fold(0f64, |m, e| m.max(e.abs()));
    println!("start error: median {:+.2} ms, worst {worst:.2} ms of {}", median(&errors), errors.len());
    assert!(worst <= 50.0, "{errors:?}");
    for clip in &clips {
        assert_eq!(recording.onsets(&clip.tail()).len(), 1, "the end of clip {}", clip.seed);
    }
}
