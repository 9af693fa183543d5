//! A central machine and a host with the packages, set up by the lines of the guide: units, sandboxes and users of their own
//! under systemd, PostgreSQL with peer authentication, and a wire between the two.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use twofactor_tests::oathtool::Authenticator;

use crate::guest::{self, Card, Guest, token_in};
use crate::guide::section;

/// The most that `systemd-analyze security` may say of the link and of the server, in its points.
const EXPOSURES: [(&str, f64); 2] = [("twofactor-link.service", 1.6), ("twofactor-server.service", 1.6)];

/// The most memory that an idle link may hold, in KiB.
const IDLE_KB: u64 = 4 * 1024;

/// The names by which the machines know each other, and the network at boot.
fn files(address: u8) -> Vec<(&'static str, &'static str)> {
    let network: &'static str =
        Box::leak(format!("[Match]\nName=eth0\n[Network]\nAddress=10.77.0.{address}/24\n").into_boxed_str());
    vec![
        ("etc/hosts", "127.0.0.1 localhost\n10.77.0.1 otp1.example.org\n10.77.0.2 web1.example.org\n"),
        ("etc/systemd/network/wire.network", network),
        // Else apt asks a question for each of its lines in the guide.
        ("etc/apt/apt.conf.d/90yes", "APT::Get::Assume-Yes \"true\";\n"),
        ("etc/pam.d/locker", "auth required pam_twofactor.so\naccount required pam_permit.so\n"),
    ]
}

/// Codes of an app with a counter, each once.
struct Codes {
    app: Authenticator,
    next: u64,
}

impl Codes {
    fn next(&mut self) -> String {
        self.next += 1;
        self.app.counter_codes(self.next - 1, 1).remove(0)
    }
}

