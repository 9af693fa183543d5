//! The story of a login, told without libpam: scripted answers, a real store, a made-up user database.

use crate::config::Config;
use crate::config::arguments::NullOk;
use crate::host::user::UserDatabase;
use crate::store::VerificationRules;
use crate::store::{EnrollmentStore as _, Store as _};
use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use zeroize::Zeroizing;

use super::*;
use crate::account::enrollment::{self, Proposal};
use crate::codes::otp::wrong_codes::ANY_CODE;
use crate::codes::otp::{self, Parameters, Period};
use crate::codes::token::Label;
use crate::config::rule::Level;
use crate::host::clock::{HandSet, UnixTime};
use crate::host::trusted::Owner;
use crate::host::user::expiry::Expired;
use crate::host::user::{Doubt, LookupError, Person, Uid, person};
use crate::pam_service::environment::EnvironmentProblem;
use crate::store::administration::{AccountAdministration as _, Existing, Reset};
use crate::store::files::Files;
use crate::store::{EnrollmentStatus, StoreError};

mod another_person;
mod combined;
mod first_time;
mod forecast;
mod ssh_key;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// What somebody types who has read these texts.
type Reader = Box<dyn Fn(&[String]) -> String>;

/// What the person does at a prompt.
enum Act {
    Types(String),
    /// Types what the texts shown so far make of it.
    Reads(Reader),
    HangsUp,
}

/// A conversation that fails the test when a prompt comes that nobody scripted, or when an answer is left over.
struct Script {
    acts: VecDeque<Act>,
    prompts: Vec<String>,
    told: Vec<String>,
    password: Option<String>,
}

impl Script {
    fn next(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        self.prompts.push(prompt.to_owned());
        match self.acts.pop_front().expect("a prompt that nobody scripted") {
            Act::Types(text) => Ok(Zeroizing::new(text.into_bytes())),
            Act::Reads(answer) => Ok(Zeroizing::new(answer(&self.told).into_bytes())),
            Act::HangsUp => Err(ConversationError),
        }
    }
}

impl Conversation for Script {
    fn ask(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        self.next(prompt)
    }

    fn password(&mut self) -> Option<Reply> {
        self.password.clone().map(|password| Zeroizing::new(password.into_bytes()))
    }

    fn ask_openly(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        self.next(prompt)
    }

    fn tell(&mut self, text: &str) {
        self.told.push(text.to_owned());
    }

    fn ask_password(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        self.next(prompt)
    }

    fn set_password(&mut self, password: &[u8]) -> Result<(), ConversationError> {
        self.password = Some(String::from_utf8(password.to_vec()).unwrap());
        Ok(())
    }
}

#[derive(Default)]
struct Lines(Vec<String>);

impl Audit for Lines {
    fn record(&mut self, record: &Record) {
        self.0.push(record.to_string());
    }

    fn debug(&mut self, message: &str) {
        self.0.push(format!("debug {message}"));
    }
}

/// alice and bob exist, under any capitals; the database fails for mallory.
struct People {
    /// The uid that the name alice stands for.
    alice: Uid,
}

impl UserDatabase for People {
    fn person(&self, typed: &str) -> Result<Option<Person>, LookupError> {
        match typed.to_ascii_lowercase().as_str() {
            "mallory" => Err(LookupError("connection refused".to_owned())),
            known @ ("alice" | "bob") => {
                let uid = if known == "alice" { self.alice } else { Uid(1002) };
                Ok(Some(Person { name: UserName::new(known).unwrap(), uid }))
            }
            _ => Ok(None),
        }
    }

    /// alice is in group 100; the group database fails for bob.
    fn gids(&self, user: &UserName) -> Result<Vec<u32>, LookupError> {
        match user.as_str() {
            "alice" => Ok((0..70).map(|number| 100 + number).collect()),
            _ => Err(LookupError("connection refused".to_owned())),
        }
    }

    fn pretend_gids(&self, _nobody: &UserName) {}

    fn gid(&self, group: &str) -> Result<Option<u32>, LookupError> {
        Ok(match group {
            "ops" => Some(169),
            "guests" => Some(99),
            _ => None,
        })
    }

    fn has_no_user(&self, _typed: &str) -> Result<(), Doubt> {
        Ok(())
    }

    fn has_no_group(&self, _group: &str) -> Result<(), Doubt> {
        Ok(())
    }

    fn has_no_more_groups(&self, _user: &UserName, _gids: &[u32]) -> Result<(), Doubt> {
        Ok(())
    }
}

