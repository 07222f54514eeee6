//! PLAIN (RFC 4616): the one message of the client.

use crate::sasl::Failure;

/// `[authzid] NUL authcid NUL passwd`, each as it was sent.
pub(super) struct Message<'a> {
    pub(super) authzid: Option<&'a str>,
    pub(super) username: &'a str,
    pub(super) password: &'a str,
}

/// Reads the message (section 2).
pub(super) fn parse(data: &[u8]) -> Result<Message<'_>, Failure> {
    let text = std::str::from_utf8(data).map_err(|_| Failure::MalformedRequest)?;
    let mut fields = text.split('\0');
    match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (Some(authzid), Some(username), Some(password), None) if !username.is_empty() && !password.is_empty() => {
            Ok(Message { authzid: Some(authzid).filter(|id| !id.is_empty()), username, password })
        }
        _ => Err(Failure::MalformedRequest),
    }
}
