//! Bytes of `station.toml` to [`Config`], with every mistake found on the way.

use std::net::{IpAddr, SocketAddr};

use chrono::NaiveTime;

use crate::domain::config::{
    Config, Daypart, Device, Language, Local, Origin, Output, QuietMain, QuietOpen, Source, State, Station, Trust,
};
use crate::domain::document::{self, Value};
use crate::domain::fields::{Fields, Ids, Notes, nearest, read_id};
use crate::domain::findings::{Finding, Reading};
use crate::domain::keyring::{MOST_ROOTS, Roots, RootsFault};
use crate::domain::playlist::{LOCAL, Span};
use crate::domain::text::Text;
use crate::domain::time::{DAY_MS, Days, HOUR_MS, MINUTE_MS, QuietDays, SECOND_MS, Window, Zone};

/// The shortest and the longest nightly quiet window.
const QUIET_MS: std::ops::RangeInclusive<i64> = 4 * HOUR_MS..=14 * HOUR_MS;
/// The longest open night.
const OPEN_MS: i64 = 3 * HOUR_MS;

/// Reads `station.toml`. `trial` says that `LOAXA_TRIAL=1` is set, which allows what the contract keeps from a
/// station: a clock nobody vouches for with a real device, and quiet hours under four hours.
pub fn read_config(bytes: &[u8], trial: bool) -> Reading<Config> {
    let text = match document::decode(bytes) {
        Ok(text) => text,
        Err(finding) => return Reading::settle(None, vec![*finding]),
    };
    let (root, form_findings) = document::read_toml(text);
    let broken = form_findings.len();
    let mut notes = Notes::new(text, form_findings);
    let Value::Table(table) = &root.value else { return Reading::settle(None, notes.list) };
    let config = config(Fields::new(table, 0..0, ""), trial, &mut notes);
    Reading::settle(config, notes.settled(broken))
}

fn config(mut top: Fields<'_>, trial: bool, notes: &mut Notes) -> Option<Config> {
    let station = match top.table("station", "[station]", notes) {
        Some(fields) => station(fields, notes),
        None => {
            if !top.has("station") {
                top.missing("station", "[station]");
            }
            None
        }
    };
    let state = state(top.table("state", "[state]", notes), notes);
    let mut ids = Ids::default();
    let mut sources = Vec::new();
    for fields in top.tables("source", "[[source]]", notes) {
        sources.extend(source(fields, &mut ids, notes));
    }
    let local = top.table("local", "[local]", notes).map(|fields| local(fields, notes));
    let (output, device_span) = output(top.table("output", "[output]", notes), notes);
    let mut dayparts = Vec::new();
    for mut fields in top.tables("daypart", "[[daypart]]", notes) {
        let window = fields.window(notes);
        let gain = fields.need("gain_db", "gain_db = -6.0").and_then(|h| h.gain(notes));
        fields.close(notes);
        dayparts.extend(window.zip(gain).map(|(window, gain_db)| Daypart { window, gain_db }));
    }
    let quiet_main = quiet_main(top.table("quiet_hours", "[quiet_hours]", notes), trial, notes);
    let mut quiet_also = Vec::new();
    for fields in top.tables("quiet_also", "[[quiet_also]]", notes) {
        quiet_also.extend(also(fields, notes));
    }
    let mut quiet_open = Vec::new();
    for fields in top.tables("quiet_open", "[[quiet_open]]", notes) {
        quiet_open.extend(open(fields, notes));
    }
    let (trust, hold_ms) = time(top.table("time", "[time]", notes), &output.device, &device_span, trial, notes);
    let (page_listen, page_hosts) = match top.table("page", "[page]", notes).map(|fields| page(fields, notes)) {
        Some((listen, hosts)) => (Some(listen), hosts),
        None => (None, Vec::new()),
    };
    let mut log_keep_months = 24;
    if let Some(mut fields) = top.table("log", "[log]", notes) {
        if let Some(held) = fields.get("keep")
            && let Some(months) = held.months(notes)
        {
            log_keep_months = months;
            if months < 24 {
                notes.push(Finding::advice("keep_short", held.span(), Text::LogKeptShort { months }));
            }
        }
        fields.close(notes);
    }
    top.close(notes);
    Some(Config {
        station: station?,
        state,
        sources,
        local,
        output,
        dayparts,
        quiet_main,
        quiet_also,
        quiet_open,
        trust,
        hold_ms,
        page_listen,
        page_hosts,
        log_keep_months,
    })
}

