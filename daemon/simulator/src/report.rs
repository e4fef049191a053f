//! The result of a campaign, for people and for programs.

use crate::campaign::{Campaign, Found};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The result of a campaign.
#[derive(Debug, Clone, Default)]
pub struct Report {
    seeds: u64,
    minutes: u64,
    found: Found,
    took: Duration,
    /// After how many seeds each broken rule was noticed; none: it was not.
    pub bugs: BTreeMap<&'static str, Option<u64>>,
    /// Figures of a large cluster, if one was run.
    pub large: Option<LargeFigures>,
}

/// What a large cluster takes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct LargeFigures {
    /// Seconds until everything is served again after a node has died.
    pub converged_s: f64,
    /// Bytes a second that each node sends, in peace.
    pub bytes_per_s_per_node: f64,
    /// Steps of brains that one processor takes in a second.
    pub decisions_per_s: f64,
    /// Memory of the whole simulation, mebibytes.
    pub rss_mb: f64,
}

impl Report {
    /// Takes the outcome of a campaign.
    pub fn take(&mut self, campaign: &Campaign, found: &Found, took: Duration) {
        self.seeds = found.seeds;
        self.minutes = campaign.course.length.as_secs() / 60;
        self.found = found.clone();
        self.took = took;
    }

    fn simulated_hours(&self) -> f64 {
        Duration::from_millis(self.found.tally.simulated_ms).as_secs_f64() / 3_600.0
    }
}

/// What is written down.
#[derive(Serialize)]
struct Written<'a> {
    seeds: u64,
    simulated_hours: f64,
    violations: usize,
    seeded_bugs: &'a BTreeMap<&'static str, Option<u64>>,
    nodes_1000: Option<LargeFigures>,
}

/// Writes the result for programs. What an earlier run measured and this one did not, stays.
///
/// # Errors
/// When the file or its folder can't be written.
pub fn write_json(path: &Path, report: &Report) -> anyhow::Result<()> {
    let written = serde_json::to_value(Written {
        seeds: report.seeds,
        simulated_hours: report.simulated_hours(),
        violations: report.found.failures.len(),
        seeded_bugs: &report.bugs,
        nodes_1000: report.large,
    })?;
    let before = std::fs::read(path).ok();
    let before: Option<serde_json::Value> =
        before.and_then(|text| serde_json::from_slice(&text).ok());
    let kept = |key: &str, value: &serde_json::Value| {
        let is_measured = match value {
            serde_json::Value::Null => false,
            serde_json::Value::Object(members) => !members.is_empty(),
            serde_json::Value::Number(number) => report.seeds > 0 || number.as_f64() > Some(0.0),
            serde_json::Value::Bool(_)
            | serde_json::Value::String(_)
            | serde_json::Value::Array(_) => true,
        };
        let old = before.as_ref().and_then(|before| before.get(key)).cloned();
        old.filter(|_| !is_measured)
            .unwrap_or_else(|| value.clone())
    };
    let merged: serde_json::Map<_, _> = written
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), kept(key, value)))
        .collect();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, serde_json::to_vec_pretty(&merged)?)?;
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.found.tally;
        if self.seeds > 0 {
            writeln!(f, "seeds                     {}", self.seeds)?;
            writeln!(f, "simulated hours           {:.0}", self.simulated_hours())?;
            writeln!(f, "took                      {:.0?}", self.took)?;
            writeln!(f, "violations                {}", self.found.failures.len())?;
            writeln!(f, "steps of brains           {}", tally.steps)?;
            writeln!(f, "datasets opened           {}", tally.opened)?;
            writeln!(f, "served twice for a moment {}", tally.two_open)?;
            writeln!(f, "divergent copies kept     {}", tally.filed)?;
            writeln!(f, "streams                   {}", tally.streams)?;
            writeln!(
                f,
                "moves, called off         {}, {}",
                tally.moved, tally.called_off
            )?;
            writeln!(f, "new holders proposed      {}", tally.rehomed)?;
            writeln!(f, "copies dropped            {}", tally.dropped)?;
            writeln!(
                f,
                "requests answered, held   {}, {}",
                tally.requests.answered, tally.requests.held
            )?;
            let unserved = self.found.longest_unserved;
            writeln!(f, "longest without service   {unserved:.0?}")?;
            writeln!(
                f,
                "longest way to rest       {:.0?}",
                self.found.longest_rest
            )?;
        }
        for (name, seeds) in &self.bugs {
            match seeds {
                Some(seeds) => writeln!(f, "{name:<25} noticed after {seeds} seeds")?,
                None => writeln!(f, "{name:<25} NOT NOTICED")?,
            }
        }
        if let Some(large) = self.large {
            writeln!(f, "converged                 {:.1} s", large.converged_s)?;
            writeln!(
                f,
                "bytes a second and node   {:.0}",
                large.bytes_per_s_per_node
            )?;
            writeln!(f, "decisions a second        {:.0}", large.decisions_per_s)?;
            writeln!(f, "memory                    {:.0} MiB", large.rss_mb)?;
        }
        Ok(())
    }
}
