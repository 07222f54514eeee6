//! Namespaces in XML 1.0: which prefix means what in a stream and in a stanza, and which declarations are allowed.

use std::borrow::Cow;

use memchr::memchr;

use super::attributes::{Attributes, Span};
use super::error::XmlError;
use super::escape::unescape_attr;
use super::stack::Stack;
use crate::ns;

/// Bound to the prefix `xmlns` always, and to be declared never (Namespaces in XML 1.0 section 3).
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// A namespace name; the usual ones cost no memory.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Name {
    Known(&'static str),
    Other(Box<str>),
}

impl Name {
    fn new(name: &str) -> Self {
        match name {
            "" => Self::Known(""),
            ns::CLIENT => Self::Known(ns::CLIENT),
            ns::SERVER => Self::Known(ns::SERVER),
            ns::STREAM => Self::Known(ns::STREAM),
            other => Self::Other(other.into()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Other(name) => name,
        }
    }
}

/// What the stream header declared, which is in force in every stanza. A header that declares a default namespace of the
/// usual ones and the prefix `stream` needs no heap.
#[derive(Clone, Debug)]
pub(super) struct StreamScope {
    /// The header's name as written; None: `stream:stream`.
    name: Option<Box<str>>,
    default: Name,
    /// `stream` is bound to [`ns::STREAM`].
    stream: bool,
    others: Box<[(Box<str>, Name)]>,
}

impl StreamScope {
    /// Nothing declared: before the header.
    pub(super) fn new() -> Self {
        Self { name: None, default: Name::Known(""), stream: false, others: Box::default() }
    }

    /// Takes over what the header's tag declares. `tag` is known-good, from `<` to `>`.
    pub(super) fn of_header(tag: &str) -> Self {
        let mut scope = Self::new();
        let mut others = Vec::new();
        let name = super::tag::raw_name(tag);
        if name != "stream:stream" {
            scope.name = Some(name.into());
        }
        for declaration in Attributes::all(tag).filter(|attribute| attribute.is_declaration()) {
            let value = Name::new(&declaration.value());
            match declaration.declared_prefix() {
                "" => scope.default = value,
                "stream" if value.as_str() == ns::STREAM => scope.stream = true,
                prefix => others.push((prefix.into(), value)),
            }
        }
        scope.others = others.into();
        scope
    }

    /// The name that the stream's end tag must have.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("stream:stream")
    }

    pub(super) fn default_namespace(&self) -> &str {
        self.default.as_str()
    }

    /// Declarations in force, the default included.
    pub(super) fn len(&self) -> usize {
        usize::from(!self.default_namespace().is_empty()) + usize::from(self.stream) + self.others.len()
    }

    pub(super) fn resolve(&self, prefix: &str) -> Option<&str> {
        if prefix == "stream" && self.stream {
            return Some(ns::STREAM);
        }
        self.others.iter().find(|(name, _)| **name == *prefix).map(|(_, namespace)| namespace.as_str())
    }

    /// Every prefix with its namespace.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = (&str, &str)> {
        let stream = self.stream.then_some(("stream", ns::STREAM));
        stream.into_iter().chain(self.others.iter().map(|(prefix, name)| (&**prefix, name.as_str())))
    }
}

/// A declaration inside the stanza that is being scanned.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Binding {
    /// Empty for the default namespace.
    pub(super) prefix: Span,
    /// Raw, as between the quotes.
    pub(super) value: Span,
}

/// Declarations in force at the place that is being scanned, the innermost last.
pub(super) type Bindings = Stack<Binding, 6>;

/// What a prefix is bound by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// `xml`, which needs no declaration.
    Always,
    /// The declaration at this place of the stanza's bindings.
    Stanza(usize),
    /// The stream header.
    Stream,
}

/// Finds what binds `prefix` in force.
///
/// # Errors
/// [`XmlError::BadNamespacePrefix`] when nothing does.
pub(super) fn bound(frame: &[u8], bindings: &Bindings, stream: &StreamScope, prefix: &[u8]) -> Result<Bound, XmlError> {
    if prefix == b"xml" {
        return Ok(Bound::Always);
    }
    if let Some(index) = bindings.as_slice().iter().rposition(|binding| binding.prefix.of(frame) == prefix) {
        return Ok(Bound::Stanza(index));
    }
    let prefix = std::str::from_utf8(prefix).map_err(|_| XmlError::BadUtf8)?;
    if stream.resolve(prefix).is_some() { Ok(Bound::Stream) } else { Err(XmlError::BadNamespacePrefix) }
}

/// The namespace that a bound prefix means.
pub(super) fn namespace<'a>(
    frame: &'a [u8],
    bindings: &Bindings,
    stream: &'a StreamScope,
    prefix: &'a [u8],
) -> Result<Cow<'a, str>, XmlError> {
    Ok(match bound(frame, bindings, stream, prefix)? {
        Bound::Always => Cow::Borrowed(ns::XML),
        Bound::Stanza(index) => {
            let value = bindings.as_slice().get(index).copied().unwrap_or_default().value.of(frame);
            unescape_attr(std::str::from_utf8(value).map_err(|_| XmlError::BadUtf8)?)
        }
        Bound::Stream => {
            let prefix = std::str::from_utf8(prefix).map_err(|_| XmlError::BadUtf8)?;
            Cow::Borrowed(stream.resolve(prefix).unwrap_or_default())
        }
    })
}

/// Checks one declaration against the constraints of Namespaces in XML 1.0 (sections 3 and 5). `prefix` is empty for the
/// default namespace, `value` raw.
///
/// # Errors
/// [`XmlError::InvalidNamespace`].
pub(super) fn check_declaration(prefix: &[u8], value: &[u8]) -> Result<(), XmlError> {
    // quick-xml, which reads what is let through, compares this one name without resolving references.
    let verbatim = value == ns::XML.as_bytes();
    let resolved;
    let value = if value.len() < XMLNS.len() || memchr(b'&', value).is_none() {
        // White space that is still to be normalised does not make it one of the two names.
        value
    } else {
        resolved = unescape_attr(std::str::from_utf8(value).map_err(|_| XmlError::BadUtf8)?);
        resolved.as_bytes()
    };
    let reserved = value == ns::XML.as_bytes() || value == XMLNS.as_bytes();
    let allowed = match prefix {
        b"xmlns" => false,
        b"xml" => verbatim,
        b"" => !reserved,
        _ => !reserved && !value.is_empty(),
    };
    if allowed { Ok(()) } else { Err(XmlError::InvalidNamespace) }
}
