//! The store in memory, with which shards are simulated, answers questions about rooms as a database does.

#[allow(dead_code, reason = "simulated shards use more of it")]
#[path = "../../../tests/world/store/mod.rs"]
mod memory;

use wattle::store::{
    AccountKey, Affiliation, Answer, ArchiveQuery, Entry, Keep, Member, Question, Role, RoomSetup, StoredOccupant, Uses,
};

use super::jid;
use crate::store::Handle;

const QUESTIONS: u64 = 4_000;
/// Of a room that was removed: what is kept for it is swept, or never was.
const LATE: AccountKey = AccountKey(-1);
/// Of a room that is not there, and never got a message.
const NONE: AccountKey = AccountKey(-2);

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }
}

fn name(dice: &mut Dice) -> String {
    let (local, domain) = (dice.of(&["a", "b", "é"]), dice.of(&["rooms.a.lit", "rooms.b.lit"]));
    format!("{local}@{domain}")
}

fn setup(dice: &mut Dice) -> Box<RoomSetup> {
    Box::new(RoomSetup {
        settings: dice.below(100).to_le_bytes().into(),
        is_public: dice.below(2) == 0,
        name: dice.of(&["", "Name", "Nom «é»"]).into(),
        archive_days: dice.of(&[None, Some(0), Some(7)]),
    })
}

fn person(dice: &mut Dice) -> &'static str {
    dice.of(&["juliet@a.lit", "romeo@b.lit", "z@a.lit", "Z@a.lit", "b.lit"])
}

fn member(dice: &mut Dice) -> Member {
    use Affiliation::{Admin, None as Nobody, Outcast, Owner};
    let affiliation = dice.of(&[Outcast, Nobody, Affiliation::Member, Admin, Owner]);
    let nick = dice.of(&[None, None, Some("nick")]).map(Box::from);
    Member { jid: jid(person(dice)), affiliation, nick, reason: dice.of(&[None, Some("because")]).map(Box::from) }
}

fn client(dice: &mut Dice) -> String {
    format!("{}/{}", person(dice), dice.below(3))
}

fn occupant(dice: &mut Dice) -> Box<StoredOccupant> {
    let role = dice.of(&[Role::None, Role::Visitor, Role::Participant, Role::Moderator]);
    Box::new(StoredOccupant { jid: jid(&client(dice)), nick: dice.of(&["one", "two"]).into(), role })
}

fn keep(dice: &mut Dice, key: AccountKey) -> Question {
    let account = jid(&name(dice));
    let uses = Uses { archived: dice.below(4) > 0, waits: false };
    let entry = Entry { key, id: dice.below(500) << 20, peer: dice.below(2), uses, trace: [].into() };
    let stanza = dice.below(1_000).to_string().into_bytes().into();
    Question::Keep(Box::new(Keep { account, stanza, entries: vec![entry] }))
}

fn query(dice: &mut Dice, key: AccountKey) -> Question {
    Question::ReadArchive(Box::new(ArchiveQuery {
        account: jid(&name(dice)),
        key,
        peer: None,
        from: dice.below(300) << 20,
        upto: u64::MAX >> 1,
        ids: Vec::new(),
        beside: None,
        last: dice.below(2) == 0,
        limit: 5,
        bytes: 1_000,
        count: true,
    }))
}

fn question(dice: &mut Dice, key: AccountKey) -> Question {
    let room = jid(&name(dice));
    let after = dice.of(&[None, None, Some("a@rooms.b.lit")]).map(Box::from);
    let limit = 1 + u32::try_from(dice.below(3)).unwrap();
    match dice.below(17) {
        0 | 1 => {
            let owner = dice.of(&[None, Some("juliet@a.lit"), Some("romeo@b.lit/x")]).map(jid);
            Question::CreateRoom { room, owner, setup: setup(dice), at_ms: dice.below(500), limit }
        }
        2 => Question::SaveRoom { room, setup: setup(dice) },
        3 => Question::SaveSubject { room, subject: dice.below(9).to_string().into_bytes().into() },
        4 => Question::SaveMembers { room, members: (0..dice.below(4)).map(|_| member(dice)).collect() },
        5..8 => Question::SaveOccupant { room, occupant: occupant(dice) },
        8 => {
            let jids = (0..dice.below(6)).map(|_| jid(&client(dice))).collect();
            Question::DropOccupants { room, jids }
        }
        9 if dice.below(3) == 0 => Question::RemoveRoom { room },
        9 => Question::ArchiveEnds { account: room, key, upto: u64::MAX >> 1 },
        10 if dice.below(2) == 0 => Question::ListAllRooms { after, limit },
        10 => Question::ListRooms { service: room.domain_jid(), after, limit },
        11 if dice.below(4) == 0 => {
            let upto = dice.below(500) << 20;
            Question::PurgeArchive { account: room, key, upto, limit: u32::try_from(dice.below(6)).unwrap() }
        }
        11 => query(dice, key),
        12 => Question::Replace { account: room, key, id: dice.below(500) << 20, stanza: (*b"gone").into() },
        13 => keep(dice, LATE),
        _ => keep(dice, key),
    }
}

pub(super) fn rooms_in_memory_are_like_those_in_a_database(handle: &Handle) {
    let mut twin = memory::Store::default();
    let mut dice = Dice(11);
    let (mut rooms, mut full) = (0, 0);
    for number in 0..QUESTIONS {
        let room = jid(&name(&mut dice));
        let load = Question::Room { room, history: u32::try_from(dice.below(5)).unwrap() };
        let loaded = handle.call(load.clone()).unwrap();
        assert_eq!(loaded, twin.answer(&load), "before {number}");
        let key = match loaded {
            Answer::Room(Some(record)) => record.key,
            _ => NONE,
        };
        let question = question(&mut dice, key);
        if matches!(question, Question::Keep(_)) && key == NONE {
            continue;
        }
        let answer = handle.call(question.clone()).unwrap();
        assert_eq!(answer, twin.answer(&question), "{number}: {question:?}");
        rooms += u32::from(matches!(answer, Answer::Room(Some(_))));
        full += u32::from(answer == Answer::Full);
    }
    assert!(rooms > 100 && full > 10, "{rooms} made or loaded, {full} refused");
}
