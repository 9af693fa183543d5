//! Physical tokens in every state, the series they came with, and seed files that are understood or not.

use std::fs;

use serde_json::{Value, json};
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::seeds::zip;

use crate::witness::{Witness, story};

pub(crate) const COMMANDS: &[&str] = &[
    "series delete",
    "series list",
    "series show",
    "status",
    "token assign",
    "token delete",
    "token disable",
    "token enable",
    "token identify",
    "token import",
    "token list",
    "token lost",
    "token probe",
    "token resync",
    "token revoke",
    "token show",
    "token unassign",
    "token verify",
];

#[test]
fn physical_tokens_and_what_is_done_about_them() {
    story(COMMANDS, |witness| {
        witness.host.add_user("alice");
        witness.host.add_user("bob");
        there_is_none(witness);
        seed_files_come_in(witness);
        some_are_assigned(witness);
        codes_are_looked_at(witness);
        they_live_and_end(witness);
        what_is_damaged_is_said(witness);
    });
}

fn serial(number: u64) -> String {
    Fob::clock(number).serial
}

fn there_is_none(witness: &Witness<'_>) {
    for command in [&["token", "list"][..], &["series", "list"]] {
        assert_eq!(witness.runs(command), json!([]));
    }
    assert_eq!(witness.lines(&["token", "list"]), json!([]));
}

fn seed_files_come_in(witness: &Witness<'_>) {
    let file = |name: &str, text: &str| witness.host.private_file(name, text).to_str().unwrap().to_owned();
    let clocks = file("clocks.csv", &seed_file(&[0, 1, 2, 4, 5].map(Fob::clock)));
    let explained = witness.runs(&["token", "import", &clocks, "--explain"]);
    assert!(explained["example"].is_string() && explained["assumptions"][0].is_object(), "{explained}");
    assert_eq!(witness.runs(&["token", "import", &clocks, "--dry-run"])["imported"], false);
    assert_eq!(witness.runs(&["token", "import", &clocks])["new"], 5);
    let again = witness.runs(&["token", "import", &clocks]);
    assert_eq!((&again["unchanged"], &again["series"]), (&json!(5), &json!(null)));
    witness.host.import(&[Fob::clock(3)]);
    let buttons = file("buttons.csv", &seed_file(&[Fob::button(1)]));
    witness.runs(&["token", "import", &buttons, "--type", "hotp"]);
    let headed =
        "Serial Number,Seed,Manufacturer,Model,Warranty\nV1,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQ,Acme,C200,2 years\n";
    let headed = file("headed.csv", headed);
    let explained = witness.runs(&["token", "import", &headed, "--explain"]);
    assert!(!explained["unexplained"].as_array().unwrap().is_empty(), "{explained}");
    let named = witness.runs(&["token", "import", &headed]);
    assert_eq!(named["new"], 1, "{named}");
    assert_eq!(witness.runs(&["token", "show", "V1"])["vendor"], "Acme");
    let twice = zip(&[("seeds.csv", b"Z1,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQJBSWY3DPEHPK3PXPJBSW\n")]);
    let packed = witness.host.place("packed.zip");
    fs::write(&packed, twice).unwrap();
    let explained = witness.runs(&["token", "import", packed.to_str().unwrap(), "--explain"]);
    assert_eq!(explained["documents"][0]["entry"], "seeds.csv");
    let doubts = explained["assumptions"].as_array().unwrap();
    assert!(doubts.iter().any(|doubt| doubt["could_be"].is_string()), "32 bytes speak for SHA256: {explained}");
    let wrong = file("wrong.csv", &(seed_file(&[Fob::clock(90)]) + "91,no-secret!\n"));
    let refused = witness.ends(8, &["token", "import", &wrong]);
    assert!(refused["problems"][0]["place"].is_string(), "{refused}");
}

fn some_are_assigned(witness: &Witness<'_>) {
    witness.runs(&["token", "assign", &serial(0), "alice"]);
    let button = Fob::button(1).serial;
    let list = witness.host.private_file("owners.csv", &format!("{},bob\n{button},bob\n", serial(1)));
    let assigned = witness.runs(&["token", "assign", "--from", list.to_str().unwrap()]);
    assert_eq!(assigned.as_array().unwrap().len(), 2);
    let code = Fob::clock(0).authenticator.code(0);
    assert_eq!(witness.host.login("alice").rhost("192.0.2.7").typing(code).code(), ReturnCode::SUCCESS);
    let shown = witness.runs(&["token", "show", &serial(0)]);
    assert!(shown["state"] == "active" && shown["last_accepted"].is_string(), "{shown}");
    witness.runs(&["status", "alice"]);
    witness.runs(&["status"]);
}

