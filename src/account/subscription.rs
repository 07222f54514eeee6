//! Presence subscriptions as a state machine (RFC 6121 section 3, section 2.5.2 and appendix A): what each of the four
//! stanzas changes, who hears of it, and what the server answers by itself.

use crate::stanza::PresenceType;
use crate::store::{RosterItem, Subscription};

/// How an account stands to one contact. The nine states of appendix A.1 are `subscription` with `ask` ("Pending Out") and
/// `pending_in` ("Pending In"); a contact who is not in the roster is in the state "None".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// Who sees whom.
    pub subscription: Subscription,
    /// The user asked and waits ("Pending Out"); never together with `To` or `Both`.
    pub ask: bool,
    /// The contact asked and waits ("Pending In"); never together with `From` or `Both`.
    pub pending_in: bool,
    /// The contact's next request is granted without asking (section 3.4); never together with `From` or `Both`.
    pub approved: bool,
}

/// The four stanzas that manage subscriptions (section 4.7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Asks to see.
    Subscribe,
    /// Allows.
    Subscribed,
    /// Wants to see no more.
    Unsubscribe,
    /// Refuses or ends.
    Unsubscribed,
}

/// What every available resource of the account sends to the contact, each from its full JID.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Notify {
    /// Nothing.
    #[default]
    Nothing,
    /// Its current presence, after the stanza or the reply.
    Current,
    /// `unavailable`, before the stanza or the reply (section 3.2.2: while the contact is still subscribed).
    Unavailable,
}

/// What a subscription stanza of the user does. The stanza is stamped with the user's bare JID and goes to the contact's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outbound {
    /// The new state.
    pub next: State,
    /// Send the stanza on to the contact.
    pub route: bool,
    /// The roster item changed or came into being: save it and push it, after routing (section 3.1.2).
    pub push: bool,
    /// The contact's request is answered: forget it.
    pub forget_request: bool,
    /// What the contact gets to see.
    pub notify: Notify,
}

/// What a subscription stanza of the contact does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inbound {
    /// The new state.
    pub next: State,
    /// Hand the stanza to the user: `subscribe` to all available resources (section 3.1.3), the others to all that asked for
    /// the roster, before the push.
    pub deliver: bool,
    /// The roster item changed: save it and push it.
    pub push: bool,
    /// Keep the stanza and deliver it at each login until it is answered.
    pub remember_request: bool,
    /// The contact took its request back: forget it.
    pub forget_request: bool,
    /// Answer in the user's name, from bare JID to bare JID.
    pub reply: Option<Action>,
    /// What the contact gets to see.
    pub notify: Notify,
}

/// What the removal of a roster item (section 2.5.2) sends to the contact, in this order, beside the push.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removal {
    /// Every available resource becomes unavailable to the contact.
    pub notify: Notify,
    /// Send `unsubscribe`.
    pub unsubscribe: bool,
    /// Send `unsubscribed`.
    pub unsubscribed: bool,
    /// The contact's request is refused by that: forget it.
    pub forget_request: bool,
}

impl Action {
    /// The action of a presence type, if it is one of the four.
    #[must_use]
    pub fn of(kind: PresenceType) -> Option<Self> {
        match kind {
            PresenceType::Subscribe => Some(Self::Subscribe),
            PresenceType::Subscribed => Some(Self::Subscribed),
            PresenceType::Unsubscribe => Some(Self::Unsubscribe),
            PresenceType::Unsubscribed => Some(Self::Unsubscribed),
            PresenceType::Available | PresenceType::Unavailable | PresenceType::Probe | PresenceType::Error => None,
        }
    }

    /// Its presence type.
    #[must_use]
    pub fn presence(self) -> PresenceType {
        match self {
            Self::Subscribe => PresenceType::Subscribe,
            Self::Subscribed => PresenceType::Subscribed,
            Self::Unsubscribe => PresenceType::Unsubscribe,
            Self::Unsubscribed => PresenceType::Unsubscribed,
        }
    }
}

impl State {
    /// The state that a roster item (or none) and a remembered request (or none) mean.
    #[must_use]
    pub fn of(item: Option<&RosterItem>, pending_in: bool) -> Self {
        item.map_or(Self { pending_in, ..Self::default() }, |item| Self {
            subscription: item.subscription,
            ask: item.ask,
            pending_in,
            approved: item.approved,
        })
    }

