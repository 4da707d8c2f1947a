//! One row's text taken apart without copying it, and its hash recomputed over the very bytes.
//!
//! Never through `serde_json::Value`: it would be slow, and a number that is parsed and printed again may come out in
//! other digits. A scan finds where each key and value stands in the text, demands that every string and number is
//! written the one way loaxa writes it, and hashes the very bytes, keys sorted. So a flipped bit anywhere in a row is
//! seen: inside a value by the hash, outside by the scan.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::domain::airing::{Outcome, Reason, unhex32};
use crate::domain::time::Wall;

/// Deepest nesting a row may have. loaxa writes three levels.
const MAX_DEPTH: u32 = 32;

/// A row's text with its keys and values found, nothing copied.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Row<'a> {
    /// Takes a row's text apart. None when it is not one JSON object written the way loaxa writes it: no white
    /// space, every string in its shortest escapes, no key twice.
    pub fn parse(text: &'a str) -> Option<Row<'a>> {
        let mut scan = Scan { text, at: 0 };
        let mut fields = Vec::with_capacity(48);
        scan.object(0, |key, value| fields.push((key, value)))?;
        (scan.at == text.len()).then_some(Row { fields })
    }

    /// The value of a key as written, quotes included.
    pub fn raw(&self, key: &str) -> Option<&'a str> {
        self.fields.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }

    /// The value of a key when it is a string.
    pub fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        unquote(self.raw(key)?)
    }

    /// The value of a key when it is a whole number.
    pub fn int(&self, key: &str) -> Option<i64> {
        self.raw(key)?.parse().ok()
    }

    /// The value of a key when it is a time.
    pub fn time(&self, key: &str) -> Option<Wall> {
        let text = self.text(key)?;
        written_time(text.as_bytes()).or_else(|| Wall::parse_rfc3339(&text))
    }

    /// The value of a key when it is 32 bytes in lower-case hexadecimal.
    pub fn hash(&self, key: &str) -> Option<[u8; 32]> {
        let text = self.text(key)?;
        text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then(|| unhex32(&text))?
    }

    /// The row's number.
    pub fn seq(&self) -> Option<u64> {
        self.raw("seq")?.parse().ok()
    }

    /// The outcome, when the row has a known one.
    pub fn outcome(&self) -> Option<Outcome> {
        let key = self.text("outcome")?;
        Outcome::ALL.into_iter().find(|o| o.key() == key)
    }

    /// The reason, when the row has a known one.
    pub fn reason(&self) -> Option<Reason> {
        let key = self.text("reason")?;
        Reason::ALL.into_iter().find(|r| r.key() == key)
    }

    /// SHA-256(prev_hash bytes || canonical JSON of the row without `hash`), from the text itself. `scratch` is
    /// reused from row to row. Equal to [`crate::domain::airing::hash_of`] on the row parsed. None when a key
    /// stands twice.
    pub fn recomputed_hash(&self, prev_hash: &[u8; 32], scratch: &mut Scratch) -> Option<[u8; 32]> {
        let Scratch { text, order } = scratch;
        text.clear();
        // Rows of one type have their keys in one order: the sorting of the last row mostly fits.
        let fits = order.len() == self.fields.len()
            && order.windows(2).all(|w| self.fields[w[0]].0 < self.fields[w[1]].0)
            && !self.fields.iter().any(|(k, _)| k.contains('\\'));
        if fits {
            text.push('{');
            for (key, value) in order.iter().map(|i| self.fields[*i]).filter(|(k, _)| *k != "hash") {
                if text.len() > 1 {
                    text.push(',');
                }
                text.push('"');
                text.push_str(key);
                text.push_str("\":");
                write_value(value, text)?;
            }
            text.push('}');
        } else {
            write_object(self.fields.clone(), Some("hash"), text)?;
            order.clear();
            order.extend(0..self.fields.len());
            order.sort_unstable_by_key(|i| self.fields[*i].0);
        }
        let mut hasher = Sha256::new();
        hasher.update(prev_hash);
        hasher.update(text.as_bytes());
        Some(hasher.finalize().into())
    }
}

/// What is reused from row to row while hashes are recomputed.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    text: String,
    /// The places of the last row's keys, sorted.
    order: Vec<usize>,
}

