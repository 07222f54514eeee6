//! Carries out the questions that only read.

use wattle::jid::Jid;
use wattle::limits::TRACED_MESSAGES;
use wattle::store::{
    AccountKey, AccountRecord, Answer, ArchiveDefault, PendingRequest, Preferences, Question, RosterItem,
    StoredSession, Subscription, Traced, Verifier, Verifiers,
};

use super::driver::{Driver, Result, Row, all, first};
use super::{archive, pages, rooms, statements};

/// Stands between the groups of a roster item in its column; XML cannot contain it.
pub(super) const GROUP_SEPARATOR: char = '\u{1f}';

/// The answer, or none if the question writes.
pub(super) fn read(driver: &mut dyn Driver, question: &Question) -> Result<Option<Answer>> {
    let answer = match question {
        Question::Credentials { account } => Answer::Credentials(credentials(driver, account)?),
        Question::Account { account } => Answer::Account(record(driver, account)?),
        Question::ListAccounts { after, limit } => jids(driver, statements::ACCOUNTS, after.as_deref(), *limit)?,
        Question::ListSessions { after, limit } => jids(driver, statements::WITH_SESSIONS, after.as_deref(), *limit)?,
        Question::ReadWaiting { key, after, limit, .. } => {
            let values = [key.0.into(), (*after).into(), (*limit).into()];
            Answer::Messages(all(driver, statements::READ_WAITING, &values, pages::message)?)
        }
        Question::ReadArchive(query) => pages::page(driver, query)?,
        Question::ArchiveEnds { key, upto, .. } => pages::ends(driver, *key, *upto)?,
        Question::ReadPrivate { account, namespace, name } => {
            let values = [account.bare_str().into(), (&**namespace).into(), (&**name).into()];
            Answer::Xml(first(driver, statements::READ_PRIVATE, &values, |row| bytes(row, 0))?)
        }
        Question::ReadVcard { account } => {
            Answer::Xml(first(driver, statements::READ_VCARD, &[account.bare_str().into()], |row| bytes(row, 0))?)
        }
        Question::Room { room, history } => Answer::Room(rooms::record(driver, room, *history)?),
        Question::ListRooms { service, after, limit } => {
            let values = [service.domain().into(), after.as_deref().unwrap_or_default().into(), (*limit).into()];
            rooms::list(driver, statements::PUBLIC_ROOMS, &values)?
        }
        Question::ListAllRooms { after, limit } => {
            rooms::list(driver, statements::ROOMS, &[after.as_deref().unwrap_or_default().into(), (*limit).into()])?
        }
        Question::CreateAccount { .. }
        | Question::SetVerifiers { .. }
        | Question::RemoveAccount { .. }
        | Question::SaveRosterItem { .. }
        | Question::RemoveRosterItem { .. }
        | Question::SaveRequest { .. }
        | Question::RemoveRequest { .. }
        | Question::Keep(_)
        | Question::KeepWaiting { .. }
        | Question::EndWaiting { .. }
        | Question::Replace { .. }
        | Question::PurgeArchive { .. }
        | Question::SavePreferences { .. }
        | Question::SetClass { .. }
        | Question::SetRetention { .. }
        | Question::ClearRetention { .. }
        | Question::SaveSession { .. }
        | Question::DropSession { .. }
        | Question::SavePrivate { .. }
        | Question::SaveVcard { .. }
        | Question::Block { .. }
        | Question::Unblock { .. }
        | Question::SaveLast { .. }
        | Question::CreateRoom { .. }
        | Question::SaveRoom { .. }
        | Question::SaveSubject { .. }
        | Question::SaveMembers { .. }
        | Question::SaveOccupant { .. }
        | Question::DropOccupants { .. }
        | Question::RemoveRoom { .. } => return Ok(None),
    };
    Ok(Some(answer))
}

/// Is there such an account?
pub(super) fn exists(driver: &mut dyn Driver, account: &Jid) -> Result<bool> {
    Ok(first(driver, statements::EXISTS, &[account.bare_str().into()], |_| Ok(()))?.is_some())
}

fn jids(driver: &mut dyn Driver, sql: &'static str, after: Option<&str>, limit: u32) -> Result<Answer> {
    let values = [after.unwrap_or_default().into(), limit.into()];
    Ok(Answer::Accounts(all(driver, sql, &values, |row| row.text(0).map(Box::from))?))
}

fn credentials(driver: &mut dyn Driver, account: &Jid) -> Result<Option<Box<Verifiers>>> {
    let verifier = |row: &dyn Row, first: usize| -> Result<Verifier> {
        Ok(Verifier {
            salt: bytes(row, first)?,
            iterations: small(row.int(first + 1)?),
            stored_key: bytes(row, first + 2)?,
            server_key: bytes(row, first + 3)?,
        })
    };
    first(driver, statements::CREDENTIALS, &[account.bare_str().into()], |row| {
        Ok(Box::new(Verifiers { sha1: verifier(row, 0)?, sha256: verifier(row, 4)? }))
    })
}

