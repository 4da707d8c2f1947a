//! Which sample sounds when: fills one output buffer after another from voices placed in boot time. Pure: the
//! time of a buffer's first frame is handed in, whoever owns the device asks the clock.
//!
//! At most one voice sounds at any frame. Twenty-millisecond fades stand only where something is cut. The gate of
//! quiet intervals is the last door before the device (invariant 8): whatever the caller asked for, a voice that
//! may not pass is silent inside them, and its fade ends at the edge.

use std::path::Path;

use crate::domain::text::Text;

/// The length of every fade, nanoseconds.
pub const FADE_NS: i64 = 20_000_000;

/// How far behind its instant a start still counts as on time, nanoseconds: the jitter between two buffers.
const ON_TIME_NS: i64 = 20_000_000;

/// What a voice that follows at a seam is allowed to be late at least, nanoseconds: the voice before may run over
/// its planned end by the drift of the device's clock and by drop-outs.
const SEAM_GRACE_NS: i64 = 1_000_000_000;

/// Rate and channels of a clip or a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Frames a second, 8,000 to 96,000.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
}

/// A clip being decoded.
pub trait Pcm {
    /// Its rate and channels.
    fn format(&self) -> Format;
    /// Its whole length in frames, if its container tells.
    fn total_frames(&self) -> Option<u64>;
    /// Appends the next samples, interleaved, and says how many frames came; 0 at the end. The error is for the log.
    fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, String>;
}

/// Why a clip cannot be decoded.
#[derive(Clone, Debug, PartialEq)]
pub enum NoPcm {
    /// There is no such file.
    Missing,
    /// It is broken, of another kind, or not the one that was planned.
    Bad(Text),
}

/// Opens a file, checks that its SHA-256 is the planned one where one is given, and goes to a place inside it,
/// milliseconds from its beginning.
pub type OpenPcm = dyn Fn(&Path, Option<[u8; 32]>, u64) -> Result<Box<dyn Pcm>, Box<NoPcm>> + Send + Sync;

/// Where a voice's samples come from.
pub trait Feed {
    /// Fills `out` (interleaved, in the renderer's channels) from its beginning and says how many frames came.
    /// Fewer than asked for means that no more are there yet, or ever: see [`Feed::exhausted`].
    fn pull(&mut self, out: &mut [f32]) -> usize;
    /// Whether everything has been pulled.
    fn exhausted(&self) -> bool;
    /// Whether enough is there to begin.
    fn ready(&self) -> bool;
}

/// When and how a voice is to sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Names the voice in reports.
    pub voice: u64,
    /// Boot time of its first sample, nanoseconds.
    pub at_boot_ns: i64,
    /// The latest boot time, inclusive, at which it may begin; after it the voice is dropped.
    pub start_by_boot_ns: i64,
    /// Linear gain.
    pub gain: f32,
    /// Begin with the frame after the last one of the voice before, if that one still runs or has just ended as a
    /// whole; else at `at_boot_ns`.
    pub seam: bool,
    /// If ready in time, the voice that runs fades out so that its fade ends where this one begins.
    pub takes_over: bool,
    /// Boot time at which it is over, whatever is left; the fade ends there.
    pub end_by_boot_ns: Option<i64>,
    /// Whether quiet hours do not hold for it: an emergency from a source that may send one.
    pub passes_quiet: bool,
    /// Whether it begins inside a clip, so that its start is a cut.
    pub fade_in: bool,
}

/// How a voice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its last sample.
    Whole,
    /// By [`Renderer::cut`].
    Cut,
    /// A voice that takes over.
    TakenOver,
    /// At the edge of a quiet interval.
    Quiet,
    /// At its own `end_by_boot_ns`.
    EndBy,
}

/// Why a voice never began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// Its last moment to begin passed: not ready, or something else was sounding.
    Late,
    /// Its moment is quiet and it may not pass.
    Quiet,
}

/// What happened while a buffer was filled.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The first sample of a voice was placed.
    Began {
        /// The voice.
        voice: u64,
        /// Boot time of that sample, nanoseconds.
        at_boot_ns: i64,
        /// Against the instant asked for: positive late.
        late_ns: i64,
    },
    /// A voice is over.
    Ended {
        /// The voice.
        voice: u64,
        /// Boot time after its last frame, nanoseconds.
        at_boot_ns: i64,
        /// Frames of its own that went out.
        accepted: u64,
        /// How.
        how: Ending,
    },
    /// A voice never began.
    Refused {
        /// The voice.
        voice: u64,
        /// Why.
        why: NotBegun,
    },
}

struct Waiting<F> {
    placed: Placed,
    feed: F,
}

