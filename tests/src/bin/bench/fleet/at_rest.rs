//! One login at a time through the real libpam: a user of the fleet, and one of this host's own files, taking turns.

use std::fs;
use std::path::PathBuf;

use super::site::Site;
use crate::asker::Asker;
use crate::broker::Owner;
use crate::statistics::Sample;

/// Logins of each that are not measured.
const NOT_MEASURED: usize = 5;

/// The measured times.
#[derive(Debug, Default)]
pub(crate) struct AtRest {
    pub(crate) local: Sample,
    pub(crate) fleet: Sample,
}

impl AtRest {
    /// Each configuration is the host's while its user logs in.
    pub(crate) fn measure(site: &Site<'_>, count: usize) -> Self {
        let number = site.loads.get();
        let paths = format!("[paths]\nstate = \"{}\"\n", site.local.display());
        site.host.configure(&paths);
        let name = format!("local-{number}");
        let mut local = Owner::of_an_app(site.host, &name, count + NOT_MEASURED);
        let mut fleet = owner_of(&site.enroll(1, count + NOT_MEASURED + 10), site);
        let mut asker = Asker::start(site.host, None);
        let configurations = [paths.clone(), format!("{paths}{}", site.membership())];
        let mut times = Self::default();
        for turn in 0..count + NOT_MEASURED {
            let mut kinds = [(0, &mut local), (1, &mut fleet)];
            kinds.rotate_left(turn % 2);
            for (kind, owner) in kinds {
                site.host.configure(&configurations[kind]);
                asker.ask(owner, 0);
                let reply = asker.reply();
                assert_eq!(reply.code, 0, "{}: {:?}", owner.name, site.host.module_log().last());
                if turn >= NOT_MEASURED {
                    [&mut times.local, &mut times.fleet][kind].add(reply.took);
                }
            }
        }
        times
    }
}

/// The one user of this file, who is one of the host, too.
fn owner_of(file: &PathBuf, site: &Site<'_>) -> Owner {
    let text = fs::read_to_string(file).expect("the file of users");
    let mut words = text.trim_end().split(' ').map(str::to_owned);
    let name = words.next().expect("a name");
    site.host.add_user(&name);
    Owner::with_codes(&name, words.collect())
}
