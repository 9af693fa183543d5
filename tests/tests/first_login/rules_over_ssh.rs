//! The rules where it is not a test that says who comes from where: real sshd, the group database and the clock of the host.

use std::fmt::Write as _;
use std::fs;

use twofactor_tests::moment::Moment;
use twofactor_tests::private_host::{private_host, said};
use twofactor_tests::requirements::stopped_clock_met;
use twofactor_tests::ssh::{Client, Session, Sshd};

use crate::rules::{BROKEN_NSS, off_for, use_groups_of};
use crate::{CODE, STACK, client, configure};

const ASKED: [&str; 2] = ["Password: ", CODE];
const NOT_ASKED: [&str; 1] = ["Password: "];

/// A login of `user` who knows the password and no code, to the loopback address `to`, from which it also comes.
fn from(sshd: &Sshd<'_>, user: &str, to: &str) -> Session {
    let address = format!("HostName={to}");
    let options = [&address as &str, "PreferredAuthentications=keyboard-interactive"];
    let session = sshd.client(&Client { options: &options, ..client(user) });
    assert_eq!(session.opened(), session.prompts == NOT_ASKED, "{session:?}");
    session
}

fn prompts(sshd: &Sshd<'_>, user: &str) -> Vec<String> {
    from(sshd, user, "127.0.0.1").prompts
}

#[test]
fn an_address_is_that_of_the_client_also_over_ipv6_and_mapped_into_it() {
    private_host(|host| {
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "ListenAddress ::\n");
        let table = [
            ("networks = [\"127.0.0.0/8\"]", [false, false, true]),
            ("networks = [\"::ffff:127.0.0.0/104\"]", [false, false, true]),
            ("networks = [\"::1\"]", [true, true, false]),
            ("networks = [\"::/0\"]", [true, true, false]),
            ("networks = [\"10.0.0.0/8\", \"2001:db8::/32\"]", [true, true, true]),
            ("local = true", [true, true, true]),
            ("local = false", [false, false, false]),
        ];
        for (conditions, expected) in table {
            configure(host, &off_for(conditions));
            let asked = ["127.0.0.1", "::ffff:127.0.0.1", "::1"].map(|to| from(&sshd, "alice", to).prompts == ASKED);
            assert_eq!(asked, expected, "{conditions}");
        }
        host.assert_logged(&["skipped user=alice service=sshd rhost=::1 policy=off"]);
    });
}

#[test]
fn of_overlapping_networks_the_first_decides() {
    private_host(|host| {
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let narrow = "[[rule]]\nnetworks = [\"127.0.0.1\"]\nsecond_factor = \"required\"\n";
        let wide = off_for("networks = [\"127.0.0.0/8\"]");
        configure(host, &format!("{narrow}{wide}"));
        assert_eq!(prompts(&sshd, "alice"), ASKED);
        configure(host, &format!("{wide}{narrow}"));
        assert_eq!(prompts(&sshd, "alice"), NOT_ASKED);
    });
}

/// sshd looks names up only where it is told to; what a name server says of an address is nobody's proof.
#[test]
fn the_name_of_a_host_is_in_no_network() {
    private_host(|host| {
        host.add_user("alice");
        let everywhere = off_for("networks = [\"0.0.0.0/0\", \"::/0\"]");
        configure(host, &everywhere);
        let sshd = host.sshd_with(STACK, "UseDNS yes\n");
        assert_eq!(prompts(&sshd, "alice"), ASKED);
        host.assert_logged(&["denied user=alice service=sshd rhost=localhost"]);
        // A name that looks like an address of the network is one of the host's names, too.
        fs::write("/etc/hosts", "127.0.0.1 10.0.0.1.example.org\n").unwrap();
        assert_eq!(prompts(&sshd, "alice"), ASKED);
        host.assert_logged(&["denied user=alice service=sshd rhost=10.0.0.1.example.org"]);
    });
}

#[test]
fn the_last_of_seventy_groups_decides() {
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bobby");
        let mut groups = fs::read_to_string("/etc/group").unwrap();
        for number in 0..70 {
            writeln!(groups, "crew{number}:x:{}:alice", 50_000 + number).unwrap();
        }
        fs::write("/etc/group", groups).unwrap();
        assert_eq!(host.succeed("id", ["--groups", "alice"]).split_whitespace().count(), 71);
        let sshd = host.sshd_with(STACK, "");
        configure(host, &off_for("groups = [\"crew69\"]"));
        assert_eq!(prompts(&sshd, "alice"), NOT_ASKED);
        assert_eq!(prompts(&sshd, "bobby"), ASKED);
        let crew = "[[rule]]\ngroups = [\"crew69\"]\nsecond_factor = \"required\"\n";
        configure(host, &format!("{crew}[default]\nsecond_factor = \"off\"\n"));
        assert_eq!(prompts(&sshd, "alice"), ASKED);
        assert_eq!(prompts(&sshd, "bobby"), NOT_ASKED);
    });
}

