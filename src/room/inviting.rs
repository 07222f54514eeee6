//! Messages to the room itself (XEP-0045 sections 7.8.2, 7.13 and 8.6): mediated invitations, those who decline, requests for
//! voice and what moderators say to them.

use super::Room;
use super::announce::{MUC, USER};
use crate::jid::Jid;
use crate::limits;
use crate::ns;
use crate::stanza::form::{DATA, Form, single};
use crate::stanza::{Condition, Kind, MessageType, Stanza, StanzaError};
use crate::store::{Affiliation, Member, Role};
use crate::turn::Turn;
use crate::xml::Element;

/// The type of the form of a request for voice.
const REQUEST: &str = "http://jabber.org/protocol/muc#request";
/// XEP-0249.
const CONFERENCE: &str = "jabber:x:conference";

impl Room {
    /// A message to the room itself that is no groupchat.
    pub(super) fn petition(&mut self, from: &Jid, stanza: &Stanza, turn: &mut Turn<'_>) {
        let child = |namespace| {
            let child = stanza.children().find(|child| child.is("x", namespace))?;
            Element::parse(child.bytes, ns::CLIENT).ok()
        };
        let outcome = if let Some(x) = child(USER) {
            self.invite_or_decline(from, &x, turn)
        } else if let Some(x) = child(DATA) {
            self.voice(from, x, turn)
        } else {
            // Section 7.4 leaves it free to refuse what is no groupchat.
            Err(StanzaError::new(Condition::BadRequest, "a room takes messages of type groupchat"))
        };
        if let Err(error) = outcome {
            turn.send_back(stanza, &error);
        }
    }

    fn invite_or_decline(&mut self, from: &Jid, x: &Element, turn: &mut Turn<'_>) -> Result<(), StanzaError> {
        if let Some(decline) = x.child("decline", USER) {
            return self.decline(from, decline, turn);
        }
        let invites: Vec<_> = x.elements().filter(|child| child.is("invite", USER)).collect();
        if invites.is_empty() {
            return Err(StanzaError::new(Condition::BadRequest, "the message neither invites nor declines"));
        }
        if invites.len() > limits::ROOM_ITEMS {
            return Err(StanzaError::new(Condition::PolicyViolation, "too many are invited at once"));
        }
        let own = self.standing(from);
        if own.role == Role::None {
            return Err(StanzaError::new(Condition::NotAcceptable, "you are not in the room"));
        }
        let may_invite = own.affiliation >= Affiliation::Admin || self.settings.invites_are_free;
        if !may_invite || own.role < Role::Participant {
            return Err(StanzaError::new(Condition::Forbidden, "you may not invite"));
        }
        let invitees = invites
            .iter()
            .map(|invite| invite.attr("to").and_then(|to| Jid::parse(to).ok()).filter(|to| to.local().is_some()))
            .collect::<Option<Vec<_>>>()
            .ok_or(Condition::JidMalformed)?;
        if invitees.iter().any(|invitee| self.affiliation(invitee) == Affiliation::Outcast) {
            return Err(StanzaError::new(Condition::Forbidden, "somebody who is banned cannot be invited"));
        }
        if self.settings.is_members_only {
            self.admit_invited(&invitees, turn)?;
        }
        let inviter = self.occupants.of_client(from).map_or(from, |occupant| &occupant.bare).clone();
        for (invite, invitee) in invites.iter().zip(&invitees) {
            self.send_invitation(&inviter, invite, invitee, turn);
        }
        Ok(())
    }

    /// Section 7.8.2: whoever is invited to a room for members becomes one.
    fn admit_invited(&mut self, invitees: &[Jid], turn: &mut Turn<'_>) -> Result<(), StanzaError> {
        let strangers = invitees.iter().filter(|invitee| self.affiliation(invitee) == Affiliation::None);
        let members: Vec<_> = strangers
            .map(|jid| Member { jid: jid.to_bare(), affiliation: Affiliation::Member, nick: None, reason: None })
            .collect();
        if self.members.len() + members.len() > limits::ROOM_MEMBERS {
            return Err(StanzaError::new(Condition::ResourceConstraint, "the room has too many members"));
        }
        if members.is_empty() {
            return Ok(());
        }
        let jids: Vec<_> = members.iter().map(|member| member.jid.clone()).collect();
        let then = self.saved();
        self.save_members(members, then, turn);
        for jid in jids {
            self.stand(&jid, Affiliation::Member, None, None, turn);
        }
        Ok(())
    }

