//! sshd, where it runs the module: the settings in force, and the files they come from.

use std::fs;
use std::path::{Path, PathBuf};

use twofactor_core::checkup::sshd::{Settings, Sources, of_drop_in, of_login, of_settings};
use twofactor_core::checkup::{Finding, Id};
use twofactor_core::config::Config;
use twofactor_core::pam_service::Service;

use super::Area;
use crate::people::login_names;
use crate::program::{Said, ask};

/// So deep do files include each other; sshd goes no deeper either.
const DEEPEST: usize = 16;
const CONFIGURATION: &str = "/etc/ssh/sshd_config";

pub(super) fn look(config: &Config, services: &[Service]) -> Option<Area> {
    services.iter().find(|service| service.name == "sshd")?;
    let mut area = Area::new("sshd", "its settings in force (sshd -T)");
    let files = files();
    let settings = match ask("sshd", &["-T"]) {
        Said::Well(printed) => Settings::parse(&printed),
        Said::Failed(reason) => {
            let advice = "sshd -t says what is wrong with it";
            return Some(area.with([Finding::by_hand(Id::SshdConfigBroken, reason, advice)]));
        }
        Said::NotRun(reason) => {
            area.could_not_check("the settings of sshd", reason);
            return Some(area);
        }
    };
    let sources = sources();
    area.add(of_settings(&settings, &sources, &config.rules));
    for (file, text) in files.iter().filter(|(file, _)| is_ours(file)) {
        area.add(of_drop_in(&settings, &sources, file, text));
    }
    if let Some((file, line)) = files.iter().find_map(|(file, text)| Some((file, first_match(text)?))) {
        let what = format!("{}:{line} has settings for some logins only", file.display());
        let advice = "to see what holds for one of them: sshd -T -C user=alice,host=client.example.org,addr=192.0.2.7";
        area.add([Finding::by_hand(Id::SshdMatchBlocks, what, advice)]);
        look_at_logins(&mut area, &settings, config);
    }
    Some(area)
}

/// So many users are looked at one by one.
const MOST: usize = 50;

/// What `Match` makes of the logins of single users, as far as it goes by their names.
fn look_at_logins(area: &mut Area, everybody: &Settings, config: &Config) {
    let names = match login_names() {
        Ok(names) => names,
        Err(reason) => return area.could_not_check("whom Match is about", reason),
    };
    for name in names.iter().take(MOST) {
        // An address and a name of nobody (RFC 5737, RFC 2606).
        let login = format!("user={name},host=client.invalid,addr=192.0.2.1");
        match ask("sshd", &["-T", "-C", &login]).well() {
            Ok(printed) => area.add(of_login(name.as_str(), &Settings::parse(&printed), everybody, &config.rules)),
            Err(reason) => return area.could_not_check("whom Match is about", reason),
        }
    }
    if names.len() > MOST {
        area.could_not_check(format!("what Match does to {} more users", names.len() - MOST), "they are too many");
    }
}

/// Whether a file is this product's drop-in.
fn is_ours(file: &Path) -> bool {
    file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with("twofactor.conf"))
}

/// The line of the first `Match`.
fn first_match(text: &str) -> Option<usize> {
    let is_match = |line: &str| line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("match"));
    text.lines().position(is_match).map(|index| index + 1)
}

/// sshd's configuration and what it includes, with their texts.
fn files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut next = vec![PathBuf::from(CONFIGURATION)];
    for _ in 0..DEEPEST {
        let texts: Vec<(PathBuf, String)> =
            next.drain(..).filter_map(|file| fs::read_to_string(&file).ok().map(|text| (file, text))).collect();
        next = texts.iter().flat_map(|(_, text)| text.lines().flat_map(included)).collect();
        files.extend(texts);
    }
    files
}

/// Of each setting the line that decides.
fn sources() -> Sources {
    let mut sources = Sources::default();
    add_sources(Path::new(CONFIGURATION), 0, &mut sources);
    sources
}

/// Takes the lines of a file in sshd's order: what is included stands where the `Include` is. `Match` ends what holds for
/// everybody, at most to the end of its file.
fn add_sources(file: &Path, depth: usize, sources: &mut Sources) {
    let Ok(text) = fs::read_to_string(file) else { return };
    for (index, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let keyword = line.split([' ', '\t', '=']).next().unwrap_or_default();
        if keyword.eq_ignore_ascii_case("match") {
            return;
        }
        if depth < DEEPEST {
            for file in included(line) {
                add_sources(&file, depth + 1, sources);
            }
        }
        sources.add(keyword, format!("{}:{}", file.display(), index + 1));
    }
}

/// The files that a line includes.
fn included(line: &str) -> Vec<PathBuf> {
    let mut words = line.split_whitespace();
    if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("include")) {
        return Vec::new();
    }
    words.flat_map(|pattern| matching(&Path::new("/etc/ssh").join(pattern.trim_matches('"')))).collect()
}

/// The files of a pattern with one star in its last part, in sshd's order.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (Some((start, end)), Some(folder)) = (name.split_once('*'), pattern.parent()) else {
        return vec![pattern.to_owned()];
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut files: Vec<PathBuf> = names
        .filter(|name| name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end))
        .map(|name| folder.join(name))
        .collect();
    files.sort();
    files
}
