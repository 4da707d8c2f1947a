//! `loaxa schema`: the JSON Schema of a file, for editors.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use super::{Context, Done, Failure};
use crate::domain::schema::{SchemaOf, schema};

/// Shown under `--help`.
pub const EXAMPLE: &str = "Ví dụ (example):\n  loaxa schema station > schema/station.json\n\nDòng đầu của tệp cấu hình chỉ đến lược đồ (the first line of a file points to it):\n  #:schema ./schema/station.json";

/// `loaxa schema`
#[derive(Args)]
pub struct Arguments {
    /// Của tệp nào (of which file): station | local | playlist
    #[arg(default_value = "station", value_parser = ["station", "local", "playlist"], hide_possible_values = true)]
    of: String,
}

/// Prints it.
pub fn run(_: &Context, arguments: &Arguments) -> Done {
    let of = SchemaOf::ALL.into_iter().find(|of| of.name() == arguments.of).unwrap_or(SchemaOf::Station);
    match writeln!(io::stdout().lock(), "{:#}", schema(of)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Failed(error.to_string())),
        _ => Ok(ExitCode::SUCCESS),
    }
}
