//! Programs that speak to the broker by themselves, as a hostile user writes them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use twofactor_tests::broker::SOCKET;
use twofactor_tests::private_host::Host;
use twofactor_tests::requirements::PYTHON;

/// Opens connections and asks a question on each, prints an answer a line, and keeps all open until its input ends. `-` asks
/// nothing.
const HOLDER: &str = "\
import os, socket, struct, sys
uids, asked = sys.argv[1], sys.argv[2].encode()
streams = []
for uid in uids.split(','):
    if uid:
        os.setresuid(int(uid), int(uid), 0)
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(20)
    stream.connect('/run/twofactord/socket')
    streams.append(stream)
    if uid:
        os.setresuid(0, 0, 0)
    answer = b'    -'
    if asked != b'-':
        try:
            stream.sendall(struct.pack('>I', len(asked)) + asked)
        except BrokenPipeError:
            pass  # It has answered already.
        try:
            answer = stream.recv(65536) or b'    ended'
        except OSError as error:
            answer = b'    ' + str(error).encode()
    print(answer[4:].decode(), flush=True)
sys.stdin.read()
";

/// Listens where the broker would, from a socket that root has made for it.
const IMPOSTOR: &str = "\
import os, socket, sys
stream = socket.socket(socket.AF_UNIX)
stream.bind('/run/twofactord/socket')
os.chmod('/run/twofactord/socket', 0o666)
os.setresuid(int(sys.argv[1]), int(sys.argv[1]), int(sys.argv[1]))
stream.listen()
print('listening', flush=True)
sys.stdin.read()
";

/// A question that harms nothing.
pub(crate) const HELLO: &str = " version=1 ask=hello";

/// A program that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, stdin, stdout }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Lets it go on, and waits for its end.
    pub(crate) fn end(mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The processes of this host with that name. Their numbers are those of the host's own PID namespace.
pub(crate) fn processes(name: &str) -> BTreeSet<u32> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let processes = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_it = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name);
    processes.filter(is_it).collect()
}

/// Connections that are kept open, one of each uid in turn, and the answers to `question` on them.
pub(crate) fn held(host: &Host, uids: &[u32], question: &str) -> (Program, Vec<String>) {
    let mut command = host.command(PYTHON);
    let list: Vec<String> = uids.iter().map(ToString::to_string).collect();
    command.args(["-c", HOLDER, &list.join(","), question]);
    let mut holder = Program::start(command);
    let answers = uids.iter().map(|_| holder.line()).collect();
    (holder, answers)
}

/// Asks one question as a process of this uid.
pub(crate) fn answer_to(host: &Host, uid: u32, question: &str) -> String {
    let (holder, answers) = held(host, &[uid], question);
    holder.end();
    answers.concat()
}

/// A process of that user which listens at the broker's socket.
pub(crate) fn listening_as(host: &Host, uid: u32) -> Program {
    let mut command = host.command(PYTHON);
    command.args(["-c", IMPOSTOR, &uid.to_string()]);
    let mut impostor = Program::start(command);
    assert_eq!(impostor.line(), "listening", "{SOCKET}");
    impostor
}
