//! Decoding: bytes of a clip into samples, by `symphonia` directly (mp3, ogg vorbis, flac, wav, m4a/aac; mono and
//! stereo; 8 to 96 kHz). What comes out is exactly what the encoder was given: encoder delay and padding of mp3 are
//! trimmed by symphonia, an m4a's edit list by this file, because symphonia 0.6.1 ignores it (sound 23 ms late and
//! 42 ms too long).
//!
//! More than two channels are refused with a sentence, not mixed down: what such a file means for a horn
//! loudspeaker is the editor's decision.
//!
//! A whole clip is measured in a child process with hard limits ([`measure_in_child`]), so that a hostile file can
//! cost the station neither memory nor time.

mod judged;

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use ebur128::{EbuR128, Mode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::common::Limit;
use symphonia::core::errors::Error as Symphonia;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::{TimeBase, Timestamp};

use crate::domain::render::{Format, NoPcm, Pcm};
use crate::domain::text::Text;

pub use judged::{Limits, Verdict, measure_in_child};

/// The lowest sample rate that plays, Hz.
pub const RATE_MIN: u32 = 8_000;
/// The highest sample rate that plays, Hz.
pub const RATE_MAX: u32 = 96_000;
/// The longest clip that is taken, milliseconds.
pub const LONGEST_MS: u64 = 4 * 3_600_000;

/// Packets in a row that cannot be decoded before the clip counts as broken.
const DAMAGED_IN_A_ROW: u32 = 50;

/// What is wrong with a clip that does not decode whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// There is no sound in it.
    NoSound,
    /// It ends before its own length.
    EndMissing,
    /// Parts of it do not decode.
    Parts,
    /// Its sample rate or channels change inside.
    Changes,
    /// Decoding takes longer than allowed.
    TooSlow,
    /// The process that decoded it ended so.
    Died(String),
    /// What the decoder says.
    Said(String),
}

/// Why a clip cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ClipError {
    /// There is no such file.
    #[error("no such file: {path}")]
    Missing {
        /// The file.
        path: String,
    },
    /// The file is there and cannot be read.
    #[error("cannot read {path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// It is a sound format that does not play here (AMR, Opus), or none at all.
    #[error("{path}: {format} does not play")]
    UnknownFormat {
        /// The file.
        path: String,
        /// The format, or `?`.
        format: String,
    },
    /// It decodes to nothing, or not whole.
    #[error("{path} is broken: {why:?}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: Wrong,
    },
    /// More than two channels, or a sample rate outside 8 to 96 kHz.
    #[error("{path}: {channels} channels at {rate} Hz do not play")]
    Unplayable {
        /// The file.
        path: String,
        /// Its channels.
        channels: usize,
        /// Its rate, Hz.
        rate: u32,
    },
    /// The process that was to look at it could not be shut in.
    #[error("cannot shut in the process that decodes: {why}")]
    NoFence {
        /// What the system says.
        why: String,
    },
    /// Longer than [`LONGEST_MS`].
    #[error("{path} is longer than {limit_ms} ms")]
    TooLong {
        /// The file.
        path: String,
        /// The limit, milliseconds.
        limit_ms: u64,
    },
}

impl ClipError {
    /// The sentence for people, with the way out.
    pub fn text(&self) -> Text {
        match self.clone() {
            ClipError::Missing { path } => Text::ClipMissingFile { path },
            ClipError::Unreadable { path, why } => Text::ClipUnreadable { path, why },
            ClipError::UnknownFormat { path, format } if format == "?" => Text::ClipUnknownFormat { path },
            ClipError::UnknownFormat { path, format } => Text::ClipOtherFormat { path, format },
            ClipError::Broken { path, why } => match why {
                Wrong::NoSound => Text::ClipNoSound { path },
                Wrong::EndMissing => Text::ClipEndMissing { path },
                Wrong::Parts => Text::ClipPartsBad { path },
                Wrong::Changes => Text::ClipChangesInside { path },
                Wrong::TooSlow => Text::ClipTooSlow { path },
                Wrong::Died(how) => Text::ClipDecoderDied { path, how },
                Wrong::Said(why) => Text::ClipBroken { path, why },
            },
            ClipError::Unplayable { path, channels, rate } => Text::ClipUnplayable { path, channels, rate },
            ClipError::NoFence { why } => Text::ClipNoFence { why },
            ClipError::TooLong { path, limit_ms } => Text::ClipTooLong { path, hours: limit_ms / 3_600_000 },
        }
    }
}

