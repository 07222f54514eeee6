//! Accounts are registered with a server that takes them, and a server that does not is quoted with a cure.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server that knows no more than registration, on direct TLS.
struct Registry {
    port: String,
    accounts: Arc<Mutex<HashSet<String>>>,
}

impl Registry {
    /// It asks for these fields, and refuses whoever has this in his name.
    fn start(fields: &'static str, refused: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let (tls, accounts) = (Arc::new(tls), Arc::new(Mutex::new(HashSet::new())));
        let shared = accounts.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let tls = StreamOwned::new(ServerConnection::new(tls.clone()).unwrap(), client);
                let accounts = shared.clone();
                thread::spawn(move || converse(tls, fields, refused, &accounts));
            }
        });
        Self { port, accounts }
    }

    fn register(&self, words: &str) -> Output {
        bench()
            .args(["accounts", "--register", "--insecure", "--direct-tls", "--port", &self.port])
            .args(words.split(' '))
            .output()
            .unwrap()
    }
}

/// Answers by rote; each question comes alone, for the other side waits for the answer.
fn converse(
    mut client: StreamOwned<ServerConnection, TcpStream>,
    fields: &str,
    refused: &str,
    accounts: &Mutex<HashSet<String>>,
) {
    let mut bytes = [0; 4096];
    loop {
        let Ok(got @ 1..) = client.read(&mut bytes) else { return };
        let said = String::from_utf8_lossy(&bytes[..got]).into_owned();
        let error = |kind: &str, condition: &str| {
            format!(
                "<iq type='error' id='register'><error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            )
        };
        let answer = if said.contains("</stream:stream>") {
            "</stream:stream>".to_owned()
        } else if said.contains("<stream:stream") {
            "<?xml version='1.0'?><stream:stream from='localhost' id='1' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:features><register xmlns='http://jabber.org/features/iq-register'/></stream:features>".to_owned()
        } else if said.contains("type='get'") {
            format!("<iq type='result' id='fields'><query xmlns='jabber:iq:register'>{fields}</query></iq>")
        } else {
            let name = said.split("<username>").nth(1).unwrap().split('<').next().unwrap().to_owned();
            assert!(said.contains("<password>bench</password>"));
            if !refused.is_empty() && name.contains(refused) {
                error("wait", "resource-constraint")
            } else if accounts.lock().unwrap().insert(name) {
                "<iq type='result' id='register'/>".to_owned()
            } else {
                error("cancel", "conflict")
            }
        };
        if client.write_all(answer.as_bytes()).and_then(|()| client.flush()).is_err() || answer == "</stream:stream>" {
            return;
        }
    }
}

fn bench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wattle-bench"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn accounts_are_registered_once() {
    let registry = Registry::start("<username/><password/>", "");
    let output = registry.register("--accounts 40 --at-once 7");
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output), "40 accounts registered, 0 were there already: bench0 to bench39\n");
    let expected: HashSet<String> = (0..40).map(|n| format!("bench{n}")).collect();
    assert_eq!(*registry.accounts.lock().unwrap(), expected);
    let output = registry.register("--accounts 43");
    assert_eq!(text(&output), "3 accounts registered, 40 were there already: bench0 to bench42\n");

    let list = std::env::temp_dir().join(format!("wattle-bench-list-{}", std::process::id()));
    std::fs::write(&list, "juliet bench\nromeo bench\n").unwrap();
    let output = registry.register(&format!("--account-list {}", list.display()));
    std::fs::remove_file(&list).unwrap();
    assert_eq!(text(&output), "2 accounts registered, 0 were there already: juliet to romeo\n");
}

#[test]
fn a_server_that_wants_a_person_or_less_haste_is_quoted() {
    let output = Registry::start("<username/><password/><email/>", "").register("--accounts 1");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("bench0: the server wants more") && text(&output).contains("(email)"));

    let limited = Registry::start("<username/><password/>", "5");
    let output = limited.register("--accounts 10 --at-once 1");
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output);
    assert!(told.contains("bench5: the server limits how many register in a time"), "{told}");
    assert!(told.contains("registration_timeout: infinity") && told.contains("<resource-constraint"), "{told}");
    assert!(told.contains("5 accounts registered"), "{told}");
}

#[test]
fn nonsense_options_get_a_cure() {
    for (words, cure) in [
        ("accounts", "--command"),
        ("accounts --register", "write --ca FILE, or --insecure"),
        ("accounts --register --command x", "cannot be used with"),
        ("accounts --register --at-once 0", "1..=1000"),
        ("accounts --command true", "{user}"),
        ("accounts --register --insecure --port 1", "Connection refused"),
    ] {
        let output = bench().args(words.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(text(&output).contains(cure), "{words}: {}", text(&output));
    }
    let made = bench().args(["accounts", "--accounts", "2", "--command", "test {user} != bench9"]).output().unwrap();
    assert_eq!(text(&made), "2 accounts made: bench0 to bench1\n");
}
