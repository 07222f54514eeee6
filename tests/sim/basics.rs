//! The world itself: logins by each way, a message from shard to shard, a resumption on another shard.

use wattle::ns;

use crate::world::{Client, Stage, World};

const CONFIG: &str = "domains = [\"example.com\"]";

fn world(shards: u16) -> World {
    let mut world = World::new(shards, CONFIG, 1);
    for name in ["juliet", "romeo", "nurse", "mercutio"] {
        world.add_account(&format!("{name}@example.com"), "secret");
    }
    world
}

#[test]
fn every_way_in() {
    for shards in [1, 4] {
        let mut world = world(shards);
        for shard in 0..shards {
            let client = Client::online(&mut world, shard, "juliet@example.com/plain", "secret");
            assert_eq!(client.jid, "juliet@example.com/plain");
            assert_eq!(world.shard_of(client.end), Some(world.home("juliet@example.com")));
            Client::online_with_scram(&mut world, shard, "romeo@example.com/scram", "secret", false);
            Client::online_with_scram(&mut world, shard, "romeo@example.com/plus", "secret", true);
        }
        let mut client = Client::connect(&mut world, 0, "romeo@example.com", "wrong");
        client.settle(&mut world);
        assert_eq!(client.stage, Stage::Failed("not-authorized".into()));
    }
}

#[test]
fn a_message_crosses_shards() {
    for shards in [1, 4] {
        let mut world = world(shards);
        let mut juliet = Client::online(&mut world, 0, "juliet@example.com/balcony", "secret");
        let mut romeo = Client::online(&mut world, 0, "romeo@example.com/orchard", "secret");
        juliet.ask(&mut world, "<presence/>");
        romeo.ask(&mut world, "<message to='juliet@example.com' type='chat' id='1'><body>&lt;3</body></message>");
        let got = juliet.take(&mut world);
        assert_eq!(got.len(), 1, "{got:?}");
        assert_eq!(got[0].attr("from"), Some("romeo@example.com/orchard"));
        assert_eq!(got[0].child("body", ns::CLIENT).unwrap().text(), "<3");
    }
}

#[test]
fn a_session_is_resumed_from_another_shard() {
    let mut world = world(4);
    let mut juliet = Client::online(&mut world, 0, "juliet@example.com/balcony", "secret");
    juliet.ask(&mut world, "<presence/>");
    let enabled = juliet.ask(&mut world, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let token = enabled[0].attr("id").unwrap().to_owned();
    world.cut(juliet.end);
    let romeo = Client::online(&mut world, 0, "romeo@example.com/orchard", "secret");
    romeo.send(&mut world, "<message to='juliet@example.com/balcony' type='chat' id='1'><body>x</body></message>");
    world.run();
    let mut juliet = Client::connect(&mut world, 3, "juliet@example.com", "secret").resuming(&token, 0);
    let got = juliet.take(&mut world);
    assert!(got[0].is("resumed", ns::SM), "{got:?}");
    assert_eq!(got[1].attr("id"), Some("1"));
    assert_eq!(world.stat("sessions"), 2);
}
