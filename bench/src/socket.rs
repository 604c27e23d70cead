//! The client side of a WebSocket (RFC 6455), as cheap as it can be: the load generator shares the
//! machine with what it measures. Many frames a system call, both ways.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::chance::Chance;
use crate::failed::{Failed, Outcome, failed};

/// How long anything may take before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that are read at once.
const READ: usize = 32 * 1024;

/// An open WebSocket.
pub struct Socket {
    stream: TcpStream,
    read: BytesMut,
    write: Vec<u8>,
    masks: Chance,
}

impl Socket {
    /// Opens `path` at `address`, with more header lines.
    ///
    /// # Errors
    ///
    /// When the server does not switch to the protocol.
    pub async fn open(address: &str, path: &str, headers: &str) -> Outcome<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let mut socket = Self { stream, read: BytesMut::new(), write: Vec::new(), masks: Chance::new() };
        // The nonce of RFC 6455 keeps caches out of the way, of which there are none here.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        socket.write.extend_from_slice(request.as_bytes());
        socket.flush().await?;
        loop {
            if let Some(end) = socket.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = socket.read.split_to(end + 4);
                if !head.starts_with(b"HTTP/1.1 101") {
                    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
                    return failed(format!("the server does not open a WebSocket: {line}"));
                }
                return Ok(socket);
            }
            socket.fill().await?;
        }
    }

    /// Adds a binary message to what the next [`flush`](Self::flush) writes.
    pub fn push(&mut self, payload: &[u8]) {
        let write = &mut self.write;
        write.push(0x82);
        match payload.len() {
            short @ 0..=125 => write.push(0x80 | short as u8),
            medium @ 126..=0xffff => {
                write.push(0x80 | 126);
                write.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                write.push(0x80 | 127);
                write.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        let mask = (self.masks.number() as u32).to_ne_bytes();
        write.extend_from_slice(&mask);
        let start = write.len();
        write.extend_from_slice(payload);
        let wide = u64::from_ne_bytes([mask, mask].concat().try_into().unwrap_or_default());
        let (words, rest) = write[start..].as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
            *byte ^= mask;
        }
    }

    /// Writes what was pushed.
    ///
    /// # Errors
    ///
    /// When the server is gone or takes nothing.
    pub async fn flush(&mut self) -> Outcome {
        if !self.write.is_empty() {
            timeout(PATIENCE, self.stream.write_all(&self.write)).await??;
            self.write.clear();
        }
        Ok(())
    }

    /// Waits for more bytes. Nothing is lost when this is dropped.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub async fn fill(&mut self) -> Outcome {
        self.read.reserve(READ);
        match self.stream.read_buf(&mut self.read).await? {
            0 => failed("the server has closed a connection"),
            _ => Ok(()),
        }
    }

    /// As [`fill`](Self::fill), with an end to the patience.
    ///
    /// # Errors
    ///
    /// When nothing comes.
    pub async fn fill_soon(&mut self) -> Outcome {
        let soon = timeout(PATIENCE, self.fill()).await;
        soon.map_err(|_| Failed("the server has said nothing for a minute".to_owned()))?
    }

    /// The next message that has come whole.
    ///
    /// # Errors
    ///
    /// For anything that a server of ours does not send in good order.
    pub fn message(&mut self) -> Outcome<Option<Bytes>> {
        let [first, second, rest @ ..] = &self.read[..] else { return Ok(None) };
        let (head, length) = match (second, rest) {
            (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (10, usize::try_from(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])).unwrap_or(usize::MAX))
            }
            (126 | 127, _) => return Ok(None),
            (short, _) => (2, usize::from(*short)),
        };
        if *first != 0x82 {
            let said = String::from_utf8_lossy(self.read.get(head + 2..).unwrap_or_default()).into_owned();
            return failed(format!("a frame of type {first:#x}: {said}"));
        }
        if self.read.len() < head + length {
            return Ok(None);
        }
        self.read.advance(head);
        Ok(Some(self.read.split_to(length).freeze()))
    }
}
