//! Services whose programs cannot ask for a code as sshd does: what that means for their lines and for the configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use twofactor_admin::checkup::services::our_lines;
use twofactor_admin::config_editing;
use twofactor_admin::pam_editing::placing::Answers;
use twofactor_core::pam_service::Service;
use twofactor_core::pam_service::programs::{self, ProgramObstacle};
use twofactor_core::text::document::toml_string;

use crate::commands::doctor::sandboxes;
use crate::error::ServiceFailure;
use crate::host::{Host, broker_problem};
use crate::output;

use super::change::{self, Change};
use super::plan::{Named, folders};
use super::remarks::Remarks;

/// The way in which users of a service type the code: behind the password where its program has room for one answer only.
pub(super) fn answers(service: &str, host: &Host) -> Answers {
    let program = programs::of(service);
    let in_one = match program.and_then(programs::Program::obstacle) {
        Some(ProgramObstacle::RepeatsPassword | ProgramObstacle::NeedsBroker) => true,
        Some(ProgramObstacle::NotRoot) => program.is_some_and(programs::Program::repeats_password),
        _ => false,
    };
    if in_one || host.config.prompt.combined.contains(service) { Answers::InOne } else { Answers::Apart }
}

/// Why no login of a service could pass with our line, when its program is known for that.
pub(super) fn hopeless(service: &str, host: &Host) -> Option<String> {
    let program = programs::of(service)?;
    match program.obstacle()? {
        ProgramObstacle::RepeatsPassword | ProgramObstacle::NeedsBroker => None,
        ProgramObstacle::NotRoot if host.config.has_caller_for(service) => None,
        obstacle @ ProgramObstacle::NotRoot => Some(format!(
            "{service}: {}; add to {}: [[caller]] with user (its account), service = {} and groups (whom it may ask about)",
            obstacle.about(program),
            host.config_file.display(),
            toml_string(service)
        )),
        obstacle @ (ProgramObstacle::AsksNobody | ProgramObstacle::NeverAuthenticates) => {
            Some(format!("{service}: {}", obstacle.about(program)))
        }
    }
}

/// Names the services whose programs ask the broker, when none listens.
pub(super) fn warn_of_absent_broker<'n>(names: impl Iterator<Item = &'n str>, remarks: &mut Remarks) {
    let needing: Vec<&str> = names.filter(|name| programs::needs_broker(name) || sandboxes::confines(name)).collect();
    if !needing.is_empty() && broker_problem().is_some() {
        remarks.warn(format!(
            "{}: the broker does not listen, and until it does every login there is refused: {}",
            needing.join(", "),
            "systemctl enable --now twofactord.socket"
        ));
    }
}

/// The configuration with the services of `named` whose code comes behind the password, when it does not list them yet.
pub(super) fn configuration(named: &[&Named], host: &Host) -> Result<Option<Change>, ServiceFailure> {
    let lists = |service: &str| host.config.prompt.combined.contains(service);
    let in_one = named.iter().filter(|named| answers(&named.name, host) == Answers::InOne);
    let lacking: Vec<&str> = in_one.map(|named| named.name.as_str()).filter(|service| !lists(service)).collect();
    if lacking.is_empty() {
        return Ok(None);
    }
    for service in &lacking {
        reads_another(service, &host.config_file)?;
    }
    let file = host.config_file.clone();
    let before = change::read(&file)?;
    let text = String::from_utf8_lossy(before.as_deref().unwrap_or_default()).into_owned();
    let after = config_editing::with_combined(&text, &lacking).map_err(|error| ServiceFailure::Combined {
        file: file.clone(),
        services: lacking.iter().map(|service| (*service).to_owned()).collect(),
        because: error.to_string(),
    })?;
    Ok(Some(Change { file, before, after: Some(after.into_bytes()) }))
}

/// The configuration without services that `enable` has put into it. One that cannot be edited stays, and is named.
pub(super) fn unlisted(services: &[&str], file: &Path) -> Result<Option<Change>, ServiceFailure> {
    let Some(before) = change::read(file)?.filter(|_| !services.is_empty()) else { return Ok(None) };
    let text = String::from_utf8_lossy(&before).into_owned();
    match config_editing::without_combined(&text, services) {
        Ok(after) if after == text => Ok(None),
        Ok(after) => Ok(Some(Change { file: file.to_owned(), before: Some(before), after: Some(after.into_bytes()) })),
        Err(error) => {
            let (names, file) = (services.join(", "), file.display());
            output::warning(&format!("{file} still lists {names} under combined, take that out by hand: {error}"));
            Ok(None)
        }
    }
}

/// A line of ours that is there already may name another configuration, which is not changed here.
fn reads_another(service: &str, config: &Path) -> Result<(), ServiceFailure> {
    let Ok(read) = Service::read(service, &folders()) else { return Ok(()) };
    let Some((_, arguments)) = our_lines(&read).find(|(_, arguments)| arguments.conf != config) else { return Ok(()) };
    Err(ServiceFailure::Combined {
        file: arguments.conf,
        services: vec![service.to_owned()],
        because: "the line of the service names another configuration than this command uses".to_owned(),
    })
}

/// The folder of a configuration that is going to be made.
pub(super) fn make_folder(change: &Change) -> Result<(), ServiceFailure> {
    match change.file.parent() {
        Some(folder) if change.before.is_none() => {
            let failed = |error| change::failed(folder, "make", error);
            fs::create_dir_all(folder).map_err(failed)?;
            // Programs without root read it, whatever the umask is.
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(failed)
        }
        Some(_) | None => Ok(()),
    }
}
