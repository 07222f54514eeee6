//! RFC 6121 section 2: the roster's examples, errors and versions.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use super::{Roster, RosterAnswer, RosterChange, RosterFull, SetError, parse_set, push, push_removed};
use crate::account::subscription::State;
use crate::jid::Jid;
use crate::limits;
use crate::store::{RosterItem, Subscription};
use crate::xml::Element;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn item(contact: &str, version: u64) -> RosterItem {
    RosterItem {
        jid: jid(contact),
        name: None,
        subscription: Subscription::None,
        ask: false,
        approved: false,
        groups: Vec::new(),
        version,
    }
}

fn set(content: &str) -> Result<RosterChange, SetError> {
    let query = format!("<query xmlns='jabber:iq:roster'>{content}</query>");
    parse_set(&Element::parse(query.as_bytes(), "jabber:client").unwrap(), &jid("juliet@example.com"))
}

fn text(payload: Vec<u8>) -> String {
    String::from_utf8(payload).unwrap()
}

fn full(answer: RosterAnswer<'_>) -> Option<String> {
    match answer {
        RosterAnswer::Full(payload) => Some(text(payload)),
        RosterAnswer::Nothing | RosterAnswer::Changes(_) => None,
    }
}

/// Section 2.1.4.
#[test]
fn the_whole_roster() {
    let romeo = RosterItem {
        name: Some("Romeo".into()),
        subscription: Subscription::Both,
        groups: vec!["Friends".into(), "R & J".into()],
        ..item("romeo@example.net", 3)
    };
    let mercutio = RosterItem { name: Some("Mercutio's".into()), ask: true, ..item("mercutio@example.com", 9) };
    let benvolio = RosterItem { subscription: Subscription::To, approved: true, ..item("benvolio@example.net", 11) };
    let roster = Roster::from_record(vec![romeo, mercutio, benvolio], 11, 0);
    assert_eq!(
        text(roster.full()),
        "<query xmlns='jabber:iq:roster' ver='11'>\
         <item jid='benvolio@example.net' subscription='to' approved='true'/>\
         <item jid='mercutio@example.com' name='Mercutio&apos;s' subscription='none' ask='subscribe'/>\
         <item jid='romeo@example.net' name='Romeo' subscription='both'>\
         <group>Friends</group><group>R &amp; J</group></item>\
         </query>"
    );
    assert_eq!(text(Roster::default().full()), "<query xmlns='jabber:iq:roster' ver='0'></query>");
}

/// Sections 2.3.1 and 2.3.2.
#[test]
fn adding_an_item() {
    let change = set("<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>").unwrap();
    let RosterChange::Set { contact, name, groups } = change else { panic!("{change:?}") };
    let mut roster = Roster::default();
    let added = roster.set(&contact, name, groups, limits::ROSTER_ITEMS, 13).unwrap();
    assert_eq!(
        text(push(added)),
        "<query xmlns='jabber:iq:roster' ver='13'>\
         <item jid='nurse@example.com' name='Nurse' subscription='none'><group>Servants</group></item></query>"
    );
    assert_eq!(roster.version(), 13);
}

/// Section 2.4.1: an update replaces name and groups whole, an empty name is no name, and subscriptions stay.
#[test]
fn updating_an_item() {
    let mut roster = Roster::default();
    let state = State { subscription: Subscription::From, ask: true, ..State::default() };
    roster.set_state(&jid("romeo@example.net"), state, limits::ROSTER_ITEMS, 1).unwrap();
    for (given, name, groups) in [
        (
            "<item jid='romeo@example.net' name='Romeo'><group>Friends</group><group>Lovers</group></item>",
            Some("Romeo"),
            2,
        ),
        ("<item jid='romeo@example.net' name='Romeo'><group>Lovers</group></item>", Some("Romeo"), 1),
        ("<item jid='romeo@example.net' name='MyRomeo' subscription='both' approved='true'/>", Some("MyRomeo"), 0),
        ("<item jid='romeo@example.net' name=''/>", None, 0),
    ] {
        let Ok(RosterChange::Set { contact, name: new_name, groups: new_groups }) = set(given) else {
            panic!("{given}")
        };
        let item = roster.set(&contact, new_name, new_groups, limits::ROSTER_ITEMS, 1).unwrap();
        assert_eq!((item.name.as_deref(), item.groups.len()), (name, groups), "{given}");
        assert_eq!((item.subscription, item.ask, item.approved), (Subscription::From, true, false), "{given}");
    }
    assert_eq!(roster.items().len(), 1);
    assert_eq!(roster.version(), 5);
}

