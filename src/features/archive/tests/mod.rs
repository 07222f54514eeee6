//! The archive without a server: what is stored, and how pages are put together.
#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

mod page;
mod retraction;
mod rules;
