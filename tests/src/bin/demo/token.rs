//! `make demo-token`: a vendor's encrypted zip of two fobs is imported, one is assigned, and its code opens a session, once.

use std::fs;

use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::private_host::Host;
use twofactor_tests::ssh::Sshd;

use crate::USER;
use crate::transcript::{command, finish, look_around, refused, run, say, show, show_log, ssh_with, tool, typed};

/// What the vendor sends apart from the zip.
const PASSWORD: &str = "vendor-7391";

pub(crate) fn demonstrate(host: &Host) {
    // Private to this thread, like the folder.
    std::env::set_current_dir("/root").expect("root's home");
    let fobs = Fob::samples();
    pack(host, &fobs);
    import(host);
    let [fob, _] = fobs;
    assign(host, &fob);
    let sshd = host.sshd("");
    let code = log_in(&sshd, &fob);
    replay(&sshd, &code);
    show_log(host);
}

/// The vendor's part.
fn pack(host: &Host, fobs: &[Fob]) {
    say("The vendor packs serials and secrets of a box of fobs into a zip with AES, and sends its password apart:");
    let seeds = host.private_file("tokens.csv", &seed_file(fobs));
    command("cat tokens.csv");
    print!("{}", seed_file(fobs));
    let arguments = ["a", "-tzip", "-mem=AES256", &format!("-p{PASSWORD}"), "tokens.zip", "tokens.csv"];
    command(&format!("7z {}", arguments.join(" ")));
    host.succeed("7z", arguments);
    fs::remove_file(seeds).expect("the vendor's file");
}

fn import(host: &Host) {
    say("The sysadmin imports the zip as it came; nothing is unpacked to the disk:");
    let mut terminal = tool(host, &["token", "import", "tokens.zip"]);
    show(&terminal.expect("Password of tokens.zip: "));
    typed("the vendor's password");
    terminal.type_line(PASSWORD);
    finish(terminal);
}

fn assign(host: &Host, fob: &Fob) {
    say("Alice gets a fob, by the serial on its back:");
    run(host, &["token", "assign", &fob.serial, USER]);
    run(host, &["token", "list"]);
}

fn log_in(sshd: &Sshd<'_>, fob: &Fob) -> String {
    say("Alice logs in with what the fob shows; here oathtool computes it from the vendor's file:");
    let code = fob.authenticator.code(0);
    look_around(ssh_with(sshd, &code));
    code
}

fn replay(sshd: &Sshd<'_>, code: &str) {
    say("Somebody who has her password and saw that code tries it right after her:");
    refused(ssh_with(sshd, code));
}
