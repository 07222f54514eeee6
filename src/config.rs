//! The configuration, checked: what `config/wattle.toml` says.

/// Everything that an operator can set.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Domains that are served; the first is the main one.
    pub domains: Vec<Box<str>>,
}
