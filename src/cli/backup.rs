//! `loaxa backup` and `loaxa restore`: everything a station is, in one file that proves itself.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::DateTime;

use super::export::{Trouble, write_file};
use super::{Context, Done, Failure, progress};
use crate::daemon::clock::MachineClock;
use crate::daemon::run::{StartError, lock_state};
use crate::domain::airing::hex;
use crate::domain::config::Language;
use crate::domain::text::{Text, system_words};
use crate::domain::time::Clock;
use crate::edge::airing_log::{AiringLog, FILE_NAME, LogError};
use crate::edge::archive::{self, ArchiveError, Manifest};

/// Shown below the help.
pub const BACKUP_EXAMPLE: &str = "Ví dụ (example):
  loaxa backup -o /media/usb/dai-xa.loaxa
Khóa ký riêng của máy không nằm trong bản sao lưu (the box's signing key is never in it)";

/// Shown below the help.
pub const RESTORE_EXAMPLE: &str = "Ví dụ (example):
  systemctl stop loaxa
  loaxa restore /media/usb/dai-xa.loaxa
  systemctl start loaxa
Nhật ký mới bắt đầu, dòng đầu ghi nhật ký cũ (a new log begins; its first row names the old one)";

/// `loaxa backup`
#[derive(clap::Args)]
pub(super) struct BackupArguments {
    /// Ghi vào tệp này (write to this file)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// `loaxa restore`
#[derive(clap::Args)]
pub(super) struct RestoreArguments {
    /// Tệp sao lưu (the backup)
    file: PathBuf,
    /// Cả khi máy đã có cấu hình hoặc dữ liệu; cái cũ được giữ bên cạnh (over what is there, which is kept beside)
    #[arg(long)]
    force: bool,
}

/// The config inside a backup.
const CONFIG: &str = "config/station.toml";
/// The commune's own list inside a backup.
const LIST: &str = "config/local.toml";

/// What of the state folder belongs to this box and this moment alone.
fn stays_here(name: &str) -> bool {
    name.starts_with(FILE_NAME)
        || name.starts_with("device")
        || name.ends_with(".part")
        || ["loaxa.lock", "loaxa.sock", "loaxa.head", "page-logins.json", "tone.wav", ".lock"].contains(&name)
}

/// Every file below a folder that may be in a backup, by its name inside.
fn collect(folder: &Path, inside: &str, top: bool, out: &mut BTreeSet<(String, PathBuf)>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{inside}/{name}");
        let kind = entry.file_type()?;
        if (top && stays_here(&name)) || name.ends_with(".part") || name == ".lock" {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), &path, false, out)?;
        } else if fs::metadata(entry.path()).is_ok_and(|m| m.is_file()) {
            out.insert((path, entry.path()));
        }
    }
    Ok(())
}

/// Why a backup cannot be used, in words for people.
fn why(error: &ArchiveError, language: Language) -> String {
    match error {
        ArchiveError::Io(error) => system_words(error, language),
        ArchiveError::Damaged(part) => Text::BackupPartBad { part: part.clone() }.say(language),
        ArchiveError::Newer(_) => Text::BackupNewer {}.say(language),
    }
}

