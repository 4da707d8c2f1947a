//! The station as its files say it: `station.toml`, the commune's own list with its audio measured, the lists from
//! above as they are stored. Read at start and again at each reload; the commands that only look use it as well.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::airing::{Reason, hex};
use crate::domain::config::{Config, Language, read_config};
use crate::domain::document::{self, Node, Value};
use crate::domain::findings::{FileRole, Finding, LineIndex, Severity};
use crate::domain::loudness;
use crate::domain::playlist::{Form, LOCAL, List, Span, read_list};
use crate::domain::station::check_station;
use crate::domain::text::{Text, system_words};
use crate::domain::time::Zone;
use crate::edge::clip_store::{ClipStore, Generation, Measured, hash_file};
use crate::edge::folder;

/// A file that was read, for quoting from it.
pub struct Sheet {
    /// What it is.
    pub role: FileRole,
    /// Its path as people know it.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its text.
    pub text: String,
    lines: LineIndex,
}

impl Sheet {
    fn new(role: FileRole, path: PathBuf, bytes: &[u8]) -> Sheet {
        let text = document::shown(bytes);
        let lines = LineIndex::new(&text);
        Sheet { role, path, bytes: bytes.to_owned(), text, lines }
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
    /// What could be made of a config and a list with mistakes, to find more of them.
    drafts: (Option<Config>, Option<List>),
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

    /// Whether the station may run with these files.
    pub fn may_run(&self) -> bool {
        self.config.is_some() && self.count(Severity::Error) == 0
    }

    /// SHA-256 of a file as read, for the log.
    pub fn sha256(&self, role: FileRole) -> Option<String> {
        self.sheets.iter().find(|s| s.role == role).map(|s| hex(&Sha256::digest(&s.bytes)))
    }

    /// The folder of the commune's own clips.
    pub fn clips_dir(&self) -> Option<PathBuf> {
        let local = self.config.as_ref()?.local.as_ref()?;
        Some(self.base_dir.join(&local.clips))
    }
}

/// How a survey is made.
pub struct Look<'a> {
    /// `station.toml`
    pub config: &'a Path,
    /// `LOAXA_TRIAL=1`
    pub trial: bool,
    /// The language to speak, given what the config says.
    pub speak: &'a dyn Fn(Option<Language>) -> Language,
    /// The local date.
    pub today: &'a dyn Fn(Zone) -> NaiveDate,
    /// Whether to look at the stored lists of the sources and for the commune's audio as well.
    pub stored: bool,
    /// A folder whose `station.toml` and `local.toml` are read in place of the files themselves: those that were in
    /// force last ([`kept_in`]), or drafts. Relative paths still start where the config stands.
    pub kept: Option<&'a Path>,
}

/// Reads the config and the commune's list, and checks them.
///
/// # Errors
/// The sentence when there is no config file to read.
pub fn survey(look: &Look) -> Result<Survey, Text> {
    let file = look.kept.map_or_else(|| look.config.to_owned(), |k| k.join("station.toml"));
    let config_bytes = fs::read(&file).map_err(|error| Text::FileUnreadable {
        file: file.display().to_string(),
        cause: system_words(&error, (look.speak)(None)),
    })?;
    let reading = read_config(&config_bytes, look.trial);
    let mut survey = Survey {
        sheets: vec![Sheet::new(FileRole::Station, file, &config_bytes)],
        config: reading.value,
        drafts: (reading.draft, None),
        config_bytes,
        local: None,
        sources: Vec::new(),
        findings: reading.findings.into_iter().map(|f| (FileRole::Station, f)).collect(),
        base_dir: folder_of(look.config),
        language: (look.speak)(None),
    };
    survey.language = (look.speak)(written_language(&survey));
    survey.read_local(look.kept);
    if let Some(config) = &mut survey.config {
        // An absolute folder stays as it is.
        config.state.dir = survey.base_dir.join(&config.state.dir);
    }
    if look.stored {
        survey.read_stored();
        survey.look_for_audio();
    }
    let whole = survey.config.is_some() && survey.drafts.1.is_none();
    if let Some(config) = survey.config.as_ref().or(survey.drafts.0.as_ref()) {
        let sources: Vec<(usize, &List)> = survey.sources.iter().map(|(i, l)| (*i, l)).collect();
        let today = (look.today)(config.station.timezone);
        let found = check_station(config, survey.local.as_ref().or(survey.drafts.1.as_ref()), &sources, today);
        // Beside other mistakes only what is wrong for certain: the rest may follow from them.
        survey.findings.extend(found.into_iter().filter(|(_, f)| whole || f.severity == Severity::Error));
    }
    survey.findings.sort_by_key(|(role, f)| (*role, f.span.start, f.severity));
    Ok(survey)
}

/// Where the files that were in force last are kept.
pub fn kept_in(state_dir: &Path) -> PathBuf {
    state_dir.join("in-force")
}

