//! What the program says in the end, as Markdown that also reads well on a terminal.

use std::fmt;

use crate::broker::Broker;
use crate::fleet::Fleet;
use crate::logins::Logins;
use crate::machine::Machine;
use crate::moving::Moving;
use crate::target::{Target, milliseconds};
use crate::tokens::Tokens;

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) logins: Option<Logins>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) moving: Option<Moving>,
    pub(crate) broker: Option<Broker>,
    pub(crate) fleet: Option<Fleet>,
}

impl Report {
    /// Whether this run shows that we keep all promises.
    pub(crate) fn every_target_is_reached(&self) -> bool {
        self.targets().iter().all(Target::is_reached)
    }

    fn targets(&self) -> Vec<Target> {
        let logins = self.logins.iter().flat_map(Logins::targets);
        let tokens = self.tokens.iter().flat_map(Tokens::targets);
        let moving = self.moving.iter().flat_map(Moving::targets);
        let broker = self.broker.iter().flat_map(Broker::targets);
        let fleet = self.fleet.iter().flat_map(Fleet::targets);
        logins.chain(tokens).chain(moving).chain(broker).chain(fleet).collect()
    }

    fn write_machine(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            formatter,
            "{}: {}, {} cores, Linux {}, {}",
            machine.date, machine.processor, machine.cores, machine.kernel, machine.system
        )?;
        writeln!(
            formatter,
            "State on {} (overwriting 512 bytes and fdatasync: median {}); users looked up with libnss-cache",
            machine.file_system,
            milliseconds(machine.fdatasync)
        )?;
        for (name, version) in &machine.versions {
            writeln!(formatter, "  {name:<25} {version}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_machine(formatter)?;
        writeln!(formatter)?;
        if let Some(logins) = &self.logins {
            writeln!(formatter, "{logins}")?;
        }
        if let Some(tokens) = &self.tokens {
            writeln!(formatter, "{tokens}")?;
        }
        if let Some(moving) = &self.moving {
            writeln!(formatter, "{moving}")?;
        }
        if let Some(broker) = &self.broker {
            writeln!(formatter, "{broker}")?;
        }
        if let Some(fleet) = &self.fleet {
            writeln!(formatter, "{fleet}")?;
        }
        self.targets().iter().try_for_each(|target| writeln!(formatter, "{target}"))
    }
}
