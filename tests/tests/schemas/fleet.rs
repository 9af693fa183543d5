//! A fleet of one host, which is its central machine, too: added, joined, without a link, without a server, revoked.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use twofactor_core::store::broker::LINK;
use twofactor_tests::artifacts::{link, server};
use twofactor_tests::postgres::Postgres;
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::requirements;

use crate::witness::{Witness, story};

pub(crate) const COMMANDS: &[&str] = &["host add", "host list", "host revoke", "fleet join", "fleet status"];

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(host: &Host, program: &str, arguments: &[&str], is_there: impl Fn() -> bool) -> Running {
    let mut command = host.command(host.place("bin").join(program));
    let running = Running(command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let until = Instant::now() + Duration::from_secs(30);
    while !is_there() {
        assert!(Instant::now() < until, "{program} does not listen");
        sleep(Duration::from_millis(20));
    }
    running
}

/// As a server grants them: the groups of both lists, and the entry with a star.
fn grants_are_those_of_the_first_entry_about_the_name(witness: &Witness<'_>) {
    let path = Path::new("/etc/twofactor/twofactor.toml");
    let before = fs::read_to_string(path).unwrap();
    let entries = "[[host]]\nname = \"d*k\"\nmay = [\"login\", \"self\"]\ngroups = [\"ops\", \"web\"]\n\
                   [[host]]\nname = \"de*\"\nmay = [\"login\", \"enroll\"]\n";
    let seen = |entries: &str| {
        let without = before.split("[[host]]").next().unwrap();
        witness.host.configure(&format!("{without}{entries}"));
        let listed = witness.runs(&["host", "list"]);
        (listed[0]["may"].clone(), listed[0]["groups"].clone())
    };
    assert_eq!(seen(entries), (json!(["login", "self"]), json!(["ops"])));
    assert!(said(&witness.host.twofactor(&["host", "list"]).output().unwrap()).contains("login, self  ops"));
    let elsewhere = entries.replace("\"ops\", ", "");
    assert_eq!(seen(&elsewhere), (json!(["login", "self"]), json!([])));
    assert!(said(&witness.host.twofactor(&["host", "list"]).output().unwrap()).contains("no user"));
    assert_eq!(seen(""), (json!(["login"]), json!(["dba", "ops"])));
    witness.host.configure(&before);
}

#[test]
fn a_fleet() {
    let postgresql_is_there =
        requirements::programs_met(&["setpriv"]) && requirements::package_met("postgresql", "/usr/lib/postgresql");
    if !postgresql_is_there {
        return;
    }
    let (server, link) = (server().to_owned(), link().to_owned());
    story(COMMANDS, |witness| {
        let host = witness.host;
        for (program, name) in [(&server, "twofactor-server"), (&link, "twofactor-link")] {
            symlink(program, host.place("bin").join(name)).unwrap();
        }
        let postgres = Postgres::start(&[]);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let key = host.place("seed.key");
        host.configure(&format!(
            "[store]\npostgresql = \"{}\"\nseed_key = \"{}\"\n[server]\nlisten = [\"{address}\"]\nnames = [\"localhost\"]\n\
             [[host]]\nname = \"desk\"\nmay = [\"login\", \"enroll\"]\n",
            postgres.connection(),
            key.display()
        ));
        host.succeed(host.place("bin/twofactor-server").to_str().unwrap(), ["key", "init"]);
        assert_eq!(witness.runs(&["host", "list"]), Value::Array(Vec::new()));
        let added = witness.runs(&["host", "add", "DESK", "--group", "dba", "--group", "ops"]);
        assert_eq!(
            (&added["host"], &added["command"]),
            (&Value::from("desk"), &Value::from(format!("twofactor fleet join localhost:{}", address.port())))
        );
        let listed = witness.runs(&["host", "list"]);
        assert!(listed[0]["certificate"].is_null() && listed[0]["join_code_until"].is_string(), "{listed}");
        assert_eq!(listed[0]["groups"], json!(["dba", "ops"]));
        assert_eq!(listed[0]["may"], json!(["login", "enroll"]));
        grants_are_those_of_the_first_entry_about_the_name(witness);

        let serving = start(host, "twofactor-server", &["serve"], || TcpStream::connect(address).is_ok());
        let at = format!("localhost:{}", address.port());
        let arguments = ["fleet", "join", &at];
        let code = format!("{}\n", added["join_code"].as_str().unwrap());
        let mut joining = host.twofactor(&[&["--json"][..], &arguments].concat());
        let mut joining = joining.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        joining.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
        let joined = joining.wait_with_output().unwrap();
        let joined =
            serde_json::from_slice(&joined.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&joined)));
        let joined = witness.compare(&arguments, joined);
        assert_eq!(
            (&joined["host"], &joined["configured"], &joined["started"]),
            (&"desk".into(), &true.into(), &false.into())
        );
        let config = fs::read_to_string("/etc/twofactor/twofactor.toml").unwrap();
        assert!(config.ends_with(&format!("\n\n[fleet]\nservers = [\"{at}\"]\n")), "{config}");

        let status = witness.runs(&["fleet", "status"]);
        assert!(status["link"] == false && status["servers"][0]["answers"] == true, "{status}");
        assert_eq!(
            (&status["certificate"]["name"], &status["certificate"]["serial"]),
            (&"desk".into(), &joined["certificate"]["serial"])
        );
        let linked = start(host, "twofactor-link", &["--listen", LINK], || fs::exists(LINK).unwrap());
        assert_eq!(witness.runs(&["fleet", "status"])["link"], true);
        let listed = witness.runs(&["host", "list"]);
        assert_eq!(listed[0]["certificate"]["serial"], joined["certificate"]["serial"]);
        assert_eq!(listed[0]["may"], json!(["login", "enroll"]));

        witness.runs(&["host", "revoke", "desk"]);
        assert!(witness.runs(&["host", "list"])[0]["revoked"].is_string());
        let status = until_none_answers(witness);
        assert!(status["servers"][0]["why"].as_str().unwrap().contains("take the certificate of this host no more"));
        drop(serving);
        let status = witness.ends(1, &["fleet", "status"]);
        assert!(status["servers"][0]["why"].as_str().unwrap().contains("connection refused"), "{status}");
        drop(linked);
        fs::remove_dir_all("/etc/twofactor/fleet").unwrap();
        let status = witness.ends(1, &["fleet", "status"]);
        assert!(status["certificate"].is_null() && status["certificate_problem"].is_string(), "{status}");
    });
}

/// A revocation is noticed within a second.
fn until_none_answers(witness: &Witness<'_>) -> Value {
    let until = Instant::now() + Duration::from_secs(20);
    while witness.host.run_twofactor(&["fleet", "status"]).status.success() {
        assert!(Instant::now() < until, "the host is heard");
    }
    witness.ends(1, &["fleet", "status"])
}
