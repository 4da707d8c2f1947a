//! What changes in the course of a rehearsal: lists and config that come into force later, and what is taken back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Parts, from_file, time};
use crate::cli::{Failure, is_trial};
use crate::daemon::clock::MachineClock;
use crate::daemon::run::measure;
use crate::daemon::station::measure_local;
use crate::domain::config::{Config, Language, read_config};
use crate::domain::document::{self, Value};
use crate::domain::findings::{Finding, Severity};
use crate::domain::playlist::{Form, LOCAL, List, Ref, Withdrawal, Withdrawn, read_list};
use crate::domain::schedule::{Held, InForce};
use crate::domain::simulate::Incident;
use crate::domain::text::Text;
use crate::domain::time::{Wall, Zone};

/// What comes into force at a moment.
pub enum Change {
    /// A list from above, urgent or not: it replaces the one of its source.
    Above(Arc<str>, Box<List>),
    /// The commune's own list.
    Own(Box<List>),
    /// The config.
    Config(Box<Config>),
    /// Something is taken back.
    Withdrawn(Withdrawn),
    /// A stored urgent list has had its time.
    Expires,
}

/// `T=FILE`: `station.toml`, the commune's own list, or a list from above, told apart by what is in them.
pub fn later(
    text: &str,
    zone: Zone,
    config: &Config,
    base_dir: &Path,
    language: Language,
) -> Result<(Wall, Change), Failure> {
    let bad = || Failure::Usage(Text::BadLater { text: text.to_owned() }.say(language));
    let (at, file) = text.split_once('=').ok_or_else(bad)?;
    let (at, file) = (time(zone, at, language)?, PathBuf::from(file));
    let clock = MachineClock::plain();
    let shown = file.display().to_string();
    let bytes = std::fs::read(&file).map_err(|error| {
        Failure::Failed(Text::FileUnreadable { file: shown.clone(), cause: error.to_string() }.say(language))
    })?;
    let published = file.extension().is_some_and(|e| e == "json");
    let text = document::shown(&bytes);
    let has = |key: &str| match &document::read_toml(&text).0.value {
        Value::Table(table) => table.get(key).is_some(),
        _ => false,
    };
    let tell = |findings: &[Finding]| {
        for finding in findings.iter().filter(|f| f.severity == Severity::Error) {
            eprintln!("{}", finding.render(&shown, &text, language));
        }
        Failure::Config(Text::ListRefused { file: shown.clone() }.say(language))
    };
    if published || has("source") && !has("station") {
        let (source, mut list) = from_file(config, &file, &clock, language)?;
        list.urgent |= file.file_stem().is_some_and(|name| name == "urgent");
        return Ok((at, Change::Above(source, Box::new(list))));
    }
    if has("station") {
        let reading = read_config(&bytes, is_trial());
        let mut other = reading.value.ok_or_else(|| tell(&reading.findings))?;
        other.state.dir = base_dir.join(&other.state.dir);
        return Ok((at, Change::Config(Box::new(other))));
    }
    let reading = read_list(&bytes, Form::Local);
    let mut list = reading.value.ok_or_else(|| tell(&reading.findings))?;
    if let Some(local) = &config.local
        && list.clips.iter().any(|c| c.duration_ms.is_none())
    {
        let audio = measure_local(&mut list, &base_dir.join(&local.clips), None, &|path| measure(&clock, path));
        for (_, _, text) in audio.troubles {
            eprintln!("{}", text.say(language));
        }
    }
    Ok((at, Change::Own(Box::new(list))))
}

/// `clip:SOURCE/ID@T`, or `offer:`, `slot:`, `emergency:`; a plain id is the commune's own.
pub fn withdraw(text: &str, zone: Zone, language: Language) -> Result<(Wall, Change), Failure> {
    let bad = || Failure::Usage(Text::BadWithdrawal { text: text.to_owned() }.say(language));
    let (what, at) = text.split_once('@').ok_or_else(bad)?;
    let (kind, name) = what.split_once(':').ok_or_else(bad)?;
    let (source, id) = name.split_once('/').unwrap_or((LOCAL, name));
    let named = Ref { source: Some(source.into()), id: id.into(), span: 0..0 };
    let what = match kind {
        "clip" => Withdrawn::Clip(named),
        "offer" => Withdrawn::Offer(named),
        "slot" => Withdrawn::Slot(named),
        "emergency" => Withdrawn::Emergency(named),
        _ => return Err(bad()),
    };
    Ok((time(zone, at, language)?, Change::Withdrawn(what)))
}

/// The programmes that come of the changes, each at its moment.
pub fn incidents(
    parts: &mut Parts,
    mut changes: Vec<(Wall, Change)>,
    language: Language,
) -> Result<Vec<(Wall, Incident)>, Failure> {
    let expiries = parts.held.iter().filter(|h| h.list.urgent).filter_map(|h| h.expires_at);
    changes.extend(expiries.map(|at| (at, Change::Expires)).collect::<Vec<_>>());
    changes.sort_by_key(|(at, _)| *at);
    let mut all = Vec::new();
    for (at, change) in changes {
        match change {
            Change::Above(source, list) => {
                parts.held.retain(|h| h.source != source || h.list.urgent != list.urgent);
                parts.held.push(Held { source, list: Arc::new(*list), since: at, expires_at: None, leaked: false });
            }
            Change::Own(list) => {
                parts.own = Some(InForce { source: LOCAL.into(), list: Arc::new(*list), since: at });
            }
            Change::Config(config) => {
                parts.config = Arc::new(*config);
                // A reload brings the commune's list into force anew, as the daemon does.
                parts.own.iter_mut().for_each(|own| own.since = at);
            }
            Change::Withdrawn(what) => take_back(parts, what, at, language)?,
            Change::Expires => {}
        }
        all.push((at, Incident::Programme(parts.programme(at)?)));
    }
    Ok(all)
}

/// Lets the list that holds something take it back, as its owner would.
fn take_back(parts: &mut Parts, what: Withdrawn, at: Wall, language: Language) -> Result<(), Failure> {
    let (Withdrawn::Clip(named) | Withdrawn::Offer(named) | Withdrawn::Slot(named) | Withdrawn::Emergency(named)) =
        &what;
    let source = named.source.clone().unwrap_or_else(|| LOCAL.into());
    let withdrawal = Withdrawal { what, at: Some(at), by: None, why: None, span: 0..0 };
    let take = |list: &mut Arc<List>| Arc::make_mut(list).withdrawals.push(withdrawal.clone());
    if &*source == LOCAL {
        parts.own.iter_mut().for_each(|own| take(&mut own.list));
        return Ok(());
    }
    let mut of_it = parts.held.iter_mut().filter(|h| h.source == source).peekable();
    if of_it.peek().is_none() {
        return Err(Failure::Usage(Text::UnknownSource { id: source.to_string() }.say(language)));
    }
    of_it.for_each(|h| take(&mut h.list));
    Ok(())
}