/// The reason for which all accounts are closed, if they are, and the moment. An error stands for a look-up that failed.
struct Closed(Option<Result<Expired, LookupError>>, UnixTime);

impl Accounts for Closed {
    fn expired(&self, _user: &UserName, now: UnixTime) -> Result<Option<Expired>, LookupError> {
        self.0.clone().filter(|_| now >= self.1).transpose()
    }
}

/// Every service but `cron` has an account line.
struct WellSetUp {
    environment: Result<(), EnvironmentProblem>,
}

impl Services for WellSetUp {
    fn account_line(&self, service: &str) -> Result<(), String> {
        if service == "cron" { Err("the service cron has no account line of pam_twofactor".to_owned()) } else { Ok(()) }
    }

    fn environment(&self, _service: &str) -> Result<(), EnvironmentProblem> {
        self.environment.clone()
    }
}

/// A host on which alice is enrolled and bob is not.
struct Host {
    directory: tempfile::TempDir,
    store: Files,
    clock: HandSet,
    config: Config,
    accounts: Closed,
    people: People,
    services: WellSetUp,
    process: Process,
    secret_code: Box<dyn Fn(i64) -> String>,
    recovery: String,
}

impl Host {
    fn new() -> Self {
        let directory = crate::host::trusted::private_directory();
        let owner = Owner(nix::unistd::geteuid().as_raw());
        let clock = HandSet::at(NOW);
        let store = Files::new(directory.path(), owner, Duration::from_millis(10), clock.clone()).with_registry();
        // The same in every run: no two of the steps these stories tell of share a code.
        let secret =
            crate::codes::secret::Secret::from_bytes(Zeroizing::new(b"a secret of 20 bytes".to_vec())).unwrap();
        let label = Label::new("app").unwrap();
        let proposal =
            Proposal::with_secret(secret, label, Parameters::default(), "example.org", "alice", NOW).unwrap();
        let secret = crate::codes::secret::Secret::from_base32(&proposal.token().secret.expose_base32()).unwrap();
        let secret_code = Box::new(move |offset: i64| {
            let here = otp::current_step(Period::THIRTY, NOW).0.checked_add_signed(offset).unwrap();
            otp::code_of(&secret, Parameters::default(), otp::Step(here))
        });
        let codes = enrollment::recovery_codes(1).unwrap();
        let recovery = codes[0].expose_grouped().to_string();
        let alice = person("alice", 1001);
        store.enroll(&alice, proposal.vouch(), Some(&codes), Existing::Keep).unwrap();
        let config = Config::default();
        let accounts = Closed(None, NOW);
        let people = People { alice: Uid(1001) };
        let (services, process) = (WellSetUp { environment: Ok(()) }, Process::Roots);
        Self { directory, store, clock, config, accounts, people, services, process, secret_code, recovery }
    }

    fn at_level(level: Level) -> Self {
        let mut host = Self::new();
        host.config.default_level = level;
        host
    }

    fn with_rules(text: &str) -> Self {
        Self { config: Config::parse(text).unwrap(), ..Self::new() }
    }

    fn with_tries(tries: u8) -> Self {
        let mut host = Self::new();
        host.config.prompt.tries = tries;
        host
    }

    fn code(&self) -> String {
        (self.secret_code)(0)
    }

    /// A code that none of the user's apps and tokens shows.
    fn wrong(&self, user: &str) -> String {
        self.wrong_codes(user).next().unwrap()
    }

    fn wrong_codes(&self, user: &str) -> impl Iterator<Item = String> + use<> {
        self.store.wrong_codes(&UserName::new(user).unwrap(), NOW)
    }

    fn login(&self, user: &str, acts: Vec<Act>) -> Outcome {
        self.login_with(user, "sshd", NullOk::No, None, acts)
    }

    fn types(&self, user: &str, answer: &str) -> Outcome {
        self.login(user, vec![Act::Types(answer.to_owned())])
    }

    fn login_with(
        &self,
        user: &str,
        service: &str,
        null_ok: NullOk,
        password: Option<&str>,
        acts: Vec<Act>,
    ) -> Outcome {
        let rhost = Some("192.0.2.7");
        self.tell(&Login { user, service, rhost, null_ok, password, now: NOW }, acts)
    }

    fn login_from(&self, user: &str, service: &str, rhost: Option<&str>, now: UnixTime, acts: Vec<Act>) -> Outcome {
        self.tell(&Login { user, service, rhost, null_ok: NullOk::No, password: None, now }, acts)
    }

