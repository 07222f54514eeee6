//! Proves JIDs against the tables of RFC 7622 section 3.5, the examples of RFC 8265, and texts that are none.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::{Jid, JidError};

fn text(input: &str) -> String {
    Jid::parse(input).unwrap_or_else(|error| panic!("{input:?}: {error:?}")).as_str().to_owned()
}

/// RFC 7622 section 3.5, table 1.
#[test]
fn the_examples_are_jids() {
    let examples = [
        ("juliet@example.com", "juliet@example.com"),
        ("juliet@example.com/foo", "juliet@example.com/foo"),
        ("juliet@example.com/foo bar", "juliet@example.com/foo bar"),
        ("juliet@example.com/foo@bar", "juliet@example.com/foo@bar"),
        (r"foo\20bar@example.com", r"foo\20bar@example.com"),
        ("fussball@example.com", "fussball@example.com"),
        ("fu\u{DF}ball@example.com", "fu\u{DF}ball@example.com"),
        ("\u{3C0}@example.com", "\u{3C0}@example.com"),
        ("\u{3A3}@example.com/foo", "\u{3C3}@example.com/foo"),
        ("\u{3C3}@example.com/foo", "\u{3C3}@example.com/foo"),
        ("\u{3C2}@example.com/foo", "\u{3C2}@example.com/foo"),
        ("king@example.com/\u{265A}", "king@example.com/\u{265A}"),
        ("example.com", "example.com"),
        ("example.com/foobar", "example.com/foobar"),
        ("a.example.com/b@example.net", "a.example.com/b@example.net"),
    ];
    for (input, prepared) in examples {
        assert_eq!(text(input), prepared);
    }
    assert_ne!(Jid::parse("fussball@example.com").unwrap(), Jid::parse("fu\u{DF}ball@example.com").unwrap());
}

/// RFC 7622 section 3.5, table 2, but for number 18, which no rule of the RFC forbids.
#[test]
fn the_counterexamples_are_none() {
    let examples = [
        ("\"juliet\"@example.com", JidError::LocalForbidden),
        ("foo bar@example.com", JidError::LocalForbidden),
        ("@example.com/", JidError::LocalEmpty),
        ("henry\u{2163}@example.com", JidError::LocalForbidden),
        ("\u{265A}@example.com", JidError::LocalForbidden),
        ("juliet@", JidError::DomainEmpty),
        ("/foobar", JidError::DomainEmpty),
    ];
    for (input, error) in examples {
        assert_eq!(Jid::parse(input), Err(error), "{input:?}");
    }
    assert_eq!(Jid::parse("juliet@example.com/ foo").unwrap().resource(), Some(" foo"));
}

#[test]
fn parts_are_found_by_the_first_slash_and_then_the_first_at() {
    let jid = Jid::parse("romeo@example.net/a@b/c").unwrap();
    assert_eq!((jid.local(), jid.domain(), jid.resource()), (Some("romeo"), "example.net", Some("a@b/c")));
    assert_eq!(jid.bare_str(), "romeo@example.net");
    let jid = Jid::parse("example.net/a@b").unwrap();
    assert_eq!((jid.local(), jid.domain(), jid.resource()), (None, "example.net", Some("a@b")));
    let jid = Jid::parse("example.net").unwrap();
    assert_eq!((jid.local(), jid.domain(), jid.resource()), (None, "example.net", None));
}

#[test]
fn case_is_folded_but_in_the_resource() {
    assert_eq!(text("Juliet@Example.COM/Balcony"), "juliet@example.com/Balcony");
    assert_eq!(text("\u{C9}LO\u{CF}SE@example.com"), "\u{E9}lo\u{EF}se@example.com");
    // Cherokee got its lower case in Unicode 8, after the tables of `precis-core`.
    assert_eq!(text("\u{13A0}@example.com"), "\u{AB70}@example.com");
}

