//! Cuts what a server sends into stream headers, stanzas and the stream's end (RFC 6120 section 4), and reads heads.
//!
//! Deliberately not a validating parser: the bench pays for every cycle it spends here with a core that the
//! server may want, and what it must notice (a message lost, doubled, late) is checked by number, not by syntax.

use memchr::{memchr, memchr3, memmem};

/// A stanza longer than this is taken for a server gone mad.
const STANZA_BYTES_MAX: usize = 4 << 20;

/// What stands at the front of the received bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The start tag of the stream, with an XML declaration if there was one.
    Header,
    /// A child of the stream, whole.
    Stanza,
    /// `</stream:stream>`.
    End,
}

/// Finds the first frame of `bytes`: where it starts, where it ends, what it is. `opened` says whether the header came.
/// `Ok(None)` asks for more bytes; `Err` says what is wrong with them.
pub(crate) fn next(bytes: &[u8], opened: bool) -> Result<Option<(usize, usize, Frame)>, String> {
    let mut at = bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(bytes.len());
    let start = at;
    let mut depth = 0_u32;
    while at < bytes.len() {
        if bytes.len() - start > STANZA_BYTES_MAX {
            return Err(format!("a stanza of more than {STANZA_BYTES_MAX} bytes"));
        }
        let rest = &bytes[at..];
        if rest[0] != b'<' {
            if depth == 0 {
                return Err(format!("text between stanzas: {:?}", excerpt(rest)));
            }
            match memchr(b'<', rest) {
                Some(n) => at += n,
                None => return Ok(None),
            }
            continue;
        }
        let Some(&second) = rest.get(1) else { return Ok(None) };
        let Some(end) = tag_end(rest) else { return Ok(None) };
        match second {
            b'?' if depth == 0 && !opened => {}
            b'?' | b'!' => return Err(format!("forbidden in a stream: {:?}", excerpt(rest))),
            b'/' if depth == 0 => return Ok(Some((start, at + end, Frame::End))),
            b'/' => depth -= 1,
            _ if !opened => return Ok(Some((start, at + end, Frame::Header))),
            _ if rest[end - 2] == b'/' => {}
            _ => depth += 1,
        }
        at += end;
        if depth == 0 && opened {
            return Ok(Some((start, at, Frame::Stanza)));
        }
    }
    Ok(None)
}

/// Length of the tag at the front, its `>` included; quotes may hide one.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr3(b'>', b'\'', b'"', &bytes[at..])?;
        if bytes[at] == b'>' {
            return Some(at + 1);
        }
        at += 1 + memchr(bytes[at], &bytes[at + 1..])? + 1;
    }
}

/// The first characters of something, for a message to people.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned()
}

/// Name of the element, with its prefix.
pub(crate) fn name(stanza: &[u8]) -> &[u8] {
    let inner = stanza.get(1..).unwrap_or_default();
    let end = inner.iter().position(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>')).unwrap_or(inner.len());
    &inner[..end]
}

/// Value of an attribute of the first tag, escapes left as they are.
pub(crate) fn attribute<'a>(stanza: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut at = 1 + name(stanza).len();
    loop {
        at += stanza.get(at..)?.iter().position(|b| !b.is_ascii_whitespace())?;
        if matches!(stanza[at], b'>' | b'/') {
            return None;
        }
        let equals = at + memchr(b'=', &stanza[at..])?;
        let found = stanza[at..equals].trim_ascii_end();
        let open = equals + 1 + stanza[equals + 1..].iter().position(|b| matches!(b, b'\'' | b'"'))?;
        let close = open + 1 + memchr(stanza[open], &stanza[open + 1..])?;
        if found == wanted {
            return Some(&stanza[open + 1..close]);
        }
        at = close + 1;
    }
}

/// Whether the bytes contain the other ones: enough to find a feature in `<stream:features>`.
pub(crate) fn contains(stanza: &[u8], needle: &str) -> bool {
    memmem::find(stanza, needle.as_bytes()).is_some()
}

