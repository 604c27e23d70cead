//! The tokio shell around the engine: one task that owns it, commits first, then acts.
//!
//! Everything that waits when an input is taken is handled together and becomes one commit, so a
//! backlog costs one write to the disk a batch, not one a message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use susurro_protocol::limits::BLOB_CHUNK;
use susurro_protocol::{AccountName, ErrorCode};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::model::{ClientEvent, Connection, Contact, Direction, MessageContent};
use crate::store::port::Transaction;
use crate::store::spool::Spool;
use crate::store::{Store, StoreError};
use crate::sync::{
    Answer, Command, Effect, Engine, EngineError, Input, Refused, Request, RequestFailure, RequestId, SocketId,
};
use crate::transport::{Http, Socket, SocketEvent, TransportError};

/// Inputs that become one commit at most: keeps a batch's time and memory small.
const BATCH_MAX: usize = 256;

/// Socket events that wait for the driver. A full queue stops the reading of the socket, and the
/// relay's window with it.
const SOCKET_QUEUE: usize = 512;

/// The longest sleep: the timers of the system stand still while a machine is suspended, so the
/// clock is looked at again.
const SLEEP_MAX: Duration = Duration::from_secs(10);

/// Wait before the connection is tried again after the store failed; doubled each time.
const STORE_RETRY_MIN: Duration = Duration::from_secs(2);
const STORE_RETRY_MAX: Duration = Duration::from_secs(60);

/// For requests that are under way at the end. A refresh that the relay has granted must not be
/// lost: its answer is the only copy of the new tokens.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Events kept for a face that is slow; one that misses some reads the store again.
const EVENTS: usize = 1024;

/// Why a command did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotDone {
    Refused(Refused),
    Store(StoreError),
}

pub(crate) type CommandReply = oneshot::Sender<Result<(), NotDone>>;
pub(crate) type StartReply = oneshot::Sender<Result<Contact, StartFailure>>;

/// Why a chat could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartFailure {
    NotDone(NotDone),
    Request(RequestFailure),
}

/// What the facade asks of the driver.
pub(crate) enum Job {
    Command(Command, CommandReply),
    StartChat(AccountName, StartReply),
    Close(oneshot::Sender<()>),
}

/// What the driver shows to the facade.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) events: broadcast::Sender<ClientEvent>,
    pub(crate) connection: watch::Sender<Connection>,
    /// Whether nothing is left to do: connected, mailbox drained, outbox sent.
    pub(crate) settled: watch::Sender<bool>,
    /// The contacts that are there, as the relay says.
    pub(crate) present: watch::Sender<BTreeSet<AccountName>>,
    /// What the system said when the relay could not be reached.
    pub(crate) cause: Arc<Mutex<Option<TransportError>>>,
}

impl Shown {
    pub(crate) fn new() -> Self {
        Self {
            events: broadcast::Sender::new(EVENTS),
            connection: watch::Sender::new(Connection::Offline),
            settled: watch::Sender::new(false),
            present: watch::Sender::default(),
            cause: Arc::default(),
        }
    }

