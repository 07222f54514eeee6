//! Carries out the questions that write, inside a transaction that the caller began.

use wattle::jid::Jid;
use wattle::store::{
    AccountKey, Answer, ArchiveDefault, Preferences, Question, RosterItem, StoredSession, Subscription, Verifiers,
};

use super::archive::{self, Messages};
use super::driver::{Driver, Result, Value, first};
use super::reads::{self, GROUP_SEPARATOR};
use super::{rooms, statements};

/// Stored messages that go together with their account or room.
const REMOVED_AT_ONCE: u32 = 1_000;

/// Carries out any question. On an error the transaction holds some of it and must be rolled back.
pub(super) fn carry_out(driver: &mut dyn Driver, numbers: &mut Messages, question: &Question) -> Result<Answer> {
    if let Some(answer) = reads::read(driver, question)? {
        return Ok(answer);
    }
    match question {
        Question::Credentials { .. }
        | Question::Account { .. }
        | Question::ListAccounts { .. }
        | Question::ListSessions { .. }
        | Question::ReadWaiting { .. }
        | Question::ReadArchive(_)
        | Question::ArchiveEnds { .. }
        | Question::ReadPrivate { .. }
        | Question::ReadVcard { .. }
        | Question::Room { .. }
        | Question::ListRooms { .. }
        | Question::ListAllRooms { .. } => unreachable!("it was read above"),
        Question::CreateAccount { account, verifiers, at_ms } => create_account(driver, account, verifiers, *at_ms),
        Question::SetVerifiers { account, verifiers } => {
            let mut values = Vec::from(columns(verifiers));
            values.push(account.bare_str().into());
            done_or_missing(driver.change(statements::SET_VERIFIERS, &values)?)
        }
        Question::RemoveAccount { account } => {
            driver.later(statements::LEAVE_ROOMS, &[account.bare_str().into()])?;
            remove(driver, numbers, account, statements::EXISTS, statements::REMOVE_ACCOUNT)
        }
        Question::SaveRosterItem { account, item } => save_roster_item(driver, account, item),
        Question::RemoveRosterItem { account, contact, version } => {
            let values = [(*version).into(), account.bare_str().into()];
            let changed = driver.change(statements::ROSTER_REMOVED_VERSION, &values)?;
            let values = [account.bare_str().into(), contact.as_str().into()];
            driver.later(statements::REMOVE_ROSTER_ITEM, &values)?;
            done_or_missing(changed)
        }
        Question::SaveRequest { account, request } => {
            let values = [request.from.as_str().into(), (&*request.stanza).into(), account.bare_str().into()];
            done_or_missing(driver.change(statements::SAVE_REQUEST, &values)?)
        }
        Question::RemoveRequest { account, from } => {
            done(driver, statements::REMOVE_REQUEST, &[account.bare_str().into(), from.as_str().into()])
        }
        Question::Keep(keep) => archive::keep(driver, numbers, keep),
        Question::KeepWaiting { key, ids, .. } => {
            for id in ids {
                driver.later(statements::WAIT, &[key.0.into(), (*id).into()])?;
            }
            Ok(Answer::Done)
        }
        Question::EndWaiting { key, ids, .. } => {
            for id in ids {
                driver.later(statements::END_WAITING, &[key.0.into(), (*id).into()])?;
            }
            Ok(Answer::Done)
        }
        Question::PurgeArchive { key, upto, limit, .. } => {
            let removed = archive::remove(driver, statements::EXPIRE_OLDEST, *key, *upto, *limit)?;
            Ok(Answer::Purged(u32::try_from(removed).unwrap_or(u32::MAX)))
        }
        Question::Replace { key, id, stanza, .. } => archive::replace(driver, numbers, *key, *id, stanza),
        Question::SavePreferences { account, preferences } => save_preferences(driver, account, preferences),
        Question::SetClass { account, class } => {
            let values = [class.as_deref().into(), account.bare_str().into()];
            done_or_missing(driver.change(statements::SET_CLASS, &values)?)
        }
        Question::SetRetention { account, days, messages } => {
            let values = [(*days).into(), (*messages).into(), account.bare_str().into()];
            done_or_missing(driver.change(statements::SET_RETENTION, &values)?)
        }
        Question::ClearRetention { account } => {
            done_or_missing(driver.change(statements::CLEAR_RETENTION, &[account.bare_str().into()])?)
        }
        Question::SaveSession { key, session, forget_upto, .. } => save_session(driver, *key, session, *forget_upto),
        Question::DropSession { key, number, forget_upto, .. } => {
            archive::forget(driver, *key, *forget_upto)?;
            done(driver, statements::DROP_SESSION, &[key.0.into(), u32::from(*number).into()])
        }
        Question::SavePrivate { account, namespace, name, xml, limit } => {
            let (namespace, name) = ((&**namespace).into(), (&**name).into());
            let values = [namespace, name, (&**xml).into(), account.bare_str().into(), (*limit).into()];
            let changed = driver.change(statements::SAVE_PRIVATE, &values)?;
            done_or_full(driver, account, changed)
        }
        Question::SaveVcard { account, xml } => {
            done_or_missing(driver.change(statements::SAVE_VCARD, &[(&**xml).into(), account.bare_str().into()])?)
        }
        Question::Block { account, jids } => {
            if !reads::exists(driver, account)? {
                return Ok(Answer::Missing);
            }
            for jid in jids {
                driver.later(statements::BLOCK, &[jid.as_str().into(), account.bare_str().into()])?;
            }
            Ok(Answer::Done)
        }
        Question::Unblock { account, jids } => {
            if jids.is_empty() {
                driver.later(statements::UNBLOCK_ALL, &[account.bare_str().into()])?;
            }
            for jid in jids {
                driver.later(statements::UNBLOCK, &[account.bare_str().into(), jid.as_str().into()])?;
            }
            Ok(Answer::Done)
        }
        Question::SaveLast { account, at_ms, status } => {
            let values = [(*at_ms).into(), (&**status).into(), account.bare_str().into()];
            done_or_missing(driver.change(statements::SAVE_LAST, &values)?)
        }
        Question::CreateRoom { room, owner, setup, at_ms, limit } => {
            rooms::create(driver, room, owner.as_ref(), setup, *at_ms, *limit)
        }
        Question::SaveRoom { room, setup } => done_or_missing(rooms::save(driver, room, setup)?),
        Question::SaveSubject { room, subject } => {
            done_or_missing(driver.change(statements::SAVE_SUBJECT, &[(&**subject).into(), room.bare_str().into()])?)
        }
        Question::SaveMembers { room, members } => {
            if !rooms::exists(driver, room)? {
                return Ok(Answer::Missing);
            }
            for member in members {
                rooms::save_member(driver, room, member)?;
            }
            Ok(Answer::Done)
        }
        Question::SaveOccupant { room, occupant } => done_or_missing(rooms::save_occupant(driver, room, occupant)?),
        Question::DropOccupants { room, jids } => {
            rooms::drop_occupants(driver, room, jids)?;
            Ok(Answer::Done)
        }
        Question::RemoveRoom { room } => {
            remove(driver, numbers, room, statements::ROOM_EXISTS, statements::REMOVE_ROOM)
        }
    }
}

