//! What the relay is measured against, never shipped: a server that forwards and stores nothing,
//! and one that stores with one commit for all that waits and checks nothing. Both believe
//! everybody, have queues without bounds, and speak msgpack over the same WebSocket library.
//!
//! Client to server: `[0, recipient, body]`, and `[3, [id…]]` for bodies that may go. Server to
//! client: `[1, count]` for what was stored, `[2, id, body]`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, mpsc as blocking};

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt as _;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use rmp::decode;
use rusqlite::{Connection, params};
use tokio::net::TcpSocket;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::failed::Outcome;

/// Jobs of one transaction.
const BATCH_MAX: usize = 1024;

type Person = [u8; 16];
type Outbox = UnboundedSender<Out>;

enum Out {
    Stored(u32),
    Body(u64, Bytes),
}

enum Job {
    Store { to: Person, body: Bytes, from: Outbox },
    Forget(Vec<u64>),
    Come { who: Person, outbox: Outbox },
}

struct Shared {
    online: RwLock<HashMap<Person, Outbox>>,
    /// `None` for the forwarder.
    jobs: Option<blocking::Sender<Job>>,
}

/// The number of a person as their identifier.
#[must_use]
pub fn person(number: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_le_bytes());
    id
}

/// A body for somebody, as a frame.
#[must_use]
pub fn frame_to(to: &Person, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 24);
    out.extend_from_slice(&[0x93, 0, 0xc4, 16]);
    out.extend_from_slice(to);
    out.push(0xc5);
    out.extend_from_slice(&(body.len() as u16).to_be_bytes());
    out.extend_from_slice(body);
    out
}

/// Serves until the process ends: stores into `file`, or only forwards when there is none.
///
/// # Errors
///
/// When it cannot listen or store.
pub async fn serve(file: Option<PathBuf>) -> Outcome {
    let (jobs, store) = match file {
        None => (None, None),
        Some(file) => {
            let connection = Connection::open(file)?;
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; \
                 CREATE TABLE waiting (id INTEGER PRIMARY KEY, mailbox BLOB NOT NULL, stored_at INTEGER NOT NULL, \
                 body BLOB NOT NULL); CREATE INDEX waiting_in ON waiting (mailbox, id);",
            )?;
            let (jobs, queue) = blocking::channel();
            (Some(jobs), Some((connection, queue)))
        }
    };
    let shared = Arc::new(Shared { online: RwLock::default(), jobs });
    if let Some((connection, queue)) = store {
        let shared = shared.clone();
        std::thread::spawn(move || {
            if let Err(error) = write(&connection, &queue, &shared) {
                // Whoever measures sees that nothing is answered any longer, and this reason.
                let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{error}\n").as_bytes());
            }
        });
    }
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(4096)?;
    let said = format!("listening on http://{}\n", listener.local_addr()?);
    std::io::Write::write_all(&mut std::io::stdout(), said.as_bytes())?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().route("/ws", any(upgrade)).with_state(shared)).await?;
    Ok(())
}

async fn upgrade(upgrade: WebSocketUpgrade, RawQuery(query): RawQuery, State(shared): State<Arc<Shared>>) -> Response {
    let number = query.and_then(|query| query.strip_prefix("u=")?.parse().ok()).unwrap_or(0);
    upgrade.read_buffer_size(4096).write_buffer_size(16 * 1024).on_upgrade(move |socket| async move {
        let me = person(number);
        let _ = talk(socket, me, &shared).await;
        let mut online = shared.online.write().unwrap_or_else(PoisonError::into_inner);
        if online.get(&me).is_some_and(UnboundedSender::is_closed) {
            online.remove(&me);
        }
    })
}

