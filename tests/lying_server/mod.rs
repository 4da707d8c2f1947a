//! An HTTP server on a raw socket that serves files honestly until it is told to lie: what libraries for mocking
//! cannot do, because they keep the rules.

#![allow(dead_code)] // each test file uses its own part

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: HashMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first byte asked for by a `Range`.
    pub fn range_from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

type Lie = Arc<dyn Fn(&Request, &mut TcpStream) + Send + Sync>;

#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    lies: HashMap<String, Lie>,
    requests: Vec<Request>,
    traffic: Traffic,
}

pub struct LyingServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    body_bytes: Arc<AtomicU64>,
}

/// Bytes over the line, headers and all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    pub requests: u64,
    pub came: u64,
    /// Of honest answers.
    pub went: u64,
}

impl LyingServer {
    pub fn start() -> LyingServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let body_bytes = Arc::new(AtomicU64::new(0));
        let (shared, counted) = (state.clone(), body_bytes.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, counted) = (shared.clone(), counted.clone());
                thread::spawn(move || serve(stream, &shared, &counted));
            }
        });
        LyingServer { address, state, body_bytes }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Serves these bytes, honestly.
    pub fn file(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().files.insert(path.into(), bytes.into());
    }

    /// Answers a path by hand; the connection is closed afterwards.
    pub fn lie(&self, path: &str, lie: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) {
        self.state.lock().unwrap().lies.insert(path.into(), Arc::new(lie));
    }

    /// Tells the truth again.
    pub fn repent(&self) {
        self.state.lock().unwrap().lies.clear();
    }

    /// The requests for a path since the last look.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.state.lock().unwrap().requests.iter().filter(|r| r.path == path).cloned().collect()
    }

    /// The paths asked for since the last look, in order.
    #[allow(dead_code)] // not every test asks
    pub fn paths(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.iter().map(|r| r.path.clone()).collect()
    }

    /// What went over the line since the last look, for any path.
    pub fn traffic(&self) -> Traffic {
        self.state.lock().unwrap().traffic
    }

    pub fn forget_requests(&self) {
        let mut state = self.state.lock().unwrap();
        state.requests.clear();
        state.traffic = Traffic::default();
        self.body_bytes.store(0, Ordering::Relaxed);
    }

    /// Bytes of bodies sent honestly.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, body_bytes: &AtomicU64) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some((request, came)) = read_request(&mut reader) {
        let (lie, file) = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            state.traffic.requests += 1;
            state.traffic.came += came as u64;
            (state.lies.get(&request.path).cloned(), state.files.get(&request.path).cloned())
        };
        if let Some(lie) = lie {
            lie(&request, &mut stream);
            return;
        }
        let sent = match file {
            None => put(&mut stream, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            Some(bytes) => honest(&request, &bytes, &mut stream, body_bytes),
        };
        let Ok(went) = sent else { return };
        state.lock().unwrap().traffic.went += went as u64;
    }
}

fn put(out: &mut TcpStream, bytes: &[u8]) -> std::io::Result<usize> {
    out.write_all(bytes).map(|()| bytes.len())
}

/// A request and its bytes.
fn read_request(reader: &mut impl BufRead) -> Option<(Request, usize)> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut came = line.len();
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        came += reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            return Some((Request { path, headers }, came));
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

/// A tag that stands for the bytes.
pub fn etag(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("\"{sum:x}\"")
}

fn honest(request: &Request, bytes: &[u8], out: &mut TcpStream, body_bytes: &AtomicU64) -> std::io::Result<usize> {
    let tag = etag(bytes);
    if request.header("if-none-match") == Some(&tag) {
        return put(out, format!("HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n").as_bytes());
    }
    let (head, rest) = answer_head(request, bytes, &tag);
    let head = put(out, head.as_bytes())?;
    body_bytes.fetch_add(rest.len() as u64, Ordering::Relaxed);
    Ok(head + put(out, rest)?)
}

/// The head of an honest answer to a question for a file or for the rest of it, and the bytes that belong behind it.
pub fn answer_head<'b>(request: &Request, bytes: &'b [u8], tag: &str) -> (String, &'b [u8]) {
    let may_range = request.header("if-range").is_none_or(|t| t == tag);
    match request.range_from() {
        Some(from) if may_range && from < bytes.len() => {
            let (len, last) = (bytes.len() - from, bytes.len() - 1);
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {len}\r\n\
                 Content-Range: bytes {from}-{last}/{}\r\nETag: {tag}\r\n\r\n",
                bytes.len()
            );
            (head, &bytes[from..])
        }
        _ => (format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nETag: {tag}\r\n\r\n", bytes.len()), bytes),
    }
}

/// Writes raw text, whoever listens.
pub fn say(out: &mut TcpStream, text: &str) {
    let _ = out.write_all(text.as_bytes());
}

/// Writes a byte again and again, `pause` apart, until nobody listens any more; at most 20 s.
pub fn drip(out: &mut TcpStream, byte: u8, pause: Duration) {
    for _ in 0..(20_000 / pause.as_millis().max(1)) {
        if out.write_all(&[byte]).is_err() {
            return;
        }
        thread::sleep(pause);
    }
}
