//! The little of XML that PSKC needs: the children of the root, one after the other, each as a small tree.
//!
//! Invariants: no document type, no entities but the five of XML itself, no nesting, attribute or value beyond
//! what a key takes; text that may be a secret is wiped. Namespaces are resolved, so prefixes do not matter.

use quick_xml::NsReader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use zeroize::Zeroizing;

use super::bounds::{LONGEST_FIELD, MOST_XML_ELEMENTS};

/// Deeper than any PSKC document.
const DEEPEST: usize = 24;
/// More than any element of PSKC has.
const MOST_ATTRIBUTES: usize = 16;
/// More than any key has.
const MOST_ELEMENTS: usize = 200;
/// The problem of a document with more.
pub(super) const TOO_MANY: &str = "has too many elements";

/// The namespace of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    /// RFC 6030.
    Pskc,
    /// One of the namespaces that RFC 6030 uses: XML Encryption, XML Signature, PKCS #5. Or none at all.
    Allied,
    /// Another one.
    Foreign,
}

impl Namespace {
    fn of(resolved: &ResolveResult<'_>) -> Self {
        match resolved {
            ResolveResult::Bound(namespace) => match namespace.0 {
                "urn:ietf:params:xml:ns:keyprov:pskc" => Self::Pskc,
                // Drafts of PSKC from before the RFC.
                namespace if namespace.starts_with("urn:ietf:params:xml:ns:keyprov:") => Self::Pskc,
                namespace if namespace.starts_with("http://www.openauthentication.org/") => Self::Pskc,
                "http://www.w3.org/2001/04/xmlenc#"
                | "http://www.w3.org/2009/xmlenc11#"
                | "http://www.w3.org/2000/09/xmldsig#"
                | "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5#"
                | "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#" => Self::Allied,
                _ => Self::Foreign,
            },
            ResolveResult::Unbound => Self::Allied,
            ResolveResult::Unknown(_) => Self::Foreign,
        }
    }
}

/// An element with all that is in it.
pub(super) struct Element {
    pub(super) name: String,
    pub(super) namespace: Namespace,
    attributes: Vec<(String, String)>,
    text: Zeroizing<String>,
    children: Vec<Element>,
}

impl Element {
    /// The first child of a name, unless of another namespace.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(name))
    }

    /// All children of a name.
    pub(super) fn children_named<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.is(name))
    }

    /// All children.
    pub(super) fn children(&self) -> &[Self] {
        &self.children
    }

    /// The element at the end of a path of first children.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The first element of a name anywhere inside.
    pub(super) fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| if child.is(name) { Some(child) } else { child.find(name) })
    }

    /// The first element of a name anywhere inside, or this one itself, by value.
    pub(super) fn into_found(self, name: &str) -> Option<Self> {
        if self.is(name) {
            return Some(self);
        }
        self.children.into_iter().find_map(|child| child.into_found(name))
    }

    /// True when it has a name, in any case: privacyIDEA writes its exports in lower case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.namespace != Namespace::Foreign && self.name.eq_ignore_ascii_case(name)
    }

    /// The value of an attribute, whatever its prefix and case.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The names of all attributes but declarations of namespaces.
    pub(super) fn attribute_names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(key, _)| key.as_str())
    }

    /// The text that stands directly in this element.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }
}

/// A child of the root.
pub(super) struct Child {
    pub(super) element: Element,
    /// Its beginning and end, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The line it begins at.
    pub(super) line: usize,
    /// It holds a value longer, or more elements, than any key. What is beyond is missing.
    pub(super) too_large: bool,
}

/// Why a text is not XML, or not the XML we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct XmlError {
    pub(super) line: usize,
    /// A predicate of "the XML".
    pub(super) problem: &'static str,
}

/// A document, read child by child.
pub(super) struct XmlDocument<'t> {
    reader: NsReader<&'t [u8]>,
    text: &'t str,
    /// The line of a position that was asked for before, so that lines are counted once.
    counted: (usize, usize),
    /// The number of elements that were read.
    elements: usize,
    /// Children of the root whose children are read as if they were the root's, and how many of them are open.
    inside: &'static str,
    entered: usize,
}

impl<'t> XmlDocument<'t> {
    /// Begins a document: reads up to its root, which has no children yet.
    pub(super) fn begin(text: &'t str) -> Result<(Self, Element), XmlError> {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut document = Self { reader, text, counted: (0, 1), elements: 0, inside: "", entered: 0 };
        loop {
            let start = document.position();
            match document.event(start)? {
                Some((namespace, Event::Start(start_tag))) => {
                    let root = document.element(namespace, &start_tag, start)?;
                    return Ok((document, root));
                }
                Some((_, Event::Text(text))) if !text.trim().is_empty() => {
                    return Err(document.error(start, "has text before its root"));
                }
                Some(_) => {}
                None => return Err(document.error(start, "has no root")),
            }
        }
    }

