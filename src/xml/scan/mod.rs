//! The state machine under the frame scanner: one pass that finds the end of an element and checks everything on the way
//! (XML 1.0, Namespaces in XML 1.0, RFC 6120 section 11). It can stop after any byte and goes on where it stopped.

use memchr::memmem;

mod content;
mod start;

use super::attributes::{Noted, Span};
use super::characters::{self, SPACE, is};
use super::declaration;
use super::error::XmlError;
use super::frame::Limits;
use super::namespaces::{Bindings, StreamScope};
use super::stack::Stack;

/// Where in the grammar the scan stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before the stream header, where white space may stand; the declaration may have been read.
    Prolog,
    /// After `<`.
    Markup,
    /// In the XML declaration.
    Declaration,
    /// In the name of a start tag.
    Name,
    /// After a name or a value in a start tag: white space or the end must follow.
    AfterToken,
    /// After white space in a start tag.
    TagSpace,
    /// After the `/` of an empty element's tag.
    Slash,
    /// In the name of an attribute.
    AttributeName,
    /// Between the name of an attribute and its `=`.
    Equals,
    /// Between `=` and the quote.
    Quote,
    /// In a value, until this quote.
    Value(u8),
    /// In an end tag's name.
    EndName,
    /// After an end tag's name.
    EndSpace,
    /// After `<!`.
    Bang,
    /// In a CDATA section.
    CData,
    /// In the content of an element.
    Text,
    /// All is read.
    Done,
}

/// What a scan has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// The stream's start tag.
    Header,
    /// A child of the stream.
    Element,
    /// The stream's end tag.
    Footer,
}

/// What a complete frame looks like. All positions count from the frame's first byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    pub(super) found: Found,
    /// The header's or stanza's start tag.
    pub(super) tag: Span,
    /// Between the stanza's start and end tag.
    pub(super) payload: Span,
    /// The raw value of `xmlns` in the stanza's start tag.
    pub(super) own_default: Option<Span>,
    /// The header was an empty element.
    pub(super) empty: bool,
    /// A prefix in the payload is declared outside it.
    pub(super) reaches_out: bool,
    /// The payload has elements.
    pub(super) has_children: bool,
}

impl Outline {
    /// The end of a stream whose header was an empty element.
    pub(super) const FOOTER: Self = Self {
        found: Found::Footer,
        tag: Span::EMPTY,
        payload: Span::EMPTY,
        own_default: None,
        empty: false,
        reaches_out: false,
        has_children: false,
    };
}

/// One open element.
#[derive(Clone, Copy, Default, Debug)]
struct Open {
    name: Span,
    prefix_len: u16,
    /// Bindings in force outside it.
    outer: u16,
}

/// What is known of a frame so far. All positions count from the frame's first byte.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    state: State,
    /// Everything before is read.
    position: usize,
    /// Where the current name, value, text or section begins.
    token: usize,
    /// Bytes of the prefix of the name that is being read; 0 before its colon.
    prefix_len: usize,
    /// The attribute whose value is being read.
    name: Span,
    /// The tag that is being read is the stream's header.
    header: bool,
    open: Stack<Open, 8>,
    bindings: Bindings,
    /// Attributes of the tag that is being read.
    attributes: Stack<Noted, 8>,
    /// Bindings that the stanza's own start tag declares; they stand first.
    own: usize,
    found: Found,
    /// Where the header's or stanza's start tag begins and ends.
    tag: (usize, usize),
    payload_end: usize,
    empty: bool,
    reaches_out: bool,
    has_children: bool,
}

impl Scan {
    /// For the stream header, its declaration included.
    pub(super) fn header() -> Self {
        Self { state: State::Prolog, position: 0, header: true, found: Found::Header, ..Self::element() }
    }

