//! Messages that wait (XEP-0160) do so until a client has them.

use wattle::ns;

use super::counting::Counting;
use super::{CARBONS, bodies, chat, online, world};
use crate::world::World;

const JULIET: &str = "juliet@example.com";

/// Juliet had two sessions, and both were cut off. One was sent a message, the other owes its client the carbon of it; the first
/// is over, so that the message waits.
fn owed_a_carbon(world: &mut World) -> Counting {
    let first = Counting::online(world, "juliet@example.com/first", "<presence/>");
    let second = Counting::online(world, "juliet@example.com/second", CARBONS);
    world.cut(first.client.end);
    world.cut(second.client.end);
    let mut romeo = online(world, "romeo@example.com/orchard", "");
    romeo.ask(world, &chat("juliet@example.com/first", "m"));
    world.notice(first.client.end);
    world.run_for(61_000);
    assert_eq!(world.store.waiting(JULIET).len(), 1);
    second
}

/// A carbon that is still owed may never be read: whoever comes gets the message itself (XEP-0280).
#[test]
fn a_message_that_waits_is_not_kept_back_for_a_carbon() {
    let mut world = world();
    owed_a_carbon(&mut world);
    let mut later = online(&mut world, "juliet@example.com/later", "");
    assert_eq!(bodies(&later.ask(&mut world, "<presence/>")), ["m"]);
}

/// Whoever is owed the carbon gets that, and when they have it nothing waits any more.
#[test]
fn a_message_waits_no_longer_when_its_carbon_was_read() {
    let mut world = world();
    let mut second = owed_a_carbon(&mut world);
    let got = second.back(&mut world);
    assert_eq!(got.iter().filter(|stanza| &*stanza.name == "message").count(), 1);
    assert!(bodies(&second.ask(&mut world, "<presence/>")).is_empty());
    let h = second.h;
    second.ask(&mut world, &format!("<a xmlns='{}' h='{h}'/>", ns::SM));
    assert!(world.store.waiting(JULIET).is_empty());
}

/// A message that was handed to a connection which takes nothing is not its client's: it waits until it is written, also if the
/// server is lost (without stream management that is all that anybody knows).
#[test]
fn a_message_waits_until_it_is_written() {
    for is_lost in [false, true] {
        let mut world = world();
        let mut romeo = online(&mut world, "romeo@example.com/orchard", "");
        romeo.ask(&mut world, &chat(JULIET, "m"));
        let mut juliet = online(&mut world, "juliet@example.com/balcony", "");
        world.congest(juliet.end, true);
        assert!(bodies(&juliet.ask(&mut world, "<presence/>")).is_empty());
        assert_eq!(world.store.waiting(JULIET).len(), 1);
        if is_lost {
            world.crash();
            juliet = online(&mut world, "juliet@example.com/balcony", "");
            assert_eq!(bodies(&juliet.ask(&mut world, "<presence/>")), ["m"]);
        } else {
            world.congest(juliet.end, false);
            assert_eq!(bodies(&juliet.take(&mut world)), ["m"]);
        }
        assert!(world.store.waiting(JULIET).is_empty());
        let mut later = online(&mut world, "juliet@example.com/later", "");
        assert!(bodies(&later.ask(&mut world, "<presence/>")).is_empty());
    }
}

/// What waited and was never acknowledged goes to somebody else who is there, and then waits no longer.
#[test]
fn what_waited_for_a_lost_session_is_another_ones_once() {
    let mut world = world();
    let mut romeo = online(&mut world, "romeo@example.com/orchard", "");
    romeo.ask(&mut world, &chat(JULIET, "m"));
    let lost = Counting::online(&mut world, "juliet@example.com/lost", "<presence/>");
    let mut other = online(&mut world, "juliet@example.com/other", "<presence/>");
    world.cut(lost.client.end);
    world.notice(lost.client.end);
    world.run_for(61_000);
    assert_eq!(bodies(&other.take(&mut world)), ["m"]);
    assert!(world.store.waiting(JULIET).is_empty());
}

/// A message that a lost session gives back is not given to whoever is owed the carbon of it as well; but it waits until that is
/// read.
#[test]
fn who_is_owed_a_carbon_is_not_given_the_message_too() {
    for comes_back in [true, false] {
        let mut world = world();
        let first = Counting::online(&mut world, "juliet@example.com/first", "<presence/>");
        let mut second = Counting::online(&mut world, "juliet@example.com/second", &format!("<presence/>{CARBONS}"));
        let mut romeo = online(&mut world, "romeo@example.com/orchard", "");
        world.cut(first.client.end);
        world.cut(second.client.end);
        romeo.ask(&mut world, &chat("juliet@example.com/first", "m"));
        world.notice(first.client.end);
        world.run_for(61_000);
        if comes_back {
            let got = second.back(&mut world);
            assert_eq!(got.iter().filter(|stanza| &*stanza.name == "message").count(), 1);
            let h = second.h;
            second.ask(&mut world, &format!("<a xmlns='{}' h='{h}'/>", ns::SM));
            assert!(world.store.waiting(JULIET).is_empty());
        } else {
            world.notice(second.client.end);
            world.run_for(61_000);
            let mut later = online(&mut world, "juliet@example.com/later", "");
            assert_eq!(bodies(&later.ask(&mut world, "<presence/>")), ["m"]);
        }
    }
}
