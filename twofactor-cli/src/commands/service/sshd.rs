//! sshd's settings for questions by PAM: `UsePAM` and `KbdInteractiveAuthentication`, in a file of our own.
//!
//! Invariants: sshd has read the settings and accepts them (`sshd -t`, `sshd -T`), or they are taken away again. It is
//! never restarted here, and reloaded only when a person says so. The file says nothing about keys, by which a user who has
//! only a key would be locked out, unless that is asked for (`--security-keys`).

use std::path::{Path, PathBuf};

use twofactor_admin::checkup::sshd::{KeyProof, Methods, Settings};

use crate::error::ServiceFailure;
use crate::output;
use crate::program::{Said, ask, ask_sshd};
use crate::sshd::{self, Outdated, SYSTEMD, Written, reload};
use crate::terminal::{self, Yes};

use super::change::{self, Change};
use super::remarks::Remarks;

/// The service that these settings belong to.
pub(super) const SERVICE: &str = "sshd";

const METHODS: &str = "authenticationmethods";
const FOLDER: &str = "/etc/ssh/sshd_config.d";
/// The first value of a keyword counts, and files are read in the order of their names.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-twofactor.conf";
/// The file that a sysadmin copies by hand.
const EXAMPLE: &str = include_str!("../../../../etc/ssh/sshd_config.d/twofactor.conf");
/// The words with which every form of the file begins.
const WRITTEN_BY: &str = "# Written by \"twofactor service enable sshd";
/// With security keys: every login has a key, and goes on to PAM.
const METHODS_WITH_KEYS: &str = "\
# First a key, then the prompts of PAM. After a security key that is enrolled
# with twofactor, no code is asked for.
AuthenticationMethods publickey,keyboard-interactive
# Whatever a user's authorized_keys says.
";

/// The plan for sshd.
#[derive(Debug)]
pub(super) struct SshdPlan {
    /// The file of our own, when it is needed.
    pub(super) change: Option<Change>,
    /// The reason for which sshd would refuse all users who are asked for a code, whatever is changed here.
    pub(super) shut_out: Option<ServiceFailure>,
    /// The running sshd has not read what is there already. Where that cannot be told, `doctor` says so.
    pub(super) outdated: Option<Outdated>,
    /// The proof of security keys that the file demands.
    keys: Option<KeyProof>,
}

/// The file's first line.
fn first_line(keys: Option<KeyProof>) -> String {
    let option = match keys {
        None => "",
        Some(KeyProof::Touch) => " --security-keys",
        Some(KeyProof::Verification) => " --security-keys=verify",
    };
    format!("{WRITTEN_BY}{option}\".")
}

/// The example without what it says about methods: which of them are enough is for the sysadmin to say.
fn settings_text(keys: Option<KeyProof>) -> String {
    let paragraphs = EXAMPLE.split("\n\n").skip(1).filter(|text| !text.contains("AuthenticationMethods"));
    let paragraphs = paragraphs.collect::<Vec<_>>().join("\n\n");
    let header = format!("{}\n# Removed by \"twofactor service disable sshd\".\n", first_line(keys));
    let about_keys = keys.map_or_else(String::new, |proof| {
        format!("\n{METHODS_WITH_KEYS}PubkeyAuthOptions {}\n", proof.options().join(" "))
    });
    format!("{header}\n{}\n{about_keys}", paragraphs.trim_end())
}

/// The demand of a file that was written here.
fn keys_of(content: &[u8]) -> Option<KeyProof> {
    let text = String::from_utf8_lossy(content);
    let first = text.lines().next()?;
    KeyProof::ALL.into_iter().find(|proof| first == first_line(Some(*proof)))
}

