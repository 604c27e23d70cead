//! Backups: one directory with the database, a list of checksums, and the secrets if they are wanted.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use susurro_protocol::BlobId;

use super::blobs::{self, Place};
use super::storage::{lock, postgres_options};
use super::{StartError, make_data_dir};
use crate::adapters::outbound::secrets::Secrets;
use crate::adapters::outbound::{postgres, sqlite};
use crate::config::{Config, ConfigError, Database};

/// Version of the layout of a backup.
const FORMAT: u32 = 1;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

const MANIFEST: &str = "manifest.json";

/// The database of a backup of SQLite.
const DATABASE: &str = "relay.db";

/// The bytes of attachments, if they are.
const BLOBS: &str = "blobs";

/// Where the secrets are, if they are.
const SECRETS: &str = "secrets";

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of the directory.
    pub format: u32,
    /// Version of the program that made it.
    pub software: String,
    /// `sqlite` or `postgres`.
    pub storage: String,
    /// Version of the database's schema.
    pub schema: i64,
    /// When it was begun, in milliseconds since 1970.
    pub created: u64,
    /// What became of the bytes of attachments.
    #[serde(default)]
    pub blobs: KeptBlobs,
    /// Every file but this one.
    pub files: Vec<Entry>,
}

/// What a backup holds of the bytes of attachments. What is known of them is in the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptBlobs {
    /// All of them.
    Included,
    /// None: they are in a bucket, which has its own means.
    InBucket,
    /// None: nobody wanted them.
    #[default]
    LeftOut,
}

/// What is copied besides the database.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The relay's secrets.
    pub secrets: bool,
    /// The bytes of attachments, where they are in a directory.
    pub blobs: bool,
}

/// A file of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Path below the directory, with `/`.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of its contents in hexadecimal.
    pub sha256: String,
}

/// Why a backup was not made, or not taken back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The relay's data, locks or secrets.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file or directory.
    #[error("cannot use {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Something is there already.
    #[error("{} is there already; {what}", path.display())]
    There {
        /// What is there.
        path: PathBuf,
        /// What to do.
        what: &'static str,
    },
    /// The backup is not whole.
    #[error("the backup {} is damaged or no backup: {why}; nothing was changed", path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The backup is of the other kind of database.
    #[error("the backup is one of {0}; give a --database of that kind")]
    OtherKind(String),
}

/// Makes a backup of a relay, which may go on working, as a new directory.
///
/// # Errors
///
/// [`BackupError`]; there is no directory of that name then.
pub async fn backup(config: &Config, directory: &Path, wanted: Wanted) -> Result<Manifest, BackupError> {
    if directory.exists() {
        return Err(BackupError::There { path: directory.to_owned(), what: "name a new directory" });
    }
    let mut unfinished = directory.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(|why| file(&unfinished, why))?;
    }
    make_data_dir(&unfinished)?;
    let made = fill(config, &unfinished, wanted).await;
    match made {
        Ok(manifest) => {
            fs::rename(&unfinished, directory).map_err(|why| file(directory, why))?;
            Ok(manifest)
        }
        Err(error) => {
            // What cannot be removed is taken away by the next try.
            let _ = fs::remove_dir_all(&unfinished);
            Err(error)
        }
    }
}

async fn fill(config: &Config, directory: &Path, wanted: Wanted) -> Result<Manifest, BackupError> {
    let created = now();
    let (storage, schema) = match config.database()? {
        Database::Sqlite(path) => {
            ("sqlite", sqlite::backup(&path, &directory.join(DATABASE)).await.map_err(StartError::from)?)
        }
        Database::Postgres(url) => {
            let options = postgres_options(config, url.reveal(), None);
            ("postgres", postgres::backup(&options, directory).await.map_err(StartError::from)?)
        }
    };
    // After the database: bytes are written before the row that counts them.
    let blobs = match blobs::place(config) {
        Place::Bucket(..) => KeptBlobs::InBucket,
        Place::Directory(_) if !wanted.blobs => KeptBlobs::LeftOut,
        Place::Directory(from) => {
            copy_blobs(&from, &directory.join(BLOBS))?;
            KeptBlobs::Included
        }
    };
    if wanted.secrets {
        let to = directory.join(SECRETS);
        make_data_dir(&to)?;
        Secrets::copy(config.secrets_dir(), &to, false).map_err(StartError::from)?;
    }
    let mut names = Vec::new();
    list(directory, "", &mut names)?;
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        files.push(entry(directory, name)?);
    }
    let software = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { format: FORMAT, software, storage: storage.to_owned(), schema, created, blobs, files };
    let path = directory.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest).map_err(|why| file(&path, io::Error::other(why)))?;
    fs::write(&path, text).map_err(|why| file(&path, why))?;
    let synced = fs::File::open(&path).and_then(|file| file.sync_all());
    synced.map_err(|why| file(&path, why))?;
    Ok(manifest)
}

