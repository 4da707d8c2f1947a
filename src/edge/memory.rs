//! Keeps the daemon small. A small box has little memory, most of a program's code runs once, and what one session
//! needed another needs again only minutes later.

use std::fs;

/// Blocks of at least so many bytes get pages of their own, which go back as soon as they are freed: a clip's ring,
/// a decoder's tables, a list that was read.
#[cfg(target_env = "gnu")]
const OWN_PAGES_BYTES: libc::c_int = 64 * 1024;
/// Heaps that threads share between them: one waits for another only for as long as an allocation takes.
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 2;

/// Tells the C library to keep few heaps and to give back what is freed. To be called before there are threads. It
/// would rather give each thread a heap of its own, which keeps what its busiest moment needed, and learn from a large
/// block freed to keep the next one.
pub fn be_frugal() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the calls only set numbers of the allocator; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_PAGES_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, OWN_PAGES_BYTES);
    }
}

/// Gives back what only start-up, a session or a transfer needed: free pages of the heaps, and resident pages of the
/// code and constants of this program and of the libraries it has loaded. The latter are clean copies of the files:
/// the kernel maps those again that are used again. Never while anything sounds: what sounds would wait for them.
/// Where something of it does not work, nothing happens.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes the allocator's own locks and touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    for (from, to) in maps.lines().filter_map(clean_pages) {
        // SAFETY: the range is a mapping of a file that may only be read or run and is never written to, so its pages
        // equal the file's, and dropping them changes no byte that anybody can see.
        unsafe {
            libc::madvise(from as *mut libc::c_void, to.saturating_sub(from), libc::MADV_DONTNEED);
        }
    }
}

/// The addresses of a line of `/proc/self/maps`, when it is a program's or a library's code, or the constants at its
/// file's beginning: never written to. The constants behind the code hold addresses that were filled in when it was
/// loaded, which the file does not have.
fn clean_pages(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.splitn(6, char::is_whitespace);
    let (range, rights, offset) = (fields.next()?, fields.next()?, fields.next()?);
    let of_file = fields.nth(2).is_some_and(|name| name.trim().starts_with('/'));
    let clean = rights == "r-xp" || (rights == "r--p" && offset.bytes().all(|b| b == b'0'));
    let (from, to) = range.split_once('-').filter(|_| of_file && clean)?;
    Some((usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_equals_its_file_is_given_back() {
        let code = "55d0-55e0 r-xp 00001000 fe:00 131 /usr/local/bin/loaxa";
        assert_eq!(clean_pages(code), Some((0x55d0, 0x55e0)));
        let head = "55c0-55d0 r--p 00000000 fe:00 131                        /usr/lib/libasound.so.2.0.0 (deleted)";
        assert_eq!(clean_pages(head), Some((0x55c0, 0x55d0)));
        for line in [
            "55e0-55f0 r--p 00002000 fe:00 131 /usr/local/bin/loaxa",
            "55f0-5600 rw-p 00003000 fe:00 131 /usr/local/bin/loaxa",
            "5600-5610 rw-p 00000000 00:00 0 [heap]",
            "7ff0-7ff1 r-xp 00000000 00:00 0 [vdso]",
            "7fe0-7ff0 r--p 00000000 00:00 0",
            "",
        ] {
            assert_eq!(clean_pages(line), None, "{line}");
        }
    }

    #[test]
    fn a_program_goes_on_after_giving_back() {
        let kept = vec![7u8; 1_000_000];
        give_back();
        give_back();
        assert!(kept.iter().all(|b| *b == 7));
        assert_eq!("loaxa".to_uppercase(), "LOAXA");
    }
}
