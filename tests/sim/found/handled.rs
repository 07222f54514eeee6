//! What a client hears to be handled is done, and done once, whenever the server is lost (XEP-0198 sections 4 and 5).

use std::collections::BTreeSet;

use wattle::limits::TRACED_MESSAGES;
use wattle::ns;
use wattle::store::{Question, StoreFault};
use wattle::xml::Element;

use super::counting::Counting;
use super::{ENABLE, bodies, chat, online};
use crate::world::{Client, Job, World};

const R: &str = "<r xmlns='urn:xmpp:sm:3'/>";
const JULIET: &str = "juliet@example.com";
const NURSE: &str = "nurse@example.com";
const PADUA: &str = "padua@conference.example.com";
const TYBALT: &str = "tybalt@example.com/street";

/// Four shards, and with them four lines in front of the store: one for each account here, and one for the room.
fn world() -> World {
    let mut world = World::new(4, "domains = [\"example.com\"]", 1);
    let homes = BTreeSet::from([JULIET, NURSE, TYBALT, PADUA].map(|name| world.home(name)));
    assert_eq!(homes.len(), 4);
    for name in [JULIET, NURSE, "tybalt@example.com"] {
        world.add_account(name, "secret");
    }
    world
}

/// Everything happens but for what waits for the store in these shards' lines.
fn run_without(world: &mut World, still: &[u16]) {
    let stands = |job: &Job| matches!(job, Job::Store(shard) if still.contains(shard));
    while let Some(job) = world.jobs().into_iter().find(|job| !stands(job)) {
        world.perform(job, usize::MAX);
    }
}

/// The highest `h` among these.
fn heard(got: &[Element]) -> u32 {
    let numbers = got.iter().filter(|element| *element.ns == *ns::SM).filter_map(|element| element.attr("h"));
    numbers.map(|h| h.parse().unwrap()).max().unwrap_or(0)
}

/// A message is stored in its recipient's line, before what its sender said before it is stored in another: the client hears of
/// neither until both are.
#[test]
fn nothing_is_acknowledged_that_stands_behind_what_is_not_stored() {
    let set = "<iq type='set' id='s'><query xmlns='jabber:iq:private'><x xmlns='y'/></query></iq>";
    let away = "<presence><show>away</show></presence>";
    let join =
        "<presence to='padua@conference.example.com/tybalt'><x xmlns='http://jabber.org/protocol/muc'/></presence>";
    let say = "<message type='groupchat' to='padua@conference.example.com' id='g'><body>g</body></message>";
    for (prepared, said) in [("", set), ("", away), ("", join), (join, say)] {
        let mut world = world();
        let mut tybalt = Counting::online(&mut world, TYBALT, &format!("<presence/>{prepared}{R}"));
        let before = 1 + u32::from(!prepared.is_empty());
        tybalt.client.send(&mut world, &format!("{said}{}{R}", chat(JULIET, "m")));
        let still = [TYBALT, PADUA].map(|name| world.home(name));
        run_without(&mut world, &still);
        tybalt.client.poll(&mut world);
        let got: Vec<_> = tybalt.client.received.drain(..).collect();
        assert!(heard(&got) <= before, "{said}: {got:?}");
        world.crash();
        let got = tybalt.back(&mut world);
        assert_eq!(heard(&got), before, "{said}");
    }
}

/// The server stopped in order, or killed; and started again.
const FALLS: [fn(&mut World); 2] = [World::crash, World::restart];

/// What was done although something before it was not is known for as long as that is so, also if the server is lost again
/// before the client is back, or before all of it came again.
#[test]
fn what_is_done_beyond_a_gap_is_not_done_again() {
    let texts = ["a", "b", "c"].map(|id| chat(if id == "a" { JULIET } else { NURSE }, id));
    for again in FALLS {
        for has_begun in [false, true] {
            let mut world = world();
            let mut nurse = online(&mut world, "nurse@example.com/kitchen", "<presence/>");
            let mut tybalt = Counting::online(&mut world, TYBALT, "");
            let homes = [JULIET].map(|name| world.home(name));
            tybalt.client.send(&mut world, &texts.concat());
            run_without(&mut world, &homes);
            nurse.poll(&mut world);
            assert_eq!(bodies(nurse.received.make_contiguous()), ["b", "c"]);
            world.crash();
            nurse = online(&mut world, "nurse@example.com/kitchen", "<presence/>");
            if has_begun {
                assert_eq!(heard(&tybalt.back(&mut world)), 0);
                tybalt.client.send(&mut world, &texts.concat());
                run_without(&mut world, &homes);
                tybalt.client.send(&mut world, "<presence/>");
                run_without(&mut world, &homes);
            }
            again(&mut world);
            let h = heard(&tybalt.back(&mut world));
            let rest: String = texts.iter().skip(h as usize).map(String::as_str).collect();
            tybalt.ask(&mut world, &rest);
            let mut later = online(&mut world, "nurse@example.com/later", "");
            let got = [nurse.take(&mut world), later.ask(&mut world, "<presence/>")].concat();
            assert!(bodies(&got).is_empty(), "{has_begun} {got:?}");
        }
    }
}

