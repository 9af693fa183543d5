//! The text of a PAM service as lines and words, cut as libpam cuts it (libpam/pam_line.c, pam_misc.c: `_pam_StrTok`).

/// A line as libpam runs it: one of the file, or several that a backslash puts together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogicalLine {
    /// Its first line in the file, from 1.
    pub first: usize,
    /// Its last.
    pub last: usize,
    /// Without comments.
    pub text: String,
}

/// The lines of a text without comments and blank ones. A comment ends a line, whatever stands behind it.
pub(super) fn logical_lines(text: &str) -> Vec<LogicalLine> {
    let mut lines: Vec<LogicalLine> = Vec::new();
    let mut continues = false;
    for (index, line) in text.lines().enumerate() {
        let (line, comment) = line.split_once('#').map_or((line, None), |(line, rest)| (line, Some(rest)));
        let (content, goes_on) = match line.trim_end().strip_suffix('\\').filter(|_| comment.is_none()) {
            Some(content) => (content, true),
            None => (line, false),
        };
        let number = index + 1;
        match lines.last_mut().filter(|_| continues) {
            Some(before) => {
                before.text.push(' ');
                before.text.push_str(content);
                before.last = number;
            }
            None => lines.push(LogicalLine { first: number, last: number, text: content.to_owned() }),
        }
        continues = goes_on;
    }
    lines.retain(|line| !line.text.trim().is_empty());
    lines
}

/// Words apart by blanks; one in brackets may hold blanks, and `\]` is a bracket in it.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with('[') {
            closing(rest).map_or(rest.len(), |bracket| bracket + 1)
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    words
}

fn closing(word: &str) -> Option<usize> {
    let escaped = |at: usize| word.get(..at).is_some_and(|before| before.ends_with('\\'));
    word.match_indices(']').map(|(at, _)| at).find(|at| !escaped(*at))
}

/// A word as libpam takes it: without the brackets that let it hold blanks.
pub(super) fn bare(word: &str) -> String {
    match word.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']').unwrap_or(inside).replace("\\]", "]"),
        None => word.to_owned(),
    }
}
