//! Every bound on what a peer can make grow, at it and one beyond it (RFC 6120 section 13.12, issue's "Bad input").

use wattle::limits;
use wattle::xml::{Element, Frame, Framer, Limits, XmlError};

use super::{HEADER, verdict};

/// The verdict on a stanza in these bounds, whole and byte by byte.
fn bounded(limits: Limits, header: &str, stanza: &str) -> Result<(), XmlError> {
    let mut verdicts = [true, false].map(|whole| {
        let mut framer = Framer::with_limits(limits);
        let text = format!("{header}{stanza}");
        for piece in text.as_bytes().chunks(if whole { text.len() } else { 1 }) {
            let mut input = piece;
            while framer.next(&mut input)?.is_some() {}
        }
        Ok(())
    });
    assert_eq!(verdicts[0], verdicts[1], "{stanza}");
    std::mem::replace(&mut verdicts[0], Ok(()))
}

#[test]
fn bytes_of_a_stanza() {
    let limits = Limits::new(200);
    for text in ["x", "\u{E4}", "&amp;", "]", ">", "<b/>"] {
        for pad in 0..10 {
            let padding = "x".repeat(pad);
            let fits = (200 - "<a></a>".len() - pad) / text.len();
            let stanza = format!("<a>{padding}{}</a>", text.repeat(fits));
            assert!(stanza.len() <= 200);
            assert_eq!(bounded(limits, HEADER, &stanza), Ok(()), "{}", stanza.len());
            let stanza = format!("<a>{padding}{}</a>", text.repeat(fits + 1));
            assert!(stanza.len() > 200);
            assert_eq!(bounded(limits, HEADER, &stanza), Err(XmlError::TooLarge), "{}", stanza.len());
        }
    }
    // Unfinished, it is refused with the first byte too many; before that, nothing is known.
    assert_eq!(bounded(limits, HEADER, &format!("<a {}", " ".repeat(197))), Ok(()));
    assert_eq!(bounded(limits, HEADER, &format!("<a {}", " ".repeat(198))), Err(XmlError::TooLarge));
    assert_eq!(XmlError::TooLarge.condition(), "policy-violation");
}

#[test]
fn bytes_of_the_header() {
    let header = |len: usize| format!("<stream:stream xmlns:stream='u' a='{}'>", "x".repeat(len - 37));
    assert_eq!(header(300).len(), 300);
    assert_eq!(bounded(Limits::new(300), &header(300), ""), Ok(()));
    assert_eq!(bounded(Limits::new(300), &header(301), ""), Err(XmlError::TooLarge));
}

#[test]
fn white_space_between_stanzas_is_not_counted() {
    assert_eq!(bounded(Limits::new(200), HEADER, &format!("{}<a/>", " ".repeat(5000))), Ok(()));
}

#[test]
fn the_size_can_change() {
    let mut framer = Framer::new(200);
    let mut input = HEADER.as_bytes();
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
    let stanza = format!("<a>{}</a>", "x".repeat(1000));
    framer.set_stanza_bytes(2000);
    assert!(matches!(framer.next(&mut stanza.as_bytes()), Ok(Some(Frame::Element(_)))));
    let mut input = &b"<a>xxxxxxxxxxxxxxxxxxxxxxx"[..];
    assert!(matches!(framer.next(&mut input), Ok(None)));
    framer.set_stanza_bytes(10);
    assert_eq!(framer.next(&mut &b"x"[..]).err(), Some(XmlError::TooLarge));
}

#[test]
fn depth() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let most = usize::from(limits::XML_DEPTH);
    assert_eq!(verdict(nested(most).as_bytes()), Ok(()));
    assert_eq!(verdict(nested(most + 1).as_bytes()), Err(XmlError::TooDeep));
    assert_eq!(verdict("<a>".repeat(most + 1).as_bytes()), Err(XmlError::TooDeep));
    assert_eq!(verdict(format!("<b>{}</b>", "<a/>".repeat(most * 2)).as_bytes()), Ok(()));
    assert_eq!(XmlError::TooDeep.condition(), "policy-violation");
}

