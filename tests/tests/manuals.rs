//! The manual pages say what the programs do: every command, option, value, key, event, reason and exit code stands in both,
//! and what stands in one alone fails.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use twofactor_admin::checkup::Id;
use twofactor_core::config::Config;
use twofactor_core::log::reason::Reason;
use twofactor_core::log::record::Event;
use twofactor_tests::artifacts::{self, workspace};
use twofactor_tests::checkout::files_below;
use twofactor_tests::documents;
use twofactor_tests::manual::{
    self, OF_A_FLEET, OVERVIEW, all_commands, explained, options_in_help, page, pages, pages_of_the_tool, section,
    source, synopsis,
};
use twofactor_tests::private_host::private_host;

type Words = BTreeSet<String>;

/// Asserts that both have the same, and says what one has alone.
#[track_caller]
fn assert_same<T: Ord + std::fmt::Debug>(what: &str, code: &BTreeSet<T>, manual: &BTreeSet<T>) {
    let (not_documented, not_there): (Vec<&T>, Vec<&T>) =
        (code.difference(manual).collect(), manual.difference(code).collect());
    assert!(
        not_documented.is_empty() && not_there.is_empty(),
        "{what}: not in the manual: {not_documented:?}; only in the manual: {not_there:?}"
    );
}

#[test]
fn they_render_without_warnings_and_no_line_is_wider_than_80_columns() {
    if !manual::can_be_rendered() {
        return;
    }
    for name in pages() {
        let path = workspace().join("man").join(&name);
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&path).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&lint.stdout), "", "{name}");
        let groff = Command::new("groff").args(["-man", "-ww", "-z", "-T", "utf8"]).arg(&path).output().unwrap();
        assert!(
            groff.status.success() && groff.stderr.is_empty(),
            "{name}: {}",
            String::from_utf8_lossy(&groff.stderr)
        );
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8"]).arg(&path);
        let man =
            man.env("MANWIDTH", "80").env_remove("MAN_KEEP_FORMATTING").env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(man.status.success() && man.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&man.stderr));
        let shown = manual::without_overstriking(&String::from_utf8(man.stdout).unwrap());
        assert!(shown.lines().count() > 80, "{name}: {shown}");
        for line in shown.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

#[test]
fn every_page_has_the_sections_a_reader_looks_for() {
    for name in pages() {
        let text = source(&name);
        let mut sections = vec!["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO"];
        sections.extend_from_slice(match name.as_str() {
            OVERVIEW => &["COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES"],
            "pam_twofactor.8" => &["ARGUMENTS", "RETURN CODES", "ENVIRONMENT", "FILES", "LOG"],
            "twofactor.toml.5" => &["KEYS", "FILES"],
            "twofactord.8" => &["OPTIONS", "LIMITS", "FILES"],
            "twofactor-link.8" | "twofactor-server.8" => &["COMMANDS", "OPTIONS", "LIMITS", "FILES"],
            _ => &["COMMANDS"][..],
        });
        for section in sections {
            assert!(text.contains(&format!("\n.SH {section}\n")), "{name} has no {section}");
        }
    }
}

#[test]
fn the_synopsis_has_every_command_with_its_options_and_their_values() {
    if !manual::can_be_rendered() {
        return;
    }
    let commands = all_commands();
    let explained = explained();
    let mut documented = BTreeMap::new();
    for name in pages_of_the_tool() {
        for (path, options) in synopsis(&page(&name)) {
            let command = path.join(" ");
            assert!(documented.insert(path, options).is_none(), "{command} stands in two synopses, also in {name}");
            assert!(command.is_empty() || explained[&command].0 == name, "{name} does not explain {command}");
        }
    }
    assert!(commands.len() >= 25, "{:?}", commands.keys());
    for (path, help) in &commands {
        // A word that only leads to others.
        if help.contains("\nCommands:\n") && !path.is_empty() {
            continue;
        }
        let heading = if path.is_empty() { "Global options:" } else { "Options:" };
        let options = documented.get(path).unwrap_or_else(|| panic!("no synopsis has {path:?}"));
        assert_same(&format!("twofactor {}", path.join(" ")), &options_in_help(help, heading), options);
    }
    for path in documented.keys() {
        assert!(commands.contains_key(path), "only in a synopsis: {path:?}");
    }
}

