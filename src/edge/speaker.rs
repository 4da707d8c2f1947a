//! The way from clips to the loudspeaker: plays each at an exact instant of boot time, loses the device and finds it
//! again. Decisions about single samples are `domain::render`'s; here samples and buffers come together.
//!
//! Threads: the speaker's own one decides and never waits for anything but messages; one decodes each armed clip
//! into a ring of two seconds; the device's own calls for buffers. Opening and dropping a device may block for as
//! long as a sound server is frozen, so each has a thread of its own.
//!
//! What of `rodio` is used here: its re-export of `cpal`, which names, opens and drives the ALSA device. Its
//! `Player` and mixer are not: they play the first 512 frames of a stereo clip wrongly, hide the stream's
//! timestamps, and start 77 ms late. Its decoder is not: an older symphonia that panics on public files. Its rate
//! converter is not: linear, 5-8 dB of signal to noise; `rubato`'s synchronous sinc filter (by FFT) converts here.
//!
//! The first sample is placed by the stream's playback timestamp: a buffer's first frame sounds `playback -
//! callback` after the callback's now, steadied by `domain::render::Timeline`.

mod alsa;
mod control;
mod convert;
mod feed;
mod paced;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use self::alsa::{DeviceName, device_names};
use self::control::Control;
pub use self::convert::Convert;
use self::feed::RingFeed;
use self::stream::Stream;
use crate::domain::config::Device;
use crate::domain::render::{Format, OpenPcm, Report};
use crate::domain::text::Text;
use crate::domain::time::Clock;

/// A millisecond, in nanoseconds.
const MS: i64 = 1_000_000;

/// One clip to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Play {
    /// Names it in every call that follows and in every event: no other clip has this number.
    pub arming: u64,
    /// The airing, named in every event as well. Two armings of one airing, the first taken back, are two clips.
    pub airing: String,
    /// The audio.
    pub file: PathBuf,
    /// What the file must hash to; checked before it plays.
    pub sha256: Option<[u8; 32]>,
    /// Boot time of its first sample, nanoseconds.
    pub at_boot_ns: i64,
    /// The latest boot time at which it may begin instead, inclusive.
    pub start_by_boot_ns: i64,
    /// Where in the clip to begin, milliseconds: 0, or the place a returning session has reached.
    pub offset_ms: i64,
    /// Gain in dB.
    pub gain_db: f64,
    /// Begin with the frame after the clip before, if that one still sounds or has just ended whole.
    pub seam: bool,
    /// If ready in time, end what sounds with a fade that ends at this one's first frame.
    pub takes_over: bool,
    /// Boot time at which it is over; the fade ends there.
    pub end_by_boot_ns: Option<i64>,
    /// Whether quiet hours do not hold for it.
    pub passes_quiet: bool,
    /// What to open the device at, when this clip opens it: what most of the session's items have. Without, the
    /// clip's own. A device that cannot opens at what it can.
    pub format: Option<Format>,
}

/// How a clip that began ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// With its last sample.
    Whole,
    /// [`Speaker::cut`].
    Cut,
    /// By one that takes over.
    TakenOver,
    /// By quiet hours.
    Quiet,
    /// By its own `end_by_boot_ns`.
    EndBy,
    /// By a device that takes no more.
    DeviceLost,
    /// By a file that does not decode to its end.
    DecodeFailed,
}

/// Why a clip never began.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// There is no such file.
    Missing,
    /// The file is broken, of another kind, or not the one that was planned.
    Bad(Text),
    /// The latest moment to begin passed.
    Late,
    /// Its moment is quiet.
    Quiet,
    /// [`Speaker::cut`] before it began.
    Cut,
}

/// What the speaker tells. All times are boot times in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum SpeakerEvent {
    /// The clip is verified, opened and decoded far enough to begin.
    Ready {
        /// Which airing.
        airing: String,
        /// Which arming of it.
        arming: u64,
    },
    /// Its first sample was given to the device, which sounds it at `at_boot_ns` (up to 0.3 s from now).
    Began {
        /// Which airing.
        airing: String,
        /// Which arming of it.
        arming: u64,
        /// When the first sample sounds.
        at_boot_ns: i64,
        /// Against the instant asked for, positive late.
        late_ns: i64,
    },
    /// About once a second.
    Progress {
        /// Which airing.
        airing: String,
        /// Which arming of it.
        arming: u64,
        /// Accepted by the device so far, milliseconds.
        played_ms: i64,
    },
    /// It is over, and the last sample has sounded.
    Ended {
        /// Which airing.
        airing: String,
        /// Which arming of it.
        arming: u64,
        /// Accepted by the device, milliseconds, of this play alone.
        played_ms: i64,
        /// Length of the whole clip, milliseconds; 0 when the file does not tell and did not decode to its end.
        total_ms: i64,
        /// When it was over.
        at_boot_ns: i64,
        /// How.
        how: How,
    },
    /// It never began and never will.
    Refused {
        /// Which airing.
        airing: String,
        /// Which arming of it.
        arming: u64,
        /// Why.
        why: Refusal,
    },
    /// The device does not open or takes no more. Said once until it is back.
    DeviceLost {
        /// The sentence for people.
        error: Text,
    },
    /// The device takes samples again.
    DeviceBack,
    /// The device takes samples.
    Opened {
        /// Its name.
        name: String,
        /// Frames a second.
        rate: u32,
        /// Channels.
        channels: u16,
    },
    /// The device is closed.
    Closed,
}

