//! Reads the machine's clocks: the only file that may. Whether the wall clock is believed is
//! `domain::time::TrustRules`' to say; here stands what it is told.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::config::Trust;
use crate::domain::time::{Belief, Clock, HOUR_MS, Now, Right, TrustRules, Wall, Why};

/// How long a reading of the kernel's synchronisation state is good for, nanoseconds.
const ASK_EVERY_NS: i64 = 1_000_000_000;

struct Judge {
    rules: TrustRules,
    belief: Belief,
}

/// Wall and boot time as the kernel has them, with a judgement of the wall clock.
pub struct MachineClock {
    judge: Mutex<Judge>,
    asked_at_ns: AtomicI64,
    synced: AtomicBool,
}

/// How the clock stands, for people.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What the daemon goes by.
    pub now: Now,
    /// Why it is believed or not.
    pub why: Why,
    /// What the machine's clock shows: another time while a leap is doubted.
    pub shown: Wall,
    /// The rules in force.
    pub rules: TrustRules,
}

impl MachineClock {
    /// A clock that trusts by the rules of a config; `floor` is the latest moment certainly passed.
    pub fn new(trust: Trust, hold_ms: i64, floor: Wall) -> MachineClock {
        let rules = TrustRules { trust, hold_ms, floor: floor.max(built()) };
        MachineClock {
            judge: Mutex::new(Judge { rules, belief: Belief::default() }),
            asked_at_ns: AtomicI64::new(i64::MIN),
            synced: AtomicBool::new(false),
        }
    }

    /// A clock for commands: its time is taken as it is.
    pub fn plain() -> MachineClock {
        MachineClock::new(Trust::Always, 72 * HOUR_MS, Wall(0))
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another config has come into force.
    pub fn set_rules(&self, trust: Trust, hold_ms: i64) {
        let mut judge = self.judge();
        judge.rules.trust = trust;
        judge.rules.hold_ms = hold_ms;
    }

    /// A later moment has certainly passed.
    pub fn raise_floor(&self, floor: Wall) {
        let mut judge = self.judge();
        judge.rules.floor = judge.rules.floor.max(floor);
    }

    /// The latest moment that has certainly passed.
    pub fn floor(&self) -> Wall {
        self.judge().rules.floor
    }

    /// An earlier run in this boot knew when the clock was right.
    pub fn remember(&self, right: Right) {
        self.judge().belief = Belief::since(right);
    }

    /// When the clock was last right in this boot.
    pub fn right(&self) -> Option<Right> {
        self.judge().belief.right().cloned()
    }

    /// A person vouches for what the machine's clock shows now.
    pub fn vouch(&self, by: String) {
        let (wall_ns, boot_ns) = read_ns();
        self.judge().belief.vouch(wall_ns, boot_ns, by);
    }

    /// How it stands and why.
    pub fn standing(&self) -> Standing {
        let (wall_ns, boot_ns) = read_ns();
        if boot_ns.saturating_sub(self.asked_at_ns.load(Relaxed)) >= ASK_EVERY_NS {
            self.asked_at_ns.store(boot_ns, Relaxed);
            self.synced.store(kernel_synced(), Relaxed);
        }
        let mut judge = self.judge();
        let rules = judge.rules;
        let (believed_ns, why) = judge.belief.look(&rules, wall_ns, boot_ns, self.synced.load(Relaxed));
        let now = Now { wall_ns: believed_ns, boot_ns, clock: why.state() };
        Standing { now, why, shown: Wall(wall_ns.div_euclid(1_000_000)), rules }
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Now {
        self.standing().now
    }

    fn floor(&self) -> Wall {
        self.judge().rules.floor
    }
}

/// Sets the machine's clock.
///
/// # Errors
/// What the system says: mostly that it is not permitted.
pub fn set_machine_clock(at: Wall) -> std::io::Result<()> {
    let time = rustix::time::Timespec { tv_sec: at.0.div_euclid(1_000), tv_nsec: at.0.rem_euclid(1_000) * 1_000_000 };
    Ok(rustix::time::clock_settime(rustix::time::ClockId::Realtime, time)?)
}

/// Wall and boot time in nanoseconds, the wall clock read between two readings of the boot clock so that the
/// pair belongs to one moment.
#[allow(clippy::disallowed_methods)] // the one place
fn read_ns() -> (i64, i64) {
    // Through the C library, so that a test may put a clock of its own before it.
    #[cfg(target_pointer_width = "64")]
    let ns = |id: libc::clockid_t| {
        let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `t` is a valid place for the answer and outlives the call.
        unsafe { libc::clock_gettime(id, &raw mut t) };
        t.tv_sec * 1_000_000_000 + t.tv_nsec
    };
    // The C library of a 32-bit machine counts to 2038.
    #[cfg(target_pointer_width = "32")]
    let ns = |id: libc::clockid_t| {
        use rustix::time::{ClockId, clock_gettime};
        let t = clock_gettime(if id == libc::CLOCK_REALTIME { ClockId::Realtime } else { ClockId::Boottime });
        t.tv_sec * 1_000_000_000 + t.tv_nsec
    };
    // The best of three: a thread that loses the processor between two readings must not look like a step.
    (0..3)
        .map(|_| {
            let before = ns(libc::CLOCK_BOOTTIME);
            let wall = ns(libc::CLOCK_REALTIME);
            let after = ns(libc::CLOCK_BOOTTIME);
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
