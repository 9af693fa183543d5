//! Packages that stand in for what is not here: the distribution that provides libraries, an older release of ours.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use twofactor_tests::private_host::said;

use super::packages::{Package, Packages, only_file, packages, scratch};

/// What a distribution provides, and what the packages may require of it.
const OF_A_DISTRIBUTION: [&str; 9] = [
    "/bin/sh",
    "ld-linux-x86-64.so.2(",
    "libc.so.6(",
    "libgcc_s.so.1(",
    "libm.so.6(",
    "libpam.so.0(",
    "pam",
    "policycoreutils",
    "rtld(GNU_HASH)",
];

/// Folders that Fedora's packages `filesystem`, `pam` and `selinux-policy` own, and Debian does not have.
const FOLDERS: [&str; 7] = [
    "/usr/lib64/security",
    "/usr/share/fish/vendor_completions.d",
    "/usr/share/licenses",
    "/usr/share/selinux/devel/include/distributed",
    "/usr/share/selinux/packages/targeted",
    "/usr/share/zsh/site-functions",
    "/var/tmp",
];

/// A distribution without SELinux.
pub(crate) fn distribution() -> Option<&'static Package> {
    static BUILT: OnceLock<Package> = OnceLock::new();
    let packages = packages()?;
    Some(BUILT.get_or_init(|| built("distribution", &providing(&required(packages)))))
}

/// A distribution whose policy confines programs.
pub(crate) fn confining_distribution() -> Option<&'static Package> {
    static BUILT: OnceLock<Package> = OnceLock::new();
    let packages = packages()?;
    let provided = required(packages) + "selinux-policy-targeted\n";
    Some(BUILT.get_or_init(|| built("confining-distribution", &providing(&provided))))
}

/// What the packages require of a distribution, a line each. Anything that is not known to be everywhere is a failure.
fn required(packages: &Packages) -> String {
    let all = [&packages.module, &packages.selinux].map(|package| package.query(&["--requires"])).concat();
    let own = ["rpmlib(", "config(pam_twofactor", "(pam_twofactor-selinux ="];
    let of_others = all.lines().filter(|line| !own.iter().any(|start| line.starts_with(start)));
    let mut required = String::new();
    for line in of_others {
        let known =
            OF_A_DISTRIBUTION.iter().any(|name| line == *name || (name.ends_with('(') && line.starts_with(name)));
        assert!(known, "the packages require {line} of a distribution");
        required.push_str(line);
        required.push('\n');
    }
    required
}

fn providing(names: &str) -> String {
    let mut spec = "Name: distribution\nVersion: 1\nRelease: 1\nSummary: Stands in for a distribution\nLicense: MIT\n\
                    AutoReqProv: no\nBuildArch: noarch\n"
        .to_owned();
    for name in names.lines() {
        writeln!(spec, "Provides: {name}").expect("memory");
    }
    spec.push_str("%description\nOnly a test.\n%install\n");
    for folder in FOLDERS {
        writeln!(spec, "mkdir -p %{{buildroot}}{folder}").expect("memory");
    }
    spec.push_str("%files\n");
    for folder in FOLDERS {
        writeln!(spec, "%dir {folder}").expect("memory");
    }
    spec
}

/// An older release of ours, with another configuration.
pub(crate) fn older_release() -> Option<&'static Package> {
    static BUILT: OnceLock<Package> = OnceLock::new();
    packages()?;
    let spec = "Name: pam_twofactor\nVersion: 0.0.1\nRelease: 1\nSummary: An older release\nLicense: MIT\n\
                AutoReqProv: no\n%description\nOnly a test.\n%install\n\
                mkdir -p %{buildroot}/etc/twofactor\n\
                echo '# an older text' >%{buildroot}/etc/twofactor/twofactor.toml\n\
                %files\n%config(noreplace) /etc/twofactor/twofactor.toml\n";
    Some(BUILT.get_or_init(|| built("older", spec)))
}

fn built(name: &str, spec: &str) -> Package {
    let folder = scratch(name);
    let path = folder.join("package.spec");
    fs::write(&path, spec).unwrap();
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.args(["-bb", "--quiet", "--nodeps"]).args(["--define", &format!("_topdir {}", folder.display())]);
    rpmbuild.args(["--define", &format!("_dbpath {}/database", folder.display())]);
    rpmbuild.args(["--define", &format!("_rpmdir {}", folder.display()), "--define", "_rpmfilename package.rpm"]);
    let output = rpmbuild.arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    Package::read(&only_file(&folder, |file| file == "package.rpm"))
}
