//! Escapes, references and the normalisation of white space (XML 1.0 sections 2.4, 2.11, 3.3.3 and 4.6).

use std::borrow::Cow;

use wattle::xml::{escape_attr, escape_text, unescape, unescape_attr};

#[test]
fn text_survives() {
    for text in ["", "plain", "<a>&amp;'\"]]>", "\r\n\t x\r", "\u{E4}\u{1F600}&", "\u{FFFD}\u{FEFF}"] {
        let mut out = Vec::new();
        escape_text(&mut out, text);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(unescape(&out), text);
        assert!(!out.contains(['<', '>', '\r']));
        let mut out = Vec::new();
        escape_attr(&mut out, text);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(unescape_attr(&out), text);
        assert!(!out.contains(['<', '>', '\'', '\r', '\n', '\t']));
    }
}

#[test]
fn what_xml_cannot_say_is_replaced() {
    let mut out = Vec::new();
    escape_text(&mut out, "a\0b\u{1B}c\u{FFFE}d\u{FFFF}e\u{FFFC}");
    assert_eq!(String::from_utf8(out).unwrap(), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e\u{FFFC}");
}

#[test]
fn references() {
    assert_eq!(unescape("&lt;&gt;&amp;&apos;&quot;&#65;&#x42;&#x1f600;"), "<>&'\"AB\u{1F600}");
    assert_eq!(unescape("&amp;lt;"), "&lt;");
    // Never of known-good bytes: what is not understood stays.
    assert_eq!(unescape("&foo; & &#xD800; &#99999999999; &;"), "&foo; & &#xD800; &#99999999999; &;");
    assert!(matches!(unescape("plain > text\n"), Cow::Borrowed(_)));
    assert!(matches!(unescape_attr("plain value"), Cow::Borrowed(_)));
}

#[test]
fn white_space() {
    assert_eq!(unescape("a\r\nb\rc\nd\te"), "a\nb\nc\nd\te");
    assert_eq!(unescape_attr("a\r\nb\rc\nd\te"), "a b c d e");
    assert_eq!(unescape_attr("&#13;&#10;&#9;"), "\r\n\t");
    assert_eq!(unescape("&#13;\n"), "\r\n");
}
