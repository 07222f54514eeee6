//! A whole service moves from SQLite to PostgreSQL and back.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::contents;
use super::place::{ANYWHERE, Place, Running, said};
use super::postgres::{Cluster, psql};

/// More than one page of 500 rows, and more than one of 1 MiB.
const MESSAGES: usize = 1_800;

/// A store in which every table has rows, with the values that another database might take amiss.
fn fill(file: &Path) {
    let mut conn = Connection::open(file).unwrap();
    let rows = conn.transaction().unwrap();
    rows.execute_batch(
        "INSERT INTO account SELECT 9000000000000000000, 'élan@localhost', created_ms, 5, 4, 1700000000000, 'a''b \"c\" \\',
            sha1_salt, sha1_iterations, sha1_stored_key, sha1_server_key, x'00ff', sha256_iterations, sha256_stored_key,
            sha256_server_key, 2, 'guest', 0, -1 FROM account WHERE jid = 'juliet@localhost';
         UPDATE counter SET value = 9000000000000000001 WHERE name = 'account';
         INSERT INTO roster VALUES (1, 'romeo@example.org', 3, 3, 0, 1, 'Roméo', 'a' || char(31) || 'b');
         INSERT INTO roster VALUES (1, 'Z@example.org', 4, 0, 1, 0, NULL, NULL), (1, 'a@example.org', 5, 0, 1, 0, '', '');
         INSERT INTO request VALUES (1, 'nurse@example.org', x'3c00ff3e');
         INSERT INTO blocked VALUES (1, 'tybalt@example.org');
         INSERT INTO private VALUES (1, 'storage:bookmarks', 'storage', x''), (1, 'storage:bookmarks', 'Storage', x'00');
         INSERT INTO vcard VALUES (9000000000000000000, x'3c76436172642f3e');
         INSERT INTO session VALUES (1, 2, 3, x'00010203');
         INSERT INTO archive_rule VALUES (1, 0, 'b@example.org'), (1, 1, 'a@example.org');
         INSERT INTO room VALUES (9000000000000000001, 'crypt@conference.localhost', 'conference.localhost', 1, 1, 'Crypt',
                                  NULL, x'00ff', x'3c6d2f3e'),
                                 (2, 'É@conference.localhost', 'conference.localhost', 1, 0, '', 0, x'', x'');
         INSERT INTO room_member VALUES (2, 'juliet@localhost', 4, NULL, NULL), (2, 'b.example.org', 0, '', 'no ''reason''');
         INSERT INTO room_occupant VALUES (12, 2, 'juliet@localhost/b', 'Juliet', 3), (7, 2, 'juliet@localhost/a', 'J', 0);",
    )
    .unwrap();
    for number in 1..=i64::try_from(MESSAGES).unwrap() {
        let stanza = vec![number.to_le_bytes()[0]; 1_000 + usize::from(number == 700) * 2_000_000];
        rows.execute("INSERT INTO message VALUES (?1, 1, ?2)", rusqlite::params![number * 3, stanza]).unwrap();
        rows.execute("INSERT INTO archive VALUES (1, ?1, 7, 1, x'', ?1)", [number * 3]).unwrap();
    }
    rows.commit().unwrap();
}