/// A time in the one form that rows use, `2022-10-05T05:35:35.000+07:00`, without the general reader. None for any
/// other form, and for what is no time.
fn written_time(text: &[u8]) -> Option<Wall> {
    let text: &[u8; 29] = text.try_into().ok()?;
    let number = |at: usize, n: usize| {
        text[at..at + n].iter().try_fold(0i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
    };
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b':')] {
        if text[at] != mark {
            return None;
        }
    }
    let east = match text[23] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second, ms) = (number(11, 2)?, number(14, 2)?, number(17, 2)?, number(20, 3)?);
    let (off_hour, off_minute) = (number(24, 2)?, number(27, 2)?);
    // Ends of months and leap seconds are left to the general reader.
    let plain = (1..=12).contains(&month) && (1..=28).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !plain || off_hour > 23 || off_minute > 59 {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, years beginning in March.
    let (year, shifted) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * shifted + 2) / 5 + day
            - 719_469;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - east * (off_hour * 3_600 + off_minute * 60);
    Some(Wall(seconds * 1_000 + ms))
}

/// How many bytes at the beginning of `bytes` are neither a quote nor a backslash nor a control character. None when
/// all are.
fn plain_run(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Eight at a time: a byte that is nought after the XOR, or under 0x20, sets its highest bit. What borrows from a
    // lower byte comes after one that is meant, so the first is right.
    let less = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (i, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let met =
            less(word ^ (ONES * u64::from(b'"')), 1) | less(word ^ (ONES * u64::from(b'\\')), 1) | less(word, 0x20);
        if met != 0 {
            return Some(i * 8 + met.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20))?;
    Some(bytes.len() - rest.len() + at)
}

/// The canonical form of a text that [`Row::parse`] accepts: keys sorted at every depth. None when it does not,
/// or when a key stands twice.
pub fn canonical_text(text: &str) -> Option<String> {
    let row = Row::parse(text)?;
    let mut out = String::with_capacity(text.len());
    write_object(row.fields, None, &mut out)?;
    Some(out)
}

/// What a quoted string says.
fn unquote(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

fn write_object(mut fields: Vec<(&str, &str)>, without: Option<&str>, out: &mut String) -> Option<()> {
    if fields.iter().any(|(k, _)| k.contains('\\')) {
        // Escaped keys sort by what they say, not by how it is written.
        let says = |key: &str| unquote(&format!("\"{key}\"")).map(Cow::into_owned).unwrap_or_default();
        fields.sort_by_cached_key(|(k, _)| says(k));
    } else {
        fields.sort_unstable_by_key(|(k, _)| *k);
    }
    if fields.windows(2).any(|w| w[0].0 == w[1].0) {
        return None;
    }
    out.push('{');
    let mut first = true;
    for (key, value) in fields {
        if without == Some(key) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        out.push('"');
        out.push_str(key);
        out.push_str("\":");
        write_value(value, out)?;
    }
    out.push('}');
    Some(())
}

fn write_value(value: &str, out: &mut String) -> Option<()> {
    match value.as_bytes().first() {
        Some(b'{') => {
            let mut fields = Vec::new();
            Scan { text: value, at: 0 }.object(0, |k, v| fields.push((k, v)))?;
            write_object(fields, None, out)?;
        }
        Some(b'[') => {
            let mut items = Vec::new();
            Scan { text: value, at: 0 }.array(0, |v| items.push(v))?;
            out.push('[');
            for (i, item) in items.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, out)?;
            }
            out.push(']');
        }
        _ => out.push_str(value),
    }
    Some(())
}

