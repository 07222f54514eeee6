//! Signals of the process, waited for by one thread; nothing polls and no handler runs.

use std::io;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM or SIGINT: end in order.
    Stop,
    /// SIGHUP: read configuration and certificates again.
    Reload,
}

/// The signals that are waited for.
pub(crate) struct Signals {
    set: libc::sigset_t,
}

impl Signals {
    /// Keeps these signals from ending the process. Threads inherit that, so this comes before any other is started.
    pub(crate) fn block() -> Self {
        // SAFETY: an all-zero set is a valid value of this plain C structure, and sigemptyset fills it again.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: the pointers are to a live set, and the signal numbers are valid ones.
        unsafe {
            libc::sigemptyset(&raw mut set);
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        }
        Self { set }
    }

    /// Has one come that asks for an end, and nobody has taken it yet?
    pub(crate) fn end_is_wanted() -> bool {
        // SAFETY: an all-zero set is a valid value of this plain C structure, and sigpending fills it.
        let mut pending: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a live set, and the signal numbers are valid ones.
        unsafe {
            libc::sigpending(&raw mut pending);
            libc::sigismember(&raw const pending, libc::SIGTERM) == 1
                || libc::sigismember(&raw const pending, libc::SIGINT) == 1
        }
    }

    /// Sleeps until one comes.
    ///
    /// # Errors
    ///
    /// None that is known: the system call takes any valid set.
    pub(crate) fn wait(&self) -> io::Result<Signal> {
        let mut signal = 0;
        loop {
            // SAFETY: both pointers are to live values.
            match unsafe { libc::sigwait(&raw const self.set, &raw mut signal) } {
                0 if signal == libc::SIGHUP => return Ok(Signal::Reload),
                0 => return Ok(Signal::Stop),
                libc::EINTR => {}
                error => return Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
}
