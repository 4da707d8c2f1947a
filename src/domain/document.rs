//! Bytes as a tree that knows its places: TOML written by hand, JSON as published. What the keys
//! mean is `fields`' and its users' to know.

use std::borrow::Cow;
use std::collections::HashSet;

use toml::de::{DeTable, DeValue};

use crate::domain::fields::english_key;
use crate::domain::findings::{Finding, LineIndex};
use crate::domain::playlist::Span;
use crate::domain::text::Text;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// How deep tables and lists may stand in each other.
const MAX_DEPTH: usize = 40;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Bytes of the value; of a table under a header, the header.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// What a key may hold.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text in quotes.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number with a fraction, or too large for a whole one.
    Real(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A date or time without quotes, as TOML allows; written out as text would be.
    Moment(String),
    /// JSON's `null`.
    Null,
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

/// Keys and values in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Bytes of the key.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

impl Table {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }
}

/// The text of a file, or why there is none. Positions count from the first byte, a byte order mark included.
pub fn decode(bytes: &[u8]) -> Result<&str, Box<Finding>> {
    let refuse = |code, at, text| Box::new(Finding::error(code, at, text).hint(Text::SaveAsUtf8 {}));
    if bytes.len() > MAX_BYTES {
        let text = Text::FileTooLarge { megabytes: bytes.len() >> 20, limit: MAX_BYTES >> 20 };
        return Err(Box::new(Finding::error("file_too_large", 0..0, text)));
    }
    let zeros = bytes.iter().take(4096).filter(|b| **b == 0).count();
    if bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || (bytes.len() > 3 && zeros * 4 > bytes.len().min(4096))
    {
        return Err(refuse("utf16", 0..0, Text::FileIsUtf16 {}));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.valid_up_to();
            let end = (at + error.error_len().unwrap_or(1)).min(bytes.len());
            Err(refuse("not_utf8", at..end, Text::FileNotUtf8 { byte: format!("{:02X}", bytes[at]) }))
        }
    }
}

/// A text to quote from when [`decode`] refuses: every odd byte is shown as `?`, so that places stay true.
pub fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '?' }).collect(),
    }
}

/// Reads TOML: the tree as far as it can be made out, and every mistake of form.
///
/// A list, braces or a table name that is not closed swallows what follows, and all of it looks wrong. So it is
/// closed where it should have been, and the text read again; positions are those of the text as it stands.
pub fn read_toml(text: &str) -> (Node, Vec<Finding>) {
    let mut mended = Mended { text: Cow::Borrowed(text), inserted: Vec::new() };
    let mut closed: Vec<Finding> = Vec::new();
    loop {
        let (table, errors) = DeTable::parse_recoverable(&mended.text);
        let lines = LineIndex::new(&mended.text);
        let first = errors.iter().filter_map(|e| unclosed(&mended.text, &lines, e)).next();
        if let Some((finding, missing)) = first {
            let at = finding.span.start;
            let finding = Finding { span: mended.original(&finding.span), ..finding };
            if text.len() <= REPAIRED_BYTES && closed.len() < MOST_REPAIRS && !closed.contains(&finding) {
                closed.push(finding);
                mended.insert(at, missing);
                continue;
            }
        }
        let told: HashSet<usize> = closed.iter().map(|f| f.span.start).collect();
        let mut findings = remaining(&mended.text, &lines, &errors);
        for finding in &mut findings {
            finding.span = mended.original(&finding.span);
        }
        findings.retain(|f| !told.contains(&f.span.start));
        findings.extend(closed);
        let mut root = Node { span: 0..0, value: Value::Table(toml_table(table.into_inner(), 0)) };
        if !mended.inserted.is_empty() {
            mended.place_back(&mut root);
        }
        return (root, findings);
    }
}

/// The largest text that is mended and read again: by hand nobody writes more.
const REPAIRED_BYTES: usize = 1 << 20;
/// The most missing ends that are put in.
const MOST_REPAIRS: usize = 20;