fn station(mut f: Fields<'_>, notes: &mut Notes) -> Option<Station> {
    let id = f.id("id = \"xa-binh-minh\"", notes).map(|(id, _)| id.to_string());
    let name = f.need_text("name", "name = \"Đài Truyền thanh xã Bình Minh\"", notes).map(|(t, _)| t.to_owned());
    let device_id = f.text("device_id", notes).and_then(|(t, span)| read_id(t, &span, notes)).map(|id| id.to_string());
    let timezone = match f.text("timezone", notes) {
        None => Zone::default(),
        Some((text, span)) => Zone::by_name(text).unwrap_or_else(|| {
            let names = chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name());
            let near = nearest(text, names).unwrap_or("Asia/Ho_Chi_Minh");
            notes.push(
                Finding::error("bad_timezone", span, Text::BadTimezone { text: text.into() })
                    .hint(Text::WriteLine { line: format!("timezone = \"{near}\"") }),
            );
            Zone::default()
        }),
    };
    let language = f.choice("language", &[(&["vi", "vn"], Language::Vi), (&["en"], Language::En)], notes);
    let clusters = f.whole("clusters", 0, 100_000, notes).and_then(|n| u32::try_from(n).ok());
    let speakers = f.whole("speakers", 0, 100_000, notes).and_then(|n| u32::try_from(n).ok());
    f.close(notes);
    let id = id?;
    Some(Station {
        name: name.unwrap_or_else(|| id.clone()),
        device_id: device_id.unwrap_or_else(|| id.clone()),
        id,
        timezone,
        language,
        clusters,
        speakers,
    })
}

fn state(fields: Option<Fields<'_>>, notes: &mut Notes) -> State {
    let mut state = State { dir: "/var/lib/loaxa".into(), clips_quota_bytes: 4_000_000_000, keep_aired_months: 6 };
    let Some(mut f) = fields else { return state };
    if let Some((dir, _)) = f.text("dir", notes) {
        state.dir = dir.into();
    }
    if let Some(bytes) = f.get("clips_quota").and_then(|h| h.size(notes)) {
        state.clips_quota_bytes = bytes;
    }
    if let Some(held) = f.get("keep_aired")
        && let Some(months) = held.months(notes)
    {
        state.keep_aired_months = months;
        if months < 6 {
            notes.push(Finding::advice("keep_short", held.span(), Text::AudioKeptShort { months }));
        }
    }
    f.close(notes);
    state
}

fn source(mut f: Fields<'_>, ids: &mut Ids, notes: &mut Notes) -> Option<Source> {
    let id = f.id("id = \"tinh\"", notes);
    if let Some((id, span)) = &id {
        ids.take(id, span, notes);
        if &**id == LOCAL {
            notes.push(Finding::error("bad_id", span.clone(), Text::LocalIsTaken {}));
        }
    }
    f.need("origin", "origin = \"tinh\"");
    let origin = f.choice(
        "origin",
        &[
            (&["trung_uong"], Origin::TrungUong),
            (&["tinh"], Origin::Tinh),
            (&["huyen"], Origin::Huyen),
            (&["xa"], Origin::Xa),
            (&["thon"], Origin::Thon),
        ],
        notes,
    );
    let url = f.need_text("url", "url = \"https://.../playlist.json\"", notes);
    if let Some((text, span)) = &url {
        good_url(text, span, "url", notes);
    }
    let mut mirrors = Vec::new();
    for (text, span) in f.texts("mirrors", notes).unwrap_or_default() {
        good_url(text, &span, "mirrors", notes);
        mirrors.push(text.trim().to_owned());
    }
    let roots = root_keys(&mut f, notes);
    let public_keys = public_keys(&mut f, notes);
    let poll = f.get("poll");
    let poll_ms = poll.and_then(|h| h.duration(SECOND_MS, DAY_MS, notes)).unwrap_or(15 * MINUTE_MS);
    if let Some(held) = poll
        && poll_ms < MINUTE_MS
    {
        notes.push(
            Finding::advice("poll_often", held.span(), Text::PollOften {})
                .hint(Text::WriteLine { line: "poll = \"15m\"".into() }),
        );
    }
    if !f.has("root_keys")
        && let Some(held) = f.get("threshold")
    {
        let text = Text::ThresholdAlone {};
        notes.push(Finding::error("threshold_alone", held.span(), text).hint(Text::RootKeysOrNot {}));
    }
    let urgent_poll_ms = f.duration("urgent_poll", SECOND_MS, DAY_MS, notes);
    let keeps_expired = f.choice("on_expiry", &[(&["stop"], false), (&["keep"], true)], notes).unwrap_or_default();
    let slots = f.flag("slots", true, notes);
    let emergency = f.flag("emergency", false, notes);
    f.close(notes);
    let (id, span) = id?;
    Some(Source {
        id,
        origin: origin?,
        url: url?.0.trim().to_owned(),
        public_keys,
        roots,
        mirrors,
        poll_ms,
        urgent_poll_ms,
        keeps_expired,
        slots,
        emergency,
        span,
    })
}

