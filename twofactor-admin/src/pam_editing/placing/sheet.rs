//! A service's text as it is edited: whole lines with their ends, and what libpam reads in them.

use twofactor_core::pam_service::first_factor::{self, FirstFactor};
use twofactor_core::pam_service::text::{self, LogicalLine, Reading, Word};
use twofactor_core::pam_service::{Line, Phase};

/// The lines of a text, each with its end.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    lines: Vec<String>,
}

/// A line of the file as libpam reads it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its first line in the file, from 1.
    pub(super) first: usize,
    last: usize,
    words: Vec<Word>,
}

impl Entry {
    fn of(line: LogicalLine) -> Self {
        Self { first: line.first, last: line.last, words: line.words }
    }

    /// As it is written.
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map(|word| word.written.as_str()).unwrap_or_default()
    }

    /// As libpam takes it.
    fn taken(&self, at: usize) -> &str {
        self.words.get(at).map(|word| word.taken.as_str()).unwrap_or_default()
    }

    /// True when another line has the same words, whatever blanks are in their brackets.
    pub(super) fn says_what(&self, other: &Self) -> bool {
        let words = |entry: &Self| {
            entry.words.iter().flat_map(|word| word.taken.split_whitespace()).map(str::to_owned).collect::<Vec<_>>()
        };
        words(self) == words(other)
    }

    /// The phase it begins with.
    pub(super) fn phase(&self) -> Option<Phase> {
        let word = self.taken(0);
        let word = word.strip_prefix('-').unwrap_or(word);
        Phase::ALL.into_iter().find(|phase| phase.word().eq_ignore_ascii_case(word))
    }

    /// True when it runs the module called `name`.
    pub(super) fn runs(&self, name: &str) -> bool {
        self.phase().is_some() && !self.is_include() && self.taken(2).rsplit('/').next() == Some(name)
    }

    /// True when it is our line of a phase, and not one that notes something.
    pub(super) fn is_ours(&self, phase: Phase) -> bool {
        let arguments: Vec<String> = self.words.iter().skip(3).map(|word| word.taken.clone()).collect();
        self.phase() == Some(phase)
            && self.runs(twofactor_core::pam_service::modules::OURS)
            && FirstFactor::of_arguments(&arguments).is_none()
    }

    /// True when it includes the file that tells our line of a failed first factor.
    pub(super) fn tells(&self) -> bool {
        let path = if self.is_include() { Some(self.taken(2)) } else { self.included_by_debian() };
        path == Some(first_factor::FILE)
    }

    /// `include` or `substack`.
    pub(super) fn is_include(&self) -> bool {
        let control = self.taken(1).to_ascii_lowercase();
        self.phase().is_some() && matches!(control.as_str(), "include" | "substack")
    }

    /// The service that Debian's `@include` takes in.
    pub(super) fn included_by_debian(&self) -> Option<&str> {
        twofactor_core::pam_service::is_debians_include(&self.words).then(|| self.word(1))
    }

    /// True when lines of a phase stand in it or come from it. `lines` are those of the phase.
    pub(super) fn has(&self, phase: Phase, lines: &[&Line]) -> bool {
        self.phase() == Some(phase)
            || (self.included_by_debian().is_some() && lines.iter().any(|line| line.origin == self.first))
    }

    /// The control as it is written.
    pub(super) fn control(&self) -> &str {
        self.word(1)
    }

    /// The words behind the module, as they are written.
    pub(super) fn arguments(&self) -> Vec<String> {
        self.words.iter().skip(3).map(|word| word.written.clone()).collect()
    }
}

impl Sheet {
    pub(super) fn of(text: &str) -> Self {
        Self { lines: text.split_inclusive('\n').map(str::to_owned).collect() }
    }

    pub(super) fn text(&self) -> String {
        self.lines.concat()
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Its lines as libpam reads them. What it reads in two ways is not edited.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries_by(Reading::New)
    }

    pub(super) fn entries_by(&self, reading: Reading) -> Vec<Entry> {
        text::cut(self.text().as_bytes(), reading).lines.into_iter().map(Entry::of).collect()
    }

    pub(super) fn insert_after(&mut self, entry: &Entry, line: &str) {
        if let Some(last) = self.lines.get_mut(entry.last.saturating_sub(1))
            && !last.ends_with('\n')
        {
            last.push('\n');
        }
        self.lines.insert(entry.last.min(self.lines.len()), line.to_owned());
    }

    /// Above the comment that belongs to the entry, if there is one.
    pub(super) fn insert_before(&mut self, entry: &Entry, line: &str) {
        let mut at = entry.first.saturating_sub(1).min(self.lines.len());
        // The first line of a file says what the file is (`#%PAM-1.0`).
        while at > 1 && self.lines.get(at - 1).is_some_and(|line| line.trim_start().starts_with('#')) {
            at -= 1;
        }
        if at == 1 && self.lines.first().is_some_and(|line| line.starts_with("# ")) && entry.first > 1 {
            at = 0;
        }
        self.lines.insert(at, line.to_owned());
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        let end = entry.last.min(self.lines.len());
        self.lines.drain(entry.first.saturating_sub(1).min(end)..end);
    }

    pub(super) fn replace(&mut self, entry: &Entry, line: &str) {
        self.remove(entry);
        self.lines.insert(entry.first.saturating_sub(1).min(self.lines.len()), line.to_owned());
    }

