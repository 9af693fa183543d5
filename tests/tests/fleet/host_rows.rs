//! The rows of hosts and certificates: changed by others, changed at once by two, and a join whose answer is lost.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use twofactor_core::store::wire::{HostCall, IssuedCertificate};
use twofactor_net::host_key::HostKey;
use twofactor_net::join_code::JoinCode;

use super::joining::{WEB1, added};
use super::members::{Member, central, in_files, new_key, refusal, until};
use super::network::{HELLO, ask};
use super::program::{Backing, Machine, said};
use super::renewal::{self, Activated};
use super::{Enrolled, Fleet, question};

fn is_heard<S: Backing>(member: &Member, machine: &Machine<S>) -> bool {
    ask(&mut member.connect(machine.address), HELLO).unwrap().in_short() == "done"
}

#[test]
fn a_row_that_another_program_has_changed_opens_nothing_and_check_names_it() {
    let Some(machine) = central() else { return };
    let mut serving = machine.serve();
    let (web1, web2) = (Member::joined_as(&machine, &[WEB1, "--group", "daemon"]), Member::joined(&machine, "web2"));
    let sql = |statement: &str| machine.postgres.sql(statement);
    let change = |statement: &str| {
        sql(statement);
        sql("update twofactor.authority set changes = changes + 1");
    };
    let back = "truncate twofactor.host cascade; insert into twofactor.host table kept_h; \
                insert into twofactor.certificate table kept_c";
    sql("create table kept_h as table twofactor.host; create table kept_c as table twofactor.certificate");
    assert!(is_heard(&web1, &machine) && is_heard(&web2, &machine));
    for (statement, named) in [
        ("update twofactor.host set groups = '{}' where name like 'web1%'", "host web1.example.org"),
        ("update twofactor.host set groups = '{games}' where name like 'web1%'", "host web1.example.org"),
        ("update twofactor.certificate set until = until + interval '1 year' where host like 'web1%'", "certificate "),
        (
            "update twofactor.host set standing = 7 where name like 'web1%'; \
             update twofactor.certificate set standing = 7 where host like 'web1%'",
            "host web1.example.org",
        ),
        (
            "update twofactor.certificate c set proof = o.proof from twofactor.certificate o \
             where c.host like 'web1%' and o.host = 'web2'",
            "certificate ",
        ),
        ("update twofactor.host set proof = '' where name like 'web1%'", "host web1.example.org"),
    ] {
        change(statement);
        until(statement, || !is_heard(&web1, &machine));
        assert!(is_heard(&web2, &machine), "{statement}");
        let checked = machine.run(&["check"]);
        assert!(!checked.status.success(), "{statement}");
        assert!(said(&checked).contains(&format!("the record of {named}")), "{statement}: {}", said(&checked));
        change(back);
        until("it is heard as before", || is_heard(&web1, &machine));
    }
    assert!(machine.run(&["check"]).status.success());

    // Revoked: the row of the certificate alone brings nothing back, nor does the mark.
    assert!(machine.tool(&["host", "revoke", WEB1]).status.success());
    change(
        "insert into twofactor.certificate select * from kept_c where host like 'web1%'; \
         update twofactor.host set revoked = null where name like 'web1%'",
    );
    let daemon = Enrolled::at(&Fleet::beside(&machine.postgres, machine.site.place("seed.key")).host("web9"), "daemon");
    let asked = ask(&mut web1.connect(machine.address), &question(&daemon, &daemon.code(0), 1)).unwrap();
    assert_eq!(asked.in_short(), "failed store-unavailable");
    change("update twofactor.certificate c set standing = h.standing from twofactor.host h where h.name = c.host");
    let asked = ask(&mut web1.connect(machine.address), &question(&daemon, &daemon.code(0), 2)).unwrap();
    assert_eq!(asked.in_short(), "failed store-unavailable");
    // Added again its row is whole, and it joins.
    let new = Member::joined_as(&machine, &[WEB1, "--again", "--group", "daemon"]);
    until("it is heard again", || is_heard(&new, &machine));
    assert!(!is_heard(&web1, &machine));
    assert!(machine.run(&["check"]).status.success());

    // An administrator who writes can roll all rows of a host back, and no more: SECURITY says so.
    assert!(machine.tool(&["host", "revoke", WEB1]).status.success());
    change(&format!("truncate twofactor.join_code; {back}"));
    until("it is heard as it was", || is_heard(&web1, &machine));
    assert!(serving.end().success());
    let mut log = String::new();
    serving.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(log.matches("host web1.example.org is not heard: its row in the database").count(), 1, "{log}");
}

