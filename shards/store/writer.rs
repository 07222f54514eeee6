//! The thread that writes: all that waits becomes one transaction, and its answers go out after the commit.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wattle::store::{Answer, Question, StoreFault};

use super::archive::{Keeping, Messages};
use super::driver::{Access, Driver, Error, Kind};
use super::handle::{Asked, Shared};
use super::inbox::Woken;
use super::lane::{self, Worker};
use super::outage::{Outage, PATIENCE};
use super::retention::Sweep;
use super::writes;

/// Questions after which the database may want to be tidied up: to look costs as much as a small part of a commit, and a quiet
/// server commits every message for itself.
const REST: usize = 256;
/// Questions of one transaction.
const BATCH: usize = 1024;
/// Bytes to store after which a transaction takes no further question, so that it fits into the page cache.
const BATCH_BYTES: usize = 1024 * 1024;

/// Why a batch was not carried out.
enum Failure {
    /// This question's fault: the others may do.
    Question(Error),
    /// Some messages were there already: each must be looked at for itself.
    Repeated,
    /// The transaction's.
    Transaction(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind {
            Kind::Statement => Self::Question(error),
            Kind::Transaction | Kind::Lost => Self::Transaction(error),
        }
    }
}

/// The writer's connection and what it remembers.
pub(super) struct Writer {
    driver: Box<dyn Driver>,
    numbers: Messages,
    outage: Outage,
    /// What would have been answered, had the answer to the commit come.
    unheard: Option<Vec<Result<Answer, StoreFault>>>,
    sweep: Sweep,
    /// Something failed and nothing was committed since, so the log has it already.
    failing: bool,
}

impl Writer {
    pub(super) fn new(mut driver: Box<dyn Driver>) -> Result<Self, Error> {
        let numbers = Messages::load(&mut *driver)?;
        let (outage, sweep) = (Outage::default(), Sweep::new());
        Ok(Self { driver, numbers, outage, unheard: None, sweep, failing: false })
    }

    /// Until the inbox is closed and empty.
    pub(super) fn run(mut self, shared: &Arc<Shared>) {
        let mut batch = Vec::new();
        let mut carried_out = 0;
        loop {
            let idle = shared.writer.is_empty();
            if carried_out >= REST {
                carried_out = 0;
                if let Err(error) = self.driver.rest(idle) {
                    self.complain(&error, "the store could not be tidied up");
                }
            }
            if self.outage.next().is_none() && self.sweep.is_due(idle) {
                self.sweep_a_little(shared);
                if idle {
                    continue;
                }
            }
            if idle {
                batch.shrink_to(64);
            }
            match shared.writer.wait(Some(self.outage.next().unwrap_or(self.sweep.next()))) {
                Woken::Closed => return,
                Woken::InTime => {
                    self.has_connection(shared);
                    continue;
                }
                Woken::Waiting => {}
            }
            let mut bytes = 0;
            while batch.len() < BATCH
                && bytes < BATCH_BYTES
                && let Some(asked) = shared.writer.pop()
            {
                bytes += lane::weight(&asked.question);
                batch.push(asked);
            }
            carried_out += batch.len();
            let answers = self.carry_out(&batch, shared);
            for (asked, answer) in batch.drain(..).zip(answers) {
                shared.answer(asked, Worker::Writer, answer);
            }
        }
    }

