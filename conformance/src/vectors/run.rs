//! `susurro-conformance vectors`: an implementation is held to the vectors.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::case::{Case, Expected, File, expanded, satisfies};
use super::ops::{Refusal, answer};
use super::shim::{Broken, Seen, Shim};
use super::{checked_in, make};
use crate::suite::report::usual;
use crate::suite::{About, Ending, Finding, Options, Outcome, Reporter, Stop, files};

/// A shim that broke so many times in a row is asked nothing more.
const BREAKS_MAX: u32 = 3;

/// Characters of a value that a failure shows.
const SHOWN: usize = 160;

/// The command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Seconds in which a shim has to answer one request
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    deadline: u64,
    /// Makes the vectors anew and writes them into this folder: a change of them is a protocol version
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["shim", "only", "json", "junit"])]
    write: Option<PathBuf>,
    /// The shim to ask, with its arguments; without one the vectors are held against this program's own code
    #[arg(last = true, value_name = "SHIM")]
    shim: Vec<OsString>,
}

/// Who is asked.
pub enum Asked {
    /// Our own code, in this process.
    Ourselves,
    /// The shim of this command line.
    Shim {
        /// Program and arguments.
        command: Vec<OsString>,
        /// Time for one answer.
        deadline: Duration,
    },
}

/// Runs the subcommand.
///
/// # Errors
///
/// When something cannot be read or written.
pub fn run(arguments: Arguments) -> io::Result<Ending> {
    let Arguments { options, deadline, write, shim } = arguments;
    if let Some(folder) = write {
        return self::write(&folder);
    }
    let cases = match select(checked_in().map_err(io::Error::other)?, &options.only) {
        Ok(cases) => cases,
        Err(ending) => return Ok(ending),
    };
    let asked = if shim.is_empty() {
        Asked::Ourselves
    } else {
        Asked::Shim { command: shim, deadline: Duration::from_secs(deadline) }
    };
    let mut reporter = usual();
    let clean = hold(&cases, &asked, &mut reporter)?;
    if let Some(file) = &options.json {
        std::fs::write(file, files::json(reporter.findings()))?;
    }
    if let Some(file) = &options.junit {
        std::fs::write(file, files::junit(reporter.findings()))?;
    }
    Ok(if clean { Ending::Clean } else { Ending::Failed })
}

/// Text of the file as it stands in `docs/vectors`.
///
/// # Errors
///
/// Never in practice: everything in a file can be written as JSON.
pub fn text(file: &File) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(file)? + "\n")
}

fn write(folder: &Path) -> io::Result<Ending> {
    std::fs::create_dir_all(folder)?;
    let mut out = io::stdout();
    let mut ending = Ending::Clean;
    for (name, make) in make::FILES {
        let file = match make() {
            Ok(file) => file,
            Err(flaw) => {
                writeln!(out, "FAILED     {flaw}")?;
                ending = Ending::Failed;
                continue;
            }
        };
        let path = folder.join(format!("{name}.json"));
        let text = text(&file)?;
        let same = std::fs::read_to_string(&path).is_ok_and(|old| old == text);
        std::fs::write(&path, text)?;
        let word = if same { "unchanged" } else { "written" };
        writeln!(out, "{word:9}  {:4} vectors  {}", file.cases.len(), path.display())?;
    }
    Ok(ending)
}

/// The cases that `only` names: by file (`frames`), whole name, requirement (`FRAME-3`) or its group (`FRAME`).
fn select(files: Vec<File>, only: &[String]) -> Result<Vec<Case>, Ending> {
    let all: Vec<Case> = files.into_iter().flat_map(|file| file.cases).collect();
    if only.is_empty() {
        return Ok(all);
    }
    let names = |case: &Case, word: &str| {
        let group = |id: &String| id.split('-').next() == Some(word);
        case.id == word
            || case.id.split('/').next() == Some(word)
            || case.covers.iter().any(|id| id == word || group(id))
    };
    let words: Vec<_> = only.iter().map(|word| word.trim()).collect();
    if let Some(unknown) = words.iter().find(|word| !all.iter().any(|case| names(case, word))) {
        return Err(Ending::Usage(format!("no vector is called {unknown}")));
    }
    Ok(all.into_iter().filter(|case| words.iter().any(|word| names(case, word))).collect())
}

/// Holds an implementation to `cases`; whether nothing failed.
///
/// # Errors
///
/// When a finding cannot be written.
pub fn hold<W: Write>(cases: &[Case], asked: &Asked, reporter: &mut Reporter<W>) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut shim = None;
        let mut breaks = 0;
        for (done, case) in cases.iter().enumerate() {
            reporter.stands(done, cases.len(), &case.id)?;
            let began = Instant::now();
            let outcome = match asked {
                Asked::Ourselves => judge(case, &ourselves(case)),
                Asked::Shim { .. } if breaks >= BREAKS_MAX => {
                    Err(Stop::failed(expectation(case), "not asked: the shim has broken too often"))
                }
                Asked::Shim { command, deadline } => match ask(&mut shim, command, *deadline, case).await {
                    Ok(seen) => {
                        breaks = 0;
                        judge(case, &seen)
                    }
                    Err(broken) => {
                        breaks += 1;
                        shim = None;
                        Err(Stop::failed(expectation(case), format!("the shim is broken: {broken}")))
                    }
                },
            };
            reporter.tell(Finding { about: about(case), outcome, took: began.elapsed() })?;
        }
        if let Some(shim) = shim {
            shim.leave().await;
        }
        reporter.summary()
    })
}

