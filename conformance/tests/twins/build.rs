//! Twins: the real programs with one rule switched off, so that the checks are seen to fail.
//!
//! A copy of the sources is changed by a table of substitutions and built once, into programs of other names; which
//! rule is off is said by `SUSURRO_TWIN` when a twin runs. The sources that are released hold nothing of this.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a twin is told apart by at run time.
pub(crate) const VARIABLE: &str = "SUSURRO_TWIN";

/// A program with one rule switched off.
pub(crate) struct Twin {
    /// Its name: the value of [`VARIABLE`].
    pub(crate) name: &'static str,
    /// The check that has to catch it.
    pub(crate) caught_by: &'static str,
    /// Where it differs.
    pub(crate) changes: &'static [Change],
}

/// One difference.
pub(crate) struct Change {
    /// File of the workspace.
    pub(crate) file: &'static str,
    /// Text that occurs in it exactly once.
    pub(crate) find: &'static str,
    /// What stands there in the twins; `TWIN` is whether this twin runs.
    pub(crate) replace: &'static str,
}

/// Folders of the packages whose programs have twins, with the names of package and program, and of the twin.
const PROGRAMS: [(&str, &str, &str); 2] =
    [("server", "susurro-server", "susurro-server-twin"), ("client-tui", "susurro", "susurro-twin")];

/// A test target that is quick to build; no other package has one of this name.
const SMALLEST_TEST: &str = "corpus";

/// Where the members of the copy are.
const DEEPER: &str = "twins";

/// Everything that the copy needs: the members of the workspace and what is included from elsewhere.
const PARTS: [&str; 11] = [
    "Cargo.toml",
    "Cargo.lock",
    "protocol",
    "server",
    "client-core",
    "client-tui",
    "conformance",
    "bench",
    "xtask",
    "migrations",
    "docs",
];

/// The program of this name in its form with twins, built when it is not.
pub(crate) fn program(name: &str, tables: &[&[Twin]]) -> PathBuf {
    let target = target();
    let folder = target.join("twins");
    fs::create_dir_all(&folder).unwrap();
    // Tests are processes of their own: one copies and builds, the others wait for it.
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let source = folder.join("source");
    copy(tables, &source);
    let release = std::env::current_exe().unwrap().ancestors().any(|folder| folder.ends_with("release"));
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.current_dir(&source).args(["build", "--locked", "--workspace", "--target-dir"]).arg(&target);
    for (_, _, twin) in PROGRAMS {
        cargo.args(["--bin", twin]);
    }
    // One test target, of a package without programs: only when tests are among the targets do dependencies have the
    // features that they have in the real workspace, and are found in the folder instead of being built again.
    cargo.args(["--test", SMALLEST_TEST]);
    if release {
        cargo.arg("--release");
    }
    // What Cargo tells a test about its package would make it build the dependencies anew.
    for (variable, _) in std::env::vars() {
        let of_this_test =
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_TARGET_TMPDIR", "CARGO_CRATE_NAME", "NEXTEST"];
        if of_this_test.iter().any(|beginning| variable.starts_with(beginning)) {
            cargo.env_remove(variable);
        }
    }
    let built = cargo.env_remove("LD_LIBRARY_PATH").output().unwrap();
    assert!(built.status.success(), "the twins do not build:\n{}", String::from_utf8_lossy(&built.stderr));
    let (_, _, twin) = PROGRAMS.into_iter().find(|(_, program, _)| *program == name).expect("a program with twins");
    let profile = if release { "release" } else { "debug" };
    target.join(profile).join(format!("{twin}{}", std::env::consts::EXE_SUFFIX))
}

/// `target`, in which this test was built as well.
fn target() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let marked = here.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.expect("Cargo marks its target folder").to_owned()
}

