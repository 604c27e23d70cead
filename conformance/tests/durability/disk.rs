//! A disk that is full: a file system of its own size for one relay.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use susurro_conformance::binaries;
use susurro_conformance::relay::Relay;
use tokio::time::{sleep, timeout};

use super::DEADLINE;
use super::support::{Conversation, ready};

/// Messages that each of the two writes.
const EACH: usize = 600;

/// Room for the relay's database, its log and what waits in it.
const SIZE: &str = "24m";

/// A file system in memory, seen by those alone that join its namespace; it ends with this value, however that ends.
struct SmallDisk {
    keeper: Child,
    at: PathBuf,
    join: Vec<String>,
}

impl SmallDisk {
    fn new(at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        // Whoever may not mount may do so in a user namespace, as its root.
        let is_root = xtask::system::is_root();
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !is_root {
            command.arg("--map-root-user");
        }
        let script = format!("mount -t tmpfs -o size={SIZE},mode=700 tmpfs \"$0\" && echo mounted && read -r end");
        command.args(["sh", "-c", &script]).arg(at).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().expect("unshare is there (Debian and Ubuntu: util-linux)");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n", "this system lets nobody mount, not even in a user namespace");
        let mut join = vec!["nsenter".to_owned(), "--mount".to_owned(), format!("--target={}", keeper.id())];
        if !is_root {
            join.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
        }
        Self { keeper, at: at.to_owned(), join }
    }

    /// A program that runs the relay on this disk, with the arguments that it is given.
    fn relay(&self, folder: &Path) -> PathBuf {
        let program = folder.join("relay-on-a-small-disk");
        let relay = binaries::relay().unwrap();
        fs::write(&program, format!("#!/bin/sh\nexec {} -- '{}' \"$@\"\n", self.join.join(" "), relay.display()))
            .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        program
    }

    /// Where this process sees the disk.
    fn ballast(&self) -> PathBuf {
        let at = self.at.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.keeper.id().to_string()).join("root").join(at).join("ballast")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.ballast()).unwrap();
        let mut some = vec![0xa5; 64 * 1024];
        while !some.is_empty() {
            match ballast.write(&some) {
                Ok(taken) => assert!(taken > 0, "a full disk says so"),
                Err(full) => {
                    assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
                    some.truncate(some.len() / 2);
                }
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_repeats_nothing_and_is_used_again_when_there_is_room() {
    timeout(DEADLINE, run()).await.expect("all messages arrive in time");
}

/// Waits until the relay says that it takes nothing, and how long that took; or until it has carried so many messages
/// over that it does not need the disk: what it writes goes where its log has room that was used before.
async fn refused(talk: &mut Conversation, url: &str) -> Option<Duration> {
    const LOOK: Duration = Duration::from_millis(20);
    const CARRIED: usize = 60;
    let (begun, before) = (Instant::now(), talk.arrived().await);
    loop {
        if !reqwest::get(format!("{url}/readyz")).await.unwrap().status().is_success() {
            return Some(begun.elapsed());
        }
        if talk.arrived().await >= (before + CARRIED).min(EACH) {
            return None;
        }
        sleep(LOOK).await;
    }
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(&folder.path().join("disk"));
    let (program, data) = (disk.relay(folder.path()), folder.path().join("disk/relay"));
    let start = |listen: &str| Relay::start_program(&program, &data, listen, &[], &[]).unwrap();
    let mut relay = start("127.0.0.1:0");
    let (url, address) = (relay.url().to_owned(), relay.address().to_owned());
    let mut talk = Conversation::begin(folder.path(), [&url; 2], EACH).await;
    for tenths in [1, 2] {
        talk.after(tenths).await;
        disk.fill();
        let said = refused(&mut talk, &url).await;
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
    refused(&mut talk, &url).await;
    relay.kill().unwrap();
    disk.make_room();
    relay = start(&address);
    eprintln!("killed on a full disk: the next messages after {:?}", talk.recovery().await);
    talk.end().await;
    drop(relay);
}
