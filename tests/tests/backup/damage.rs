//! Files that are damaged, short, or another's: exit code 6, and nothing is changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::mount::{MsFlags, mount};
use twofactor_tests::fob::Fob;
use twofactor_tests::private_host::{Host, said};

use crate::{KEY, PASSPHRASE, STATE, back_up, begin_anew, everything, host, restore, restoring, with_input};

/// The file with this content is refused with that exit code, and nothing is changed.
#[track_caller]
fn assert_nothing_restored(host: &Host, content: &[u8], what: &str) {
    fs::write("/root/damaged.age", content).unwrap();
    let output = host.run_twofactor(&restoring("/root/damaged.age", &[]));
    assert_eq!(output.status.code(), Some(6), "{what}: {}", said(&output));
    let left = everything();
    assert_eq!(left.len(), 1, "{what}: {:?}", left.iter().map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn a_flipped_bit_anywhere_changes_nothing() {
    host(|host| {
        host.user_with_app("alice");
        host.import(&Fob::box_of(1, 1000));
        let content = fs::read(back_up(host, "codes")).unwrap();
        begin_anew();
        for place in (0..content.len()).step_by(1000).chain([content.len() - 1]) {
            let mut damaged = content.clone();
            damaged[place] ^= 0x04;
            assert_nothing_restored(host, &damaged, &format!("byte {place}"));
        }
        for length in [0, 1, 100, 200, content.len() / 2, 64 * 1024 + 200, content.len() - 1] {
            assert_nothing_restored(host, &content[..length.min(content.len() - 1)], &format!("{length} bytes"));
        }
        assert_nothing_restored(host, &[&content[..], b"x"].concat(), "a byte too many");
        restore(host, "/root/codes.age", &[]);
        assert_eq!(host.json(&["token", "list"]).as_array().unwrap().len(), 1000);
    });
}

#[test]
fn only_the_right_passphrase_opens_a_file() {
    host(|host| {
        host.user_with_app("alice");
        let file = "/root/words.age";
        let written = with_input(host, &["backup", file, "--passphrase"], PASSPHRASE);
        assert!(written.status.success(), "{}", said(&written));
        let mode = host.succeed("stat", ["--format", "%a %U", file]);
        assert_eq!(mode, "600 root\n");
        let with_key = back_up(host, "key");
        begin_anew();
        let refused = |output: std::process::Output, words: &str| {
            assert_eq!(output.status.code(), Some(6), "{}", said(&output));
            assert!(said(&output).contains(words), "{words}: {}", said(&output));
            assert_eq!(everything().len(), 1);
        };
        refused(with_input(host, &["restore", file, "--passphrase"], "wrong"), "does not open it");
        refused(host.run_twofactor(&restoring(file, &[])), "--passphrase asks for it");
        refused(with_input(host, &["restore", &with_key, "--passphrase"], PASSPHRASE), "--identity FILE opens it");
        let restored = with_input(host, &["restore", file, "--passphrase"], PASSPHRASE);
        assert!(restored.status.success(), "{}", said(&restored));
        assert_eq!(host.json(&["status"]).as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_file_whose_passphrase_asks_for_gigabytes_is_refused() {
    host(|host| {
        host.user_with_app("alice");
        let file = "/root/words.age";
        assert!(with_input(host, &["backup", file, "--passphrase"], PASSPHRASE).status.success());
        begin_anew();
        let mut content = fs::read(file).unwrap();
        // The work stands at the end of the second line: 2^17, and here 2^22, which is 4 GiB.
        let end = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0;
        assert_eq!(&content[end - 3..end], b" 17");
        content[end - 2..end].copy_from_slice(b"22");
        fs::write(file, content).unwrap();
        let output = with_input(host, &["restore", file, "--passphrase"], PASSPHRASE);
        assert_eq!(output.status.code(), Some(6), "{}", said(&output));
        assert!(said(&output).contains("asks for more memory than is given"), "{}", said(&output));
        assert_eq!(everything().len(), 1);
    });
}

#[test]
fn a_full_disk_changes_nothing() {
    host(|host| {
        host.user_with_app("alice");
        host.import(&Fob::box_of(1, 5000));
        let file = back_up(host, "codes");
        begin_anew();
        mount(Some("twofactor-tests"), "/var/lib", Some("tmpfs"), MsFlags::empty(), Some("size=400k,mode=0755"))
            .unwrap();
        let output = host.run_twofactor(&restoring(&file, &[]));
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("no space left on device"), "{}", said(&output));
        assert_eq!(everything().len(), 1);
        // Nor does one where the backup is written.
        restore_with_room(host, &file);
        mount(Some("twofactor-tests"), "/srv", Some("tmpfs"), MsFlags::empty(), Some("size=100k")).unwrap();
        let output = host.run_twofactor(&["backup", "/srv/codes.age", "--recipient", KEY]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert_eq!(fs::read_dir("/srv").unwrap().count(), 0, "no part of a backup");
    });
}

fn restore_with_room(host: &Host, file: &str) {
    mount(Some("twofactor-tests"), "/var/lib", Some("tmpfs"), MsFlags::empty(), Some("size=64m,mode=0755")).unwrap();
    restore(host, file, &[]);
}

#[test]
fn a_state_that_is_a_file_system_of_its_own_is_not_replaced() {
    host(|host| {
        host.user_with_app("alice");
        let file = back_up(host, "codes");
        begin_anew();
        fs::create_dir(STATE).unwrap();
        mount(Some("twofactor-tests"), STATE, Some("tmpfs"), MsFlags::empty(), Some("mode=0700")).unwrap();
        let output = host.run_twofactor(&restoring(&file, &[]));
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        assert!(said(&output).contains("is a file system of its own"), "{}", said(&output));
        assert_eq!(everything().len(), 1);
        // Nor is one with such a folder of users, which would stay where it is.
        nix::mount::umount(STATE).unwrap();
        let users = format!("{STATE}/users");
        fs::create_dir(&users).unwrap();
        for folder in [STATE, &users] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        }
        mount(Some("twofactor-tests"), users.as_str(), Some("tmpfs"), MsFlags::empty(), Some("mode=0700")).unwrap();
        let output = host.run_twofactor(&restoring(&file, &[]));
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        assert!(said(&output).contains("is a file system of its own"), "{}", said(&output));
        assert_eq!(everything().len(), 1);
    });
}

#[test]
fn a_file_that_is_there_is_replaced_by_force_alone_and_keys_are_checked_first() {
    host(|host| {
        host.user_with_app("alice");
        let file = back_up(host, "codes");
        let before = fs::read(&file).unwrap();
        let output = host.run_twofactor(&["backup", &file, "--recipient", KEY]);
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        assert!(fs::read(&file).unwrap() == before);
        host.sysadmin(&["backup", &file, "--recipient", KEY, "--force"]);
        assert!(fs::read(&file).unwrap() != before);
        let output = host.run_twofactor(&["backup", "/root/other.age", "--recipient", "age1nonsense"]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(!fs::exists("/root/other.age").unwrap());
    });
}

#[test]
fn no_backup_takes_the_place_of_a_device_a_pipe_or_a_link() {
    host(|host| {
        host.user_with_app("alice");
        host.succeed("mkfifo", ["/root/pipe"]);
        symlink("/root/elsewhere", "/root/link").unwrap();
        fs::create_dir("/root/folder").unwrap();
        for there in ["/root/pipe", "/root/link", "/root/folder"] {
            let before = fs::symlink_metadata(there).unwrap().file_type();
            let output = host.run_twofactor(&["backup", there, "--recipient", KEY, "--force"]);
            assert_eq!(output.status.code(), Some(7), "{there}: {}", said(&output));
            assert!(said(&output).contains(&format!("{there} is not a regular file, and is not replaced")));
            assert_eq!(fs::symlink_metadata(there).unwrap().file_type(), before, "{there}");
        }
        assert!(!fs::exists("/root/elsewhere").unwrap());
    });
}

#[test]
fn a_backup_that_is_being_written_is_left_alone_by_another_one_and_an_interrupted_one_is_not() {
    host(|host| {
        host.user_with_app("alice");
        let beside = "/root/.codes.age.new";
        fs::write(beside, "the first half").unwrap();
        let other = fs::File::open(beside).unwrap();
        other.lock().unwrap();
        let output = host.run_twofactor(&["backup", "/root/codes.age", "--recipient", KEY]);
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        assert!(said(&output).contains("another backup is being written to /root/codes.age"), "{}", said(&output));
        assert_eq!(fs::read(beside).unwrap(), b"the first half");
        assert!(!fs::exists("/root/codes.age").unwrap());
        drop(other);
        back_up(host, "codes");
        assert!(!fs::exists(beside).unwrap());
        // A link there leads nowhere.
        symlink("/root/elsewhere", beside).unwrap();
        host.sysadmin(&["backup", "/root/codes.age", "--recipient", KEY, "--force"]);
        assert!(!fs::exists("/root/elsewhere").unwrap() && fs::symlink_metadata(beside).is_err());
    });
}

#[test]
fn a_header_without_end_is_refused_at_once() {
    host(|host| {
        host.user_with_app("alice");
        let stanzas = "-> a b\nQUFB\n".repeat(20_000);
        fs::write("/root/endless.age", format!("age-encryption.org/v1\n{stanzas}")).unwrap();
        let words = [&["30", "twofactor"][..], &restoring("/root/endless.age", &[])[..]].concat();
        let output = host.command("timeout").args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(6), "{}", said(&output));
        assert!(said(&output).contains("is no file of age, or it is damaged"), "{}", said(&output));
    });
}
