//! Who may change something through the station page: one-time codes and the logins they open. There is no password
//! and nothing that comes with the program opens the page.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::airing::hex;
use crate::domain::time::{Clock, DAY_MS, Wall};

/// A code opens the page for so long, nanoseconds of boot time.
const CODE_LIFE_NS: i64 = 10 * 60 * 1_000_000_000;
/// Wrong tries after which a code is worth nothing.
const TRIES: u32 = 5;
/// A login lasts so long, milliseconds.
const LOGIN_MS: i64 = 30 * DAY_MS;
/// Logins kept at once; the oldest gives way.
const MOST_LOGINS: usize = 200;

/// A code that was shown and not used yet.
struct Code {
    sha256: [u8; 32],
    by: Arc<str>,
    dies_boot_ns: i64,
    tries_left: u32,
}

/// A login as it is kept: never the cookie itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Login {
    sha256: String,
    by: Arc<str>,
    until: Wall,
}

#[derive(Default)]
struct Inside {
    code: Option<Code>,
    logins: Vec<Login>,
}

/// Codes and logins of a station.
pub struct Door {
    file: PathBuf,
    clock: Arc<dyn Clock>,
    inside: Mutex<Inside>,
    /// Held while the file is written, so that the loop never waits for a disk.
    writing: Mutex<()>,
}

/// What came of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Try {
    /// It opens: the cookie's value, and for whom.
    Opens(String, Arc<str>),
    /// It does not; so many tries are left for the code of this person.
    Wrong(u32, Arc<str>),
    /// No code is open: none was asked for, it was used, it is too old or was guessed at too often.
    NoCode,
}

/// `N` bytes nobody can guess.
fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

