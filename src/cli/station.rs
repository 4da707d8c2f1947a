//! The station's files, read together: what every command that needs the station begins with.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::cli::{Context, Failure, is_trial};
use crate::daemon::clock::MachineClock;
use crate::domain::config::{Config, Language, read_config};
use crate::domain::document::{self, Node, Value};
use crate::domain::findings::{FileRole, Finding, LineIndex, Severity};
use crate::domain::playlist::{Form, List, Span, read_list};
use crate::domain::station::check_station;
use crate::domain::text::{Text, system_words};
use crate::domain::time::{Clock, Zone};
use crate::edge::folder;

/// A file that was read, for quoting from it.
pub struct Sheet {
    /// What it is.
    pub role: FileRole,
    /// Its path as people know it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    lines: LineIndex,
}

impl Sheet {
    fn new(role: FileRole, path: PathBuf, bytes: &[u8]) -> Sheet {
        let text = document::shown(bytes);
        let lines = LineIndex::new(&text);
        Sheet { role, path, text, lines }
    }

    /// A finding with its place, as people read it.
    pub fn render(&self, finding: &Finding, language: Language) -> String {
        finding.render_at(&self.path.display().to_string(), &self.text, &self.lines, language)
    }

    /// Line and column of a finding.
    pub fn place(&self, finding: &Finding) -> (usize, usize) {
        self.lines.line_column(&self.text, finding.span.start)
    }
}

/// The station's files and everything found in them.
pub struct Survey {
    /// The files, in the order in which findings are shown.
    pub sheets: Vec<Sheet>,
    /// The config, when it is good; `state.dir` is whole.
    pub config: Option<Config>,
    /// Its bytes.
    pub config_bytes: Vec<u8>,
    /// The commune's own list, when there is one and it is good.
    pub local: Option<List>,
    /// The stored lists of sources, by their place in `[[source]]`.
    pub sources: Vec<(usize, List)>,
    /// Everything found, in the order of the files.
    pub findings: Vec<(FileRole, Finding)>,
    /// The folder of the config file: what relative paths start from.
    pub base_dir: PathBuf,
    /// The language to speak.
    pub language: Language,
}

impl Survey {
    /// How many findings are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|(_, f)| f.severity == severity).count()
    }

    /// Every finding of these severities as people read it.
    pub fn rendered(&self, severities: &[Severity]) -> impl Iterator<Item = String> {
        self.findings.iter().filter(|(_, f)| severities.contains(&f.severity)).filter_map(|(role, finding)| {
            self.sheets.iter().find(|s| s.role == *role).map(|s| s.render(finding, self.language))
        })
    }

    /// The folder of the commune's own clips.
    pub fn clips_dir(&self) -> Option<PathBuf> {
        let local = self.config.as_ref()?.local.as_ref()?;
        Some(self.base_dir.join(&local.clips))
    }
}

/// A station that may run.
pub struct Loaded {
    /// The config; `state.dir` is whole.
    pub config: Config,
    /// Its bytes.
    pub config_bytes: Vec<u8>,
    /// The commune's own list, when there is one.
    pub local: Option<List>,
    /// Warnings and advice.
    pub findings: Vec<(FileRole, Finding)>,
    /// The folder of the config file: what relative paths start from.
    pub base_dir: PathBuf,
    /// The language to speak.
    pub language: Language,
}

/// Reads and checks the station's own files for a command that needs them.
///
/// # Errors
/// [`Failure::Config`] (exit 78) when the config cannot be read or something in it, or in the commune's list, is
/// refused. The findings are on stderr then.
pub fn load(context: &Context) -> Result<Loaded, Failure> {
    let survey = survey(context, false)?;
    let errors = survey.count(Severity::Error);
    let refused = |survey: &Survey| {
        for line in survey.rendered(&[Severity::Error]) {
            eprintln!("{line}");
        }
        let text = Text::ConfigRefused { file: context.config.display().to_string(), errors };
        Failure::Config(text.say(survey.language))
    };
    match survey.config {
        Some(_) if errors > 0 => Err(refused(&survey)),
        None => Err(refused(&survey)),
        Some(config) => Ok(Loaded {
            config,
            config_bytes: survey.config_bytes,
            local: survey.local,
            findings: survey.findings,
            base_dir: survey.base_dir,
            language: survey.language,
        }),
    }
}

/// Reads the config and the commune's list; with `stored` also the accepted lists of the sources, and looks for the
/// audio of the commune's own clips.
///
/// # Errors
/// [`Failure::Config`] when there is no config file to read.
pub fn survey(context: &Context, stored: bool) -> Result<Survey, Failure> {
    let config_bytes = std::fs::read(&context.config).map_err(|error| {
        let text = Text::FileUnreadable {
            file: context.config.display().to_string(),
            cause: system_words(&error, context.language),
        };
        Failure::Config(text.say(context.language))
    })?;
    let base_dir = match context.config.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let reading = read_config(&config_bytes, is_trial());
    let mut survey = Survey {
        sheets: vec![Sheet::new(FileRole::Station, context.config.clone(), &config_bytes)],
        config: reading.value,
        config_bytes,
        local: None,
        sources: Vec::new(),
        findings: reading.findings.into_iter().map(|f| (FileRole::Station, f)).collect(),
        base_dir,
        language: context.language,
    };
    survey.language = context.speak(written_language(&survey));
    survey.read_local();
    if let Some(config) = &mut survey.config {
        // An absolute folder stays as it is.
        config.state.dir = survey.base_dir.join(&config.state.dir);
    }
    if stored {
        survey.read_stored();
        survey.look_for_audio();
    }
    if let Some(config) = &survey.config {
        let sources: Vec<(usize, &List)> = survey.sources.iter().map(|(i, l)| (*i, l)).collect();
        let today = today(config.station.timezone);
        survey.findings.extend(check_station(config, survey.local.as_ref(), &sources, today));
    }
    survey.findings.sort_by_key(|(role, f)| (*role, f.span.start, f.severity));
    Ok(survey)
}

