//! Roles and affiliations (XEP-0045 sections 8 and 9, `muc#admin`): asked for, and given and taken by who may.

use super::Room;
use super::announce::{News, USER};
use super::occupant::Seat;
use super::privilege::Standing;
use crate::jid::Jid;
use crate::limits;
use crate::ns;
use crate::stanza::{Condition, IqType, Kind, MessageType, Stanza, StanzaError};
use crate::store::{Affiliation, Member, Question, Role, StoredOccupant};
use crate::turn::Turn;
use crate::xml::Element;

/// The namespace.
pub const ADMIN: &str = "http://jabber.org/protocol/muc#admin";

/// A change that may be carried out.
enum Change {
    Role { seat: Seat, role: Role, reason: Option<Box<str>> },
    Affiliation { jid: Jid, affiliation: Affiliation, nick: Option<Box<str>>, reason: Option<Box<str>> },
}

impl Room {
    /// A request of `muc#admin`.
    pub(super) fn administer(&mut self, from: &Jid, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
        let outcome = if stanza.kind == Kind::Iq(IqType::Get) {
            self.list(from, request).map(Some)
        } else {
            self.read_changes(from, request)
                .and_then(|changes| self.carry_out(from, changes, stanza, turn))
                .map(|()| None)
        };
        match outcome {
            Ok(Some(list)) => turn.route(stanza.result(&list)),
            Ok(None) => {}
            Err(error) => turn.refuse(stanza, &error),
        }
    }

    /// Sections 8.5, 9.2, 9.5, 10.5 and 10.8.
    fn list(&self, from: &Jid, request: &Element) -> Result<Vec<u8>, StanzaError> {
        let mut items = request.elements().filter(|item| item.is("item", ADMIN));
        let (Some(item), None) = (items.next(), items.next()) else {
            return Err(StanzaError::new(Condition::BadRequest, "one item says which list"));
        };
        let own = self.standing(from);
        let mut query = Element::new("query", ADMIN);
        if let Some(affiliation) = item.attr("affiliation") {
            let affiliation = Affiliation::named(affiliation).filter(|known| *known != Affiliation::None);
            let affiliation = affiliation.ok_or(StanzaError::new(Condition::BadRequest, "there is no such list"))?;
            if !self.may_list(own, affiliation) {
                return Err(Condition::Forbidden.into());
            }
            let mut found: Vec<_> = self.members.values().filter(|member| member.affiliation == affiliation).collect();
            found.sort_by(|a, b| a.jid.cmp(&b.jid));
            for member in found {
                let mut item = Element::new("item", ADMIN)
                    .with_attr("affiliation", affiliation.name())
                    .with_attr("jid", member.jid.as_str());
                if let Some(nick) = &member.nick {
                    item.set_attr("nick", nick.clone());
                }
                if let Some(reason) = &member.reason {
                    item = item.with_child(Element::new("reason", ADMIN).with_text(reason));
                }
                query = query.with_child(item);
            }
        } else {
            let role = item.attr("role").and_then(Role::named).filter(|role| *role != Role::None);
            let role = role.ok_or(StanzaError::new(Condition::BadRequest, "one item says which list"))?;
            if own.role != Role::Moderator {
                return Err(Condition::Forbidden.into());
            }
            for occupant in self.occupants.iter().filter(|occupant| occupant.role == role) {
                let mut item = Element::new("item", ADMIN)
                    .with_attr("affiliation", occupant.affiliation.name())
                    .with_attr("nick", occupant.nick())
                    .with_attr("role", role.name());
                if let Some(client) = occupant.clients.last() {
                    item.set_attr("jid", client.jid.as_str());
                }
                query = query.with_child(item);
            }
        }
        Ok(query.to_bytes(ns::CLIENT))
    }

    /// Who is banned, admins see; the others whoever may see real addresses.
    fn may_list(&self, own: Standing, affiliation: Affiliation) -> bool {
        if own.affiliation >= Affiliation::Admin {
            return true;
        }
        let belongs = own.affiliation == Affiliation::Member || self.settings.list_is_for.includes(own.role);
        affiliation != Affiliation::Outcast && self.settings.is_non_anonymous && belongs
    }

    /// Where somebody stands: their role as the occupant that this client is.
    pub(super) fn standing(&self, from: &Jid) -> Standing {
        let inside = self.occupants.of_client(from).map(|occupant| occupant.role);
        let role = inside.unwrap_or(if self.is_operator(from) { Role::Moderator } else { Role::None });
        Standing { affiliation: self.affiliation(from), role }
    }

    /// What is asked for, if all of it may be; a request that fails changes nothing.
    fn read_changes(&self, from: &Jid, request: &Element) -> Result<Vec<Change>, StanzaError> {
        let items: Vec<_> = request.elements().filter(|item| item.is("item", ADMIN)).collect();
        if items.is_empty() {
            return Err(StanzaError::new(Condition::BadRequest, "the request has no item"));
        }
        if items.len() > limits::ROOM_ITEMS {
            return Err(StanzaError::new(Condition::PolicyViolation, "the request has too many items"));
        }
        let own = self.standing(from);
        let changes: Vec<_> = items.into_iter().map(|item| self.read_change(own, item)).collect::<Result<_, _>>()?;
        self.keeps_an_owner(&changes)?;
        Ok(changes)
    }

