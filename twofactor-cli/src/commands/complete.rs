//! `twofactor complete -- WORDS`: the values that can stand in the place of the last word. The completion scripts of the shells
//! call it; it stands in no help.
//!
//! Invariants: it is quick, however many tokens there are, because the index of the registry is read and no more than a
//! screenful is printed. It is silent about every error: a message would land in the middle of a command line. Names of
//! users, tokens and series are for root alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::{Arg, Command};
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::log::record::Event;

use crate::args::{self, Complete};
use crate::error::Failure;
use crate::host::Host;
use crate::output;
use crate::people;

/// More are not printed.
const MOST: usize = 200;

pub(crate) fn run(arguments: &Complete, file: Option<&Path>) -> Result<(), Failure> {
    // With `sudo` in front the shell hands over that word, too.
    let start = arguments.words.iter().position(|word| is_this_tool(word)).map_or(0, |position| position + 1);
    let words = arguments.words.get(start..).unwrap_or_default();
    let Some((kind, prefix)) = wanted(words) else { return Ok(()) };
    let mut text = String::new();
    for name in kind.names(prefix, file).iter().take(MOST) {
        // A name with a line end would be two.
        if !name.contains(char::is_control) {
            text.push_str(name);
            text.push('\n');
        }
    }
    Ok(output::raw(&text)?)
}

fn is_this_tool(word: &str) -> bool {
    Path::new(word).file_name().is_some_and(|name| name == "twofactor")
}

/// Values that the host knows and clap does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Users,
    Serials,
    Series,
    Services,
    Events,
    States,
}

impl Kind {
    fn of(argument: &Arg) -> Option<Self> {
        let name = argument.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str);
        match (argument.get_id().as_str(), name) {
            // A pattern.
            (_, Some("GLOB")) => None,
            ("user" | "users" | "old" | "new", _) => Some(Self::Users),
            ("serial" | "serials", _) => Some(Self::Serials),
            ("series", _) => Some(Self::Series),
            ("service" | "services", _) => Some(Self::Services),
            ("event", _) => Some(Self::Events),
            ("state", _) => Some(Self::States),
            _ => None,
        }
    }

    /// Names that begin with `prefix`, sorted; none where they cannot be told.
    fn names(self, prefix: &str, file: Option<&Path>) -> Vec<String> {
        let most = u32::try_from(MOST).unwrap_or(u32::MAX);
        let beginning = |names: &mut dyn Iterator<Item = String>| {
            let names: BTreeSet<String> = names.filter(|name| name.starts_with(prefix)).collect();
            names.into_iter().collect()
        };
        match self {
            Self::Events => beginning(&mut Event::ALL.map(Event::word).into_iter().map(str::to_owned)),
            Self::States => beginning(&mut Stage::ALL.into_iter().map(|(_, word)| word.to_owned())),
            Self::Services => {
                let entries = fs::read_dir("/etc/pam.d").into_iter().flatten().flatten();
                beginning(&mut entries.filter_map(|entry| entry.file_name().into_string().ok()))
            }
            Self::Users => {
                let Ok(host) = Host::open(file) else { return Vec::new() };
                let enrolled = host.accounts.users().unwrap_or_default();
                let known = people::login_names().unwrap_or_default();
                beginning(&mut enrolled.iter().chain(&known).map(ToString::to_string))
            }
            Self::Serials => {
                Host::open(file).ok().and_then(|host| host.accounts.serials_from(prefix, most).ok()).unwrap_or_default()
            }
            Self::Series => {
                Host::open(file).ok().and_then(|host| host.accounts.series_from(prefix, most).ok()).unwrap_or_default()
            }
        }
    }
}

/// The kind of the last word, and the word as far as it is typed.
fn wanted(words: &[String]) -> Option<(Kind, &str)> {
    let mut root = args::command_line();
    root.build();
    let (last, before) = words.split_last()?;
    let (mut command, mut positional, mut option) = (&root, 0, None);
    // bash makes three words of `--user=al`.
    for word in before.iter().filter(|word| *word != "=") {
        if option.take().is_some() {
            continue;
        }
        if let Some(found) = option_of(command, word) {
            option = Some(found).filter(|found| found.get_action().takes_values() && !word.contains('='));
        } else if word.starts_with('-') {
        } else if let Some(below) = command.find_subcommand(word) {
            (command, positional) = (below, 0);
        } else {
            positional += 1;
        }
    }
    if let Some(option) = option {
        return Some((Kind::of(option)?, if last == "=" { "" } else { last }));
    }
    if let Some((name, value)) = last.split_once('=') {
        return Some((Kind::of(option_of(command, name)?)?, value));
    }
    if last.starts_with('-') {
        return None;
    }
    let positionals: Vec<&Arg> = command.get_positionals().collect();
    let takes_more = |argument: &&&Arg| argument.get_num_args().is_some_and(|number| number.max_values() > 1);
    let argument = positionals.get(positional).or_else(|| positionals.last().filter(takes_more))?;
    Some((Kind::of(argument)?, last))
}

/// The option that a word begins.
fn option_of<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let long = word.strip_prefix("--").map(|name| name.split('=').next().unwrap_or(name));
    let short = word.strip_prefix('-').filter(|_| long.is_none()).and_then(|name| name.chars().next());
    command.get_arguments().find(|argument| {
        long.is_some_and(|long| argument.get_long() == Some(long))
            || short.is_some_and(|short| argument.get_short() == Some(short))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> Option<Kind> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        wanted(&words).map(|(kind, _)| kind)
    }

    #[test]
    fn what_is_wanted_is_told_by_the_place_of_the_last_word() {
        for (line, expected) in [
            ("status ", Some(Kind::Users)),
            ("status al", Some(Kind::Users)),
            ("--quiet status ", Some(Kind::Users)),
            ("--config /etc/x status ", Some(Kind::Users)),
            ("status --mi", None),
            ("status alice ", None),
            ("enroll alice --label ", None),
            ("log --user ", Some(Kind::Users)),
            ("log --user=al", Some(Kind::Users)),
            ("log --user = al", Some(Kind::Users)),
            ("log --event ", Some(Kind::Events)),
            ("log -n 20 --service ss", Some(Kind::Services)),
            ("token assign ", Some(Kind::Serials)),
            ("token assign 123 ", Some(Kind::Users)),
            ("token lost 123 456 ", Some(Kind::Serials)),
            ("token list --state ", Some(Kind::States)),
            ("token list --series fo", Some(Kind::Series)),
            ("token list --serial ", None),
            ("series show ", Some(Kind::Series)),
            ("service enable sshd ", Some(Kind::Services)),
            ("explain alice --service ", Some(Kind::Services)),
            ("state adopt-uids ", Some(Kind::Users)),
            ("token ", None),
            ("", None),
        ] {
            assert_eq!(kind(line), expected, "{line}");
        }
    }
}
