//! Group commit: one writer a node takes everything that arrived while its last transaction was
//! being committed, writes it in one transaction, and answers when that is durable.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};
use susurro_protocol::{DeviceId, MailboxSeq};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::deposit::{self, Deposits, Numbers};
use super::{TRIES, fault, open};
use crate::domain::Error;
use crate::domain::mailbox::MailboxBounds;
use crate::domain::message::{Deposited, NewMessage, Waiting};
use crate::metrics::metrics;
use crate::ports::Commits;

/// Jobs of one transaction.
const BATCH_MAX: usize = 1024;

/// Jobs that may wait.
const QUEUE_MAX: usize = 8 * BATCH_MAX;

/// Kibibytes of ciphertext that may wait: bounds the memory of a node whose database is slow.
const QUEUE_KIB: u32 = 64 * 1024;

/// How long one transaction may take. Longer than any lock or statement may.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two tries to connect. Whoever wants to send meanwhile is told at once to come back.
const AGAIN: Duration = Duration::from_millis(250);

/// Few rows of large tables are all that the writer ever wants: plans are made once, and by index
/// whatever the statistics of tables say that fill and empty all day.
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
                     SET enable_hashjoin = off; SET enable_mergejoin = off";

/// The way to the writing connection of this node.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    healthy: Arc<AtomicBool>,
}

enum Job {
    Deposit(Box<Deposit>),
    Acknowledge(DeviceId, MailboxSeq),
    Close(oneshot::Sender<()>),
}

struct Deposit {
    message: NewMessage,
    answer: oneshot::Sender<Result<Deposited, Error>>,
    /// Given back when the batch is done.
    room: OwnedSemaphorePermit,
}

impl Writer {
    /// Starts the writer, which connects by itself, also later when the connection was lost.
    pub(super) fn start(connect: PgConnectOptions, bounds: MailboxBounds, commits: Arc<dyn Commits>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let healthy = Arc::new(AtomicBool::new(true));
        let running = Running {
            connect,
            connection: None,
            tried: None,
            numbers: Numbers::default(),
            bounds,
            commits,
            healthy: healthy.clone(),
            acknowledged: HashMap::new(),
            uncertain: Vec::new(),
        };
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
        let _ = self.jobs.try_send(Job::Acknowledge(mailbox, cursor));
    }

    /// Whether the last transaction was committed, or the database answered since.
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
    connect: PgConnectOptions,
    connection: Option<PgConnection>,
    /// When the last try to connect failed.
    tried: Option<Instant>,
    numbers: Numbers,
    bounds: MailboxBounds,
    commits: Arc<dyn Commits>,
    healthy: Arc<AtomicBool>,
    /// Acknowledgements that no transaction has taken yet.
    acknowledged: HashMap<DeviceId, MailboxSeq>,
    /// What a commit would have stored whose answer did not come.
    uncertain: Vec<Waiting>,
}

