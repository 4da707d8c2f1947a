//! `loaxa schedule`: the plan as a table, with clashes found ahead.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use comfy_table::{Table, presets};

use crate::cli::rehearsal::{Lists, programme};
use crate::cli::{Context, Done};
use crate::daemon::clock::MachineClock;
use crate::domain::playlist::SlotKind;
use crate::domain::schedule::{Walk, clashes};
use crate::domain::text::{Text, length_words, reason_words};
use crate::domain::time::{Clock, DAY_MS};

/// Shown under `--help`.
pub const EXAMPLE: &str = "Ví dụ (example):\n  loaxa schedule --days 3";

/// `loaxa schedule`
#[derive(Args)]
pub struct Arguments {
    /// Số ngày kể từ bây giờ (days from now)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=400))]
    days: u32,
}

/// Prints the sessions that start within so many days, item by item.
pub fn run(context: &Context, arguments: &Arguments) -> Done {
    let now = MachineClock::plain().now().wall();
    let planned = programme(context, Lists::Stored, None)?;
    let (programme, language) = (planned.programme, planned.language);
    let zone = programme.zone;
    let until = now + i64::from(arguments.days) * DAY_MS;
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let headings = [
        Text::HeadDate {},
        Text::HeadTime {},
        Text::HeadSession {},
        Text::HeadClipId {},
        Text::HeadTitle {},
        Text::HeadLength {},
        Text::HeadNote {},
    ];
    table.set_header(headings.map(|h| h.say(language)));
    let mut walk = Walk::new(programme.clone(), now);
    let mut rows = 0;
    while let Some(session) = walk.next_before(until) {
        for item in &session.items {
            let local = zone.local(item.planned_at);
            let quiet = programme.quiet.quiet_until(item.planned_at).is_some();
            let forbidden = item.forbidden.or(quiet.then_some(crate::domain::airing::Reason::QuietHours));
            let title = match (&item.clip, session.kind) {
                (Some(clip), _) => clip.title.to_string(),
                (None, SlotKind::Relay { .. }) => session.name.to_string(),
                (None, SlotKind::Session) => String::new(),
            };
            let id = item.clip_id.as_deref().map(|id| {
                if *item.source == *session.source { id.to_owned() } else { format!("{}/{id}", item.source) }
            });
            table.add_row([
                local.format("%d/%m/%Y").to_string(),
                local.format("%H:%M:%S").to_string(),
                session.name.to_string(),
                id.unwrap_or_default(),
                title,
                length_words(item.length_ms, language),
                forbidden.map(|r| reason_words(r, language).to_owned()).unwrap_or_default(),
            ]);
            rows += 1;
        }
    }
    if rows == 0 {
        println!("{}", Text::NothingPlanned {}.say(language));
    } else {
        println!("{table}");
    }
    let programme: Arc<_> = programme;
    for clash in clashes(&programme, now, now + 31 * DAY_MS) {
        let day = zone.local(clash.second.1).format("%d/%m/%Y").to_string();
        eprintln!("{day}: {}", clash.text(zone, language).say(language));
    }
    Ok(ExitCode::SUCCESS)
}
