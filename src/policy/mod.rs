//! What happens to a stanza at an account's door, on the way out and on the way in: the features act in the order of
//! their table, then one rule names what becomes of it.

pub mod incoming;
pub mod management;
pub mod outgoing;
pub mod presence;
pub mod requests;
pub mod restoring;
pub mod saving;
pub mod sessions;
