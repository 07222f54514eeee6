//! Presence to a room: entering, coming once more, another nick, another availability (XEP-0045 sections 7.2, 7.6 and 7.7).

use std::sync::Arc;

use super::announce::{MUC, News, portable};
use super::inviting::is_entering;
use super::occupant::{Client, Occupant, Seat, is_presentable};
use super::settings::Password;
use super::{Room, Standing};
use crate::features::delayed;
use crate::jid::Jid;
use crate::limits;
use crate::stanza::{Condition, Kind, MessageType, PresenceType, Stanza, StanzaError};
use crate::store::{Affiliation, Question, Role, StoredOccupant};
use crate::turn::Turn;
use crate::xml::Element;

/// What `<x xmlns='…muc'/>` asks for.
#[derive(Default)]
struct Wish {
    password: Option<Box<str>>,
    history: Backlog,
}

/// How much of the discussion somebody wants (section 7.2.14).
#[derive(Clone, Copy)]
struct Backlog {
    chars: usize,
    stanzas: usize,
    /// Unix ms.
    since_ms: u64,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { chars: usize::MAX, stanzas: usize::MAX, since_ms: 0 }
    }
}

impl Wish {
    fn read(stanza: &Stanza, now_ms: u64) -> Option<Self> {
        let child = stanza.children().find(|child| child.is("x", MUC))?;
        let x = Element::parse(child.bytes, crate::ns::CLIENT).ok()?;
        let mut wish =
            Self { password: x.child("password", MUC).map(|password| password.text().into()), ..Self::default() };
        let Some(history) = x.child("history", MUC) else { return Some(wish) };
        let number = |name| history.attr(name).and_then(|text| text.trim().parse::<u64>().ok());
        let most = |number: Option<u64>| number.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        wish.history.chars = most(number("maxchars"));
        wish.history.stanzas = most(number("maxstanzas"));
        let since =
            history.attr("since").and_then(delayed::read_date_time).map(|(_, first)| first.max(0).cast_unsigned());
        let seconds = number("seconds").map(|seconds| now_ms.saturating_sub(seconds.saturating_mul(1000)));
        wish.history.since_ms = since.into_iter().chain(seconds).max().unwrap_or(0);
        Some(wish)
    }
}

impl Room {
    /// Available presence, of somebody who is in the room or wants to be.
    pub(super) fn come(&mut self, from: &Jid, to: &Jid, stanza: &Stanza, turn: &mut Turn<'_>) {
        let Some(nick) = to.resource() else {
            // Presence to the room itself: a mistake of those who are not in it (section 7.2.1).
            if self.occupants.of_client(from).is_none() {
                refuse_entry(stanza, &Condition::JidMalformed.into(), turn);
            }
            return;
        };
        let wish = Wish::read(stanza, turn.now.unix_ms);
        match (self.occupants.seat_of(from), wish) {
            (Some(seat), wish) => {
                let same = self.occupants.get(seat).is_some_and(|occupant| occupant.nick() == nick);
                match wish {
                    _ if !same => self.rename(seat, from, nick, stanza, turn),
                    // Its client has lost track: it gets everything anew (section 7.2.2).
                    Some(wish) => self.settle(seat, from, stanza, &wish, &[], turn),
                    None => {
                        self.occupants.join(seat, Client { jid: from.clone(), presence: portable(stanza) });
                        self.show(seat, News::default(), Some((from, stanza.id.as_deref())), turn);
                    }
                }
            }
            // Section 7.2.16: it believes to be here, and is told that it is not.
            (None, None) => self.put_out(from, to, turn),
            (None, Some(wish)) => match self.admit(from, nick, &wish, turn) {
                Ok(seat) => self.enter(seat, from, to, stanza, &wish, turn),
                Err(error) => refuse_entry(stanza, &error, turn),
            },
        }
    }

