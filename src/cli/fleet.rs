//! `loaxa fleet`: the stations that were heard from, by a web server's access log.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use comfy_table::{Table, presets};

use crate::cli::{Context, Done, Failure};
use crate::daemon::clock::MachineClock;
use crate::domain::heartbeat::{Fleet, Heard, read_line};
use crate::domain::text::Text;
use crate::domain::time::{Clock, HOUR_MS, Wall, Zone};

/// Shown below the help.
pub const EXAMPLE: &str = "Ví dụ (example):
  loaxa fleet /var/log/nginx/access.log /var/log/nginx/access.log.1
    đài nào còn liên lạc; đài im quá một giờ được đánh dấu, và mã thoát là 1
    (which stations are heard from; silent for over an hour is marked, and the exit code is 1)

Nhật ký truy cập phải có User-Agent: dạng combined của nginx, Apache, hoặc loaxa serve --access-log.
(The access log must hold the User-Agent: the combined format.)";

/// A station not heard of for so long is marked, milliseconds.
const SILENT_MS: i64 = HOUR_MS;
/// No line of an access log is longer, bytes.
const LONGEST_LINE: u64 = 64 * 1024;

/// What `fleet` is told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Nhật ký truy cập của máy chủ web (access logs of the web server)
    #[arg(required = true, value_name = "ACCESS.LOG")]
    logs: Vec<PathBuf>,
    /// Tính đến lúc nào; không ghi: bây giờ (as of when)
    #[arg(long, value_name = "T")]
    at: Option<String>,
}

/// Prints the table; exit 1 when a station is silent.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Done {
    let say = |text: Text| text.say(context.language);
    let zone = Zone::default();
    let now = match &arguments.at {
        Some(text) => zone.parse(text).ok_or_else(|| Failure::Usage(say(Text::ArgumentTime { text: text.clone() })))?,
        None => MachineClock::plain().now().wall(),
    };
    let mut fleet = Fleet::default();
    for log in &arguments.logs {
        each_heard(log, |heard| fleet.hear(heard)).map_err(|e| unreadable(context, log, &e))?;
    }
    if fleet.boxes.is_empty() {
        return Err(Failure::Failed(say(Text::FleetNobody {})));
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        say(Text::FleetHeadStation {}),
        say(Text::FleetHeadBox {}),
        say(Text::FleetHeadHeard {}),
        say(Text::FleetHeadSerial {}),
        say(Text::FleetHeadState {}),
        say(Text::FleetHeadAired {}),
        say(Text::FleetHeadShort {}),
        say(Text::FleetHeadKeys {}),
    ]);
    let time = |at: Wall| zone.local(at).format("%H:%M %d/%m/%Y").to_string();
    let mut silent = 0;
    for Heard { at, beat } in fleet.boxes.values() {
        let mut heard = time(*at);
        if now - *at > SILENT_MS {
            silent += 1;
            heard = say(Text::FleetSilent { at: heard });
        }
        let state = match beat.state.as_deref() {
            Some("stopped") => say(Text::StateStopped {}),
            Some("on_air") => say(Text::FleetOnAir {}),
            Some("waiting_for_clock") => say(Text::StateWaitingForClock {}),
            Some("idle") => say(Text::StateIdle {}),
            other => other.unwrap_or("-").to_owned(),
        };
        let last = beat.last.as_deref().map(|t| Wall::parse_rfc3339(t).map_or_else(|| t.to_owned(), time));
        table.add_row([
            beat.station.clone(),
            beat.device.clone(),
            heard,
            beat.list.map_or_else(|| "-".into(), |s| s.to_string()),
            state,
            last.unwrap_or_else(|| "-".into()),
            beat.short.join(", "),
            beat.keys.map_or_else(|| "-".into(), |v| v.to_string()),
        ]);
    }
    // Of use only where root keys are pinned.
    if fleet.boxes.values().all(|heard| heard.beat.keys.is_none())
        && let Some(column) = table.column_mut(7)
    {
        column.set_constraint(comfy_table::ColumnConstraint::Hidden);
    }
    println!("{table}");
    println!("{}", say(Text::FleetSum { boxes: fleet.boxes.len(), silent }));
    Ok(if silent > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Hands every station's line of an access log on. `-` is stdin.
pub(super) fn each_heard(log: &Path, mut each: impl FnMut(Heard)) -> io::Result<()> {
    let reader: Box<dyn io::Read> =
        if log == Path::new("-") { Box::new(io::stdin()) } else { Box::new(std::fs::File::open(log)?) };
    let mut reader = BufReader::with_capacity(256 * 1024, reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Some(heard) = read_line(&String::from_utf8_lossy(&line)) {
            each(heard);
        }
    }
}

/// The failure for a log that cannot be read.
pub(super) fn unreadable(context: &Context, log: &Path, error: &io::Error) -> Failure {
    let (file, cause) = (log.display().to_string(), error.to_string());
    Failure::Failed(Text::FileUnreadable { file, cause }.say(context.language))
}
