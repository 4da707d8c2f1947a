//! Names: ids and whether they are taken, the nearest of those there are, file names and paths.

use std::collections::HashMap;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Notes;
use crate::domain::findings::Finding;
use crate::domain::playlist::Span;
use crate::domain::text::Text;

/// Letters without marks, small, all else as `_`: how two spellings are compared.
pub fn fold(text: &str) -> String {
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'đ' => 'd',
            c if c.is_ascii_alphanumeric() => c,
            _ => '_',
        })
        .collect()
}

/// The nearest of several names, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = fold(name);
    let allowed = (name.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|other| (strsim::damerau_levenshtein(&name, &fold(other)), other))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, other)| *distance <= allowed && *distance < other.chars().count())
        .map(|(_, other)| other)
}

/// Checks and composes an id. It is used in references, in file names and in reports.
pub fn read_id(text: &str, span: &Span, notes: &mut Notes) -> Option<Arc<str>> {
    let id: String = text.nfc().collect();
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || (c.is_whitespace() && c != ' ')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
    };
    let safe = !id.is_empty()
        && id.chars().count() <= 64
        && id.trim() == id
        && !id.starts_with('.')
        && !id.contains("..")
        && !id.chars().any(bad);
    if safe {
        return Some(id.into());
    }
    let shown: String = text.chars().map(|c| if bad(c) && c != '/' && c != '\\' { '?' } else { c }).take(70).collect();
    notes.push(Finding::error("bad_id", span.clone(), Text::BadId { id: shown }).hint(Text::IdForm {}));
    None
}

/// Ids that were taken, of one kind.
#[derive(Debug, Default)]
pub struct Ids {
    lines: HashMap<Arc<str>, usize>,
}

impl Ids {
    /// Whether an id is taken.
    pub fn has(&self, id: &str) -> bool {
        self.lines.contains_key(id)
    }

    /// The ids in the order of the file.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.lines.iter().collect();
        names.sort_unstable_by_key(|(id, line)| (**line, (*id).clone()));
        names.into_iter().map(|(id, _)| &**id).collect()
    }

    /// Takes an id; says so when somebody had it before.
    pub fn take(&mut self, id: &Arc<str>, span: &Span, notes: &mut Notes) {
        let line = notes.line_of(span);
        if let Some(first) = self.lines.get(id) {
            let text = Text::DuplicateId { id: id.to_string(), line: *first };
            notes.push(Finding::error("duplicate_id", span.clone(), text).hint(Text::OtherId {}));
        } else {
            self.lines.insert(id.clone(), line);
        }
    }
}

/// Whether a path names a file inside a folder: relative, no way up, no device or stream of other systems.
pub fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 500
        && path.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && !part.chars().any(|c| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|'))
        })
}

/// Picks the name of a listing that is meant by `wanted`: the same bytes if they are there, else the same letters
/// whichever way their marks are stored. Archives made on a Mac store them apart, most others joined.
pub fn match_name<'a>(listing: impl IntoIterator<Item = &'a str>, wanted: &str) -> Option<&'a str> {
    let composed: String = wanted.nfc().collect();
    let mut found = None;
    for name in listing {
        if name == wanted {
            return Some(name);
        }
        if found.is_none() && name.nfc().eq(composed.chars()) {
            found = Some(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_found_whichever_way_their_marks_are_stored() {
        let (joined, apart) = ("bản tin.mp3".nfc().collect::<String>(), "bản tin.mp3".nfd().collect::<String>());
        assert_ne!(joined, apart);
        assert_eq!(match_name(["x.mp3", &apart], &joined), Some(apart.as_str()));
        assert_eq!(match_name([joined.as_str()], &apart), Some(joined.as_str()));
        assert_eq!(match_name([apart.as_str(), &joined], &joined), Some(joined.as_str()));
        assert_eq!(match_name(["ban tin.mp3"], &joined), None);
    }

    #[test]
    fn paths_stay_inside() {
        for good in ["a.mp3", "tin/a b.mp3", "bản tin.mp3", "clips/ab.ogg"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/a", "../a", "a/../b", "a//b", "C:\\a", "a\\b", "./a", "a\0b", "nul:x"] {
            assert!(!is_inside(bad), "{bad}");
        }
    }
}