/// A clip being decoded.
pub struct Decoder {
    path: String,
    /// The same file, for starting over.
    again: File,
    reader: Box<dyn FormatReader>,
    codec: Box<dyn AudioDecoder>,
    track: u32,
    time_base: Option<TimeBase>,
    spec: Format,
    total: Option<u64>,
    /// Frames at the beginning of what the codec puts out that are not the clip's.
    lead: u64,
    /// Frames of the codec's output so far.
    raw: u64,
    /// Decoded and not yet handed out, interleaved.
    pending: Vec<f32>,
    scratch: Vec<f32>,
    damaged: u32,
    damaged_in_a_row: u32,
    packets: u32,
    ended: bool,
}

impl Decoder {
    /// Opens a clip and decodes its first packet.
    pub fn open(path: &Path) -> Result<Decoder, ClipError> {
        let name = path.display().to_string();
        let unreadable = |e: std::io::Error| match e.kind() {
            ErrorKind::NotFound => ClipError::Missing { path: name.clone() },
            _ => ClipError::Unreadable { path: name.clone(), why: e.to_string() },
        };
        let file = File::open(path).map_err(unreadable)?;
        Decoder::from_file(file, path)
    }

    /// Decodes a file that is already open (what was hashed is what plays), from its beginning; `path` is only for
    /// messages.
    pub fn from_file(mut file: File, path: &Path) -> Result<Decoder, ClipError> {
        let name = path.display().to_string();
        let unreadable = |e: std::io::Error| ClipError::Unreadable { path: name.clone(), why: e.to_string() };
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let again = file.try_clone().map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(ClipError::Unreadable { path: name, why: "not a regular file".into() });
        }
        let mut head = [0u8; 64];
        let mut filled = 0;
        while filled < head.len() {
            match file.read(&mut head[filled..]).map_err(unreadable)? {
                0 => break,
                n => filled += n,
            }
        }
        if filled == 0 {
            return Err(ClipError::Broken { path: name, why: Wrong::NoSound });
        }
        let other = |format: &str| ClipError::UnknownFormat { path: name.clone(), format: format.into() };
        if head.starts_with(b"#!AMR") {
            return Err(other("AMR"));
        }
        if head.starts_with(b"OggS") && head[28..].starts_with(b"OpusHead") {
            return Err(other("Opus"));
        }
        let is_mp4 = &head[4..8] == b"ftyp";
        let edit = if is_mp4 { edit_list(&mut file) } else { None };
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;

