//! What reading a file found so far, and which of it still holds when the file's form is broken.

use crate::domain::findings::{Finding, LineIndex, Severity};
use crate::domain::playlist::Span;

/// Findings so far, and the text they are about.
pub struct Notes {
    /// What was found.
    pub list: Vec<Finding>,
    lines: LineIndex,
    errors: usize,
}

/// The most findings of one file.
const MOST_FINDINGS: usize = 20_000;

impl Notes {
    /// Starts with what reading the form of the file found.
    pub fn new(text: &str, list: Vec<Finding>) -> Notes {
        Notes { list, lines: LineIndex::new(text), errors: 0 }
    }

    /// Adds a finding. A file of nothing but mistakes fills no memory; an error is never lost behind warnings.
    pub fn push(&mut self, finding: Finding) {
        let error = finding.severity == Severity::Error;
        self.errors += usize::from(error);
        if self.list.len() < MOST_FINDINGS || (error && self.errors < MOST_FINDINGS) {
            self.list.push(finding);
        }
    }

    /// The line of a place, from 1.
    pub fn line_of(&self, span: &Span) -> usize {
        self.lines.line_of(span.start)
    }
}

/// Findings about one value, which hold whatever is wrong with the form of the file elsewhere.
const ABOUT_ONE_VALUE: [&str; 11] = [
    "bad_time",
    "bad_date",
    "bad_moment",
    "bad_duration",
    "bad_days",
    "bad_choice",
    "bad_cron",
    "bad_id",
    "bad_size",
    "wrong_type",
    "out_of_range",
];

impl Notes {
    /// Whether of the first `form` findings all are about missing ends, which were put in before reading on.
    pub fn is_closed(&self, form: usize) -> bool {
        self.list[..form].iter().all(|f| matches!(f.code, "unclosed_table" | "unclosed_list" | "unclosed_braces"))
    }

    /// The findings, the first `form` of which are about the form of the file. A slip of form moves what follows
    /// under another header; so with one only what is wrong in itself is worth saying, and one finding a line.
    pub fn settled(self, form: usize) -> Vec<Finding> {
        if form == 0 {
            return self.list;
        }
        let closed = self.is_closed(form);
        let line = |f: &Finding| self.lines.line_of(f.span.start);
        let (form, others) = self.list.split_at(form);
        // Of an unquoted value, what it should be says more than that it needs quotes.
        let better = |f: &&Finding| f.code.starts_with("bad_") && f.code != "bad_id";
        let (mut kept, mut told) = (Vec::new(), Vec::new());
        for finding in form {
            let inside = others.iter().filter(better).find(|o| line(o) == line(finding));
            kept.push(inside.filter(|_| finding.code == "unquoted").unwrap_or(finding).clone());
            told.push(line(finding));
        }
        let holds = |f: &&Finding| closed || ABOUT_ONE_VALUE.contains(&f.code);
        kept.extend(others.iter().filter(holds).filter(|f| !told.contains(&line(f))).cloned());
        kept
    }
}