/// Keeps the files that came into force, for a start at which they turn out broken. A failure is only traced: it must
/// not keep a station from running.
pub fn keep_in_force(state_dir: &Path, survey: &Survey) {
    let folder = kept_in(state_dir);
    let keep = || -> std::io::Result<()> {
        fs::create_dir_all(&folder)?;
        for (role, name) in [(FileRole::Local, "local.toml"), (FileRole::Station, "station.toml")] {
            let file = folder.join(name);
            match survey.sheets.iter().find(|s| s.role == role) {
                Some(sheet) if fs::read(&file).is_ok_and(|old| old == sheet.bytes) => {}
                Some(sheet) => write_whole(&file, &sheet.bytes)?,
                None => match fs::remove_file(&file) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                },
            }
        }
        Ok(())
    };
    if let Err(error) = keep() {
        tracing::warn!("{}: {error}", folder.display());
    }
}

/// Writes a file whole or not at all: beside its place, flushed, renamed over it. Keeps the mode of what was there.
pub fn write_whole(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = folder_of(file);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let part = folder.join(format!(".{name}.{}.part", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut out = fs::File::create(&part)?;
        std::io::Write::write_all(&mut out, bytes)?;
        if let Ok(old) = fs::metadata(file) {
            out.set_permissions(old.permissions())?;
            // Only root may give a file away; whoever may not keeps it as their own.
            use std::os::unix::fs::MetadataExt;
            let _ = std::os::unix::fs::fchown(&out, Some(old.uid()), Some(old.gid()));
        }
        out.sync_all()?;
        fs::rename(&part, file)?;
        fs::File::open(&folder)?.sync_all()
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// The folder of a config file: what relative paths start from.
pub fn folder_of(config: &Path) -> PathBuf {
    match config.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What commands need that only look at the state folder: found even in a config with mistakes elsewhere.
pub struct Glance {
    /// The state folder.
    pub dir: PathBuf,
    /// The station's zone.
    pub zone: Zone,
    /// `[station] language`
    pub language: Option<Language>,
}

/// Takes a glance at a config. What is not there, or cannot be read, is as if it were not written.
///
/// # Errors
/// What the system says when there is no file to read.
pub fn glance(config: &Path) -> std::io::Result<Glance> {
    let bytes = fs::read(config)?;
    let root = document::read_toml(&document::shown(&bytes)).0;
    let text = |table: &str, key: &str| match under(under(&root, table)?, key).map(|n| &n.value) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    Ok(Glance {
        dir: folder_of(config).join(text("state", "dir").unwrap_or_else(|| "/var/lib/loaxa".into())),
        zone: text("station", "timezone").and_then(|n| Zone::by_name(&n)).unwrap_or_default(),
        language: match text("station", "language").as_deref() {
            Some("en") => Some(Language::En),
            Some("vi") => Some(Language::Vi),
            _ => None,
        },
    })
}

impl Survey {
    /// Reads the commune's list. Its place is taken from the file even where the config is refused, so that all
    /// mistakes come to light in one go.
    fn read_local(&mut self, kept: Option<&Path>) {
        let text = self.sheets[0].text.clone();
        let root = document::read_toml(&text).0;
        let Some(table) = under(&root, "local") else { return };
        let written = under(table, "playlist");
        let (name, span) = match written {
            Some(Node { value: Value::Text(name), span }) => (name.clone(), span.clone()),
            _ => ("local.toml".to_owned(), table.span.clone()),
        };
        let path = kept.map_or_else(|| self.base_dir.join(&name), |k| k.join("local.toml"));
        match std::fs::read(&path) {
            Ok(bytes) => {
                let reading = read_list(&bytes, Form::Local);
                self.local = reading.value;
                self.drafts.1 = reading.draft;
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
        let store = ClipStore::looked_at(&config.state.dir);
        for (index, source) in config.sources.iter().enumerate() {
            // Nothing to look at: the source never answered, or this user may not.
            let Ok(disk) = store.on_disk(&source.id) else { continue };
            let Some(Generation { path, bytes, .. }) = disk.generations.into_iter().next() else { continue };
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

/// What measuring found of a local clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    bytes: u64,
    modified_ns: u64,
    sha256: String,
    sound: Measured,
}

/// The audio of the commune's own clips.
#[derive(Clone, Debug, Default)]
pub struct LocalAudio {
    /// The file of each clip that can be played.
    pub files: HashMap<Arc<str>, PathBuf>,
    /// What is wrong with the others.
    pub troubles: Vec<(Arc<str>, Reason, Text)>,
}

impl LocalAudio {
    /// What is wrong with the clips that cannot be played, by `local/ID`.
    pub fn faults(&self) -> HashMap<String, Reason> {
        self.troubles.iter().map(|(clip, reason, _)| (format!("{LOCAL}/{clip}"), *reason)).collect()
    }
}

/// Finds and measures the audio of a local list and writes hash and length into it. What was measured before and has
/// not changed since is taken from `memory`, a file in the state folder; without one, everything is measured.
/// `measure` decodes a file whole. One that is silent, or too loud with its `gain_db`, cannot be played either.
pub fn measure_local(
    list: &mut List,
    folder: &Path,
    memory: Option<&Path>,
    measure: &dyn Fn(&Path) -> Result<Measured, Text>,
) -> LocalAudio {
    let mut known: HashMap<String, Known> =
        memory.and_then(|m| fs::read(m).ok()).and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    let before = known.clone();
    let mut audio = LocalAudio::default();
    for clip in &mut list.clips {
        let Some(file) = clip.file.clone() else { continue };
        let path = folder::find(folder, &file).ok().flatten().unwrap_or_else(|| folder.join(&file));
        let fit = |found: Known| {
            let shown = path.display().to_string();
            match loudness::objection(&shown, found.sound.heard(), clip.gain_db, loudness::OWN) {
                Some(text) => Err((Reason::ClipBad, text)),
                None => Ok(found),
            }
        };
        match measured(&path, &file, &mut known, measure).and_then(fit) {
            Ok(found) => {
                clip.sha256 = Some(Arc::from(found.sha256.as_str()));
                clip.bytes = Some(found.bytes);
                clip.duration_ms = Some(found.sound.duration_ms);
                audio.files.insert(clip.id.clone(), path);
            }
            Err((reason, text)) => {
                clip.unfit = Some(reason);
                // A length written by hand keeps the session clock right even when the file cannot be played.
                audio.troubles.push((clip.id.clone(), reason, text));
            }
        }
    }
    if let Some(memory) = memory
        && known != before
        && let Ok(text) = serde_json::to_vec_pretty(&known)
    {
        // Only a memory: lost, everything is measured again.
        let part = memory.with_extension("part");
        let _ = fs::write(&part, text).and_then(|()| fs::rename(&part, memory));
    }
    audio
}

fn measured(
    path: &Path,
    file: &str,
    known: &mut HashMap<String, Known>,
    measure: &dyn Fn(&Path) -> Result<Measured, Text>,
) -> Result<Known, (Reason, Text)> {
    let missing = |error: std::io::Error| {
        let text = Text::FileUnreadable { file: path.display().to_string(), cause: error.to_string() };
        (Reason::ClipMissing, text)
    };
    let meta = fs::metadata(path).map_err(missing)?;
    let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let modified_ns = modified.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(0));
    if let Some(k) = known.get(file)
        && k.bytes == meta.len()
        && k.modified_ns == modified_ns
    {
        return Ok(k.clone());
    }
    let sha256 = hash_file(path).map_err(missing)?;
    let sound = measure(path).map_err(|text| (Reason::ClipBad, text))?;
    let found = Known { bytes: meta.len(), modified_ns, sha256, sound };
    known.insert(file.to_owned(), found.clone());
    Ok(found)
}

/// What was approved: the very bytes, by whom and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Approved {
    sha256: String,
    by: String,
    at: String,
}

/// Holds approvals to the audio they were given for (invariant 4): a clip whose file changed while its approval stayed
/// as it was counts as not approved, until somebody approves it anew. `memory` is a file in the state folder. Answers
/// a sentence for each clip held back.
pub fn hold_approvals(list: &mut List, memory: &Path) -> Vec<Text> {
    let mut known: HashMap<String, Approved> =
        fs::read(memory).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    let before = known.clone();
    let mut held = Vec::new();
    for clip in list.clips.iter_mut().filter(|c| !c.kind.is_frame()) {
        let (Some(sha256), Some(by), Some(at)) = (&clip.sha256, &clip.approved_by, &clip.approved_at) else { continue };
        let now = Approved { sha256: sha256.to_string(), by: by.to_string(), at: at.to_string() };
        match known.get(&*clip.id) {
            Some(then) if then.by == now.by && then.at == now.at && then.sha256 != now.sha256 => {
                held.push(Text::ApprovalOfOtherAudio { clip: clip.id.to_string(), at: now.at });
                clip.approved_by = None;
            }
            _ => {
                known.insert(clip.id.to_string(), now);
            }
        }
    }
    if known != before
        && let Ok(text) = serde_json::to_vec_pretty(&known)
    {
        let part = memory.with_extension("part");
        let _ = fs::write(&part, text).and_then(|()| fs::rename(&part, memory));
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(sha256: &str, at: &str) -> List {
        let text = format!(
            "[[clips]]\nid = \"tin\"\nfile = \"tin.mp3\"\ntitle = \"Tin\"\nkind = \"ban_tin\"\napproved_by = \"A\"\napproved_at = \"{at}\"\n"
        );
        let mut list = read_list(text.as_bytes(), Form::Local).value.unwrap();
        list.clips[0].sha256 = Some(sha256.into());
        list
    }

    #[test]
    fn audio_that_changed_after_its_approval_needs_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let memory = folder.path().join("approvals.json");
        let mut first = list("aa", "2022-09-30");
        assert!(hold_approvals(&mut first, &memory).is_empty() && first.clips[0].is_approved());
        let mut changed = list("bb", "2022-09-30");
        assert_eq!(hold_approvals(&mut changed, &memory).len(), 1);
        assert!(!changed.clips[0].is_approved());
        let mut again = list("bb", "2022-10-02");
        assert!(hold_approvals(&mut again, &memory).is_empty() && again.clips[0].is_approved());
    }
}
