//! The broker's units under systemd: start at the first question, end when idle, start again after each kind of end, and the
//! sandbox, which must let the broker do its work.

use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::oathtool::Authenticator;

use crate::guest::{Guest, token_in};

/// Alice has a counter app, bob a token from a seed file.
pub(crate) const USERS: [&str; 2] = ["alice", "bob"];

/// The serial of bob's token, by its number.
const TOKEN: u64 = 1;

/// The most memory that an idle broker may hold.
const IDLE_KB: u64 = 3 * 1024;

/// The most that `systemd-analyze security` may say, in its points.
const EXPOSURE: f64 = 1.0;

/// The files on the disk that the trials read.
pub(crate) fn files() -> Vec<(&'static str, &'static str)> {
    let seeds: &'static str = Box::leak(seed_file(&[Fob::button(TOKEN)]).into_boxed_str());
    vec![
        ("etc/pam.d/locker", "auth required pam_twofactor.so\naccount required pam_permit.so\n"),
        ("root/seeds.csv", seeds),
        ("usr/local/bin/hold", HOLD),
        ("etc/systemd/system/polkit-trial@.service", POLKIT),
    ]
}

/// Opens so many connections, says how many were made, and holds them for a while.
const HOLD: &str = r#"#!/usr/bin/perl
use IO::Socket::UNIX;
my @held = grep { defined } map { IO::Socket::UNIX->new(Peer => "/run/twofactord/socket") } 1 .. $ARGV[0];
$| = 1;
print scalar(@held), " connections\n";
sleep $ARGV[1];
"#;

/// The sandbox of polkit 127's agent helper, to the letter of its `polkit-agent-helper@.service.in`, around a program that
/// asks through PAM; the code is the name of the instance.
const POLKIT: &str = "\
[Service]
Type=oneshot
DevicePolicy=closed
ExecStart=/bin/sh -c '{ printf \"answer \"; printf %%s %i | od -An -v -tx1 | tr -d \" \\n\"; echo; } | /usr/local/bin/pam-login --confdir \"\" --service locker --user alice'
StandardError=journal
LimitMEMLOCK=0
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
ProtectSystem=strict
ProtectClock=yes
ProtectHostname=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0077
";

/// Codes of a token with a button, each once.
struct Codes {
    token: Authenticator,
    next: u64,
}

impl Codes {
    fn next(&mut self) -> String {
        self.next += 1;
        self.token.counter_codes(self.next - 1, 1).remove(0)
    }
}

/// All trials, one after the other, on a machine with the package.
pub(crate) fn trials(guest: &mut Guest, say: &dyn Fn(&str)) {
    // What a command prints begins its line, and nothing waits for a key.
    guest.run("bind 'set enable-bracketed-paste off'; export SYSTEMD_PAGER=cat");
    let shown = guest.run("twofactor --json enroll alice --counter --no-confirm | tr , '\\n'");
    let mut alice = Codes { token: token_in(&shown), next: 0 };
    let fob = Fob::button(TOKEN);
    guest.run("chmod 0600 seeds.csv && twofactor token import seeds.csv --type hotp");
    guest.run(&format!("twofactor token assign {} bob", fob.serial));
    let mut bob = Codes { token: fob.authenticator, next: 0 };
    assert!(!guest.opens("alice", "alice", &alice.token.counter_codes(0, 1)[0]), "no broker listens yet");

    guest.run("systemctl enable --now twofactord.socket");
    assert_eq!(state(guest, "twofactord.service"), "inactive");
    let code = alice.next();
    assert!(guest.opens("alice", "alice", &code), "a question starts the broker");
    assert_eq!(state(guest, "twofactord.service"), "active");
    assert!(!guest.opens("alice", "alice", &code), "the code is burned");
    assert!(guest.opens("bob", "bob", &bob.next()), "a token from a seed file");
    let log = guest.run("journalctl --boot --no-pager --output=cat _COMM=twofactord _UID=0");
    assert!(log.contains("accepted user=bob asked_by="), "{log}");
    say("a question starts the broker; an app and an imported token open once");

    let kilobytes = idle_kilobytes(guest);
    say(&format!("an idle broker holds {kilobytes} kB (PSS; at most {IDLE_KB})"));
    let points = exposure(guest);
    assert!(points <= EXPOSURE, "{points}");
    say(&format!("systemd-analyze security: {points} (at most {EXPOSURE:.1})"));

    // More than the 60 seconds of idleness.
    guest.run("for i in $(seq 75); do systemctl is-active --quiet twofactord.service || break; sleep 1; done");
    assert_eq!(state(guest, "twofactord.service"), "inactive", "it ends without a question");
    assert!(guest.opens("alice", "alice", &alice.next()), "and is started again");
    say("it ends after a minute without a question, and is started again");

    killed(guest, &mut alice);
    say("killed a hundred times, the socket listens and the next question is answered");
    failing(guest, &mut alice);
    say("a service that cannot start stops the socket for no one");
    crowded(guest, &mut alice);
    say("seventy connections at once stay below TasksMax, and the next question is answered");
    read_only_etc(guest, &mut alice);
    say("a read-only /etc is no obstacle");
    state_elsewhere(guest, &mut alice, &mut bob);
    say("a state elsewhere needs ReadWritePaths, and has it");
    in_polkits_sandbox(guest, &mut alice);
    say("a code opens in the sandbox of polkit 127, and is burned");
    // Last, so that a figure hides no fault.
    assert!(kilobytes <= IDLE_KB, "an idle broker holds {kilobytes} kB");
}