    /// The same document, with the children of its elements of a name as if they were the root's.
    pub(super) fn entering(mut self, name: &'static str) -> Self {
        self.inside = name;
        self
    }

    /// The next child of the root. `None`: the document is complete.
    pub(super) fn next(&mut self) -> Result<Option<Child>, XmlError> {
        let mut open: Vec<Element> = Vec::new();
        let (mut begun_at, mut elements, mut too_large) = (0, 0, false);
        loop {
            let start = self.position();
            match self.event(start)? {
                Some((namespace, Event::Start(start_tag))) => {
                    if open.is_empty() {
                        begun_at = start;
                    }
                    if open.len() >= DEEPEST {
                        return Err(self.error(start, "nests deeper than any PSKC document"));
                    }
                    elements += 1;
                    self.elements += 1;
                    if self.elements > MOST_XML_ELEMENTS {
                        return Err(XmlError { line: 0, problem: TOO_MANY });
                    }
                    let element = self.element(namespace, &start_tag, start)?;
                    if open.is_empty() && self.entered == 0 && element.is(self.inside) {
                        self.entered = 1;
                        continue;
                    }
                    open.push(element);
                }
                Some((_, Event::End(_))) => {
                    let Some(closed) = open.pop() else {
                        if self.entered > 0 {
                            self.entered = 0;
                            continue;
                        }
                        return self.finish().map(|()| None);
                    };
                    match open.last_mut() {
                        Some(parent) if elements <= MOST_ELEMENTS => parent.children.push(closed),
                        Some(_) => too_large = true,
                        None => {
                            let (line, end) = (self.line(begun_at), self.position());
                            return Ok(Some(Child { element: closed, start: begun_at, end, line, too_large }));
                        }
                    }
                }
                Some((_, event)) => {
                    if let Some(element) = open.last_mut() {
                        too_large |=
                            !append(&mut element.text, &event).map_err(|problem| self.error(start, problem))?;
                    }
                }
                None => return Err(self.error(start, "ends too early")),
            }
        }
    }

    /// Reads what stands behind the root: comments and white space.
    fn finish(&mut self) -> Result<(), XmlError> {
        loop {
            let start = self.position();
            match self.event(start)? {
                None => return Ok(()),
                Some((_, Event::Start(_))) => return Err(self.error(start, "has a second root")),
                Some(_) => {}
            }
        }
    }

    /// The next event, with the namespace where it is an element. `None`: the end of the text.
    fn event(&mut self, start: usize) -> Result<Option<(Namespace, Event<'t>)>, XmlError> {
        let (namespace, event) = match self.reader.read_resolved_event() {
            Ok((resolved, event)) => (Namespace::of(&resolved), event),
            Err(_) => return Err(self.error(start, "is not well-formed")),
        };
        match event {
            Event::Eof => Ok(None),
            Event::DocType(_) => Err(self.error(start, "has a DOCTYPE, which no seed file needs")),
            event => Ok(Some((namespace, event))),
        }
    }

    fn element(&mut self, namespace: Namespace, tag: &BytesStart<'_>, start: usize) -> Result<Element, XmlError> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let Ok(attribute) = attribute else {
                return Err(self.error(start, "has an attribute that is not well-formed"));
            };
            // `xsi:type` and `xml:lang` say nothing that a reader without the schema needs.
            let of_xml = |prefix: quick_xml::name::Prefix<'_>| matches!(prefix.into_inner(), "xsi" | "xml");
            if attribute.key.as_namespace_binding().is_some() || attribute.key.prefix().is_some_and(of_xml) {
                continue;
            }
            if attributes.len() >= MOST_ATTRIBUTES || attribute.value.len() > LONGEST_FIELD {
                return Err(self.error(start, "has more or longer attributes than any PSKC document"));
            }
            let Ok(value) = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0) else {
                return Err(self.error(start, "has an attribute with an unknown entity"));
            };
            attributes.push((attribute.key.local_name().into_inner().to_owned(), value.into_owned()));
        }
        let name = tag.local_name().into_inner().to_owned();
        Ok(Element { name, namespace, attributes, text: Zeroizing::default(), children: Vec::new() })
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The line of a position. Positions are asked for in rising order, but for errors.
    fn line(&mut self, position: usize) -> usize {
        let (counted_to, line) = self.counted;
        let between = self.text.as_bytes().get(counted_to..position).unwrap_or_default();
        self.counted = (position.max(counted_to), line + line_ends(between));
        self.counted.1
    }

    fn error(&mut self, position: usize, problem: &'static str) -> XmlError {
        XmlError { line: self.line(position), problem }
    }
}

