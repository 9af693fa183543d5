//! The form of the `state` file: two slots of equal size, of which the newer whole one counts.
//!
//! A login overwrites the older slot in place, as often as it needs to, and then waits once until it is on disk. That
//! costs one flush of blocks that the file already has, needs no free space, and leaves the newer slot alone: a power
//! cut can tear only a state that no caller has seen. Every slot is text; a reader of the file sees the last two
//! states.
//!
//! The slot left alone must itself be on disk, and that of a login killed before its flush may not be. So a slot says
//! `written` until its flush is over, and `on disk` from then on. A reader that finds `written` flushes first.

use std::str;

/// A slot is at least a block of the file system, so that a torn block never spans two.
const SMALLEST: usize = 4096;
/// The largest slot. The largest state fits.
const LARGEST: usize = 64 * 1024;

/// `# twofactor state, generation 00000000000000000001, 00000123 bytes, `, a checksum, and whether it is on disk.
const HEADER: &str = "# twofactor state, generation ";
/// The end of a slot's header: of one length and outside the checksum, so that a torn change of it changes nothing.
const WRITTEN: &str = "written";
const ON_DISK: &str = "on disk";

/// The place of the next state in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    size: usize,
    /// The generation of the newest text, written or about to be.
    generation: u64,
    /// The slot this login may overwrite.
    older: usize,
    /// The other slot is certain to be on disk.
    certain: bool,
}

/// Neither slot is whole, or the file has another size than any we write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl Slots {
    /// Finds the newer whole slot of a file, and its text.
    pub(super) fn read(content: &[u8]) -> Result<(Self, &str), Damaged> {
        let size = content.len() / 2;
        let fits = size.is_power_of_two() && (SMALLEST..=LARGEST).contains(&size) && content.len() == 2 * size;
        if !fits {
            return Err(Damaged);
        }
        let slots = content.chunks_exact(size).enumerate().filter_map(|(index, slot)| Some((index, parse(slot)?)));
        let (newest, slot) = slots.max_by_key(|(_, slot)| slot.generation).ok_or(Damaged)?;
        Ok((Self { size, generation: slot.generation, older: 1 - newest, certain: slot.on_disk }, slot.text))
    }

    /// Whether a power cut could lose the newer slot: then the file has to be flushed before the older one, which may
    /// be the only one on disk, is overwritten.
    pub(super) fn must_be_flushed_first(&self) -> bool {
        !self.certain
    }

    /// The bytes that mark the filled slot as on disk, and their offset. They need no flush of their own.
    pub(super) fn flushed(&self) -> Option<(&'static [u8], u64)> {
        let header = header(self.generation, "", "").len() - 1;
        Some((ON_DISK.as_bytes(), u64::try_from(self.older * self.size + header).ok()?))
    }

    /// Fills the older slot with `text`: gives the bytes and their offset; `None` when it does not fit.
    ///
    /// Every call gives the same slot: the other one is on disk and counts until this one is.
    pub(super) fn fill(&mut self, text: &str) -> Option<(Vec<u8>, u64)> {
        let slot = filled(self.size, self.generation + 1, text, WRITTEN)?;
        self.generation += 1;
        Some((slot, u64::try_from(self.older * self.size).ok()?))
    }

    /// A whole file whose slots both hold `text`; `None` when it fits no slot. The file gets its name once it is on
    /// disk.
    pub(super) fn file(text: &str) -> Option<Vec<u8>> {
        let sizes = std::iter::successors(Some(SMALLEST), |size| Some(size * 2)).take_while(|size| *size <= LARGEST);
        let mut first = sizes.into_iter().find_map(|size| filled(size, 1, text, ON_DISK))?;
        let second = filled(first.len(), 2, text, ON_DISK)?;
        first.extend(second);
        Some(first)
    }
}

fn filled(size: usize, generation: u64, text: &str, end: &str) -> Option<Vec<u8>> {
    let mut slot = header(generation, text, end);
    slot.push_str(text);
    let mut slot = slot.into_bytes();
    if slot.len() > size {
        return None;
    }
    slot.resize(size, b'\n');
    Some(slot)
}

fn header(generation: u64, text: &str, end: &str) -> String {
    let (length, checksum) = (text.len(), checksum(generation, text));
    format!("{HEADER}{generation:020}, {length:08} bytes, {checksum:016x}, {end}\n")
}

/// A whole slot.
struct Slot<'c> {
    generation: u64,
    text: &'c str,
    on_disk: bool,
}

fn parse(slot: &[u8]) -> Option<Slot<'_>> {
    let (header, rest) = str::from_utf8(slot).ok()?.split_once('\n')?;
    let mut fields = header.strip_prefix(HEADER)?.split(", ");
    let generation = fields.next()?.parse().ok()?;
    let length: usize = fields.next()?.strip_suffix(" bytes")?.parse().ok()?;
    let checksum_there = u64::from_str_radix(fields.next()?, 16).ok()?;
    let on_disk = fields.next()? == ON_DISK;
    let text = rest.get(..length)?;
    (checksum_there == checksum(generation, text)).then_some(Slot { generation, text, on_disk })
}

