//! The unix socket through which commands reach the running daemon: one JSON request a line, one JSON answer a line.
//! Reachable only by who may open the file, whose folder belongs to the daemon's user.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use crate::domain::time::Wall;

/// A request longer than this is refused, bytes.
const LONGEST_REQUEST: usize = 64 * 1024;
/// Connections served at once.
const MOST_CONNECTIONS: usize = 32;

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// How things are.
    Status,
    /// Silence.
    Stop {
        /// It ends by itself then, milliseconds since 1970.
        until: Option<Wall>,
        /// Or after so many milliseconds.
        for_ms: Option<i64>,
        /// Emergencies pass.
        but_emergency: bool,
        /// Who.
        by: Option<String>,
        /// Why.
        why: Option<String>,
    },
    /// The silence ends.
    Resume {
        /// Who.
        by: Option<String>,
    },
    /// Play a clip, `SOURCE/ID` or a local id, or `tone`.
    Play {
        /// Which.
        clip: String,
        /// Answer when it has ended, not when it has begun.
        wait: bool,
        /// Who.
        by: Option<String>,
    },
    /// Send a clip as an emergency, `SOURCE/ID` or a local id.
    Emergency {
        /// Which.
        clip: String,
        /// Who.
        by: String,
        /// Soundings in a round.
        repeat: u32,
        /// Silence between two, milliseconds.
        gap_ms: i64,
        /// From round to round, milliseconds; none: one round.
        every_ms: Option<i64>,
        /// No sounding is planned at or after; none: an hour from now.
        until: Option<Wall>,
    },
    /// How the clock stands.
    Clock,
    /// A person vouches for the machine's clock.
    Vouch {
        /// What it was set to.
        at: Wall,
        /// Who.
        by: String,
    },
    /// Write something down in the log.
    Note {
        /// What.
        text: String,
        /// Who.
        by: String,
    },
    /// The log has been written to a file, whole, up to this row.
    Exported {
        /// Number of the row.
        seq: u64,
    },
    /// Ask every source now.
    Sync {
        /// Who.
        #[serde(default)]
        by: Option<String>,
    },
    /// Put the list before back in force.
    RollBack {
        /// Whose.
        source: String,
        /// Who.
        by: Option<String>,
    },
    /// Look at the store: another program has brought a list into force.
    Look,
    /// Look at config and local list again.
    Reload {
        /// Who changed them.
        #[serde(default)]
        by: Option<String>,
    },
    /// A code that opens the station page for a person, once.
    PageCode {
        /// Who.
        by: String,
    },
    /// What opened the station page for a person opens it no longer.
    PageRevoke {
        /// Who.
        by: String,
    },
}

/// What is answered: a result, or a sentence why not.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done; what there is to show.
    Done(Value),
    /// Not done: the sentence for people, and a stable word for tools.
    Refused {
        /// The sentence.
        text: String,
        /// As `busy`, `quiet_hours`, `unknown_clip`.
        code: String,
    },
}

/// A request on its way to the daemon's loop.
pub struct Asked {
    /// What.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Answer>,
}

/// The socket's path in a state folder.
pub fn path_in(state_dir: &Path) -> PathBuf {
    state_dir.join("loaxa.sock")
}

/// Opens the socket, replacing one that a killed daemon left. Only one daemon runs per state folder: the caller
/// holds the lock that says so.
///
/// # Errors
/// What the system says of the path.
pub fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Takes requests for ever and hands them on.
pub async fn serve(listener: UnixListener, asked: mpsc::UnboundedSender<Asked>) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: others will be closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let asked = asked.clone();
        tokio::spawn(async move {
            let _place = place;
            let (read, mut write) = stream.into_split();
            let mut lines = tokio::io::BufReader::with_capacity(4096, read);
            loop {
                let mut line = Vec::new();
                let mut limited = tokio::io::AsyncReadExt::take(&mut lines, LONGEST_REQUEST as u64);
                match limited.read_until(b'\n', &mut line).await {
                    Ok(n) if n > 0 && line.ends_with(b"\n") => {}
                    _ => return,
                }
                let answer = match serde_json::from_slice::<Request>(&line) {
                    Ok(request) => {
                        let (reply, answer) = oneshot::channel();
                        if asked.send(Asked { request, reply }).is_err() {
                            return;
                        }
                        match answer.await {
                            Ok(answer) => answer,
                            Err(_) => return,
                        }
                    }
                    Err(error) => Answer::Refused { text: error.to_string(), code: "bad_request".into() },
                };
                let Ok(mut text) = serde_json::to_vec(&answer) else { return };
                text.push(b'\n');
                if write.write_all(&text).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Why a command could not reach the daemon.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no daemon listens at {0}")]
    NoDaemon(PathBuf),
    /// The socket may not be opened.
    #[error("{0}: {1}")]
    NoAccess(PathBuf, std::io::Error),
    /// The daemon went away in the middle.
    #[error("the daemon did not answer: {0}")]
    Broken(std::io::Error),
}

/// Asks the daemon of a state folder and waits for the answer; `longest` none: as long as it takes.
///
/// # Errors
/// [`AskError`].
pub fn ask(state_dir: &Path, request: &Request, longest: Option<Duration>) -> Result<Answer, AskError> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound, UnexpectedEof};
    let path = path_in(state_dir);
    let mut stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        ConnectionRefused | NotFound => AskError::NoDaemon(path.clone()),
        _ => AskError::NoAccess(path.clone(), error),
    })?;
    stream.set_read_timeout(longest).map_err(AskError::Broken)?;
    let mut line = serde_json::to_vec(request).map_err(|e| AskError::Broken(e.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(AskError::Broken)?;
    let mut answer = String::new();
    let read = BufReader::new(stream).read_line(&mut answer).map_err(AskError::Broken)?;
    if read == 0 {
        return Err(AskError::Broken(UnexpectedEof.into()));
    }
    serde_json::from_str(&answer).map_err(|e| AskError::Broken(e.into()))
}
