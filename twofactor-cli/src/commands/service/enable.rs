//! `twofactor service enable SERVICE…`: everything is planned and refused first, then shown, then written.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use twofactor_admin::checkup::people::Guarded;
use twofactor_admin::checkup::services::{asks_first_factor, of_unheard_refusals};
use twofactor_admin::checkup::sshd::KeyProof;
use twofactor_admin::checkup::storage;
use twofactor_admin::pam_editing::placing::Answers;
use twofactor_core::account::throttle::Limits;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::trusted::{self, Owner};
use twofactor_core::log::record::{Event, Record as LogLine};
use twofactor_core::pam_service::Service;
use twofactor_core::pam_service::findings::Finding;
use twofactor_core::pam_service::modules;

use crate::args;
use crate::error::{Failure, ServiceFailure};
use crate::host::Host;
use crate::journal;
use crate::output::Output;
use crate::sshd::{Outdated, reload};

use super::change::{self, Change};
use super::enable_plan::{EnablePlan, Step, plan};
use super::plan::{Consent, Named, folders, shown};
use super::records::{self, Listed, Record, Records};
use super::remarks::{Refused, Remarks};
use super::replacing::{self, Moving, Replacing};
use super::sshd::Reloaded;
use super::{administrators, first_administrator, first_factor, programs, siblings, sshd};

pub(super) fn run(arguments: &args::services::Enable, host: &Host, output: &Output) -> Result<(), Failure> {
    let consent = Consent::of(arguments.dry_run, arguments.yes);
    let mut remarks = Remarks::default();
    let all = Named::all(&arguments.services)?;
    refuse_hopeless(&all, arguments, host, &mut remarks)?;
    let mut replacing = Replacing::new(arguments);
    let mut plans = all
        .into_iter()
        .map(|named| plan(named, host, &mut |of, lines| replacing.decide(of, lines)))
        .collect::<Result<Vec<_>, _>>()?;
    if !arguments.only {
        take_along(&mut plans, &mut replacing, host, &mut remarks)?;
    }
    replacing.remark(&mut remarks);
    let mut moving = replacing.moving(&plans, host, output)?;
    let config = programs::configuration(&plans.iter().map(|plan| &plan.named).collect::<Vec<_>>(), host)?;
    let config = config.as_ref();
    programs::warn_of_absent_broker(plans.iter().map(|plan| plan.named.name.as_str()), &mut remarks);
    let sshd = plan_sshd(&plans, arguments, &mut remarks)?;
    let drop_in = sshd.as_ref().and_then(|plan| plan.change.as_ref());
    siblings::warn_of_unasking(&plans.iter().map(|plan| &plan.named).collect::<Vec<_>>(), &mut remarks);
    let first_factor = first_factor_file(&plans)?;
    let first_factor = first_factor.as_ref();
    let beside = Beside { drop_in, config, first_factor };
    if plans.iter().all(|plan| plan.step.is_none()) && beside.changes().next().is_none() {
        remarks.say();
        let outdated = sshd.as_ref().and_then(|plan| plan.outdated.as_ref());
        let text = || outdated.map_or_else(|| "Nothing to do.\n".to_owned(), to_be_read);
        return Ok(output.done(text, || as_json(&plans, &moving, &Refused::default(), Beside::default()))?);
    }
    if let Err(failure) = refuse_lockout(&plans, arguments, &moving, host, &mut remarks, output) {
        // It may be about a service that was not named.
        remarks.say();
        return Err(failure);
    }
    let steps = || plans.iter().filter_map(|plan| plan.step.as_ref().map(|step| (&plan.named, step)));
    for (named, step) in steps() {
        for finding in &step.wrong {
            output.explain(&format!("{}: {finding}", named.name));
        }
    }
    let unrehearsed: BTreeSet<&str> =
        steps().filter_map(|(_, step)| step.rehearsed.as_ref().err()).map(String::as_str).collect();
    for reason in unrehearsed {
        remarks.warn(format!("what would be written was worked out and not tried in libpam: {reason}"));
    }
    for (named, place) in steps().filter_map(|(named, step)| Some((named, step.goes_on_behind.as_ref()?))) {
        let Limits { free_attempts, max_delay, .. } = host.config.throttle;
        let longest = match max_delay.as_secs() {
            seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
            seconds => format!("{seconds} s"),
        };
        remarks.warn(format!(
            "{}: a password that {place} refuses no longer ends the login: the code is asked for, and the login is refused \
             whatever it is. So wrong codes of people without the password count: after {free_attempts} of them the user \
             waits up to {longest}, except where the last login came from; \"twofactor unlock USER\" ends that",
            named.name
        ));
    }
    warn_of_what_others_can_change(steps().filter_map(|(_, step)| step.service.as_ref()), &mut remarks);
    warn_of_unheard_refusals(steps().map(|(_, step)| step), host, &mut remarks);
    let refused = refused(&plans, &moving, host, &mut remarks);
    moving.refuse_lacking(&refused, consent)?;
    let changes = beside.changes().chain(steps().map(|(_, step)| &step.change));
    shown(changes, &remarks, consent, output)?;
    if consent == Consent::Never {
        return Ok(output.report_json(|| as_json(&plans, &moving, &refused, beside))?);
    }
    let refused = taken_over(&plans, &mut moving, refused, host, output)?;
    write(&plans, sshd.as_ref(), config, host)?;
    for EnablePlan { named, replaced, .. } in plans.iter().filter(|plan| plan.step.is_some()) {
        let line = LogLine::new(Event::ServiceEnabled).with("service", &named.name);
        journal::write(line.with("file", named.file.display()).with_some("from", replacing::in_log(replaced)));
    }
    let outdated = sshd.as_ref().and_then(|plan| plan.outdated.as_ref());
    let unread = match (drop_in, outdated) {
        (Some(_), _) if arguments.security_keys.is_some() => {
            Some(format!("Now let sshd read its settings:\n  {}\n", reload()))
        }
        (Some(_), _) => Some(format!(
            "Now let sshd read its settings, until then its password logins are refused:\n  {}\n",
            reload()
        )),
        (None, outdated) => outdated.map(to_be_read),
    };
    let reloaded = match consent {
        Consent::Asked if unread.is_some() => sshd::offer_reload(),
        Consent::Asked | Consent::Given | Consent::Never => Reloaded::No,
    };
    let to_reload = unread.filter(|_| reloaded == Reloaded::No);
    Ok(output.done(
        || in_words(&plans, first_factor, to_reload.as_deref(), &host.config.state),
        || as_json(&plans, &moving, &refused, beside),
    )?)
}