#[test]
fn every_command_is_explained_on_one_page_and_every_option_on_the_page_of_its_command() {
    if !manual::can_be_rendered() {
        return;
    }
    let explained = explained();
    let mut known = Words::new();
    let mut options_of: BTreeMap<String, Words> = BTreeMap::new();
    for (path, help) in all_commands() {
        let command = path.join(" ");
        if help.contains("\nCommands:\n") {
            continue;
        }
        known.insert(command.clone());
        let Some((page, part)) = explained.get(&command) else { continue };
        for (option, _) in options_in_help(&help, "Options:") {
            assert!(long_options(part).contains(&option), "{page}: the part of {command} does not name {option}");
            options_of.entry(page.clone()).or_default().insert(option);
        }
        // `-n, --lines`: the letter stands beside the word.
        let rendered = manual::page(page);
        for both in letters(&help, "Options:") {
            assert!(both == "-h, --help" || rendered.contains(&both), "{page} does not have {both}");
        }
    }
    assert_same("commands", &known, &explained.into_keys().collect());
    let help = &all_commands()[&Vec::new()];
    let mut global: Words = options_in_help(help, "Global options:").into_iter().map(|(option, _)| option).collect();
    global.extend(["--help", "--version"].map(str::to_owned));
    for both in ["Options:", "Global options:"].into_iter().flat_map(|heading| letters(help, heading)) {
        assert!(page(OVERVIEW).contains(&both), "{OVERVIEW} does not have {both}");
    }
    let all: Words = options_of.values().flatten().chain(&global).cloned().collect();
    options_of.insert(OVERVIEW.to_owned(), global);
    for name in pages_of_the_tool() {
        let tags: Words = tags(&source(&name)).flat_map(|tag| long_options(&tag)).collect();
        assert_same(&format!("options that {name} explains"), options_of.entry(name.clone()).or_default(), &tags);
        let mentioned: Words = long_options(&page(&name)).into_iter().collect();
        assert!(mentioned.is_subset(&all), "{name}: no option of the tool: {:?}", mentioned.difference(&all));
    }
}

/// The options of a help text that have a letter, as `-n, --lines`.
fn letters(help: &str, heading: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != heading).take_while(|line| !line.is_empty());
    let with_a_letter = listed.map(str::trim_start).filter(|line| line.starts_with('-') && !line.starts_with("--"));
    with_a_letter.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_command_line_of_the_pages_is_understood_by_the_tool() {
    private_host(|host| {
        let (mut typed, mut mentioned) = (0, 0);
        for name in pages() {
            let source = source(&name);
            let examples = manual::examples(&source);
            for words in documents::commands(&examples).iter().filter(|words| documents::is_of_the_tool(words)) {
                let mistake = documents::mistake(host, words);
                assert!(mistake.is_none(), "{name}: {words:?}: {}", mistake.unwrap());
                typed += 1;
            }
            for words in manual::commands_in_sentences(&source) {
                let mistake = documents::mistake_in_a_sentence(host, &words);
                assert!(mistake.is_none(), "{name}: {words:?}: {}", mistake.unwrap());
                mentioned += 1;
            }
        }
        assert!(typed > 20 && mentioned > 60, "{typed} in examples, {mentioned} in sentences");
    });
}

#[test]
fn the_overview_lists_every_command_under_the_page_that_explains_it() {
    let text = source(OVERVIEW).replace("\\-", "-");
    let commands = text.split("\n.SH COMMANDS\n").nth(1).unwrap().split("\n.SH ").next().unwrap();
    let mut listed = BTreeSet::new();
    for group in commands.split(".SS ").filter(|group| !group.is_empty() && !group.starts_with("twofactor ")) {
        let page = references(group).next().unwrap_or_else(|| panic!("no page is named: {group}"));
        for command in tags(group).map(|tag| tag.trim_start_matches(".B ").to_owned()) {
            assert!(listed.insert((command.clone(), page.clone())), "{command} is listed twice");
        }
    }
    let explained = explained().into_iter().map(|(command, (page, _))| (command, page));
    assert_same("commands and pages", &explained.filter(|(_, page)| page != OVERVIEW).collect(), &listed);
}

