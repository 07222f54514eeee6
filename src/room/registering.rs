//! Registration with a room (XEP-0045 sections 7.10 and 7.12): a nick that nobody else may take, and with it membership.

use super::Room;
use super::occupant::{comparable, is_presentable};
use crate::jid::Jid;
use crate::ns;
use crate::stanza::form::{DATA, Form, single};
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::store::{Affiliation, Member};
use crate::turn::Turn;
use crate::xml::Element;

/// The namespace.
pub(super) const REGISTER: &str = "jabber:iq:register";
/// The type of the form.
const FORM: &str = "http://jabber.org/protocol/muc#register";
/// Its field.
const NICK: &str = "muc#register_roomnick";

impl Room {
    /// Who has reserved a nick.
    pub(super) fn reserves(&self, nick: &str) -> Option<&Jid> {
        let wanted = comparable(nick);
        let same = |member: &&Member| member.nick.as_deref().is_some_and(|nick| comparable(nick) == wanted);
        self.members.values().find(same).map(|member| &member.jid)
    }

    /// The nick that somebody has reserved.
    pub(super) fn reserved(&self, who: &Jid) -> Option<&str> {
        self.members.get(who.bare_str())?.nick.as_deref()
    }

    /// A request of `jabber:iq:register`.
    pub(super) fn register(&mut self, from: &Jid, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
        let affiliation = self.affiliation(from);
        let outcome = if affiliation == Affiliation::Outcast {
            Err(Condition::Forbidden.into())
        } else if affiliation == Affiliation::None && self.settings.is_members_only {
            Err(StanzaError::new(Condition::NotAllowed, "an admin of the room decides who belongs to it"))
        } else if stanza.kind == Kind::Iq(IqType::Get) {
            turn.route(stanza.result(&self.registration_form(from)));
            Ok(())
        } else if request.child("remove", REGISTER).is_some() {
            self.unregister(from, stanza, turn);
            Ok(())
        } else {
            self.registered(from, stanza, request, turn)
        };
        if let Err(error) = outcome {
            turn.refuse(stanza, &error);
        }
    }

    fn registration_form(&self, from: &Jid) -> Vec<u8> {
        let mut query = Element::new("query", REGISTER);
        if let Some(nick) = self.reserved(from) {
            query = query
                .with_child(Element::new("registered", REGISTER))
                .with_child(Element::new("username", REGISTER).with_text(nick));
        }
        let value = Element::new("value", DATA).with_text(FORM);
        let form_type =
            Element::new("field", DATA).with_attr("var", "FORM_TYPE").with_attr("type", "hidden").with_child(value);
        let mut nick = Element::new("field", DATA)
            .with_attr("var", NICK)
            .with_attr("type", "text-single")
            .with_attr("label", "Desired nickname")
            .with_child(Element::new("required", DATA));
        if let Some(reserved) = self.reserved(from) {
            nick = nick.with_child(Element::new("value", DATA).with_text(reserved));
        }
        let form = Element::new("x", DATA).with_attr("type", "form").with_child(form_type).with_child(nick);
        query.with_child(form).to_bytes(ns::CLIENT)
    }

    fn unregister(&mut self, from: &Jid, stanza: &Stanza, turn: &mut Turn<'_>) {
        let jid = from.to_bare();
        let affiliation = match self.affiliation(from) {
            // What an admin gave is not taken by giving back a nick.
            Affiliation::Member if !self.settings.is_members_only => Affiliation::None,
            other => other,
        };
        let member = Member { jid: jid.clone(), affiliation, nick: None, reason: None };
        self.save_members(vec![member], super::done(stanza), turn);
        self.stand(&jid, affiliation, None, None, turn);
    }

    fn registered(
        &mut self,
        from: &Jid,
        stanza: &Stanza,
        request: &Element,
        turn: &mut Turn<'_>,
    ) -> Result<(), StanzaError> {
        let form = Form::submitted(request, FORM)?.ok_or(Condition::BadRequest)?;
        let nick =
            form.fields.iter().find(|(name, _)| **name == *NICK).map(|(_, values)| single(values)).transpose()?;
        let nick = nick.flatten().ok_or(StanzaError::new(Condition::NotAcceptable, "a nick is needed"))?;
        let prepared = self.jid.with_resource(nick).map_err(|_| Condition::NotAcceptable)?;
        let nick = prepared.resource().filter(|nick| is_presentable(nick)).ok_or(Condition::NotAcceptable)?;
        let is_others = |jid: &Jid| !jid.same_bare(from);
        let occupant = self.occupants.seat_named(nick).and_then(|seat| self.occupants.get(seat));
        if self.reserves(nick).is_some_and(is_others) || occupant.is_some_and(|there| is_others(&there.bare)) {
            return Err(StanzaError::new(Condition::Conflict, "somebody else has this nick"));
        }
        let jid = from.to_bare();
        if !self.members.contains_key(jid.as_str()) && self.members.len() >= crate::limits::ROOM_MEMBERS {
            return Err(StanzaError::new(Condition::ResourceConstraint, "the room has too many members"));
        }
        let affiliation = self.affiliation(from).max(Affiliation::Member);
        let member = Member { jid: jid.clone(), affiliation, nick: Some(nick.into()), reason: None };
        self.save_members(vec![member], super::done(stanza), turn);
        self.stand(&jid, affiliation, None, None, turn);
        Ok(())
    }
}
