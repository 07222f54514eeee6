//! What each question does and how it is answered.

use wattle::store::{
    AccountRecord, Answer, OfflineMessage, PendingRequest, Question, RosterItem, StoreFault, Subscription,
};

use super::{Folder, create, jid, push, verifiers, waiting};
use crate::store::Handle;

const ROMEO: &str = "romeo@montague.lit";
const JULIET: &str = "juliet@capulet.lit";

fn done(handle: &Handle, question: Question) {
    assert_eq!(handle.call(question.clone()), Ok(Answer::Done), "{question:?}");
}

fn record(handle: &Handle, account: &str) -> AccountRecord {
    match handle.call(Question::Account { account: jid(account) }) {
        Ok(Answer::Account(Some(record))) => *record,
        other => panic!("{other:?}"),
    }
}

fn item(contact: &str, version: u64) -> RosterItem {
    RosterItem {
        jid: jid(contact),
        name: Some("Juliet".into()),
        subscription: Subscription::Both,
        ask: false,
        approved: true,
        groups: vec!["Friends".into(), "Capulets & co".into()],
        version,
    }
}

fn save(account: &str, item: RosterItem) -> Question {
    Question::SaveRosterItem { account: jid(account), item: Box::new(item) }
}

#[test]
fn an_account_is_made_once_and_its_verifiers_change() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    let credentials = || handle.call(Question::Credentials { account: jid(ROMEO) });
    assert_eq!(credentials(), Ok(Answer::Credentials(None)));
    assert_eq!(handle.call(Question::Account { account: jid(ROMEO) }), Ok(Answer::Account(None)));
    done(&handle, create(ROMEO));
    assert_eq!(credentials(), Ok(Answer::Credentials(Some(verifiers(1)))));
    assert_eq!(record(&handle, ROMEO), AccountRecord::default());
    let again = Question::CreateAccount { account: jid(ROMEO), verifiers: verifiers(50), at_ms: 2 };
    assert_eq!(handle.call(again), Ok(Answer::Exists));
    assert_eq!(credentials(), Ok(Answer::Credentials(Some(verifiers(1)))));
    done(&handle, Question::SetVerifiers { account: jid(ROMEO), verifiers: verifiers(100) });
    assert_eq!(credentials(), Ok(Answer::Credentials(Some(verifiers(100)))));
    let missing = Question::SetVerifiers { account: jid(JULIET), verifiers: verifiers(1) };
    assert_eq!(handle.call(missing), Ok(Answer::Missing));
}

#[test]
fn accounts_are_listed_in_order_page_by_page() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    for name in ["c@example.org", "a@example.org", "d@example.net", "b@example.org", "é@example.org"] {
        done(&handle, create(name));
    }
    let page =
        |after: Option<&str>, limit| match handle.call(Question::ListAccounts { after: after.map(Box::from), limit }) {
            Ok(Answer::Accounts(jids)) => jids.iter().map(|jid| jid.to_string()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
    assert_eq!(page(None, 2), ["a@example.org", "b@example.org"]);
    assert_eq!(page(Some("b@example.org"), 2), ["c@example.org", "d@example.net"]);
    assert_eq!(page(Some("d@example.net"), 9), ["é@example.org"]);
    assert_eq!(page(Some("é@example.org"), 9), Vec::<String>::new());
}

#[test]
fn a_roster_item_is_replaced_and_sets_the_version() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    assert_eq!(handle.call(save(ROMEO, item(JULIET, 1))), Ok(Answer::Missing));
    done(&handle, create(ROMEO));
    done(&handle, save(ROMEO, item(JULIET, 1)));
    let second = RosterItem {
        name: None,
        subscription: Subscription::None,
        ask: true,
        approved: false,
        groups: Vec::new(),
        ..item("benvolio@montague.lit", 2)
    };
    done(&handle, save(ROMEO, second.clone()));
    let stored = record(&handle, ROMEO);
    assert_eq!(stored.roster, [second.clone(), item(JULIET, 1)]);
    assert_eq!((stored.roster_version, stored.roster_removed_version), (2, 0));

    let renamed = RosterItem {
        name: Some("".into()),
        groups: vec!["".into()],
        subscription: Subscription::To,
        ..item(JULIET, 3)
    };
    done(&handle, save(ROMEO, renamed.clone()));
    let stored = record(&handle, ROMEO);
    assert_eq!(stored.roster, [second.clone(), renamed]);
    assert_eq!((stored.roster_version, stored.roster_removed_version), (3, 0));

    done(&handle, Question::RemoveRosterItem { account: jid(ROMEO), contact: jid(JULIET), version: 4 });
    let stored = record(&handle, ROMEO);
    assert_eq!(stored.roster, [second]);
    assert_eq!((stored.roster_version, stored.roster_removed_version), (4, 4));
}

