//! A service with every file it includes, in the order in which libpam runs its lines.

use super::control::{Control, Understood};
use super::first_factor;
use super::letters::{Letter, unfit_in};
use super::line::{Absence, Flaw, Kind, Line, Phase};
use super::modules;
use super::naming::{OTHER, is_name};
use super::script::SERVICE;
use super::script::{Script, What};
use super::text;
use super::text::Reading;
use super::text::{Cut, End, Word};
use nix::fcntl::OFlag;
use std::fs::File;
use std::io::{self, Read as _};
use std::mem;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use thiserror::Error;

/// libpam's own limit (PAM_SUBSTACK_MAX_LEVEL).
pub(super) const DEEPEST: usize = 16;

/// The largest description that is read, in bytes.
pub(super) const LARGEST: u64 = 1024 * 1024;

/// The most lines of a service, with everything it includes.
pub(super) const LONGEST: usize = 4096;

/// A service as libpam runs it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in small letters, as libpam has it.
    pub name: String,
    /// The file that describes it; that of `other` when none does.
    pub file: PathBuf,
    /// Its lines, with those of `other` for a phase that it says nothing about.
    pub lines: Vec<Line>,
    /// The files that were read, each once.
    pub files: Vec<PathBuf>,
}

impl Service {
    /// The service `name`, from the first of `folders` that describes it.
    pub fn read(name: &str, folders: &[&Path]) -> Result<Self, ServiceError> {
        let name = name.to_ascii_lowercase();
        match is_name(&name).then(|| find(&name, folders)).transpose()?.flatten() {
            Some((file, text)) => Self::from_text(&name, &file, &text, folders),
            None => match find(OTHER, folders)? {
                Some((file, text)) => Self::from_text(&name, &file, &text, folders),
                None => Err(ServiceError::Missing(name)),
            },
        }
    }

    /// The service as it would be with `text` in its file.
    pub fn from_text(name: &str, file: &Path, text: impl AsRef<[u8]>, folders: &[&Path]) -> Result<Self, ServiceError> {
        Self::with_files(Beside::OnDisk, name, file, text.as_ref(), folders)
    }

    /// The same, and with the file of [`first_factor`] beside it as it is written.
    pub fn planned(name: &str, file: &Path, text: impl AsRef<[u8]>, folders: &[&Path]) -> Result<Self, ServiceError> {
        Self::with_files(Beside::Written, name, file, text.as_ref(), folders)
    }

