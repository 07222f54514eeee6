//! What the sweep removes, what it leaves, and how little it does at a time.

use std::sync::Arc;

use wattle::config::{Class, Config, Durability};
use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::store::{AccountKey, Answer, Entry, Keep, Question, RoomSetup, StoredSession, Uses};

use super::cluster::Cluster;
use super::questions::done;
use super::{Folder, config, create, jid, record, rooms};
use crate::store::driver::{Access, Driver};
use crate::store::retention::{Retention, Step, Sweep};
use crate::store::{Handle, Store, sqlite};

/// Unix ms.
const NOW: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 86_400_000;

const NEITHER: Uses = Uses { archived: false, waits: false };
const WAITS: Uses = Uses { archived: false, waits: true };
const ARCHIVED: Uses = Uses { archived: true, waits: false };
const BOTH: Uses = Uses { archived: true, waits: true };

fn days_ago(days: u64) -> u64 {
    (NOW - days * DAY_MS) << 20
}

fn name(number: i64) -> String {
    format!("user{number}@example.org")
}

fn accounts(handle: &Handle, numbers: std::ops::RangeInclusive<i64>) {
    numbers.for_each(|number| done(handle, create(&name(number))));
}

/// One message for one or more accounts.
fn keep(handle: &Handle, accounts: &[i64], id: u64, uses: Uses) {
    let entry = |number: &i64| Entry { key: AccountKey(*number), id, peer: 1, uses, trace: [].into() };
    let entries = accounts.iter().map(entry).collect();
    let keep = Keep { account: jid(&name(accounts[0])), stanza: (*b"a message").into(), entries };
    // Nobody waits for the answer: whatever is asked next stands behind it.
    handle.ask(ShardIndex(0), Ticket(id), Question::Keep(Box::new(keep)));
}

/// A store whose own sweep finds nothing to do, filled by `fill`, and then a whole pass over it with `retention`. The
/// steps of the pass.
fn swept(folder: &Folder, fill: impl FnOnce(&Handle), retention: &Config) -> Vec<Step> {
    let store = folder.open();
    fill(&store.handle());
    drop(store);
    let mut driver = sqlite::open(&sqlite::path(&folder.0), Durability::Full).unwrap();
    pass(&mut driver, retention)
}

fn pass(driver: &mut dyn Driver, retention: &Config) -> Vec<Step> {
    let retention = Retention::of(retention);
    let mut sweep = Sweep::new();
    let mut steps = Vec::new();
    while steps.last().is_none_or(|step: &Step| !step.last) {
        driver.begin(Access::Writes).unwrap();
        steps.push(sweep.step(driver, &retention, NOW).unwrap());
        driver.commit().unwrap();
        assert!(steps.len() < 1_000, "it never ends");
    }
    steps
}

/// The entries that are left, and the messages: each of these is named as often as it says.
fn left(folder: &Folder) -> (Vec<(i64, u64)>, u32) {
    let conn = folder.connect();
    let mut entries = conn.prepare("SELECT account, id FROM archive ORDER BY account, id").unwrap();
    let entries = entries.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))).unwrap();
    let wrong = "SELECT count(*) FROM message
                 WHERE entries <> (SELECT count(*) FROM archive WHERE archive.message = message.id) OR entries < 1";
    assert_eq!(conn.query_row(wrong, [], |row| row.get::<_, u32>(0)), Ok(0));
    let lost = "SELECT count(*) FROM archive WHERE message NOT IN (SELECT id FROM message)";
    assert_eq!(conn.query_row(lost, [], |row| row.get::<_, u32>(0)), Ok(0));
    let messages = conn.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
    (entries.map(Result::unwrap).collect(), messages)
}

fn keeps_days(days: u32) -> Config {
    let mut config = Config::default();
    config.archive.days = days;
    config
}

#[test]
fn what_is_too_old_goes_with_the_last_who_kept_it() {
    let folder = Folder::new();
    let fill = |handle: &Handle| {
        accounts(handle, 1..=2);
        keep(handle, &[1, 2], days_ago(40), ARCHIVED);
        keep(handle, &[1, 2], days_ago(29), ARCHIVED);
        keep(handle, &[1, 2], days_ago(28), ARCHIVED);
        keep(handle, &[1], days_ago(1), ARCHIVED);
        done(handle, Question::SetRetention { account: jid(&name(2)), days: Some(35), messages: None });
    };
    let steps = swept(&folder, fill, &keeps_days(28));
    assert_eq!(steps, [Step { removed: 3, last: true }]);
    let expected = vec![(1, days_ago(28)), (1, days_ago(1)), (2, days_ago(29)), (2, days_ago(28))];
    assert_eq!(left(&folder), (expected, 3));
}