/// The keys that may sign lists, where no root keys are pinned.
fn public_keys(f: &mut Fields<'_>, notes: &mut Notes) -> Vec<String> {
    let rooted = f.has("root_keys");
    if let (true, Some(span)) = (rooted, f.key_span("public_keys")) {
        let text = Text::PublicAndRootKeys {};
        notes.push(Finding::error("two_kinds_of_keys", span, text).hint(Text::PublicOrRootKeys {}));
    }
    let line = "public_keys = [\"RWQ...\"]";
    let held = if rooted { f.get("public_keys") } else { f.need("public_keys", line) };
    let mut keys = Vec::new();
    let Some(held) = held else { return keys };
    if matches!(&held.node.value, Value::List(list) if list.is_empty()) {
        notes.push(
            Finding::error("empty", held.span(), Text::EmptyList { key: "public_keys".into() })
                .hint(Text::WriteLine { line: line.into() }),
        );
    }
    for one in held.each() {
        let Some((text, span)) = one.text(notes) else { continue };
        if minisign_verify::PublicKey::from_base64(text.trim()).is_err() {
            notes.push(Finding::error("bad_key", span, Text::BadPublicKey {}).hint(Text::PublicKeyForm {}));
        }
        keys.push(text.trim().to_owned());
    }
    keys
}

/// The root keys that say, by `keys.json`, which keys may sign lists; and how many of them must agree.
fn root_keys(f: &mut Fields<'_>, notes: &mut Notes) -> Option<Roots> {
    let held = f.get("root_keys")?;
    let example = Text::WriteLine { line: "root_keys = [\"RWQ...\", \"RWQ...\", \"RWQ...\"]".into() };
    let before = notes.list.len();
    let texts: Vec<(&str, Span)> = held.each().filter_map(|one| one.text(notes)).collect();
    let keys: Vec<String> = texts.iter().map(|(text, _)| (*text).to_owned()).collect();
    let threshold_held = f.get("threshold");
    let threshold = threshold_held.and_then(|h| h.whole(1, MOST_ROOTS as i64, notes)).unwrap_or(2);
    if notes.list.len() > before {
        return None;
    }
    match Roots::new(&keys, threshold.unsigned_abs()) {
        Ok(roots) => {
            if roots.threshold() == 1 {
                let span = threshold_held.map_or_else(|| held.span(), |h| h.span());
                let text = Text::OneRootIsEnough {};
                notes.push(Finding::warning("one_root", span, text).hint(Text::ThresholdTwo {}));
            }
            return Some(roots);
        }
        Err(RootsFault::Malformed(n)) => {
            let text = Text::BadPublicKey {};
            notes.push(Finding::error("bad_key", texts[n].1.clone(), text).hint(Text::PublicKeyForm {}));
        }
        Err(RootsFault::Twice(n)) => {
            let text = Text::RootKeyTwice {};
            notes.push(Finding::error("root_twice", texts[n].1.clone(), text).hint(Text::RootKeyEach {}));
        }
        Err(RootsFault::Count) => {
            let text = match keys.is_empty() {
                true => Text::EmptyList { key: "root_keys".into() },
                false => Text::KeysRootCount { most: MOST_ROOTS },
            };
            notes.push(Finding::error("empty", held.span(), text).hint(example));
        }
        Err(RootsFault::Threshold) => {
            let span = threshold_held.map_or_else(|| held.span(), |h| h.span());
            let text = Text::KeysThresholdBad { threshold: threshold.unsigned_abs(), keys: keys.len() };
            notes.push(Finding::error("bad_threshold", span, text).hint(Text::ThresholdFits { keys: keys.len() }));
        }
    }
    None
}