/// The changes besides those of the services themselves.
#[derive(Clone, Copy, Default)]
struct Beside<'c> {
    /// sshd's settings.
    drop_in: Option<&'c Change>,
    /// `[prompt] combined`.
    config: Option<&'c Change>,
    /// The file that tells our line of a failed first factor.
    first_factor: Option<&'c Change>,
}

impl<'c> Beside<'c> {
    fn changes(self) -> impl Iterator<Item = &'c Change> {
        self.config.into_iter().chain(self.drop_in).chain(self.first_factor)
    }
}

/// The file that tells our line of a failed first factor, where one of the services includes it and it is not as it should be.
fn first_factor_file(plans: &[EnablePlan]) -> Result<Option<Change>, ServiceFailure> {
    if plans.iter().any(|plan| plan.is_told) { first_factor::needed() } else { Ok(None) }
}

/// The changes to sshd's settings, where sshd is among the services.
fn plan_sshd(
    plans: &[EnablePlan],
    arguments: &args::services::Enable,
    remarks: &mut Remarks,
) -> Result<Option<sshd::SshdPlan>, ServiceFailure> {
    let keys = arguments.security_keys.map(|how| match how {
        args::services::KeyProof::Touch => KeyProof::Touch,
        args::services::KeyProof::Verify => KeyProof::Verification,
    });
    if plans.iter().all(|plan| plan.named.name != sshd::SERVICE) {
        return if keys.is_some() { Err(ServiceFailure::KeysWithoutSshd) } else { Ok(None) };
    }
    let mut sshd = sshd::plan(keys, remarks)?;
    if keys.is_some() && sshd_asks_for_a_password(plans) {
        remarks.warn(
            "behind the key, PAM asks for the password and then, unless the key is an enrolled security key, for a code; how to \
             leave the password out is in twofactor-service(8), \"Security keys\"",
        );
    }
    if let Some(failure) = sshd.as_mut().and_then(|plan| plan.shut_out.take()) {
        if !arguments.force && !arguments.dry_run {
            return Err(failure);
        }
        remarks.warn(failure.to_string());
    }
    Ok(sshd)
}

