//! What a login leaves in the memory of its application after `pam_end`: nothing of what it showed or judged.
//!
//! The application keeps no copy of texts and answers, so whatever is found was left by the module or by libpam. Of libpam's
//! the password is known (`PAM_AUTHTOK`, which pam_unix reads); it is not looked for. docs/security/threat-model.md ("What stays in memory")
//! lists what a usual application keeps.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use twofactor_tests::first_login::{
    CONFIRM, ENROLL, FIRST, ONCE_MORE, Offer, SECOND, SERIAL, WRITE_DOWN, recovery_codes,
};
use twofactor_tests::fob::Fob;
use twofactor_tests::pam::{Answer, Event, Login, Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, PASSWORD, private_host};

/// Codes of eight digits: six would be met by chance.
const EIGHT_DIGITS: &str = "[enrollment]\ndigits = 8\n";

/// A part of a secret so long is no coincidence any more.
const PART: usize = 10;

/// Something that must not be found.
struct Needle {
    name: String,
    bytes: Vec<u8>,
}

fn needle(name: &str, bytes: impl AsRef<[u8]>) -> Needle {
    Needle { name: name.to_owned(), bytes: bytes.as_ref().to_vec() }
}

/// A secret in all the forms that it takes on its way.
fn of_secret(base32: &str) -> Vec<Needle> {
    let raw = raw(base32);
    let hex: Vec<String> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let grouped: Vec<String> =
        base32.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    let padded = |pad: u8| raw.iter().map(|byte| byte ^ pad).collect::<Vec<_>>();
    vec![
        needle("the secret in base32", base32),
        needle("the secret in groups", grouped.join(" ")),
        needle("the secret in hexadecimal", &hex),
        needle("the secret in capital hexadecimal", hex.to_uppercase()),
        needle("the inner key of HMAC", padded(0x36)),
        needle("the outer key of HMAC", padded(0x5c)),
        needle("the secret", raw),
    ]
}

fn raw(base32: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in base32.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap();
        bits = (bits << 5 | u32::try_from(value).unwrap()) & 0xff_ffff;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

fn of_codes(name: &str, codes: &[String]) -> Vec<Needle> {
    let digits = |code: &String| code.replace('-', "");
    codes.iter().flat_map(|code| [needle(name, code), needle(name, digits(code))]).collect()
}

/// All of what enrollment shows.
fn of_offer(offer: &Offer, shown: &str) -> Vec<Needle> {
    let mut needles = of_secret(&offer.app.secret);
    let query = offer.uri.split_once('?').unwrap().1;
    needles.push(needle("the URI", query));
    // From the middle of the picture, where every line is another one.
    let picture: Vec<&str> = shown.lines().filter(|line| line.contains('▀') || line.contains('▄')).collect();
    assert!(picture.len() > 10, "{shown}");
    needles.extend(picture[4..picture.len() - 4].iter().map(|line| needle("the picture", line.trim())));
    needles.extend(of_codes("a recovery code", &recovery_codes(shown)));
    needles
}

/// Fails when a part of a needle stands in the memory.
#[track_caller]
fn assert_forgotten(what: &str, file: &PathBuf, needles: &[Needle]) {
    let memory = fs::read(file).unwrap();
    assert!(memory.len() > 100_000, "the memory was written: {}", memory.len());
    let mut found = BTreeMap::new();
    let (short, long): (Vec<&Needle>, Vec<&Needle>) = needles.iter().partition(|needle| needle.bytes.len() < PART);
    for Needle { name, bytes } in short {
        found.extend(memory.windows(bytes.len()).position(|window| window == bytes).map(|place| (name, place)));
    }
    let parts: HashMap<&[u8], &String> =
        long.iter().flat_map(|needle| needle.bytes.windows(PART).map(|part| (part, &needle.name))).collect();
    for (place, window) in memory.windows(PART).enumerate() {
        if let Some(name) = parts.get(window) {
            found.entry(*name).or_insert(place);
        }
    }
    fs::remove_file(file).unwrap();
    assert!(found.is_empty(), "after {what}, of {:x} bytes: {found:x?}", memory.len());
}

/// Where the memory goes.
fn file(host: &Host) -> PathBuf {
    host.place("memory")
}

fn dumped<'h>(host: &'h Host, user: &str) -> Login<'h> {
    host.login(user).dumping(&file(host))
}

#[track_caller]
fn assert_all_succeeded(outcome: &Outcome) {
    assert!(outcome.results.iter().all(|(_, code)| *code == ReturnCode::SUCCESS), "{:?}", outcome.results);
}

/// A service in which a second factor can be set up without a password.
fn service(host: &Host, name: &str) {
    let lines = "auth required pam_twofactor.so\naccount required pam_twofactor.so\n";
    host.service(name, lines);
    host.system_service(name, lines);
}

