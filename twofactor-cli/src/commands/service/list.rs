//! `twofactor service list`: which services run the module, where, how, and what is wrong with it.

use std::collections::BTreeSet;
use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};
use twofactor_core::pam_service::findings::{self, Finding};
use twofactor_core::pam_service::{self, FOLDERS, Line, Phase, Service, modules, placing};

use crate::args;
use crate::error::Failure;
use crate::host::Host;
use crate::output::{Output, Stream};

use super::folders;

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
    /// How it runs the module, or why nobody can tell.
    service: Result<Service, String>,
    findings: Vec<Finding>,
}

pub(super) fn run(arguments: &args::services::ListServices, _host: &Host, output: &Output) -> Result<(), Failure> {
    let mut seen: Vec<Seen> = names().into_iter().map(Seen::new).collect();
    if !arguments.all {
        seen.retain(|seen| seen.runs_us() || KNOWN.contains(&seen.name.as_str()));
    }
    let columns = output.screen(Stream::Results).size.map(|(columns, _)| columns);
    Ok(output.report(|| table(&seen, columns), || seen.iter().map(Seen::as_json).collect())?)
}

/// Every service that a file describes, without files that are there to be included and what editors and packages left.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().is_file());
        names.extend(files.filter_map(|entry| entry.file_name().into_string().ok()));
    }
    names.retain(|name| !placing::is_shared(name) && !pam_service::is_copy(name));
    names
}

impl Seen {
    fn new(name: String) -> Self {
        let service = Service::read(&name, &folders()).map_err(|error| error.to_string());
        let findings = match &service {
            Ok(service) => findings::of(service, &modules::is_missing),
            Err(_) => Vec::new(),
        };
        Self { name, service, findings }
    }

    /// Our first line of a phase.
    fn line(&self, phase: Phase) -> Option<&Line> {
        let service = self.service.as_ref().ok()?;
        service.lines.iter().find(|line| line.phase == phase && line.runs(modules::OURS))
    }

    fn runs_us(&self) -> bool {
        self.line(Phase::Auth).is_some() || self.line(Phase::Account).is_some()
    }

    /// What is wrong with it, as far as it runs the module.
    fn problems(&self) -> Vec<String> {
        if let Err(problem) = &self.service {
            return vec![problem.clone()];
        }
        let counts = |finding: &&Finding| !matches!(finding, Finding::Unasked { .. });
        if self.runs_us() { self.findings.iter().filter(counts).map(Finding::to_string).collect() } else { Vec::new() }
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

fn table(seen: &[Seen], columns: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(columns) = columns {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(columns).unwrap_or(u16::MAX));
    }
    table.set_header(["SERVICE", "AUTH", "ACCOUNT", "PROBLEMS"]);
    for seen in seen {
        let problems = seen.problems();
        table.add_row([
            seen.name.clone(),
            cell(seen.line(Phase::Auth)),
            cell(seen.line(Phase::Account)),
            if problems.is_empty() { String::new() } else { problems.join("; ") },
        ]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

/// `required, common-auth:26`.
fn cell(line: Option<&Line>) -> String {
    match line {
        Some(line) => {
            let file = line.file.file_name().map_or(Path::new(""), Path::new);
            format!("{}, {}:{}", line.control, file.display(), line.number)
        }
        None => "no".to_owned(),
    }
}
