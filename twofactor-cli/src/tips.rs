//! Reads the command line, and helps where it is almost right: `help` in any place, and a tip for an unknown word.
//!
//! Invariant: no tip names a command that takes something away, nor an option that overrides a refusal or a question. A tip is
//! often typed without reading: `rest` brings no tip at all, and not the second nearest command either.

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::Parser as _;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::{Command, Typed};

/// Commands after which a login, a code or a record is gone. `recovery` voids the old codes; `adopt` and `adopt-uids` give
/// accounts to other persons.
const DESTRUCTIVE_COMMANDS: [&str; 9] =
    ["reset", "recovery", "unassign", "disable", "lost", "revoke", "delete", "adopt", "adopt-uids"];

/// Options that override a refusal or a question, or make a command destructive.
const DESTRUCTIVE_OPTIONS: [&str; 8] =
    ["--force", "--yes", "--replace", "--revoke", "--fix", "--no-confirm", "--keep-going", "--all"];

/// Words from other tools, and the commands that do the same here.
const KNOWN_ELSEWHERE: [(&[&str], &[&str]); 9] = [
    (&["add", "new", "create", "register", "setup", "init"], &["enroll"]),
    (&["bulk", "batch"], &["enroll --from FILE"]),
    (&["ls", "list", "users", "user", "who"], &["status", "token list"]),
    (&["show", "info", "get"], &["status USER", "token show", "config show"]),
    (&["check", "test"], &["doctor", "verify", "config check"]),
    (&["why", "policy", "rules"], &["explain", "config show"]),
    (&["logs", "audit", "history", "events"], &["log"]),
    (&["pam", "pam-auth-update", "sshd"], &["service list"]),
    (&["completion"], &["completions"]),
];

/// Reads a command line; an error is a page of help, the version, or a mistake with its tip. `help` and `version` are answered here, as
/// `--help` and `--version` are.
pub(crate) fn parse(words: &[OsString]) -> Result<Typed, clap::Error> {
    let error = match Typed::try_parse_from(words) {
        Ok(Typed { command: Command::Help(help), .. }) => return Err(page_of(&help.command)),
        Ok(Typed { command: Command::Version, .. }) => return Err(answer_to(["--version".into()])),
        Ok(typed) => return Ok(typed),
        Err(error) => error,
    };
    match (error.kind(), unknown_word(&error)) {
        (ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument, Some("help")) => help_in_place(words, error),
        (ErrorKind::InvalidSubcommand, Some(word)) => {
            let tips = tips(word, words);
            Err(with_tips(error, &tips))
        }
        (ErrorKind::UnknownArgument, _) => Err(without_destructive_option(error)),
        _ => Err(error),
    }
}

/// The page that `COMMAND --help` prints, or why there is none.
fn page_of(command: &[String]) -> clap::Error {
    let words = command.iter().map(OsString::from).chain(["--help".into()]);
    let words: Vec<OsString> = words.collect();
    answer_to(words)
}

/// The answer to a command line that never gets as far as a command.
fn answer_to(words: impl IntoIterator<Item = OsString>) -> clap::Error {
    let words: Vec<OsString> = [OsString::from("twofactor")].into_iter().chain(words).collect();
    match parse(&words) {
        Err(answer) => answer,
        // `--help` and `--version` end the reading.
        Ok(_) => Typed::command().error(ErrorKind::DisplayHelp, "see twofactor(8)"),
    }
}

/// `twofactor token help`, `twofactor doctor help`: the help of what stands before, where "help" can be nothing else.
fn help_in_place(words: &[OsString], error: clap::Error) -> Result<Typed, clap::Error> {
    let Some(position) = words.iter().position(|word| word == "help") else { return Err(error) };
    let before = words.iter().take(position).cloned().chain(["--help".into()]);
    match Typed::try_parse_from(before) {
        Err(help) => Err(help),
        Ok(_) => Err(error),
    }
}

/// The word that is no command and no option here.
fn unknown_word(error: &clap::Error) -> Option<&str> {
    [ContextKind::InvalidSubcommand, ContextKind::InvalidArg].into_iter().find_map(|kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    })
}

