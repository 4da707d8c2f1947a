//! Keys and signatures by anybody: no key but the right one ever says yes. The first line is a key as in
//! `public_keys`, the rest a signature file; the whole is looked at as a `keys.json` as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loaxa::domain::keyring::{KeysFile, Keyring, Roots, Signatures};
use loaxa::domain::signature::{self, Keys};
use loaxa::domain::time::Zone;

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

    // keys.json: what is read is written again as it was, and nobody but the roots signs it.
    let written = |file: &KeysFile| file.document(Zone::default()).into_bytes();
    if let Ok(read) = KeysFile::read(text.as_bytes(), "tinh") {
        let again = KeysFile::read(&written(&read), "tinh").expect("what was written");
        assert_eq!(written(&read), written(&again));
    }
    let _ = Signatures::parse(text.as_bytes());
    let roots = Roots::new(&[REAL.to_owned()], 1).expect("a root");
    assert!(Keyring::first(&roots, "tinh", text.as_bytes(), file.as_bytes()).is_err(), "{file:?} signs keys");
});
