//! What SELinux makes of the state.

use std::path::Path;

use super::{Finding, Id};
use crate::shell::quoted;

/// The type of our own policy module, and that of the distributions' policy for what logins may write.
const TYPES: [&str; 2] = ["pam_twofactor_var_lib_t", "var_auth_t"];
/// Our policy module.
const MODULE: &str = "pam_twofactor";

/// What is wrong with the label of the folder `state`, like `system_u:object_r:var_auth_t:s0`.
pub fn of_label(state: &Path, label: &str) -> Option<Finding> {
    let kind = label.split(':').nth(2).unwrap_or_default();
    if TYPES.contains(&kind) {
        return None;
    }
    let what = format!("{} has the label {label}", state.display());
    let advice = "with the package pam_twofactor-selinux installed";
    let command = format!("restorecon -R -v {}", quoted(&state.to_string_lossy()));
    Some(Finding::consider(Id::SelinuxLabel, what, advice, command))
}

/// What is missing among the policy modules, as `semodule -l` lists them.
pub fn of_modules(listed: &str) -> Option<Finding> {
    let mut names = listed.lines().filter_map(|line| line.split_whitespace().next());
    if names.any(|name| name == MODULE) {
        return None;
    }
    let what = format!("the policy module {MODULE} is not installed");
    Some(Finding::by_hand(Id::SelinuxNoModule, what, "install the package pam_twofactor-selinux"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_logins_may_write_are_well() {
        let found = |label: &str| of_label(Path::new("/var/lib/twofactor"), label).map(|finding| finding.id);
        assert_eq!(found("system_u:object_r:var_auth_t:s0"), None);
        assert_eq!(found("unconfined_u:object_r:pam_twofactor_var_lib_t:s0"), None);
        assert_eq!(found("unconfined_u:object_r:var_lib_t:s0"), Some(Id::SelinuxLabel));
        assert_eq!(found(""), Some(Id::SelinuxLabel));
    }

    #[test]
    fn the_policy_module_is_known_by_its_whole_name() {
        assert_eq!(of_modules("abrt\npam_twofactor\nzabbix\n"), None);
        assert_eq!(of_modules("pam_twofactor\t1.0\n"), None, "older lists have versions");
        assert!(of_modules("pam_twofactor_local\n").is_some());
    }
}
