//! The directory of a profile, its permissions and its lock.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::error::KEY_FILE;

/// A profile's directory, locked for this process until it is dropped.
///
/// The lock is the operating system's (`flock`), so a process that dies leaves none behind.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Whether `acquire` made the directory.
    made: bool,
    lock: File,
}

impl Directory {
    /// Makes the directory where there is none and takes its lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] when another process (or another part of this one) holds it,
    /// [`StoreError::Io`].
    pub fn acquire(path: &Path) -> Result<Self, StoreError> {
        let made = !path.exists();
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        Self::lock(path, made)
    }

    /// Takes the lock of a directory that has a profile in it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoProfile`], and as [`acquire`](Self::acquire).
    pub fn acquire_existing(path: &Path) -> Result<Self, StoreError> {
        if !Self::has_profile(path) {
            return Err(StoreError::NoProfile);
        }
        Self::lock(path, false)
    }

    /// Whether there is a profile, finished or not.
    #[must_use]
    pub fn has_profile(path: &Path) -> bool {
        path.join("key").exists() || path.join("store.db").exists()
    }

    fn lock(path: &Path, made: bool) -> Result<Self, StoreError> {
        // SQLite takes a path that begins with `file:` for an address; an absolute one never does.
        let path = path.canonicalize()?;
        let lock = private_file().read(true).write(true).create(true).truncate(false).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, made, lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("store.db")
    }

    /// The database's write-ahead log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("store.db-wal")
    }

    /// The wrapped database key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.path.join("key")
    }

    /// The bytes of the wrapped database key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when there is a database without a key, [`StoreError::NoProfile`]
    /// when there is neither, [`StoreError::Io`].
    pub fn read_key(&self) -> Result<Vec<u8>, StoreError> {
        match fs::read(self.key()) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            Err(_) if self.database().exists() => Err(StoreError::Damaged(KEY_FILE)),
            Err(_) => Err(StoreError::NoProfile),
        }
    }

    /// Writes the wrapped database key of a new profile, durably and whole.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`], also when there is one already.
    pub fn write_key(&self, wrapped: &[u8]) -> Result<(), StoreError> {
        self.write_new(&self.key(), wrapped)
    }

    /// Where a new database is made; what an interrupted creation left there is removed.
    pub(crate) fn clear_draft(&self) -> Result<PathBuf, StoreError> {
        if self.database().exists() {
            return Err(StoreError::Io(format!("{} exists already", self.database().display())));
        }
        remove(&self.path, &["store.db.new", "store.db.new-wal", "store.db.new-shm", "store.db.new-journal"])?;
        Ok(self.path.join("store.db.new"))
    }

    /// The new database is whole: it gets its name.
    pub(crate) fn name_draft(&self) -> Result<(), StoreError> {
        let draft = self.path.join("store.db.new");
        File::open(&draft)?.sync_all()?;
        fs::rename(&draft, self.database())?;
        self.sync()
    }

    /// The copy that is kept while the schema is changed.
    pub(crate) fn backup(&self) -> PathBuf {
        self.path.join("store.db.before-migration")
    }

    /// Writes a file that is either whole or not there, also after a loss of power. Refuses to
    /// replace one.
    fn write_new(&self, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        if target.exists() {
            return Err(StoreError::Io(format!("{} exists already", target.display())));
        }
        let temporary = target.with_extension("new");
        let mut file = private_file().write(true).create(true).truncate(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, target)?;
        self.sync()
    }

    /// Makes the names of new files in the directory durable.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        #[cfg(unix)]
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }

    /// Takes the rights of other users away.
    pub(crate) fn restrict(&self, file: &Path) -> Result<(), StoreError> {
        #[cfg(unix)]
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        #[cfg(not(unix))]
        let _ = file;
        Ok(())
    }

    /// Removes the files of a profile, and the directory when this process made it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn remove_profile(self) -> Result<(), StoreError> {
        // The key goes first: whatever a crash leaves behind is unreadable.
        remove(&self.path, &["key", "key.new", "store.db", "store.db-wal", "store.db-shm", "store.db-journal"])?;
        match fs::remove_dir_all(self.path.join("attachments")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.remove_if_empty();
        Ok(())
    }

    /// Undoes [`acquire`](Self::acquire) where nothing was put into the directory.
    pub fn remove_if_empty(self) {
        if self.made && !Self::has_profile(&self.path) {
            // Neither matters: an empty directory with a lock file hurts nobody.
            let _ = fs::remove_file(self.path.join("lock"));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Closing the file is not enough while a process that is being started still has a copy of it.
        let _ = self.lock.unlock();
    }
}

/// Removes those of the files that are there.
fn remove(directory: &Path, names: &[&str]) -> Result<(), StoreError> {
    for name in names {
        match fs::remove_file(directory.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
