//! The server's end of the admin socket: opened for its own user alone, one blocked thread that accepts, one for each guest.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::words::{LINE_BYTES, Reply, Request, line};
use crate::fault::Fault;

/// Connections at a time; a further one is told so and closed.
const GUESTS: usize = 8;
/// Bytes of a socket's path (`sun_path` without its end, unix(7)).
const PATH_BYTES: usize = 107;
/// A guest that says nothing for so long is sent away, so that it does not hold a place for ever.
const SILENCE: Duration = Duration::from_secs(60);
/// A guest that does not read for so long is sent away.
const UNREAD: Duration = Duration::from_secs(5);
/// Stack of the threads here, which parse JSON and make verifiers.
const STACK_BYTES: usize = 256 * 1024;

/// What answers. It may block.
pub(crate) type Answerer = dyn Fn(Request) -> Reply + Send + Sync;

/// An open admin socket; it closes and its file goes when this is dropped.
pub(crate) struct AdminSocket {
    listener: Arc<UnixListener>,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl AdminSocket {
    /// Opens the socket at `path` and answers there with `answer`.
    ///
    /// # Errors
    /// If another server answers there, or the socket cannot be made.
    pub(crate) fn open(path: &Path, answer: Arc<Answerer>) -> Result<Self, Fault> {
        if let Some(fault) = misplaced(path) {
            return Err(fault);
        }
        Self::start(path, answer).map_err(|error| {
            let cure = match error.kind() {
                ErrorKind::AddrInUse => {
                    "stop that server, or give this one its own data folder and server.admin_socket"
                }
                _ => "write a path below [server] admin_socket that the user that wattle runs as can make files in",
            };
            Fault::new(format!("the admin socket {} cannot be opened: {error}", path.display()), cure)
        })
    }

    fn start(path: &Path, answer: Arc<Answerer>) -> io::Result<Self> {
        let listener = Arc::new(listen(path)?);
        let accepting = Arc::clone(&listener);
        let thread = thread::Builder::new()
            .name("admin".into())
            .stack_size(STACK_BYTES)
            .spawn(move || accept(&accepting, &answer))?;
        Ok(Self { listener, path: path.to_owned(), thread: Some(thread) })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // First the file, so that nobody comes to a door that will not be opened.
        let _ = fs::remove_file(&self.path);
        // SAFETY: shutdown(2) takes any descriptor; this one is open as long as `listener` lives. It wakes accept(2).
        unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RDWR) };
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match UnixStream::connect(path) {
        Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another server answers there")),
        // Left behind by a server that was killed.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
        Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Linux gives the file the mode of the unbound socket, so there is no moment at which others could open it.
    let descriptor = File::from(OwnedFd::from(socket));
    descriptor.set_permissions(Permissions::from_mode(0o600))?;
    let socket = Socket::from(OwnedFd::from(descriptor));
    socket.bind(&SockAddr::unix(path)?)?;
    // A umask could only have taken more away.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(16)?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// What is wrong with a path before anything is tried.
pub(crate) fn misplaced(path: &Path) -> Option<Fault> {
    let bytes = path.as_os_str().len();
    (bytes > PATH_BYTES).then(|| {
        Fault::new(
            format!(
                "the path of the admin socket {} has {bytes} bytes, and the system takes {PATH_BYTES}",
                path.display()
            ),
            "write a shorter one below [server], such as admin_socket = \"/run/wattle/admin.sock\"",
        )
    })
}

fn accept(listener: &UnixListener, answer: &Arc<Answerer>) {
    let guests = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => continue,
            // Out of descriptors or memory passes; a moment's rest keeps it from spinning.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) =>
            {
                thread::sleep(Duration::from_secs(1));
                continue;
            }
            // Shut down.
            Err(_) => return,
        };
        if !is_own_user(&stream) {
            tracing::warn!("someone who is neither the server's user nor root tried the admin socket");
            continue;
        }
        let place = Place::take(&guests);
        let answer = Arc::clone(answer);
        let guest = thread::Builder::new().name("admin-guest".into()).stack_size(STACK_BYTES);
        let spawned = guest.spawn(move || serve(&stream, place.as_ref(), &*answer));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for a guest of the admin socket");
        }
    }
}

/// One of the places for guests, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        // Only the accepting thread takes places, so nobody comes between the two steps.
        if taken.load(Ordering::Acquire) >= GUESTS {
            return None;
        }
        taken.fetch_add(1, Ordering::AcqRel);
        Some(Self(Arc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// SO_PEERCRED (unix(7)): who was it when it connected? The file's mode says the same; this holds also if somebody widens it.
fn is_own_user(stream: &UnixStream) -> bool {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the pointers are to values of the size that `length` says, and the descriptor is open.
    let failed = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    // SAFETY: geteuid(2) takes nothing and cannot fail.
    let own = unsafe { libc::geteuid() };
    failed == 0 && (peer.uid == own || peer.uid == 0)
}

/// Answers one guest until it goes.
fn serve(stream: &UnixStream, place: Option<&Place>, answer: &Answerer) {
    let _ = stream.set_read_timeout(Some(SILENCE));
    let _ = stream.set_write_timeout(Some(UNREAD));
    let mut writer = stream;
    if place.is_none() {
        let busy = refused("too many commands are talking to the server", "wait until one of them is done");
        let _ = writer.write_all(&line(&busy));
        return;
    }
    let mut reader = BufReader::new(stream);
    let mut request = Vec::new();
    loop {
        request.clear();
        let read = reader.by_ref().take(LINE_BYTES as u64).read_until(b'\n', &mut request);
        if !matches!(read, Ok(length) if length > 0) {
            return;
        }
        let whole = request.ends_with(b"\n");
        let reply = match serde_json::from_slice(&request) {
            Ok(request) if whole => answer(request),
            // The text of a parser's error could show a piece of a password.
            _ => refused("the server does not understand the request", "use the command line of the same version"),
        };
        if writer.write_all(&line(&reply)).is_err() || !whole {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// A refusal.
pub(crate) fn refused(what: &str, cure: &str) -> Reply {
    Reply::Refused { what: what.to_owned(), cure: cure.to_owned() }
}

#[cfg(test)]
mod tests;