/// A text with ends put in where they are missing.
struct Mended<'t> {
    text: Cow<'t, str>,
    /// Where, in the text as it is now, and how many bytes; from front to back.
    inserted: Vec<(usize, usize)>,
}

impl Mended<'_> {
    fn insert(&mut self, at: usize, missing: &str) {
        self.text.to_mut().insert_str(at, missing);
        for (place, _) in self.inserted.iter_mut().filter(|(place, _)| *place >= at) {
            *place += missing.len();
        }
        self.inserted.push((at, missing.len()));
        self.inserted.sort_unstable();
    }

    fn original(&self, span: &Span) -> Span {
        let back = |at: usize| {
            at - self.inserted.iter().map(|(place, length)| at.saturating_sub(*place).min(*length)).sum::<usize>()
        };
        back(span.start)..back(span.end)
    }

    fn place_back(&self, node: &mut Node) {
        node.span = self.original(&node.span);
        match &mut node.value {
            Value::List(list) => list.iter_mut().for_each(|n| self.place_back(n)),
            Value::Table(table) => {
                for entry in &mut table.entries {
                    entry.key_span = self.original(&entry.key_span);
                    self.place_back(&mut entry.node);
                }
            }
            _ => {}
        }
    }
}

/// The mistakes of form, the first on each line: one slip makes the parser stumble several times.
fn remaining(text: &str, lines: &LineIndex, errors: &[toml::de::Error]) -> Vec<Finding> {
    let mut told = HashSet::new();
    let mut findings = Vec::new();
    for error in errors {
        if told.insert(lines.line_of(error.span().unwrap_or(0..0).start)) {
            findings.push(toml_finding(text, lines, error));
        }
        if findings.len() == MOST_FINDINGS {
            break;
        }
    }
    findings
}

fn toml_table(table: DeTable<'_>, depth: usize) -> Table {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| {
            let (key_span, span) = (key.span(), value.span());
            let node = Node { span, value: toml_value(value.into_inner(), depth + 1) };
            Entry { key: key.into_inner().into_owned(), key_span, node }
        })
        .collect();
    entries.sort_by_key(|e| e.key_span.start);
    Table { entries }
}

fn toml_value(value: DeValue<'_>, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(n) => Value::Whole(n),
            Err(_) => Value::Real(f64::INFINITY),
        },
        DeValue::Float(number) => Value::Real(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
        DeValue::Array(array) => Value::List(
            array
                .into_iter()
                .map(|v| {
                    let span = v.span();
                    Node { span, value: toml_value(v.into_inner(), depth + 1) }
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(toml_table(table, depth)),
    }
}

/// Characters that look right and are not: what word processors, web pages and phones put in.
fn stray(c: char) -> Option<Text> {
    match c {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' | '\u{ff02}' | '\u{2033}' => {
            Some(Text::SmartQuote { found: c, write: '"' })
        }
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{2032}' => Some(Text::SmartQuote { found: c, write: '\'' }),
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => Some(Text::OddSpace {}),
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => Some(Text::InvisibleCharacter {}),
        '\u{2013}' | '\u{2014}' | '\u{2212}' => Some(Text::OddSign { found: c, write: '-' }),
        '\u{ff1d}' => Some(Text::OddSign { found: c, write: '=' }),
        '\u{ff0c}' => Some(Text::OddSign { found: c, write: ',' }),
        _ => None,
    }
}

/// The most findings of form that are told of one file.
const MOST_FINDINGS: usize = 100;

fn is_about_lists(message: &str) -> bool {
    ["array", "inline table", "comma", "key-value pair", "unclosed", "unexpected key or value", "without"]
        .iter()
        .any(|word| message.contains(word))
}