    fn send_invitation(&self, inviter: &Jid, invite: &Element, invitee: &Jid, turn: &mut Turn<'_>) {
        let reason = invite.child("reason", USER).map(|reason| reason.text().into_owned()).unwrap_or_default();
        let mut told = Element::new("invite", USER).with_attr("from", inviter.as_str());
        if !reason.is_empty() {
            told = told.with_child(Element::new("reason", USER).with_text(&reason));
        }
        if let Some(thread) = invite.child("continue", USER) {
            told = told.with_child(thread.clone());
        }
        let mut x = Element::new("x", USER).with_child(told);
        // Compat: clients that know only direct invitations (XEP-0249).
        let mut direct = Element::new("x", CONFERENCE).with_attr("jid", self.jid.as_str());
        if let Some(password) = &self.settings.password {
            x = x.with_child(Element::new("password", USER).with_text(&password.0));
            direct.set_attr("password", password.0.clone());
        }
        if !reason.is_empty() {
            direct.set_attr("reason", reason);
        }
        let mut payload = x.to_bytes(ns::CLIENT);
        direct.write_to(&mut payload, ns::CLIENT);
        self.write_to(invitee, &payload, turn);
    }

    /// Section 7.8.2: the invitee says no, in the room's name as they were asked.
    fn decline(&self, from: &Jid, decline: &Element, turn: &mut Turn<'_>) -> Result<(), StanzaError> {
        let inviter = decline.attr("to").and_then(|to| Jid::parse(to).ok()).ok_or(Condition::JidMalformed)?;
        // Whom it is for must be here: else anybody could have the room write to anybody.
        let is_here = self.occupants.iter().any(|occupant| occupant.bare.same_bare(&inviter));
        if !is_here || self.affiliation(from) == Affiliation::Outcast {
            return Err(Condition::ItemNotFound.into());
        }
        let mut told = Element::new("decline", USER).with_attr("from", from.bare_str());
        if let Some(reason) = decline.child("reason", USER) {
            told = told.with_child(Element::new("reason", USER).with_text(&reason.text()));
        }
        self.write_to(&inviter, &Element::new("x", USER).with_child(told).to_bytes(ns::CLIENT), turn);
        Ok(())
    }

    fn write_to(&self, to: &Jid, payload: &[u8], turn: &mut Turn<'_>) {
        let kind = Kind::Message(MessageType::Normal);
        let id = turn.dice.token();
        turn.route(Stanza::new(kind, Some(self.jid.clone()), Some(to.clone())).with_id(&id).with_payload(payload));
    }

    /// Sections 7.13 and 8.6.
    fn voice(&mut self, from: &Jid, x: Element, turn: &mut Turn<'_>) -> Result<(), StanzaError> {
        let parent = Element::new("message", ns::CLIENT).with_child(x);
        let form = Form::submitted(&parent, REQUEST)?.ok_or(Condition::BadRequest)?;
        let value = |name: &str| {
            let field = form.fields.iter().find(|(known, _)| **known == *name);
            field.and_then(|(_, values)| single(values).ok().flatten())
        };
        let seat = self.occupants.seat_of(from).ok_or(Condition::NotAcceptable)?;
        let Some(own) = self.occupants.get(seat) else { return Err(Condition::NotAcceptable.into()) };
        if own.role == Role::Moderator {
            let (Some(nick), Some("1" | "true")) = (value("muc#roomnick"), value("muc#request_allow")) else {
                return Ok(());
            };
            let (actor, other) =
                (own.nick().to_owned(), self.occupants.seat_named(nick).ok_or(Condition::ItemNotFound)?);
            if self.occupants.get(other).is_some_and(|other| other.role == Role::Visitor) {
                self.give_role(other, Role::Participant, Some(&actor), None, turn);
            }
            return Ok(());
        }
        if own.role != Role::Visitor || !self.settings.takes_voice_requests {
            return Err(Condition::NotAllowed.into());
        }
        let field = |name: &str, kind: &str, label: &str, value: &str| {
            let value = Element::new("value", DATA).with_text(value);
            let field = Element::new("field", DATA).with_attr("var", name).with_attr("type", kind);
            let field = if label.is_empty() { field } else { field.with_attr("label", label) };
            field.with_child(value)
        };
        let asking = Element::new("x", DATA)
            .with_attr("type", "form")
            .with_child(Element::new("title", DATA).with_text("Voice request"))
            .with_child(field("FORM_TYPE", "hidden", "", REQUEST))
            .with_child(field("muc#role", "list-single", "Requested role", "participant"))
            .with_child(field("muc#jid", "jid-single", "User ID", from.as_str()))
            .with_child(field("muc#roomnick", "text-single", "Room nickname", own.nick()))
            .with_child(field("muc#request_allow", "boolean", "Grant voice to this person?", "false"));
        let kind = Kind::Message(MessageType::Normal);
        let stanza = Stanza::new(kind, Some(self.jid.clone()), None)
            .with_id(&turn.dice.token())
            .with_payload(&asking.to_bytes(ns::CLIENT));
        self.send_all(&stanza, |occupant| occupant.role == Role::Moderator, turn);
        Ok(())
    }
}

/// Whether somebody asks to enter.
#[must_use]
pub(super) fn is_entering(stanza: &Stanza) -> bool {
    stanza.has_child("x", MUC)
}