/// Sections 2.5.1 and 2.5.2.
#[test]
fn deleting_an_item() {
    let change = set("<item jid='nurse@example.com' subscription='remove'/>").unwrap();
    assert_eq!(change, RosterChange::Remove { contact: jid("nurse@example.com") });
    let mut roster = Roster::from_record(vec![item("nurse@example.com", 4)], 4, 0);
    let (gone, version) = roster.remove("nurse@example.com", 7).unwrap();
    assert_eq!(gone, item("nurse@example.com", 4));
    assert_eq!((version, roster.version(), roster.removed_version()), (7, 7, 7));
    assert_eq!(
        text(push_removed(gone.jid.as_str(), version)),
        "<query xmlns='jabber:iq:roster' ver='7'><item jid='nurse@example.com' subscription='remove'/></query>"
    );
    // Section 2.5.3: the caller answers `item-not-found`.
    assert_eq!(roster.remove("nurse@example.com", 8), None);
    assert_eq!(roster.version(), 7);
}

/// Sections 2.3.3 and 2.4.3.
#[test]
fn refused_sets() {
    let long = "x".repeat(limits::ROSTER_TEXT_BYTES + 1);
    let many: String = (0..=limits::ROSTER_GROUPS).map(|n| format!("<group>{n}</group>")).collect();
    for (content, expected) in [
        ("<item jid='nurse@example.com'/><item jid='mother@example.com'/>".to_owned(), SetError::BadRequest),
        (String::new(), SetError::BadRequest),
        ("<item name='Nurse'/>".to_owned(), SetError::BadRequest),
        ("<item jid=''/>".to_owned(), SetError::BadRequest),
        ("<item xmlns='urn:example' jid='nurse@example.com'/>".to_owned(), SetError::BadRequest),
        (
            "<item jid='nurse@example.com'><group>Servants</group><group>Servants</group></item>".to_owned(),
            SetError::BadRequest,
        ),
        ("<item jid='nurse@example.com'><group></group></item>".to_owned(), SetError::NotAcceptable),
        (format!("<item jid='nurse@example.com' name='{long}'/>"), SetError::NotAcceptable),
        (format!("<item jid='nurse@example.com'><group>{long}</group></item>"), SetError::NotAcceptable),
        (format!("<item jid='nurse@example.com'>{many}</item>"), SetError::NotAcceptable),
        ("<item jid='juliet@example.com'/>".to_owned(), SetError::NotAllowed),
        ("<item jid='juliet@example.com/balcony'/>".to_owned(), SetError::NotAllowed),
    ] {
        assert_eq!(set(&content), Err(expected), "{content}");
    }
}

/// The longest that is allowed is allowed.
#[test]
fn bounds_are_inclusive() {
    let long = "x".repeat(limits::ROSTER_TEXT_BYTES);
    let many: String = (0..limits::ROSTER_GROUPS).map(|n| format!("<group>{n}</group>")).collect();
    assert!(set(&format!("<item jid='nurse@example.com' name='{long}'>{many}</item>")).is_ok());
}

#[test]
fn a_full_roster_takes_no_more_but_still_changes() {
    let items = (0..limits::ROSTER_ITEMS).map(|n| item(&format!("u{n}@example.com"), 1)).collect();
    let mut roster = Roster::from_record(items, 1, 0);
    assert_eq!(roster.set(&jid("one@more.example"), None, Vec::new(), limits::ROSTER_ITEMS, 2), Err(RosterFull));
    assert_eq!(roster.set_state(&jid("one@more.example"), State::default(), limits::ROSTER_ITEMS, 2), Err(RosterFull));
    assert_eq!(SetError::from(RosterFull), SetError::NotAllowed);
    assert_eq!(roster.version(), 1);
    assert!(roster.set(&jid("u7@example.com"), Some("Seven".into()), Vec::new(), limits::ROSTER_ITEMS, 2).is_ok());
}

#[test]
fn lookup_is_exact() {
    let roster = Roster::from_record(
        ["c@example.com", "a@example.com", "a@example.com/x", "b@example.com"].map(|text| item(text, 1)).into(),
        1,
        0,
    );
    for contact in ["a@example.com", "a@example.com/x", "b@example.com", "c@example.com"] {
        assert_eq!(roster.get(contact).map(|found| found.jid.as_str()), Some(contact));
    }
    assert_eq!(roster.get("d@example.com"), None);
    assert_eq!(roster.get(jid("b@example.com/y").bare_str()).map(|found| found.jid.as_str()), Some("b@example.com"));
}

