//! What was measured of clips at earlier publishings, in a hidden file beside the hand-written list: only audio that
//! is new is decoded again. A memo, no more: lost, torn or of another version of this program, it is made anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Measure;
use crate::domain::text::Text;
use crate::edge::clip_store::Measured;

/// The file's name.
const FILE: &str = ".loaxa-measured.json";

/// By SHA-256.
type Clips = BTreeMap<String, Measured>;

#[derive(Serialize, Deserialize)]
struct Memo {
    version: String,
    clips: Clips,
}

/// What is known, and what of it was asked for.
pub(super) struct Known {
    path: PathBuf,
    before: Clips,
    used: Clips,
}

impl Known {
    /// What the folder of a hand-written list knows.
    pub(super) fn of(dir: &Path) -> Known {
        let path = dir.join(FILE);
        let memo: Option<Memo> = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // Another version may decode otherwise.
        let memo = memo.filter(|m| m.version == env!("CARGO_PKG_VERSION"));
        Known { path, before: memo.map(|m| m.clips).unwrap_or_default(), used: Clips::new() }
    }

    /// What was found in the audio with this hash, now or before.
    pub(super) fn measured(&mut self, sha256: &str, file: &Path, measure: &Measure) -> Result<Measured, Text> {
        let found = match self.before.get(sha256) {
            Some(found) => *found,
            None => measure(file)?,
        };
        self.used.insert(sha256.to_owned(), found);
        Ok(found)
    }

    /// Writes it down for the next time; what this list does not name is forgotten. A folder that cannot be written
    /// to costs the next publishing some minutes and no more.
    pub(super) fn keep(self) {
        if self.used == self.before {
            return;
        }
        let memo = Memo { version: env!("CARGO_PKG_VERSION").into(), clips: self.used };
        let tmp = self.path.with_extension("tmp");
        if let Ok(text) = serde_json::to_vec_pretty(&memo)
            && std::fs::write(&tmp, text).is_ok()
        {
            let _ = std::fs::rename(&tmp, &self.path);
        }
    }
}
