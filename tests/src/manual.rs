//! The manual pages and the help texts, taken apart for comparing them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use crate::artifacts::{self, workspace};
use crate::documents;
use crate::requirements;

/// An option and what its value is called: `("--since", "TIME")`. A switch has no value.
pub type Options = BTreeSet<(String, Option<String>)>;

/// The file names of all manual pages.
pub fn pages() -> Vec<String> {
    let names = fs::read_dir(workspace().join("man")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 10, "{names:?}");
    names
}

/// The pages of the tool: the overview and one for each group of commands.
pub fn pages_of_the_tool() -> Vec<String> {
    let is_of_the_tool = |name: &String| name == OVERVIEW || name.starts_with("twofactor-");
    pages().into_iter().filter(|name| is_of_the_tool(name) && !OF_A_FLEET.contains(&name.as_str())).collect()
}

/// The pages of the programs of a fleet.
pub const OF_A_FLEET: [&str; 2] = ["twofactor-link.8", "twofactor-server.8"];

/// The page that lists all commands and explains what they have in common.
pub const OVERVIEW: &str = "twofactor.8";

/// Every command that a page of the tool explains: its page, and the source of its part. Panics when two pages explain one.
pub fn explained() -> BTreeMap<String, (String, String)> {
    let mut all = BTreeMap::new();
    for name in pages_of_the_tool() {
        let text = source(&name);
        let parts = text.split("\n.SH ").flat_map(|section| section.split("\n.SS ").skip(1));
        for part in parts.filter_map(|part| part.strip_prefix("twofactor ")) {
            let command = command_of(part.lines().next().unwrap());
            let before = all.insert(command.clone(), (name.clone(), part.replace("\\-", "-")));
            assert!(before.is_none(), "{command} is explained twice: in {name} and in {}", before.unwrap().0);
        }
    }
    all
}

/// The command of a heading, without what is typed behind it.
fn command_of(heading: &str) -> String {
    let is_name = |word: &&str| word.starts_with(char::is_alphabetic) && !word.contains(char::is_uppercase);
    heading.split_whitespace().take_while(is_name).collect::<Vec<_>>().join(" ").replace("\\-", "-")
}

/// A manual page as it is written.
pub fn source(name: &str) -> String {
    fs::read_to_string(workspace().join("man").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of the examples of a page, as a reader sees them.
pub fn examples(source: &str) -> Vec<String> {
    let mut is_example = false;
    let mut lines = Vec::new();
    for line in source.lines() {
        match line {
            ".nf" => is_example = true,
            ".fi" => is_example = false,
            _ if is_example => lines.push(line.replace("\\-", "-").replace("\\e", "\\")),
            _ => {}
        }
    }
    lines
}

/// The commands of the tool that sentences of a page name in bold, each as its words.
pub fn commands_in_sentences(source: &str) -> Vec<Vec<String>> {
    let bold = source.lines().flat_map(|line| match line.split_once(' ') {
        Some((".B", rest)) => vec![rest.to_owned()],
        Some((".BR" | ".RB" | ".BI", rest)) => documents::words(rest),
        _ => Vec::new(),
    });
    let texts = bold.map(|text| text.replace("\\-", "-"));
    texts.map(|text| documents::words(&text)).filter(|words| documents::is_of_the_tool(words)).collect()
}

/// A manual page as a reader sees it on a screen so wide that no line is broken, without overstriking.
pub fn page(name: &str) -> String {
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "utf8", "-O", "width=1000"]).arg(workspace().join("man").join(name));
    let output = mandoc.output().expect("mandoc runs");
    without_overstriking(&String::from_utf8(output.stdout).unwrap())
}

/// What a rendered page looks like: bold and underlined letters are printed over each other.
pub fn without_overstriking(page: &str) -> String {
    let mut text = String::new();
    for character in page.chars() {
        if character == '\u{8}' {
            text.pop();
        } else {
            text.push(character);
        }
    }
    text.replace(['\u{2212}', '\u{2010}'], "-").replace('\u{a0}', " ")
}

