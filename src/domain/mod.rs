//! The ground floor: decides. No files, no network, no threads, no clock; all comes in by argument.

pub mod airing;
pub mod chain;
pub mod config;
pub mod playlist;
pub mod report;
pub mod text;
pub mod time;
