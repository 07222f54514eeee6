//! One connection's bytes: socket, TLS, and what waits to be written. It does not know what a stanza is.
//!
//! An idle connection owns no buffer: bytes are read into a buffer of the shard, and those that wait to be written stand in
//! buffers borrowed from the shard's [`Buffers`].

use std::io;
use std::net::TcpStream;

use wattle::handoff::Arrival;
use wattle::input::{Gone, TlsFacts};
use wattle::limits::READ_BYTES;

use crate::poller::{Poller, Socket};
use crate::tls::{Received, Tls};

/// Spare buffers that a shard keeps, and the largest that it keeps: 1 MiB at most.
const SPARE_BUFFERS: usize = 64;
const SPARE_BUFFER_BYTES: usize = 16 * 1024;

/// The buffers that all connections of a shard share.
#[derive(Default)]
pub(crate) struct Buffers {
    /// Read, and decrypted in place.
    incoming: Vec<u8>,
    /// Decrypted.
    pub(crate) plain: Vec<u8>,
    spare: Vec<Vec<u8>>,
}

impl Buffers {
    /// Makes `buffer` ready to be written to, out of the spare ones if it owns no memory.
    fn lend(&mut self, buffer: &mut Vec<u8>) {
        if buffer.capacity() == 0
            && let Some(spare) = self.spare.pop()
        {
            *buffer = spare;
        }
    }

    /// Takes the memory of an empty buffer back.
    fn take_back(&mut self, buffer: &mut Vec<u8>) {
        let mut buffer = std::mem::take(buffer);
        if buffer.capacity() > 0 && buffer.capacity() <= SPARE_BUFFER_BYTES && self.spare.len() < SPARE_BUFFERS {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

/// What became of an attempt to read.
pub(crate) enum Read {
    /// [`Buffers::plain`] holds what was decrypted, possibly nothing. `secured` if the TLS handshake ended in it.
    Bytes {
        /// The agreed facts.
        secured: Option<Box<TlsFacts>>,
        /// The peer ended the connection behind the bytes, or broke it.
        gone: Option<Gone>,
    },
    /// Nothing is there.
    Nothing,
    /// The peer ended the connection without a byte, or broke it.
    Gone(Gone),
}

/// What became of an attempt to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    /// Nothing waits.
    All,
    /// The peer must read first.
    Some,
    /// The socket is broken.
    Broken,
}

/// A connection on its way to another shard.
pub(crate) struct MovedConnection {
    stream: TcpStream,
    tls: Option<Tls>,
    out: Vec<u8>,
    /// For the decisions there.
    pub(crate) arrival: Arrival,
}

impl MovedConnection {
    /// Bytes that travel along.
    pub(crate) fn weight(&self) -> usize {
        self.out.len() + self.arrival.leftover.len()
    }
}

/// A connection on this shard.
pub(crate) struct Wire {
    pub(crate) socket: Socket,
    tls: Option<Box<Tls>>,
    /// To be encrypted at the end of this turn.
    plain: Vec<u8>,
    /// Waits for the socket, from `sent` on.
    out: Vec<u8>,
    sent: usize,
    /// The socket took less than was offered: nothing more is offered until it has room.
    pub(crate) is_blocked: bool,
}

impl Wire {
    /// A fresh connection in the clear.
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, tls: None, plain: Vec::new(), out: Vec::new(), sent: 0, is_blocked: false }
    }

    /// A connection from another shard.
    pub(crate) fn from_moved(moved: MovedConnection) -> (Self, Arrival) {
        let MovedConnection { stream, tls, out, arrival } = moved;
        let mut wire = Self::new(Socket::adopt(stream));
        wire.tls = tls.map(Box::new);
        wire.is_blocked = !out.is_empty();
        wire.out = out;
        (wire, arrival)
    }

    /// Makes it ready to travel. Bytes that the socket has not taken travel along.
    pub(crate) fn into_moved(mut self, poller: &Poller, arrival: Arrival) -> io::Result<MovedConnection> {
        self.out.drain(..self.sent);
        Ok(MovedConnection {
            stream: self.socket.release(poller)?,
            tls: self.tls.map(|tls| *tls),
            out: self.out,
            arrival,
        })
    }

    /// From here on the peer speaks TLS.
    pub(crate) fn secure(&mut self, tls: Tls, buffers: &mut Buffers) {
        buffers.lend(&mut self.out);
        self.out.append(&mut self.plain);
        self.tls = Some(Box::new(tls));
    }

