//! What sshd needs so that PAM can ask for a code: `UsePAM` and `KbdInteractiveAuthentication`, in a file of our own.
//!
//! What always holds: sshd has read the settings and accepts them (`sshd -t`, `sshd -T`), or they are taken away again. It is
//! never restarted here. Nothing is said in the file about keys: whoever has only a key must not be locked out by it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::ServiceFailure;
use crate::output;

use super::change::{self, Change};

/// The service that these settings belong to.
pub(super) const SERVICE: &str = "sshd";

const CONFIG: &str = "/etc/ssh/sshd_config";
const FOLDER: &str = "/etc/ssh/sshd_config.d";
/// The first value of a keyword counts, and files are read in the order of their names.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-twofactor.conf";
/// What a sysadmin who does it by hand copies.
const EXAMPLE: &str = include_str!("../../../../etc/ssh/sshd_config.d/twofactor.conf");
const HEADER: &str =
    "# Written by \"twofactor service enable sshd\".\n# Removed by \"twofactor service disable sshd\".\n";
const PROGRAMS: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];

/// What has to be done for sshd.
#[derive(Debug)]
pub(super) struct Plan {
    /// The file of our own, when it is needed.
    pub(super) change: Option<Change>,
    sshd: PathBuf,
}

/// The example without what it says about methods: which of them are enough is for the sysadmin to say.
fn settings_text() -> String {
    let paragraphs = EXAMPLE.split("\n\n").skip(1).filter(|text| !text.contains("AuthenticationMethods"));
    format!("{HEADER}\n{}\n", paragraphs.collect::<Vec<_>>().join("\n\n").trim_end())
}

/// What sshd needs beside its PAM service; `None` on a host without sshd.
pub(super) fn plan() -> Result<Option<Plan>, ServiceFailure> {
    let Some(sshd) = PROGRAMS.into_iter().map(PathBuf::from).find(|program| program.exists()) else {
        output::warning("there is no sshd on this host, so its settings were not looked at");
        return Ok(None);
    };
    let settings = Settings::of(&sshd)?;
    let change = if settings.lacking().is_empty() { damaged()? } else { Some(drop_in(&settings)?) };
    Ok(Some(Plan { change, sshd }))
}

fn drop_in(settings: &Settings) -> Result<Change, ServiceFailure> {
    let file = PathBuf::from(DROP_IN);
    let before = change::read(&file)?;
    let after = settings_text().into_bytes();
    match before {
        Some(content) if content == after => Err(ServiceFailure::SshdInsists(settings.lacking())),
        Some(content) if is_ours(&content) => Ok(Change { file, before: Some(content), after: Some(after) }),
        Some(_) => Err(ServiceFailure::SshdFile(file)),
        None if !includes_folder() => {
            Err(ServiceFailure::SshdIncludes { config: CONFIG.into(), folder: FOLDER.into() })
        }
        None => Ok(Change { file, before: None, after: Some(after) }),
    }
}

/// The file of our own as it was written, when somebody has taken a setting out of it or changed it.
fn damaged() -> Result<Option<Change>, ServiceFailure> {
    let file = PathBuf::from(DROP_IN);
    let Some(content) = change::read(&file)? else { return Ok(None) };
    let after = settings_text();
    let (there, wanted) = (Settings::parse(&String::from_utf8_lossy(&content)), Settings::parse(&after));
    let lacks = wanted.0.keys().any(|keyword| there.value(keyword) != wanted.value(keyword));
    let change = Change { file, before: Some(content), after: Some(after.into_bytes()) };
    Ok(change.before.as_deref().is_some_and(is_ours).then_some(change).filter(|_| lacks))
}

/// Whether a file says that it was written here.
fn is_ours(content: &[u8]) -> bool {
    String::from_utf8_lossy(content).starts_with("# Written by \"twofactor service enable sshd\"")
}

fn includes_folder() -> bool {
    let text = std::fs::read_to_string(CONFIG).unwrap_or_default();
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        let is_include = words.next().is_some_and(|word| word.eq_ignore_ascii_case("include"));
        is_include && words.any(|word| word.contains("sshd_config.d/"))
    })
}

impl Plan {
    /// Makes sure that sshd accepts what was written and would read it.
    pub(super) fn check(&self) -> Result<(), ServiceFailure> {
        run(&self.sshd, "-t").map_err(ServiceFailure::SshdRefuses)?;
        match Settings::of(&self.sshd)?.lacking() {
            lacking if lacking.is_empty() => Ok(()),
            lacking => Err(ServiceFailure::SshdInsists(lacking)),
        }
    }

    /// What a sysadmin should know about logins that PAM is not asked about.
    pub(super) fn warn(&self) {
        let Ok(settings) = Settings::of(&self.sshd) else { return };
        for warning in settings.warnings() {
            output::warning(&warning);
        }
    }
}