    fn tell(&self, told: &Login<'_>, acts: Vec<Act>) -> Outcome {
        let request = Request {
            user: told.user.to_owned(),
            service: told.service.to_owned(),
            rhost: told.rhost.map(str::to_owned),
            tty: Some("ssh".to_owned()),
            auth_info: None,
            null_ok: told.null_ok,
            silent: false,
        };
        self.run(&request, told.now, told.password, acts)
    }

    fn run(&self, request: &Request, now: UnixTime, password: Option<&str>, acts: Vec<Act>) -> Outcome {
        let story = |world: &World<'_>, script: &mut Script, lines: &mut Lines| login(request, world, script, lines);
        self.tells(now, password, acts, story)
    }

    /// The account phase of bob's login through `service`, which `unfinished` was left to.
    fn finishes(&self, unfinished: Option<Unfinished>, quiet: Quiet, acts: Vec<Act>) -> Outcome<AccountVerdict> {
        let user = unfinished.as_ref().map_or("bob", |unfinished| unfinished.user().name.as_str()).to_owned();
        let request = Request {
            user,
            service: "sshd".to_owned(),
            rhost: Some("192.0.2.7".to_owned()),
            tty: None,
            auth_info: None,
            null_ok: NullOk::No,
            silent: quiet == Quiet::Silent,
        };
        self.tells(NOW, None, acts, |world, script, lines| {
            finish(&request, world, &self.accounts, unfinished, script, lines)
        })
    }

    fn world(&self) -> World<'_> {
        World {
            config: &self.config,
            users: &self.people,
            store: &self.store,
            enrollments: &self.store,
            services: &self.services,
            process: self.process,
            host_name: "testhost",
            clock: &self.clock,
        }
    }

    fn tells<V: std::fmt::Debug>(
        &self,
        now: UnixTime,
        password: Option<&str>,
        acts: Vec<Act>,
        story: impl FnOnce(&World<'_>, &mut Script, &mut Lines) -> V,
    ) -> Outcome<V> {
        let world = self.world();
        self.clock.set(now);
        let password = password.map(str::to_owned);
        let mut script = Script { acts: acts.into(), prompts: Vec::new(), told: Vec::new(), password };
        let mut lines = Lines::default();
        let verdict = story(&world, &mut script, &mut lines);
        assert!(script.acts.is_empty(), "an answer was never asked for: {verdict:?}");
        lines.0.retain(|line| !line.starts_with("debug"));
        let Script { prompts, told, password, .. } = script;
        Outcome { verdict, prompts, told, password, lines: lines.0 }
    }
}

/// Whether the application wants texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quiet {
    No,
    Silent,
}

/// One login, as an application makes it.
struct Login<'a> {
    pub(super) user: &'a str,
    service: &'a str,
    rhost: Option<&'a str>,
    null_ok: NullOk,
    password: Option<&'a str>,
    now: UnixTime,
}

struct Outcome<V = Verdict> {
    verdict: V,
    prompts: Vec<String>,
    told: Vec<String>,
    password: Option<String>,
    lines: Vec<String>,
}

impl Outcome {
    fn is_accepted(&self) -> bool {
        matches!(self.verdict, Verdict::Accepted(_))
    }

    fn is_waived(&self) -> bool {
        matches!(self.verdict, Verdict::Waived(_))
    }

    fn denial(&self) -> Reason {
        match self.verdict {
            Verdict::Denied(reason) => reason,
            _ => panic!("{:?}", self.verdict),
        }
    }
}

fn types(text: &str) -> Act {
    Act::Types(text.to_owned())
}

#[test]
fn a_right_code_is_accepted_and_logged() {
    let host = Host::new();
    let outcome = host.types("alice", &host.code());
    assert!(outcome.is_accepted());
    assert_eq!(outcome.prompts, ["Verification code: "]);
    assert_eq!(outcome.lines, ["accepted user=alice service=sshd rhost=192.0.2.7 token=app drift=0"]);
}

#[test]
fn a_replayed_code_is_denied_and_logged() {
    let host = Host::new();
    assert!(host.types("alice", &host.code()).is_accepted());
    let outcome = host.types("alice", &host.code());
    assert_eq!(outcome.denial(), Reason::Replayed);
    assert_eq!(outcome.lines, ["denied user=alice service=sshd rhost=192.0.2.7 reason=replayed"]);
}

