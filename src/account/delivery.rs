//! Where a stanza for a local account goes (RFC 6121 section 8.5), as one match.

use crate::stanza::{IqType, Kind, MessageType, PresenceType};

/// What the `to` of the stanza names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addressed {
    /// The account (section 8.5.2).
    Bare,
    /// A session that is connected, available or not (section 8.5.3.1); also one that may still be resumed.
    FullMatching,
    /// A resource that is not there (section 8.5.3.2).
    FullNotMatching,
}

/// Where it goes. `to` is never rewritten, except that a subscription stanza for a full JID counts as one for the bare JID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// To the session with exactly this full JID, whatever its priority.
    Session,
    /// To every available session whose priority is not negative; there is at least one.
    NonNegative,
    /// To every available session; there is at least one.
    Available,
    /// The account itself answers or acts: iq, probes, subscriptions.
    Account,
    /// Keep it until somebody comes online, if it is worth keeping (XEP-0160 section 3: not chat states alone) and the queue
    /// has room; else refuse it.
    Offline,
    /// Answer `service-unavailable`, type `cancel`.
    Refuse,
    /// Ignore it silently.
    Drop,
}

/// Where a stanza for an existing account goes. `sessions` tells for each session whether it is available, and its priority;
/// it is looked at only where the answer depends on it, so never for a full JID that matches.
///
/// What the RFC leaves open is chosen so:
/// - Messages for the bare JID go to all resources with a non-negative priority: all of them count as "most available". Since
///   people have several devices (XEP-0280), a message that only one of them gets is a message lost on the others.
/// - A `normal` message for a resource that left is treated like `chat`, as other servers do: the RFC would drop it or send
///   it back, and a person would miss it.
/// - An iq request for a full JID is delivered also if the sender is no subscriber. Section 8.5.3.1 advises against it; but
///   whoever knows the full JID got it from its owner, and clients rely on it (file transfer and calls between strangers).
/// - Presence errors for the bare JID reach all available resources: that is how a user hears that a subscription request
///   went wrong (section 3.1.2).
#[must_use]
pub fn deliver(kind: Kind, addressed: Addressed, sessions: impl IntoIterator<Item = (bool, i8)>) -> Delivery {
    use Addressed::{Bare, FullMatching, FullNotMatching};
    use MessageType::{Chat, Groupchat, Headline, Normal};
    use PresenceType::{Available, Probe, Subscribe, Subscribed, Unavailable, Unsubscribe, Unsubscribed};

    match (kind, addressed) {
        (Kind::Message(_) | Kind::Iq(_), FullMatching) => Delivery::Session,
        (Kind::Message(Chat | Normal), Bare | FullNotMatching) => {
            if any_non_negative(sessions) {
                Delivery::NonNegative
            } else {
                Delivery::Offline
            }
        }
        (Kind::Message(Headline), Bare) => {
            if any_non_negative(sessions) {
                Delivery::NonNegative
            } else {
                Delivery::Drop
            }
        }
        (Kind::Message(Groupchat), Bare | FullNotMatching) => Delivery::Refuse,
        (Kind::Message(Headline), FullNotMatching) => Delivery::Drop,
        (Kind::Message(MessageType::Error), Bare | FullNotMatching) => Delivery::Drop,

        (Kind::Presence(Available | Unavailable | PresenceType::Error), FullMatching) => Delivery::Session,
        (Kind::Presence(Available | Unavailable | PresenceType::Error), Bare) => {
            if sessions.into_iter().any(|(available, _)| available) { Delivery::Available } else { Delivery::Drop }
        }
        (Kind::Presence(Available | Unavailable | PresenceType::Error), FullNotMatching) => Delivery::Drop,
        (Kind::Presence(Subscribe | Probe), _) => Delivery::Account,
        (Kind::Presence(Subscribed | Unsubscribe | Unsubscribed), Bare | FullMatching) => Delivery::Account,
        (Kind::Presence(Subscribed | Unsubscribe | Unsubscribed), FullNotMatching) => Delivery::Drop,

        (Kind::Iq(IqType::Get | IqType::Set), Bare) => Delivery::Account,
        (Kind::Iq(IqType::Get | IqType::Set), FullNotMatching) => Delivery::Refuse,
        // Never answer an answer (RFC 6120 section 8.3.1).
        (Kind::Iq(IqType::Result | IqType::Error), Bare | FullNotMatching) => Delivery::Drop,
    }
}

/// Where a stanza goes whose local account does not exist (section 8.5.1): [`Delivery::Refuse`] or [`Delivery::Drop`].
///
/// The RFC lets a server swallow messages so that nobody can harvest a directory; but who mistypes an address should hear
/// of it, and a probe for accounts costs a login or a domain of one's own.
#[must_use]
pub fn no_account(kind: Kind) -> Delivery {
    match kind {
        Kind::Message(MessageType::Chat | MessageType::Normal | MessageType::Groupchat)
        | Kind::Iq(IqType::Get | IqType::Set) => Delivery::Refuse,
        Kind::Message(MessageType::Headline | MessageType::Error)
        | Kind::Iq(IqType::Result | IqType::Error)
        | Kind::Presence(_) => Delivery::Drop,
    }
}

