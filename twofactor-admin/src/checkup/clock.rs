//! The reliability of the host's clock.

use super::catalogue::Id;
use super::finding::Finding;
use twofactor_core::host::clock::UnixTime;

/// 2024-01-01T00:00:00Z. This program is younger.
const TOO_EARLY: u64 = 1_704_067_200;

/// The state of the clock's synchronization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronization {
    /// Yes.
    Kept,
    /// No.
    Lost,
}

/// The problem with a clock that says `now`. `asked` is the service that knew of the synchronization.
pub fn of_clock(now: UnixTime, synchronization: Option<(Synchronization, &str)>) -> Option<Finding> {
    if now.seconds() < TOO_EARLY {
        let command = "timedatectl set-ntp true";
        return Some(Finding::run(Id::ClockWrong, format!("the clock says {now}, which is long past"), command));
    }
    match synchronization {
        Some((Synchronization::Lost, asked)) => {
            let what = format!("{asked} says that the clock is not synchronized");
            let advice = "run a time service: systemd-timesyncd or chrony, for example";
            Some(Finding::consider(Id::ClockNotSynchronized, what, advice, "timedatectl set-ntp true"))
        }
        Some((Synchronization::Kept, _)) | None => None,
    }
}

/// The answer in the output of `timedatectl show --property=NTPSynchronized`; `None` when it is something else.
pub fn by_timedatectl(printed: &str) -> Option<Synchronization> {
    match printed.trim() {
        "NTPSynchronized=yes" => Some(Synchronization::Kept),
        "NTPSynchronized=no" => Some(Synchronization::Lost),
        _ => None,
    }
}

/// The answer in the output of `chronyc -c tracking`: the last field is the leap status.
pub fn by_chronyc(printed: &str) -> Option<Synchronization> {
    match printed.trim().rsplit_once(',')?.1 {
        "Normal" | "Insert second" | "Delete second" => Some(Synchronization::Kept),
        "Not synchronised" => Some(Synchronization::Lost),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(now: &str, synchronization: Option<Synchronization>) -> Option<Id> {
        let now = UnixTime::from_rfc3339(now).unwrap();
        of_clock(now, synchronization.map(|state| (state, "chrony"))).map(|finding| finding.id)
    }

    #[test]
    fn a_clock_that_nobody_sets_is_found_and_one_of_long_ago() {
        assert_eq!(id("2026-11-22T00:00:00Z", Some(Synchronization::Kept)), None);
        assert_eq!(id("2026-11-22T00:00:00Z", None), None);
        assert_eq!(id("2026-11-22T00:00:00Z", Some(Synchronization::Lost)), Some(Id::ClockNotSynchronized));
        assert_eq!(id("1970-01-01T00:05:00Z", Some(Synchronization::Kept)), Some(Id::ClockWrong));
    }

    #[test]
    fn what_the_time_services_print_is_read() {
        assert_eq!(by_timedatectl("NTPSynchronized=yes\n"), Some(Synchronization::Kept));
        assert_eq!(by_timedatectl("NTPSynchronized=no\n"), Some(Synchronization::Lost));
        assert_eq!(by_timedatectl(""), None);
        let tracking =
            "A29FC801,162.159.200.1,4,1732250000.1,0.0001,0.0001,0.0002,1.2,0.0,0.1,0.02,0.001,64.2,Normal\n";
        assert_eq!(by_chronyc(tracking), Some(Synchronization::Kept));
        assert_eq!(by_chronyc("00000000,,0,0.0,0,0,0,0,0,0,1,1,0,Not synchronised\n"), Some(Synchronization::Lost));
        assert_eq!(by_chronyc("506 Cannot talk to daemon"), None);
    }
}
