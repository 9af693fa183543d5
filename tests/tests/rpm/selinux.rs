//! The SELinux module, linked with Debian's real policy: what a login needs is allowed to whoever logs people in, and to
//! nobody else. The policy is inspected, not enforced: that takes a kernel that was started with SELinux.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use twofactor_tests::artifacts::workspace;
use twofactor_tests::private_host::said;
use twofactor_tests::requirements;

use super::packages::scratch;

const STATE: &str = "pam_twofactor_var_lib_t";

/// The domain of the broker, and the type of its socket.
const BROKER: &str = "twofactord_t";
const SOCKET: &str = "twofactord_var_run_t";

/// The domain of a fleet's link, and the type of its socket.
const LINK: &str = "twofactor_link_t";
const LINK_SOCKET: &str = "twofactor_link_var_run_t";

/// The type of a central store in files.
const CENTRAL: &str = "twofactor_server_var_lib_t";

/// What logins do below `/var/lib/twofactor`, as strace saw it in logins with apps and tokens and in first logins.
/// Permission by permission, with a system call that asks for it.
const ON_FOLDERS: [(&str, &str); 12] = [
    ("search", "openat below the folder"),
    ("getattr", "statx of the handle"),
    ("open", "openat(\"users\", O_DIRECTORY)"),
    ("read", "openat(\"users\", O_RDONLY)"),
    ("lock", "flock of the user's folder"),
    ("write", "anything new in it"),
    ("add_name", "mknodat(\"registry.db-shm\")"),
    ("remove_name", "renameat(\"state.new\")"),
    ("create", "mkdirat(\"alice\")"),
    ("setattr", "fchmod of the new folder"),
    ("rmdir", "unlinkat of a folder left over at \"state.new\""),
    ("ioctl", "what libraries ask of any handle"),
];
const ON_FILES: [(&str, &str); 11] = [
    ("getattr", "statx of the handle"),
    ("open", "openat(\"secret.toml\")"),
    ("read", "read"),
    ("write", "pwrite of a slot of \"state\""),
    ("create", "openat(\"state.new\", O_CREAT)"),
    ("setattr", "fchmod of \"state.new\", fchown of \"registry.db-wal\""),
    ("rename", "renameat(\"state.new\")"),
    ("unlink", "unlinkat(\"state.new\"), unlink of \"registry.db-wal\""),
    ("lock", "fcntl(F_SETLK) of \"registry.db\""),
    ("map", "mmap of \"registry.db-shm\""),
    ("ioctl", "what libraries ask of any handle"),
];

/// The domains of programs that run PAM services, here and in Fedora, and the broker's.
const ASKING: [&str; 14] = [
    BROKER,
    "sshd_t",
    "local_login_t",
    "remote_login_t",
    "xdm_t",
    "cockpit_session_t",
    "policykit_auth_t",
    "staff_sudo_t",
    "user_sudo_t",
    "staff_su_t",
    "user_su_t",
    "sysadm_su_t",
    "twofactor_test_fedora_login_t",
    "twofactor_test_fedora_su_t",
];

/// A module that knows what only Fedora's policy has: the two attributes, each with a type.
const FEDORA: &str = "module twofactor_test_fedora 1.0;
require { attribute domain; }
attribute login_pgm;
attribute su_domain_type;
type twofactor_test_fedora_login_t, domain, login_pgm;
type twofactor_test_fedora_su_t, domain, su_domain_type;
";