/// A strict scan over JSON as loaxa writes it. Every method is none when the text is something else.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn object(&mut self, depth: u32, mut each: impl FnMut(&'a str, &'a str)) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.eat(b'{')?;
        if self.eat(b'}').is_some() {
            return Some(());
        }
        loop {
            let quoted = self.string()?;
            let key = &quoted[1..quoted.len() - 1];
            self.eat(b':')?;
            let value = self.value(depth)?;
            each(key, value);
            if self.eat(b',').is_none() {
                return self.eat(b'}');
            }
        }
    }

    fn array(&mut self, depth: u32, mut each: impl FnMut(&'a str)) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.eat(b'[')?;
        if self.eat(b']').is_some() {
            return Some(());
        }
        loop {
            each(self.value(depth)?);
            if self.eat(b',').is_none() {
                return self.eat(b']');
            }
        }
    }

    fn value(&mut self, depth: u32) -> Option<&'a str> {
        let begin = self.at;
        match self.peek()? {
            b'"' => return self.string(),
            b'{' => self.object(depth + 1, |_, _| ())?,
            b'[' => self.array(depth + 1, |_| ())?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => {
                let word = ["null", "true", "false"].into_iter().find(|w| self.text[begin..].starts_with(w))?;
                self.at += word.len();
            }
        }
        Some(&self.text[begin..self.at])
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.eat(b'-');
        let zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if zero && whole > 1 {
            return None;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if self.eat(b'e').is_some() {
            if self.eat(b'+').is_none() {
                let _ = self.eat(b'-');
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<usize> {
        let begin = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > begin).then_some(self.at - begin)
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let begin = self.at;
        self.eat(b'"')?;
        loop {
            // Most of a row is plain text: run over it.
            self.at += plain_run(&bytes[self.at..])?;
            match bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Some(&self.text[begin..self.at]);
                }
                b'\\' => match *bytes.get(self.at + 1)? {
                    b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
                    b'u' => {
                        // Only what has no shorter escape, in lower case.
                        let code = bytes.get(self.at + 2..self.at + 6)?;
                        let last = code[3];
                        let short = code[2] == b'0' && matches!(last, b'8' | b'9' | b'a' | b'c' | b'd');
                        if !code.starts_with(b"00")
                            || !matches!(code[2], b'0' | b'1')
                            || !matches!(last, b'0'..=b'9' | b'a'..=b'f')
                            || short
                        {
                            return None;
                        }
                        self.at += 6;
                    }
                    _ => return None,
                },
                // A control character must be escaped.
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::domain::airing::{canonical_json, hash_of};

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("[\\x00-\\x7fĐạ]{0,3}", inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_scan_agrees_with_the_plain_way(pairs in prop::collection::vec((any::<String>(), any_json()), 0..8)) {
            let map: Map<String, Value> = pairs.into_iter().collect();
            let text = Value::Object(map.clone()).to_string();
            prop_assert_eq!(canonical_text(&text), Some(canonical_json(&map)));
            let row = Row::parse(&text).unwrap();
            let mut without = map.clone();
            without.shift_remove("hash");
                        let mut scratch = Scratch::default();
            // The second time by the order that the first has left.
            for _ in 0..2 {
                prop_assert_eq!(row.recomputed_hash(&[7; 32], &mut scratch), Some(hash_of(&without, &[7; 32])));
            }
        }

        #[test]
        fn a_written_time_is_read_like_any_other(ms in 0i64..4_102_444_800_000, east in -14i64..14) {
            let zone = chrono::FixedOffset::east_opt(east as i32 * 3_600 + 1_800).unwrap();
            let text = chrono::DateTime::from_timestamp_millis(ms).unwrap().with_timezone(&zone);
            let text = text.format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
            prop_assert!(matches!(written_time(text.as_bytes()), Some(Wall(t)) if t == ms) || text[8..10] > *"28");
            prop_assert_eq!(Wall::parse_rfc3339(&text), Some(Wall(ms)));
        }

        #[test]
        fn plain_text_is_run_over_up_to_what_ends_it(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let plainly = bytes.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(plain_run(&bytes), plainly);
        }

        #[test]
        fn the_scan_never_panics(text in any::<String>(), cut in 0usize..400) {
            let _ = Row::parse(&text);
            let sound = r#"{"a":[{"b":-1.5e-7,"c":"Đ\u001f\n\""},[],{}],"hash":null,"d":true}"#;
            if sound.is_char_boundary(cut.min(sound.len())) && cut < sound.len() {
                prop_assert!(Row::parse(&sound[..cut]).is_none());
            }
        }
    }

    #[test]
    fn what_loaxa_would_write_otherwise_is_refused() {
        for bad in [
            r#"{"a": 1}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":1E3}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\u001F"}"#,
            r#"{"a":"\u0009"}"#,
            r#"{"a":"\/"}"#,
            r#"{"a":nul}"#,
            r#"{"a":1}x"#,
            r#"{"a":1,}"#,
            "{\"a\":\"\t\"}",
            "[1]",
            "",
        ] {
            assert!(Row::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(canonical_text(r#"{"a":1,"a":2}"#), None);
        let deep = "[".repeat(100_000);
        assert!(Row::parse(&format!("{{\"a\":{deep}")).is_none());
    }
}