#[test]
fn every_subscription_state_comes_back() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    done(&handle, create(ROMEO));
    for subscription in [Subscription::None, Subscription::To, Subscription::From, Subscription::Both] {
        done(&handle, save(ROMEO, RosterItem { subscription, ..item(JULIET, 1) }));
        assert_eq!(record(&handle, ROMEO).roster[0].subscription, subscription);
    }
}

#[test]
fn a_contact_has_one_request() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    done(&handle, create(ROMEO));
    let request = |text: &str| PendingRequest { from: jid(JULIET), stanza: text.as_bytes().into() };
    let ask = |text: &str| Question::SaveRequest { account: jid(ROMEO), request: request(text) };
    done(&handle, ask("<presence type='subscribe'/>"));
    done(&handle, ask("<presence type='subscribe'><status>Hi</status></presence>"));
    let stored = record(&handle, ROMEO).requests;
    assert_eq!(stored, [request("<presence type='subscribe'><status>Hi</status></presence>")]);
    done(&handle, Question::RemoveRequest { account: jid(ROMEO), from: jid(JULIET) });
    assert_eq!(record(&handle, ROMEO).requests, []);
}

#[test]
fn offline_messages_wait_in_order_up_to_the_limit() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    let push = |stanza: &str, at_ms| Question::PushOffline {
        account: jid(ROMEO),
        at_ms,
        stanza: stanza.as_bytes().into(),
        limit: 3,
    };
    assert_eq!(handle.call(push("<message/>", 1)), Ok(Answer::Missing));
    done(&handle, create(ROMEO));
    for (number, stanza) in ["one", "two", "three"].into_iter().enumerate() {
        done(&handle, push(stanza, 100 + number as u64));
    }
    assert_eq!(handle.call(push("four", 103)), Ok(Answer::Full));
    assert_eq!(record(&handle, ROMEO).offline, 3);

    let read = |after, limit| match handle.call(Question::ReadOffline { account: jid(ROMEO), after, limit }) {
        Ok(Answer::Offline(messages)) => messages,
        other => panic!("{other:?}"),
    };
    let all = read(0, 10);
    let texts: Vec<_> = all.iter().map(|OfflineMessage { at_ms, stanza, .. }| (*at_ms, &**stanza)).collect();
    assert_eq!(texts, [(100, b"one".as_slice()), (101, b"two"), (102, b"three")]);
    assert_eq!(read(0, 2), all[..2]);
    assert_eq!(read(all[1].sequence, 10), all[2..]);

    done(&handle, Question::DropOffline { account: jid(ROMEO), upto: all[1].sequence });
    assert_eq!(read(0, 10), all[2..]);
    done(&handle, Question::DropOffline { account: jid(ROMEO), upto: u64::MAX });
    assert_eq!(record(&handle, ROMEO).offline, 0);
    // What arrives now is newer than everything that was ever read.
    done(&handle, push("five", 104));
    assert_eq!(read(all[2].sequence, 10).len(), 1);
}

