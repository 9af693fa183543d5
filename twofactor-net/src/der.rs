//! Elements of DER (X.690): a tag, a length, and the content.

/// The elements that were not read yet.
#[derive(Debug, Clone)]
pub struct Elements<'d>(&'d [u8]);

/// An element.
#[derive(Debug, Clone, Copy)]
pub struct Element<'d> {
    /// Its tag.
    pub tag: u8,
    /// Its content.
    pub content: &'d [u8],
}

impl<'d> Elements<'d> {
    /// The elements in this content.
    pub fn of(content: &'d [u8]) -> Self {
        Self(content)
    }

    /// The elements inside of the next one, which has this tag.
    pub fn inside(&mut self, tag: u8) -> Option<Self> {
        self.next().filter(|element| element.tag == tag).map(|element| Self(element.content))
    }

    /// The next element where it has this tag; else nothing is read.
    pub fn if_next(&mut self, tag: u8) -> Option<&'d [u8]> {
        let before = self.0;
        let found = self.next().filter(|element| element.tag == tag).map(|element| element.content);
        if found.is_none() {
            self.0 = before;
        }
        found
    }

    /// True at the end.
    pub fn are_over(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'d> Iterator for Elements<'d> {
    type Item = Element<'d>;

    /// The next element. `None` at the end, and where the content ends before the element does.
    fn next(&mut self) -> Option<Element<'d>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match usize::from(first) {
            short @ 0..0x80 => (short, rest),
            long => {
                // A certificate here has less than 64 KiB.
                let (digits, rest) = rest.split_at_checked(long - 0x80).filter(|(digits, _)| digits.len() <= 3)?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_and_damaged_ones_are_none() {
        let long = [&[4, 0x81, 200][..], &[7; 200]].concat();
        let bytes = [&[0x30, 3, 2, 1, 5][..], &long, &[4, 0x82, 0, 1, 9]].concat();
        let mut elements = Elements::of(&bytes);
        assert!(elements.if_next(4).is_none());
        let mut inside = elements.inside(0x30).unwrap();
        assert_eq!(inside.if_next(2), Some(&[5][..]));
        assert!(inside.are_over() && inside.next().is_none());
        assert_eq!(elements.next().unwrap().content, [7; 200]);
        assert_eq!(elements.if_next(4), Some(&[9][..]));
        for damaged in [&[4][..], &[4, 2, 1], &[4, 0x80], &[4, 0x82, 1], &[4, 0x84, 0, 0, 0, 1, 9], &[4, 0xff]] {
            let read = Elements::of(damaged).next();
            assert!(read.is_none_or(|element| element.content.is_empty()), "{damaged:?}: {read:?}");
        }
    }
}
