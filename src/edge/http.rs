//! Fetches lists and clips over HTTP, from servers and through networks that may lie, stall or never end.
//!
//! Everything has a limit: the headers (64 KiB, 10 s), a list (its largest size), a clip (the bytes its list
//! signs, not one more), and the speed (at least 500 bytes a second, looked at every minute; a total time would
//! kill honest slow links). A redirect is followed only to a host that `station.toml` names. Nothing is
//! believed that comes back; what was fetched is judged by its signature or its SHA-256.

mod lookup;

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{HeaderMap, Response, header};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

use self::lookup::Lookup;
use crate::domain::heartbeat::seconds_until_http_date;
use crate::domain::text::Text;
use crate::domain::time::Clock;

/// What a transfer may cost. The defaults are the real ones; tests shorten them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest name look-up.
    pub resolve: Duration,
    /// Longest connecting, TLS included.
    pub connect: Duration,
    /// Longest wait for the whole of the headers.
    pub headers: Duration,
    /// Longest silence within a body.
    pub silence: Duration,
    /// Largest headers in bytes.
    pub header_bytes: usize,
    /// Slowest transfer allowed, bytes a second.
    pub slowest: u64,
    /// How long a transfer is watched before its speed is judged.
    pub speed_over: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(20),
            headers: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            header_bytes: 64 * 1024,
            slowest: 500,
            speed_over: Duration::from_secs(60),
        }
    }
}

/// Why nothing usable came.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().say(crate::domain::config::Language::En))]
#[allow(missing_docs)] // the fields are what the sentence shows
pub enum HttpError {
    /// Not an address.
    BadUrl { url: String },
    /// The name is unknown, or there is no network to ask.
    NoHost { url: String },
    /// Nobody answers.
    NoConnection { url: String, cause: String },
    /// The host is there and takes no connection.
    Refused { url: String },
    /// No way leads there.
    Unreachable { url: String },
    /// The server's certificate does not hold.
    Tls { url: String, cause: String },
    /// Too long without a byte.
    Silence { url: String },
    /// Slower than allowed.
    TooSlow { url: String, slowest: u64 },
    /// A status that is not the one needed.
    Status { url: String, status: u16, retry_after: Option<Duration> },
    /// Sent elsewhere.
    Redirect { url: String, to: String },
    /// A web page in place of what was asked: usually a network that wants a login first.
    Portal { url: String },
    /// Headers without end.
    Headers { url: String },
    /// Longer than allowed.
    TooLong { url: String, most: u64 },
    /// A length that is not the signed one.
    Length { url: String, expected: u64, found: u64 },
    /// Ended early; what came is kept.
    Truncated { url: String, have: u64, expected: u64 },
    /// Compressed though plain was asked for.
    Encoded { url: String },
    /// A part in place of the whole, or another part than asked for.
    Range { url: String },
    /// What was fetched could not be put down.
    Sink { cause: String },
    /// We were told to stop.
    Stopped,
}

impl HttpError {
    /// The sentence for people.
    pub fn text(&self) -> Text {
        match self {
            HttpError::BadUrl { url } => Text::HttpBadUrl { url: url.clone() },
            HttpError::NoHost { url } => Text::HttpNoHost { url: url.clone() },
            HttpError::NoConnection { url, cause } => Text::HttpNoConnection { url: url.clone(), cause: cause.clone() },
            HttpError::Refused { url } => Text::HttpRefused { url: url.clone() },
            HttpError::Unreachable { url } => Text::HttpUnreachable { url: url.clone() },
            HttpError::Tls { url, cause } => Text::HttpTls { url: url.clone(), cause: cause.clone() },
            HttpError::Silence { url } => Text::HttpSilence { url: url.clone() },
            HttpError::TooSlow { url, slowest } => Text::HttpTooSlow { url: url.clone(), slowest: *slowest },
            HttpError::Status { url, status, .. } => Text::HttpStatus { url: url.clone(), status: *status },
            HttpError::Redirect { url, to } => Text::HttpRedirect { url: url.clone(), to: to.clone() },
            HttpError::Portal { url } => Text::HttpPortal { url: url.clone() },
            HttpError::Headers { url } => Text::HttpHeaders { url: url.clone() },
            HttpError::TooLong { url, most } => Text::HttpTooLong { url: url.clone(), most: *most },
            HttpError::Length { url, expected, found } => {
                Text::HttpLength { url: url.clone(), expected: *expected, found: *found }
            }
            HttpError::Truncated { url, have, expected } => {
                Text::HttpTruncated { url: url.clone(), have: *have, expected: *expected }
            }
            HttpError::Encoded { url } => Text::HttpEncoded { url: url.clone() },
            HttpError::Range { url } => Text::HttpRange { url: url.clone() },
            HttpError::Sink { cause } => Text::HttpSink { cause: cause.clone() },
            HttpError::Stopped => Text::HttpStopped {},
        }
    }

