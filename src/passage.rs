//! What travels with a stanza inside the server and is never written: whose client waits for its acknowledgement, and the
//! sender's copy of it, which is stored together with the recipient's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::home::ShardIndex;
use crate::jid::Jid;
use crate::store::Entry;

/// A stanza of a client, once nothing is left to be stored for it (XEP-0198 section 4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// The home of the client's account.
    pub shard: ShardIndex,
    /// The client's account.
    pub account: Jid,
    /// The client's session.
    pub session: u64,
    /// Which of the session's stanzas, counted from 1 since it was bound.
    pub number: u64,
    /// The id of the message in the sender's own archive; 0 if it has no place there.
    pub copy: u64,
    /// The copy is stored.
    pub is_stored: bool,
    /// Bytes of the stanza, roughly.
    pub weight: usize,
}

#[derive(Debug)]
struct Shared {
    done: Done,
    copy: AtomicU64,
    is_stored: AtomicBool,
}

/// A share in what a client's stanza still causes. Whoever has one gives it back with [`Cause::release`], and who gives back
/// the last one tells the client's session.
#[derive(Clone, Debug)]
pub struct Cause(Arc<Shared>);

impl Cause {
    /// The first share.
    #[must_use]
    pub fn new(done: Done) -> Self {
        Self(Arc::new(Shared { done, copy: AtomicU64::new(0), is_stored: AtomicBool::new(false) }))
    }

    /// Which of the session's stanzas it is.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.done.number
    }

    /// The message has this id in the sender's archive.
    pub fn copies(&self, id: u64) {
        self.0.copy.store(id, Ordering::Relaxed);
    }

    /// The sender's copy is stored.
    pub fn stored(&self) {
        self.0.is_stored.store(true, Ordering::Relaxed);
    }

    /// Gives the share back: what to tell the session if it was the last one.
    #[must_use]
    pub fn release(self) -> Option<Done> {
        Arc::into_inner(self.0).map(|shared| Done {
            copy: shared.copy.into_inner(),
            is_stored: shared.is_stored.into_inner(),
            ..shared.done
        })
    }
}

/// The sender's copy of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    /// The sender, a bare JID.
    pub account: Jid,
    /// Its place in the sender's archive; an id of 0 if it is addressed to the sender itself, whose place at the
    /// recipient's side is enough.
    pub entry: Entry,
    /// The whole stanza as it is stored, for both sides.
    pub stanza: Arc<[u8]>,
}

/// What travels with a stanza.
#[derive(Clone, Debug, Default)]
pub struct Passage {
    /// On whose behalf.
    pub cause: Option<Cause>,
    /// Not stored yet.
    pub copy: Option<Box<Copy>>,
    /// Its sender hears that nobody gets it.
    pub is_refused: bool,
}

impl Passage {
    /// On behalf of a client's stanza.
    #[must_use]
    pub fn of(cause: Cause) -> Self {
        Self { cause: Some(cause), ..Self::default() }
    }
}

// A stanza is the same whoever waits for it.
impl PartialEq for Passage {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
