//! Cron text by anybody: it is refused, or it has next occurrences, each later than the one before.
#![no_main]

use chrono::NaiveDate;
use libfuzzer_sys::fuzz_target;
use loaxa::domain::cron::Cron;

fuzz_target!(|text: &str| {
    let Ok(cron) = Cron::parse(text) else { return };
    let mut at = NaiveDate::from_ymd_opt(2024, 2, 28).and_then(|d| d.and_hms_opt(23, 59, 58)).expect("a moment");
    for _ in 0..20 {
        let Some(next) = cron.next_after(at) else { return };
        assert!(next > at, "{text:?}: {next} is not after {at}");
        at = next;
    }
});
