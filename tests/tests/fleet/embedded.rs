//! The central store without PostgreSQL: files and SQLite in a folder of one server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _};
use tokio::runtime::Runtime;
use twofactor_core::config::rule::Level;
use twofactor_core::config::{Config, InvitationRule};
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::wire::Message;
use twofactor_server::{Host, Server, ServerError, init_keys, read_keys};

use super::program::Backing;
use super::relay::Asking;
use super::{Enrolled, enrolling, is_accepted, logins, own_changes, owner, races, redeem, refusal};

/// The folder of a central store in files.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The first value that a query of the file of hosts gives, as text; empty where there is none.
    pub(crate) fn sql(&self, query: &str) -> String {
        let file = Connection::open(self.path().join("fleet.db")).unwrap();
        file.busy_timeout(Duration::from_secs(10)).unwrap();
        let value = file.query_row(query, [], |row| row.get::<_, Value>(0)).optional().unwrap();
        match value {
            Some(Value::Text(text)) => text,
            Some(Value::Integer(number)) => number.to_string(),
            None => String::new(),
            other => format!("{other:?}"),
        }
    }
}

impl Backing for Files {
    fn line(&self) -> String {
        format!("folder = \"{}\"", self.path().display())
    }

    fn either(&self, _: &str, sqlite: &str) -> String {
        self.sql(sqlite)
    }
}

/// A server of this process on a folder.
pub(crate) struct Central {
    pub(crate) folder: Files,
    key_file: PathBuf,
    _keys: tempfile::TempDir,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) servers: Vec<Arc<Server>>,
}

impl Central {
    pub(crate) fn new() -> Self {
        let (folder, keys) = (Files::new(), tempfile::tempdir().unwrap());
        let key_file = keys.path().join("seed.key");
        init_keys(&key_file, None).unwrap();
        let mut central =
            Self { folder, key_file, _keys: keys, runtime: Arc::new(Runtime::new().unwrap()), servers: Vec::new() };
        central.servers.push(Arc::new(central.server().unwrap()));
        central
    }

    fn server(&self) -> Result<Server, ServerError> {
        let mut config = Config::default();
        config.enrollment.invitation = InvitationRule::None;
        config.default_level = Level::Enroll;
        Server::open_files(self.folder.path(), read_keys(&self.key_file, owner()).unwrap(), &config)
    }

    pub(crate) fn host(&self, name: &str) -> Asking {
        Asking::new(name, true, &self.servers, &self.runtime)
    }

    fn answer(&self, host: &str, question: &[u8]) -> Message {
        self.runtime.block_on(self.servers[0].answer(&Host::named(host), question)).unwrap()
    }
}

#[test]
fn an_account_in_files_opens_sessions_on_all_hosts_and_each_code_one() {
    let central = Central::new();
    logins::one_account(&central.host("web1"), &central.host("web2"));
    let audit = "select group_concat(host || ' ' || event || ' ' || detail, ',') from audit where name = 'alice'";
    let audit = central.folder.sql(audit);
    assert!(audit.starts_with("web1 store-app done,web2 redeem redeemed app,"), "{audit}");
    assert_eq!(central.folder.sql("select count(*) from audit where name = 'bob'"), "1");
    let state = fs::read_to_string(central.folder.path().join("accounts/users/alice/state")).unwrap();
    assert!(!state.contains("uid = "), "no host's uid is kept: {state}");
}

#[test]
fn of_simultaneous_logins_over_three_hosts_on_files_exactly_one_wins() {
    let central = Central::new();
    races::race(|name| central.host(name), races::rounds());
}

/// The number of times that a file is opened, and read, while `work` lasts.
fn looks_at(file: &Path, work: impl FnOnce()) -> [usize; 2] {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).unwrap();
    // Closing is watched, too: the kernel joins events that are like the last one.
    let closed = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_CLOSE_NOWRITE;
    inotify.add_watch(file, AddWatchFlags::IN_OPEN | AddWatchFlags::IN_ACCESS | closed).unwrap();
    work();
    let events = inotify.read_events().unwrap();
    [AddWatchFlags::IN_OPEN, AddWatchFlags::IN_ACCESS]
        .map(|kind| events.iter().filter(|event| event.mask.contains(kind)).count())
}

