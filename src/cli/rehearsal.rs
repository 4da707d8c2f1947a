//! `loaxa simulate`, and the programme that commands which only look work with.

mod changes;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use comfy_table::{Table, presets};

use crate::cli::{Context, Done, Failure};
use crate::daemon::clock::MachineClock;
use crate::daemon::run::measure;
use crate::daemon::station::measure_local;
use crate::daemon::sync::load_all;
use crate::domain::airing::{Airing, Outcome, Reason};
use crate::domain::config::{Config, Language};
use crate::domain::findings::Severity;
use crate::domain::playlist::{Form, LOCAL, List, read_list};
use crate::domain::quota;
use crate::domain::report;
use crate::domain::schedule::{EMERGENCY_FOR_MS, Held, InForce, Programme, clashes, from_above};
use crate::domain::simulate::{Incident, Rehearsal, rehearse};
use crate::domain::stage::Absence;
use crate::domain::text::{Text, length_words, outcome_word, reason_words};
use crate::domain::time::{Clock, ClockState, Wall, Zone};
use crate::edge::clip_store::ClipStore;

/// Shown under `--help`.
pub const EXAMPLE: &str = "Ví dụ (example):\n  loaxa simulate --from 2022-10-01 --to 2022-10-11 --playlist playlist.toml\n  loaxa simulate --from 2022-10-05 --to 2022-10-06 --power-cut 2022-10-05T05:37..2022-10-05T05:50\n  loaxa simulate --from 2022-10-05 --to 2022-10-06 --later 2022-10-05T08:00=local.moi.toml --withdraw clip:tinh/cd2@2022-10-05T08:10 --format day";

/// `loaxa simulate`
#[derive(Args)]
pub struct Arguments {
    /// Từ lúc nào (from a time)
    #[arg(long, value_name = "T")]
    from: String,
    /// Đến lúc nào, không kể lúc đó (to a time, exclusive)
    #[arg(long, value_name = "T")]
    to: String,
    /// Dùng danh sách này thay cho danh sách cấp trên đang lưu; lặp lại được (these lists instead of the stored ones)
    #[arg(long, value_name = "FILE")]
    playlist: Vec<PathBuf>,
    /// Mất điện trong khoảng này; lặp lại được (power is off then)
    #[arg(long, value_name = "T..T")]
    power_cut: Vec<String>,
    /// Mất thiết bị âm thanh trong khoảng này; lặp lại được (the audio device is gone then)
    #[arg(long, value_name = "T..T")]
    device_lost: Vec<String>,
    /// Có người dừng trong khoảng này; lặp lại được (stopped by a person then)
    #[arg(long, value_name = "T..T")]
    stop: Vec<String>,
    /// Như thế, nhưng tin khẩn cấp vẫn phát (the same, but emergencies may air)
    #[arg(long, value_name = "T..T")]
    stop_but_emergency: Vec<String>,
    /// Từ lúc T dùng tệp này: danh sách cấp trên, urgent.toml, local.toml hoặc station.toml; lặp lại được (from T on this list or config)
    #[arg(long, value_name = "T=FILE")]
    later: Vec<String>,
    /// Rút lại từ lúc T: clip:, offer:, slot: hoặc emergency: rồi đến mã; lặp lại được (withdrawn from T on)
    #[arg(long, value_name = "WHAT:ID@T")]
    withdraw: Vec<String>,
    /// Có người cho phát một bài lúc T; lặp lại được (played by hand at T)
    #[arg(long, value_name = "CLIP@T")]
    play: Vec<String>,
    /// Tệp âm thanh của bài bị mất trong khoảng này; lặp lại được (the audio of a clip is gone then)
    #[arg(long, value_name = "CLIP@T..T")]
    clip_missing: Vec<String>,
    /// Đồng hồ không tin được trong khoảng này; lặp lại được (nobody knows the time then)
    #[arg(long, value_name = "T..T")]
    clock_unknown: Vec<String>,
    /// Đồng hồ nhảy: T=+90s hoặc T=-1h; lặp lại được (the wall clock jumps)
    #[arg(long, value_name = "T=±D", allow_hyphen_values = true)]
    clock_step: Vec<String>,
    /// Có người cho phát khẩn cấp; lặp lại được (an emergency by hand, with the end and from round to round)
    #[arg(long, value_name = "CLIP@T[..T[/D]]")]
    emergency: Vec<String>,
    /// jsonl | csv | table | day
    #[arg(long, default_value = "table", value_parser = ["jsonl", "csv", "table", "day"])]
    format: String,
}

