//! One test for each sin, with the stream error that answers it (RFC 6120 sections 4.9.3 and 11).

use wattle::xml::XmlError;

use super::{HEADER, frames, verdict};

#[track_caller]
fn sins(error: XmlError, condition: &str, examples: &[&str]) {
    assert_eq!(error.condition(), condition);
    for example in examples {
        assert_eq!(verdict(example.as_bytes()), Err(error), "{example}");
    }
}

#[track_caller]
fn good(examples: &[&str]) {
    for example in examples {
        assert_eq!(verdict(example.as_bytes()), Ok(()), "{example}");
    }
}

#[test]
fn grammar() {
    sins(
        XmlError::NotWellFormed,
        "not-well-formed",
        &[
            "<a b='1'c='2'/>",
            "<a b=1/>",
            "<a b/>",
            "<a b='<'/>",
            "<a>]]></a>",
            "<a>]]]></a>",
            "<a / >",
            "< a/>",
            "<1a/>",
            "<-a/>",
            "<.a/>",
            "<a 1b=''/>",
            "<a:b:c/>",
            "<:a/>",
            "<a:/>",
            "<a:1/>",
            "<a b:='' xmlns:b='u'/>",
            "<a :b=''/>",
            "<a\u{B7}b/><\u{B7}b/>",
            "<a\u{D7}/>",
            "<a></a b=''>",
            "<a></a/>",
            "<a>&</a>",
            "<a>& </a>",
            "<a>&;</a>",
            "<a>&lt</a>",
            "<a>&#;</a>",
            "<a>&#x;</a>",
            "<a>&#X41;</a>",
            "<a>&#4g;</a>",
            "<a>&#x4g;</a>",
            "<a>&# 65;</a>",
            "<a b='&'/>",
            "<a b='&lt'/>",
            "<a =''/>",
            "<a b=''''/>",
            "<a b ''/>",
            "<>",
            "<a<b/>",
            "<a b='' <c/>",
        ],
    );
    good(&[
        "<a/>",
        "<a />",
        "<a></a>",
        "<a></a >",
        "<a\n b\t=\r\n'1'  c = \"2\" />",
        "<a b='>'/>",
        "<a b=\"'\" c='\"'/>",
        "<a>]]</a>",
        "<a>]] ></a>",
        "<a>></a>",
        "<a>]]&gt;</a>",
        "<a.b-c_1/>",
        "<_/>",
        "<\u{E4}\u{B7}\u{300}\u{203F}/>",
        "<\u{1F600}/>",
        "<a b=']]>'/>",
    ]);
}

#[test]
fn characters() {
    sins(
        XmlError::BadCharacter,
        "not-well-formed",
        &[
            "<a>\0</a>",
            "<a>\u{1}</a>",
            "<a>\u{8}</a>",
            "<a>\u{B}</a>",
            "<a>\u{1F}</a>",
            "<a b='\u{1F}'/>",
            "<a><![CDATA[\u{1}]]></a>",
            "<a>\u{FFFE}</a>",
            "<a>\u{FFFF}</a>",
            "<a b='\u{FFFF}'/>",
            "<a><![CDATA[\u{FFFE}]]></a>",
            "<a>&#0;</a>",
            "<a>&#x0;</a>",
            "<a>&#1;</a>",
            "<a>&#xD800;</a>",
            "<a>&#xDFFF;</a>",
            "<a>&#xFFFE;</a>",
            "<a>&#x110000;</a>",
            "<a>&#99999999999;</a>",
            "<a b='&#8;'/>",
            "<a b='\r'/>",
            "<a b=\"x\r\ry\"/>",
        ],
    );
    good(&[
        "<a>\t\n\r \u{7F}\u{80}\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{10FFFF}</a>",
        "<a>&#9;&#10;&#13;&#32;&#x41;&#xe4;&#xE4;&#x10FFFF;&#00000065;</a>",
        "<a b='&#9;&#xD7FF;\t\n\r\n'/>",
        "<a>\rb\r\r\nc</a>",
    ]);
}

