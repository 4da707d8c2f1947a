//! The only place with tasks, signals and a clock.

pub mod clock;
pub mod keys;
pub mod office;
pub mod run;
pub mod station;
pub mod status;
pub mod sync;