fn good_url(text: &str, span: &Span, key: &str, notes: &mut Notes) {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let good = rest.is_some_and(|r| !r.is_empty() && !r.starts_with(['/', ':']))
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if good {
        return;
    }
    let address = format!("\"https://{}\"", text.trim().rsplit("//").next().unwrap_or("..."));
    let line = if key == "mirrors" { format!("mirrors = [{address}]") } else { format!("{key} = {address}") };
    notes.push(
        Finding::error("bad_url", span.clone(), Text::BadUrl { text: text.chars().take(80).collect() })
            .hint(Text::WriteLine { line }),
    );
}

fn local(mut f: Fields<'_>, notes: &mut Notes) -> Local {
    let playlist = f.text("playlist", notes).map_or("local.toml", |(t, _)| t);
    let clips = f.text("clips", notes).map_or("clips", |(t, _)| t);
    let emergency = f.flag("emergency", true, notes);
    f.close(notes);
    Local { playlist: playlist.into(), clips: clips.into(), emergency }
}

fn output(fields: Option<Fields<'_>>, notes: &mut Notes) -> (Output, Option<Span>) {
    let mut output = Output {
        device: Device::Alsa("default".into()),
        gain_db: 0.0,
        pre_roll_ms: 2 * SECOND_MS,
        on_start: Vec::new(),
        on_stop: Vec::new(),
    };
    let Some(mut f) = fields else { return (output, None) };
    let mut device_span = None;
    if let Some((text, span)) = f.text("device", notes) {
        if text.strip_prefix("wav:").is_some_and(|file| file.trim().is_empty()) {
            notes.push(
                Finding::error("bad_device", span.clone(), Text::WavWithoutFile {})
                    .hint(Text::WriteLine { line: "device = \"wav:/tmp/loaxa.wav\"".into() }),
            );
        }
        output.device = Device::parse(text);
        device_span = Some(span);
    }
    output.gain_db = f.gain(notes);
    if output.gain_db > 0.0
        && let Some(held) = f.get("gain_db")
    {
        notes.push(Finding::advice("gain_over_0", held.span(), Text::GainOverZero {}));
    }
    if let Some(ms) = f.duration("pre_roll", 0, MINUTE_MS, notes) {
        output.pre_roll_ms = ms;
    }
    output.on_start = f.arguments("on_start", notes);
    output.on_stop = f.arguments("on_stop", notes);
    f.close(notes);
    (output, device_span)
}

fn clock(h: u32, m: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(h, m, 0).unwrap_or_default()
}

fn quiet_main(fields: Option<Fields<'_>>, trial: bool, notes: &mut Notes) -> QuietMain {
    let night = Window { from: clock(21, 0), to: clock(5, 0) };
    let Some(mut f) = fields else { return QuietMain { window: night, shorter_by: None } };
    let header = f.span.clone();
    let from = f.get("from").and_then(|h| h.time(notes)).unwrap_or(night.from);
    let to = f.get("to").and_then(|h| h.time(notes)).unwrap_or(night.to);
    let shorter_by = f.text("shorter_by", notes).map(|(t, _)| t.to_owned());
    let window = Window { from, to };
    let place = f.get("from").map_or(header, |h| h.span());
    let length = window.length_ms();
    if length > *QUIET_MS.end() {
        let text = Text::QuietTooLong { length: hours(length) };
        notes.push(Finding::error("quiet_hours", place, text).hint(Text::QuietDefault {}));
    } else if length < *QUIET_MS.start() && !trial {
        let text = Text::QuietTooShort { length: hours(length) };
        notes.push(Finding::error("quiet_hours", place, text).hint(Text::QuietDefault {}));
    } else if shorter_by.is_none() && !covers(&window, &night) {
        let text = Text::QuietNeedsDecision { from: short(from), to: short(to) };
        let finding = if trial {
            Finding::warning("quiet_hours", place, text)
        } else {
            Finding::error("quiet_hours", place, text)
        };
        notes.push(finding.hint(Text::AddShorterBy {}));
    }
    f.close(notes);
    QuietMain { window, shorter_by }
}

/// Whether one daily window holds all of another.
fn covers(outer: &Window, inner: &Window) -> bool {
    use chrono::Timelike;
    let seconds = |t: NaiveTime| i64::from(t.num_seconds_from_midnight());
    let offset = (seconds(inner.from) - seconds(outer.from)).rem_euclid(86_400) * SECOND_MS;
    offset + inner.length_ms() <= outer.length_ms()
}

