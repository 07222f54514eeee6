//! How long commits take, in buckets that double in four steps: a percentile is at most a quarter too high.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Up to 2^32 us, which is more than an hour.
const BUCKETS: usize = 31 * 4;

/// Times that were taken, without their order.
pub(super) struct Percentiles([AtomicU64; BUCKETS]);

impl Default for Percentiles {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Percentiles {
    pub(super) fn add(&self, us: u64) {
        self.0[bucket(us)].fetch_add(1, Relaxed);
    }

    /// The time that so many of a hundred did not exceed; 0 if there are none.
    pub(super) fn at(&self, percent: u64) -> u64 {
        let counts = self.0.each_ref().map(|count| count.load(Relaxed));
        let wanted = (counts.iter().sum::<u64>() * percent).div_ceil(100);
        let mut seen = 0;
        let found = counts.iter().position(|count| {
            seen += count;
            wanted > 0 && seen >= wanted
        });
        found.map_or(0, highest)
    }
}

/// Those below 4 have one each.
fn bucket(us: u64) -> usize {
    let us = us.clamp(1, u64::from(u32::MAX));
    let doublings = us.ilog2().max(2);
    let quarter = (us >> (doublings - 2)) as usize;
    (doublings as usize - 2) * 4 + quarter
}

fn highest(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (doublings, quarter) = (bucket / 4 - 1, bucket % 4 + 4);
    ((quarter as u64 + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::{Percentiles, bucket, highest};

    #[test]
    fn a_bucket_holds_what_it_says() {
        let mut before = None;
        for us in (1..5_000).chain([65_535, 65_536, 1 << 31, u64::from(u32::MAX)]) {
            let top = highest(bucket(us));
            assert!(us <= top && top <= us + us / 4, "{us} is in the bucket up to {top}");
            assert!(before.is_none_or(|before| before <= top));
            before = Some(top);
        }
        assert_eq!(bucket(u64::MAX), super::BUCKETS - 1);
        assert_eq!(bucket(0), 1);
    }

    #[test]
    fn percentiles_are_found() {
        let times = Percentiles::default();
        assert_eq!((times.at(50), times.at(99)), (0, 0));
        (0..98).for_each(|_| times.add(100));
        assert_eq!((times.at(50), times.at(99)), (111, 111));
        (0..2).for_each(|_| times.add(30_000));
        assert_eq!((times.at(50), times.at(98), times.at(99)), (111, 111, 32_767));
    }
}