/// Which lists from above a programme is made of.
pub enum Lists<'a> {
    /// Those that are stored on this box.
    Stored,
    /// These files.
    Files(&'a [PathBuf]),
}

/// A programme to look at.
pub struct Plan {
    /// What would be in force.
    pub programme: Arc<Programme>,
    /// The language to speak.
    pub language: Language,
    /// What it was made of.
    pub parts: Parts,
}

/// What a programme is made of.
pub struct Parts {
    config: Arc<Config>,
    own: Option<InForce>,
    held: Vec<Held>,
}

impl Parts {
    /// The lists in force at a moment, urgent ones beside those of their sources.
    pub fn lists(&self, now: Wall) -> Vec<InForce> {
        self.own.iter().cloned().chain(from_above(&self.config, &self.held, now)).collect()
    }

    fn programme(&self, now: Wall) -> Result<Arc<Programme>, Failure> {
        let programme = Programme::new(self.config.clone(), &self.lists(now));
        programme.map(Arc::new).map_err(|e| Failure::Failed(e.to_string()))
    }
}

/// Makes the programme of the station from its files; `since` puts every list in force at one moment.
pub fn programme(context: &Context, lists: Lists, since: Option<Wall>) -> Result<Plan, Failure> {
    let loaded = super::station::load(context)?;
    programme_of(loaded.config, loaded.local, &loaded.base_dir, loaded.language, lists, since)
}

/// Makes the programme of a station from what its files say.
pub fn programme_of(
    config: Config,
    own: Option<List>,
    base_dir: &Path,
    language: Language,
    lists: Lists,
    since: Option<Wall>,
) -> Result<Plan, Failure> {
    let clock = MachineClock::plain();
    let config = Arc::new(config);
    let mut parts = Parts { config: config.clone(), own: None, held: Vec::new() };
    if let (Some(local), Some(mut list)) = (&config.local, own) {
        let folder = base_dir.join(&local.clips);
        let memory = config.state.dir.join("local-clips.json");
        if list.clips.iter().any(|c| c.duration_ms.is_none()) {
            let memory = memory.exists().then_some(&*memory);
            let audio = measure_local(&mut list, &folder, memory, &|path| measure(&clock, path));
            for (_, _, text) in audio.troubles {
                eprintln!("{}", text.say(language));
            }
        }
        parts.own = Some(InForce { source: LOCAL.into(), list: Arc::new(list), since: since.unwrap_or_default() });
    }
    match lists {
        Lists::Stored => parts.held = stored(&config, &clock, language, since)?,
        Lists::Files(files) => {
            for file in files {
                let (source, list) = from_file(&config, file, &clock, language)?;
                let since = since.unwrap_or_default();
                parts.held.push(Held { source, list: Arc::new(list), since, expires_at: None, leaked: false });
            }
        }
    }
    let now = since.unwrap_or_else(|| clock.now().wall());
    Ok(Plan { programme: parts.programme(now)?, language, parts })
}

