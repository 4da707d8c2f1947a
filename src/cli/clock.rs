//! `loaxa clock`: what the clock is and why it is believed or not; `loaxa clock set`: the way out without a network.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::ask::{SOON, Station, request, station};
use crate::cli::{Context, Done, Failure};
use crate::daemon::clock::{MachineClock, set_machine_clock};
use crate::domain::text::{Text, length_words};
use crate::domain::time::{Clock, MINUTE_MS, Wall, Why};
use crate::edge::control::Request;

/// Shown under `--help`.
pub const EXAMPLE: &str =
    "Ví dụ (example):\n  loaxa clock\n  sudo loaxa clock set 2026-10-05T05:30:00 --by \"Nguyễn Văn A\"";

/// `loaxa clock`
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Đặt giờ cho máy và chịu trách nhiệm về giờ ấy (set the machine's clock and vouch for it)
    #[command(after_help = EXAMPLE)]
    Set(SetArguments),
}

#[derive(Args)]
struct SetArguments {
    /// Ngày giờ, có cả giây (date and time, with seconds)
    #[arg(value_name = "T")]
    at: String,
    /// Người đặt giờ, ghi vào nhật ký (who, for the log)
    #[arg(long, value_name = "NAME")]
    by: String,
}

/// Shows the clock, or sets it.
pub fn run(context: &Context, arguments: &Arguments) -> Done {
    let station = station(context)?;
    match &arguments.what {
        None => show(&station),
        Some(What::Set(arguments)) => set(&station, arguments),
    }
}

fn time(station: &Station, value: &Value) -> String {
    let wall = value.as_str().and_then(Wall::parse_rfc3339);
    wall.map_or_else(|| "-".to_owned(), |w| station.zone.local(w).format("%H:%M:%S %d/%m/%Y").to_string())
}

fn show(station: &Station) -> Done {
    let answer = request(station, &Request::Clock, Some(SOON))?;
    let say = |text: Text| println!("{}", text.say(station.language));
    let length = |ms: i64| length_words(ms, station.language);
    let hold = length(answer["hold_ms"].as_i64().unwrap_or(0));
    let broken =
        |e: serde_json::Error| Failure::Failed(Text::DaemonSilent { why: e.to_string() }.say(station.language));
    let why: Why = serde_json::from_value(answer["why"].clone()).map_err(broken)?;
    let trusted = why.state().trusted();
    say(Text::ClockShows { shown: time(station, &answer["shown"]) });
    let mut again = None;
    say(match why {
        Why::Always => Text::ClockWhyAlways {},
        Why::Synced => Text::ClockWhySynced {},
        Why::RightBefore { ago_ms, by: None } => Text::ClockWhyRightBefore { ago: length(ago_ms), hold },
        Why::RightBefore { ago_ms, by: Some(by) } => Text::ClockWhyPerson { by, ago: length(ago_ms), hold },
        Why::Rtc => Text::ClockWhyRtc {},
        Why::BelowFloor => Text::ClockWhyBelowFloor { floor: time(station, &answer["floor"]) },
        Why::Leapt { step_ms, left_ms } => {
            again = Some(Text::ClockSecondLook { left: length(left_ms) });
            let length = length(step_ms.abs());
            if step_ms > 0 { Text::ClockWhyLeaptOn { length } } else { Text::ClockWhyLeaptBack { length } }
        }
        Why::TooLongAgo { ago_ms } => Text::ClockWhyTooLongAgo { ago: length(ago_ms), hold },
        Why::Never => Text::ClockWhyNever {},
    });
    if let Some(again) = again {
        say(again);
        say(Text::ClockGoesBy { now: time(station, &answer["now"]) });
    }
    if !trusted {
        say(Text::ClockWayOut {});
    }
    Ok(if trusted { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn set(station: &Station, arguments: &SetArguments) -> Done {
    let fails = |text: Text| Failure::Failed(text.say(station.language));
    let at = station
        .zone
        .parse(&arguments.at)
        .ok_or_else(|| Failure::Usage(Text::ArgumentTime { text: arguments.at.clone() }.say(station.language)))?;
    if arguments.by.trim().is_empty() {
        return Err(Failure::Usage(Text::ClockNeedsName {}.say(station.language)));
    }
    // The daemon knows what has certainly passed, and is to hear of it: without one nobody would believe the time.
    let clock = request(station, &Request::Clock, Some(SOON))?;
    if clock["floor"].as_str().and_then(Wall::parse_rfc3339).is_some_and(|floor| at < floor) {
        return Err(fails(Text::ClockBelowFloor { floor: time(station, &clock["floor"]) }));
    }
    // A trial leaves the clock of an editor's or developer's machine alone when it is right anyway.
    let shown = MachineClock::plain().now().wall();
    if !(super::is_trial() && (shown - at).abs() <= MINUTE_MS) {
        set_machine_clock(at).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => fails(Text::ClockNotPermitted {}),
            _ => fails(Text::ClockSetFails { why: error.to_string() }),
        })?;
    }
    let vouch = Request::Vouch { at, by: arguments.by.trim().to_owned() };
    let done = request(station, &vouch, Some(SOON))?;
    let text = Text::ClockIsSet { now: time(station, &done["now"]), until: time(station, &done["held_until"]) };
    println!("{}", text.say(station.language));
    Ok(ExitCode::SUCCESS)
}
