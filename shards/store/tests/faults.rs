//! Failing questions, a full disk, and what is left afterwards.

use wattle::handoff::ShardIndex;
use wattle::input::Ticket;
use wattle::store::{Answer, StoreFault};

use super::{Folder, create, push, waiting};

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
         CREATE TRIGGER poison AFTER INSERT ON offline BEGIN
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
