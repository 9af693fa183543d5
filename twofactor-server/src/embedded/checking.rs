//! Problems of an embedded store, found without changing anything.

use std::path::Path;

use crate::error::ServerError;
use crate::fleet_file::{FleetFile, Place};
use crate::sealing::keys::Keys;
use crate::upkeep::checking::Findings;

/// Looks at the folder of a store, with the server's keys where they can be read.
pub fn check(folder: &Path, keys: Option<Keys>) -> Findings {
    let mut findings = Findings::new();
    if let Err(error) = examine(folder, keys, &mut findings) {
        findings.push(Err(error));
    }
    findings
}

fn examine(folder: &Path, keys: Option<Keys>, findings: &mut Findings) -> Result<(), ServerError> {
    let place = Place::of(folder)?;
    let _as_owner = place.as_owner()?;
    findings.push(Ok(format!("{}: private to {}", folder.display(), place.owner_in_words())));
    if !FleetFile::is_there(&place)? {
        findings.push(Ok("no tables yet: the server makes the file of hosts".to_owned()));
        return Ok(());
    }
    let Some(keys) = keys else { return Ok(()) };
    let file = FleetFile::open(&place, keys)?;
    match file.damage()? {
        None => findings.push(Ok("the file of hosts is whole, and its keys are there".to_owned())),
        Some(problem) => {
            return Err(ServerError::FleetFile { file: folder.join("fleet.db").display().to_string(), problem });
        }
    }
    Ok(())
}