/// What is not closed, and what is missing: found where the next key or table begins, told where the end should
/// have stood.
fn unclosed(text: &str, lines: &LineIndex, error: &toml::de::Error) -> Option<(Finding, &'static str)> {
    let message = error.message();
    let at = error.span()?.start;
    let range = lines.line(text, lines.line_of(at));
    let before = text.get(range.start..at)?;
    let rest = text.get(at..range.end)?;
    if message.starts_with("unclosed table") || message.starts_with("unclosed array table") {
        let written = before.trim();
        let name = written.trim_matches(['[', ']']).trim();
        let (line, missing) = match (written.starts_with("[["), written.ends_with(']')) {
            (true, true) => (format!("[[{name}]]"), "]"),
            (true, false) => (format!("[[{name}]]"), "]]"),
            (false, _) => (format!("[{name}]"), "]"),
        };
        let finding = Finding::error("unclosed_table", at..at, Text::UnclosedTable {});
        return Some((finding.hint(Text::WriteLine { line }), missing));
    }
    if !is_about_lists(message) {
        return None;
    }
    let braces = message.contains("inline table") || message.contains("key-value pair");
    let close = |at: usize| {
        if braces {
            let finding = Finding::error("unclosed_braces", at..at, Text::UnclosedBraces {});
            (finding.hint(Text::CloseBraces {}), "}")
        } else {
            let finding = Finding::error("unclosed_list", at..at, Text::UnclosedList {});
            (finding.hint(Text::CloseList {}), "]")
        }
    };
    if braces && rest.starts_with(']') {
        return Some(close(at));
    }
    let next_entry = rest.starts_with('[')
        || rest.split_once('=').is_some_and(|(key, _)| {
            !key.trim().is_empty() && key.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        });
    let at_the_end = message.starts_with("unclosed") && text.get(at..)?.trim().is_empty();
    if !(before.trim().is_empty() && next_entry || at_the_end) {
        return None;
    }
    // Back over blank lines and comments to the last line that belongs to it.
    let last = if at_the_end { lines.line_of(at) } else { lines.line_of(at) - 1 };
    let end = (1..=last).rev().map(|n| lines.line(text, n)).find_map(|line| {
        let whole = text.get(line.clone())?;
        let comment = outside_quotes(whole).find(|(_, c)| *c == '#').map_or(whole.len(), |(i, _)| i);
        let written = whole[..comment].trim_end();
        (!written.is_empty()).then_some(line.start + written.len())
    })?;
    Some(close(end))
}

