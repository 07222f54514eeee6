//! Fuzz target `frame`: whatever the framer lets through, rxml lets through with the same meaning; how the bytes are cut
//! makes no difference; what is read from it, and written again, means the same.

use wattle::xml::{Element, Frame, Framer, Limits, Node, Tag, XmlError, children, parse_all};

use super::oracle;

/// One frame with all that is to be known of it.
#[derive(Clone, PartialEq, Debug)]
enum Seen {
    Header(Element),
    Element { bytes: Vec<u8>, tree: Element },
    Footer,
}

/// What a framer makes of bytes in pieces of this size.
#[derive(PartialEq, Debug)]
struct Reading {
    seen: Vec<Seen>,
    sin: Option<XmlError>,
    /// Bytes up to the end of the last frame.
    accepted: usize,
    /// The tree of a frame was refused, because its namespaces would multiply: there is nothing to compare.
    vast: bool,
}

/// Any bytes, from a peer who has just connected.
pub(crate) fn run(data: &[u8]) {
    let limits = Limits::new(64 * 1024);
    let whole = read(data, limits, data.len());
    assert_eq!(read(data, limits, 1), whole, "byte by byte");
    assert_eq!(read(data, limits, 2 + data.len() % 11), whole, "in pieces");
    let narrow = Limits { stanza_bytes: 128, depth: 3, attributes: 3, name_bytes: 12, namespaces: 3 };
    assert_eq!(read(data, narrow, 1), read(data, narrow, data.len()), "narrow, byte by byte");
    compare(data, &whole);
}

fn read(data: &[u8], limits: Limits, size: usize) -> Reading {
    let mut framer = Framer::with_limits(limits);
    let mut reading = Reading { seen: Vec::new(), sin: None, accepted: 0, vast: false };
    let mut content = String::new();
    let mut begun = 0;
    for piece in data.chunks(size.max(1)) {
        let mut input = piece;
        loop {
            let frame = match framer.next(&mut input) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(sin) => {
                    reading.sin = Some(sin);
                    return reading;
                }
            };
            reading.accepted = begun + piece.len() - input.len();
            match see(&frame, &mut content) {
                Some(seen) => reading.seen.push(seen),
                None => reading.vast = true,
            }
        }
        assert!(input.is_empty());
        begun += piece.len();
    }
    reading
}

fn see(frame: &Frame<'_>, content: &mut String) -> Option<Seen> {
    Some(match frame {
        Frame::Header(tag) => {
            *content = tag.default_namespace().to_owned();
            Seen::Header(of_tag(tag))
        }
        Frame::Element(framed) => {
            let mut tree = of_tag(framed.tag());
            let content = match content.as_str() {
                "" | wattle::ns::STREAM => framed.tag().namespace(),
                content => content,
            };
            let portable = framed.portable_payload();
            assert!(!framed.is_portable() || *portable == *framed.payload());
            let wrapped = [b"<w>", &*portable, b"</w>"].concat();
            let wrapped = match Element::parse(&wrapped, content) {
                Ok(wrapped) => wrapped,
                Err(XmlError::TooLarge) => return None,
                Err(sin) => panic!("quick-xml refuses {}: {sin}", String::from_utf8_lossy(&wrapped)),
            };
            same_children(&portable, content);
            round_trip(&wrapped, content);
            tree.children = wrapped.children;
            sort(&mut tree);
            Seen::Element { bytes: framed.bytes().to_vec(), tree }
        }
        Frame::Footer => Seen::Footer,
    })
}

/// The cheap look over the children says what the trees say.
fn same_children(payload: &[u8], content: &str) {
    let trees = parse_all(payload, content);
    if trees == Err(XmlError::TooLarge) {
        return;
    }
    let looked: Vec<_> = children(payload, content).collect();
    assert_eq!(trees.as_ref().map(Vec::len), Ok(looked.len()));
    for (tree, child) in trees.iter().flatten().zip(looked) {
        assert_eq!((&*tree.name, &*tree.ns), (child.name, &*child.ns));
        // One child has a smaller allowance of names than all of them.
        let alone = Element::parse(child.bytes, content);
        assert!(alone.as_ref() == Ok(tree) || alone == Err(XmlError::TooLarge));
        let plain = child.attributes().filter(|attribute| attribute.prefix().is_empty());
        for attribute in plain {
            assert_eq!(tree.attr(attribute.name()), Some(&*attribute.value()));
        }
    }
}

