//! `twofactor enroll USER`: a secret is offered, a code confirms it, and only then it is stored.
//!
//! Invariants: whatever can be refused is refused before a secret is shown; an existing secret stays valid until the
//! new one is confirmed; however the command ends before that, nothing was changed.

use serde_json::{Value, json};
use twofactor_core::account::enrollment::{Proposal, TRIES, Unconfirmed, recovery_codes};
use twofactor_core::account::{App, Confirmation, MOST_APPS};
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::{Kind, Parameters};
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::Label;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;
use twofactor_core::store::Loss;
use twofactor_core::store::administration::Sharing;
use twofactor_core::store::administration::{AccountStatus, EnrollError, Existing};
use zeroize::Zeroizing;

use crate::args::Enroll;
use crate::commands::offer::{self, Offer};
use crate::error::Failure;
use crate::host::{self, Host};
use crate::journal;
use crate::output::values::{ABOUT_RECOVERY_CODES, exposed, listed, period};
use crate::output::{self, Format, Output, Stream};
use crate::sshd;
use crate::terminal::{self, Unanswered};

/// The parts of an enrollment that are not shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShownOnce {
    /// Recovery codes.
    RecoveryCodes,
    /// Nothing: the account keeps those it has.
    Nothing,
}

pub(crate) fn run(arguments: &Enroll, host: &Host, output: &Output) -> Result<(), Failure> {
    // Required, unless many are enrolled.
    let typed = arguments.user.as_deref().unwrap_or_default();
    enroll(typed, arguments, host, output).map(|_| ())
}

/// Enrolls a user, and says what its reader has to write down.
pub(crate) fn enroll(typed: &str, arguments: &Enroll, host: &Host, output: &Output) -> Result<ShownOnce, Failure> {
    let person = if arguments.is_local() { host::known_person(typed)? } else { host.person_to_equip(typed)? };
    let user = person.name.clone();
    host.accounts.check_owner(&person)?;
    let status = match host.accounts.status(&user) {
        // Nothing is left that could be replaced.
        Err(error) if error.loss() == Some(Loss::Credentials) && arguments.replace => None,
        status => status?,
    };
    refuse_conflicts(&user, status.as_ref(), arguments)?;

    let proposal = propose(&user, arguments, host, output)?;
    let uri = proposal.uri();
    let codes = new_recovery_codes(status.as_ref(), arguments, host)?;
    let file = arguments.qr_file.clone().map(|file| file.write(&uri)).transpose()?;
    if let Some(stream) = where_to_show(arguments, output.format()) {
        let token = proposal.token();
        offer::show(&Offer { user: &user, token, uri: &uri, qr: arguments.qr }, stream, output)?;
    }
    let app = if arguments.no_confirm { proposal.vouch() } else { confirm(proposal, host)? };

    let label = app.token().label.clone();
    let result = match output.format() {
        Format::Json => as_json(&user, &app, &uri, codes.as_deref()),
        Format::Text => Value::Null,
    };
    let existing = if arguments.replace { Existing::Replace } else { Existing::Keep };
    host.accounts.enroll(&person, app, codes.as_deref(), existing)?;
    if let Some(file) = file {
        file.keep();
    }
    journal::write(journal::about(Event::Enrolled, &user).with("token", &label));
    let codes = codes.unwrap_or_default();
    say_where_it_is_of_no_use(&user, output);
    match output.format() {
        Format::Json => output::must_show_json(result).map_err(|error| Failure::EnrolledUnseen { user, label, error }),
        Format::Text => announce(user, &label, &codes, output),
    }?;
    Ok(if codes.is_empty() { ShownOnce::Nothing } else { ShownOnce::RecoveryCodes })
}

/// A script that wants no confirmation has it all in the result. Otherwise a person looks on, and JSON has standard output
/// to itself.
fn where_to_show(arguments: &Enroll, format: Format) -> Option<Stream> {
    match format {
        Format::Text => Some(Stream::Results),
        Format::Json if arguments.no_confirm => None,
        Format::Json => Some(Stream::Progress),
    }
}

/// Says so when sshd's settings let root answer no prompt, as Debian's do: the second factor is for the other ways in. That it
/// cannot be told is for `doctor` to say.
fn say_where_it_is_of_no_use(user: &UserName, output: &Output) {
    if sshd::is_root(user)
        && let Ok(Some(setting)) = sshd::keeps_out(user)
    {
        output.explain(&format!(
            "Over ssh {user} is asked for no code and opens no session with one: sshd has {setting}."
        ));
    }
}

/// Says that it is done, and shows the recovery codes this one time.
fn announce(user: UserName, label: &Label, codes: &[RecoveryCode], output: &Output) -> Result<(), Failure> {
    let done = format!("{user} is enrolled with token \"{label}\".\n");
    if codes.is_empty() {
        return Ok(output.done(|| done, || Value::Null)?);
    }
    let explanation = |sentence| output.explanation(sentence, Stream::Results);
    let (done, about) = (explanation(&done), explanation(ABOUT_RECOVERY_CODES));
    let text = Zeroizing::new(format!("{done}{about}{}", listed(codes).as_str()));
    output::must_show(Stream::Results, &text).map_err(|error| Failure::CodesUnseen { user, error })
}

/// Refuses before anything is shown what the store would refuse in the end.
pub(super) fn refuse_conflicts(
    user: &UserName,
    status: Option<&AccountStatus>,
    arguments: &Enroll,
) -> Result<(), Failure> {
    let Some(status) = status else { return Ok(()) };
    match status.apps.iter().find(|app| app.label == arguments.label) {
        Some(app) if app.confirmation == Confirmation::Confirmed && !arguments.replace => {
            Err(EnrollError::AlreadyEnrolled(user.clone(), arguments.label.clone()).into())
        }
        None if status.apps.len() >= MOST_APPS => Err(EnrollError::TooMany(user.clone()).into()),
        Some(_) | None => Ok(()),
    }
}