    fn note_cause(&self, error: &TransportError) {
        if matches!(error, TransportError::Unreachable(_) | TransportError::Certificate(_)) {
            *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
    }
}

/// The task's state.
pub(crate) struct Driver {
    store: Arc<Store>,
    spool: Spool,
    http: Http,
    shown: Shown,
    engine: Engine<UnwrapErr<SysRng>>,
    jobs: mpsc::Receiver<Job>,
    online: watch::Receiver<bool>,
    socket: Option<Socket>,
    socket_sender: mpsc::Sender<(SocketId, SocketEvent)>,
    socket_events: mpsc::Receiver<(SocketId, SocketEvent)>,
    requests: JoinSet<(RequestId, Result<Answer, TransportError>)>,
    /// A refresh of the tokens that is under way.
    refresh: Option<RequestId>,
    /// Sockets that are closing.
    closing: JoinSet<()>,
    /// Blobs that are being deleted.
    dropping: JoinSet<()>,
    starting: BTreeMap<AccountName, Vec<StartReply>>,
    wake: Option<u64>,
    store_retry: Option<(Instant, Duration)>,
}

/// Inputs of one batch and who waits for their outcome.
#[derive(Default)]
struct Batch {
    inputs: Vec<(Input, Option<CommandReply>)>,
    starts: Vec<(AccountName, StartReply)>,
    close: Option<oneshot::Sender<()>>,
    size: usize,
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The system's randomness. Where it fails there is nothing that could safely go on.
pub(crate) fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

impl Driver {
    /// Builds the engine from what is durable.
    pub(crate) async fn new(
        store: Arc<Store>,
        http: Http,
        shown: Shown,
        jobs: mpsc::Receiver<Job>,
        online: watch::Receiver<bool>,
    ) -> Result<Self, StoreError> {
        let engine = build(&store).await?;
        let (socket_sender, socket_events) = mpsc::channel(SOCKET_QUEUE);
        let spool = Spool::of(store.path());
        Ok(Self {
            store,
            spool,
            http,
            shown,
            engine,
            jobs,
            online,
            socket: None,
            socket_sender,
            socket_events,
            requests: JoinSet::new(),
            refresh: None,
            closing: JoinSet::new(),
            dropping: JoinSet::new(),
            starting: BTreeMap::new(),
            wake: None,
            store_retry: None,
        })
    }

    /// Runs until the facade closes it or is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let Some(mut batch) = self.next_batch().await else { break };
            let close = batch.close.take();
            self.handle(batch).await;
            if let Some(done) = close {
                self.finish().await;
                let _ = done.send(());
                return;
            }
        }
        self.finish().await;
    }