    fn with_files(
        beside: Beside,
        name: &str,
        file: &Path,
        text: &[u8],
        folders: &[&Path],
    ) -> Result<Self, ServiceError> {
        let mut reader = Reader::new(Reading::New, beside, folders);
        let new = reader.service(name, file, text).map(|(service, _)| service);
        if reader.cut == Versions::Agree {
            // The old reading would come to the same, error or not.
            return new;
        }
        let old = Reader::new(Reading::Old, beside, folders).service(name, file, text).map(|(service, _)| service);
        match (old, new) {
            (Ok(old), Ok(new)) => match differing(&old.lines, &new.lines) {
                None => Ok(new),
                Some((path, number)) => Err(ServiceError::ReadDifferently { path, number }),
            },
            (Err(ServiceError::Unfinished { path, number } | ServiceError::Endless { path, number }), Ok(_))
            | (Ok(_), Err(ServiceError::Unfinished { path, number } | ServiceError::Endless { path, number })) => {
                Err(ServiceError::ReadDifferently { path, number })
            }
            (Err(error), Err(_) | Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// The same as one family of libpam's versions reads it.
    pub fn from_text_by(
        reading: Reading,
        name: &str,
        file: &Path,
        text: &[u8],
        folders: &[&Path],
    ) -> Result<Self, ServiceError> {
        Ok(Reader::new(reading, Beside::OnDisk, folders).service(name, file, text)?.0)
    }

    /// The lines of one phase.
    pub fn phase(&self, phase: Phase) -> Vec<&Line> {
        self.lines.iter().filter(|line| line.phase == phase).collect()
    }
}

/// The file of [`first_factor`] that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// The one that is there, if there is one.
    OnDisk,
    /// The one that `service enable` writes.
    Written,
}

/// A service with the texts that it was read from.
#[derive(Debug, Clone)]
pub struct Scripted {
    /// The service.
    pub service: Service,
    /// The texts.
    pub script: Script,
    /// Of each line of the service, its number in the script.
    pub numbers: Vec<usize>,
}

impl Scripted {
    /// The service as it is going to be with `text` in its file, which every libpam reads the same.
    pub fn read(name: &str, file: &Path, text: &[u8], folders: &[&Path]) -> Result<Self, ServiceError> {
        let mut reader = Reader::new(Reading::New, Beside::Written, folders);
        reader.script = Some(Script::default());
        let (service, numbers) = reader.service(name, file, text)?;
        Ok(Self { service, script: reader.script.unwrap_or_default(), numbers })
    }
}

/// A service cannot be understood.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// Neither it nor `other` is described.
    #[error("no PAM service {0} and no other")]
    Missing(String),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It includes a file whose name has a letter too many, which looks like a blank or like nothing.
    #[error("{}:{} has {}, which libpam takes for a part of a word", .0.file.display(), .0.number, .0)]
    Letter(Letter),
    /// Its last line goes on where the file ends.
    #[error("{}:{number} ends with a backslash that nothing follows: libpam gives the service up", path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// The line's beginning, from 1.
        number: usize,
    },
    /// A line is longer than the old libpam has room for.
    #[error("{}:{number} is a line of more than 1,023 bytes: libpam before 1.6 never comes to its end", path.display())]
    Endless {
        /// The file.
        path: PathBuf,
        /// The line's beginning, from 1.
        number: usize,
    },
    /// Versions of libpam read it differently.
    #[error(
        "{}:{number} is read differently by Linux-PAM before 1.6 and since: a blank line or a comment stands in a line that a \
         backslash continues, a line has more than 1,023 bytes, or a jump more than 2,147,483,647 lines",
        path.display()
    )]
    ReadDifferently {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        number: usize,
    },
    /// libpam gives the service up at a line, or crashes.
    #[error("{}:{number} names no file that libpam could take for a {what}: it gives the service up", path.display())]
    Fatal {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        number: usize,
        /// `module` or `service`.
        what: &'static str,
    },
    /// It includes itself.
    #[error("{} is included too deeply", .0.display())]
    TooDeep(PathBuf),
    /// It is no description of a service.
    #[error("{} has more than {LONGEST} lines with all it includes", .0.display())]
    TooLong(PathBuf),
}

/// The lines of `service` as libpam would run them, from the first of `folders` that describes it; those of `other` when none
/// does.
pub fn lines(service: &str, folders: &[&Path]) -> Result<Vec<Line>, ServiceError> {
    Ok(Service::read(service, folders)?.lines)
}

/// The first description of `name`, which an include may give as a path.
pub fn find(name: &str, folders: &[&Path]) -> Result<Option<(PathBuf, Vec<u8>)>, ServiceError> {
    let given = Path::new(name);
    let candidates: Vec<PathBuf> = if given.is_absolute() {
        vec![given.to_owned()]
    } else {
        folders.iter().map(|folder| folder.join(name)).collect()
    };
    for path in candidates {
        match read(&path) {
            Ok(text) => return Ok(Some((path, text))),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ServiceError::Unreadable { path, source }),
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Vec<u8>, io::Error> {
    // So that a FIFO, which is refused below, is not waited for.
    let at_once = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = File::options().read(true).custom_flags(at_once).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
    let size = usize::try_from(about.len()).ok().filter(|_| about.len() <= LARGEST).ok_or_else(too_large)?;
    // Room for one byte more, so that the end of the file is found without a larger buffer.
    let mut text = Vec::with_capacity(size + 1);
    file.take(LARGEST + 1).read_to_end(&mut text)?;
    u64::try_from(text.len()).ok().filter(|length| *length <= LARGEST).map(|_| text).ok_or_else(too_large)
}

/// The context in which a text is read.
#[derive(Clone, Copy)]
pub(super) struct ReadingContext<'p> {
    /// Only the lines of this phase count.
    only: Option<Phase>,
    includes: usize,
    depth: usize,
    /// The service's own file.
    top: &'p Path,
    origin: Option<usize>,
    /// The name of its copy; `None` of an included file.
    name: Option<&'p str>,
}

impl<'p> ReadingContext<'p> {
    fn top(file: &'p Path, name: &'p str) -> Self {
        Self { only: None, includes: 0, depth: 0, top: file, origin: None, name: Some(name) }
    }
}

/// A file that describes a service, cut into lines.
#[derive(Debug)]
struct Description {
    file: PathBuf,
    text: Vec<u8>,
    cut: Cut,
    versions: Versions,
}

pub(super) struct Reader<'f> {
    reading: Reading,
    beside: Beside,
    folders: &'f [&'f Path],
    /// Those of them in which included services are looked for.
    searched: &'f [&'f Path],
    /// By their names, the files that were looked for.
    included: Vec<(String, Option<Rc<Description>>)>,
    lines: Vec<Line>,
    files: Vec<PathBuf>,
    /// The texts, where they are wanted.
    script: Option<Script>,
    /// The number of lines that were read before `lines`.
    counted: usize,
    cut: Versions,
}