impl Running {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH_MAX);
        let mut close = None;
        while close.is_none() {
            let received = queue.recv_many(&mut jobs, BATCH_MAX);
            let received = if self.healthy.load(Ordering::Relaxed) {
                received.await
            } else {
                // A node that nobody is sent to, because it is not ready, has to find out by itself.
                match timeout(AGAIN, received).await {
                    Ok(received) => received,
                    Err(_) => {
                        self.commit(Vec::new()).await;
                        continue;
                    }
                }
            };
            if received == 0 {
                break;
            }
            let mut deposits = Vec::new();
            for job in jobs.drain(..) {
                match job {
                    Job::Deposit(deposit) => deposits.push(*deposit),
                    Job::Acknowledge(mailbox, cursor) => {
                        let latest = self.acknowledged.entry(mailbox).or_default();
                        *latest = cursor.max(*latest);
                    }
                    Job::Close(answer) => close = Some(answer),
                }
            }
            self.commit(deposits).await;
        }
        queue.close();
        if let Some(connection) = self.connection.take() {
            // The server notices by itself when the word does not come through.
            let _ = timeout(AGAIN, connection.close()).await;
        }
        if let Some(answer) = close {
            let _ = answer.send(());
        }
    }

    async fn commit(&mut self, deposits: Vec<Deposit>) {
        let (messages, answers): (Vec<_>, Vec<_>) =
            deposits.into_iter().map(|d| (d.message, (d.answer, d.room))).unzip();
        let begun = Instant::now();
        let mut outcome = self.attempt(&messages).await;
        let refusal = outcome.as_ref().err().map(fault::error);
        match &refusal {
            None if !messages.is_empty() => metrics().committed(messages.len(), begun.elapsed()),
            None => {}
            Some(_) => {
                metrics().store_errors.inc();
            }
        }
        // Messages may be too much for a full disk where forgetting others is not.
        if !messages.is_empty() && self.connection.is_some() && outcome.is_err() {
            outcome = self.attempt(&[]).await.map(|_| Deposits::default());
        }
        self.report(refusal.as_ref());

        // The order matters: connections hear of a message before its sender does, so that a
        // sender who asks for it right away cannot overtake it.
        let mut stored = Vec::new();
        if let Ok(deposits) = outcome {
            self.acknowledged.clear();
            stored = deposits.outcomes;
            if !deposits.committed.is_empty() {
                self.commits.committed(deposits.committed);
            }
        }
        let refused = || refusal.clone().unwrap_or_else(closed);
        let mut stored = stored.into_iter();
        for (answer, _room) in answers {
            let _ = answer.send(stored.next().ok_or_else(refused));
        }
    }

    /// One transaction, to its durable end or to nothing, again when it collided with another.
    async fn attempt(&mut self, messages: &[NewMessage]) -> Result<Deposits, sqlx::Error> {
        self.be_connected().await?;
        if messages.is_empty() && self.acknowledged.is_empty() {
            // Only asked whether the database is there.
            return self.transaction(&[]).await;
        }
        let mut tries = 1;
        loop {
            match self.transaction(messages).await {
                Err(error) if fault::is_collision(&error) && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn transaction(&mut self, messages: &[NewMessage]) -> Result<Deposits, sqlx::Error> {
        // Taken out: a transaction that is given up in the middle leaves no connection behind.
        let mut open = self.connection.take().ok_or(sqlx::Error::PoolTimedOut)?;
        let written = deposit::write(&mut open, &mut self.numbers, self.bounds, &self.acknowledged, messages);
        let deposits = match timeout(PATIENCE, written).await {
            Ok(Ok(deposits)) => deposits,
            Ok(Err(error)) => {
                let undone = timeout(AGAIN, open.execute("ROLLBACK")).await;
                if matches!(undone, Ok(Ok(_))) {
                    self.connection = Some(open);
                }
                return Err(error);
            }
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
        };
        match timeout(PATIENCE, open.execute("COMMIT")).await {
            Ok(Ok(_)) => {
                self.connection = Some(open);
                Ok(deposits)
            }
            failed => {
                self.uncertain = deposits.committed;
                Err(failed
                    .map_or(sqlx::Error::PoolTimedOut, |failed| failed.err().unwrap_or(sqlx::Error::PoolTimedOut)))
            }
        }
    }

    /// Connects if need be, and looks after what the end of the last connection left open: messages
    /// that were committed although nobody could be told. Their senders send them again and hear that
    /// they are stored; their recipients hear of them here.
    async fn be_connected(&mut self) -> Result<(), sqlx::Error> {
        if self.connection.is_some() {
            return Ok(());
        }
        if self.tried.is_some_and(|tried| tried.elapsed() < AGAIN) {
            return Err(sqlx::Error::PoolTimedOut);
        }
        let connected = async {
            let mut connection = open::connect(&self.connect).await?;
            connection.execute(PLANS).await?;
            open::say_running(&mut connection).await?;
            let uncertain = self.uncertain.clone();
            let found =
                if uncertain.is_empty() { uncertain } else { deposit::find(&mut connection, uncertain).await? };
            Ok::<_, sqlx::Error>((connection, found))
        };
        match timeout(PATIENCE, connected).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Ok((connection, found)) => {
                (self.connection, self.tried, self.uncertain) = (Some(connection), None, Vec::new());
                if !found.is_empty() {
                    self.commits.committed(found);
                }
                Ok(())
            }
            Err(error) => {
                self.tried = Some(Instant::now());
                Err(error)
            }
        }
    }

    fn report(&self, refusal: Option<&Error>) {
        let was = self.healthy.swap(refusal.is_none(), Ordering::Relaxed);
        match refusal {
            Some(error) if was => tracing::error!(%error, "cannot store anything: look at the PostgreSQL server"),
            None if !was => tracing::info!("storing again"),
            _ => {}
        }
    }
}
