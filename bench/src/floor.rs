//! The floor: what a message costs a server that only relays bytes over TLS. One thread, no XML, no store, no rules.
//!
//! It gives canned answers until a client is online (RFC 6120's ladder by rote, any password), so that the scenes play
//! against it unchanged. The first `to` of a client names its partner; from then on its bytes go there unread.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use rustls::{ServerConfig, ServerConnection};

use crate::frame::{self, Frame};
use crate::options::raise_descriptors;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Speaks STARTTLS and direct TLS on the same port; 0 takes a free one
    #[arg(long, default_value_t = 5299)]
    port: u16,
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// Append what is relayed to this file, and have it on the disk before it is relayed
    #[arg(long, value_name = "FILE")]
    sync: Option<PathBuf>,
    /// Share the port with other floors that say this too: one process has descriptors for so many clients only. Who is
    /// on another one cannot be written to
    #[arg(long)]
    share_port: bool,
    /// How many clients there may be
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    clients: usize,
}

const LISTENER: u64 = u64::MAX;
const SCRATCH_BYTES: usize = 64 << 10;

/// One connected client.
struct Guest {
    socket: TcpStream,
    tls: Option<ServerConnection>,
    opened: bool,
    authenticated: bool,
    user: String,
    jid: String,
    partner: Option<usize>,
    partial: Vec<u8>,
    /// Not yet encrypted.
    out: Vec<u8>,
    dirty: bool,
    awaits_room: bool,
}

struct Floor {
    domain: String,
    tls: Arc<ServerConfig>,
    epoll: OwnedFd,
    guests: Vec<Option<Box<Guest>>>,
    free: Vec<usize>,
    online: HashMap<String, usize>,
    dirty: Vec<usize>,
    scratch: Vec<u8>,
    journal: Option<File>,
    journalled: Vec<u8>,
}

/// Serves until it is killed.
pub(crate) fn serve(options: &Options) -> Result<u8, String> {
    raise_descriptors(options.clients).map_err(|maximum| {
        format!("--clients {}: this process may have {maximum} descriptors: write --clients {}, or raise the limit (ulimit -Hn)", options.clients, maximum.saturating_sub(128))
    })?;
    let listener = listen(options).map_err(|e| format!("--host {} --port {}: {e}", options.host, options.port))?;
    let journal = options.sync.as_ref().map(|file| {
        File::options().create(true).append(true).open(file).map_err(|e| format!("--sync {}: {e}", file.display()))
    });
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| format!("epoll: {e}"))?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN).map_err(|e| format!("epoll: {e}"))?;
    let mut floor = Floor {
        domain: options.domain.clone(),
        tls: crate::tls::floor(&options.domain)?,
        epoll,
        guests: Vec::new(),
        free: Vec::new(),
        online: HashMap::new(),
        dirty: Vec::new(),
        scratch: vec![0; SCRATCH_BYTES],
        journal: journal.transpose()?,
        journalled: Vec::new(),
    };
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    crate::report::say(&format!("floor: {} port {port}, pid {}", options.host, std::process::id()));
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        match epoll::wait(&floor.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(format!("epoll: {e}")),
        }
        for event in &events {
            match usize::try_from(event.data.u64()) {
                Ok(slot) if event.data.u64() != LISTENER => floor.hear(slot, event.flags),
                _ => floor.accept(&listener),
            }
        }
        floor.flush()?;
    }
}