/// All trials of two machines.
pub(crate) fn trials(root: &Path, packages: &[PathBuf; 3], say: &impl Fn(&str)) {
    let [module, link, server] = packages;
    let disks = [
        guest::disk(root, "otp1", &[module.clone(), server.clone()], &[], &files(1)),
        guest::disk(root, "web1", &[module.clone(), link.clone()], &["alice"], &files(2)),
    ];
    let wire = guest::folder().join("wire");
    // That of a run that was broken off would be taken for the new one.
    let _ = fs::remove_file(&wire);
    let mut central = Guest::boot(root, &disks[0], Card::First(&wire), &[]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !wire.exists() {
        assert!(Instant::now() < deadline, "QEMU makes no wire");
        sleep(Duration::from_millis(100));
    }
    let mut web1 = Guest::boot(root, &disks[1], Card::Second(&wire), &["postgresql.service"]);
    for guest in [&mut central, &mut web1] {
        guest.log_in(None, "# ");
        guest.run("bind 'set enable-bracketed-paste off'; export SYSTEMD_PAGER=cat PAGER=cat");
        guest.run("systemctl enable --now systemd-networkd");
    }
    // Nothing listens there yet, and that is said by the machine itself.
    web1.run(
        "for i in $(seq 60); do { : </dev/tcp/otp1.example.org/7443; } 2>&1 | grep refused && break; sleep 1; done",
    );
    say("a central machine and a host are up, with a wire between them");

    set_up(&mut central);
    say("the central machine is set up as the guide says; its check finds nothing wrong");
    join(&mut central, &mut web1, "");
    say("the host has joined as the guide says");

    let mut alice = enrolled(&mut central);
    let local = section("Break-glass: accounts of the host's own").commands(0);
    let shown = web1.run(&format!("{} --json --counter --no-confirm | tr , '\\n'", local[0]));
    let mut admin = Codes { app: token_in(&shown), next: 0 };
    look_at(&mut central, &mut web1);
    web1.run("twofactor service enable login --yes");
    web1.reboot();
    let wrong = alice.app.wrong_codes().next().expect("wrong codes are many");
    web1.log_in_as("alice", Some(&wrong), "Login incorrect");
    web1.log_in_as("alice", Some(&alice.next()), "$ ");
    web1.log_out();
    web1.log_in(Some(&admin.next()), "# ");
    web1.run("bind 'set enable-bracketed-paste off'; export SYSTEMD_PAGER=cat PAGER=cat");
    say("after a boot, password and a code of the fleet open alice's session, and root has a code of the host's own");

    restarts(&mut web1, &mut alice);
    say("the link is restarted while logins run, and killed: none is refused");
    sandboxes(&mut central, &mut web1, say);
    renewal(&mut web1, &mut alice);
    say("the renewal's unit writes a certificate in its sandbox, and the link takes it up");
    without_root(&mut web1, &mut alice);
    say("a program without root asks the fleet through the broker, in the broker's sandbox");
    server_away(&mut central, &mut web1, &mut alice, &mut admin);
    say("without the server no code of the fleet opens, a local one does; it comes back by itself");

    on_postgresql(&mut central);
    join(&mut central, &mut web1, " --again");
    let mut alice = enrolled(&mut central);
    assert!(web1.opens("root", "alice", &alice.next()), "from PostgreSQL");
    say("the central machine is on PostgreSQL as the guide says, and the host joins anew");
    other_keys(&mut central, &mut web1, &mut alice);
    say("the keys are changed as the guide says");
    groups(&mut central, &mut web1, &mut alice);
    say("a host asks about the groups that the guide gives it");
    central.run("twofactor host revoke web1.example.org");
    let code = alice.app.counter_codes(alice.next, 1).remove(0);
    assert!(!web1.opens("root", "alice", &code), "a revoked host");
    say("a host that is revoked asks in vain");
    web1.power_off();
    central.power_off();
}

/// The lines of the guide for the central machine, with the accounts in files.
fn set_up(central: &mut Guest) {
    let page = section("The central machine");
    for line in page.commands(0) {
        central.run(&line);
    }
    append(central, page.configuration());
    for line in page.commands(1) {
        central.run(&line);
    }
    central.run("systemctl is-active --quiet twofactor-server");
}

/// Those for PostgreSQL, which begins without accounts and hosts.
fn on_postgresql(central: &mut Guest) {
    let page = section("Several servers: PostgreSQL");
    for line in page.commands(0) {
        central.run(&line);
    }
    central.run("cd; sed -i '/^\\[store\\]/,/^$/d' /etc/twofactor/twofactor.toml");
    append(central, page.configuration());
    central.run("twofactor-server check && systemctl restart twofactor-server");
}

/// Alice, enrolled in the central store.
fn enrolled(central: &mut Guest) -> Codes {
    let shown = central.run("twofactor --json enroll alice --counter --no-confirm | tr , '\\n'");
    Codes { app: token_in(&shown), next: 0 }
}

/// Writes these lines at the end of the configuration.
fn append(guest: &mut Guest, lines: &[String]) {
    for line in lines {
        guest.run(&format!("echo '{line}' >>/etc/twofactor/twofactor.toml"));
    }
}

/// The two commands of each host.
fn join(central: &mut Guest, web1: &mut Guest, again: &str) {
    let page = section("Each host: two commands");
    let shown = central.run(&page.commands(0)[0]);
    let is_code = |line: &&str| line.trim().split('-').count() > 5;
    let code = shown.lines().find(is_code).unwrap_or_else(|| panic!("no code: {shown}")).trim();
    for line in page.commands(1) {
        if line.starts_with("twofactor fleet join") {
            web1.run_answering(&format!("{line}{again}"), "Join code: ", code);
        } else {
            web1.run(&line);
        }
    }
    web1.run("systemctl is-enabled --quiet twofactor-link-renew.timer");
    web1.run("systemctl is-active --quiet twofactor-link-renew.timer");
}

/// The configuration of "What a host may": hosts called web something ask about the group web, as the central machine knows it.
fn groups(central: &mut Guest, web1: &mut Guest, alice: &mut Codes) {
    for lines in section("What a host may").configurations() {
        append(central, lines);
    }
    central.run("groupadd web && useradd --groups web alice");
    central.run("twofactor-server check && systemctl restart twofactor-server");
    web1.run("sleep 16");
    assert!(web1.opens("root", "alice", &alice.next()), "of the group");
    // What the user database has said is known for a quarter of a minute.
    central.run("gpasswd --delete alice web; sleep 16");
    let code = alice.next();
    assert!(!web1.opens("root", "alice", &code), "of the group no more");
    central.run("gpasswd --add alice web; sleep 16");
    assert!(web1.opens("root", "alice", &code), "the code was not looked at");
}

fn look_at(central: &mut Guest, web1: &mut Guest) {
    let [status, doctor, list] = &section("Look at it").commands(0)[..] else { panic!("three commands") };
    let status = web1.run(status);
    assert!(status.contains("otp1.example.org"), "{status}");
    // It has a warning about a clock that is synchronized with none.
    let (_, findings) = web1.attempt(doctor);
    assert!(findings.contains("clock") && !findings.contains("problem"), "{findings}");
    let list = central.run(list);
    assert!(list.contains("web1.example.org"), "{list}");
}

/// Each restart takes a second or two in an emulated machine. The socket holds what is asked meanwhile.
fn restarts(web1: &mut Guest, alice: &mut Codes) {
    web1.run("{ (for i in $(seq 8); do systemctl restart twofactor-link.service; done; touch /run/restarted) & }");
    let mut logins = 0;
    while logins < 8 || !web1.attempt("test -e /run/restarted").0 {
        let code = alice.next();
        assert!(web1.opens("root", "alice", &code), "login {logins} while the link is restarted");
        logins += 1;
    }
    for _ in 0..5 {
        web1.run("systemctl kill --signal=KILL twofactor-link.service");
        assert!(web1.opens("root", "alice", &alice.next()), "the socket starts another link");
    }
    web1.run("systemctl is-active --quiet twofactor-link.socket");
}

/// The points that systemd gives the sandboxes, and the memory of an idle link.
fn sandboxes(central: &mut Guest, web1: &mut Guest, say: &impl Fn(&str)) {
    let process = web1.run("systemctl show --property=MainPID --value twofactor-link.service");
    let process = process.lines().find_map(|line| line.trim().parse::<u32>().ok()).expect("a process");
    let shown = web1.run(&format!("grep ^Pss: /proc/{process}/smaps_rollup; grep ^Uid: /proc/{process}/status"));
    let numbers =
        |key: &str| shown.lines().find(|line| line.starts_with(key)).and_then(|line| line.split_whitespace().nth(1));
    let kilobytes: u64 = numbers("Pss:").and_then(|number| number.parse().ok()).expect("a number");
    assert_ne!(numbers("Uid:"), Some("0"), "the link is not root");
    for ((unit, most), guest) in EXPOSURES.into_iter().zip([web1, central]) {
        let shown = guest.run(&format!("systemd-analyze --no-pager security {unit} | tail -n 1"));
        let number = shown.lines().find_map(|line| line.split(&format!("{unit}:")).nth(1)?.split_whitespace().next());
        let points: f64 = number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no figure: {shown}"));
        say(&format!("systemd-analyze security {unit}: {points} (at most {most})"));
        assert!(points <= most, "{unit}: {points}");
    }
    say(&format!("an idle link holds {kilobytes} kB (PSS; at most {IDLE_KB})"));
    assert!(kilobytes <= IDLE_KB, "an idle link holds {kilobytes} kB");
}

/// The unit, with a certificate that is not due.
fn renewal(web1: &mut Guest, alice: &mut Codes) {
    let digest = "sha256sum /etc/twofactor/fleet/host.pem /etc/twofactor/fleet/host.key";
    let digests = |shown: &str| {
        let words = shown.split_whitespace().filter(|word| word.len() == 64);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = digests(&web1.run(digest));
    let folder = "/run/systemd/system/twofactor-link-renew.service.d";
    let drop_in = "[Service]\\nExecCondition=\\nExecStart=\\nExecStart=/usr/sbin/twofactor-link renew --now\\n";
    let running = |web1: &mut Guest| {
        let shown = web1.run("systemctl show --property=InvocationID twofactor-link.service");
        let id = shown.split_whitespace().find_map(|word| word.strip_prefix("InvocationID=")).map(str::to_owned);
        id.unwrap_or_else(|| panic!("no number: {shown}"))
    };
    let at_first = running(web1);
    web1.run("systemctl start twofactor-link-renew.service");
    assert_eq!(running(web1), at_first, "it is not due, and the link goes on");
    web1.run(&format!("mkdir -p {folder} && printf '{drop_in}' >{folder}/now.conf && systemctl daemon-reload"));
    web1.run("systemctl start twofactor-link-renew.service");
    assert_ne!(running(web1), at_first, "the link has been handed the new one");
    let after = digests(&web1.run(digest));
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "another key and certificate");
    assert!(web1.opens("root", "alice", &alice.next()), "after a renewal");
}

fn without_root(web1: &mut Guest, alice: &mut Codes) {
    web1.run("systemctl enable --now twofactord.socket");
    let code = alice.next();
    assert!(web1.opens("alice", "alice", &code), "alice's own program");
    assert!(!web1.opens("alice", "alice", &code), "the code is burned");
    assert!(!web1.opens("root", "alice", &code), "for root's programs too");
}

fn server_away(central: &mut Guest, web1: &mut Guest, alice: &mut Codes, admin: &mut Codes) {
    central.run("systemctl stop twofactor-server");
    let code = alice.next();
    assert!(!web1.opens("root", "alice", &code), "no server");
    assert!(web1.opens("root", "root", &admin.next()), "break-glass");
    let (_, status) = web1.attempt("twofactor fleet status");
    assert!(status.contains("otp1.example.org"), "{status}");
    central.run("systemctl start twofactor-server");
    // A server that failed is asked again after 15 seconds.
    web1.run("sleep 16");
    assert!(web1.opens("root", "alice", &code), "the code was not used up");
}

/// The four lines of the guide, with the restarts that it asks for.
fn other_keys(central: &mut Guest, web1: &mut Guest, alice: &mut Codes) {
    for line in section("The key").commands(0) {
        // Answers are removed a minute after they were given, at the next round of the server.
        central.run(&format!("for i in $(seq 20); do {line} && break; sleep 10; done; [ $i != 20 ]"));
        central.run("systemctl restart twofactor-server");
    }
    web1.run("sleep 16");
    assert!(web1.opens("root", "alice", &alice.next()), "with other keys");
}
