//! What is counted while the cluster lives.

use std::fmt;
use std::time::Duration;

/// Tells how much processor time this thread has had. Handed in, as nothing here asks for the time.
pub type Stopwatch = fn() -> Duration;

/// Counts.
pub(super) struct Meter {
    stopwatch: Stopwatch,
    /// Steps of whole brains, and the processor time that they took.
    pub(super) steps: u64,
    pub(super) spent: Duration,
    pub(super) longest: Duration,
    /// How often a node that ran was declared dead by another.
    pub(super) false_deaths: u64,
    /// How often a dataset was opened while another living node had it open.
    pub(super) served_twice: u64,
    /// Alarms of brains, and values that a board did not take.
    pub(super) refused: u64,
    /// New holders that the registry's leader proposed.
    pub(super) proposals: u64,
}

impl Meter {
    pub(super) const fn new(stopwatch: Stopwatch) -> Self {
        Self {
            stopwatch,
            steps: 0,
            spent: Duration::ZERO,
            longest: Duration::ZERO,
            false_deaths: 0,
            served_twice: 0,
            refused: 0,
            proposals: 0,
        }
    }

    /// Takes the time of a step.
    pub(super) fn step<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let began = (self.stopwatch)();
        let result = step();
        let took = (self.stopwatch)().saturating_sub(began);
        self.steps += 1;
        self.spent += took;
        self.longest = self.longest.max(took);
        result
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("steps", &self.steps)
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

/// Resident memory of this process, bytes; 0 where the kernel does not tell.
pub(super) fn resident_bytes() -> u64 {
    from_status("VmRSS:")
}

/// The most that it ever was.
pub(super) fn most_resident_bytes() -> u64 {
    from_status("VmHWM:")
}

fn from_status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse::<u64>().ok())
        .unwrap_or(0)
        * 1_024
}
