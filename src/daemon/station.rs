//! The station as its files say it: `station.toml`, the commune's own list with its audio measured, the lists from
//! above as they are stored. Read at start and again at each reload; the commands that only look use it as well.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::airing::Reason;
use crate::domain::config::{Config, Language, read_config};
use crate::domain::fields::match_name;
use crate::domain::findings::{FileRole, Finding, Severity};
use crate::domain::playlist::{Form, List, read_list};
use crate::domain::signature::hex;
use crate::domain::station::check_station;
use crate::domain::text::Text;
use crate::edge::clip_store::hash_file;

/// One file that was read, for findings.
#[derive(Clone, Debug)]
pub struct FileRead {
    /// What it is to the station.
    pub role: FileRole,
    /// Its path as shown.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What `station.toml` and the local list say.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The config; none when an error stands in it.
    pub config: Option<Arc<Config>>,
    /// The commune's own list; none when there is none or an error stands in it.
    pub local: Option<List>,
    /// Everything found, in both and between them.
    pub findings: Vec<(FileRole, Finding)>,
    /// The files themselves.
    pub files: Vec<FileRead>,
}

/// A file that could not even be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}")]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub error: std::io::Error,
}

impl Unreadable {
    /// The sentence for people.
    pub fn text(&self) -> Text {
        Text::FileUnreadable { file: self.path.display().to_string(), cause: self.error.to_string() }
    }
}

impl Loaded {
    /// Reads both files. `sources` are lists from above to check against, by their place in the config.
    ///
    /// # Errors
    /// When a file cannot be read at all.
    pub fn read(
        config_path: &Path,
        trial: bool,
        today: NaiveDate,
        sources: impl Fn(&Config) -> Vec<(usize, Arc<List>)>,
    ) -> Result<Loaded, Unreadable> {
        let bytes = read_file(config_path)?;
        let reading = read_config(&bytes, trial);
        let mut loaded = Loaded {
            config: reading.value.map(Arc::new),
            local: None,
            findings: reading.findings.into_iter().map(|f| (FileRole::Station, f)).collect(),
            files: vec![FileRead { role: FileRole::Station, path: config_path.to_owned(), bytes }],
        };
        let Some(config) = loaded.config.clone() else { return Ok(loaded) };
        if let Some(local) = &config.local {
            let path = beside(config_path, &local.playlist);
            let bytes = read_file(&path)?;
            let reading = read_list(&bytes, Form::Local);
            loaded.local = reading.value;
            loaded.findings.extend(reading.findings.into_iter().map(|f| (FileRole::Local, f)));
            loaded.files.push(FileRead { role: FileRole::Local, path, bytes });
        }
        if config.local.is_none() || loaded.local.is_some() {
            let lists = sources(&config);
            let lists: Vec<_> = lists.iter().map(|(i, l)| (*i, &**l)).collect();
            loaded.findings.extend(check_station(&config, loaded.local.as_ref(), &lists, today));
        }
        Ok(loaded)
    }

    /// Whether the station may run with these files.
    pub fn may_run(&self) -> bool {
        let config_whole = self.config.as_ref().is_some_and(|c| c.local.is_none() || self.local.is_some());
        config_whole && !self.findings.iter().any(|(_, f)| f.severity == Severity::Error)
    }

    /// Findings as people read them, of at least a severity, in the order of the files.
    pub fn rendered(&self, least: Severity, language: Language) -> Vec<String> {
        let mut findings: Vec<_> = self.findings.iter().filter(|(_, f)| f.severity <= least).collect();
        findings.sort_by_key(|(role, f)| (*role, f.span.start, f.severity));
        findings
            .into_iter()
            .map(|(role, finding)| {
                let file = self.files.iter().find(|f| f.role == *role);
                let (path, text) = match file {
                    Some(file) => (file.path.display().to_string(), crate::domain::document::shown(&file.bytes)),
                    None => (String::new(), String::new()),
                };
                finding.render(&path, &text, language)
            })
            .collect()
    }

    /// SHA-256 of a file as read, for the log.
    pub fn sha256(&self, role: FileRole) -> Option<String> {
        use sha2::Digest;
        let file = self.files.iter().find(|f| f.role == role)?;
        Some(hex(&sha2::Sha256::digest(&file.bytes)))
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Unreadable> {
    fs::read(path).map_err(|error| Unreadable { path: path.to_owned(), error })
}

/// A path as written in a config: relative to the config's folder.
pub fn beside(config_path: &Path, path: &Path) -> PathBuf {
    config_path.parent().unwrap_or(Path::new(".")).join(path)
}

/// What measuring found of a local clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    bytes: u64,
    modified_ns: u64,
    sha256: String,
    duration_ms: i64,
}

/// The audio of the commune's own clips.
#[derive(Clone, Debug, Default)]
pub struct LocalAudio {
    /// The file of each clip that can be played.
    pub files: HashMap<Arc<str>, PathBuf>,
    /// What is wrong with the others.
    pub troubles: Vec<(Arc<str>, Reason, Text)>,
}

/// Finds and measures the audio of a local list and writes hash and length into it. What was measured before and has
/// not changed since is taken from `memory`, a file in the state folder; without one, everything is measured.
/// `measure` decodes a file whole and answers its length in milliseconds.
pub fn measure_local(
    list: &mut List,
    folder: &Path,
    memory: Option<&Path>,
    measure: &dyn Fn(&Path) -> Result<i64, Text>,
) -> LocalAudio {
    let names: Vec<String> = fs::read_dir(folder)
        .map(|dir| dir.flatten().filter_map(|e| e.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    let mut known: HashMap<String, Known> =
        memory.and_then(|m| fs::read(m).ok()).and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    let before = known.clone();
    let mut audio = LocalAudio::default();
    for clip in &mut list.clips {
        let Some(file) = clip.file.clone() else { continue };
        let path = match match_name(names.iter().map(String::as_str), &file) {
            Some(name) => folder.join(name),
            None => folder.join(&file),
        };
        match measured(&path, &file, &mut known, measure) {
            Ok(found) => {
                clip.sha256 = Some(Arc::from(found.sha256.as_str()));
                clip.bytes = Some(found.bytes);
                clip.duration_ms = Some(found.duration_ms);
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
    measure: &dyn Fn(&Path) -> Result<i64, Text>,
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
    let duration_ms = measure(path).map_err(|text| (Reason::ClipBad, text))?;
    let found = Known { bytes: meta.len(), modified_ns, sha256, duration_ms };
    known.insert(file.to_owned(), found.clone());
    Ok(found)
}
