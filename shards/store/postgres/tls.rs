//! TLS to the database: encrypted for whoever asks, and verified for `sslmode=verify-full`.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The authorities that Debian, and whoever follows it, trusts.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Encrypts to whoever answers, as `sslmode=require` does everywhere: PostgreSQL comes with a certificate that it made
/// for itself. A login with SCRAM is bound to the channel, so that somebody in between is found out.
pub(super) fn encrypting() -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(crypto::ring::default_provider());
    let anybody = Anybody(provider.signature_verification_algorithms);
    let config = builder(provider)?.dangerous().with_custom_certificate_verifier(Arc::new(anybody));
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

/// Encrypts to the host of the URI alone, as its certificate says.
pub(super) fn verifying(authorities: Option<&Path>) -> Result<MakeRustlsConnect, String> {
    let path = authorities.unwrap_or(Path::new(SYSTEM));
    let unusable = |reason: &str| {
        format!(
            "sslmode=verify-full needs the authorities in {}: {reason}; name the file of the authority that signed the \
             database's certificate as [tls] ca_file",
            path.display()
        )
    };
    let mut roots = RootCertStore::empty();
    let mut named = Vec::new();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(&error.to_string()))?;
        // A system has some that are no authorities by today's rules; the others do.
        let _ = roots.add(certificate.clone());
        named.push(certificate);
    }
    if named.is_empty() {
        return Err(unusable("there is none"));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let by_authority = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let by_authority = by_authority.map_err(|error| unusable(&error.to_string()))?;
    let verifier = Arc::new(Named { by_authority, named });
    let config = builder(provider)?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|error| format!("TLS to the database cannot be set up: {error}; report this"))
}

/// Takes any certificate, but only from who has its key.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Takes what an authority has signed, and a certificate that stands among the authorities itself: a server that made its
/// own has no other.
#[derive(Debug)]
struct Named {
    by_authority: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.by_authority.verify_server_cert(certificate, chain, name, ocsp, now).or_else(|error| {
            if !self.named.contains(certificate) {
                return Err(error);
            }
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            Ok(ServerCertVerified::assertion())
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}
