//! What the simulation found, each reduced to the few steps that show it.

mod counting;
mod handled;
mod held;
mod lost;
mod seen;
mod waiting;

use wattle::ns;
use wattle::xml::Element;

use crate::world::{Client, Job, World};

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true' max='60'/>";
const CARBONS: &str = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>";

fn world() -> World {
    let mut world = World::new(1, "domains = [\"example.com\"]", 1);
    for name in ["juliet", "romeo"] {
        world.add_account(&format!("{name}@example.com"), "secret");
    }
    world
}

fn online(world: &mut World, jid: &str, first: &str) -> Client {
    let mut client = Client::online(world, 0, jid, "secret");
    client.ask(world, first);
    client
}

fn chat(to: &str, id: &str) -> String {
    format!("<message type='chat' to='{to}' id='{id}'><body>{id}</body></message>")
}

fn bodies(received: &[Element]) -> Vec<String> {
    received.iter().filter_map(|stanza| stanza.child("body", ns::CLIENT)).map(|body| body.text().into_owned()).collect()
}

/// XEP-0280: a carbon is for the session that it was made for, and for nobody after it.
#[test]
fn a_carbon_that_was_never_acknowledged_ends_with_its_session() {
    let mut world = world();
    let mut lost = online(&mut world, "juliet@example.com/lost", &format!("<presence/>{ENABLE}{CARBONS}"));
    let mut other = online(&mut world, "juliet@example.com/other", "<presence/>");
    lost.take(&mut world);
    world.cut(lost.end);
    other.ask(&mut world, &chat("romeo@example.com", "m"));
    world.notice(lost.end);
    world.run_for(61_000);
    assert_eq!(other.take(&mut world).iter().filter(|stanza| &*stanza.name == "message").count(), 0);
    assert!(world.store.waiting("juliet@example.com").is_empty());
}

/// A message that only a lost session was handed reaches who came online after it.
#[test]
fn a_lost_session_gives_its_messages_to_who_came_later() {
    let mut world = world();
    let lost = online(&mut world, "juliet@example.com/lost", &format!("<presence/>{ENABLE}"));
    world.cut(lost.end);
    let mut romeo = online(&mut world, "romeo@example.com/orchard", "<presence/>");
    romeo.ask(&mut world, &chat("juliet@example.com", "m"));
    let mut later = online(&mut world, "juliet@example.com/later", "<presence/>");
    world.notice(lost.end);
    world.run_for(61_000);
    assert_eq!(bodies(&later.take(&mut world)), ["m"]);
}

/// A carbon that its session has not acknowledged is no proof that somebody has the message.
#[test]
fn a_message_outlives_the_session_it_was_for_and_the_one_with_its_carbon() {
    let mut world = world();
    let first = online(&mut world, "juliet@example.com/first", &format!("<presence/>{ENABLE}"));
    let second = online(&mut world, "juliet@example.com/second", &format!("<presence/>{ENABLE}{CARBONS}"));
    world.cut(first.end);
    world.cut(second.end);
    let mut romeo = online(&mut world, "romeo@example.com/orchard", "<presence/>");
    romeo.ask(&mut world, &chat("juliet@example.com/first", "m"));
    world.notice(first.end);
    world.run_for(61_000);
    world.notice(second.end);
    world.run_for(61_000);
    let mut later = online(&mut world, "juliet@example.com/later", "");
    assert_eq!(bodies(&later.ask(&mut world, "<presence/>")), ["m"]);
}

/// One that was handed to both is not given again.
#[test]
fn a_lost_session_gives_nothing_to_who_had_it_too() {
    let mut world = world();
    let lost = online(&mut world, "juliet@example.com/lost", &format!("<presence/>{ENABLE}"));
    let mut other = online(&mut world, "juliet@example.com/other", "<presence/>");
    world.cut(lost.end);
    let mut romeo = online(&mut world, "romeo@example.com/orchard", "<presence/>");
    romeo.ask(&mut world, &chat("juliet@example.com", "m"));
    world.notice(lost.end);
    world.run_for(61_000);
    assert_eq!(bodies(&other.take(&mut world)), ["m"]);
}

/// Two sessions that come while messages are being read from the store get them once, and what is sent meanwhile follows
/// them (RFC 6120 section 10.1), however late the store answers.
#[test]
fn waiting_messages_come_once_and_first() {
    for store_first in [false, true] {
        let mut world = world();
        let mut juliet = online(&mut world, "juliet@example.com/balcony", "");
        let mut romeo = online(&mut world, "romeo@example.com/orchard", "<presence/>");
        romeo.ask(&mut world, &chat("juliet@example.com", "1"));
        // The second is still on its way into the store when she comes online.
        romeo.send(&mut world, &chat("juliet@example.com", "2"));
        world.perform(Job::Bytes(romeo.end), usize::MAX);
        if store_first {
            world.perform(Job::Store(0), 0);
        }
        juliet.send(&mut world, "<presence/>");
        world.perform(Job::Bytes(juliet.end), usize::MAX);
        romeo.send(&mut world, &chat("juliet@example.com", "3"));
        world.perform(Job::Bytes(romeo.end), usize::MAX);
        juliet.send(&mut world, "<presence type='unavailable'/><presence/>");
        world.perform(Job::Bytes(juliet.end), usize::MAX);
        assert_eq!(bodies(&juliet.take(&mut world)), ["1", "2", "3"]);
        assert!(world.store.waiting("juliet@example.com").is_empty());
    }
}

