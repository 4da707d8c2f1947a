//! `loaxa completions` and `loaxa man`: made from the commands themselves.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::cli::{Done, Failure};

/// Shown under `--help`.
pub const COMPLETIONS_EXAMPLE: &str =
    "Ví dụ (example):\n  loaxa completions bash | sudo tee /etc/bash_completion.d/loaxa";

/// Shown under `--help`.
pub const MAN_EXAMPLE: &str =
    "Ví dụ (example):\n  loaxa man | man -l -\n  loaxa man | sudo tee /usr/local/share/man/man1/loaxa.1";

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

/// Prints the man page: the program, then each command with its options and examples.
pub fn man(command: &clap::Command) -> Done {
    let mut out = Vec::new();
    let fails = |e: std::io::Error| Failure::Failed(e.to_string());
    let whole = |out: &mut Vec<u8>| {
        let man = clap_mangen::Man::new(command.clone().subcommand_required(true));
        man.render_title(out)?;
        man.render_name_section(out)?;
        man.render_synopsis_section(out)?;
        man.render_description_section(out)?;
        man.render_options_section(out)?;
        chapters(command, "loaxa", out)
    };
    whole(&mut out).map_err(fails)?;
    match std::io::stdout().write_all(in_vietnamese(&String::from_utf8_lossy(&out)).as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(fails(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// A chapter for each command below this one.
fn chapters(command: &clap::Command, above: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        let name = format!("{above} {}", sub.get_name());
        writeln!(out, ".SH \"{name}\"")?;
        let example = sub.get_after_help().map(ToString::to_string);
        let man = clap_mangen::Man::new(sub.clone().name(name.clone()).display_name(name.clone()).after_help(""));
        let mut inside = Vec::new();
        man.render_synopsis_section(&mut inside)?;
        man.render_description_section(&mut inside)?;
        if sub.get_arguments().any(|a| !a.is_hide_set()) {
            man.render_options_section(&mut inside)?;
        }
        out.extend(String::from_utf8_lossy(&inside).replace(".SH ", ".SS ").bytes());
        if let Some(example) = example {
            writeln!(out, ".PP\n.nf")?;
            for line in example.lines() {
                // A line that begins with a point or an apostrophe would be an order to the formatter.
                writeln!(out, "\\&{}", line.replace('\\', "\\\\").replace('-', "\\-"))?;
            }
            writeln!(out, ".fi")?;
        }
        chapters(sub, &name, out)?;
    }
    Ok(())
}

/// The headings, Vietnamese first; NAME stays, as programs look for it.
fn in_vietnamese(page: &str) -> String {
    let heading = |line: &str| -> Option<String> {
        let (order, name) = line.split_once(' ').filter(|(order, _)| matches!(*order, ".SH" | ".SS"))?;
        let words = match name {
            "SYNOPSIS" => "CÁCH DÙNG (SYNOPSIS)",
            "DESCRIPTION" => "MÔ TẢ (DESCRIPTION)",
            "OPTIONS" => "TÙY CHỌN (OPTIONS)",
            _ => return None,
        };
        Some(format!("{order} \"{words}\""))
    };
    page.lines().map(|l| heading(l).unwrap_or_else(|| l.to_owned()) + "\n").collect()
}