#[test]
fn domains_are_names_or_addresses() {
    let examples = [
        ("example.com.", "example.com"),
        ("a@example.com./r", "a@example.com/r"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("a@[2001:DB8:0:0:0:0:0:1]/r", "a@[2001:db8::1]/r"),
        ("xn--bcher-kva.example", "b\u{FC}cher.example"),
        ("XN--BCHER-KVA.example", "b\u{FC}cher.example"),
        ("B\u{DC}CHER.example", "b\u{FC}cher.example"),
        ("fa\u{DF}.example", "fa\u{DF}.example"),
        ("\u{4F8B}\u{3048}\u{3002}\u{30C6}\u{30B9}\u{30C8}\u{3002}", "\u{4F8B}\u{3048}.\u{30C6}\u{30B9}\u{30C8}"),
        ("\u{FF25}xample.com", "example.com"),
        ("l\u{B7}l.example", "l\u{B7}l.example"),
    ];
    for (input, prepared) in examples {
        assert_eq!(text(input), prepared);
    }
}

#[test]
fn bad_domains() {
    let examples = [
        ("", JidError::DomainEmpty),
        (".", JidError::DomainEmpty),
        ("\u{3002}", JidError::DomainEmpty),
        ("a@/r", JidError::DomainEmpty),
        ("example..com", JidError::DomainForbidden),
        (".example.com", JidError::DomainForbidden),
        ("example.com..", JidError::DomainForbidden),
        ("example.com\u{3002}.", JidError::DomainForbidden),
        ("\u{FC}..example", JidError::DomainForbidden),
        ("-a.example", JidError::DomainForbidden),
        ("a-.example", JidError::DomainForbidden),
        ("ab--c.example", JidError::DomainForbidden),
        ("a_b.example", JidError::DomainForbidden),
        ("a b.example", JidError::DomainForbidden),
        ("a\0b.example", JidError::DomainForbidden),
        ("a@b@example.com", JidError::DomainForbidden),
        ("xn--a.example", JidError::DomainForbidden),
        ("xn--\u{FC}.example", JidError::DomainForbidden),
        ("\u{2615}.example", JidError::DomainForbidden),
        ("a\u{B7}l.example", JidError::DomainForbidden),
        // Its mapping has a slash, which must not become one.
        ("\u{2100}.example", JidError::DomainForbidden),
        ("\u{5D0}a.example", JidError::DomainForbidden),
        ("[::1", JidError::DomainForbidden),
        ("[::1].", JidError::DomainForbidden),
        ("[fe80::1%eth0]", JidError::DomainForbidden),
        ("[127.0.0.1]", JidError::DomainForbidden),
        ("[]", JidError::DomainForbidden),
    ];
    for (input, error) in examples {
        assert_eq!(Jid::parse(input), Err(error), "{input:?}");
    }
}

#[test]
fn bad_localparts() {
    for c in "\"&':<> \t\0\u{7F}".chars() {
        assert_eq!(Jid::parse(&format!("a{c}b@example.com")), Err(JidError::LocalForbidden), "{c:?}");
    }
    for (full, plain) in [('\u{FF02}', '"'), ('\u{FF20}', '@'), ('\u{FF0F}', '/'), ('\u{FF1C}', '<')] {
        let local = format!("a{full}b");
        assert_eq!(
            Jid::parse(&format!("{local}@example.com")),
            Err(JidError::LocalForbidden),
            "{full} becomes {plain}"
        );
    }
    for local in
        ["\u{5D0}a", "a\u{AD}b", "a\u{A0}b", "a\u{200B}b", "\u{E000}", "a\u{200D}b", "\u{1F600}", "\u{FFFF}", "\u{378}"]
    {
        assert_eq!(Jid::parse(&format!("{local}@example.com")), Err(JidError::LocalForbidden), "{local:?}");
    }
    assert_eq!(text("\u{FF21}\u{FF22}@example.com"), "ab@example.com");
    assert_eq!(text("e\u{301}@example.com"), "\u{E9}@example.com");
}

/// RFC 8265 section 4.3, as far as a resource can show it, and characters newer than the library's tables.
#[test]
fn resources_are_opaque_strings() {
    let examples = [
        ("correct horse battery staple", "correct horse battery staple"),
        ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
        ("\u{3C0}\u{DF}\u{E5}", "\u{3C0}\u{DF}\u{E5}"),
        ("Jack of \u{2666}s", "Jack of \u{2666}s"),
        ("foo\u{1680}bar", "foo bar"),
        ("A\u{30A}", "\u{C5}"),
        ("\u{1F916} \u{1FAE0}", "\u{1F916} \u{1FAE0}"),
        ("\u{30E9}\u{30FB}\u{30FB}", "\u{30E9}\u{30FB}\u{30FB}"),
        ("\u{5E9}\u{5F3}\u{5F4}", "\u{5E9}\u{5F3}\u{5F4}"),
        ("\u{915}\u{94D}\u{200D}\u{937}", "\u{915}\u{94D}\u{200D}\u{937}"),
        ("\u{628}\u{200C}\u{628}\u{200C}\u{628}", "\u{628}\u{200C}\u{628}\u{200C}\u{628}"),
        ("\u{375}\u{375}\u{3B1}", "\u{375}\u{375}\u{3B1}"),
    ];
    for (input, prepared) in examples {
        assert_eq!(text(&format!("a@example.com/{input}")), format!("a@example.com/{prepared}"));
    }
    let bad = [
        "my cat is a \u{9}by",
        "\u{7F}",
        "a\nb",
        "\u{85}",
        "\u{FEFF}",
        "\u{202E}",
        "\u{2066}",
        "\u{180F}",
        "\u{FE0F}",
        "\u{E0001}",
        "\u{1100}",
        "\u{30FB}",
        "\u{200D}",
        "\u{94D}\u{200D}\u{200D}",
        "\u{5F3}",
        "a\u{5F3}",
        "\u{375}",
        "\u{375}a",
        "\u{660}\u{6F0}",
        "\u{628}\u{200C}\u{200C}\u{628}",
        "\u{10FFFE}",
        "\u{F0000}",
        "\u{378}",
    ];
    for resource in bad {
        assert_eq!(Jid::parse(&format!("example.com/{resource}")), Err(JidError::ResourceForbidden), "{resource:?}");
    }
    assert_eq!(Jid::parse("a@example.com/"), Err(JidError::ResourceEmpty));
}

#[test]
fn parts_have_1023_bytes_at_most_after_preparing() {
    let long = "a".repeat(1023);
    assert_eq!(text(&format!("{long}@example.com/{long}")).len(), 1023 + 13 + 1023);
    assert_eq!(Jid::parse(&format!("{long}a@example.com")), Err(JidError::LocalTooLong));
    assert_eq!(Jid::parse(&format!("example.com/{long}a")), Err(JidError::ResourceTooLong));
    assert_eq!(Jid::parse(&format!("{}@example.com", "\u{E9}".repeat(512))), Err(JidError::LocalTooLong));
    assert_eq!(Jid::parse(&format!("example.com/{}", "\u{E9}".repeat(512))), Err(JidError::ResourceTooLong));
    // 3,069 bytes that become 1,023.
    assert_eq!(text(&format!("{}@example.com", "\u{FF41}".repeat(1023))), format!("{long}@example.com"));
    assert_eq!(Jid::parse(&format!("{}@example.com", "\u{FF41}".repeat(1024))), Err(JidError::LocalTooLong));

    let label = "a".repeat(63);
    let domain = [&label[..], &label, &label, &label[..61]].join(".");
    assert_eq!(text(&domain).len(), 253);
    assert_eq!(Jid::parse(&format!("{domain}a")), Err(JidError::DomainTooLong));
    assert_eq!(Jid::parse(&format!("{label}a")), Err(JidError::DomainTooLong));
    assert_eq!(Jid::parse(&"\u{FC}".repeat(64)), Err(JidError::DomainTooLong));
    assert_eq!(Jid::parse(&"\u{FC}".repeat(5000)), Err(JidError::DomainTooLong));
    let all = format!("{long}@{domain}/{long}");
    let jid = Jid::parse(&all).unwrap();
    assert_eq!((jid.local(), jid.domain(), jid.resource()), (Some(&*long), &*domain, Some(&*long)));
}

#[test]
fn from_parts_prepares_like_parse() {
    let jid = Jid::from_parts(Some("Juliet"), "Example.com.", Some("Balcony")).unwrap();
    assert_eq!(jid, Jid::parse("juliet@example.com/Balcony").unwrap());
    assert_eq!(Jid::from_parts(None, "[::1]", None).unwrap(), Jid::parse("[::1]").unwrap());
    assert_eq!(Jid::from_parts(Some("a@b"), "example.com", None), Err(JidError::LocalForbidden));
    assert_eq!(Jid::from_parts(Some("a/b"), "example.com", None), Err(JidError::LocalForbidden));
    assert_eq!(Jid::from_parts(Some(""), "example.com", None), Err(JidError::LocalEmpty));
    assert_eq!(Jid::from_parts(None, "a@example.com", None), Err(JidError::DomainForbidden));
    assert_eq!(Jid::from_parts(None, "example.com/r", None), Err(JidError::DomainForbidden));
    assert_eq!(Jid::from_parts(None, "example.com", Some("")), Err(JidError::ResourceEmpty));
}

#[test]
fn an_address_gives_its_smaller_addresses() {
    let full = Jid::parse("juliet@example.com/balcony").unwrap();
    let bare = Jid::parse("juliet@example.com").unwrap();
    let domain = Jid::parse("example.com").unwrap();
    assert_eq!(full.to_bare(), bare);
    assert_eq!(full.domain_jid(), domain);
    assert_eq!(bare.domain_jid(), domain);
    assert_eq!(Jid::parse("example.com/r").unwrap().domain_jid(), domain);
    assert_eq!(domain.domain_jid(), domain);
    assert_eq!(bare.with_resource("balcony").unwrap(), full);
    assert_eq!(full.with_resource("\u{1680}").unwrap().resource(), Some(" "));
    assert_eq!(full.with_resource(""), Err(JidError::ResourceEmpty));
    assert!(full.same_bare(&bare) && !bare.same_bare(&domain));
    assert!(bare.is_bare() && domain.is_bare() && !full.is_bare());
    assert!(domain.is_domain() && !bare.is_domain() && !Jid::parse("example.com/r").unwrap().is_domain());
}

/// Every code point in each part, but for those planes that are all ideographs or nothing: what is taken is taken again as it is.
#[test]
fn preparing_twice_changes_nothing() {
    let points = ('\0'..='\u{1FFFF}').chain('\u{2F800}'..='\u{2FA1F}').chain('\u{E0000}'..='\u{E01EF}');
    for c in points {
        for input in [format!("a{c}1@example.com"), format!("a{c}1.example"), format!("example.com/a{c}1")] {
            if let Ok(jid) = Jid::parse(&input) {
                assert_eq!(Jid::parse(jid.as_str()).as_ref(), Ok(&jid), "{input:?}");
            }
        }
    }
}
