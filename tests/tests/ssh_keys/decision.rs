//! The whole decision over ssh as tables: what becomes of a login, by policy, by what the account has, and by the key that
//! sshd has verified.
//!
//! `enrolled` is the account's own key, or for an account without one a key that another user has enrolled; `another` is a
//! key of no account. sshd knows both, and lets in behind no key at all.
//!
//! * `touch`: nothing is shown, and the log names the key
//! * `code`: a code is asked for, and a right one opens a session
//! * `refused`: a code is asked for, and the account has none
//! * `nothing`: nothing is shown, and the log names the policy
//! * `notice`: the same with a text that tells from when a code will be required
//! * `set up`: the QR code of a new app is shown

use twofactor_tests::private_host::{Host, said};
use twofactor_tests::security_key::{Provider, SecurityKey, authorize, private_host_with_keys};
use twofactor_tests::ssh::{Client, Session};
use twofactor_tests::twofactor::Enrollment;

const REQUIRED: &str = "
    account | no key  | enrolled | another
    none    | refused | refused  | refused
    app     | code    | code     | code
    key     | refused | touch    | refused
    app+key | code    | touch    | code
";

/// `optional`, and `required` with `nullok`.
const OPTIONAL: &str = "
    account | no key  | enrolled | another
    none    | nothing | nothing  | nothing
    app     | code    | code     | code
    key     | refused | touch    | refused
    app+key | code    | touch    | code
";

const ENROLL: &str = "
    account | no key  | enrolled | another
    none    | set up  | set up   | set up
    app     | code    | code     | code
    key     | refused | touch    | refused
    app+key | code    | touch    | code
";

const OFF: &str = "
    account | no key  | enrolled | another
    none    | nothing | nothing  | nothing
    app     | nothing | nothing  | nothing
    key     | nothing | nothing  | nothing
    app+key | nothing | nothing  | nothing
";

/// A code of each app was accepted a moment ago. A key is remembered by nothing, and needs no memory.
const REMEMBERED: &str = "
    account | no key  | enrolled | another
    none    | refused | refused  | refused
    app     | nothing | nothing  | nothing
    key     | refused | touch    | refused
    app+key | nothing | touch    | nothing
";

/// `optional` until a day that is to come.
const GRACE: &str = "
    account | no key  | enrolled | another
    none    | notice  | notice   | notice
    app     | code    | code     | code
    key     | refused | touch    | refused
    app+key | code    | touch    | code
";

/// A rule accepts apps alone.
const NO_KEYS: &str = "
    account | no key  | enrolled | another
    none    | refused | refused  | refused
    app     | code    | code     | code
    key     | refused | refused  | refused
    app+key | code    | code     | code
";

/// A rule accepts keys alone.
const KEYS_ALONE: &str = "
    account | no key  | enrolled | another
    none    | refused | refused  | refused
    app     | refused | refused  | refused
    key     | refused | touch    | refused
    app+key | refused | touch    | refused
";

#[test]
fn required() {
    decides("[default]\nsecond_factor = \"required\"\n", "", REQUIRED);
}

#[test]
fn required_with_nullok() {
    decides("[default]\nsecond_factor = \"required\"\n", "nullok", OPTIONAL);
}

#[test]
fn optional() {
    decides("[default]\nsecond_factor = \"optional\"\n", "", OPTIONAL);
}

#[test]
fn enroll() {
    decides("[default]\nsecond_factor = \"enroll\"\n", "", ENROLL);
}

#[test]
fn off() {
    decides("[default]\nsecond_factor = \"off\"\n", "", OFF);
}

#[test]
fn remembered() {
    decides("[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n", "", REMEMBERED);
}

#[test]
fn grace() {
    decides("[[rule]]\nsecond_factor = \"optional\"\nuntil = 2999-12-31\n", "", GRACE);
}

#[test]
fn grace_that_is_over() {
    decides("[[rule]]\nsecond_factor = \"off\"\nuntil = 2020-01-31\n", "", REQUIRED);
}

#[test]
fn no_keys() {
    decides("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\"]\n", "", NO_KEYS);
}

#[test]
fn keys_alone() {
    decides("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"ssh-key\"]\n", "", KEYS_ALONE);
}

/// Behind a key or not, PAM asks for nothing but a second factor.
const METHODS: &str = "\
AuthenticationMethods publickey,keyboard-interactive keyboard-interactive
PubkeyAuthOptions touch-required
";

/// The service that stores an app, with this argument.
fn stack(argument: &str) -> String {
    format!(
        "auth required pam_twofactor.so {argument}\nauth required pam_permit.so\n\
         account required pam_twofactor.so\naccount required pam_unix.so\nsession required pam_permit.so\n"
    )
}

/// A user, and the key of the column `enrolled`.
struct Account {
    name: &'static str,
    app: Option<Enrollment>,
    key: SecurityKey,
}

