//! The text of a state: how far a user's credentials have been used. Changes with every login.

use std::fmt::Write as _;

use crate::account::invitation::Invitation;
use crate::account::notice::{Notice, NoticedChange};
use crate::account::remembered::{Memories, Memory, Opener};
use crate::account::throttle::{Failures, MOST_SOURCES, Source, SourceRecord, Throttle};
use crate::account::{LastAccepted, State, Usage};
use crate::codes::digest::Digest;
use crate::codes::otp::{LARGEST_DRIFT, Progress, Step};
use crate::codes::recovery::Salt;
use crate::codes::temporary::Handout;
use crate::codes::token::Seed;
use crate::host::clock::UnixTime;
use crate::host::user::Uid;
use crate::text::document::{self, Problem, Section, toml_string};

/// The version of the format this program writes, and the newest it reads.
const VERSION: u32 = 1;

/// The state as text.
pub(in crate::store) fn write(state: &State) -> String {
    let mut text = String::with_capacity(1024);
    let _ = writeln!(text, "version = {VERSION}");
    text.push_str("used_recovery = [");
    for digest in &state.used_recovery {
        let _ = write!(text, "\n  \"{digest}\",");
    }
    text.push_str("]\n");
    if state.tokens_held > 0 {
        let _ = writeln!(text, "tokens_held = {}", state.tokens_held);
    }
    if let Some(before) = state.tokens_before_gift {
        let _ = writeln!(text, "tokens_before_gift = {before}");
    }
    if state.has_credentials {
        text.push_str("has_credentials = true\n");
    }
    // Of a store that compares names alone, none is known.
    if let Some(uid) = state.uid.filter(|uid| *uid != Uid::NONE) {
        let _ = writeln!(text, "uid = {uid}");
    }
    if let Some(last) = &state.last_accepted {
        let _ =
            writeln!(text, "\n[last_accepted]\nat = \"{}\"\nsource = {}", last.at, toml_string(last.source.as_str()));
        let _ = writeln!(text, "factor = {}", toml_string(&last.factor));
    }
    write_throttle(&mut text, "throttle", &state.throttle);
    if state.stripping != Throttle::default() {
        write_throttle(&mut text, "stripping", &state.stripping);
    }
    if state.unprivileged != Throttle::default() {
        write_throttle(&mut text, "unprivileged", &state.unprivileged);
    }
    if state.helpdesk != Throttle::default() {
        write_throttle(&mut text, "helpdesk", &state.helpdesk);
    }
    if let Some(invitation) = &state.invitation {
        let _ = writeln!(text, "\n[invitation]\nsalt = \"{}\"\ndigest = \"{}\"", invitation.salt, invitation.digest);
        let _ = writeln!(text, "until = \"{}\"", invitation.until);
    }
    if let Some(handout) = &state.handout {
        let _ = writeln!(text, "\n[temporary_code]\nsalt = \"{}\"\ndigest = \"{}\"", handout.salt, handout.digest);
        let _ = writeln!(text, "until = \"{}\"\nused = {}", handout.until, handout.is_used);
    }
    for Notice { at, by, change } in &state.notices {
        let _ = writeln!(text, "\n[[notice]]\nat = \"{at}\"\nby = {by}\nchange = \"{}\"", change.word());
    }
    for memory in state.memories.iter() {
        let _ = writeln!(
            text,
            "\n[[memory]]\nservice = {}\naddress = \"{}\"",
            toml_string(&memory.service),
            memory.address
        );
        let _ = writeln!(text, "since = \"{}\"\nuntil = \"{}\"", memory.since, memory.until);
        let _ = match memory.opener {
            Opener::Seed(seed) => writeln!(text, "seed = \"{seed}\""),
            Opener::Recovery(digest) => writeln!(text, "recovery = \"{digest}\""),
        };
    }
    for (seed, usage) in &state.usage {
        let progress = usage.progress;
        let _ = writeln!(text, "\n[[token]]\nseed = \"{seed}\"");
        if let Some(step) = progress.watermark {
            let _ = writeln!(text, "watermark = {}", step.0);
        }
        let _ = writeln!(text, "drift = {}", progress.drift);
        if progress.anchor != 0 {
            let _ = writeln!(text, "anchor = {}", progress.anchor);
        }
        if let Some(at) = usage.last_accepted {
            let _ = writeln!(text, "last_accepted = \"{at}\"");
        }
        if usage.near_misses != 0 {
            let _ = writeln!(text, "near_misses = {}", usage.near_misses);
        }
        if !usage.suspects.is_empty() {
            let suspects: Vec<String> = usage.suspects.iter().map(|step| format!("\"{}\"", step.0)).collect();
            let _ = writeln!(text, "suspects = [{}]", suspects.join(", "));
        }
    }
    text
}