#[test]
fn a_used_code_is_called_so_to_who_has_it_and_nothing_else_is_told_apart() {
    let used = ["Code already used. Wait for the next one.".to_owned()];
    let host = Host::new();
    assert!(host.types("alice", &host.code()).is_accepted());
    assert_eq!(host.types("alice", &host.code()).told, used);
    let older = host.types("alice", &(host.secret_code)(-1));
    assert_eq!((older.told.as_slice(), older.denial()), (&used[..], Reason::Replayed), "burned with the newer one");

    let silent = Request {
        user: "alice".to_owned(),
        service: "sshd".to_owned(),
        rhost: Some("192.0.2.7".to_owned()),
        tty: None,
        auth_info: None,
        null_ok: NullOk::No,
        silent: true,
    };
    let quiet = host.run(&silent, NOW, None, vec![types(&host.code())]);
    assert_eq!((quiet.denial(), quiet.told.len()), (Reason::Replayed, 0));

    assert!(host.types("alice", &host.recovery).is_accepted());
    let recovery = host.types("alice", &host.recovery);
    assert_eq!((recovery.denial(), recovery.told.len()), (Reason::Replayed, 0), "no next one comes");
    for (user, reason) in [("bob", Reason::NotEnrolled), ("nobody-here", Reason::UnknownUser)] {
        let other = host.types(user, &host.code());
        assert_eq!((other.denial(), other.told.len()), (reason, 0));
    }
    let alice = UserName::new("alice").unwrap();
    for wrong in host.store.wrong_codes(&alice, NOW).take(5) {
        let guess = host.login_from("alice", "sshd", Some("198.51.100.9"), NOW, vec![types(&wrong)]);
        assert_eq!((guess.denial(), guess.told.len()), (Reason::WrongCode, 0));
    }
    let delayed = host.login_from("alice", "sshd", Some("198.51.100.9"), NOW, vec![types(&host.code())]);
    assert_eq!(
        (delayed.denial(), delayed.told.len()),
        (Reason::Throttled, 0),
        "a guesser who is delayed learns nothing"
    );

    host.store.reset(&alice, Reset::Confirmations).unwrap();
    let unconfirmed = host.types("alice", &host.code());
    assert_eq!((unconfirmed.denial(), unconfirmed.told.len()), (Reason::NotConfirmed, 0));
}

#[test]
fn nobody_is_told_to_wait_for_the_next_code_when_that_is_used_too() {
    let host = Host::new();
    let ahead = NOW.after(Duration::from_hours(3));
    let code = (host.secret_code)(360);
    assert!(host.login_from("alice", "sshd", Some("192.0.2.7"), ahead, vec![types(&code)]).is_accepted());
    let outcome = host.types("alice", &host.code());
    assert_eq!((outcome.denial(), outcome.told.len()), (Reason::Replayed, 0), "the clock was ahead");
    assert!(outcome.lines[0].contains("codes are burned until"));
}

#[test]
fn a_recovery_code_is_accepted_where_a_code_is_asked() {
    let host = Host::new();
    let outcome = host.types("alice", &host.recovery);
    assert!(outcome.is_accepted());
    assert_eq!(
        outcome.lines,
        ["accepted user=alice service=sshd rhost=192.0.2.7 token=recovery recovery_codes_left=0"]
    );
}

#[test]
fn enrolled_unenrolled_unknown_and_throttled_users_see_the_same_prompt() {
    let host = Host::new();
    for guess in host.wrong_codes("alice").take(5) {
        assert_eq!(host.types("alice", &guess).denial(), Reason::WrongCode);
    }
    let table = [
        ("alice", Reason::Throttled),
        ("bob", Reason::NotEnrolled),
        ("nobody-here", Reason::UnknownUser),
        ("mallory", Reason::StoreUnavailable),
    ];
    for (user, reason) in table {
        let outcome = host.types(user, ANY_CODE);
        assert_eq!(outcome.prompts, ["Verification code: "], "{user}");
        assert_eq!(outcome.denial(), reason, "{user}");
    }
}

#[test]
fn the_name_is_the_one_the_user_database_knows() {
    let host = Host::new();
    let outcome = host.types("ALICE", &host.code());
    assert!(outcome.is_accepted());
    assert!(outcome.lines[0].starts_with("accepted user=alice typed=ALICE service=sshd"), "{:?}", outcome.lines);
}

