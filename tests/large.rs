//! A list of 10,000 clips is taken in and planned while people wait for nothing. The exact figure is that of
//! `cargo bench --profile release --bench planning`; here the code is not optimised and the bound is wide.

mod large_list;

use std::time::Duration;

#[test]
fn ten_thousand_clips_are_taken_in_and_planned_at_once() {
    let large = large_list::make(10_000);
    assert!((3_500_000..8 << 20).contains(&large.body.len()), "{}", large.body.len());
    let took = large.through();
    println!("{} bytes: {took:?}", large.body.len());
    let most = if cfg!(debug_assertions) { 10_000 } else { 400 };
    assert!(took.all() < Duration::from_millis(most), "{took:?}");
}