#[test]
fn the_programs_of_a_fleet_have_the_commands_and_options_of_their_pages() {
    if !manual::can_be_rendered() {
        return;
    }
    for (program, name) in [(artifacts::link(), OF_A_FLEET[0]), (artifacts::server(), OF_A_FLEET[1])] {
        let (mut waiting, mut commands, mut options) = (vec![Vec::<String>::new()], Words::new(), Words::new());
        while let Some(path) = waiting.pop() {
            let help = Command::new(program).args(&path).arg("--help").output().unwrap();
            let help = String::from_utf8(help.stdout).unwrap();
            options.extend(long_options(&help));
            let listed =
                help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
            let named: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
            if named.is_empty() && !path.is_empty() {
                commands.insert(path.join(" "));
            }
            waiting.extend(
                named
                    .into_iter()
                    .filter(|word| *word != "help")
                    .map(|word| path.iter().cloned().chain([word.to_owned()]).collect::<Vec<_>>()),
            );
        }
        for own in ["--help", "--version"] {
            options.remove(own);
        }
        let text = source(name);
        let explained = |heading: &str| -> Words {
            let part = text.split(&format!("\n.SH {heading}\n")).nth(1).unwrap().split("\n.SH ").next().unwrap();
            tags(part).collect()
        };
        let words = |tag: &String| tag.trim_start_matches(".BR ").trim_start_matches(".B ").replace('"', "");
        let command = |tag: &String| {
            let words = words(tag);
            let of_it = words.split_whitespace().take_while(|word| word.starts_with(char::is_lowercase));
            of_it.collect::<Vec<_>>().join(" ")
        };
        let documented = explained("COMMANDS").iter().map(command).collect();
        assert_same(&format!("commands of {name}"), &commands, &documented);
        let documented: Words =
            explained("OPTIONS").iter().chain(&explained("COMMANDS")).flat_map(|tag| long_options(tag)).collect();
        assert_same(&format!("options of {name}"), &options, &documented);
    }
}

#[test]
fn references_between_pages_lead_to_pages_and_sections_that_exist() {
    if !manual::can_be_rendered() {
        return;
    }
    let has = |page: &str, heading: &str| {
        let texts = source(page).replace("\\-", "-");
        texts.contains(&format!("\n.SH {heading}\n")) || texts.contains(&format!("\n.SS {heading}\n"))
    };
    let (mut own, mut other) = (0, 0);
    for name in pages() {
        for reference in references(&source(&name)) {
            assert!(pages().contains(&reference), "{name} names {reference}, which does not exist");
        }
        for line in page(&name).lines() {
            for (position, _) in line.match_indices("see ") {
                let (heading, rest) = heading_at(&line[position + 4..]);
                if heading.is_empty() {
                    continue;
                }
                let elsewhere = rest.strip_prefix(" in ").and_then(|rest| rest.split_once(')'));
                let page = elsewhere.map_or(name.clone(), |(page, _)| page.replace('(', "."));
                assert!(has(&page, heading), "{name} names the section {heading} of {page}, which it does not have");
                *if elsewhere.is_some() { &mut other } else { &mut own } += 1;
            }
        }
    }
    assert!(own > 5 && other > 5, "{own} {other}");
}

/// The heading in capitals with which a text begins, which may be none, and the rest.
fn heading_at(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !(letter.is_ascii_uppercase() || letter == ' ')).unwrap_or(text.len());
    let heading = text[..end].trim_end();
    if heading.len() < 3 { ("", text) } else { (heading, &text[heading.len()..]) }
}

#[test]
fn see_also_names_every_page_of_ours_that_the_text_names_and_the_overview() {
    for name in pages() {
        let text = source(&name);
        let (text, see_also) = text.split_once("\n.SH SEE ALSO\n").unwrap();
        let named: Words = references(see_also).collect();
        let mut needed: Words = references(text).collect();
        if name == OVERVIEW {
            needed.extend(pages());
        }
        needed.insert(OVERVIEW.to_owned());
        needed.remove(&name);
        assert!(!named.contains(&name), "{name} names itself");
        let missing: Vec<&String> = needed.difference(&named).collect();
        assert!(missing.is_empty(), "{name}: not in SEE ALSO: {missing:?}");
    }
}

