//! Messages that are taken back: by their authors (XEP-0424), and by moderators (XEP-0425). What is taken back leaves the history
//! at once, and a tombstone takes its place in the archive; the retraction itself is archived for those who were away.

use super::announce::{OCCUPANT_ID, write_id};
use super::speaking::Sort;
use super::{Room, done};
use crate::features::archive::RETRACT;
use crate::features::delayed;
use crate::jid::Jid;
use crate::limits;
use crate::ns;
use crate::reading::{RetractedBy, RoomRetraction};
use crate::stanza::{Condition, Kind, MessageType, Stanza, StanzaError};
use crate::store::{Answer, ArchiveQuery, Question, Role, StoreFault};
use crate::turn::{Then, Turn};
use crate::xml::Element;

/// XEP-0425.
pub(super) const MODERATE: &str = "urn:xmpp:message-moderate:1";

impl Room {
    /// The id of the message that this one takes back, if it does (XEP-0424 section 5.1: as the room called it).
    pub(super) fn retracts(&self, stanza: &Stanza) -> Option<u64> {
        // Hardly any message does.
        memchr::memmem::find(&stanza.payload, RETRACT.as_bytes())?;
        let retract = stanza.children().find(|child| child.is("retract", RETRACT))?;
        self.ids.read(&retract.attribute("id")?)
    }

    /// An occupant's retraction was reflected: they may take back what is their own.
    pub(super) fn retract(&mut self, id: u64, retraction: &Stanza, turn: &mut Turn<'_>) {
        let Some(occupant) = occupant_id(retraction) else { return };
        self.forget_said(|said| said.id == Some(id) && occupant_id(&said.stanza).as_ref() == Some(&occupant));
        let by = RetractedBy::Author { occupant, retraction: retraction.id.clone() };
        if self.look_for(id, by, turn).is_err() {
            turn.counters.dropped += 1;
        }
    }

    /// XEP-0425 section 3: a moderator wants a message taken back.
    pub(super) fn moderate_message(&mut self, from: &Jid, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
        if let Err(error) = self.read_moderation(from, stanza, request, turn) {
            turn.refuse(stanza, &error);
        }
    }

    fn read_moderation(
        &mut self,
        from: &Jid,
        stanza: &Stanza,
        request: &Element,
        turn: &mut Turn<'_>,
    ) -> Result<(), StanzaError> {
        if self.standing(from).role != Role::Moderator {
            return Err(StanzaError::new(Condition::Forbidden, "moderators alone take back what others said"));
        }
        if request.child("retract", RETRACT).is_none() {
            return Err(StanzaError::new(Condition::FeatureNotImplemented, "messages can only be retracted"));
        }
        let reason: Option<Box<str>> = request.child("reason", MODERATE).map(|reason| reason.text().into());
        if reason.as_ref().is_some_and(|reason| reason.len() > limits::ROSTER_TEXT_BYTES) {
            return Err(StanzaError::new(Condition::NotAcceptable, "the reason is too long"));
        }
        let id = request.attr("id").and_then(|id| self.ids.read(id)).ok_or(Condition::ItemNotFound)?;
        let occupant = self.occupants.of_client(from).map(|occupant| (occupant.jid.clone(), occupant.id.clone()));
        let by = RetractedBy::Moderator { request: Box::new(stanza.clone()), occupant, reason };
        self.look_for(id, by, turn)
    }

    fn look_for(&mut self, id: u64, by: RetractedBy, turn: &mut Turn<'_>) -> Result<(), StanzaError> {
        let archive = self.archive();
        if id > archive.settled {
            return Err(Condition::ItemNotFound.into());
        }
        if self.retracting >= limits::RETRACTIONS {
            return Err(Condition::ResourceConstraint.into());
        }
        let query = ArchiveQuery {
            account: self.jid.clone(),
            key: self.key,
            peer: None,
            from: 0,
            upto: archive.settled,
            ids: vec![id],
            beside: None,
            last: false,
            limit: 1,
            bytes: limits::ARCHIVE_PAGE_BYTES,
            count: false,
        };
        self.retracting += 1;
        let retraction = RoomRetraction { room: self.jid.clone(), id, by };
        turn.ask(Question::ReadArchive(Box::new(query)), Then::RoomRetraction(Box::new(retraction)));
        Ok(())
    }

