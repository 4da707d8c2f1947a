//! Decides when the device opens and closes, which clip it is given, and what is told of it: the speaker's own
//! thread.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::feed::{FeedState, Job, RingFeed};
use super::stream::Stream;
use super::{How, MS, Message, Play, Refusal, SpeakerEvent};
use crate::domain::config::Device;
use crate::domain::render::{Ending, Format, NotBegun, OpenPcm, Placed, Report};
use crate::domain::text::Text;
use crate::domain::time::Clock;

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
/// What the device opens at when nothing is known.
const USUAL: Format = Format { rate: 48_000, channels: 2 };

/// A clip between [`Speaker::play`](super::Speaker::play) and its last event.
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

pub(super) struct Control {
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
    pub(super) fn new(
        device: Device,
        clock: Arc<dyn Clock>,
        open_pcm: Arc<OpenPcm>,
        events: Box<dyn Fn(SpeakerEvent) + Send>,
        tx: Sender<Message>,
    ) -> Control {
        Control {
            clock,
            open_pcm,
            events,
            tx,
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
        }
    }

    pub(super) fn run(&mut self, rx: &Receiver<Message>) {
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
            Message::Cut { arming, end_boot_ns } => self.cut(arming, end_boot_ns),
            Message::Retime { arming, at_boot_ns } => self.retime(arming, at_boot_ns),
            Message::Bound { arming, passes_quiet, end_by_boot_ns } => {
                let Some(a) = self.armed.iter_mut().find(|a| a.play.arming == arming) else { return };
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
                    self.refuse(a.play, why);
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
                    let (airing, arming) = (a.play.airing.clone(), a.play.arming);
                    self.tell(SpeakerEvent::Ready { airing, arming });
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

    fn cut(&mut self, arming: u64, end_boot_ns: Option<i64>) {
        let Some(i) = self.armed.iter().position(|a| a.play.arming == arming) else { return };
        if self.armed[i].begun.is_none() && self.withdraw(i) {
            let a = self.armed.remove(i);
            self.refuse(a.play, Refusal::Cut);
        } else if let Output::Open(open) = &self.output {
            open.stream.shared.renderer().cut(self.armed[i].voice, end_boot_ns);
        }
    }

    fn refuse(&mut self, play: Play, why: Refusal) {
        self.tell(SpeakerEvent::Refused { airing: play.airing, arming: play.arming, why });
        self.rest(self.now());
    }

    fn retime(&mut self, arming: u64, at_boot_ns: i64) {
        let Some(a) = self.armed.iter_mut().find(|a| a.play.arming == arming && a.begun.is_none()) else { return };
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
                let Play { airing, arming, .. } = self.armed[i].play.clone();
                // Its own word that it is ready may still be on the way.
                if !std::mem::replace(&mut self.armed[i].ready, true) {
                    self.tell(SpeakerEvent::Ready { airing: airing.clone(), arming });
                }
                self.tell(SpeakerEvent::Began { airing, arming, at_boot_ns, late_ns });
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
                let Play { airing, arming, .. } = a.play;
                let ended = SpeakerEvent::Ended { airing, arming, played_ms, total_ms, at_boot_ns, how };
                self.held.push((at_boot_ns, ended));
            }
            Report::Refused { voice, why } => {
                let Some(i) = find(&self.armed, voice) else { return };
                let a = self.armed.remove(i);
                let why = match why {
                    NotBegun::Late => Refusal::Late,
                    NotBegun::Quiet => Refusal::Quiet,
                };
                self.refuse(a.play, why);
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
                self.refuse(a.play, Refusal::Late);
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
            let (airing, arming) = (a.play.airing.clone(), a.play.arming);
            self.tell(SpeakerEvent::Progress { airing, arming, played_ms });
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
            let Play { airing, arming, .. } = a.play;
            if a.begun.is_none() {
                let at_boot_ns = seen.max(a.play.at_boot_ns);
                let late_ns = at_boot_ns - a.play.at_boot_ns;
                self.tell(SpeakerEvent::Began { airing: airing.clone(), arming, at_boot_ns, late_ns });
            }
            let how = How::DeviceLost;
            self.tell(SpeakerEvent::Ended { airing, arming, played_ms, total_ms, at_boot_ns: seen, how });
        }
        for (_, event) in std::mem::take(&mut self.held) {
            let how = How::DeviceLost;
            self.tell(match event {
                SpeakerEvent::Ended { airing, arming, played_ms, total_ms, at_boot_ns, .. } if at_boot_ns > seen => {
                    let played_ms = (played_ms - (at_boot_ns - seen) / MS).max(0);
                    SpeakerEvent::Ended { airing, arming, played_ms, total_ms, at_boot_ns: seen, how }
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