/// A client that is back has not sent again what it does not know to be done, and the server is lost once more.
#[test]
fn what_was_done_before_a_resumption_is_known_after_it() {
    for fall in FALLS {
        let mut world = world();
        let mut nurse = online(&mut world, "nurse@example.com/kitchen", "<presence/>");
        let mut tybalt = Counting::online(&mut world, TYBALT, "");
        let mut fails = 1;
        world.weather = Some(Box::new(move |question| {
            let is_first = matches!(question, Question::Keep(_)) && fails > 0;
            fails -= i32::from(is_first);
            is_first.then_some(StoreFault::Failed)
        }));
        let texts = ["a", "b"].map(|id| chat(NURSE, id)).concat();
        tybalt.ask(&mut world, &texts);
        assert_eq!(bodies(&nurse.take(&mut world)), ["b"]);
        assert_eq!(heard(&tybalt.back(&mut world)), 0, "the first left no trace");
        fall(&mut world);
        nurse = online(&mut world, "nurse@example.com/kitchen", "<presence/>");
        if heard(&tybalt.back(&mut world)) == 0 {
            tybalt.ask(&mut world, &texts);
        }
        assert!(bodies(&nurse.take(&mut world)).is_empty());
    }
}

/// What was sent before `<enable/>` is not counted, also if it was not done when counting began and the server is lost then
/// (XEP-0198 section 3).
#[test]
fn what_was_open_when_counting_began_does_not_count() {
    for fall in FALLS {
        let mut world = world();
        let mut tybalt = Client::online(&mut world, 0, TYBALT, "secret");
        tybalt.send(&mut world, &format!("{}{ENABLE}", chat(JULIET, "before")));
        let home = world.home(JULIET);
        run_without(&mut world, &[home]);
        tybalt.poll(&mut world);
        let token = tybalt.received.iter().find_map(|element| element.attr("id")).unwrap().to_owned();
        let mut tybalt = Counting { client: tybalt, token, h: 0 };
        fall(&mut world);
        assert_eq!(heard(&tybalt.back(&mut world)), 0);
        let got = tybalt.ask(&mut world, &format!("{}{R}", chat(JULIET, "after")));
        assert_eq!(heard(&got), 1);
        fall(&mut world);
        assert_eq!(heard(&tybalt.back(&mut world)), 1);
    }
}

/// A message for an account that cannot be loaded comes back to its sender, who hears that whenever the server is lost.
#[test]
fn what_came_back_is_not_acknowledged_without_a_word() {
    for fall in FALLS {
        for asks in ["", R] {
            let mut world = world();
            let mut tybalt = Counting::online(&mut world, TYBALT, "");
            world.weather = Some(Box::new(|question| {
                let is_hers = matches!(question, Question::Account { account } if account.as_str() == JULIET);
                is_hers.then_some(StoreFault::Failed)
            }));
            tybalt.client.send(&mut world, &format!("{}{asks}", chat(JULIET, "m")));
            world.run();
            fall(&mut world);
            let got = tybalt.back(&mut world);
            let is_back = got.iter().any(|stanza| stanza.attr("type") == Some("error"));
            assert_eq!(heard(&got) > 0, is_back, "{got:?}");
            assert_eq!(world.stat("stanzas_open"), 0);
        }
    }
}

const NEVER: &str = "<iq type='set' id='n'><prefs xmlns='urn:xmpp:mam:2' default='never'/></iq>";

/// A message that nobody archives is stored for what it tells of the session that sent it, and is there until that session is
/// stored, also if another one of the account is.
#[test]
fn what_a_session_sent_is_known_although_another_one_was_stored() {
    let mut world = world();
    let mut other = Counting::online(&mut world, "tybalt@example.com/square", NEVER);
    let mut tybalt = Counting::online(&mut world, TYBALT, "");
    assert_eq!(heard(&tybalt.ask(&mut world, &format!("{}{R}", chat(JULIET, "m")))), 1);
    other.ask(&mut world, "<presence/>");
    world.crash();
    assert_eq!(heard(&tybalt.back(&mut world)), 1);
}

/// However much it sent: a start reads the newest messages of an account, and not more than so many.
#[test]
fn a_session_that_only_sends_is_stored_now_and_then() {
    for is_other in [false, true] {
        let mut world = world();
        let mut other = Counting::online(&mut world, "tybalt@example.com/square", "");
        let mut tybalt = Counting::online(&mut world, TYBALT, "");
        let _nurse = online(&mut world, "nurse@example.com/kitchen", "<presence/>");
        let many = TRACED_MESSAGES + 10;
        let mut h = heard(&tybalt.ask(&mut world, &format!("{}{R}", chat(NURSE, "first"))));
        let sender = if is_other { &mut other } else { &mut tybalt };
        for id in 0..many {
            sender.client.send(&mut world, &chat(NURSE, &id.to_string()));
            if id % 100 == 0 {
                world.run();
            }
        }
        let got = sender.ask(&mut world, R);
        assert_eq!(heard(&got), if is_other { many } else { many + 1 });
        h = h.max(if is_other { 0 } else { heard(&got) });
        world.crash();
        assert_eq!(heard(&tybalt.back(&mut world)), h);
    }
}
