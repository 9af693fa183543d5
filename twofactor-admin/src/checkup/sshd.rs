//! The meaning of sshd's settings for the second factor. Settings are those in force, as `sshd -T` prints them: for every login, and
//! for those that a `Match` is about.

pub mod criteria;
mod judgement;
pub mod patterns;
mod settings;
pub mod situations;
mod sources;

use std::path::Path;

use super::catalogue::Id;
use super::finding::Finding;
use super::storage::of_file;
use twofactor_core::config::rule::Rule;
use twofactor_core::host::shell;
use twofactor_core::pam_service::environment::{Opening, Source};
use twofactor_core::pam_service::findings::Place;
use twofactor_core::pam_service::programs;

use judgement::Judged;
pub use judgement::Prompts;
pub use settings::{KeyProof, Methods, Settings};
pub use sources::{Block, Conditional, Deciding, Sources};

/// A running sshd that goes by what it read before `changed` was changed. `reload` makes it read that.
pub fn of_outdated(changed: &Path, reload: String) -> Finding {
    let what = format!("the running sshd has not read {} since it was changed", changed.display());
    Finding::run(Id::SshdOutdated, what, reload)
}

const BY_THE_TOOL: &str = "twofactor service enable sshd";

/// Problems with settings that hold for every login of a service that runs the module.
pub fn of_settings(settings: &Settings, sources: &Sources, prompts: Prompts, rules: &[Rule]) -> Vec<Finding> {
    let shut_out = Methods::parse(settings.value("authenticationmethods")).is_some_and(|methods| methods.shut_out());
    let judged = Judged::all_of(settings, prompts);
    let is_without_pam = judged.iter().any(|judged| judged.id == Id::SshdWithoutPam);
    let mut findings: Vec<Finding> = judged
        .into_iter()
        .map(|judged| {
            let Judged { id, what, better, .. } = judged;
            let advice = sources.mend(&better);
            match id {
                // The tool's drop-in takes the method `password` away: sshd would not start with lists that all demand it.
                Id::SshdWithoutPam | Id::SshdNoPrompts if !shut_out => {
                    Finding::consider(id, what, format!("{advice}, or run"), BY_THE_TOOL)
                }
                Id::SshdOtherService => Finding::by_hand(id, what, format!("{advice}; or {}", enabled(settings))),
                Id::SshdKeyAlone => Finding::by_hand(id, what, format!("to ask for the code too, {advice}")),
                Id::SshdCodeAlone => Finding::by_hand(id, what, format!("{advice}; or {PASSWORD_BY_PAM}")),
                _ => Finding::by_hand(id, what, advice),
            }
        })
        .collect();
    let about_networks = rules.iter().any(|rule| rule.conditions.networks.is_some());
    if settings.says("usedns", "yes") && about_networks && !is_without_pam {
        let what = "sshd has UseDNS yes, and there are rules with networks";
        findings.push(Finding::by_hand(Id::SshdHostNames, what, sources.mend("UseDNS no")));
    }
    findings
}

/// The other way out where sshd has another PAM service.
fn enabled(settings: &Settings) -> String {
    format!("have that service run the module: twofactor service enable {}", shell::quoted(&settings.pam_service()))
}

const PASSWORD_BY_PAM: &str = "have PAM ask for the password in /etc/pam.d/sshd";

/// The demands of the policy on logins that a `Match` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// At least one of them is to be asked for a code.
    Code,
    /// None is, as rules with `off` say.
    Nothing,
}

/// Problems with the settings of logins that meet `Match` blocks, as far as lines of the blocks decide.
pub fn of_blocks(settings: &Settings, deciding: &Deciding<'_>, prompts: Prompts, asked: Asked) -> Vec<Finding> {
    let matters = |judged: &Judged| match judged.id {
        // Whether a code is asked, and whether it can be typed.
        Id::SshdNoPrompts
        | Id::SshdOtherService
        | Id::SshdNeverAsks
        | Id::SshdNeverPasses
        | Id::SshdListNeverPasses
        | Id::SshdKeyAlone
        | Id::SshdPasswordMethod => asked == Asked::Code,
        _ => true,
    };
    let judged = Judged::all_of(settings, prompts).into_iter().filter(matters);
    judged.filter_map(|judged| of_block(&judged, deciding)).collect()
}

