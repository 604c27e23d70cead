//! Group commit: one writer takes everything that arrived while the last transaction was being
//! committed, writes it in one transaction, and answers when that is durable. One `fsync` serves
//! hundreds of messages under load; a single message waits for nobody.
//!
//! The writer is a thread of its own with two connections that never write at once. Messages and
//! acknowledgements go through one that it calls directly, since a statement that travels to
//! another thread and back costs more than SQLite does. Everything else is rare, and goes through
//! the other in a transaction behind that.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rusqlite::Connection;
use sqlx::{Connection as _, SqliteConnection};
use susurro_protocol::{ChatId, DeviceId, MailboxSeq, MessageId};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::deposit::{Deposits, Ledger};
use super::fault::{self, Fault};
use super::known::Used;
use crate::domain::Error;
use crate::domain::mailbox::MailboxBounds;
use crate::domain::message::{Deposited, NewMessage};
use crate::metrics::metrics;
use crate::ports::{Answer, Commits};

/// Jobs of one transaction: enough that hundreds of busy connections each get several answers at once.
const BATCH_MAX: usize = 4096;

/// Kibibytes of ciphertext that may wait: bounds the memory of a relay whose disk is slow.
const QUEUE_KIB: u32 = 64 * 1024;

/// Jobs that may wait: each takes a kibibyte of that at least, so that connections wait for room in one
/// place, and are not woken for each message in turn.
const QUEUE_MAX: usize = QUEUE_KIB as usize;

/// What an acknowledgement is about: a mailbox, or one chat in it.
pub(super) type Range = (DeviceId, Option<ChatId>);

/// A piece of work inside a transaction.
pub(super) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'c>>;

/// The way to the one writing connection.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    healthy: Arc<AtomicBool>,
}

enum Job {
    Deposit(Box<Deposit>),
    Acknowledge(Range, MailboxSeq),
    Expire(Expiry),
    Change(Box<dyn Change>),
    Recall(Recall),
    Close(oneshot::Sender<()>),
}

struct Deposit {
    message: NewMessage,
    answer: oneshot::Sender<Result<Deposited, Error>>,
    /// Given back when the batch is done.
    room: OwnedSemaphorePermit,
}

struct Expiry {
    now: u64,
    batch: u32,
    answer: oneshot::Sender<Result<u64, Error>>,
}

struct Recall {
    sender: DeviceId,
    message: MessageId,
    answer: oneshot::Sender<Result<Option<Used>, Error>>,
}

/// A write that is neither message nor acknowledgement.
trait Change: Send {
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> Work<'c, ()>;
    /// Answers, after the commit or instead of it.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
    /// Whether mailboxes are others after it.
    fn touches_mailboxes(&self) -> bool;
}

struct Task<T, F, A> {
    run: Option<F>,
    then: A,
    outcome: Result<T, Error>,
    answer: oneshot::Sender<Result<T, Error>>,
    touches_mailboxes: bool,
}

impl<T, F, A> Change for Task<T, F, A>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send,
    A: FnOnce(&T) + Send,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> Work<'c, ()> {
        Box::pin(async move {
            let Some(run) = self.run.take() else { return Ok(()) };
            match run(connection).await {
                Ok(value) => {
                    self.outcome = Ok(value);
                    Ok(())
                }
                Err(Fault::Refused(error)) => {
                    self.outcome = Err(error.clone());
                    Err(Fault::Refused(error))
                }
                Err(Fault::Sql(error)) => {
                    self.outcome = Err(fault::error(&error));
                    Err(Fault::Sql(error))
                }
            }
        })
    }

    fn touches_mailboxes(&self) -> bool {
        self.touches_mailboxes
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let outcome = committed.and(self.outcome);
        if let Ok(value) = &outcome {
            (self.then)(value);
        }
        // Nobody waits any longer when the request was given up; the work is done all the same.
        let _ = self.answer.send(outcome);
    }
}

