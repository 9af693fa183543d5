//! `twofactor token show SERIAL`: everything about a token but its secret.

use std::fmt::Write as _;

use twofactor_core::account::lifecycle::Stage;
use twofactor_core::store::administration::TokenView;

use crate::args::tokens::Show;
use crate::commands::token::rendering::{as_json, drift_in_words, tinted_stage};
use crate::error::{Failure, quoted};
use crate::host::known_token;
use crate::host::{self, Host};
use crate::output::values::described;
use crate::output::{Output, Screen, Stream};

/// So many right codes outside the window are no accident: the clock is off.
const TOO_MANY_OUTSIDE: u32 = 3;

pub(super) fn run(arguments: &Show, host: &Host, output: &Output) -> Result<(), Failure> {
    let view = known_token(&arguments.serial, host)?;
    Ok(output.report(|| in_words(&view, output.screen(Stream::Results)), || as_json(&view))?)
}

fn in_words(view: &TokenView, screen: Screen) -> String {
    let token = view;
    let mut text = format!("Serial:          {}\n", token.serial);
    let _ = writeln!(text, "State:           {}", tinted_stage(view.stage, screen));
    if let Some(owner) = &token.owner {
        let since = token.assigned_at.map_or_else(String::new, |since| format!(", since {since}"));
        let _ = writeln!(text, "User:            {owner}{since}");
        if let Some(another) = host::another_person(owner, view.owner_uid) {
            let _ = writeln!(text, "                 every login is refused: {another}");
            let _ = writeln!(text, "                 {}", another.hint());
        }
    }
    let _ = writeln!(text, "Parameters:      {}", described(token.parameters));
    for (name, value) in [("Series:", &token.series), ("Vendor:", &token.vendor), ("Model:", &token.model)] {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:<16} {}", value.escape_debug());
        }
    }
    let _ = writeln!(text, "Imported:        {}", token.issued);
    if let Some(problem) = &view.problem {
        let _ = writeln!(text, "Problem:         {problem}");
        let _ = writeln!(text, "                 no login is possible with it; {}", problem.hint());
        return text;
    }
    if view.stage != Stage::Revoked {
        let drift = drift_in_words(view.drift.into(), token.parameters.kind);
        let _ = writeln!(text, "Drift:           {drift}");
    }
    if token.owner.is_some() {
        let last = view.last_accepted.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let _ = writeln!(text, "Last accepted:   {last}");
        let _ = writeln!(text, "Outside window:  {}", view.near_misses);
        if view.near_misses >= TOO_MANY_OUTSIDE {
            let serial = quoted(token.serial.as_str());
            let _ = writeln!(text, "                 its clock is off: run \"twofactor token resync {serial}\"");
        }
    }
    text
}