/// The changes that sshd needs beside its PAM service; `None` on a host without sshd. Without `asked`, the file goes on to
/// demand what it does of security keys.
pub(super) fn plan(asked: Option<KeyProof>, remarks: &mut Remarks) -> Result<Option<SshdPlan>, ServiceFailure> {
    let Some(settings) = in_force()? else {
        remarks.warn("there is no sshd on this host, so its settings were not looked at");
        return Ok(None);
    };
    let keys = asked.or(change::read(Path::new(DROP_IN))?.as_deref().and_then(keys_of));
    let written = Written::read();
    let outdated = Outdated::look(&settings, &written).ok().flatten();
    let change = if missing(&settings, keys).is_empty() { damaged(keys)? } else { Some(drop_in(&settings, keys)?) };
    let methods_change = keys.is_some() && change.is_some();
    if methods_change {
        remarks.warn(
            "every login over ssh needs a key from now on: users without one in authorized_keys cannot log in, however good \
             their passwords and codes are",
        );
    } else {
        for warning in warnings(&settings) {
            remarks.warn(warning);
        }
    }
    // Lists that the file replaces shut nobody out.
    let shut_out = shutting_out(&settings, &written).filter(|_| !methods_change);
    Ok(Some(SshdPlan { change, shut_out, outdated, keys }))
}

fn drop_in(settings: &Settings, keys: Option<KeyProof>) -> Result<Change, ServiceFailure> {
    let file = PathBuf::from(DROP_IN);
    let before = change::read(&file)?;
    let after = settings_text(keys).into_bytes();
    match before {
        Some(content) if content == after => Err(ServiceFailure::SshdInsists(missing(settings, keys))),
        Some(content) if is_ours(&content) => Ok(Change { file, before: Some(content), after: Some(after) }),
        Some(_) => Err(ServiceFailure::SshdFile(file)),
        None if !includes_folder() => {
            Err(ServiceFailure::SshdIncludes { config: sshd::CONFIGURATION.into(), folder: FOLDER.into() })
        }
        None => Ok(Change { file, before: None, after: Some(after) }),
    }
}

/// The file of our own as it was written, when a setting was taken out of it or changed.
fn damaged(keys: Option<KeyProof>) -> Result<Option<Change>, ServiceFailure> {
    let file = PathBuf::from(DROP_IN);
    let Some(content) = change::read(&file)? else { return Ok(None) };
    let after = settings_text(keys);
    let (there, wanted) = (Settings::parse(&String::from_utf8_lossy(&content)), Settings::parse(&after));
    let lacks = there.lack_of(&wanted);
    let change = Change { file, before: Some(content), after: Some(after.into_bytes()) };
    Ok(change.before.as_deref().is_some_and(is_ours).then_some(change).filter(|_| lacks))
}

/// True when a file says that it was written here.
fn is_ours(content: &[u8]) -> bool {
    String::from_utf8_lossy(content).starts_with(WRITTEN_BY)
}

fn includes_folder() -> bool {
    let text = std::fs::read_to_string(sshd::CONFIGURATION).unwrap_or_default();
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        let is_include = words.next().is_some_and(|word| word.eq_ignore_ascii_case("include"));
        is_include && words.any(|word| word.contains("sshd_config.d/"))
    })
}

/// Makes sure that sshd accepts what was written and would read it.
pub(super) fn check(plan: &SshdPlan) -> Result<(), ServiceFailure> {
    ask_sshd(&["-t"]).well().map_err(ServiceFailure::SshdRefuses)?;
    match in_force()?.map(|settings| missing(&settings, plan.keys)).unwrap_or_default() {
        lacking if lacking.is_empty() => Ok(()),
        lacking => Err(ServiceFailure::SshdInsists(lacking)),
    }
}

/// The removal of the drop-in; `None` when it is not there, or not as it was written.
pub(super) fn removal(written: Option<&[u8]>) -> Result<Option<Change>, ServiceFailure> {
    let file = PathBuf::from(DROP_IN);
    let is_unchanged =
        |content: &[u8]| Some(content) == written || content == settings_text(keys_of(content)).as_bytes();
    match change::read(&file)? {
        Some(content) if is_unchanged(&content) => Ok(Some(Change { file, before: Some(content), after: None })),
        Some(_) | None => Ok(None),
    }
}

