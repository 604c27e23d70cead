//! PostgreSQL clusters of the tests, and databases on them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::supervised::{Supervised, failed, free_port, on_path, random};
use crate::step::{Failure, Outcome};
use crate::{python, system};

/// Environment variable that names the cluster of a test run: a URL of its administrator.
pub const CLUSTER: &str = "XTASK_POSTGRES";

/// The administrator of the clusters.
const USER: &str = "susurro";

/// Ports to try: another process may take a free one first.
const TRIES: usize = 5;

/// What a cluster is to be.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Waits for the disk. Slower; for tests that take a server away without warning.
    pub durable: bool,
    /// More settings, as in `postgresql.conf`.
    pub settings: Vec<(String, String)>,
    /// Where its data are to be; `None` for a directory of the system's for such files.
    pub place: Option<Place>,
}

/// An empty directory that this process does not see under its name: on a file system of another mount namespace.
#[derive(Debug, Clone)]
pub struct Place {
    /// What goes before a command line so that the command sees it.
    pub join: Vec<String>,
    /// Where it is then.
    pub inside: PathBuf,
    /// Where this process finds it.
    pub outside: PathBuf,
}

/// A PostgreSQL server on this machine, ended when it is dropped.
pub struct Postgres {
    supervised: Supervised,
    programs: PathBuf,
    options: Options,
    password: String,
    port: u16,
}

/// An empty database, dropped with this value.
pub struct Database {
    admin: String,
    name: String,
}

/// The directory of the programs: `postgres`, `initdb` and `psql`, of one version.
pub(super) fn find() -> Option<PathBuf> {
    let on_path = on_path("postgres").and_then(|program| program.canonicalize().ok()?.parent().map(Path::to_owned));
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    // The newest first; `9.6` is the last that had a point.
    installed.sort_by_key(|path| {
        let version = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        std::cmp::Reverse(version.and_then(|version| version.parse::<u32>().ok()))
    });
    let has_all = |folder: &PathBuf| ["postgres", "initdb", "psql"].iter().all(|name| folder.join(name).exists());
    on_path.into_iter().chain(installed).find(has_all)
}

/// An empty database on the cluster of this run, or else of this process.
///
/// # Errors
///
/// A line that says what is missing, or what PostgreSQL said.
pub fn database() -> Outcome<Database> {
    static OWN: OnceLock<Result<Postgres, String>> = OnceLock::new();
    if let Ok(admin) = std::env::var(CLUSTER) {
        return Database::create(admin);
    }
    match OWN.get_or_init(|| Postgres::start(&Options::default()).map_err(|failure| failure.0)) {
        Ok(own) => own.database(),
        Err(failure) => Err(Failure(failure.clone())),
    }
}

impl Postgres {
    /// Starts a cluster on a free port.
    ///
    /// # Errors
    ///
    /// A line that says what is missing, or what PostgreSQL said.
    pub fn start(options: &Options) -> Outcome<Self> {
        let programs = find().ok_or_else(|| Failure(system::POSTGRES_MISSING.to_owned()))?;
        let template = template(&programs)?;
        let supervised = Supervised::new("postgres", "INT")?;
        let join = options.place.as_ref().map_or(&[][..], |place| &place.join);
        let place = options.place.as_ref().map_or(supervised.directory(), |place| &place.inside);
        let mut copy = joined(join, "cp");
        quietly("copy a cluster", copy.arg("-a").arg(template.join("data")).arg(place.join("data")), None)?;
        own(join, place)?;
        let path = template.join("password");
        let password = fs::read_to_string(&path).map_err(|why| failed("read", &path, &why))?;
        let mut postgres = Self { supervised, programs, options: options.clone(), password, port: 0 };
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            postgres.port = free_port()?;
            outcome = postgres.restart();
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map(|()| postgres)
    }

