//! The executor under a shard. glommio is named in this file and nowhere else, so that another engine is a change of one file.
//!
//! Traps of glommio 0.9.0 that are lived with here: an executor can fall asleep with runnable tasks when its preemption
//! timer fires, so that timer is an hour and no task queue has a latency class; `spawn` succeeds before the executor
//! exists, so the started code reports by itself; `io_memory` is pinned three times over; a stream does not give its
//! descriptor away, so a socket moves as a duplicate.

use std::future::Future;
use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use glommio::net::{TcpListener, TcpStream};
use glommio::timer::Timer;
use glommio::{GlommioError, LocalExecutorBuilder, Placement};

/// Memory that each executor registers with the kernel; sockets do not use it. 64 KiB is the least that glommio takes.
const IO_MEMORY_BYTES: usize = 64 * 1024;
/// Entries of a ring; bursts of readiness above it are fetched in several rounds.
const RING_DEPTH: usize = 128;
/// See the head of this file.
const PREEMPT_TIMER: Duration = Duration::from_secs(3600);

/// A thread with its executor.
pub(crate) struct Running(glommio::ExecutorJoinHandle<()>);

impl Running {
    /// Waits for its end; an error if the executor could not be made or panicked.
    pub(crate) fn join(self) -> Result<(), String> {
        self.0.join().map_err(|error| error.to_string())
    }
}

/// Runs `make`'s future on a new thread with its own executor, pinned to `cpu`. That this returns says nothing about
/// whether the executor exists.
pub(crate) fn start<F: Future<Output = ()> + 'static>(
    name: &str,
    cpu: usize,
    make: impl FnOnce() -> F + Send + 'static,
) -> Result<Running, String> {
    LocalExecutorBuilder::new(Placement::Fixed(cpu))
        .name(name)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
        .preempt_timer(PREEMPT_TIMER)
        .spawn(make)
        .map(Running)
        .map_err(|error| error.to_string())
}

/// A task that ends when this is dropped.
pub(crate) struct Task {
    _task: glommio::Task<()>,
}

/// Starts a task on this executor that ends with the value that is returned.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> Task {
    Task { _task: glommio::spawn_local(future) }
}

/// Starts a task on this executor that runs to its own end.
pub(crate) fn spawn_detached(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(future).detach();
}

/// Lets every other ready task run once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits; for rare cases only, since an armed timer makes each sleep of the executor dearer.
pub(crate) async fn pause(duration: Duration) {
    Timer::new(duration).await;
}

/// A connected TCP socket on this executor.
pub(crate) struct Socket(TcpStream);

impl Socket {
    /// Takes over a connected socket.
    pub(crate) fn adopt(fd: OwnedFd) -> Self {
        // SAFETY: the descriptor is owned and open, and its ownership goes into the stream.
        Self(unsafe { TcpStream::from_raw_fd(fd.into_raw_fd()) })
    }

    /// Gives the socket away, without its interest in events on this executor.
    pub(crate) fn release(self) -> io::Result<OwnedFd> {
        // SAFETY: the stream owns the descriptor and outlives this borrow.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }.try_clone_to_owned()
    }

    /// Reads what is there into `room`, 0 at the end; else the task is woken when something is. A short read arms the next
    /// wait by itself, without another attempt to read.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, room)
    }

    /// Writes some of `bytes`; else the task is woken when it is worth another try.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    /// Writes what the socket takes at once; `WouldBlock` if that is nothing.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the pointer and length are those of a live slice; the descriptor is open while `self` lives.
        let sent = unsafe {
            libc::send(self.0.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Says to the peer that nothing more comes.
    pub(crate) fn finish(&self) {
        // SAFETY: a plain system call on a descriptor that is open while `self` lives. It fails only if the peer is gone.
        unsafe { libc::shutdown(self.0.as_raw_fd(), libc::SHUT_WR) };
    }

    /// Sends small writes at once: the shard coalesces by itself, and Nagle's wait costs 40 ms for a stanza.
    pub(crate) fn set_nodelay(&self) {
        // It fails only if the peer is gone, which the next read tells.
        let _ = self.0.set_nodelay(true);
    }
}

/// A listening socket on this executor.
pub(crate) struct Acceptor(TcpListener);

impl Acceptor {
    /// Takes over a listening socket.
    pub(crate) fn adopt(listener: StdListener) -> Self {
        // SAFETY: the descriptor is owned and open, and its ownership goes into the listener.
        Self(unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) })
    }

    /// The next connection, with its peer's address.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Option<IpAddr>)> {
        let stream = self.0.accept().await.map_err(|error| match error {
            GlommioError::IoError(error) => error,
            other => io::Error::other(other.to_string()),
        })?;
        let peer = stream.peer_addr().ok().map(|address| address.ip());
        Ok((Socket(stream), peer))
    }
}
