//! Asking a person, or reading a script's answers from standard input.
//!
//! Invariants: whatever ends a prompt, Ctrl-C and SIGTERM included, leaves a terminal that echoes. rpassword puts the
//! terminal back only when it returns, so during a prompt no signal may end the process in its own way: they are
//! blocked, and a thread takes them, puts the terminal back and only then lets the signal do its work.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use nix::unistd::read;
use rpassword::ConfigBuilder;
use zeroize::Zeroizing;

use crate::output;

/// An answer, wiped when dropped. It may be any bytes.
pub(crate) type Answer = Zeroizing<Vec<u8>>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Standard input is at its end.
    EndOfInput,
    /// Ctrl-C.
    Interrupted,
    /// It could not be read.
    Failed(io::Error),
}

/// Longer lines are cut: no answer of ours is longer, and what is cut cannot be right.
const LONGEST_LINE: usize = 4096;

/// True when a person can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// Asks for something that is not shown while it is typed. A script's answer is one line of standard input.
pub(crate) fn ask_hidden(question: &str) -> Result<Answer, Unanswered> {
    if !is_interactive() {
        output::prompt(question);
        let line = read_line();
        // The terminal of a person who watches a script would have shown the newline that was typed.
        output::progress("");
        return line;
    }
    let guard = EchoGuard::new().map_err(Unanswered::Failed)?;
    output::prompt(question);
    // By its number and no name: it is there without a controlling terminal and without /dev too.
    let config = ConfigBuilder::new().input_reader(StandardInput).output_discard().build();
    let typed = rpassword::read_password_with_config(config);
    drop(guard);
    output::progress("");
    match typed {
        Ok(typed) => Ok(Zeroizing::new(typed.into_bytes())),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Unanswered::Interrupted),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Unanswered::EndOfInput),
        Err(error) => Err(Unanswered::Failed(error)),
    }
}

/// Standard input without a buffer, which would take what follows the line, and keep it.
struct StandardInput;

impl io::Read for StandardInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(read(io::stdin(), buffer)?)
    }
}

/// Asks for a yes; anything else is a no.
pub(crate) fn ask_yes(question: &str) -> Result<Yes, Unanswered> {
    output::prompt(question);
    let line = match read_line() {
        Err(Unanswered::EndOfInput) => {
            output::progress("");
            return Ok(Yes::No);
        }
        other => other?,
    };
    let yes = [&b"y"[..], b"yes"].iter().any(|word| line.trim_ascii().eq_ignore_ascii_case(word));
    Ok(if yes { Yes::Yes } else { Yes::No })
}

/// Waits until the person has read what stands above. Whatever is typed is no answer, and the end of the input is none
/// either.
pub(crate) fn ask_to_go_on(question: &str) -> Result<(), Unanswered> {
    output::prompt(question);
    match read_line() {
        Err(Unanswered::EndOfInput) => output::progress(""),
        other => drop(other?),
    }
    Ok(())
}

/// The answer to a yes-or-no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yes {
    Yes,
    No,
}

/// One line of standard input without its newline. Byte by byte: nothing after the line is taken away from the next reader,
/// and no buffer keeps what was read.
pub(crate) fn read_line() -> Result<Answer, Unanswered> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST_LINE));
    let mut byte = [0];
    loop {
        match read(io::stdin(), &mut byte) {
            Ok(0) if line.is_empty() => return Err(Unanswered::EndOfInput),
            Ok(0) => return Ok(line),
            Ok(_) if byte == *b"\n" => return Ok(line),
            Ok(_) if line.len() < LONGEST_LINE => line.push(byte[0]),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Unanswered::Failed(errno.into())),
        }
    }
}

/// The terminal's settings before the prompt that is open now.
static BEFORE_THE_PROMPT: Mutex<Option<Termios>> = Mutex::new(None);

/// While it lives the terminal does not echo, and a signal that ends the process puts it back first.
struct EchoGuard(Termios);

impl EchoGuard {
    fn new() -> io::Result<Self> {
        static WATCHING: Once = Once::new();
        let fatal = fatal_signals();
        // The thread inherits the mask, so every signal meets the thread that waits for it and no other.
        fatal.thread_block()?;
        let mut started = Ok(());
        WATCHING.call_once(|| started = thread::Builder::new().spawn(move || watch(fatal)).map(drop));
        started?;
        let before = tcgetattr(io::stdin())?;
        remember(Some(before.clone()));
        // The settings of rpassword, but before the prompt is shown: early typing would be read on the screen, and an
        // early Ctrl-D would be lost or an early Ctrl-C end the process untidily.
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        silent.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        silent.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(io::stdin(), SetArg::TCSANOW, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for EchoGuard {
    /// The signals stay blocked in this thread: the watching one goes on taking them, and the SIGINT that rpassword sends
    /// to this thread on Ctrl-C is reported by rpassword as well.
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
        remember(None);
    }
}

fn remember(termios: Option<Termios>) {
    *BEFORE_THE_PROMPT.lock().unwrap_or_else(PoisonError::into_inner) = termios;
}

fn fatal_signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect()
}

/// Waits for a signal, puts the terminal back, and lets the signal do its work, which may be nothing (`nohup`).
fn watch(fatal: SigSet) {
    while let Ok(signal) = fatal.wait() {
        if let Some(termios) = &*BEFORE_THE_PROMPT.lock().unwrap_or_else(PoisonError::into_inner) {
            // From the background, changing a terminal would stop us.
            let _ = SigSet::from(Signal::SIGTTOU).thread_block();
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, termios);
        }
        let this = SigSet::from(signal);
        let _ = this.thread_unblock();
        let _ = raise(signal);
        let _ = this.thread_block();
    }
}
