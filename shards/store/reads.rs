//! Carries out the questions that only read.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Result, Row};
use wattle::jid::Jid;
use wattle::store::{
    AccountRecord, Answer, OfflineMessage, PendingRequest, Question, RosterItem, Subscription, Verifier, Verifiers,
};

use super::{int, statements};

/// Stands between the groups of a roster item in its column; XML cannot contain it.
pub(super) const GROUP_SEPARATOR: char = '\u{1f}';

/// The answer, or none if the question writes.
pub(super) fn read(conn: &Connection, question: &Question) -> Result<Option<Answer>> {
    let answer = match question {
        Question::Credentials { account } => Answer::Credentials(credentials(conn, account)?),
        Question::Account { account } => Answer::Account(record(conn, account)?),
        Question::ListAccounts { after, limit } => {
            let mut statement = conn.prepare_cached(statements::ACCOUNTS)?;
            let jids = statement.query_map((after.as_deref().unwrap_or_default(), limit), |row| row.get(0))?;
            Answer::Accounts(jids.collect::<Result<_>>()?)
        }
        Question::ReadOffline { account, after, limit } => {
            let mut statement = conn.prepare_cached(statements::READ_OFFLINE)?;
            let messages = statement.query_map((account.bare_str(), int(*after), limit), |row| {
                Ok(OfflineMessage { sequence: count(row, 0)?, at_ms: count(row, 1)?, stanza: bytes(row, 2)? })
            })?;
            Answer::Offline(messages.collect::<Result<_>>()?)
        }
        Question::ReadPrivate { account, namespace, name } => {
            let mut statement = conn.prepare_cached(statements::READ_PRIVATE)?;
            let xml = statement.query_row((account.bare_str(), namespace, name), |row| bytes(row, 0));
            Answer::Xml(xml.optional()?)
        }
        Question::ReadVcard { account } => {
            let mut statement = conn.prepare_cached(statements::READ_VCARD)?;
            Answer::Xml(statement.query_row([account.bare_str()], |row| bytes(row, 0)).optional()?)
        }
        Question::CreateAccount { .. }
        | Question::SetVerifiers { .. }
        | Question::RemoveAccount { .. }
        | Question::SaveRosterItem { .. }
        | Question::RemoveRosterItem { .. }
        | Question::SaveRequest { .. }
        | Question::RemoveRequest { .. }
        | Question::PushOffline { .. }
        | Question::DropOffline { .. }
        | Question::SavePrivate { .. }
        | Question::SaveVcard { .. }
        | Question::Block { .. }
        | Question::Unblock { .. }
        | Question::SaveLast { .. } => return Ok(None),
    };
    Ok(Some(answer))
}

/// Is there such an account?
pub(super) fn exists(conn: &Connection, account: &Jid) -> Result<bool> {
    conn.prepare_cached(statements::EXISTS)?.exists([account.bare_str()])
}

fn credentials(conn: &Connection, account: &Jid) -> Result<Option<Box<Verifiers>>> {
    let verifier = |row: &Row<'_>, first: usize| -> Result<Verifier> {
        Ok(Verifier {
            salt: bytes(row, first)?,
            iterations: row.get(first + 1)?,
            stored_key: bytes(row, first + 2)?,
            server_key: bytes(row, first + 3)?,
        })
    };
    let mut statement = conn.prepare_cached(statements::CREDENTIALS)?;
    statement
        .query_row([account.bare_str()], |row| {
            Ok(Box::new(Verifiers { sha1: verifier(row, 0)?, sha256: verifier(row, 4)? }))
        })
        .optional()
}

fn record(conn: &Connection, account: &Jid) -> Result<Option<Box<AccountRecord>>> {
    let mut statement = conn.prepare_cached(statements::ACCOUNT)?;
    let head = statement.query_row([account.bare_str()], |row| {
        let at_ms: Option<i64> = row.get(3)?;
        let status: Option<Box<str>> = row.get(4)?;
        let record = AccountRecord {
            roster_version: count(row, 1)?,
            roster_removed_version: count(row, 2)?,
            last: at_ms.map(|at_ms| (at_ms.cast_unsigned(), status.unwrap_or_default())),
            offline: row.get(5)?,
            ..AccountRecord::default()
        };
        Ok((row.get::<_, i64>(0)?, Box::new(record)))
    });
    let Some((id, mut record)) = head.optional()? else {
        return Ok(None);
    };
    record.roster = of_account(conn.prepare_cached(statements::ROSTER)?, id, roster_item)?;
    record.requests = of_account(conn.prepare_cached(statements::REQUESTS)?, id, |jid, row| {
        Ok(PendingRequest { from: jid, stanza: bytes(row, 1)? })
    })?;
    record.blocked = of_account(conn.prepare_cached(statements::BLOCKED)?, id, |jid, _| Ok(jid))?;
    Ok(Some(record))
}

/// Reads rows that begin with a contact. One that is no JID any more (Unicode has moved since it was stored) is left
/// out, so that it does not lock its owner out.
fn of_account<T>(
    mut statement: CachedStatement<'_>,
    id: i64,
    read: impl Fn(Jid, &Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut rows = statement.query([id])?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        let contact = row.get_ref(0)?.as_str()?;
        match Jid::parse(contact) {
            Ok(jid) => list.push(read(jid, row)?),
            Err(_) => tracing::debug!(contact, "a stored contact is no JID any more and is left out"),
        }
    }
    Ok(list)
}

fn roster_item(jid: Jid, row: &Row<'_>) -> Result<RosterItem> {
    let groups: Option<&str> = row.get_ref(6)?.as_str_or_null()?;
    Ok(RosterItem {
        jid,
        version: count(row, 1)?,
        subscription: match row.get(2)? {
            1 => Subscription::To,
            2 => Subscription::From,
            3 => Subscription::Both,
            _ => Subscription::None,
        },
        ask: row.get(3)?,
        approved: row.get(4)?,
        name: row.get(5)?,
        groups: groups.map(|list| list.split(GROUP_SEPARATOR).map(Box::from).collect()).unwrap_or_default(),
    })
}

fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

fn bytes(row: &Row<'_>, column: usize) -> Result<Box<[u8]>> {
    Ok(row.get_ref(column)?.as_blob()?.into())
}
