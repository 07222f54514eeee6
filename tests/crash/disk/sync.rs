//! Stands between a server under test and its disk, as a library that is loaded before the C library: a sync of a file takes
//! as long as on a slow card, and leaves a copy of the file as a disk has it that loses everything else with the power.

use std::ffi::{OsStr, c_int, c_long};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use std::{env, fs, io, thread};

#[cfg(target_arch = "x86_64")]
const CALLS: [c_long; 2] = [74, 75];
#[cfg(target_arch = "aarch64")]
const CALLS: [c_long; 2] = [82, 83];

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// The C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    sync(CALLS[0], file)
}

/// The C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    sync(CALLS[1], file)
}

fn sync(call: c_long, file: c_int) -> c_int {
    if let Some(ms) = env::var("SYNC_MS").ok().and_then(|ms| ms.parse().ok()) {
        thread::sleep(Duration::from_millis(ms));
    }
    // SAFETY: the call takes one descriptor, and says so of one that it does not take.
    let outcome = unsafe { syscall(call, file) } as c_int;
    if outcome == 0
        && let Some(folder) = env::var_os("SYNC_COPIES")
    {
        keep(file, Path::new(&folder));
    }
    outcome
}

/// Copies the file; nobody finds half a copy. With it goes to the disk, as on any file system with a journal, which of its
/// neighbours are no more.
fn keep(file: c_int, folder: &Path) {
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let Ok(path) = fs::read_link(format!("/proc/self/fd/{file}")) else { return };
    let (Some(name), Some(neighbours)) = (path.file_name().filter(|_| path.is_file()), path.parent()) else { return };
    let _guard = ONE_BY_ONE.lock();
    if copy(&path, folder, name).and_then(|()| forget(folder, neighbours)).is_err() {
        std::process::abort();
    }
}

fn copy(path: &Path, folder: &Path, name: &OsStr) -> io::Result<()> {
    let half = folder.join("half");
    fs::create_dir_all(folder)?;
    fs::copy(path, &half)?;
    fs::rename(&half, folder.join(name))
}

fn forget(folder: &Path, neighbours: &Path) -> io::Result<()> {
    for kept in fs::read_dir(folder)? {
        let kept = kept?;
        if !neighbours.join(kept.file_name()).exists() {
            fs::remove_file(kept.path())?;
        }
    }
    Ok(())
}
