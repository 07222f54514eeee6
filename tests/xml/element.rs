//! The tree: read, asked, built and written.

use wattle::xml::{Element, Node, XmlError, parse_all};

#[test]
fn reads_everything() {
    let bytes = b"<iq type='get' xml:lang='de' xmlns:p='u' p:q='1&amp;\n2'>a&lt;<![CDATA[<b>]]>&#x41;\r\n\
        <query xmlns='jabber:iq:roster'><p:item/></query>z</iq>";
    let iq = Element::parse(bytes, "jabber:client").unwrap();
    assert!(iq.is("iq", "jabber:client"));
    assert_eq!(iq.attr("type"), Some("get"));
    assert_eq!(iq.attr("xml:lang"), Some("de"));
    assert_eq!(iq.attr("{u}q"), Some("1& 2"));
    assert_eq!(iq.attrs.len(), 3);
    assert_eq!(iq.children[0], Node::Text("a<<b>A\n".into()));
    assert_eq!(iq.text(), "a<<b>A\nz");
    let query = iq.child("query", "jabber:iq:roster").unwrap();
    assert_eq!(query.child("item", "u"), Some(&Element::new("item", "u")));
    assert_eq!(iq.child("query", "jabber:client"), None);
    assert_eq!(iq.elements().count(), 1);
}

#[test]
fn namespaces_are_unescaped() {
    let element = Element::parse(b"<a xmlns:x='u&amp;v'><b xmlns='w&#38;'/><x:c/></a>", "d&e").unwrap();
    assert_eq!(&*element.ns, "d&e");
    let namespaces: Vec<_> = element.elements().map(|child| &*child.ns).collect();
    assert_eq!(namespaces, ["w&", "u&v"]);
}

#[test]
fn line_ends_are_normalised_everywhere() {
    let element = Element::parse(b"<a>]\rb\r\n&#13;<![CDATA[]\rc\r\n]]></a>", "").unwrap();
    assert_eq!(element.text(), "]\nb\n\r]\nc\n");
}

#[test]
fn writes_what_it_reads() {
    for (bytes, parent) in [
        ("<a/>", "u"),
        ("<a xmlns=''/>", "u"),
        ("<a xmlns='v'><b><c xmlns='u'/></b></a>", "u"),
        ("<a xml:lang='de' b='&apos;&lt;\"&#10;'>&lt;\"'&gt;&#13;\n</a>", "u"),
        ("<a xmlns:ns0='v&apos;' ns0:b='1' xmlns:ns1='{x}' ns1:b='2' b='3'/>", "u"),
        ("<xml:a><b/></xml:a>", "u"),
        ("<a>x<b/>y</a>", ""),
    ] {
        let element = Element::parse(bytes.as_bytes(), parent).unwrap();
        let written = element.to_bytes(parent);
        assert_eq!(Element::parse(&written, parent).unwrap(), element);
        if !bytes.contains("ns0") {
            assert_eq!(String::from_utf8(written).unwrap(), bytes);
        }
    }
}

#[test]
fn declares_only_what_changes() {
    let element = Element::new("iq", "jabber:client")
        .with_attr("type", "result")
        .with_attr("type", "error")
        .with_child(Element::new("query", "q").with_child(Element::new("item", "q").with_attr("jid", "a'b")))
        .with_child(Element::new("text", "jabber:client").with_text("1 <").with_text(" 2"));
    assert_eq!(
        String::from_utf8(element.to_bytes("jabber:client")).unwrap(),
        "<iq type='error'><query xmlns='q'><item jid='a&apos;b'/></query><text>1 &lt; 2</text></iq>"
    );
    assert!(element.to_bytes("jabber:server").starts_with(b"<iq xmlns='jabber:client' type='error'>"));
}

#[test]
fn payloads_of_several() {
    let all = parse_all(b" <a/>text<b xmlns='v'/> ", "u").unwrap();
    assert_eq!(all, [Element::new("a", "u"), Element::new("b", "v")]);
    assert_eq!(parse_all(b"", "u").unwrap(), []);
}

#[test]
fn refuses_what_no_framer_lets_through() {
    for (bytes, error) in [
        (&b"<a>"[..], XmlError::NotWellFormed),
        (b"</a>", XmlError::NotWellFormed),
        (b"<a></b>", XmlError::NotWellFormed),
        (b"<a/><b/>", XmlError::NotWellFormed),
        (b"", XmlError::NotWellFormed),
        (b"\xFF", XmlError::BadUtf8),
        (b"<x:a/>", XmlError::BadNamespacePrefix),
        (b"<a x:b=''/>", XmlError::BadNamespacePrefix),
        (b"<a>&foo;</a>", XmlError::Restricted),
        (b"<a><!-- --></a>", XmlError::Restricted),
        (b"<?xml version='1.0'?><a/>", XmlError::Restricted),
        (b"<!DOCTYPE a><a/>", XmlError::Restricted),
    ] {
        assert_eq!(Element::parse(bytes, ""), Err(error), "{}", String::from_utf8_lossy(bytes));
    }
    let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
    assert_eq!(Element::parse(deep.as_bytes(), ""), Err(XmlError::TooDeep));
}
