//! The keys of `twofactor.toml`, each with its type and range.

use std::path::PathBuf;
use std::time::Duration;

use super::reading_fleet;
use super::settings::{
    Config, EnrollmentDefaults, InvitationRule, Permission, Prompt, ResyncAtLogin, SelfRegistration, SelfService,
};
use crate::account::factors::{FactorKind, Factors};
use crate::account::remembered::LONGEST_REMEMBERED;
use crate::account::throttle::Limits;
use crate::codes::otp::{Algorithm, Digits, Kind, Period, RESYNC_TIME};
use crate::config::caller::Caller;
use crate::config::helpdesk::{Helpdesk, PROTECTED};
use crate::config::rule::{Conditions, Demand, Level, Locality, Network, NotANetwork, Rule};
use crate::host::user::UserName;
use crate::text::document::{Found, Section};

pub(super) fn read(root: Section<'_, '_>) -> Config {
    let mut config = Config::default();
    if let Some(section) = root.section("paths") {
        read_paths(section, &mut config);
    }
    if let Some(section) = root.section("enrollment") {
        read_enrollment(section, &mut config.enrollment);
    }
    if let Some(section) = root.section("window") {
        read_window(section, &mut config);
    }
    if let Some(section) = root.section("throttle") {
        read_throttle(section, &mut config.throttle);
    }
    if let Some(section) = root.section("prompt") {
        read_prompt(section, &mut config.prompt);
    }
    if let Some(section) = root.section("self_service") {
        read_self_service(section, &mut config.self_service);
    }
    if let Some(section) = root.section("default") {
        if let Some(level) = read_level(&section) {
            config.default_level = level;
        }
        section.finish();
    }
    config.rules = root.sections("rule").into_iter().filter_map(read_rule).collect();
    config.callers = root.sections("caller").into_iter().filter_map(read_caller).collect();
    config.helpdesks = root.sections("helpdesk").into_iter().filter_map(read_helpdesk).collect();
    config.membership = root.section("fleet").and_then(reading_fleet::membership);
    config.central_store = root.section("store").and_then(reading_fleet::central_store);
    config.port = root.section("server").and_then(reading_fleet::port);
    config.hosts = root.sections("host").into_iter().filter_map(reading_fleet::host).collect();
    root.finish();
    config
}

fn read_paths(section: Section<'_, '_>, config: &mut Config) {
    if let Some(state) = state(&section) {
        config.state = state;
    }
    section.finish();
}

pub(super) fn state(section: &Section<'_, '_>) -> Option<PathBuf> {
    let state = section.string("state")?;
    if state.value.starts_with('/') && !state.value.contains('\0') {
        return Some(PathBuf::from(state.value));
    }
    section.complain_about(&state, "state is an absolute path");
    None
}

fn read_enrollment(section: Section<'_, '_>, enrollment: &mut EnrollmentDefaults) {
    if let Some(issuer) = section.string("issuer") {
        let plain = !issuer.value.contains(':') && !issuer.value.chars().any(char::is_control);
        if plain && (1..=64).contains(&issuer.value.chars().count()) {
            enrollment.issuer = Some(issuer.value.to_owned());
        } else {
            section.complain_about(&issuer, "issuer is 1 to 64 characters without colons and control characters");
        }
    }
    let parameters = &mut enrollment.parameters;
    if let Some(algorithm) = section.word("algorithm", &Algorithm::ALL) {
        parameters.algorithm = algorithm.value;
    }
    if let Some(digits) = section.integer("digits", Digits::RANGE).and_then(|digits| Digits::new(digits).ok()) {
        parameters.digits = digits;
    }
    if let Some(period) = section.integer("period", Period::RANGE).and_then(|period| Period::new(period).ok()) {
        parameters.kind = Kind::Totp(period);
    }
    if let Some(count) = section.integer("recovery_codes", 0..=20_u8) {
        enrollment.recovery_codes = usize::from(count);
    }
    let rules = [(InvitationRule::None, "none"), (InvitationRule::Required, "required")];
    if let Some(rule) = section.word("invitation", &rules) {
        enrollment.invitation = rule.value;
    }
    if let Some(allowed) = section.boolean("self_register") {
        enrollment.self_registration = if allowed { SelfRegistration::Allowed } else { SelfRegistration::Forbidden };
    }
    section.finish();
}

fn read_window(section: Section<'_, '_>, config: &mut Config) {
    let window = &mut config.window;
    if let Some(drift) = section.duration("drift", Duration::from_hours(1)) {
        window.drift = drift;
    }
    if let Some(look_ahead) = section.integer("counter_look_ahead", 0..=100) {
        window.look_ahead = look_ahead;
    }
    if let Some(resync) = section.duration("resync", RESYNC_TIME) {
        config.resync = resync;
    }
    if let Some(yes) = section.boolean("resync_at_login") {
        config.resync_at_login = if yes { ResyncAtLogin::Yes } else { ResyncAtLogin::No };
    }
    section.finish();
}

fn read_throttle(section: Section<'_, '_>, limits: &mut Limits) {
    if let Some(attempts) = section.integer("free_attempts", 0..=1000) {
        limits.free_attempts = attempts;
    }
    let longest = Duration::from_hours(12);
    let first = section.duration("first_delay", longest);
    let max = section.duration("max_delay", longest);
    limits.first_delay = first.unwrap_or(limits.first_delay);
    limits.max_delay = max.unwrap_or(limits.max_delay);
    if limits.first_delay > limits.max_delay {
        section.complain_here("first_delay is longer than max_delay");
    }
    section.finish();
}

