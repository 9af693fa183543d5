//! `twofactor service disable`: a service as it was before.
//!
//! What a package's removal calls (`--all --yes`) works without a valid configuration, and twice.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use twofactor_admin::pam_editing::placing;
use twofactor_core::config::DEFAULT_PATH;
use twofactor_core::host::clock::SystemClock;
use twofactor_core::host::trusted::Owner;
use twofactor_core::log::record::{Event, Record as LogLine};
use twofactor_core::pam_service::findings::Place;
use twofactor_core::pam_service::{self, first_factor::NAME};
use twofactor_core::store::files::{Files, PATIENCE};

use crate::args;
use crate::error::{Failure, ServiceFailure};
use crate::host;
use crate::journal;
use crate::output::{self, Output};

use super::change::{self, Change};
use super::leftovers::{self, Kept};
use super::plan::{Consent, Named, Text, folders, shown};
use super::records::{Listed, Origin, Record, Records};
use super::remarks::Remarks;
use super::replacing::Former;
use super::sshd::Removed;
use super::{first_factor, programs, siblings, sshd};

/// The plan for one service.
struct DisablePlan {
    named: Named,
    /// `None` when its file has nothing of ours.
    change: Option<Change>,
    outcome: Outcome,
    drop_in: DropIn,
    listed: Listed,
    /// Lines in the place of which ours stands.
    former: Vec<Former>,
}

/// The plan for sshd's settings.
enum DropIn {
    /// Nothing: there are none, or they were changed since.
    Untouched,
    /// They go.
    Goes(Change),
    /// sshd would not start without them.
    Needed,
}

impl DropIn {
    fn change(&self) -> Option<&Change> {
        if let Self::Goes(change) = self { Some(change) } else { None }
    }
}

/// The extent to which a file becomes what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// To the byte.
    AsBefore,
    /// It was changed since: only the tool's change is taken back.
    Edited,
}

pub(super) fn run(arguments: &args::services::Disable, file: Option<&Path>, output: &Output) -> Result<(), Failure> {
    host::must_be_root()?;
    let consent = Consent::of(arguments.dry_run, arguments.yes);
    let state = state(file);
    // Without its marker: the module can be taken out whatever became of the state.
    let accounts = Files::new(&state, Owner::ROOT, PATIENCE, SystemClock);
    let nothing_recorded = || Records::look(&state).map(|names| names.is_empty()).map_err(ServiceFailure::from);
    if arguments.all && sshd::removal(None)?.is_none() && first_factor::unneeded(&[]).is_none() && nothing_recorded()? {
        output.done(|| "Nothing to do.\n".to_owned(), || as_json(&[], None, None))?;
        return Ok(nothing_is_left(arguments, &[], &[], None)?);
    }
    let records = Records::open(&state, &accounts).map_err(ServiceFailure::from)?;
    let (mut plans, kept) =
        if arguments.all { all(&records)? } else { (some(&arguments.services, &records)?, Vec::new()) };
    let mut remarks = Remarks::default();
    if !arguments.all {
        siblings::warn_of_asking(&plans.iter().map(|plan| &plan.named).collect::<Vec<_>>(), &mut remarks);
    }
    for plan in &plans {
        plan.former.iter().for_each(|former| former.remark(&plan.named, &mut remarks));
    }
    let listed = plans.iter().filter(|plan| plan.listed == Listed::ByEnable).map(|plan| plan.named.name.as_str());
    let config = programs::unlisted(&listed.collect::<Vec<_>>(), file.unwrap_or(Path::new(DEFAULT_PATH)))?;
    // The services first: until they are done, the configuration still fits them.
    let of_services = plans.iter().flat_map(|plan| plan.change.iter().chain(plan.drop_in.change()));
    let mut changes: Vec<&Change> = of_services.chain(config.as_ref()).collect();
    let first_factor = first_factor::unneeded(&changes);
    let first_factor = first_factor.as_ref();
    changes.extend(first_factor);
    if changes.is_empty() {
        remarks.say();
        for plan in &plans {
            records.forget(&plan.named.name).map_err(ServiceFailure::from)?;
        }
        output.done(|| "Nothing to do.\n".to_owned(), || as_json(&plans, config.as_ref(), None))?;
        return Ok(nothing_is_left(arguments, &plans, &kept, None)?);
    }
    shown(changes.iter().copied(), &remarks, consent, output)?;
    if consent == Consent::Never {
        output.report_json(|| as_json(&plans, config.as_ref(), first_factor))?;
        return Ok(nothing_is_left(arguments, &plans, &kept, first_factor)?);
    }
    change::make_all(&changes)?;
    for plan in &mut plans {
        if let DropIn::Goes(removal) = &plan.drop_in
            && sshd::check_without(removal)? == Removed::PutBack
        {
            plan.drop_in = DropIn::Needed;
        }
    }
    for plan in &plans {
        records.forget(&plan.named.name).map_err(ServiceFailure::from)?;
        if plan.change.is_some() {
            let line = LogLine::new(Event::ServiceDisabled).with("service", &plan.named.name);
            journal::write(line.with("file", plan.named.file.display()));
        }
    }
    output
        .done(|| in_words(&plans, config.as_ref(), first_factor), || as_json(&plans, config.as_ref(), first_factor))?;
    Ok(nothing_is_left(arguments, &plans, &kept, first_factor)?)
}

/// The folder of the records. Taking the module out must not fail because the configuration does not hold; where it says the
/// state is, is believed all the same.
fn state(file: Option<&Path>) -> PathBuf {
    match host::configuration(file) {
        Ok(config) => config.state,
        Err(error) => {
            let state = host::state_of_broken_configuration(file);
            output::warning(&format!("{error}; going on with the state folder {}", state.display()));
            state
        }
    }
}

