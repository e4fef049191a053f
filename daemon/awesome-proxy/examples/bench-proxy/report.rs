//! The figures: medians, a table for people, a file for programs.

use crate::load::Size;
use crate::peers::Peer;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    Ours,
    Other(Peer),
    /// Two doors of ours, the second one where the site is; their times added up.
    OursWithHop,
}

impl Contender {
    pub const ALL: [Self; 5] = [
        Self::Ours,
        Self::Other(Peer::Haproxy),
        Self::Other(Peer::Nginx),
        Self::Other(Peer::Apache),
        Self::OursWithHop,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Other(peer) => peer.name(),
            Self::OursWithHop => "ours, one hop",
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Processor time per request, microseconds.
    pub cpu_us: f64,
    /// Requests answered a second.
    pub requests_per_s: f64,
}

/// All measurements.
#[derive(Debug, Default)]
pub struct Figures(Vec<(Contender, Size, Sample)>);

impl Figures {
    pub fn add(&mut self, contender: Contender, size: Size, sample: Sample) {
        self.0.push((contender, size, sample));
    }

    /// The median of one figure; none if it was not measured.
    fn median(&self, who: Contender, size: Size, of: fn(&Sample) -> f64) -> Option<f64> {
        let mut values: Vec<f64> = self
            .0
            .iter()
            .filter(|(contender, asked, _)| *contender == who && *asked == size)
            .map(|(_, _, sample)| of(sample))
            .collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// Says how far it is.
pub fn progress(round: usize, rounds: usize) -> Result<()> {
    let mut error = std::io::stderr();
    writeln!(error, "round {round} of {rounds} done")?;
    Ok(())
}

/// Prints the table.
pub fn print(figures: &Figures, versions: &[(&str, String)]) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(
        output,
        "{:<16}{:>32}{:>32}",
        "", "small answers", "64 KiB answers"
    )?;
    let heads = ["CPU us/request", "requests/s"];
    writeln!(
        output,
        "{:<16}{:>18}{:>14}{:>18}{:>14}",
        "one worker", heads[0], heads[1], heads[0], heads[1]
    )?;
    for contender in Contender::ALL {
        write!(output, "{:<16}", contender.name())?;
        for size in Size::ALL {
            let cpu = figures.median(contender, size, |sample| sample.cpu_us);
            let rate = figures.median(contender, size, |sample| sample.requests_per_s);
            write!(output, "{:>18}{:>14}", number(cpu, 1), number(rate, 0))?;
        }
        writeln!(output)?;
    }
    let told: Vec<String> = versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    writeln!(
        output,
        "Beside {}. One hop: both doors' times together, TLS between them.",
        told.join(", ")
    )?;
    Ok(())
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

/// Writes the file.
pub fn write(figures: &Figures, path: &Path) -> Result<()> {
    let rounded = |who, size| {
        let median = figures.median(who, size, |sample| sample.cpu_us);
        median.map_or(Value::Null, |us| json!((us * 10.0).round() / 10.0))
    };
    let all = |size| {
        Contender::ALL
            .into_iter()
            .filter(|contender| *contender != Contender::OursWithHop)
            .map(|contender| (contender.name().to_owned(), rounded(contender, size)))
            .collect::<Map<_, _>>()
    };
    let content = json!({
        "small_us": all(Size::Small),
        "64k_us": all(Size::Large),
        "small_hop_us": rounded(Contender::OursWithHop, Size::Small),
        "64k_hop_us": rounded(Contender::OursWithHop, Size::Large),
    });
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let text = format!("{}\n", serde_json::to_string_pretty(&content)?);
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
