//! Users of other systems whose modules stand in PAM, taken over as the lines there say.

use std::path::{Path, PathBuf};

use twofactor_core::host::clock::UnixTime;
use twofactor_core::pam_service::Line;
use twofactor_core::pam_service::findings::Place as LinePlace;
use twofactor_core::pam_service::modules::{GOOGLE_AUTHENTICATOR, OATH};

use super::google_authenticator::{self, Place};
use super::oath_users;
use super::taking_over::{Candidate, UserResult, each};
use crate::args::import::Taking;
use crate::error::{Failure, MovingInFailure};
use crate::host::Host;

/// Takes over all users whom `lines` of pam_google_authenticator and pam_oath know, or says what would come of it.
pub(crate) fn take_over_users_of(
    lines: &[Line],
    taking: &Taking,
    host: &Host,
    said: &mut dyn FnMut(&UserResult) -> Result<(), Failure>,
) -> Result<Vec<UserResult>, Failure> {
    let mut results = Vec::new();
    for (system, candidates) in candidates(lines, host.now()?)? {
        results.extend(each(system, candidates, taking, host, said)?);
    }
    Ok(results)
}

fn candidates(lines: &[Line], now: UnixTime) -> Result<Vec<(&'static str, Vec<Candidate>)>, Failure> {
    let mut all = Vec::new();
    let mut places: Vec<Place> = lines.iter().filter(|line| line.runs(GOOGLE_AUTHENTICATOR)).map(Place::of).collect();
    places.sort_unstable();
    places.dedup();
    if !places.is_empty() {
        all.push((google_authenticator::SYSTEM, google_authenticator::all_candidates(&places, now)?));
    }
    let mut files = Vec::new();
    for line in lines.iter().filter(|line| line.runs(OATH)) {
        let file = users_file(line).ok_or_else(|| MovingInFailure::NoUsersFile(LinePlace::of(line)))?;
        if !files.contains(&file) {
            all.push((oath_users::SYSTEM, oath_users::candidates(&file, None, now)?));
            files.push(file);
        }
    }
    Ok(all)
}

/// The file of all users that a line of pam_oath names; `None` where it names none, or one for each user.
fn users_file(line: &Line) -> Option<PathBuf> {
    let file = line.values("usersfile=").next_back()?;
    (!file.contains("${")).then(|| Path::new(file).to_owned())
}
