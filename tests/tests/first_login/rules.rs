//! The rules, through the module: which of them a login meets. `off` is what they lead to here, because then nobody is
//! asked.

use std::fmt::Write as _;
use std::fs;

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};

use crate::{CODE, STACK, client, clueless, configure, module_alone};

/// A configuration in which whoever meets these conditions is not asked, and everybody else is.
pub(crate) fn off_for(conditions: &str) -> String {
    format!("[[rule]]\n{conditions}\nsecond_factor = \"off\"\n")
}

/// Whether `user` is asked for a code at a service and from a host.
#[track_caller]
fn asked(host: &Host, user: &str, service: Option<&str>, rhost: Option<&str>) -> bool {
    let login = service.map_or_else(|| host.login(user), |service| host.login(user).service(service));
    let login = match rhost {
        Some(rhost) => login.rhost(rhost),
        None => login,
    };
    let outcome = clueless(login);
    match outcome.prompts()[..] {
        [] => {
            assert_eq!(outcome.code(), ReturnCode::PERM_DENIED, "PAM_IGNORE of a module that stands alone");
            false
        }
        [CODE] => true,
        _ => panic!("{outcome:?}"),
    }
}

#[test]
fn users_and_services() {
    private_host(|host| {
        configure(host, &off_for("users = [\"backup-job\", \"alice\"]\nservices = [\"cron\", \"test\"]"));
        host.add_user("alice");
        host.add_user("bob");
        host.service("cron", "auth required pam_twofactor.so\n");
        host.service("vpn", "auth required pam_twofactor.so\n");
        assert!(!asked(host, "alice", None, None));
        assert!(!asked(host, "alice", Some("cron"), None));
        assert!(asked(host, "alice", Some("vpn"), None));
        assert!(asked(host, "bob", Some("cron"), None));
        assert!(asked(host, "nobody-here", Some("cron"), None));
        assert!(asked(host, "ALICE", Some("cron"), None), "no user of that name");
    });
}

#[test]
fn a_user_in_seventy_groups_is_in_the_last_of_them() {
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bob");
        let mut groups = fs::read_to_string("/etc/group").unwrap();
        for number in 0..70 {
            writeln!(groups, "crew{number}:x:{}:alice", 50_000 + number).unwrap();
        }
        groups.push_str("namesake:x:50069:\nempty:x:50070:\n");
        fs::write("/etc/group", groups).unwrap();
        for (group, alice, bob) in
            [("crew69", false, true), ("crew0", false, true), ("namesake", false, true), ("bob", true, false)]
        {
            configure(host, &off_for(&format!("groups = [\"no-such-group\", \"{group}\"]")));
            assert_eq!((asked(host, "alice", None, None), asked(host, "bob", None, None)), (alice, bob), "{group}");
        }
        configure(host, &off_for("groups = [\"empty\"]"));
        assert!(asked(host, "alice", None, None));
        assert!(asked(host, "nobody-here", None, None), "in no group at all");
    });
}

#[test]
fn networks_match_addresses_and_never_names() {
    private_host(|host| {
        configure(host, &off_for("networks = [\"10.0.0.0/8\", \"2001:db8::/32\", \"192.0.2.7\"]"));
        host.add_user("alice");
        let from = |rhost: &str| asked(host, "alice", None, Some(rhost));
        for inside in ["10.1.2.3", "::ffff:10.1.2.3", "::FFFF:0a01:0203", "2001:DB8:0::1", "2001:db8::1", "192.0.2.7"] {
            assert!(!from(inside), "{inside}");
        }
        for outside in ["11.0.0.1", "::ffff:11.0.0.1", "2001:db9::1", "192.0.2.8", "::1"] {
            assert!(from(outside), "{outside}");
        }
        let long = format!("10.{}", "1".repeat(5 * 1024));
        let many = format!("10.0.0.1{}", ".example.org".repeat(430));
        for name in
            ["localhost", "10.example.org", "10.1.2.3.example.org", "10.1.2", "010.1.2.3", "0x0a010203", "10.1.2.3\n"]
        {
            assert!(from(name), "{name:?}");
        }
        assert!(from(&long) && from(&many) && from(""), "nor anything else");
        assert!(asked(host, "alice", None, None), "nor a login from nowhere");
    });
}

#[test]
fn over_ssh_the_network_is_where_the_client_is() {
    private_host(|host| {
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let client = client("alice");
        configure(host, &off_for("networks = [\"127.0.0.0/8\"]\nservices = [\"sshd\"]"));
        let session = sshd.client(&client);
        assert!(session.opened(), "{}", said(&session.output));
        assert_eq!(session.prompts, ["Password: "]);
        host.assert_logged(&["skipped user=alice service=sshd rhost=127.0.0.1 policy=off"]);
        configure(host, &off_for("networks = [\"10.0.0.0/8\"]"));
        assert_eq!(sshd.client(&client).prompts, ["Password: ", CODE]);
        configure(host, &off_for("local = true"));
        assert_eq!(sshd.client(&client).prompts, ["Password: ", CODE]);
    });
}

