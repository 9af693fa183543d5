//! `twofactor recovery USER`: new recovery codes in the place of all old ones.

use serde_json::json;
use twofactor_core::account::enrollment;
use twofactor_core::log::record::Event;
use zeroize::Zeroizing;

use crate::args::Recovery;
use crate::error::Failure;
use crate::host::Host;
use crate::journal;
use crate::output::values::{ABOUT_RECOVERY_CODES, exposed, listed};
use crate::output::{self, Format, Output, Stream};

pub(crate) fn run(arguments: &Recovery, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = host.account_holder(&arguments.user)?;
    host.check_owner(&user)?;
    let count = arguments.count.map_or(host.config.enrollment.recovery_codes, usize::from);
    let codes = enrollment::recovery_codes(count).map_err(Failure::Entropy)?;
    if !host.accounts.replace_recovery(&user, &codes)? {
        return Err(Failure::NotEnrolled(user));
    }
    journal::write(journal::about(Event::RecoveryReplaced, &user).with("count", count));
    let shown = match output.format() {
        Format::Json => output::must_show_json(json!({ "user": user.as_str(), "recovery_codes": exposed(&codes) })),
        Format::Text if codes.is_empty() => {
            return Ok(output.done(|| format!("{user} has no recovery codes any more.\n"), || json!(null))?);
        }
        Format::Text => {
            let old = output.explanation("The old recovery codes are void.\n", Stream::Results);
            let about = output.explanation(ABOUT_RECOVERY_CODES, Stream::Results);
            output::must_show(Stream::Results, &Zeroizing::new(format!("{old}{about}{}", listed(&codes).as_str())))
        }
    };
    shown.map_err(|error| Failure::CodesUnseen { user, error })
}