fn short(time: NaiveTime) -> String {
    time.format("%H:%M").to_string()
}

fn hours(ms: i64) -> String {
    let minutes = ms / MINUTE_MS;
    if minutes % 60 == 0 { (minutes / 60).to_string() } else { format!("{}:{:02}", minutes / 60, minutes % 60) }
}

fn also(mut f: Fields<'_>, notes: &mut Notes) -> Option<(Window, QuietDays)> {
    let window = f.window(notes);
    let days = f.get("days");
    let dates = f.get("dates");
    let when = match (days, dates) {
        (Some(_), Some(dates)) => {
            notes.push(Finding::error("bad_when", dates.span(), Text::DaysAndDates {}).hint(Text::RemoveOne {}));
            None
        }
        (Some(days), None) => days.days(notes).map(QuietDays::Weekly),
        (None, Some(_)) => Some(QuietDays::Dates(f.dates("dates", notes))),
        (None, None) => Some(QuietDays::Weekly(Days::ALL)),
    };
    f.close(notes);
    Some((window?, when?))
}

fn open(mut f: Fields<'_>, notes: &mut Notes) -> Option<QuietOpen> {
    let date = f.need("date", "date = \"2026-02-16\"").and_then(|h| h.date(notes));
    let window = f.window(notes);
    let by = f.need_text("by", "by = \"Nguyễn Văn A\"", notes).map(|(t, _)| t.to_owned());
    if let Some(window) = window
        && window.length_ms() > OPEN_MS
    {
        let place = f.get("to").map_or(f.span.clone(), |h| h.span());
        let text = Text::OpenTooLong { length: hours(window.length_ms()) };
        notes.push(Finding::error("quiet_open", place, text).hint(Text::OpenShorter {}));
    }
    f.close(notes);
    Some(QuietOpen { date: date?, window: window?, by: by? })
}

fn time(
    fields: Option<Fields<'_>>,
    device: &Device,
    device_span: &Option<Span>,
    trial: bool,
    notes: &mut Notes,
) -> (Trust, i64) {
    let hold = 72 * HOUR_MS;
    let Some(mut f) = fields else { return (Trust::Auto, hold) };
    let trust = f
        .choice("trust", &[(&["auto"], Trust::Auto), (&["rtc"], Trust::Rtc), (&["always"], Trust::Always)], notes)
        .unwrap_or_default();
    if trust == Trust::Always && device.counts() && !trial {
        let place = f.get("trust").map(|h| h.span()).or_else(|| device_span.clone()).unwrap_or_default();
        notes.push(Finding::error("trust_always", place, Text::TrustAlways {}).hint(Text::TrustAuto {}));
    }
    let hold_ms = f.duration("hold", 0, 366 * DAY_MS, notes).unwrap_or(hold);
    f.close(notes);
    (trust, hold_ms)
}

fn page(mut f: Fields<'_>, notes: &mut Notes) -> (String, Vec<String>) {
    let standard = "127.0.0.1:8080".to_owned();
    let listen = match f.text("listen", notes) {
        None => standard,
        Some((text, span)) => {
            let address = text.replacen("localhost", "127.0.0.1", 1).parse::<SocketAddr>();
            match address {
                Ok(address) => {
                    if !is_private(address.ip()) {
                        let text = Text::ListenPublic { address: address.to_string() };
                        notes.push(
                            Finding::warning("listen_public", span, text)
                                .hint(Text::WriteLine { line: "listen = \"127.0.0.1:8080\"".into() }),
                        );
                    }
                    address.to_string()
                }
                Err(_) => {
                    notes.push(
                        Finding::error("bad_address", span, Text::BadAddress { text: text.chars().take(80).collect() })
                            .hint(Text::WriteLine { line: format!("listen = \"{standard}\"") }),
                    );
                    standard
                }
            }
        }
    };
    let mut hosts = Vec::new();
    for (host, span) in f.texts("hosts", notes).unwrap_or_default() {
        let tame = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if host.len() <= 253 && !host.is_empty() && host.chars().all(tame) {
            hosts.push(host.to_ascii_lowercase());
        } else {
            notes.push(
                Finding::error("bad_host", span, Text::BadHost { text: host.chars().take(80).collect() })
                    .hint(Text::WriteLine { line: "hosts = [\"dai.binhminh.example.vn\"]".into() }),
            );
        }
    }
    f.close(notes);
    (listen, hosts)
}

