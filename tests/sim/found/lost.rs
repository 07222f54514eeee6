//! What the simulation found of a server that was lost and came back.

use wattle::ns;
use wattle::store::{Question, StoreFault};
use wattle::xml::Element;

use super::counting::{Counting, counted};
use super::{CARBONS, ENABLE, bodies, chat, online, world};
use crate::world::{Client, Job, Stage, World};

const PING: &str = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
const JULIET: &str = "juliet@example.com/balcony";
const ROMEO: &str = "romeo@example.com/orchard";

/// Bytes flow in both directions, and nothing else happens.
fn read_only(world: &mut World, client: &mut Client) {
    for _ in 0..10 {
        world.perform(Job::Bytes(client.end), usize::MAX);
        client.poll(world);
    }
}

/// The server begins, and reads its accounts while their clients come back already (XEP-0198 section 5).
#[test]
fn a_client_is_back_before_its_account_is_loaded() {
    let mut world = world();
    let token = Counting::online(&mut world, JULIET, "").token;
    world.crash();
    let mut juliet = Client::connect(&mut world, 0, "juliet@example.com", "secret").resuming(&token, 0);
    // Her login is asked for behind the list of sessions, and before the account.
    read_only(&mut world, &mut juliet);
    for _ in 0..2 {
        world.perform(Job::Store(0), 0);
        world.perform(Job::Answer(0), 0);
    }
    world.perform(Job::Hash(0), 0);
    read_only(&mut world, &mut juliet);
    assert_eq!(juliet.stage, Stage::Binding);
    assert!(juliet.take(&mut world)[0].is("resumed", ns::SM));
}

/// A client counted more than the store knows of. What comes before it is back is not among that, also if the server is lost
/// once more.
#[test]
fn a_message_between_the_crash_and_the_return_is_not_taken_for_one_that_was_got() {
    for crashes in [1, 2] {
        let mut world = world();
        let mut juliet = Counting::online(&mut world, JULIET, "<presence/>");
        juliet.ask(&mut world, &PING.repeat(3));
        world.crash();
        let mut romeo = online(&mut world, ROMEO, "<presence/>");
        romeo.ask(&mut world, &chat("juliet@example.com", "m"));
        if crashes == 2 {
            world.crash();
        }
        let got = juliet.back(&mut world);
        assert_eq!(bodies(&got), ["m"], "{crashes} {got:?}");
    }
}

/// Nor is it given again to a client that got it and comes back after the next crash, nor lost to one that did not get it.
#[test]
fn what_a_client_got_as_it_came_back_is_known_after_the_next_crash() {
    for has_it in [false, true] {
        let mut world = world();
        let mut juliet = Counting::online(&mut world, JULIET, "<presence/>");
        juliet.ask(&mut world, &PING.repeat(3));
        world.crash();
        let mut romeo = online(&mut world, ROMEO, "<presence/>");
        romeo.ask(&mut world, &chat("juliet@example.com", "m"));
        let h = juliet.h;
        assert_eq!(bodies(&juliet.back(&mut world)), ["m"]);
        if !has_it {
            juliet.h = h;
        }
        world.crash();
        assert_eq!(bodies(&juliet.back(&mut world)).len(), usize::from(!has_it));
    }
}

/// XEP-0198 section 3: whoever hears that it may come back may do so, whenever the server is lost.
#[test]
fn nobody_may_come_back_to_what_is_not_stored() {
    let mut world = world();
    let mut juliet = online(&mut world, JULIET, "");
    juliet.send(&mut world, &format!("{ENABLE}<r xmlns='urn:xmpp:sm:3'/>{PING}"));
    read_only(&mut world, &mut juliet);
    world.perform(Job::Store(0), 0);
    juliet.poll(&mut world);
    let names = |got: Vec<Element>| got.into_iter().map(|element| element.name).collect::<Vec<_>>();
    assert_eq!(names(juliet.received.drain(..).collect()), []);
    let got = juliet.take(&mut world);
    assert!(got[0].attr("id").is_some());
    // What comes behind it is counted.
    assert_eq!(names(got), ["enabled", "iq", "r", "a"].map(Into::into));
}

