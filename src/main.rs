//! The `loaxa` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    loaxa::cli::run()
}