/// FNV-1a. It finds a torn write. Against a writer of the file no checksum would help.
fn checksum(generation: u64, text: &str) -> u64 {
    let bytes = generation.to_be_bytes().into_iter().chain(text.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(content: &[u8]) -> String {
        Slots::read(content).unwrap().1.to_owned()
    }

    fn write(content: &mut [u8], text: &str) {
        let (mut slots, _) = Slots::read(content).unwrap();
        let (slot, offset) = slots.fill(text).unwrap();
        let offset = usize::try_from(offset).unwrap();
        content[offset..offset + slot.len()].copy_from_slice(&slot);
    }

    #[test]
    fn the_newest_text_is_read_and_the_one_before_is_kept() {
        let mut content = Slots::file("zero").unwrap();
        for number in 0..5 {
            write(&mut content, &format!("text {number}"));
            assert_eq!(text_of(&content), format!("text {number}"));
        }
        let shown = String::from_utf8(content).unwrap();
        assert!(shown.contains("text 3") && shown.contains("text 4"));
    }

    #[test]
    fn one_login_writes_one_slot_however_often() {
        let content = Slots::file("zero").unwrap();
        let (mut slots, _) = Slots::read(&content).unwrap();
        let (charged, first) = slots.fill("charged").unwrap();
        let (accepted, second) = slots.fill("accepted").unwrap();
        assert_eq!(first, second);
        let read = |slot: &[u8]| text_of(&[slot, &content[SMALLEST..]].concat());
        assert_eq!((read(&charged).as_str(), read(&accepted).as_str()), ("charged", "accepted"));
    }

    #[test]
    fn a_slot_is_on_disk_only_once_somebody_said_so() {
        let mut content = Slots::file("zero").unwrap();
        assert!(!Slots::read(&content).unwrap().0.must_be_flushed_first());
        let (mut slots, _) = Slots::read(&content).unwrap();
        let (slot, offset) = slots.fill("one").unwrap();
        let offset = usize::try_from(offset).unwrap();
        content[offset..offset + slot.len()].copy_from_slice(&slot);
        assert!(Slots::read(&content).unwrap().0.must_be_flushed_first(), "whoever wrote it may have been killed");
        let (mark, offset) = slots.flushed().unwrap();
        let offset = usize::try_from(offset).unwrap();
        for torn in 0..=mark.len() {
            content[offset..offset + torn].copy_from_slice(&mark[..torn]);
            let (slots, text) = Slots::read(&content).unwrap();
            assert_eq!((text, slots.must_be_flushed_first()), ("one", torn < mark.len()));
        }
    }

    #[test]
    fn a_write_torn_anywhere_leaves_the_old_text_or_the_new_one() {
        let mut before = Slots::file("zero").unwrap();
        write(&mut before, "the old text, which is a little longer");
        let mut after = before.clone();
        write(&mut after, "the new text");
        for torn in 0..=before.len() {
            let from_the_front = [&after[..torn], &before[torn..]].concat();
            let from_the_back = [&before[..torn], &after[torn..]].concat();
            for content in [from_the_front, from_the_back] {
                let text = text_of(&content);
                assert!(text == "the new text" || text.starts_with("the old text"), "torn at {torn}: {text}");
            }
        }
    }

    #[test]
    fn what_is_not_two_slots_is_damaged() {
        let whole = Slots::file("text").unwrap();
        for length in (0..whole.len()).chain([whole.len() + 1]) {
            let mut content = whole.clone();
            content.resize(length, b'\n');
            assert_eq!(Slots::read(&content), Err(Damaged), "{length} bytes");
        }
        assert_eq!(Slots::read(&vec![0; 8192]), Err(Damaged));
        assert_eq!(Slots::read(&vec![b'x'; 8192]), Err(Damaged));
    }

    #[test]
    fn a_changed_byte_of_the_text_is_noticed() {
        let mut content = Slots::file("watermark = 41").unwrap();
        let (first, second) = content.split_at_mut(SMALLEST);
        for slot in [first, second] {
            let digit = slot.windows(2).position(|pair| pair == b"41").unwrap();
            slot[digit] = b'3';
        }
        assert_eq!(Slots::read(&content), Err(Damaged));
    }

    #[test]
    fn a_text_that_outgrows_its_slot_gets_a_larger_file() {
        let mut content = Slots::file("small").unwrap();
        assert_eq!(content.len(), 2 * SMALLEST);
        let long = "x".repeat(SMALLEST);
        assert!(Slots::read(&content).unwrap().0.fill(&long).is_none());
        content = Slots::file(&long).unwrap();
        assert_eq!(content.len(), 4 * SMALLEST);
        assert_eq!(text_of(&content), long);
        assert!(Slots::file(&"x".repeat(LARGEST)).is_none());
    }
}
