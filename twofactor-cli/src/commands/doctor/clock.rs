//! The clock and its synchronization.

use twofactor_admin::checkup::clock::{Synchronization, by_chronyc, by_timedatectl, of_clock};
use twofactor_core::host::clock::{Clock as _, SystemClock};

use super::report::Area;
use crate::program::ask;

pub(super) fn look() -> Area {
    let mut area = Area::new("clock", "");
    let now = match SystemClock.now() {
        Ok(now) => now,
        Err(error) => {
            area.could_not_check("the clock", error);
            return area;
        }
    };
    let synchronization = synchronization();
    area.looked_at = match &synchronization {
        Ok((Synchronization::Kept, asked)) => format!("{now}, synchronized ({asked})"),
        Ok((Synchronization::Lost, asked)) => format!("{now}, not synchronized ({asked})"),
        Err(_) => now.to_string(),
    };
    match synchronization {
        Ok((state, asked)) => area.with(of_clock(now, Some((state, asked)))),
        Err(reason) => {
            area.could_not_check("whether the clock is synchronized", reason);
            area.with(of_clock(now, None))
        }
    }
}

/// The state of the clock's synchronization, and the source of it. systemd knows of every time service, because it asks the kernel.
fn synchronization() -> Result<(Synchronization, &'static str), String> {
    let timedatectl = ask("timedatectl", &["show", "--property=NTPSynchronized"]).well();
    if let Some(state) = timedatectl.as_deref().ok().and_then(by_timedatectl) {
        return Ok((state, "timedatectl"));
    }
    let chronyc = ask("chronyc", &["-c", "tracking"]).well();
    if let Some(state) = chronyc.as_deref().ok().and_then(by_chronyc) {
        return Ok((state, "chronyc"));
    }
    let reasons = [timedatectl, chronyc].map(|said| said.err().unwrap_or_else(|| "it says something else".to_owned()));
    Err(reasons.join("; "))
}
