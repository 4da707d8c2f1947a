//! The ground floor: decides. No files, no network, no threads, no clock; all comes in by argument.

pub mod airing;
pub mod config;
pub mod playlist;
pub mod render;
pub mod text;
pub mod time;
