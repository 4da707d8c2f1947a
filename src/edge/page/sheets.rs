//! The station page as HTML. Every word that comes from a file, a list or a person goes through [`esc`]; sentences
//! go through [`Sheet::t`], which does so.

use std::fmt::{self, Write as _};

use chrono::{Datelike, NaiveDate};

use crate::domain::airing::{Outcome, Reason};
use crate::domain::config::Language;
use crate::domain::playlist::{Campaign, Clip, Dates, LOCAL, List, Offer, SlotKind, What, Withdrawn};
use crate::domain::schedule::Session;
use crate::domain::text::{
    Text, clip_kind_words, length_words, origin_words, outcome_word, priority_words, reason_words, weekday_words,
};
use crate::domain::time::{ClockState, DAY_MS, Wall, Zone};
use crate::edge::page::view::{Disk, Past, Plan, Rows, View};

/// Text as it may stand in an element or between the quotes of an attribute.
pub struct Escaped<'a>(&'a str);

/// Escapes what comes from outside.
pub fn esc(text: &str) -> Escaped<'_> {
    Escaped(text)
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() && c != '\n' && c != '\t' => {}
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The pages of the navigation: path and name.
const PAGES: [(&str, Text); 6] = [
    ("/", Text::PageNow {}),
    ("/week", Text::PageWeek {}),
    ("/play", Text::PagePlay {}),
    ("/log", Text::PageLog {}),
    ("/received", Text::PageReceived {}),
    ("/reports", Text::PageReports {}),
];

/// What the log page was asked for.
#[derive(Clone, Debug, Default)]
pub struct LogAsked {
    /// First date, as typed.
    pub from: String,
    /// Last date, as typed.
    pub to: String,
    /// Key of an outcome.
    pub outcome: String,
    /// `SOURCE/ID` of a campaign.
    pub campaign: String,
}

/// A page in the making.
pub struct Sheet<'a> {
    /// The station.
    pub view: &'a View,
    /// The language to speak.
    pub language: Language,
    /// Who is logged in.
    pub by: Option<&'a str>,
    /// Something to say on top: what came of the last order.
    pub said: Option<&'a str>,
    /// Whether the audio of this hash is on this box.
    pub has_audio: &'a (dyn Fn(&str) -> bool + Sync),
}

fn minute(zone: Zone, at: Wall) -> String {
    zone.local(at).format("%H:%M").to_string()
}

fn second(zone: Zone, at: Wall) -> String {
    zone.local(at).format("%H:%M:%S").to_string()
}

/// A weekday in the midst of a line.
fn weekday_inside(from_monday: u32, language: Language) -> String {
    weekday_words(from_monday, language).replace("Thứ", "thứ")
}

fn day(date: NaiveDate) -> String {
    date.format("%d/%m/%Y").to_string()
}

fn clock_length(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1_000_000_000 { format!("{:.1} GB", bytes as f64 / 1e9) } else { format!("{} MB", bytes / 1_000_000) }
}