fn create_account(driver: &mut dyn Driver, account: &Jid, verifiers: &Verifiers, at_ms: u64) -> Result<Answer> {
    driver.later(statements::NUMBER_ACCOUNT, &[])?;
    let mut values = vec![account.bare_str().into(), at_ms.into()];
    values.extend(columns(verifiers));
    let made = driver.change(statements::CREATE_ACCOUNT, &values)?;
    Ok(if made == 0 { Answer::Exists } else { Answer::Done })
}

/// An account or a room. The rest of a large archive belongs to nobody, and is swept in small steps.
fn remove(
    driver: &mut dyn Driver,
    numbers: &mut Messages,
    jid: &Jid,
    exists: &'static str,
    remove: &'static str,
) -> Result<Answer> {
    let key = first(driver, exists, &[jid.bare_str().into()], |row| row.int(0))?;
    let Some(key) = key else { return Ok(Answer::Missing) };
    let rows = archive::remove(driver, statements::REMOVE_OLDEST, AccountKey(key), u64::MAX, REMOVED_AT_ONCE)?;
    numbers.left_over |= rows == u64::from(REMOVED_AT_ONCE);
    done(driver, remove, &[jid.bare_str().into()])
}

fn columns(verifiers: &Verifiers) -> [Value<'_>; 8] {
    let (sha1, sha256) = (&verifiers.sha1, &verifiers.sha256);
    [
        (&*sha1.salt).into(),
        sha1.iterations.into(),
        (&*sha1.stored_key).into(),
        (&*sha1.server_key).into(),
        (&*sha256.salt).into(),
        sha256.iterations.into(),
        (&*sha256.stored_key).into(),
        (&*sha256.server_key).into(),
    ]
}

