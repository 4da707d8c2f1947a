//! Times from the sound library of a 32-bit ARM board, whichever width it hands them out in.
//!
//! Debian 13 built its sound library for such boards with times of 64 bits, Debian 12 and everything before with 32,
//! under the same names. The bindings below [`crate::edge::speaker`] know the narrow ones only: on Debian 13 each
//! answer would run eight bytes over the end of a variable on the stack, at every buffer. The three calls they make
//! are answered here instead: the library writes into a place that is wide enough for either, and what it left
//! untouched says which of the two it is. So one program suits both.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// What the bindings expect: `struct timespec` of 32 bits.
#[repr(C)]
pub struct Narrow {
    seconds: i32,
    nanoseconds: i32,
}

/// Room for the wide one (seconds of 64 bits, nanoseconds, padding), filled with what no nanoseconds can be.
type Room = [u32; 4];
const UNTOUCHED: u32 = u32::MAX;

type Answer = unsafe extern "C" fn(status: *const c_void, out: *mut Room);

fn narrow(room: Room) -> Narrow {
    let nanoseconds = if room[2] == UNTOUCHED { room[1] } else { room[2] };
    // Time since the board was switched on: 32 bits hold 68 years of it.
    Narrow { seconds: room[0].cast_signed(), nanoseconds: nanoseconds.cast_signed() }
}

/// Asks the library's own function of that name.
///
/// # Safety
/// As for the library's: `status` is one of its own, `out` a place for a narrow time.
unsafe fn ask(name: &CStr, found: &AtomicPtr<c_void>, status: *const c_void, out: *mut Narrow) {
    let mut theirs = found.load(Relaxed);
    if theirs.is_null() {
        // SAFETY: the name ends in a nought; the answer is the next definition behind this program's own.
        theirs = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        found.store(theirs, Relaxed);
    }
    let mut room = [UNTOUCHED; 4];
    if theirs.is_null() {
        room = [0; 4];
    } else {
        // SAFETY: the library's function of this name takes these two, and writes at most the 16 bytes of `room`.
        unsafe { std::mem::transmute::<*mut c_void, Answer>(theirs)(status, &raw mut room) };
    }
    // SAFETY: the caller's place for a narrow time.
    unsafe { ptr::write(out, narrow(room)) };
}

macro_rules! answers {
    ($($function:ident = $name:literal;)*) => {$(
        /// The library's function of the same name, for callers that know narrow times only.
        ///
        /// # Safety
        /// As for the library's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $function(status: *const c_void, out: *mut Narrow) {
            static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
            // SAFETY: passed on as it came.
            unsafe { ask($name, &FOUND, status, out) }
        }
    )*

    // A linker takes the first definition it meets and leaves out what nobody names: named here, and by the speaker.
    #[used]
    static ANSWERS: [unsafe extern "C" fn(*const c_void, *mut Narrow); 3] = [$($function),*];
    };
}

answers! {
    snd_pcm_status_get_htstamp = c"snd_pcm_status_get_htstamp";
    snd_pcm_status_get_trigger_htstamp = c"snd_pcm_status_get_trigger_htstamp";
    snd_pcm_status_get_audio_htstamp = c"snd_pcm_status_get_audio_htstamp";
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn snd_pcm_status_malloc(status: *mut *mut c_void) -> i32;
        fn snd_pcm_status_sizeof() -> usize;
    }

    /// With the library that is on this machine, narrow or wide.
    #[test]
    fn an_answer_stays_in_its_place() {
        let mut status = ptr::null_mut();
        // SAFETY: the library's own way to make a status; it is filled with values that are told apart, and never
        // given back.
        unsafe {
            assert_eq!(snd_pcm_status_malloc(&raw mut status), 0);
            let words = status.cast::<u32>();
            for i in 0..snd_pcm_status_sizeof() / 4 {
                words.add(i).write(i as u32 + 1);
            }
        }
        for answer in ANSWERS {
            let mut places = [7u32; 6];
            // SAFETY: a place for a narrow time, with more of the same on either side.
            unsafe { answer(status, (&raw mut places[2]).cast()) };
            assert_eq!((&places[..2], &places[4..]), (&[7, 7][..], &[7, 7][..]), "{places:?}");
            // Seconds first, nanoseconds one word (narrow) or two (wide) behind.
            assert!(places[2] > 0 && matches!(places[3] - places[2], 1 | 2), "{places:?}");
        }
    }

    #[test]
    fn wide_and_narrow_come_to_the_same() {
        for room in [[5, 6, UNTOUCHED, UNTOUCHED], [5, 0, 6, UNTOUCHED], [5, 0, 6, 0]] {
            let time = narrow(room);
            assert_eq!((time.seconds, time.nanoseconds), (5, 6));
        }
    }
}