    fn read_change(&self, own: Standing, item: &Element) -> Result<Change, StanzaError> {
        let bad = |text| StanzaError::new(Condition::BadRequest, text);
        let reason: Option<Box<str>> = item.child("reason", ADMIN).map(|reason| reason.text().into());
        if reason.as_ref().is_some_and(|reason| reason.len() > limits::ROSTER_TEXT_BYTES) {
            return Err(StanzaError::new(Condition::NotAcceptable, "the reason is too long"));
        }
        match (item.attr("role"), item.attr("affiliation")) {
            (Some(role), None) => {
                let role = Role::named(role).ok_or(bad("there is no such role"))?;
                let seat = match (item.attr("nick"), item.attr("jid")) {
                    (Some(nick), _) => self.occupants.seat_named(nick),
                    (None, Some(jid)) => Jid::parse(jid).ok().and_then(|jid| self.occupants.seat_of(&jid)),
                    (None, None) => return Err(bad("an item names somebody")),
                };
                let (seat, other) = seat
                    .and_then(|seat| Some((seat, self.occupants.get(seat)?.standing())))
                    .ok_or(Condition::ItemNotFound)?;
                if own.role != Role::Moderator {
                    return Err(Condition::Forbidden.into());
                }
                if role != other.role && !own.may_give_role(other, role) {
                    return Err(Condition::NotAllowed.into());
                }
                Ok(Change::Role { seat, role, reason })
            }
            (None, Some(affiliation)) => {
                let affiliation = Affiliation::named(affiliation).ok_or(bad("there is no such affiliation"))?;
                let named = item.attr("nick").and_then(|nick| self.occupants.seat_named(nick));
                let jid = match (item.attr("jid"), named.and_then(|seat| self.occupants.get(seat))) {
                    (Some(jid), _) => Jid::parse(jid).map_err(|_| Condition::JidMalformed)?.to_bare(),
                    (None, Some(occupant)) => occupant.bare.clone(),
                    (None, None) if item.attr("nick").is_some() => return Err(Condition::ItemNotFound.into()),
                    (None, None) => return Err(bad("an item names somebody")),
                };
                if jid.is_domain() && !matches!(affiliation, Affiliation::Outcast | Affiliation::None) {
                    return Err(StanzaError::new(Condition::NotAllowed, "a domain can only be banned"));
                }
                let before = self.members.get(jid.as_str()).map(|member| member.affiliation).unwrap_or_default();
                if own.affiliation < Affiliation::Admin {
                    return Err(Condition::Forbidden.into());
                }
                if affiliation != before && !own.affiliation.may_change(before, affiliation) {
                    return Err(Condition::NotAllowed.into());
                }
                let nick = item.attr("nick").filter(|_| item.attr("jid").is_some()).map(Into::into);
                Ok(Change::Affiliation { jid, affiliation, nick, reason })
            }
            _ => Err(bad("an item has either a role or an affiliation")),
        }
    }

