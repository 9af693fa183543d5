//! `twofactor import pam-u2f FILE`: says who has which keys. Nothing is stored.

use serde_json::{Value, json};
use twofactor_admin::moving_in::pam_u2f::{UsbKey, UsbKeyLine, read};

use crate::args::import::PamU2f;
use crate::commands::list_file;
use crate::error::{Failure, MovingInFailure};
use crate::output::values::counted;
use crate::output::{self, Output};

pub(super) fn run(arguments: &PamU2f, output: &Output) -> Result<(), Failure> {
    let lines = read(list_file::read(&arguments.file)?.as_bytes());
    output.report_lines(|| lines.iter().map(in_words).collect(), || lines.iter().map(as_json).collect())?;
    let failed = lines.iter().filter(|line| line.content.is_err()).count();
    output.explain(
        "Nothing was stored: keys in a USB port are not asked here yet. The line of pam_u2f can stay; over ssh such a key counts \
         as a security key of ssh, see twofactor-ssh-key(8).",
    );
    if failed == 0 { Ok(()) } else { Err(MovingInFailure::UnreadLines { failed, all: lines.len() }.into()) }
}

fn in_words(line: &UsbKeyLine) -> String {
    match &line.content {
        Ok((user, keys)) => {
            let each: Vec<String> = keys.iter().map(key).collect();
            let count = counted(keys.len() as u64, "key");
            let superseded = if line.superseded { "; a later line of this user counts" } else { "" };
            format!("{}: {count}: {}{superseded}\n", output::printable(user.as_str(), usize::MAX), each.join(", "))
        }
        Err(why) => format!("line {}: {why}\n", line.number),
    }
}

fn key(key: &UsbKey) -> String {
    let resident = if key.resident { " resident" } else { "" };
    let demands = key.options.iter().flat_map(|option| [" +", option]);
    format!("{}{resident}{}", key.kind, demands.collect::<String>())
}

fn as_json(line: &UsbKeyLine) -> Value {
    let (user, keys) = line.content.as_ref().map_or((None, None), |(user, keys)| (Some(user), Some(keys)));
    let keys = keys.map(|keys| {
        let key =
            |key: &UsbKey| json!({ "type": key.kind.to_string(), "resident": key.resident, "options": key.options });
        keys.iter().map(key).collect::<Vec<_>>()
    });
    json!({
        "line": line.number,
        "user": user.map(ToString::to_string),
        "keys": keys,
        "counts": line.content.is_ok() && !line.superseded,
        "problem": line.content.as_ref().err().map(ToString::to_string),
    })
}