    /// Whether what has come so far of a clip is worth keeping for the next try.
    pub fn keeps_part(&self) -> bool {
        !matches!(self, HttpError::TooLong { .. } | HttpError::Length { .. })
    }

    /// Whether the line broke under a transfer, so that going on from where it stands may do at once.
    pub fn is_broken_line(&self) -> bool {
        matches!(
            self,
            HttpError::Truncated { .. }
                | HttpError::Silence { .. }
                | HttpError::NoConnection { .. }
                | HttpError::NoHost { .. }
        )
    }

    /// How long the server asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            HttpError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What a conditional GET brought.
#[derive(Debug)]
pub enum Fetched {
    /// 304: still what the tag stands for.
    NotModified,
    /// 200.
    Body {
        /// The whole body.
        bytes: Vec<u8>,
        /// The server's tag for it, for the next time.
        etag: Option<String>,
    },
}

/// Where a clip's bytes go: a part file that may hold the beginning from an earlier try.
pub trait Sink {
    /// Bytes it holds.
    fn have(&self) -> u64;
    /// The server's tag when they were fetched.
    fn tag(&self) -> Option<String>;
    /// Throws them away and begins again under a new tag.
    ///
    /// # Errors
    /// What the disk says.
    fn restart(&mut self, tag: Option<&str>) -> io::Result<()>;
    /// Adds to the end.
    ///
    /// # Errors
    /// What the disk says.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Whether to give up in mid-transfer.
    fn stopped(&self) -> bool;
}

/// One source's way to its server.
pub struct Fetcher {
    agent: Agent,
    limits: Limits,
    clock: Arc<dyn Clock>,
    /// Scheme, host and port of the addresses in the config.
    origins: Vec<String>,
    /// Who asks.
    who: Mutex<String>,
}

/// Redirects followed for one request.
const MOST_REDIRECTS: usize = 3;

impl Fetcher {
    /// For lists at these addresses, the first of which is the source's own. `user_agent` says who asks: a web
    /// server's access log is the list of stations heard from.
    pub fn new(urls: &[&str], user_agent: &str, limits: Limits, clock: Arc<dyn Clock>) -> Fetcher {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(Some(limits.resolve))
            .timeout_connect(Some(limits.connect))
            .timeout_send_request(Some(limits.headers))
            .timeout_recv_response(Some(limits.headers))
            .timeout_per_read(Some(limits.silence))
            .max_response_header_size(limits.header_bytes)
            // Headers are collected in the input buffer: it must hold more than the limit for the limit to act.
            .input_buffer_size(limits.header_bytes + 16 * 1024)
            .output_buffer_size(8 * 1024)
            .max_idle_connections(1);
        if urls.iter().all(|url| is_loopback(url)) {
            config = config.proxy(None);
        }
        Fetcher {
            agent: Agent::with_parts(config.build(), DefaultConnector::default(), Lookup::default()),
            limits,
            clock,
            origins: urls.iter().map(|url| origin_of(url)).collect(),
            who: Mutex::new(user_agent.to_owned()),
        }
    }

    /// Says from now on that somebody else asks.
    pub fn set_user_agent(&self, user_agent: &str) {
        user_agent.clone_into(&mut self.who.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Asks, and follows redirects to addresses of the config. The answer, and where it came from.
    fn ask(&self, url: &str, headers: &[(header::HeaderName, &str)]) -> Result<(String, Response<Body>), HttpError> {
        let who = self.who.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let mut request =
                self.agent.get(&url).header(header::USER_AGENT, &who).header(header::ACCEPT_ENCODING, "identity");
            for (name, value) in headers {
                request = request.header(name, *value);
            }
            let response = request.call().map_err(|e| self.failed(&url, e))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((url, response));
            }
            let to = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
            let to = match to.strip_prefix('/') {
                Some(path) if !path.starts_with('/') => format!("{}/{path}", origin_of(&url)),
                _ => to.to_owned(),
            };
            if !self.origins.contains(&origin_of(&to)) {
                return Err(HttpError::Redirect { url, to });
            }
            url = encode(&to, true);
        }
        Err(HttpError::Redirect { to: url.clone(), url })
    }

