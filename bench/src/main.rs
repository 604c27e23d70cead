//! `susurro-bench`: measures the relay. `cargo xtask bench relay` builds both and runs it.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use susurro_bench::failed::{Failed, Outcome};
use susurro_bench::report::Report;
use susurro_bench::run::{self, Part, Plan};
use susurro_bench::target::{Ground, Kind};
use susurro_bench::{bare, plot};

/// How fast the relay is, next to servers that do less.
#[derive(Parser)]
#[command(name = "susurro-bench", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure, and print one table.
    Relay(Relay),
    /// Print the table of figures that were kept with --json.
    Show {
        /// The figures.
        file: PathBuf,
        /// Where to draw them.
        #[arg(long, value_name = "SVG")]
        plot: Option<PathBuf>,
    },
    /// Be the bare forwarder.
    #[command(hide = true)]
    Forwarder,
    /// Be the bare group-commit writer.
    #[command(hide = true)]
    Writer {
        /// Its database.
        file: PathBuf,
    },
}

#[derive(clap::Args)]
struct Relay {
    /// Once and briefly: to see that it works, not for figures.
    #[arg(long)]
    quick: bool,
    /// How often each measurement is made; the middle one counts.
    #[arg(long, value_name = "N")]
    repeats: Option<usize>,
    /// Only these servers.
    #[arg(long, value_name = "SERVER", value_delimiter = ',')]
    only: Vec<Kind>,
    /// Only these parts.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    parts: Vec<Part>,
    /// Only these numbers of pairs.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [50, 500])]
    pairs: Vec<usize>,
    /// Only these sizes of ciphertexts.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [256, 1024])]
    bytes: Vec<usize>,
    /// Messages of one sender that wait for their answer, at most.
    #[arg(long, value_name = "N", default_value_t = 64)]
    window: u32,
    /// Seconds that count, of each measurement.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Where to keep the figures.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where to draw them.
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
    /// The relay [default: beside this program].
    #[arg(long, value_name = "PROGRAM")]
    relay: Option<PathBuf>,
    /// Where databases may lie, on the disk that is to be measured [default: beside this program].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = match (runtime, command) {
        (Err(error), _) => Err(Failed::from(error)),
        (Ok(runtime), Command::Relay(relay)) => runtime.block_on(measure(relay)),
        (Ok(runtime), Command::Forwarder) => runtime.block_on(bare::serve(None)),
        (Ok(runtime), Command::Writer { file }) => runtime.block_on(bare::serve(Some(file))),
        (Ok(_), Command::Show { file, plot }) => show(&file, plot),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "susurro-bench: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(relay: Relay) -> Outcome {
    let own = std::env::current_exe()?;
    let ground = Ground {
        relay: relay.relay.unwrap_or_else(|| own.with_file_name("susurro-server")),
        folder: relay.folder.unwrap_or_else(|| own.with_file_name("bench-files")),
        own,
    };
    let mut plan = if relay.quick { Plan::quick() } else { Plan::default() };
    plan.repeats = relay.repeats.unwrap_or(plan.repeats).max(1);
    plan.seconds = relay.seconds.unwrap_or(plan.seconds);
    plan.window = relay.window;
    plan.pairs = relay.pairs;
    plan.bytes = relay.bytes;
    if !relay.only.is_empty() {
        plan.kinds = relay.only;
    }
    if !relay.parts.is_empty() {
        plan.parts = relay.parts;
    }
    let report = run::run(&ground, &plan).await?;
    if let Some(file) = relay.json {
        fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if let Some(file) = relay.plot {
        fs::write(file, plot::svg(&report))?;
    }
    print(&report)
}

fn show(file: &std::path::Path, plot: Option<PathBuf>) -> Outcome {
    let report: Report = serde_json::from_str(&fs::read_to_string(file)?)?;
    if let Some(file) = plot {
        fs::write(file, plot::svg(&report))?;
    }
    print(&report)
}

fn print(report: &Report) -> Outcome {
    Ok(std::io::stdout().write_all(report.to_string().as_bytes())?)
}
