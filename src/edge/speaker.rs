//! The way from clips to the loudspeaker: plays each at an exact instant of boot time, loses the device and finds it
//! again. Decisions about single samples are `domain::render`'s; this file brings samples and buffers together.
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

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use rodio::cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use rodio::cpal::{self, BufferSize, Data, DeviceId, HostId, SampleFormat, StreamConfig, SupportedBufferSize};
use rtrb::{Consumer, Producer, RingBuffer};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, Fft, FixedAsync, FixedSync, Indexing, Resampler, SincInterpolationParameters, WindowFunction};

use crate::domain::config::Device;
use crate::domain::render::{Ending, Feed, Format, NoPcm, NotBegun, OpenPcm, Placed, Renderer, Report, Timeline};
use crate::domain::text::Text;
use crate::domain::time::Clock;

const MS: i64 = 1_000_000;
/// The device is opened this long before a first sample.
const OPEN_AHEAD_NS: i64 = 1_500 * MS;
/// An idle device stays open this long, unless released.
const LINGER_NS: i64 = 3_000 * MS;
/// After the last sample should have sounded, before the device closes.
const RUN_OUT_NS: i64 = 120 * MS;
/// A stream that takes no frame for so long is dead.
const DEAD_NS: i64 = 1_000 * MS;
/// How long the device waits for a clip that is to say what it opens at.
const SPEC_WAIT_NS: i64 = 150 * MS;
/// A stream just opened may take so long: a sound server asleep renders in blocks of two seconds.
const SLOW_START_NS: i64 = 2_500 * MS;
/// Looks that find a stream advancing before it counts as started.
const SETTLED: u32 = 4;
/// An attempt to open that takes longer is said to fail, though it goes on.
const OPEN_SLOW_NS: i64 = 2_000 * MS;
const BACK_OFF_FIRST_NS: i64 = 250 * MS;
const BACK_OFF_MOST_NS: i64 = 2_000 * MS;
/// How often an open stream is looked at.
const LOOK_NS: i64 = 200 * MS;
/// Sound kept ready per clip.
const RING_MS: usize = 2_000;
/// Sound that must be there before a clip may begin.
const READY_MS: usize = 500;
/// ALSA's buffer is two of these.
const PERIOD_MS: u32 = 100;
/// Callbacks whose timestamps say nothing yet, because the stream has not started.
const UNSETTLED: u32 = 3;