        let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
        // Cover pictures and long tags are of no use here and cost memory.
        let tags = MetadataOptions::default()
            .limit_tag_bytes(Limit::Maximum(64 * 1024))
            .limit_visual_bytes(Limit::Maximum(64 * 1024));
        let reader = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), tags)
            .map_err(|e| match e {
                Symphonia::IoError(e) if e.kind() != ErrorKind::UnexpectedEof => unreadable(e),
                Symphonia::IoError(_) | Symphonia::Unsupported(_) => other("?"),
                e => ClipError::Broken { path: name.clone(), why: Wrong::Said(e.to_string()) },
            })?;
        let track =
            reader.default_track(TrackType::Audio).ok_or_else(|| if is_mp4 { other("3GP/MP4") } else { other("?") })?;
        let Some(CodecParameters::Audio(parameters)) = track.codec_params.clone() else {
            return Err(other(if is_mp4 { "3GP/MP4" } else { "?" }));
        };
        let codec = symphonia::default::get_codecs()
            .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
            .map_err(|e| match e {
            Symphonia::Unsupported(_) if is_mp4 => other("3GP (AMR)"),
            Symphonia::Unsupported(_) => other("?"),
            e => ClipError::Broken { path: name.clone(), why: Wrong::Said(e.to_string()) },
        })?;
        let (id, time_base, total) = (track.id, track.time_base, track.num_frames);
        let mut decoder = Decoder {
            path: name,
            again,
            codec,
            track: id,
            time_base,
            spec: Format { rate: 0, channels: 0 },
            total,
            lead: 0,
            raw: 0,
            pending: Vec::new(),
            scratch: Vec::new(),
            damaged: 0,
            damaged_in_a_row: 0,
            packets: 0,
            ended: false,
            reader,
        };
        // Only the first sound tells rate and channels for certain.
        while decoder.pending.is_empty() && !decoder.ended {
            decoder.advance()?;
        }
        if decoder.spec.rate == 0 {
            return Err(decoder.broken(Wrong::NoSound));
        }
        if let Some(edit) = edit {
            let scale = |units: u64, per_second: u64| {
                (u128::from(units) * u128::from(decoder.spec.rate) + u128::from(per_second) / 2)
                    .checked_div(u128::from(per_second))
                    .map(|n| n as u64)
            };
            if let Some(lead) = scale(edit.media_time, edit.media_scale) {
                decoder.lead = lead;
                let kept = scale(edit.media_duration.saturating_sub(edit.media_time), edit.media_scale);
                let shown = scale(edit.shown, edit.movie_scale).filter(|_| edit.shown > 0);
                // The movie's clock is often only a millisecond fine; the media's own length is exact. Where they
                // agree within a tick the exact one holds, else the list was cut on purpose.
                let tick = scale(1, edit.movie_scale).unwrap_or(0) + 1;
                decoder.total = match (kept, shown) {
                    (Some(kept), Some(shown)) if kept.abs_diff(shown) <= tick => Some(kept),
                    (kept, shown) => shown.or(kept),
                };
            }
        }
        decoder.trim(0);
        Ok(decoder)
    }

    /// Rate and channels.
    pub fn spec(&self) -> Format {
        self.spec
    }

    /// The clip's length in frames as its container says, if it does.
    pub fn total_frames(&self) -> Option<u64> {
        self.total
    }

    /// Packets that could not be decoded and were replaced by silence of their length.
    pub fn damaged(&self) -> u32 {
        self.damaged
    }

    /// Appends the next samples, interleaved in [`Format::channels`], and says how many frames came; 0 at the end.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, ClipError> {
        while self.pending.is_empty() {
            if self.ended {
                return Ok(0);
            }
            let before = self.raw;
            self.advance()?;
            self.trim(before);
        }
        out.extend_from_slice(&self.pending);
        let frames = self.pending.len() / usize::from(self.spec.channels);
        self.pending.clear();
        Ok(frames)
    }

    /// Goes to a place inside the clip, exact to the frame, `ms` from its beginning. Past the end there is nothing
    /// left to read. Meant to be called once, before the first [`Decoder::read`].
    pub fn skip_to(&mut self, ms: u64) -> Result<(), ClipError> {
        let target = self.lead + (u128::from(ms) * u128::from(self.spec.rate) / 1000) as u64;
        // The codec needs a run-up: mp3 its bit reservoir, vorbis the packet before.
        let run_up = u64::from(self.spec.rate) * 3 / 2;
        if target > 3 * run_up && !self.seek(target, target - run_up) {
            // A reader that cannot seek, or lands wrong: from the beginning, which is exact everywhere.
            let unreadable = |e: std::io::Error| ClipError::Unreadable { path: self.path.clone(), why: e.to_string() };
            let again = self.again.try_clone().map_err(unreadable)?;
            *self = Decoder::from_file(again, Path::new(&self.path.clone()))?;
        }
        let channels = usize::from(self.spec.channels);
        loop {
            let have = (self.pending.len() / channels) as u64;
            let first = self.raw - have;
            if first >= target || (self.ended && have == 0) {
                return Ok(());
            }
            let drop = (target - first).min(have) as usize;
            self.pending.drain(..drop * channels);
            if self.pending.is_empty() && !self.ended {
                let before = self.raw;
                self.advance()?;
                self.trim(before);
            }
        }
    }

    /// Seeks to raw frame `near` and decodes until the position is known; false when it does not end up before
    /// `target`.
    fn seek(&mut self, target: u64, near: u64) -> bool {
        let Some(base) = self.time_base else { return false };
        let to_units = |frames: u64| {
            let units = u128::from(frames) * u128::from(base.denom.get())
                / (u128::from(base.numer.get()) * u128::from(self.spec.rate));
            i64::try_from(units).ok()
        };
        let Some(ts) = to_units(near) else { return false };
        let to = SeekTo::Timestamp { ts: Timestamp::new(ts), track_id: self.track };
        if self.reader.seek(SeekMode::Accurate, to).is_err() {
            return false;
        }
        self.codec.reset();
        self.pending.clear();
        for packet in 0.. {
            let Ok(Some(next)) = self.reader.next_packet() else { return false };
            if next.track_id != self.track {
                continue;
            }
            let Ok(at) = u128::try_from(next.pts.get()) else { return false };
            let at = at * u128::from(base.numer.get()) * u128::from(self.spec.rate);
            if at % u128::from(base.denom.get()) != 0 {
                return false;
            }
            let at = (at / u128::from(base.denom.get())) as u64;
            let decoded = match self.codec.decode(&next) {
                Ok(decoded) => decoded,
                Err(_) if packet < 2 => continue,
                Err(_) => return false,
            };
            let frames = decoded.frames();
            if packet < 2 {
                continue;
            }
            if at + frames as u64 > target {
                return false;
            }
            // From here on the position is certain.
            self.raw = at + frames as u64;
            return true;
        }
        false
    }

    /// Decodes one packet into `pending`.
    fn advance(&mut self) -> Result<(), ClipError> {
        let packet = loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => break packet,
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.ended = true;
                    return Ok(());
                }
                // A file cut short: what there is plays, and `measure` says that something is missing.
                Err(Symphonia::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => {
                    self.ended = true;
                    return Ok(());
                }
                Err(Symphonia::IoError(e)) => {
                    return Err(ClipError::Unreadable { path: self.path.clone(), why: e.to_string() });
                }
                Err(e) => return Err(self.broken(Wrong::Said(e.to_string()))),
            }
        };
        self.packets += 1;
        match self.codec.decode(&packet) {
            Ok(decoded) => {
                self.damaged_in_a_row = 0;
                if decoded.frames() == 0 {
                    return Ok(());
                }
                let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
                if self.spec.rate == 0 {
                    if !(RATE_MIN..=RATE_MAX).contains(&rate) || !(1..=2).contains(&channels) {
                        return Err(ClipError::Unplayable { path: self.path.clone(), channels, rate });
                    }
                    self.spec = Format { rate, channels: channels as u16 };
                } else if rate != self.spec.rate {
                    return Err(self.broken(Wrong::Changes));
                }
                let frames = decoded.frames();
                decoded.copy_to_vec_interleaved(&mut self.scratch);
                match (channels, self.spec.channels) {
                    (have, want) if have == usize::from(want) => self.pending.extend_from_slice(&self.scratch),
                    (1, _) => self.pending.extend(self.scratch.iter().flat_map(|s| [*s, *s])),
                    (2, _) => self.pending.extend(self.scratch.chunks_exact(2).map(|s| (s[0] + s[1]) / 2.0)),
                    _ => return Err(self.broken(Wrong::Changes)),
                }
                self.raw += frames as u64;
            }
            Err(Symphonia::DecodeError(_) | Symphonia::IoError(_)) => {
                self.damaged += 1;
                self.damaged_in_a_row += 1;
                if self.damaged_in_a_row > DAMAGED_IN_A_ROW {
                    return Err(self.broken(Wrong::Parts));
                }
                // Silence of the packet's length keeps what follows at its time.
                if self.spec.rate != 0
                    && let Some(base) = self.time_base
                {
                    let frames =
                        u128::from(packet.dur.get()) * u128::from(base.numer.get()) * u128::from(self.spec.rate)
                            / u128::from(base.denom.get());
                    let frames = frames.min(u128::from(self.spec.rate)) as usize;
                    self.pending.extend(std::iter::repeat_n(0.0, frames * usize::from(self.spec.channels)));
                    self.raw += frames as u64;
                }
            }
            Err(e) => return Err(self.broken(Wrong::Said(e.to_string()))),
        }
        Ok(())
    }

    /// Drops from `pending`, whose first frame is raw frame `first`, what the edit list leaves out.
    fn trim(&mut self, first: u64) {
        let channels = usize::from(self.spec.channels.max(1));
        let frames = (self.pending.len() / channels) as u64;
        if self.lead == 0 {
            return;
        }
        if let Some(total) = self.total {
            let keep = (self.lead + total).saturating_sub(first).min(frames);
            self.pending.truncate(keep as usize * channels);
            if first + frames >= self.lead + total {
                self.ended = true;
                self.raw = self.raw.min(first + keep);
            }
        }
        let kept = (self.pending.len() / channels) as u64;
        let drop = self.lead.saturating_sub(first).min(kept);
        self.pending.drain(..drop as usize * channels);
    }

    fn broken(&self, why: Wrong) -> ClipError {
        ClipError::Broken { path: self.path.clone(), why }
    }
}

