//! One file per command, each a short function over the floors below.

mod ask;
mod backup;
mod check;
mod clock;
mod demo;
mod devices;
mod edit;
mod export;
mod fleet;
mod import;
mod keygen;
mod keys;
mod page_code;
mod paper;
mod probe;
mod progress;
mod publish;
mod rehearsal;
mod report;
mod run;
mod schedule;
mod schema;
mod serve;
pub mod station;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::daemon::clock::MachineClock;
use crate::daemon::run::admit;
use crate::domain::config::Language;
use crate::domain::text::Text;

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

impl Context {
    /// The language to speak once the config is known: `--lang`, else what the config says, else the environment.
    pub fn speak(&self, config: Option<Language>) -> Language {
        if self.language_forced { self.language } else { config.unwrap_or(self.language) }
    }
}

/// Vietnamese, unless `LC_MESSAGES` or `LANG` begins with `en`.
fn environment_language(variable: impl Fn(&str) -> Option<String>) -> Language {
    let english = ["LC_MESSAGES", "LANG"].iter().any(|name| variable(name).is_some_and(|v| v.starts_with("en")));
    if english { Language::En } else { Language::Vi }
}

/// Whether this is a trial on an editor's or developer's machine: `LOAXA_TRIAL=1`.
pub fn is_trial() -> bool {
    std::env::var_os("LOAXA_TRIAL").is_some_and(|v| v == "1")
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
    #[arg(long, global = true, value_name = "vi|en", value_parser = ["vi", "en"], hide_possible_values = true)]
    lang: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sao lưu cấu hình, danh sách, âm thanh, nhật ký vào một tệp (everything but the key, in one file)
    #[command(after_help = backup::BACKUP_EXAMPLE)]
    Backup(backup::BackupArguments),
    /// Kiểm tra cấu hình và danh sách, chỉ rõ chỗ sai và cách sửa (check config and lists)
    #[command(after_help = "Ví dụ (example):\n  loaxa check --config /etc/loaxa/station.toml")]
    Check(check::Arguments),
    /// Đồng hồ của máy có tin được không, vì sao; đặt giờ khi không có mạng (is the clock believed; set it by hand)
    #[command(after_help = clock::EXAMPLE)]
    Clock(clock::Arguments),
    /// Gợi ý lệnh cho bash, zsh, fish (completions for a shell)
    #[command(after_help = paper::COMPLETIONS_EXAMPLE)]
    Completions(paper::CompletionsArguments),
    /// Xem toàn bộ trên máy này trong khoảng một phút (all of it on this machine in about a minute)
    #[command(after_help = demo::EXAMPLE)]
    Demo(demo::Arguments),
    /// Các thiết bị âm thanh có trên máy (the audio devices of this machine)
    #[command(after_help = devices::EXAMPLE)]
    Devices,
    /// Sửa cấu hình hoặc danh sách của xã an toàn: kiểm tra, xem trước, rồi mới dùng (edit safely, with a preview)
    #[command(after_help = edit::EXAMPLE)]
    Edit(edit::Arguments),
    /// Xuất nhật ký phát thanh (export the airing log)
    Export(export::Arguments),
    /// Đài nào còn liên lạc, theo nhật ký truy cập của máy chủ web (stations heard from, by an access log)
    #[command(after_help = fleet::EXAMPLE)]
    Fleet(fleet::Arguments),
    /// Nhận danh sách từ USB, kiểm tra như khi tải về (take a published folder from a USB stick)
    #[command(after_help = import::EXAMPLE)]
    Import(import::Arguments),
    /// Tạo cặp khóa ký danh sách (make a key pair for signing lists)
    #[command(after_help = keygen::EXAMPLE)]
    Keygen(keygen::Arguments),
    /// Khóa nào được ký danh sách: keys.json do nhiều khóa gốc cùng ký (which keys may sign, by several root keys)
    #[command(subcommand, after_help = keys::EXAMPLE)]
    Keys(keys::Arguments),
    /// Trang hướng dẫn man (the man page)
    #[command(after_help = paper::MAN_EXAMPLE)]
    Man,
    /// Ghi chú vào nhật ký, có tên người ghi (write a note into the log)
    #[command(after_help = "Ví dụ (example):\n  loaxa note \"mất điện cả xã từ 14 giờ\" --by \"Nguyễn Văn A\"")]
    Note(ask::NoteArguments),
    /// Lấy mã đăng nhập một lần vào trang của đài (a one-time code for the station page)
    #[command(after_help = page_code::EXAMPLE)]
    PageCode(page_code::Arguments),
    /// Phát một bài ngay bây giờ (play a clip now)
    #[command(
        after_help = "Ví dụ (example):\n  loaxa play tone --wait\n  loaxa play ban-tin --by \"Nguyễn Văn A\"\n  loaxa play bao --emergency --by \"Nguyễn Văn A\" --repeat 3 --every 10m --until 2022-10-08T20:00"
    )]
    Play(ask::PlayArguments),
    /// Đo một tệp âm thanh (measure one audio file)
    #[command(hide = true)]
    Probe(probe::Arguments),
    /// Ký và phát hành danh sách thành thư mục cho máy chủ web (sign and publish a list as a static folder)
    #[command(after_help = publish::EXAMPLE)]
    Publish(publish::Arguments),
    /// Báo cáo để in: sổ nhật ký tuần, báo cáo kỳ, báo cáo đợt tuyên truyền (pages to print)
    #[command(after_help = report::EXAMPLE)]
    Report(report::Arguments),
    /// Phục hồi từ tệp sao lưu (restore a backup)
    #[command(after_help = backup::RESTORE_EXAMPLE)]
    Restore(backup::RestoreArguments),
    /// Cho phát tiếp sau khi dừng (go on after a stop)
    #[command(after_help = "Ví dụ (example):\n  loaxa resume --by \"Nguyễn Văn A\"")]
    Resume(ask::ResumeArguments),
    /// Chạy chương trình phát thanh (the daemon, in the foreground)
    #[command(after_help = run::EXAMPLE)]
    Run,
    /// Lịch phát thanh sắp tới (the plan as a table)
    #[command(after_help = schedule::EXAMPLE)]
    Schedule(schedule::Arguments),
    /// Lược đồ JSON cho trình soạn thảo: gợi ý khóa, báo chỗ sai khi đang gõ (a JSON Schema for editors)
    #[command(after_help = schema::EXAMPLE)]
    Schema(schema::Arguments),
    /// Máy chủ nhỏ cho thư mục đã phát hành (a small server for a published folder)
    #[command(after_help = serve::EXAMPLE)]
    Serve(serve::Arguments),
    /// Chạy thử lịch không có tiếng: những gì sẽ phát và nhật ký sẽ ghi (rehearse without sound)
    #[command(after_help = rehearsal::EXAMPLE)]
    Simulate(rehearsal::Arguments),
    /// Tình trạng của đài lúc này (how the running station is)
    #[command(after_help = "Ví dụ (example):\n  loaxa status\n  loaxa status --json")]
    Status(ask::StatusArguments),
    /// Dừng ngay, giữ cả khi khởi động lại (silence at once, kept over a restart)
    #[command(
        after_help = "Ví dụ (example):\n  loaxa stop --by \"Nguyễn Văn A\" --why \"đám tang\"\n  loaxa stop --for 2h\n  loaxa stop --until 2022-10-06T05:00 --but-emergency"
    )]
    Stop(ask::StopArguments),
    /// Lấy danh sách mới ngay và cho biết có gì thay đổi (ask the sources now)
    #[command(after_help = "Ví dụ (example):\n  loaxa sync\n  loaxa sync --rollback tinh --by \"Nguyễn Văn A\"")]
    Sync(ask::SyncArguments),
    /// Kiểm tra nhật ký và tệp âm thanh còn nguyên vẹn không (check log and clips, like an fsck)
    Verify(verify::Arguments),
}

