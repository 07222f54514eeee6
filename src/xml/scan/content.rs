//! What stands between start tags: text, CDATA sections and end tags (XML 1.0 sections 2.4, 2.7 and 3.1).

use super::{Found, Scan, State, special};
use crate::xml::characters::{CDATA, NAME, SPACE, TEXT, is, skip_far};
use crate::xml::error::XmlError;
use crate::xml::namespaces::StreamScope;

impl Scan {
    /// The innermost element ends here.
    pub(super) fn close(&mut self) {
        let element = self.open.pop().unwrap_or_default();
        if self.open.is_empty() {
            self.state = State::Done;
        } else {
            self.bindings.truncate(usize::from(element.outer));
            self.enter(State::Text, self.position);
        }
    }

    pub(super) fn end_name(&mut self, frame: &[u8], stream: &StreamScope) -> Result<bool, XmlError> {
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

    pub(super) fn end_space(&mut self, frame: &[u8], byte: u8) -> Result<bool, XmlError> {
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

    pub(super) fn bang(&mut self, frame: &[u8]) -> Result<bool, XmlError> {
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

    pub(super) fn cdata(&mut self, frame: &[u8]) -> Result<bool, XmlError> {
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

    pub(super) fn text(&mut self, frame: &[u8]) -> Result<bool, XmlError> {
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
