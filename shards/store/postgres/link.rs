//! One connection to PostgreSQL: statements are prepared once on it, and what needs no answer of its own is sent together
//! with the next that does.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{FusedFuture, MaybeDone, maybe_done};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::{Client, RowStream, SimpleQueryMessage, Statement};

use super::fault::{Unusable, fault};
use super::settings::{CONNECT, Settings};
use super::values::{Packed, Sent};
use crate::store::driver::{Error, Kind, Result, Row, Value};

/// How long an answer may take; the server itself gives up before that.
const ANSWER: Duration = Duration::from_secs(20);

/// An open connection.
pub(super) struct Link {
    client: Client,
    /// Ends with the connection.
    task: JoinHandle<std::result::Result<(), tokio_postgres::Error>>,
    /// By place and length of their text.
    statements: HashMap<(usize, usize), Statement>,
    waiting: Vec<Waiting>,
}

/// What is sent with the next statement.
enum Waiting {
    Plain(&'static str),
    Bound(Statement, Packed),
}

type Outcome<T> = std::result::Result<T, tokio_postgres::Error>;

impl Link {
    /// Connects and logs in.
    pub(super) fn open(runtime: &Runtime, settings: &Settings, name: &str) -> std::result::Result<Self, Unusable> {
        let mut config = settings.config.clone();
        config.application_name(name);
        let opened = runtime.block_on(async { timeout(CONNECT * 2, config.connect(settings.tls.clone())).await });
        let place = &settings.place;
        let (client, connection) = opened
            .map_err(|_| Unusable::passing(format!("{place} does not answer; see whether PostgreSQL is well")))?
            .map_err(|error| Unusable::connecting(&error, place))?;
        let task = runtime.spawn(connection);
        Ok(Self { client, task, statements: HashMap::new(), waiting: Vec::new() })
    }

    /// Says goodbye, so that the server ends its side at once.
    pub(super) fn close(self, runtime: &Runtime) {
        drop(self.client);
        // A server that is gone needs no goodbye.
        let _ = runtime.block_on(async { timeout(Duration::from_secs(1), self.task).await });
    }

