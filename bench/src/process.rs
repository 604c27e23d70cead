//! A server as a process of its own, and what the system says of it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::failed::{Outcome, failed};

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(30);

/// A running server; it ends with this value.
pub struct Server {
    child: Child,
    address: String,
}

/// What a process has used up so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Seconds of processor time, user and system, of all its threads.
    pub cpu: f64,
    /// Bytes that it has caused to be written to a disk.
    pub written: u64,
}

impl Server {
    /// Starts a program that prints `listening on http://ADDRESS` first.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn start(program: &Path, arguments: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let stdout = child.stdout.take();
        let mut server = Self { child, address: String::new() };
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            if let Some(stdout) = stdout {
                let _ = BufReader::new(stdout).read_line(&mut line);
            }
            let _ = tell.send(line);
        });
        let line = told.recv_timeout(START).unwrap_or_default();
        match line.trim_end().strip_prefix("listening on http://") {
            Some(address) => address.clone_into(&mut server.address),
            None => return failed(format!("{} did not start: {line:?}", program.display())),
        }
        Ok(server)
    }

    /// Address and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it has used up.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn used(&self) -> Outcome<Used> {
        used(&self.child.id().to_string())
    }

    /// Bytes of it that lie in memory.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn resident(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
        kib.map_or_else(|| failed("no VmRSS in /proc"), |kib: u64| Ok(kib * 1024))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What this process has used up.
///
/// # Errors
///
/// When /proc cannot be read.
pub fn own() -> Outcome<Used> {
    used("self")
}

fn used(process: &str) -> Outcome<Used> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th field behind it.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok());
    let (Some(user), Some(system)) = (ticks(11), ticks(12)) else { return failed("/proc/PID/stat looks different") };
    let per_second = rustix::param::clock_ticks_per_second();
    let io = fs::read_to_string(format!("/proc/{process}/io"))?;
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0);
    Ok(Used { cpu: (user + system) as f64 / per_second as f64, written })
}

/// Lets this process and those that it starts have as many open files as the system allows.
///
/// # Errors
///
/// When that is fewer than `needed`.
pub fn raise_open_files(needed: u64) -> Outcome {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum;
    // Fails only when the limit was lowered meanwhile; the check below tells.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    match getrlimit(Resource::Nofile).current {
        Some(files) if files < needed => failed(format!("{needed} open files are needed, {files} are allowed")),
        _ => Ok(()),
    }
}
