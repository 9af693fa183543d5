//! `twofactor service list`: which services run the module, where, how, and what is wrong with it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use twofactor_admin::checkup::services::{of_program, runs_ours};
use twofactor_admin::pam_editing::placing;
use twofactor_core::pam_service::findings::{self, Finding};
use twofactor_core::pam_service::{self, Line, Phase, Service, modules};

use crate::args;
use crate::error::Failure;
use crate::host::Host;
use crate::output::{self, Cell, Output, Screen, Stream, Tint, tinted};

use super::plan::folders;

/// Services through which people log in.
const KNOWN: [&str; 17] = [
    "cockpit",
    "gdm-password",
    "lightdm",
    "login",
    "lxdm",
    "polkit-1",
    "remote",
    "runuser",
    "sddm",
    "sshd",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "vlock",
    "xdm",
    "xrdp-sesman",
];

/// A service and what is known of it.
struct Seen {
    name: String,
    /// The service, or the reason for which it cannot be followed.
    service: Result<Service, String>,
    findings: Vec<Finding>,
    /// Why its program cannot do with our line.
    of_program: Option<String>,
}

pub(super) fn run(arguments: &args::services::ListServices, host: &Host, output: &Output) -> Result<(), Failure> {
    let mut seen: Vec<Seen> = names().into_iter().map(|name| Seen::new(name, host)).collect();
    if !arguments.all {
        // Whether one runs us that cannot be read is not known.
        let matters = |seen: &Seen| seen.runs_us() || seen.service.is_err() || KNOWN.contains(&seen.name.as_str());
        seen.retain(matters);
    }
    let screen = output.screen(Stream::Results);
    Ok(output.report_whole(|| table(&seen, screen), || seen.iter().map(Seen::as_json).collect())?)
}

/// Every service that a file describes, without files that are there to be included.
fn names() -> BTreeSet<String> {
    let mut names = pam_service::names(&folders());
    names.retain(|name| !placing::is_shared(name));
    names
}

impl Seen {
    fn new(name: String, host: &Host) -> Self {
        let service = Service::read(&name, &folders()).map_err(|error| error.to_string());
        let findings = match &service {
            Ok(service) => findings::of(service, &modules::is_missing),
            Err(_) => Vec::new(),
        };
        let of_program = match &service {
            Ok(service) => of_program(service, &host.config).map(|(_, what)| what),
            Err(_) => None,
        };
        Self { name, service, findings, of_program }
    }

    /// Our first line of a phase.
    fn line(&self, phase: Phase) -> Option<&Line> {
        let service = self.service.as_ref().ok()?;
        service.lines.iter().find(|line| line.phase == phase && line.is_ours())
    }

    fn runs_us(&self) -> bool {
        self.service.as_ref().is_ok_and(runs_ours)
    }

    /// Its problems, as far as it runs the module.
    fn problems(&self) -> Vec<String> {
        if let Err(problem) = &self.service {
            return vec![problem.clone()];
        }
        let counts = |finding: &&Finding| !matches!(finding, Finding::Unasked { .. });
        if !self.runs_us() {
            return Vec::new();
        }
        let of_lines = self.findings.iter().filter(counts).map(Finding::to_string);
        of_lines.chain(self.of_program.clone()).collect()
    }

    fn as_json(&self) -> Value {
        let line = |phase: Phase| {
            self.line(phase).map(|line| {
                json!({
                    "file": line.file.display().to_string(),
                    "line": line.number,
                    "control": line.control,
                    "arguments": line.arguments,
                })
            })
        };
        json!({
            "service": self.name,
            "file": self.service.as_ref().ok().map(|service| service.file.display().to_string()),
            "enabled": self.line(Phase::Auth).is_some(),
            "auth": line(Phase::Auth),
            "account": line(Phase::Account),
            "problems": self.problems(),
        })
    }
}

fn table(seen: &[Seen], screen: Screen) -> String {
    let row = |seen: &Seen| {
        let problems = seen.problems().join("; ");
        let tint = if problems.is_empty() { Tint::Green } else { Tint::Yellow };
        let cell = |phase| cell(seen.line(phase), tint);
        [seen.name.clone().into(), cell(Phase::Auth), cell(Phase::Account), Cell::tinted(problems, tint)]
    };
    let rows = seen.iter().map(row).collect::<Vec<_>>();
    let Some((columns, _)) = screen.size else {
        return output::table(["SERVICE", "AUTH", "ACCOUNT", "PROBLEMS"], rows, [0; 4], screen);
    };
    // A sentence that is cut says nothing: on a screen it stands below its row.
    let (rows, problems): (Vec<_>, Vec<_>) =
        rows.into_iter().map(|[name, auth, account, problems]| ([name, auth, account], problems)).unzip();
    let table = output::table(["SERVICE", "AUTH", "ACCOUNT"], rows, [12, 24, 24], screen);
    let mut lines = table.lines();
    let mut text = lines.next().map_or_else(String::new, |header| format!("{header}\n"));
    for (line, problems) in lines.zip(problems) {
        let _ = writeln!(text, "{line}");
        let problems = problems.to_string();
        if !problems.is_empty() {
            let below = output::wrapped("  problem: ", &problems, 0, columns);
            let _ = writeln!(text, "{}", below.replacen("problem", &tinted("problem", Tint::Yellow, screen), 1));
        }
    }
    text
}

/// `required, common-auth:26`.
fn cell(line: Option<&Line>, tint: Tint) -> Cell {
    match line {
        Some(line) => {
            let file = line.file.file_name().map_or(Path::new(""), Path::new);
            Cell::tinted(format!("{}, {}:{}", line.control, file.display(), line.number), tint)
        }
        None => "no".into(),
    }
}
