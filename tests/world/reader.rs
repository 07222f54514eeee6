//! What a client reads of its stream, through rxml: so every byte that the server sends is checked by a parser of
//! another hand.

use rxml::{AttrMap, Event, Options, Parse, Parser, WithOptions};
use wattle::xml::{Element, Node};

/// One stream; a restart makes a new one.
pub(crate) struct Reader {
    parser: Parser,
    /// Bytes that belong to an event which is not complete.
    rest: Vec<u8>,
    open: Vec<Element>,
    /// The stream's header was read: its attributes.
    pub(crate) header: Option<Element>,
    /// The stream has ended in order.
    pub(crate) ended: bool,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            parser: Parser::with_options(Options { max_token_length: 1 << 20, ..Options::default() }),
            rest: Vec::new(),
            open: Vec::new(),
            header: None,
            ended: false,
        }
    }

    /// Takes more bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// What was fed and belongs to no event yet.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    /// The next complete child of the stream.
    ///
    /// # Panics
    /// If the bytes are no well-formed XML.
    pub(crate) fn next(&mut self) -> Option<Element> {
        // Also without bytes: the parser may know of an event that it has not told.
        loop {
            let mut unread = self.rest.as_slice();
            let event = self.parser.parse(&mut unread, false);
            let used = self.rest.len() - unread.len();
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => {
                    self.rest.drain(..used);
                    return None;
                }
                Err(rxml::error::EndOrError::NeedMoreData) => {
                    self.rest.drain(..used);
                    return None;
                }
                Err(rxml::error::EndOrError::Error(error)) => {
                    panic!("the server sent no XML: {error}: {}", String::from_utf8_lossy(&self.rest))
                }
            };
            self.rest.drain(..used);
            if let Some(element) = self.event(event) {
                return Some(element);
            }
        }
    }

    fn event(&mut self, event: Event) -> Option<Element> {
        match event {
            Event::XmlDeclaration(..) => {}
            Event::StartElement(_, (namespace, name), attributes) => {
                let mut element = Element::new(name.as_str(), namespace.as_str());
                element.attrs = named(&attributes);
                if self.header.is_none() {
                    self.header = Some(element.clone());
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
            Event::EndElement(_) => {
                let element = self.open.pop();
                match (self.open.len(), element) {
                    (0, _) => self.ended = true,
                    (1, Some(element)) => return Some(element),
                    (_, Some(element)) => {
                        if let Some(parent) = self.open.last_mut() {
                            parent.children.push(Node::Element(element));
                        }
                    }
                    (_, None) => {}
                }
            }
        }
        None
    }
}

/// Attributes in the form of `Element::attrs`.
fn named(attributes: &AttrMap) -> Vec<(Box<str>, Box<str>)> {
    let key = |namespace: &str, name: &str| -> Box<str> {
        match namespace {
            "" => name.into(),
            wattle::ns::XML => format!("xml:{name}").into(),
            namespace => format!("{{{namespace}}}{name}").into(),
        }
    };
    attributes
        .iter()
        .map(|((namespace, name), value)| (key(namespace.as_str(), name.as_str()), value.as_str().into()))
        .collect()
}