/// The commands with their help in Vietnamese first.
fn words() -> clap::Command {
    fn shown(command: clap::Command) -> clap::Command {
        let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("Xem trợ giúp (this help)");
        let heading = |arg: Arg| {
            let words = if arg.is_positional() { "Tham số (arguments)" } else { "Tùy chọn (options)" };
            arg.help_heading(words)
        };
        let example = command.get_after_help().cloned();
        command
            .disable_help_flag(true)
            .disable_help_subcommand(true)
            .arg(help)
            .mut_args(heading)
            .mut_subcommands(move |inside| {
                // One without examples of its own has those of the command it belongs to.
                let own = inside.get_after_help().is_some();
                let example = if own { None } else { example.clone() };
                shown(match example {
                    Some(example) => inside.after_help(example),
                    None => inside,
                })
            })
            .subcommand_help_heading("Lệnh (commands)")
            .help_template("{about-with-newline}\nCách dùng (usage): {usage}\n\n{all-args}{after-help}")
    }
    let version =
        Arg::new("version").short('V').long("version").action(ArgAction::Version).help("Số phiên bản (version)");
    shown(Arguments::command().disable_version_flag(true).arg(version))
        .after_help("Trợ giúp của một lệnh (help of a command):\n  loaxa check --help")
}

/// What is wrong with the words on the command line, in our own.
fn mistake(error: &clap::Error) -> Text {
    let of = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => Text::UsageUnknown { what: of(ContextKind::InvalidArg) },
        ErrorKind::InvalidSubcommand => Text::UsageNoCommand { what: of(ContextKind::InvalidSubcommand) },
        ErrorKind::MissingRequiredArgument => Text::UsageMissing { what: of(ContextKind::InvalidArg) },
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            Text::UsageBadValue { what: of(ContextKind::InvalidArg), value: of(ContextKind::InvalidValue) }
        }
        ErrorKind::ArgumentConflict => {
            Text::UsageNotTogether { what: of(ContextKind::InvalidArg), other: of(ContextKind::PriorArg) }
        }
        _ => Text::UsageOther {},
    }
}

