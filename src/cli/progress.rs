//! Progress bars: on a terminal, for what takes long, on stderr.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` steps; hidden when stderr is no terminal or there is little to do.
pub(super) fn bar(length: u64, worth_it: u64, label: String) -> ProgressBar {
    if length < worth_it || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length).with_message(label);
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {percent} % {eta}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
