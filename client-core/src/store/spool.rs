//! Attachments on their way, beside the database: encrypted files that are uploaded, and downloads that are not
//! whole. Their keys are only in the database, so these files are as opaque here as they are at the relay.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use susurro_protocol::BlobId;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::Attachment;
use zeroize::Zeroizing;

use super::{Store, StoreError};
use crate::crypto::attachment::{BadPiece, CONTENT_BYTES, Opening, PIECE_BYTES, Sealing, blob_size};
use crate::model::{Delivery, Direction, MessageContent};

/// Why an attachment was not encrypted, or not written out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// The profile's directory, or the file that is read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// More than `ATTACHMENT_MAX`.
    #[error("the file has {0} bytes")]
    TooLarge(u64),
    /// It is a directory, a pipe, a device.
    #[error("not a file")]
    NotAFile,
    /// It became shorter meanwhile.
    #[error("the file changed while it was read")]
    Changed,
    /// What came is not what was sent.
    #[error("the attachment is not what was sent")]
    Damaged,
}

impl From<BadPiece> for SpoolError {
    fn from(_: BadPiece) -> Self {
        Self::Damaged
    }
}

/// The directory of what is on its way.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    root: PathBuf,
}

impl Spool {
    pub(crate) fn of(profile: &Path) -> Self {
        Self { root: profile.join("attachments") }
    }

    fn outgoing(&self, blob: BlobId) -> PathBuf {
        self.root.join(format!("{blob}.out"))
    }

    /// A download that is not whole yet.
    pub(crate) fn incoming(&self, blob: BlobId) -> PathBuf {
        self.root.join(format!("{blob}.in"))
    }

    /// Makes the directory where there is none.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.root)
    }

    /// Encrypts a file once, under a key that was made for it, into what is uploaded: every try sends the same
    /// bytes, whatever becomes of the file. `name` is what the other person is told. Durable.
    pub(crate) fn seal(
        &self,
        path: &Path,
        name: String,
        (blob, key): (BlobId, &Zeroizing<[u8; 32]>),
    ) -> Result<Attachment, SpoolError> {
        // Looked at before it is opened: opening a pipe waits for somebody who writes.
        if !fs::metadata(path)?.is_file() {
            return Err(SpoolError::NotAFile);
        }
        let mut source = File::open(path)?;
        let size = source.metadata()?.len();
        let mut sealing = Sealing::new(key, size).ok_or(SpoolError::TooLarge(size))?;
        self.prepare()?;
        let mut out = private(&self.outgoing(blob))?;
        let mut buffer = Zeroizing::new(vec![0; CONTENT_BYTES]);
        while let Some(wanted) = sealing.wants() {
            source.read_exact(&mut buffer[..wanted]).map_err(|why| match why.kind() {
                io::ErrorKind::UnexpectedEof => SpoolError::Changed,
                _ => SpoolError::Io(why),
            })?;
            out.write_all(&sealing.seal(&buffer[..wanted])?)?;
        }
        out.sync_all()?;
        #[cfg(unix)]
        File::open(&self.root)?.sync_all()?;
        let media_type = media_type(&name).to_owned();
        Ok(Attachment { name, media_type, size, blob, key: Fixed(**key), hash: Fixed(sealing.hash()) })
    }

    /// Bytes of what is uploaded, from an offset.
    pub(crate) fn read(&self, blob: BlobId, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.outgoing(blob))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(most);
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// What was uploaded, or will not be, is not needed any more.
    pub(crate) fn forget(&self, blob: BlobId) {
        // A file that stays is unreadable without its key, and its name comes never again.
        let _ = fs::remove_file(self.outgoing(blob));
    }

    /// Opens a download for what is still to come: its file and how many bytes are there.
    pub(crate) fn resume(&self, blob: BlobId, size: u64) -> io::Result<(File, u64)> {
        self.prepare()?;
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.incoming(blob))?;
        let mut there = file.metadata()?.len();
        if there > size {
            file.set_len(0)?;
            there = 0;
        }
        Ok((file, there))
    }

    /// Checks a download as a whole, then decrypts it into `out`. Nothing is written before its hash holds.
    pub(crate) fn open(&self, attachment: &Attachment, out: &mut File) -> Result<(), SpoolError> {
        let path = self.incoming(attachment.blob);
        let whole = blob_size(attachment.size).ok_or(SpoolError::Damaged)?;
        if fs::metadata(&path)?.len() != whole || hash_of(&path)? != attachment.hash.0 {
            return Err(SpoolError::Damaged);
        }
        let mut opening = Opening::new(&attachment.key.0, attachment.size).ok_or(SpoolError::Damaged)?;
        let mut sealed = File::open(&path)?;
        let mut piece = vec![0; PIECE_BYTES];
        while let Some(wanted) = opening.wants() {
            sealed.read_exact(&mut piece[..wanted])?;
            out.write_all(&opening.open(&piece[..wanted])?)?;
        }
        out.sync_all()?;
        Ok(())
    }

    /// Deletes what no message needs any more: a crash may have come between a file and its message.
    pub(crate) async fn tidy(&self, store: &Store) -> Result<(), StoreError> {
        let names: Vec<_> = match fs::read_dir(&self.root) {
            Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
            Err(_) => return Ok(()),
        };
        if names.is_empty() {
            return Ok(());
        }
        let needed: HashSet<String> = store
            .attachments()
            .await?
            .into_iter()
            .filter_map(|view| match (view.content, view.direction, view.delivery) {
                (MessageContent::Attachment(file), Direction::Incoming, _) => Some(format!("{}.in", file.blob)),
                (MessageContent::Attachment(file), _, Delivery::Queued | Delivery::Failed(_)) => {
                    Some(format!("{}.out", file.blob))
                }
                _ => None,
            })
            .collect();
        for name in names.into_iter().filter(|name| !needed.contains(name)) {
            let _ = fs::remove_file(self.root.join(name));
        }
        Ok(())
    }

    /// A download was written out, or is of no use.
    pub(crate) fn forget_incoming(&self, blob: BlobId) {
        let _ = fs::remove_file(self.incoming(blob));
    }
}