/// The file names of our pages that a source names: `.BR twofactor (8)`.
fn references(source: &str) -> impl Iterator<Item = String> {
    let lines: Vec<String> =
        source.lines().filter(|line| line.starts_with('.')).map(|line| line.replace("\\-", "-")).collect();
    lines.into_iter().filter_map(|line| {
        let (before, after) = line.split_once(" (")?;
        let section = after.split_once(')')?.0;
        let name = before.rsplit([' ', '"']).next()?;
        let is_ours = name.starts_with("twofactor") || name.starts_with("pam_twofactor");
        (is_ours && ["5", "8"].contains(&section)).then(|| format!("{name}.{section}"))
    })
}

/// What is explained in paragraphs with a tag, as it is written.
fn tags(source: &str) -> impl Iterator<Item = String> {
    let lines: Vec<String> = source.lines().map(|line| line.replace("\\-", "-")).collect();
    let after = lines.clone();
    lines
        .into_iter()
        .zip(after.into_iter().skip(1))
        .filter(|(line, _)| line == ".TP" || line.starts_with(".TP "))
        .map(|(_, tag)| tag)
}

#[test]
fn no_paragraph_begins_with_a_word_in_bold_that_has_no_tag_of_its_own() {
    for name in pages() {
        let text = source(&name);
        let untagged = untagged_paragraphs(&text);
        assert!(untagged.is_empty(), "{name}: is .TP missing? {untagged:?}");
    }
    let text = ".SH OPTIONS\n.TP\n.B \\-\\-one\nOne.\n.B \\-\\-two\nTwo. With\n.B \\-\\-one\nalso.\n";
    assert_eq!(untagged_paragraphs(text), [".B \\-\\-two"], "a missing one is found");
    let text = ".SH KEYS\n.TP\n.BR key \" (text)\"\nA key,\n.BR \\-\\-one .\n.BR other \" (text)\"\nAnother.\n";
    assert_eq!(untagged_paragraphs(text), [".BR other \" (text)\""], "of any kind");
}

/// Lines that look like the term of a paragraph: behind the end of a sentence, before the beginning of one, and neither a
/// sentence nor tagged.
fn untagged_paragraphs(source: &str) -> Vec<&str> {
    let lines: Vec<&str> = source.lines().collect();
    let (mut found, mut is_explained, mut is_example) = (Vec::new(), false, false);
    for (position, line) in lines.iter().enumerate() {
        match *line {
            ".nf" | ".EX" => is_example = true,
            ".fi" | ".EE" => is_example = false,
            heading if heading.starts_with(".SH") => is_explained = heading != ".SH SYNOPSIS",
            _ => {}
        }
        let (Some(before), Some(after)) =
            (position.checked_sub(1).map(|before| lines[before]), lines.get(position + 1))
        else {
            continue;
        };
        let is_in_bold = [".B ", ".BR ", ".BI ", ".I ", ".IR "].iter().any(|start| line.starts_with(start));
        let is_new = if before.starts_with('.') {
            [".PP", ".SS", ".SH", ".RS", ".RE", ".EE", ".fi"].iter().any(|request| before.starts_with(request))
                || (before.ends_with(" .") && !before.starts_with(".TP"))
        } else {
            before.trim_end_matches(')').ends_with(['.', ':', '!', '?'])
        };
        let begins_a_sentence = after.starts_with(|letter: char| letter.is_ascii_uppercase());
        let is_a_sentence = line.trim_end_matches('"').ends_with('.');
        if is_explained && !is_example && is_in_bold && is_new && begins_a_sentence && !is_a_sentence {
            found.push(*line);
        }
    }
    found
}

fn long_options(text: &str) -> Vec<String> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 3 && !word.starts_with("---"));
    options.map(|word| word.trim_end_matches('-').to_owned()).collect()
}

