//! Durations of refusals by reason. A measuring client must not learn which users exist, are enrolled or are throttled.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::population::{Population, User};
use crate::progress;
use crate::statistics::Sample;
use crate::worker::Worker;

/// Measured refusals of each kind.
const ROUNDS: usize = 200;
/// Wrong codes of one user that are judged before the throttle refuses.
const FREE: usize = 4;
/// Users who type wrong codes, one who has typed too many, and one who is not enrolled.
const USERS_OF_A_SETTING: usize = ROUNDS / FREE + 2;
/// The users of all settings.
pub(crate) const USERS: usize = USERS_OF_A_SETTING * Setting::ALL.len();
/// Files in which a setting changes who is known.
const NAMES: [&str; 3] = ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"];
/// Lines of /etc/group in the setting with rules on groups.
const GROUPS: usize = 5_000;

/// Configurations and hosts in which refusals are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// The configuration as shipped.
    Shipped,
    /// Two rules on groups, a long /etc/group, and a registry with tokens.
    Groups,
}

impl Setting {
    const ALL: [Self; 2] = [Self::Shipped, Self::Groups];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Shipped => "as shipped",
            Self::Groups => "two rules on groups, 5,000 groups, a registry",
        }
    }

    /// Brings this about, for the users from `first` on.
    fn establish(self, host: &Host, population: &Population, first: usize) {
        if self == Self::Shipped {
            return;
        }
        let append = |path: &Path, text: &str| {
            let mut file = fs::OpenOptions::new().append(true).open(path).expect("a file to append to");
            file.write_all(text.as_bytes()).expect("a line is appended");
        };
        let rules = "\n[[rule]]\ngroups = [\"bench4999\"]\nsecond_factor = \"required\"\n\n\
                     [[rule]]\ngroups = [\"bench2500\"]\nsecond_factor = \"required\"\n";
        append(&population.configuration(), rules);
        let (mut groups, mut tokens) = (String::new(), String::new());
        for number in 0..GROUPS {
            let _ = writeln!(groups, "bench{number}:x:{}:", 200_000 + number);
        }
        append(Path::new("/etc/group"), &groups);
        let people: String = (first..first + USERS_OF_A_SETTING).map(|number| User(number).passwd_entry()).collect();
        append(Path::new("/etc/passwd"), &people);
        let names = fs::read_to_string("/etc/nsswitch.conf").expect("nsswitch.conf can be read");
        let names: String =
            names.lines().filter(|line| !line.starts_with("passwd:")).flat_map(|line| [line, "\n"]).collect();
        fs::write("/etc/nsswitch.conf", names + "passwd: files\n").expect("nsswitch.conf can be written");
        for number in 1..=100 {
            let _ = writeln!(tokens, "BENCH{number:04},{number:040x}");
        }
        let file = population.folder.join("tokens.csv");
        fs::write(&file, tokens).expect("a seed file can be written");
        let (configuration, file) = (population.configuration(), file);
        let arguments = ["--config", configuration.to_str().expect("a path in UTF-8"), "token", "import"];
        host.succeed("twofactor", arguments.into_iter().chain([file.to_str().expect("a path in UTF-8")]));
    }
}

/// Reasons to refuse a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    WrongCode,
    NoCode,
    Throttled,
    NotEnrolled,
    UnknownUser,
}

impl Kind {
    const ALL: [Self; 5] = [Self::WrongCode, Self::NoCode, Self::Throttled, Self::NotEnrolled, Self::UnknownUser];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WrongCode => "wrong code",
            Self::NoCode => "no code (letters)",
            Self::Throttled => "throttled",
            Self::NotEnrolled => "not enrolled",
            Self::UnknownUser => "unknown user",
        }
    }
}

/// Durations of refusals in a setting.
#[derive(Debug)]
pub(crate) struct Refusals {
    pub(crate) setting: Setting,
    pub(crate) kinds: Vec<(Kind, Sample)>,
}

impl Refusals {
    /// Measures every setting with the users from `first` on, none of whom has logged in.
    pub(crate) fn measure(host: &Host, population: &Population, first: usize) -> Vec<Self> {
        let of = |(number, setting)| Self::of(setting, host, population, first + number * USERS_OF_A_SETTING);
        Setting::ALL.into_iter().enumerate().map(of).collect()
    }

    fn of(setting: Setting, host: &Host, population: &Population, first: usize) -> Self {
        progress(&format!("refusals, by their reason: {}", setting.name()));
        // What is measured next wants the host as it was.
        let before = NAMES.map(|path| fs::read(path).expect("a file of the host"));
        setting.establish(host, population, first);
        let name = |offset: usize| User(first + offset).name();
        let (throttled, unenrolled) = (name(USERS_OF_A_SETTING - 2), name(USERS_OF_A_SETTING - 1));
        let folder = population.state().join("users").join(&unenrolled);
        fs::remove_dir_all(&folder).expect("a user's folder can be removed");
        let mut worker = Worker::start(host, population, first, 1);
        let mut refused = |user: &str, answer: &str| {
            let reply = worker.refused(user, answer, Contestant::TwoFactor);
            assert_ne!(reply.login.code, 0, "{user} was let in with {answer}");
            reply.login.took
        };
        let mut codes: Box<dyn Iterator<Item = String>> =
            Box::new(User(first + USERS_OF_A_SETTING - 2).app().wrong_codes());
        for code in codes.by_ref().take(20) {
            refused(&throttled, &code);
        }
        let mut refusals = Kind::ALL.map(|kind| (kind, Sample::default()));
        for round in 0..ROUNDS {
            if round % FREE == 0 {
                codes = Box::new(User(first + round / FREE).app().wrong_codes());
            }
            let typed = codes.next().expect("there are enough wrong codes");
            let (user, code) = (name(round / FREE), typed.as_str());
            for (kind, sample) in &mut refusals {
                sample.add(match kind {
                    Kind::WrongCode => refused(&user, code),
                    Kind::NoCode => refused(&user, "letters"),
                    Kind::Throttled => refused(&throttled, code),
                    Kind::NotEnrolled => refused(&unenrolled, code),
                    Kind::UnknownUser => refused("nobody-there", code),
                });
            }
        }
        for (path, content) in NAMES.into_iter().zip(before) {
            fs::write(path, content).expect("a file of the host can be put back");
        }
        Self { setting, kinds: refusals.into() }
    }

    /// By how much the medians differ.
    pub(crate) fn spread(&self) -> std::time::Duration {
        let medians = || self.kinds.iter().map(|(_, sample)| sample.median());
        medians().max().unwrap_or_default().saturating_sub(medians().min().unwrap_or_default())
    }
}
