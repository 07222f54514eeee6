//! A session as it is stored, so that its client can come back to it after the server was not there (XEP-0198 section 5).

/// One session that may be resumed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSession {
    /// Its number within the account; free for another when it has ended.
    pub number: u8,
    /// Everything in the archive up to this id is told by `state`; what came later has a trace of this session if it
    /// concerns it.
    pub floor: u64,
    /// In the words of `session/snapshot.rs`; opaque to the store.
    pub state: Box<[u8]>,
}