/// The state of a unit, in systemd's word.
fn state(guest: &mut Guest, unit: &str) -> String {
    property(guest, unit, "ActiveState")
}

fn property(guest: &mut Guest, unit: &str, name: &str) -> String {
    let shown = guest.run(&format!("systemctl show --property={name} {unit}"));
    let line = shown.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    line.unwrap_or_else(|| panic!("no {name} of {unit}: {shown}")).trim().to_owned()
}

/// The broker's share of memory, in KiB.
fn idle_kilobytes(guest: &mut Guest) -> u64 {
    let process = property(guest, "twofactord.service", "MainPID");
    let shown = guest.run(&format!("grep ^Pss: /proc/{process}/smaps_rollup"));
    let line = shown.lines().find(|line| line.starts_with("Pss:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// What systemd thinks of the sandbox: 0 is best.
fn exposure(guest: &mut Guest) -> f64 {
    let shown = guest.run("systemd-analyze --no-pager security twofactord.service | tail -n 1");
    let number = shown.lines().find_map(|line| line.split("twofactord.service:").nth(1)?.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no figure: {shown}"))
}

/// Five quick starts would put an end to a unit with systemd's own limits.
fn killed(guest: &mut Guest, alice: &mut Codes) {
    // Without an answer it is asked who has what, no more.
    let rounds = "for i in $(seq 100); do ask alice alice; systemctl kill --signal=KILL twofactord.service; done";
    guest.run(&format!("({rounds}) >/dev/null 2>&1"));
    let starts =
        guest.run("journalctl --boot --no-pager --output=cat --unit=twofactord.service --grep=^Started | wc -l");
    let starts: u64 = starts.lines().find_map(|line| line.trim().parse().ok()).expect("a number");
    assert!(starts >= 100, "{starts} starts");
    assert_eq!(state(guest, "twofactord.socket"), "active");
    assert!(guest.opens("alice", "alice", &alice.next()));
}

/// A program that ends at once, as one without its libraries does.
fn failing(guest: &mut Guest, alice: &mut Codes) {
    guest.run("mkdir -p /run/systemd/system/twofactord.service.d && systemctl stop twofactord.service");
    let drop_in = "printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n'";
    guest.run(&format!("{drop_in} >/run/systemd/system/twofactord.service.d/failing.conf && systemctl daemon-reload"));
    for _ in 0..8 {
        let code = alice.token.counter_codes(alice.next, 1).remove(0);
        assert!(!guest.opens("alice", "alice", &code));
    }
    guest.run("rm -r /run/systemd/system/twofactord.service.d && systemctl daemon-reload");
    assert_eq!(state(guest, "twofactord.socket"), "active");
    assert!(guest.opens("alice", "alice", &alice.next()));
}

fn crowded(guest: &mut Guest, alice: &mut Codes) {
    let process = property(guest, "twofactord.service", "MainPID");
    guest.run("hold 70 3600 >/run/held & until grep -q connections /run/held; do sleep 1; done");
    let most: u64 = property(guest, "twofactord.service", "TasksMax").parse().unwrap();
    let tasks: u64 = property(guest, "twofactord.service", "TasksCurrent").parse().unwrap();
    assert!(tasks < most, "{tasks} of {most}");
    guest.run("kill %%; wait");
    assert!(guest.opens("alice", "alice", &alice.next()));
    assert_eq!(property(guest, "twofactord.service", "MainPID"), process, "it has not ended");
}

fn read_only_etc(guest: &mut Guest, alice: &mut Codes) {
    guest.run("mount --bind /etc /etc && mount -o remount,bind,ro /etc && ! touch /etc/x 2>/dev/null");
    guest.run("systemctl stop twofactord.service");
    assert!(guest.opens("alice", "alice", &alice.next()));
    guest.run("umount /etc");
}

fn state_elsewhere(guest: &mut Guest, alice: &mut Codes, bob: &mut Codes) {
    guest.run("cp --archive /var/lib/twofactor /srv/second && cp /etc/twofactor/twofactor.toml /root/before.toml");
    guest.run("sed -i 's|^# state = .*|state = \"/srv/second\"|' /etc/twofactor/twofactor.toml");
    let code = alice.token.counter_codes(alice.next, 1).remove(0);
    assert!(!guest.opens("alice", "alice", &code), "nothing can be written there");
    let drop_in = "printf '[Service]\\nReadWritePaths=/srv/second\\n'";
    guest.run("mkdir -p /etc/systemd/system/twofactord.service.d");
    guest.run(&format!("{drop_in} >/etc/systemd/system/twofactord.service.d/state.conf && systemctl daemon-reload"));
    guest.run("systemctl restart twofactord.service");
    assert!(guest.opens("alice", "alice", &alice.next()), "allowed to write there");
    assert!(guest.opens("bob", "bob", &bob.next()), "a token as well");
    guest.run("rm -r /etc/systemd/system/twofactord.service.d && cp /root/before.toml /etc/twofactor/twofactor.toml");
    guest.run("systemctl daemon-reload && systemctl stop twofactord.service");
}

fn in_polkits_sandbox(guest: &mut Guest, alice: &mut Codes) {
    let code = alice.next();
    for expected in ["\"status\":0", "\"status\":7"] {
        guest.run(&format!("systemctl start polkit-trial@{code}.service"));
        let unit = format!("--unit=polkit-trial@{code}.service --output=cat --no-pager");
        let shown = guest.run(&format!("journalctl --sync; journalctl {unit} | grep status | tail -n 1"));
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}
