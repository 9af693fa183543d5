//! A freshly installed Debian for one test: a private host whose files are those of `debootstrap`, for each [`Release`].
//! [`debian`] is for tests of the package; [`chosen`] has every other suite run on a release instead of this host.
//!
//! The system is made once, below `target/debian`, and never changed afterwards: a test writes to memory laid over it
//! (overlayfs). The folder's name says what is in it, so another list of packages makes another folder.

pub(crate) mod system;

use std::ffi::OsStr;
use std::fs::{self};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::artifacts::{debian_packages, workspace};
use system::base;

use crate::private_host::{Host, said};
use crate::requirements::{self, PATH};
use system::made;
pub use system::{Release, bootstrapped, chosen};

/// Where [`debian`] puts the package under test, not compressed: tests install it dozens of times, and unpacking it would take
/// longer than all the rest.
pub const PACKAGE: &str = "/root/libpam-twofactor.deb";

/// Where [`debian`] puts the same package as it ships.
pub const SHIPPED: &str = "/root/libpam-twofactor-shipped.deb";

/// The packages of a fleet's link and server, in the host that [`debian`] makes.
pub const OF_A_FLEET: [&str; 2] = ["/root/twofactor-link.deb", "/root/twofactor-server.deb"];

/// Runs `test` in a fresh Debian of every release, with the package at [`PACKAGE`] and [`SHIPPED`], or skips it where that
/// cannot be done.
pub fn debian(test: impl Fn(&Host) + Sync) {
    if requirements::met() && requirements::programs_met(&["debootstrap", "dpkg-buildpackage"]) {
        let package = package_and_systems();
        for release in Release::ALL {
            fresh(release, |host| {
                fs::write(PACKAGE, &package.uncompressed).unwrap();
                fs::write(SHIPPED, &package.shipped).unwrap();
                for (path, bytes) in OF_A_FLEET.into_iter().zip(&package.of_a_fleet) {
                    fs::write(path, bytes).unwrap();
                }
                test(host);
            });
        }
    }
}

/// The bytes of the package.
struct Package {
    shipped: Vec<u8>,
    uncompressed: Vec<u8>,
    of_a_fleet: [Vec<u8>; 2],
}

impl Package {
    /// Packed a second time, with the same content.
    fn read([path, link, server]: &[PathBuf; 3]) -> Self {
        let place = workspace().join("target/tmp").join(format!("uncompressed-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let (content, packed) = (place.join("content"), place.join("packed.deb"));
        let dpkg_deb = |arguments: &[&OsStr]| {
            let output = Command::new("dpkg-deb").args(arguments).env("PATH", PATH).output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        };
        dpkg_deb(&["--raw-extract".as_ref(), path.as_ref(), content.as_ref()]);
        let build = ["-Znone", "--root-owner-group", "--build"].map(OsStr::new);
        dpkg_deb(&[&build[..], &[content.as_ref(), packed.as_ref()]].concat());
        let [shipped, uncompressed, link, server] = [path, &packed, link, server].map(|path| fs::read(path).unwrap());
        let package = Self { shipped, uncompressed, of_a_fleet: [link, server] };
        fs::remove_dir_all(place).unwrap();
        package
    }
}

/// The package, and every Debian made meanwhile: linking what ships takes one thread a minute.
fn package_and_systems() -> &'static Package {
    static PACKED: OnceLock<Package> = OnceLock::new();
    PACKED.get_or_init(|| {
        std::thread::scope(|scope| {
            let package = scope.spawn(|| Package::read(debian_packages()));
            for release in Release::ALL {
                let _ = made(release);
            }
            package.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

/// Runs `test` in a fresh Debian on which nothing is to be installed.
#[allow(clippy::print_stdout, reason = "the runner shows it beside a failure")]
pub fn fresh(release: Release, test: impl FnOnce(&Host) + Send) {
    if let Some(root) = base(release) {
        println!("on Debian {}", release.codename());
        crate::private_host::run_in(root, test);
    }
}
