//! The archive of messages (XEP-0313): what goes into it, and how its owner reads it.

pub mod rules;
#[cfg(test)]
mod tests;
