//! From a clip's rate and channels to the stream's.

use std::collections::VecDeque;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, Fft, FixedAsync, FixedSync, Indexing, Resampler, SincInterpolationParameters, WindowFunction};

use crate::domain::render::Format;

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
