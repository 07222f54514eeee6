//! The frame scanner: cuts a stream of bytes in arbitrary pieces into the stream header, stanzas and the stream's end
//! (RFC 6120 sections 4.2 to 4.4), and lets nothing through that is not well-formed, bounded and allowed (section 11).

use super::characters::{SPACE, skip};
use super::error::XmlError;
use super::namespaces::StreamScope;
use super::scan::{Found, Outline, Scan};
use super::tag::{Framed, Tag};
use crate::limits;

/// The bounds on one stanza and on the stream header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one stanza or of the header with its XML declaration; at most 1 GiB.
    pub stanza_bytes: usize,
    /// Elements open at one time, the stanza itself being the first.
    pub depth: u16,
    /// Attributes of one tag, namespace declarations included.
    pub attributes: usize,
    /// Bytes of one name with its prefix; at most 65,535.
    pub name_bytes: usize,
    /// Namespace declarations in force at one place, the stream header's included; at most 65,535.
    pub namespaces: usize,
}

impl Limits {
    /// The bounds of [`crate::limits`] with this size of a stanza.
    #[must_use]
    pub fn new(stanza_bytes: usize) -> Self {
        Self {
            stanza_bytes,
            depth: limits::XML_DEPTH,
            attributes: limits::XML_ATTRIBUTES,
            name_bytes: limits::XML_NAME_BYTES,
            namespaces: limits::XML_NAMESPACES,
        }
    }
}

/// What the next bytes of the stream are.
#[derive(Clone, Debug)]
pub enum Frame<'a> {
    /// The stream's start tag. Its name and namespaces are for the stream to judge.
    Header(Tag<'a>),
    /// A complete child of the stream.
    Element(Framed<'a>),
    /// The stream's end tag.
    Footer,
}

/// Where the stream stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The header has not come.
    Before,
    /// Stanzas come.
    Open,
    /// The header was an empty element: the footer is to be handed out.
    Ending,
    /// Nothing but white space may come.
    Ended,
    /// The peer has sinned; nothing more is read.
    Failed(XmlError),
}

/// The beginning of a frame that has not come whole.
#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
    scan: Scan,
}

/// The scanner of one stream in one direction.
///
/// Between stanzas it owns no heap beyond what the header declares apart from a usual default namespace and the prefix
/// `stream`; a stanza that comes in pieces is kept in one buffer, which goes with the call after the one that hands it out.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    stream: StreamScope,
    phase: Phase,
    partial: Option<Box<Partial>>,
}

/// A frame that is complete: its bytes, if they are the caller's and not the partial buffer's.
struct Complete<'i> {
    bytes: Option<&'i [u8]>,
    outline: Outline,
}

impl Framer {
    /// For a new stream, with the bounds of [`crate::limits`].
    #[must_use]
    pub fn new(stanza_bytes: usize) -> Self {
        Self::with_limits(Limits::new(stanza_bytes))
    }

