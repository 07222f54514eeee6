//! What the machine must offer, looked at before the start: each fault with its cure, all at once.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use wattle::config::Config;

use crate::fault::Fault;
use crate::{cores, listen};

/// Locked memory for one executor: three registrations of 64 KiB, and its rings where the kernel counts them too.
const MEMLOCK_SHARD_BYTES: u64 = 256 * 1024;
/// glommio refuses to start below this, whoever asks.
const MEMLOCK_BYTES: u64 = 512 * 1024;
/// Descriptors of one shard that are no connection, and of the rest of the program.
const FILES_SHARD: u64 = 16;
const FILES_PROGRAM: u64 = 64;
/// Fewer connections than this are taken for a mistake in the set-up.
const FILES_CONNECTIONS: u64 = 128;

/// Keeps the allocator's memory in small pages: with huge ones a server at rest holds 14 MB more that it never uses.
pub(crate) extern "C" fn refuse_huge_pages() {
    // SAFETY: a plain system call without pointers. If it fails, the process is merely larger.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// How many connections one shard may hold, within the limit of open files.
pub(crate) fn connections_per_shard(shards: u16) -> usize {
    let (soft, _) = limit(libc::RLIMIT_NOFILE);
    let left = soft.saturating_sub(FILES_PROGRAM + FILES_SHARD * u64::from(shards));
    usize::try_from(left / u64::from(shards.max(1))).unwrap_or(usize::MAX)
}

/// Raises the soft limits that wattle lives by to the hard ones.
pub(crate) fn raise_limits() {
    for resource in [libc::RLIMIT_NOFILE, libc::RLIMIT_MEMLOCK] {
        let (_, hard) = limit(resource);
        let wanted = libc::rlimit { rlim_cur: hard, rlim_max: hard };
        // SAFETY: the pointer is to a live structure. If it fails, the check of what is left says so.
        unsafe { libc::setrlimit(resource, &raw const wanted) };
    }
}

/// Everything about this machine that keeps `config` from being served, after the soft limits were raised.
pub(crate) fn faults(config: &Config) -> Vec<Fault> {
    raise_limits();
    let shards = u64::from(cores::shard_count(config));
    let mut faults: Vec<Fault> = io_uring_fault().into_iter().collect();
    let needed = MEMLOCK_BYTES.max(shards * MEMLOCK_SHARD_BYTES);
    let (memlock, _) = limit(libc::RLIMIT_MEMLOCK);
    if memlock < needed {
        faults.push(Fault::new(
            format!(
                "{} KiB of memory may be locked (RLIMIT_MEMLOCK), and {shards} shards need {} KiB",
                memlock / 1024,
                needed / 1024
            ),
            "set LimitMEMLOCK=8M in the service's unit, or `ulimit -l 8192` in the shell",
        ));
    }
    let (files, _) = limit(libc::RLIMIT_NOFILE);
    let needed = FILES_PROGRAM + FILES_SHARD * shards + FILES_CONNECTIONS;
    if files < needed {
        faults.push(Fault::new(
            format!("{files} files may be open (RLIMIT_NOFILE), and {shards} shards need {needed} at least, and one more for each connection"),
            "set LimitNOFILE=100000 in the service's unit, or `ulimit -n 100000` in the shell",
        ));
    }
    faults.extend(cores::fault(config));
    faults.extend(folder_fault(&config.server.data));
    faults.extend(
        config.listen.client.iter().chain(&config.listen.client_tls).filter_map(|address| listen::fault_at(*address)),
    );
    faults
}

fn limit(resource: libc::__rlimit_resource_t) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live structure; on failure it keeps its zeros, which the checks take for too little.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

fn io_uring_fault() -> Option<Fault> {
    /// Kernel 5.7: a poll that the kernel waits for by itself.
    const FAST_POLL: u32 = 1 << 5;
    const PARAMS_BYTES: usize = 120;
    const FEATURES_AT: usize = 20;
    let mut params = [0_u8; PARAMS_BYTES];
    // SAFETY: the kernel reads and fills `struct io_uring_params`, which has this size, and its zeros ask for defaults.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, params.as_mut_ptr()) };
    if fd >= 0 {
        // SAFETY: the descriptor was just opened and is used by nothing else.
        unsafe { libc::close(i32::try_from(fd).unwrap_or(-1)) };
        let features = params.get(FEATURES_AT..FEATURES_AT + 4)?;
        let features = u32::from_ne_bytes(features.try_into().ok()?);
        return (features & FAST_POLL == 0).then(|| {
            Fault::new(
                "this kernel's io_uring is too old",
                "install Linux 5.8 or newer (every distribution since 2021 has it)",
            )
        });
    }
    let error = io::Error::last_os_error();
    let cure = match error.raw_os_error() {
        Some(libc::ENOSYS) => {
            "run Linux 5.8 or newer with CONFIG_IO_URING; in a container, use a seccomp profile that allows io_uring"
        }
        Some(libc::EPERM | libc::EACCES) => {
            "allow it: `sysctl kernel.io_uring_disabled=0`; in a container, use a seccomp profile that allows io_uring"
        }
        Some(libc::ENOMEM) => {
            "raise RLIMIT_MEMLOCK: LimitMEMLOCK=8M in the service's unit, or `ulimit -l 8192` in the shell"
        }
        _ => "see `dmesg` for the kernel's reason",
    };
    Some(Fault::new(format!("io_uring, which the executors of the shards need, is not available: {error}"), cure))
}

fn folder_fault(data: &Path) -> Option<Fault> {
    let mut folder = if data.as_os_str().is_empty() { Path::new(".") } else { data };
    while !folder.exists() {
        folder = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: the pointer is to a live C string.
    let denied = unsafe { libc::access(path.as_ptr(), libc::W_OK | libc::X_OK) } != 0;
    if folder.is_dir() && !denied {
        return None;
    }
    let why = if folder.is_dir() { "is not writable" } else { "is not a folder" };
    Some(Fault::new(
        format!("the data folder {} cannot be used: {} {why}", data.display(), folder.display()),
        "give it to the user that wattle runs as (`chown`), or configure another `data` folder",
    ))
}
