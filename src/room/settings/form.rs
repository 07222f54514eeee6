//! The list of fields that a room's settings have: makes the form, and reads what fills it.

use super::{CONFIG, Password, Settings, Whom};
use crate::stanza::form::{DATA, single};
use crate::stanza::{Condition, StanzaError};
use crate::xml::Element;

/// Bytes of a name, description, password or language.
const TEXT_BYTES: usize = 1_000;
/// The longest pause of slow mode.
const SLOW_MODE_SECONDS: u32 = 86_400;

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
    /// The form: of type `form` with all that people need to fill it in, of type `submit` with the values alone.
    #[must_use]
    pub(in crate::room) fn form(&self, kind: &'static str) -> Element {
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
                text(self.password.as_ref().map_or("", |password| &password.0)),
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

    pub(super) fn set(&mut self, name: &str, values: &[Box<str>]) -> Result<(), StanzaError> {
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
            "muc#roomconfig_roomsecret" => {
                self.password = Some(text()?).filter(|secret| !secret.is_empty()).map(Password)
            }
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
