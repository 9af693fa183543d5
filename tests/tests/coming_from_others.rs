//! The page of the guide, `docs/guide/coming-from-others.md`, followed to the letter in a fresh Debian 12 and a fresh Debian 13 that
//! run Debian's libpam-google-authenticator or libpam-oath: its commands as they are printed, with sshd before and after them.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::OnceLock;

use twofactor_tests::artifacts::workspace;
use twofactor_tests::debian::Release;
use twofactor_tests::documents::{self, Parts};
use twofactor_tests::google_authenticator::{HOTP, TOTP, enroll};
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::private_host::{Host, PASSWORD, private_debian, said};
use twofactor_tests::qr::write_png;
use twofactor_tests::requirements::programs_met;
use twofactor_tests::ssh::{Client, Session, Sshd};
use twofactor_tests::terminal::{Size, Terminal};

const SERVICE: &str = "/etc/pam.d/sshd";
const GOOGLE: &str = "auth required pam_google_authenticator.so";
const OATH: &str = "auth required pam_oath.so usersfile=/etc/users.oath window=5 digits=6";

/// pam_oath calls its code a password.
const ANSWERS: &str =
    "*OATH*|*code*) printf '%s\\n' \"$ANSWER_CODE\" ;;\n*assword*) printf '%s\\n' \"$ANSWER_PASSWORD\" ;;\n";

/// The page, read where the checkout is in sight.
fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| documents::read(&workspace().join("docs/guide/coming-from-others.md")))
}

/// Runs `test` in a fresh Debian of every release, whose sshd asks for a password and then runs this line.
fn debian(line: &str, test: impl Fn(&Host) + Sync) {
    if !programs_met(&["debootstrap"]) {
        return;
    }
    let _ = page();
    for release in Release::ALL {
        private_debian(release, |host| {
            host.install_module();
            for user in ["alice", "carol"] {
                host.add_user(user);
            }
            host.succeed("usermod", ["--append", "--groups", "sudo", "alice"]);
            // As the page of the other product says.
            host.succeed(
                "sed",
                ["-i", "s/^KbdInteractiveAuthentication no/KbdInteractiveAuthentication yes/", "/etc/ssh/sshd_config"],
            );
            let before = fs::read_to_string(SERVICE).unwrap();
            let asked = before.replacen("@include common-auth\n", &format!("@include common-auth\n{line}\n"), 1);
            assert_ne!(before, asked, "{before}");
            fs::write(SERVICE, asked).unwrap();
            test(host);
        });
    }
}

/// The commands of a section of the page, as root types them.
fn commands(heading: &str) -> Vec<String> {
    let section = page().split("\n## ").find(|section| section.lines().next() == Some(heading));
    let section = section.unwrap_or_else(|| panic!("the page has no section \"{heading}\""));
    let blocks = Parts::of(section).blocks;
    let lines = blocks.into_iter().flat_map(|(_, block)| documents::typed(&block));
    lines.collect()
}

/// Root at a terminal, in its home folder, where the files are.
fn types(host: &Host, line: &str, answers: &[(&str, &str)]) -> String {
    let mut shell = host.command("sh");
    shell.args(["-ec", &format!("umask 077\ncd /root\n{line}")]);
    let mut terminal = Terminal::start(&shell, Size::LARGE);
    for (question, answer) in answers {
        terminal.expect(question);
        terminal.type_line(answer);
    }
    assert_eq!(terminal.wait().code(), Some(0), "{line}: {}", terminal.shown());
    terminal.shown()
}

fn login(sshd: &Sshd<'_>, user: &str, code: &str) -> Session {
    let options = ["PreferredAuthentications=keyboard-interactive"];
    sshd.client_answering(&Client { user, password: PASSWORD, code, options: &options }, ANSWERS)
}

#[track_caller]
fn opens(host: &Host, sshd: &Sshd<'_>, user: &str, code: &str) {
    let session = login(sshd, user, code);
    let log: Vec<String> = host.log().into_iter().map(|line| line.text).collect();
    assert!(session.opened(), "{user}: {}\n{:?}\n{}", said(&session.output), session.prompts, log.join("\n"));
}

/// A user with a clock and one with a counter, and a code of each that the other product has accepted.
struct Users {
    alice: Authenticator,
    carol: Authenticator,
    used: [String; 2],
}

impl Users {
    /// Each logs in at the product that is there.
    fn log_in(host: &Host, alice: Authenticator, carol: Authenticator, counter: u64) -> Self {
        let sshd = host.own_sshd();
        let used = [alice.code(0), carol.counter_codes(counter, 1).remove(0)];
        for (user, code) in ["alice", "carol"].into_iter().zip(&used) {
            opens(host, &sshd, user, code);
        }
        Self { alice, carol, used }
    }

