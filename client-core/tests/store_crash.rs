//! One process a profile, and whole transactions only, whatever kills the process.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic; its child process talks to it")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::{create, incoming, name, open, outgoing};
use susurro_client_core::model::Delivery;
use susurro_client_core::store::port::Mutation;
use susurro_client_core::store::{DatabaseKey, Directory, Store, StoreError};
use susurro_client_core::{Client, Error, Secret};
use susurro_protocol::{DeviceId, MessageId};
use zeroize::Zeroizing;

/// Names the profile for a test that runs as a child process.
const PROFILE: &str = "SUSURRO_TEST_PROFILE";

/// Runs one test of this program in another process.
fn child(test: &str, profile: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--ignored"])
        .env(PROFILE, profile)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

/// The next line of a child that begins with `mark`.
fn line(lines: &mut BufReader<std::process::ChildStdout>, mark: &str) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        // The test harness writes its own words before.
        if let Some(at) = line.find(mark) {
            return Some(line[at + mark.len()..].trim().to_owned());
        }
    }
}

fn given_profile() -> PathBuf {
    std::env::var_os(PROFILE).unwrap().into()
}

#[tokio::test]
#[ignore = "runs as a child of `a_second_process_is_refused_until_the_first_ends`"]
async fn child_that_holds_a_profile() {
    let _store = open(&given_profile()).await.unwrap();
    println!("holding");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_ends() {
    let directory = tempfile::tempdir().unwrap();
    create(directory.path()).await.close().await.unwrap();
    let (mut other, mut lines) = child("child_that_holds_a_profile", directory.path());
    line(&mut lines, "holding").unwrap();
    assert_eq!(Directory::acquire(directory.path()).unwrap_err(), StoreError::Locked);
    std::fs::write(directory.path().join("key"), b"never read").unwrap();
    let error = Client::open(directory.path(), Secret::new("any".to_owned())).await.unwrap_err();
    assert_eq!(error, Error::Locked);
    assert!(error.to_string().contains("another program"), "{error}");
    other.kill().unwrap();
    other.wait().unwrap();
    // The system frees the lock of a process that died.
    assert!(open(directory.path()).await.is_ok());
}

#[tokio::test]
async fn a_second_use_in_one_process_is_refused_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    assert_eq!(open(directory.path()).await.unwrap_err(), StoreError::Locked);
    store.close().await.unwrap();
    assert_eq!(store.load().await.err(), Some(StoreError::Closed));
    let again = open(directory.path()).await.unwrap();
    drop(again);
    assert!(open(directory.path()).await.is_ok(), "a dropped store frees the lock");
}

/// Everything of one step carries its number: the cursor, a session, and a message.
fn step(number: u8) -> Vec<Mutation> {
    vec![
        Mutation::Cursor(number.into()),
        Mutation::Sessions(DeviceId::from_bytes([1; 16]), Some(Zeroizing::new(vec![number; 6000]))),
        Mutation::Message(incoming(number, number.into(), &"x".repeat(6000))),
        Mutation::Seen(DeviceId::from_bytes([1; 16]), MessageId::from_bytes([number; 16]), 1),
        Mutation::Prekeys(Zeroizing::new(vec![number; 6000])),
    ]
}

#[tokio::test]
#[ignore = "runs as a child of `attack_20_a_killed_process_leaves_whole_transactions_and_all_that_were_reported`"]
async fn child_that_commits_without_end() {
    let store = open(&given_profile()).await.unwrap();
    for number in 1..=u8::MAX {
        store.commit(&step(number)).await.unwrap();
        println!("committed {number}");
    }
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn attack_20_a_killed_process_leaves_whole_transactions_and_all_that_were_reported() {
    for reported in [1_u8, 7, 30, 90] {
        let directory = tempfile::tempdir().unwrap();
        create(directory.path()).await.close().await.unwrap();
        let (mut writer, mut lines) = child("child_that_commits_without_end", directory.path());
        while line(&mut lines, "committed ").unwrap().parse::<u8>().unwrap() < reported {}
        writer.kill().unwrap();
        writer.wait().unwrap();
        let store = open(directory.path()).await.unwrap();
        let snapshot = store.load().await.unwrap();
        assert!(snapshot.cursor >= u64::from(reported), "{reported} was reported, {} is there", snapshot.cursor);
        let last = u8::try_from(snapshot.cursor).unwrap();
        assert_eq!(snapshot.prekeys[..], vec![last; 6000][..]);
        assert_eq!(snapshot.sessions[0].1[..], vec![last; 6000][..]);
        assert_eq!(snapshot.seen.len(), usize::from(last));
        let positions: Vec<_> = store.timeline(&name("bob"), None, 1000).await.unwrap();
        let positions: Vec<_> = positions.iter().map(|view| view.position).collect();
        assert_eq!(positions, (1..=i64::from(last)).collect::<Vec<_>>());
        store.check().await.unwrap();
    }
}

/// A copy of the files while the store is open is what a loss of power leaves behind.
#[tokio::test]
async fn attack_20_the_files_of_an_open_store_are_a_whole_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    for number in 1..=20 {
        store.commit(&step(number)).await.unwrap();
        let copy = tempfile::tempdir().unwrap();
        // The shared memory of the log is lost with the power.
        for file in ["store.db", "store.db-wal"] {
            std::fs::copy(directory.path().join(file), copy.path().join(file)).unwrap();
        }
        let after = open(copy.path()).await.unwrap().load().await.unwrap();
        assert_eq!(after.cursor, u64::from(number));
        assert_eq!(after.seen.len(), usize::from(number));
    }
}

