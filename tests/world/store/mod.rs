//! The store's twin in memory: answers every question as `src/store.rs` documents it and `shards/store` does it.

mod rooms;

use std::collections::BTreeMap;

use wattle::jid::Jid;
use wattle::limits::{ARCHIVE_COUNTED, TRACED_MESSAGES};
use wattle::store::{
    AccountKey, AccountRecord, Affiliation, Answer, ArchivePage, ArchiveQuery, Archived, Keep, Member, Question,
    RoomRecord, RoomSetup, StoredSession, Traced, Uses, Verifiers,
};

use rooms::{Room, Rooms};

/// All accounts and rooms.
#[derive(Default)]
pub(crate) struct Store {
    accounts: BTreeMap<Box<str>, Row>,
    rooms: Rooms,
    /// Stored messages by account or room and id.
    messages: BTreeMap<(AccountKey, u64), Message>,
    /// Of the newest account or room; never used twice.
    key: i64,
}

/// One account.
pub(crate) struct Row {
    pub(crate) verifiers: Box<Verifiers>,
    /// What an account is loaded from; what it says of messages counts nothing here, the messages themselves do.
    pub(crate) record: AccountRecord,
    /// By namespace and name.
    private: BTreeMap<(Box<str>, Box<str>), Vec<u8>>,
    vcard: Option<Box<[u8]>>,
}

/// One stored message of one account or room.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) peer: u64,
    pub(crate) uses: Uses,
    pub(crate) trace: Box<[u8]>,
    pub(crate) stanza: Box<[u8]>,
}

impl Store {
    /// Makes an account before the story begins.
    pub(crate) fn create(&mut self, account: &Jid, verifiers: Verifiers) {
        let verifiers = Box::new(verifiers);
        let answer = self.answer(&Question::CreateAccount { account: account.clone(), verifiers, at_ms: 0 });
        assert_eq!(answer, Answer::Done, "{account:?} is there already");
    }

    /// What is kept of an account.
    pub(crate) fn row(&self, account: &str) -> Option<&Row> {
        self.accounts.get(account)
    }

    /// What is kept of a room.
    #[allow(dead_code, reason = "only the simulation looks into rooms")]
    pub(crate) fn room(&self, room: &str) -> Option<&Room> {
        self.rooms.get(room)
    }

