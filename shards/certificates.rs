//! Certificates and keys: read from PEM files, made when there are none, chosen by server name (RFC 6066 section 3).

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::fault::Fault;

/// Where one domain's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    /// The chain as PEM, the server's own certificate first.
    pub(crate) chain: PathBuf,
    /// Its private key as PEM.
    pub(crate) key: PathBuf,
}

/// A certificate that can be shown.
#[derive(Debug)]
pub(crate) struct Shown {
    /// For rustls.
    pub(crate) key: Arc<CertifiedKey>,
    /// `tls-server-end-point` (RFC 5929 section 4.1); none where the RFC defines none.
    pub(crate) end_point: Option<Box<[u8]>>,
}

/// All certificates of this server.
#[derive(Debug)]
pub(crate) struct Certificates {
    by_name: HashMap<Box<str>, Arc<Shown>>,
    first: Arc<Shown>,
}

impl Certificates {
    /// Reads every file; all faults at once. The first of `domains`, in lower case and ASCII form, is shown to clients that
    /// name no domain or none of ours.
    pub(crate) fn load(domains: &[(Box<str>, CertificateFiles)]) -> Result<Self, Vec<Fault>> {
        let mut by_name = HashMap::new();
        let mut first = None;
        let mut faults = Vec::new();
        for (domain, files) in domains {
            match Shown::load(files) {
                Ok(shown) => {
                    let shown = Arc::new(shown);
                    first.get_or_insert_with(|| shown.clone());
                    by_name.insert(domain.clone(), shown);
                }
                Err(fault) if faults.contains(&fault) => {}
                Err(fault) => faults.push(fault),
            }
        }
        match first {
            Some(first) if faults.is_empty() => Ok(Self { by_name, first }),
            Some(_) => Err(faults),
            None => {
                if faults.is_empty() {
                    faults.push(Fault::new("no domain has a certificate", "name at least one domain"));
                }
                Err(faults)
            }
        }
    }

    /// The certificate for `name`: its own, else that of the nearest parent, else the first.
    pub(crate) fn choose(&self, name: Option<&str>) -> &Arc<Shown> {
        let mut name = name;
        while let Some(wanted) = name {
            if let Some(shown) = self.by_name.get(wanted) {
                return shown;
            }
            name = wanted.split_once('.').map(|(_, parent)| parent);
        }
        &self.first
    }
}

impl Shown {
    fn load(files: &CertificateFiles) -> Result<Self, Fault> {
        let chain = read(&files.chain, "certificate")?;
        let key = read(&files.key, "private key")?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain)
            .collect::<Result<_, _>>()
            .map_err(|error| broken(&files.chain, "certificate", &error.to_string()))?;
        let Some(own) = chain.first() else {
            return Err(broken(&files.chain, "certificate", "no BEGIN CERTIFICATE in it"));
        };
        let end_point = end_point(own);
        let key = PrivateKeyDer::from_pem_slice(&key)
            .map_err(|error| broken(&files.key, "private key", &error.to_string()))?;
        let key = any_supported_type(&key).map_err(|error| broken(&files.key, "private key", &error.to_string()))?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(Fault::new(
                    format!(
                        "the private key {} does not belong to the certificate {}",
                        files.key.display(),
                        files.chain.display()
                    ),
                    "name a chain and a key that were made together, the server's own certificate first in the chain",
                ));
            }
            Err(error) => return Err(broken(&files.chain, "certificate", &error.to_string())),
        }
        Ok(Self { key: Arc::new(key), end_point })
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|error| {
        Fault::new(
            format!("the {what} {} cannot be read: {error}", path.display()),
            "make the file readable for the user that wattle runs as, or correct its path in the configuration",
        )
    })
}

fn broken(path: &Path, what: &str, why: &str) -> Fault {
    Fault::new(
        format!("{} is no {what}: {why}", path.display()),
        "it must be in PEM form, as certbot and `openssl` write it, the private key without a password",
    )
}

/// A certificate that this server made for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SelfSigned {
    /// Where it lies.
    pub(crate) files: CertificateFiles,
    /// SHA-256 of the certificate, in hexadecimal with colons, as `openssl x509 -fingerprint -sha256` prints it.
    pub(crate) fingerprint: String,
    /// True if it was made just now.
    pub(crate) is_new: bool,
}

/// Finds the self-signed certificate in the folder `data`, or makes one for `domains` if there is none.
pub(crate) fn self_signed(data: &Path, domains: &[Box<str>]) -> Result<SelfSigned, Fault> {
    let files = CertificateFiles { chain: data.join("self-signed.crt"), key: data.join("self-signed.key") };
    let is_new = !files.chain.exists() || !files.key.exists();
    if is_new {
        make(&files, domains)?;
    }
    let pem = read(&files.chain, "certificate")?;
    let own = CertificateDer::from_pem_slice(&pem)
        .map_err(|error| broken(&files.chain, "certificate", &error.to_string()))?;
    let digest = digest::digest(&digest::SHA256, &own);
    let fingerprint = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    Ok(SelfSigned { files, fingerprint, is_new })
}

fn make(files: &CertificateFiles, domains: &[Box<str>]) -> Result<(), Fault> {
    let names: Vec<String> = domains.iter().map(|domain| domain.to_string()).collect();
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| {
        Fault::new(
            format!("no certificate could be made for the configured domains: {error}"),
            "configure a certificate for each domain",
        )
    })?;
    // The key first: a chain without a key would look like a finished pair to nobody, and is made again.
    write(&files.key, made.signing_key.serialize_pem().as_bytes(), 0o600)?;
    write(&files.chain, made.cert.pem().as_bytes(), 0o644)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Fault> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| {
        Fault::new(
            format!("{} cannot be written: {error}", path.display()),
            "make the data folder writable for the user that wattle runs as",
        )
    })
}

/// The certificate's hash by the hash function of its signature, SHA-256 in place of MD5 and SHA-1 (RFC 5929 section 4.1).
/// None for a signature without a hash function of its own (Ed25519), where the RFC leaves the binding undefined.
fn end_point(certificate: &[u8]) -> Option<Box<[u8]>> {
    let (body, _) = der(certificate)?;
    let (_, rest) = der(body)?;
    let (algorithm, _) = der(rest)?;
    let (oid, parameters) = der(algorithm)?;
    // RSASSA-PSS names its hash in the parameters (RFC 4055 section 3.1).
    const PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    const NIST_HASH: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    let hash = match oid {
        PSS => {
            let at = parameters.windows(NIST_HASH.len()).position(|window| window == NIST_HASH);
            match at.and_then(|at| parameters.get(at + NIST_HASH.len())) {
                None | Some(1) => &digest::SHA256,
                Some(2) => &digest::SHA384,
                Some(3) => &digest::SHA512,
                Some(_) => return None,
            }
        }
        // rsaEncryption family (RFC 8017 appendix C): md5, sha1, sha256, sha384, sha512.
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 4 | 5 | 11] => &digest::SHA256,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 12] => &digest::SHA384,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 13] => &digest::SHA512,
        // ecdsa-with-SHA1, then -SHA256, -SHA384, -SHA512 (RFC 5758 section 3.2).
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 1] | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 3, 2] => &digest::SHA256,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 3, 3] => &digest::SHA384,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 3, 4] => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(hash, certificate).as_ref().into())
}

/// Splits a DER value off `bytes`: its content, and what stands behind it (X.690 section 8.1).
fn der(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.get(1..)?.split_first()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        if octets.len() > 4 {
            return None;
        }
        (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
    };
    rest.split_at_checked(length)
}