fn toml_finding(text: &str, lines: &LineIndex, error: &toml::de::Error) -> Finding {
    let span = error.span().unwrap_or(0..0);
    let line_range = lines.line(text, lines.line_of(span.start));
    let line = &text[line_range.clone()];
    let offset = line_range.start;
    let comment = outside_quotes(line).find(|(_, c)| *c == '#').map_or(line.len(), |(i, _)| i);
    // What stands outside plain quotes is where such a character does harm.
    let odd =
        outside_quotes(&line[..comment]).filter(|(i, _)| offset + i > 0).find_map(|(i, c)| stray(c).map(|t| (i, c, t)));
    if let Some((i, c, what)) = odd {
        let at = offset + i..offset + i + c.len_utf8();
        let hint = match &what {
            Text::SmartQuote { write, .. } | Text::OddSign { write, .. } => Text::WriteSign { write: *write },
            Text::OddSpace {} => Text::TypeSpaceAgain {},
            _ => Text::DeleteIt {},
        };
        return Finding::error("odd_character", at, what).hint(hint);
    }
    let (key, value) = match line[..comment].split_once('=') {
        Some((key, value)) => (key.trim(), value.trim()),
        None => (line[..comment].trim(), ""),
    };
    let value_at =
        offset + line.find('=').map_or(0, |i| i + 1 + line[i + 1..].len() - line[i + 1..].trim_start().len());
    let value_span = value_at..value_at + value.len();
    let message = error.message();
    let begins = |part: &str| message.starts_with(part);
    let syntax = |code, at, text| Finding::error(code, at, text);

    if !value.is_empty() && is_comma_number(value) {
        return syntax("decimal_comma", value_span, Text::DecimalComma { text: value.into() })
            .hint(Text::WriteLine { line: format!("{key} = {}", value.replacen(',', ".", 1)) });
    }
    if begins("duplicate key") {
        let name = text.get(span.clone()).unwrap_or_default().to_owned();
        return if line.trim_start().starts_with('[') {
            syntax("duplicate_table", span, Text::DuplicateTable { name: name.clone() })
                .hint(Text::OneTableOnly { name })
        } else {
            syntax("duplicate_key", span, Text::DuplicateKey { key: name }).hint(Text::RemoveOne {})
        };
    }
    if begins("unclosed array") {
        return syntax("unclosed_list", span, Text::UnclosedList {}).hint(Text::CloseList {});
    }
    if begins("missing comma between array elements") {
        return syntax("missing_comma", span, Text::MissingComma {}).hint(Text::CommaOrClose {});
    }
    if begins("unclosed inline table") {
        return syntax("unclosed_braces", span, Text::UnclosedBraces {}).hint(Text::CloseBraces {});
    }
    if begins("missing comma between key-value pairs") {
        return syntax("missing_comma", span, Text::MissingComma {}).hint(Text::CommaBetween {});
    }
    if message.contains("escape") || message.contains("unicode value") {
        return syntax("bad_escape", span, Text::Backslash {}).hint(Text::SlashInstead {});
    }
    if begins("missing opening quote") || (value.starts_with(['"', '\'']) && quotes_open(value)) {
        return syntax("unclosed_quote", value_span.clone(), Text::UnclosedQuote {})
            .hint(Text::WriteLine { line: format!("{key} = \"{}\"", value.trim_matches(['"', '\'']).trim()) });
    }
    if begins("invalid unquoted key") {
        let at = offset + line.find(key).unwrap_or(0);
        let write = key.split('.').map(english_key).collect::<Vec<_>>().join(".");
        return syntax("bad_key", at..at + key.len(), Text::KeyWithMarks { key: key.into() })
            .hint(Text::WriteKey { key: write });
    }
    if value.is_empty() && line[..comment].contains('=') {
        return syntax("missing_value", span, Text::MissingValue { key: key.into() })
            .hint(Text::WriteLine { line: format!("{key} = \"...\"") });
    }
    if begins("string values must be quoted") || (begins("invalid") || begins("unexpected")) && is_bare_word(value) {
        return syntax("unquoted", value_span, Text::Unquoted { text: value.into() })
            .hint(Text::WriteLine { line: format!("{key} = \"{value}\"") });
    }
    if begins("key with no value")
        || begins("missing value")
        || begins("missing assignment")
        || begins("invalid key-value")
    {
        return if line.trim_start().ends_with(']') && !line.contains('=') {
            syntax("unclosed_table", span, Text::UnclosedTable {})
                .hint(Text::WriteLine { line: format!("[[{}]]", line.trim().trim_matches(['[', ']'])) })
        } else if line.contains(':') && !line.contains('=') {
            syntax("missing_equals", span, Text::MissingEquals {})
                .hint(Text::WriteLine { line: line[..comment].trim().replacen(':', " =", 1) })
        } else {
            syntax("missing_value", span, Text::MissingValue { key: key.into() }).hint(Text::CommentOrKey {})
        };
    }
    if begins("unexpected leading zero") {
        return syntax("unquoted", value_span, Text::Unquoted { text: value.into() })
            .hint(Text::WriteLine { line: format!("{key} = \"{value}\"") });
    }
    syntax("syntax", span, Text::Syntax { message: message.to_owned() }).hint(Text::SyntaxForm {})
}