/// Every service with a record, and those of them that cannot be changed, which do not keep the others from it.
fn all(records: &Records) -> Result<(Vec<DisablePlan>, Vec<Kept>), ServiceFailure> {
    let (mut plans, mut kept) = (Vec::new(), Vec::new());
    let mut names = records.names()?;
    // sshd's settings may be all that was written.
    if !names.iter().any(|name| name == sshd::SERVICE) && sshd::removal(None)?.is_some() {
        names.push(sshd::SERVICE.to_owned());
    }
    for name in names {
        match plan(Named::new(&name), records) {
            Ok(plan) => plans.push(plan),
            Err(failure) => kept.push(Kept { name, failure }),
        }
    }
    Ok((plans, kept))
}

fn some(names: &[String], records: &Records) -> Result<Vec<DisablePlan>, ServiceFailure> {
    let plans: Vec<DisablePlan> =
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
    let ours = service.lines.iter().find(|line| line.is_ours() && line.file != named.file);
    Ok(ours.map(Place::of))
}

fn plan(named: Named, records: &Records) -> Result<DisablePlan, ServiceFailure> {
    let record = records.read(&named.name)?;
    let listed = record.as_ref().map_or(Listed::No, |record| record.listed);
    let drop_in = if named.name == sshd::SERVICE {
        let written = record.as_ref().and_then(|record| record.drop_in.as_deref());
        sshd::removal(written)?.map_or(DropIn::Untouched, DropIn::Goes)
    } else {
        DropIn::Untouched
    };
    let Some(content) = change::read(&named.file)? else {
        let is_known = record.is_some() || named.of_package()?.is_some();
        return if is_known {
            Ok(DisablePlan { named, change: None, outcome: Outcome::AsBefore, drop_in, listed, former: Vec::new() })
        } else {
            Err(ServiceFailure::NoService(named.name))
        };
    };
    let (after, outcome) = restored(&named, &content, record.as_ref())?;
    let former =
        record.map_or_else(Vec::new, |record| Former::of(&named, &record.before, &record.after, after.as_deref()));
    let changed = after.as_deref() != Some(content.as_slice());
    let change = changed.then(|| Change { file: named.file.clone(), before: Some(content), after });
    Ok(DisablePlan { named, change, outcome, drop_in, listed, former })
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
    placing::is_read_alike(&named.file, &text.text).map_err(|error| {
        let error = Box::new(error);
        ServiceFailure::NoPlace { service: named.name.clone(), file: named.file.clone(), error }
    })?;
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
        placing::is_sound(&named.target(&folders(), placing::Answers::Apart), &undone).map_err(needed)?;
    }
    Ok((Some(after), if is_before { Outcome::AsBefore } else { Outcome::Edited }))
}

/// Tells what stays although the module was taken out: sshd's settings that were changed, and lines that are left.
fn nothing_is_left(
    arguments: &args::services::Disable,
    plans: &[DisablePlan],
    kept: &[Kept],
    first_factor: Option<&Change>,
) -> Result<(), ServiceFailure> {
    let about_sshd = arguments.all || plans.iter().any(|plan| plan.named.name == sshd::SERVICE);
    if about_sshd && plans.iter().all(|plan| matches!(plan.drop_in, DropIn::Untouched)) {
        sshd::warn_of_drop_in();
    }
    if !arguments.all {
        return Ok(());
    }
    let done = plans.iter().filter(|plan| plan.change.is_some()).map(|plan| plan.named.name.as_str());
    let done = done.chain(first_factor.map(|_| NAME));
    leftovers::nothing_runs_the_module(kept, &done.collect::<Vec<_>>())
}

fn in_words(plans: &[DisablePlan], config: Option<&Change>, first_factor: Option<&Change>) -> String {
    let mut text = String::new();
    for plan in plans.iter().filter(|plan| plan.change.is_some()) {
        let how = match plan.outcome {
            Outcome::AsBefore => "as it was before",
            Outcome::Edited => "changed since; only the lines for pam_twofactor were taken out",
        };
        let _ = writeln!(text, "{} asks for no second factor any more: {how}.", plan.named.name);
    }
    if let Some(config) = config {
        let _ = writeln!(text, "{} no longer lists them under combined.", config.file.display());
    }
    if let Some(removed) = first_factor {
        let _ = writeln!(text, "No service includes {} any more: removed.", removed.file.display());
    }
    if plans.iter().any(|plan| plan.drop_in.change().is_some()) {
        let _ = writeln!(text, "\nNow let sshd read its settings:\n  {}", crate::sshd::reload());
    }
    text
}

fn as_json(plans: &[DisablePlan], config: Option<&Change>, first_factor: Option<&Change>) -> serde_json::Value {
    let services = plans.iter().map(|plan| {
        json!({
            "service": plan.named.name,
            "file": plan.named.file.display().to_string(),
            "changed": plan.change.is_some(),
            "as_before": plan.outcome == Outcome::AsBefore,
            "diff": plan.change.as_ref().map(Change::diff),
        })
    });
    let settings = plans.iter().find_map(|plan| plan.drop_in.change());
    let changed = |change: &Change| json!({ "file": change.file.display().to_string(), "diff": change.diff() });
    json!({
        "services": services.collect::<Vec<_>>(),
        "sshd": settings.map(changed),
        "configuration": config.map(changed),
        "first_factor": first_factor.map(changed),
    })
}
