//! The texts of a service and of all it includes, written anew with another module in the place of each.
//!
//! Invariants: apart from modules, their arguments and the names of included files a copy is the text to the byte, with its
//! comments, blanks and continued lines; no name of a module is left in it, also not in a comment.

use std::path::{Path, PathBuf};

use twofactor_core::pam_service::script::{Copy, Script, What};

/// The module that stands in the place of every other. It comes with Linux-PAM, returns what its arguments say and tells the
/// application so.
pub const STUB: &str = "pam_debug.so";
/// The ending of a module's name, and its stand-in where text is kept.
const ENDING: (&[u8], &[u8]) = (b".so", b".xx");

/// The copy of that name.
pub(super) fn number(script: &Script, name: &str) -> Option<usize> {
    script.copies.iter().position(|copy| copy.name == name)
}

/// Of each copy, whether it is another one where a module of which `is_played` is one returns something else.
pub(super) fn changing(script: &Script, is_played: &dyn Fn(usize) -> bool) -> Vec<bool> {
    let mut changing = vec![false; script.copies.len()];
    // What is included comes behind what includes it, whose text has its path.
    for (number, copy) in script.copies.iter().enumerate().rev() {
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
pub(super) fn files(
    script: &Script,
    path: &dyn Fn(usize, &str) -> PathBuf,
    module: &dyn Fn(usize) -> String,
) -> Vec<(String, Vec<u8>)> {
    script.copies.iter().map(|copy| (copy.name.clone(), written(script, copy, path, module))).collect()
}

/// Those for which `wanted` is the same as in the list of [`changing`].
pub(super) fn some(
    script: &Script,
    wanted: bool,
    changing: &[bool],
    path: &dyn Fn(usize, &str) -> PathBuf,
    module: &dyn Fn(usize) -> String,
) -> Vec<(usize, String, Vec<u8>)> {
    let copies = script.copies.iter().enumerate().zip(changing).filter(|(_, changing)| **changing == wanted);
    copies.map(|((number, copy), _)| (number, copy.name.clone(), written(script, copy, path, module))).collect()
}

fn written(
    script: &Script,
    copy: &Copy,
    path: &dyn Fn(usize, &str) -> PathBuf,
    module: &dyn Fn(usize) -> String,
) -> Vec<u8> {
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
                let copy = included.and_then(|number| Some((number, script.copies.get(number)?)));
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
    use twofactor_core::pam_service::Scripted;

    use super::*;

    #[test]
    fn a_copy_is_the_text_to_the_byte_but_for_modules_arguments_and_names_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let inner = "#%PAM-1.0 pam_a.so\nauth\t[success=1  default=ignore] /lib/security/pam_b.so [c d] \\\n  e # pam_f.so\n\
                     session required pam_g.so\nauth include gone\n";
        std::fs::write(folder.path().join("inner"), inner).unwrap();
        let text = "@include inner\n-auth  substack\tinner\naccount required \\\n pam_h.so\natuh required pam_i.so\n";
        let scripted = Scripted::read("s", &folder.path().join("s"), text.as_bytes(), &[folder.path()]).unwrap();
        let files = files(&scripted.script, &|_, name| Path::new("/f").join(name), &|number| format!("STUB{number}"));
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
        assert_eq!(changing(&scripted.script, &is_played), [true, true, true]);
        assert_eq!(changing(&scripted.script, &|number| number == 6), [true, false, false]);
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
        let files = files(&scripted.script, &|_, name| Path::new("/f").join(name), &|number| format!("STUB{number}"));
        assert_eq!(files[1], ("other".to_owned(), b"auth required STUB1\naccount required STUB2\n".to_vec()));
    }
}
