//! The page of an explanation, 80 columns for people, and its JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use twofactor_core::config::arguments::NullOk;
use twofactor_core::config::rule::{Level, Mismatch};
use twofactor_core::log::reason::Reason;
use twofactor_core::login::{Course, LoginEnd, Offering, REGISTRATION_PROMPTS, Unidentified};
use twofactor_core::policy::By;
use twofactor_core::store::EnrollmentStatus;

use super::explanation::Explanation;
use crate::output::values::day;
use crate::output::{Screen, Tint, printable, tinted};

/// Values that others chose are cut here: a host name of 5 KB is an attack and no answer.
const LONGEST: usize = 48;
/// The column of values.
const INDENT: usize = 18;
const WIDTH: usize = 80;

pub(super) fn as_text(explained: &Explanation<'_>, screen: Screen) -> String {
    let mut page = Page::default();
    page.row("User", &who(explained));
    page.row("Login", &login(explained));
    page.row("PAM line", &line(explained));
    page.row("Settings", &explained.config.display().to_string());
    for (number, mismatch) in &explained.passed {
        page.row("Rules", &format!("line {number} does not match: {mismatch}"));
    }
    page.row("Rules", &decided(&explained.by));
    page.row("Policy", &level(explained));
    page.row("Accepted factors", &explained.demand.factors.names().join(", "));
    if !explained.demand.remember.is_zero() {
        page.row("Remember", &remembered(explained));
    }
    for credential in &explained.forecast.credentials {
        let obstacle = credential.obstacle.map_or_else(String::new, |reason| format!(": no, {}", spoken(reason)));
        page.row("Enrolled", &format!("{}{obstacle}", credential.name));
    }
    if let Some(another) = &explained.forecast.another {
        page.row("Enrolled", &another.to_string());
        page.row("Enrolled", &another.hint());
    } else if explained.forecast.is_of_fleet {
        page.row("Enrolled", "in the fleet; \"twofactor status\" on its central machine says what");
    } else if explained.claimant.identified.is_ok() && explained.forecast.credentials.is_empty() {
        page.row("Enrolled", "no second factor");
    }
    if let Some(expired) = explained.expired {
        let enrolls = matches!(explained.course(), Some(Course::Enroll(..)));
        let then = if enrolls { "and no second factor is set up" } else { "where pam_unix is in the account phase" };
        page.row("Account", &format!("{expired}: the login is refused, {then}"));
    }
    if let Some(until) = explained.forecast.delayed_until {
        page.row("Delayed", &format!("until {until}, after too many wrong codes from here"));
    }
    asked(explained, &mut page);
    if let Some(with_key) = with_key(explained) {
        page.row("Ssh key", &with_key);
    }
    page.row("Right code", &right(explained));
    page.row("No phone", &without(explained));
    page.0.lines().map(|line| in_colour(line, screen) + "\n").collect()
}

/// A line of the page; an ending has its first word in colour.
fn in_colour(line: &str, screen: Screen) -> String {
    let Some((label, value)) = line.split_at_checked(INDENT) else { return line.to_owned() };
    let is_ending = ["Right code:", "No phone:"].contains(&label.trim_end());
    for (word, tint) in [("accepted", Tint::Green), ("refused", Tint::Red)] {
        if let Some(rest) = value.strip_prefix(word).filter(|_| is_ending) {
            return format!("{label}{}{rest}", tinted(word, tint, screen));
        }
    }
    line.to_owned()
}

fn who(explained: &Explanation<'_>) -> String {
    match &explained.claimant.identified {
        Ok(person) if person.name.as_str() == explained.claimant.typed => person.to_string(),
        Ok(person) => format!("{person}, typed as {}", printable(explained.claimant.typed, LONGEST)),
        Err(Unidentified::Unknown) => {
            format!("{}, whom this host does not know", printable(explained.claimant.typed, LONGEST))
        }
        Err(Unidentified::Failed(error)) => format!("{}: {error}", printable(explained.claimant.typed, LONGEST)),
    }
}

