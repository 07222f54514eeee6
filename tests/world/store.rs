//! The store's twin in memory: answers every question as `src/store.rs` documents it and `shards/store` does it.

use std::collections::BTreeMap;

use wattle::jid::Jid;
use wattle::store::{AccountRecord, Answer, OfflineMessage, Question, Verifiers};

/// All accounts.
#[derive(Default)]
pub(crate) struct Store {
    accounts: BTreeMap<Box<str>, Row>,
    /// Of the newest offline message; never used twice.
    sequence: u64,
}

/// One account.
pub(crate) struct Row {
    pub(crate) verifiers: Box<Verifiers>,
    /// What an account is loaded from; its `offline` counts nothing here, the queue itself does.
    pub(crate) record: AccountRecord,
    pub(crate) offline: Vec<OfflineMessage>,
    /// By namespace and name.
    private: BTreeMap<(Box<str>, Box<str>), Vec<u8>>,
    vcard: Option<Box<[u8]>>,
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

    /// Carries out a question.
    pub(crate) fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Credentials { account } => {
                Answer::Credentials(self.accounts.get(account.bare_str()).map(|row| row.verifiers.clone()))
            }
            Question::Account { account } => {
                let loaded = |row: &Row| Box::new(AccountRecord { offline: waiting(row), ..row.record.clone() });
                Answer::Account(self.accounts.get(account.bare_str()).map(loaded))
            }
            Question::CreateAccount { account, verifiers, .. } => {
                if self.accounts.contains_key(account.bare_str()) {
                    return Answer::Exists;
                }
                let row = Row {
                    verifiers: verifiers.clone(),
                    record: AccountRecord::default(),
                    offline: Vec::new(),
                    private: BTreeMap::new(),
                    vcard: None,
                };
                self.accounts.insert(account.bare_str().into(), row);
                Answer::Done
            }
            Question::RemoveAccount { account } => match self.accounts.remove(account.bare_str()) {
                Some(_) => Answer::Done,
                None => Answer::Missing,
            },
            Question::ListAccounts { after, limit } => {
                let jids = self.accounts.keys().filter(|jid| after.as_ref().is_none_or(|after| *jid > after));
                Answer::Accounts(jids.take(*limit as usize).cloned().collect())
            }
            Question::ReadOffline { account, after, limit } => {
                let all = self.accounts.get(account.bare_str()).map(|row| row.offline.as_slice()).unwrap_or_default();
                let behind = all.iter().filter(|message| message.sequence > *after);
                Answer::Offline(behind.take(*limit as usize).cloned().collect())
            }
            Question::DropOffline { account, upto } => {
                if let Some(row) = self.accounts.get_mut(account.bare_str()) {
                    row.offline.retain(|message| message.sequence > *upto);
                }
                Answer::Done
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
            Question::SetVerifiers { account, .. }
            | Question::SaveRosterItem { account, .. }
            | Question::RemoveRosterItem { account, .. }
            | Question::SaveRequest { account, .. }
            | Question::PushOffline { account, .. }
            | Question::SavePrivate { account, .. }
            | Question::SaveVcard { account, .. }
            | Question::Block { account, .. }
            | Question::SaveLast { account, .. } => match self.accounts.get_mut(account.bare_str()) {
                Some(row) => write(row, &mut self.sequence, question),
                None => Answer::Missing,
            },
        }
    }
}

fn waiting(row: &Row) -> u32 {
    u32::try_from(row.offline.len()).unwrap_or(u32::MAX)
}

/// Writes to an account that exists.
fn write(row: &mut Row, sequence: &mut u64, question: &Question) -> Answer {
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
        Question::PushOffline { at_ms, stanza, limit, .. } => {
            *sequence += 1;
            if row.offline.len() >= *limit as usize {
                return Answer::Full;
            }
            row.offline.push(OfflineMessage { sequence: *sequence, at_ms: *at_ms, stanza: stanza.clone() });
        }
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