/// One clip to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Play {
    /// Names it in every event.
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
        /// Which.
        airing: String,
    },
    /// Its first sample was given to the device, which sounds it at `at_boot_ns` (up to 0.3 s from now).
    Began {
        /// Which.
        airing: String,
        /// When the first sample sounds.
        at_boot_ns: i64,
        /// Against the instant asked for, positive late.
        late_ns: i64,
    },
    /// About once a second.
    Progress {
        /// Which.
        airing: String,
        /// Accepted by the device so far, milliseconds.
        played_ms: i64,
    },
    /// It is over, and the last sample has sounded.
    Ended {
        /// Which.
        airing: String,
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
        /// Which.
        airing: String,
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
    Cut { airing: String, end_boot_ns: Option<i64> },
    Retime { airing: String, at_boot_ns: i64 },
    Bound { airing: String, passes_quiet: bool, end_by_boot_ns: Option<i64> },
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
        let mut control = Control {
            clock,
            open_pcm,
            events: Box::new(events),
            tx: tx.clone(),
            device,
            next_device: None,
            armed: Vec::new(),
            held: Vec::new(),
            gate: Vec::new(),
            output: Output::Closed,
            released: false,
            wanted: false,
            lost: None,
            linger_until: i64::MIN,
            silent_from: i64::MIN,
            numbers: 0,
        };
        let thread = thread::Builder::new().name("loaxa-speaker".into()).spawn(move || control.run(&rx))?;
        Ok(Speaker { tx, thread: Some(thread) })
    }

    /// Arms a clip. One with the same name that has not begun is replaced.
    pub fn play(&self, play: Play) {
        self.send(Message::Play(Box::new(play)));
    }

    /// Ends a clip so that its fade ends at `end_boot_ns`, or at once (silent within 0.35 s); one that has not begun
    /// is refused.
    pub fn cut(&self, airing: &str, end_boot_ns: Option<i64>) {
        self.send(Message::Cut { airing: airing.to_owned(), end_boot_ns });
    }

    /// Moves a clip that has not begun, with its limits: the wall clock was stepped.
    pub fn retime(&self, airing: &str, at_boot_ns: i64) {
        self.send(Message::Retime { airing: airing.to_owned(), at_boot_ns });
    }

    /// Gives a clip, armed or sounding, another right to pass quiet hours and another end.
    pub fn bound(&self, airing: &str, passes_quiet: bool, end_by_boot_ns: Option<i64>) {
        self.send(Message::Bound { airing: airing.to_owned(), passes_quiet, end_by_boot_ns });
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

/// A clip between [`Speaker::play`] and its last event.
struct Armed {
    /// Changes when the clip has to be decoded anew for another format.
    voice: u64,
    play: Play,
    /// Tells the decoding thread what the stream takes.
    tell: Option<Sender<Format>>,
    told: Option<Format>,
    spec: Option<Format>,
    total_frames: Option<u64>,
    state: Arc<FeedState>,
    feed: Option<RingFeed>,
    placed: bool,
    ready: bool,
    begun: Option<i64>,
    armed_at: i64,
    told_progress: i64,
}

impl Armed {
    fn total_ms(&self) -> i64 {
        let decoded = Some(self.state.decoded.load(Relaxed)).filter(|n| *n > 0);
        let frames = self.total_frames.or(decoded).unwrap_or(0);
        self.spec.map_or(0, |s| ((frames * 1000 + u64::from(s.rate) / 2) / u64::from(s.rate.max(1))) as i64)
    }
}

struct Lost {
    next_try: i64,
    back_off: i64,
    /// Until then it is tried even if nothing is armed: somebody will want to go on.
    until: i64,
}

enum Output {
    Closed,
    Opening { generation: u64, since: i64, format: Format, complained: bool },
    Open(Box<Open>),
}

struct Open {
    stream: Stream,
    running: bool,
    frames: u64,
    advanced_at: i64,
    /// Looks that found more frames taken.
    advances: u32,
    /// Looks since then.
    looks: u32,
}

struct Control {
    clock: Arc<dyn Clock>,
    open_pcm: Arc<OpenPcm>,
    events: Box<dyn Fn(SpeakerEvent) + Send>,
    tx: Sender<Message>,
    device: Device,
    next_device: Option<Device>,
    armed: Vec<Armed>,
    /// Endings whose last sample has not sounded yet.
    held: Vec<(i64, SpeakerEvent)>,
    gate: Vec<(i64, i64)>,
    output: Output,
    released: bool,
    /// Sound is to come: a device that is lost is tried again and again, one that is open stays so.
    wanted: bool,
    lost: Option<Lost>,
    linger_until: i64,
    /// When the last sample will have sounded.
    silent_from: i64,
    numbers: u64,
}

impl Control {
    fn run(&mut self, rx: &Receiver<Message>) {
        loop {
            let message = match self.wait_ns() {
                None => rx.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(ns) => rx.recv_timeout(Duration::from_nanos(ns.max(0) as u64)),
            };
            match message {
                Ok(Message::Quit) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.look();
        }
        self.close();
    }

    fn now(&self) -> i64 {
        self.clock.now().boot_ns
    }

    fn tell(&self, event: SpeakerEvent) {
        (self.events)(event);
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// How long nothing can happen without a message.
    fn wait_ns(&self) -> Option<i64> {
        let now = self.now();
        let mut next = match self.output {
            Output::Closed => i64::MAX,
            _ => now + LOOK_NS,
        };
        if matches!(self.output, Output::Closed) {
            for a in &self.armed {
                let open = a.play.at_boot_ns - OPEN_AHEAD_NS;
                let open = self.lost.as_ref().map_or(open, |l| open.max(l.next_try));
                next = next.min(open).min(a.play.start_by_boot_ns + 50 * MS);
            }
            if let Some(lost) = self.lost.as_ref().filter(|l| l.next_try < l.until || self.wanted) {
                next = next.min(lost.next_try);
            }
        }
        next = self.held.iter().map(|(at, _)| *at).fold(next, i64::min);
        (next != i64::MAX).then(|| (next - now).clamp(MS, 3_600_000 * MS))
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Play(play) => self.arm(*play),
            Message::Cut { airing, end_boot_ns } => self.cut(&airing, end_boot_ns),
            Message::Retime { airing, at_boot_ns } => self.retime(&airing, at_boot_ns),
            Message::Bound { airing, passes_quiet, end_by_boot_ns } => {
                let Some(a) = self.armed.iter_mut().find(|a| a.play.airing == airing) else { return };
                a.play.passes_quiet = passes_quiet;
                a.play.end_by_boot_ns = end_by_boot_ns;
                if let Output::Open(open) = &self.output {
                    open.stream.shared.renderer().bound(a.voice, passes_quiet, end_by_boot_ns);
                }
            }
            Message::Gate(gate) => {
                if let Output::Open(open) = &self.output {
                    open.stream.shared.renderer().set_gate(gate.clone());
                }
                self.gate = gate;
            }
            Message::Device(device) => self.next_device = Some(device).filter(|d| *d != self.device),
            Message::Want => self.wanted = true,
            Message::Release => {
                self.released = true;
                self.wanted = false;
                if let Some(lost) = self.lost.as_mut() {
                    lost.until = i64::MIN;
                }
            }
            Message::Quit => {}
            Message::Spec(voice, spec, total) => {
                if let Some(a) = self.armed.iter_mut().find(|a| a.voice == voice) {
                    a.spec = Some(spec);
                    a.total_frames = total;
                }
                self.tell_formats();
            }
            Message::Refused(voice, why) => {
                if let Some(i) = self.armed.iter().position(|a| a.voice == voice) {
                    let a = self.armed.remove(i);
                    self.tell(SpeakerEvent::Refused { airing: a.play.airing, why });
                    self.rest(self.now());
                }
            }
            Message::Feed(voice, feed) => {
                if let Some(a) = self.armed.iter_mut().find(|a| a.voice == voice) {
                    a.feed = Some(feed);
                }
                self.place();
            }
            Message::Ready(voice) => {
                if let Some(a) = self.armed.iter_mut().find(|a| a.voice == voice && !a.ready) {
                    a.ready = true;
                    let airing = a.play.airing.clone();
                    self.tell(SpeakerEvent::Ready { airing });
                }
            }
            Message::StreamOpened(generation, result) => self.opened(generation, result),
            Message::StreamFailed(generation, why) => {
                if self.generation() == Some(generation) {
                    self.dead(why);
                }
            }
            Message::Running(generation) => {
                if self.generation() == Some(generation) {
                    self.running();
                }
            }
            Message::Report(generation, report) => {
                if self.generation() == Some(generation) {
                    self.report(report);
                }
            }
        }
    }

    fn generation(&self) -> Option<u64> {
        match &self.output {
            Output::Open(open) => Some(open.stream.shared.generation),
            _ => None,
        }
    }

    fn arm(&mut self, play: Play) {
        self.released = false;
        if let Some(i) = self.armed.iter().position(|a| a.play.airing == play.airing) {
            if self.armed[i].begun.is_some() || !self.withdraw(i) {
                tracing::warn!(airing = play.airing, "already sounding: not armed again");
                return;
            }
            self.armed.remove(i);
        }
        let armed = self.decode(play);
        self.armed.push(armed);
        self.tell_formats();
    }

    /// Starts the thread that decodes a clip.
    fn decode(&mut self, play: Play) -> Armed {
        let voice = self.number();
        let (tell, format) = mpsc::channel();
        let state = Arc::new(FeedState::default());
        let job = Job {
            voice,
            open_pcm: self.open_pcm.clone(),
            file: play.file.clone(),
            sha256: play.sha256,
            offset_ms: play.offset_ms.max(0) as u64,
            format,
            state: state.clone(),
            tx: self.tx.clone(),
        };
        if let Err(e) = thread::Builder::new().name("loaxa-decode".into()).spawn(move || job.run()) {
            let why = Text::ClipUnreadable { path: play.file.display().to_string(), why: e.to_string() };
            let _ = self.tx.send(Message::Refused(voice, Refusal::Bad(why)));
        }
        Armed {
            voice,
            play,
            tell: Some(tell),
            told: None,
            spec: None,
            total_frames: None,
            state,
            feed: None,
            placed: false,
            ready: false,
            begun: None,
            armed_at: self.now(),
            told_progress: 0,
        }
    }

    /// Takes a clip that has not begun out of the stream; false when it has, though its report is still on the way.
    fn withdraw(&mut self, index: usize) -> bool {
        let (voice, placed) = (self.armed[index].voice, self.armed[index].placed);
        match &self.output {
            Output::Open(open) if placed => {
                let mut renderer = open.stream.shared.renderer();
                renderer.sounding().is_none_or(|(v, _)| v != voice) && renderer.cut(voice, None).is_some()
            }
            _ => true,
        }
    }

    fn cut(&mut self, airing: &str, end_boot_ns: Option<i64>) {
        let Some(i) = self.armed.iter().position(|a| a.play.airing == airing) else { return };
        if self.armed[i].begun.is_none() && self.withdraw(i) {
            let a = self.armed.remove(i);
            self.tell(SpeakerEvent::Refused { airing: a.play.airing, why: Refusal::Cut });
            self.rest(self.now());
        } else if let Output::Open(open) = &self.output {
            open.stream.shared.renderer().cut(self.armed[i].voice, end_boot_ns);
        }
    }

    fn retime(&mut self, airing: &str, at_boot_ns: i64) {
        let Some(a) = self.armed.iter_mut().find(|a| a.play.airing == airing && a.begun.is_none()) else { return };
        let by = at_boot_ns - a.play.at_boot_ns;
        a.play.at_boot_ns = at_boot_ns;
        a.play.start_by_boot_ns += by;
        a.play.end_by_boot_ns = a.play.end_by_boot_ns.map(|t| t + by);
        if let Output::Open(open) = &self.output {
            open.stream.shared.renderer().retime(a.voice, at_boot_ns);
        }
    }

    /// What the stream has, will have or should have.
    fn format(&self, now: i64) -> Option<Format> {
        match &self.output {
            Output::Open(open) => return Some(open.stream.format),
            Output::Opening { format, .. } => return Some(*format),
            Output::Closed => {}
        }
        let first = self.armed.iter().filter(|a| a.begun.is_none()).min_by_key(|a| a.play.at_boot_ns);
        let wanted = match first {
            Some(a) => a
                .play
                .format
                .or(a.spec)
                // The clip is slow to open: the device does not wait for it.
                .or_else(|| (now - a.armed_at > SPEC_WAIT_NS).then_some(USUAL)),
            None => self.lost.as_ref().map(|_| USUAL),
        };
        // Few cards run at telephone rates, and what a sound server makes of them is worse than the filter here.
        wanted.map(|f| if f.rate < 44_100 { Format { rate: USUAL.rate, ..f } } else { f })
    }

    /// Tells decoding threads for which format to decode; those told another one begin anew.
    fn tell_formats(&mut self) {
        let Some(format) = self.format(self.now()) else { return };
        let settled = matches!(self.output, Output::Open(_));
        for i in 0..self.armed.len() {
            let a = &mut self.armed[i];
            if a.begun.is_some() {
                continue;
            }
            match a.told {
                None => {
                    a.told = Some(format);
                    if let Some(tell) = a.tell.take() {
                        let _ = tell.send(format);
                    }
                }
                Some(told) if told != format && settled => {
                    let ready = a.ready;
                    let play = a.play.clone();
                    self.armed[i] = self.decode(play);
                    self.armed[i].ready = ready;
                    self.armed[i].told = Some(format);
                    if let Some(tell) = self.armed[i].tell.take() {
                        let _ = tell.send(format);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Hands decoded clips to the stream.
    fn place(&mut self) {
        let Output::Open(open) = &self.output else { return };
        let mut renderer = open.stream.shared.renderer();
        for a in &mut self.armed {
            if a.placed || a.begun.is_some() || a.told != Some(open.stream.format) {
                continue;
            }
            let Some(feed) = a.feed.take() else { continue };
            a.placed = true;
            renderer.place(
                Placed {
                    voice: a.voice,
                    at_boot_ns: a.play.at_boot_ns,
                    start_by_boot_ns: a.play.start_by_boot_ns,
                    gain: 10f64.powf(a.play.gain_db / 20.0) as f32,
                    seam: a.play.seam,
                    takes_over: a.play.takes_over,
                    end_by_boot_ns: a.play.end_by_boot_ns,
                    passes_quiet: a.play.passes_quiet,
                    fade_in: a.play.offset_ms > 0,
                },
                feed,
            );
        }
    }

    fn report(&mut self, report: Report) {
        let find = |armed: &[Armed], voice| armed.iter().position(|a| a.voice == voice);
        match report {
            Report::Began { voice, at_boot_ns, late_ns } => {
                let Some(i) = find(&self.armed, voice) else { return };
                self.armed[i].begun = Some(at_boot_ns);
                self.armed[i].told_progress = at_boot_ns;
                let airing = self.armed[i].play.airing.clone();
                // Its own word that it is ready may still be on the way.
                if !std::mem::replace(&mut self.armed[i].ready, true) {
                    self.tell(SpeakerEvent::Ready { airing: airing.clone() });
                }
                self.tell(SpeakerEvent::Began { airing, at_boot_ns, late_ns });
            }
            Report::Ended { voice, at_boot_ns, accepted, how } => {
                let Some(i) = find(&self.armed, voice) else { return };
                let a = self.armed.remove(i);
                let how = match how {
                    Ending::Whole if a.state.failed.load(Relaxed) => How::DecodeFailed,
                    Ending::Whole => How::Whole,
                    Ending::Cut => How::Cut,
                    Ending::TakenOver => How::TakenOver,
                    Ending::Quiet => How::Quiet,
                    Ending::EndBy => How::EndBy,
                };
                let played_ms = self.frames_ms(accepted);
                self.silent_from = self.silent_from.max(at_boot_ns);
                self.rest(at_boot_ns);
                let total_ms = a.total_ms();
                let ended = SpeakerEvent::Ended { airing: a.play.airing, played_ms, total_ms, at_boot_ns, how };
                self.held.push((at_boot_ns, ended));
            }
            Report::Refused { voice, why } => {
                let Some(i) = find(&self.armed, voice) else { return };
                let a = self.armed.remove(i);
                let why = match why {
                    NotBegun::Late => Refusal::Late,
                    NotBegun::Quiet => Refusal::Quiet,
                };
                self.tell(SpeakerEvent::Refused { airing: a.play.airing, why });
                self.rest(self.now());
            }
        }
    }

    /// Frames of the open stream in milliseconds, rounded to the nearest.
    fn frames_ms(&self, frames: u64) -> i64 {
        match &self.output {
            Output::Open(open) => {
                let rate = u64::from(open.stream.format.rate.max(1));
                ((frames * 1000 + rate / 2) / rate) as i64
            }
            _ => 0,
        }
    }

    /// From `at` on the device may become idle.
    fn rest(&mut self, at: i64) {
        self.linger_until = self.linger_until.max(at + LINGER_NS);
    }

    /// Everything that time alone brings about.
    fn look(&mut self) {
        let now = self.now();
        self.watch(now);
        self.progress(now);
        let mut due: Vec<(i64, SpeakerEvent)> = Vec::new();
        self.held.retain(|held| {
            let over = held.0 <= now;
            if over {
                due.push(held.clone());
            }
            !over
        });
        due.sort_by_key(|(at, _)| *at);
        for (_, event) in due {
            self.tell(event);
        }
        // What no stream knows cannot be dropped by a stream.
        let mut i = 0;
        while i < self.armed.len() {
            let a = &self.armed[i];
            let grace = if a.play.seam { 1_000 * MS } else { 30 * MS };
            if a.begun.is_none() && !a.placed && now > a.play.start_by_boot_ns.max(a.play.at_boot_ns) + grace {
                let a = self.armed.remove(i);
                self.tell(SpeakerEvent::Refused { airing: a.play.airing, why: Refusal::Late });
                self.rest(now);
            } else {
                i += 1;
            }
        }
        self.change_device(now);
        self.open_or_close(now);
    }

    fn progress(&mut self, now: i64) {
        let Output::Open(open) = &self.output else { return };
        let Some((voice, accepted)) = open.stream.shared.renderer().sounding() else { return };
        let played_ms = self.frames_ms(accepted);
        if let Some(a) = self.armed.iter_mut().find(|a| a.voice == voice && a.begun.is_some())
            && now - a.told_progress >= 1_000 * MS
        {
            a.told_progress = now;
            let airing = a.play.airing.clone();
            self.tell(SpeakerEvent::Progress { airing, played_ms });
        }
    }

    fn idle(&self) -> bool {
        self.armed.is_empty() && self.held.is_empty()
    }

    fn change_device(&mut self, now: i64) {
        if self.next_device.is_none() || !self.idle() {
            return;
        }
        match &self.output {
            Output::Open(_) if now >= self.silent_from + RUN_OUT_NS => self.close(),
            Output::Open(_) => return,
            _ => {}
        }
        if let Some(device) = self.next_device.take() {
            tracing::info!(%device, "another audio device");
            self.device = device;
            // An attempt to open the old one is forgotten: its generation is no longer asked for.
            self.output = Output::Closed;
            self.lost = None;
        }
    }

    fn open_or_close(&mut self, now: i64) {
        match &mut self.output {
            Output::Closed => {
                let due = self.armed.iter().any(|a| a.begun.is_none() && a.play.at_boot_ns - OPEN_AHEAD_NS <= now);
                let again = self.lost.as_ref().is_some_and(|l| now < l.until || self.wanted);
                let may = self.lost.as_ref().is_none_or(|l| now >= l.next_try);
                if (due || again) && may {
                    self.open(now);
                }
            }
            Output::Opening { since, complained, .. } => {
                if !*complained && now - *since > OPEN_SLOW_NS {
                    *complained = true;
                    let name = self.device.to_string();
                    self.lose(now, Text::DeviceStoodStill { name });
                }
            }
            Output::Open(_) => {
                let rested = now >= self.linger_until || self.released;
                let wanted = self.wanted || self.lost.as_ref().is_some_and(|l| now < l.until);
                if self.idle() && rested && !wanted && now >= self.silent_from + RUN_OUT_NS {
                    self.close();
                }
            }
        }
    }

    fn open(&mut self, now: i64) {
        let Some(format) = self.format(now) else { return };
        let generation = self.number();
        self.output = Output::Opening { generation, since: now, format, complained: false };
        self.tell_formats();
        let (device, clock, tx) = (self.device.clone(), self.clock.clone(), self.tx.clone());
        let open = move || {
            let result = Stream::open(&device, format, generation, clock, &tx);
            // Whoever does not want it any more drops it here, not in the speaker's thread.
            let _ = tx.send(Message::StreamOpened(generation, result));
        };
        if let Err(e) = thread::Builder::new().name("loaxa-open".into()).spawn(open) {
            let why = Text::DeviceWillNotOpen { name: self.device.to_string(), why: e.to_string() };
            self.output = Output::Closed;
            self.lose(now, why);
        }
    }

    fn opened(&mut self, generation: u64, result: Result<Stream, Box<Text>>) {
        let now = self.now();
        if !matches!(&self.output, Output::Opening { generation: g, .. } if *g == generation) {
            if let Ok(stream) = result {
                stream.discard();
            }
            return;
        }
        match result {
            Ok(stream) => {
                stream.shared.renderer().set_gate(self.gate.clone());
                self.output = Output::Open(Box::new(Open {
                    stream,
                    running: false,
                    frames: 0,
                    advanced_at: now,
                    advances: 0,
                    looks: 0,
                }));
                self.rest(now);
                for a in &mut self.armed {
                    a.placed = false;
                }
                self.tell_formats();
                self.place();
                // It may have called for buffers before this thread heard that it is open.
                self.running();
            }
            Err(why) => {
                self.output = Output::Closed;
                self.lose(now, *why);
            }
        }
    }

    /// The first buffer was asked for: the device works.
    fn running(&mut self) {
        let Output::Open(open) = &mut self.output else { return };
        if open.running || open.stream.shared.frames.load(Relaxed) == 0 {
            return;
        }
        open.running = true;
        let (name, Format { rate, channels }) = (open.stream.name.clone(), open.stream.format);
        tracing::info!(name, rate, channels, "audio device open");
        self.tell(SpeakerEvent::Opened { name, rate, channels });
        if self.lost.take().is_some() {
            self.rest(self.now());
            self.tell(SpeakerEvent::DeviceBack);
        }
    }

    /// A stream whose frames do not advance is dead, whatever it says.
    fn watch(&mut self, now: i64) {
        let Output::Open(open) = &mut self.output else { return };
        let frames = open.stream.shared.frames.load(Relaxed);
        if frames != open.frames {
            open.frames = frames;
            open.advanced_at = now;
            open.advances = open.advances.saturating_add(1);
            open.looks = 0;
            return;
        }
        // Counting looks as well: a speaker that was held up itself must not blame the device.
        open.looks += 1;
        let patience = if open.advances < SETTLED { SLOW_START_NS } else { DEAD_NS };
        if now - open.advanced_at > patience && open.looks >= 4 {
            let name = self.device.to_string();
            self.dead(Text::DeviceStoodStill { name });
        }
    }

    /// The stream is of no more use: everything that sounds ends, everything armed waits for the next.
    fn dead(&mut self, why: Text) {
        let now = self.now();
        let Output::Open(open) = std::mem::replace(&mut self.output, Output::Closed) else { return };
        let shared = open.stream.shared.clone();
        let rate = i64::from(open.stream.format.rate.max(1));
        // What the device had taken and not sounded when it was last heard of is lost.
        let seen = shared.seen_ns.load(Relaxed);
        let unsounded_ns = (shared.end_ns.load(Relaxed) - seen).clamp(0, 2_000 * MS);
        let (sounding, waiting) = {
            let mut renderer = shared.renderer();
            (renderer.sounding(), renderer.drain())
        };
        open.stream.discard();
        let mut until = i64::MIN;
        if let Some((voice, accepted)) = sounding
            && let Some(i) = self.armed.iter().position(|a| a.voice == voice)
        {
            let a = self.armed.remove(i);
            let unsounded = unsounded_ns as u64 * rate as u64 / 1_000_000_000;
            let played_ms = (accepted.saturating_sub(unsounded) * 1000 / rate as u64) as i64;
            let total_ms = a.total_ms();
            until = now + (total_ms - a.play.offset_ms - played_ms).max(0) * MS + LINGER_NS;
            // A report that it began may have been on the way.
            if a.begun.is_none() {
                let at_boot_ns = seen.max(a.play.at_boot_ns);
                let late_ns = at_boot_ns - a.play.at_boot_ns;
                self.tell(SpeakerEvent::Began { airing: a.play.airing.clone(), at_boot_ns, late_ns });
            }
            let (airing, how) = (a.play.airing, How::DeviceLost);
            self.tell(SpeakerEvent::Ended { airing, played_ms, total_ms, at_boot_ns: seen, how });
        }
        for (_, event) in std::mem::take(&mut self.held) {
            self.tell(match event {
                SpeakerEvent::Ended { airing, played_ms, total_ms, at_boot_ns, .. } if at_boot_ns > seen => {
                    let played_ms = (played_ms - (at_boot_ns - seen) / MS).max(0);
                    SpeakerEvent::Ended { airing, played_ms, total_ms, at_boot_ns: seen, how: How::DeviceLost }
                }
                event => event,
            });
        }
        for (placed, feed) in waiting {
            if let Some(a) = self.armed.iter_mut().find(|a| a.voice == placed.voice) {
                a.feed = Some(feed);
            }
        }
        for a in &mut self.armed {
            a.placed = false;
        }
        self.lose(now, why);
        if let Some(lost) = self.lost.as_mut() {
            lost.until = lost.until.max(until);
        }
    }

    /// Notes that the device is gone, says so the first time, and plans the next attempt.
    fn lose(&mut self, now: i64, error: Text) {
        match self.lost.as_mut() {
            Some(lost) => {
                lost.back_off = (lost.back_off * 2).min(BACK_OFF_MOST_NS);
                lost.next_try = now + lost.back_off;
            }
            None => {
                let sentence = error.say(crate::domain::config::Language::En);
                tracing::warn!(device = %self.device, error = sentence, "audio device lost");
                self.lost =
                    Some(Lost { next_try: now + BACK_OFF_FIRST_NS, back_off: BACK_OFF_FIRST_NS, until: i64::MIN });
                self.tell(SpeakerEvent::DeviceLost { error });
            }
        }
    }

    fn close(&mut self) {
        if let Output::Open(open) = std::mem::replace(&mut self.output, Output::Closed) {
            open.stream.discard();
            tracing::info!("audio device closed");
            self.tell(SpeakerEvent::Closed);
        }
    }
}

/// What the device opens at when nothing is known.
const USUAL: Format = Format { rate: 48_000, channels: 2 };

// ---------------------------------------------------------------------------------------------- decoding

#[derive(Default)]
struct FeedState {
    ready: AtomicBool,
    finished: AtomicBool,
    failed: AtomicBool,
    /// Frames of the clip, counted when it was decoded from beginning to end.
    decoded: AtomicU64,
}

/// The reading end of a clip's ring.
struct RingFeed {
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
struct Job {
    voice: u64,
    open_pcm: Arc<OpenPcm>,
    file: PathBuf,
    sha256: Option<[u8; 32]>,
    offset_ms: u64,
    format: Receiver<Format>,
    state: Arc<FeedState>,
    tx: Sender<Message>,
}

impl Job {
    fn run(self) {
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

/// Brings a clip's samples to the stream's rate and channels: nothing where they agree, a sinc filter whose delay is
/// taken out again where the rates differ. The first sample stays the first and the length stays the length.
pub struct Convert {
    from: Format,
    to: Format,
    filter: Option<Filter>,
}

struct Filter {
    resampler: Box<dyn Resampler<f32>>,
    /// Input not yet consumed, interleaved.
    input: VecDeque<f32>,
    block: Vec<f32>,
    output: Vec<f32>,
    /// Output frames that come before the first sample.
    delay: usize,
    consumed: u64,
    produced: u64,
}

impl Convert {
    /// From a clip's spec to a stream's format.
    pub fn new(from: Format, to: Format) -> Result<Convert, String> {
        if from.rate == to.rate {
            return Ok(Convert { from, to, filter: None });
        }
        let channels = usize::from(from.channels);
        let (a, b) = (from.rate as usize, to.rate as usize);
        // The filter works on whole multiples of both rates without their common divisor. For the rates of real
        // files that is some hundred frames; an odd one takes the slower filter that needs no such multiple.
        let resampler: Box<dyn Resampler<f32>> = if a / gcd(a, b) <= 2_000 && b / gcd(a, b) <= 2_000 {
            let window = WindowFunction::BlackmanHarris2;
            Box::new(Fft::new_custom(a, b, 2_048, 1, channels, window, FixedSync::Both).map_err(|e| e.to_string())?)
        } else {
            let sinc = SincInterpolationParameters::default();
            let ratio = b as f64 / a as f64;
            Box::new(Async::new_sinc(ratio, 1.0, &sinc, 1_024, channels, FixedAsync::Input).map_err(|e| e.to_string())?)
        };
        let delay = resampler.output_delay();
        let output = vec![0.0; resampler.output_frames_max() * channels];
        let filter =
            Filter { resampler, input: VecDeque::new(), block: Vec::new(), output, delay, consumed: 0, produced: 0 };
        Ok(Convert { from, to, filter: Some(filter) })
    }

    /// Converts the next interleaved samples and appends what comes of them.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), String> {
        match self.filter.as_mut() {
            None => map_channels(samples, self.from.channels, self.to.channels, out),
            Some(filter) => {
                let channels = usize::from(self.from.channels);
                filter.input.extend(samples);
                filter.consumed += (samples.len() / channels) as u64;
                while filter.input.len() >= filter.resampler.input_frames_next() * channels {
                    filter.block(self.from.channels, self.to.channels, u64::MAX, out)?;
                }
            }
        }
        Ok(())
    }

    /// Appends what the filter still holds: as many frames as belong to what was pushed, to the nearest.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), String> {
        let Some(filter) = self.filter.as_mut() else { return Ok(()) };
        let (a, b) = (u64::from(self.from.rate), u64::from(self.to.rate));
        let total = (filter.consumed * b + a / 2) / a;
        while filter.produced < total {
            let want = filter.resampler.input_frames_next() * usize::from(self.from.channels);
            let silence = want.saturating_sub(filter.input.len());
            filter.input.extend(std::iter::repeat_n(0.0, silence));
            filter.block(self.from.channels, self.to.channels, total, out)?;
        }
        Ok(())
    }
}

impl Filter {
    /// Converts one block; appends no more than `total` frames in all.
    fn block(&mut self, from: u16, to: u16, total: u64, out: &mut Vec<f32>) -> Result<(), String> {
        let channels = usize::from(from);
        let frames = self.resampler.input_frames_next();
        self.block.clear();
        self.block.extend(self.input.drain(..frames * channels));
        let room = self.output.len() / channels;
        let input = InterleavedSlice::new(&self.block[..], channels, frames).map_err(|e| e.to_string())?;
        let mut output = InterleavedSlice::new_mut(&mut self.output[..], channels, room).map_err(|e| e.to_string())?;
        let (_, made) =
            self.resampler.process_into_buffer(&input, &mut output, None::<&Indexing>).map_err(|e| e.to_string())?;
        let skip = self.delay.min(made);
        self.delay -= skip;
        let keep = ((made - skip) as u64).min(total.saturating_sub(self.produced)) as usize;
        self.produced += keep as u64;
        map_channels(&self.output[skip * channels..(skip + keep) * channels], from, to, out);
        Ok(())
    }
}

/// One channel becomes two equal ones, two become their mean.
fn map_channels(samples: &[f32], from: u16, to: u16, out: &mut Vec<f32>) {
    match (from, to) {
        (1, 2) => out.extend(samples.iter().flat_map(|s| [*s, *s])),
        (2, 1) => out.extend(samples.chunks_exact(2).map(|s| (s[0] + s[1]) / 2.0)),
        _ => out.extend_from_slice(samples),
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

// ---------------------------------------------------------------------------------------------- streams

/// What the thread that calls for buffers and the speaker's thread both hold.
struct Shared {
    generation: u64,
    renderer: Mutex<Renderer<RingFeed>>,
    /// Frames taken so far: the watchdog's proof of life.
    frames: AtomicU64,
    /// Boot time after the last frame taken.
    end_ns: AtomicI64,
    /// Boot time of the last call for a buffer.
    seen_ns: AtomicI64,
    /// The stream was interrupted: its timeline begins anew.
    interrupted: AtomicBool,
}

impl Shared {
    fn renderer(&self) -> MutexGuard<'_, Renderer<RingFeed>> {
        self.renderer.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Renders buffers one after another and passes on what happened.
struct Taker {
    shared: Arc<Shared>,
    tx: Sender<Message>,
    rate: u32,
    channels: usize,
    reports: Vec<Report>,
}

impl Taker {
    fn take(&mut self, first_boot_ns: i64, now_boot_ns: i64, out: &mut [f32]) {
        let frames = (out.len() / self.channels) as u64;
        self.shared.renderer().render(first_boot_ns, out, &mut self.reports);
        self.passed(first_boot_ns, now_boot_ns, frames);
        for report in self.reports.drain(..) {
            let _ = self.tx.send(Message::Report(self.shared.generation, report));
        }
    }

    fn passed(&self, first_boot_ns: i64, now_boot_ns: i64, frames: u64) {
        let end = first_boot_ns + (frames * 1_000_000_000 / u64::from(self.rate.max(1))) as i64;
        self.shared.end_ns.store(end, Relaxed);
        self.shared.seen_ns.store(now_boot_ns, Relaxed);
        if self.shared.frames.fetch_add(frames, Relaxed) == 0 {
            let _ = self.tx.send(Message::Running(self.shared.generation));
        }
    }
}

enum Way {
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
struct Stream {
    shared: Arc<Shared>,
    way: Way,
    name: String,
    format: Format,
}

impl Stream {
    /// Opens a device; blocks for as long as it likes.
    fn open(
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
    fn discard(self) {
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

fn shared(generation: u64, format: Format) -> Arc<Shared> {
    Arc::new(Shared {
        generation,
        renderer: Mutex::new(Renderer::new(format.rate, format.channels)),
        frames: AtomicU64::new(0),
        end_ns: AtomicI64::new(i64::MIN / 4),
        seen_ns: AtomicI64::new(i64::MIN / 4),
        interrupted: AtomicBool::new(false),
    })
}

/// The sample formats a stream may have, best first.
const SAMPLE_FORMATS: [SampleFormat; 3] = [SampleFormat::F32, SampleFormat::I32, SampleFormat::I16];

fn open_alsa(
    name: &str,
    wanted: Format,
    generation: u64,
    clock: Arc<dyn Clock>,
    tx: &Sender<Message>,
) -> Result<Stream, Box<Text>> {
    let will_not = |e: cpal::Error| Text::DeviceWillNotOpen { name: name.to_owned(), why: e.to_string() };
    let unknown = || Text::DeviceUnknown { name: name.to_owned() };
    quiet_alsa();
    let host = cpal::host_from_id(HostId::Alsa).map_err(will_not)?;
    // One named device, never "any": another card may be somebody's telephone.
    let device = if name == "default" {
        host.default_output_device()
    } else {
        host.device_by_id(&DeviceId::new(HostId::Alsa, name))
    };
    let device = device.ok_or_else(unknown)?;
    // ALSA silently opens at the nearest rate, which would change the pitch: ask what there is first.
    let configs: Vec<_> = device.supported_output_configs().map_err(will_not)?.collect();
    let rates = [wanted.rate, 48_000, 44_100, 96_000, 32_000, 22_050, 16_000, 8_000];
    let best = rates.iter().find_map(|rate| {
        [wanted.channels, 2, 1, 4, 6, 8].iter().find_map(|channels| {
            SAMPLE_FORMATS.iter().find_map(|sample| {
                configs
                    .iter()
                    .find(|c| c.channels() == *channels && c.sample_format() == *sample && c.contains_rate(*rate))
                    .map(|c| (*rate, *channels, *sample, *c.buffer_size()))
            })
        })
    });
    let Some((rate, device_channels, sample, sizes)) = best else {
        let why = "no usable sample rate, channels and sample format".to_owned();
        return Err(Text::DeviceWillNotOpen { name: name.to_owned(), why }.into());
    };
    let period = rate * PERIOD_MS / 1000;
    let buffer_size = match sizes {
        SupportedBufferSize::Range { min, max } => BufferSize::Fixed(period.clamp(min.max(1), max.max(1))),
        SupportedBufferSize::Unknown => BufferSize::Fixed(period),
    };
    let format = Format { rate, channels: device_channels.min(2) };
    let shared = shared(generation, format);
    let stream = [buffer_size, BufferSize::Default]
        .into_iter()
        .map(|buffer_size| {
            let config = StreamConfig { channels: device_channels, sample_rate: rate, buffer_size };
            let data = callback(shared.clone(), tx.clone(), clock.clone(), format, usize::from(device_channels));
            let errors = shared.clone();
            device.build_output_stream_raw(
                config,
                sample,
                data,
                // A dead sound server calls this hundreds of thousands of times a second, a healthy one now and
                // then while opening: it means nothing but that the timeline may have broken.
                move |_| {
                    errors.interrupted.store(true, Relaxed);
                    thread::sleep(Duration::from_millis(20));
                },
                Some(Duration::from_millis(500)),
            )
        })
        .reduce(|first, second| first.or(second))
        .ok_or_else(unknown)?
        .map_err(will_not)?;
    stream.play().map_err(will_not)?;
    Ok(Stream { shared, way: Way::Alsa { _stream: stream }, name: name.to_owned(), format })
}

/// What fills ALSA's buffers.
fn callback(
    shared: Arc<Shared>,
    tx: Sender<Message>,
    clock: Arc<dyn Clock>,
    format: Format,
    device_channels: usize,
) -> impl FnMut(&mut Data, &cpal::OutputCallbackInfo) + Send + 'static {
    let channels = usize::from(format.channels);
    let mut taker = Taker { shared, tx, rate: format.rate, channels, reports: Vec::new() };
    let mut timeline = Timeline::default();
    let mut buffer: Vec<f32> = Vec::new();
    let mut calls = 0u32;
    move |data, info| {
        let now = clock.now().boot_ns;
        let stamp = info.timestamp();
        let delay = stamp.playback.saturating_duration_since(stamp.callback).as_nanos() as i64;
        let frames = data.len() / device_channels.max(1);
        if taker.shared.interrupted.swap(false, Relaxed) {
            timeline.reset();
        }
        buffer.resize(frames * channels, 0.0);
        let first = timeline.place(now + delay, frames, format.rate);
        calls = calls.saturating_add(1);
        if calls <= UNSETTLED {
            timeline.reset();
            buffer.fill(0.0);
            taker.passed(first, now, frames as u64);
        } else {
            taker.take(first, now, &mut buffer);
        }
        // A device of more than two channels plays on its first two.
        let spread = |frame: usize, channel: usize| match channel {
            c if c < channels => buffer[frame * channels + c],
            _ => 0.0,
        };
        if let Some(out) = data.as_slice_mut::<f32>() {
            fill(out, device_channels, spread, |s| s);
        } else if let Some(out) = data.as_slice_mut::<i32>() {
            fill(out, device_channels, spread, |s| (f64::from(s) * 2_147_483_648.0) as i32);
        } else if let Some(out) = data.as_slice_mut::<i16>() {
            fill(out, device_channels, spread, to_i16);
        }
    }
}

/// Writes the device's samples: `of` gives each frame's channels, `form` the device's own number.
fn fill<T>(out: &mut [T], channels: usize, of: impl Fn(usize, usize) -> f32, form: impl Fn(f32) -> T) {
    for (frame, place) in out.chunks_exact_mut(channels.max(1)).enumerate() {
        for (channel, place) in place.iter_mut().enumerate() {
            *place = form(of(frame, channel));
        }
    }
}

/// To 16 bits: what came from 16 bits goes back unchanged. Out of range saturates.
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

/// Silence or a file, in real time.
fn open_paced(
    device: &Device,
    format: Format,
    mut wav: Option<WavFile>,
    generation: u64,
    clock: Arc<dyn Clock>,
    tx: &Sender<Message>,
) -> Result<Stream, Box<Text>> {
    const BLOCK_MS: u32 = 25;
    let shared = shared(generation, format);
    let stop = Arc::new(AtomicBool::new(false));
    let channels = usize::from(format.channels);
    let mut taker = Taker { shared: shared.clone(), tx: tx.clone(), rate: format.rate, channels, reports: Vec::new() };
    let (stopped, name) = (stop.clone(), device.to_string());
    let pace = move || {
        let block = (format.rate * BLOCK_MS / 1000).max(1) as usize;
        let mut buffer = vec![0.0; block * channels];
        let (mut origin, mut frames) = (clock.now().boot_ns, 0i64);
        while !stopped.load(Relaxed) {
            let first = origin + (i128::from(frames) * 1_000_000_000 / i128::from(format.rate.max(1))) as i64;
            let now = clock.now().boot_ns;
            if now < first {
                let wait = (first - now).clamp(1, i64::from(BLOCK_MS) * MS) as u64;
                thread::sleep(Duration::from_nanos(wait));
                continue;
            }
            // A process that was stopped goes on with the present: nothing is made up in a burst.
            if now - first > 1_000 * MS {
                (origin, frames) = (now, 0);
                continue;
            }
            taker.take(first, now, &mut buffer);
            frames += block as i64;
            if let Some(wav) = wav.as_mut()
                && let Err(e) = wav.write(&buffer)
            {
                let why = Text::DeviceWillNotOpen { name, why: e.to_string() };
                let _ = taker.tx.send(Message::StreamFailed(generation, why));
                return;
            }
        }
        if let Some(wav) = wav.as_mut()
            && let Err(e) = wav.finish()
        {
            tracing::warn!(error = %e, "the recording may miss its end");
        }
    };
    let thread = thread::Builder::new()
        .name("loaxa-paced".into())
        .spawn(pace)
        .map_err(|e| Text::DeviceWillNotOpen { name: device.to_string(), why: e.to_string() })?;
    let way = Way::Paced { stop, thread: Some(thread) };
    Ok(Stream { shared, way, name: device.to_string(), format })
}

/// A recording: 16-bit PCM. Its header is rewritten once a second, so that it holds after a kill. An existing
/// recording is continued in its own format; the time while the device was closed is not in it.
struct WavFile {
    file: File,
    format: Format,
    data_bytes: u64,
    header_at: u64,
    bytes: Vec<u8>,
}

impl WavFile {
    const HEADER: u64 = 44;
    /// The format's sizes are 32 bits wide.
    const MOST: u64 = 0xFFFF_0000;

    fn open(path: &Path, wanted: Format) -> std::io::Result<WavFile> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let (mut format, mut data_bytes) = (wanted, 0);
        if length > 0 {
            let foreign = || std::io::Error::other("the file exists and is not a recording of loaxa");
            let mut head = [0u8; Self::HEADER as usize];
            file.seek(SeekFrom::Start(0))?;
            file.read_exact(&mut head).map_err(|_| foreign())?;
            let u16_at = |o: usize| u16::from_le_bytes([head[o], head[o + 1]]);
            let rate = u32::from_le_bytes([head[24], head[25], head[26], head[27]]);
            format = Format { rate, channels: u16_at(22) };
            let ours = head == header(format, u32::from_le_bytes([head[40], head[41], head[42], head[43]]));
            if !ours || !(1..=2).contains(&format.channels) || !(8_000..=96_000).contains(&rate) {
                return Err(foreign());
            }
            let frame = 2 * u64::from(format.channels);
            data_bytes = (length - Self::HEADER) / frame * frame;
        }
        let mut wav = WavFile { file, format, data_bytes, header_at: data_bytes, bytes: Vec::new() };
        wav.finish()?;
        Ok(wav)
    }

    fn write(&mut self, samples: &[f32]) -> std::io::Result<()> {
        self.bytes.clear();
        self.bytes.extend(samples.iter().flat_map(|s| to_i16(*s).to_le_bytes()));
        if self.data_bytes + self.bytes.len() as u64 > Self::MOST {
            return Err(std::io::Error::other("the recording is full"));
        }
        self.file.write_all(&self.bytes)?;
        self.data_bytes += self.bytes.len() as u64;
        if self.data_bytes - self.header_at >= u64::from(self.format.rate) * 2 * u64::from(self.format.channels) {
            self.finish()?;
        }
        Ok(())
    }

    /// Writes the header anew and goes back to the end.
    fn finish(&mut self) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(self.format, self.data_bytes.min(Self::MOST) as u32))?;
        self.file.seek(SeekFrom::Start(Self::HEADER + self.data_bytes))?;
        self.header_at = self.data_bytes;
        Ok(())
    }
}

fn header(format: Format, data_bytes: u32) -> [u8; 44] {
    let mut h = [0u8; 44];
    let frame = 2 * format.channels;
    h[0..4].copy_from_slice(b"RIFF");
    h[4..8].copy_from_slice(&data_bytes.saturating_add(36).to_le_bytes());
    h[8..16].copy_from_slice(b"WAVEfmt ");
    h[16..20].copy_from_slice(&16u32.to_le_bytes());
    h[20..22].copy_from_slice(&1u16.to_le_bytes());
    h[22..24].copy_from_slice(&format.channels.to_le_bytes());
    h[24..28].copy_from_slice(&format.rate.to_le_bytes());
    h[28..32].copy_from_slice(&(format.rate.wrapping_mul(u32::from(frame))).to_le_bytes());
    h[32..34].copy_from_slice(&frame.to_le_bytes());
    h[34..36].copy_from_slice(&16u16.to_le_bytes());
    h[36..40].copy_from_slice(b"data");
    h[40..44].copy_from_slice(&data_bytes.to_le_bytes());
    h
}

/// ALSA's library writes a line of its own to stderr for everything it does not find, again with every attempt to
/// open; what matters comes back as an error anyway.
fn quiet_alsa() {
    use std::ffi::{c_char, c_int};
    type Handler = unsafe extern "C" fn(*const c_char, c_int, *const c_char, c_int, *const c_char);
    unsafe extern "C" {
        // In libasound, which cpal links.
        fn snd_lib_error_set_handler(handler: Option<Handler>) -> c_int;
    }
    unsafe extern "C" fn nothing(_: *const c_char, _: c_int, _: *const c_char, _: c_int, _: *const c_char) {}
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: the call only stores a pointer that lives as long as the program. ALSA passes further, variadic
    // arguments, which a C function that does not look at them may be given: the caller cleans up.
    ONCE.call_once(|| unsafe {
        snd_lib_error_set_handler(Some(nothing));
    });
}

// ---------------------------------------------------------------------------------------------- names

/// A device that plays, as ALSA names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceName {
    /// What to write into `[output] device`.
    pub name: String,
    /// What ALSA says about it, one line.
    pub description: String,
}

/// The ALSA devices that play, without opening any: an empty list on a machine without a card or without ALSA.
pub fn device_names() -> Vec<DeviceName> {
    quiet_alsa();
    let Ok(devices) = cpal::host_from_id(HostId::Alsa).and_then(|host| host.devices()) else { return Vec::new() };
    devices
        .filter(|d| d.supports_output())
        .filter_map(|d| {
            let name = d.id().ok()?.id().to_owned();
            let description = d.description().map(|d| d.name().to_owned()).unwrap_or_default();
            Some(DeviceName { name, description })
        })
        .collect()
}
