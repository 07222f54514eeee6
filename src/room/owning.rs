//! What owners do with a room (XEP-0045 section 10, `muc#owner`): set it up, and destroy it.

use super::announce::{News, USER};
use super::settings::{CONFIG, Settings};
use super::{Occupant, Room, Standing};
use crate::jid::Jid;
use crate::ns;
use crate::stanza::form::{DATA, Form};
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::store::{Affiliation, Question, Role};
use crate::turn::Turn;
use crate::xml::Element;

/// The namespace.
pub const OWNER: &str = "http://jabber.org/protocol/muc#owner";

impl Room {
    /// A request of `muc#owner`.
    pub(super) fn own(&mut self, from: &Jid, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
        if self.affiliation(from) != Affiliation::Owner {
            return turn.refuse(stanza, &Condition::Forbidden.into());
        }
        if stanza.kind == Kind::Iq(IqType::Get) {
            let query = Element::new("query", OWNER).with_child(self.settings.form("form"));
            return turn.route(stanza.result(&query.to_bytes(ns::CLIENT)));
        }
        if let Some(destroy) = request.child("destroy", OWNER) {
            return self.destroy_for(stanza, destroy, turn);
        }
        let Some(x) = request.child("x", DATA) else {
            return turn.refuse(stanza, &StanzaError::new(Condition::BadRequest, "a form, or destroy"));
        };
        match x.attr("type") {
            // Section 10.1.2: who does not set up a new room does not want it.
            Some("cancel") => {
                turn.route(stanza.result(&[]));
                if self.is_locked {
                    self.destroy(&Element::new("destroy", USER), turn);
                }
            }
            // Section 10.1.2: an instant room.
            Some("submit") if x.elements().next().is_none() => self.set_up(self.settings.clone(), stanza, turn),
            _ => match self.read_settings(request) {
                Ok(settings) => self.set_up(settings, stanza, turn),
                Err(error) => turn.refuse(stanza, &error),
            },
        }
    }

    fn read_settings(&self, request: &Element) -> Result<Settings, StanzaError> {
        let form = Form::submitted(request, CONFIG)?.ok_or(Condition::BadRequest)?;
        self.settings.submitted(&form)
    }

    /// Section 10.2: the room is set up so from now on, and everybody in it hears what that changes.
    pub(super) fn set_up(&mut self, settings: Settings, stanza: &Stanza, turn: &mut Turn<'_>) {
        let before = std::mem::replace(&mut self.settings, settings);
        self.is_locked = false;
        self.save_setup(super::done(stanza), turn);
        self.apply(&before, turn);
    }

    /// What other settings mean for those who are in the room.
    pub(super) fn apply(&mut self, before: &Settings, turn: &mut Turn<'_>) {
        if self.settings.is_members_only && !before.is_members_only {
            self.remove_strangers(turn);
        }
        if self.settings.is_moderated != before.is_moderated {
            self.moderate(turn);
        }
        if *before == self.settings {
            return;
        }
        let mut codes = vec![104];
        if self.settings.is_non_anonymous != before.is_non_anonymous {
            codes.push(if self.settings.is_non_anonymous { 172 } else { 173 });
        }
        self.announce_codes(&codes, turn);
    }

    /// The room becomes moderated, or is no more: those without affiliation lose or gain their voice.
    fn moderate(&mut self, turn: &mut Turn<'_>) {
        let (from, to) = if self.settings.is_moderated {
            (Role::Participant, Role::Visitor)
        } else {
            (Role::Visitor, Role::Participant)
        };
        for seat in self.occupants.seats() {
            let Some(standing) = self.occupants.get(seat).map(Occupant::standing) else { continue };
            if standing == (Standing { affiliation: Affiliation::None, role: from }) {
                self.place(seat, Standing { role: to, ..standing }, News::default(), turn);
            }
        }
    }

    fn destroy_for(&mut self, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
        let mut destroy = Element::new("destroy", USER);
        if let Some(jid) = request.attr("jid").filter(|jid| Jid::parse(jid).is_ok()) {
            destroy.set_attr("jid", jid);
        }
        for name in ["reason", "password"] {
            if let Some(child) = request.child(name, OWNER) {
                destroy = destroy.with_child(Element::new(name, USER).with_text(&child.text()));
            }
        }
        turn.ask(Question::RemoveRoom { room: self.jid.clone() }, super::done(stanza));
        self.remove_all(&destroy, turn);
    }

    /// The room and all that was said in it are gone (section 10.9).
    pub fn destroy(&mut self, destroyed: &Element, turn: &mut Turn<'_>) {
        turn.ask(Question::RemoveRoom { room: self.jid.clone() }, self.saved());
        self.remove_all(destroyed, turn);
    }
}