/// The same of logins of users with security keys of ssh. `usual` says that they are their usual ones.
pub fn of_security_keys_in_blocks(settings: &Settings, deciding: &Deciding<'_>, usual: Usual) -> Vec<Finding> {
    // Elsewhere a code may be meant.
    let idle = Judged::idle(settings).filter(|_| usual == Usual::Yes);
    Judged::untouched(settings).into_iter().chain(idle).filter_map(|judged| of_block(&judged, deciding)).collect()
}

/// The place in which logins begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usual {
    /// Any: they are the usual ones of some user.
    Yes,
    /// Certain ones alone.
    No,
}

/// A problem that a line of a block decides about; that of another line is a finding about every login.
fn of_block(judged: &Judged, deciding: &Deciding<'_>) -> Option<Finding> {
    let Block { place, text, .. } = deciding.block(judged.by)?;
    let advice = deciding.mend(&judged.better);
    let advice = match judged.id {
        Id::SshdNeverAsks | Id::SshdKeyAlone => {
            format!("{advice}; or let a rule with second_factor = \"off\" say that these logins need no code")
        }
        Id::SshdCodeAlone => format!("{advice}; or {PASSWORD_BY_PAM}"),
        Id::SshKeyIdle => format!("if these logins are to begin with a key, {advice}"),
        _ => advice,
    };
    Some(Finding::by_hand(judged.id, format!("for the logins of {place} ({text}), {}", judged.what), advice))
}

/// A block of which no login could be looked at, for a reason in words.
pub fn of_unjudged_block(block: &Block, because: impl std::fmt::Display) -> Finding {
    let what = format!("{} ({}) could not be judged: {because}", block.place, block.text);
    let advice = "see what holds for one of its logins: sshd -T -C user=alice,host=client.example.org,addr=192.0.2.7";
    Finding::by_hand(Id::SshdMatchUnjudged, what, advice)
}

/// Problems with the settings of logins whose users have security keys of ssh enrolled, beyond those of [`of_settings`].
pub fn of_security_keys(settings: &Settings, sources: &Sources) -> Vec<Finding> {
    let untouched = Judged::untouched(settings)
        .map(|judged| Finding::by_hand(judged.id, judged.what, sources.mend(&judged.better)));
    let idle = Judged::idle(settings).map(|judged| {
        if !programs::is_sshd(&settings.pam_service()) {
            return Finding::by_hand(judged.id, judged.what, sources.mend(&judged.better));
        }
        let advice = "if every login is to begin with a key,";
        Finding::consider(judged.id, judged.what, advice, format!("{BY_THE_TOOL} --security-keys"))
    });
    untouched.into_iter().chain(idle).collect()
}

/// A line of sshd's service by which others than root set variables of PAM, on a host with enrolled security keys.
pub fn of_opening(Opening { line, by }: &Opening<'_>) -> Finding {
    let place = Place::of(line);
    match by {
        Source::UserFile => {
            let what = format!("{place} ({}) lets users set PAM's variables", place.text);
            Finding::by_hand(Id::SshKeyDistrusted, what, format!("take user_readenv out of {place}"))
        }
        Source::File(error) => {
            let what = format!("{place} ({}) lets others set PAM's variables: {error}", place.text);
            Finding { id: Id::SshKeyDistrusted, what, ..of_file(error) }
        }
    }
}

/// The settings that PAM's questions need. sshd prints them as they are written; of many others it has another form.
const NEEDED: [&str; 5] =
    ["usepam", "kbdinteractiveauthentication", "passwordauthentication", "authenticationmethods", "pubkeyauthoptions"];

