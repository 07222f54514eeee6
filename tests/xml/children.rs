//! The look over the direct children of a payload.

use wattle::xml::children;

#[test]
fn names_namespaces_and_attributes() {
    let payload = b"<body>a<b/></body> <x xmlns='u' a='1>' b=\"&lt;\"/>\
        <p:y xmlns:p='v&amp;' xml:lang='de'><p:y/></p:y><![CDATA[<no/>]]><z xmlns=''>/</z>&lt;";
    let seen: Vec<_> = children(payload, "jabber:client")
        .map(|child| (child.name, child.ns.clone().into_owned(), std::str::from_utf8(child.bytes).unwrap()))
        .collect();
    let expected = [
        ("body", "jabber:client", "<body>a<b/></body>"),
        ("x", "u", "<x xmlns='u' a='1>' b=\"&lt;\"/>"),
        ("y", "v&", "<p:y xmlns:p='v&amp;' xml:lang='de'><p:y/></p:y>"),
        ("z", "", "<z xmlns=''>/</z>"),
    ];
    assert_eq!(seen, expected.map(|(name, ns, bytes)| (name, ns.to_owned(), bytes)));
    let mut two = children(payload, "jabber:client").skip(1);
    let x = two.next().unwrap();
    assert!(x.is("x", "u"));
    assert_eq!(x.attribute("a").as_deref(), Some("1>"));
    assert_eq!(x.attribute("b").as_deref(), Some("<"));
    assert_eq!(x.attribute("xmlns"), None);
    assert_eq!(x.payload(), b"");
    let y = two.next().unwrap();
    assert_eq!(y.attribute("xml:lang").as_deref(), Some("de"));
    assert_eq!(y.payload(), b"<p:y/>");
    assert_eq!(two.next().unwrap().payload(), b"/");
}

#[test]
fn payloads_without_elements() {
    assert_eq!(children(b"", "").count(), 0);
    assert_eq!(children(b"text &lt; ]]", "").count(), 0);
    assert_eq!(children(b"<![CDATA[<a/>]]>", "").count(), 0);
}

#[test]
fn what_is_not_known_good_ends_it() {
    let good = b"<a b='1'><![CDATA[x]]><c>y</c></a><d/>";
    for end in 0..good.len() {
        assert!(children(&good[..end], "").count() <= 2);
    }
    for bytes in [
        &b"</a><b/>"[..],
        b"<",
        b"<>",
        b"<a",
        b"<a '",
        b"<a/",
        b"<!",
        b"<a></",
        b"\xFF<\xFF>",
        b"</>",
        b"<a/ >",
        b"<a =>",
    ] {
        for child in children(bytes, "") {
            let _ = (child.attribute("b"), child.payload());
        }
    }
}
