//! ALSA's devices, through cpal: their names, how one is opened, and the calls in which it asks for sound.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use rodio::cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use rodio::cpal::{self, BufferSize, Data, DeviceId, HostId, SampleFormat, StreamConfig, SupportedBufferSize};

use super::Message;
use super::stream::{Shared, Stream, Taker, Way, shared};
use crate::domain::render::{Format, Timeline};
use crate::domain::text::Text;
use crate::domain::time::Clock;

/// ALSA's buffer is two of these.
const PERIOD_MS: u32 = 100;
/// Callbacks whose timestamps say nothing yet, because the stream has not started.
const UNSETTLED: u32 = 3;

/// The sample formats a stream may have, best first.
const SAMPLE_FORMATS: [SampleFormat; 3] = [SampleFormat::F32, SampleFormat::I32, SampleFormat::I16];

pub(super) fn open_alsa(
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
pub(super) fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
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
