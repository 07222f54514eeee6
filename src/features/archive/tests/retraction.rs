//! How far a retracted message is looked for, and what is done about it.

use crate::config::Config;
use crate::counters::Counters;
use crate::dice::Dice;
use crate::effect::Effects;
use crate::features::archive::retraction::go_on;
use crate::input::Now;
use crate::jid::Jid;
use crate::limits;
use crate::passage::Passage;
use crate::reading::Retraction;
use crate::stanza::{Kind, MessageType, Stanza};
use crate::store::{AccountKey, Answer, ArchivePage, ArchiveQuery, Archived, Question};
use crate::turn::{Aftermath, Then, Turn};

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn message(id: u64) -> Archived {
    let from = Some(jid("romeo@example.net/orchard"));
    let stanza = Stanza::new(Kind::Message(MessageType::Chat), from, Some(jid("juliet@example.com")));
    let mut bytes = Vec::new();
    stanza.with_id(&format!("m{id}")).with_payload(b"<body>x</body>").write_to(&mut bytes);
    Archived { id, stanza: bytes.into() }
}

/// What is asked when the store has answered with this page.
fn go_on_alone(retraction: Retraction, page: ArchivePage) -> Option<(Question, Then)> {
    let (mut effects, mut counters, mut after) = (Effects::default(), Counters::default(), Aftermath::default());
    let mut turn = Turn {
        now: Now { mono_ms: 0, unix_ms: 0 },
        config: &Config::default(),
        dice: &mut Dice::new(&[1; 32]),
        effects: &mut effects,
        counters: &mut counters,
        after: &mut after,
        passage: &mut Passage::default(),
        is_stopping: false,
    };
    go_on(None, retraction, Ok(Answer::Page(Box::new(page))), &mut turn);
    after.questions.pop().map(|asked| (asked.0, asked.1))
}

/// Looks for the message `m…` of this number among 10,000. The questions it took, the last of them.
fn look_for(number: u64) -> (usize, Option<Question>) {
    let query = ArchiveQuery {
        account: jid("juliet@example.com"),
        key: AccountKey(1),
        peer: None,
        from: 0,
        upto: 10_000,
        ids: Vec::new(),
        beside: None,
        last: true,
        limit: limits::ARCHIVE_PAGE_DEFAULT,
        bytes: limits::ARCHIVE_PAGE_BYTES,
        count: false,
    };
    let mut retraction = Retraction {
        query,
        author: jid("romeo@example.net"),
        retracted: format!("m{number}").into(),
        id: Some("r1".into()),
        at_ms: 0,
        scanned: 0,
    };
    for questions in 1.. {
        let ArchiveQuery { upto, limit, .. } = retraction.query;
        let first = (upto + 1).saturating_sub(u64::from(limit)).max(1);
        let messages: Vec<_> = (first..=upto).map(message).collect();
        let page = ArchivePage { messages, complete: first == 1, count: None };
        match go_on_alone(retraction, page) {
            Some((Question::ReadArchive(_), Then::Retraction(next))) => retraction = *next,
            other => return (questions, other.map(|(question, _)| question)),
        }
    }
    unreachable!()
}

#[test]
fn it_is_looked_for_from_the_newest_back() {
    for (number, questions) in [(10_000, 1), (9_951, 1), (9_950, 2), (9_701, 2), (9_700, 3)] {
        match look_for(number) {
            (took, Some(Question::Replace { id, stanza, .. })) => {
                assert_eq!((id, took), (number, questions));
                let stone = Stanza::from_stored(&stanza).unwrap();
                assert!(stone.has_child("retracted", "urn:xmpp:message-retract:1") && stone.children().count() == 1);
                assert_eq!(stone.id, Some(format!("m{number}").into()));
            }
            other => panic!("{number}: {other:?}"),
        }
    }
}

#[test]
fn what_lies_too_far_back_stays() {
    let (questions, last) = look_for(1);
    assert_eq!(last, None);
    let pages = limits::RETRACTED_BACK.div_ceil(limits::ARCHIVE_PAGE as usize);
    assert!((pages..=pages + 1).contains(&questions), "{questions}");
}
