//! A published folder: what `publish` writes, any web server serves, and `import` reads from a USB stick.
//!
//! A web server has no transactions, so the order of steps does it: clips first, each whole under a name made of its
//! hash; then the signature; last the list, by rename. Whoever asks between the last two gets the old list, which
//! the station already has, or finds that list and signature do not belong together and looks again seconds later.
//! Clips of the list before stay, for stations in mid-fetch.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::domain::keyring::{LARGEST_KEYS, LARGEST_SIGNATURES};
use crate::domain::signature::{ENDINGS, LARGEST_LIST, LARGEST_SIGNATURE, hex, is_sha256};
use crate::domain::text::Text;

/// The list's file name.
pub const LIST: &str = "playlist.json";
/// The signature's file name: minisign's for [`LIST`].
pub const SIGNATURE: &str = "playlist.json.minisig";
/// The urgent list's file name.
pub const URGENT_LIST: &str = "urgent.json";
/// Its signature's.
pub const URGENT_SIGNATURE: &str = "urgent.json.minisig";
/// The folder of clips.
pub const CLIPS: &str = "clips";
/// The latest keys; every version stands in [`keys_version`] as well.
pub const KEYS: &str = "keys.json";

/// One version of the keys, relative to the folder; its signatures are beside it under the name with `.minisig`.
pub fn keys_version(version: u64) -> String {
    format!("keys/{version}.json")
}

/// The disk said no.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {cause}", path = path.display())]
pub struct FolderError {
    /// What was read or written.
    pub path: PathBuf,
    /// What the disk says.
    pub cause: io::Error,
}

impl FolderError {
    /// The sentence for people.
    pub fn text(&self) -> Text {
        Text::StoreIo { path: self.path.display().to_string(), cause: self.cause.to_string() }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError + '_ {
    move |cause| FolderError { path: path.into(), cause }
}

/// A list and its signature, as bytes nobody has judged yet.
#[derive(Clone, Debug)]
pub struct Unjudged {
    /// The list.
    pub list: Vec<u8>,
    /// The signature file.
    pub signature: Vec<u8>,
}

/// A version of the keys and its signatures, as bytes nobody has judged yet.
#[derive(Clone, Debug)]
pub struct SignedKeys {
    /// The file.
    pub bytes: Vec<u8>,
    /// The signature file.
    pub signatures: Vec<u8>,
}

/// A published folder.
#[derive(Clone, Debug)]
pub struct PublishedFolder {
    dir: PathBuf,
    list: &'static str,
    signature: &'static str,
}

impl PublishedFolder {
    /// One that may not be there yet.
    pub fn at(dir: &Path) -> PublishedFolder {
        PublishedFolder { dir: dir.into(), list: LIST, signature: SIGNATURE }
    }

    /// The same folder, for its urgent list.
    pub fn urgent(self) -> PublishedFolder {
        PublishedFolder { list: URGENT_LIST, signature: URGENT_SIGNATURE, ..self }
    }

    /// The list and its signature; none when there is no list.
    ///
    /// # Errors
    /// What the disk says; a list or signature larger than any real one.
    pub fn read(&self) -> Result<Option<Unjudged>, FolderError> {
        let path = self.dir.join(self.list);
        let list = match read_at_most(&path, LARGEST_LIST) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(at(&path))?,
        };
        let path = self.dir.join(self.signature);
        let signature = match read_at_most(&path, LARGEST_SIGNATURE) {
            // An empty signature is judged as the malformed one it is.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(at(&path))?,
        };
        Ok(Some(Unjudged { list, signature }))
    }

    /// `keys.json`, when there is one: nobody has judged it yet.
    ///
    /// # Errors
    /// What the disk says; a file larger than any real one.
    pub fn keys(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.small(KEYS, LARGEST_KEYS)
    }

    /// A version of it, and its signatures; none when either is not there.
    ///
    /// # Errors
    /// What the disk says; a file larger than any real one.
    pub fn keys_version(&self, version: u64) -> Result<Option<SignedKeys>, FolderError> {
        let name = keys_version(version);
        let (bytes, signatures) =
            (self.small(&name, LARGEST_KEYS)?, self.small(&format!("{name}.minisig"), LARGEST_SIGNATURES)?);
        Ok(bytes.zip(signatures).map(|(bytes, signatures)| SignedKeys { bytes, signatures }))
    }

