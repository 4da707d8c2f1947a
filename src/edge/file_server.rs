//! A small server for a published folder: for places without a web server, and for the demo.
//!
//! Files only: no listing of folders, nothing outside the folder, nothing whose name begins with a point. With tag,
//! date and ranges, so that a station asks for what is new and takes up what broke off.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use chrono::DateTime;
use http_body::{Frame, SizeHint};

use crate::domain::fields::match_name;
use crate::domain::heartbeat::line_time;
use crate::domain::time::Clock;

/// The way in for requests below `dir`, to be handed to `axum::serve`.
///
/// # Errors
/// When there is no such folder.
pub fn router(dir: &Path) -> io::Result<Router> {
    let dir = dir.canonicalize()?;
    if !dir.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(Router::new().fallback(answer).with_state(Arc::new(dir)))
}

/// Who asked for what, in the combined format that every web server writes.
pub struct AccessLog {
    file: Mutex<File>,
    clock: Arc<dyn Clock>,
}

impl AccessLog {
    /// Adds to the end of a file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> io::Result<AccessLog> {
        let file = File::options().append(true).create(true).open(path)?;
        Ok(AccessLog { file: Mutex::new(file), clock })
    }

    fn note(&self, line: &str) {
        // One write a line; a full disk must not keep anybody from their list.
        let _ = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}

/// The same, with every answer written into an access log.
pub fn logged(router: Router, log: Option<AccessLog>) -> Router {
    let Some(log) = log.map(Arc::new) else { return router };
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let log = log.clone();
        async move {
            let (peer, asked, referer, agent) = asked_by(&request);
            let response = next.run(request).await;
            let bytes = response.body().size_hint().exact().unwrap_or(0);
            let time = line_time(log.clock.now().wall());
            log.note(&format!(
                "{} - - [{time}] \"{asked}\" {} {bytes} \"{referer}\" \"{agent}\"\n",
                peer.as_deref().unwrap_or("-"),
                response.status().as_u16(),
            ));
            response
        }
    }))
}

/// Address, request line, referer and User-Agent.
fn asked_by(request: &Request) -> (Option<String>, String, String, String) {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip().to_string());
    let header = |name| escaped(request.headers().get(name).map_or(b"-", HeaderValue::as_bytes));
    let asked = format!("{} {} {:?}", request.method(), request.uri(), request.version());
    (peer, escaped(asked.as_bytes()), header(header::REFERER), header(header::USER_AGENT))
}

/// What a visitor sent, so that it stays within its quotes and its line.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for b in bytes.iter().take(2_000) {
        match b {
            b'"' | b'\\' | 0..=31 | 127.. => out.push_str(&format!("\\x{b:02X}")),
            _ => out.push(char::from(*b)),
        }
    }
    out
}

async fn answer(State(dir): State<Arc<PathBuf>>, method: Method, uri: Uri, headers: HeaderMap) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Some(path) = decode(uri.path()).and_then(|p| find(&dir, &p)) else {
        return plain(StatusCode::NOT_FOUND);
    };
    match File::open(&path).and_then(|file| file.metadata().map(|meta| (file, meta))) {
        Ok((file, meta)) if meta.is_file() => send(file, &meta, &path, &method, &headers),
        _ => plain(StatusCode::NOT_FOUND),
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let text = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn send(file: File, meta: &Metadata, path: &Path, method: &Method, asked: &HeaderMap) -> Response<Body> {
    let text = |name| asked.get(name).and_then(|v| v.to_str().ok());
    let total = meta.len();
    // The inode tells two files apart that were renamed into place within one tick of the clock.
    let tag = format!("\"{:x}-{:x}-{:x}-{total:x}\"", meta.ino(), meta.mtime(), meta.mtime_nsec());
    let date = DateTime::from_timestamp(meta.mtime(), 0)
        .map(|t| t.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default();

    let mut response = Response::new(Body::empty());
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::ETAG, &tag);
    set(header::LAST_MODIFIED, &date);
    set(header::ACCEPT_RANGES, "bytes");
    set(header::CONTENT_TYPE, content_type(path));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CACHE_CONTROL, "no-cache");

    let known = match text(header::IF_NONE_MATCH) {
        Some(tags) => tags.trim() == "*" || tags.split(',').any(|t| t.trim().trim_start_matches("W/") == tag),
        None => text(header::IF_MODIFIED_SINCE).is_some_and(|since| since == date),
    };
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let may_range = text(header::IF_RANGE).is_none_or(|v| v == tag || v == date);
    let range = text(header::RANGE).filter(|_| may_range).and_then(|r| range(r, total));
    let (from, len) = match range {
        None => (0, total),
        Some(Some((from, to))) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            if let Ok(value) = HeaderValue::from_str(&format!("bytes {from}-{to}/{total}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            (from, to - from + 1)
        }
        Some(None) => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE);
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{total}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return response;
        }
    };
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    if method == Method::GET {
        let mut file = file;
        if file.seek(SeekFrom::Start(from)).is_err() {
            return plain(StatusCode::INTERNAL_SERVER_ERROR);
        }
        *response.body_mut() = Body::new(FileBody { file, left: len });
    }
    response
}

