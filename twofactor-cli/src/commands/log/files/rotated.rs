//! A log file and its older generations, however they are named and packed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;
use nix::fcntl::OFlag;
use twofactor_core::host::clock::UnixTime;

/// A file of a log.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    written: UnixTime,
    generation: Generation,
    packing: Packing,
}

/// The age of a file: a daemon still writes it, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Generation {
    Rotated,
    Current,
}

/// The packing of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    /// By a program that unpacks it to its standard output, told `-dc`.
    By(&'static str),
}

const PACKINGS: [(&str, Packing); 4] =
    [("gz", Packing::Gzip), ("xz", Packing::By("xz")), ("zst", Packing::By("zstd")), ("bz2", Packing::By("bzip2"))];

/// The file and what logrotate made of older ones (`auth.log.1`, `auth.log.2.gz`, `secure-20261101`): each opened once to see
/// whether that can be done.
pub(super) fn family(current: &Path) -> Vec<(PathBuf, io::Result<LogFile>)> {
    let (Some(folder), Some(name)) = (current.parent(), current.file_name().and_then(OsStr::to_str)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.file_name().and_then(OsStr::to_str).is_some_and(|found| is_generation(name, found)));
    // While one is being packed it is there twice.
    let plain = paths.clone();
    paths.retain(|path| packing(path) == Packing::Plain || !plain.contains(&path.with_extension("")));
    paths
        .into_iter()
        .map(|path| {
            let generation = if path == current { Generation::Current } else { Generation::Rotated };
            let file = LogFile::examine(&path, generation);
            (path, file)
        })
        .collect()
}

/// True when `found` is `name` or an older generation of it.
fn is_generation(name: &str, found: &str) -> bool {
    let Some(rest) = found.strip_prefix(name) else { return false };
    let rest = PACKINGS.iter().find_map(|(ending, _)| rest.strip_suffix(ending)?.strip_suffix('.')).unwrap_or(rest);
    let number = rest.strip_prefix(['.', '-']).unwrap_or(rest);
    number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && (rest.is_empty() || rest != number)
}

fn packing(path: &Path) -> Packing {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    PACKINGS.into_iter().find(|(known, _)| *known == ending).map_or(Packing::Plain, |(_, packing)| packing)
}

impl LogFile {
    fn examine(path: &Path, generation: Generation) -> io::Result<Self> {
        let found = open(path)?.metadata()?;
        let written = UnixTime::try_from(found.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        let written = written.unwrap_or(UnixTime::from_seconds(0));
        Ok(Self { path: path.to_owned(), written, generation, packing: packing(path) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The time at which it was written last.
    pub(super) fn written(&self) -> UnixTime {
        self.written
    }

    /// By which files are sorted, the oldest first.
    pub(super) fn age(&self) -> (Generation, UnixTime) {
        (self.generation, self.written)
    }

    /// Its lines, from the first.
    pub(super) fn lines(&self) -> io::Result<Lines> {
        let file = open(&self.path)?;
        let (reader, unpacker): (Box<dyn BufRead>, _) = match self.packing {
            Packing::Plain => (Box::new(BufReader::with_capacity(BUFFER, file)), None),
            Packing::Gzip => (Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file))), None),
            Packing::By(program) => {
                let mut unpacker = Command::new(program);
                unpacker.arg("-dc").stdin(file).stdout(Stdio::piped()).stderr(Stdio::null());
                let missing =
                    |error: io::Error| io::Error::new(error.kind(), format!("{program} cannot be run: {error}"));
                let mut unpacker = unpacker.spawn().map_err(missing)?;
                let stdout = unpacker.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
                (Box::new(BufReader::with_capacity(BUFFER, stdout)), Some(Unpacker(unpacker)))
            }
        };
        Ok(Lines { reader, unpacker, line: Vec::new() })
    }
}

/// Opens a regular file. Nothing else that may stand there, like a pipe without a writer, keeps us waiting.
fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

const BUFFER: usize = 64 * 1024;

/// No daemon writes longer lines.
const LONGEST_LINE: u64 = 64 * 1024;

/// The lines of a file, one at a time.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    unpacker: Option<Unpacker>,
    line: Vec<u8>,
}

impl Lines {
    /// The next line that is text; `None` at the end.
    pub(super) fn next_line(&mut self) -> io::Result<Option<&str>> {
        loop {
            self.line.clear();
            if self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)? == 0 {
                return self.unpacker.as_mut().map_or(Ok(()), Unpacker::finish).map(|()| None);
            }
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            } else if self.line.len() as u64 == LONGEST_LINE {
                self.reader.skip_until(b'\n')?;
                continue;
            }
            if std::str::from_utf8(&self.line).is_ok() {
                break;
            }
        }
        Ok(std::str::from_utf8(&self.line).ok())
    }
}

/// A program that unpacks a file.
struct Unpacker(Child);

impl Unpacker {
    /// At the end of its output: whether that was all.
    fn finish(&mut self) -> io::Result<()> {
        let status = self.0.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("damaged, or not packed as its name says ({status})")))
        }
    }
}

impl Drop for Unpacker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_generations_are_known_by_their_names() {
        for name in ["auth.log", "auth.log.1", "auth.log.2.gz", "auth.log-20261101", "auth.log-20261101.xz"] {
            assert!(is_generation("auth.log", name), "{name}");
        }
        for name in ["auth.log.old", "auth.logs", "auth.log.bak.gz", "xauth.log", "auth.log1", "auth.log.gz~"] {
            assert!(!is_generation("auth.log", name), "{name}");
        }
    }
}
