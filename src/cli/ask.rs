//! The commands that ask the running daemon: `status`, `stop`, `resume`, `play`, `sync`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use clap::Args;
use serde_json::Value;

use crate::cli::{Context, Done, Failure};
use crate::daemon::clock::MachineClock;
use crate::daemon::run::{StartError, lock_state};
use crate::domain::airing::{EventKind, Write};
use crate::domain::config::Language;
use crate::domain::schedule::EMERGENCY_GAP_MS;
use crate::domain::stage::event;
use crate::domain::text::{Text, length_words};
use crate::domain::time::{Clock, Wall, Zone, parse_duration_ms};
use crate::edge::airing_log::{AiringLog, FILE_NAME, Identity, LogError, kernel_boot_id};
use crate::edge::control::{Answer, AskError, Request, ask};

/// Rounds of an emergency follow each other no faster, milliseconds: as in lists.
const SHORTEST_EVERY_MS: i64 = 10_000;
/// The daemon answers such requests at once.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// `loaxa status`
#[derive(Args)]
pub struct StatusArguments {
    /// Một đối tượng JSON cho chương trình khác (one JSON object)
    #[arg(long)]
    json: bool,
}

/// `loaxa stop`
#[derive(Args)]
pub struct StopArguments {
    /// Dừng trong bao lâu: 90s, 30m, 2h (for so long)
    #[arg(long = "for", value_name = "D", conflicts_with = "until")]
    lasting: Option<String>,
    /// Dừng đến lúc nào (until a time)
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Vẫn cho phát bản tin khẩn cấp (emergencies may pass)
    #[arg(long)]
    but_emergency: bool,
    /// Người dừng, ghi vào nhật ký (who, for the log)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Lý do, ghi vào nhật ký (why, for the log)
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

/// `loaxa resume`
#[derive(Args)]
pub struct ResumeArguments {
    /// Người cho phát lại, ghi vào nhật ký (who, for the log)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// `loaxa note`
#[derive(Args)]
pub struct NoteArguments {
    /// Nội dung ghi chú (what to write down)
    text: String,
    /// Người ghi (who)
    #[arg(long, value_name = "NAME")]
    by: String,
}

/// `loaxa sync`
#[derive(Args)]
pub struct SyncArguments {
    /// Dùng lại bản trước của nguồn này cho đến khi có bản mới hơn (go back to the list before)
    #[arg(long, value_name = "SOURCE")]
    rollback: Option<String>,
    /// Người làm, ghi vào nhật ký (who, for the log)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// `loaxa play`
#[derive(Args)]
pub struct PlayArguments {
    /// Mã bài: ban-tin, tinh/cd1, hoặc tone (a clip id, SOURCE/ID, or tone)
    clip: String,
    /// Chờ đến khi phát xong (return when it has ended)
    #[arg(long)]
    wait: bool,
    /// Người phát, ghi vào nhật ký (who, for the log)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Phát khẩn cấp: phát ngay, cắt mọi bài đang phát; phải có --by (an emergency: at once, over anything)
    #[arg(long, requires = "by", conflicts_with = "wait")]
    emergency: bool,
    /// Khẩn cấp: số lần phát liền nhau mỗi lượt (soundings in a round)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: Option<u32>,
    /// Khẩn cấp: nghỉ giữa hai lần, mặc định 10s (silence between two)
    #[arg(long, value_name = "D")]
    gap: Option<String>,
    /// Khẩn cấp: lặp lại mỗi lượt sau; không ghi thì một lượt (from round to round; absent: one round)
    #[arg(long, value_name = "D")]
    every: Option<String>,
    /// Khẩn cấp: đến trước lúc, mặc định một giờ nữa (no sounding at or after; absent: an hour from now)
    #[arg(long, value_name = "T")]
    until: Option<String>,
}

/// What asking needs of the station: found even in a config with mistakes elsewhere.
pub(super) struct Station {
    pub(super) state_dir: PathBuf,
    pub(super) zone: Zone,
    pub(super) language: Language,
}

pub(super) fn station(context: &Context) -> Result<Station, Failure> {
    let glance = super::station::glance(context)?;
    Ok(Station { state_dir: glance.dir, zone: glance.zone, language: context.speak(glance.language) })
}

pub(super) fn request(station: &Station, request: &Request, longest: Option<Duration>) -> Result<Value, Failure> {
    answered(station, ask(&station.state_dir, request, longest))
}

fn answered(station: &Station, answer: Result<Answer, AskError>) -> Result<Value, Failure> {
    let say = |text: Text| Failure::Failed(text.say(station.language));
    match answer {
        Ok(Answer::Done(value)) => Ok(value),
        Ok(Answer::Refused { text, .. }) => Err(Failure::Failed(text)),
        Err(AskError::NoDaemon(_)) => Err(say(Text::NoDaemon { dir: station.state_dir.display().to_string() })),
        Err(AskError::NoAccess(path, error)) => {
            Err(say(Text::SocketNoAccess { file: path.display().to_string(), why: error.to_string() }))
        }
        Err(AskError::Broken(error)) => Err(say(Text::DaemonSilent { why: error.to_string() })),
    }
}

/// Prints how the daemon is; exit 1 and a line CẢNH BÁO when something is wrong.
pub fn status(context: &Context, arguments: &StatusArguments) -> Done {
    let station = station(context)?;
    let snapshot = request(&station, &Request::Status, Some(SOON))?;
    let alarms = snapshot["alarms"].as_array().cloned().unwrap_or_default();
    if arguments.json {
        println!("{snapshot}");
    } else {
        print_status(&snapshot, &station);
    }
    Ok(if alarms.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print_status(snapshot: &Value, station: &Station) {
    let language = station.language;
    let say = |text: Text| text.say(language);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let time = |value: &Value| {
        let wall = value.as_str().and_then(Wall::parse_rfc3339);
        wall.map_or_else(|| "-".to_owned(), |w| station.zone.local(w).format("%H:%M:%S %d/%m/%Y").to_string())
    };
    let state = match snapshot["state"].as_str() {
        Some("stopped") => Text::StateStopped {},
        Some("on_air") => {
            let on_air = &snapshot["on_air"];
            let title = if on_air["title"].is_null() { text(&on_air["slot_name"]) } else { text(&on_air["title"]) };
            Text::StateOnAir { title }
        }
        Some("waiting_for_clock") => Text::StateWaitingForClock {},
        _ => Text::StateIdle {},
    };
    println!("{}: {}", text(&snapshot["station"]), say(state));
    if snapshot["trial"] == true {
        println!("{}", say(Text::TrialNote {}));
    }
    let next = &snapshot["next"];
    if next.is_object() {
        let title = if next["title"].is_null() { text(&next["slot_name"]) } else { text(&next["title"]) };
        let blocked = match &next["blocked_by"] {
            Value::String(key) => crate::domain::airing::Reason::ALL
                .into_iter()
                .find(|r| r.key() == key)
                .map(|r| format!(" ({})", crate::domain::text::reason_words(r, language)))
                .unwrap_or_default(),
            _ => String::new(),
        };
        println!("{}", say(Text::NextAiring { at: time(&next["planned_at"]), title: title + &blocked }));
    } else {
        println!("{}", say(Text::NothingPlanned {}));
    }
    let clock = text(&snapshot["clock"]);
    println!("{}", say(Text::ClockLine { now: time(&snapshot["now"]), state: clock }));
    let device = text(&snapshot["output"]["device"]);
    println!("{}", say(Text::OutputLine { device }));
    for source in snapshot["sources"].as_array().into_iter().flatten() {
        let serial = source["serial"].as_u64().map_or_else(|| "-".to_owned(), |s| s.to_string());
        println!(
            "{}",
            say(Text::SourceLine {
                source: text(&source["id"]),
                serial,
                last: time(&source["last_success"]),
                expires: time(&source["expires_at"]),
            })
        );
        if let Some(version) = source["keys"].as_u64() {
            println!("    {}", say(Text::SourceKeysLine { version }));
        }
        if let Some(error) = source["last_error"].as_str() {
            println!("    {error}");
        }
    }
    let log = &snapshot["log"];
    let head = text(&log["head"]);
    println!(
        "{}",
        say(Text::LogLine {
            seq: log["seq"].as_u64().unwrap_or(0),
            head: head.chars().take(16).collect(),
            up: length_words(snapshot["uptime_s"].as_i64().unwrap_or(0) * 1000, language),
        })
    );
    let today = snapshot["now"].as_str().and_then(|now| now.get(..10)?.parse().ok());
    for campaign in snapshot["campaigns"].as_array().into_iter().flatten() {
        print_campaign(campaign, today, station);
    }
    for alarm in snapshot["alarms"].as_array().into_iter().flatten() {
        println!("{}", say(Text::AlarmLine { since: time(&alarm["since"]), text: text(&alarm["text"]) }));
    }
}

/// Days shown of a campaign before and after today; `--json` has a month of both.
const CAMPAIGN_DAYS: u64 = 7;

/// How far a campaign is: a line a day, all topics together and each topic that asks for something or has something.
fn print_campaign(campaign: &Value, today: Option<NaiveDate>, station: &Station) {
    let Some(today) = today else { return };
    let days: Vec<(NaiveDate, &Value)> = campaign["days"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|day| Some((day["date"].as_str()?.parse().ok()?, day)))
        .filter(|(date, _): &(NaiveDate, _)| {
            date.signed_duration_since(today).num_days().unsigned_abs() <= CAMPAIGN_DAYS
        })
        .collect();
    if days.is_empty() {
        return;
    }
    let say = |text: Text| text.say(station.language);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    println!("{}", say(Text::CampaignLine { title: text(&campaign["title"]), id: text(&campaign["id"]) }));
    let number = |day: &Value, key: &str| day[key].as_u64().unwrap_or(0);
    for (date, whole) in days.iter().filter(|(_, day)| day["topic"].is_null()) {
        let shown = |day: &Value| {
            let quota = day["quota"].as_u64().map_or_else(|| "-".to_owned(), |n| n.to_string());
            format!("{}/{}/{quota}", number(day, "aired"), number(day, "planned"))
        };
        let topics: Vec<String> = days
            .iter()
            .filter(|(other, day)| other == date && day["topic"].is_string())
            .filter(|(_, day)| number(day, "aired") + number(day, "planned") > 0 || day["quota"].is_u64())
            .map(|(_, day)| {
                let topic = text(&day["topic"]);
                format!("{} {}", topic.rsplit('/').next().unwrap_or_default(), shown(day))
            })
            .collect();
        let topics = if topics.is_empty() { String::new() } else { format!("  ({})", topics.join(", ")) };
        let mark = if *date == today { "*" } else { " " };
        println!("  {mark} {} {}{topics}", date.format("%d/%m/%Y"), shown(whole));
    }
}

/// Silences the station within half a second.
pub fn stop(context: &Context, arguments: &StopArguments) -> Done {
    let station = station(context)?;
    let usage = |text: Text| Failure::Usage(text.say(station.language));
    let for_ms = match &arguments.lasting {
        Some(text) => {
            Some(parse_duration_ms(text).ok_or_else(|| usage(Text::ArgumentDuration { text: text.clone() }))?)
        }
        None => None,
    };
    let until = match &arguments.until {
        Some(text) => Some(station.zone.parse(text).ok_or_else(|| usage(Text::ArgumentTime { text: text.clone() }))?),
        None => None,
    };
    let order = Request::Stop {
        until,
        for_ms,
        but_emergency: arguments.but_emergency,
        by: arguments.by.clone(),
        why: arguments.why.clone(),
    };
    let done = request(&station, &order, Some(SOON))?;
    let until = done["until"].as_str().and_then(Wall::parse_rfc3339);
    let text = match until {
        Some(until) => {
            let until = station.zone.local(until).format("%H:%M:%S ngày %d/%m/%Y").to_string();
            Text::StoppedUntil { until }
        }
        None => Text::StoppedForGood {},
    };
    println!("{}", text.say(station.language));
    Ok(ExitCode::SUCCESS)
}

/// Ends the silence.
pub fn resume(context: &Context, arguments: &ResumeArguments) -> Done {
    let station = station(context)?;
    request(&station, &Request::Resume { by: arguments.by.clone() }, Some(SOON))?;
    println!("{}", Text::Resumed {}.say(station.language));
    Ok(ExitCode::SUCCESS)
}

/// Longest note, characters.
const LONGEST_NOTE: usize = 2_000;

/// Writes a note into the log: through the daemon, which holds it, or directly when none runs.
pub fn note(context: &Context, arguments: &NoteArguments) -> Done {
    let station = station(context)?;
    let usage = |text: Text| Failure::Usage(text.say(station.language));
    let text = arguments.text.trim();
    if text.is_empty() || arguments.by.trim().is_empty() {
        return Err(usage(Text::NoteEmpty {}));
    }
    if text.chars().count() > LONGEST_NOTE {
        return Err(usage(Text::NoteTooLong { most: LONGEST_NOTE }));
    }
    let order = Request::Note { text: text.to_owned(), by: arguments.by.trim().to_owned() };
    match ask(&station.state_dir, &order, Some(SOON)) {
        Err(AskError::NoDaemon(_)) => write_note(context, text, arguments.by.trim())?,
        answer => drop(answered(&station, answer)?),
    }
    println!("{}", Text::NoteWritten {}.say(station.language));
    Ok(ExitCode::SUCCESS)
}

/// Appends the note while the daemon does not run; the lock keeps it from starting in between.
fn write_note(context: &Context, text: &str, by: &str) -> Result<(), Failure> {
    let now = MachineClock::plain().now().wall();
    write_down(context, event(EventKind::Note, now, Some(by.to_owned()), &[("text", text.into())]))
}

/// Carries out a change of the log while the daemon does not run.
pub(super) fn write_down(context: &Context, write: Write) -> Result<(), Failure> {
    let loaded = super::station::load(context)?;
    let (config, language) = (loaded.config, loaded.language);
    let path = config.state.dir.join(FILE_NAME);
    let failed = |error: LogError| Failure::Failed(error.text().say(language));
    if !path.exists() {
        // The daemon makes the log, as the user it runs as.
        return Err(failed(LogError::Missing(path)));
    }
    let _lock = lock_state(&config.state.dir).map_err(|error| match error {
        StartError::Failed(text) | StartError::Unreadable(text) => Failure::Failed(text.say(language)),
        StartError::Config(lines) => Failure::Config(lines.join("\n")),
    })?;
    let identity = Identity {
        station_id: config.station.id.clone(),
        device_id: config.station.device_id.clone(),
        boot_id: kernel_boot_id().unwrap_or_else(|_| "unknown".into()),
        zone: config.station.timezone,
    };
    let mut log = AiringLog::open(&path, identity, Arc::new(MachineClock::plain())).map_err(failed)?;
    log.commit(&[write]).map_err(failed)?;
    Ok(())
}

/// Sends a clip as an emergency; returns when it has begun.
fn send_emergency(station: &Station, arguments: &PlayArguments, by: &str) -> Done {
    let usage = |text: Text| Failure::Usage(text.say(station.language));
    let duration = |text: &Option<String>, least_ms: i64| match text {
        None => Ok(None),
        Some(text) => parse_duration_ms(text)
            .filter(|ms| *ms >= least_ms)
            .map(Some)
            .ok_or_else(|| usage(Text::ArgumentDuration { text: text.clone() })),
    };
    let until = match &arguments.until {
        None => None,
        Some(text) => Some(station.zone.parse(text).ok_or_else(|| usage(Text::ArgumentTime { text: text.clone() }))?),
    };
    let order = Request::Emergency {
        clip: arguments.clip.clone(),
        by: by.to_owned(),
        repeat: arguments.repeat.unwrap_or(1),
        gap_ms: duration(&arguments.gap, 0)?.unwrap_or(EMERGENCY_GAP_MS),
        every_ms: duration(&arguments.every, SHORTEST_EVERY_MS)?,
        until,
    };
    // It may have to wait for the round of another one.
    let done = request(station, &order, None)?;
    let airing = done["airing_id"].as_str().unwrap_or_default().to_owned();
    println!("{}", Text::EmergencyBegan { airing }.say(station.language));
    Ok(ExitCode::SUCCESS)
}

/// Plays a clip now, under the rules of the output.
pub fn play(context: &Context, arguments: &PlayArguments) -> Done {
    let station = station(context)?;
    if let (true, Some(by)) = (arguments.emergency, &arguments.by) {
        return send_emergency(&station, arguments, by);
    }
    let of_emergency = [&arguments.gap, &arguments.every, &arguments.until];
    if arguments.repeat.is_some() || of_emergency.iter().any(|a| a.is_some()) {
        return Err(Failure::Usage(Text::OnlyForEmergency {}.say(station.language)));
    }
    let order = Request::Play { clip: arguments.clip.clone(), wait: arguments.wait, by: arguments.by.clone() };
    let longest = if arguments.wait { None } else { Some(Duration::from_secs(60)) };
    let done = request(&station, &order, longest)?;
    let airing = done["airing_id"].as_str().unwrap_or_default().to_owned();
    let text = match done["played_ms"].as_i64() {
        Some(ms) => Text::PlayedWhole { airing, length: length_words(ms, station.language) },
        None => Text::PlayBegan { airing },
    };
    println!("{}", text.say(station.language));
    Ok(ExitCode::SUCCESS)
}

/// Asks every source now and says what changed.
pub fn sync(context: &Context, arguments: &SyncArguments) -> Done {
    let station = station(context)?;
    if let Some(source) = &arguments.rollback {
        let order = Request::RollBack { source: source.clone(), by: arguments.by.clone() };
        let done = request(&station, &order, Some(Duration::from_secs(60)))?;
        let serial = |key: &str| done[key].as_u64().unwrap_or(0);
        let text = Text::RolledBack { source: source.clone(), left: serial("left"), serial: serial("serial") };
        println!("{}", text.say(station.language));
        return Ok(ExitCode::SUCCESS);
    }
    let done = request(&station, &Request::Sync { by: arguments.by.clone() }, None)?;
    let rows = done.as_array().cloned().unwrap_or_default();
    if rows.is_empty() {
        println!("{}", Text::NoSources {}.say(station.language));
    }
    let mut failed = false;
    for row in rows {
        let source = row["source"].as_str().unwrap_or_default().to_owned();
        let serial = row["serial"].as_u64();
        let text = match row["result"].as_str() {
            Some("new") => Text::SyncNew { source, serial: serial.unwrap_or(0) },
            Some("same") => Text::SyncSame { source, serial: serial.map_or_else(|| "-".to_owned(), |s| s.to_string()) },
            _ => {
                failed = true;
                Text::SyncFailed { source, why: row["text"].as_str().unwrap_or_default().to_owned() }
            }
        };
        println!("{}", text.say(station.language));
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
