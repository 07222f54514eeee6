//! Stored messages: how they become rows, and how those go again.

use wattle::store::{AccountKey, Answer, Entry, Keep, Uses};

use super::driver::{Driver, EntryRow, MessageRow, Result, all, first};
use super::statements;

const ARCHIVED: i64 = 1;
const WAITS: i64 = 2;

/// What a row's flags say.
pub(super) fn uses(flags: i64) -> Uses {
    Uses { archived: flags & ARCHIVED != 0, waits: flags & WAITS != 0 }
}

/// Gives messages their numbers: ascending, so that what comes together lies together.
pub(super) struct Messages {
    newest: i64,
    /// A removed account or room left messages, which the sweep shall take.
    pub(super) left_over: bool,
}

impl Messages {
    pub(super) fn load(driver: &mut dyn Driver) -> Result<Self> {
        let newest = first(driver, statements::NEWEST_MESSAGE, &[], |row| row.maybe_int(0))?;
        Ok(Self { newest: newest.flatten().unwrap_or_default(), left_over: false })
    }

    /// One that is not used leaves a gap.
    fn next(&mut self) -> i64 {
        self.newest += 1;
        self.newest
    }
}

/// Messages on their way into the store, which need few statements together.
#[derive(Default)]
pub(super) struct Keeping<'a> {
    messages: Vec<MessageRow<'a>>,
    entries: Vec<EntryRow<'a>>,
}

impl<'a> Keeping<'a> {
    pub(super) fn push(&mut self, numbers: &mut Messages, keep: &'a Keep) {
        let message = numbers.next();
        self.messages.push(MessageRow { id: message, entries: keep.entries.len() as i64, stanza: &keep.stanza });
        self.entries.extend(keep.entries.iter().map(|entry| row(entry, message)));
    }

    /// Stores them all; false if some entries were there already, so that the counts are not right.
    pub(super) fn flush(&mut self, driver: &mut dyn Driver) -> Result<bool> {
        if self.messages.is_empty() {
            return Ok(true);
        }
        // Entries of one account lie side by side.
        self.entries.sort_unstable_by_key(|entry| (entry.account, entry.id));
        let right = driver.keep(&self.messages, &self.entries)?;
        self.messages.clear();
        self.entries.clear();
        Ok(right)
    }
}

fn row(entry: &Entry, message: i64) -> EntryRow<'_> {
    EntryRow {
        account: entry.key.0,
        id: entry.id.cast_signed(),
        peer: entry.peer.cast_signed(),
        flags: i64::from(entry.uses.archived) * ARCHIVED + i64::from(entry.uses.waits) * WAITS,
        trace: &entry.trace,
        message,
    }
}

/// Stores one message, of which some entries may be there already.
pub(super) fn keep(driver: &mut dyn Driver, numbers: &mut Messages, keep: &Keep) -> Result<Answer> {
    let message = numbers.next();
    let mut entries = 0;
    for entry in &keep.entries {
        entries += driver.change(statements::ENTRY, &row(entry, message).values())?.cast_signed();
    }
    if entries > 0 {
        driver.later(statements::MESSAGE, &MessageRow { id: message, entries, stanza: &keep.stanza }.values())?;
    }
    Ok(Answer::Done)
}

/// Gives one account's entry a stanza of its own; other accounts keep theirs.
pub(super) fn replace(
    driver: &mut dyn Driver,
    numbers: &mut Messages,
    key: AccountKey,
    id: u64,
    stanza: &[u8],
) -> Result<Answer> {
    let before = first(driver, statements::MESSAGE_OF, &[key.0.into(), id.into()], |row| row.int(0))?;
    let Some(before) = before else { return Ok(Answer::Missing) };
    release(driver, &[before])?;
    let message = numbers.next();
    driver.later(statements::MESSAGE, &MessageRow { id: message, entries: 1, stanza }.values())?;
    driver.later(statements::REPLACE, &[message.into(), key.0.into(), id.into()])?;
    Ok(Answer::Done)
}

/// Removes what no session needs any more.
pub(super) fn forget(driver: &mut dyn Driver, key: AccountKey, upto: u64) -> Result<()> {
    let messages = all(driver, statements::FORGET, &[key.0.into(), upto.into()], |row| row.int(0))?;
    release(driver, &messages)
}

/// Removes entries by a statement that takes an owner, the last id and how many at most; says how many it were.
pub(super) fn remove(
    driver: &mut dyn Driver,
    text: &'static str,
    key: AccountKey,
    upto: u64,
    limit: u32,
) -> Result<u64> {
    let messages = all(driver, text, &[key.0.into(), upto.into(), limit.into()], |row| row.int(0))?;
    release(driver, &messages)?;
    Ok(messages.len() as u64)
}

/// Counts entries off their messages, which go with the last.
fn release(driver: &mut dyn Driver, messages: &[i64]) -> Result<()> {
    for message in messages {
        if driver.is_far() {
            // The second finds nothing if the first did, which is cheaper than to ask.
            driver.later(statements::REMOVE_MESSAGE, &[(*message).into()])?;
            driver.later(statements::RELEASE_MESSAGE, &[(*message).into()])?;
        } else if driver.change(statements::REMOVE_MESSAGE, &[(*message).into()])? == 0 {
            driver.later(statements::RELEASE_MESSAGE, &[(*message).into()])?;
        }
    }
    Ok(())
}
