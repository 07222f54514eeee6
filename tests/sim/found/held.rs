//! Messages that are held until what is to be stored of them is stored: nobody reads them before.

use wattle::store::{Question, StoreFault};

use super::{bodies, chat, online, world};
use crate::world::{Client, Job, World};

const NEVER: &str = "<iq type='set' id='n'><prefs xmlns='urn:xmpp:mam:2' default='never'/></iq>";
const JULIET: &str = "juliet@example.com";
const BALCONY: &str = "juliet@example.com/balcony";
const ORCHARD: &str = "romeo@example.com/orchard";
const TYPING: &str = "<message type='chat' to='juliet@example.com' id='typing'>\
     <composing xmlns='http://jabber.org/protocol/chatstates'/></message>";

/// The server reads what a client says, and the store stands still.
fn say(world: &mut World, client: &Client, xml: &str) {
    client.send(world, xml);
    world.perform(Job::Bytes(client.end), usize::MAX);
}

/// Also if only its sender keeps it: nobody reads it before that is stored, and what is said behind it waits with it (RFC 6120
/// section 10.1).
#[test]
fn a_message_is_not_read_nor_overtaken_while_its_copy_is_stored() {
    let mut world = world();
    let mut juliet = online(&mut world, BALCONY, &format!("{NEVER}<presence/>"));
    let romeo = online(&mut world, ORCHARD, "");
    juliet.take(&mut world);
    say(&mut world, &romeo, &format!("{}{TYPING}", chat(JULIET, "m")));
    juliet.poll(&mut world);
    assert!(juliet.received.is_empty(), "{:?}", juliet.received);
    let got = juliet.take(&mut world);
    assert_eq!(got.iter().map(|stanza| stanza.attr("id")).collect::<Vec<_>>(), [Some("m"), Some("typing")]);
    assert_eq!(world.stat("stanzas_held"), 0);
}

/// A session that ends meanwhile has not read it: it goes to whoever is there or comes; or, if the store fails, back.
#[test]
fn a_message_outlives_its_reader_while_it_is_stored() {
    for case in 0..8 {
        let [keeps_nothing, is_other_there, fails] = [1, 2, 4].map(|bit| case & bit > 0);
        let mut world = world();
        let juliet = online(&mut world, BALCONY, &format!("{}<presence/>", if keeps_nothing { NEVER } else { "" }));
        let mut other = online(&mut world, "juliet@example.com/other", "");
        if is_other_there {
            other.ask(&mut world, "<presence/>");
        }
        let mut romeo = online(&mut world, ORCHARD, "");
        if fails {
            world.weather =
                Some(Box::new(|question| matches!(question, Question::Keep(_)).then_some(StoreFault::Failed)));
        }
        say(&mut world, &romeo, &chat(BALCONY, "m"));
        say(&mut world, &juliet, "</stream:stream>");
        let got = [other.take(&mut world), other.ask(&mut world, "<presence/>")].concat();
        let back = romeo.take(&mut world);
        if fails {
            assert!(bodies(&got).is_empty(), "{case}");
            assert_eq!(back.iter().map(|stanza| stanza.attr("type")).collect::<Vec<_>>(), [Some("error")], "{case}");
        } else {
            assert_eq!(bodies(&got), ["m"], "{case}");
            assert!(back.is_empty(), "{case}: {back:?}");
        }
        assert_eq!((world.stat("stanzas_open"), world.stat("stanzas_held")), (0, 0), "{case}");
    }
}

/// A chat state that its sender keeps is not held back for an inactive client as well (XEP-0352): it waits for the store alone, or
/// it would come before that and once more after it.
#[test]
fn a_chat_state_that_its_sender_keeps_comes_once() {
    let mut world = world();
    let mut juliet = online(&mut world, BALCONY, &format!("{NEVER}<presence/><inactive xmlns='urn:xmpp:csi:0'/>"));
    let romeo = online(&mut world, ORCHARD, "");
    let hint = TYPING.replace("</message>", "<store xmlns='urn:xmpp:hints'/></message>");
    say(&mut world, &romeo, &hint);
    say(&mut world, &juliet, "<active xmlns='urn:xmpp:csi:0'/>");
    juliet.poll(&mut world);
    assert!(juliet.received.is_empty(), "{:?}", juliet.received);
    assert_eq!(juliet.take(&mut world).len(), 1);
}

/// What a session gave back before it was stored waits only if that succeeds, and has no place among those that may wait.
#[test]
fn what_could_not_be_stored_takes_no_place_among_those_that_wait() {
    let mut world = World::new(1, "domains = [\"example.com\"]\n[limits]\noffline_messages = 1", 1);
    for name in [JULIET, "romeo@example.com"] {
        world.add_account(name, "secret");
    }
    let juliet = online(&mut world, BALCONY, "<presence/>");
    let mut romeo = online(&mut world, ORCHARD, "");
    let mut fails = 1;
    world.weather = Some(Box::new(move |question| {
        let is_first = matches!(question, Question::Keep(_)) && fails > 0;
        fails -= i32::from(is_first);
        is_first.then_some(StoreFault::Failed)
    }));
    say(&mut world, &romeo, &chat(BALCONY, "1"));
    say(&mut world, &juliet, "</stream:stream>");
    assert_eq!(romeo.take(&mut world).iter().filter(|stanza| stanza.attr("type") == Some("error")).count(), 1);
    assert!(romeo.ask(&mut world, &chat(JULIET, "2")).is_empty());
    let mut later = online(&mut world, BALCONY, "");
    assert_eq!(bodies(&later.ask(&mut world, "<presence/>")), ["2"]);
}
