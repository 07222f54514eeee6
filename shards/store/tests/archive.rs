//! What each question about stored messages does and how it is answered.

use wattle::jid::Jid;
use wattle::limits::ARCHIVE_COUNTED;
use wattle::store::{
    AccountKey, Answer, ArchiveDefault, ArchivePage, ArchiveQuery, Archived, Entry, Keep, Preferences, Question,
    StoredSession, Traced, Uses,
};

use super::questions::done;
use super::{create, jid, record};
use crate::store::Handle;

const ROMEO: &str = "romeo@montague.lit";
const JULIET: &str = "juliet@capulet.lit";
const ROMEOS: AccountKey = AccountKey(1);
const JULIETS: AccountKey = AccountKey(2);

const NEITHER: Uses = Uses { archived: false, waits: false };
const WAITS: Uses = Uses { archived: false, waits: true };
const ARCHIVED: Uses = Uses { archived: true, waits: false };
const BOTH: Uses = Uses { archived: true, waits: true };

fn entry(key: AccountKey, id: u64, uses: Uses) -> Entry {
    Entry { key, id, peer: 7, uses, trace: format!("trace {id}").into_bytes().into() }
}

fn keep(handle: &Handle, stanza: &str, entries: Vec<Entry>) {
    let keep = Keep { account: jid(ROMEO), stanza: stanza.as_bytes().into(), entries };
    done(handle, Question::Keep(Box::new(keep)));
}

/// Messages of Romeo's archive, whose text is their id.
fn fill(handle: &Handle, ids: impl IntoIterator<Item = u64>) {
    for id in ids {
        keep(handle, &id.to_string(), vec![Entry { peer: id % 2, ..entry(ROMEOS, id, ARCHIVED) }]);
    }
}

fn query() -> ArchiveQuery {
    ArchiveQuery {
        account: jid(ROMEO),
        key: ROMEOS,
        peer: None,
        from: 0,
        upto: u64::MAX,
        ids: Vec::new(),
        beside: None,
        last: false,
        limit: 100,
        bytes: 100_000,
        count: false,
    }
}

fn page(handle: &Handle, query: ArchiveQuery) -> ArchivePage {
    match handle.call(Question::ReadArchive(Box::new(query))) {
        Ok(Answer::Page(page)) => *page,
        other => panic!("{other:?}"),
    }
}

/// The ids of a page, and whether it is complete. Their texts are as they were stored.
fn ids(handle: &Handle, query: ArchiveQuery) -> (Vec<u64>, bool) {
    let page = page(handle, query);
    assert!(page.messages.iter().all(|message| *message.stanza == *message.id.to_string().as_bytes()));
    (page.messages.iter().map(|message| message.id).collect(), page.complete)
}

fn waiting(handle: &Handle, account: &str, key: AccountKey, after: u64, limit: u32) -> Vec<u64> {
    match handle.call(Question::ReadWaiting { account: jid(account), key, after, limit }) {
        Ok(Answer::Messages(messages)) => messages.into_iter().map(|message| message.id).collect(),
        other => panic!("{other:?}"),
    }
}

fn ends(handle: &Handle, upto: u64) -> Vec<Archived> {
    match handle.call(Question::ArchiveEnds { account: jid(ROMEO), key: ROMEOS, upto }) {
        Ok(Answer::Messages(messages)) => messages,
        other => panic!("{other:?}"),
    }
}

fn replace(id: u64, stanza: &str) -> Question {
    Question::Replace { account: jid(ROMEO), key: ROMEOS, id, stanza: stanza.as_bytes().into() }
}

fn save(account: &str, key: AccountKey, number: u8, floor: u64, forget_upto: u64) -> Question {
    let session = Box::new(StoredSession { number, floor, state: format!("{number} {floor}").into_bytes().into() });
    Question::SaveSession { account: jid(account), key, session, forget_upto }
}

/// The ids of everything that is kept for Romeo, as a session sees it that knows nothing.
fn all(handle: &Handle) -> Vec<u64> {
    done(handle, save(ROMEO, ROMEOS, 255, 0, 0));
    let since = record(handle, ROMEO).since;
    done(handle, Question::DropSession { account: jid(ROMEO), key: ROMEOS, number: 255, forget_upto: 0 });
    since.into_iter().map(|message| message.id).collect()
}