    /// The store has looked for the message.
    pub fn found(&mut self, retraction: RoomRetraction, answer: Result<Answer, StoreFault>, turn: &mut Turn<'_>) {
        self.retracting = self.retracting.saturating_sub(1);
        let RoomRetraction { id, by, .. } = retraction;
        let message = match answer {
            Ok(Answer::Page(page)) => page.messages.into_iter().next().ok_or(Condition::ItemNotFound),
            Ok(_) => Err(Condition::ItemNotFound),
            Err(fault) => Err(fault.into()),
        };
        // A retraction is never taken out, or clients would not hear of it; nor is a tombstone (section 5).
        let message = message.and_then(|message| {
            let stanza = Stanza::from_stored(&message.stanza);
            let stays = |stanza: &Stanza| stanza.children().any(|child| child.ns == RETRACT);
            stanza.filter(|stanza| !stays(stanza)).ok_or(Condition::ItemNotFound)
        });
        let stamp = delayed::date_time_ms(turn.now.unix_ms);
        let retracted = Element::new("retracted", RETRACT).with_attr("stamp", stamp);
        match (message, by) {
            (Ok(message), RetractedBy::Author { occupant, retraction }) => {
                if occupant_id(&message) == Some(occupant) {
                    let named = |id: Box<str>| retracted.clone().with_attr("id", id);
                    let retracted = retraction.map_or_else(|| retracted.clone(), named);
                    self.bury(id, message, &retracted, self.saved(), turn);
                }
            }
            (Ok(message), RetractedBy::Moderator { request, occupant, reason }) => {
                let name = turn.dice.token();
                let (by, by_id) = occupant.map_or_else(|| (self.jid.clone(), None), |(jid, id)| (jid, Some(id)));
                let mut moderated = Element::new("moderated", MODERATE).with_attr("by", by.as_str());
                if let Some(id) = by_id {
                    moderated = moderated.with_child(Element::new("occupant-id", OCCUPANT_ID).with_attr("id", id));
                }
                let told = |element: Element| {
                    let element = element.with_child(moderated);
                    match &reason {
                        Some(reason) => element.with_child(Element::new("reason", RETRACT).with_text(reason)),
                        None => element,
                    }
                };
                let retract = told(Element::new("retract", RETRACT).with_attr("id", self.ids.text(id)));
                let kind = Kind::Message(MessageType::Groupchat);
                let said = Stanza::new(kind, Some(self.jid.clone()), None).with_id(&name);
                let mut retracted = retracted.with_attr("id", name);
                retracted = retract.elements().cloned().fold(retracted, Element::with_child);
                // Stored in this order: whoever gets the result can be sure of both.
                self.say(said.with_payload(&retract.to_bytes(ns::CLIENT)), Sort::Said, self.jid.clone(), turn);
                self.bury(id, message, &retracted, done(&request), turn);
            }
            (Err(condition), RetractedBy::Moderator { request, .. }) => turn.refuse(&request, &condition.into()),
            (Err(_), RetractedBy::Author { .. }) => {}
        }
    }

    /// A tombstone takes the place of a message; nothing else of it is left but who said it.
    fn bury(&mut self, id: u64, mut message: Stanza, retracted: &Element, then: Then, turn: &mut Turn<'_>) {
        self.forget_said(|said| said.id == Some(id));
        let mut payload = Vec::new();
        if let Some(author) = occupant_id(&message) {
            write_id(&mut payload, &author);
        }
        payload.extend(retracted.to_bytes(ns::CLIENT));
        message.payload = payload.into();
        let mut stanza = Vec::with_capacity(message.weight());
        message.write_to(&mut stanza);
        turn.ask(Question::Replace { account: self.jid.clone(), key: self.key, id, stanza: stanza.into() }, then);
    }
}

/// Who said a message, as the room wrote it.
fn occupant_id(stanza: &Stanza) -> Option<Box<str>> {
    let child = stanza.children().find(|child| child.is("occupant-id", OCCUPANT_ID))?;
    child.attribute("id").map(Into::into)
}