    /// Carries out a question.
    pub(crate) fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Credentials { account } => {
                Answer::Credentials(self.accounts.get(account.bare_str()).map(|row| row.verifiers.clone()))
            }
            Question::Account { account } => {
                Answer::Account(self.accounts.get(account.bare_str()).map(|row| Box::new(self.loaded(row))))
            }
            Question::CreateAccount { account, verifiers, .. } => {
                if self.accounts.contains_key(account.bare_str()) {
                    return Answer::Exists;
                }
                self.key += 1;
                let row = Row {
                    verifiers: verifiers.clone(),
                    record: AccountRecord { key: AccountKey(self.key), ..AccountRecord::default() },
                    private: BTreeMap::new(),
                    vcard: None,
                };
                self.accounts.insert(account.bare_str().into(), row);
                Answer::Done
            }
            Question::RemoveAccount { account } => match self.accounts.remove(account.bare_str()) {
                Some(row) => {
                    self.rooms.forget(account);
                    self.messages.retain(|name, _| name.0 != row.record.key);
                    Answer::Done
                }
                None => Answer::Missing,
            },
            Question::ListAccounts { after, limit } => {
                let jids = self.accounts.keys().filter(|jid| after.as_ref().is_none_or(|after| *jid > after));
                Answer::Accounts(jids.take(*limit as usize).cloned().collect())
            }
            Question::Keep(keep) => self.keep(keep),
            Question::KeepWaiting { key, ids, .. } => {
                for id in ids {
                    if let Some(message) = self.messages.get_mut(&(*key, *id)) {
                        message.uses.waits = true;
                    }
                }
                Answer::Done
            }
            Question::ReadWaiting { key, after, limit, .. } => {
                let behind = self.of(*key).filter(|(id, message)| *id > *after && message.uses.waits);
                Answer::Messages(behind.take(*limit as usize).map(archived).collect())
            }
            Question::EndWaiting { key, ids, .. } => {
                for id in ids {
                    if let Some(message) = self.messages.get_mut(&(*key, *id)) {
                        message.uses.waits = false;
                    }
                }
                Answer::Done
            }
            Question::ReadArchive(query) => self.page(query),
            Question::ArchiveEnds { key, upto, .. } => {
                let all: Vec<_> = self.of(*key).filter(|(id, message)| id <= upto && message.uses.archived).collect();
                let last = all.last().filter(|_| all.len() > 1);
                Answer::Messages(all.first().into_iter().chain(last).map(|found| archived(*found)).collect())
            }
            Question::PurgeArchive { key, upto, limit, .. } => {
                let only_archived = Uses { archived: true, waits: false };
                let old = self.of(*key).filter(|(id, message)| id <= upto && message.uses == only_archived);
                let ids: Vec<_> = old.take(*limit as usize).map(|(id, _)| id).collect();
                ids.iter().for_each(|id| drop(self.messages.remove(&(*key, *id))));
                Answer::Purged(u32::try_from(ids.len()).unwrap())
            }
            Question::Replace { key, id, stanza, .. } => match self.messages.get_mut(&(*key, *id)) {
                Some(message) => {
                    message.stanza.clone_from(stanza);
                    Answer::Done
                }
                None => Answer::Missing,
            },
            Question::SaveSession { account, key, session, forget_upto } => {
                self.forget(*key, *forget_upto);
                match self.accounts.get_mut(account.bare_str()) {
                    Some(row) => {
                        row.record.sessions.retain(|known| known.number != session.number);
                        row.record.sessions.push(StoredSession::clone(session));
                        Answer::Done
                    }
                    None => Answer::Missing,
                }
            }
            Question::DropSession { account, key, number, forget_upto } => {
                self.forget(*key, *forget_upto);
                if let Some(row) = self.accounts.get_mut(account.bare_str()) {
                    row.record.sessions.retain(|known| known.number != *number);
                }
                Answer::Done
            }
            Question::ListSessions { after, limit } => {
                let jids = self.accounts.iter().filter(|(_, row)| !row.record.sessions.is_empty()).map(|(jid, _)| jid);
                let behind = jids.filter(|jid| after.as_ref().is_none_or(|after| *jid > after));
                Answer::Accounts(behind.take(*limit as usize).cloned().collect())
            }
            Question::ReadPrivate { account, namespace, name } => {
                let row = self.accounts.get(account.bare_str());
                Answer::Xml(row.and_then(|row| {
                    row.private.get(&(namespace.clone(), name.clone())).map(|xml| xml.as_slice().into())
                }))
            }
            Question::ReadVcard { account } => {
                Answer::Xml(self.accounts.get(account.bare_str()).and_then(|row| row.vcard.clone()))
            }
            Question::RemoveRequest { account, from } => {
                if let Some(row) = self.accounts.get_mut(account.bare_str()) {
                    row.record.requests.retain(|request| request.from != *from);
                }
                Answer::Done
            }
            Question::Unblock { account, jids } => {
                if let Some(row) = self.accounts.get_mut(account.bare_str()) {
                    row.record.blocked.retain(|blocked| !jids.is_empty() && !jids.contains(blocked));
                }
                Answer::Done
            }
            Question::Room { room, history } => Answer::Room(self.loaded_room(room, *history)),
            Question::CreateRoom { room, owner, setup, limit, .. } => {
                self.create_room(room, owner.as_ref(), setup, *limit)
            }
            Question::RemoveRoom { room } => match self.rooms.remove(room) {
                Some(room) => {
                    self.messages.retain(|name, _| name.0 != room.record.key);
                    Answer::Done
                }
                None => Answer::Missing,
            },
            Question::ListAllRooms { after, limit } => self.rooms.all(after.as_deref(), *limit),
            Question::ListRooms { service, after, limit } => self.rooms.listed(service, after.as_deref(), *limit),
            Question::SaveRoom { room, .. }
            | Question::SaveSubject { room, .. }
            | Question::SaveMembers { room, .. }
            | Question::SaveOccupant { room, .. }
            | Question::DropOccupants { room, .. } => self.rooms.write(room, question),
            Question::SetVerifiers { account, .. }
            | Question::SaveRosterItem { account, .. }
            | Question::RemoveRosterItem { account, .. }
            | Question::SaveRequest { account, .. }
            | Question::SavePrivate { account, .. }
            | Question::SaveVcard { account, .. }
            | Question::Block { account, .. }
            | Question::SavePreferences { account, .. }
            | Question::SetClass { account, .. }
            | Question::SetRetention { account, .. }
            | Question::ClearRetention { account }
            | Question::SaveLast { account, .. } => match self.accounts.get_mut(account.bare_str()) {
                Some(row) => write(row, question),
                None => Answer::Missing,
            },
        }
    }

    fn create_room(&mut self, room: &Jid, owner: Option<&Jid>, setup: &RoomSetup, limit: u32) -> Answer {
        if self.rooms.get(room.bare_str()).is_none() {
            if owner.is_some_and(|owner| self.rooms.is_full(owner, limit)) {
                return Answer::Full;
            }
            self.key += 1;
            let mut record = RoomRecord { key: AccountKey(self.key), setup: setup.clone(), ..RoomRecord::default() };
            record.members.extend(owner.map(|owner| Member {
                jid: owner.to_bare(),
                affiliation: Affiliation::Owner,
                nick: None,
                reason: None,
            }));
            self.rooms.insert(room, record);
        }
        Answer::Room(self.loaded_room(room, 0))
    }

    fn loaded_room(&self, room: &Jid, history: u32) -> Option<Box<RoomRecord>> {
        let record = &self.rooms.get(room.bare_str())?.record;
        let messages = self.of(record.key).rev().filter(|(_, message)| message.uses.archived);
        let mut history: Vec<_> = messages.take(history as usize).map(archived).collect();
        history.reverse();
        Some(Box::new(RoomRecord { newest: self.newest(record.key), history, ..record.clone() }))
    }

    fn newest(&self, key: AccountKey) -> u64 {
        self.of(key).next_back().map_or(0, |(id, _)| id)
    }

    /// The stored messages of an account or room, in order.
    pub(crate) fn of(&self, key: AccountKey) -> impl DoubleEndedIterator<Item = (u64, &Message)> {
        self.messages.range((key, 0)..=(key, u64::MAX)).map(|(name, message)| (name.1, message))
    }

    /// The messages that wait for an account.
    pub(crate) fn waiting(&self, account: &str) -> Vec<Archived> {
        let Some(row) = self.accounts.get(account) else { return Vec::new() };
        self.of(row.record.key).filter(|(_, message)| message.uses.waits).map(archived).collect()
    }

    /// What an account has in its archive leaves it.
    pub(crate) fn empty(&mut self, account: &str) {
        let key = self.accounts[account].record.key;
        self.messages.retain(|name, message| name.0 != key || !message.uses.archived);
    }

    fn loaded(&self, row: &Row) -> AccountRecord {
        let key = row.record.key;
        let floor = row.record.sessions.iter().map(|session| session.floor).min();
        let since = self.of(key).filter(|(id, _)| floor.is_some_and(|floor| *id > floor));
        let traced = |(id, message): (u64, &Message)| Traced {
            id,
            uses: message.uses,
            trace: message.trace.clone(),
            stanza: message.stanza.clone(),
        };
        let mut since: Vec<_> = since.rev().take(TRACED_MESSAGES as usize).map(traced).collect();
        since.reverse();
        AccountRecord {
            newest: self.newest(key),
            waiting: u32::try_from(self.of(key).filter(|(_, message)| message.uses.waits).count()).unwrap(),
            since,
            ..row.record.clone()
        }
    }

    fn keep(&mut self, keep: &Keep) -> Answer {
        for entry in &keep.entries {
            if !self.accounts.values().any(|row| row.record.key == entry.key) && !self.rooms.has(entry.key) {
                continue;
            }
            let message = Message {
                peer: entry.peer,
                uses: entry.uses,
                trace: entry.trace.clone(),
                stanza: (*keep.stanza).into(),
            };
            self.messages.entry((entry.key, entry.id)).or_insert(message);
        }
        Answer::Done
    }

    fn forget(&mut self, key: AccountKey, upto: u64) {
        let needed = |uses: Uses| uses.archived || uses.waits;
        self.messages.retain(|name, message| name.0 != key || name.1 > upto || needed(message.uses));
    }

    fn page(&self, query: &ArchiveQuery) -> Answer {
        let there = |id: &u64| self.messages.get(&(query.key, *id)).is_some_and(|message| message.uses.archived);
        if !query.ids.iter().all(there) || !query.beside.iter().all(there) {
            return Answer::Missing;
        }
        let mut found: Vec<_> = self
            .of(query.key)
            .filter(|(id, message)| {
                message.uses.archived
                    && (query.from..=query.upto).contains(id)
                    && query.peer.is_none_or(|peer| peer == message.peer)
                    && (query.ids.is_empty() || query.ids.contains(id))
            })
            .map(archived)
            .collect();
        let count = query.count.then(|| u32::try_from(found.len()).unwrap().min(ARCHIVE_COUNTED));
        if query.last {
            found.reverse();
        }
        let mut bytes = 0;
        let mut fits = |message: &Archived| {
            let before = bytes;
            bytes += message.stanza.len();
            before < query.bytes as usize
        };
        let all = found.len();
        let mut messages: Vec<_> = found.into_iter().take(query.limit as usize).take_while(|one| fits(one)).collect();
        let complete = messages.len() == all;
        if query.last {
            messages.reverse();
        }
        Answer::Page(Box::new(ArchivePage { messages, complete, count }))
    }
}

