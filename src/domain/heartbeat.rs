//! Who a station says it is when it asks for its list: a line in any web server's access log is the proof that a
//! station lives, and a witness of its airing log that the station cannot take back.
//!
//! ```text
//! loaxa/0.1.0 (xa-a; a-01; log=1f2e3d4c/812/9a0b1c2d3e4f5061; list=12; state=idle; last=2022-10-05T05:35:35+07:00; short=tinh%2Fcds)
//! ```
//!
//! What is not known is left out. Nothing in it is secret, and nothing in it is proven: whoever can reach the
//! server can send the same. It tells of silence and of a log that was written anew; it convicts nobody.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

use chrono::{DateTime, NaiveDateTime};

use crate::domain::time::Wall;

/// At most so many campaigns are named.
const MOST_SHORT: usize = 12;

/// The head of an airing log, as far as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The first 8 characters of the log's id.
    pub log: String,
    /// The number of its last row.
    pub seq: u64,
    /// The first 16 hexadecimal digits of that row's hash.
    pub hash: String,
}

impl Head {
    /// From a whole id and a whole hash in hexadecimal.
    pub fn of(log_id: &str, seq: u64, hash: &str) -> Head {
        Head { log: log_id.chars().take(8).collect(), seq, hash: hash.chars().take(16).collect() }
    }
}

/// What a station says with each question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// The program's version.
    pub version: String,
    /// The station.
    pub station: String,
    /// The box.
    pub device: String,
    /// The head of its airing log.
    pub head: Option<Head>,
    /// Serial of this source's list in force.
    pub list: Option<u64>,
    /// As in `status`: `idle`, `on_air`, `stopped`, `waiting_for_clock`.
    pub state: Option<String>,
    /// When something last aired, RFC 3339.
    pub last: Option<String>,
    /// Campaigns that cannot reach their quota.
    pub short: Vec<String>,
    /// Version of this source's `keys.json` in force, where root keys are pinned.
    pub keys: Option<u64>,
}

impl Display for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loaxa/{} ({}; {}", tame(&self.version), tame(&self.station), tame(&self.device))?;
        if let Some(head) = &self.head {
            write!(f, "; log={}/{}/{}", tame(&head.log), head.seq, tame(&head.hash))?;
        }
        if let Some(serial) = self.list {
            write!(f, "; list={serial}")?;
        }
        if let Some(state) = &self.state {
            write!(f, "; state={}", tame(state))?;
        }
        if let Some(last) = &self.last {
            write!(f, "; last={}", tame(last))?;
        }
        if !self.short.is_empty() {
            let names: Vec<_> = self.short.iter().take(MOST_SHORT).map(|c| tame(c)).collect();
            write!(f, "; short={}", names.join(","))?;
        }
        if let Some(version) = self.keys {
            write!(f, "; keys={version}")?;
        }
        f.write_char(')')
    }
}

impl Heartbeat {
    /// Reads what [`Display`] wrote; unknown parts are passed over. None for any other User-Agent.
    pub fn parse(agent: &str) -> Option<Heartbeat> {
        let (version, rest) = agent.strip_prefix("loaxa/")?.split_once(" (")?;
        let mut parts = rest.strip_suffix(')')?.split("; ");
        let mut beat = Heartbeat {
            version: wild(version)?,
            station: wild(parts.next()?)?,
            device: wild(parts.next()?)?,
            ..Heartbeat::default()
        };
        for part in parts {
            let Some((key, value)) = part.split_once('=') else { continue };
            match key {
                "log" => {
                    let mut three = value.splitn(3, '/');
                    let (log, seq, hash) = (three.next()?, three.next()?, three.next()?);
                    beat.head = Some(Head { log: wild(log)?, seq: seq.parse().ok()?, hash: wild(hash)? });
                }
                "list" => beat.list = value.parse().ok(),
                "keys" => beat.keys = value.parse().ok(),
                "state" => beat.state = wild(value),
                "last" => beat.last = wild(value),
                "short" => beat.short = value.split(',').filter_map(wild).collect(),
                _ => {}
            }
        }
        Some(beat)
    }
}

/// What may stand in a header and in a log line; all else as its bytes in `%XX`.
fn tame(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.:+".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

fn wild(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        if b == b'%' {
            let digit = |b: u8| char::from(b).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(b);
        }
    }
    // Whoever reads it reads it on a terminal.
    String::from_utf8(bytes).ok().filter(|t| t.len() <= 400 && !t.chars().any(char::is_control))
}

/// A station that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When, by the web server.
    pub at: Wall,
    /// What it said.
    pub beat: Heartbeat,
}

/// One line of an access log in the combined format of nginx, Apache and `loaxa serve` (or any in which the time
/// stands in `[...]` and the User-Agent in quotes). None for every other visitor.
pub fn read_line(line: &str) -> Option<Heard> {
    let beat = line.split('"').rev().find_map(|quoted| Heartbeat::parse(quoted.trim()))?;
    let time = line.split_once('[')?.1.split_once(']')?.0;
    Some(Heard { at: read_time(time)?, beat })
}

