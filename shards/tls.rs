//! TLS of one connection as a plain value: bytes in, bytes out, no socket (RFC 8446, RFC 5246; bindings: RFC 9266, RFC 5929).
//!
//! rustls' unbuffered API makes a connection movable between shards and an idle one small (3.3 KiB against 7.5 KiB with the
//! buffered API). That API has neither the exporter nor the server name, so both are caught while they pass: the exporter
//! secret as key log, the name in the certificate resolver; see `Handshake`.

#[cfg(test)]
pub(crate) mod tests;

use std::cell::RefCell;
use std::sync::Arc;

use ring::{digest, hmac};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, UnbufferedServerConnection,
};
use rustls::sign::CertifiedKey;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, KeyLog, ProtocolVersion, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use wattle::config::TlsVersion;
use wattle::input::TlsFacts;

use crate::certificates::{Certificates, Shown};

/// ALPN name of client-to-server streams (XEP-0368 section 4).
const ALPN_CLIENT: &[u8] = b"xmpp-client";
/// Bytes that one connection may keep undecrypted: a handshake message of 64 KiB and a record of 18 KiB, which is more than
/// rustls lets pass; at it the connection fails.
const LEFTOVER_BYTES: usize = 96 * 1024;
/// What encryption adds to a record, at most: header, content type, authentication tag, and TLS 1.2's explicit nonce.
const RECORD_OVERHEAD_BYTES: usize = 5 + 1 + 16 + 8;
/// Plain bytes of a record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1024;

/// How this server speaks TLS; one value for all shards, replaced as a whole when certificates are read again.
pub(crate) struct TlsSettings {
    starttls: Arc<ServerConfig>,
    direct: Arc<ServerConfig>,
    tickets: Arc<dyn ProducesTickets>,
}

impl TlsSettings {
    /// Settings that show `certificates` and speak no version before `oldest`. `before` keeps the ticket keys over a reload, so that sessions resume.
    pub(crate) fn new(
        certificates: Certificates,
        oldest: TlsVersion,
        before: Option<&Self>,
    ) -> Result<Self, rustls::Error> {
        let tickets = match before {
            Some(before) => before.tickets.clone(),
            None => provider::Ticketer::new()?,
        };
        let versions: &[&SupportedProtocolVersion] = match oldest {
            TlsVersion::Tls12 => &[&TLS13, &TLS12],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let resolver = Arc::new(Resolver { certificates });
        let make = |alpn: &[&[u8]]| -> Result<Arc<ServerConfig>, rustls::Error> {
            let mut config = ServerConfig::builder_with_provider(Arc::new(suites()))
                .with_protocol_versions(versions)?
                .with_no_client_auth()
                .with_cert_resolver(resolver.clone());
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            // Tickets carry the session to whichever shard accepts next; the default cache is a map behind a lock.
            config.ticketer = tickets.clone();
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 1;
            config.ignore_client_order = true;
            config.key_log = Arc::new(CatchExporter);
            Ok(Arc::new(config))
        };
        Ok(Self { starttls: make(&[])?, direct: make(&[ALPN_CLIENT])?, tickets })
    }
}

/// AES-GCM first where the CPU computes AES, ChaCha20-Poly1305 first where it would be done in software.
fn suites() -> CryptoProvider {
    let mut provider = provider::default_provider();
    let has_aes = cpu_has_aes();
    provider.cipher_suites.sort_by_key(|suite| {
        let aes = is_aes(suite);
        // TLS 1.3 before 1.2; AES-128 is the cheaper of the two and no weaker against anything known.
        (suite.tls13().is_none(), aes != has_aes, !is_aes_128(suite))
    });
    provider
}

fn is_aes(suite: &SupportedCipherSuite) -> bool {
    !matches!(
        suite.suite(),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

fn is_aes_128(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn cpu_has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn cpu_has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
fn cpu_has_aes() -> bool {
    false
}

/// What passes by during a handshake and cannot be asked for afterwards.
#[derive(Default)]
struct Handshake {
    server_name: Option<Box<str>>,
    shown: Option<Arc<Shown>>,
    exporter_secret: Vec<u8>,
}

thread_local! {
    /// The handshake that this thread works on right now; rustls' callbacks do not say for which connection they are.
    /// Invariant: filled before and emptied after each call of `process_tls_records` that belongs to a handshake.
    static AT_HAND: RefCell<Handshake> = RefCell::default();
}

#[derive(Debug)]
struct Resolver {
    certificates: Certificates,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.certificates.choose(hello.server_name());
        AT_HAND.with_borrow_mut(|at_hand| {
            at_hand.server_name = hello.server_name().map(Into::into);
            at_hand.shown = Some(shown.clone());
        });
        Some(shown.key.clone())
    }
}

#[derive(Debug)]
struct CatchExporter;

impl KeyLog for CatchExporter {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        if self.will_log(label) {
            AT_HAND.with_borrow_mut(|at_hand| at_hand.exporter_secret = secret.to_vec());
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == "EXPORTER_SECRET"
    }
}

/// What [`Tls::receive`] came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// More may come.
    Open,
    /// The peer said close_notify; what it sent before is decrypted.
    Ended,
    /// The peer broke TLS; an alert for it stands in the output.
    Failed,
}

/// The server's end of one TLS connection.
pub(crate) struct Tls {
    conn: Box<UnbufferedServerConnection>,
    /// The head of a record or handshake message whose rest has not come.
    ///
    /// Invariant: every call into rustls sees these bytes, also one that only encrypts; rustls slices into them by offsets
    /// it remembers, and panics if they are missing.
    leftover: Vec<u8>,
    handshake: Option<Box<Handshake>>,
    /// The peer said close_notify.
    ended: bool,
}

impl Tls {
    /// Waits for a ClientHello. `direct` for a listener whose first byte is TLS, where ALPN is answered (XEP-0368).
    pub(crate) fn new(settings: &TlsSettings, direct: bool) -> Result<Self, rustls::Error> {
        let config = if direct { &settings.direct } else { &settings.starttls };
        let conn = Box::new(UnbufferedServerConnection::new(config.clone())?);
        Ok(Self { conn, leftover: Vec::new(), handshake: Some(Box::default()), ended: false })
    }

    /// True until the handshake is done.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.handshake.is_some()
    }

    /// Bytes that must stand before freshly read ones when [`Tls::receive`] is called.
    pub(crate) fn take_leftover(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.leftover)
    }

