//! Messages to everybody and to one (XEP-0045 sections 7.4, 7.5 and 8.1): what is archived is reflected after the commit, and
//! what follows behind it waits, so that all occupants see one order.

use std::sync::Arc;

use super::Room;
use super::announce::{OCCUPANT_ID, USER, write_id};
use super::occupant::Seat;
use crate::features::archive::rules;
use crate::features::stanza_ids;
use crate::jid::Jid;
use crate::limits;
use crate::ns;
use crate::stanza::{Condition, ErrorType, Stanza, StanzaError};
use crate::store::{Affiliation, Archived, Entry, Keep, Question, Role, StoreFault, Uses};
use crate::turn::{Then, Turn};
use crate::xml::Child;

/// A message that everybody got.
#[derive(Debug)]
pub(super) struct Said {
    /// Its id in the archive; none if it is not archived.
    pub(super) id: Option<u64>,
    /// As it was reflected, without `to`.
    pub(super) stanza: Stanza,
    /// Unix ms.
    pub(super) at_ms: u64,
}

/// What a message is to the room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// It sets the subject: a subject, and nothing said (section 8.1).
    Subject,
    /// Something said: it belongs into the archive, and whoever comes later hears it.
    Said,
    /// Of the moment, such as typing.
    Passing,
}

impl Sort {
    fn of(stanza: &Stanza) -> Self {
        let has = |name| stanza.has_child(name, ns::CLIENT);
        if has("subject") && !has("body") && !has("thread") {
            Self::Subject
        } else if rules::is_worth_keeping_in_a_room(stanza) {
            Self::Said
        } else {
            Self::Passing
        }
    }
}

/// A message that was not reflected yet.
#[derive(Debug)]
pub(super) struct Waiting {
    /// As it will be reflected, without `to`.
    stanza: Stanza,
    sort: Sort,
    /// Its id in the archive; none if it is not archived, and only waits for its turn.
    id: Option<u64>,
    /// It is in the archive.
    is_stored: bool,
    at_ms: u64,
    /// The client to whom it is sent back if it is not stored, and what it called the message.
    from: Jid,
}

impl Waiting {
    /// Its id, if it is on its way into the archive.
    pub(super) fn id(&self) -> Option<u64> {
        self.id
    }
}

impl Room {
    /// A message of type `groupchat`.
    pub(super) fn speak(&mut self, from: &Jid, to: &Jid, mut stanza: Stanza, turn: &mut Turn<'_>) {
        if !to.is_bare() {
            // Section 7.5: what is for one is no groupchat.
            return self.deny(&stanza, Condition::BadRequest, turn);
        }
        let Some(seat) = self.occupants.seat_of(from) else {
            return turn.send_back(&stanza, &StanzaError::new(Condition::NotAcceptable, "you are not in the room"));
        };
        let sort = Sort::of(&stanza);
        if let Err(error) = self.may_speak(seat, sort, &stanza, turn) {
            return turn.send_back(&stanza, &error);
        }
        if self.waiting.len() >= limits::ROOM_UNSTORED {
            turn.counters.dropped += 1;
            return self.deny(&stanza, Condition::ResourceConstraint, turn);
        }
        let Some(speaker) = self.occupants.get(seat) else { return };
        stanza.payload = reflected(&stanza, &self.jid, &speaker.id);
        stanza.from = Some(speaker.jid.clone());
        stanza.to = None;
        self.say(stanza, sort, from.clone(), turn);
    }

    /// Everybody in the room gets a message, of this client, when it is stored.
    pub(super) fn say(&mut self, mut stanza: Stanza, sort: Sort, from: Jid, turn: &mut Turn<'_>) {
        let id = (self.settings.is_archived && sort != Sort::Passing).then(|| self.next_id(turn.now));
        if let Some(id) = id {
            self.keep(&stanza, id, turn);
            stanza_ids::write(&self.jid, &self.ids.write(id), &mut stanza);
        }
        let at_ms = turn.now.unix_ms;
        self.waiting.push_back(Waiting { stanza, sort, id, is_stored: false, at_ms, from });
        self.reflect(turn);
    }