fn any_non_negative(sessions: impl IntoIterator<Item = (bool, i8)>) -> bool {
    sessions.into_iter().any(|(available, priority)| available && priority >= 0)
}

#[cfg(test)]
mod tests {
    use super::{Addressed, Delivery, deliver, no_account};
    use crate::stanza::{IqType, Kind, MessageType, PresenceType};
    use Addressed::{Bare, FullMatching, FullNotMatching};

    const TYPES: [MessageType; 4] =
        [MessageType::Normal, MessageType::Chat, MessageType::Groupchat, MessageType::Headline];

    /// Sessions, address, then Normal, Chat, Groupchat, Headline as printed in section 8.5.4.
    type Row = (&'static [(bool, i8)], Addressed, [&'static str; 4]);

    /// The letters of section 8.5.4 that this delivery is an instance of.
    fn letters(delivery: Delivery, non_negative: usize) -> &'static str {
        match delivery {
            Delivery::Session => "D",
            Delivery::NonNegative if non_negative == 1 => "D",
            Delivery::NonNegative => "MA",
            Delivery::Offline => "O",
            Delivery::Refuse => "E",
            Delivery::Drop => "S",
            Delivery::Available | Delivery::Account => "",
        }
    }

    /// Section 8.5.4, table 1.
    #[test]
    fn table_1_message_delivery_rules() {
        const ONLY_NEGATIVE: [(bool, i8); 2] = [(true, -1), (true, -128)];
        const ONE: [(bool, i8); 2] = [(true, 0), (true, -1)];
        const SEVERAL: [(bool, i8); 3] = [(true, 127), (true, 0), (true, -5)];
        let table: [Row; 13] = [
            (&[], Bare, ["O/E", "O/E", "E", "S"]),
            (&[], FullNotMatching, ["S/E", "O/E", "S/E", "S/E"]),
            // Connected without presence is no active resource either.
            (&[(false, 0)], Bare, ["O/E", "O/E", "E", "S"]),
            (&[(false, 0)], FullNotMatching, ["S/E", "O/E", "S/E", "S/E"]),
            (&ONLY_NEGATIVE, Bare, ["O/E", "O/E", "E", "S"]),
            (&ONLY_NEGATIVE, FullMatching, ["D", "D", "D", "D"]),
            (&ONLY_NEGATIVE, FullNotMatching, ["S/E", "O/E", "S/E", "S/E"]),
            (&ONE, Bare, ["D", "D", "E", "D"]),
            (&ONE, FullMatching, ["D", "D", "D", "D"]),
            (&ONE, FullNotMatching, ["S/E", "D", "S/E", "S/E"]),
            (&SEVERAL, Bare, ["M/A", "M/A*", "E", "A"]),
            (&SEVERAL, FullMatching, ["D", "D/A*", "D", "D"]),
            (&SEVERAL, FullNotMatching, ["S/E", "M/A*", "S/E", "S/E"]),
        ];
        for (sessions, addressed, row) in table {
            let non_negative = sessions.iter().filter(|(available, priority)| *available && *priority >= 0).count();
            let chat = row[1];
            for (kind, allowed) in TYPES.into_iter().zip(row) {
                // The one deliberate departure: `normal` for a resource that left is handled as `chat`.
                let departs = kind == MessageType::Normal && addressed == FullNotMatching;
                let allowed = if departs { chat } else { allowed };
                let got = deliver(Kind::Message(kind), addressed, sessions.iter().copied());
                assert!(
                    letters(got, non_negative).chars().any(|letter| allowed.contains(letter)),
                    "{kind:?} {addressed:?} {sessions:?}: {got:?} is not {allowed}"
                );
            }
        }
    }

    /// Table 1, "ACCOUNT DOES NOT EXIST", and section 8.5.1.
    #[test]
    fn nobody_there() {
        for allowed in [["S/E", "S/E", "E", "S"], ["S/E", "S/E", "S/E", "S/E"]] {
            for (kind, allowed) in TYPES.into_iter().zip(allowed) {
                let got = no_account(Kind::Message(kind));
                assert!(letters(got, 0).chars().any(|letter| allowed.contains(letter)), "{kind:?}: {got:?}");
            }
        }
        assert_eq!(no_account(Kind::Iq(IqType::Get)), Delivery::Refuse);
        assert_eq!(no_account(Kind::Iq(IqType::Set)), Delivery::Refuse);
        assert_eq!(no_account(Kind::Iq(IqType::Result)), Delivery::Drop);
        assert_eq!(no_account(Kind::Presence(PresenceType::Available)), Delivery::Drop);
        assert_eq!(no_account(Kind::Presence(PresenceType::Subscribe)), Delivery::Drop);
        assert_eq!(no_account(Kind::Presence(PresenceType::Probe)), Delivery::Drop);
    }

    /// What is chosen among the letters.
    #[test]
    fn choices() {
        let message = |kind, addressed, sessions: &[(bool, i8)]| {
            deliver(Kind::Message(kind), addressed, sessions.iter().copied())
        };
        let two = [(true, 5), (true, 0), (true, -1), (false, 7)];
        for kind in [MessageType::Chat, MessageType::Normal] {
            for addressed in [Bare, FullNotMatching] {
                assert_eq!(message(kind, addressed, &two), Delivery::NonNegative);
                assert_eq!(message(kind, addressed, &[(true, -1)]), Delivery::Offline);
                assert_eq!(message(kind, addressed, &[(false, 0)]), Delivery::Offline);
                assert_eq!(message(kind, addressed, &[]), Delivery::Offline);
            }
        }
        assert_eq!(message(MessageType::Headline, Bare, &two), Delivery::NonNegative);
        assert_eq!(message(MessageType::Headline, FullNotMatching, &two), Delivery::Drop);
        assert_eq!(message(MessageType::Groupchat, FullNotMatching, &two), Delivery::Refuse);
        assert_eq!(no_account(Kind::Message(MessageType::Chat)), Delivery::Refuse);
    }

    /// Sections 8.5.2.1.1, 8.5.2.2.1, 8.5.3.1 and 8.5.3.2.1.
    #[test]
    fn message_errors_reach_only_the_resource_they_name() {
        let error = Kind::Message(MessageType::Error);
        assert_eq!(deliver(error, Bare, [(true, 0)]), Delivery::Drop);
        assert_eq!(deliver(error, Bare, []), Delivery::Drop);
        assert_eq!(deliver(error, FullNotMatching, [(true, 0)]), Delivery::Drop);
        assert_eq!(deliver(error, FullMatching, [(true, 0)]), Delivery::Session);
    }

    /// Sections 8.5.2.1.2, 8.5.2.2.2, 8.5.3.1 and 8.5.3.2.2.
    #[test]
    fn presence() {
        use PresenceType::{Available, Error, Probe, Subscribe, Subscribed, Unavailable, Unsubscribe, Unsubscribed};
        for kind in [Available, Unavailable, Error] {
            let kind = Kind::Presence(kind);
            // "All available resources", the negative ones included.
            assert_eq!(deliver(kind, Bare, [(true, -1)]), Delivery::Available);
            assert_eq!(deliver(kind, Bare, [(false, 0)]), Delivery::Drop);
            assert_eq!(deliver(kind, Bare, []), Delivery::Drop);
            assert_eq!(deliver(kind, FullMatching, [(false, 0)]), Delivery::Session);
            assert_eq!(deliver(kind, FullNotMatching, [(true, 0)]), Delivery::Drop);
        }
        for kind in [Subscribe, Subscribed, Unsubscribe, Unsubscribed, Probe] {
            assert_eq!(deliver(Kind::Presence(kind), Bare, []), Delivery::Account);
            assert_eq!(deliver(Kind::Presence(kind), Bare, [(true, 0)]), Delivery::Account);
            assert_eq!(deliver(Kind::Presence(kind), FullMatching, [(true, 0)]), Delivery::Account);
        }
        for kind in [Subscribe, Probe] {
            assert_eq!(deliver(Kind::Presence(kind), FullNotMatching, []), Delivery::Account);
        }
        for kind in [Subscribed, Unsubscribe, Unsubscribed] {
            assert_eq!(deliver(Kind::Presence(kind), FullNotMatching, []), Delivery::Drop);
        }
    }

    /// Sections 8.5.2.1.3, 8.5.2.2.3, 8.5.3.1 and 8.5.3.2.3.
    #[test]
    fn iq() {
        for kind in [IqType::Get, IqType::Set] {
            assert_eq!(deliver(Kind::Iq(kind), Bare, [(true, 0)]), Delivery::Account);
            assert_eq!(deliver(Kind::Iq(kind), Bare, []), Delivery::Account);
            assert_eq!(deliver(Kind::Iq(kind), FullNotMatching, [(true, 0)]), Delivery::Refuse);
        }
        for kind in [IqType::Result, IqType::Error] {
            assert_eq!(deliver(Kind::Iq(kind), Bare, [(true, 0)]), Delivery::Drop);
            assert_eq!(deliver(Kind::Iq(kind), FullNotMatching, [(true, 0)]), Delivery::Drop);
        }
        for kind in [IqType::Get, IqType::Set, IqType::Result, IqType::Error] {
            assert_eq!(deliver(Kind::Iq(kind), FullMatching, [(false, 0)]), Delivery::Session);
        }
    }
}
