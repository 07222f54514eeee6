//! How a room is set up (XEP-0045 section 10.2, `muc#roomconfig`): one list of fields makes the owner's form, reads what they
//! submit, and is what the store keeps.

use crate::config::Rooms;
use crate::ns;
use crate::stanza::form::{DATA, Form, single};
use crate::stanza::{Condition, StanzaError};
use crate::store::{Role, RoomSetup};
use crate::xml::Element;

/// The type of the form.
pub(super) const CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";

/// Bytes of a name, description, password or language.
const TEXT_BYTES: usize = 1_000;
/// The longest pause of slow mode.
const SLOW_MODE_SECONDS: u32 = 86_400;

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

/// How a room is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// For people; the localpart, where it is empty.
    pub name: Box<str>,
    /// What it is for.
    pub description: Box<str>,
    /// The language that is spoken.
    pub language: Box<str>,
    /// What everybody must know to enter.
    pub password: Option<Box<str>>,
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

enum Kind {
    Text,
    Lines,
    Secret,
    Truth,
    One(&'static [(&'static str, &'static str)]),
    Many(&'static [(&'static str, &'static str)]),
}

/// One field of the form: its name, what it asks, how, and its values.
struct Field {
    name: &'static str,
    label: &'static str,
    kind: Kind,
    values: Vec<Box<str>>,
}

const WHOM: &[(&str, &str)] =
    &[("anyone", "Everybody"), ("participants", "Those with voice"), ("moderators", "Moderators"), ("none", "Nobody")];
const WHOIS: &[(&str, &str)] = &[("moderators", "Moderators"), ("anyone", "Everybody")];
const ROLES: &[(&str, &str)] =
    &[("moderator", "Moderators"), ("participant", "Those with voice"), ("visitor", "Those without voice")];

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

    /// The form: of type `form` with all that people need to fill it in, of type `submit` with the values alone.
    #[must_use]
    pub fn form(&self, kind: &'static str) -> Element {
        let is_submitted = kind == "submit";
        let value = |text: &str| Element::new("value", DATA).with_text(text);
        let mut x = Element::new("x", DATA).with_attr("type", kind);
        if !is_submitted {
            x = x.with_child(Element::new("title", DATA).with_text("Configuration of the room"));
        }
        let form_type = Element::new("field", DATA).with_attr("var", "FORM_TYPE").with_child(value(CONFIG));
        x = x.with_child(if is_submitted { form_type } else { form_type.with_attr("type", "hidden") });
        for field in self.fields() {
            let mut element = Element::new("field", DATA).with_attr("var", field.name);
            if !is_submitted {
                element = element.with_attr("label", field.label).with_attr("type", field.kind.name());
                for (option, label) in field.kind.options() {
                    let option = Element::new("option", DATA).with_attr("label", *label).with_child(value(option));
                    element = element.with_child(option);
                }
            }
            for text in &field.values {
                element = element.with_child(value(text));
            }
            x = x.with_child(element);
        }
        x
    }

    fn fields(&self) -> Vec<Field> {
        let field = |name, label, kind, values| Field { name, label, kind, values };
        let text = |text: &str| vec![Box::from(text)];
        let truth = |truth: bool| text(if truth { "1" } else { "0" });
        let number = |number: u32| text(&number.to_string());
        let shown = self.shows.iter().filter(|(_, shown)| *shown).map(|(role, _)| Box::from(role.name())).collect();
        let days = self.archive_days.map(|days| days.to_string().into()).into_iter().collect();
        let whois = text(if self.is_non_anonymous { "anyone" } else { "moderators" });
        vec![
            field("muc#roomconfig_roomname", "Name", Kind::Text, text(&self.name)),
            field("muc#roomconfig_roomdesc", "What it is for", Kind::Lines, text(&self.description)),
            field("muc#roomconfig_lang", "Language", Kind::Text, text(&self.language)),
            field("muc#roomconfig_publicroom", "Shown in lists of rooms", Kind::Truth, truth(self.is_public)),
            field(
                "muc#roomconfig_persistentroom",
                "Stays when the last one leaves",
                Kind::Truth,
                truth(self.is_persistent),
            ),
            field("muc#roomconfig_membersonly", "Only members may enter", Kind::Truth, truth(self.is_members_only)),
            field(
                "muc#roomconfig_moderatedroom",
                "Only those with voice may speak",
                Kind::Truth,
                truth(self.is_moderated),
            ),
            field(
                "muc#roomconfig_passwordprotectedroom",
                "A password is needed to enter",
                Kind::Truth,
                truth(self.password.is_some()),
            ),
            field(
                "muc#roomconfig_roomsecret",
                "The password",
                Kind::Secret,
                text(self.password.as_deref().unwrap_or_default()),
            ),
            field("muc#roomconfig_whois", "Who sees real addresses", Kind::One(WHOIS), whois),
            field(
                "muc#roomconfig_changesubject",
                "Participants may change the subject",
                Kind::Truth,
                truth(self.subject_is_free),
            ),
            field("muc#roomconfig_allowinvites", "Participants may invite", Kind::Truth, truth(self.invites_are_free)),
            field(
                "muc#roomconfig_allowvoicerequests",
                "Visitors may ask for voice",
                Kind::Truth,
                truth(self.takes_voice_requests),
            ),
            field(
                "muc#roomconfig_allowpm",
                "Who may send private messages",
                Kind::One(WHOM),
                text(self.private_messages.name()),
            ),
            field("muc#roomconfig_presencebroadcast", "Whose presence is shown", Kind::Many(ROLES), shown),
            field(
                "muc#roomconfig_getmemberlist",
                "Who sees the list of members",
                Kind::One(WHOM),
                text(self.list_is_for.name()),
            ),
            field(
                "muc#roomconfig_maxusers",
                "How many may be in it; 0 as many as the server allows",
                Kind::Text,
                number(self.max_occupants),
            ),
            field("muc#roomconfig_enablearchiving", "Messages are archived", Kind::Truth, truth(self.is_archived)),
            field("wattle#roomconfig_archivedays", "Days after which messages leave the archive", Kind::Text, days),
            field("muc#maxhistoryfetch", "Messages that somebody who enters gets", Kind::Text, number(self.history)),
            field(
                "muc#roomconfig_slow_mode_duration",
                "Seconds between two messages of a participant",
                Kind::Text,
                number(self.slow_mode_seconds),
            ),
        ]
    }

    fn set(&mut self, name: &str, values: &[Box<str>]) -> Result<(), StanzaError> {
        let wrong = |text| StanzaError::new(Condition::NotAcceptable, text);
        let text = || match single(values) {
            Ok(Some(text)) if text.len() > TEXT_BYTES => Err(wrong("a text is too long")),
            Ok(text) => Ok(Box::from(text.unwrap_or_default())),
            Err(_) => Err(wrong("a field has more than one value")),
        };
        let truth = || match single(values) {
            Ok(Some("1" | "true")) => Ok(true),
            Ok(Some("0" | "false") | None) => Ok(false),
            _ => Err(wrong("a field is 0 or 1")),
        };
        let number = |most: u32| match single(values) {
            Ok(None | Some("none" | "unlimited")) => Ok(None),
            Ok(Some(text)) => match text.trim().parse() {
                Ok(number) if number <= most => Ok(Some(number)),
                _ => Err(wrong("a number is too large, or none")),
            },
            Err(_) => Err(wrong("a field has more than one value")),
        };
        let whom = || {
            let name = single(values).ok().flatten();
            Whom::ALL.into_iter().find(|whom| Some(whom.name()) == name).ok_or(wrong("a field has an unknown option"))
        };
        match name {
            "muc#roomconfig_roomname" => self.name = text()?,
            "muc#roomconfig_roomdesc" => {
                let lines = values.join("\n");
                self.description =
                    if lines.len() > TEXT_BYTES { return Err(wrong("a text is too long")) } else { lines.into() };
            }
            "muc#roomconfig_lang" => self.language = text()?,
            "muc#roomconfig_publicroom" => self.is_public = truth()?,
            "muc#roomconfig_persistentroom" => self.is_persistent = truth()?,
            "muc#roomconfig_membersonly" => self.is_members_only = truth()?,
            "muc#roomconfig_moderatedroom" => self.is_moderated = truth()?,
            // The password itself says whether there is one; see `submitted`.
            "muc#roomconfig_passwordprotectedroom" => drop(truth()?),
            "muc#roomconfig_roomsecret" => self.password = Some(text()?).filter(|secret| !secret.is_empty()),
            "muc#roomconfig_whois" => {
                self.is_non_anonymous = match single(values) {
                    Ok(Some("anyone")) => true,
                    Ok(Some("moderators")) => false,
                    _ => return Err(wrong("whois is moderators or anyone")),
                }
            }
            "muc#roomconfig_changesubject" => self.subject_is_free = truth()?,
            "muc#roomconfig_allowinvites" => self.invites_are_free = truth()?,
            "muc#roomconfig_allowvoicerequests" => self.takes_voice_requests = truth()?,
            "muc#roomconfig_allowpm" => self.private_messages = whom()?,
            "muc#roomconfig_presencebroadcast" => {
                if values.iter().any(|value| !ROLES.iter().any(|(role, _)| **role == **value)) {
                    return Err(wrong("a field has an unknown option"));
                }
                for (role, shown) in &mut self.shows {
                    *shown = values.iter().any(|value| **value == *role.name());
                }
            }
            // Several may be chosen by XEP-0045, each of which includes those above it.
            "muc#roomconfig_getmemberlist" => {
                let widest = Whom::ALL.into_iter().find(|whom| {
                    values.iter().any(|value| value.trim_end_matches('s') == whom.name().trim_end_matches('s'))
                });
                self.list_is_for = widest.unwrap_or(Whom::Nobody);
            }
            "muc#roomconfig_maxusers" => self.max_occupants = number(u32::MAX)?.unwrap_or(0),
            "muc#roomconfig_enablearchiving" | "muc#roomconfig_enablelogging" => self.is_archived = truth()?,
            "wattle#roomconfig_archivedays" => self.archive_days = number(36_500)?,
            "muc#maxhistoryfetch" | "muc#roomconfig_historylength" => {
                self.history = number(crate::limits::ROOM_HISTORY)?.unwrap_or(0);
            }
            "muc#roomconfig_slow_mode_duration" => {
                self.slow_mode_seconds = number(SLOW_MODE_SECONDS)?.unwrap_or(0);
            }
            _ => return Err(wrong("the form has an unknown field")),
        }
        Ok(())
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Text => "text-single",
            Self::Lines => "text-multi",
            Self::Secret => "text-private",
            Self::Truth => "boolean",
            Self::One(_) => "list-single",
            Self::Many(_) => "list-multi",
        }
    }

    fn options(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::One(options) | Self::Many(options) => options,
            _ => &[],
        }
    }
}

/// `<query/>` with nothing but a form, for what is written about one.
#[must_use]
pub(super) fn query(namespace: &str, form: Element) -> Vec<u8> {
    Element::new("query", namespace).with_child(form).to_bytes(ns::CLIENT)
}
