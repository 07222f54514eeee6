//! Keeps the questions of one shard about one account or room in order although two threads carry them out, and counts how many
//! of a shard's questions wait.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use wattle::limits;
use wattle::store::Question;

/// Those that share a slot only share their order, so a collision costs a little time and nothing else.
const SLOTS: usize = 4096;

// A slot's counters hold every question that may wait.
const _: () = assert!(limits::STORE_QUESTIONS <= u16::MAX as usize);

/// What one shard waits for.
pub(super) struct Lane {
    waiting: AtomicUsize,
    slots: Box<[Slot]>,
}

/// Questions about the accounts of one slot that wait at each of the two threads, until their answer was delivered.
///
/// Invariant: while one waits at the reader, all later ones go to the reader too, and it passes on, in order, what must
/// be written or must follow a write. So nobody overtakes: neither a read the write before it, nor a write the read.
#[derive(Default)]
pub(super) struct Slot {
    reading: AtomicU16,
    writing: AtomicU16,
}

/// One of the two threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Worker {
    Reader,
    Writer,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self { waiting: AtomicUsize::new(0), slots: (0..SLOTS).map(|_| Slot::default()).collect() }
    }

    /// Counts a question in, unless the shard has as many as it may.
    pub(super) fn enter(&self) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < limits::STORE_QUESTIONS {
            return true;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// Which slot is about the question's account?
    pub(super) fn slot_of(question: &Question) -> u16 {
        let mut hasher = DefaultHasher::new();
        account(question).hash(&mut hasher);
        (hasher.finish() % SLOTS as u64) as u16
    }

    pub(super) fn slot(&self, slot: u16) -> &Slot {
        &self.slots[usize::from(slot)]
    }

    /// After the answer was delivered.
    pub(super) fn leave(&self, slot: u16, worker: Worker) {
        self.slot(slot).counter(worker).fetch_sub(1, Ordering::Release);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    /// Who must get the next question of this slot? For the shard itself.
    pub(super) fn enter(&self, writes: bool) -> Worker {
        let worker = if self.reading.load(Ordering::Acquire) == 0 && self.must_write(writes) {
            Worker::Writer
        } else {
            Worker::Reader
        };
        self.counter(worker).fetch_add(1, Ordering::Relaxed);
        worker
    }

    /// For the reader, when everything before this question is delivered: must it be passed on?
    pub(super) fn must_write(&self, writes: bool) -> bool {
        writes || self.writing.load(Ordering::Acquire) > 0
    }

    /// For the reader: passes a question on with `push`, so that whoever sees it gone here finds it there.
    pub(super) fn pass_on(&self, push: impl FnOnce()) {
        self.writing.fetch_add(1, Ordering::Relaxed);
        push();
        self.reading.fetch_sub(1, Ordering::Release);
    }

    fn counter(&self, worker: Worker) -> &AtomicU16 {
        match worker {
            Worker::Reader => &self.reading,
            Worker::Writer => &self.writing,
        }
    }
}

/// Does carrying it out change the store?
pub(super) fn writes(question: &Question) -> bool {
    !matches!(
        question,
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
            | Question::ListAllRooms { .. }
    )
}

/// The account or room in question; empty for a question about all.
fn account(question: &Question) -> &str {
    match question {
        Question::ListAccounts { .. }
        | Question::ListSessions { .. }
        | Question::ListRooms { .. }
        | Question::ListAllRooms { .. } => "",
        Question::Keep(keep) => keep.account.bare_str(),
        Question::ReadArchive(query) => query.account.bare_str(),
        Question::Credentials { account }
        | Question::Account { account }
        | Question::CreateAccount { account, .. }
        | Question::SetVerifiers { account, .. }
        | Question::RemoveAccount { account }
        | Question::SaveRosterItem { account, .. }
        | Question::RemoveRosterItem { account, .. }
        | Question::SaveRequest { account, .. }
        | Question::RemoveRequest { account, .. }
        | Question::KeepWaiting { account, .. }
        | Question::ReadWaiting { account, .. }
        | Question::EndWaiting { account, .. }
        | Question::ArchiveEnds { account, .. }
        | Question::PurgeArchive { account, .. }
        | Question::Replace { account, .. }
        | Question::SavePreferences { account, .. }
        | Question::SetClass { account, .. }
        | Question::SetRetention { account, .. }
        | Question::ClearRetention { account }
        | Question::SaveSession { account, .. }
        | Question::DropSession { account, .. }
        | Question::ReadPrivate { account, .. }
        | Question::SavePrivate { account, .. }
        | Question::ReadVcard { account }
        | Question::SaveVcard { account, .. }
        | Question::Block { account, .. }
        | Question::Unblock { account, .. }
        | Question::SaveLast { account, .. } => account.bare_str(),
        Question::Room { room, .. }
        | Question::CreateRoom { room, .. }
        | Question::SaveRoom { room, .. }
        | Question::SaveSubject { room, .. }
        | Question::SaveMembers { room, .. }
        | Question::SaveOccupant { room, .. }
        | Question::DropOccupants { room, .. }
        | Question::RemoveRoom { room } => room.bare_str(),
    }
}

/// Bytes that a question asks to store, for bounding a transaction; short texts do not count.
pub(super) fn weight(question: &Question) -> usize {
    match question {
        Question::Keep(keep) => keep.entries.iter().map(|entry| entry.trace.len() + keep.stanza.len()).sum(),
        Question::Replace { stanza, .. } => stanza.len(),
        Question::SaveSession { session, .. } => session.state.len(),
        Question::SaveRequest { request, .. } => request.stanza.len(),
        Question::SavePrivate { xml, .. } | Question::SaveVcard { xml, .. } => xml.len(),
        Question::CreateRoom { setup, .. } | Question::SaveRoom { setup, .. } => setup.settings.len(),
        Question::SaveSubject { subject, .. } => subject.len(),
        Question::SaveMembers { members, .. } => {
            members.iter().map(|member| member.reason.as_ref().map_or(0, |r| r.len())).sum()
        }
        _ => 0,
    }
}