/// XEP-0191 section 4: who writes to somebody they block hears of it.
#[test]
fn an_error_about_a_blocked_one_is_not_blocked() {
    let mut world = world();
    let mut juliet = online(&mut world, "juliet@example.com/balcony", "<presence/>");
    let block = "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='romeo@example.com'/></block></iq>";
    juliet.ask(&mut world, block);
    let got = juliet.ask(&mut world, &chat("romeo@example.com", "m"));
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!((got[0].attr("id"), got[0].attr("type")), (Some("m"), Some("error")));
    let error = got[0].child("error", ns::CLIENT).unwrap();
    assert!(error.child("not-acceptable", ns::STANZA_ERRORS).is_some());
    assert!(error.child("blocked", "urn:xmpp:blocking:errors").is_some());
}

/// A message for a full JID waits with the others, and is not overtaken by the next one for it.
#[test]
fn a_message_for_a_full_jid_that_waited_comes_first() {
    let mut world = world();
    let mut romeo = online(&mut world, "romeo@example.com/orchard", "<presence/>");
    romeo.ask(&mut world, &chat("juliet@example.com/balcony", "1"));
    let mut juliet = online(&mut world, "juliet@example.com/balcony", "");
    juliet.send(&mut world, "<presence/>");
    world.perform(Job::Bytes(juliet.end), usize::MAX);
    romeo.send(&mut world, &chat("juliet@example.com/balcony", "2"));
    world.perform(Job::Bytes(romeo.end), usize::MAX);
    assert_eq!(bodies(&juliet.take(&mut world)), ["1", "2"]);
}

/// What waited for a full JID was handed over without carbons: others that have them switched on did not see it.
#[test]
fn a_message_that_waited_and_was_lost_is_given_back() {
    let mut world = world();
    let mut other = online(&mut world, "juliet@example.com/other", CARBONS);
    let mut romeo = online(&mut world, "romeo@example.com/orchard", "<presence/>");
    romeo.ask(&mut world, &chat("juliet@example.com/lost", "m"));
    let lost = online(&mut world, "juliet@example.com/lost", ENABLE);
    lost.send(&mut world, "<presence/>");
    world.run();
    world.hang_up(lost.end);
    world.run();
    other.ask(&mut world, "<presence/>");
    world.run_for(61_000);
    assert_eq!(bodies(&other.take(&mut world)), ["m"]);
}

/// Sessions that may be resumed forget what they have, and not what another one was handed and has not written.
#[test]
fn what_a_session_was_not_written_is_not_forgotten() {
    let mut world = world();
    let never = "<iq type='set' id='n'><prefs xmlns='urn:xmpp:mam:2' default='never'/></iq>";
    let mut phone = online(&mut world, "juliet@example.com/phone", &format!("{never}{ENABLE}"));
    let mut romeo = online(&mut world, "romeo@example.com/orchard", "");
    romeo.ask(&mut world, &chat("juliet@example.com", "m"));
    let mut juliet = online(&mut world, "juliet@example.com/balcony", "");
    world.congest(juliet.end, true);
    juliet.ask(&mut world, "<presence/>");
    // Something that is stored with the session.
    phone.ask(&mut world, CARBONS);
    world.hang_up(juliet.end);
    world.run();
    assert_eq!(bodies(&phone.ask(&mut world, "<presence/>")), ["m"]);
}

/// Also one that finds nobody while others are being read does not overtake those that came before it.
#[test]
fn a_message_for_nobody_follows_those_that_came_while_others_were_read() {
    let mut world = world();
    let mut juliet = online(&mut world, "juliet@example.com/balcony", "");
    let mut romeo = online(&mut world, "romeo@example.com/orchard", "");
    romeo.ask(&mut world, &chat("juliet@example.com", "1"));
    let (two, three) = (chat("juliet@example.com", "2"), chat("juliet@example.com", "3"));
    let away = "<presence><priority>-1</priority></presence>";
    for (client, xml) in [(&juliet, "<presence/>"), (&romeo, &*two), (&juliet, away), (&romeo, &*three)] {
        client.send(&mut world, xml);
        world.perform(Job::Bytes(client.end), usize::MAX);
    }
    juliet.take(&mut world);
    assert_eq!(bodies(&juliet.ask(&mut world, "<presence/>")), ["1", "2", "3"]);
}