/// The characters of a line that stand in no pair of plain quotes, with their bytes.
fn outside_quotes(line: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut open = None;
    line.char_indices().filter(move |(_, c)| match open {
        Some(quote) => {
            if *c == quote {
                open = None;
            }
            false
        }
        None => {
            if matches!(c, '"' | '\'') {
                open = Some(*c);
            }
            true
        }
    })
}

fn quotes_open(value: &str) -> bool {
    value.chars().next().is_some_and(|quote| value.matches(quote).count() % 2 == 1)
}

fn is_comma_number(value: &str) -> bool {
    value.split_once(',').is_some_and(|(whole, part)| {
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        digits(whole.trim_start_matches(['-', '+'])) && digits(part)
    })
}

fn is_bare_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(['"', '\'', '[', '{']) && value != "true" && value != "false"
}

/// Reads JSON: the tree, and what is wrong with its form.
pub fn read_json(text: &str) -> (Node, Vec<Finding>) {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let skipped = text.len() - body.len();
    let nothing = || Node { span: 0..0, value: Value::Table(Table::default()) };
    // The form is the library's to judge; what is well formed can be walked without surprises.
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(body) {
        let lines = LineIndex::new(text);
        let line = lines.line(text, error.line());
        let at = (line.start + error.column().saturating_sub(1)).min(text.len());
        let finding = Finding::error("syntax", at..at, Text::JsonSyntax { message: error.to_string() });
        return (nothing(), vec![finding]);
    }
    let mut walk = JsonWalk { text, at: skipped, findings: Vec::new() };
    let node = walk.value(0).unwrap_or_else(nothing);
    (node, walk.findings)
}

/// Walks text that is known to be JSON.
struct JsonWalk<'t> {
    text: &'t str,
    at: usize,
    findings: Vec<Finding>,
}