/// Makes the changed copy. Files that are there already as they should be stay untouched: Cargo goes by their times.
/// What an earlier copy had and the sources have no longer is taken away: Cargo finds tests and programs by their files.
fn copy(tables: &[&[Twin]], source: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut wanted, mut there, mut copied) = (Vec::new(), Vec::new(), HashSet::new());
    for part in PARTS {
        files(&root.join(part), &mut wanted);
    }
    if source.is_dir() {
        files(source, &mut there);
    }
    for file in wanted {
        let name = file.strip_prefix(root).unwrap();
        let contents = changed(name, fs::read(&file).unwrap(), tables);
        // One folder deeper than the real ones: Cargo names what it builds after the path within the workspace, and
        // what was built for a twin must never be taken for the real thing in the folder that both share.
        let to = if name.parent() == Some(Path::new("")) { source.join(name) } else { source.join(DEEPER).join(name) };
        copied.insert(to.clone());
        if fs::read(&to).is_ok_and(|there| there == contents) {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, contents).unwrap();
    }
    for stale in there.iter().filter(|file| !copied.contains(*file)) {
        fs::remove_file(stale).unwrap();
    }
}

#[test]
fn what_the_sources_have_no_longer_leaves_the_copy() {
    let source = tempfile::tempdir().unwrap();
    let stale = source.path().join(DEEPER).join("xtask/tests/stale.rs");
    fs::create_dir_all(stale.parent().unwrap()).unwrap();
    fs::write(&stale, "not Rust").unwrap();
    copy(&[], source.path());
    assert!(!stale.exists() && source.path().join(DEEPER).join("xtask/src/lib.rs").is_file());
}

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
    } else {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    }
}

/// A file of the copy.
fn changed(name: &Path, contents: Vec<u8>, tables: &[&[Twin]]) -> Vec<u8> {
    let Ok(mut text) = String::from_utf8(contents.clone()) else { return contents };
    let name = name.to_str().unwrap().replace('\\', "/");
    if name == "Cargo.toml" {
        // In that line alone: features of dependencies have names such as "server" too.
        let members =
            text.lines().find(|line| line.starts_with("members = ")).expect("the members on a line").to_owned();
        text = once(
            &text,
            &name,
            &members,
            &members.replace("[\"", &format!("[\"{DEEPER}/")).replace(", \"", &format!(", \"{DEEPER}/")),
        );
        for member in ["protocol", "server", "client-core", "xtask"] {
            text = text.replace(&format!("path = \"{member}\""), &format!("path = \"{DEEPER}/{member}\""));
        }
    }
    for (folder, program, twin) in PROGRAMS {
        // Another name, so that no twin ever lies where the real program is looked for.
        if name == format!("{folder}/Cargo.toml") {
            let package = format!("[package]\nname = \"{program}\"\n");
            text = once(&text, &name, &package, &format!("{package}autobins = false\n"));
            let named = format!("[[bin]]\nname = \"{program}\"\npath = \"src/main.rs\"\n");
            text = text.replace(&named, "");
            text.push_str(&named.replacen(program, twin, 1));
        }
    }
    for twin in tables.iter().copied().flatten() {
        for change in twin.changes.iter().filter(|change| change.file == name) {
            let asked = format!("(std::env::var(\"{VARIABLE}\").as_deref() == Ok(\"{}\"))", twin.name);
            text = once(&text, &name, change.find, &change.replace.replace("TWIN", &asked));
        }
    }
    text.into_bytes()
}

/// Loud when a text is no longer there, or more than once: the twin would be none.
fn once(text: &str, file: &str, find: &str, replace: &str) -> String {
    assert_eq!(text.matches(find).count(), 1, "{file} has to have this exactly once:\n{find}");
    text.replacen(find, replace, 1)
}

/// Every change is of a file that exists, and no two twins have a name in common.
pub(crate) fn sound(tables: &[&[Twin]]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut names: Vec<_> = tables.iter().copied().flatten().map(|twin| twin.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    for change in tables.iter().copied().flatten().flat_map(|twin| twin.changes) {
        assert!(change.replace.contains("TWIN"), "{} changes all twins", change.file);
        let text = fs::read_to_string(root.join(change.file)).unwrap();
        once(&text, change.file, change.find, change.replace);
    }
}