#[test]
fn attributes() {
    let tag = |count: usize| {
        let attributes: String = (0..count).map(|index| format!(" a{index}=''")).collect();
        format!("<a{attributes}/>")
    };
    assert_eq!(verdict(tag(limits::XML_ATTRIBUTES).as_bytes()), Ok(()));
    assert_eq!(verdict(tag(limits::XML_ATTRIBUTES + 1).as_bytes()), Err(XmlError::TooManyAttributes));
    let two = format!("<b>{}{}</b>", tag(limits::XML_ATTRIBUTES), tag(limits::XML_ATTRIBUTES));
    assert_eq!(verdict(two.as_bytes()), Ok(()));
    assert_eq!(XmlError::TooManyAttributes.condition(), "policy-violation");
}

#[test]
fn names() {
    let long = "n".repeat(limits::XML_NAME_BYTES);
    assert_eq!(verdict(format!("<{long} {long}=''></{long}>").as_bytes()), Ok(()));
    for stanza in [format!("<{long}n/>"), format!("<a {long}n=''/>"), format!("<a xmlns:a='u' a:{long}=''/>")] {
        assert_eq!(verdict(stanza.as_bytes()), Err(XmlError::NameTooLong));
    }
    let two = "\u{E4}".repeat(limits::XML_NAME_BYTES / 2);
    assert_eq!(verdict(format!("<{two}/>").as_bytes()), Ok(()));
    assert_eq!(verdict(format!("<{two}\u{E4}/>").as_bytes()), Err(XmlError::NameTooLong));
    assert_eq!(XmlError::NameTooLong.condition(), "policy-violation");
}

#[test]
fn namespaces() {
    // The header declares two.
    let most = limits::XML_NAMESPACES - 2;
    let declarations = |count: usize| -> String { (0..count).map(|index| format!(" xmlns:a{index}='u'")).collect() };
    assert_eq!(verdict(format!("<a{}/>", declarations(most)).as_bytes()), Ok(()));
    assert_eq!(verdict(format!("<a{}/>", declarations(most + 1)).as_bytes()), Err(XmlError::TooManyNamespaces));
    let nested = format!("<a{}><b xmlns='u'/></a>", declarations(most));
    assert_eq!(verdict(nested.as_bytes()), Err(XmlError::TooManyNamespaces));
    // What is no longer in force is not counted.
    let beside = format!("<a><b{0}/><b{0}/><b{0}></b></a>", declarations(most));
    assert_eq!(verdict(beside.as_bytes()), Ok(()));
    assert_eq!(XmlError::TooManyNamespaces.condition(), "policy-violation");
}

#[test]
fn declarations_that_multiply() {
    let long = "u".repeat(1000);
    let many = "<p:b/>".repeat(1000);
    // Made self-contained, the payload would have a million bytes.
    let stanza = format!("<a xmlns:p='{long}'>{many}</a>");
    assert_eq!(verdict(stanza.as_bytes()), Err(XmlError::TooLarge));
    let stanza = format!("<a xmlns='{long}'>{}</a>", "<b/>".repeat(1000));
    assert_eq!(verdict(stanza.as_bytes()), Err(XmlError::TooLarge));
    // As one child it stays as it is; a tree of it would have as many.
    let stanza = format!("<a><c xmlns:p='{long}'>{many}</c></a>");
    assert_eq!(verdict(stanza.as_bytes()), Ok(()));
    assert_eq!(Element::parse(stanza.as_bytes(), "").err(), Some(XmlError::TooLarge));
    let usual = format!("<a xmlns='http://jabber.org/protocol/disco#items'>{}</a>", "<b/>".repeat(1000));
    assert!(Element::parse(usual.as_bytes(), "").is_ok());
}

#[test]
fn bounds_are_sins_before_grammar() {
    let limits = Limits { stanza_bytes: 100, depth: 2, attributes: 2, name_bytes: 8, namespaces: 4 };
    for (stanza, sin) in [
        ("<abcdefghi!", XmlError::NameTooLong),
        ("<abcdefgh!", XmlError::NotWellFormed),
        ("<a><a><a!", XmlError::TooDeep),
        ("<a a='' b='' c", XmlError::TooManyAttributes),
        ("<a a='' b='' /!", XmlError::NotWellFormed),
    ] {
        assert_eq!(bounded(limits, HEADER_OF_ONE, stanza), Err(sin), "{stanza}");
    }
}

/// A header within small bounds.
const HEADER_OF_ONE: &str = "<stream xmlns='u'>";
