//! What a client cannot make grow.

use wattle::ns;

use crate::world::{Client, World};

/// A hundred thousand contacts: as many as the limit are kept, the rest is refused one by one, and a neighbour on the same
/// shard is answered in between.
#[test]
fn a_hundred_thousand_roster_items() {
    let mut world = World::new(1, "domains = [\"example.com\"]\n[limits]\nroster_items = 50", 1);
    for name in ["juliet", "romeo"] {
        world.add_account(&format!("{name}@example.com"), "secret");
    }
    let mut juliet = Client::online(&mut world, 0, "juliet@example.com/balcony", "secret");
    let mut romeo = Client::online(&mut world, 0, "romeo@example.com/orchard", "secret");
    let (mut kept, mut refused) = (0, 0);
    for thousand in 0..100 {
        let mut sets = String::new();
        for number in 0..1000 {
            sets += &format!(
                "<iq type='set' id='{thousand}-{number}'><query xmlns='{}'><item jid='c{thousand}-{number}@example.net'/>\
                 </query></iq>",
                ns::ROSTER
            );
        }
        for answer in juliet.ask(&mut world, &sets) {
            match answer.attr("type") {
                Some("result") => kept += 1,
                Some("error") => {
                    let error = answer.child("error", ns::CLIENT).unwrap();
                    assert!(error.child("not-allowed", ns::STANZA_ERRORS).is_some(), "{error:?}");
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        let pong = romeo.ask(&mut world, "<iq type='get' id='p' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>");
        assert_eq!(pong.len(), 1);
    }
    assert_eq!((kept, refused), (50, 99_950));
    assert_eq!(world.store.row("juliet@example.com").unwrap().record.roster.len(), 50);
}