    /// A URL of its administrator.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        let place = self.options.place.as_ref().map(|place| place.outside.as_path());
        place.unwrap_or(self.supervised.directory()).join("data")
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.supervised.directory().join("log")).unwrap_or_default()
    }

    /// Starts a standby of this server, which takes over every change as it happens (streaming replication), and makes
    /// this one wait with each commit until the standby has it on disk. Only a [durable](Options::durable) server waits.
    ///
    /// # Errors
    ///
    /// A line that says what is missing, or what PostgreSQL said.
    pub fn standby(&self) -> Outcome<Self> {
        let supervised = Supervised::new("postgres", "INT")?;
        own(&[], supervised.directory())?;
        let mut copy = as_user()?;
        copy.push(self.programs.join("pg_basebackup").display().to_string());
        let mut command = Command::new(&copy[0]);
        command.args(&copy[1..]).arg("--pgdata").arg(supervised.directory().join("data"));
        command.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-password"]);
        command.args(["--host=127.0.0.1", &format!("--port={}", self.port), &format!("--username={USER}")]);
        command.env("PGPASSWORD", &self.password);
        quietly("copy a running PostgreSQL server", &mut command, Some(supervised.directory()))?;
        let (programs, options, password) = (self.programs.clone(), self.options.clone(), self.password.clone());
        let mut standby = Self { supervised, programs, options, password, port: free_port()? };
        standby.restart()?;
        self.say("ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.say("SELECT pg_reload_conf()")?;
        Ok(standby)
    }

    /// Makes a standby a server that is written to.
    ///
    /// # Errors
    ///
    /// What PostgreSQL said.
    pub fn promote(&self) -> Outcome {
        self.say("SELECT pg_promote()")
    }

    /// Says a statement to the server as its administrator.
    ///
    /// # Errors
    ///
    /// What PostgreSQL said.
    pub fn say(&self, statement: &str) -> Outcome {
        psql(&self.url(), statement)
    }

    /// An empty database on it.
    ///
    /// # Errors
    ///
    /// What PostgreSQL said.
    pub fn database(&self) -> Outcome<Database> {
        Database::create(self.url())
    }

    /// Ends the server in good order: every connection is cut, what was committed is on disk.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn stop(&mut self) -> Outcome {
        self.supervised.stop()
    }

    /// Ends the server with `SIGKILL`, as a loss of power would.
    ///
    /// # Errors
    ///
    /// When it was not running.
    pub fn kill(&mut self) -> Outcome {
        // The other processes of the server end when they see that the first is gone.
        self.supervised.kill()
    }

    /// Starts it again with the same data on the same port.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn restart(&mut self) -> Outcome {
        let inside = self.options.place.as_ref().map(|place| place.inside.join("data"));
        let (data, port) = (inside.unwrap_or(self.data()).display().to_string(), self.port.to_string());
        let mut settings = vec![
            ("port", port.as_str()),
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("max_connections", "300"),
            ("shared_buffers", "64MB"),
            ("max_wal_size", "256MB"),
        ];
        if !self.options.durable {
            settings.extend([("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")]);
        }
        settings.extend(self.options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut command = Vec::new();
        if let Some(place) = &self.options.place {
            command.extend(place.join.clone());
            if user().is_none() {
                // Whoever may not mount is root where it may, which PostgreSQL refuses to run as.
                command.extend(["unshare", "--user", "--map-user=1000", "--map-group=1000"].map(str::to_owned));
            }
        }
        command.extend(as_user()?);
        command.extend([self.programs.join("postgres").display().to_string(), "-D".to_owned(), data]);
        command.extend(settings.iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]));
        let data = self.data();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.supervised.start(&command, |pid| is_ready(&data, pid)) {
                // What a killed server has left ends a moment later than its first process.
                Err(failure) if failure.0.contains("still in use") && Instant::now() < deadline => {}
                outcome => return outcome,
            }
        }
    }
}

