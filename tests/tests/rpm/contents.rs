//! What is in the packages: files with their modes, scriptlets, requirements.

use std::process::Command;

use twofactor_tests::artifacts::workspace;
use twofactor_tests::private_host::said;

use super::packages::packages;

const MODULE: &str = "\
drwxr-xr-x root:root /etc/fail2ban
drwxr-xr-x root:root /etc/fail2ban/filter.d
-rw-r--r-- root:root /etc/fail2ban/filter.d/twofactor.conf cn
drwxr-xr-x root:root /etc/twofactor
-rw-r--r-- root:root /etc/twofactor/twofactor.toml cn
-rw-r--r-- root:root /usr/lib/systemd/system/twofactord.service
-rw-r--r-- root:root /usr/lib/systemd/system/twofactord.socket
-rw-r--r-- root:root /usr/lib/tmpfiles.d/twofactor.conf
-rw-r--r-- root:root /usr/lib64/security/pam_twofactor.so
-rwxr-xr-x root:root /usr/sbin/twofactor
-rwxr-xr-x root:root /usr/sbin/twofactord
-rw-r--r-- root:root /usr/share/bash-completion/completions/twofactor
drwxr-xr-x root:root /usr/share/doc/pam_twofactor
-rw-r--r-- root:root /usr/share/fish/vendor_completions.d/twofactor.fish
drwxr-xr-x root:root /usr/share/licenses/pam_twofactor-VERSION
-rw-r--r-- root:root /usr/share/licenses/pam_twofactor-VERSION/LICENSE-APACHE l
-rw-r--r-- root:root /usr/share/licenses/pam_twofactor-VERSION/LICENSE-MIT l
-rw-r--r-- root:root /usr/share/licenses/pam_twofactor-VERSION/THIRD-PARTY-LICENSES l
-rw-r--r-- root:root /usr/share/man/man5/twofactor.toml.5.gz d
-rw-r--r-- root:root /usr/share/man/man8/pam_twofactor.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-backup.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-doctor.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-enroll.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-fleet.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-import.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-log.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-self.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-service.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-ssh-key.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-state.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor-token.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactor.8.gz d
-rw-r--r-- root:root /usr/share/man/man8/twofactord.8.gz d
-rw-r--r-- root:root /usr/share/zsh/site-functions/_twofactor
drwx------ root:root /var/lib/twofactor
";

const SELINUX: &str = "\
drwxr-xr-x root:root /usr/share/licenses/pam_twofactor-selinux-VERSION
-rw-r--r-- root:root /usr/share/licenses/pam_twofactor-selinux-VERSION/LICENSE-APACHE l
-rw-r--r-- root:root /usr/share/licenses/pam_twofactor-selinux-VERSION/LICENSE-MIT l
-rw-r--r-- root:root /usr/share/selinux/devel/include/distributed/pam_twofactor.if
-rw-r--r-- root:root /usr/share/selinux/packages/targeted/pam_twofactor.pp.bz2
";

const LINK: &str = "\
-rw-r--r-- root:root /usr/lib/systemd/system/twofactor-link-renew.service
-rw-r--r-- root:root /usr/lib/systemd/system/twofactor-link-renew.timer
-rw-r--r-- root:root /usr/lib/systemd/system/twofactor-link.service
-rw-r--r-- root:root /usr/lib/systemd/system/twofactor-link.socket
-rwxr-xr-x root:root /usr/sbin/twofactor-link
drwxr-xr-x root:root /usr/share/licenses/twofactor-link-VERSION
-rw-r--r-- root:root /usr/share/licenses/twofactor-link-VERSION/LICENSE-APACHE l
-rw-r--r-- root:root /usr/share/licenses/twofactor-link-VERSION/LICENSE-MIT l
-rw-r--r-- root:root /usr/share/licenses/twofactor-link-VERSION/THIRD-PARTY-LICENSES l
-rw-r--r-- root:root /usr/share/man/man8/twofactor-link.8.gz d
";

