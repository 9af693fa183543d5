//! Links the unwinder (libgcc_eh) into the module.
//!
//! Without this the module needs libgcc_s.so.1, which none of sshd, login, su and sudo has loaded: finding, mapping and
//! relocating it takes longer than the module itself, at every login. The unwinder never leaves the module: a panic ends
//! at its entry point. A linker that cannot do it links libgcc_s as usual, and nothing but time is lost.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let Some(archive) = compilers_archive() else { return };
    if let Some(folder) = Path::new(&archive).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:+verbatim,-bundle=libgcc_eh.a");
    }
}

/// The path of the C compiler's unwinder; only a name when it has none.
fn compilers_archive() -> Option<String> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    Some(path.trim().to_owned())
}
