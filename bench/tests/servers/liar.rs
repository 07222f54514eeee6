//! Stands between the bench and an honest server, and lies once, about what the test is for.
//!
//! It takes TLS at once and speaks it to the server too, so it sees every stanza. It lies about the first that it sees of the
//! bench's numbered texts with the number that it is told.

#[path = "../../src/trusting.rs"]
mod trusting;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use trusting::Trusting;

/// What it does with one stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// It does not reach the client.
    Lose,
    /// It reaches it twice.
    Double,
    /// The next one of the same sender reaches it first.
    Swap,
    /// It does not reach the server, and comes back as an error.
    Refuse,
    /// Nothing reaches that client any more.
    Stall,
    /// The connection ends.
    Drop,
}

/// Listens as long as the test runs.
pub(crate) struct Liar {
    pub(crate) port: String,
}

struct Trade {
    lie: Lie,
    about: u64,
    lied: AtomicBool,
    to_server: Arc<ClientConfig>,
    to_client: Arc<ServerConfig>,
    server: String,
}

impl Liar {
    /// Before the server whose direct TLS is on that port.
    pub(crate) fn start(server_port: &str, lie: Lie, about: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let provider = Arc::new(ring::default_provider());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let to_client = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let to_server = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
            .with_no_client_auth();
        let trade = Arc::new(Trade {
            lie,
            about,
            lied: AtomicBool::new(false),
            to_server: Arc::new(to_server),
            to_client: Arc::new(to_client),
            server: format!("127.0.0.1:{server_port}"),
        });
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let trade = trade.clone();
                thread::spawn(move || relay(&trade, client));
            }
        });
        Self { port }
    }
}

impl Trade {
    /// Whether this is the stanza to lie about. What somebody hears of himself is not worth a lie.
    fn chosen(&self, stanza: &str) -> bool {
        let bare = |name| attribute(stanza, name).and_then(|jid| jid.split('/').next());
        let others = bare("from").is_none_or(|from| bare("to") != Some(from));
        let asked = numbered(stanza).is_some_and(|(_, number)| number == self.about);
        others && asked && !self.lied.swap(true, Ordering::Relaxed)
    }
}

/// Which of the bench's clients wrote the text in a stanza, and which of his it is, if it is a numbered one.
fn numbered(stanza: &str) -> Option<(&str, u64)> {
    let text = ["<body>wb", "<status>wb"].into_iter().find_map(|tag| stanza.split_once(tag))?.1;
    let mut words = text.split(' ').skip(1);
    Some((words.next()?, words.next()?.parse().ok()?))
}

/// An attribute of the first tag.
fn attribute<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    let tag = stanza.split('>').next()?;
    let (_, value) = tag.split_once(&format!(" {name}="))?;
    value.get(1..)?.split(&value[..1]).next()
}

/// One direction's bytes, cut into stanzas.
#[derive(Default)]
struct Pieces(Vec<u8>);

impl Pieces {
    /// Takes the first whole stanza, nonza, stream header or end of stream.
    fn next(&mut self) -> Option<String> {
        let (mut depth, mut at) = (0_usize, 0);
        while at < self.0.len() {
            if self.0[at] != b'<' {
                at += 1;
                continue;
            }
            let end = at + self.0[at..].iter().position(|byte| *byte == b'>')? + 1;
            let tag = &self.0[at..end];
            let alone = [&b"<?"[..], b"<stream:stream", b"</stream:stream"].iter().any(|start| tag.starts_with(start));
            if tag.starts_with(b"</") {
                depth = depth.saturating_sub(1);
            } else if !tag.ends_with(b"/>") && !alone {
                depth += 1;
            }
            at = end;
            if depth == 0 {
                return Some(String::from_utf8(self.0.drain(..end).collect()).unwrap());
            }
        }
        None
    }
}

/// Relays one client until one side is gone, and then ends both.
fn relay(trade: &Trade, mut client: TcpStream) -> Option<()> {
    let mut server = TcpStream::connect(&trade.server).ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    let mut to_client = Connection::from(ServerConnection::new(trade.to_client.clone()).ok()?);
    let mut to_server = Connection::from(ClientConnection::new(trade.to_server.clone(), name).ok()?);
    let (mut said, mut answered) = (Pieces::default(), Pieces::default());
    let (mut held, mut stalled) = (None::<String>, false);
    loop {
        flush(&mut to_client, &mut client)?;
        flush(&mut to_server, &mut server)?;
        let (from_client, from_server) = {
            let mut both = [PollFd::new(&client, PollFlags::IN), PollFd::new(&server, PollFlags::IN)];
            poll(&mut both, None).ok()?;
            (!both[0].revents().is_empty(), !both[1].revents().is_empty())
        };
        if from_client {
            read(&mut to_client, &mut client, &mut said.0)?;
            while let Some(stanza) = said.next() {
                if trade.lie == Lie::Refuse && trade.chosen(&stanza) {
                    to_client.writer().write_all(refusal(&stanza).as_bytes()).ok()?;
                } else {
                    to_server.writer().write_all(stanza.as_bytes()).ok()?;
                }
            }
        }
        if from_server {
            read(&mut to_server, &mut server, &mut answered.0)?;
            while let Some(stanza) = answered.next() {
                let mut writer = to_client.writer();
                let mut pass = |stanza: &str| writer.write_all(stanza.as_bytes()).ok();
                let chosen = trade.lie != Lie::Refuse && trade.chosen(&stanza);
                match trade.lie {
                    _ if stalled => {}
                    Lie::Lose if chosen => {}
                    Lie::Double if chosen => pass(&format!("{stanza}{stanza}"))?,
                    Lie::Swap if chosen => held = Some(stanza),
                    Lie::Stall if chosen => stalled = true,
                    Lie::Drop if chosen => return None,
                    _ => {
                        pass(&stanza)?;
                        if let Some(late) = held
                            .take_if(|late| numbered(late).map(|(who, _)| who) == numbered(&stanza).map(|(who, _)| who))
                        {
                            pass(&late)?;
                        }
                    }
                }
            }
        }
    }
}

/// The stanza as an error from whom it was for.
fn refusal(stanza: &str) -> String {
    let name = stanza[1..].split([' ', '>']).next().unwrap();
    let to = attribute(stanza, "to").unwrap_or("localhost");
    format!(
        "<{name} type='error' from='{to}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{name}>"
    )
}

fn read(tls: &mut Connection, socket: &mut TcpStream, into: &mut Vec<u8>) -> Option<()> {
    if tls.read_tls(socket).ok()? == 0 {
        return None;
    }
    let state = tls.process_new_packets().ok()?;
    let (from, more) = (into.len(), state.plaintext_bytes_to_read());
    into.resize(from + more, 0);
    tls.reader().read_exact(&mut into[from..]).ok()
}

fn flush(tls: &mut Connection, socket: &mut TcpStream) -> Option<()> {
    while tls.wants_write() {
        tls.write_tls(socket).ok()?;
    }
    Some(())
}
