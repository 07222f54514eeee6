//! The driver sees what it is there to see: each wrong that a server could do is one that a client takes offence at.

use std::fmt::Write as _;

use wattle::ns;
use wattle::xml::Element;

use super::archive::{After, Archive, Reach};
use super::field::Known;
use super::refusals::{Findings, Numbers, faults};
use super::session::Session;

const MINE: &str = "me@example.com";
const PARTNERS: &str = "you@example.com";
const REACH: Reach = Reach { own: 3, partners: 2, exactly: true };
/// What the archive holds: whose, number, and stanza id.
const WHOLE: [(&str, u32, &str); 5] =
    [(MINE, 0, "a"), (PARTNERS, 0, "b"), (MINE, 1, "c"), (MINE, 2, "d"), (PARTNERS, 1, "e")];

fn read(text: &str) -> Element {
    Element::parse(text.as_bytes(), ns::CLIENT).unwrap()
}

fn message(from: &str, number: u32, id: &str) -> Element {
    read(&format!(
        "<message from='{from}/crash' type='chat' id='more-{number}'><body>{number}</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{MINE}' id='{id}'/></message>"
    ))
}

fn session(refusing: bool) -> Session {
    Session::new(MINE, PARTNERS, "stream", refusing)
}

fn hear(session: &mut Session, number: u32, id: &str) -> Result<(), String> {
    session.count();
    session.hear(&message(PARTNERS, number, id), &Known::default())
}

/// Looks at an archive with pages of two; the last page says that it is the last.
fn look(entries: &[(&str, u32, &str)], refusing: bool) -> Result<Archive, String> {
    let mut session = session(refusing);
    hear(&mut session, 0, "b")?;
    hear(&mut session, 1, "e")?;
    let mut archive = Archive::default();
    archive.look(REACH);
    let mut pages = entries.chunks(2).enumerate().peekable();
    while let Some((page, entries)) = pages.next() {
        let name = format!("page-{}", page + 1);
        for (from, number, id) in entries {
            let result = format!(
                "<message><result xmlns='urn:xmpp:mam:2' queryid='{name}' id='{id}'><forwarded xmlns='urn:xmpp:forward:0'>\
                 <message xmlns='jabber:client' from='{from}' id='more-{number}'><body>{number}</body></message>\
                 </forwarded></result></message>"
            );
            assert!(archive.take(&read(&result), &session)?);
        }
        let complete = if pages.peek().is_none() { " complete='true'" } else { "" };
        let mut end = format!("<iq type='result' id='{name}'><fin xmlns='urn:xmpp:mam:2'{complete}>");
        let last = entries.last().unwrap().2;
        write!(end, "<set xmlns='http://jabber.org/protocol/rsm'><last>{last}</last></set></fin></iq>").unwrap();
        match archive.end(&read(&end), &session)? {
            After::Page(question) => assert!(question.contains(&format!("<after>{last}</after>")), "{question}"),
            After::Seen(_) => return Ok(archive),
            After::Nothing => panic!("the page was not known"),
        }
    }
    panic!("the look does not end");
}

#[test]
fn an_archive_is_seen_whole() {
    assert!(look(&WHOLE, false).is_ok());
    for (place, entry) in WHOLE.into_iter().enumerate() {
        let mut entries = WHOLE.to_vec();
        entries.remove(place);
        assert!(look(&entries, false).is_err(), "without {entry:?}");
        let mut entries = WHOLE.to_vec();
        entries.insert(place, entry);
        assert!(look(&entries, false).is_err(), "{entry:?} twice");
        let mut entries = WHOLE.to_vec();
        entries.push((entry.0, entry.1, "z"));
        assert!(look(&entries, false).is_err(), "{entry:?} again under another id");
    }
    for (place, wrong) in
        [(2, (MINE, 2, "c")), (1, (PARTNERS, 0, "x")), (4, ("stranger@example.com", 1, "e")), (3, (PARTNERS, 1, "e"))]
    {
        let mut entries = WHOLE.to_vec();
        entries[place] = wrong;
        assert!(look(&entries, false).is_err(), "{wrong:?} at {place}");
    }
    let beyond = [&WHOLE[..], &[(MINE, 3, "f")]].concat();
    assert!(look(&beyond, false).is_err(), "one that was not said");
}