    /// Whether this occupant may say this now.
    fn may_speak(&mut self, seat: Seat, sort: Sort, stanza: &Stanza, turn: &Turn<'_>) -> Result<(), StanzaError> {
        let Some(speaker) = self.occupants.get(seat) else { return Err(Condition::NotAcceptable.into()) };
        if speaker.role < Role::Participant {
            return Err(StanzaError::new(Condition::Forbidden, "you have no voice in this room"));
        }
        if sort == Sort::Subject && speaker.role < Role::Moderator && !self.settings.subject_is_free {
            return Err(StanzaError::new(Condition::Forbidden, "moderators alone set the subject"));
        }
        // XEP-0500 section 4.4: a body counts, for all clients and nicks of an account together; admins are free.
        if self.settings.slow_mode_seconds > 0
            && speaker.affiliation < Affiliation::Admin
            && stanza.has_child("body", ns::CLIENT)
        {
            let who = speaker.bare.clone();
            self.pause(&who, turn.now.mono_ms)?;
        }
        Ok(())
    }

    /// Somebody says something in slow mode, if they may already.
    fn pause(&mut self, who: &Jid, now_ms: u64) -> Result<(), StanzaError> {
        if self.pauses.get(who.as_str()).is_some_and(|until_ms| now_ms < *until_ms) {
            let text = "slow mode: wait before you say more, the room tells for how long (muc#roominfo)";
            return Err(StanzaError { kind: ErrorType::Wait, ..StanzaError::new(Condition::PolicyViolation, text) });
        }
        // Also those who have left: to come back is no way around it.
        if self.pauses.len() >= limits::ROOM_PAUSES {
            self.pauses.retain(|_, until_ms| now_ms < *until_ms);
            if self.pauses.len() >= limits::ROOM_PAUSES {
                return Err(Condition::ResourceConstraint.into());
            }
        }
        self.pauses.insert(who.as_str().into(), now_ms + u64::from(self.settings.slow_mode_seconds) * 1000);
        Ok(())
    }

    /// Into the room's archive.
    fn keep(&self, stanza: &Stanza, id: u64, turn: &mut Turn<'_>) {
        let mut bytes = Vec::with_capacity(stanza.weight());
        stanza.write_to(&mut bytes);
        let uses = Uses { archived: true, waits: false };
        let entry = Entry { key: self.key, id, peer: 0, uses, trace: [].into() };
        let keep = Keep { account: self.jid.clone(), stanza: bytes.into(), entries: vec![entry] };
        turn.ask(Question::Keep(Box::new(keep)), Then::RoomKept { room: self.jid.clone(), id });
    }

    /// The store has a message, or could not take it.
    pub fn kept(&mut self, id: u64, outcome: Result<(), StoreFault>, turn: &mut Turn<'_>) {
        let Some(at) = self.waiting.iter().position(|waiting| waiting.id == Some(id)) else { return };
        match outcome {
            Ok(()) => {
                turn.counters.messages_stored += 1;
                self.waiting[at].is_stored = true;
            }
            Err(fault) => {
                if let Some(failed) = self.waiting.remove(at) {
                    let own = Stanza { from: Some(failed.from), to: Some(self.jid.clone()), ..failed.stanza };
                    turn.send_back(&own, &Condition::from(fault).into());
                }
            }
        }
        self.reflect(turn);
    }

    /// Everybody gets what waits and is stored, in order.
    fn reflect(&mut self, turn: &mut Turn<'_>) {
        while self.waiting.front().is_some_and(|first| first.is_stored || first.id.is_none()) {
            let Some(Waiting { stanza, sort, id, at_ms, .. }) = self.waiting.pop_front() else { return };
            self.send_all(&stanza, |_| true, turn);
            match sort {
                Sort::Subject => self.set_subject(stanza, at_ms, turn),
                Sort::Said => {
                    if let Some(retracted) = self.retracts(&stanza) {
                        self.retract(retracted, &stanza, turn);
                    }
                    self.remember(Said { id, stanza, at_ms });
                }
                Sort::Passing => {}
            }
        }
    }

