//! `twofactor export --user USER --plaintext`: a user's secrets, for another system.
//!
//! Invariants: no secret is shown that a person at a terminal has not asked for by typing the user's name, and none before its
//! line is in the log. A file with secrets is new and for its owner only, and goes away again when it cannot be written whole.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use twofactor_core::codes::otp::Kind;
use twofactor_core::codes::otpauth;
use twofactor_core::codes::token::Label;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{ExportedAccount, ExportedSecret, SecretStanding};
use zeroize::Zeroizing;

use crate::args::leaving::{Export, ExportForm};
use crate::commands::enroll;
use crate::error::{Failure, LeavingFailure};
use crate::host::Host;
use crate::journal;
use crate::output::values::{counted, period};
use crate::output::{self, Format, Output, Stream, Unwritten};
use crate::{qr, terminal};

pub(crate) fn run(arguments: &Export, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = host.account_holder(&arguments.user)?;
    host.check_owner(&user)?;
    if !arguments.plaintext {
        return Err(LeavingFailure::NotPlaintext.into());
    }
    let file = arguments.output.as_deref();
    // Before the question, and before the log says that secrets went there.
    if let Some(path) = file.filter(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(Failure::FileExists(path.to_owned()));
    }
    ask(&user)?;
    let mut account = host.accounts.export(&user)?.ok_or_else(|| Failure::NotEnrolled(user.clone()))?;
    let form = match output.format() {
        Format::Json if arguments.output.is_none() => ExportForm::Json,
        _ => arguments.format,
    };
    let left_out = leave_out_unused(&mut account, form);
    if account.secrets.is_empty() {
        return Err(LeavingFailure::NoSecrets(user).into());
    }
    let names = Names::of(&user, host);
    let labels: Vec<&Label> = account.secrets.iter().map(|secret| &secret.token.label).collect();
    host.accounts.note_showing(&user, Event::SecretExported, &labels)?;
    note(&user, &account, form, file)?;
    let text = match form {
        ExportForm::Otpauth => names.uris(&account),
        ExportForm::Json => Zeroizing::new(output::document(names.as_json(&account, None, Secrets::Shown))),
    };
    match file {
        None => output::must_show(Stream::Results, &text).map_err(Unwritten)?,
        Some(path) => {
            qr::create(path.to_owned(), text.as_bytes())?.keep();
            let done = || {
                let secrets = counted(account.secrets.len() as u64, "secret");
                format!("{secrets} of {user}, in plain text, in {}.\n", path.display())
            };
            output.done(done, || names.as_json(&account, Some(path), Secrets::LeftOut))?;
        }
    }
    say_what_stays(&account, &left_out, file, output);
    Ok(())
}

/// Asks a person to type the user's name. No option answers it.
fn ask(user: &UserName) -> Result<(), Failure> {
    if !terminal::is_interactive() {
        return Err(LeavingFailure::NoPerson.into());
    }
    output::prompt(&format!(
        "A reader of {user}'s secrets can log in as {user} wherever they count, until they are replaced or forgotten.\n\
         Type {user} to go on: "
    ));
    let typed = terminal::read_line()?;
    if typed.trim_ascii() == user.as_str().as_bytes() { Ok(()) } else { Err(Failure::Declined) }
}

/// Writes a line for each secret, or refuses.
fn note(
    user: &UserName,
    account: &ExportedAccount,
    form: ExportForm,
    file: Option<&Path>,
) -> Result<(), LeavingFailure> {
    let line = |secret: &ExportedSecret| {
        let record = journal::about(Event::SecretExported, user).with("token", &secret.token.label);
        record.with("form", form.word()).with_some("file", file.map(Path::display))
    };
    journal::write_surely(account.secrets.iter().map(line)).map_err(LeavingFailure::NotLogged)
}

/// The place of secrets: the report itself, or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Shown,
    LeftOut,
}

/// The names in the URIs of a user.
struct Names<'u> {
    user: &'u UserName,
    issuer: String,
    account: String,
}