#[test]
fn tags_match() {
    sins(
        XmlError::MismatchedTag,
        "not-well-formed",
        &[
            "<a></b>",
            "<a><b></a></b>",
            "<a></A>",
            "<a></aa>",
            "<aa></a>",
            "<a></a:a>",
            "</a>",
            "</stream>",
            "<a></\u{E4}>",
        ],
    );
    // Namespaces do not make the names of two tags match: both must be written alike.
    sins(XmlError::MismatchedTag, "not-well-formed", &["<a:b xmlns:a='u' xmlns:c='u'></c:b>"]);
}

#[test]
fn attributes_differ() {
    sins(
        XmlError::DuplicateAttribute,
        "not-well-formed",
        &[
            "<a b='1' b='1'/>",
            "<a b='1' c='2' b='3'/>",
            "<a xmlns='u' xmlns='u'/>",
            "<a xmlns:x='u' xmlns:x='v'/>",
            "<a xml:lang='de' xml:lang='de'/>",
            "<a xmlns:x='u' xmlns:y='u' x:b='' y:b=''/>",
            "<a xmlns:x='u&amp;' xmlns:y='u&#38;' x:b='' y:b=''/>",
            "<a xmlns:x='u'><b xmlns:y='u' y:b='' x:b=''/></a>",
        ],
    );
    good(&[
        "<a b='' B=''/>",
        "<a xmlns:x='u' xmlns:y='v' x:b='' y:b='' b=''/>",
        "<a xmlns='u' xmlns:x='u' x:b='' b=''/>",
        "<a xmlns:x='u' x:x='' x=''/>",
    ]);
}

#[test]
fn prefixes_are_bound() {
    sins(
        XmlError::BadNamespacePrefix,
        "bad-namespace-prefix",
        &[
            "<x:a/>",
            "<a x:b=''/>",
            "<a><b xmlns:x='u'/><x:c/></a>",
            "<a><b xmlns:x='u'></b><c x:d=''/></a>",
            "<xmlns:a/>",
            "<Stream:a/>",
        ],
    );
    good(&[
        "<x:a xmlns:x='u'/>",
        "<a xmlns:x='u'><b><x:c/></b></a>",
        "<a x:b='' xmlns:x='u'/>",
        "<stream:a/>",
        "<a stream:b=''/>",
        "<xml:a/>",
        "<a xml:b=''/>",
    ]);
}

#[test]
fn declarations_follow_the_rules() {
    sins(
        XmlError::InvalidNamespace,
        "not-well-formed",
        &[
            "<a xmlns:x=''/>",
            "<a xmlns:xmlns='u'/>",
            "<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>",
            "<a xmlns:xml='u'/>",
            "<a xmlns:x='http://www.w3.org/XML/1998/namespace'/>",
            "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
            "<a xmlns:x='http://www.w3.org/2000/xmlns/'/>",
            "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
            "<a xmlns='http://www.w3.org/2000/xmlns&#47;'/>",
        ],
    );
    good(&[
        "<a xmlns=''/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:x='u' ><b xmlns:x='v'/></a>",
    ]);
}

#[test]
fn restrictions_of_xmpp() {
    sins(
        XmlError::Restricted,
        "restricted-xml",
        &[
            "<!-- c -->",
            "<a><!-- c --></a>",
            "<?pi?>",
            "<a><?pi ?></a>",
            "<?xml version='1.0'?>",
            "<!DOCTYPE a>",
            "<a><!DOCTYPE a></a>",
            "<!ENTITY a 'b'>",
            "<a>&foo;</a>",
            "<a>&nbsp;</a>",
            "<a>&LT;</a>",
            "<a b='&foo;'/>",
            "<a>&a:b;</a>",
            "<a><![cdata[]]></a>",
        ],
    );
    good(&[
        "<a>&lt;&gt;&amp;&apos;&quot;</a>",
        "<a b='&lt;&gt;&amp;&apos;&quot;'/>",
        "<a><![CDATA[]]></a>",
        "<a><![CDATA[ <b> & ]] > ]]]></a>",
        "<a><![CDATA[]]>></a>",
        "<a>]<![CDATA[]]]]>></a>",
    ]);
}

