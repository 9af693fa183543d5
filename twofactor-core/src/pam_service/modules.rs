//! The known modules, by their names, and the folders they lie in.

use std::path::{Path, PathBuf};

use super::control::{Action, Outcome};
use super::first_factor::FirstFactor;
use super::line::{Flaw, Kind, Line, Phase};

/// This product's module.
pub const OURS: &str = "pam_twofactor.so";

/// Another product's module for second factors.
pub const GOOGLE_AUTHENTICATOR: &str = "pam_google_authenticator.so";

/// Another product's module for second factors.
pub const OATH: &str = "pam_oath.so";

/// Modules that ask for a first factor: a password, a finger, a card, a key.
const PRIMARY: [&str; 21] = [
    "pam_unix.so",
    "pam_unix2.so",
    "pam_sss.so",
    "pam_sss_gss.so",
    "pam_ldap.so",
    "pam_winbind.so",
    "pam_krb5.so",
    "pam_krb5afs.so",
    "pam_systemd_home.so",
    "pam_fprintd.so",
    "pam_u2f.so",
    "pam_pkcs11.so",
    "pam_p11.so",
    "pam_radius_auth.so",
    "pam_tacplus.so",
    "pam_userdb.so",
    "pam_lsass.so",
    "pam_centrifydc.so",
    "pam_ssh_agent_auth.so",
    "pam_himmelblau.so",
    "pam_kanidm.so",
];

/// Modules without a question: they judge by the user, the place and the time, or not at all. The questions of every other
/// module are unknown.
const SILENT: [&str; 65] = [
    "pam_abl.so",
    "pam_access.so",
    "pam_apparmor.so",
    "pam_canonicalize_user.so",
    "pam_cap.so",
    "pam_cgfs.so",
    "pam_cgroup.so",
    "pam_ck_connector.so",
    "pam_console.so",
    "pam_debug.so",
    "pam_echo.so",
    "pam_ecryptfs.so",
    "pam_elogind.so",
    "pam_env.so",
    "pam_faildelay.so",
    "pam_faillock.so",
    "pam_fscrypt.so",
    "pam_gdm.so",
    "pam_geoip.so",
    "pam_gnome_keyring.so",
    "pam_group.so",
    "pam_issue.so",
    "pam_keyinit.so",
    "pam_kwallet.so",
    "pam_kwallet5.so",
    "pam_lastlog.so",
    "pam_lastlog2.so",
    "pam_limits.so",
    "pam_listfile.so",
    "pam_localuser.so",
    "pam_loginuid.so",
    "pam_mail.so",
    "pam_mkhomedir.so",
    "pam_motd.so",
    "pam_namespace.so",
    "pam_nologin.so",
    "pam_oddjob_mkhomedir.so",
    "pam_oslogin_admin.so",
    "pam_postgresok.so",
    "pam_pwhistory.so",
    "pam_rootok.so",
    "pam_rundir.so",
    "pam_securetty.so",
    "pam_selinux.so",
    "pam_selinux_permit.so",
    "pam_sepermit.so",
    "pam_setquota.so",
    "pam_shells.so",
    "pam_shield.so",
    "pam_slurm.so",
    "pam_slurm_adopt.so",
    "pam_succeed_if.so",
    "pam_systemd.so",
    "pam_systemd_loadkey.so",
    "pam_tally.so",
    "pam_tally2.so",
    "pam_time.so",
    "pam_timestamp.so",
    "pam_tty_audit.so",
    "pam_umask.so",
    "pam_usertype.so",
    "pam_warn.so",
    "pam_wheel.so",
    "pam_wtmpdb.so",
    "pam_xauth.so",
];

/// Modules that ask for a second factor of another product. Some can do for a first one; that is for the stack to say.
const SECOND: [&str; 11] = [
    GOOGLE_AUTHENTICATOR,
    OATH,
    "pam_duo.so",
    "pam_privacyidea.so",
    "pam_yubico.so",
    "pam_u2f.so",
    "pam_otpw.so",
    "pam_barada.so",
    "pam_rsa.so",
    "pam_securid.so",
    "pam_linotp.so",
];

/// The folders in which distributions keep modules, besides one for each architecture below `/usr/lib`. libpam has one
/// folder compiled in: that in which its own modules lie.
const FOLDERS: [&str; 4] = ["/usr/lib64/security", "/lib64/security", "/usr/lib/security", "/lib/security"];

/// Comes with libpam itself.
pub const OF_LIBPAM: &str = "pam_permit.so";

/// The role of a line's module in its stack, as far as its name and its control tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nature {
    /// It is this product's, and asks for a code.
    Ours,
    /// It is this product's, and notes something about the first factor.
    Noting,
    /// It asks for a first factor: it is known to, or it is unknown and its success ends the phase or leaves lines out.
    Primary,
    /// It refuses whatever comes.
    Deny,
    /// It accepts whatever comes.
    Permit,
    /// It asks no question.
    Silent,
    /// Not known.
    Unknown,
}

