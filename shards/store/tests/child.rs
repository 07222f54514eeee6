//! Starts one test of this program as a process of its own, for what a process can suffer only once.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDER: &str = "WATTLE_TEST_FOLDER";

/// The command that runs the ignored test `name` of `store::tests` on `folder`.
pub(super) fn command(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", &format!("store::tests::{name}")]);
    command.env(FOLDER, folder).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// In the child: its folder. None if somebody runs the ignored tests by hand.
pub(super) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Writes a line at once, past the capture of the test's output.
pub(super) fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}
