//! Programs that cannot ask for a code as `sshd` and `login` do, by their PAM services, each with its reason.
//!
//! The table holds what is known from a program's source, manual or bug reports. A program that is not in it is taken for one
//! that asks every question of PAM and runs as root.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A program and how it uses PAM.
#[derive(Debug)]
pub struct Program {
    /// Its common name.
    pub name: &'static str,
    services: &'static [&'static str],
    rights: Rights,
    answers: Answers,
}

/// The rights of a program when it calls PAM.
#[derive(Debug, Clone, Copy)]
enum Rights {
    Root,
    /// Those of an account of the service, which asks about others. Where one of these files is setuid root, root's.
    Own(&'static [&'static str]),
    /// Those of the user who is asked. Where one of these files is setuid root, root's.
    User(&'static [&'static str]),
}

/// The way in which a program answers PAM's prompts.
#[derive(Debug, Clone, Copy)]
enum Answers {
    /// It puts each to the user.
    Each,
    /// It has a password and nothing else, and gives it as every answer.
    Password,
    /// No user is there.
    Nobody,
    /// It asks PAM for no login: it runs no auth phase.
    Never,
}

/// True for the PAM service of OpenSSH's server. No other program's word for a verified key counts.
pub fn is_sshd(service: &str) -> bool {
    service == "sshd"
}

/// Why a code cannot be asked for in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramObstacle {
    /// It does not run as root and asks about other users than its own: the broker answers it by a `[[caller]]` of the
    /// configuration.
    NotRoot,
    /// It runs as the user whom it asks, and has one field: the module needs the broker, and the answer has to hold password
    /// and code.
    NeedsBroker,
    /// It answers every prompt with the password. Below `[prompt] combined` that answer can hold the code, too.
    RepeatsPassword,
    /// No user is there who could type a code.
    AsksNobody,
    /// It runs no auth phase.
    NeverAuthenticates,
}

