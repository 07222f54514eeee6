//! Carries out the questions that write, inside a transaction that the caller began.

use rusqlite::{Connection, OptionalExtension, Params, Result, params};
use wattle::jid::Jid;
use wattle::store::{Answer, Question, RosterItem, Subscription, Verifier};

use super::reads::{self, GROUP_SEPARATOR};
use super::{int, statements};

/// The counter that holds the first sequence not yet handed out.
const SEQUENCE: &str = "offline_sequence";
/// Sequences reserved at once, so that the counter's page is written rarely. A restart skips what is left of them.
const RESERVED: i64 = 65_536;

/// Hands out the sequences of offline messages: ascending and never twice, also when the newest message is gone or the
/// server was killed. Otherwise a session that has read up to a sequence would take a new message for an old one.
pub(super) struct Sequences {
    next: i64,
    /// Those below are covered by the stored counter.
    reserved: i64,
}

impl Sequences {
    /// Goes on behind everything that may have been handed out.
    pub(super) fn load(conn: &Connection) -> Result<Self> {
        let stored: Option<i64> = conn.query_row(statements::COUNTER, [SEQUENCE], |row| row.get(0)).optional()?;
        let last: Option<i64> = conn.query_row(statements::LAST_SEQUENCE, [], |row| row.get(0))?;
        let next = stored.unwrap_or(1).max(last.map_or(1, |last| last + 1));
        Ok(Self { next, reserved: next })
    }

    /// The reservation may have been undone with the transaction that made it.
    pub(super) fn rolled_back(&mut self) {
        self.reserved = self.next;
    }

    fn take(&mut self, conn: &Connection) -> Result<i64> {
        if self.next >= self.reserved {
            change(conn, statements::SET_COUNTER, (SEQUENCE, self.next + RESERVED))?;
            self.reserved = self.next + RESERVED;
        }
        let sequence = self.next;
        self.next += 1;
        Ok(sequence)
    }
}

/// Carries out any question. On an error the transaction holds some of it and must be rolled back.
pub(super) fn carry_out(conn: &Connection, sequences: &mut Sequences, question: &Question) -> Result<Answer> {
    if let Some(answer) = reads::read(conn, question)? {
        return Ok(answer);
    }
    match question {
        Question::Credentials { .. }
        | Question::Account { .. }
        | Question::ListAccounts { .. }
        | Question::ReadOffline { .. }
        | Question::ReadPrivate { .. }
        | Question::ReadVcard { .. } => unreachable!("it was read above"),
        Question::CreateAccount { account, verifiers, at_ms } => {
            let (sha1, sha256) = (&verifiers.sha1, &verifiers.sha256);
            let row = params![
                account.bare_str(),
                int(*at_ms),
                sha1.salt,
                sha1.iterations,
                sha1.stored_key,
                sha1.server_key,
                sha256.salt,
                sha256.iterations,
                sha256.stored_key,
                sha256.server_key
            ];
            let made = change(conn, statements::CREATE_ACCOUNT, row)?;
            Ok(if made == 0 { Answer::Exists } else { Answer::Done })
        }
        Question::SetVerifiers { account, verifiers } => {
            let Verifier { salt, iterations, stored_key, server_key } = &verifiers.sha1;
            let sha256 = &verifiers.sha256;
            let row = params![
                salt,
                iterations,
                stored_key,
                server_key,
                sha256.salt,
                sha256.iterations,
                sha256.stored_key,
                sha256.server_key,
                account.bare_str()
            ];
            done_or_missing(change(conn, statements::SET_VERIFIERS, row)?)
        }
        Question::RemoveAccount { account } => {
            done_or_missing(change(conn, statements::REMOVE_ACCOUNT, [account.bare_str()])?)
        }
        Question::SaveRosterItem { account, item } => save_roster_item(conn, account, item),
        Question::RemoveRosterItem { account, contact, version } => {
            let changed = change(conn, statements::ROSTER_REMOVED_VERSION, (int(*version), account.bare_str()))?;
            change(conn, statements::REMOVE_ROSTER_ITEM, (account.bare_str(), contact.as_str()))?;
            done_or_missing(changed)
        }
        Question::SaveRequest { account, request } => {
            let row = (request.from.as_str(), &request.stanza, account.bare_str());
            done_or_missing(change(conn, statements::SAVE_REQUEST, row)?)
        }
        Question::RemoveRequest { account, from } => {
            change(conn, statements::REMOVE_REQUEST, (account.bare_str(), from.as_str()))?;
            Ok(Answer::Done)
        }
        Question::PushOffline { account, at_ms, stanza, limit } => {
            let row = (sequences.take(conn)?, int(*at_ms), stanza, account.bare_str(), limit);
            let changed = change(conn, statements::PUSH_OFFLINE, row)?;
            done_or_full(conn, account, changed)
        }
        Question::DropOffline { account, upto } => {
            change(conn, statements::DROP_OFFLINE, (account.bare_str(), int(*upto)))?;
            Ok(Answer::Done)
        }
        Question::SavePrivate { account, namespace, name, xml, limit } => {
            let changed = change(conn, statements::SAVE_PRIVATE, (namespace, name, xml, account.bare_str(), limit))?;
            done_or_full(conn, account, changed)
        }
        Question::SaveVcard { account, xml } => {
            done_or_missing(change(conn, statements::SAVE_VCARD, (xml, account.bare_str()))?)
        }
        Question::Block { account, jids } => {
            if !reads::exists(conn, account)? {
                return Ok(Answer::Missing);
            }
            for jid in jids {
                change(conn, statements::BLOCK, (jid.as_str(), account.bare_str()))?;
            }
            Ok(Answer::Done)
        }
        Question::Unblock { account, jids } => {
            if jids.is_empty() {
                change(conn, statements::UNBLOCK_ALL, [account.bare_str()])?;
            }
            for jid in jids {
                change(conn, statements::UNBLOCK, (account.bare_str(), jid.as_str()))?;
            }
            Ok(Answer::Done)
        }
        Question::SaveLast { account, at_ms, status } => {
            done_or_missing(change(conn, statements::SAVE_LAST, (int(*at_ms), status, account.bare_str()))?)
        }
    }
}

fn save_roster_item(conn: &Connection, account: &Jid, item: &RosterItem) -> Result<Answer> {
    let subscription = match item.subscription {
        Subscription::None => 0,
        Subscription::To => 1,
        Subscription::From => 2,
        Subscription::Both => 3,
    };
    let groups =
        item.groups.iter().map(|group| &**group).collect::<Vec<_>>().join(GROUP_SEPARATOR.encode_utf8(&mut [0; 4]));
    let row = params![
        item.jid.as_str(),
        int(item.version),
        subscription,
        i64::from(item.ask),
        i64::from(item.approved),
        item.name,
        (!item.groups.is_empty()).then_some(groups),
        account.bare_str()
    ];
    change(conn, statements::SAVE_ROSTER_ITEM, row)?;
    done_or_missing(change(conn, statements::ROSTER_VERSION, (int(item.version), account.bare_str()))?)
}

fn change(conn: &Connection, statement: &str, row: impl Params) -> Result<usize> {
    conn.prepare_cached(statement)?.execute(row)
}

fn done_or_missing(changed: usize) -> Result<Answer> {
    Ok(if changed == 0 { Answer::Missing } else { Answer::Done })
}

/// For a write that a limit or a missing account stopped.
fn done_or_full(conn: &Connection, account: &Jid, changed: usize) -> Result<Answer> {
    if changed > 0 {
        return Ok(Answer::Done);
    }
    Ok(if reads::exists(conn, account)? { Answer::Full } else { Answer::Missing })
}
