//! What an account is and does (RFC 6121): its roster, its subscriptions, and where its stanzas go.

pub mod delivery;
pub mod subscription;
