//! Requests to the room itself (XEP-0045 sections 6.4, 6.5 and 7.12; XEP-0030), and what answers them.

use super::Room;
use super::admin::ADMIN;
use super::announce::{MUC, OCCUPANT_ID};
use super::operator::OPERATOR;
use super::owning::OWNER;
use super::registering::REGISTER;
use super::retracting::MODERATE;
use crate::features::archive::{RETRACT, RETRACT_TOMBSTONE};
use crate::features::{Reply, archive};
use crate::jid::Jid;
use crate::ns;
use crate::stanza::form::DATA;
use crate::stanza::{Condition, IqType, Kind, Stanza};
use crate::store::Affiliation;
use crate::turn::Turn;
use crate::xml::Element;

pub(super) const INFO: &str = "http://jabber.org/protocol/disco#info";
pub(super) const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// The node that tells one's reserved nick.
const RESERVED_NICK: &str = "x-roomuser-item";

impl Room {
    /// A request to the room itself.
    pub(super) fn asked(&mut self, from: &Jid, stanza: &Stanza, turn: &mut Turn<'_>) {
        let Some(request) = stanza.first_element() else { return turn.refuse(stanza, &Condition::BadRequest.into()) };
        let is_get = stanza.kind == Kind::Iq(IqType::Get);
        match (&*request.ns, &*request.name) {
            (ADMIN, "query") => self.administer(from, stanza, &request, turn),
            (OWNER, "query") => self.own(from, stanza, &request, turn),
            (REGISTER, "query") => self.register(from, stanza, &request, turn),
            (INFO, "query") if is_get => self.info(from, stanza, &request, turn),
            (ITEMS, "query") if is_get => self.items(from, stanza, turn),
            ("urn:xmpp:mam:2", _) => self.read_archive(from, stanza, &request, turn),
            ("urn:xmpp:ping", "ping") if is_get => turn.route(stanza.result(&[])),
            (MODERATE, "moderate") if !is_get => self.moderate_message(from, stanza, &request, turn),
            (OPERATOR, "purge") if self.is_operator(from) => self.forget_before(stanza, &request, turn),
            _ => turn.refuse(stanza, &Condition::ServiceUnavailable.into()),
        }
    }

    /// XEP-0313 section 8.2: who may enter may read what was said.
    fn read_archive(&self, from: &Jid, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
        if !self.may_enter(from) {
            return turn.refuse(stanza, &Condition::Forbidden.into());
        }
        match archive::ask_in_room(&self.archive(), stanza, request, turn) {
            Ok(Reply::Result(payload)) => turn.route(stanza.result(&payload)),
            Ok(Reply::Later) => {}
            Err(error) => turn.refuse(stanza, &error),
        }
    }

    fn info(&self, from: &Jid, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
        if self.is_locked && self.affiliation(from) != Affiliation::Owner {
            return turn.refuse(stanza, &Condition::ItemNotFound.into());
        }
        let mut query = Element::new("query", INFO);
        match request.attr("node") {
            None => {}
            Some(RESERVED_NICK) => {
                query.set_attr("node", RESERVED_NICK);
                if let Some(nick) = self.reserved(from) {
                    query = query.with_child(identity("text", nick));
                }
                return turn.route(stanza.result(&query.to_bytes(ns::CLIENT)));
            }
            Some(_) => return turn.refuse(stanza, &Condition::ItemNotFound.into()),
        }
        query = query.with_child(identity("text", self.settings.title(self.jid.local().unwrap_or_default())));
        for feature in self.features() {
            query = query.with_child(Element::new("feature", INFO).with_attr("var", feature));
        }
        turn.route(stanza.result(&query.with_child(self.about(from)).to_bytes(ns::CLIENT)));
    }

    /// Section 6.4, and what is built on it; sorted, as XEP-0115 wants them.
    fn features(&self) -> Vec<&'static str> {
        let s = &self.settings;
        let either = |is: bool, yes, no| if is { yes } else { no };
        let mut features = vec![
            INFO,
            ITEMS,
            MUC,
            "http://jabber.org/protocol/muc#request",
            "http://jabber.org/protocol/muc#self-ping-optimization",
            "http://jabber.org/protocol/muc#stable_id",
            REGISTER,
            "urn:xmpp:ping",
            "urn:xmpp:sid:0",
            OCCUPANT_ID,
            either(s.password.is_some(), "muc_passwordprotected", "muc_unsecured"),
            either(s.is_public, "muc_public", "muc_hidden"),
            either(s.is_persistent, "muc_persistent", "muc_temporary"),
            either(s.is_members_only, "muc_membersonly", "muc_open"),
            either(s.is_moderated, "muc_moderated", "muc_unmoderated"),
            either(s.is_non_anonymous, "muc_nonanonymous", "muc_semianonymous"),
        ];
        if s.is_archived {
            let archive = ["urn:xmpp:mam:2", "urn:xmpp:mam:2#extended", RETRACT, RETRACT_TOMBSTONE, MODERATE];
            features.extend(archive);
        }
        features.sort_unstable();
        features
    }

    /// Section 15.5.4, `muc#roominfo`.
    fn about(&self, from: &Jid) -> Element {
        let s = &self.settings;
        let field = |name: &str, value: &str| {
            let value = Element::new("value", DATA).with_text(value);
            Element::new("field", DATA).with_attr("var", name).with_child(value)
        };
        let truth = |truth| if truth { "1" } else { "0" };
        let mut form = Element::new("x", DATA)
            .with_attr("type", "result")
            .with_child(field("FORM_TYPE", "http://jabber.org/protocol/muc#roominfo").with_attr("type", "hidden"))
            .with_child(field("muc#roominfo_description", &s.description))
            .with_child(field("muc#roominfo_lang", &s.language))
            .with_child(field("muc#roominfo_changesubject", truth(s.subject_is_free)))
            .with_child(field("muc#roomconfig_changesubject", truth(s.subject_is_free)))
            .with_child(field("muc#roomconfig_allowinvites", truth(s.invites_are_free)))
            .with_child(field("muc#maxhistoryfetch", &s.history.to_string()));
        if s.slow_mode_seconds > 0 {
            form = form.with_child(field("muc#roominfo_slow_mode_duration", &s.slow_mode_seconds.to_string()));
        }
        // How many are inside, and about what they talk, is for those who may hear it.
        if self.may_enter(from) {
            form = form.with_child(field("muc#roominfo_occupants", &self.occupants.len().to_string()));
            let subject = self.subject.as_ref().and_then(|stanza| {
                let child = stanza.children().find(|child| child.is("subject", ns::CLIENT))?;
                Element::parse(child.bytes, ns::CLIENT).ok()
            });
            if let Some(subject) = subject {
                form = form.with_child(field("muc#roominfo_subject", &subject.text()));
            }
        }
        form
    }

    /// Section 6.5: who is in the room, for those who are in it as well.
    fn items(&self, from: &Jid, stanza: &Stanza, turn: &mut Turn<'_>) {
        let mut query = Element::new("query", ITEMS);
        if self.occupants.of_client(from).is_some() {
            for occupant in self.occupants.iter() {
                query = query.with_child(Element::new("item", ITEMS).with_attr("jid", occupant.jid.as_str()));
            }
        }
        turn.route(stanza.result(&query.to_bytes(ns::CLIENT)));
    }
}

pub(super) fn identity(kind: &str, name: &str) -> Element {
    Element::new("identity", INFO).with_attr("category", "conference").with_attr("type", kind).with_attr("name", name)
}