/// The answer to: is every text that was read cut the same by all versions of libpam?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    Agree,
    Differ,
}

impl<'f> Reader<'f> {
    fn new(reading: Reading, beside: Beside, folders: &'f [&'f Path]) -> Self {
        let (included, lines, files) = (Vec::new(), Vec::new(), Vec::new());
        let searched = modules::searched_for_includes(folders);
        let (script, cut) = (None, Versions::Agree);
        Self { reading, beside, folders, searched, included, lines, files, script, counted: 0, cut }
    }

    /// The service in `text`, with `other` for the phases that it says nothing about; and of each of its lines the number among
    /// all that were read.
    fn service(&mut self, name: &str, file: &Path, text: &[u8]) -> Result<(Service, Vec<usize>), ServiceError> {
        self.text(&self.described(file.to_owned(), text.to_vec()), &ReadingContext::top(file, SERVICE))?;
        let mut lines = mem::take(&mut self.lines);
        let (own_files, own_lines) = (self.files.len(), lines.len());
        let mut numbers: Vec<usize> = (0..own_lines).collect();
        if let Some((file, text)) = find(OTHER, self.folders)? {
            // Where libpam gives it up, it gives every service up.
            self.counted = own_lines;
            self.text(&self.described(file.clone(), text), &ReadingContext::top(&file, OTHER))?;
            let described: Vec<Phase> =
                Phase::ALL.into_iter().filter(|phase| lines.iter().any(|line| line.phase == *phase)).collect();
            if described.len() == Phase::ALL.len() {
                self.files.truncate(own_files);
            }
            let others = (own_lines..).zip(mem::take(&mut self.lines));
            for (number, line) in others.filter(|(_, line)| !described.contains(&line.phase)) {
                numbers.push(number);
                lines.push(line);
            }
        }
        let files = mem::take(&mut self.files);
        Ok((Service { name: name.to_owned(), file: file.to_owned(), lines, files }, numbers))
    }

    /// A text, cut.
    fn described(&self, file: PathBuf, text: Vec<u8>) -> Description {
        let cut = text::cut(&text, self.reading);
        let differ = !text::is_plain(&text) && cut != text::cut(&text, self.reading.other());
        Description { file, text, cut, versions: if differ { Versions::Differ } else { Versions::Agree } }
    }

    fn text(&mut self, description: &Description, place: &ReadingContext<'_>) -> Result<(), ServiceError> {
        let Description { file, text, cut: Cut { lines, end }, versions } = description;
        if !self.files.contains(file) {
            self.files.push(file.clone());
        }
        let copy = self.script.as_mut().map_or(0, |script| script.begin(place.name, text));
        if *versions == Versions::Differ {
            self.cut = Versions::Differ;
        }
        for line in lines {
            let words = &line.words;
            let place = ReadingContext { origin: Some(place.origin.unwrap_or(line.first)), ..*place };
            if is_debians_include(words) {
                let name = included(words, 1, file, line.first)?;
                self.mark(copy, words.iter().skip(1), What::Include(Some(self.copies())));
                if !self.include(name, &place, file)? {
                    if let Some(letter) = unfit_in(name) {
                        let letter = Letter { file: file.to_owned(), number: line.first, letter };
                        return Err(ServiceError::Letter(letter));
                    }
                    // libpam gives the whole service up.
                    let source = io::Error::from(io::ErrorKind::NotFound);
                    return Err(ServiceError::Unreadable { path: file.with_file_name(name), source });
                }
                continue;
            }
            let mut line = parsed(words, file, line.first, &place);
            if line.actions.understood() == Understood::Overflows {
                return Err(ServiceError::ReadDifferently { path: file.to_owned(), number: line.number });
            }
            let control = words.get(1).map(|word| word.taken.to_ascii_lowercase()).unwrap_or_default();
            let includes = matches!(control.as_str(), "include" | "substack");
            let module = words.iter().skip(2);
            if place.only.is_some_and(|only| only != line.phase) {
                self.mark(copy, module, if includes { What::Include(None) } else { What::Idle });
                continue;
            }
            // Also where the phase is none: it is taken for the one that is read.
            if includes {
                let name = included(words, 2, file, line.number)?;
                let inner = ReadingContext { only: Some(line.phase), ..place };
                let is_substack = control == "substack";
                if is_substack {
                    self.push(Line { kind: Kind::Substack, ..line.clone() })?;
                }
                let inner = ReadingContext { depth: inner.depth + usize::from(is_substack), ..inner };
                let next = self.copies();
                let is_there = self.include(name, &inner, file)?;
                self.mark(copy, module, What::Include(is_there.then_some(next)));
                if is_there {
                    continue;
                }
                line.kind = Kind::Broken(Flaw::Include(line.module.clone()));
                line.actions = Control::failing();
                line.arguments = Vec::new();
            } else {
                let number = self.counted + self.lines.len();
                let what = if line.kind == Kind::Module { What::Module(number) } else { What::Idle };
                self.mark(copy, module, what);
            }
            self.push(line)?;
        }
        match end {
            End::Whole => Ok(()),
            End::Unfinished(number) => Err(ServiceError::Unfinished { path: file.clone(), number: *number }),
            End::Endless(number) => Err(ServiceError::Endless { path: file.clone(), number: *number }),
        }
    }

    /// Remembers where a module or the name of a file stands, and its arguments behind it.
    fn mark<'w>(&mut self, copy: usize, words: impl Iterator<Item = &'w Word>, what: What) {
        let Some(script) = &mut self.script else { return };
        for (at, word) in words.enumerate() {
            script.mark(copy, word.span.clone(), if at == 0 { what } else { What::Argument });
        }
    }

    /// The number of texts that were kept, which is that of the next one.
    fn copies(&self) -> usize {
        self.script.as_ref().map_or(0, Script::len)
    }

    /// `false` when no file describes it.
    fn include(&mut self, name: &str, place: &ReadingContext<'_>, by: &Path) -> Result<bool, ServiceError> {
        let includes = place.includes + 1;
        if includes >= DEEPEST {
            return Err(ServiceError::TooDeep(by.to_owned()));
        }
        let found = match self.beside {
            Beside::Written if name == first_factor::FILE => {
                Some(Rc::new(self.described(PathBuf::from(name), first_factor::TEXT.into())))
            }
            Beside::Written | Beside::OnDisk => self.found(name)?,
        };
        match found {
            Some(description) => {
                self.text(&description, &ReadingContext { includes, name: None, ..*place })?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// An included file, read and cut once: `other` includes the same ones again.
    fn found(&mut self, name: &str) -> Result<Option<Rc<Description>>, ServiceError> {
        if let Some((_, found)) = self.included.iter().find(|(known, _)| known == name) {
            return Ok(found.clone());
        }
        let found = find(name, self.searched)?.map(|(path, text)| Rc::new(self.described(path, text)));
        self.included.push((name.to_owned(), found.clone()));
        Ok(found)
    }

    fn push(&mut self, line: Line) -> Result<(), ServiceError> {
        if self.lines.len() >= LONGEST {
            return Err(ServiceError::TooLong(line.file));
        }
        // What libpam calls a module in its log: nothing, or one question mark, is none.
        let file = line.module.rsplit('/').next().unwrap_or_default();
        let name = file.rsplit_once('.').map_or(file, |(name, _)| name);
        let has_none =
            matches!(line.kind, Kind::Broken(Flaw::Include(_) | Flaw::NoControl | Flaw::NoModule | Flaw::Nothing(_)));
        if !has_none && matches!(name, "" | "?") {
            let what = if line.kind == Kind::Substack { "service" } else { "module" };
            return Err(ServiceError::Fatal { path: line.file, number: line.number, what });
        }
        self.lines.push(line);
        Ok(())
    }
}

/// `@include`, as Debian's libpam knows it.
pub fn is_debians_include(words: &[Word]) -> bool {
    let word = words.first().map(|word| word.taken.as_str()).unwrap_or_default();
    word.strip_prefix('-').unwrap_or(word).eq_ignore_ascii_case("@include")
}

/// The name of what a line includes. Without one Debian's libpam crashes.
pub(super) fn included<'w>(words: &'w [Word], at: usize, file: &Path, number: usize) -> Result<&'w str, ServiceError> {
    let name = words.get(at).map(|word| word.taken.as_str());
    name.ok_or_else(|| ServiceError::Fatal { path: file.to_owned(), number, what: "service" })
}

