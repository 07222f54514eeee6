//! What a stored message tells of sessions: which of its sender's stanzas it was, and which of its recipients' sessions got it
//! under which number. So a crash needs no other record of what was under way (XEP-0198 section 5).
//!
//! Only sessions that may be resumed are told of. The numbers of a session are `u8`, and below 128.

use super::coding::{put, take};

/// What the message was to the session that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// The session's number in the store.
    pub session: u8,
    /// Which of its stanzas, from 1.
    pub number: u64,
    /// The newest one before it that was traced so, or that might have been lost although this one is not; 0 for none.
    pub before: u64,
}

/// What the message was to a session that got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receiving {
    /// The session's number in the store.
    pub session: u8,
    /// It got a copy (XEP-0280).
    pub is_carbon: bool,
    /// The number that its client gives the stanza, modulo 2^32.
    pub number: u32,
    /// What the client had acknowledged at that time, modulo 2^32.
    pub acknowledged: u32,
}

/// The trace of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// Of its sender.
    pub sending: Option<Sending>,
    /// Of those who got it.
    pub receiving: Vec<Receiving>,
}

impl Trace {
    /// Adds to a trace that is already written.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(Sending { session, number, before }) = self.sending {
            out.push(0);
            out.push(session);
            put(out, number);
            put(out, number - before);
        }
        for Receiving { session, is_carbon, number, acknowledged } in &self.receiving {
            out.push(*session << 1 | u8::from(*is_carbon));
            put(out, u64::from(*number));
            put(out, u64::from(number.wrapping_sub(*acknowledged)));
        }
    }

    /// Reads what was written; what means nothing ends it.
    #[must_use]
    pub fn read(mut bytes: &[u8]) -> Self {
        let mut trace = Self::default();
        while trace.next(&mut bytes).is_some() {}
        trace
    }

    fn next(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let (kind, rest) = bytes.split_first()?;
        *bytes = rest;
        if *kind == 0 {
            let (session, rest) = bytes.split_first()?;
            *bytes = rest;
            let number = take(bytes)?;
            self.sending = Some(Sending { session: *session, number, before: number.checked_sub(take(bytes)?)? });
            return Some(());
        }
        let number = u32::try_from(take(bytes)?).ok()?;
        let acknowledged = number.wrapping_sub(u32::try_from(take(bytes)?).ok()?);
        let (session, is_carbon) = (kind >> 1, kind & 1 == 1);
        self.receiving.push(Receiving { session, is_carbon, number, acknowledged });
        Some(())
    }
}
