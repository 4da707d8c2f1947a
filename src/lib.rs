//! loaxa (*loa xã*, a commune's loudspeaker): plays the right announcements at the right second on an
//! unattended box, and can prove afterwards what sounded and what did not.
//!
//! The house has four floors; arrows point down only, and `tests/house.rs` keeps it so.
//!
//! | floor | what it does |
//! |---|---|
//! | [`domain`] | decides: pure, no files, network, threads or clock |
//! | [`edge`] | does: one file wraps one outside thing |
//! | [`daemon`] | the only place with tasks, signals and a clock |
//! | [`cli`] | one file per command, each a short function over the floors below |

#![warn(missing_docs)]

pub mod cli;
pub mod daemon;
pub mod domain;
pub mod edge;
