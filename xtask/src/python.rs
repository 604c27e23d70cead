//! The Python of the tests: a virtual environment in the build folder, made from pinned requirements.
//!
//! The checks that come from elsewhere (a validator, a prober) and the second implementation of the protocol
//! are Python. Each list of requirements gets an environment of its own below `target/python`, so
//! that their versions never meet. To use one from a test of any crate, with `xtask` as a development
//! dependency:
//!
//! ```no_run
//! # fn main() -> Result<(), xtask::step::Failure> {
//! let python = xtask::python::ensure_venv(&["server/tests/openapi/requirements.txt"])?;
//! std::process::Command::new(python).args(["-m", "openapi_spec_validator", "docs/openapi.json"]);
//! # Ok(())
//! # }
//! ```
//!
//! Name the list in [`REQUIREMENTS`] as well: `cargo xtask test` then makes its environment before
//! the tests, where a person sees what takes so long, and any number of tests may ask for it at once.
//! Lists are written by `uv pip compile --universal --python-version 3.11 --generate-hashes`; pip
//! takes nothing whose hash is not in the list.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::{self, Failure, Outcome};
use crate::system;

/// Every list of requirements of the project, from the folder of the workspace: one environment each.
pub const REQUIREMENTS: &[&[&str]] = &[
    &["server/tests/openapi/requirements.txt"],
    &["server/tests/s3/requirements.txt"],
    &["server/tests/valkey/requirements.txt"],
    &["conformance/python/requirements.txt"],
];

/// Makes every environment of [`REQUIREMENTS`], and installs Python itself first where
/// [`system::prepare`] would install what is missing.
///
/// # Errors
///
/// A line that says what is missing or could not be installed.
pub fn prepare() -> Outcome {
    system::prepare_python()?;
    for files in REQUIREMENTS {
        step::say(&format!("Python environment of {}", files.join(", ")));
        ensure_venv(files)?;
    }
    Ok(())
}

/// The Python of an environment with exactly these requirements. Makes it when it is not there or the
/// lists have changed, which takes the network; otherwise takes no time. Whoever else asks waits.
///
/// # Errors
///
/// A line when Python is missing, or what pip said when it could not install something.
pub fn ensure_venv(requirements: &[&str]) -> Outcome<PathBuf> {
    let mut wanted = String::new();
    for file in requirements {
        let path = step::root().join(file);
        let text = fs::read_to_string(&path).map_err(|why| failed("read", &path, &why))?;
        wanted.push_str(&text);
    }
    let folder = target().join("python");
    let name = requirements.join("+").replace(['/', '\\'], "-");
    let venv = folder.join(&name);
    fs::create_dir_all(&folder).map_err(|why| failed("make", &folder, &why))?;
    // Tests run as many processes; the system takes the lock away from one that dies.
    let lock = folder.join(format!("{name}.lock"));
    let held = File::create(&lock).and_then(|file| file.lock().map(|()| file));
    let _held = held.map_err(|why| failed("lock", &lock, &why))?;

    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = venv.join("requirements.stamp");
    let is_made = fs::read_to_string(&stamp).is_ok_and(|made| made == wanted);
    // The Python that it points to may have been replaced since.
    if is_made && step::succeeds(&python.to_string_lossy(), &["-c", ""]) {
        return Ok(python);
    }
    if !system::has_python() {
        return Err(Failure(system::PYTHON_MISSING.to_owned()));
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(|why| failed("remove", &venv, &why))?;
    }
    quietly("make a Python environment", Command::new(system::PYTHON).args(["-m", "venv"]).arg(&venv))?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--only-binary",
        ":all:",
    ]);
    for file in requirements {
        pip.arg("--requirement").arg(step::root().join(file));
    }
    quietly(&format!("install {}", requirements.join(", ")), &mut pip)?;
    fs::write(&stamp, wanted).map_err(|why| failed("write", &stamp, &why))?;
    Ok(python)
}

/// Runs a command and shows what it said only in the failure.
fn quietly(what: &str, command: &mut Command) -> Outcome {
    // An environment that somebody has activated must not lead pip elsewhere.
    command.env_remove("PYTHONHOME").env_remove("PYTHONPATH").env_remove("VIRTUAL_ENV").stdin(Stdio::null());
    match command.output() {
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

fn failed(what: &str, path: &Path, why: &std::io::Error) -> Failure {
    Failure(format!("cannot {what} {}: {why}", path.display()))
}

/// The build folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| step::root().join("target"), |path| step::root().join(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_list_that_is_not_there_is_named() {
        let failure = ensure_venv(&["no/such/requirements.txt"]).unwrap_err();
        assert!(failure.to_string().contains("requirements.txt"), "{failure}");
    }

    #[test]
    fn every_list_of_requirements_is_there_and_has_hashes() {
        for file in REQUIREMENTS.iter().copied().flatten() {
            let text = fs::read_to_string(step::root().join(file)).unwrap();
            let pins = text.lines().filter(|line| line.contains("==")).count();
            let hashes = text.matches("--hash=sha256:").count();
            assert!(pins > 0 && hashes >= pins, "{file}: {pins} versions, {hashes} hashes");
        }
    }
}
