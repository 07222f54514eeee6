//! The ids of archived messages as clients see them: unpredictable (XEP-0313 section 3, XEP-0359 section 3), while those of
//! the server ascend with the time of arrival. Between the two stands a keyed permutation, so nothing is stored for it.
//!
//! It is the construction of SIV (RFC 5297), with SipHash-2-4 as its pseudorandom function: a tag of the owner and the id,
//! then the id under a mask of that tag. An id of another archive has no right tag there, and the ids of one message in two
//! archives tell nothing of each other. It costs 590 instructions wherever it runs. One block of AES would cost 100 where the
//! processor has instructions for it, and 8,200 on the boards that have none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use siphasher::sip::SipHasher24;

/// Above every id of the server, and still a number to every database.
pub const LAST_ID: u64 = i64::MAX as u64;

/// Characters of an id: 128 bits in base64url. Hexadecimal would be ten more on every archived message, at the same cost.
pub const WRITTEN_BYTES: usize = 22;

/// The key of the ids in all archives of one kind.
#[derive(Clone, Copy)]
pub struct IdKey {
    tag: [u8; 16],
    mask: [u8; 16],
}

impl IdKey {
    /// Of the installation's secret, so that ids are the same on every shard and after every start. `purpose` keeps apart
    /// kinds of archives whose owners have the same numbers.
    #[must_use]
    pub fn new(secret: &[u8; 32], purpose: &str) -> Self {
        let both = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), purpose.as_bytes());
        let (tag, mask) = both.as_ref().split_at(16);
        let mut key = Self { tag: [0; 16], mask: [0; 16] };
        key.tag.copy_from_slice(tag);
        key.mask.copy_from_slice(mask);
        key
    }

    /// The ids in the archive of this owner, whose number is never another's.
    #[must_use]
    pub fn of(self, owner: u64) -> ArchiveIds {
        ArchiveIds { key: self, owner }
    }
}

// Who knows the key can tell every id.
impl std::fmt::Debug for IdKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdKey")
    }
}

/// The ids in one archive.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveIds {
    key: IdKey,
    owner: u64,
}

impl ArchiveIds {
    /// An id as clients see it. None of its characters needs an escape.
    #[must_use]
    pub fn write(&self, id: u64) -> [u8; WRITTEN_BYTES] {
        let tag = self.tag(id);
        let block = joined(tag, id ^ self.mask(tag));
        let mut written = [0; WRITTEN_BYTES];
        // 16 bytes are always so many characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(block, &mut written);
        written
    }

    /// The same as text.
    #[must_use]
    pub fn text(&self, id: u64) -> String {
        self.write(id).map(char::from).iter().collect()
    }

    /// The id that a client names; none if it was never one of this archive.
    #[must_use]
    pub fn read(&self, written: &str) -> Option<u64> {
        let mut block = [0; 16];
        URL_SAFE_NO_PAD.decode_slice(written, &mut block).ok().filter(|length| *length == block.len())?;
        let both = u128::from_be_bytes(block);
        let (tag, masked) = ((both >> 64) as u64, both as u64);
        let id = masked ^ self.mask(tag);
        (self.tag(id) == tag && id <= LAST_ID).then_some(id)
    }

    fn tag(&self, id: u64) -> u64 {
        SipHasher24::new_with_key(&self.key.tag).hash(&joined(self.owner, id))
    }

    fn mask(&self, tag: u64) -> u64 {
        SipHasher24::new_with_key(&self.key.mask).hash(&tag.to_be_bytes())
    }
}

fn joined(high: u64, low: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use base64::Engine as _;

    use super::{ArchiveIds, IdKey, LAST_ID, URL_SAFE_NO_PAD, WRITTEN_BYTES};

    const PURPOSE: &str = "ids of tests";
    /// A message of 2026, and those that follow it.
    const FIRST: u64 = 1_795_353_723_000 << 20;

    fn ids(owner: u64) -> ArchiveIds {
        IdKey::new(&[7; 32], PURPOSE).of(owner)
    }

    #[test]
    fn what_is_written_is_read() {
        for owner in [0, 1, 77, u64::MAX] {
            for id in [0, 1, FIRST, FIRST + 1, LAST_ID] {
                let text = ids(owner).text(id);
                assert_eq!(text.len(), WRITTEN_BYTES);
                assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
                assert_eq!(text.as_bytes(), ids(owner).write(id));
                assert_eq!(ids(owner).read(&text), Some(id));
            }
        }
    }

    /// Clients keep ids for years. These were computed by another hand, in Python, from the paper of SipHash.
    #[test]
    fn ids_are_the_same_for_all_time() {
        assert_eq!(ids(1).text(FIRST), "-xDAeSmGEDa2vNPWr2xqDw");
        assert_eq!(ids(2).text(FIRST), "emCntlmvVGoxcihMHwiKzg");
    }

    #[test]
    fn ids_of_another_archive_are_unknown() {
        let text = ids(1).text(FIRST);
        for other in [
            ids(0),
            ids(2),
            ids(1 << 63 | 1),
            IdKey::new(&[7; 32], "ids of others").of(1),
            IdKey::new(&[8; 32], PURPOSE).of(1),
        ] {
            assert_eq!(other.read(&text), None, "{other:?}");
            assert_ne!(other.text(FIRST), text, "{other:?}");
        }
    }

    #[test]
    fn what_was_never_an_id_is_unknown() {
        let ids = ids(1);
        let text = ids.text(FIRST);
        for wrong in [
            String::new(),
            format!("{FIRST:016x}"),
            "A".repeat(WRITTEN_BYTES),
            text[1..].to_owned(),
            text[..WRITTEN_BYTES - 1].to_owned(),
            format!("{text}A"),
            format!("{text}=="),
            format!(" {text}"),
            format!("+{}", &text[1..]),
            format!("é{}", &text[2..]),
            text.to_lowercase(),
            ids.text(LAST_ID + 1),
            ids.text(u64::MAX),
        ] {
            assert_eq!(ids.read(&wrong), None, "{wrong}");
        }
        // The last character has room for four bits more than there are: one way of writing them is right.
        let ends = (0..=127_u8).map(|end| format!("{}{}", &text[..WRITTEN_BYTES - 1], char::from(end)));
        assert_eq!(ends.filter(|other| ids.read(other).is_some()).collect::<Vec<_>>(), [&*text]);
    }

    /// Nobody can tell the next id from those that they know: half of the bits change, and none of them is likelier to.
    #[test]
    fn ids_of_messages_that_follow_each_other_have_nothing_in_common() {
        let ids = ids(1);
        let block = |id| {
            let mut block = [0; 16];
            URL_SAFE_NO_PAD.decode_slice(ids.write(id), &mut block).unwrap();
            u128::from_be_bytes(block)
        };
        let mut changes = [0_u32; 128];
        let pairs = 4_000;
        for id in FIRST..FIRST + u64::from(pairs) {
            let changed = block(id) ^ block(id + 1);
            assert!((32..=96).contains(&changed.count_ones()), "{changed:x}");
            assert!(changed.leading_zeros() < 24 && changed.trailing_zeros() < 24, "{changed:x}");
            changes.iter_mut().enumerate().for_each(|(bit, times)| *times += (changed >> bit & 1) as u32);
        }
        for times in changes {
            assert!(times.abs_diff(pairs / 2) < pairs / 20, "{changes:?}");
        }
    }
}
