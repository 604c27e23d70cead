//! The project's own commands: `cargo xtask demo | test | bench | check | model | configuration | openapi | corpus | vectors | image-check`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

use std::process::ExitCode;

use xtask::{bench, check, configuration, corpus, demo, image, model, openapi, test, vectors};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo [--script]   build the relay and the client, and show two people and the relay on one screen;
                    --script plays the conversation by itself and fails when anything went wrong
  test              build everything once and run every test, then the scripted demonstration
  bench relay [--quick]
                    build for release and measure the relay next to servers that do less; --help for more
  check             formatting, clippy, documentation, links, licences: everything that reads without running
  model             explore the formal models of docs/model, and find their broken variants broken
  configuration     write the reference of the relay's settings and their examples anew
  openapi           write the copy of the relay's description anew
  corpus            write the seeds of the fuzz corpora anew
  vectors           make the test vectors in docs/vectors anew; a change of them is a protocol version
  image-check       walk through the steps of the Dockerfile on this machine, without a container engine
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["demo", rest @ ..] => demo::run(rest),
        ["bench", "relay", rest @ ..] => bench::run(rest),
        ["test"] => test::run(),
        ["check"] => check::run(),
        ["configuration"] => configuration::run(),
        ["openapi"] => openapi::run(),
        ["model"] => model::run(),
        ["corpus"] => corpus::run(),
        ["vectors"] => vectors::run(),
        ["image-check"] => image::run(),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
