//! Reads the machine's clocks: the only file that may.

use crate::domain::time::{Clock, ClockState, Now};

/// Wall and boot time as the kernel has them; whether they can be believed is `domain::time`'s to say.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineClock;

/// Wall and boot time in nanoseconds, the wall clock read between two readings of the boot clock so that the
/// pair belongs to one moment.
#[allow(clippy::disallowed_methods)] // the one place
pub fn read_ns() -> (i64, i64) {
    use rustix::time::{ClockId, clock_gettime};
    let ns = |id| {
        let t = clock_gettime(id);
        t.tv_sec * 1_000_000_000 + t.tv_nsec
    };
    // The best of three: a thread that loses the processor between two readings must not look like a step.
    (0..3)
        .map(|_| {
            let before = ns(ClockId::Boottime);
            let wall = ns(ClockId::Realtime);
            let after = ns(ClockId::Boottime);
            (after - before, wall, before + (after - before) / 2)
        })
        .min()
        .map_or((0, 0), |(_, wall, boot)| (wall, boot))
}

impl Clock for MachineClock {
    fn now(&self) -> Now {
        let (wall_ns, boot_ns) = read_ns();
        Now { wall_ns, boot_ns, clock: ClockState::Held }
    }
}