    fn set_subject(&mut self, stanza: Stanza, at_ms: u64, turn: &mut Turn<'_>) {
        let stanza = crate::features::delayed::stamp(stanza, self.jid.as_str(), at_ms);
        let mut bytes = Vec::with_capacity(stanza.weight());
        stanza.write_to(&mut bytes);
        self.subject = Some(stanza);
        turn.ask(Question::SaveSubject { room: self.jid.clone(), subject: bytes.into() }, self.saved());
    }

    fn remember(&mut self, said: Said) {
        self.history_bytes += said.stanza.weight();
        self.history.push_back(said);
        let most = usize::try_from(limits::ROOM_HISTORY).unwrap_or(usize::MAX);
        while self.history.len() > most || self.history_bytes > limits::ROOM_HISTORY_BYTES {
            let Some(oldest) = self.history.pop_front() else { break };
            self.history_bytes -= oldest.stanza.weight();
        }
    }

    /// Whoever enters from now on does not get these.
    pub(super) fn forget_said(&mut self, which: impl Fn(&Said) -> bool) {
        self.history.retain(|said| !which(said));
        self.history_bytes = self.history.iter().map(|said| said.stanza.weight()).sum();
    }

    /// A message that the archive has from before the room was loaded.
    pub(super) fn recall(&mut self, stored: &Archived) {
        if let Some(mut stanza) = Stanza::from_stored(&stored.stanza).filter(|stanza| Sort::of(stanza) == Sort::Said) {
            stanza_ids::write(&self.jid, &self.ids.write(stored.id), &mut stanza);
            self.remember(Said { id: Some(stored.id), stanza, at_ms: stored.id >> 20 });
        }
    }

    /// A message to one occupant (section 7.5).
    pub(super) fn whisper(&mut self, from: &Jid, to: &Jid, mut stanza: Stanza, turn: &mut Turn<'_>) {
        let Some(sender) = self.occupants.of_client(from) else {
            return turn.send_back(&stanza, &StanzaError::new(Condition::NotAcceptable, "you are not in the room"));
        };
        let seat = to.resource().and_then(|nick| self.occupants.seat_named(nick));
        let Some(recipient) = seat.and_then(|seat| self.occupants.get(seat)) else {
            return self.deny(&stanza, Condition::ItemNotFound, turn);
        };
        // Whoever is spoken to by a moderator may answer moderators.
        let allowed = self.settings.private_messages.includes(sender.role)
            || (recipient.role == Role::Moderator && self.settings.private_messages.includes(Role::Moderator));
        if !allowed {
            return turn.send_back(&stanza, &StanzaError::new(Condition::Forbidden, "no private messages here"));
        }
        let mut payload = without(&stanza, says_the_room);
        write_id(&mut payload, &sender.id);
        payload.extend_from_slice(b"<x xmlns='http://jabber.org/protocol/muc#user'/>");
        stanza.payload = payload.into();
        stanza.from = Some(sender.jid.clone());
        let Some((last, others)) = recipient.clients.split_last() else { return };
        for client in others {
            turn.route(Stanza { to: Some(client.jid.clone()), ..stanza.clone() });
        }
        stanza.to = Some(last.jid.clone());
        turn.pass_on(stanza);
    }
}

/// What others get of a message: without what only the room says, with who it is of.
fn reflected(stanza: &Stanza, room: &Jid, id: &str) -> Arc<[u8]> {
    let mut payload =
        without(stanza, |child| says_the_room(child) || stanza_ids::is_by(child, |by| by.same_bare(room)));
    write_id(&mut payload, id);
    payload.into()
}

/// What only a room says of an occupant.
fn says_the_room(child: &Child<'_>) -> bool {
    &*child.ns == OCCUPANT_ID || child.is("x", USER)
}

/// A payload without some of its children.
fn without(stanza: &Stanza, unwanted: impl Fn(&Child<'_>) -> bool) -> Vec<u8> {
    stanza.children().filter(|child| !unwanted(child)).map(|child| child.bytes).collect::<Vec<_>>().concat()
}