    /// At ours the code that was used opens nothing, and the next one does.
    fn go_on(&self, host: &Host, counter: u64) {
        let sshd = host.own_sshd();
        for (user, code) in ["alice", "carol"].into_iter().zip(&self.used) {
            assert!(!login(&sshd, user, code).opened(), "{user}: a used code");
            host.assert_logged(&[&format!("denied user={user}")]);
        }
        // Of a counter it is the reason, however long all this has taken.
        host.assert_logged(&["denied user=carol", "reason=replayed"]);
        opens(host, &sshd, "alice", &self.alice.code(1));
        host.assert_logged(&["accepted user=alice service=sshd", "token=app"]);
        opens(host, &sshd, "carol", &self.carol.counter_codes(counter + 1, 1)[0]);
        host.assert_logged(&["accepted user=carol service=sshd", "token=app"]);
    }
}

fn users_of_google(host: &Host) -> (Users, Vec<String>) {
    let (alice, scratch_codes) = enroll(host, "alice", TOTP);
    let (carol, _) = enroll(host, "carol", HOTP);
    (Users::log_in(host, alice, carol, 1), scratch_codes)
}

fn users_of_oath(host: &Host) -> Users {
    let keys = [&b"12345678901234567890"[..], b"a secret of 20 bytes"];
    let [alice, carol] = keys.map(|key| data_encoding::HEXLOWER.encode(key));
    let path = Path::new("/etc/users.oath");
    fs::write(path, format!("HOTP/T30/6\talice\t-\t{alice}\nHOTP/E/6\tcarol\t-\t{carol}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let [secret, other] = keys.map(|key| data_encoding::BASE32_NOPAD.encode(key));
    let app = |secret, kind| Authenticator { secret, algorithm: "SHA1".to_owned(), digits: 6, kind };
    Users::log_in(host, app(secret, Kind::Time(30)), app(other, Kind::Counter), 0)
}

fn service() -> String {
    fs::read_to_string(SERVICE).unwrap()
}

/// Follows the section about the replacement.
fn replaced(host: &Host, module: &str) {
    let lines = commands("Replace the line of google-authenticator or pam_oath");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let before = service();
    // While a user would be refused, the line stays; of what the page says, a rule is written for her.
    host.add_user("erin");
    let refused = host.run_twofactor(&["service", "enable", "sshd", "--replace", "--yes"]);
    assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
    assert!(said(&refused).contains("would refuse erin"), "{}", said(&refused));
    assert_eq!(service(), before);
    host.configure("[[rule]]\nusers = [\"erin\"]\nsecond_factor = \"off\"\n");
    let shown = types(host, &lines[0], &[]);
    assert!(shown.contains("alice: would be taken over") && shown.contains("carol: would be taken over"), "{shown}");
    assert_eq!(service(), before, "a dry run");
    types(host, &lines[1], &[("Change these files? [y/N] ", "y")]);
    assert!(!service().contains(module) && service().contains("pam_twofactor.so"), "{}", service());
}

/// The line of the other product is taken out by hand, and ours put in.
fn changed_by_hand(host: &Host, line: &str) {
    fs::write(SERVICE, service().replace(&format!("{line}\n"), "")).unwrap();
    host.sysadmin(&["service", "enable", "sshd", "--yes"]);
}

#[test]
fn the_section_about_the_replacement_leads_users_of_google_authenticator_to_ours_and_back() {
    debian(GOOGLE, |host| {
        let (users, scratch_codes) = users_of_google(host);
        let before = service();
        replaced(host, "pam_google_authenticator");
        users.go_on(host, 1);
        {
            let sshd = host.own_sshd();
            opens(host, &sshd, "alice", &scratch_codes[0]);
            assert!(!login(&sshd, "alice", &scratch_codes[0]).opened(), "once");
        }
        host.sysadmin(&["service", "disable", "sshd", "--yes"]);
        assert_eq!(service(), before, "the old line is back");
    });
}

#[test]
fn the_section_about_the_replacement_leads_users_of_pam_oath_to_ours() {
    debian(OATH, |host| {
        let users = users_of_oath(host);
        replaced(host, "pam_oath");
        users.go_on(host, 0);
    });
}

#[test]
fn the_section_about_google_authenticator_takes_its_users_over() {
    debian(GOOGLE, |host| {
        let (users, _) = users_of_google(host);
        let lines = commands("google-authenticator");
        let [rehearsal, import, verify] = lines.as_slice() else { panic!("{lines:?}") };
        let shown = types(host, rehearsal, &[]);
        assert!(shown.contains("2 users: 2 would be taken over"), "{shown}");
        assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3), "a rehearsal");
        let shown = types(host, import, &[]);
        assert!(shown.contains("alice: taken over with 1 app and 5 recovery codes"), "{shown}");
        let shown = types(host, verify, &[("Code: ", &users.alice.code(1))]);
        assert!(shown.contains("would be accepted"), "{shown}");
        changed_by_hand(host, GOOGLE);
        users.go_on(host, 1);
        let shown = types(host, import, &[]);
        assert!(shown.contains("2 enrolled before"), "it can be repeated: {shown}");
    });
}

