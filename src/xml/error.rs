//! What a peer can do wrong in XML, one variant for each sin, with the stream error that answers it (RFC 6120 section 4.9.3).

use std::fmt;

/// A sin against XML, its namespaces, XMPP's restrictions or the bounds of this server. All of them end the stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum XmlError {
    /// The grammar of XML is violated in a way that has no variant of its own: `not-well-formed` (4.9.3.13).
    NotWellFormed,
    /// A character that XML 1.0 forbids, as such or as a reference, or a carriage return alone in an attribute's value,
    /// which a strict peer does not survive: `not-well-formed`.
    BadCharacter,
    /// An end tag that is not the open element's: `not-well-formed`.
    MismatchedTag,
    /// One attribute twice in a tag, by name or by namespace and local name: `not-well-formed`.
    DuplicateAttribute,
    /// A declaration against the rules for `xml` and `xmlns`, or one that takes a prefix back: `not-well-formed`.
    InvalidNamespace,
    /// A prefix that nothing declares: `bad-namespace-prefix` (4.9.3.2).
    BadNamespacePrefix,
    /// A comment, processing instruction, document type or entity reference beyond the five (section 11.1):
    /// `restricted-xml` (4.9.3.18).
    Restricted,
    /// The XML declaration names an encoding other than UTF-8, or the bytes are UTF-16 (section 11.6):
    /// `unsupported-encoding` (4.9.3.22).
    UnsupportedEncoding,
    /// Bytes that are not UTF-8, over-long forms and surrogates among them: `unsupported-encoding`, which 4.9.3.22
    /// names for this too.
    BadUtf8,
    /// Text other than white space directly under the stream: `bad-format` (4.9.3.1).
    TextInStream,
    /// More bytes in one stanza than the stream's bound: `policy-violation` (4.9.3.14).
    TooLarge,
    /// Elements nested deeper than [`crate::limits::XML_DEPTH`]: `policy-violation`.
    TooDeep,
    /// More attributes in one tag than [`crate::limits::XML_ATTRIBUTES`]: `policy-violation`.
    TooManyAttributes,
    /// A name longer than [`crate::limits::XML_NAME_BYTES`]: `policy-violation`.
    NameTooLong,
    /// More declarations in force than [`crate::limits::XML_NAMESPACES`]: `policy-violation`.
    TooManyNamespaces,
}

impl XmlError {
    /// The stream error condition that answers this sin: the local name of its element in
    /// `urn:ietf:params:xml:ns:xmpp-streams`.
    #[must_use]
    pub fn condition(&self) -> &'static str {
        match self {
            Self::NotWellFormed
            | Self::BadCharacter
            | Self::MismatchedTag
            | Self::DuplicateAttribute
            | Self::InvalidNamespace => "not-well-formed",
            Self::BadNamespacePrefix => "bad-namespace-prefix",
            Self::Restricted => "restricted-xml",
            Self::UnsupportedEncoding | Self::BadUtf8 => "unsupported-encoding",
            Self::TextInStream => "bad-format",
            Self::TooLarge | Self::TooDeep | Self::TooManyAttributes | Self::NameTooLong | Self::TooManyNamespaces => {
                "policy-violation"
            }
        }
    }
}

impl fmt::Display for XmlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotWellFormed => "not well-formed XML",
            Self::BadCharacter => "a character that XML forbids",
            Self::MismatchedTag => "an end tag without its start tag",
            Self::DuplicateAttribute => "an attribute twice in one tag",
            Self::InvalidNamespace => "a namespace declaration against the rules",
            Self::BadNamespacePrefix => "an undeclared namespace prefix",
            Self::Restricted => "a comment, processing instruction, document type or foreign entity",
            Self::UnsupportedEncoding => "an encoding other than UTF-8",
            Self::BadUtf8 => "bytes that are not UTF-8",
            Self::TextInStream => "text between stanzas",
            Self::TooLarge => "a stanza beyond the size limit",
            Self::TooDeep => "elements nested beyond the limit",
            Self::TooManyAttributes => "attributes beyond the limit",
            Self::NameTooLong => "a name beyond the limit",
            Self::TooManyNamespaces => "namespace declarations beyond the limit",
        })
    }
}

impl std::error::Error for XmlError {}
