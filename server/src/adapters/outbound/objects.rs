//! Blobs as objects of a store elsewhere, S3 and what is compatible with it: an object a chunk.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt as _, RetryConfig};
use susurro_protocol::BlobId;

use crate::domain::Error;
use crate::ports::{Answer, Blobs};

/// How long a bucket that fails is asked again for one client: not longer than a person waits. Whoever asked is told,
/// and comes again.
const RETRIED_FOR: Duration = Duration::from_secs(5);

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where the objects are.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Name of the bucket.
    pub name: String,
    /// What the names of objects begin with.
    pub prefix: String,
    /// Address of the service; `None` for Amazon's.
    pub endpoint: Option<String>,
    /// Region.
    pub region: String,
    /// Name of the key.
    pub access_key: String,
}

/// The blobs of relays that share a bucket.
pub struct ObjectBlobs {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl ObjectBlobs {
    /// Uses a bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// What cannot be, without the secret.
    pub fn open(bucket: &Bucket, secret_key: &str) -> Result<Self, Error> {
        let backoff = BackoffConfig { max_backoff: PAUSE_MAX, ..BackoffConfig::default() };
        let retry = RetryConfig { backoff, retry_timeout: RETRIED_FOR, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_retry(retry)
            .with_bucket_name(&bucket.name)
            .with_region(&bucket.region)
            .with_access_key_id(&bucket.access_key)
            .with_secret_access_key(secret_key);
        if let Some(endpoint) = &bucket.endpoint {
            // Plain HTTP is for a service on this machine; what travels is encrypted either way.
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        let store = builder.build().map_err(|why| Error::Internal(format!("the bucket of the blobs: {why}")))?;
        Ok(Self::over(Arc::new(store), &bucket.prefix))
    }

    /// Over any store of objects.
    #[must_use]
    pub fn over(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self { store, prefix: Path::from(prefix) }
    }

    fn path(&self, blob: BlobId, chunk: u32) -> Path {
        self.prefix.clone().join(blob.to_string()).join(chunk.to_string())
    }
}

impl Blobs for ObjectBlobs {
    fn put(&self, blob: BlobId, chunk: u32, bytes: Bytes) -> Answer<'_, ()> {
        Box::pin(async move {
            self.store.put(&self.path(blob, chunk), bytes.into()).await.map_err(|why| failed(&why))?;
            Ok(())
        })
    }

    fn get(&self, blob: BlobId, chunk: u32) -> Answer<'_, Bytes> {
        Box::pin(async move {
            let found = async { self.store.get(&self.path(blob, chunk)).await?.bytes().await };
            match found.await {
                Ok(bytes) => Ok(bytes),
                Err(object_store::Error::NotFound { .. }) => {
                    Err(Error::Internal("a chunk of a blob is not there".to_owned()))
                }
                Err(why) => Err(failed(&why)),
            }
        })
    }

    fn delete(&self, blob: BlobId, chunks: u32) -> Answer<'_, ()> {
        Box::pin(async move {
            for chunk in 0..chunks {
                match self.store.delete(&self.path(blob, chunk)).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(why) => return Err(failed(&why)),
                }
            }
            Ok(())
        })
    }
}

fn failed(why: &object_store::Error) -> Error {
    Error::Storage(format!("the bucket of the blobs: {why}"))
}
