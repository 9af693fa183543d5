//! Controls: the effect of a module's outcome on its phase, as `required` and its like, and `[value=action …]`.
//!
//! Read as libpam reads it (libpam/pam_misc.c: `_pam_parse_control`): the words in any case, values and actions in lower
//! case; after something that it does not know every outcome is `bad`.

use std::borrow::Cow;

/// The return codes of libpam by number, as they are called in brackets (libpam/pam_tokens.h).
const CODES: [&str; 32] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
];

/// A return code of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(usize);

impl Code {
    /// PAM_SUCCESS.
    pub const SUCCESS: Self = Self(0);
    /// PAM_PERM_DENIED.
    pub const PERM_DENIED: Self = Self(6);
    /// PAM_NEW_AUTHTOK_REQD.
    pub const NEW_AUTHTOK_REQD: Self = Self(12);
    /// PAM_IGNORE.
    pub const IGNORE: Self = Self(25);
    /// PAM_MODULE_UNKNOWN.
    pub const MODULE_UNKNOWN: Self = Self(28);

    /// Every code but PAM_INCOMPLETE, which ends no phase: the application calls again.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CODES.len() - 1).map(Self)
    }

    /// As libpam returns it to an application.
    pub fn of(number: i32) -> Option<Self> {
        usize::try_from(number).ok().filter(|number| *number < CODES.len()).map(Self)
    }

    /// As it is called in brackets.
    pub fn name(self) -> &'static str {
        CODES.get(self.0).copied().unwrap_or_default()
    }

    /// As far as it matters to who reads a stack.
    pub fn outcome(self) -> Outcome {
        Outcome::of(self.0)
    }
}

/// The outcomes of a module, as far as they matter to a reader of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// PAM_SUCCESS.
    Success,
    /// PAM_IGNORE: the module has nothing to say.
    Ignore,
    /// PAM_NEW_AUTHTOK_REQD: yes, but the password has expired.
    NewPassword,
    /// PAM_MODULE_UNKNOWN: there is no such module on this host.
    Missing,
    /// Every other code.
    Failure,
}

impl Outcome {
    fn of(code: usize) -> Self {
        match Code(code) {
            Code::SUCCESS => Self::Success,
            Code::IGNORE => Self::Ignore,
            Code::NEW_AUTHTOK_REQD => Self::NewPassword,
            Code::MODULE_UNKNOWN => Self::Missing,
            _ => Self::Failure,
        }
    }
}

/// The action on an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Nothing.
    Ignore,
    /// It counts, as long as everything before was a success.
    Ok,
    /// The same, and the stack ends unless something has failed.
    Done,
    /// The phase fails; what follows still runs.
    Bad,
    /// The phase fails, and the stack ends.
    Die,
    /// The impression of this stack so far is forgotten.
    Reset,
    /// That many modules of this stack are left out.
    Jump(usize),
}

/// The actions by their words.
const ACTIONS: [(&str, Action); 6] = [
    ("ignore", Action::Ignore),
    ("ok", Action::Ok),
    ("done", Action::Done),
    ("bad", Action::Bad),
    ("die", Action::Die),
    ("reset", Action::Reset),
];

/// The action for each return code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// By the number of the code. Nearly every line has one of the four words, and shares its actions with all such lines.
    actions: Cow<'static, [Action]>,
    understood: Understood,
}

const REQUIRED: &[Action] = &of_word(Action::Ok, Action::Bad);
const REQUISITE: &[Action] = &of_word(Action::Ok, Action::Die);
const OPTIONAL: &[Action] = &of_word(Action::Ok, Action::Ignore);
const SUFFICIENT: &[Action] = &of_word(Action::Done, Action::Ignore);
const FAILING: &[Action] = &[Action::Bad; CODES.len()];

/// The actions of a word. Each ignores PAM_IGNORE.
const fn of_word(good: Action, otherwise: Action) -> [Action; CODES.len()] {
    let mut actions = [otherwise; CODES.len()];
    actions[Code::SUCCESS.0] = good;
    actions[Code::NEW_AUTHTOK_REQD.0] = good;
    actions[Code::IGNORE.0] = Action::Ignore;
    actions
}

/// The answer to: does libpam know all words of a control?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Understood {
    /// It does.
    Yes,
    /// It does not, and every outcome is a failure.
    No,
    /// It jumps further than a number of libpam goes. Since 1.6 that is nothing it knows; before, it was any other number.
    Overflows,
}

impl Control {
    /// The control as it is written, with its brackets or without.
    pub fn parse(written: &str) -> Self {
        Self::of_word(written.strip_prefix('[').map_or(written, |rest| rest.strip_suffix(']').unwrap_or(rest)))
    }

