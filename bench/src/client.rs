//! One client: a socket, the TLS on it, and the bytes that wait in either direction. It decides nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use crate::ladder::Ladder;
use crate::source;

/// One client of the run.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    tls: Option<ClientConnection>,
    pub(crate) ladder: Ladder,
    /// Received and decrypted, not yet a whole frame.
    pub(crate) partial: Vec<u8>,
    /// To be sent, not yet encrypted: one turn of the loop makes one TLS record of it.
    pub(crate) out: Vec<u8>,
    /// Already given to TLS, or plain, but the socket is full.
    unsent_plain: Vec<u8>,
    /// Whether the header of the current stream has come.
    pub(crate) opened: bool,
    /// Whether it is in the engine's list of clients to flush.
    pub(crate) dirty: bool,
    /// Whether epoll watches for room in the socket.
    pub(crate) awaits_room: bool,
    /// Whether we said `</stream:stream>`.
    pub(crate) closing: bool,
    /// Stanzas received since stream management began (XEP-0198 `h`).
    pub(crate) handled: u32,
    /// Whether stream management is on.
    pub(crate) counts: bool,
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Perhaps something, and the connection stands.
    Open,
    /// The server closed it.
    Ended,
}

impl Client {
    /// Begins to connect, from an address of this host if one is wanted; the socket becomes writable when it has.
    pub(crate) fn connect(address: SocketAddr, source: Option<IpAddr>, ladder: Ladder) -> Result<Self, String> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(family, SocketType::STREAM, flags, None).map_err(|e| format!("socket: {e}"))?;
        if let Some(source) = source {
            source::bind(&fd, source)?;
        }
        match connect(&fd, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(e) => return Err(format!("connect to {address}: {e}")),
        }
        let socket = TcpStream::from(fd);
        socket.set_nodelay(true).map_err(|e| format!("TCP_NODELAY: {e}"))?;
        Ok(Self {
            socket,
            tls: None,
            ladder,
            partial: Vec::new(),
            out: Vec::new(),
            unsent_plain: Vec::new(),
            opened: false,
            dirty: false,
            awaits_room: true,
            closing: false,
            handled: 0,
            counts: false,
        })
    }

    /// Puts TLS on the socket; the handshake goes out with the next flush.
    pub(crate) fn start_tls(&mut self, config: &Arc<ClientConfig>, domain: &str) -> Result<(), String> {
        let name = ServerName::try_from(domain.to_owned()).map_err(|e| format!("--domain {domain}: {e}"))?;
        let mut tls = ClientConnection::new(config.clone(), name).map_err(|e| e.to_string())?;
        tls.set_buffer_limit(None);
        self.tls = Some(tls);
        Ok(())
    }

    /// Full or resumed, once the handshake is over.
    pub(crate) fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.tls.as_ref()?.handshake_kind()
    }

    /// Reads what the socket has, decrypts it and appends it to `into`. `scratch` is shared by all clients.
    pub(crate) fn read(&mut self, scratch: &mut [u8], into: &mut Vec<u8>) -> Result<Heard, String> {
        loop {
            let got = match self.socket.read(scratch) {
                Ok(0) => return Ok(Heard::Ended),
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Heard::Open),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(format!("read: {e}")),
            };
            let Some(tls) = &mut self.tls else {
                into.extend_from_slice(&scratch[..got]);
                return Ok(Heard::Open);
            };
            let mut encrypted = &scratch[..got];
            while !encrypted.is_empty() {
                tls.read_tls(&mut encrypted).map_err(|e| format!("TLS: {e}"))?;
                let state = tls.process_new_packets().map_err(|e| format!("TLS: {e}"))?;
                let pending = state.plaintext_bytes_to_read();
                let start = into.len();
                into.resize(start + pending, 0);
                if pending > 0 {
                    tls.reader().read_exact(&mut into[start..]).map_err(|e| format!("TLS: {e}"))?;
                }
                if state.peer_has_closed() {
                    return Ok(Heard::Ended);
                }
            }
            // A short read has emptied the socket: no second system call to be told so.
            if got < scratch.len() {
                return Ok(Heard::Open);
            }
        }
    }

    /// Encrypts and writes what waits. `Ok(true)` when all of it is with the kernel.
    pub(crate) fn flush(&mut self) -> Result<bool, String> {
        let Some(tls) = &mut self.tls else {
            self.unsent_plain.append(&mut self.out);
            return write_plain(&mut self.socket, &mut self.unsent_plain);
        };
        // Bytes of before TLS leave first.
        if !self.unsent_plain.is_empty() && !write_plain(&mut self.socket, &mut self.unsent_plain)? {
            return Ok(false);
        }
        if !self.out.is_empty() {
            tls.writer().write_all(&self.out).map_err(|e| format!("TLS: {e}"))?;
            self.out.clear();
        }
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(format!("write: {e}")),
            }
        }
        Ok(true)
    }

    /// Whether TLS has something to say on its own (handshake, tickets).
    pub(crate) fn wants_flush(&self) -> bool {
        !self.out.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Ends the stream and TLS (RFC 6120 section 4.4); the server closes the connection.
    pub(crate) fn close(&mut self) {
        self.closing = true;
        self.out.extend_from_slice(b"</stream:stream>");
    }
}

fn write_plain(socket: &mut TcpStream, unsent: &mut Vec<u8>) -> Result<bool, String> {
    while !unsent.is_empty() {
        match socket.write(unsent) {
            Ok(sent) => drop(unsent.drain(..sent)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(format!("write: {e}")),
        }
    }
    Ok(true)
}
