//! The vendor: seed files as they come with a box of fobs, and lists of who gets which.

use std::fs;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use twofactor_tests::private_host::Host;
use twofactor_tests::requirements::PYTHON;

use crate::population::{self, User};

/// Opens every zip file of this vendor.
pub(crate) const PASSWORD: &str = "a password of the vendor";

/// Writes a PSKC document: the file, the password, how many keys, how many iterations.
const KEYS: &str = "
import hashlib, sys
from pskc import PSKC
path, password, keys, iterations = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
container = PSKC()
for number in range(keys):
    container.add_key(
        id=f'k{number}', serial=str(7700000000000 + number), manufacturer='Acme',
        secret=hashlib.sha1(str(number).encode()).digest(), algorithm='urn:ietf:params:xml:ns:keyprov:pskc:totp',
        response_length=6, response_encoding='DECIMAL', time_interval=30)
container.encryption.setup_pbkdf2(password, iterations=iterations)
container.write(path)
";

/// A folder with the vendor's files.
#[derive(Debug)]
pub(crate) struct Vendor(PathBuf);

/// Fobs, one for each of a range of users. Serials ascend, as on the fobs of a box: that an index of serials is filled
/// from one end to the other is what suits the reference best.
#[derive(Debug, Clone)]
pub(crate) struct Seeds {
    users: Range<usize>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Clock,
    Counter,
}

impl Seeds {
    /// Fobs with a clock.
    pub(crate) fn clocks(users: Range<usize>) -> Self {
        Self { users, kind: Kind::Clock }
    }

    /// Fobs that count.
    pub(crate) fn counters(users: Range<usize>) -> Self {
        Self { users, kind: Kind::Counter }
    }

    /// The serial of a user's fob with a clock.
    pub(crate) fn serial_of(user: User) -> String {
        Kind::Clock.serial(user)
    }

    /// Serials and secrets.
    fn rows(self) -> impl Iterator<Item = (String, String)> {
        let kind = self.kind;
        self.users.map(User).map(move |user| {
            let secret = match kind {
                Kind::Clock => user.app().secret,
                Kind::Counter => user.counter_fob().secret,
            };
            (kind.serial(user), secret)
        })
    }

    /// Serials and names.
    fn owners(self) -> impl Iterator<Item = (String, String)> {
        let kind = self.kind;
        self.users.map(User).map(move |user| (kind.serial(user), user.name()))
    }
}

impl Kind {
    /// Thirteen digits.
    fn serial(self, user: User) -> String {
        let first: usize = match self {
            Self::Clock => 2_865_000_000_000,
            Self::Counter => 3_865_000_000_000,
        };
        (first + user.0).to_string()
    }
}

impl Vendor {
    /// A vendor who keeps everything in `folder`, which is made.
    pub(crate) fn open(folder: &Path) -> Self {
        population::make_folder(folder);
        let vendor = Self(folder.to_owned());
        vendor.write("password", [PASSWORD.to_owned()].into_iter());
        vendor
    }

    /// The file that [`PASSWORD`] stands in.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.0.join("password")
    }

    /// A plain file of `serial,secret` lines.
    pub(crate) fn file(&self, name: &str, seeds: Seeds) -> PathBuf {
        self.write(&format!("{name}.csv"), seeds.rows().map(|(serial, secret)| format!("{serial},{secret}")))
    }

    /// The same in a zip file, encrypted with AES-256 by 7z.
    pub(crate) fn sealed_file(&self, host: &Host, name: &str, seeds: Seeds) -> PathBuf {
        let plain = self.file(name, seeds);
        let sealed = plain.with_extension("zip");
        let (from, to) = (plain.display().to_string(), sealed.display().to_string());
        let password = format!("-p{PASSWORD}");
        host.succeed("7z", ["a", "-tzip", "-mem=AES256", "-bd", password.as_str(), to.as_str(), from.as_str()]);
        fs::remove_file(plain).expect("the plain file can be removed");
        sealed
    }

    /// A PSKC document with so many keys under a key that is derived from [`PASSWORD`], written by python3-pskc.
    pub(crate) fn encrypted_keys(&self, host: &Host, name: &str, keys: usize, iterations: usize) -> PathBuf {
        let path = self.0.join(name).with_extension("xml");
        let written = path.display().to_string();
        let numbers = [keys.to_string(), iterations.to_string()];
        host.succeed(PYTHON, ["-c", KEYS, written.as_str(), PASSWORD, numbers[0].as_str(), numbers[1].as_str()]);
        path
    }

    /// A PSKC document of so many elements: few keys, and beside them nothing that is known.
    pub(crate) fn elements(&self, name: &str, elements: usize) -> PathBuf {
        // The root, and 200 elements a package: itself, five of its key, and others.
        let packages = (elements - 1) / 200;
        let begin = "<KeyContainer Version='1.0' xmlns='urn:ietf:params:xml:ns:keyprov:pskc'>".to_owned();
        let packages = (0..packages).map(|number| {
            let secret = "MTIzNDU2Nzg5MDEyMzQ1".to_owned() + &data_encoding::BASE64.encode(&number.to_be_bytes());
            let key = format!("<Key Id='{number}' Algorithm='totp'><Data><Secret><PlainValue>{secret}</PlainValue>");
            format!("<KeyPackage>{key}</Secret></Data></Key>{}</KeyPackage>", "<a/>".repeat(195))
        });
        let lines = std::iter::once(begin).chain(packages).chain(["</KeyContainer>".to_owned()]);
        self.write(&format!("{name}.xml"), lines)
    }

    /// A file of `serial,user` lines.
    pub(crate) fn owners(&self, name: &str, seeds: Seeds) -> PathBuf {
        self.write(&format!("{name}.csv"), seeds.owners().map(|(serial, user)| format!("{serial},{user}")))
    }

    fn write(&self, name: &str, mut lines: impl Iterator<Item = String>) -> PathBuf {
        let path = self.0.join(name);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|file| {
            let mut file = BufWriter::new(file);
            lines.try_for_each(|line| writeln!(file, "{line}"))?;
            file.flush()
        });
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}