/// The compiled policy with our module in it, and its file contexts.
struct Policy {
    kernel: PathBuf,
    contexts: PathBuf,
    /// Every rule about the state.
    on_state: Vec<String>,
    /// The types that each attribute stands for.
    attributes: BTreeMap<String, BTreeSet<String>>,
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {}: {}", arguments.join(" "), said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn compiled(folder: &Path) -> String {
    let out = format!("OUT={}", folder.display());
    let output = Command::new("make")
        .args(["--silent", "--directory"])
        .arg(workspace().join("packaging/selinux"))
        .arg(out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the compiler warns");
    folder.join("pam_twofactor.pp").display().to_string()
}

/// Debian's policy in a store of its own, with our module and what Fedora has.
fn policy() -> Option<&'static Policy> {
    static BUILT: OnceLock<Policy> = OnceLock::new();
    let programs = ["checkmodule", "m4", "make", "matchpathcon", "seinfo", "semodule", "semodule_package", "sesearch"];
    let policy = "/var/lib/selinux/default";
    if !requirements::met()
        || !requirements::programs_met(&programs)
        || !requirements::package_met("selinux-policy-default", policy)
    {
        return None;
    }
    Some(BUILT.get_or_init(|| {
        let store = scratch("policy");
        for folder in ["etc/selinux", "var/lib/selinux"] {
            fs::create_dir_all(store.join(folder)).unwrap();
            let from = format!("/{folder}/default");
            run("cp", &["--archive", &from, store.join(folder).to_str().unwrap()]);
        }
        run("cp", &["/etc/selinux/semanage.conf", store.join("etc/selinux").to_str().unwrap()]);
        let ours = compiled(&store);
        let path = |name: &str| store.join(name).display().to_string();
        fs::write(store.join("twofactor_test_fedora.te"), FEDORA).unwrap();
        run("checkmodule", &["-M", "-m", "-o", &path("twofactor_test_fedora.mod"), &path("twofactor_test_fedora.te")]);
        run("semodule_package", &["-o", &path("twofactor_test_fedora.pp"), "-m", &path("twofactor_test_fedora.mod")]);
        let fedora = path("twofactor_test_fedora.pp");
        run("semodule", &["-p", &store.display().to_string(), "-s", "default", "-n", "-i", &fedora, "-i", &ours]);
        let kernel =
            super::packages::only_file(&store.join("etc/selinux/default/policy"), |name| name.starts_with("policy."));
        let contexts = store.join("etc/selinux/default/contexts/files/file_contexts");
        // A second of computing each time, so what several tests ask for is asked for once.
        let on_state = rules(&kernel, &["--target", STATE]);
        let attributes = attributes(&kernel);
        Policy { kernel, contexts, on_state, attributes }
    }))
}

/// The rules that `sesearch --allow` finds.
fn rules(kernel: &Path, arguments: &[&str]) -> Vec<String> {
    run("sesearch", &[&["--allow"], arguments, &[kernel.to_str().unwrap()]].concat())
        .lines()
        .map(str::to_owned)
        .collect()
}

/// All attributes, each with its types.
fn attributes(kernel: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let text = run("seinfo", &["--attribute", "--expand", kernel.to_str().unwrap()]);
    let mut attributes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(attribute) = line.trim().strip_prefix("attribute ") {
            attribute.trim_end_matches(';').clone_into(&mut name);
            attributes.entry(name.clone()).or_default();
        } else if let Some(types) = attributes.get_mut(&name).filter(|_| line.starts_with('\t')) {
            types.insert(line.trim().to_owned());
        }
    }
    assert!(
        attributes.get("domain").is_some_and(|types| types.len() > 100),
        "attributes as seinfo writes them: {text}"
    );
    attributes
}

impl Policy {
    fn rules(&self, arguments: &[&str]) -> Vec<String> {
        rules(&self.kernel, arguments)
    }

    /// The domains and attributes that may read files of this type.
    fn readers(&self, target: &str) -> BTreeSet<String> {
        let rules = self.rules(&["--target", target, "--class", "file", "--perms", "read"]);
        rules.iter().map(|rule| rule.split_whitespace().nth(1).unwrap().to_owned()).collect()
    }

    /// The types that have an attribute.
    fn members(&self, attribute: &str) -> &BTreeSet<String> {
        self.attributes.get(attribute).unwrap_or_else(|| panic!("there is no attribute {attribute}"))
    }