/// The commands that could have been meant by `word`, as typed behind `twofactor`.
fn tips(word: &str, words: &[OsString]) -> Vec<String> {
    let here = names_before(word, words);
    if here.is_empty()
        && let Some((_, commands)) = KNOWN_ELSEWHERE.iter().find(|(typed, _)| typed.contains(&word))
    {
        return commands.iter().map(|command| (*command).to_owned()).collect();
    }
    let distance = |path: &Vec<String>| path.last().map_or(usize::MAX, |name| strsim::osa_distance(word, name));
    let nearest: Vec<(usize, Vec<String>)> = all_commands().map(|path| (distance(&path), path)).collect();
    let least = nearest.iter().map(|(distance, _)| *distance).min().unwrap_or(usize::MAX);
    let furthest = if word.chars().count() > 4 { 2 } else { 1 };
    let nearest = || nearest.iter().filter(|(distance, _)| *distance == least).map(|(_, path)| path);
    // No system that users come from: the file of a vendor.
    if least > furthest && here == ["import"] {
        return vec!["token import".to_owned()];
    }
    // As near as any, a destructive one may be the one that was meant.
    if least > furthest || nearest().any(|path| path.last().is_some_and(|name| is_destructive(name))) {
        return Vec::new();
    }
    let is_here = |path: &&Vec<String>| path.split_last().is_some_and(|(_, group)| group == here);
    let in_words = |path: &Vec<String>| path.join(" ");
    match nearest().find(is_here) {
        Some(path) => vec![in_words(path)],
        None => {
            // `self` repeats names of commands for each user, which are the ones meant elsewhere.
            let is_of_self = |path: &&Vec<String>| path.first().is_some_and(|group| group == "self");
            let has_others = nearest().any(|path| !is_of_self(&path));
            nearest().filter(|path| !(has_others && is_of_self(path))).map(in_words).collect()
        }
    }
}

/// Every command, as its names behind `twofactor`.
fn all_commands() -> impl Iterator<Item = Vec<String>> {
    let (mut all, mut next) = (Vec::new(), vec![(Vec::new(), Typed::command())]);
    while let Some((path, command)) = next.pop() {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let path = [&path[..], &[below.get_name().to_owned()]].concat();
            all.push(path.clone());
            next.push((path, below.clone()));
        }
    }
    all.into_iter()
}

/// The names of the commands that stand before the unknown word.
fn names_before(unknown: &str, words: &[OsString]) -> Vec<String> {
    let (mut command, mut names) = (Typed::command(), Vec::new());
    for word in words.iter().skip(1).take_while(|word| *word != unknown) {
        let next = word.to_str().and_then(|word| command.find_subcommand(word)).cloned();
        if let Some(next) = next {
            names.push(next.get_name().to_owned());
            command = next;
        }
    }
    names
}

fn is_destructive(command: &str) -> bool {
    DESTRUCTIVE_COMMANDS.contains(&command)
}

