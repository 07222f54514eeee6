//! XEP-0198 counting and XEP-0352 holding back, on a session alone.
#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use super::{Given, Session, SessionId, TooHigh};
use crate::config::Limits;
use crate::effect::Effects;
use crate::input::{Conn, Now};
use crate::jid::Jid;
use crate::stanza::{Kind, MessageType, PresenceType, Stanza};

const NOW: Now = Now { mono_ms: 5_000, unix_ms: 1_795_353_723_000 };

fn session() -> Session {
    Session::new(SessionId(1), Jid::parse("juliet@example.com/balcony").unwrap(), Conn(1), None)
}

fn message(number: u32) -> Stanza {
    Stanza::new(Kind::Message(MessageType::Chat), None, None).with_payload(format!("<body>{number}</body>").as_bytes())
}

fn presence(from: &str, show: &str) -> Stanza {
    Stanza::new(Kind::Presence(PresenceType::Available), Some(Jid::parse(from).unwrap()), None)
        .with_payload(format!("<show>{show}</show>").as_bytes())
}

fn typing() -> Stanza {
    Stanza::new(Kind::Message(MessageType::Chat), None, None)
        .with_payload(b"<composing xmlns='http://jabber.org/protocol/chatstates'/>")
}

/// What left since the last look.
fn sent(effects: &mut Effects) -> String {
    let text = String::from_utf8(effects.bytes.clone()).unwrap();
    effects.clear();
    text
}

const R: &str = "<r xmlns='urn:xmpp:sm:3'/>";

#[test]
fn without_management_what_is_written_is_forgotten() {
    let (mut session, mut effects) = (session(), Effects::default());
    session.send(message(1), NOW, &Limits::default(), &mut effects).unwrap();
    assert_eq!(sent(&mut effects), "<message type='chat'><body>1</body></message>");
    assert!(session.outbox.is_empty());
}

#[test]
fn a_congested_client_gets_it_later() {
    let (mut session, mut effects) = (session(), Effects::default());
    session.congested = true;
    session.send(message(1), NOW, &Limits::default(), &mut effects).unwrap();
    session.send(message(2), NOW, &Limits::default(), &mut effects).unwrap();
    assert_eq!(sent(&mut effects), "");
    session.drained(&mut effects);
    assert_eq!(
        sent(&mut effects),
        "<message type='chat'><body>1</body></message><message type='chat'><body>2</body></message>"
    );
    assert!(session.outbox.is_empty());
}

#[test]
fn one_request_at_a_time() {
    let (mut session, mut effects) = (session(), Effects::default());
    session.outbox.manage();
    session.send(message(1), NOW, &Limits::default(), &mut effects).unwrap();
    assert_eq!(sent(&mut effects), format!("<message type='chat'><body>1</body></message>{R}"));
    session.send(message(2), NOW, &Limits::default(), &mut effects).unwrap();
    assert_eq!(sent(&mut effects), "<message type='chat'><body>2</body></message>");
    session.acknowledge(1, &mut effects).unwrap();
    assert_eq!(sent(&mut effects), R, "one is still owed");
    session.acknowledge(2, &mut effects).unwrap();
    assert_eq!(sent(&mut effects), "");
    assert!(session.outbox.is_empty());
}

#[test]
fn counting_more_than_was_sent_is_refused() {
    let (mut session, mut effects) = (session(), Effects::default());
    session.outbox.manage();
    session.send(message(1), NOW, &Limits::default(), &mut effects).unwrap();
    assert_eq!(session.acknowledge(2, &mut effects), Err(TooHigh { sent: 1 }));
    assert_eq!(session.acknowledge(u32::MAX, &mut effects), Err(TooHigh { sent: 1 }), "nor less than was acknowledged");
    assert_eq!(session.outbox.len(), 1);
}

