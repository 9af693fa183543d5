//! `pam_twofactor.so`: asks for a one-time code after the primary authentication factor.
//!
//! The module lives inside sshd, sudo and login, as root, and in screen lockers, as their user. Invariants: no threads,
//! nothing global is touched (no locale, environment, umask, signals, standard streams), a panic ends at the entry point as
//! PAM_ABORT, and every code that libpam gets comes from the one table in `return_code`. What a login means is decided in
//! twofactor-core; this crate only speaks PAM. Beside twofactor-rehearsal it is the only one with `unsafe`.

#![expect(missing_docs, reason = "the exported functions are pam_sm_*, documented in pam_sm_authenticate(3)")]

mod accounts;
mod arguments;
mod child;
mod conversation;
mod libpam;
mod log;
mod return_code;
mod wiping;

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nix::unistd::{geteuid, getuid};
use pam::constants::{PAM_SILENT, PamFlag, PamResultCode};
use pam::module::{PamHandle, PamHooks};
use pam::pam_hooks;
use twofactor_core::codes::ssh_key::auth_info;
use twofactor_core::config::Config;
use twofactor_core::config::arguments::{Arguments, Verbosity};
use twofactor_core::host::clock::SystemClock;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{SystemUsers, Uid, UserDatabase as _};
use twofactor_core::log::reason::Reason;
use twofactor_core::log::record::{Audit as _, Event, Record};
use twofactor_core::login::{self, Process, Request, SystemServices, Unfinished, Verdict, World};
use twofactor_core::pam_service::first_factor::FirstFactor;
use twofactor_core::store::broker::{self, Broker};
use twofactor_core::store::{self, EnrollmentStore, FilesAndBroker, Judge, LocalAndCentral, Store, StoreError};

use crate::accounts::SystemAccounts;
use crate::conversation::PamConversation;
use crate::libpam::{Pam, Taken};
use crate::log::Log;
use crate::wiping::wiping_behind;

/// `PAM_PRELIM_CHECK` (security/_pam_types.h), which the bindings lack.
const PAM_PRELIM_CHECK: PamFlag = 0x4000;

/// The module as libpam sees it. All six entry points are here: the bindings' defaults return PAM_IGNORE, which makes
/// `pam_setcred` fail where the module stands alone.
struct TwoFactor;

pam_hooks!(TwoFactor);

impl PamHooks for TwoFactor {
    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        let pam = Pam::new(pamh);
        wiping_behind(|| guarded(&pam, || authenticate(&pam, &args, flags)))
    }

    fn sm_setcred(_pamh: &mut PamHandle, _args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        return_code::CREDENTIALS
    }

    fn acct_mgmt(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        let pam = Pam::new(pamh);
        wiping_behind(|| guarded(&pam, || account(&pam, &args, flags)))
    }

    fn sm_open_session(_pamh: &mut PamHandle, _args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        return_code::NO_WORK
    }

    fn sm_close_session(_pamh: &mut PamHandle, _args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        return_code::NO_WORK
    }

    fn sm_chauthtok(pamh: &mut PamHandle, _args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        let pam = Pam::new(pamh);
        guarded(&pam, || password(&pam, flags))
    }
}

/// Runs an entry point so that a panic becomes a log line and PAM_ABORT, and nothing on the host's stderr.
fn guarded(pam: &Pam<'_>, entry: impl FnOnce() -> PamResultCode) -> PamResultCode {
    // Every shared object carries its own copy of std, so this silences our panics and no others.
    std::panic::set_hook(Box::new(|_| {}));
    match catch_unwind(AssertUnwindSafe(entry)) {
        Ok(code) => code,
        Err(payload) => {
            // Dropping a payload may panic again.
            std::mem::forget(payload);
            let hint = "this is a defect of pam_twofactor; please report it with these lines";
            let record = about(pam, Reason::Panic).with("hint", hint);
            Log::new(pam, Verbosity::Normal).record(&record);
            pam.delay_failure();
            return_code::of_reason(Reason::Panic)
        }
    }
}

fn authenticate(pam: &Pam<'_>, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    if let Some(first_factor) = arguments::parse(args).notes {
        return note(pam, first_factor);
    }
    // login and sudo authenticate again in the same transaction, after a wrong password for instance: what was confirmed
    // behind that one is forgotten.
    let before = pam.carried().and_then(|Taken(unfinished)| unfinished);
    let prepared = if pam.first_factor_has_failed() {
        // The module that refused has logged and counted it.
        Log::new(pam, Verbosity::Normal).record(&about(pam, Reason::FirstFactorFailed));
        Err(Reason::FirstFactorFailed)
    } else {
        prepare(pam, args)
    };
    let code = match prepared {
        Ok(prepared) => {
            #[cfg(feature = "panic-on-purpose")]
            arguments::panic_on_purpose(args);
            run_login(pam, &prepared, flags, before.as_ref())
        }
        Err(reason) => return_code::of_reason(reason),
    };
    // Who interrupts the question guesses nothing. Where pam_unix stands above without "nodelay", its delay stays: libpam takes
    // the longest, and no module can take one back.
    if return_code::denies(&code) && !matches!(code, PamResultCode::PAM_CONV_ERR) {
        pam.delay_failure();
    }
    code
}