#[test]
fn a_login_is_judged_though_other_hosts_change_while_it_is_looked_at() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    let alice = Enrolled::at(&Fleet::beside(&machine.postgres, machine.site.place("seed.key")).host("web9"), "alice");
    let mut connection = web1.connect(machine.address);
    assert_eq!(ask(&mut connection, HELLO).unwrap().in_short(), "done");
    let (line, postgres) = (question(&alice, &alice.code(0), 1), &machine.postgres);
    let hold = || postgres.transaction("lock table twofactor.state in access exclusive mode");
    let change = || postgres.sql("update twofactor.authority set changes = changes + 1");
    // Each time between the look at the host and the one at the account.
    let mut holding = hold();
    thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&mut connection, &line).unwrap().in_short());
        postgres.until_waiting(1);
        let next = scope.spawn(hold);
        postgres.until_waiting(2);
        change();
        holding.commit();
        holding = next.join().unwrap();
        postgres.until_waiting(1);
        change();
        holding.commit();
        assert_eq!(asking.join().unwrap(), "redeemed app");
    });
}

#[test]
fn a_number_of_changes_that_was_set_back_keeps_no_revoked_host() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    assert!(is_heard(&web1, &machine));
    assert!(machine.tool(&["host", "revoke", WEB1]).status.success());
    machine.postgres.sql("update twofactor.authority set changes = changes - 1");
    until("it is heard no more", || !is_heard(&web1, &machine));
}

#[test]
fn a_certificate_from_before_a_revocation_is_not_renewed_though_its_row_and_the_number_of_changes_were_set_back() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    assert!(is_heard(&web1, &machine));
    let sql = |statement: &str| machine.postgres.sql(statement);
    sql(
        "create table kept as table twofactor.certificate; create table before as select changes from twofactor.authority",
    );
    assert!(machine.tool(&["host", "revoke", WEB1]).status.success());
    added(&machine, &[WEB1]);
    // So a server goes by what it knows of the host, for some seconds.
    sql("insert into twofactor.certificate table kept;
         update twofactor.authority set changes = before.changes from before");
    let line = HostCall::Renew(new_key(&HostKey::generate().unwrap())).message().line().unwrap();
    let answer = ask(&mut web1.connect(machine.address), &line).unwrap();
    assert!(answer.in_short().starts_with("failed "), "{}", answer.in_short());
    assert_eq!(sql("select count(*) from twofactor.certificate"), "1", "no other was made");
}

#[test]
fn the_name_of_a_row_that_was_changed_stands_in_no_command() {
    const NAME: &str = "web2 --again; reboot #";
    let Some(machine) = central() else { return };
    let mut serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    machine.postgres.sql(&format!(
        "insert into twofactor.host (name, groups, standing, proof)
             select '{NAME}', groups, standing, proof from twofactor.host;
         update twofactor.certificate set host = '{NAME}';
         update twofactor.authority set changes = changes + 1"
    ));
    until("the change is seen", || !is_heard(&web1, &machine));
    let checked = said(&machine.run(&["check"]));
    assert!(checked.contains(&format!("the record of host {NAME:?}")), "{checked}");
    assert!(serving.end().success());
    let mut log = String::new();
    serving.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains(&format!("host {NAME:?} is not heard")) && !log.contains("twofactor host add"), "{log}");
}

#[test]
fn names_of_rows_reach_no_terminal_raw() {
    const NAME: &str = "\u{1b}]0;x\u{7}eve\u{202e}";
    let Some(machine) = central() else { return };
    let serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    assert!(is_heard(&web1, &machine));
    drop(serving);
    machine.postgres.sql(&format!(
        "insert into twofactor.state (name, version, key, sealed) values ('{NAME}', 1, 1, '\\x00');
         insert into twofactor.burned (seed, key, sealed) values ('{NAME}', 1, '\\x00');
         update twofactor.server set host = '{NAME}', program = '{NAME}'"
    ));
    assert!(machine.run(&["key", "rotate"]).status.success());
    let outputs = [
        machine.run(&["check"]),
        machine.run(&["key", "status"]),
        machine.run(&["key", "rotate", "--seal"]),
        machine.run(&["key", "reseal"]),
    ];
    for output in outputs {
        let output = said(&output);
        assert!(!output.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{output:?}");
    }
    assert!(said(&machine.run(&["check"])).contains("eve"), "the row is named");
}

#[test]
fn a_certificate_that_was_being_renewed_when_its_host_was_revoked_counts_for_nothing() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    let alice = Enrolled::at(&Fleet::beside(&machine.postgres, machine.site.place("seed.key")).host("web9"), "alice");
    let mut connection = web1.connect(machine.address);
    assert_eq!(ask(&mut connection, HELLO).unwrap().in_short(), "done");
    let held = machine.postgres.transaction("update twofactor.authority set wrong = wrong");
    let key = HostKey::generate().unwrap();
    let issued = thread::scope(|scope| {
        let line = HostCall::Renew(new_key(&key)).message().line().unwrap();
        let renewing = scope.spawn(move || ask(&mut connection, &line).unwrap());
        machine.postgres.until_waiting(1);
        // It has looked at the certificates before the renewal is there.
        let revoking = scope.spawn(|| machine.tool(&["host", "revoke", WEB1]));
        machine.postgres.until_waiting(2);
        held.commit();
        assert!(revoking.join().unwrap().status.success());
        IssuedCertificate::read(renewing.join().unwrap()).unwrap().unwrap()
    });
    let renewed = Member { issued, key };
    let asks = |member: &Member, number| {
        let line = question(&alice, &alice.code(0), number);
        ask(&mut member.connect(machine.address), &line).unwrap().in_short()
    };
    assert_eq!(asks(&renewed, 1), "failed store-unavailable");
    // Nor once the host is added again, and has not joined yet.
    let code = JoinCode::read(&added(&machine, &[WEB1])).unwrap();
    assert_eq!(asks(&renewed, 2), "failed store-unavailable");
    assert_eq!(asks(&Member::with(machine.address, &code).unwrap(), 3), "redeemed app");
    assert_eq!(asks(&renewed, 4), "failed store-unavailable");
}

