//! The packages of a fleet's link and server, beside the one that both need.

use std::fs;
use std::path::Path;

use twofactor_tests::debian::{OF_A_FLEET, PACKAGE, debian};

use crate::system::{attempt, contents, done};

const FILES: [&str; 9] = [
    "/usr/sbin/twofactor-link",
    "/usr/sbin/twofactor-server",
    "/usr/lib/systemd/system/twofactor-link.service",
    "/usr/lib/systemd/system/twofactor-link.socket",
    "/usr/lib/systemd/system/twofactor-link-renew.service",
    "/usr/lib/systemd/system/twofactor-link-renew.timer",
    "/usr/lib/systemd/system/twofactor-server.service",
    "/usr/share/man/man8/twofactor-link.8.gz",
    "/usr/share/man/man8/twofactor-server.8.gz",
];

#[test]
fn link_and_server_come_with_the_module_start_nothing_and_go_without_a_trace() {
    debian(|host| {
        let [link, server] = OF_A_FLEET;
        let alone = attempt(host, "dpkg", &["--install", link]);
        assert!(!alone.status.success(), "without the module it is of no use");
        done(host, "dpkg", &["--purge", "twofactor-link"]);
        done(host, "dpkg", &["--install", PACKAGE, link, server]);
        for file in FILES {
            assert!(Path::new(file).exists(), "{file}");
        }
        let user = host.succeed("getent", ["passwd", "twofactor-server"]);
        assert!(user.trim_end().ends_with("nologin"), "{user}");
        let wants = contents(&["/etc/systemd/system"]).into_keys().filter(|path| path.contains("twofactor")).count();
        assert_eq!(wants, 0, "nothing is enabled");
        for program in ["twofactor-link", "twofactor-server"] {
            let version = host.succeed(program, ["--version"]);
            assert!(version.starts_with(program), "{version}");
            let unit = fs::read_to_string(format!("/usr/lib/systemd/system/{program}.service")).unwrap();
            assert!(unit.contains(&format!("ExecStart=/usr/sbin/{program}")), "{unit}");
        }

        done(host, "dpkg", &["--purge", "twofactor-link", "twofactor-server"]);
        for file in FILES {
            assert!(!Path::new(file).exists(), "{file}");
        }
        host.succeed("twofactor", ["--version"]);
    });
}
