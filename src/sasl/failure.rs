//! Why an authentication failed, by the conditions of RFC 6120 section 6.5.

/// The reason of a `<failure/>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// The client sent `<abort/>` (section 6.5.1).
    Aborted,
    /// The account is shut for now (section 6.5.2).
    AccountDisabled,
    /// The password must be changed first (section 6.5.3).
    CredentialsExpired,
    /// The mechanism needs TLS (section 6.5.4).
    EncryptionRequired,
    /// The data is no base64 (section 6.5.5).
    IncorrectEncoding,
    /// The client asked to act as somebody else (section 6.5.6).
    InvalidAuthzid,
    /// The mechanism was not offered (section 6.5.7).
    InvalidMechanism,
    /// The data breaks the mechanism's syntax (section 6.5.8).
    MalformedRequest,
    /// The account may not use a mechanism that weak (section 6.5.9).
    MechanismTooWeak,
    /// Wrong account, wrong password, or someone sits between client and server (section 6.5.10). Which, is not told.
    NotAuthorized,
    /// The store gave no answer (section 6.5.11).
    TemporaryAuthFailure,
}

impl Failure {
    /// The name of the condition's element.
    #[must_use]
    pub const fn condition(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::AccountDisabled => "account-disabled",
            Self::CredentialsExpired => "credentials-expired",
            Self::EncryptionRequired => "encryption-required",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::MechanismTooWeak => "mechanism-too-weak",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}