    /// What `domain` may do with the state, by class. A rule names it or an attribute of its.
    fn allowed(&self, domain: &str) -> BTreeSet<(String, String)> {
        let is_its =
            |source: &str| source == domain || self.attributes.get(source).is_some_and(|types| types.contains(domain));
        let rules = self.on_state.iter().filter(|rule| rule.split_whitespace().nth(1).is_some_and(is_its));
        let mut allowed = BTreeSet::new();
        for rule in rules {
            let Some((_, right)) = rule.split_once(':') else { continue };
            let (class, permissions) = right.split_once(' ').unwrap_or_else(|| panic!("a rule: {rule}"));
            for permission in permissions.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_') {
                if !permission.is_empty() {
                    allowed.insert((class.to_owned(), permission.to_owned()));
                }
            }
        }
        allowed
    }
}

#[test]
fn whoever_asks_for_a_code_may_do_what_a_login_does() {
    let Some(policy) = policy() else { return };
    for domain in ASKING {
        let allowed = policy.allowed(domain);
        for (class, needed) in [("dir", &ON_FOLDERS[..]), ("file", &ON_FILES[..])] {
            for (permission, call) in needed {
                let there = allowed.contains(&(class.to_owned(), (*permission).to_owned()));
                assert!(there, "{domain} may not {permission} a {class}: {call}");
            }
        }
    }
}

#[test]
fn whoever_asks_for_a_code_finds_the_way_to_the_state_and_reads_the_configuration() {
    let Some(policy) = policy() else { return };
    let by_attribute = ["login_pgm", "su_domain_type", "sudodomain"].map(|name| (name, policy.members(name)));
    let named = |domain: &str| {
        let attributes = by_attribute.iter().filter(|(_, members)| members.contains(domain)).map(|(name, _)| *name);
        attributes.chain([domain]).map(|name| format!("allow {name} ")).collect::<Vec<_>>()
    };
    let way = [
        ("var_t", "dir", "search"),
        ("var_lib_t", "dir", "search"),
        ("etc_t", "dir", "search"),
        ("etc_t", "file", "read"),
    ];
    for (target, class, permission) in way {
        let rules = policy.rules(&["--target", target, "--class", class, "--perms", permission]);
        for domain in ASKING {
            let there = named(domain).iter().any(|start| rules.iter().any(|rule| rule.starts_with(start)));
            assert!(there, "{domain} may not {permission} {target}:{class}");
        }
    }
}

/// Beside whoever asks: administrators, what is not confined, and the backup and integrity programs to which the policy
/// gives every file, `/etc/shadow` too.
#[test]
fn nobody_else_can_read_the_secrets() {
    let Some(policy) = policy() else { return };
    let attributes = ["login_pgm", "su_domain_type", "sudodomain", "files_unconfined_type"];
    let backups = ["aide_t", "amanda_t", "backup_t", "bacula_t", "quota_t", "samhain_t", "samhaind_t", "siggen_t"];
    let readers = policy.readers(STATE);
    for reader in &readers {
        let known = ASKING.contains(&reader.as_str())
            || attributes.contains(&reader.as_str())
            || backups.contains(&reader.as_str())
            || ["sysadm_t", "tripwire_t"].contains(&reader.as_str());
        assert!(known, "{reader} can read the secrets");
    }
    // Those of a whole fleet: no login of the central machine, either.
    for reader in policy.readers(CENTRAL) {
        let known = [&["files_unconfined_type", "sysadm_t", "tripwire_t"], &backups[..]].concat();
        assert!(known.contains(&reader.as_str()), "{reader} can read the secrets of a fleet");
    }
    // What could read them, had they the type that other PAM modules share.
    let shared = policy.rules(&["--target", "var_auth_t", "--class", "file", "--perms", "read"]);
    for neighbour in ["smbd_t", "nfsd_t", "ftpd_t", "rsync_t"] {
        assert!(shared.iter().any(|rule| rule.starts_with(&format!("allow {neighbour} "))), "{neighbour}");
        assert!(!readers.contains(neighbour), "{neighbour}");
    }
}

