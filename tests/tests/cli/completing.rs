//! Completion of names that the host knows, as the shells ask for it.

use std::fs;
use std::os::unix::process::CommandExt as _;

use twofactor_tests::private_host::{Host, private_host, said};

use crate::{stderr, stdout};

fn completed(host: &Host, words: &[&str]) -> Vec<String> {
    let output = host.run_twofactor(&[&["complete", "--"], words].concat());
    assert!(output.status.success() && stderr(&output).is_empty(), "{}", said(&output));
    stdout(&output).lines().map(str::to_owned).collect()
}

/// bash's candidates for a line that ends in the last of the words, by the script that `completions` prints.
fn in_bash(host: &Host, words: &[&str]) -> Vec<String> {
    let script = host.place("completion");
    fs::write(&script, host.succeed("twofactor", ["completions", "bash"])).unwrap();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!(
        "source {} && COMP_WORDS=(twofactor {}) COMP_CWORD={} && _twofactor_with_values twofactor \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\" && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        quoted.join(" "),
        words.len()
    );
    host.succeed("bash", ["-c", &line]).lines().map(str::to_owned).collect()
}

#[test]
fn names_that_the_host_knows_are_completed_for_root() {
    private_host(|host| {
        host.user_with_fob("alice");
        host.add_user("alina");
        let serials: Vec<String> = host
            .json(&["token", "list"])
            .as_array()
            .map(|tokens| tokens.iter().map(|token| token["serial"].as_str().unwrap().to_owned()).collect())
            .unwrap_or_default();
        assert_eq!(completed(host, &["status", "ali"]), ["alice", "alina"]);
        assert_eq!(completed(host, &["sudo", "twofactor", "status", "alic"]), ["alice"]);
        assert_eq!(completed(host, &["token", "show", ""]), serials);
        assert_eq!(completed(host, &["token", "list", "--state", "l"]), ["lost"]);
        assert_eq!(completed(host, &["log", "--event", "enr"]), ["enrolled"]);
        assert!(completed(host, &["service", "enable", "s"]).contains(&"su".to_owned()));
        assert_eq!(completed(host, &["status", "--"]), Vec::<String>::new());
        assert_eq!(in_bash(host, &["status", "ali"]), ["alice", "alina"]);
        assert_eq!(in_bash(host, &["statu"]), ["status"], "clap's own words stay");
        assert_eq!(in_bash(host, &["compl"]), ["completions"], "what is for scripts stays hidden");
        assert!(in_bash(host, &["status", "--"]).contains(&"--missing".to_owned()));
        // Errors stay silent, and other users learn no names.
        host.configure("nonsense = 1\n");
        assert_eq!(completed(host, &["status", "ali"]), Vec::<String>::new());
        host.configure("");
        let mut stranger = host.twofactor(&["complete", "--", "status", "ali"]);
        let output = stranger.uid(65_534).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output), stderr(&output)), (Some(0), String::new(), String::new()));
    });
}

#[test]
fn serials_and_series_come_from_the_index_and_are_bounded() {
    private_host(|host| {
        let file = host.place("fobs.csv");
        let rows: Vec<String> = (0..500).map(|number| format!("55{number:08},{number:040X}\n")).collect();
        fs::write(&file, rows.concat()).unwrap();
        host.succeed("twofactor", ["token", "import", file.to_str().unwrap(), "--series", "fobs 2026"]);
        assert_eq!(completed(host, &["token", "show", ""]).len(), 200);
        assert_eq!(completed(host, &["token", "show", "550000012"]).len(), 10);
        assert_eq!(completed(host, &["token", "show", "56"]), Vec::<String>::new());
        assert_eq!(completed(host, &["series", "show", "fo"]), ["fobs 2026"]);
        assert_eq!(in_bash(host, &["series", "show", "fo"]), ["fobs\\ 2026"]);
    });
}
