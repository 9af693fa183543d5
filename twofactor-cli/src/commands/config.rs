//! `twofactor config check|show`: what is wrong with the configuration and its rules, and what is in force.
//!
//! For every user who can read the file: it holds no secrets.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use twofactor_core::codes::otp::Kind;
use twofactor_core::config::caller::Caller;
use twofactor_core::config::helpdesk::Helpdesk;
use twofactor_core::config::rule::{Conditions, Locality, Rule};
use twofactor_core::config::{
    self, ConfigError, Expected, InvitationRule, Permission, ResyncAtLogin, SelfRegistration, SelfService,
};
use twofactor_core::host::trusted::Owner;
use twofactor_core::text::document::toml_string;

use crate::args::Config;
use crate::commands::doctor::RulesCheckup;
use crate::error::Failure;
use crate::host;
use crate::output::values::{day, period};
use crate::output::{Output, Stream};

pub(crate) fn run(arguments: &Config, named: Option<&Path>, output: &Output) -> Result<(), Failure> {
    match arguments {
        Config::Check => check(named, output),
        Config::Show => {
            let config = host::configuration(named)?;
            Ok(output.report_whole(|| as_toml(&config), || as_json(&config))?)
        }
    }
}

fn check(named: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let path = named.unwrap_or(Path::new(config::DEFAULT_PATH));
    let file = path.display();
    match config::Config::load(path, Expected::Certainly, Owner::ROOT) {
        Ok(config) => {
            let rules = RulesCheckup::of(path, &config);
            let screen = output.screen(Stream::Results);
            let text = || {
                if rules.is_empty() {
                    return format!("{file}: ok\n");
                }
                format!("{file}: valid\n{}", rules.as_text(screen))
            };
            Ok(output.report(text, || as_result(path, Presence::There, rules.as_json()))?)
        }
        Err(ConfigError::Missing(_)) if named.is_none() => Ok(output.report(
            || format!("{file}: not there; the defaults apply\n"),
            || as_result(path, Presence::Absent, [json!([]), json!([])]),
        )?),
        Err(error) => Err(error.into()),
    }
}

/// The presence of a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    There,
    Absent,
}

fn as_result(file: &Path, presence: Presence, [findings, unchecked]: [Value; 2]) -> Value {
    json!({
        "file": file.display().to_string(),
        "present": presence == Presence::There,
        "valid": true,
        "findings": findings,
        "unchecked": unchecked,
    })
}

/// The configuration as a file that says the same.
fn as_toml(config: &config::Config) -> String {
    let mut text = String::new();
    let enrollment = &config.enrollment;
    let parameters = enrollment.parameters;
    let _ = writeln!(text, "[paths]\nstate = {}\n\n[enrollment]", toml_string(&config.state.to_string_lossy()));
    let _ = match &enrollment.issuer {
        Some(issuer) => writeln!(text, "issuer = {}", toml_string(issuer)),
        None => writeln!(text, "# issuer: the host's name"),
    };
    let _ = writeln!(text, "algorithm = \"{}\"\ndigits = {}", parameters.algorithm, parameters.digits.count());
    if let Kind::Totp(period) = parameters.kind {
        let _ = writeln!(text, "period = {}", period.seconds());
    }
    let _ = writeln!(text, "recovery_codes = {}", enrollment.recovery_codes);
    let _ = writeln!(text, "invitation = \"{}\"", invitation(enrollment.invitation));
    let _ = writeln!(text, "self_register = {}", enrollment.self_registration == SelfRegistration::Allowed);
    let _ = writeln!(text, "\n[window]\ndrift = \"{}\"", humantime::format_duration(config.window.drift));
    let _ = writeln!(text, "counter_look_ahead = {}", config.window.look_ahead);
    let _ = writeln!(text, "resync_at_login = {}", config.resync_at_login == ResyncAtLogin::Yes);
    let _ = writeln!(text, "resync = \"{}\"", humantime::format_duration(config.resync));
    let limits = config.throttle;
    let _ = writeln!(text, "\n[throttle]\nfree_attempts = {}", limits.free_attempts);
    let _ = writeln!(text, "first_delay = \"{}\"", humantime::format_duration(limits.first_delay));
    let _ = writeln!(text, "max_delay = \"{}\"", humantime::format_duration(limits.max_delay));
    let services: Vec<String> = config.prompt.combined.iter().map(|service| toml_string(service)).collect();
    let _ = writeln!(text, "\n[prompt]\ncode = {}\ntries = {}", toml_string(&config.prompt.code), config.prompt.tries);
    let _ = writeln!(text, "combined = [{}]", services.join(", "));
    let SelfService { enroll, change, tokens, ssh_key } = config.self_service;
    text += "\n[self_service]\n";
    for (key, permission) in [("enroll", enroll), ("change", change), ("tokens", tokens), ("ssh_key", ssh_key)] {
        let _ = writeln!(text, "{key} = {}", permission == Permission::Given);
    }
    let _ = writeln!(text, "\n[default]\nsecond_factor = \"{}\"", config.default_level);
    config.rules.iter().for_each(|rule| text += &rule_as_toml(rule));
    config.callers.iter().for_each(|caller| text += &caller_as_toml(caller));
    config.helpdesks.iter().for_each(|helpdesk| text += &helpdesk_as_toml(helpdesk));
    text
}

