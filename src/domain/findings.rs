//! What reading and checking find: one finding per mistake, with its place, and how a person sees it.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use crate::domain::config::Language;
use crate::domain::text::Text;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// Something will not air, or not as meant; the file is taken.
    Warning,
    /// Legal and odd.
    Advice,
}

impl Severity {
    /// The key in `--json`.
    pub fn key(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        }
    }

    fn word(self) -> Text {
        match self {
            Severity::Error => Text::SeverityError {},
            Severity::Warning => Text::SeverityWarning {},
            Severity::Advice => Text::SeverityAdvice {},
        }
    }
}

/// The file a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileRole {
    /// `station.toml`
    Station,
    /// The commune's own list.
    Local,
    /// The list of the source with this place in `[[source]]`, from 0.
    Source(usize),
}

/// One thing found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stable name for tools, as `unknown_key`.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Bytes of the file; empty at 0 when the finding has no place of its own.
    pub span: Range<usize>,
    /// What is wrong.
    pub text: Text,
    /// What to write instead.
    pub hint: Option<Text>,
}

impl Finding {
    /// A finding that refuses the file.
    pub fn error(code: &'static str, span: Range<usize>, text: Text) -> Finding {
        Finding { code, severity: Severity::Error, span, text, hint: None }
    }

    /// A finding that does not.
    pub fn warning(code: &'static str, span: Range<usize>, text: Text) -> Finding {
        Finding { severity: Severity::Warning, ..Finding::error(code, span, text) }
    }

    /// A remark.
    pub fn advice(code: &'static str, span: Range<usize>, text: Text) -> Finding {
        Finding { severity: Severity::Advice, ..Finding::error(code, span, text) }
    }

    /// The same, saying what to write instead.
    pub fn hint(mut self, hint: Text) -> Finding {
        self.hint = Some(hint);
        self
    }

    /// `FILE:LINE:COL: lỗi: ...`, the line quoted with the place marked, and the way out. No line feed at the end.
    pub fn render(&self, file: &str, text: &str, language: Language) -> String {
        self.render_at(file, text, &LineIndex::new(text), language)
    }

    /// [`Finding::render`] for many findings of one file.
    pub fn render_at(&self, file: &str, text: &str, lines: &LineIndex, language: Language) -> String {
        let (line, column) = lines.line_column(text, self.span.start);
        let mut shown =
            format!("{file}:{line}:{column}: {}: {}", self.severity.word().say(language), self.text.say(language));
        if !(self.span.is_empty() && self.span.start == 0) {
            shown.push_str(&quote(text, lines, line, &self.span));
        }
        if let Some(hint) = &self.hint {
            shown.push_str(&format!("\n  {}: {}", Text::HintWord {}.say(language), hint.say(language)));
        }
        shown
    }
}

/// The longest part of a line that is quoted, in characters: a published list may stand on one line.
const QUOTED: usize = 100;