fn stored(
    config: &Arc<Config>,
    clock: &MachineClock,
    language: Language,
    since: Option<Wall>,
) -> Result<Vec<Held>, Failure> {
    if !config.state.dir.join("playlists").exists() {
        return Ok(Vec::new());
    }
    let fails = |e: crate::edge::clip_store::StoreError| Failure::Failed(e.text(language).say(language));
    let store = ClipStore::open(&config.state.dir).map_err(fails)?;
    let loaded = load_all(config, &store, clock, language, &HashMap::new()).map_err(fails)?;
    let stored = loaded.into_iter().flat_map(|(_, l)| l.stored.into_iter().chain(l.urgent));
    let held = stored.map(|s| s.held());
    Ok(held.map(|held| Held { since: since.unwrap_or(held.since), ..held }).collect())
}

/// A list for a rehearsal: published, then its clips need no files; or by hand, then they have a length or an audio
/// file beside the list.
fn from_file(
    config: &Config,
    file: &std::path::Path,
    clock: &MachineClock,
    language: Language,
) -> Result<(Arc<str>, List), Failure> {
    let shown = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::Failed(Text::FileUnreadable { file: shown.clone(), cause: error.to_string() }.say(language))
    })?;
    let form = if file.extension().is_some_and(|e| e == "json") { Form::Published } else { Form::Handwritten };
    let reading = read_list(&bytes, form);
    let text = crate::domain::document::shown(&bytes);
    for finding in reading.findings.iter().filter(|f| f.severity == Severity::Error) {
        eprintln!("{}", finding.render(&shown, &text, language));
    }
    let Some(mut list) = reading.value else {
        return Err(Failure::Config(Text::ListRefused { file: shown }.say(language)));
    };
    let source: Arc<str> = match list.source.clone() {
        Some(source) => source,
        None => return Err(Failure::Config(Text::ListWithoutSource { file: shown }.say(language))),
    };
    if !config.sources.iter().any(|s| s.id == source) {
        let text = Text::ListOfUnknownSource { file: shown, source: source.to_string() };
        return Err(Failure::Config(text.say(language)));
    }
    if form == Form::Handwritten && list.clips.iter().any(|c| c.duration_ms.is_none()) {
        let folder = file.parent().unwrap_or(std::path::Path::new("."));
        let audio = measure_local(&mut list, folder, None, &|path| measure(clock, path));
        for (_, _, text) in audio.troubles {
            eprintln!("{}", text.say(language));
        }
    }
    // A rehearsal does not look at the list's life, nor for whom the whole of it is meant (rule R9).
    list.expires_at = None;
    list.stations = None;
    Ok((source, list))
}

fn time(zone: Zone, text: &str, language: Language) -> Result<Wall, Failure> {
    zone.parse(text).ok_or_else(|| Failure::Usage(Text::ArgumentTime { text: text.to_owned() }.say(language)))
}

fn stretch(zone: Zone, text: &str, language: Language) -> Result<(Wall, Wall), Failure> {
    let bad = || Failure::Usage(Text::BadStretch { text: text.to_owned() }.say(language));
    let (from, to) = text.split_once("..").ok_or_else(bad)?;
    let (from, to) = (time(zone, from, language)?, time(zone, to, language)?);
    if from < to { Ok((from, to)) } else { Err(bad()) }
}

fn step(zone: Zone, text: &str, language: Language) -> Result<(Wall, Incident), Failure> {
    let bad = || Failure::Usage(Text::BadStep { text: text.to_owned() }.say(language));
    let (at, by) = text.split_once('=').ok_or_else(bad)?;
    let (sign, length) = match by.strip_prefix('-') {
        Some(length) => (-1, length),
        None => (1, by.strip_prefix('+').unwrap_or(by)),
    };
    let ms = crate::domain::time::parse_duration_ms(length).ok_or_else(bad)?;
    Ok((time(zone, at, language)?, Incident::ClockStep(sign * ms)))
}

