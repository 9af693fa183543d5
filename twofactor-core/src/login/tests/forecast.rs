//! The forecast held against logins: each end that it names is the end of a login.

use super::*;
use crate::account::factors::FactorKind;
use crate::account::throttle::Limits;
use crate::config::InvitationRule;
use crate::log::reason::ReturnCode;
use crate::login::request::{Conversation, Reply};
use crate::store::administration::InvitationAdministration as _;

/// A user who gives the same answer to every question but the one for an invitation.
struct Stubborn<'a> {
    answer: &'a str,
    invitation: &'a str,
}

impl Conversation for Stubborn<'_> {
    fn ask(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        let answer = if prompt == "Invitation code: " { self.invitation } else { self.answer };
        Ok(Zeroizing::new(answer.as_bytes().to_vec()))
    }

    fn ask_openly(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        self.ask(prompt)
    }

    fn tell(&mut self, _: &str) {}

    fn password(&mut self) -> Option<Reply> {
        None
    }

    fn ask_password(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        self.ask(prompt)
    }

    fn set_password(&mut self, _: &[u8]) -> Result<(), ConversationError> {
        Ok(())
    }
}

fn forecast_of(host: &Host, user: &str, service: &str) -> Forecast {
    let world = host.world();
    let claimant = Claimant::identify(&host.people, user, service, Some("192.0.2.7"));
    let ruling = judge(&world, NullOk::No, &claimant);
    let course = Course::of(ruling.decision, ruling.factors, ruling.remember, &claimant, &world);
    forecast(&course, ruling.factors, &claimant, &world, &host.store)
}

fn end_of(host: &Host, user: &str, service: &str, answer: &str) -> LoginEnd {
    let request = Request {
        user: user.to_owned(),
        service: service.to_owned(),
        rhost: Some("192.0.2.7".to_owned()),
        tty: None,
        auth_info: None,
        null_ok: NullOk::No,
        silent: false,
    };
    let invite =
        || host.store.invite(&person("bob", 1002), NOW.after(Duration::from_hours(1))).unwrap().expose_grouped();
    let invitation = if user == "bob" { invite() } else { Zeroizing::new("4QX7-9M2P".to_owned()) };
    match login(&request, &host.world(), &mut Stubborn { answer, invitation: &invitation }, &mut Lines::default()) {
        Verdict::Accepted(_) | Verdict::Recognized(_) | Verdict::Pending(_) => LoginEnd::Success,
        Verdict::Waived(_) => LoginEnd::Ignore,
        Verdict::Denied(reason) => LoginEnd::refused(reason),
        Verdict::TriesUsedUp(reason) => LoginEnd::Refused(reason, ReturnCode::MaxTries),
    }
}

fn with(change: impl FnOnce(&mut Host)) -> Host {
    let mut host = Host::new();
    change(&mut host);
    host
}

fn with_factors(factors: &str) -> Host {
    Host::with_rules(&format!("[[rule]]\nsecond_factor = \"required\"\nfactors = [{factors}]\n"))
}

fn throttled() -> Host {
    let mut host = Host::new();
    let limits = Limits { free_attempts: 1, ..Limits::default() };
    host.store = host.store.judging_by(VerificationRules { limits, ..VerificationRules::of(&Config::default()) });
    for code in host.wrong_codes("alice").take(3) {
        end_of(&host, "alice", "sshd", &code);
    }
    host
}

type Make = fn() -> Host;

/// Hosts that differ in all that an end depends on.
const HOSTS: [(&str, Make); 15] = [
    ("required", Host::new),
    ("optional", || Host::at_level(Level::Optional)),
    ("off", || Host::at_level(Level::Off)),
    ("enroll", || Host::at_level(Level::Enroll)),
    ("enroll, three tries", || with(|host| (host.config.default_level, host.config.prompt.tries) = (Level::Enroll, 3))),
    ("enroll with an invitation", || {
        with(|host| {
            host.config.default_level = Level::Enroll;
            host.config.enrollment.invitation = InvitationRule::Required;
        })
    }),
    ("three tries", || Host::with_tries(3)),
    ("combined", || with(|host| host.config.prompt.combined = ["sshd".to_owned()].into())),
    ("combined, three tries", || {
        with(|host| (host.config.prompt.combined, host.config.prompt.tries) = (["sshd".to_owned()].into(), 3))
    }),
    ("recovery codes not accepted", || with_factors("\"app\"")),
    ("apps not accepted", || with_factors("\"token\", \"recovery\"")),
    ("confirmation taken back", || {
        with(|host| assert!(host.store.reset(&UserName::new("alice").unwrap(), Reset::Confirmations).unwrap()))
    }),
    ("another person's", || with(|host| host.people.alice = Uid(4321))),
    ("state lost", || with(|host| std::fs::remove_file(host.directory.path().join("users/alice/state")).unwrap())),
    ("throttled", throttled),
];

#[test]
fn a_login_without_phone_or_token_ends_as_forecast() {
    for (name, host) in HOSTS {
        for user in ["alice", "bob", "ghost", "mallory"] {
            for service in ["sshd", "cron"] {
                let host = host();
                let expected = forecast_of(&host, user, service);
                let has_recovery = expected.credentials.iter().any(|one| one.kind == FactorKind::Recovery);
                let answer = if has_recovery { host.recovery.clone() } else { ANY_CODE.to_owned() };
                let reached = end_of(&host, user, service, &answer);
                assert_eq!(reached, expected.without, "{name}: {user} through {service}");
            }
        }
    }
}

#[test]
fn a_login_with_a_right_code_ends_as_forecast() {
    for (name, host) in HOSTS {
        // bob's first code would have to be read off the QR code: `first_time` tells of it.
        for user in ["alice", "mallory"] {
            let host = host();
            let expected = forecast_of(&host, user, "sshd");
            assert_eq!(end_of(&host, user, "sshd", &host.code()), expected.right, "{name}: {user}");
        }
    }
}
