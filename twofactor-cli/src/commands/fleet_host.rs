//! `twofactor host`: the hosts of a fleet, on its central machine.

use std::path::Path;

use serde_json::{Value, json};
use twofactor_core::config::Config;
use twofactor_core::config::fleet::{HostRule, groups_in_both};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::{Event, Record};
use twofactor_core::store::administration::{AddedAgain, AddedHost, FleetHost as Listed, HostAdministration};
use zeroize::Zeroizing;

use crate::args::fleet::{AddHost, FleetHost, RevokeHost};
use crate::error::{Failure, FleetFailure};
use crate::host;
use crate::journal;
use crate::output::{self, Cell, Format, Output, Stream, Unwritten};

pub(crate) fn run(arguments: &FleetHost, file: Option<&Path>, output: &Output) -> Result<(), Failure> {
    host::must_be_root()?;
    host::protect_memory();
    let config = host::configuration(file)?;
    let hosts = host::open_hosts(&config)?;
    match arguments {
        FleetHost::Add(arguments) => add(arguments, &config, &*hosts, output),
        FleetHost::List(_) => list(&config, &*hosts, output),
        FleetHost::Revoke(arguments) => revoke(arguments, &*hosts, output),
    }
}

fn add(arguments: &AddHost, config: &Config, hosts: &dyn HostAdministration, output: &Output) -> Result<(), Failure> {
    let AddHost { name, groups, again } = arguments;
    let name = name.to_ascii_lowercase();
    let again = if *again { AddedAgain::Joins } else { AddedAgain::Refused };
    let (code, until) = match hosts.add_host(&name, groups, again)? {
        AddedHost::Code(code, until) => (code, until),
        AddedHost::IsThere => return Err(FleetFailure::IsThere(name).into()),
        AddedHost::NoName => return Err(FleetFailure::NoName(name).into()),
    };
    let groups = Some(groups.join(",")).filter(|groups| !groups.is_empty());
    journal::write(Record::new(Event::HostAdded).with("member", &name).with_some("groups", groups));
    let command = format!("twofactor fleet join {}", server_of(config));
    let shown = match output.format() {
        Format::Json => output::must_show_json(json!({
            "host": name, "join_code": code.as_str(), "until": until.to_string(), "command": command,
        })),
        Format::Text => {
            let about =
                format!("{name} can join, once, until {until}: there, type\n    {command}\nand then the code\n");
            let about = output.explanation(&about, Stream::Results);
            output::must_show(Stream::Results, &Zeroizing::new(format!("{about}{}\n", code.as_str())))
        }
    };
    Ok(shown.map_err(Unwritten)?)
}

/// A server, as a host may name it.
fn server_of(config: &Config) -> String {
    let port = config.port.as_ref();
    let name = port.and_then(|port| port.names.first().cloned());
    let own = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let name = name.or_else(own).unwrap_or_else(|| "SERVER".to_owned());
    match port.and_then(|port| port.listen.first()).map(std::net::SocketAddr::port) {
        Some(port) if port != twofactor_core::config::fleet::PORT => format!("{name}:{port}"),
        _ => name,
    }
}

fn list(config: &Config, hosts: &dyn HostAdministration, output: &Output) -> Result<(), Failure> {
    let hosts = hosts.hosts()?;
    let text = || {
        if hosts.is_empty() {
            return "There are no hosts. \"twofactor host add NAME\" adds one.\n".to_owned();
        }
        let day = |time: &UnixTime| time.to_string().chars().take(10).collect::<String>();
        let row = |host: &Listed| -> [Cell; 5] {
            let certificate = match (&host.revoked, &host.certificate) {
                (Some(at), _) => format!("revoked {}", day(at)),
                (None, Some(certificate)) => format!("until {}", day(&certificate.until)),
                (None, None) if host.code_until.is_some() => "may join".to_owned(),
                (None, None) => "has not joined".to_owned(),
            };
            let seen = host.seen.map_or_else(|| "never".to_owned(), |seen| seen.to_string());
            let Granted { may, groups } = granted(config, host);
            let about = match groups.as_deref() {
                None => "all users".to_owned(),
                Some([]) => "no user".to_owned(),
                Some(groups) => groups.join(", "),
            };
            [host.name.as_str().into(), certificate.into(), seen.into(), may.join(", ").into(), about.into()]
        };
        let heads = ["HOST", "CERTIFICATE", "LAST SEEN", "MAY", "ABOUT"];
        output::table(heads, hosts.iter().map(row).collect(), [20, 16, 10, 5, 5], output.screen(Stream::Results))
    };
    Ok(output.report_whole(text, || hosts.iter().map(|host| as_json(config, host)).collect())?)
}

/// The rights of a host.
struct Granted {
    /// The questions that it may ask.
    may: Vec<&'static str>,
    /// The groups about whose members; `None`: about each user.
    groups: Option<Vec<String>>,
}

/// The rights that a server with this configuration grants to a host.
fn granted(config: &Config, host: &Listed) -> Granted {
    let entry = HostRule::of(&config.hosts, &host.name);
    let groups = entry.and_then(|entry| entry.groups.as_deref());
    let further = entry.map(|entry| [(entry.may_enroll, "enroll"), (entry.may_self, "self")]);
    let further = further.into_iter().flatten().filter(|(may, _)| *may).map(|(_, word)| word);
    let may = ["login"].into_iter().chain(further).collect();
    let is_of_site = config.port.as_ref().is_some_and(|port| port.site.is_some());
    match entry {
        // Its servers look at no host that was added: the site signs the certificates, and the entries say who may ask.
        Some(_) if is_of_site => Granted { may, groups: groups.map(<[String]>::to_vec) },
        _ if is_of_site || host.revoked.is_some() => Granted { may: Vec::new(), groups: Some(Vec::new()) },
        _ => Granted { may, groups: groups_in_both(groups, &host.groups) },
    }
}

fn as_json(config: &Config, host: &Listed) -> Value {
    let time = |time: &Option<UnixTime>| time.map(|time| time.to_string());
    let Granted { may, groups } = granted(config, host);
    let certificate = host.certificate.as_ref().map(|certificate| {
        json!({
            "serial": certificate.serial,
            "issued": certificate.issued.to_string(),
            "until": certificate.until.to_string(),
        })
    });
    json!({
        "host": host.name,
        "added": host.added.to_string(),
        "revoked": time(&host.revoked),
        "certificate": certificate,
        "join_code_until": time(&host.code_until),
        "last_seen": time(&host.seen),
        "may": may,
        "groups": groups,
    })
}

fn revoke(arguments: &RevokeHost, hosts: &dyn HostAdministration, output: &Output) -> Result<(), Failure> {
    let name = arguments.name.to_ascii_lowercase();
    if !hosts.revoke_host(&name)? {
        return Err(FleetFailure::NoHost(name).into());
    }
    journal::write(Record::new(Event::HostRevoked).with("member", &name));
    Ok(output.done(
        || format!("{name} may ask nothing more, from its next question on.\n"),
        || json!({ "host": name, "revoked": true }),
    )?)
}