impl Database {
    fn create(admin: String) -> Outcome<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        psql(&admin, &format!("CREATE DATABASE {name}"))?;
        Ok(Self { admin, name })
    }

    /// `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[must_use]
    pub fn url(&self) -> String {
        let server = self.admin.rsplit_once('/').map_or(self.admin.as_str(), |(server, _)| server);
        format!("{server}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Fails when the test has taken its server away.
        let _ = psql(&self.admin, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Says the statement to the server of this URL.
fn psql(url: &str, statement: &str) -> Outcome {
    let programs = find().ok_or_else(|| Failure(system::POSTGRES_MISSING.to_owned()))?;
    // The password goes by the environment: other users can read a command line.
    let (account, place) = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).unwrap_or_default();
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    let mut command = Command::new(programs.join("psql"));
    command.args(["--no-psqlrc", "--quiet", "--no-password", "--set", "ON_ERROR_STOP=1", "--command", statement]);
    command.arg(format!("postgres://{user}@{place}")).env("PGPASSWORD", password);
    quietly(statement, &mut command, None)
}

/// A cluster that was made once, for others to be copied from.
fn template(programs: &Path) -> Outcome<PathBuf> {
    let folder = python::target().join("services");
    fs::create_dir_all(&folder).map_err(|why| failed("make", &folder, &why))?;
    // Tests run as many processes; the system takes the lock away from one that dies.
    let lock = folder.join("postgres.lock");
    let held = File::create(&lock).and_then(|file| file.lock().map(|()| file));
    let _held = held.map_err(|why| failed("lock", &lock, &why))?;

    let version = Command::new(programs.join("postgres")).arg("--version").output();
    let version = version.map_err(|why| failed("start", &programs.join("postgres"), &why))?;
    let digits: Vec<u8> = version.stdout.into_iter().filter(|c| c.is_ascii_digit() || *c == b'.').collect();
    let template = folder.join(format!("postgres-{}", String::from_utf8_lossy(&digits)));
    if template.join("password").exists() {
        return Ok(template);
    }
    // Made elsewhere: the server's user may have no way into the build folder.
    let made = Supervised::new("initdb", "INT")?;
    let (data, password) = (made.directory().join("data"), random()?);
    let secret = made.directory().join("password");
    fs::write(&secret, &password).map_err(|why| failed("write", &secret, &why))?;
    own(&[], made.directory())?;
    let mut initdb = as_user()?;
    initdb.push(programs.join("initdb").display().to_string());
    let mut command = Command::new(&initdb[0]);
    command.args(&initdb[1..]).arg("-D").arg(&data).args(["-U", USER, "-A", "scram-sha-256", "-E", "UTF8"]);
    command.args(["--locale=C", "--no-sync", "--no-instructions"]).arg("--pwfile").arg(&secret);
    quietly("make a PostgreSQL cluster", &mut command, Some(made.directory()))?;

    // What a run that was interrupted has left.
    let _ = fs::remove_dir_all(&template);
    fs::create_dir_all(&template).map_err(|why| failed("make", &template, &why))?;
    quietly("copy a cluster", Command::new("cp").arg("-a").arg(&data).arg(&template), None)?;
    let path = template.join("password");
    // Last: its presence says that the template is whole.
    write_secret(&path, &password).map_err(|why| failed("write", &path, &why))?;
    Ok(template)
}

fn write_secret(path: &Path, secret: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(secret.as_bytes())
}

/// A server writes `ready` as the eighth line of this file when it takes connections, a standby `standby`.
fn is_ready(data: &Path, pid: &str) -> bool {
    let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = status.lines().map(str::trim);
    lines.next() == Some(pid) && matches!(lines.nth(6), Some("ready" | "standby"))
}

/// The user of the servers when we are root, which PostgreSQL refuses to run as.
fn user() -> Option<(String, String)> {
    if !system::is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    ids("postgres").or_else(|| ids("nobody"))
}

/// What goes before a command line so that it runs as that user.
fn as_user() -> Outcome<Vec<String>> {
    let Some((user, group)) = user() else { return Ok(Vec::new()) };
    Ok(vec!["setpriv".to_owned(), format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()])
}

/// A program behind what goes before its command line.
fn joined(join: &[String], program: &str) -> Command {
    let Some((first, more)) = join.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(more).arg(program);
    command
}

/// Gives the directory to that user, and to nobody else.
fn own(join: &[String], directory: &Path) -> Outcome {
    quietly("restrict a folder", joined(join, "chmod").arg("700").arg(directory), None)?;
    let Some((user, group)) = user() else { return Ok(()) };
    let mut give = joined(join, "chown");
    quietly("give a folder away", give.arg("-R").arg(format!("{user}:{group}")).arg(directory), None)
}

/// Runs a command and shows what it said only in the failure.
fn quietly(what: &str, command: &mut Command, folder: Option<&Path>) -> Outcome {
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Failure(format!(
            "{what}: failed ({})\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))),
        Err(why) => Err(Failure(format!("{what}: cannot be started: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_cluster_keeps_what_was_committed_through_stop_and_kill_and_leaves_nothing() {
        let settings = vec![("work_mem".to_owned(), "5MB".to_owned())];
        let options = Options { durable: true, settings, ..Options::default() };
        let mut postgres = Postgres::start(&options).unwrap();
        let directory = postgres.supervised.directory().to_owned();
        let database = postgres.database().unwrap();
        let url = database.url();
        psql(&url, "CREATE TABLE kept (n int)").unwrap();
        psql(&url, "DO $$ BEGIN ASSERT current_setting('work_mem') = '5MB'; END $$").unwrap();
        postgres.kill().unwrap();
        assert!(psql(&url, "SELECT 1").is_err());
        postgres.restart().unwrap();
        psql(&url, "INSERT INTO kept VALUES (1)").unwrap();
        postgres.stop().unwrap();
        assert!(psql(&url, "SELECT 1").is_err());
        postgres.restart().unwrap();
        psql(&url, "DO $$ BEGIN ASSERT (SELECT count(*) FROM kept) = 1; END $$").unwrap();
        drop(database);
        assert!(psql(&url, "SELECT 1").is_err(), "the database goes with its value");
        assert!(!crate::step::succeeds(
            "sh",
            &["-c", &format!("ps -ef | grep -v grep | grep -q {}", postgres.password)]
        ));
        drop(postgres);
        assert!(!directory.exists());
    }

    #[test]
    fn databases_of_one_process_are_different_ones() {
        let (one, other) = (database().unwrap(), database().unwrap());
        assert_ne!(one.url(), other.url());
        psql(&one.url(), "CREATE TABLE t (n int)").unwrap();
        psql(&other.url(), "CREATE TABLE t (n int)").unwrap();
    }
}
