//! One login after the other, with a fob against few and against many tokens, and with an app: all take turns.
//!
//! The same users with the same fobs log in against both registries.

use std::collections::BTreeMap;

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::population::User;
use crate::progress;
use crate::statistics::Sample;
use crate::tokens::Sites;
use crate::worker::Worker;

/// What somebody logs in with, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A fob, with few tokens in the registry.
    FobAmongFew,
    /// A fob, with many.
    FobAmongMany,
    /// An app, our module, no registry.
    App,
    /// The same with pam_google_authenticator.
    GoogleAuthenticator,
}

impl Kind {
    /// All of them, in the order of the report.
    pub(super) const ALL: [Self; 4] = [Self::FobAmongFew, Self::FobAmongMany, Self::App, Self::GoogleAuthenticator];

    fn contestant(self) -> Contestant {
        match self {
            Self::FobAmongFew | Self::FobAmongMany | Self::App => Contestant::TwoFactor,
            Self::GoogleAuthenticator => Contestant::GoogleAuthenticator,
        }
    }
}

/// The measured times.
#[derive(Debug)]
pub(super) struct Logins(BTreeMap<Kind, Sample>);

impl Logins {
    /// Every user logs in twice in every way; the second time counts.
    pub(super) fn measure(host: &Host, sites: &Sites, users: usize) -> Self {
        let mut few = Worker::start(host, &sites.few.0, 0, users);
        let mut many = Worker::start(host, &sites.many.0, 0, users);
        let mut apps = Worker::start(host, &sites.apps, 0, users);
        let mut times: BTreeMap<Kind, Sample> = BTreeMap::new();
        for turn in [Turn::NotMeasured, Turn::Measured] {
            for user in 0..users {
                if user % 250 == 0 {
                    progress(&format!("logging in with fobs and apps, {turn}, {} of {users}", user + 1));
                }
                let mut kinds = Kind::ALL;
                kinds.rotate_left(user % Kind::ALL.len());
                for kind in kinds {
                    let worker = match kind {
                        Kind::FobAmongFew => &mut few,
                        Kind::FobAmongMany => &mut many,
                        Kind::App | Kind::GoogleAuthenticator => &mut apps,
                    };
                    for reply in worker.accepted_round(host, User(user), &[kind.contestant()]) {
                        if turn == Turn::Measured {
                            times.entry(kind).or_default().add(reply.login.took);
                        }
                    }
                }
            }
        }
        Self(times)
    }

    pub(super) fn of(&self, kind: Kind) -> &Sample {
        &self.0[&kind]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    NotMeasured,
    Measured,
}

impl std::fmt::Display for Turn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NotMeasured => "not measured",
            Self::Measured => "measured",
        })
    }
}
