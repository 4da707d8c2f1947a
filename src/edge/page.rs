//! The station page: what the technician sees on a phone. Runs on a thread of its own with a runtime of its own and
//! shows a copied [`View`], so that nothing anybody does to it can delay the loop or the sound.
//!
//! Reading needs no login; whatever changes something does ([`door`]). A request for an unknown host name is answered
//! 421, a change that another site sent 403.

mod body;
pub mod door;
mod papers;
mod sheets;
pub mod view;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use chrono::NaiveDate;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::domain::config::Language;
use crate::domain::text::Text;
use crate::domain::time::Clock;
use crate::edge::page::body::{Piece, Pipe, one_range};
use crate::edge::page::door::{Door, Try};
use crate::edge::page::sheets::{Parts, Sheet};
use crate::edge::page::view::{Disk, Knock, Office, Order, Plan, Rows, View};

/// Connections at once; what comes on top is closed unanswered.
const MOST_CONNECTIONS: usize = 256;
/// Viewers that follow live at once; others see the page all the same.
const MOST_LIVE: usize = 32;
/// Downloads of the log at once.
const MOST_DOWNLOADS: usize = 2;
/// A request's head must be there in so long, also the first one of a connection.
const HEAD_TIME: Duration = Duration::from_secs(8);
/// A request's body must be there in so long.
const BODY_TIME: Duration = Duration::from_secs(8);
/// A connection lives so long; who follows live connects again by itself.
const CONNECTION_TIME: Duration = Duration::from_secs(600);
/// The daemon must have answered in so long.
const ORDER_TIME: Duration = Duration::from_secs(60);
/// A reader who takes nothing for so long is left.
const STALLED: Duration = Duration::from_secs(30);
/// The longest body, bytes.
const LONGEST_BODY: usize = 4096;
/// Use of the disk is looked at so often, nanoseconds of boot time.
const DISK_NS: i64 = 60_000_000_000;
/// An address that cannot be listened on is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);

const STYLE: &str = include_str!("../../web/page.css");
const SCRIPT: &str = include_str!("../../web/page.js");

/// Where the page is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Address and port.
    pub listen: String,
    /// More names under which it may be asked for, in small letters.
    pub hosts: Vec<String>,
}

/// The running page; dropped, it ends, and with it every connection.
pub struct Page {
    /// Where it is.
    pub place: Place,
    views: watch::Sender<Option<Arc<View>>>,
    _ends: watch::Sender<()>,
}

impl Page {
    /// Starts the page on its own thread.
    ///
    /// # Errors
    /// When the machine has no thread to give.
    pub fn start(place: Place, office: Arc<dyn Office>, door: Arc<Door>, clock: Arc<dyn Clock>) -> io::Result<Page> {
        let (views, seen) = watch::channel(None);
        let (ends, mut ended) = watch::channel(());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
        let hosts = allowed_hosts(&place);
        let listen = place.listen.clone();
        std::thread::Builder::new().name("page".into()).stack_size(1024 * 1024).spawn(move || {
            // Whoever looks at the page waits rather than the sound; threads made here inherit it.
            let _ = rustix::process::setpriority_process(None, 10);
            let shop = Arc::new(Shop {
                office,
                door,
                clock,
                hosts,
                views: seen,
                cache: tokio::sync::Mutex::new(Cache::default()),
                said: Mutex::new(HashMap::new()),
                live: Arc::new(Semaphore::new(MOST_LIVE)),
                downloads: Arc::new(Semaphore::new(MOST_DOWNLOADS)),
            });
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listen, shop) => {}
                    _ = ended.changed() => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Page { place, views, _ends: ends })
    }

    /// Whether anybody may be looking: without a page open nothing needs to be copied.
    pub fn show(&self, view: View) {
        self.views.send_replace(Some(Arc::new(view)));
    }
}

/// Names that lead to this machine and to nobody else's page.
fn allowed_hosts(place: &Place) -> HashSet<String> {
    let mut hosts: HashSet<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into();
    if let Ok(address) = place.listen.parse::<SocketAddr>() {
        hosts.insert(shown_ip(address));
    }
    let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    hosts.insert(format!("{name}.local"));
    hosts.insert(name);
    hosts.extend(place.hosts.iter().cloned());
    hosts
}

fn shown_ip(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(a) => a.ip().to_string(),
        SocketAddr::V6(a) => a.ip().to_ipv4_mapped().map_or_else(|| format!("[{}]", a.ip()), |v4| v4.to_string()),
    }
}

