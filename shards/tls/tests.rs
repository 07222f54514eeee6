//! The server's end of TLS against rustls' own client: handshakes, bindings, moves, and bytes that come one by one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../tests/wire/trusting.rs"]
mod trusting;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use super::*;
use crate::certificates::{CertificateFiles, self_signed};
use trusting::TrustAll;

pub(crate) fn client_config(suite: SupportedCipherSuite) -> Arc<ClientConfig> {
    let mut provider = default_provider();
    provider.cipher_suites = vec![suite];
    let versions: &[&SupportedProtocolVersion] = if suite.tls13().is_some() { &[&TLS13] } else { &[&TLS12] };
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions).unwrap();
    Arc::new(config.dangerous().with_custom_certificate_verifier(Arc::new(TrustAll)).with_no_client_auth())
}

pub(crate) fn client(config: &Arc<ClientConfig>, name: &str) -> ClientConnection {
    ClientConnection::new(config.clone(), name.to_owned().try_into().unwrap()).unwrap()
}

/// A folder that is gone with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wattle-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn settings(folder: &Folder) -> TlsSettings {
    let names: [Box<str>; 2] = ["one.example".into(), "two.example".into()];
    let domains = names.map(|name| {
        let data = folder.0.join(&*name);
        std::fs::create_dir_all(&data).unwrap();
        let files: CertificateFiles = self_signed(&data, std::slice::from_ref(&name)).unwrap().files;
        (name, files)
    });
    TlsSettings::new(Certificates::load(&domains).unwrap(), TlsVersion::Tls12, None).unwrap()
}

/// Carries bytes until both have nothing to say, `step` bytes at a time; returns what the server read, and its facts.
fn talk(client: &mut ClientConnection, server: &mut Tls, step: usize) -> (Vec<u8>, Option<Box<TlsFacts>>, Received) {
    let mut plain = Vec::new();
    let mut facts = None;
    let mut outcome = Received::Open;
    loop {
        let mut to_server = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut to_server).unwrap();
        }
        let mut to_client = Vec::new();
        for chunk in to_server.chunks(step) {
            let mut incoming = server.take_leftover();
            incoming.extend_from_slice(chunk);
            let (received, found) = server.receive(&mut incoming, &mut plain, &mut to_client);
            outcome = received;
            facts = facts.or(found);
        }
        let mut rest = &to_client[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            // The client's own opinion of an alert is not the matter here.
            let _ = client.process_new_packets();
        }
        if to_server.is_empty() && to_client.is_empty() {
            return (plain, facts, outcome);
        }
    }
}

fn hear(client: &mut ClientConnection, bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut heard = vec![0; 1 << 20];
    let mut length = 0;
    while !rest.is_empty() {
        client.read_tls(&mut rest).unwrap();
        client.process_new_packets().unwrap();
        while let Ok(count @ 1..) = client.reader().read(&mut heard[length..]) {
            length += count;
        }
    }
    heard.truncate(length);
    heard
}

pub(crate) const SUITES: [SupportedCipherSuite; 4] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
];

#[test]
fn bindings_are_those_of_the_client() {
    let folder = Folder::new("bindings");
    let settings = settings(&folder);
    for suite in SUITES {
        for step in [1, 7, usize::MAX] {
            let mut client = client(&client_config(suite), "two.example");
            let mut server = Tls::new(&settings, false).unwrap();
            assert!(server.is_handshaking());
            let (_, facts, outcome) = talk(&mut client, &mut server, step);
            assert_eq!(outcome, Received::Open);
            let facts = facts.unwrap();
            assert!(!server.is_handshaking());
            assert_eq!(facts.server_name.as_deref(), Some("two.example"));
            assert_eq!(facts.tls13, suite.tls13().is_some());
            // RFC 9266 section 4.2: no context, 32 bytes.
            let theirs = client.export_keying_material([0_u8; 32], b"EXPORTER-Channel-Binding", None).unwrap();
            assert_eq!(facts.exporter, suite.tls13().is_some().then_some(theirs));
            // RFC 5929 section 4.1: rcgen signs with ecdsa-with-SHA256.
            let shown = client.peer_certificates().unwrap().first().unwrap();
            assert_eq!(facts.end_point.as_deref(), Some(digest::digest(&digest::SHA256, shown).as_ref()));
        }
    }
}

#[test]
fn the_name_chooses_the_certificate() {
    let folder = Folder::new("names");
    let settings = settings(&folder);
    let shown_to = |name: &str| {
        let mut client = client(&client_config(SUITES[0]), name);
        talk(&mut client, &mut Tls::new(&settings, false).unwrap(), usize::MAX);
        client.peer_certificates().unwrap()[0].to_vec()
    };
    let (one, two) = (shown_to("one.example"), shown_to("two.example"));
    assert_ne!(one, two);
    assert_eq!(shown_to("rooms.two.example"), two, "the nearest parent");
    assert_eq!(shown_to("elsewhere.example"), one, "the first");
    assert_eq!(shown_to("127.0.0.1"), one, "no name at all");
}