fn write_throttle(text: &mut String, name: &str, throttle: &Throttle) {
    let _ = writeln!(text, "\n[{name}]");
    write_failures(text, throttle.user);
    if let Failures { count: count @ 1.., last: Some(last) } = throttle.budget {
        let _ = writeln!(text, "guesses = {count}\nguesses_at = \"{last}\"");
    }
    if let Failures { count: count @ 1.., last: Some(last) } = throttle.home {
        let _ = writeln!(text, "home_guesses = {count}\nhome_guesses_at = \"{last}\"");
    }
    if let Some(source) = &throttle.last_source {
        let _ = writeln!(text, "trusted = {}", toml_string(source.as_str()));
    }
    if let Some((digest, at)) = &throttle.last_wrong {
        let _ = writeln!(text, "last_wrong = \"{digest}\"\nlast_wrong_at = \"{at}\"");
    }
    for record in &throttle.sources {
        let _ = writeln!(text, "\n[[{name}.source]]\nsource = {}", toml_string(record.source.as_str()));
        write_failures(text, record.failures);
    }
}

fn write_failures(text: &mut String, failures: Failures) {
    let _ = writeln!(text, "failures = {}", failures.count);
    if let Some(last) = failures.last {
        let _ = writeln!(text, "last_failure = \"{last}\"");
    }
}

/// Reads the state back.
pub(in crate::store) fn read(text: &str) -> Result<State, Vec<Problem>> {
    document::read(text, |root| Some(state(root)))
}

fn state(root: Section<'_, '_>) -> State {
    if root.integer("version", 1..=VERSION).is_none() {
        root.missing("version");
    }
    let mut used_recovery = Vec::new();
    for text in root.strings("used_recovery").unwrap_or_default() {
        match Digest::parse(text.value) {
            Some(digest) => used_recovery.push(digest),
            None => root.complain_about(&text, "this is not a digest"),
        }
    }
    let last_accepted = root.section("last_accepted").and_then(last_accepted);
    let throttle = match root.section("throttle") {
        Some(section) => throttle_in(section),
        None => {
            root.missing("throttle");
            Throttle::default()
        }
    };
    let stripping = root.section("stripping").map(throttle_in).unwrap_or_default();
    let unprivileged = root.section("unprivileged").map(throttle_in).unwrap_or_default();
    let helpdesk = root.section("helpdesk").map(throttle_in).unwrap_or_default();
    let tokens_held = root.integer("tokens_held", 0..=u8::MAX).map(usize::from).unwrap_or_default();
    let tokens_before_gift = root.integer("tokens_before_gift", 0..=u8::MAX).map(usize::from);
    let has_credentials = root.boolean("has_credentials").unwrap_or_default();
    let uid = root.integer("uid", 0..=u32::MAX).map(Uid);
    let mut state = State {
        used_recovery,
        throttle,
        stripping,
        unprivileged,
        helpdesk,
        tokens_held,
        tokens_before_gift,
        has_credentials,
        last_accepted,
        uid,
        ..State::default()
    };
    for section in root.sections("token") {
        match usage(&section) {
            Some((seed, usage)) => {
                if state.usage.iter().any(|(other, _)| *other == seed) {
                    section.complain_here("the same seed stands here twice");
                }
                state.usage.push((seed, usage));
            }
            None => section.complain_here("seed or drift is missing"),
        }
        section.finish();
    }
    if let Some(section) = root.section("invitation") {
        state.invitation = invitation(&section);
        if state.invitation.is_none() {
            section.complain_here("salt, digest or until is missing");
        }
        section.finish();
    }
    if let Some(section) = root.section("temporary_code") {
        state.handout = handout(&section);
        if state.handout.is_none() {
            section.complain_here("salt, digest, until or used is missing");
        }
        section.finish();
    }
    for section in root.sections("notice") {
        match notice(&section) {
            Some(notice) => state.notice(notice),
            None => section.complain_here("at, by or change is missing"),
        }
        section.finish();
    }
    let mut memories = Vec::new();
    for section in root.sections("memory") {
        match memory(&section) {
            Some(memory) => memories.push(memory),
            None => section.complain_here("service, address, since, until, or what opened it, is missing"),
        }
        section.finish();
    }
    state.memories = Memories::stored(memories);
    root.finish();
    state
}

fn invitation(section: &Section<'_, '_>) -> Option<Invitation> {
    let salt = section.string("salt").and_then(|text| Salt::parse(text.value));
    let digest = section.string("digest").and_then(|text| Digest::parse(text.value));
    let until = time(section, "until");
    Some(Invitation { salt: salt?, digest: digest?, until: until? })
}

