//! What has to be on the machine beside Rust: a C compiler for SQLite and the TLS library, and
//! perl and make for the OpenSSL that SQLCipher is built with.

use std::path::Path;
use std::process::Command;

use crate::step::{self, Failure, Outcome};

/// The perl modules that OpenSSL's `Configure` loads; minimal systems have perl without them.
const PERL_MODULES: [&str; 3] = ["-MFindBin", "-MFile::Compare", "-MIPC::Cmd"];

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
    if !(Path::new("/usr/bin/apt-get").exists() && step::succeeds("sh", &["-c", "[ \"$(id -u)\" = 0 ]"])) {
        return Err(Failure(format!(
            "missing: {}; install them first (Debian and Ubuntu: sudo apt-get install {})",
            names.join(", "),
            packages.join(" ")
        )));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    step::run("refresh the list of system packages", &mut apt(&["update", "-q"]))?;
    let install = [&["install", "-q", "-y", "--no-install-recommends"], packages.as_slice()].concat();
    step::run(&format!("install {}", names.join(", ")), &mut apt(&install))
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
