//! The keys of a store, and what they seal.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use twofactor_core::log::reason::Reason;
use twofactor_server::{OTHER_BYTES, SEALED_COLUMNS};
use twofactor_tests::requirements;

use super::meanwhile::{Logins, until};
use super::network::ask;
use super::program::{Machine, Serving, said};
use super::{Enrolled, Fleet, is_accepted, question, redeem, refusal};

#[test]
fn every_column_of_bytes_in_the_schema_is_known_to_be_sealed_or_not() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let there = fleet.postgres.sql(
        "select table_name || '.' || column_name from information_schema.columns
         where table_schema = 'twofactor' and data_type = 'bytea'",
    );
    let there: BTreeSet<String> = there.lines().map(str::to_owned).collect();
    let sealed = SEALED_COLUMNS.iter().map(|column| format!("{}.{}", column.table, column.sealed));
    let others = OTHER_BYTES.iter().map(|(table, column)| format!("{table}.{column}"));
    assert_eq!(sealed.chain(others).collect::<BTreeSet<_>>(), there);
}

/// Runs `key …`, which must succeed.
#[track_caller]
fn key(machine: &Machine, arguments: &[&str]) -> String {
    let output = machine.run(&[&["key"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

#[track_caller]
fn refused(machine: &Machine, arguments: &[&str]) -> String {
    let output = machine.run(&[&["key"], arguments].concat());
    assert!(!output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

#[track_caller]
/// The numbers of the keys that records have.
fn in_use(machine: &Machine) -> String {
    let each = SEALED_COLUMNS.iter().map(|column| {
        format!("select {} as key from twofactor.{} where {} is not null", column.key, column.table, column.sealed)
    });
    let each = each.collect::<Vec<_>>().join(" union ");
    machine.postgres.sql(&format!("select string_agg(key::text, ',' order by key) from ({each}) as every"))
}

#[test]
fn a_key_is_changed_while_logins_run_and_no_server_is_left_behind() {
    let Some(machine) = Machine::new() else { return };
    key(&machine, &["init"]);
    machine.configure("[[host]]\nname = \"web1.example.org\"\nmay = [\"login\", \"enroll\"]\n");
    let serving = machine.serve();
    let file = machine.site.place("seed.key");
    // A server elsewhere, whose file is not this one.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("seed.key");
    fs::copy(&file, &copy).unwrap();
    let elsewhere = Fleet::beside(&machine.postgres, copy.clone());
    let desk = elsewhere.host("desk");
    let users: Vec<Enrolled> = (0..600).map(|user| Enrolled::at(&desk, &format!("user{user}"))).collect();
    let server = &elsewhere.servers[0];
    let house = elsewhere.runtime.spawn({
        let server = std::sync::Arc::clone(server);
        async move { server.keep_house(400).await }
    });
    assert!(refused(&machine, &["retire"]).contains("no other key"));

    let logins = Logins::default();
    thread::scope(|scope| {
        // Every login of the whole rotation is accepted, at both servers.
        let logging_in = scope.spawn(|| {
            let mut web1 = machine.site.connect(machine.address, Some(machine.site.host("web1.example.org")));
            logins.go_on(&users, &mut web1, &desk, Duration::from_millis(60));
        });
        let said = key(&machine, &["rotate"]);
        assert!(said.contains("key 2, which opens and does not seal yet"), "{said}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o400);
        until("the server here has read the file", || {
            machine.postgres.sql("select count(*) from twofactor.server where keys = '{1,2}'") == "1"
        });
        let problem = refused(&machine, &["rotate", "--seal"]);
        assert!(problem.contains("does not have key 2"), "{problem}");
        assert_eq!(in_use(&machine), "1");
        fs::copy(&file, &copy).unwrap();
        server.renew_keys(twofactor_server::read_keys(&copy, super::owner()).unwrap()).unwrap();
        until("the other one has it", || {
            machine.postgres.sql("select count(*) from twofactor.server where keys = '{1,2}'") == "2"
        });
        let said = key(&machine, &["rotate", "--seal"]);
        assert!(said.contains("Key 2 seals") && said.contains("2 servers"), "{said}");
        until("a login is sealed with the new key", || in_use(&machine) == "1,2");
        assert!(refused(&machine, &["retire"]).contains("seals with key 1 still"));
        // The other server has the old file, and seals with the old key still.
        fs::copy(&file, &copy).unwrap();
        server.renew_keys(twofactor_server::read_keys(&copy, super::owner()).unwrap()).unwrap();
        until("both seal with it", || {
            machine.postgres.sql("select count(*) from twofactor.server where sealing = 2") == "2"
        });
        let said = key(&machine, &["reseal"]);
        assert!(said.contains("Every record has key 2"), "{said}");
        assert_eq!(in_use(&machine), "2");
        let during = logins.so_far();
        until("logins go on", || logins.so_far() > during + 2);
        logins.stop.store(true, Ordering::SeqCst);
        logging_in.join().unwrap();
    });
    machine.postgres.sql("delete from twofactor.answer where key = 1");
    let said = key(&machine, &["retire"]);
    assert!(said.contains("Keys [1] are gone"), "{said}");
    let status = key(&machine, &["status"]);
    assert!(!status.contains("key 1:") && status.contains("key 2: ") && status.contains("seals with 2"), "{status}");
    // With the new file alone all accounts open, and used codes stay used.
    drop(serving);
    house.abort();
    let _serving = machine.serve();
    let mut web1 = machine.site.connect(machine.address, Some(machine.site.host("web1.example.org")));
    for (number, user) in (10_000..).zip(users.iter().take(4)) {
        let again = ask(&mut web1, &question(user, &user.code(0), number)).unwrap().in_short();
        assert!(["refused replayed", "redeemed app"].contains(&again.as_str()), "{again}");
    }
    // A server with the old file says what it lacks.
    let old = fs::read_to_string(&copy).unwrap().replace("sealing = 2", "sealing = 1");
    let only_first = old[..old.find("\n[[key]]\nnumber = 2").unwrap()].to_owned();
    fs::remove_file(&file).unwrap();
    fs::write(&file, only_first).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let refusal = super::program::said(&machine.run(&["serve"]));
    assert!(refusal.contains("key 2, which this server does not have"), "{refusal}");
}

#[test]
fn of_commands_at_once_none_undoes_the_change_of_another() {
    const AT_ONCE: usize = 2;
    let Some(machine) = Machine::new() else { return };
    let at_once = |arguments: &[&str]| -> Vec<Output> {
        let start = || machine.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started: Vec<_> = (0..AT_ONCE).map(|_| start()).collect();
        started.into_iter().map(|command| command.wait_with_output().unwrap()).collect()
    };
    let made = at_once(&["key", "init"]);
    assert_eq!(made.iter().filter(|output| output.status.success()).count(), 1, "one that is there stays");
    let file = machine.site.place("seed.key");
    let mut keys = 1;
    for _ in 0..4 {
        for output in at_once(&["key", "rotate"]) {
            assert!(output.status.success(), "{}", said(&output));
            keys += 1;
        }
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches("[[key]]").count(), keys, "a key was said to be there, and is gone");
    }
    // While another command has the lock, nothing is changed.
    let before = fs::read(&file).unwrap();
    let lock = fs::File::open(machine.site.place(LOCK)).unwrap();
    lock.lock().unwrap();
    assert!(refused(&machine, &["rotate"]).contains("another command works with the keys"));
    assert_eq!(fs::read(&file).unwrap(), before);
    key(&machine, &["status"]);
    lock.unlock().unwrap();
    key(&machine, &["rotate"]);
}

/// The file beside the keys that a command locks.
const LOCK: &str = ".seed.key.lock";

/// A user other than root.
const STRANGER: u32 = 65534;

#[test]
fn another_user_who_may_list_the_folder_of_the_keys_stops_no_command() {
    if !requirements::programs_met(&["flock"]) {
        return;
    }
    let Some(machine) = Machine::new() else { return };
    let (file, lock) = (machine.site.place("seed.key"), machine.site.place(LOCK));
    let folder = file.parent().unwrap();
    // As /etc/twofactor is.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    key(&machine, &["init"]);

    let mut stranger = Command::new("flock");
    stranger.arg(folder).args(["sh", "-c", "echo locked; exec cat"]).uid(STRANGER).gid(STRANGER);
    let mut stranger = stranger.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(stranger.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "locked\n");
    let mut stranger = Running(Some(stranger));
    key(&machine, &["rotate"]);
    assert!(!stranger.is_over(), "the folder was locked all the time");
    let made = fs::metadata(&lock).unwrap();
    assert_eq!((made.mode() & 0o7777, made.uid()), (0o600, 0));
    let refusal = Command::new("flock").arg("-n").arg(&lock).arg("true").uid(STRANGER).gid(STRANGER).output().unwrap();
    assert!(!refusal.status.success(), "another user has locked the file");
    key(&machine, &["rotate"]);
    assert_eq!(fs::metadata(&lock).unwrap().ino(), made.ino(), "all commands lock the same file");
}

#[test]
fn the_lock_of_the_keys_is_the_owners_of_the_folder_and_no_link_or_file_of_others_is_locked() {
    let Some(machine) = Machine::new() else { return };
    let (file, lock) = (machine.site.place("seed.key"), machine.site.place(LOCK));
    let elsewhere = machine.site.place("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
    assert!(refused(&machine, &["init"]).contains(LOCK));
    assert!(!elsewhere.exists() && !file.exists());
    fs::remove_file(&lock).unwrap();
    for (mode, owner) in [(0o644, 0), (0o600, STRANGER)] {
        fs::write(&lock, "").unwrap();
        fs::set_permissions(&lock, fs::Permissions::from_mode(mode)).unwrap();
        chown(&lock, Some(owner), Some(owner)).unwrap();
        let refusal = refused(&machine, &["init"]);
        assert!(refusal.contains("others than the owner of the folder may lock it"), "{refusal}");
        assert!(!file.exists());
        fs::remove_file(&lock).unwrap();
    }
    // A folder of the server's user: the lock of root's command is no obstacle to that user's own.
    chown(file.parent().unwrap(), Some(STRANGER), Some(STRANGER)).unwrap();
    key(&machine, &["init"]);
    let made = fs::metadata(&lock).unwrap();
    assert_eq!((made.mode() & 0o7777, made.uid()), (0o600, STRANGER));
    key(&machine, &["rotate"]);
}

/// Puts a file in the place of another one, as a change of keys does.
fn replace(file: &Path, content: &[u8]) {
    let new = file.with_extension("replacing");
    fs::write(&new, content).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn a_file_of_keys_that_changes_while_the_server_starts_is_read() {
    let Some(machine) = Machine::with("") else { return };
    let file = machine.site.place("seed.key");
    let first = fs::read(&file).unwrap();
    key(&machine, &["rotate"]);
    let second = fs::read(&file).unwrap();
    replace(&file, &first);
    // It has read the file, and waits for the database.
    let holding = machine.postgres.transaction("lock table twofactor.store in access exclusive mode");
    let mut serving = Serving(machine.command(&["serve"]).spawn().unwrap());
    machine.postgres.until_waiting(1);
    replace(&file, &second);
    holding.commit();
    machine.until_it_listens();
    until("the server has read the new file", || {
        machine.postgres.sql("select count(*) from twofactor.server where keys = '{1,2}'") == "1"
    });
    assert!(serving.end().success());
}

#[test]
fn a_key_is_taken_away_only_once_no_server_can_seal_with_it() {
    let Some(machine) = Machine::with("") else { return };
    let (file, folder) = (machine.site.place("seed.key"), tempfile::tempdir().unwrap());
    let copy = folder.path().join("seed.key");
    fs::copy(&file, &copy).unwrap();
    // It is not known to run: as one that was stopped for a minute.
    let elsewhere = Fleet::beside(&machine.postgres, copy.clone());
    let desk = elsewhere.host("desk");
    let (alice, bob) = (Enrolled::at(&desk, "alice"), Enrolled::at(&desk, "bob"));
    let renew = || {
        fs::copy(&file, &copy).unwrap();
        elsewhere.servers[0].renew_keys(twofactor_server::read_keys(&copy, super::owner()).unwrap())
    };
    // From now on the host has a row of its wrong codes.
    assert_eq!(refusal(redeem(&desk.store(), &bob.person, &bob.wrong())), Reason::WrongCode);
    key(&machine, &["rotate"]);
    assert!(renew().unwrap());
    key(&machine, &["rotate", "--seal"]);
    key(&machine, &["reseal"]);
    assert_eq!(in_use(&machine), "2");

    // As the write of a server that was stopped in the middle: sealed with the old key, and not committed yet.
    let written = "insert into twofactor.answer (question, key, sealed) values (sha256('one'), 1, '\\x00')";
    let holding = machine.postgres.transaction(written);
    let mut retire = machine.command(&["key", "retire"]);
    let mut retire = Running(Some(retire.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()));
    let looks = "select count(*) from pg_stat_activity where query like '%pg_locks%' and pid <> pg_backend_pid()";
    until("the command waits for the write", || machine.postgres.sql(looks) != "0" || retire.is_over());
    assert!(!retire.is_over(), "the key was taken away while a record was being written with it");
    assert_eq!(machine.postgres.sql("select oldest_key from twofactor.store"), "2");
    holding.commit();
    let refusal = retire.ended();
    assert!(!refusal.status.success() && said(&refusal).contains("records have key 1"), "{}", said(&refusal));
    assert_eq!(in_use(&machine), "2");

    // The server with the old file writes nothing until it has the new one.
    let states = || machine.postgres.sql("select string_agg(version::text, ',' order by name) from twofactor.state");
    let before = states();
    let error = redeem(&desk.store(), &bob.person, &bob.code(0)).unwrap_err();
    assert_eq!(error.reason(), Reason::StoreUnavailable);
    assert!(error.to_string().contains("this server seals with key 1"), "{error}");
    assert_eq!(states(), before);
    let old = fs::read(&file).unwrap();
    replace(&file, &fs::read(&copy).unwrap());
    let problem = said(&machine.run(&["check"]));
    assert!(problem.contains("problem  this server seals with key 1"), "{problem}");
    assert!(refused(&machine, &["reseal"]).contains("this server seals with key 1"));
    replace(&file, &old);
    assert!(renew().unwrap());
    assert!(is_accepted(redeem(&desk.store(), &bob.person, &bob.code(0))));

    machine.postgres.sql("delete from twofactor.answer where key = 1");
    let retired = key(&machine, &["retire"]);
    assert!(retired.contains("Keys [1] are gone"), "{retired}");
    assert!(renew().unwrap() && !renew().unwrap());
    for user in [&alice, &bob] {
        assert!(is_accepted(redeem(&desk.store(), &user.person, &user.code(1))), "{}", user.person.name);
    }
}

/// A command that runs, and does not outlive this value.
struct Running(Option<Child>);

impl Running {
    fn is_over(&mut self) -> bool {
        self.0.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    fn ended(&mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_copy_of_the_keys_for_the_escrow_opens_with_age_and_nothing_is_made_without_it() {
    if !requirements::programs_met(&["age", "age-keygen"]) {
        return;
    }
    let Some(machine) = Machine::new() else { return };
    let identity = machine.site.place("identity");
    assert!(Command::new("age-keygen").arg("-o").arg(&identity).output().unwrap().status.success());
    let recipient = Command::new("age-keygen").arg("-y").arg(&identity).output().unwrap();
    let recipient = String::from_utf8(recipient.stdout).unwrap().trim().to_owned();
    let (file, escrow) = (machine.site.place("seed.key"), machine.site.place("escrow.age"));
    let place = escrow.display().to_string();
    assert!(
        refused(&machine, &["init", "--recipient", "age1nobody", "--escrow", &place]).contains("no recipient of age")
    );
    refused(&machine, &["init", "--recipient", &recipient]);
    fs::create_dir(&escrow).unwrap();
    refused(&machine, &["init", "--recipient", &recipient, "--escrow", &place]);
    assert!(!file.exists(), "no key without its copy");
    fs::remove_dir(&escrow).unwrap();
    let said = key(&machine, &["init", "--recipient", &recipient, "--escrow", &place]);
    assert!(said.contains("The copy for its keepers is"), "{said}");
    let opened =
        |path: &Path| Command::new("age").arg("-d").arg("-i").arg(&identity).arg(path).output().unwrap().stdout;
    assert_eq!(opened(&escrow), fs::read(&file).unwrap());
    assert_eq!(fs::metadata(&escrow).unwrap().mode() & 0o777, 0o600);
    let second = machine.site.place("escrow2.age");
    key(&machine, &["rotate", "--recipient", &recipient, "--escrow", &second.display().to_string()]);
    assert_eq!(opened(&second), fs::read(&file).unwrap());
}

#[test]
fn keys_that_come_as_a_credential_of_systemd_are_found() {
    let Some(machine) = Machine::new() else { return };
    key(&machine, &["init"]);
    let credentials = tempfile::tempdir().unwrap();
    let credential = credentials.path().join("seed.key");
    fs::rename(machine.site.place("seed.key"), &credential).unwrap();
    assert!(!machine.run(&["check"]).status.success());
    let check = || machine.command(&["check"]).env("CREDENTIALS_DIRECTORY", credentials.path()).output().unwrap();
    for (mode, is_good) in [(0o400, true), (0o440, true), (0o444, false), (0o460, false)] {
        fs::set_permissions(&credential, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(check().status.success(), is_good, "{mode:o}: {}", said(&check()));
    }
}
