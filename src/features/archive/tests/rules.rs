//! What is stored, by what a message holds and by what the account wants.

use crate::account::Account;
use crate::archive_id::IdKey;
use crate::config::Config;
use crate::features::archive::rules::{Worth, archives, waits, worth};
use crate::jid::Jid;
use crate::stanza::{Kind, MessageType, Stanza};
use crate::store::{AccountRecord, ArchiveDefault, Preferences, RosterItem, Subscription};

fn message(kind: MessageType, payload: &str) -> Stanza {
    Stanza::new(Kind::Message(kind), None, None).with_payload(payload.as_bytes())
}

/// Messages that clients send and miss later if they are not there.
const KEPT: &[&str] = &[
    "<body>O Romeo</body>",
    "<subject>Tomorrow</subject>",
    "<x xmlns='jabber:x:encrypted'>…</x>",
    "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:example'/><secret xmlns='urn:example'/>",
    "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>",
    "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/></encrypted>",
    "<openpgp xmlns='urn:xmpp:openpgp:0'>…</openpgp>",
    "<received xmlns='urn:xmpp:receipts' id='m1'/>",
    "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>",
    "<replace xmlns='urn:xmpp:message-correct:0' id='m1'/><body>Romeo!</body>",
    "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>x</reaction></reactions>",
    "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>",
    "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'/>",
    "<x xmlns='jabber:x:conference' jid='room@example.org'/>",
    "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='romeo@example.net'/></x>",
    "<m:x xmlns:m='http://jabber.org/protocol/muc#user'><m:decline/></m:x>",
    "<composing xmlns='http://jabber.org/protocol/chatstates'/><store xmlns='urn:xmpp:hints'/>",
    "<active xmlns='http://jabber.org/protocol/chatstates'/><body>O Romeo</body><request xmlns='urn:xmpp:receipts'/>",
    "<something xmlns='urn:example:later'/>",
];

/// Messages that nobody misses.
const OF_THE_MOMENT: &[&str] = &[
    "",
    "<thread>t1</thread>",
    "<composing xmlns='http://jabber.org/protocol/chatstates'/><thread>t1</thread>",
    "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>",
    "<no-copy xmlns='urn:xmpp:hints'/>",
    "<request xmlns='urn:xmpp:receipts'/>",
    "<markable xmlns='urn:xmpp:chat-markers:0'/>",
    "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:example'/></event>",
    "<x xmlns='http://jabber.org/protocol/muc#user'><status code='100'/></x>",
    "<body>secret</body><no-store xmlns='urn:xmpp:hints'/>",
    "<no-store xmlns='urn:xmpp:hints'/><body>secret</body><store xmlns='urn:xmpp:hints'/>",
    "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></received>",
    "<result xmlns='urn:xmpp:mam:2' id='1'/>",
];

#[test]
fn what_belongs_to_a_conversation_is_kept() {
    for kind in [MessageType::Chat, MessageType::Normal] {
        for payload in KEPT {
            assert_eq!(worth(&message(kind, payload)), Worth::Keep, "{payload}");
            assert!(waits(&message(kind, payload)), "{payload}");
        }
        for payload in OF_THE_MOMENT {
            assert_eq!(worth(&message(kind, payload)), Worth::Nothing, "{payload}");
        }
    }
}

#[test]
fn the_type_decides_first() {
    for payload in KEPT {
        assert_eq!(worth(&message(MessageType::Error, payload)), Worth::Nothing, "{payload}");
        assert_eq!(worth(&message(MessageType::Groupchat, payload)), Worth::Nothing, "{payload}");
    }
    assert_eq!(worth(&message(MessageType::Headline, "<body>news</body>")), Worth::Nothing);
    let asked = message(MessageType::Headline, "<body>news</body><store xmlns='urn:xmpp:hints'/>");
    assert_eq!(worth(&asked), Worth::Keep);
    assert!(!waits(&asked));
}

#[test]
fn some_may_wait_and_not_stay() {
    let passing = message(MessageType::Chat, "<body>secret</body><no-permanent-store xmlns='urn:xmpp:hints'/>");
    assert_eq!(worth(&passing), Worth::Passing);
    assert!(waits(&passing));
    let empty = message(MessageType::Chat, "<no-permanent-store xmlns='urn:xmpp:hints'/>");
    assert_eq!(worth(&empty), Worth::Nothing);
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn account(preferences: Option<Preferences>) -> Account {
    let item = RosterItem {
        jid: jid("juliet@example.com"),
        name: None,
        subscription: Subscription::None,
        ask: false,
        approved: false,
        groups: Vec::new(),
        version: 1,
    };
    let record = AccountRecord { roster: vec![item], preferences, ..AccountRecord::default() };
    Account::new(jid("romeo@example.net"), record, IdKey::new(&[7; 32], "ids"))
}

/// Who of these is archived: a contact, a stranger, one listed as never, one listed as always, one that is listed as both.
fn archived(default: ArchiveDefault) -> [bool; 5] {
    let preferences = Preferences {
        default,
        always: vec![jid("nurse@example.com"), jid("both@example.com")],
        never: vec![jid("tybalt@example.com"), jid("both@example.com")],
    };
    let account = account(Some(preferences));
    [
        "juliet@example.com/balcony",
        "paris@example.com",
        "tybalt@example.com/x",
        "nurse@example.com/y",
        "both@example.com",
    ]
    .map(|other| archives(&account, &jid(other), &Config::default()))
}

#[test]
fn lists_beat_the_default_and_never_beats_always() {
    assert_eq!(archived(ArchiveDefault::Always), [true, true, false, true, false]);
    assert_eq!(archived(ArchiveDefault::Roster), [true, false, false, true, false]);
    assert_eq!(archived(ArchiveDefault::Never), [false, false, false, true, false]);
}

#[test]
fn a_listed_resource_is_that_resource_alone() {
    let never = vec![jid("tybalt@example.com/x"), jid("example.org")];
    let account = account(Some(Preferences { never, ..Preferences::default() }));
    let archives = |other| archives(&account, &jid(other), &Config::default());
    assert!(!archives("tybalt@example.com/x"));
    assert!(archives("tybalt@example.com"));
    assert!(archives("tybalt@example.com/y"));
    assert!(!archives("example.org/announcements"));
    assert!(archives("paris@example.org"));
}

#[test]
fn without_preferences_the_configuration_decides() {
    let mut config = Config::default();
    let account = account(None);
    for (default, contact, stranger, own) in [
        (ArchiveDefault::Always, true, true, true),
        (ArchiveDefault::Roster, true, false, true),
        (ArchiveDefault::Never, false, false, false),
    ] {
        config.archive.default = default;
        assert_eq!(archives(&account, &jid("juliet@example.com/balcony"), &config), contact);
        assert_eq!(archives(&account, &jid("paris@example.com"), &config), stranger);
        assert_eq!(archives(&account, &jid("romeo@example.net/garden"), &config), own);
    }
}