    /// For a child of the stream or the stream's end. The frame's first byte is known to be `<`.
    pub(super) fn element() -> Self {
        Self {
            state: State::Markup,
            position: 1,
            token: 0,
            prefix_len: 0,
            name: Span::EMPTY,
            header: false,
            open: Stack::new(),
            bindings: Stack::new(),
            attributes: Stack::new(),
            own: 0,
            found: Found::Element,
            tag: (0, 0),
            payload_end: 0,
            empty: false,
            reaches_out: false,
            has_children: false,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Of a complete frame.
    pub(super) fn outline(&self, frame: &[u8]) -> Outline {
        let own = self.bindings.as_slice().iter().take(self.own).find(|binding| binding.prefix.of(frame).is_empty());
        Outline {
            found: self.found,
            tag: Span::new(self.tag.0, self.tag.1),
            payload: Span::new(self.tag.1, self.payload_end),
            own_default: own.map(|binding| binding.value),
            empty: self.empty,
            reaches_out: self.reaches_out,
            has_children: self.has_children,
        }
    }

    /// Reads on. `frame` is everything of the frame that is there. None: more is needed; else where the frame ends.
    ///
    /// # Errors
    /// The first sin.
    pub(super) fn run(
        &mut self,
        frame: &[u8],
        stream: &StreamScope,
        limits: &Limits,
    ) -> Result<Option<usize>, XmlError> {
        while let Some(byte) = frame.get(self.position).copied() {
            let more = match self.state {
                State::Prolog => self.prolog(byte)?,
                State::Markup => self.markup(byte, limits)?,
                State::Declaration => self.declaration(frame)?,
                State::Name => self.name(frame, limits)?,
                State::AfterToken => self.after_token(frame, byte, stream, limits)?,
                State::TagSpace => self.tag_space(frame, byte, stream, limits)?,
                State::Slash => self.slash(frame, byte, stream, limits)?,
                State::AttributeName => self.attribute_name(frame, limits)?,
                State::Equals => self.equals(byte)?,
                State::Quote => self.quote(byte)?,
                State::Value(quote) => self.value(frame, quote)?,
                State::EndName => self.end_name(frame, stream)?,
                State::EndSpace => self.end_space(frame, byte)?,
                State::Bang => self.bang(frame)?,
                State::CData => self.cdata(frame)?,
                State::Text => self.text(frame)?,
                State::Done => break,
            };
            if !more {
                break;
            }
        }
        Ok((self.state == State::Done).then_some(self.position))
    }

    fn enter(&mut self, state: State, position: usize) {
        self.state = state;
        self.position = position;
        self.token = position;
    }

    fn prolog(&mut self, byte: u8) -> Result<bool, XmlError> {
        match byte {
            b'<' => {
                self.tag.0 = self.position;
                self.enter(State::Markup, self.position + 1);
            }
            byte if is(byte, SPACE) => self.position += 1,
            // A byte order mark of UTF-16.
            0xFE | 0xFF => return Err(XmlError::UnsupportedEncoding),
            _ => return Err(XmlError::NotWellFormed),
        }
        Ok(true)
    }

    fn markup(&mut self, byte: u8, limits: &Limits) -> Result<bool, XmlError> {
        match byte {
            b'/' if self.header => return Err(XmlError::NotWellFormed),
            b'/' => {
                if self.open.len() <= 1 {
                    self.payload_end = self.position - 1;
                }
                self.enter(State::EndName, self.position + 1);
            }
            b'!' if !self.header => self.enter(State::Bang, self.position + 1),
            b'?' if self.header && self.tag.0 == 0 => self.state = State::Declaration,
            b'!' | b'?' => return Err(XmlError::Restricted),
            _ if self.open.len() >= usize::from(limits.depth) => return Err(XmlError::TooDeep),
            _ => {
                self.has_children |= !self.open.is_empty();
                self.prefix_len = 0;
                self.enter(State::Name, self.position);
            }
        }
        Ok(true)
    }

    fn declaration(&mut self, frame: &[u8]) -> Result<bool, XmlError> {
        let bounded = frame.get(..declaration::BYTES).unwrap_or(frame);
        match memmem::find(bounded, b"?>") {
            Some(end) => {
                declaration::check(&frame[..end + 2])?;
                self.enter(State::Prolog, end + 2);
                Ok(true)
            }
            None if frame.len() >= declaration::BYTES => Err(XmlError::NotWellFormed),
            None => Ok(false),
        }
    }
}

/// The length of what begins with a byte that is not plain: a reference or a character beyond ASCII. None: its end is not
/// there yet.
#[inline]
fn special(frame: &[u8], at: usize, byte: u8) -> Result<Option<usize>, XmlError> {
    match byte {
        b'&' => characters::reference(frame, at),
        0x80.. => match characters::skip_beyond_ascii(frame, at) - at {
            0 => Ok(characters::decode(frame, at)?.map(|(_, len)| len)),
            run => Ok(Some(run)),
        },
        b'<' => Err(XmlError::NotWellFormed),
        _ => Err(XmlError::BadCharacter),
    }
}
