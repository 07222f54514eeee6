//! Presence as a room sends it (XEP-0045 sections 7.2.3 to 7.2.7, 7.14, 15.6): whose it is, where they stand, and who may see
//! the real address.

use std::sync::Arc;

use super::Room;
use super::occupant::{Occupant, Seat};
use super::privilege::Standing;
use crate::jid::Jid;
use crate::ns;
use crate::stanza::{Kind, PresenceType, Stanza};
use crate::store::Role;
use crate::turn::Turn;
use crate::xml::{Element, escape_attr, escape_text};

/// XEP-0045.
pub(super) const MUC: &str = "http://jabber.org/protocol/muc";
/// XEP-0045: what rooms say of occupants.
pub(super) const USER: &str = "http://jabber.org/protocol/muc#user";
/// XEP-0421.
pub(super) const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";

/// What presence says beside who it is about.
#[derive(Clone, Copy, Default)]
pub(super) struct News<'a> {
    /// Status codes for everybody.
    pub(super) statuses: &'a [u16],
    /// Further ones for the occupant alone, beside 110.
    pub(super) own: &'a [u16],
    /// The nick that the occupant takes.
    pub(super) nick: Option<&'a str>,
    /// Who did it, by nick.
    pub(super) actor: Option<&'a str>,
    /// Why.
    pub(super) reason: Option<&'a str>,
    /// What the occupant says on leaving (section 7.14).
    pub(super) farewell: &'a [u8],
    /// The room is gone.
    pub(super) destroyed: Option<&'a Element>,
}

/// What one presence holds, but for the real address and the codes for its occupant.
struct Text<'a> {
    occupant: &'a Occupant,
    standing: Standing,
    /// Of the client that it is about.
    presence: &'a [u8],
    jid: Option<&'a Jid>,
    news: News<'a>,
}

impl Text<'_> {
    fn write(&self, shows_jid: bool, is_own: bool) -> Arc<[u8]> {
        let mut out = Vec::with_capacity(self.presence.len() + 384);
        out.extend_from_slice(self.presence);
        write_id(&mut out, &self.occupant.id);
        out.extend_from_slice(b"<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='");
        out.extend_from_slice(self.standing.affiliation.name().as_bytes());
        out.extend_from_slice(b"' role='");
        out.extend_from_slice(self.standing.role.name().as_bytes());
        if let Some(jid) = self.jid.filter(|_| shows_jid) {
            out.extend_from_slice(b"' jid='");
            escape_attr(&mut out, jid.as_str());
        }
        if let Some(nick) = self.news.nick {
            out.extend_from_slice(b"' nick='");
            escape_attr(&mut out, nick);
        }
        out.extend_from_slice(b"'>");
        if let Some(actor) = self.news.actor {
            out.extend_from_slice(b"<actor nick='");
            escape_attr(&mut out, actor);
            out.extend_from_slice(b"'/>");
        }
        if let Some(reason) = self.news.reason.filter(|reason| !reason.is_empty()) {
            out.extend_from_slice(b"<reason>");
            escape_text(&mut out, reason);
            out.extend_from_slice(b"</reason>");
        }
        out.extend_from_slice(b"</item>");
        if let Some(destroyed) = self.news.destroyed {
            destroyed.write_to(&mut out, USER);
        }
        for code in self.news.statuses {
            write_status(&mut out, *code);
        }
        if is_own {
            for code in self.news.own.iter().chain(&[110]) {
                write_status(&mut out, *code);
            }
        }
        out.extend_from_slice(b"</x>");
        out.into()
    }

    /// To each client of the occupant; the one whose presence it reflects finds its id in it.
    fn tell_own(&self, kind: PresenceType, reflects: Option<(&Jid, Option<&str>)>, turn: &mut Turn<'_>) {
        let own = self.write(true, true);
        for to in &self.occupant.clients {
            let mut stanza = presence_of(kind, &self.occupant.jid, &to.jid, &own);
            if let Some((_, id)) = reflects.filter(|(jid, _)| **jid == to.jid) {
                stanza.id = id.map(Into::into);
            }
            turn.route(stanza);
        }
    }
}

/// The name of an occupant that never changes.
pub(super) fn write_id(out: &mut Vec<u8>, id: &str) {
    out.extend_from_slice(b"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='");
    escape_attr(out, id);
    out.extend_from_slice(b"'/>");
}

fn write_status(out: &mut Vec<u8>, code: u16) {
    out.extend_from_slice(b"<status code='");
    out.extend_from_slice(code.to_string().as_bytes());
    out.extend_from_slice(b"'/>");
}

/// What an occupant says of themselves, without what only rooms say.
pub(super) fn portable(stanza: &Stanza) -> Arc<[u8]> {
    let ours = |ns: &str| ns == OCCUPANT_ID || ns == MUC || ns.starts_with("http://jabber.org/protocol/muc#");
    if stanza.payload.len() > crate::limits::ROOM_PRESENCE_BYTES {
        return [].into();
    }
    if !stanza.children().any(|child| ours(&child.ns)) {
        return Arc::clone(&stanza.payload);
    }
    let kept = stanza.children().filter(|child| !ours(&child.ns)).map(|child| child.bytes);
    kept.collect::<Vec<_>>().concat().into()
}

