//! Writing and reading character data: escapes (XML 1.0 section 2.4), references, and the line ends and white space that
//! a parser must normalise (sections 2.11 and 3.3.3).

use std::borrow::Cow;

use memchr::memchr2;

use super::characters::{VERBATIM, is};

/// What is written for a character that XML 1.0 forbids even as a reference: U+FFFD.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

/// Appends `text` as content of an element. Carriage returns are written as references, else a parser would turn them
/// into line feeds; characters that XML forbids become U+FFFD.
pub fn escape_text(out: &mut Vec<u8>, text: &str) {
    escape(out, text, |byte| match byte {
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'&' => Some(b"&amp;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

/// Appends `value` as the content of an attribute between single quotes. Tabs and line ends are written as references,
/// else a parser would turn them into spaces; characters that XML forbids become U+FFFD.
pub fn escape_attr(out: &mut Vec<u8>, value: &str) {
    escape(out, value, |byte| match byte {
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'&' => Some(b"&amp;"),
        b'\'' => Some(b"&apos;"),
        b'\t' => Some(b"&#9;"),
        b'\n' => Some(b"&#10;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

fn escape(out: &mut Vec<u8>, text: &str, escaped: impl Fn(u8) -> Option<&'static [u8]>) {
    let bytes = text.as_bytes();
    // Hardly an address or an id needs an escape. Without branches, the compiler looks at sixteen bytes at once.
    let special = |byte: u8| byte < 0x20 || matches!(byte, b'<' | b'>' | b'&' | b'\'' | 0xEF);
    if !bytes.iter().fold(false, |found, byte| found | special(*byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let (written, len) = match escaped(*byte) {
            Some(escape) => (escape, 1),
            None if *byte < 0x20 && !matches!(byte, b'\t' | b'\n') => (REPLACEMENT, 1),
            None if *byte == 0xEF && matches!(bytes[at..], [_, 0xBF, 0xBE | 0xBF, ..]) => (REPLACEMENT, 3),
            None => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        out.extend_from_slice(written);
        plain = at + len;
    }
    out.extend_from_slice(&bytes[plain..]);
}

/// Raw content of an element as the text that it means: references resolved, line ends as one line feed.
///
/// An unknown reference stays as it is; known-good input has none.
#[must_use]
pub fn unescape(raw: &str) -> Cow<'_, str> {
    if memchr2(b'&', b'\r', raw.as_bytes()).is_none() { Cow::Borrowed(raw) } else { Cow::Owned(resolve(raw, false)) }
}

/// Raw content of an attribute's quotes as the value that it means: references resolved, each white space as a space.
///
/// An unknown reference stays as it is; known-good input has none.
#[must_use]
pub fn unescape_attr(raw: &str) -> Cow<'_, str> {
    if raw.bytes().all(|byte| is(byte, VERBATIM)) { Cow::Borrowed(raw) } else { Cow::Owned(resolve(raw, true)) }
}

/// Line ends of a CDATA section as one line feed each; nothing else means anything there.
pub(super) fn line_ends(raw: &str) -> Cow<'_, str> {
    if raw.contains('\r') { Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(raw) }
}

fn resolve(raw: &str, attribute: bool) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\r', '\n', '\t']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (meaning, len) = match rest.as_bytes()[0] {
            b'&' => reference(rest),
            b'\r' => (Some('\n'), if rest.as_bytes().get(1) == Some(&b'\n') { 2 } else { 1 }),
            other => (Some(char::from(other)), 1),
        };
        let literal = !rest.starts_with('&');
        match meaning {
            Some(_) if literal && attribute => text.push(' '),
            Some(character) => text.push(character),
            None => text.push_str(&rest[..len]),
        }
        rest = &rest[len..];
    }
    text.push_str(rest);
    text
}

/// The character that the reference at the start of `rest` names, and the length of the reference.
fn reference(rest: &str) -> (Option<char>, usize) {
    let Some(end) = rest.find(';') else { return (None, 1) };
    let character = match &rest[1..end] {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        name => name.strip_prefix('#').and_then(|digits| {
            let value = match digits.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => digits.parse(),
            };
            char::from_u32(value.ok()?)
        }),
    };
    (character, end + 1)
}