/// Between the request and the answer nothing is written, so that no crash makes a client count what it had before, or get it
/// again (XEP-0198 section 3).
#[test]
fn what_comes_while_management_begins_comes_once() {
    for (is_before, is_there) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = world();
        let mut romeo = online(&mut world, ROMEO, "");
        let mut juliet = online(&mut world, JULIET, "<presence/>");
        juliet.take(&mut world);
        let steps = [(&romeo, chat("juliet@example.com", "m")), (&juliet, ENABLE.to_owned())];
        for (client, xml) in if is_before { steps.iter().collect::<Vec<_>>() } else { steps.iter().rev().collect() } {
            client.send(&mut world, xml);
            world.perform(Job::Bytes(client.end), usize::MAX);
        }
        let got = juliet.take(&mut world);
        let place = got.iter().position(|element| element.is("enabled", ns::SM)).unwrap();
        assert_eq!(bodies(&got), ["m"]);
        let token = got[place].attr("id").unwrap().to_owned();
        let h = if is_there { counted(&got[place..]) } else { 0 };
        let had = bodies(&got[..place]).len() + usize::from(is_there);
        let mut juliet = Counting { client: juliet, token, h };
        world.crash();
        assert_eq!(bodies(&juliet.back(&mut world)).len() + had, 1, "{is_before} {is_there}");
        romeo.take(&mut world);
    }
}

/// If it cannot be stored, stanzas are counted all the same.
#[test]
fn a_session_that_cannot_be_stored_is_not_to_come_back_to() {
    let mut world = world();
    world.weather =
        Some(Box::new(|question| matches!(question, Question::SaveSession { .. }).then_some(StoreFault::Failed)));
    let mut juliet = online(&mut world, JULIET, "");
    let got = juliet.ask(&mut world, &format!("{ENABLE}{PING}"));
    let enabled = got.iter().find(|element| element.is("enabled", ns::SM)).unwrap();
    assert_eq!((enabled.attr("id"), enabled.attr("resume")), (None, None));
}

/// A session's number in the store is free for another one when it has ended; what the earlier one sent is not what this one
/// sent.
#[test]
fn a_session_does_not_inherit_what_another_sent() {
    let mut world = world();
    let mut romeo = online(&mut world, ROMEO, "<presence/>");
    // What is owed to her other session keeps the traces of all.
    let other = Counting::online(&mut world, "juliet@example.com/chamber", &format!("<presence/>{CARBONS}"));
    world.cut(other.client.end);
    world.notice(other.client.end);
    romeo.ask(&mut world, &chat("juliet@example.com", "0"));
    let mut earlier = Counting::online(&mut world, JULIET, "");
    earlier.ask(&mut world, &["1", "2", "3", "4"].map(|id| chat("romeo@example.com", id)).concat());
    earlier.ask(&mut world, "</stream:stream>");
    let mut juliet = Counting::online(&mut world, JULIET, "");
    world.crash();
    juliet.back(&mut world);
    let mut romeo = online(&mut world, ROMEO, "<presence/>");
    romeo.take(&mut world);
    juliet.ask(&mut world, &["5", "6", "7", "8"].map(|id| chat("romeo@example.com", id)).concat());
    assert_eq!(bodies(&romeo.take(&mut world)), ["5", "6", "7", "8"]);
}

/// What was taken back because it could not be stored has no number, and what stands behind it has another than its trace says.
#[test]
fn a_message_behind_one_that_failed_is_known_after_a_crash() {
    let mut world = world();
    let mut juliet = Counting::online(&mut world, JULIET, "<presence/>");
    let mut romeo = online(&mut world, ROMEO, "<presence/>");
    let mut fails = 1;
    world.weather = Some(Box::new(move |question| {
        let is_first = matches!(question, Question::Keep(_)) && fails > 0;
        fails -= i32::from(is_first);
        is_first.then_some(StoreFault::Failed)
    }));
    romeo.ask(&mut world, &["a", "b"].map(|id| chat("juliet@example.com", id)).concat());
    assert_eq!(bodies(&juliet.take(&mut world)), ["b"]);
    world.crash();
    assert!(bodies(&juliet.back(&mut world)).is_empty());
}

