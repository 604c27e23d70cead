//! A file system of its own size, for one service and what fills it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use xtask::services::Place;

use super::support::Conversation;

/// A file system in memory, seen by those alone that join its namespace; it ends with this value, however that ends.
pub(crate) struct SmallDisk {
    keeper: Child,
    at: PathBuf,
    /// What goes before the command line of whoever joins.
    pub(crate) join: Vec<String>,
}

impl SmallDisk {
    /// `size` as `mount` understands it, such as `24m`.
    pub(crate) fn new(at: &Path, size: &str) -> Self {
        fs::create_dir_all(at).unwrap();
        // Whoever may not mount may do so in a user namespace, as its root.
        let is_root = xtask::system::is_root();
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !is_root {
            command.arg("--map-root-user");
        }
        let script = format!("mount -t tmpfs -o size={size},mode=700 tmpfs \"$0\" && echo mounted && read -r end");
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

    /// The disk as a place for a database.
    pub(crate) fn place(&self) -> Place {
        Place { join: self.join.clone(), inside: self.at.clone(), outside: self.outside() }
    }

    /// Where this process sees the disk.
    fn outside(&self) -> PathBuf {
        let at = self.at.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.keeper.id().to_string()).join("root").join(at)
    }

    fn ballast(&self) -> PathBuf {
        self.outside().join("ballast")
    }

    /// Takes every byte that is left.
    pub(crate) fn fill(&self) {
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

    /// Gives back what [`fill`](Self::fill) has taken.
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Waits until the relay says that it takes nothing, and how long that took; or until it has carried `enough` messages
/// over, so that it does not need the disk: what it writes goes where there is room that was used before.
pub(crate) async fn refused(talk: &mut Conversation, url: &str, enough: usize) -> Option<Duration> {
    const LOOK: Duration = Duration::from_millis(20);
    let (begun, before) = (Instant::now(), talk.arrived().await);
    loop {
        if !reqwest::get(format!("{url}/readyz")).await.unwrap().status().is_success() {
            return Some(begun.elapsed());
        }
        if talk.arrived().await >= before + enough {
            return None;
        }
        sleep(LOOK).await;
    }
}