/// Of a user's session, for lockers; of daemons that ask about others; and of a login program.
#[test]
fn what_runs_pam_without_root_may_ask_the_broker_and_open_no_state() {
    let Some(policy) = policy() else { return };
    let way = [
        (BROKER, "unix_stream_socket", "connectto"),
        (SOCKET, "sock_file", "write"),
        (SOCKET, "dir", "search"),
        (SOCKET, "dir", "getattr"),
        ("var_run_t", "dir", "search"),
    ];
    for (target, class, permission) in way {
        let rules = policy.rules(&["--target", target, "--class", class, "--perms", permission]);
        for domain in ["user_t", "staff_t", "unconfined_t", "postgresql_t", "radiusd_t", "policykit_auth_t", "sshd_t"] {
            let there = ["nsswitch_domain", "userdomain"].into_iter().any(|attribute| {
                let start = format!("allow {attribute} {target}:{class}");
                policy.members(attribute).contains(domain) && rules.iter().any(|rule| rule.starts_with(&start))
            });
            assert!(there, "{domain} may not {permission} {target}:{class}");
        }
    }
    for domain in ["user_t", "staff_t", "postgresql_t", "radiusd_t"] {
        let allowed = policy.allowed(domain);
        assert!(!allowed.iter().any(|(class, _)| class == "file" || class == "dir"), "{domain}: {allowed:?}");
    }
}

/// The programs that ask for codes, the broker, and what else uses the module.
#[test]
fn whoever_asks_for_a_code_may_ask_the_link_of_a_fleet_and_no_other_may() {
    let Some(policy) = policy() else { return };
    let way = [
        (LINK, "unix_stream_socket", "connectto"),
        (LINK_SOCKET, "sock_file", "write"),
        (LINK_SOCKET, "dir", "search"),
        ("var_run_t", "dir", "search"),
    ];
    for (target, class, permission) in way {
        let rules = policy.rules(&["--target", target, "--class", class, "--perms", permission]);
        let sources: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.split_whitespace().nth(1)).collect();
        let is_among = |domain: &str| {
            let has = |source: &&&str| policy.attributes.get(**source).is_some_and(|types| types.contains(domain));
            sources.contains(domain) || sources.iter().any(|source| has(&source))
        };
        for domain in ASKING {
            assert!(is_among(domain), "{domain} may not {permission} {target}:{class}");
        }
        if target == LINK || class == "sock_file" && target == LINK_SOCKET {
            for domain in ["user_t", "staff_t", "postgresql_t", "radiusd_t", "httpd_t"] {
                assert!(!is_among(domain), "{domain} may {permission} {target}:{class}");
            }
        }
    }
}

#[test]
fn the_system_manager_starts_broker_and_link_in_their_domains_and_opens_their_sockets() {
    let Some(policy) = policy() else { return };
    let kernel = policy.kernel.to_str().unwrap();
    for (domain, program, socket) in
        [(BROKER, "twofactord_exec_t", SOCKET), (LINK, "twofactor_link_exec_t", LINK_SOCKET)]
    {
        let transition = run("sesearch", &["-T", "-s", "init_t", "-t", program, "-c", "process", kernel]);
        assert!(transition.contains(&format!("{domain};")), "{transition}");
        for (target, class, permission) in [
            (domain, "process", "transition"),
            (domain, "process2", "nnp_transition"),
            (domain, "unix_stream_socket", "listen"),
            (socket, "sock_file", "create"),
        ] {
            let rules =
                policy.rules(&["--source", "init_t", "--target", target, "--class", class, "--perms", permission]);
            assert!(!rules.is_empty(), "init_t may not {permission} {target}:{class}");
        }
        let entry = ["--source", domain, "--target", program, "--class", "file", "--perms", "entrypoint"];
        assert!(!policy.rules(&entry).is_empty());
    }
}

