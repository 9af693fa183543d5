//! Problems with rules that are valid.

use super::catalogue::Id;
use super::finding::{Finding, some_of};
use twofactor_core::config::caller::Caller;
use twofactor_core::config::helpdesk::{Helpdesk, PROTECTED};
use twofactor_core::config::rule::{Demand, Level, Rule};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{Doubt, LookupError, UserDatabase, UserName};
use twofactor_core::pam_service::OTHER;

/// Problems of `rules` on a host: those that count as `required` already, and those about services that do not run the module
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
                let command = format!("twofactor service enable {}", twofactor_core::host::shell::quoted(service));
                let advice = "if a second factor should be asked for there; else take the service out of the rule";
                findings.push(Finding::consider(Id::RuleWithoutService, what, advice, command));
            }
        }
        let advice = "correct the name, or take it out";
        for user in conditions.users.iter().flatten() {
            let known = users.canonical(user)?;
            if known.is_none()
                && let Err(Doubt::Failed(error)) = users.has_no_user(user)
            {
                return Err(error);
            }
            if known.is_none_or(|known| known.as_str() != user) {
                let what = format!("{place} names the user {user:?}, who does not exist");
                findings.push(Finding::by_hand(Id::RuleNamesNobody, what, advice));
            }
        }
        for group in conditions.groups.iter().flatten() {
            if users.gid(group)?.is_none() {
                if let Err(Doubt::Failed(error)) = users.has_no_group(group) {
                    return Err(error);
                }
                let what = format!("{place} names the group {group:?}, which does not exist");
                findings.push(Finding::by_hand(Id::RuleNamesNobody, what, advice));
            }
        }
    }
    Ok(findings)
}

/// Problems of `callers`: accounts and groups that do not exist, and services that do not run the module. The arguments are
/// those of [`of_rules`].
pub fn of_callers(
    callers: &[Caller],
    file: &str,
    services: &[&str],
    users: &dyn UserDatabase,
) -> Result<Vec<Finding>, LookupError> {
    let mut findings = Vec::new();
    for caller in callers {
        let place = format!("the caller at {file}:{}", caller.line);
        let advice = "correct the name, or take it out";
        if users.person(&caller.user)?.is_none_or(|person| person.name.as_str() != caller.user) {
            let what = format!("{place} names the account {:?}, which does not exist", caller.user);
            findings.push(Finding::by_hand(Id::CallerIdle, what, advice));
        }
        if !services.contains(&caller.service.as_str()) {
            let what = format!("{place} is about {:?}, which does not run the module", caller.service);
            let command = format!("twofactor service enable {}", twofactor_core::host::shell::quoted(&caller.service));
            findings.push(Finding::run(Id::CallerIdle, what, command));
        }
        for group in &caller.groups {
            if users.gid(group)?.is_none() {
                let what = format!("{place} names the group {group:?}, which does not exist");
                findings.push(Finding::by_hand(Id::CallerIdle, what, advice));
            }
        }
    }
    Ok(findings)
}

/// Problems of `helpdesks`: groups that do not exist, and groups of which it cannot be proved that a user is in none. Of the
/// groups that are protected by default a distribution has some, and lacks the others.
pub fn of_helpdesks(helpdesks: &[Helpdesk], file: &str, users: &dyn UserDatabase) -> Result<Vec<Finding>, LookupError> {
    let mut findings = Vec::new();
    let unproven = if helpdesks.is_empty() { None } else { proves_memberships(users)?.err() };
    for helpdesk in helpdesks {
        let place = format!("the helpdesk at {file}:{}", helpdesk.line);
        let advice = "correct the name, or take it out";
        if users.gid(&helpdesk.group)?.is_none() {
            let what = format!("{place} is the group {:?}, which does not exist", helpdesk.group);
            findings.push(Finding::by_hand(Id::HelpdeskIdle, what, advice));
        }
        for group in helpdesk.protected.iter().filter(|group| !PROTECTED.contains(&group.as_str())) {
            if users.gid(group)?.is_none() {
                let what = format!("{place} protects the group {group:?}, which does not exist");
                findings.push(Finding::by_hand(Id::HelpdeskUnprotected, what, advice));
            }
        }
        if let Some(doubt) = &unproven {
            let what = format!("{place} can help no user: {doubt}");
            let advice = "keep groups in sources that can prove a user to be in none, or take the helpdesk out";
            findings.push(Finding::by_hand(Id::HelpdeskInDoubt, what, advice));
        }
    }
    Ok(findings)
}