/// How the drop-in goes away; `None` when it is not there, or not as it was written.
pub(super) fn removal(written: Option<&[u8]>) -> Result<Option<Change>, ServiceFailure> {
    let file = PathBuf::from(DROP_IN);
    let ours = settings_text().into_bytes();
    match change::read(&file)? {
        Some(content) if content == ours || Some(content.as_slice()) == written => {
            Ok(Some(Change { file, before: Some(content), after: None }))
        }
        Some(_) | None => Ok(None),
    }
}

/// The file of our own stays when it is not as it was written; whoever takes the module out has to know.
pub(super) fn warn_of_drop_in() {
    if Path::new(DROP_IN).symlink_metadata().is_ok() {
        output::warning(&format!("{DROP_IN} was changed since and stays: remove it and reload sshd"));
    }
}

/// How sshd is made to read its settings again.
pub(super) fn reload() -> &'static str {
    let debian = ["/usr/lib/systemd/system/ssh.service", "/lib/systemd/system/ssh.service"];
    if debian.iter().any(|unit| Path::new(unit).exists()) { "systemctl reload ssh" } else { "systemctl reload sshd" }
}

/// What sshd would do, by keyword in small letters.
struct Settings(BTreeMap<String, Vec<String>>);

impl Settings {
    fn of(sshd: &Path) -> Result<Self, ServiceFailure> {
        let text = run(sshd, "-T").map_err(ServiceFailure::SshdSilent)?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        for (keyword, value) in lines.filter_map(|line| line.split_once(' ')) {
            settings.entry(keyword.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
        }
        Self(settings)
    }

    fn value(&self, keyword: &str) -> Option<&str> {
        self.0.get(keyword)?.first().map(String::as_str)
    }

    /// What PAM's questions need and is not so.
    fn lacking(&self) -> Vec<String> {
        // Before OpenSSH 8.7 it had another name.
        let interactive = ["kbdinteractiveauthentication", "challengeresponseauthentication"];
        let interactive = interactive.into_iter().find_map(|keyword| self.value(keyword));
        let mut lacking = Vec::new();
        if self.value("usepam") != Some("yes") {
            lacking.push("UsePAM no".to_owned());
        }
        if interactive != Some("yes") {
            lacking.push("KbdInteractiveAuthentication no".to_owned());
        }
        lacking
    }

    fn warnings(&self) -> Vec<String> {
        let methods = self.0.get("authenticationmethods").map_or_else(String::new, |values| values.join(" "));
        let any = methods.is_empty() || methods == "any";
        let keys = self.value("pubkeyauthentication") != Some("no");
        let mut warnings = Vec::new();
        let without: Vec<&str> =
            methods.split_whitespace().filter(|list| !any && !list.contains("keyboard-interactive")).collect();
        if any && keys {
            warnings.push(
                "logins with a key are not asked for a code; for a key and then a code see AuthenticationMethods in \
                 pam_twofactor(8)"
                    .to_owned(),
            );
        }
        if !without.is_empty() {
            warnings.push(format!("AuthenticationMethods lets in without a code: {}", without.join(" ")));
        }
        warnings
    }
}

/// What sshd says when it is asked about its configuration.
fn run(sshd: &Path, option: &str) -> Result<String, String> {
    let ask = || {
        let output = Command::new(sshd).arg(option).stdin(Stdio::null()).output();
        output.map_err(|error| error.to_string())
    };
    let mut answer = ask()?;
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).trim().to_owned();
    // Where sshd is started by a socket, its folder is not there until the first connection.
    if let Some(folder) = said(&answer).strip_prefix("Missing privilege separation directory: ")
        && folder.starts_with("/run/")
        && std::fs::create_dir(folder).is_ok()
    {
        answer = ask()?;
    }
    if answer.status.success() {
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    } else {
        let said = said(&answer);
        Err(said.lines().next_back().unwrap_or("it failed and said nothing").trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drop_in_says_what_the_example_says_and_nothing_about_methods() {
        let text = settings_text();
        let settings: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert_eq!(settings, ["UsePAM yes", "KbdInteractiveAuthentication yes", "PasswordAuthentication no"]);
    }

    #[test]
    fn what_sshd_says_is_understood() {
        let debian = Settings::parse(
            "port 22\nusepam yes\nkbdinteractiveauthentication no\npubkeyauthentication yes\nauthenticationmethods any\n",
        );
        assert_eq!(debian.lacking(), ["KbdInteractiveAuthentication no"]);
        assert_eq!(debian.warnings().len(), 1);
        let old = Settings::parse("usepam no\nchallengeresponseauthentication yes\npubkeyauthentication no\n");
        assert_eq!(old.lacking(), ["UsePAM no"]);
        assert!(old.warnings().is_empty());
        let both = Settings::parse(
            "usepam yes\nkbdinteractiveauthentication yes\nauthenticationmethods publickey publickey,keyboard-interactive\n",
        );
        assert_eq!(both.warnings(), ["AuthenticationMethods lets in without a code: publickey"]);
    }
}
