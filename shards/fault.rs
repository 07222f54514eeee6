//! What keeps the server from running, in two sentences for the operator: what was found, and what cures it.

use std::fmt;

/// One fault of the system, the files or the configuration around the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What was found.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) cure: String,
}

impl Fault {
    /// Both sentences, without capital and full stop.
    pub(crate) fn new(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { what: what.into(), cure: cure.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.cure)
    }
}