/// True when sshd's service asks for more than the second factor, as it is going to be.
fn sshd_asks_for_a_password(plans: &[EnablePlan]) -> bool {
    let planned = plans.iter().find(|plan| plan.named.name == sshd::SERVICE).and_then(|plan| plan.step.as_ref());
    match planned {
        Some(step) => step.service.as_ref().is_some_and(asks_first_factor),
        None => Service::read(sshd::SERVICE, &folders()).is_ok_and(|service| asks_first_factor(&service)),
    }
}

/// Names every service whose program cannot ask for a code, and why.
fn refuse_hopeless(
    all: &[Named],
    arguments: &args::services::Enable,
    host: &Host,
    remarks: &mut Remarks,
) -> Result<(), ServiceFailure> {
    let mut hopeless = Vec::new();
    for named in all {
        if let Some(because) = programs::hopeless(&named.name, host) {
            remarks.warn(because);
            hopeless.push(named.name.clone());
        }
    }
    if hopeless.is_empty() || arguments.force || arguments.dry_run {
        return Ok(());
    }
    // Nothing follows below which they could be said.
    remarks.say();
    Err(ServiceFailure::Hopeless(hopeless))
}

/// Adds what has to change in services that are used like those that were named. One that cannot be changed stays as it is; that
/// it asks for nothing is said with those that are left out.
fn take_along(
    plans: &mut Vec<EnablePlan>,
    replacing: &mut Replacing<'_>,
    host: &Host,
    remarks: &mut Remarks,
) -> Result<(), Failure> {
    let named: Vec<&Named> = plans.iter().map(|plan| &plan.named).collect();
    let along =
        siblings::to_take_along(&named).into_iter().filter(|named| programs::hopeless(&named.name, host).is_none());
    let mut planned = Vec::new();
    for named in along {
        match plan(named, host, &mut |of, lines| replacing.decide(of, lines)) {
            Ok(plan) => planned.push(plan),
            Err(Failure::Service(failure)) if !failure.is_of_libpam() => {}
            Err(failure) => return Err(failure),
        }
    }
    for plan in &planned {
        remarks.warn(format!(
            "{} is a service of its own, and is changed, too: who gets in there has what the others protect (--only leaves it as \
             it is)",
            plan.named.name
        ));
    }
    plans.extend(planned);
    Ok(())
}

/// A host must keep an administrator who can log in, and libpam must find the modules it is told to run.
fn refuse_lockout(
    plans: &[EnablePlan],
    arguments: &args::services::Enable,
    moving: &Moving,
    host: &Host,
    remarks: &mut Remarks,
    output: &Output,
) -> Result<(), Failure> {
    let folder = modules::folder();
    if !folder.as_ref().is_some_and(|folder| folder.join(modules::OURS).exists()) {
        return Err(ServiceFailure::NoModule(folder).into());
    }
    if arguments.force || plans.iter().all(|plan| plan.step.is_none()) {
        return Ok(());
    }
    let look = || administrators::look(host).map(|people| moving.as_if_taken_over(people));
    let mut people = look()?;
    for plan in plans.iter().filter(|plan| plan.step.is_some()) {
        match administrators::keep_one(&plan.named.name, &people, host) {
            Err(failure) if arguments.dry_run => remarks.warn(failure.to_string()),
            Err(failure) if !arguments.yes => {
                first_administrator::enrolled_now(failure, host, output)?;
                people = look()?;
                administrators::keep_one(&plan.named.name, &people, host)?;
            }
            kept => kept?,
        }
    }
    Ok(())
}

