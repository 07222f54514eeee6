//! Who is back in a session after the server was lost sees who is there (RFC 6121 section 4.3, XEP-0198 section 5).

use wattle::xml::Element;

use super::counting::Counting;
use super::{online, world};
use crate::story::befriend;
use crate::world::World;

const JULIET: &str = "juliet@example.com";
const BALCONY: &str = "juliet@example.com/balcony";
const CHAMBER: &str = "juliet@example.com/chamber";
const ROMEO: &str = "romeo@example.com/orchard";
const AWAY: &str = "<presence><show>away</show></presence>";

/// Juliet and Romeo see each other.
fn friends() -> World {
    let mut world = world();
    befriend(&mut world, JULIET, "romeo@example.com");
    befriend(&mut world, "romeo@example.com", JULIET);
    world
}

/// What was heard of somebody: nothing more than that they are there, that they are away, or that they are gone.
fn heard<'a>(got: &'a [Element], from: &str) -> Vec<&'a str> {
    let presence = got.iter().filter(|stanza| &*stanza.name == "presence" && stanza.attr("from") == Some(from));
    presence
        .map(|stanza| stanza.attr("type").unwrap_or(if stanza.elements().count() > 0 { "away" } else { "" }))
        .collect()
}

/// A session that cannot be resumed is gone with a server that was killed, and nobody could say so; its account does when it is
/// asked. Whoever is still there does not blink.
#[test]
fn whoever_is_gone_with_the_server_is_seen_no_more() {
    let mut world = friends();
    let mut romeo = Counting::online(&mut world, ROMEO, "<presence/>");
    online(&mut world, BALCONY, "<presence/>");
    assert_eq!(heard(&romeo.take(&mut world), BALCONY), [""]);
    world.crash();
    assert_eq!(heard(&romeo.back(&mut world), JULIET), ["unavailable"]);
}

/// What a session was told after an orderly stop is not stored with what it was owed then.
#[test]
fn what_was_said_between_a_stop_and_a_kill_is_heard() {
    let mut world = friends();
    let mut romeo = Counting::online(&mut world, ROMEO, "<presence/>");
    let mut juliet = Counting::online(&mut world, BALCONY, "<presence/>");
    romeo.take(&mut world);
    world.restart();
    juliet.back(&mut world);
    juliet.ask(&mut world, AWAY);
    world.crash();
    juliet.back(&mut world);
    assert_eq!(heard(&romeo.back(&mut world), BALCONY), ["away"]);
}

/// An account's sessions are each other's contacts (section 4.2.2).
#[test]
fn what_another_session_of_the_account_said_is_heard() {
    let mut world = friends();
    let mut chamber = Counting::online(&mut world, CHAMBER, "<presence/>");
    let mut balcony = Counting::online(&mut world, BALCONY, "<presence/>");
    chamber.take(&mut world);
    balcony.ask(&mut world, AWAY);
    world.crash();
    balcony.back(&mut world);
    assert_eq!(heard(&chamber.back(&mut world), BALCONY), ["away"]);
}
