//! The key in software is one to ssh-keygen, ssh and sshd, and signs with and without touch. Nothing of ours takes part.

use std::fs;
use std::process::Command;

use twofactor_tests::artifacts;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::security_key::{KINDS, Provider, SecurityKey, authorize, private_host_with_keys};
use twofactor_tests::ssh::{Client, Session, Sshd};

/// Logs in with the key alone. `variables` are the provider's.
fn login(sshd: &Sshd<'_>, provider: Provider<'_>, key: &SecurityKey, variables: &[(&str, &str)]) -> Session {
    let options = provider.options([key]);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    sshd.client_with(&Client { user: "alice", password: PASSWORD, code: "", options: &options }, variables)
}

/// The signatures that sshd refused because there was no touch.
fn refusals(host: &Host) -> usize {
    host.log().iter().filter(|line| line.text.contains("rejected: user presence")).count()
}

const KEY_ALONE: &str = "AuthenticationMethods publickey\n";

const WITHOUT_TOUCH: (&str, &str) = ("SECURITY_KEY_FLAGS", "");
const TOUCHED: (&str, &str) = ("SECURITY_KEY_FLAGS", "touched");
const VERIFIED_ALONE: (&str, &str) = ("SECURITY_KEY_FLAGS", "verified");
const VERIFIED: (&str, &str) = ("SECURITY_KEY_FLAGS", "touched verified");

#[test]
fn keys_of_both_kinds_open_sessions_of_the_real_sshd_and_count_their_signatures() {
    private_host_with_keys(|host, provider| {
        host.add_user("alice");
        let sshd = host.sshd(KEY_ALONE);
        for kind in KINDS {
            let key = provider.key(kind, kind);
            assert!(key.line().starts_with("sk-"), "{}", key.line());
            authorize(host, "alice", [key.line()]);
            let counter = host.place(&format!("counter-{kind}"));
            let counting = [("SECURITY_KEY_COUNTER", counter.to_str().unwrap())];
            for count in 1..=2 {
                let session = login(&sshd, provider, &key, &counting);
                assert!(session.opened_in_silence(), "{kind}: {}", said(&session.output));
                assert_eq!(fs::read_to_string(&counter).unwrap(), format!("{count}\n"));
            }
            let stranger = provider.key(kind, &format!("stranger-{kind}"));
            assert!(!login(&sshd, provider, &stranger, &[]).opened(), "{kind}: sshd does not know that one");
        }
    });
}

#[test]
fn a_signature_without_touch_opens_a_session_only_where_the_user_and_sshd_do_without() {
    private_host_with_keys(|host, provider| {
        host.add_user("alice");
        let keys = KINDS.map(|kind| provider.key(kind, kind));
        {
            let sshd = host.sshd(KEY_ALONE);
            for key in &keys {
                authorize(host, "alice", [key.line()]);
                let refused = refusals(host);
                assert!(!login(&sshd, provider, key, &[WITHOUT_TOUCH]).opened(), "sshd's default is a touch");
                assert!(login(&sshd, provider, key, &[TOUCHED]).opened());
                authorize(host, "alice", [format!("no-touch-required {}", key.line())]);
                assert!(login(&sshd, provider, key, &[WITHOUT_TOUCH]).opened());
                assert_eq!(refusals(host), refused + 1, "for no other reason");
            }
        }
        authorize(host, "alice", keys.iter().map(|key| format!("no-touch-required {}", key.line())));
        for (options, enough) in [("touch-required", TOUCHED), ("touch-required verify-required", VERIFIED)] {
            let sshd = host.sshd(&format!("{KEY_ALONE}PubkeyAuthOptions {options}"));
            for key in &keys {
                assert!(!login(&sshd, provider, key, &[WITHOUT_TOUCH]).opened(), "{options}");
                let touched = login(&sshd, provider, key, &[TOUCHED]);
                assert_eq!(touched.opened(), enough == TOUCHED, "{options}");
                assert!(login(&sshd, provider, key, &[enough]).opened(), "{options}");
            }
        }
    });
}

/// sshd looks at the two flags apart, so `doctor` wants the touch beside the PIN.
#[test]
fn where_sshd_demands_a_pin_alone_a_user_may_do_without_the_touch() {
    private_host_with_keys(|host, provider| {
        host.add_user("alice");
        let key = provider.key("ed25519-sk", "key");
        let plain = key.line();
        let untouched = format!("no-touch-required {plain}");
        for (options, line, opened) in [
            ("verify-required", &plain, false),
            ("verify-required", &untouched, true),
            ("touch-required verify-required", &untouched, false),
        ] {
            let sshd = host.sshd(&format!("{KEY_ALONE}PubkeyAuthOptions {options}"));
            authorize(host, "alice", [line]);
            let session = login(&sshd, provider, &key, &[VERIFIED_ALONE]);
            assert_eq!(session.opened(), opened, "{options}: {line}");
            assert!(!login(&sshd, provider, &key, &[TOUCHED]).opened(), "{options}: no PIN");
            assert!(login(&sshd, provider, &key, &[VERIFIED]).opened(), "{options}");
        }
    });
}

#[test]
fn a_key_that_needs_no_touch_by_its_own_flags_signs_without() {
    private_host_with_keys(|host, provider| {
        host.add_user("alice");
        let sshd = host.sshd(KEY_ALONE);
        let key = provider.key_with("ed25519-sk", "untouched", &["-O", "no-touch-required"], &[]);
        authorize(host, "alice", [key.line()]);
        assert!(!login(&sshd, provider, &key, &[]).opened());
        authorize(host, "alice", [format!("no-touch-required {}", key.line())]);
        assert!(login(&sshd, provider, &key, &[]).opened());
    });
}

/// OpenSSL is this system's, wherever the suite runs.
#[test]
fn a_new_key_comes_with_the_signature_of_a_vendor() {
    if !programs_met(&["openssl", "ssh-keygen"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str, variables: &[(&str, &str)]| {
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).current_dir(folder.path()).env("PROVIDER", artifacts::security_key());
        let output = shell.envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{script}\n{}", said(&output));
    };
    run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=vendor \
         -outform DER -out certificate.der\n\
         openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.p8\n\
         openssl x509 -inform DER -in certificate.der -pubkey -noout >vendor.pub\n\
         head -c 32 /dev/urandom >challenge",
        &[],
    );
    for kind in KINDS {
        run(
            "rm -f attestation\nssh-keygen -q -t \"$KIND\" -N '' -w \"$PROVIDER\" -O write-attestation=attestation \
             -O challenge=challenge -f \"$KIND\"",
            &[("KIND", kind), ("SECURITY_KEY_ATTESTATION", folder.path().to_str().unwrap())],
        );
        // PROTOCOL.u2f of OpenSSH: a word, the certificate, the signature, authenticator data in CBOR.
        let written = fs::read(folder.path().join("attestation")).unwrap();
        let mut rest = &written[..];
        let mut part = || {
            let (length, others) = rest.split_at(4);
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
            let (part, others) = others.split_at(length);
            rest = others;
            part
        };
        assert_eq!(part(), b"ssh-sk-attest-v01");
        assert_eq!(part(), fs::read(folder.path().join("certificate.der")).unwrap());
        fs::write(folder.path().join("signature"), part()).unwrap();
        // Behind the head of a string of bytes; then the digest of the challenge.
        fs::write(folder.path().join("data"), &part()[3..]).unwrap();
        let check = "openssl dgst -sha256 -binary challenge >digest\ncat data digest >signed\n\
                     openssl dgst -sha256 -verify vendor.pub -signature signature signed";
        run(check, &[]);
    }
}
