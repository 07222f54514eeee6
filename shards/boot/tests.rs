//! Whole servers in this process: they start, secure connections on every shard, and end in order.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::TcpStream;

use rustls::{ClientConnection, StreamOwned};
use wattle::config::Shards;

use super::*;
use crate::tls::tests::{Folder, SUITES, client, client_config};

fn config(folder: &Folder, shards: u16) -> Config {
    let mut config = Config::default();
    config.server.data = folder.0.join("data");
    config.server.shards = Shards::Count(shards);
    config.listen.client = vec!["127.0.0.1:0".parse().unwrap()];
    config.listen.client_tls = vec!["127.0.0.1:0".parse().unwrap()];
    config
}

fn start(config: &Config) -> Server {
    Server::start(Arc::new(config.clone()), Arc::new(|_, _, _| {})).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn connect(server: &Server) -> StreamOwned<ClientConnection, TcpStream> {
    let (address, _) = server.listening.iter().find(|(_, listener)| *listener == Listener::ClientTls).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut stream = StreamOwned::new(client(&client_config(SUITES[0]), "localhost"), socket);
    stream.flush().unwrap();
    assert!(!stream.conn.is_handshaking());
    stream
}

#[test]
fn servers_of_one_and_of_many_shards_serve_and_end() {
    for shards in [1, 4] {
        let folder = Folder::new(&format!("boot-{shards}"));
        let server = start(&config(&folder, shards));
        assert_eq!(server.shards(), shards);
        assert!(server.self_signed.as_ref().unwrap().is_new);
        for _ in 0..20 {
            let mut stream = connect(&server);
            // Whatever is said about these bytes, it ends in order: close_notify, or this read fails.
            stream.write_all(&[0xff; 40_000]).unwrap();
            let mut last_words = Vec::new();
            stream.read_to_end(&mut last_words).unwrap();
            assert_ne!(last_words, b"");
        }
        let mut idle: Vec<_> = (0..10).map(|_| connect(&server)).collect();
        let ended = std::thread::spawn(move || idle.iter_mut().for_each(|one| drop(one.read_to_end(&mut Vec::new()))));
        server.stop();
        ended.join().unwrap();
        let again = start(&config(&folder, shards));
        assert!(!again.self_signed.as_ref().unwrap().is_new, "the certificate is kept");
        again.stop();
    }
}

#[test]
fn a_reload_shows_the_new_certificate_and_keeps_connections() {
    let folder = Folder::new("boot-reload");
    let mut config = config(&folder, 2);
    let mut server = start(&config);
    let mut kept = connect(&server);
    let other = folder.0.join("other");
    fs::create_dir_all(&other).unwrap();
    let files = self_signed(&other, &["localhost".into()]).unwrap().files;
    config.domains[0].certificate = Some(files.chain.clone());
    config.domains[0].key = Some(files.key.clone());
    server.reload(Arc::new(config.clone())).unwrap();
    let own = fs::read(&files.chain).unwrap();
    let own = <rustls_pki_types::CertificateDer<'_> as rustls_pki_types::pem::PemObject>::from_pem_slice(&own).unwrap();
    while server.door().depths() != [0, 0] {
        std::thread::yield_now();
    }
    let shown = connect(&server);
    assert_eq!(shown.conn.peer_certificates().unwrap()[0], own);
    config.domains[0].key = Some(folder.0.join("nothing"));
    assert_eq!(server.reload(Arc::new(config)).unwrap_err().len(), 1, "a broken one changes nothing");
    kept.write_all(&[0xff; 4]).unwrap();
    let mut last_words = Vec::new();
    kept.read_to_end(&mut last_words).unwrap();
    assert_ne!(last_words, b"");
    server.stop();
}

#[test]
fn faults_come_with_cures() {
    let folder = Folder::new("boot-faults");
    let mut config = config(&folder, 1);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    config.listen.client = vec![taken.local_addr().unwrap()];
    config.server.data = "/dev/null/data".into();
    config.domains[0].certificate = Some(folder.0.join("nothing.crt"));
    config.domains[0].key = Some(folder.0.join("nothing.key"));
    let found: Vec<_> = faults(&config).into_iter().map(|fault| fault.what).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("the data folder /dev/null/data cannot be used"), "{found:?}");
    assert!(found[1].contains("in use"), "{found:?}");
    assert!(found[2].starts_with("the certificate "), "{found:?}");
}
