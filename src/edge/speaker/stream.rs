//! An open device, of whatever kind: what its thread and the speaker's share, and how it is closed.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use rodio::cpal;

use super::Message;
use super::alsa::open_alsa;
use super::feed::RingFeed;
use super::paced::{WavFile, open_paced};
use crate::domain::config::Device;
use crate::domain::render::{Format, Renderer, Report};
use crate::domain::text::Text;
use crate::domain::time::Clock;

/// What the thread that calls for buffers and the speaker's thread both hold.
pub(super) struct Shared {
    pub(super) generation: u64,
    pub(super) renderer: Mutex<Renderer<RingFeed>>,
    /// Frames taken so far: the watchdog's proof of life.
    pub(super) frames: AtomicU64,
    /// Boot time after the last frame taken.
    pub(super) end_ns: AtomicI64,
    /// Boot time of the last call for a buffer.
    pub(super) seen_ns: AtomicI64,
    /// The stream was interrupted: its timeline begins anew.
    pub(super) interrupted: AtomicBool,
}

impl Shared {
    pub(super) fn renderer(&self) -> MutexGuard<'_, Renderer<RingFeed>> {
        self.renderer.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Renders buffers one after another and passes on what happened.
pub(super) struct Taker {
    pub(super) shared: Arc<Shared>,
    pub(super) tx: Sender<Message>,
    pub(super) rate: u32,
    pub(super) channels: usize,
    pub(super) reports: Vec<Report>,
}

impl Taker {
    pub(super) fn take(&mut self, first_boot_ns: i64, now_boot_ns: i64, out: &mut [f32]) {
        let frames = (out.len() / self.channels) as u64;
        self.shared.renderer().render(first_boot_ns, out, &mut self.reports);
        self.passed(first_boot_ns, now_boot_ns, frames);
        for report in self.reports.drain(..) {
            let _ = self.tx.send(Message::Report(self.shared.generation, report));
        }
    }

    pub(super) fn passed(&self, first_boot_ns: i64, now_boot_ns: i64, frames: u64) {
        let end = first_boot_ns + (frames * 1_000_000_000 / u64::from(self.rate.max(1))) as i64;
        self.shared.end_ns.store(end, Relaxed);
        self.shared.seen_ns.store(now_boot_ns, Relaxed);
        if self.shared.frames.fetch_add(frames, Relaxed) == 0 {
            let _ = self.tx.send(Message::Running(self.shared.generation));
        }
    }
}

pub(super) enum Way {
    /// Held for its drop alone, which stops and closes the stream.
    Alsa {
        _stream: cpal::Stream,
    },
    Paced {
        stop: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    },
}

/// An open device.
pub(super) struct Stream {
    pub(super) shared: Arc<Shared>,
    pub(super) way: Way,
    pub(super) name: String,
    pub(super) format: Format,
}

impl Stream {
    /// Opens a device; blocks for as long as it likes.
    pub(super) fn open(
        device: &Device,
        wanted: Format,
        generation: u64,
        clock: Arc<dyn Clock>,
        tx: &Sender<Message>,
    ) -> Result<Stream, Box<Text>> {
        match device {
            Device::Alsa(name) => open_alsa(name, wanted, generation, clock, tx),
            Device::Null => open_paced(device, wanted, None, generation, clock, tx),
            Device::Wav(file) => {
                let will_not = |why: String| Text::DeviceWillNotOpen { name: device.to_string(), why };
                let wav = WavFile::open(file, wanted).map_err(|e| will_not(e.to_string()))?;
                open_paced(device, wav.format, Some(wav), generation, clock, tx)
            }
        }
    }

    /// Closes it. A device may hold up whoever closes it until a frozen sound server thaws, so that happens aside.
    pub(super) fn discard(self) {
        match self.way {
            Way::Alsa { _stream } => {
                let _ = thread::Builder::new().name("loaxa-close".into()).spawn(move || drop(_stream));
            }
            Way::Paced { stop, thread } => {
                stop.store(true, Relaxed);
                if let Some(thread) = thread {
                    let _ = thread.join();
                }
            }
        }
    }
}

pub(super) fn shared(generation: u64, format: Format) -> Arc<Shared> {
    Arc::new(Shared {
        generation,
        renderer: Mutex::new(Renderer::new(format.rate, format.channels)),
        frames: AtomicU64::new(0),
        end_ns: AtomicI64::new(i64::MIN / 4),
        seen_ns: AtomicI64::new(i64::MIN / 4),
        interrupted: AtomicBool::new(false),
    })
}
