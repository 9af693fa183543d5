//! The package stays while a line would stay that names the module: without it nobody could log in, root neither.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use twofactor_tests::debian::debian;
use twofactor_tests::private_host::{Host, said};

use crate::system::{
    assert_same, attempt, contents, done, install, module, password_for_root, root_logs_in, switch_on,
};

const REMOVE: [&str; 2] = ["--remove", "libpam-twofactor"];

/// The removal fails, says `words`, and leaves the package and every file of PAM as they were. Gives what was said.
#[track_caller]
fn it_stays(host: &Host, words: &[&str]) -> String {
    let before = contents(&["/etc/pam.d"]);
    let output = attempt(host, "dpkg", &REMOVE);
    assert!(!output.status.success(), "removed: {}", said(&output));
    let said = said(&output);
    for words in words {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert!(Path::new(&module()).exists(), "it stays");
    assert!(host.succeed("dpkg-query", ["-W", "-f=${Status}", "libpam-twofactor"]).ends_with(" installed"));
    assert_same(&before, &contents(&["/etc/pam.d"]));
    said
}

#[test]
fn while_a_line_was_written_by_hand() {
    debian(|host| {
        install(host);
        let before = contents(&["/etc/pam.d"]);
        let su = "/etc/pam.d/su";
        let text = fs::read_to_string(su).unwrap();
        fs::write(su, format!("auth required pam_twofactor.so nullok\n#auth required pam_twofactor.so\n{text}"))
            .unwrap();
        fs::write("/etc/pam.d/su.dpkg-old", "auth required pam_twofactor.so\n").unwrap();
        host.enroll("root", &[]);
        switch_on(host, "login");
        let said =
            it_stays(host, &["/etc/pam.d/su still runs pam_twofactor.so", "run \"twofactor service disable su\""]);
        assert!(!said.contains("dpkg-old") && !said.contains("login still"), "what does not matter: {said}");
        // The way it points at.
        host.succeed("twofactor", ["service", "disable", "su", "--yes"]);
        done(host, "dpkg", &REMOVE);
        fs::remove_file("/etc/pam.d/su.dpkg-old").unwrap();
        fs::write(su, fs::read_to_string(su).unwrap().replace("#auth required pam_twofactor.so\n", "")).unwrap();
        assert_same(&before, &contents(&["/etc/pam.d"]));
    });
}

#[test]
fn while_the_common_files_name_the_module() {
    debian(|host| {
        password_for_root(host);
        install(host);
        let root = host.enroll("root", &["--counter"]);
        let common = "/etc/pam.d/common-auth";
        let text = fs::read_to_string(common).unwrap();
        fs::write(common, format!("{text}auth required pam_twofactor.so\n")).unwrap();
        it_stays(host, &["common-auth:", "take them out, then remove the package again"]);
        assert!(root_logs_in(host, Some(&root)));
        fs::write(common, text).unwrap();
        done(host, "dpkg", &REMOVE);
        assert!(root_logs_in(host, None));
    });
}

#[test]
fn while_a_service_that_was_switched_on_has_become_a_link() {
    debian(|host| {
        password_for_root(host);
        install(host);
        let root = host.enroll("root", &["--counter"]);
        switch_on(host, "login");
        fs::rename("/etc/pam.d/login", "/etc/login.pam").unwrap();
        symlink("/etc/login.pam", "/etc/pam.d/login").unwrap();
        it_stays(host, &["/etc/pam.d/login is a symbolic link", "cp --remove-destination"]);
        assert!(root_logs_in(host, Some(&root)));
        host.succeed("cp", ["--remove-destination", "/etc/login.pam", "/etc/pam.d/login"]);
        done(host, "apt-get", &["remove", "--yes", "libpam-twofactor"]);
        assert!(!Path::new(&module()).exists());
        assert!(root_logs_in(host, None));
    });
}

#[test]
fn while_a_file_beside_those_of_the_profile_names_the_module_and_the_profile_stays_on() {
    debian(|host| {
        password_for_root(host);
        install(host);
        let root = host.enroll("root", &["--counter"]);
        done(host, "pam-auth-update", &["--enable", "twofactor"]);
        for site in ["/etc/pam.d/common-site", "/usr/lib/pam.d/site", "/usr/etc/pam.d/site"] {
            fs::create_dir_all(Path::new(site).parent().unwrap()).unwrap();
            fs::write(site, "auth required pam_twofactor.so\n").unwrap();
            it_stays(host, &[&format!("{site} still runs pam_twofactor.so"), "by hand"]);
            fs::remove_file(site).unwrap();
        }
        fs::write("/etc/pam.conf", "other auth required pam_twofactor.so\n").unwrap();
        it_stays(host, &["/etc/pam.conf:1:"]);
        fs::remove_file("/etc/pam.conf").unwrap();
        let common = fs::read_to_string("/etc/pam.d/common-auth").unwrap();
        assert!(common.contains("pam_twofactor.so"), "the profile is on: {common}");
        assert!(root_logs_in(host, Some(&root)));
        done(host, "dpkg", &REMOVE);
        assert!(root_logs_in(host, None));
    });
}

#[test]
fn unless_a_broken_configuration_says_where_the_records_are() {
    debian(|host| {
        password_for_root(host);
        install(host);
        let before = contents(&["/etc/pam.d"]);
        host.succeed("install", ["-d", "-m", "0700", "/srv/twofactor", "/srv/twofactor/users"]);
        let paths = "[paths]\nstate = \"/srv/twofactor\"\n";
        host.configure(paths);
        host.succeed("twofactor", ["service", "enable", "login", "--yes", "--force"]);
        host.configure(&format!("{paths}nonsense\n"));
        done(host, "dpkg", &REMOVE);
        assert_same(&before, &contents(&["/etc/pam.d"]));
        assert!(root_logs_in(host, None));
    });
}

#[test]
fn an_sshd_that_needs_our_settings_keeps_them_and_starts() {
    debian(|host| {
        install(host);
        host.enroll("root", &[]);
        switch_on(host, "sshd");
        let mine = "AuthenticationMethods publickey,keyboard-interactive\n";
        fs::write("/etc/ssh/sshd_config.d/mine.conf", mine).unwrap();
        let output = done(host, "dpkg", &REMOVE);
        assert!(output.contains("00-twofactor.conf stays, without it sshd would not start"), "{output}");
        assert!(!Path::new(&module()).exists());
        host.succeed("/usr/sbin/sshd", ["-t"]);
    });
}
