//! Setting up a second factor at login, as its user sees it: the service and the policy that allow it, the questions, and what
//! an app or a person reads in a text.

use crate::oathtool::Authenticator;
use crate::private_host::PASSWORD;
use crate::ssh::Client;
use crate::terminal::Terminal;

/// A service in which a second factor can be set up: the password, our module, and the line that stores it.
pub const STACK: &str = "\
auth required pam_unix.so nodelay
auth required pam_twofactor.so
account required pam_unix.so
account required pam_twofactor.so
session required pam_permit.so
";

/// The policy under which whoever has no second factor sets one up.
pub const ENROLL: &str = "[default]\nsecond_factor = \"enroll\"\n";

/// The same for whoever was invited.
pub const INVITED: &str = "[default]\nsecond_factor = \"enroll\"\n[enrollment]\ninvitation = \"required\"\n";

/// Asked of who is enrolled.
pub const CODE: &str = "Verification code: ";
/// Asked before a secret that was kept is shown.
pub const ONCE_MORE: &str = "Press Enter to see the QR code of your second factor: ";
/// Asked below the QR code.
pub const CONFIRM: &str = "Code from the app: ";
/// Asked before anything is shown, where an invitation is needed.
pub const INVITATION: &str = "Invitation code: ";
/// Asked of who registers a physical token.
pub const SERIAL: &str = "Serial number of the token: ";
/// Asked after the serial.
pub const FIRST: &str = "Code it shows now: ";
/// Asked after the first code.
pub const SECOND: &str = "Wait for the next code: ";

/// The end of the question that shows the recovery codes.
pub const WRITE_DOWN: &str = "Write these down, then press Enter: ";

/// What somebody is shown who has to set up an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The app that was set up with it.
    pub app: Authenticator,
    /// As it was shown.
    pub uri: String,
}

impl Offer {
    /// The last one in a text. Secret and URI must be of the same app.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        let last = |start: &str| text.lines().rev().find_map(|line| line.trim_end().strip_prefix(start));
        let secret = last("Secret: ").unwrap_or_else(|| panic!("no secret was shown:\n{text}"));
        let uri = last("otpauth://").unwrap_or_else(|| panic!("no URI was shown:\n{text}"));
        let uri = format!("otpauth://{uri}");
        let app = Authenticator::from_uri(&uri);
        assert_eq!(secret.replace(' ', ""), app.secret, "secret and URI are of one app");
        assert!(secret.split(' ').all(|group| group.len() <= 4), "in groups of four: {secret}");
        Self { app, uri }
    }
}

/// The recovery codes in a text.
pub fn recovery_codes(text: &str) -> Vec<String> {
    let code = |word: &&str| word.len() == 19 && word.split('-').all(|group| group.parse::<u16>().is_ok());
    text.split_whitespace().filter(code).map(str::to_owned).collect()
}

/// Waits at a terminal for the question with the recovery codes and presses Enter. Gives the codes.
#[track_caller]
pub fn write_down(terminal: &mut Terminal) -> Vec<String> {
    let shown = terminal.expect(WRITE_DOWN);
    terminal.type_line("");
    recovery_codes(&shown)
}

/// An ssh client that says whatever sshd says.
pub fn client(user: &str) -> Client<'_> {
    let options = &["PreferredAuthentications=keyboard-interactive", "LogLevel=INFO"];
    Client { user, password: PASSWORD, code: "", options }
}
