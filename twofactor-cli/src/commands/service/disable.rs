//! `twofactor service disable`: a service as it was before.
//!
//! What a package's removal calls (`--all --yes`) works without a valid configuration, and twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use twofactor_core::audit::{Event, Record as LogLine};
use twofactor_core::config::Config;
use twofactor_core::pam_service::findings::Place;
use twofactor_core::pam_service::{self, FOLDERS, modules, placing};
use twofactor_core::store::files::{Files, PATIENCE};
use twofactor_core::trusted::Owner;

use crate::args;
use crate::error::{Failure, ServiceFailure, quoted};
use crate::host;
use crate::journal;
use crate::output::{self, Output};

use super::change::{self, Change};
use super::records::{Origin, Record, Records};
use super::{Consent, ETC, Named, Text, folders, shown, sshd};

/// What becomes of one service.
struct Plan {
    named: Named,
    /// `None` when its file has nothing of ours.
    change: Option<Change>,
    outcome: Outcome,
    drop_in: Option<Change>,
}

/// How far a file becomes what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// To the byte.
    AsBefore,
    /// Somebody changed it since: only what was done to it is taken back.
    Edited,
}

pub(super) fn run(arguments: &args::services::Disable, file: Option<&Path>, output: &Output) -> Result<(), Failure> {
    host::must_be_root()?;
    let consent = Consent::of(arguments.dry_run, arguments.yes);
    let state = state(file);
    let accounts = Files::new(&state, Owner::ROOT, PATIENCE);
    let nothing_recorded = || Records::look(&state).map(|names| names.is_empty()).map_err(ServiceFailure::from);
    if arguments.all && sshd::removal(None)?.is_none() && nothing_recorded()? {
        warn_of_leftovers(arguments, &[]);
        return Ok(output.done(|| "Nothing to do.\n".to_owned(), || as_json(&[]))?);
    }
    let records = Records::open(&state, &accounts).map_err(ServiceFailure::from)?;
    let plans = if arguments.all { all(&records)? } else { some(&arguments.services, &records)? };
    let changes: Vec<&Change> = plans.iter().flat_map(|plan| plan.change.iter().chain(&plan.drop_in)).collect();
    if changes.is_empty() {
        for plan in &plans {
            records.forget(&plan.named.name).map_err(ServiceFailure::from)?;
        }
        warn_of_leftovers(arguments, &plans);
        return Ok(output.done(|| "Nothing to do.\n".to_owned(), || as_json(&plans))?);
    }
    shown(changes.iter().copied(), consent, output)?;
    if consent == Consent::Never {
        return Ok(output.report_json(|| as_json(&plans))?);
    }
    change::make_all(&changes)?;
    for plan in &plans {
        records.forget(&plan.named.name).map_err(ServiceFailure::from)?;
        if plan.change.is_some() {
            let line = LogLine::new(Event::ServiceDisabled).with("service", &plan.named.name);
            journal::write(line.with("file", plan.named.file.display()));
        }
    }
    warn_of_leftovers(arguments, &plans);
    Ok(output.done(|| in_words(&plans), || as_json(&plans))?)
}

/// Where the records are. Taking the module out must not fail because the configuration does not hold.
fn state(file: Option<&Path>) -> PathBuf {
    host::configuration(file).map_or_else(
        |error| {
            output::warning(&format!("{error}; going on with the default state folder"));
            Config::default().state
        },
        |config| config.state,
    )
}

/// Every service with a record. One that cannot be changed does not keep the others from it.
fn all(records: &Records) -> Result<Vec<Plan>, ServiceFailure> {
    let mut plans = Vec::new();
    let mut names = records.names()?;
    // sshd's settings may be all that was written.
    if !names.iter().any(|name| name == sshd::SERVICE) && sshd::removal(None)?.is_some() {
        names.push(sshd::SERVICE.to_owned());
    }
    for name in names {
        match plan(Named::new(&name), records) {
            Ok(plan) => plans.push(plan),
            Err(failure) => output::warning(&failure.to_string()),
        }
    }
    Ok(plans)
}

fn some(names: &[String], records: &Records) -> Result<Vec<Plan>, ServiceFailure> {
    let plans: Vec<Plan> =
        Named::all(names)?.into_iter().map(|named| plan(named, records)).collect::<Result<_, _>>()?;
    for plan in plans.iter().filter(|plan| plan.change.is_none()) {
        if let Some(place) = through(&plan.named)? {
            return Err(ServiceFailure::Through { service: plan.named.name.clone(), place });
        }
    }
    Ok(plans)
}

/// The line of an included file that runs the module.
fn through(named: &Named) -> Result<Option<Place>, ServiceFailure> {
    let service = pam_service::Service::read(&named.name, &folders())?;
    let ours = service.lines.iter().find(|line| line.runs(modules::OURS) && line.file != named.file);
    Ok(ours.map(Place::of))
}

