//! Waiting for sockets, listeners and the doorbell of one shard: epoll, one system call for each sleep.
//!
//! Measured against glommio 0.9.0's reactor on the same machine: see the line of glommio in `Cargo.toml`.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use wattle::input::Conn;

/// Events fetched at once. The kernel hands out what is left in the next turn, the longest waiting first.
const EVENTS: usize = 256;
/// The longest sleep with a timeout: the older form of the system call counts milliseconds in 31 bits.
const SLEEP_MS: u64 = 24 * 3_600_000;
/// What the kernel gives back for the doorbell. Connections count from 0 and never come near.
const DOORBELL: u64 = u64::MAX;
/// And for the first listener, the next ones below.
const LISTENERS: u64 = DOORBELL - 1;
/// The most listeners.
const LISTENERS_MOST: u64 = 1 << 16;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A connection has bytes, an end or a fault to read; or room to write, or a fault that writing tells.
    Connection { conn: Conn, readable: bool, writable: bool },
    /// Connections wait to be accepted.
    Listener(usize),
    /// Somebody rang.
    Doorbell,
}

/// Where the kernel puts what happened.
pub(crate) struct Events(Vec<epoll::Event>);

impl Events {
    /// Room for one turn.
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(EVENTS))
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.0.iter().map(|event| match event.data.u64() {
            DOORBELL => Event::Doorbell,
            word if word > LISTENERS - LISTENERS_MOST => {
                Event::Listener(usize::try_from(LISTENERS - word).unwrap_or(usize::MAX))
            }
            word => {
                let flags = event.flags;
                // A fault or the end of both directions is told whether it was asked for or not.
                let broken = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
                Event::Connection {
                    conn: Conn(word),
                    readable: broken || flags.contains(epoll::EventFlags::IN),
                    writable: broken || flags.contains(epoll::EventFlags::OUT),
                }
            }
        })
    }
}

/// What one shard waits for.
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Sleeps until something happens, or for so many milliseconds at most; forever for none.
    ///
    /// # Errors
    /// None that is known: the descriptor is a live epoll, and an interruption counts as nothing happened.
    pub(crate) fn wait(&self, events: &mut Events, timeout_ms: Option<u64>) -> io::Result<()> {
        events.0.clear();
        let timeout = timeout_ms.map(|ms| {
            let ms = ms.min(SLEEP_MS).cast_signed();
            Timespec { tv_sec: ms / 1_000, tv_nsec: ms % 1_000 * 1_000_000 }
        });
        match epoll::wait(&self.epoll, spare_capacity(&mut events.0), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Wakes at each ring of `doorbell` from now on, and at once if it was rung before.
    ///
    /// # Errors
    /// No memory is left.
    pub(crate) fn hear(&self, doorbell: &Eventfd) -> io::Result<()> {
        // Told by its edge, it is never read: each ring is one event, and its counter overflows in no lifetime.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        Ok(epoll::add(&self.epoll, &doorbell.0, epoll::EventData::new_u64(DOORBELL), flags)?)
    }

    /// Wakes while connections wait at a listener, which is told by `number`, below 65,536.
    ///
    /// # Errors
    /// No memory is left.
    pub(crate) fn listen(&self, listener: impl AsFd, number: usize) -> io::Result<()> {
        let word = LISTENERS - number as u64;
        Ok(epoll::add(&self.epoll, listener, epoll::EventData::new_u64(word), epoll::EventFlags::IN)?)
    }

    /// Wakes for this listener no more.
    ///
    /// # Errors
    /// It was not waited for.
    pub(crate) fn ignore(&self, listener: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, listener)?)
    }
}

/// Wakes a [`Poller`] from any thread.
pub(crate) struct Eventfd(OwnedFd);

impl Eventfd {
    /// A silent one.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Wakes it.
    pub(crate) fn ring(&self) {
        // It fails only at a full counter, 2^64 rings from now.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// A connected TCP socket.
pub(crate) struct Socket {
    stream: TcpStream,
    /// What the shard is woken for. With neither, the kernel is not asked at all: it would tell of faults nevertheless,
    /// again and again.
    reads: bool,
    writes: bool,
}

impl Socket {
    /// Takes over a connected socket, which wakes nobody yet.
    pub(crate) fn adopt(stream: TcpStream) -> Self {
        Self { stream, reads: false, writes: false }
    }

    /// Gives the socket away.
    ///
    /// # Errors
    /// None that is known; then the socket is closed.
    pub(crate) fn release(mut self, poller: &Poller) -> io::Result<TcpStream> {
        // Another shard's epoll knows the same socket soon: only a closed one is forgotten by itself.
        self.watch(poller, Conn(0), false, false)?;
        Ok(self.stream)
    }

    /// Woken for something to read.
    pub(crate) fn reads(&self) -> bool {
        self.reads
    }

    /// Woken for room to write.
    pub(crate) fn writes(&self) -> bool {
        self.writes
    }

    /// Has the shard woken for this and nothing else, as `conn`; without a system call if it is so already.
    ///
    /// # Errors
    /// No memory, or no more sockets may be watched (`fs.epoll.max_user_watches`).
    pub(crate) fn watch(&mut self, poller: &Poller, conn: Conn, reads: bool, writes: bool) -> io::Result<()> {
        if (reads, writes) == (self.reads, self.writes) {
            return Ok(());
        }
        let mut flags = epoll::EventFlags::empty();
        // The end of the peer's direction is something to read as well.
        flags.set(epoll::EventFlags::IN, reads);
        flags.set(epoll::EventFlags::OUT, writes);
        let word = epoll::EventData::new_u64(conn.0);
        if !self.reads && !self.writes {
            epoll::add(&poller.epoll, &self.stream, word, flags)?;
        } else if reads || writes {
            epoll::modify(&poller.epoll, &self.stream, word, flags)?;
        } else {
            epoll::delete(&poller.epoll, &self.stream)?;
        }
        (self.reads, self.writes) = (reads, writes);
        Ok(())
    }

    /// Reads what is there, 0 at the end; `WouldBlock` if nothing is.
    pub(crate) fn receive(&self, room: &mut [u8]) -> io::Result<usize> {
        let (count, _) = rustix::net::recv(&self.stream, room, RecvFlags::DONTWAIT)?;
        Ok(count)
    }

    /// Writes what the socket takes at once; `WouldBlock` if that is nothing.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    /// Says to the peer that nothing more comes.
    pub(crate) fn finish(&self) {
        // It fails only if the peer is gone.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}