#[derive(Clone, Copy)]
struct Stop {
    at_ns: i64,
    fade_ns: i64,
    how: Ending,
    /// Once part of the fade has been heard, nothing takes it back.
    latched: bool,
    taker: Option<u64>,
}

struct Sounding<F> {
    placed: Placed,
    feed: F,
    /// Boot time of the first frame as placed.
    began_ns: i64,
    accepted: u64,
    /// Frames that should have sounded but were not there in time: skipped when they come.
    debt: u64,
    /// Frames of output since it began.
    elapsed: u64,
    cut_at_ns: Option<i64>,
    stop: Option<Stop>,
}

/// The voice that ended last.
struct Tail {
    end_ns: i64,
    length_ns: i64,
    whole: bool,
}

/// Fills buffers. `F` is where samples come from.
pub struct Renderer<F> {
    rate: i64,
    channels: usize,
    waiting: Vec<Waiting<F>>,
    sounding: Option<Sounding<F>>,
    gate: Vec<(i64, i64)>,
    tail: Option<Tail>,
    scratch: Vec<f32>,
}

impl<F: Feed> Renderer<F> {
    /// A silent renderer for a stream of `rate` Hz and `channels` interleaved channels, both at least 1.
    pub fn new(rate: u32, channels: u16) -> Renderer<F> {
        Renderer {
            rate: i64::from(rate.max(1)),
            channels: usize::from(channels.max(1)),
            waiting: Vec::new(),
            sounding: None,
            gate: Vec::new(),
            tail: None,
            scratch: Vec::new(),
        }
    }

    /// Places a voice. One with the number of another that has not begun takes its place.
    pub fn place(&mut self, placed: Placed, feed: F) {
        self.waiting.retain(|w| w.placed.voice != placed.voice);
        let at = self.waiting.partition_point(|w| w.placed.at_boot_ns <= placed.at_boot_ns);
        self.waiting.insert(at, Waiting { placed, feed });
    }

    /// Moves a voice that has not begun; its last moment to begin moves along.
    pub fn retime(&mut self, voice: u64, at_boot_ns: i64) {
        if let Some(i) = self.waiting.iter().position(|w| w.placed.voice == voice) {
            let mut w = self.waiting.remove(i);
            let by = at_boot_ns.saturating_sub(w.placed.at_boot_ns);
            w.placed.at_boot_ns = at_boot_ns;
            w.placed.start_by_boot_ns = w.placed.start_by_boot_ns.saturating_add(by);
            w.placed.end_by_boot_ns = w.placed.end_by_boot_ns.map(|t| t.saturating_add(by));
            self.place(w.placed, w.feed);
        }
    }

    /// Ends a sounding voice so that its fade ends at `end_boot_ns`, or as soon as a fade allows; takes one that has
    /// not begun away and hands it back.
    pub fn cut(&mut self, voice: u64, end_boot_ns: Option<i64>) -> Option<F> {
        if let Some(s) = self.sounding.as_mut().filter(|s| s.placed.voice == voice) {
            s.cut_at_ns = Some(end_boot_ns.unwrap_or(i64::MIN));
            return None;
        }
        let i = self.waiting.iter().position(|w| w.placed.voice == voice)?;
        Some(self.waiting.remove(i).feed)
    }

    /// Gives a voice another right and another end: quiet hours, or who may pass them, have changed.
    pub fn bound(&mut self, voice: u64, passes_quiet: bool, end_by_boot_ns: Option<i64>) {
        let sounding = self.sounding.iter_mut().map(|s| &mut s.placed);
        for placed in sounding.chain(self.waiting.iter_mut().map(|w| &mut w.placed)).filter(|p| p.voice == voice) {
            placed.passes_quiet = passes_quiet;
            placed.end_by_boot_ns = end_by_boot_ns;
        }
    }

    /// The quiet intervals `[from, to)` in boot time, nanoseconds; they replace all before.
    pub fn set_gate(&mut self, mut gate: Vec<(i64, i64)>) {
        gate.retain(|(a, b)| a < b);
        gate.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(gate.len());
        for (a, b) in gate {
            match merged.last_mut() {
                Some(last) if a <= last.1 => last.1 = last.1.max(b),
                _ => merged.push((a, b)),
            }
        }
        self.gate = merged;
    }

    /// The voice that sounds, and how many of its frames went out so far.
    pub fn sounding(&self) -> Option<(u64, u64)> {
        self.sounding.as_ref().map(|s| (s.placed.voice, s.accepted))
    }

    /// Whether nothing waits and nothing sounds.
    pub fn is_empty(&self) -> bool {
        self.sounding.is_none() && self.waiting.is_empty()
    }