fn listen(options: &Options) -> std::io::Result<TcpListener> {
    let mut addresses = (options.host.trim_matches(['[', ']']), options.port).to_socket_addrs()?;
    let address = addresses.next().ok_or(ErrorKind::AddrNotAvailable)?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if options.share_port {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    bind(&socket, &address)?;
    // As many as the kernel lets wait: a storm is not the floor's to refuse.
    rustix::net::listen(&socket, i32::MAX)?;
    Ok(socket.into())
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) {
        while let Ok((socket, _)) = listener.accept() {
            if socket.set_nonblocking(true).and(socket.set_nodelay(true)).is_err() {
                continue;
            }
            let slot = self.free.pop().unwrap_or(self.guests.len());
            if epoll::add(&self.epoll, &socket, EventData::new_u64(slot as u64), EventFlags::IN).is_err() {
                continue;
            }
            let guest = Guest {
                socket,
                tls: None,
                opened: false,
                authenticated: false,
                user: String::new(),
                jid: String::new(),
                partner: None,
                partial: Vec::new(),
                out: Vec::new(),
                dirty: false,
                awaits_room: false,
            };
            if slot == self.guests.len() {
                self.guests.push(None);
            }
            self.guests[slot] = Some(Box::new(guest));
        }
    }

    fn hear(&mut self, slot: usize, flags: EventFlags) {
        if flags.contains(EventFlags::OUT) {
            self.soil(slot);
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) && self.read(slot).is_none() {
            self.remove(slot);
        }
    }

    /// Reads, decrypts, relays. `None` when the client is to go.
    fn read(&mut self, slot: usize) -> Option<()> {
        let guest = self.guests.get_mut(slot)?.as_mut()?;
        if guest.tls.is_none() && !guest.opened {
            let mut first = [0_u8];
            // A TLS handshake record begins with 22, a stream with `<`.
            if guest.socket.peek(&mut first).is_ok_and(|n| n == 1 && first[0] == 22) {
                guest.tls = Some(ServerConnection::new(self.tls.clone()).ok()?);
            }
        }
        let got = match guest.socket.read(&mut self.scratch) {
            Ok(0) => return None,
            Ok(got) => got,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Some(()),
            Err(_) => return None,
        };
        let mut plain = std::mem::take(&mut guest.partial);
        let mut ends = false;
        if let Some(tls) = &mut guest.tls {
            let mut encrypted = &self.scratch[..got];
            while !encrypted.is_empty() {
                tls.read_tls(&mut encrypted).ok()?;
                let state = tls.process_new_packets().ok()?;
                let start = plain.len();
                plain.resize(start + state.plaintext_bytes_to_read(), 0);
                if plain.len() > start {
                    tls.reader().read_exact(&mut plain[start..]).ok()?;
                }
                ends |= state.peer_has_closed();
            }
        } else {
            plain.extend_from_slice(&self.scratch[..got]);
        }
        self.soil(slot);
        if let Some(partner) = self.guests[slot].as_ref()?.partner {
            self.relay(partner, &plain);
        } else {
            let used = self.climb(slot, &plain)?;
            if used < plain.len() {
                self.guests[slot].as_mut()?.partial = plain.split_off(used);
            }
        }
        (!ends).then_some(())
    }

    fn relay(&mut self, partner: usize, plain: &[u8]) {
        if self.journal.is_some() {
            self.journalled.extend_from_slice(plain);
        }
        if let Some(partner) = self.guests[partner].as_mut() {
            partner.out.extend_from_slice(plain);
        }
        self.soil(partner);
    }

    /// The canned ladder. Gives the bytes used; `None` when the client is to go.
    fn climb(&mut self, slot: usize, plain: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let guest = self.guests[slot].as_mut()?;
            let Some((start, end, frame)) = frame::next(&plain[at..], guest.opened).ok()? else { return Some(at) };
            let stanza = &plain[at + start..at + end];
            match (frame, frame::name(stanza)) {
                (Frame::Header, _) => {
                    guest.opened = true;
                    let features = if guest.tls.is_none() {
                        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
                    } else if guest.authenticated {
                        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
                    } else {
                        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
                    };
                    let header = format!(
                        "<?xml version='1.0'?><stream:stream from='{}' id='floor' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:features>{features}</stream:features>",
                        self.domain
                    );
                    guest.out.extend_from_slice(header.as_bytes());
                }
                (Frame::End, _) => {
                    guest.out.extend_from_slice(b"</stream:stream>");
                    let _ = guest.flush();
                    return None;
                }
                (_, b"starttls") => {
                    guest.socket.write_all(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").ok()?;
                    guest.tls = Some(ServerConnection::new(self.tls.clone()).ok()?);
                    guest.opened = false;
                    return (at + end == plain.len()).then_some(plain.len());
                }
                (_, b"auth") => {
                    let data = STANDARD.decode(frame::text(stanza, "auth")?).ok()?;
                    guest.user = String::from_utf8(data.split(|b| *b == 0).nth(1)?.to_vec()).ok()?;
                    guest.authenticated = true;
                    guest.opened = false;
                    guest.out.extend_from_slice(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
                }
                (_, b"iq") => {
                    let id = String::from_utf8_lossy(frame::attribute(stanza, b"id")?).into_owned();
                    let payload = match frame::text(stanza, "resource") {
                        Some(resource) => {
                            guest.jid = format!("{}@{}/{}", guest.user, self.domain, String::from_utf8_lossy(resource));
                            self.online.insert(guest.jid.clone(), slot);
                            format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{}</jid></bind>", guest.jid)
                        }
                        None => "<query xmlns='jabber:iq:roster'/>".to_owned(),
                    };
                    guest.out.extend_from_slice(format!("<iq type='result' id='{id}'>{payload}</iq>").as_bytes());
                }
                (_, b"message") => {
                    let to = std::str::from_utf8(frame::attribute(stanza, b"to")?).ok()?;
                    // Who is not there has lost his message: the floor stores nothing.
                    if let Some(partner) = self.online.get(to).copied() {
                        guest.partner = Some(partner);
                        self.relay(partner, &plain[at + start..]);
                        return Some(plain.len());
                    }
                }
                _ => {}
            }
            at += end;
        }
    }

    fn soil(&mut self, slot: usize) {
        if let Some(guest) = self.guests[slot].as_mut().filter(|g| !g.dirty) {
            guest.dirty = true;
            self.dirty.push(slot);
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        if let Some(journal) = self.journal.as_mut().filter(|_| !self.journalled.is_empty()) {
            journal
                .write_all(&self.journalled)
                .and_then(|()| journal.sync_data())
                .map_err(|e| format!("--sync: {e}"))?;
            self.journalled.clear();
        }
        while let Some(slot) = self.dirty.pop() {
            let Some(guest) = self.guests[slot].as_mut() else { continue };
            guest.dirty = false;
            let Ok(full) = guest.flush() else {
                self.remove(slot);
                continue;
            };
            if full != guest.awaits_room {
                guest.awaits_room = full;
                let flags = if full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
                epoll::modify(&self.epoll, &guest.socket, EventData::new_u64(slot as u64), flags)
                    .map_err(|e| format!("epoll: {e}"))?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, slot: usize) {
        if let Some(guest) = self.guests.get_mut(slot).and_then(Option::take) {
            if self.online.get(&guest.jid) == Some(&slot) {
                self.online.remove(&guest.jid);
            }
            // Who relayed to this slot must not reach its next guest.
            for other in self.guests.iter_mut().flatten().filter(|g| g.partner == Some(slot)) {
                other.partner = None;
            }
            self.free.push(slot);
        }
    }
}

impl Guest {
    /// Encrypts and writes; `Ok(true)` when the socket is full.
    fn flush(&mut self) -> Result<bool, std::io::Error> {
        let Some(tls) = &mut self.tls else {
            // The few bytes of before TLS fit into any socket.
            self.socket.write_all(&self.out)?;
            self.out.clear();
            return Ok(false);
        };
        if !self.out.is_empty() {
            tls.set_buffer_limit(None);
            tls.writer().write_all(&self.out)?;
            self.out.clear();
        }
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(e) if e.kind() != ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
        }
        Ok(false)
    }
}
