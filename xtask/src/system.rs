//! What has to be on the machine beside Rust: a C compiler for SQLite and the TLS library, perl and
//! make for the OpenSSL that SQLCipher is built with; Python, PostgreSQL, Redis and a browser for some of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{self, Failure, Outcome};

/// The perl modules that OpenSSL's `Configure` loads; minimal systems have perl without them.
const PERL_MODULES: [&str; 3] = ["-MFindBin", "-MFile::Compare", "-MIPC::Cmd"];

/// The interpreter that the environments of the tests are made with.
pub const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// What to say when it is not there.
pub const PYTHON_MISSING: &str = "missing: Python 3.11 or newer with venv; install it first (Debian and Ubuntu: sudo \
                                  apt-get install python3 python3-venv)";

/// What to say when PostgreSQL is not there.
pub const POSTGRES_MISSING: &str = "missing: PostgreSQL 14 or newer with its programs postgres, initdb and psql; install \
                                    it first (Debian and Ubuntu: sudo apt-get install postgresql)";

/// What to say when Redis is not there.
pub const REDIS_MISSING: &str = "missing: redis-server (or valkey-server) 7 or newer; install it first (Debian and \
                                 Ubuntu: sudo apt-get install redis-server)";

/// What to say when it is not there.
pub const FAKETIME_MISSING: &str = "missing: libfaketime, by which tests set the clock of a relay; install it first \
                                    (Debian and Ubuntu: sudo apt-get install libfaketime)";

/// Whether [`PYTHON`] is there and can make environments with pip.
#[must_use]
pub fn has_python() -> bool {
    step::succeeds(PYTHON, &["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"])
}

/// Makes sure that everything is there: installs it when this is Debian or a child of it and we
/// are root, otherwise says in one line what is missing.
///
/// # Errors
///
/// The line that says what is missing.
pub fn prepare() -> Outcome {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|tool| tool.name).collect();
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    if !can_install() {
        return Err(Failure(format!(
            "missing: {}; install them first (Debian and Ubuntu: sudo apt-get install {})",
            names.join(", "),
            packages.join(" ")
        )));
    }
    install(&names.join(", "), &packages)
}

/// As [`prepare`], for the Python of the tests.
///
/// # Errors
///
/// [`PYTHON_MISSING`], also when Debian's is too old.
pub fn prepare_python() -> Outcome {
    if !has_python() && can_install() {
        install("Python", &["python3", "python3-venv"])?;
    }
    if has_python() { Ok(()) } else { Err(Failure(PYTHON_MISSING.to_owned())) }
}

/// As [`prepare`], for the certificate authority of the tests.
///
/// # Errors
///
/// The line that says what is missing.
pub fn prepare_pebble() -> Outcome {
    let has_pebble = || step::succeeds("pebble", &["-h"]);
    if !has_pebble() && can_install() {
        install("Pebble", &["pebble"])?;
    }
    let missing = "missing: Pebble, an ACME server for tests; install it first (Debian and Ubuntu: sudo apt-get install \
                   pebble; elsewhere github.com/letsencrypt/pebble)";
    if has_pebble() { Ok(()) } else { Err(Failure(missing.to_owned())) }
}

/// As [`prepare`], for the browser that the status page is tried in.
///
/// # Errors
///
/// The line that says what is missing.
pub fn prepare_browser() -> Outcome {
    let has_browser = || step::succeeds("chromedriver", &["--version"]);
    if !has_browser() && can_install() {
        install("Chromium", &["chromium", "chromium-driver"])?;
    }
    let missing = "missing: Chromium and chromedriver; install them first (Debian: sudo apt-get install chromium \
                   chromium-driver)";
    if has_browser() { Ok(()) } else { Err(Failure(missing.to_owned())) }
}

/// As [`prepare`], for the library that shows a relay another time.
///
/// # Errors
///
/// [`FAKETIME_MISSING`].
pub fn prepare_faketime() -> Outcome {
    if faketime().is_none() && can_install() {
        install("libfaketime", &["libfaketime"])?;
    }
    if faketime().is_some() { Ok(()) } else { Err(Failure(FAKETIME_MISSING.to_owned())) }
}

/// The library that shows a process another time, where Debian and its children put it.
#[must_use]
pub fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|library| library.exists())
}

/// As [`prepare`], for the formal models: Spin, which writes its verifiers in C.
///
/// # Errors
///
/// The line that says what is missing.
pub fn prepare_models() -> Outcome {
    let has_spin = || step::succeeds("spin", &["-V"]);
    if !has_spin() && can_install() {
        install("Spin", &["spin"])?;
    }
    let missing = "missing: Spin 6; install it first (Debian and Ubuntu: sudo apt-get install spin)";
    if has_spin() { Ok(()) } else { Err(Failure(missing.to_owned())) }
}

/// As [`prepare`], for the servers of the tests.
///
/// # Errors
///
/// [`POSTGRES_MISSING`] or [`REDIS_MISSING`].
pub fn prepare_servers(has_postgres: impl Fn() -> bool, has_redis: impl Fn() -> bool) -> Outcome {
    if !has_postgres() && can_install() {
        install("PostgreSQL", &["postgresql"])?;
    }
    if !has_redis() && can_install() {
        install("Redis", &["redis-server"])?;
    }
    match (has_postgres(), has_redis()) {
        (true, true) => Ok(()),
        (false, _) => Err(Failure(POSTGRES_MISSING.to_owned())),
        (true, false) => Err(Failure(REDIS_MISSING.to_owned())),
    }
}

/// Whether we may do everything on this machine.
#[must_use]
pub fn is_root() -> bool {
    step::succeeds("sh", &["-c", "[ \"$(id -u)\" = 0 ]"])
}

fn can_install() -> bool {
    Path::new("/usr/bin/apt-get").exists() && is_root()
}

fn install(names: &str, packages: &[&str]) -> Outcome {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    step::run("refresh the list of system packages", &mut apt(&["update", "-q"]))?;
    let install = [&["install", "-q", "-y", "--no-install-recommends"], packages].concat();
    step::run(&format!("install {names}"), &mut apt(&install))
}

struct Tool {
    name: &'static str,
    package: &'static str,
}

fn missing() -> Vec<Tool> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let perl = [&PERL_MODULES[..], &["-e", "1"]].concat();
    [
        (step::succeeds(&compiler, &["--version"]), Tool { name: "a C compiler", package: "build-essential" }),
        (step::succeeds("make", &["--version"]), Tool { name: "make", package: "make" }),
        (step::succeeds("perl", &perl), Tool { name: "perl with its standard modules", package: "perl" }),
    ]
    .into_iter()
    .filter_map(|(there, tool)| (!there).then_some(tool))
    .collect()
}
