//! Payloads made to stand in any stream (RFC 6120 section 4.8).

use wattle::xml::{Frame, Framer};

use super::HEADER;

/// Whether the payload of a stanza after this header is portable, and what it becomes.
#[track_caller]
fn payload(header: &str, stanza: &str) -> (bool, String) {
    let whole = format!("{header}{stanza}");
    let mut framer = Framer::new(10_000);
    let mut input = whole.as_bytes();
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
    let Some(Frame::Element(framed)) = framer.next(&mut input).unwrap() else { panic!("no element") };
    (framed.is_portable(), String::from_utf8(framed.portable_payload().into_owned()).unwrap())
}

#[track_caller]
fn portable(header: &str, stanza: &str, expected: &str) {
    assert_eq!(payload(header, stanza), (true, expected.to_owned()));
}

#[track_caller]
fn rewritten(header: &str, stanza: &str, expected: &str) {
    assert_eq!(payload(header, stanza), (false, expected.to_owned()));
}

#[test]
fn what_stands_by_itself_is_left_alone() {
    portable(HEADER, "<message/>", "");
    portable(HEADER, "<message>x &lt;</message>", "x &lt;");
    portable(HEADER, "<message><body>x</body></message>", "<body>x</body>");
    portable(HEADER, "<message xmlns='jabber:client'><body/></message>", "<body/>");
    portable(HEADER, "<message><x xmlns='u'><y/></x></message>", "<x xmlns='u'><y/></x>");
    portable(HEADER, "<message><p:x xmlns:p='u' p:a=''><p:y/></p:x></message>", "<p:x xmlns:p='u' p:a=''><p:y/></p:x>");
    portable(HEADER, "<message><body xml:lang='de'/></message>", "<body xml:lang='de'/>");
    portable(HEADER, "<message xmlns:p='u' p:a=''><body/></message>", "<body/>");
    portable(HEADER, "<message><stream:x xmlns:stream='u'/></message>", "<stream:x xmlns:stream='u'/>");
}

#[test]
fn prefixes_from_outside() {
    rewritten(HEADER, "<message><stream:x/></message>", "<stream:x xmlns:stream='http://etherx.jabber.org/streams'/>");
    rewritten(
        HEADER,
        "<message xmlns:p='u' xmlns:q='v'><body/>t<a><p:b/></a><c p:d=''/></message>",
        "<body/>t<a xmlns:p='u'><p:b/></a><c xmlns:p='u' p:d=''/>",
    );
    // The stanza's declaration hides the header's, the child's both.
    rewritten(
        &HEADER.replace("<stream:stream", "<stream:stream xmlns:p='outer&apos;' xmlns:q='q&apos;'"),
        "<message xmlns:p='u'><p:a/><p:a xmlns:p='v'/><q:a/></message>",
        "<p:a xmlns:p='u'/><p:a xmlns:p='v'/><q:a xmlns:q='q&apos;'/>",
    );
}

#[test]
fn a_default_namespace_from_outside() {
    rewritten(
        HEADER,
        "<message xmlns='u'><a/><b xmlns='v'/><c><d/></c></message>",
        "<a xmlns='u'/><b xmlns='v'/><c xmlns='u'><d/></c>",
    );
    rewritten(HEADER, "<message xmlns=''><a/></message>", "<a xmlns=''/>");
    // Nothing is to be added, which only the look at the children finds out.
    rewritten(HEADER, "<message xmlns='u'><a xmlns='v'/></message>", "<a xmlns='v'/>");
}

#[test]
fn streams_without_a_content_namespace() {
    let bare = "<stream xmlns='http://etherx.jabber.org/streams'>";
    portable(bare, "<message xmlns='jabber:client'><body/></message>", "<body/>");
    let prefixed = "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns:c='jabber:client'>";
    rewritten(prefixed, "<c:message><c:body/></c:message>", "<c:body xmlns='' xmlns:c='jabber:client'/>");
}