pub(super) fn a_message_is_kept_for_both_sides(handle: &Handle) {
    done(handle, create(ROMEO));
    done(handle, create(JULIET));
    keep(handle, "hello", vec![entry(ROMEOS, 5 << 20, ARCHIVED), entry(JULIETS, 9 << 20, BOTH)]);
    let hello = |id| vec![Archived { id, stanza: (*b"hello").into() }];
    assert_eq!(page(handle, query()).messages, hello(5 << 20));
    let juliets = ArchiveQuery { account: jid(JULIET), key: JULIETS, ..query() };
    assert_eq!(page(handle, juliets).messages, hello(9 << 20));
    let (romeo, juliet) = (record(handle, ROMEO), record(handle, JULIET));
    assert_eq!((romeo.newest, romeo.waiting), (5 << 20, 0));
    assert_eq!((juliet.newest, juliet.waiting), (9 << 20, 1));
}

/// Also within one statement of many rows.
pub(super) fn an_id_that_is_there_stays_as_it_is(handle: &Handle) {
    done(handle, create(ROMEO));
    keep(handle, "first", vec![entry(ROMEOS, 3, ARCHIVED)]);
    keep(handle, "second", vec![entry(ROMEOS, 3, WAITS), entry(ROMEOS, 4, ARCHIVED), entry(ROMEOS, 4, ARCHIVED)]);
    let texts: Vec<_> = page(handle, query()).messages.into_iter().map(|message| message.stanza).collect();
    assert_eq!(texts, [(*b"first").into(), (*b"second").into()]);
    assert_eq!(record(handle, ROMEO).waiting, 0);
}

/// However many rows a statement takes: none is lost, none is taken for another.
pub(super) fn many_entries_of_one_message_are_kept(handle: &Handle) {
    done(handle, create(ROMEO));
    let mut next = 1;
    for rows in [1, 7, 8, 9, 63, 64, 65, 72, 73, 200] {
        let entries = (next..next + rows).map(|id| Entry { peer: id, ..entry(ROMEOS, id, ARCHIVED) }).collect();
        keep(handle, "x", entries);
        next += rows;
    }
    done(handle, save(ROMEO, ROMEOS, 0, 0, 0));
    let since = record(handle, ROMEO).since;
    let expected = |id: u64| Traced {
        id,
        uses: ARCHIVED,
        trace: format!("trace {id}").into_bytes().into(),
        stanza: (*b"x").into(),
    };
    assert_eq!(since, (1..next).map(expected).collect::<Vec<_>>());
    let of_peer = |peer| page(handle, ArchiveQuery { peer: Some(peer), ..query() }).messages;
    assert!((1..next).all(|id| of_peer(id).len() == 1 && of_peer(id)[0].id == id));
}

pub(super) fn waiting_messages_are_read_in_order_until_they_wait_no_longer(handle: &Handle) {
    done(handle, create(ROMEO));
    done(handle, create(JULIET));
    for (id, uses) in [(1, WAITS), (2, ARCHIVED), (3, BOTH), (4, WAITS), (5, NEITHER), (6, BOTH)] {
        keep(handle, "x", vec![entry(ROMEOS, id, uses), entry(JULIETS, id, WAITS)]);
    }
    let of_romeo = |after, limit| waiting(handle, ROMEO, ROMEOS, after, limit);
    assert_eq!(of_romeo(0, 10), [1, 3, 4, 6]);
    assert_eq!(of_romeo(1, 2), [3, 4]);
    assert_eq!(record(handle, ROMEO).waiting, 4);
    done(handle, Question::EndWaiting { account: jid(ROMEO), key: ROMEOS, ids: vec![1, 2, 3, 5, 77] });
    assert_eq!(of_romeo(0, 10), [4, 6]);
    let again = Question::KeepWaiting { account: jid(ROMEO), key: ROMEOS, ids: vec![2, 5, 6, 77] };
    done(handle, again);
    assert_eq!(of_romeo(0, 10), [2, 4, 5, 6]);
    done(handle, Question::EndWaiting { account: jid(ROMEO), key: ROMEOS, ids: vec![2, 4, 5, 6] });
    assert_eq!((of_romeo(0, 10), record(handle, ROMEO).waiting), (vec![], 0));
    // Of the archive nothing is gone, and of the other account's messages neither.
    assert_eq!(page(handle, query()).messages.iter().map(|message| message.id).collect::<Vec<_>>(), [2, 3, 6]);
    assert_eq!(waiting(handle, JULIET, JULIETS, 0, 10), [1, 2, 3, 4, 5, 6]);
}