    /// Breaks off whatever is under way, from another thread; nothing can be fetched afterwards.
    pub fn shut_down(&self) {
        self.agent.clone().shutdown();
    }

    /// A whole small body: `etag` makes it conditional. More than `most` bytes are refused.
    ///
    /// # Errors
    /// Whatever keeps the body from being whole: see [`HttpError`].
    pub fn body(&self, url: &str, etag: Option<&str>, most: u64) -> Result<Fetched, HttpError> {
        let url = encode(url, true);
        let condition: Vec<_> = etag.map(|etag| (header::IF_NONE_MATCH, etag)).into_iter().collect();
        let (url, mut response) = self.ask(&url, &condition)?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            304 if etag.is_some() => return Ok(Fetched::NotModified),
            _ => return Err(self.refused(&url, &response)),
        }
        plain(&url, response.headers())?;
        let expected = response.body().content_length();
        if expected.is_some_and(|n| n > most) {
            return Err(HttpError::TooLong { url, most });
        }
        let etag = tag_of(response.headers());
        let html = is_html(response.headers());
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        let mut pace = Pace::new(&*self.clock, &self.limits);
        let mut reader = response.body_mut().as_reader();
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) => {
                    return Err(self.broken(&url, e, bytes.len() as u64, expected.unwrap_or(bytes.len() as u64 + 1)));
                }
            };
            if (bytes.len() + n) as u64 > most {
                return Err(HttpError::TooLong { url, most });
            }
            bytes.extend_from_slice(&buffer[..n]);
            if !pace.keeps(n) {
                return Err(HttpError::TooSlow { url, slowest: self.limits.slowest });
            }
        }
        let start = bytes.trim_ascii_start();
        if start.starts_with(b"<!") || html && start.starts_with(b"<") {
            return Err(HttpError::Portal { url });
        }
        Ok(Fetched::Body { bytes, etag })
    }

    /// A file of exactly `total` bytes, taken up where the sink stands. Returns how many bytes came over the line.
    ///
    /// # Errors
    /// See [`HttpError`]; [`HttpError::keeps_part`] says whether the sink's bytes are still good for a next try.
    pub fn file(&self, url: &str, total: u64, sink: &mut dyn Sink) -> Result<u64, HttpError> {
        let url = encode(url, true);
        if sink.have() > total {
            sink.restart(None).map_err(sink_error)?;
        }
        // A second round only where the server would not or could not go on from where the sink stands.
        for from_start in [false, true] {
            if from_start {
                sink.restart(None).map_err(sink_error)?;
            }
            let have = sink.have();
            if have == total {
                return Ok(0);
            }
            let tag = sink.tag();
            let range = format!("bytes={have}-");
            let mut part = Vec::new();
            if have > 0 {
                part.push((header::RANGE, &*range));
                part.extend(tag.as_deref().filter(|t| !t.starts_with("W/")).map(|t| (header::IF_RANGE, t)));
            }
            let (url, mut response) = self.ask(&url, &part)?;
            let length = response.body().content_length();
            match response.status().as_u16() {
                200 => {
                    plain(&url, response.headers())?;
                    if is_html(response.headers()) {
                        return Err(HttpError::Portal { url });
                    }
                    if let Some(found) = length.filter(|n| *n != total) {
                        return Err(HttpError::Length { url, expected: total, found });
                    }
                    let tag = tag_of(response.headers());
                    sink.restart(tag.as_deref()).map_err(sink_error)?;
                }
                206 if have > 0 => {
                    plain(&url, response.headers())?;
                    let fits = content_range(response.headers()) == Some((have, total - 1, Some(total)))
                        && length.is_none_or(|n| n == total - have)
                        && (tag.is_none() || tag_of(response.headers()) == tag);
                    if !fits {
                        continue;
                    }
                }
                206 => return Err(HttpError::Range { url }),
                416 if have > 0 => continue,
                _ => return Err(self.refused(&url, &response)),
            }
            return self.copy(&url, &mut response, total, sink);
        }
        Err(HttpError::Range { url })
    }

    fn copy(
        &self,
        url: &str,
        response: &mut Response<Body>,
        total: u64,
        sink: &mut dyn Sink,
    ) -> Result<u64, HttpError> {
        let mut buffer = vec![0; 64 * 1024];
        let mut pace = Pace::new(&*self.clock, &self.limits);
        let mut reader = response.body_mut().as_reader();
        let mut came = 0;
        loop {
            if sink.stopped() {
                return Err(HttpError::Stopped);
            }
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) => return Err(self.broken(url, e, sink.have(), total)),
            };
            came += n as u64;
            if sink.have() + n as u64 > total {
                return Err(HttpError::TooLong { url: url.into(), most: total });
            }
            sink.write(&buffer[..n]).map_err(sink_error)?;
            if !pace.keeps(n) {
                return Err(HttpError::TooSlow { url: url.into(), slowest: self.limits.slowest });
            }
        }
        if sink.have() < total {
            return Err(HttpError::Truncated { url: url.into(), have: sink.have(), expected: total });
        }
        Ok(came)
    }

    /// Before a response.
    fn failed(&self, url: &str, error: ureq::Error) -> HttpError {
        let url = url.to_owned();
        match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => HttpError::BadUrl { url },
            ureq::Error::HostNotFound => HttpError::NoHost { url },
            ureq::Error::Timeout(ureq::Timeout::Resolve) => HttpError::NoHost { url },
            ureq::Error::Timeout(_) => HttpError::Silence { url },
            ureq::Error::LargeResponseHeader(..) => HttpError::Headers { url },
            ureq::Error::Tls(cause) => HttpError::Tls { url, cause: cause.into() },
            ureq::Error::Rustls(cause) => HttpError::Tls { url, cause: cause.to_string() },
            ureq::Error::Io(e) if e.kind() == io::ErrorKind::ConnectionRefused => HttpError::Refused { url },
            ureq::Error::Io(e)
                if matches!(e.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) =>
            {
                HttpError::Unreachable { url }
            }
            ureq::Error::Io(e) => {
                let cause = e.to_string();
                if cause.contains("certificate") {
                    HttpError::Tls { url, cause }
                } else {
                    HttpError::NoConnection { url, cause }
                }
            }
            other => HttpError::NoConnection { url, cause: other.to_string() },
        }
    }

    /// A status that is none of those that would do.
    fn refused(&self, url: &str, response: &Response<Body>) -> HttpError {
        let status = response.status();
        let text = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        if status.is_redirection() && status.as_u16() != 304 {
            let to = text(header::LOCATION).unwrap_or_default().to_owned();
            return HttpError::Redirect { url: url.into(), to };
        }
        if status.as_u16() == 511 {
            return HttpError::Portal { url: url.into() };
        }
        // Seconds, or a date, which a clock that nobody vouches for cannot read.
        let retry_after = text(header::RETRY_AFTER).and_then(|v| {
            let now = self.clock.now();
            let date = || seconds_until_http_date(v, now.wall()).filter(|_| now.clock.trusted());
            v.trim().parse().ok().or_else(date)
        });
        let retry_after = retry_after.map(Duration::from_secs);
        HttpError::Status { url: url.into(), status: status.as_u16(), retry_after }
    }

    /// Within a body.
    fn broken(&self, url: &str, error: io::Error, have: u64, expected: u64) -> HttpError {
        let url = url.to_owned();
        match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => HttpError::Silence { url },
            _ => HttpError::Truncated { url, have, expected },
        }
    }
}

