//! A second factor that is set up at the login prompt of a host of a fleet: an app, by the clock of a server alone; with an invitation of the
//! central machine; and a physical token. Module, link, TLS, a server and PostgreSQL in one private host.

use std::fs;
use std::path::Path;

use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::first_login::{CONFIRM, FIRST, INVITATION, Offer, SECOND, SERIAL};
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::{Login, Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements;

use super::joining::{self, WEB1, added};
use super::login::{Linked, link_of};
use super::now;
use super::program::{Machine, Serving, said};
use super::token_commands::{done, json};

const SERVICE: &str = "first";
/// Its account phase stores what was set up.
const LINES: &str = "auth required pam_twofactor.so\naccount required pam_twofactor.so\n";
const ENROLL: &str = "[default]\nsecond_factor = \"enroll\"\n";
const INVITED: &str = "[enrollment]\ninvitation = \"required\"\n";

/// A central machine, and the private host as one of its fleet that may enroll. `rules` are those of both.
fn fleet(host: &Host, rules: &str) -> Option<(Machine, Serving, Linked)> {
    let machine = joining::central(&format!("{rules}[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n"))?;
    let serving = machine.serve();
    let joined = joining::join(host, machine.address, &added(&machine, &[WEB1]), &[]);
    assert!(joined.status.success(), "{}", said(&joined));
    let text = fs::read_to_string("/etc/twofactor/twofactor.toml").unwrap();
    host.configure(&format!("{text}{ENROLL}{rules}"));
    host.service(SERVICE, LINES);
    host.system_service(SERVICE, LINES);
    let linked = link_of(host);
    Some((machine, serving, linked))
}

/// A first login that goes on to the account phase.
fn first(login: Login<'_>, answer: impl FnMut(&str, &str) -> String) -> Outcome {
    login.service(SERVICE).calls("authenticate,account").conversing(answer)
}

fn has_no_file(user: &str) -> bool {
    !Path::new("/var/lib/twofactor/users").join(user).exists()
}

#[test]
fn an_app_is_set_up_by_the_clock_of_a_server_whatever_that_of_the_host_says() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(_fleet) = fleet(host, "") else { return };
        for (place, by) in [0, 60, -60, 3600, -3600].into_iter().enumerate() {
            let name = format!("alice{place}");
            host.add_user(&name);
            let clock = Moment(now().seconds().checked_add_signed(by).unwrap());
            let mut app = None;
            let outcome = first(host.login_at(clock, &name), |prompt, shown| match prompt {
                CONFIRM => app.insert(Offer::read(shown).app).code(0),
                _ => String::new(),
            });
            assert_eq!(outcome.code(), ReturnCode::SUCCESS, "{by}: {:?}", outcome.texts());
            assert!(has_no_file(&name));
            let app = app.unwrap();
            assert_eq!(host.login(&name).typing(app.code(1)).code(), ReturnCode::SUCCESS, "{by}");
            // By the clock of the host, its own code is wrong.
            let name = format!("bob{place}");
            host.add_user(&name);
            let steps = by / 30;
            let outcome = first(host.login_at(clock, &name), |prompt, shown| match prompt {
                CONFIRM => Offer::read(shown).app.code(if steps.abs() > 10 { steps } else { 100 }),
                _ => String::new(),
            });
            assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{by}: {:?}", outcome.texts());
        }
    });
}

#[test]
fn an_invitation_of_the_central_machine_is_typed_at_a_host_and_enrolls_once() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some((machine, _serving, _linked)) = fleet(host, INVITED) else { return };
        for name in ["alice", "bob"] {
            host.add_user(name);
        }
        let code = json(&machine, &["invite", "alice"])["invitation"].as_str().unwrap().to_owned();
        let with = |name: &str| {
            let mut app = None;
            let outcome = first(host.login(name), |prompt, shown| match prompt {
                INVITATION => code.clone(),
                CONFIRM => app.insert(Offer::read(shown).app).code(0),
                _ => String::new(),
            });
            (outcome, app)
        };
        let (refused, app) = with("bob");
        assert_eq!((refused.code(), app.is_none()), (ReturnCode::AUTH_ERR, true), "it is another user's");
        let (outcome, app) = with("alice");
        assert_eq!(outcome.code(), ReturnCode::SUCCESS, "{:?}", outcome.texts());
        assert!(has_no_file("alice"));
        assert_eq!(host.login("alice").typing(app.unwrap().code(1)).code(), ReturnCode::SUCCESS);
        done(&machine, &["reset", "alice", "--yes"]);
        let (refused, app) = with("alice");
        assert_eq!((refused.code(), app.is_none()), (ReturnCode::AUTH_ERR, true), "it is used up");
    });
}

#[test]
fn serial_and_two_codes_at_a_host_make_a_token_of_the_central_store_its_users() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some((machine, _serving, _linked)) = fleet(host, "") else { return };
        host.add_user("alice");
        let fobs = Fob::box_of(0, 2);
        let file = host.private_file("tokens.csv", &seed_file(&fobs));
        done(&machine, &["token", "import", file.to_str().unwrap(), "--series", "acme"]);
        let fob = &fobs[0];
        let [one, two] = fob.authenticator.two_codes();
        let outcome = first(host.login("alice"), |prompt, _| match prompt {
            CONFIRM => "token".to_owned(),
            SERIAL => fob.serial.clone(),
            FIRST => one.clone(),
            SECOND => two.clone(),
            _ => String::new(),
        });
        assert_eq!(outcome.code(), ReturnCode::SUCCESS, "{:?}", outcome.texts());
        assert_eq!(outcome.prompts(), [CONFIRM, SERIAL, FIRST, SECOND]);
        let shown = done(&machine, &["token", "show", &fob.serial]);
        assert!(shown.contains("alice"), "{shown}");
        assert_eq!(host.login("alice").typing(&two).code(), ReturnCode::AUTH_ERR, "it is used");
        assert_eq!(host.login("alice").typing(fob.authenticator.code(2)).code(), ReturnCode::SUCCESS);
        assert!(has_no_file("alice"));
    });
}
