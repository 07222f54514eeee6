//! What one shard hands to another: owned values, few kinds, in order for each sender.

use crate::jid::Jid;
use crate::stanza::Stanza;

/// Index of a shard, `0..count`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ShardIndex(pub u16);

impl ShardIndex {
    /// The home of an address among `count` shards: everything of one bare JID lives on one shard.
    ///
    /// It is the same on every machine and in every run, for all time: 64-bit FNV-1a over the bytes of the bare JID, mixed
    /// with the finaliser of `SplitMix64` (FNV alone leaves the high bits of short texts uneven), and the high half of its
    /// product with `count`.
    ///
    /// # Panics
    /// If `count` is 0.
    #[must_use]
    pub fn home(address: &Jid, count: u16) -> Self {
        assert!(count > 0, "a server has a shard");
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in address.bare_str().bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        let index = (u128::from(hash) * u128::from(count)) >> 64;
        // Below `count`, so it fits.
        Self(u16::try_from(index).unwrap_or_default())
    }
}

/// A value for the home shard of an address.
#[derive(Debug)]
pub enum Handoff {
    /// A stanza whose `to` lives on the receiving shard.
    Stanza(Box<Stanza>),
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
