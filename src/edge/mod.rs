//! One file wraps one outside thing. Edges do not know each other; events travel up by a sender handed in.

pub mod airing_log;
pub mod amplifier;
pub mod archive;
pub mod clip_store;
pub mod control;
pub mod decoder;
pub mod device_key;
pub mod fence;
pub mod file_server;
pub mod folder;
pub mod http;
pub mod memory;
pub mod page;
pub mod published;
#[cfg(all(target_arch = "arm", target_env = "gnu"))]
pub mod sound_times;
pub mod speaker;
pub mod systemd;
pub mod workbook;
pub mod written;