    /// For a new stream, with bounds of one's own.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        let limits = Limits {
            stanza_bytes: limits.stanza_bytes.min(1 << 30),
            name_bytes: limits.name_bytes.min(usize::from(u16::MAX)),
            namespaces: limits.namespaces.min(usize::from(u16::MAX)),
            ..limits
        };
        Self { limits, stream: StreamScope::new(), phase: Phase::Before, partial: None }
    }

    /// Bounds the stanzas from the next byte on.
    pub fn set_stanza_bytes(&mut self, bytes: usize) {
        self.limits.stanza_bytes = bytes.min(1 << 30);
    }

    /// Expects a new stream header, as after STARTTLS and SASL (RFC 6120 sections 5.4.3.3 and 6.4.6). What was kept of an
    /// unfinished frame is dropped.
    pub fn restart(&mut self) {
        self.stream = StreamScope::new();
        self.phase = Phase::Before;
        self.partial = None;
    }

    /// Whether no part of a frame is kept.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.partial.as_ref().is_none_or(|partial| partial.scan.is_done())
    }

    /// Reads from the front of `input` and advances it past what was read. None: all of it is read and more is needed; the
    /// beginning of a frame is kept inside and not read again. White space between stanzas (RFC 6120 section 4.6.1) is
    /// skipped. A frame that lies whole in `input` is not copied.
    ///
    /// # Errors
    /// The first sin of the peer; every later call returns it again.
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'a>>, XmlError> {
        if self.partial.as_ref().is_some_and(|partial| partial.scan.is_done()) {
            self.partial = None;
        }
        let complete = match self.advance(input) {
            Ok(Some(complete)) => complete,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.phase = Phase::Failed(error);
                self.partial = None;
                return Err(error);
            }
        };
        let bytes: &'a [u8] = match (complete.bytes, &self.partial) {
            (Some(bytes), _) => bytes,
            (None, Some(partial)) => &partial.bytes,
            (None, None) => &[],
        };
        let outline = complete.outline;
        let text = known_good(outline.tag.of(bytes));
        Ok(Some(match outline.found {
            Found::Header => {
                self.stream = StreamScope::of_header(text);
                self.phase = if outline.empty { Phase::Ending } else { Phase::Open };
                Frame::Header(Tag::new(text, None, &self.stream))
            }
            Found::Element => {
                let framed = Framed {
                    tag: Tag::new(text, outline.own_default.map(|raw| known_good(raw.of(bytes))), &self.stream),
                    bytes,
                    payload: outline.payload.of(bytes),
                    reaches_out: outline.reaches_out,
                    has_children: outline.has_children,
                };
                if !framed.is_portable() && !framed.fits(self.limits.stanza_bytes) {
                    self.phase = Phase::Failed(XmlError::TooLarge);
                    return Err(XmlError::TooLarge);
                }
                Frame::Element(framed)
            }
            Found::Footer => {
                self.phase = Phase::Ended;
                Frame::Footer
            }
        }))
    }

    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Complete<'i>>, XmlError> {
        if let Phase::Failed(error) = self.phase {
            return Err(error);
        }
        if self.phase == Phase::Ending {
            return Ok(Some(Complete { bytes: Some(&[]), outline: Outline::FOOTER }));
        }
        if self.partial.is_some() {
            return self.assemble(input);
        }
        *input = &input[skip(input, 0, SPACE)..];
        match (self.phase, input.first()) {
            (_, None) => return Ok(None),
            (Phase::Before | Phase::Open, Some(b'<')) => {}
            (Phase::Open, Some(_)) => return Err(XmlError::TextInStream),
            // The byte order mark of UTF-16.
            (Phase::Before, Some(0xFE | 0xFF)) => return Err(XmlError::UnsupportedEncoding),
            _ => return Err(XmlError::NotWellFormed),
        }
        let mut scan = if self.phase == Phase::Before { Scan::header() } else { Scan::element() };
        let bounded = &input[..input.len().min(self.limits.stanza_bytes)];
        if let Some(end) = scan.run(bounded, &self.stream, &self.limits)? {
            let (frame, rest) = input.split_at(end);
            *input = rest;
            return Ok(Some(Complete { bytes: Some(frame), outline: scan.outline(frame) }));
        }
        if bounded.len() < input.len() {
            return Err(XmlError::TooLarge);
        }
        self.partial = Some(Box::new(Partial { bytes: input.to_vec(), scan }));
        *input = &[];
        Ok(None)
    }

    /// Goes on with a frame whose beginning is kept.
    fn assemble<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Complete<'i>>, XmlError> {
        let Some(partial) = &mut self.partial else { return Ok(None) };
        while !input.is_empty() {
            let before = partial.bytes.len();
            let room = self.limits.stanza_bytes.saturating_sub(before);
            if room == 0 {
                return Err(XmlError::TooLarge);
            }
            // The frame may end soon: what follows it is not to be copied.
            let step = input.len().min(room).min(before.max(512));
            partial.bytes.extend_from_slice(&input[..step]);
            if let Some(end) = partial.scan.run(&partial.bytes, &self.stream, &self.limits)? {
                partial.bytes.truncate(end);
                *input = &input[end - before..];
                return Ok(Some(Complete { bytes: None, outline: partial.scan.outline(&partial.bytes) }));
            }
            *input = &input[step..];
        }
        Ok(None)
    }
}

/// What the scan let through is UTF-8.
fn known_good(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