    /// The control as libpam takes it, without brackets.
    pub(super) fn of_word(inside: &str) -> Self {
        let words =
            [("required", REQUIRED), ("requisite", REQUISITE), ("optional", OPTIONAL), ("sufficient", SUFFICIENT)];
        if let Some((_, actions)) = words.into_iter().find(|(word, _)| inside.eq_ignore_ascii_case(word)) {
            return Self { actions: Cow::Borrowed(actions), understood: Understood::Yes };
        }
        match settings(inside) {
            Some(actions) => Self { actions: Cow::Owned(actions.into()), understood: Understood::Yes },
            None if overflows(inside) => Self { understood: Understood::Overflows, ..Self::failing() },
            None => Self { understood: Understood::No, ..Self::failing() },
        }
    }

    /// A control under which everything fails.
    pub(super) fn failing() -> Self {
        Self { actions: Cow::Borrowed(FAILING), understood: Understood::Yes }
    }

    /// Tells if it says something that libpam knows.
    pub fn understood(&self) -> Understood {
        self.understood
    }

    /// The possible actions for the return codes of `outcome`, each once.
    pub fn actions(&self, outcome: Outcome) -> Vec<Action> {
        let mut actions: Vec<Action> =
            self.codes().filter(|(of, _)| *of == outcome).map(|(_, action)| action).collect();
        actions.sort_unstable();
        actions.dedup();
        actions
    }

    /// The action for a return code.
    pub fn action(&self, code: Code) -> Action {
        self.actions.get(code.0).copied().unwrap_or(Action::Bad)
    }

    /// The actions of this and another control for the same return code, each combination once.
    pub fn beside(&self, other: &Self) -> Vec<(Outcome, Action, Action)> {
        let mut together: Vec<(Outcome, Action, Action)> =
            self.codes().zip(other.codes()).map(|((outcome, one), (_, other))| (outcome, one, other)).collect();
        together.sort_unstable();
        together.dedup();
        together
    }

    /// True when any outcome is treated so.
    pub fn has(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Over how many modules it jumps, each number once.
    pub fn jumps(&self) -> Vec<usize> {
        let mut jumps: Vec<usize> = self
            .actions
            .iter()
            .filter_map(|action| if let Action::Jump(over) = action { Some(*over) } else { None })
            .collect();
        jumps.sort_unstable();
        jumps.dedup();
        jumps
    }

    /// `incomplete` ends no phase: the application calls again.
    fn codes(&self) -> impl Iterator<Item = (Outcome, Action)> {
        self.actions.iter().take(CODES.len() - 1).enumerate().map(|(code, action)| (Outcome::of(code), *action))
    }
}

/// A control, as it is written, with `die` in the place of every `bad`: what refuses and goes on ends the phase. Nothing else
/// in it changes. `None` when no refusal of it goes on.
pub fn ending(written: &str) -> Option<String> {
    let inside = written.strip_prefix('[').map(|rest| rest.strip_suffix(']').unwrap_or(rest));
    let word = inside.unwrap_or(written);
    let bracketed = |word: &str| if inside.is_some() { format!("[{word}]") } else { word.to_owned() };
    if word.eq_ignore_ascii_case("required") {
        return Some(bracketed("requisite"));
    }
    let mut changed = word.to_owned();
    let mut cut = Vec::new();
    let set = settings_at(word, &mut cut).filter(|_| inside.is_some())?;
    for at in cut.into_iter().rev() {
        changed.replace_range(at..at + "bad".len(), "die");
    }
    // What is set nowhere is `bad`.
    if set.contains(&None) {
        changed.truncate(changed.trim_end().len());
        changed.push_str(" default=die");
    }
    (changed != word).then(|| bracketed(&changed))
}

/// `value=action` one after the other. `None` where libpam stops understanding.
fn settings(text: &str) -> Option<[Action; 32]> {
    let set = settings_at(text, &mut Vec::new())?;
    Some(set.map(|action| action.unwrap_or(Action::Bad)))
}

/// The same, with `None` for what is set nowhere. Where each `bad` begins is added to `bad_at`.
fn settings_at(text: &str, bad_at: &mut Vec<usize>) -> Option<[Option<Action>; 32]> {
    let mut set: [Option<Action>; 32] = [None; 32];
    let mut rest = blank(text);
    while !rest.is_empty() {
        let code = CODES.iter().position(|name| rest.starts_with(name));
        let name = match code {
            Some(code) => *CODES.get(code)?,
            None => "default",
        };
        rest = blank(blank(rest.strip_prefix(name)?).strip_prefix('=')?);
        let (action, at) = (action(rest)?, text.len() - rest.len());
        let (action, behind) = action;
        if action == Action::Bad {
            bad_at.push(at);
        }
        rest = behind;
        match code.map(|code| set.get_mut(code)) {
            Some(place) => *place? = Some(action),
            // Only for what has no action yet.
            None => set.iter_mut().filter(|place| place.is_none()).for_each(|place| *place = Some(action)),
        }
        rest = blank(rest);
    }
    Some(set)
}

fn action(text: &str) -> Option<(Action, &str)> {
    for (word, action) in ACTIONS {
        if let Some(rest) = text.strip_prefix(word) {
            return Some((action, rest));
        }
    }
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    match digits.parse::<i32>().ok().and_then(|over| usize::try_from(over).ok()) {
        Some(0) | None => None,
        Some(over) => Some((Action::Jump(over), rest)),
    }
}

fn overflows(text: &str) -> bool {
    let numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter(|number| !number.is_empty());
    numbers.into_iter().any(|number| number.parse::<i32>().is_err())
}

fn blank(text: &str) -> &str {
    text.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\x0b')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(control: &str, outcome: Outcome) -> Vec<Action> {
        Control::parse(control).actions(outcome)
    }

