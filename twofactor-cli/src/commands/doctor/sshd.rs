//! sshd, where it runs the module: the settings in force, the files they come from, and whether the running one has read them.

use std::path::Path;

use twofactor_admin::checkup::sshd::{
    Settings, of_drop_in, of_key_options_of_match, of_login, of_match, of_outdated, of_security_keys, of_settings,
    of_user_variables,
};
use twofactor_admin::checkup::{Finding, Id};
use twofactor_core::config::Config;
use twofactor_core::host::user::UserName;
use twofactor_core::pam_service::Service;
use twofactor_core::pam_service::environment::user_variables;

use super::report::Area;
use crate::people::login_names;
use crate::program::{Said, ask_sshd};
use crate::sshd::{Outdated, Written};

/// `owners` are the users with security keys of ssh.
pub(super) fn look(config: &Config, services: &[Service], owners: &[UserName]) -> Option<Area> {
    let service = services.iter().find(|service| service.name == "sshd")?;
    let mut area = Area::new("sshd", "its settings in force (sshd -T)");
    let written = Written::read();
    let settings = match ask_sshd(&["-T"]) {
        Said::Well(printed) => Settings::parse(&printed),
        Said::Failed(reason) => {
            let advice = "sshd -t says what is wrong with it";
            return Some(area.with([Finding::by_hand(Id::SshdConfigBroken, reason, advice)]));
        }
        Said::NotRun(reason) => {
            area.could_not_check("the settings of sshd", reason);
            return Some(area);
        }
    };
    match Outdated::look(&settings, &written) {
        Ok(outdated) => area.add(outdated.map(|outdated| of_outdated(&outdated.changed, outdated.reload))),
        Err(reason) => area.could_not_check("whether the running sshd has read its settings", reason),
    }
    let sources = &written.sources;
    area.add(of_settings(&settings, sources, &config.rules));
    area.add(written.conditional_methods().filter_map(|(value, place)| of_match(&value, place)));
    if !owners.is_empty() {
        look_at_security_keys(&mut area, &settings, &written, owners);
        area.add(user_variables(service).map(of_user_variables));
    }
    for (file, text) in written.files.iter().filter(|(file, _)| is_ours(file)) {
        area.add(of_drop_in(&settings, sources, file, text));
    }
    if let Some((file, line)) = written.files.iter().find_map(|(file, text)| Some((file, first_match(text)?))) {
        let what = format!("{}:{line} has settings for some logins only", file.display());
        let advice = "to see what holds for one of them: sshd -T -C user=alice,host=client.example.org,addr=192.0.2.7";
        area.add([Finding::by_hand(Id::SshdMatchBlocks, what, advice)]);
        look_at_logins(&mut area, &settings, config);
    }
    Some(area)
}

/// The settings that enrolled security keys need. Where a `Match` may give their owners other ones, those of each owner count.
fn look_at_security_keys(area: &mut Area, everywhere: &Settings, written: &Written, owners: &[UserName]) {
    let mut findings = of_security_keys(everywhere, &written.sources);
    if !findings.is_empty() && !written.conditional.is_empty() && owners.len() <= MOST {
        let of_owner = |name: &UserName| match ask_sshd(&["-T", "-C", &login_of(name)]).well() {
            Ok(printed) => of_security_keys(&Settings::parse(&printed), &written.sources),
            // Nothing is known to be better for that user.
            Err(_) => findings.clone(),
        };
        let of_owners: Vec<Finding> = owners.iter().flat_map(of_owner).collect();
        findings.retain(|finding| of_owners.iter().any(|other| other.id == finding.id));
    }
    area.add(findings);
    let options = written.conditional("pubkeyauthoptions");
    area.add(options.filter_map(|(value, place)| of_key_options_of_match(&value, place)));
}

/// A login of a user, as `sshd -C` wants it. An address and a name for documentation (RFC 5737, RFC 2606).
fn login_of(name: &UserName) -> String {
    format!("user={name},host=client.invalid,addr=192.0.2.1")
}

/// So many users are looked at one by one.
const MOST: usize = 50;

/// The effect of `Match` on the logins of single users, as far as it goes by their names.
fn look_at_logins(area: &mut Area, everybody: &Settings, config: &Config) {
    let names = match login_names() {
        Ok(names) => names,
        Err(reason) => return area.could_not_check("whom Match is about", reason),
    };
    for name in names.iter().take(MOST) {
        match ask_sshd(&["-T", "-C", &login_of(name)]).well() {
            Ok(printed) => area.add(of_login(name.as_str(), &Settings::parse(&printed), everybody, &config.rules)),
            Err(reason) => return area.could_not_check("whom Match is about", reason),
        }
    }
    if names.len() > MOST {
        area.could_not_check(format!("what Match does to {} more users", names.len() - MOST), "they are too many");
    }
}

/// True when a file is this product's drop-in.
fn is_ours(file: &Path) -> bool {
    file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with("twofactor.conf"))
}

/// The line of the first `Match`.
fn first_match(text: &str) -> Option<usize> {
    let is_match = |line: &str| line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("match"));
    text.lines().position(is_match).map(|index| index + 1)
}
