//! The only place with tasks, signals and a clock.

pub mod clock;
pub mod station;
pub mod sync;
