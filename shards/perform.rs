//! Effect to act: the one place where what the shard asks for is done.

use wattle::effect::Effect;

use crate::core::Core;
use crate::log;
use crate::mailbox::Parcel;

impl Core {
    /// Performs one effect; `bytes` is what [`Effect::Send`] points into.
    pub(crate) fn perform(&mut self, effect: Effect, bytes: &[u8]) {
        match effect {
            Effect::Send { conn, range } => self.send(conn, &bytes[range]),
            Effect::Secure { conn } => self.secure(conn),
            Effect::Close { conn } => self.close(conn),
            Effect::Pause { conn } => self.pause(conn, true),
            Effect::Resume { conn } => self.pause(conn, false),
            Effect::Move { conn, to, arrival } => self.move_away(conn, to, *arrival),
            Effect::Hand { to, handoff } => self.outgoing.send(to, Parcel::Handoff(handoff)),
            Effect::Ask { ticket, question } => self.around.store.ask(self.index, ticket, question),
            Effect::Hash { ticket, job } => self.around.hasher.ask(self.index, ticket, job),
            Effect::Reply { request, reply } => (self.around.reply)(self.index, request, reply),
            Effect::Note(note) => log::write(self.index.0, &note),
        }
    }
}
