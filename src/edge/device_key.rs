//! The box's own signing key, minisign's format: it proves that an exported file came from this box unchanged.
//!
//! `device.key` (0600, no password: nobody is there to type one) and `device.pub` in the state folder, made at the
//! first start. The key never leaves the box: it is in no backup, and on other hardware a new one is made, so that no
//! two boxes ever sign with the same.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

use crate::domain::signature::key_id;
use crate::domain::text::Text;

/// The secret half's name inside the state folder.
pub const SECRET_NAME: &str = "device.key";
/// The public half's.
pub const PUBLIC_NAME: &str = "device.pub";

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
#[error("\"{}\": {why}", file.display())]
pub struct DeviceKeyError {
    file: PathBuf,
    why: String,
}

impl DeviceKeyError {
    /// The sentence for people.
    pub fn text(&self) -> Text {
        Text::DeviceKeyFails { file: self.file.display().to_string(), why: self.why.clone() }
    }
}

fn fails<E: ToString>(file: &Path) -> impl Fn(E) -> DeviceKeyError + '_ {
    move |e| DeviceKeyError { file: file.to_owned(), why: e.to_string() }
}

/// The key, ready to sign.
pub struct DeviceKey {
    secret: SecretKey,
    public: PublicKey,
}

/// The comment in the key's file says which machine it was made on.
fn comment(machine: Option<&str>) -> String {
    format!("loaxa device key {}", machine.map_or("-", |m| m.get(..16).unwrap_or(m)))
}

impl DeviceKey {
    /// Reads the key of a state folder; makes it where there is none, or where there is one of another machine.
    /// `machine` stands for this one.
    ///
    /// # Errors
    /// [`DeviceKeyError`] when the folder cannot be used or the key is damaged. A damaged key is not replaced: what
    /// was signed with it must stay explainable, so a person decides.
    pub fn of(dir: &Path, machine: Option<&str>) -> Result<DeviceKey, DeviceKeyError> {
        let path = dir.join(SECRET_NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return DeviceKey::make(dir, machine),
            Err(e) => return Err(fails(&path)(e)),
        };
        let boxed = SecretKeyBox::from_string(&text).map_err(fails(&path))?;
        let secret = SecretKey::from_unencrypted_box(boxed).map_err(fails(&path))?;
        let public = PublicKey::from_secret_key(&secret).map_err(fails(&path))?;
        let own = machine.is_none() || text.lines().next().is_some_and(|l| l.ends_with(&comment(machine)));
        if !own {
            // What the other box signed can still be checked; nothing more is signed in its name.
            let old = dir.join(format!("device-{}.pub", key_id(public.keynum())));
            replace(&old, &public_text(&public), 0o644).map_err(fails(&old))?;
            return DeviceKey::make(dir, machine);
        }
        let key = DeviceKey { secret, public };
        key.show(dir)?;
        Ok(key)
    }

    fn make(dir: &Path, machine: Option<&str>) -> Result<DeviceKey, DeviceKeyError> {
        let path = dir.join(SECRET_NAME);
        let pair = KeyPair::generate_unencrypted_keypair().map_err(fails(&path))?;
        let text = pair.sk.to_box(Some(&comment(machine))).map_err(fails(&path))?.to_string();
        replace(&path, &text, 0o600).map_err(fails(&path))?;
        let key = DeviceKey { secret: pair.sk, public: pair.pk };
        key.show(dir)?;
        Ok(key)
    }

    /// Writes the public half where it lacks or is another.
    fn show(&self, dir: &Path) -> Result<(), DeviceKeyError> {
        let path = dir.join(PUBLIC_NAME);
        let text = public_text(&self.public);
        if fs::read_to_string(&path).is_ok_and(|t| t == text) {
            return Ok(());
        }
        replace(&path, &text, 0o644).map_err(fails(&path))
    }

    /// A detached signature over everything `from` gives, as minisign writes it. `trusted` is one line that is signed
    /// with it.
    ///
    /// # Errors
    /// What reading or signing says.
    pub fn sign(&self, from: impl Read, trusted: &str) -> Result<String, io::Error> {
        let untrusted = format!("signature of a loaxa box, key {}", key_id(self.public.keynum()));
        minisign::sign(Some(&self.public), &self.secret, from, Some(trusted), Some(&untrusted))
            .map(|signature| signature.to_string())
            .map_err(|e| io::Error::other(e.to_string()))
    }
}

fn public_text(public: &PublicKey) -> String {
    format!("untrusted comment: minisign public key {}\n{}\n", key_id(public.keynum()), public.to_base64())
}

/// Writes a small file whole or not at all.
fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let _ = fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    fs::File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}
