//! The station page as HTML. Every word that comes from a file, a list or a person goes through [`esc`]; sentences
//! go through [`Sheet::t`], which does so.

mod day;
mod front;
mod log;
mod login;
mod play;
mod received;
mod reports;
mod week;

use std::fmt::{self, Write as _};

use chrono::{Datelike, NaiveDate};

pub use self::log::{LogAsked, standard_days};
use crate::domain::config::Language;
use crate::domain::schedule::Session;
use crate::domain::text::{Text, weekday_words};
use crate::domain::time::{Wall, Zone};
use crate::edge::page::view::{Plan, View};

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

    fn long_date(&self, date: NaiveDate) -> String {
        format!("{} {}", weekday_words(date.weekday().num_days_from_monday(), self.language), day(date))
    }

    fn date_inside(&self, date: NaiveDate) -> String {
        let form = if self.language == Language::Vi { " ngày %d/%m/%Y" } else { " %d/%m/%Y" };
        let weekday = weekday_inside(date.weekday().num_days_from_monday(), self.language);
        weekday + &date.format(form).to_string()
    }

    fn when(&self, at: Wall) -> String {
        let local = self.zone().local(at);
        let weekday = weekday_inside(local.weekday().num_days_from_monday(), self.language);
        format!("{} {weekday} {}", local.format("%H:%M"), local.format("%d/%m"))
    }

    fn of_day<'p>(&self, plan: &'p Plan, date: NaiveDate) -> impl Iterator<Item = &'p Session> {
        let zone = self.zone();
        plan.sessions.iter().filter(move |s| zone.date(s.start) == date)
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

    /// A page that says one thing.
    pub fn plain(&self, text: Text) -> String {
        let content = format!("<p>{}</p>", self.t(text));
        self.page("", "loaxa", &content)
    }
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