/// A part of a file as a body, read a block at a time: a reader that stalls costs a block, not the file. Reading
/// blocks the server's one thread for as long as the disk takes for a block, which a few stations do not notice.
struct FileBody {
    file: File,
    left: u64,
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut block = vec![0; self.left.min(64 * 1024) as usize];
        match self.file.read(&mut block) {
            Ok(0) => {
                self.left = 0;
                // Shorter than promised: breaking off tells the other end.
                Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
            }
            Ok(n) => {
                block.truncate(n);
                self.left -= n as u64;
                Poll::Ready(Some(Ok(Frame::data(block.into()))))
            }
            Err(e) => Poll::Ready(Some(Err(e))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// One range of a file of `total` bytes, as first and last byte. None when the header is to be ignored (another
/// unit, several ranges, nonsense), `Some(None)` when it asks for what is not there.
#[allow(clippy::option_option)]
fn range(text: &str, total: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let suffix: u64 = last.parse().ok()?;
        return Some((suffix > 0 && total > 0).then(|| (total - suffix.min(total), total - 1)));
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some((first < total).then(|| (first, last.min(total - 1))))
}

/// Percent-decodes a path.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(b) = rest.next() {
        if b == b'%' {
            let digit = |b: u8| char::from(b).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(b);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The file a request means, if it may have it. Names with marks are found whichever way they are stored.
fn find(dir: &Path, asked: &str) -> Option<PathBuf> {
    let mut path = dir.to_owned();
    for part in asked.strip_prefix('/')?.split('/') {
        if part.is_empty() || part.starts_with('.') || part.contains(['\\', '\0']) {
            return None;
        }
        let next = path.join(part);
        if next.exists() {
            path = next;
        } else if part.is_ascii() {
            return None;
        } else {
            let names: Vec<String> =
                path.read_dir().ok()?.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
            path.push(match_name(names.iter().map(String::as_str), part)?);
        }
    }
    // A link may lead anywhere; what it leads to must be inside as well.
    let path = path.canonicalize().ok()?;
    path.starts_with(dir).then_some(path)
}

fn content_type(path: &Path) -> &'static str {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match &*ending {
        "json" => "application/json",
        "minisig" | "toml" | "txt" | "pub" => "text/plain; charset=utf-8",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "m4a" | "mp4" => "audio/mp4",
        "aac" => "audio/aac",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_written() {
        assert_eq!(range("bytes=0-", 10), Some(Some((0, 9))));
        assert_eq!(range("bytes=5-7", 10), Some(Some((5, 7))));
        assert_eq!(range("bytes=5-99", 10), Some(Some((5, 9))));
        assert_eq!(range("bytes=-3", 10), Some(Some((7, 9))));
        assert_eq!(range("bytes=-30", 10), Some(Some((0, 9))));
        assert_eq!(range("bytes=10-", 10), Some(None));
        assert_eq!(range("bytes=-0", 10), Some(None));
        for ignored in ["bytes=7-5", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=", ""] {
            assert_eq!(range(ignored, 10), None, "{ignored}");
        }
    }

    #[test]
    fn what_visitors_send_stays_within_its_line() {
        assert_eq!(escaped("a\"b\\c\r\nđ".as_bytes()), "a\\x22b\\x5Cc\\x0D\\x0A\\xC4\\x91");
    }

    #[test]
    fn nothing_outside_the_folder_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().canonicalize().unwrap().join("out");
        std::fs::create_dir_all(dir.join("clips")).unwrap();
        std::fs::write(dir.join("../secret"), "x").unwrap();
        std::fs::write(dir.join(".hidden"), "x").unwrap();
        std::fs::write(dir.join("clips/bản tin.mp3"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", dir.join("link")).unwrap();
        for asked in [
            "/../secret",
            "/%2e%2e/secret",
            "/clips/../../secret",
            "/.hidden",
            "//etc/passwd",
            "/link",
            "/a\\..\\b",
            "/",
        ] {
            let found = decode(asked).and_then(|p| find(&dir, &p));
            assert!(found.as_deref().is_none_or(Path::is_dir), "{asked}: {found:?}");
        }
        assert!(decode("/%zz").is_none() && decode("/%ff%fe").is_none());
        let taken_apart: String = unicode_normalization::UnicodeNormalization::nfd("/clips/bản tin.mp3").collect();
        assert!(find(&dir, &taken_apart).is_some());
        assert!(find(&dir, &decode("/clips/b%E1%BA%A3n%20tin.mp3").unwrap()).is_some());
    }
}
