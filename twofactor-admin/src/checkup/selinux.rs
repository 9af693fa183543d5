//! SELinux labels of the state and of the module's file.

use std::path::{Path, PathBuf};

use super::catalogue::Id;
use super::finding::Finding;
use twofactor_core::host::shell::quoted;

/// The type of our own policy module, and that of the distributions' policy for what logins may write.
const TYPES: [&str; 2] = ["pam_twofactor_var_lib_t", "var_auth_t"];
/// Our policy module.
const MODULE: &str = "pam_twofactor";

/// A file or folder, and its label, like `system_u:object_r:var_auth_t:s0`.
pub type Labelled = (PathBuf, String);

/// The type in a label.
fn kind(label: &str) -> &str {
    label.split(':').nth(2).unwrap_or_default()
}

/// Problems with the labels of the folder `state` and of what is in it.
pub fn of_labels<'l>(state: &Path, labelled: impl IntoIterator<Item = &'l Labelled>) -> Option<Finding> {
    let mut foreign = labelled.into_iter().filter(|(_, label)| !TYPES.contains(&kind(label)));
    let (file, label) = foreign.next()?;
    let others = match foreign.count() {
        0 => String::new(),
        more => format!(", and {more} more have a foreign one, too"),
    };
    let what = format!("{} has the label {label}{others}", file.display());
    let advice = "with the package pam_twofactor-selinux installed";
    let command = format!("restorecon -R -v {}", quoted(&state.to_string_lossy()));
    Some(Finding::consider(Id::SelinuxLabel, what, advice, command))
}

/// Problems with the label of the module's file: it has to be that of a module of libpam itself.
pub fn of_module(module: &Labelled, of_libpam: &Labelled) -> Option<Finding> {
    let ((file, label), (other, right)) = (module, of_libpam);
    if kind(label) == kind(right) {
        return None;
    }
    let what = format!("{} has the label {label}, and {} has {right}", file.display(), other.display());
    Some(Finding::run(Id::SelinuxLabel, what, format!("restorecon -v {}", quoted(&file.to_string_lossy()))))
}

/// The module missing among the policy modules, as `semodule -l` lists them.
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
        let state = Path::new("/var/lib/twofactor");
        let found = |label: &str| of_labels(state, &[(state.to_owned(), label.to_owned())]).map(|finding| finding.id);
        assert_eq!(found("system_u:object_r:var_auth_t:s0"), None);
        assert_eq!(found("unconfined_u:object_r:pam_twofactor_var_lib_t:s0"), None);
        assert_eq!(found("unconfined_u:object_r:var_lib_t:s0"), Some(Id::SelinuxLabel));
        assert_eq!(found(""), Some(Id::SelinuxLabel));
    }

    #[test]
    fn every_file_of_the_state_counts() {
        let state = Path::new("/var/lib/twofactor");
        let file = |name: &str, kind: &str| (state.join(name), format!("system_u:object_r:{kind}:s0"));
        let (folder, well) = (file("", "pam_twofactor_var_lib_t"), file("registry.db", "pam_twofactor_var_lib_t"));
        let copied = [folder, well, file("users/alice/state", "user_home_t"), file("users/bob", "var_lib_t")];
        assert_eq!(of_labels(state, &copied[..2]), None);
        let found = of_labels(state, &copied).unwrap();
        assert!(found.what.contains("/users/alice/state has the label system_u:object_r:user_home_t:s0, and 1 more"));
        assert_eq!(found.mend.command(), Some("restorecon -R -v /var/lib/twofactor"));
    }

    #[test]
    fn the_module_has_the_label_of_its_neighbours() {
        let file = |name: &str, kind: &str| (PathBuf::from(name), format!("system_u:object_r:{kind}:s0"));
        let of_libpam = file("/lib/security/pam_permit.so", "lib_t");
        assert_eq!(of_module(&file("/lib/security/pam_twofactor.so", "lib_t"), &of_libpam), None);
        let moved = of_module(&file("/lib/security/pam_twofactor.so", "admin_home_t"), &of_libpam).unwrap();
        assert_eq!(moved.mend.command(), Some("restorecon -v /lib/security/pam_twofactor.so"));
    }

    #[test]
    fn the_policy_module_is_known_by_its_whole_name() {
        assert_eq!(of_modules("abrt\npam_twofactor\nzabbix\n"), None);
        assert_eq!(of_modules("pam_twofactor\t1.0\n"), None, "older lists have versions");
        assert!(of_modules("pam_twofactor_local\n").is_some());
    }
}
