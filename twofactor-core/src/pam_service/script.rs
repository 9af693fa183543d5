//! The texts of a service and of all it includes, kept so that they can be written anew with other modules in them.
//!
//! Invariants: apart from modules, their arguments and the names of included files a copy is the text to the byte, with its
//! comments, blanks and continued lines; no name of a module is left in it, also not in a comment.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// The module that stands in the place of every other. It comes with Linux-PAM, returns what its arguments say and tells the
/// application so.
pub const STUB: &str = "pam_debug.so";
/// The name of the service in the folder of copies.
pub const SERVICE: &str = "service";
/// What ends the name of a module, and what stands for it where text is kept.
const ENDING: (&[u8], &[u8]) = (b".so", b".xx");

/// Every text that was read, each time it was.
#[derive(Debug, Clone, Default)]
pub struct Script {
    copies: Vec<Copy>,
}

/// A text. One that is included twice has two copies, so that its lines can do one thing here and another there.
#[derive(Debug, Clone)]
struct Copy {
    name: String,
    text: Vec<u8>,
    holes: Vec<Hole>,
}

#[derive(Debug, Clone)]
struct Hole {
    span: Range<usize>,
    what: What,
}

/// What stands at a place of a text, or is going to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The module of a line, by the line's number among all that were read.
    Module(usize),
    /// The module of a line that libpam does not load.
    Idle,
    /// An argument.
    Argument,
    /// The name of an included file, by its copy; `None` where it is not read.
    Include(Option<usize>),
}

impl Script {
    /// How many copies there are: the number of the next one.
    pub(super) fn len(&self) -> usize {
        self.copies.len()
    }

    /// The copy of that name.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.copies.iter().position(|copy| copy.name == name)
    }

    /// Begins the next copy, whose name in the folder is `name` or else one of its own.
    pub(super) fn begin(&mut self, name: Option<&str>, text: &[u8]) -> usize {
        let number = self.copies.len();
        let name = name.map_or_else(|| format!("included-{number}"), str::to_owned);
        self.copies.push(Copy { name, text: text.to_vec(), holes: Vec::new() });
        number
    }

    /// Remembers a place, in the order of the text.
    pub(super) fn mark(&mut self, copy: usize, span: Range<usize>, what: What) {
        if let Some(copy) = self.copies.get_mut(copy) {
            copy.holes.push(Hole { span, what });
        }
    }

    /// Of each copy, whether it is another one where a module of which `is_played` is one returns something else.
    pub fn changing(&self, is_played: &dyn Fn(usize) -> bool) -> Vec<bool> {
        let mut changing = vec![false; self.copies.len()];
        // What is included comes behind what includes it, whose text has its path.
        for (number, copy) in self.copies.iter().enumerate().rev() {
            let is_changing = copy.holes.iter().any(|hole| match hole.what {
                What::Module(number) => is_played(number),
                What::Include(Some(included)) => changing.get(included).copied().unwrap_or_default(),
                What::Include(None) | What::Idle | What::Argument => false,
            });
            if let Some(place) = changing.get_mut(number) {
                *place = is_changing;
            }
        }
        changing
    }

    /// The copies, each with its name and its text, which says what `module` does in the place of each module and its arguments.
    /// `path` says where libpam finds a copy that is included, by its number and name.
    pub fn files(
        &self,
        path: &dyn Fn(usize, &str) -> PathBuf,
        module: &dyn Fn(usize) -> String,
    ) -> Vec<(String, Vec<u8>)> {
        self.copies.iter().map(|copy| (copy.name.clone(), self.written(copy, path, module))).collect()
    }

    /// Those for which `wanted` is the same as in the list of [`Script::changing`].
    pub fn some(
        &self,
        wanted: bool,
        changing: &[bool],
        path: &dyn Fn(usize, &str) -> PathBuf,
        module: &dyn Fn(usize) -> String,
    ) -> Vec<(usize, String, Vec<u8>)> {
        let copies = self.copies.iter().enumerate().zip(changing).filter(|(_, changing)| **changing == wanted);
        copies.map(|((number, copy), _)| (number, copy.name.clone(), self.written(copy, path, module))).collect()
    }

    fn written(&self, copy: &Copy, path: &dyn Fn(usize, &str) -> PathBuf, module: &dyn Fn(usize) -> String) -> Vec<u8> {
        let mut written = Vec::with_capacity(copy.text.len() * 2);
        let mut at = 0;
        for hole in &copy.holes {
            written.extend(without_names(copy.text.get(at..hole.span.start).unwrap_or_default()));
            let filled = match hole.what {
                What::Module(number) => module(number),
                What::Idle => STUB.to_owned(),
                What::Argument => "x".to_owned(),
                // By its path: Debian's libpam looks for the name in /etc/pam.d whatever folder it is given.
                What::Include(included) => {
                    let copy = included.and_then(|number| Some((number, self.copies.get(number)?)));
                    let path = copy.map_or_else(
                        || Path::new("/nonexistent/nowhere").to_owned(),
                        |(number, copy)| path(number, &copy.name),
                    );
                    path.display().to_string()
                }
            };
            written.extend(filled.as_bytes());
            at = hole.span.end;
        }
        written.extend(without_names(copy.text.get(at..).unwrap_or_default()));
        written
    }
}

