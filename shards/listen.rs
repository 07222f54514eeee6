//! Listening sockets: one for each shard on each address (SO_REUSEPORT), and the loop that accepts.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use wattle::input::Listener;

use crate::core::Core;
use crate::engine::{Acceptor, pause};
use crate::fault::Fault;

/// Connections that wait to be accepted, for each shard; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;
/// How long accepting rests when the system has no descriptor or memory for one more connection.
const REST: Duration = Duration::from_millis(500);

/// Opens `count` sockets on one address. With port 0 all share the port that the system chooses.
pub(crate) fn open(address: SocketAddr, count: u16) -> io::Result<Vec<TcpListener>> {
    let mut address = address;
    let mut sockets = Vec::new();
    for _ in 0..count {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
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

/// Accepts until it is dropped.
pub(crate) async fn accept(core: Rc<RefCell<Core>>, acceptor: Acceptor, listener: Listener) {
    let mut is_resting = false;
    loop {
        match acceptor.accept().await {
            Ok((socket, peer)) => {
                is_resting = false;
                socket.set_nodelay();
                Core::accepted(&core, socket, listener, peer);
            }
            // The peer went away while it waited: the next one is not to blame.
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                if !is_resting {
                    tracing::error!(%error, "cannot accept connections; raise the limit of open files (LimitNOFILE)");
                    is_resting = true;
                }
                pause(REST).await;
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
