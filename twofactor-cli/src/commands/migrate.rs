//! `twofactor migrate`: what an older version has kept where this one does not look for it at login.

use serde_json::json;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::Migration;

use crate::error::Failure;
use crate::host::Host;
use crate::journal;
use crate::output::values::counted;
use crate::output::{self, Output};

pub(crate) fn run(host: &Host, output: &Output) -> Result<(), Failure> {
    let Migration { moved, problems } = host.accounts.migrate(host.sysadmin()?.by())?;
    let record = |(user, tokens): &(UserName, usize)| journal::about(Event::Repaired, user).with("tokens", tokens);
    journal::write_all(moved.iter().map(record));
    let (broken, all) = (problems.len(), moved.len() + problems.len());
    for problem in problems {
        let failure = Failure::from(problem);
        output::failure(&failure.lines(), failure.hint().as_deref());
    }
    let text = || match moved.iter().map(|(_, tokens)| tokens).sum::<usize>() {
        0 => "No physical token is left to move.\n".to_owned(),
        tokens => {
            let (tokens, users) = (counted(tokens as u64, "physical token"), counted(moved.len() as u64, "user"));
            format!("{tokens} of {users} moved into the users' own files.\n")
        }
    };
    let as_json = |(user, tokens): &(UserName, usize)| json!({ "user": user.as_str(), "tokens": tokens });
    output.done(text, || moved.iter().map(as_json).collect())?;
    if broken == 0 { Ok(()) } else { Err(Failure::BrokenAccounts { broken, all }) }
}