const TABLE: &[Program] = &[
    // They get a name and a password over the network.
    password("dovecot", &["dovecot"]),
    password("the mail server", &["imap", "imaps", "pop", "pop3", "pop3s", "sieve", "smtp", "smtpd", "esmtp"]),
    password("saslauthd", &["saslauthd", "sasl", "ldap", "slapd"]),
    password("courier", &["courier", "webmail"]),
    password("vsftpd", &["vsftpd", "ftp"]),
    password("proftpd", &["proftpd"]),
    password("pure-ftpd", &["pure-ftpd"]),
    password("cups", &["cups"]),
    password("xrdp", &["xrdp-sesman"]),
    password("openvpn's plugin for PAM", &["openvpn"]),
    password("pppd", &["ppp"]),
    password("netatalk", &["netatalk"]),
    password("RStudio Server", &["rstudio"]),
    password("monit", &["monit"]),
    password("ejabberd", &["ejabberd"]),
    password("TigerVNC", &["tigervnc", "vnc", "xvnc"]),
    password("VMware's authd", &["vmware-authd"]),
    // By strongSwan's manual (xauth-pam) and Libreswan's source (pam_conv.c): a VPN client sends one password.
    password("strongSwan", &["ipsec", "ikev2"]),
    password("Libreswan", &["pluto"]),
    // Their forms have a field for the name and one for the password, and nothing can be asked behind them.
    password("LXDM", &["lxdm"]),
    password("ly", &["ly"]),
    // The same with the rights of an account of their own.
    own("PostgreSQL", &["postgresql"], Answers::Password, &[]),
    own("FreeRADIUS", &["radiusd", "freeradius"], Answers::Password, &[]),
    own("nginx", &["nginx"], Answers::Password, &[]),
    // It refuses to run as root.
    own("PgBouncer", &["pgbouncer"], Answers::Password, &[]),
    own("Pgpool-II", &["pgpool"], Answers::Password, &[]),
    // Its module has the service "http" where nothing else is set.
    own("lighttpd", &["lighttpd", "http"], Answers::Password, &[]),
    own("Apache", &["apache", "apache2", "httpd"], Answers::Password, &[]),
    own("Exim", &["exim", "exim4"], Answers::Password, &[]),
    own(
        "Squid",
        &["squid"],
        Answers::Password,
        &["/usr/lib/squid/basic_pam_auth", "/usr/lib64/squid/basic_pam_auth", "/usr/libexec/squid/basic_pam_auth"],
    ),
    own(
        "MariaDB",
        &["mysql", "mariadb"],
        Answers::Each,
        &[
            "/usr/lib/mysql/plugin/auth_pam_tool_dir/auth_pam_tool",
            "/usr/lib64/mariadb/plugin/auth_pam_tool_dir/auth_pam_tool",
            "/usr/lib64/mysql/plugin/auth_pam_tool_dir/auth_pam_tool",
        ],
    ),
    // Screen lockers run as the user whose screen they lock.
    locker("swaylock", &["swaylock", "swaylock-plugin"], &[]),
    locker("i3lock", &["i3lock"], &[]),
    locker("gtklock", &["gtklock"], &[]),
    locker("waylock", &["waylock"], &[]),
    locker("hyprlock", &["hyprlock"], &[]),
    locker("KDE's screen locker", &["kde", "kscreenlocker"], &[]),
    locker(
        "xscreensaver",
        &["xscreensaver"],
        &[
            "/usr/libexec/xscreensaver/xscreensaver-auth",
            "/usr/lib/xscreensaver/xscreensaver-auth",
            "/usr/libexec/xscreensaver-auth",
            "/usr/lib/xscreensaver-auth",
        ],
    ),
    locker("mate-screensaver", &["mate-screensaver"], &[]),
    locker("cinnamon-screensaver", &["cinnamon-screensaver"], &[]),
    locker("xfce4-screensaver", &["xfce4-screensaver"], &[]),
    locker("gnome-screensaver", &["gnome-screensaver"], &[]),
    locker("xsecurelock", &["xsecurelock"], &[]),
    locker("xlock", &["xlock"], &["/usr/bin/xlock"]),
    locker("vlock", &["vlock"], &["/usr/sbin/vlock-main", "/usr/bin/vlock"]),
    locker("screen", &["screen"], &["/usr/bin/screen"]),
    // They start something for a user who is not there.
    unattended("cron", &["cron", "crond"]),
    unattended("at", &["atd"]),
    unattended("systemd's user manager", &["systemd-user"]),
    unattended("runuser", &["runuser", "runuser-l"]),
    unattended("run0", &["systemd-run0"]),
    unattended("the greeter's own session", &["gdm-launch-environment", "lightdm-greeter", "sddm-greeter"]),
    unattended("automatic login", &["gdm-autologin", "lightdm-autologin", "sddm-autologin"]),
    // They change passwords, or identify the user by other means.
    never("passwd", &["passwd"]),
    never("chpasswd", &["chpasswd"]),
    never("newusers", &["newusers"]),
    never("Samba", &["samba"]),
];

const fn password(name: &'static str, services: &'static [&'static str]) -> Program {
    Program { name, services, rights: Rights::Root, answers: Answers::Password }
}

const fn own(
    name: &'static str,
    services: &'static [&'static str],
    answers: Answers,
    setuid: &'static [&'static str],
) -> Program {
    Program { name, services, rights: Rights::Own(setuid), answers }
}

