//! The station's files, read together: what every command that needs the station begins with.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::cli::{Context, Failure, is_trial};
use crate::daemon::clock::MachineClock;
use crate::daemon::station::{self, Glance, Look, Survey};
use crate::domain::config::{Config, Language};
use crate::domain::findings::{FileRole, Finding, Severity};
use crate::domain::playlist::List;
use crate::domain::text::{Text, system_words};
use crate::domain::time::{Clock, Zone};

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
    survey_of(context, stored, None)
}

/// [`survey`] of drafts in a folder, in place of the files themselves.
///
/// # Errors
/// [`Failure::Config`] when there is no draft of the config.
pub fn survey_of(context: &Context, stored: bool, kept: Option<&Path>) -> Result<Survey, Failure> {
    let look = Look {
        config: &context.config,
        trial: is_trial(),
        speak: &|written| context.speak(written),
        today: &today,
        stored,
        kept,
    };
    station::survey(&look).map_err(|text| Failure::Config(text.say(context.language)))
}

/// `station.toml` alone, whatever the commune's list says: for commands that only deal with what comes from above.
///
/// # Errors
/// [`Failure::Config`] when it cannot be read or is refused; its findings are on stderr then.
pub fn config(context: &Context) -> Result<Config, Failure> {
    let survey = survey(context, false)?;
    if let Some(config) = survey.config {
        return Ok(config);
    }
    let errors = survey.findings.iter().filter(|(r, f)| *r == FileRole::Station && f.severity == Severity::Error);
    let refused = Text::ConfigRefused { file: context.config.display().to_string(), errors: errors.count() };
    for line in survey.rendered(&[Severity::Error]) {
        eprintln!("{line}");
    }
    Err(Failure::Config(refused.say(survey.language)))
}

/// The state folder, zone and language, for commands that do not care what else the config says.
///
/// # Errors
/// [`Failure::Config`] when there is no config file to read.
pub fn glance(context: &Context) -> Result<Glance, Failure> {
    station::glance(&context.config).map_err(|error| {
        let (file, cause) = (context.config.display().to_string(), system_words(&error, context.language));
        Failure::Config(Text::FileUnreadable { file, cause }.say(context.language))
    })
}

/// The local date, as far as this machine knows.
pub fn today(zone: Zone) -> NaiveDate {
    zone.date(MachineClock::plain().now().wall())
}