/// The parts of the first page that change by themselves, each with the id of its element.
pub type Parts = Vec<(&'static str, String)>;

impl Sheet<'_> {
    /// A sentence, escaped.
    pub fn t(&self, text: Text) -> String {
        esc(&text.say(self.language)).to_string()
    }

    fn zone(&self) -> Zone {
        self.view.zone()
    }

    fn state_key(&self) -> &'static str {
        if self.view.stop.is_some() {
            "stopped"
        } else if self.view.on_air.is_some() {
            "on_air"
        } else if !self.view.clock.trusted() {
            "waiting"
        } else {
            "idle"
        }
    }

    /// A whole page around its content.
    pub fn page(&self, path: &str, title: &str, content: &str) -> String {
        let lang = if self.language == Language::En { "en" } else { "vi" };
        let other = if self.language == Language::En { "vi" } else { "en" };
        let station = esc(&self.view.station);
        let mut nav = String::new();
        for (to, name) in PAGES {
            let current = if to == path { " aria-current=\"page\"" } else { "" };
            let _ = write!(nav, "<a href=\"{to}\"{current}>{}</a>", self.t(name));
        }
        let login = match self.by {
            Some(by) => format!(
                "<form method=\"post\" action=\"/logout\" class=\"who\"><span>{}</span> <button>{}</button></form>",
                self.t(Text::PageLoggedIn { by: by.to_owned() }),
                self.t(Text::PageLogout {})
            ),
            None => String::new(),
        };
        let trial = if self.view.trial {
            format!("<p class=\"trial\">{}</p>", self.t(Text::TrialNote {}))
        } else {
            String::new()
        };
        let said = match self.said {
            Some(said) => format!("<p class=\"said\" role=\"status\">{}</p>", esc(said)),
            None => String::new(),
        };
        format!(
            "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} · {station}</title>\
             <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/page.css\">\
             <script src=\"/page.js\" defer></script></head>\n<body data-path=\"{path}\" data-state=\"{state}\">\
             <a class=\"skip\" href=\"#main\">{skip}</a>\
             <header><div class=\"top\"><strong>{station}</strong><span id=\"clock\" class=\"clock\">{clock}</span>\
             <a href=\"?lang={other}\" lang=\"{other}\" class=\"lang\">{other_name}</a></div><nav>{nav}</nav></header>\n\
             <p id=\"lost\" class=\"lost\" role=\"alert\" hidden>{lost}</p>\n<main id=\"main\">{trial}{said}\n{content}\n\
             {login}<p class=\"version\">loaxa {version}</p></main>\n{stop}</body></html>\n",
            state = self.state_key(),
            skip = self.t(Text::PageSkip {}),
            clock = self.clock(),
            other_name = self.t(Text::PageOtherLanguage {}),
            lost = self.t(Text::PageLost {}),
            version = env!("CARGO_PKG_VERSION"),
            stop = if path == "/login" { String::new() } else { self.stop_bar() },
        )
    }

    /// A minute of a day, as sentences have it.
    fn moment(&self, at: Wall) -> String {
        let form = if self.language == Language::Vi { "%H:%M ngày %d/%m/%Y" } else { "%H:%M on %d/%m/%Y" };
        self.zone().local(at).format(form).to_string()
    }

    fn clock(&self) -> String {
        second(self.zone(), self.view.now)
    }

    /// The bar that is always in reach.
    fn stop_bar(&self) -> String {
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

    fn long_date(&self, date: NaiveDate) -> String {
        format!("{} {}", weekday_words(date.weekday().num_days_from_monday(), self.language), day(date))
    }

    fn date_inside(&self, date: NaiveDate) -> String {
        let form = if self.language == Language::Vi { " ngày %d/%m/%Y" } else { " %d/%m/%Y" };
        let weekday = weekday_inside(date.weekday().num_days_from_monday(), self.language);
        weekday + &date.format(form).to_string()
    }

    fn now(&self, plan: &Plan) -> String {
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

    fn when(&self, at: Wall) -> String {
        let local = self.zone().local(at);
        let weekday = weekday_inside(local.weekday().num_days_from_monday(), self.language);
        format!("{} {weekday} {}", local.format("%H:%M"), local.format("%d/%m"))
    }

    fn alarms(&self) -> String {
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
    fn band(&self, plan: &Plan, rows: &Rows) -> String {
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

    fn of_day<'p>(&self, plan: &'p Plan, date: NaiveDate) -> impl Iterator<Item = &'p Session> {
        let zone = self.zone();
        plan.sessions.iter().filter(move |s| zone.date(s.start) == date)
    }

    fn reason(&self, outcome: Outcome, reason: Option<Reason>) -> String {
        let good = matches!(outcome, Outcome::Aired | Outcome::Relayed);
        let mut text = outcome_word(outcome, self.language).to_owned();
        if let Some(reason) = reason {
            let _ = write!(text, ": {}", reason_words(reason, self.language));
        }
        format!("<span class=\"{}\">{}</span>", if good { "good" } else { "bad" }, esc(&text))
    }

    fn recent(&self, rows: &Rows) -> String {
        let list: Vec<&Past> = rows.list.iter().rev().take(8).collect();
        self.airings(&list, false)
    }

    fn airings(&self, list: &[&Past], with_date: bool) -> String {
        if list.is_empty() {
            return format!("<p>{}</p>", self.t(Text::PageNoRows {}));
        }
        let zone = self.zone();
        let mut out = String::from("<ul class=\"rows\">");
        for past in list {
            let at = past.started.unwrap_or(past.planned);
            let when =
                if with_date { zone.local(at).format("%d/%m/%Y<br>%H:%M:%S").to_string() } else { second(zone, at) };
            let by = past.by.as_deref().map(|b| format!(" · {}", esc(b))).unwrap_or_default();
            let slot = match past.slot_name.as_str() {
                "" => format!(" · {}", self.t(Text::PageByHand {})),
                name if name == past.title => String::new(),
                name => format!(" · {}", esc(name)),
            };
            let _ = write!(
                out,
                "<li><span class=\"time\">{when}</span><span class=\"what\"><b>{}</b><br>{} \
                 <span class=\"small\">{}{slot}{by}</span></span></li>",
                esc(&past.title),
                self.reason(past.outcome, past.reason),
                esc(&length_words(past.played_ms, self.language)),
            );
        }
        out.push_str("</ul>");
        out
    }

    fn sessions(&self, plan: &Plan, rows: &Rows, date: NaiveDate) -> String {
        let mut out = String::new();
        for session in self.of_day(plan, date) {
            out.push_str(&self.session(session, rows));
        }
        if out.is_empty() { format!("<p>{}</p>", self.t(Text::PageNoSessions {})) } else { out }
    }

    fn session(&self, session: &Session, rows: &Rows) -> String {
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

    fn machine(&self, disk: &Disk) -> String {
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

    /// The next days.
    pub fn week(&self, plan: &Plan, rows: &Rows) -> String {
        let mut content = format!("<h1>{}</h1>", self.t(Text::PageWeek {}));
        let mut date = plan.today;
        for _ in 0..7 {
            date = crate::domain::time::next_day(date);
            let _ = write!(
                content,
                "<section><h2>{}</h2>{}</section>",
                esc(&self.long_date(date)),
                self.sessions(plan, rows, date)
            );
        }
        self.page("/week", &self.t(Text::PageWeek {}), &content)
    }

    fn dates(&self, from: Option<NaiveDate>, to: Option<NaiveDate>) -> String {
        if from.is_none() && to.is_none() {
            return String::new();
        }
        let from = from.map_or_else(|| Text::PageOpenBeginning {}.say(self.language), day);
        let to = to.map_or_else(|| Text::PageOpenEnd {}.say(self.language), day);
        self.t(Text::PageDates { from, to })
    }

    /// Everything the lists from above brought.
    pub fn received(&self, plan: &Plan) -> String {
        let mut content = format!("<h1>{}</h1>", self.t(Text::PageReceived {}));
        if self.view.above.is_empty() && self.view.urgent.is_empty() {
            let _ = write!(content, "<p>{}</p>", self.t(Text::PageNothingReceived {}));
        }
        for above in &self.view.above {
            let level = above.origin.map_or("", |o| origin_words(o, self.language)).to_owned();
            let head = self.t(Text::PageList { source: above.source.to_string(), level });
            let line = self.t(Text::PageListLine {
                serial: above.serial.to_string(),
                since: self.moment(above.since),
                expires: self.moment(above.expires_at),
            });
            let _ = write!(content, "<section><h2>{head}</h2><p class=\"small\">{line}</p>");
            self.campaigns(&mut content, plan, &above.source, &above.list);
            self.offers(&mut content, plan, &above.source, &above.list);
            self.emergencies(&mut content, &above.list);
            self.withdrawals(&mut content, &above.list);
            let _ = write!(content, "<h3>{}</h3>", self.t(Text::PageClips {}));
            for clip in &above.list.clips {
                content.push_str(&self.clip(plan, &above.source, &above.list, clip));
            }
            content.push_str("</section>");
        }
        for above in &self.view.urgent {
            let over = above.expires_at <= self.view.now;
            let line = self.t(Text::PageListLine {
                serial: above.serial.to_string(),
                since: self.moment(above.since),
                expires: self.moment(above.expires_at),
            });
            let _ = write!(
                content,
                "<section class=\"emergency\"><h2>{}</h2><p class=\"small\">{line}{}</p>",
                self.t(Text::PageUrgent { source: above.source.to_string() }),
                if over {
                    format!(" <span class=\"bad\">{}</span>", self.t(Text::PageUrgentOver {}))
                } else {
                    String::new()
                },
            );
            self.emergencies(&mut content, &above.list);
            self.withdrawals(&mut content, &above.list);
            for clip in &above.list.clips {
                content.push_str(&self.clip(plan, &above.source, &above.list, clip));
            }
            content.push_str("</section>");
        }
        self.page("/received", &self.t(Text::PageReceived {}), &content)
    }

    fn campaigns(&self, out: &mut String, plan: &Plan, source: &str, list: &List) {
        for campaign in &list.campaigns {
            let full = format!("{source}/{}", campaign.id);
            let _ = write!(
                out,
                "<article><p class=\"label\">{}</p><h3>{}</h3><p>",
                self.t(Text::PageCampaign {}),
                esc(&campaign.title)
            );
            if let Some(number) = &campaign.doc_number {
                let date = campaign.doc_date.map_or_else(|| "-".into(), day);
                let _ = write!(out, "{}<br>", self.t(Text::PageDocument { number: number.clone(), date }));
            }
            let _ = write!(out, "{}</p>", self.dates(campaign.from, campaign.to));
            let _ = write!(out, "<p>{}</p>", self.quota(plan, &full, campaign));
            if !campaign.topics.is_empty() {
                out.push_str("<ul>");
                for topic in &campaign.topics {
                    let _ = write!(out, "<li>{}: {}", esc(&topic.id), esc(&topic.title));
                    if let Some(per_day) = topic.min_per_day {
                        let _ = write!(out, "; {}", self.t(Text::PageQuota { per_day }));
                        let name = format!("{source}/{}", topic.id);
                        out.push_str(&self.short_of(&full, Some(&name)));
                    }
                    out.push_str("</li>");
                }
                out.push_str("</ul>");
            }
            let of_campaign =
                self.coming(plan, |i| i.clip.as_ref().is_some_and(|c| c.campaign_id.as_deref() == Some(full.as_str())));
            let _ = write!(out, "<p>{of_campaign}</p></article>");
        }
    }

    /// What a campaign asks for, and whether the plan can keep it.
    fn quota(&self, plan: &Plan, full: &str, campaign: &Campaign) -> String {
        let Some(per_day) = campaign.min_per_day else {
            let topics = campaign.topics.iter().any(|t| t.min_per_day.is_some());
            return if topics { String::new() } else { self.t(Text::PageNoQuota {}) };
        };
        let quota = self.t(Text::PageQuota { per_day });
        let today = plan.today;
        let short = self.short_of(full, None);
        let standing = if campaign.to.is_some_and(|to| to < today) {
            format!(": {}", self.t(Text::PageCampaignOver {}))
        } else if !short.is_empty() {
            short
        } else if let (Some(from), Some(to)) = (campaign.from, campaign.to) {
            // The daemon looks a month ahead, and what is short there is told above.
            let last = today + chrono::Days::new(31);
            if from > last {
                format!(": {}", self.t(Text::PageCampaignLater {}))
            } else {
                let kept = Text::PageQuotaKept { from: day(from.max(today)), to: day(to.min(last)) };
                format!(": <span class=\"good\">{}</span>", self.t(kept))
            }
        } else {
            match self.reach(plan, full, per_day, campaign.from, campaign.to) {
                reach if reach.is_empty() => reach,
                reach => format!(": {reach}"),
            }
        };
        quota + &standing
    }

    /// The first day on which a campaign, or one of its topics, has too few airings in the plan.
    fn short_of(&self, campaign: &str, topic: Option<&str>) -> String {
        let found = self.view.short.iter().find(|s| s.campaign == campaign && s.topic.as_deref() == topic);
        found.map_or_else(String::new, |short| {
            let text = self.t(Text::PageQuotaShort { date: day(short.date), planned: short.planned as usize });
            format!(": <span class=\"bad\">{text}</span>")
        })
    }

    /// Whether the plan of the whole days to come keeps a quota.
    fn reach(
        &self,
        plan: &Plan,
        campaign: &str,
        per_day: u32,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> String {
        let zone = self.zone();
        let mut days = Vec::new();
        let mut date = plan.today;
        for _ in 0..7 {
            date = crate::domain::time::next_day(date);
            if from.is_some_and(|f| date < f) || to.is_some_and(|t| date > t) {
                continue;
            }
            let quiet = &self.view.programme.quiet;
            let planned = plan
                .coming(self.view, |i| i.clip.as_ref().is_some_and(|c| c.campaign_id.as_deref() == Some(campaign)))
                .filter(|(_, i)| zone.date(i.planned_at) == date && quiet.quiet_until(i.planned_at).is_none())
                .count();
            days.push((date, planned));
        }
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return String::new() };
        match days.iter().find(|(_, planned)| *planned < per_day as usize) {
            Some((date, planned)) => {
                let text = self.t(Text::PageQuotaShort { date: day(*date), planned: *planned });
                format!("<span class=\"bad\">{text}</span>")
            }
            None => {
                let text = self.t(Text::PageQuotaKept { from: day(first.0), to: day(last.0) });
                format!("<span class=\"good\">{text}</span>")
            }
        }
    }

    fn coming(&self, plan: &Plan, passes: impl Fn(&crate::domain::schedule::Planned) -> bool) -> String {
        let times: Vec<String> = plan
            .coming(self.view, passes)
            .map(|(session, item)| format!("{} ({})", self.when(item.planned_at), session.name))
            .collect();
        if times.is_empty() {
            return format!("<span class=\"bad\">{}</span>", self.t(Text::PageWillNotAir {}));
        }
        let mut first = times.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        if times.len() > 3 {
            first.push_str("; …");
        }
        self.t(Text::PageWillAir { times: times.len(), first })
    }

    fn offers(&self, out: &mut String, plan: &Plan, source: &str, list: &List) {
        let station = &self.view.programme.station_id;
        for offer in list.offers.iter().filter(|o| list.is_for(&o.stations, station)) {
            let full = format!("{source}/{}", offer.id);
            let Dates { from, to, .. } = offer.dates;
            let _ = write!(
                out,
                "<article><p class=\"label\">{}</p><h3>{}</h3><p>{} {}</p>",
                self.t(Text::PageOffer {}),
                esc(&offer.id),
                esc(priority_words(offer.priority, self.language)),
                self.dates(from, to)
            );
            if let Some(times) = offer.sessions_per_day {
                let _ = write!(out, "<p>{}</p>", self.t(Text::PageOfferTimes { times }));
            }
            let _ = write!(out, "<p>{}</p>", self.coming(plan, |i| i.offer.as_deref() == Some(full.as_str())));
            for campaign in list.campaigns.iter().filter(|c| brings(list, offer, &c.id)) {
                let quota = self.quota(plan, &format!("{source}/{}", campaign.id), campaign);
                let _ = write!(out, "<p class=\"small\">{}. {quota}</p>", esc(&campaign.title));
            }
            out.push_str("</article>");
        }
    }

    fn emergencies(&self, out: &mut String, list: &List) {
        for emergency in list.emergencies.iter().filter(|e| list.is_for(&e.stations, &self.view.programme.station_id)) {
            let dates = Text::PageDates { from: self.moment(emergency.from), to: self.moment(emergency.until) };
            let _ = write!(
                out,
                "<article class=\"emergency\"><p class=\"label\">{}</p><h3>{}</h3><p>{}</p>",
                self.t(Text::PageEmergency {}),
                esc(list.clips.iter().find(|c| c.id == emergency.clip.id).map_or(&*emergency.id, |c| &*c.title)),
                self.t(dates)
            );
            let every = emergency.every_ms.map(|ms| length_words(ms, self.language));
            let rounds = match every {
                Some(every) => Text::PageRoundsEvery { times: emergency.repeat, every },
                None => Text::PageOneRound { times: emergency.repeat },
            };
            let _ = write!(out, "<p>{}</p></article>", self.t(rounds));
        }
    }

    fn withdrawals(&self, out: &mut String, list: &List) {
        for withdrawal in &list.withdrawals {
            let id = match &withdrawal.what {
                Withdrawn::Clip(what) | Withdrawn::Offer(what) | Withdrawn::Slot(what) | Withdrawn::Emergency(what) => {
                    &what.id
                }
            };
            let clip =
                list.clips.iter().find(|c| c.id == *id).filter(|_| matches!(withdrawal.what, Withdrawn::Clip(_)));
            let _ = write!(
                out,
                "<article><p class=\"label\">{}</p><h3>{}</h3><p>{}</p></article>",
                self.t(Text::PageWithdrawn {}),
                esc(clip.map_or(&**id, |c| &*c.title)),
                [
                    withdrawal.at.map(|at| self.t(Text::PageSince { since: self.moment(at) })),
                    withdrawal.by.as_deref().map(|by| esc(by).to_string()),
                    withdrawal.why.as_deref().map(|why| esc(why).to_string()),
                ]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" · ")
            );
        }
    }

    fn clip(&self, plan: &Plan, source: &str, list: &List, clip: &Clip) -> String {
        let mut out = format!(
            "<article><h4>{}</h4><p class=\"small\">{} · {} · {}{}</p>",
            esc(&clip.title),
            esc(clip_kind_words(clip.kind, self.language)),
            esc(priority_words(clip.priority, self.language)),
            esc(&length_words(clip.duration_ms.unwrap_or(0), self.language)),
            match clip.campaign.as_ref().and_then(|r| list.campaigns.iter().find(|c| c.id == r.id)) {
                Some(campaign) => format!(" · {}", esc(&campaign.title)),
                None => String::new(),
            }
        );
        if !clip.kind.is_frame() {
            let approval = match (&clip.approved_by, &clip.approved_at) {
                (Some(by), Some(at)) => {
                    let at =
                        NaiveDate::parse_from_str(at.get(..10).unwrap_or(at), "%Y-%m-%d").map_or(at.to_string(), day);
                    self.t(Text::PageApproved { by: by.to_string(), at })
                }
                _ => format!("<span class=\"bad\">{}</span>", self.t(Text::PageNotApproved {})),
            };
            let doc = clip.approved_doc.as_deref().map(|d| format!(" ({})", esc(d))).unwrap_or_default();
            let _ = write!(out, "<p class=\"small\">{approval}{doc}</p>");
        }
        // When an emergency sounds stands with the emergency.
        if !list.emergencies.iter().any(|e| e.clip.id == clip.id) {
            let _ = write!(
                out,
                "<p class=\"small\">{}</p>",
                self.coming(plan, |i| *i.source == *source && i.clip_id.as_deref() == Some(&*clip.id))
            );
        }
        let name = if source == LOCAL { clip.id.to_string() } else { format!("{source}/{}", clip.id) };
        out.push_str(&self.listen_and_play(
            &name,
            &clip.title,
            clip.sha256.as_deref().filter(|sha| clip.unfit.is_none() && (self.has_audio)(sha)),
        ));
        out.push_str("</article>");
        out
    }

    fn listen_and_play(&self, name: &str, title: &str, sha256: Option<&str>) -> String {
        let Some(sha256) = sha256 else { return format!("<p class=\"bad\">{}</p>", self.t(Text::PageNoAudio {})) };
        let label = self.t(Text::PageListen { title: title.to_owned() });
        let audio =
            format!("<audio controls preload=\"none\" src=\"/audio/{}\" aria-label=\"{label}\"></audio>", esc(sha256));
        format!("<div class=\"sound\">{audio}{}</div>", self.play_button(name, title))
    }

    fn play_button(&self, name: &str, title: &str) -> String {
        if self.by.is_none() {
            return String::new();
        }
        let play = self.t(Text::PagePlayClip {});
        format!(
            "<form method=\"post\" action=\"/play\"><button name=\"clip\" value=\"{}\" aria-label=\"{play}: {}\">{play}</button></form>",
            esc(name),
            esc(title)
        )
    }

    /// Clips to play by hand: the test tone and the commune's own.
    pub fn play(&self, plan: &Plan) -> String {
        let tone = Text::PageTone {}.say(self.language);
        let mut content = format!(
            "<h1>{}</h1><p>{}</p><section><article><h4>{}</h4>{}</article></section>",
            self.t(Text::PagePlay {}),
            self.t(Text::PagePlayHow {}),
            esc(&tone),
            self.play_button("tone", &tone)
        );
        if let Some(own) = &self.view.own {
            let _ = write!(content, "<section><h2>{}</h2>", self.t(Text::PageOwnClips {}));
            for clip in &own.clips {
                content.push_str(&self.clip(plan, LOCAL, own, clip));
            }
            content.push_str("</section>");
        }
        self.page("/play", &self.t(Text::PagePlay {}), &content)
    }

    /// The log with its filters.
    pub fn log(&self, asked: &LogAsked, list: &[Past], all: u64) -> String {
        let mut outcomes = format!("<option value=\"\">{}</option>", self.t(Text::PageAll {}));
        for outcome in Outcome::ALL {
            let chosen = if outcome.key() == asked.outcome { " selected" } else { "" };
            let word = esc(outcome_word(outcome, self.language));
            let _ = write!(outcomes, "<option value=\"{}\"{chosen}>{word}</option>", outcome.key());
        }
        let mut campaigns = format!("<option value=\"\">{}</option>", self.t(Text::PageAll {}));
        for above in &self.view.above {
            for campaign in &above.list.campaigns {
                let full = format!("{}/{}", above.source, campaign.id);
                let chosen = if full == asked.campaign { " selected" } else { "" };
                let _ = write!(
                    campaigns,
                    "<option value=\"{}\"{chosen}>{}</option>",
                    esc(&full),
                    esc(&campaign.title.chars().take(60).collect::<String>())
                );
            }
        }
        let query = format!(
            "from={}&amp;to={}&amp;outcome={}&amp;campaign={}",
            percent(&asked.from),
            percent(&asked.to),
            percent(&asked.outcome),
            percent(&asked.campaign)
        );
        let rows: Vec<&Past> = list.iter().rev().collect();
        let only = if all > list.len() as u64 {
            format!("<p class=\"small\">{}</p>", self.t(Text::PageOnlyLast { shown: list.len(), all }))
        } else {
            String::new()
        };
        let content = format!(
            "<h1>{title}</h1><form method=\"get\" class=\"filter\">\
             <label>{from}<input type=\"date\" name=\"from\" value=\"{from_value}\"></label>\
             <label>{to}<input type=\"date\" name=\"to\" value=\"{to_value}\"></label>\
             <label>{outcome}<select name=\"outcome\">{outcomes}</select></label>\
             <label>{campaign}<select name=\"campaign\">{campaigns}</select></label>\
             <button>{show}</button></form>\
             <p class=\"files\">{download} <a href=\"/log.xlsx?{query}\" download>Excel</a> \
             <a href=\"/log.csv?{query}\" download>CSV</a> \
             <a href=\"/log.jsonl?{query}\" download>JSON Lines</a></p>{only}\
             <p class=\"small\">{means}</p>{rows}",
            title = self.t(Text::PageLog {}),
            from = self.t(Text::PageFrom {}),
            from_value = esc(&asked.from),
            to = self.t(Text::PageTo {}),
            to_value = esc(&asked.to),
            outcome = self.t(Text::HeadOutcome {}),
            campaign = self.t(Text::PageCampaign {}),
            show = self.t(Text::PageShow {}),
            download = self.t(Text::PageDownload {}),
            means = self.t(Text::AiredMeans {}),
            rows = self.airings(&rows, true),
        );
        self.page("/log", &self.t(Text::PageLog {}), &content)
    }

    /// The three reports, each with what it is about.
    pub fn reports(&self) -> String {
        let today = self.zone().date(self.view.now);
        let week = today.iso_week();
        let hand_over = {
            let button =
                |format: &str, name: &str| format!("<button name=\"format\" value=\"{format}\">{name}</button>");
            let see = self.t(Text::PageReportSee {});
            format!(
                "<div class=\"sound\">{}{}{}</div>",
                button("html", &see),
                button("docx", "Word"),
                button("xlsx", "Excel")
            )
        };
        let form = |which: &str, title: Text, fields: &str| {
            format!(
                "<section><h2>{}</h2><form method=\"get\" action=\"/report\" class=\"filter\">\
                 <input type=\"hidden\" name=\"which\" value=\"{which}\">{fields}{hand_over}</form></section>",
                self.t(title)
            )
        };
        let diary = format!(
            "<label>{}<input type=\"week\" name=\"week\" required pattern=\"[0-9]{{4}}-W[0-9]{{2}}\" value=\"{}-W{:02}\"></label>",
            self.t(Text::PageReportWeek {}),
            week.year(),
            week.week()
        );
        let kinds = [
            ("month", Text::PageReportMonth {}),
            ("quarter", Text::PageReportQuarter {}),
            ("half", Text::PageReportHalf {}),
            ("nine-months", Text::PageReportNine {}),
            ("year", Text::PageReportYear {}),
        ];
        let kinds: String =
            kinds.into_iter().map(|(key, text)| format!("<option value=\"{key}\">{}</option>", self.t(text))).collect();
        let period = format!(
            "<label>{}<select name=\"kind\">{kinds}</select></label>\
             <label>{}<input type=\"month\" name=\"ending\" required pattern=\"[0-9]{{4}}-[0-9]{{2}}\" value=\"{}\"></label>\
             <label><span><input type=\"checkbox\" name=\"calendar\" value=\"1\"> {}</span></label>",
            self.t(Text::PageReportKind {}),
            self.t(Text::PageReportEnding {}),
            today.format("%Y-%m"),
            self.t(Text::PageReportCalendar {}),
        );
        let mut campaigns = String::new();
        let own = self.view.own.iter().map(|list| (LOCAL, &**list));
        for (source, list) in own.chain(self.view.above.iter().map(|a| (&*a.source, &*a.list))) {
            for campaign in &list.campaigns {
                let title: String = campaign.title.chars().take(60).collect();
                let _ = write!(
                    campaigns,
                    "<option value=\"{}/{}\">{}</option>",
                    esc(source),
                    esc(&campaign.id),
                    esc(&title)
                );
            }
        }
        let mut content = format!("<h1>{}</h1>", self.t(Text::PageReports {}));
        content.push_str(&form("diary", Text::PageReportDiary {}, &diary));
        content.push_str(&form("period", Text::PageReportPeriod {}, &period));
        if !campaigns.is_empty() {
            let field = format!(
                "<label>{}<select name=\"campaign\">{campaigns}</select></label>",
                self.t(Text::PageCampaign {})
            );
            content.push_str(&form("campaign", Text::PageReportCampaign {}, &field));
        }
        self.page("/reports", &self.t(Text::PageReports {}), &content)
    }

    /// The way in.
    pub fn login(&self) -> String {
        let title = self.t(Text::PageLoginHead {});
        let content = format!(
            "<h1>{title}</h1><p>{how}</p><p><code>sudo loaxa page-code --by \"Nguyễn Văn A\"</code></p>\
             <form method=\"post\" action=\"/login\" class=\"filter\"><label>{code}<input name=\"code\" inputmode=\"numeric\" \
             autocomplete=\"one-time-code\" pattern=\"[0-9 ]*\" maxlength=\"12\" required autofocus></label>\
             <button>{enter}</button></form>",
            how = self.t(Text::PageLoginHow {}),
            code = self.t(Text::PageCode {}),
            enter = self.t(Text::PageEnter {}),
        );
        self.page("/login", &title, &content)
    }

    /// A page that says one thing.
    pub fn plain(&self, text: Text) -> String {
        let content = format!("<p>{}</p>", self.t(text));
        self.page("", "loaxa", &content)
    }
}

/// Whether an offer has clips of a campaign.
fn brings(list: &List, offer: &Offer, campaign: &str) -> bool {
    let counts = |id: &str| {
        let clip = list.clips.iter().find(|c| *c.id == *id);
        clip.and_then(|c| c.campaign.as_ref()).is_some_and(|c| *c.id == *campaign)
    };
    offer.items.iter().any(|item| match &item.what {
        What::Clip(clip) => counts(&clip.id),
        What::Rotation(named) => {
            let rotation = list.rotations.iter().find(|r| r.id == named.id);
            rotation.is_some_and(|r| r.clips.iter().any(|c| counts(&c.id)))
        }
        What::Offer(_) | What::Offers(_) => false,
    })
}

fn key_of(session: &Session) -> String {
    format!("{}/{}/{}", session.source, session.slot, session.start.0)
}

/// A value in a query.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

/// The days of the log page when nobody chose any: the last seven.
pub fn standard_days(zone: Zone, now: Wall) -> (NaiveDate, NaiveDate) {
    (zone.date(now + -6 * DAY_MS), zone.date(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        let shown = esc("<script>alert(\"x\")</script>&'\u{0}").to_string();
        assert_eq!(shown, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;");
        assert_eq!(percent("tinh/cds&x=ô"), "tinh%2Fcds%26x%3D%C3%B4");
    }
}
