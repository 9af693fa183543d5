//! sshd's settings as they are printed or written, and what they make of a login with a password and a code.

use std::collections::{BTreeMap, BTreeSet};

/// The settings in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

/// The method that puts PAM's prompts to the user.
const PROMPTS: &str = "keyboard-interactive";
/// The method that answers each of PAM's prompts with the password.
const PASSWORD: &str = "password";

/// The method of keys.
const KEY: &str = "publickey";

/// The demand that sshd makes of a signature by a security key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProof {
    /// A touch.
    Touch,
    /// A touch, and a PIN or a finger.
    Verification,
}

impl KeyProof {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Touch, Self::Verification];

    /// The words of `PubkeyAuthOptions`. A PIN without a touch is possible, so the second demands both.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Touch => &[TOUCH],
            Self::Verification => &[TOUCH, VERIFICATION],
        }
    }
}

/// The keyword of them.
const KEY_OPTIONS: &str = "pubkeyauthoptions";
const TOUCH: &str = "touch-required";
const VERIFICATION: &str = "verify-required";

/// The end of a login that goes through a list of methods, where the module asks for a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The code is asked for.
    Asks,
    /// The code is answered with the password, and refused.
    NeverPasses,
    /// PAM's auth phase does not run.
    WithoutCode,
}

/// The keyword as sshd knows it today.
pub(super) fn keyword(written: &str) -> String {
    match written.to_ascii_lowercase() {
        // Its name before OpenSSH 8.7, and still a name for it.
        old if old == "challengeresponseauthentication" => "kbdinteractiveauthentication".to_owned(),
        keyword => keyword,
    }
}

impl Settings {
    /// Reads what `sshd -T` printed, or a file of settings. The first value of a keyword counts, and `Match` ends what holds for
    /// every login.
    pub fn parse(text: &str) -> Self {
        let mut settings = BTreeMap::new();
        for (keyword, value) in text.lines().filter_map(setting) {
            if keyword == "match" {
                break;
            }
            settings.entry(keyword).or_insert(value);
        }
        Self(settings)
    }

    /// The value of a keyword in small letters; empty when nothing is said of it.
    pub fn value(&self, keyword: &str) -> &str {
        self.0.get(keyword).map(String::as_str).unwrap_or_default()
    }

    /// Keyword and value of a line; `None` for a comment or an empty line.
    pub(super) fn of_line(line: &str) -> Option<(String, String)> {
        setting(line)
    }

    pub(super) fn says(&self, keyword: &str, value: &str) -> bool {
        self.value(keyword).eq_ignore_ascii_case(value)
    }

    /// True when a keyword has the words of this value, in any order, or sshd does not know it.
    pub(super) fn say_alike(&self, keyword: &str, value: &str) -> bool {
        let words = |text: &str| text.split_whitespace().map(str::to_ascii_lowercase).collect::<BTreeSet<_>>();
        self.0.get(keyword).is_none_or(|own| words(own) == words(value))
    }

    /// True when these settings lack one that `others` have.
    pub fn lack_of(&self, others: &Self) -> bool {
        others.0.keys().any(|keyword| self.value(keyword) != others.value(keyword))
    }

    /// The settings that PAM's prompts need and that are not so. Of settings in force: an sshd that does not know PAM does
    /// not print `UsePAM`.
    pub fn lacking(&self) -> Vec<&'static str> {
        let needed = [("usepam", "UsePAM no"), ("kbdinteractiveauthentication", "KbdInteractiveAuthentication no")];
        needed.into_iter().filter(|(keyword, _)| !self.says(keyword, "yes")).map(|(_, lacking)| lacking).collect()
    }

    /// True when sshd takes no signature of a security key without a touch. A user's `authorized_keys` does not change that.
    /// It does where `verify-required` stands alone: sshd looks for the touch and for the PIN apart (auth2-pubkey.c), and a
    /// program that knows the PIN needs no person.
    pub fn demands_touch(&self) -> bool {
        self.has_key_option(TOUCH)
    }

    /// True when it takes none without a PIN or a finger.
    pub(super) fn demands_verification(&self) -> bool {
        self.has_key_option(VERIFICATION)
    }

    fn has_key_option(&self, wanted: &str) -> bool {
        self.value(KEY_OPTIONS).split_whitespace().any(|option| option.eq_ignore_ascii_case(wanted))
    }

    /// The PAM service of logins, in small letters, as libpam takes it. An sshd before OpenSSH 9.8 does not print it: it takes the
    /// name by which it was started.
    pub fn pam_service(&self) -> String {
        match self.value("pamservicename") {
            "" => "sshd".to_owned(),
            name => name.to_ascii_lowercase(),
        }
    }

    /// True when logins with a key go on to PAM's auth phase, where the key that sshd has verified is looked up.
    pub fn ask_pam_after_key(&self) -> bool {
        Methods::parse(self.value("authenticationmethods")).is_some_and(|methods| methods.ask_after_key())
    }

    /// The settings that are not so although security keys with this proof need them: every login has a key and then goes
    /// on to PAM. Of settings in force.
    pub fn lacking_for_keys(&self, proof: KeyProof) -> Vec<String> {
        let mut lacking = Vec::new();
        if !self.ask_pam_after_key() || !self.without_code().is_empty() {
            lacking.push(format!("AuthenticationMethods {}", self.value("authenticationmethods")));
        }
        if !proof.options().iter().all(|option| self.has_key_option(option)) {
            lacking.push(format!("PubkeyAuthOptions {}", self.value(KEY_OPTIONS)));
        }
        lacking
    }

    /// Methods that open a session without PAM's auth phase.
    pub fn without_code(&self) -> Vec<String> {
        let offered = [
            ("pubkeyauthentication", "publickey"),
            ("hostbasedauthentication", "hostbased"),
            ("gssapiauthentication", "gssapi-with-mic"),
        ];
        match Methods::parse(self.value("authenticationmethods")) {
            None => offered
                .into_iter()
                .filter(|(keyword, _)| self.says(keyword, "yes"))
                .map(|(_, method)| method.to_owned())
                .collect(),
            Some(methods) => methods.of(Way::WithoutCode),
        }
    }
}