#[test]
fn a_password_sent_again_is_no_guess_and_the_log_says_what_to_do() {
    let host = Host::new();
    for _ in 0..10 {
        let outcome = host.login_with("alice", "sshd", NullOk::No, Some(ANY_CODE), vec![types(ANY_CODE)]);
        assert_eq!(outcome.denial(), Reason::PasswordRepeated);
        assert!(outcome.lines[0].contains("enable KbdInteractiveAuthentication"), "{:?}", outcome.lines);
    }
    assert!(host.types("alice", &host.code()).is_accepted(), "nothing was counted");
}

#[test]
fn what_sshd_sends_for_users_it_refuses_is_no_guess() {
    let host = Host::new();
    let junk = String::from_utf8(SSHD_DUMMY_PASSWORD.repeat(3)).unwrap();
    // As long as what was typed: a code, a password, a long password.
    for length in [6, 13, 20] {
        let outcome = host.types("alice", &junk[..length]);
        assert_eq!(outcome.denial(), Reason::PasswordRepeated);
        assert!(outcome.lines[0].contains("AllowUsers"), "{:?}", outcome.lines);
        assert_eq!(host.types("nobody-here", &junk[..length]).denial(), Reason::UnknownUser);
    }
    assert!(host.types("alice", &host.code()).is_accepted(), "nothing was counted");
}

#[test]
fn a_login_without_a_remote_host_names_its_terminal() {
    let host = Host::new();
    let request = Request {
        user: "alice".to_owned(),
        service: "login".to_owned(),
        rhost: None,
        tty: Some("tty1".to_owned()),
        auth_info: None,
        null_ok: NullOk::No,
        silent: false,
    };
    let outcome = host.run(&request, NOW, None, vec![types(&host.code())]);
    assert!(outcome.is_accepted());
    assert_eq!(outcome.lines, ["accepted user=alice service=login tty=tty1 token=app drift=0"]);
}

#[test]
fn hanging_up_denies_and_is_not_counted() {
    let host = Host::new();
    assert_eq!(host.login("alice", vec![Act::HangsUp]).denial(), Reason::Conversation);
    assert!(host.types("alice", &host.code()).is_accepted());
}

#[test]
fn further_tries_are_asked_for_and_used_up() {
    let host = Host::with_tries(3);
    let outcome = host.login("alice", vec![types(&host.wrong("alice")), types(""), types(&host.code())]);
    assert!(outcome.is_accepted());
    assert_eq!(outcome.prompts.len(), 3);
    for user in ["alice", "bob", "nobody-here"] {
        let outcome = host.login(user, host.wrong_codes(user).take(3).map(Act::Types).collect());
        assert!(matches!(outcome.verdict, Verdict::TriesUsedUp(_)), "{user}: {:?}", outcome.verdict);
        assert_eq!(outcome.lines.len(), 3);
    }
}

#[test]
fn off_asks_nothing() {
    let host = Host::at_level(Level::Off);
    let outcome = host.login("alice", vec![]);
    assert!(outcome.is_waived());
    assert_eq!(outcome.lines, ["skipped user=alice service=sshd rhost=192.0.2.7 policy=off"]);
}

#[test]
fn optional_asks_the_enrolled_and_whoever_is_not_provably_unenrolled() {
    let host = Host::at_level(Level::Optional);
    assert!(host.login("bob", vec![]).is_waived());
    assert!(host.types("alice", &host.code()).is_accepted());
    assert_eq!(host.types("alice", &host.wrong("alice")).denial(), Reason::WrongCode);
    assert_eq!(host.types("nobody-here", ANY_CODE).denial(), Reason::UnknownUser);
    assert_eq!(host.types("mallory", ANY_CODE).denial(), Reason::StoreUnavailable);
}

#[test]
fn nullok_lowers_required_to_optional() {
    let host = Host::new();
    assert!(host.login_with("bob", "sshd", NullOk::Yes, None, vec![]).is_waived());
    let outcome = host.login_with("alice", "sshd", NullOk::Yes, None, vec![types(&host.wrong("alice"))]);
    assert_eq!(outcome.denial(), Reason::WrongCode);
}

