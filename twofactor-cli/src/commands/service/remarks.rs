//! Remarks for a sysadmin before saying yes: gathered while all is planned, and said last, below the diff.

use twofactor_admin::checkup::people::{Guarded, Person, refused};
use twofactor_admin::checkup::some_of;
use twofactor_core::host::user::SystemUsers;

use crate::error::quoted;
use crate::host::Host;
use crate::output;
use crate::people;

/// Warnings and hints in the order in which they are said. What weighs most comes last, right above the question.
#[derive(Debug, Default)]
pub(super) struct Remarks(Vec<Remark>);

#[derive(Debug)]
enum Remark {
    Warning(String),
    Hint(String),
}

impl Remarks {
    pub(super) fn warn(&mut self, sentence: impl Into<String>) {
        self.0.push(Remark::Warning(sentence.into()));
    }

    pub(super) fn hint(&mut self, sentence: impl Into<String>) {
        self.0.push(Remark::Hint(sentence.into()));
    }

    /// Says them.
    pub(super) fn say(&self) {
        for remark in &self.0 {
            match remark {
                Remark::Warning(sentence) => output::warning(sentence),
                Remark::Hint(sentence) => output::hint(sentence),
            }
        }
    }
}

/// Those whom services would refuse, each service with their names.
#[derive(Debug, Default)]
pub(super) struct Refused(pub(super) Vec<(String, Vec<String>)>);

impl Refused {
    /// All users with a login shell whom the services would refuse, or the reason for which they are not known. `expected` gives
    /// users what they are going to have then.
    pub(super) fn look(
        services: &[Guarded],
        host: &Host,
        expected: impl FnOnce(Vec<Person>) -> Vec<Person>,
    ) -> Result<Self, String> {
        if services.is_empty() {
            return Ok(Self::default());
        }
        let now = host.now().map_err(|failure| failure.to_string())?;
        let people = expected(people::who_may_log_in(&host.config, &*host.accounts, now)?);
        let mut all = Vec::new();
        for service in services {
            let those =
                refused(&host.config, &people, service, &SystemUsers, now).map_err(|error| error.to_string())?;
            all.push((service.name.clone(), those.into_iter().map(name).collect()));
        }
        Ok(Self(all))
    }

    /// The names for one service.
    pub(super) fn of(&self, service: &str) -> &[String] {
        self.0.iter().find(|(name, _)| name == service).map_or(&[], |(_, names)| names)
    }

    /// Says how many they are, whether root is one of them, and what can be done. Services that refuse the same are one
    /// sentence.
    pub(super) fn remark(&self, host: &Host, remarks: &mut Remarks) {
        let mut said: Vec<(Vec<&str>, &[String])> = Vec::new();
        for (service, names) in self.0.iter().filter(|(_, names)| !names.is_empty()) {
            match said.iter_mut().find(|(_, others)| *others == names.as_slice()) {
                Some((services, _)) => services.push(service),
                None => said.push((vec![service], names)),
            }
        }
        for (services, names) in &said {
            remarks.warn(sentence(services, names));
        }
        if let Some(first) =
            said.iter().find_map(|(_, names)| names.iter().find(|name| *name != "root").or(names.first()))
        {
            remarks.hint(format!(
                "run \"twofactor enroll {}\" for each of them, or let them in until a day without one: a rule with \
                 second_factor = \"optional\" and until = DATE in {}",
                quoted(first),
                host.config_file.display()
            ));
        }
    }
}

fn name(person: &Person) -> String {
    person.name.to_string()
}

fn sentence(services: &[&str], names: &[String]) -> String {
    let with_root = names.iter().any(|name| name == "root");
    let root = if with_root && names.len() > 1 { ", root among them" } else { "" };
    // The names are cut to a few; root's is said before.
    let others = names.iter().map(String::as_str).filter(|name| names.len() == 1 || *name != "root");
    let (services, some) = (services.join(", "), some_of(others));
    match names.len() {
        1 => format!("{services} will refuse 1 user with a login shell who is not enrolled: {some}"),
        count => format!("{services} will refuse {count} users with a login shell who are not enrolled{root}: {some}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_refused_are_counted_and_root_is_never_one_of_more() {
        let names: Vec<String> = (0..20).map(|number| format!("u{number}")).chain(["root".to_owned()]).collect();
        let said = sentence(&["login", "su"], &names);
        assert!(said.starts_with("login, su will refuse 21 users with a login shell"), "{said}");
        assert!(said.contains("not enrolled, root among them: u0, u1") && said.ends_with("and 12 more"), "{said}");
        assert!(
            sentence(&["su"], &names[20..])
                .ends_with("will refuse 1 user with a login shell who is not enrolled: root")
        );
    }
}