/// Keyword and value of a line; `None` for a comment or an empty line.
fn setting(line: &str) -> Option<(String, String)> {
    let (written, value) = line.trim().split_once([' ', '\t', '='])?;
    if written.starts_with('#') {
        return None;
    }
    let words = value
        .split([' ', '\t', '='])
        .map(|word| word.trim_matches('"'))
        .filter(|word| !word.is_empty())
        .take_while(|word| !word.starts_with('#'));
    Some((keyword(written), words.collect::<Vec<_>>().join(" ")))
}

/// The lists of `AuthenticationMethods`: a login has to go through all methods of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Methods(Vec<List>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct List {
    /// As it is written.
    text: String,
}

impl List {
    fn methods(&self) -> impl Iterator<Item = &str> {
        self.text.split(',').map(|method| method.split(':').next().unwrap_or_default())
    }

    fn way(&self) -> Way {
        let has = |wanted: &str| self.methods().any(|method| method.eq_ignore_ascii_case(wanted));
        match (has(PASSWORD), has(PROMPTS)) {
            (true, _) => Way::NeverPasses,
            (false, true) => Way::Asks,
            (false, false) => Way::WithoutCode,
        }
    }

    /// True when a key comes first and PAM's prompts later.
    fn asks_after_key(&self) -> bool {
        let place = |wanted: &str| self.methods().position(|method| method.eq_ignore_ascii_case(wanted));
        self.way() == Way::Asks && matches!((place(KEY), place(PROMPTS)), (Some(key), Some(prompts)) if key < prompts)
    }

    /// The list with prompts in the place of the password, each method once.
    fn with_prompts(&self) -> String {
        let mut methods: Vec<&str> = Vec::new();
        for method in self.methods() {
            let method = if method.eq_ignore_ascii_case(PASSWORD) { PROMPTS } else { method };
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        methods.join(",")
    }
}

impl Methods {
    /// The lists of a value; `None` when any one method is enough.
    pub fn parse(value: &str) -> Option<Self> {
        let lists: Vec<List> = value.split_whitespace().map(|list| List { text: list.to_owned() }).collect();
        let any = lists.iter().flat_map(List::methods).any(|method| method.eq_ignore_ascii_case("any"));
        (!lists.is_empty() && !any).then_some(Self(lists))
    }

    fn of(&self, way: Way) -> Vec<String> {
        self.0.iter().filter(|list| list.way() == way).map(|list| list.text.clone()).collect()
    }

    /// True when one of the lists asks for a code and lets in the users who have it.
    pub fn ask(&self) -> bool {
        !self.of(Way::Asks).is_empty()
    }

    /// The lists that a login goes through with PAM's prompts alone.
    pub fn prompts_alone(&self) -> Vec<String> {
        let alone =
            |list: &&List| list.way() == Way::Asks && list.methods().all(|one| one.eq_ignore_ascii_case(PROMPTS));
        self.0.iter().filter(alone).map(|list| list.text.clone()).collect()
    }

    /// True when one of the lists goes from a key on to PAM's prompts.
    pub fn ask_after_key(&self) -> bool {
        self.0.iter().any(List::asks_after_key)
    }

    /// The lists that refuse every login that is asked for a code: `password` answers the prompt for it with the password.
    pub fn never_pass(&self) -> Vec<String> {
        self.of(Way::NeverPasses)
    }

    /// True when every user is shut out who would have to type a code: lists with `password`, and none that asks.
    pub fn shut_out(&self) -> bool {
        !self.ask() && !self.never_pass().is_empty()
    }

