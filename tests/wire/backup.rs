//! A store that is backed up, put back, and moved to another database, as operators do it with the real program.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "the conversations use more of it")]
mod link;
mod moving;
mod place;
#[allow(unused_imports, reason = "nothing is played here; what reads a stream is taken from it")]
#[path = "../scripts/player/mod.rs"]
mod player;
#[path = "../postgres/mod.rs"]
mod postgres;
#[allow(dead_code, reason = "the crash tests use more of it")]
mod server;
#[allow(dead_code, reason = "the crash tests use more of it")]
#[path = "../crash/stream.rs"]
mod stream;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use place::{ANYWHERE, Place, Running, said};
use player::PASSWORD;
use player::reading::Item;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use server::Server;
use stream::Stream;
use wattle::ns;
use wattle::xml::Element;

const DOMAIN: &str = "backup.example.com";
/// After this a test gives up hope.
const PATIENCE: Duration = Duration::from_secs(60);
/// Backups that are made while messages flow.
const COPIES: usize = 5;

fn read_only(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// All rows of all tables, by table.
fn contents(path: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
    let conn = read_only(path);
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    let names: Vec<String> =
        conn.prepare(names).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let rows = |name: &String| {
        let mut statement = conn.prepare(&format!("SELECT * FROM {name} ORDER BY 1, 2")).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    names.iter().map(|name| (name.clone(), rows(name))).collect()
}

/// The numbers of the messages in a store, in the order in which they came.
fn numbers(path: &Path) -> Vec<usize> {
    let conn = read_only(path);
    let verdict: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let mut statement = conn.prepare("SELECT CAST(stanza AS TEXT) FROM message ORDER BY id").unwrap();
    let stanzas = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    let number = |stanza: String| {
        let (_, rest) = stanza.split_once("<body>").unwrap();
        rest.split_once("</body>").unwrap().0.parse().unwrap()
    };
    stanzas.map(number).collect()
}

/// Romeo speaks to Juliet as fast as he can, and tells how many of his messages are acknowledged.
fn speak(mut stream: Stream, stop: &AtomicBool, acknowledged: Sender<usize>) {
    let mut said = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut out = String::new();
        for _ in 0..20 {
            out.push_str(&format!(
                "<message to='juliet@{DOMAIN}' type='chat' id='m{said}'><body>{said}</body></message>"
            ));
            said += 1;
        }
        out.push_str(&format!("<r xmlns='{}'/>", ns::SM));
        stream.write(&out);
        let answer = acknowledgement(&mut stream);
        // The roster's iq is counted too.
        let handled: usize = answer.attr("h").unwrap().parse().unwrap();
        if acknowledged.send(handled - 1).is_err() {
            return;
        }
    }
}

/// What the server asks meanwhile needs no answer within the time that this takes.
fn acknowledgement(stream: &mut Stream) -> Element {
    loop {
        match stream.take() {
            Some(Item::Element(element)) if element.is("a", ns::SM) => return element,
            Some(Item::Element(element)) if element.is("r", ns::SM) => {}
            Some(item) => panic!("unexpected: {item}"),
            None => assert!(stream.wait(PATIENCE).unwrap(), "no acknowledgement comes"),
        }
    }
}

/// Logged in, with a contact and stream management.
fn romeo(server: &Server) -> Stream {
    let mut stream = Stream::open(server.at(), &format!("romeo@{DOMAIN}")).unwrap();
    stream.write(&format!("<iq type='set' id='bind'><bind xmlns='{}'/></iq>", ns::BIND));
    stream.element("iq", ns::CLIENT).unwrap();
    stream.write(&format!("<enable xmlns='{}'/>", ns::SM));
    stream.element("enabled", ns::SM).unwrap();
    let item = format!("<item jid='juliet@{DOMAIN}' name='Juliet'><group>Capulet</group></item>");
    stream.write(&format!("<iq type='set' id='roster'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
    stream.element("iq", ns::CLIENT).unwrap();
    stream
}

#[test]
fn copies_made_while_messages_flow_are_whole_and_can_be_restored() {
    let server = Server::start(2, &[DOMAIN.to_owned()], "limits.offline_messages = 100000");
    let accounts = [format!("juliet@{DOMAIN}"), format!("romeo@{DOMAIN}")];
    server.add_accounts(&[&*accounts[0], &*accounts[1]], PASSWORD);
    let folder = server.folder().to_owned();
    let wattle = |words: &str| {
        let words = words.split_whitespace().chain(["--config", "wattle.toml"]);
        let done = Command::new(env!("CARGO_BIN_EXE_wattle")).args(words).current_dir(&folder).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    };
    let stream = romeo(&server);
    let stop = AtomicBool::new(false);
    let (sender, acknowledged) = mpsc::channel();
    thread::scope(|scope| {
        let speaker = scope.spawn(|| speak(stream, &stop, sender));
        for copy in 0..COPIES {
            let before = acknowledged.recv().unwrap().max(acknowledged.try_iter().max().unwrap_or_default());
            assert_eq!(wattle(&format!("backup copy-{copy}.sqlite")), said(0, "", ""));
            // It has gone on meanwhile: what was acknowledged before is there, and nothing of the rest is there in part.
            let found = numbers(&folder.join(format!("copy-{copy}.sqlite")));
            assert!(found.len() >= before, "{} of {before}", found.len());
            assert!(found.iter().copied().eq(0..found.len()), "{found:?}");
            acknowledged.recv().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        speaker.join().unwrap();
    });
    let copy = folder.join(format!("copy-{}.sqlite", COPIES - 1));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!folder.join("copy-0.sqlite.part").exists());

    let (code, _, err) = wattle("restore copy-4.sqlite");
    assert_eq!(code, 1);
    assert!(err.contains("data is in use by process"), "{err}");

    server.kill();
    let store = folder.join("data/wattle.sqlite");
    let lost = contents_of_killed(&folder);
    let (code, out, err) = wattle("restore copy-4.sqlite");
    assert_eq!((code, &*err), (0, ""));
    let messages = numbers(&copy).len();
    assert!(
        out.starts_with(&format!("the store holds 2 accounts, no rooms and {messages} messages, the newest of 20")),
        "{out}"
    );
    let (_, kept) = out.trim_end().split_once("is kept as ").unwrap();
    assert_eq!(contents(&store), contents(&copy));
    assert!(contents(&copy).iter().any(|(name, rows)| name == "roster" && rows.len() == 1));
    assert_eq!(contents(&folder.join(kept)), lost);

    server.kill_and_start_again(|_| {});
    assert_eq!(wattle("user list"), said(0, &format!("{}\n{}\n", accounts[0], accounts[1]), ""));
    assert!(Stream::open(server.at(), &accounts[0]).is_ok());
    server.stop();
}

/// What a killed server has left in file and log, read elsewhere so that both stay as they are.
fn contents_of_killed(folder: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
    let elsewhere = folder.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for name in ["wattle.sqlite", "wattle.sqlite-wal"] {
        fs::copy(folder.join("data").join(name), elsewhere.join(name)).unwrap();
    }
    contents(&elsewhere.join("wattle.sqlite"))
}

/// The files of a data folder, but for the lock.
fn files(place: &Place) -> Vec<(String, Vec<u8>)> {
    let Ok(folder) = fs::read_dir(place.0.join("wattle-data")) else { return Vec::new() };
    let mut files: Vec<_> = folder
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name() != "wattle.lock")
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn what_is_no_backup_is_refused_and_changes_nothing() {
    let place = Place::new("no-backup");
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    assert_eq!(place.wattle("backup good.sqlite", ""), said(0, "", ""));
    let good = fs::read(place.0.join("good.sqlite")).unwrap();
    let before = files(&place);
    let refused = |name: &str, what: &str, cure: &str| {
        let (code, out, err) = place.wattle(&format!("restore {name}"), "");
        assert_eq!((code, &*out), (1, ""), "{name}");
        assert!(err.contains(what) && err.contains(cure), "{err}");
        assert_eq!(files(&place), before, "{name}");
    };
    refused("missing.sqlite", "cannot read missing.sqlite", "name a file that `wattle backup` made");
    refused("wattle-data", "wattle-data is no backup", "name a file that `wattle backup` made");
    refused("wattle-data/wattle.sqlite", "is the store itself", "name a backup");
    fs::write(place.0.join("empty.sqlite"), "").unwrap();
    refused("empty.sqlite", "empty", "name a file that `wattle backup` made");
    fs::write(place.0.join("text.sqlite"), "a".repeat(9_000)).unwrap();
    refused("text.sqlite", "is damaged or no database", "take another backup");
    fs::write(place.0.join("half.sqlite"), &good[..good.len() / 2]).unwrap();
    refused("half.sqlite", "is damaged or no database", "take another backup");
    // Only the bytes of one table's page are gone: nothing but a look at all of it finds that.
    let mut torn = good.clone();
    let end = torn.len();
    torn[end - 2_048..].fill(0x5a);
    fs::write(place.0.join("torn.sqlite"), torn).unwrap();
    refused("torn.sqlite", "is damaged or no database", "take another backup");
    Connection::open(place.0.join("theirs.sqlite")).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    refused("theirs.sqlite", "is another program's database", "name a file that `wattle backup` made");
    fs::write(place.0.join("newer.sqlite"), &good).unwrap();
    let newer = Connection::open(place.0.join("newer.sqlite")).unwrap();
    newer.pragma_update(None, "user_version", 1_000).unwrap();
    newer.execute("UPDATE fact SET value = CAST('9.8.7' AS BLOB) WHERE name = 'wattle'", []).unwrap();
    newer.close().unwrap();
    refused("newer.sqlite", "newer.sqlite has schema 1000", "run wattle 9.8.7 or newer");
}

#[test]
fn a_backup_is_not_written_over_anything_without_being_told() {
    let place = Place::new("over");
    let (code, _, err) = place.wattle("backup copy.sqlite", "");
    assert_eq!(
        (code, &*err),
        (
            1,
            "wattle: there is no store at wattle-data/wattle.sqlite; go where it is, or name the configuration with --config FILE\n"
        )
    );
    assert!(!place.0.join("copy.sqlite").exists());
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    fs::write(place.0.join("copy.sqlite"), "precious").unwrap();
    let (code, _, err) = place.wattle("backup copy.sqlite", "");
    assert_eq!(code, 1);
    assert!(err.contains("copy.sqlite is there already; name another file, or replace it with --force"), "{err}");
    assert_eq!(fs::read(place.0.join("copy.sqlite")).unwrap(), b"precious");
    assert_eq!(place.wattle("backup --force copy.sqlite", ""), said(0, "", ""));
    assert_eq!(contents(&place.0.join("copy.sqlite")), contents(&place.0.join("wattle-data/wattle.sqlite")));
    let (code, _, err) = place.wattle("backup --force wattle-data/wattle.sqlite", "");
    assert_eq!(code, 1);
    assert!(err.contains("is a file of the store itself"), "{err}");
    let (code, _, err) = place.wattle("backup no/such/place", "");
    assert_eq!(code, 1);
    assert!(err.contains("cannot write no/such: No such file"), "{err}");
    assert_eq!(fs::read_dir(&place.0).unwrap().count(), 2);
}

/// A copy that was killed is in nobody's way, and one that is being made is left alone.
#[test]
fn a_backup_that_was_killed_is_begun_anew() {
    let place = Place::new("part");
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    let part = place.0.join("copy.sqlite.part");
    fs::write(&part, "half of a copy").unwrap();
    let held = fs::File::open(&part).unwrap();
    held.lock().unwrap();
    let (code, _, err) = place.wattle("backup copy.sqlite", "");
    assert_eq!(code, 1);
    assert!(err.contains("is being written by another process"), "{err}");
    assert!(part.exists());
    drop(held);
    assert_eq!(place.wattle("backup copy.sqlite", ""), said(0, "", ""));
    assert!(!part.exists());
}

/// A new machine: there is nothing yet but the backup.
#[test]
fn a_backup_is_restored_where_nothing_was() {
    let place = Place::new("fresh");
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    assert_eq!(place.wattle("backup copy.sqlite", ""), said(0, "", ""));
    fs::remove_dir_all(place.0.join("wattle-data")).unwrap();
    fs::write(place.0.join("text.sqlite"), "text").unwrap();
    assert_eq!(place.wattle("restore text.sqlite", "").0, 1);
    assert!(!place.0.join("wattle-data").exists());
    // A session that its client has gone on with since must not meet it again as it was.
    let copy = Connection::open(place.0.join("copy.sqlite")).unwrap();
    // Nor a room one that has left it since. What a room keeps is there.
    copy.execute_batch(
        "INSERT INTO session (account, number, floor, state) SELECT id, 1, 0, x'01' FROM account;
         INSERT INTO room VALUES (2, 'crypt@conference.localhost', 'conference.localhost', 1, 1, '', NULL, x'', x''),
                                 (3, 'tomb@conference.localhost', 'conference.localhost', 1, 1, '', NULL, x'', x'');
         INSERT INTO room_member VALUES (2, 'juliet@localhost', 4, NULL, NULL);
         INSERT INTO room_occupant VALUES (1, 2, 'juliet@localhost/a', 'Juliet', 3);
         INSERT INTO message VALUES (1, 1, x'00');
         INSERT INTO archive VALUES (2, 1700000000000 << 20, 7, 1, x'', 1);",
    )
    .unwrap();
    drop(copy);
    let restored = "the store holds 1 account, 2 rooms and 1 message, the newest of 2023-11-14 22:13:20 UTC now\n";
    assert_eq!(place.wattle("restore copy.sqlite", ""), said(0, restored, ""));
    assert_eq!(files(&place).len(), 1);
    let store = read_only(&place.0.join("wattle-data/wattle.sqlite"));
    let count = |what: &str| store.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get::<_, i64>(0));
    assert_eq!((count("session"), count("room_occupant"), count("room_member")), (Ok(0), Ok(0), Ok(1)));
    assert_eq!(count("room"), Ok(2));
    drop(store);
    assert_eq!(place.wattle("user list", ""), said(0, "juliet@localhost\n", ""));
    assert_eq!(fs::metadata(place.0.join("wattle-data")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(place.0.join("wattle-data/wattle.sqlite")).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A store that does not even open is what backups are for.
#[test]
fn a_damaged_store_is_replaced_and_kept() {
    let place = Place::new("damaged");
    place.config(ANYWHERE);
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    assert_eq!(place.wattle("backup copy.sqlite", ""), said(0, "", ""));
    let data = place.0.join("wattle-data");
    fs::write(data.join("wattle.sqlite"), "what a dying disk has left").unwrap();
    fs::write(data.join("wattle.sqlite-wal"), "and of the log").unwrap();
    for again in 0..2 {
        let (code, out, err) = place.wattle("restore copy.sqlite", "");
        assert_eq!((code, &*err), (0, ""));
        let (_, kept) = out.trim_end().split_once("is kept as ").unwrap();
        if again == 0 {
            assert_eq!(fs::read(place.0.join(kept)).unwrap(), b"what a dying disk has left");
            assert_eq!(fs::read(place.0.join(format!("{kept}-wal"))).unwrap(), b"and of the log");
        } else {
            assert_eq!(contents(&place.0.join(kept)), contents(&place.0.join("copy.sqlite")));
        }
    }
    let mut server = Running::start(&place);
    assert_eq!(place.wattle("user list", ""), said(0, "juliet@localhost\n", ""));
    assert_eq!(server.end(), Some(0));
}

#[test]
fn postgresql_has_tools_of_its_own() {
    let place = Place::new("foreign");
    place.config("[store]\ndatabase = \"postgres://wattle@127.0.0.1:1/wattle\"\n");
    let (code, _, err) = place.wattle("backup copy.sqlite", "");
    assert_eq!(code, 1);
    assert!(err.contains("pg_dump"), "{err}");
    let (code, _, err) = place.wattle("restore copy.sqlite", "");
    assert_eq!(code, 1);
    assert!(err.contains("pg_restore"), "{err}");
}
