//! The tables of RFC 6121 appendix A row by row, and what sections 2.5.2 and 3 add to them.

use super::{Action, Inbound, Notify, Outbound, Removal, State, inbound, outbound, removal};
use crate::store::Subscription;

/// A state by its name in appendix A.1.
fn state(name: &str) -> State {
    let (subscription, ask, pending_in) = match name {
        "None" => (Subscription::None, false, false),
        "None + Pending Out" => (Subscription::None, true, false),
        "None + Pending In" => (Subscription::None, false, true),
        "None + Pending Out+In" => (Subscription::None, true, true),
        "To" => (Subscription::To, false, false),
        "To + Pending In" => (Subscription::To, false, true),
        "From" => (Subscription::From, false, false),
        "From + Pending Out" => (Subscription::From, true, false),
        "Both" => (Subscription::Both, false, false),
        other => panic!("no state of appendix A.1: {other}"),
    };
    State { subscription, ask, pending_in, approved: false }
}

const SAME: &str = "no state change";
const MUST: bool = true;
const NOT: bool = false;
/// Existing state, ROUTE? or DELIVER? ("S.N." and "M.N." are both `NOT`), new state.
type Table = [(&'static str, bool, &'static str); 9];

fn check_outbound(action: Action, table: Table) {
    for (from, route, to) in table {
        let before = state(from);
        let expected = match to {
            SAME => before,
            "pre-approval" => State { approved: true, ..before },
            to => state(to),
        };
        let got = outbound(before, action);
        assert_eq!((got.route, got.next), (route, expected), "outbound {action:?} in {from}");
    }
}

fn check_inbound(action: Action, table: Table) {
    for (from, deliver, to) in table {
        let before = state(from);
        let expected = if to == SAME { before } else { state(to) };
        let got = inbound(before, action);
        assert_eq!((got.deliver, got.next), (deliver, expected), "inbound {action:?} in {from}");
    }
}

#[test]
fn table_2_outbound_subscribe() {
    check_outbound(
        Action::Subscribe,
        [
            ("None", MUST, "None + Pending Out"),
            ("None + Pending Out", MUST, SAME),
            ("None + Pending In", MUST, "None + Pending Out+In"),
            ("None + Pending Out+In", MUST, SAME),
            ("To", MUST, SAME),
            ("To + Pending In", MUST, SAME),
            ("From", MUST, "From + Pending Out"),
            ("From + Pending Out", MUST, SAME),
            ("Both", MUST, SAME),
        ],
    );
}

#[test]
fn table_3_outbound_unsubscribe() {
    check_outbound(
        Action::Unsubscribe,
        [
            ("None", MUST, SAME),
            ("None + Pending Out", MUST, "None"),
            ("None + Pending In", MUST, SAME),
            ("None + Pending Out+In", MUST, "None + Pending In"),
            ("To", MUST, "None"),
            ("To + Pending In", MUST, "None + Pending In"),
            ("From", MUST, SAME),
            ("From + Pending Out", MUST, "From"),
            ("Both", MUST, "From"),
        ],
    );
}

#[test]
fn table_4_outbound_subscribed() {
    check_outbound(
        Action::Subscribed,
        [
            ("None", NOT, "pre-approval"),
            ("None + Pending Out", NOT, "pre-approval"),
            ("None + Pending In", MUST, "From"),
            ("None + Pending Out+In", MUST, "From + Pending Out"),
            ("To", NOT, "pre-approval"),
            ("To + Pending In", MUST, "Both"),
            ("From", NOT, SAME),
            ("From + Pending Out", NOT, SAME),
            ("Both", NOT, SAME),
        ],
    );
}

#[test]
fn table_5_outbound_unsubscribed() {
    check_outbound(
        Action::Unsubscribed,
        [
            ("None", NOT, SAME),
            ("None + Pending Out", NOT, SAME),
            ("None + Pending In", MUST, "None"),
            ("None + Pending Out+In", MUST, "None + Pending Out"),
            ("To", NOT, SAME),
            ("To + Pending In", MUST, "To"),
            ("From", MUST, "None"),
            ("From + Pending Out", MUST, "None + Pending Out"),
            ("Both", MUST, "To"),
        ],
    );
}

#[test]
fn table_6_inbound_subscribe() {
    check_inbound(
        Action::Subscribe,
        [
            ("None", MUST, "None + Pending In"),
            ("None + Pending Out", MUST, "None + Pending Out+In"),
            ("None + Pending In", NOT, SAME),
            ("None + Pending Out+In", NOT, SAME),
            ("To", MUST, "To + Pending In"),
            ("To + Pending In", NOT, SAME),
            ("From", NOT, SAME),
            ("From + Pending Out", NOT, SAME),
            ("Both", NOT, SAME),
        ],
    );
}