#[test]
fn a_refusal_reads_as_much_of_a_user_as_of_the_decoy_so_that_its_time_tells_of_no_account() {
    let central = Central::new();
    let (web1, alice) = (central.host("web1"), Enrolled::at(&central.host("web1"), "alice"));
    let stranger = Person { name: UserName::new("invented").unwrap(), ..alice.person.clone() };
    let mut wrong = alice.app.wrong_codes();
    let mut refused = |person, reason| {
        let typed = wrong.next().unwrap();
        assert_eq!(refusal(redeem(&web1.store(), person, &typed)), reason);
    };
    // The first one makes the decoy.
    refused(&stranger, Reason::NotEnrolled);
    let place = |name: &str| central.folder.path().join("accounts").join(name);
    for file in ["state", "secret.toml"] {
        let own = looks_at(&place("users/alice").join(file), || refused(&alice.person, Reason::WrongCode));
        let decoy = looks_at(&place("decoy").join(file), || refused(&stranger, Reason::NotEnrolled));
        assert_eq!(own, decoy, "{file}");
        assert_eq!(own[0], 1, "{file}");
    }
}

#[test]
fn a_lost_answer_is_given_again_from_the_file_for_half_a_minute() {
    let central = Central::new();
    let alice = Enrolled::at(&central.host("web1"), "alice");
    let ask = |host: &str, question: &[u8]| central.answer(host, question);
    logins::lost_answer(&alice, ask, ask, || {
        central.folder.sql("update answer set at = at - 31");
    });
    assert_ne!(central.folder.sql("select count(*) from answer"), "0");
    for name in ["fleet.db", "fleet.db-wal"] {
        let bytes = fs::read(central.folder.path().join(name)).unwrap();
        assert!(!bytes.windows(10).any(|window| window == b"=redeemed "), "{name}: an answer is not sealed");
    }
}

#[test]
fn a_host_that_names_long_services_fills_no_account_in_files() {
    let central = Central::new();
    logins::no_host_fills_an_account(&central.host("home"), |host, question| central.answer(host, question));
    let state = fs::metadata(central.folder.path().join("accounts/users/alice/state")).unwrap().len();
    assert_eq!(state, 8192);
}

#[test]
fn a_folder_has_one_server_and_is_private() {
    let central = Central::new();
    let refused = || central.server().err().unwrap().to_string();
    assert!(refused().contains("another server runs on"), "{}", refused());
    fs::set_permissions(central.folder.path(), fs::Permissions::from_mode(0o750)).unwrap();
    assert!(refused().contains(&central.folder.path().display().to_string()), "{}", refused());
}

#[test]
fn a_host_enrolls_on_files_only_where_it_may() {
    let central = Central::new();
    logins::enrolls_no_user(&central.host("web1"), &Asking::new("web2", false, &central.servers, &central.runtime));
}

#[test]
fn a_user_changes_the_own_account_in_files_and_it_holds_on_all_hosts() {
    let central = Central::new();
    let web1 = Asking::of(own_changes::letting("web1"), &central.servers, &central.runtime);
    own_changes::users_change_their_own(&web1, &central.host("web2"));
    let state = fs::read_to_string(central.folder.path().join("accounts/users/alice/state")).unwrap();
    assert!(!state.contains("[[notice]]"), "no login shows it: {state}");
    assert_eq!(central.folder.sql("select wrong + before from quota where host = 'web1'"), "1");
}

#[test]
fn guesses_at_one_host_are_counted_in_files_and_delay_no_login_at_another() {
    let central = Central::new();
    logins::guesses_delay_no_login_at_home(&central.host("home"), &central.host("hostile"));
}

