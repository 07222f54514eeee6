//! One client's connection: TCP, and rustls' own client over it.

#[path = "trusting.rs"]
mod trusting;

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ring::digest;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::player::Read;
use trusting::TrustAll;

/// A connection.
pub(crate) struct Link {
    clear: TcpStream,
    tls: Option<StreamOwned<ClientConnection, TcpStream>>,
    tls12: bool,
}

impl Link {
    pub(crate) fn connect(to: SocketAddr, tls12: bool) -> io::Result<Self> {
        let clear = TcpStream::connect(to)?;
        clear.set_nodelay(true)?;
        clear.set_write_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { clear, tls: None, tls12 })
    }

    /// The whole handshake.
    pub(crate) fn start_tls(&mut self, name: &str) -> io::Result<()> {
        let versions = if self.tls12 { [&TLS12] } else { [&TLS13] };
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(&versions).unwrap();
        let mut config = builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAll)).with_no_client_auth();
        config.alpn_protocols = vec![b"xmpp-client".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        self.clear.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut stream = StreamOwned::new(connection, self.clear.try_clone()?);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.tls = Some(stream);
        Ok(())
    }

    /// RFC 9266, and RFC 5929 section 4 for a certificate that is signed with SHA-256.
    pub(crate) fn binding(&self, kind: &str) -> Option<Vec<u8>> {
        let connection = &self.tls.as_ref()?.conn;
        match kind {
            "tls-exporter" => {
                Some(connection.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap())
            }
            "tls-server-end-point" => {
                let certificate = &connection.peer_certificates()?[0];
                Some(digest::digest(&digest::SHA256, certificate).as_ref().to_vec())
            }
            _ => None,
        }
    }

    /// The server may have closed meanwhile; what it said is still to be read then.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = match &mut self.tls {
            Some(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            None => self.clear.write_all(bytes),
        };
    }

    /// Waits for bytes, or for the end.
    pub(crate) fn read(&mut self, wait: Duration) -> Read {
        self.clear.set_read_timeout(Some(wait)).unwrap();
        let mut bytes = vec![0; 16 * 1024];
        let outcome = match &mut self.tls {
            Some(stream) => stream.read(&mut bytes),
            None => self.clear.read(&mut bytes),
        };
        match outcome {
            Ok(0) => Read::Closed,
            Ok(length) => {
                bytes.truncate(length);
                Read::Bytes(bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Read::Nothing,
            Err(_) => Read::Closed,
        }
    }
}