    /// The numbers of the versions that are there, in order.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keys_versions(&self) -> Result<Vec<u64>, FolderError> {
        let folder = self.dir.join("keys");
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(at(&folder))?,
        };
        let mut versions = Vec::new();
        for entry in entries {
            let name = entry.map_err(at(&folder))?.file_name();
            versions.extend(name.to_str().and_then(|n| n.strip_suffix(".json")?.parse::<u64>().ok()));
        }
        versions.sort_unstable();
        Ok(versions)
    }

    /// The signatures of a `keys.json` that is being signed; none when there are none yet.
    ///
    /// # Errors
    /// What the disk says; a file larger than any real one.
    pub fn keys_signatures(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.small(&format!("{KEYS}.minisig"), LARGEST_SIGNATURES)
    }

    /// Puts a `keys.json` there that is still to be signed, with the signatures it has. Another file's signatures are
    /// never left beside it.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put_keys_draft(&self, bytes: &[u8], signatures: &[u8]) -> Result<(), FolderError> {
        fs::create_dir_all(&self.dir).map_err(at(&self.dir))?;
        let name = format!("{KEYS}.minisig");
        let path = self.dir.join(&name);
        if signatures.is_empty() {
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(&path)(e)),
                _ => {}
            }
        }
        self.put_whole(KEYS, bytes)?;
        if !signatures.is_empty() {
            self.put_whole(&name, signatures)?;
        }
        flush_folder(&self.dir)
    }

    fn small(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.dir.join(name);
        match read_at_most(&path, most) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(at(&path)),
        }
    }

    /// Puts a version of the keys there under its number: signatures first, each file by rename. One that is there
    /// already stays as it is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put_keys_version(&self, version: u64, bytes: &[u8], signatures: &[u8]) -> Result<(), FolderError> {
        let name = keys_version(version);
        let folder = self.dir.join("keys");
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        self.put_whole(&format!("{name}.minisig"), signatures)?;
        self.put_whole(&name, bytes)?;
        flush_folder(&folder)
    }

    /// Puts the latest keys there, by rename. Every version up to it is there already.
    ///
    /// # Errors
    /// What the disk says; the old ones are then still served.
    pub fn put_keys(&self, bytes: &[u8]) -> Result<(), FolderError> {
        self.put_whole(KEYS, bytes)?;
        flush_folder(&self.dir)
    }

    fn put_whole(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.dir.join(name);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let mut tmp = path.as_os_str().to_owned();
        tmp.push(".tmp");
        let tmp = PathBuf::from(tmp);
        let write = || -> io::Result<()> {
            let mut file = File::create(&tmp)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(at(&tmp))?;
        fs::rename(&tmp, &path).map_err(at(&path))
    }

    /// A file of the folder, named as the list names it. The list has been read: the name stays inside.
    pub fn path_of(&self, relative: &str) -> PathBuf {
        self.dir.join(relative)
    }

    /// Puts a clip there under the name of its hash, unless it is there. Returns whether it was copied.
    ///
    /// # Errors
    /// What the disk says; the file changed since it was hashed.
    pub fn put_clip(&self, from: &Path, sha256: &str, ending: &str) -> Result<bool, FolderError> {
        let clips = self.dir.join(CLIPS);
        fs::create_dir_all(&clips).map_err(at(&clips))?;
        let path = clips.join(format!("{sha256}.{ending}"));
        if hash_of(&path).is_ok_and(|(found, _)| found == sha256) {
            return Ok(false);
        }
        let tmp = clips.join(format!(".{sha256}.tmp"));
        let copied = copy_hashed(from, &tmp).map_err(at(from))?;
        if copied != sha256 {
            let _ = fs::remove_file(&tmp);
            return Err(at(from)(io::Error::other("changed while it was read")));
        }
        fs::rename(&tmp, &path).map_err(at(&path))?;
        flush_folder(&clips)?;
        Ok(true)
    }

    /// Puts the list there, signature first. Every clip it names is there already.
    ///
    /// # Errors
    /// What the disk says; the old list is then still served, at worst with the new signature.
    pub fn put_list(&self, list: &[u8], signature: &[u8]) -> Result<(), FolderError> {
        let mut ready = Vec::new();
        for (name, bytes) in [(self.signature, signature), (self.list, list)] {
            let tmp = self.dir.join(format!(".{name}.tmp"));
            let write = || -> io::Result<()> {
                let mut file = File::create(&tmp)?;
                file.write_all(bytes)?;
                file.sync_all()
            };
            write().map_err(at(&tmp))?;
            ready.push((tmp, self.dir.join(name)));
        }
        for (tmp, path) in ready {
            fs::rename(&tmp, &path).map_err(at(&path))?;
        }
        flush_folder(&self.dir)
    }

    /// Writes a small text file of ours beside the list.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put_text(&self, name: &str, text: &str) -> Result<(), FolderError> {
        fs::create_dir_all(&self.dir).map_err(at(&self.dir))?;
        let path = self.dir.join(name);
        fs::write(&path, text).map_err(at(&path))
    }

    /// Removes clips whose hash `keep` does not name. Files of other names are not ours.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sweep(&self, keep: &dyn Fn(&str) -> bool) -> Result<u64, FolderError> {
        let clips = self.dir.join(CLIPS);
        let mut removed = 0;
        let entries = match fs::read_dir(&clips) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
            other => other.map_err(at(&clips))?,
        };
        for entry in entries {
            let path = entry.map_err(at(&clips))?.path();
            let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.split_once('.'));
            if let Some((sha256, ending)) = name
                && is_sha256(sha256)
                && ENDINGS.contains(&ending)
                && !keep(sha256)
            {
                fs::remove_file(&path).map_err(at(&path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// SHA-256 and length of a file.
///
/// # Errors
/// What the disk says.
pub fn hash_of(path: &Path) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let bytes = pass(&mut File::open(path)?, |block| {
        hasher.update(block);
        Ok(())
    })?;
    Ok((hex(&hasher.finalize()), bytes))
}

fn copy_hashed(from: &Path, to: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut out = File::create(to)?;
    pass(&mut File::open(from)?, |block| {
        hasher.update(block);
        out.write_all(block)
    })?;
    out.sync_all()?;
    Ok(hex(&hasher.finalize()))
}

fn pass(from: &mut File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut buffer = vec![0; 128 * 1024];
    let mut bytes = 0;
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok(bytes);
        }
        each(&buffer[..n])?;
        bytes += n as u64;
    }
}

fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("> {most}")));
    }
    Ok(bytes)
}

fn flush_folder(folder: &Path) -> Result<(), FolderError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(at(folder))
}
