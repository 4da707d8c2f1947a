//! The ground floor: decides. No files, no network, no threads, no clock; all comes in by argument.

pub mod airing;
pub mod chain;
pub mod config;
pub mod cron;
pub mod document;
pub mod fields;
pub mod findings;
pub mod heartbeat;
pub mod keyring;
pub mod loudness;
pub mod playlist;
pub mod playout;
pub mod publication;
pub mod quota;
pub mod render;
pub mod report;
pub mod schedule;
pub mod schema;
pub mod signature;
pub mod simulate;
pub mod stage;
pub mod station;
pub mod text;
pub mod time;
