//! Group commit: one writer takes everything that arrived while the last transaction was being
//! committed, writes it in one transaction, and answers when that is durable. One `fsync` serves
//! hundreds of messages under load; a single message waits for nobody.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use sqlx::{Connection as _, SqliteConnection};
use susurro_protocol::{ChatId, DeviceId, MailboxSeq};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::deposit::{Deposits, Ledger};
use super::fault::{self, Fault};
use crate::domain::Error;
use crate::domain::message::{Deposited, NewMessage};
use crate::metrics::metrics;
use crate::ports::{Answer, Commits};

/// Jobs of one transaction.
const BATCH_MAX: usize = 1024;

/// Jobs that may wait.
const QUEUE_MAX: usize = 8 * BATCH_MAX;

/// Kibibytes of ciphertext that may wait: bounds the memory of a relay whose disk is slow.
const QUEUE_KIB: u32 = 64 * 1024;

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
    /// Starts the writer on its connection.
    pub(super) fn start(connection: SqliteConnection, mailbox_max: u64, commits: Arc<dyn Commits>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let healthy = Arc::new(AtomicBool::new(true));
        let ledger = Ledger::new(mailbox_max);
        let running = Running { connection, ledger, commits, healthy: healthy.clone(), acknowledged: HashMap::new() };
        tokio::spawn(running.run(queue));
        Self { jobs, room: Arc::new(Semaphore::new(QUEUE_KIB as usize)), healthy }
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
        // Whatever is behind it in the queue is committed with it or after it.
        self.change(|_| Box::pin(std::future::ready(Ok(())))).await
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
    connection: SqliteConnection,
    ledger: Ledger,
    commits: Arc<dyn Commits>,
    healthy: Arc<AtomicBool>,
    /// Acknowledgements that no transaction has taken yet.
    acknowledged: HashMap<Range, MailboxSeq>,
}

impl Running {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH_MAX);
        let mut close = None;
        while close.is_none() && queue.recv_many(&mut jobs, BATCH_MAX).await > 0 {
            let (mut deposits, mut expiries, mut changes) = (Vec::new(), Vec::new(), Vec::new());
            for job in jobs.drain(..) {
                match job {
                    Job::Deposit(deposit) => deposits.push(*deposit),
                    Job::Acknowledge(range, cursor) => {
                        let latest = self.acknowledged.entry(range).or_default();
                        *latest = cursor.max(*latest);
                    }
                    Job::Expire(expiry) => expiries.push(expiry),
                    Job::Change(change) => changes.push(change),
                    Job::Close(answer) => close = Some(answer),
                }
            }
            self.commit(deposits, expiries, changes).await;
        }
        queue.close();
        if let Err(error) = self.connection.close().await {
            tracing::error!(%error, "the database was not closed cleanly; it is checked at the next start");
        }
        if let Some(answer) = close {
            let _ = answer.send(());
        }
    }

    async fn commit(&mut self, deposits: Vec<Deposit>, expiries: Vec<Expiry>, mut changes: Vec<Box<dyn Change>>) {
        let (messages, answers): (Vec<_>, Vec<_>) =
            deposits.into_iter().map(|d| (d.message, (d.answer, d.room))).unzip();
        let expire =
            expiries.iter().map(|expiry| (expiry.now, expiry.batch)).reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
        let begun = Instant::now();
        let mut outcome = self.transaction(&messages, expire, &mut changes).await;
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
                refusal = Some(fault::error(error));
                make_room(&mut self.connection).await;
                // Messages may be too much for a full disk where forgetting others is not. Only
                // what has not run yet can be tried again.
                if !messages.is_empty() {
                    outcome = self.transaction(&[], expire, &mut []).await;
                }
            }
        }
        let settled = outcome.as_ref().map(|(_, expired)| *expired).map_err(fault::error);
        self.report(refusal.as_ref());

        // The order matters: connections hear of a message before its sender does, so that a
        // sender who asks for it right away cannot overtake it.
        if let Ok((deposits, _)) = outcome {
            self.ledger.settle(deposits.touched, expire.is_some());
            if changes.iter().any(|change| change.touches_mailboxes()) {
                self.ledger.forget();
            }
            self.acknowledged.clear();
            if !deposits.committed.is_empty() {
                self.commits.committed(deposits.committed);
            }
        }
        let refused = || refusal.clone().unwrap_or_else(closed);
        let mut stored = stored.into_iter();
        for (answer, _room) in answers {
            let _ = answer.send(stored.next().ok_or_else(refused));
        }
        for change in changes {
            change.finish(refusal.clone().map_or(Ok(()), Err));
        }
        for expiry in expiries {
            let _ = expiry.answer.send(settled.clone());
        }
    }

    /// One transaction, to its durable end or to nothing.
    async fn transaction(
        &mut self,
        messages: &[NewMessage],
        expire: Option<(u64, u32)>,
        changes: &mut [Box<dyn Change>],
    ) -> Result<(Deposits, u64), sqlx::Error> {
        if messages.is_empty() && changes.is_empty() && expire.is_none() && self.acknowledged.is_empty() {
            return Ok((Deposits::default(), 0));
        }
        let connection = &mut self.connection;
        if begin(connection).await.is_err() {
            // A failed commit may have left a transaction open.
            undo(connection).await;
            begin(connection).await?;
        }
        let written = async {
            let mut deposits = self.ledger.write(connection, &self.acknowledged, messages).await?;
            let expired = match expire {
                Some((now, batch)) => super::deposit::expire(connection, now, batch).await?,
                None => 0,
            };
            for change in changes.iter_mut() {
                run_alone(connection, change.as_mut()).await?;
            }
            sqlx::query("COMMIT").execute(&mut *connection).await?;
            deposits.committed.shrink_to_fit();
            Ok((deposits, expired))
        }
        .await;
        if written.is_err() {
            undo(connection).await;
            self.ledger.forget();
        }
        written
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
async fn undo(connection: &mut SqliteConnection) {
    let _ = sqlx::query("ROLLBACK").execute(connection).await;
}

/// Folds the log into the database: what the log holds twice is space for the next try. May fail
/// for the same reason as what came before; nothing is lost by that.
async fn make_room(connection: &mut SqliteConnection) {
    let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await;
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