/// The network, and nothing of the accounts of its host or of the passwords.
#[test]
fn the_link_connects_to_servers_and_reads_no_account() {
    let Some(policy) = policy() else { return };
    let connects = ["--source", LINK, "--class", "tcp_socket", "--perms", "name_connect"];
    assert!(policy.rules(&connects).iter().any(|rule| rule.starts_with(&format!("allow {LINK} port_type:"))));
    for target in [STATE, CENTRAL, "shadow_t"] {
        for class in ["dir", "file"] {
            assert_eq!(policy.rules(&["--source", LINK, "--target", target, "--class", class]), Vec::<String>::new());
        }
    }
    for permission in ["dac_override", "setuid", "sys_admin"] {
        let own = ["--source", LINK, "--target", LINK, "--class", "capability", "--perms", permission];
        assert_eq!(policy.rules(&own), Vec::<String>::new());
    }
}

/// It needs no capability, no network and none of the passwords.
#[test]
fn the_broker_has_no_rights_of_root_and_no_network() {
    let Some(policy) = policy() else { return };
    for (class, permission) in [("capability", "dac_override"), ("capability", "setuid"), ("capability", "sys_admin")] {
        let rules = policy.rules(&["--source", BROKER, "--target", BROKER, "--class", class, "--perms", permission]);
        assert_eq!(rules, Vec::<String>::new());
    }
    let shadow = policy.rules(&["--source", BROKER, "--target", "shadow_t", "--class", "file", "--perms", "read"]);
    assert_eq!(shadow, Vec::<String>::new());
}

#[test]
fn restorecon_may_mend_the_labels_and_tmpfiles_may_make_the_folders() {
    let Some(policy) = policy() else { return };
    let mending = policy.allowed("setfiles_t");
    for class in ["dir", "file"] {
        for permission in ["relabelfrom", "relabelto"] {
            assert!(mending.contains(&(class.to_owned(), permission.to_owned())), "{class} {permission}");
        }
    }
    let making = policy.allowed("systemd_tmpfiles_t");
    for permission in ["create", "setattr", "relabelto"] {
        assert!(making.contains(&("dir".to_owned(), permission.to_owned())), "{permission}");
    }
    assert!(!making.contains(&("file".to_owned(), "read".to_owned())), "it makes folders and reads no secret");
}

#[test]
fn the_state_has_its_label_and_nothing_beside_it() {
    let Some(policy) = policy() else { return };
    let label = |path: &str| {
        let answer = run("matchpathcon", &["-n", "-f", policy.contexts.to_str().unwrap(), path]);
        answer.trim().to_owned()
    };
    for path in ["/var/lib/twofactor", "/var/lib/twofactor/users/alice/state", "/var/lib/twofactor/registry.db"] {
        assert_eq!(label(path), format!("system_u:object_r:{STATE}:s0"), "{path}");
    }
    for path in ["/run/twofactord", "/run/twofactord/socket"] {
        assert_eq!(label(path), format!("system_u:object_r:{SOCKET}:s0"), "{path}");
    }
    for path in ["/usr/sbin/twofactord", "/usr/local/sbin/twofactord", "/usr/bin/twofactord"] {
        assert_eq!(label(path), "system_u:object_r:twofactord_exec_t:s0", "{path}");
    }
    for path in ["/run/twofactor-link", "/run/twofactor-link/socket"] {
        assert_eq!(label(path), format!("system_u:object_r:{LINK_SOCKET}:s0"), "{path}");
    }
    for path in ["/usr/sbin/twofactor-link", "/usr/local/sbin/twofactor-link", "/usr/bin/twofactor-link"] {
        assert_eq!(label(path), "system_u:object_r:twofactor_link_exec_t:s0", "{path}");
    }
    for path in ["/usr/sbin/twofactor-server", "/usr/local/sbin/twofactor-server", "/usr/bin/twofactor-server"] {
        assert_eq!(label(path), "system_u:object_r:bin_t:s0", "{path}");
    }
    for path in ["/var/lib/twofactor-server", "/var/lib/twofactor-server/accounts/users/alice/secret.toml"] {
        assert_eq!(label(path), format!("system_u:object_r:{CENTRAL}:s0"), "{path}");
    }
    assert!(!label("/var/lib/twofactor-old").contains(STATE));
    assert!(!label("/etc/twofactor/twofactor.toml").contains(STATE));
}
