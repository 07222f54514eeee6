//! The state machine under the frame scanner: one pass that finds the end of an element and checks everything on the way
//! (XML 1.0, Namespaces in XML 1.0, RFC 6120 section 11). It can stop after any byte and goes on where it stopped.

use memchr::memmem;

use super::attributes::{Noted, Span};
use super::characters::{self, CDATA, DOUBLE, NAME, NAME_START, SINGLE, SPACE, TEXT, is, skip, skip_far};
use super::declaration;
use super::error::XmlError;
use super::frame::Limits;
use super::namespaces::{self, Binding, Bindings, Bound, StreamScope};
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

    /// Reads on in a qualified name. True: its end is there, and it is good.
    #[inline]
    fn qualified_name(&mut self, frame: &[u8], limits: &Limits) -> Result<bool, XmlError> {
        loop {
            // The first character of the name or of its local part has rules of its own.
            let starts = self.position == self.token
                || (self.prefix_len > 0 && self.position == self.token + self.prefix_len + 1);
            if !starts {
                self.position = skip(frame, self.position, NAME);
            }
            if self.position - self.token > limits.name_bytes {
                return Err(XmlError::NameTooLong);
            }
            let Some(byte) = frame.get(self.position).copied() else { return Ok(false) };
            if byte >= 0x80 {
                let Some((value, len)) = characters::decode(frame, self.position)? else { return Ok(false) };
                if !characters::is_name(value, starts) {
                    return Err(XmlError::NotWellFormed);
                }
                self.position += len;
            } else if starts {
                if !is(byte, NAME_START) {
                    return Err(XmlError::NotWellFormed);
                }
                self.position += 1;
            } else if byte == b':' && self.prefix_len == 0 {
                self.prefix_len = self.position - self.token;
                self.position += 1;
            } else {
                return Ok(true);
            }
        }
    }

    fn name(&mut self, frame: &[u8], limits: &Limits) -> Result<bool, XmlError> {
        // A plain name that is there in one piece.
        let (end, next) = plain_name(frame, self.position);
        if self.position == self.token && matches!(next, b' ' | b'>' | b'/') && end - self.token <= limits.name_bytes {
            self.position = end;
        } else if !self.qualified_name(frame, limits)? {
            return Ok(false);
        }
        self.open.push(Open {
            name: Span::new(self.token, self.position),
            prefix_len: self.prefix_len as u16,
            outer: self.bindings.len() as u16,
        });
        self.state = State::AfterToken;
        Ok(true)
    }

    fn after_token(&mut self, frame: &[u8], byte: u8, stream: &StreamScope, limits: &Limits) -> Result<bool, XmlError> {
        match byte {
            b'>' | b'/' => self.tag_space(frame, byte, stream, limits),
            byte if is(byte, SPACE) => {
                self.enter(State::TagSpace, self.position + 1);
                Ok(true)
            }
            _ => Err(XmlError::NotWellFormed),
        }
    }

    fn tag_space(&mut self, frame: &[u8], byte: u8, stream: &StreamScope, limits: &Limits) -> Result<bool, XmlError> {
        match byte {
            b'>' => {
                self.position += 1;
                self.start_tag(frame, false, stream, limits)?;
            }
            b'/' => {
                self.position += 1;
                self.state = State::Slash;
            }
            byte if is(byte, SPACE) => self.position += 1,
            _ if self.attributes.len() >= limits.attributes => return Err(XmlError::TooManyAttributes),
            _ => {
                self.prefix_len = 0;
                self.enter(State::AttributeName, self.position);
                // A plain name, its `=` and its quote that are there in one piece.
                let (end, next) = plain_name(frame, self.position);
                let quote = frame.get(end + 1).copied().unwrap_or_default();
                if next == b'=' && matches!(quote, b'\'' | b'"') && end - self.token <= limits.name_bytes {
                    self.name = Span::new(self.token, end);
                    self.enter(State::Value(quote), end + 2);
                    return self.value(frame, quote);
                }
            }
        }
        Ok(true)
    }

    fn slash(&mut self, frame: &[u8], byte: u8, stream: &StreamScope, limits: &Limits) -> Result<bool, XmlError> {
        if byte != b'>' {
            return Err(XmlError::NotWellFormed);
        }
        self.position += 1;
        self.start_tag(frame, true, stream, limits)?;
        Ok(true)
    }

    fn attribute_name(&mut self, frame: &[u8], limits: &Limits) -> Result<bool, XmlError> {
        if !self.qualified_name(frame, limits)? {
            return Ok(false);
        }
        self.name = Span::new(self.token, self.position);
        self.state = State::Equals;
        Ok(true)
    }

    fn equals(&mut self, byte: u8) -> Result<bool, XmlError> {
        match byte {
            b'=' => self.state = State::Quote,
            byte if is(byte, SPACE) => {}
            _ => return Err(XmlError::NotWellFormed),
        }
        self.position += 1;
        Ok(true)
    }

    fn quote(&mut self, byte: u8) -> Result<bool, XmlError> {
        match byte {
            b'\'' | b'"' => self.enter(State::Value(byte), self.position + 1),
            byte if is(byte, SPACE) => self.position += 1,
            _ => return Err(XmlError::NotWellFormed),
        }
        Ok(true)
    }

    fn value(&mut self, frame: &[u8], quote: u8) -> Result<bool, XmlError> {
        let class = if quote == b'\'' { SINGLE } else { DOUBLE };
        loop {
            self.position = skip_far(frame, self.position, class, [quote, b'<', b'&']);
            let Some(byte) = frame.get(self.position).copied() else { return Ok(false) };
            if byte == quote {
                break;
            }
            if byte == b'\r' {
                // Compat: rxml 0.14 (tokio-xmpp and others) ends its stream at a carriage return alone in a value, so that
                // one peer could disconnect another; no writer leaves it unescaped.
                match frame.get(self.position + 1) {
                    None => return Ok(false),
                    Some(b'\n') => self.position += 2,
                    Some(_) => return Err(XmlError::BadCharacter),
                }
                continue;
            }
            let Some(len) = special(frame, self.position, byte)? else { return Ok(false) };
            self.position += len;
        }
        let value = Span::new(self.token, self.position);
        self.attributes.push(Noted::new(frame, self.name, self.prefix_len, value));
        self.enter(State::AfterToken, self.position + 1);
        Ok(true)
    }

    /// The tag is read to its `>`: its declarations come into force, its prefixes must be bound, its attributes differ.
    fn start_tag(&mut self, frame: &[u8], empty: bool, stream: &StreamScope, limits: &Limits) -> Result<(), XmlError> {
        let depth = self.open.len();
        let element = self.open.as_slice().last().copied().unwrap_or_default();
        if !self.attributes.is_empty() {
            self.declare(frame, stream, limits)?;
            self.check_attributes(frame, stream)?;
        }
        if element.prefix_len > 0 {
            let prefix = &element.name.of(frame)[..usize::from(element.prefix_len)];
            let bound = namespaces::bound(frame, &self.bindings, stream, prefix)?;
            self.reaches_out |= self.is_outside(bound, depth);
        }
        self.attributes.truncate(0);
        if depth == 1 {
            self.tag.1 = self.position;
            self.own = self.bindings.len();
            self.empty = empty;
            if self.header {
                self.state = State::Done;
                return Ok(());
            }
            self.payload_end = self.position;
        }
        if empty {
            self.close()
        } else {
            self.enter(State::Text, self.position)
        }
        Ok(())
    }

    fn declare(&mut self, frame: &[u8], stream: &StreamScope, limits: &Limits) -> Result<(), XmlError> {
        for attribute in self.attributes.as_slice() {
            let Some(prefix) = attribute.declares(frame) else { continue };
            namespaces::check_declaration(prefix.of(frame), attribute.value.of(frame))?;
            if self.bindings.len() + stream.len() >= limits.namespaces {
                return Err(XmlError::TooManyNamespaces);
            }
            self.bindings.push(Binding { prefix, value: attribute.value });
        }
        Ok(())
    }

    fn check_attributes(&mut self, frame: &[u8], stream: &StreamScope) -> Result<(), XmlError> {
        let depth = self.open.len();
        let attributes = self.attributes.as_slice();
        let mut reaches_out = false;
        for (index, one) in attributes.iter().enumerate() {
            if attributes[..index].iter().any(|other| one.same_name(*other, frame)) {
                return Err(XmlError::DuplicateAttribute);
            }
            if one.prefix_len == 0 {
                continue;
            }
            let prefix = one.prefix(frame);
            if prefix == b"xmlns" {
                continue;
            }
            let bound = namespaces::bound(frame, &self.bindings, stream, prefix)?;
            reaches_out |= self.is_outside(bound, depth);
            for other in &attributes[..index] {
                let prefixed = other.prefix_len > 0 && other.prefix(frame) != b"xmlns";
                if prefixed && one.local(frame) == other.local(frame) {
                    let namespace = |prefix| namespaces::namespace(frame, &self.bindings, stream, prefix);
                    if namespace(prefix)? == namespace(other.prefix(frame))? {
                        return Err(XmlError::DuplicateAttribute);
                    }
                }
            }
        }
        self.reaches_out |= reaches_out;
        Ok(())
    }

    /// Whether a prefix that is used at this depth makes the payload depend on a declaration outside it.
    fn is_outside(&self, bound: Bound, depth: usize) -> bool {
        depth > 1
            && match bound {
                Bound::Always => false,
                Bound::Stanza(index) => index < self.own,
                Bound::Stream => true,
            }
    }

    /// The innermost element ends here.
    fn close(&mut self) {
        let element = self.open.pop().unwrap_or_default();
        if self.open.is_empty() {
            self.state = State::Done;
        } else {
            self.bindings.truncate(usize::from(element.outer));
            self.enter(State::Text, self.position);
        }
    }

    fn end_name(&mut self, frame: &[u8], stream: &StreamScope) -> Result<bool, XmlError> {
        let expected = match self.open.as_slice().last() {
            Some(element) => element.name.of(frame),
            None => stream.name().as_bytes(),
        };
        let expected = &expected[self.position - self.token..];
        let there = &frame[self.position..];
        let len = expected.len().min(there.len());
        if expected[..len] != there[..len] {
            return Err(XmlError::MismatchedTag);
        }
        self.position += len;
        if len == expected.len() {
            self.state = State::EndSpace;
        }
        Ok(true)
    }

    fn end_space(&mut self, frame: &[u8], byte: u8) -> Result<bool, XmlError> {
        let spaced = is(frame[self.position - 1], SPACE);
        self.position += 1;
        match byte {
            b'>' if self.open.is_empty() => {
                self.found = Found::Footer;
                self.state = State::Done;
            }
            b'>' => self.close(),
            byte if is(byte, SPACE) => {}
            byte if !spaced && (is(byte, NAME) || byte == b':' || byte >= 0x80) => return Err(XmlError::MismatchedTag),
            _ => return Err(XmlError::NotWellFormed),
        }
        Ok(true)
    }

    fn bang(&mut self, frame: &[u8]) -> Result<bool, XmlError> {
        const SECTION: &[u8] = b"[CDATA[";
        let there = &frame[self.token..];
        let len = there.len().min(SECTION.len());
        if there[..len] != SECTION[..len] {
            return Err(XmlError::Restricted);
        }
        if len < SECTION.len() {
            return Ok(false);
        }
        if self.open.is_empty() {
            return Err(XmlError::TextInStream);
        }
        self.enter(State::CData, self.token + len);
        Ok(true)
    }

    fn cdata(&mut self, frame: &[u8]) -> Result<bool, XmlError> {
        loop {
            self.position = skip_far(frame, self.position, CDATA, [b'>'; 3]);
            match frame.get(self.position).copied() {
                None => return Ok(false),
                Some(b'>') if frame[self.token..self.position].ends_with(b"]]") => break,
                Some(b'>') => self.position += 1,
                Some(byte) => match special(frame, self.position, byte)? {
                    None => return Ok(false),
                    Some(len) => self.position += len,
                },
            }
        }
        self.enter(State::Text, self.position + 1);
        Ok(true)
    }

    fn text(&mut self, frame: &[u8]) -> Result<bool, XmlError> {
        loop {
            self.position = skip_far(frame, self.position, TEXT, [b'<', b'>', b'&']);
            match frame.get(self.position).copied() {
                None => return Ok(false),
                Some(b'<') => break,
                Some(b'>') if frame[self.token..self.position].ends_with(b"]]") => return Err(XmlError::NotWellFormed),
                Some(b'>') => self.position += 1,
                Some(byte) => match special(frame, self.position, byte)? {
                    None => return Ok(false),
                    Some(len) => self.position += len,
                },
            }
        }
        self.enter(State::Markup, self.position + 1);
        Ok(true)
    }
}

/// Where the name that begins at `at` ends, and the byte after it, if it is of ASCII and has no prefix; else the byte is 0 or
/// one that cannot follow a name. The slow way then finds what it is.
#[inline]
fn plain_name(frame: &[u8], at: usize) -> (usize, u8) {
    match frame.get(at) {
        Some(byte) if is(*byte, NAME_START) => {
            let end = skip(frame, at + 1, NAME);
            (end, frame.get(end).copied().unwrap_or_default())
        }
        _ => (at, 0),
    }
}

/// The length of what begins with a byte that is not plain: a reference or a character beyond ASCII. None: its end is not
/// there yet.
#[inline]
fn special(frame: &[u8], at: usize, byte: u8) -> Result<Option<usize>, XmlError> {
    match byte {
        b'&' => characters::reference(frame, at),
        0x80.. => Ok(characters::decode(frame, at)?.map(|(_, len)| len)),
        b'<' => Err(XmlError::NotWellFormed),
        _ => Err(XmlError::BadCharacter),
    }
}