    /// Takes everything out: what sounds is over without a report, the voices that wait are handed back.
    pub fn drain(&mut self) -> Vec<(Placed, F)> {
        self.sounding = None;
        self.tail = None;
        self.waiting.drain(..).map(|w| (w.placed, w.feed)).collect()
    }

    /// Fills `out`, whose first frame sounds at `first_boot_ns`, and tells what happened in order of time.
    pub fn render(&mut self, first_boot_ns: i64, out: &mut [f32], reports: &mut Vec<Report>) {
        out.fill(0.0);
        let frames = (out.len() / self.channels) as i64;
        let mut at = 0i64;
        while at < frames {
            if self.sounding.is_none() {
                match self.next_start(first_boot_ns, at, frames, reports) {
                    Some((frame, index)) => {
                        at = frame;
                        self.begin(first_boot_ns, frame, index, reports);
                    }
                    None => break,
                }
            }
            at = self.sound(first_boot_ns, at, frames, out, reports);
        }
        // What can no longer begin is said at once, so that nobody waits for it.
        let after = self.time_of(first_boot_ns, frames);
        let running = self.sounding.is_some();
        self.waiting.retain(|w| {
            let over = after > last_moment(&w.placed, running && w.placed.seam).saturating_add(ON_TIME_NS);
            if over {
                reports.push(Report::Refused { voice: w.placed.voice, why: NotBegun::Late });
            }
            !over
        });
    }

    /// Boot time of a frame of the buffer.
    fn time_of(&self, first: i64, frame: i64) -> i64 {
        first.saturating_add((i128::from(frame) * 1_000_000_000 / i128::from(self.rate)) as i64)
    }