fn caller_as_toml(caller: &Caller) -> String {
    let groups: Vec<String> = caller.groups.iter().map(|group| toml_string(group)).collect();
    format!(
        "\n# line {}\n[[caller]]\nuser = {}\nservice = {}\ngroups = [{}]\n",
        caller.line,
        toml_string(&caller.user),
        toml_string(&caller.service),
        groups.join(", ")
    )
}

fn caller_as_json(caller: &Caller) -> Value {
    json!({ "line": caller.line, "user": caller.user, "service": caller.service, "groups": caller.groups })
}

fn helpdesk_as_toml(helpdesk: &Helpdesk) -> String {
    let protected: Vec<String> = helpdesk.protected.iter().map(|group| toml_string(group)).collect();
    format!(
        "\n# line {}\n[[helpdesk]]\ngroup = {}\nprotected = [{}]\n",
        helpdesk.line,
        toml_string(&helpdesk.group),
        protected.join(", ")
    )
}

fn helpdesk_as_json(helpdesk: &Helpdesk) -> Value {
    json!({ "line": helpdesk.line, "group": helpdesk.group, "protected": helpdesk.protected })
}

/// A rule with every key that it states; of those that are the same without a statement, every one.
fn rule_as_toml(rule: &Rule) -> String {
    let mut text = format!("\n# line {}\n[[rule]]\n", rule.line);
    let (conditions, demand) = (&rule.conditions, rule.demand);
    let networks = networks(conditions);
    for (name, names) in [
        ("users", &conditions.users),
        ("groups", &conditions.groups),
        ("services", &conditions.services),
        ("networks", &networks),
    ] {
        if let Some(names) = names {
            let names: Vec<String> = names.iter().map(|name| toml_string(name)).collect();
            let _ = writeln!(text, "{name} = [{}]", names.join(", "));
        }
    }
    if let Some(locality) = conditions.locality {
        let _ = writeln!(text, "local = {}", locality == Locality::Local);
    }
    let _ = writeln!(text, "second_factor = \"{}\"", demand.level);
    let factors: Vec<String> = demand.factors.names().into_iter().map(toml_string).collect();
    let _ = writeln!(text, "factors = [{}]", factors.join(", "));
    if let Some(until) = demand.until {
        let _ = writeln!(text, "until = {}", day(until));
    }
    let _ = writeln!(text, "remember = \"{}\"", humantime::format_duration(demand.remember));
    text
}

fn rule_as_json(rule: &Rule) -> Value {
    let (conditions, demand) = (&rule.conditions, rule.demand);
    json!({
        "line": rule.line,
        "users": conditions.users,
        "groups": conditions.groups,
        "services": conditions.services,
        "networks": networks(conditions),
        "local": conditions.locality.map(|locality| locality == Locality::Local),
        "second_factor": demand.level.to_string(),
        "factors": demand.factors.names(),
        "until": demand.until.map(day),
        "remember": humantime::format_duration(demand.remember).to_string(),
    })
}

fn networks(conditions: &Conditions) -> Option<Vec<String>> {
    conditions.networks.as_ref().map(|networks| networks.iter().map(ToString::to_string).collect())
}

fn invitation(rule: InvitationRule) -> &'static str {
    match rule {
        InvitationRule::None => "none",
        InvitationRule::Required => "required",
    }
}

