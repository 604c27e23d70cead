//! One contract for everything that keeps the bytes of attachments: memory, a directory, and a bucket of a server that
//! speaks the protocol of S3 and is not ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may stop anywhere")]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use susurro_protocol::BlobId;
use susurro_protocol::limits::BLOB_CHUNK;
use susurro_server::adapters::outbound::bus::LocalBus;
use susurro_server::adapters::outbound::directory::BlobDirectory;
use susurro_server::adapters::outbound::memory::MemoryStore;
use susurro_server::adapters::outbound::objects::{Bucket, ObjectBlobs};
use susurro_server::domain::Error;
use susurro_server::domain::mailbox::MailboxBounds;
use susurro_server::ports::Blobs;
use susurro_server::service::Fanout;
use tokio::task::spawn_blocking;
use xtask::services::Objects;

const BLOB: BlobId = BlobId::from_bytes([0xab; 16]);
const OTHER: BlobId = BlobId::from_bytes([0xac; 16]);

async fn keeps_the_contract(blobs: &dyn Blobs) {
    let missing = |read: Result<Bytes, Error>| assert!(matches!(read, Err(Error::Internal(_))), "{read:?}");
    missing(blobs.get(BLOB, 0).await);
    blobs.delete(BLOB, 3).await.unwrap();

    let whole = Bytes::from((0..BLOB_CHUNK).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>());
    blobs.put(BLOB, 0, whole.clone()).await.unwrap();
    blobs.put(BLOB, 1, Bytes::from_static(b"end")).await.unwrap();
    blobs.put(OTHER, 0, Bytes::from_static(b"other")).await.unwrap();
    assert!(blobs.get(BLOB, 0).await.unwrap() == whole);
    assert_eq!(blobs.get(BLOB, 1).await.unwrap(), "end");
    missing(blobs.get(BLOB, 2).await);

    // The same chunk again takes the place of the first, also when many come at once.
    let again: Vec<_> = (0..8).map(|_| blobs.put(BLOB, 1, Bytes::from_static(b"END"))).collect();
    assert!(join_all(again).await.iter().all(Result::is_ok));
    assert_eq!(blobs.get(BLOB, 1).await.unwrap(), "END");

    blobs.delete(BLOB, 2).await.unwrap();
    missing(blobs.get(BLOB, 0).await);
    missing(blobs.get(BLOB, 1).await);
    blobs.delete(BLOB, 2).await.unwrap();
    assert_eq!(blobs.get(OTHER, 0).await.unwrap(), "other", "nothing else goes");
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let store = MemoryStore::new(MailboxBounds::of_messages(1), Arc::new(Fanout(Arc::new(LocalBus::default()))));
    keeps_the_contract(&store).await;
}

#[tokio::test]
async fn a_directory_keeps_the_contract_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("blobs");
    keeps_the_contract(&BlobDirectory::open(&root).unwrap()).await;
    assert_eq!(files(&root), [root.join(format!("ac/{OTHER}/0"))]);
    // What was kept is there for the next relay.
    let again = BlobDirectory::open(&root).unwrap();
    assert_eq!(again.get(OTHER, 0).await.unwrap(), "other");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&root), mode(&files(&root)[0])), (0o700, 0o600), "nobody else reads them");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_a_fault_of_the_storage() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("blobs");
    let blobs = BlobDirectory::open(&root).unwrap();
    std::fs::write(root.join("ab"), "a file where a directory has to be").unwrap();
    let put = blobs.put(BLOB, 0, Bytes::from_static(b"x")).await;
    assert!(matches!(put, Err(Error::Storage(_))), "{put:?}");
}

fn files(root: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn bucket(url: &str, name: &str) -> Bucket {
    Bucket {
        name: name.to_owned(),
        prefix: "attachments".to_owned(),
        endpoint: Some(url.to_owned()),
        region: "us-east-1".to_owned(),
        access_key: "someone".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_contract() {
    let objects = spawn_blocking(|| Objects::start().unwrap()).await.unwrap();
    objects.make_bucket("susurro").unwrap();
    let url = objects.url();
    let blobs = ObjectBlobs::open(&bucket(&url, "susurro"), "something").unwrap();
    keeps_the_contract(&blobs).await;
    assert_eq!(objects.list("susurro").unwrap(), [format!("attachments/{OTHER}/0")], "nothing else stays behind");

    let elsewhere = ObjectBlobs::open(&bucket(&url, "no-such-bucket"), "s3cret").unwrap();
    let refused = elsewhere.put(BLOB, 0, Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(refused.code(), susurro_protocol::ErrorCode::StorageUnavailable);
    assert!(!refused.to_string().contains("s3cret"));
}