pub(super) fn pages_go_forwards_and_backwards(handle: &Handle) {
    done(handle, create(ROMEO));
    assert_eq!(page(handle, query()), ArchivePage { complete: true, ..ArchivePage::default() });
    fill(handle, 1..=10);
    keep(handle, "not archived", vec![entry(ROMEOS, 11, WAITS), entry(ROMEOS, 12, NEITHER)]);
    keep(handle, "of another", vec![entry(JULIETS, 5, ARCHIVED)]);
    assert_eq!(ids(handle, query()), ((1..=10).collect(), true));
    assert_eq!(ids(handle, ArchiveQuery { limit: 4, ..query() }), (vec![1, 2, 3, 4], false));
    assert_eq!(ids(handle, ArchiveQuery { limit: 10, ..query() }), ((1..=10).collect(), true));
    assert_eq!(ids(handle, ArchiveQuery { limit: 4, last: true, ..query() }), (vec![7, 8, 9, 10], false));
    let part = ArchiveQuery { from: 4, upto: 8, ..query() };
    assert_eq!(ids(handle, part.clone()), (vec![4, 5, 6, 7, 8], true));
    assert_eq!(ids(handle, ArchiveQuery { limit: 2, ..part.clone() }), (vec![4, 5], false));
    assert_eq!(ids(handle, ArchiveQuery { limit: 2, last: true, ..part.clone() }), (vec![7, 8], false));
    assert_eq!(ids(handle, ArchiveQuery { peer: Some(1), ..part.clone() }), (vec![5, 7], true));
    let odd = ArchiveQuery { peer: Some(1), limit: 2, last: true, ..query() };
    assert_eq!(ids(handle, odd), (vec![7, 9], false));
    assert_eq!(ids(handle, ArchiveQuery { peer: Some(9), ..query() }), (vec![], true));
    // None wanted: is there any?
    assert_eq!(ids(handle, ArchiveQuery { limit: 0, ..part }), (vec![], false));
    assert_eq!(ids(handle, ArchiveQuery { limit: 0, from: 11, ..query() }), (vec![], true));
}

pub(super) fn a_page_ends_when_it_has_its_bytes(handle: &Handle) {
    done(handle, create(ROMEO));
    fill(handle, 10..20);
    assert_eq!(ids(handle, ArchiveQuery { bytes: 5, ..query() }), (vec![10, 11, 12], false));
    assert_eq!(ids(handle, ArchiveQuery { bytes: 5, last: true, ..query() }), (vec![17, 18, 19], false));
    assert_eq!(ids(handle, ArchiveQuery { bytes: 20, ..query() }), ((10..20).collect(), true));
    let named = ArchiveQuery { ids: vec![12, 15, 18], bytes: 3, ..query() };
    assert_eq!(ids(handle, named), (vec![12, 15], false));
}

pub(super) fn a_page_may_name_its_messages(handle: &Handle) {
    done(handle, create(ROMEO));
    fill(handle, 1..=9);
    let named = |ids: &[u64]| ArchiveQuery { ids: ids.into(), ..query() };
    assert_eq!(ids(handle, named(&[8, 3, 5, 3])), (vec![3, 5, 8], true));
    assert_eq!(ids(handle, ArchiveQuery { last: true, limit: 2, ..named(&[8, 3, 5]) }), (vec![5, 8], false));
    assert_eq!(ids(handle, ArchiveQuery { from: 4, peer: Some(1), ..named(&[8, 3, 5]) }), (vec![5], true));
    keep(handle, "x", vec![entry(ROMEOS, 10, WAITS), entry(JULIETS, 11, ARCHIVED)]);
    for missing in [0, 10, 11, u64::MAX] {
        let query = Question::ReadArchive(Box::new(named(&[3, missing])));
        assert_eq!(handle.call(query), Ok(Answer::Missing), "{missing}");
        let query = ArchiveQuery { beside: Some(missing), ..query_after(3) };
        assert_eq!(handle.call(Question::ReadArchive(Box::new(query))), Ok(Answer::Missing), "{missing}");
    }
    assert_eq!(ids(handle, ArchiveQuery { beside: Some(3), ..query_after(3) }), ((4..=9).collect(), true));
}

