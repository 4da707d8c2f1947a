//! A sound card for machines without one: a private PulseAudio with a null sink, paced in real time, recorded with
//! exact times. Clips carry marks of their own at both ends, so that a test hears *which* clip sounded, when, and
//! whether all of it did.
//!
//! Needs `pulseaudio`, `parec`, `pactl`, ALSA's `pulse` plugin, and `ffmpeg` or `sox` for encoded clips.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)] // shared by tests that use parts; they read clocks

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use realfft::RealFftPlanner;

/// Frames a second of sink and recording.
pub const RATE: u32 = 48_000;
/// The recorder's latency: the block in which the null sink renders.
const LATENCY_MS: u32 = 2;

/// Wall time in nanoseconds.
pub fn wall_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}

static HERE: OnceLock<tempfile::TempDir> = OnceLock::new();
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A running sound server with one null sink.
pub struct Rig {
    dir: PathBuf,
    server: Option<Child>,
    _temp: Option<tempfile::TempDir>,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Rig {
    /// A server of its own in a folder of its own; give [`Rig::env`] to the processes that are to use it.
    pub fn start() -> Rig {
        // One sound server at a time: a small machine has not the time for several that are listened to.
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
        let temp = tempfile::tempdir().unwrap();
        let mut rig = Rig { dir: temp.path().to_owned(), server: None, _temp: Some(temp), _turn: Some(turn) };
        rig.prepare();
        rig.revive();
        rig
    }

    /// A server for this very process: one at a time, the environment is set once.
    pub fn here() -> Rig {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
        let dir = HERE
            .get_or_init(|| {
                let temp = tempfile::tempdir().unwrap();
                let rig = Rig { dir: temp.path().to_owned(), server: None, _temp: None, _turn: None };
                rig.prepare();
                for (key, value) in rig.env() {
                    // SAFETY: every test that reads or writes the environment goes through this lock first.
                    unsafe { std::env::set_var(key, value) };
                }
                temp
            })
            .path()
            .to_owned();
        let mut rig = Rig { dir, server: None, _temp: None, _turn: Some(turn) };
        rig.revive();
        rig
    }

    fn prepare(&self) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&self.dir, std::fs::Permissions::from_mode(0o700)).unwrap();
        for sub in ["pulse", "state"] {
            std::fs::create_dir_all(self.dir.join(sub)).unwrap();
        }
        let rc = "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse hint { show on description \"rig\" } }\nctl.!default { type pulse }\n";
        std::fs::write(self.dir.join("asoundrc"), rc).unwrap();
    }

    /// What a process needs in its environment to find the server as ALSA's `default`.
    pub fn env(&self) -> Vec<(String, String)> {
        let at = |name: &str| self.dir.join(name).display().to_string();
        vec![
            ("XDG_RUNTIME_DIR".into(), self.dir.display().to_string()),
            ("PULSE_RUNTIME_PATH".into(), at("pulse")),
            ("PULSE_STATE_PATH".into(), at("state")),
            ("PULSE_SERVER".into(), format!("unix:{}", at("pulse.sock"))),
            ("ALSA_CONFIG_PATH".into(), at("asoundrc")),
        ]
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).envs(self.env()).stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn pactl(&self, arguments: &[&str]) -> bool {
        self.tool("pactl", arguments).stdout(Stdio::null()).status().is_ok_and(|s| s.success())
    }

    /// Starts the server (again) and waits until it answers.
    pub fn revive(&mut self) {
        let _ = std::fs::remove_file(self.dir.join("pulse.sock"));
        let socket = format!("module-native-protocol-unix socket={}/pulse.sock auth-anonymous=1", self.dir.display());
        let server = self
            .tool("pulseaudio", &["-n", "-F", "/dev/null", "--daemonize=no", "--exit-idle-time=-1"])
            .args(["--use-pid-file=no", "--high-priority=no", "-L", &sink(), "-L", &socket])
            .stdout(Stdio::null())
            .spawn()
            .expect("pulseaudio is not installed");
        self.server = Some(server);
        for _ in 0..200 {
            if self.pactl(&["info"]) {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("pulseaudio does not answer");
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.server.as_ref().expect("no server").id();
        let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The server is gone, as after a crash.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// The server answers nobody.
    pub fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// It answers again.
    pub fn thaw(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    /// The card is pulled out.
    pub fn remove_sink(&self) {
        assert!(self.pactl(&["unload-module", "module-null-sink"]));
    }

    /// And plugged in again.
    pub fn restore_sink(&self) {
        let sink = sink();
        let words: Vec<&str> = std::iter::once("load-module").chain(sink.split(' ')).collect();
        assert!(self.pactl(&words));
    }

    /// Records the sink from now on. Start it before what is to be heard, or the sink renders in blocks of 2 s.
    pub fn record(&self) -> Recorder {
        let mut child = self
            .tool("parec", &["--raw", "-d", "rig.monitor", "--format=s16le", "--channels=1"])
            .arg(format!("--rate={RATE}"))
            .arg(format!("--latency-msec={LATENCY_MS}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("parec is not installed");
        let mut out = child.stdout.take().unwrap();
        let taken = Arc::new(Mutex::new(Taken::default()));
        let shared = taken.clone();
        let pump = std::thread::spawn(move || {
            let mut block = [0u8; 1 << 16];
            while let Ok(n @ 1..) = out.read(&mut block) {
                let now = wall_ns();
                let mut taken = shared.lock().unwrap();
                taken.bytes.extend_from_slice(&block[..n]);
                let samples = taken.bytes.len() / 2;
                taken.stamps.push((now, samples));
            }
        });
        let until = Instant::now() + Duration::from_secs(10);
        while taken.lock().unwrap().bytes.len() < RATE as usize / 2 {
            assert!(Instant::now() < until, "nothing is recorded");
            std::thread::sleep(Duration::from_millis(10));
        }
        Recorder { child, pump: Some(pump), taken }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.thaw();
        }
        self.kill();
    }
}

fn sink() -> String {
    format!("module-null-sink sink_name=rig rate={RATE} channels=2 format=s16le")
}

#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    /// Wall time of a read, and samples read by then.
    stamps: Vec<(i64, usize)>,
}

/// A recording under way.
pub struct Recorder {
    child: Child,
    pump: Option<JoinHandle<()>>,
    taken: Arc<Mutex<Taken>>,
}

impl Recorder {
    /// Ends it.
    pub fn stop(mut self) -> Recording {
        std::thread::sleep(Duration::from_millis(150));
        self.end();
        let taken = std::mem::take(&mut *self.taken.lock().unwrap());
        let samples: Vec<f32> =
            taken.bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).collect();
        // Each read comes when its last sample is to sound one block later, or after: the earliest of each two
        // seconds is right. Two seconds, because the sink's clock runs up to 200 ppm fast.
        let per_ns = 1e9 / f64::from(RATE);
        let mut bins: Vec<(f64, f64)> = Vec::new();
        let mut bin: Vec<(f64, f64)> = Vec::new();
        let first = RATE as usize / 8;
        let mut edge = first + 2 * RATE as usize;
        let mut flush = |bin: &mut Vec<(f64, f64)>| {
            if !bin.is_empty() {
                let x = bin.iter().map(|b| b.0).sum::<f64>() / bin.len() as f64;
                let y = bin.iter().map(|b| b.1).fold(f64::MAX, f64::min);
                bins.push((x, y + f64::from(LATENCY_MS) * 1e6));
                bin.clear();
            }
        };
        let zero = taken.stamps.first().map_or(0, |s| s.0);
        for (wall, n) in taken.stamps.iter().filter(|(_, n)| *n > first) {
            if *n > edge {
                flush(&mut bin);
                edge += 2 * RATE as usize;
            }
            bin.push((*n as f64, (wall - zero) as f64 - *n as f64 * per_ns));
        }
        flush(&mut bin);
        Recording { samples, zero, bins }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a reference was heard.
#[derive(Clone, Copy, Debug)]
pub struct Onset {
    /// Wall time of its first sample, nanoseconds.
    pub wall_ns: i64,
    /// Index of that sample in the recording, with a fraction.
    pub sample: f64,
    /// Likeness, 0 to 1.
    pub score: f64,
}

/// What the sink played, mono, [`RATE`] Hz.
pub struct Recording {
    /// The samples.
    pub samples: Vec<f32>,
    zero: i64,
    bins: Vec<(f64, f64)>,
}

impl Recording {
    /// The wall time at which a sample sounded, nanoseconds.
    pub fn wall_ns(&self, sample: f64) -> i64 {
        let after = self.bins.partition_point(|b| b.0 < sample);
        let offset = match (after.checked_sub(1).map(|i| self.bins[i]), self.bins.get(after)) {
            (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (sample - a.0) / (b.0 - a.0),
            (Some(a), None) => a.1,
            (None, Some(b)) => b.1,
            (None, None) => 0.0,
        };
        self.zero + (sample * 1e9 / f64::from(RATE) + offset) as i64
    }

    /// The sample that sounded at a wall time.
    pub fn sample_at(&self, wall_ns: i64) -> usize {
        let guess = (wall_ns - self.wall_ns(0.0)) as f64 * f64::from(RATE) / 1e9;
        let guess = guess + (wall_ns - self.wall_ns(guess)) as f64 * f64::from(RATE) / 1e9;
        guess.max(0.0).round() as usize
    }

    /// Everywhere a reference was heard, in order, by normalised cross-correlation.
    pub fn onsets(&self, reference: &[f32]) -> Vec<Onset> {
        self.onsets_above(reference, 0.5)
    }

    /// As above, with the least likeness that counts.
    pub fn onsets_above(&self, reference: &[f32], least: f64) -> Vec<Onset> {
        let n = reference.len();
        if self.samples.len() <= n {
            return Vec::new();
        }
        let size = (4 * n).next_power_of_two().max(1 << 15);
        let mut planner = RealFftPlanner::<f32>::new();
        let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
        let mut buffer = vec![0f32; size];
        buffer[..n].copy_from_slice(reference);
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut buffer, &mut spectrum).unwrap();
        let reference_energy: f64 = reference.iter().map(|s| f64::from(*s).powi(2)).sum();
        let mut energy = Vec::with_capacity(self.samples.len() + 1);
        let mut sum = 0f64;
        energy.push(0.0);
        for s in &self.samples {
            sum += f64::from(*s).powi(2);
            energy.push(sum);
        }
        let floor = 0.002 * reference_energy;
        let count = self.samples.len() - n;
        let mut scores = vec![0f32; count];
        let step = size - n;
        let mut block = forward.make_output_vec();
        for start in (0..count).step_by(step) {
            let end = (start + size).min(self.samples.len());
            buffer.fill(0.0);
            buffer[..end - start].copy_from_slice(&self.samples[start..end]);
            forward.process(&mut buffer, &mut block).unwrap();
            for (b, s) in block.iter_mut().zip(&spectrum) {
                *b *= s.conj();
            }
            block[0].im = 0.0;
            block[size / 2].im = 0.0;
            inverse.process(&mut block, &mut buffer).unwrap();
            for (i, product) in buffer.iter().enumerate().take(step.min(count - start)) {
                let at = start + i;
                let here = (energy[at + n] - energy[at]).max(floor);
                scores[at] = (f64::from(*product) / size as f64 / (here * reference_energy).sqrt()) as f32;
            }
        }
        let mut candidates: Vec<usize> = (1..count.saturating_sub(1))
            .filter(|i| f64::from(scores[*i]) >= least && scores[*i] >= scores[i - 1] && scores[*i] > scores[i + 1])
            .collect();
        candidates.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let mut found: Vec<Onset> = Vec::new();
        for i in candidates {
            if found.iter().any(|f| (f.sample - i as f64).abs() < f64::from(RATE) / 4.0) {
                continue;
            }
            let (a, b, d) = (f64::from(scores[i - 1]), f64::from(scores[i]), f64::from(scores[i + 1]));
            let sample = i as f64 + if a - 2.0 * b + d == 0.0 { 0.0 } else { 0.5 * (a - d) / (a - 2.0 * b + d) };
            found.push(Onset { wall_ns: self.wall_ns(sample), sample, score: b });
        }
        found.sort_by(|a, b| a.sample.total_cmp(&b.sample));
        found
    }

    /// Loudest sample between two wall times.
    pub fn peak(&self, from_wall_ns: i64, to_wall_ns: i64) -> f32 {
        let (a, b) = (self.sample_at(from_wall_ns), self.sample_at(to_wall_ns).min(self.samples.len()));
        self.samples.get(a..b).unwrap_or(&[]).iter().fold(0.0, |m, s| m.max(s.abs()))
    }
}

/// How like two stretches of equal length are: signal to noise in dB of each 100 ms of `reference` against `heard`,
/// at the best common gain and (fractional) delay. Stretches of silence are left out.
pub fn snr_db(heard: &[f32], reference: &[f32]) -> Vec<f64> {
    let n = reference.len().min(heard.len());
    let size = (n + 64).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let wide = |x: &[f32]| {
        let mut v: Vec<f64> = x[..n].iter().map(|s| f64::from(*s)).collect();
        v.resize(size, 0.0);
        v
    };
    let heard = wide(heard);
    let (mut spectrum, mut other) = (forward.make_output_vec(), forward.make_output_vec());
    forward.process(&mut wide(reference), &mut spectrum).unwrap();
    forward.process(&mut heard.clone(), &mut other).unwrap();
    let turn = |k: usize, delay: f64| -2.0 * std::f64::consts::PI * k as f64 * delay / size as f64;
    let shifted = |delay: f64| {
        let mut s = spectrum.clone();
        for (k, c) in s.iter_mut().enumerate() {
            *c *= realfft::num_complex::Complex::from_polar(1.0, turn(k, delay));
        }
        s[0].im = 0.0;
        s[size / 2].im = 0.0;
        let mut out = inverse.make_output_vec();
        inverse.process(&mut s, &mut out).unwrap();
        out.iter_mut().for_each(|x| *x /= size as f64);
        out
    };
    let cross: Vec<(f64, f64)> = spectrum.iter().zip(&other).map(|(r, h)| h * r.conj()).map(|c| (c.re, c.im)).collect();
    let likeness = |delay: f64| {
        cross.iter().enumerate().map(|(k, (re, im))| re * turn(k, delay).cos() + im * turn(k, delay).sin()).sum::<f64>()
    };
    // The likeness is a hill around the right delay: climb it in ever smaller steps.
    let (mut centre, mut width) = (0.0, 2.0);
    for _ in 0..9 {
        let tried: Vec<(f64, f64)> =
            (-3..=3).map(|i| centre + width * f64::from(i) / 3.0).map(|delay| (likeness(delay), delay)).collect();
        centre = tried.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1;
        width /= 2.5;
    }
    let r = shifted(centre);
    let gain = r.iter().zip(&heard).map(|(r, h)| r * h).sum::<f64>() / r.iter().map(|r| r * r).sum::<f64>();
    let step = RATE as usize / 10;
    let power = |a: usize| r[a..a + step].iter().map(|x| (gain * x).powi(2)).sum::<f64>();
    let loudest = (0..n - step).step_by(step).map(power).fold(0.0, f64::max);
    (0..n - step)
        .step_by(step)
        .filter(|a| power(*a) > loudest / 1000.0)
        .map(|a| {
            let noise = (a..a + step).map(|i| (heard[i] - gain * r[i]).powi(2)).sum::<f64>();
            10.0 * (power(a) / noise.max(1e-12)).log10()
        })
        .collect()
}

/// Numbers that are the same every time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Between 0 and 1.
    pub fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Length of the marks at both ends of a clip, milliseconds.
pub const MARK_MS: usize = 250;

/// A sound that can be told from every other: forty tones between 300 and 3,300 Hz drawn by `seed`, at any rate.
pub fn mark(seed: u64, rate: u32) -> Vec<f32> {
    let mut dice = Dice::new(seed + 17);
    let tones: Vec<(f64, f64)> =
        (0..40).map(|_| (300.0 + 3000.0 * dice.roll(), dice.roll() * std::f64::consts::TAU)).collect();
    let frames = rate as usize * MARK_MS / 1000;
    (0..frames)
        .map(|i| {
            let t = i as f64 / f64::from(rate);
            let edge = (i.min(frames - 1 - i) as f64 / (f64::from(rate) * 0.002)).min(1.0);
            let sum: f64 = tones.iter().map(|(f, p)| (std::f64::consts::TAU * f * t + p).sin()).sum();
            (sum * 0.06 * edge) as f32
        })
        .collect()
}

/// A clip of a test: a mark of its own at each end, a soft tone between.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Where it is.
    pub file: PathBuf,
    /// Which marks it carries.
    pub seed: u64,
    /// Its length.
    pub ms: usize,
}

impl Clip {
    /// Makes `seed.EXT` in `dir`: `ext` is wav (written here), or what ffmpeg makes of mp3, ogg, flac, m4a.
    pub fn make(dir: &Path, seed: u64, ms: usize, rate: u32, channels: usize, ext: &str) -> Clip {
        assert!(ms >= 2 * MARK_MS);
        let frames = rate as usize * ms / 1000;
        let (first, last) = (mark(seed, rate), mark(seed + 1_000, rate));
        let mut samples: Vec<f32> = (0..frames)
            .map(|i| (0.02 * (i as f64 / f64::from(rate) * 440.0 * std::f64::consts::TAU).sin()) as f32)
            .collect();
        samples[..first.len()].copy_from_slice(&first);
        samples[frames - last.len()..].copy_from_slice(&last);
        let wav = dir.join(format!("{seed}.wav"));
        let wide: Vec<f32> = samples.iter().flat_map(|s| std::iter::repeat_n(*s, channels)).collect();
        write_wav(&wav, &wide, rate, channels);
        let file = dir.join(format!("{seed}.{ext}"));
        if ext != "wav" {
            encode(&wav, &file);
        }
        Clip { file, seed, ms }
    }

    /// The mark at its beginning as the recording has it.
    pub fn head(&self) -> Vec<f32> {
        mark(self.seed, RATE)
    }

    /// The mark at its end.
    pub fn tail(&self) -> Vec<f32> {
        mark(self.seed + 1_000, RATE)
    }

    /// What its file hashes to.
    pub fn sha256(&self) -> [u8; 32] {
        use sha2::Digest;
        sha2::Sha256::digest(std::fs::read(&self.file).unwrap()).into()
    }
}

/// Encodes a wav by the name of the target; panics when ffmpeg is not there.
pub fn encode(wav: &Path, to: &Path) {
    let codec: &[&str] = match to.extension().and_then(|e| e.to_str()) {
        Some("mp3") => &["-c:a", "libmp3lame", "-b:a", "128k"],
        Some("ogg") => &["-c:a", "libvorbis", "-q:a", "5"],
        Some("opus") => &["-c:a", "libopus"],
        _ => &[],
    };
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(wav)
        .args(codec)
        .arg(to)
        .stdin(Stdio::null())
        .status()
        .expect("ffmpeg is not installed");
    assert!(done.success(), "ffmpeg cannot make {}", to.display());
}

/// Writes 16-bit PCM.
pub fn write_wav(path: &Path, samples: &[f32], rate: u32, channels: usize) {
    let data: Vec<u8> =
        samples.iter().flat_map(|s| ((s * 32767.0).round().clamp(-32768.0, 32767.0) as i16).to_le_bytes()).collect();
    let mut out = Vec::with_capacity(44 + data.len());
    out.extend(b"RIFF");
    out.extend((36 + data.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    out.extend(1u16.to_le_bytes());
    out.extend((channels as u16).to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((rate * channels as u32 * 2).to_le_bytes());
    out.extend((channels as u16 * 2).to_le_bytes());
    out.extend(16u16.to_le_bytes());
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    std::fs::write(path, out).unwrap();
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
