//! Makes clients subscribe to one another's presence (RFC 6121 section 3), as far as they do not yet.
//!
//! Each fetches its roster and asks those to whom it is not subscribed; who is asked agrees. A pair is made when the server
//! has said `both` to both, and each has heard the presence of the other. What an earlier run made stays, so a second run
//! finds all of it done.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::mem;

use crate::engine::Engine;
use crate::frame;

/// Requests under way at once, of one thread.
const AT_ONCE: usize = 64;

/// The friendships of one thread's clients, by their slots.
pub(crate) struct Friends {
    /// Bare JIDs.
    jids: Vec<String>,
    slots: HashMap<String, usize>,
    /// Of each client whom it is to have on its roster.
    friends: Vec<BTreeSet<usize>>,
    /// Of each client whom it does not have on its roster as it should.
    missing: Vec<BTreeMap<usize, Stand>>,
    /// Of each client whose presence it has not heard.
    unheard: Vec<BTreeSet<usize>>,
    /// Whether a client's roster was seen.
    seen: Vec<bool>,
    unseen: usize,
    /// Who is still to ask whom, once all rosters were seen.
    asking: VecDeque<(usize, usize)>,
    under_way: usize,
    steps: usize,
    left: usize,
}

/// How far one friendship is, from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Unasked,
    Asked,
    /// The other one agreed, and is still to ask for himself.
    Agreed,
}

impl Friends {
    /// `circles` holds for each client with whom it is to be friends; friendship is mutual.
    pub(crate) fn new(jids: Vec<String>, circles: impl Iterator<Item = BTreeSet<usize>>) -> Self {
        let friends: Vec<BTreeSet<usize>> = circles.collect();
        let unasked = |friends: &BTreeSet<usize>| friends.iter().map(|friend| (*friend, Stand::Unasked)).collect();
        let missing: Vec<BTreeMap<usize, Stand>> = friends.iter().map(unasked).collect();
        Self {
            slots: jids.iter().enumerate().map(|(slot, jid)| (jid.clone(), slot)).collect(),
            seen: vec![false; missing.len()],
            unseen: missing.len(),
            asking: VecDeque::new(),
            left: missing.iter().map(BTreeMap::len).sum(),
            jids,
            unheard: friends.clone(),
            friends,
            missing,
            under_way: 0,
            steps: 0,
        }
    }

    /// To be called when a client has come online.
    pub(crate) fn online(&self, engine: &mut Engine<'_>, slot: usize) {
        engine.send(slot, b"<iq type='get' id='friends'><query xmlns='jabber:iq:roster'/></iq>");
    }

    /// Asks as many as may be asked at once. To be called in each turn.
    pub(crate) fn turn(&mut self, engine: &mut Engine<'_>) {
        while self.under_way < AT_ONCE
            && let Some((slot, friend)) = self.asking.pop_front()
        {
            let Some(stand) = self.missing[slot].get_mut(&friend).filter(|stand| **stand == Stand::Unasked) else {
                continue;
            };
            self.under_way += 1;
            *stand = Stand::Asked;
            engine.send(slot, format!("<presence to='{}' type='subscribe'/>", self.jids[friend]).as_bytes());
        }
    }

    /// Takes a stanza if it is about rosters and subscriptions.
    pub(crate) fn event(&mut self, engine: &mut Engine<'_>, slot: usize, stanza: &[u8]) {
        match frame::name(stanza) {
            b"iq" if frame::contains(stanza, "jabber:iq:roster") => {
                let others = frame::tags(stanza, "item").filter(|item| !self.item(slot, item)).count();
                if others > 0 {
                    let jid = &self.jids[slot];
                    engine.control.fail(format!(
                        "{jid} has {others} contacts that this scene does not know: take other accounts (--user-prefix)"
                    ));
                }
                if frame::attribute(stanza, b"id") == Some(b"friends") && !mem::replace(&mut self.seen[slot], true) {
                    self.unseen -= 1;
                    if self.unseen == 0 {
                        self.begin();
                    }
                }
            }
            b"iq" if frame::attribute(stanza, b"id") == Some(b"friends") => {
                engine.control.fail(format!("no roster: {}", frame::excerpt(stanza)));
            }
            b"presence" => {
                let from = String::from_utf8_lossy(frame::attribute(stanza, b"from").unwrap_or_default());
                match frame::attribute(stanza, b"type") {
                    Some(b"subscribe") if self.slots.contains_key(&*from) => {
                        engine.send(slot, format!("<presence to='{from}' type='subscribed'/>").as_bytes());
                    }
                    Some(b"error" | b"unsubscribed") if self.left > 0 => {
                        engine.control.fail(format!("a subscription is refused: {}", frame::excerpt(stanza)));
                    }
                    None => {
                        let speaker = from.split('/').next().and_then(|bare| self.slots.get(bare));
                        self.steps += usize::from(speaker.is_some_and(|speaker| self.unheard[slot].remove(speaker)));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self) {
        for (slot, missing) in self.missing.iter().enumerate() {
            let unasked = missing.iter().filter(|(_, stand)| **stand == Stand::Unasked);
            self.asking.extend(unasked.map(|(friend, _)| (slot, *friend)));
        }
    }

    /// Notes an item of a client's roster; `false` if it is none of these friends.
    fn item(&mut self, slot: usize, item: &[u8]) -> bool {
        let jid = frame::attribute(item, b"jid").and_then(|jid| std::str::from_utf8(jid).ok()).unwrap_or_default();
        let Some(friend) = self.slots.get(jid).filter(|friend| self.friends[slot].contains(friend)) else {
            return false;
        };
        let Some(stand) = self.missing[slot].get_mut(friend) else { return true };
        let now = match frame::attribute(item, b"subscription") {
            Some(b"both") => None,
            Some(b"to") => Some(Stand::Agreed),
            _ => return true,
        };
        self.under_way -= usize::from(*stand == Stand::Asked);
        self.steps += 1;
        match now {
            Some(now) => *stand = now,
            None => {
                self.missing[slot].remove(friend);
                self.left -= 1;
            }
        }
        true
    }

    /// Grows while friendships come about.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    pub(crate) fn complete(&self) -> bool {
        self.left == 0 && self.unheard.iter().all(BTreeSet::is_empty)
    }
}
