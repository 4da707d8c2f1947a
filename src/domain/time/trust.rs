//! Whether the wall clock is believed, and what is believed in its place.

use serde::{Deserialize, Serialize};

use super::{ClockState, HOUR_MS, MINUTE_MS, Wall};

/// A step longer than this, after the clock has once been right, is believed only at a second look, milliseconds.
pub const DOUBTED_STEP_MS: i64 = HOUR_MS;
/// The second look comes so long after the step, milliseconds.
pub const SECOND_LOOK_MS: i64 = 10 * MINUTE_MS;

/// What decides whether the wall clock is believed (`docs/time.md`).
#[derive(Clone, Copy, Debug)]
pub struct TrustRules {
    /// `[time] trust`
    pub trust: crate::domain::config::Trust,
    /// `[time] hold`, milliseconds.
    pub hold_ms: i64,
    /// The latest moment that has certainly passed: build, last row, issue of the accepted lists.
    pub floor: Wall,
}

/// Why the wall clock is believed, or is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// The config says so: a trial.
    Always,
    /// The kernel follows a reference.
    Synced,
    /// It did so long ago, milliseconds, or a person vouched then.
    RightBefore {
        /// How long ago, milliseconds.
        ago_ms: i64,
        /// Who vouched.
        by: Option<String>,
    },
    /// A clock with a battery vouches.
    Rtc,
    /// Not believed: it shows less than what has certainly passed.
    BelowFloor,
    /// Not believed: it leapt by more than an hour and waits for a second look.
    Leapt {
        /// By how much, milliseconds, positive forward.
        step_ms: i64,
        /// The second look comes after so long, milliseconds; 0: it waits for the kernel to say that it is right.
        left_ms: i64,
    },
    /// Not believed: it was right longer ago than `[time] hold`, milliseconds.
    TooLongAgo {
        /// How long ago, milliseconds.
        ago_ms: i64,
    },
    /// Not believed: nobody has ever vouched in this boot.
    Never,
}

impl Why {
    /// What rows say of such a clock.
    pub fn state(&self) -> ClockState {
        match self {
            Why::Synced => ClockState::Synced,
            Why::Always | Why::RightBefore { .. } | Why::Rtc => ClockState::Held,
            Why::BelowFloor | Why::Leapt { .. } | Why::TooLongAgo { .. } | Why::Never => ClockState::Unknown,
        }
    }
}

/// When the wall clock was last known to be right, by the boot clock: holds within one boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    /// Boot time of that moment, nanoseconds.
    pub at_ns: i64,
    /// Wall time less boot time, nanoseconds, as last seen.
    pub offset_ns: i64,
    /// The person who vouched; none: the kernel did.
    pub by: Option<String>,
}

/// A leap that waits for its second look.
#[derive(Clone, Debug)]
struct Doubt {
    since_ns: i64,
    offset_ns: i64,
    before: Right,
}

/// What is remembered from one look at the clock to the next. While a leap is doubted time goes on along the line it
/// leapt from, so that a forged leap settles nothing that is still to come.
#[derive(Clone, Debug, Default)]
pub struct Belief {
    right: Option<Right>,
    doubt: Option<Doubt>,
}

impl Belief {
    /// Goes on from what an earlier run of the program knew in this boot.
    pub fn since(right: Right) -> Belief {
        Belief { right: Some(right), doubt: None }
    }

    /// When the clock was last right, for the next run in this boot.
    pub fn right(&self) -> Option<&Right> {
        self.doubt.as_ref().map(|d| &d.before).or(self.right.as_ref())
    }

    /// A person says that the clock is right.
    pub fn vouch(&mut self, wall_ns: i64, boot_ns: i64, by: String) {
        self.right = Some(Right { at_ns: boot_ns, offset_ns: wall_ns - boot_ns, by: Some(by) });
        self.doubt = None;
    }

