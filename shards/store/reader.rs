//! The thread that reads: logins and account loads do not wait until the disk has synced what others wrote.

use std::sync::Arc;

use wattle::store::{Answer, StoreFault};

use super::driver::{Access, Driver, Kind};
use super::handle::{Asked, Shared};
use super::lane::Worker;
use super::reads;

/// Questions answered from one snapshot. Short, because a snapshot keeps the log from starting again at its front.
const BATCH: usize = 64;

/// Until the inbox is closed and empty.
pub(super) fn run(mut driver: Box<dyn Driver>, shared: &Arc<Shared>) {
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
        let answers = snapshot(&mut *driver, &batch, &mut failing);
        for (asked, answer) in batch.drain(..).zip(answers) {
            shared.answer(asked, Worker::Reader, answer);
        }
        // Only now, because the batch may hold earlier questions about the same account.
        if let Some(asked) = passed_on {
            shared.pass_on(asked);
        }
    }
}

fn snapshot(driver: &mut dyn Driver, batch: &[Asked], failing: &mut bool) -> Vec<Result<Answer, StoreFault>> {
    if batch.is_empty() {
        return Vec::new();
    }
    if *failing {
        // Once for a batch: while the database is gone, what waits behind this one fails soon.
        let _ = driver.revive();
    }
    // If it cannot begin, each question still reads for itself, or fails with the reason.
    let begun = driver.begin(Access::Reads).is_ok();
    let answers = batch.iter().map(|asked| one(driver, asked, failing)).collect();
    if begun {
        // Nothing was written, so there is nothing to lose.
        let _ = driver.rollback();
    }
    answers
}

fn one(driver: &mut dyn Driver, asked: &Asked, failing: &mut bool) -> Result<Answer, StoreFault> {
    let mut outcome = reads::read(driver, &asked.question);
    if !*failing && outcome.as_ref().is_err_and(|error| error.kind == Kind::Lost) && driver.revive().is_ok() {
        outcome = reads::read(driver, &asked.question);
    }
    match outcome {
        Ok(Some(answer)) => {
            *failing = false;
            Ok(answer)
        }
        Ok(None) => unreachable!("what writes was passed on"),
        Err(error) => {
            if !*failing {
                *failing = true;
                tracing::error!(%error, "the store could not read");
            }
            Err(StoreFault::Failed)
        }
    }
}
