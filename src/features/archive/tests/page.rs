//! Pages of messages that the store does not find alone: those of one resource, and never those that only look alike.

use crate::account::Account;
use crate::archive_id::IdKey;
use crate::config::Config;
use crate::features::archive::Archive;
use crate::features::archive::page::{Progress, take};
use crate::features::archive::query;
use crate::jid::Jid;
use crate::limits::ARCHIVE_PAGE_BYTES;
use crate::ns;
use crate::reading::Reading;
use crate::session::SessionId;
use crate::stanza::{IqType, Kind, MessageType, Stanza};
use crate::store::{AccountRecord, ArchivePage, ArchiveQuery, Archived};
use crate::xml::Element;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn message(id: u64, from: &str, to: &str, body: &str) -> Archived {
    let stanza = Stanza::new(Kind::Message(MessageType::Chat), Some(jid(from)), Some(jid(to)));
    let mut bytes = Vec::new();
    stanza.with_payload(format!("<body>{body}</body>").as_bytes()).write_to(&mut bytes);
    Archived { id, stanza: bytes.into() }
}

fn account() -> Account {
    Account::new(jid("juliet@example.com"), AccountRecord::default(), IdKey::new(&[7; 32], "ids"))
}

fn reading(fields: &str, set: &str) -> Reading {
    let request = format!(
        "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>{fields}</x>\
         <set xmlns='http://jabber.org/protocol/rsm'>{set}</set></query>"
    );
    let request = Element::parse(request.as_bytes(), ns::CLIENT).unwrap();
    let iq = Stanza::new(Kind::Iq(IqType::Set), None, None);
    query::read(&Archive::of(&account()), SessionId(1), &iq, &request, &Config::default()).unwrap()
}

/// What a store answers that knows nothing but ids.
fn answer(all: &[Archived], query: &ArchiveQuery) -> ArchivePage {
    let mut found: Vec<_> = all.iter().filter(|one| (query.from..=query.upto).contains(&one.id)).cloned().collect();
    let complete = found.len() <= query.limit as usize;
    if query.last {
        drop(found.drain(..found.len().saturating_sub(query.limit as usize)));
    } else {
        found.truncate(query.limit as usize);
    }
    ArchivePage { messages: found, complete, count: None }
}

/// The page, whether it is the last, and how many questions it took.
fn read(all: &[Archived], mut reading: Reading) -> (Vec<u64>, bool, usize) {
    for questions in 1.. {
        let page = answer(all, &reading.query);
        if let Progress::Done(complete, _) = take(&mut reading, page) {
            return (reading.found.iter().map(|message| message.id).collect(), complete, questions);
        }
    }
    unreachable!()
}

/// 2,000 messages of Romeo, one of seven from his phone.
fn two_devices() -> (Vec<Archived>, Vec<u64>) {
    let from = |id| if id % 7 == 0 { "romeo@example.net/phone" } else { "romeo@example.net/orchard" };
    let all = (1..=2_000).map(|id| message(id, from(id), "juliet@example.com", "x")).collect();
    (all, (1..=2_000).filter(|id| id % 7 == 0).collect())
}

const OF_PHONE: &str = "<field var='with'><value>romeo@example.net/phone</value></field>";

#[test]
fn a_resource_is_paged_forwards_and_each_message_comes_once() {
    let (all, wanted) = two_devices();
    let (mut got, mut set) = (Vec::new(), "<max>50</max>".to_owned());
    loop {
        let (ids, complete, _) = read(&all, reading(OF_PHONE, &set));
        assert!(ids.len() == 50 || complete);
        set = format!("<max>50</max><after>{}</after>", account().ids.text(*ids.last().unwrap()));
        got.extend(ids);
        if complete {
            break;
        }
    }
    assert_eq!(got, wanted);
}

#[test]
fn a_resource_is_paged_backwards_and_each_message_comes_once() {
    let (all, wanted) = two_devices();
    let (mut got, mut set) = (Vec::new(), "<max>50</max><before/>".to_owned());
    loop {
        let (ids, complete, _) = read(&all, reading(OF_PHONE, &set));
        assert!(ids.len() == 50 || complete);
        set = format!("<max>50</max><before>{}</before>", account().ids.text(ids[0]));
        got.splice(0..0, ids);
        if complete {
            break;
        }
    }
    assert_eq!(got, wanted);
}

#[test]
fn who_never_wrote_is_looked_for_to_the_end() {
    let (all, _) = two_devices();
    let stranger = "<field var='with'><value>romeo@example.net/tomb</value></field>";
    assert_eq!(read(&all, reading(stranger, "")), (vec![], true, 8));
    assert_eq!(read(&all, reading(stranger, "<before/>")), (vec![], true, 8));
}

#[test]
fn a_conversation_has_no_message_of_another_with_the_same_hash() {
    let all: Vec<_> = (1..=100)
        .map(|id| match id % 3 {
            0 => message(id, "tybalt@example.org/x", "juliet@example.com", "romeo@example.net"),
            1 => message(id, "juliet@example.com/balcony", "romeo@example.net", "x"),
            _ => message(id, "romeo@example.net/orchard", "juliet@example.com", "x"),
        })
        .collect();
    let wanted: Vec<_> = (1..=100).filter(|id| id % 3 > 0).collect();
    let with = "<field var='with'><value>romeo@example.net</value></field>";
    assert_eq!(read(&all, reading(with, "<max>100</max>")), (wanted.clone(), true, 1));
    let (ids, complete, _) = read(&all, reading(with, "<max>40</max>"));
    assert_eq!((ids, complete), (wanted[..40].to_vec(), false));
}

#[test]
fn oneself_is_who_wrote_and_who_got_it() {
    let all = [
        message(1, "juliet@example.com/balcony", "juliet@example.com", "x"),
        message(2, "juliet@example.com/balcony", "romeo@example.net", "x"),
        message(3, "juliet@example.com/phone", "juliet@example.com/balcony", "x"),
        message(4, "romeo@example.net/orchard", "juliet@example.com/phone", "x"),
    ];
    let with = |who| format!("<field var='with'><value>juliet@example.com{who}</value></field>");
    assert_eq!(read(&all, reading(&with(""), "")).0, [1, 3]);
    assert_eq!(read(&all, reading(&with("/balcony"), "")).0, [1, 2, 3]);
    assert_eq!(read(&all, reading(&with("/phone"), "")).0, [3, 4]);
}

#[test]
fn messages_of_a_resource_stay_within_the_bytes_of_a_page() {
    let body = "x".repeat(60_000);
    let all: Vec<_> = (1..=2_000)
        .map(|id| {
            let from = if id % 100 == 0 { "romeo@example.net/phone" } else { "romeo@example.net/orchard" };
            message(id, from, "juliet@example.com", if id % 100 == 0 { &body } else { "x" })
        })
        .collect();
    let (ids, complete, _) = read(&all, reading(OF_PHONE, ""));
    assert!(!complete);
    assert!(ids.len() >= ARCHIVE_PAGE_BYTES as usize / 61_000 && ids.len() < 12, "{}", ids.len());
}
