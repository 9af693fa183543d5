//! `twofactor.toml`: every key optional, every mistake an error that says where and what instead.
//!
//! Invariants: a configuration is valid as a whole or refused as a whole; nothing falls back to a default because
//! it was misspelt.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::host::trusted::{self, FileError, Owner};
use crate::text::document::{self, Problem};
pub use settings::{
    Config, DEFAULT_PATH, DEFAULT_STATE, EnrollmentDefaults, Expected, InvitationRule, Permission, Prompt,
    ResyncAtLogin, SelfRegistration, SelfService, marker_beside,
};

pub(crate) use settings::STATE_ID;

pub mod arguments;
pub mod caller;
pub mod fleet;
pub mod helpdesk;
mod reading;
mod reading_fleet;
pub mod rule;
mod settings;

/// The largest configuration that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It was named and is not there.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// It cannot be read, or others could have written it.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not UTF-8.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// It says what it must not.
    #[error("{} has {} problem{}", path.display(), problems.len(), if problems.len() == 1 { "" } else { "s" })]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of them, in the order of the file.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// One line for every problem, each naming the file.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Invalid { path, problems } => {
                problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect()
            }
            other => vec![other.to_string()],
        }
    }

    /// A way out for the sysadmin.
    pub fn hint(&self) -> String {
        match self {
            Self::File(FileError::Unsafe { remedy, .. }) => format!("check it, then run: {remedy}"),
            _ => "fix it, then run: twofactor config check".to_owned(),
        }
    }
}

