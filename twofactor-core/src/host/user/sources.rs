//! The sources of nsswitch.conf, as glibc reads the file (nsswitch.conf(5), glibc's `nss_database.c` and `nss_action_parse.c`).
//!
//! Invariant: what is not understood counts as a source that proves nothing.

/// A database of the name service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    /// Users.
    Passwd,
    /// Groups by name.
    Group,
    /// The groups a user is in: `initgroups`, and `group` where that is not stated.
    Memberships,
    /// The database of passwords and accounts.
    Shadow,
}

impl Database {
    /// Its name, in the file and in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Passwd => "passwd",
            Self::Group | Self::Memberships => "group",
            Self::Shadow => "shadow",
        }
    }
}

/// The sources that `text` names for `database` and whose "not found" proves nothing. None: glibc's "not found" is the truth
/// where the file of the source `files` was read to its end without finding what was looked for.
pub(super) fn unable_to_prove_absence(text: &str, database: Database) -> Vec<String> {
    let of = |name: &str| {
        let lists = text.lines().filter_map(|line| list_of(line, name));
        lists.map(sources).collect::<Vec<_>>()
    };
    let stated = match database {
        Database::Passwd | Database::Group | Database::Shadow => of(database.name()),
        Database::Memberships => {
            Some(of("initgroups")).filter(|lists| !lists.is_empty()).unwrap_or_else(|| of("group"))
        }
    };
    // The last line counts for newer versions, the first for older ones. Without any, the files are read.
    let unable = stated.into_iter().flat_map(|sources| {
        // All sources are asked for memberships, found or not.
        let ends = |source: &NameSource| {
            source.proves_absence(database) && source.ends_search && database != Database::Memberships
        };
        let last = sources.iter().position(ends).map_or(sources.len(), |last| last.saturating_add(1));
        sources.into_iter().take(last).filter(|source| !source.proves_absence(database))
    });
    let mut names: Vec<String> = unable.map(|source| source.name).collect();
    names.dedup();
    names
}

/// A source, and whether the search ends with its "not found".
struct NameSource {
    name: String,
    ends_search: bool,
}

impl NameSource {
    fn proves_absence(&self, database: Database) -> bool {
        match database {
            Database::Passwd | Database::Group | Database::Memberships => {
                ["files", "systemd"].contains(&self.name.as_str())
            }
            // systemd has entries of users that systemd-homed manages.
            Database::Shadow => self.name == "files",
        }
    }
}

/// The sources of the database `name`, when `line` states them.
fn list_of<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let line = line.split('#').next().unwrap_or_default().trim_start_matches(is_space);
    // A blank may stand in the place of the colon.
    let (found, list) = line.split_once(|letter| is_space(letter) || letter == ':')?;
    (found == name).then_some(list)
}

fn sources(list: &str) -> Vec<NameSource> {
    let mut sources: Vec<NameSource> = Vec::new();
    let mut rest = list.trim_matches(is_space);
    while !rest.is_empty() {
        if let Some(criteria) = rest.strip_prefix('[') {
            let closed = criteria.split_once(']');
            let (inside, after) = closed.unwrap_or((criteria, ""));
            let ends = sources.last_mut().filter(|_| closed.is_some());
            match ends.and_then(|source| Some((ends_search(inside, source.ends_search)?, source))) {
                Some((ends, source)) => source.ends_search = ends,
                // glibc gives up here; so do we.
                None => sources.push(NameSource { name: format!("[{inside}]"), ends_search: false }),
            }
            rest = after.trim_start_matches(is_space);
        } else {
            let end = rest.find(|letter| is_space(letter) || letter == '[').unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            sources.push(NameSource { name: name.to_owned(), ends_search: false });
            rest = after.trim_start_matches(is_space);
        }
    }
    sources
}

