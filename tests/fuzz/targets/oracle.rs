//! The same bytes read by rxml, a strict parser of another hand: what it accepts, as trees.

use rxml::{AttrMap, Event, Options, Parse, Parser, WithOptions};
use wattle::xml::{Element, Node};

/// What rxml makes of a stream.
pub(crate) struct Reading {
    /// The stream header and each complete child, their attributes in one order.
    pub(crate) elements: Vec<Element>,
    /// The stream has ended.
    pub(crate) ended: bool,
    /// Why it refused the rest.
    pub(crate) refused: Option<rxml::Error>,
}

/// Reads all of `bytes`, which begin with the stream header's `<`.
pub(crate) fn read(bytes: &[u8]) -> Reading {
    let mut parser = Parser::with_options(Options { max_token_length: 1 << 20, ..Options::default() });
    let mut rest = bytes;
    let mut reading = Reading { elements: Vec::new(), ended: false, refused: None };
    let mut open: Vec<Element> = Vec::new();
    loop {
        match parser.parse(&mut rest, false) {
            Ok(Some(Event::XmlDeclaration(..))) => {}
            Ok(Some(Event::StartElement(_, (namespace, name), attributes))) => {
                let mut element = Element::new(name.as_str(), namespace.as_str());
                element.attrs = named(&attributes);
                if open.is_empty() {
                    reading.elements.push(element.clone());
                }
                open.push(element);
            }
            Ok(Some(Event::Text(_, text))) => {
                if let Some(parent) = open.last_mut() {
                    match parent.children.last_mut() {
                        Some(Node::Text(last)) => *last = [&**last, &text].concat().into(),
                        _ => parent.children.push(Node::Text(text.into())),
                    }
                }
            }
            Ok(Some(Event::EndElement(_))) => {
                let element = open.pop();
                match (open.len(), element) {
                    (0, _) => reading.ended = true,
                    (1, Some(element)) => reading.elements.push(element),
                    (_, Some(element)) => open
                        .last_mut()
                        .into_iter()
                        .for_each(|parent| parent.children.push(Node::Element(element.clone()))),
                    (_, None) => {}
                }
            }
            Ok(None) => return reading,
            Err(rxml::error::EndOrError::NeedMoreData) => return reading,
            Err(rxml::error::EndOrError::Error(error)) => {
                reading.refused = Some(error);
                return reading;
            }
        }
    }
}

/// Attributes in the form of `Element::attrs`, sorted.
fn named(attributes: &AttrMap) -> Vec<(Box<str>, Box<str>)> {
    let mut named: Vec<(Box<str>, Box<str>)> = attributes
        .iter()
        .map(|((namespace, name), value)| (key(namespace.as_str(), name.as_str()), value.as_str().into()))
        .collect();
    named.sort();
    named
}

/// The name of an attribute in the form of `Element::attrs`.
pub(crate) fn key(namespace: &str, name: &str) -> Box<str> {
    match namespace {
        "" => name.into(),
        wattle::ns::XML => format!("xml:{name}").into(),
        namespace => format!("{{{namespace}}}{name}").into(),
    }
}