    /// Carries out statements without parameters, while the store is opened: the first column of each row, as text.
    pub(super) fn simple(&self, runtime: &Runtime, sql: &str) -> Outcome<Vec<Vec<Option<String>>>> {
        let messages = runtime.block_on(self.client.simple_query(sql))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Sends a statement with the next one that is waited for.
    pub(super) fn later(&mut self, sql: &'static str) {
        self.waiting.push(Waiting::Plain(sql));
    }

    /// The same, with values.
    pub(super) fn later_with(&mut self, runtime: &Runtime, sql: &'static str, values: Packed) -> Result<()> {
        let statement = self.prepared(runtime, sql)?;
        self.waiting.push(Waiting::Bound(statement, values));
        Ok(())
    }

    /// How many statements were not sent yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Sends no more of what waits than this statement and those before it; nothing if it does not wait.
    pub(super) fn forget_behind(&mut self, sql: &'static str) {
        let last = self.waiting.iter().rposition(|waiting| matches!(waiting, Waiting::Plain(text) if *text == sql));
        self.waiting.truncate(last.map_or(0, |last| last + 1));
    }

    /// Sends nothing of what waits.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Forgets the first statement that was not sent yet.
    pub(super) fn drop_first(&mut self) {
        if !self.waiting.is_empty() {
            self.waiting.remove(0);
        }
    }

    /// Sends a statement and does not wait for its answer. For one that can only fail with the connection.
    pub(super) fn post(&mut self, runtime: &Runtime, sql: &str) -> Result<()> {
        let sent = runtime.block_on(async {
            let answer = started(Box::pin(maybe_done(self.client.batch_execute(sql)))).await;
            // The other task of this thread now writes it.
            tokio::task::yield_now().await;
            if answer.is_terminated() { finished(answer).await } else { Ok(()) }
        });
        sent.map_err(|error| fault(&error))
    }

    /// Sends everything, a statement without values behind it, and waits for all answers.
    pub(super) fn plain(&mut self, runtime: &Runtime, sql: &str) -> Result<()> {
        exchange(runtime, &self.client, &mut self.waiting, self.client.batch_execute(sql))
    }

    /// Sends everything and waits for all answers.
    pub(super) fn flush(&mut self, runtime: &Runtime) -> Result<()> {
        exchange(runtime, &self.client, &mut self.waiting, async { Ok(()) })
    }

    /// Sends everything, a statement with values behind it, and waits for all answers: how many rows it changed.
    pub(super) fn change(&mut self, runtime: &Runtime, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let statement = self.prepared(runtime, sql)?;
        let last = self.client.execute_raw(&statement, values);
        exchange(runtime, &self.client, &mut self.waiting, last)
    }

    /// Sends everything, a statement that reads behind it, and gives its rows to `each` until that answers false.
    pub(super) fn query(
        &mut self,
        runtime: &Runtime,
        sql: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<()> {
        let statement = self.prepared(runtime, sql)?;
        let last = self.client.query_raw(&statement, values);
        let rows = exchange(runtime, &self.client, &mut self.waiting, last)?;
        // What is not read is thrown away by the connection.
        answered(runtime.block_on(async { timeout(ANSWER, read(rows, each)).await }))?
    }

    fn prepared(&mut self, runtime: &Runtime, sql: &'static str) -> Result<Statement> {
        // Each text stands at one place; comparing the place is cheaper than the text.
        let place = (sql.as_ptr().addr(), sql.len());
        if let Some(statement) = self.statements.get(&place) {
            return Ok(statement.clone());
        }
        let statement = answered(runtime.block_on(async { timeout(ANSWER, self.client.prepare(sql)).await }))?;
        self.statements.insert(place, statement.clone());
        Ok(statement)
    }
}

impl Waiting {
    fn values(&self) -> Vec<Sent<'_>> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Bound(_, values) => values.values(),
        }
    }
}

/// Sends what waits and `last` behind it, without waiting in between, then takes the answers in order. The first fault
/// is that of all.
fn exchange<T>(
    runtime: &Runtime,
    client: &Client,
    waiting: &mut Vec<Waiting>,
    last: impl Future<Output = Outcome<T>>,
) -> Result<T> {
    let waiting = std::mem::take(waiting);
    let values: Vec<_> = waiting.iter().map(Waiting::values).collect();
    let send = async |index: usize| match &waiting[index] {
        Waiting::Plain(sql) => client.batch_execute(sql).await,
        Waiting::Bound(statement, _) => client.execute_raw(statement, &values[index]).await.map(|_| ()),
    };
    answered(runtime.block_on(async {
        let answers = async {
            let mut sent = Vec::with_capacity(waiting.len());
            for index in 0..waiting.len() {
                sent.push(started(Box::pin(maybe_done(send(index)))).await);
            }
            let last = started(Box::pin(maybe_done(last))).await;
            for answer in sent {
                finished(answer).await?;
            }
            finished(last).await
        };
        timeout(ANSWER, answers).await
    }))
}

type Started<F> = Pin<Box<MaybeDone<F>>>;

/// Polls once: then the statement is on its way.
async fn started<F: Future>(mut future: Started<F>) -> Started<F> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
    future
}

async fn finished<T, F: Future<Output = Outcome<T>>>(mut future: Started<F>) -> Outcome<T> {
    future.as_mut().await;
    // There is an output behind the wait, and it is taken here only.
    future.as_mut().take_output().unwrap_or_else(|| unreachable!("it is done"))
}

async fn read(rows: RowStream, each: &mut dyn FnMut(&dyn Row) -> Result<bool>) -> Outcome<Result<()>> {
    let mut rows = pin!(rows);
    while let Some(row) = rows.next().await {
        match each(&row?) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

fn answered<T>(outcome: std::result::Result<Outcome<T>, Elapsed>) -> Result<T> {
    match outcome {
        Ok(outcome) => outcome.map_err(|error| fault(&error)),
        Err(_) => Err(Error::new(Kind::Lost, format_args!("no answer within {} seconds", ANSWER.as_secs()))),
    }
}
