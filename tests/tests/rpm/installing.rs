//! The packages come and go: what rpm puts there and takes away, and that nobody is locked out on the way.

use std::fs;
use std::process::Command;

use serde_json::Value;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::pam::{ReturnCode, SERVICE};
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::requirements;

use super::packages::{Package, next_packages, packages};
use super::root::{INSIDE, Root, in_a_root};
use super::stand_ins::{confining_distribution, distribution, older_release};

const CONFIGURATION: &str = "/etc/twofactor/twofactor.toml";
const MODULE: &str = "/usr/lib64/security/pam_twofactor.so";

/// A PAM service in the root that names the module.
fn name_the_module(root: &Root<'_>, service: &str) {
    fs::write(
        root.path(&format!("/etc/pam.d/{service}")),
        "auth required pam_unix.so\nauth required pam_twofactor.so\n",
    )
    .unwrap();
}

/// Every PAM service with its text.
fn services(root: &Root<'_>) -> String {
    let output = root.command("sh").args(["-c", "cd /etc/pam.d && grep -r '' . | sort"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn assert_installed(root: &Root<'_>) {
    root.succeed(&["--query", "pam_twofactor"]);
    assert_eq!(root.rpm(&["--verify", "pam_twofactor"]).stdout, b"", "rpm -V finds every file as it was packed");
    assert!(root.has(MODULE));
}

fn with_the_module(test: impl FnOnce(&Host, &Root<'_>, &Package) + Send) {
    let (Some(packages), Some(distribution)) = (packages(), distribution()) else { return };
    in_a_root(|host, root| {
        root.install(&[distribution]);
        root.install(&[&packages.module]);
        test(host, root, &packages.module);
    });
}

#[test]
fn an_installed_module_is_as_it_was_packed_and_no_service_has_changed() {
    let (Some(packages), Some(distribution)) = (packages(), distribution()) else { return };
    in_a_root(|_, root| {
        let before = services(root);
        root.install(&[distribution]);
        root.install(&[&packages.module]);
        assert_installed(root);
        assert_eq!(services(root), before);
        // rpm -V would have said so if it were not: a file that is not as packed is found.
        fs::write(root.path(CONFIGURATION), "# changed\n").unwrap();
        let verified = root.rpm(&["--verify", "pam_twofactor"]);
        assert!(String::from_utf8_lossy(&verified.stdout).contains(CONFIGURATION), "{}", said(&verified));
    });
}

#[test]
fn what_was_installed_enrolls_a_user_and_lets_him_in_once_with_a_code() {
    with_the_module(|host, root, _| {
        host.add_user("alice");
        let shown = root.command("twofactor").args(["--json", "enroll", "alice", "--no-confirm"]).output().unwrap();
        assert!(shown.status.success(), "{}", said(&shown));
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let app = Authenticator::from_uri(shown["uri"].as_str().expect("a URI"));
        host.service(SERVICE, &format!("auth required {MODULE}\naccount required pam_permit.so\n"));
        app.within_one_step(|| {
            let login = || host.login("alice").after(INSIDE);
            assert_eq!(login().typing(app.wrong_codes().next().unwrap()).code(), ReturnCode::AUTH_ERR);
            let code = app.code(0);
            assert_eq!(login().typing(&code).code(), ReturnCode::SUCCESS);
            assert_eq!(login().typing(&code).code(), ReturnCode::AUTH_ERR, "the same code again");
        });
        assert!(root.has("/var/lib/twofactor/users/alice/secret.toml"), "the state is that of the root");
    });
}

#[test]
fn erased_without_use_it_leaves_nothing() {
    let (Some(packages), Some(distribution)) = (packages(), distribution()) else { return };
    in_a_root(|_, root| {
        root.install(&[distribution]);
        let before = root.files();
        root.install(&[&packages.module]);
        assert_ne!(root.files(), before);
        root.succeed(&["--erase", "pam_twofactor"]);
        let after = root.files();
        assert_eq!(after.symmetric_difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
    });
}

#[test]
fn erased_after_use_it_leaves_the_changed_configuration_and_the_secrets() {
    let (Some(packages), Some(distribution)) = (packages(), distribution()) else { return };
    in_a_root(|host, root| {
        host.add_user("alice");
        root.install(&[distribution]);
        let before = root.files();
        root.install(&[&packages.module]);
        let shown = root.command("twofactor").args(["enroll", "alice", "--no-confirm"]).output().unwrap();
        assert!(shown.status.success(), "{}", said(&shown));
        fs::write(root.path(CONFIGURATION), "[default]\nsecond_factor = \"optional\"\n").unwrap();
        root.succeed(&["--erase", "pam_twofactor"]);
        let after = root.files();
        let left: Vec<&str> = after.difference(&before).map(String::as_str).collect();
        assert_eq!(
            left,
            [
                "/etc/twofactor",
                "/etc/twofactor/state.id",
                "/etc/twofactor/twofactor.toml.rpmsave",
                "/var/lib/twofactor",
                "/var/lib/twofactor/state.id",
                "/var/lib/twofactor/users",
                "/var/lib/twofactor/users/.id",
                "/var/lib/twofactor/users/alice",
                "/var/lib/twofactor/users/alice/secret.toml",
                "/var/lib/twofactor/users/alice/state",
            ]
        );
    });
}

#[test]
fn it_is_not_erased_while_a_service_names_the_module() {
    with_the_module(|_, root, _| {
        name_the_module(root, "sshd");
        let refused = root.rpm(&["--erase", "pam_twofactor"]);
        assert!(!refused.status.success(), "erased: {}", said(&refused));
        let said = said(&refused);
        for words in [
            "  /etc/pam.d/sshd:2:auth required pam_twofactor.so\n",
            "pam_twofactor: hint: run \"twofactor service disable --all\"",
        ] {
            assert!(said.contains(words), "{words:?} is not in\n{said}");
        }
        assert_installed(root);
        // SUSE has libpam look there too.
        let elsewhere = root.path("/usr/etc/pam.d/odd");
        fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
        fs::copy(root.path("/etc/pam.d/sshd"), &elsewhere).unwrap();
        fs::remove_file(root.path("/etc/pam.d/sshd")).unwrap();
        let refused = root.rpm(&["--erase", "pam_twofactor"]);
        assert!(!refused.status.success(), "erased although /usr/etc/pam.d names it");
        fs::remove_file(elsewhere).unwrap();
        // A comment is no use of it, and nobody reads the copies of rpm and of editors.
        fs::write(root.path("/etc/pam.d/sshd"), "# auth required pam_twofactor.so\nauth required pam_unix.so\n")
            .unwrap();
        for copy in ["sshd.rpmsave", "sshd.rpmnew", "sshd~"] {
            name_the_module(root, copy);
        }
        root.succeed(&["--erase", "pam_twofactor"]);
        assert!(!root.has(MODULE));
    });
}

/// The way the refusal points at.
#[test]
fn what_service_enable_did_is_taken_back_and_then_it_is_erased() {
    with_the_module(|_, root, _| {
        // Where libpam's own modules lie. On Fedora that is the folder it was installed to.
        let beside_them = "for file in /usr/lib/*/security/pam_permit.so; do ln -s \"$0\" \"${file%/*}/\"; done";
        let linked = root.command("sh").args(["-c", beside_them, MODULE]).status().unwrap();
        assert!(linked.success());
        let before = services(root);
        let enabled =
            root.command("twofactor").args(["service", "enable", "sshd", "--yes", "--force"]).output().unwrap();
        assert!(enabled.status.success(), "{}", said(&enabled));
        let refused = root.rpm(&["--erase", "pam_twofactor"]);
        assert!(!refused.status.success() && said(&refused).contains("/etc/pam.d/sshd:"), "{}", said(&refused));
        let disabled = root.command("twofactor").args(["service", "disable", "--all", "--yes"]).output().unwrap();
        assert!(disabled.status.success(), "{}", said(&disabled));
        assert_eq!(services(root), before);
        root.succeed(&["--erase", "pam_twofactor"]);
        assert!(!root.has(MODULE));
    });
}

#[test]
fn it_is_not_erased_while_the_one_old_file_of_pam_names_the_module() {
    with_the_module(|_, root, _| {
        fs::write(root.path("/etc/pam.conf"), "sshd auth required pam_twofactor.so\n").unwrap();
        let refused = root.rpm(&["--erase", "pam_twofactor"]);
        assert!(!refused.status.success() && said(&refused).contains("/etc/pam.conf:1:"), "{}", said(&refused));
        assert_installed(root);
    });
}

#[test]
fn an_upgrade_goes_through_while_services_use_the_module() {
    let Some(next) = next_packages() else { return };
    with_the_module(|_, root, _| {
        name_the_module(root, "sshd");
        let before = services(root);
        root.install(&[&next.module]);
        assert_installed(root);
        let release = root.succeed(&["--query", "--queryformat", "%{RELEASE}", "pam_twofactor"]);
        assert!(release.contains('2'), "{release}");
        assert_eq!(services(root), before);
    });
}

#[test]
fn an_upgrade_keeps_the_configuration_that_was_changed() {
    let (Some(packages), Some(distribution), Some(older)) = (packages(), distribution(), older_release()) else {
        return;
    };
    in_a_root(|_, root| {
        root.install(&[distribution]);
        root.install(&[older]);
        let mine = "[default]\nsecond_factor = \"optional\"\n";
        fs::write(root.path(CONFIGURATION), mine).unwrap();
        let output = root.transaction(&[&packages.module]);
        assert!(output.status.success() && said(&output).contains("twofactor.toml.rpmnew"), "{}", said(&output));
        assert_eq!(fs::read_to_string(root.path(CONFIGURATION)).unwrap(), mine);
        let shipped = fs::read_to_string(root.path("/etc/twofactor/twofactor.toml.rpmnew")).unwrap();
        assert!(shipped.contains("second_factor"), "{shipped}");
    });
}

/// The policy of this host, packed up before a private host hides it.
fn policy() -> Option<Vec<u8>> {
    if !requirements::met()
        || !requirements::programs_met(&["semodule"])
        || !requirements::package_met("selinux-policy-default", "/var/lib/selinux/default")
    {
        return None;
    }
    let tar = Command::new("tar")
        .args(["--create", "--directory=/", "var/lib/selinux/default", "etc/selinux/default"])
        .output()
        .unwrap();
    assert!(tar.status.success(), "{}", said(&tar));
    Some(tar.stdout)
}

/// Gives the root Debian's policy under the name of Fedora's.
fn give_policy(host: &Host, root: &Root<'_>, policy: &[u8]) {
    let archive = host.place("policy.tar");
    fs::write(&archive, policy).unwrap();
    let _ = fs::remove_dir_all(root.path("/etc/selinux/default"));
    host.succeed(
        "tar",
        ["--extract", "--directory", root.path("/").to_str().unwrap(), "--file", archive.to_str().unwrap()],
    );
    for folder in ["/var/lib/selinux", "/etc/selinux"] {
        fs::rename(root.path(folder).join("default"), root.path(folder).join("targeted")).unwrap();
    }
}

fn policy_modules(root: &Root<'_>) -> String {
    let listed = root.command("semodule").args(["-s", "targeted", "--list-modules=full"]).output().unwrap();
    assert!(listed.status.success(), "{}", said(&listed));
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().filter(|line| line.contains("twofactor")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_policy_package_puts_its_module_into_the_policy_and_takes_it_out() {
    let (Some(packages), Some(distribution)) = (packages(), confining_distribution()) else { return };
    let Some(policy) = policy() else { return };
    in_a_root(|host, root| {
        give_policy(host, root, &policy);
        root.install(&[distribution]);
        let refused = root.transaction(&[&packages.module]);
        assert!(!refused.status.success(), "the module alone, where a policy confines sshd");
        assert!(said(&refused).contains("pam_twofactor-selinux"), "{}", said(&refused));
        let output = root.transaction(&[&packages.module, &packages.selinux]);
        assert!(output.status.success() && !said(&output).contains("scriptlet failed"), "{}", said(&output));
        assert_eq!(policy_modules(root).split_whitespace().collect::<Vec<_>>(), ["200", "pam_twofactor", "pp"]);
        let contexts = fs::read_to_string(root.path("/etc/selinux/targeted/contexts/files/file_contexts")).unwrap();
        assert!(contexts.contains("/var/lib/twofactor(/.*)?\tsystem_u:object_r:pam_twofactor_var_lib_t:s0"));
        root.succeed(&["--erase", "pam_twofactor", "pam_twofactor-selinux"]);
        assert_eq!(policy_modules(root), "");
    });
}

#[test]
fn without_a_policy_the_policy_package_does_no_harm() {
    let (Some(packages), Some(distribution)) = (packages(), distribution()) else { return };
    in_a_root(|_, root| {
        root.install(&[distribution]);
        root.install(&[&packages.module, &packages.selinux]);
        root.succeed(&["--verify", "pam_twofactor-selinux"]);
        root.succeed(&["--erase", "pam_twofactor", "pam_twofactor-selinux"]);
    });
}
