//! wattle: an XMPP server as plain state machines. This library decides; it owns no socket, file, thread,
//! clock or random number. The program in `shards/` acts.
//!
//! The modules stand in the order a stanza travels; each uses only modules above it.

// Vocabulary.
pub mod limits;
pub mod ns;

pub mod map;

pub mod dice;

pub mod archive_id;

pub mod jid;

pub mod home;

pub mod xml;

pub mod store;

pub mod passage;

pub mod stanza;

pub mod config;

pub mod handoff;

pub mod input;

pub mod effect;

pub mod counters;

// Journey.
pub mod sasl;

pub mod stream;

pub mod session;

pub mod reading;

pub mod turn;

pub mod account;

pub mod features;

pub mod policy;

pub mod room;

pub mod shard;
