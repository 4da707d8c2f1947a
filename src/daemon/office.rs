//! Between the station page and the daemon: orders go to the loop as those of the control socket do, rows and files
//! are read on the page's own threads.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::domain::config::Language;
use crate::domain::report::RowFilter;
use crate::domain::text::Text;
use crate::edge::airing_log::{AiringLog, FILE_NAME, LogError};
use crate::edge::clip_store::ClipStore;
use crate::edge::control::{Answer, Asked, Request};
use crate::edge::page::view::{Disk, Knock, Office, Order, Ordered};

/// A report that is not made in so long is given up.
const REPORT_TIME: Duration = Duration::from_secs(120);
/// The largest report handed out, bytes.
const LONGEST_REPORT: u64 = 64 << 20;

/// What of the station's files the page may hand out; replaced at each reload.
#[derive(Default)]
pub struct Shelf {
    /// The commune's own clips by hash.
    pub own: HashMap<String, PathBuf>,
    /// Most bytes of received clips.
    pub quota: u64,
}

/// The page's way into the daemon.
pub struct Counter {
    /// The state folder.
    pub state_dir: PathBuf,
    /// Received clips.
    pub store: Arc<ClipStore>,
    /// What may be handed out.
    pub shelf: Arc<Mutex<Arc<Shelf>>>,
    /// The config, for what is made by a child of this program.
    pub config: PathBuf,
    /// Hands a request to the loop.
    pub ask: Box<dyn Fn(Asked) + Send + Sync>,
    /// Says whether the page listens.
    pub tell: Box<dyn Fn(Option<Text>) + Send + Sync>,
    /// Says who came in, was refused or left.
    pub knock: Box<dyn Fn(Knock) + Send + Sync>,
}

impl Counter {
    fn shelf(&self) -> Arc<Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

enum Trouble {
    Log(LogError),
    Out(io::Error),
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Trouble {
        Trouble::Log(error)
    }
}

impl Office for Counter {
    fn order(&self, order: Order, by: &str) -> Ordered {
        let by = Some(by.to_owned());
        let request = match order {
            Order::Stop { until, but_emergency, why } => Request::Stop { until, for_ms: None, but_emergency, by, why },
            Order::Resume => Request::Resume { by },
            Order::Play(clip) => Request::Play { clip, wait: false, by },
            Order::Sync => Request::Sync { by },
        };
        let (reply, answer) = oneshot::channel();
        (self.ask)(Asked { request, reply });
        Box::pin(async move {
            match answer.await {
                Ok(Answer::Done(value)) => Ok(value),
                Ok(Answer::Refused { text, .. }) => Err(text),
                Err(_) => Ok(Value::Null),
            }
        })
    }

    fn rows(&self, filter: &RowFilter, each: &mut dyn FnMut(u64, &str) -> io::Result<()>) -> Result<u64, io::Error> {
        let said = |error: LogError| io::Error::other(error.text().say(Language::Vi));
        let log = AiringLog::open_read_only(&self.state_dir.join(FILE_NAME)).map_err(said)?;
        log.for_each_row::<Trouble>(filter, |seq, body| each(seq, body).map_err(Trouble::Out)).map_err(|e| match e {
            Trouble::Log(error) => said(error),
            Trouble::Out(error) => error,
        })
    }

    fn audio(&self, sha256: &str) -> Option<PathBuf> {
        self.shelf().own.get(sha256).cloned().or_else(|| self.store.path_of(sha256))
    }

    fn disk(&self) -> Disk {
        let (clips, bytes) = self.store.usage();
        let free = rustix::fs::statvfs(&self.state_dir).map_or(0, |s| s.f_bavail.saturating_mul(s.f_frsize));
        Disk { clips, bytes, quota: self.shelf().quota, free }
    }

    /// By a child of this program: a year's report takes memory and time that the daemon must not spend.
    fn made(&self, language: Language, arguments: &[String]) -> Result<Vec<u8>, String> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut child = Command::new(program)
            .arg("--config")
            .arg(&self.config)
            .args(["--lang", if language == Language::En { "en" } else { "vi" }])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let (out, mut err) = (child.stdout.take(), child.stderr.take());
        let child = Arc::new(Mutex::new(child));
        let (done, over) = mpsc::channel::<()>();
        let watched = child.clone();
        let watch = std::thread::Builder::new().name("report".into()).stack_size(256 * 1024).spawn(move || {
            if over.recv_timeout(REPORT_TIME) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = watched.lock().unwrap_or_else(PoisonError::into_inner).kill();
            }
        });
        watch.map_err(|e| e.to_string())?;
        let mut bytes = Vec::new();
        let read = out.map_or(Ok(0), |out| out.take(LONGEST_REPORT).read_to_end(&mut bytes));
        let mut said = String::new();
        if let Some(err) = &mut err {
            let _ = err.take(16 * 1024).read_to_string(&mut said);
        }
        drop(done);
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() as u64 == LONGEST_REPORT {
            let _ = child.kill();
        }
        let status = child.wait().map_err(|e| e.to_string())?;
        match read {
            Ok(_) if status.success() => Ok(bytes),
            Ok(_) if said.trim().is_empty() => Err(status.to_string()),
            Ok(_) => Err(said.trim().trim_start_matches("loaxa: ").to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn listening(&self, trouble: Option<Text>) {
        (self.tell)(trouble);
    }

    fn at_the_door(&self, knock: Knock) {
        (self.knock)(knock);
    }
}