#[test]
fn what_cannot_be_read_is_never_taken_for_not_enrolled() {
    for level in [Level::Required, Level::Optional] {
        let host = Host::at_level(level);
        let users = host.directory.path().join("users");
        std::fs::set_permissions(&users, std::fs::Permissions::from_mode(0o777)).unwrap();
        for user in ["alice", "bob"] {
            let acts = if level == Level::Required { vec![types(ANY_CODE)] } else { vec![] };
            let outcome = host.login(user, acts);
            assert_eq!(outcome.denial(), Reason::UnsafeFile);
            let line = &outcome.lines[0];
            assert!(line.starts_with(&format!("error user={user}")) && line.contains("chmod go-rwx"), "{line}");
        }
        std::fs::set_permissions(&users, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::remove_dir_all(&users).unwrap();
        std::fs::create_dir(host.directory.path().join("services")).unwrap();
        let acts = if level == Level::Required { vec![types(ANY_CODE)] } else { vec![] };
        assert_eq!(host.login("bob", acts).denial(), Reason::StoreUnavailable);
    }
}

#[test]
fn a_combined_answer_leaves_the_password_alone_for_the_modules_below() {
    let host = Host::new();
    let login = |host: &Host, user: &str, answer: &str| {
        host.login_with(user, "xrdp-sesman", NullOk::No, None, vec![types(answer)])
    };
    let accepted = login(&host, "alice", &format!("hunter2{}", host.code()));
    assert!(accepted.is_accepted());
    assert_eq!(accepted.password.as_deref(), Some("hunter2"));
    assert_eq!(accepted.prompts, [COMBINED_PROMPT]);

    let wrong = login(&host, "alice", &format!("hunter2{}", host.wrong("alice")));
    assert_eq!((wrong.denial(), wrong.password.as_deref()), (Reason::WrongCode, Some("hunter2")));
    let unknown = login(&host, "nobody-here", &format!("hunter2{ANY_CODE}"));
    assert_eq!((unknown.denial(), unknown.password.as_deref()), (Reason::UnknownUser, Some("hunter2")));
    let recovery = login(&host, "alice", &format!("hunter2{}", host.recovery));
    assert!(recovery.is_accepted());
    assert_eq!(recovery.password.as_deref(), Some("hunter2"));
    let none = login(&host, "alice", "hunter");
    assert_eq!((none.denial(), none.password.as_deref()), (Reason::WrongCode, Some("hunter")));
}

#[test]
fn a_combined_service_is_asked_once_whatever_tries_says() {
    let host = Host::with_tries(3);
    let answer = format!("hunter2{}", host.wrong("alice"));
    let outcome = host.login_with("alice", "xrdp-sesman", NullOk::No, None, vec![types(&answer)]);
    assert_eq!(outcome.denial(), Reason::WrongCode);
}

#[test]
fn no_line_of_the_log_holds_what_was_typed() {
    let host = Host::with_tries(3);
    let code = host.code();
    let wrong = host.wrong("alice");
    let outcome = host.login("alice", vec![types("my secret passphrase"), types(&wrong), types(&code)]);
    let all = outcome.lines.join("\n");
    for typed in ["passphrase", &wrong, &code] {
        assert!(!all.contains(typed), "{all}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let host = Host::with_rules(
        r#"
        [[rule]]
        networks = ["192.0.2.0/24"]
        services = ["cron"]
        second_factor = "off"
        [[rule]]
        groups = ["guests"]
        users = ["alice"]
        second_factor = "off"
        [[rule]]
        groups = ["ops"]
        users = ["alice"]
        second_factor = "required"
        [[rule]]
        second_factor = "off"
        "#,
    );
    assert_eq!(host.types("alice", &host.wrong("alice")).denial(), Reason::WrongCode, "in her seventieth group");
    assert!(host.login("nobody-here", vec![]).is_waived(), "who does not exist is in no group");
    assert!(host.login_with("alice", "cron", NullOk::No, None, vec![]).is_waived());
}

#[test]
fn while_the_databases_fail_the_strictest_rule_that_may_match_holds() {
    let host = Host::with_rules(
        "[default]\nsecond_factor = \"off\"\n[[rule]]\ngroups = [\"guests\"]\nsecond_factor = \"optional\"\n",
    );
    let bob = host.types("bob", ANY_CODE);
    assert_eq!(bob.denial(), Reason::NotEnrolled, "his groups are not known");
    assert!(bob.lines[0].starts_with("error user=bob") && bob.lines[0].contains("id USER"), "{:?}", bob.lines);
    let null_ok = host.login_with("bob", "sshd", NullOk::Yes, None, vec![types(ANY_CODE)]);
    assert_eq!(null_ok.denial(), Reason::NotEnrolled, "nor does nullok help");
    assert_eq!(host.types("mallory", ANY_CODE).denial(), Reason::StoreUnavailable, "she may be anybody");
    assert!(host.login("alice", vec![]).is_waived());
    let host = Host::with_rules(
        "[default]\nsecond_factor = \"off\"\n[[rule]]\ngroups = [\"guests\"]\nsecond_factor = \"off\"\n",
    );
    assert!(host.login("bob", vec![]).is_waived(), "neither of them asks");
}

#[test]
fn where_no_factor_counts_for_all_rules_that_may_match_nothing_does_and_the_log_says_so() {
    let host = Host::with_rules(
        "[[rule]]\ngroups = [\"guests\"]\nsecond_factor = \"required\"\nfactors = [\"token\"]\n\
         [[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\"]\n",
    );
    let bob = host.types("bob", &host.code());
    assert!(bob.denial() != Reason::Panic && bob.lines[0].contains("no factor counts for all"), "{:?}", bob.lines);
}

#[test]
fn a_right_code_of_a_kind_that_does_not_count_is_refused_and_stays_good() {
    let host = Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"token\", \"recovery\"]\n");
    let outcome = host.types("alice", &host.code());
    assert_eq!(outcome.denial(), Reason::FactorNotAllowed);
    assert!(outcome.lines[0].contains("what counts for this login: token, recovery"), "{:?}", outcome.lines);
    assert_eq!(host.types("alice", &host.wrong("alice")).denial(), Reason::WrongCode);
    assert!(host.types("alice", &host.recovery).is_accepted());
    let host = Host { config: Config::default(), ..host };
    assert!(host.types("alice", &host.code()).is_accepted());
    let host = Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\"]\n");
    assert_eq!(host.types("alice", &host.recovery).denial(), Reason::FactorNotAllowed);
}

