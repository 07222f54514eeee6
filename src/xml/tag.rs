//! A start tag and a whole element of the stream as the framer hands them out: borrowed, with names resolved
//! (Namespaces in XML 1.0 section 6).

use std::borrow::Cow;

use super::attributes::{Attribute, Attributes};
use super::characters::{SPACE, is};
use super::escape::unescape_attr;
use super::namespaces::StreamScope;
use super::portable;
use crate::ns;

/// The name in a known-good tag as written, prefix included.
pub(super) fn raw_name(tag: &str) -> &str {
    let bytes = tag.as_bytes().get(1..).unwrap_or_default();
    let len = bytes.iter().position(|byte| is(*byte, SPACE) || matches!(byte, b'/' | b'>')).unwrap_or(bytes.len());
    tag.get(1..1 + len).unwrap_or_default()
}

/// Prefix and local name; the prefix is empty without one.
pub(super) fn split(raw: &str) -> (&str, &str) {
    match raw.bytes().position(|byte| byte == b':') {
        Some(at) => (&raw[..at], &raw[at + 1..]),
        None => ("", raw),
    }
}

/// A start tag: the stream header's or a stanza's.
#[derive(Clone, Debug)]
pub struct Tag<'a> {
    /// From `<` to `>`.
    text: &'a str,
    name: &'a str,
    prefix: &'a str,
    namespace: Cow<'a, str>,
    default: Cow<'a, str>,
    stream: &'a StreamScope,
}

impl<'a> Tag<'a> {
    /// `own_default` is the raw value of the tag's own `xmlns`.
    pub(super) fn new(text: &'a str, own_default: Option<&'a str>, stream: &'a StreamScope) -> Self {
        let default = match own_default {
            Some(raw) => unescape_attr(raw),
            None => Cow::Borrowed(stream.default_namespace()),
        };
        let raw = raw_name(text);
        let (prefix, name) = split(raw);
        let mut tag = Self { text, name, prefix, namespace: Cow::Borrowed(""), default, stream };
        tag.namespace = if prefix.is_empty() { tag.default.clone() } else { tag.resolve(prefix) };
        tag
    }

    /// The local name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The prefix as written; empty without one.
    #[must_use]
    pub fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// The namespace of the element; empty without one.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether this is the element `name` of `namespace`.
    #[must_use]
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The default namespace in force inside the element; empty without one.
    #[must_use]
    pub fn default_namespace(&self) -> &str {
        &self.default
    }

    /// The value of the attribute `name` of namespace `ns`, which is empty for an attribute without a prefix.
    #[must_use]
    pub fn attribute(&self, ns: &str, name: &str) -> Option<Cow<'a, str>> {
        let mut attributes = self.attributes();
        let found = attributes.find(|attribute| attribute.name() == name && self.namespace_of(attribute) == ns);
        found.map(|attribute| attribute.value())
    }

    /// The attributes in their order, namespace declarations left out. One pass over them is cheaper than many calls of
    /// [`Tag::attribute`].
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.text)
    }

    /// The namespace of one of this tag's attributes; empty without a prefix.
    #[must_use]
    pub fn namespace_of(&self, attribute: &Attribute<'a>) -> Cow<'a, str> {
        if attribute.prefix().is_empty() { Cow::Borrowed("") } else { self.resolve(attribute.prefix()) }
    }

    fn resolve(&self, prefix: &str) -> Cow<'a, str> {
        if prefix == "xml" {
            return Cow::Borrowed(ns::XML);
        }
        match self.declarations().find(|declaration| declaration.declared_prefix() == prefix) {
            Some(declaration) => declaration.value(),
            None => Cow::Borrowed(self.stream.resolve(prefix).unwrap_or_default()),
        }
    }

    /// The tag's own namespace declarations.
    pub(super) fn declarations(&self) -> impl Iterator<Item = Attribute<'a>> {
        Attributes::all(self.text).filter(|attribute| attribute.is_declaration())
    }

    pub(super) fn stream(&self) -> &'a StreamScope {
        self.stream
    }
}

/// A complete child of the stream: a stanza or nonza.
#[derive(Clone, Debug)]
pub struct Framed<'a> {
    pub(super) tag: Tag<'a>,
    pub(super) bytes: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) reaches_out: bool,
    pub(super) has_children: bool,
}

impl<'a> Framed<'a> {
    /// The start tag.
    #[must_use]
    pub fn tag(&self) -> &Tag<'a> {
        &self.tag
    }

    /// The whole element.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The raw content between start and end tag; empty for an empty element.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Whether the payload needs nothing that is declared outside it: it uses no prefix of the stream header or of the
    /// stanza's own start tag, and the default namespace in force in it is the stream's content namespace (RFC 6120
    /// section 4.8.2; the element's own namespace on a stream that declares none). It may say no of a payload whose children
    /// all declare a default namespace of their own; [`Framed::portable_payload`] then leaves it as it is.
    #[must_use]
    pub fn is_portable(&self) -> bool {
        !self.has_children || (!self.reaches_out && self.tag.default == portable::content_namespace(&self.tag))
    }

    /// The payload made self-contained, to be written where the content namespace is the default: as it is when
    /// [`Framed::is_portable`], else with the declarations that it needs put on its children. The framer refuses a stanza for
    /// which this would have more bytes than a stanza may.
    #[must_use]
    pub fn portable_payload(&self) -> Cow<'a, [u8]> {
        if self.is_portable() {
            return Cow::Borrowed(self.payload);
        }
        // The framer let none through that would grow beyond its bound.
        Cow::Owned(portable::payload(&self.tag, self.payload, usize::MAX).unwrap_or_default())
    }

    /// Whether the payload made self-contained has at most so many bytes.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        portable::payload(&self.tag, self.payload, bytes).is_some()
    }
}