#[test]
fn resuming_sends_again_what_was_not_handled() {
    let (mut session, mut effects) = (session(), Effects::default());
    let limits = Limits::default();
    session.outbox.manage();
    for number in 1..=3 {
        session.send(message(number), NOW, &limits, &mut effects).unwrap();
    }
    session.detach(9_000, NOW, &limits, &mut effects).unwrap();
    session.send(message(4), NOW, &limits, &mut effects).unwrap();
    effects.clear();
    assert_eq!(session.attach(Conn(2), 9), Err(TooHigh { sent: 4 }));
    assert_eq!(session.conn, None);
    session.attach(Conn(2), 2).unwrap();
    session.drained(&mut effects);
    assert_eq!(
        sent(&mut effects),
        format!("<message type='chat'><body>3</body></message><message type='chat'><body>4</body></message>{R}")
    );
    session.acknowledge(4, &mut effects).unwrap();
    assert!(session.outbox.is_empty());
}

#[test]
fn the_queue_has_a_bound() {
    let (mut session, mut effects) = (session(), Effects::default());
    let limits = Limits { outbox_stanzas: 3, ..Limits::default() };
    session.outbox.manage();
    session.send(message(1), NOW, &limits, &mut effects).unwrap();
    session.send(message(2), NOW, &limits, &mut effects).unwrap();
    assert!(session.send(message(3), NOW, &limits, &mut effects).is_err());
    assert_eq!(session.outbox.take().len(), 3, "nothing is thrown away");
}

/// XEP-0352: an inactive client hears of presence and typing when it looks again or gets a message, the last of each contact.
#[test]
fn an_inactive_client_is_not_woken_by_presence() {
    let (mut session, mut effects) = (session(), Effects::default());
    let limits = Limits::default();
    session.client_state.deactivate();
    for stanza in [
        presence("romeo@example.net/a", "away"),
        typing(),
        presence("nurse@example.com/b", "dnd"),
        presence("romeo@example.net/a", "xa"),
        typing(),
    ] {
        session.send(stanza, NOW, &limits, &mut effects).unwrap();
    }
    assert_eq!(sent(&mut effects), "");
    session.send(message(1), NOW, &limits, &mut effects).unwrap();
    let expected = concat!(
        "<presence from='nurse@example.com/b'><show>dnd</show></presence>",
        "<presence from='romeo@example.net/a'><show>xa</show></presence>",
        "<message type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        "<message type='chat'><body>1</body></message>"
    );
    assert_eq!(sent(&mut effects), expected);
    session.send(presence("romeo@example.net/a", "chat"), NOW, &limits, &mut effects).unwrap();
    assert_eq!(sent(&mut effects), "");
    session.client_state.activate();
    session.release(NOW, &limits, &mut effects).unwrap();
    assert_eq!(sent(&mut effects), "<presence from='romeo@example.net/a'><show>chat</show></presence>");
}

/// Entering and leaving a room is not held back: order matters there.
#[test]
fn presence_of_rooms_is_not_held_back() {
    let (mut session, mut effects) = (session(), Effects::default());
    session.client_state.deactivate();
    let mut stanza = presence("room@example.com/nick", "away");
    stanza.payload = b"<x xmlns='http://jabber.org/protocol/muc#user'/>".as_slice().into();
    session.send(stanza, NOW, &Limits::default(), &mut effects).unwrap();
    assert_ne!(sent(&mut effects), "");
}

/// What is stored has its number among what the client counts, also if nobody need look at it.
#[test]
fn what_is_stored_is_not_held_back() {
    let (mut session, mut effects) = (session(), Effects::default());
    session.client_state.deactivate();
    let given = Given { id: 1, is_stored: true, is_held: true, is_carbon: false, waits: false };
    session.give(typing(), Some(given), NOW, &Limits::default(), &mut effects).unwrap();
    assert_eq!((session.outbox.newest_number(), sent(&mut effects)), (1, String::new()));
    session.decide(1, true, &Limits::default(), &mut effects).unwrap();
    assert_ne!(sent(&mut effects), "");
}
