//! A wire between clients and a relay that keeps a copy of every byte and can be cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What one connection carried.
#[derive(Debug, Default, Clone)]
pub struct Recording {
    /// From the client, as it went over the wire.
    pub to_relay: Vec<u8>,
    /// From the relay.
    pub to_client: Vec<u8>,
}

/// A TCP proxy on loopback.
pub struct Wire {
    address: SocketAddr,
    recordings: Arc<Mutex<Vec<Arc<Mutex<Recording>>>>>,
    whole: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    /// Lays a wire to `relay` (address and port).
    ///
    /// # Errors
    ///
    /// When no port can be opened.
    pub async fn to(relay: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let recordings = Arc::<Mutex<Vec<Arc<Mutex<Recording>>>>>::default();
        let (whole, cut) = watch::channel(true);
        let kept = Arc::clone(&recordings);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !*cut.borrow() {
                    continue;
                }
                let recording = Arc::<Mutex<Recording>>::default();
                lock(&kept).push(Arc::clone(&recording));
                tokio::spawn(carry(client, relay.clone(), recording, cut.clone()));
            }
        });
        Ok(Self { address, recordings, whole, task })
    }

    /// The URL that clients use.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection and refuses new ones.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }

    /// A copy of all that went over the wire so far.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        lock(&self.recordings).iter().map(|recording| lock(recording).clone()).collect()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recording {
    /// What the client said, WebSocket masks taken off (RFC 6455, section 5.3): masked bytes
    /// would hide a leak.
    #[must_use]
    pub fn unmasked(&self) -> Vec<u8> {
        let head_end = memchr::memmem::find(&self.to_relay, b"\r\n\r\n").map(|at| at + 4);
        match head_end {
            Some(end) if self.to_relay.starts_with(b"GET /ws") => {
                let mut plain = self.to_relay[..end].to_vec();
                unmask(&self.to_relay[end..], &mut plain);
                plain
            }
            _ => self.to_relay.clone(),
        }
    }
}

fn unmask(mut rest: &[u8], plain: &mut Vec<u8>) {
    while let [_, second, tail @ ..] = rest {
        let (length, tail) = match (second & 0x7f, tail) {
            (126, [a, b, tail @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), tail),
            (127, [a, b, c, d, e, f, g, h, tail @ ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), tail),
            (length @ 0..=125, tail) => (u64::from(length), tail),
            _ => return,
        };
        let [a, b, c, d, tail @ ..] = tail else { return };
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(tail.len());
        let mask = [a, b, c, d].into_iter().cycle();
        plain.extend(tail[..length].iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        rest = &tail[length..];
    }
}

async fn carry(client: TcpStream, relay: String, recording: Arc<Mutex<Recording>>, mut cut: watch::Receiver<bool>) {
    let Ok(relay) = TcpStream::connect(relay).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_relay, to_relay) = relay.into_split();
    let up = copy(from_client, to_relay, |bytes| lock(&recording).to_relay.extend_from_slice(bytes));
    let down = copy(from_relay, to_client, |bytes| lock(&recording).to_client.extend_from_slice(bytes));
    tokio::select! {
        _ = async { tokio::join!(up, down) } => {}
        _ = cut.wait_for(|whole| !whole) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    keep: impl Fn(&[u8]),
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        keep(&buffer[..length]);
        to.write_all(&buffer[..length]).await?;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