fn query_after(id: u64) -> ArchiveQuery {
    ArchiveQuery { from: id + 1, ..query() }
}

pub(super) fn what_a_query_finds_is_counted_up_to_a_bound(handle: &Handle) {
    done(handle, create(ROMEO));
    fill(handle, 1..=9);
    let count = |query| page(handle, query).count;
    assert_eq!(count(query()), None);
    let counted = ArchiveQuery { count: true, limit: 2, ..query() };
    assert_eq!(count(counted.clone()), Some(9));
    assert_eq!(count(ArchiveQuery { peer: Some(0), last: true, ..counted.clone() }), Some(4));
    assert_eq!(count(ArchiveQuery { from: 3, upto: 4, ..counted.clone() }), Some(2));
    assert_eq!(count(ArchiveQuery { ids: vec![2, 3, 4], upto: 3, ..counted.clone() }), Some(2));
    assert_eq!(count(ArchiveQuery { from: 10, ..counted.clone() }), Some(0));
    let many = (10..10 + u64::from(ARCHIVE_COUNTED)).map(|id| entry(ROMEOS, id, ARCHIVED)).collect();
    keep(handle, "x", many);
    assert_eq!(count(counted), Some(ARCHIVE_COUNTED));
}

pub(super) fn an_archive_has_two_ends(handle: &Handle) {
    done(handle, create(ROMEO));
    keep(handle, "x", vec![entry(ROMEOS, 1, WAITS), entry(JULIETS, 1, ARCHIVED), entry(ROMEOS, 99, NEITHER)]);
    assert_eq!(ends(handle, u64::MAX), []);
    fill(handle, [5, 6, 7]);
    let message = |id: u64| Archived { id, stanza: id.to_string().into_bytes().into() };
    assert_eq!(ends(handle, u64::MAX), [message(5), message(7)]);
    assert_eq!(ends(handle, 6), [message(5), message(6)]);
    assert_eq!(ends(handle, 5), [message(5)]);
    assert_eq!(ends(handle, 4), []);
}

pub(super) fn a_tombstone_takes_a_messages_place(handle: &Handle) {
    done(handle, create(ROMEO));
    fill(handle, [5, 6]);
    done(handle, replace(5, "retracted"));
    assert_eq!(page(handle, query()).messages[0], Archived { id: 5, stanza: (*b"retracted").into() });
    assert_eq!(ids(handle, query_after(5)), (vec![6], true));
    assert_eq!(handle.call(replace(7, "x")), Ok(Answer::Missing));
}

pub(super) fn sessions_are_stored_and_see_what_came_since(handle: &Handle) {
    done(handle, create(ROMEO));
    keep(handle, "x", (1..=6).map(|id| entry(ROMEOS, id, if id == 5 { NEITHER } else { BOTH })).collect());
    assert_eq!((record(handle, ROMEO).sessions, record(handle, ROMEO).since), (vec![], vec![]));
    done(handle, save(ROMEO, ROMEOS, 2, 5, 0));
    done(handle, save(ROMEO, ROMEOS, 1, 1, 0));
    done(handle, save(ROMEO, ROMEOS, 1, 4, 0));
    let stored = record(handle, ROMEO);
    let session =
        |number, floor| StoredSession { number, floor, state: format!("{number} {floor}").into_bytes().into() };
    assert_eq!(stored.sessions, [session(1, 4), session(2, 5)]);
    let message =
        |id: u64, uses| Traced { id, uses, trace: format!("trace {id}").into_bytes().into(), stanza: (*b"x").into() };
    assert_eq!(stored.since, [message(5, NEITHER), message(6, BOTH)]);
    done(handle, Question::DropSession { account: jid(ROMEO), key: ROMEOS, number: 1, forget_upto: 0 });
    done(handle, Question::DropSession { account: jid(ROMEO), key: ROMEOS, number: 9, forget_upto: 0 });
    let stored = record(handle, ROMEO);
    assert_eq!((stored.sessions, stored.since), (vec![session(2, 5)], vec![message(6, BOTH)]));
    assert_eq!(handle.call(save(JULIET, JULIETS, 1, 1, 0)), Ok(Answer::Missing));
}

