//! Real services that ask about other users than their own: PostgreSQL with `pam` in pg_hba, FreeRADIUS with rlm_pam, and
//! nginx with auth_pam. Each runs as an account of its own, has one field for a password, and is named in a `[[caller]]` of the configuration.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use nix::unistd::User;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::documents::{self, Parts};
use twofactor_tests::log_daemon::until;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::requirements;
use twofactor_tests::twofactor::Enrollment;

/// Where Debian has PostgreSQL's programs.
const POSTGRESQL: &str = "/usr/lib/postgresql/15/bin";

/// rlm_pam, which comes with the server.
const RLM_PAM: &str = "/usr/lib/freeradius/rlm_pam.so";

/// auth_pam, a module of nginx.
const AUTH_PAM: &str = "/usr/lib/nginx/modules/ngx_http_auth_pam_module.so";

/// Stands for a directory of passwords that the service's account may ask: the password is [`PASSWORD`].
const CHECK: &str = "#!/bin/sh\n[ \"$(tr -d '\\000')\" = \"correct horse battery\" ]\n";

/// A service that is running. It ends with the test.
struct Running<'h>(&'h Host, Option<Child>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.1.take() {
            self.0.kill(process);
        }
    }
}

/// Gives the PAM service password and code in one field, lets its account ask about the group `dba`, and makes alice a member
/// of it and bob none.
fn set_up(host: &Host, service: &str, account: &str) -> (Enrollment, Enrollment) {
    host.configure(&format!(
        "[prompt]\ncombined = [\"{service}\"]\n\n[[caller]]\nuser = \"{account}\"\nservice = \"{service}\"\n\
         groups = [\"dba\"]\n"
    ));
    let check = host.script("check-password", CHECK);
    let lines = format!(
        "auth requisite pam_twofactor.so\nauth required pam_exec.so quiet expose_authtok {}\n\
         account required pam_permit.so\n",
        check.display()
    );
    host.system_service(service, &lines);
    let (alice, bob) = (host.user_with_fob("alice"), host.user_with_fob("bob"));
    host.succeed("groupadd", ["dba"]);
    host.succeed("usermod", ["--append", "--groups", "dba", "alice"]);
    (alice, bob)
}

/// Password and code as one text.
fn both(code: &str) -> String {
    format!("{PASSWORD}{code}")
}

#[test]
fn postgresql_lets_a_user_in_with_password_and_code() {
    if !requirements::package_met("postgresql-15", POSTGRESQL) {
        return;
    }
    private_host(|host| {
        let (alice, bob) = set_up(host, "postgresql", "postgres");
        let _broker = host.broker();
        let _server = postgresql(host);
        let opens = |user: &str, password: &str| lets_in(host, user, password);
        assert!(!opens("alice", &both(&alice.wrong_code())));
        host.assert_logged(&["pam_twofactor(broker:auth): denied user=alice", "service=postgresql"]);
        let code = alice.next_code();
        assert!(!opens("alice", &format!("wrong{code}")), "a right code, a wrong password");
        let code = alice.next_code();
        assert!(opens("alice", &both(&code)));
        host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", "service=postgresql"]);
        assert!(!opens("alice", &both(&code)), "the code is burned");
        assert!(!opens("bob", &both(&bob.next_code())), "no member of the group that this account may ask about");
    });
}