const SERVER: &str = "\
-rw-r--r-- root:root /usr/lib/systemd/system/twofactor-server.service
-rw-r--r-- root:root /usr/lib/sysusers.d/twofactor-server.conf
-rwxr-xr-x root:root /usr/sbin/twofactor-server
drwxr-xr-x root:root /usr/share/licenses/twofactor-server-VERSION
-rw-r--r-- root:root /usr/share/licenses/twofactor-server-VERSION/LICENSE-APACHE l
-rw-r--r-- root:root /usr/share/licenses/twofactor-server-VERSION/LICENSE-MIT l
-rw-r--r-- root:root /usr/share/licenses/twofactor-server-VERSION/THIRD-PARTY-LICENSES l
-rw-r--r-- root:root /usr/share/man/man8/twofactor-server.8.gz d
";

const DOCUMENTS: &str = "/usr/share/doc/pam_twofactor/";

fn of_this_version(files: &str) -> String {
    files.replace("VERSION", &env!("CARGO_PKG_VERSION").replace('-', "~"))
}

#[test]
fn the_packages_hold_these_files_with_these_modes_and_nothing_else() {
    let Some(packages) = packages() else { return };
    let files = packages.module.files();
    let (documents, programs): (Vec<&str>, Vec<&str>) = files.lines().partition(|line| line.contains(DOCUMENTS));
    assert_eq!(programs.join("\n") + "\n", of_this_version(MODULE));
    assert_eq!(packages.selinux.files(), of_this_version(SELINUX));
    assert_eq!(packages.link.files(), of_this_version(LINK));
    assert_eq!(packages.server.files(), of_this_version(SERVER));
    for line in &documents {
        assert!(line.starts_with("-rw-r--r-- root:root") || line.starts_with("drwxr-xr-x root:root"), "{line}");
    }
    for name in [
        "README.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "authselect.md",
        "docs/guide/ssh.md",
        "docs/security/failures.md",
        "docs/json.md",
        "docs/schemas/status.json",
        "examples/pam.d/sshd.example",
        "examples/systemd/system/twofactor-backup.service",
        "examples/systemd/system/twofactor-backup.timer",
    ] {
        let line = format!("-rw-r--r-- root:root {DOCUMENTS}{name} d");
        assert!(documents.contains(&line.as_str()), "{line} is not in {documents:?}");
    }
}

#[test]
fn no_scriptlet_changes_a_pam_service() {
    let Some(packages) = packages() else { return };
    for package in [&packages.module, &packages.selinux] {
        for line in package.query(&["--scripts"]).lines().filter(|line| line.contains("pam.d")) {
            assert_eq!(line.trim(), "for file in /etc/pam.conf /etc/pam.d/* /usr/lib/pam.d/* /usr/etc/pam.d/*; do");
        }
        let scripts = package.query(&["--scripts"]);
        for word in ["authselect", "sed -i", "systemctl", "mv ", "cp "] {
            assert!(!scripts.contains(word), "{word} in\n{scripts}");
        }
    }
    let sections = packages.module.query(&["--scripts"]);
    let sections = sections.lines().filter(|line| line.contains("scriptlet (using"));
    let expected = ["postinstall scriptlet (using /bin/sh):", "preuninstall scriptlet (using /bin/sh):"];
    assert_eq!(sections.collect::<Vec<_>>(), expected);
    // After an installation the state that is there is named, what an older version kept elsewhere is moved, and nothing
    // else happens.
    let installed = scripts_of(&packages.module.query(&["--scripts"]), "postinstall");
    assert_eq!(installed, ["twofactor --quiet state mark || :", "twofactor --quiet migrate || :"]);
}