/// Text in which nothing ends as the name of a module does. It is as long as it was.
fn without_names(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for at in 0..text.len() {
        if let Some(ending) = text.get_mut(at..at + ENDING.0.len()).filter(|part| *part == ENDING.0) {
            ending.copy_from_slice(ENDING.1);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::pam_service::service::Scripted;

    use super::*;

    #[test]
    fn a_copy_is_the_text_to_the_byte_but_for_modules_arguments_and_names_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let inner = "#%PAM-1.0 pam_a.so\nauth\t[success=1  default=ignore] /lib/security/pam_b.so [c d] \\\n  e # pam_f.so\n\
                     session required pam_g.so\nauth include gone\n";
        std::fs::write(folder.path().join("inner"), inner).unwrap();
        let text = "@include inner\n-auth  substack\tinner\naccount required \\\n pam_h.so\natuh required pam_i.so\n";
        let scripted = Scripted::read("s", &folder.path().join("s"), text.as_bytes(), &[folder.path()]).unwrap();
        let files = scripted.script.files(&|_, name| Path::new("/f").join(name), &|number| format!("STUB{number}"));
        let read = |at: usize| (files[at].0.as_str(), std::str::from_utf8(&files[at].1).unwrap());
        assert_eq!(
            read(0),
            (
                "service",
                "@include /f/included-1\n-auth  substack\t/f/included-2\naccount required \\\n STUB6\natuh required \
                 pam_debug.so\n"
            )
        );
        assert_eq!(
            read(1),
            (
                "included-1",
                "#%PAM-1.0 pam_a.xx\nauth\t[success=1  default=ignore] STUB0 x \\\n  x # pam_f.xx\nsession required STUB1\n\
                 auth include /nonexistent/nowhere\n"
            )
        );
        assert_eq!(
            read(2),
            (
                "included-2",
                "#%PAM-1.0 pam_a.xx\nauth\t[success=1  default=ignore] STUB4 x \\\n  x # pam_f.xx\n\
                 session required pam_debug.so\nauth include /nonexistent/nowhere\n"
            )
        );
        let is_played = |number: usize| scripted.numbers.contains(&number) && number < 5;
        assert_eq!(scripted.script.changing(&is_played), [true, true, true]);
        assert_eq!(scripted.script.changing(&|number| number == 6), [true, false, false]);
        let modules: Vec<_> = scripted.numbers.iter().zip(&scripted.service.lines).collect();
        assert!(modules.iter().any(|(number, line)| **number == 6 && line.module == "pam_h.so"), "{modules:?}");
    }

    #[test]
    fn the_lines_of_other_keep_their_numbers_where_some_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let other = "auth required pam_a.so\naccount required pam_b.so\n";
        std::fs::write(folder.path().join("other"), other).unwrap();
        let scripted =
            Scripted::read("s", &folder.path().join("s"), b"auth required pam_c.so\n", &[folder.path()]).unwrap();
        assert_eq!(scripted.numbers, [0, 2]);
        let files = scripted.script.files(&|_, name| Path::new("/f").join(name), &|number| format!("STUB{number}"));
        assert_eq!(files[1], ("other".to_owned(), b"auth required STUB1\naccount required STUB2\n".to_vec()));
    }
}
