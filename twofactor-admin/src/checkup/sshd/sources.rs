//! The lines that sshd's settings come from: those that hold for every login, and those of `Match` blocks.
//!
//! Of the lines for every login, the first of a keyword decides. For a login that meets blocks, the first of their lines
//! decides, and lines outside of blocks do not (openssh, servconf.c).

use std::collections::{BTreeMap, BTreeSet};

use super::criteria::Criterion;
use super::settings::{Settings, keyword};

/// The sources of settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Of each keyword, the first line outside of `Match`.
    everywhere: BTreeMap<String, String>,
    blocks: Vec<Block>,
    conditional: Vec<Conditional>,
}

/// A `Match` with all the criteria that a login has to meet: also those of the `Match` that includes its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The file and line of the `Match`.
    pub place: String,
    /// The line.
    pub text: String,
    /// The criteria.
    pub criteria: Vec<Criterion>,
}

impl Block {
    /// True for `Match all`: sshd prints its settings as those of every login.
    fn is_for_all(&self) -> bool {
        self.criteria.is_empty()
    }
}

/// A setting of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditional {
    /// The number of the block.
    pub block: usize,
    /// The keyword as sshd knows it today, in small letters.
    pub keyword: String,
    /// The value.
    pub value: String,
    /// The file and line.
    pub place: String,
}

/// The keywords that may stand in a `Match` and say what a login is asked.
const JUDGED: [&str; 9] = [
    "authenticationmethods",
    "gssapiauthentication",
    "hostbasedauthentication",
    "kbdinteractiveauthentication",
    "pamservicename",
    "passwordauthentication",
    "permitemptypasswords",
    "pubkeyauthentication",
    "pubkeyauthoptions",
];

impl Sources {
    /// Takes a line at `place` that holds for every login, in the order sshd reads.
    pub fn add(&mut self, keyword: &str, place: impl Into<String>) {
        self.everywhere.entry(super::settings::keyword(keyword)).or_insert_with(|| place.into());
    }

    /// Takes a `Match` inside of the block `outer`, and gives its number.
    pub fn add_block(&mut self, outer: Option<usize>, place: impl Into<String>, text: &str) -> usize {
        let mut criteria =
            outer.and_then(|outer| self.blocks.get(outer)).map_or_else(Vec::new, |outer| outer.criteria.clone());
        criteria.extend(Criterion::all_of(text));
        self.blocks.push(Block { place: place.into(), text: text.to_owned(), criteria });
        self.blocks.len() - 1
    }

    /// Takes the line `text` at `place`, of a block.
    pub fn add_conditional(&mut self, block: usize, text: &str, place: impl Into<String>) {
        let Some((keyword, value)) = Settings::of_line(text) else { return };
        self.conditional.push(Conditional { block, keyword, value, place: place.into() });
    }

    /// The line that decides about a keyword in small letters, outside of `Match`.
    pub fn place(&self, keyword: &str) -> Option<&str> {
        self.everywhere.get(keyword).map(String::as_str)
    }

    /// The lines of blocks about a keyword in small letters.
    pub fn conditional<'s>(&'s self, keyword: &'s str) -> impl Iterator<Item = &'s Conditional> {
        self.conditional.iter().filter(move |line| line.keyword == keyword)
    }

    /// The ports that criteria name.
    pub fn local_ports(&self) -> BTreeSet<u16> {
        let criteria = self.blocks.iter().flat_map(|block| &block.criteria);
        let port = |criterion: &Criterion| match criterion {
            Criterion::LocalPort(port) => Some(*port),
            _ => None,
        };
        criteria.filter_map(port).collect()
    }

    /// The blocks that say what some logins are asked, with their numbers.
    pub fn judged_blocks(&self) -> impl Iterator<Item = (usize, &Block)> {
        let says = |block: usize| {
            self.conditional.iter().any(|line| line.block == block && JUDGED.contains(&line.keyword.as_str()))
        };
        let blocks = self.blocks.iter().enumerate().filter(|(_, block)| !block.is_for_all());
        blocks.filter(move |(number, _)| says(*number))
    }

    /// A block.
    pub fn block(&self, number: usize) -> Option<&Block> {
        self.blocks.get(number)
    }

    /// The lines that decide for a login that meets these blocks, and no others but those that every login meets.
    pub fn deciding(&self, blocks: &[usize]) -> Deciding<'_> {
        let mut lines: BTreeMap<&str, &Conditional> = BTreeMap::new();
        let is_met = |number: usize| blocks.contains(&number) || self.block(number).is_some_and(Block::is_for_all);
        for line in self.conditional.iter().filter(|line| is_met(line.block)) {
            lines.entry(&line.keyword).or_insert(line);
        }
        Deciding { sources: self, lines }
    }

    /// The change that gives sshd `setting` for every login.
    pub fn mend(&self, setting: &str) -> String {
        self.deciding(&[]).mend(setting)
    }
}

/// The lines that decide for some logins.
#[derive(Debug, Clone)]
pub struct Deciding<'s> {
    sources: &'s Sources,
    lines: BTreeMap<&'s str, &'s Conditional>,
}