    /// True when a login that has begun with other methods of a list ends at `password`, beside lists that ask.
    pub fn strand(&self) -> bool {
        self.0.iter().any(|list| list.way() == Way::NeverPasses && list.methods().nth(1).is_some())
    }

    /// True when the method `password` alone is a list: a client that takes it is refused, and can take another.
    pub(super) fn offer_password(&self) -> bool {
        !self.shut_out() && self.0.iter().any(|list| list.way() == Way::NeverPasses && list.methods().nth(1).is_none())
    }

    /// The setting with prompts in the place of passwords.
    pub fn with_prompts(&self) -> String {
        let mut lists: Vec<String> = Vec::new();
        for list in self.0.iter().map(List::with_prompts) {
            if !lists.contains(&list) {
                lists.push(list);
            }
        }
        format!("AuthenticationMethods {}", lists.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_the_method_password_can_never_pass() {
        for (value, shut_out, instead) in [
            ("password,keyboard-interactive", true, "keyboard-interactive"),
            ("publickey,password", true, "publickey,keyboard-interactive"),
            ("publickey,password publickey,keyboard-interactive:pam", false, "publickey,keyboard-interactive"),
            ("publickey password,keyboard-interactive", true, "publickey keyboard-interactive"),
            ("keyboard-interactive password", false, "keyboard-interactive"),
            ("PASSWORD", true, "keyboard-interactive"),
        ] {
            let methods = Methods::parse(value).unwrap();
            assert_eq!(methods.shut_out(), shut_out, "{value}");
            assert!(!methods.never_pass().is_empty(), "{value}");
            assert_eq!(methods.with_prompts(), format!("AuthenticationMethods {instead}"));
        }
        for value in ["publickey,keyboard-interactive", "publickey", "keyboard-interactive:pam"] {
            assert_eq!(Methods::parse(value).unwrap().never_pass(), [""; 0], "{value}");
        }
        for value in ["", "any"] {
            assert_eq!(Methods::parse(value), None);
        }
    }

    #[test]
    fn what_sshd_prints_and_what_is_written_is_read() {
        let settings = Settings::parse(
            "port 22\nusepam yes\nChallengeResponseAuthentication=yes\n# UseDNS yes\nMaxAuthTries 3 # few\n\
             authenticationmethods  \"publickey\"\tpassword\nusepam no\nMatch User bob\nPermitEmptyPasswords yes\n",
        );
        assert_eq!(settings.lacking(), [""; 0]);
        assert_eq!((settings.value("maxauthtries"), settings.value("usedns")), ("3", ""));
        assert_eq!(settings.value("authenticationmethods"), "publickey password");
        assert_eq!(settings.value("permitemptypasswords"), "");
        let none = Settings::parse("port 22\nkbdinteractiveauthentication no\n");
        assert_eq!(none.lacking(), ["UsePAM no", "KbdInteractiveAuthentication no"]);
    }
    #[test]
    fn a_key_that_pam_is_told_of_comes_before_prompts() {
        for (value, asks) in [
            ("publickey,keyboard-interactive", true),
            ("publickey,publickey,keyboard-interactive:pam", true),
            ("keyboard-interactive publickey,keyboard-interactive", true),
            ("keyboard-interactive,publickey", false),
            ("publickey,password,keyboard-interactive", false),
            ("publickey", false),
            ("keyboard-interactive", false),
            ("any", false),
        ] {
            let settings = Settings::parse(&format!("authenticationmethods {value}\n"));
            assert_eq!(settings.ask_pam_after_key(), asks, "{value}");
        }
    }

    #[test]
    fn security_keys_need_methods_and_a_touch_and_whatever_is_missing_is_named() {
        let lacking = |methods: &str, options: &str, proof: KeyProof| {
            let text = format!("authenticationmethods {methods}\npubkeyauthoptions {options}\n");
            Settings::parse(&text).lacking_for_keys(proof)
        };
        let methods = "publickey,keyboard-interactive";
        assert_eq!(lacking(methods, "touch-required", KeyProof::Touch), [""; 0]);
        assert_eq!(lacking(methods, "touch-required verify-required", KeyProof::Touch), [""; 0]);
        assert_eq!(lacking(methods, "touch-required verify-required", KeyProof::Verification), [""; 0]);
        for options in ["touch-required", "verify-required", "none"] {
            let named = format!("PubkeyAuthOptions {options}");
            assert_eq!(lacking(methods, options, KeyProof::Verification), [named.as_str()]);
        }
        for methods in ["any", "keyboard-interactive", "publickey publickey,keyboard-interactive"] {
            let named = [format!("AuthenticationMethods {methods}"), "PubkeyAuthOptions none".to_owned()];
            assert_eq!(lacking(methods, "none", KeyProof::Touch), named);
        }
        for (options, demands) in [("none", false), ("touch-required", true), ("verify-required", false), ("", false)] {
            assert_eq!(
                Settings::parse(&format!("pubkeyauthoptions {options}\n")).demands_touch(),
                demands,
                "{options}"
            );
        }
    }
}
