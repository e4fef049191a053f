//! The made-up network: which way is open between two nodes, how long something takes, and which
//! connection is the present one.
//!
//! There are two lanes. Datagrams carry the failure detector; streams carry everything else, over
//! one connection per pair of nodes. What was sent over a connection that has broken since does not
//! arrive.

use crate::dice::Dice;
use crate::time::{Moment, ms};
use hwc_api::ids::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Data of streams that nobody gave up keeps a way busy for so long at most.
const BACKLOG_MAX: Duration = ms(30_000);

/// What may be cut on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Connections.
    Streams,
    /// The failure detector's datagrams.
    Datagrams,
}

/// How good the network is.
#[derive(Debug, Clone)]
pub struct Weather {
    /// Latency one way, from and to.
    pub latency: (Duration, Duration),
    /// Chance that something is lost.
    pub loss: f64,
    /// Chance that something arrives twice.
    pub repeat: f64,
    /// Chance, with every frame, that a stream of the boards breaks.
    pub breaks: f64,
    /// Chance that something is overtaken: it takes up to `straggle_by` longer.
    pub straggle: f64,
    /// How late the late ones are.
    pub straggle_by: Duration,
    /// How fast a connection carries data, bytes a second.
    pub bytes_per_s: u64,
}

impl Weather {
    /// A healthy rack.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            latency: (ms(1), ms(3)),
            loss: 0.0,
            repeat: 0.0,
            breaks: 0.0,
            straggle: 0.0,
            straggle_by: ms(0),
            bytes_per_s: 100_000_000,
        }
    }

    /// How long something travels.
    pub fn travel(&self, dice: &mut Dice) -> Duration {
        let late = if dice.happens(self.straggle) {
            dice.span((Duration::ZERO, self.straggle_by))
        } else {
            Duration::ZERO
        };
        dice.span(self.latency) + late
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Way {
    are_streams_cut: bool,
    are_datagrams_cut: bool,
    /// Data already sent keeps this way busy until then.
    busy_until: Moment,
}

/// The ways between all nodes.
#[derive(Debug, Clone)]
pub struct Network {
    /// How good it is.
    pub weather: Weather,
    ways: BTreeMap<(NodeId, NodeId), Way>,
    connections: BTreeMap<(NodeId, NodeId), u64>,
}

impl Network {
    /// A network in which every way is open.
    #[must_use]
    pub const fn new(weather: Weather) -> Self {
        Self {
            weather,
            ways: BTreeMap::new(),
            connections: BTreeMap::new(),
        }
    }

    /// Whether what goes this way arrives.
    #[must_use]
    pub fn is_open(&self, from: NodeId, to: NodeId, lane: Lane) -> bool {
        self.ways.get(&(from, to)).is_none_or(|way| match lane {
            Lane::Streams => !way.are_streams_cut,
            Lane::Datagrams => !way.are_datagrams_cut,
        })
    }

    /// Whether both ways are open: a connection lives.
    #[must_use]
    pub fn is_linked(&self, one: NodeId, other: NodeId, lane: Lane) -> bool {
        self.is_open(one, other, lane) && self.is_open(other, one, lane)
    }

    /// Cuts one lane of one way.
    pub fn cut(&mut self, from: NodeId, to: NodeId, lane: Lane) {
        *self.cut_mark(from, to, lane) = true;
    }

    /// Opens one lane of one way.
    pub fn mend(&mut self, from: NodeId, to: NodeId, lane: Lane) {
        *self.cut_mark(from, to, lane) = false;
    }

    /// Opens everything. Whether anything was cut.
    pub fn mend_all(&mut self) -> bool {
        let mut was_cut = false;
        for way in self.ways.values_mut() {
            was_cut |= way.are_streams_cut || way.are_datagrams_cut;
            way.are_streams_cut = false;
            way.are_datagrams_cut = false;
        }
        was_cut
    }

    fn cut_mark(&mut self, from: NodeId, to: NodeId, lane: Lane) -> &mut bool {
        let way = self.ways.entry((from, to)).or_default();
        match lane {
            Lane::Streams => &mut way.are_streams_cut,
            Lane::Datagrams => &mut way.are_datagrams_cut,
        }
    }

    /// The number of the present connection between two nodes.
    #[must_use]
    pub fn connection(&self, one: NodeId, other: NodeId) -> u64 {
        let pair = (one.min(other), one.max(other));
        self.connections.get(&pair).copied().unwrap_or_default()
    }

    /// The connection between two nodes breaks.
    pub fn break_connection(&mut self, one: NodeId, other: NodeId) {
        let pair = (one.min(other), one.max(other));
        *self.connections.entry(pair).or_default() += 1;
    }

    /// How long so many bytes take where nothing else is sent.
    #[must_use]
    pub const fn time_for(&self, bytes: u64) -> Duration {
        let per_s = if self.weather.bytes_per_s == 0 {
            1
        } else {
            self.weather.bytes_per_s
        };
        Duration::from_micros(bytes.saturating_mul(1_000_000) / per_s)
    }

    /// Sends data this way, after the data that was sent before: how long until it is there. What
    /// waits longer than a while has been given up by then, and makes room.
    pub fn carry(&mut self, from: NodeId, to: NodeId, bytes: u64, now: Moment) -> Duration {
        let span = self.time_for(bytes);
        let way = self.ways.entry((from, to)).or_default();
        let there_at = way.busy_until.max(now).min(now + BACKLOG_MAX) + span;
        way.busy_until = there_at;
        there_at.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    #[test]
    fn a_way_is_cut_by_itself() {
        let mut network = Network::new(Weather::calm());
        network.cut(A, B, Lane::Streams);
        assert!(!network.is_open(A, B, Lane::Streams) && network.is_open(B, A, Lane::Streams));
        assert!(!network.is_linked(B, A, Lane::Streams));
        assert!(network.is_linked(A, B, Lane::Datagrams));
        assert!(network.mend_all() && !network.mend_all());
        assert!(network.is_linked(A, B, Lane::Streams));
    }

    #[test]
    fn data_waits_for_the_data_before_it() {
        let mut network = Network::new(Weather::calm());
        let now = Moment::at_millis(1_000);
        let second = network.weather.bytes_per_s;
        assert_eq!(network.carry(A, B, second, now), ms(1_000));
        assert_eq!(network.carry(A, B, second, now), ms(2_000));
        assert_eq!(network.carry(B, A, second, now), ms(1_000));
    }
}
