//! Programs of Debian packages that send one password, as they are installed: the code comes behind it.

use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use twofactor_tests::debian::chosen;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::terminal::{Size, Terminal};

use crate::layout::on;

/// A server, until the end of the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(host: &Host, program: &str, arguments: &[&str], port: u16) -> Self {
        let mut command = host.command(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self(command.spawn().unwrap());
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "{program} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }
}

/// What curl fetches from alice's home with one answer for name and password.
fn fetches(host: &Host, answer: &str) -> Option<String> {
    let config = host.place("curl");
    std::fs::write(&config, format!("user = \"alice:{answer}\"\nurl = \"ftp://127.0.0.1/letter\"\n")).unwrap();
    let mut curl = host.command("curl");
    let output = curl.args(["--silent", "--show-error", "--config", config.to_str().unwrap()]).output().unwrap();
    let fetched = String::from_utf8_lossy(&output.stdout).into_owned();
    // 67: the server did not let in.
    assert!(matches!(output.status.code(), Some(0 | 67)), "{}", said(&output));
    output.status.success().then_some(fetched)
}

#[test]
fn vsftpd_takes_password_and_code_from_curl_in_one_answer() {
    // A debootstrapped system has neither: what is tried here is the program, not libpam.
    if chosen().is_some() || !programs_met(&["curl", "vsftpd"]) {
        return;
    }
    let packaged = std::fs::read_to_string("/etc/pam.d/vsftpd").unwrap();
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &["--counter"]);
        std::fs::write("/home/alice/letter", "a letter\n").unwrap();
        host.system_service("vsftpd", &packaged);
        let enabled = host.run_twofactor(&["service", "enable", "vsftpd", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        let empty = host.place("empty");
        std::fs::create_dir(&empty).unwrap();
        let config = host.place("vsftpd.conf");
        let settings = format!(
            "listen=YES\nlisten_address=127.0.0.1\nbackground=NO\nanonymous_enable=NO\nlocal_enable=YES\n\
             pam_service_name=vsftpd\nsecure_chroot_dir={}\n",
            empty.display()
        );
        std::fs::write(&config, settings).unwrap();
        let _server = Server::start(host, "vsftpd", &[config.to_str().unwrap()], 21);
        let both = format!("{PASSWORD}{}", alice.next_code());
        assert_eq!(fetches(host, &both).as_deref(), Some("a letter\n"), "{:?}", host.log());
        assert_eq!(fetches(host, &both), None, "the same code again");
        assert_eq!(fetches(host, PASSWORD), None, "the password alone");
        host.assert_logged(&["accepted user=alice service=vsftpd"]);
        host.assert_logged(&["denied user=alice service=vsftpd", "reason=replayed"]);
    });
}

/// The path of the guide, below which Debian has a link.
const PLUGIN: &str = "/usr/lib/openvpn/openvpn-plugin-auth-pam.so";

/// An OpenVPN server on loopback, with the lines of the guide and a PAM service as `service enable` leaves it.
struct Vpn<'h> {
    host: &'h Host,
    _server: Server,
}

