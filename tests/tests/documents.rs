//! What the documents say is what the code does: the shipped configuration, the code map, links. The manual pages have a
//! suite of their own, `manuals.rs`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]

use std::fs;

use twofactor_core::account::throttle::Limits;
use twofactor_core::config::Config;
use twofactor_core::config::fleet::WRONG_CODES_PER_HOUR;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::checkout::files_below;
use twofactor_tests::documents;
use twofactor_tests::guessing::{Counts, Guesser, Guesses, LoginsOfUsers};
use twofactor_tests::manual;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements::programs_met;

fn document(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_configuration_key_is_in_the_manual_and_in_the_shipped_file() {
    if !manual::can_be_rendered() {
        return;
    }
    let (manual, shipped) = (manual::page("twofactor.toml.5"), document("etc/twofactor.toml"));
    let keys = [
        "state",
        "issuer",
        "algorithm",
        "digits",
        "period",
        "recovery_codes",
        "invitation",
        "self_register",
        "drift",
        "counter_look_ahead",
        "resync_at_login",
        "resync",
        "free_attempts",
        "first_delay",
        "max_delay",
        "code",
        "tries",
        "combined",
        "enroll",
        "change",
        "tokens",
        "ssh_key",
        "second_factor",
    ];
    for key in keys {
        assert!(manual.contains(key), "twofactor.toml.5 does not have {key}");
        assert!(shipped.contains(&format!("# {key} = ")), "etc/twofactor.toml does not have {key}");
    }
    for key in ["users", "groups", "services", "networks", "local", "factors", "until", "remember"] {
        assert!(manual.contains(&format!("{key} = ")), "twofactor.toml.5 does not have {key}");
        assert!(shipped.contains(&format!("\n#{key} = ")), "the rules of etc/twofactor.toml do not have {key}");
    }
    let in_shipped = shipped.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(" = ")).map(|(key, _)| key);
    let (mut in_shipped, mut keys): (Vec<_>, Vec<_>) = (in_shipped.collect(), keys.to_vec());
    in_shipped.sort_unstable();
    keys.sort_unstable();
    assert_eq!(in_shipped, keys);
}

#[test]
fn every_configuration_in_the_documents_is_valid() {
    let mut rules = 0;
    for page in documents::all() {
        for (language, block) in documents::Parts::of(&documents::read(&page)).blocks {
            if language == "toml" {
                let config = Config::parse(&block.join("\n"));
                let config = config.unwrap_or_else(|problems| panic!("{}: {problems:?}", page.display()));
                rules += config.rules.len();
            }
        }
    }
    assert!(rules > 2, "there are examples of rules");
}

#[test]
fn the_code_map_names_every_folder() {
    let map = document("ARCHITECTURE.md");
    for root in ["twofactor-core/src", "twofactor-admin/src", "twofactor-cli/src", "tests/src", "tests/tests"] {
        let root = workspace().join(root);
        let files = files_below(&root, "rs");
        assert!(!files.is_empty(), "{}", root.display());
        let base =
            if root.ends_with("tests/src") || root.ends_with("tests/tests") { root.parent().unwrap() } else { &root };
        for folder in files.iter().filter_map(|file| file.parent()).filter(|folder| *folder != root) {
            let name = folder.strip_prefix(base).unwrap().display().to_string();
            // The tests of a file belong to it.
            let belongs = base == root && folder.iter().any(|part| part == "tests");
            assert!(belongs || map.contains(&format!("`{name}/`")), "ARCHITECTURE.md has no row for {name}/");
        }
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut links = 0;
    for page in documents::all() {
        let parts = documents::Parts::of(&documents::read(&page));
        for link in parts.links().iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            assert!(target.exists(), "{} links to {link}", page.display());
            let heads = || documents::Parts::of(&documents::read(&target)).anchors();
            assert!(anchor.is_empty() || heads().iter().any(|name| name == anchor), "{}: {link}", page.display());
            links += 1;
        }
    }
    assert!(links > 50, "{links}");
}

