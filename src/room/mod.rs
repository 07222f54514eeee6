//! A room (XEP-0045): its members, its occupants, its newest messages, all on its home shard.
//!
//! What a room reflects is stored before: whoever sees their message come back knows that it is in the archive.

mod admin;
mod announce;
mod disco;
mod entering;
mod inviting;
mod leaving;
mod occupant;
mod operator;
mod owning;
mod privilege;
mod registering;
mod relaying;
mod retracting;
mod service;
mod settings;
mod speaking;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::archive_id::{ArchiveIds, IdKey, LAST_ID};
use crate::config::Config;
use crate::features::archive::Archive;
use crate::input::Now;
use crate::jid::Jid;
use crate::map::Map;
use crate::stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza};
use crate::store::{AccountKey, Affiliation, Member, Question, RoomRecord, RoomSetup};
use crate::turn::{Then, Turn};

pub use admin::ADMIN;
pub use entering::refuse_entry;
pub use occupant::{Occupant, Occupants};
pub use operator::{OPERATOR, from_operator, to_operator};
pub use owning::OWNER;
pub use privilege::Standing;
pub use service::{make, serve};
pub use settings::{CONFIG, Settings};

use speaking::{Said, Waiting};

/// A room while somebody is in it.
#[derive(Debug)]
pub struct Room {
    /// Its bare JID.
    pub jid: Jid,
    /// What its archive is called in the store.
    pub key: AccountKey,
    /// Its archive's ids as clients see them.
    ids: ArchiveIds,
    /// How it is set up.
    pub settings: Settings,
    /// Who is in it.
    pub occupants: Occupants,
    /// The message that set the subject, as it was reflected.
    subject: Option<Stanza>,
    /// Those with an affiliation or a reserved nick, by bare JID; outcasts also by domain.
    members: Map<Box<str>, Member>,
    /// Newest messages, oldest first.
    history: VecDeque<Said>,
    history_bytes: usize,
    /// The newest id in its archive.
    newest: u64,
    /// Messages that are being looked for, to be taken back.
    retracting: usize,
    /// Messages that are being stored, and what follows behind them.
    waiting: VecDeque<Waiting>,
    /// In slow mode: until when somebody, by bare JID, may say nothing more; monotonic ms.
    pauses: Map<Box<str>, u64>,
    /// Its maker has not yet said how it shall be (section 10.1): nobody else may enter.
    is_locked: bool,
    /// It was destroyed, or its last occupant left and it does not stay: to be forgotten.
    pub is_gone: bool,
    /// For names of occupants that tell nobody who they are.
    id_key: hmac::Key,
}

/// What keys of the installation's secret are for here.
const IDS_PURPOSE: &str = "ids in archives of rooms";
const ID_LABEL: &[u8] = b"wattle occupant-id";

