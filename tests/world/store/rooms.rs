//! What the twin keeps of rooms.

use wattle::jid::Jid;
use wattle::store::{AccountKey, Affiliation, Answer, ListedRoom, Question, RoomRecord};

use super::{Store, archived};

impl Store {
    pub(super) fn answer_about_rooms(&mut self, question: &Question) -> Answer {
        match question {
            Question::Room { room, history } => Answer::Room(self.loaded_room(room, *history)),
            Question::CreateRoom { room, owner, setup, limit, .. } => {
                if self.rooms.contains_key(room.as_str()) {
                    return Answer::Room(self.loaded_room(room, 0));
                }
                let owns = |record: &&RoomRecord| {
                    let mut members = record.members.iter();
                    members.any(|m| m.affiliation == Affiliation::Owner && Some(&m.jid) == owner.as_ref())
                };
                if owner.is_some() && self.rooms.values().filter(owns).count() >= *limit as usize {
                    return Answer::Full;
                }
                self.key += 1;
                let members = owner.iter().map(|jid| wattle::store::Member {
                    jid: jid.clone(),
                    affiliation: Affiliation::Owner,
                    nick: None,
                    reason: None,
                });
                let record = RoomRecord {
                    key: AccountKey(self.key),
                    setup: (**setup).clone(),
                    members: members.collect(),
                    ..RoomRecord::default()
                };
                self.rooms.insert(room.as_str().into(), record);
                Answer::Room(self.loaded_room(room, 0))
            }
            Question::RemoveRoom { room } => match self.rooms.remove(room.as_str()) {
                Some(record) => {
                    self.messages.retain(|name, _| name.0 != record.key);
                    Answer::Done
                }
                None => Answer::Missing,
            },
            Question::ListRooms { service, is_public, after, limit } => {
                let of_service = |jid: &str| jid.split_once('@').is_some_and(|(_, domain)| domain == service.as_str());
                let rooms = self.rooms.iter().filter(|(jid, record)| {
                    of_service(jid)
                        && (record.setup.is_public || !is_public)
                        && after.as_ref().is_none_or(|after| *jid > after)
                });
                let listed =
                    rooms.map(|(jid, record)| ListedRoom { jid: jid.clone(), name: record.setup.name.clone() });
                Answer::Rooms(listed.take(*limit as usize).collect())
            }
            Question::SaveRoom { room, .. }
            | Question::SaveSubject { room, .. }
            | Question::SaveMembers { room, .. }
            | Question::SaveOccupant { room, .. }
            | Question::DropOccupants { room, .. } => match self.rooms.get_mut(room.as_str()) {
                Some(record) => write(record, question),
                None => Answer::Missing,
            },
            other => unreachable!("{other:?} is not about rooms"),
        }
    }

    fn loaded_room(&self, room: &Jid, history: u32) -> Option<Box<RoomRecord>> {
        let record = self.rooms.get(room.as_str())?;
        let mut newest: Vec<_> = self.of(record.key).rev().take(history as usize).map(archived).collect();
        newest.reverse();
        Some(Box::new(RoomRecord {
            newest: self.of(record.key).next_back().map_or(0, |(id, _)| id),
            history: newest,
            ..record.clone()
        }))
    }
}

/// Writes to a room that exists.
fn write(record: &mut RoomRecord, question: &Question) -> Answer {
    match question {
        Question::SaveRoom { setup, .. } => record.setup = (**setup).clone(),
        Question::SaveSubject { subject, .. } => record.subject.clone_from(subject),
        Question::SaveMembers { members, .. } => {
            for member in members {
                record.members.retain(|known| known.jid != member.jid);
                if member.affiliation != Affiliation::None || member.nick.is_some() {
                    record.members.push(member.clone());
                }
            }
        }
        Question::SaveOccupant { occupant, .. } => match record.occupants.iter_mut().find(|o| o.jid == occupant.jid) {
            Some(known) => *known = (**occupant).clone(),
            None => record.occupants.push((**occupant).clone()),
        },
        Question::DropOccupants { jids, .. } => {
            record.occupants.retain(|occupant| !jids.is_empty() && !jids.contains(&occupant.jid));
        }
        other => unreachable!("{other:?} writes nothing"),
    }
    Answer::Done
}