/// Folders and included files that others than root can change: they could take the line of the module out, or the password.
fn warn_of_what_others_can_change<'s>(services: impl Iterator<Item = &'s Service>, remarks: &mut Remarks) {
    let files: BTreeSet<&Path> = services.flat_map(|service| &service.files).map(PathBuf::as_path).collect();
    let mut said = BTreeSet::new();
    for error in files.into_iter().filter_map(|file| trusted::is_out_of_reach(file, Owner::ROOT).err()) {
        let finding = storage::of_file(&error);
        // A folder is one for all its files.
        if said.insert(finding.what.clone()) {
            let way_out = finding.mend.command().or(finding.mend.advice()).unwrap_or_default().to_owned();
            remarks.warn(finding.what);
            remarks.hint(way_out);
        }
    }
}

/// Account lines that refuse too late, and how each is mended. Those in files that services share are not changed for one of
/// them.
fn warn_of_unheard_refusals<'s>(steps: impl Iterator<Item = &'s Step>, host: &Host, remarks: &mut Remarks) {
    // Whether a day has come that a rule names is for the look at those who are refused to say.
    let Ok(now) = host.now() else { return };
    let services = steps.filter_map(|step| step.service.as_ref());
    for finding in services.flat_map(|service| of_unheard_refusals(service, &host.config, now)) {
        remarks.warn(finding.what);
        remarks.hint(finding.mend.advice().unwrap_or_default());
    }
}

/// All users whom the services will refuse once they are changed. A look-up that fails keeps nothing from being done, but is
/// said.
fn refused(plans: &[EnablePlan], moving: &Moving, host: &Host, remarks: &mut Remarks) -> Refused {
    let guarded: Vec<Guarded> = plans.iter().filter_map(|plan| plan.step.as_ref()?.guarded.clone()).collect();
    match Refused::look(&guarded, host, |people| moving.as_if_taken_over(people)) {
        Ok(refused) => {
            refused.remark(host, remarks);
            refused
        }
        Err(reason) => {
            remarks.warn(format!("it is not known whom the services will refuse: {reason}"));
            Refused::default()
        }
    }
}

/// Takes over the users of the lines that are replaced, and looks again whom the services will refuse: a user whom another command
/// has changed meanwhile is one.
fn taken_over(
    plans: &[EnablePlan],
    moving: &mut Moving,
    refused_before: Refused,
    host: &Host,
    output: &Output,
) -> Result<Refused, Failure> {
    if !moving.take_over(host, output)? {
        return Ok(refused_before);
    }
    let mut remarks = Remarks::default();
    let refused = refused(plans, moving, host, &mut remarks);
    moving.refuse_lacking(&refused, Consent::Given)?;
    Ok(refused)
}

/// Records first, then the configuration and sshd's settings, then what services include, then the services; a stack with our line
/// and an sshd that cannot ask would let no user in. When it cannot be done, files and records are what they were.
fn write(
    plans: &[EnablePlan],
    sshd: Option<&sshd::SshdPlan>,
    config: Option<&Change>,
    host: &Host,
) -> Result<(), ServiceFailure> {
    let records = Records::open(&host.config.state, &*host.accounts)?;
    let drop_in = sshd.and_then(|plan| plan.change.as_ref());
    config.map(programs::make_folder).transpose()?;
    // Looked at again: the last service that included it may have been disabled since.
    let first_factor = first_factor_file(plans)?;
    let mut changes: Vec<&Change> = config.into_iter().chain(drop_in).chain(first_factor.as_ref()).collect();
    let mut before: Vec<(&EnablePlan, Option<Record>)> = Vec::new();
    for plan in plans {
        let is_sshd = plan.named.name == sshd::SERVICE;
        let written = drop_in.filter(|_| is_sshd).and_then(|change| change.after.clone());
        let known = records.read(&plan.named.name)?;
        let record = match (&plan.step, &known) {
            (Some(step), known) => {
                let mut record = step.record.clone();
                if let Some(known) = known.clone().filter(|known| Some(&known.after) == step.change.before.as_ref()) {
                    // Ours was put in before, and is put right now: what it was is what it was then.
                    record = Record { after: record.after, ..known };
                }
                record.drop_in = written.or(record.drop_in);
                let is_new = plan.answers == Answers::InOne && !host.config.prompt.combined.contains(&plan.named.name);
                if config.is_some() && is_new {
                    record.listed = Listed::ByEnable;
                }
                changes.push(&step.change);
                record
            }
            (None, Some(known)) if written.is_some() => Record { drop_in: written, ..known.clone() },
            (None, _) => continue,
        };
        before.push((plan, known));
        records.write(&plan.named.name, &record)?;
    }
    let done = change::make_all(&changes).and_then(|()| match sshd.filter(|plan| plan.change.is_some()) {
        Some(plan) => sshd::check(plan).or_else(|failure| change::take_back_all(&changes).and(Err(failure))),
        None => Ok(()),
    });
    // Where even the file cannot be put back, the record is all that knows what it was.
    let is_as_before = |plan: &EnablePlan| match &plan.step {
        Some(step) => change::read(&step.change.file).is_ok_and(|now| now == step.change.before),
        None => true,
    };
    for (plan, known) in before.into_iter().filter(|(plan, _)| done.is_err() && is_as_before(plan)) {
        match known {
            Some(record) => records.write(&plan.named.name, &record)?,
            None => records.forget(&plan.named.name)?,
        }
    }
    done
}

