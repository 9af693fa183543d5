//! `make demo-fleet`: PostgreSQL, two servers and three hosts. An account that is made at one host holds on all, a code is good once
//! in all of them, and what happens when a server or the database is gone.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use twofactor_tests::artifacts::Artifacts;
use twofactor_tests::first_login::{CONFIRM, Offer, STACK};
use twofactor_tests::machines::Machine;
use twofactor_tests::oathtool::{self, Authenticator};
use twofactor_tests::postgres::Postgres;
use twofactor_tests::private_host::{self, Host, PASSWORD};
use twofactor_tests::terminal::{Size, Terminal};

use crate::USER;
use crate::transcript::{command, look_around, refused, run, say, show, show_without_picture, typed, write_down};

/// The servers, and their ports on the central machine.
const SERVERS: [(&str, u16); 2] = [("otp1.example.org", 7443), ("otp2.example.org", 7444)];

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];

/// A screen with room for a QR code.
const SCREEN: Size = Size { columns: 80, lines: 48 };

/// All of it takes no longer, as it is shown. The suite runs it in debug, beside others.
const LONGEST: Duration = Duration::from_mins(3);

pub(crate) fn demonstrate(artifacts: &Artifacts) {
    let began = Instant::now();
    private_host::run(artifacts, |host| {
        say(
            "All machines here are private namespaces. No systemd runs in them: the programs of its units are started by hand.",
        );
        let [web1, web2, web3] = [(1, HOSTS[0]), (2, HOSTS[1]), (3, HOSTS[2])]
            .map(|(number, name)| Machine::start(host, name, number, STACK));
        let machines = [&web1, &web2, &web3];
        host.add_user(USER);
        let postgres = Postgres::start(&[]);
        let mut servers = central_machine(host, &postgres);
        for machine in machines {
            machine.add_user(USER);
            machine.add_user("admin");
        }
        let links = join_all(host, machines);

        say("Alice logs in at web1 as ever. Behind her password stands a secret of her own, for her phone to scan:");
        let mut app = first_login(&web1);
        say("At web2 she is asked for a code. The one that confirmed the app is burned, so she takes the next one:");
        let code = app.next();
        look_around(ssh(&web2, &code));
        say("The same code at web3, a moment later, typed over her shoulder:");
        refused(ssh(&web3, &code));

        say("Server otp1 is killed. web3 asks the other one, and so does web1:");
        servers[0].kill();
        command("kill -9 $(pidof -s twofactor-server)");
        look_around(ssh(&web3, &app.next()));

        say(
            "The network between web3 and the servers is cut. At web3 no code can be judged, and that is said in time:",
        );
        web3.set_wire(host, false);
        let began = Instant::now();
        refused(with_password_at(USER, &web3));
        assert!(began.elapsed() < Duration::from_secs(15), "refused after {:?}", began.elapsed());
        say("It is mended. A server that failed is asked again after 15 seconds at most:");
        web3.set_wire(host, true);
        sleep(Duration::from_secs(16));
        look_around(ssh(&web3, &app.next()));

        say("An administrator of web1 has an account in web1's own files, for such an hour as comes now:");
        let mut admin = local_account(&web1);
        say("PostgreSQL is stopped. No code of the fleet can be judged now, so none opens anything:");
        signal_postgresql(host, "STOP");
        refused(with_password(USER, &web2));
        say("The administrator gets in:");
        look_around(ssh_as("admin", &web1, &admin.next()));

        signal_postgresql(host, "CONT");
        say(
            "PostgreSQL is back, and Alice has lost her phone. One reset, and no host lets her in before she enrolls anew at web1:",
        );
        run(host, &["reset", USER, "--yes"]);
        refused(with_password(USER, &web2));
        refused(with_password(USER, &web3));
        say("At web1, too, her old code opens nothing: it is no code of the secret that she is shown now.");
        let mut session = with_password(USER, &web1);
        show_without_picture(session.expect(CONFIRM).trim_start());
        let old = app.next();
        typed(&format!("{old}, of the phone that she has lost"));
        session.type_line(&old);
        show(&session.expect("That code is not right."));
        drop(session);
        say("What the central store has seen:");
        run(host, &["log", "--user", USER]);
        drop((links, servers));
    });
    let took = began.elapsed();
    say(&format!("All of that took {} seconds.", took.as_secs()));
    assert!(took < LONGEST || cfg!(debug_assertions), "{took:?}");
}

/// Of the central machine alone: other processes are not to be seen there.
fn signal_postgresql(host: &Host, signal: &str) {
    command(&format!("pkill -{signal} postgres"));
    host.succeed("pkill", [&format!("-{signal}"), "--exact", "postgres"]);
}

