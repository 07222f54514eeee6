//! What each question about an account does and how it is answered.

use wattle::store::{
    AccountKey, AccountRecord, Answer, PendingRequest, Preferences, Question, RosterItem, StoredSession, Subscription,
};

use super::{create, jid, keep, record, verifiers, waiting};
use crate::store::Handle;

const ROMEO: &str = "romeo@montague.lit";
const JULIET: &str = "juliet@capulet.lit";

pub(super) fn done(handle: &Handle, question: Question) {
    assert_eq!(handle.call(question.clone()), Ok(Answer::Done), "{question:?}");
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

pub(super) fn an_account_is_made_once_and_its_verifiers_change(handle: &Handle) {
    let credentials = || handle.call(Question::Credentials { account: jid(ROMEO) });
    assert_eq!(credentials(), Ok(Answer::Credentials(None)));
    assert_eq!(handle.call(Question::Account { account: jid(ROMEO) }), Ok(Answer::Account(None)));
    done(handle, create(ROMEO));
    assert_eq!(credentials(), Ok(Answer::Credentials(Some(verifiers(1)))));
    assert_eq!(record(handle, ROMEO), AccountRecord { key: AccountKey(1), ..AccountRecord::default() });
    let again = Question::CreateAccount { account: jid(ROMEO), verifiers: verifiers(50), at_ms: 2 };
    assert_eq!(handle.call(again), Ok(Answer::Exists));
    assert_eq!(credentials(), Ok(Answer::Credentials(Some(verifiers(1)))));
    done(handle, Question::SetVerifiers { account: jid(ROMEO), verifiers: verifiers(100) });
    assert_eq!(credentials(), Ok(Answer::Credentials(Some(verifiers(100)))));
    let missing = Question::SetVerifiers { account: jid(JULIET), verifiers: verifiers(1) };
    assert_eq!(handle.call(missing), Ok(Answer::Missing));
}

pub(super) fn accounts_are_listed_in_order_page_by_page(handle: &Handle) {
    for name in ["c@example.org", "a@example.org", "d@example.net", "b@example.org", "é@example.org"] {
        done(handle, create(name));
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

pub(super) fn a_roster_item_is_replaced_and_sets_the_version(handle: &Handle) {
    assert_eq!(handle.call(save(ROMEO, item(JULIET, 1))), Ok(Answer::Missing));
    done(handle, create(ROMEO));
    done(handle, save(ROMEO, item(JULIET, 1)));
    let second = RosterItem {
        name: None,
        subscription: Subscription::None,
        ask: true,
        approved: false,
        groups: Vec::new(),
        ..item("benvolio@montague.lit", 2)
    };
    done(handle, save(ROMEO, second.clone()));
    let stored = record(handle, ROMEO);
    assert_eq!(stored.roster, [second.clone(), item(JULIET, 1)]);
    assert_eq!((stored.roster_version, stored.roster_removed_version), (2, 0));

    let renamed = RosterItem {
        name: Some("".into()),
        groups: vec!["".into()],
        subscription: Subscription::To,
        ..item(JULIET, 3)
    };
    done(handle, save(ROMEO, renamed.clone()));
    let stored = record(handle, ROMEO);
    assert_eq!(stored.roster, [second.clone(), renamed]);
    assert_eq!((stored.roster_version, stored.roster_removed_version), (3, 0));

    done(handle, Question::RemoveRosterItem { account: jid(ROMEO), contact: jid(JULIET), version: 4 });
    let stored = record(handle, ROMEO);
    assert_eq!(stored.roster, [second]);
    assert_eq!((stored.roster_version, stored.roster_removed_version), (4, 4));
}

pub(super) fn every_subscription_state_comes_back(handle: &Handle) {
    done(handle, create(ROMEO));
    for subscription in [Subscription::None, Subscription::To, Subscription::From, Subscription::Both] {
        done(handle, save(ROMEO, RosterItem { subscription, ..item(JULIET, 1) }));
        assert_eq!(record(handle, ROMEO).roster[0].subscription, subscription);
    }
}

pub(super) fn a_contact_has_one_request(handle: &Handle) {
    done(handle, create(ROMEO));
    let request = |text: &str| PendingRequest { from: jid(JULIET), stanza: text.as_bytes().into() };
    let ask = |text: &str| Question::SaveRequest { account: jid(ROMEO), request: request(text) };
    done(handle, ask("<presence type='subscribe'/>"));
    done(handle, ask("<presence type='subscribe'><status>Hi</status></presence>"));
    let stored = record(handle, ROMEO).requests;
    assert_eq!(stored, [request("<presence type='subscribe'><status>Hi</status></presence>")]);
    done(handle, Question::RemoveRequest { account: jid(ROMEO), from: jid(JULIET) });
    assert_eq!(record(handle, ROMEO).requests, []);
}

pub(super) fn private_elements_are_limited_and_replaced(handle: &Handle) {
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
    done(handle, create(ROMEO));
    assert_eq!(read("a"), None);
    done(handle, save("a", "<a/>"));
    done(handle, save("b", "<b/>"));
    assert_eq!(handle.call(save("c", "<c/>")), Ok(Answer::Full));
    done(handle, save("b", "<b>new</b>"));
    assert_eq!((read("a").unwrap(), read("b").unwrap(), read("c")), ("<a/>".into(), "<b>new</b>".into(), None));
}

pub(super) fn vcard_blocklist_and_last_presence_are_kept(handle: &Handle) {
    done(handle, create(ROMEO));
    assert_eq!(handle.call(Question::ReadVcard { account: jid(ROMEO) }), Ok(Answer::Xml(None)));
    for xml in [b"<vCard/>".as_slice(), b"<vCard xmlns='vcard-temp'/>"] {
        done(handle, Question::SaveVcard { account: jid(ROMEO), xml: xml.into() });
        assert_eq!(handle.call(Question::ReadVcard { account: jid(ROMEO) }), Ok(Answer::Xml(Some(xml.into()))));
    }

    let block =
        |jids: &[&str]| Question::Block { account: jid(ROMEO), jids: jids.iter().map(|text| jid(text)).collect() };
    let unblock =
        |jids: &[&str]| Question::Unblock { account: jid(ROMEO), jids: jids.iter().map(|text| jid(text)).collect() };
    done(handle, block(&["b@x.org", "a@x.org"]));
    done(handle, block(&["c@x.org/phone", "a@x.org"]));
    assert_eq!(record(handle, ROMEO).blocked, [jid("a@x.org"), jid("b@x.org"), jid("c@x.org/phone")]);
    done(handle, unblock(&["a@x.org", "nobody@x.org"]));
    assert_eq!(record(handle, ROMEO).blocked, [jid("b@x.org"), jid("c@x.org/phone")]);
    done(handle, unblock(&[]));
    assert_eq!(record(handle, ROMEO).blocked, []);

    done(handle, Question::SaveLast { account: jid(ROMEO), at_ms: 5, status: "".into() });
    assert_eq!(record(handle, ROMEO).last, Some((5, "".into())));
    done(handle, Question::SaveLast { account: jid(ROMEO), at_ms: 6, status: "gone".into() });
    assert_eq!(record(handle, ROMEO).last, Some((6, "gone".into())));
}

/// Gives an account something of everything. Its number is `key`.
pub(super) fn fill(handle: &Handle, account: &str, key: AccountKey) {
    let jid_ = jid(account);
    done(handle, create(account));
    done(handle, save(account, item("nurse@capulet.lit", 1)));
    let request = PendingRequest { from: jid("paris@verona.lit"), stanza: (*b"<presence/>").into() };
    done(handle, Question::SaveRequest { account: jid_.clone(), request });
    done(handle, keep(account, key, 1 << 20, "<message/>"));
    let (namespace, name, xml) = ("n".into(), "n".into(), (*b"<n/>").into());
    done(handle, Question::SavePrivate { account: jid_.clone(), namespace, name, xml, limit: 9 });
    done(handle, Question::SaveVcard { account: jid_.clone(), xml: (*b"<vCard/>").into() });
    let session = Box::new(StoredSession { number: 3, floor: 0, state: (*b"state").into() });
    done(handle, Question::SaveSession { account: jid_.clone(), key, session, forget_upto: 0 });
    let preferences = Box::new(Preferences { always: vec![jid("a@x.org")], ..Preferences::default() });
    done(handle, Question::SavePreferences { account: jid_.clone(), preferences });
    done(handle, Question::Block { account: jid_, jids: vec![jid("tybalt@capulet.lit")] });
}

pub(super) fn an_account_made_again_has_nothing_of_the_old_one(handle: &Handle) {
    for (account, key) in [(ROMEO, 1), (JULIET, 2)] {
        fill(handle, account, AccountKey(key));
        assert_eq!(record(handle, account).key, AccountKey(key));
    }
    done(handle, Question::RemoveAccount { account: jid(JULIET) });
    assert_eq!(record(handle, ROMEO).roster.len(), 1);
    assert_eq!(handle.call(Question::RemoveAccount { account: jid(JULIET) }), Ok(Answer::Missing));
    // What comes too late for the old one is nothing to the new one.
    done(handle, keep(JULIET, AccountKey(2), 5, "late"));
    done(handle, create(JULIET));
    assert_eq!(record(handle, JULIET), AccountRecord { key: AccountKey(3), ..AccountRecord::default() });
    assert_eq!(waiting(handle, JULIET), Vec::<String>::new());
    assert_eq!(waiting(handle, ROMEO), ["<message/>"]);
}