fn login(explained: &Explanation<'_>) -> String {
    let service = printable(explained.claimant.service, LONGEST);
    let facts = explained.claimant.facts();
    match (explained.claimant.rhost.filter(|rhost| !rhost.is_empty()), facts.address_in_networks()) {
        (None, _) => format!("{service}, local"),
        (Some(_), Some(address)) if facts.address().is_some() => format!("{service}, from {address}"),
        (Some(rhost), Some(_)) => format!("{service}, from {}", printable(rhost, LONGEST)),
        (Some(rhost), None) => {
            format!("{service}, from {}, a name, which no network matches", printable(rhost, LONGEST))
        }
    }
}

fn line(explained: &Explanation<'_>) -> String {
    match &explained.stack.auth {
        Err(problem) => format!("not known: {problem}"),
        Ok(lines) => match lines.first() {
            None => "none, so no code is asked, whatever the rules say".to_owned(),
            Some(line) => {
                let words = [line.control.as_str(), "pam_twofactor.so"].into_iter();
                let words: Vec<&str> = words.chain(line.arguments.iter().map(String::as_str)).collect();
                format!("{}:{}: auth {}", line.file.display(), line.number, words.join(" "))
            }
        },
    }
}

fn decided(by: &By) -> String {
    match by {
        By::Rule(number) => format!("line {number} matches"),
        By::Default => "[default], as no rule matches".to_owned(),
        By::Doubt(candidates) => {
            let last = candidates.last.map_or_else(|| "[default]".to_owned(), |line| format!("line {line}"));
            let may = candidates.rules.iter().map(|line| format!("line {line}")).collect::<Vec<_>>().join(", ");
            format!("the strictest of {may} and {last}, as it is not certain which matches: {}", candidates.why)
        }
    }
}

/// The level, and its origin.
fn level(explained: &Explanation<'_>) -> String {
    let (demand, level) = (explained.demand, explained.level);
    let mut text = level.to_string();
    match demand.until {
        Some(until) if level == demand.level && level != Level::Required => {
            let _ = write!(text, " until {} (00:00 UTC), then required", day(until));
        }
        Some(until) if demand.level != Level::Required => {
            let _ = write!(text, ", {} until {}", demand.level, day(until));
        }
        Some(_) | None => {}
    }
    if explained.arguments.null_ok == NullOk::Yes && level == Level::Optional && demand.level != Level::Optional {
        text += ", lowered from required by nullok";
    }
    text
}

fn remembered(explained: &Explanation<'_>) -> String {
    let long = humantime::format_duration(explained.demand.remember);
    if explained.claimant.facts().address().is_none() {
        return format!("{long}, but never without an address");
    }
    match explained.course() {
        Some(Course::Waived(waived)) if waived.why() == "remembered" => format!("{long}; remembered now"),
        _ => format!("{long}; not remembered now"),
    }
}