/// Problems with the order of `rules`, of which those about groups may hold for others than their members: where the
/// sources of groups prove no absence always, and else while they fail. `default` is what holds where none matches.
pub fn of_order(
    rules: &[Rule],
    default: &Demand,
    file: &str,
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Result<Vec<Finding>, LookupError> {
    let about_groups: Vec<(usize, &Rule)> =
        rules.iter().enumerate().filter(|(_, rule)| rule.conditions.groups.is_some()).collect();
    if about_groups.is_empty() {
        return Ok(Vec::new());
    }
    let unproven = proves_memberships(users)?.err();
    let mut findings = Vec::new();
    for (index, rule) in about_groups {
        let place = format!("the rule at {file}:{}", rule.line);
        let behind: Vec<&Rule> =
            rules.iter().skip(index).skip(1).filter(|other| stricter(&rule.demand, &other.demand, now)).collect();
        let by_name =
            behind.iter().filter(|other| other.conditions.users.is_some() && other.conditions.groups.is_none());
        for other in by_name {
            let names = some_of(other.conditions.users.iter().flatten().map(String::as_str));
            let what =
                format!("the rule for {names} at {file}:{} stands behind a stricter one about groups", other.line);
            let advice = format!("move it before line {}", rule.line);
            findings.push(Finding::by_hand(Id::RuleOrder, what, advice));
        }
        if let Some(doubt) = &unproven
            && (!behind.is_empty() || stricter(&rule.demand, default, now))
        {
            let what = format!("{place} holds for users who are in none of its groups, too: {doubt}");
            let advice = "put rules for root and backup users, by name, before it; ask for a second factor by [default], and \
                          let rules about groups ask for less";
            findings.push(Finding::by_hand(Id::RuleInDoubt, what, advice));
        }
    }
    Ok(findings)
}

/// True when a user who is in a group by no source's word certainly is not in it.
fn proves_memberships(users: &dyn UserDatabase) -> Result<Result<(), Doubt>, LookupError> {
    let Ok(root) = UserName::new("root") else { return Ok(Ok(())) };
    match users.has_no_more_groups(&root, &users.gids(&root)?) {
        Err(Doubt::Failed(error)) => Err(error),
        other => Ok(other),
    }
}

/// True when `one` asks for more than `other`, or accepts less.
fn stricter(one: &Demand, other: &Demand, now: UnixTime) -> bool {
    let (level, other_level) = (one.level_at(now), other.level_at(now));
    level < other_level || (other_level != Level::Off && one.factors.common(other.factors) != other.factors)
}

/// The name that was meant, perhaps.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known)).filter(|(near, _)| *near > 0.7);
    near.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofactor_core::config::Config;
    use twofactor_core::host::user::{Person, SystemUsers};

    const KNOWN: [&str; 4] = ["cron", "other", "sshd", "sudo"];

    fn ids(text: &str) -> Vec<Id> {
        let now = UnixTime::from_rfc3339("2027-01-31T00:00:00Z").unwrap();
        let config = Config::parse(text).unwrap();
        let found = of_rules(&config.rules, "twofactor.toml", &["sshd"], &KNOWN, &SystemUsers, now).unwrap();
        found.into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn a_helpdesk_without_members_or_with_a_group_that_protects_no_user_is_found() {
        let found = |group: &str, protected: &str| {
            let text = format!("[[helpdesk]]\ngroup = \"{group}\"\nprotected = [{protected}]\n");
            let helpdesks = Config::parse(&text).unwrap().helpdesks;
            let found = of_helpdesks(&helpdesks, "twofactor.toml", &SystemUsers).unwrap();
            found.into_iter().map(|finding| finding.id).collect::<Vec<_>>()
        };
        assert_eq!(found("daemon", "\"root\", \"wheel\", \"sudo\", \"admin\""), []);
        assert_eq!(found("no-such-group", ""), [Id::HelpdeskIdle]);
        assert_eq!(found("daemon", "\"no-such-group\", \"root\""), [Id::HelpdeskUnprotected]);
        assert_eq!(of_helpdesks(&[], "twofactor.toml", &SystemUsers).unwrap().len(), 0);
    }

    #[test]
    fn a_caller_that_lets_no_program_ask_is_found() {
        let found = |user: &str, service: &str, group: &str| {
            let text = format!("[[caller]]\nuser = \"{user}\"\nservice = \"{service}\"\ngroups = [\"{group}\"]\n");
            let callers = Config::parse(&text).unwrap().callers;
            let found = of_callers(&callers, "twofactor.toml", &["sshd"], &SystemUsers).unwrap();
            found.into_iter().map(|finding| finding.what).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(found("daemon", "sshd", "daemon"), "");
        assert!(found("no-such-account", "sshd", "daemon").contains("the account \"no-such-account\", which does not"));
        assert!(found("daemon", "nginx", "daemon").contains("\"nginx\", which does not run the module"));
        assert!(found("daemon", "sshd", "no-such-group").contains("the group \"no-such-group\", which does not exist"));
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

    /// Users and groups of a server, whose "not found" proves nothing.
    struct Directory;

    impl UserDatabase for Directory {
        fn person(&self, typed: &str) -> Result<Option<Person>, LookupError> {
            SystemUsers.person(typed)
        }

        fn gids(&self, user: &UserName) -> Result<Vec<u32>, LookupError> {
            SystemUsers.gids(user)
        }

        fn pretend_gids(&self, _nobody: &UserName) {}

        fn gid(&self, group: &str) -> Result<Option<u32>, LookupError> {
            SystemUsers.gid(group)
        }

        fn has_no_user(&self, _typed: &str) -> Result<(), Doubt> {
            Err(Doubt::Unproven { file: "f".to_owned(), sources: "sss".to_owned(), database: "passwd" })
        }

        fn has_no_group(&self, _group: &str) -> Result<(), Doubt> {
            Err(Doubt::Unproven { file: "f".to_owned(), sources: "sss".to_owned(), database: "group" })
        }

        fn has_no_more_groups(&self, _user: &UserName, _gids: &[u32]) -> Result<(), Doubt> {
            self.has_no_group("")
        }
    }

    fn of_order_in(text: &str, users: &dyn UserDatabase) -> Vec<(Id, String)> {
        let config = Config::parse(text).unwrap();
        let now = UnixTime::from_seconds(1_795_300_074);
        let found = of_order(&config.rules, &Demand::at(config.default_level), "f", users, now).unwrap();
        found.into_iter().map(|finding| (finding.id, finding.what)).collect()
    }

    #[test]
    fn a_rule_about_groups_that_is_stricter_than_what_follows_is_found_where_absence_is_not_proved() {
        let staff = "[[rule]]\ngroups = [\"root\"]\nsecond_factor = \"required\"\n";
        let off = format!("{staff}[default]\nsecond_factor = \"off\"\n");
        let found = of_order_in(&off, &Directory);
        assert!(matches!(&found[..], [(Id::RuleInDoubt, what)] if what.contains("f:1") && what.contains("sss")));
        assert_eq!(of_order_in(&off, &SystemUsers), [], "files prove it");
        assert_eq!(of_order_in(staff, &Directory), [], "whichever matches, the same is asked");
        let exempt = "[[rule]]\ngroups = [\"root\"]\nsecond_factor = \"off\"\n";
        assert_eq!(of_order_in(exempt, &Directory), [], "who is in doubt is asked, as everybody else");
    }

    #[test]
    fn a_rule_for_the_way_in_of_last_resort_behind_one_about_groups_is_found() {
        let staff = "[[rule]]\ngroups = [\"root\"]\nsecond_factor = \"required\"\n";
        let root = "[[rule]]\nusers = [\"root\", \"backup\"]\nsecond_factor = \"off\"\n";
        let found = of_order_in(&format!("{staff}{root}"), &SystemUsers);
        assert!(matches!(&found[..], [(Id::RuleOrder, what)] if what.contains("root, backup at f:4")), "{found:?}");
        assert_eq!(of_order_in(&format!("{root}{staff}"), &SystemUsers), []);
    }

    #[test]
    fn rules_that_lapsed_or_are_about_nobody_are_found() {
        assert_eq!(ids("[[rule]]\nsecond_factor = \"optional\"\nuntil = 2027-01-31\n"), [Id::GraceOver]);
        assert_eq!(ids("[[rule]]\nservices = [\"sudo\"]\nsecond_factor = \"required\"\n"), [Id::RuleWithoutService]);
        let nobody = "[[rule]]\nusers = [\"no-such-user\"]\ngroups = [\"no-such-group\"]\nsecond_factor = \"off\"\n";
        assert_eq!(ids(nobody), [Id::RuleNamesNobody, Id::RuleNamesNobody]);
    }
}
