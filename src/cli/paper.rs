//! `loaxa completions` and `loaxa man`: made from the commands themselves.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::cli::{Done, Failure};

/// Shown under `--help`.
pub const COMPLETIONS_EXAMPLE: &str =
    "Ví dụ (example):\n  loaxa completions bash | sudo tee /etc/bash_completion.d/loaxa";

/// `loaxa completions`
#[derive(Args)]
pub struct CompletionsArguments {
    /// bash | zsh | fish | elvish | powershell
    shell: Shell,
}

/// Prints the completions of a shell.
pub fn completions(arguments: &CompletionsArguments, command: &mut clap::Command) -> Done {
    clap_complete::generate(arguments.shell, command, "loaxa", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}

/// Prints the man page: the program, then each command.
pub fn man(command: clap::Command) -> Done {
    let mut out = Vec::new();
    let fails = |e: std::io::Error| Failure::Failed(e.to_string());
    clap_mangen::Man::new(command.clone()).render(&mut out).map_err(fails)?;
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        let named =
            sub.clone().name(format!("loaxa-{}", sub.get_name())).display_name(format!("loaxa {}", sub.get_name()));
        clap_mangen::Man::new(named).render(&mut out).map_err(fails)?;
    }
    use std::io::Write;
    match std::io::stdout().write_all(&out) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(fails(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