impl Door {
    /// The door of the station whose state is in `state_dir`.
    pub fn new(state_dir: &Path, clock: Arc<dyn Clock>) -> Door {
        let file = state_dir.join("page-logins.json");
        let logins = fs::read(&file).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        Door { file, clock, inside: Mutex::new(Inside { code: None, logins }), writing: Mutex::new(()) }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new code for a person, eight digits; one given before opens nothing any more.
    ///
    /// # Errors
    /// When the machine has no random numbers to give.
    pub fn code(&self, by: &str) -> std::io::Result<String> {
        let number = u64::from_le_bytes(random()?) % 100_000_000;
        let code = format!("{number:08}");
        let dies_boot_ns = self.clock.now().boot_ns + CODE_LIFE_NS;
        let by = by.trim().chars().filter(|c| !c.is_control()).take(80).collect::<String>();
        self.inside().code = Some(Code { sha256: digest(&code), by: by.into(), dies_boot_ns, tries_left: TRIES });
        Ok(code)
    }

    /// Tries a code. Writes to the disk when it opens: not for the loop.
    ///
    /// # Errors
    /// When there are no random numbers, or the login cannot be kept.
    pub fn enter(&self, typed: &str) -> std::io::Result<Try> {
        let typed: String = typed.chars().filter(char::is_ascii_digit).collect();
        let now = self.clock.now();
        let token = hex(&random::<32>()?);
        let by = {
            let mut inside = self.inside();
            let Some(code) = inside.code.as_mut().filter(|c| now.boot_ns < c.dies_boot_ns) else {
                inside.code = None;
                return Ok(Try::NoCode);
            };
            // Hashes are compared: how long that takes says nothing of the code.
            if code.sha256 != digest(&typed) {
                code.tries_left -= 1;
                let (left, by) = (code.tries_left, code.by.clone());
                if left == 0 {
                    inside.code = None;
                }
                return Ok(Try::Wrong(left, by));
            }
            let by = code.by.clone();
            inside.code = None;
            inside.logins.retain(|l| l.until > now.wall());
            if inside.logins.len() >= MOST_LOGINS {
                inside.logins.remove(0);
            }
            let until = now.wall() + LOGIN_MS;
            inside.logins.push(Login { sha256: hex(&digest(&token)), by: by.clone(), until });
            by
        };
        self.keep()?;
        Ok(Try::Opens(token, by))
    }

    /// For whom a cookie is good, and what names its login.
    pub fn who(&self, token: &str) -> Option<(Arc<str>, String)> {
        let (sha256, now) = (hex(&digest(token)), self.clock.now().wall());
        let inside = self.inside();
        let login = inside.logins.iter().find(|l| l.sha256 == sha256)?;
        // A clock that was set back does not make a login live longer than it was meant to.
        (now < login.until && login.until <= now + LOGIN_MS + DAY_MS).then(|| (login.by.clone(), sha256))
    }

    /// Ends one login. Writes to the disk.
    ///
    /// # Errors
    /// When what is left cannot be kept.
    pub fn leave(&self, sha256: &str) -> std::io::Result<()> {
        self.inside().logins.retain(|l| l.sha256 != sha256);
        self.keep()
    }

    /// Ends every login of a person, and their code. How many logins there were. Writes to the disk.
    ///
    /// # Errors
    /// When what is left cannot be kept: it holds until the next start all the same.
    pub fn revoke(&self, by: &str) -> std::io::Result<usize> {
        let ended = {
            let mut inside = self.inside();
            let before = inside.logins.len();
            inside.logins.retain(|l| *l.by != *by.trim());
            if inside.code.as_ref().is_some_and(|c| *c.by == *by.trim()) {
                inside.code = None;
            }
            before - inside.logins.len()
        };
        self.keep()?;
        Ok(ended)
    }

    fn keep(&self) -> std::io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_vec(&self.inside().logins)?;
        let part = self.file.with_extension("part");
        let _ = fs::remove_file(&part);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&part, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::time::{ClockState, Now};

    struct Still(Mutex<i64>);

    impl Clock for Still {
        fn now(&self) -> Now {
            let ns = *self.0.lock().unwrap();
            Now { wall_ns: 1_700_000_000_000_000_000 + ns, boot_ns: ns, clock: ClockState::Synced }
        }
    }

    #[test]
    fn a_code_opens_once_and_five_wrong_tries_close_it() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Still(Mutex::new(0)));
        let door = Door::new(dir.path(), clock.clone());
        assert_eq!(door.enter("12345678").unwrap(), Try::NoCode);
        let code = door.code("Nguyễn Văn A").unwrap();
        let Try::Opens(token, by) = door.enter(&format!("{} {}", &code[..4], &code[4..])).unwrap() else { panic!() };
        assert_eq!(&*by, "Nguyễn Văn A");
        assert_eq!(&*door.who(&token).unwrap().0, "Nguyễn Văn A");
        assert_eq!(door.enter(&code).unwrap(), Try::NoCode);

        let code = door.code("B").unwrap();
        let wrong = if code == "00000000" { "00000001" } else { "00000000" };
        let left: Vec<_> = (0..5).map(|_| door.enter(wrong).unwrap()).collect();
        assert_eq!(left, [4, 3, 2, 1, 0].map(|left| Try::Wrong(left, "B".into())));
        assert_eq!(door.enter(&code).unwrap(), Try::NoCode);

        let late = door.code("B").unwrap();
        *clock.0.lock().unwrap() += CODE_LIFE_NS;
        assert_eq!(door.enter(&late).unwrap(), Try::NoCode);

        // Kept over a restart, the cookie itself nowhere on the disk, readable by nobody else.
        let kept = fs::read_to_string(&door.file).unwrap();
        assert!(!kept.contains(&token));
        assert_eq!(fs::metadata(&door.file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Door::new(dir.path(), clock.clone());
        assert!(again.who(&token).is_some());
        assert_eq!(again.revoke("Nguyễn Văn A").unwrap(), 1);
        assert!(again.who(&token).is_none() && Door::new(dir.path(), clock).who(&token).is_none());
    }
}