/// The fate of the drop-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    /// It is gone.
    Gone,
    /// sshd needs it.
    PutBack,
}

/// Makes sure that sshd would still start without the drop-in, which has just been removed; else it is put back. An sshd that
/// would not start with it either is not helped by that.
pub(super) fn check_without(removal: &Change) -> Result<Removed, ServiceFailure> {
    let Said::Failed(refusal) = ask_sshd(&["-t"]) else { return Ok(Removed::Gone) };
    removal.take_back()?;
    if !matches!(ask_sshd(&["-t"]), Said::Well(_)) {
        removal.make()?;
        return Ok(Removed::Gone);
    }
    output::warning(&format!("{DROP_IN} stays, without it sshd would not start: {refusal}"));
    output::hint(&format!("change what needs it (grep -rn AuthenticationMethods /etc/ssh), then: rm {DROP_IN}"));
    Ok(Removed::PutBack)
}

/// The file of our own stays when it is not as it was written; the sysadmin who takes the module out has to know.
pub(super) fn warn_of_drop_in() {
    if Path::new(DROP_IN).symlink_metadata().is_ok() {
        output::warning(&format!("{DROP_IN} was changed since and stays: remove it and reload sshd"));
    }
}

/// The state of the running sshd: it has read the new settings, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reloaded {
    /// It was made to.
    Yes,
    /// That is still to be done.
    No,
}

/// Asks a person whether sshd is to read its settings now, where systemd runs it, and makes it do so.
pub(super) fn offer_reload() -> Reloaded {
    if !Path::new(SYSTEMD).is_dir() {
        return Reloaded::No;
    }
    let command = reload();
    // All is written; a sysadmin who gives no answer is told the command.
    if !matches!(terminal::ask_yes(&format!("Let sshd read its settings now ({command})? [y/N] ")), Ok(Yes::Yes)) {
        return Reloaded::No;
    }
    let mut words = command.split(' ');
    let (program, arguments) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
    match ask(program, &arguments).well() {
        Ok(_) => Reloaded::Yes,
        Err(reason) => {
            output::warning(&format!("sshd was not made to read its settings: {reason}"));
            Reloaded::No
        }
    }
}

/// The settings in force.
fn in_force() -> Result<Option<Settings>, ServiceFailure> {
    match sshd::ask_settings(&Written::read()) {
        Said::Well(printed) => Ok(Some(Settings::parse(&printed))),
        Said::Failed(reason) => Err(ServiceFailure::SshdSilent(reason)),
        Said::NotRun(_) => Ok(None),
    }
}

fn missing(settings: &Settings, keys: Option<KeyProof>) -> Vec<String> {
    let of_keys = keys.map(|proof| settings.lacking_for_keys(proof)).unwrap_or_default();
    settings.lacking().into_iter().map(str::to_owned).chain(of_keys).collect()
}

/// Lists of methods that refuse every login that is asked for a code: all logins, or those that a `Match` is about.
fn shutting_out(settings: &Settings, written: &Written) -> Option<ServiceFailure> {
    let everywhere = || {
        let place = written.sources.place(METHODS).unwrap_or(sshd::CONFIGURATION);
        (settings.value(METHODS).to_owned(), place)
    };
    let of_blocks = written.sources.conditional(METHODS).map(|line| (line.value.clone(), line.place.as_str()));
    let mut lists = std::iter::once(everywhere()).chain(of_blocks);
    lists.find_map(|(value, place)| {
        let methods = Methods::parse(&value).filter(Methods::shut_out)?;
        Some(ServiceFailure::SshdMethods { value, place: place.to_owned(), instead: methods.with_prompts() })
    })
}