/// `CLIP@T[..UNTIL[/EVERY]]`, as `loaxa play --emergency` has it.
fn emergency(zone: Zone, text: &str, language: Language) -> Result<(Wall, Incident), Failure> {
    let bad = || Failure::Usage(Text::BadEmergency { text: text.to_owned() }.say(language));
    let (clip, when) = text.split_once('@').ok_or_else(bad)?;
    let (when, every_ms) = match when.split_once('/') {
        Some((when, every)) => (when, Some(crate::domain::time::parse_duration_ms(every).ok_or_else(bad)?)),
        None => (when, None),
    };
    let (at, until) = match when.split_once("..") {
        Some(_) => stretch(zone, when, language)?,
        None => {
            let at = time(zone, when, language)?;
            (at, at + EMERGENCY_FOR_MS)
        }
    };
    Ok((at, Incident::Emergency { clip: clip.to_owned(), for_ms: until - at, every_ms }))
}

/// `CLIP@WHEN`: the clip, and what stands after it.
fn clip_at(text: &str, language: Language) -> Result<(String, &str), Failure> {
    let parts = text.rsplit_once('@').map(|(clip, when)| (clip.to_owned(), when));
    parts.ok_or_else(|| Failure::Usage(Text::BadClipMoment { text: text.to_owned() }.say(language)))
}

/// Rehearses: what would air, and the rows the log would hold.
pub fn run(context: &Context, arguments: &Arguments) -> Done {
    // The zone is in the config; times can only be read once that is known.
    let loaded = super::station::load(context)?;
    let (zone, language) = (loaded.config.station.timezone, loaded.language);
    let from = time(zone, &arguments.from, language)?;
    let to = time(zone, &arguments.to, language)?;
    if from >= to {
        return Err(Failure::Usage(Text::FromAfterTo {}.say(language)));
    }
    let mut incidents = Vec::new();
    for text in &arguments.power_cut {
        let (off, on) = stretch(zone, text, language)?;
        incidents.push((off, Incident::Away(Absence::PowerOff, on)));
    }
    for text in &arguments.device_lost {
        let (gone, back) = stretch(zone, text, language)?;
        incidents.push((gone, Incident::DeviceLost));
        incidents.push((back, Incident::DeviceBack));
    }
    for text in &arguments.stop {
        let (stop, resume) = stretch(zone, text, language)?;
        incidents.push((stop, Incident::Stop { for_ms: None, but_emergency: false }));
        incidents.push((resume, Incident::Resume));
    }
    for text in &arguments.stop_but_emergency {
        let (stop, resume) = stretch(zone, text, language)?;
        incidents.push((stop, Incident::Stop { for_ms: None, but_emergency: true }));
        incidents.push((resume, Incident::Resume));
    }
    for text in &arguments.play {
        let (clip, at) = clip_at(text, language)?;
        incidents.push((time(zone, at, language)?, Incident::Play(clip)));
    }
    for text in &arguments.clip_missing {
        let (clip, when) = clip_at(text, language)?;
        let (gone, back) = stretch(zone, when, language)?;
        let full = if clip.contains('/') { clip } else { format!("{LOCAL}/{clip}") };
        incidents.push((gone, Incident::Clip(full.clone(), Reason::ClipMissing)));
        incidents.push((back, Incident::ClipBack(full)));
    }
    for text in &arguments.clock_unknown {
        let (lost, known) = stretch(zone, text, language)?;
        incidents.push((lost, Incident::Clock(ClockState::Unknown)));
        incidents.push((known, Incident::Clock(ClockState::Synced)));
    }
    for text in &arguments.clock_step {
        incidents.push(step(zone, text, language)?);
    }
    for text in &arguments.emergency {
        incidents.push(emergency(zone, text, language)?);
    }
    let lists = if arguments.playlist.is_empty() { Lists::Stored } else { Lists::Files(&arguments.playlist) };
    let mut plan = programme(context, lists, Some(from))?;
    let mut changes = Vec::new();
    for text in &arguments.later {
        changes.push(changes::later(text, zone, &plan.parts.config, &loaded.base_dir, language)?);
    }
    for text in &arguments.withdraw {
        changes.push(changes::withdraw(text, zone, language)?);
    }
    // What counts in quotas is what was in force at the beginning.
    let lists = plan.parts.lists(from);
    let changed = changes::incidents(&mut plan.parts, changes, language)?;
    let known = |clip: &str| {
        let later = changed.iter().filter_map(|(_, i)| if let Incident::Programme(p) = i { Some(p) } else { None });
        later.chain([&plan.programme]).any(|p| p.clip(clip).is_some())
    };
    for (_, incident) in &incidents {
        if let Incident::Emergency { clip, .. } | Incident::Play(clip) | Incident::Clip(clip, _) = incident
            && !known(clip)
        {
            return Err(Failure::Failed(Text::NoSuchClip { clip: clip.clone() }.say(language)));
        }
    }
    incidents.extend(changed);
    let rehearsal = Rehearsal { from, to, incidents, clock: ClockState::Synced };
    let (rows, _) = rehearse(plan.programme.clone(), &rehearsal);
    let mut airings: Vec<Airing> = Vec::new();
    for row in &rows {
        if let crate::domain::airing::Entry::Airing(airing) = &row.entry {
            let planned = Wall::parse_rfc3339(&airing.planned_at);
            if planned.is_some_and(|p| from <= p && p < to) {
                airings.push(Airing { recorded_at: Some(zone.rfc3339(row.recorded_at)), ..(**airing).clone() });
            }
        }
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = match arguments.format.as_str() {
        "jsonl" => airings.iter().try_for_each(|airing| {
            serde_json::to_writer(&mut out, airing)?;
            out.write_all(b"\n")
        }),
        "csv" => write_csv(&mut out, &airings, zone, language),
        "day" => out.write_all(day_plan(&airings, zone, language).as_bytes()),
        _ => writeln!(out, "{}", table(&airings, zone, language)),
    };
    let written = written.and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(Failure::Failed(error.to_string())),
        _ => {}
    }
    let totals = totals(&airings, language);
    eprintln!("{totals}");
    for line in quotas(&plan, &lists, &airings, from, to) {
        eprintln!("{line}");
    }
    for clash in clashes(&plan.programme, from, to) {
        let day = zone.local(clash.second.1).format("%d/%m/%Y").to_string();
        eprintln!("{day}: {}", clash.text(zone, language).say(language));
    }
    Ok(ExitCode::SUCCESS)
}