/// Notes the state of the first factor for the main line below. Asks nothing and looks nothing up: PAM_IGNORE leaves the
/// result of the phase to the other lines.
fn note(pam: &Pam<'_>, first_factor: FirstFactor) -> PamResultCode {
    if pam.note(first_factor).is_none() {
        let problem = "libpam keeps no data for this module: a code is asked for although the first factor failed";
        let hint = "is the host out of memory?";
        let record = about(pam, Reason::StoreUnavailable).with("problem", problem).with("hint", hint);
        Log::new(pam, Verbosity::Normal).record(&record);
    }
    return_code::NO_WORK
}

/// The foundation of a login: the arguments of its line, the configuration, and the process that judges.
struct Prepared {
    arguments: Arguments,
    config: Config,
    judge: Judge,
}

/// Finds the judge, and reads the arguments and the whole configuration. Every problem is logged before the first of them
/// denies.
fn prepare(pam: &Pam<'_>, args: &[&CStr]) -> Result<Prepared, Reason> {
    let mut log = Log::new(pam, Verbosity::Normal);
    // Before anything is asked: without a judge no answer can be right.
    let judge = judge().map_err(|error| {
        log.record(&about(pam, error.reason()).with("problem", &error).with("hint", error.hint()));
        error.reason()
    })?;
    let arguments = arguments::parse(args);
    for problem in &arguments.problems {
        let hint = "known arguments: conf=FILE debug nullok, or first_factor=WORD alone";
        log.record(&about(pam, Reason::BadArgument).with("problem", problem).with("hint", hint));
    }
    let config = Config::load(&arguments.conf, arguments.expected, Owner::ROOT);
    if let Err(error) = &config {
        for line in error.lines() {
            log.record(&about(pam, Reason::BadConfig).with("problem", line).with("hint", error.hint()));
        }
    }
    if !arguments.problems.is_empty() {
        return Err(Reason::BadArgument);
    }
    Ok(Prepared { arguments, config: config.map_err(|_| Reason::BadConfig)?, judge })
}

/// A process that its user can stop judges by itself only where there is no broker. Any other failure denies: the user
/// could bring it about, with `ulimit -n` for instance.
fn judge() -> Result<Judge, StoreError> {
    match process() {
        Process::Roots => Ok(Judge::This),
        Process::ItsUsers => Ok(if the_broker().listens()? { Judge::Broker } else { Judge::This }),
        Process::Unprivileged => the_broker().is_there().map(|()| Judge::Broker),
    }
}

fn run_login(pam: &Pam<'_>, prepared: &Prepared, flags: PamFlag, before: Option<&Unfinished>) -> PamResultCode {
    let Prepared { arguments, config, judge } = prepared;
    let mut log = Log::new(pam, arguments.verbosity);
    let Some(user) = pam.ask_user() else {
        log.record(&about(pam, Reason::Conversation));
        return return_code::of_reason(Reason::Conversation);
    };
    let request = request(pam, user, arguments, flags);
    if let Some(text) = &request.auth_info {
        log.debug(&format!("sshd has accepted already: {}", auth_info::methods(text)));
    }
    let host = Host::new(config, *judge);
    let mut conversation = PamConversation::new(pam);
    match login::login(&request, &host.world(config), &mut conversation, &mut log) {
        Verdict::Pending(unfinished) => keep(pam, *unfinished, &mut log),
        // Another line of this module relies on the account phase for this user; were that dropped, no line would ask.
        Verdict::Waived(_) if before.is_some_and(|before| is_about(before, &request)) => {
            let problem =
                "an earlier auth line of pam_twofactor has a second factor set up that this one does not want";
            let hint = "have one auth line of pam_twofactor in the service";
            let record = about(pam, Reason::NotConfirmed).with("problem", problem).with("hint", hint);
            log.record(&record);
            return_code::of_reason(Reason::NotConfirmed)
        }
        verdict => {
            // That we took part; an application that cannot keep it is told nothing in the account phase.
            if matches!(verdict, Verdict::Accepted(_) | Verdict::Recognized(_) | Verdict::Waived(_)) {
                let _ = pam.carry(None);
            }
            return_code::of_verdict(verdict)
        }
    }
}

/// True when it is the same user, for all that is known.
fn is_about(unfinished: &Unfinished, request: &Request) -> bool {
    let other = SystemUsers.canonical(&request.user).ok().flatten().filter(|user| *user != unfinished.user().name);
    other.is_none()
}