    /// Gives the leftover back if nothing was read behind it.
    pub(crate) fn put_back_leftover(&mut self, leftover: Vec<u8>) {
        self.leftover = leftover;
    }

    /// Decrypts `incoming` (the leftover and what was read behind it), in place, and appends what it says to `plain` and
    /// what TLS itself must answer to `out`. Returns the facts in the call in which the handshake ends.
    pub(crate) fn receive(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> (Received, Option<Box<TlsFacts>>) {
        let was_handshaking = self.handshake.is_some();
        if let Some(handshake) = &mut self.handshake {
            AT_HAND.with_borrow_mut(|at_hand| std::mem::swap(at_hand, handshake));
        }
        let (done, outcome) = self.process(incoming, plain, out);
        if let Some(handshake) = &mut self.handshake {
            AT_HAND.with_borrow_mut(|at_hand| std::mem::swap(at_hand, handshake));
        }
        let outcome = match outcome {
            Ok(()) if incoming.len() - done > LEFTOVER_BYTES => Received::Failed,
            Ok(()) if self.ended => Received::Ended,
            Ok(()) => Received::Open,
            Err(_) => Received::Failed,
        };
        if outcome == Received::Open {
            self.leftover = incoming[done..].to_vec();
        }
        let mut facts = None;
        if was_handshaking
            && outcome != Received::Failed
            && !self.conn.is_handshaking()
            && let Some(handshake) = self.handshake.take()
        {
            facts = Some(Box::new(self.facts(*handshake)));
        }
        (outcome, facts)
    }

    /// Runs rustls until it wants more bytes; returns how many of `incoming` are done with.
    fn process(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> (usize, Result<(), rustls::Error>) {
        let mut done = 0;
        let mut failure = None;
        loop {
            // After a failure nothing more is read; rustls is asked once more for the alert that it wants to send.
            let input: &mut [u8] = if failure.is_some() { &mut [] } else { &mut incoming[done..] };
            let UnbufferedStatus { mut discard, state } = self.conn.process_tls_records(input);
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                discard += record.discard;
                                plain.extend_from_slice(record.payload);
                            }
                            Err(error) => return (done, Err(error)),
                        }
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    let written = encode(out, |room| {
                        data.encode(room).map_err(|error| match error {
                            EncodeError::InsufficientSize(size) => Some(size),
                            _ => None,
                        })
                    });
                    if written.is_none() {
                        return (done, Err(rustls::Error::EncryptError));
                    }
                }
                // `out` is ours already: nothing can be lost between here and the socket.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.ended = true,
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) | ConnectionState::Closed) => {
                    done += discard;
                    return (done, failure.map_or(Ok(()), Err));
                }
                // 0-RTT is not offered, so none comes; anything new in rustls would be a change of this match.
                Ok(_) => return (done, Err(rustls::Error::HandshakeNotComplete)),
                Err(error) if failure.is_none() => failure = Some(error),
                Err(error) => return (done, Err(error)),
            }
            done += discard;
        }
    }

    fn facts(&self, handshake: Handshake) -> TlsFacts {
        let tls13 = self.conn.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let exporter = if tls13 { export(&handshake.exporter_secret, b"EXPORTER-Channel-Binding") } else { None };
        TlsFacts {
            tls13,
            server_name: handshake.server_name,
            exporter,
            end_point: handshake.shown.and_then(|shown| shown.end_point.clone()),
        }
    }

    /// Encrypts `plain` behind `out`, as few records as it takes. False if TLS cannot send any more.
    pub(crate) fn encrypt(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        self.write(out, |traffic, out| {
            let start = out.len();
            let records = plain.len() / RECORD_BYTES + 1;
            out.resize(start + plain.len() + records * RECORD_OVERHEAD_BYTES, 0);
            let written = traffic.encrypt(plain, &mut out[start..]);
            out.truncate(start + written.as_ref().map_or(0, |written| *written));
            written.is_ok()
        })
    }

    /// Says close_notify behind `out`.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        self.write(out, |traffic, out| {
            encode(out, |room| {
                traffic.queue_close_notify(room).map_err(|error| match error {
                    EncryptError::InsufficientSize(size) => Some(size),
                    EncryptError::EncryptExhausted => None,
                })
            })
            .is_some()
        });
    }

    fn write(
        &mut self,
        out: &mut Vec<u8>,
        mut act: impl FnMut(
            &mut rustls::unbuffered::WriteTraffic<'_, rustls::server::ServerConnectionData>,
            &mut Vec<u8>,
        ) -> bool,
    ) -> bool {
        loop {
            let UnbufferedStatus { discard, state } = self.conn.process_tls_records(&mut self.leftover);
            let mut result = None;
            match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => result = Some(act(&mut traffic, out)),
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    let written = encode(out, |room| {
                        data.encode(room).map_err(|error| match error {
                            EncodeError::InsufficientSize(size) => Some(size),
                            _ => None,
                        })
                    });
                    if written.is_none() {
                        result = Some(false);
                    }
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.ended = true,
                _ => result = Some(false),
            }
            self.leftover.drain(..discard);
            if let Some(result) = result {
                return result;
            }
        }
    }
}