impl<'u> Names<'u> {
    fn of(user: &'u UserName, host: &Host) -> Self {
        let (issuer, account) = enroll::issuer_and_account(None, user, host);
        Self { user, issuer, account }
    }

    /// The account's name of one secret: the user alone for the first app, with its label for others, so that no two are alike.
    fn account(&self, secret: &ExportedSecret) -> String {
        match secret.token.label.as_str() {
            "app" => self.account.clone(),
            label => format!("{} ({label})", self.account),
        }
    }

    fn uri(&self, secret: &ExportedSecret) -> Zeroizing<String> {
        otpauth::uri(&secret.token, &self.issuer, &self.account(secret))
    }

    fn uris(&self, account: &ExportedAccount) -> Zeroizing<String> {
        let uris: Vec<Zeroizing<String>> = account.secrets.iter().map(|secret| self.uri(secret)).collect();
        // Room for all, so that growing never leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(uris.iter().map(|uri| uri.len() + 1).sum()));
        for uri in &uris {
            text.push_str(uri);
            text.push('\n');
        }
        text
    }

    fn as_json(&self, account: &ExportedAccount, file: Option<&Path>, secrets: Secrets) -> Value {
        let one = |secret: &ExportedSecret| {
            let token = &secret.token;
            let is_shown = secrets == Secrets::Shown;
            let (used, kind) = (token.start.watermark.map(|step| step.0), token.parameters.kind);
            json!({
                "serial": token.serial.as_str(),
                "label": token.label.as_str(),
                "kind": if matches!(secret.standing, SecretStanding::App(_)) { "app" } else { "token" },
                "state": secret.standing.word(),
                "issuer": self.issuer,
                "account": self.account(secret),
                "secret": is_shown.then(|| token.secret.expose_base32().to_string()),
                "uri": is_shown.then(|| self.uri(secret).to_string()),
                "type": kind.name(),
                "algorithm": token.parameters.algorithm.to_string(),
                "digits": token.parameters.digits.count(),
                "period": period(kind),
                "counter": (kind == Kind::Hotp).then(|| used.map_or(0, |used| used.saturating_add(1))),
                "used_step": used,
                "drift": token.start.drift,
                "issued": token.issued.to_string(),
            })
        };
        json!({
            "user": self.user.as_str(),
            "file": file,
            "secrets": account.secrets.iter().map(one).collect::<Vec<_>>(),
            "recovery_codes_left": account.recovery_left,
            "ssh_keys": account.ssh_keys,
        })
    }
}

/// Takes out what opens no session here, where the form has no word for that. Gives its names.
fn leave_out_unused(account: &mut ExportedAccount, form: ExportForm) -> Vec<String> {
    if form == ExportForm::Json {
        return Vec::new();
    }
    let all = std::mem::take(&mut account.secrets).into_iter();
    let (used, unused): (Vec<ExportedSecret>, Vec<ExportedSecret>) = all.partition(|one| one.standing.is_in_use());
    account.secrets = used;
    unused.iter().map(|one| format!("{} ({})", one.token.label, one.standing.word())).collect()
}

/// Says how many secrets were shown, and what another system does not get.
fn say_what_stays(account: &ExportedAccount, left_out: &[String], file: Option<&Path>, output: &Output) {
    if file.is_none() {
        output.explain(&format!("{}, in plain text.", counted(account.secrets.len() as u64, "secret")));
    }
    if !left_out.is_empty() {
        let left_out = left_out.join(", ");
        output::warning(&format!("left out, because they open no login: {left_out}; --format json has them"));
    }
    let (codes, keys) = (account.recovery_left as u64, account.ssh_keys as u64);
    if codes > 0 {
        let codes = counted(codes, "recovery code");
        output.explain(&format!("Not exported: {codes}, of which digests are kept and not the codes."));
    }
    if keys > 0 {
        let keys = counted(keys, "ssh key");
        output.explain(&format!("Not exported: {keys}, which hold no secret; see \"twofactor ssh-key list\"."));
    }
}
