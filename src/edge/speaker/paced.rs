//! Devices that are none: silence and a recording, both paced in real time.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::alsa::to_i16;
use super::stream::{Stream, Taker, Way, shared};
use super::{MS, Message};
use crate::domain::config::Device;
use crate::domain::render::Format;
use crate::domain::text::Text;
use crate::domain::time::Clock;

/// Silence or a file, in real time.
pub(super) fn open_paced(
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
pub(super) struct WavFile {
    file: File,
    pub(super) format: Format,
    data_bytes: u64,
    header_at: u64,
    bytes: Vec<u8>,
}

impl WavFile {
    const HEADER: u64 = 44;
    /// The format's sizes are 32 bits wide.
    const MOST: u64 = 0xFFFF_0000;

    pub(super) fn open(path: &Path, wanted: Format) -> std::io::Result<WavFile> {
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
