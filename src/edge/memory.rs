//! Gives back the pages of the program itself that only start-up and sessions needed. A small box has little memory,
//! and most of a program's code runs once; what is needed again is read back from the file.

use std::fs;

/// Drops the resident pages of this program's code and constants. They are clean copies of the file: the kernel reads
/// back those that are used again. Where that does not work, nothing happens.
pub fn give_back_code() {
    let Ok(program) = fs::read_link("/proc/self/exe") else { return };
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    for line in maps.lines() {
        let mut fields = line.splitn(6, char::is_whitespace);
        let (Some(range), Some(rights), Some(offset)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let name = fields.nth(2).unwrap_or_default().trim();
        // Code, and the constants at the file's beginning: never written to. The constants behind the code hold
        // addresses that were filled in at start, which the file does not have.
        let clean = rights == "r-xp" || (rights == "r--p" && offset.bytes().all(|b| b == b'0'));
        if !clean || std::path::Path::new(name) != program {
            continue;
        }
        let Some((from, to)) = range.split_once('-') else { continue };
        let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)) else { continue };
        // SAFETY: the range is a mapping of this program's file that may only be read or run and is never written to,
        // so its pages equal the file's, and dropping them changes no byte that anybody can see.
        unsafe {
            libc::madvise(from as *mut libc::c_void, to.saturating_sub(from), libc::MADV_DONTNEED);
        }
    }
}