fn asked(explained: &Explanation<'_>, page: &mut Page) {
    match &explained.course {
        _ if explained.unasked.is_some() => {
            page.row("Asked", &format!("nothing: {}", explained.unasked.as_deref().unwrap_or_default()));
        }
        _ if !explained.arguments.problems.is_empty() => page.row("Asked", "nothing: the PAM line is wrong"),
        Err(error) => page.row("Asked", &format!("nothing: {error}")),
        Ok(Course::Waived(waived)) => {
            page.row("Asked", &format!("nothing ({})", waived.why()));
            // A program that asks for both in one answer goes on doing so.
            for prompt in &explained.prompts {
                let prompt = printable(prompt.trim_end(), LONGEST);
                page.row("Asked", &format!("but for the password: {prompt} A right code behind it is taken off."));
            }
        }
        Ok(course) => {
            if let Course::Enroll(_, status, offering) = course {
                page.row("Asked", picture(status.as_ref(), *offering));
            }
            for (position, prompt) in explained.prompts.iter().enumerate() {
                page.row("Asked", &format!("{}. {}", position + 1, printable(prompt.trim_end(), LONGEST)));
            }
            match course {
                Course::Enroll(.., Offering::Token) => {}
                Course::Enroll(_, _, offering) => {
                    let mut others = "or \"ascii\" for another picture".to_owned();
                    if *offering == Offering::AppOrToken {
                        let prompts = REGISTRATION_PROMPTS.map(|prompt| prompt.trim_end_matches(": ").to_lowercase());
                        let _ = write!(others, ", or \"token\" to register one: {}", prompts.join("; "));
                    }
                    page.row("Asked", &others);
                }
                Course::CannotEnroll(problem) => page.row("Asked", &format!("as every user: {problem}")),
                Course::Combined => page.row("Asked", "unless another module has asked already"),
                Course::Code if explained.tries > 1 => {
                    page.row("Asked", &format!("up to {} times", explained.tries));
                }
                Course::Code | Course::Key(_) | Course::Waived(_) => {}
            }
        }
    }
}

fn picture(status: Option<&EnrollmentStatus>, offering: Offering) -> &'static str {
    match (status, offering) {
        (_, Offering::Token) => "a physical token is registered",
        (Some(EnrollmentStatus::Waiting), _) => {
            "once the password is right, the QR code of the secret that awaits its confirmation is shown"
        }
        (Some(EnrollmentStatus::New(_) | EnrollmentStatus::Enrolled), _) => "a QR code with a new secret is shown",
        (None, _) => "a QR code is shown, of a secret that is not kept",
    }
}

/// A login with an enrolled ssh key, which sshd has verified; `None` for a user without one, and where nothing is asked.
fn with_key(explained: &Explanation<'_>) -> Option<String> {
    explained.course()?;
    Some(match explained.forecast.with_key.as_ref()? {
        Ok(()) => "asked nothing and accepted (PAM_SUCCESS), where sshd has verified an enrolled one".to_owned(),
        Err(obstacle) => format!("asked like all others: {obstacle}"),
    })
}

fn right(explained: &Explanation<'_>) -> String {
    let text = ending(explained.right);
    match explained.course() {
        Some(Course::Enroll(..)) if explained.right == Some(LoginEnd::Success) => {
            format!("{text}; stored in the account phase")
        }
        _ => text,
    }
}

fn without(explained: &Explanation<'_>) -> String {
    let text = ending(explained.without);
    match explained.without {
        Some(LoginEnd::Success) => format!("{text} with a recovery code"),
        Some(LoginEnd::Refused(Reason::WrongCode, _)) => format!("{text}; recovery codes are not accepted"),
        Some(LoginEnd::Ignore | LoginEnd::Refused(..)) | None => text,
    }
}

fn ending(ending: Option<LoginEnd>) -> String {
    let Some(ending) = ending else { return "no code asked".to_owned() };
    match ending {
        LoginEnd::Success => format!("accepted ({})", result(ending)),
        LoginEnd::Ignore => format!("no code asked ({})", result(ending)),
        LoginEnd::Refused(reason, _) => format!("refused: {} ({})", spoken(reason), result(ending)),
    }
}

/// A reason's word as people say it.
fn spoken(reason: Reason) -> String {
    reason.word().replace('-', " ")
}

/// The return code of pam(3).
fn result(ending: LoginEnd) -> String {
    match ending {
        LoginEnd::Success => "PAM_SUCCESS".to_owned(),
        LoginEnd::Ignore => "PAM_IGNORE".to_owned(),
        LoginEnd::Refused(_, code) => code.to_string(),
    }
}