fn plan(named: Named, records: &Records) -> Result<Plan, ServiceFailure> {
    let record = records.read(&named.name)?;
    let drop_in = if named.name == sshd::SERVICE {
        sshd::removal(record.as_ref().and_then(|record| record.drop_in.as_deref()))?
    } else {
        None
    };
    let Some(content) = change::read(&named.file)? else {
        let is_known = record.is_some() || named.of_package()?.is_some();
        return if is_known {
            Ok(Plan { named, change: None, outcome: Outcome::AsBefore, drop_in })
        } else {
            Err(ServiceFailure::NoService(named.name))
        };
    };
    let (after, outcome) = restored(&named, &content, record.as_ref())?;
    let changed = after.as_deref() != Some(content.as_slice());
    let change = changed.then(|| Change { file: named.file.clone(), before: Some(content), after });
    Ok(Plan { named, change, outcome, drop_in })
}

/// The content without us; `None` when the file goes.
fn restored(
    named: &Named,
    content: &[u8],
    record: Option<&Record>,
) -> Result<(Option<Vec<u8>>, Outcome), ServiceFailure> {
    if let Some(record) = record.filter(|record| record.after == content) {
        let before = (record.origin == Origin::There).then(|| record.before.clone());
        return Ok((before, Outcome::AsBefore));
    }
    let text = Text::of(content);
    let undone = match record {
        Some(record) => placing::undone(&text.text, &text.alike(&record.before), &text.alike(&record.after)),
        None => placing::without(&text.text),
    };
    let after = text.encoded(&undone);
    if after == content {
        return Ok((Some(after), Outcome::AsBefore));
    }
    if record.is_some_and(|record| record.origin == Origin::Made && record.before == after) {
        return Ok((None, Outcome::AsBefore));
    }
    let is_before = record.is_some_and(|record| record.before == after);
    if !is_before {
        let needed = |error| {
            let error = Box::new(error);
            ServiceFailure::Needed { service: named.name.clone(), file: named.file.clone(), error }
        };
        placing::is_sound(&named.target(&folders()), &undone).map_err(needed)?;
    }
    Ok((Some(after), if is_before { Outcome::AsBefore } else { Outcome::Edited }))
}

/// What stays although the module was taken out: sshd's settings that somebody changed, and lines that no record knows.
fn warn_of_leftovers(arguments: &args::services::Disable, plans: &[Plan]) {
    let about_sshd = arguments.all || plans.iter().any(|plan| plan.named.name == sshd::SERVICE);
    if about_sshd && plans.iter().all(|plan| plan.drop_in.is_none()) {
        sshd::warn_of_drop_in();
    }
    if arguments.all {
        warn_of_others();
    }
}

/// Files that run the module although no record says so, and how it gets out of them.
fn warn_of_others() {
    let (mut services, mut others, mut profile) = (Vec::new(), Vec::new(), false);
    for (name, file) in files_of_services() {
        let content = std::fs::read(&file).unwrap_or_default();
        if !placing::is_in(&Text::of(&content).text) {
            continue;
        }
        output::warning(&format!("{} still runs pam_twofactor.so", file.display()));
        if name.starts_with("common-") {
            profile = true;
        } else if file.starts_with(ETC) && !placing::is_shared(&name) {
            services.push(quoted(&name));
        } else {
            others.push(file.display().to_string());
        }
    }
    if !services.is_empty() {
        output::hint(&format!("run \"twofactor service disable {}\"", services.join(" ")));
    }
    if profile {
        output::hint("run \"pam-auth-update --disable twofactor\"");
    }
    if !others.is_empty() {
        output::hint(&format!("take the lines out by hand: {}", others.join(" ")));
    }
}

/// Every file that libpam would read for a service, by its name.
fn files_of_services() -> BTreeMap<String, PathBuf> {
    let mut files = BTreeMap::new();
    for entry in FOLDERS.into_iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !pam_service::is_copy(&name) {
            files.entry(name).or_insert(entry.path());
        }
    }
    files
}

fn in_words(plans: &[Plan]) -> String {
    let mut text = String::new();
    for plan in plans.iter().filter(|plan| plan.change.is_some()) {
        let how = match plan.outcome {
            Outcome::AsBefore => "as it was before",
            Outcome::Edited => "changed since; only the lines for pam_twofactor were taken out",
        };
        let _ = writeln!(text, "{} asks for no second factor any more: {how}.", plan.named.name);
    }
    if plans.iter().any(|plan| plan.drop_in.is_some()) {
        let _ = writeln!(text, "\nNow let sshd read its settings:\n  {}", sshd::reload());
    }
    text
}

fn as_json(plans: &[Plan]) -> serde_json::Value {
    let services = plans.iter().map(|plan| {
        json!({
            "service": plan.named.name,
            "file": plan.named.file.display().to_string(),
            "changed": plan.change.is_some(),
            "as_before": plan.outcome == Outcome::AsBefore,
            "diff": plan.change.as_ref().map(Change::diff),
        })
    });
    let settings = plans.iter().find_map(|plan| plan.drop_in.as_ref());
    let settings = settings.map(|change| json!({ "file": change.file.display().to_string(), "diff": change.diff() }));
    json!({ "services": services.collect::<Vec<_>>(), "sshd": settings })
}
