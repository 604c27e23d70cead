//! The figures as a picture that needs no program to be looked at.

use std::fmt::Write as _;

use crate::report::{Report, Speed, thousands};

const WIDTH: f64 = 900.0;
const BAR: f64 = 16.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 110.0;
const COLOURS: [&str; 6] = ["#8d99ae", "#c9a227", "#2a6f97", "#6a4c93", "#52796f", "#9c6644"];

/// A figure of one shape of load.
type Figure = fn(&Speed) -> f64;

/// Bars of an SVG: one group a figure, one bar a server and shape, on a scale that begins at zero.
#[must_use]
pub fn svg(report: &Report) -> String {
    let mut out = String::new();
    let mut y = 20.0;
    let groups: [(&str, Figure, usize); 3] = [
        ("messages delivered a second (more is better)", |speed| speed.throughput.delivered, 0),
        (
            "processor seconds of the server for 10,000 messages (less is better)",
            |speed| speed.throughput.server_cpu,
            4,
        ),
        ("bytes written to disk a message (less is better)", |speed| speed.throughput.written, 0),
    ];
    for (title, figure, digits) in groups {
        let bars = report.measured.iter().enumerate().flat_map(|(server, measured)| {
            measured.speed.iter().map(move |speed| {
                let label = format!("{}, {} pairs, {} B", measured.kind.name(), speed.pairs, speed.bytes);
                (server, label, figure(speed))
            })
        });
        y = group(&mut out, y, title, bars.collect(), digits);
    }
    let backlog = report.measured.iter().enumerate().filter_map(|(server, measured)| {
        let backlog = measured.backlog?;
        let name = measured.kind.name();
        Some([
            (server, format!("{name}, stored"), backlog.stored),
            (server, format!("{name}, drained"), backlog.drained),
        ])
    });
    y = group(
        &mut out,
        y,
        "a backlog of 50 × 1,000, messages a second (more is better)",
        backlog.flatten().collect(),
        0,
    );
    let latency = report.measured.iter().enumerate().filter_map(|(server, measured)| {
        let (_, p99) = measured.latency?;
        Some((server, format!("{}, p99", measured.kind.name()), p99))
    });
    y = group(&mut out, y, "milliseconds from client to client at 500 a second (less is better)", latency.collect(), 2);
    let idle = report.measured.iter().enumerate().flat_map(|(server, measured)| {
        measured.idle.iter().map(move |idle| {
            let label = format!("{}, {} idle", measured.kind.name(), thousands(idle.connections as f64));
            (server, label, idle.each / 1024.0)
        })
    });
    y = group(&mut out, y, "KiB of memory a connection (less is better)", idle.collect(), 1);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{out}</svg>\n"
    )
}

fn group(out: &mut String, mut y: f64, title: &str, bars: Vec<(usize, String, f64)>, digits: usize) -> f64 {
    let most = bars.iter().map(|(.., figure)| *figure).fold(0.0, f64::max);
    if most <= 0.0 {
        return y;
    }
    // Writing into a string cannot fail.
    let _ = writeln!(out, "<text x=\"10\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>", y + 4.0);
    y += 14.0;
    for (server, label, figure) in bars {
        let width = (WIDTH - LEFT - RIGHT) * figure / most;
        let number = if digits == 0 { thousands(figure) } else { format!("{figure:.digits$}") };
        let base = y + BAR - 4.0;
        let colour = COLOURS[server % COLOURS.len()];
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{base:.1}\">{number}</text>",
            LEFT - 8.0,
            BAR - 2.0,
            LEFT + width + 6.0,
        );
        y += BAR;
    }
    y + 24.0
}
