//! SCRAM (RFC 5802, RFC 7677): the four messages, the channel binding rules and the proofs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::input::TlsFacts;
use crate::sasl::Failure;
use crate::sasl::binding::{self, BindingType};
use crate::sasl::verifier::Hash;
use crate::store::Verifier;

/// The client's first message, read.
pub(super) struct First {
    /// `client-first-message-bare`, of which the proof is made.
    bare: Box<str>,
    /// The client's half of the nonce.
    nonce: Box<str>,
    /// What the client must name as its channel binding: the GS2 header, then the binding's data.
    binding: Vec<u8>,
}

/// Who the client says it is, each as it was sent but for the escapes of commas.
pub(super) struct Names {
    pub(super) authzid: Option<String>,
    pub(super) username: String,
}

impl First {
    /// Reads the message (section 7) and judges its channel binding flag (section 6).
    pub(super) fn parse(data: &[u8], plus: bool, tls: &TlsFacts) -> Result<(Self, Names), Failure> {
        let text = std::str::from_utf8(data).map_err(|_| Failure::MalformedRequest)?;
        let (flag, rest) = text.split_once(',').ok_or(Failure::MalformedRequest)?;
        let (authzid, bare) = rest.split_once(',').ok_or(Failure::MalformedRequest)?;

        let data = match flag {
            // A client that can bind took a mechanism without, though -PLUS was offered: someone took it off the list.
            "y" if !plus && binding::offers_plus(tls) => return Err(Failure::NotAuthorized),
            "n" | "y" if !plus => &[],
            flag if plus => flag
                .strip_prefix("p=")
                .and_then(BindingType::parse)
                .and_then(|kind| kind.data(tls))
                .ok_or(Failure::MalformedRequest)?,
            _ => return Err(Failure::MalformedRequest),
        };
        let authzid = match authzid {
            "" => None,
            authzid => Some(name(authzid.strip_prefix("a=").ok_or(Failure::MalformedRequest)?)?),
        };

        // A mandatory extension (`m=`) stands before the name; none is known, so it fails here as section 5.1 asks.
        let mut attributes = bare.split(',');
        let username = name(value(attributes.next(), "n=")?)?;
        let nonce = value(attributes.next(), "r=")?;
        if !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::MalformedRequest);
        }
        check_extensions(attributes)?;

        let header = &text[..text.len() - bare.len()];
        let first = Self { bare: bare.into(), nonce: nonce.into(), binding: [header.as_bytes(), data].concat() };
        Ok((first, Names { authzid, username }))
    }

    /// The server's first message, and what the client's answer to it is checked with.
    pub(super) fn challenge(
        self,
        server_nonce: &str,
        hash: Hash,
        verifier: &Verifier,
        exists: bool,
    ) -> Result<(Vec<u8>, Proof), Failure> {
        let Verifier { salt, iterations, stored_key, server_key } = verifier;
        if stored_key.len() != hash.length() || server_key.len() != hash.length() || *iterations == 0 {
            return Err(Failure::TemporaryAuthFailure);
        }
        let nonce = format!("{}{server_nonce}", self.nonce);
        let message = format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt));
        let proof = Proof {
            hash,
            exchanged: format!("{},{message},", self.bare),
            nonce: nonce.into(),
            binding: self.binding,
            stored_key: stored_key.clone(),
            server_key: server_key.clone(),
            exists,
        };
        Ok((message.into_bytes(), proof))
    }
}

/// What the client's final message is checked with.
pub(super) struct Proof {
    hash: Hash,
    /// The `AuthMessage` up to the client's final message.
    exchanged: String,
    /// Of both sides.
    nonce: Box<str>,
    binding: Vec<u8>,
    stored_key: Box<[u8]>,
    server_key: Box<[u8]>,
    /// False for an account that does not exist, whose proof is checked all the same.
    exists: bool,
}

impl Proof {
    /// Checks the client's final message; gives the server's.
    pub(super) fn check(&self, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let text = std::str::from_utf8(data).map_err(|_| Failure::MalformedRequest)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::MalformedRequest)?;
        let proof = decode(proof)?;
        let mut attributes = without_proof.split(',');
        let binding = decode(value(attributes.next(), "c=")?)?;
        let nonce = value(attributes.next(), "r=")?;
        check_extensions(attributes)?;
        if proof.len() != self.hash.length() {
            return Err(Failure::MalformedRequest);
        }

        let mut context = hmac::Context::with_key(&self.hash.key(&self.stored_key));
        context.update(self.exchanged.as_bytes());
        context.update(without_proof.as_bytes());
        let client_signature = context.sign();
        let client_key: Vec<u8> = proof.iter().zip(client_signature.as_ref()).map(|(a, b)| a ^ b).collect();
        // All is computed before anything is judged, so that no reason shows in the time.
        let right = self.hash.digest(&client_key).as_ref().ct_eq(&self.stored_key)
            & binding.ct_eq(&self.binding)
            & nonce.as_bytes().ct_eq(self.nonce.as_bytes());
        if !bool::from(right) || !self.exists {
            return Err(Failure::NotAuthorized);
        }

        let mut context = hmac::Context::with_key(&self.hash.key(&self.server_key));
        context.update(self.exchanged.as_bytes());
        context.update(without_proof.as_bytes());
        Ok(format!("v={}", STANDARD.encode(context.sign())).into_bytes())
    }
}

/// The value of an attribute that must stand here, not empty.
fn value<'a>(attribute: Option<&'a str>, prefix: &str) -> Result<&'a str, Failure> {
    attribute
        .and_then(|attribute| attribute.strip_prefix(prefix))
        .filter(|value| !value.is_empty())
        .ok_or(Failure::MalformedRequest)
}

/// Optional extensions are passed over (section 5.1), but they must be attributes, and none that has its own place.
fn check_extensions<'a>(mut attributes: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let fits = attributes.all(|attribute| {
        matches!(attribute.as_bytes(), [letter, b'=', _, ..] if letter.is_ascii_alphabetic() && !b"acimnprsv".contains(letter))
            && !attribute.contains('\0')
    });
    if fits { Ok(()) } else { Err(Failure::MalformedRequest) }
}

/// Undoes the escapes of a `saslname` (section 5.1).
fn name(text: &str) -> Result<String, Failure> {
    let mut parts = text.split('=');
    let mut name = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (escaped, rest) = [("2C", ','), ("3D", '=')]
            .iter()
            .find_map(|(code, c)| Some((*c, part.strip_prefix(code)?)))
            .ok_or(Failure::MalformedRequest)?;
        name.push(escaped);
        name.push_str(rest);
    }
    if name.is_empty() || name.contains('\0') {
        return Err(Failure::MalformedRequest);
    }
    Ok(name)
}

/// Base64 inside a SCRAM message is as strict as around it.
fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text).map_err(|_| Failure::MalformedRequest)
}
