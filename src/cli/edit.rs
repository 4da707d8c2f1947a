//! `loaxa edit`: like visudo. A copy in the editor, every check, what will air before and after; only then the file
//! is replaced, whole, and the version before is kept.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};

use super::ask::SOON;
use super::rehearsal::{Lists, programme_of};
use super::station::{glance, survey, survey_of};
use super::{Context, Done, Failure};
use crate::daemon::clock::MachineClock;
use crate::daemon::station::{Survey, folder_of, write_whole};
use crate::domain::config::Language;
use crate::domain::findings::{FileRole, Severity};
use crate::domain::playlist::SlotKind;
use crate::domain::schedule::Walk;
use crate::domain::text::{Text, reason_words, system_words};
use crate::domain::time::{Clock, DAY_MS, Wall};
use crate::edge::control::{Request, ask};

/// Shown under `--help`.
pub const EXAMPLE: &str =
    "Ví dụ (example):\n  sudo loaxa edit local\n  sudo EDITOR=nano loaxa edit station\n  sudo loaxa edit local --undo";

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// station.toml
    Station,
    /// local.toml
    Local,
}

/// `loaxa edit`
#[derive(Args)]
pub struct Arguments {
    /// Tệp nào (which file): station | local
    #[arg(default_value = "local", value_name = "station|local", hide_possible_values = true)]
    which: Which,
    /// Lấy lại bản trước lần sửa gần nhất (go back to the version before the last edit)
    #[arg(long)]
    undo: bool,
    /// Không hỏi; vẫn không ghi tệp có lỗi (do not ask; a file with errors is not written all the same)
    #[arg(long)]
    yes: bool,
    /// Người sửa, ghi vào nhật ký; không ghi thì lấy tên đăng nhập (who, for the log; else the login name)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Who changes the file, as far as the machine knows.
fn login_name() -> Option<String> {
    let named = |n: &&str| std::env::var(n).ok().filter(|v| !v.trim().is_empty());
    ["SUDO_USER", "USER"].iter().find_map(named)
}

/// A folder of drafts nobody else may read, gone at the end.
struct Drafts(PathBuf);

impl Drafts {
    fn new() -> io::Result<Drafts> {
        for n in 0..100 {
            let folder = std::env::temp_dir().join(format!("loaxa-edit-{}-{n}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Drafts(folder)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Drafts {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Edit<'a> {
    context: &'a Context,
    language: Language,
    yes: bool,
    by: Option<String>,
    /// The file itself, symbolic links followed.
    file: PathBuf,
    backup: PathBuf,
    drafts: Drafts,
    draft: PathBuf,
    /// The file as it was.
    before: Vec<u8>,
    station: PathBuf,
    local: Option<PathBuf>,
}

/// Edits a file, or goes back.
pub fn run(context: &Context, arguments: &Arguments) -> Done {
    let language = context.speak(glance(context)?.language);
    let fail = |text: Text| Failure::Failed(text.say(language));
    let present = survey(context, false)?;
    let local = local_file(context, &present);
    let file = match arguments.which {
        Which::Station => context.config.clone(),
        Which::Local => local.clone().ok_or_else(|| fail(Text::EditNoLocal {}))?,
    };
    let file = fs::canonicalize(&file).unwrap_or(file);
    let shown = |path: &Path| path.display().to_string();
    let no_file = |path: &Path, error: io::Error| {
        fail(Text::EditNoFile { file: shown(path), why: system_words(&error, language) })
    };
    let before = match fs::read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && arguments.which == Which::Local => Vec::new(),
        read => read.map_err(|e| no_file(&file, e))?,
    };
    let mut backup = file.clone().into_os_string();
    backup.push(".truoc");
    let backup = PathBuf::from(backup);
    let drafts = Drafts::new().map_err(|e| no_file(&std::env::temp_dir(), e))?;
    let name = if arguments.which == Which::Station { "station.toml" } else { "local.toml" };
    let edit = Edit {
        context,
        language,
        yes: arguments.yes,
        by: arguments.by.clone().or_else(login_name),
        draft: drafts.0.join(name),
        drafts,
        backup,
        before,
        station: context.config.clone(),
        local,
        file,
    };
    edit.prepare().map_err(|e| no_file(&edit.draft, e))?;
    if arguments.undo {
        let old = match fs::read(&edit.backup) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(fail(Text::EditNoBackup { file: shown(&edit.file) }));
            }
            Err(error) => return Err(no_file(&edit.backup, error)),
        };
        fs::write(&edit.draft, old).map_err(|e| no_file(&edit.draft, e))?;
    }
    edit.work(&present, arguments.undo)
}

/// The commune's list, whether or not it can be read.
fn local_file(context: &Context, survey: &Survey) -> Option<PathBuf> {
    if let Some(sheet) = survey.sheets.iter().find(|s| s.role == FileRole::Local) {
        return Some(sheet.path.clone());
    }
    let local = survey.config.as_ref().and_then(|c| c.local.as_ref());
    // A config that is refused may still say `[local]`: then the usual name.
    let named = local.map(|l| l.playlist.clone());
    let text = &survey.sheets.first()?.text;
    let usual = text.lines().any(|l| l.trim_start().starts_with("[local]")).then(|| PathBuf::from("local.toml"));
    Some(folder_of(&context.config).join(named.or(usual)?))
}

/// What airs in the next 24 hours, one line an item.
fn plan(survey: &Survey, now: Wall, language: Language) -> Result<Vec<String>, Failure> {
    let Some(config) = survey.config.clone().filter(|_| survey.may_run()) else {
        return Err(Failure::Said);
    };
    let zone = config.station.timezone;
    let made = programme_of(config, survey.local.clone(), &survey.base_dir, language, Lists::Stored, None)?;
    let mut walk = Walk::new(made.programme.clone(), now);
    let mut lines = Vec::new();
    while let Some(session) = walk.next_before(now + DAY_MS) {
        for item in &session.items {
            let title = match (&item.clip, session.kind) {
                (Some(clip), _) => clip.title.to_string(),
                (None, SlotKind::Relay { .. }) => session.name.to_string(),
                (None, SlotKind::Session) => item.clip_id.as_deref().unwrap_or_default().to_owned(),
            };
            let quiet = made.programme.quiet.quiet_until(item.planned_at);
            let reason = item.forbidden.or(quiet.map(|_| crate::domain::airing::Reason::QuietHours));
            let note = reason.map(|r| format!(" [{}]", reason_words(r, language))).unwrap_or_default();
            let at = zone.local(item.planned_at).format("%d/%m %H:%M:%S");
            lines.push(format!("{at}  {}: {title}{note}", session.name));
        }
    }
    Ok(lines)
}

/// Lines that go, come and stay, in order: by their longest common part.
fn differences<'l>(before: &'l [String], after: &'l [String]) -> Vec<(char, &'l str)> {
    let (n, m) = (before.len(), after.len());
    let mut common = vec![vec![0u32; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            common[i][j] =
                if before[i] == after[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < n || j < m {
        if i < n && j < m && before[i] == after[j] {
            out.push((' ', before[i].as_str()));
            (i, j) = (i + 1, j + 1);
        } else if j == m || (i < n && common[i + 1][j] >= common[i][j + 1]) {
            out.push(('-', before[i].as_str()));
            i += 1;
        } else {
            out.push(('+', after[j].as_str()));
            j += 1;
        }
    }
    out
}

impl Edit<'_> {
    fn say(&self, text: Text) -> String {
        text.say(self.language)
    }

    fn fail(&self, text: Text) -> Failure {
        Failure::Failed(self.say(text))
    }

    /// Copies both files, so that they are checked together.
    fn prepare(&self) -> io::Result<()> {
        fs::copy(&self.station, self.drafts.0.join("station.toml"))?;
        if let Some(local) = &self.local {
            match fs::read(local) {
                Ok(bytes) => fs::write(self.drafts.0.join("local.toml"), bytes)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if !self.draft.exists() {
            fs::write(&self.draft, b"")?;
        }
        fs::set_permissions(&self.draft, fs::Permissions::from_mode(0o600))
    }

    fn open_editor(&self) -> Result<(), Failure> {
        let named = ["VISUAL", "EDITOR"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.trim().is_empty()));
        let usual = || ["/usr/bin/editor", "/usr/bin/nano", "/usr/bin/vi"].into_iter().find(|p| Path::new(p).exists());
        let editor = named.unwrap_or_else(|| usual().unwrap_or("vi").to_owned());
        let failed = |why: String| self.fail(Text::EditorFailed { editor: editor.clone(), why });
        // EDITOR may have arguments of its own, as git and visudo take it.
        let status = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("{editor} \"$1\""))
            .arg("loaxa")
            .arg(&self.draft)
            .status()
            .map_err(|e| failed(system_words(&e, self.language)))?;
        if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
    }

    /// Asks; at the end of the input the answer is empty.
    fn ask(&self, question: Text) -> String {
        print!("{}", self.say(question));
        let _ = io::stdout().flush();
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer).unwrap_or(0);
        if read == 0 {
            println!();
            return "\u{4}".into();
        }
        answer.trim().to_lowercase()
    }

    fn work(&self, present: &Survey, undo: bool) -> Done {
        let now = MachineClock::plain().now().wall();
        let before = plan(present, now, self.language).ok();
        let given_up = || {
            println!("{}", self.say(Text::EditGivenUp {}));
            Ok(ExitCode::from(1))
        };
        let mut in_editor = !undo;
        loop {
            if in_editor {
                self.open_editor()?;
            }
            in_editor = true;
            let bytes = fs::read(&self.draft).map_err(|e| {
                self.fail(Text::EditNoFile { file: self.draft.display().to_string(), why: e.to_string() })
            })?;
            if bytes == self.before {
                println!("{}", self.say(Text::EditUnchanged {}));
                return Ok(ExitCode::SUCCESS);
            }
            let draft = self.survey()?;
            for finding in draft.rendered(&[Severity::Error, Severity::Warning]) {
                println!("{finding}");
            }
            let errors = draft.count(Severity::Error);
            if errors > 0 || !draft.may_run() {
                if self.yes || undo {
                    return given_up();
                }
                match self.ask(Text::EditErrors { errors }).as_str() {
                    "" | "s" | "e" => continue,
                    _ => return given_up(),
                }
            }
            let after = plan(&draft, now, self.language)?;
            self.show(before.as_deref(), &after);
            if !self.yes {
                let file = self.file.display().to_string();
                match self.ask(Text::EditConfirm { file }).as_str() {
                    "c" | "co" | "có" | "y" | "yes" => {}
                    "s" | "e" => continue,
                    _ => return given_up(),
                }
            }
            return self.replace(&bytes);
        }
    }

    /// The drafts as they would be, under the names of the files themselves.
    fn survey(&self) -> Result<Survey, Failure> {
        let mut survey = survey_of(self.context, true, Some(&self.drafts.0))?;
        for sheet in &mut survey.sheets {
            match sheet.role {
                FileRole::Station => sheet.path.clone_from(&self.station),
                FileRole::Local => sheet.path = self.local.clone().unwrap_or_else(|| "local.toml".into()),
                FileRole::Source(_) => {}
            }
        }
        Ok(survey)
    }

    fn show(&self, before: Option<&[String]>, after: &[String]) {
        let colours = io::stdout().is_terminal();
        let heading = match before {
            Some(before) if before == after => Text::EditSamePlan {},
            Some(_) => Text::EditPreview {},
            None => Text::EditBeforeBroken {},
        };
        println!("{}", self.say(heading));
        let lines = differences(before.unwrap_or(after), after);
        for (mark, line) in lines {
            match (mark, colours) {
                ('-', true) => println!("\u{1b}[31m- {line}\u{1b}[0m"),
                ('+', true) => println!("\u{1b}[32m+ {line}\u{1b}[0m"),
                _ => println!("{mark} {line}"),
            }
        }
    }

    fn replace(&self, bytes: &[u8]) -> Done {
        let (file, backup) = (self.file.display().to_string(), self.backup.display().to_string());
        let present = match fs::read(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|e| self.fail(Text::EditNoFile { file: file.clone(), why: e.to_string() }))?,
        };
        let cannot = |file: &str, e: &io::Error| {
            self.fail(Text::EditCannotWrite { file: file.to_owned(), why: system_words(e, self.language) })
        };
        if present != self.before {
            // The work is not lost with the folder of drafts.
            let saved = std::env::temp_dir().join(format!("loaxa-edit-{}.toml", std::process::id()));
            let draft = match fs::rename(&self.draft, &saved) {
                Ok(()) => saved.display().to_string(),
                Err(_) => "-".to_owned(),
            };
            return Err(self.fail(Text::EditRaced { file, draft }));
        }
        if !present.is_empty() {
            write_whole(&self.backup, &present).map_err(|e| cannot(&backup, &e))?;
            if let Ok(meta) = fs::metadata(&self.file) {
                let _ = fs::set_permissions(&self.backup, meta.permissions());
            }
        }
        write_whole(&self.file, bytes).map_err(|e| cannot(&file, &e))?;
        println!("{}", self.say(Text::EditDone { file, backup }));
        // A running daemon takes it at once, and writes down by whom it is; without one the next start finds it.
        let state_dir = glance(self.context)?.dir;
        let _ = ask(&state_dir, &Request::Reload { by: self.by.clone() }, Some(SOON));
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_keep_what_is_common() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (before, after) = (lines("a b c d"), lines("a x c d e"));
        let shown: String = differences(&before, &after).iter().map(|(m, l)| format!("{m}{l}")).collect();
        assert_eq!(shown, " a-b+x c d+e");
    }
}
