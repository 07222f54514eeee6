//! The last events of a story, for whoever must find out what went wrong.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::Story;

/// Lines that a failure shows.
const TRACE: usize = 120;

impl Story {
    pub(crate) fn note(&self, line: String) {
        push(&self.trace, format!("{:6} {:8}ms {line}", self.step, self.world.now.mono_ms));
    }
}

/// One more line of the trace.
pub(super) fn push(trace: &RefCell<VecDeque<String>>, line: String) {
    let mut trace = trace.borrow_mut();
    if trace.len() == TRACE && std::env::var_os("WATTLE_SIM_SEED").is_none() {
        trace.pop_front();
    }
    trace.push_back(line);
}

pub(super) fn short(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}
