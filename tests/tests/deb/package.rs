//! What is in the package, and what `make install` and `make uninstall` do without one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use twofactor_tests::artifacts::{debian_package, debian_packages, workspace};
use twofactor_tests::checkout::files_below;
use twofactor_tests::documents;
use twofactor_tests::private_host::said;
use twofactor_tests::requirements::programs_met;

/// Everything `make install` puts below a folder, with its mode.
const INSTALLED: &[(&str, u32)] = &[
    ("PREFIX/lib/tmpfiles.d/twofactor.conf", 0o644),
    ("PREFIX/lib/systemd/system/twofactord.service", 0o644),
    ("PREFIX/lib/systemd/system/twofactord.socket", 0o644),
    ("PREFIX/sbin/twofactor", 0o755),
    ("PREFIX/sbin/twofactord", 0o755),
    ("PREFIX/share/bash-completion/completions/twofactor", 0o644),
    ("PREFIX/share/doc/twofactor/CHANGELOG.md", 0o644),
    ("PREFIX/share/doc/twofactor/README.md", 0o644),
    ("PREFIX/share/doc/twofactor/SECURITY.md", 0o644),
    ("PREFIX/share/doc/twofactor/docs/json.md", 0o644),
    ("PREFIX/share/doc/twofactor/examples/fail2ban/jail.d/twofactor.conf", 0o644),
    ("PREFIX/share/doc/twofactor/examples/pam.d/login.example", 0o644),
    ("PREFIX/share/doc/twofactor/examples/pam.d/sshd-key-and-code.example", 0o644),
    ("PREFIX/share/doc/twofactor/examples/pam.d/sshd.example", 0o644),
    ("PREFIX/share/doc/twofactor/examples/pam.d/su.example", 0o644),
    ("PREFIX/share/doc/twofactor/examples/pam.d/sudo.example", 0o644),
    ("PREFIX/share/doc/twofactor/examples/pam.d/xrdp-sesman.example", 0o644),
    ("PREFIX/share/doc/twofactor/examples/ssh/sshd_config.d/twofactor.conf", 0o644),
    ("PREFIX/share/doc/twofactor/examples/systemd/system/twofactor-backup.service", 0o644),
    ("PREFIX/share/doc/twofactor/examples/systemd/system/twofactor-backup.timer", 0o644),
    ("PREFIX/share/fish/vendor_completions.d/twofactor.fish", 0o644),
    ("PREFIX/share/man/man5/twofactor.toml.5", 0o644),
    ("PREFIX/share/man/man8/pam_twofactor.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-backup.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-doctor.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-enroll.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-fleet.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-import.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-log.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-self.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-service.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-ssh-key.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-state.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-token.8", 0o644),
    ("PREFIX/share/man/man8/twofactor.8", 0o644),
    ("PREFIX/share/man/man8/twofactord.8", 0o644),
    ("PREFIX/share/zsh/site-functions/_twofactor", 0o644),
    ("etc/fail2ban/filter.d/twofactor.conf", 0o644),
    ("etc/twofactor/twofactor.toml", 0o644),
    ("lib/security/pam_twofactor.so", 0o644),
    ("var/lib/twofactor/", 0o700),
];

/// The same of `make install-link` and `make install-server`.
const OF_A_FLEET: &[(&str, u32)] = &[
    ("PREFIX/lib/systemd/system/twofactor-link-renew.service", 0o644),
    ("PREFIX/lib/systemd/system/twofactor-link-renew.timer", 0o644),
    ("PREFIX/lib/systemd/system/twofactor-link.service", 0o644),
    ("PREFIX/lib/systemd/system/twofactor-link.socket", 0o644),
    ("PREFIX/lib/systemd/system/twofactor-server.service", 0o644),
    ("PREFIX/lib/sysusers.d/twofactor-server.conf", 0o644),
    ("PREFIX/sbin/twofactor-link", 0o755),
    ("PREFIX/sbin/twofactor-server", 0o755),
    ("PREFIX/share/man/man8/twofactor-link.8", 0o644),
    ("PREFIX/share/man/man8/twofactor-server.8", 0o644),
];

