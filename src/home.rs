//! Every address has a home: the shard on which everything of its account lives.

use crate::jid::Jid;

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::{Jid, ShardIndex};

    fn home(address: &str, count: u16) -> u16 {
        ShardIndex::home(&Jid::parse(address).unwrap(), count).0
    }

    #[test]
    fn homes_are_the_same_for_all_time() {
        assert_eq!(home("juliet@example.com", 4), 1);
        assert_eq!(home("romeo@example.net", 4), 3);
        assert_eq!(home("example.com", 4), 1);
        assert_eq!(home("juliet@example.com", u16::MAX), 31448);
    }

    #[test]
    fn the_resource_makes_no_difference() {
        assert_eq!(home("juliet@example.com/balcony", 1000), home("juliet@example.com", 1000));
    }

    #[test]
    fn one_shard_is_home_to_all() {
        assert_eq!(home("juliet@example.com", 1), 0);
    }

    #[test]
    fn accounts_spread_evenly() {
        for count in [2, 3, 4, 7, 16] {
            let mut homes = vec![0_u32; usize::from(count)];
            for user in 0..10_000 {
                homes[usize::from(home(&format!("user{user}@example.com"), count))] += 1;
            }
            let fair = 10_000 / u32::from(count);
            for accounts in homes {
                assert!(accounts.abs_diff(fair) < fair / 5, "{accounts} of a fair {fair}, {count} shards");
            }
        }
    }
}