/// The secret on offer: the one that `reset --keep-secret` left, unless the arguments ask for another one.
pub(super) fn propose(user: &UserName, arguments: &Enroll, host: &Host, output: &Output) -> Result<Proposal, Failure> {
    let (issuer, account) = issuer_and_account(arguments.issuer.as_ref(), user, host);
    let issuer = issuer.as_str();
    let another = arguments.replace
        || arguments.counter
        || arguments.secret_file.is_some()
        || (arguments.algorithm.is_some() || arguments.digits.is_some() || arguments.period.is_some());
    if !another && let Some(token) = host.accounts.pending(user, &arguments.label)? {
        output.explain("This is the secret that \"reset --keep-secret\" kept.");
        return Ok(Proposal::again(token, issuer, &account));
    }
    let parameters = parameters(arguments, host.config.enrollment.parameters);
    let (label, now) = (arguments.label.clone(), host.now()?);
    let proposal = match &arguments.secret_file {
        Some(path) => {
            let secret = offer::read_secret(path)?;
            warn_of_weakness(&secret);
            refuse_shared(user, &secret, parameters, arguments, host)?;
            host.accounts.note_shared(&secret, parameters.algorithm, host.sysadmin()?.by())?;
            Proposal::with_secret(secret, label, parameters, issuer, &account, now)
        }
        None => Proposal::new(label, parameters, issuer, &account, now),
    };
    proposal.map_err(Failure::Entropy)
}

/// The names under which an app shows a secret: the issuer and the account.
pub(super) fn issuer_and_account(typed: Option<&String>, user: &UserName, host: &Host) -> (String, String) {
    let host_name = host_name();
    let account = format!("{user}@{host_name}");
    let issuer = typed.or(host.config.enrollment.issuer.as_ref()).unwrap_or(&host_name);
    (issuer.clone(), account)
}

/// As the arguments say, else as the configuration says.
fn parameters(arguments: &Enroll, defaults: Parameters) -> Parameters {
    let kind = match arguments.period {
        _ if arguments.counter => Kind::Hotp,
        Some(period) => Kind::Totp(period),
        None => defaults.kind,
    };
    Parameters {
        algorithm: arguments.algorithm.unwrap_or(defaults.algorithm),
        digits: arguments.digits.unwrap_or(defaults.digits),
        kind,
    }
}

/// Refuses a secret with which one person could log in as two users, before it is shown.
fn refuse_shared(
    user: &UserName,
    secret: &Secret,
    parameters: Parameters,
    arguments: &Enroll,
    host: &Host,
) -> Result<(), Failure> {
    let Some(sharer) = host.accounts.sharer(user, secret, parameters.algorithm)? else { return Ok(()) };
    let error = EnrollError::Shared(sharer);
    match arguments.sharing() {
        Sharing::Refuse => Err(error.into()),
        Sharing::Allow => {
            output::warning(&error.to_string());
            Ok(())
        }
    }
}

/// RFC 4226 §4 R6 asks for 128 bits.
fn warn_of_weakness(secret: &Secret) {
    if secret.bits() < 128 {
        output::warning(&format!("the secret has {} bits; 128 are the least to use", secret.bits()));
    }
}

/// New recovery codes for a new account, and when a secret is replaced: a holder of the old phone may have the old codes.
/// `None` keeps those there are.
pub(super) fn new_recovery_codes(
    status: Option<&AccountStatus>,
    arguments: &Enroll,
    host: &Host,
) -> Result<Option<Vec<RecoveryCode>>, Failure> {
    let replaced =
        |status: &AccountStatus| arguments.replace && status.apps.iter().any(|app| app.label == arguments.label);
    if status.is_none_or(replaced) {
        return recovery_codes(host.config.enrollment.recovery_codes).map(Some).map_err(Failure::Entropy);
    }
    Ok(None)
}

/// Asks for codes until one is right.
fn confirm(proposal: Proposal, host: &Host) -> Result<App, Failure> {
    let digits = proposal.token().parameters.digits.count();
    let confirmed = proposal.confirm(host.config.window, &host.clock, |left| {
        match left {
            TRIES => {}
            1 => output::progress("That code is not right. One try left."),
            _ => output::progress(&format!("That code is not right. {left} tries left.")),
        }
        loop {
            let typed = terminal::ask_hidden("Code from the app: ")?;
            if !typed.is_empty() {
                return Ok(Answer::parse(&typed));
            }
            // A slip of the finger is no try.
            output::progress(&format!("A code has {digits} digits."));
        }
    });
    confirmed.map_err(|unconfirmed: Unconfirmed<Unanswered>| match unconfirmed {
        Unconfirmed::Refused => Failure::Unconfirmed,
        Unconfirmed::Asking(unanswered) => unanswered.into(),
        Unconfirmed::Clock(error) => error.into(),
    })
}

fn as_json(user: &UserName, app: &App, uri: &str, codes: Option<&[RecoveryCode]>) -> Value {
    let token = app.token();
    json!({
        "user": user.as_str(),
        "serial": token.serial.as_str(),
        "label": token.label.as_str(),
        "secret": token.secret.expose_base32().as_str(),
        "uri": uri,
        "type": token.parameters.kind.name(),
        "algorithm": token.parameters.algorithm.to_string(),
        "digits": token.parameters.digits.count(),
        "period": period(token.parameters.kind),
        "issued": token.issued.to_string(),
        "recovery_codes": exposed(codes.unwrap_or_default()),
    })
}

pub(super) fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}
