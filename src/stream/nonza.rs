//! Nonzas of a logged-in stream: stream management (XEP-0198) and client state (XEP-0352).

use crate::ns;
use crate::xml::Tag;

/// What a client says beside its stanzas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nonza {
    /// `<enable/>`
    Enable {
        /// The client wants to resume.
        resume: bool,
        /// For at most so many seconds.
        max: Option<u32>,
    },
    /// `<resume/>`
    Resume {
        /// The stream management id of the earlier stream.
        previous: Box<str>,
        /// What the client handled on it.
        handled: u32,
    },
    /// `<r/>`
    Request,
    /// `<a/>`
    Acknowledge(u32),
    /// An SM nonza whose attributes are missing or wrong.
    Malformed,
    /// `<active/>`
    Active,
    /// `<inactive/>`
    Inactive,
}

impl Nonza {
    /// Reads a nonza; none if the element is something else.
    #[must_use]
    pub fn read(tag: &Tag<'_>) -> Option<Self> {
        let number = |name| tag.attribute("", name).and_then(|value| value.parse::<u32>().ok());
        Some(match (tag.namespace(), tag.name()) {
            (ns::SM, "r") => Self::Request,
            (ns::SM, "a") => number("h").map_or(Self::Malformed, Self::Acknowledge),
            (ns::SM, "enable") => {
                let resume = tag.attribute("", "resume").is_some_and(|value| value == "true" || value == "1");
                Self::Enable { resume, max: number("max") }
            }
            (ns::SM, "resume") => match (tag.attribute("", "previd"), number("h")) {
                (Some(previous), Some(handled)) => Self::Resume { previous: previous.into(), handled },
                _ => Self::Malformed,
            },
            (ns::CSI, "active") => Self::Active,
            (ns::CSI, "inactive") => Self::Inactive,
            _ => return None,
        })
    }
}