fn round_trip(tree: &Element, content: &str) {
    let written = tree.to_bytes("some other namespace");
    let again = Element::parse(&written, "some other namespace");
    assert!(again.as_ref() == Ok(tree) || again == Err(XmlError::TooLarge), "{content}: {again:?}");
}

/// The element of a start tag, without what it holds.
fn of_tag(tag: &Tag<'_>) -> Element {
    let mut element = Element::new(tag.name(), tag.namespace());
    for attribute in tag.attributes() {
        let namespace = tag.namespace_of(&attribute).into_owned();
        assert_eq!(tag.attribute(&namespace, attribute.name()), Some(attribute.value()));
        element.attrs.push((oracle::key(&namespace, attribute.name()), attribute.value().into()));
    }
    sort(&mut element);
    element
}

/// rxml keeps attributes in an order of its own.
fn sort(element: &mut Element) {
    element.attrs.sort();
    for child in &mut element.children {
        if let Node::Element(child) = child {
            sort(child);
        }
    }
}

/// The XML declaration and white space around it are judged by the framer alone: rxml knows fewer forms of it.
fn prologue(data: &[u8]) -> usize {
    let space = data.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
    let rest = &data[space..];
    let declaration = rest.starts_with(b"<?").then(|| rest.windows(2).position(|two| two == b"?>")).flatten();
    let declared = space + declaration.map_or(0, |at| at + 2);
    declared + data[declared..].iter().take_while(|byte| b" \t\r\n".contains(byte)).count()
}

/// The bytes with each line end as one line feed, if that changes them.
fn line_ends(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = bytes.contains(&b'\r').then(|| String::from_utf8_lossy(bytes))?;
    Some(text.replace("\r\n", "\n").replace('\r', "\n").into_bytes())
}

fn compare(data: &[u8], whole: &Reading) {
    if whole.seen.is_empty() || whole.vast {
        return;
    }
    let start = prologue(data);
    let reading = oracle::read(&data[start..whole.accepted]);
    assert_eq!(reading.refused, None, "rxml refuses {:?}", String::from_utf8_lossy(&data[start..whole.accepted]));
    assert_eq!(reading.ended, whole.seen.last() == Some(&Seen::Footer));
    let ours = whole.seen.iter().filter_map(|seen| match seen {
        Seen::Header(element) | Seen::Element { tree: element, .. } => Some(element),
        Seen::Footer => None,
    });
    // rxml 0.14 forgets to normalise a carriage return after `]`: it gets its line ends as XML 1.0 section 2.11 wants them.
    let mut theirs = match line_ends(&data[start..whole.accepted]) {
        Some(normalised) => oracle::read(&normalised).elements,
        None => reading.elements,
    };
    theirs.iter_mut().for_each(sort);
    assert!(ours.eq(theirs.iter()), "the framer: {:?}\nrxml: {theirs:?}", whole.seen);
    // And the other way: no peer is refused for what is right.
    let refusals = [
        XmlError::NotWellFormed,
        XmlError::BadCharacter,
        XmlError::MismatchedTag,
        XmlError::DuplicateAttribute,
        XmlError::InvalidNamespace,
        XmlError::BadNamespacePrefix,
        XmlError::Restricted,
        XmlError::BadUtf8,
    ];
    if whole.sin.is_some_and(|sin| refusals.contains(&sin)) {
        let reading = oracle::read(&[&data[start..], b";;;;;;;;;'>\">;]]><<"].concat());
        assert!(reading.refused.is_some(), "rxml takes what is refused as {:?}", whole.sin);
    }
}
