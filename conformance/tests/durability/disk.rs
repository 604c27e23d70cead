//! A disk that is full: a file system of its own size for one relay.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use susurro_conformance::binaries;
use susurro_conformance::relay::Relay;
use tokio::time::timeout;

use super::DEADLINE;
use super::small_disk::{SmallDisk, refused};
use super::support::{Conversation, ready};

/// Messages that each of the two writes.
const EACH: usize = 600;

/// Room for the relay's database, its log and what waits in it.
const SIZE: &str = "24m";

/// Messages that a relay may carry over on a full disk before nobody waits for a refusal any longer.
const CARRIED: usize = 60;

/// A program that runs the relay on this disk, with the arguments that it is given.
fn relay_on(disk: &SmallDisk, folder: &Path) -> PathBuf {
    let program = folder.join("relay-on-a-small-disk");
    let relay = binaries::relay().unwrap();
    fs::write(&program, format!("#!/bin/sh\nexec {} -- '{}' \"$@\"\n", disk.join.join(" "), relay.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    program
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_repeats_nothing_and_is_used_again_when_there_is_room() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(&folder.path().join("disk"), SIZE);
    let (program, data) = (relay_on(&disk, folder.path()), folder.path().join("disk/relay"));
    let start = |listen: &str| Relay::start_program(&program, &data, listen, &[], &[]).unwrap();
    let mut relay = start("127.0.0.1:0");
    let (url, address) = (relay.url().to_owned(), relay.address().to_owned());
    let mut talk = Conversation::begin(folder.path(), [&url; 2], EACH).await;
    for tenths in [1, 2] {
        talk.after(tenths).await;
        disk.fill();
        let said = refused(&mut talk, &url, CARRIED).await;
        // The log has not begun to use its room again: the first time there is none to be had.
        assert!(tenths > 1 || said.is_some(), "a full disk is noticed");
        let Some(said) = said else {
            disk.make_room();
            eprintln!("full: nobody noticed, the log had room of its own");
            continue;
        };
        talk.silence().await;
        disk.make_room();
        let next = talk.recovery().await;
        eprintln!("full: said after {said:?}; the next messages {next:?} after there was room");
        ready(&url, true).await;
    }
    // Killed on a full disk, and started again when there is room, as whatever watches over the service does.
    talk.after(3).await;
    disk.fill();
    refused(&mut talk, &url, CARRIED).await;
    relay.kill().unwrap();
    disk.make_room();
    relay = start(&address);
    eprintln!("killed on a full disk: the next messages after {:?}", talk.recovery().await);
    talk.end().await;
    drop(relay);
}
