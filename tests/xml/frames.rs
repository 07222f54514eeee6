//! Frames out of arbitrary pieces of a stream (RFC 6120 sections 4.2 to 4.6).

use wattle::xml::{Frame, Framer, XmlError};

use super::{HEADER, frames};

/// A stream with something of everything, and its frames.
fn stream() -> (Vec<u8>, Vec<String>) {
    let stanzas = [
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABzZWNyZXQ=</auth>",
        "<presence/>",
        "<message to='romeo@example.net' type=\"chat\" id='&#x31;&amp;'><body>\u{E4}\u{20AC}\u{1F600} &lt;&#39;]]&gt;</body>\
         <x xmlns='u' xmlns:p='v'><p:y p:z=''/></x></message>",
        "<iq type='get' id='1' ><ping xmlns='urn:xmpp:ping' /></iq >",
        "<message><body><![CDATA[ ]] > <b> ]]></body></message>",
        "<\u{E4}:\u{F6} xmlns:\u{E4}='u'></\u{E4}:\u{F6}>",
    ];
    let bytes = format!("{HEADER}\n{}\t{}</stream:stream >\r\n", stanzas[..3].join(" "), stanzas[3..].concat());
    let mut frames = vec!["header {http://etherx.jabber.org/streams}stream".to_owned()];
    frames.extend(stanzas.map(str::to_owned));
    frames.push("footer".to_owned());
    (bytes.into_bytes(), frames)
}

#[test]
fn every_split_in_two_and_byte_by_byte() {
    let (bytes, expected) = stream();
    assert_eq!(frames(&[&bytes]), (expected.clone(), Ok(())));
    for at in 0..=bytes.len() {
        let (one, two) = bytes.split_at(at);
        assert_eq!(frames(&[one, two]), (expected.clone(), Ok(())), "split at {at}");
    }
    for size in 1..40 {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        assert_eq!(frames(&pieces), (expected.clone(), Ok(())), "pieces of {size}");
    }
}

#[test]
fn the_header_as_it_is_read() {
    let mut framer = Framer::new(10_000);
    let mut input = HEADER.as_bytes();
    let Some(Frame::Header(tag)) = framer.next(&mut input).unwrap() else { panic!("no header") };
    assert_eq!((tag.prefix(), tag.name()), ("stream", "stream"));
    assert_eq!(tag.namespace(), "http://etherx.jabber.org/streams");
    assert_eq!(tag.default_namespace(), "jabber:client");
    assert_eq!(tag.attribute("", "to").as_deref(), Some("example.com"));
    assert_eq!(tag.attribute("", "version").as_deref(), Some("1.0"));
    assert_eq!(tag.attribute("http://www.w3.org/XML/1998/namespace", "lang").as_deref(), Some("en"));
    assert_eq!(tag.attribute("", "lang"), None);
    assert_eq!(tag.attribute("", "xmlns"), None);
    let names: Vec<_> = tag.attributes().map(|attribute| attribute.qualified_name()).collect();
    assert_eq!(names, ["to", "version", "xml:lang"]);
    assert!(framer.is_idle());
}

#[test]
fn a_stanza_as_it_is_read() {
    let whole = format!(
        "{HEADER}<p:message xmlns='u&amp;v' xmlns:p='jabber:client' to='a&amp;b\n' stream:to='c' p:id='d' xml:lang='de'>\
         <body>x</body></p:message>"
    );
    let mut framer = Framer::new(10_000);
    let mut input = whole.as_bytes();
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
    let Some(Frame::Element(framed)) = framer.next(&mut input).unwrap() else { panic!("no element") };
    let tag = framed.tag();
    assert!(tag.is("message", "jabber:client"));
    assert_eq!(tag.default_namespace(), "u&v");
    assert_eq!(tag.attribute("", "to").as_deref(), Some("a&b "));
    assert_eq!(tag.attribute("http://etherx.jabber.org/streams", "to").as_deref(), Some("c"));
    assert_eq!(tag.attribute("jabber:client", "id").as_deref(), Some("d"));
    assert_eq!(framed.payload(), b"<body>x</body>");
    assert!(whole.as_bytes().ends_with(framed.bytes()));
}

#[test]
fn a_whole_frame_is_not_copied_and_a_partial_one_is_kept() {
    let whole = format!("{HEADER}<a>1</a><b>2</b>");
    let mut framer = Framer::new(10_000);
    let mut input = whole.as_bytes();
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
    let Ok(Some(Frame::Element(framed))) = framer.next(&mut input) else { panic!("no element") };
    assert!(whole.as_bytes().as_ptr_range().contains(&framed.bytes().as_ptr()));
    let (mut one, mut two) = input.split_at(5);
    assert!(matches!(framer.next(&mut one), Ok(None)));
    assert!(!framer.is_idle());
    let Ok(Some(Frame::Element(framed))) = framer.next(&mut two) else { panic!("no element") };
    assert_eq!(framed.bytes(), b"<b>2</b>");
    assert!(matches!(framer.next(&mut two), Ok(None)));
    assert!(framer.is_idle());
}

#[test]
fn a_stream_begins_again() {
    let mut framer = Framer::new(10_000);
    for _ in 0..2 {
        let mut input = HEADER.as_bytes();
        assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
        let mut input = &b"<message><unfinished"[..];
        assert!(matches!(framer.next(&mut input), Ok(None)));
        framer.restart();
    }
    // What the old header declared is forgotten.
    let mut input = &b"<stream xmlns='jabber:client'><stream:features/>"[..];
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
    assert_eq!(framer.next(&mut input).err(), Some(XmlError::BadNamespacePrefix));
    framer.restart();
    let mut input = HEADER.as_bytes();
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
}

#[test]
fn an_empty_stream() {
    let (seen, verdict) = frames(&[b"<stream:stream xmlns:stream='u'/> "]);
    assert_eq!((seen, verdict), (vec!["header {u}stream".to_owned(), "footer".to_owned()], Ok(())));
}

#[test]
fn nothing_follows_the_end() {
    let whole = format!("{HEADER}</stream:stream> x");
    assert_eq!(frames(&[whole.as_bytes()]).1, Err(XmlError::NotWellFormed));
}

#[test]
fn other_names_of_the_header() {
    for (header, footer) in
        [("<stream xmlns='http://etherx.jabber.org/streams'>", "</stream>"), ("<x:y xmlns:x='u'>", "</x:y>")]
    {
        let (seen, verdict) = frames(&[header.as_bytes(), b"<a/>", footer.as_bytes()]);
        assert_eq!((seen.len(), verdict), (3, Ok(())), "{header}");
    }
}

#[test]
fn a_sin_is_remembered() {
    let mut framer = Framer::new(10_000);
    let mut input = &b"<a><?pi?>"[..];
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
    for _ in 0..3 {
        assert_eq!(framer.next(&mut input).err(), Some(XmlError::Restricted));
    }
}

#[test]
fn moves_between_threads() {
    fn is_send<T: Send + 'static>() {}
    is_send::<Framer>();
}
