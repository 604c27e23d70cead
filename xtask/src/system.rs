//! What has to be on the machine beside Rust: a C compiler for SQLite and the TLS library, perl and
//! make for the OpenSSL that SQLCipher is built with, and Python for some of the tests.

use std::path::Path;
use std::process::Command;

use crate::step::{self, Failure, Outcome};

/// The perl modules that OpenSSL's `Configure` loads; minimal systems have perl without them.
const PERL_MODULES: [&str; 3] = ["-MFindBin", "-MFile::Compare", "-MIPC::Cmd"];

/// The interpreter that the environments of the tests are made with.
pub const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// What to say when it is not there.
pub const PYTHON_MISSING: &str = "missing: Python 3.11 or newer with venv; install it first (Debian and Ubuntu: sudo \
                                  apt-get install python3 python3-venv)";

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

fn can_install() -> bool {
    Path::new("/usr/bin/apt-get").exists() && step::succeeds("sh", &["-c", "[ \"$(id -u)\" = 0 ]"])
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