/// Parses the arguments and runs the command they name.
pub fn run() -> ExitCode {
    let parsed = words().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(message) => {
            // Help and version are answers, all else is a mistake on the command line.
            let code = if message.use_stderr() { 64 } else { 0 };
            if message.use_stderr() && environment_language(|name| std::env::var(name).ok()) == Language::Vi {
                eprintln!("loaxa: {}", mistake(&message).say(Language::Vi));
            }
            let _ = message.print();
            return ExitCode::from(code);
        }
    };
    let asked = arguments.lang.as_deref().map(|lang| if lang == "en" { Language::En } else { Language::Vi });
    let language = asked.unwrap_or_else(|| environment_language(|name| std::env::var(name).ok()));
    let context = Context { config: arguments.config, language, language_forced: asked.is_some() };
    if !matches!(arguments.command, Command::Run | Command::Serve(_) | Command::Demo(_)) {
        end_when_nobody_reads();
    }
    let done = match arguments.command {
        Command::Backup(arguments) => backup::backup(&context, &arguments),
        Command::Check(arguments) => check::run(&context, &arguments),
        Command::Clock(arguments) => clock::run(&context, &arguments),
        Command::Completions(arguments) => paper::completions(&arguments, &mut words()),
        Command::Demo(arguments) => demo::run(&context, &arguments),
        Command::Devices => devices::run(&context),
        Command::Edit(arguments) => edit::run(&context, &arguments),
        Command::Export(arguments) => export::run(&context, &arguments),
        Command::Fleet(arguments) => fleet::run(&context, &arguments),
        Command::Import(arguments) => import::run(&context, &arguments, &admit(Arc::new(MachineClock::plain()))),
        Command::Keygen(arguments) => keygen::run(&context, &arguments),
        Command::Keys(arguments) => keys::run(&context, &arguments),
        Command::Man => paper::man(&words()),
        Command::Note(arguments) => ask::note(&context, &arguments),
        Command::PageCode(arguments) => page_code::run(&context, &arguments),
        Command::Play(arguments) => ask::play(&context, &arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Publish(arguments) => publish::run(&context, &arguments, &admit(Arc::new(MachineClock::plain()))),
        Command::Report(arguments) => report::run(&context, &arguments),
        Command::Restore(arguments) => backup::restore(&context, &arguments),
        Command::Resume(arguments) => ask::resume(&context, &arguments),
        Command::Run => run::run(&context),
        Command::Schedule(arguments) => schedule::run(&context, &arguments),
        Command::Schema(arguments) => schema::run(&context, &arguments),
        Command::Serve(arguments) => serve::run(&context, &arguments),
        Command::Simulate(arguments) => rehearsal::run(&context, &arguments),
        Command::Status(arguments) => ask::status(&context, &arguments),
        Command::Stop(arguments) => ask::stop(&context, &arguments),
        Command::Sync(arguments) => ask::sync(&context, &arguments),
        Command::Verify(arguments) => verify::run(&context, &arguments),
    };
    done.unwrap_or_else(|failure| {
        if !matches!(failure, Failure::Said) {
            eprintln!("loaxa: {failure}");
        }
        ExitCode::from(failure.exit_code())
    })
}

/// Lets a broken pipe end the program quietly, as with other commands: `loaxa schedule | head`.
fn end_when_nobody_reads() {
    // SAFETY: only the default action is set, before any thread is started; no handler of ours runs.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vietnamese_unless_the_environment_speaks_english() {
        let of = |messages: &'static str, lang: &'static str| {
            environment_language(|name| {
                let value = if name == "LANG" { lang } else { messages };
                (!value.is_empty()).then(|| value.to_owned())
            })
        };
        assert_eq!(of("", ""), Language::Vi);
        assert_eq!(of("", "vi_VN.UTF-8"), Language::Vi);
        assert_eq!(of("", "C.UTF-8"), Language::Vi);
        assert_eq!(of("", "en_US.UTF-8"), Language::En);
        assert_eq!(of("en_GB.UTF-8", "vi_VN.UTF-8"), Language::En);
    }
}