fn save_roster_item(driver: &mut dyn Driver, account: &Jid, item: &RosterItem) -> Result<Answer> {
    let subscription = match item.subscription {
        Subscription::None => 0,
        Subscription::To => 1,
        Subscription::From => 2,
        Subscription::Both => 3,
    };
    let groups =
        item.groups.iter().map(|group| &**group).collect::<Vec<_>>().join(GROUP_SEPARATOR.encode_utf8(&mut [0; 4]));
    let values = [
        item.jid.as_str().into(),
        item.version.into(),
        Value::Int(subscription),
        Value::Int(item.ask.into()),
        Value::Int(item.approved.into()),
        item.name.as_deref().into(),
        (!item.groups.is_empty()).then_some(&*groups).into(),
        account.bare_str().into(),
    ];
    driver.later(statements::SAVE_ROSTER_ITEM, &values)?;
    let values = [item.version.into(), account.bare_str().into()];
    done_or_missing(driver.change(statements::ROSTER_VERSION, &values)?)
}

fn save_preferences(driver: &mut dyn Driver, account: &Jid, preferences: &Preferences) -> Result<Answer> {
    let default = match preferences.default {
        ArchiveDefault::Always => 0,
        ArchiveDefault::Roster => 1,
        ArchiveDefault::Never => 2,
    };
    let changed = driver.change(statements::SAVE_DEFAULT, &[Value::Int(default), account.bare_str().into()])?;
    driver.later(statements::REMOVE_RULES, &[account.bare_str().into()])?;
    for (archived, list) in [(1, &preferences.always), (0, &preferences.never)] {
        for contact in list {
            let values = [Value::Int(archived), contact.as_str().into(), account.bare_str().into()];
            driver.later(statements::SAVE_RULE, &values)?;
        }
    }
    done_or_missing(changed)
}

fn save_session(driver: &mut dyn Driver, key: AccountKey, session: &StoredSession, forget_upto: u64) -> Result<Answer> {
    archive::forget(driver, key, forget_upto)?;
    let values = [u32::from(session.number).into(), session.floor.into(), (&*session.state).into(), key.0.into()];
    done_or_missing(driver.change(statements::SAVE_SESSION, &values)?)
}

/// For a change that may find nothing to do.
fn done(driver: &mut dyn Driver, sql: &'static str, values: &[Value<'_>]) -> Result<Answer> {
    driver.later(sql, values)?;
    Ok(Answer::Done)
}

fn done_or_missing(changed: u64) -> Result<Answer> {
    Ok(if changed == 0 { Answer::Missing } else { Answer::Done })
}

/// For a write that a limit or a missing account stopped.
fn done_or_full(driver: &mut dyn Driver, account: &Jid, changed: u64) -> Result<Answer> {
    if changed > 0 {
        return Ok(Answer::Done);
    }
    Ok(if reads::exists(driver, account)? { Answer::Full } else { Answer::Missing })
}