/// The page of the guide, `docs/guide/programs-without-root.md`, followed to the letter: it leads to a locker and a database that ask
/// for codes. The real locker is in the suite of lockers.
#[test]
fn the_page_about_programs_without_root_leads_to_a_locker_and_a_database_with_codes() {
    if !requirements::package_met("postgresql-15", POSTGRESQL) {
        return;
    }
    let page = Parts::of(&documents::read(&workspace().join("docs/guide/programs-without-root.md")));
    private_host(|host| {
        host.install_module();
        host.enroll("root", &[]);
        let (alice, bob) = (host.user_with_fob("alice"), host.user_with_fob("bob"));
        host.succeed("groupadd", ["dba"]);
        host.succeed("usermod", ["--append", "--groups", "dba", "alice"]);
        // The services as a distribution packs them. The account may look passwords up, which is the program's own matter.
        host.system_service("swaylock", "auth include login\n");
        host.system_service("postgresql", "@include common-auth\n@include common-account\n");
        host.succeed("usermod", ["--append", "--groups", "shadow", "postgres"]);
        host.script("systemctl", "#!/bin/sh\necho \"$@\" >>/run/systemctl\n");
        let (mut broker, mut followed) = (None, Vec::new());
        for (_, block) in &page.blocks {
            if block.first().is_some_and(|line| line.starts_with('[')) {
                let before = fs::read_to_string(CONFIGURATION).unwrap_or_default();
                fs::write(CONFIGURATION, format!("{before}\n{}\n", block.join("\n"))).unwrap();
            }
            for line in documents::typed(block) {
                // At a terminal root would be asked.
                let yes = if line.contains("service enable") { " --yes" } else { "" };
                host.succeed("sh", ["-ec", &format!("{line}{yes}")]);
                if line.starts_with("systemctl") {
                    assert_eq!(fs::read_to_string("/run/systemctl").unwrap(), "enable --now twofactord.socket\n");
                    broker = Some(host.broker());
                }
                followed.push(line);
            }
        }
        let enabling = ["swaylock", "postgresql"].map(|service| format!("twofactor service enable {service}"));
        assert_eq!(followed[1..], enabling);
        assert!(broker.is_some());

        let uid = User::from_name("alice").unwrap().unwrap().uid.as_raw();
        let locker =
            |typed: &str| host.login("alice").service("swaylock").of_the_system().uid(uid).typing(typed).code();
        assert_ne!(locker(&both(&alice.wrong_code())), ReturnCode::SUCCESS);
        let code = alice.next_code();
        assert_eq!(locker(&both(&code)), ReturnCode::SUCCESS);
        assert_ne!(locker(&both(&code)), ReturnCode::SUCCESS, "once");

        let _server = postgresql(host);
        assert!(!lets_in(host, "alice", &both(&alice.wrong_code())));
        assert!(lets_in(host, "alice", &both(&alice.next_code())));
        host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", "service=postgresql"]);
        assert!(!lets_in(host, "bob", &both(&bob.next_code())), "the page lets it ask about no such user");
    });
}

const CONFIGURATION: &str = "/etc/twofactor/twofactor.toml";