    /// Section 10.3: a room without an owner would be nobody's.
    fn keeps_an_owner(&self, changes: &[Change]) -> Result<(), StanzaError> {
        let changed = |jid: &str| {
            changes.iter().rev().find_map(|change| match change {
                Change::Affiliation { jid: who, affiliation, .. } if who.as_str() == jid => Some(*affiliation),
                _ => None,
            })
        };
        let is_owner = |member: &&Member| member.affiliation == Affiliation::Owner;
        let owners = || self.members.values().filter(is_owner);
        let stays = |member: &Member| changed(member.jid.as_str()).is_none_or(|to| to == Affiliation::Owner);
        let comes =
            changes.iter().any(|change| matches!(change, Change::Affiliation { affiliation: Affiliation::Owner, .. }));
        if owners().next().is_some() && !owners().any(stays) && !comes {
            return Err(StanzaError::new(Condition::Conflict, "the room would have no owner"));
        }
        let further = changes.iter().filter(|change| match change {
            Change::Affiliation { jid, affiliation, .. } => {
                *affiliation != Affiliation::None && !self.members.contains_key(jid.as_str())
            }
            Change::Role { .. } => false,
        });
        if self.members.len() + further.count() > limits::ROOM_MEMBERS {
            return Err(StanzaError::new(Condition::ResourceConstraint, "the room has too many members"));
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        from: &Jid,
        changes: Vec<Change>,
        stanza: &Stanza,
        turn: &mut Turn<'_>,
    ) -> Result<(), StanzaError> {
        let actor: Option<Box<str>> = self.occupants.of_client(from).map(|occupant| occupant.nick().into());
        let mut members = Vec::new();
        let mut roles = Vec::new();
        let mut standings = Vec::new();
        for change in changes {
            match change {
                Change::Role { seat, role, reason } => roles.push((seat, role, reason)),
                Change::Affiliation { jid, affiliation, nick, reason } => {
                    let known = self.members.get(jid.as_str());
                    let nick = nick.or_else(|| known.and_then(|member| member.nick.clone()));
                    let nick = nick.filter(|_| affiliation > Affiliation::None);
                    members.push(Member { jid: jid.clone(), affiliation, nick, reason: reason.clone() });
                    standings.push((jid, affiliation, reason));
                }
            }
        }
        if members.is_empty() {
            turn.route(stanza.result(&[]));
        } else {
            self.save_members(members, super::done(stanza), turn);
        }
        for (seat, role, reason) in roles {
            self.give_role(seat, role, actor.as_deref(), reason.as_deref(), turn);
        }
        for (jid, affiliation, reason) in standings {
            self.stand(&jid, affiliation, actor.as_deref(), reason.as_deref(), turn);
        }
        Ok(())
    }

    /// Sections 8.2 to 8.4, 9.6 and 9.7.
    pub(super) fn give_role(
        &mut self,
        seat: Seat,
        role: Role,
        actor: Option<&str>,
        reason: Option<&str>,
        turn: &mut Turn<'_>,
    ) {
        let Some(occupant) = self.occupants.get(seat) else { return };
        if role == Role::None {
            return self.remove(seat, News { statuses: &[307], actor, reason, ..News::default() }, turn);
        }
        let standing = Standing { role, ..occupant.standing() };
        self.place(seat, standing, News { actor, reason, ..News::default() }, turn);
    }

    /// An occupant stands so from now on: stored, and told to everybody if it is another standing.
    pub(super) fn place(&mut self, seat: Seat, standing: Standing, news: News<'_>, turn: &mut Turn<'_>) {
        let Some(occupant) = self.occupants.get_mut(seat).filter(|occupant| occupant.standing() != standing) else {
            return;
        };
        (occupant.affiliation, occupant.role) = (standing.affiliation, standing.role);
        self.save_occupant(seat, turn);
        self.show(seat, news, None, turn);
    }

    /// Somebody's affiliation is another one: what that means for their place in the room, and who hears of it.
    pub(super) fn stand(
        &mut self,
        jid: &Jid,
        affiliation: Affiliation,
        actor: Option<&str>,
        reason: Option<&str>,
        turn: &mut Turn<'_>,
    ) {
        let seats: Vec<_> = if jid.is_domain() {
            let of_domain =
                |seat: &Seat| self.occupants.get(*seat).is_some_and(|there| there.bare.domain() == jid.domain());
            self.occupants.seats().into_iter().filter(of_domain).collect()
        } else {
            self.occupants.seats_of(jid)
        };
        if seats.is_empty() {
            self.tell_of_absent(jid, affiliation, turn);
        }
        for seat in seats {
            let Some(occupant) = self.occupants.get(seat) else { continue };
            let now = self.affiliation(&occupant.bare);
            let (before, role) = (occupant.affiliation, occupant.role);
            let news = News { actor, reason, ..News::default() };
            if now == Affiliation::Outcast {
                self.remove(seat, News { statuses: &[301], ..news }, turn);
                continue;
            }
            if now == Affiliation::None && self.settings.is_members_only {
                self.remove(seat, News { statuses: &[321], ..news }, turn);
                continue;
            }
            if now == before {
                continue;
            }
            // A moderator who is no admin any more is one no more; whoever gains standing gains what goes with it.
            let entry = now.entry_role(self.settings.is_moderated);
            let role = if now < before { entry } else { entry.max(role) };
            self.place(seat, Standing { affiliation: now, role }, news, turn);
        }
    }

    /// Sections 9.1 and 9.3: clients that keep the list of members hear of one who is not here.
    fn tell_of_absent(&self, jid: &Jid, affiliation: Affiliation, turn: &mut Turn<'_>) {
        let item = Element::new("item", USER)
            .with_attr("affiliation", affiliation.name())
            .with_attr("jid", jid.as_str())
            .with_attr("role", "none");
        let x = Element::new("x", USER).with_child(item);
        let kind = Kind::Message(MessageType::Normal);
        let stanza = Stanza::new(kind, Some(self.jid.clone()), None)
            .with_id(&turn.dice.token())
            .with_payload(&x.to_bytes(ns::CLIENT));
        let is_non_anonymous = self.settings.is_non_anonymous;
        self.send_all(&stanza, |occupant| is_non_anonymous || occupant.role == Role::Moderator, turn);
    }

    fn save_occupant(&self, seat: Seat, turn: &mut Turn<'_>) {
        let Some(occupant) = self.occupants.get(seat) else { return };
        for client in &occupant.clients {
            let stored = StoredOccupant { jid: client.jid.clone(), nick: occupant.nick().into(), role: occupant.role };
            turn.ask(Question::SaveOccupant { room: self.jid.clone(), occupant: Box::new(stored) }, self.saved());
        }
    }
}
