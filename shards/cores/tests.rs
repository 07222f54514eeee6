//! A made-up sysfs for each kind of board, and what is configured.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::PathBuf;

use wattle::config::Config;

use super::{allowed, fault, of_shards, shard_count, strong};

/// A folder that looks like [`super::SYSFS`]; it goes with this value.
struct Sysfs(PathBuf);

impl Sysfs {
    /// With the capacity of each core, none where the kernel does not tell.
    fn of(name: &str, capacities: &[Option<&str>]) -> Self {
        let folder = std::env::temp_dir().join(format!("wattle-cores-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for (core, capacity) in capacities.iter().enumerate() {
            let core = folder.join(format!("cpu{core}"));
            fs::create_dir_all(&core).unwrap();
            if let Some(capacity) = capacity {
                fs::write(core.join("cpu_capacity"), capacity).unwrap();
            }
        }
        Self(folder)
    }
}

impl Drop for Sysfs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config(server: &str) -> Config {
    Config::parse(&format!("[server]\n{server}\n")).unwrap()
}

#[test]
fn equal_cores_are_all_taken() {
    let sysfs = Sysfs::of("equal", &[Some("1024\n"); 4]);
    assert_eq!(strong(vec![0, 1, 2, 3], &sysfs.0), [0, 1, 2, 3]);
    // Only those that this process may run on.
    assert_eq!(strong(vec![1, 3], &sysfs.0), [1, 3]);
}

#[test]
fn weak_cores_are_left_to_others() {
    let (weak, strong_one) = (Some("397\n"), Some("1024\n"));
    // As on a Rock 5: four A55 first, then four A76.
    let sysfs = Sysfs::of("rock", &[weak, weak, weak, weak, strong_one, strong_one, strong_one, strong_one]);
    assert_eq!(strong((0..8).collect(), &sysfs.0), [4, 5, 6, 7]);
    // Who may run on weak ones only has no others to compare them with.
    assert_eq!(strong(vec![0, 1], &sysfs.0), [0, 1]);
    // Three kinds: what has half the strength is taken along.
    let sysfs = Sysfs::of("three", &[Some("250\n"), Some("512\n"), Some("511\n"), Some("1024\n")]);
    assert_eq!(strong((0..4).collect(), &sysfs.0), [1, 3]);
}

#[test]
fn without_capacities_all_are_taken() {
    let sysfs = Sysfs::of("silent", &[None, None]);
    assert_eq!(strong(vec![0, 1], &sysfs.0), [0, 1]);
    let sysfs = Sysfs::of("partly", &[Some("1024\n"), None, Some("what?\n")]);
    assert_eq!(strong(vec![0, 1], &sysfs.0), [0, 1]);
    assert_eq!(strong(vec![0, 2], &sysfs.0), [0, 2]);
}

#[test]
fn what_is_configured_holds() {
    assert_eq!(of_shards(&config("cores = [5, 4]")), [5, 4]);
    assert_eq!(shard_count(&config("cores = [5, 4]")), 2);
    assert_eq!(shard_count(&config("cores = [5, 4]\nshards = 3")), 3);
    assert_eq!(shard_count(&config("shards = 7")), 7);
    let auto = shard_count(&config(""));
    assert!(auto >= 1 && usize::from(auto) <= allowed().len());
}

#[test]
fn a_core_that_is_not_there_is_a_fault() {
    assert!(fault(&config("")).is_none());
    assert!(fault(&config(&format!("cores = [{}]", allowed()[0]))).is_none());
    let told = fault(&config(&format!("cores = [{}, 1023]", allowed()[0]))).unwrap().to_string();
    assert!(
        told.starts_with("server.cores has 1023, which this process may not run on; write \"auto\", or some of ["),
        "{told}"
    );
}
