//! Blobs as files of a directory: `DIR/ab/abcd…/0`, a file a chunk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use susurro_protocol::BlobId;
use tokio::task::spawn_blocking;

use crate::domain::Error;
use crate::ports::{Answer, Blobs};

/// The blobs of an embedded relay.
pub struct BlobDirectory {
    root: PathBuf,
    /// Numbers files that are being written, so that two never share one.
    writing: AtomicU64,
}

impl BlobDirectory {
    /// Uses a directory, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        make(&root)?;
        Ok(Self { root, writing: AtomicU64::new(0) })
    }

    fn folder(&self, blob: BlobId) -> (PathBuf, PathBuf) {
        let name = blob.to_string();
        let shard = self.root.join(&name[..2]);
        let folder = shard.join(name);
        (shard, folder)
    }
}

impl Blobs for BlobDirectory {
    fn put(&self, blob: BlobId, chunk: u32, bytes: Bytes) -> Answer<'_, ()> {
        let (root, (shard, folder)) = (self.root.clone(), self.folder(blob));
        let number = self.writing.fetch_add(1, Ordering::Relaxed);
        let draft = folder.join(format!("{chunk}.{}-{number}", std::process::id()));
        blocking(move || {
            make(&folder)?;
            let written = write(&draft, &bytes).and_then(|()| fs::rename(&draft, folder.join(chunk.to_string())));
            if written.is_err() {
                // The first reason counts; a draft that stays behind goes with its blob.
                let _ = fs::remove_file(&draft);
            }
            written?;
            // The name is durable when every directory above it is.
            [&folder, &shard, &root].into_iter().try_for_each(|directory| sync(directory))
        })
    }

    fn get(&self, blob: BlobId, chunk: u32) -> Answer<'_, Bytes> {
        let path = self.folder(blob).1.join(chunk.to_string());
        Box::pin(async move {
            match run(move || fs::read(path)).await? {
                Ok(bytes) => Ok(bytes.into()),
                Err(why) if why.kind() == io::ErrorKind::NotFound => {
                    Err(Error::Internal("a chunk of a blob is not there".to_owned()))
                }
                Err(why) => Err(failed(&why)),
            }
        })
    }

    fn delete(&self, blob: BlobId, _chunks: u32) -> Answer<'_, ()> {
        let (_, folder) = self.folder(blob);
        blocking(move || match fs::remove_dir_all(&folder) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        })
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> io::Result<()> {
    // Elsewhere a directory cannot be opened, and the system sees to it by itself.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|why| Error::Internal(why.to_string()))
}

fn blocking<'a>(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Answer<'a, ()> {
    Box::pin(async move { run(work).await?.map_err(|why| failed(&why)) })
}

fn failed(why: &io::Error) -> Error {
    Error::Storage(format!("the directory of the blobs: {why}"))
}
