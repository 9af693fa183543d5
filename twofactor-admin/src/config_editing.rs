//! A configuration's text with services added to `[prompt] combined`, and without them.
//!
//! Invariant: the new text says what the old one said, but for the services. Comments and order stay.

use std::fmt::Write as _;

use thiserror::Error;
use toml::de::{DeTable, DeValue};

use twofactor_core::config::Config;
use twofactor_core::config::fleet::{self, ServerAddress};
use twofactor_core::text::document::{Problem, toml_string};

/// Why a text is not changed.
#[derive(Debug, Error)]
pub enum CannotEdit {
    /// It says what it must not already.
    #[error("it has {} problems", .0.len())]
    Invalid(Vec<Problem>),
    /// No place was found where the list means what it should.
    #[error("no place was found for {0}")]
    NoPlace(String),
}

/// The text with `services` in `[prompt] combined`.
pub fn with_combined(text: &str, services: &[&str]) -> Result<String, CannotEdit> {
    let before = Config::parse(text).map_err(CannotEdit::Invalid)?;
    let mut wanted = before.clone();
    wanted.prompt.combined.extend(services.iter().map(|service| (*service).to_owned()));
    if wanted == before {
        return Ok(text.to_owned());
    }
    let new: Vec<&str> =
        services.iter().copied().filter(|service| !before.prompt.combined.contains(*service)).collect();
    // The list replaces the default, so it names that, too.
    let whole = wanted.prompt.combined.iter().map(|service| toml_string(service)).collect::<Vec<_>>().join(", ");
    let line = format!("combined = [{whole}]\n");
    let candidates = [in_list(text, &new), below_header(text, &line), Some(at_end(text, &line))];
    let fits = |candidate: &String| {
        Config::parse(candidate).is_ok_and(|after| without_lines(after) == without_lines(wanted.clone()))
    };
    candidates.into_iter().flatten().find(fits).ok_or_else(|| CannotEdit::NoPlace(line.trim_end().to_owned()))
}

/// The text with `[fleet]` behind it, for these servers; `files` are keys of files that are not in the usual places.
pub fn with_fleet(text: &str, servers: &[ServerAddress], files: &[(&str, String)]) -> Result<String, CannotEdit> {
    let before = Config::parse(text).map_err(CannotEdit::Invalid)?;
    let section = fleet_section(servers, files);
    let wanted = Config::parse(&section).map_err(CannotEdit::Invalid)?.membership;
    if before.membership == wanted {
        return Ok(text.to_owned());
    }
    let gap = if text.is_empty() || text.ends_with("\n\n") {
        ""
    } else if text.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    let edited = format!("{text}{gap}{section}");
    let says = |after: Config| after == Config { membership: wanted, ..before };
    if Config::parse(&edited).is_ok_and(says) { Ok(edited) } else { Err(CannotEdit::NoPlace("[fleet]".to_owned())) }
}

/// `[fleet]` as it is written.
pub fn fleet_section(servers: &[ServerAddress], files: &[(&str, String)]) -> String {
    let servers: Vec<String> = servers.iter().map(|server| toml_string(&named(server))).collect();
    let mut section = format!("[fleet]\nservers = [{}]\n", servers.join(", "));
    for (key, path) in files {
        let _ = writeln!(section, "{key} = {}", toml_string(path));
    }
    section
}

/// Without the port where it is the usual one.
fn named(server: &ServerAddress) -> String {
    if server.port == fleet::PORT { server.name.clone() } else { server.to_string() }
}

/// The text without `services` in `[prompt] combined`.
pub fn without_combined(text: &str, services: &[&str]) -> Result<String, CannotEdit> {
    let before = Config::parse(text).map_err(CannotEdit::Invalid)?;
    let mut wanted = before.clone();
    wanted.prompt.combined.retain(|service| !services.contains(&service.as_str()));
    if wanted == before {
        return Ok(text.to_owned());
    }
    let without = out_of_list(text, services)
        .filter(|candidate| Config::parse(candidate).is_ok_and(|after| without_lines(after) == without_lines(wanted)));
    without.ok_or_else(|| CannotEdit::NoPlace(format!("a list without {}", services.join(", "))))
}

/// Out of the list that is there, each with one comma.
fn out_of_list(text: &str, services: &[&str]) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let DeValue::Table(prompt) = document.get_ref().get("prompt")?.get_ref() else { return None };
    let DeValue::Array(entries) = prompt.get("combined")?.get_ref() else { return None };
    let mut edited = text.to_owned();
    for entry in entries.iter().rev() {
        let DeValue::String(name) = entry.get_ref() else { return None };
        if !services.contains(&name.as_ref()) {
            continue;
        }
        let (before, after) = (edited.get(..entry.span().start)?, edited.get(entry.span().end..)?);
        edited = match after.trim_start().strip_prefix(',') {
            Some(rest) => format!("{before}{}", rest.trim_start_matches([' ', '\t'])),
            None => {
                let shorter = before.trim_end();
                format!("{}{after}", shorter.strip_suffix(',').unwrap_or(before))
            }
        };
    }
    Some(edited)
}

