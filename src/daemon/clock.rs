//! Reads the machine's clocks: the only file that may. Whether the wall clock is believed is
//! `domain::time::TrustRules`' to say; here stands what it is told.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::domain::config::Trust;
use crate::domain::time::{Clock, ClockState, HOUR_MS, Now, TrustRules, Wall};

/// How long a reading of the kernel's synchronisation state is good for, nanoseconds.
const ASK_EVERY_NS: i64 = 1_000_000_000;

/// Wall and boot time as the kernel has them, with a judgement of the wall clock.
pub struct MachineClock {
    rules: Mutex<TrustRules>,
    asked_at_ns: AtomicI64,
    synced: AtomicBool,
    /// Boot time at which the wall clock was last known to be right; `i64::MIN`: never in this boot.
    right_at_ns: AtomicI64,
}

impl MachineClock {
    /// A clock that trusts by the rules of a config; `floor` is the latest moment certainly passed.
    pub fn new(trust: Trust, hold_ms: i64, floor: Wall) -> MachineClock {
        MachineClock {
            rules: Mutex::new(TrustRules { trust, hold_ms, floor: floor.max(built()) }),
            asked_at_ns: AtomicI64::new(i64::MIN),
            synced: AtomicBool::new(false),
            right_at_ns: AtomicI64::new(i64::MIN),
        }
    }

    /// A clock for commands: its time is taken as it is.
    pub fn plain() -> MachineClock {
        MachineClock::new(Trust::Always, 72 * HOUR_MS, Wall(0))
    }

    /// Another config has come into force.
    pub fn set_rules(&self, trust: Trust, hold_ms: i64) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.trust = trust;
        rules.hold_ms = hold_ms;
    }

    /// A later moment has certainly passed.
    pub fn raise_floor(&self, floor: Wall) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.floor = rules.floor.max(floor);
    }

    /// The latest moment that has certainly passed.
    pub fn floor(&self) -> Wall {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).floor
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Now {
        let (wall_ns, boot_ns) = read_ns();
        if boot_ns.saturating_sub(self.asked_at_ns.load(Relaxed)) >= ASK_EVERY_NS {
            self.asked_at_ns.store(boot_ns, Relaxed);
            self.synced.store(kernel_synced(), Relaxed);
        }
        let synced = self.synced.load(Relaxed);
        if synced {
            self.right_at_ns.store(boot_ns, Relaxed);
        }
        let right_at = self.right_at_ns.load(Relaxed);
        let ago_ms = (right_at != i64::MIN).then(|| (boot_ns - right_at) / 1_000_000);
        let rules = *self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Now { wall_ns, boot_ns, clock: ClockState::Unknown };
        Now { clock: rules.judge(now.wall(), synced, ago_ms), ..now }
    }
}

/// Wall and boot time in nanoseconds, the wall clock read between two readings of the boot clock so that the
/// pair belongs to one moment.
#[allow(clippy::disallowed_methods)] // the one place
fn read_ns() -> (i64, i64) {
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

/// Whether the kernel says that the wall clock follows a reference. Where asking is forbidden: no.
fn kernel_synced() -> bool {
    // SAFETY: adjtimex with no mode bits set only reads; `timex` is plain data for which all zeroes is valid, and
    // it outlives the call.
    let (state, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex.status)
    };
    state >= 0 && state != libc::TIME_ERROR && status & libc::STA_UNSYNC == 0
}

/// When this program was built: no clock that says less can be right.
fn built() -> Wall {
    Wall(env!("LOAXA_BUILT_S").parse::<i64>().unwrap_or(0) * 1_000)
}