#[tokio::test]
async fn a_cut_log_loses_only_what_was_cut_and_nothing_in_halves() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).await;
    for number in 1..=10 {
        store.commit(&step(number)).await.unwrap();
    }
    let log = std::fs::read(directory.path().join("store.db-wal")).unwrap();
    for tenth in 0..10 {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(directory.path().join("store.db"), copy.path().join("store.db")).unwrap();
        std::fs::write(copy.path().join("store.db-wal"), &log[..log.len() / 10 * tenth]).unwrap();
        let snapshot = open(copy.path()).await.unwrap().load().await.unwrap();
        assert_eq!(snapshot.seen.len() as u64, snapshot.cursor, "cut to {tenth} tenths");
    }
}

#[tokio::test]
async fn readers_see_what_was_committed_and_never_less_while_a_backlog_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(create(directory.path()).await);
    store.commit(&support::messages([outgoing(255, 1000, "ours")])).await.unwrap();
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for number in 1..=100 {
            writer.commit(&step(number)).await.unwrap();
        }
    });
    let mut seen = 0;
    while seen < 101 {
        let now = store.timeline(&name("bob"), None, 1000).await.unwrap().len();
        assert!(now >= seen);
        seen = now;
        assert!(store.message(MessageId::from_bytes([255; 16])).await.unwrap().unwrap().delivery == Delivery::Queued);
    }
    writing.await.unwrap();
}

#[test]
#[ignore = "runs as a child of `a_process_ends_well_right_after_a_store_was_dropped`"]
fn child_that_ends_without_closing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let work = async {
        let store = create(&given_profile()).await;
        store.commit(&step(1)).await.unwrap();
        // Dropped in the middle of something, as by whoever meets an error and gives up.
        let _ = tokio::time::timeout(std::time::Duration::ZERO, store.commit(&step(2))).await;
    };
    runtime.block_on(work);
}

#[test]
fn a_process_ends_well_right_after_a_store_was_dropped() {
    ends_well("child_that_ends_without_closing", 20);
}

#[test]
#[ignore = "runs as a child of `a_process_ends_well_under_a_store_that_is_at_work`"]
fn child_that_ends_under_a_store_at_work() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = std::sync::Arc::new(runtime.block_on(create(&given_profile())));
    let (committed, first) = std::sync::mpsc::channel();
    let writer = store.clone();
    runtime.spawn(async move {
        for number in (1..=u8::MAX).cycle() {
            writer.commit(&step(number)).await.unwrap();
            let _ = committed.send(());
        }
    });
    runtime.spawn(async move {
        loop {
            store.timeline(&name("bob"), None, 1000).await.unwrap();
        }
    });
    first.recv().unwrap();
    // Nothing is dropped and nobody stops: as a program that leaves for good from anywhere.
    std::process::exit(0);
}

#[test]
fn a_process_ends_well_under_a_store_that_is_at_work() {
    ends_well("child_that_ends_under_a_store_at_work", 50);
}

#[test]
#[ignore = "runs as a child of `a_process_ends_well_while_a_store_is_opened`"]
fn child_that_ends_while_it_opens_a_store() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let profile = given_profile();
    let store = runtime.block_on(create(&profile));
    runtime.block_on(store.close()).unwrap();
    let (opened, first) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        loop {
            drop(open(&profile).await.unwrap());
            // The wrong key: a connection that fails midway.
            let wrong = DatabaseKey::new(Zeroizing::new([1; 32]));
            Store::open(Directory::acquire(&profile).unwrap(), &wrong).await.unwrap_err();
            let _ = opened.send(());
        }
    });
    first.recv().unwrap();
    std::process::exit(0);
}

#[test]
fn a_process_ends_well_while_a_store_is_opened() {
    ends_well("child_that_ends_while_it_opens_a_store", 30);
}

/// Each child ends at another moment of its work, so there are several of them.
fn ends_well(test: &str, children: usize) {
    for number in 1..=children {
        let directory = tempfile::tempdir().unwrap();
        let (mut child, _lines) = child(test, directory.path());
        let status = child.wait().unwrap();
        assert!(
            status.success(),
            "child {number}: {status}. Was SQLCipher built with the flags of .cargo/config.toml (docs/adr/0010)?"
        );
    }
}

#[tokio::test]
async fn a_creation_that_was_interrupted_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["store.db.new", "store.db.new-wal", "store.db.new-shm"] {
        std::fs::write(directory.path().join(file), b"half of it").unwrap();
    }
    assert_eq!(open(directory.path()).await.unwrap_err(), StoreError::NoProfile);
    create(directory.path()).await.close().await.unwrap();
    assert!(open(directory.path()).await.is_ok());
}
