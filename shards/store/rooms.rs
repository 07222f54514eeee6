//! Rooms: how their rows are read and written.

use wattle::jid::Jid;
use wattle::store::{AccountKey, Affiliation, Answer, ListedRoom, Member, Role, RoomRecord, RoomSetup, StoredOccupant};

use super::driver::{Driver, Result, Row, Value, all, first};
use super::reads::{bytes, count, of_contacts, small};
use super::{pages, statements};

/// Loads a room with its newest messages, at most `history`.
pub(super) fn record(driver: &mut dyn Driver, room: &Jid, history: u32) -> Result<Option<Box<RoomRecord>>> {
    let head = first(driver, statements::ROOM, &[room.bare_str().into()], |row| {
        Ok(Box::new(RoomRecord {
            key: AccountKey(row.int(0)?),
            setup: RoomSetup {
                is_public: row.int(1)? != 0,
                name: row.text(2)?.into(),
                archive_days: row.maybe_int(3)?.map(small),
                settings: bytes(row, 4)?,
            },
            subject: bytes(row, 5)?,
            newest: row.maybe_int(6)?.unwrap_or_default().cast_unsigned(),
            ..RoomRecord::default()
        }))
    })?;
    let Some(mut record) = head else { return Ok(None) };
    let key = record.key;
    record.members = of_contacts(driver, statements::MEMBERS, key, |jid, row| {
        let (nick, reason) = (row.maybe_text(2)?.map(Box::from), row.maybe_text(3)?.map(Box::from));
        Ok(Member { jid, affiliation: affiliation(row.int(1)?), nick, reason })
    })?;
    let mut occupants = of_contacts(driver, statements::OCCUPANTS, key, |jid, row| {
        Ok((row.int(1)?, StoredOccupant { jid, nick: row.text(2)?.into(), role: role(row.int(3)?) }))
    })?;
    occupants.sort_unstable_by_key(|(place, _)| *place);
    record.occupants = occupants.into_iter().map(|(_, occupant)| occupant).collect();
    if history > 0 {
        record.history = pages::newest(driver, key, history)?;
    }
    Ok(Some(record))
}

/// Rooms that a statement finds.
pub(super) fn list(driver: &mut dyn Driver, sql: &'static str, values: &[Value<'_>]) -> Result<Answer> {
    let room = |row: &dyn Row| Ok(ListedRoom { jid: row.text(0)?.into(), name: row.text(1)?.into() });
    Ok(Answer::Rooms(all(driver, sql, values, room)?))
}

/// Makes a room, or loads it.
pub(super) fn create(
    driver: &mut dyn Driver,
    room: &Jid,
    owner: Option<&Jid>,
    setup: &RoomSetup,
    at_ms: u64,
    limit: u32,
) -> Result<Answer> {
    if let Some(there) = record(driver, room, 0)? {
        return Ok(Answer::Room(Some(there)));
    }
    if let Some(owner) = owner {
        let owned = first(driver, statements::OWNED, &[owner.bare_str().into(), limit.into()], |row| count(row, 0))?;
        if owned.unwrap_or_default() >= u64::from(limit) {
            return Ok(Answer::Full);
        }
    }
    driver.later(statements::NUMBER_ACCOUNT, &[])?;
    let mut values = vec![room.bare_str().into(), room.domain().into(), at_ms.into()];
    values.extend(columns(setup));
    values.push(Value::Blob(&[]));
    driver.later(statements::CREATE_ROOM, &values)?;
    if let Some(owner) = owner {
        let jid = owner.to_bare();
        save_member(driver, room, &Member { jid, affiliation: Affiliation::Owner, nick: None, reason: None })?;
    }
    Ok(Answer::Room(record(driver, room, 0)?))
}

/// Sets a room up otherwise; says how many there are of it.
pub(super) fn save(driver: &mut dyn Driver, room: &Jid, setup: &RoomSetup) -> Result<u64> {
    let mut values = Vec::from(columns(setup));
    values.push(room.bare_str().into());
    driver.change(statements::SAVE_ROOM, &values)
}

fn columns(setup: &RoomSetup) -> [Value<'_>; 4] {
    [Value::Int(setup.is_public.into()), (&*setup.name).into(), setup.archive_days.into(), (&*setup.settings).into()]
}

/// Is there such a room?
pub(super) fn exists(driver: &mut dyn Driver, room: &Jid) -> Result<bool> {
    Ok(first(driver, statements::ROOM_EXISTS, &[room.bare_str().into()], |_| Ok(()))?.is_some())
}

/// Remembers somebody, or forgets them.
pub(super) fn save_member(driver: &mut dyn Driver, room: &Jid, member: &Member) -> Result<()> {
    if member.affiliation == Affiliation::None && member.nick.is_none() {
        return driver.later(statements::REMOVE_MEMBER, &[room.bare_str().into(), member.jid.as_str().into()]);
    }
    let affiliation = match member.affiliation {
        Affiliation::Outcast => 0,
        Affiliation::None => 1,
        Affiliation::Member => 2,
        Affiliation::Admin => 3,
        Affiliation::Owner => 4,
    };
    let values = [
        member.jid.as_str().into(),
        Value::Int(affiliation),
        member.nick.as_deref().into(),
        member.reason.as_deref().into(),
        room.bare_str().into(),
    ];
    driver.later(statements::SAVE_MEMBER, &values)
}

fn affiliation(number: i64) -> Affiliation {
    match number {
        0 => Affiliation::Outcast,
        2 => Affiliation::Member,
        3 => Affiliation::Admin,
        4 => Affiliation::Owner,
        _ => Affiliation::None,
    }
}

/// Remembers who is in a room; says how many rooms that are.
pub(super) fn save_occupant(driver: &mut dyn Driver, room: &Jid, occupant: &StoredOccupant) -> Result<u64> {
    let role = match occupant.role {
        Role::None => 0,
        Role::Visitor => 1,
        Role::Participant => 2,
        Role::Moderator => 3,
    };
    let (jid, nick) = (occupant.jid.as_str().into(), (&*occupant.nick).into());
    driver.change(statements::SAVE_OCCUPANT, &[jid, nick, Value::Int(role), room.bare_str().into()])
}

fn role(number: i64) -> Role {
    match number {
        1 => Role::Visitor,
        2 => Role::Participant,
        3 => Role::Moderator,
        _ => Role::None,
    }
}

/// Forgets who was in a room.
pub(super) fn drop_occupants(driver: &mut dyn Driver, room: &Jid, jids: &[Jid]) -> Result<()> {
    for jid in jids {
        driver.later(statements::DROP_OCCUPANT, &[room.bare_str().into(), jid.as_str().into()])?;
    }
    Ok(())
}