fn sink_error(e: io::Error) -> HttpError {
    HttpError::Sink { cause: e.to_string() }
}

/// Watches the speed of one transfer.
struct Pace<'a> {
    clock: &'a dyn Clock,
    slowest: u64,
    over_ns: i64,
    since_ns: i64,
    bytes: u64,
}

impl<'a> Pace<'a> {
    fn new(clock: &'a dyn Clock, limits: &Limits) -> Pace<'a> {
        Pace {
            clock,
            slowest: limits.slowest,
            over_ns: i64::try_from(limits.speed_over.as_nanos()).unwrap_or(i64::MAX),
            since_ns: clock.now().boot_ns,
            bytes: 0,
        }
    }

    /// Whether it may go on after `n` more bytes.
    fn keeps(&mut self, n: usize) -> bool {
        self.bytes += n as u64;
        let now = self.clock.now().boot_ns;
        let took = now - self.since_ns;
        if took < self.over_ns {
            return true;
        }
        let enough = u128::from(self.bytes) * 1_000_000_000 >= u128::from(self.slowest) * took.unsigned_abs() as u128;
        self.since_ns = now;
        self.bytes = 0;
        enough
    }
}

fn plain(url: &str, headers: &HeaderMap) -> Result<(), HttpError> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(v) if !v.as_bytes().eq_ignore_ascii_case(b"identity") => Err(HttpError::Encoded { url: url.into() }),
        _ => Ok(()),
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|v| v.as_bytes().to_ascii_lowercase().windows(4).any(|part| part == b"html"))
}

