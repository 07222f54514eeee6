//! The thread that reads: logins and account loads do not wait until the disk has synced what others wrote.

use std::sync::Arc;

use rusqlite::Connection;
use wattle::store::{Answer, StoreFault};

use super::handle::{Asked, Shared};
use super::lane::Worker;
use super::reads;

/// Questions answered from one snapshot. Short, because a snapshot keeps the log from starting again at its front.
const BATCH: usize = 64;

/// Until the inbox is closed and empty.
pub(super) fn run(conn: &Connection, shared: &Arc<Shared>) {
    let mut batch: Vec<Asked> = Vec::new();
    let mut failing = false;
    while shared.reader.wait() {
        let mut passed_on = None;
        while batch.len() < BATCH
            && let Some(asked) = shared.reader.pop()
        {
            if shared.must_pass_on(&asked) {
                passed_on = Some(asked);
                break;
            }
            batch.push(asked);
        }
        let answers = snapshot(conn, &batch, &mut failing);
        for (asked, answer) in batch.drain(..).zip(answers) {
            shared.answer(asked, Worker::Reader, answer);
        }
        // Only now, because the batch may hold earlier questions about the same account.
        if let Some(asked) = passed_on {
            shared.pass_on(asked);
        }
    }
}

fn snapshot(conn: &Connection, batch: &[Asked], failing: &mut bool) -> Vec<Result<Answer, StoreFault>> {
    // If it cannot begin, each question still reads for itself, or fails with the reason.
    let statement = |sql| conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    let begun = !batch.is_empty() && statement("BEGIN").is_ok();
    let answers = batch
        .iter()
        .map(|asked| {
            let error = match reads::read(conn, &asked.question) {
                Ok(Some(answer)) => {
                    *failing = false;
                    return Ok(answer);
                }
                Ok(None) => unreachable!("what writes was passed on"),
                Err(error) => error,
            };
            if !*failing {
                *failing = true;
                tracing::error!(%error, "the store could not read");
            }
            Err(StoreFault::Failed)
        })
        .collect();
    if begun {
        // Nothing was written, so there is nothing to lose.
        let _ = statement("COMMIT");
    }
    answers
}
