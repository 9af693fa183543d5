//! A configuration that is not the host's: its state is made anew as often as a trial wants.

use std::fs;

use serde_json::json;
use twofactor_tests::private_host::{private_host, said};

use crate::stdout;

#[test]
fn a_configuration_in_no_folder_called_twofactor_has_a_state_that_may_go_and_doctor_says_that_nothing_names_it() {
    private_host(|host| {
        host.add_user("alice");
        let trial = host.place("trial");
        let (state, config) = (trial.join("state"), trial.join("c.toml"));
        for _ in 0..2 {
            let _ = fs::remove_dir_all(&trial);
            fs::create_dir(&trial).unwrap();
            fs::write(&config, format!("[paths]\nstate = \"{}\"\n", state.display())).unwrap();
            let config = config.to_str().unwrap();
            host.succeed("twofactor", ["--config", config, "enroll", "alice", "--no-confirm", "--qr", "none"]);
            assert!(!trial.join("state.id").exists());
            // Gone without a trace of it: in /etc/twofactor a marker would say that it is not mounted.
            fs::remove_dir_all(&state).unwrap();
            host.succeed("twofactor", ["--config", config, "enroll", "alice", "--no-confirm", "--qr", "none"]);
            let doctor = host.run_twofactor(&["--config", config, "doctor"]);
            assert!(stdout(&doctor).contains("[unmarked-state]"), "{}", said(&doctor));
            for command in ["mark", "adopt"] {
                let marked = host.json(&["--config", config, "state", command]);
                assert_eq!(marked, json!({ "format": 1, "state": state, "marker": null }));
            }
        }
    });
}