/// Text of the first element with this name that has no attributes or any, up to its first child.
pub(crate) fn text<'a>(stanza: &'a [u8], element: &str) -> Option<&'a [u8]> {
    let mut from = 0;
    loop {
        let at = from + memmem::find(&stanza[from..], element.as_bytes())?;
        from = at + element.len();
        if at == 0 || stanza[at - 1] != b'<' || !matches!(stanza.get(from), Some(b'>' | b' ' | b'/')) {
            continue;
        }
        let end = tag_end(&stanza[at - 1..])?;
        if stanza[at - 1 + end - 2] == b'/' {
            return Some(b"");
        }
        let inner = &stanza[at - 1 + end..];
        return Some(&inner[..memchr(b'<', inner)?]);
    }
}

/// The start tags of all elements with this name, at any depth.
pub(crate) fn tags<'a>(stanza: &'a [u8], element: &'a str) -> impl Iterator<Item = &'a [u8]> {
    memmem::find_iter(stanza, element).filter_map(move |at| {
        let start = at.checked_sub(1).filter(|start| stanza[*start] == b'<')?;
        let ends = matches!(stanza.get(at + element.len()), Some(b'>' | b' ' | b'/' | b'\t' | b'\r' | b'\n'));
        let end = tag_end(&stanza[start..]).filter(|_| ends)?;
        Some(&stanza[start..start + end])
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Frame, attribute, name, next, tags, text};

    #[test]
    fn frames_come_out_whole_whatever_the_chunks() {
        let stream = b"<?xml version='1.0'?><stream:stream a='>' xmlns=\"b\"><stream:features><a/></stream:features>\n<r xmlns='urn:xmpp:sm:3'/><message from='a&gt;/>'><body>1 > 0</body></message></stream:stream>";
        let expected = [
            (Frame::Header, "<?xml version='1.0'?><stream:stream a='>' xmlns=\"b\">"),
            (Frame::Stanza, "<stream:features><a/></stream:features>"),
            (Frame::Stanza, "<r xmlns='urn:xmpp:sm:3'/>"),
            (Frame::Stanza, "<message from='a&gt;/>'><body>1 > 0</body></message>"),
            (Frame::End, "</stream:stream>"),
        ];
        for chunk in 1..stream.len() {
            let (mut kept, mut found) = (Vec::new(), Vec::new());
            for piece in stream.chunks(chunk) {
                kept.extend_from_slice(piece);
                while let Some((start, end, frame)) = next(&kept, !found.is_empty()).unwrap() {
                    found.push((frame, String::from_utf8(kept[start..end].to_vec()).unwrap()));
                    kept.drain(..end);
                }
            }
            assert!(found.iter().map(|(f, s)| (f, s.as_str())).eq(expected.iter().map(|(f, s)| (f, *s))), "{chunk}");
        }
    }

    #[test]
    fn what_no_stream_may_hold_is_named() {
        assert!(next(b"<!DOCTYPE x>", true).unwrap_err().contains("forbidden"));
        assert!(next(b"<a><!-- x --></a>", true).unwrap_err().contains("forbidden"));
        assert!(next(b"hello", true).unwrap_err().contains("text between stanzas"));
    }

    #[test]
    fn heads_are_read() {
        let stanza = b"<message  to = 'a' from=\"b'c\" type='chat'><body id='x'>hi</body><x/></message>";
        assert_eq!(name(stanza), b"message");
        assert_eq!(attribute(stanza, b"to"), Some(&b"a"[..]));
        assert_eq!(attribute(stanza, b"from"), Some(&b"b'c"[..]));
        assert_eq!(attribute(stanza, b"id"), None);
        assert_eq!(name(b"<r/>"), b"r");
        assert_eq!(attribute(b"<r/>", b"id"), None);
        assert_eq!(text(stanza, "body"), Some(&b"hi"[..]));
        assert_eq!(text(stanza, "x"), Some(&b""[..]));
        assert_eq!(text(stanza, "bod"), None);
    }

    #[test]
    fn elements_are_found_at_any_depth() {
        let stanza = b"<iq><query><item jid='a>'/><items/><item jid=\"b\"><group>item</group></item></query></iq>";
        let found: Vec<_> = tags(stanza, "item").map(|tag| attribute(tag, b"jid").unwrap()).collect();
        assert_eq!(found, [&b"a>"[..], b"b"]);
    }
}
