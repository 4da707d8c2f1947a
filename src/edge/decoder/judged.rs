//! A clip measured in a child process that dies rather than cost the station memory or time.

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ClipError, Measured, Wrong};
use crate::domain::time::Clock;

/// How long a child may take to end once it has said its verdict, nanoseconds of boot time.
const ENDS_NS: i64 = 10_000_000_000;

/// The line a probing child prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The clip is good.
    Measured(Measured),
    /// It is not.
    Refused(ClipError),
}

/// What a probing child may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Address space, bytes.
    pub memory_bytes: u64,
    /// Processor time, seconds.
    pub cpu_s: u64,
    /// Time on the clock, milliseconds.
    pub wall_ms: i64,
}

impl Default for Limits {
    /// Ample for four hours of sound on a small box: decoding takes 9 MB and a few minutes there.
    fn default() -> Self {
        Limits { memory_bytes: 64 * 1024 * 1024, cpu_s: 600, wall_ms: 900_000 }
    }
}

/// Measures a clip in a child (`program probe FILE`, where `program` is this program) that limits itself before it
/// looks at the file. A child that dies, is killed or answers nonsense means a broken clip. Blocks: not for the
/// daemon's loop.
pub fn measure_in_child(program: &Path, path: &Path, limits: Limits, clock: &dyn Clock) -> Result<Measured, ClipError> {
    let name = path.display().to_string();
    let broken = |why| ClipError::Broken { path: name.clone(), why };
    if !path.exists() {
        return Err(ClipError::Missing { path: name });
    }
    let mut child = Command::new(program)
        .arg("probe")
        .args(["--memory-bytes", &limits.memory_bytes.to_string()])
        .args(["--cpu-s", &limits.cpu_s.to_string()])
        .arg("--")
        .arg(path)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| ClipError::Unreadable { path: name.clone(), why: format!("{}: {e}", program.display()) })?;
    let until = clock.now().boot_ns.saturating_add(limits.wall_ms.saturating_mul(1_000_000));
    let line = child.stdout.take().and_then(|out| read_until(out, until, clock));
    // Nothing more can come of one that has said its line.
    let status = line.as_ref().and_then(|_| ended(&mut child, clock.now().boot_ns.saturating_add(ENDS_NS), clock));
    let (Some(line), Some(status)) = (line, status) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(broken(Wrong::TooSlow));
    };
    match serde_json::from_str(&line) {
        Ok(Verdict::Measured(measured)) if status.success() => Ok(measured),
        Ok(Verdict::Refused(why)) if status.success() => Err(why),
        _ => Err(broken(Wrong::Died(status.to_string()))),
    }
}

/// What a child says until its standard output ends, as it does with the child at the latest; none when boot time
/// `until_ns` passes before. Looking again and again whether it is still there would find out late, clip by clip.
fn read_until(out: ChildStdout, until_ns: i64, clock: &dyn Clock) -> Option<String> {
    let (say, said) = mpsc::sync_channel(1);
    // Whoever does not wait any longer kills the child, and with that ends the thread.
    let reader = move || {
        let mut line = String::new();
        let _ = out.take(64 * 1024).read_to_string(&mut line);
        let _ = say.send(line);
    };
    std::thread::Builder::new().name("verdict".into()).stack_size(128 * 1024).spawn(reader).ok()?;
    loop {
        let left_ns = until_ns.saturating_sub(clock.now().boot_ns);
        // In pieces: the machine may sleep, and boot time goes on.
        let piece = Duration::from_nanos(u64::try_from(left_ns).ok()?.min(10_000_000_000));
        match said.recv_timeout(piece) {
            Ok(line) => return Some(line),
            Err(RecvTimeoutError::Timeout) if left_ns > 0 => {}
            Err(_) => return None,
        }
    }
}

/// The end of a child that is about to end; none when boot time `until_ns` passes before.
fn ended(child: &mut Child, until_ns: i64, clock: &dyn Clock) -> Option<ExitStatus> {
    let mut pause_us = 50;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if clock.now().boot_ns < until_ns => {
                std::thread::sleep(Duration::from_micros(pause_us));
                pause_us = (pause_us * 2).min(10_000);
            }
            Ok(None) | Err(_) => return None,
        }
    }
}