fn quote(text: &str, lines: &LineIndex, line: usize, span: &Range<usize>) -> String {
    let range = lines.line(text, line);
    let (mut start, end) = (range.start, range.end);
    let place = floor_boundary(text, span.start.clamp(start, end));
    let mut before = text[start..place].chars().count();
    let mut cut = "";
    if text[start..end].chars().count() > QUOTED && before > QUOTED / 2 {
        let skip = before - QUOTED / 2;
        start = text[start..].char_indices().nth(skip).map_or(start, |(i, _)| start + i);
        before = QUOTED / 2;
        cut = "…";
    }
    let marked = floor_boundary(text, span.end.clamp(place, end));
    let mut quoted = String::from(cut);
    let mut marks = " ".repeat(cut.chars().count());
    let mut at = start;
    for (i, c) in text[start..end].chars().enumerate() {
        if i == QUOTED {
            quoted.push('…');
            break;
        }
        let (shown, width) = match c {
            '\t' => ("    ".to_owned(), 4),
            '\u{feff}' => (String::new(), 0),
            c if c.is_control() => ("?".to_owned(), 1),
            c if is_combining_mark(c) => (c.to_string(), 0),
            c => (c.to_string(), 1),
        };
        quoted.push_str(&shown);
        if i < before {
            marks.push_str(&" ".repeat(width));
        } else if at < marked {
            marks.push_str(&"^".repeat(width));
        }
        at += c.len_utf8();
    }
    if !marks.ends_with('^') {
        marks.push('^');
    }
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    format!("\n  {number} | {quoted}\n  {margin} | {marks}")
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    /// Finds the lines of a text.
    pub fn new(text: &str) -> LineIndex {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        LineIndex { starts }
    }

    /// Line and column of a byte, both from 1; the column counts characters (a byte order mark is none).
    pub fn line_column(&self, text: &str, byte: usize) -> (usize, usize) {
        let byte = floor_boundary(text, byte);
        let line = self.starts.partition_point(|s| *s <= byte).max(1);
        let start = self.starts[line - 1];
        let column = text[start..byte].chars().filter(|c| *c != '\u{feff}').count();
        (line, column + 1)
    }

    /// The line a byte stands in, from 1.
    pub fn line_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|s| *s <= byte).max(1)
    }

    /// The bytes of a line, its end left out.
    pub fn line(&self, text: &str, line: usize) -> Range<usize> {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(text.len());
        let end = self.starts.get(line).map_or(text.len(), |next| next - 1).max(start);
        let end = if text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }
}

/// What came of reading a file.
#[derive(Clone, Debug)]
pub struct Reading<T> {
    /// What was read; none when an error stands.
    pub value: Option<T>,
    /// What could be made of it all the same, to look for more mistakes in; nothing may run with it.
    pub draft: Option<T>,
    /// Everything found, in the order of the file.
    pub findings: Vec<Finding>,
}

impl<T> Reading<T> {
    /// Sorts the findings and makes the value a mere draft when one of them refuses it.
    pub fn settle(value: Option<T>, mut findings: Vec<Finding>) -> Reading<T> {
        findings.sort_by_key(|f| (f.span.start, f.severity));
        findings.dedup();
        let refused = findings.iter().any(|f| f.severity == Severity::Error);
        let (value, draft) = if refused { (None, value) } else { (value, None) };
        Reading { value, draft, findings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_skip_the_byte_order_mark() {
        let text = "\u{feff}tên = 1\r\nđài\t= 2\n";
        let lines = LineIndex::new(text);
        assert_eq!(lines.line_column(text, text.find('=').unwrap()), (1, 5));
        assert_eq!(lines.line_column(text, text.rfind('=').unwrap()), (2, 5));
        assert_eq!(&text[lines.line(text, 2)], "đài\t= 2");
        assert_eq!(lines.line_column(text, 9999), (3, 1));
    }

    #[test]
    fn the_mark_stands_under_the_place() {
        let text = "a\u{301} =\t\"x\"\n";
        let at = text.find('"').unwrap();
        let finding = Finding::error("test", at..at + 3, Text::HintWord {});
        let shown = finding.render("f", text, Language::En);
        assert_eq!(shown.lines().nth(1).unwrap(), "  1 | a\u{301} =    \"x\"");
        assert_eq!(shown.lines().nth(2).unwrap(), "    |        ^^^");
    }

    #[test]
    fn a_long_line_is_quoted_around_the_place() {
        let text = format!("{}HERE{}", "x".repeat(5000), "y".repeat(5000));
        let shown = Finding::error("test", 5000..5004, Text::HintWord {}).render("f", &text, Language::En);
        assert!(shown.lines().all(|l| l.chars().count() < 130));
        let (quoted, marks) = (shown.lines().nth(1).unwrap(), shown.lines().nth(2).unwrap());
        let at = marks.chars().position(|c| c == '^').unwrap();
        assert_eq!(quoted.chars().skip(at).take(4).collect::<String>(), "HERE");
    }
}
