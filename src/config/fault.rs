//! What is wrong with a configuration file: where, what was found, and what to write instead.

use std::fmt;
use std::ops::Range;

/// One thing to correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// What was found, a clause in lower case.
    pub found: String,
    /// What to write instead, a clause that begins with a verb.
    pub cure: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}; {}", self.line, self.found, self.cure)
    }
}

/// Faults as they are found, and the text to count lines in.
pub(super) struct Faults<'t> {
    text: &'t str,
    list: Vec<Fault>,
}

impl<'t> Faults<'t> {
    /// None so far.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// Adds one at a place in the text.
    pub(super) fn add(&mut self, span: &Range<usize>, found: String, cure: String) {
        let line = self.line(span);
        self.list.push(Fault { line, found, cure });
    }

    /// Adds what the TOML parser says.
    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(0..0);
        let found = match error.message().split_once(", expected ") {
            Some((message, expected)) => format!("{message} (expected {expected})"),
            None => error.message().to_owned(),
        };
        let cure = if found.contains("duplicate key") {
            "keep one of the two"
        } else {
            "write `key = value`, with text in double quotes, numbers bare and lists in [ ]"
        };
        self.add(&span, found, cure.to_owned());
    }

    /// The line in which a place lies, counted from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Whether there is any.
    pub(super) fn any(&self) -> bool {
        !self.list.is_empty()
    }

    /// All of them by line; those of one line as they were found.
    pub(super) fn into_sorted(mut self) -> Vec<Fault> {
        self.list.sort_by_key(|fault| fault.line);
        self.list
    }
}