#[derive(Default)]
struct Cache {
    plan: Option<Arc<Plan>>,
    rows: Option<(u64, NaiveDate, Arc<Rows>)>,
    disk: Option<(i64, Disk)>,
    parts: Vec<(usize, Language, Arc<Parts>)>,
}

struct Shop {
    office: Arc<dyn Office>,
    door: Arc<Door>,
    clock: Arc<dyn Clock>,
    hosts: HashSet<String>,
    views: watch::Receiver<Option<Arc<View>>>,
    cache: tokio::sync::Mutex<Cache>,
    /// What is to be said to a login on its next page.
    said: Mutex<HashMap<String, String>>,
    live: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
}

async fn serve(listen: String, shop: Arc<Shop>) {
    let mut tries = 0;
    let listener = loop {
        match TcpListener::bind(&listen).await {
            Ok(listener) => break listener,
            // After a change of the config the page before is just closing.
            Err(_) if tries < 10 => {
                tries += 1;
                sleep(Duration::from_millis(200)).await;
            }
            Err(error) => {
                let trouble = Text::PageCannotListen { address: listen.clone(), why: error.to_string() };
                shop.office.listening(Some(trouble));
                sleep(AGAIN).await;
            }
        }
    };
    shop.office.listening(None);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: others will be closed.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let shop = shop.clone();
        tokio::spawn(async move {
            let _place = place;
            connection(stream, shop).await;
        });
    }
}

