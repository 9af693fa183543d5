//! The keys of `[fleet]`, `[store]`, `[server]` and `[[host]]`. `None` when a section says too little; every mistake is recorded.

use std::path::PathBuf;

use crate::config::fleet::{
    self, Backing, CentralStore, ENROLLMENTS_PER_HOUR, HostRule, Membership, Port, ServerAddress, SiteFiles,
    WRONG_CODES_PER_HOUR, is_host_name, names_a_host,
};
use crate::text::document::{Found, Section};

pub(super) fn membership(section: Section<'_, '_>) -> Option<Membership> {
    let servers = list(&section, "servers").map(|listed| {
        let read = |text: &Found<&str>| {
            let address = ServerAddress::parse(text.value);
            if address.is_none() {
                section.complain_about(text, "servers lists names of hosts, with a port behind a colon or without");
            }
            address
        };
        listed.iter().filter_map(read).collect()
    });
    let file = |name, usual: &str| {
        if section.known(name) { file(&section, name) } else { Some(PathBuf::from(usual)) }
    };
    let (ca, certificate) = (file("ca", fleet::CA), file("certificate", fleet::CERTIFICATE));
    let key = file("key", fleet::KEY);
    let _ = section.word("offline", &[((), "deny")]);
    section.finish();
    Some(Membership { servers: servers?, ca: ca?, certificate: certificate?, key: key? })
}

/// The days for which the audit is kept, unless the configuration names others.
const AUDIT_DAYS: u32 = 400;

pub(super) fn central_store(section: Section<'_, '_>) -> Option<CentralStore> {
    let postgresql = section.string("postgresql");
    let folder = match (&postgresql, section.known("folder")) {
        (_, false) => Some(PathBuf::from(fleet::FOLDER)),
        (None, true) => file(&section, "folder"),
        (Some(_), true) => {
            section.complain_here("the accounts are in PostgreSQL or in a folder: name one of the two");
            None
        }
    };
    let backing = match postgresql {
        Some(connection) => folder.map(|_| Backing::Postgresql(connection.value.to_owned())),
        // One that is no text was complained about.
        None if section.known("postgresql") => None,
        None => folder.map(Backing::Files),
    };
    let seed_key = file(&section, "seed_key");
    let audit_days = section.integer("audit_days", 1..=36_500).unwrap_or(AUDIT_DAYS);
    section.finish();
    Some(CentralStore { backing: backing?, seed_key: seed_key?, audit_days })
}

pub(super) fn port(section: Section<'_, '_>) -> Option<Port> {
    let listen = list(&section, "listen").map(|listed| {
        let read = |text: &Found<&str>| {
            let address = text.value.parse().ok();
            if address.is_none() {
                section.complain_about(text, "listen lists addresses with a port, for example \"[::]:7443\"");
            }
            address
        };
        listed.iter().filter_map(read).collect()
    });
    let names = section.strings("names").unwrap_or_default();
    for name in names.iter().filter(|name| !is_host_name(name.value)) {
        section.complain_about(name, "names lists names of this machine");
    }
    let names = names.iter().map(|name| name.value.to_ascii_lowercase()).collect();
    let is_signed_by_site = ["certificate", "key", "client_ca"].into_iter().any(|name| section.known(name));
    let site = if is_signed_by_site { site_files(&section).map(Some) } else { Some(None) };
    section.finish();
    Some(Port { listen: listen?, names, site: site? })
}

/// All three files, or none: half a site is a mistake.
fn site_files(section: &Section<'_, '_>) -> Option<SiteFiles> {
    let (certificate, key) = (file(section, "certificate"), file(section, "key"));
    let client_ca = file(section, "client_ca");
    Some(SiteFiles { certificate: certificate?, key: key?, client_ca: client_ca? })
}

pub(super) fn host(section: Section<'_, '_>) -> Option<HostRule> {
    let name = required(&section, "name", section.string("name")).filter(|name| {
        // One star at most, which stands for a part of a name.
        let is_name = names_a_host(&name.value.replacen('*', "x", 1));
        if !is_name {
            section.complain_about(name, "name is the name of a host, with one * for any letters or without");
        }
        is_name
    });
    let may = section.strings("may");
    for word in may.iter().flatten().filter(|word| !["login", "enroll", "self"].contains(&word.value)) {
        section.complain_about(word, "may lists login, enroll, self");
    }
    let lists = |word| may.as_ref().is_none_or(|may| may.iter().any(|listed| listed.value == word));
    if !lists("login") {
        section.complain_here("may lists login, and enroll and self beside it");
    }
    let [may_enroll, may_self] = ["enroll", "self"].map(|word| may.is_some() && lists(word));
    let groups = section.strings("groups").map(|groups| {
        if groups.is_empty() {
            section.complain_here("groups is empty, so this host may ask about no user");
        }
        groups.into_iter().map(|group| group.value.to_owned()).collect()
    });
    let wrong_codes_per_hour = section.integer("wrong_codes_per_hour", 1..=1_000_000).unwrap_or(WRONG_CODES_PER_HOUR);
    let enrollments_per_hour = section.integer("enrollments_per_hour", 1..=1_000_000).unwrap_or(ENROLLMENTS_PER_HOUR);
    let line = section.line();
    section.finish();
    let name = name?.value.to_ascii_lowercase();
    Some(HostRule { line, name, may_enroll, may_self, groups, wrong_codes_per_hour, enrollments_per_hour })
}

/// The path of a file, which must be there.
fn file(section: &Section<'_, '_>, name: &'static str) -> Option<PathBuf> {
    let path = required(section, name, section.string(name))?;
    if path.value.starts_with('/') && !path.value.contains('\0') {
        return Some(PathBuf::from(path.value));
    }
    section.complain_about(&path, format!("{name} is an absolute path"));
    None
}

/// A list that must be there and have something in it.
fn list<'r>(section: &Section<'r, '_>, name: &'static str) -> Option<Vec<Found<&'r str>>> {
    let list = required(section, name, section.strings(name))?;
    if list.is_empty() {
        section.complain_here(format!("{name} is empty"));
    }
    Some(list)
}

fn required<T>(section: &Section<'_, '_>, name: &'static str, value: Option<T>) -> Option<T> {
    if value.is_none() && !section.known(name) {
        section.missing(name);
    }
    value
}
