//! `loaxa run`: the daemon, in the foreground.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{Context, Done, Failure, is_trial};
use crate::daemon::run::{Options, StartError, run as run_daemon};

/// Shown under `--help`.
pub const EXAMPLE: &str = "Ví dụ (example):\n  loaxa run --config /etc/loaxa/station.toml";

/// Runs until told to end.
pub fn run(context: &Context) -> Done {
    listen_to_traces();
    let options = Options {
        config: context.config.clone(),
        trial: is_trial(),
        language: context.language,
        language_forced: context.language_forced,
    };
    match run_daemon(options) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(StartError::Failed(text)) => Err(Failure::Failed(text.say(context.language))),
        Err(StartError::Unreadable(text)) => Err(Failure::Config(text.say(context.language))),
        Err(StartError::Config(findings)) => Err(Failure::Config(format!("\n{}", findings.join("\n")))),
    }
}

/// Traces go to the journal under systemd, to stderr otherwise. `LOAXA_LOG` takes a filter, as `loaxa=debug`.
fn listen_to_traces() {
    let filter = EnvFilter::try_from_env("LOAXA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let started = match journal {
        Some(journal) => registry.with(journal).try_init(),
        None => {
            registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
        }
    };
    // Somebody listens already: in a test.
    let _ = started;
}