#[test]
fn a_service_moves_to_postgresql_and_back() {
    let place = Place::new("moving");
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    let file = place.0.join("wattle-data/wattle.sqlite");
    fill(&file);
    let before = contents(&file);
    assert!(before.iter().all(|(name, rows)| !rows.is_empty() || panic!("{name} is empty")));
    let rows: usize = before.iter().map(|(_, rows)| rows.len()).sum();

    let database = Cluster::shared().database();
    let (code, out, err) = place.wattle(&format!("store copy --from sqlite:wattle-data --to {database}"), "");
    assert_eq!((code, &*err), (0, ""));
    assert!(out.contains(&format!("message: {MESSAGES} rows\n")), "{out}");
    assert!(out.contains(&format!("{rows} rows copied and counted")), "{out}");
    assert_eq!(psql(&database, "SELECT count(*) FROM message").unwrap(), format!("{MESSAGES}\n"));
    // The next number of each sequence is behind all that were given.
    let next =
        |table: &str| psql(&database, &format!("SELECT nextval(pg_get_serial_sequence('{table}', 'id'))")).unwrap();
    assert_eq!(next("account"), "9000000000000000001\n");
    assert_eq!(next("message"), format!("{}\n", MESSAGES * 3 + 1));
    let next_place = "SELECT nextval(pg_get_serial_sequence('room_occupant', 'place'))";
    assert_eq!(psql(&database, next_place).unwrap(), "13\n");

    let (code, out, err) = place.wattle(&format!("store copy --from {database} --to sqlite:back"), "");
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert_eq!(contents(&place.0.join("back/wattle.sqlite")), before);

    // A server starts on the copy, and then nobody copies from it or into it.
    place.config(&format!("[store]\ndatabase = \"{database}\"\n{ANYWHERE}"));
    let (_, out, _) = place.wattle("check", "");
    assert!(
        out.contains("store: database test") && out.contains(", PostgreSQL ") && out.contains(", schema "),
        "{out}"
    );
    let mut server = Running::start(&place);
    assert_eq!(place.wattle("user list", ""), said(0, "juliet@localhost\nélan@localhost\n", ""));
    for words in [format!("--from {database} --to sqlite:third"), format!("--from sqlite:back --to {database}")] {
        let (code, _, err) = place.wattle(&format!("store copy {words}"), "");
        assert_eq!(code, 1);
        assert!(err.contains("is in use by another wattle"), "{err}");
    }
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_copy_goes_only_from_a_store_into_an_empty_place() {
    let place = Place::new("into");
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    let refused = |from: &str, to: &str, what: &str, cure: &str| {
        let (code, out, err) = place.wattle(&format!("store copy --from {from} --to {to}"), "");
        assert_eq!((code, &*out), (1, ""), "{from} {to}");
        assert!(err.contains(what) && err.contains(cure), "{err}");
    };
    let database = Cluster::shared().database();
    refused("sqlite:nowhere", "sqlite:b", "there is no store in sqlite:nowhere", "name another place with --from");
    refused(&database, "sqlite:b", "there is no store in the PostgreSQL database", "name another place with --from");
    assert_eq!(psql(&database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap(), "0\n");
    refused("file", "sqlite:b", "file is no place of a store", "write sqlite:FOLDER");
    refused("sqlite:wattle-data", "sqlite:wattle-data", "is in use by process", "stop that one");
    assert!(!place.0.join("b").exists());
    assert_eq!(place.wattle("store copy --from sqlite:wattle-data --to sqlite:b", "").0, 0);
    refused("sqlite:wattle-data", "sqlite:b", "b/wattle.sqlite is not empty", "remove b/wattle.sqlite");
    place.config(ANYWHERE);
    let server = Running::start(&place);
    refused("sqlite:wattle-data", "sqlite:c", "wattle-data is in use by process", "stop that one");
    drop(server);
}

/// The numbers of a page contradict those that are there: the copy ends in its middle.
#[test]
fn half_a_copy_is_no_store() {
    let place = Place::new("half");
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    let conn = Connection::open(place.0.join("wattle-data/wattle.sqlite")).unwrap();
    // A row that its own constraint forbids, as a failing disk or a careless hand may leave it.
    conn.execute_batch("PRAGMA foreign_keys = off; INSERT INTO blocked VALUES (77, 'tybalt@example.org')").unwrap();
    conn.close().unwrap();
    let (code, out, err) = place.wattle("store copy --from sqlite:wattle-data --to sqlite:half", "");
    assert_eq!((code, out.contains("account: 1 row\n")), (1, true), "{out}");
    assert!(err.contains("copy again into an empty place"), "{err}");
    let config = format!("{ANYWHERE}data = \"half\"\n");
    place.config(&config);
    for words in ["run", "user list"] {
        let (code, _, err) = place.wattle(words, "");
        assert_ne!(code, 0);
        assert!(err.contains("half a copy of another one; empty it"), "{err}");
    }
    let (_, _, err) = place.wattle("store copy --from sqlite:half --to sqlite:other", "");
    assert!(err.contains("half/wattle.sqlite is half a copy of another store"), "{err}");
    assert!(!place.0.join("other").exists());
    fs::remove_dir_all(place.0.join("half")).unwrap();
    assert_eq!(place.wattle("user list", "").0, 1);
}
