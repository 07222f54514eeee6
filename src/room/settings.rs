//! How a room is set up (XEP-0045 section 10.2, `muc#roomconfig`): what its owner submits, and the store keeps as the same form.

mod form;

use subtle::ConstantTimeEq;

use crate::config::Rooms;
use crate::stanza::form::{DATA, Form, single};
use crate::stanza::{Condition, StanzaError};
use crate::store::{Role, RoomSetup};
use crate::xml::Element;

/// The type of the form.
pub const CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";

/// Whom something is allowed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whom {
    /// Everybody in the room.
    Anyone,
    /// Those with voice.
    Participants,
    /// Moderators.
    Moderators,
    /// Nobody.
    Nobody,
}

impl Whom {
    const ALL: [Self; 4] = [Self::Anyone, Self::Participants, Self::Moderators, Self::Nobody];

    /// Whether somebody with this role is among them.
    #[must_use]
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Anyone => role > Role::None,
            Self::Participants => role >= Role::Participant,
            Self::Moderators => role >= Role::Moderator,
            Self::Nobody => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Participants => "participants",
            Self::Moderators => "moderators",
            Self::Nobody => "none",
        }
    }
}

/// What everybody must know to enter.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub Box<str>);

impl Password {
    /// Whether this is it; a wrong one takes as long as the right one of its length.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

// Secrets never reach logs, also not through a derived Debug.
impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// How a room is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// For people; the localpart, where it is empty.
    pub name: Box<str>,
    /// What it is for.
    pub description: Box<str>,
    /// The language that is spoken.
    pub language: Box<str>,
    /// None for a room that needs none.
    pub password: Option<Password>,
    /// Shown in lists of rooms.
    pub is_public: bool,
    /// It stays when the last one leaves.
    pub is_persistent: bool,
    /// Only those with an affiliation may enter.
    pub is_members_only: bool,
    /// Those who enter without an affiliation have no voice.
    pub is_moderated: bool,
    /// Everybody sees the real addresses of all; else moderators alone.
    pub is_non_anonymous: bool,
    /// Participants may change the subject, and not moderators alone.
    pub subject_is_free: bool,
    /// Everybody may invite, and not admins and owners alone.
    pub invites_are_free: bool,
    /// Visitors may ask for voice.
    pub takes_voice_requests: bool,
    /// Who may write to one other occupant.
    pub private_messages: Whom,
    /// Whose presence others see.
    pub shows: [(Role, bool); 3],
    /// Who may see the list of members.
    pub list_is_for: Whom,
    /// How many may be in it; 0 for as many as the server allows.
    pub max_occupants: u32,
    /// Messages are archived.
    pub is_archived: bool,
    /// Days after which one leaves the archive; 0 never, none what the server says.
    pub archive_days: Option<u32>,
    /// How many of the newest messages somebody who enters gets.
    pub history: u32,
    /// Seconds between two messages of a participant (XEP-0500); 0 for none.
    pub slow_mode_seconds: u32,
}

impl Settings {
    /// Of a room that somebody just made: private, for those who are invited, with an archive; what encrypted group chats need.
    #[must_use]
    pub fn new(config: &Rooms) -> Self {
        Self {
            name: "".into(),
            description: "".into(),
            language: "".into(),
            password: None,
            is_public: config.public,
            is_persistent: config.persistent,
            is_members_only: config.members_only,
            is_moderated: false,
            is_non_anonymous: config.non_anonymous,
            subject_is_free: true,
            invites_are_free: true,
            takes_voice_requests: true,
            private_messages: Whom::Anyone,
            shows: [(Role::Moderator, true), (Role::Participant, true), (Role::Visitor, true)],
            list_is_for: Whom::Anyone,
            max_occupants: 0,
            is_archived: config.archived,
            archive_days: None,
            history: config.history,
            slow_mode_seconds: 0,
        }
    }

    /// As the store keeps them; where it says nothing of a field, `otherwise` holds.
    #[must_use]
    pub fn from_stored(bytes: &[u8], otherwise: Self) -> Self {
        let mut settings = otherwise;
        let form = Element::parse(bytes, DATA).ok().map(|form| Element::new("query", "").with_child(form));
        if let Some(Ok(Some(form))) = form.map(|parent| Form::submitted(&parent, CONFIG)) {
            for (name, values) in &form.fields {
                // A field of another version of the server is none of this one.
                let _ = settings.set(name, values);
            }
        }
        settings
    }

    /// For the store.
    #[must_use]
    pub fn to_setup(&self, localpart: &str) -> RoomSetup {
        RoomSetup {
            settings: self.form("submit").to_bytes("").into(),
            is_public: self.is_public,
            name: self.title(localpart).into(),
            archive_days: self.archive_days,
        }
    }

    /// What people call the room.
    #[must_use]
    pub fn title<'a>(&'a self, localpart: &'a str) -> &'a str {
        if self.name.is_empty() { localpart } else { &self.name }
    }

    /// Whether others see the presence of somebody with this role.
    #[must_use]
    pub fn shows(&self, role: Role) -> bool {
        self.shows.iter().any(|(known, shown)| *known == role && *shown)
    }

    /// The settings with what an owner submitted.
    ///
    /// # Errors
    /// `not-acceptable` for a field that is unknown, or has a value that it does not take; nothing is changed then.
    pub fn submitted(&self, form: &Form) -> Result<Self, StanzaError> {
        let mut settings = self.clone();
        // Sent with the form by some clients, and meant for nobody.
        for (name, values) in form.fields.iter().filter(|(name, _)| !name.is_empty()) {
            settings.set(name, values)?;
        }
        let is_protected = form.fields.iter().find(|(name, _)| **name == *"muc#roomconfig_passwordprotectedroom");
        match is_protected.map(|(_, values)| matches!(single(values), Ok(Some("1" | "true")))) {
            Some(false) => settings.password = None,
            Some(true) if settings.password.is_none() => {
                return Err(StanzaError::new(Condition::NotAcceptable, "a password-protected room needs a password"));
            }
            _ => {}
        }
        Ok(settings)
    }
}
