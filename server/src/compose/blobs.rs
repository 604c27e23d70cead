//! Where the bytes of attachments are.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use susurro_protocol::BlobId;

use super::StartError;
use crate::adapters::outbound::directory::BlobDirectory;
use crate::adapters::outbound::objects::{Bucket, ObjectBlobs};
use crate::config::{Config, ConfigError};
use crate::ports::Blobs;

/// Where a configuration keeps them.
pub(super) enum Place<'a> {
    Directory(PathBuf),
    /// Name and prefix.
    Bucket(&'a str, &'a str),
}

pub(super) fn place(config: &Config) -> Place<'_> {
    match config.blobs.place.as_deref() {
        None | Some("") => Place::Directory(config.data_dir.join("blobs")),
        Some(place) => match place.strip_prefix("s3://") {
            Some(bucket) => {
                let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
                Place::Bucket(name, prefix)
            }
            None => Place::Directory(PathBuf::from(place)),
        },
    }
}

pub(super) fn open(config: &Config) -> Result<Arc<dyn Blobs>, StartError> {
    let (name, prefix) = match place(config) {
        Place::Directory(path) => {
            let directory = BlobDirectory::open(&path).map_err(|why| StartError::DataDir { path, why })?;
            return Ok(Arc::new(directory));
        }
        Place::Bucket(name, prefix) => (name, prefix),
    };
    let chosen = &config.blobs;
    let (Some(access_key), Some(secret_key)) = (&chosen.access_key, &chosen.secret_key) else {
        return Err(ConfigError::BlobKeys.into());
    };
    let bucket = Bucket {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: chosen.endpoint.clone(),
        region: chosen.region.clone(),
        access_key: access_key.clone(),
    };
    ObjectBlobs::open(&bucket, secret_key.reveal()).map(|bucket| Arc::new(bucket) as _).map_err(StartError::from)
}

/// Keeps a byte, reads it and takes it away again: whether attachments can be kept. Says where.
///
/// # Errors
///
/// [`StartError`] says what is in the way, and no secret.
pub async fn probe(config: &Config) -> Result<String, StartError> {
    // No client chooses this identifier: they are random.
    const PROBE: BlobId = BlobId::from_bytes([0; 16]);
    // Whoever only looks makes no directory.
    if let Place::Directory(path) = place(config)
        && !path.is_dir()
    {
        return Err(StartError::DataDir { path, why: io::ErrorKind::NotFound.into() });
    }
    let blobs = open(config)?;
    let kept = async {
        blobs.put(PROBE, 0, Bytes::from_static(b"?")).await?;
        blobs.get(PROBE, 0).await?;
        blobs.delete(PROBE, 1).await
    };
    kept.await.map_err(StartError::from)?;
    Ok(match place(config) {
        Place::Directory(path) => path.display().to_string(),
        Place::Bucket(name, _) => format!("the bucket {name}"),
    })
}