/// The settings that the drop-in `file` asks for and does not get. Other lines of a sysadmin in it are not judged.
pub fn of_drop_in(settings: &Settings, sources: &Sources, file: &Path, text: &str) -> Option<Finding> {
    let wanted = Settings::parse(text);
    let overridden = |keyword: &&str| {
        let value = wanted.value(keyword);
        !value.is_empty() && !settings.says(keyword, value)
    };
    let keyword = NEEDED.into_iter().find(overridden)?;
    let (value, other) = (wanted.value(keyword), settings.value(keyword));
    let what = format!("{} says {keyword} {value}, but sshd has {other}", file.display());
    let advice = sources.mend(&format!("{keyword} {value}"));
    Some(Finding::by_hand(Id::SshdDropInOverridden, what, advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofactor_core::config::Config;

    const GOOD: &str = "usepam yes\nkbdinteractiveauthentication yes\npubkeyauthentication yes\n\
                        passwordauthentication no\nauthenticationmethods keyboard-interactive\n";

    /// What is found when these settings are changed to those.
    fn ids(changes: &str) -> Vec<Id> {
        let config = Config::parse("[[rule]]\nnetworks = [\"10.0.0.0/8\"]\nsecond_factor = \"off\"\n").unwrap();
        let settings = Settings::parse(&format!("{changes}\n{GOOD}"));
        let found = of_settings(&settings, &Sources::default(), Prompts::More, &config.rules);
        found.into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn settings_as_they_should_be_have_no_findings() {
        assert_eq!(ids(""), []);
        assert_eq!(ids("authenticationmethods publickey,keyboard-interactive:pam"), []);
    }

    #[test]
    fn each_setting_that_matters_is_found() {
        assert_eq!(ids("usepam no\nkbdinteractiveauthentication no"), [Id::SshdWithoutPam]);
        assert_eq!(ids("kbdinteractiveauthentication no"), [Id::SshdNoPrompts]);
        assert_eq!(ids("authenticationmethods publickey"), [Id::SshdNeverAsks]);
        assert_eq!(ids("authenticationmethods any"), [Id::SshdKeyAlone]);
        assert_eq!(ids("authenticationmethods keyboard-interactive publickey"), [Id::SshdKeyAlone]);
        assert_eq!(
            ids("authenticationmethods any\npasswordauthentication yes\npubkeyauthentication no"),
            [Id::SshdPasswordMethod]
        );
        assert_eq!(ids("permitemptypasswords yes"), [Id::SshdEmptyPasswords]);
        let methods = |value: &str| ids(&format!("passwordauthentication yes\nauthenticationmethods {value}"));
        assert_eq!(methods("password,keyboard-interactive"), [Id::SshdNeverPasses]);
        assert_eq!(methods("publickey,password"), [Id::SshdNeverPasses]);
        assert_eq!(methods("publickey password"), [Id::SshdNeverPasses, Id::SshdKeyAlone]);
        assert_eq!(methods("publickey,password keyboard-interactive"), [Id::SshdListNeverPasses]);
        assert_eq!(methods("keyboard-interactive password"), [Id::SshdPasswordMethod]);
        assert_eq!(ids("usedns yes"), [Id::SshdHostNames]);
    }

    #[test]
    fn a_list_with_the_password_is_mended_where_it_stands_and_not_by_what_sshd_would_refuse() {
        let place = "/etc/ssh/sshd_config.d/00-a.conf:3";
        let mut sources = Sources::default();
        sources.add("AuthenticationMethods", place);
        for prompts in ["yes", "no"] {
            let settings = Settings::parse(&format!(
                "passwordauthentication yes\nauthenticationmethods password,keyboard-interactive\n\
                 kbdinteractiveauthentication {prompts}\n{GOOD}"
            ));
            let found = of_settings(&settings, &sources, Prompts::More, &[]);
            let never = found.last().unwrap();
            assert_eq!(never.id, Id::SshdNeverPasses);
            let advice = never.mend.advice().unwrap();
            assert!(
                advice.contains(&format!("write \"AuthenticationMethods keyboard-interactive\" at {place}")),
                "{advice}"
            );
            assert!(found.iter().all(|finding| finding.mend.command().is_none()), "{found:?}");
            assert!(!format!("{found:?}").contains("PasswordAuthentication no"), "sshd -t fails with it: {found:?}");
        }
    }

    #[test]
    fn a_code_is_not_to_be_all_that_is_asked() {
        let found = |changes: &str, prompts: Prompts| {
            let settings = Settings::parse(&format!("{changes}\n{GOOD}"));
            let found = of_settings(&settings, &Sources::default(), prompts, &[]).into_iter().map(|finding| finding.id);
            found.filter(|id| *id != Id::SshdKeyAlone).collect::<Vec<_>>()
        };
        for (methods, expected) in [
            ("keyboard-interactive", vec![Id::SshdCodeAlone]),
            ("publickey,keyboard-interactive keyboard-interactive:pam", vec![Id::SshdCodeAlone]),
            ("any", vec![Id::SshdCodeAlone]),
            ("publickey,keyboard-interactive", vec![]),
            ("publickey,keyboard-interactive hostbased,keyboard-interactive", vec![]),
        ] {
            assert_eq!(found(&format!("authenticationmethods {methods}"), Prompts::CodeAlone), expected, "{methods}");
            assert_eq!(found(&format!("authenticationmethods {methods}"), Prompts::More), [], "{methods}");
        }
    }

    /// A `Match` with these lines, and sshd's settings for a login that meets it.
    fn in_a_block(lines: &str) -> (Sources, Settings) {
        let mut sources = Sources::default();
        sources.add("AuthenticationMethods", "/etc/ssh/sshd_config:2");
        let block = sources.add_block(None, "/etc/ssh/sshd_config:9", "Match User deploy");
        for (index, line) in lines.lines().enumerate() {
            sources.add_conditional(block, line, format!("/etc/ssh/sshd_config:{}", 10 + index));
        }
        (sources, Settings::parse(&format!("{lines}\n{GOOD}")))
    }

    #[test]
    fn the_settings_of_a_block_are_judged_as_those_of_every_login_and_named_by_its_line() {
        for (lines, expected) in [
            ("AuthenticationMethods publickey", vec![Id::SshdNeverAsks]),
            ("AuthenticationMethods any", vec![Id::SshdKeyAlone]),
            ("AuthenticationMethods publickey keyboard-interactive", vec![Id::SshdKeyAlone]),
            ("KbdInteractiveAuthentication no", vec![Id::SshdNoPrompts]),
            ("PasswordAuthentication yes\nAuthenticationMethods publickey,password", vec![Id::SshdNeverPasses]),
            (
                "AuthenticationMethods publickey,password keyboard-interactive\nPasswordAuthentication yes",
                vec![Id::SshdListNeverPasses],
            ),
            ("PasswordAuthentication yes\nAuthenticationMethods any", vec![Id::SshdKeyAlone, Id::SshdPasswordMethod]),
            ("PermitEmptyPasswords yes", vec![Id::SshdEmptyPasswords]),
            ("AuthenticationMethods publickey,keyboard-interactive", vec![]),
            ("PubkeyAuthentication yes", vec![]),
        ] {
            let (sources, settings) = in_a_block(lines);
            let found = of_blocks(&settings, &sources.deciding(&[0]), Prompts::More, Asked::Code);
            assert_eq!(found.iter().map(|finding| finding.id).collect::<Vec<_>>(), expected, "{lines}");
            for finding in found {
                let what = "for the logins of /etc/ssh/sshd_config:9 (Match User deploy), ";
                assert!(finding.what.starts_with(what), "{finding:?}");
                let advice = finding.mend.advice().unwrap();
                let line = if lines.starts_with("Password") && finding.id != Id::SshdPasswordMethod { 11 } else { 10 };
                assert!(advice.contains(&format!("at /etc/ssh/sshd_config:{line}, the line that decides")), "{advice}");
                assert_eq!(finding.mend.command(), None);
            }
            // A login that meets no block.
            assert_eq!(of_blocks(&settings, &sources.deciding(&[]), Prompts::More, Asked::Code), [], "{lines}");
        }
    }

    #[test]
    fn logins_that_the_policy_asks_nothing_may_do_without_the_code_and_not_without_everything() {
        let found = |lines: &str, prompts: Prompts| {
            let (sources, settings) = in_a_block(lines);
            let found = of_blocks(&settings, &sources.deciding(&[0]), prompts, Asked::Nothing);
            found.into_iter().map(|finding| finding.id).collect::<Vec<_>>()
        };
        for lines in ["AuthenticationMethods publickey", "AuthenticationMethods any", "KbdInteractiveAuthentication no"]
        {
            assert_eq!(found(lines, Prompts::More), [], "{lines}");
        }
        assert_eq!(found("PermitEmptyPasswords yes", Prompts::More), [Id::SshdEmptyPasswords]);
        let prompts = "AuthenticationMethods keyboard-interactive";
        assert_eq!(found(prompts, Prompts::CodeAlone), [Id::SshdCodeAlone]);
    }

    #[test]
    fn a_block_that_could_not_be_judged_is_named() {
        let (sources, _) = in_a_block("AuthenticationMethods publickey");
        let finding = of_unjudged_block(sources.block(0).unwrap(), "no user of this host meets it");
        assert_eq!(finding.id, Id::SshdMatchUnjudged);
        let what = "/etc/ssh/sshd_config:9 (Match User deploy) could not be judged: no user of this host meets it";
        assert_eq!(finding.what, what);
    }

    #[test]
    fn enrolled_security_keys_need_a_touch_and_to_be_looked_up() {
        let place = "/etc/ssh/sshd_config.d/00-twofactor.conf:9";
        let mut sources = Sources::default();
        sources.add("PubkeyAuthOptions", place);
        let found = |changes: &str| of_security_keys(&Settings::parse(&format!("{changes}\n{GOOD}")), &sources);
        let ids = |changes: &str| found(changes).into_iter().map(|finding| finding.id).collect::<Vec<_>>();
        let methods = "authenticationmethods publickey,keyboard-interactive\n";
        assert_eq!(ids(&format!("{methods}pubkeyauthoptions touch-required")), []);
        assert_eq!(ids(&format!("{methods}pubkeyauthoptions touch-required verify-required")), []);
        // The user may do without the touch, and a program that knows the PIN without the user.
        let unasked = found(&format!("{methods}pubkeyauthoptions verify-required"));
        assert_eq!(unasked.iter().map(|finding| finding.id).collect::<Vec<_>>(), [Id::SshKeyUntouched]);
        let both = "PubkeyAuthOptions touch-required verify-required";
        assert!(unasked[0].mend.advice().unwrap().contains(both), "{unasked:?}");
        let untouched = found(&format!("{methods}pubkeyauthoptions none"));
        assert_eq!(untouched.iter().map(|finding| finding.id).collect::<Vec<_>>(), [Id::SshKeyUntouched]);
        assert!(untouched[0].mend.advice().unwrap().contains(place), "{untouched:?}");
        assert_eq!(ids("pubkeyauthoptions touch-required"), [Id::SshKeyIdle]);
        assert_eq!(ids("pubkeyauthoptions touch-required\nusepam no"), []);
        for (lines, usual, expected) in [
            ("PubkeyAuthOptions none", Usual::No, vec![Id::SshKeyUntouched]),
            ("PubkeyAuthOptions touch-required", Usual::No, vec![]),
            (
                "AuthenticationMethods keyboard-interactive\nPubkeyAuthOptions touch-required",
                Usual::Yes,
                vec![Id::SshKeyIdle],
            ),
            ("AuthenticationMethods keyboard-interactive\nPubkeyAuthOptions touch-required", Usual::No, vec![]),
            ("PubkeyAuthOptions verify-required", Usual::No, vec![Id::SshKeyUntouched]),
            // What is missing everywhere is no matter of the block.
            ("AuthenticationMethods publickey,keyboard-interactive", Usual::Yes, vec![]),
        ] {
            let (sources, settings) = in_a_block(lines);
            let found = of_security_keys_in_blocks(&settings, &sources.deciding(&[0]), usual);
            assert_eq!(found.iter().map(|finding| finding.id).collect::<Vec<_>>(), expected, "{lines}");
            let is_placed = |finding: &Finding| finding.mend.advice().unwrap().contains("at /etc/ssh/sshd_config:10");
            assert!(found.iter().all(is_placed), "{found:?}");
        }
    }

    #[test]
    fn another_service_of_pam_has_to_run_the_module_and_keys_count_in_the_service_sshd_alone() {
        let place = "/etc/ssh/sshd_config:7";
        let mut sources = Sources::default();
        sources.add("PAMServiceName", place);
        let methods = "authenticationmethods publickey,keyboard-interactive\npubkeyauthoptions touch-required\n";
        let settings = |more: &str| Settings::parse(&format!("{more}\n{methods}{GOOD}"));
        for (more, service) in
            [("", "sshd"), ("pamservicename sshd", "sshd"), ("pamservicename Sshd-Keys", "sshd-keys")]
        {
            assert_eq!(settings(more).pam_service(), service, "{more}");
        }
        let other = settings("pamservicename sshd-keys");
        let found = of_settings(&other, &sources, Prompts::NoCode, &[]);
        assert_eq!(found.iter().map(|finding| finding.id).collect::<Vec<_>>(), [Id::SshdOtherService]);
        let advice = found[0].mend.advice().unwrap();
        assert!(advice.contains(&format!("\"PAMServiceName sshd\" at {place}")), "{advice}");
        assert!(advice.ends_with("twofactor service enable sshd-keys"), "{advice}");
        assert_eq!(of_settings(&other, &sources, Prompts::More, &[]), []);
        let idle = of_security_keys(&other, &sources);
        assert_eq!(idle.iter().map(|finding| finding.id).collect::<Vec<_>>(), [Id::SshKeyIdle]);
        assert!(idle[0].mend.advice().unwrap().contains(place), "{idle:?}");
        for more in ["pamservicename sshd", "pamservicename sshd-keys\nusepam no"] {
            assert_eq!(of_security_keys(&settings(more), &sources), [], "{more}");
        }
        let line = format!("PAMServiceName sshd-keys\n{methods}");
        let (sources, settings) = in_a_block(&line);
        let deciding = sources.deciding(&[0]);
        for (prompts, asked, expected) in [
            (Prompts::NoCode, Asked::Code, vec![Id::SshdOtherService]),
            (Prompts::NoCode, Asked::Nothing, vec![]),
            (Prompts::More, Asked::Code, vec![]),
        ] {
            let found = of_blocks(&settings, &deciding, prompts, asked);
            assert_eq!(found.iter().map(|finding| finding.id).collect::<Vec<_>>(), expected, "{prompts:?} {asked:?}");
        }
        let found = of_security_keys_in_blocks(&settings, &deciding, Usual::Yes);
        assert_eq!(found.iter().map(|finding| finding.id).collect::<Vec<_>>(), [Id::SshKeyIdle]);
    }

    #[test]
    fn a_drop_in_that_comes_too_late_is_found() {
        let file = Path::new("/etc/ssh/sshd_config.d/50-twofactor.conf");
        let text = "# why\nUsePAM yes\nPasswordAuthentication no\nMatch User bob\nUsePAM no\n";
        let mut sources = Sources::default();
        let found = |text: &str| of_drop_in(&Settings::parse(GOOD), &Sources::default(), file, text);
        assert_eq!(found(text), None);
        for more in [
            "PermitRootLogin prohibit-password",
            "AllowUsers alice bob",
            "LoginGraceTime 1m",
            "ChallengeResponseAuthentication yes",
            "MaxAuthTries 3 # few",
            "UsePAM yes # for the code",
            "AuthenticationMethods  \"keyboard-interactive\"",
        ] {
            assert_eq!(found(&format!("{more}\n{text}")), None, "{more}");
        }
        let other = Settings::parse(&format!("passwordauthentication yes\n{GOOD}"));
        sources.add("PasswordAuthentication", "/etc/ssh/sshd_config.d/00-cloud.conf:3");
        let found = of_drop_in(&other, &sources, file, text).unwrap();
        assert!(found.what.contains("passwordauthentication no, but sshd has yes"), "{}", found.what);
        let advice = found.mend.advice().unwrap();
        assert!(advice.contains("\"passwordauthentication no\" at /etc/ssh/sshd_config.d/00-cloud.conf:3"), "{advice}");
    }

    #[test]
    fn the_mend_names_the_line_that_decides() {
        let mut sources = Sources::default();
        sources.add("ChallengeResponseAuthentication", "/etc/ssh/sshd_config.d/50-cloud.conf:1");
        sources.add("KbdInteractiveAuthentication", "/etc/ssh/sshd_config:62");
        let settings = Settings::parse(&format!("kbdinteractiveauthentication no\nusedns yes\n{GOOD}"));
        let found = of_settings(&settings, &sources, Prompts::More, &[]);
        let advice = found.first().unwrap().mend.advice().unwrap();
        assert!(advice.contains("at /etc/ssh/sshd_config.d/50-cloud.conf:1, the line that decides"), "{advice}");
        let found = of_settings(&settings, &Sources::default(), Prompts::More, &[]);
        let advice = found.first().unwrap().mend.advice().unwrap();
        assert!(advice.contains("into /etc/ssh/sshd_config, before any Match"), "{advice}");
    }
}