impl Room {
    /// The room that the store described. `secret` is the installation's; `is_new`: it was made a moment ago.
    #[must_use]
    pub fn new(jid: Jid, record: RoomRecord, is_new: bool, secret: &[u8; 32], config: &Config) -> Self {
        let of_all = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), ID_LABEL);
        let of_room = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, of_all.as_ref()), jid.as_str().as_bytes());
        let mut room = Self {
            key: record.key,
            ids: IdKey::new(secret, IDS_PURPOSE).of(record.key.0.cast_unsigned()),
            settings: Settings::from_stored(&record.setup.settings, Settings::new(&config.rooms)),
            occupants: Occupants::default(),
            subject: Stanza::from_stored(&record.subject),
            members: record.members.into_iter().map(|member| (member.jid.as_str().into(), member)).collect(),
            history: VecDeque::new(),
            history_bytes: 0,
            newest: record.newest,
            retracting: 0,
            waiting: VecDeque::new(),
            pauses: Map::default(),
            is_locked: is_new,
            is_gone: false,
            id_key: hmac::Key::new(hmac::HMAC_SHA256, of_room.as_ref()),
            jid,
        };
        for stored in &record.history {
            room.recall(stored);
        }
        for stored in record.occupants {
            // Whoever lost their standing while nobody had the room in memory is not there any more.
            let affiliation = room.affiliation(&stored.jid);
            if affiliation > Affiliation::None || (affiliation == Affiliation::None && !room.settings.is_members_only) {
                room.seat(&stored.jid, &stored.nick, stored.role, [].into());
            }
        }
        room
    }

    /// Takes a stanza for the room or for one of its occupants.
    pub fn take(&mut self, stanza: Stanza, turn: &mut Turn<'_>) {
        let (Some(from), Some(to)) = (stanza.from.clone(), stanza.to.clone()) else { return };
        match stanza.kind {
            Kind::Presence(PresenceType::Available) => self.come(&from, &to, &stanza, turn),
            Kind::Presence(PresenceType::Unavailable) => self.leave(&from, &stanza, turn),
            Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error) => {
                self.bounced(&from, &stanza, turn)
            }
            // A room has no roster.
            Kind::Presence(_) => {}
            Kind::Message(MessageType::Groupchat) => self.speak(&from, &to, stanza, turn),
            Kind::Message(_) if to.is_bare() => self.petition(&from, &stanza, turn),
            Kind::Message(_) => self.whisper(&from, &to, stanza, turn),
            Kind::Iq(IqType::Get | IqType::Set) if to.is_bare() => self.asked(&from, &stanza, turn),
            Kind::Iq(_) => self.relay(&from, &to, stanza, turn),
        }
    }

    /// Nobody is in it, and nothing of it is on its way into the store.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.occupants.is_empty() && self.waiting.is_empty() && self.retracting == 0
    }

    /// Where somebody stands with the room, in it or not.
    #[must_use]
    pub fn affiliation(&self, jid: &Jid) -> Affiliation {
        if self.is_operator(jid) {
            return Affiliation::Owner;
        }
        let listed = |name: &str| self.members.get(name).map(|member| member.affiliation);
        let own = listed(jid.bare_str()).unwrap_or_default();
        // Whole domains can only be banned (section 9.1).
        if own == Affiliation::None && listed(jid.domain()) == Some(Affiliation::Outcast) {
            return Affiliation::Outcast;
        }
        own
    }

    /// Whether somebody may know of the room what only those learn who may enter.
    #[must_use]
    pub fn may_enter(&self, jid: &Jid) -> bool {
        let affiliation = self.affiliation(jid);
        let is_inside = self.occupants.iter().any(|occupant| occupant.bare.same_bare(jid));
        match affiliation {
            Affiliation::Outcast => false,
            Affiliation::None => is_inside || !(self.settings.is_members_only || self.settings.password.is_some()),
            _ => true,
        }
    }

    /// Changes of who stands where with the room are stored; `then` goes on after that.
    fn save_members(&mut self, members: Vec<Member>, then: Then, turn: &mut Turn<'_>) {
        for member in &members {
            if member.affiliation == Affiliation::None && member.nick.is_none() {
                self.members.remove(member.jid.as_str());
            } else {
                self.members.insert(member.jid.as_str().into(), member.clone());
            }
        }
        turn.ask(Question::SaveMembers { room: self.jid.clone(), members }, then);
    }

    /// An account is gone, and the store has forgotten what it was here: whoever takes its name later inherits nothing. A ban
    /// stays.
    pub fn account_gone(&mut self, account: &Jid, turn: &mut Turn<'_>) {
        let is_member = |member: &Member| member.affiliation != Affiliation::Outcast;
        if self.members.get(account.as_str()).is_some_and(is_member) {
            self.members.remove(account.as_str());
            self.stand(account, Affiliation::None, None, None, turn);
        }
    }

    fn save_setup(&self, then: Then, turn: &mut Turn<'_>) {
        turn.ask(Question::SaveRoom { room: self.jid.clone(), setup: Box::new(self.setup()) }, then);
    }

    fn setup(&self) -> RoomSetup {
        self.settings.to_setup(self.jid.local().unwrap_or_default())
    }

    /// A change of the room was not stored or was: nothing more happens.
    fn saved(&self) -> Then {
        Then::RoomSaved(self.jid.clone())
    }

    /// The name of an occupant that never changes and is another one in every room (XEP-0421 section 3).
    fn occupant_id(&self, bare: &Jid) -> Box<str> {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.id_key, bare.bare_str().as_bytes())).into()
    }

    /// An id in the archive for a message that comes now.
    fn next_id(&mut self, now: Now) -> u64 {
        self.newest = (self.newest + 1).max(now.unix_ms << 20);
        self.newest
    }

    /// What was said in it and is stored. What waits for the store is not found yet.
    #[must_use]
    pub fn archive(&self) -> Archive<'_> {
        let first = self.waiting.iter().find_map(|waiting| waiting.id());
        let settled = first.map_or(LAST_ID, |first| first - 1);
        Archive { jid: &self.jid, key: self.key, ids: self.ids, settled }
    }

    /// Refuses with a condition alone.
    fn deny(&self, stanza: &Stanza, condition: Condition, turn: &mut Turn<'_>) {
        turn.send_back(stanza, &condition.into());
    }
}

/// A change that the requester hears of when it is stored: an empty result.
fn done(request: &Stanza) -> Then {
    Then::Iq { request: Box::new(request.clone()), finish: |_, _| Ok(Vec::new()) }
}