#[test]
fn a_group_database_that_fails_asks_for_a_code() {
    private_host(|host| {
        host.add_user("alice");
        host.library("libnss_broken.so.2", BROKEN_NSS);
        let sshd = host.sshd_prepared(STACK, "", |sshd| {
            sshd.env("LD_LIBRARY_PATH", host.place(""));
        });
        let admins = "[[rule]]\ngroups = [\"admins\"]\nsecond_factor = \"required\"\n";
        configure(host, &format!("{admins}[default]\nsecond_factor = \"off\"\n"));
        use_groups_of("files");
        assert_eq!(prompts(&sshd, "alice"), NOT_ASKED);
        use_groups_of("files broken");
        assert_eq!(prompts(&sshd, "alice"), ASKED);
        host.assert_logged(&["error user=alice service=sshd", "reason=store-unavailable", "the user database failed"]);
    });
}

/// A rule that lets everybody in until a day.
fn until(day: &str) -> String {
    format!("[[rule]]\nsecond_factor = \"off\"\nuntil = {day}\n[default]\nsecond_factor = \"off\"\n")
}

#[test]
fn a_rule_ends_at_midnight_utc() {
    if !stopped_clock_met() {
        return;
    }
    private_host(|host| {
        /// 2027-01-31T00:00:00Z, which is not midnight where this host is.
        const MIDNIGHT: Moment = Moment(1_801_353_600);
        host.add_user("alice");
        configure(host, &until("2027-01-31"));
        for (moment, expected) in [(Moment(MIDNIGHT.0 - 1), &NOT_ASKED[..]), (MIDNIGHT, &ASKED[..])] {
            let sshd = host.sshd_prepared(STACK, "", |sshd| {
                moment.govern(sshd);
                sshd.env("TZ", "Pacific/Honolulu");
            });
            assert_eq!(prompts(&sshd, "alice"), expected, "{moment:?}");
        }
    });
}

#[test]
fn a_date_in_the_past_requires_a_code_and_one_that_is_none_refuses_everybody() {
    private_host(|host| {
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        configure(host, &until("2099-01-31"));
        assert_eq!(prompts(&sshd, "alice"), NOT_ASKED);
        configure(host, &until("2020-01-31"));
        assert_eq!(prompts(&sshd, "alice"), ASKED);
        for malformed in ["\"2099-01-31\"", "2099-01-31T12:00:00", "2099-02-30", "soon", "20990131"] {
            configure(host, &until(malformed));
            let session = sshd.client(&client("alice"));
            assert!(!session.opened(), "{malformed}: {}", said(&session.output));
            assert_eq!(session.prompts, NOT_ASKED, "{malformed}: no user is asked for a code");
            host.assert_logged(&["error user=alice service=sshd", "reason=bad-config", "twofactor.toml"]);
        }
    });
}

#[test]
fn only_the_factors_of_the_rule_count() {
    private_host(|host| {
        let _broker = host.broker();
        let alice = host.user_with_fob("alice");
        let sshd = host.sshd_with(STACK, "");
        let opened = |code: &str| sshd.client(&Client { code, ..client("alice") }).opened();
        let only = |factor: &str| {
            configure(host, &format!("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"{factor}\"]\n"));
        };
        let (code, recovery) = (alice.next_code(), &alice.recovery_codes[0]);
        only("token");
        assert!(!opened(&code) && !opened(recovery));
        host.assert_logged(&["denied user=alice service=sshd", "reason=factor-not-allowed"]);
        only("recovery");
        assert!(!opened(&code) && opened(recovery));
        only("app");
        assert!(opened(&code) && !opened(&alice.recovery_codes[1]));
    });
}

#[test]
fn without_resync_at_login_a_near_miss_is_a_wrong_code() {
    private_host(|host| {
        configure(host, "[window]\nresync_at_login = false\n");
        let alice = host.user_with_app("alice");
        let sshd = host.sshd_with(STACK, "");
        let app = &alice.authenticator;
        let session = sshd.client(&Client { code: &app.code(app.lone_step(-18)), ..client("alice") });
        assert!(!session.opened());
        assert_eq!(session.prompts, ASKED);
        host.assert_logged(&["denied user=alice", "reason=wrong-code"]);
        assert_eq!(host.failures("alice"), 1);
    });
}