#[test]
fn after_a_login_with_an_app_or_a_recovery_code_the_memory_holds_nothing_of_it() {
    private_host(|host| {
        host.configure(EIGHT_DIGITS);
        host.add_user("alice");
        let alice = host.enroll("alice", &["--counter", "--digits", "8"]);
        let mut needles = of_secret(&alice.authenticator.secret);
        let code = alice.next_code();
        needles.push(needle("the code", &code));
        assert_eq!(dumped(host, "alice").typing(&code).code(), ReturnCode::SUCCESS);
        assert_forgotten("a right code", &file(host), &needles);
        assert_eq!(dumped(host, "alice").typing(&code).code(), ReturnCode::AUTH_ERR);
        assert_forgotten("a used code", &file(host), &needles);
        needles.extend(of_codes("a recovery code", &alice.recovery_codes));
        assert_eq!(dumped(host, "alice").typing(&alice.recovery_codes[0]).code(), ReturnCode::SUCCESS);
        assert_forgotten("a recovery code", &file(host), &needles);
        // What is damaged is parsed, too.
        let path = "/var/lib/twofactor/users/alice/secret.toml";
        let content = fs::read_to_string(path).unwrap();
        fs::write(path, content.replace("secret = ", "secret == ")).unwrap();
        assert_eq!(dumped(host, "alice").typing(alice.next_code()).code(), ReturnCode::AUTHINFO_UNAVAIL);
        assert_forgotten("a damaged file", &file(host), &needles);
    });
}

#[test]
fn after_a_login_with_a_fob_the_memory_holds_no_page_of_the_registry() {
    private_host(|host| {
        let (fob, others) = (Fob::button(1), [Fob::button(2), Fob::button(3)]);
        host.user_with("alice", &fob);
        host.import(&others);
        let needles: Vec<Needle> =
            [&fob, &others[0], &others[1]].iter().flat_map(|fob| of_secret(&fob.authenticator.secret)).collect();
        assert_eq!(dumped(host, "alice").typing(fob.code_of(0)).code(), ReturnCode::SUCCESS);
        assert_forgotten("a right code", &file(host), &needles);
    });
}

#[test]
fn after_an_enrollment_the_memory_holds_nothing_that_was_shown() {
    private_host(|host| {
        host.configure(&format!("{ENROLL}{EIGHT_DIGITS}"));
        host.succeed("install", ["-d", "-m", "0700", "/var/lib/twofactor", "/var/lib/twofactor/users"]);
        service(host, "enroll");
        host.add_user("alice");
        let mut code = String::new();
        let outcome =
            dumped(host, "alice").service("enroll").calls("authenticate,account").conversing(|prompt, shown| {
                match prompt {
                    CONFIRM if code.is_empty() => {
                        code = "ascii".to_owned();
                        code.clone()
                    }
                    CONFIRM => {
                        code = Offer::read(shown).app.code(0);
                        code.clone()
                    }
                    _ => String::new(),
                }
            });
        assert_all_succeeded(&outcome);
        let mut shown = outcome.texts().join("\n");
        shown.extend(outcome.messages.iter().map(|message| format!("\n{}", message.text)));
        assert!(!recovery_codes(&shown).is_empty(), "{shown}");
        let mut needles = of_offer(&Offer::read(&shown), &shown);
        needles.push(needle("the code", &code));
        assert_forgotten("an enrollment", &file(host), &needles);
    });
}

#[test]
fn after_a_registration_or_a_combined_login_the_memory_holds_neither_secret_nor_code() {
    private_host(|host| {
        let _broker = host.broker();
        host.configure(&format!("{ENROLL}[prompt]\ncombined = [\"combined\"]\n"));
        host.succeed("install", ["-d", "-m", "0700", "/var/lib/twofactor", "/var/lib/twofactor/users"]);
        service(host, "register");
        host.service("combined", "auth required pam_twofactor.so\nauth required pam_unix.so use_first_pass nodelay\n");
        host.add_user("alice");
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        let needles = of_secret(&fob.authenticator.secret);
        let [first, second] = fob.authenticator.two_codes();
        let outcome = dumped(host, "alice").service("register").calls("authenticate,account").conversing(
            |prompt, _| match prompt {
                CONFIRM => "token".to_owned(),
                SERIAL => fob.serial.clone(),
                FIRST => first.clone(),
                SECOND => second.clone(),
                other => panic!("{other}"),
            },
        );
        assert_all_succeeded(&outcome);
        assert_forgotten("a registration", &file(host), &needles);

        host.add_user("bobby");
        let bobby = host.enroll("bobby", &["--counter", "--digits", "8"]);
        let (mut needles, code) = (of_secret(&bobby.authenticator.secret), bobby.next_code());
        needles.push(needle("the code", &code));
        let combined = dumped(host, "bobby").service("combined").typing(format!("{PASSWORD}{code}"));
        assert_eq!(combined.code(), ReturnCode::SUCCESS);
        assert_forgotten("a combined login", &file(host), &needles);
    });
}