    /// Puts `original` in the place of every line that reads `changed`.
    pub(super) fn put_back(&mut self, changed: &str, original: &str) {
        for line in self.lines.iter_mut().filter(|line| *line == changed) {
            original.clone_into(line);
        }
    }

    /// Writes another control into an entry, and keeps the module's column where there is room.
    pub(super) fn replace_control(&mut self, entry: &Entry, control: &str) {
        let written = entry.control().to_owned();
        let numbers = entry.first.saturating_sub(1)..entry.last.min(self.lines.len());
        for line in self.lines.get_mut(numbers).unwrap_or_default() {
            let phase = line.find(entry.word(0)).map_or(0, |at| at + entry.word(0).len());
            let Some((head, tail)) = line.split_at_checked(phase) else { continue };
            let Some((gap, rest)) = tail.split_once(&written) else { continue };
            let blanks = rest.len() - rest.trim_start_matches(' ').len();
            let longer = control.len().saturating_sub(written.len()).min(blanks.saturating_sub(1));
            *line = format!("{head}{gap}{control}{}", rest.get(longer..).unwrap_or(rest));
            return;
        }
    }

    /// A new line in the style of this text: with the columns or tabs of a line of the same phase, and its end.
    pub(super) fn styled(&self, phase: Phase, control: &str, module: &str) -> String {
        let entries = self.entries();
        let single = |entry: &&Entry| entry.first == entry.last && entry.words.len() >= 3 && entry.phase().is_some();
        let near = entries.iter().filter(single).rfind(|entry| entry.phase() == Some(phase));
        let model = near.or(entries.iter().find(single));
        let word = phase.word();
        let gaps = model.and_then(|entry| self.gaps(entry));
        let Some((first, second, column)) = gaps else {
            return format!("{word:<11}{control:<13}{module}\n");
        };
        let first = match column {
            Some(columns) => " ".repeat(columns.0.saturating_sub(word.len()).max(1)),
            None => first,
        };
        let second = match column {
            Some(columns) => {
                let so_far = word.len() + first.len() + control.len();
                " ".repeat(columns.1.saturating_sub(so_far).max(1))
            }
            None => second,
        };
        format!("{word}{first}{control}{second}{module}\n")
    }

    /// The blanks between the first three words of an entry, and the columns of the second and third when that is blanks.
    #[expect(clippy::type_complexity, reason = "it is taken apart at once, in the one place above")]
    fn gaps(&self, entry: &Entry) -> Option<(String, String, Option<(usize, usize)>)> {
        let line = self.lines.get(entry.first.checked_sub(1)?)?;
        let second = entry.word(0).len() + line.find(entry.word(0))?;
        let control = second + line.get(second..)?.find(entry.word(1))?;
        let behind = control + entry.word(1).len();
        let module = behind + line.get(behind..)?.find(entry.word(2))?;
        let (first, last) = (line.get(second..control)?.to_owned(), line.get(behind..module)?.to_owned());
        // One blank between words is no column.
        let wide = first.len() > 1 || last.len() > 1;
        let columns = (wide && !first.contains('\t') && !last.contains('\t')).then_some((control, module));
        Some((first, last, columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn styled(text: &str) -> String {
        Sheet::of(text).styled(Phase::Auth, "required", "pam_twofactor.so")
    }

    #[test]
    fn a_new_line_looks_like_its_neighbours() {
        assert_eq!(styled("@include common-auth\n"), "auth       required     pam_twofactor.so\n");
        assert_eq!(styled("account    required     pam_nologin.so\n"), "auth       required     pam_twofactor.so\n");
        assert_eq!(styled("auth\t\tsubstack\tsystem-auth\n"), "auth\t\trequired\tpam_twofactor.so\n");
        assert_eq!(styled("-auth   optional   pam_a.so\n"), "auth    required   pam_twofactor.so\n");
        assert_eq!(styled("auth [success=1 default=ignore] pam_a.so"), "auth required pam_twofactor.so\n");
    }

    #[test]
    fn lines_come_and_go_whole() {
        let text = "#%PAM-1.0\n# why\nauth required \\\n  pam_a.so # one\naccount required pam_b.so";
        let mut sheet = Sheet::of(text);
        let entries = sheet.entries();
        sheet.insert_after(&entries[1], "last\n");
        sheet.insert_after(&entries[0], "behind\n");
        sheet.insert_before(&entries[0], "before\n");
        let edited =
            "#%PAM-1.0\nbefore\n# why\nauth required \\\n  pam_a.so # one\nbehind\naccount required pam_b.so\nlast\n";
        assert_eq!(sheet.text(), edited);
        let mut sheet = Sheet::of(text);
        sheet.remove(&entries[0]);
        assert_eq!(sheet.text(), "#%PAM-1.0\n# why\naccount required pam_b.so");
    }

    #[test]
    fn another_control_keeps_the_columns_and_the_comment() {
        let mut sheet = Sheet::of("auth       include      system-auth # all of it\n");
        let entries = sheet.entries();
        sheet.replace_control(&entries[0], "substack");
        assert_eq!(sheet.text(), "auth       substack     system-auth # all of it\n");
        let mut sheet = Sheet::of("auth include include\n");
        let entries = sheet.entries();
        sheet.replace_control(&entries[0], "substack");
        assert_eq!(sheet.text(), "auth substack include\n");
    }
}
