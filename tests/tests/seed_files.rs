//! Seed files as real programs write them, and files that were made to do harm.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use twofactor_admin::seed_files::{self, ErrorKind, ImportError, Options, SeedFile, SerialFrom};
use twofactor_core::codes::otp::Kind;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::requirements::{self, PYTHON};
use twofactor_tests::seeds::{self, Given, fuzz, kinds};

/// Whether the packers are here.
fn packers() -> bool {
    requirements::programs_met(&["zip", "7z", "bsdtar", "python3"])
}

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-files-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs a program in this folder.
    fn run(&self, program: &str, arguments: &[&dyn AsRef<OsStr>]) {
        let mut command = Command::new(requirements::program(program).unwrap_or_else(|| program.into()));
        let output = command.args(arguments.iter().map(AsRef::as_ref)).current_dir(&self.0).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&said));
    }

    /// Runs a script that makes a file.
    fn python(&self, script: &str) {
        self.run(PYTHON, &[&"-c", &script]);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const BYTES: &[u8] = b"12345678901234567890";
const PASSWORD: &str = "correct horse";
/// The key of RFC 6030's figure 6.
const KEY: &str = "12345678901234567890123456789012";

/// A thousand rows with the same secret.
fn table() -> String {
    (0..1000).map(|number| format!("{},{BASE32}\r\n", 1_234_567_000_000_u64 + number)).collect::<Vec<_>>().concat()
}

fn open(path: &Path, password: &[u8]) -> Result<SeedFile, ImportError> {
    seeds::open(File::open(path).unwrap(), &Given::password(password))
}

/// Opens a file that has `count` rows, all with the secret of [`table`].
fn opens(path: &Path, password: &[u8], count: usize) -> SeedFile {
    let file = open(path, password).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows: Vec<_> = file.rows().map(|row| row.token.unwrap()).collect();
    assert_eq!(rows.len(), count, "{}", path.display());
    assert!(rows.iter().all(|offered| offered.secret.expose() == BYTES));
    file
}

fn is_locked(path: &Path) {
    let wrong = open(path, b"wrong").map(|_| ()).unwrap_err();
    assert!(matches!(wrong, ImportError::WrongPassword), "{}: {wrong}", path.display());
    let none = seeds::open(File::open(path).unwrap(), &Given::default()).map(|_| ()).unwrap_err();
    assert!(matches!(none, ImportError::PasswordNeeded), "{}: {none}", path.display());
}

#[test]
fn zip_files_of_every_packer_and_cipher_open_with_the_password_and_not_without() {
    if !packers() {
        return;
    }
    let folder = Folder::new("ciphers");
    folder.write("tokens.csv", table());
    let password = format!("-p{PASSWORD}");
    for (name, arguments) in [
        ("zipcrypto", ["-mem=ZipCrypto", "-mm=Deflate"]),
        ("aes128", ["-mem=AES128", "-mm=Deflate"]),
        ("aes192", ["-mem=AES192", "-mm=Deflate"]),
        ("aes256", ["-mem=AES256", "-mm=Deflate"]),
        ("stored-zipcrypto", ["-mem=ZipCrypto", "-mm=Copy"]),
        ("stored-aes256", ["-mem=AES256", "-mm=Copy"]),
        ("deflate64-zipcrypto", ["-mem=ZipCrypto", "-mm=Deflate64"]),
        ("deflate64-aes256", ["-mem=AES256", "-mm=Deflate64"]),
    ] {
        let name = format!("{name}.zip");
        folder.run("7z", &[&"a", &"-tzip", &arguments[0], &arguments[1], &password, &name, &"tokens.csv"]);
        opens(&folder.path(&name), PASSWORD.as_bytes(), 1000);
        is_locked(&folder.path(&name));
    }
    folder.run("zip", &[&"-q", &"-P", &PASSWORD, &"info-zip.zip", &"tokens.csv"]);
    opens(&folder.path("info-zip.zip"), PASSWORD.as_bytes(), 1000);
    is_locked(&folder.path("info-zip.zip"));
    for cipher in ["traditional", "aes128", "aes256"] {
        let (name, option) = (format!("bsdtar-{cipher}.zip"), format!("zip:encryption={cipher}"));
        folder.run("bsdtar", &[&"-acf", &name, &"--options", &option, &"--passphrase", &PASSWORD, &"tokens.csv"]);
        opens(&folder.path(&name), PASSWORD.as_bytes(), 1000);
        is_locked(&folder.path(&name));
    }
}

#[test]
fn a_zip_file_in_the_clear_opens_with_a_warning_and_without_a_question() {
    if !packers() {
        return;
    }
    let folder = Folder::new("clear");
    folder.write("tokens.csv", table());
    folder.run("zip", &[&"-q", &"plain.zip", &"tokens.csv"]);
    // Written to a pipe: the sizes stand behind the data.
    folder.run("sh", &[&"-c", &"zip -q - tokens.csv | cat > piped.zip"]);
    for name in ["plain.zip", "piped.zip"] {
        let file = seeds::open(File::open(folder.path(name)).unwrap(), &Given::default()).unwrap();
        assert_eq!(file.row_count(), 1000);
        assert!(file.notes().iter().any(|note| note.to_string().contains("travelled in the clear")), "{name}");
    }
}

#[test]
fn the_name_of_a_file_does_not_matter() {
    if !packers() {
        return;
    }
    let folder = Folder::new("names");
    folder.write("tokens.csv", table());
    folder.run("zip", &[&"-q", &"-P", &PASSWORD, &"tokens.zip", &"tokens.csv"]);
    fs::rename(folder.path("tokens.zip"), folder.path("invoice.pdf")).unwrap();
    opens(&folder.path("invoice.pdf"), PASSWORD.as_bytes(), 1000);
}

#[test]
fn several_entries_are_read_in_order_and_what_is_no_seed_file_is_left_alone() {
    if !packers() {
        return;
    }
    let folder = Folder::new("entries");
    folder.write("a/tokens.csv", format!("1,{BASE32}\n"));
    folder.write("b/Tokens.TXT", format!("2 {BASE32}\n"));
    folder.write("__MACOSX/a/._tokens.csv", b"\0\x05\x16\x07\0\x02\0\0");
    folder.write("README.txt", "Serial numbers and secrets are in the other files.\n");
    folder.write("logo.png", b"\x89PNG\r\n");
    folder
        .run("zip", &[&"-q", &"-r", &"-P", &PASSWORD, &"all.zip", &"a", &"b", &"__MACOSX", &"README.txt", &"logo.png"]);
    let file = opens(&folder.path("all.zip"), PASSWORD.as_bytes(), 2);
    let places: Vec<_> = file.rows().map(|row| row.place.to_string()).collect();
    assert_eq!(places, ["a/tokens.csv, line 1", "b/Tokens.TXT, line 1"]);
    assert!(file.notes().iter().any(|note| note.to_string().starts_with("README.txt: ignored")));
}

#[test]
fn a_readme_in_the_clear_is_no_seed_in_the_clear() {
    if !packers() {
        return;
    }
    let folder = Folder::new("readme");
    folder.write("tokens.csv", table());
    folder.write("README.txt", "The password comes by mail.\n");
    folder.run("zip", &[&"-q", &"-P", &PASSWORD, &"tokens.zip", &"tokens.csv"]);
    folder.run("zip", &[&"-q", &"tokens.zip", &"README.txt"]);
    let file = opens(&folder.path("tokens.zip"), PASSWORD.as_bytes(), 1000);
    assert!(!file.notes().iter().any(|note| note.to_string().contains("in the clear")), "{:?}", file.notes());
}

#[test]
fn seeds_are_said_to_have_travelled_in_the_clear_exactly_when_they_did() {
    if !packers() {
        return;
    }
    let folder = Folder::new("secrecy");
    folder.write("tokens.csv", table());
    folder.write("plain.xml", kinds::sample("PSKC (RFC 6030)", &[("1".to_owned(), BYTES.to_vec())]).unwrap().text);
    folder.write("sealed.xml", fs::read(workspace().join("tests/fuzz/corpus/pskc/rfc6030-figure-6")).unwrap());
    folder.write("a.key", KEY);
    let password = format!("-p{PASSWORD}");
    // What is encrypted in a zip file and what is not, and the entries that are told.
    for (number, (encrypted, plain, told)) in [
        (&["tokens.csv"][..], &[][..], &[][..]),
        (&[], &["tokens.csv"], &["tokens.csv"]),
        (&["plain.xml"], &[], &[]),
        (&[], &["plain.xml"], &["plain.xml"]),
        (&["tokens.csv"], &["plain.xml"], &["plain.xml"]),
        (&["a.key"], &["sealed.xml"], &[]),
        (&["a.key", "sealed.xml"], &[], &[]),
        (&["sealed.xml"], &["a.key"], &["a.key"]),
        (&[], &["sealed.xml", "a.key"], &["a.key"]),
        (&["a.key"], &["sealed.xml", "tokens.csv"], &["tokens.csv"]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{number}.zip");
        for entry in plain {
            folder.run("7z", &[&"a", &"-tzip", &name, entry]);
        }
        for entry in encrypted {
            folder.run("7z", &[&"a", &"-tzip", &"-mem=AES256", &password, &name, entry]);
        }
        let file = open(&folder.path(&name), PASSWORD.as_bytes()).unwrap();
        let notes = file.notes().iter().map(ToString::to_string).filter(|note| note.contains("travelled in the clear"));
        let said: Vec<String> = notes.map(|note| note.split([' ', ':']).next().unwrap().to_owned()).collect();
        assert_eq!(said, told, "encrypted {encrypted:?}, not {plain:?}");
    }
}

#[test]
fn a_password_beyond_ascii_opens_in_every_spelling() {
    if !packers() {
        return;
    }
    let folder = Folder::new("spellings");
    folder.write("tokens.csv", table());
    // As UTF-8, code page 437 and Latin-1.
    for (name, bytes) in [("utf8", "grün".as_bytes()), ("cp437", b"gr\x81n"), ("latin1", b"gr\xfcn")] {
        let name = format!("{name}.zip");
        folder.run("zip", &[&"-q", &"-P", &OsStr::from_bytes(bytes), &name, &"tokens.csv"]);
        opens(&folder.path(&name), "grün".as_bytes(), 1000);
        is_locked(&folder.path(&name));
    }
}

#[test]
fn two_thousand_wrong_passwords_are_all_called_wrong() {
    if !packers() {
        return;
    }
    let folder = Folder::new("wrong");
    // About eight of them pass ZipCrypto's own check; then the stream or the checksum has to tell.
    folder.write("tokens.csv", format!("1,{BASE32}\n").repeat(20));
    folder.run("zip", &[&"-q", &"-P", &PASSWORD, &"deflated.zip", &"tokens.csv"]);
    folder.run("zip", &[&"-q", &"-0", &"-P", &PASSWORD, &"stored.zip", &"tokens.csv"]);
    for name in ["deflated.zip", "stored.zip"] {
        for number in 0..1000 {
            let error = open(&folder.path(name), format!("wrong {number}").as_bytes()).map(|_| ()).unwrap_err();
            assert!(matches!(error, ImportError::WrongPassword), "{name}, {number}: {error}");
        }
    }
}

// Files that were made to do harm.

/// What `seed-reader` says about a file that it refuses: within a second and 64 MiB, as the process itself measures them.
fn harmless(path: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_seed-reader")).arg(path).arg(PASSWORD).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    let took: u64 = said.split(" ms, ").next().unwrap().parse().unwrap();
    assert!(took <= 1000, "{}: {said}", path.display());
    let peak: usize = said.split(", ").nth(1).unwrap().trim_end_matches(" KiB").parse().unwrap();
    assert!(peak <= 64 << 10, "{}: {said}", path.display());
    said
}

/// Writes zip files whose headers say what they like. The data of a bomb is a few bytes of zeros, deflated and repeated.
const FORGE: &str = r"
import struct, zlib

def bomb(size):
    piece = 1 << 20
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflate.compress(bytes(piece)); deflate.flush(zlib.Z_FULL_FLUSH)
    part = deflate.compress(bytes(piece)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return part * (size // piece) + deflate.flush()

def forge(path, data, declared, name=b'tokens.csv', method=8):
    small = declared < 0xffffffff
    extra = b'' if small else struct.pack('<HHQ', 1, 8, declared)
    size = declared if small else 0xffffffff
    fields = struct.pack('<HHHHHIIIHH', 20 if small else 45, 0, method, 0, 0x21, 0, len(data), size, len(name), len(extra))
    local = b'PK\3\4' + fields + name + extra + data
    central = b'PK\1\2' + struct.pack('<H', 45) + fields + struct.pack('<HHHII', 0, 0, 0, 0, 0) + name + extra
    end = b'PK\5\6' + struct.pack('<HHHHIIH', 0, 0, 1, 1, len(central), len(local), 0)
    open(path, 'wb').write(local + central + end)
";

#[test]
fn bombs_are_refused_whatever_size_they_declare() {
    if !packers() {
        return;
    }
    let folder = Folder::new("bombs");
    folder.python(&format!(
        "{FORGE}
data = bomb(10 << 30)
forge('declared.zip', data, 10 << 30)
forge('nothing.zip', data, 0)
forge('little.zip', data, 1000)
forge('plausible.zip', data, 60 << 20)
forge('most.zip', data, 256 << 20)
"
    ));
    for (name, expected) in [
        ("declared.zip", "TooLarge: tokens.csv unpacks to more than 256 MiB"),
        ("nothing.zip", "Invalid: the zip file is damaged"),
        ("little.zip", "Invalid: the zip file is damaged"),
        ("plausible.zip", "TooLarge: tokens.csv unpacks to far more than"),
        ("most.zip", "TooLarge: tokens.csv unpacks to far more than"),
    ] {
        let said = harmless(&folder.path(name));
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn a_table_of_contents_without_end_is_refused() {
    if !packers() {
        return;
    }
    let folder = Folder::new("entries-without-end");
    folder.python(
        "
import struct, zipfile
with zipfile.ZipFile('many.zip', 'w') as many:
    for number in range(100000):
        many.writestr(f'{number}.csv', b'')
data = open('many.zip', 'rb').read()
end = data.rindex(b'PK\\5\\6')
locator = data.rindex(b'PK\\6\\7')
record = data.rindex(b'PK\\6\\6')
size, start = struct.unpack('<QQ', data[record + 40:record + 56])
# The same without the record for many entries, with a count that fits, and with none at all.
for name, count in [('fits.zip', 60000), ('few.zip', 1001)]:
    forged = struct.pack('<HHHHIIH', 0, 0, count, count, size, start, 0)
    open(name, 'wb').write(data[:record] + b'PK\\5\\6' + forged)
# A record that announces more than there is memory for.
huge = bytearray(data)
huge[record + 24:record + 40] = struct.pack('<QQ', 1 << 40, 1 << 40)
open('huge.zip', 'wb').write(huge)
open('far.zip', 'wb').write(huge + bytes(65536))
",
    );
    for name in ["many.zip", "fits.zip", "few.zip", "huge.zip", "far.zip"] {
        let said = harmless(&folder.path(name));
        assert!(said.contains("TooLarge: the zip file has more than 1000 entries"), "{name}: {said}");
    }
}

#[test]
fn a_zip_file_in_a_zip_file_is_refused_in_words() {
    if !packers() {
        return;
    }
    let folder = Folder::new("nested");
    folder.write("tokens.csv", table());
    folder.run("zip", &[&"-q", &"inner.zip", &"tokens.csv"]);
    folder.run("zip", &[&"-q", &"-0", &"-P", &PASSWORD, &"outer.zip", &"inner.zip"]);
    let said = harmless(&folder.path("outer.zip"));
    assert!(said.contains("Invalid: inner.zip in the zip file is a zip file"), "{said}");
}

#[test]
fn a_million_rows_in_an_encrypted_zip_file_fit_into_little_memory() {
    if !packers() {
        return;
    }
    let folder = Folder::new("million");
    folder.python(
        "
import base64, random
source = random.Random(1)
with open('tokens.csv', 'w') as file:
    for number in range(1000000):
        file.write(f'{1234567000000 + number},{base64.b32encode(source.randbytes(20)).decode()}\\n')
",
    );
    let password = format!("-p{PASSWORD}");
    folder.run("7z", &[&"a", &"-tzip", &"-mx=1", &"-mem=AES256", &password, &"tokens.zip", &"tokens.csv"]);
    let output = Command::new(env!("CARGO_BIN_EXE_seed-reader")).arg(folder.path("tokens.zip")).arg(PASSWORD).output();
    let said = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(said.contains("1000000 good 0 bad"), "{said}");
    // 47 MB of text, held once. The registry needs about as much beside it, and 128 MiB are allowed together.
    let peak: usize = said.split(", ").nth(1).unwrap().trim_end_matches(" KiB").parse().unwrap();
    assert!(peak <= 64 << 10, "{said}");
}

#[test]
fn what_the_fuzz_targets_start_from_is_read_as_they_read_it() {
    for (target, read, good) in [
        ("csv", fuzz::csv as fn(&[u8]) -> usize, 15),
        ("pskc", fuzz::pskc, 8),
        ("zip_csv", fuzz::zip_csv, 7),
        ("records", fuzz::records, 17),
    ] {
        let corpus = workspace().join("tests/fuzz/corpus").join(target);
        let files = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path());
        let opened: Vec<_> = files.filter(|path| read(&fs::read(path).unwrap()) > 0).collect();
        assert!(opened.len() >= good, "of {} only these hold tokens: {opened:?}", corpus.display());
    }
}

/// A row of the manual's tables of kinds: its heading, and what stands beside it.
struct Listed {
    heading: String,
    words: String,
}

/// The rows of the manual's section about seed files: first the kinds, then the columns of tables without a header.
fn listed() -> Vec<Listed> {
    let manual = fs::read_to_string(workspace().join("man/twofactor-import.8")).unwrap();
    let (_, section) = manual.split_once(".SH SEED FILES\n").unwrap();
    let (section, _) = section.split_once("\n.SH ").unwrap();
    let mut rows: Vec<Listed> = Vec::new();
    let mut lines = section.lines().peekable();
    let mut in_row = false;
    while let Some(line) = lines.next() {
        match line {
            ".TP" | ".TQ" => {
                let heading = lines.next().unwrap();
                let (macro_name, heading) = heading.split_once(' ').unwrap();
                // `.IR` sets its words together.
                let heading =
                    if macro_name == ".IR" { heading.replace([' ', '[', ']'], "") } else { heading.to_owned() };
                rows.push(Listed { heading: heading.replace('\\', ""), words: String::new() });
                in_row = true;
            }
            ".PP" => in_row = false,
            _ if in_row => {
                let row = rows.last_mut().unwrap();
                row.words.push_str(line.strip_prefix(".IR ").or_else(|| line.strip_prefix(".I ")).unwrap_or(line));
                row.words.push(' ');
            }
            _ => {}
        }
    }
    // The rows above the one that has the words say the same.
    for place in (1..rows.len()).rev() {
        if rows[place - 1].words.is_empty() {
            let words = rows[place].words.clone();
            rows[place - 1].words = words;
        }
    }
    rows
}

/// A row of a table without header by the names of its columns, or with them above it where the manual says so.
fn by_columns(row: &Listed) -> String {
    let separator = if row.heading.contains(';') { ";" } else { "," };
    let names: Vec<&str> = row.heading.split([',', ';']).collect();
    let value = |name: &&str| match *name {
        "serial" | "serial number" => "0077000011",
        "secret" | "secret key" => BASE32,
        "counter" => "7",
        "type" => "hotp",
        "digits" => "8",
        "period-or-counter" | "time interval" => "60",
        "algorithm" => "sha256",
        "owner" => "alice@realm",
        "manufacturer" | "model" | "upn" => "acme",
        other => panic!("{other} is no column that is known"),
    };
    let values: Vec<&str> = names.iter().map(value).collect();
    let header = if row.words.contains("with its header") { names.join(separator) + "\n" } else { String::new() };
    format!("{header}{}\n", values.join(separator))
}

/// TOTP or HOTP, where the words beside a row leave no choice.
fn only_type(words: &str) -> Option<&'static str> {
    match (words.contains("TOTP"), words.contains("HOTP")) {
        (true, false) => Some("TOTP"),
        (false, true) => Some("HOTP"),
        _ => None,
    }
}

#[test]
fn every_row_of_the_manuals_tables_is_what_a_file_of_that_kind_gives() {
    let rows = listed();
    let tokens =
        [("7700000011".to_owned(), BYTES.to_vec()), ("7700000029".to_owned(), b"another secret of 20".to_vec())];
    let mut kinds = Vec::new();
    for row in &rows {
        let text = match kinds::sample(&row.heading, &tokens) {
            Some(sample) => sample.text,
            None if row.heading.contains("serial") => by_columns(row),
            None if row.heading.contains("sdtid") => "<TKNBatch><TKNHeader/></TKNBatch>".to_owned(),
            None if row.heading.contains("DPX") => "DH FILE=\"a.dpx\"\n".to_owned(),
            None => panic!("no file of the kind {} is made here", row.heading),
        };
        let open = |options: &Options| seed_files::open(std::io::Cursor::new(&text), options, &mut Given::default());
        let plain = open(&Options::default());
        if row.words.starts_with("Refused") {
            assert!(matches!(plain, Err(ImportError::Foreign(_))), "{}", row.heading);
            continue;
        }
        let options = Options { serial_from: Some(SerialFrom::Label), ..Options::default() };
        let of_an_app = matches!(plain, Err(ImportError::SerialFrom));
        assert_eq!(of_an_app, row.heading.ends_with("export") || row.heading.ends_with("URIs"), "{}", row.heading);
        let file = open(&options).unwrap_or_else(|error| panic!("{}: {error}", row.heading));
        let read: Vec<_> = file.rows().map(|row| row.token.unwrap()).collect();
        if row.heading.contains("serial") {
            assert_eq!((read[0].serial.as_str(), read[0].secret.expose()), ("0077000011", BYTES), "{}", row.heading);
        } else {
            let read: Vec<_> = read.iter().map(|token| (token.serial.as_str(), token.secret.expose())).collect();
            let given: Vec<_> = tokens.iter().map(|(serial, secret)| (serial.as_str(), secret.as_slice())).collect();
            assert_eq!(read, given, "{}", row.heading);
            kinds.push(row.heading.as_str());
            let form = file.form().to_string();
            assert!(form == row.heading || (row.heading == "tables" && form.starts_with("delimited text")), "{form}");
        }
        let is = |kind: Kind| if matches!(kind, Kind::Hotp) { "HOTP" } else { "TOTP" };
        if let Some(said) = only_type(&row.words) {
            assert!(read.iter().all(|token| is(token.parameters.kind) == said), "{}: {}", row.heading, row.words);
        }
        for (words, seconds, digits) in [("6 digits, 30 seconds", 30, 6)] {
            if row.words.contains(words) {
                let Kind::Totp(period) = read[0].parameters.kind else { panic!("{}", row.heading) };
                assert_eq!((period.seconds(), read[0].parameters.digits.count()), (seconds, digits));
            }
        }
    }
    assert_eq!(kinds, kinds::KINDS, "the manual lists the kinds that are made here, in their order");
    assert!(rows.iter().filter(|row| row.heading.contains("serial")).count() >= 6, "and the columns of tables");
}

#[test]
fn what_the_fuzz_targets_start_from_has_every_kind_of_the_manual() {
    let options = Options { serial_from: Some(SerialFrom::Label), ..Options::default() };
    let mut read = vec!["tables".to_owned(), "PSKC (RFC 6030)".to_owned()];
    for entry in fs::read_dir(workspace().join("tests/fuzz/corpus/records")).unwrap() {
        let source = File::open(entry.unwrap().path()).unwrap();
        let file = seed_files::open(source, &options, &mut Given::default()).unwrap();
        assert!(file.rows().all(|row| row.token.is_ok()), "{}", file.form());
        read.push(file.form().to_string());
    }
    let mut listed = kinds::KINDS.map(str::to_owned).to_vec();
    listed.sort();
    read.sort();
    read.dedup();
    assert_eq!(listed, read);
}

#[test]
fn the_bounds_of_time_are_those_of_the_manual_and_of_the_refusals() {
    let manual = fs::read_to_string(workspace().join("man/twofactor-import.8")).unwrap();
    let folder = Folder::new("bounds");
    folder.write("elements.xml", format!("<KeyContainer><a>{}</a></KeyContainer>", "<b/>".repeat(2_500_000)));
    let corpus = workspace().join("tests/fuzz/corpus/pskc");
    let files =
        fs::read_dir(corpus).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default());
    let derived = files.into_iter().find(|text| text.contains("IterationCount>1000<")).expect("a derived key");
    folder.write("iterations.xml", derived.replace("IterationCount>1000<", "IterationCount>1000001<"));
    for (name, stated, said) in [
        ("elements.xml", "2,500,000 elements", "more than 2500000 elements, which take two seconds"),
        ("iterations.xml", "1,000,000 iterations", "at most 1000000 are made, which take two seconds"),
    ] {
        let source = File::open(folder.path(name)).unwrap();
        let refused = seeds::open(source, &Given::password(b"x")).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
        assert!(manual.contains(stated), "{stated}");
    }
}

// PSKC as another program writes it.

/// Three tokens, written by Debian's python3-pskc.
fn pskc(folder: &Folder, encryption: &str) {
    folder.python(&format!(
        "
from pskc import PSKC
container = PSKC()
for number in range(3):
    container.add_key(
        id=f'k{{number}}', serial=f'260021570491{{number}}', manufacturer='Acme', model='c200',
        secret=b'12345678901234567890', algorithm='urn:ietf:params:xml:ns:keyprov:pskc:totp',
        response_length=8, response_encoding='DECIMAL', time_interval=60, time_offset=0, time_drift=-1)
{encryption}
container.write('tokens.xml')
"
    ));
}

fn pskc_opens(folder: &Folder, given: &Given) {
    let file = seeds::open(File::open(folder.path("tokens.xml")).unwrap(), given).unwrap();
    let tokens: Vec<_> = file.rows().map(|row| row.token.unwrap()).collect();
    let serials: Vec<_> = tokens.iter().map(|offered| offered.serial.as_str()).collect();
    assert_eq!(serials, ["2600215704910", "2600215704911", "2600215704912"]);
    for offered in &tokens {
        assert_eq!(offered.secret.expose(), BYTES);
        let Kind::Totp(period) = offered.parameters.kind else { panic!("TOTP") };
        assert_eq!((period.seconds(), offered.parameters.digits.count(), offered.drift), (60, 8, Some(-1)));
        assert_eq!((offered.vendor.as_deref(), offered.model.as_deref()), (Some("Acme"), Some("c200")));
    }
}

#[test]
fn pskc_of_another_program_opens_with_password_and_pre_shared_key() {
    if !packers() || !requirements::python_modules_met(&["pskc"]) {
        return;
    }
    let folder = Folder::new("pskc");
    pskc(&folder, "");
    pskc_opens(&folder, &Given::default());
    for method in ["", ", algorithm='aes256-cbc'", ", prf='hmac-sha256'"] {
        pskc(&folder, &format!("container.encryption.setup_pbkdf2(b'{PASSWORD}', iterations=1000{method})"));
        pskc_opens(&folder, &Given::password(PASSWORD.as_bytes()));
        is_locked(&folder.path("tokens.xml"));
    }
    for (bits, length) in [("128", 16_u8), ("192", 24), ("256", 32)] {
        pskc(
            &folder,
            &format!("container.encryption.setup_preshared_key(key=bytes(range({length})), algorithm='aes{bits}-cbc')"),
        );
        let key: Vec<u8> = (0..length).collect();
        pskc_opens(&folder, &Given { key: Some(key.clone()), password: None });
        let wrong: Vec<u8> = key.iter().rev().copied().collect();
        let given = Given { key: Some(wrong), password: None };
        let error = seeds::open(File::open(folder.path("tokens.xml")).unwrap(), &given).map(|_| ()).unwrap_err();
        assert!(matches!(error, ImportError::WrongKey) && error.kind() == ErrorKind::WrongKey, "{error}");
    }
    // In a zip file with its key beside it, as vendors send it.
    folder.write("transport.key", (0..32).collect::<Vec<u8>>());
    folder.run("zip", &[&"-q", &"-P", &PASSWORD, &"both.zip", &"tokens.xml", &"transport.key"]);
    opens(&folder.path("both.zip"), PASSWORD.as_bytes(), 3);
}

// Ways to pack beyond the usual, as real packers do it.

#[test]
fn zip_files_of_every_method_that_packers_offer_open() {
    if !packers() {
        return;
    }
    let folder = Folder::new("methods");
    folder.write("tokens.csv", table());
    let password = format!("-p{PASSWORD}");
    for method in ["BZip2", "LZMA"] {
        for cipher in ["AES256", "ZipCrypto"] {
            let name = format!("{method}-{cipher}.zip");
            let (method, cipher) = (format!("-mm={method}"), format!("-mem={cipher}"));
            folder.run("7z", &[&"a", &"-tzip", &cipher, &method, &password, &name, &"tokens.csv"]);
            opens(&folder.path(&name), PASSWORD.as_bytes(), 1000);
            is_locked(&folder.path(&name));
        }
    }
    folder.run("zip", &[&"-q", &"-Z", &"bzip2", &"bzip2.zip", &"tokens.csv"]);
    // Its entry says zip64, as it came from a pipe, and so does its end.
    folder.run("sh", &[&"-c", &"zip -q -fz - - < tokens.csv > zip64.zip"]);
    // zstd and xz, by a program that puts together what the compressors made.
    folder.python(
        "
import struct, zlib, subprocess
data = open('tokens.csv', 'rb').read()
for number, program in ((93, 'zstd'), (95, 'xz')):
    packed = subprocess.run([program, '-q', '-c'], input=data, stdout=subprocess.PIPE, check=True).stdout
    name = b'tokens.csv'
    fields = struct.pack('<HHHHHIIIHH', 63, 0, number, 0, 0x5b6f, zlib.crc32(data), len(packed), len(data), len(name), 0)
    local = b'PK\\3\\4' + fields + name + packed
    central = b'PK\\1\\2' + struct.pack('<H', 63) + fields + struct.pack('<HHHII', 0, 0, 0, 0, 0) + name
    end = b'PK\\5\\6' + struct.pack('<HHHHIIH', 0, 0, 1, 1, len(central), len(local), 0)
    open(program + '.zip', 'wb').write(local + central + end)
",
    );
    // Behind a program, as a self-extracting archive is.
    folder.run(
        "sh",
        &[&"-c", &"cat /bin/true bzip2.zip > bzip2.exe && cp bzip2.exe adjusted.exe && zip -q -A adjusted.exe"],
    );
    for name in ["bzip2.zip", "zip64.zip", "zstd.zip", "xz.zip", "bzip2.exe", "adjusted.exe"] {
        opens(&folder.path(name), b"", 1000);
    }
}

#[test]
fn what_cannot_be_unpacked_is_named_before_a_password_is_asked_for() {
    if !packers() {
        return;
    }
    let folder = Folder::new("foreign");
    folder.write("tokens.csv", table());
    let password = format!("-p{PASSWORD}");
    folder.run("7z", &[&"a", &"-tzip", &"-mm=PPMd", &"-mem=AES256", &password, &"ppmd.zip", &"tokens.csv"]);
    folder.run("7z", &[&"a", &"-mhe=on", &password, &"seeds.7z", &"tokens.csv"]);
    folder.run("sh", &[&"-c", &"gzip -c tokens.csv > a.gz; bzip2 -c tokens.csv > a.bz2; xz -c tokens.csv > a.xz; xz --format=lzma -c tokens.csv > a.lzma; tar -cf a.tar tokens.csv; tar -czf a.tgz tokens.csv"]);
    folder.python("import random; open('noise', 'wb').write(random.Random(1).randbytes(200000))");
    folder.run("sh", &[&"-c", &"zip -q -s 64k split.zip noise tokens.csv"]);
    folder.run(
        "sh",
        &[
            &"-c",
            &"openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=a -days 2 2>/dev/null
            openssl cms -encrypt -in tokens.csv -out a.p7m cert.pem
            openssl cms -encrypt -in tokens.csv -outform DER -out a.der cert.pem
            openssl cms -encrypt -in tokens.csv -outform PEM -out a.pem cert.pem",
        ],
    );
    for (name, expected, hint) in [
        ("ppmd.zip", "tokens.csv in the zip file is packed with PPMd", "7z x -so FILE tokens.csv | "),
        ("seeds.7z", "a 7z archive", "7z x -so FILE | "),
        ("a.gz", "gzip", "gzip -dc FILE | "),
        ("a.tgz", "gzip", "gzip -dc FILE | "),
        ("a.bz2", "bzip2", "bzip2 -dc FILE | "),
        ("a.xz", "xz", "xz -dc FILE | "),
        ("a.lzma", "xz", "xz -dc FILE | "),
        ("a.tar", "a tar archive", "tar -xOf FILE | "),
        ("split.zip", "one part of a zip file", "7z x -so NAME.zip | "),
        ("split.z01", "one part of a zip file", "7z x -so NAME.zip | "),
        ("a.p7m", "S/MIME", "openssl cms -decrypt -in FILE "),
        ("a.der", "S/MIME", "openssl cms -decrypt -inform DER -in FILE "),
        ("a.pem", "S/MIME", "openssl cms -decrypt -inform PEM -in FILE "),
    ] {
        let error = seeds::open(File::open(folder.path(name)).unwrap(), &Given::default()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected) && error.kind() == ErrorKind::Invalid, "{name}: {error}");
        assert!(error.hint().unwrap().contains(hint), "{name}: {:?}", error.hint());
    }
    // The commands do what they are there for.
    for (command, file) in [
        ("7z x -so ppmd.zip tokens.csv -pcorrect\\ horse", "ppmd"),
        ("gzip -dc a.gz", "gz"),
        ("bzip2 -dc a.bz2", "bz2"),
        ("xz -dc a.lzma", "lzma"),
        ("tar -xOf a.tar", "tar"),
        ("openssl cms -decrypt -in a.p7m -inkey key.pem", "p7m"),
        ("openssl cms -decrypt -inform DER -in a.der -inkey key.pem", "der"),
    ] {
        folder.run("sh", &[&"-c", &format!("{command} > out.{file}")]);
        opens(&folder.path(&format!("out.{file}")), b"", 1000);
    }
}

#[test]
fn a_zip64_file_that_lies_about_its_counts_is_refused() {
    if !packers() {
        return;
    }
    let folder = Folder::new("zip64");
    folder.write("tokens.csv", table());
    folder.run("sh", &[&"-c", &"zip -q -fz - - < tokens.csv > good.zip"]);
    folder.python(
        "
import struct
good = open('good.zip', 'rb').read()
record = good.rindex(b'PK\\6\\6')
locator = good.rindex(b'PK\\6\\7')
def forge(name, at, format, *values):
    forged = bytearray(good)
    struct.pack_into(format, forged, at, *values)
    open(name, 'wb').write(forged)
forge('count.zip', record + 24, '<QQ', 1 << 40, 1 << 40)
forge('size.zip', record + 4, '<Q', 1 << 30)
forge('elsewhere.zip', locator + 8, '<Q', 0)
",
    );
    opens(&folder.path("good.zip"), b"", 1000);
    for name in ["count.zip", "size.zip", "elsewhere.zip"] {
        let said = harmless(&folder.path(name));
        assert!(said.contains("TooLarge") || said.contains("Invalid"), "{name}: {said}");
    }
}

#[test]
fn pskc_under_every_cipher_of_another_program_opens() {
    if !packers() || !requirements::python_modules_met(&["pskc"]) {
        return;
    }
    let folder = Folder::new("pskc-ciphers");
    for (algorithm, length) in [
        ("tripledes-cbc", 24_u8),
        ("kw-aes128", 16),
        ("kw-aes192", 24),
        ("kw-aes256", 32),
        ("camellia128-cbc", 16),
        ("camellia192-cbc", 24),
        ("camellia256-cbc", 32),
        ("kw-camellia128", 16),
        ("kw-camellia192", 24),
        ("kw-camellia256", 32),
    ] {
        let setup = format!(
            "container.encryption.setup_preshared_key(key=bytes(range({length})), algorithm='{algorithm}')
container.mac.setup() if '-cbc' in '{algorithm}' else None"
        );
        pskc(&folder, &setup);
        let key: Vec<u8> = (0..length).collect();
        pskc_opens(&folder, &Given { key: Some(key.clone()), password: None });
        let wrong = Given { key: Some(key.iter().rev().copied().collect()), password: None };
        let error = seeds::open(File::open(folder.path("tokens.xml")).unwrap(), &wrong).map(|_| ()).unwrap_err();
        assert!(matches!(error, ImportError::WrongKey), "{algorithm}: {error}");
    }
    // 3DES key wrap takes whole blocks alone: a secret of 24 bytes.
    folder.python(
        "
from pskc import PSKC
container = PSKC()
container.add_key(id='k', serial='1', secret=b'123456789012345678901234', response_length=6,
    algorithm='urn:ietf:params:xml:ns:keyprov:pskc:hotp', counter=0)
container.encryption.setup_preshared_key(key=bytes(range(24)), algorithm='kw-tripledes')
container.write('tokens.xml')
",
    );
    let given = Given { key: Some((0..24).collect()), password: None };
    let file = seeds::open(File::open(folder.path("tokens.xml")).unwrap(), &given).unwrap();
    assert_eq!(file.rows().next().unwrap().token.unwrap().secret.expose(), b"123456789012345678901234");
}

#[test]
fn the_command_that_is_offered_for_owners_lists_tokens_and_users() {
    if !packers() {
        return;
    }
    let folder = Folder::new("owners");
    let hex = "3132333435363738393031323334353637383930";
    let export = format!(
        "n/a, T1, {hex}, totp, 6, 30\nalice@realm, T2, {hex}, hotp, 6\nbob@example.org@r, T3, {hex}, hotp, 6\n"
    );
    let versioned = format!("# version: 2\nalice, r, realm, T2, {hex}, totp, 6, 60\n, , , T1, {hex}, hotp, 6, 7\n");
    for (text, expected) in [(export, "T2,alice\nT3,bob@example.org\n"), (versioned, "T2,alice\n")] {
        let path = folder.write("janitor.csv", text);
        let file = open(&path, b"").unwrap();
        let note = file.notes().iter().map(ToString::to_string).find(|note| note.contains("awk")).unwrap();
        let command =
            note.split_once(": ").unwrap().1.replace(" FILE | twofactor token assign --from -", " janitor.csv > list");
        folder.run("sh", &[&"-c", &command]);
        assert_eq!(fs::read_to_string(folder.path("list")).unwrap(), expected);
    }
}