/// Every cell of the table is a login that ends as it says.
#[track_caller]
fn decides(configuration: &str, argument: &str, table: &str) {
    private_host_with_keys(|host, provider| {
        let accounts = accounts(host, provider);
        let another = provider.key("ed25519-sk", "another");
        for account in &accounts {
            authorize(host, account.name, [account.key.line(), another.line()]);
        }
        host.configure(configuration);
        let sshd = host.sshd_with(&stack(argument), METHODS);
        let login = |account: &Account, key: Option<&SecurityKey>, code: &str| {
            let options = provider.options(key);
            // A text without a question reaches a client as a banner, which it shows from this level on.
            let options: Vec<&str> = options.iter().map(String::as_str).chain(["LogLevel=INFO"]).collect();
            sshd.client(&Client { user: account.name, password: "", code, options: &options })
        };
        if configuration.contains("remember") {
            for account in accounts.iter().filter(|account| account.app.is_some()) {
                assert!(login(account, None, &account.code()).opened(), "{}", account.name);
            }
        }
        let rows = rows(table);
        assert_eq!(rows.iter().map(|(has, _)| *has).collect::<Vec<_>>(), HAS);
        for ((has, ends), account) in rows.into_iter().zip(&accounts) {
            for ((column, key), end) in
                [("no key", None), ("enrolled", Some(&account.key)), ("another", Some(&another))].into_iter().zip(ends)
            {
                let before = host.module_log().len();
                let session = login(account, key, &if end == "code" { account.code() } else { "abc".to_owned() });
                let log = host.module_log().split_off(before);
                let cell = format!("{configuration}{argument} {has}, {column}: {end}");
                ends_as(end, account, &session, &log, &cell, host);
            }
        }
    });
}

/// The credentials of the accounts, in the order of [`accounts`].
const HAS: [&str; 4] = ["none", "app", "key", "app+key"];

/// The rows of a table: what the account has, and how its three logins end.
fn rows(table: &str) -> Vec<(&str, [&str; 3])> {
    let mut lines = table.lines().filter(|line| !line.trim().is_empty()).map(|line| line.split('|').map(str::trim));
    let header: Vec<&str> = lines.next().unwrap().collect();
    assert_eq!(header, ["account", "no key", "enrolled", "another"]);
    let row = |cells: Vec<_>| {
        let [has, none, enrolled, another] = cells[..] else { panic!("{cells:?}") };
        (has, [none, enrolled, another])
    };
    lines.map(|cells| row(cells.collect())).collect()
}

/// Users with nothing, an app, a key, and both.
fn accounts(host: &Host, provider: Provider<'_>) -> [Account; 4] {
    let [carols, davids] = ["carols", "davids"].map(|name| provider.key("ed25519-sk", name));
    let none = Account { name: "bobby", app: None, key: carols.clone() };
    let app = Account { name: "alice", app: None, key: carols.clone() };
    let key = Account { name: "carol", app: None, key: carols };
    let both = Account { name: "david", app: None, key: davids };
    let [none, mut app, key, mut both] = [none, app, key, both];
    for account in [&none, &app, &key, &both] {
        host.add_user(account.name);
    }
    for account in [&mut app, &mut both] {
        // A counter's codes do not run out.
        account.app = Some(host.enroll(account.name, &["--counter"]));
    }
    for account in [&key, &both] {
        host.succeed("twofactor", ["ssh-key", "add", account.name, account.key.public().to_str().unwrap()]);
    }
    [none, app, key, both]
}

impl Account {
    /// The next code of the app.
    fn code(&self) -> String {
        self.app.as_ref().expect("a row with codes").next_code()
    }
}

/// The text that the client was shown, and the one line of the module.
#[track_caller]
fn ends_as(end: &str, account: &Account, session: &Session, log: &[String], cell: &str, host: &Host) {
    let all = || format!("{cell}\n{}\n{:?}\n{log:#?}", said(&session.output), session.prompts);
    let line = |words: &[&str]| {
        let user = format!(" user={} service=sshd rhost=127.0.0.1", account.name);
        let [line] = log else { panic!("one line: {}", all()) };
        assert!(line.contains(&user) && words.iter().all(|word| line.contains(word)), "{words:?}: {}", all());
    };
    let is_silent = || {
        let told = String::from_utf8_lossy(&session.output.stderr);
        let mut told = told.lines().filter(|line| !line.starts_with("Warning: Permanently added "));
        assert!(session.opened() && session.prompts.is_empty() && told.next().is_none(), "{}", all());
    };
    let is_asked = || assert_eq!(session.prompts, ["Verification code: "], "{}", all());
    match end {
        "touch" => {
            is_silent();
            line(&[": accepted ", &format!("token=ssh-key:{}", account.key.fingerprint(host))]);
        }
        "code" => {
            is_asked();
            assert!(session.opened(), "{}", all());
            line(&[": accepted ", "token=app"]);
        }
        "refused" => {
            is_asked();
            assert!(!session.opened(), "{}", all());
            line(&[": denied "]);
        }
        "nothing" => {
            is_silent();
            line(&[": skipped ", "policy="]);
        }
        "notice" => {
            assert!(session.opened() && session.prompts.is_empty(), "{}", all());
            assert!(said(&session.output).contains("A second factor is required from 2999-12-31."), "{}", all());
            line(&[": skipped ", "policy=optional-not-enrolled"]);
        }
        "set up" => {
            assert!(!session.opened(), "{}", all());
            let asks = |prompt: &String| prompt.ends_with("Code from the app: ");
            assert!(!session.prompts.is_empty() && session.prompts.iter().all(asks), "{}", all());
            line(&[": denied ", "reason=not-confirmed"]);
        }
        _ => panic!("no end of a login: {end}"),
    }
}