/// True when the search ends with "not found" by the criteria between brackets, which may say nothing of it and leave what was
/// `said` before. `None` where they are not understood.
fn ends_search(criteria: &str, mut said: bool) -> Option<bool> {
    for criterion in criteria.split(is_space).filter(|criterion| !criterion.is_empty()) {
        let (status, action) = criterion.split_once('=')?;
        let (status, negated) = status.strip_prefix('!').map_or((status, false), |status| (status, true));
        let known = ["success", "notfound", "unavail", "tryagain"];
        let status = known.into_iter().find(|known| status.eq_ignore_ascii_case(known))?;
        let ends = ["return", "continue", "merge"].into_iter().find(|known| action.eq_ignore_ascii_case(known))?;
        if (status == "notfound") != negated {
            said = ends == "return";
        }
    }
    Some(said)
}

/// The blanks of `isspace` in the C locale.
fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_systemd_prove_absence_and_no_other_source_does() {
        for (text, unable) in [
            ("passwd: files\n", &[][..]),
            ("passwd:\tfiles systemd # sss\n", &[]),
            ("  passwd:files\n", &[]),
            ("passwd files\n", &[]),
            ("# nothing\n", &[]),
            ("", &[]),
            ("group: sss\n#passwd: sss\n", &[]),
            ("Passwd: sss\n", &[]),
            ("passwd: compat\n", &["compat"]),
            ("passwd: sss files\n", &["sss"]),
            ("passwd: files sss systemd\n", &["sss"]),
            ("passwd: files ldap winbind\n", &["ldap", "winbind"]),
            ("passwd: Files\n", &["Files"]),
            ("passwd: files sss", &["sss"]),
            ("passwd: files\npasswd: sss\n", &["sss"]),
            ("passwd: sss\npasswd: files\n", &["sss"]),
            ("passwd : files\n", &[":"]),
        ] {
            assert_eq!(unable_to_prove_absence(text, Database::Passwd), unable, "{text:?}");
        }
    }

    #[test]
    fn a_source_behind_the_end_of_the_search_does_not_matter() {
        for (list, unable) in [
            ("files [NOTFOUND=return] sss", &[][..]),
            ("files [notfound=RETURN] sss", &[]),
            ("files[NOTFOUND=return]sss", &[]),
            ("files [!SUCCESS=return] sss", &[]),
            ("files [SUCCESS=merge] systemd", &[]),
            ("files [!UNAVAIL=return TRYAGAIN=continue] sss", &[]),
            ("files [NOTFOUND=return NOTFOUND=continue] sss", &["sss"]),
            ("files [!NOTFOUND=return] sss", &["sss"]),
            ("files [SUCCESS=return] sss", &["sss"]),
            ("sss [NOTFOUND=return] files", &["sss"]),
            ("files [NOTFOUND] sss", &["[NOTFOUND]", "sss"]),
            ("files [NOTFOUND=stop] sss", &["[NOTFOUND=stop]", "sss"]),
            ("[NOTFOUND=return] files", &["[NOTFOUND=return]"]),
            ("files [NOTFOUND=return", &["[NOTFOUND=return]"]),
        ] {
            let text = format!("group: {list}\n");
            assert_eq!(unable_to_prove_absence(&text, Database::Group), unable, "{list}");
        }
    }

    #[test]
    fn of_shadow_entries_the_file_alone_proves_the_absence() {
        let of = |text| unable_to_prove_absence(text, Database::Shadow);
        assert!(of("shadow: files\n").is_empty() && of("passwd: files sss\n").is_empty());
        assert_eq!(of("shadow: files systemd\n"), ["systemd"]);
        assert!(of("shadow: files [NOTFOUND=return] sss\n").is_empty());
    }

    #[test]
    fn memberships_are_those_of_initgroups_and_else_of_group() {
        let of = |text| unable_to_prove_absence(text, Database::Memberships);
        assert!(of("group: files systemd\n").is_empty() && of("group: sss\ninitgroups: files\n").is_empty());
        assert_eq!(of("group: files\ninitgroups: files sss\n"), ["sss"]);
        assert_eq!(of("group: files [NOTFOUND=return] sss\n"), ["sss"], "found in one, all are asked");
    }
}
