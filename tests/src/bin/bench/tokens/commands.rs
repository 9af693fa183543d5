//! Commands against many tokens: each is a whole process, from its start to its end.

use std::ops::Range;

use twofactor_tests::private_host::Host;

use crate::population::User;
use crate::progress;
use crate::statistics::Sample;
use crate::stopwatch::Lap;
use crate::tokens::vendor::Seeds;
use crate::tokens::{Plan, Site};

/// What the commands took.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) show: Sample,
    pub(super) assign: Sample,
    /// `token list` of everything, with its option.
    pub(super) lists: Vec<(&'static str, Lap)>,
}

impl Commands {
    /// Measures at `site`. Each of `newcomers`, who have nothing yet, gets a token that nobody has.
    pub(super) fn measure(host: &Host, site: &Site, plan: Plan, newcomers: Range<usize>) -> Self {
        progress("showing, assigning and listing tokens");
        let (mut show, mut assign) = (Sample::default(), Sample::default());
        for (turn, newcomer) in newcomers.enumerate() {
            // One that is owned and has been used or not, then one that is not, all over the registry.
            let place = match turn % 2 {
                0 => turn * plan.owned / plan.commands,
                _ => plan.owned + turn * (plan.many - plan.owned) / plan.commands,
            };
            nix::unistd::sync();
            show.add(site.tool(host, ["token", "show", &Seeds::serial_of(User(place))]).took);
            let (serial, user) = (Seeds::serial_of(User(plan.many - 1 - turn)), User(newcomer).name());
            nix::unistd::sync();
            assign.add(site.tool(host, ["token", "assign", &serial, &user]).took);
        }
        let lists = ["", "--json", "--csv"].map(|option| {
            let words = ["token", "list", option].into_iter().filter(|word| !word.is_empty());
            (option, site.tool(host, words))
        });
        Self { show, assign, lists: lists.into() }
    }
}
