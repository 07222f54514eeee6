//! Whose data folder it is: a command that writes there must be run by its owner.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::fault::Fault;

/// Refuses to leave files of another user, of root above all, in a data folder: the server could not open them.
pub(super) fn refuse_others(data: &Path, command: &str) -> Result<(), Fault> {
    let Ok(folder) = fs::metadata(data) else { return Ok(()) };
    // SAFETY: geteuid(2) takes nothing and cannot fail.
    let me = unsafe { libc::geteuid() };
    if folder.uid() == me {
        return Ok(());
    }
    let what = format!("{} belongs to the user with number {}", data.display(), folder.uid());
    Err(Fault::new(what, format!("run this as that user: sudo -u '#{}' wattle {command}", folder.uid())))
}
