//! A server that cannot outlive the process that started it.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::step::{self, Failure, Outcome};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a server that starts.
const LOOK: Duration = Duration::from_millis(5);

/// `$0` is the directory, `$1` the signal that ends the server, the rest its command line. The shell
/// reads until the process that started it closes the pipe, in whatever way it ends; a line keeps
/// the directory for another start.
const SCRIPT: &str = r#"
signal=$1; shift
( sh -c 'echo $$ >"$0/pid"; exec "$@"' "$0" "$@" >>"$0/log" 2>&1; echo $? >"$0/ended" ) &
read -r keep
kill -"$signal" "$(cat "$0/pid")" 2>/dev/null
wait
[ -n "$keep" ] || rm -rf "$0"
"#;

/// A directory and what runs in it.
pub(super) struct Supervised {
    directory: PathBuf,
    signal: &'static str,
    shell: Option<Child>,
}

impl Supervised {
    /// A directory for a server, not started yet. `signal` ends the server without delay.
    pub(super) fn new(purpose: &str, signal: &'static str) -> Outcome<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("susurro-{purpose}-{}-{count}", std::process::id()));
        fs::create_dir(&directory).map_err(|why| failed("make", &directory, &why))?;
        Ok(Self { directory, signal, shell: None })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts `command` and waits until `is_ready` says so of the process with this id.
    pub(super) fn start(&mut self, command: &[String], is_ready: impl Fn(&str) -> bool) -> Outcome {
        for stale in ["pid", "ended"] {
            // Not there at the first start.
            let _ = fs::remove_file(self.directory.join(stale));
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT]).arg(&self.directory).arg(self.signal).args(command);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            // Ctrl-C at the terminal reaches the tests alone, so that the shell can tidy up.
            shell.process_group(0);
        }
        let shell = shell.spawn().map_err(|why| Failure(format!("cannot start sh: {why}")))?;
        self.shell = Some(shell);
        let deadline = Instant::now() + PATIENCE;
        while !self.pid().is_ok_and(|pid| is_ready(&pid)) {
            if self.directory.join("ended").exists() || Instant::now() > deadline {
                let said = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                self.end(true);
                return Err(Failure(format!("{} did not start: {said}", command.join(" "))));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The process id of the server.
    pub(super) fn pid(&self) -> Outcome<String> {
        let path = self.directory.join("pid");
        let text = fs::read_to_string(&path).map_err(|why| failed("read", &path, &why))?;
        Ok(text.trim().to_owned())
    }

    /// Ends the server in good order, and waits for it; the directory stays.
    pub(super) fn stop(&mut self) -> Outcome {
        self.end(true);
        Ok(())
    }

    /// Sends a signal to the server.
    pub(super) fn signal(&self, signal: &str) -> Outcome {
        let pid = self.pid()?;
        if step::succeeds("sh", &["-c", &format!("kill -{signal} {pid}")]) {
            return Ok(());
        }
        Err(Failure(format!("cannot send {signal} to process {pid}")))
    }

    /// Takes the server away without a chance to write anything, and waits until it is gone.
    pub(super) fn kill(&mut self) -> Outcome {
        self.signal("KILL")?;
        let deadline = Instant::now() + PATIENCE;
        while !self.directory.join("ended").exists() {
            if Instant::now() > deadline {
                return Err(Failure("a killed server is still there".to_owned()));
            }
            std::thread::sleep(LOOK);
        }
        self.end(true);
        Ok(())
    }

    fn end(&mut self, keep: bool) {
        let Some(mut shell) = self.shell.take() else { return };
        if let (true, Some(pipe)) = (keep, shell.stdin.as_mut()) {
            // A shell that is gone needs no line.
            let _ = pipe.write_all(b"keep\n");
        }
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.end(false);
        // The shell has done so, unless none was running.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A port of this machine that was free a moment ago.
pub(super) fn free_port() -> Outcome<u16> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|why| Failure(format!("no free port on 127.0.0.1: {why}")))
}

/// Random hexadecimal digits, for what others on this machine should not guess.
pub(super) fn random() -> Outcome<String> {
    use std::io::Read as _;
    let path = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 16];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|why| failed("read", path, &why))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) fn failed(what: &str, path: &Path, why: &std::io::Error) -> Failure {
    Failure(format!("cannot {what} {}: {why}", path.display()))
}

/// A program on `PATH`.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.exists())
}
