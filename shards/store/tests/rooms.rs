//! What each question about a room does and how it is answered.

use std::sync::Arc;

use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::jid::Jid;
use wattle::store::{
    AccountKey, Affiliation, Answer, ArchiveQuery, Archived, Entry, Keep, Member, Question, Role, RoomRecord,
    RoomSetup, StoredOccupant, Uses,
};

use super::questions::done;
use super::{Folder, create, jid, record};
use crate::store::Handle;

const BALCONY: &str = "balcony@conference.capulet.lit";
const ORCHARD: &str = "orchard@conference.capulet.lit";
const JULIET: &str = "juliet@capulet.lit";
const ROMEO: &str = "romeo@montague.lit";
/// Unix ms.
const MADE: u64 = 1_700_000_000_000;

pub(super) fn setup(name: &str, is_public: bool) -> RoomSetup {
    RoomSetup { settings: name.as_bytes().into(), is_public, name: name.into(), archive_days: None }
}

pub(super) fn make(room: &str, owner: Option<&str>, setup: RoomSetup, limit: u32) -> Question {
    Question::CreateRoom { room: jid(room), owner: owner.map(jid), setup: Box::new(setup), at_ms: MADE, limit }
}

/// Makes a room, or loads it.
pub(super) fn made(handle: &Handle, room: &str, owner: Option<&str>, setup: RoomSetup) -> RoomRecord {
    match handle.call(make(room, owner, setup, u32::MAX)) {
        Ok(Answer::Room(Some(record))) => *record,
        other => panic!("{other:?}"),
    }
}

fn loaded(handle: &Handle, room: &str, history: u32) -> Option<RoomRecord> {
    match handle.call(Question::Room { room: jid(room), history }) {
        Ok(Answer::Room(record)) => record.map(|record| *record),
        other => panic!("{other:?}"),
    }
}

fn load(handle: &Handle, room: &str) -> RoomRecord {
    loaded(handle, room, 0).unwrap()
}

fn member(text: &str, affiliation: Affiliation) -> Member {
    Member { jid: jid(text), affiliation, nick: None, reason: None }
}

fn members(room: &str, members: &[Member]) -> Question {
    Question::SaveMembers { room: jid(room), members: members.into() }
}

fn occupant(text: &str, nick: &str, role: Role) -> StoredOccupant {
    StoredOccupant { jid: jid(text), nick: nick.into(), role }
}

fn enter(room: &str, occupant: &StoredOccupant) -> Question {
    Question::SaveOccupant { room: jid(room), occupant: Box::new(occupant.clone()) }
}

fn leave(room: &str, jids: &[&str]) -> Question {
    Question::DropOccupants { room: jid(room), jids: jids.iter().map(|text| jid(text)).collect() }
}

fn subject(room: &str, text: &str) -> Question {
    Question::SaveSubject { room: jid(room), subject: text.as_bytes().into() }
}

pub(super) fn keep(room: &str, key: AccountKey, id: u64, archived: bool) -> Question {
    let entry = Entry { key, id, peer: 7, uses: Uses { archived, waits: false }, trace: [].into() };
    let stanza: Arc<[u8]> = id.to_string().into_bytes().into();
    Question::Keep(Box::new(Keep { account: jid(room), stanza, entries: vec![entry] }))
}

fn message(id: u64) -> Archived {
    Archived { id, stanza: id.to_string().into_bytes().into() }
}