/// The review of vulnerabilities and the decisions point to the tests that show what they say.
#[test]
fn every_test_that_a_document_names_is_there() {
    let sources: Vec<String> = files_below(workspace(), "rs").iter().map(|file| documents::read(file)).collect();
    let is_test = |name: &str| sources.iter().any(|source| source.contains(&format!("fn {name}(")));
    let mut named = 0;
    for page in files_below(&workspace().join("docs"), "md") {
        let parts = documents::Parts::of(&documents::read(&page));
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_sentence = |span: &&str| span.matches('_').count() >= 3 && span.bytes().all(is_letter);
        for name in parts.spans().filter(is_sentence) {
            assert!(is_test(name), "{}: there is no test {name}", page.display());
            named += 1;
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn the_table_of_contents_has_every_page_once() {
    let docs = workspace().join("docs");
    let mut listed = documents::Parts::of(&document("docs/SUMMARY.md")).links();
    listed.sort();
    let pages =
        files_below(&docs, "md").into_iter().map(|page| page.strip_prefix(&docs).unwrap().display().to_string());
    let mut pages: Vec<String> = pages.filter(|page| page != "SUMMARY.md").collect();
    pages.sort();
    assert_eq!(listed, pages);
}

/// A newcomer reads README in five minutes, and ARCHITECTURE in ten.
#[test]
fn the_documents_that_newcomers_read_are_short() {
    for (name, most) in [("README.md", 8 * 1024), ("ARCHITECTURE.md", 14 * 1024)] {
        let bytes = document(name).len();
        assert!(bytes <= most, "{name} has {bytes} bytes, more than {most}");
    }
    let lines = document("docs/guide/helpdesk.md").lines().count();
    assert!(lines <= 40, "docs/guide/helpdesk.md has {lines} lines, more than a screen");
}

#[test]
fn every_command_of_the_tool_that_a_document_shows_is_understood_by_it() {
    private_host(|host| {
        let (mut typed, mut mentioned) = (0, 0);
        // The changelog also names commands of earlier versions.
        for page in documents::all().into_iter().filter(|page| !page.ends_with("CHANGELOG.md")) {
            let parts = documents::Parts::of(&documents::read(&page));
            let blocks = parts.blocks.iter().filter(|(language, _)| language.is_empty());
            for words in blocks
                .flat_map(|(_, block)| documents::commands(block))
                .filter(|words| documents::is_of_the_tool(words))
            {
                let mistake = documents::mistake(host, &words);
                assert!(mistake.is_none(), "{}: {words:?}: {}", page.display(), mistake.unwrap());
                typed += 1;
            }
            for words in parts.spans().map(documents::words).filter(|words| documents::is_of_the_tool(words)) {
                let mistake = documents::mistake_in_a_sentence(host, &words);
                assert!(mistake.is_none(), "{}: {words:?}: {}", page.display(), mistake.unwrap());
                mentioned += 1;
            }
        }
        assert!(typed > 60 && mentioned > 60, "{typed} in blocks, {mentioned} in sentences");
    });
}

/// Users of google-authenticator and pam_oath are moved in by the very lines of the guide.
#[test]
fn the_commands_that_move_users_in_from_other_products_do_so() {
    const FILE: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY\n\" RATE_LIMIT 3 30\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n12345678\n";
    const USERS: &str = "HOTP/T30/6 alice - 00112233445566778899aabbccddeeff00112233\n";
    let lines = typed_in("coming-from-others");
    for (system, secret) in [
        ("import google-authenticator --all", "GEZDGNBVGY3TQOJQGEZDGNBVGY"),
        ("import oath-users", "AAISEM2EKVTHPCEZVK54ZXPO74ABCIRT"),
    ] {
        private_host(|host| {
            host.add_user("alice");
            let file = "/home/alice/.google_authenticator";
            fs::write(file, FILE).unwrap();
            host.succeed("chown", ["alice", file]);
            fs::write("/etc/users.oath", USERS).unwrap();
            // The rehearsal comes first.
            run(host, &lines, &[system]);
            assert_eq!(host.json(&["status"]), serde_json::json!([]));
            let taken: Vec<String> = lines.iter().filter(|line| !line.contains("--dry-run")).cloned().collect();
            run(host, &taken, &[system]);
            let code = host.succeed("oathtool", ["--totp", "--base32", secret]);
            host.succeed("twofactor", ["verify", "alice", code.trim()]);
        });
    }
}

#[test]
fn the_commands_of_the_guide_enroll_and_invite_many_users() {
    let lines = typed_in("enrolling-users");
    private_host(|host| {
        fs::write("/root/users.txt", "alice\nbob\n").unwrap();
        for user in ["alice", "bob"] {
            host.add_user(user);
        }
        host.configure("[enrollment]\ninvitation = \"required\"\n[default]\nsecond_factor = \"enroll\"\n");
        run(host, &lines, &["--json invite"]);
        assert_eq!(fs::read_to_string("/root/invitations.json").unwrap().matches("\"invitation\"").count(), 2);
        run(host, &lines, &["--qr-dir"]);
        for user in ["alice", "bob"] {
            assert!(fs::exists(format!("/root/codes/{user}.png")).unwrap());
            assert_eq!(host.json(&["status", user])["recovery_codes"], 10);
        }
    });
}

#[test]
fn the_commands_of_the_guide_back_up_and_restore_the_registry() {
    if !programs_met(&["sqlite3"]) {
        return;
    }
    let lines = typed_in("operations");
    private_host(|host| {
        let seeds = host.place("seeds.csv");
        fs::write(&seeds, "1001,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
        host.succeed("twofactor", ["token", "import", seeds.to_str().unwrap()]);
        run(host, &lines, &[".backup", "cp -a"]);
        host.succeed("twofactor", ["token", "delete", "1001", "--yes"]);
        run(host, &lines, &["rm -f", "install -m"]);
        assert_eq!(host.json(&["token", "list"])[0]["serial"], "1001");
    });
}

/// Everything that is typed on a page of the guide.
fn typed_in(page: &str) -> Vec<String> {
    let page = documents::Parts::of(&document(&format!("docs/guide/{page}.md")));
    page.blocks.iter().flat_map(|(_, block)| documents::typed(block)).collect()
}

/// Runs the first line of these that has each of the words, in root's home.
#[track_caller]
fn run(host: &Host, lines: &[String], words: &[&str]) {
    for word in words {
        let line = lines.iter().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no line has {word}"));
        host.succeed("sh", ["-ec", &format!("umask 077\ncd /root\n{line}")]);
    }
}

#[test]
fn every_target_of_make_that_a_document_names_exists() {
    let makefile = document("Makefile");
    let mut named = 0;
    for page in documents::all() {
        let parts = documents::Parts::of(&documents::read(&page));
        let typed = parts.blocks.iter().flat_map(|(_, block)| documents::commands(block));
        for words in typed
            .chain(parts.spans().map(documents::words))
            .filter(|words| words[..].first().is_some_and(|word| word == "make"))
        {
            let is_target = |word: &&String| word.starts_with(|letter: char| letter.is_ascii_lowercase());
            for target in words.iter().skip(1).filter(is_target) {
                assert!(makefile.contains(&format!("\n{target}:")), "{} names make {target}", page.display());
                named += 1;
            }
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn every_manual_page_of_ours_that_a_document_names_exists() {
    for page in documents::all() {
        let text = documents::read(&page);
        for (position, _) in text.match_indices("(8)").chain(text.match_indices("(5)")) {
            let name =
                text[..position].rsplit(|letter: char| !(letter.is_ascii_alphanumeric() || "._-".contains(letter)));
            let name = name.into_iter().next().unwrap();
            let file = workspace().join("man").join(format!("{name}.{}", &text[position + 1..position + 2]));
            assert!(!name.contains("twofactor") || file.exists(), "{} names {name}", page.display());
        }
    }
}

/// With CARGO_TARGET_DIR or `build.target-dir` set, `make install` and the packages looked for the build in `target/`.
#[test]
fn make_takes_the_build_from_where_cargo_builds() {
    let folder = "/nowhere/else";
    let mut make = std::process::Command::new("make");
    make.args(["--dry-run", "install", "demo-enroll"]).env("CARGO_TARGET_DIR", folder).current_dir(workspace());
    let output = make.output().expect("make runs");
    let commands = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for program in ["libpam_twofactor.so", "twofactor", "demo"] {
        assert!(commands.contains(&format!("{folder}/release/{program}")), "{program}: {commands}");
    }
    assert!(!commands.replace(folder, "").contains(" target/release/"), "{commands}");
}

/// The throttle of the core is asked, for three days in the place of thirty.
#[test]
fn the_guesses_of_a_host_of_a_fleet_are_those_that_its_quota_leaves() {
    let readme = document("twofactor-server/README.md");
    let of = |users, logins, quota| Guesses::with_a_certificate(users, logins, Counts::Logins, quota, 4);
    for logins in [LoginsOfUsers::Elsewhere, LoginsOfUsers::AtThatHost] {
        let within = of(100, logins, WRONG_CODES_PER_HOUR);
        let rounded = (within.later / 50.0).round() * 50.0;
        let row = format!("| 100 | 4,{:.0} | {:.0} |", rounded - 4000.0, within.right_within(1000.0));
        assert!(readme.contains(&row), "{logins:?}: {row}");
    }
    let without = of(100, LoginsOfUsers::AtThatHost, u32::MAX).later;
    assert_eq!(format!("{:.0}", without / 100.0), "105", "the README has 10,500");
    let one = [LoginsOfUsers::Elsewhere, LoginsOfUsers::AtThatHost].map(|logins| of(1, logins, WRONG_CODES_PER_HOUR));
    assert!(readme.contains(&format!("| 1 | {:.0} to {:.0} |", one[0].later, one[1].later)), "{one:?}");
    // With the counts beside that of logins.
    let all = |users| {
        [LoginsOfUsers::Elsewhere, LoginsOfUsers::AtThatHost].map(|logins| {
            let guesses = Guesses::with_a_certificate(users, logins, Counts::AllThree, WRONG_CODES_PER_HOUR, 4);
            format!("{:.0}", guesses.later)
        })
    };
    let row = format!("| 96 to 105 | {} |", all(1).join(" to "));
    assert!(readme.contains(&row), "{row}");
    assert_eq!(all(100), ["7200", "7200"]);
    assert!(
        readme.contains("| 10,500 | 7,200 |")
            && document("docs/security/threat-model.md").contains("7,200 times a day")
    );
}

#[test]
fn the_guesses_that_are_promised_are_those_that_the_throttle_looks_at() {
    let security = document("SECURITY.md");
    let row = |guesser: Guesser, logins: u64| {
        let Guesses { first_day, later } = Guesses::simulate(guesser, logins, Limits::default(), 3);
        // Two later days are few: a guess on the edge of the second is half a guess a day.
        let later = later.floor();
        let years = Guesses { first_day, later }.years_to_an_even_chance();
        format!("{first_day} | {later:.0} | {years:.1} years |")
    };
    let promised = |begins: &str| {
        let line = security.lines().find(|line| line.starts_with(begins));
        line.unwrap_or_else(|| panic!("SECURITY.md has no row {begins}"))[begins.len()..].trim_start().to_owned()
    };
    let others = "| twenty addresses, or a new one each time |";
    for (guesser, begins, logins) in [
        (Guesser::OneAddress, "| one address | 0 to 1000 |".to_owned(), [0, 1000]),
        (Guesser::TwentyAddresses, format!("{others} 0 to 1 |"), [0, 1]),
        (Guesser::ANewAddressEachTime, format!("{others} 0 to 1 |"), [0, 1]),
        (Guesser::TwentyAddresses, format!("{others} 10 to 1000 |"), [10, 1000]),
        (Guesser::ANewAddressEachTime, format!("{others} 10 to 1000 |"), [10, 1000]),
    ] {
        for logins in logins {
            assert_eq!(promised(&begins), row(guesser, logins), "{guesser:?}, {logins} logins a day");
        }
    }
    // Those of programs without root have a count of their own, without a trusted address.
    let of = |guesser, logins| Guesses::simulate(guesser, logins, Limits::default(), 3);
    let both = of(Guesser::ANewAddressEachTime, 1000).and(of(Guesser::OneAddress, 0));
    let both = Guesses { later: both.later.floor(), ..both };
    let words = format!(
        "has both: {} guesses on the first day, {} on later days, an even chance after {:.1} years",
        both.first_day,
        both.later,
        both.years_to_an_even_chance()
    );
    assert!(security.split_whitespace().collect::<Vec<_>>().join(" ").contains(&words), "{words}");
}
