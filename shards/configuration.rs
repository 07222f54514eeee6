//! Finds the configuration file and reads it, at start and again on request.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wattle::config::Config;

use crate::fault::Fault;

/// Looked for in this order if none is named.
pub(crate) const PLACES: [&str; 2] = ["./wattle.toml", "/etc/wattle/wattle.toml"];

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// There is none.
    Defaults,
}

impl Source {
    /// The file that was named, or the first of [`PLACES`] that is there.
    pub(crate) fn find(named: Option<&Path>) -> Self {
        match named {
            Some(path) => Self::File(path.to_owned()),
            None => PLACES
                .iter()
                .map(Path::new)
                // What is there but cannot be read is a fault, not a reason to serve something else.
                .find(|path| path.symlink_metadata().is_ok())
                .map_or(Self::Defaults, |path| Self::File(path.to_owned())),
        }
    }

    /// Reads it, or reads it again.
    ///
    /// # Errors
    /// All faults at once.
    pub(crate) fn read(&self) -> Result<Arc<Config>, Vec<Fault>> {
        let Self::File(path) = self else { return Ok(Arc::default()) };
        let name = path.display();
        let bytes = fs::read(path).map_err(|error| {
            vec![Fault::new(
                format!("{name} cannot be read: {error}"),
                "name a file that this user can read with --config FILE",
            )]
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
            vec![Fault::new(format!("{name} line {line}: this is not UTF-8"), "save the file as UTF-8")]
        })?;
        Config::parse(&text).map(Arc::new).map_err(|faults| {
            faults
                .into_iter()
                .map(|fault| Fault::new(format!("{name} line {}: {}", fault.line, fault.found), fault.cure))
                .collect()
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Defaults => write!(f, "none at {} or {}, so the defaults", PLACES[0], PLACES[1]),
        }
    }
}
