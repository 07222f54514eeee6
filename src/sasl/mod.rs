//! SASL as the server sees it (RFC 6120 section 6, RFC 4422): the five mechanisms offered, one [`Exchange`] for each attempt.
//!
//! The order of one authentication, whatever the mechanism:
//!
//! 1. [`Exchange::step`] with the initial response gives [`Step::NeedCredentials`]; ask the store.
//! 2. [`Exchange::credentials`] with the store's answer gives a challenge (SCRAM) or a password to check (PLAIN).
//! 3. [`Exchange::step`] with the response, or [`Exchange::checked`] with the outcome, gives the end.
//!
//! An account that does not exist takes the same way to the same failure, with a salt that is the same every time.

mod binding;
mod exchange;
mod failure;
mod mechanism;
mod plain;
mod scram;
#[cfg(test)]
mod tests;
mod verifier;

pub use binding::{BindingType, binding_types};
pub use exchange::{Exchange, Step};
pub use failure::Failure;
pub use mechanism::{Mechanism, offered};
pub use verifier::{FakeSecret, ITERATIONS, SALT_BYTES, check_password, make_verifiers, prepare_password};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Reads the text of `<auth/>` or `<response/>` (RFC 6120 sections 6.4.2 and 6.4.3): none if there is no data, an empty
/// vector for the data of length zero that is written `=`.
///
/// # Errors
/// [`Failure::IncorrectEncoding`] for anything that is not the canonical base64 of RFC 4648 section 4, white space included.
pub fn decode_payload(text: &str) -> Result<Option<Vec<u8>>, Failure> {
    match text {
        "" => Ok(None),
        "=" => Ok(Some(Vec::new())),
        text => STANDARD.decode(text).map(Some).map_err(|_| Failure::IncorrectEncoding),
    }
}

/// Writes the text of `<challenge/>` or `<success/>`.
#[must_use]
pub fn encode_payload(data: &[u8]) -> String {
    STANDARD.encode(data)
}