/// The first line that is not the same in both.
pub(super) fn differing(old: &[Line], new: &[Line]) -> Option<(PathBuf, usize)> {
    let meaning = |line: &Line| {
        let Line { phase, actions, module, arguments, depth, kind, absence, file, .. } = line.clone();
        (phase, actions, module, arguments, depth, kind, absence, file)
    };
    let at = (0..old.len().max(new.len())).find(|at| old.get(*at).map(meaning) != new.get(*at).map(meaning))?;
    // Where one reading has swallowed a line, its line is the one to look at.
    let line = match (old.get(at), new.get(at)) {
        (Some(old), Some(new)) if new.file == old.file && new.number < old.number => Some(new),
        (old, new) => old.or(new),
    };
    line.map(|line| (line.file.clone(), line.number))
}

/// A line by its words. One without a phase is taken for one of the phase that is read, or for auth.
pub(super) fn parsed(words: &[Word], file: &Path, number: usize, place: &ReadingContext<'_>) -> Line {
    let word = |at: usize| words.get(at).map(|word| word.taken.as_str());
    let first = word(0).unwrap_or_default();
    let (phase_word, absence) = match first.strip_prefix('-') {
        Some(word) => (word, Absence::Silent),
        None => (first, Absence::Logged),
    };
    let phase = Phase::ALL.into_iter().find(|phase| phase.word().eq_ignore_ascii_case(phase_word));
    let kind = match (phase, word(1), word(2)) {
        (None, _, Some(_)) => Kind::Broken(Flaw::Phase(phase_word.to_owned())),
        (None, _, None) => Kind::Broken(Flaw::Nothing(phase_word.to_owned())),
        (Some(_), None, _) => Kind::Broken(Flaw::NoControl),
        (Some(_), Some(_), None) => Kind::Broken(Flaw::NoModule),
        (Some(_), Some(_), Some(_)) => Kind::Module,
    };
    Line {
        phase: phase.or(place.only).unwrap_or(Phase::Auth),
        actions: word(1).map_or_else(Control::failing, Control::of_word),
        control: words.get(1).map(|word| word.written.clone()).unwrap_or_default(),
        module: word(2).unwrap_or_default().to_owned(),
        arguments: words.iter().skip(3).map(|word| word.taken.clone()).collect(),
        file: file.to_owned(),
        number,
        top: place.top.to_owned(),
        origin: place.origin.unwrap_or(number),
        depth: place.depth,
        kind,
        absence,
    }
}