const fn locker(name: &'static str, services: &'static [&'static str], setuid: &'static [&'static str]) -> Program {
    Program { name, services, rights: Rights::User(setuid), answers: Answers::Each }
}

const fn unattended(name: &'static str, services: &'static [&'static str]) -> Program {
    Program { name, services, rights: Rights::Root, answers: Answers::Nobody }
}

const fn never(name: &'static str, services: &'static [&'static str]) -> Program {
    Program { name, services, rights: Rights::Root, answers: Answers::Never }
}

/// The program that uses a PAM service, when it is one of the table. libpam takes names in small letters.
pub fn of(service: &str) -> Option<&'static Program> {
    TABLE.iter().find(|program| program.services.iter().any(|name| name.eq_ignore_ascii_case(service)))
}

/// True when the program of a service does not run as root, so that the module in it asks the broker.
pub fn needs_broker(service: &str) -> bool {
    let obstacle = of(service).and_then(Program::obstacle);
    matches!(obstacle, Some(ProgramObstacle::NeedsBroker | ProgramObstacle::NotRoot))
}

impl Program {
    /// Why a code cannot be asked for in it on this host; `None` when it can.
    pub fn obstacle(&self) -> Option<ProgramObstacle> {
        self.obstacle_with(&is_setuid_root)
    }

    /// True when it has a password and nothing else, and gives it as every answer.
    pub fn repeats_password(&self) -> bool {
        matches!(self.answers, Answers::Password)
    }

    fn obstacle_with(&self, is_setuid_root: &dyn Fn(&Path) -> bool) -> Option<ProgramObstacle> {
        match (self.rights, self.answers) {
            (Rights::Own(files), _) if !files.iter().any(|file| is_setuid_root(Path::new(file))) => {
                Some(ProgramObstacle::NotRoot)
            }
            (Rights::User(files), _) if !files.iter().any(|file| is_setuid_root(Path::new(file))) => {
                Some(ProgramObstacle::NeedsBroker)
            }
            (_, Answers::Password) => Some(ProgramObstacle::RepeatsPassword),
            (_, Answers::Nobody) => Some(ProgramObstacle::AsksNobody),
            (_, Answers::Never) => Some(ProgramObstacle::NeverAuthenticates),
            (_, Answers::Each) => None,
        }
    }
}

impl ProgramObstacle {
    /// The reason as a sentence about a program.
    pub fn about(self, program: &Program) -> String {
        format!("{} {self}", program.name)
    }
}

impl fmt::Display for ProgramObstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotRoot => "does not run as root, and the broker answers it about other users by a [[caller]] alone",
            Self::NeedsBroker => "does not run as root: it asks the broker, and password and code are one answer",
            Self::RepeatsPassword => "answers every prompt with the password",
            Self::AsksNobody => "asks no user: none is there to type a code",
            Self::NeverAuthenticates => "runs no auth phase of PAM: a line there is never reached and protects nothing",
        })
    }
}

fn is_setuid_root(file: &Path) -> bool {
    const SETUID: u32 = 0o4000;
    std::fs::metadata(file).is_ok_and(|about| about.is_file() && about.uid() == 0 && about.mode() & SETUID != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn obstacle(service: &str, setuid: &str) -> Option<ProgramObstacle> {
        of(service).and_then(|program| program.obstacle_with(&|file| file == Path::new(setuid)))
    }

    #[test]
    fn a_service_belongs_to_one_program() {
        let mut services: Vec<&str> = TABLE.iter().flat_map(|program| program.services).copied().collect();
        let count = services.len();
        services.sort_unstable();
        services.dedup();
        assert_eq!(services.len(), count);
    }

    #[test]
    fn programs_are_known_by_their_services_in_any_case() {
        for service in
            ["dovecot", "vsftpd", "cups", "CUPS", "smtp", "xrdp-sesman", "saslauthd", "pluto", "ikev2", "lxdm", "ly"]
        {
            assert_eq!(obstacle(service, ""), Some(ProgramObstacle::RepeatsPassword), "{service}");
        }
        for service in ["swaylock", "i3lock", "gtklock", "waylock", "hyprlock", "kde"] {
            assert_eq!(obstacle(service, ""), Some(ProgramObstacle::NeedsBroker), "{service}");
        }
        for service in ["postgresql", "radiusd", "nginx", "pgbouncer", "pgpool", "lighttpd", "http"] {
            assert_eq!(obstacle(service, ""), Some(ProgramObstacle::NotRoot), "{service}");
        }
        assert_eq!(obstacle("cron", ""), Some(ProgramObstacle::AsksNobody));
        assert_eq!(obstacle("passwd", ""), Some(ProgramObstacle::NeverAuthenticates));
        for service in ["sshd", "login", "su", "sudo", "gdm-password", "cockpit", "polkit-1", "chsh", "other"] {
            assert!(of(service).is_none(), "{service}");
        }
    }

    #[test]
    fn a_locker_with_a_setuid_part_runs_as_root() {
        let part = "/usr/libexec/xscreensaver/xscreensaver-auth";
        assert_eq!(
            (obstacle("xscreensaver", ""), obstacle("xscreensaver", part)),
            (Some(ProgramObstacle::NeedsBroker), None)
        );
        let squid = "/usr/lib/squid/basic_pam_auth";
        assert_eq!(
            obstacle("squid", squid),
            Some(ProgramObstacle::RepeatsPassword),
            "as root it still has a password only"
        );
    }

    #[test]
    fn the_reason_is_a_sentence() {
        let cups = of("cups").unwrap();
        assert_eq!(cups.obstacle().unwrap().about(cups), "cups answers every prompt with the password");
    }
}
