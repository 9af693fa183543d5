//! `twofactor ssh-key`: the security keys that users log in to ssh with.

use std::path::Path;

use serde_json::{Value, json};
use twofactor_core::account::EnrolledKey;
use twofactor_core::account::factors::Attestation;
use twofactor_core::codes::ssh_key::PublicKey;
use twofactor_core::codes::token::Label;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{AccountStatus, AddedKey, SshKeyView};

use super::{attestation, list_file};
use crate::args::ssh_keys::{AddSshKey, ListSshKeys, RemoveSshKey, SshKey};
use crate::error::{Failure, quoted};
use crate::host::Host;
use crate::journal;
use crate::output::{self, Output};
use crate::sshd;

pub(crate) fn run(arguments: &SshKey, host: &Host, output: &Output) -> Result<(), Failure> {
    match arguments {
        SshKey::Add(arguments) => add(arguments, host, output),
        SshKey::List(arguments) => list(arguments, host, output),
        SshKey::Remove(arguments) => remove(arguments, host, output),
    }
}

fn add(arguments: &AddSshKey, host: &Host, output: &Output) -> Result<(), Failure> {
    let person = host.person_to_equip(&arguments.user)?;
    let user = &person.name;
    let PublicKey { key, comment } = read(&arguments.file)?;
    let label = arguments.label.clone().unwrap_or_else(|| label_of(&comment));
    let issued = host.now()?;
    let attestation = attestation::check(arguments, &key, issued)?;
    let enrolled = EnrolledKey { key, label, issued, attestation };
    let added = host.accounts.add_ssh_key(&person, enrolled.clone())?;
    let (enrolled, event) = match &added {
        AddedKey::New { .. } => (&enrolled, Event::SshKeyAdded),
        AddedKey::Attested(enrolled) => (enrolled, Event::SshKeyAttested),
    };
    journal::write(about(event, user, enrolled));
    if let AddedKey::New { voided: Some(until) } = &added {
        journal::write(journal::about(Event::InvitationRevoked, user));
        output::warning(&format!(
            "the invitation of {user}, open until {until}, is void now: a user who has a key sets up nothing with one"
        ));
    }
    if lacks_codes(&host.status(user)?) {
        output::warning(&format!(
            "{user} has no app, token or recovery code: programs that see no ssh key, as sudo and the console, refuse {user}; \
             \"twofactor enroll {}\" gives an app",
            quoted(user.as_str())
        ));
    }
    warn_of_barred_root(user);
    let enrolled = SshKeyView::of(enrolled);
    let SshKeyView { fingerprint, label, .. } = &enrolled;
    let said = match &added {
        AddedKey::New { .. } => format!("{user} is asked for no code at ssh logins with the key \"{label}\"."),
        AddedKey::Attested(_) => format!("{user} had the key \"{label}\" already; from now on it is attested."),
    };
    Ok(output.done(|| format!("{said}\n{fingerprint}\n"), || as_json(user, &enrolled))?)
}

fn list(arguments: &ListSshKeys, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = host.account_holder(&arguments.user)?;
    let keys: Vec<SshKeyView> = host.status(&user)?.ssh_keys.iter().map(SshKeyView::of).collect();
    show(&keys, &user, &format!("{user} has no ssh keys.\n"), output)
}

/// Prints a user's keys, or the sentence that there are none.
pub(super) fn show(keys: &[SshKeyView], user: &UserName, none: &str, output: &Output) -> Result<(), Failure> {
    if keys.is_empty() {
        return Ok(output.done(|| none.to_owned(), || json!([]))?);
    }
    Ok(output.report(|| keys.iter().map(in_lines).collect(), || keys.iter().map(|one| as_json(user, one)).collect())?)
}

/// A key in three lines: in 80 columns, a label and a fingerprint have no room beside each other.
fn in_lines(one: &SshKeyView) -> String {
    let SshKeyView { fingerprint, kind, label, issued, attestation } = one;
    let attested = if *attestation == Attestation::Checked { ", attested" } else { "" };
    format!("{label}\n    {fingerprint}\n    {}, issued {issued}{attested}\n", kind.word())
}

fn remove(arguments: &RemoveSshKey, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = host.account_holder(&arguments.user)?;
    let taken = host.accounts.remove_ssh_key(&user, &arguments.key, arguments.force.last_credential())?;
    journal::write(about(Event::SshKeyRemoved, &user, &taken));
    Ok(output.done(
        || format!("{user} is asked for a code at ssh logins with the key \"{}\".\n", taken.label),
        || as_json(&user, &SshKeyView::of(&taken)),
    )?)
}

/// The public key in a file; "-" is standard input.
pub(super) fn read(path: &Path) -> Result<PublicKey, Failure> {
    let text = list_file::read(path)?;
    key_in(&text, path)
}

/// The public key in the text of a file.
pub(super) fn key_in(text: &str, path: &Path) -> Result<PublicKey, Failure> {
    PublicKey::read(text).map_err(|error| Failure::KeyFile { path: path.to_owned(), error: error.into() })
}

/// The label of a key with this comment, which may be none.
pub(super) fn label_of(comment: &str) -> Label {
    let plain: String = comment.replace(':', " ").trim().chars().take(LONGEST_LABEL).collect();
    Label::new(plain.trim()).unwrap_or_else(Label::key)
}

/// The longest label, in characters.
const LONGEST_LABEL: usize = 64;

/// Warns where sshd ends the logins of root that go on to PAM behind a key, as with Debian's settings (openssh, auth-pam.c). That
/// it cannot be told is for `doctor` to say.
fn warn_of_barred_root(user: &UserName) {
    if sshd::is_root(user)
        && let Ok(Some(setting)) = sshd::keeps_out(user)
    {
        output::warning(&format!(
            "over ssh this key opens nothing: sshd has {setting}, and ends a login of {user} that goes on to PAM"
        ));
        output::hint(
            "let root in with \"PermitRootLogin yes\", where each list of AuthenticationMethods begins with publickey",
        );
    }
}

/// True when nothing of the account answers a question for a code.
fn lacks_codes(status: &AccountStatus) -> bool {
    status.apps.is_empty() && status.tokens.is_empty() && status.recovery_left == 0
}

fn about(event: Event, user: &UserName, one: &EnrolledKey) -> twofactor_core::log::record::Record {
    journal::about(event, user).with("key", one.key.fingerprint()).with("label", &one.label)
}

/// A key in the report about a user.
pub(crate) fn in_words(SshKeyView { fingerprint, kind, label, issued, .. }: &SshKeyView) -> String {
    let (name, rest) =
        (format!("Ssh key:         {label}, {fingerprint}"), format!("{}, issued {issued}", kind.word()));
    format!("{name}\n                 {rest}\n")
}

/// A key as every command prints it.
pub(crate) fn as_json(user: &UserName, one: &SshKeyView) -> Value {
    json!({
        "user": user.as_str(),
        "fingerprint": one.fingerprint.as_str(),
        "label": one.label.as_str(),
        "type": one.kind.word(),
        "issued": one.issued.to_string(),
        "attested": one.attestation == Attestation::Checked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_key_is_its_comment_as_far_as_a_label_can_be_it() {
        for (comment, label) in [
            ("alice@laptop", "alice@laptop"),
            ("work key", "work key"),
            ("", "key"),
            ("ssh:alice", "ssh alice"),
            ("recovery", "key"),
            ("\u{1b}[2J", "key"),
        ] {
            assert_eq!(label_of(comment).as_str(), label, "{comment:?}");
        }
        assert_eq!(label_of(&"x".repeat(200)).as_str().len(), 64);
    }
}