    /// Whether somebody may enter with this nick; the seat of those who have it, if they are the same.
    fn admit(&self, from: &Jid, nick: &str, wish: &Wish, turn: &Turn<'_>) -> Result<Option<Seat>, StanzaError> {
        let affiliation = self.affiliation(from);
        let refused = |condition: Condition, text| Err(StanzaError::new(condition, text));
        if affiliation == Affiliation::Outcast {
            return refused(Condition::Forbidden, "you are banned from this room");
        }
        if self.is_locked && affiliation != Affiliation::Owner {
            return refused(Condition::ItemNotFound, "the room is being set up");
        }
        if !is_presentable(nick) {
            return refused(Condition::NotAcceptable, "nobody could see this nick");
        }
        if affiliation == Affiliation::None && self.settings.is_members_only {
            return refused(Condition::RegistrationRequired, "this room is for its members");
        }
        let knows = |password: &Password| wish.password.as_deref().is_some_and(|given| password.is(given));
        if affiliation != Affiliation::Owner && !self.settings.password.as_ref().is_none_or(knows) {
            return refused(Condition::NotAuthorized, "the room's password is needed");
        }
        let seat = self.take_nick(from, nick)?;
        if let Some(occupant) = seat.and_then(|seat| self.occupants.get(seat)) {
            if occupant.clients.len() >= limits::ROOM_NICK_CLIENTS {
                return refused(Condition::ResourceConstraint, "too many of your clients are here");
            }
            return Ok(seat);
        }
        let own = usize::try_from(self.settings.max_occupants).unwrap_or(usize::MAX);
        let all = turn.config.rooms.occupants;
        let most = if own == 0 { all } else { own.min(all) };
        // Section 7.2.9: whoever can make room gets in.
        let extra = if affiliation >= Affiliation::Admin { limits::ROOM_NICK_CLIENTS } else { 0 };
        if self.occupants.len() >= most + extra {
            return refused(Condition::ServiceUnavailable, "the room is full");
        }
        Ok(None)
    }

    /// Whether somebody may have this nick: nobody else has it, in the room or reserved.
    fn take_nick(&self, who: &Jid, nick: &str) -> Result<Option<Seat>, StanzaError> {
        let seat = self.occupants.seat_named(nick);
        let is_theirs = |seat| self.occupants.get(seat).is_some_and(|there| there.bare.same_bare(who));
        if seat.is_some_and(|seat| !is_theirs(seat)) || self.reserves(nick).is_some_and(|owner| !owner.same_bare(who)) {
            return Err(StanzaError::new(Condition::Conflict, "somebody else has this nick"));
        }
        Ok(seat)
    }

    fn enter(&mut self, seat: Option<Seat>, from: &Jid, to: &Jid, stanza: &Stanza, wish: &Wish, turn: &mut Turn<'_>) {
        let presence = portable(stanza);
        let affiliation = self.affiliation(from);
        let role = seat
            .and_then(|seat| self.occupants.get(seat))
            .map_or_else(|| affiliation.entry_role(self.settings.is_moderated), |occupant| occupant.role);
        let nick = to.resource().unwrap_or_default();
        let Some(seat) = self.seat(from, nick, role, presence) else {
            return self.deny(stanza, Condition::JidMalformed, turn);
        };
        let occupant = Box::new(StoredOccupant { jid: from.clone(), nick: nick.into(), role });
        turn.ask(Question::SaveOccupant { room: self.jid.clone(), occupant }, self.saved());
        let created: &[u16] = if self.is_locked { &[201] } else { &[] };
        self.settle(seat, from, stanza, wish, created, turn);
    }

    /// Somebody is in the room, from now on or as the store said.
    pub(super) fn seat(&mut self, from: &Jid, nick: &str, role: Role, presence: Arc<[u8]>) -> Option<Seat> {
        let client = Client { jid: from.clone(), presence };
        if let Some(seat) = self.occupants.seat_named(nick) {
            self.occupants.join(seat, client);
            return Some(seat);
        }
        let jid = self.jid.with_resource(nick).ok()?;
        let bare = from.to_bare();
        let (id, affiliation) = (self.occupant_id(&bare), self.affiliation(from));
        Some(self.occupants.sit(Occupant { jid, bare, id, role, affiliation, clients: vec![client] }))
    }