/// A program that runs, which ends with this value.
struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"))
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn central_machine(host: &Host, postgres: &Postgres) -> Vec<Program> {
    say("The central machine: PostgreSQL, and two servers on it (with more machines, one on each).");
    let text = |(name, port): (&str, u16)| {
        format!(
            "[store]\npostgresql = \"{}\"\nseed_key = \"/etc/twofactor/seed.key\"\n\n\
             [server]\nlisten = [\"0.0.0.0:{port}\"]\nnames = [\"{name}\"]\n\n\
             [enrollment]\ninvitation = \"none\"\n\n[default]\nsecond_factor = \"enroll\"\n\n[[host]]\nname = \"web1\"\nmay = [\"login\", \"enroll\"]\n\n\
             [[host]]\nname = \"*\"\nmay = [\"login\"]\n",
            postgres.connection()
        )
    };
    host.configure(&text(SERVERS[0]));
    fs::write("/etc/twofactor/otp2.toml", text(SERVERS[1])).expect("a private /etc");
    command("cat /etc/twofactor/twofactor.toml");
    print!("{}", text(SERVERS[0]).replace(&postgres.connection(), "host=/run/postgresql dbname=twofactor"));
    command("twofactor-server key init");
    print!("{}", host.succeed("twofactor-server", ["key", "init"]));
    let servers = [("twofactor.toml", SERVERS[0]), ("otp2.toml", SERVERS[1])].map(|(file, (name, port))| {
        command(&format!("systemctl start twofactor-server    # {name}, port {port}"));
        let mut command = host.command("twofactor-server");
        let server = Program::start(command.arg("--config").arg(Path::new("/etc/twofactor").join(file)).arg("serve"));
        until("a server", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    });
    command("twofactor-server check");
    print!("{}", host.succeed("twofactor-server", ["check"]).replace(&postgres.connection(), "host=/run/postgresql"));
    servers.into()
}

/// Two commands make each host one of the fleet.
fn join_all(host: &Host, machines: [&Machine; 3]) -> Vec<Program> {
    say("Three hosts join. Each takes one command here, which shows a code, and one there:");
    let at_home = machines.into_iter().zip(HOSTS).map(|(machine, name)| format!("{} {name}\n", machine.address()));
    let mut names = OpenOptions::new().append(true).open("/etc/hosts").expect("a private /etc");
    names.write_all(at_home.collect::<String>().as_bytes()).expect("a private /etc");
    let servers = SERVERS.map(|(name, port)| format!("{name}:{port}"));
    machines.into_iter().zip(HOSTS).map(|(machine, name)| join(host, machine, name, &servers)).collect()
}

fn join(host: &Host, machine: &Machine, name: &str, servers: &[String; 2]) -> Program {
    let names: Vec<String> = SERVERS.iter().map(|(name, _)| format!("{} {name}\\n", machine.gateway())).collect();
    let names = names.concat();
    machine.succeed("sh", &["-c", &format!("printf '{names}' >>/etc/hosts")]);
    command(&format!("twofactor host add {name}"));
    let code = host.succeed("twofactor", ["--quiet", "host", "add", name]);
    print!("{code}");
    let code = code.lines().rev().find(|line| !line.trim().is_empty()).expect("a code").trim().to_owned();
    let mut join = machine.command("twofactor-link");
    join.args(["join"]).args(servers);
    println!("{name}# twofactor fleet join {}", servers.join(" "));
    let mut session = Terminal::start(&join, SCREEN);
    show(&session.expect("Join code: "));
    typed(&code);
    session.type_line(&code);
    let status = session.wait();
    show(&session.rest());
    assert!(status.success(), "{name} joins");
    machine
        .succeed("sh", &["-c", "printf '[fleet]\\nservers = [\"otp1.example.org:7443\",\"otp2.example.org:7444\"]\\n[default]\\nsecond_factor = \"enroll\"\\n' >>/etc/twofactor/twofactor.toml"]);
    let link = Program::start(machine.command("twofactor-link").args(["--listen", "/run/twofactor-link/socket"]));
    until("the link", || machine.run("test", &["-S", "/run/twofactor-link/socket"]).status.success());
    link
}

/// An app whose codes are typed one after the other.
struct Phone {
    app: Authenticator,
    step: u64,
}

impl Phone {
    /// The next code that was not used. Waits for it where it is too far ahead.
    fn next(&mut self) -> String {
        let now = || oathtool::now() / 30;
        self.step = (self.step + 1).max(now());
        while self.step > now() + 1 {
            sleep(Duration::from_millis(200));
        }
        self.app.code_at(self.step * 30)
    }
}

fn first_login(machine: &Machine) -> Phone {
    let mut session = with_password(USER, machine);
    let shown = session.expect(CONFIRM);
    show_without_picture(shown.trim_start());
    let mut phone = Phone { app: Offer::read(&shown).app, step: 0 };
    let code = phone.next();
    typed(&format!("{code}, which oathtool computed from the secret"));
    session.type_line(&code);
    write_down(&mut session);
    look_around(session);
    phone
}

fn local_account(machine: &Machine) -> Phone {
    println!("web1# twofactor enroll admin --local");
    let shown = machine.succeed("twofactor", &["--json", "enroll", "admin", "--local", "--no-confirm"]);
    let uri = shown.split('"').find(|word| word.starts_with("otpauth://")).expect("a URI");
    println!("[a QR code]");
    Phone { app: Authenticator::from_uri(uri), step: 0 }
}

/// An ssh client on the administrator's own machine.
fn with_password(user: &str, machine: &Machine) -> Terminal {
    command(&format!("ssh {user}@{}", machine.name()));
    password_over(Command::new("ssh"), user, machine)
}

/// The same on the host itself.
fn with_password_at(user: &str, machine: &Machine) -> Terminal {
    println!("{}# ssh {user}@localhost", machine.name());
    password_over(machine.command("ssh"), user, machine)
}

fn password_over(mut ssh: Command, user: &str, machine: &Machine) -> Terminal {
    ssh.args(["-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1", "-tt"]);
    ssh.arg(format!("{user}@{}", machine.address())).arg("exec /bin/sh");
    ssh.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TERM", "xterm").env("LANG", "C.UTF-8");
    let mut session = Terminal::start(&ssh, SCREEN);
    show(&session.expect("assword: "));
    typed("the password");
    session.type_line(PASSWORD);
    session
}

fn ssh(machine: &Machine, code: &str) -> Terminal {
    ssh_as(USER, machine, code)
}

fn ssh_as(user: &str, machine: &Machine, code: &str) -> Terminal {
    let mut session = with_password(user, machine);
    show(session.expect("code: ").trim_start());
    typed(code);
    session.type_line(code);
    session
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} does not listen");
        sleep(Duration::from_millis(50));
    }
}
