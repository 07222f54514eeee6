//! The thread that writes: all that waits becomes one transaction, and its answers go out after the commit.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use wattle::store::{Answer, Question, StoreFault};

use super::handle::{Asked, Shared};
use super::lane::{self, Worker};
use super::sqlite;
use super::writes::{self, Sequences};

/// Questions of one transaction.
const BATCH: usize = 1024;
/// Bytes to store after which a transaction takes no further question, so that it fits into the page cache.
const BATCH_BYTES: usize = 1024 * 1024;

/// Why a batch was not carried out.
enum Failure {
    /// This question's fault: the others may do.
    Question(rusqlite::Error),
    /// The transaction's.
    Transaction(rusqlite::Error),
}

/// The writer's connection and what it remembers.
pub(super) struct Writer {
    conn: Connection,
    sequences: Sequences,
    /// Something failed and nothing was committed since, so the log has it already.
    failing: bool,
}

impl Writer {
    pub(super) fn new(conn: Connection) -> rusqlite::Result<Self> {
        let sequences = Sequences::load(&conn)?;
        Ok(Self { conn, sequences, failing: false })
    }

    /// Until the inbox is closed and empty.
    pub(super) fn run(mut self, shared: &Arc<Shared>) {
        let mut batch = Vec::new();
        loop {
            let idle = shared.writer.is_empty();
            if let Err(error) = sqlite::checkpoint(&self.conn, idle) {
                self.complain(&error, "the store's log cannot be moved into its file");
            }
            if idle {
                batch.shrink_to(64);
            }
            if !shared.writer.wait() {
                return;
            }
            let mut bytes = 0;
            while batch.len() < BATCH
                && bytes < BATCH_BYTES
                && let Some(asked) = shared.writer.pop()
            {
                bytes += lane::weight(&asked.question);
                batch.push(asked);
            }
            let answers = self.carry_out(&batch, shared);
            for (asked, answer) in batch.drain(..).zip(answers) {
                shared.answer(asked, Worker::Writer, answer);
            }
        }
    }

    /// One answer for each question. What is answered with `Ok` is committed.
    fn carry_out(&mut self, batch: &[Asked], shared: &Shared) -> Vec<Result<Answer, StoreFault>> {
        let outcome = match self.attempt(batch, false, shared) {
            // Rare, so the savepoints that keep the others are paid for only now.
            Err(Failure::Question(_)) if batch.len() > 1 => self.attempt(batch, true, shared),
            outcome => outcome,
        };
        match outcome {
            Ok(answers) => answers,
            Err(Failure::Question(error) | Failure::Transaction(error)) => {
                self.complain(&error, "the store could not commit");
                batch.iter().map(|_| Err(StoreFault::Failed)).collect()
            }
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
                self.sequences.rolled_back();
                // SQLite itself has rolled back after some errors (disk full, I/O).
                if !self.conn.is_autocommit()
                    && let Err(error) = self.conn.execute_batch("ROLLBACK")
                {
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
        self.statement(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" }).map_err(Failure::Transaction)?;
        let mut answers = Vec::with_capacity(batch.len());
        for asked in batch {
            answers.push(if savepoints {
                self.guarded(&asked.question).map_err(Failure::Transaction)?
            } else {
                let answer = writes::carry_out(&self.conn, &mut self.sequences, &asked.question);
                Ok(answer.map_err(Failure::Question)?)
            });
        }
        let start = Instant::now();
        self.statement("COMMIT").map_err(Failure::Transaction)?;
        Ok((answers, start))
    }

    /// One question between savepoints: what it fails to do leaves nothing behind.
    fn guarded(&mut self, question: &Question) -> rusqlite::Result<Result<Answer, StoreFault>> {
        self.statement("SAVEPOINT question")?;
        match writes::carry_out(&self.conn, &mut self.sequences, question) {
            Ok(answer) => {
                self.statement("RELEASE question")?;
                Ok(Ok(answer))
            }
            // The whole transaction is gone, and with it what the others did.
            Err(error) if self.conn.is_autocommit() => Err(error),
            Err(error) => {
                self.complain(&error, "the store could not carry out a question");
                self.sequences.rolled_back();
                self.statement("ROLLBACK TO question")?;
                self.statement("RELEASE question")?;
                Ok(Err(StoreFault::Failed))
            }
        }
    }

    fn statement(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// Once until something is committed: a full disk must not fill with lines about itself.
    fn complain(&mut self, error: &rusqlite::Error, what: &'static str) {
        if !self.failing {
            self.failing = true;
            tracing::error!(%error, "{what}; free space and check the disk, the store goes on by itself");
        }
    }
}