#[test]
fn exit_codes_are_those_of_the_help() {
    if !manual::can_be_rendered() {
        return;
    }
    let help = &all_commands()[&Vec::new()];
    let listed = help.split("Exit codes:").nth(1).unwrap();
    let number = |word: &str| word.parse::<u8>().ok();
    let in_help: BTreeSet<u8> = listed.split_whitespace().filter_map(number).collect();
    let page = page(OVERVIEW);
    let in_manual: BTreeSet<u8> =
        section(&page, "EXIT STATUS").into_iter().filter_map(|line| number(line.split_whitespace().next()?)).collect();
    assert_eq!(in_help, (0..=9).collect());
    assert_same("exit codes", &in_help, &in_manual);
}

#[test]
fn every_configuration_key_is_in_the_manual_and_nothing_else() {
    let text = source("twofactor.toml.5");
    let parts: Vec<&str> = text.split("\n.SS ").skip(1).collect();
    let mut tables = Words::new();
    for part in parts {
        let heading = part.lines().next().unwrap();
        let Some(table) = heading.strip_prefix('[') else { continue };
        tables.insert(table.trim_matches(['[', ']']).to_owned());
        let header = if table.starts_with('[') {
            format!("[{heading}]\n").replace("[[[", "[[").replace("]]]", "]]")
        } else {
            format!("{heading}\n")
        };
        let part = part.split("\n.SH ").next().unwrap();
        let documented = tags(part).filter_map(|tag| {
            let (key, rest) = tag.trim_start_matches(".BR ").split_once(' ')?;
            (rest.starts_with("\" =") && tag.starts_with(".BR")).then(|| key.to_owned())
        });
        assert_same(heading, &known_here(&header), &documented.collect());
    }
    assert_same("tables", &known_here(""), &tables);
}

