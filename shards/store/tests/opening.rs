//! Which data folders open, and what an operator reads about those that do not.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::sync::Arc;

use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::store::{AccountKey, Answer, Question, StoreFault};

use super::{Folder, config, create, jid, push, questions, record, rooms, waiting};
use crate::store::{OpenError, Store, Unopened, migrate, sqlite};

fn refused(folder: &Folder) -> Unopened {
    match Store::open(&config(&folder.0), Arc::new(|_, _, _| {})) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[test]
fn what_was_stored_and_the_secret_are_there_again() {
    let folder = Folder::new();
    let store = folder.open();
    let secret = store.secret();
    assert_ne!(secret, [0; 32]);
    assert_eq!(store.handle().call(create("a@example.org")), Ok(Answer::Done));
    assert_eq!(store.handle().call(push("a@example.org", "<message/>")), Ok(Answer::Done));
    drop(store);
    let store = folder.open();
    assert_eq!(store.secret(), secret);
    assert_eq!(waiting(&store.handle(), "a@example.org"), ["<message/>"]);
    assert_ne!(Folder::new().open().secret(), secret);
}

/// A folder as the first release left it: what waited offline waits still, in its order, and everything else is there.
#[test]
fn a_data_folder_of_schema_1_opens() {
    let folder = Folder::new();
    let conn = rusqlite::Connection::open(sqlite::path(&folder.0)).unwrap();
    conn.execute_batch(include_str!("../../../migrations/0001_accounts.sql")).unwrap();
    conn.execute_batch(
        "PRAGMA application_id = 0x7774746c; PRAGMA user_version = 1;
         INSERT INTO fact VALUES ('wattle', CAST('0.1.0' AS BLOB)), ('secret', zeroblob(32));
         INSERT INTO counter VALUES ('offline_sequence', 65537);
         INSERT INTO account (id, jid, created_ms, roster_version, sha1_salt, sha1_iterations, sha1_stored_key,
             sha1_server_key, sha256_salt, sha256_iterations, sha256_stored_key, sha256_server_key)
         VALUES (7, 'a@example.org', 1, 5, x'01', 1, x'02', x'03', x'04', 1, x'05', x'06'),
                (9, 'b@example.org', 1, 0, x'01', 1, x'02', x'03', x'04', 1, x'05', x'06');
         INSERT INTO roster VALUES (7, 'b@example.org', 5, 3, 0, 0, 'Bea', NULL);
         INSERT INTO blocked VALUES (7, 'c@example.org');
         INSERT INTO offline VALUES
             (1, 7, 1795353723000, CAST('<message id=''1''/>' AS BLOB)),
             (2, 9, 1795353723000, CAST('<message id=''2''/>' AS BLOB)),
             (3, 7, 1795353722000, CAST('<message id=''3''/>' AS BLOB)),
             (4, 7, 1795353723000, CAST('<message id=''4''/>' AS BLOB));",
    )
    .unwrap();
    drop(conn);
    let store = folder.open();
    let handle = store.handle();
    assert_eq!(store.secret(), [0; 32]);
    assert_eq!(waiting(&handle, "a@example.org"), ["<message id='1'/>", "<message id='3'/>", "<message id='4'/>"]);
    assert_eq!(waiting(&handle, "b@example.org"), ["<message id='2'/>"]);
    let loaded = record(&handle, "a@example.org");
    assert_eq!((loaded.key, loaded.waiting, loaded.roster_version), (AccountKey(7), 3, 5));
    assert!(loaded.newest >> 20 >= 1_795_353_723_000, "{}", loaded.newest);
    assert_eq!(loaded.roster.len(), 1);
    assert_eq!(loaded.blocked, [jid("c@example.org")]);
    // A number is never given twice.
    assert_eq!(handle.call(create("d@example.org")), Ok(Answer::Done));
    assert!(record(&handle, "d@example.org").key > AccountKey(9));
}

/// A folder as a server without rooms left it: what is in archives is there, and a room gets a number of its own.
#[test]
fn a_data_folder_of_schema_2_opens() {
    let folder = Folder::new();
    let conn = rusqlite::Connection::open(sqlite::path(&folder.0)).unwrap();
    for text in &migrate::MIGRATIONS[..2] {
        conn.execute_batch(text).unwrap();
    }
    conn.execute_batch(
        "PRAGMA application_id = 0x7774746c; PRAGMA user_version = 2;
         INSERT INTO fact VALUES ('wattle', CAST('0.1.0' AS BLOB)), ('secret', zeroblob(32));
         UPDATE counter SET value = 9 WHERE name = 'account';
         INSERT INTO account (id, jid, created_ms, roster_version, sha1_salt, sha1_iterations, sha1_stored_key,
             sha1_server_key, sha256_salt, sha256_iterations, sha256_stored_key, sha256_server_key)
         VALUES (7, 'a@example.org', 1, 5, x'01', 1, x'02', x'03', x'04', 1, x'05', x'06');
         INSERT INTO message VALUES (1, 1, CAST('<message/>' AS BLOB));
         INSERT INTO archive VALUES (7, 1 << 20, 7, 3, x'', 1);
         INSERT INTO session VALUES (7, 1, 0, x'01');",
    )
    .unwrap();
    drop(conn);
    let store = folder.open();
    let handle = store.handle();
    assert_eq!(store.secret(), [0; 32]);
    assert_eq!(waiting(&handle, "a@example.org"), ["<message/>"]);
    let loaded = record(&handle, "a@example.org");
    assert_eq!((loaded.key, loaded.sessions.len(), loaded.since.len()), (AccountKey(7), 1, 1));
    rooms::fill(&handle, "a@rooms.example.org", AccountKey(10));
}

#[test]
fn folder_and_files_are_their_owners_alone() {
    let folder = Folder::new();
    let dir = folder.0.join("data");
    let store = Store::open(&config(&dir), Arc::new(|_, _, _| {})).unwrap();
    assert_eq!(store.handle().call(create("a@example.org")), Ok(Answer::Done));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_second_server_is_refused_by_name_of_the_first() {
    let folder = Folder::new();
    let store = folder.open();
    let error = refused(&folder);
    assert!(matches!(error.error, OpenError::Locked(Some(process)) if process == std::process::id()), "{error:?}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(store);
    drop(folder.open());
}

#[test]
fn a_newer_schema_is_refused_and_untouched() {
    let folder = Folder::new();
    drop(folder.open());
    let conn = folder.connect();
    conn.pragma_update(None, "user_version", migrate::SCHEMA + 1).unwrap();
    conn.execute("UPDATE fact SET value = CAST('9.8.7' AS BLOB) WHERE name = 'wattle'", []).unwrap();
    conn.close().unwrap();
    let before = std::fs::read(sqlite::path(&folder.0)).unwrap();
    let error = refused(&folder).to_string();
    assert!(error.contains(&format!("has schema {}", migrate::SCHEMA + 1)), "{error}");
    assert!(error.contains("run wattle 9.8.7 or newer"), "{error}");
    assert_eq!(std::fs::read(sqlite::path(&folder.0)).unwrap(), before);
}

#[test]
fn another_programs_database_is_refused() {
    let folder = Folder::new();
    let conn = folder.connect();
    conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
    conn.close().unwrap();
    assert!(matches!(refused(&folder).error, OpenError::Foreign));
}

#[test]
fn a_damaged_file_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let store = folder.open();
    for number in 0..200 {
        assert_eq!(store.handle().call(create(&format!("user{number}@example.org"))), Ok(Answer::Done));
    }
    drop(store);
    let path = sqlite::path(&folder.0);
    let whole = std::fs::read(&path).unwrap();
    let garbage = |range: std::ops::Range<usize>| {
        let mut bytes = whole.clone();
        bytes[range].fill(0xa5);
        bytes
    };
    let pages = whole.len() / 2048;
    for damaged in [
        b"this is no database, but long enough to be taken for one".repeat(100),
        garbage(0..100),
        garbage(100..2048),
        // A page in the middle, in a table that nothing reads at start.
        garbage(pages / 2 * 2048..(pages / 2 + 1) * 2048),
        whole[..whole.len() / 2].to_vec(),
    ] {
        std::fs::write(&path, damaged).unwrap();
        let error = refused(&folder);
        assert!(matches!(error.error, OpenError::Corrupt(_)), "{error:?}");
        assert!(error.to_string().contains("backup") && error.to_string().contains(".recover"), "{error}");
    }
    std::fs::write(&path, whole).unwrap();
    drop(folder.open());
}

/// A large file is not read as a whole, but what everybody needs is.
#[test]
fn a_large_damaged_file_is_refused_too() {
    let folder = Folder::new();
    let (store, answers) = folder.open_with_answers();
    for number in 0..100 {
        assert_eq!(store.handle().call(create(&format!("user{number}@example.org"))), Ok(Answer::Done));
    }
    let stanza = "x".repeat(200_000);
    for number in 0..350 {
        store.handle().ask(ShardIndex(0), Ticket(number), push("user0@example.org", &stanza));
    }
    drop(store);
    assert!((0..350).all(|_| answers.recv().unwrap().2 == Ok(Answer::Done)));
    let path = sqlite::path(&folder.0);
    assert!(std::fs::metadata(&path).unwrap().len() > 66 * 1024 * 1024);
    drop(folder.open());
    let root = "SELECT rootpage FROM sqlite_master WHERE name = 'account'";
    let page: i64 = folder.connect().query_row(root, [], |row| row.get(0)).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 2048], (page.cast_unsigned() - 1) * 2048).unwrap();
    assert!(matches!(refused(&folder).error, OpenError::Corrupt(_)));
}

