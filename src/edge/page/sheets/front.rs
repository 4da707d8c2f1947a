//! The first page: what sounds, what comes, what is wrong, the day as a band, the machine.

use std::fmt::Write as _;

use super::day::key_of;
use super::{Parts, Sheet, clock_length, esc, minute, second, size};
use crate::domain::airing::Outcome;
use crate::domain::playlist::SlotKind;
use crate::domain::text::{Text, length_words, outcome_word, reason_words};
use crate::domain::time::{ClockState, Wall};
use crate::edge::page::view::{Disk, Past, Plan, Rows};

impl Sheet<'_> {
    pub(super) fn clock(&self) -> String {
        second(self.zone(), self.view.now)
    }

    /// The bar that is always in reach.
    pub(super) fn stop_bar(&self) -> String {
        if self.by.is_none() {
            let login = self.t(Text::PageLogin {});
            return format!("<footer class=\"bar\"><a class=\"button\" href=\"/login\">{login}</a></footer>\n");
        }
        let choice = |how: &str, text: Text| {
            format!("<button name=\"how\" value=\"{how}\" class=\"stop\">{}</button>", self.t(text))
        };
        format!(
            "<footer class=\"bar\"><form method=\"post\" action=\"/resume\" class=\"resume\">\
             <button class=\"go\">{resume}</button></form>\
             <details id=\"stop\"><summary class=\"button stop\">{stop}</summary>\
             <form method=\"post\" action=\"/stop\">{session}{day}{good}\
             <label><input type=\"checkbox\" name=\"but_emergency\" value=\"1\"> \
             {emergency}</label><label>{why}<input name=\"why\" maxlength=\"200\" autocomplete=\"off\"></label>\
             </form></details></footer>\n",
            resume = self.t(Text::PageResume {}),
            stop = self.t(Text::PageStop {}),
            emergency = self.t(Text::PageButEmergency {}),
            why = self.t(Text::PageWhy {}),
            session = choice("session", Text::PageStopSession {}),
            day = choice("day", Text::PageStopDay {}),
            good = choice("good", Text::PageStopForGood {}),
        )
    }

    /// The parts of the first page.
    pub fn parts(&self, plan: &Plan, rows: &Rows, disk: &Disk) -> Parts {
        vec![
            ("clock", self.clock()),
            ("now", self.now(plan)),
            ("alarms", self.alarms()),
            ("band", self.band(plan, rows)),
            ("recent", self.recent(rows)),
            ("today", self.sessions(plan, rows, plan.today)),
            ("machine", self.machine(disk)),
        ]
    }

    /// The first page.
    pub fn front(&self, plan: &Plan, rows: &Rows, disk: &Disk) -> String {
        let parts = self.parts(plan, rows, disk);
        let part = |id: &str| parts.iter().find(|(i, _)| *i == id).map_or("", |(_, html)| html.as_str());
        let h = |text: Text| format!("<h2>{}</h2>", self.t(text));
        let content = format!(
            "<section id=\"now\" class=\"now\">{now}</section>\n<section id=\"alarms\">{alarms}</section>\n\
             <section><h2>{date}</h2><div id=\"band\">{band}</div></section>\n\
             <section>{today_head}<div id=\"today\">{today}</div></section>\n\
             <section>{recent_head}<div id=\"recent\">{recent}</div></section>\n\
             <section>{machine_head}<div id=\"machine\">{machine}</div>{sync}</section>",
            now = part("now"),
            alarms = part("alarms"),
            date = self.t(Text::PageBand { date: self.date_inside(plan.today) }),
            band = part("band"),
            today_head = h(Text::PageSessions {}),
            today = part("today"),
            recent_head = h(Text::PageRecent {}),
            recent = part("recent"),
            machine_head = h(Text::PageMachine {}),
            machine = part("machine"),
            sync = match self.by {
                Some(_) => format!(
                    "<form method=\"post\" action=\"/sync\"><button>{}</button></form>",
                    self.t(Text::PageSync {})
                ),
                None => String::new(),
            },
        );
        self.page("/", &self.t(Text::PageNow {}), &content)
    }

    pub(super) fn now(&self, plan: &Plan) -> String {
        let (view, zone) = (self.view, self.zone());
        let mut out = String::new();
        if let Some(stop) = &view.stop {
            let until = match stop.until {
                Some(until) => Text::PageStoppedUntil { until: self.moment(until) },
                None => Text::PageStoppedForGood {},
            };
            let _ = write!(out, "<p class=\"state stopped\">{}</p>", self.t(until));
            let by = stop.by.clone().unwrap_or_else(|| Text::NoNameGiven {}.say(self.language));
            let _ = write!(out, "<p>{}", self.t(Text::PageStoppedBy { by, since: self.moment(stop.since) }));
            if let Some(why) = &stop.why {
                let _ = write!(out, ": {}", esc(why));
            }
            out.push_str("</p>");
        } else if let Some(air) = &view.on_air {
            let title = air.title.as_deref().unwrap_or(&air.slot_name);
            let whole = air.clip_ms.unwrap_or(0).max(1);
            let played = air.started_at.map_or(air.played_ms.unwrap_or(0), |t| view.now - t).clamp(0, whole);
            let progress = self.t(Text::PageProgress { played: clock_length(played), whole: clock_length(whole) });
            let _ = write!(
                out,
                "<p class=\"state on_air\">{}</p><p class=\"title\">{}</p><p class=\"small\">{}</p>\
                 <progress value=\"{played}\" max=\"{whole}\" aria-label=\"{progress}\"></progress>\
                 <p class=\"small\">{progress}</p>",
                self.t(Text::PageOnAir {}),
                esc(title),
                match &*air.slot_name {
                    "manual" => self.t(Text::PageByHand {}),
                    name => esc(name).to_string(),
                },
            );
        } else if !view.clock.trusted() {
            let _ = write!(out, "<p class=\"state stopped\">{}</p>", self.t(Text::StateWaitingForClock {}));
        } else {
            let _ = write!(out, "<p class=\"state\">{}</p>", self.t(Text::StateIdle {}));
        }
        match plan.next(view) {
            None => {
                let _ = write!(out, "<p>{}</p>", self.t(Text::PageNothingNext {}));
            }
            Some((next, blocked)) => {
                let at = next.planned_at;
                let when = if zone.date(at) == plan.today { second(zone, at) } else { self.when(at) };
                let title = next.title.as_deref().unwrap_or(&next.slot_name);
                let slot = match &*next.slot_name {
                    name if name == title => String::new(),
                    name => format!(" <span class=\"small\">{}</span>", esc(name)),
                };
                let note = blocked.map_or_else(String::new, |r| {
                    format!(" <span class=\"bad\">({})</span>", esc(reason_words(r, self.language)))
                });
                let _ = write!(
                    out,
                    "<p><span class=\"label\">{}</span> <b>{when}</b> {}{slot}{note}</p>",
                    self.t(Text::PageNext {}),
                    esc(title)
                );
            }
        }
        out
    }

    pub(super) fn alarms(&self) -> String {
        if self.view.alarms.is_empty() {
            return format!("<p class=\"well\">{}</p>", self.t(Text::PageAllWell {}));
        }
        let mut out = format!("<h2>{}</h2><ul class=\"alarms\">", self.t(Text::PageAlarms {}));
        for (_, since, text) in &self.view.alarms {
            let said = text.say(self.language);
            let (what, todo) = said.split_once('\n').unwrap_or((&said, ""));
            let since = self.t(Text::PageSince { since: self.moment(*since) });
            let _ = write!(
                out,
                "<li><b>{}</b> <span class=\"small\">{since}</span><br>{}</li>",
                esc(what),
                esc(todo.trim()),
            );
        }
        out.push_str("</ul>");
        out
    }

    /// The day as a picture: two rows of twelve hours, a unit is two minutes.
    pub(super) fn band(&self, plan: &Plan, rows: &Rows) -> String {
        const ROW: [f64; 2] = [4.0, 56.0];
        const HIGH: f64 = 32.0;
        let zone = self.zone();
        let half = (plan.day.1 - plan.day.0) / 2;
        let mut marks = String::new();
        // A stretch of time as one rectangle in each row it touches.
        let mut draw = |from: Wall, to: Wall, class: &str, inset: f64, title: &str| {
            for (row, top) in ROW.iter().enumerate() {
                let start = plan.day.0 + half * row as i64;
                let scale = 360.0 / half as f64;
                let (a, b) = (((from - start) as f64 * scale).max(0.0), ((to - start) as f64 * scale).min(360.0));
                if b <= 0.0 || a >= 360.0 || b < a {
                    continue;
                }
                let wide = if class == "quiet" { b - a } else { (b - a).max(2.0) };
                let _ = write!(
                    marks,
                    "<rect class=\"{class}\" x=\"{a:.1}\" y=\"{:.0}\" width=\"{wide:.1}\" height=\"{:.0}\"><title>{}</title></rect>",
                    top + inset,
                    HIGH - 2.0 * inset,
                    esc(title)
                );
            }
        };
        draw(plan.day.0, plan.day.1, "ground", 0.0, "");
        let quiet_word = Text::PageBandQuiet {}.say(self.language);
        for (from, to) in &plan.quiet {
            let title = format!("{quiet_word} {}-{}", minute(zone, *from), minute(zone, *to));
            draw(*from, *to, "quiet", 0.0, &title);
        }
        for session in self.of_day(plan, plan.today) {
            let class = if matches!(session.kind, SlotKind::Relay { .. }) { "relay" } else { "plan" };
            let over = rows.sessions.contains_key(&key_of(session)) && session.planned_end() < self.view.now;
            if over && class == "plan" {
                continue;
            }
            let title = format!("{} {}", minute(zone, session.start), session.name);
            draw(session.start, session.planned_end(), class, 6.0, &title);
        }
        for past in rows.list.iter().filter(|p| !p.relay || p.outcome != Outcome::Relayed) {
            let class = if matches!(past.outcome, Outcome::Aired | Outcome::Relayed) { "aired" } else { "failed" };
            let from = past.started.unwrap_or(past.planned);
            let title = format!("{} {}: {}", second(zone, from), past.title, outcome_word(past.outcome, self.language));
            let length = if past.outcome.begun() { past.played_ms } else { past.clip_ms.max(60_000) };
            draw(from, from + length, class, 6.0, &title);
        }
        let (now, row) = match self.view.now - plan.day.0 {
            gone if gone < half => (gone, 0),
            gone => (gone - half, 1),
        };
        let x = now as f64 * 360.0 / half as f64;
        let _ = write!(marks, "<path class=\"now-line\" d=\"M{x:.1} {:.0}v{:.0}\"/>", ROW[row] - 3.0, HIGH + 6.0);
        for (row, top) in ROW.iter().enumerate() {
            for hour in (0..=12).step_by(3) {
                let (x, anchor) = match hour {
                    0 => (0.0, "start"),
                    12 => (360.0, "end"),
                    h => (f64::from(h) * 30.0, "middle"),
                };
                let _ = write!(
                    marks,
                    "<text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{:02}:00</text>",
                    top + HIGH + 12.0,
                    hour + row as i32 * 12
                );
            }
        }
        let legend = [
            ("plan", Text::PageBandPlanned {}),
            ("aired", Text::PageBandAired {}),
            ("failed", Text::PageBandFailed {}),
            ("relay", Text::PageBandRelay {}),
            ("quiet", Text::PageBandQuiet {}),
            ("now-line", Text::PageBandNow {}),
        ];
        let legend: String = legend
            .into_iter()
            .map(|(class, text)| {
                let sample = if class == "now-line" {
                    "<path class=\"now-line\" d=\"M6 0v12\"/>".to_owned()
                } else {
                    format!("<rect class=\"{class}\" width=\"12\" height=\"12\"/>")
                };
                format!("<li><svg viewBox=\"0 0 12 12\" width=\"12\" height=\"12\" aria-hidden=\"true\">{sample}</svg> {}</li>", self.t(text))
            })
            .collect();
        let label = self.t(Text::PageBand { date: self.date_inside(plan.today) });
        format!(
            "<svg class=\"band\" viewBox=\"0 0 360 102\" role=\"img\" aria-label=\"{label}\">{marks}</svg>\
             <ul class=\"legend\">{legend}</ul>"
        )
    }

    pub(super) fn recent(&self, rows: &Rows) -> String {
        let list: Vec<&Past> = rows.list.iter().rev().take(8).collect();
        self.airings(&list, false)
    }

    pub(super) fn machine(&self, disk: &Disk) -> String {
        let view = self.view;
        let mut out = String::from("<dl>");
        let mut row = |name: &str, value: &str| {
            let _ = write!(out, "<dt>{name}</dt><dd>{value}</dd>");
        };
        let clock = match view.clock {
            ClockState::Synced => Text::PageClockSynced {},
            ClockState::Held => Text::PageClockHeld {},
            ClockState::Unknown => Text::PageClockUnknown {},
        };
        let judged =
            |good: bool, text: &str| format!("<span class=\"{}\">{text}</span>", if good { "good" } else { "bad" });
        row(&self.t(Text::PageClock {}), &judged(view.clock.trusted(), &self.t(clock)));
        let device = match &view.device_error {
            None => judged(true, &self.t(Text::PageDeviceOk {})),
            Some(error) => judged(false, &self.t(error.clone())),
        };
        row(&self.t(Text::PageDevice {}), &format!("{}: {device}", esc(&view.device)));
        let usage = Text::PageDiskUse {
            clips: disk.clips,
            used: size(disk.bytes),
            quota: size(disk.quota),
            free: size(disk.free),
        };
        row(&self.t(Text::PageDisk {}), &self.t(usage));
        let seq = view.log_seq;
        let log = if view.log_durable {
            judged(true, &self.t(Text::PageLogRows { seq }))
        } else {
            judged(false, &self.t(Text::PageLogWaits { seq }))
        };
        row(&self.t(Text::PageLogState {}), &log);
        let never = || Text::PageNever {}.say(self.language);
        for contact in &view.contacts {
            let time = |t: Option<Wall>| t.map_or_else(never, |t| self.moment(t));
            let mut line = self.t(Text::PageSource {
                serial: contact.serial.map_or_else(never, |s| s.to_string()),
                last: time(contact.last_success),
                expires: time(contact.expires_at),
            });
            if let Some(version) = contact.keys {
                line = format!("{line}<br>{}", self.t(Text::SourceKeysLine { version }));
            }
            if let Some(error) = &contact.last_error {
                line = format!("{line}<br>{}", judged(false, &self.t(error.clone())));
            }
            row(&esc(&contact.id).to_string(), &line);
        }
        // Whole minutes, so that the part is not sent anew each second.
        let up = match view.uptime_s / 60 {
            0 => self.t(Text::PageUptimeShort {}),
            minutes => esc(&length_words(minutes * 60_000, self.language)).to_string(),
        };
        row(&self.t(Text::PageUptime {}), &up);
        out.push_str("</dl>");
        out
    }
}