/// The lines of a rendered page below a heading of its own line, up to the next heading.
pub fn section<'p>(page: &'p str, heading: &str) -> Vec<&'p str> {
    let is_heading = |line: &&str| !line.is_empty() && !line.starts_with(' ');
    let below = page.lines().skip_while(|line| *line != heading).skip(1);
    let lines: Vec<&str> = below.take_while(|line| !is_heading(line)).collect();
    assert!(!lines.is_empty(), "the page has no section {heading}");
    lines
}

/// Whether manual pages can be rendered here; skips or fails like every suite when they cannot.
pub fn can_be_rendered() -> bool {
    requirements::programs_met(&["mandoc", "man", "groff"])
}

/// The help text of a command.
pub fn help(command: &[String]) -> String {
    let output = Command::new(&artifacts::debug().tool).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every command of the tool with its help text, the tool itself first.
pub fn all_commands() -> BTreeMap<Vec<String>, String> {
    let mut all = BTreeMap::new();
    let mut next = vec![Vec::new()];
    while let Some(path) = next.pop() {
        let text = help(&path);
        next.extend(commands(&text).into_iter().map(|command| path.iter().cloned().chain([command]).collect()));
        all.insert(path, text);
    }
    all
}

/// The commands a help text lists, one a line below "Commands:".
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let listed =
        listed.take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    listed.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The options a help text lists below a heading, without `--help` and `--version`.
pub fn options_in_help(help: &str, heading: &str) -> Options {
    let listed = help.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.is_empty());
    // What follows two blanks explains.
    let tags = listed.map(str::trim_start).filter(|line| line.starts_with('-')).map(|line| {
        let end = line.find("  ").unwrap_or(line.len());
        // `--option[=VALUE]`: the value may be left out.
        line[..end].split_once("--").map_or_else(String::new, |(_, long)| format!("--{}", long.replace("[=", " ")))
    });
    let option = |tag: String| match tag.split_once(' ') {
        Some((option, value)) => (option.to_owned(), Some(value.trim_matches(['<', '>', '[', ']', '.']).to_owned())),
        None => (tag, None),
    };
    tags.filter(|tag| !tag.is_empty() && tag != "--help" && tag != "--version").map(option).collect()
}

/// The commands of a SYNOPSIS with their options. `enable|disable SERIAL` stands for both.
pub fn synopsis(page: &str) -> BTreeMap<Vec<String>, Options> {
    let mut lines: Vec<String> = Vec::new();
    for line in section(page, "SYNOPSIS") {
        match line.trim() {
            "" => {}
            text if text.starts_with("twofactor") => lines.push(text.to_owned()),
            text => {
                let line = lines.last_mut().expect("a command");
                line.push(' ');
                line.push_str(text);
            }
        }
    }
    let mut commands: BTreeMap<Vec<String>, Options> = BTreeMap::new();
    for line in lines {
        let words: Vec<String> = line.replace("[=", " ").split_whitespace().map(bare).collect();
        let is_name = |word: &&String| {
            word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'|' | b'-'))
        };
        let names: Vec<&String> =
            words.iter().skip(1).take_while(is_name).filter(|word| !word.starts_with('-')).collect();
        let mut options = Options::new();
        let mut rest = words.iter().peekable();
        while let Some(word) = rest.next() {
            if word.starts_with("--") {
                let value = rest.next_if(|next| next.bytes().all(|byte| byte.is_ascii_uppercase()) && !next.is_empty());
                options.insert((word.clone(), value.cloned()));
            }
        }
        let mut paths: Vec<Vec<String>> = vec![Vec::new()];
        for name in names {
            let alternatives = name.split('|');
            paths = alternatives
                .flat_map(|name| paths.iter().map(|path| [&path[..], &[name.to_owned()]].concat()))
                .collect();
        }
        for path in paths {
            commands.entry(path).or_default().extend(options.clone());
        }
    }
    commands
}

/// A word of a SYNOPSIS without the brackets around it.
fn bare(word: &str) -> String {
    word.trim_matches(['[', ']', '.']).to_owned()
}
