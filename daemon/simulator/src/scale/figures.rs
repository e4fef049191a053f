//! What was measured.

use crate::report::LargeFigures;
use serde::Serialize;
use std::fmt;

/// What a large cluster takes. Times are virtual, from the moment before which nothing was amiss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Nodes.
    pub nodes: u16,
    /// Datasets, three copies each.
    pub datasets: u32,
    /// Nodes that are simulated whole; bytes of boards, steps and memory are theirs.
    pub whole_nodes: usize,
    /// Everything starts at once.
    pub start: Start,
    /// Bytes a second that a node sends.
    pub bytes: Bytes,
    /// One node loses its power.
    pub one_dies: Death,
    /// A whole zone does.
    pub zone_dies: Death,
    /// Nodes of that zone.
    pub zone_nodes: usize,
    /// All dead nodes come back: seconds until all know it and every copy is a good one again.
    pub back_s: f64,
    /// Steps that the whole nodes' brains took.
    pub steps: u64,
    /// Steps of such a brain that one processor takes in a second.
    pub steps_per_s: f64,
    /// The longest one, milliseconds.
    pub longest_step_ms: f64,
    /// Memory of such a brain, mebibytes.
    pub brain_mb: f64,
    /// Most memory of the whole simulation, mebibytes.
    pub rss_mb: f64,
    /// How often a node that ran was declared dead by another, until all were back.
    pub false_deaths: u64,
    /// Simulated seconds.
    pub simulated_s: f64,
}

/// A start of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Start {
    /// Seconds until every node knows that every other is up.
    pub known_s: f64,
    /// Seconds until every dataset is served.
    pub served_s: f64,
    /// Seconds until the whole nodes know all of that.
    pub seen_s: f64,
}

/// Bytes a second that a node sends, in different times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bytes {
    /// Nothing changes: who is up, and signs of life.
    pub quiet: Rates,
    /// And every node reports on itself every other second.
    pub reports: Rates,
    /// And visitors write.
    pub peace: Rates,
    /// Half a minute after the death of a node.
    pub after_one: Rates,
    /// Half a minute after the death of a zone.
    pub after_zone: Rates,
}

/// Bytes a second that a node sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Datagrams of membership, on average over all nodes.
    pub datagrams: f64,
    /// Board streams, on average over the whole nodes.
    pub boards: f64,
}

impl Rates {
    /// Both.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.datagrams + self.boards
    }
}

/// A death and what follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Death {
    /// Datasets that were live there.
    pub datasets: usize,
    /// Seconds until every living node knows.
    pub known_s: f64,
    /// Seconds until all of its datasets are served elsewhere.
    pub served_s: f64,
    /// Seconds until the whole nodes know where.
    pub seen_s: f64,
}

impl Death {
    /// Seconds until all is well again.
    #[must_use]
    pub const fn converged_s(&self) -> f64 {
        self.known_s.max(self.served_s).max(self.seen_s)
    }
}

impl Figures {
    /// The part of it that goes to the campaign's report.
    #[must_use]
    pub fn summary(&self) -> LargeFigures {
        LargeFigures {
            converged_s: self.one_dies.converged_s(),
            bytes_per_s_per_node: self.bytes.peace.total(),
            decisions_per_s: self.steps_per_s,
            rss_mb: self.rss_mb,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            nodes, datasets, ..
        } = self;
        writeln!(f, "nodes, datasets              {nodes}, {datasets}")?;
        writeln!(
            f,
            "sample: whole nodes          {}; the rest knows its own datasets only",
            self.whole_nodes
        )?;
        writeln!(f, "simulated                    {:.0} s", self.simulated_s)?;
        let Start {
            known_s,
            served_s,
            seen_s,
        } = self.start;
        writeln!(
            f,
            "start: all up, served, seen  {known_s:.1} s, {served_s:.1} s, {seen_s:.1} s"
        )?;
        death(f, "one node dies", &self.one_dies)?;
        death(
            f,
            &format!("{} nodes die", self.zone_nodes),
            &self.zone_dies,
        )?;
        writeln!(f, "all are back, copies good    {:.1} s", self.back_s)?;
        writeln!(
            f,
            "bytes a second that a node sends: of membership, of its board"
        )?;
        for (when, rates) in [
            ("nothing changes", self.bytes.quiet),
            ("with reports", self.bytes.reports),
            ("with writes, in peace", self.bytes.peace),
            ("after one death", self.bytes.after_one),
            ("after a zone's", self.bytes.after_zone),
        ] {
            writeln!(
                f,
                "  {when:<26} {:>7.0} {:>10.0}",
                rates.datagrams, rates.boards
            )?;
        }
        writeln!(f, "steps of whole brains        {}", self.steps)?;
        writeln!(
            f,
            "steps a second of processor  {:.0}, the longest took {:.0} ms",
            self.steps_per_s, self.longest_step_ms
        )?;
        writeln!(f, "memory of a whole brain      {:.0} MiB", self.brain_mb)?;
        writeln!(f, "memory of all, at most       {:.0} MiB", self.rss_mb)?;
        writeln!(f, "living declared dead         {}", self.false_deaths)
    }
}

fn death(f: &mut fmt::Formatter<'_>, what: &str, death: &Death) -> fmt::Result {
    writeln!(
        f,
        "{what:<28} {} datasets; all know {:.1} s, served {:.1} s, seen {:.1} s",
        death.datasets, death.known_s, death.served_s, death.seen_s
    )
}
