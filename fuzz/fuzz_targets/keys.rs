//! Keys and signatures by anybody: no key but the right one ever says yes. The first line is a key as in
//! `public_keys`, the rest a signature file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loaxa::domain::signature::{self, Keys};

/// A real key, whose secret half nobody has.
const REAL: &str = "RWQ+UMYd4gbFu6xNYYXkYeg6kWpcJsdc9Sf5DOeBIsNtiDtSYvKKkuA4";
const LIST: &[u8] = br#"{"format":1,"source":"tinh","serial":1}"#;

fuzz_target!(|text: &str| {
    let (key, file) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(keys) = Keys::parse("tinh", &[key.to_owned()]) {
        let _ = signature::verify(LIST, file.as_bytes(), &keys, "tinh");
    }
    let keys = Keys::parse("tinh", &[REAL.to_owned()]).expect("a key");
    assert!(signature::verify(LIST, file.as_bytes(), &keys, "tinh").is_err(), "{file:?} signs");
});