/// Hands on to the account phase what it is to store.
fn keep(pam: &Pam<'_>, unfinished: Unfinished, log: &mut Log<'_, '_>) -> PamResultCode {
    match pam.carry(Some(unfinished)) {
        Some(()) => return_code::TO_BE_FINISHED,
        None => {
            let record = about(pam, Reason::StoreUnavailable).with("problem", "libpam keeps no data for this module");
            log.record(&record.with("hint", "is the host out of memory?"));
            return_code::of_reason(Reason::StoreUnavailable)
        }
    }
}

/// Stores what the authentication has confirmed, and tells the user what to know. Nothing where we took no part in it.
fn account(pam: &Pam<'_>, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    if arguments::parse(args).notes.is_some() {
        return return_code::NO_WORK;
    }
    let Some(Taken(unfinished)) = pam.carried() else { return return_code::NO_WORK };
    let Prepared { arguments, config, judge } = match prepare(pam, args) {
        Ok(prepared) => prepared,
        Err(reason) => return return_code::of_reason(reason),
    };
    let Some(user) = pam.user() else { return return_code::of_reason(Reason::Conversation) };
    let request = request(pam, user, &arguments, flags);
    let host = Host::new(&config, judge);
    let (mut conversation, mut log) = (PamConversation::new(pam), Log::new(pam, arguments.verbosity));
    let world = host.world(&config);
    let verdict = login::finish(&request, &world, &SystemAccounts, unfinished, &mut conversation, &mut log);
    return_code::of_account(verdict)
}

/// Says once in each change of a password that the line does nothing: its author expects a code to be asked for.
fn password(pam: &Pam<'_>, flags: PamFlag) -> PamResultCode {
    // libpam calls every module twice: first to check, then to change.
    if flags & PAM_PRELIM_CHECK != 0 {
        let problem = "a password line of pam_twofactor does nothing: a change of a password asks for no code";
        let hint = "take the line out; twofactor doctor names its file";
        let record = concerning(pam, Record::new(Event::Error)).with("problem", problem).with("hint", hint);
        Log::new(pam, Verbosity::Normal).record(&record);
    }
    return_code::NO_WORK
}

/// Owned copies: the items may change or move while a prompt is on its way.
fn request(pam: &Pam<'_>, user: String, arguments: &Arguments, flags: PamFlag) -> Request {
    Request {
        user,
        service: pam.service().unwrap_or_default(),
        rhost: pam.rhost(),
        tty: pam.tty(),
        auth_info: pam.ssh_auth_info(),
        null_ok: arguments.null_ok,
        silent: flags & PAM_SILENT != 0,
    }
}

/// The store of a login: the files of this host, or the broker.
trait LoginStore: Store + EnrollmentStore {}

impl<S: Store + EnrollmentStore> LoginStore for S {}

/// The host, as the core needs it.
struct Host {
    store: Box<dyn LoginStore>,
    process: Process,
    name: String,
}

impl Host {
    fn new(config: &Config, judge: Judge) -> Self {
        let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned());
        let process = process();
        let store: Box<dyn LoginStore> = match process {
            Process::Unprivileged => Box::new(the_broker()),
            Process::ItsUsers | Process::Roots => {
                let local = FilesAndBroker::new(store::open(config, SystemClock), the_broker(), judge);
                match config.membership {
                    Some(_) => Box::new(LocalAndCentral::new(local)),
                    None => Box::new(local),
                }
            }
        };
        Self { store, process, name }
    }

    fn world<'w>(&'w self, config: &'w Config) -> World<'w> {
        World {
            config,
            users: &SystemUsers,
            store: &*self.store,
            enrollments: &*self.store,
            services: &SystemServices,
            process: self.process,
            host_name: &self.name,
            clock: &SystemClock,
        }
    }
}

fn process() -> Process {
    Process::of(getuid().as_raw(), geteuid().as_raw())
}

fn the_broker() -> Broker {
    let broker = Broker::new(Path::new(broker::SOCKET), Owner::ROOT, broker::PATIENCE);
    if geteuid().is_root() { broker.started_by(Uid(getuid().as_raw())) } else { broker }
}

/// A line about a failure that came before the login began.
fn about(pam: &Pam<'_>, reason: Reason) -> Record {
    concerning(pam, Record::refused(reason)).with("reason", reason)
}

/// A line with what libpam knows of the transaction.
fn concerning(pam: &Pam<'_>, record: Record) -> Record {
    let rhost = pam.rhost().filter(|rhost| !rhost.is_empty());
    let tty = pam.tty().filter(|_| rhost.is_none());
    record
        .with_some("user", pam.user())
        .with_some("service", pam.service())
        .with_some("rhost", rhost)
        .with_some("tty", tty)
}
