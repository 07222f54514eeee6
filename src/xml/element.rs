//! The tree of a cold payload, for the features that must understand it: read with quick-xml from bytes that the framer
//! let through, and built for answers.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, PrefixDeclaration, ResolveResult};

use super::error::XmlError;
use super::escape::{escape_attr, line_ends, unescape, unescape_attr};
use crate::{limits, ns};

/// An element with everything in it. Comments and processing instructions never get this far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Element {
    /// The local name.
    pub name: Box<str>,
    /// The namespace; empty without one.
    pub ns: Box<str>,
    /// Name and value of each attribute, namespace declarations left out. Without a namespace the name stands alone
    /// (`to`), of the `xml` namespace it keeps its prefix (`xml:lang`), of another it is `{namespace}name`.
    pub attrs: Vec<(Box<str>, Box<str>)>,
    /// What it holds, in order. Text is merged: no two texts stand side by side.
    pub children: Vec<Node>,
}

/// What an element holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// A child.
    Element(Element),
    /// Character data, references resolved; CDATA is no different.
    Text(Box<str>),
}

impl Element {
    /// An empty element.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, ns: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), ns: ns.into(), attrs: Vec::new(), children: Vec::new() }
    }

    /// Reads one whole element, whose default namespace is `default_ns` where it declares none.
    ///
    /// # Errors
    /// Bytes that the framer would not let through, as far as quick-xml sees it; an undeclared prefix; nesting beyond
    /// [`limits::XML_DEPTH`]; [`XmlError::TooLarge`] when long namespaces would make the tree many times larger than its bytes.
    pub fn parse(bytes: &[u8], default_ns: &str) -> Result<Self, XmlError> {
        let mut elements = parse_all(bytes, default_ns)?.into_iter();
        match (elements.next(), elements.next()) {
            (Some(element), None) => Ok(element),
            _ => Err(XmlError::NotWellFormed),
        }
    }

    /// With the attribute `name` set; the form of the name is that of [`Element::attrs`].
    #[must_use]
    pub fn with_attr(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.set_attr(name, value);
        self
    }

    /// Sets the attribute `name`, in place of what it was.
    pub fn set_attr(&mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) {
        let name = name.into();
        match self.attrs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.attrs.push((name, value.into())),
        }
    }

    /// With text after what it holds.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.push_text(text);
        self
    }

    /// With a child after what it holds.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// The value of an attribute; the form of the name is that of [`Element::attrs`].
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    /// The first child of this name and namespace.
    #[must_use]
    pub fn child(&self, name: &str, ns: &str) -> Option<&Self> {
        self.elements().find(|child| child.is(name, ns))
    }

    /// The children that are elements, in order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The text directly in it, put together.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(&**text),
            Node::Element(_) => None,
        });
        let first = texts.next().unwrap_or_default();
        texts.fold(Cow::Borrowed(first), |text, next| text + next)
    }

    /// Whether this is the element `name` of `ns`.
    #[must_use]
    pub fn is(&self, name: &str, ns: &str) -> bool {
        *self.name == *name && *self.ns == *ns
    }

    fn push_text(&mut self, text: &str) {
        match self.children.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(last)) => *last = [&**last, text].concat().into(),
            _ => self.children.push(Node::Text(text.into())),
        }
    }
}

/// Bytes that the names of a tree may have: so many, and so many for each byte that is read. Each element owns its
/// namespace, so that one long declaration over thousands of elements would else become gigabytes.
const NAME_BYTES: usize = 64 * 1024;
const NAME_FACTOR: usize = 16;

/// Reads the elements that stand directly in a payload, whose default namespace is `default_ns` where they declare none.
/// Text between them is left out.
///
/// # Errors
/// As [`Element::parse`].
pub fn parse_all(payload: &[u8], default_ns: &str) -> Result<Vec<Element>, XmlError> {
    let text = std::str::from_utf8(payload).map_err(|_| XmlError::BadUtf8)?;
    let mut reader = NsReader::from_str(text);
    // quick-xml keeps namespaces as they are written; they are resolved after it.
    let mut default = Vec::new();
    escape_attr(&mut default, default_ns);
    let default = String::from_utf8(default).map_err(|_| XmlError::BadUtf8)?;
    reader
        .resolver_mut()
        .set_max_namespace_bindings(usize::MAX)
        .add(PrefixDeclaration::Default, Namespace(&default))
        .map_err(|_| XmlError::InvalidNamespace)?;
    let mut done = Vec::new();
    let mut open: Vec<Element> = Vec::new();
    let mut budget = NAME_BYTES + payload.len() * NAME_FACTOR;
    // Texts grow in a buffer of their own, so that a million references in one do not copy it a million times.
    let mut run = String::new();
    loop {
        let event = reader.read_event().map_err(|_| XmlError::NotWellFormed)?;
        match &event {
            Event::Text(text) => run.push_str(&unescape(text)),
            Event::CData(section) => run.push_str(&line_ends(section)),
            Event::GeneralRef(reference) => run.push_str(&resolved(reference)?),
            _ => {
                if let Some(parent) = open.last_mut() {
                    parent.push_text(&run);
                }
                run.clear();
            }
        }
        match event {
            Event::Start(_) | Event::Empty(_) if open.len() >= usize::from(limits::XML_DEPTH) => {
                return Err(XmlError::TooDeep);
            }
            Event::Start(start) => open.push(element(&reader, &start, &mut budget)?),
            Event::Empty(start) => {
                let element = element(&reader, &start, &mut budget)?;
                close(element, &mut open, &mut done);
            }
            Event::End(_) => {
                let element = open.pop().ok_or(XmlError::MismatchedTag)?;
                close(element, &mut open, &mut done);
            }
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {}
            Event::Eof if open.is_empty() => return Ok(done),
            Event::Eof => return Err(XmlError::NotWellFormed),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => return Err(XmlError::Restricted),
        }
    }
}

/// Puts a complete element where it belongs.
fn close(element: Element, open: &mut [Element], done: &mut Vec<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(Node::Element(element)),
        None => done.push(element),
    }
}

/// What `&reference;` means.
fn resolved(reference: &str) -> Result<String, XmlError> {
    let whole = format!("&{reference};");
    let meaning = unescape(&whole);
    if meaning == whole { Err(XmlError::Restricted) } else { Ok(meaning.into_owned()) }
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>, budget: &mut usize) -> Result<Element, XmlError> {
    let (namespace, local) = reader.resolver().resolve_element(start.name());
    let mut spend = |bytes: usize| {
        *budget = budget.checked_sub(bytes).ok_or(XmlError::TooLarge)?;
        Ok(())
    };
    let namespace = namespace_name(&namespace)?;
    spend(namespace.len())?;
    let mut element = Element::new(local.as_ref(), namespace);
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| XmlError::NotWellFormed)?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
        let name: Box<str> = match &*namespace_name(&namespace)? {
            "" => local.as_ref().into(),
            ns::XML => format!("xml:{}", local.as_ref()).into(),
            namespace => format!("{{{namespace}}}{}", local.as_ref()).into(),
        };
        spend(name.len())?;
        element.attrs.push((name, unescape_attr(&attribute.value).into()));
    }
    Ok(element)
}

fn namespace_name<'a>(resolved: &'a ResolveResult<'_>) -> Result<Cow<'a, str>, XmlError> {
    match resolved {
        ResolveResult::Unbound => Ok(Cow::Borrowed("")),
        ResolveResult::Bound(Namespace(name)) => Ok(unescape_attr(name)),
        ResolveResult::Unknown(_) => Err(XmlError::BadNamespacePrefix),
    }
}
