//! A PostgreSQL server on a disk that is full, at its tables and at its log.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use susurro_conformance::relay::Relay;
use tokio::task::block_in_place;
use tokio::time::timeout;
use xtask::services::{Options, Postgres};

use super::DEADLINE;
use super::small_disk::{SmallDisk, refused};
use super::support::{Conversation, Nodes, ready};

/// Messages that each of the two writes.
const EACH: usize = 1_500;

/// Room for an empty cluster, its log and what waits.
const SIZE: &str = "160m";

/// Messages that may be carried over on a full disk, in pages that were used before.
const CARRIED: usize = 200;

/// New segments of the log that a server may begin on a full disk, from those that it keeps to use again.
const SEGMENTS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_below_postgresql_loses_nothing_and_repeats_nothing_and_is_used_again_when_there_is_room() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL runs as a user of its own when we are root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let disk = SmallDisk::new(&folder.path().join("disk"), SIZE);
    let settings = [("max_wal_size", "32MB"), ("min_wal_size", "32MB")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let options = Options { durable: true, settings, place: Some(disk.place()) };
    let mut postgres = block_in_place(|| Postgres::start(&options).unwrap());
    let database = postgres.database().unwrap();
    let nodes = Nodes::new(folder.path());
    let relay: Relay = nodes.start(&folder.path().join("one/data"), "127.0.0.1:0", &database.url(), "");
    let url = relay.url().to_owned();
    let mut talk = Conversation::begin(folder.path(), [&url; 2], EACH).await;

    // No room for another page of a table.
    for tenths in [1, 2] {
        talk.after(tenths).await;
        disk.fill();
        let Some(said) = refused(&mut talk, &url, CARRIED).await else {
            disk.make_room();
            eprintln!("full: nobody noticed, the tables had room of their own");
            continue;
        };
        talk.silence().await;
        disk.make_room();
        let next = talk.recovery().await;
        eprintln!("full: said after {said:?}; the next messages {next:?} after there was room");
        ready(&url, true).await;
    }

    // No room for another segment of the log: the server gives up, and cannot start on a full disk either.
    talk.after(4).await;
    disk.fill();
    let segments = block_in_place(|| (0..SEGMENTS).take_while(|_| new_segment(&postgres)).count());
    assert!(segments < SEGMENTS, "the disk has no room for the log");
    ready(&url, false).await;
    talk.silence().await;
    disk.make_room();
    // As whatever watches over the service does.
    block_in_place(|| {
        postgres.stop().unwrap();
        postgres.restart().unwrap();
    });
    let next = talk.recovery().await;
    eprintln!("no log after {segments} segments: the next messages {next:?} after there was room and a server");
    ready(&url, true).await;

    // Killed on a full disk.
    talk.after(6).await;
    disk.fill();
    refused(&mut talk, &url, CARRIED).await;
    block_in_place(|| postgres.kill().unwrap());
    ready(&url, false).await;
    disk.make_room();
    block_in_place(|| postgres.restart().unwrap());
    eprintln!("killed on a full disk: the next messages {:?} after it was there again", talk.recovery().await);
    talk.end().await;
    drop(relay);
}

/// Ends the segment of the log that is being written, with something in it.
fn new_segment(postgres: &Postgres) -> bool {
    let begun = "SELECT pg_logical_emit_message(false, 'full', 'x'); SELECT pg_switch_wal()";
    postgres.say(begun).is_ok()
}