/// Makes a backup, and reads it back.
pub(super) fn backup(context: &Context, arguments: &BackupArguments) -> Done {
    let loaded = super::station::load(context)?;
    let (config, language) = (&loaded.config, loaded.language);
    let say = |text: Text| Failure::Failed(text.say(language));
    let shown = arguments.output.display().to_string();
    let cannot = |e: io::Error| say(Text::ExportCannotWrite { file: shown.clone(), why: system_words(&e, language) });
    let mut files = BTreeSet::new();
    files.insert((CONFIG.to_owned(), context.config.clone()));
    if let Some(local) = &config.local {
        files.insert((LIST.to_owned(), loaded.base_dir.join(&local.playlist)));
        collect(&loaded.base_dir.join(&local.clips), "clips", false, &mut files).map_err(cannot)?;
    }
    collect(&config.state.dir, "state", true, &mut files).map_err(cannot)?;
    let made = MachineClock::plain().now().wall();
    let mut manifest = Manifest {
        made_at: config.station.timezone.rfc3339(made),
        version: env!("CARGO_PKG_VERSION").into(),
        station_id: config.station.id.clone(),
        device_id: config.station.device_id.clone(),
        ..Manifest::default()
    };
    // A copy of one moment, while the daemon writes on.
    let mut copy = arguments.output.as_os_str().to_owned();
    copy.push(format!(".{}.db.part", std::process::id()));
    let copy = Removed(PathBuf::from(copy));
    match AiringLog::open_read_only(&config.state.dir.join(FILE_NAME)) {
        Err(LogError::Missing(_)) => {}
        Err(error) => return Err(say(error.text())),
        Ok(log) => {
            let head = log.copy_to(&copy.0).map_err(|e| say(e.text()))?;
            (manifest.log_id, manifest.seq, manifest.head) = (Some(log.log_id().into()), head.seq, hex(&head.head));
            files.insert((format!("state/{FILE_NAME}"), copy.0.clone()));
        }
    }
    let files: Vec<_> = files.into_iter().collect();
    let bytes: u64 = files.iter().filter_map(|(_, f)| fs::metadata(f).ok()).map(|m| m.len()).sum();
    let bar = progress::bar(2 * bytes, 20 << 20, Text::BackupProgress {}.say(language));
    let written = write_file(&arguments.output, |out| {
        archive::write(BufWriter::with_capacity(256 * 1024, out), &files, manifest, |n| bar.inc(n))?;
        Ok(0)
    });
    if let Err(error) = written {
        return Err(match error {
            Trouble::Out(e) => cannot(e),
            other => cannot(io::Error::other(format!("{other:?}"))),
        });
    }
    let (manifest, _) = archive::verify(&arguments.output, CONFIG, |n| bar.inc(n))
        .map_err(|e| say(Text::BackupBad { file: shown.clone(), why: why(&e, language) }))?;
    bar.finish_and_clear();
    let megabytes = manifest.members.iter().map(|m| m.bytes).sum::<u64>().div_ceil(1 << 20);
    let files = manifest.members.len() as u64;
    let _ = writeln!(io::stdout(), "{}", Text::BackupMade { file: shown.clone(), files, megabytes }.say(language));
    Ok(ExitCode::SUCCESS)
}

/// A file that is gone when this is.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Moves what is there out of the way, under a name that nobody has.
fn move_aside(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let mut names = (1..1_000).map(|n| with_ending(path, &format!(".before-restore-{n}")));
    match names.find(|p| p.symlink_metadata().is_err()) {
        Some(free) => fs::rename(path, free),
        None => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

fn give_to(path: &Path, owner: (u32, u32)) {
    // Only root can; for anybody else the files are his own already.
    let _ = chown(path, Some(owner.0), Some(owner.1));
    for entry in fs::read_dir(path).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            give_to(&entry.path(), owner);
        } else {
            let _ = chown(entry.path(), Some(owner.0), Some(owner.1));
        }
    }
}

