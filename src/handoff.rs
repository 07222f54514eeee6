//! What one shard hands to another: owned values, few kinds, in order for each sender.

use crate::jid::Jid;
use crate::passage::Done;
use crate::stanza::Stanza;

/// A value for the home shard of an address.
#[derive(Debug)]
pub enum Handoff {
    /// A stanza whose `to` lives on the receiving shard.
    Stanza(Box<Stanza>),
    /// Everything is stored that a stanza of the receiving shard's client caused, or has failed.
    Done(Box<Done>),
    /// An account is gone: whoever takes its name later is nothing to the rooms of the receiving shard.
    Gone(Jid),
}

/// A connection that was authenticated and now moves to the home shard of its account. The program sends the
/// socket and its TLS state along; this is what the decision side needs to go on.
///
/// Invariant: the stream restarts after SASL success (RFC 6120 section 6.3.2), so no parser state travels, only the
/// bytes that were received behind the last nonza.
#[derive(Debug)]
pub struct Arrival {
    /// The authenticated account, a bare JID.
    pub account: Jid,
    /// Decrypted bytes not yet scanned.
    pub leftover: Vec<u8>,
}