#[test]
fn the_section_about_pam_oath_takes_its_users_over() {
    debian(OATH, |host| {
        let users = users_of_oath(host);
        for (line, done) in commands("pam_oath").iter().zip(["would be taken over", "taken over"]) {
            let shown = types(host, line, &[]);
            assert!(shown.contains(&format!("2 users: 2 {done}")), "{line}: {shown}");
        }
        changed_by_hand(host, OATH);
        users.go_on(host, 0);
    });
}

/// An export of Google Authenticator with one entry.
fn migration(account: &str, secret: &[u8]) -> String {
    let field = |number: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length][..], bytes].concat()
    };
    // SHA1, six digits, by time.
    let entry = [field(1, secret), field(2, account.as_bytes()), vec![0x20, 1, 0x28, 1, 0x30, 2]].concat();
    let data =
        data_encoding::BASE64.encode(&field(1, &entry)).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("otpauth-migration://offline?data={data}")
}

#[test]
fn the_other_sections_are_understood_with_the_files_that_they_name() {
    debian(GOOGLE, |host| {
        let secret = b"12345678901234567890";
        write_png(Path::new("/root/export.png"), &migration("alice@example.org", secret));
        let entry = |name: &str, secret: &str| {
            format!(
                r#"{{"type":"totp","name":"{name}","issuer":"","info":{{"secret":"{secret}","algo":"SHA1","digits":6,"period":30}}}}"#
            )
        };
        let entries = [
            entry("web", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"),
            entry("mail", "OV3HO6DZPJQWEY3EMVTGO2DJNJVWY3LO"),
            entry("alice@host", "KRSXG5DTNFXGOIDTMVRXEZLUOMQHK43F"),
        ];
        host.private_file("aegis.json", &format!(r#"{{"version":1,"db":{{"entries":[{}]}}}}"#, entries.join(",")));
        host.private_file("uri.txt", "otpauth://totp/alice?secret=KRSXG5DTNFXGOIDTMVRXEZLUOMQHK43G\n");
        host.private_file("export.csv", "OATH0001,3132333435363738393031323334353637383931,TOTP,6,30\n");
        fs::write("/etc/u2f_mappings", "alice:*,AQID,es256,+presence\n").unwrap();
        let lines = commands("One user's authenticator app");
        assert_eq!(lines.len(), 4, "{lines:?}");
        for (line, words) in
            lines.iter().zip(["would be taken over", "taken over with 1 app", "enrolled before", "enrolled before"])
        {
            let shown = types(host, line, &[]);
            assert!(shown.contains(words), "{line}: {shown}");
        }
        let app = Authenticator {
            secret: data_encoding::BASE32_NOPAD.encode(secret),
            algorithm: "SHA1".to_owned(),
            digits: 6,
            kind: Kind::Time(30),
        };
        assert!(host.run_twofactor(&["verify", "alice", &app.code(2)]).status.success());
        // Each by itself, too.
        for line in &lines[2..] {
            host.sysadmin(&["reset", "alice", "--yes"]);
            let shown = types(host, line, &[]);
            assert!(shown.contains("taken over with 1 app"), "{line}: {shown}");
        }
        host.sysadmin(&["reset", "alice", "--yes"]);
        for heading in
            ["pam_u2f", "Exports of authenticator apps", "privacyIDEA, LinOTP, multiOTP, Entra, Duo: hardware tokens"]
        {
            for line in commands(heading) {
                types(host, &line, &[]);
            }
        }
        host.sysadmin(&["import", "otpauth", "/root/uri.txt", "--user", "alice", "--replace"]);
        for line in commands("The way out") {
            types(host, &line, &[("Type alice to go on: ", "alice")]);
        }
        let written = fs::read_to_string("/root/alice.txt").unwrap();
        assert!(written.contains("secret=KRSXG5DTNFXGOIDTMVRXEZLUOMQHK43G"), "{written}");
    });
}
