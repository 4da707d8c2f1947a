//! Files of a folder by the names people write: with the same letters, whichever way their marks are stored.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::fields::{match_name, nearest};

/// Finds `relative` (parts joined by `/`) below `folder`; none when there is no such file.
///
/// # Errors
/// When the folder cannot be read.
pub fn find(folder: &Path, relative: &str) -> io::Result<Option<PathBuf>> {
    let plain = folder.join(relative);
    if plain.is_file() {
        return Ok(Some(plain));
    }
    let mut at = folder.to_owned();
    for (depth, part) in relative.split('/').enumerate() {
        let names = match names(&at) {
            Ok(names) => names,
            // Only the folder itself has to be there.
            Err(error) if depth == 0 => return Err(error),
            Err(_) => return Ok(None),
        };
        match match_name(names.iter().map(String::as_str), part) {
            Some(name) => at.push(name),
            None => return Ok(None),
        }
    }
    Ok(at.is_file().then_some(at))
}

/// The name in a folder that is nearest to one that is not there.
pub fn similar(folder: &Path, relative: &str) -> Option<String> {
    let (inner, name) = match relative.rsplit_once('/') {
        Some((inner, name)) => (format!("{inner}/"), name),
        None => (String::new(), relative),
    };
    let names = names(&folder.join(&inner)).ok()?;
    nearest(name, names.iter().map(String::as_str)).map(|near| format!("{inner}{near}"))
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[test]
    fn marks_may_be_stored_either_way() {
        let folder = tempfile::tempdir().unwrap();
        let apart: String = "bản tin/thời sự.mp3".nfd().collect();
        std::fs::create_dir(folder.path().join(apart.split('/').next().unwrap())).unwrap();
        std::fs::write(folder.path().join(&apart), b"x").unwrap();
        assert!(find(folder.path(), "bản tin/thời sự.mp3").unwrap().is_some());
        assert!(find(folder.path(), "bản tin/thời.mp3").unwrap().is_none());
        assert!(find(folder.path(), "không/có.mp3").unwrap().is_none());
        assert!(find(&folder.path().join("không có"), "a.mp3").is_err());
        assert!(similar(folder.path(), "bản tin/thời sự.ogg").is_none(), "the folder's own name must be exact here");
    }
}
