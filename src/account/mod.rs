//! What an account is and does (RFC 6121): its roster, its subscriptions, its resources, and where its stanzas go.

pub mod availability;
pub mod delivery;
pub mod subscription;

pub mod roster;
