//! Keys and signatures by anybody: no key but the right one ever says yes.
//!
//! Each input is looked at three times: as a public key (its first line) with a signature file (the rest); as a
//! `keys.json` nobody signed; and as the versions of a `keys.json`, a line of `=` between them, each signed by both
//! people who keep root keys, because whoever gets past the signatures must not get further than the rules. Their
//! keys are made anew each time and stand in the input by name: `@a` and `@b` are roots, `@c` and `@d` may sign
//! lists, `@x` is a stranger's.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use loaxa::domain::config::Language;
use loaxa::domain::keyring::{KeysFile, Keyring, Roots, Signatures, id_of, peek_version};
use loaxa::domain::signature::{self, Keys, Standing};
use loaxa::domain::time::Zone;
use minisign::KeyPair;

/// A real key, whose secret half nobody has.
const REAL: &str = "RWQ+UMYd4gbFu6xNYYXkYeg6kWpcJsdc9Sf5DOeBIsNtiDtSYvKKkuA4";
const LIST: &[u8] = br#"{"format":1,"source":"tinh","serial":1}"#;

/// The keys by their names.
static PAIRS: LazyLock<Vec<(&str, KeyPair)>> = LazyLock::new(|| {
    let pair = |name| (name, KeyPair::generate_unencrypted_keypair().expect("a pair"));
    ["@a", "@b", "@c", "@d", "@x"].into_iter().map(pair).collect()
});
/// `@c`'s signature below the list.
static BY_C: LazyLock<Vec<u8>> = LazyLock::new(|| sign(LIST, &PAIRS[2].1));

fn sign(bytes: &[u8], by: &KeyPair) -> Vec<u8> {
    minisign::sign(None, &by.sk, bytes, Some("timestamp:1"), None).expect("a signature").to_string().into_bytes()
}

fuzz_target!(|text: &str| {
    let (key, file) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(keys) = Keys::parse("tinh", &[key.to_owned()]) {
        let _ = signature::verify(LIST, file.as_bytes(), &keys, "tinh");
    }
    let keys = Keys::parse("tinh", &[REAL.to_owned()]).expect("a key");
    assert!(signature::verify(LIST, file.as_bytes(), &keys, "tinh").is_err(), "{file:?} signs");
    let _ = Signatures::parse(text.as_bytes());
    let roots = Roots::new(&[REAL.to_owned()], 1).expect("a root");
    assert!(Keyring::first(&roots, "tinh", text.as_bytes(), file.as_bytes()).is_err(), "{file:?} signs keys");

    let mut named = text.to_owned();
    for (name, pair) in PAIRS.iter() {
        named = named.replace(name, &pair.pk.to_base64());
    }
    walk(&named);
});

/// The versions in turn, as a station takes them.
fn walk(versions: &str) {
    let [a, b, c] = [0, 1, 2].map(|n: usize| PAIRS[n].1.pk.to_base64());
    let pinned = Roots::new(&[a.clone(), b], 1).expect("roots");
    let mut ring: Option<Keyring> = None;
    let mut leaked = false;
    for document in versions.split("\n=\n").take(4) {
        let bytes = document.as_bytes();
        let Some(version) = peek_version(bytes) else {
            assert!(KeysFile::read(bytes, "tinh").is_err());
            continue;
        };
        // What is read is written again as it was.
        if let Ok(read) = KeysFile::read(bytes, "tinh") {
            let written = |file: &KeysFile| file.document(Zone::default()).into_bytes();
            let again = KeysFile::read(&written(&read), "tinh").expect("what was written");
            assert_eq!(written(&read), written(&again));
            assert_eq!(read.version, version);
        }

        let signatures = [sign(bytes, &PAIRS[0].1), sign(bytes, &PAIRS[1].1)].concat();
        let taken = match &ring {
            None => Keyring::first(&pinned, "tinh", bytes, &signatures),
            Some(ring) => ring.next(bytes, &signatures),
        };
        let next = match taken {
            Ok(next) => next,
            Err(refusal) => {
                assert!(!refusal.text(Language::Vi).say(Language::Vi).is_empty());
                continue;
            }
        };
        let file = next.file();
        assert_eq!(file.source, "tinh");
        // Nobody is skipped, and who signs from here on has said so.
        if let Some(before) = &ring {
            let same = next.version() == before.version() && next.sha256() == before.sha256();
            assert!(same || next.version() == before.version() + 1, "{} after {}", next.version(), before.version());
        }
        let known = file.roots.texts().iter().filter(|t| pinned.has(t)).count();
        assert!(known >= file.roots.threshold(), "in force without enough signatures");
        // Whoever watches over keys signs no lists.
        assert!(file.keys.iter().all(|k| !file.roots.has(&k.key)));
        assert!(file.keys.iter().all(|k| id_of(&k.key) != id_of(&a) || !file.roots.has(&a)));

        // A key in other hands stays so until a later version names it again.
        let entry = file.keys.iter().find(|k| id_of(&k.key) == id_of(&c));
        leaked = entry.map_or(leaked, |k| k.leaked);
        match signature::standing(LIST, &BY_C, &next.keys(), "tinh") {
            Ok(Standing::Leaked { .. }) => assert!(leaked),
            Ok(Standing::Between { from, until, .. }) => {
                assert!(!leaked && entry.is_some_and(|k| k.from == from && k.until == until));
            }
            Ok(Standing::Gone { .. }) => assert!(!leaked && entry.is_none()),
            Ok(Standing::Always) => panic!("a key of keys.json holds always"),
            Err(_) => assert!(entry.is_none() && !leaked),
        }
        ring = Some(next);
    }
}
