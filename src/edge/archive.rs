//! A backup: one tar file of everything a station is, with a manifest of the SHA-256 of each member at its end, so that
//! it is written in one go and every byte of it can be proved before anything is restored.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::airing::hex;

/// The manifest's name inside the file.
const MANIFEST: &str = "manifest.json";
/// The form of backup this program writes and knows.
const FORM: u32 = 1;
/// No manifest is larger, bytes.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `config/...`, `clips/...` or `state/...`
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its hash, in hexadecimal.
    pub sha256: String,
}

/// What a backup says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the backup.
    pub form: u32,
    /// When it was made.
    pub made_at: String,
    /// By which loaxa.
    pub version: String,
    /// The station.
    pub station_id: String,
    /// The box.
    pub device_id: String,
    /// Its log; none when there was none.
    pub log_id: Option<String>,
    /// Number of the log's last row.
    pub seq: u64,
    /// Its hash, in hexadecimal.
    pub head: String,
    /// Every other file in it.
    pub members: Vec<Member>,
}

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not whole, or no backup at all: which part.
    #[error("\"{0}\" is damaged or missing")]
    Damaged(String),
    /// Written by a newer loaxa.
    #[error("form {0} is not known")]
    Newer(u32),
}

/// Hashes what passes through.
struct Hashing<R> {
    from: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn over(from: R) -> Hashing<R> {
        Hashing { from, hasher: Sha256::new(), bytes: 0 }
    }

    fn member(self, path: String) -> Member {
        let sha256: [u8; 32] = self.hasher.finalize().into();
        Member { path, bytes: self.bytes, sha256: hex(&sha256) }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(into)?;
        self.hasher.update(&into[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Writes a backup of `files` (name inside, file). `manifest` comes without members. A file that is gone by now is
/// left out: what was cleaned up in the meantime is not needed. `tick` is told of bytes.
///
/// # Errors
/// What reading or writing says; a file that shrinks while it is read.
pub fn write(
    out: impl Write,
    files: &[(String, PathBuf)],
    mut manifest: Manifest,
    mut tick: impl FnMut(u64),
) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    let header = |bytes: u64, mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(mode & 0o777);
        header.set_mtime(0);
        header
    };
    for (path, from) in files {
        let file = match fs::File::open(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let meta = file.metadata()?;
        let mut reader = Hashing::over(file.take(meta.len()));
        tar.append_data(&mut header(meta.len(), meta.permissions().mode()), path, &mut reader)?;
        if reader.bytes != meta.len() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} changed", from.display())));
        }
        tick(reader.bytes);
        manifest.members.push(reader.member(path.clone()));
    }
    manifest.form = FORM;
    let text = serde_json::to_vec_pretty(&manifest)?;
    tar.append_data(&mut header(text.len() as u64, 0o644), MANIFEST, text.as_slice())?;
    tar.into_inner()?.flush()
}

/// Whether a name stays inside the three folders of a backup.
fn is_tame(path: &str) -> bool {
    let inside = ["config/", "clips/", "state/"].iter().any(|f| path.len() > f.len() && path.starts_with(f));
    inside && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
}

/// Reads a backup whole and proves every member. The manifest, and the bytes of the member named `wanted`.
///
/// # Errors
/// [`ArchiveError`]
pub fn verify(file: &Path, wanted: &str, mut tick: impl FnMut(u64)) -> Result<(Manifest, Vec<u8>), ArchiveError> {
    let damaged = |what: &str| ArchiveError::Damaged(what.to_owned());
    let mut tar = tar::Archive::new(io::BufReader::with_capacity(256 * 1024, fs::File::open(file)?));
    let mut found: Vec<Member> = Vec::new();
    let mut manifest: Option<Manifest> = None;
    let mut kept = Vec::new();
    for entry in tar.entries()? {
        let entry = entry.map_err(|_| damaged("tar"))?;
        let path = entry.path().map_err(|_| damaged("tar"))?.to_string_lossy().into_owned();
        if manifest.is_some() || !entry.header().entry_type().is_file() {
            return Err(damaged(&path));
        }
        if path == MANIFEST {
            let mut text = Vec::new();
            entry.take(LARGEST_MANIFEST).read_to_end(&mut text).map_err(|_| damaged(MANIFEST))?;
            manifest = Some(serde_json::from_slice(&text).map_err(|_| damaged(MANIFEST))?);
            continue;
        }
        let size = entry.size();
        let mut reader = Hashing::over(entry);
        let read = if path == wanted {
            reader.read_to_end(&mut kept).map(|n| n as u64)
        } else {
            io::copy(&mut reader, &mut io::sink())
        };
        if !is_tame(&path) || read.map_err(|_| damaged(&path))? != size {
            return Err(damaged(&path));
        }
        tick(size);
        found.push(reader.member(path));
    }
    let manifest = manifest.ok_or_else(|| damaged(MANIFEST))?;
    if manifest.form > FORM {
        return Err(ArchiveError::Newer(manifest.form));
    }
    for (i, member) in manifest.members.iter().enumerate() {
        if found.get(i) != Some(member) {
            return Err(damaged(&member.path));
        }
    }
    if found.len() != manifest.members.len() || !found.iter().any(|m| m.path == wanted) {
        return Err(damaged(MANIFEST));
    }
    Ok((manifest, kept))
}

/// Writes each member to the place that `place` names for it; none: it is left out. Every file is flushed. The backup
/// was proved by [`verify`] before; what it says now must be the same.
///
/// # Errors
/// [`ArchiveError`]
pub fn unpack(
    file: &Path,
    manifest: &Manifest,
    place: impl Fn(&str) -> Option<PathBuf>,
    mut tick: impl FnMut(u64),
) -> Result<(), ArchiveError> {
    let mut tar = tar::Archive::new(io::BufReader::with_capacity(256 * 1024, fs::File::open(file)?));
    for (i, entry) in tar.entries()?.enumerate() {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        if path == MANIFEST {
            break;
        }
        let (size, mode) = (entry.size(), entry.header().mode().unwrap_or(0o644) & 0o777);
        let Some(to) = place(&path).filter(|_| is_tame(&path)) else { continue };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut reader = Hashing::over(entry);
        let mut out = fs::File::create(&to)?;
        io::copy(&mut reader, &mut out)?;
        out.set_permissions(fs::Permissions::from_mode(mode))?;
        out.sync_all()?;
        if manifest.members.get(i) != Some(&reader.member(path.clone())) {
            return Err(ArchiveError::Damaged(path));
        }
        tick(size);
    }
    Ok(())
}
