//! Out of a room: by oneself, put out by others, or because the client is gone (XEP-0045 sections 7.14, 8.2, 9.1, 18.1).

use super::Room;
use super::announce::{News, portable};
use super::occupant::Seat;
use super::privilege::Standing;
use crate::jid::Jid;
use crate::stanza::{PresenceType, Stanza};
use crate::store::{Affiliation, Question, Role};
use crate::turn::Turn;
use crate::xml::Element;

/// Conditions in the errors of an occupant's server that say that nobody is there any more.
const GHOSTLY: [&str; 8] = [
    "gone",
    "item-not-found",
    "jid-malformed",
    "recipient-unavailable",
    "redirect",
    "remote-server-not-found",
    "remote-server-timeout",
    "service-unavailable",
];

impl Room {
    /// Unavailable presence.
    pub(super) fn leave(&mut self, from: &Jid, stanza: &Stanza, turn: &mut Turn<'_>) {
        if let Some(seat) = self.occupants.seat_of(from) {
            self.part(seat, from, News { farewell: &portable(stanza), ..News::default() }, turn);
        }
    }

    /// An error came back from somebody: a ghost leaves.
    pub(super) fn bounced(&mut self, from: &Jid, stanza: &Stanza, turn: &mut Turn<'_>) {
        let Some(seat) = self.occupants.seat_of(from) else { return };
        let error = stanza.elements().ok().into_iter().flatten().find(|element| *element.name == *"error");
        let is_ghost = error.is_some_and(|error| error.elements().any(|condition| GHOSTLY.contains(&&*condition.name)));
        if is_ghost {
            self.part(seat, from, News { statuses: &[333], ..News::default() }, turn);
        }
    }

    /// One client goes; with the last one its occupant.
    fn part(&mut self, seat: Seat, client: &Jid, news: News<'_>, turn: &mut Turn<'_>) {
        let Some(occupant) = self.occupants.get(seat).cloned() else { return };
        if self.occupants.part(seat, client) {
            self.remove(seat, news, turn);
            return;
        }
        self.forget(vec![client.clone()], turn);
        self.dismiss(&occupant, client, news, turn);
        // If it was the one that spoke for the others, another does now.
        if occupant.clients.last().is_some_and(|last| last.jid == *client) {
            self.show(seat, News::default(), None, turn);
        }
    }

    /// An occupant goes with all clients, and everybody hears why.
    pub(super) fn remove(&mut self, seat: Seat, news: News<'_>, turn: &mut Turn<'_>) {
        let Some(occupant) = self.occupants.rise(seat) else { return };
        self.forget(occupant.clients.iter().map(|client| client.jid.clone()).collect(), turn);
        let affiliation = self.affiliation(&occupant.bare);
        let standing = Standing { affiliation, role: Role::None };
        self.tell(&occupant, PresenceType::Unavailable, standing, news, None, turn);
        self.end_if_empty(turn);
    }

    fn forget(&self, jids: Vec<Jid>, turn: &mut Turn<'_>) {
        turn.ask(Question::DropOccupants { room: self.jid.clone(), jids }, self.saved());
    }

    /// A room that does not stay ends with its last occupant; so does one that was never set up (section 10.1.2).
    pub(super) fn end_if_empty(&mut self, turn: &mut Turn<'_>) {
        if self.occupants.is_empty() && (!self.settings.is_persistent || self.is_locked) && !self.is_gone {
            self.is_gone = true;
            turn.ask(Question::RemoveRoom { room: self.jid.clone() }, self.saved());
        }
    }

    /// Everybody goes who may not be here any more: the room is for its members now.
    pub(super) fn remove_strangers(&mut self, turn: &mut Turn<'_>) {
        for seat in self.occupants.seats() {
            if self.occupants.get(seat).is_some_and(|occupant| occupant.affiliation == Affiliation::None) {
                self.remove(seat, News { statuses: &[322], ..News::default() }, turn);
            }
        }
    }

    /// The server of this room ends its service to whoever is in it: the room is destroyed.
    pub(super) fn remove_all(&mut self, destroyed: &Element, turn: &mut Turn<'_>) {
        self.is_gone = true;
        for seat in self.occupants.seats() {
            let Some(occupant) = self.occupants.rise(seat) else { continue };
            let standing = Standing { affiliation: Affiliation::None, role: Role::None };
            let news = News { destroyed: Some(destroyed), ..News::default() };
            self.tell_own(&occupant, standing, news, turn);
        }
    }
}