fn as_json(config: &config::Config) -> Value {
    let (enrollment, limits, prompt) = (&config.enrollment, config.throttle, &config.prompt);
    let parameters = enrollment.parameters;
    json!({
        "paths": { "state": config.state.to_string_lossy() },
        "enrollment": {
            "issuer": enrollment.issuer,
            "algorithm": parameters.algorithm.to_string(),
            "digits": parameters.digits.count(),
            "period": period(parameters.kind),
            "recovery_codes": enrollment.recovery_codes,
            "invitation": invitation(enrollment.invitation),
            "self_register": enrollment.self_registration == SelfRegistration::Allowed,
        },
        "window": {
            "drift": humantime::format_duration(config.window.drift).to_string(),
            "counter_look_ahead": config.window.look_ahead,
            "resync_at_login": config.resync_at_login == ResyncAtLogin::Yes,
            "resync": humantime::format_duration(config.resync).to_string(),
        },
        "throttle": {
            "free_attempts": limits.free_attempts,
            "first_delay": humantime::format_duration(limits.first_delay).to_string(),
            "max_delay": humantime::format_duration(limits.max_delay).to_string(),
        },
        "prompt": { "code": prompt.code, "tries": prompt.tries, "combined": prompt.combined },
        "self_service": {
            "enroll": config.self_service.enroll == Permission::Given,
            "change": config.self_service.change == Permission::Given,
            "tokens": config.self_service.tokens == Permission::Given,
            "ssh_key": config.self_service.ssh_key == Permission::Given,
        },
        "default": { "second_factor": config.default_level.to_string() },
        "rule": config.rules.iter().map(rule_as_json).collect::<Vec<_>>(),
        "caller": config.callers.iter().map(caller_as_json).collect::<Vec<_>>(),
        "helpdesk": config.helpdesks.iter().map(helpdesk_as_json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNUSUAL: &str = r#"
        [paths]
        state = "/srv/two \"factor\""
        [enrollment]
        issuer = "Exämple & Co"
        algorithm = "SHA512"
        digits = 8
        period = 60
        recovery_codes = 0
        [window]
        drift = "1m 30s 5ms"
        counter_look_ahead = 3
        resync = "2h"
        [throttle]
        free_attempts = 0
        first_delay = "0"
        max_delay = "12h"
        [prompt]
        code = "Code\\: "
        tries = 3
        combined = ["xrdp-sesman", "a\"b"]
        [self_service]
        enroll = false
        tokens = false
        ssh_key = false
        [default]
        second_factor = "optional"
        [[rule]]
        users = ["al\"ice"]
        groups = ["ops", "wheel"]
        services = ["sshd"]
        networks = ["10.0.0.0/8", "2001:db8::1"]
        second_factor = "enroll"
        factors = ["token"]
        until = 2027-01-31
        remember = "1d 2h"
        [[rule]]
        local = true
        second_factor = "off"
        [[caller]]
        user = "postgres"
        service = "postgre\"sql"
        groups = ["dba", "ops"]
        [[helpdesk]]
        group = "help\"desk"
        protected = []
        [[helpdesk]]
        group = "night"
    "#;

    /// A configuration without the lines its rules stand at.
    fn read(text: &str) -> config::Config {
        let mut config = config::Config::parse(text).unwrap();
        config.rules.iter_mut().for_each(|rule| rule.line = 0);
        config.callers.iter_mut().for_each(|caller| caller.line = 0);
        config.helpdesks.iter_mut().for_each(|helpdesk| helpdesk.line = 0);
        config
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_configuration() {
        for text in ["", UNUSUAL, "[prompt]\ncombined = []\n"] {
            let config = config::Config::parse(text).unwrap();
            assert_eq!(read(&as_toml(&config)), read(text), "{text}");
        }
    }

    #[test]
    fn json_has_the_sections_and_keys_of_the_file() {
        let config = config::Config::parse(UNUSUAL).unwrap();
        let json = as_json(&config);
        let rules = json["rule"].as_array().unwrap();
        let callers = json["caller"].as_array().unwrap();
        let helpdesks = json["helpdesk"].as_array().unwrap();
        let sections = json.as_object().unwrap().values().chain(rules).chain(callers).chain(helpdesks);
        let sections: Vec<&Value> = sections.collect();
        for (key, _) in as_toml(&config).lines().filter_map(|line| line.split_once(" = ")) {
            assert!(sections.iter().any(|section| section.get(key).is_some()), "{key}");
        }
        assert_eq!(rules[0]["until"], "2027-01-31");
    }
}
