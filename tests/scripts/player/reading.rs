//! What a server sends, read by `rxml`, a strict parser of another hand; templates are read by the same.

use std::collections::VecDeque;

use rxml::{AttrMap, Event, Options, Parse, Parser, WithOptions};
use wattle::ns;
use wattle::xml::{Element, Node};

/// What a stream consists of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// The stream header.
    Header(Element),
    /// A child of the stream: stanza, nonza, features, error.
    Element(Element),
    /// `</stream:stream>`.
    End,
    /// The connection is gone.
    Closed,
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(element) => write!(f, "header {}", text(element)),
            Self::Element(element) => f.write_str(&text(element)),
            Self::End => f.write_str("</stream:stream>"),
            Self::Closed => f.write_str("(closed)"),
        }
    }
}

/// An element as people read it.
pub(crate) fn text(element: &Element) -> String {
    String::from_utf8_lossy(&element.to_bytes(ns::CLIENT)).into_owned()
}

/// Reads one stream after the other from one connection.
pub(crate) struct Reading {
    parser: Parser,
    open: Vec<Element>,
    unread: Vec<u8>,
    items: VecDeque<Item>,
}

impl Reading {
    pub(crate) fn new() -> Self {
        Self { parser: parser(), open: Vec::new(), unread: Vec::new(), items: VecDeque::new() }
    }

    /// What was read and not yet taken.
    pub(crate) fn items(&mut self) -> &mut VecDeque<Item> {
        &mut self.items
    }

    /// Takes bytes, cut anywhere.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.unread.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.unread);
        let mut rest = &all[..];
        loop {
            match self.parser.parse(&mut rest, false) {
                Ok(Some(event)) => self.take(event),
                // The parser has taken the beginning of what is not complete.
                Ok(None) | Err(rxml::error::EndOrError::NeedMoreData) => break,
                Err(rxml::error::EndOrError::Error(error)) => {
                    return Err(format!("{error}: {}", String::from_utf8_lossy(&all)));
                }
            }
        }
        self.unread = rest.to_vec();
        Ok(())
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::XmlDeclaration(..) => {}
            Event::StartElement(_, (namespace, name), attributes) => {
                let mut element = Element::new(name.as_str(), namespace.as_str());
                element.attrs = named(&attributes);
                if self.open.is_empty() {
                    self.items.push_back(Item::Header(element.clone()));
                }
                self.open.push(element);
            }
            Event::Text(_, text) => {
                if let Some(parent) = self.open.last_mut() {
                    match parent.children.last_mut() {
                        Some(Node::Text(last)) => *last = [&**last, &text].concat().into(),
                        _ => parent.children.push(Node::Text(text.into())),
                    }
                }
            }
            Event::EndElement(_) => match (self.open.pop(), self.open.len()) {
                (Some(_), 0) => self.items.push_back(Item::End),
                (Some(element), 1) => {
                    let restarts = element.is("proceed", ns::TLS) || element.is("success", ns::SASL);
                    self.items.push_back(Item::Element(element));
                    if restarts {
                        // RFC 6120 sections 5.4.3.3 and 6.4.6: a new stream follows.
                        self.parser = parser();
                        self.open.clear();
                    }
                }
                (Some(element), depth) => self.open[depth - 1].children.push(Node::Element(element)),
                (None, _) => {}
            },
        }
    }
}

fn parser() -> Parser {
    Parser::with_options(Options { max_token_length: 1 << 20, ..Options::default() })
}

/// Attributes in the form of `Element::attrs`, sorted.
fn named(attributes: &AttrMap) -> Vec<(Box<str>, Box<str>)> {
    let key = |namespace: &str, name: &str| match namespace {
        "" => name.to_owned(),
        ns::XML => format!("xml:{name}"),
        namespace => format!("{{{namespace}}}{name}"),
    };
    let mut named: Vec<(Box<str>, Box<str>)> = attributes
        .iter()
        .map(|((namespace, name), value)| (key(namespace.as_str(), name.as_str()).into(), value.as_str().into()))
        .collect();
    named.sort();
    named
}

/// Reads a template: pieces of a stream, with or without its header.
pub(crate) fn template(text: &str) -> Result<Vec<Item>, String> {
    let mut reading = Reading::new();
    let has_header = text.trim_start().starts_with("<stream:stream") || text.trim_start().starts_with("<?xml");
    if !has_header {
        reading.feed(format!("<stream:stream xmlns='{}' xmlns:stream='{}'>", ns::CLIENT, ns::STREAM).as_bytes())?;
        reading.items.clear();
    }
    reading.feed(text.as_bytes())?;
    if reading.open.len() > 1 {
        return Err("the template is not complete".to_owned());
    }
    Ok(reading.items.into())
}