#[test]
fn a_join_whose_answer_was_lost_is_answered_again_for_the_same_key_and_for_no_other() {
    let Some(machine) = central() else { return };
    lost_join(&machine);
}

#[test]
fn a_join_of_a_fleet_in_files_whose_answer_was_lost_is_answered_again_for_the_same_key_and_for_no_other() {
    lost_join(&in_files());
}

/// A join whose answer was lost is answered again for the same key and for no other.
fn lost_join<S: Backing>(machine: &Machine<S>) {
    let _serving = machine.serve();
    let code = JoinCode::read(&added(machine, &[WEB1])).unwrap();
    let first = HostKey::generate().unwrap();
    let key = || HostKey { private: first.private.clone(), request: first.request.clone() };
    let lost = Member::with_key(machine.address, &code, key()).unwrap();
    let again = Member::with_key(machine.address, &code, key()).unwrap();
    assert_eq!(again.issued.name, WEB1);
    until("the second one is heard", || is_heard(&again, machine));
    assert!(!is_heard(&lost, machine), "one certificate counts");
    assert_eq!(refusal(Member::with(machine.address, &code)), "the join code was used already");
    machine.postgres.either(
        "update twofactor.join_code set used = used - interval '11 minutes'",
        "update join_code set used = used - 660",
    );
    assert_eq!(refusal(Member::with_key(machine.address, &code, key())), "the join code was used already");
    assert!(is_heard(&again, machine));
}

#[test]
fn a_link_that_gets_no_answer_to_a_join_asks_again() {
    let Some(machine) = renewal::central() else { return };
    let _serving = machine.serve();
    let between = Lossy::before(machine.address);
    let host = Activated::joined_through(&machine, between.address, "web1");
    assert!(between.lost.load(Ordering::SeqCst) >= 1, "an answer was lost");
    assert_eq!(
        machine.postgres.sql("select count(*), min(serial) from twofactor.certificate"),
        format!("1|{}", host.serial())
    );
}

/// A network in which the answer to the first connection's question is lost.
struct Lossy {
    address: SocketAddr,
    lost: Arc<AtomicUsize>,
}

impl Lossy {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, lost) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&lost);
        thread::spawn(move || {
            for (turn, client) in listener.incoming().map_while(Result::ok).enumerate() {
                let (server, counted) = (TcpStream::connect(server).unwrap(), Arc::clone(&counted));
                relay(client, server, (turn == 0).then_some(counted));
            }
        });
        Self { address, lost }
    }
}

/// Both ways, to the end. Where `lost` counts, what the server says after the client has spoken twice is lost: the first time it greets, the
/// second time it asks.
fn relay(client: TcpStream, server: TcpStream, lost: Option<Arc<AtomicUsize>>) {
    let asked = Arc::new(AtomicBool::new(false));
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let answered = Arc::new(AtomicBool::new(false));
    let (asks, hears) = (Arc::clone(&asked), Arc::clone(&answered));
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from_client.read(&mut bytes) {
            if hears.load(Ordering::SeqCst) {
                asks.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        let (mut server, mut client, mut bytes) = (server, client, [0; 4096]);
        while let Ok(read @ 1..) = server.read(&mut bytes) {
            match &lost {
                Some(lost) if asked.load(Ordering::SeqCst) => {
                    lost.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                _ => {
                    answered.store(true, Ordering::SeqCst);
                    if client.write_all(&bytes[..read]).is_err() {
                        break;
                    }
                }
            }
        }
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
}