/// The instruction for a running sshd that has not read its settings.
fn to_be_read(outdated: &Outdated) -> String {
    let Outdated { changed, reload } = outdated;
    format!("The running sshd has not read {} since it was changed:\n  {reload}\n", changed.display())
}

fn in_words(plans: &[EnablePlan], first_factor: Option<&Change>, to_reload: Option<&str>, state: &Path) -> String {
    let mut text = String::new();
    for plan in plans {
        let state = if plan.step.is_some() { "asks for a second factor now" } else { "did so already" };
        let _ = writeln!(text, "{} {state}.", plan.named.name);
        for line in &plan.replaced {
            let _ = writeln!(text, "  {} is no longer asked there.", line.module_name());
        }
        if let Some(Ok(runs)) = plan.step.as_ref().map(|step| &step.rehearsed) {
            let _ = writeln!(text, "  libpam ran it {runs} times before, with stubs in the place of the modules.");
        }
        if plan.answers == Answers::InOne {
            text += "  Its users type the code behind the password, in one answer.\n";
        }
        if plan.is_told && plan.step.is_some() {
            text += "  Behind a wrong password no code is asked for.\n";
        }
    }
    if let Some(change) = first_factor {
        let _ = writeln!(text, "Written for that: {}", change.file.display());
    }
    if let Some(sentence) = to_reload {
        let _ = write!(text, "\n{sentence}");
    }
    text += "\nKeep a root session open until a login from a second terminal has worked.\n";
    let changed: Vec<&str> =
        plans.iter().filter(|plan| plan.step.is_some()).map(|plan| plan.named.name.as_str()).collect();
    if !changed.is_empty() {
        let names: Vec<String> = changed.iter().map(|name| quoted(name)).collect();
        let _ = writeln!(text, "As it was before: twofactor service disable {}", names.join(" "));
    }
    for name in changed {
        let _ = writeln!(text, "Copy: {}", records::copy(state, name).display());
    }
    text
}

fn as_json(plans: &[EnablePlan], moving: &Moving, refused: &Refused, beside: Beside<'_>) -> serde_json::Value {
    let services = plans.iter().map(|plan| {
        json!({
            "service": plan.named.name,
            "file": plan.named.file.display().to_string(),
            "changed": plan.step.is_some(),
            "rehearsed": plan.step.as_ref().and_then(|step| step.rehearsed.as_ref().ok()),
            "wrong": plan.step.iter().flat_map(|step| &step.wrong).map(Finding::to_string).collect::<Vec<_>>(),
            "replaced": plan.replaced.iter().map(replacing::as_json).collect::<Vec<_>>(),
            "refused": refused.of(&plan.named.name),
            "diff": plan.step.as_ref().map(|step| step.change.diff()),
        })
    });
    let changed = |change: &Change| json!({ "file": change.file.display().to_string(), "diff": change.diff() });
    json!({
        "services": services.collect::<Vec<_>>(),
        "users": moving.as_json(),
        "sshd": beside.drop_in.map(changed),
        "configuration": beside.config.map(changed),
        "first_factor": beside.first_factor.map(changed),
    })
}