fn hash_of(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&piece[..read]),
        }
    }
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// What a file is, as its name says; nothing is done with it but to tell people.
fn media_type(name: &str) -> &'static str {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const BLOB: BlobId = BlobId::from_bytes([5; 16]);

    fn sealed(size: usize) -> (tempfile::TempDir, Spool, Attachment, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let path = dir.path().join("file.pdf");
        fs::write(&path, &content).unwrap();
        let spool = Spool::of(dir.path());
        let attachment = spool.seal(&path, "file.pdf".to_owned(), (BLOB, &Zeroizing::new([9; 32]))).unwrap();
        (dir, spool, attachment, content)
    }

    fn opened(dir: &tempfile::TempDir, spool: &Spool, attachment: &Attachment) -> Result<Vec<u8>, SpoolError> {
        let path = dir.path().join("out");
        let mut out = File::create(&path).unwrap();
        spool.open(attachment, &mut out)?;
        Ok(fs::read(path).unwrap())
    }

    #[test]
    fn what_was_sealed_opens_again_at_any_size_and_shows_nothing() {
        for size in [0, 1, 256, 4097, CONTENT_BYTES - 1, CONTENT_BYTES, CONTENT_BYTES + 1, 300_000] {
            let (dir, spool, attachment, content) = sealed(size);
            let blob = spool.read(BLOB, 0, 1 << 24).unwrap();
            assert_eq!(blob.len() as u64, blob_size(size as u64).unwrap(), "{size}");
            if size > 16 {
                assert!(!blob.windows(16).any(|window| window == &content[..16]));
            }
            fs::rename(spool.outgoing(BLOB), spool.incoming(BLOB)).unwrap();
            assert!(opened(&dir, &spool, &attachment).unwrap() == content, "{size}");
            assert_eq!(attachment.media_type, "application/pdf");
        }
    }

    #[test]
    fn a_blob_that_was_changed_cut_or_is_of_another_key_writes_nothing() {
        let (dir, spool, attachment, _) = sealed(100_000);
        let blob = spool.read(BLOB, 0, 1 << 24).unwrap();
        let mut changed = blob.clone();
        changed[70_000] ^= 1;
        let rehashed = |bytes: &[u8]| Attachment { hash: Fixed(Sha256::digest(bytes).into()), ..attachment.clone() };
        let (first, second) = blob.split_at(PIECE_BYTES);
        for (bytes, attachment) in [
            (changed.clone(), attachment.clone()),
            (changed.clone(), rehashed(&changed)),
            (blob[..blob.len() - 1].to_vec(), attachment.clone()),
            ([second, first].concat(), rehashed(&[second, first].concat())),
            (blob.clone(), Attachment { key: Fixed([1; 32]), ..attachment.clone() }),
            // A size within the same padding: what lies behind it are no zeros.
            (blob.clone(), Attachment { size: 99_999, ..attachment.clone() }),
        ] {
            fs::write(spool.incoming(BLOB), bytes).unwrap();
            assert!(matches!(opened(&dir, &spool, &attachment), Err(SpoolError::Damaged)));
        }
    }

    #[test]
    fn only_files_of_some_size_are_attached() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::of(dir.path());
        let key = Zeroizing::new([9; 32]);
        let seal = |path: &Path| spool.seal(path, "x".to_owned(), (BLOB, &key));
        assert!(matches!(seal(dir.path()), Err(SpoolError::NotAFile)));
        assert!(matches!(seal(&dir.path().join("none")), Err(SpoolError::Io(_))));
        let large = dir.path().join("large");
        File::create(&large).unwrap().set_len(susurro_protocol::limits::ATTACHMENT_MAX + 1).unwrap();
        assert!(matches!(seal(&large), Err(SpoolError::TooLarge(_))));
    }
}