#[test]
fn an_accepted_login_is_remembered_for_its_service_and_address_and_for_a_while() {
    let host = Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n");
    assert!(host.types("alice", &host.code()).is_accepted());
    let again = host.login("alice", vec![]);
    assert!(again.is_waived());
    assert_eq!(again.lines, ["skipped user=alice service=sshd rhost=192.0.2.7 policy=remembered"]);
    let from = |rhost: Option<&str>, service: &str, now: UnixTime| {
        host.login_from("alice", service, rhost, now, vec![types(&host.wrong("alice"))]).denial()
    };
    assert_eq!(from(Some("192.0.2.8"), "sshd", NOW), Reason::WrongCode, "from elsewhere");
    assert_eq!(from(Some("192.0.2.7"), "sudo", NOW), Reason::WrongCode, "to something else");
    assert_eq!(from(Some("192.0.2.7"), "sshd", NOW.after(Duration::from_hours(1))), Reason::WrongCode, "later");
    for rhost in [None, Some(""), Some("host.example.org")] {
        assert_eq!(from(rhost, "sshd", NOW), Reason::WrongCode, "{rhost:?}");
    }
    let alice = UserName::new("alice").unwrap();
    host.store.unlock(&alice).unwrap();
    assert_eq!(from(Some("192.0.2.7"), "sshd", NOW), Reason::WrongCode, "unlock forgets it");
}

#[test]
fn what_is_remembered_ends_with_a_shorter_rule_and_with_a_reset_that_keeps_the_secret() {
    let remembering = |time: &str| {
        Host::with_rules(&format!("[[rule]]\nsecond_factor = \"required\"\nremember = \"{time}\"\n")).config
    };
    let host = Host { config: remembering("12h"), ..Host::new() };
    assert!(host.types("alice", &host.code()).is_accepted());
    let later = NOW.after(Duration::from_mins(5));
    let from = Some("192.0.2.7");
    assert!(host.login_from("alice", "sshd", from, later, vec![]).is_waived());
    let host = Host { config: remembering("5m"), ..host };
    assert_eq!(
        host.login_from("alice", "sshd", from, later, vec![types(&host.wrong("alice"))]).denial(),
        Reason::WrongCode
    );
    assert!(host.login_from("alice", "sshd", from, NOW, vec![]).is_waived());
    let alice = UserName::new("alice").unwrap();
    assert!(host.store.reset(&alice, Reset::Confirmations).unwrap());
    assert_eq!(host.types("alice", &(host.secret_code)(1)).denial(), Reason::NotConfirmed);
}