/// The same with the pages of the guide and those about security, the schemas and the pictures.
fn installed() -> Vec<(String, u32)> {
    let folders = [("docs/guide", "md"), ("docs/security", "md"), ("docs/schemas", "json"), ("docs/pictures", "svg")];
    let files = folders.iter().flat_map(|(folder, kind)| files_below(&workspace().join(folder), kind));
    let pages: Vec<String> = files
        .map(|file| format!("PREFIX/share/doc/twofactor/{}", file.strip_prefix(workspace()).unwrap().display()))
        .collect();
    assert!(pages.len() > 10, "{pages:?}");
    INSTALLED
        .iter()
        .map(|(path, mode)| ((*path).to_owned(), *mode))
        .chain(pages.into_iter().map(|page| (page, 0o644)))
        .collect()
}

/// The links of the documents below a folder that lead nowhere.
fn broken_links(folder: &Path) -> Vec<String> {
    let pages = files_below(folder, "md");
    assert!(pages.len() > 10, "{pages:?}");
    let broken_in = |page: PathBuf| {
        let links = documents::Parts::of(&documents::read(&page)).links();
        let paths = links.into_iter().filter(|link| !link.contains("://") && !link.starts_with('#'));
        let lead_nowhere = |link: &String| {
            let path = link.split('#').next().unwrap();
            !page.parent().unwrap().join(path).exists()
        };
        let broken: Vec<String> = paths.filter(lead_nowhere).collect();
        broken.into_iter().map(move |link| format!("{}: {link}", page.display()))
    };
    pages.into_iter().flat_map(broken_in).collect()
}

/// Where the package puts the same things.
fn in_the_package(path: &str) -> String {
    let path = path.replace("PREFIX/", "usr/").replace("share/doc/twofactor/", "share/doc/libpam-twofactor/");
    path.replace("site-functions", "vendor-completions")
        .replace("lib/security/", &format!("usr/lib/{}-linux-gnu/security/", std::env::consts::ARCH))
}

fn built() -> bool {
    programs_met(&["dpkg-buildpackage", "dh", "lintian", "make"])
}

fn make(target: &str, folder: &Path) -> Output {
    let mut command = Command::new("make");
    command.args(["--no-print-directory", target, "PREFIX=/opt/twofactor", "PAMDIR=/lib/security"]);
    command.arg(format!("DESTDIR={}", folder.display())).current_dir(workspace());
    command.output().unwrap()
}

