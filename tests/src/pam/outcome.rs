//! What an application sees of a login: messages, return codes, delays, and what the login left in its process.

use std::fmt;

/// How a login went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Everything that was shown.
    pub messages: Vec<Message>,
    /// Every call and its return code.
    pub results: Vec<(String, ReturnCode)>,
    /// The delays libpam asked the application for, in microseconds.
    pub delays: Vec<u64>,
    /// Open descriptors before the transaction and after.
    pub descriptors: (u64, u64),
    /// Resident memory after the transaction.
    pub resident_kb: u64,
}

/// Something the application was shown or asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `prompt_echo_off`, `prompt_echo_on`, `error_msg` or `text_info`.
    pub style: String,
    /// Its words.
    pub text: String,
}

/// A return code of libpam.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReturnCode(pub i64);

impl ReturnCode {
    /// `PAM_SUCCESS`
    pub const SUCCESS: Self = Self(0);
    /// `PAM_SERVICE_ERR`
    pub const SERVICE_ERR: Self = Self(3);
    /// `PAM_PERM_DENIED`
    pub const PERM_DENIED: Self = Self(6);
    /// `PAM_AUTH_ERR`
    pub const AUTH_ERR: Self = Self(7);
    /// `PAM_AUTHINFO_UNAVAIL`
    pub const AUTHINFO_UNAVAIL: Self = Self(9);
    /// `PAM_USER_UNKNOWN`
    pub const USER_UNKNOWN: Self = Self(10);
    /// `PAM_MAXTRIES`
    pub const MAXTRIES: Self = Self(11);
    /// `PAM_NEW_AUTHTOK_REQD`
    pub const NEW_AUTHTOK_REQD: Self = Self(12);
    /// `PAM_ACCT_EXPIRED`
    pub const ACCT_EXPIRED: Self = Self(13);
    /// `PAM_CONV_ERR`
    pub const CONV_ERR: Self = Self(19);
    /// `PAM_IGNORE`
    pub const IGNORE: Self = Self(25);
    /// `PAM_ABORT`
    pub const ABORT: Self = Self(26);

    const NAMES: [(Self, &'static str); 11] = [
        (Self::SUCCESS, "PAM_SUCCESS"),
        (Self::SERVICE_ERR, "PAM_SERVICE_ERR"),
        (Self::PERM_DENIED, "PAM_PERM_DENIED"),
        (Self::AUTH_ERR, "PAM_AUTH_ERR"),
        (Self::AUTHINFO_UNAVAIL, "PAM_AUTHINFO_UNAVAIL"),
        (Self::USER_UNKNOWN, "PAM_USER_UNKNOWN"),
        (Self::MAXTRIES, "PAM_MAXTRIES"),
        (Self::ACCT_EXPIRED, "PAM_ACCT_EXPIRED"),
        (Self::CONV_ERR, "PAM_CONV_ERR"),
        (Self::IGNORE, "PAM_IGNORE"),
        (Self::ABORT, "PAM_ABORT"),
    ];
}

impl fmt::Debug for ReturnCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(code, _)| code == self) {
            Some((_, name)) => formatter.write_str(name),
            None => write!(formatter, "PAM({})", self.0),
        }
    }
}

impl Outcome {
    /// The code of a call that was made once.
    #[track_caller]
    pub fn code_of(&self, call: &str) -> ReturnCode {
        let codes: Vec<ReturnCode> =
            self.results.iter().filter(|(name, _)| name == call).map(|(_, code)| *code).collect();
        let [code] = codes[..] else { panic!("{call} was called {} times: {self:?}", codes.len()) };
        code
    }

    /// What was asked, in order.
    pub fn prompts(&self) -> Vec<&str> {
        let asked = self.messages.iter().filter(|message| message.style.starts_with("prompt"));
        asked.map(|message| message.text.as_str()).collect()
    }

    /// What was shown besides.
    pub fn texts(&self) -> Vec<&str> {
        let shown = self.messages.iter().filter(|message| !message.style.starts_with("prompt"));
        shown.map(|message| message.text.as_str()).collect()
    }

    /// The code of `pam_authenticate`.
    #[track_caller]
    pub fn code(&self) -> ReturnCode {
        self.code_of("authenticate")
    }
}