    /// The first frame of the buffer that does not sound before `at`; negative ones lie before the buffer.
    fn frame_at(&self, first: i64, at: i64) -> i64 {
        let wanted = (i128::from(at) - i128::from(first)) * i128::from(self.rate);
        let frame = wanted.div_euclid(1_000_000_000) + i128::from(wanted.rem_euclid(1_000_000_000) != 0);
        frame.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    fn quiet_at(&self, at: i64) -> bool {
        self.gate.iter().any(|(a, b)| *a <= at && at < *b)
    }

    /// The voice that begins next within the buffer, and with which frame. Drops those that may not begin.
    fn next_start(&mut self, first: i64, from: i64, frames: i64, reports: &mut Vec<Report>) -> Option<(i64, usize)> {
        let now = self.time_of(first, from);
        let mut best: Option<(i64, usize)> = None;
        let mut index = 0;
        while index < self.waiting.len() {
            let w = &self.waiting[index];
            let joins = w.placed.seam && self.tail.as_ref().is_some_and(|t| t.meets(w.placed.at_boot_ns, now));
            let frame = if joins { from } else { self.frame_at(first, w.placed.at_boot_ns).max(from) };
            if frame >= frames || !w.feed.ready() {
                index += 1;
                continue;
            }
            let at = self.time_of(first, frame);
            let why = if !w.placed.passes_quiet && self.quiet_at(at) {
                Some(NotBegun::Quiet)
            } else if at > last_moment(&w.placed, joins).saturating_add(ON_TIME_NS)
                || w.placed.end_by_boot_ns.is_some_and(|end| end <= at)
            {
                Some(NotBegun::Late)
            } else {
                None
            };
            if let Some(why) = why {
                reports.push(Report::Refused { voice: w.placed.voice, why });
                self.waiting.remove(index);
                continue;
            }
            if best.is_none_or(|(f, _)| frame < f) {
                best = Some((frame, index));
            }
            index += 1;
        }
        best
    }

    fn begin(&mut self, first: i64, frame: i64, index: usize, reports: &mut Vec<Report>) {
        let Waiting { placed, feed } = self.waiting.remove(index);
        let at = self.time_of(first, frame);
        let late_ns = at.saturating_sub(placed.at_boot_ns);
        reports.push(Report::Began { voice: placed.voice, at_boot_ns: at, late_ns });
        // One that joins inside its clip stays with the session's clock: what it comes too late for is gone.
        let debt = if placed.fade_in { (late_ns.max(0) as u128 * self.rate as u128 / 1_000_000_000) as u64 } else { 0 };
        self.sounding =
            Some(Sounding { placed, feed, began_ns: at, accepted: 0, debt, elapsed: 0, cut_at_ns: None, stop: None });
    }

    /// The earliest reason for which the sounding voice ends before its last sample.
    fn stop_of(&self, s: &Sounding<F>, first: i64, from: i64) -> Option<Stop> {
        let now = self.time_of(first, from);
        let earliest = |at: i64, how, taker| {
            let at = at.max(now);
            Stop { at_ns: at, fade_ns: FADE_NS.min(at - now), how, latched: false, taker }
        };
        let mut stops: Vec<Stop> = Vec::new();
        if !s.placed.passes_quiet
            && let Some((edge, _)) = self.gate.iter().find(|(_, b)| *b > now)
        {
            stops.push(earliest(*edge, Ending::Quiet, None));
        }
        stops.extend(s.placed.end_by_boot_ns.map(|end| earliest(end, Ending::EndBy, None)));
        stops.extend(s.cut_at_ns.map(|end| earliest(end.max(now.saturating_add(FADE_NS)), Ending::Cut, None)));
        stops.extend(
            self.waiting
                .iter()
                .filter(|w| w.placed.takes_over && w.feed.ready())
                .filter(|w| w.placed.at_boot_ns >= now.saturating_sub(ON_TIME_NS))
                .filter(|w| w.placed.passes_quiet || !self.quiet_at(w.placed.at_boot_ns.max(now)))
                .filter(|w| w.placed.end_by_boot_ns.is_none_or(|end| end > w.placed.at_boot_ns.max(now)))
                .map(|w| earliest(w.placed.at_boot_ns, Ending::TakenOver, Some(w.placed.voice))),
        );
        // The first of equals stands: the gate, then the voice's own end.
        let new = stops.into_iter().min_by_key(|stop| stop.at_ns);
        match (s.stop, new) {
            (Some(old), Some(new)) if old.latched => Some(if new.at_ns < old.at_ns { new } else { old }),
            (Some(old), None) if old.latched => Some(old),
            // The same instant as before: the fade keeps its length.
            (Some(old), Some(new)) if old.at_ns == new.at_ns => Some(Stop { fade_ns: old.fade_ns, ..new }),
            (_, new) => new,
        }
    }

    /// Sounds the voice from frame `from` on; says which frame comes next.
    fn sound(&mut self, first: i64, from: i64, frames: i64, out: &mut [f32], reports: &mut Vec<Report>) -> i64 {
        let Some(mut s) = self.sounding.take() else { return frames };
        s.stop = self.stop_of(&s, first, from);
        let stop_frame = s.stop.map(|stop| self.frame_at(first, stop.at_ns).max(from));
        let until = stop_frame.map_or(frames, |f| f.min(frames));
        let span = (until - from).max(0) as usize;

        // Late samples belong to time that is gone.
        while s.debt > 0 {
            let n = s.debt.min(4096) as usize;
            self.scratch.resize(n * self.channels, 0.0);
            let got = s.feed.pull(&mut self.scratch[..n * self.channels]);
            s.debt -= got as u64;
            if got < n {
                break;
            }
        }
        let mut got = 0;
        if s.debt == 0 {
            self.scratch.resize(span * self.channels, 0.0);
            got = s.feed.pull(&mut self.scratch[..span * self.channels]).min(span);
        }
        // Whole numbers of 128 bits are slow: only frames inside a fade are timed one by one.
        let fading = s.stop.map_or(i64::MAX, |stop| self.frame_at(first, stop.at_ns.saturating_sub(stop.fade_ns)));
        let fading_in = s.placed.fade_in && (s.elapsed as i64) * 1_000_000_000 / self.rate < FADE_NS;
        let samples = self.scratch.chunks_exact(self.channels).take(got);
        let places = out[from as usize * self.channels..].chunks_exact_mut(self.channels);
        for (i, (sample, place)) in samples.zip(places).enumerate() {
            let frame = from + i as i64;
            let mut gain = s.placed.gain;
            if frame >= fading
                && let Some(stop) = s.stop
            {
                let left = stop.at_ns.saturating_sub(self.time_of(first, frame));
                if left < stop.fade_ns {
                    gain *= left.max(0) as f32 / stop.fade_ns.max(1) as f32;
                }
            }
            if fading_in {
                let since = (s.elapsed as i64 + i as i64) * 1_000_000_000 / self.rate;
                if since < FADE_NS {
                    gain *= since as f32 / FADE_NS as f32;
                }
            }
            for (sample, place) in sample.iter().zip(place) {
                let sample = sample * gain;
                *place = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
            }
        }
        if !s.placed.passes_quiet {
            self.shut_gate(first, from, until, out);
        }
        s.accepted += got as u64;

        let ended = if got < span && s.feed.exhausted() {
            Some((from + got as i64, Ending::Whole, None))
        } else {
            s.debt += (span - got) as u64;
            s.elapsed += span as u64;
            if let Some(stop) = s.stop.as_mut() {
                stop.latched |= self.time_of(first, until) > stop.at_ns.saturating_sub(stop.fade_ns) && span > 0;
            }
            match (stop_frame, s.stop) {
                (Some(f), Some(stop)) if f <= until && f < frames => Some((f, stop.how, stop.taker)),
                _ if s.feed.exhausted() && s.debt == 0 => Some((until, Ending::Whole, None)),
                _ => None,
            }
        };
        let Some((frame, how, taker)) = ended else {
            self.sounding = Some(s);
            return frames;
        };
        let at = self.time_of(first, frame);
        reports.push(Report::Ended { voice: s.placed.voice, at_boot_ns: at, accepted: s.accepted, how });
        self.tail = Some(Tail { end_ns: at, length_ns: at.saturating_sub(s.began_ns), whole: how == Ending::Whole });
        if let Some(index) = taker.and_then(|t| self.waiting.iter().position(|w| w.placed.voice == t))
            && frame < frames
        {
            self.begin(first, frame, index, reports);
        }
        frame
    }

    /// The last door: nothing that may not pass leaves inside a quiet interval, whatever was decided above.
    fn shut_gate(&self, first: i64, from: i64, until: i64, out: &mut [f32]) {
        for (a, b) in &self.gate {
            let shut = self.frame_at(first, *a).clamp(from, until) as usize * self.channels;
            let open = self.frame_at(first, *b).clamp(from, until) as usize * self.channels;
            out[shut..open].fill(0.0);
        }
    }
}

impl Tail {
    /// Whether a voice planned for `at` follows this one at a seam when nothing sounds at `now`. Both clocks and
    /// lengths rounded to milliseconds may put its plan a little off the end: a thousandth of the length.
    fn meets(&self, at: i64, now: i64) -> bool {
        let slack = ON_TIME_NS + self.length_ns / 1000;
        self.whole && at.saturating_sub(self.end_ns) <= slack && now.saturating_sub(self.end_ns) <= slack
    }
}

fn last_moment(placed: &Placed, follows: bool) -> i64 {
    if follows {
        placed.start_by_boot_ns.max(placed.at_boot_ns.saturating_add(SEAM_GRACE_NS))
    } else {
        placed.start_by_boot_ns
    }
}

/// Where a stream's frames stand in boot time, steadied. Each buffer brings one estimate: when the callback thread
/// was held up it comes late, and a sound server's own estimates tremble. The middle one of the last nine holds,
/// each carried forward by the frames since; a stream that truly stood still shows in three estimates in a row.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Estimates of the boot time of frame 0.
    origins: std::collections::VecDeque<i64>,
    frames: i64,
    off: u32,
}