fn codes_are_looked_at(witness: &Witness<'_>) {
    let [clock, counter] = [Fob::clock(1).authenticator, Fob::button(1).authenticator];
    assert_eq!(witness.runs(&["token", "verify", &serial(1), &clock.code(0)])["accepted"], true);
    let free = Fob::clock(2);
    let verified = witness.runs(&["token", "verify", &free.serial, &free.authenticator.code(0)]);
    assert_eq!((&verified["accepted"], &verified["user"]), (&json!(false), &json!(null)));
    let wrong: Vec<String> = clock.wrong_codes().take(2).collect();
    witness.ends(5, &["token", "verify", &serial(1), &wrong[0]]);
    let [first, second] = clock.two_codes();
    witness.runs(&["token", "identify", &first, &second]);
    let [first, second] = free.authenticator.two_codes();
    witness.runs(&["token", "identify", &first, &second]);
    assert_eq!(witness.ends(3, &["token", "identify", &wrong[0], &wrong[1]]), json!([]));
    witness.runs(&["token", "resync", &serial(1), &clock.code(20), &clock.code(21)]);
    let codes = counter.counter_codes(100, 2);
    let resynced = witness.runs(&["token", "resync", &Fob::button(1).serial, &codes[0], &codes[1]]);
    assert_eq!((&resynced["next_counter"], &resynced["drift_seconds"]), (&json!(102), &json!(null)));

    let codes = counter.counter_codes(102, 2);
    assert_eq!(
        witness.runs(&["token", "probe", &Fob::button(1).serial, &codes[0], &codes[1]])["fits"][0]["period"],
        json!(null)
    );
    let [first, second] = free.authenticator.two_codes();
    witness.runs(&["token", "resync", &free.serial, &first, &second]);
    witness.ends(5, &["token", "probe", &serial(3), &wrong[0], &wrong[1]]);
    let slow = |number| Authenticator { kind: Kind::Time(60), ..Fob::clock(number).authenticator };
    let probe = |options: &[&str]| {
        let [first, second] = slow(3).two_codes();
        let serial = serial(3);
        witness.runs(&[&["token", "probe", serial.as_str(), &first, &second][..], options].concat())
    };
    assert_eq!(probe(&[])["fixed"], json!(null));
    assert!(probe(&["--fix"])["fixed"].is_number());
    assert_eq!(probe(&[])["fits"][0]["stored"], true);
}

fn they_live_and_end(witness: &Witness<'_>) {
    let three = [serial(2), serial(4), serial(5)];
    let [two, four, five] = three.each_ref().map(String::as_str);
    for change in ["disable", "enable", "lost"] {
        witness.runs(&["token", change, two, &serial(0)]);
        witness.runs(&["token", "list"]);
        witness.runs(&["status", "alice"]);
    }
    witness.runs(&["token", "enable", &serial(0)]);
    witness.runs(&["token", "revoke", four, "--yes"]);
    witness.runs(&["token", "delete", five, "--yes"]);
    witness.runs(&["token", "unassign", &serial(1), "--force"]);
    let listed = witness.runs(&["token", "list"]);
    let states: Vec<&Value> = listed.as_array().unwrap().iter().map(|token| &token["state"]).collect();
    for state in ["inventory", "assigned", "active", "lost", "revoked"] {
        assert!(states.contains(&&json!(state)), "{state}: {states:?}");
    }
    assert_eq!(witness.lines(&["token", "list"]), listed);
    witness.runs(&["status"]);
    let ended = witness.runs(&["token", "revoke", &Fob::button(1).serial, "--yes", "--force"]);
    assert_eq!(ended[0]["user"], "bob");
    let named = witness.runs(&["series", "list"]);
    assert_eq!(named.as_array().unwrap().len(), 4, "{named}");
    assert_eq!(witness.runs(&["series", "show", "clocks"])["imports"].as_array().unwrap().len(), 1);
    witness.runs(&["series", "delete", "headed", "--yes"]);
}

fn what_is_damaged_is_said(witness: &Witness<'_>) {
    fs::write("/var/lib/twofactor/users/alice/state", "damaged").unwrap();
    let shown = witness.runs(&["token", "show", &serial(0)]);
    assert!(shown["problem"].is_string(), "{shown}");
    witness.runs(&["token", "list"]);
    witness.host.user_with_app("carol");
    fs::write("/var/lib/twofactor/registry.db", "damaged").unwrap();
    let without = witness.ends(1, &["status", "carol"]);
    assert!(without["tokens_problem"].is_string(), "{without}");
    witness.ends(1, &["status"]);
}