#[test]
fn a_host_over_its_quota_is_slowed_on_files_and_a_code_that_was_looked_at_counts_once() {
    let central = Central::new();
    let users: Vec<Enrolled> =
        (0..4).map(|number| Enrolled::at(&central.host("desk"), &format!("user{number}"))).collect();
    let host = Host { wrong_codes_per_hour: 3, ..Host::named("guessing") };
    let guessing = Asking::of(host, &central.servers, &central.runtime);
    let counted = || central.folder.sql("select wrong + before from quota where host = 'guessing'");
    for user in &users[..3] {
        assert_eq!(refusal(redeem(&guessing.store(), &user.person, &user.wrong())), Reason::WrongCode);
        // The client that sends the same again is no guess more, and neither is one of a user who is not enrolled.
        let _ = redeem(&guessing.store(), &user.person, &user.wrong());
    }
    assert_eq!(counted(), "3");
    // Over the quota, one wrong code of each user is looked at, and then none for an hour.
    let user = &users[3];
    let mut wrong = user.app.wrong_codes();
    assert_eq!(refusal(redeem(&guessing.store(), &user.person, &wrong.next().unwrap())), Reason::WrongCode);
    assert_eq!(refusal(redeem(&guessing.store(), &user.person, &wrong.next().unwrap())), Reason::Throttled);
    assert_eq!(counted(), "4");
    assert!(is_accepted(redeem(&central.host("home").store(), &user.person, &user.code(0))), "not at other hosts");
}

#[test]
fn what_enrolls_no_user_uses_up_nothing_of_the_quota_in_files() {
    let central = Central::new();
    enrolling::what_is_counted(
        |host, question| central.runtime.block_on(central.servers[0].answer(host, question)).unwrap(),
        || central.folder.sql("select coalesce(sum(users + before), 0) from enrolled where host = 'web1'"),
    );
}

#[test]
fn a_host_enrolls_no_more_users_than_its_quota_at_once_in_files() {
    let central = Central::new();
    let host = Host { may_enroll: true, enrollments_per_hour: 3, ..Host::named("hostile") };
    let hostile = Asking::of(host, &central.servers, &central.runtime);
    let enrolled: usize = thread::scope(|scope| {
        let hostile = &hostile;
        let all: Vec<_> = (0..10)
            .map(|number| scope.spawn(move || Enrolled::try_through(&hostile.store(), &format!("user{number}"))))
            .collect();
        all.into_iter().map(|one| usize::from(one.join().unwrap().is_ok())).sum()
    });
    assert_eq!(enrolled, 3);
    assert_eq!(central.folder.sql("select users + before from enrolled where host = 'hostile'"), "3");
    let more = Enrolled::try_through(&hostile.store(), "more").err().unwrap().to_string();
    assert!(more.contains("this host has enrolled as many users within an hour as it may"), "{more}");
}

#[test]
fn a_host_that_invents_names_takes_no_place_for_them_in_files() {
    let central = Central::new();
    let users = central.folder.path().join("accounts/users");
    enrolling::invented_names_take_no_place(
        |host, question| central.runtime.block_on(central.servers[0].answer(host, question)).unwrap(),
        || fs::read_dir(&users).map_or(0, Iterator::count).to_string(),
        |refused, newcomers| {
            let file = Connection::open(central.folder.path().join("fleet.db")).unwrap();
            file.busy_timeout(Duration::from_secs(10)).unwrap();
            file.execute("update quota set refused = ?1, newcomers = ?2", [refused, newcomers]).unwrap();
        },
        // An app that was not stored is counted here, too.
        (|| central.folder.sql("select newcomers || '|' || refused from quota"), "0|32"),
    );
}

#[test]
fn a_host_that_asks_in_vain_over_and_over_fills_no_file() {
    let central = Central::new();
    let alice = Enrolled::at(&central.host("desk"), "alice");
    let stranger = Person { name: UserName::new("invented").unwrap(), ..alice.person.clone() };
    let web1 = central.host("web1");
    let ask = |person, typed: &str| refusal(redeem(&web1.store(), person, typed));
    let rows = || central.folder.sql("select (select count(*) from audit) || ' ' || (select count(*) from answer)");
    assert_eq!(ask(&stranger, &alice.wrong()), Reason::NotEnrolled);
    assert_eq!(central.folder.sql("select refused from quota where host = 'web1'"), "1");
    central.folder.sql("update quota set refused = 1000 where host = 'web1'");
    let before = rows();
    for _ in 0..3 {
        assert_eq!(ask(&stranger, &alice.wrong()), Reason::NotEnrolled);
    }
    assert_eq!(rows(), before);
    assert_eq!(ask(&alice.person, &alice.wrong()), Reason::WrongCode);
    assert_ne!(rows(), before);
    assert!(is_accepted(redeem(&web1.store(), &alice.person, &alice.code(0))));
}