#[test]
fn what_was_taken_from_a_user_or_does_not_count_is_remembered_no_longer() {
    let rules = |factors: &str| {
        let rule = "[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n";
        Host::with_rules(&format!("{rule}factors = [{factors}]\n")).config
    };
    let alice = person("alice", 1001);
    let host = Host { config: rules("\"app\", \"recovery\""), ..Host::new() };
    assert!(host.types("alice", &host.code()).is_accepted());
    assert!(host.login("alice", vec![]).is_waived());
    let elsewhere = Host { config: rules("\"token\""), ..host };
    assert_eq!(elsewhere.types("alice", &elsewhere.wrong("alice")).denial(), Reason::WrongCode, "it was not a token");
    let host = Host { config: rules("\"app\", \"recovery\""), ..elsewhere };
    let label = Label::new("app").unwrap();
    let new = Proposal::new(label, Parameters::default(), "example.org", "alice", NOW).unwrap();
    host.store.enroll(&alice, new.vouch(), None, Existing::Replace).unwrap();
    assert_eq!(host.types("alice", &host.wrong("alice")).denial(), Reason::WrongCode, "the app was replaced");
    let recovery = host.recovery.clone();
    assert!(host.types("alice", &recovery).is_accepted());
    assert!(host.login("alice", vec![]).is_waived());
    host.store.replace_recovery(&alice.name, &enrollment::recovery_codes(1).unwrap()).unwrap();
    assert_eq!(
        host.types("alice", &host.wrong("alice")).denial(),
        Reason::WrongCode,
        "the recovery codes were replaced"
    );
}

#[test]
fn nothing_is_remembered_where_no_rule_says_so_or_of_a_name() {
    let host = Host::new();
    assert!(host.types("alice", &host.code()).is_accepted());
    let host =
        Host { config: Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n").config, ..host };
    assert_eq!(host.types("alice", &host.wrong("alice")).denial(), Reason::WrongCode);
    let next = (host.secret_code)(1);
    let outcome = host.login_from("alice", "sshd", Some("host.example.org"), NOW, vec![types(&next)]);
    assert!(outcome.is_accepted());
    assert_eq!(
        host.login_from("alice", "sshd", Some("host.example.org"), NOW, vec![types(&host.wrong("alice"))]).denial(),
        Reason::WrongCode
    );
}

#[test]
fn a_near_miss_asks_for_the_next_code_and_resynchronizes() {
    let host = Host::new();
    let (first, next) = ((host.secret_code)(-15), (host.secret_code)(-14));
    let outcome = host.login("alice", vec![types(&first), types(&next)]);
    assert!(outcome.is_accepted(), "{:?}", outcome.lines);
    assert_eq!(outcome.prompts, ["Verification code: ", "Next verification code: "]);
    assert_eq!(outcome.lines[0], "denied user=alice service=sshd rhost=192.0.2.7 reason=wrong-code");
    assert_eq!(outcome.lines[1], "resynced user=alice service=sshd rhost=192.0.2.7 token=app drift=-14");
    assert_eq!(host.types("alice", &next).denial(), Reason::Replayed, "both are burned");
    assert!(host.types("alice", &(host.secret_code)(-13)).is_accepted(), "it goes on where the phone's clock stands");
}

#[test]
fn an_app_is_found_ten_minutes_off_and_a_code_that_is_further_off_is_just_wrong() {
    for offset in [-20, 19] {
        let host = Host::new();
        let (first, next) = ((host.secret_code)(offset), (host.secret_code)(offset + 1));
        assert!(host.login("alice", vec![types(&first), types(&next)]).is_accepted(), "{offset}");
    }
    for offset in [-21, 21, 40, -40, 2000] {
        let mut host = Host::new();
        // What tokens may do is nothing to apps.
        host.config.resync = Duration::from_hours(24);
        host.store = host.store.judging_by(VerificationRules::of(&host.config));
        let outcome = host.types("alice", &(host.secret_code)(offset));
        assert_eq!((outcome.denial(), outcome.prompts.len()), (Reason::WrongCode, 1), "{offset}");
    }
}

#[test]
fn one_code_never_resynchronizes_and_a_wrong_next_code_counts() {
    let host = Host::new();
    let first = (host.secret_code)(-15);
    for wrong in [&first, &(host.secret_code)(-13), &host.code()] {
        let outcome = host.login("alice", vec![types(&first), types(wrong)]);
        assert_eq!(outcome.denial(), Reason::WrongCode, "{:?}", outcome.lines);
    }
    let alice = UserName::new("alice").unwrap();
    assert!(host.store.status(&alice).unwrap().unwrap().failures >= 3);
    assert_eq!(host.login("alice", vec![types(&first), Act::HangsUp]).denial(), Reason::Conversation);
}

#[test]
fn where_the_configuration_says_so_a_near_miss_is_a_wrong_code() {
    let mut host = Host::new();
    host.config.resync_at_login = ResyncAtLogin::No;
    assert_eq!(host.types("alice", &(host.secret_code)(-15)).denial(), Reason::WrongCode);
}