impl Pcm for Decoder {
    fn format(&self) -> Format {
        self.spec
    }

    fn total_frames(&self) -> Option<u64> {
        self.total
    }

    fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, String> {
        Decoder::read(self, out).map_err(|e| e.to_string())
    }
}

/// Opens a clip for playing: hashes it where a hash is planned, then decodes the very file that was hashed, from
/// `offset_ms` on. What the speaker is given as [`crate::domain::render::OpenPcm`].
pub fn open_verified(path: &Path, sha256: Option<[u8; 32]>, offset_ms: u64) -> Result<Box<dyn Pcm>, Box<NoPcm>> {
    let bad = |e: ClipError| match e {
        ClipError::Missing { .. } => NoPcm::Missing,
        e => NoPcm::Bad(e.text()),
    };
    let name = path.display().to_string();
    let unreadable = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => NoPcm::Missing,
        _ => NoPcm::Bad(Text::ClipUnreadable { path: name.clone(), why: e.to_string() }),
    };
    let mut file = File::open(path).map_err(unreadable)?;
    if let Some(planned) = sha256 {
        let mut hash = Sha256::new();
        let mut block = vec![0u8; 64 * 1024];
        loop {
            match file.read(&mut block) {
                Ok(0) => break,
                Ok(n) => hash.update(&block[..n]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(e).into()),
            }
        }
        if hash.finalize()[..] != planned[..] {
            return Err(NoPcm::Bad(Text::ClipChanged { path: name }).into());
        }
    }
    let mut decoder = Decoder::from_file(file, path).map_err(bad)?;
    if offset_ms > 0 {
        decoder.skip_to(offset_ms).map_err(bad)?;
    }
    Ok(Box::new(decoder))
}

