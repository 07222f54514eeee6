//! Who is in a room: occupants by nick, each with the clients that share the nick (XEP-0045 section 7.2.8).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::jid::Jid;
use crate::map::Map;
use crate::store::{Affiliation, Role};

use super::privilege::Standing;

/// One client of an occupant.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its full JID.
    pub jid: Jid,
    /// What its presence said last, without what rooms add.
    pub presence: Arc<[u8]>,
}

/// Somebody in the room.
#[derive(Clone, Debug)]
pub struct Occupant {
    /// `room@service/nick`.
    pub jid: Jid,
    /// Their bare JID.
    pub bare: Jid,
    /// Their name that never changes and tells nobody who they are (XEP-0421).
    pub id: Box<str>,
    /// What they may do.
    pub role: Role,
    /// Their standing; the same as in the list of members.
    pub affiliation: Affiliation,
    /// At least one; the last one to speak of itself comes last.
    pub clients: Vec<Client>,
}

impl Occupant {
    /// The nick.
    #[must_use]
    pub fn nick(&self) -> &str {
        self.jid.resource().unwrap_or_default()
    }

    /// Where they stand.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing { affiliation: self.affiliation, role: self.role }
    }
}

/// Names an occupant while they are in the room; in the order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Seat(u64);

/// All occupants.
#[derive(Debug, Default)]
pub struct Occupants {
    seats: BTreeMap<Seat, Occupant>,
    clients: Map<Jid, Seat>,
    /// By what nicks are compared with.
    nicks: Map<Box<str>, Seat>,
    next: u64,
}

impl Occupants {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// In the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Occupant> {
        self.seats.values()
    }

    /// The seats of all, in the same order.
    #[must_use]
    pub fn seats(&self) -> Vec<Seat> {
        self.seats.keys().copied().collect()
    }

    /// Whoever sits there.
    #[must_use]
    pub fn get(&self, seat: Seat) -> Option<&Occupant> {
        self.seats.get(&seat)
    }

    /// The same, to change them; not their nick and not their clients.
    pub fn get_mut(&mut self, seat: Seat) -> Option<&mut Occupant> {
        self.seats.get_mut(&seat)
    }

    /// Where the client with this full JID sits.
    #[must_use]
    pub fn seat_of(&self, client: &Jid) -> Option<Seat> {
        self.clients.get(client).copied()
    }

    /// Whoever this client is in the room.
    #[must_use]
    pub fn of_client(&self, client: &Jid) -> Option<&Occupant> {
        self.get(self.seat_of(client)?)
    }

    /// Where somebody with this nick sits.
    #[must_use]
    pub fn seat_named(&self, nick: &str) -> Option<Seat> {
        self.nicks.get(&*comparable(nick)).copied()
    }

    /// The seats of somebody: one, or more if they came with several nicks.
    #[must_use]
    pub fn seats_of(&self, bare: &Jid) -> Vec<Seat> {
        self.seats.iter().filter(|(_, occupant)| occupant.bare == *bare).map(|(seat, _)| *seat).collect()
    }

    /// Somebody comes.
    pub fn sit(&mut self, occupant: Occupant) -> Seat {
        self.next += 1;
        let seat = Seat(self.next);
        for client in &occupant.clients {
            self.clients.insert(client.jid.clone(), seat);
        }
        self.nicks.insert(comparable(occupant.nick()), seat);
        self.seats.insert(seat, occupant);
        seat
    }

    /// A further client of somebody, or new presence of one.
    pub fn join(&mut self, seat: Seat, client: Client) {
        if let Some(occupant) = self.seats.get_mut(&seat) {
            self.clients.insert(client.jid.clone(), seat);
            occupant.clients.retain(|known| known.jid != client.jid);
            occupant.clients.push(client);
        }
    }

    /// A client goes; true if it was the last one, whose occupant still sits there.
    pub fn part(&mut self, seat: Seat, client: &Jid) -> bool {
        let Some(occupant) = self.seats.get_mut(&seat) else { return false };
        if occupant.clients.len() > 1 {
            self.clients.remove(client);
            occupant.clients.retain(|known| known.jid != *client);
            return false;
        }
        true
    }

    /// An occupant goes, with all clients.
    pub fn rise(&mut self, seat: Seat) -> Option<Occupant> {
        let occupant = self.seats.remove(&seat)?;
        for client in &occupant.clients {
            self.clients.remove(&client.jid);
        }
        let nick = comparable(occupant.nick());
        if self.nicks.get(&*nick) == Some(&seat) {
            self.nicks.remove(&*nick);
        }
        Some(occupant)
    }

    /// An occupant takes another nick.
    pub fn rename(&mut self, seat: Seat, jid: Jid) {
        if let Some(occupant) = self.seats.get_mut(&seat) {
            self.nicks.remove(&*comparable(occupant.nick()));
            occupant.jid = jid;
            self.nicks.insert(comparable(occupant.nick()), seat);
        }
    }
}

/// What nicks are compared with: two that people cannot tell apart by case or by spaces are the same (RFC 8266 section 2.4).
#[must_use]
pub(super) fn comparable(nick: &str) -> Box<str> {
    let words: Vec<_> = nick.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ").into()
}

/// Whether people can see that somebody has this nick, and which: it has no space at its ends, and nothing that is not shown.
#[must_use]
pub(super) fn is_presentable(nick: &str) -> bool {
    // Blank though they count as letters: fillers of Hangul and the empty pattern of braille.
    const BLANK: [char; 5] = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}', '\u{2800}'];
    let invisible = |c: char| BLANK.contains(&c) || (c.is_whitespace() && c != ' ');
    nick.trim() == nick && !nick.is_empty() && !nick.contains(invisible)
}

#[cfg(test)]
mod tests {
    use super::{comparable, is_presentable};

    #[test]
    fn nicks_that_look_the_same_are_the_same() {
        assert_eq!(comparable("Third  Witch"), comparable("third witch"));
        assert_eq!(comparable("ÄÖ"), comparable("äö"));
        assert_ne!(comparable("third witch"), comparable("thirdwitch"));
    }

    #[test]
    fn nicks_that_nobody_sees_are_refused() {
        for nick in ["", " ", " x", "x ", "\u{3164}", "a\u{2800}", "a\u{2003}b"] {
            assert!(!is_presentable(nick), "{nick:?}");
        }
        for nick in ["x", "Third Witch", "Ж", "名"] {
            assert!(is_presentable(nick), "{nick:?}");
        }
    }
}
