//! Who may open the admin socket, what it answers, and that it neither stays nor grows.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;

use super::super::client::Client;
use super::super::words::{LINE_BYTES, Reply, Request, Stats};
use super::{AdminSocket, GUESTS, refused};

/// A folder that goes when the test ends. Not in `target/`, whose path can be too long for a socket.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wattle-admin-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("data/admin.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(folder: &Folder) -> AdminSocket {
    AdminSocket::open(
        &folder.socket(),
        Arc::new(|request| match request {
            Request::Stats => Reply::Stats(Stats::default()),
            Request::UserRemove { jid } => refused(&jid, "nothing"),
            _ => Reply::Done { sessions_ended: 7 },
        }),
    )
    .unwrap()
}

#[test]
fn only_the_own_user_may_open_it() {
    let folder = Folder::new("mode");
    let _socket = open(&folder);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.socket()), 0o600);
    assert_eq!(mode(folder.0.join("data")), 0o700);
}

#[test]
fn it_answers_line_by_line() {
    let folder = Folder::new("lines");
    let socket = open(&folder);
    let mut client = Client::connect(&folder.socket()).unwrap().unwrap();
    assert_eq!(client.ask(&Request::Ping).unwrap(), Reply::Done { sessions_ended: 7 });
    assert_eq!(client.ask(&Request::Stats).unwrap(), Reply::Stats(Stats::default()));
    let remove = Request::UserRemove { jid: "a@b".into() };
    assert_eq!(client.ask(&remove).unwrap_err().to_string(), "a@b; nothing");
    drop(socket);
    assert!(!folder.socket().exists());
    assert!(Client::connect(&folder.socket()).unwrap().is_none());
}

#[test]
fn nonsense_is_refused_and_told_without_its_text() {
    let folder = Folder::new("nonsense");
    let _socket = open(&folder);
    let mut stream = UnixStream::connect(folder.socket()).unwrap();
    stream.write_all(b"{\"ask\":\"user_add\",\"password\":\"sesame\"}\n{\"ask\":\"ping\"}\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("does not understand") && !first.contains("sesame"), "{first}");
    assert_eq!(lines.next().unwrap().unwrap(), r#"{"reply":"done","sessions_ended":7}"#);
}

#[test]
fn an_endless_line_ends_the_connection() {
    let folder = Folder::new("endless");
    let _socket = open(&folder);
    let mut stream = UnixStream::connect(folder.socket()).unwrap();
    // Ends in the middle of the second helping: the server has hung up by then or at the next write.
    let _ = stream.write_all(&vec![b'a'; 4 * LINE_BYTES]);
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply);
    assert!(reply.is_empty() || reply.contains("does not understand"), "{reply}");
}

#[test]
fn a_crowd_is_told_to_wait() {
    let folder = Folder::new("crowd");
    let _socket = open(&folder);
    let mut inside: Vec<_> = (0..GUESTS).map(|_| Client::connect(&folder.socket()).unwrap().unwrap()).collect();
    for client in &mut inside {
        client.ask(&Request::Ping).unwrap();
    }
    let mut outside = BufReader::new(UnixStream::connect(folder.socket()).unwrap());
    let mut text = String::new();
    outside.read_to_string(&mut text).unwrap();
    assert!(text.contains("too many commands"), "{text}");
    inside[0].ask(&Request::Ping).unwrap();
}

#[test]
fn a_dead_server_leaves_no_hurdle_and_a_living_one_does() {
    let folder = Folder::new("stale");
    fs::create_dir_all(folder.0.join("data")).unwrap();
    // The file of a listener that is gone stays, as after kill -9.
    drop(UnixListener::bind(folder.socket()).unwrap());
    assert!(folder.socket().exists());
    let socket = open(&folder);
    let error = AdminSocket::open(&folder.socket(), Arc::new(|_| refused("", ""))).map(|_| ()).unwrap_err();
    assert!(error.what.ends_with("cannot be opened: another server answers there"), "{error}");
    drop(socket);
    let long = folder.0.join("x".repeat(120));
    assert!(AdminSocket::open(&long, Arc::new(|_| refused("", ""))).is_err());
}