    /// Waits for something to happen, then takes everything that waits.
    async fn next_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let wake = self.wake_at();
        tokio::select! {
            job = self.jobs.recv() => batch.job(job?),
            event = self.socket_events.recv() => if let Some(event) = event { self.take_socket_event(&mut batch, event) },
            Some(done) = self.requests.join_next() => self.take_answer(&mut batch, done),
            changed = self.online.changed() => {
                changed.ok()?;
                let online = *self.online.borrow_and_update();
                self.store_retry = None;
                batch.input(if online { Input::GoOnline } else { Input::GoOffline });
            }
            () = sleep_until(wake) => self.take_time(&mut batch),
        }
        while batch.size < BATCH_MAX {
            if let Ok(event) = self.socket_events.try_recv() {
                self.take_socket_event(&mut batch, event);
            } else if let Some(done) = self.requests.try_join_next() {
                self.take_answer(&mut batch, done);
            } else if batch.close.is_none()
                && let Ok(job) = self.jobs.try_recv()
            {
                batch.job(job);
            } else {
                break;
            }
        }
        Some(batch)
    }

    fn wake_at(&self) -> Instant {
        let timer = self.wake.map(|at| Instant::now() + Duration::from_millis(at.saturating_sub(now())));
        let retry = self.store_retry.map(|(at, _)| at);
        let longest = Instant::now() + SLEEP_MAX;
        [timer, retry].into_iter().flatten().fold(longest, Instant::min)
    }

    fn take_time(&mut self, batch: &mut Batch) {
        if self.wake.is_some_and(|at| now() >= at) {
            self.wake = None;
            batch.input(Input::Tick);
        }
        if let Some((at, wait)) = self.store_retry
            && Instant::now() >= at
        {
            self.store_retry = Some((at + wait, wait));
            if *self.online.borrow() {
                batch.input(Input::GoOnline);
            }
        }
    }

    fn take_socket_event(&mut self, batch: &mut Batch, (id, event): (SocketId, SocketEvent)) {
        match event {
            SocketEvent::Opened => batch.input(Input::SocketOpened(id)),
            SocketEvent::Frame(bytes) => batch.frame(id, bytes),
            SocketEvent::Failed(error) => {
                self.shown.note_cause(&error);
                batch.input(Input::SocketFailed(id, error.into()));
            }
            SocketEvent::Closed(code) => batch.input(Input::SocketClosed(id, code)),
        }
    }

    fn take_answer(
        &mut self,
        batch: &mut Batch,
        done: Result<(RequestId, Result<Answer, TransportError>), tokio::task::JoinError>,
    ) {
        // A request task neither panics nor is aborted while this loop runs.
        let Ok((id, outcome)) = done else { return };
        self.refresh.take_if(|refresh| *refresh == id);
        let outcome = outcome.map_err(|error| {
            self.shown.note_cause(&error);
            error.into()
        });
        batch.input(Input::Answered(id, outcome));
    }

    /// Handles a batch: the engine first, then one commit, then everything that depends on it.
    async fn handle(&mut self, batch: Batch) {
        let mut commit = Transaction::new();
        let mut effects = Vec::new();
        let mut replies = Vec::new();
        for (input, reply) in batch.inputs {
            let step = self.engine.handle(input, now());
            commit.extend(step.commit);
            effects.extend(step.effects);
            replies.extend(reply.map(|reply| (reply, step.refused)));
        }
        for (peer, reply) in batch.starts {
            let step = self.engine.handle(Input::Command(Command::StartChat(peer.clone())), now());
            commit.extend(step.commit);
            effects.extend(step.effects);
            match step.refused {
                Some(refused) => {
                    let _ = reply.send(Err(StartFailure::NotDone(NotDone::Refused(refused))));
                }
                None => self.starting.entry(peer).or_default().push(reply),
            }
        }
        if let Err(error) = self.store.commit(&commit).await {
            for (reply, _) in replies {
                let _ = reply.send(Err(NotDone::Store(error.clone())));
            }
            return self.store_failed(error).await;
        }
        if !commit.is_empty() {
            self.store_retry = None;
        }
        for effect in effects {
            self.perform(effect);
        }
        self.show();
        for (reply, refused) in replies {
            let _ = reply.send(refused.map_or(Ok(()), |refused| Err(NotDone::Refused(refused))));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::OpenSocket { socket, access_token } => {
                let events = self.socket_sender.clone();
                self.socket = Some(Socket::open(socket, self.http.url(), &access_token, events));
            }
            Effect::Transmit(message) => {
                if let Some(socket) = &mut self.socket {
                    socket.transmit(message);
                }
            }
            Effect::CloseSocket { socket: id, code } => {
                if let Some(socket) = self.socket.take_if(|socket| socket.id() == id) {
                    while self.closing.try_join_next().is_some() {}
                    self.closing.spawn(socket.close(code));
                }
            }
            Effect::Request { id, request, access_token } => {
                if matches!(request, Request::Refresh { .. }) {
                    self.refresh = Some(id);
                }
                let (http, spool) = (self.http.clone(), self.spool.clone());
                self.requests.spawn(async move {
                    let answer = match with_bytes(spool, request).await {
                        Ok(request) => http.perform(request, access_token.as_ref()).await,
                        Err(error) => Err(error),
                    };
                    (id, answer)
                });
            }
            Effect::Uploaded(blob) => self.spool.forget(blob),
            Effect::DropBlob { peer, message, access_token } => {
                let (http, store) = (self.http.clone(), self.store.clone());
                while self.dropping.try_join_next().is_some() {}
                self.dropping.spawn(async move {
                    // Of use only: what is not deleted now ends at its time.
                    if let Ok(Some(view)) = store.message(message).await
                        && view.direction == Direction::Outgoing
                        && view.peer == peer
                        && let MessageContent::Attachment(attachment) = view.content
                    {
                        let _ = http.delete_blob(attachment.blob, &access_token).await;
                    }
                });
            }
            Effect::WakeAt(at) => self.wake = Some(at),
            Effect::Emit(event) => {
                // Without a face nobody listens.
                let _ = self.shown.events.send(event);
            }
            Effect::ChatStarted { peer, outcome } => {
                for reply in self.starting.remove(&peer).unwrap_or_default() {
                    let _ = reply.send(outcome.clone().map_err(StartFailure::Request));
                }
            }
        }
    }

    fn show(&self) {
        let (connection, settled) = (self.engine.connection(), self.engine.is_settled());
        self.shown.connection.send_if_modified(|shown| {
            let changed = *shown != connection;
            *shown = connection;
            changed
        });
        self.shown.present.send_if_modified(|shown| {
            let changed = shown != self.engine.present();
            if changed {
                shown.clone_from(self.engine.present());
            }
            changed
        });
        self.shown.settled.send_if_modified(|shown| std::mem::replace(shown, settled) != settled);
    }

    /// Nothing of the step was kept, so the engine forgets it too: it starts again from the
    /// store, and goes online again after a while.
    async fn store_failed(&mut self, error: StoreError) {
        tracing::error!(%error, "the store failed");
        let text = crate::Error::from(error.clone()).to_string();
        let _ = self.shown.events.send(ClientEvent::StoreFailed(text));
        self.socket = None;
        (self.socket_sender, self.socket_events) = mpsc::channel(SOCKET_QUEUE);
        self.requests.shutdown().await;
        self.refresh = None;
        self.wake = None;
        for reply in std::mem::take(&mut self.starting).into_values().flatten() {
            let _ = reply.send(Err(StartFailure::NotDone(NotDone::Store(error.clone()))));
        }
        let wait = self.store_retry.map_or(STORE_RETRY_MIN, |(_, wait)| (wait * 2).min(STORE_RETRY_MAX));
        self.store_retry = Some((Instant::now() + wait, wait));
        match build(&self.store).await {
            Ok(engine) => self.engine = engine,
            // The old engine is ahead of the store; it must not go on. Offline it only waits.
            Err(error) => {
                tracing::error!(%error, "the store cannot be read");
                self.jobs.close();
            }
        }
        let event = ClientEvent::Connection(Connection::Offline);
        let _ = self.shown.events.send(event);
        self.show();
    }

    /// Goes offline, writes what is still to be written, and keeps an answer that must not be lost.
    async fn finish(&mut self) {
        let mut batch = Batch::default();
        batch.input(Input::GoOffline);
        self.handle(batch).await;
        let deadline = Instant::now() + LAST_ANSWERS;
        while self.refresh.is_some()
            && let Ok(Some(done)) = tokio::time::timeout_at(deadline, self.requests.join_next()).await
        {
            let mut batch = Batch::default();
            self.take_answer(&mut batch, done);
            self.handle(batch).await;
        }
        while let Ok(Some(_)) = tokio::time::timeout_at(deadline, self.dropping.join_next()).await {}
        while self.closing.join_next().await.is_some() {}
    }
}

