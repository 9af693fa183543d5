//! The meaning of sshd's settings for the second factor. Settings are those in force, as `sshd -T` prints them.

mod settings;

use std::collections::BTreeMap;
use std::path::Path;

use super::catalogue::Id;
use super::finding::Finding;
use twofactor_core::config::rule::Rule;
use twofactor_core::pam_service::Line;
use twofactor_core::pam_service::findings::Place;

pub use settings::{KeyProof, Methods, Settings};

/// The sources of settings: of each keyword, the line that sshd reads first, outside of `Match`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Takes a line at `place`, in the order sshd reads.
    pub fn add(&mut self, keyword: &str, place: impl Into<String>) {
        self.0.entry(settings::keyword(keyword)).or_insert_with(|| place.into());
    }

    /// The line that decides about a keyword in small letters.
    pub fn place(&self, keyword: &str) -> Option<&str> {
        self.0.get(keyword).map(String::as_str)
    }

    /// The change that gives sshd `setting`: the first value counts, so another line elsewhere changes nothing.
    fn mend(&self, setting: &str) -> String {
        let keyword = setting.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        match self.0.get(&keyword) {
            Some(place) => format!("write \"{setting}\" at {place}, the line that decides, and reload sshd"),
            None => format!("write \"{setting}\" into /etc/ssh/sshd_config, before any Match, and reload sshd"),
        }
    }
}

/// A running sshd that goes by what it read before `changed` was changed. `reload` makes it read that.
pub fn of_outdated(changed: &Path, reload: String) -> Finding {
    let what = format!("the running sshd has not read {} since it was changed", changed.display());
    Finding::run(Id::SshdOutdated, what, reload)
}

const BY_THE_TOOL: &str = "twofactor service enable sshd";

/// Problems with settings that hold for a service that runs the module.
pub fn of_settings(settings: &Settings, sources: &Sources, rules: &[Rule]) -> Vec<Finding> {
    let lacking = settings.lacking();
    let methods = Methods::parse(settings.value("authenticationmethods"));
    let shut_out = methods.as_ref().is_some_and(Methods::shut_out);
    // The tool's drop-in takes the method `password` away: sshd would not start with lists that all demand it.
    let mended = |id: Id, what: &str, setting: &str| {
        if shut_out {
            Finding::by_hand(id, what, sources.mend(setting))
        } else {
            Finding::consider(id, what, format!("{}, or run", sources.mend(setting)), BY_THE_TOOL)
        }
    };
    if lacking.contains(&"UsePAM no") {
        return vec![mended(Id::SshdWithoutPam, "sshd has UsePAM no", "UsePAM yes")];
    }
    let mut findings = Vec::new();
    if !lacking.is_empty() {
        let what = "sshd has KbdInteractiveAuthentication no";
        findings.push(mended(Id::SshdNoPrompts, what, "KbdInteractiveAuthentication yes"));
    }
    if let Some(methods) = &methods {
        let what = format!("sshd has AuthenticationMethods {}", settings.value("authenticationmethods"));
        let advice = sources.mend(&methods.with_prompts());
        if shut_out {
            findings.push(Finding::by_hand(Id::SshdNeverPasses, what, advice));
        } else if !methods.ask() && lacking.is_empty() {
            let advice = sources.mend("AuthenticationMethods keyboard-interactive");
            findings.push(Finding::by_hand(Id::SshdNeverAsks, what, advice));
        } else if methods.strand() && settings.says("passwordauthentication", "yes") {
            findings.push(Finding::by_hand(Id::SshdListNeverPasses, what, advice));
        }
    }
    let alone = settings.without_code();
    if !alone.is_empty() && !findings.iter().any(|finding| finding.id == Id::SshdNeverAsks) {
        let what = format!("{} alone opens a session", alone.join(" or "));
        let setting = "AuthenticationMethods publickey,keyboard-interactive";
        let advice = format!("to ask for the code too, {}", sources.mend(setting));
        findings.push(Finding::by_hand(Id::SshdKeyAlone, what, advice));
    }
    if settings.says("passwordauthentication", "yes") && methods.is_none_or(|methods| methods.offer_password()) {
        let what = "sshd has PasswordAuthentication yes";
        let advice = sources.mend("PasswordAuthentication no");
        findings.push(Finding::by_hand(Id::SshdPasswordMethod, what, advice));
    }
    if settings.says("permitemptypasswords", "yes") {
        let what = "sshd has PermitEmptyPasswords yes";
        let advice = sources.mend("PermitEmptyPasswords no");
        findings.push(Finding::by_hand(Id::SshdEmptyPasswords, what, advice));
    }
    if settings.says("usedns", "yes") && rules.iter().any(|rule| rule.conditions.networks.is_some()) {
        let what = "sshd has UseDNS yes, and there are rules with networks";
        let advice = sources.mend("UseDNS no");
        findings.push(Finding::by_hand(Id::SshdHostNames, what, advice));
    }
    findings
}

/// Problems with settings that hold for the logins of `user` only, beyond `everybody`'s. A user whose logins take a key
/// and nothing else is meant to be exempt.
pub fn of_login(user: &str, own: &Settings, everybody: &Settings, rules: &[Rule]) -> Vec<Finding> {
    // What decides for one login may stand in a Match.
    let sources = Sources::default();
    let known = of_settings(everybody, &sources, rules);
    // The lists of methods were judged where they are written: see `of_match`.
    let of_lists = |finding: &Finding| matches!(finding.id, Id::SshdNeverPasses | Id::SshdListNeverPasses);
    let others = of_settings(own, &sources, rules).into_iter();
    let others = others.filter(|finding| !known.contains(finding) && !of_lists(finding));
    let by_name = |finding: Finding| {
        let id = if finding.id == Id::SshdNeverAsks { Id::SshdKeyAlone } else { finding.id };
        let advice = "correct what the Match that is about that user says, and reload sshd";
        Finding::by_hand(id, format!("for {user}, {}", finding.what), advice)
    };
    others.map(by_name).collect()
}