/// The first real edit of an mp4's first sound track.
struct Edit {
    /// Where the clip begins, in the media's units.
    media_time: u64,
    /// How long it is, in the movie's units.
    shown: u64,
    media_scale: u64,
    media_duration: u64,
    movie_scale: u64,
}

/// Reads `moov/trak/edts/elst` of the first sound track; none when there is none or it makes no sense.
fn edit_list(file: &mut File) -> Option<Edit> {
    const LARGEST: u64 = 16 * 1024 * 1024;
    let mut at = 0u64;
    let moov = loop {
        file.seek(SeekFrom::Start(at)).ok()?;
        let mut head = [0u8; 16];
        file.read_exact(&mut head[..8]).ok()?;
        let mut size = u64::from(be32(&head, 0)?);
        let mut header = 8;
        if size == 1 {
            file.read_exact(&mut head[8..]).ok()?;
            size = be64(&head, 8)?;
            header = 16;
        }
        if &head[4..8] == b"moov" {
            if size < header || size > LARGEST {
                return None;
            }
            let mut body = vec![0; (size - header) as usize];
            file.read_exact(&mut body).ok()?;
            break body;
        }
        if size < header {
            return None;
        }
        at = at.checked_add(size)?;
    };
    let movie = boxes(&moov).find(|(kind, _)| *kind == b"mvhd")?.1;
    let movie_scale = u64::from(be32(movie, if *movie.first()? == 1 { 20 } else { 12 })?);
    let child = |body: &'_ [u8], kind: &[u8; 4]| boxes(body).find(|(k, _)| *k == kind).map(|(_, b)| b.to_vec());
    for (_, track) in boxes(&moov).filter(|(kind, _)| *kind == b"trak") {
        let media = child(track, b"mdia")?;
        if child(&media, b"hdlr")?.get(8..12)? != b"soun" {
            continue;
        }
        let header = child(&media, b"mdhd")?;
        let (media_scale, media_duration) = match header.first()? {
            1 => (be32(&header, 20)?, be64(&header, 24)?),
            _ => (be32(&header, 12)?, u64::from(be32(&header, 16)?)),
        };
        let list = child(&child(track, b"edts")?, b"elst")?;
        let wide = *list.first()? == 1;
        let entry = if wide { 20 } else { 12 };
        for i in 0..(be32(&list, 4)? as usize).min(64) {
            let o = 8 + i * entry;
            let (shown, media_time) = if wide {
                (be64(&list, o)?, be64(&list, o + 8)? as i64)
            } else {
                (u64::from(be32(&list, o)?), i64::from(be32(&list, o + 4)? as i32))
            };
            if let Ok(media_time) = u64::try_from(media_time)
                && media_scale > 0
                && movie_scale > 0
            {
                let media_scale = u64::from(media_scale);
                return Some(Edit { media_time, shown, media_scale, media_duration, movie_scale });
            }
        }
        return None;
    }
    None
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// The boxes side by side in an mp4 box's body.
fn boxes(mut body: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = be32(body, 0)? as usize;
        let kind: &[u8; 4] = body.get(4..8)?.try_into().ok()?;
        let inner = body.get(8..size)?;
        body = &body[size..];
        Some((kind, inner))
    })
}

