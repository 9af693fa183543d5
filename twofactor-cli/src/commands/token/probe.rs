//! `twofactor token probe SERIAL [CODE1 CODE2]`: which parameters fit what a token shows, for seed files that do not say.
//!
//! What always holds: only when exactly one way fits is it given to a series, and only when somebody says so.

use serde_json::{Value, json};
use twofactor_core::audit::Event;
use twofactor_core::otp::Kind;
use twofactor_core::store::files::{Encoding, Fit, TokenError};

use crate::args::tokens::Probe;
use crate::commands::token::{Asking, codes, drift_in_words, known_token};
use crate::commands::{described, period};
use crate::error::Failure;
use crate::host::Host;
use crate::journal;
use crate::output::{self, Format, Output};

pub(super) fn run(arguments: Probe, host: &Host, output: &Output) -> Result<(), Failure> {
    let serial = arguments.serial;
    let token = known_token(&serial, host)?.listed;
    if token.token.is_none() {
        return Err(TokenError::Revoked(serial).into());
    }
    let [first, second] = codes::two(arguments.codes)?;
    let fits = host.accounts.probe(&serial, [&first, &second], host.now()?)?;
    let stored = fits.iter().position(|fit| fit.parameters == token.parameters && fit.encoding == Encoding::AsImported);
    let better = match (fits.as_slice(), stored) {
        ([], _) => {
            output.report_json(|| json!({ "serial": serial.as_str(), "fits": [] }))?;
            return Err(Failure::NothingFits(serial));
        }
        ([only], None) => Some(only),
        _ => None,
    };
    if output.format() == Format::Text {
        let lines = fits.iter().enumerate().map(|(index, fit)| in_words(fit, stored == Some(index)));
        output::raw(&lines.collect::<String>())?;
    }
    let fixed = match (better, token.series) {
        (Some(fit), Some(series)) => fix(fit, &series, arguments.fix, host, output)?,
        (None, _) if arguments.fix && stored.is_none() => return Err(Failure::SeveralFit(serial)),
        (Some(_), None) if arguments.fix => return Err(Failure::NoSeriesToFix(serial)),
        _ => None,
    };
    output.report_json(|| {
        let fits: Vec<Value> =
            fits.iter().enumerate().map(|(index, fit)| as_json(fit, stored == Some(index))).collect();
        json!({ "serial": serial.as_str(), "fits": fits, "fixed": fixed })
    })?;
    Ok(())
}

/// Gives what fits to the whole series. Gives the number of its tokens; `None` when nobody wanted that.
fn fix(fit: &Fit, series: &str, unasked: bool, host: &Host, output: &Output) -> Result<Option<usize>, Failure> {
    let shown = series.escape_debug();
    if !unasked {
        let asking = Asking::new(false);
        if asking == Asking::Impossible {
            output.explain(&format!("--fix gives this to all tokens of series {shown}"));
            return Ok(None);
        }
        let tokens = host.accounts.series(series)?.map_or(0, |series| series.tokens - series.revoked);
        match asking.confirm(&format!("Give this to all {tokens} tokens of series {shown}? [y/N] ")) {
            Err(Failure::Declined) => return Ok(None),
            answer => answer?,
        }
    }
    let mended = host.accounts.mend_series(series, fit, host.sysadmin()?.by())?;
    let record = journal::about_series(Event::SeriesMended, series).with("tokens", mended);
    journal::write(record.with("fit", fit));
    if output.format() == Format::Text {
        output
            .done(|| format!("{mended} tokens of series {shown} are read this way from now on.\n"), || Value::Null)?;
    }
    Ok(Some(mended))
}

fn in_words(fit: &Fit, stored: bool) -> String {
    let offset = match fit.parameters.kind {
        Kind::Hotp => format!("counter {}", fit.steps),
        kind => drift_in_words(fit.steps, kind),
    };
    let stored = if stored { " (as stored)" } else { "" };
    format!("fits: {}, secret {}, {offset}{stored}\n", described(fit.parameters), fit.encoding)
}

fn as_json(fit: &Fit, stored: bool) -> Value {
    let parameters = fit.parameters;
    json!({
        "encoding": fit.encoding.to_string(),
        "type": parameters.kind.name(),
        "algorithm": parameters.algorithm.to_string(),
        "digits": parameters.digits.count(),
        "period": period(parameters.kind),
        "drift": fit.steps,
        "stored": stored,
    })
}
