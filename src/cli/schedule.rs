//! `loaxa schedule`: the plan as a table, sessions and emergencies, with clashes found ahead.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use comfy_table::{Table, presets};

use crate::cli::rehearsal::{Lists, programme};
use crate::cli::{Context, Done};
use crate::daemon::clock::MachineClock;
use crate::domain::airing::Reason;
use crate::domain::config::Language;
use crate::domain::playlist::SlotKind;
use crate::domain::schedule::{Programme, Walk, clashes};
use crate::domain::text::{Text, length_words, reason_words};
use crate::domain::time::{Clock, DAY_MS, Wall};

/// Shown under `--help`.
pub const EXAMPLE: &str = "Ví dụ (example):\n  loaxa schedule --days 3";

/// `loaxa schedule`
#[derive(Args)]
pub struct Arguments {
    /// Số ngày kể từ bây giờ (days from now)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=400))]
    days: u32,
}

/// The rounds of emergencies that fall due within a time: when, and the cells of their rows.
fn emergencies(programme: &Programme, from: Wall, until: Wall, language: Language) -> Vec<(Wall, [String; 7])> {
    let zone = programme.zone;
    let mut rows = Vec::new();
    for plan in &programme.emergencies {
        for (at, count) in plan.rounds(from, until) {
            let withdrawn = programme.emergency_withdrawn(&plan.source, &plan.id, at).then_some(Reason::Withdrawn);
            let clip = programme.forbidden_for(&plan.clip_source, &plan.clip_id, plan.clip.as_deref(), at);
            let quiet = !plan.passes_quiet && programme.quiet.quiet_until(at).is_some();
            let forbidden = withdrawn.or(clip).or(quiet.then_some(Reason::QuietHours));
            let note = match forbidden {
                Some(reason) => reason_words(reason, language).to_owned(),
                None if count > 1 => Text::EmergencyTimes { count }.say(language),
                None => String::new(),
            };
            let local = zone.local(at);
            let cells = [
                local.format("%d/%m/%Y").to_string(),
                local.format("%H:%M:%S").to_string(),
                Text::EmergencyName { id: plan.id.to_string() }.say(language),
                format!("{}/{}", plan.clip_source, plan.clip_id),
                plan.clip.as_ref().map(|c| c.title.to_string()).unwrap_or_default(),
                length_words(plan.clip.as_ref().and_then(|c| c.duration_ms).unwrap_or(0), language),
                note,
            ];
            rows.push((at, cells));
        }
    }
    rows
}

/// Prints the sessions that start within so many days, item by item, and the rounds of emergencies.
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
    let mut rows = emergencies(&programme, now, until, language);
    while let Some(session) = walk.next_before(until) {
        for item in &session.items {
            let local = zone.local(item.planned_at);
            let quiet = programme.quiet.quiet_until(item.planned_at).is_some();
            let forbidden = item.forbidden.or(quiet.then_some(Reason::QuietHours));
            let title = match (&item.clip, session.kind) {
                (Some(clip), _) => clip.title.to_string(),
                (None, SlotKind::Relay { .. }) => session.name.to_string(),
                (None, SlotKind::Session) => String::new(),
            };
            let id = item.clip_id.as_deref().map(|id| {
                if *item.source == *session.source { id.to_owned() } else { format!("{}/{id}", item.source) }
            });
            let cells = [
                local.format("%d/%m/%Y").to_string(),
                local.format("%H:%M:%S").to_string(),
                session.name.to_string(),
                id.unwrap_or_default(),
                title,
                length_words(item.length_ms, language),
                forbidden.map(|r| reason_words(r, language).to_owned()).unwrap_or_default(),
            ];
            rows.push((item.planned_at, cells));
        }
    }
    rows.sort_by_key(|(at, _)| *at);
    let empty = rows.is_empty();
    rows.into_iter().for_each(|(_, cells)| {
        table.add_row(cells);
    });
    if empty {
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