/// Whether only this machine or its own network can reach an address.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || (ip.segments()[0] & 0xfe00) == 0xfc00 || (ip.segments()[0] & 0xffc0) == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = include_str!("whole.toml");

    fn codes(text: &str) -> Vec<&'static str> {
        read_config(text.as_bytes(), false).findings.iter().map(|f| f.code).collect()
    }

    #[test]
    fn every_key_of_the_contract_is_read() {
        let reading = read_config(WHOLE.as_bytes(), false);
        assert_eq!(reading.findings, Vec::new());
        let config = reading.value.unwrap();
        assert_eq!(config.station.clusters, Some(12));
        assert_eq!(config.sources[0].origin, Origin::Tinh);
        assert_eq!(config.sources[0].poll_ms, 900_000);
        assert!(config.sources[0].emergency && config.sources[0].keeps_expired);
        assert_eq!(config.sources[0].urgent_poll_ms, Some(30_000));
        assert_eq!(config.sources[0].mirrors, ["https://du-phong.example.vn/playlist.json"]);
        assert_eq!(config.state.clips_quota_bytes, 4_000_000_000);
        assert_eq!(config.quiet_also.len(), 2);
        assert_eq!(config.quiet_open[0].by, "Nguyễn Văn A");
        assert_eq!(config.hold_ms, 72 * HOUR_MS);
        assert_eq!(config.page_listen.as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(config.page_hosts, ["dai.example.vn"]);
    }

    #[test]
    fn absent_tables_take_the_defaults() {
        let config = read_config("[station]\nid='x'\nname='X'\n".as_bytes(), false).value.unwrap();
        assert_eq!(config.state.dir.to_str(), Some("/var/lib/loaxa"));
        assert_eq!(config.output.device, Device::Alsa("default".into()));
        assert_eq!((config.output.pre_roll_ms, config.log_keep_months), (2000, 24));
        assert_eq!(short(config.quiet_main.window.from), "21:00");
        assert!(config.local.is_none() && config.page_listen.is_none());
        assert_eq!(config.station.language, None);
    }

    #[test]
    fn quiet_hours_keep_their_bounds() {
        let quiet = |lines: &str, trial| {
            let text = format!("[station]\nid='x'\nname='X'\n[quiet_hours]\n{lines}");
            let reading = read_config(text.as_bytes(), trial);
            (reading.value.is_some(), reading.findings.len())
        };
        assert_eq!(quiet("from='21:00'\nto='05:00'", false), (true, 0));
        assert_eq!(quiet("from='20:00'\nto='06:00'", false), (true, 0));
        assert_eq!(quiet("from='22:00'\nto='05:00'", false), (false, 1));
        assert_eq!(quiet("from='22:00'\nto='05:00'\nshorter_by='12/QĐ'", false), (true, 0));
        assert_eq!(quiet("from='01:00'\nto='04:59'\nshorter_by='12/QĐ'", false), (false, 1));
        assert_eq!(quiet("from='01:00'\nto='01:01'\nshorter_by='12/QĐ'", true), (true, 0));
        assert_eq!(quiet("from='18:00'\nto='08:30'", false), (false, 1));
        assert_eq!(quiet("from='21:00'\nto='21:00'", true), (false, 1));
    }

    #[test]
    fn a_clock_nobody_vouches_for_needs_a_trial_or_a_silent_output() {
        let text = "[station]\nid='x'\nname='X'\n[time]\ntrust='always'\n";
        assert_eq!(codes(text), ["trust_always"]);
        assert!(read_config(text.as_bytes(), true).value.is_some());
        let silent = format!("{text}[output]\ndevice='null'\n");
        assert!(read_config(silent.as_bytes(), false).value.is_some());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            read_config(&bytes, false);
        }

        #[test]
        fn no_mangled_config_makes_it_panic(cuts in proptest::collection::vec((0usize..2000, 0usize..200, 0usize..2000), 1..4)) {
            let mut bytes = WHOLE.as_bytes().to_vec();
            for (from, length, to) in cuts {
                let from = from.min(bytes.len());
                let piece: Vec<u8> = bytes.drain(from..(from + length).min(bytes.len())).collect();
                let to = to.min(bytes.len());
                if to % 2 == 0 { bytes.splice(to..to, piece); }
            }
            let shown = document::shown(&bytes);
            for finding in read_config(&bytes, false).findings {
                finding.render("f", &shown, Language::En);
            }
        }
    }
}
