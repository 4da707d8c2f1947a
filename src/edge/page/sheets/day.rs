//! A day's sessions with what became of each item: on the first page and on that of the week.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::{Sheet, esc, minute, second};
use crate::domain::airing::Reason;
use crate::domain::playlist::{LOCAL, SlotKind};
use crate::domain::schedule::Session;
use crate::domain::text::{Text, length_words, reason_words};
use crate::edge::page::view::{Plan, Rows};

impl Sheet<'_> {
    pub(super) fn sessions(&self, plan: &Plan, rows: &Rows, date: NaiveDate) -> String {
        let mut out = String::new();
        for session in self.of_day(plan, date) {
            out.push_str(&self.session(session, rows));
        }
        if out.is_empty() { format!("<p>{}</p>", self.t(Text::PageNoSessions {})) } else { out }
    }

    pub(super) fn session(&self, session: &Session, rows: &Rows) -> String {
        let (zone, now) = (self.zone(), self.view.now);
        let relay = matches!(session.kind, SlotKind::Relay { .. });
        let end = session.planned_end();
        let note = match rows.sessions.get(&key_of(session)) {
            Some((good, all)) if end < now => {
                let class = if good == all { "good" } else { "bad" };
                let text = self.t(Text::PageSessionResult { aired: *good, all: *all });
                format!("<span class=\"{class}\">{text}</span>")
            }
            _ if session.start <= now && now < end => {
                format!("<span class=\"runs\">{}</span>", self.t(Text::PageSessionRuns {}))
            }
            _ if relay => self.t(Text::PageBandRelay {}),
            _ => {
                let length = length_words(end - session.start, self.language);
                self.t(Text::PageSessionItems { items: session.items.len(), length })
            }
        };
        let head = format!(
            "<span class=\"time\">{}-{}</span><span class=\"what\"><b>{}</b><br><span class=\"small\">{note}</span></span>",
            minute(zone, session.start),
            minute(zone, end),
            esc(&session.name)
        );
        if relay {
            return format!("<div class=\"session\">{head}</div>");
        }
        let mut items = String::new();
        for item in &session.items {
            let title = item.clip.as_ref().map_or_else(|| item.clip_id.as_deref().unwrap_or(""), |c| &c.title);
            let quiet = self.view.programme.quiet.quiet_until(item.planned_at).map(|_| Reason::QuietHours);
            let forbidden = item.forbidden.or(quiet).map_or_else(String::new, |r| {
                format!(" <span class=\"bad\">{}</span>", esc(reason_words(r, self.language)))
            });
            let above = if &*item.source == LOCAL {
                String::new()
            } else {
                let from = self.t(Text::PageFromAbove { source: item.source.to_string() });
                format!(" <span class=\"small\">{from}</span>")
            };
            let _ = write!(
                items,
                "<li><span class=\"time\">{}</span><span class=\"what\">{}{above}{forbidden}</span></li>",
                second(zone, item.planned_at),
                esc(title)
            );
        }
        let id = esc(&session.key(zone)).to_string();
        format!(
            "<details class=\"session\" data-key=\"{id}\"><summary>{head}</summary><ol class=\"rows\">{items}</ol></details>"
        )
    }
}

pub(super) fn key_of(session: &Session) -> String {
    format!("{}/{}/{}", session.source, session.slot, session.start.0)
}
