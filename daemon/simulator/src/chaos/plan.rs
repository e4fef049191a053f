//! What a run is like: drawn before it begins.

use super::strikes::Strike;
use crate::dice::Dice;
use crate::network::Weather;
use crate::time::{ms, seconds};
use crate::truth::Tally;
use crate::world::{Demand, Temper, Tempo};
use hwc_api::balancing::Balancing;
use std::time::Duration;

/// What a run is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No fault at all; moves, drains, load. Then no visitor may notice, and nobody ever serves
    /// beside another.
    Calm,
    /// All that can go wrong, a few kinds of it per run.
    Swarm,
}

/// What a run is like.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is to show.
    pub kind: Kind,
    /// How many nodes there are at first.
    pub nodes: u16,
    /// How many sites there are at first.
    pub sites: u32,
    /// How many zones the nodes stand in.
    pub zones: u64,
    /// Waiting times.
    pub tempo: Tempo,
    /// How good the network is.
    pub weather: Weather,
    /// How lively the nodes are.
    pub temper: Temper,
    /// Time between two strikes.
    pub pause: (Duration, Duration),
    /// What strikes, and how often in comparison.
    pub(super) strikes: Vec<(u32, Strike)>,
    /// Whether each node's clocks run as they like.
    pub are_clocks_wrong: bool,
    /// How load is spread.
    pub balancing: Balancing,
}

impl Plan {
    /// Draws what the run of a seed is like: every fourth one is calm.
    #[must_use]
    pub fn draw(seed: u64, nodes: Option<u16>, dice: &mut Dice) -> Self {
        let kind = if seed.is_multiple_of(4) {
            Kind::Calm
        } else {
            Kind::Swarm
        };
        let few_to_many = [2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 9];
        let drawn = dice.pick(&few_to_many).copied().unwrap_or(3);
        let nodes = nodes.unwrap_or(drawn);
        // Streams of a full mesh give signs of life: in a larger cluster at the pace of a LAN they
        // are nearly all that a run would consist of.
        let is_wan = dice.happens(if nodes <= 4 { 0.5 } else { 0.9 });
        let tempo = if is_wan { Tempo::wan() } else { Tempo::lan() };
        Self {
            kind,
            nodes,
            sites: u32::try_from(dice.number(1..=4)).unwrap_or(1),
            zones: dice.number(1..=3),
            weather: weather(kind, is_wan, dice),
            temper: temper(kind, dice),
            tempo,
            pause: pause(dice),
            strikes: strikes(kind, dice),
            are_clocks_wrong: dice.happens(0.7),
            balancing: balancing(dice),
        }
    }

    /// What visitors of a site want.
    pub(super) fn demand(dice: &mut Dice) -> Demand {
        let every = dice.long_tailed((ms(300), seconds(20)));
        Demand {
            every,
            write_percent: u8::try_from(dice.number(20..=100)).unwrap_or(50),
            write_bytes: 1 << dice.number(10..=22),
            cpu_millicores: u32::try_from(dice.number(50..=2_500)).unwrap_or(100),
        }
    }

    /// What must hold of the counts of a run.
    pub(super) fn judge(&self, tally: &Tally) -> Option<String> {
        let requests = tally.requests;
        let failed = requests.gave_up + requests.cut_off;
        (self.kind == Kind::Calm && failed > 0)
            .then(|| format!("S15: {failed} requests failed although nothing was wrong"))
    }
}

fn weather(kind: Kind, is_wan: bool, dice: &mut Dice) -> Weather {
    let latency = if is_wan {
        (ms(20), ms(dice.number(40..=150)))
    } else {
        (ms(1), ms(dice.number(1..=30)))
    };
    // Whoever may claim waits a moment for what is on its way: later than that is a fault.
    let latest_ms = match kind {
        Kind::Calm => 60,
        Kind::Swarm => 2_000,
    };
    // More loss than this makes detectors err, which is a fault.
    let (losses, breaks): (&[f64], &[f64]) = match kind {
        Kind::Calm => (&[0.0, 0.0, 0.01], &[0.0]),
        Kind::Swarm => (&[0.0, 0.0, 0.01, 0.05, 0.3], &[0.0, 0.0, 0.0001, 0.005]),
    };
    Weather {
        latency,
        loss: *dice.pick(losses).unwrap_or(&0.0),
        breaks: *dice.pick(breaks).unwrap_or(&0.0),
        repeat: *dice.pick(&[0.0, 0.02, 0.2]).unwrap_or(&0.0),
        straggle: *dice.pick(&[0.0, 0.02, 0.2]).unwrap_or(&0.0),
        straggle_by: ms(dice.number(10..=latest_ms)),
        bytes_per_s: 1 << dice.number(22..=30),
    }
}

fn temper(kind: Kind, dice: &mut Dice) -> Temper {
    let failure = match kind {
        Kind::Calm => 0.0,
        Kind::Swarm => *dice.pick(&[0.0, 0.02, 0.1]).unwrap_or(&0.0),
    };
    Temper {
        failure,
        fence: ms(*dice.pick(&[20, 300, 3_000]).unwrap_or(&20)),
        debounce: (ms(100), dice.long_tailed((ms(200), seconds(5)))),
        prune: (seconds(2), seconds(dice.number(3..=30))),
        settings_lag: (ms(1), ms(*dice.pick(&[50, 2_000]).unwrap_or(&50))),
    }
}

fn pause(dice: &mut Dice) -> (Duration, Duration) {
    let longest = dice.long_tailed((seconds(3), seconds(120)));
    (ms(100), longest)
}

/// Each kind of strike is in a run or not, and then often or rarely.
fn strikes(kind: Kind, dice: &mut Dice) -> Vec<(u32, Strike)> {
    let mut drawn = Vec::new();
    for strike in Strike::ALL {
        let may_be = match kind {
            Kind::Calm => !strike.is_fault(),
            Kind::Swarm => true,
        };
        if may_be && dice.happens(0.4) {
            let weight = u32::try_from(dice.number(1..=6)).unwrap_or(1);
            drawn.push((weight, *strike));
        }
    }
    if drawn.is_empty() {
        drawn.push((1, Strike::Move));
    }
    drawn
}

fn balancing(dice: &mut Dice) -> Balancing {
    Balancing {
        is_on: dice.happens(0.6),
        moves_per_minute: 6,
        moves_at_once: 2,
        cool_down_s: u32::try_from(dice.number(30..=600)).unwrap_or(600),
        veto_s: u32::try_from(dice.number(0..=30)).unwrap_or(30),
        busy_percent: 75,
        gap_percent: 20,
        patience_s: u32::try_from(dice.number(10..=120)).unwrap_or(120),
    }
}
