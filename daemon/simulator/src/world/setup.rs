//! How a world is made: its speed, its temper, what its visitors want.

use crate::chronicle::Verbosity;
use crate::network::Weather;
use crate::time::ms;
use hwc_api::ids::NodeId;
use hwc_group::profile::{Profile, Timing};
use hwc_state_machine::{StateMachine, Timers};
use std::time::Duration;

/// How a brain is made: lets tests hand in one with rules switched off.
pub type BrainFactory = fn(NodeId, Timers) -> StateMachine;

/// How a world is made.
#[derive(Debug, Clone)]
pub struct Setup {
    /// How many nodes there are at first.
    pub nodes: u16,
    /// What everything is drawn from.
    pub seed: u64,
    /// Waiting times.
    pub tempo: Tempo,
    /// How good the network is.
    pub weather: Weather,
    /// How lively the nodes are.
    pub temper: Temper,
    /// How a brain is made.
    pub brain: BrainFactory,
    /// How much is logged.
    pub verbosity: Verbosity,
}

/// Waiting times of the daemon around the brain.
#[derive(Debug, Clone)]
pub struct Tempo {
    /// Those of the brain.
    pub timers: Timers,
    /// Those of the group.
    pub timing: Timing,
    /// A new leader of the registry is elected within this time.
    pub election: Duration,
}

impl Tempo {
    /// In one data centre.
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            timers: Timers::lan(),
            timing: Profile::Lan.timing(),
            election: ms(1_500),
        }
    }

    /// Between data centres.
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            timers: Timers::wan(),
            timing: Profile::Wan.timing(),
            election: ms(5_000),
        }
    }
}

/// How lively the nodes are.
#[derive(Debug, Clone)]
pub struct Temper {
    /// Chance that a local operation, an opening or a stream fails.
    pub failure: f64,
    /// Longest time that a fence takes.
    pub fence: Duration,
    /// How long after a write its snapshot is taken, from and to.
    pub debounce: (Duration, Duration),
    /// How often snapshots that need not be kept are removed, from and to.
    pub prune: (Duration, Duration),
    /// How long the registry takes to tell a node of a change, from and to.
    pub settings_lag: (Duration, Duration),
}

impl Temper {
    /// Healthy servers.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            failure: 0.0,
            fence: ms(50),
            debounce: (ms(100), ms(600)),
            prune: (ms(2_000), ms(8_000)),
            settings_lag: (ms(1), ms(50)),
        }
    }
}

/// What the visitors of a dataset want.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// Requests come about this often; zero: never by themselves.
    pub every: Duration,
    /// So many of a hundred write.
    pub write_percent: u8,
    /// Bytes that a write changes.
    pub write_bytes: u64,
    /// What serving takes, thousandths of a core.
    pub cpu_millicores: u32,
}

impl Demand {
    /// Nobody comes.
    pub const NONE: Self = Self {
        every: Duration::ZERO,
        write_percent: 50,
        write_bytes: 4_096,
        cpu_millicores: 100,
    };
}