/// How far each campaign came on its days inside the rehearsal, and where it cannot reach its quota.
fn quotas(plan: &Plan, lists: &[InForce], airings: &[Airing], from: Wall, to: Wall) -> Vec<String> {
    let zone = plan.programme.zone;
    // Only whole days can be judged.
    let first = zone.date(from + (crate::domain::time::DAY_MS - 1));
    let first = if zone.midnight(zone.date(from)) == from { zone.date(from) } else { first };
    let last = crate::domain::time::day_before(zone.date(to));
    if first > last {
        return Vec::new();
    }
    let facts = quota::campaigns(lists);
    let planned =
        quota::planned(&plan.programme, zone.midnight(first), zone.midnight(crate::domain::time::next_day(last)));
    let aired = quota::aired(airings, zone);
    let mut lines = Vec::new();
    for campaign in facts.iter().filter(|f| f.min_per_day.is_some()) {
        let days: Vec<_> = quota::standing(campaign, &planned, &aired, (first, last));
        let whole: Vec<_> = days.iter().filter(|s| s.topic.is_none()).collect();
        if whole.is_empty() {
            continue;
        }
        let text = Text::QuotaStanding {
            campaign: campaign.title.clone(),
            aired: whole.iter().map(|s| s.aired).sum(),
            planned: whole.iter().map(|s| s.planned).sum(),
            quota: whole.iter().filter_map(|s| s.quota).sum(),
            reached: whole.iter().filter(|s| s.quota.is_some_and(|q| s.aired >= q)).count() as u32,
            days: whole.len() as u32,
        };
        lines.push(text.say(plan.language));
    }
    lines.extend(quota::short(&facts, &planned, (first, last)).iter().map(|s| s.text().say(plan.language)));
    lines
}