#[test]
fn table_6_note_2_subscribed_contacts_are_answered() {
    for name in ["From", "From + Pending Out", "Both"] {
        let got = inbound(state(name), Action::Subscribe);
        assert_eq!(got.reply, Some(Action::Subscribed), "{name}");
        assert!(!got.push && !got.remember_request, "{name}");
    }
    for name in ["None", "None + Pending Out", "None + Pending In", "None + Pending Out+In", "To", "To + Pending In"] {
        assert_eq!(inbound(state(name), Action::Subscribe).reply, None, "{name}");
    }
}

#[test]
fn table_7_inbound_unsubscribe() {
    let table = [
        ("None", NOT, SAME),
        ("None + Pending Out", NOT, SAME),
        ("None + Pending In", MUST, "None"),
        ("None + Pending Out+In", MUST, "None + Pending Out"),
        ("To", NOT, SAME),
        ("To + Pending In", MUST, "To"),
        ("From", MUST, "None"),
        ("From + Pending Out", MUST, "None + Pending Out"),
        ("Both", MUST, "To"),
    ];
    check_inbound(Action::Unsubscribe, table);
    // Note 1: wherever it is delivered, the server replies with "unsubscribed".
    for (name, deliver, _) in table {
        let reply = inbound(state(name), Action::Unsubscribe).reply;
        assert_eq!(reply, deliver.then_some(Action::Unsubscribed), "{name}");
    }
}

#[test]
fn table_8_inbound_subscribed() {
    check_inbound(
        Action::Subscribed,
        [
            ("None", NOT, SAME),
            ("None + Pending Out", MUST, "To"),
            ("None + Pending In", NOT, SAME),
            ("None + Pending Out+In", MUST, "To + Pending In"),
            ("To", NOT, SAME),
            ("To + Pending In", NOT, SAME),
            ("From", NOT, SAME),
            ("From + Pending Out", MUST, "Both"),
            ("Both", NOT, SAME),
        ],
    );
}

#[test]
fn table_9_inbound_unsubscribed() {
    check_inbound(
        Action::Unsubscribed,
        [
            ("None", NOT, SAME),
            ("None + Pending Out", MUST, "None"),
            ("None + Pending In", NOT, SAME),
            ("None + Pending Out+In", MUST, "None + Pending In"),
            ("To", MUST, "None"),
            ("To + Pending In", MUST, "None + Pending In"),
            ("From", NOT, SAME),
            ("From + Pending Out", MUST, "From"),
            ("Both", MUST, "From"),
        ],
    );
}

/// Section 3.1.2: the roster push shows `ask`; section 3.1.5: the approval shows presence and settles the request.
#[test]
fn a_request_and_its_approval() {
    assert_eq!(
        outbound(state("None"), Action::Subscribe),
        Outbound {
            next: state("None + Pending Out"),
            route: true,
            push: true,
            forget_request: false,
            notify: Notify::Nothing,
        }
    );
    assert_eq!(
        inbound(state("None"), Action::Subscribe),
        Inbound {
            next: state("None + Pending In"),
            deliver: true,
            // "MUST NOT add an item for the user to the contact's roster" (section 3.1.3).
            push: false,
            remember_request: true,
            forget_request: false,
            reply: None,
            notify: Notify::Nothing,
        }
    );
    assert_eq!(
        outbound(state("None + Pending In"), Action::Subscribed),
        Outbound { next: state("From"), route: true, push: true, forget_request: true, notify: Notify::Current }
    );
    assert_eq!(
        inbound(state("None + Pending Out"), Action::Subscribed),
        Inbound {
            next: state("To"),
            deliver: true,
            push: true,
            remember_request: false,
            forget_request: false,
            reply: None,
            notify: Notify::Nothing,
        }
    );
}

/// Section 3.2.2, items 1 and 3: goodbyes only to those who could see.
#[test]
fn a_cancelled_contact_sees_all_resources_leave_and_a_refused_one_sees_none() {
    for name in ["From", "From + Pending Out", "Both"] {
        let got = outbound(state(name), Action::Unsubscribed);
        assert_eq!((got.notify, got.push, got.forget_request), (Notify::Unavailable, true, false), "{name}");
    }
    for name in ["None + Pending In", "None + Pending Out+In", "To + Pending In"] {
        let got = outbound(state(name), Action::Unsubscribed);
        assert_eq!((got.notify, got.push, got.forget_request), (Notify::Nothing, false, true), "{name}");
    }
}

/// Section 3.3.3: the one who unsubscribed sees all resources leave.
#[test]
fn an_unsubscribing_contact_sees_all_resources_leave() {
    let got = inbound(state("Both"), Action::Unsubscribe);
    assert_eq!((got.notify, got.push, got.forget_request), (Notify::Unavailable, true, false));
    let got = inbound(state("None + Pending In"), Action::Unsubscribe);
    assert_eq!((got.notify, got.push, got.forget_request), (Notify::Nothing, false, true));
}

