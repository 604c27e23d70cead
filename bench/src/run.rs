//! All measurements, one after the other.

use std::io::Write as _;
use std::time::Duration;

use crate::backlog::{self, Backlog};
use crate::failed::Outcome;
use crate::idle;
use crate::load::{self, Shape, Throughput};
use crate::process;
use crate::report::{Machine, Measured, Report, Speed};
use crate::target::{Ground, Kind, Target};

/// Messages a second in the measurement of latency.
const RATE: f64 = 500.0;

/// Pairs and bytes of the measurements of latency and of a backlog.
const FEW: usize = 50;
const SMALL: usize = 256;

/// Messages for each user in a backlog.
const EACH: u64 = 1000;

/// A kind of measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Messages a second, what they cost, bytes written.
    Throughput,
    /// Milliseconds from client to client at 500 messages a second.
    Latency,
    /// Memory of idle connections.
    Idle,
    /// Stored for people who are away, and fetched.
    Backlog,
}

/// What to measure.
pub struct Plan {
    /// The servers.
    pub kinds: Vec<Kind>,
    /// The measurements.
    pub parts: Vec<Part>,
    /// Pairs, for throughput.
    pub pairs: Vec<usize>,
    /// Bytes of ciphertexts, for throughput.
    pub bytes: Vec<usize>,
    /// How often.
    pub repeats: usize,
    /// Seconds that count.
    pub seconds: f64,
    /// Unanswered messages of one sender.
    pub window: u32,
    /// Idle connections.
    pub idle: Vec<usize>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            kinds: Kind::USUAL.to_vec(),
            parts: vec![Part::Throughput, Part::Latency, Part::Backlog, Part::Idle],
            pairs: vec![50, 500],
            bytes: vec![256, 1024],
            repeats: 3,
            seconds: 4.0,
            window: 64,
            idle: vec![1_000, 10_000],
        }
    }
}

impl Plan {
    /// Once and briefly.
    #[must_use]
    pub fn quick() -> Self {
        Self { repeats: 1, seconds: 1.0, idle: vec![200, 1_000], ..Self::default() }
    }

    fn shape(&self, pairs: usize, bytes: usize) -> Shape {
        Shape {
            pairs,
            bytes,
            window: self.window,
            warm_up: Duration::from_secs_f64(self.seconds / 4.0),
            measured: Duration::from_secs_f64(self.seconds),
        }
    }
}

/// Measures everything of the plan.
///
/// # Errors
///
/// When a server does not start, or gives a wrong answer.
pub async fn run(ground: &Ground, plan: &Plan) -> Outcome<Report> {
    process::raise_open_files(plan.idle.iter().max().map_or(0, |most| *most as u64) + 2000)?;
    let mut measured: Vec<Measured> = plan.kinds.iter().map(|kind| Measured::of(*kind)).collect();
    let machine = Machine::look(plan.repeats, plan.seconds, plan.window);
    // Servers take turns inside of each measurement, so that a change of the machine's mood meets all.
    for part in &plan.parts {
        match part {
            Part::Throughput => {
                for (pairs, bytes) in
                    plan.pairs.iter().flat_map(|pairs| plan.bytes.iter().map(|bytes| (*pairs, *bytes)))
                {
                    throughput(ground, plan, pairs, bytes, &mut measured).await?;
                }
            }
            Part::Latency => latency(ground, plan, &mut measured).await?,
            Part::Backlog => {
                for measured in measured.iter_mut().filter(|measured| measured.kind.stores()) {
                    measured.backlog = Some(backlog(ground, plan, measured.kind).await?);
                }
            }
            Part::Idle => {
                for measured in &mut measured {
                    measured.idle = idle::measure(ground, measured.kind, &plan.idle).await?;
                    for idle in &measured.idle {
                        let each = idle.each / 1024.0;
                        say(&format!("{}: {} idle, {each:.1} KiB each", measured.kind.name(), idle.connections));
                    }
                }
            }
        }
    }
    Ok(Report { machine: machine.done(), measured })
}

async fn throughput(ground: &Ground, plan: &Plan, pairs: usize, bytes: usize, measured: &mut [Measured]) -> Outcome {
    let mut runs: Vec<Vec<Throughput>> = measured.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.repeats {
        for (measured, runs) in measured.iter().zip(&mut runs) {
            let target = Target::start(ground, measured.kind, pairs).await?;
            let found = load::full_speed(&target, plan.shape(pairs, bytes)).await?;
            say(&format!(
                "{}: {pairs} pairs, {bytes} B: {:.0} a second, {:.4} CPU-s for 10,000 ({:.4} of the generator)",
                measured.kind.name(),
                found.delivered,
                found.server_cpu,
                found.own_cpu,
            ));
            runs.push(found);
        }
    }
    for (measured, runs) in measured.iter_mut().zip(runs) {
        let of = |figure: fn(&Throughput) -> f64| middle(runs.iter().map(figure).collect());
        let throughput = Throughput {
            delivered: of(|run| run.delivered),
            server_cpu: of(|run| run.server_cpu),
            own_cpu: of(|run| run.own_cpu),
            database_cpu: of(|run| run.database_cpu),
            written: of(|run| run.written),
        };
        measured.speed.push(Speed { pairs, bytes, throughput });
    }
    Ok(())
}

async fn latency(ground: &Ground, plan: &Plan, measured: &mut [Measured]) -> Outcome {
    let mut runs: Vec<(Vec<f64>, Vec<f64>)> = measured.iter().map(|_| (Vec::new(), Vec::new())).collect();
    for _ in 0..plan.repeats {
        for (measured, (p50, p99)) in measured.iter().zip(&mut runs) {
            let target = Target::start(ground, measured.kind, FEW).await?;
            let sorted = load::paced(&target, plan.shape(FEW, SMALL), RATE).await?;
            let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
            say(&format!("{}: p50 {:.2} ms, p99 {:.2} ms", measured.kind.name(), at(0.5), at(0.99)));
            p50.push(at(0.5));
            p99.push(at(0.99));
        }
    }
    for (measured, (p50, p99)) in measured.iter_mut().zip(runs) {
        measured.latency = Some((middle(p50), middle(p99)));
    }
    Ok(())
}

async fn backlog(ground: &Ground, plan: &Plan, kind: Kind) -> Outcome<Backlog> {
    let (mut stored, mut drained) = (Vec::new(), Vec::new());
    for _ in 0..plan.repeats {
        let found = backlog::measure(ground, kind, FEW, EACH, SMALL, plan.window).await?;
        say(&format!("{}: {:.0} stored, {:.0} drained a second", kind.name(), found.stored, found.drained));
        stored.push(found.stored);
        drained.push(found.drained);
    }
    Ok(Backlog { stored: middle(stored), drained: middle(drained) })
}

/// The median; the lower of two in the middle.
fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Says how far it is, beside the table.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