/// The commands of one scriptlet.
fn scripts_of(scripts: &str, section: &str) -> Vec<String> {
    let lines = scripts.lines().skip_while(|line| !line.starts_with(section)).skip(1);
    let lines = lines.take_while(|line| !line.contains("scriptlet (using"));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn rpmlint_finds_nothing_that_is_not_explained() {
    let Some(packages) = packages() else { return };
    let packaging = workspace().join("packaging/rpm");
    let mut rpmlint = Command::new("rpmlint");
    // It makes an empty database of rpms there.
    rpmlint.env("HOME", env!("CARGO_TARGET_TMPDIR"));
    rpmlint.arg("--config").arg(packaging.join("rpmlint.toml"));
    rpmlint.args([&packages.module.path, &packages.selinux.path, &packages.link.path, &packages.server.path]);
    rpmlint.arg(packaging.join("pam_twofactor.spec"));
    let output = rpmlint.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && report.contains(" 0 errors, 0 warnings"), "{}", said(&output));
}

/// What a Fedora of 2022 or later has: glibc 2.35. Whoever raises it leaves distributions behind and says so in
/// packaging/README.md.
#[test]
fn the_programs_run_on_the_oldest_distribution_that_is_promised() {
    let Some(packages) = packages() else { return };
    for package in [&packages.module, &packages.link, &packages.server] {
        let required = package.query(&["--requires"]);
        let versions = required.split("GLIBC_2.").skip(1).filter_map(|rest| rest.split([')', '.']).next());
        let newest = versions.map(|minor| minor.parse::<u32>().unwrap()).max().expect("a version of glibc");
        assert!(newest <= 35, "{required}");
    }
    let readme = std::fs::read_to_string(workspace().join("packaging/README.md")).unwrap();
    assert!(readme.contains("glibc 2.35"), "packaging/README.md says what the packages need");
}

#[test]
fn where_selinux_confines_programs_the_policy_comes_along() {
    let Some(packages) = packages() else { return };
    let version = format!("{}-1", env!("CARGO_PKG_VERSION").replace('-', "~"));
    let line = format!("(pam_twofactor-selinux = {version} if selinux-policy-targeted)");
    assert!(packages.module.query(&["--requires"]).lines().any(|required| required == line));
}

/// Fedora's macros are not here, so others stand in for them: the spec has both ways and takes the right one.
#[test]
fn on_fedora_the_spec_uses_fedoras_macros() {
    if packages().is_none() {
        return;
    }
    let expanded = |defines: &[&str]| {
        let mut rpmspec = Command::new("rpmspec");
        rpmspec.arg("--parse").args(defines.iter().flat_map(|define| ["--define", define]));
        let output = rpmspec.arg(workspace().join("packaging/rpm/pam_twofactor.spec")).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let fedora = expanded(&[
        "fedora 40",
        "selinux_requires Requires: selinux-policy",
        "selinux_relabel_pre(s:) relabel-before",
        "selinux_modules_install(s:p:) install-module %{-s*} %1",
        "selinux_modules_uninstall(s:p:) uninstall-module %{-s*} %1",
        "selinux_relabel_post(s:) relabel-after",
    ]);
    for line in [
        "install-module targeted /usr/share/selinux/packages/targeted/pam_twofactor.pp.bz2",
        "    uninstall-module targeted pam_twofactor",
        "relabel-before",
        "relabel-after",
        "BuildRequires:  selinux-policy-devel",
    ] {
        assert!(fedora.lines().any(|found| found == line), "{line} is not in\n{fedora}");
    }
    assert!(!fedora.contains("semodule -n"), "the other way is not there");
    assert!(expanded(&[]).contains("semodule -n"));
}

#[test]
fn the_spec_has_the_version_of_the_project() {
    let spec = std::fs::read_to_string(workspace().join("packaging/rpm/pam_twofactor.spec")).unwrap();
    let version = spec.lines().find_map(|line| line.strip_prefix("Version:")).expect("a version").trim();
    assert_eq!(version, env!("CARGO_PKG_VERSION").replace('-', "~"));
}
