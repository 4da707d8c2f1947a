//! Decodes an armed clip ahead, on a thread of its own, into the ring that the device's thread reads from.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{self, Thread};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::convert::Convert;
use super::{Message, Refusal};
use crate::domain::render::{Feed, Format, NoPcm, OpenPcm};
use crate::domain::text::Text;

/// Sound kept ready per clip.
const RING_MS: usize = 2_000;
/// Sound that must be there before a clip may begin.
const READY_MS: usize = 500;

#[derive(Default)]
pub(super) struct FeedState {
    pub(super) ready: AtomicBool,
    pub(super) finished: AtomicBool,
    pub(super) failed: AtomicBool,
    /// Frames of the clip, counted when it was decoded from beginning to end.
    pub(super) decoded: AtomicU64,
}

/// The reading end of a clip's ring.
pub(super) struct RingFeed {
    ring: Consumer<f32>,
    channels: usize,
    state: Arc<FeedState>,
    decoder: Thread,
}

impl Feed for RingFeed {
    fn pull(&mut self, out: &mut [f32]) -> usize {
        let want = out.len().min(self.ring.slots());
        let want = want - want % self.channels;
        let (got, _) = self.ring.pop_partial_slice(&mut out[..want]);
        let got = got.len();
        if !self.state.finished.load(Relaxed) && self.ring.slots() * 2 < self.ring.buffer().capacity() {
            self.decoder.unpark();
        }
        got / self.channels
    }

    fn exhausted(&self) -> bool {
        // In this order: the last samples are in the ring before `finished` is set.
        self.state.finished.load(std::sync::atomic::Ordering::Acquire) && self.ring.slots() < self.channels
    }

    fn ready(&self) -> bool {
        self.state.ready.load(Relaxed)
    }
}

/// What a decoding thread is told.
pub(super) struct Job {
    pub(super) voice: u64,
    pub(super) open_pcm: Arc<OpenPcm>,
    pub(super) file: PathBuf,
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) offset_ms: u64,
    pub(super) format: Receiver<Format>,
    pub(super) state: Arc<FeedState>,
    pub(super) tx: Sender<Message>,
}

impl Job {
    pub(super) fn run(self) {
        let mut decoder = match (self.open_pcm)(&self.file, self.sha256, self.offset_ms) {
            Ok(decoder) => decoder,
            Err(why) => {
                let why = match *why {
                    NoPcm::Missing => Refusal::Missing,
                    NoPcm::Bad(why) => Refusal::Bad(why),
                };
                let _ = self.tx.send(Message::Refused(self.voice, why));
                return;
            }
        };
        let spec = decoder.format();
        let _ = self.tx.send(Message::Spec(self.voice, spec, decoder.total_frames()));
        // Nobody tells a format to a clip that was withdrawn.
        let Ok(format) = self.format.recv() else { return };
        let samples = |ms: usize| format.rate as usize * ms / 1000 * usize::from(format.channels);
        let (mut ring, consumer) = RingBuffer::new(samples(RING_MS));
        let feed = RingFeed {
            ring: consumer,
            channels: usize::from(format.channels),
            state: self.state.clone(),
            decoder: thread::current(),
        };
        let _ = self.tx.send(Message::Feed(self.voice, feed));

        let mut convert = match Convert::new(spec, format) {
            Ok(convert) => convert,
            Err(why) => {
                let _ = self.tx.send(Message::Refused(self.voice, Refusal::Bad(self.broken(&why))));
                return;
            }
        };
        let (mut read, mut out, mut frames) = (Vec::new(), Vec::new(), 0u64);
        let mut pushed = 0usize;
        loop {
            read.clear();
            out.clear();
            let more = match decoder.read(&mut read) {
                Ok(0) => false,
                Ok(n) => {
                    frames += n as u64;
                    true
                }
                Err(e) => {
                    tracing::warn!(file = %self.file.display(), error = %e, "decoding failed in mid-play");
                    self.state.failed.store(true, Relaxed);
                    false
                }
            };
            let converted = if more { convert.push(&read, &mut out) } else { convert.finish(&mut out) };
            if let Err(why) = converted {
                tracing::warn!(file = %self.file.display(), why, "converting failed in mid-play");
                self.state.failed.store(true, Relaxed);
            }
            if !self.fill(&mut ring, &out, &mut pushed, samples(READY_MS)) {
                return;
            }
            if !more || self.state.failed.load(Relaxed) {
                break;
            }
        }
        if self.offset_ms == 0 && !self.state.failed.load(Relaxed) {
            self.state.decoded.store(frames, Relaxed);
        }
        self.state.finished.store(true, std::sync::atomic::Ordering::Release);
        self.ready();
    }

    /// Pushes all samples, waiting while the ring is full; false when nobody listens any more.
    fn fill(&self, ring: &mut Producer<f32>, mut samples: &[f32], pushed: &mut usize, enough: usize) -> bool {
        loop {
            let (_, rest) = ring.push_partial_slice(samples);
            *pushed += samples.len() - rest.len();
            samples = rest;
            if *pushed >= enough || !samples.is_empty() {
                self.ready();
            }
            if ring.is_abandoned() {
                return false;
            }
            if samples.is_empty() {
                return true;
            }
            thread::park_timeout(Duration::from_secs(1));
        }
    }

    fn ready(&self) {
        if !self.state.ready.swap(true, Relaxed) {
            let _ = self.tx.send(Message::Ready(self.voice));
        }
    }

    fn broken(&self, why: &str) -> Text {
        Text::ClipBroken { path: self.file.display().to_string(), why: why.to_owned() }
    }
}
