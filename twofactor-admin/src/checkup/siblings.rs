//! Services that are two names of one program: `sudo -i` asks the service `sudo-i`. Where one of them runs the module and
//! another does not, the second factor is left out by an option.

use super::catalogue::Id;
use super::finding::Finding;
use super::services::{asks_first_factor, lets_in, runs_ours};
use crate::pam_editing::siblings::FAMILIES;
use twofactor_core::host::shell::quoted;
use twofactor_core::pam_service::Service;

/// The services among `all` that let in with a first factor alone what another service of the same program asks more of.
pub fn of_siblings(all: &[Service]) -> Vec<Finding> {
    let named = |name: &&str| all.iter().find(|service| service.name == **name);
    let of_family = |family: &&[&str]| {
        let services: Vec<&Service> = family.iter().filter_map(named).collect();
        let guarded = services.iter().find(|service| runs_ours(service)).map(|service| service.name.clone())?;
        let open = services.into_iter().filter(|other| !runs_ours(other) && asks_first_factor(other) && lets_in(other));
        Some(open.map(|other| finding(&guarded, &other.name)).collect::<Vec<_>>())
    };
    FAMILIES.iter().filter_map(of_family).flatten().collect()
}

fn finding(guarded: &str, open: &str) -> Finding {
    let what = format!("{guarded} runs the module, and {open} does not");
    Finding::run(Id::SiblingUnguarded, what, format!("twofactor service enable {}", quoted(open)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const WITH: &str = "auth required pam_unix.so\nauth required pam_twofactor.so\n";
    const WITHOUT: &str = "auth required pam_unix.so\n";

    fn found(texts: &[(&str, &str)]) -> Vec<String> {
        let read =
            |(name, text): &(&str, &str)| Service::from_text(name, Path::new("/nonexistent/file"), text, &[]).unwrap();
        let services: Vec<Service> = texts.iter().map(read).collect();
        of_siblings(&services).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_program_with_a_way_past_us_is_found() {
        assert_eq!(found(&[("sudo", WITH), ("sudo-i", WITHOUT)]), ["sudo runs the module, and sudo-i does not"]);
        assert_eq!(found(&[("su", WITHOUT), ("su-l", WITH)]), ["su-l runs the module, and su does not"]);
        let gdm = [("gdm-password", WITH), ("gdm-fingerprint", WITHOUT), ("gdm-smartcard", WITHOUT)];
        assert_eq!(found(&gdm).len(), 2);
    }

    #[test]
    fn where_all_or_none_are_guarded_or_nobody_gets_in_nothing_is_found() {
        assert_eq!(found(&[("sudo", WITH), ("sudo-i", WITH), ("su", WITHOUT), ("su-l", WITHOUT)]), [""; 0]);
        assert_eq!(found(&[("sudo", WITH), ("su", WITHOUT)]), [""; 0], "another program");
        assert_eq!(found(&[("sudo", WITH), ("sudo-i", "auth required pam_deny.so\n")]), [""; 0]);
    }
}