impl Timeline {
    /// How many estimates are kept.
    const KEPT: usize = 9;
    /// An estimate further off than this is a jump, nanoseconds.
    const JUMP_NS: i64 = 20_000_000;

    /// Forgets what it knows: the stream was interrupted.
    pub fn reset(&mut self) {
        self.origins.clear();
        self.frames = 0;
        self.off = 0;
    }

    /// The boot time of the first frame of a buffer of `frames` frames, given its own estimate.
    pub fn place(&mut self, estimate_boot_ns: i64, frames: usize, rate: u32) -> i64 {
        let length = |frames: i64| (i128::from(frames) * 1_000_000_000 / i128::from(rate.max(1))) as i64;
        let origin = estimate_boot_ns.saturating_sub(length(self.frames));
        if let Some(middle) = self.middle() {
            if origin.abs_diff(middle) > Self::JUMP_NS as u64 {
                self.off += 1;
                if self.off >= 3 {
                    self.origins.clear();
                    self.off = 0;
                }
            } else {
                self.off = 0;
            }
        }
        self.origins.push_back(origin);
        if self.origins.len() > Self::KEPT {
            self.origins.pop_front();
        }
        let placed = self.middle().unwrap_or(origin).saturating_add(length(self.frames));
        self.frames += frames as i64;
        placed
    }