fn archived((id, message): (u64, &Message)) -> Archived {
    Archived { id, stanza: message.stanza.clone() }
}

/// Writes to an account that exists.
fn write(row: &mut Row, question: &Question) -> Answer {
    let record = &mut row.record;
    match question {
        Question::SetVerifiers { verifiers, .. } => row.verifiers.clone_from(verifiers),
        Question::SaveRosterItem { item, .. } => {
            record.roster.retain(|known| known.jid != item.jid);
            record.roster.push((**item).clone());
            record.roster_version = item.version;
        }
        Question::RemoveRosterItem { contact, version, .. } => {
            record.roster.retain(|known| known.jid != *contact);
            (record.roster_version, record.roster_removed_version) = (*version, *version);
        }
        Question::SaveRequest { request, .. } => {
            record.requests.retain(|known| known.from != request.from);
            record.requests.push(request.clone());
        }
        Question::SetClass { class, .. } => record.class.clone_from(class),
        // The twin keeps everything.
        Question::SetRetention { .. } | Question::ClearRetention { .. } => {}
        Question::SavePreferences { preferences, .. } => record.preferences = Some((**preferences).clone()),
        Question::SavePrivate { namespace, name, xml, limit, .. } => {
            let key = (namespace.clone(), name.clone());
            if row.private.keys().filter(|known| **known != key).count() >= *limit as usize {
                return Answer::Full;
            }
            row.private.insert(key, xml.to_vec());
        }
        Question::SaveVcard { xml, .. } => row.vcard = Some(xml.clone()),
        Question::Block { jids, .. } => {
            for jid in jids {
                if !record.blocked.contains(jid) {
                    record.blocked.push(jid.clone());
                }
            }
        }
        Question::SaveLast { at_ms, status, .. } => record.last = Some((*at_ms, status.clone())),
        other => unreachable!("{other:?} writes nothing"),
    }
    Answer::Done
}