/// Warnings about logins that sshd lets in without PAM.
fn warnings(settings: &Settings) -> Vec<String> {
    let methods = Methods::parse(settings.value(METHODS));
    let mut warnings = Vec::new();
    match methods {
        None => {
            for method in settings.without_code() {
                // sshd asks PAM's auth phase about none of these.
                warnings.push(match method.as_str() {
                    "publickey" => "logins with a key are not asked for a code; for a key and then a code see \
                                    AuthenticationMethods in pam_twofactor(8)"
                        .to_owned(),
                    "hostbased" => by("host keys", "hostbasedauthentication"),
                    _ => by("GSSAPI (Kerberos)", "gssapiauthentication"),
                });
            }
        }
        Some(methods) => {
            let without = settings.without_code();
            if !without.is_empty() {
                warnings.push(format!("AuthenticationMethods lets in without a code: {}", without.join(" ")));
            }
            let never = methods.never_pass();
            if !never.is_empty() {
                let lists = never.join(" ");
                warnings.push(format!(
                    "AuthenticationMethods {lists} refuses every login: password answers the prompt for the code"
                ));
            }
        }
    }
    warnings
}

fn by(what: &str, keyword: &str) -> String {
    format!("logins by {what} are not asked for a code: {keyword} is on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drop_in_says_what_the_example_says_and_nothing_about_methods() {
        let of = |keys| {
            let text = settings_text(keys);
            assert!(is_ours(text.as_bytes()));
            assert_eq!(keys_of(text.as_bytes()), keys);
            let settings = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
            settings.map(str::to_owned).collect::<Vec<_>>()
        };
        let settings = of(None);
        assert_eq!(settings, ["UsePAM yes", "KbdInteractiveAuthentication yes", "PasswordAuthentication no"]);
        for (keys, options) in
            [(KeyProof::Touch, "touch-required"), (KeyProof::Verification, "touch-required verify-required")]
        {
            let methods = "AuthenticationMethods publickey,keyboard-interactive".to_owned();
            let more = vec![methods, format!("PubkeyAuthOptions {options}")];
            assert_eq!(of(Some(keys)), [settings.clone(), more].concat());
        }
    }

    #[test]
    fn what_sshd_says_is_understood() {
        let debian = Settings::parse(
            "port 22\nusepam yes\nkbdinteractiveauthentication no\npubkeyauthentication yes\nauthenticationmethods any\n",
        );
        assert_eq!(missing(&debian, None), ["KbdInteractiveAuthentication no"]);
        assert_eq!(warnings(&debian).len(), 1);
        let more = Settings::parse("pubkeyauthentication no\ngssapiauthentication yes\nhostbasedauthentication yes\n");
        let said = warnings(&more);
        assert_eq!(said.len(), 2);
        assert!(said[0].contains("hostbased") && said[1].contains("GSSAPI"), "{said:?}");
        let old = Settings::parse("usepam no\nchallengeresponseauthentication yes\npubkeyauthentication no\n");
        assert_eq!(missing(&old, None), ["UsePAM no"]);
        assert!(warnings(&old).is_empty());
        let both = Settings::parse("authenticationmethods publickey publickey,keyboard-interactive\n");
        assert_eq!(warnings(&both), ["AuthenticationMethods lets in without a code: publickey"]);
        let stranding = Settings::parse("authenticationmethods publickey,password keyboard-interactive\n");
        assert!(
            warnings(&stranding)[0].contains("publickey,password refuses every login"),
            "{:?}",
            warnings(&stranding)
        );
    }

    #[test]
    fn methods_that_never_pass_are_refused_where_they_stand() {
        let settings = Settings::parse("authenticationmethods publickey,password\n");
        let mut written = Written::default();
        written.sources.add("AuthenticationMethods", "/etc/ssh/sshd_config:7");
        let refused = shutting_out(&settings, &written).unwrap().to_string();
        assert!(refused.contains("AuthenticationMethods publickey,password (/etc/ssh/sshd_config:7)"), "{refused}");
        let right = Settings::parse("authenticationmethods publickey,keyboard-interactive\n");
        assert!(shutting_out(&right, &written).is_none());
    }
}