#[test]
fn a_sequence_is_never_used_again() {
    let folder = Folder::new();
    let sequence = |handle: &Handle| {
        done(handle, push(ROMEO, "x"));
        let read = handle.call(Question::ReadOffline { account: jid(ROMEO), after: 0, limit: 9 });
        done(handle, Question::DropOffline { account: jid(ROMEO), upto: u64::MAX });
        match read {
            Ok(Answer::Offline(messages)) => messages[0].sequence,
            other => panic!("{other:?}"),
        }
    };
    let mut last = 0;
    for round in 0..3 {
        let store = folder.open();
        if round == 0 {
            done(&store.handle(), create(ROMEO));
        }
        for _ in 0..2 {
            let next = sequence(&store.handle());
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }
}

#[test]
fn private_elements_are_limited_and_replaced() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    let save = |name: &str, xml: &str| Question::SavePrivate {
        account: jid(ROMEO),
        namespace: "storage:bookmarks".into(),
        name: name.into(),
        xml: xml.as_bytes().into(),
        limit: 2,
    };
    let read = |name: &str| {
        let question =
            Question::ReadPrivate { account: jid(ROMEO), namespace: "storage:bookmarks".into(), name: name.into() };
        match handle.call(question) {
            Ok(Answer::Xml(xml)) => xml.map(|xml| String::from_utf8(xml.into()).unwrap()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(handle.call(save("a", "<a/>")), Ok(Answer::Missing));
    done(&handle, create(ROMEO));
    assert_eq!(read("a"), None);
    done(&handle, save("a", "<a/>"));
    done(&handle, save("b", "<b/>"));
    assert_eq!(handle.call(save("c", "<c/>")), Ok(Answer::Full));
    done(&handle, save("b", "<b>new</b>"));
    assert_eq!((read("a").unwrap(), read("b").unwrap(), read("c")), ("<a/>".into(), "<b>new</b>".into(), None));
}

#[test]
fn vcard_blocklist_and_last_presence_are_kept() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    done(&handle, create(ROMEO));
    assert_eq!(handle.call(Question::ReadVcard { account: jid(ROMEO) }), Ok(Answer::Xml(None)));
    for xml in [b"<vCard/>".as_slice(), b"<vCard xmlns='vcard-temp'/>"] {
        done(&handle, Question::SaveVcard { account: jid(ROMEO), xml: xml.into() });
        assert_eq!(handle.call(Question::ReadVcard { account: jid(ROMEO) }), Ok(Answer::Xml(Some(xml.into()))));
    }

    let block =
        |jids: &[&str]| Question::Block { account: jid(ROMEO), jids: jids.iter().map(|text| jid(text)).collect() };
    let unblock =
        |jids: &[&str]| Question::Unblock { account: jid(ROMEO), jids: jids.iter().map(|text| jid(text)).collect() };
    done(&handle, block(&["b@x.org", "a@x.org"]));
    done(&handle, block(&["c@x.org/phone", "a@x.org"]));
    assert_eq!(record(&handle, ROMEO).blocked, [jid("a@x.org"), jid("b@x.org"), jid("c@x.org/phone")]);
    done(&handle, unblock(&["a@x.org", "nobody@x.org"]));
    assert_eq!(record(&handle, ROMEO).blocked, [jid("b@x.org"), jid("c@x.org/phone")]);
    done(&handle, unblock(&[]));
    assert_eq!(record(&handle, ROMEO).blocked, []);

    done(&handle, Question::SaveLast { account: jid(ROMEO), at_ms: 5, status: "".into() });
    assert_eq!(record(&handle, ROMEO).last, Some((5, "".into())));
    done(&handle, Question::SaveLast { account: jid(ROMEO), at_ms: 6, status: "gone".into() });
    assert_eq!(record(&handle, ROMEO).last, Some((6, "gone".into())));
}

#[test]
fn removing_an_account_leaves_no_trace() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    for account in [ROMEO, JULIET] {
        let jid_ = jid(account);
        done(&handle, create(account));
        done(&handle, save(account, item("nurse@capulet.lit", 1)));
        let request = PendingRequest { from: jid("paris@verona.lit"), stanza: (*b"<presence/>").into() };
        done(&handle, Question::SaveRequest { account: jid_.clone(), request });
        done(&handle, push(account, "<message/>"));
        let (namespace, name, xml) = ("n".into(), "n".into(), (*b"<n/>").into());
        done(&handle, Question::SavePrivate { account: jid_.clone(), namespace, name, xml, limit: 9 });
        done(&handle, Question::SaveVcard { account: jid_.clone(), xml: (*b"<vCard/>").into() });
        done(&handle, Question::Block { account: jid_, jids: vec![jid("tybalt@capulet.lit")] });
    }
    let rows = || -> Vec<(String, u32)> {
        let conn = folder.connect();
        let mut tables = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
        let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let count = |table: &String| conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        tables.into_iter().map(|table| (table.clone(), count(&table).unwrap())).collect()
    };
    let (ours, others) = (["counter", "fact"], rows());
    assert!(others.iter().all(|(table, rows)| ours.contains(&table.as_str()) || *rows == 2), "{others:?}");
    assert_eq!(handle.call(Question::RemoveAccount { account: jid(ROMEO) }), Ok(Answer::Done));
    assert!(rows().iter().all(|(table, rows)| ours.contains(&table.as_str()) || *rows == 1), "{:?}", rows());
    assert_eq!(record(&handle, JULIET).roster.len(), 1);
    assert_eq!(handle.call(Question::RemoveAccount { account: jid(ROMEO) }), Ok(Answer::Missing));
    // Made again under the same address, it has nothing of the old one.
    done(&handle, create(ROMEO));
    assert_eq!(record(&handle, ROMEO), AccountRecord::default());
    assert_eq!(waiting(&handle, ROMEO), Vec::<String>::new());
}

#[test]
fn a_closed_store_answers_that_it_failed() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    drop(store);
    assert_eq!(handle.call(create(ROMEO)), Err(StoreFault::Failed));
    assert_eq!(handle.call(Question::Account { account: jid(ROMEO) }), Err(StoreFault::Failed));
    assert_eq!(handle.counters().waiting, 0);
}