async fn connection(stream: TcpStream, shop: Arc<Shop>) {
    let _ = stream.set_nodelay(true);
    let here = stream.local_addr().ok().map(shown_ip);
    let service = service_fn(move |request| {
        let (shop, here) = (shop.clone(), here.clone());
        async move { Ok::<_, Infallible>(shop.answer(request, here).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let _ = timeout(CONNECTION_TIME, serving).await;
}

/// What a request says of itself, once it is let in.
struct Caller {
    language: Language,
    by: Option<(Arc<str>, String)>,
    /// The cookie to set because `?lang=` asked for it.
    sets_language: bool,
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|v| v.split(';')).find_map(|c| c.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

fn fields(text: &str) -> HashMap<String, String> {
    let uri = format!("/?{text}").parse::<Uri>();
    let pairs = uri.ok().and_then(|u| Query::<Vec<(String, String)>>::try_from_uri(&u).ok());
    pairs.map(|q| q.0.into_iter().collect()).unwrap_or_default()
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; media-src 'self'; \
                  img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: browsers would then hide the origin of our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn see(path: &'static str) -> Response<Body> {
    let mut response = response(StatusCode::SEE_OTHER, PLAIN, Body::empty());
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
    response
}

fn set_cookie(response: &mut Response<Body>, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

impl Shop {
    async fn answer(self: Arc<Shop>, request: Request<Incoming>, here: Option<String>) -> Response<Body> {
        guarded(self.checked(request, here).await)
    }

    async fn checked(self: Arc<Shop>, request: Request<Incoming>, here: Option<String>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let spoken = |headers: &HeaderMap| match cookie(headers, "lang") {
            Some("en") => Language::En,
            Some("vi") => Language::Vi,
            _ => self.views.borrow().as_ref().map_or(Language::Vi, |v| v.language),
        };
        let mut caller = Caller { language: spoken(&head.headers), by: None, sets_language: false };
        let refuse = |status, text: Text, language| response(status, PLAIN, text.say(language) + "\n");

        // Whose page is wanted? A name of somebody else's that leads here is an attack from their site.
        let mut hosts = head.headers.get_all(header::HOST).iter();
        let (host, second) = (hosts.next().and_then(|h| h.to_str().ok()), hosts.next());
        let asked = head.uri.authority().map(|a| a.as_str()).or(host).unwrap_or_default().to_ascii_lowercase();
        let known = |host: &str| {
            let name = host_name(host).to_ascii_lowercase();
            self.hosts.contains(&name) || here.as_ref().is_some_and(|h| *h == name)
        };
        if second.is_some() || !known(&asked) || !host.is_some_and(known) {
            return refuse(StatusCode::MISDIRECTED_REQUEST, Text::PageWrongHost {}, caller.language);
        }

        let query = fields(head.uri.query().unwrap_or_default());
        match query.get("lang").map(String::as_str) {
            Some("en") => (caller.language, caller.sets_language) = (Language::En, true),
            Some("vi") => (caller.language, caller.sets_language) = (Language::Vi, true),
            _ => {}
        }
        caller.by = cookie(&head.headers, "loaxa").and_then(|token| self.door.who(token));
        let path = head.uri.path().to_owned();

        if head.method == Method::POST {
            // Only this page's own forms change anything.
            let site = text_of(&head.headers, HeaderName::from_static("sec-fetch-site"));
            let origin = text_of(&head.headers, header::ORIGIN).map(str::to_ascii_lowercase);
            let secure = origin.as_deref().is_some_and(|o| o.starts_with("https://"));
            let ours = origin
                .as_deref()
                .and_then(|o| o.split_once("://"))
                .is_some_and(|(scheme, from)| matches!(scheme, "http" | "https") && from == asked);
            let form = text_of(&head.headers, header::CONTENT_TYPE)
                .is_some_and(|k| k.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded");
            if !ours || site.is_some_and(|s| s != "same-origin") || !form {
                return refuse(StatusCode::FORBIDDEN, Text::PageForeign {}, caller.language);
            }
            let body = match timeout(BODY_TIME, axum::body::to_bytes(Body::new(body), LONGEST_BODY)).await {
                Ok(Ok(body)) => String::from_utf8_lossy(&body).into_owned(),
                Ok(Err(_)) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, Text::PageTooLarge {}, caller.language),
                Err(_) => return response(StatusCode::REQUEST_TIMEOUT, PLAIN, Body::empty()),
            };
            return self.change(&path, &fields(&body), caller, secure).await;
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            let mut response = response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, Body::empty());
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
            return response;
        }
        let language = caller.sets_language.then_some(caller.language);
        let mut response = self.show(&path, &query, &head.headers, caller).await;
        if let Some(language) = language {
            let word = if language == Language::En { "en" } else { "vi" };
            set_cookie(&mut response, &format!("lang={word}; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly"));
        }
        response
    }

    // ---- looking

    async fn show(
        self: Arc<Shop>,
        path: &str,
        query: &HashMap<String, String>,
        headers: &HeaderMap,
        caller: Caller,
    ) -> Response<Body> {
        let asset = |kind, text: &'static str| {
            let mut response = response(StatusCode::OK, kind, text);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        };
        match path {
            "/page.css" => return asset("text/css; charset=utf-8", STYLE),
            "/page.js" => return asset("text/javascript; charset=utf-8", SCRIPT),
            _ => {}
        }
        if let Some(sha256) = path.strip_prefix("/audio/") {
            return self.audio(sha256, headers);
        }
        let view = self.views.borrow().clone();
        let Some(view) = view else { return response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "loaxa ...\n") };
        if path == "/live" {
            return self.live(caller.language);
        }
        if path == "/log.xlsx" {
            return self.workbook(&view, query, &caller).await;
        }
        if let "/log.csv" | "/log.jsonl" = path {
            return self.download(&view, query, caller.language, path == "/log.csv");
        }
        let said = caller.by.as_ref().and_then(|(_, login)| self.said().remove(login));
        let sheet = Sheet {
            view: &view,
            language: caller.language,
            by: caller.by.as_ref().map(|(by, _)| &**by),
            said: said.as_deref(),
            has_audio: &|sha256| self.office.audio(sha256).is_some(),
        };
        let html = match path {
            "/" => {
                let (plan, rows, disk) = self.facts(&view).await;
                sheet.front(&plan, &rows, &disk)
            }
            "/week" => {
                let (plan, rows, _) = self.facts(&view).await;
                sheet.week(&plan, &rows)
            }
            "/received" => sheet.received(&self.facts(&view).await.0),
            "/play" => sheet.play(&self.facts(&view).await.0),
            "/log" => return self.log(&sheet, &view, query).await,
            "/reports" => sheet.reports(),
            "/report" => return self.report(&sheet, &view, query).await,
            "/login" => sheet.login(),
            _ => return response(StatusCode::NOT_FOUND, HTML, sheet.plain(Text::PageNotFound {})),
        };
        response(StatusCode::OK, HTML, html)
    }

    fn said(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plan, rows and disk of a view; worked out once for all who look.
    async fn facts(&self, view: &Arc<View>) -> (Arc<Plan>, Arc<Rows>, Disk) {
        let mut cache = self.cache.lock().await;
        let plan = Plan::of(view, cache.plan.take());
        cache.plan = Some(plan.clone());
        let key = (view.log_seq, plan.today);
        let rows = match &cache.rows {
            Some((seq, day, rows)) if (*seq, *day) == key => rows.clone(),
            old => {
                let office = self.office.clone();
                let from = plan.day.0.min(view.now + -24 * 3_600_000);
                let read = tokio::task::spawn_blocking(move || Rows::read(&*office, from)).await;
                // A log that cannot be read just now: what was read before is better than nothing.
                let before = old.as_ref().map(|(_, _, rows)| rows.clone());
                match read {
                    Ok(Ok(rows)) => Arc::new(rows),
                    _ => before.unwrap_or_default(),
                }
            }
        };
        cache.rows = Some((key.0, key.1, rows.clone()));
        let now = self.clock.now().boot_ns;
        let disk = match cache.disk {
            Some((at, disk)) if now - at < DISK_NS => disk,
            _ => {
                let office = self.office.clone();
                let disk = tokio::task::spawn_blocking(move || office.disk()).await.unwrap_or_default();
                cache.disk = Some((now, disk));
                disk
            }
        };
        (plan, rows, disk)
    }

    async fn parts(&self, view: &Arc<View>, language: Language) -> Arc<Parts> {
        let (plan, rows, disk) = self.facts(view).await;
        let key = Arc::as_ptr(view) as usize;
        let mut cache = self.cache.lock().await;
        if let Some((_, _, parts)) = cache.parts.iter().find(|(k, l, _)| (*k, *l) == (key, language)) {
            return parts.clone();
        }
        let sheet = Sheet { view, language, by: None, said: None, has_audio: &|_| false };
        let parts = Arc::new(sheet.parts(&plan, &rows, &disk));
        cache.parts.retain(|(k, _, _)| *k == key);
        cache.parts.push((key, language, parts.clone()));
        parts
    }

    /// Follows the station: each part of the first page when it has changed.
    fn live(self: Arc<Shop>, language: Language) -> Response<Body> {
        let Ok(place) = self.live.clone().try_acquire_owned() else {
            return response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, Body::empty());
        };
        let (tx, rx) = mpsc::channel::<Bytes>(4);
        tokio::spawn(async move {
            let _place = place;
            let mut views = self.views.clone();
            views.mark_changed();
            let mut before: Option<Arc<Parts>> = None;
            let mut state_before = String::new();
            while views.changed().await.is_ok() {
                let view = views.borrow_and_update().clone();
                let Some(view) = view else { continue };
                let parts = self.parts(&view, language).await;
                let mut out = String::new();
                for (at, (id, html)) in parts.iter().enumerate() {
                    if before.as_ref().and_then(|b| b.get(at)).is_none_or(|(_, old)| old != html) {
                        // No line of the part may end the message.
                        let html = html.replace('\n', " ").replace('\r', "");
                        out.push_str(&format!("event: {id}\ndata: {html}\n\n"));
                    }
                }
                let state = if view.stop.is_some() { "stopped" } else { "on" };
                if state != state_before {
                    out.push_str(&format!("event: state\ndata: {state}\n\n"));
                    state_before = state.to_owned();
                }
                before = Some(parts);
                if !matches!(timeout(STALLED, tx.send(out.into())).await, Ok(Ok(()))) {
                    return;
                }
            }
        });
        response(StatusCode::OK, "text/event-stream; charset=utf-8", Body::new(Pipe(rx)))
    }

    fn audio(&self, sha256: &str, headers: &HeaderMap) -> Response<Body> {
        let none = || response(StatusCode::NOT_FOUND, PLAIN, Body::empty());
        if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return none();
        }
        let Some(path) = self.office.audio(&sha256.to_ascii_lowercase()) else { return none() };
        let Ok(mut file) = File::open(&path) else { return none() };
        let Ok(total) = file.metadata().map(|m| m.len()) else { return none() };
        let kind = match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
            "mp3" => "audio/mpeg",
            "ogg" | "oga" => "audio/ogg",
            "flac" => "audio/flac",
            "wav" => "audio/wav",
            "m4a" | "mp4" | "aac" => "audio/mp4",
            _ => "application/octet-stream",
        };
        let range = text_of(headers, header::RANGE).and_then(|r| one_range(r, total));
        let (from, to) = range.unwrap_or((0, total));
        if file.seek(SeekFrom::Start(from)).is_err() {
            return none();
        }
        let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let mut response = response(status, kind, Body::new(Piece { file, left: to - from }));
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if range.is_some()
            && let Ok(value) = HeaderValue::from_str(&format!("bytes {from}-{}/{total}", to.max(1) - 1))
        {
            headers.insert(header::CONTENT_RANGE, value);
        }
        response
    }

    // ---- changing

    async fn change(
        self: Arc<Shop>,
        path: &str,
        form: &HashMap<String, String>,
        caller: Caller,
        secure: bool,
    ) -> Response<Body> {
        if path == "/login" {
            return self.enter(form, &caller, secure).await;
        }
        let Some((by, login)) = caller.by else {
            return see("/login");
        };
        let view = self.views.borrow().clone();
        let Some(view) = view else { return response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, Body::empty()) };
        let language = caller.language;
        let field = |name: &str| form.get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let mut back = "/";
        let order = match path {
            "/stop" => {
                let now = self.clock.now().wall();
                let until = match form.get("how").map(String::as_str) {
                    Some("session") => Some(view.end_of_session().max(now)),
                    Some("day") => Some(view.end_of_day().max(now)),
                    _ => None,
                };
                let why = field("why").map(|w| w.chars().filter(|c| !c.is_control()).take(200).collect());
                Order::Stop { until, but_emergency: form.contains_key("but_emergency"), why }
            }
            "/resume" => Order::Resume,
            "/play" => {
                back = "/play";
                Order::Play(field("clip").unwrap_or_default())
            }
            "/sync" => Order::Sync,
            "/logout" => {
                let (door, gone) = (self.door.clone(), login);
                let _ = tokio::task::spawn_blocking(move || door.leave(&gone)).await;
                self.office.at_the_door(Knock::Left(by));
                let mut response = see("/");
                set_cookie(&mut response, "loaxa=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
                return response;
            }
            _ => return response(StatusCode::NOT_FOUND, PLAIN, Text::PageNotFound {}.say(language)),
        };
        let told = order.clone();
        let said = match timeout(ORDER_TIME, self.office.order(order, &by)).await {
            Ok(Ok(done)) => match told {
                Order::Stop { until: Some(until), .. } => {
                    let until = view.zone().local(until).format("%H:%M:%S %d/%m/%Y").to_string();
                    Text::PageDoneStop { until }.say(language)
                }
                Order::Stop { .. } => Text::PageStoppedForGood {}.say(language),
                Order::Resume => Text::Resumed {}.say(language),
                Order::Play(_) => Text::PageDonePlay {}.say(language),
                Order::Sync => said_of_sync(&done, language),
            },
            Ok(Err(sentence)) => sentence,
            Err(_) => Text::PageFailed { why: "timeout".into() }.say(language),
        };
        let mut all = self.said();
        if all.len() > 1000 {
            all.clear();
        }
        all.insert(login, said);
        see(back)
    }

    async fn enter(&self, form: &HashMap<String, String>, caller: &Caller, secure: bool) -> Response<Body> {
        let typed = form.get("code").cloned().unwrap_or_default();
        let door = self.door.clone();
        let tried = tokio::task::spawn_blocking(move || door.enter(&typed)).await;
        let text = match tried {
            Ok(Ok(Try::Opens(token, by))) => {
                self.office.at_the_door(Knock::Opened(by));
                let mut response = see("/");
                let secure = if secure { "; Secure" } else { "" };
                let cookie = format!("loaxa={token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict{secure}");
                set_cookie(&mut response, &cookie);
                return response;
            }
            Ok(Ok(Try::Wrong(left, by))) => {
                self.office.at_the_door(Knock::Wrong(by, left));
                Text::PageWrongCode { left }
            }
            Ok(Ok(Try::NoCode)) => {
                self.office.at_the_door(Knock::NoCode);
                Text::PageNoCode {}
            }
            Ok(Err(error)) => Text::PageFailed { why: error.to_string() },
            Err(error) => Text::PageFailed { why: error.to_string() },
        };
        let said = text.say(caller.language);
        let view = self.views.borrow().clone();
        let html = match &view {
            Some(view) => {
                Sheet { view, language: caller.language, by: None, said: Some(&said), has_audio: &|_| false }.login()
            }
            None => String::new(),
        };
        response(StatusCode::FORBIDDEN, HTML, html)
    }
}

fn said_of_sync(done: &serde_json::Value, language: Language) -> String {
    let rows = done.as_array().cloned().unwrap_or_default();
    if rows.is_empty() {
        return Text::NoSources {}.say(language);
    }
    let lines = rows.iter().map(|row| {
        let result = match row["result"].as_str() {
            Some("new") => Text::PageSyncNew {}.say(language),
            Some("same") => Text::PageSyncSame {}.say(language),
            _ => row["text"].as_str().unwrap_or_default().to_owned(),
        };
        Text::PageDoneSync { source: row["source"].as_str().unwrap_or_default().to_owned(), result }.say(language)
    });
    lines.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port_and_nothing_else() {
        assert_eq!(host_name("127.0.0.1:8080"), "127.0.0.1");
        assert_eq!(host_name("[::1]:8080"), "[::1]");
        assert_eq!(host_name("[::1]"), "[::1]");
        assert_eq!(host_name("dai.example.vn"), "dai.example.vn");
    }

    #[test]
    fn form_fields_are_decoded() {
        let form = fields("why=%C4%91%C3%A1m+tang&how=day");
        assert_eq!((form["why"].as_str(), form["how"].as_str()), ("đám tang", "day"));
    }
}