impl JsonWalk<'_> {
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        self.space();
        let start = self.at;
        if depth > MAX_DEPTH {
            self.findings.push(Finding::error("too_deep", start..start, Text::TooDeep { limit: MAX_DEPTH }));
            return None;
        }
        let value = match self.byte() {
            b'{' => {
                let mut table = Table::default();
                let mut seen: HashSet<String> = HashSet::new();
                self.at += 1;
                loop {
                    self.space();
                    match self.byte() {
                        b'"' => {}
                        b',' => {
                            self.at += 1;
                            continue;
                        }
                        _ => break,
                    }
                    let key_start = self.at;
                    let key = self.string()?;
                    let key_span = key_start..self.at;
                    self.space();
                    self.at += 1;
                    let node = self.value(depth + 1)?;
                    // Small tables are the rule; a set is only worth its while for large ones.
                    let twice = if table.entries.len() < 24 {
                        table.get(&key).is_some()
                    } else {
                        if seen.is_empty() {
                            seen.extend(table.entries.iter().map(|e| e.key.clone()));
                        }
                        !seen.insert(key.clone())
                    };
                    if twice {
                        let text = Text::DuplicateKey { key: key.clone() };
                        self.findings.push(Finding::error("duplicate_key", key_span, text).hint(Text::RemoveOne {}));
                    } else {
                        table.entries.push(Entry { key, key_span, node });
                    }
                }
                self.at += 1;
                Value::Table(table)
            }
            b'[' => {
                let mut list = Vec::new();
                self.at += 1;
                loop {
                    self.space();
                    match self.byte() {
                        b']' | 0 => break,
                        b',' => self.at += 1,
                        _ => list.push(self.value(depth + 1)?),
                    }
                }
                self.at += 1;
                Value::List(list)
            }
            b'"' => Value::Text(self.string()?),
            _ => {
                while !matches!(self.byte(), b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' | 0) {
                    self.at += 1;
                }
                match &self.text[start..self.at] {
                    "true" => Value::Flag(true),
                    "false" => Value::Flag(false),
                    "null" => Value::Null,
                    number => match number.parse() {
                        Ok(whole) => Value::Whole(whole),
                        Err(_) => Value::Real(number.parse().unwrap_or(f64::NAN)),
                    },
                }
            }
        };
        Some(Node { span: start..self.at, value })
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        let mut plain = true;
        while end < bytes.len() && bytes[end] != b'"' {
            if bytes[end] == b'\\' {
                plain = false;
                end += 1;
            }
            end += 1;
        }
        self.at = (end + 1).min(bytes.len());
        if plain {
            return self.text.get(start + 1..end).map(str::to_owned);
        }
        match serde_json::from_str(&self.text[start..self.at]) {
            Ok(text) => Some(text),
            Err(error) => {
                let text = Text::JsonSyntax { message: error.to_string() };
                self.findings.push(Finding::error("syntax", start..self.at, text));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_the_first_byte_whatever_the_editor_put_there() {
        let text = "\u{feff}a = 1\r\n\r\n[b]\r\n\tc = \"đ\"\r\n";
        let (node, findings) = read_toml(text);
        assert!(findings.is_empty());
        let Value::Table(root) = &node.value else { panic!() };
        assert_eq!(&text[root.get("a").unwrap().key_span.clone()], "a");
        let b = root.get("b").unwrap();
        assert_eq!(&text[b.node.span.clone()], "[b]");
        let Value::Table(inner) = &b.node.value else { panic!() };
        assert_eq!(&text[inner.get("c").unwrap().node.span.clone()], "\"đ\"");
    }

    #[test]
    fn what_is_not_closed_does_not_swallow_the_rest() {
        let text = "[a\nb = [1, 2 # two\n\nc = { d = 1\n[[e]\nf = ]\n";
        let (node, findings) = read_toml(text);
        let mut codes: Vec<_> = findings.iter().map(|f| (f.span.start, f.code)).collect();
        codes.sort_unstable();
        let (list, braces) = (text.find(" # two").unwrap(), text.find("\n[[e]").unwrap());
        let expected = [(2, "unclosed_table"), (list, "unclosed_list"), (braces, "unclosed_braces")];
        assert_eq!(codes[..3], expected);
        assert_eq!(codes[3].1, "unclosed_table");
        let Value::Table(root) = &node.value else { panic!() };
        let e = root.get("e").unwrap();
        assert_eq!(&text[e.key_span.clone()], "e");
    }

    #[test]
    fn json_knows_its_places_and_its_doubles() {
        let text = "{\"a\": [1, -2.5, \"x\\u0111\"], \"b\": {\"c\": null}, \"a\": true}";
        let (node, findings) = read_json(text);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].code, "duplicate_key");
        assert_eq!(findings[0].span.start, text.rfind("\"a\"").unwrap());
        let Value::Table(root) = &node.value else { panic!() };
        let Value::List(list) = &root.get("a").unwrap().node.value else { panic!() };
        assert_eq!(&text[list[1].span.clone()], "-2.5");
        assert!(matches!(&list[2].value, Value::Text(t) if t == "xđ"));
    }

    #[test]
    fn json_of_any_depth_is_refused_without_a_crash() {
        let text = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(read_json(&text).1.iter().any(|f| f.code == "too_deep" || f.code == "syntax"));
        let text = "a = ".to_owned() + &"[".repeat(10_000) + &"]".repeat(10_000);
        assert!(!read_toml(&text).1.is_empty());
    }

    #[test]
    fn a_lone_surrogate_is_a_finding() {
        assert_eq!(read_json("{\"a\": \"\\ud800\"}").1.len(), 1);
    }

    #[test]
    fn bytes_of_other_encodings_are_named() {
        let utf16: Vec<u8> = "a = 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&utf16).unwrap_err().code, "utf16");
        let tcvn = b"name = \"\xa7\xb5i\"\n";
        let finding = decode(tcvn).unwrap_err();
        assert_eq!((finding.code, finding.span), ("not_utf8", 8..9));
        assert_eq!(shown(tcvn).len(), tcvn.len());
    }
}
