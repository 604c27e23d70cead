//! The figures, as a table and as JSON.

use std::fmt;
use std::fs;

use serde::{Deserialize, Serialize};

use crate::backlog::Backlog;
use crate::idle::Idle;
use crate::load::Throughput;
use crate::target::Kind;

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Where and how.
    pub machine: Machine,
    /// A row a server.
    pub measured: Vec<Measured>,
}

/// Where and how.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub processor: String,
    /// How many of it.
    pub cores: usize,
    /// The system.
    pub system: String,
    /// The load of the last minute before and after: what else ran beside.
    pub load: (String, String),
    /// How often each measurement was made; the middle one is shown.
    pub repeats: usize,
    /// Seconds of each.
    pub seconds: f64,
    /// Unanswered messages of one sender.
    pub window: u32,
}

/// One server.
#[derive(Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Which.
    pub kind: Kind,
    /// As fast as it goes.
    pub speed: Vec<Speed>,
    /// Milliseconds from client to client at 500 messages a second: the 50th and 99th percentile.
    pub latency: Option<(f64, f64)>,
    /// Stored for people who are away, and fetched.
    pub backlog: Option<Backlog>,
    /// Memory of connections that say nothing.
    pub idle: Vec<Idle>,
}

/// A throughput and what was sent for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Speed {
    /// Pairs of a sender and a receiver.
    pub pairs: usize,
    /// Bytes of a ciphertext.
    pub bytes: usize,
    /// What came of it.
    pub throughput: Throughput,
}

impl Machine {
    /// Looks at the machine before the first measurement.
    #[must_use]
    pub fn look(repeats: usize, seconds: f64, window: u32) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpus = read("/proc/cpuinfo");
        let model = cpus.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| Some(line.split_once(": ")?.1)).unwrap_or("unknown").to_owned();
        Self {
            processor,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            load: (load(), String::new()),
            repeats,
            seconds,
            window,
        }
    }

    /// Looks once more, after the last.
    #[must_use]
    pub fn done(mut self) -> Self {
        self.load.1 = load();
        self
    }
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

impl Measured {
    /// Nothing yet.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self { kind, speed: Vec::new(), latency: None, backlog: None, idle: Vec::new() }
    }
}

impl fmt::Display for Report {
    /// Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "{}, {} cores, {}; medians of {}, {} s each, window {}; load {} before, {} after\n",
            machine.processor,
            machine.cores,
            machine.system,
            machine.repeats,
            machine.seconds,
            machine.window,
            machine.load.0,
            machine.load.1,
        )?;
        writeln!(
            f,
            "| server | pairs | bytes | delivered/s | server CPU-s for 10,000 | database CPU-s | generator CPU-s | bytes \
             written a message |\n|---|---|---|---|---|---|---|---|"
        )?;
        for (measured, speed) in
            self.measured.iter().flat_map(|measured| measured.speed.iter().map(move |s| (measured, s)))
        {
            let Throughput { delivered, server_cpu, own_cpu, database_cpu, written } = speed.throughput;
            let database = if database_cpu > 0.0 { format!("{database_cpu:.4}") } else { String::new() };
            writeln!(
                f,
                "| {} | {} | {} | {} | {server_cpu:.4} | {database} | {own_cpu:.4} | {} |",
                measured.kind.name(),
                speed.pairs,
                speed.bytes,
                thousands(delivered),
                thousands(written),
            )?;
        }
        writeln!(
            f,
            "\n| server | p50 / p99 at 500/s | stored/s | drained/s | memory of idle connections |\n|---|---|---|---|---|"
        )?;
        for measured in &self.measured {
            let latency = measured.latency.map_or(String::new(), |(p50, p99)| format!("{p50:.2} / {p99:.2} ms"));
            let (stored, drained) = measured
                .backlog
                .map_or_else(Default::default, |backlog| (thousands(backlog.stored), thousands(backlog.drained)));
            let idle = measured.idle.iter().map(|idle| {
                let (each, whole) = (idle.each / 1024.0, idle.resident as f64 / 1024.0 / 1024.0);
                format!("{}: {each:.1} KiB each, {whole:.0} MiB in all", thousands(idle.connections as f64))
            });
            let idle: Vec<String> = idle.collect();
            writeln!(f, "| {} | {latency} | {stored} | {drained} | {} |", measured.kind.name(), idle.join("; "))?;
        }
        Ok(())
    }
}

/// A whole number with commas.
#[must_use]
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0.0, 999.4, 1000.0, 1_234_567.0].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