    /// Looks at both clocks and judges. `synced`: what the kernel says. Answers the wall time to go by, nanoseconds,
    /// and why it is believed or not.
    pub fn look(&mut self, rules: &TrustRules, wall_ns: i64, boot_ns: i64, synced: bool) -> (i64, Why) {
        use crate::domain::config::Trust;
        if rules.trust == Trust::Always {
            return (wall_ns, Why::Always);
        }
        let offset_ns = wall_ns - boot_ns;
        let far = |other_ns: i64| (offset_ns - other_ns).abs() > DOUBTED_STEP_MS * 1_000_000;
        let below_floor = Wall(wall_ns.div_euclid(1_000_000)) < rules.floor;
        if let Some(doubt) = &mut self.doubt {
            let vouched = !below_floor && (synced || rules.trust == Trust::Rtc);
            if !far(doubt.before.offset_ns) {
                // It is back: nothing happened.
                self.right = self.doubt.take().map(|d| d.before);
            } else if far(doubt.offset_ns) {
                (doubt.since_ns, doubt.offset_ns) = (boot_ns, offset_ns);
            } else if vouched && boot_ns - doubt.since_ns >= SECOND_LOOK_MS * 1_000_000 {
                self.doubt = None;
            }
        }
        if self.doubt.is_none()
            && let Some(before) = self.right.take_if(|r| far(r.offset_ns))
        {
            self.doubt = Some(Doubt { since_ns: boot_ns, offset_ns, before });
        }
        if let Some(doubt) = &self.doubt {
            let left_ms = SECOND_LOOK_MS - (boot_ns - doubt.since_ns) / 1_000_000;
            let step_ms = (offset_ns - doubt.before.offset_ns) / 1_000_000;
            return (boot_ns + doubt.before.offset_ns, Why::Leapt { step_ms, left_ms: left_ms.max(0) });
        }
        if below_floor {
            return (wall_ns, Why::BelowFloor);
        }
        if synced {
            self.right = Some(Right { at_ns: boot_ns, offset_ns, by: None });
            return (wall_ns, Why::Synced);
        }
        let ago_ms = self.right.as_mut().map(|right| {
            right.offset_ns = offset_ns;
            (boot_ns - right.at_ns) / 1_000_000
        });
        let why = match ago_ms {
            Some(ago_ms) if ago_ms <= rules.hold_ms => {
                Why::RightBefore { ago_ms, by: self.right.as_ref().and_then(|r| r.by.clone()) }
            }
            _ if rules.trust == Trust::Rtc => Why::Rtc,
            Some(ago_ms) => Why::TooLongAgo { ago_ms },
            None => Why::Never,
        };
        (wall_ns, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> Wall {
        Wall::parse_rfc3339(text).unwrap()
    }

    fn rules(trust: crate::domain::config::Trust) -> TrustRules {
        TrustRules { trust, hold_ms: 72 * HOUR_MS, floor: wall("2026-01-01T00:00:00Z") }
    }

    /// A machine that booted at `booted`, by a right clock: what is believed `ms` later with the wall clock off by
    /// `off_ms`.
    fn look(
        belief: &mut Belief,
        trust: crate::domain::config::Trust,
        ms: i64,
        off_ms: i64,
        synced: bool,
    ) -> (i64, Why) {
        let wall_ns = (wall("2026-05-01T00:00:00Z").0 + ms + off_ms) * 1_000_000;
        let (seen_ns, why) = belief.look(&rules(trust), wall_ns, ms * 1_000_000, synced);
        (seen_ns / 1_000_000 - wall("2026-05-01T00:00:00Z").0 - ms, why)
    }

    #[test]
    fn the_clock_is_believed_for_a_while_after_it_was_right_and_never_below_the_floor() {
        use crate::domain::config::Trust;
        let in_1970 = wall("1970-01-01T00:00:20Z") - wall("2026-05-01T00:00:00Z");
        let judge = |trust, off_ms, synced, ago_ms: Option<i64>| {
            let mut belief = Belief::default();
            if ago_ms.is_some() {
                look(&mut belief, trust, 0, 0, true);
            }
            look(&mut belief, trust, ago_ms.unwrap_or(0), off_ms, synced).1.state()
        };
        assert_eq!(judge(Trust::Auto, 0, true, None), ClockState::Synced);
        assert_eq!(judge(Trust::Auto, 0, false, None), ClockState::Unknown);
        assert_eq!(judge(Trust::Auto, 0, false, Some(72 * HOUR_MS)), ClockState::Held);
        assert_eq!(judge(Trust::Auto, 0, false, Some(72 * HOUR_MS + 1)), ClockState::Unknown);
        assert_eq!(judge(Trust::Rtc, 0, false, None), ClockState::Held);
        assert_eq!(judge(Trust::Rtc, in_1970, true, None), ClockState::Unknown);
        assert_eq!(judge(Trust::Always, in_1970, false, None), ClockState::Held);
    }

    #[test]
    fn the_first_leap_is_believed_at_once_and_a_later_one_at_the_second_look() {
        use crate::domain::config::Trust::Auto;
        let mut belief = Belief::default();
        let (in_1970, leap) = (wall("1970-01-01T00:00:20Z") - wall("2026-05-01T00:00:00Z"), 4 * HOUR_MS);
        assert_eq!(look(&mut belief, Auto, 0, in_1970, false), (in_1970, Why::BelowFloor));
        // The first synchronisation leaps over 56 years and is what everybody waits for.
        assert_eq!(look(&mut belief, Auto, 1_000, 0, true), (0, Why::Synced));
        // An hour is nothing to doubt; four are: time goes on where it was until the second look.
        assert_eq!(look(&mut belief, Auto, 2_000, HOUR_MS, true), (HOUR_MS, Why::Synced));
        assert_eq!(look(&mut belief, Auto, 2_500, 0, true), (0, Why::Synced));
        let doubted = |left_ms| (0, Why::Leapt { step_ms: leap, left_ms });
        assert_eq!(look(&mut belief, Auto, 3_000, leap, true), doubted(SECOND_LOOK_MS));
        let look_at = 3_000 + SECOND_LOOK_MS;
        assert_eq!(look(&mut belief, Auto, look_at - 1, leap, true), doubted(1));
        // The second look needs the kernel's word, not only time.
        assert_eq!(look(&mut belief, Auto, look_at, leap, false), doubted(0));
        assert_eq!(look(&mut belief, Auto, look_at + 1, leap, true), (leap, Why::Synced));
        assert_eq!(look(&mut belief, Auto, look_at + 2, leap, false).1, Why::RightBefore { ago_ms: 1, by: None });
    }

    #[test]
    fn a_leap_that_is_taken_back_leaves_no_trace_and_one_that_leaps_on_waits_anew() {
        use crate::domain::config::Trust::Auto;
        let mut belief = Belief::default();
        look(&mut belief, Auto, 0, 0, true);
        assert_eq!(look(&mut belief, Auto, 1_000, -5 * HOUR_MS, true).0, 0);
        assert_eq!(look(&mut belief, Auto, 2_000, 100, false), (100, Why::RightBefore { ago_ms: 2_000, by: None }));
        look(&mut belief, Auto, 3_000, 5 * HOUR_MS, true);
        let on = look(&mut belief, Auto, 2_000 + SECOND_LOOK_MS, 9 * HOUR_MS, true);
        assert!(matches!(on.1, Why::Leapt { left_ms: SECOND_LOOK_MS, .. }), "{on:?}");
    }

    #[test]
    fn a_person_ends_the_doubt_and_is_held_to_it_for_a_while() {
        use crate::domain::config::Trust::Auto;
        let mut belief = Belief::default();
        look(&mut belief, Auto, 0, 0, true);
        look(&mut belief, Auto, 1_000, 5 * HOUR_MS, false);
        let wall_ns = (wall("2026-05-01T00:00:00Z").0 + 1_000 + 5 * HOUR_MS) * 1_000_000;
        belief.vouch(wall_ns, 1_000 * 1_000_000, "Nguyễn Văn A".into());
        let by = Some("Nguyễn Văn A".to_owned());
        assert_eq!(
            look(&mut belief, Auto, 2_000, 5 * HOUR_MS, false),
            (5 * HOUR_MS, Why::RightBefore { ago_ms: 1_000, by: by.clone() })
        );
        // The next run of the program in the same boot knows it too, and doubts what leapt in between.
        let mut next = Belief::since(belief.right().unwrap().clone());
        assert_eq!(look(&mut next, Auto, 9_000, 5 * HOUR_MS, false).1, Why::RightBefore { ago_ms: 8_000, by });
        let mut other = Belief::since(belief.right().unwrap().clone());
        assert_eq!(look(&mut other, Auto, 9_000, 0, true).1.state(), ClockState::Unknown);
    }
}