    /// One step of the sweep, as a transaction of its own.
    fn sweep_a_little(&mut self, shared: &Shared) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let driver = &mut *self.driver;
        let stepped = driver.begin(Access::Writes).and_then(|()| {
            let step = self.sweep.step(driver, &shared.retention(), now_ms)?;
            driver.commit()?;
            Ok(step)
        });
        match stepped {
            Ok(step) => shared.counting.swept(step.removed, step.last.then_some(now.as_secs())),
            Err(error) => {
                // If this fails too, the next transaction does not begin, and says why.
                let _ = driver.rollback();
                self.sweep.give_up();
                if error.kind == Kind::Lost {
                    let Self { driver, numbers, outage, .. } = self;
                    outage.wait(shared, &error, &mut || revive(&mut **driver, numbers));
                } else {
                    self.complain(&error, "the store could not remove what is too old");
                }
            }
        }
    }

    /// One answer for each question. What is answered with `Ok` is committed.
    fn carry_out(&mut self, batch: &[Asked], shared: &Shared) -> Vec<Result<Answer, StoreFault>> {
        let until = Instant::now() + PATIENCE;
        let outcome = loop {
            if !self.has_connection(shared) {
                break None;
            }
            // Were the batch carried out again, it would be told that it had been.
            if let Some(answers) = self.unheard.take() {
                match self.driver.has_committed() {
                    Ok(true) => break Some(Ok(answers)),
                    Ok(false) => {}
                    Err(_) => self.unheard = Some(answers),
                }
            }
            let lost = match self.batch(batch, shared) {
                Err(Failure::Transaction(error)) if error.kind == Kind::Lost => error,
                outcome => break Some(outcome),
            };
            let Self { driver, numbers, outage, .. } = self;
            if !outage.wait(shared, &lost, &mut || revive(&mut **driver, numbers)) || Instant::now() > until {
                break None;
            }
        };
        self.unheard = None;
        if std::mem::take(&mut self.numbers.left_over) {
            self.sweep.hurry();
        }
        let failed = || batch.iter().map(|_| Err(StoreFault::Failed)).collect();
        let answers = match outcome {
            Some(Ok(answers)) => answers,
            Some(Err(failure)) => {
                if let Failure::Question(error) | Failure::Transaction(error) = failure {
                    self.complain(&error, "the store could not commit");
                }
                failed()
            }
            None => failed(),
        };
        shared.counting.failing(self.failing);
        answers
    }

    /// Looks for a database that is gone, if it is time to.
    fn has_connection(&mut self, shared: &Shared) -> bool {
        let Self { driver, numbers, outage, .. } = self;
        outage.is_over(shared, &mut || revive(&mut **driver, numbers))
    }

    /// The batch as one transaction; if something in it goes wrong, each question for itself.
    ///
    /// After [`Kind::Lost`] it may be carried out again although it was committed. That does no harm: a message that is there
    /// already is left as it is, and so is its count; what is set is set to the same, what is removed is not there any more;
    /// and a later question of the batch finds what it found before. Only the making and the removing of an account and the
    /// removing of a room would be answered otherwise, so for these it is asked first whether it was committed.
    fn batch(&mut self, batch: &[Asked], shared: &Shared) -> Result<Vec<Result<Answer, StoreFault>>, Failure> {
        match self.attempt(batch, false, shared) {
            // Rare, so the savepoints that keep the others are paid for only now.
            Err(Failure::Repeated | Failure::Question(_)) => self.attempt(batch, true, shared),
            outcome => outcome,
        }
    }

    /// The batch as one transaction, committed or rolled back.
    fn attempt(
        &mut self,
        batch: &[Asked],
        savepoints: bool,
        shared: &Shared,
    ) -> Result<Vec<Result<Answer, StoreFault>>, Failure> {
        let writes = batch.iter().any(|asked| lane::writes(&asked.question));
        let outcome = self.transaction(batch, savepoints, writes);
        match outcome {
            Ok((answers, took)) => {
                if writes {
                    shared.counting.committed(took.elapsed());
                    if self.failing && answers.iter().any(Result::is_ok) {
                        self.failing = false;
                        tracing::info!("the store commits again");
                    }
                }
                Ok(answers)
            }
            Err(failure) => {
                if let Err(error) = self.driver.rollback() {
                    self.complain(&error, "the store could not roll back");
                }
                Err(failure)
            }
        }
    }

    fn transaction(
        &mut self,
        batch: &[Asked],
        savepoints: bool,
        writes: bool,
    ) -> Result<(Vec<Result<Answer, StoreFault>>, Instant), Failure> {
        let access = if writes { Access::Writes } else { Access::Reads };
        self.driver.begin(access).map_err(Failure::Transaction)?;
        let answers = if savepoints { self.one_by_one(batch)? } else { self.together(batch)? };
        if batch.iter().any(|asked| is_answered_once(&asked.question)) {
            self.driver.remember()?;
        }
        let start = Instant::now();
        if let Err(error) = self.driver.commit() {
            self.unheard = (error.kind == Kind::Lost).then_some(answers);
            return Err(error.into());
        }
        Ok((answers, start))
    }

    /// Messages that follow each other are stored by few statements.
    fn together(&mut self, batch: &[Asked]) -> Result<Vec<Result<Answer, StoreFault>>, Failure> {
        let mut answers = Vec::with_capacity(batch.len());
        let mut keeping = Keeping::default();
        for asked in batch {
            if let Question::Keep(keep) = &asked.question {
                keeping.push(&mut self.numbers, keep);
                answers.push(Ok(Answer::Done));
                continue;
            }
            // A later question must find what was kept before it.
            self.flush(&mut keeping)?;
            answers.push(Ok(writes::carry_out(&mut *self.driver, &mut self.numbers, &asked.question)?));
        }
        self.flush(&mut keeping)?;
        Ok(answers)
    }

    fn flush(&mut self, keeping: &mut Keeping<'_>) -> Result<(), Failure> {
        if keeping.flush(&mut *self.driver)? { Ok(()) } else { Err(Failure::Repeated) }
    }

    /// Each question between savepoints: what it fails to do leaves nothing behind.
    fn one_by_one(&mut self, batch: &[Asked]) -> Result<Vec<Result<Answer, StoreFault>>, Failure> {
        let mut answers = Vec::with_capacity(batch.len());
        for asked in batch {
            self.driver.savepoint().map_err(Failure::Transaction)?;
            let outcome = writes::carry_out(&mut *self.driver, &mut self.numbers, &asked.question);
            let answer = match outcome.and_then(|answer| self.driver.release().map(|()| answer)) {
                Ok(answer) => Ok(answer),
                Err(error) if error.kind == Kind::Statement => {
                    self.complain(&error, "the store could not carry out a question");
                    self.driver.undo().map_err(Failure::Transaction)?;
                    Err(StoreFault::Failed)
                }
                // With it is gone what the others did.
                Err(error) => return Err(Failure::Transaction(error)),
            };
            answers.push(answer);
        }
        Ok(answers)
    }

    /// Once until something is committed: a full disk must not fill with lines about itself.
    fn complain(&mut self, error: &Error, what: &'static str) {
        if !self.failing {
            self.failing = true;
            tracing::error!(%error, "{what}; free space and check the disk, the store goes on by itself");
        }
    }
}

/// Messages get their numbers behind those that are there: the database may have been another's in the meantime.
fn revive(driver: &mut dyn Driver, numbers: &mut Messages) -> Result<(), Error> {
    driver.revive()?;
    *numbers = Messages::load(driver)?;
    Ok(())
}

/// Would it be answered otherwise if it were carried out a second time?
fn is_answered_once(question: &Question) -> bool {
    matches!(question, Question::CreateAccount { .. } | Question::RemoveAccount { .. } | Question::RemoveRoom { .. })
}