pub(super) fn as_json(explained: &Explanation<'_>) -> Value {
    let demand = explained.demand;
    let waived = match explained.course() {
        Some(Course::Waived(waived)) => Some(waived.why()),
        _ => None,
    };
    json!({
        "user": explained.claimant.name_or_typed(),
        "known": explained.claimant.identified.is_ok(),
        "service": explained.claimant.service,
        "rhost": explained.claimant.rhost,
        "address": explained.claimant.facts().address_in_networks().map(|address| address.to_string()),
        "pam_line": explained.stack.line().map(|line| json!({
            "file": path(&line.file),
            "line": line.number,
            "control": line.control,
            "arguments": line.arguments,
            "problems": explained.arguments.problems,
        })),
        "account_line": explained.stack.account.is_ok(),
        "account_problem": explained.stack.account.as_ref().err(),
        "config": path(&explained.config),
        "passed_rules": explained.passed.iter().map(passed).collect::<Vec<_>>(),
        "rule": match &explained.by {
            By::Rule(number) => json!(number),
            By::Default | By::Doubt(_) => json!(null),
        },
        "decided_by": match &explained.by {
            By::Rule(_) => "rule",
            By::Default => "default",
            By::Doubt(_) => "doubt",
        },
        "candidates": match &explained.by {
            By::Doubt(candidates) => json!({
                "rules": candidates.rules,
                "last": candidates.last,
                "why": candidates.why.to_string(),
            }),
            By::Rule(_) | By::Default => json!(null),
        },
        "second_factor": explained.level.to_string(),
        "until": demand.until.map(|until| until.to_string()),
        "factors": demand.factors.names(),
        "remember": humantime::format_duration(demand.remember).to_string(),
        "expired": explained.expired.map(|expired| expired.to_string()),
        "waived": waived,
        "enrolls": matches!(explained.course(), Some(Course::Enroll(..))),
        "prompts": explained.prompts,
        "tries": explained.tries,
        "credentials": explained.forecast.credentials.iter().map(|credential| json!({
            "type": credential.kind.name(),
            "name": credential.name,
            "refused": credential.obstacle.map(Reason::word),
        })).collect::<Vec<_>>(),
        "ssh_key": explained.course().and(explained.forecast.with_key.as_ref()).map(|with_key| json!({
            "asked": with_key.is_err(),
            "because": with_key.as_ref().err().map(ToString::to_string),
        })),
        "fleet": explained.forecast.is_of_fleet,
        "blocked_until": explained.forecast.delayed_until.map(|until| until.to_string()),
        "right_code": ending_as_json(explained.right),
        "no_phone": ending_as_json(explained.without),
    })
}

fn passed((number, mismatch): &(usize, Mismatch)) -> Value {
    json!({ "rule": number, "because": mismatch.to_string() })
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn ending_as_json(ending: Option<LoginEnd>) -> Value {
    let reason = match ending {
        Some(LoginEnd::Refused(reason, _)) => Some(reason.word()),
        Some(LoginEnd::Success | LoginEnd::Ignore) | None => None,
    };
    json!({ "result": ending.map(result), "reason": reason })
}

/// Rows of a label and words, broken before the last column. A label that is the same as above is left out.
#[derive(Default)]
struct Page(String, &'static str);

impl Page {
    fn row(&mut self, label: &'static str, words: &str) {
        let shown = if self.1 == label { String::new() } else { format!("{label}:") };
        self.1 = label;
        let mut line = format!("{shown:<INDENT$}");
        let mut is_empty = true;
        for word in words.split(' ') {
            if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.0 += &line;
                self.0.push('\n');
                line = " ".repeat(INDENT + 2);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line += word;
            is_empty = false;
        }
        self.0 += line.trim_end();
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_break_before_the_last_column_and_say_a_label_once() {
        let mut page = Page::default();
        page.row("Rules", &"word ".repeat(30));
        page.row("Rules", "next");
        let lines: Vec<&str> = page.0.lines().collect();
        assert!(lines.iter().all(|line| line.len() <= WIDTH && !line.ends_with(' ')), "{}", page.0);
        assert_eq!(lines.iter().filter(|line| line.starts_with("Rules:")).count(), 1);
        assert_eq!(lines.last(), Some(&"                  next"));
    }
}