/// Section 3.4.2.
#[test]
fn a_pre_approved_request_is_granted_without_the_user() {
    for (before, after) in [("None", "From"), ("None + Pending Out", "From + Pending Out"), ("To", "Both")] {
        let approved = outbound(state(before), Action::Subscribed);
        assert!(approved.push && !approved.route, "{before}");
        assert_eq!(
            inbound(approved.next, Action::Subscribe),
            Inbound {
                next: state(after),
                deliver: false,
                push: true,
                remember_request: false,
                forget_request: false,
                reply: Some(Action::Subscribed),
                notify: Notify::Current,
            }
        );
    }
}

/// Section 3.2.2, item 2.
#[test]
fn a_pre_approval_is_cancelled_without_telling_the_contact() {
    for name in ["None", "None + Pending Out", "To"] {
        let got = outbound(State { approved: true, ..state(name) }, Action::Unsubscribed);
        let expected =
            Outbound { next: state(name), route: false, push: true, forget_request: false, notify: Notify::Nothing };
        assert_eq!(got, expected, "{name}");
    }
}

/// A pre-approval is the user's alone: no stanza of the contact but `subscribe` touches it.
#[test]
fn a_pre_approval_outlives_the_contacts_other_stanzas() {
    let approved = State { approved: true, ..state("To") };
    assert!(inbound(approved, Action::Unsubscribed).next.approved);
    assert!(inbound(approved, Action::Unsubscribe).next.approved);
    assert!(outbound(approved, Action::Unsubscribe).next.approved);
}

#[test]
fn what_changes_nothing_pushes_nothing() {
    for name in ["None", "To", "From", "Both"] {
        for action in [Action::Subscribe, Action::Subscribed, Action::Unsubscribe, Action::Unsubscribed] {
            let out = outbound(state(name), action);
            assert_eq!(out.push, out.next != state(name), "outbound {action:?} in {name}");
            let back = inbound(state(name), action);
            assert_eq!(back.push, back.next.subscription != state(name).subscription, "inbound {action:?} in {name}");
        }
    }
}

/// Section 2.5.2, items 1 to 3.
#[test]
fn removal_ends_what_there_was() {
    let gone = |notify, unsubscribe, unsubscribed, forget_request| Removal {
        notify,
        unsubscribe,
        unsubscribed,
        forget_request,
    };
    for (name, expected) in [
        ("None", gone(Notify::Nothing, false, false, false)),
        ("None + Pending Out", gone(Notify::Nothing, true, false, false)),
        ("None + Pending In", gone(Notify::Nothing, false, true, true)),
        ("None + Pending Out+In", gone(Notify::Nothing, true, true, true)),
        ("To", gone(Notify::Nothing, true, false, false)),
        ("To + Pending In", gone(Notify::Nothing, true, true, true)),
        ("From", gone(Notify::Unavailable, false, true, false)),
        ("From + Pending Out", gone(Notify::Unavailable, true, true, false)),
        ("Both", gone(Notify::Unavailable, true, true, false)),
    ] {
        assert_eq!(removal(state(name)), expected, "{name}");
    }
}

/// Two servers that follow the tables agree after each stanza and its automatic replies, whatever two users do: 8 choices, four
/// times in a row.
#[test]
fn both_sides_agree() {
    const ACTIONS: [Action; 4] = [Action::Subscribe, Action::Subscribed, Action::Unsubscribe, Action::Unsubscribed];
    for run in 0..8_usize.pow(4) {
        let mut sides = [State::default(); 2];
        for step in 0..4 {
            let choice = run / 8_usize.pow(step) % 8;
            let (mut sender, mut action) = (choice / 4, ACTIONS[choice % 4]);
            let sent = outbound(sides[sender], action);
            sides[sender] = sent.next;
            let mut hops = 0;
            let mut travels = sent.route;
            while travels {
                let got = inbound(sides[1 - sender], action);
                sides[1 - sender] = got.next;
                sender = 1 - sender;
                travels = got.reply.is_some();
                action = got.reply.unwrap_or(action);
                hops += 1;
                assert!(hops <= 2, "a reply was replied to in run {run}");
            }
            for (mine, theirs) in [(sides[0], sides[1]), (sides[1], sides[0])] {
                assert_eq!((mine.sees(), mine.ask), (theirs.is_seen(), theirs.pending_in), "run {run}");
                assert!(!(mine.ask && mine.sees()), "run {run}");
                assert!(!((mine.pending_in || mine.approved) && mine.is_seen()), "run {run}");
            }
        }
    }
}
