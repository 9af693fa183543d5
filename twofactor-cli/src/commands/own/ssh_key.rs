//! `twofactor self ssh-key`: one's own security keys of ssh.
//!
//! Invariants: what can be refused without a code is refused before one is asked for. No key is said to be attested: root alone
//! trusts makers.

use std::path::Path;

use twofactor_core::account::MOST_SSH_KEYS;
use twofactor_core::codes::ssh_key::{Fingerprint, PublicKey};
use twofactor_core::store::administration::{SshKeyError, SshKeyView};
use twofactor_core::store::self_service::{Change, KeyNotChanged, NotChanged, Permitted, Request};

use super::changing::ask_proof;
use super::oneself::Oneself;
use crate::args::own::{AddOwnSshKey, OwnSshKey, RemoveOwnSshKey};
use crate::commands::ssh_key;
use crate::error::{Failure, KeyOwner};
use crate::output::Output;
use crate::terminal::{self, Unanswered};

pub(super) fn run(arguments: &OwnSshKey, oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    match arguments {
        OwnSshKey::Add(arguments) => add(arguments, oneself, output),
        OwnSshKey::List(_) => list(oneself, output),
        OwnSshKey::Remove(arguments) => remove(arguments, oneself, output),
    }
}

fn add(arguments: &AddOwnSshKey, oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let PublicKey { key, comment } = read(&arguments.file)?;
    let label = arguments.label.clone().unwrap_or_else(|| ssh_key::label_of(&comment));
    let fingerprint = key.fingerprint();
    let change = Change::AddSshKey { key, label };
    let (account, offer) = oneself.broker.own_account(&oneself.person)?;
    if offer.ssh_keys == Permitted::No && account.has_factors() {
        // The reason comes before any code.
        return Err(oneself.refusal_of(change, &fingerprint)?);
    }
    let keys = oneself.changeable_keys()?;
    if keys.iter().any(|enrolled| enrolled.fingerprint == fingerprint) {
        return Err(oneself.key_not_changed(KeyNotChanged::AlreadyEnrolled, &fingerprint));
    }
    if keys.len() >= MOST_SSH_KEYS {
        return Err(oneself.key_not_changed(KeyNotChanged::TooMany, &fingerprint));
    }
    let added = oneself.change_key(change, &fingerprint)?;
    Ok(output.done(
        || {
            let label = &added.label;
            format!("The key \"{label}\" is enrolled. Where sshd accepts it, it spares you the code.\n{fingerprint}\n")
        },
        || ssh_key::as_json(oneself.name(), &added),
    )?)
}

fn list(oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let keys = oneself.broker.own_ssh_keys(&oneself.person)?;
    ssh_key::show(&keys, oneself.name(), "You have no ssh keys.\n", output)
}

fn remove(arguments: &RemoveOwnSshKey, oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let keys = oneself.changeable_keys()?;
    let fingerprint = &SshKeyView::named(&arguments.key, oneself.name(), &keys).map_err(of_own)?.fingerprint;
    let taken = oneself.change_key(Change::RemoveSshKey(fingerprint.clone()), fingerprint)?;
    Ok(output.done(
        || format!("You are asked for a code at ssh logins with the key \"{}\".\n", taken.label),
        || ssh_key::as_json(oneself.name(), &taken),
    )?)
}

/// The public key in a file; "-" is a line of standard input, behind which the answers stand.
fn read(path: &Path) -> Result<PublicKey, Failure> {
    if path != Path::new("-") {
        return ssh_key::read(path);
    }
    let text = loop {
        match terminal::read_line() {
            Ok(line) if line.trim_ascii().is_empty() || line.starts_with(b"#") => {}
            Ok(line) => break String::from_utf8_lossy(&line).into_owned(),
            Err(Unanswered::EndOfInput) => break String::new(),
            Err(unanswered) => return Err(unanswered.into()),
        }
    };
    ssh_key::key_in(&text, path)
}

impl Oneself {
    /// The user's keys, unless none of them can be changed.
    fn changeable_keys(&self) -> Result<Vec<SshKeyView>, Failure> {
        let (account, offer) = self.broker.own_account(&self.person)?;
        self.must_be_changeable(&account, offer.ssh_keys)?;
        Ok(self.broker.own_ssh_keys(&self.person)?)
    }

    /// Asks for a code, and changes the key with this fingerprint.
    fn change_key(&self, change: Change, fingerprint: &Fingerprint) -> Result<SshKeyView, Failure> {
        let request = Request { proof: Some(ask_proof()?), invitation: None, change };
        self.asked(&request, fingerprint)?
    }

    /// The refusal of a change that is not on offer: no code can change that.
    fn refusal_of(&self, change: Change, fingerprint: &Fingerprint) -> Result<Failure, Failure> {
        let request = Request { proof: None, invitation: None, change };
        let refused = self.asked(&request, fingerprint)?.err();
        Ok(refused.unwrap_or_else(|| self.not_changed(NotChanged::SwitchedOff)))
    }

    fn asked(&self, request: &Request, fingerprint: &Fingerprint) -> Result<Result<SshKeyView, Failure>, Failure> {
        let asked = self.broker.change_own_ssh_key(&self.person, request)?;
        Ok(asked.map_err(|why| match why {
            NotChanged::SshKey(why) => self.key_not_changed(why, fingerprint),
            why => self.not_changed(why),
        }))
    }

    /// The sentence that root is told as well.
    fn key_not_changed(&self, why: KeyNotChanged, fingerprint: &Fingerprint) -> Failure {
        let user = self.name().clone();
        of_own(match why {
            KeyNotChanged::AlreadyEnrolled => SshKeyError::AlreadyEnrolled(user, fingerprint.clone()),
            KeyNotChanged::TooMany => SshKeyError::TooMany(user),
            KeyNotChanged::NoKey => SshKeyError::NoKey(user, fingerprint.to_string()),
            KeyNotChanged::LastCredential => SshKeyError::LastCredential(user),
            KeyNotChanged::CountsNowhere => SshKeyError::CountsNowhere,
        })
    }
}

fn of_own(error: SshKeyError) -> Failure {
    Failure::SshKey { error, owner: KeyOwner::Oneself }
}