/// Lets `write` write behind `out`, with as much room as it asks for.
fn encode(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> Option<usize> {
    let start = out.len();
    let mut room = 0;
    loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Some(written);
            }
            Err(Some(size)) if size.required_size > room => room = size.required_size,
            Err(_) => {
                out.truncate(start);
                return None;
            }
        }
    }
}

/// TLS 1.3's exporter (RFC 8446 section 7.5) with an empty context, 32 bytes. The hash is told by the secret's length.
fn export(secret: &[u8], label: &[u8]) -> Option<[u8; 32]> {
    let (mac, hash) = match secret.len() {
        32 => (hmac::HMAC_SHA256, &digest::SHA256),
        48 => (hmac::HMAC_SHA384, &digest::SHA384),
        _ => return None,
    };
    let empty = digest::digest(hash, b"");
    // HKDF-Expand-Label of at most one hash length is one HMAC (RFC 5869 section 2.3).
    let expand = |secret: &[u8], label: &[u8], context: &[u8], length: u16| {
        let mut info = length.to_be_bytes().to_vec();
        info.push(u8::try_from(6 + label.len()).ok()?);
        info.extend_from_slice(b"tls13 ");
        info.extend_from_slice(label);
        info.push(u8::try_from(context.len()).ok()?);
        info.extend_from_slice(context);
        info.push(1);
        Some(hmac::sign(&hmac::Key::new(mac, secret), &info))
    };
    let derived = expand(secret, label, empty.as_ref(), u16::try_from(secret.len()).ok()?)?;
    let exported = expand(derived.as_ref(), b"exporter", empty.as_ref(), 32)?;
    exported.as_ref().get(..32)?.try_into().ok()
}
