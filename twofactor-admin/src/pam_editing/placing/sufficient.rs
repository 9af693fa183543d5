//! First factors of the service's own file that are `sufficient`: the first that accepts ends the phase, before our line.
//!
//! They come to jump over what stands between them and our line: the `pam_deny.so` behind them, or another first factor that was
//! asked for when they refused. Where there is neither, the last of them becomes `required`, so that its refusal counts.

use super::sheet::{Entry, Sheet};
use twofactor_core::pam_service::Line;
use twofactor_core::pam_service::control::{Action, Outcome};
use twofactor_core::pam_service::modules::{Nature, is_other_second_factor};

/// The lines that are jumped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// A refusal, or nothing.
    Refusal,
    /// A first factor whose yes would be the only one: who comes by a jump needs another where ours has nothing to say.
    FirstFactor,
}

/// Writes other controls into the sheet. `None` where that would have to count lines of an included file. `lines` are those of
/// the auth phase.
pub(super) fn rewritten(sheet: &mut Sheet, entries: &[Entry], lines: &[&Line]) -> Option<Over> {
    let nature = |at: usize| lines.get(at).map(|line| Nature::of(line));
    let enders: Vec<usize> = (0..lines.len())
        .filter(|at| nature(*at) == Some(Nature::Primary))
        .filter(|at| lines.get(*at).is_some_and(|line| ends(line)))
        .filter(|at| !is_behind_a_first_factor(lines, *at))
        .collect();
    let (first, last) = (*enders.first()?, *enders.last()?);
    let deny = (last + 1..lines.len()).find(|at| nature(*at) == Some(Nature::Deny));
    let asking = (last + 1..lines.len()).rfind(|at| nature(*at) == Some(Nature::Primary));
    let behind = deny.max(asking).unwrap_or(last) + 1;
    // Everything that is jumped over stands in this file, a line each.
    let entry_of = |at: usize| {
        let line = lines.get(at)?;
        let entry = entries.iter().find(|entry| entry.first == line.origin)?;
        (line.depth == 0 && line.file == line.top && !entry.is_include()).then_some(entry)
    };
    for at in first..behind {
        entry_of(at)?;
    }
    for at in enders {
        let entry = entry_of(at)?;
        let over = behind - at - 1;
        let control = if over == 0 {
            "required".to_owned()
        } else if entry.control().eq_ignore_ascii_case("sufficient") {
            format!("[success={over} new_authtok_reqd={over} default=ignore]")
        } else {
            entry.control().replace("=done", &format!("={over}"))
        };
        sheet.replace_control(entry, &control);
    }
    Some(if asking > deny { Over::FirstFactor } else { Over::Refusal })
}

fn ends(line: &Line) -> bool {
    line.actions.actions(Outcome::Success).contains(&Action::Done)
}

/// True when the line is a second factor of another product that is asked for behind a first factor. Who has that keeps it.
fn is_behind_a_first_factor(lines: &[&Line], at: usize) -> bool {
    let is_first = |line: &&&Line| Nature::of(line) == Nature::Primary && !is_other_second_factor(line) && !ends(line);
    lines.get(at).is_some_and(|line| is_other_second_factor(line)) && lines.iter().take(at).any(|line| is_first(&line))
}