/// True when PostgreSQL opens a session for the password.
fn lets_in(host: &Host, user: &str, password: &str) -> bool {
    let mut command = host.command(format!("{POSTGRESQL}/psql"));
    command.args(["--host", "127.0.0.1", "--username", user, "--command", "select 1", "postgres"]);
    command.env("PGPASSWORD", password).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// PostgreSQL as its own account, with alice and bob as roles that log in through PAM.
fn postgresql(host: &Host) -> Running<'_> {
    const DATA: &str = "/var/lib/postgresql/data";
    fs::create_dir_all("/var/lib/postgresql").unwrap();
    fs::create_dir_all("/run/postgresql").unwrap();
    host.succeed("chown", ["postgres:postgres", "/var/lib/postgresql", "/run/postgresql"]);
    let as_postgres = || {
        let mut command = host.command("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).env("HOME", "/var/lib/postgresql");
        command
    };
    let succeed = |command: &mut Command| {
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", twofactor_tests::private_host::said(&output));
    };
    succeed(as_postgres().arg(format!("{POSTGRESQL}/initdb")).args(["--no-sync", "--auth=peer", "-D", DATA]));
    let rules = "local all postgres peer\nhost all all 127.0.0.1/32 pam pamservice=postgresql\n";
    fs::write(format!("{DATA}/pg_hba.conf"), rules).unwrap();
    let mut command = as_postgres();
    command.arg(format!("{POSTGRESQL}/postgres")).args(["-D", DATA, "-h", "127.0.0.1", "-k", "/run/postgresql"]);
    command.args(["-c", "fsync=off"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Running(host, Some(command.spawn().unwrap()));
    let psql = |statement: &str| {
        let mut command = as_postgres();
        command.arg(format!("{POSTGRESQL}/psql")).args(["--host", "/run/postgresql", "--command", statement]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    };
    until("PostgreSQL answers", || psql("select 1"));
    assert!(psql("create role alice login") && psql("create role bob login"));
    server
}

#[test]
fn freeradius_as_its_own_user_accepts_password_and_code() {
    if !requirements::package_met("freeradius", RLM_PAM) {
        return;
    }
    private_host(|host| {
        let (alice, bob) = set_up(host, "radiusd", "freerad");
        let _broker = host.broker();
        let _server = freeradius(host);
        let accepts = |user: &str, password: &str| {
            let request = host.place("request");
            fs::write(&request, format!("User-Name = \"{user}\", User-Password = \"{password}\"\n")).unwrap();
            let mut command = host.command("radclient");
            command.args(["-r", "1", "-t", "20", "-f", request.to_str().unwrap(), "127.0.0.1", "auth", "secret"]);
            let output = command.output().unwrap();
            String::from_utf8_lossy(&output.stdout).contains("Access-Accept")
        };
        assert!(!accepts("alice", &both(&alice.wrong_code())));
        host.assert_logged(&["pam_twofactor(broker:auth): denied user=alice", "service=radiusd"]);
        let code = alice.next_code();
        assert!(accepts("alice", &both(&code)));
        host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", "service=radiusd"]);
        assert!(!accepts("alice", &both(&code)), "the code is burned");
        assert!(!accepts("bob", &both(&bob.next_code())), "no member of the group that this account may ask about");
    });
}

/// FreeRADIUS with nothing but rlm_pam. It starts as root and goes on as its own account, as Debian's does.
fn freeradius(host: &Host) -> Running<'_> {
    let folder = host.place("raddb");
    fs::create_dir(&folder).unwrap();
    fs::create_dir_all("/run/freeradius").unwrap();
    host.succeed("chown", ["freerad:freerad", "/run/freeradius"]);
    fs::write(folder.join("radiusd.conf"), RADIUSD.replace("FOLDER", folder.to_str().unwrap())).unwrap();
    fs::set_permissions(folder.join("radiusd.conf"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = host.command("freeradius");
    command.args(["-f", "-d", folder.to_str().unwrap()]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let server = Running(host, Some(command.spawn().unwrap()));
    until("FreeRADIUS answers", || {
        let mut command = host.command("radclient");
        command.args(["-r", "1", "-t", "1", "127.0.0.1", "status", "secret"]).stdin(Stdio::piped());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(b"Message-Authenticator = 0x00\n").unwrap();
        process.wait().unwrap().success()
    });
    server
}

const RADIUSD: &str = "\
prefix = /usr
localstatedir = /var
logdir = /run/freeradius
raddbdir = FOLDER
run_dir = /run/freeradius
libdir = /usr/lib/freeradius
pidfile = ${run_dir}/freeradius.pid
security {
    user = freerad
    group = freerad
    status_server = yes
    reject_delay = 0
}
log {
    destination = stderr
}
client localhost {
    ipaddr = 127.0.0.1
    secret = secret
}
modules {
    pam {
        pam_auth = radiusd
    }
}
server default {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = 1812
    }
    authorize {
        update control {
            Auth-Type := PAM
        }
    }
    authenticate {
        Auth-Type PAM {
            pam
        }
    }
}
";

#[test]
fn nginx_serves_a_page_for_password_and_code_and_another_one_for_another_code() {
    if !requirements::package_met("libnginx-mod-http-auth-pam", AUTH_PAM) {
        return;
    }
    private_host(|host| {
        let (alice, bob) = set_up(host, "nginx", "www-data");
        let _broker = host.broker();
        let _server = nginx(host);
        let served = |user: &str, password: &str| {
            let mut command = host.command("curl");
            command.args(["--silent", "--user", &format!("{user}:{password}"), PAGE]);
            String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
        };
        assert!(served("alice", &both(&alice.wrong_code())).contains("401 Authorization Required"));
        host.assert_logged(&["pam_twofactor(broker:auth): denied user=alice", "service=nginx"]);
        let code = alice.next_code();
        assert_eq!(served("alice", &both(&code)), "a page\n");
        host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", "service=nginx"]);
        // The browser sends the same with each request, and a login through the broker is not remembered.
        assert_ne!(served("alice", &both(&code)), "a page\n", "the code is burned");
        assert_eq!(served("alice", &both(&alice.next_code())), "a page\n");
        assert_ne!(served("bob", &both(&bob.next_code())), "a page\n", "no member of the group");
    });
}

const PAGE: &str = "http://127.0.0.1:8080/page";

/// nginx with nothing but a page behind auth_pam. Its worker is of its own account, as Debian's is.
fn nginx(host: &Host) -> Running<'_> {
    let folder = host.place("nginx");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("page"), "a page\n").unwrap();
    let text = NGINX.replace("FOLDER", folder.to_str().unwrap()).replace("AUTH_PAM", AUTH_PAM);
    fs::write(folder.join("nginx.conf"), text).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.join("page"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = host.command("nginx");
    command.arg("-c").arg(folder.join("nginx.conf")).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let server = Running(host, Some(command.spawn().unwrap()));
    until("nginx answers", || {
        let mut command = host.command("curl");
        command.args(["--silent", "--output", "/dev/null", PAGE]).status().unwrap().success()
    });
    server
}

const NGINX: &str = "\
load_module AUTH_PAM;
user www-data;
daemon off;
pid FOLDER/pid;
error_log FOLDER/log;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    fastcgi_temp_path FOLDER/fastcgi;
    proxy_temp_path FOLDER/proxy;
    scgi_temp_path FOLDER/scgi;
    uwsgi_temp_path FOLDER/uwsgi;
    server {
        listen 127.0.0.1:8080;
        location / {
            root FOLDER;
            auth_pam \"password and code\";
            auth_pam_service_name nginx;
        }
    }
}
";
