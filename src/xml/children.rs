//! A cheap look over the direct children of a payload: no tree, no allocation. For XML that the framer let through.

use std::borrow::Cow;

use memchr::{memchr, memchr3, memmem};

use super::attributes::{Attribute, Attributes};
use super::tag::{raw_name, split};
use crate::ns;

/// The elements that stand directly in `payload`, whose default namespace is `default_ns` where they declare none. A prefix
/// must be declared on the child itself, as in a portable payload; one that is not resolves to the empty namespace.
///
/// On input that is not known-good the iterator ends early; it never panics.
#[must_use]
pub fn children<'a>(payload: &'a [u8], default_ns: &'a str) -> Children<'a> {
    Children { payload, at: 0, default_ns }
}

/// The attributes of the element that `bytes` begin with. What it holds is not looked at.
#[must_use]
pub fn attributes_of(bytes: &[u8]) -> Option<Attributes<'_>> {
    let tag = bytes.get(..tag_end(bytes, 0)?)?;
    std::str::from_utf8(tag).ok().map(Attributes::new)
}

/// See [`children()`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    payload: &'a [u8],
    at: usize,
    default_ns: &'a str,
}

/// One direct child.
#[derive(Clone, Debug)]
pub struct Child<'a> {
    /// The local name.
    pub name: &'a str,
    /// The namespace; empty without one.
    pub ns: Cow<'a, str>,
    /// The whole element.
    pub bytes: &'a [u8],
    /// The start tag.
    pub(super) text: &'a str,
    /// Where it begins in the payload.
    pub(super) offset: usize,
}

impl<'a> Child<'a> {
    /// Whether this is the element `name` of `namespace`.
    #[must_use]
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && self.ns == namespace
    }

    /// The value of the attribute `name`, as written with its prefix (`to`, `xml:lang`).
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.attributes().find(|attribute| attribute.qualified_name() == name).map(|attribute| attribute.value())
    }

    /// The attributes in their order, namespace declarations left out.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.text)
    }

    /// The raw content between start and end tag; empty for an empty element.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        let end = memchr::memrchr(b'<', self.bytes).unwrap_or(0);
        self.bytes.get(self.text.len()..end).unwrap_or_default()
    }

    pub(super) fn declarations(&self) -> impl Iterator<Item = Attribute<'a>> {
        Attributes::all(self.text).filter(|attribute| attribute.is_declaration())
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Child<'a>;

    fn next(&mut self) -> Option<Child<'a>> {
        let start = loop {
            let start = self.at + memchr(b'<', self.payload.get(self.at..)?)?;
            match self.payload.get(start + 1)? {
                b'!' => self.at = section_end(self.payload, start)?,
                b'/' => return None,
                _ => break start,
            }
        };
        let tag_end = tag_end(self.payload, start)?;
        let end = element_end(self.payload, tag_end)?;
        self.at = end;
        let text = std::str::from_utf8(self.payload.get(start..tag_end)?).ok()?;
        let raw = raw_name(text);
        let (prefix, name) = split(raw);
        let mut child = Child { name, ns: Cow::Borrowed(""), bytes: &self.payload[start..end], text, offset: start };
        let declared = child.declarations().find(|declaration| declaration.declared_prefix() == prefix);
        child.ns = match declared {
            Some(declaration) => declaration.value(),
            None if prefix.is_empty() => Cow::Borrowed(self.default_ns),
            None if prefix == "xml" => Cow::Borrowed(ns::XML),
            None => Cow::Borrowed(""),
        };
        Some(child)
    }
}

/// After the CDATA section that begins at `start`.
fn section_end(bytes: &[u8], start: usize) -> Option<usize> {
    memmem::find(bytes.get(start..)?, b"]]>").map(|len| start + len + 3)
}

/// After the `>` of the start tag that begins at `start`.
fn tag_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr3(b'>', b'\'', b'"', bytes.get(at..)?)?;
        match bytes[at] {
            b'>' => return Some(at + 1),
            quote => at += memchr(quote, bytes.get(at + 1..)?)? + 2,
        }
    }
}

/// After the end tag of the element whose start tag ends at `tag_end`.
fn element_end(bytes: &[u8], tag_end_at: usize) -> Option<usize> {
    let mut depth = usize::from(!empty(bytes, tag_end_at));
    let mut at = tag_end_at;
    while depth > 0 {
        let start = at + memchr(b'<', bytes.get(at..)?)?;
        at = match bytes.get(start + 1)? {
            b'!' => section_end(bytes, start)?,
            b'/' => {
                depth -= 1;
                start + memchr(b'>', bytes.get(start..)?)? + 1
            }
            _ => {
                let end = tag_end(bytes, start)?;
                depth += usize::from(!empty(bytes, end));
                end
            }
        };
    }
    Some(at)
}

/// Whether the start tag that ends at `end` is an empty element's.
fn empty(bytes: &[u8], end: usize) -> bool {
    end >= 2 && bytes[end - 2] == b'/'
}
