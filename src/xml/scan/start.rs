//! Start tags: names, attributes and quotes as they are read, then what the whole tag must fulfil (XML 1.0 section 3.1,
//! Namespaces in XML 1.0 sections 4 to 6).

use super::{Open, Scan, State, special};
use crate::xml::attributes::{Noted, Span};
use crate::xml::characters::{self, DOUBLE, NAME, NAME_START, SINGLE, SPACE, is, skip, skip_far};
use crate::xml::error::XmlError;
use crate::xml::frame::Limits;
use crate::xml::namespaces::{self, Binding, Bound, StreamScope};

impl Scan {
    /// Reads on in a qualified name. True: its end is there, and it is good.
    #[inline]
    pub(super) fn qualified_name(&mut self, frame: &[u8], limits: &Limits) -> Result<bool, XmlError> {
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

    pub(super) fn name(&mut self, frame: &[u8], limits: &Limits) -> Result<bool, XmlError> {
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

    pub(super) fn after_token(
        &mut self,
        frame: &[u8],
        byte: u8,
        stream: &StreamScope,
        limits: &Limits,
    ) -> Result<bool, XmlError> {
        match byte {
            b'>' | b'/' => self.tag_space(frame, byte, stream, limits),
            byte if is(byte, SPACE) => {
                self.enter(State::TagSpace, self.position + 1);
                Ok(true)
            }
            _ => Err(XmlError::NotWellFormed),
        }
    }

    pub(super) fn tag_space(
        &mut self,
        frame: &[u8],
        byte: u8,
        stream: &StreamScope,
        limits: &Limits,
    ) -> Result<bool, XmlError> {
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

    pub(super) fn slash(
        &mut self,
        frame: &[u8],
        byte: u8,
        stream: &StreamScope,
        limits: &Limits,
    ) -> Result<bool, XmlError> {
        if byte != b'>' {
            return Err(XmlError::NotWellFormed);
        }
        self.position += 1;
        self.start_tag(frame, true, stream, limits)?;
        Ok(true)
    }

    pub(super) fn attribute_name(&mut self, frame: &[u8], limits: &Limits) -> Result<bool, XmlError> {
        if !self.qualified_name(frame, limits)? {
            return Ok(false);
        }
        self.name = Span::new(self.token, self.position);
        self.state = State::Equals;
        Ok(true)
    }

    pub(super) fn equals(&mut self, byte: u8) -> Result<bool, XmlError> {
        match byte {
            b'=' => self.state = State::Quote,
            byte if is(byte, SPACE) => {}
            _ => return Err(XmlError::NotWellFormed),
        }
        self.position += 1;
        Ok(true)
    }

    pub(super) fn quote(&mut self, byte: u8) -> Result<bool, XmlError> {
        match byte {
            b'\'' | b'"' => self.enter(State::Value(byte), self.position + 1),
            byte if is(byte, SPACE) => self.position += 1,
            _ => return Err(XmlError::NotWellFormed),
        }
        Ok(true)
    }

    pub(super) fn value(&mut self, frame: &[u8], quote: u8) -> Result<bool, XmlError> {
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
        let mut alike = false;
        for (index, one) in attributes.iter().enumerate() {
            if attributes[..index].iter().any(|other| one.same_name(*other, frame)) {
                return Err(XmlError::DuplicateAttribute);
            }
            if one.prefix_len == 0 || one.prefix(frame) == b"xmlns" {
                continue;
            }
            let bound = namespaces::bound(frame, &self.bindings, stream, one.prefix(frame))?;
            reaches_out |= self.is_outside(bound, depth);
            alike |=
                attributes[..index].iter().any(|other| other.prefix_len > 0 && one.local(frame) == other.local(frame));
        }
        self.reaches_out |= reaches_out;
        if alike { self.check_expanded_names(frame, stream) } else { Ok(()) }
    }

    /// Each prefix is resolved once: a peer could make resolving costly, and there are up to 2,016 pairs of attributes.
    #[cold]
    fn check_expanded_names(&self, frame: &[u8], stream: &StreamScope) -> Result<(), XmlError> {
        let mut names = Vec::new();
        for attribute in self.attributes.as_slice() {
            if attribute.prefix_len > 0 && attribute.prefix(frame) != b"xmlns" {
                let namespace = namespaces::namespace(frame, &self.bindings, stream, attribute.prefix(frame))?;
                names.push((attribute.local(frame), namespace));
            }
        }
        names.sort_unstable();
        if names.windows(2).any(|two| two[0] == two[1]) { Err(XmlError::DuplicateAttribute) } else { Ok(()) }
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
