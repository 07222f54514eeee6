//! wattle: an XMPP server as plain state machines. This library decides; it owns no socket, file, thread,
//! clock or random number. The program in `shards/` acts.
//!
//! The modules stand in the order a stanza travels; each uses only modules above it.

pub mod limits;
pub mod ns;

pub mod jid;

pub mod xml;

pub mod stanza;

pub mod config;

pub mod store;

pub mod handoff;

pub mod input;

pub mod effect;

pub mod sasl;

pub mod account;