    #[test]
    fn codes_have_the_numbers_of_libpam() {
        let codes = [Code::SUCCESS, Code::PERM_DENIED, Code::NEW_AUTHTOK_REQD, Code::IGNORE, Code::MODULE_UNKNOWN];
        let names = ["success", "perm_denied", "new_authtok_reqd", "ignore", "module_unknown"];
        assert_eq!(codes.map(Code::name), names);
        assert_eq!(Code::all().count(), 31);
        assert_eq!((Code::of(32), Code::of(-1)), (None, None));
    }

    #[test]
    fn the_four_words_mean_what_the_manual_says() {
        let table = [
            ("required", Action::Ok, Action::Ignore, Action::Bad),
            ("Requisite", Action::Ok, Action::Ignore, Action::Die),
            ("optional", Action::Ok, Action::Ignore, Action::Ignore),
            ("[sufficient]", Action::Done, Action::Ignore, Action::Ignore),
        ];
        for (word, good, ignore, bad) in table {
            assert_eq!(action(word, Outcome::Success), [good], "{word}");
            assert_eq!(action(word, Outcome::NewPassword), [good], "{word}");
            assert_eq!(action(word, Outcome::Ignore), [ignore], "{word}");
            assert_eq!(action(word, Outcome::Failure), [bad], "{word}");
            assert_eq!(action(word, Outcome::Missing), [bad], "{word}");
        }
    }

    #[test]
    fn brackets_are_read_with_their_default_and_blanks() {
        let debian = "[success=1 new_authtok_reqd=done default=ignore]";
        assert_eq!(action(debian, Outcome::Success), [Action::Jump(1)]);
        assert_eq!(action(debian, Outcome::NewPassword), [Action::Done]);
        assert_eq!(action(debian, Outcome::Failure), [Action::Ignore]);
        assert_eq!(action("[ success = ok\tignore=ignore]", Outcome::Failure), [Action::Bad]);
        let fedora = "[default=bad success=ok user_unknown=ignore]";
        assert_eq!(action(fedora, Outcome::Failure), [Action::Ignore, Action::Bad]);
        assert_eq!(action("[default=die default=ok]", Outcome::Success), [Action::Die]);
    }

    #[test]
    fn what_refuses_and_goes_on_is_written_so_that_it_ends() {
        for (written, expected) in [
            ("required", "requisite"),
            ("REQUIRED", "requisite"),
            ("[required]", "[requisite]"),
            ("[success=ok default=bad]", "[success=ok default=die]"),
            ("[default=bad success=ok user_unknown=ignore]", "[default=die success=ok user_unknown=ignore]"),
            (
                "[ success = ok\tacct_expired =  bad  default=ignore]",
                "[ success = ok\tacct_expired =  die  default=ignore]",
            ),
            ("[bad_item=bad success=ok]", "[bad_item=die success=ok default=die]"),
            (
                "[success=ok new_authtok_reqd=ok ignore=ignore default=bad",
                "[success=ok new_authtok_reqd=ok ignore=ignore default=die]",
            ),
        ] {
            assert_eq!(ending(written).as_deref(), Some(expected), "{written}");
            for code in Code::all() {
                let (was, is) = (Control::parse(written).action(code), Control::parse(expected).action(code));
                let wanted = if was == Action::Bad { Action::Die } else { was };
                assert_eq!(is, wanted, "{written}: {}", code.name());
            }
        }
        for written in
            ["requisite", "sufficient", "optional", "[success=1 default=ignore]", "[success=ok default=BAD]", "x"]
        {
            assert_eq!(ending(written), None, "{written}");
        }
    }

    #[test]
    fn what_libpam_does_not_know_fails_whatever_comes() {
        for control in ["", "necessary", "[success=0 default=ignore]", "[succes=ok]", "[success=]", "[default=reset x]"]
        {
            let read = Control::parse(control);
            let is_empty = control.is_empty();
            assert_eq!(read.understood(), if is_empty { Understood::Yes } else { Understood::No }, "{control}");
            assert_eq!(read.actions(Outcome::Success), [Action::Bad], "{control}");
            assert_eq!(read.actions(Outcome::Ignore), [Action::Bad], "{control}");
        }
        assert_eq!(action("[success=99999999999999999999999]", Outcome::Success), [Action::Bad]);
    }
}