#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let folder = Folder::new();
    let file = folder.0.join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&config(&file.join("data")), Arc::new(|_, _, _| {})).err().unwrap();
    assert!(matches!(error.error, OpenError::Folder(_)), "{error:?}");
}

#[test]
fn a_closed_store_answers_that_it_failed() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    drop(store);
    assert_eq!(handle.call(create("a@example.org")), Err(StoreFault::Failed));
    assert_eq!(handle.call(Question::Account { account: jid("a@example.org") }), Err(StoreFault::Failed));
    assert_eq!(handle.counters().waiting, 0);
}

/// Of one of two accounts and one of two rooms.
#[test]
fn removing_an_account_or_a_room_leaves_no_trace() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    questions::fill(&handle, "a@example.org", AccountKey(1));
    questions::fill(&handle, "b@example.org", AccountKey(2));
    rooms::fill(&handle, "a@rooms.example.org", AccountKey(3));
    rooms::fill(&handle, "b@rooms.example.org", AccountKey(4));
    let rows = || -> Vec<(String, u32)> {
        let conn = folder.connect();
        let mut tables = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
        let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let count = |table: &String| conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        tables.into_iter().map(|table| (table.clone(), count(&table).unwrap())).collect()
    };
    // Accounts and rooms share these two.
    let many = |table: &str, rows: u32| if ["archive", "message"].contains(&table) { 2 * rows } else { rows };
    let are = |expected| {
        let ours = |table: &str| ["counter", "fact"].contains(&table);
        rows().iter().all(|(table, rows)| ours(table) || *rows == many(table, expected))
    };
    assert!(are(2), "{:?}", rows());
    assert_eq!(handle.call(Question::RemoveAccount { account: jid("a@example.org") }), Ok(Answer::Done));
    assert_eq!(handle.call(Question::RemoveRoom { room: jid("a@rooms.example.org") }), Ok(Answer::Done));
    assert!(are(1), "{:?}", rows());
}
