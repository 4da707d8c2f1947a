//! A list by anybody, by hand or published: it is refused with a finding that can be shown, or it can be planned.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use loaxa::domain::config::{Config, Language, read_config};
use loaxa::domain::document;
use loaxa::domain::findings::Severity;
use loaxa::domain::playlist::{Form, read_list};
use loaxa::domain::schedule::{InForce, Programme, Walk};
use loaxa::domain::signature;
use loaxa::domain::time::Wall;

static STATION: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let text = "[station]\nid = \"xa\"\nname = \"X\"\n[local]\nplaylist = \"l\"\nclips = \"c\"\n\
        [[source]]\nid = \"tinh\"\norigin = \"xa\"\nurl = \"https://x.example/playlist.json\"\n\
        public_keys = [\"RWQ+UMYd4gbFu6xNYYXkYeg6kWpcJsdc9Sf5DOeBIsNtiDtSYvKKkuA4\"]\n[output]\ndevice = \"null\"\n";
    Arc::new(read_config(text.as_bytes(), true).value.expect("a config"))
});

fuzz_target!(|bytes: &[u8]| {
    for (form, source) in [(Form::Local, "local"), (Form::Handwritten, "tinh"), (Form::Published, "tinh")] {
        let reading = read_list(bytes, form);
        let refused = reading.findings.iter().any(|f| f.severity == Severity::Error);
        assert_eq!(reading.value.is_none(), refused, "{:?}", reading.findings);
        let shown = document::shown(bytes);
        for finding in &reading.findings {
            assert!(!finding.render("list", &shown, Language::Vi).is_empty());
        }
        let Some(list) = reading.value else { continue };
        for wanted in signature::needed(&list).into_iter().chain(signature::spare(&list)) {
            // What becomes a file's name, or an address, stays where it belongs.
            assert!(signature::is_sha256(&wanted.sha256));
            assert!(!wanted.url.split('/').any(|part| part == ".." || part.is_empty()), "{:?}", wanted.url);
        }
        let since = Wall(1_664_600_000_000);
        let lists = [InForce { source: source.into(), list: Arc::new(list), since }];
        let Ok(programme) = Programme::new(STATION.clone(), &lists) else { continue };
        let mut walk = Walk::new(Arc::new(programme), since);
        for _ in 0..10 {
            if walk.next_before(since + 3 * 86_400_000).is_none() {
                break;
            }
        }
    }
});