/// What is known of a clip once it was decoded whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Length, rounded to the nearest millisecond.
    pub duration_ms: u64,
    /// Length in frames.
    pub frames: u64,
    /// Frames a second.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Integrated loudness (EBU R 128); none when the clip is too short or too quiet to have one.
    pub loudness_lufs: Option<f64>,
    /// True peak, dB of full scale; none for digital silence.
    pub true_peak_db: Option<f64>,
}

/// Decodes a whole clip and measures it. Broken when a part is missing or more than a hundredth does not decode.
pub fn measure(path: &Path) -> Result<Measured, ClipError> {
    let mut decoder = Decoder::open(path)?;
    let spec = decoder.spec();
    let broken =
        |e: ebur128::Error| ClipError::Broken { path: path.display().to_string(), why: Wrong::Said(format!("{e:?}")) };
    let mut meter = EbuR128::new(u32::from(spec.channels), spec.rate, Mode::I | Mode::TRUE_PEAK).map_err(broken)?;
    let limit = LONGEST_MS * u64::from(spec.rate) / 1000;
    let (mut frames, mut block) = (0u64, Vec::new());
    loop {
        block.clear();
        let n = decoder.read(&mut block)?;
        if n == 0 {
            break;
        }
        frames += n as u64;
        if frames > limit {
            return Err(ClipError::TooLong { path: path.display().to_string(), limit_ms: LONGEST_MS });
        }
        meter.add_frames_f32(&block).map_err(broken)?;
    }
    if frames * 1000 < u64::from(spec.rate) {
        return Err(decoder.broken(Wrong::NoSound));
    }
    if decoder.total_frames().is_some_and(|total| frames < total - total / 50) {
        return Err(decoder.broken(Wrong::EndMissing));
    }
    if decoder.damaged > 2 + decoder.packets / 100 {
        return Err(decoder.broken(Wrong::Parts));
    }
    let peak = (0..u32::from(spec.channels)).filter_map(|c| meter.true_peak(c).ok()).fold(0.0, f64::max);
    // A hundredth of a dB is more than anybody hears, and the same however it is written and read.
    let hundredths = |db: f64| Some((db * 100.0).round() / 100.0).filter(|db| db.is_finite());
    let peak_db = 20.0 * peak.log10();
    Ok(Measured {
        duration_ms: (frames * 1000 + u64::from(spec.rate) / 2) / u64::from(spec.rate),
        frames,
        rate: spec.rate,
        channels: spec.channels,
        loudness_lufs: meter.loudness_global().ok().and_then(hundredths),
        true_peak_db: hundredths(peak_db),
    })
}