/// At the beginning of the list that is there.
fn in_list(text: &str, services: &[&str]) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let prompt = document.get_ref().get("prompt")?;
    let DeValue::Table(prompt) = prompt.get_ref() else { return None };
    let list = prompt.get("combined")?;
    let DeValue::Array(entries) = list.get_ref() else { return None };
    let (before, after) = text.split_at_checked(list.span().start)?;
    let after = after.strip_prefix('[')?;
    let names = services.iter().map(|service| toml_string(service)).collect::<Vec<_>>().join(", ");
    let separator = if entries.is_empty() { "" } else { ", " };
    Some(format!("{before}[{names}{separator}{after}"))
}

/// Below the line `[prompt]`.
fn below_header(text: &str, line: &str) -> Option<String> {
    let mut end = 0;
    for written in text.split_inclusive('\n') {
        end += written.len();
        if written.trim_start().starts_with("[prompt]") {
            let (before, after) = text.split_at_checked(end)?;
            let gap = if before.ends_with('\n') { "" } else { "\n" };
            return Some(format!("{before}{gap}{line}{after}"));
        }
    }
    None
}

/// In a table of its own.
fn at_end(text: &str, line: &str) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}[prompt]\n{line}")
}

/// Rules know the line they stand in, which another line above moves.
fn without_lines(mut config: Config) -> Config {
    for rule in &mut config.rules {
        rule.line = 0;
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn edited(text: &str) -> String {
        let edited = with_combined(text, &["dovecot", "cups"]).unwrap();
        let combined = Config::parse(&edited).unwrap().prompt.combined;
        assert!(combined.contains("dovecot") && combined.contains("cups"), "{edited}");
        assert_eq!(with_combined(&edited, &["cups", "dovecot"]).unwrap(), edited, "once");
        edited
    }

    #[test]
    fn a_service_is_added_where_the_list_stands_and_nothing_else_changes() {
        assert_eq!(
            edited(
                "# ours\n[prompt] # words\ncombined = [ \"ftp\" ] # once\ntries = 2\n[default]\nsecond_factor = \"off\"\n"
            ),
            "# ours\n[prompt] # words\ncombined = [\"dovecot\", \"cups\",  \"ftp\" ] # once\ntries = 2\n[default]\nsecond_factor = \"off\"\n"
        );
        assert_eq!(edited("[prompt]\ncombined = []\n"), "[prompt]\ncombined = [\"dovecot\", \"cups\"]\n");
        let long = edited("prompt.combined = [\n  \"ftp\", # old\n]\n");
        assert!(long.ends_with("  \"ftp\", # old\n]\n"), "{long}");
        edited("prompt = { combined = [\"ftp\"], tries = 2 }\n");
    }

    #[test]
    fn without_a_list_the_default_is_named_too() {
        let rest = "tries = 2\n[[rule]]\nusers = [\"bob\"]\nsecond_factor = \"off\"\n";
        let list = "combined = [\"cups\", \"dovecot\", \"xrdp-sesman\"]\n";
        assert_eq!(edited(&format!("[prompt]\n{rest}")), format!("[prompt]\n{list}{rest}"));
        assert_eq!(edited(""), format!("[prompt]\n{list}"));
        assert_eq!(edited("[window]\ndrift = \"90s\""), format!("[window]\ndrift = \"90s\"\n\n[prompt]\n{list}"));
        let shipped = include_str!("../../etc/twofactor.toml");
        let changed = edited(shipped);
        assert_eq!(changed.replacen(list, "", 1), shipped, "every comment stays");
    }

    #[test]
    fn what_was_added_goes_again_and_every_comment_stays() {
        let shipped = include_str!("../../etc/twofactor.toml");
        for text in [
            "[prompt] # words\ncombined = [ \"ftp\" ] # once\ntries = 2\n",
            "prompt.combined = [\n  \"ftp\", # old\n]\n",
            "prompt = { combined = [\"ftp\"], tries = 2 }\n",
            "# ours\n[window]\ndrift = \"90s\"\n",
            shipped,
        ] {
            let added = edited(text);
            let back = without_combined(&added, &["dovecot", "cups"]).unwrap();
            assert_eq!(Config::parse(&back).unwrap().prompt, Config::parse(text).unwrap().prompt, "{back}");
            let comments = |text: &str| text.lines().filter(|line| line.contains('#')).count();
            assert_eq!(comments(&back), comments(text), "{back}");
        }
        let last = "[prompt]\ncombined = [\"ftp\", # first\n  \"cups\"]\n";
        assert_eq!(without_combined(last, &["cups"]).unwrap(), "[prompt]\ncombined = [\"ftp\", # first\n  ]\n");
        let alone = "[prompt]\ncombined = [\"ftp\", \"cups\"] # both\n";
        assert_eq!(without_combined(alone, &["cups"]).unwrap(), "[prompt]\ncombined = [\"ftp\"] # both\n");
        assert_eq!(without_combined(alone, &["ftp", "cups"]).unwrap(), "[prompt]\ncombined = [] # both\n");
        assert_eq!(without_combined(alone, &["smtp"]).unwrap(), alone);
    }

    #[test]
    fn what_looks_like_the_table_and_is_a_text_is_left_alone() {
        let text = "[[rule]]\nusers = [\"\"\"a\n[prompt]\n\"\"\"]\nsecond_factor = \"off\"\n";
        assert!(edited(text).starts_with(text));
        let dotted = with_combined("prompt.tries = 2\n", &["cups"]);
        assert!(matches!(dotted, Err(CannotEdit::NoPlace(line)) if line.starts_with("combined = [")));
        assert!(matches!(with_combined("[prompt]\ntries = 9\n", &["cups"]), Err(CannotEdit::Invalid(_))));
    }
}