impl Nature {
    /// Of a line.
    pub fn of(line: &Line) -> Self {
        match line.module_name() {
            _ if line.kind != Kind::Module => Self::Unknown,
            OURS if line.notes().is_some() => Self::Noting,
            OURS => Self::Ours,
            "pam_deny.so" => Self::Deny,
            OF_LIBPAM => Self::Permit,
            name if PRIMARY.contains(&name) => Self::Primary,
            name if SILENT.contains(&name) => Self::Silent,
            _ if line.phase == Phase::Auth && decides(line) => Self::Primary,
            _ => Self::Unknown,
        }
    }
}

impl Line {
    /// Its note about the first factor, if it is such a line of ours.
    pub fn notes(&self) -> Option<FirstFactor> {
        self.runs(OURS).then(|| FirstFactor::of_arguments(&self.arguments)).flatten()
    }

    /// True when it is a line of ours that asks for a code, or stores a second factor.
    pub fn is_ours(&self) -> bool {
        self.runs(OURS) && self.notes().is_none()
    }
}

/// True when a line is meant to run this product's module and misspells its name: without its end, in capitals,
/// with a letter too many, or where libpam sees no module at all. One by that name that is there is another's module.
pub fn names_ours_wrongly(line: &Line) -> bool {
    let is_meant = |word: &str| {
        let name = word.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        name.starts_with(OURS.trim_end_matches(".so"))
    };
    match &line.kind {
        Kind::Module => is_meant(&line.module) && !line.runs(OURS),
        Kind::Broken(flaw) => {
            let first = match flaw {
                Flaw::Phase(word) | Flaw::Nothing(word) => word.as_str(),
                Flaw::NoControl | Flaw::NoModule | Flaw::Include(_) => "",
            };
            let name = OURS.trim_end_matches(".so");
            [first, line.control.as_str(), line.module.as_str()]
                .iter()
                .any(|word| word.to_ascii_lowercase().contains(name))
        }
        Kind::Substack => false,
    }
}

/// True when the success of a line ends the phase or leaves other lines out.
fn decides(line: &Line) -> bool {
    let of_success = [Outcome::Success, Outcome::NewPassword].map(|outcome| line.actions.actions(outcome));
    of_success.iter().flatten().any(|action| matches!(action, Action::Done | Action::Jump(_)))
}

/// True when the success of an auth line is a second factor of another product, where a first factor was accepted too.
/// `nouserok` is none: before pam_u2f 1.3.1 it accepts whom it did not ask.
pub fn is_other_second_factor(line: &Line) -> bool {
    let name = line.module_name();
    let has = |wanted: fn(&str) -> bool| line.arguments.iter().any(|argument| wanted(argument));
    let is_script = name.starts_with("pam_python") && has(|argument| argument.contains("privacyidea"));
    let is_known = SECOND.contains(&name) && !has(|argument| argument == "nouserok");
    line.kind == Kind::Module && line.phase == Phase::Auth && (is_known || is_script)
}

/// True when the module of an auth line says yes or no to every user: it never has nothing to say.
pub(super) fn always_decides(line: &Line) -> bool {
    let ignores = || line.arguments.iter().any(|argument| argument.starts_with("ignore"));
    line.phase == Phase::Auth && (line.runs("pam_unix.so") || (line.runs("pam_sss.so") && !ignores()))
}

/// The folder in which this host's libpam looks for modules.
pub fn folder() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = architectures
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.contains("-linux-")))
        .map(|entry| entry.path().join("security"))
        .collect();
    folders.sort();
    folders.extend(FOLDERS.map(PathBuf::from));
    folders.into_iter().find(|folder| folder.join(OF_LIBPAM).exists())
}

/// The folders in which libpam looks for an included service. Debian's looks in the first alone.
pub(super) fn searched_for_includes<'f, 'p>(folders: &'f [&'p Path]) -> &'f [&'p Path] {
    if is_debians() { folders.get(..1).unwrap_or_default() } else { folders }
}

/// True for Debian's libpam, which is known by its folder of modules. The one of this architecture is looked for by its name:
/// a login with an ssh key does not list all of `/usr/lib`.
fn is_debians() -> bool {
    let own = format!("/usr/lib/{}-linux-gnu/security/{OF_LIBPAM}", std::env::consts::ARCH);
    let is_of_an_architecture = |folder: PathBuf| {
        let architecture = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        architecture.is_some_and(|name| name.contains("-linux-"))
    };
    Path::new(&own).exists() || folder().is_some_and(is_of_an_architecture)
}

/// The file of a line's module, where it is there.
pub fn file(line: &Line) -> Option<PathBuf> {
    let path = folder().unwrap_or_default().join(line.module.replace("$ISA", "."));
    path.exists().then_some(path)
}

/// True when the module of a line is not in libpam's folder. Where the folder is not known, nothing is missing.
pub fn is_missing(line: &Line) -> bool {
    let module = line.module.replace("$ISA", ".");
    match folder() {
        _ if Path::new(&module).is_absolute() => !Path::new(&module).exists(),
        Some(folder) => !folder.join(module).exists(),
        None => false,
    }
}
