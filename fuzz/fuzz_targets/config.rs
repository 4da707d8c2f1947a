//! A `station.toml` by anybody, with Notepad or without: it is refused with a finding that can be shown, or it is a
//! config.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loaxa::domain::config::{Language, read_config};
use loaxa::domain::document;
use loaxa::domain::findings::Severity;

fuzz_target!(|bytes: &[u8]| {
    for trial in [false, true] {
        let reading = read_config(bytes, trial);
        let refused = reading.findings.iter().any(|f| f.severity == Severity::Error);
        assert_eq!(reading.value.is_none(), refused, "{:?}", reading.findings);
        let shown = document::shown(bytes);
        for finding in &reading.findings {
            assert!(!finding.render("station.toml", &shown, Language::Vi).is_empty());
        }
    }
});