#[test]
fn what_an_archive_lacks_is_told() {
    let archive = look(&WHOLE[1..4], true).unwrap();
    assert_eq!((archive.own_lacking, archive.partners_lacking), (Numbers::from([0]), Numbers::from([1])));
}

#[test]
fn numbers_are_heard_in_a_row() {
    let mut session = session(false);
    hear(&mut session, 0, "a").unwrap();
    session.tell(&mut String::new());
    hear(&mut session, 1, "b").unwrap();
    assert!(hear(&mut session, 1, "b").is_err());
    assert!(hear(&mut session, 3, "d").is_err());
    assert_eq!(session.forget(), 1);
    assert!(hear(&mut session, 0, "a").is_err(), "it was told that this was heard");
    assert!(hear(&mut session, 1, "c").is_err(), "it had another stanza id");
    hear(&mut session, 1, "b").unwrap();
    hear(&mut session, 2, "c").unwrap();
}

#[test]
fn acknowledgements_grow_and_stay_below_what_was_sent() {
    let mut session = session(false);
    let mut out = String::new();
    session.send("<presence/>", &mut out);
    session.say(false, &mut out);
    session.say(false, &mut out);
    let a = |handled: u32| read(&format!("<a xmlns='urn:xmpp:sm:3' h='{handled}'/>"));
    assert!(session.acknowledge(&a(4)).is_err());
    session.acknowledge(&a(2)).unwrap();
    assert_eq!((session.acknowledged_messages(), session.owed()), (1, 1));
    assert!(session.acknowledge(&a(1)).is_err());
    let resumed = |h: u32, previd: &str| read(&format!("<resumed xmlns='urn:xmpp:sm:3' h='{h}' previd='{previd}'/>"));
    out.clear();
    assert!(session.resumed(&resumed(1, "stream"), &mut out).is_err(), "it had acknowledged more");
    assert!(session.resumed(&resumed(2, "other"), &mut out).is_err());
    assert_eq!(session.resumed(&resumed(2, "stream"), &mut out), Ok((1, 2)));
    assert!(out.contains("more-1") && !out.contains("more-0"), "{out}");
}

#[test]
fn only_what_was_refused_may_be_missing() {
    let numbers = |numbers: &[u32]| numbers.iter().copied().collect::<Numbers>();
    let sender = Findings { refused: numbers(&[1, 2]), own_lacking: numbers(&[1]), ..Findings::default() };
    let recipient = Findings { unheard: numbers(&[1, 2]), partners_lacking: numbers(&[1]), ..Findings::default() };
    let count = |sender: &Findings, recipient: &Findings| faults(&[sender.clone(), recipient.clone()]).len();
    assert_eq!(count(&sender, &recipient), 0);
    assert_eq!(count(&sender, &Findings { unheard: numbers(&[3]), ..recipient.clone() }), 1);
    assert_eq!(count(&sender, &Findings { partners_lacking: numbers(&[1, 2]), ..recipient.clone() }), 1);
    assert_eq!(count(&Findings { own_lacking: numbers(&[1, 3]), ..sender.clone() }, &recipient), 2);
}

#[test]
fn an_error_refuses_where_that_may_be() {
    let error = |condition: &str| {
        let condition = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
        read(&format!("<message type='error' id='last-0'><error type='wait'>{condition}</error></message>"))
    };
    let mut session = session(true);
    session.say(true, &mut String::new());
    assert_eq!(session.is_refused(&error("service-unavailable")), Ok(false));
    assert!(session.has_said_last());
    assert_eq!(session.is_refused(&error("internal-server-error")), Ok(true));
    assert!(!session.has_said_last(), "nobody has heard it");
    assert_eq!(self::session(false).is_refused(&error("internal-server-error")), Ok(false));
}