enum Message {
    Play(Box<Play>),
    Cut { arming: u64, end_boot_ns: Option<i64> },
    Retime { arming: u64, at_boot_ns: i64 },
    Bound { arming: u64, passes_quiet: bool, end_by_boot_ns: Option<i64> },
    Gate(Vec<(i64, i64)>),
    Device(Device),
    Want,
    Release,
    Quit,
    Spec(u64, Format, Option<u64>),
    Refused(u64, Refusal),
    Feed(u64, RingFeed),
    Ready(u64),
    StreamOpened(u64, Result<Stream, Box<Text>>),
    StreamFailed(u64, Text),
    Running(u64),
    Report(u64, Report),
}

/// The handle. Its calls only send; what comes of them is told by events.
pub struct Speaker {
    tx: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Starts the speaker's thread; the device stays closed until a clip is due. `open_pcm` decodes, on a thread of
    /// each clip's own. `events` is called from the speaker's thread and must not block.
    pub fn start(
        device: Device,
        clock: Arc<dyn Clock>,
        open_pcm: Arc<OpenPcm>,
        events: impl Fn(SpeakerEvent) + Send + 'static,
    ) -> std::io::Result<Speaker> {
        let (tx, rx) = mpsc::channel();
        let mut control = Control::new(device, clock, open_pcm, Box::new(events), tx.clone());
        let thread = thread::Builder::new().name("loaxa-speaker".into()).spawn(move || control.run(&rx))?;
        Ok(Speaker { tx, thread: Some(thread) })
    }

    /// Arms a clip.
    pub fn play(&self, play: Play) {
        self.send(Message::Play(Box::new(play)));
    }

    /// Ends a clip so that its fade ends at `end_boot_ns`, or at once (silent within 0.35 s); one that has not begun
    /// is refused.
    pub fn cut(&self, arming: u64, end_boot_ns: Option<i64>) {
        self.send(Message::Cut { arming, end_boot_ns });
    }

    /// Moves a clip that has not begun, with its limits: the wall clock was stepped.
    pub fn retime(&self, arming: u64, at_boot_ns: i64) {
        self.send(Message::Retime { arming, at_boot_ns });
    }

    /// Gives a clip, armed or sounding, another right to pass quiet hours and another end.
    pub fn bound(&self, arming: u64, passes_quiet: bool, end_by_boot_ns: Option<i64>) {
        self.send(Message::Bound { arming, passes_quiet, end_by_boot_ns });
    }

    /// The quiet intervals `[from, to)` in boot time, nanoseconds; they replace all before.
    pub fn set_gate(&self, quiet: Vec<(i64, i64)>) {
        self.send(Message::Gate(quiet));
    }

    /// Another device, from when nothing is armed or sounding.
    pub fn set_device(&self, device: Device) {
        self.send(Message::Device(device));
    }

    /// Sound is to come soon: until [`Speaker::release`] an open device stays open, and one that is lost is tried
    /// again and again, whether or not a clip is armed.
    pub fn want(&self) {
        self.send(Message::Want);
    }

    /// Close the device as soon as nothing is armed or sounding, without waiting for more.
    pub fn release(&self) {
        self.send(Message::Release);
    }

    fn send(&self, message: Message) {
        // The other end lives as long as this one.
        let _ = self.tx.send(message);
    }
}

/// Whether a device can be opened at all, tried for so long at the most. Nothing sounds.
pub fn opens(device: &Device, clock: Arc<dyn Clock>, longest: Duration) -> bool {
    let (done, opened) = mpsc::channel();
    let device = device.clone();
    let tried = thread::Builder::new().name("loaxa-try".into()).spawn(move || {
        let (tx, _rx) = mpsc::channel();
        let stream = Stream::open(&device, Format { rate: 48_000, channels: 2 }, 0, clock, &tx);
        let _ = done.send(stream.is_ok());
    });
    tried.is_ok() && opened.recv_timeout(longest).unwrap_or(false)
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.send(Message::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
