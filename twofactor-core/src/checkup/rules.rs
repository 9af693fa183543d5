//! What is wrong with rules that are valid.

use super::{Finding, Id};
use crate::clock::UnixTime;
use crate::pam_service::OTHER;
use crate::rule::{Level, Rule};
use crate::user::{LookupError, UserDatabase};

/// What a host makes of `rules`: those that count as `required` already, and those about services that do not run the module
/// or about users and groups that do not exist. `file` is where they stand, `services` are those that run the module, and `known`
/// all that PAM knows.
pub fn of_rules(
    rules: &[Rule],
    file: &str,
    services: &[&str],
    known: &[&str],
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Result<Vec<Finding>, LookupError> {
    let mut findings = Vec::new();
    for rule in rules {
        let place = format!("the rule at {file}:{}", rule.line);
        if let Some(until) = rule.demand.until.filter(|until| *until <= now && rule.demand.level != Level::Required) {
            let what = format!("{place} counts as \"required\" since {until}");
            let advice = "write second_factor = \"required\" there, or a later day, or take the rule out";
            findings.push(Finding::by_hand(Id::GraceOver, what, advice));
        }
        let conditions = &rule.conditions;
        for service in conditions.services.iter().flatten().filter(|service| !services.contains(&service.as_str())) {
            if !known.contains(&service.as_str()) && !services.contains(&OTHER) {
                let what = format!("{place} names the service {service:?}, which PAM does not know");
                let (what, advice) = match nearest(service, known) {
                    Some(near) => (format!("{what}; {near}?"), format!("write \"{near}\" there, or take the name out")),
                    None => (what, "correct the name, or take it out".to_owned()),
                };
                findings.push(Finding::by_hand(Id::RuleWithoutService, what, advice));
            } else if rule.demand.level != Level::Off {
                let what = format!("{place} is about {service:?}, which does not run the module");
                let command = format!("twofactor service enable {}", crate::shell::quoted(service));
                let advice = "if a second factor should be asked for there; else take the service out of the rule";
                findings.push(Finding::consider(Id::RuleWithoutService, what, advice, command));
            }
        }
        let advice = "correct the name, or take it out";
        for user in conditions.users.iter().flatten() {
            if users.canonical(user)?.is_none_or(|known| known.as_str() != user) {
                let what = format!("{place} names the user {user:?}, who does not exist");
                findings.push(Finding::by_hand(Id::RuleNamesNobody, what, advice));
            }
        }
        for group in conditions.groups.iter().flatten() {
            if users.gid(group)?.is_none() {
                let what = format!("{place} names the group {group:?}, which does not exist");
                findings.push(Finding::by_hand(Id::RuleNamesNobody, what, advice));
            }
        }
    }
    Ok(findings)
}

/// What somebody meant, perhaps.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known)).filter(|(near, _)| *near > 0.7);
    near.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::user::SystemUsers;

    const KNOWN: [&str; 4] = ["cron", "other", "sshd", "sudo"];

    fn ids(text: &str) -> Vec<Id> {
        let now = UnixTime::from_rfc3339("2027-01-31T00:00:00Z").unwrap();
        let config = Config::parse(text).unwrap();
        let found = of_rules(&config.rules, "twofactor.toml", &["sshd"], &KNOWN, &SystemUsers, now).unwrap();
        found.into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn rules_that_do_what_they_say_have_no_findings() {
        assert_eq!(ids("[[rule]]\nusers = [\"root\"]\nservices = [\"sshd\"]\nsecond_factor = \"enroll\"\n"), []);
        assert_eq!(ids("[[rule]]\nsecond_factor = \"optional\"\nuntil = 2027-02-01\n"), []);
        assert_eq!(ids("[[rule]]\nservices = [\"cron\"]\nsecond_factor = \"off\"\n"), [], "nothing is asked there");
    }

    #[test]
    fn a_service_that_pam_does_not_know_is_named_with_what_was_meant() {
        let now = UnixTime::from_seconds(1_795_300_074);
        for (typed, words) in [
            ("ssh", "names the service \"ssh\", which PAM does not know; sshd?"),
            ("xyz", "names the service \"xyz\", which PAM does not know"),
        ] {
            for level in ["off", "required"] {
                let rule = format!("[[rule]]\nservices = [\"{typed}\"]\nsecond_factor = \"{level}\"\n");
                let config = Config::parse(&rule).unwrap();
                let found = of_rules(&config.rules, "twofactor.toml", &["sshd"], &KNOWN, &SystemUsers, now).unwrap();
                let [finding] = &found[..] else { panic!("{found:?}") };
                assert!(finding.what.ends_with(words), "{}", finding.what);
                // "other" stands in for it.
                let by_other = of_rules(&config.rules, "f", &["other"], &KNOWN, &SystemUsers, now).unwrap();
                assert!(by_other.iter().all(|finding| finding.mend.command().is_some()), "{by_other:?}");
            }
        }
    }

    #[test]
    fn rules_that_lapsed_or_are_about_nobody_are_found() {
        assert_eq!(ids("[[rule]]\nsecond_factor = \"optional\"\nuntil = 2027-01-31\n"), [Id::GraceOver]);
        assert_eq!(ids("[[rule]]\nservices = [\"sudo\"]\nsecond_factor = \"required\"\n"), [Id::RuleWithoutService]);
        let nobody = "[[rule]]\nusers = [\"no-such-user\"]\ngroups = [\"no-such-group\"]\nsecond_factor = \"off\"\n";
        assert_eq!(ids(nobody), [Id::RuleNamesNobody, Id::RuleNamesNobody]);
    }
}
