//! Which of the machine's cores the shards take.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use wattle::config::{Config, Cores, Shards};

use crate::fault::Fault;

/// Where the kernel tells how strong each core is, the strongest of the machine being 1024.
const SYSFS: &str = "/sys/devices/system/cpu";

/// The cores that shards are pinned to: one shard each, and again from the first if there are more shards.
pub(crate) fn of_shards(config: &Config) -> Vec<usize> {
    match &config.server.cores {
        Cores::These(cores) => cores.iter().map(|core| usize::from(*core)).collect(),
        Cores::Auto => strong(allowed(), Path::new(SYSFS)),
    }
}

/// How many shards this configuration starts here.
pub(crate) fn shard_count(config: &Config) -> u16 {
    let count = match (config.server.shards, &config.server.cores) {
        (Shards::Count(count), _) => return count,
        (Shards::Auto, Cores::These(cores)) => cores.len(),
        // The system may grant less than whole cores (cgroups); more shards than that would only wait for each other.
        (Shards::Auto, Cores::Auto) => {
            let granted = std::thread::available_parallelism().map_or(1, Into::into);
            of_shards(config).len().min(granted)
        }
    };
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// Cores that were asked for and are not to be had.
pub(crate) fn fault(config: &Config) -> Option<Fault> {
    let allowed = allowed();
    let missing = of_shards(config).into_iter().find(|core| !allowed.contains(core))?;
    let had: Vec<_> = allowed.iter().map(usize::to_string).collect();
    Some(Fault::new(
        format!("server.cores has {missing}, which this process may not run on"),
        format!("write \"auto\", or some of [{}]", had.join(", ")),
    ))
}

/// The cores that this process may run on.
pub(crate) fn allowed() -> Vec<usize> {
    // SAFETY: an all-zero set is a valid value of this plain C structure.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live structure of the given size.
    let failed = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) } != 0;
    // SAFETY: the index is below the set's size.
    let cores: Vec<usize> =
        (0..libc::CPU_SETSIZE as usize).filter(|core| !failed && unsafe { libc::CPU_ISSET(*core, &set) }).collect();
    if cores.is_empty() { vec![0] } else { cores }
}

/// Of `cores` those with at least half the strength of the strongest; all if the kernel does not tell.
///
/// Accounts are spread evenly over the shards, so the weakest core is full first and the others wait for it. On a board with
/// two kinds of cores the weak ones are left to the store, to hashing and to the kernel.
fn strong(cores: Vec<usize>, sysfs: &Path) -> Vec<usize> {
    let strength = |core: &usize| -> Option<u32> {
        fs::read_to_string(sysfs.join(format!("cpu{core}/cpu_capacity"))).ok()?.trim().parse().ok()
    };
    let Some(strengths) = cores.iter().map(strength).collect::<Option<Vec<_>>>() else { return cores };
    let strongest = strengths.iter().copied().max().unwrap_or(0);
    let mut strengths = strengths.into_iter();
    cores.into_iter().filter(|_| strengths.next().is_some_and(|strength| strength >= strongest.div_ceil(2))).collect()
}
