//! The documents, taken apart for comparing them with the checkout and the tool: links, headings, commands.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use crate::artifacts::workspace;
use crate::checkout::files_below;
use crate::private_host::{Host, said};

/// Every document of the checkout.
pub fn all() -> Vec<PathBuf> {
    let pages = files_below(workspace(), "md");
    assert!(pages.len() > 20, "{pages:?}");
    pages
}

/// A document's text.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A document in its parts: prose, and blocks of code without their fences and indentation.
#[derive(Debug, Default)]
pub struct Parts {
    /// Paragraphs, headings and rows of tables, each in one line.
    pub prose: Vec<String>,
    /// The language of each block, which may be empty, and its lines.
    pub blocks: Vec<(String, Vec<String>)>,
}

impl Parts {
    /// Takes a document apart.
    pub fn of(text: &str) -> Self {
        let mut parts = Self::default();
        let (mut fence, mut goes_on) = (None, false);
        for line in text.lines() {
            let indentation = line.len() - line.trim_start().len();
            match (line.trim_start().strip_prefix("```"), fence) {
                (Some(language), None) => {
                    fence = Some(indentation);
                    parts.blocks.push((language.to_owned(), Vec::new()));
                }
                (Some(_), Some(_)) => (fence, goes_on) = (None, false),
                (None, Some(indentation)) => {
                    let (_, block) = parts.blocks.last_mut().expect("a block has begun");
                    block.push(line.get(indentation..).unwrap_or_default().to_owned());
                }
                (None, None) => {
                    let is_a_row = line.starts_with(['|', '#']);
                    match parts.prose.last_mut() {
                        Some(paragraph) if goes_on && !is_a_row => *paragraph = format!("{paragraph} {}", line.trim()),
                        _ => parts.prose.push(line.to_owned()),
                    }
                    goes_on = !is_a_row && !line.is_empty();
                }
            }
        }
        assert!(fence.is_none(), "a block has no end: {text}");
        parts
    }

    /// The code spans of the prose.
    pub fn spans(&self) -> impl Iterator<Item = &str> {
        self.prose.iter().flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
    }

    /// The targets of the links in the prose.
    pub fn links(&self) -> Vec<String> {
        let without_spans = self.prose.iter().map(|paragraph| paragraph.split('`').step_by(2).collect::<String>());
        let targets = |prose: String| -> Vec<String> {
            prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
        };
        without_spans.flat_map(targets).collect()
    }

    /// The names by which links lead to headings, as GitHub and mdBook make them.
    pub fn anchors(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for heading in self.prose.iter().filter(|line| line.starts_with('#')) {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            let name: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
            assert!(!names.contains(&name), "two headings are called {name}");
            names.push(name);
        }
        names
    }
}

/// The lines that are typed at the prompts of a block, as a shell takes them. The output of commands is left out.
pub fn typed(block: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in block {
        let prompt = ["# ", "$ ", "> "].into_iter().find(|prompt| line.starts_with(prompt));
        let text = line.strip_prefix(prompt.unwrap_or_default()).unwrap_or(line).trim();
        let whole = text.strip_suffix('\\').unwrap_or(text);
        match lines.last_mut() {
            Some(last) if goes_on => *last = format!("{last} {whole}"),
            Some(last) if prompt == Some("> ") => *last = format!("{last}\n{whole}"),
            _ if prompt.is_some() => lines.push(whole.to_owned()),
            _ => {}
        }
        goes_on = text.ends_with('\\') && (goes_on || prompt.is_some());
    }
    lines
}

/// The commands of that, each as its words.
pub fn commands(block: &[String]) -> Vec<Vec<String>> {
    typed(block).iter().flat_map(|line| simple_commands(line)).collect()
}

/// The commands of a line, without redirections and the shell's own words before them.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut words = words(line).into_iter();
    while let Some(word) = words.next() {
        if word.ends_with(['<', '>']) || word == ">&" {
            words.next();
        } else if word.ends_with(['|', '&', ';', '\n']) {
            commands.push(Vec::new());
        } else {
            commands.last_mut().expect("there is one").push(word);
        }
    }
    for command in &mut commands {
        let before = command.iter().take_while(|word| ["sudo", "do", "then", "!"].contains(&word.as_str())).count();
        command.drain(..before);
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// True when these words call the tool with arguments.
pub fn is_of_the_tool(words: &[String]) -> bool {
    words.len() > 1 && words[0] == "twofactor"
}

/// The tool's message about a mistake in these arguments, if there is one. Run without rights, the tool reads them and then
/// says that it needs root; exit code 2 is a mistake.
pub fn mistake(host: &Host, words: &[String]) -> Option<String> {
    let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let output = host.twofactor(&arguments).uid(65534).gid(65534).output().expect("the tool runs");
    (output.status.code() == Some(2)).then(|| said(&output))
}

/// The same for a command in the middle of a sentence, which may be cut short.
pub fn mistake_in_a_sentence(host: &Host, words: &[String]) -> Option<String> {
    const CUT_SHORT: [&str; 2] = ["required arguments were not provided", "a value is required for"];
    mistake(host, words).filter(|said| said.contains("error:") && !CUT_SHORT.iter().any(|cut| said.contains(cut)))
}

/// The words of a shell's line. Operators are words of their own.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word): (Vec<String>, Option<String>) = (Vec::new(), None);
    let mut letters = line.chars().peekable();
    let is_operator = |letter: &char| "|&;<>\n".contains(*letter);
    while let Some(letter) = letters.next() {
        match letter {
            ' ' => words.extend(word.take()),
            '\'' | '"' => word.get_or_insert_default().extend(letters.by_ref().take_while(|next| *next != letter)),
            _ if is_operator(&letter) => {
                words.extend(word.take());
                let mut operator = String::from(letter);
                while let Some(next) = letters.next_if(is_operator) {
                    operator.push(next);
                }
                words.push(operator);
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_a_shell_would_run() {
        let block = "# twofactor --json status |\n>   jq -r '.[] | .user'\n# ssh-keygen -t x && twofactor doctor >out\n\
                     twofactor: error: what it prints\n$ sudo twofactor log \\\n    --since \"2 h\"\n";
        let block: Vec<String> = block.lines().map(str::to_owned).collect();
        let found: Vec<String> = commands(&block).iter().map(|words| words.join("·")).collect();
        let expected = [
            "twofactor·--json·status",
            "jq·-r·.[] | .user",
            "ssh-keygen·-t·x",
            "twofactor·doctor",
            "twofactor·log·--since·2 h",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn links_and_headings_in_code_are_none() {
        let parts =
            Parts::of("# A `b` c!\n\n```\n# no heading\n[no](link)\n```\n\n[a](b.md#c) `[no\n](x)`\n## D-e f\n");
        assert_eq!(parts.links(), ["b.md#c"]);
        assert_eq!(parts.anchors(), ["a-b-c", "d-e-f"]);
        assert_eq!(parts.spans().collect::<Vec<_>>(), ["b", "[no ](x)"]);
    }
}