    /// Bytes that wait to be written.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.plain.len() + self.out.len() - self.sent
    }

    /// Memory held for bytes that wait.
    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.plain.capacity() + self.out.capacity()
    }

    /// Puts bytes behind those that wait.
    pub(crate) fn put(&mut self, bytes: &[u8], buffers: &mut Buffers) {
        buffers.lend(&mut self.plain);
        self.plain.extend_from_slice(bytes);
    }

    /// Reads and decrypts what is there, as far as the buffer goes.
    pub(crate) fn read(&mut self, buffers: &mut Buffers) -> Read {
        let leftover = self.tls.as_mut().map(|tls| tls.take_leftover()).unwrap_or_default();
        let incoming = &mut buffers.incoming;
        let start = leftover.len();
        if incoming.len() < start + READ_BYTES {
            incoming.resize(start + READ_BYTES, 0);
        }
        let count = match self.socket.receive(&mut incoming[start..start + READ_BYTES]) {
            Ok(count) if count > 0 => count,
            other => {
                if let Some(tls) = &mut self.tls {
                    tls.put_back_leftover(leftover);
                }
                return match other {
                    // TLS without close_notify is not told apart: every stanza tells by itself whether it is whole.
                    Ok(_) => Read::Gone(Gone::Ended),
                    Err(error) if is_for_now(&error) => Read::Nothing,
                    Err(_) => Read::Gone(Gone::Broken),
                };
            }
        };
        incoming[..start].copy_from_slice(&leftover);
        buffers.plain.clear();
        let Some(tls) = &mut self.tls else {
            buffers.plain.extend_from_slice(&incoming[..count]);
            return Read::Bytes { secured: None, gone: None };
        };
        // A handshake answers; traffic only in rare cases, so the buffer is mostly not needed.
        let mut out = std::mem::take(&mut self.out);
        let (received, secured) = tls.receive(&mut buffers.incoming[..start + count], &mut buffers.plain, &mut out);
        self.out = out;
        let gone = match received {
            Received::Open => None,
            Received::Ended => Some(Gone::Ended),
            Received::Failed => Some(Gone::Broken),
        };
        Read::Bytes { secured, gone }
    }

    /// Reads and throws away; true when the peer has ended.
    pub(crate) fn discard(&mut self, buffers: &mut Buffers) -> bool {
        if buffers.incoming.len() < READ_BYTES {
            buffers.incoming.resize(READ_BYTES, 0);
        }
        match self.socket.receive(&mut buffers.incoming[..READ_BYTES]) {
            Ok(count) => count == 0,
            Err(error) => !is_for_now(&error),
        }
    }

    /// Encrypts what waits in the clear, and writes as much as the socket takes, in one call.
    pub(crate) fn flush(&mut self, buffers: &mut Buffers) -> Written {
        self.seal(buffers);
        if self.is_blocked {
            return Written::Some;
        }
        while self.sent < self.out.len() {
            match self.socket.send(&self.out[self.sent..]) {
                Ok(count) => {
                    self.sent += count;
                    // A short write means a full socket; asking again would only tell so.
                    self.is_blocked = self.sent < self.out.len();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Written::Broken,
            }
            if self.is_blocked {
                // Now and then, or what was written long ago would stay as long as the peer lags behind.
                if self.sent * 2 > self.out.len() {
                    self.out.drain(..self.sent);
                    self.sent = 0;
                }
                return Written::Some;
            }
        }
        self.empty(buffers);
        Written::All
    }

    fn seal(&mut self, buffers: &mut Buffers) {
        if self.plain.is_empty() {
            return;
        }
        match &mut self.tls {
            // Invariant of `Effect::Secure`: nothing is sent between it and `Secured`. What is sent nevertheless is lost
            // rather than sent in the clear.
            Some(tls) if tls.is_handshaking() => self.plain.clear(),
            Some(tls) => {
                buffers.lend(&mut self.out);
                // It fails only if close_notify was said, and then the peer wants no more.
                tls.encrypt(&self.plain, &mut self.out);
                self.plain.clear();
            }
            None if self.out.is_empty() => std::mem::swap(&mut self.plain, &mut self.out),
            None => self.out.append(&mut self.plain),
        }
        buffers.take_back(&mut self.plain);
    }

    fn empty(&mut self, buffers: &mut Buffers) {
        self.sent = 0;
        self.out.clear();
        buffers.take_back(&mut self.out);
    }

    /// Says close_notify behind what waits.
    pub(crate) fn say_close(&mut self, buffers: &mut Buffers) {
        self.seal(buffers);
        if let Some(tls) = &mut self.tls {
            buffers.lend(&mut self.out);
            tls.close(&mut self.out);
        }
    }

    /// Ends the own direction of the socket.
    pub(crate) fn finish(&self) {
        self.socket.finish();
    }
}

fn is_for_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
