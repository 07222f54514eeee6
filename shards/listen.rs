//! Listening sockets: one for each shard on each address (SO_REUSEPORT), and accepting.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use wattle::input::Listener;
use wattle::limits::PEER_SILENCE_MS;

use crate::fault::Fault;
use crate::poller::{Poller, Socket as Connected};

/// Connections that wait to be accepted, for each shard; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;
/// How long accepting rests when the system has no descriptor or memory for one more connection.
const REST_MS: u64 = 500;

/// Opens `count` sockets on one address. With port 0 all share the port that the system chooses.
pub(crate) fn open(address: SocketAddr, count: u16) -> io::Result<Vec<TcpListener>> {
    let mut address = address;
    let mut sockets = Vec::new();
    for _ in 0..count {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit it. The shard coalesces by itself, and Nagle's wait costs 40 ms for a stanza.
        socket.set_tcp_nodelay(true)?;
        // So is the time after which a peer that acknowledges nothing counts as gone: the kernel keeps it, no timer of ours.
        socket.set_tcp_user_timeout(Some(Duration::from_millis(PEER_SILENCE_MS)))?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        address = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` means every address of the machine, also those of IPv4, whatever the system's own default is.
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the old connections' last minutes.
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Says whether `address` can be listened on. SO_REUSEPORT would let two servers of one user share a port in silence, so
/// the check asks without it.
pub(crate) fn fault_at(address: SocketAddr) -> Option<Fault> {
    let tried = socket(address).and_then(|socket| {
        socket.bind(&address.into())?;
        socket.listen(1)
    });
    tried.err().map(|error| fault(address, &error))
}

/// Why `address` cannot be listened on.
pub(crate) fn fault(address: SocketAddr, error: &io::Error) -> Fault {
    let cure = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "stop the program that listens there (`ss -ltnp` names it), or configure another port"
        }
        io::ErrorKind::PermissionDenied => "configure a port above 1023, or give the service CAP_NET_BIND_SERVICE",
        io::ErrorKind::AddrNotAvailable => "configure an address that this machine has (`ip address` lists them)",
        _ if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            "this machine has no IPv6: write 0.0.0.0 in place of [::] in the configuration"
        }
        _ => "configure another address",
    };
    Fault::new(format!("cannot listen on {address}: {error}"), cure)
}

/// The listening sockets of one shard.
#[derive(Default)]
pub(crate) struct Acceptors {
    all: Vec<(TcpListener, Listener)>,
    /// When those that rest go on.
    pub(crate) again_ms: Option<u64>,
    has_complained: bool,
}

impl Acceptors {
    /// Waits at all of them with `poller`.
    ///
    /// # Errors
    /// No memory is left.
    pub(crate) fn new(all: Vec<(TcpListener, Listener)>, poller: &Poller) -> io::Result<Self> {
        for (number, (listener, _)) in all.iter().enumerate() {
            poller.listen(listener, number)?;
        }
        Ok(Self { all, again_ms: None, has_complained: false })
    }

    /// Accepts the next connection at one of them; none if nobody waits there any more.
    pub(crate) fn accept(
        &mut self,
        number: usize,
        poller: &Poller,
        now_ms: u64,
    ) -> Option<(Connected, Listener, IpAddr)> {
        let (socket, listener) = self.all.get(number)?;
        loop {
            match socket.accept() {
                Ok((stream, peer)) => {
                    self.has_complained = false;
                    return Some((Connected::adopt(stream), *listener, peer.ip()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // The peer went away while it waited: the next one is not to blame.
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    if !self.has_complained {
                        tracing::error!(%error, "cannot accept connections; raise the limit of open files (LimitNOFILE)");
                        self.has_complained = true;
                    }
                    self.rest(poller, now_ms);
                    return None;
                }
            }
        }
    }

    fn rest(&mut self, poller: &Poller, now_ms: u64) {
        for (listener, _) in &self.all {
            // It fails for those that rest already.
            let _ = poller.ignore(listener);
        }
        self.again_ms = Some(now_ms + REST_MS);
    }

    /// Goes on after a rest, if its time has come.
    pub(crate) fn go_on(&mut self, poller: &Poller, now_ms: u64) {
        if self.again_ms.is_none_or(|at_ms| at_ms > now_ms) {
            return;
        }
        self.again_ms = None;
        for (number, (listener, _)) in self.all.iter().enumerate() {
            let _ = poller.ignore(listener);
            if poller.listen(listener, number).is_err() {
                self.again_ms = Some(now_ms + REST_MS);
            }
        }
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    ) || matches!(error.raw_os_error(), Some(libc::EPROTO | libc::ENETDOWN | libc::ENETUNREACH | libc::EHOSTUNREACH))
}