/// What somebody does at a question of an enrollment, as far as its end.
fn broken_off(login: Login<'_>, mut answer: impl FnMut(&str, &str) -> Answer) -> (Outcome, String) {
    let mut running = login.start();
    while let Event::Prompt(prompt) = running.advance() {
        let shown = everything(running.so_far());
        running.answer(&answer(&prompt.text, &shown));
    }
    let outcome = running.outcome();
    running.finish();
    let shown = everything(&outcome);
    (outcome, shown)
}

/// All texts and questions.
fn everything(outcome: &Outcome) -> String {
    let messages: Vec<&str> = outcome.messages.iter().map(|message| message.text.as_str()).collect();
    messages.join("\n")
}

/// A host on which alice sets up an app when she logs in.
fn where_alice_enrolls(host: &Host) {
    host.configure(&format!("{ENROLL}{EIGHT_DIGITS}"));
    host.succeed("install", ["-d", "-m", "0700", "/var/lib/twofactor", "/var/lib/twofactor/users"]);
    service(host, "enroll");
    host.add_user("alice");
}

fn enrolling<'h>(host: &'h Host, calls: &str) -> Login<'h> {
    dumped(host, "alice").service("enroll").calls(calls)
}

#[test]
fn after_an_enrollment_that_was_hung_up_at_any_question_the_memory_holds_nothing_that_was_shown() {
    private_host(|host| {
        where_alice_enrolls(host);
        // At the code, at the code behind a wrong one and a picture, and at the recovery codes, when all is stored already.
        for (given, end) in [(0, ReturnCode::CONV_ERR), (2, ReturnCode::CONV_ERR), (9, ReturnCode::SUCCESS)] {
            let (mut left, mut typed) = (given, Vec::new());
            let (outcome, shown) = broken_off(enrolling(host, "authenticate,account"), |prompt, shown| {
                assert!([CONFIRM, WRITE_DOWN].iter().any(|question| prompt.ends_with(question)), "{prompt}");
                if left == 0 || prompt.ends_with(WRITE_DOWN) {
                    return Answer::Fail;
                }
                left -= 1;
                let app = Offer::read(shown).app;
                let code = match left {
                    7.. => app.code(0),
                    1 => app.wrong_codes().next().unwrap(),
                    _ => "ascii".to_owned(),
                };
                typed.push(code.clone());
                Answer::from(&code)
            });
            assert_eq!(outcome.results[0].1, end, "{:?}", outcome.results);
            assert_eq!(recovery_codes(&shown).is_empty(), given < 9, "{shown}");
            let mut needles = of_offer(&Offer::read(&shown), &shown);
            needles.extend(typed.iter().filter(|code| *code != "ascii").map(|code| needle("the code", code)));
            assert_forgotten(&format!("{given} answers"), &file(host), &needles);
        }
    });
}

#[test]
fn after_an_app_was_confirmed_that_nobody_stores_the_memory_holds_nothing_of_it() {
    private_host(|host| {
        where_alice_enrolls(host);
        let mut code = String::new();
        // The application leaves out pam_acct_mgmt, and ends.
        let (outcome, shown) = broken_off(enrolling(host, "authenticate"), |_, shown| {
            code = Offer::read(shown).app.code(0);
            Answer::from(&code)
        });
        assert_all_succeeded(&outcome);
        assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3), "nothing is stored");
        let mut needles = of_offer(&Offer::read(&shown), &shown);
        needles.push(needle("the code", &code));
        assert_forgotten("a confirmation that nobody stored", &file(host), &needles);
    });
}

#[test]
fn after_a_secret_that_was_kept_was_shown_again_the_memory_holds_nothing_of_it() {
    private_host(|host| {
        where_alice_enrolls(host);
        let alice = host.enroll("alice", &["--digits", "8"]);
        let all = |shown: &str| {
            let mut needles = of_offer(&Offer::read(shown), shown);
            needles.extend(of_codes("a recovery code", &alice.recovery_codes));
            needles
        };
        for confirms in [false, true] {
            host.sysadmin(&["reset", "alice", "--keep-secret", "--yes"]);
            let mut code = String::new();
            let (outcome, shown) = broken_off(enrolling(host, "authenticate,account"), |prompt, shown| match prompt {
                CONFIRM if confirms => {
                    code = Offer::read(shown).app.code(1);
                    Answer::from(&code)
                }
                CONFIRM => Answer::Fail,
                _ if prompt.ends_with(ONCE_MORE) || prompt.ends_with(WRITE_DOWN) => Answer::from(""),
                other => panic!("{other}"),
            });
            assert_eq!(outcome.results.iter().all(|(_, code)| *code == ReturnCode::SUCCESS), confirms, "{outcome:?}");
            assert_eq!(Offer::read(&shown).app.secret, alice.authenticator.secret, "{shown}");
            let mut needles = all(&shown);
            if confirms {
                needles.push(needle("the code", &code));
            }
            assert_forgotten(if confirms { "a confirmation" } else { "hanging up" }, &file(host), &needles);
        }
    });
}