fn handout(section: &Section<'_, '_>) -> Option<Handout> {
    let salt = section.string("salt").and_then(|text| Salt::parse(text.value));
    let digest = section.string("digest").and_then(|text| Digest::parse(text.value));
    let (until, is_used) = (time(section, "until"), section.boolean("used"));
    Some(Handout { salt: salt?, digest: digest?, until: until?, is_used: is_used? })
}

fn notice(section: &Section<'_, '_>) -> Option<Notice> {
    let by = section.integer("by", 0..=u32::MAX).map(Uid);
    let change = section.string("change").and_then(|text| NoticedChange::from_word(text.value));
    Some(Notice { at: time(section, "at")?, by: by?, change: change? })
}

fn memory(section: &Section<'_, '_>) -> Option<Memory> {
    let service = section.string("service").map(|text| text.value.to_owned());
    let address = section.string("address").and_then(|text| text.value.parse().ok());
    let (since, until) = (time(section, "since"), time(section, "until"));
    let seed = section.string("seed").and_then(|text| Seed::parse(text.value)).map(Opener::Seed);
    let recovery = section.string("recovery").and_then(|text| Digest::parse(text.value)).map(Opener::Recovery);
    Some(Memory { service: service?, address: address?, since: since?, until: until?, opener: seed.or(recovery)? })
}

fn usage(section: &Section<'_, '_>) -> Option<(Seed, Usage)> {
    let seed = section.string("seed").and_then(|text| Seed::parse(text.value));
    let watermark = section.integer("watermark", 0..=i64::MAX).and_then(|step| u64::try_from(step).ok()).map(Step);
    let anchor = section.integer("anchor", -LARGEST_DRIFT..=LARGEST_DRIFT).unwrap_or_default();
    let drift = section.integer("drift", anchor - Progress::MOST_DRIFT..=anchor + Progress::MOST_DRIFT);
    let last_accepted = time(section, "last_accepted");
    let near_misses = section.integer("near_misses", 0..=u32::MAX).unwrap_or_default();
    let suspects = section.strings("suspects").unwrap_or_default();
    let suspects: Option<Vec<Step>> = suspects.iter().map(|text| text.value.parse().ok().map(Step)).collect();
    let progress = Progress { watermark, drift: drift?, anchor };
    Some((seed?, Usage { progress, last_accepted, near_misses, suspects: suspects? }))
}

fn last_accepted(section: Section<'_, '_>) -> Option<LastAccepted> {
    let at = time(&section, "at");
    let source = section.string("source").map(|text| Source::from_rhost(Some(text.value)));
    let factor = section.string("factor").map(|text| text.value.to_owned());
    if at.is_none() || source.is_none() || factor.is_none() {
        section.complain_here("at, source or factor is missing");
    }
    section.finish();
    Some(LastAccepted { at: at?, source: source?, factor: factor? })
}

fn budget(section: &Section<'_, '_>, [count, at]: [&'static str; 2]) -> Failures {
    let Some(count) = section.integer(count, 1..=u32::MAX) else { return Failures::default() };
    let last = time(section, at);
    if last.is_none() {
        section.missing(at);
    }
    Failures { count, last }
}

fn throttle_in(section: Section<'_, '_>) -> Throttle {
    let mut throttle = Throttle {
        user: failures(&section),
        budget: budget(&section, ["guesses", "guesses_at"]),
        home: budget(&section, ["home_guesses", "home_guesses_at"]),
        last_source: section.string("trusted").map(|text| Source::from_rhost(Some(text.value))),
        ..Throttle::default()
    };
    let last_wrong = section.string("last_wrong").and_then(|text| Digest::parse(text.value));
    throttle.last_wrong = last_wrong.zip(time(&section, "last_wrong_at"));
    for record in section.sections("source") {
        match record.string("source") {
            Some(source) => throttle
                .sources
                .push(SourceRecord { source: Source::from_rhost(Some(source.value)), failures: failures(&record) }),
            None => record.missing("source"),
        }
        record.finish();
    }
    if throttle.sources.len() > MOST_SOURCES {
        section.complain_here("too many sources");
    }
    section.finish();
    throttle
}

fn failures(section: &Section<'_, '_>) -> Failures {
    let count = section.integer("failures", 0..=u32::MAX);
    if count.is_none() {
        section.missing("failures");
    }
    Failures { count: count.unwrap_or(u32::MAX), last: time(section, "last_failure") }
}

fn time(section: &Section<'_, '_>, name: &'static str) -> Option<UnixTime> {
    let text = section.string(name)?;
    let time = UnixTime::from_rfc3339(text.value);
    if time.is_none() {
        section.complain_about(&text, format!("{name} is not a time"));
    }
    time
}