async fn ask(shim: &mut Option<Shim>, command: &[OsString], deadline: Duration, case: &Case) -> Result<Seen, Broken> {
    let shim = match shim {
        Some(shim) => shim,
        None => shim.insert(Shim::start(command, deadline)?),
    };
    shim.ask(&case.op, &expanded(&case.input)).await
}

fn ourselves(case: &Case) -> Seen {
    match answer(&case.op, &expanded(&case.input)) {
        Ok(output) => Seen::Done(output),
        Err(Refusal::Error(name)) => Seen::Refused(name),
        Err(Refusal::Unsupported) => Seen::Unsupported,
        Err(Refusal::Input(why)) => Seen::Refused(format!("a wrong vector: {why}")),
    }
}

fn judge(case: &Case, seen: &Seen) -> Outcome {
    let failed = |seen: String| Err(Stop::failed(expectation(case), seen));
    match (&case.expected, seen) {
        (_, Seen::Unsupported) => Err(Stop::skipped(format!("{} is not supported", case.op))),
        (Expected::Error(expected), Seen::Refused(name)) if expected == name => Ok(()),
        (_, Seen::Refused(name)) => failed(format!("refused with {}", shown(&name.as_str().into()))),
        (Expected::Error(_), Seen::Done(output)) => failed(format!("accepted: {}", shown(output))),
        (Expected::Output(expected), Seen::Done(output)) => {
            let expected = expanded(expected);
            if satisfies(&expected, output) {
                return Ok(());
            }
            let (path, expected, seen) = difference(&expected, output);
            Err(Stop::failed(format!("{path} {expected}"), seen))
        }
    }
}

fn expectation(case: &Case) -> String {
    match &case.expected {
        Expected::Error(name) => format!("refused with {name}"),
        Expected::Output(output) => format!("done: {}", shown(output)),
    }
}

/// The first place where two values differ, and what stands there.
fn difference(expected: &Value, seen: &Value) -> (String, String, String) {
    let (mut path, mut expected, mut seen) = (String::new(), expected, Some(seen));
    loop {
        let next = match (expected, seen) {
            (Value::Object(members), Some(Value::Object(other))) => members
                .iter()
                .map(|(name, value)| (format!(".{name}"), value, other.get(name)))
                .find(|(_, value, other)| !other.is_some_and(|other| satisfies(value, other))),
            (Value::Array(items), Some(Value::Array(other))) if items.len() == other.len() => items
                .iter()
                .zip(other)
                .enumerate()
                .map(|(at, (value, other))| (format!("[{at}]"), value, Some(other)))
                .find(|(_, value, other)| !other.is_some_and(|other| satisfies(value, other))),
            _ => None,
        };
        let Some((step, value, other)) = next else { break };
        path.push_str(&step);
        (expected, seen) = (value, other);
    }
    let path = path.trim_start_matches('.').to_owned();
    (path, shown(expected), seen.map_or_else(|| "nothing there".to_owned(), shown))
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= SHOWN {
        return text;
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start}… ({} characters)", text.chars().count())
}

/// The case as findings tell it. Names of findings live as long as the program; so do the vectors.
fn about(case: &Case) -> About {
    let leaked = |text: &String| -> &'static str { Box::leak(text.clone().into_boxed_str()) };
    let covers: Vec<&'static str> = case.covers.iter().map(leaked).collect();
    About { id: leaked(&case.id), covers: Box::leak(covers.into_boxed_slice()), tried: leaked(&case.what) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_shows_the_first_difference() {
        let expected = json!({ "a": 1, "steps": [{ "x": "00" }, { "x": "01" }] });
        let seen = json!({ "a": 1, "steps": [{ "x": "00" }, { "x": "ff" }] });
        let told = difference(&expected, &seen);
        assert_eq!(told, ("steps[1].x".into(), "01".into(), "ff".into()));
        let told = difference(&json!({ "a": 1 }), &json!({}));
        assert_eq!(told.2, "nothing there");
    }

    #[test]
    fn cases_are_chosen_by_file_name_requirement_and_group() {
        let case = |id: &str, covers: &str| Case {
            id: id.into(),
            covers: vec![covers.into()],
            what: String::new(),
            op: String::new(),
            input: Value::Null,
            expected: Expected::Error(String::new()),
        };
        let file = || File {
            protocol: 1,
            name: "frames".into(),
            about: String::new(),
            how: String::new(),
            cases: vec![case("frames/a", "SES-1"), case("padding/b", "PAD-1")],
        };
        let chosen = |word: &str| {
            select(vec![file()], &[word.to_owned()]).map(|cases| cases.into_iter().map(|c| c.id).collect::<Vec<_>>())
        };
        for word in ["frames", "frames/a", "SES", "SES-1"] {
            assert_eq!(chosen(word), Ok(vec!["frames/a".to_owned()]), "{word}");
        }
        assert!(chosen("SE").is_err());
    }
}
