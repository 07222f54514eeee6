//! The TLS settings of the clients, and of the floor that answers them.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;

use crate::trusting::Trusting;

/// Settings of the clients: certificates are verified against `ca`, or not at all.
/// `resume` keeps tickets; without it each connection makes a full handshake.
pub(crate) fn client(ca: Option<&Path>, resume: bool, alpn: bool) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match ca {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            let faulty = |e: &dyn std::fmt::Display| format!("--ca {}: {e}", file.display());
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| faulty(&e))? {
                roots.add(certificate.map_err(|e| faulty(&e))?).map_err(|e| faulty(&e))?;
            }
            if roots.is_empty() {
                return Err(faulty(&"no PEM certificate in it"));
            }
            builder.with_root_certificates(roots)
        }
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Trusting(provider))),
    };
    let mut config = builder.with_no_client_auth();
    config.resumption = if resume { Resumption::in_memory_sessions(256) } else { Resumption::disabled() };
    if alpn {
        config.alpn_protocols = vec![b"xmpp-client".to_vec()];
    }
    Ok(Arc::new(config))
}

/// Settings of the floor, with a certificate made on the spot.
pub(crate) fn floor(domain: &str) -> Result<Arc<ServerConfig>, String> {
    let made = rcgen::generate_simple_self_signed(vec![domain.to_owned()]).map_err(|e| e.to_string())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(|e| e.to_string())?;
    Ok(Arc::new(config))
}
