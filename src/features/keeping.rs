//! Messages are stored before they count (XEP-0198 section 4): in the archives of both sides (XEP-0313), to wait for whoever
//! is not there (XEP-0160), or until the clients that must not lose them have them. One question stores it for all.

use std::sync::Arc;

use super::archive::retraction;
use super::archive::rules::{Worth, archives, waits, worth};
use super::{FEATURES, offline, stanza_ids};
use crate::account::Account;
use crate::passage::{Cause, Copy};
use crate::session::{Given, Sending, SessionId, Trace};
use crate::stanza::{Condition, Stanza};
use crate::store::{Answer, Entry, Keep, Question, StoreFault, Uses, peer};
use crate::turn::{Kept, Then, Turn};

/// A message leaves a session: makes the copy for its sender's archive, which travels with it and is stored with the
/// recipient's.
pub(super) fn copy(account: &mut Account, id: SessionId, stanza: &mut Stanza, turn: &mut Turn<'_>) {
    let worth = worth(stanza);
    if worth == Worth::Nothing {
        return;
    }
    let to = stanza.to.get_or_insert_with(|| account.jid.clone()).clone();
    let to_self = to.same_bare(&account.jid);
    let archived = !to_self && worth == Worth::Keep && archives(account, &to, turn.config);
    let resumable = account.session(id).and_then(|session| session.resumption.as_ref()).map(|known| known.number);
    let Some(cause) = turn.passage.cause.clone().filter(|_| archived || resumable.is_some()) else { return };
    // A message to oneself has one place, which its arrival names.
    let place = if to_self { 0 } else { account.next_id(turn.now.unix_ms) };
    let mut trace = Vec::new();
    if let (Some(number), Some(session)) = (resumable, account.session_mut(id)) {
        let before = session.intake.send(cause.number(), place);
        let sending = Some(Sending { session: number, number: cause.number(), before });
        Trace { sending, receiving: Vec::new() }.write(&mut trace);
        account.traced(turn);
    }
    if place > 0 {
        cause.copies(place);
        account.copies.push_back(place);
        retraction::copied(account, stanza, place, turn);
    }
    let uses = Uses { archived, waits: false };
    let entry = Entry { key: account.key, id: place, peer: peer(&to), uses, trace: trace.into() };
    let stanza = bytes(stanza);
    turn.passage.copy = Some(Box::new(Copy { account: account.jid.clone(), entry, stanza }));
}

fn bytes(stanza: &Stanza) -> Arc<[u8]> {
    let mut bytes = Vec::with_capacity(stanza.weight());
    stanza.write_to(&mut bytes);
    bytes.into()
}

/// A message reaches these sessions of the account.
pub fn hand_over(account: &mut Account, mut stanza: Stanza, targets: &[SessionId], turn: &mut Turn<'_>) {
    let worth = worth(&stanza);
    let archived = worth == Worth::Keep && is_archived(account, &stanza, turn);
    let must_last = |id: &SessionId| account.session(*id).is_some_and(|session| session.resumption.is_some());
    let is_stored = archived || (worth != Worth::Nothing && targets.iter().any(must_last));
    // Also what only its sender keeps is read by nobody before that is stored.
    let is_held = is_stored || turn.passage.copy.as_ref().is_some_and(|copy| copy.entry.id > 0);
    let id = account.next_id(turn.now.unix_ms);
    let given = Given { id, is_stored, is_held, is_carbon: false, waits: false };
    let uses = is_stored.then_some(Uses { archived, waits: false });
    let arrival = is_held.then(|| Arrival::new(account, &stanza, given.id, uses, turn));
    if archived {
        stanza_ids::add(account, &mut stanza, given.id);
    }
    let mut trace = Trace::default();
    for target in targets {
        trace.receiving.extend(account.give(*target, stanza.clone(), given, turn));
    }
    for delivered in FEATURES.iter().filter_map(|feature| feature.delivered) {
        delivered(account, &stanza, targets, given, &mut trace, turn);
    }
    if let Some(arrival) = arrival {
        arrival.keep(&trace, turn);
    }
}

/// A message finds nobody: it waits, if it is worth that.
pub fn wait(account: &mut Account, stanza: Stanza, turn: &mut Turn<'_>) {
    let worth = worth(&stanza);
    let archived = worth == Worth::Keep && is_archived(account, &stanza, turn);
    let id = account.next_id(turn.now.unix_ms);
    wait_at(account, &stanza, id, Uses { archived, waits: worth != Worth::Nothing }, turn);
}

/// A message that is stored nowhere comes back from a session that is no more, and nobody else is there: it waits after all,
/// where it would have waited had nobody been there when it came.
pub fn wait_after_all(account: &mut Account, stanza: &Stanza, given: Given, turn: &mut Turn<'_>) {
    let uses = Uses { archived: false, waits: worth(stanza) != Worth::Nothing };
    wait_at(account, stanza, given.id, uses, turn);
}