async fn talk(mut socket: WebSocket, me: Person, shared: &Shared) -> Result<(), axum::Error> {
    let (outbox, mut inbox) = unbounded_channel();
    match &shared.jobs {
        Some(jobs) => {
            let _ = jobs.send(Job::Come { who: me, outbox: outbox.clone() });
        }
        None => {
            shared.online.write().unwrap_or_else(PoisonError::into_inner).insert(me, outbox.clone());
        }
    }
    loop {
        tokio::select! {
            message = socket.next() => {
                let mut message = message;
                loop {
                    match message {
                        Some(Ok(Message::Binary(frame))) => {
                            if take(&frame, &outbox, shared).is_none() {
                                return Ok(());
                            }
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => return Ok(()),
                    }
                    match socket.next().now_or_never() {
                        Some(next) => message = next,
                        None => break,
                    }
                }
            }
            Some(first) = inbox.recv() => {
                let (mut stored, mut next) = (0, Some(first));
                while let Some(out) = next {
                    match out {
                        Out::Stored(count) => stored += count,
                        Out::Body(id, body) => socket.feed(Message::Binary(frame_of(id, &body))).await?,
                    }
                    next = inbox.try_recv().ok();
                }
                if stored > 0 {
                    let mut frame = vec![0x92, 1, 0xce];
                    frame.extend_from_slice(&stored.to_be_bytes());
                    socket.feed(Message::Binary(frame.into())).await?;
                }
                socket.flush().await?;
            }
        }
    }
}

fn frame_of(id: u64, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(body.len() + 16);
    out.put_slice(&[0x93, 2, 0xcf]);
    out.put_u64(id);
    out.put_u8(0xc5);
    out.put_u16(body.len() as u16);
    out.put_slice(body);
    out.freeze()
}

/// `None` for what no client of ours sends.
fn take(frame: &Bytes, outbox: &Outbox, shared: &Shared) -> Option<()> {
    let mut reader = decode::Bytes::new(frame);
    decode::read_array_len(&mut reader).ok()?;
    match decode::read_int::<u8, _>(&mut reader).ok()? {
        0 => {
            let length = decode::read_bin_len(&mut reader).ok()? as usize;
            let to: Person = reader.remaining_slice().get(..length)?.try_into().ok()?;
            let mut reader = decode::Bytes::new(&reader.remaining_slice()[length..]);
            decode::read_bin_len(&mut reader).ok()?;
            let body = frame.slice_ref(reader.remaining_slice());
            match &shared.jobs {
                Some(jobs) => jobs.send(Job::Store { to, body, from: outbox.clone() }).ok()?,
                None => {
                    let online = shared.online.read().unwrap_or_else(PoisonError::into_inner);
                    online.get(&to)?.send(Out::Body(0, body)).ok()?;
                }
            }
        }
        3 => {
            let count = decode::read_array_len(&mut reader).ok()?;
            let ids = (0..count).map(|_| decode::read_int(&mut reader).ok()).collect::<Option<Vec<u64>>>()?;
            shared.jobs.as_ref()?.send(Job::Forget(ids)).ok()?;
        }
        _ => return None,
    }
    Some(())
}

/// Group commit: everything that waits goes into one transaction, and is answered after it.
fn write(connection: &Connection, queue: &blocking::Receiver<Job>, shared: &Shared) -> Outcome {
    let mut id = 0_u64;
    while let Ok(first) = queue.recv() {
        let jobs: Vec<Job> = std::iter::once(first).chain(queue.try_iter().take(BATCH_MAX - 1)).collect();
        let (mut stored, mut bodies, mut come) = (Vec::<(Outbox, u32)>::new(), Vec::new(), Vec::new());
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        {
            let mut insert =
                connection.prepare_cached("INSERT INTO waiting (id, mailbox, stored_at, body) VALUES (?, ?, 0, ?)")?;
            let mut delete = connection.prepare_cached("DELETE FROM waiting WHERE id = ?")?;
            for job in jobs {
                match job {
                    Job::Store { to, body, from } => {
                        id += 1;
                        insert.execute(params![id as i64, &to[..], &body[..]])?;
                        bodies.push((to, id, body));
                        match stored.last_mut() {
                            Some((last, count)) if last.same_channel(&from) => *count += 1,
                            _ => stored.push((from, 1)),
                        }
                    }
                    Job::Forget(ids) => {
                        for id in ids {
                            delete.execute([id as i64])?;
                        }
                    }
                    Job::Come { who, outbox } => come.push((who, outbox)),
                }
            }
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        for (outbox, count) in stored {
            let _ = outbox.send(Out::Stored(count));
        }
        let mut online = shared.online.write().unwrap_or_else(PoisonError::into_inner);
        for (to, id, body) in bodies {
            if let Some(outbox) = online.get(&to) {
                let _ = outbox.send(Out::Body(id, body));
            }
        }
        for (who, outbox) in come {
            let mut select = connection.prepare_cached("SELECT id, body FROM waiting WHERE mailbox = ? ORDER BY id")?;
            let mut rows = select.query([&who[..]])?;
            while let Some(row) = rows.next()? {
                let body: Vec<u8> = row.get(1)?;
                let _ = outbox.send(Out::Body(row.get::<_, i64>(0)?.unsigned_abs(), body.into()));
            }
            online.insert(who, outbox);
        }
    }
    Ok(())
}
