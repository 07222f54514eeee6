//! The server under simulation: four shards in one thread, many clients, everything that happens chosen by one seed.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../world/mod.rs"]
mod world;

mod basics;
