//! `make docs`: checks that every link of the rendered guide leads to a page and a heading that are there.
//!
//! Pages of other sites are not asked for: nothing leaves this machine.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of the build reports on the terminal")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use twofactor_tests::checkout::files_below;

/// Shown in the place of a page that is not there, wherever that would be: its links begin at the root of the site.
const NOT_FOUND: &str = "404.html";

/// A rendered page.
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: book-links FOLDER");
        return ExitCode::from(2);
    };
    let mut pages = BTreeMap::new();
    for path in files_below(&folder, "html").into_iter().filter(|path| !path.ends_with(NOT_FOUND)) {
        match fs::read_to_string(&path) {
            Ok(text) => drop(pages.insert(path, Page::of(&text))),
            Err(error) => {
                eprintln!("book-links: {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
    }
    let (mut checked, mut broken) = (0, 0);
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !leads_elsewhere(link)) {
            checked += 1;
            if let Err(problem) = follow(link, path, page, &pages) {
                broken += 1;
                eprintln!("{}: {link}: {problem}", path.display());
            }
        }
    }
    println!("{checked} links on {} pages, {broken} broken", pages.len());
    if broken == 0 && checked > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Page {
    fn of(html: &str) -> Self {
        let links = values(html, " href=\"").chain(values(html, " src=\"")).collect();
        Self { links, anchors: values(html, " id=\"").collect() }
    }
}

/// The values of an attribute.
fn values<'h>(html: &'h str, attribute: &'h str) -> impl Iterator<Item = String> + 'h {
    let values = html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| value.replace("&amp;", "&").replace("&#39;", "'"))
}

fn leads_elsewhere(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:")
}

fn follow(link: &str, from: &Path, page: &Page, pages: &BTreeMap<PathBuf, Page>) -> Result<(), &'static str> {
    let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = if target.is_empty() { from.to_owned() } else { plain(&from.with_file_name("").join(target)) };
    let target = match pages.get(&path) {
        _ if target.is_empty() => page,
        Some(target) => target,
        None if !path.is_file() => return Err("there is no such file"),
        None if anchor.is_empty() => return Ok(()),
        None => return Err("it is no page, and has no headings"),
    };
    let is_there = anchor.is_empty() || target.anchors.contains(anchor);
    is_there.then_some(()).ok_or("the page has no such heading")
}

/// The path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}