fn read_self_service(section: Section<'_, '_>, own: &mut SelfService) {
    let keys = [
        ("enroll", &mut own.enroll),
        ("change", &mut own.change),
        ("tokens", &mut own.tokens),
        ("ssh_key", &mut own.ssh_key),
    ];
    for (key, permission) in keys {
        if let Some(given) = section.boolean(key) {
            *permission = if given { Permission::Given } else { Permission::Refused };
        }
    }
    section.finish();
}

fn read_prompt(section: Section<'_, '_>, prompt: &mut Prompt) {
    if let Some(code) = section.string("code") {
        if code.value.chars().count() <= 128 && !code.value.chars().any(char::is_control) {
            code.value.clone_into(&mut prompt.code);
        } else {
            section.complain_about(&code, "code is at most 128 characters without control characters");
        }
    }
    if let Some(tries) = section.integer("tries", 1..=3) {
        prompt.tries = tries;
    }
    if let Some(services) = section.strings("combined") {
        for service in &services {
            if service.value.is_empty() || service.value.contains('/') {
                section.complain_about(service, "combined lists PAM service names, the names of files in /etc/pam.d");
            }
        }
        prompt.combined = services.iter().map(|service| service.value.to_owned()).collect();
    }
    section.finish();
}

fn read_level(section: &Section<'_, '_>) -> Option<Level> {
    section.word("second_factor", &Level::ALL).map(|level| level.value)
}

/// A rule. `None` when it says too little; every mistake is recorded.
fn read_rule(section: Section<'_, '_>) -> Option<Rule> {
    let texts = |found: Vec<Found<&str>>| found.into_iter().map(|text| text.value.to_owned()).collect();
    let users = read_list(&section, "users").map(texts);
    let groups = read_list(&section, "groups").map(texts);
    let services = read_list(&section, "services").map(texts);
    let networks = read_list(&section, "networks").map(|list| read_networks(&section, &list));
    let locality = section.boolean("local").map(|local| if local { Locality::Local } else { Locality::Remote });
    if networks.is_some() && locality == Some(Locality::Local) {
        section.complain_here("a local login comes from no network: this rule never matches");
    }
    if !section.known("second_factor") {
        section.missing("second_factor");
    }
    let level = read_level(&section);
    let factors = read_list(&section, "factors").map_or(Factors::ALL, |list| read_factors(&section, &list));
    let until = section.day("until");
    let remember = section.duration("remember", LONGEST_REMEMBERED).unwrap_or_default();
    let line = section.line();
    section.finish();
    let conditions = Conditions { users, groups, services, networks, locality };
    Some(Rule { line, conditions, demand: Demand { level: level?, factors, until, remember } })
}

/// A service account that may ask about others. `None` when it says too little; every mistake is recorded.
fn read_caller(section: Section<'_, '_>) -> Option<Caller> {
    for name in ["user", "service", "groups"] {
        if !section.known(name) {
            section.missing(name);
        }
    }
    let user = section.string("user").filter(|user| match (UserName::new(user.value), user.value) {
        (_, "root") => {
            section.complain_about(user, "root asks about every user without a rule");
            false
        }
        (Err(_), _) => {
            section.complain_about(user, "user is the name of a service account");
            false
        }
        (Ok(_), _) => true,
    });
    let service = section.string("service").filter(|service| {
        let is_name = !service.value.is_empty() && !service.value.contains('/');
        if !is_name {
            section.complain_about(service, "service is the name of a PAM service, a file in /etc/pam.d");
        }
        is_name
    });
    let groups = section.strings("groups").filter(|groups| {
        if groups.is_empty() {
            section.complain_here("groups is empty, so this account may ask about no user");
        }
        !groups.is_empty()
    });
    let line = section.line();
    section.finish();
    let groups = groups?.into_iter().map(|group| group.value.to_owned()).collect();
    Some(Caller { line, user: user?.value.to_owned(), service: service?.value.to_owned(), groups })
}

/// A group that may help other users. `None` when it says too little; every mistake is recorded.
fn read_helpdesk(section: Section<'_, '_>) -> Option<Helpdesk> {
    if !section.known("group") {
        section.missing("group");
    }
    let group = section.string("group").filter(|group| {
        if group.value.is_empty() {
            section.complain_about(group, "group is the name of a group");
        }
        !group.value.is_empty()
    });
    let protected = section.strings("protected");
    for name in protected.iter().flatten().filter(|name| name.value.is_empty()) {
        section.complain_about(name, "protected lists names of groups");
    }
    let line = section.line();
    section.finish();
    let protected = match protected {
        Some(stated) => stated.into_iter().map(|name| name.value.to_owned()).collect(),
        None => PROTECTED.map(ToOwned::to_owned).to_vec(),
    };
    Some(Helpdesk { line, group: group?.value.to_owned(), protected })
}

/// A list of strings. An empty one would match nothing, and look as if it matched everything.
fn read_list<'r>(section: &Section<'r, '_>, name: &'static str) -> Option<Vec<Found<&'r str>>> {
    let list = section.strings(name)?;
    if list.is_empty() {
        section.complain_here(format!("{name} is empty; leave it out to match everything"));
    }
    Some(list)
}

fn read_networks(section: &Section<'_, '_>, list: &[Found<&str>]) -> Vec<Network> {
    let read = |text: &Found<&str>| match text.value.parse() {
        Ok(network) => Some(network),
        Err(error) => {
            let error: NotANetwork = error;
            section.complain_about(text, error.to_string());
            None
        }
    };
    list.iter().filter_map(read).collect()
}

fn read_factors(section: &Section<'_, '_>, list: &[Found<&str>]) -> Factors {
    let mut factors = Factors::NONE;
    for name in list {
        match FactorKind::parse(name.value) {
            Some(kind) => factors = factors.and(kind),
            None => section.complain_about(name, "factors lists app, token, recovery, ssh-key, attested-ssh-key"),
        }
    }
    factors
}
