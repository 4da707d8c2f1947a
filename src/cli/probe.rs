//! `loaxa probe FILE`: measures one clip in this process, under limits of its own. Hidden: the daemon and `publish`
//! start it as a child, so that a hostile file hurts nobody else.

use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, nice, setrlimit};

use crate::cli::{Done, Failure};
use crate::edge::decoder::{self, ClipError, Verdict};
use crate::edge::fence;

/// How much later its turn comes than that of the program which started it (`nice`).
const BEHIND: i32 = 10;

/// What to probe, and with how much.
#[derive(clap::Args)]
pub struct Arguments {
    /// Tệp âm thanh (the audio file)
    file: PathBuf,
    /// Address space, bytes
    #[arg(long, default_value_t = decoder::Limits::default().memory_bytes)]
    memory_bytes: u64,
    /// Processor time, seconds
    #[arg(long, default_value_t = decoder::Limits::default().cpu_s)]
    cpu_s: u64,
}

/// Prints one line of JSON: [`Verdict`].
pub fn run(arguments: &Arguments) -> Done {
    let failed = |e: &dyn std::fmt::Display| Failure::Failed(e.to_string());
    // Where memory runs out it is this process that goes, not the one that plays. Nothing is lost where that fails.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // And whatever sounds has the processor first.
    let _ = nice(BEHIND);
    for (resource, most) in [
        (Resource::As, arguments.memory_bytes),
        (Resource::Cpu, arguments.cpu_s),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(|e| failed(&e))?;
    }
    // SAFETY: closes descriptors this process was handed and never uses; nothing here owns one above 2 yet.
    // A kernel before 5.9 does not know the call: then they stay open, as they were closed on exec anyway.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32);
    }
    let verdict = match fence::shut_in() {
        Ok(()) => decoder::measure(&arguments.file),
        Err(e) => Err(ClipError::NoFence { why: e.to_string() }),
    };
    let verdict = verdict.map_or_else(Verdict::Refused, Verdict::Measured);
    println!("{}", serde_json::to_string(&verdict).map_err(|e| failed(&e))?);
    Ok(ExitCode::SUCCESS)
}
