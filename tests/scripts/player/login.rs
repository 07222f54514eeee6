//! The client's half of SASL (RFC 4616, RFC 5802, RFC 7677, RFC 9266), written from the RFCs alone and able to go wrong.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

use super::script::Credentials;

/// The password of every account.
pub(crate) const PASSWORD: &str = "r0m30myr0m30";

/// The data of PLAIN in base64.
pub(crate) fn plain(user: &str, credentials: &Credentials) -> String {
    let authzid = credentials.authzid.as_deref().unwrap_or_default();
    let password = credentials.password.as_deref().unwrap_or(PASSWORD);
    STANDARD.encode(format!("{authzid}\0{user}\0{password}"))
}

/// One exchange of SCRAM.
pub(crate) struct Scram {
    sha256: bool,
    gs2_header: String,
    binding: Vec<u8>,
    first_bare: String,
    password: String,
    server_signature: String,
}

impl Scram {
    /// `binding_data` is what the connection has of the binding type that the credentials name.
    pub(crate) fn new(user: &str, credentials: &Credentials, binding_data: Option<Vec<u8>>) -> Self {
        let escape = |text: &str| text.replace('=', "=3D").replace(',', "=2C");
        let flag = match credentials.binding.as_deref() {
            None => "n".to_owned(),
            Some("unsupported") => "y".to_owned(),
            Some(kind) => format!("p={kind}"),
        };
        let authzid = credentials.authzid.as_deref().map(|authzid| format!("a={}", escape(authzid)));
        Self {
            sha256: credentials.mechanism.contains("256"),
            gs2_header: format!("{flag},{},", authzid.unwrap_or_default()),
            binding: binding_data.unwrap_or_default(),
            first_bare: format!("n={},r=fyko+d2lbbFgONRv9qkxdawL", escape(user)),
            password: credentials.password.clone().unwrap_or_else(|| PASSWORD.to_owned()),
            server_signature: String::new(),
        }
    }

    /// `client-first-message` in base64.
    pub(crate) fn first(&self) -> String {
        STANDARD.encode(format!("{}{}", self.gs2_header, self.first_bare))
    }

    /// `client-final-message` in answer to the challenge, both in base64.
    pub(crate) fn last(&mut self, challenge: &str) -> Result<String, String> {
        let fault = || format!("no server-first-message of SCRAM: {challenge}");
        let server_first = String::from_utf8(STANDARD.decode(challenge).map_err(|_| fault())?).map_err(|_| fault())?;
        let field = |key: &str| server_first.split(',').find_map(|field| field.strip_prefix(key)).ok_or_else(fault);
        let salt = STANDARD.decode(field("s=")?).map_err(|_| fault())?;
        let iterations: NonZeroU32 = field("i=")?.parse().map_err(|_| fault())?;
        let mut channel = self.gs2_header.clone().into_bytes();
        channel.extend_from_slice(&self.binding);
        let without_proof = format!("c={},r={}", STANDARD.encode(channel), field("r=")?);

        let (pbkdf2_hash, hash, mac) = if self.sha256 {
            (pbkdf2::PBKDF2_HMAC_SHA256, &digest::SHA256, hmac::HMAC_SHA256)
        } else {
            (pbkdf2::PBKDF2_HMAC_SHA1, &digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY)
        };
        let mut salted = vec![0; hash.output_len()];
        pbkdf2::derive(pbkdf2_hash, iterations, &salt, self.password.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(mac, key), text);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(hash, client_key.as_ref());
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let signature = sign(stored_key.as_ref(), auth_message.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = sign(&salted, b"Server Key");
        self.server_signature = STANDARD.encode(sign(server_key.as_ref(), auth_message.as_bytes()));
        Ok(STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof))))
    }

    /// The server has proven that it knows the verifier.
    pub(crate) fn is_proven(&self, success: &str) -> bool {
        STANDARD.decode(success).is_ok_and(|text| text == format!("v={}", self.server_signature).as_bytes())
    }
}