/// What waits is read for one client while another acknowledges it.
#[test]
fn what_is_acknowledged_while_it_is_read_is_not_given_again() {
    let mut world = world();
    let mut romeo = online(&mut world, ROMEO, "<presence/>");
    romeo.ask(&mut world, &chat("juliet@example.com", "m"));
    let mut juliet = Counting::online(&mut world, JULIET, "<presence/>");
    let mut chamber = online(&mut world, "juliet@example.com/chamber", "");
    chamber.send(&mut world, "<presence/>");
    world.perform(Job::Bytes(chamber.end), usize::MAX);
    juliet.client.send(&mut world, &format!("<a xmlns='{}' h='{}'/>", ns::SM, juliet.h));
    world.perform(Job::Bytes(juliet.client.end), usize::MAX);
    assert!(bodies(&chamber.take(&mut world)).is_empty());
    assert!(bodies(&juliet.take(&mut world)).is_empty());
}

/// What a client is told while the server stops, it hears when it is back; and what was done for it is not done again.
#[test]
fn an_answer_that_comes_while_the_server_stops_is_there_after_it() {
    let mut world = world();
    let mut juliet = Counting::online(&mut world, JULIET, "<presence/>");
    let set = "<iq type='set' id='s'><query xmlns='jabber:iq:private'><x xmlns='y'/></query></iq>";
    juliet.client.send(&mut world, &format!("{}{set}<r xmlns='urn:xmpp:sm:3'/>", chat("nobody@example.com", "m")));
    world.perform(Job::Bytes(juliet.client.end), usize::MAX);
    world.restart();
    let got = juliet.back(&mut world);
    assert_eq!(got[0].attr("h"), Some("3"));
    let answers: Vec<_> = got[1..].iter().map(|stanza| (stanza.attr("id"), stanza.attr("type"))).collect();
    assert!(answers.contains(&(Some("m"), Some("error"))), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == (Some("s"), Some("result"))).count(), 1, "{answers:?}");
}

/// Messages that waited were handed over and not written before they were counted: they are not counted as such twice.
#[test]
fn what_waited_is_handed_over_once_and_the_next_one_is_not_forgotten() {
    let mut world = world();
    let mut romeo = online(&mut world, ROMEO, "<presence/>");
    romeo.ask(&mut world, &chat("juliet@example.com", "1"));
    let mut juliet = online(&mut world, JULIET, "");
    world.congest(juliet.end, true);
    // The next one waits, too: she is away when it comes, and has not acknowledged the first.
    juliet.ask(&mut world, "<presence/>");
    juliet.ask(&mut world, &format!("<presence><priority>-1</priority></presence>{ENABLE}"));
    romeo.ask(&mut world, &chat("juliet@example.com", "2"));
    world.congest(juliet.end, false);
    let got = juliet.take(&mut world);
    assert_eq!(bodies(&got), ["1"]);
    let h = counted(&got);
    assert_eq!(bodies(&juliet.ask(&mut world, &format!("<a xmlns='{}' h='{h}'/><presence/>", ns::SM))), ["2"]);
}

/// A message that a session gives back reaches another one before those that wait: as it acknowledges that one, the others wait
/// on.
#[test]
fn what_is_acknowledged_waits_no_longer_and_the_rest_does() {
    let mut world = world();
    let lost = online(&mut world, JULIET, "<enable xmlns='urn:xmpp:sm:3'/>");
    let mut chamber = Counting::online(&mut world, "juliet@example.com/chamber", "");
    let mut romeo = online(&mut world, ROMEO, "");
    romeo.ask(&mut world, &["juliet@example.com", JULIET].map(|to| chat(to, to)).concat());
    // What waits is being read when the other one comes, and there is nobody to take it when it was read.
    chamber.client.send(&mut world, "<presence/>");
    world.perform(Job::Bytes(chamber.client.end), usize::MAX);
    world.hang_up(lost.end);
    world.perform(Job::Gone(lost.end), usize::MAX);
    chamber.client.send(&mut world, "<presence type='unavailable'/>");
    world.perform(Job::Bytes(chamber.client.end), usize::MAX);
    assert_eq!(bodies(&chamber.take(&mut world)), [JULIET]);
    let h = chamber.h;
    let got = chamber.ask(&mut world, &format!("<a xmlns='{}' h='{h}'/><presence/>", ns::SM));
    assert_eq!(bodies(&got), ["juliet@example.com"]);
}
