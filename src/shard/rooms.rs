//! Rooms that are in memory: loaded with the first stanza for them, kept while somebody is in them and a while after.

use std::collections::VecDeque;

use super::Shard;
use crate::effect::{Effect, Effects, Level};
use crate::input::Now;
use crate::jid::Jid;
use crate::limits;
use crate::map::Map;
use crate::reading::{RetractedBy, RoomRetraction};
use crate::room::{self, Room};
use crate::stanza::{Condition, Stanza};
use crate::store::{Answer, Question, StoreFault};
use crate::turn::Then;

#[derive(Debug)]
enum Place {
    Loading(Loading),
    Here(Box<Room>),
}

/// A room that the store was asked for.
#[derive(Debug, Default)]
struct Loading {
    /// What waits for it, oldest first.
    waiting: VecDeque<Stanza>,
    /// Accounts that were removed meanwhile: the store may describe the room as it was before.
    gone: Vec<Jid>,
}

/// All rooms of the shard that are here or on their way.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// By the text of the bare JID.
    rooms: Map<Box<str>, Place>,
    /// Rooms that nobody was in when they were put here, oldest first.
    idle: VecDeque<Jid>,
}

impl Rooms {
    pub(super) fn get_mut(&mut self, jid: &Jid) -> Option<&mut Room> {
        match self.rooms.get_mut(jid.bare_str())? {
            Place::Here(room) => Some(room),
            Place::Loading(_) => None,
        }
    }

    /// Rooms here, and who is in them.
    pub(super) fn count(&self) -> (usize, usize) {
        let here = self.rooms.values().filter_map(|place| match place {
            Place::Here(room) => Some(room.occupants.len()),
            Place::Loading(_) => None,
        });
        here.fold((0, 0), |(rooms, occupants), inside| (rooms + 1, occupants + inside))
    }

    /// Nobody may be in the room any more: it leaves when room is needed, and at once if it is gone.
    fn look_after(&mut self, jid: &Jid) {
        let Some(room) = self.get_mut(jid) else { return };
        if room.is_gone {
            self.rooms.remove(jid.bare_str());
            return;
        }
        if !room.is_at_rest() || self.idle.back() == Some(jid) {
            return;
        }
        self.idle.push_back(jid.clone());
        while self.idle.len() > limits::IDLE_ROOMS {
            let Some(oldest) = self.idle.pop_front() else { break };
            if self.get_mut(&oldest).is_some_and(|room| room.is_at_rest()) {
                self.rooms.remove(oldest.bare_str());
            }
        }
    }
}

impl Shard {
    /// A stanza for a room of this shard, or one of its occupants.
    pub(super) fn visit_room(&mut self, stanza: Stanza, now: Now, effects: &mut Effects) {
        if let Some((request, reply)) = room::to_operator(&stanza) {
            effects.push(Effect::Reply { request, reply });
            return;
        }
        let Some(jid) = stanza.to.as_ref().map(Jid::to_bare) else { return };
        match self.rooms.rooms.get_mut(jid.as_str()) {
            Some(Place::Here(_)) => self.enter_room(&jid, stanza, now, effects),
            Some(Place::Loading(loading)) if loading.waiting.len() < limits::LOADING_STANZAS => {
                loading.waiting.push_back(stanza);
            }
            Some(Place::Loading(_)) => {
                self.desk.counters.dropped += 1;
                self.refuse_for_room(stanza, Condition::ResourceConstraint, now, effects);
            }
            None => {
                let loading = Loading { waiting: [stanza].into(), gone: Vec::new() };
                self.rooms.rooms.insert(jid.as_str().into(), Place::Loading(loading));
                let question = Question::Room { room: jid.clone(), history: limits::ROOM_HISTORY };
                self.ask_for_room(question, jid, false, effects);
            }
        }
    }

    fn enter_room(&mut self, jid: &Jid, mut stanza: Stanza, now: Now, effects: &mut Effects) {
        let before = self.begin(stanza.passage.take());
        if let Some(room) = self.rooms.get_mut(jid) {
            room.take(stanza, &mut self.desk.turn(now, effects));
        }
        self.rooms.look_after(jid);
        self.end(before, now, effects);
    }

    fn refuse_for_room(&mut self, mut stanza: Stanza, condition: Condition, now: Now, effects: &mut Effects) {
        let before = self.begin(stanza.passage.take());
        self.desk.turn(now, effects).send_back(&stanza, &condition.into());
        self.end(before, now, effects);
    }

    fn ask_for_room(&mut self, question: Question, room: Jid, is_new: bool, effects: &mut Effects) {
        let ticket = self.asked.issue((Then::RoomLoaded { room, is_new }, None));
        effects.push(Effect::Ask { ticket, question });
    }

