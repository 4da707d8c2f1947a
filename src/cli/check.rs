//! `loaxa check`: every finding in the station's files, with its place.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

use crate::cli::station::survey;
use crate::cli::{Context, Done, Failure};
use crate::daemon::station::Survey;
use crate::domain::findings::Severity;
use crate::domain::text::Text;

/// What `check` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// In kết quả dạng JSON (print JSON)
    #[arg(long)]
    json: bool,
}

/// Reads the config, the commune's list, the stored lists and the names of the audio files; exit 0 when the station
/// may run, 78 when not.
pub fn run(context: &Context, arguments: &Arguments) -> Done {
    let survey = survey(context, true)?;
    let mut out = io::stdout().lock();
    let printed = if arguments.json { print_json(&survey, &mut out) } else { print(&survey, &mut out) };
    match printed {
        // Whoever reads may have seen enough: `loaxa check | head`.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Failed(error.to_string())),
        _ if survey.count(Severity::Error) > 0 => Ok(ExitCode::from(78)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn print(survey: &Survey, out: &mut dyn Write) -> io::Result<()> {
    for finding in survey.rendered(&[Severity::Error, Severity::Warning, Severity::Advice]) {
        writeln!(out, "{finding}")?;
    }
    let (errors, warnings, advice) =
        (survey.count(Severity::Error), survey.count(Severity::Warning), survey.count(Severity::Advice));
    let sum = if errors > 0 {
        Text::MayNotRun { errors, warnings, advice }
    } else if warnings + advice > 0 {
        Text::MayRun { warnings, advice }
    } else {
        Text::AllGood { files: survey.sheets.len() }
    };
    writeln!(out, "{}", sum.say(survey.language))
}

fn print_json(survey: &Survey, out: &mut dyn Write) -> io::Result<()> {
    let findings: Vec<_> = survey
        .findings
        .iter()
        .filter_map(|(role, finding)| {
            let sheet = survey.sheets.iter().find(|s| s.role == *role)?;
            let (line, column) = sheet.place(finding);
            Some(json!({
                "file": sheet.path.display().to_string(),
                "line": line,
                "column": column,
                "severity": finding.severity.key(),
                "code": finding.code,
                "text": finding.text.say(survey.language),
                "hint": finding.hint.as_ref().map(|h| h.say(survey.language)),
            }))
        })
        .collect();
    let errors = survey.count(Severity::Error);
    let whole = json!({
        "may_run": errors == 0,
        "errors": errors,
        "warnings": survey.count(Severity::Warning),
        "advice": survey.count(Severity::Advice),
        "findings": findings,
    });
    writeln!(out, "{whole:#}")
}