#[test]
fn utf8() {
    let bad: &[&[u8]] = &[
        b"\x80",
        b"\xBF",
        b"\xC0\x80",
        b"\xC1\xBF",
        b"\xC3",
        b"\xC3\x28",
        b"\xE0\x80\x80",
        b"\xE0\x9F\xBF",
        b"\xE2\x82",
        b"\xE2\x28\xA1",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xF0\x80\x80\x80",
        b"\xF0\x8F\xBF\xBF",
        b"\xF4\x90\x80\x80",
        b"\xF5\x80\x80\x80",
        b"\xFE",
        b"\xFF",
    ];
    assert_eq!(XmlError::BadUtf8.condition(), "unsupported-encoding");
    for bytes in bad {
        let around: [(&[u8], &[u8]); 4] =
            [(b"<a>", b"</a>"), (b"<a b='", b"'/>"), (b"<a><![CDATA[", b"]]></a>"), (b"<a", b"/>")];
        for (before, after) in around {
            assert_eq!(verdict(&[before, *bytes, after].concat()), Err(XmlError::BadUtf8), "{bytes:x?}");
        }
    }
}

#[test]
fn text_between_stanzas() {
    sins(
        XmlError::TextInStream,
        "bad-format",
        &["x", "<a/>x", " \n x", "&amp;", "<![CDATA[x]]>", "<![CDATA[]]>", "\u{FEFF}"],
    );
    good(&["", " ", "\r\n\t ", "<a/> \n<b/> "]);
}

#[test]
fn declaration() {
    let verdict = |declaration: &str| {
        let text = HEADER.replace("<?xml version='1.0'?>", declaration);
        let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        let (seen, verdict) = frames(&[text.as_bytes()]);
        assert_eq!(frames(&single), (seen, verdict), "{declaration}");
        verdict
    };
    for good in [
        "",
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" ?>\n",
        "<?xml version='1.0' encoding='UTF-8'?>",
        "<?xml version='1.0' encoding='utf-8' standalone='yes'?>",
        "<?xml\tversion = '1.0'\nencoding\r=\n\"Utf-8\"  standalone='no' ?> \n",
        "<?xml version='1.0' standalone='yes'?>",
        // Compat: white space that kept the connection alive may still be under way when the stream restarts.
        " <?xml version='1.0'?>",
        "\n",
    ] {
        assert_eq!(verdict(good), Ok(()), "{good}");
    }
    for encoding in ["UTF-16", "ISO-8859-1", "latin1", "utf8"] {
        let declaration = format!("<?xml version='1.0' encoding='{encoding}'?>");
        assert_eq!(verdict(&declaration), Err(XmlError::UnsupportedEncoding), "{encoding}");
    }
    assert_eq!(XmlError::UnsupportedEncoding.condition(), "unsupported-encoding");
    for bad in [
        "<?xml?>",
        "<?xml ?>",
        "<?xml version='1.1'?>",
        "<?xml version='2.0'?>",
        "<?xml encoding='UTF-8'?>",
        "<?xml version='1.0\"?>",
        "<?xml version='1.0'encoding='UTF-8'?>",
        "<?xml version='1.0' encoding=''?>",
        "<?xml version='1.0' encoding='8'?>",
        "<?xml version='1.0' standalone='maybe'?>",
        "<?xml version='1.0' standalone='yes' encoding='UTF-8'?>",
        "<?xml version='1.0' other='1'?>",
        "</stream:stream>",
        "x",
        "\u{FEFF}",
    ] {
        assert_eq!(verdict(bad), Err(XmlError::NotWellFormed), "{bad}");
    }
    let padded = format!("<?xml version='1.0'{}?>", " ".repeat(300));
    assert_eq!(verdict(&padded), Err(XmlError::NotWellFormed));
    for bad in [
        "<?xml-stylesheet?>",
        "<?XML version='1.0'?>",
        "<?xml version='1.0'?><?xml version='1.0'?>",
        "<!-- c -->",
        "<!DOCTYPE a>",
    ] {
        assert_eq!(verdict(bad), Err(XmlError::Restricted), "{bad}");
    }
}

#[test]
fn utf16() {
    assert_eq!(frames(&[b"\xFF\xFE<\0"]).1, Err(XmlError::UnsupportedEncoding));
    assert_eq!(frames(&[b"\xFE\xFF\0<"]).1, Err(XmlError::UnsupportedEncoding));
}