#[test]
fn of_overlapping_networks_the_first_rule_decides() {
    private_host(|host| {
        host.add_user("alice");
        let narrow = "[[rule]]\nnetworks = [\"10.1.0.0/16\"]\nsecond_factor = \"required\"\n";
        let wide = off_for("networks = [\"10.0.0.0/8\"]");
        let from = |rhost: &str| asked(host, "alice", None, Some(rhost));
        configure(host, &format!("{narrow}{wide}"));
        assert!(from("10.1.2.3") && !from("10.2.2.3"));
        configure(host, &format!("{wide}{narrow}"));
        assert!(!from("10.1.2.3") && !from("10.2.2.3"));
    });
}

#[test]
fn local_is_without_a_remote_host() {
    private_host(|host| {
        host.add_user("alice");
        configure(host, &off_for("local = true"));
        assert!(!asked(host, "alice", None, None) && !asked(host, "alice", None, Some("")));
        assert!(asked(host, "alice", None, Some("192.0.2.7")) && asked(host, "alice", None, Some("localhost")));
        configure(host, &off_for("local = false"));
        assert!(asked(host, "alice", None, None) && asked(host, "alice", None, Some("")));
        assert!(!asked(host, "alice", None, Some("192.0.2.7")) && !asked(host, "alice", None, Some("name")));
    });
}

#[test]
fn only_the_factors_of_the_rule_count() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        host.configure("[[rule]]\nservices = [\"test\"]\nsecond_factor = \"required\"\nfactors = [\"token\"]\n");
        for code in [alice.next_code(), alice.recovery_codes[0].clone()] {
            assert_eq!(host.login("alice").typing(code).code(), ReturnCode::AUTH_ERR);
        }
        let refused = host.module_log().iter().filter(|line| line.contains("reason=factor-not-allowed")).count();
        assert_eq!(refused, 2);
        assert_eq!(host.failures("alice"), 0, "they were no guesses");
        host.configure("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\"]\n");
        assert_eq!(host.login("alice").typing(&alice.recovery_codes[0]).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
        host.configure("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"recovery\"]\n");
        assert_eq!(
            host.login("alice").typing(&alice.recovery_codes[0]).code(),
            ReturnCode::SUCCESS,
            "it was not burned"
        );
    });
}

/// A module of the name service that has lost its server. Groups of `passwd` and `group` files are found before it.
pub(crate) const BROKEN_NSS: &str = r"
#include <nss.h>
#include <grp.h>
#include <errno.h>
#include <stddef.h>
enum nss_status _nss_broken_getgrnam_r(const char *name, struct group *group, char *buffer, size_t size, int *error) {
    *error = EIO; errno = EIO; return NSS_STATUS_UNAVAIL;
}
enum nss_status _nss_broken_getgrgid_r(gid_t gid, struct group *group, char *buffer, size_t size, int *error) {
    *error = EIO; errno = EIO; return NSS_STATUS_UNAVAIL;
}
enum nss_status _nss_broken_initgroups_dyn(const char *user, gid_t group, long int *start, long int *size, gid_t **groups,
                                           long int limit, int *error) {
    *error = EIO; errno = EIO; return NSS_STATUS_UNAVAIL;
}
";

/// Lets the name service find groups there and nowhere else.
pub(crate) fn use_groups_of(sources: &str) {
    let before = fs::read_to_string("/etc/nsswitch.conf").unwrap();
    let others = before.lines().filter(|line| !line.starts_with("group:") && !line.starts_with("initgroups:"));
    let others = others.collect::<Vec<_>>().join("\n");
    fs::write("/etc/nsswitch.conf", format!("{others}\ngroup: {sources}\n")).unwrap();
}

#[test]
fn a_group_database_that_fails_asks_for_a_code() {
    private_host(|host| {
        host.add_user("alice");
        module_alone(host, "nss", "nullok");
        host.library("libnss_broken.so.2", BROKEN_NSS);
        let asked = || {
            let login = host.login("alice").service("nss").after("export LD_LIBRARY_PATH=/run/twofactor-tests");
            let outcome = clueless(login);
            !outcome.prompts().is_empty()
        };
        // Admins are asked, everybody else is not; who is an admin, is only known where nobody answers.
        let admins =
            "[[rule]]\ngroups = [\"admins\"]\nsecond_factor = \"required\"\n[default]\nsecond_factor = \"off\"\n";
        configure(host, admins);
        use_groups_of("files");
        assert!(!asked(), "a group that is nowhere has no members");
        use_groups_of("files broken");
        assert!(asked());
        host.assert_logged(&["error user=alice", "reason=store-unavailable", "the user database failed"]);
        use_groups_of("broken");
        assert!(asked());
        // The group is known, and whether alice is a member only where nobody answers.
        let groups = fs::read_to_string("/etc/group").unwrap();
        fs::write("/etc/group", format!("{groups}admins:x:60000:\n")).unwrap();
        use_groups_of("files");
        assert!(!asked(), "she is none");
        use_groups_of("files broken");
        assert!(asked());
        // Where no rule asks about groups, they are not looked up.
        configure(host, "[default]\nsecond_factor = \"off\"\n");
        assert!(!asked());
    });
}
