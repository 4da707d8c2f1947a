//! Audio by anybody through the decoder: it is refused or measured, within bounds, and it plays or not from any place
//! inside.
#![no_main]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use loaxa::edge::decoder::{self, LONGEST_MS, RATE_MAX, RATE_MIN};
use rustix::fs::{MemfdFlags, memfd_create};

fuzz_target!(|bytes: &[u8]| {
    let mut file = File::from(memfd_create("clip", MemfdFlags::CLOEXEC).expect("memory"));
    file.write_all(bytes).expect("memory");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let path = Path::new(&path);
    if let Ok(found) = decoder::measure(path) {
        assert!((RATE_MIN..=RATE_MAX).contains(&found.rate) && (1..=2).contains(&found.channels));
        assert!(found.duration_ms <= LONGEST_MS && found.frames > 0);
    }
    let place = bytes.first().map_or(0, |b| u64::from(*b) * 20);
    if let Ok(mut pcm) = decoder::open_verified(path, None, place) {
        let mut block = Vec::new();
        let mut frames = 0;
        while let Ok(n) = pcm.read(&mut block) {
            frames += n;
            block.clear();
            if n == 0 || frames > 10_000_000 {
                break;
            }
        }
    }
});