    fn middle(&self) -> Option<i64> {
        let mut sorted: Vec<i64> = self.origins.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    /// Samples that count up, so that a lost or doubled one shows; or one level.
    struct Test {
        left: usize,
        next: f32,
        step: f32,
        ready: bool,
        /// How many frames each pull gives at most: an empty list gives all.
        starve: Vec<usize>,
    }

    impl Feed for Test {
        fn pull(&mut self, out: &mut [f32]) -> usize {
            let allowed = if self.starve.is_empty() { usize::MAX } else { self.starve.remove(0) };
            let n = out.len().min(self.left).min(allowed);
            for o in &mut out[..n] {
                *o = self.next;
                self.next += self.step;
            }
            self.left -= n;
            n
        }
        fn exhausted(&self) -> bool {
            self.left == 0
        }
        fn ready(&self) -> bool {
            self.ready
        }
    }

    fn level(frames: usize, value: f32) -> Test {
        Test { left: frames, next: value, step: 0.0, ready: true, starve: vec![] }
    }

    fn at(voice: u64, ms: i64) -> Placed {
        Placed {
            voice,
            at_boot_ns: ms * MS,
            start_by_boot_ns: ms * MS,
            gain: 1.0,
            seam: false,
            takes_over: false,
            end_by_boot_ns: None,
            passes_quiet: false,
            fade_in: false,
        }
    }

    /// Renders `ms` milliseconds at 1 kHz in buffers of `buffer` frames from boot time 0.
    fn run(renderer: &mut Renderer<Test>, ms: usize, buffer: usize) -> (Vec<f32>, Vec<Report>) {
        let (mut all, mut reports) = (Vec::new(), Vec::new());
        while all.len() < ms {
            let mut out = vec![9.0; buffer];
            renderer.render(all.len() as i64 * MS, &mut out, &mut reports);
            all.extend(out);
        }
        (all, reports)
    }

    #[test]
    fn a_voice_begins_with_its_frame_and_ends_with_its_last() {
        for buffer in [1, 7, 100, 1000] {
            let mut r = Renderer::new(1000, 1);
            r.place(at(1, 123), level(200, 0.5));
            let (out, reports) = run(&mut r, 500, buffer);
            let sounding: Vec<_> = (0..500).filter(|i| out[*i] != 0.0).collect();
            assert_eq!((sounding[0], sounding.len(), sounding[199]), (123, 200, 322), "buffer {buffer}");
            assert!(out.iter().all(|s| *s == 0.0 || *s == 0.5), "no fades at natural ends");
            assert_eq!(
                reports,
                [
                    Report::Began { voice: 1, at_boot_ns: 123 * MS, late_ns: 0 },
                    Report::Ended { voice: 1, at_boot_ns: 323 * MS, accepted: 200, how: Ending::Whole }
                ]
            );
        }
    }

    #[test]
    fn a_seam_has_no_frame_between_though_the_plan_is_off() {
        for (planned, buffer) in [(299, 100), (300, 64), (305, 1), (310, 33)] {
            let mut r = Renderer::new(1000, 1);
            r.place(at(1, 100), level(200, 0.5));
            r.place(Placed { seam: true, ..at(2, planned) }, level(100, -0.5));
            let (out, reports) = run(&mut r, 500, buffer);
            assert_eq!((out[299], out[300], out[399], out[400]), (0.5, -0.5, -0.5, 0.0));
            assert_eq!(reports.len(), 4);
        }
    }

    #[test]
    fn after_a_hole_a_voice_waits_for_its_own_time() {
        let mut r = Renderer::new(1000, 1);
        r.place(at(1, 100), level(100, 0.5));
        r.place(Placed { seam: true, ..at(2, 300) }, level(100, -0.5));
        let (out, _) = run(&mut r, 500, 50);
        assert!(out[200..300].iter().all(|s| *s == 0.0));
        assert_eq!(out[300], -0.5);
    }

    #[test]
    fn a_take_over_fades_the_other_out_before_its_own_first_frame() {
        let mut r = Renderer::new(1000, 1);
        r.place(at(1, 0), level(1000, 1.0));
        r.place(Placed { takes_over: true, ..at(2, 215) }, level(100, -1.0));
        let (out, reports) = run(&mut r, 400, 100);
        assert_eq!(out[194], 1.0);
        assert!((out[205] - 0.5).abs() < 0.01 && out[214] > 0.0 && out[214] <= 0.051);
        assert_eq!(out[215], -1.0);
        assert!(reports.contains(&Report::Ended {
            voice: 1,
            at_boot_ns: 215 * MS,
            accepted: 215,
            how: Ending::TakenOver
        }));
        assert_eq!(out[315], 0.0, "the one taken over does not come back");
    }

    #[test]
    fn one_that_is_not_ready_takes_nothing_over() {
        let mut r = Renderer::new(1000, 1);
        r.place(at(1, 0), level(400, 1.0));
        let mut late = level(100, -1.0);
        late.ready = false;
        r.place(Placed { takes_over: true, ..at(2, 200) }, late);
        let (out, reports) = run(&mut r, 600, 50);
        assert!(out[..400].iter().all(|s| *s == 1.0));
        assert!(out[400..].iter().all(|s| *s == 0.0));
        assert!(reports.contains(&Report::Refused { voice: 2, why: NotBegun::Late }));
    }

    #[test]
    fn a_late_voice_begins_with_its_first_sample_while_it_may() {
        let mut r = Renderer::new(1000, 1);
        r.place(Placed { start_by_boot_ns: 400 * MS, ..at(1, -300) }, level(50, 0.5));
        let (out, reports) = run(&mut r, 100, 50);
        assert_eq!(out[0], 0.5);
        assert_eq!(reports[0], Report::Began { voice: 1, at_boot_ns: 0, late_ns: 300 * MS });
    }

    #[test]
    fn a_cut_fades_within_twenty_milliseconds() {
        let mut r = Renderer::new(1000, 1);
        r.place(at(1, 0), level(1000, 1.0));
        let (mut out, mut reports) = (vec![0.0; 100], vec![]);
        r.render(0, &mut out, &mut reports);
        r.cut(1, None);
        r.render(100 * MS, &mut out, &mut reports);
        assert_eq!((out[0], out[20]), (1.0, 0.0));
        assert!((out[10] - 0.5).abs() < 0.01);
        assert_eq!(reports[1], Report::Ended { voice: 1, at_boot_ns: 120 * MS, accepted: 120, how: Ending::Cut });
    }

    #[test]
    fn quiet_hours_end_a_fade_at_the_edge_and_hold_others_back() {
        let mut r = Renderer::new(1000, 1);
        r.set_gate(vec![(250 * MS, 400 * MS)]);
        r.place(at(1, 0), level(1000, 1.0));
        r.place(Placed { start_by_boot_ns: 900 * MS, ..at(2, 300) }, level(50, 0.5));
        let (out, reports) = run(&mut r, 600, 100);
        assert_eq!(out[229], 1.0);
        assert!(out[249] > 0.0 && out[249] <= 0.051 && out[250..].iter().all(|s| *s == 0.0));
        assert!(reports.contains(&Report::Ended { voice: 1, at_boot_ns: 250 * MS, accepted: 250, how: Ending::Quiet }));
        assert!(reports.contains(&Report::Refused { voice: 2, why: NotBegun::Quiet }));
    }

    #[test]
    fn an_emergency_passes_quiet_hours() {
        let mut r = Renderer::new(1000, 1);
        r.set_gate(vec![(0, 400 * MS)]);
        r.place(Placed { passes_quiet: true, ..at(1, 100) }, level(100, 1.0));
        let (out, _) = run(&mut r, 300, 30);
        assert_eq!(out.iter().filter(|s| **s == 1.0).count(), 100);
    }

    #[test]
    fn one_that_joins_late_inside_its_clip_stays_with_the_session_clock() {
        let mut r = Renderer::new(1000, 1);
        let joined = Placed { start_by_boot_ns: 400 * MS, fade_in: true, ..at(1, -30) };
        r.place(joined, level(50, 0.5));
        let (out, reports) = run(&mut r, 100, 10);
        assert_eq!(reports[0], Report::Began { voice: 1, at_boot_ns: 0, late_ns: 30 * MS });
        // Thirty of its fifty samples belong to time that is gone.
        assert!(out[20..].iter().all(|s| *s == 0.0), "{out:?}");
        assert!(out[18] != 0.0);
    }

    #[test]
    fn late_samples_are_skipped_so_that_the_rest_stays_on_time() {
        let mut r = Renderer::new(1000, 1);
        // Nothing in the second buffer; the third skips what belonged there.
        let feed = Test { left: 300, next: 1.0 / 1024.0, step: 1.0 / 1024.0, ready: true, starve: vec![50, 0, 50, 50] };
        r.place(at(1, 0), feed);
        let (out, reports) = run(&mut r, 200, 50);
        assert_eq!(out[49], 50.0 / 1024.0);
        assert!(out[50..100].iter().all(|s| *s == 0.0));
        assert_eq!(out[100], 101.0 / 1024.0);
        assert!(matches!(reports[..], [Report::Began { .. }]));
        assert_eq!(r.sounding(), Some((1, 150)));
    }

    #[test]
    fn loud_gains_are_clamped_and_broken_samples_silent() {
        let mut r = Renderer::new(1000, 1);
        r.place(Placed { gain: 4.0, ..at(1, 0) }, level(10, 0.9));
        r.place(at(2, 20), level(10, f32::NAN));
        let (out, _) = run(&mut r, 40, 40);
        assert_eq!(out[5], 1.0);
        assert!(out[20..].iter().all(|s| *s == 0.0));
    }

    #[test]
    fn the_timeline_forgets_a_held_up_thread_and_follows_a_real_gap() {
        let mut t = Timeline::default();
        for i in 0..20i64 {
            let late = if i % 4 == 1 { 30 * MS } else { (i % 3) * 10_000 };
            let placed = t.place(i * 100 * MS + late, 100, 1000);
            if i > 1 {
                assert!((placed - i * 100 * MS).abs() <= 20_000, "{i}: {placed}");
            }
        }
        let mut last = 0;
        for i in 20..24i64 {
            last = t.place(i * 100 * MS + 500 * MS, 100, 1000);
        }
        assert_eq!(last, 23 * 100 * MS + 500 * MS);
    }

    #[derive(Clone, Debug)]
    struct Hostile {
        at: i64,
        by: i64,
        length: usize,
        gain: f32,
        flags: u8,
        end: Option<i64>,
        starve: Vec<usize>,
    }

    fn hostile() -> impl Strategy<Value = Hostile> {
        (
            -50i64..700,
            0i64..300,
            0usize..400,
            0.1f32..8.0,
            any::<u8>(),
            proptest::option::of(-10i64..700),
            proptest::collection::vec(0usize..120, 0..4),
        )
            .prop_map(|(at, by, length, gain, flags, end, starve)| Hostile {
                at,
                by,
                length,
                gain,
                flags,
                end,
                starve,
            })
    }

    /// `LOAXA_CASES` sets how many are tried.
    fn cases() -> u32 {
        std::env::var("LOAXA_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2_000, ..ProptestConfig::default() })]
        /// Voices that may not pass sound positive, the others negative: inside a quiet interval no positive
        /// sample ever leaves, whatever the buffers, voices, cuts and jumps in time.
        #[test]
        fn nothing_leaves_inside_quiet_hours(
            voices in proptest::collection::vec(hostile(), 1..5),
            gates in proptest::collection::vec((-50i64..700, -20i64..200), 0..4),
            late_gate in proptest::option::of((0usize..8, -50i64..700, 0i64..200)),
            buffers in proptest::collection::vec((1usize..160, -3_000_000i64..3_000_000, 0u8..20), 4..10),
            cut in (0u64..5, 0usize..8, proptest::option::of(-10i64..700)),
        ) {
            let mut r = Renderer::new(1000, 1);
            let mut gate: Vec<(i64, i64)> = gates.iter().map(|(a, l)| (a * MS, (a + l) * MS)).collect();
            r.set_gate(gate.clone());
            for (i, v) in voices.iter().enumerate() {
                let passes = v.flags & 1 != 0;
                let mut feed = level(v.length, if passes { -0.5 } else { 0.5 });
                feed.ready = v.flags & 8 == 0 || v.flags & 16 == 0;
                feed.starve = v.starve.clone();
                r.place(Placed {
                    voice: i as u64,
                    at_boot_ns: v.at * MS,
                    start_by_boot_ns: (v.at + v.by) * MS,
                    gain: v.gain,
                    seam: v.flags & 2 != 0,
                    takes_over: v.flags & 4 != 0,
                    end_by_boot_ns: v.end.map(|e| e * MS),
                    passes_quiet: passes,
                    fade_in: v.flags & 32 != 0,
                }, feed);
            }
            let mut reports = Vec::new();
            let mut now = 0i64;
            let (mut begun, mut heard) = (vec![0; voices.len()], 0u64);
            for (n, (frames, jitter, jump)) in buffers.iter().enumerate() {
                if cut.1 == n { r.cut(cut.0, cut.2.map(|e| e * MS)); }
                if let Some((_, a, l)) = late_gate.filter(|g| g.0 == n) {
                    gate.push((a * MS, (a + l) * MS));
                    r.set_gate(gate.clone());
                }
                let first = now + jitter + if *jump == 0 { 90 * MS } else { 0 };
                let mut out = vec![9.0f32; *frames];
                r.render(first, &mut out, &mut reports);
                for (f, sample) in out.iter().enumerate() {
                    prop_assert!(sample.abs() <= 1.0);
                    heard += u64::from(*sample != 0.0);
                    let t = first + f as i64 * MS;
                    if gate.iter().any(|(a, b)| *a <= t && t < *b) {
                        prop_assert!(*sample <= 0.0, "frame {} at {} sounds {} in quiet hours", f, t, sample);
                    }
                }
                now = first + *frames as i64 * MS;
            }
            // Each voice begins at most once, ends at most once and only after it began; what is counted as
            // accepted was heard or faded to nought.
            let mut accepted = r.sounding().map_or(0, |(_, n)| n);
            for report in &reports {
                match report {
                    Report::Began { voice, .. } => {
                        prop_assert_eq!(begun[*voice as usize], 0);
                        begun[*voice as usize] = 1;
                    }
                    Report::Ended { voice, accepted: n, .. } => {
                        prop_assert_eq!(begun[*voice as usize], 1);
                        begun[*voice as usize] = 2;
                        accepted += n;
                        prop_assert!(*n as usize <= voices[*voice as usize].length);
                    }
                    Report::Refused { voice, .. } => {
                        prop_assert_eq!(begun[*voice as usize], 0);
                        begun[*voice as usize] = 3;
                    }
                }
            }
            prop_assert!(accepted >= heard);
        }
    }
}