#[test]
fn what_waits_or_may_be_needed_stays() {
    let folder = Folder::new();
    let old = days_ago(100);
    let fill = |handle: &Handle| {
        accounts(handle, 1..=2);
        for account in 1..=2 {
            for (number, uses) in [NEITHER, WAITS, ARCHIVED, BOTH, NEITHER].into_iter().enumerate() {
                keep(handle, &[account], old + number as u64, uses);
            }
            keep(handle, &[account], days_ago(7), NEITHER);
        }
        // A session of the second account may still want what came behind its floor.
        let session = Box::new(StoredSession { number: 1, floor: old + 1, state: (*b"s").into() });
        let (account, key) = (jid(&name(2)), AccountKey(2));
        done(handle, Question::SaveSession { account, key, session, forget_upto: 0 });
    };
    swept(&folder, fill, &keeps_days(28));
    let of_one = [(1, old + 1), (1, old + 3), (1, days_ago(7))];
    let of_two = [(2, old + 1), (2, old + 3), (2, old + 4), (2, days_ago(7))];
    assert_eq!(left(&folder).0, [&of_one[..], &of_two].concat());
}

#[test]
fn an_account_counts_more_than_its_class_and_that_more_than_the_server() {
    let folder = Folder::new();
    let fill = |handle: &Handle| {
        accounts(handle, 1..=6);
        for days in [10, 20, 30, 40, 50] {
            keep(handle, &[1, 2, 3, 4, 5, 6], days_ago(days), ARCHIVED);
        }
        for (number, class) in [(2, "staff"), (3, "staff"), (4, "ever"), (5, "gone from the file"), (6, "staff")] {
            done(handle, Question::SetClass { account: jid(&name(number)), class: Some(class.into()) });
        }
        let own = |number, days, messages| Question::SetRetention { account: jid(&name(number)), days, messages };
        done(handle, own(3, Some(15), None));
        done(handle, own(4, None, Some(3)));
        done(handle, own(6, Some(1), Some(1)));
        done(handle, Question::ClearRetention { account: jid(&name(6)) });
    };
    let class = |name: &str, archive_days| Class { name: name.into(), archive_days, ..Class::default() };
    let config = Config { classes: vec![class("staff", Some(35)), class("ever", Some(0))], ..keeps_days(25) };
    swept(&folder, fill, &config);
    let entries = left(&folder).0;
    let of = |number| entries.iter().filter(|entry| entry.0 == number).count();
    assert_eq!([of(1), of(2), of(3), of(4), of(5), of(6)], [2, 3, 1, 3, 2, 3]);
}

#[test]
fn a_room_is_kept_for_its_days_but_no_longer_than_the_server_says() {
    let folder = Folder::new();
    let fill = |handle: &Handle| {
        accounts(handle, 1..=1);
        for (number, archive_days) in [(2, None), (3, Some(0)), (4, Some(15))] {
            let room = format!("room{number}@rooms.example.org");
            let setup = RoomSetup { archive_days, ..RoomSetup::default() };
            assert_eq!(rooms::made(handle, &room, None, setup).key, AccountKey(number));
        }
        for days in [10, 20, 30, 40] {
            keep(handle, &[1, 2, 3, 4], days_ago(days), ARCHIVED);
        }
        keep(handle, &[2], days_ago(9), NEITHER);
        keep(handle, &[2], days_ago(7), NEITHER);
    };
    let mut config = keeps_days(25);
    config.archive.messages = 3;
    swept(&folder, fill, &config);
    let days = |number, days: &[u64]| days.iter().map(|days| (number, days_ago(*days))).collect::<Vec<_>>();
    let expected = [days(1, &[20, 10]), days(2, &[20, 10, 7]), days(3, &[20, 10]), days(4, &[10])];
    assert_eq!(left(&folder).0, expected.concat());
}

/// Also where more are counted than one look-up does.
#[test]
fn only_the_newest_stay_where_they_are_counted() {
    for (kept, all) in [(1, 5), (4_095, 4_100), (4_096, 4_096), (4_096, 4_097), (4_097, 9_000), (9_000, 8_999)] {
        let folder = Folder::new();
        let fill = |handle: &Handle| {
            accounts(handle, 1..=1);
            for ids in (1..=all).collect::<Vec<_>>().chunks(1_000) {
                let entry = |id: &u64| Entry { key: AccountKey(1), id: *id, peer: 1, uses: ARCHIVED, trace: [].into() };
                let entries = ids.iter().map(entry).collect();
                let keep = Keep { account: jid(&name(1)), stanza: (*b"x").into(), entries };
                done(handle, Question::Keep(Box::new(keep)));
            }
        };
        let mut config = keeps_days(0);
        config.archive.messages = kept;
        swept(&folder, fill, &config);
        let kept = u64::from(kept).min(all);
        assert_eq!(left(&folder).0, (all - kept + 1..=all).map(|id| (1, id)).collect::<Vec<_>>());
    }
}

/// No step does much, and a pass goes on where it was although messages come meanwhile.
#[test]
fn steps_are_small() {
    let folder = Folder::new();
    let fill = |handle: &Handle| {
        accounts(handle, 1..=3);
        (0..450).for_each(|number| keep(handle, &[1, 3], days_ago(50) + number, ARCHIVED));
        keep(handle, &[2], days_ago(0), ARCHIVED);
    };
    let steps = swept(&folder, fill, &keeps_days(28));
    let removed: Vec<_> = steps.iter().map(|step| step.removed).collect();
    assert!(removed.iter().all(|removed| *removed <= 200), "{removed:?}");
    assert_eq!(removed.iter().sum::<u64>(), 900);
    assert_eq!(left(&folder), (vec![(2, days_ago(0))], 1));
}

