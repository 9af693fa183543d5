//! A key that its maker attests: made by the real ssh-keygen, with certificates of the real openssl, and checked once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::security_key::{KINDS, Provider, SETTINGS, STACK, SecurityKey, authorize, private_host_with_keys};
use twofactor_tests::ssh::{Client, Session, Sshd};

/// Makes a maker's certificate (`makers/maker.pem`), and one of its security keys below it (`certificate.der` and `key.p8`).
const MAKER: &str = "\
mkdir makers
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout maker.key -subj /CN=maker -days 3650 -out makers/maker.pem
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj \"$SUBJECT\" -out request
printf '%s' \"$EXTENSIONS\" >extensions
if [ -n \"$EXTENSIONS\" ]; then version='-extfile extensions'
elif openssl x509 -help 2>&1 | grep -q x509v1; then version=-x509v1
else version=
fi
openssl x509 -req -in request -CA makers/maker.pem -CAkey maker.key -CAserial serial -CAcreateserial -days 3650 $version -outform DER -out certificate.der
openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.p8
head -c 32 /dev/urandom >challenge
head -c 32 /dev/urandom >another
";

/// A certificate as WebAuthn wants it (§8.2.1).
const SUBJECT: &str = "/C=SE/O=maker/OU=Authenticator Attestation/CN=security key";
const EXTENSIONS: &str = "basicConstraints=critical,CA:FALSE\n";

/// The files of a maker, made by the openssl of this system, wherever the suite runs.
struct Made(Vec<(&'static str, Vec<u8>)>);

impl Made {
    fn new() -> Self {
        Self::with(SUBJECT, EXTENSIONS)
    }

    /// With another certificate of its security keys. Without extensions it is one of version 1.
    fn with(subject: &str, extensions: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-ec", MAKER]).env("SUBJECT", subject).env("EXTENSIONS", extensions);
        let output = shell.current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let files = ["makers/maker.pem", "certificate.der", "key.p8", "challenge", "another"];
        Self(files.map(|name| (name, fs::read(folder.path().join(name)).unwrap())).into())
    }
}

/// A maker of security keys.
struct Maker<'h>(&'h Host, PathBuf);

impl<'h> Maker<'h> {
    fn new(host: &'h Host, name: &str, made: &Made) -> Self {
        let folder = host.place(name);
        fs::create_dir_all(folder.join("makers")).unwrap();
        for (name, content) in &made.0 {
            fs::write(folder.join(name), content).unwrap();
        }
        Self(host, folder)
    }

    fn file(&self, name: &str) -> String {
        self.1.join(name).to_str().unwrap().to_owned()
    }

    /// A key of this maker's, with its attestation beside it.
    fn key(&self, provider: Provider<'_>, kind: &str, name: &str) -> SecurityKey {
        self.key_with(provider, kind, name, &[])
    }

    /// The same with variables of the provider.
    fn key_with(&self, provider: Provider<'_>, kind: &str, name: &str, variables: &[(&str, &str)]) -> SecurityKey {
        let written = format!("write-attestation={}", self.file(&format!("{name}.proof")));
        let challenge = format!("challenge={}", self.file("challenge"));
        let folder = self.file("");
        let variables = [variables, &[("SECURITY_KEY_ATTESTATION", &folder)]].concat();
        provider.key_with(kind, name, &["-O", &written, "-O", &challenge], &variables)
    }

    /// The arguments that enroll a key with the attestation of that one, for this challenge.
    fn adding(&self, key: &SecurityKey, proof: &str, challenge: &str) -> Vec<String> {
        let public = key.public().to_str().unwrap().to_owned();
        let proof = self.file(&format!("{proof}.proof"));
        let words = ["ssh-key", "add", "alice", &public, "--attestation", &proof, "--challenge", &self.file(challenge)];
        words.map(str::to_owned).into_iter().collect()
    }

    fn refuses(&self, arguments: &[String], makers: &str, words: &str) {
        let output = self.0.run_twofactor(&with(arguments, makers));
        assert!(matches!(output.status.code(), Some(1 | 8)) && said(&output).contains(words), "{}", said(&output));
        assert_eq!(self.0.json(&["ssh-key", "list", "alice"]), json!([]), "nothing was enrolled");
    }
}

/// The arguments with the folder of makers.
fn with<'a>(arguments: &'a [String], makers: &'a str) -> Vec<&'a str> {
    arguments.iter().map(String::as_str).chain(["--makers", makers]).collect()
}

fn login(sshd: &Sshd<'_>, provider: Provider<'_>, key: &SecurityKey) -> Session {
    let options = provider.options([key]);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    sshd.client(&Client { user: "alice", password: PASSWORD, code: ANY_CODE, options: &options })
}

#[test]
fn where_a_rule_demands_it_only_an_attested_key_spares_the_code() {
    if !programs_met(&["openssl", "ssh-keygen"]) {
        return;
    }
    let made = [Made::new(), Made::new()];
    private_host_with_keys(|host, provider| {
        host.user_with_app("alice");
        let maker = Maker::new(host, "maker", &made[0]);
        let makers = maker.file("makers");
        let attested = KINDS.map(|kind| maker.key(provider, kind, kind));
        for (key, kind) in attested.iter().zip(KINDS) {
            maker.refuses(&maker.adding(key, kind, "another"), &makers, "not over this challenge and this key");
        }
        let [first, second] = &attested;
        maker.refuses(&maker.adding(first, KINDS[1], "challenge"), &makers, "about another key");
        maker.refuses(
            &maker.adding(first, KINDS[0], "challenge"),
            &Maker::new(host, "other", &made[1]).file("makers"),
            "maker",
        );
        maker.refuses(&maker.adding(first, KINDS[0], "challenge"), &maker.file("none"), "no such file");
        fs::create_dir(maker.file("empty")).unwrap();
        maker.refuses(
            &maker.adding(first, KINDS[0], "challenge"),
            &maker.file("empty"),
            "there is no certificate in it",
        );
        for (key, kind) in [first, second].into_iter().zip(KINDS) {
            let arguments = maker.adding(key, kind, "challenge");
            assert_eq!(host.json(&with(&arguments, &makers))["attested"], true);
        }
        let plain = provider.key("ed25519-sk", "plain");
        let added = host.json(&["ssh-key", "add", "alice", plain.public().to_str().unwrap()]);
        assert_eq!(added["attested"], false);
        let listed = said(&host.run_twofactor(&["ssh-key", "list", "alice"]));
        assert_eq!(listed.matches(", attested\n").count(), 2, "{listed}");

        authorize(host, "alice", [first, second, &plain].map(SecurityKey::line));
        let sshd = host.sshd_with(STACK, SETTINGS);
        for key in [first, second, &plain] {
            assert!(login(&sshd, provider, key).opened_in_silence());
        }
        host.configure("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\", \"attested-ssh-key\"]\n");
        for key in [first, second] {
            assert!(login(&sshd, provider, key).opened_in_silence());
        }
        let asked = login(&sshd, provider, &plain);
        assert!(!asked.opened() && asked.prompts.iter().any(|prompt| prompt.contains("code")), "{:?}", asked.prompts);

        // Root has the maker's word checked for a key that the user has already.
        let later = maker.key(provider, "ed25519-sk", "later");
        let public = later.public().to_str().unwrap().to_owned();
        host.succeed("twofactor", ["ssh-key", "add", "alice", &public, "--label", "hers"]);
        authorize(host, "alice", [later.line()]);
        assert!(!login(&sshd, provider, &later).opened());
        let wrong = host.run_twofactor(&with(&maker.adding(&later, "later", "another"), &makers));
        assert!(!wrong.status.success() && !login(&sshd, provider, &later).opened(), "{}", said(&wrong));
        let attested = host.run_twofactor(&with(&maker.adding(&later, "later", "challenge"), &makers));
        let told =
            format!("alice had the key \"hers\" already; from now on it is attested.\n{}", later.fingerprint(host));
        assert!(attested.status.success() && said(&attested).contains(&told), "{}", said(&attested));
        assert!(login(&sshd, provider, &later).opened_in_silence());
        let event = format!("ssh-key-attested user=alice key={} label=hers", later.fingerprint(host));
        assert!(host.log().iter().any(|line| line.text.starts_with("twofactor") && line.text.contains(&event)));
        let again = host.run_twofactor(&with(&maker.adding(&later, "later", "challenge"), &makers));
        assert_eq!(again.status.code(), Some(7), "{}", said(&again));
        assert!(said(&again).contains("already has the ssh key"), "{}", said(&again));
    });
}

/// The model of the security keys in the next test, and its extension as openssl wants it.
const MODEL: [u8; 16] = *b"a security key 5";

fn of_model(model: [u8; 16]) -> String {
    let digits = model.map(|byte| format!("{byte:02x}")).concat();
    format!("{EXTENSIONS}1.3.6.1.4.1.45724.1.1.4=ASN1:FORMAT:HEX,OCTETSTRING:{digits}\n")
}

#[test]
fn a_certificate_has_to_be_one_of_security_keys() {
    if !programs_met(&["openssl", "ssh-keygen"]) {
        return;
    }
    let (authority, not_said) = ("basicConstraints=critical,CA:TRUE\n", "keyUsage=digitalSignature\n");
    let (right, wrong) = (of_model(MODEL), of_model([7; 16]));
    let not_nested = right.replace("FORMAT:HEX,OCTETSTRING", "FORMAT:HEX,BITSTRING");
    let fido2 = [
        (SUBJECT, EXTENSIONS, ""),
        (SUBJECT, &right, ""),
        (SUBJECT, &wrong, "is for another model of security key"),
        (SUBJECT, &not_nested, "is for another model of security key"),
        ("/C=SE/O=maker/CN=security key", EXTENSIONS, "its subject has no OU \"Authenticator Attestation\" alone"),
        ("/OU=Authenticator attestation/CN=security key", EXTENSIONS, "its subject has no OU"),
        ("/OU=Authenticator Attestation/OU=VPN", EXTENSIONS, "its subject has no OU"),
        (SUBJECT, authority, "may be an authority's"),
        (SUBJECT, not_said, "may be an authority's"),
        (SUBJECT, "", "not of X.509 version 3"),
    ];
    // U2F names no model and no unit, and its certificates need say nothing about authority.
    let u2f = [
        ("/CN=security key", not_said, ""),
        ("/CN=security key", &wrong, ""),
        ("/CN=security key", authority, "may be an authority's"),
        ("/CN=security key", "", "not of X.509 version 3"),
    ];
    let cases =
        fido2.map(|case| (&[][..], case)).into_iter().chain(u2f.map(|case| (&[("SECURITY_KEY_U2F", "")][..], case)));
    let cases: Vec<_> = cases
        .map(|(form, (subject, extensions, refusal))| {
            (form, Made::with(subject, extensions), format!("{form:?} {subject} {extensions}"), refusal)
        })
        .collect();
    private_host_with_keys(|host, provider| {
        host.user_with_app("alice");
        for (number, (form, made, story, refusal)) in cases.iter().enumerate() {
            let name = format!("maker-{number}");
            let maker = Maker::new(host, &name, made);
            fs::write(maker.file("model"), MODEL).unwrap();
            let key = maker.key_with(provider, "ecdsa-sk", &format!("key-{number}"), form);
            let arguments = maker.adding(&key, &format!("key-{number}"), "challenge");
            if !refusal.is_empty() {
                maker.refuses(&arguments, &maker.file("makers"), refusal);
                continue;
            }
            let added = host.run_twofactor(&with(&arguments, &maker.file("makers")));
            assert!(added.status.success(), "{story}: {}", said(&added));
            assert_eq!(host.json(&["ssh-key", "list", "alice"])[0]["attested"], true, "{story}");
            host.succeed("twofactor", ["ssh-key", "remove", "alice", &key.fingerprint(host)]);
        }
        // Without what U2F can sign, its way of signing is none.
        let maker = Maker::new(host, "of-u2f", &cases[0].1);
        let key = maker.key_with(provider, "ed25519-sk", "ed25519-of-u2f", &[("SECURITY_KEY_U2F", "")]);
        let arguments = maker.adding(&key, "ed25519-of-u2f", "challenge");
        maker.refuses(&arguments, &maker.file("makers"), "not over this challenge and this key");
    });
}
