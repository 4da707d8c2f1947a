//! Tells the service manager how the daemon is: ready, alive, and in a line what it does. Without a service manager
//! all of it is nothing.

use sd_notify::NotifyState;

/// Start-up is done.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The loop is alive; fed from the loop itself, so that one that hangs is started again.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// The line `systemctl status` shows.
pub fn status(line: &str) {
    notify(&[NotifyState::Status(line)]);
}

/// The daemon is ending.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState]) {
    // Nobody to tell is no error.
    let _ = sd_notify::notify(state);
}