fn record(driver: &mut dyn Driver, account: &Jid) -> Result<Option<Box<AccountRecord>>> {
    let head = first(driver, statements::ACCOUNT, &[account.bare_str().into()], |row| {
        let status = row.maybe_text(4)?.unwrap_or_default();
        let default = row.maybe_int(5)?.map(|number| match number {
            1 => ArchiveDefault::Roster,
            2 => ArchiveDefault::Never,
            _ => ArchiveDefault::Always,
        });
        Ok(Box::new(AccountRecord {
            key: AccountKey(row.int(0)?),
            roster_version: count(row, 1)?,
            roster_removed_version: count(row, 2)?,
            last: row.maybe_int(3)?.map(|at_ms| (at_ms.cast_unsigned(), status.into())),
            preferences: default.map(|default| Preferences { default, ..Preferences::default() }),
            waiting: small(row.int(6)?),
            class: row.maybe_text(8)?.map(Box::from),
            newest: row.maybe_int(7)?.unwrap_or_default().cast_unsigned(),
            ..AccountRecord::default()
        }))
    })?;
    let Some(mut record) = head else { return Ok(None) };
    let key = record.key;
    record.roster = of_contacts(driver, statements::ROSTER, key, roster_item)?;
    record.requests = of_contacts(driver, statements::REQUESTS, key, |jid, row| {
        Ok(PendingRequest { from: jid, stanza: bytes(row, 1)? })
    })?;
    record.blocked = of_contacts(driver, statements::BLOCKED, key, |jid, _| Ok(jid))?;
    if let Some(preferences) = &mut record.preferences {
        for (jid, archived) in of_contacts(driver, statements::RULES, key, |jid, row| Ok((jid, row.int(1)? != 0)))? {
            let list = if archived { &mut preferences.always } else { &mut preferences.never };
            list.push(jid);
        }
    }
    record.sessions = all(driver, statements::SESSIONS, &[key.0.into()], |row| {
        Ok(StoredSession {
            number: u8::try_from(row.int(0)?).unwrap_or_default(),
            floor: count(row, 1)?,
            state: bytes(row, 2)?,
        })
    })?;
    if let Some(floor) = record.sessions.iter().map(|session| session.floor).min() {
        record.since = since(driver, key, floor)?;
    }
    Ok(Some(record))
}

/// What came behind `floor`, oldest first.
fn since(driver: &mut dyn Driver, key: AccountKey, floor: u64) -> Result<Vec<Traced>> {
    let values = [key.0.into(), floor.into(), TRACED_MESSAGES.into()];
    let mut since = all(driver, statements::SINCE, &values, |row| {
        let (id, uses) = (count(row, 0)?, archive::uses(row.int(1)?));
        Ok(Traced { id, uses, trace: bytes(row, 2)?, stanza: bytes(row, 3)? })
    })?;
    since.reverse();
    Ok(since)
}

/// Reads rows that begin with a contact. One that is no JID any more (Unicode has moved since it was stored) is left
/// out, so that it does not lock its owner out.
pub(super) fn of_contacts<T>(
    driver: &mut dyn Driver,
    sql: &'static str,
    key: AccountKey,
    read: impl Fn(Jid, &dyn Row) -> Result<T>,
) -> Result<Vec<T>> {
    let mut list = Vec::new();
    driver.query(sql, &[key.0.into()], &mut |row| {
        let contact = row.text(0)?;
        match Jid::parse(contact) {
            Ok(jid) => list.push(read(jid, row)?),
            Err(_) => tracing::debug!(contact, "a stored contact is no JID any more and is left out"),
        }
        Ok(true)
    })?;
    Ok(list)
}

fn roster_item(jid: Jid, row: &dyn Row) -> Result<RosterItem> {
    Ok(RosterItem {
        jid,
        version: count(row, 1)?,
        subscription: match row.int(2)? {
            1 => Subscription::To,
            2 => Subscription::From,
            3 => Subscription::Both,
            _ => Subscription::None,
        },
        ask: row.int(3)? != 0,
        approved: row.int(4)? != 0,
        name: row.maybe_text(5)?.map(Box::from),
        groups: row.maybe_text(6)?.map(|list| list.split(GROUP_SEPARATOR).map(Box::from).collect()).unwrap_or_default(),
    })
}

pub(super) fn count(row: &dyn Row, column: usize) -> Result<u64> {
    row.int(column).map(i64::cast_unsigned)
}

pub(super) fn bytes(row: &dyn Row, column: usize) -> Result<Box<[u8]>> {
    row.blob(column).map(Box::from)
}

/// A number that was stored as one of 32 bits.
pub(super) fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