impl Writer {
    /// Starts the writer on its connections: `messages` for those, `changes` for everything else.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(super) fn start(
        messages: Connection,
        changes: SqliteConnection,
        bounds: MailboxBounds,
        commits: Arc<dyn Commits>,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let healthy = Arc::new(AtomicBool::new(true));
        let running = Running {
            messages,
            changes,
            runtime: Handle::current(),
            ledger: Ledger::new(bounds),
            commits,
            healthy: healthy.clone(),
            acknowledged: HashMap::new(),
        };
        std::thread::Builder::new().name("susurro-writer".to_owned()).spawn(move || running.run(queue))?;
        Ok(Self { jobs, room: Arc::new(Semaphore::new(QUEUE_KIB as usize)), healthy })
    }

    /// Queues a message; the receipt that comes back waits for the commit.
    pub(super) async fn deposit(
        &self,
        message: NewMessage,
    ) -> Result<oneshot::Receiver<Result<Deposited, Error>>, Error> {
        let bytes: usize = message.deposits.iter().map(|(_, ciphertext)| ciphertext.len()).sum();
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, QUEUE_KIB);
        let room = self.room.clone().acquire_many_owned(kib).await.map_err(|_| closed())?;
        let (answer, receipt) = oneshot::channel();
        let job = Job::Deposit(Box::new(Deposit { message, answer, room }));
        self.jobs.send(job).await.map_err(|_| closed())?;
        Ok(receipt)
    }

    /// Queues an acknowledgement, or drops it when there is no room: a later one covers it, and a
    /// message that is delivered again does no harm.
    pub(super) fn acknowledge(&self, mailbox: DeviceId, cursor: MailboxSeq) {
        let _ = self.jobs.try_send(Job::Acknowledge((mailbox, None), cursor));
    }

    /// Forgets what waits in one chat, and answers when that is durable.
    pub(super) async fn acknowledge_chat(
        &self,
        mailbox: DeviceId,
        chat: ChatId,
        cursor: MailboxSeq,
    ) -> Result<(), Error> {
        self.jobs.send(Job::Acknowledge((mailbox, Some(chat)), cursor)).await.map_err(|_| closed())?;
        // Whatever is behind it in the queue is committed after it, or refused when that fails.
        self.change(|_| Box::pin(std::future::ready(Ok(())))).await
    }

    /// What is remembered under a message id of a device.
    pub(super) async fn recall(&self, sender: DeviceId, message: MessageId) -> Result<Option<Used>, Error> {
        let (answer, outcome) = oneshot::channel();
        self.jobs.send(Job::Recall(Recall { sender, message, answer })).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }

    /// Drops what is past its time.
    pub(super) async fn expire(&self, now: u64, batch: u32) -> Result<u64, Error> {
        let (answer, outcome) = oneshot::channel();
        self.jobs.send(Job::Expire(Expiry { now, batch, answer })).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }

    /// Runs `run` inside the next transaction, undone alone when it refuses.
    pub(super) fn change<T, F>(&self, run: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        self.change_then(run, |_| {})
    }

    /// As [`change`](Self::change); `then` runs right after the commit, also when nobody waits
    /// for the answer any longer.
    pub(super) fn change_then<T, F, A>(&self, run: F, then: A) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
    {
        self.queue(run, then, false)
    }

    /// As [`change_then`](Self::change_then), for a change that mailboxes come or go by.
    pub(super) fn change_forgetting<T, F, A>(&self, run: F, then: A) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
    {
        self.queue(run, then, true)
    }

    fn queue<T, F, A>(&self, run: F, then: A, touches_mailboxes: bool) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let task = Task { run: Some(run), then, outcome: Err(closed()), answer, touches_mailboxes };
        Box::pin(async move {
            self.jobs.send(Job::Change(Box::new(task))).await.map_err(|_| closed())?;
            outcome.await.map_err(|_| closed())?
        })
    }

    /// Whether the last transaction was committed.
    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Writes what waits and closes the connection.
    pub(super) async fn close(&self) {
        let (answer, closed) = oneshot::channel();
        if self.jobs.send(Job::Close(answer)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

fn closed() -> Error {
    Error::Storage("the store is closed".to_owned())
}

struct Running {
    messages: Connection,
    changes: SqliteConnection,
    runtime: Handle,
    ledger: Ledger,
    commits: Arc<dyn Commits>,
    healthy: Arc<AtomicBool>,
    /// Acknowledgements that no transaction has taken yet.
    acknowledged: HashMap<Range, MailboxSeq>,
}

/// What waits for an answer about a message, and its room in the queue.
type Waiter = (oneshot::Sender<Result<Deposited, Error>>, OwnedSemaphorePermit);

impl Running {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH_MAX);
        let mut close = None;
        while close.is_none() && queue.blocking_recv_many(&mut jobs, BATCH_MAX) > 0 {
            let (mut messages, mut waiters) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
            let (mut expiries, mut changes, mut recalls) = (Vec::new(), Vec::new(), Vec::new());
            for job in jobs.drain(..) {
                match job {
                    Job::Deposit(deposit) => {
                        messages.push(deposit.message);
                        waiters.push((deposit.answer, deposit.room));
                    }
                    Job::Acknowledge(range, cursor) => {
                        let latest = self.acknowledged.entry(range).or_default();
                        *latest = cursor.max(*latest);
                    }
                    Job::Expire(expiry) => expiries.push(expiry),
                    Job::Change(change) => changes.push(change),
                    Job::Recall(recall) => recalls.push(recall),
                    Job::Close(answer) => close = Some(answer),
                }
            }
            match self.commit(&messages, waiters, expiries) {
                Ok(()) if changes.is_empty() => {}
                Ok(()) => self.change(changes),
                Err(refusal) => changes.into_iter().for_each(|change| change.finish(Err(refusal.clone()))),
            }
            for Recall { sender, message, answer } in recalls {
                let found = self.ledger.recall(&self.messages, &sender, message);
                let _ = answer.send(found.map_err(|error| fault::hot(&error)));
            }
        }
        queue.close();
        if let Err((_, error)) = self.messages.close() {
            tracing::error!(%error, "the database was not closed cleanly; it is checked at the next start");
        }
        if let Err(error) = self.runtime.block_on(self.changes.close()) {
            tracing::error!(%error, "the database was not closed cleanly; it is checked at the next start");
        }
        if let Some(answer) = close {
            let _ = answer.send(());
        }
    }

    /// Messages, acknowledgements and expiry, to their durable end; then the answers. Fails when not even
    /// acknowledgements were committed, on which what comes behind them may rely.
    fn commit(&mut self, messages: &[NewMessage], waiters: Vec<Waiter>, expiries: Vec<Expiry>) -> Result<(), Error> {
        let expire =
            expiries.iter().map(|expiry| (expiry.now, expiry.batch)).reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
        if messages.is_empty() && expire.is_none() && self.acknowledged.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut outcome = self.transaction(messages, expire);
        let (mut stored, mut refusal) = (Vec::new(), None);
        match &mut outcome {
            Ok((deposits, _)) => {
                if !messages.is_empty() {
                    metrics().committed(messages.len(), begun.elapsed());
                }
                stored = std::mem::take(&mut deposits.outcomes);
            }
            Err(error) => {
                metrics().store_errors.inc();
                refusal = Some(fault::hot(error));
                make_room(&self.messages);
                // Messages may be too much for a full disk where forgetting others is not.
                if !messages.is_empty() {
                    outcome = self.transaction(&[], expire);
                }
            }
        }
        let settled = outcome.as_ref().map(|(_, expired)| *expired).map_err(fault::hot);
        self.report(refusal.as_ref());

        // The order matters: connections hear of a message before its sender does, so that a
        // sender who asks for it right away cannot overtake it.
        if let Ok((mut deposits, expired)) = outcome {
            self.ledger.settle(&mut deposits, expired > 0);
            self.acknowledged.clear();
            if !deposits.committed.is_empty() {
                self.commits.committed(deposits.committed);
            }
        }
        let refused = || refusal.clone().unwrap_or_else(closed);
        let mut stored = stored.into_iter();
        for (answer, _room) in waiters {
            let _ = answer.send(stored.next().ok_or_else(refused));
        }
        for expiry in expiries {
            let _ = expiry.answer.send(settled.clone());
        }
        settled.map(|_| ())
    }

    /// One transaction, to its durable end or to nothing.
    fn transaction(
        &mut self,
        messages: &[NewMessage],
        expire: Option<(u64, u32)>,
    ) -> Result<(Deposits, u64), rusqlite::Error> {
        let connection = &self.messages;
        let begin = || connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]);
        if begin().is_err() {
            // A failed commit may have left a transaction open.
            undo(connection);
            begin()?;
        }
        let mut written = || {
            let deposits = self.ledger.write(connection, &self.acknowledged, messages)?;
            let expired = match expire {
                Some((now, batch)) => super::deposit::expire(connection, now, batch)?,
                None => 0,
            };
            connection.prepare_cached("COMMIT")?.execute([])?;
            Ok((deposits, expired))
        };
        let written = written();
        if written.is_err() {
            undo(connection);
            self.ledger.forget();
        }
        written
    }

    /// Everything that is neither message nor acknowledgement, in a transaction of its own.
    fn change(&mut self, mut changes: Vec<Box<dyn Change>>) {
        let connection = &mut self.changes;
        let done = self.runtime.block_on(async {
            if begin(connection).await.is_err() {
                roll_back(connection).await;
                begin(connection).await?;
            }
            let done = async {
                for change in &mut changes {
                    run_alone(connection, change.as_mut()).await?;
                }
                sqlx::query("COMMIT").execute(&mut *connection).await.map(|_| ())
            };
            let done = done.await;
            if done.is_err() {
                roll_back(connection).await;
            }
            done
        });
        if changes.iter().any(|change| change.touches_mailboxes()) {
            self.ledger.forget_mailboxes();
        }
        let refusal = done.err().map(|error| fault::error(&error));
        if refusal.is_some() {
            metrics().store_errors.inc();
            make_room(&self.messages);
        }
        self.report(refusal.as_ref());
        for change in changes {
            change.finish(refusal.clone().map_or(Ok(()), Err));
        }
    }

    fn report(&self, refusal: Option<&Error>) {
        let was = self.healthy.swap(refusal.is_none(), Ordering::Relaxed);
        match refusal {
            Some(error) if was => tracing::error!(%error, "cannot store anything: look at the disk of the database"),
            None if !was => tracing::info!("storing again"),
            _ => {}
        }
    }
}

async fn begin(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(connection).await.map(|_| ())
}

/// Ends a transaction, if SQLite has not done so by itself.
async fn roll_back(connection: &mut SqliteConnection) {
    let _ = sqlx::query("ROLLBACK").execute(connection).await;
}

/// As [`roll_back`], for messages.
fn undo(connection: &Connection) {
    let _ = connection.execute_batch("ROLLBACK");
}

/// Folds the log into the database: what the log holds twice is space for the next try. May fail
/// for the same reason as what came before; nothing is lost by that.
fn make_room(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

/// Runs a change inside a savepoint, so that one that refuses leaves the others alone.
async fn run_alone(connection: &mut SqliteConnection, change: &mut dyn Change) -> Result<(), sqlx::Error> {
    sqlx::query("SAVEPOINT change").execute(&mut *connection).await?;
    match change.run(connection).await {
        Ok(()) => {}
        Err(Fault::Sql(error)) if fault::is_refused_by_storage(&error) => return Err(error),
        Err(_) => {
            sqlx::query("ROLLBACK TO change").execute(&mut *connection).await?;
        }
    }
    sqlx::query("RELEASE change").execute(connection).await.map(|_| ())
}