fn with_tips(mut error: clap::Error, tips: &[String]) -> clap::Error {
    error.remove(ContextKind::SuggestedSubcommand);
    error.remove(ContextKind::Suggested);
    if !tips.is_empty() {
        let commands: Vec<String> = tips.iter().map(|tip| format!("\"twofactor {tip}\"")).collect();
        let tip = StyledStr::from(format!("did you mean {}?", commands.join(" or ")));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

fn without_destructive_option(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(option)) = error.get(ContextKind::SuggestedArg) {
        // `--label <LABEL>`
        let name = option.split([' ', '=']).next().unwrap_or_default();
        if DESTRUCTIVE_OPTIONS.contains(&name) {
            error.remove(ContextKind::SuggestedArg);
        }
    }
    // clap offers a destructive command, too, that knows a mistyped option: "'reset --yes' exists".
    if let Some(ContextValue::String(command)) = error.get(ContextKind::SuggestedSubcommand)
        && is_destructive(command)
    {
        error.remove(ContextKind::SuggestedSubcommand);
        error.remove(ContextKind::SuggestedArg);
    }
    error.remove(ContextKind::Suggested);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed for a command line that reaches no command, and whether it is a mistake.
    fn answer(line: &str) -> (String, bool) {
        let words: Vec<OsString> = std::iter::once("twofactor").chain(line.split(' ')).map(OsString::from).collect();
        let error = parse(&words).expect_err(line);
        (error.render().to_string(), error.use_stderr())
    }

    #[test]
    fn help_is_found_wherever_it_is_typed() {
        for (typed, meant) in [
            ("help", "--help"),
            ("help enroll", "enroll --help"),
            ("help token list", "token list --help"),
            ("help help", "help --help"),
            ("token help", "token --help"),
            ("token help list", "token --help"),
            ("--quiet service help", "service --help"),
            ("doctor help", "doctor --help"),
            ("version", "--version"),
        ] {
            assert_eq!(answer(typed), answer(meant), "{typed}");
            assert!(!answer(typed).1, "{typed} is no mistake");
        }
        assert!(answer("help tokn").0.contains("did you mean \"twofactor token\"?"), "{:?}", answer("help tokn"));
    }

    #[test]
    fn an_unknown_word_brings_a_tip() {
        for (typed, tip) in [
            ("enrol alice", "did you mean \"twofactor enroll\"?"),
            ("stauts", "did you mean \"twofactor status\"?"),
            ("self statsu", "did you mean \"twofactor self status\"?"),
            ("token lsit", "did you mean \"twofactor token list\"?"),
            ("token statsu", "did you mean \"twofactor status\" or \"twofactor fleet status\"?"),
            ("service enbale sshd", "did you mean \"twofactor service enable\"?"),
            ("tokens list", "did you mean \"twofactor token\"?"),
            ("import oath-user x", "did you mean \"twofactor import oath-users\"?"),
            ("import tokens.zip", "did you mean \"twofactor token import\"?"),
            ("enable sshd", "did you mean \"twofactor service enable\" or \"twofactor token enable\"?"),
            ("add alice", "did you mean \"twofactor enroll\"?"),
            ("list", "did you mean \"twofactor status\" or \"twofactor token list\"?"),
        ] {
            let (text, is_mistake) = answer(typed);
            assert!(text.contains(tip) && is_mistake, "{typed}: {text}");
        }
        for typed in ["zzqqzz", "rest alice", "disable sshd", "token lst", "delete", "resett"] {
            assert!(!answer(typed).0.contains("tip:"), "{typed}");
        }
    }

    #[test]
    fn every_command_of_a_tip_exists() {
        for tip in KNOWN_ELSEWHERE.iter().flat_map(|(_, commands)| commands.iter()) {
            let mut command = Typed::command();
            for word in tip.split(' ').take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())) {
                command = command.find_subcommand(word).unwrap_or_else(|| panic!("{tip}")).clone();
            }
        }
    }

    /// Slips of the finger: a letter left out, doubled, or swapped with the next one.
    fn typos(word: &str) -> Vec<String> {
        let letters: Vec<char> = word.chars().collect();
        let mut typos = Vec::new();
        for position in 0..letters.len() {
            let (mut without, mut doubled, mut swapped) = (letters.clone(), letters.clone(), letters.clone());
            without.remove(position);
            doubled.insert(position, letters[position]);
            swapped.swap(position, (position + 1) % letters.len());
            typos.extend([without, doubled, swapped].map(|letters| letters.into_iter().collect::<String>()));
        }
        typos
    }

    #[test]
    fn no_typo_brings_a_tip_that_takes_something_away() {
        let mut tips = 0;
        for path in all_commands() {
            let Some((name, group)) = path.split_last() else { continue };
            for typo in typos(name).into_iter().chain([name.clone()]) {
                for group in [group.join(" "), String::new()] {
                    let line = format!("{group} {typo}");
                    let words = std::iter::once("twofactor").chain(line.split_whitespace()).map(OsString::from);
                    let Err(error) = parse(&words.collect::<Vec<_>>()) else { continue };
                    let text = error.render().to_string();
                    let Some(tip) = text.split("tip:").nth(1).and_then(|tip| tip.lines().next()) else { continue };
                    tips += 1;
                    let proposed = tip.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '-'));
                    for word in proposed {
                        assert!(!is_destructive(word), "{line}: {tip}");
                    }
                    assert!(!is_destructive(name), "{line} was a slip of {name}, and the tip is {tip}");
                }
            }
        }
        assert!(tips > 100, "{tips}");
    }

    #[test]
    fn no_option_is_proposed_that_overrides_a_refusal() {
        for line in ["reset alice --ye", "enroll alice --forc", "enroll alice --replac", "invite alice --revok"] {
            let (text, _) = answer(line);
            assert!(!text.contains("tip:"), "{line}: {text}");
        }
        assert!(answer("enroll alice --lable phone").0.contains("'--label'"));
    }
}