/// Of an account that is removed: what a large archive leaves, and what came too late.
#[test]
fn what_belongs_to_nobody_goes() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    accounts(&handle, 1..=2);
    (1..=2_500).for_each(|id| keep(&handle, &[1], id, WAITS));
    keep(&handle, &[1, 2], 3_000, ARCHIVED);
    let passes = handle.counters().passes;
    done(&handle, Question::RemoveAccount { account: jid(&name(1)) });
    // The sweep begins by itself, and a write that waits for it comes between its steps.
    while handle.counters().passes == passes {
        done(&handle, Question::SaveLast { account: jid(&name(2)), at_ms: 1, status: "".into() });
    }
    assert_eq!(left(&folder), (vec![(2, 3_000)], 1));
    assert_eq!(handle.counters().swept, 1_501);
    keep(&handle, &[1], 4_000, BOTH);
    drop((handle, store));
    assert_eq!(swept(&folder, |_| {}, &keeps_days(0)), [Step { removed: 0, last: true }]);
    assert_eq!(left(&folder), (vec![(2, 3_000)], 1));
}

/// A server that starts does what is due, and says so.
#[test]
fn a_pass_runs_at_start_and_is_counted() {
    let folder = Folder::new();
    let store = folder.open();
    accounts(&store.handle(), 1..=1);
    keep(&store.handle(), &[1], 1, ARCHIVED);
    drop(store);
    let mut kept = config(&folder.0);
    kept.archive.days = 28;
    let store = Store::open(&kept, Arc::new(|_, _, _| {})).unwrap();
    let handle = store.handle();
    while handle.counters().passes == 0 {
        let account = Question::SaveLast { account: jid(&name(1)), at_ms: 1, status: "".into() };
        assert_eq!(handle.call(account), Ok(Answer::Done));
    }
    assert_eq!(handle.counters().swept, 1);
    assert!(handle.counters().last_pass_unix_s > 0);
    assert_eq!(left(&folder), (vec![], 0));
}

/// Every statement of the sweep does the same on every driver.
#[test]
fn both_drivers_sweep_alike() {
    let folder = Folder::new();
    for mut config in [config(&folder.0), folder.with_postgres(&Cluster::shared().database())] {
        config.archive.days = 0;
        let store = Store::open(&config, Arc::new(|_, _, _| {})).unwrap();
        let handle = store.handle();
        accounts(&handle, 1..=3);
        (1..=450).for_each(|id| keep(&handle, &[1, 2], id, ARCHIVED));
        keep(&handle, &[1], 451, WAITS);
        keep(&handle, &[3], 452, NEITHER);
        let setup = RoomSetup { archive_days: Some(0), ..RoomSetup::default() };
        assert_eq!(rooms::made(&handle, "room4@rooms.example.org", None, setup.clone()).key, AccountKey(4));
        rooms::made(&handle, "room5@rooms.example.org", None, RoomSetup::default());
        rooms::made(&handle, "room6@rooms.example.org", None, setup);
        (1..=10).for_each(|id| keep(&handle, &[4, 5, 6], id, ARCHIVED));
        done(&handle, Question::RemoveRoom { room: jid("room6@rooms.example.org") });
        keep(&handle, &[6], 11, ARCHIVED);
        let (account, days, messages) = (jid(&name(2)), Some(0), Some(10));
        done(&handle, Question::SetRetention { account, days, messages });
        drop((handle, store));
        config.archive.days = 28;
        let store = Store::open(&config, Arc::new(|_, _, _| {})).unwrap();
        let handle = store.handle();
        while handle.counters().passes == 0 {
            done(&handle, Question::SaveLast { account: jid(&name(2)), at_ms: 1, status: "".into() });
        }
        assert_eq!(handle.counters().swept, 450 + 440 + 1 + 10 + 10 + 1);
        let left = |number| {
            let record = record(&handle, &name(number));
            (record.newest, record.waiting)
        };
        assert_eq!([left(1), left(2), left(3)], [(451, 1), (450, 0), (0, 0)]);
    }
}

/// What goes makes room for what comes: the file does not grow for ever.
#[test]
fn space_is_used_again() {
    let folder = Folder::new();
    let store = folder.open();
    accounts(&store.handle(), 1..=10);
    drop(store);
    let mut sizes = Vec::new();
    for round in 0..6_u64 {
        let fill = |handle: &Handle| {
            for number in 0..1_000 {
                let id = days_ago(100 - round * 10) + number;
                keep(handle, &[1 + (number % 10).cast_signed(), 1 + ((number + 3) % 10).cast_signed()], id, ARCHIVED);
            }
        };
        // Those of the round before go.
        let days = u32::try_from(100 - round * 10).unwrap();
        swept(&folder, fill, &keeps_days(days));
        assert_eq!(left(&folder).1, 1_000);
        sizes.push(std::fs::metadata(sqlite::path(&folder.0)).unwrap().len());
    }
    assert!(sizes[5] < sizes[1] * 11 / 10, "{sizes:?}");
}
