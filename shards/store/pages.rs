//! Pages of an archive: how they are found and when they are full.

use wattle::limits::{ARCHIVE_COUNTED, ROOM_HISTORY_BYTES};
use wattle::store::{AccountKey, Answer, ArchivePage, ArchiveQuery, Archived};

use super::driver::{Driver, Result, Row, Value, first};
use super::reads::{bytes, count, small};
use super::statements;

/// Reads an id and a stanza.
pub(super) fn message(row: &dyn Row) -> Result<Archived> {
    Ok(Archived { id: count(row, 0)?, stanza: bytes(row, 1)? })
}

/// The first and the last message.
pub(super) fn ends(driver: &mut dyn Driver, key: AccountKey, upto: u64) -> Result<Answer> {
    let values = [key.0.into(), Value::Int(0), upto.into(), Value::Int(1)];
    let oldest = first(driver, statements::PAGE, &values, message)?;
    let newest = first(driver, statements::PAGE_BACK, &values, message)?;
    let newest = newest.filter(|newest| oldest.as_ref().is_none_or(|oldest| oldest.id != newest.id));
    Ok(Answer::Messages(oldest.into_iter().chain(newest).collect()))
}

/// The newest messages, at most `limit` of them and no more bytes than a room keeps, in ascending order.
pub(super) fn newest(driver: &mut dyn Driver, key: AccountKey, limit: u32) -> Result<Vec<Archived>> {
    let values = [key.0.into(), Value::Int(0), u64::MAX.into(), limit.into()];
    let (mut newest, mut bytes) = (Vec::new(), 0);
    driver.query(statements::PAGE_BACK, &values, &mut |row| {
        let message = message(row)?;
        bytes += message.stanza.len();
        let has_room = bytes <= ROOM_HISTORY_BYTES;
        if has_room {
            newest.push(message);
        }
        Ok(has_room)
    })?;
    newest.reverse();
    Ok(newest)
}

/// One page of an archive.
pub(super) fn page(driver: &mut dyn Driver, query: &ArchiveQuery) -> Result<Answer> {
    if let Some(id) = query.beside
        && one(driver, query.key, id)?.is_none()
    {
        return Ok(Answer::Missing);
    }
    let mut page = Filling { page: ArchivePage { complete: true, ..ArchivePage::default() }, bytes: 0, query };
    if query.ids.is_empty() {
        found(driver, &mut page)?;
    } else if !named(driver, &mut page)? {
        return Ok(Answer::Missing);
    }
    let mut page = page.page;
    if query.last {
        page.messages.reverse();
    }
    Ok(Answer::Page(Box::new(page)))
}

/// A page that takes messages until it has enough.
struct Filling<'a> {
    page: ArchivePage,
    bytes: usize,
    query: &'a ArchiveQuery,
}

impl Filling<'_> {
    /// Is there room for another? If not, the page is not complete.
    fn has_room(&mut self) -> bool {
        let room = self.page.messages.len() < self.query.limit as usize && self.bytes < self.query.bytes as usize;
        self.page.complete &= room;
        room
    }

    fn push(&mut self, message: Archived) {
        self.bytes += message.stanza.len();
        self.page.messages.push(message);
    }
}

/// Fills the page by its range, and counts.
fn found(driver: &mut dyn Driver, page: &mut Filling<'_>) -> Result<()> {
    let query = page.query;
    let (text, counting) = match (query.peer, query.last) {
        (None, false) => (statements::PAGE, statements::PAGE_COUNT),
        (None, true) => (statements::PAGE_BACK, statements::PAGE_COUNT),
        (Some(_), false) => (statements::PEER_PAGE, statements::PEER_PAGE_COUNT),
        (Some(_), true) => (statements::PEER_PAGE_BACK, statements::PEER_PAGE_COUNT),
    };
    let mut values = vec![Value::Int(query.key.0)];
    values.extend(query.peer.map(Value::from));
    // One more than wanted, to see whether there is more.
    values.extend([query.from.into(), query.upto.into(), Value::Int(i64::from(query.limit) + 1)]);
    driver.query(text, &values, &mut |row| {
        let room = page.has_room();
        if room {
            page.push(message(row)?);
        }
        Ok(room)
    })?;
    if query.count {
        values.pop();
        values.push(ARCHIVE_COUNTED.into());
        page.page.count = first(driver, counting, &values, |row| row.int(0))?.map(small);
    }
    Ok(())
}

/// Fills the page with the messages that the query names; false if one of them is not there.
fn named(driver: &mut dyn Driver, page: &mut Filling<'_>) -> Result<bool> {
    let query = page.query;
    let mut ids = query.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    if query.last {
        ids.reverse();
    }
    let mut found = 0;
    for id in ids {
        let Some((peer, stanza)) = one(driver, query.key, id)? else { return Ok(false) };
        if query.peer.is_some_and(|wanted| wanted != peer) || !(query.from..=query.upto).contains(&id) {
            continue;
        }
        found += 1;
        if page.has_room() {
            page.push(Archived { id, stanza });
        }
    }
    page.page.count = query.count.then_some(found);
    Ok(true)
}

/// An archived message: its other side and its stanza.
fn one(driver: &mut dyn Driver, key: AccountKey, id: u64) -> Result<Option<(u64, Box<[u8]>)>> {
    let read = |row: &dyn Row| Ok((count(row, 0)?, bytes(row, 1)?));
    first(driver, statements::ARCHIVED, &[key.0.into(), id.into()], read)
}