    /// The user sees the contact.
    #[must_use]
    pub fn sees(self) -> bool {
        matches!(self.subscription, Subscription::To | Subscription::Both)
    }

    /// The contact sees the user.
    #[must_use]
    pub fn is_seen(self) -> bool {
        matches!(self.subscription, Subscription::From | Subscription::Both)
    }

    fn with(self, sees: bool, is_seen: bool) -> Self {
        let subscription = match (sees, is_seen) {
            (false, false) => Subscription::None,
            (true, false) => Subscription::To,
            (false, true) => Subscription::From,
            (true, true) => Subscription::Both,
        };
        Self { subscription, ..self }
    }

    /// The contact may see the user from now on. An approval given in advance is used up: kept, it would let a contact back in
    /// whom the user has seen leaving (section 3.4.2 leaves it to the server).
    fn granted(self) -> Self {
        Self { pending_in: false, approved: false, ..self.with(self.sees(), true) }
    }

    /// True if the roster item of `self` looks different to clients than that of `other`.
    fn shows_other(self, other: Self) -> bool {
        (self.subscription, self.ask, self.approved) != (other.subscription, other.ask, other.approved)
    }
}

/// The user sends `action` to the contact (appendix A.2).
#[must_use]
pub fn outbound(state: State, action: Action) -> Outbound {
    let (next, route, notify) = match action {
        // Also when nothing changes: the other side may have lost its state, and only its server can tell.
        Action::Subscribe => (State { ask: !state.sees(), ..state }, true, Notify::Nothing),
        Action::Unsubscribe => (State { ask: false, ..state.with(false, state.is_seen()) }, true, Notify::Nothing),
        Action::Subscribed if state.pending_in => (state.granted(), true, Notify::Current),
        Action::Subscribed => (State { approved: !state.is_seen(), ..state }, false, Notify::Nothing),
        Action::Unsubscribed => {
            let next = State { pending_in: false, approved: false, ..state.with(state.sees(), false) };
            // Who was only asking never saw the resources, so none of them says goodbye.
            let notify = if state.is_seen() { Notify::Unavailable } else { Notify::Nothing };
            (next, state.is_seen() || state.pending_in, notify)
        }
    };
    Outbound {
        next,
        route,
        push: next.shows_other(state),
        forget_request: state.pending_in && !next.pending_in,
        notify,
    }
}

/// The contact sends `action` to the user (appendix A.3).
#[must_use]
pub fn inbound(state: State, action: Action) -> Inbound {
    let (next, deliver, reply, notify) = match action {
        // RFC 6121 is silent on presence for a contact who asks again; it lost its state, so it needs that too.
        Action::Subscribe if state.is_seen() => (state, false, Some(Action::Subscribed), Notify::Current),
        Action::Subscribe if state.approved => (state.granted(), false, Some(Action::Subscribed), Notify::Current),
        Action::Subscribe => (State { pending_in: true, ..state }, !state.pending_in, None, Notify::Nothing),
        Action::Unsubscribe if state.is_seen() => {
            (state.with(state.sees(), false), true, Some(Action::Unsubscribed), Notify::Unavailable)
        }
        Action::Unsubscribe if state.pending_in => {
            (State { pending_in: false, ..state }, true, Some(Action::Unsubscribed), Notify::Nothing)
        }
        Action::Subscribed if state.ask => {
            (State { ask: false, ..state.with(true, state.is_seen()) }, true, None, Notify::Nothing)
        }
        Action::Unsubscribed if state.ask || state.sees() => {
            (State { ask: false, ..state.with(false, state.is_seen()) }, true, None, Notify::Nothing)
        }
        Action::Unsubscribe | Action::Subscribed | Action::Unsubscribed => (state, false, None, Notify::Nothing),
    };
    Inbound {
        next,
        deliver,
        push: next.shows_other(state),
        remember_request: next.pending_in && !state.pending_in,
        forget_request: state.pending_in && !next.pending_in,
        reply,
        notify,
    }
}

/// The user removes the contact's roster item (section 2.5.2). Requests that still wait on either side are taken back or
/// refused as well, else the removed contact could come to life again by a late answer.
#[must_use]
pub fn removal(state: State) -> Removal {
    Removal {
        notify: if state.is_seen() { Notify::Unavailable } else { Notify::Nothing },
        unsubscribe: state.sees() || state.ask,
        unsubscribed: state.is_seen() || state.pending_in,
        forget_request: state.pending_in,
    }
}

#[cfg(test)]
mod tests;