impl Batch {
    fn input(&mut self, input: Input) {
        self.size += 1;
        self.inputs.push((input, None));
    }

    /// Frames that follow one another are one input.
    fn frame(&mut self, id: SocketId, bytes: Bytes) {
        match self.inputs.last_mut() {
            Some((Input::Frames(last, frames), None)) if *last == id => {
                self.size += 1;
                frames.push(bytes);
            }
            _ => self.input(Input::Frames(id, vec![bytes])),
        }
    }

    fn job(&mut self, job: Job) {
        self.size += 1;
        match job {
            Job::Command(command, reply) => self.inputs.push((Input::Command(command), Some(reply))),
            Job::StartChat(peer, reply) => self.starts.push((peer, reply)),
            Job::Close(done) => self.close = Some(done),
        }
    }
}

/// Fills in the bytes of an upload.
async fn with_bytes(spool: Spool, request: Request) -> Result<Request, TransportError> {
    let Request::PutBlob { blob, offset, size, .. } = request else { return Ok(request) };
    let most = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX).min(BLOB_CHUNK);
    let read = tokio::task::spawn_blocking(move || spool.read(blob, offset, most)).await;
    match read {
        Ok(Ok(bytes)) if bytes.len() == most => Ok(Request::PutBlob { blob, offset, size, bytes: bytes.into() }),
        // The copy is gone or cut: no try will ever be better.
        _ => Err(TransportError::Refused { code: ErrorCode::InvalidRequest, retry_after: None }),
    }
}

async fn build(store: &Store) -> Result<Engine<UnwrapErr<SysRng>>, StoreError> {
    let snapshot = store.load().await?;
    Engine::new(snapshot, rng(), now()).map_err(|EngineError { .. }| StoreError::damaged())
}
