//! Rooms of the store in memory.

use std::collections::BTreeMap;

use wattle::jid::Jid;
use wattle::store::{AccountKey, Affiliation, Answer, ListedRoom, Member, Question, RoomRecord};

/// All rooms.
#[derive(Default)]
pub(crate) struct Rooms(BTreeMap<Box<str>, Room>);

/// One room.
pub(crate) struct Room {
    /// What it is loaded from; what it says of messages counts nothing here, the messages themselves do.
    pub(crate) record: RoomRecord,
}

impl Rooms {
    pub(crate) fn get(&self, room: &str) -> Option<&Room> {
        self.0.get(room)
    }

    pub(super) fn has(&self, key: AccountKey) -> bool {
        self.0.values().any(|room| room.record.key == key)
    }

    pub(super) fn is_full(&self, owner: &Jid, limit: u32) -> bool {
        let owns = |member: &Member| member.affiliation == Affiliation::Owner && member.jid.same_bare(owner);
        self.0.values().filter(|room| room.record.members.iter().any(owns)).count() >= limit as usize
    }

    pub(super) fn insert(&mut self, jid: &Jid, record: RoomRecord) {
        self.0.insert(jid.bare_str().into(), Room { record });
    }

    pub(super) fn remove(&mut self, jid: &Jid) -> Option<Room> {
        self.0.remove(jid.bare_str())
    }

    /// An account is gone; a ban stays.
    pub(super) fn forget(&mut self, account: &Jid) {
        let is_theirs = |member: &Member| member.jid == *account && member.affiliation != Affiliation::Outcast;
        for room in self.0.values_mut() {
            room.record.members.retain(|member| !is_theirs(member));
        }
    }

    /// The rooms of all services.
    pub(super) fn all(&self, after: Option<&str>, limit: u32) -> Answer {
        let behind = self.0.iter().filter(|(jid, _)| after.is_none_or(|after| ***jid > *after));
        let listed = behind.map(|(jid, room)| ListedRoom { jid: jid.clone(), name: room.record.setup.name.clone() });
        Answer::Rooms(listed.take(limit as usize).collect())
    }

    /// The public rooms of a service.
    pub(super) fn listed(&self, service: &Jid, after: Option<&str>, limit: u32) -> Answer {
        let suffix = format!("@{}", service.domain());
        let behind = self.0.iter().filter(|(jid, _)| after.is_none_or(|after| ***jid > *after));
        let public = behind.filter(|(jid, room)| jid.ends_with(&suffix) && room.record.setup.is_public);
        let listed = public.map(|(jid, room)| ListedRoom { jid: jid.clone(), name: room.record.setup.name.clone() });
        Answer::Rooms(listed.take(limit as usize).collect())
    }

    /// Writes to a room.
    pub(super) fn write(&mut self, jid: &Jid, question: &Question) -> Answer {
        let Some(room) = self.0.get_mut(jid.bare_str()) else {
            return if matches!(question, Question::DropOccupants { .. }) { Answer::Done } else { Answer::Missing };
        };
        let record = &mut room.record;
        match question {
            Question::SaveRoom { setup, .. } => record.setup.clone_from(setup),
            Question::SaveSubject { subject, .. } => record.subject.clone_from(subject),
            Question::SaveMembers { members, .. } => {
                members.iter().for_each(|member| save(&mut record.members, member))
            }
            Question::SaveOccupant { occupant, .. } => {
                match record.occupants.iter_mut().find(|known| known.jid == occupant.jid) {
                    Some(known) => known.clone_from(occupant),
                    None => record.occupants.push((**occupant).clone()),
                }
            }
            Question::DropOccupants { jids, .. } => record.occupants.retain(|known| !jids.contains(&known.jid)),
            other => unreachable!("{other:?} writes nothing to a room"),
        }
        Answer::Done
    }
}

/// Keeps the order of the JIDs.
pub(super) fn save(members: &mut Vec<Member>, member: &Member) {
    members.retain(|known| known.jid != member.jid);
    if member.affiliation != Affiliation::None || member.nick.is_some() {
        let place = members.partition_point(|known| known.jid.as_str() < member.jid.as_str());
        members.insert(place, member.clone());
    }
}
