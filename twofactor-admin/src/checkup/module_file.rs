//! Checks that libpam can load the module's file: a shared object for the machine of this program, whole, with the
//! name of the function that libpam calls in it. The libraries that it needs are not looked at.

use std::path::Path;

use super::catalogue::Id;
use super::finding::Finding;

/// The function that libpam calls in every module that authenticates. Its name stands in the table of the object's symbols.
const ENTRY: &[u8] = b"pam_sm_authenticate";
/// The beginning of the names of all such functions. A module has those of the phases that it is for.
const ANY: &[u8] = b"pam_sm_";
const MAGIC: &[u8] = b"\x7fELF";
/// A shared object (elf(5), `ET_DYN`).
const SHARED_OBJECT: u16 = 3;

/// Problems with the content of the module's `file`. `own` is the beginning of a program that runs here.
pub fn of_module_file(file: &Path, content: &[u8], own: &[u8]) -> Option<Finding> {
    let because = flaw(content, own).or_else(|| {
        let has_entry = content.windows(ENTRY.len()).any(|part| part == ENTRY);
        (!has_entry).then_some("it has no pam_sm_authenticate, so it is no PAM module")
    })?;
    let what = format!("{}: {because}", file.display());
    let advice = "install the package of pam_twofactor again; keep a root shell open meanwhile";
    Some(Finding::by_hand(Id::ModuleDamaged, what, advice))
}

/// Why libpam cannot load a module of another product with this `content`, or finds nothing of its own in it.
pub fn flaw_of_another(content: &[u8], own: &[u8]) -> Option<&'static str> {
    flaw(content, own).or_else(|| {
        let has_any = content.windows(ANY.len()).any(|part| part == ANY);
        (!has_any).then_some("it has no function of a PAM module")
    })
}

fn flaw(content: &[u8], own: &[u8]) -> Option<&'static str> {
    let (Some(found), Some(own)) = (Header::read(content), Header::read(own)) else {
        return Some("it is no shared object (ELF)");
    };
    if (found.class, found.order, found.machine) != (own.class, own.order, own.machine) {
        return Some("it is for another kind of machine");
    }
    if found.kind != SHARED_OBJECT {
        return Some("it is no shared object");
    }
    found.end.is_none_or(|end| end > content.len()).then_some("its end is missing")
}

/// The header of an ELF file (elf(5)), in the byte order of this machine: in another one the order itself differs.
struct Header {
    class: u8,
    order: u8,
    kind: u16,
    machine: u16,
    /// The end of the table of sections, which linkers put last.
    end: Option<usize>,
}

impl Header {
    fn read(content: &[u8]) -> Option<Self> {
        let (class, order) = (*content.get(4)?, *content.get(5)?);
        let number = |at: usize| Some(u16::from_ne_bytes(content.get(at..at + 2)?.try_into().ok()?));
        let (table, size, count) = match class {
            1 => (u64::from(u32::from_ne_bytes(content.get(0x20..0x24)?.try_into().ok()?)), 0x2E, 0x30),
            _ => (u64::from_ne_bytes(content.get(0x28..0x30)?.try_into().ok()?), 0x3A, 0x3C),
        };
        let sections = usize::from(number(size)?) * usize::from(number(count)?);
        let end = usize::try_from(table).ok().and_then(|table| table.checked_add(sections));
        content.starts_with(MAGIC).then_some(Self { class, order, kind: number(0x10)?, machine: number(0x12)?, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shared object of 64 bits with a table of one section at its end.
    fn object() -> Vec<u8> {
        let mut object = [MAGIC, &[2, 1, 1, 0], &[0; 8]].concat();
        for number in [SHARED_OBJECT, 62] {
            object.extend(number.to_ne_bytes());
        }
        object.resize(0x40, 0);
        object[0x28..0x30].copy_from_slice(&100_u64.to_ne_bytes());
        object[0x3A..0x3C].copy_from_slice(&64_u16.to_ne_bytes());
        object[0x3C..0x3E].copy_from_slice(&1_u16.to_ne_bytes());
        object.extend(ENTRY);
        object.resize(164, 0);
        object
    }

    #[test]
    fn a_module_for_this_machine_is_well() {
        assert_eq!(flaw(&object(), &object()), None);
        assert_eq!(flaw_of_another(&object(), &object()), None);
        assert_eq!(of_module_file(Path::new("/m.so"), &object(), &object()), None);
    }

    #[test]
    fn what_libpam_cannot_load_is_found() {
        let changed = |at: usize, to: u8| {
            let mut object = object();
            object[at] = to;
            flaw(&object, &self::object())
        };
        assert!(flaw(b"", &object()).is_some() && flaw(b"not an elf", &object()).is_some());
        assert_eq!(changed(0, 0), Some("it is no shared object (ELF)"));
        assert_eq!(changed(0x12, 183), Some("it is for another kind of machine"));
        assert_eq!(changed(4, 1), Some("it is for another kind of machine"));
        assert_eq!(changed(0x10, 2), Some("it is no shared object"));
        let mut another = object();
        another[0x47] = b'x';
        let found = of_module_file(Path::new("/m.so"), &another, &object()).unwrap();
        assert!(found.what.ends_with("it has no pam_sm_authenticate, so it is no PAM module"), "{found:?}");
        assert_eq!(flaw_of_another(&another, &object()), None, "it may have others");
        another[0x40] = b'x';
        assert_eq!(flaw_of_another(&another, &object()), Some("it has no function of a PAM module"));
        assert_eq!(flaw(&object()[..163], &object()), Some("its end is missing"));
    }
}
