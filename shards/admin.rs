//! The operator's door: a local socket on which the command line asks the running server, one JSON object a line.

pub(crate) mod accounts;
pub(crate) mod client;
pub(crate) mod desk;
pub(crate) mod pending;
mod process;
pub(crate) mod rooms;
pub(crate) mod socket;
pub(crate) mod words;
