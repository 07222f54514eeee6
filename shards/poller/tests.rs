//! What the kernel promises to the poller: edges that are never read, sockets that are not watched, timeouts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::*;

const CONN: Conn = Conn(7 << 32 | 3);

fn happened(poller: &Poller, timeout_ms: Option<u64>) -> Vec<Event> {
    let mut events = Events::new();
    poller.wait(&mut events, timeout_ms).unwrap();
    events.iter().collect()
}

fn pair() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (Socket::adopt(listener.accept().unwrap().0), peer)
}

#[test]
fn every_ring_is_heard_once_though_nobody_reads() {
    let poller = Poller::new().unwrap();
    let doorbell = Eventfd::new().unwrap();
    doorbell.ring();
    poller.hear(&doorbell).unwrap();
    for _ in 0..3 {
        assert_eq!(happened(&poller, None), [Event::Doorbell]);
        assert_eq!(happened(&poller, Some(0)), []);
        doorbell.ring();
    }
}

#[test]
fn a_sleep_ends_in_time_and_not_before() {
    let poller = Poller::new().unwrap();
    for wait_ms in [0, 30, 250] {
        let before = Instant::now();
        assert_eq!(happened(&poller, Some(wait_ms)), []);
        assert!(before.elapsed() >= Duration::from_millis(wait_ms));
    }
}

#[test]
fn listeners_are_told_apart_and_can_rest() {
    let poller = Poller::new().unwrap();
    let listeners = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    for (number, listener) in listeners.iter().enumerate() {
        poller.listen(listener, number).unwrap();
    }
    let _peer = TcpStream::connect(listeners[1].local_addr().unwrap()).unwrap();
    assert_eq!(happened(&poller, None), [Event::Listener(1)]);
    poller.ignore(&listeners[1]).unwrap();
    assert_eq!(happened(&poller, Some(0)), []);
    poller.listen(&listeners[1], 1).unwrap();
    assert_eq!(happened(&poller, None), [Event::Listener(1)]);
}

#[test]
fn bytes_are_told_of_until_they_are_read() {
    let poller = Poller::new().unwrap();
    let (mut socket, mut peer) = pair();
    socket.watch(&poller, CONN, true, false).unwrap();
    assert_eq!(happened(&poller, Some(0)), []);
    peer.write_all(b"two").unwrap();
    let mut room = [0; 2];
    for count in [2, 1] {
        assert_eq!(happened(&poller, None), [Event::Connection { conn: CONN, readable: true, writable: false }]);
        assert_eq!(socket.receive(&mut room).unwrap(), count);
    }
    assert_eq!(happened(&poller, Some(0)), []);
    assert_eq!(socket.receive(&mut room).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(peer);
    assert_eq!(happened(&poller, None), [Event::Connection { conn: CONN, readable: true, writable: false }]);
    assert_eq!(socket.receive(&mut room).unwrap(), 0);
}

#[test]
fn a_full_socket_tells_of_room() {
    let poller = Poller::new().unwrap();
    let (mut socket, mut peer) = pair();
    let bytes = vec![7; 1 << 20];
    let mut sent = 0;
    while let Ok(count) = socket.send(&bytes) {
        sent += count;
    }
    socket.watch(&poller, CONN, false, true).unwrap();
    assert_eq!(happened(&poller, Some(0)), []);
    peer.read_exact(&mut vec![0; sent]).unwrap();
    assert_eq!(happened(&poller, None), [Event::Connection { conn: CONN, readable: false, writable: true }]);
    socket.watch(&poller, CONN, true, false).unwrap();
    assert_eq!(happened(&poller, Some(0)), []);
}

#[test]
fn a_fault_of_a_socket_that_nobody_watches_wakes_nobody() {
    let poller = Poller::new().unwrap();
    let (mut socket, mut peer) = pair();
    socket.watch(&poller, CONN, true, false).unwrap();
    socket.send(b"unread").unwrap();
    peer.peek(&mut [0; 6]).unwrap();
    peer.write_all(b"last").unwrap();
    // Closed with bytes unread, a socket sends a reset.
    drop(peer);
    let mut room = [0; 16];
    // The reset has come when reading fails.
    while socket.receive(&mut room).is_ok() {
        happened(&poller, None);
    }
    socket.watch(&poller, CONN, false, false).unwrap();
    assert_eq!(happened(&poller, Some(0)), []);
    socket.watch(&poller, CONN, true, false).unwrap();
    assert_eq!(happened(&poller, None), [Event::Connection { conn: CONN, readable: true, writable: true }]);
}

#[test]
fn a_socket_that_was_given_away_wakes_its_new_owner_alone() {
    let (old, new) = (Poller::new().unwrap(), Poller::new().unwrap());
    let (mut socket, mut peer) = pair();
    socket.watch(&old, CONN, true, true).unwrap();
    let mut moved = Socket::adopt(socket.release(&old).unwrap());
    peer.write_all(b"late").unwrap();
    moved.watch(&new, Conn(9), true, false).unwrap();
    assert_eq!(happened(&new, None), [Event::Connection { conn: Conn(9), readable: true, writable: false }]);
    assert_eq!(happened(&old, Some(0)), []);
}
