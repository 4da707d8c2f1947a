//! One file per command, each a short function over the floors below.

mod export;
mod progress;
mod verify;

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
    /// Xuất nhật ký phát thanh (export the airing log)
    Export(export::Arguments),
    /// Kiểm tra nhật ký và tệp âm thanh còn nguyên vẹn không (check log and clips, like an fsck)
    Verify(verify::Arguments),
}

/// Parses the arguments and runs the command they name.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let language = match arguments.lang.as_deref() {
        Some("en") => Language::En,
        Some(_) => Language::Vi,
        None => {
            let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
            let english = set("LC_MESSAGES").or_else(|| set("LANG")).is_some_and(|v| v.starts_with("en"));
            if english { Language::En } else { Language::Vi }
        }
    };
    let context = Context { config: arguments.config, language, language_forced: arguments.lang.is_some() };
    let done = match arguments.command {
        Command::Export(arguments) => export::run(&context, &arguments),
        Command::Verify(arguments) => verify::run(&context, &arguments),
    };
    done.unwrap_or_else(|failure| {
        if !matches!(failure, Failure::Said) {
            eprintln!("loaxa: {failure}");
        }
        ExitCode::from(failure.exit_code())
    })
}
