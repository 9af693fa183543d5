//! Users whom sshd's settings in force keep from answering prompts, whatever password and code they have (sshd_config(5)).

use super::sshd::patterns::fits;
use super::sshd::{Methods, Settings};

/// A user as sshd sees one.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'c> {
    /// The name.
    pub user: &'c str,
    /// Root, by the uid, or another user.
    pub standing: Standing,
    /// The names of all groups.
    pub groups: &'c [String],
}

/// The group of users that `PermitRootLogin` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is: the number is 0.
    Root,
    /// It is not.
    Other,
}

/// The setting that keeps a user out; `None` when he may answer prompts. `settings` are those for his login, as `sshd -T`
/// prints them. Hosts in patterns count in his favour: he may come from one that is let in.
pub fn keeps_out(settings: &str, candidate: Candidate<'_>) -> Option<String> {
    let lines = || settings.lines().filter_map(|line| line.trim().split_once(' '));
    let listed = |keyword: &'static str| {
        lines()
            .filter(move |(word, _)| word.eq_ignore_ascii_case(keyword))
            .flat_map(|(_, list)| list.split_whitespace())
    };
    let group = |pattern: &str| candidate.groups.iter().any(|group| fits(pattern, group));
    let allowed = |pattern: &str| fits(pattern.split_once('@').map_or(pattern, |(user, _)| user), candidate.user);
    let denied = |pattern: &str| match pattern.split_once('@') {
        Some((user, host)) => host == "*" && fits(user, candidate.user),
        None => fits(pattern, candidate.user),
    };
    let root = listed("permitrootlogin").next().filter(|value| *value != "yes" && candidate.standing == Standing::Root);
    if let Some(value) = root {
        // The older word, which `sshd -T` prints, sounds as if a password was all that is missing.
        let value = if value == "without-password" { "prohibit-password" } else { value };
        return Some(format!("PermitRootLogin {value}"));
    }
    let lacks = |keyword: &'static str, is_in: &dyn Fn(&str) -> bool| {
        listed(keyword).next().is_some() && !listed(keyword).any(is_in)
    };
    if let Some(pattern) = listed("denyusers").find(|pattern| denied(pattern)) {
        Some(format!("DenyUsers {pattern}"))
    } else if lacks("allowusers", &allowed) {
        Some("AllowUsers".to_owned())
    } else if let Some(pattern) = listed("denygroups").find(|pattern| group(pattern)) {
        Some(format!("DenyGroups {pattern}"))
    } else if lacks("allowgroups", &group) {
        Some("AllowGroups".to_owned())
    } else {
        let settings = Settings::parse(settings);
        let methods = settings.value("authenticationmethods");
        Methods::parse(methods).filter(Methods::shut_out).map(|_| format!("AuthenticationMethods {methods}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str, settings: &str) -> Option<String> {
        let groups = ["sudo", "staff"].map(str::to_owned);
        let standing = if user == "root" { Standing::Root } else { Standing::Other };
        keeps_out(settings, Candidate { user, standing, groups: &groups })
    }

    #[test]
    fn root_needs_a_yes_to_answer_prompts() {
        for value in ["no", "without-password", "prohibit-password", "forced-commands-only"] {
            let settings = format!("permitrootlogin {value}\n");
            let said = if value == "without-password" { "prohibit-password" } else { value };
            assert_eq!(of("root", &settings), Some(format!("PermitRootLogin {said}")));
            assert_eq!(of("alice", &settings), None);
        }
        assert_eq!(of("root", "permitrootlogin yes\n"), None);
    }

    #[test]
    fn methods_that_never_pass_keep_out() {
        let methods = "AuthenticationMethods password,keyboard-interactive";
        assert_eq!(of("alice", &methods.to_lowercase()).as_deref(), Some(methods));
        assert_eq!(of("alice", "authenticationmethods publickey,keyboard-interactive\n"), None);
    }

    #[test]
    fn lists_of_users_and_groups_keep_out() {
        assert_eq!(of("alice", "allowusers bob\nallowusers carol\n").as_deref(), Some("AllowUsers"));
        assert_eq!(of("alice", "allowusers bob\nallowusers al*@192.0.2.*\n"), None);
        assert_eq!(of("alice", "denyusers b*\ndenyusers a*\n").as_deref(), Some("DenyUsers a*"));
        assert_eq!(of("alice", "denyusers alice@192.0.2.1\n"), None, "from elsewhere she gets in");
        assert_eq!(of("alice", "denygroups st?ff\n").as_deref(), Some("DenyGroups st?ff"));
        assert_eq!(of("alice", "allowgroups ssh\n").as_deref(), Some("AllowGroups"));
        assert_eq!(of("alice", "allowgroups ssh\nallowgroups sudo\nusepam yes\n"), None);
    }
}
