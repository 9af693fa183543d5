//! The guide's page about a fleet, as it is typed: its commands and configuration by section.

use twofactor_tests::artifacts::workspace;
use twofactor_tests::documents::{Parts, read, typed};

/// A section of the page.
pub(crate) struct Section {
    heading: String,
    blocks: Vec<(String, Vec<String>)>,
}

/// The section with this heading.
pub(crate) fn section(heading: &str) -> Section {
    let page = read(&workspace().join("docs/guide/fleet.md"));
    let found = page.split("\n## ").find(|section| section.lines().next() == Some(heading));
    let found = found.unwrap_or_else(|| panic!("the guide has no section {heading}"));
    Section { heading: heading.to_owned(), blocks: Parts::of(found).blocks }
}

impl Section {
    /// The lines that are typed in a block, by its number among those with commands.
    pub(crate) fn commands(&self, block: usize) -> Vec<String> {
        let blocks = self.blocks.iter().map(|(_, lines)| typed(lines)).filter(|lines| !lines.is_empty());
        blocks.into_iter().nth(block).unwrap_or_else(|| panic!("{}: no block {block} of commands", self.heading))
    }

    /// The pieces of configuration.
    pub(crate) fn configurations(&self) -> impl Iterator<Item = &[String]> {
        self.blocks.iter().filter(|(language, _)| language == "toml").map(|(_, lines)| lines.as_slice())
    }

    /// The first of them.
    pub(crate) fn configuration(&self) -> &[String] {
        self.configurations().next().unwrap_or_else(|| panic!("{}: no configuration", self.heading))
    }
}
