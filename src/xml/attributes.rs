//! The attributes of one start tag: as the scanner notes them, and as an iterator over a tag that is known to be good.

use std::borrow::Cow;

use memchr::memchr;

use super::characters::{SPACE, is, skip};
use super::escape::unescape_attr;

/// A range of the frame that is being scanned.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(super) const EMPTY: Self = Self { start: 0, end: 0 };

    /// Frames are bounded far below 4 GiB (`Framer::with_limits` sees to it).
    #[inline]
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    #[inline]
    pub(super) fn of(self, frame: &[u8]) -> &[u8] {
        frame.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// One attribute of the tag that is being scanned.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Noted {
    pub(super) name: Span,
    /// Raw, as between the quotes.
    pub(super) value: Span,
    /// Bytes of the prefix; 0 without one.
    pub(super) prefix_len: u16,
    /// Length, first and last byte of the name: names that differ mostly differ in it.
    pub(super) key: u32,
}

impl Noted {
    #[inline]
    pub(super) fn new(frame: &[u8], name: Span, prefix_len: usize, value: Span) -> Self {
        let text = name.of(frame);
        let ends = [text.first(), text.last()].map(|byte| u32::from(byte.copied().unwrap_or_default()));
        Self { name, value, prefix_len: prefix_len as u16, key: (text.len() as u32) << 16 | ends[0] << 8 | ends[1] }
    }

    /// Whether both have one name as written.
    #[inline]
    pub(super) fn same_name(self, other: Self, frame: &[u8]) -> bool {
        self.key == other.key && self.name.of(frame) == other.name.of(frame)
    }

    #[inline]
    pub(super) fn prefix(self, frame: &[u8]) -> &[u8] {
        self.name.of(frame).get(..usize::from(self.prefix_len)).unwrap_or_default()
    }

    #[inline]
    pub(super) fn local(self, frame: &[u8]) -> &[u8] {
        let skip = if self.prefix_len == 0 { 0 } else { usize::from(self.prefix_len) + 1 };
        self.name.of(frame).get(skip..).unwrap_or_default()
    }

    /// The prefix that this attribute declares, empty for the default namespace; None if it declares nothing.
    #[inline]
    pub(super) fn declares(self, frame: &[u8]) -> Option<Span> {
        match self.prefix_len {
            5 if self.prefix(frame) == b"xmlns" => Some(Span { start: self.name.start + 6, end: self.name.end }),
            0 if self.key == XMLNS_KEY && self.name.of(frame) == b"xmlns" => Some(Span::EMPTY),
            _ => None,
        }
    }
}

/// The [`Noted::key`] of `xmlns`.
const XMLNS_KEY: u32 = 5 << 16 | (b'x' as u32) << 8 | b's' as u32;

/// One attribute of a known-good tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    name: &'a str,
    prefix_len: usize,
    raw: &'a str,
}

impl<'a> Attribute<'a> {
    /// The name as written, with its prefix: `to`, `xml:lang`.
    #[must_use]
    pub fn qualified_name(&self) -> &'a str {
        self.name
    }

    /// The name without its prefix.
    #[must_use]
    pub fn name(&self) -> &'a str {
        if self.prefix_len == 0 { self.name } else { self.name.get(self.prefix_len + 1..).unwrap_or_default() }
    }

    /// The prefix; empty without one, which for attributes means no namespace.
    #[must_use]
    pub fn prefix(&self) -> &'a str {
        self.name.get(..self.prefix_len).unwrap_or_default()
    }

    /// The value as it is meant: references resolved, white space normalised.
    #[must_use]
    pub fn value(&self) -> Cow<'a, str> {
        unescape_attr(self.raw)
    }

    /// The value as it stands between its quotes.
    #[must_use]
    pub fn raw_value(&self) -> &'a str {
        self.raw
    }

    /// Whether it is `xmlns` or `xmlns:…`, which is a declaration and no attribute in the sense of XML Namespaces.
    pub(super) fn is_declaration(&self) -> bool {
        self.name == "xmlns" || self.prefix() == "xmlns"
    }

    /// Of a declaration: the prefix that it declares; empty for the default namespace.
    pub(super) fn declared_prefix(&self) -> &'a str {
        if self.prefix_len == 0 { "" } else { self.name() }
    }
}

/// The attributes of a known-good start tag in their order, namespace declarations left out.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a str,
    declarations: bool,
}

impl<'a> Attributes<'a> {
    /// `tag` is known-good, from `<` to `>`.
    pub(super) fn new(tag: &'a str) -> Self {
        Self { declarations: false, ..Self::all(tag) }
    }

    /// With the namespace declarations.
    pub(super) fn all(tag: &'a str) -> Self {
        let name = super::tag::raw_name(tag);
        Self { rest: tag.get(1 + name.len()..).unwrap_or_default(), declarations: true }
    }

    fn advance(&mut self) -> Option<Attribute<'a>> {
        let bytes = self.rest.as_bytes();
        let start = skip(bytes, 0, SPACE);
        let mut prefix_len = 0;
        let mut end = start;
        loop {
            match *bytes.get(end)? {
                b':' if prefix_len == 0 => prefix_len = end - start,
                b'=' => break,
                byte if is(byte, SPACE) => break,
                _ => {}
            }
            end += 1;
        }
        let equals = skip(bytes, end, SPACE);
        let quote = skip(bytes, equals + 1, SPACE);
        let close = quote + 1 + memchr(*bytes.get(quote)?, bytes.get(quote + 1..)?)?;
        let name = self.rest.get(start..end)?;
        let raw = self.rest.get(quote + 1..close)?;
        self.rest = self.rest.get(close + 1..)?;
        Some(Attribute { name, prefix_len, raw })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let attribute = self.advance()?;
            if self.declarations || !attribute.is_declaration() {
                return Some(attribute);
            }
        }
    }
}