/// Restores a backup: proves all of it first, writes it beside, then puts it in its places.
pub(super) fn restore(context: &Context, arguments: &RestoreArguments) -> Done {
    let language = context.language;
    let say = |text: Text| Failure::Failed(text.say(language));
    let shown = arguments.file.display().to_string();
    let bad = |e: ArchiveError| say(Text::BackupBad { file: shown.clone(), why: why(&e, language) });
    let bytes = fs::metadata(&arguments.file).map_or(0, |m| m.len());
    let bar = progress::bar(2 * bytes, 20 << 20, Text::RestoreProgress {}.say(language));
    let (manifest, config) = archive::verify(&arguments.file, CONFIG, |n| bar.inc(n)).map_err(bad)?;

    // Where things go is in the config that is restored.
    let base = context.config.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = |file: &Path| {
        let file = file.display().to_string();
        move |e: io::Error| say(Text::ExportCannotWrite { file: file.clone(), why: system_words(&e, language) })
    };
    fs::create_dir_all(base).map_err(cannot(base))?;
    let draft = Removed(with_ending(&context.config, ".restoring"));
    fs::write(&draft.0, &config).map_err(cannot(&draft.0))?;
    let survey = super::station::survey(
        &Context { config: draft.0.clone(), language, language_forced: context.language_forced },
        false,
    )?;
    let Some(config) = survey.config else {
        return Err(bad(ArchiveError::Damaged(CONFIG.into())));
    };
    let dir = config.state.dir.clone();
    let lock = lock_state(&dir).map_err(|error| match error {
        StartError::Failed(text) | StartError::Unreadable(text) => say(text),
        StartError::Config(lines) => Failure::Config(lines.join("\n")),
    })?;
    let list = config.local.as_ref().map(|l| base.join(&l.playlist));
    let clips = config.local.as_ref().map(|l| base.join(&l.clips));
    let holds_something = |folder: &Path| {
        let mut entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.any(|e| e.file_name() != "loaxa.lock" && !e.file_name().to_string_lossy().starts_with("device"))
    };
    let taken = [Some(&context.config), list.as_ref()].into_iter().flatten().find(|p| p.exists()).cloned();
    let taken =
        taken.or_else(|| [Some(&dir), clips.as_ref()].into_iter().flatten().find(|f| holds_something(f)).cloned());
    if let Some(place) = taken.filter(|_| !arguments.force) {
        return Err(say(Text::RestoreNotEmpty { place: place.display().to_string() }));
    }

    // All of it beside its places first: a cut or a full disk leaves everything as it was.
    let beside = |p: &Path| with_ending(p, ".restoring");
    let (fresh, fresh_clips) = (beside(&dir), clips.as_deref().map(beside));
    for folder in [Some(&fresh), fresh_clips.as_ref()].into_iter().flatten() {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).map_err(cannot(folder))?;
    }
    let fresh_list = list.as_deref().map(beside);
    let place = |path: &str| match path {
        CONFIG => None,
        LIST => fresh_list.clone(),
        other => match other.split_once('/')? {
            ("state", rest) => Some(fresh.join(rest)),
            ("clips", rest) => Some(fresh_clips.as_ref()?.join(rest)),
            _ => None,
        },
    };
    archive::unpack(&arguments.file, &manifest, place, |n| bar.inc(n)).map_err(bad)?;
    // The box keeps its own key and nobody else's.
    for entry in fs::read_dir(&dir).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with("device") {
            fs::copy(entry.path(), fresh.join(entry.file_name())).map_err(cannot(&entry.path()))?;
        }
    }
    if let Ok(meta) = fs::metadata(&dir) {
        let _ = fs::set_permissions(&fresh, meta.permissions());
        give_to(&fresh, (meta.uid(), meta.gid()));
    }
    let empty = !holds_something(&dir);
    let move_in = |from: &Path, to: &Path| -> Result<(), Failure> {
        move_aside(to).and_then(|()| fs::rename(from, to)).map_err(cannot(to))
    };
    if empty {
        fs::remove_dir_all(&dir).map_err(cannot(&dir))?;
    }
    move_in(&fresh, &dir)?;
    if let (Some(from), Some(to)) = (&fresh_clips, &clips) {
        if !holds_something(to) {
            let _ = fs::remove_dir_all(to);
        }
        move_in(from, to)?;
    }
    if let (Some(from), Some(to)) = (&fresh_list, &list)
        && from.exists()
    {
        move_in(from, to)?;
    }
    move_in(&draft.0, &context.config)?;
    fs::File::open(base).and_then(|f| f.sync_all()).map_err(cannot(base))?;
    drop(lock);
    bar.finish_and_clear();
    let files = manifest.members.len() as u64;
    // As the backup wrote it, in the time of the place where it was made.
    let made = DateTime::parse_from_rfc3339(&manifest.made_at)
        .map_or(manifest.made_at, |at| at.format("%H:%M:%S %d/%m/%Y").to_string());
    let _ = writeln!(io::stdout(), "{}", Text::RestoreDone { files, made, seq: manifest.seq }.say(language));
    Ok(ExitCode::SUCCESS)
}