impl<'s> Deciding<'s> {
    /// The block of some logins whose line decides about the first of these keywords about which such a line decides.
    pub(super) fn block(&self, keywords: &[&str]) -> Option<&'s Block> {
        let lines = keywords.iter().filter_map(|keyword| self.lines.get(keyword));
        lines.filter_map(|line| self.sources.block(line.block)).find(|block| !block.is_for_all())
    }

    /// The lines of blocks that decide about what a login is asked, and of which `settings`, sshd's word for such a login, say
    /// another thing: sshd has other criteria than what was read here.
    pub fn contradicted<'d>(&'d self, settings: &'d Settings) -> impl Iterator<Item = &'s Conditional> + 'd {
        let judged = self.lines.values().copied().filter(|line| JUDGED.contains(&line.keyword.as_str()));
        judged.filter(|line| !settings.say_alike(&line.keyword, &line.value))
    }

    /// The change that gives sshd `setting`: the first value counts, so another line elsewhere changes nothing.
    pub fn mend(&self, setting: &str) -> String {
        let keyword = keyword(setting.split(' ').next().unwrap_or_default());
        let place = self.lines.get(keyword.as_str()).map(|line| line.place.as_str());
        match place.or_else(|| self.sources.place(&keyword)) {
            Some(place) => format!("write \"{setting}\" at {place}, the line that decides, and reload sshd"),
            None => format!("write \"{setting}\" into /etc/ssh/sshd_config, before any Match, and reload sshd"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks, of which the second is inside of the first, and a third.
    fn sources() -> Sources {
        let mut sources = Sources::default();
        sources.add("PubkeyAuthOptions", "main:1");
        let outer = sources.add_block(None, "main:2", "Match User bob");
        sources.add_conditional(outer, "PasswordAuthentication no", "main:3");
        let inner = sources.add_block(Some(outer), "other:1", "Match Address 10.0.0.0/8");
        sources.add_conditional(inner, "  PubkeyAuthOptions none", "other:2");
        sources.add_conditional(outer, "ChallengeResponseAuthentication yes", "main:5");
        let last = sources.add_block(None, "main:6", "Match all");
        sources.add_conditional(last, "MaxAuthTries 3", "main:7");
        sources.add_conditional(last, "# why", "main:8");
        sources.add_conditional(last, "PubkeyAuthOptions touch-required", "main:9");
        sources
    }

    #[test]
    fn without_match_all_the_first_line_outside_of_blocks_decides() {
        let mut sources = Sources::default();
        let block = sources.add_block(None, "main:1", "Match LocalPort 2222 User bob LocalPort 22");
        sources.add_conditional(block, "PubkeyAuthOptions none", "main:2");
        sources.add("PubkeyAuthOptions", "other:1");
        sources.add("PubkeyAuthOptions", "other:2");
        let mend = |blocks: &[usize]| sources.deciding(blocks).mend("PubkeyAuthOptions touch-required");
        assert!(mend(&[]).contains("at other:1,") && mend(&[0]).contains("at main:2,"));
        assert_eq!(sources.local_ports(), BTreeSet::from([22, 2222]));
    }

    #[test]
    fn the_first_line_of_the_blocks_that_are_met_decides_and_else_the_first_outside() {
        let sources = sources();
        for (blocks, place) in [(vec![], "main:9"), (vec![0], "main:9"), (vec![0, 1], "other:2"), (vec![1], "other:2")]
        {
            let advice = sources.deciding(&blocks).mend("PubkeyAuthOptions touch-required");
            assert!(advice.contains(&format!("at {place}, the line that decides")), "{blocks:?}: {advice}");
        }
        let by = |keywords: &[&str]| sources.deciding(&[0, 1]).block(keywords).map(|block| block.place.as_str());
        assert_eq!(by(&["authenticationmethods", "kbdinteractiveauthentication"]), Some("main:2"));
        assert_eq!(by(&["pubkeyauthoptions", "passwordauthentication"]), Some("other:1"));
        assert_eq!(by(&["authenticationmethods"]), None);
        assert_eq!(sources.deciding(&[0]).block(&["pubkeyauthoptions"]), None, "Match all is about every login");
        assert_eq!(sources.block(1).unwrap().criteria.len(), 2, "those of the block around it are its own");
        assert_eq!(sources.judged_blocks().map(|(number, _)| number).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn a_block_about_other_things_is_none_to_judge() {
        let mut sources = Sources::default();
        let block = sources.add_block(None, "main:1", "Match Group sftp");
        sources.add_conditional(block, "ChrootDirectory /srv", "main:2");
        assert_eq!(sources.judged_blocks().count(), 0);
    }

    #[test]
    fn sshd_is_believed_where_it_says_another_thing_than_the_lines() {
        let sources = sources();
        let contradicted = |printed: &str| {
            let (deciding, settings) = (sources.deciding(&[0, 1]), Settings::parse(printed));
            deciding.contradicted(&settings).map(|line| line.place.clone()).collect::<Vec<_>>()
        };
        let right =
            "kbdinteractiveauthentication yes\npasswordauthentication no\npubkeyauthoptions none\nmaxauthtries 6\n";
        assert_eq!(contradicted(right), [""; 0], "only what matters is compared");
        assert_eq!(contradicted(&right.replace("options none", "options touch-required")), ["other:2"]);
    }
}