/// Files, and folders that only root may enter, with their modes.
fn listing(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(here) = waiting.pop() {
        for entry in fs::read_dir(&here).unwrap().flatten() {
            let (path, mode) = (entry.path(), entry.metadata().unwrap().permissions().mode() & 0o7777);
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                if mode != 0o755 {
                    found.insert(format!("{name}/"), mode);
                }
                waiting.push(path);
            } else {
                found.insert(name, mode);
            }
        }
    }
    found
}

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = workspace().join("target/tmp").join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn make_install_puts_everything_below_the_folder_it_is_told_and_uninstall_takes_it_away() {
    if !built() {
        return;
    }
    debian_package();
    let folder = folder("make-install");
    let of_a_fleet = folder.with_extension("fleet");
    for (target, folder) in [("install", &folder), ("install-link", &of_a_fleet), ("install-server", &of_a_fleet)] {
        let output = make(target, folder);
        assert!(output.status.success(), "{}", said(&output));
    }
    let expected = OF_A_FLEET.iter().map(|(path, mode)| (path.replace("PREFIX/", "opt/twofactor/"), *mode));
    assert_eq!(listing(&of_a_fleet), expected.collect(), "what is installed for a fleet");
    assert!(make("uninstall", &of_a_fleet).status.success());
    assert_eq!(listing(&of_a_fleet), BTreeMap::new());
    fs::remove_dir_all(of_a_fleet).unwrap();
    let expected = installed().into_iter().map(|(path, mode)| (path.replace("PREFIX/", "opt/twofactor/"), mode));
    assert_eq!(listing(&folder), expected.collect(), "what is installed");
    assert_eq!(broken_links(&folder), [""; 0]);

    // What somebody changed survives another installation and uninstalling.
    let configuration = folder.join("etc/twofactor/twofactor.toml");
    fs::write(&configuration, "# mine\n").unwrap();
    assert!(make("install", &folder).status.success());
    assert_eq!(fs::read_to_string(&configuration).unwrap(), "# mine\n");

    for services in ["etc/pam.d", "usr/lib/pam.d", "usr/etc/pam.d"] {
        fs::create_dir_all(folder.join(services)).unwrap();
        let service = folder.join(services).join("sshd");
        fs::write(&service, "auth required pam_unix.so\nauth required pam_twofactor.so\n").unwrap();
        let refused = make("uninstall", &folder);
        let said = said(&refused);
        assert!(!refused.status.success() && said.contains(&format!("{services}/sshd")), "{said}");
        assert!(folder.join("lib/security/pam_twofactor.so").exists(), "PAM still names it");
        fs::remove_file(service).unwrap();
    }
    let output = make("uninstall", &folder);
    assert!(output.status.success(), "{}", said(&output));
    let left: Vec<_> = listing(&folder).into_keys().collect();
    assert_eq!(left, ["etc/twofactor/twofactor.toml", "var/lib/twofactor/"]);
    assert!(!folder.join("opt/twofactor/share/doc/twofactor").exists(), "a folder of our own is left");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_package_holds_what_make_install_installs() {
    if !built() {
        return;
    }
    let folder = folder("package");
    let package = debian_package();
    let unpacked = Command::new("dpkg-deb").arg("--extract").arg(package).arg(&folder).output().unwrap();
    assert!(unpacked.status.success(), "{}", said(&unpacked));
    let found = listing(&folder);
    assert_eq!(broken_links(&folder), [""; 0]);
    for (path, mode) in installed() {
        let path = in_the_package(&path);
        // Documents are compressed where Debian wants it; the changelog has another name.
        let names = [path.clone(), format!("{path}.gz"), path.replace("CHANGELOG.md", "changelog.gz")];
        assert!(names.iter().any(|name| found.get(name) == Some(&mode)), "{path} with mode {mode:o}: {found:#?}");
    }
    for more in ["pam-configs/twofactor", "doc/libpam-twofactor/copyright"] {
        assert!(found.contains_key(&format!("usr/share/{more}")), "{more}");
    }
    let licences = folder.join("usr/share/doc/libpam-twofactor/THIRD-PARTY-LICENSES.gz");
    let licences = Command::new("zcat").arg(licences).output().unwrap();
    let licences = String::from_utf8(licences.stdout).unwrap();
    for name in ["totp-rs ", "pam-bindings ", "rusqlite ", "clap "] {
        assert!(licences.matches(&format!("\n{name}")).count() >= 1, "{name}is not among the licences");
    }
    assert!(licences.contains("Mozilla Public License") && licences.contains("Apache License"), "texts are there");

    let control = |field: &str| {
        let output = Command::new("dpkg-deb").arg("--field").arg(package).arg(field).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(control("Package"), "libpam-twofactor");
    assert!(control("Version").starts_with(env!("CARGO_PKG_VERSION").split('-').next().unwrap()));
    let depends = control("Depends");
    for needed in ["libpam-runtime", "libpam0g", "libc6"] {
        assert!(depends.contains(needed), "{needed}: {depends}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn lintian_finds_no_error_and_no_warning() {
    if !built() {
        return;
    }
    let lintian = Command::new("lintian")
        .args(["--fail-on", "error,warning", "--allow-root"])
        .args(debian_packages())
        .output()
        .unwrap();
    assert!(lintian.status.success(), "{}", said(&lintian));
}
