//! Files: sent as attachments, and saved.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand_core::Rng as _;
use susurro_protocol::content::{Attachment, NAME_MAX};
use susurro_protocol::limits::ATTACHMENT_MAX;
use susurro_protocol::{AccountName, BlobId, ErrorCode, MessageId};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::filenames::Draft;
use super::{Client, blocking};
use crate::crypto::attachment::blob_size;
use crate::driver;
use crate::error::Error;
use crate::model::{ClientEvent, Direction, MessageContent};
use crate::store::spool::{Spool, SpoolError};
use crate::sync::Command;
use crate::transport::TransportError;

/// Between two tries of a download that was cut.
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// Bytes of a download between two events: enough of them for a bar, few enough for whoever listens late.
const TELL_EVERY: u64 = 262_144;

impl Client {
    /// Queues a file as an attachment; returns once it is durable here, encrypted under a key of its own. It is
    /// uploaded in the background, from where it stopped after any interruption, and the message is sent after it.
    ///
    /// # Errors
    ///
    /// [`Error::FileUnreadable`], [`Error::FileTooLarge`], and as [`queue`](Self::queue).
    pub async fn attach(&self, peer: &str, path: &Path) -> Result<MessageId, Error> {
        let peer: AccountName = peer.parse()?;
        let (mut message, mut blob, mut key) = ([0; 16], [0; 16], Zeroizing::new([0; 32]));
        let mut rng = driver::rng();
        rng.fill_bytes(&mut message);
        rng.fill_bytes(&mut blob);
        rng.fill_bytes(&mut *key);
        let (message, blob) = (MessageId::from_bytes(message), BlobId::from_bytes(blob));
        let spool = Spool::of(self.inner.store.path());
        let (source, sealing) = (path.to_owned(), spool.clone());
        let sealed = blocking(move || {
            let name = sent_name(&source);
            sealing.seal(&source, name, (blob, &key))
        });
        let attachment = match sealed.await? {
            Ok(attachment) => attachment,
            Err(error) => {
                spool.forget(blob);
                return Err(unreadable(path, error));
            }
        };
        let queued = self.command(Command::Attach { peer, message, attachment, again: false }).await;
        if queued.is_err() {
            spool.forget(blob);
        }
        queued.map(|()| message)
    }

    /// Fetches an attachment, checks it as a whole, and writes it to a new file: at `to`, or in the directory
    /// `to` under a harmless form of its name. A download goes on where an earlier one stopped, and is given up
    /// when nothing comes for as long as `patience`. Gives the path of the file.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownMessage`], [`Error::NoAttachment`], [`Error::FileThere`], [`Error::AttachmentGone`],
    /// [`Error::AttachmentDamaged`], [`Error::FileUnwritable`], and what is in the way of the relay.
    pub async fn save(&self, message: MessageId, to: &Path, patience: Duration) -> Result<PathBuf, Error> {
        let view = self.inner.store.message(message).await?.ok_or(Error::UnknownMessage)?;
        let MessageContent::Attachment(attachment) = view.content else { return Err(Error::NoAttachment) };
        // Said before anything is fetched.
        if !to.is_dir() && to.symlink_metadata().is_ok() {
            return Err(Error::FileThere(to.display().to_string()));
        }
        // Two at once would write into one download.
        let _turn = self.inner.saving.lock().await;
        self.fetch(&view.peer, message, &attachment, patience).await?;
        let spool = Spool::of(self.inner.store.path());
        let (place, from) = (to.to_owned(), attachment.clone());
        let path = blocking(move || write_out(&spool, &from, &place)).await??;
        if view.direction == Direction::Incoming {
            self.command(Command::Saved { peer: view.peer, message }).await?;
        }
        Ok(path)
    }

    async fn fetch(
        &self,
        peer: &AccountName,
        message: MessageId,
        attachment: &Attachment,
        patience: Duration,
    ) -> Result<(), Error> {
        let tell = |done, size| {
            // Without a face nobody listens.
            let _ = self.inner.shown.events.send(ClientEvent::Transfer { peer: peer.clone(), message, done, size });
        };
        let spool = Spool::of(self.inner.store.path());
        let size = blob_size(attachment.size).ok_or(Error::AttachmentDamaged)?;
        let mut deadline = Instant::now() + patience;
        loop {
            let (mut file, there) = spool.resume(attachment.blob, size).map_err(|why| Error::Io(why.to_string()))?;
            if there == size {
                return Ok(());
            }
            let (mut written, mut told) = (0_u64, there);
            let token = self.fresh_token().await;
            let fetched = match token {
                Ok(token) => {
                    let keep = |bytes: &[u8]| {
                        if written + bytes.len() as u64 > size - there {
                            return Err(TransportError::NotARelay);
                        }
                        // Small pieces into the cache of the system: no time worth a thread.
                        file.write_all(bytes).map_err(|why| TransportError::Unreachable(why.to_string()))?;
                        written += bytes.len() as u64;
                        let done = there + written;
                        if done == size || done - told >= TELL_EVERY {
                            told = done;
                            tell(done, size);
                        }
                        Ok(())
                    };
                    self.inner.http.download(attachment.blob, there, &token, keep).await.map_err(|error| match error {
                        TransportError::Refused {
                            code: ErrorCode::NotFound | ErrorCode::RangeNotSatisfiable, ..
                        } => Error::AttachmentGone,
                        other => self.inner.at(other),
                    })
                }
                Err(error) => Err(error),
            };
            if written > 0 {
                deadline = Instant::now() + patience;
            }
            match fetched {
                Ok(()) if there + written == size => return Ok(()),
                // Shorter than it should be: cut somewhere on the way.
                Ok(()) if written > 0 => {}
                Ok(()) => return Err(Error::AttachmentDamaged),
                Err(Error::AttachmentGone) => {
                    spool.forget_incoming(attachment.blob);
                    return Err(Error::AttachmentGone);
                }
                Err(error @ (Error::Unreachable { .. } | Error::RelayBusy | Error::Timeout)) => {
                    if Instant::now() >= deadline {
                        return Err(error);
                    }
                    sleep(RETRY_EVERY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// What the other person is told: the last part of the path, cut to what fits.
fn sent_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut end = name.len().min(NAME_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    if end == 0 { "attachment".to_owned() } else { name[..end].to_owned() }
}

/// Writes a whole download to a new file, which has its name when all of it is there.
fn write_out(spool: &Spool, attachment: &Attachment, to: &Path) -> Result<PathBuf, Error> {
    let unwritable = |path: &Path, why: &std::io::Error| Error::FileUnwritable {
        path: path.display().to_string(),
        cause: why.to_string(),
    };
    let named = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::AlreadyExists => Error::FileThere(to.display().to_string()),
        _ => unwritable(to, &why),
    };
    let mut draft = Draft::create(to, &attachment.blob.to_string()).map_err(named)?;
    match spool.open(attachment, draft.file()) {
        Ok(()) => {}
        Err(SpoolError::Io(why)) => return Err(unwritable(to, &why)),
        Err(_) => {
            spool.forget_incoming(attachment.blob);
            return Err(Error::AttachmentDamaged);
        }
    }
    let path = draft.name(to, &attachment.name).map_err(named)?;
    spool.forget_incoming(attachment.blob);
    Ok(path)
}

fn unreadable(path: &Path, error: SpoolError) -> Error {
    match error {
        SpoolError::TooLarge(bytes) => Error::FileTooLarge { bytes, max: ATTACHMENT_MAX },
        other => Error::FileUnreadable { path: path.display().to_string(), cause: other.to_string() },
    }
}
