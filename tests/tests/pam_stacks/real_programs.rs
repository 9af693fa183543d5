//! Programs of Debian packages that send one password, as they are installed: the code comes behind it.

use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use twofactor_tests::debian::chosen;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::requirements::programs_met;

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
