//! The warnings of `check` about a configuration that is valid and lets hosts do much.

use twofactor_core::config::rule::Level;
use twofactor_core::config::{Config, InvitationRule};

/// A sentence for each entry that a sysadmin should look at twice.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    let levels = config.rules.iter().map(|rule| rule.demand.level).chain([config.default_level]);
    let is_open =
        config.enrollment.invitation == InvitationRule::None && levels.into_iter().any(|level| level == Level::Enroll);
    let anyone = config.hosts.iter().filter(|host| is_open && host.may_enroll && host.groups.is_none());
    anyone
        .map(|host| {
            format!(
                "[[host]] in line {}: \"{}\" may enroll each user whom a rule lets enroll, {} an hour, without an invitation; \
                 limit it by groups, or set invitation = \"required\" in [enrollment]",
                host.line, host.name, host.enrollments_per_hour
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_may_enroll_each_user_without_an_invitation_is_warned_of() {
        let (host, groups) = ("[[host]]\nname = \"*\"\nmay = [\"login\", \"enroll\"]\n", "groups = [\"staff\"]\n");
        let open = "[default]\nsecond_factor = \"enroll\"\n";
        let rule = "[[rule]]\nservices = [\"twofactor-fleet\"]\nsecond_factor = \"enroll\"\n";
        let invited = "[enrollment]\ninvitation = \"required\"\n";
        for (text, count) in [
            (vec![open, host], 1),
            (vec![rule, host], 1),
            (vec![host], 0),
            (vec![open, host, groups], 0),
            (vec![invited, open, host], 0),
            (vec![open, "[[host]]\nname = \"*\"\n"], 0),
        ] {
            let warnings = warnings(&Config::parse(&text.concat()).unwrap());
            assert_eq!(warnings.len(), count, "{text:?}: {warnings:?}");
        }
    }
}
