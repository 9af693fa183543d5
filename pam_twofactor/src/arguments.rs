//! The arguments of the PAM line as libpam hands them over. What they mean is the core's.

use std::ffi::CStr;

use twofactor_core::config::arguments::Arguments;

/// Reads all arguments, also after the first mistake.
pub(crate) fn parse(args: &[&CStr]) -> Arguments {
    let mut arguments = Arguments::default();
    for argument in args {
        match argument.to_str() {
            #[cfg(feature = "panic-on-purpose")]
            Ok("panic") => {}
            Ok(text) => arguments.take(text),
            Err(_) => arguments.problems.push(format!("{} is not UTF-8", argument.to_string_lossy())),
        }
    }
    arguments
}

/// The argument for the test of the panic guard.
#[cfg(feature = "panic-on-purpose")]
pub(crate) fn panic_on_purpose(args: &[&CStr]) {
    assert!(!args.contains(&c"panic"), "panic on purpose");
}