#[cfg(test)]
mod tests {
    use super::super::naming::is_copy;
    use super::*;
    use std::fs;

    fn described(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn modules(folder: &tempfile::TempDir, service: &str, phase: Phase) -> Vec<String> {
        let lines = lines(service, &[folder.path()]).unwrap();
        lines.into_iter().filter(|line| line.phase == phase).map(|line| line.module).collect()
    }

    #[test]
    fn copies_are_told_from_services() {
        for copy in
            ["sshd~", ".sshd.swp", "sshd.pacnew", "sshd.save", "sshd.twofactor-new", "su.dpkg-old", "su.ucf-dist"]
        {
            assert!(is_copy(copy), "{copy}");
        }
        for service in ["sshd", "su-l", "polkit-1", "cups.old-name", "org.example.save.me"] {
            assert!(!is_copy(service), "{service}");
        }
    }

    #[test]
    fn includes_of_every_kind_are_followed_in_their_place() {
        let folder = described(&[
            (
                "sshd",
                "# comment\n@include common-auth\naccount required pam_nologin.so # why\n@include common-account\n",
            ),
            ("common-auth", "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n"),
            (
                "common-account",
                "account include deeper\n-account optional /lib/security/pam_twofactor.so [conf=/x y]\n",
            ),
            ("deeper", "auth required pam_never.so\naccount sufficient \\\n  pam_localuser.so\n"),
        ]);
        assert_eq!(modules(&folder, "sshd", Phase::Auth), ["pam_unix.so", "pam_deny.so"]);
        let account = modules(&folder, "SSHD", Phase::Account);
        assert_eq!(account, ["pam_nologin.so", "pam_localuser.so", "/lib/security/pam_twofactor.so"]);
        let all = lines("sshd", &[folder.path()]).unwrap();
        let ours = all.iter().find(|line| line.runs("pam_twofactor.so")).unwrap();
        assert_eq!(
            (ours.control.as_str(), ours.arguments.as_slice(), ours.number),
            ("optional", &["conf=/x y".to_owned()][..], 2)
        );
        assert_eq!(all[0].control, "[success=1 default=ignore]");
    }

    #[test]
    fn a_service_nobody_describes_is_other() {
        let folder = described(&[("other", "auth required pam_deny.so\n")]);
        assert_eq!(modules(&folder, "nowhere", Phase::Auth), ["pam_deny.so"]);
        assert_eq!(modules(&folder, "../sshd", Phase::Auth), ["pam_deny.so"]);
        assert!(matches!(lines("sshd", &[]), Err(ServiceError::Missing(_))));
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        let folder = described(&[("loop", "auth include loop\n"), ("broken", "@include nowhere\n")]);
        assert!(matches!(lines("loop", &[folder.path()]), Err(ServiceError::TooDeep(_))));
        assert!(matches!(lines("broken", &[folder.path()]), Err(ServiceError::Unreadable { .. })));
        let twice =
            described(&[("wide", &"auth include next\n".repeat(9)), ("next", &"auth include wide\n".repeat(9))]);
        assert!(matches!(lines("wide", &[twice.path()]), Err(ServiceError::TooDeep(_))));
        let long = described(&[("long", &"auth include next\n".repeat(99)), ("next", &"auth required x\n".repeat(99))]);
        assert!(matches!(lines("long", &[long.path()]), Err(ServiceError::TooLong(_))));
    }

    #[test]
    fn a_line_that_libpam_cannot_run_fails_where_it_stands() {
        let folder = described(&[(
            "odd",
            "atuh required pam_unix.so\naccount\naccount required\naccount include nowhere\n[auth] [required] pam_unix.so\n",
        )]);
        let lines = lines("odd", &[folder.path()]).unwrap();
        let read: Vec<_> = lines.iter().map(|line| (line.phase, line.kind.clone())).collect();
        assert_eq!(
            read,
            [
                (Phase::Auth, Kind::Broken(Flaw::Phase("atuh".to_owned()))),
                (Phase::Account, Kind::Broken(Flaw::NoControl)),
                (Phase::Account, Kind::Broken(Flaw::NoModule)),
                (Phase::Account, Kind::Broken(Flaw::Include("nowhere".to_owned()))),
                (Phase::Auth, Kind::Module),
            ]
        );
        assert_eq!(lines[4].actions, Control::parse("required"));
    }

    #[test]
    fn lines_know_their_substack_and_the_line_they_come_from() {
        let folder = described(&[
            ("sshd", "# first\nauth substack inner\n@include whole\n-auth optional pam_last.so\n"),
            ("inner", "auth include deeper\nauth required pam_b.so\n"),
            ("deeper", "auth required pam_a.so\n"),
            ("whole", "auth required pam_c.so\nauth substack deeper\n"),
        ]);
        let lines = lines("sshd", &[folder.path()]).unwrap();
        let read: Vec<_> = lines.iter().map(|line| (line.module.as_str(), line.depth, line.origin)).collect();
        assert_eq!(
            read,
            [
                ("inner", 0, 2),
                ("pam_a.so", 1, 2),
                ("pam_b.so", 1, 2),
                ("pam_c.so", 0, 3),
                ("deeper", 0, 3),
                ("pam_a.so", 1, 3),
                ("pam_last.so", 0, 4),
            ]
        );
        assert_eq!(lines[6].absence, Absence::Silent);
    }

    #[test]
    fn a_phase_that_a_service_says_nothing_about_is_that_of_other() {
        let folder = described(&[
            ("cron", "auth required pam_unix.so\n"),
            ("other", "auth required pam_deny.so\naccount required pam_deny.so\n"),
        ]);
        assert_eq!(modules(&folder, "cron", Phase::Auth), ["pam_unix.so"]);
        assert_eq!(modules(&folder, "cron", Phase::Account), ["pam_deny.so"]);
    }
}
