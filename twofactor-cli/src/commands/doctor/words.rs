//! The findings, as a page and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};
use twofactor_admin::checkup::{Finding, Severity};

use super::backup;
use super::report::{Area, Checkup, Unchecked};
use crate::output::values::counted;
use crate::output::{self, Screen, Tint, WIDTH, tinted};

/// Room for the names of areas and for what was found there.
const NAMES: usize = 15;
const COUNTS: usize = 12;
/// The margin of a finding's words.
const MARGIN: &str = "         ";

/// A line for every area, then every finding. `--quiet` wants the findings only.
pub(super) fn as_text(checkup: &Checkup, screen: Screen, quiet: bool) -> String {
    let page = Page { width: screen.size.map_or(WIDTH, |(columns, _)| columns.clamp(40, WIDTH)), screen };
    let mut text = String::new();
    if !quiet {
        for area in &checkup.areas {
            page.area(&mut text, area);
        }
    }
    for repair in &checkup.repairs {
        let _ = writeln!(text, "\n{}", page.wrapped("fixed: ", repair, 0));
    }
    for severity in [Severity::Problem, Severity::Warning, Severity::Note] {
        let findings = checkup.areas.iter().flat_map(|area| &area.findings);
        let mut findings = findings.filter(|finding| finding.id.severity() == severity).peekable();
        while let Some(finding) = findings.next() {
            page.what(&mut text, finding);
            // Of several mistakes in one file, what to do about them is said once.
            if findings.peek().is_none_or(|next| (next.id, &next.mend) != (finding.id, &finding.mend)) {
                page.mend(&mut text, finding);
            }
        }
    }
    for (area, unchecked) in unchecked(checkup) {
        let _ = write!(text, "\n{}", tinted("unchecked", Tint::Plain, page.screen));
        let words = format!("could not check {}, because {}", unchecked.what, unchecked.because);
        let _ = writeln!(text, "{}", page.wrapped(": ", &format!("{area}: {words}"), "unchecked".len()));
    }
    if !quiet {
        let _ = write!(text, "\n{}\n", summary(checkup));
    }
    text
}

fn unchecked(checkup: &Checkup) -> impl Iterator<Item = (&'static str, &Unchecked)> {
    checkup.areas.iter().flat_map(|area| area.unchecked.iter().map(|unchecked| (area.name, unchecked)))
}

fn summary(checkup: &Checkup) -> String {
    let counts = counts(|severity| checkup.count(severity));
    let unchecked = unchecked(checkup).count();
    let rest = if unchecked == 0 { String::new() } else { format!(", {unchecked} not checked") };
    if counts.is_empty() { format!("Nothing found{rest}.") } else { format!("{}{rest}.", counts.join(", ")) }
}

/// `1 problem`, `2 notes`: what there is of each.
fn counts(count: impl Fn(Severity) -> usize) -> Vec<String> {
    let all = [Severity::Problem, Severity::Warning, Severity::Note].map(|severity| (count(severity), severity.word()));
    let there = all.into_iter().filter(|(count, _)| *count > 0);
    there.map(|(count, word)| counted(count, word)).collect()
}

fn tint(severity: Severity) -> Tint {
    match severity {
        Severity::Problem => Tint::Red,
        Severity::Warning => Tint::Yellow,
        Severity::Note => Tint::Cyan,
    }
}

struct Page {
    width: usize,
    screen: Screen,
}

impl Page {
    fn area(&self, text: &mut String, area: &Area) {
        let counts = counts(|severity| area.count(severity));
        let found = match (counts.is_empty(), area.unchecked.is_empty()) {
            (true, true) => "ok".to_owned(),
            (true, false) => "not all".to_owned(),
            (false, _) => counts.join(", "),
        };
        let found = format!("{found:COUNTS$} ");
        let start = format!("{:NAMES$}", area.name);
        let words = self.wrapped(&found, &area.looked_at, start.len());
        let words = match words.strip_prefix("ok") {
            Some(rest) => format!("{}{rest}", tinted("ok", Tint::Green, self.screen)),
            None => words,
        };
        let _ = writeln!(text, "{start}{words}");
    }

    fn what(&self, text: &mut String, finding: &Finding) {
        let severity = finding.id.severity();
        let word = tinted(severity.word(), tint(severity), self.screen);
        let what = format!("{} [{}]", finding.what, finding.id);
        let _ = writeln!(text, "\n{word}{}", self.wrapped(": ", &what, severity.word().len()));
    }

    fn mend(&self, text: &mut String, finding: &Finding) {
        let _ = writeln!(text, "{}", self.wrapped("   why:  ", finding.id.why(), 0));
        let mut start = "   fix:  ";
        if let Some(advice) = finding.mend.advice() {
            let _ = writeln!(text, "{}", self.wrapped(start, advice, 0));
            start = MARGIN;
        }
        if let Some(command) = finding.mend.command() {
            let _ = writeln!(text, "{}", output::pasted(start, command, self.width));
        }
    }

    fn wrapped(&self, start: &str, words: &str, column: usize) -> String {
        output::wrapped(start, words, column, self.width)
    }
}

pub(super) fn as_json(checkup: &Checkup) -> Value {
    let areas: Vec<Value> =
        checkup.areas.iter().map(|area| json!({ "area": area.name, "looked_at": area.looked_at })).collect();
    let findings = checkup.areas.iter().flat_map(|area| area.findings.iter().map(|finding| (area.name, finding)));
    let findings: Vec<Value> = findings.map(|(area, finding)| finding_as_json(area, finding)).collect();
    let unchecked: Vec<Value> = unchecked(checkup)
        .map(|(area, unchecked)| json!({ "area": area, "what": unchecked.what, "because": unchecked.because }))
        .collect();
    json!({
        "fixed": checkup.repairs,
        "problems": checkup.count(Severity::Problem),
        "warnings": checkup.count(Severity::Warning),
        "notes": checkup.count(Severity::Note),
        "findings": findings,
        "unchecked": unchecked,
        "areas": areas,
        "backup": checkup.last_backup.as_ref().map(backup::as_json),
    })
}

fn finding_as_json(area: &str, finding: &Finding) -> Value {
    json!({
        "severity": finding.id.severity().word(),
        "id": finding.id.word(),
        "area": area,
        "what": finding.what,
        "why": finding.id.why(),
        "mend": finding.mend.advice(),
        "command": finding.mend.command(),
    })
}