/// `uses` says what it would be worth.
fn wait_at(account: &mut Account, stanza: &Stanza, id: u64, uses: Uses, turn: &mut Turn<'_>) {
    let Uses { archived, waits } = Uses { waits: uses.waits && waits(stanza), ..uses };
    if waits && account.waiting + account.keeping >= turn.config.offline_messages(account.class.as_deref()) {
        turn.refuse(stanza, &Condition::ServiceUnavailable.into());
    } else if waits || archived {
        account.keeping += u32::from(waits);
        Arrival::new(account, stanza, id, Some(Uses { archived, waits }), turn).keep(&Trace::default(), turn);
    }
}

fn is_archived(account: &Account, stanza: &Stanza, turn: &Turn<'_>) -> bool {
    stanza.from.as_ref().is_some_and(|from| archives(account, from, turn.config))
}

/// A message that reaches its recipient and is about to be stored.
struct Arrival {
    keep: Keep,
    /// Its place with the recipient, if it gets one.
    entry: Option<Entry>,
    then: Kept,
}

impl Arrival {
    /// Takes the sender's copy along, if there is one. Without `uses` only that is stored.
    fn new(account: &Account, stanza: &Stanza, id: u64, uses: Option<Uses>, turn: &mut Turn<'_>) -> Self {
        let copy = turn.passage.copy.take();
        let other = stanza.from.as_ref().map(peer).unwrap_or_default();
        let mut entry = uses.map(|uses| Entry { key: account.key, id, peer: other, uses, trace: [].into() });
        let then = Kept {
            account: account.jid.clone(),
            id,
            has_place: uses.is_some(),
            waits: uses.is_some_and(|uses| uses.waits),
            has_copy: copy.is_some(),
            stanza: stanza.clone(),
        };
        let mut keep = Keep { account: account.jid.clone(), stanza: [].into(), entries: Vec::with_capacity(2) };
        match copy {
            Some(copy) => {
                keep.stanza = copy.stanza;
                if copy.entry.id > 0 {
                    keep.entries.push(copy.entry);
                } else if let Some(entry) = &mut entry {
                    entry.trace = copy.entry.trace;
                }
            }
            None => keep.stanza = bytes(stanza),
        }
        Self { keep, entry, then }
    }

    fn keep(mut self, trace: &Trace, turn: &mut Turn<'_>) {
        if let Some(entry) = self.entry.as_mut().filter(|_| !trace.receiving.is_empty()) {
            let mut bytes = entry.trace.to_vec();
            trace.write(&mut bytes);
            entry.trace = bytes.into();
        }
        self.keep.entries.extend(self.entry);
        turn.ask(Question::Keep(Box::new(self.keep)), Then::Kept(Box::new(self.then)));
    }
}

/// Nobody got the message: its sender's copy is stored alone.
pub fn keep_copy(copy: Copy, turn: &mut Turn<'_>) {
    if copy.entry.id > 0 {
        let stanza = (!turn.passage.is_refused).then(|| copy.stanza.clone());
        let keep = Keep { account: copy.account, stanza: copy.stanza, entries: vec![copy.entry] };
        turn.ask(Question::Keep(Box::new(keep)), Then::KeptCopy(stanza));
    }
}

/// The store has the copy of this message that nobody got, or could not take it: its sender hears that, if it heard nothing yet.
pub fn kept_copy(stanza: Option<&[u8]>, answer: &Result<Answer, StoreFault>, turn: &mut Turn<'_>) {
    match answer {
        Ok(_) => turn.passage.cause.iter().for_each(Cause::stored),
        Err(fault) => {
            if let Some(stanza) = stanza.and_then(Stanza::from_stored) {
                turn.send_back(&stanza, &Condition::from(*fault).into());
            }
        }
    }
}

/// The store has a message, or could not take it.
pub fn kept(account: Option<&mut Account>, kept: Kept, answer: &Result<Answer, StoreFault>, turn: &mut Turn<'_>) {
    let is_stored = answer.is_ok();
    if is_stored {
        turn.counters.messages_stored += u64::from(kept.has_place);
        turn.counters.messages_offline += u64::from(kept.waits);
        if let Some(cause) = turn.passage.cause.as_ref().filter(|_| kept.has_copy) {
            cause.stored();
        }
    }
    let mut is_held = false;
    if let Some(account) = account {
        is_held = account.decide(kept.id, is_stored, turn);
        offline::read(account, turn);
        if kept.waits {
            account.keeping = account.keeping.saturating_sub(1);
            account.waiting += u32::from(is_stored);
        }
        if is_stored && kept.has_place {
            retraction::stored(account, &kept.stanza, kept.id, turn);
        }
    }
    match answer {
        Err(fault) => turn.send_back(&kept.stanza, &Condition::from(*fault).into()),
        // Whoever was to read it is gone, and it is stored nowhere: it looks for others, and waits if there are none.
        Ok(_) if !kept.has_place && !is_held => turn.pass_on(kept.stanza),
        Ok(_) => {}
    }
}

/// A stored message as its recipient's sessions had it, or will have it now.
#[must_use]
pub fn again(account: &Account, stored: &[u8], id: u64, archived: bool) -> Option<Stanza> {
    let mut stanza = Stanza::from_stored(stored)?;
    let is_own = stanza.from.as_ref().is_some_and(|from| from.same_bare(&account.jid))
        && !stanza.to.as_ref().is_some_and(|to| to.same_bare(&account.jid));
    if archived && !is_own {
        stanza_ids::add(account, &mut stanza, id);
    }
    Some(stanza)
}
