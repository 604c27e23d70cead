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
    /// Starts a program that prints `listening on http://ADDRESS` first. Secrets go into its environment.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn start(program: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Outcome<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
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

/// What a process and those that it started have used up, also those that have ended.
///
/// # Errors
///
/// When it is gone.
pub fn family(parent: u32) -> Outcome<Used> {
    let mut whole = Used::default();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // The others of a system come and go while it is looked at.
        let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
        let fields = fields(&stat);
        if process == parent || fields.get(1) == Some(&parent.to_string().as_str()) {
            let one = used(&process.to_string()).unwrap_or_default();
            whole.cpu += one.cpu;
            whole.written += one.written;
        }
        if process == parent {
            whole.cpu += seconds(&fields, [13, 14])?;
        }
    }
    Ok(whole)
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
    let io = fs::read_to_string(format!("/proc/{process}/io"))?;
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0);
    // User and system are the 12th and 13th.
    Ok(Used { cpu: seconds(&fields(&stat), [11, 12])?, written })
}

/// The fields of /proc/PID/stat behind the name, which stands in parentheses and may hold anything.
fn fields(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect()
}

fn seconds(fields: &[&str], which: [usize; 2]) -> Outcome<f64> {
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok());
    let (Some(user), Some(system)) = (ticks(which[0]), ticks(which[1])) else {
        return failed("/proc/PID/stat looks different");
    };
    Ok((user + system) as f64 / rustix::param::clock_ticks_per_second() as f64)
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