/// Only what nobody else wants, only of this account, only up to there.
pub(super) fn sessions_forget_what_they_have(handle: &Handle) {
    done(handle, create(ROMEO));
    done(handle, create(JULIET));
    let uses = |id| [NEITHER, WAITS, ARCHIVED, BOTH][id as usize % 4];
    keep(handle, "x", (0..12).map(|id| entry(ROMEOS, id + 4, uses(id))).collect());
    keep(handle, "x", vec![entry(JULIETS, 5, NEITHER)]);
    done(handle, save(ROMEO, ROMEOS, 1, 8, 7));
    assert_eq!(all(handle), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    done(handle, Question::DropSession { account: jid(ROMEO), key: ROMEOS, number: 1, forget_upto: 11 });
    assert_eq!(all(handle), [5, 6, 7, 9, 10, 11, 12, 13, 14, 15]);
    // What waited becomes forgettable.
    done(handle, Question::EndWaiting { account: jid(ROMEO), key: ROMEOS, ids: vec![5, 9] });
    done(handle, Question::DropSession { account: jid(ROMEO), key: ROMEOS, number: 1, forget_upto: u64::MAX });
    assert_eq!(all(handle), [6, 7, 10, 11, 13, 14, 15]);
    done(handle, save(JULIET, JULIETS, 1, 0, 4));
    assert_eq!(record(handle, JULIET).since.len(), 1);
}

pub(super) fn accounts_with_sessions_are_listed(handle: &Handle) {
    let name = |number: i64| format!("user{number}@example.org");
    for number in 1..=5 {
        done(handle, create(&name(number)));
    }
    for number in [2, 4, 5] {
        done(handle, save(&name(number), AccountKey(number), 1, 0, 0));
        done(handle, save(&name(number), AccountKey(number), 2, 0, 0));
    }
    let list = |after: Option<&str>, limit| {
        let after = after.map(Box::from);
        match handle.call(Question::ListSessions { after, limit }) {
            Ok(Answer::Accounts(jids)) => jids.iter().map(|jid| jid.to_string()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(list(None, 2), [name(2), name(4)]);
    assert_eq!(list(Some(&name(4)), 2), [name(5)]);
    assert_eq!(list(Some(&name(5)), 2), Vec::<String>::new());
}

pub(super) fn archive_preferences_are_replaced(handle: &Handle) {
    let save = |preferences: &Preferences| Question::SavePreferences {
        account: jid(ROMEO),
        preferences: Box::new(preferences.clone()),
    };
    let list = |jids: &[&str]| jids.iter().map(|text| jid(text)).collect::<Vec<Jid>>();
    let some = Preferences {
        default: ArchiveDefault::Roster,
        always: list(&["a@x.org", "b@x.org/phone", "c.org"]),
        never: list(&["d@x.org"]),
    };
    assert_eq!(handle.call(save(&some)), Ok(Answer::Missing));
    done(handle, create(ROMEO));
    assert_eq!(record(handle, ROMEO).preferences, None);
    done(handle, save(&some));
    assert_eq!(record(handle, ROMEO).preferences, Some(some));
    let other = Preferences { default: ArchiveDefault::Never, always: list(&["d@x.org"]), never: list(&["a@x.org"]) };
    done(handle, save(&other));
    assert_eq!(record(handle, ROMEO).preferences, Some(other));
    done(handle, save(&Preferences::default()));
    assert_eq!(record(handle, ROMEO).preferences, Some(Preferences::default()));
}

/// Both sides share one stanza until one of them gets its own.
pub(super) fn a_tombstone_is_of_one_account_alone(handle: &Handle) {
    done(handle, create(ROMEO));
    done(handle, create(JULIET));
    keep(handle, "both", vec![entry(ROMEOS, 5, ARCHIVED), entry(JULIETS, 6, ARCHIVED)]);
    done(handle, replace(5, "retracted"));
    let juliets = ArchiveQuery { account: jid(JULIET), key: JULIETS, ..query() };
    assert_eq!(page(handle, juliets).messages, [Archived { id: 6, stanza: (*b"both").into() }]);
    assert_eq!(page(handle, query()).messages, [Archived { id: 5, stanza: (*b"retracted").into() }]);
    done(handle, Question::RemoveAccount { account: jid(JULIET) });
    assert_eq!(page(handle, query()).messages, [Archived { id: 5, stanza: (*b"retracted").into() }]);
}