/// The local date, as far as this machine knows.
pub fn today(zone: Zone) -> NaiveDate {
    zone.date(MachineClock::plain().now().wall())
}

impl Survey {
    /// Reads the commune's list. Its place is taken from the file even where the config is refused, so that all
    /// mistakes come to light in one go.
    fn read_local(&mut self) {
        let text = self.sheets[0].text.clone();
        let root = document::read_toml(&text).0;
        let Some(table) = under(&root, "local") else { return };
        let written = under(table, "playlist");
        let (name, span) = match written {
            Some(Node { value: Value::Text(name), span }) => (name.clone(), span.clone()),
            _ => ("local.toml".to_owned(), table.span.clone()),
        };
        let path = self.base_dir.join(&name);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let reading = read_list(&bytes, Form::Local);
                self.local = reading.value;
                self.findings.extend(reading.findings.into_iter().map(|f| (FileRole::Local, f)));
                self.sheets.push(Sheet::new(FileRole::Local, path, &bytes));
            }
            Err(error) => {
                let text = Text::LocalListAbsent {
                    file: path.display().to_string(),
                    cause: system_words(&error, self.language),
                };
                self.findings.push((FileRole::Station, Finding::error("unreadable", span, text)));
            }
        }
    }

    /// Reads the lists that were accepted from the sources. They were checked then, so nothing in them refuses.
    fn read_stored(&mut self) {
        let Some(config) = &self.config else { return };
        for (index, source) in config.sources.iter().enumerate() {
            let path = config.state.dir.join("playlists").join(format!("{}.json", source.id));
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let reading = read_list(&bytes, Form::Published);
            for mut finding in reading.findings {
                if finding.severity == Severity::Error {
                    finding.severity = Severity::Warning;
                }
                self.findings.push((FileRole::Source(index), finding));
            }
            self.sources.extend(reading.value.map(|list| (index, list)));
            self.sheets.push(Sheet::new(FileRole::Source(index), path, &bytes));
        }
    }

    fn look_for_audio(&mut self) {
        let (Some(list), Some(folder)) = (&self.local, self.clips_dir()) else { return };
        let shown = folder.display().to_string();
        let Some(sheet) = self.sheets.iter().find(|s| s.role == FileRole::Local) else { return };
        let files = file_places(&document::read_toml(&sheet.text).0);
        for clip in &list.clips {
            let Some(file) = &clip.file else { continue };
            let span = files.iter().find(|(id, _)| **id == *clip.id).map_or(clip.span.clone(), |(_, s)| s.clone());
            let finding = match folder::find(&folder, file) {
                Ok(Some(_)) => continue,
                Ok(None) => {
                    let hint = match folder::similar(&folder, file) {
                        Some(near) => Text::WriteFile { line: format!("file = \"{near}\"") },
                        None => Text::CopyFile {},
                    };
                    let text = Text::ClipFileMissing { file: file.clone(), folder: shown.clone() };
                    Finding::warning("clip_missing", span, text).hint(hint)
                }
                Err(error) => {
                    let text =
                        Text::FolderUnreadable { folder: shown.clone(), cause: system_words(&error, self.language) };
                    let finding = Finding::warning("unreadable", span, text).hint(Text::CopyFile {});
                    self.findings.push((FileRole::Local, finding));
                    break;
                }
            };
            self.findings.push((FileRole::Local, finding));
        }
    }
}

/// The value of a key in a table.
fn under<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Table(table) => table.get(key).map(|e| &e.node),
        _ => None,
    }
}

/// The place of each clip's `file`, by the clip's id.
fn file_places(root: &Node) -> Vec<(String, Span)> {
    let Some(Node { value: Value::List(clips), .. }) = under(root, "clips") else { return Vec::new() };
    clips
        .iter()
        .filter_map(|clip| match (&under(clip, "id")?.value, under(clip, "file")?) {
            (Value::Text(id), file) => Some((id.clone(), file.span.clone())),
            _ => None,
        })
        .collect()
}

/// `[station] language`, also of a config that is refused.
fn written_language(survey: &Survey) -> Option<Language> {
    if let Some(config) = &survey.config {
        return config.station.language;
    }
    let root = document::read_toml(&survey.sheets[0].text).0;
    match &under(under(&root, "station")?, "language")?.value {
        Value::Text(text) if text == "en" => Some(Language::En),
        Value::Text(text) if text == "vi" => Some(Language::Vi),
        _ => None,
    }
}
