//! `twofactor token probe SERIAL [CODE1 CODE2]`: which parameters fit what a token shows, for seed files that do not say.
//!
//! Invariant: a way is given to a series only when it alone fits, and only after a yes.

use serde_json::{Value, json};
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::codes::otp::{Kind, Parameters};
use twofactor_core::codes::token::Serial;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{Encoding, Fit, TokenError};

use crate::args::tokens::Probe;
use crate::asking::Asking;
use crate::commands::token::codes;
use crate::commands::token::rendering::drift_in_words;
use crate::error::Failure;
use crate::host::Host;
use crate::host::known_token;
use crate::journal;
use crate::output::values::{counted, described, period};
use crate::output::{Format, Output};

pub(super) fn run(arguments: Probe, host: &Host, output: &Output) -> Result<(), Failure> {
    let serial = arguments.serial;
    let token = known_token(&serial, host)?;
    if token.stage == Stage::Revoked {
        return Err(TokenError::Revoked(serial).into());
    }
    let [first, second] = codes::two(arguments.codes)?;
    let fits = host.accounts.probe(&serial, [&first, &second])?;
    let fits: Vec<(Fit, Standing)> = fits.into_iter().map(|fit| Standing::of(fit, token.parameters)).collect();
    if fits.is_empty() {
        output.report_json(|| json!({ "serial": serial.as_str(), "fits": [], "fixed": null }))?;
        return Err(Failure::NothingFits(serial));
    }
    if output.format() == Format::Text {
        output.report_lines(|| fits.iter().map(in_words).collect(), || Value::Null)?;
    }
    let is_stored = fits.iter().any(|(_, standing)| *standing == Standing::Stored);
    let fixed = match (fits.as_slice(), token.series) {
        _ if is_stored => None,
        ([(fit, _)], Some(series)) if arguments.fix => Some(fix(fit, &serial, &series, host, output)?),
        ([(fit, _)], Some(series)) => offer(fit, &serial, &series, host, output)?,
        (_, None) if arguments.fix => return Err(Failure::NoSeriesToFix(serial)),
        _ if arguments.fix => return Err(Failure::SeveralFit(serial)),
        _ => None,
    };
    output.report_json(|| {
        let fits: Vec<Value> = fits.iter().map(as_json).collect();
        json!({ "serial": serial.as_str(), "fits": fits, "fixed": fixed })
    })?;
    Ok(())
}

/// The relation of a fit to the registry: the same, or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Stored,
    Otherwise,
}

impl Standing {
    fn of(fit: Fit, stored: Parameters) -> (Fit, Self) {
        let is_stored = fit.parameters == stored && fit.encoding == Encoding::AsImported;
        (fit, if is_stored { Self::Stored } else { Self::Otherwise })
    }
}

/// Offers what fits for the whole series, where a person can be asked.
fn offer(fit: &Fit, probed: &Serial, series: &str, host: &Host, output: &Output) -> Result<Option<usize>, Failure> {
    let shown = series.escape_debug();
    let asking = Asking::at_a_terminal();
    if asking == Asking::Impossible {
        output.explain(&format!("--fix gives this to all tokens of series {shown}"));
        return Ok(None);
    }
    let tokens = host.accounts.series(series)?.map_or(0, |series| series.tokens.saturating_sub(series.revoked));
    let all = if tokens == 1 { "the only token".to_owned() } else { format!("all {tokens} tokens") };
    match asking.confirm(&format!("Give this to {all} of series {shown}? [y/N] ")) {
        Err(Failure::Declined) => Ok(None),
        Err(failure) => Err(failure),
        Ok(()) => fix(fit, probed, series, host, output).map(Some),
    }
}

/// Gives what fits to the whole series. Gives the number of its tokens.
fn fix(fit: &Fit, probed: &Serial, series: &str, host: &Host, output: &Output) -> Result<usize, Failure> {
    let mended = host.accounts.mend_series(series, probed, fit, host.sysadmin()?.by())?;
    let record = journal::about_series(Event::SeriesMended, series).with("tokens", mended);
    journal::write(record.with("fit", fit));
    if output.format() == Format::Text {
        let shown = series.escape_debug();
        let (tokens, are) = (counted(mended as u64, "token"), if mended == 1 { "is" } else { "are" });
        output.done(|| format!("{tokens} of series {shown} {are} read this way from now on.\n"), || Value::Null)?;
    }
    Ok(mended)
}

fn in_words((fit, standing): &(Fit, Standing)) -> String {
    let offset = match fit.parameters.kind {
        Kind::Hotp => format!("counter {}", fit.steps),
        kind @ Kind::Totp(_) => drift_in_words(fit.steps, kind),
    };
    let stored = if *standing == Standing::Stored { " (as stored)" } else { "" };
    format!("fits: {}, secret {}, {offset}{stored}\n", described(fit.parameters), fit.encoding)
}

fn as_json((fit, standing): &(Fit, Standing)) -> Value {
    let parameters = fit.parameters;
    json!({
        "encoding": fit.encoding.to_string(),
        "type": parameters.kind.name(),
        "algorithm": parameters.algorithm.to_string(),
        "digits": parameters.digits.count(),
        "period": period(parameters.kind),
        "drift": fit.steps,
        "stored": *standing == Standing::Stored,
    })
}
