//! Failing questions, a full disk, and what is left afterwards.

use std::sync::Arc;

use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::store::{Answer, Question, StoreFault};

use super::{Folder, child, config, create, jid, push, waiting};
use crate::store::Store;

/// A question that fails takes only itself down, and leaves nothing of what it began.
#[test]
fn a_failing_question_spares_its_batch() {
    let folder = Folder::new();
    let (store, answers) = folder.open_with_answers();
    let handle = store.handle();
    assert_eq!(handle.call(create("a@example.org")), Ok(Answer::Done));
    let conn = folder.connect();
    // Fails after the row and a trace of it are written.
    conn.execute_batch(
        "CREATE TABLE trace (stanza);
         CREATE TRIGGER poison AFTER INSERT ON message BEGIN
             INSERT INTO trace VALUES (new.stanza);
             SELECT RAISE(FAIL, 'planted') WHERE new.stanza = CAST('poison' AS BLOB);
         END;
         BEGIN IMMEDIATE;",
    )
    .unwrap();
    let stanza = |ticket: u64| if ticket % 10 == 3 { "poison".to_owned() } else { ticket.to_string() };
    for ticket in 0..100 {
        handle.ask(ShardIndex(0), Ticket(ticket), push("a@example.org", &stanza(ticket)));
    }
    conn.execute_batch("COMMIT").unwrap();
    for ticket in 0..100 {
        let expected = if ticket % 10 == 3 { Err(StoreFault::Failed) } else { Ok(Answer::Done) };
        assert_eq!(answers.recv(), Ok((ShardIndex(0), Ticket(ticket), expected)));
    }
    let kept: Vec<_> = (0..100).filter(|ticket| ticket % 10 != 3).map(stanza).collect();
    assert_eq!(waiting(&handle, "a@example.org"), kept);
    let traces: u32 = conn.query_row("SELECT count(*) FROM trace", [], |row| row.get(0)).unwrap();
    assert_eq!(traces, 90);
    assert_eq!(handle.counters().failed, 10);
}

/// The files may not grow: what cannot be committed fails, what was committed stays, and when there is room again the
/// store goes on by itself.
#[test]
fn a_full_disk_loses_nothing_and_heals() {
    let folder = Folder::new();
    // The limit holds for a whole process, so it needs one of its own.
    let output = child::command("faults::suffers_a_full_disk", &folder.0).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "runs only as the child of the test above"]
fn suffers_a_full_disk() {
    let Some(path) = child::folder() else { return };
    let store = Store::open(&config(&path), Arc::new(|_, _, _| {})).unwrap();
    let handle = store.handle();
    assert_eq!(handle.call(create("a@example.org")), Ok(Answer::Done));
    limit_files(300 * 1024);
    let mut kept = Vec::new();
    let mut number = 0;
    let mut failures = 0;
    while failures < 20 {
        let stanza = format!("{number} {}", "x".repeat(3_000));
        match handle.call(push("a@example.org", &stanza)) {
            Ok(answer) => {
                assert_eq!(answer, Answer::Done);
                kept.push(stanza);
            }
            Err(fault) => {
                assert_eq!(fault, StoreFault::Failed);
                failures += 1;
            }
        }
        number += 1;
        assert!(number < 1_000, "the disk never filled");
    }
    assert!(handle.counters().failing);
    // Reading goes on.
    assert_eq!(waiting(&handle, "a@example.org"), kept);
    limit_files(libc::RLIM_INFINITY);
    for number in 0..100 {
        assert_eq!(handle.call(push("a@example.org", &number.to_string())), Ok(Answer::Done));
        kept.push(number.to_string());
    }
    assert!(!handle.counters().failing);
    drop((handle, store));
    let store = Store::open(&config(&path), Arc::new(|_, _, _| {})).unwrap();
    assert_eq!(waiting(&store.handle(), "a@example.org"), kept);
}

/// Lets no file of this process grow beyond so many bytes.
fn limit_files(bytes: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: both calls only read their arguments; without the first the kernel would end the process.
    let set = unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit)
    };
    assert_eq!(set, 0);
}

/// The log starts again at its front, so that it stays small without anybody waiting for a timer.
#[test]
fn the_log_does_not_grow_for_ever() {
    let folder = Folder::new();
    let store = folder.open();
    let handle = store.handle();
    assert_eq!(handle.call(create("a@example.org")), Ok(Answer::Done));
    // 65 pages each; without checkpoints the log would reach 104 MiB.
    for number in 0..800_u32 {
        let save = Question::SaveVcard { account: jid("a@example.org"), xml: vec![number as u8; 128 * 1024].into() };
        assert_eq!(handle.call(save), Ok(Answer::Done));
    }
    let log = std::fs::metadata(folder.0.join("wattle.sqlite-wal")).unwrap().len();
    assert!(log < 68 * 1024 * 1024, "{log} bytes");
}