/// The number of line ends. An XML document that ends its lines with CR alone has one line.
pub(super) fn line_ends(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count() - 1
}

/// Adds what an event says to a text. `Ok(false)`: that would be longer than any value, and was left out.
fn append(text: &mut Zeroizing<String>, event: &Event<'_>) -> Result<bool, &'static str> {
    let mut character = [0; 4];
    let part: &str = match event {
        Event::Text(part) => part,
        Event::CData(part) => part,
        Event::GeneralRef(reference) => resolved(reference)?.encode_utf8(&mut character),
        _ => return Ok(true),
    };
    // White space between elements is no text.
    if text.is_empty() && part.trim().is_empty() {
        return Ok(true);
    }
    let length = text.len() + part.len();
    if length > LONGEST_FIELD {
        return Ok(false);
    }
    // A buffer that grew would leave a part of a secret behind; one that is replaced is wiped.
    let mut longer = Zeroizing::new(String::with_capacity(length));
    longer.push_str(text);
    longer.push_str(part);
    *text = longer;
    Ok(true)
}

fn resolved(reference: &BytesRef<'_>) -> Result<char, &'static str> {
    const UNKNOWN: &str = "has an entity, which no seed file needs";
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Ok(character);
    }
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(text: &str) -> Result<Vec<Child>, XmlError> {
        let (mut document, _) = XmlDocument::begin(text)?;
        let mut children = Vec::new();
        while let Some(child) = document.next()? {
            children.push(child);
        }
        Ok(children)
    }

    fn problem(text: &str) -> &'static str {
        children(text).map(|_| ()).unwrap_err().problem
    }

    #[test]
    fn children_are_read_one_by_one_with_their_lines() {
        let text = "<?xml version='1.0'?>\n<a>\n <b x='1&amp;2'>u&lt;<![CDATA[v]]><c/></b>\n\n<b/>\n</a>\n";
        let children = children(text).unwrap();
        let [first, second] = children.as_slice() else { panic!("two children") };
        assert_eq!((first.line, second.line), (3, 5));
        assert_eq!(first.element.attribute("x"), Some("1&2"));
        assert_eq!(first.element.text(), "u<v");
        assert!(first.element.child("c").is_some());
        assert!(text[first.start..first.end].starts_with("<b x") && text[first.start..first.end].ends_with("</b>"));
    }

    #[test]
    fn documents_beyond_what_pskc_needs_are_refused() {
        assert!(problem("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").contains("DOCTYPE"));
        assert!(problem("<a><b>&c;</b></a>").contains("entity"));
        assert!(problem(&"<a>".repeat(100)).contains("deeper"));
        assert!(problem("<a><b></a>").contains("well-formed"));
        assert!(problem("<a><b/>").contains("early"));
        assert!(problem("").contains("no root"));
        assert!(problem("<a/><a/>").contains("second root"));
        let attributes = (0..100).map(|number| format!(" x{number}='1'")).collect::<Vec<_>>().concat();
        assert!(problem(&format!("<a><b{attributes}/></a>")).contains("attributes"));
        assert!(problem(&format!("<a><b x='{}'/></a>", "1".repeat(2000))).contains("attributes"));
    }

    #[test]
    fn a_child_that_is_too_large_is_cut_and_marked() {
        let long = format!("<a><b>{}</b><b/></a>", "x".repeat(2000));
        let many = format!("<a><b>{}</b><b/></a>", "<c/>".repeat(1000));
        for text in [long, many] {
            let children = children(&text).unwrap();
            assert_eq!(children.iter().map(|child| child.too_large).collect::<Vec<_>>(), [true, false]);
        }
    }

    #[test]
    fn namespaces_count_and_prefixes_do_not() {
        let text = "<p:a xmlns:p='urn:ietf:params:xml:ns:keyprov:pskc'><p:b/><b xmlns='other'/><b/></p:a>";
        let namespaces: Vec<_> = children(text).unwrap().iter().map(|child| child.element.namespace).collect();
        assert_eq!(namespaces, [Namespace::Pskc, Namespace::Foreign, Namespace::Allied]);
    }
}