fn names(answer: Result<Answer, wattle::store::StoreFault>) -> Vec<String> {
    match answer {
        Ok(Answer::Rooms(rooms)) => rooms.into_iter().map(|room| format!("{} {}", room.jid, room.name)).collect(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn a_room_is_made_once_and_belongs_to_its_owner(handle: &Handle) {
    assert_eq!(loaded(handle, BALCONY, 0), None);
    done(handle, create(JULIET));
    let room = made(handle, BALCONY, Some("juliet@capulet.lit/balcony"), setup("Balcony", true));
    // The numbers of accounts and rooms are the same.
    assert_eq!(room.key, AccountKey(2));
    let expected = RoomRecord {
        key: AccountKey(2),
        setup: setup("Balcony", true),
        members: vec![member(JULIET, Affiliation::Owner)],
        ..RoomRecord::default()
    };
    assert_eq!((room, load(handle, BALCONY)), (expected.clone(), expected.clone()));
    assert_eq!(made(handle, BALCONY, Some(ROMEO), setup("Theirs", false)), expected);
    done(handle, create(ROMEO));
    assert_eq!(record(handle, ROMEO).key, AccountKey(3));
    let own = RoomSetup { archive_days: Some(0), ..setup("", false) };
    let room = made(handle, ORCHARD, None, own.clone());
    assert_eq!((room.key, room.setup, room.members), (AccountKey(4), own, vec![]));
}

pub(super) fn somebody_owns_so_many_rooms(handle: &Handle) {
    let room = |number: u32| format!("room{number}@conference.capulet.lit");
    let ask = |number, owner, limit| handle.call(make(&room(number), owner, setup("", false), limit));
    let is_made = |answer| matches!(answer, Ok(Answer::Room(Some(_))));
    assert_eq!(ask(1, Some(JULIET), 0), Ok(Answer::Full));
    assert!(is_made(ask(1, Some(JULIET), 2)) && is_made(ask(2, Some(JULIET), 2)));
    assert_eq!(ask(3, Some(JULIET), 2), Ok(Answer::Full));
    assert_eq!(loaded(handle, &room(3), 0), None);
    // One that is there is loaded all the same; others may go on, and the operator may always.
    assert!(is_made(ask(1, Some(JULIET), 2)) && is_made(ask(3, Some(ROMEO), 2)) && is_made(ask(4, None, 0)));
    // Who was an owner is none of them any more; who became one is.
    done(handle, members(&room(1), &[member(JULIET, Affiliation::Admin), member(ROMEO, Affiliation::Owner)]));
    assert_eq!(ask(5, Some(ROMEO), 2), Ok(Answer::Full));
    assert!(is_made(ask(5, Some(JULIET), 2)));
    done(handle, Question::RemoveRoom { room: jid(&room(1)) });
    assert!(is_made(ask(6, Some(ROMEO), 2)));
}

pub(super) fn setup_and_subject_of_a_room_change(handle: &Handle) {
    let save = |setup: &RoomSetup| Question::SaveRoom { room: jid(BALCONY), setup: Box::new(setup.clone()) };
    made(handle, BALCONY, Some(JULIET), setup("Balcony", true));
    for days in [Some(30), Some(0), None] {
        let next = RoomSetup { archive_days: days, settings: vec![0; 3_000].into(), ..setup("L'éolienne", false) };
        done(handle, save(&next));
        assert_eq!(load(handle, BALCONY).setup, next);
    }
    for text in ["<message><subject>Ay me</subject></message>", ""] {
        done(handle, subject(BALCONY, text));
        assert_eq!(*load(handle, BALCONY).subject, *text.as_bytes());
    }
    assert_eq!(load(handle, BALCONY).members, [member(JULIET, Affiliation::Owner)]);
}

pub(super) fn members_of_a_room_are_remembered_in_order(handle: &Handle) {
    let words = |text: &str| Some(Box::from(text));
    let first = [
        Member { nick: words("Roméo"), reason: words("He asked"), ..member(ROMEO, Affiliation::Member) },
        Member { reason: words(""), ..member("tybalt@capulet.lit", Affiliation::Outcast) },
        Member { nick: words("nurse"), ..member("nurse@capulet.lit", Affiliation::None) },
        member("verona.lit", Affiliation::Outcast),
        member("benvolio@montague.lit", Affiliation::Admin),
    ];
    made(handle, BALCONY, Some(JULIET), setup("", false));
    done(handle, members(BALCONY, &first));
    let [romeo, tybalt, nurse, verona, benvolio] = first;
    let juliet = member(JULIET, Affiliation::Owner);
    let all = [&benvolio, &juliet, &nurse, &romeo, &tybalt, &verona].map(Clone::clone);
    assert_eq!(load(handle, BALCONY).members, all);

    let romeo = member(ROMEO, Affiliation::Owner);
    let gone = Member { reason: words("no more"), ..member("tybalt@capulet.lit", Affiliation::None) };
    done(handle, members(BALCONY, &[romeo.clone(), gone, member("nobody@capulet.lit", Affiliation::None)]));
    done(handle, members(BALCONY, &[]));
    assert_eq!(load(handle, BALCONY).members, [benvolio, juliet, nurse, romeo, verona]);
}

pub(super) fn occupants_of_a_room_keep_the_order_in_which_they_came(handle: &Handle) {
    made(handle, BALCONY, Some(JULIET), setup("", false));
    made(handle, ORCHARD, Some(JULIET), setup("", false));
    let came = [
        occupant("romeo@montague.lit/orchard", "Romeo", Role::Participant),
        occupant("juliet@capulet.lit/balcony", "Juliet", Role::Moderator),
        occupant("benvolio@montague.lit/street", "Benvolio", Role::Visitor),
        occupant("juliet@capulet.lit/Balcony", "Juliet", Role::None),
    ];
    for (number, occupant) in came.iter().enumerate() {
        done(handle, enter(BALCONY, occupant));
        if number % 2 == 0 {
            done(handle, enter(ORCHARD, occupant));
        }
    }
    assert_eq!(load(handle, BALCONY).occupants, came);
    assert_eq!(load(handle, ORCHARD).occupants, [came[0].clone(), came[2].clone()]);

    // With another nick or role it is where it was; whoever comes again comes last.
    let renamed = occupant("juliet@capulet.lit/balcony", "Giulietta", Role::Participant);
    done(handle, enter(BALCONY, &renamed));
    done(handle, leave(BALCONY, &["romeo@montague.lit/orchard", "nobody@capulet.lit/x"]));
    done(handle, enter(BALCONY, &came[0]));
    let now = [renamed, came[2].clone(), came[3].clone(), came[0].clone()];
    assert_eq!(load(handle, BALCONY).occupants, now);
    let all = now.iter().map(|occupant| occupant.jid.clone()).collect();
    done(handle, Question::DropOccupants { room: jid(BALCONY), jids: all });
    assert_eq!(load(handle, BALCONY).occupants, []);
    assert_eq!(load(handle, ORCHARD).occupants.len(), 2);
    // Now Juliet's other client is behind all that ever were there.
    done(handle, enter(BALCONY, &came[3]));
    done(handle, enter(BALCONY, &came[0]));
    assert_eq!(load(handle, BALCONY).occupants, [came[3].clone(), came[0].clone()]);
}

pub(super) fn a_room_has_an_archive(handle: &Handle) {
    done(handle, create(ROMEO));
    let key = made(handle, BALCONY, Some(JULIET), setup("", false)).key;
    assert_eq!((load(handle, BALCONY).newest, load(handle, BALCONY).history), (0, vec![]));
    (1..=9).for_each(|id| done(handle, keep(BALCONY, key, id, id != 8)));
    done(handle, keep(ROMEO, AccountKey(1), 77, true));
    let room = loaded(handle, BALCONY, 3).unwrap();
    assert_eq!((room.newest, room.history), (9, vec![message(6), message(7), message(9)]));
    assert_eq!(loaded(handle, BALCONY, 100).unwrap().history.len(), 8);
    assert_eq!(load(handle, BALCONY).history, []);

    let query = ArchiveQuery {
        account: jid(BALCONY),
        key,
        peer: None,
        from: 2,
        upto: u64::MAX,
        ids: Vec::new(),
        beside: None,
        last: false,
        limit: 2,
        bytes: 1_000,
        count: true,
    };
    match handle.call(Question::ReadArchive(Box::new(query))) {
        Ok(Answer::Page(page)) => {
            assert_eq!((page.messages, page.complete, page.count), (vec![message(2), message(3)], false, Some(7)));
        }
        other => panic!("{other:?}"),
    }
    let ends = Question::ArchiveEnds { account: jid(BALCONY), key, upto: u64::MAX };
    assert_eq!(handle.call(ends), Ok(Answer::Messages(vec![message(1), message(9)])));
    let replace = |id| Question::Replace { account: jid(BALCONY), key, id, stanza: (*b"retracted").into() };
    done(handle, replace(9));
    assert_eq!(handle.call(replace(10)), Ok(Answer::Missing));
    assert_eq!(*loaded(handle, BALCONY, 1).unwrap().history[0].stanza, *b"retracted");
    assert_eq!(record(handle, ROMEO).newest, 77);
}

pub(super) fn rooms_of_a_service_are_listed_page_by_page(handle: &Handle) {
    for (room, name, is_public) in [
        ("c@conference.capulet.lit", "Crypt", true),
        ("a@conference.capulet.lit", "Alley", false),
        ("b@conference.capulet.lit", "Ball", true),
        ("b@conference.montague.lit", "Bower", true),
        ("é@conference.capulet.lit", "", true),
    ] {
        made(handle, room, None, setup(name, is_public));
    }
    let list = |service: &str, after: Option<&str>, limit| {
        names(handle.call(Question::ListRooms { service: jid(service), after: after.map(Into::into), limit }))
    };
    let (ours, theirs) = ("conference.capulet.lit", "conference.montague.lit");
    let [b, c, e] = ["b@{} Ball", "c@{} Crypt", "é@{} "].map(|name| name.replace("{}", ours));
    assert_eq!(list(ours, None, 9), [&*b, &*c, &*e]);
    assert_eq!(list(ours, None, 1), [&*b]);
    assert_eq!(list(ours, Some("b@conference.capulet.lit"), 9), [&*c, &*e]);
    assert_eq!(list(ours, Some("é@conference.capulet.lit"), 9), Vec::<String>::new());
    assert_eq!(list(theirs, None, 9), ["b@conference.montague.lit Bower"]);
    assert_eq!(list("capulet.lit", None, 9), Vec::<String>::new());
    let all =
        |after: Option<&str>, limit| names(handle.call(Question::ListAllRooms { after: after.map(Into::into), limit }));
    assert_eq!(all(None, 2), ["a@conference.capulet.lit Alley", &*b]);
    assert_eq!(all(Some("b@conference.capulet.lit"), 2), ["b@conference.montague.lit Bower", &*c]);
    let hidden = Question::SaveRoom { room: jid("b@conference.capulet.lit"), setup: Box::new(setup("Ball", false)) };
    done(handle, hidden);
    assert_eq!(list(ours, None, 9), [&*c, &*e]);
}

pub(super) fn a_room_made_again_has_nothing_of_the_old_one(handle: &Handle) {
    for (room, key) in [(BALCONY, AccountKey(1)), (ORCHARD, AccountKey(2))] {
        fill(handle, room, key);
    }
    let orchard = loaded(handle, ORCHARD, 9);
    done(handle, Question::RemoveRoom { room: jid(BALCONY) });
    assert_eq!(handle.call(Question::RemoveRoom { room: jid(BALCONY) }), Ok(Answer::Missing));
    assert_eq!(loaded(handle, BALCONY, 9), None);
    // What comes too late for the old one is nothing to the new one.
    done(handle, keep(BALCONY, AccountKey(1), 5, true));
    let again = made(handle, BALCONY, None, RoomSetup::default());
    assert_eq!(again, RoomRecord { key: AccountKey(3), ..RoomRecord::default() });
    assert_eq!(loaded(handle, BALCONY, 9), Some(again));
    assert_eq!(loaded(handle, ORCHARD, 9), orchard);
}

/// A room with something of everything. Its number is `key`.
pub(super) fn fill(handle: &Handle, room: &str, key: AccountKey) {
    assert_eq!(made(handle, room, Some(JULIET), setup("name", true)).key, key);
    done(handle, subject(room, "<message/>"));
    done(handle, enter(room, &occupant("juliet@capulet.lit/balcony", "Juliet", Role::Moderator)));
    done(handle, keep(room, key, 1 << 20, true));
}

pub(super) fn a_room_that_is_not_there_is_missing(handle: &Handle) {
    // An account is no room.
    done(handle, create(BALCONY));
    let romeo = occupant("romeo@montague.lit/orchard", "Romeo", Role::Participant);
    for question in [
        Question::SaveRoom { room: jid(BALCONY), setup: Box::new(setup("", true)) },
        subject(BALCONY, "x"),
        members(BALCONY, &[member(ROMEO, Affiliation::Owner)]),
        enter(BALCONY, &romeo),
        Question::RemoveRoom { room: jid(BALCONY) },
    ] {
        assert_eq!(handle.call(question.clone()), Ok(Answer::Missing), "{question:?}");
    }
    done(handle, leave(BALCONY, &["romeo@montague.lit/orchard"]));
    assert_eq!(loaded(handle, BALCONY, 9), None);
    made(handle, ORCHARD, None, setup("", false));
    assert_eq!(handle.call(Question::Account { account: jid(ORCHARD) }), Ok(Answer::Account(None)));
}

/// Else whoever takes the name of an account that is gone would find themselves the owner of its rooms.
pub(super) fn an_account_that_is_gone_is_nothing_in_rooms(handle: &Handle) {
    done(handle, create(JULIET));
    done(handle, create(ROMEO));
    made(handle, BALCONY, Some(JULIET), setup("", false));
    let romeo = member(ROMEO, Affiliation::Outcast);
    let nurse = member("nurse@capulet.lit", Affiliation::Owner);
    done(handle, members(BALCONY, &[romeo.clone(), nurse.clone()]));
    done(handle, Question::RemoveAccount { account: jid(JULIET) });
    done(handle, Question::RemoveAccount { account: jid(ROMEO) });
    assert_eq!(load(handle, BALCONY).members, [nurse, romeo]);
}

/// Each read sees exactly the writes before it, whichever thread carries it out.
#[test]
fn questions_about_a_room_are_answered_in_order() {
    let folder = Folder::new();
    let (store, answers) = folder.open_with_answers();
    made(&store.handle(), BALCONY, None, setup("", false));
    let rooms: [Jid; 2] = [jid(BALCONY), jid(ORCHARD)];
    for number in 0..2_000_u64 {
        let question = match number % 7 {
            0 => subject(BALCONY, &number.to_string()),
            1 => Question::ListRooms { service: jid("x.lit"), after: None, limit: 1 },
            rest => Question::Room { room: rooms[usize::from(rest == 2)].clone(), history: 0 },
        };
        store.handle().ask(ShardIndex(0), Ticket(number), question);
    }
    let mut last = [0; 3];
    for _ in 0..2_000 {
        let (_, Ticket(number), answer) = answers.recv().unwrap();
        let about = match number % 7 {
            1 => 2,
            rest => usize::from(rest == 2),
        };
        assert!(last[about] <= number, "the answer to {number} came after that to {}", last[about]);
        last[about] = number;
        match answer {
            Ok(Answer::Room(Some(room))) => {
                assert_eq!((about, &*room.subject), (0, (number / 7 * 7).to_string().as_bytes()));
            }
            Ok(answer) => assert_eq!((answer == Answer::Room(None), about == 1), (about == 1, about == 1)),
            Err(fault) => panic!("{fault:?}"),
        }
    }
}