/// Problems with `AuthenticationMethods` of a `Match`, which stands at `place`.
pub fn of_match(value: &str, place: &str) -> Option<Finding> {
    let methods = Methods::parse(value)?;
    let id = match (methods.shut_out(), methods.strand()) {
        (true, _) => Id::SshdNeverPasses,
        (false, true) => Id::SshdListNeverPasses,
        (false, false) => return None,
    };
    let what = format!("for the logins that a Match is about, sshd has AuthenticationMethods {value}");
    let advice = format!("write \"{}\" at {place}, and reload sshd", methods.with_prompts());
    Some(Finding::by_hand(id, what, advice))
}

/// Problems with the settings of logins whose users have security keys of ssh enrolled, beyond those of [`of_settings`].
pub fn of_security_keys(settings: &Settings, sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !settings.demands_touch() {
        let what = format!("sshd has {}", key_options(settings.value("pubkeyauthoptions")));
        findings.push(Finding::by_hand(Id::SshKeyUntouched, what, sources.mend(TOUCH)));
    }
    // Without PAM nothing is asked after any method, which is another finding.
    if settings.says("usepam", "yes") && !settings.ask_pam_after_key() {
        let what = format!("sshd has AuthenticationMethods {}", settings.value("authenticationmethods"));
        let advice = "if every login is to begin with a key,";
        findings.push(Finding::consider(Id::SshKeyIdle, what, advice, format!("{BY_THE_TOOL} --security-keys")));
    }
    findings
}

const TOUCH: &str = "PubkeyAuthOptions touch-required";

/// A value of `PubkeyAuthOptions`; an sshd before 8.2 knows none.
fn key_options(value: &str) -> String {
    format!("PubkeyAuthOptions {}", if value.is_empty() { "none" } else { value })
}

/// A problem with `PubkeyAuthOptions` of a `Match`, which stands at `place`, on a host with enrolled security keys.
pub fn of_key_options_of_match(value: &str, place: &str) -> Option<Finding> {
    let settings = Settings::parse(&key_options(value));
    if settings.demands_touch() {
        return None;
    }
    let what = format!("for the logins that a Match is about, sshd has {}", key_options(value));
    Some(Finding::by_hand(Id::SshKeyUntouched, what, format!("write \"{TOUCH}\" at {place}, and reload sshd")))
}

/// A line of sshd's service by which users set variables of PAM, on a host with enrolled security keys.
pub fn of_user_variables(line: &Line) -> Finding {
    let place = Place::of(line);
    let what = format!("{place} ({}) lets users set PAM's variables", place.text);
    Finding::by_hand(Id::SshKeyDistrusted, what, format!("take user_readenv out of {place}"))
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
        of_settings(&settings, &Sources::default(), &config.rules).into_iter().map(|finding| finding.id).collect()
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
            let found = of_settings(&settings, &sources, &[]);
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
        let found = of_match("publickey,password", place).unwrap();
        assert_eq!(found.id, Id::SshdNeverPasses);
        assert!(found.mend.advice().unwrap().contains(&format!("publickey,keyboard-interactive\" at {place}")));
        assert_eq!(of_match("publickey,keyboard-interactive", place), None);
    }

    #[test]
    fn settings_of_one_user_are_compared_with_everybodys() {
        let (everybody, rules) = (Settings::parse(GOOD), []);
        let found = |changes: &str| {
            let own = Settings::parse(&format!("{changes}\n{GOOD}"));
            of_login("bob", &own, &everybody, &rules).into_iter().map(|finding| finding.id).collect::<Vec<_>>()
        };
        assert_eq!(found(""), []);
        assert_eq!(found("kbdinteractiveauthentication no"), [Id::SshdNoPrompts]);
        assert_eq!(found("authenticationmethods publickey"), [Id::SshdKeyAlone]);
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
        assert_eq!(ids(&format!("{methods}pubkeyauthoptions verify-required")), []);
        let untouched = found(&format!("{methods}pubkeyauthoptions none"));
        assert_eq!(untouched.iter().map(|finding| finding.id).collect::<Vec<_>>(), [Id::SshKeyUntouched]);
        assert!(untouched[0].mend.advice().unwrap().contains(place), "{untouched:?}");
        assert_eq!(ids("pubkeyauthoptions touch-required"), [Id::SshKeyIdle]);
        assert_eq!(ids("pubkeyauthoptions touch-required\nusepam no"), []);
        assert_eq!(of_key_options_of_match("touch-required", place), None);
        let of_match = of_key_options_of_match("none", place).unwrap();
        assert_eq!(of_match.id, Id::SshKeyUntouched);
        assert!(of_match.mend.advice().unwrap().contains(place), "{of_match:?}");
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
        let found = of_settings(&settings, &sources, &[]);
        let advice = found.first().unwrap().mend.advice().unwrap();
        assert!(advice.contains("at /etc/ssh/sshd_config.d/50-cloud.conf:1, the line that decides"), "{advice}");
        let found = of_settings(&settings, &Sources::default(), &[]);
        let advice = found.first().unwrap().mend.advice().unwrap();
        assert!(advice.contains("into /etc/ssh/sshd_config, before any Match"), "{advice}");
    }
}