/// Takes a backup back. No relay may be running; a database that is there is lost for PostgreSQL, and put
/// aside for SQLite, and only if `replace`. Secrets of the backup, if any, are put where they are missing.
///
/// # Errors
///
/// [`BackupError`].
pub async fn restore(config: &Config, directory: &Path, replace: bool) -> Result<Manifest, BackupError> {
    let manifest = check(directory)?;
    let database = config.database()?;
    let kind = match &database {
        Database::Sqlite(_) => "sqlite",
        Database::Postgres(_) => "postgres",
    };
    if kind != manifest.storage {
        return Err(BackupError::OtherKind(manifest.storage));
    }
    make_data_dir(&config.data_dir)?;
    let _locks = lock(config)?;
    let secrets = directory.join(SECRETS);
    if secrets.exists() {
        make_data_dir(config.secrets_dir())?;
        // First: a database with other secrets than its own lets nobody in.
        Secrets::copy(&secrets, config.secrets_dir(), replace).map_err(StartError::from)?;
    }
    // Before the rows that name them. Chunks never change: those that are there stay.
    put_blobs(config, &directory.join(BLOBS)).await?;
    match database {
        Database::Sqlite(path) => {
            if path.exists() && !replace {
                return Err(BackupError::There { path, what: "give --replace to put it aside" });
            }
            let aside = format!(".replaced-{}", now());
            sqlite::restore(&directory.join(DATABASE), &path, &aside).await.map_err(StartError::from)?;
        }
        Database::Postgres(url) => {
            let options = postgres_options(config, url.reveal(), None);
            let restored = postgres::restore(&options, directory, manifest.schema, replace).await;
            restored.map_err(StartError::from)?;
        }
    }
    Ok(manifest)
}

/// Copies every chunk that is whole. What goes meanwhile is of a blob that is over.
fn copy_blobs(from: &Path, to: &Path) -> Result<(), BackupError> {
    if !from.exists() {
        return Ok(());
    }
    let mut names = Vec::new();
    list(from, "", &mut names)?;
    for name in names.iter().filter(|name| chunk_of(name).is_some()) {
        let target = to.join(name);
        if let Some(folder) = target.parent() {
            make_data_dir(folder)?;
        }
        match fs::copy(from.join(name), &target) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            copied => {
                let synced = copied.and_then(|_| fs::File::open(&target)).and_then(|file| file.sync_all());
                synced.map_err(|why| file(&target, why))?;
            }
        }
    }
    Ok(())
}

/// Puts the chunks of a backup where this configuration keeps them: in a directory or a bucket.
async fn put_blobs(config: &Config, from: &Path) -> Result<(), BackupError> {
    if !from.exists() {
        return Ok(());
    }
    let blobs = blobs::open(config)?;
    let mut names = Vec::new();
    list(from, "", &mut names)?;
    for name in names {
        let Some((blob, chunk)) = chunk_of(&name) else { continue };
        let path = from.join(&name);
        let bytes = fs::read(&path).map_err(|why| file(&path, why))?;
        blobs.put(blob, chunk, bytes.into()).await.map_err(StartError::from)?;
    }
    Ok(())
}

/// Which chunk `ab/abcd…/0` is; none for one that is being written.
fn chunk_of(name: &str) -> Option<(BlobId, u32)> {
    let (folder, chunk) = name.rsplit_once('/')?;
    Some((folder.rsplit('/').next()?.parse().ok()?, chunk.parse().ok()?))
}

/// Reads the manifest and every file that it names.
fn check(directory: &Path) -> Result<Manifest, BackupError> {
    let damaged = |why: String| BackupError::Damaged { path: directory.to_owned(), why };
    let text = fs::read(directory.join(MANIFEST)).map_err(|why| damaged(format!("{MANIFEST}: {why}")))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|why| damaged(format!("{MANIFEST}: {why}")))?;
    if manifest.format != FORMAT {
        return Err(damaged(format!("its layout {} is not one that this version knows", manifest.format)));
    }
    let mut names = Vec::new();
    list(directory, "", &mut names)?;
    names.retain(|name| name != MANIFEST);
    let mut named: Vec<_> = manifest.files.iter().map(|file| file.name.clone()).collect();
    named.sort_unstable();
    names.sort_unstable();
    if named != names {
        return Err(damaged("its files are not those that it names".to_owned()));
    }
    for file in &manifest.files {
        let found = entry(directory, file.name.clone())?;
        if (found.bytes, &found.sha256) != (file.bytes, &file.sha256) {
            return Err(damaged(format!("{} has changed", file.name)));
        }
    }
    Ok(manifest)
}

fn entry(directory: &Path, name: String) -> Result<Entry, BackupError> {
    let path = directory.join(&name);
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut found = fs::File::open(&path).map_err(|why| file(&path, why))?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = found.read(&mut piece).map_err(|why| file(&path, why))?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
        bytes += read as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Entry { name, bytes, sha256 })
}

fn list(directory: &Path, below: &str, names: &mut Vec<String>) -> Result<(), BackupError> {
    let folder = directory.join(below);
    let entries = match fs::read_dir(&folder) {
        // A blob that ends while a relay goes on takes its folder along.
        Err(why) if why.kind() == io::ErrorKind::NotFound && !below.is_empty() => return Ok(()),
        entries => entries.map_err(|why| file(&folder, why))?,
    };
    for found in entries {
        let found = found.map_err(|why| file(&folder, why))?;
        let name = format!("{below}{}", found.file_name().to_string_lossy());
        if found.path().is_dir() {
            list(directory, &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

fn file(path: &Path, why: io::Error) -> BackupError {
    BackupError::File { path: path.to_owned(), why }
}