fn write_csv(out: &mut impl std::io::Write, airings: &[Airing], zone: Zone, language: Language) -> std::io::Result<()> {
    let mut sheet = report::CsvSheet::new(out, report::Format::of(language, zone))?;
    airings.iter().try_for_each(|airing| sheet.airing(airing))?;
    sheet.finish().map(drop)
}

fn clock_time(text: Option<&str>, zone: Zone) -> String {
    text.and_then(Wall::parse_rfc3339).map_or_else(String::new, |w| zone.local(w).format("%H:%M:%S").to_string())
}

fn table(airings: &[Airing], zone: Zone, language: Language) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let headings = [
        Text::HeadDate {},
        Text::HeadTime {},
        Text::HeadSession {},
        Text::HeadTitle {},
        Text::HeadStart {},
        Text::HeadPlayed {},
        Text::HeadOutcome {},
        Text::HeadReason {},
    ];
    table.set_header(headings.map(|h| h.say(language)));
    for airing in airings {
        let planned = Wall::parse_rfc3339(&airing.planned_at).unwrap_or_default();
        table.add_row([
            zone.local(planned).format("%d/%m/%Y").to_string(),
            zone.local(planned).format("%H:%M:%S").to_string(),
            airing.slot_name.clone().unwrap_or_default(),
            airing.title.clone().or(airing.slot_name.clone()).unwrap_or_default(),
            clock_time(airing.started_at.as_deref(), zone),
            length_words(airing.played_ms, language),
            outcome_word(airing.outcome, language).to_owned(),
            airing.reason.map(|r| reason_words(r, language).to_owned()).unwrap_or_default(),
        ]);
    }
    table.to_string()
}

/// One day after the other, session by session: to be read aloud.
fn day_plan(airings: &[Airing], zone: Zone, language: Language) -> String {
    let mut text = String::new();
    let (mut day, mut session) = (String::new(), String::new());
    let mut sorted: Vec<&Airing> = airings.iter().collect();
    sorted.sort_by_key(|a| (Wall::parse_rfc3339(&a.planned_at), a.airing_id.clone()));
    for airing in sorted {
        let planned = zone.local(Wall::parse_rfc3339(&airing.planned_at).unwrap_or_default());
        let today = planned.format("%d/%m/%Y").to_string();
        if today != day {
            let _ = writeln!(text, "{}{today}", if day.is_empty() { "" } else { "\n" });
            day = today;
            session.clear();
        }
        let this = format!(
            "{}{}",
            airing.slot_id.as_deref().unwrap_or_default(),
            airing.session_start.as_deref().unwrap_or_default()
        );
        if this != session {
            let _ = writeln!(text, "  {}", airing.slot_name.as_deref().unwrap_or_default());
            session = this;
        }
        let title = airing.title.as_deref().or(airing.slot_name.as_deref()).unwrap_or_default();
        let result = if matches!(airing.outcome, Outcome::Aired | Outcome::Relayed) {
            String::new()
        } else {
            let reason = airing.reason.map_or("", |r| reason_words(r, language));
            format!(": {} ({reason})", outcome_word(airing.outcome, language))
        };
        let _ = writeln!(text, "    {} {title}{result}", planned.format("%H:%M:%S"));
    }
    text
}

fn totals(airings: &[Airing], language: Language) -> String {
    let mut parts = Vec::new();
    for outcome in Outcome::ALL {
        let of: Vec<_> = airings.iter().filter(|a| a.outcome == outcome).collect();
        if !of.is_empty() {
            let length = length_words(of.iter().map(|a| a.played_ms).sum(), language);
            parts.push(format!("{} {} ({length})", of.len(), outcome_word(outcome, language)));
        }
    }
    if parts.is_empty() { Text::NothingPlanned {}.say(language) } else { parts.join("; ") }
}
