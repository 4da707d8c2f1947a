//! One file per command, each a short function over the floors below.

pub mod devices;
pub mod probe;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::domain::config::Language;

/// What every command is told.
pub struct Context {
    /// `station.toml`.
    pub config: PathBuf,
    /// The language asked for by `--lang` or the environment; a config may say otherwise when only the
    /// environment spoke.
    pub language: Language,
    /// Whether `--lang` was given, which beats the config.
    pub language_forced: bool,
}

/// Why a command did not do what it was asked. Each has an exit code of the contract.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Exit 1.
    #[error("{0}")]
    Failed(String),
    /// Exit 64: the words on the command line.
    #[error("{0}")]
    Usage(String),
    /// Exit 78: the config cannot be read or is refused.
    #[error("{0}")]
    Config(String),
    /// Exit 1 with nothing more to say: it has been said on the way.
    #[error("")]
    Said,
}

impl Failure {
    /// The exit code of the contract.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Failed(_) | Failure::Said => 1,
            Failure::Usage(_) => 64,
            Failure::Config(_) => 78,
        }
    }
}

/// How a command ends.
pub type Done = Result<ExitCode, Failure>;

#[derive(Parser)]
#[command(
    name = "loaxa",
    version,
    about = "Phát thanh tự động cho đài truyền thanh cấp xã (unattended playback for commune loudspeaker stations)"
)]
struct Arguments {
    /// Tệp cấu hình (the station's config)
    #[arg(long, global = true, env = "LOAXA_CONFIG", default_value = "/etc/loaxa/station.toml", value_name = "FILE")]
    config: PathBuf,
    /// Ngôn ngữ (language): vi | en
    #[arg(long, global = true, value_name = "vi|en")]
    lang: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Các thiết bị âm thanh có trên máy (the audio devices of this machine)
    #[command(after_help = devices::EXAMPLE)]
    Devices,
    /// Đo một tệp âm thanh (measure one audio file)
    #[command(hide = true)]
    Probe(probe::Arguments),
}

/// Parses the arguments and runs the command they name.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let context = Context {
        config: arguments.config,
        language: language(arguments.lang.as_deref()),
        language_forced: arguments.lang.is_some(),
    };
    let done = match arguments.command {
        Command::Devices => devices::run(&context),
        Command::Probe(probe) => probe::run(&probe),
    };
    done.unwrap_or_else(|failure| {
        let message = failure.to_string();
        if !message.is_empty() {
            eprintln!("loaxa: {message}");
        }
        ExitCode::from(failure.exit_code())
    })
}

/// The language asked for, or the environment's.
fn language(asked: Option<&str>) -> Language {
    let environment = || std::env::var("LC_MESSAGES").ok().filter(|v| !v.is_empty()).or(std::env::var("LANG").ok());
    match asked.map(str::to_owned).or_else(environment) {
        Some(name) if name.starts_with("en") => Language::En,
        _ => Language::Vi,
    }
}
