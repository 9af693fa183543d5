//! Obstacles in `/etc/shadow` to the login of a local user (shadow(5)).

use std::collections::BTreeMap;

use super::people::{Account, Password};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::expiry::Aging;

/// The obstacles of local users, by their names. Of others nothing is known.
#[derive(Debug, Clone, Default)]
pub struct Shadow(BTreeMap<String, (Password, Account)>);

impl Shadow {
    /// Reads the file's text as it counts at a moment.
    pub fn parse(text: &str, now: UnixTime) -> Self {
        let entry = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, hash, ..] = fields.as_slice() else { return None };
            let password = if hash.starts_with(['!', '*']) { Password::Locked } else { Password::Perhaps };
            let expired = Aging::of_fields(&fields).and_then(|aging| aging.expired(now));
            let account = if expired.is_some() { Account::Expired } else { Account::Open };
            Some(((*name).to_owned(), (password, account)))
        };
        Self(text.lines().filter_map(entry).collect())
    }

    /// The chances of a user's password.
    pub fn password(&self, user: &str) -> Password {
        self.0.get(user).map_or(Password::Perhaps, |(password, _)| *password)
    }

    /// The state of a user's account.
    pub fn account(&self, user: &str) -> Account {
        self.0.get(user).map_or(Account::Open, |(_, account)| *account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_local_user_out_is_read() {
        // The day 20,000 is in October 2024.
        let now = UnixTime::from_seconds(20_000 * 86_400 + 5);
        let account = |line: &str| Shadow::parse(line, now).account("alice");
        assert_eq!(account("alice:$6$x:19000:0:99999:7:::"), Account::Open);
        assert_eq!(account("alice:$6$x:19000:0:99999:7::20001:"), Account::Open);
        assert_eq!(account("alice:$6$x:19000:0:99999:7::20000:"), Account::Expired);
        assert_eq!(account("alice:$6$x:19901:0:90:7:10::"), Account::Open, "today it can still be changed");
        assert_eq!(account("alice:$6$x:19900:0:90:7:10::"), Account::Expired);
        assert_eq!(account("alice:$6$x:0:0:90:7:10::"), Account::Open, "it has to be changed at the first login");
        let both = Shadow::parse("root:*:19000:0:99999:7:::\nbob:!$6$x:1::::::\nalice:$6$x:1::::::\n", now);
        assert_eq!([both.password("root"), both.password("bob")], [Password::Locked; 2]);
        assert_eq!([both.password("alice"), both.password("of-ldap")], [Password::Perhaps; 2]);
    }
}
