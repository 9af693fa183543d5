//! The whole decision as a table: what is asked and what libpam gets, by level, by what the user has, and by `nullok`.

use std::fs;

use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};

use crate::{CODE, CONFIRM, Offer, configure, conversing, module_alone};

/// What a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    Fob,
    Nothing,
    NoAccount,
    SecretToConfirm,
    DamagedFiles,
}

impl Has {
    const ALL: [Self; 5] = [Self::Fob, Self::Nothing, Self::NoAccount, Self::SecretToConfirm, Self::DamagedFiles];

    fn name(self) -> &'static str {
        match self {
            Self::Fob => "alice",
            Self::Nothing => "bobby",
            Self::NoAccount => "nobody-here",
            Self::SecretToConfirm => "carol",
            Self::DamagedFiles => "david",
        }
    }
}

/// A module that stands alone gives its own code, but for this one, which nothing else gives.
const IGNORE: ReturnCode = ReturnCode::PERM_DENIED;

/// Prompts and return code for somebody who answers everything as well as it can be answered.
fn expected(level: &str, nullok: bool, has: Has) -> (&'static [&'static str], ReturnCode) {
    let optional = level == "optional" || (level == "required" && nullok);
    match (level, has) {
        ("off", _) => (&[], IGNORE),
        (_, Has::Fob) => (&[CODE], ReturnCode::SUCCESS),
        ("enroll", Has::Nothing) => (&[CONFIRM], ReturnCode::SUCCESS),
        ("enroll", Has::NoAccount) => (&[CONFIRM], ReturnCode::USER_UNKNOWN),
        ("enroll", Has::DamagedFiles) => (&[], ReturnCode::AUTHINFO_UNAVAIL),
        // It is shown and confirmed in the account phase, once the password is known to be right.
        ("enroll", Has::SecretToConfirm) => (&[], ReturnCode::SUCCESS),
        (_, Has::Nothing) if optional => (&[], IGNORE),
        (_, Has::Nothing | Has::SecretToConfirm) => (&[CODE], ReturnCode::AUTH_ERR),
        (_, Has::NoAccount) => (&[CODE], ReturnCode::USER_UNKNOWN),
        (_, Has::DamagedFiles) => (&[CODE], ReturnCode::AUTHINFO_UNAVAIL),
    }
}

fn people(host: &Host) -> impl Fn(Has) -> String {
    let alice = host.user_with_fob(Has::Fob.name());
    host.add_user(Has::Nothing.name());
    let carol = host.user_with_app(Has::SecretToConfirm.name());
    host.succeed("twofactor", ["reset", Has::SecretToConfirm.name(), "--keep-secret", "--yes"]);
    host.user_with_app(Has::DamagedFiles.name());
    fs::write("/var/lib/twofactor/users/david/secret.toml", "version = 1\n").unwrap();
    move |has| match has {
        Has::Fob => alice.next_code(),
        Has::SecretToConfirm => carol.code(),
        Has::Nothing | Has::NoAccount | Has::DamagedFiles => ANY_CODE.to_owned(),
    }
}

#[test]
fn every_level_for_everybody_with_and_without_nullok() {
    private_host(|host| {
        configure(host, "");
        let code = people(host);
        module_alone(host, "strict", "");
        module_alone(host, "lenient", "nullok");
        for level in ["required", "enroll", "optional", "off"] {
            host.configure(&format!("[default]\nsecond_factor = \"{level}\"\n"));
            for (service, nullok) in [("strict", false), ("lenient", true)] {
                for has in Has::ALL {
                    let outcome = conversing(host.login(has.name()).service(service), |prompt, shown| match prompt {
                        CONFIRM => Offer::read(shown).app.code(0),
                        _ => code(has),
                    });
                    let got = (outcome.prompts(), outcome.code());
                    let (prompts, result) = expected(level, nullok, has);
                    assert_eq!(got, (prompts.to_vec(), result), "{level}, {has:?}, nullok: {nullok}");
                    assert_eq!(outcome.texts().is_empty(), !prompts.contains(&CONFIRM), "{level}, {has:?}");
                }
            }
        }
        // None of it was stored: there was no account phase.
        assert_eq!(host.run_twofactor(&["status", "bobby"]).status.code(), Some(3));
    });
}

#[test]
fn the_same_as_a_rule_and_by_a_date() {
    private_host(|host| {
        configure(host, "");
        let code = people(host);
        module_alone(host, "strict", "");
        let by_date = [("2099-01-31", None), ("2020-01-31", Some("required"))];
        for level in ["required", "enroll", "optional", "off"] {
            for (until, afterwards) in by_date {
                let rule = format!(
                    "[[rule]]\nsecond_factor = \"{level}\"\nuntil = {until}\n[default]\nsecond_factor = \"off\"\n"
                );
                host.configure(&rule);
                for has in Has::ALL {
                    let outcome = conversing(host.login(has.name()).service("strict"), |prompt, shown| match prompt {
                        CONFIRM => Offer::read(shown).app.code(0),
                        _ => code(has),
                    });
                    let (prompts, result) = expected(afterwards.unwrap_or(level), false, has);
                    let got = (outcome.prompts(), outcome.code());
                    assert_eq!(got, (prompts.to_vec(), result), "{level} until {until}, {has:?}");
                }
            }
        }
    });
}
