//! Every kind of thing that can be found, with its stable word, how bad it is, and why it matters.

use std::fmt;

use super::severity::Severity::{self, Note, Problem, Warning};

/// Makes the kinds of findings from one table, so that none lacks a word, a severity or a reason.
macro_rules! catalogue {
    ($($(#[doc = $doc:literal])+ $name:ident $word:literal $severity:ident $why:literal;)+) => {
        /// The kinds of findings.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Id {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Id {
            /// All of them, in the order of the manual.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its stable word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// Its severity.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => $severity,)+ }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)+ }
            }
        }
    };
}

catalogue! {
    /// `twofactor.toml` says what it must not.
    ConfigInvalid "config-invalid" Problem "every login is refused until the configuration is right";
    /// A configuration that was named is not there.
    ConfigMissing "config-missing" Problem "every login of that service is refused";
    /// A PAM line reads another configuration than the tool.
    OtherConfig "other-config" Warning "that service follows other rules, and perhaps another state, than what is shown here";
    /// A rule is about to count as `required`.
    GraceEnding "grace-ending" Warning "from that day on these users cannot log in where a second factor is required";
    /// A rule counts as `required` already.
    GraceOver "grace-over" Note "whatever the rule says, it asks for a second factor since that day";
    /// A rule is about a service that does not run the module.
    RuleWithoutService "rule-without-service" Warning "nothing asks for a second factor there, whatever the rule says";
    /// A rule names a user or group that does not exist.
    RuleNamesNobody "rule-names-nobody" Note "no such user or group exists, so the rule never matches there: is it a typo?";

    /// A rule about groups holds for users who are in none of them, as that cannot be proved.
    RuleInDoubt "rule-in-doubt" Warning "where absence cannot be proved, the strictest rule that may match holds";
    /// A rule for users by name behind a stricter one about groups.
    RuleOrder "rule-order" Note "while the group database fails, the stricter rule before it holds for these users too";

    /// Others may read, change or replace a file.
    UnsafeFile "unsafe-file" Problem "what others can read or change is not used: the logins that need it are refused";
    /// A file cannot be read.
    UnreadableFile "unreadable-file" Problem "the logins that need it are refused";
    /// The folder of accounts is not there.
    NoStateFolder "no-state-folder" Problem "without it there is no telling which users are enrolled, so every login is refused";
    /// The state of this host is not there, or another one is.
    ForeignState "foreign-state" Problem "there is no telling which users are enrolled, so every login is refused";
    /// No marker names the state.
    UnmarkedState "unmarked-state" Note "should its file system not be mounted one day, no user would seem to be enrolled";
    /// A file of an account holds something else.
    DamagedAccount "damaged-account" Problem "every login of the user is refused";
    /// Credentials without a state.
    LostState "lost-state" Problem "the codes that were used are not known any more, so every login of the user is refused";
    /// A user holds tokens that the registry does not know of.
    LostTokens "lost-tokens" Problem "the registry is not what it was, so the user's tokens open nothing";
    /// Tokens of a user are in an older version's registry alone.
    NotMigrated "not-migrated" Problem "logins with the user's physical tokens are refused until they are moved";
    /// The registry and an owner's file differ.
    TokenDiffers "token-differs" Problem "a change was interrupted, or one of the two was restored from a backup";
    /// The registry does not know a token of a user.
    UnknownToken "unknown-token" Warning "it opens sessions, and no command can take it away";
    /// Left behind by a crash.
    LeftOver "left-over" Note "it blocks no login and the next change replaces it, but it may hold a secret";
    /// A file that is not ours.
    UnknownFile "unknown-file" Note "twofactor does not look at it; a copy of a secret does not belong there";
    /// No room for new enrollments.
    DiskNearlyFull "disk-nearly-full" Warning "no user can be enrolled on a full disk; logins of enrolled users go on";
    /// Logins cannot be recorded.
    ReadOnlyFileSystem "read-only-file-system" Problem "a login that cannot be recorded is refused";
    /// The state is on another host.
    NetworkFileSystem "network-file-system" Warning "a registry on a network file system can be damaged, and locks may not hold";
    /// Not a registry of ours, or no longer.
    RegistryDamaged "registry-damaged" Problem "no token can be assigned, taken back or registered; logins go on";
    /// A file beside it cannot be used.
    RegistryObstructed "registry-obstructed" Problem "no token can be assigned or taken back until it is set aside; logins go on";
    /// Something was set aside there.
    SetAside "set-aside" Note "a log that cannot be read may have held changes that are missing now";
    /// There is none, and a helpdesk.
    NoRegistry "no-registry" Warning "each act of the helpdesk stands in its history first, so no member can do more than look";
    /// A newer version wrote it.
    RegistryNewer "registry-newer" Problem "this older version can assign no token and take none back; logins go on";
    /// It cannot answer now.
    RegistryUnavailable "registry-unavailable" Problem "no token can be assigned, taken back or registered; logins go on";

    /// No backup, and something to lose.
    NeverBackedUp "never-backed-up" Note "with the disk, every user's second factor would be lost";
    /// The last backup is long ago.
    BackupOld "backup-old" Warning "users and tokens that have come since would be lost with the disk";
    /// Its file is not there.
    BackupGone "backup-gone" Note "a backup that is nowhere brings no user back";
    /// Its file is another one.
    BackupDamaged "backup-damaged" Warning "age refuses a damaged file, so nothing comes back from it";
    /// Its file cannot be read.
    BackupUnreadable "backup-unreadable" Warning "what cannot be read now may not be read on the day it is needed";

    /// The module is nowhere.
    NoService "no-service" Warning "no login on this host is asked for a second factor";
    /// Another service of the same program is without the module.
    SiblingUnguarded "sibling-unguarded" Warning "the same users may use the other service, and there the password alone is enough";
    /// A service cannot be read as libpam reads it.
    ServiceUnreadable "service-unreadable" Problem "libpam gives such a service up: every login is refused, or it is done by \"other\"";
    /// Versions of libpam read a service differently.
    ServiceAmbiguous "service-ambiguous" Problem "one version of libpam runs lines that another takes for arguments: the password alone may be enough";
    /// Only an account line.
    NoAuthLine "no-auth-line" Problem "the account line alone asks for nothing: the password is enough";
    /// The first factor alone is enough.
    LineSkipped "line-skipped" Problem "the password alone is enough there";
    /// A refusal of ours does not count.
    LineOverruled "line-overruled" Problem "a wrong code, or none, opens a session";
    /// A refused first factor does not count.
    PasswordOverruled "password-overruled" Problem "the second factor alone is enough, without the password";
    /// Some are asked nothing.
    AsksNothing "asks-nothing" Note "meant for root behind su and the like; no other user should come that way";
    /// Users whom we do not ask are refused.
    OnlyIgnores "only-ignores" Warning "users who need no second factor by the rules are refused there";
    /// Our line is told of a failure where nothing has failed.
    ToldWrongly "told-wrongly" Problem "users with the right password are refused there";
    /// Our line is not told of a failure.
    NeverTold "never-told" Warning "a wrong password goes on to the code, and wrong codes of people without it count";
    /// The file that tells it is another one.
    FirstFactorFile "first-factor-file" Warning "what it says is not what \"service enable\" writes; see the other findings for what follows";
    /// No service includes it.
    FirstFactorUnused "first-factor-unused" Note "it does nothing, but it names the module, which a package does not leave behind";
    /// Two of our lines ask in one login.
    AskedTwice "asked-twice" Problem "no code is good twice, so a login needs two of them, and sshd's first answer is refused";
    /// No user can log in.
    NeverSucceeds "never-succeeds" Problem "no user can log in with this service";
    /// The module's file is not there.
    ModuleMissing "module-missing" Problem "libpam cannot load it: every login of the service fails";
    /// The module's file is none.
    ModuleDamaged "module-damaged" Problem "libpam cannot load it: every login of the service fails";
    /// A line that libpam makes a failure of.
    BrokenLine "broken-line" Problem "libpam makes a failure of such a line whenever it is reached";
    /// Enrollment at login is the rule, and nothing stores it.
    EnrollmentImpossible "enrollment-impossible" Problem "users who should enroll at login are refused";
    /// No account line, and no rule needs one.
    NoAccountLine "no-account-line" Note "notices are not shown, and no user could enroll at login";
    /// An expired password ends the phase before our line, or decides how it ends.
    AccountLineLate "account-line-late" Note "a user who enrolls and changes an expired password in one login has to enroll again";
    /// An account line refuses, and ours stores all the same.
    StoredThoughRefused "stored-though-refused" Note "a user whom that line refuses has set up a second factor all the same, for the day it lets in";
    /// A password line runs the module.
    PasswordLine "password-line" Problem "the module has nothing to say when a password is changed, and a control that makes a failure of that refuses every change";
    /// A program without root's rights runs the module.
    ProgramNotRoot "program-not-root" Problem "it asks about other users than its own, which the broker answers only by a [[caller]] of the configuration, so every login is refused";
    /// A `[[caller]]` that lets no program ask.
    CallerIdle "caller-idle" Warning "no program asks the broker by it, or about no user";
    /// A `[[helpdesk]]` that lets no user help.
    HelpdeskIdle "helpdesk-idle" Warning "no user has leave by it";
    /// A `[[helpdesk]]` with a protected group that does not exist.
    HelpdeskUnprotected "helpdesk-unprotected" Warning "whom it was meant to protect, the helpdesk may help, and so give a code to";
    /// A `[[helpdesk]]` on a host that cannot tell who is in no group.
    HelpdeskInDoubt "helpdesk-in-doubt" Warning "a user who may be in a protected group is not helped, so no user is";
    /// A program that runs as its user needs the broker, which does not listen.
    BrokerAbsent "broker-absent" Problem "the module in such a program has no store to ask, so every login is refused";
    /// A program that answers every prompt with the password runs the module.
    ProgramRepeatsPassword "program-repeats-password" Problem "the prompt for the code gets the password, so every login with a code is refused";
    /// The line of a combined service stands below the password.
    CombinedLineLate "combined-line-late" Problem "the module that asks for the password gets the code with it, so every login is refused";
    /// A program without a user runs the module.
    ProgramAsksNobody "program-asks-nobody" Note "no user is there to type a code, and there is no login to protect";
    /// A program without an auth phase runs the module.
    ProgramNeverAuthenticates "program-never-authenticates" Note "the line is never reached, so it protects nothing";
    /// An argument that means nothing.
    BadArgument "bad-argument" Problem "a line with an argument that means nothing refuses every login";
    /// `nullok`.
    NullOk "nullok" Note "on this line, required means optional: users who are not enrolled need the password only";
    /// `debug`.
    DebugLeftOn "debug-left-on" Note "every decision of every login is logged";
    /// polkit's sandbox keeps the state out of reach.
    PolkitSandbox "polkit-sandbox" Problem "polkit runs PAM in a sandbox that cannot write the state, so every login there is refused";
    /// The broker's sandbox keeps the state out of reach.
    BrokerSandbox "broker-sandbox" Problem "the broker can write no other state than the usual one, so it refuses every question about a code";

    /// sshd does not accept its own configuration.
    SshdConfigBroken "sshd-config-broken" Problem "sshd does not start again with this configuration";
    /// The running sshd has not read its configuration as it is now.
    SshdOutdated "sshd-outdated" Warning "until it is reloaded, logins go by the settings it read before, whatever is said of them here";
    /// `UsePAM no`.
    SshdWithoutPam "sshd-without-pam" Problem "sshd does not run the module at all: the password or a key is enough";
    /// `PAMServiceName` with a service that does not run the module.
    SshdOtherService "sshd-other-service" Problem "sshd runs another PAM service, which does not run the module: the password or a key is enough";
    /// `KbdInteractiveAuthentication no`.
    SshdNoPrompts "sshd-no-prompts" Problem "sshd can ask for one password only, so every login with a password is refused";
    /// `AuthenticationMethods` never asks for a code.
    SshdNeverAsks "sshd-never-asks" Problem "with these methods the module never gets to ask for a code";
    /// Every list of `AuthenticationMethods` demands the password method.
    SshdNeverPasses "sshd-never-passes" Problem "the method password answers the prompt for the code with the password: every login with a code is refused";
    /// A list of `AuthenticationMethods` demands the password method.
    SshdListNeverPasses "sshd-list-never-passes" Warning "the method password answers the prompt for the code with the password: a login that takes this list is refused";
    /// A key skips PAM's auth phase.
    SshdKeyAlone "sshd-key-alone" Note "sshd does not run PAM's auth phase for logins with a key, so no code is asked for";
    /// PAM asks for the code alone, and sshd for nothing before.
    SshdCodeAlone "sshd-code-alone" Problem "the code is the only factor: neither a password nor a key is asked for";
    /// `PasswordAuthentication yes`.
    SshdPasswordMethod "sshd-password-method" Note "this method can answer one prompt only: users who are asked for a code are refused with it";
    /// `PermitEmptyPasswords yes`.
    SshdEmptyPasswords "sshd-empty-passwords" Warning "for accounts without a password the code is the only factor";
    /// `UseDNS yes` with rules about networks.
    SshdHostNames "sshd-host-names" Warning "rules with networks match addresses only, and sshd hands host names to PAM";
    /// A signature of a security key counts without a touch.
    SshKeyUntouched "ssh-key-untouched" Problem "no-touch-required in a user's own authorized_keys lets the key sign without a person";
    /// Enrolled security keys that PAM never hears of.
    SshKeyIdle "ssh-key-idle" Warning "no login with a key goes on to PAM's service sshd, so the enrolled security keys do not count";
    /// Users may set the variable that names the key.
    SshKeyDistrusted "ssh-key-distrusted" Problem "users could name a key themselves, so no key counts there and a code is asked for";
    /// Our drop-in says one thing and sshd does another.
    SshdDropInOverridden "sshd-drop-in-overridden" Warning "sshd takes the first value of a setting that it reads; an earlier file has another one";
    /// A `Match` of which no login could be looked at.
    SshdMatchUnjudged "sshd-match-unjudged" Note "for such logins other settings may hold than those that were looked at";

    /// No service sets the clock.
    ClockNotSynchronized "clock-not-synchronized" Warning "once the clock is off by more than the window, every code by time is wrong";
    /// It is certainly wrong.
    ClockWrong "clock-wrong" Problem "every code by time is wrong, and codes that are used at that time count as used";

    /// The link of a host of a fleet does not answer.
    LinkNotRunning "link-not-running" Problem "no code of a user of the fleet can be judged on this host";
    /// The link shows servers another certificate than this host has.
    LinkCertificateOutdated "link-certificate-outdated" Warning "the servers take a renewed certificate for a week still; then none answers this host";
    /// No server of the fleet answers.
    FleetUnreachable "fleet-unreachable" Problem "no code of a user of the fleet can be judged on this host";
    /// One of several servers does not answer.
    FleetServerAway "fleet-server-away" Warning "once the others are away, too, no code of a user of the fleet can be judged on this host";
    /// There is no certificate that servers could take.
    HostCertificateInvalid "host-certificate-invalid" Problem "no server answers a host without a valid certificate";
    /// The certificate ends soon.
    HostCertificateEnding "host-certificate-ending" Warning "once it has ended, no server answers this host";
    /// The servers refuse the certificate.
    HostRevoked "host-revoked" Problem "the servers judge no code for this host any more";

    /// The state has a label that logins may not use.
    SelinuxLabel "selinux-label" Warning "under SELinux, sshd and login are kept from files with a foreign label";
    /// No policy module for sudo and su.
    SelinuxNoModule "selinux-no-module" Note "sudo and su need the policy module where their domains are confined";

    /// An account of a user who is gone.
    OrphanedAccount "orphaned-account" Warning "the next user of that name is refused, or gets its second factor where no uid is written down yet";
    /// A name that was given to another person.
    UidChanged "uid-changed" Problem "every login of the user is refused: the account may be another person's";
    /// A token of a user who is gone.
    OrphanedToken "orphaned-token" Warning "the next user of that name is refused, or gets the token where no uid is written down yet";
    /// Asked for what they do not have.
    UsersWithoutCredential "users-without-credential" Warning "they are asked for a code, have none, and cannot log in there";
    /// No administrator is left to repair the host.
    NoAdministrator "no-administrator" Problem "no administrator can log in there to repair this host";
    /// None is left while the servers of a fleet are away.
    NoLocalAdministrator "no-local-administrator" Warning "while no server of the fleet answers, no administrator can log in there to repair this host";
    /// A secret that waits for its confirmation.
    NotConfirmed "not-confirmed" Note "such an app opens no login until a code has confirmed it";
    /// Few recovery codes.
    RecoveryCodesLow "recovery-codes-low" Warning "when the phone is lost, nothing is left to log in with";
    /// Wrong codes have delayed a user.
    DelayedUser "delayed-user" Note "right codes are refused too until then: were codes guessed, or is a clock off?";
    /// Codes are burned into the future.
    CodesBurned "codes-burned" Warning "the clock was ahead when a code was used; no code of that app or token is good before";
    /// Right codes at the wrong time.
    TokenClockOff "token-clock-off" Warning "its codes are right at another time, so they are refused";
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_word_is_in_kebab_case_and_there_once() {
        let words: BTreeSet<&str> = Id::ALL.iter().map(|id| id.word()).collect();
        assert_eq!(words.len(), Id::ALL.len());
        for word in words {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{word}");
        }
    }

    #[test]
    fn reasons_are_sentences_in_lower_case_without_a_period() {
        for id in Id::ALL {
            assert!(id.why().starts_with(char::is_lowercase) && !id.why().ends_with('.'), "{id}: {}", id.why());
        }
    }
}
