//! One core between its sockets, turn by turn: what waits is written when there is room, and only what is wanted is read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};

use wattle::config::{Config, TlsVersion};
use wattle::input::Listener;
use wattle::shard::Secrets;

use super::*;
use crate::certificates::{CertificateFiles, Certificates, self_signed};
use crate::listen;
use crate::store::Store;
use crate::tls::tests::Folder;

/// A core without a thread, and what it hangs on.
struct Bench {
    core: Core,
    events: Events,
    peer: TcpStream,
    conn: Conn,
    emptied: Receiver<ShardIndex>,
    _store: Store,
    _folder: Folder,
}

impl Bench {
    /// With one connection in the clear.
    fn new(name: &str) -> Self {
        let folder = Folder::new(&format!("core-{name}"));
        let mailboxes = Mailbox::all(1).unwrap();
        let poller = Poller::new().unwrap();
        mailboxes[0].hang_at(&poller).unwrap();
        let listener = listen::open("127.0.0.1:0".parse().unwrap(), 1).unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let acceptors = Acceptors::new(vec![(listener, Listener::Client)], &poller).unwrap();
        let CertificateFiles { chain, key } = self_signed(&folder.0, &["localhost".into()]).unwrap().files;
        let certificates = Certificates::load(&[("localhost".into(), CertificateFiles { chain, key })]).unwrap();
        let mut config = Config::default();
        config.server.data = folder.0.join("store");
        let store = Store::open(&config, Arc::new(|_, _, _| {})).unwrap();
        let (emptied_sender, emptied) = channel();
        let around = Surroundings {
            clock: Clock::start(),
            poller,
            acceptors,
            tls: Arc::new(TlsSettings::new(certificates, TlsVersion::Tls12, None).unwrap()),
            store: store.handle(),
            hasher: Hasher::start(mailboxes.clone()).unwrap().0,
            mailboxes,
            reply: Arc::new(|_, _, _| {}),
            connections: 10,
            emptied: emptied_sender,
        };
        let secrets = Secrets { seed: [7; 32], installation: store.secret() };
        let shard = Shard::new(ShardIndex(0), 1, Arc::new(Config::default()), &secrets);
        let mut core = Core::new(ShardIndex(0), shard, around);
        let mut events = Events::new();
        let peer = TcpStream::connect(address).unwrap();
        while core.connections.count() == 0 {
            core.turn(&mut events);
        }
        // The first number of the first slot.
        let conn = Conn(0);
        assert!(core.connections.open(conn).is_some());
        Self { core, events, peer, conn, emptied, _store: store, _folder: folder }
    }

    fn turn(&mut self) {
        self.core.turn(&mut self.events);
    }

    /// What its socket is watched for.
    fn watched(&mut self) -> (bool, bool) {
        let socket = &self.core.connections.get(self.conn).unwrap().wire.socket;
        (socket.reads(), socket.writes())
    }
}

#[test]
fn what_a_full_socket_did_not_take_follows_in_order() {
    let mut bench = Bench::new("full");
    let bytes: Vec<u8> = (0..8_u32 << 20).map(|at| (at / 251) as u8).collect();
    bench.core.send(bench.conn, &bytes);
    bench.core.end_turn();
    assert_eq!(bench.watched(), (true, true));
    assert!(bench.core.connections.get(bench.conn).unwrap().is_congested);
    let mut peer = bench.peer.try_clone().unwrap();
    let reader = std::thread::spawn({
        let mut read = vec![0; bytes.len()];
        move || {
            peer.read_exact(&mut read).unwrap();
            read
        }
    });
    while bench.watched().1 {
        bench.turn();
    }
    assert!(!bench.core.connections.get(bench.conn).unwrap().is_congested);
    assert_eq!(bench.core.connections.get(bench.conn).unwrap().wire.waiting_bytes(), 0);
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn a_peer_that_always_lags_behind_costs_what_it_lags() {
    const LAG_BYTES: usize = 4 << 20;
    const ALL_BYTES: usize = 64 << 20;
    let mut bench = Bench::new("lag");
    let mut peer = bench.peer.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut room = vec![0; 1 << 20];
        (0..ALL_BYTES / room.len()).for_each(|_| peer.read_exact(&mut room).unwrap());
    });
    let mut sent = 0;
    loop {
        let wire = &bench.core.connections.get(bench.conn).unwrap().wire;
        let waiting = wire.waiting_bytes();
        assert!(wire.kept_bytes() <= 5 * LAG_BYTES, "{}", wire.kept_bytes());
        if waiting == 0 && sent == ALL_BYTES {
            break;
        }
        let more = LAG_BYTES.saturating_sub(waiting).min(ALL_BYTES - sent);
        bench.core.send(bench.conn, &vec![b'x'; more]);
        sent += more;
        bench.turn();
    }
    reader.join().unwrap();
}

#[test]
fn a_pause_that_ends_before_the_peer_speaks_changes_nothing() {
    let mut bench = Bench::new("pause");
    bench.core.pause(bench.conn, true);
    assert_eq!(bench.watched(), (true, false));
    bench.core.pause(bench.conn, false);
    assert_eq!(bench.watched(), (true, false));
    bench.core.pause(bench.conn, true);
    bench.peer.write_all(b"<").unwrap();
    // Told of it once, it is not woken again.
    while bench.watched().0 {
        bench.turn();
    }
    bench.core.pause(bench.conn, false);
    assert_eq!(bench.watched(), (true, false));
}

#[test]
fn a_peer_that_vanishes_during_a_pause_is_gone_behind_it() {
    let mut bench = Bench::new("vanish");
    bench.core.pause(bench.conn, true);
    bench.core.send(bench.conn, b"unread, so that closing resets");
    bench.core.end_turn();
    bench.peer.peek(&mut [0; 1]).unwrap();
    bench.peer = TcpStream::connect(bench.peer.peer_addr().unwrap()).unwrap();
    while bench.watched().0 {
        bench.turn();
    }
    assert!(bench.core.connections.get(bench.conn).is_some());
    bench.core.pause(bench.conn, false);
    while bench.core.connections.get(bench.conn).is_some() {
        bench.turn();
    }
}

#[test]
fn a_closed_connection_lingers_until_the_peer_has_read() {
    let mut bench = Bench::new("close");
    bench.core.send(bench.conn, b"farewell");
    bench.core.close(bench.conn);
    bench.core.end_turn();
    assert_eq!(bench.core.connections.get(bench.conn).unwrap().stage, Stage::Lingering);
    // What it says now harms nobody and is not answered.
    bench.peer.write_all(&[b'x'; 50_000]).unwrap();
    let mut last_words = Vec::new();
    bench.peer.read_to_end(&mut last_words).unwrap();
    assert!(last_words.ends_with(b"farewell"));
    bench.peer.shutdown(std::net::Shutdown::Write).unwrap();
    while bench.core.connections.count() > 0 {
        bench.turn();
    }
    bench.core.around.mailboxes[0].post(Parcel::Shutdown);
    bench.turn();
    bench.emptied.try_recv().unwrap();
}

#[test]
fn a_peer_that_does_not_end_is_left_when_its_time_is_over() {
    let mut bench = Bench::new("linger");
    bench.core.close(bench.conn);
    bench.core.end_turn();
    while bench.core.connections.count() > 0 {
        bench.turn();
    }
    assert!(bench.core.around.clock.mono_ms() >= wattle::limits::CLOSE_MS);
}