fn tag_of(headers: &HeaderMap) -> Option<String> {
    headers.get(header::ETAG)?.to_str().ok().filter(|t| t.len() <= 256).map(str::to_owned)
}

/// `bytes FIRST-LAST/TOTAL`; the total may be unknown.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64, Option<u64>)> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes")?.trim_start();
    let (range, total) = text.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?, total.trim().parse().ok()))
}

/// Scheme, host and port of an address, lower case: what must be the same for a redirect to be followed.
fn origin_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    let scheme = scheme.to_ascii_lowercase();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}", host.strip_suffix(usual).unwrap_or(&host))
}

fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.starts_with("127.") || rest.starts_with("localhost") || rest.starts_with("[::1]")
}

/// The address of the signature beside a list.
pub fn signature_url(list_url: &str) -> String {
    let (path, query) = split_query(list_url);
    format!("{path}.minisig{query}")
}

/// The address of another file beside a list.
pub fn beside(list_url: &str, name: &str) -> String {
    let (path, query) = split_query(list_url);
    let folder = path.rfind('/').map_or(path, |at| &path[..=at]);
    format!("{folder}{name}{query}")
}

/// The address of a clip given relative to its list.
pub fn clip_url(list_url: &str, relative: &str) -> String {
    let (path, _) = split_query(list_url);
    let folder = path.rfind('/').map_or(path, |at| &path[..=at]);
    format!("{folder}{}", encode(relative, false))
}

fn split_query(url: &str) -> (&str, &str) {
    url.find(['?', '#']).map_or((url, ""), |at| url.split_at(at))
}

/// Percent-encodes what may not stand in an address: Vietnamese letters and spaces above all. In a whole address
/// (`keep_reserved`) what already has a meaning stays, also an escape.
fn encode(text: &str, keep_reserved: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        let stays = b.is_ascii_alphanumeric()
            || matches!(b, b'-' | b'_' | b'.' | b'~' | b'/')
            || keep_reserved && b":?#[]@!$&'()*+,;=%".contains(&b);
        if stays {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_vietnamese_names() {
        let list = "http://tinh.example.vn/đài/playlist.json?v=1";
        assert_eq!(signature_url(list), "http://tinh.example.vn/đài/playlist.json.minisig?v=1");
        assert_eq!(clip_url(list, "clips/bản tin.mp3"), "http://tinh.example.vn/đài/clips/b%E1%BA%A3n%20tin.mp3");
        assert_eq!(encode(list, true), "http://tinh.example.vn/%C4%91%C3%A0i/playlist.json?v=1");
        assert_eq!(encode("http://a/b%20c", true), "http://a/b%20c");
    }

    #[test]
    fn redirects_keep_to_the_hosts_of_the_config() {
        assert_eq!(origin_of("HTTPS://Tinh.example.vn:443/a?b"), "https://tinh.example.vn");
        assert_eq!(origin_of("http://tinh.example.vn:8080"), "http://tinh.example.vn:8080");
        assert_ne!(origin_of("http://tinh.example.vn/"), origin_of("https://tinh.example.vn/"));
        assert_ne!(origin_of("https://tinh.example.vn@evil.example/"), origin_of("https://tinh.example.vn/"));
        assert_eq!(origin_of("//evil.example/"), "");
    }

    #[test]
    fn content_ranges_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_RANGE, "bytes 5-9/10".parse().unwrap());
        assert_eq!(content_range(&headers), Some((5, 9, Some(10))));
        headers.insert(header::CONTENT_RANGE, "items 5-9/10".parse().unwrap());
        assert_eq!(content_range(&headers), None);
    }
}
