//! What the XML of `src/xml/` accepts, refuses and makes of it, clause by clause, and against a parser of another hand.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bounds;
mod children;
mod element;
mod escape;
mod frames;
#[path = "../fuzz/targets/oracle.rs"]
mod oracle;
mod portable;
mod sins;
#[path = "../fuzz/targets/frame.rs"]
mod target;

mod mutations;

use wattle::xml::{Frame, Framer, XmlError};

/// The stream header that the tests begin with.
const HEADER: &str = "<?xml version='1.0'?><stream:stream to='example.com' version='1.0' xml:lang='en' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// Frames as text, until all is read or a sin is met.
fn frames(pieces: &[&[u8]]) -> (Vec<String>, Result<(), XmlError>) {
    let mut framer = Framer::new(10_000);
    let mut seen = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            match framer.next(&mut input) {
                Ok(Some(frame)) => seen.push(show(&frame)),
                Ok(None) => break,
                Err(error) => return (seen, Err(error)),
            }
        }
        assert!(input.is_empty(), "None means that all is read");
    }
    (seen, Ok(()))
}

fn show(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Header(tag) => format!("header {{{}}}{}", tag.namespace(), tag.name()),
        Frame::Element(framed) => String::from_utf8(framed.bytes().to_vec()).unwrap(),
        Frame::Footer => "footer".to_owned(),
    }
}

/// What the stream says to these bytes after [`HEADER`], whole and byte by byte.
fn verdict(bytes: &[u8]) -> Result<(), XmlError> {
    let whole = [HEADER.as_bytes(), bytes].concat();
    let (seen, verdict) = frames(&[&whole]);
    let single: Vec<&[u8]> = whole.chunks(1).collect();
    assert_eq!(frames(&single), (seen, verdict), "byte by byte: {}", String::from_utf8_lossy(bytes));
    verdict
}
