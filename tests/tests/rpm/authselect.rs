//! The recipe for authselect, executed by the real libpam: the files that authselect's profile `local` makes, and the lines
//! of `packaging/rpm/authselect.md` where it says they go.

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, private_host};

const RECIPE: &str = include_str!("../../../packaging/rpm/authselect.md");

/// What Fedora's sshd, login and su have in common.
const SERVICE: &str = "auth substack password-auth\nauth include postlogin\naccount include password-auth\n";

/// As the profile `local` is without features.
const PASSWORD_AUTH: &str = "\
auth required pam_env.so
auth sufficient pam_unix.so nullok nodelay
auth required pam_deny.so
ACCOUNT
";

/// The line of the block ```` ```name ```` of the recipe.
fn line_of(name: &str) -> String {
    let block = RECIPE.split(&format!("```{name}\n")).nth(1).expect("the recipe has this block");
    block.lines().next().unwrap().trim().to_owned()
}

fn services(host: &Host, service: &str, password_auth: &str) {
    host.service("fedora", service);
    let account = format!("account required pam_unix.so\n{}\n", line_of("account"));
    // libpam looks for what is included in /etc/pam.d, wherever the service itself is.
    host.system_service("password-auth", &password_auth.replace("ACCOUNT\n", &account));
    host.system_service("postlogin", &format!("{}\n", line_of("postlogin")));
}

#[test]
fn the_recipe_takes_a_right_password_together_with_a_right_code_and_nothing_else() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        services(host, SERVICE, PASSWORD_AUTH);
        let login = |password: &str, code: &str| {
            host.login("alice").service("fedora").answering(&[password.into(), code.into()]).code()
        };
        assert_eq!(login(PASSWORD, &alice.wrong_code()), ReturnCode::AUTH_ERR);
        assert_eq!(login("not the password", &alice.next_code()), ReturnCode::AUTH_ERR);
        assert_eq!(login(PASSWORD, &alice.next_code()), ReturnCode::SUCCESS);
    });
}

/// Why the recipe does not use `password-auth`, and why `include` is not `substack`.
#[test]
fn elsewhere_the_same_line_would_never_be_reached() {
    private_host(|host| {
        host.user_with_fob("alice");
        let password_alone = || host.login("alice").service("fedora").typing(PASSWORD).code();
        services(host, &SERVICE.replace("substack", "include"), PASSWORD_AUTH);
        assert_eq!(password_alone(), ReturnCode::SUCCESS);
        let below = PASSWORD_AUTH.replace("ACCOUNT", &format!("{}\nACCOUNT", line_of("postlogin")));
        services(host, "auth include password-auth\naccount include password-auth\n", &below);
        assert_eq!(password_alone(), ReturnCode::SUCCESS);
    });
}

/// What `twofactor service list` finds in the same files, and in those where `include` stands for `substack`.
#[test]
fn the_list_of_services_shows_the_recipe_as_whole_and_the_mistake_as_one() {
    private_host(|host| {
        let sshd = |service: &str| {
            host.system_service("sshd", service);
            services(host, service, PASSWORD_AUTH);
            let listed = host.json(&["service", "list"]);
            let listed = listed.as_array().expect("a list");
            listed.iter().find(|found| found["service"] == "sshd").expect("sshd is listed").clone()
        };
        let whole = sshd(SERVICE);
        assert_eq!(whole["problems"].as_array().map(Vec::len), Some(0), "{whole}");
        let mistaken = sshd(&SERVICE.replace("substack", "include"));
        assert_ne!(mistaken["problems"].as_array().map(Vec::len), Some(0), "{mistaken}");
    });
}