    /// What somebody gets who comes, in the order of section 7.1: the others, themselves, what was said, the subject.
    fn settle(&mut self, seat: Seat, from: &Jid, stanza: &Stanza, wish: &Wish, codes: &[u16], turn: &mut Turn<'_>) {
        for other in self.occupants.seats() {
            if other != seat {
                self.show_to(other, from, turn);
            }
        }
        let mut own = codes.to_vec();
        if self.settings.is_non_anonymous {
            own.push(100);
        }
        self.show(seat, News { own: &own, ..News::default() }, Some((from, stanza.id.as_deref())), turn);
        self.recount(from, wish.history, turn);
        self.tell_subject(from, turn);
    }

    fn recount(&self, to: &Jid, wanted: Backlog, turn: &mut Turn<'_>) {
        let most = usize::try_from(self.settings.history).unwrap_or(usize::MAX).min(wanted.stanzas);
        let (mut chars, mut first) = (0, self.history.len());
        for said in self.history.iter().rev().take(most).take_while(|said| said.at_ms >= wanted.since_ms) {
            chars += said.stanza.weight();
            if chars > wanted.chars {
                break;
            }
            first -= 1;
        }
        for said in self.history.range(first..) {
            let stanza = Stanza { to: Some(to.clone()), ..said.stanza.clone() };
            turn.route(delayed::stamp(stanza, self.jid.as_str(), said.at_ms));
        }
    }

    fn tell_subject(&self, to: &Jid, turn: &mut Turn<'_>) {
        let empty = || {
            let kind = Kind::Message(MessageType::Groupchat);
            Stanza::new(kind, Some(self.jid.clone()), None).with_payload(b"<subject/>")
        };
        let stanza = self.subject.clone().unwrap_or_else(empty);
        turn.route(Stanza { to: Some(to.clone()), ..stanza });
    }

    fn rename(&mut self, seat: Seat, from: &Jid, nick: &str, stanza: &Stanza, turn: &mut Turn<'_>) {
        let taken = if is_presentable(nick) {
            self.take_nick(from, nick).and_then(|taken| match taken {
                Some(other) if other != seat => {
                    Err(StanzaError::new(Condition::Conflict, "you are here with this nick"))
                }
                _ => self.jid.with_resource(nick).map_err(|_| Condition::JidMalformed.into()),
            })
        } else {
            Err(StanzaError::new(Condition::NotAcceptable, "nobody could see this nick"))
        };
        let renamed = match taken {
            Ok(renamed) => renamed,
            Err(error) => return turn.send_back(stanza, &error),
        };
        let Some(before) = self.occupants.get(seat).cloned() else { return };
        let news = News { statuses: &[303], nick: renamed.resource(), ..News::default() };
        self.tell(&before, PresenceType::Unavailable, before.standing(), news, None, turn);
        self.occupants.rename(seat, renamed);
        self.occupants.join(seat, Client { jid: from.clone(), presence: portable(stanza) });
        for client in &before.clients {
            let occupant = Box::new(StoredOccupant { jid: client.jid.clone(), nick: nick.into(), role: before.role });
            turn.ask(Question::SaveOccupant { room: self.jid.clone(), occupant }, self.saved());
        }
        self.show(seat, News::default(), Some((from, stanza.id.as_deref())), turn);
    }

    /// Somebody who is not in the room hears that they were put out of it.
    fn put_out(&self, from: &Jid, to: &Jid, turn: &mut Turn<'_>) {
        let bare = from.to_bare();
        let nobody = Occupant {
            jid: to.clone(),
            id: self.occupant_id(&bare),
            bare,
            role: Role::None,
            affiliation: self.affiliation(from),
            clients: vec![Client { jid: from.clone(), presence: [].into() }],
        };
        let standing = Standing { role: Role::None, ..nobody.standing() };
        let news = News { own: &[307, 333], reason: Some("You are not in the room."), ..News::default() };
        self.tell_own(&nobody, standing, news, turn);
    }
}

/// Presence of somebody who may not enter comes back as an error of rooms (section 7.2): clients know it by `<x/>`.
pub fn refuse_entry(stanza: &Stanza, error: &StanzaError, turn: &mut Turn<'_>) {
    let Some(mut bounce) = stanza.bounce(error) else { return };
    if is_entering(stanza) {
        bounce.payload = [b"<x xmlns='http://jabber.org/protocol/muc'/>", &*bounce.payload].concat().into();
    }
    turn.pass_on(bounce);
}