    /// The store has described a room, or there is none: whoever waits goes in, or makes it.
    pub(super) fn room_loaded(
        &mut self,
        jid: &Jid,
        is_new: bool,
        answer: Result<Answer, StoreFault>,
        now: Now,
        effects: &mut Effects,
    ) {
        let Some(Place::Loading(loading)) = self.rooms.rooms.get_mut(jid.as_str()) else { return };
        let condition = match answer {
            Ok(Answer::Room(Some(record))) => {
                let Loading { waiting, gone } = std::mem::take(loading);
                let mut room = Room::new(jid.clone(), *record, is_new, &self.secret, &self.desk.config);
                for account in &gone {
                    room.account_gone(account, &mut self.desk.turn(now, effects));
                }
                if room.is_gone {
                    self.rooms.rooms.remove(jid.as_str());
                    for stanza in waiting {
                        self.refuse_for_room(stanza, Condition::ItemNotFound, now, effects);
                    }
                    return;
                }
                self.rooms.rooms.insert(jid.as_str().into(), Place::Here(Box::new(room)));
                for stanza in waiting {
                    self.enter_room(jid, stanza, now, effects);
                    self.settle(now, effects);
                }
                return;
            }
            // Whoever waits first decides what becomes of it; the others look again after that.
            Ok(Answer::Room(None)) => {
                let Some(mut first) = loading.waiting.pop_front() else {
                    self.rooms.rooms.remove(jid.as_str());
                    return;
                };
                match room::make(&first, jid, &self.desk.turn(now, effects)) {
                    Ok(question) => {
                        if let Some(Place::Loading(loading)) = self.rooms.rooms.get_mut(jid.as_str()) {
                            loading.waiting.push_front(first);
                        }
                        self.ask_for_room(question, jid.clone(), true, effects);
                    }
                    Err(error) => {
                        let before = self.begin(first.passage.take());
                        room::refuse_entry(&first, &error, &mut self.desk.turn(now, effects));
                        self.end(before, now, effects);
                        self.room_loaded(jid, false, Ok(Answer::Room(None)), now, effects);
                    }
                }
                return;
            }
            Ok(Answer::Full) => Condition::ResourceConstraint,
            Ok(_) => Condition::InternalServerError,
            Err(fault) => fault.into(),
        };
        if let Some(Place::Loading(loading)) = self.rooms.rooms.remove(jid.as_str()) {
            for stanza in loading.waiting {
                self.refuse_for_room(stanza, condition, now, effects);
            }
        }
    }

    /// A room's message is stored, or is not.
    pub(super) fn room_kept(
        &mut self,
        jid: &Jid,
        id: u64,
        answer: Result<Answer, StoreFault>,
        now: Now,
        effects: &mut Effects,
    ) {
        if let Some(room) = self.rooms.get_mut(jid) {
            room.kept(id, answer.map(|_| ()), &mut self.desk.turn(now, effects));
        }
        self.rooms.look_after(jid);
    }

    /// A message that somebody takes back is found, or is not; or the room is gone meanwhile.
    pub(super) fn room_found(
        &mut self,
        retraction: RoomRetraction,
        answer: Result<Answer, StoreFault>,
        now: Now,
        effects: &mut Effects,
    ) {
        let jid = retraction.room.clone();
        let mut turn = self.desk.turn(now, effects);
        match (self.rooms.get_mut(&jid), retraction.by) {
            (Some(room), by) => room.found(RoomRetraction { by, ..retraction }, answer, &mut turn),
            (None, RetractedBy::Moderator { request, .. }) => turn.refuse(&request, &Condition::ItemNotFound.into()),
            (None, RetractedBy::Author { .. }) => {}
        }
        self.rooms.look_after(&jid);
    }

    /// An account is gone, and with it its standing in every room.
    pub(super) fn leave_rooms(&mut self, account: &Jid, now: Now, effects: &mut Effects) {
        let Self { rooms, desk, .. } = self;
        rooms.rooms.retain(|_, place| match place {
            Place::Here(room) => {
                room.account_gone(account, &mut desk.turn(now, effects));
                !room.is_gone
            }
            Place::Loading(loading) => {
                loading.gone.push(account.clone());
                true
            }
        });
    }

    /// A change of a room was not stored: said once at the edge, for the room goes on as it is in memory.
    pub(super) fn room_saved(&mut self, jid: &Jid, is_stored: bool, now: Now, effects: &mut Effects) {
        if !is_stored {
            self.desk.turn(now, effects).note(Level::Error, "a change of a room was not stored", Some(jid));
        }
    }
}
