//! The thread that reads: logins and account loads do not wait until the disk has synced what others wrote.

use std::sync::Arc;
use std::time::Instant;

use wattle::store::{Answer, StoreFault};

use super::driver::{Access, Driver, Error, Kind};
use super::handle::{Asked, Shared};
use super::inbox::Woken;
use super::lane::Worker;
use super::outage::{Outage, PATIENCE};
use super::reads;

/// Questions answered from one snapshot. Short, because a snapshot keeps the log from starting again at its front.
const BATCH: usize = 64;

/// The reader's connection and what it remembers.
pub(super) struct Reader {
    driver: Box<dyn Driver>,
    outage: Outage,
    /// Something failed and nothing was read since, so the log has it already.
    failing: bool,
}

impl Reader {
    pub(super) fn new(driver: Box<dyn Driver>) -> Self {
        Self { driver, outage: Outage::default(), failing: false }
    }

    /// Until the inbox is closed and empty.
    pub(super) fn run(mut self, shared: &Arc<Shared>) {
        let mut batch: Vec<Asked> = Vec::new();
        loop {
            match shared.reader.wait(self.outage.next()) {
                Woken::Closed => return,
                Woken::InTime => {
                    self.outage.is_over(shared, &mut || self.driver.revive());
                    continue;
                }
                Woken::Waiting => {}
            }
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
            let answers = self.carry_out(&batch, shared);
            for (asked, answer) in batch.drain(..).zip(answers) {
                shared.answer(asked, Worker::Reader, answer);
            }
            // Only now, because the batch may hold earlier questions about the same account.
            if let Some(asked) = passed_on {
                shared.pass_on(asked);
            }
        }
    }

    /// One answer for each question.
    fn carry_out(&mut self, batch: &[Asked], shared: &Shared) -> Vec<Result<Answer, StoreFault>> {
        let until = Instant::now() + PATIENCE;
        while !batch.is_empty() && self.outage.is_over(shared, &mut || self.driver.revive()) {
            let lost = match self.snapshot(batch) {
                Ok(answers) => return answers,
                Err(lost) => lost,
            };
            let back = self.outage.wait(shared, &lost, &mut || self.driver.revive());
            if !back || Instant::now() > until {
                break;
            }
        }
        batch.iter().map(|_| Err(StoreFault::Failed)).collect()
    }

    /// All answers out of one snapshot; behind a question that fails begins another.
    fn snapshot(&mut self, batch: &[Asked]) -> Result<Vec<Result<Answer, StoreFault>>, Error> {
        let mut answers = Vec::with_capacity(batch.len());
        let mut begun = false;
        for asked in batch {
            if !begun {
                begun = usable(self.driver.begin(Access::Reads))?;
            }
            let answer = match reads::read(&mut *self.driver, &asked.question) {
                Ok(Some(answer)) => {
                    self.failing = false;
                    Ok(answer)
                }
                Ok(None) => unreachable!("what writes was passed on"),
                Err(error) if error.kind == Kind::Lost => return Err(error),
                Err(error) => {
                    if !self.failing {
                        self.failing = true;
                        tracing::error!(%error, "the store could not read");
                    }
                    begun = false;
                    usable(self.driver.rollback())?;
                    Err(StoreFault::Failed)
                }
            };
            answers.push(answer);
        }
        if begun {
            // Nothing was written, so there is nothing to lose.
            let _ = self.driver.rollback();
        }
        Ok(answers)
    }
}

/// If a snapshot cannot begin or end, each question still reads for itself, or fails with the reason.
fn usable(outcome: Result<(), Error>) -> Result<bool, Error> {
    match outcome {
        Err(error) if error.kind == Kind::Lost => Err(error),
        outcome => Ok(outcome.is_ok()),
    }
}
