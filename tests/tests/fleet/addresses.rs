//! Names with an address at which nothing answers, and names that are not looked up in time: of a server, and of its database.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::host::trusted::Owner;
use twofactor_core::store::broker::{Broker, LINK};
use twofactor_tests::artifacts::{link, server};
use twofactor_tests::postgres::Postgres;
use twofactor_tests::private_host::private_host;

use super::login::{WEB1, join, link_of};
use super::program::{Machine, said};
use super::{Enrolled, Fleet, is_accepted, redeem};

fn names(lines: &str) {
    let mut hosts = fs::OpenOptions::new().append(true).open("/etc/hosts").unwrap();
    hosts.write_all(lines.as_bytes()).unwrap();
}

/// A machine at the second address of its name, whose database is at the second one of its own. At the first ones programs listen that say
/// nothing, and end with the listeners.
fn behind_dead_addresses() -> Option<(Machine, [TcpListener; 2])> {
    if !Fleet::<Postgres>::postgres_is_there() {
        return None;
    }
    let [database, port] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let number = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let postgres = Postgres::start(&["listen_addresses=127.0.0.2", &format!("port={}", number(&database))]);
    let machine = Machine::on(postgres);
    let machine = Machine { address: format!("127.0.0.2:{}", number(&port)).parse().unwrap(), ..machine };
    machine.configure(&format!("[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n"));
    let text = fs::read_to_string(machine.config()).unwrap();
    let socket = format!("host={}", machine.postgres.home().display());
    fs::write(machine.config(), text.replace(&socket, "host=db1.example.org")).unwrap();
    names("127.0.0.1 db1.example.org otp1.example.org\n127.0.0.2 db1.example.org otp1.example.org\n");
    Some((machine, [database, port]))
}

#[test]
fn an_address_at_which_nothing_answers_takes_its_share_of_the_time_and_no_more() {
    let _ = (server(), link());
    private_host(|host| {
        let Some((machine, silent)) = behind_dead_addresses() else { return };
        machine.make_keys();
        let checked = machine.run(&["check"]);
        assert!(said(&checked).contains("ok       PostgreSQL 1"), "{}", said(&checked));
        let _serving = machine.serve();
        let _linked = join(host, &machine, &machine.site.host(WEB1));
        let store = Broker::link(Path::new(LINK), Owner::ROOT, Duration::from_secs(12));
        // With all of the time at the dead addresses there was no answer.
        let alice = Enrolled::through(&store, "alice");
        let counts = silent.each_ref().map(tried);
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        // The good one is first from now on, also for a link and a server whose connections are gone.
        machine.postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname is not null and pid <> pg_backend_pid()");
        assert!(is_accepted(redeem(&store, &alice.person, &alice.code(0))));
        assert_eq!(silent.each_ref().map(tried), [0, 0]);
        // A look-up of the database's name that does not end takes a part of the time: the addresses that were found before are used.
        let resolver = silent_resolver();
        let known = fs::read_to_string("/etc/hosts").unwrap();
        fs::write("/etc/hosts", known.replace("db1.example.org", "")).unwrap();
        machine.postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname is not null and pid <> pg_backend_pid()");
        assert!(is_accepted(redeem(&store, &alice.person, alice.recovery[0].expose())));
        assert!(was_asked(&resolver), "the name was looked up");
    });
}

/// The connections to a dead address since it was asked for them last.
fn tried(listener: &TcpListener) -> usize {
    listener.set_nonblocking(true).unwrap();
    listener.incoming().take_while(Result::is_ok).count()
}

/// Less than the time that a link gives to the look-up of a name.
const LOOK_UP: Duration = Duration::from_secs(2);

/// True where the resolver was asked for a name.
fn was_asked(resolver: &UdpSocket) -> bool {
    resolver.set_nonblocking(true).unwrap();
    resolver.recv(&mut [0; 512]).is_ok()
}

/// A resolver that never answers, while this value is there.
fn silent_resolver() -> UdpSocket {
    let resolver = UdpSocket::bind("127.0.0.3:53").unwrap();
    fs::write("/etc/resolv.conf", "nameserver 127.0.0.3\noptions timeout:30 attempts:1\n").unwrap();
    resolver
}

#[test]
fn a_name_that_is_not_looked_up_in_time_costs_a_login_a_pause_and_no_more() {
    let _ = (server(), link());
    private_host(|host| {
        let Some(machine) = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n"))
        else {
            return;
        };
        let _serving = machine.serve();
        drop(join(host, &machine, &machine.site.host(WEB1)));
        let resolver = silent_resolver();
        let text = fs::read_to_string("/etc/twofactor/twofactor.toml").unwrap();
        host.configure(&text.replace("servers = [", "servers = [\"lost.example.org\", "));
        let _linked = link_of(host);
        let store = Broker::link(Path::new(LINK), Owner::ROOT, Duration::from_secs(12));
        let began = Instant::now();
        let alice = Enrolled::through(&store, "alice");
        assert!(was_asked(&resolver) && began.elapsed() > LOOK_UP, "the name was looked up: {:?}", began.elapsed());
        // Of logins behind it none waits for the name. One at least is not kept by a machine that is busy with other things.
        let code = alice.code(0);
        let typed = alice.recovery.iter().map(RecoveryCode::expose).chain([code.as_str()]);
        let quickest = typed.map(|typed| {
            let began = Instant::now();
            assert!(is_accepted(redeem(&store, &alice.person, typed)));
            began.elapsed()
        });
        let quickest = quickest.min().unwrap();
        assert!(quickest < LOOK_UP, "{quickest:?}");
    });
}
