//! Messages that are held until what is to be stored of them is stored: nobody reads them before.

use wattle::store::{Question, StoreFault};

use super::{bodies, chat, online, world};
use crate::world::{Client, Job, World};

const BALCONY: &str = "juliet@example.com/balcony";
const ORCHARD: &str = "romeo@example.com/orchard";

/// The server reads what a client says, and the store stands still.
fn say(world: &mut World, client: &Client, xml: &str) {
    client.send(world, xml);
    world.perform(Job::Bytes(client.end), usize::MAX);
}

/// A session that ends meanwhile has not read it: it goes to whoever is there or comes; or, if the store fails, back.
#[test]
fn a_message_outlives_its_reader_while_it_is_stored() {
    for (is_other_there, fails) in [(false, false), (false, true), (true, false), (true, true)] {
        let case = format!("{is_other_there} {fails}");
        let mut world = world();
        let juliet = online(&mut world, BALCONY, "<presence/>");
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
