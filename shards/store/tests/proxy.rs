//! A wire to PostgreSQL that breaks when the question has arrived and before the answer does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a question holds whose answer will be lost, once.
#[derive(Clone, Default)]
pub(super) struct Trap(Arc<Mutex<Option<&'static str>>>);

impl Trap {
    pub(super) fn set(&self, words: &'static str) {
        *self.0.lock().unwrap() = Some(words);
    }

    fn catches(&self, bytes: &[u8]) -> bool {
        let mut words = self.0.lock().unwrap();
        let caught = words.is_some_and(|words| bytes.windows(words.len()).any(|window| window == words.as_bytes()));
        if caught {
            *words = None;
        }
        caught
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

/// Passes everything on to a port of this host, but for what the trap catches; says where.
pub(super) fn start(port: u16) -> (u16, Trap) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().port();
    let trap = Trap::default();
    let theirs = trap.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            let caught = Arc::new(Mutex::new(false));
            let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (trap, told) = (theirs.clone(), Arc::clone(&caught));
            thread::spawn(move || {
                pass(client, server, |bytes| {
                    if trap.catches(bytes) {
                        *told.lock().unwrap() = true;
                    }
                    true
                });
            });
            thread::spawn(move || pass(ends.1, ends.0, |_| !*caught.lock().unwrap()));
        }
    });
    (at, trap)
}

/// Until one side ends or `may` says no.
fn pass(mut from: TcpStream, mut to: TcpStream, mut may: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !may(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
