//! A host that asks, and what it may ask.

use twofactor_core::config::fleet::{ENROLLMENTS_PER_HOUR, WRONG_CODES_PER_HOUR};

/// A host, by the name in its certificate, and what it may ask.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// It may enroll users at its login prompt, and not only ask about logins.
    pub may_enroll: bool,
    /// Its users may look at their own second factor there, and change it.
    pub may_self: bool,
    /// The groups whose members it may ask about; `None`: about each user.
    pub groups: Option<Vec<String>>,
    /// Its quota of wrong codes.
    pub wrong_codes_per_hour: u32,
    /// Its quota of users who are enrolled without an invitation.
    pub enrollments_per_hour: u32,
    /// The number of changes of the fleet's hosts as of which this is known; `None` where a site signs their certificates. No account is
    /// read for a host of which that is not the present.
    pub as_of: Option<i64>,
}

impl Host {
    /// The host of this name, which may ask about the logins of all users.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            may_enroll: false,
            may_self: false,
            groups: None,
            wrong_codes_per_hour: WRONG_CODES_PER_HOUR,
            enrollments_per_hour: ENROLLMENTS_PER_HOUR,
            as_of: None,
        }
    }

    /// The same host, for which these groups were named when it was added; none stands for all. Of two lists those groups count that
    /// are in both.
    #[must_use]
    pub(crate) fn within(mut self, added: &[String]) -> Self {
        if !added.is_empty() {
            self.groups = Some(match self.groups {
                None => added.to_vec(),
                Some(groups) => groups.into_iter().filter(|group| added.contains(group)).collect(),
            });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_groups_of_a_rule_and_of_a_join_those_in_both_count() {
        let groups = |listed: &[&str]| listed.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>();
        let of = |rule: Option<&[&str]>, added: &[&str]| {
            Host { groups: rule.map(groups), ..Host::named("web1") }.within(&groups(added)).groups
        };
        assert_eq!(of(None, &[]), None);
        assert_eq!(of(None, &["web"]), Some(groups(&["web"])));
        assert_eq!(of(Some(&["web", "dba"]), &[]), Some(groups(&["web", "dba"])));
        assert_eq!(of(Some(&["web", "dba"]), &["dba", "ops"]), Some(groups(&["dba"])));
        assert_eq!(of(Some(&["web"]), &["ops"]), Some(Vec::new()), "about no user");
    }
}
