//! What only the store sees of a room.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::settings::Password;
use super::{Room, Settings};
use crate::config::Config;
use crate::counters::Counters;
use crate::dice::Dice;
use crate::effect::Effects;
use crate::input::Now;
use crate::jid::Jid;
use crate::passage::Passage;
use crate::store::{Question, Role, RoomRecord, StoredOccupant};
use crate::turn::{Aftermath, Turn};

/// Has something done in a turn, and gives what the store is asked for it.
fn asked(act: impl FnOnce(&mut Turn<'_>)) -> Vec<Question> {
    let (config, mut after) = (Config::default(), Aftermath::default());
    act(&mut Turn {
        now: Now { mono_ms: 0, unix_ms: 0 },
        config: &config,
        dice: &mut Dice::new(&[1; 32]),
        effects: &mut Effects::default(),
        counters: &mut Counters::default(),
        after: &mut after,
        passage: &mut Passage::default(),
        is_stopping: false,
    });
    after.questions.into_iter().map(|(question, ..)| question).collect()
}

fn settings() -> Settings {
    Settings::new(&Config::default().rooms)
}

/// Else somebody who had no voice would have one after a restart.
#[test]
fn roles_that_moderation_takes_are_stored() {
    let romeo = StoredOccupant {
        jid: Jid::parse("romeo@example.net/orchard").unwrap(),
        nick: "Romeo".into(),
        role: Role::Participant,
    };
    let open = Settings { is_members_only: false, ..settings() };
    let setup = open.to_setup("hall");
    let record = RoomRecord { occupants: vec![romeo.clone()], setup, ..RoomRecord::default() };
    let jid = Jid::parse("hall@conference.example.com").unwrap();
    let mut room = Room::new(jid.clone(), record, false, &[7; 32], &Config::default());
    let before = std::mem::replace(&mut room.settings, Settings { is_moderated: true, ..open });
    let questions = asked(|turn| room.apply(&before, turn));
    let occupant = Box::new(StoredOccupant { role: Role::Visitor, ..romeo });
    assert_eq!(questions, [Question::SaveOccupant { room: jid, occupant }]);
}

/// Whatever an owner sets, the store gives back; what it does not name is as new rooms are.
#[test]
fn settings_are_stored_whole() {
    let all = Settings {
        name: "The <Hall>".into(),
        description: "two\nlines".into(),
        language: "it".into(),
        password: Some(Password("cauldron&burn".into())),
        is_public: true,
        is_persistent: false,
        is_members_only: false,
        is_moderated: true,
        is_non_anonymous: false,
        subject_is_free: false,
        invites_are_free: false,
        takes_voice_requests: false,
        shows: [(Role::Moderator, true), (Role::Participant, false), (Role::Visitor, false)],
        max_occupants: 12,
        is_archived: false,
        archive_days: Some(7),
        history: 3,
        slow_mode_seconds: 30,
        ..settings()
    };
    let stored = all.to_setup("hall");
    assert_eq!(Settings::from_stored(&stored.settings, settings()), all);
    assert_eq!((stored.is_public, &*stored.name, stored.archive_days), (true, "The <Hall>", Some(7)));
    assert_eq!(Settings::from_stored(b"", settings()), settings());
}