impl<'h> Vpn<'h> {
    /// `plugin` is everything behind the path of the plugin.
    fn start(host: &'h Host, service: &str, plugin: &str) -> Self {
        std::fs::create_dir("/dev/net").unwrap();
        host.succeed("mknod", ["/dev/net/tun", "c", "10", "200"]);
        host.system_service(service, "@include common-auth\n@include common-account\n");
        let enabled = host.run_twofactor(&["service", "enable", service, "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        let certificate = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=vpn -days 2 \
                           -keyout /root/vpn.key -out /root/vpn.crt";
        host.succeed("openssl", certificate.split_whitespace());
        let settings = format!(
            "dev tun0\nproto tcp-server\nlocal 127.0.0.1\nserver 10.8.0.0 255.255.255.0\ntopology subnet\n\
             ca /root/vpn.crt\ncert /root/vpn.crt\nkey /root/vpn.key\ndh none\n\
             verify-client-cert none\nusername-as-common-name\nverb 3\nlog /root/vpn.log\n\
             plugin {PLUGIN} {plugin}\nsetenv deferred_auth_pam 1\nauth-gen-token\n"
        );
        std::fs::write("/root/server.conf", settings).unwrap();
        let server = Server::start(host, "openvpn", &["/root/server.conf"], 1194);
        Self { host, _server: server }
    }

    /// A client at a terminal, which has name and password from a file.
    fn client(&self, password: &str, settings: &str) -> Terminal {
        std::fs::write("/root/login", format!("alice\n{password}\n")).unwrap();
        let settings = format!(
            "client\ndev tun1\nproto tcp-client\nremote 127.0.0.1\nnobind\nca /root/vpn.crt\n\
             auth-user-pass /root/login\nauth-retry none\nconnect-retry-max 1\n{settings}"
        );
        std::fs::write("/root/client.conf", settings).unwrap();
        Terminal::start(self.host.command("openvpn").arg("/root/client.conf"), Size::LARGE)
    }

    /// True when the tunnel comes up. The client goes on for as long as its terminal is there.
    #[track_caller]
    fn comes_up(&self, client: &mut Terminal) -> bool {
        let (end, shown) = client.expect_any(&["Initialization Sequence Completed", "AUTH_FAILED", "fatal error"]);
        assert!(end < 2, "{shown}\nserver:\n{}\n{:?}", Self::log(), self.host.log());
        end == 0
    }

    /// Waits until the server says so.
    #[track_caller]
    fn wait_for(&self, words: &str) {
        let started = Instant::now();
        while !Self::log().contains(words) {
            assert!(started.elapsed() < Duration::from_secs(30), "{}\n{:?}", Self::log(), self.host.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log() -> String {
        std::fs::read_to_string("/root/vpn.log").unwrap_or_default()
    }
}

#[test]
fn openvpn_takes_password_and_code_in_one_field_and_does_not_ask_for_them_again() {
    if chosen().is_some() || !programs_met(&["openssl", "openvpn"]) {
        return;
    }
    on("debian-12", |host, _| {
        host.configure("[prompt]\ncombined = [\"openvpn\"]\n");
        let alice = host.enroll("alice", &["--counter"]);
        let vpn = Vpn::start(host, "openvpn", "openvpn");
        let both = format!("{PASSWORD}{}", alice.next_code());
        let mut client = vpn.client(&both, "reneg-sec 2\n");
        assert!(vpn.comes_up(&mut client), "{:?}", host.log());
        // The keys are made anew, with the token of `auth-gen-token` in the place of the used code.
        vpn.wait_for("TLS: Username/auth-token authentication succeeded for username 'alice'");
        client.interrupt();
        assert!(!client.shown().contains("AUTH_FAILED"), "{}", client.shown());
        host.assert_logged(&["accepted user=alice service=openvpn"]);
        assert_eq!(host.module_log().len(), 1, "{:?}", host.module_log());

        assert!(!vpn.comes_up(&mut vpn.client(&both, "")), "the same code again");
        host.assert_logged(&["denied user=alice service=openvpn", "reason=replayed"]);
        assert!(!vpn.comes_up(&mut vpn.client(PASSWORD, "")), "the password alone");
    });
}

#[test]
fn openvpn_with_a_static_challenge_has_a_field_for_the_code() {
    if chosen().is_some() || !programs_met(&["openssl", "openvpn"]) {
        return;
    }
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &["--counter"]);
        let vpn = Vpn::start(host, "vpn", "\"vpn login USERNAME password PASSWORD verification OTP\"");
        let comes_up = |code: &str| {
            let mut client = vpn.client(PASSWORD, "static-challenge \"Verification code\" 0\n");
            client.expect("Verification code");
            // It throws away all that was typed before it turned off the echo.
            while client.echoes() {
                std::thread::sleep(Duration::from_millis(10));
            }
            client.type_line(code);
            let up = vpn.comes_up(&mut client);
            if up {
                client.interrupt();
            }
            up
        };
        let code = alice.next_code();
        assert!(comes_up(&code), "{:?}", host.log());
        host.assert_logged(&["accepted user=alice service=vpn"]);
        assert!(!comes_up(&code), "the same code again");
        host.assert_logged(&["denied user=alice service=vpn", "reason=replayed"]);
        assert!(!comes_up(&alice.wrong_code()));
        host.assert_logged(&["denied user=alice service=vpn", "reason=wrong-code"]);
        // The field takes it, too.
        assert!(comes_up(&alice.recovery_codes[0]), "{:?}", host.log());
    });
}