/// The keys that the configuration knows below a header: it lists them when it meets one that resembles none.
fn known_here(header: &str) -> Words {
    let problems = Config::parse(&format!("{header}zzqqzzqq = 1\n")).unwrap_err();
    let problems: Vec<String> = problems.iter().map(|problem| format!("{problem:?}")).collect();
    let list = problems.iter().find_map(|problem| problem.split("known here: ").nth(1));
    let list = list.unwrap_or_else(|| panic!("{header}: {problems:?}"));
    let list = list.split('"').next().unwrap();
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_event_and_reason_of_the_log_is_in_the_manual_and_nothing_else() {
    let log = section_of_the_log();
    let parts: Vec<&str> = log.split("\n.SS ").collect();
    let part = |heading: &str| -> &str {
        let part = parts.iter().find(|part| part.starts_with(heading));
        part.unwrap_or_else(|| panic!("LOG of twofactor-log.8 has no {heading}"))
    };
    let words = |heading: &str| -> Words {
        tags(part(heading)).filter_map(|tag| tag.strip_prefix(".B ").map(str::to_owned)).collect()
    };
    let reasons: Words = Reason::ALL.iter().map(|reason| reason.word().to_owned()).collect();
    let documented: Words = &words("Reasons for denied") | &words("Reasons for error");
    assert_same("reasons", &reasons, &documented);
    let by_the_module = words("Events of logins");
    for word in &by_the_module {
        assert!(Event::from_word(word).is_some(), "only in the manual: {word}");
    }
    let by_the_tool: BTreeSet<&str> =
        part("Events of the tool").split(|letter: char| !(letter.is_ascii_lowercase() || letter == '-')).collect();
    for event in Event::ALL.map(Event::word) {
        assert!(by_the_tool.contains(event) || by_the_module.contains(event), "in no manual: {event}");
    }
}

/// The source of the section about the lines of the log.
fn section_of_the_log() -> String {
    let text = source("twofactor-log.8").replace("\\-", "-");
    text.split("\n.SH LOG\n").nth(1).unwrap().split("\n.SH ").next().unwrap().to_owned()
}

#[test]
fn everything_that_doctor_can_find_is_in_the_manual_and_nothing_else() {
    if !manual::can_be_rendered() {
        return;
    }
    let page = page("twofactor-doctor.8");
    let known: Words = Id::ALL.iter().map(|id| format!("{id} ({})", id.severity().word())).collect();
    let is_finding = |line: &&str| [" (problem)", " (warning)", " (note)"].iter().any(|end| line.ends_with(end));
    let documented =
        section(&page, "FINDINGS").into_iter().map(str::trim).filter(is_finding).map(str::to_owned).collect();
    assert_same("findings", &known, &documented);
}

#[test]
fn every_key_of_the_log_is_in_the_manuals_and_in_the_schema_and_nothing_else() {
    let mut written = Words::new();
    for folder in ["twofactor-core/src/login", "pam_twofactor/src", "twofactor-cli/src", "twofactord/src"] {
        literals_behind(&workspace().join(folder), &[".with(\"", ".with_some(\""], &mut written);
    }
    for file in
        ["login.rs", "store/redemption.rs", "store/helpdesk.rs"].map(|name| format!("twofactor-core/src/{name}"))
    {
        let text = fs::read_to_string(workspace().join(file)).unwrap();
        collect(&text, &[".with(\"", ".with_some(\""], &mut written);
    }
    let of_keys = fs::read_to_string(workspace().join("twofactor-server/src/bin/twofactor-server/key_commands.rs"));
    let of_keys = of_keys.unwrap();
    collect(&of_keys, &[".with(\""], &mut written);
    assert!(written.len() > 15, "{written:?}");
    let mut documented = Words::new();
    let log = section_of_the_log();
    for (at, _) in log.match_indices('=') {
        let word: String =
            log[..at].chars().rev().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect();
        documented.insert(word.chars().rev().collect());
    }
    documented.remove("");
    assert_same("keys of the log", &written, &documented);
    let schema = fs::read_to_string(workspace().join("docs/schemas/log.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let mut described: Words = schema["items"]["properties"].as_object().unwrap().keys().cloned().collect();
    for of_every_event in ["format", "time", "source", "unproven", "event", "host", "pid", "phase"] {
        assert!(described.remove(of_every_event), "{of_every_event}");
    }
    assert_same("keys of the log in its schema", &written, &described);
}

#[test]
fn every_name_of_the_json_is_in_the_manual() {
    let mut names = Words::new();
    literals_behind(&workspace().join("twofactor-cli/src/commands"), &["json!({", "insert(\""], &mut names);
    for text in sources(&workspace().join("twofactor-cli/src/commands")) {
        let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
        for part in code.split('"').collect::<Vec<_>>().windows(2) {
            let is_name = part[0].bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && part[0].len() > 1;
            if is_name && part[1].starts_with(':') && !part[1].starts_with("::") {
                names.insert(part[0].to_owned());
            }
        }
    }
    names.retain(|name| !name.is_empty());
    assert!(names.len() > 60, "{names:?}");
    let text: String = pages().iter().map(|name| source(name)).collect();
    let words: BTreeSet<&str> = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).collect();
    let missing: Vec<&String> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "names of JSON that are in no manual: {missing:?}");
}

/// The words in quotes that stand behind one of these in the sources below a folder, without their tests.
fn literals_behind(folder: &Path, beginnings: &[&str], found: &mut Words) {
    for text in sources(folder) {
        collect(text.split("#[cfg(test)]").next().unwrap(), beginnings, found);
    }
}

fn collect(code: &str, beginnings: &[&str], found: &mut Words) {
    for beginning in beginnings.iter().filter(|beginning| beginning.ends_with('"')) {
        found.extend(code.split(beginning).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
}

/// The texts of the sources below a folder, without files of tests.
fn sources(folder: &Path) -> impl Iterator<Item = String> {
    let files = files_below(folder, "rs").into_iter();
    let files = files.filter(|file| !file.iter().any(|part| part == "tests" || part == "tests.rs"));
    files.map(|file| fs::read_to_string(file).unwrap())
}

#[test]
fn the_words_of_the_modules_arguments_and_return_codes_are_there() {
    let manual = source("pam_twofactor.8");
    for word in
        ["conf=", "debug", "nullok", "first_factor=", "PAM_AUTHINFO_UNAVAIL", "PAM_MAXTRIES", "PAM_USER_UNKNOWN"]
    {
        assert!(manual.contains(word), "pam_twofactor.8 does not have {word}");
    }
}
