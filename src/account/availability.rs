//! What presence tells the server about a resource (RFC 6121 section 4.7.2): priority, show, status.

use memchr::memmem;

use crate::ns;
use crate::xml::{Child, Element, children};

/// What a resource said of itself. The rest of its presence is not the server's business.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Availability {
    /// 0 if it said nothing (section 4.7.2.3). A resource with a negative one gets no messages for the bare JID.
    pub priority: i8,
    /// How available.
    pub show: Show,
    /// Words for people: the status without a language of its own, else the first; none if empty.
    pub status: Option<Box<str>>,
}

/// Section 4.7.2.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Show {
    /// No `show`, or one that no standard knows.
    #[default]
    Available,
    /// Away for a short while.
    Away,
    /// Eager to talk.
    Chat,
    /// Busy.
    Dnd,
    /// Away for long.
    Xa,
}

/// A priority that is no integer from -128 to 127, or two of them (section 4.7.2.3): answer `bad-request`, type `modify`. To
/// guess one would send messages where the user may not want them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadPriority;

impl Availability {
    /// Reads the payload of a presence stanza. Costs nothing but a search where there is none of the three, as in presence
    /// that has entity capabilities alone.
    ///
    /// # Errors
    /// See [`BadPriority`].
    pub fn parse(payload: &[u8]) -> Result<Self, BadPriority> {
        let mut found = Self::default();
        // Names are written plainly or not at all: XML has no escape for them.
        if ["priority", "show", "status"].iter().all(|name| memmem::find(payload, name.as_bytes()).is_none()) {
            return Ok(found);
        }
        let mut priority = None;
        let mut status_has_lang = false;
        for child in children(payload, ns::CLIENT).filter(|child| child.ns == ns::CLIENT) {
            match child.name {
                "priority" => {
                    let value = text(&child).and_then(|text| parse_priority(&text)).ok_or(BadPriority)?;
                    if priority.replace(value).is_some() {
                        return Err(BadPriority);
                    }
                }
                "show" => found.show = text(&child).map_or(Show::Available, |text| parse_show(&text)),
                "status" => {
                    let has_lang = child.attribute("xml:lang").is_some();
                    if found.status.is_none() || (status_has_lang && !has_lang) {
                        found.status = text(&child).filter(|text| !text.is_empty());
                        status_has_lang = has_lang;
                    }
                }
                _ => {}
            }
        }
        found.priority = priority.unwrap_or_default();
        Ok(found)
    }
}

fn text(child: &Child<'_>) -> Option<Box<str>> {
    Element::parse(child.bytes, ns::CLIENT).ok().map(|element| element.text().into())
}

/// The schema's `xs:byte`: white space around it and a plus sign are allowed.
fn parse_priority(text: &str) -> Option<i8> {
    text.trim_matches([' ', '\t', '\r', '\n']).parse().ok()
}

fn parse_show(text: &str) -> Show {
    match text {
        "away" => Show::Away,
        "chat" => Show::Chat,
        "dnd" => Show::Dnd,
        "xa" => Show::Xa,
        _ => Show::Available,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]

    use super::{Availability, BadPriority, Show};

    fn parse(payload: &str) -> Result<Availability, BadPriority> {
        Availability::parse(payload.as_bytes())
    }

    /// The example of section 4.7.2.3.
    #[test]
    fn all_three() {
        let payload = "<show>dnd</show><status>Wooing Juliet</status>\
            <status xml:lang='cs'>Dvo&#x0159;&#x00ED;m se Julii</status><priority>1</priority>";
        let expected = Availability { priority: 1, show: Show::Dnd, status: Some("Wooing Juliet".into()) };
        assert_eq!(parse(payload), Ok(expected));
    }

    #[test]
    fn nothing_said() {
        assert_eq!(parse(""), Ok(Availability::default()));
        // The example of section 4.7.3.
        let caps = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://psi-im.org' \
            ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>";
        assert_eq!(parse(caps), Ok(Availability::default()));
        assert_eq!(parse("<show/><status/>"), Ok(Availability::default()));
    }

    #[test]
    fn priorities() {
        for (text, expected) in [
            ("-128", Ok(-128)),
            ("127", Ok(127)),
            ("0", Ok(0)),
            ("+5", Ok(5)),
            ("\n 7 ", Ok(7)),
            ("128", Err(BadPriority)),
            ("-129", Err(BadPriority)),
            ("high", Err(BadPriority)),
            ("1.5", Err(BadPriority)),
            ("", Err(BadPriority)),
        ] {
            let got = parse(&format!("<priority>{text}</priority>")).map(|found| found.priority);
            assert_eq!(got, expected, "{text:?}");
        }
        assert_eq!(parse("<priority>1</priority><priority>1</priority>"), Err(BadPriority));
    }

    #[test]
    fn shows() {
        for (text, expected) in [
            ("away", Show::Away),
            ("chat", Show::Chat),
            ("dnd", Show::Dnd),
            ("xa", Show::Xa),
            ("invisible", Show::Available),
        ] {
            assert_eq!(parse(&format!("<show>{text}</show>")).unwrap().show, expected);
        }
    }

    #[test]
    fn the_status_in_the_stanzas_own_language_comes_first() {
        let found = parse("<status xml:lang='cs'>pryč</status><status>gone &amp; <![CDATA[far]]></status>").unwrap();
        assert_eq!(found.status.as_deref(), Some("gone & far"));
        let found = parse("<status xml:lang='cs'>pryč</status><status xml:lang='de'>weg</status>").unwrap();
        assert_eq!(found.status.as_deref(), Some("pryč"));
    }

    #[test]
    fn other_namespaces_say_nothing() {
        let payload = "<priority xmlns='urn:example'>high</priority><x xmlns='urn:example'><priority>9</priority></x>";
        assert_eq!(parse(payload), Ok(Availability::default()));
    }
}
