//! Requests between occupants (XEP-0045 section 17.4, XEP-0410): the room passes them on without telling who asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Room;
use crate::jid::Jid;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::turn::Turn;

/// XEP-0199.
const PING: &str = "urn:xmpp:ping";
/// XEP-0054.
const VCARD: &str = "vcard-temp";
/// Begins the id of a request that was passed on; behind it stand who asked and how they called it.
const MARK: &str = "muc:";

impl Room {
    /// An iq to an occupant, or the answer of one.
    pub(super) fn relay(&mut self, from: &Jid, to: &Jid, stanza: Stanza, turn: &mut Turn<'_>) {
        let Kind::Iq(kind) = stanza.kind else { return };
        if matches!(kind, IqType::Result | IqType::Error) {
            return self.relay_answer(from, to, stanza, turn);
        }
        let seat = to.resource().and_then(|nick| self.occupants.seat_named(nick));
        let Some(asker) = self.occupants.of_client(from) else {
            // XEP-0410 section 3: who is told this knows that they are not here any more.
            return turn.refuse(&stanza, &StanzaError::new(Condition::NotAcceptable, "you are not in the room"));
        };
        let Some(asked) = seat.and_then(|seat| self.occupants.get(seat)) else {
            return turn.refuse(&stanza, &Condition::ItemNotFound.into());
        };
        // XEP-0410 section 5: a client that asks whether it is here is answered by who knows.
        if asked.jid == asker.jid && stanza.has_child("ping", PING) {
            return turn.route(stanza.result(&[]));
        }
        // vCards belong to accounts and not to clients.
        let is_vcard = stanza.children().any(|child| &*child.ns == VCARD);
        let Some(client) = asked.clients.last() else { return };
        let target = if is_vcard { asked.bare.clone() } else { client.jid.clone() };
        let id =
            format!("{MARK}{}:{}", URL_SAFE_NO_PAD.encode(from.as_str()), stanza.id.as_deref().unwrap_or_default());
        let asker = asker.jid.clone();
        turn.route(Stanza { from: Some(asker), to: Some(target), id: Some(id.into()), ..stanza });
    }

    /// The answer goes to the client that asked, if that is still who it was.
    fn relay_answer(&self, from: &Jid, to: &Jid, stanza: Stanza, turn: &mut Turn<'_>) {
        let asked = stanza.id.as_deref().and_then(|id| id.strip_prefix(MARK)).and_then(|id| id.split_once(':'));
        let Some((client, id)) = asked else { return };
        let client = URL_SAFE_NO_PAD.decode(client).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(client) = client.and_then(|text| Jid::parse(&text).ok()) else { return };
        // What an account answers, its occupants answer.
        let answers = self
            .occupants
            .iter()
            .find(|there| there.bare == *from || there.clients.iter().any(|client| client.jid == *from));
        let asker = self.occupants.of_client(&client);
        if let (Some(answers), Some(asker)) = (answers, asker)
            && asker.jid == *to
        {
            let answers = answers.jid.clone();
            turn.route(Stanza { from: Some(answers), to: Some(client), id: Some(id.into()), ..stanza });
        }
    }
}