#[test]
fn who_sees_whom() {
    let with = |contact, subscription| RosterItem { subscription, ..item(contact, 1) };
    let roster = Roster::from_record(
        vec![
            with("both@example.com", Subscription::Both),
            with("from@example.com", Subscription::From),
            with("none@example.com", Subscription::None),
            with("to@example.com", Subscription::To),
        ],
        1,
        0,
    );
    assert!(roster.subscribers().map(Jid::as_str).eq(["both@example.com", "from@example.com"]));
    assert!(roster.subscriptions().map(Jid::as_str).eq(["both@example.com", "to@example.com"]));
}

/// Section 2.6.2: without `ver`, and with the empty one that asks for a start.
#[test]
fn no_version_gets_the_whole_roster() {
    let roster = Roster::from_record(vec![item("a@example.com", 5)], 5, 0);
    let whole = text(roster.full());
    for version in [None, Some("")] {
        assert_eq!(full(roster.answer(version)).as_ref(), Some(&whole), "{version:?}");
    }
}

/// Section 2.6.3: interim pushes in the order of modification, the last state of each item once.
#[test]
fn an_old_version_gets_what_changed_since() {
    let mut roster = Roster::from_record(
        ["a", "b", "c", "d", "e"].map(|name| item(&format!("{name}@example.com"), 14)).into(),
        14,
        0,
    );
    assert_eq!(roster.answer(Some("14")), RosterAnswer::Nothing);
    roster.set(&jid("b@example.com"), Some("Bill".into()), Vec::new(), limits::ROSTER_ITEMS, 34).unwrap();
    roster.set(&jid("a@example.com"), None, Vec::new(), limits::ROSTER_ITEMS, 42).unwrap();
    roster.set(&jid("b@example.com"), Some("Billy".into()), Vec::new(), limits::ROSTER_ITEMS, 96).unwrap();
    let RosterAnswer::Changes(changes) = roster.answer(Some("14")) else { panic!("no changes") };
    let pushes: Vec<String> = changes.into_iter().map(|item| text(push(item))).collect();
    assert_eq!(
        pushes,
        [
            "<query xmlns='jabber:iq:roster' ver='42'><item jid='a@example.com' subscription='none'/></query>",
            "<query xmlns='jabber:iq:roster' ver='96'>\
             <item jid='b@example.com' name='Billy' subscription='none'/></query>",
        ]
    );
    let RosterAnswer::Changes(changes) = roster.answer(Some("42")) else { panic!("no changes") };
    assert_eq!(changes.len(), 1);
    assert_eq!(roster.answer(Some("96")), RosterAnswer::Nothing);
}

/// Section 2.6.3: "use less bandwidth".
#[test]
fn many_changes_get_the_whole_roster() {
    let roster = Roster::from_record(vec![item("a@example.com", 2), item("b@example.com", 3)], 3, 0);
    assert!(full(roster.answer(Some("1"))).is_some());
    assert!(matches!(roster.answer(Some("2")), RosterAnswer::Changes(changes) if changes.len() == 1));
}

#[test]
fn a_version_before_a_removal_gets_the_whole_roster() {
    let items: Vec<_> = (0..9).map(|n| item(&format!("u{n}@example.com"), 10)).collect();
    let mut roster = Roster::from_record(items, 10, 0);
    roster.remove("u3@example.com", 20).unwrap();
    roster.set(&jid("u4@example.com"), None, Vec::new(), limits::ROSTER_ITEMS, 30).unwrap();
    assert!(full(roster.answer(Some("10"))).is_some());
    assert!(matches!(roster.answer(Some("20")), RosterAnswer::Changes(changes) if changes.len() == 1));
    assert_eq!(roster.answer(Some("30")), RosterAnswer::Nothing);
}

#[test]
fn a_version_that_was_never_given_gets_the_whole_roster() {
    let items: Vec<_> = (0..9).map(|n| item(&format!("u{n}@example.com"), n)).collect();
    let roster = Roster::from_record(items, 8, 0);
    for version in ["9", "18446744073709551616", "-1", "+8", "08", "8 ", "ver8", "🌹"] {
        assert!(full(roster.answer(Some(version))).is_some(), "{version}");
    }
}

/// Versions ascend whatever the clock does, and an account made again does not repeat those of its forerunner.
#[test]
fn versions_ascend_and_follow_the_clock() {
    let mut roster = Roster::default();
    let contact = jid("a@example.com");
    let mut version = |now_ms| roster.set(&contact, None, Vec::new(), limits::ROSTER_ITEMS, now_ms).unwrap().version;
    assert_eq!(version(1_000), 1_000);
    assert_eq!(version(1_000), 1_001);
    assert_eq!(version(500), 1_002);
    assert_eq!(version(2_000), 2_000);
    let mut again = Roster::default();
    assert_eq!(again.set(&contact, None, Vec::new(), limits::ROSTER_ITEMS, 9_000).unwrap().version, 9_000);
    assert!(full(again.answer(Some("2000"))).is_some());
}
