//! A host that asks, and what it may ask.

use twofactor_core::config::fleet::{ENROLLMENTS_PER_HOUR, HostRule, WRONG_CODES_PER_HOUR, groups_in_both};

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

    /// The host of this name by the first of these entries that is about it; `None` where none is.
    pub fn listed(rules: &[HostRule], name: &str) -> Option<Self> {
        let rule = HostRule::of(rules, name)?.clone();
        let HostRule { may_enroll, may_self, groups, wrong_codes_per_hour, enrollments_per_hour, .. } = rule;
        let (name, as_of) = (name.to_owned(), None);
        Some(Self { name, may_enroll, may_self, groups, wrong_codes_per_hour, enrollments_per_hour, as_of })
    }

    /// A host that has joined a fleet with an authority of its own: what the entry about it says, if there is one, and for users of the
    /// groups alone with which it was added.
    pub fn of_fleet(listed: Option<Self>, name: &str, added: &[String]) -> Self {
        let host = listed.unwrap_or_else(|| Self::named(name));
        Self { groups: groups_in_both(host.groups.as_deref(), added), ..host }
    }
}