#[test]
fn words_go_both_ways_also_after_a_move() {
    let folder = Folder::new("words");
    let settings = settings(&folder);
    for suite in SUITES {
        let mut client = client(&client_config(suite), "one.example");
        let mut server = Tls::new(&settings, false).unwrap();
        talk(&mut client, &mut server, usize::MAX);
        client.set_buffer_limit(None);
        let long: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        client.writer().write_all(&long).unwrap();
        assert_eq!(talk(&mut client, &mut server, 1000).0, long);
        // Half a record stays with the connection while it moves.
        client.writer().write_all(b"half and half").unwrap();
        let mut record = Vec::new();
        client.write_tls(&mut record).unwrap();
        let (head, tail) = record.split_at(9);
        let mut plain = Vec::new();
        server.receive(&mut head.to_vec(), &mut plain, &mut Vec::new());
        assert_eq!(plain, b"");
        let tail = tail.to_vec();
        let (mut server, heard, out) = std::thread::spawn(move || {
            let mut out = Vec::new();
            assert!(server.encrypt(&[b'x'; 40_000], &mut out), "what waits to be read does not hinder writing");
            let mut incoming = server.take_leftover();
            incoming.extend_from_slice(&tail);
            let mut plain = Vec::new();
            server.receive(&mut incoming, &mut plain, &mut Vec::new());
            (server, plain, out)
        })
        .join()
        .unwrap();
        assert_eq!(heard, b"half and half");
        assert_eq!(hear(&mut client, &out), [b'x'; 40_000]);
        client.send_close_notify();
        assert_eq!(talk(&mut client, &mut server, 5).2, Received::Ended);
        let mut out = Vec::new();
        server.close(&mut out);
        let mut rest = &out[..];
        client.read_tls(&mut rest).unwrap();
        assert!(client.process_new_packets().unwrap().peer_has_closed());
    }
}

#[test]
fn a_half_handshake_message_behind_the_handshake_harms_nobody() {
    let folder = Folder::new("half");
    let settings = settings(&folder);
    let mut config = Arc::unwrap_or_clone(client_config(SUITES[0]));
    config.enable_secret_extraction = true;
    let mut client = client(&Arc::new(config), "one.example");
    let mut server = Tls::new(&settings, false).unwrap();
    talk(&mut client, &mut server, usize::MAX);
    // A key update (RFC 8446 section 4.6.3) whose record ends in the middle: encrypted by hand with the client's keys.
    let secrets = client.dangerous_extract_secrets().unwrap();
    let (sequence, rustls::ConnectionTrafficSecrets::Aes128Gcm { key, iv }) = secrets.tx else {
        panic!("another suite")
    };
    let mut nonce = <[u8; 12]>::try_from(iv.as_ref()).unwrap();
    for (byte, count) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= count;
    }
    let key =
        ring::aead::LessSafeKey::new(ring::aead::UnboundKey::new(&ring::aead::AES_128_GCM, key.as_ref()).unwrap());
    let mut record = vec![24, 0, 22];
    let header = [23, 3, 3, 0, 19];
    let nonce = ring::aead::Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, ring::aead::Aad::from(header), &mut record).unwrap();
    let mut incoming = header.to_vec();
    incoming.append(&mut record);
    server.receive(&mut incoming, &mut Vec::new(), &mut Vec::new());
    let mut out = Vec::new();
    server.encrypt(b"still here", &mut out);
    server.close(&mut out);
}

#[test]
fn tickets_resume_at_other_shards_and_after_a_reload() {
    let folder = Folder::new("tickets");
    let before = settings(&folder);
    for suite in SUITES {
        let config = client_config(suite);
        let mut first = client(&config, "one.example");
        talk(&mut first, &mut Tls::new(&before, false).unwrap(), usize::MAX);
        assert_eq!(first.handshake_kind(), Some(HandshakeKind::Full));
        let files = |name: &str| self_signed(&folder.0.join(name), &[]).unwrap().files;
        let domains = [("one.example".into(), files("one.example"))];
        let certificates = Certificates::load(&domains).unwrap();
        let after = TlsSettings::new(certificates, TlsVersion::Tls12, Some(&before)).unwrap();
        let mut second = client(&config, "one.example");
        let (_, facts, _) = talk(&mut second, &mut Tls::new(&after, true).unwrap(), usize::MAX);
        assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed));
        let facts = facts.unwrap();
        assert_eq!(facts.server_name.as_deref(), Some("one.example"));
        assert!(facts.end_point.is_some(), "also where no certificate travelled");
    }
}

#[test]
fn nonsense_is_answered_with_an_alert() {
    let folder = Folder::new("nonsense");
    let settings = settings(&folder);
    let mut server = Tls::new(&settings, true).unwrap();
    let mut out = Vec::new();
    let mut incoming = b"<?xml version='1.0'?><stream:stream>".to_vec();
    assert_eq!(server.receive(&mut incoming, &mut Vec::new(), &mut out).0, Received::Failed);
    // Content type 21 is an alert (RFC 8446 section 5.1).
    assert_eq!(out.first(), Some(&21));
    assert!(!server.encrypt(b"nobody hears this", &mut out));
}

#[test]
fn direct_tls_agrees_on_the_protocol_name_or_on_none() {
    let folder = Folder::new("alpn");
    let settings = settings(&folder);
    for (offer, outcome) in [(&["xmpp-client"][..], Received::Open), (&[], Received::Open), (&["h2"], Received::Failed)]
    {
        let mut config = Arc::unwrap_or_clone(client_config(SUITES[0]));
        config.alpn_protocols = offer.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut client = client(&Arc::new(config), "one.example");
        assert_eq!(talk(&mut client, &mut Tls::new(&settings, true).unwrap(), usize::MAX).2, outcome);
        let agreed = (outcome == Received::Open && !offer.is_empty()).then_some(ALPN_CLIENT);
        assert_eq!(client.alpn_protocol(), agreed);
    }
}
