//! What a client cannot make grow.

use wattle::{limits, ns};

use crate::world::{Client, Job, World};

/// What is on its way into the store, as one of the gauges of `wattle stats`.
fn open(world: &mut World) -> u64 {
    world.stat("stanzas_open")
}

/// Lets everything happen but that the store carries out what this shard asks; a shard reads a little at a time.
fn run_without_store(world: &mut World, asker: u16, client: &mut Client) {
    loop {
        let Some(job) = world.jobs().into_iter().find(|job| *job != Job::Store(asker)) else { return };
        world.perform(job, 4096);
        client.poll(world);
    }
}

/// Who sends while the store stands still is not read any more, on this connection and on the next one; once the store goes
/// on, all that was said arrives.
#[test]
fn a_client_whose_messages_cannot_be_stored_is_not_read() {
    let mut world = World::new(4, "domains = [\"example.com\"]", 1);
    let jid = |name: &str| format!("{name}@example.com");
    let names: Vec<String> = (0..20).map(|number| format!("user{number}")).collect();
    let romeo = names[0].clone();
    let asker = world.home(&jid(&romeo));
    let juliet = names.iter().find(|name| world.home(&jid(name)) != asker).unwrap().clone();
    for name in [&romeo, &juliet] {
        world.add_account(&jid(name), "secret");
    }
    let shard = world.home(&jid(&juliet));
    let mut reader = Client::online(&mut world, asker, &format!("{}/orchard", jid(&romeo)), "secret");
    reader.ask(&mut world, "<presence/>");
    let mut writer = Client::online(&mut world, shard, &format!("{}/balcony", jid(&juliet)), "secret");
    let enabled = writer.ask(&mut world, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let token = enabled[0].attr("id").unwrap().to_owned();
    let message =
        |number: u32| format!("<message type='chat' to='{}' id='{number}'><body>.</body></message>", jid(&romeo));
    let said = |from: u32, upto: u32| (from..upto).map(message).collect::<String>();

    writer.send(&mut world, &said(0, 2_000));
    run_without_store(&mut world, asker, &mut writer);
    // What one read brings goes through: of either connection.
    let most = limits::UNSTORED_STANZAS as u64 + 2 * 64;
    let first = open(&mut world);
    assert!((limits::UNSTORED_STANZAS as u64..most).contains(&first), "{first} are open");
    assert!(world.taken(writer.end) < world.written(writer.end));

    // On a new connection the client sends it all again: what is known is not done twice, and the rest is not read either.
    world.cut(writer.end);
    world.notice(writer.end);
    let mut writer = Client::connect(&mut world, shard, &jid(&juliet), "secret").resuming(&token, 0);
    run_without_store(&mut world, asker, &mut writer);
    writer.send(&mut world, &said(0, 2_000));
    run_without_store(&mut world, asker, &mut writer);
    let second = open(&mut world);
    assert!(second < most, "{second} are open");
    assert!(world.taken(writer.end) < world.written(writer.end));

    writer.settle(&mut world);
    let got = reader.take(&mut world);
    let ids: Vec<&str> =
        got.iter().filter(|stanza| &*stanza.name == "message").filter_map(|one| one.attr("id")).collect();
    assert_eq!(ids, (0..2_000).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(open(&mut world), 0);
}

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