impl Room {
    /// The presence of an occupant, to one client of somebody who is in the room.
    pub(super) fn show_to(&self, whose: Seat, to: &Jid, turn: &mut Turn<'_>) {
        let (Some(occupant), Some(other)) = (self.occupants.get(whose), self.occupants.of_client(to)) else { return };
        let Some(client) = occupant.clients.last() else { return };
        if !self.settings.shows(occupant.role) {
            return;
        }
        let text = Text {
            occupant,
            standing: occupant.standing(),
            presence: &client.presence,
            jid: Some(&client.jid),
            news: News::default(),
        };
        let payload = text.write(self.settings.is_non_anonymous || other.role == Role::Moderator, false);
        let mut stanza =
            Stanza::new(Kind::Presence(PresenceType::Available), Some(occupant.jid.clone()), Some(to.clone()));
        stanza.payload = payload;
        turn.route(stanza);
    }

    /// Presence of an occupant as they are now, to everybody in the room, themselves last. `id`: of the stanza that
    /// `client` sent and this reflects.
    pub(super) fn show(
        &self,
        whose: Seat,
        news: News<'_>,
        reflects: Option<(&Jid, Option<&str>)>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(occupant) = self.occupants.get(whose) {
            self.tell(occupant, PresenceType::Available, occupant.standing(), news, reflects, turn);
        }
    }

    /// Presence about an occupant to everybody in the room; they themselves get it last, each of their clients, also if they
    /// do not sit there any more.
    pub(super) fn tell(
        &self,
        occupant: &Occupant,
        kind: PresenceType,
        standing: Standing,
        news: News<'_>,
        reflects: Option<(&Jid, Option<&str>)>,
        turn: &mut Turn<'_>,
    ) {
        let Some(client) = occupant.clients.last() else { return };
        let presence = if kind == PresenceType::Available { &*client.presence } else { news.farewell };
        let text = Text { occupant, standing, presence, jid: Some(&client.jid), news };
        // Hidden roles are hidden from everybody else (section 10.2, muc#roomconfig_presencebroadcast).
        if self.settings.shows(occupant.role) || self.settings.shows(standing.role) {
            let mut written: [Option<Arc<[u8]>>; 2] = [None, None];
            for other in self.occupants.iter().filter(|other| other.jid != occupant.jid) {
                let shows_jid = self.settings.is_non_anonymous || other.role == Role::Moderator;
                let payload = written[usize::from(shows_jid)].get_or_insert_with(|| text.write(shows_jid, false));
                for to in &other.clients {
                    turn.route(presence_of(kind, &occupant.jid, &to.jid, payload));
                }
            }
        }
        text.tell_own(kind, reflects, turn);
    }

    /// Unavailable presence about an occupant to themselves alone.
    pub(super) fn tell_own(&self, occupant: &Occupant, standing: Standing, news: News<'_>, turn: &mut Turn<'_>) {
        if let Some(client) = occupant.clients.last() {
            let text = Text { occupant, standing, presence: &[], jid: Some(&client.jid), news };
            text.tell_own(PresenceType::Unavailable, None, turn);
        }
    }

    /// Unavailable presence to one client that leaves while others of the same occupant stay.
    pub(super) fn dismiss(&self, occupant: &Occupant, client: &Jid, news: News<'_>, turn: &mut Turn<'_>) {
        let standing = Standing { role: Role::None, ..occupant.standing() };
        let text = Text { occupant, standing, presence: news.farewell, jid: Some(client), news };
        turn.route(presence_of(PresenceType::Unavailable, &occupant.jid, client, &text.write(true, true)));
    }

    /// A message of the room itself to everybody in it, with status codes (section 10.2.1).
    pub(super) fn announce_codes(&self, codes: &[u16], turn: &mut Turn<'_>) {
        let mut x = Element::new("x", USER);
        for code in codes {
            x = x.with_child(Element::new("status", USER).with_attr("code", code.to_string()));
        }
        let kind = Kind::Message(crate::stanza::MessageType::Groupchat);
        let stanza = Stanza::new(kind, Some(self.jid.clone()), None).with_payload(&x.to_bytes(ns::CLIENT));
        self.send_all(&stanza, |_| true, turn);
    }

    /// The same stanza to every client of those occupants.
    pub(super) fn send_all(&self, stanza: &Stanza, to: impl Fn(&Occupant) -> bool, turn: &mut Turn<'_>) {
        for occupant in self.occupants.iter().filter(|occupant| to(occupant)) {
            for client in &occupant.clients {
                turn.route(Stanza { to: Some(client.jid.clone()), ..stanza.clone() });
            }
        }
    }
}

fn presence_of(kind: PresenceType, from: &Jid, to: &Jid, payload: &Arc<[u8]>) -> Stanza {
    let mut stanza = Stanza::new(Kind::Presence(kind), Some(from.clone()), Some(to.clone()));
    stanza.payload = Arc::clone(payload);
    stanza
}
