//! A time of the test's own, which stands still: what a program does at it can be repeated, however slow the machine is.
//!
//! The program is the real one; libfaketime answers for the system when it asks what time it is. Programs that change
//! their user (sudo, su) do not load it, so they live in the present. Deadlines go on being measured in real time.

use std::process::{Command, Output};

use crate::oathtool::{Authenticator, Kind};
use crate::private_host::{Host, said};
use crate::requirements;

/// A time in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// A time at which steps of 10, 30 and 60 s begin.
    pub const SOME: Self = Self(1_800_000_000);

    /// So many seconds later.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        Self(self.0 + seconds)
    }

    /// Makes a program live at this time.
    pub fn govern(self, command: &mut Command) {
        let library = requirements::faketime().expect("the suite has looked for libfaketime");
        command.env("LD_PRELOAD", library);
        command.env("FAKETIME", self.0.to_string()).env("FAKETIME_FMT", "%s").env("TZ", "UTC");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    }

    /// The code that a token shows at this time when its clock is `steps` periods ahead.
    pub fn code(self, authenticator: &Authenticator, steps: i64) -> String {
        let Kind::Time(period) = authenticator.kind else { panic!("a counter token shows no time") };
        let offset = steps * i64::try_from(period).expect("a period is small");
        authenticator.code_at(self.0.checked_add_signed(offset).expect("after 1970"))
    }
}

impl Host {
    /// Runs the tool at that time, whatever comes of it.
    pub fn run_twofactor_at(&self, moment: Moment, arguments: &[&str]) -> Output {
        let mut command = self.twofactor(arguments);
        moment.govern(&mut command);
        command.output().unwrap()
    }

    /// Runs the tool at that time; it must succeed.
    #[track_caller]
    pub fn succeed_at(&self, moment: Moment, arguments: &[&str]) {
        let output = self.run_twofactor_at(moment, arguments);
        assert!(output.status.success(), "twofactor {}: {}", arguments.join(" "), said(&output));
    }
}