/// `24/Nov/2026:07:13:41 +0000`, or RFC 3339 (nginx's `$time_iso8601`).
fn read_time(text: &str) -> Option<Wall> {
    if let Some(wall) = Wall::parse_rfc3339(text) {
        return Some(wall);
    }
    DateTime::parse_from_str(text, "%d/%b/%Y:%H:%M:%S %z").ok().map(|t| Wall(t.timestamp_millis()))
}

/// The time of a line in the combined format, in UTC.
pub fn line_time(at: Wall) -> String {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default().format("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// The seconds until an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`), none for another text; 0 when it has passed.
pub fn seconds_until_http_date(text: &str, now: Wall) -> Option<u64> {
    let text = text.trim().strip_suffix("GMT")?.trim_end();
    let at = NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S").ok()?;
    let ms = at.and_utc().timestamp_millis() - now.0;
    Some(ms.max(0).unsigned_abs().div_ceil(1000))
}

/// The last that was heard of each box, by station and box.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Station and box to what it said last.
    pub boxes: BTreeMap<(String, String), Heard>,
}

impl Fleet {
    /// Takes note. Logs may come in any order.
    pub fn hear(&mut self, heard: Heard) {
        let key = (heard.beat.station.clone(), heard.beat.device.clone());
        match self.boxes.get_mut(&key) {
            // Of one second, the later line.
            Some(known) if known.at > heard.at => {}
            Some(known) => *known = heard,
            None => drop(self.boxes.insert(key, heard)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat() -> Heartbeat {
        Heartbeat {
            version: "0.1.0".into(),
            station: "xã \"A\"; (1)\r\nX: y".into(),
            device: "a-01".into(),
            head: Some(Head::of("1f2e3d4c5b6a", 812, "9a0b1c2d3e4f5061ffff")),
            list: Some(12),
            state: Some("on_air".into()),
            last: Some("2022-10-05T05:35:35+07:00".into()),
            short: vec!["tinh/cds,2022".into(), "local/y".into()],
            keys: Some(3),
        }
    }

    #[test]
    fn what_is_said_is_understood_and_harmless() {
        let said = beat().to_string();
        assert!(said.is_ascii() && !said.contains(['"', '\\', '\r', '\n']), "{said}");
        let understood = Heartbeat::parse(&said);
        // A control character does not come through: the whole is not believed.
        assert_eq!(understood, None);
        let fine = Heartbeat { station: "xã \"A\"; (1)".into(), ..beat() };
        assert_eq!(Heartbeat::parse(&fine.to_string()), Some(fine.clone()));
        let least = Heartbeat { version: "1".into(), station: "a".into(), device: "b".into(), ..Heartbeat::default() };
        assert_eq!(least.to_string(), "loaxa/1 (a; b)");
        assert_eq!(Heartbeat::parse("loaxa/1 (a; b)"), Some(least));
        assert!(Heartbeat::parse("curl/8.0").is_none() && Heartbeat::parse("loaxa/1").is_none());
    }

    #[test]
    fn lines_of_nginx_and_apache_are_read() {
        let agent = Heartbeat { station: "xa-a".into(), ..beat() }.to_string();
        let line = format!(
            "10.0.0.7 - - [05/Oct/2022:05:40:00 +0700] \"GET /playlist.json HTTP/1.1\" 304 0 \"-\" \"{agent}\""
        );
        let heard = read_line(&line).unwrap();
        assert_eq!(heard.at, Wall::parse_rfc3339("2022-10-05T05:40:00+07:00").unwrap());
        assert_eq!(heard.beat.head.as_ref().unwrap().seq, 812);
        assert!(read_line(&(line.clone() + " \"10.1.1.1\" 0.002")).is_some(), "more fields behind it");
        assert!(read_line(&line.replace("loaxa/", "Mozilla/")).is_none());
        assert_eq!(read_time(&line_time(heard.at)), Some(heard.at));
    }

    #[test]
    fn the_latest_of_each_box_counts() {
        let heard = |at: i64, device: &str| Heard {
            at: Wall(at),
            beat: Heartbeat { device: device.into(), list: Some(at.unsigned_abs()), ..beat() },
        };
        let mut fleet = Fleet::default();
        [heard(5, "a"), heard(9, "b"), heard(3, "a"), heard(7, "a")].into_iter().for_each(|h| fleet.hear(h));
        assert_eq!(fleet.boxes.values().map(|h| h.at.0).collect::<Vec<_>>(), [7, 9]);
    }

    #[test]
    fn http_dates() {
        let now = Wall::parse_rfc3339("1994-11-06T08:49:07Z").unwrap();
        assert_eq!(seconds_until_http_date("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(30));
        assert_eq!(seconds_until_http_date("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(0));
        assert_eq!(seconds_until_http_date("120", now), None);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,200}", more in "loaxa/[ -~]{0,80}") {
            let _ = read_line(&line);
            let _ = Heartbeat::parse(&more);
            let _ = read_line(&format!("[{line}] \"{more}\""));
        }
    }
}