impl Config {
    /// Reads the configuration at `path`, which must belong to `owner`.
    pub fn load(path: &Path, expected: Expected, owner: Owner) -> Result<Self, ConfigError> {
        let Some(content) = trusted::read_file(path, owner, LARGEST)? else {
            return match expected {
                Expected::Perhaps => Ok(Self { marker: marker_beside(path), ..Self::default() }),
                Expected::Certainly => Err(ConfigError::Missing(path.to_owned())),
            };
        };
        let text = std::str::from_utf8(&content).map_err(|_| ConfigError::NotText(path.to_owned()))?;
        let config = Self::parse(text).map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })?;
        Ok(Self { marker: marker_beside(path), ..config })
    }

    /// `[paths] state` of a file whatever else is wrong in it. `None` when nothing there says where the state is.
    pub fn load_state(path: &Path, owner: Owner) -> Option<PathBuf> {
        let content = trusted::read_file(path, owner, LARGEST).ok()??;
        Self::parse_state(&String::from_utf8_lossy(&content))
    }

    fn parse_state(text: &str) -> Option<PathBuf> {
        let state = |text: &str| document::read_leniently(text, |root| reading::state(&root.section("paths")?));
        // What is no TOML at all can hide what stands behind it, so the table is also read alone.
        state(text).or_else(|| {
            let lines = text.lines().skip_while(|line| !line.trim_start().starts_with("[paths]"));
            let table = lines.enumerate().take_while(|(at, line)| *at == 0 || !line.trim_start().starts_with('['));
            state(&table.map(|(_, line)| line).collect::<Vec<_>>().join("\n"))
        })
    }

    /// Reads a configuration from its text.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        document::read(text, |root| Some(reading::read(root)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::otp::Window;
    use crate::codes::otp::{Algorithm, Kind, Period};
    use crate::config::fleet::Backing;
    use crate::config::rule::{Conditions, Demand};
    use crate::host::clock::UnixTime;
    use rule::Level;
    use std::time::Duration;

    fn problems(text: &str) -> Vec<String> {
        Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_and_no_file_mean_the_defaults() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
        let nowhere = Path::new("/nonexistent/twofactor/twofactor.toml");
        let defaults = Config { marker: Some("/nonexistent/twofactor/state.id".into()), ..Config::default() };
        assert_eq!(Config::load(nowhere, Expected::Perhaps, Owner::ROOT).unwrap(), defaults);
        assert!(matches!(Config::load(nowhere, Expected::Certainly, Owner::ROOT), Err(ConfigError::Missing(_))));
    }

    #[test]
    fn a_configuration_of_a_trial_has_no_marker() {
        assert_eq!(marker_beside(Path::new("/tmp/trial/twofactor.toml")), None);
        assert_eq!(marker_beside(Path::new("twofactor.toml")), None);
        let in_a_chroot = Path::new("/srv/root/etc/twofactor/twofactor.toml");
        assert_eq!(marker_beside(in_a_chroot), Some("/srv/root/etc/twofactor/state.id".into()));
    }

    #[test]
    fn the_shipped_file_is_valid_and_states_the_defaults() {
        let shipped = include_str!("../../etc/twofactor.toml");
        assert_eq!(Config::parse(shipped).unwrap(), Config::default());
        let mut switched_on = String::new();
        for line in shipped.lines() {
            let key = line.strip_prefix("# ").filter(|rest| rest.contains(" = "));
            switched_on.push_str(key.unwrap_or(line));
            switched_on.push('\n');
        }
        let config = Config::parse(&switched_on).unwrap();
        let expected = Config {
            enrollment: EnrollmentDefaults { issuer: Some("example.org".to_owned()), ..Config::default().enrollment },
            ..Config::default()
        };
        assert_eq!(config, expected, "every commented key shows its default");
    }

    #[test]
    fn the_example_rules_of_the_shipped_file_are_valid() {
        let shipped = include_str!("../../etc/twofactor.toml");
        let example = shipped.lines().filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')));
        let example: Vec<&str> = example.collect();
        let rules = Config::parse(&example.join("\n")).unwrap().rules;
        assert_eq!(rules.iter().map(|rule| rule.demand.level).collect::<Vec<_>>(), [Level::Off, Level::Enroll]);
    }

    #[test]
    fn every_key_is_read() {
        let config = Config::parse(
            r#"
            [paths]
            state = "/srv/twofactor"
            [enrollment]
            issuer = "example.org"
            algorithm = "SHA256"
            digits = 8
            period = 60
            recovery_codes = 0
            invitation = "required"
            self_register = false
            [window]
            drift = "90s"
            counter_look_ahead = 3
            resync_at_login = false
            resync = "90m"
            [throttle]
            free_attempts = 2
            first_delay = "1s"
            max_delay = "1h"
            [prompt]
            code = "Code: "
            tries = 3
            combined = ["xrdp-sesman"]
            [self_service]
            enroll = false
            change = false
            tokens = false
            ssh_key = false
            [default]
            second_factor = "optional"
            "#,
        )
        .unwrap();
        assert_eq!(config.state, Path::new("/srv/twofactor"));
        assert_eq!(config.enrollment.issuer.as_deref(), Some("example.org"));
        assert_eq!(config.enrollment.parameters.algorithm, Algorithm::Sha256);
        assert_eq!(config.enrollment.parameters.kind, Kind::Totp(Period::new(60).unwrap()));
        assert_eq!(config.window, Window { drift: Duration::from_secs(90), look_ahead: 3, least_steps: 0 });
        assert_eq!(config.resync, Duration::from_mins(90));
        assert_eq!(config.throttle.max_delay, Duration::from_hours(1));
        assert_eq!((config.prompt.code.as_str(), config.prompt.tries), ("Code: ", 3));
        assert!(config.prompt.combined.contains("xrdp-sesman"));
        assert_eq!(config.default_level, Level::Optional);
        assert_eq!(config.enrollment.invitation, InvitationRule::Required);
        assert_eq!(config.enrollment.self_registration, SelfRegistration::Forbidden);
        assert_eq!(config.resync_at_login, ResyncAtLogin::No);
        let SelfService { enroll, change, tokens, ssh_key } = config.self_service;
        assert_eq!([enroll, change, tokens, ssh_key], [Permission::Refused; 4]);
    }

    #[test]
    fn a_mistake_is_named_by_line_column_and_nearest_key() {
        assert_eq!(problems("[window]\n  drfit = \"60s\"\n"), ["2:3: unknown key drfit; did you mean drift?"]);
        assert_eq!(problems("[windwo]\n"), ["1:2: unknown key windwo; did you mean window?"]);
        assert_eq!(problems("[enrollment]\ndigits = \"6\"\n"), ["2:10: this must be a whole number, not string"]);
        assert_eq!(problems("[enrollment]\ndigits = 9\n"), ["2:10: digits is a whole number from 6 to 8"]);
        assert_eq!(problems("[window]\nresync = \"25h\"\n"), ["2:10: resync is at most 1day"]);
        assert_eq!(problems("[window]\ndrift = 60\n"), ["2:9: this must be a string in quotes, not integer"]);
        assert_eq!(
            problems("[default]\nsecond_factor = \"on\"\n"),
            ["2:17: second_factor: \"on\" is none of required, enroll, optional, off"]
        );
        assert_eq!(problems("[self_service]\nchange = \"no\"\n"), ["2:10: this must be true or false, not string"]);
        assert_eq!(problems("[self_service]\ntoken = true\n"), ["2:1: unknown key token; did you mean tokens?"]);
        assert_eq!(problems("window = 1\n"), ["1:10: this must be a table, not integer"]);
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let found = problems("[prompt]\ntries = 4\n[throttle]\nfree = 1\n[enrollment]\nalgorithm = \"MD5\"\n");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("2:9:") && found[1].starts_with("4:1:") && found[2].starts_with("6:13:"));
    }

    #[test]
    fn where_the_state_is_can_be_read_from_a_broken_file() {
        let state = |text: &str| Config::parse_state(text).map(|path| path.display().to_string());
        let srv = Some("/srv/twofactor".to_owned());
        assert_eq!(state("[paths]\nstate = \"/srv/twofactor\"\nunknown = 1\n[throttle]\nfree_attempts = \"x\"\n"), srv);
        for broken in
            ["this is no TOML\n", "[default\n", "a = nonsense\n", "a = 'x\n", "a = [1\n", "[paths]\nx = y z\n"]
        {
            assert_eq!(state(&format!("[paths]\nstate = \"/srv/twofactor\"\n{broken}")), srv, "{broken:?} behind");
            assert_eq!(
                state(&format!("{broken}[paths]\nstate = \"/srv/twofactor\" # why\n")),
                srv,
                "{broken:?} before"
            );
        }
        for none in [
            "",
            "this is no TOML",
            "[paths]\nstate = \"relative\"\n",
            "[paths]\nstate = 1\n",
            "# [paths]\n# state = \"/a\"\n",
        ] {
            assert_eq!(state(none), None, "{none:?}");
        }
    }

    #[test]
    fn what_is_not_toml_is_refused_with_its_place() {
        let found = problems("[paths\nstate = 1");
        assert!(found[0].starts_with("1:7: this is not TOML"), "{found:?}");
    }

    #[test]
    fn a_rule_is_read_whole() {
        let text = r#"
            [[rule]]
            users = ["backup"]
            groups = ["wheel", "ops"]
            services = ["sshd"]
            networks = ["10.0.0.0/8", "2001:db8::/32"]
            local = false
            second_factor = "optional"
            factors = ["app", "recovery"]
            until = 2027-01-31
            remember = "12h"
            [[rule]]
            second_factor = "off"
        "#;
        let rules = Config::parse(text).unwrap().rules;
        let [first, second] = rules.as_slice() else { panic!("{rules:?}") };
        assert_eq!((first.line, second.line), (2, 12));
        assert_eq!(first.conditions.networks.as_ref().map(Vec::len), Some(2));
        assert_eq!(first.demand.factors.names(), ["app", "recovery"]);
        assert_eq!(first.demand.until, UnixTime::from_rfc3339("2027-01-31T00:00:00Z"));
        assert_eq!(first.demand.remember, Duration::from_hours(12));
        assert_eq!((&second.conditions, second.demand), (&Conditions::default(), Demand::at(Level::Off)));
    }

    #[test]
    fn a_caller_is_read_whole_or_refused() {
        let whole = "user = \"postgres\"\nservice = \"postgresql\"\ngroups = [\"dba\", \"ops\"]";
        let callers = Config::parse(&format!("[[caller]]\n{whole}\n[[caller]]\n{whole}\n")).unwrap().callers;
        assert_eq!(callers.iter().map(|caller| caller.line).collect::<Vec<_>>(), [1, 5]);
        assert_eq!((callers[0].user.as_str(), callers[0].service.as_str()), ("postgres", "postgresql"));
        assert_eq!(callers[0].groups, ["dba", "ops"]);
        for (changed, to, problem) in [
            ("user = \"postgres\"\n", "", "1:1: user is missing"),
            ("service = \"postgresql\"\n", "", "1:1: service is missing"),
            ("groups = [\"dba\", \"ops\"]", "", "1:1: groups is missing"),
            ("[\"dba\", \"ops\"]", "[]", "groups is empty"),
            ("[\"dba\", \"ops\"]", "\"dba\"", "4:10: "),
            ("\"postgres\"", "\"root\"", "2:8: root asks about every user"),
            ("\"postgres\"", "\"../x\"", "2:8: user is the name"),
            ("\"postgresql\"", "\"/etc/pam.d/x\"", "3:11: service is the name"),
            ("\"postgresql\"", "\"\"", "3:11: service is the name"),
            ("groups", "group", "unknown key group; did you mean groups?"),
        ] {
            let found = problems(&format!("[[caller]]\n{}\n", whole.replace(changed, to)));
            assert!(found.iter().any(|found| found.contains(problem)), "{problem}: {found:?}");
        }
        assert_eq!(problems("[[callers]]\n"), ["1:3: unknown key callers; did you mean caller?"]);
    }

    #[test]
    fn a_helpdesk_is_read_whole_or_refused_and_protects_administrators_by_default() {
        let text =
            "[[helpdesk]]\ngroup = \"helpdesk\"\n[[helpdesk]]\ngroup = \"night\"\nprotected = [\"sudo\", \"hr\"]\n";
        let helpdesks = Config::parse(text).unwrap().helpdesks;
        let [first, second] = helpdesks.as_slice() else { panic!("{helpdesks:?}") };
        assert_eq!((first.line, first.group.as_str(), second.line, second.group.as_str()), (1, "helpdesk", 3, "night"));
        assert_eq!(first.protected, ["sudo", "wheel", "admin"]);
        assert_eq!(second.protected, ["sudo", "hr"]);
        let without = Config::parse("[[helpdesk]]\ngroup = \"helpdesk\"\nprotected = []\n").unwrap().helpdesks;
        assert!(without[0].protected.is_empty(), "a list that is stated holds, be it empty");
        for (text, problem) in [
            ("protected = [\"sudo\"]", "1:1: group is missing"),
            ("group = \"\"", "2:9: group is the name of a group"),
            ("group = [\"helpdesk\"]", "2:9: this must be a string"),
            ("group = \"helpdesk\"\nprotected = \"sudo\"", "3:13: "),
            ("group = \"helpdesk\"\nprotected = [\"\"]", "3:14: protected lists names of groups"),
            ("group = \"helpdesk\"\nprotect = [\"sudo\"]", "unknown key protect; did you mean protected?"),
        ] {
            let found = problems(&format!("[[helpdesk]]\n{text}\n"));
            assert!(found.iter().any(|found| found.contains(problem)), "{problem}: {found:?}");
        }
    }

    #[test]
    fn a_host_of_a_fleet_is_read_whole_or_refused() {
        let text =
            "[fleet]\nservers = [\"otp1.example.org\", \"otp2:99\"]\nca = \"/a\"\ncertificate = \"/b\"\nkey = \"/c\"\n";
        let servers = Config::parse(&format!("{text}offline = \"deny\"\n")).unwrap().membership.unwrap().servers;
        assert_eq!(servers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["otp1.example.org:7443", "otp2:99"]);
        let joined = Config::parse("[fleet]\nservers = [\"otp1\"]\n").unwrap().membership.unwrap();
        assert_eq!(joined.key, Path::new("/etc/twofactor/fleet/host.key"));
        for (text, problem) in [
            ("[fleet]\n".to_owned(), "1:1: servers is missing"),
            (text.replace("\"otp1.example.org\"", "\"https://otp1\""), "2:12: servers lists names"),
            (text.replace("[\"otp1.example.org\", \"otp2:99\"]", "[]"), "servers is empty"),
            (text.replace("\"/c\"", "\"c\""), "5:7: key is an absolute path"),
            (format!("{text}offline = \"allow\"\n"), "6:11: offline: \"allow\" is none of deny"),
        ] {
            let found = problems(&text);
            assert!(found.iter().any(|found| found.contains(problem)), "{problem}: {found:?}");
        }
    }

    #[test]
    fn the_machine_with_the_central_store_is_read_whole_or_refused() {
        let text = r#"[store]
postgresql = "host=db1 dbname=twofactor"
seed_key = "/k"
[server]
listen = ["[::]:7443"]
certificate = "/b"
key = "/c"
client_ca = "/d"
[[host]]
name = "web*.example.org"
[[host]]
name = "desk"
may = ["login", "enroll", "self"]
groups = ["web", "ops"]
wrong_codes_per_hour = 50
enrollments_per_hour = 7
"#;
        let config = Config::parse(text).unwrap();
        let backing = |text: &str| Config::parse(text).unwrap().central_store.unwrap().backing;
        assert_eq!(backing(text), Backing::Postgresql("host=db1 dbname=twofactor".to_owned()));
        let files = text.replace("postgresql = \"host=db1 dbname=twofactor\"\n", "");
        assert_eq!(backing(&files), Backing::Files("/var/lib/twofactor-server".into()));
        let elsewhere = files.replace("[store]", "[store]\nfolder = \"/srv/otp\"");
        assert_eq!(backing(&elsewhere), Backing::Files("/srv/otp".into()));
        let port = config.port.unwrap();
        assert_eq!(port.listen, ["[::]:7443".parse().unwrap()]);
        assert_eq!(port.site.unwrap().client_ca, Path::new("/d"));
        let own =
            text.replace("certificate = \"/b\"\nkey = \"/c\"\nclient_ca = \"/d\"", "names = [\"OTP1.example.org\"]");
        let port = Config::parse(&own).unwrap().port.unwrap();
        assert!(port.site.is_none() && port.names == ["otp1.example.org"]);
        let hosts: Vec<_> = config.hosts.iter().map(|host| (host.line, host.may_enroll, host.may_self)).collect();
        assert_eq!(hosts, [(9, false, false), (11, true, true)]);
        let limits: Vec<_> =
            config.hosts.iter().map(|host| (host.groups.as_deref(), host.wrong_codes_per_hour)).collect();
        assert_eq!(limits, [(None, 200), (Some(["web".to_owned(), "ops".to_owned()].as_slice()), 50)]);
        assert_eq!(config.hosts.iter().map(|host| host.enrollments_per_hour).collect::<Vec<_>>(), [20, 7]);
        for (from, to, problem) in [
            ("\"host=db1 dbname=twofactor\"", "5432", "2:14: "),
            ("seed_key", "folder = \"/srv/otp\"\nseed_key", "the accounts are in PostgreSQL or in a folder"),
            ("\"/k\"", "\"k\"", "3:12: seed_key is an absolute path"),
            ("[\"[::]:7443\"]", "[\"otp1\"]", "5:11: listen lists addresses with a port"),
            ("[\"[::]:7443\"]", "[]", "listen is empty"),
            ("client_ca = \"/d\"\n", "", "client_ca is missing"),
            ("client_ca = \"/d\"\n", "names = [\"otp 1\"]\n", "names lists names of this machine"),
            ("\"enroll\"", "\"all\"", "may lists login, enroll, self"),
            ("\"login\", ", "", "may lists login, and enroll and self beside it"),
            ("\"desk\"", "\"de sk\"", "12:8: name is the name of a host"),
            ("\"desk\"", "\"*.*\"", "12:8: name is the name of a host"),
            ("\"desk\"", "\"10.0.0.5\"", "12:8: name is the name of a host"),
            ("[\"web\", \"ops\"]", "[]", "groups is empty"),
            ("[\"web\", \"ops\"]", "\"web\"", "14:10: this must be a list"),
            ("= 50", "= 0", "wrong_codes_per_hour"),
            ("= 7", "= 0", "enrollments_per_hour"),
            ("may", "must", "unknown key must"),
        ] {
            let found = problems(&text.replace(from, to));
            assert!(found.iter().any(|found| found.contains(problem)), "{problem}: {found:?}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_meant_is_refused() {
        for (rule, problem) in [
            ("users = [\"x\"]", "second_factor is missing"),
            ("second_factor = \"off\"\nusers = []", "users is empty"),
            ("second_factor = \"off\"\nnetworks = [\"10.0.0.1/8\"]", "3:13: a network is an address"),
            ("second_factor = \"off\"\nnetworks = [\"example.org\"]", "3:13: a network is an address"),
            ("second_factor = \"off\"\nnetworks = [\"10.0.0.0/8\"]\nlocal = true", "never matches"),
            ("second_factor = \"off\"\nfactors = [\"sms\"]", "3:12: factors lists app, token, recovery"),
            ("second_factor = \"off\"\nuntil = \"2027-01-31\"", "3:9: until is a day"),
            ("second_factor = \"off\"\nuntil = 2027-01-31T12:00:00Z", "3:9: until is a day"),
            ("second_factor = \"off\"\nuntil = 2027-02-30", "3:"),
            ("second_factor = \"off\"\nremember = \"1000h\"", "remember is at most"),
            ("second_factor = \"off\"\nuser = [\"x\"]", "3:1: unknown key user; did you mean users?"),
        ] {
            let found = problems(&format!("[[rule]]\n{rule}\n"));
            assert!(found.len() == 1 && found[0].contains(problem), "{rule}: {found:?}");
        }
    }
}
