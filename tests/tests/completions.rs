//! Completion in the real bash, zsh and fish, with the scripts that `twofactor completions` prints: names that the host knows,
//! commands and options, and the time that a name takes among 300,000 tokens.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use twofactor_tests::fob::Fob;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::terminal::{Size, Terminal};

/// The shells, and how each is started with our script. On Ctrl-T it prints the line that is edited, between `=:` and `:=`.
const SHELLS: [(&str, &[&str], &str); 3] = [
    (
        "bash",
        &["--norc", "--noprofile", "-i"],
        r#"PS1='$ '; source FOLDER/twofactor.bash; bind -x '"\C-t":printf "=:%s:=" "$READLINE_LINE"'"#,
    ),
    (
        "zsh",
        &["-f", "-i"],
        "PS1='$ '; fpath=(FOLDER $fpath); autoload -U compinit; compinit -u -D; show() { print -rn -- \"=:$BUFFER:=\" }; zle -N show; \
         bindkey '^T' show",
    ),
    (
        "fish",
        &["--no-config", "-i"],
        "function fish_prompt; echo '$ '; end; source FOLDER/twofactor.fish; function show; printf '=:%s:=' (commandline); end; bind \\ct show",
    ),
];

/// A person who types at a shell.
struct Shell {
    name: &'static str,
    terminal: Terminal,
}

impl Shell {
    fn start(host: &Host, (name, options, set_up): (&'static str, &[&str], &str)) -> Self {
        let mut shell = host.command(name);
        let terminal = Terminal::start(shell.args(options).env("TERM", "vt100"), Size::LARGE);
        let mut shell = Self { name, terminal };
        shell.terminal.expect_any(&["$", "#", "%", ">"]);
        let set_up = set_up.replace("FOLDER", host.place("completions").to_str().unwrap());
        shell.terminal.type_line(&set_up);
        shell.terminal.type_line("echo set-up-is-\"\"done");
        shell.terminal.expect("set-up-is-done");
        shell
    }

    /// Types a line, presses Tab, and gives what the shell made of it.
    #[track_caller]
    fn completes(&mut self, line: &str) -> String {
        self.terminal.type_keys(&format!("{line}\t\x14"));
        self.terminal.expect("=:");
        let shown = self.terminal.expect(":=");
        // The line goes, and nothing is run.
        self.terminal.type_keys("\x15");
        shown.trim_end_matches(":=").trim_end().to_owned()
    }
}

/// The scripts where the shells look for them.
fn install(host: &Host) {
    let folder = host.place("completions");
    fs::create_dir(&folder).unwrap();
    for (shell, file) in [("bash", "twofactor.bash"), ("zsh", "_twofactor"), ("fish", "twofactor.fish")] {
        fs::write(folder.join(file), host.succeed("twofactor", ["completions", shell])).unwrap();
    }
}

#[test]
fn users_serials_series_services_events_and_states_are_completed_in_bash_zsh_and_fish() {
    if !programs_met(&SHELLS.map(|(name, ..)| name)) {
        return;
    }
    private_host(|host| {
        install(host);
        host.user_with_app("alice");
        host.add_user("alina");
        host.import(&[Fob::clock(1), Fob::clock(20)]);
        for shell in SHELLS {
            let mut shell = Shell::start(host, shell);
            for (line, completed) in [
                ("twofactor status alic", "twofactor status alice"),
                ("twofactor log --user alin", "twofactor log --user alina"),
                ("twofactor token show T00000", "twofactor token show T00000"),
                ("twofactor token show T000002", "twofactor token show T0000020"),
                ("twofactor token assign T0000020 alic", "twofactor token assign T0000020 alice"),
                ("twofactor series show T", "twofactor series show T0000001"),
                ("twofactor service enable ssh", "twofactor service enable sshd"),
                ("twofactor explain alice --service ssh", "twofactor explain alice --service sshd"),
                ("twofactor log --event enr", "twofactor log --event enrolled"),
                ("twofactor log --event secret-s", "twofactor log --event secret-shown"),
                ("twofactor rename alic", "twofactor rename alice"),
                ("twofactor rename bob alin", "twofactor rename bob alina"),
                ("twofactor token list --state lo", "twofactor token list --state lost"),
                ("twofactor compl", "twofactor completions"),
                ("twofactor status --mis", "twofactor status --missing"),
            ] {
                assert_eq!(shell.completes(line), completed, "{}: {}", shell.name, shell.terminal.shown());
            }
        }
    });
}

#[test]
fn a_serial_among_300_000_is_completed_while_a_person_waits() {
    if !programs_met(&SHELLS.map(|(name, ..)| name)) {
        return;
    }
    private_host(|host| {
        install(host);
        let rows: Vec<String> = (0..300_000).map(|number| format!("55{:08},{number:040X}\n", number * 10)).collect();
        let file = host.place("many.csv");
        fs::write(&file, rows.concat()).unwrap();
        host.succeed("twofactor", ["--quiet", "token", "import", file.to_str().unwrap()]);
        for shell in SHELLS {
            let mut shell = Shell::start(host, shell);
            let started = Instant::now();
            let line = shell.completes("twofactor token show 550299999");
            let took = started.elapsed();
            assert_eq!(line, "twofactor token show 5502999990", "{}", shell.name);
            // Written past the test runner's capture.
            let said = format!("{}: {} ms with 300,000 tokens, debug build\n", shell.name, took.as_millis());
            let _ = std::io::stderr().write_all(said.as_bytes());
            // Far longer than it takes on a machine that does other things.
            assert!(took < Duration::from_secs(20), "{}: {took:?}", shell.name);
        }
    });
}
