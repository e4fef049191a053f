//! Scenarios: a script of what happens to a small cluster, and the log that must come out.
//!
//! `scenarios/<a-sentence>/script` holds one command per line (`#` starts a comment):
//!
//! | command | meaning |
//! | --- | --- |
//! | `nodes 3` | first: how many nodes there are |
//! | `dataset 1 on 1 2` | a site with dataset 1 is created on nodes 1 and 2 |
//! | `site 1 with 2 on 1 2` | a site whose files are dataset 1 and whose database is dataset 2 |
//! | `wait 5s`, `wait 300ms` | time passes |
//! | `visitors 1 every 100ms`, `visitors 1 gone` | people use dataset 1, half of them write |
//! | `write 1 3` | three writes to dataset 1 at the node whose gate is open |
//! | `write 1 3 at 2` | the same at node 2; refused if its gate is closed |
//! | `load 1 6000` | serving dataset 1 takes six cores (of eight) |
//! | `kill 1`, `powercut 1`, `start 1` | a node dies, loses its power, starts |
//! | `image 1`, `restore 1` | a copy of a dead node's disk is kept, is put in its place |
//! | `freeze 1`, `thaw 1` | a node stands still, goes on |
//! | `slow 1 50`, `good 1` | a node's disk is fifty times slower, is good again |
//! | `cut 1 2`, `mend` | a link is cut, all are mended |
//! | `move 1 to 2`, `calloff 1` | an administrator moves dataset 1, calls it off |
//! | `drain 1`, `undrain 1`, `remove 1`, `join` | nodes are emptied, put back to use, go, come |
//! | `zone 1 east` | node 1 stands in this zone |
//! | `pin 1 to 2`, `unpin 1`, `hold 1`, `delete 1` | more orders about sites |
//! | `balance off` | load is not spread |
//! | `expect …` | must hold at this moment; see `expectation` |
//! | `rest` | everything heals and comes to rest |
//!
//! `log.expect` beside it is the log to the letter.

mod expectation;
mod words;

use crate::chronicle::Verbosity;
use crate::disk::Disk;
use crate::network::Weather;
use crate::registry::Order;
use crate::world::{BrainFactory, Demand, Setup, Temper, Tempo, World};
use hwc_api::balancing::Balancing;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::names::ZoneName;
use hwc_api::time::WallTime;
use std::collections::BTreeMap;
use std::time::Duration;
use words::{amount, dataset, node, nodes, span};

/// Any would do; this one is kept so that the logs stay the same.
const SEED: u64 = 1;
/// A site that is to stay, stays this long.
const HOLD_MS: i64 = 3_600_000;

/// What is wrong with a script or its outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// The line is no command.
    #[error("line {line}: what is {text:?}?")]
    NotACommand {
        /// Its number, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// What was expected did not hold.
    #[error("line {line}: {what}\n{log}")]
    Unmet {
        /// The number of the line, from 1.
        line: usize,
        /// What was found instead.
        what: String,
        /// The log so far.
        log: String,
    },
}

/// Plays a script and returns its log.
///
/// # Errors
/// If a line is no command, an expectation isn't met, or an invariant is violated.
pub fn play(script: &str, brain: BrainFactory) -> Result<String, ScenarioError> {
    let mut stage = Stage {
        brain,
        world: None,
        images: BTreeMap::new(),
    };
    for (index, text) in script.lines().enumerate() {
        let line = index + 1;
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let words: Vec<_> = text.split_whitespace().collect();
        let outcome = stage.perform(&words).ok_or_else(|| {
            let text = text.to_owned();
            ScenarioError::NotACommand { line, text }
        })?;
        if let Some(what) = outcome.err().or(stage.violation()) {
            let log = stage.log();
            return Err(ScenarioError::Unmet { line, what, log });
        }
    }
    Ok(stage.log())
}

struct Stage {
    brain: BrainFactory,
    world: Option<World>,
    images: BTreeMap<NodeId, Disk>,
}

/// Whether a line could be performed, and if so, what went wrong.
type Performed = Option<Result<(), String>>;

impl Stage {
    fn perform(&mut self, words: &[&str]) -> Performed {
        if let ["nodes", count] = words {
            self.world = Some(World::new(Setup {
                nodes: count.parse().ok()?,
                seed: SEED,
                tempo: Tempo::lan(),
                weather: Weather::calm(),
                temper: Temper::calm(),
                brain: self.brain,
                verbosity: Verbosity::Story,
            }));
            return Some(Ok(()));
        }
        let world = self.world.as_mut()?;
        match words {
            ["rest"] => Some(world.come_to_rest().map(|_| ())),
            ["expect", expected @ ..] => expectation::check(world, expected),
            ["wait", time] => {
                world.run_for(span(time)?);
                Some(Ok(()))
            }
            _ => None
                .or_else(|| act_on_data(world, words))
                .or_else(|| strike(world, &mut self.images, words))
                .or_else(|| administrate(world, words)),
        }
    }

    fn violation(&self) -> Option<String> {
        let world = self.world.as_ref()?;
        world.violation().map(ToOwned::to_owned)
    }

    fn log(&self) -> String {
        let lines = self.world.as_ref().map(World::log).unwrap_or_default();
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Sites, and those who use them.
fn act_on_data(world: &mut World, words: &[&str]) -> Performed {
    match words {
        ["dataset", id, "on", members @ ..] => world.create(dataset(id)?, nodes(members)?),
        ["site", files, "with", database, "on", members @ ..] => {
            let replicas = nodes(members)?;
            let copies = u8::try_from(replicas.len()).ok()?;
            world.decree(&Order::Create {
                files: dataset(files)?,
                databases: vec![dataset(database)?],
                replicas,
                copies,
            });
        }
        ["visitors", id, "gone"] => set_demand(world, id, |demand| demand.every = Duration::ZERO)?,
        ["visitors", id, "every", time] => {
            let every = span(time)?;
            set_demand(world, id, |demand| demand.every = every)?;
        }
        ["load", id, millicores] => {
            let millicores = amount(millicores)?;
            set_demand(world, id, |demand| demand.cpu_millicores = millicores)?;
        }
        ["write", id, times] => {
            let id = dataset(id)?;
            let Some(live) = world.open_node(id) else {
                return Some(Err(format!("nobody serves dataset {id}")));
            };
            write(world, live, id, amount(times)?);
        }
        ["write", id, times, "at", at] => {
            write(world, node(at)?, dataset(id)?, amount(times)?);
        }
        _ => return None,
    }
    Some(Ok(()))
}

fn set_demand(world: &mut World, id: &str, change: impl FnOnce(&mut Demand)) -> Option<()> {
    let id = dataset(id)?;
    let mut demand = world.demand(id);
    change(&mut demand);
    world.set_demand(id, demand);
    Some(())
}

fn write(world: &mut World, at: NodeId, dataset: DatasetId, times: u32) {
    let taken = (0..times).filter(|_| world.write_at(at, dataset)).count();
    world.note(|| format!("{at} takes {taken} of {times} writes to dataset {dataset}"));
}

/// What fate does.
fn strike(world: &mut World, images: &mut BTreeMap<NodeId, Disk>, words: &[&str]) -> Performed {
    match words {
        ["kill", id] => world.crash(node(id)?),
        ["powercut", id] => world.power_cut(node(id)?),
        ["start", id] => world.boot(node(id)?),
        ["image", id] => {
            let id = node(id)?;
            images.insert(id, world.disk(id)?.clone());
        }
        ["restore", id] => {
            let id = node(id)?;
            let image = images.get(&id)?.clone();
            world.replace_disk(id, image);
        }
        ["freeze", id] => world.freeze(node(id)?),
        ["thaw", id] => world.thaw(node(id)?),
        ["slow", id, times] => {
            let times = amount(times)?;
            world.set_hardware(node(id)?, |hardware| hardware.slowness = times);
        }
        ["good", id] => world.set_hardware(node(id)?, |hardware| hardware.slowness = 1),
        ["cut", one, other] => world.cut(node(one)?, node(other)?),
        ["mend"] => world.mend_links(),
        _ => return None,
    }
    Some(Ok(()))
}

/// What administrators order.
fn administrate(world: &mut World, words: &[&str]) -> Performed {
    match words {
        ["move", id, "to", to] => {
            let (id, to) = (dataset(id)?, node(to)?);
            let moved = world.move_to(id, to);
            let refused = |why| match why {
                Some(why) => format!("refused: {why}"),
                None => format!("nobody serves dataset {id}"),
            };
            return Some(moved.map_err(refused));
        }
        ["calloff", id] => world.call_off(dataset(id)?),
        ["drain", id] => world.decree(&Order::Drain(node(id)?, false)),
        ["undrain", id] => world.decree(&Order::Undrain(node(id)?)),
        ["remove", id] => world.decree(&Order::Remove(node(id)?)),
        ["join"] => {
            let first = world.node_ids().next()?;
            world.add_node(first);
        }
        ["zone", id, zone] => {
            let zone = ZoneName::parse(zone).ok()?;
            world.decree(&Order::SetZone(node(id)?, zone));
        }
        ["pin", id, "to", to] => world.decree(&Order::Pin(dataset(id)?, Some(node(to)?))),
        ["unpin", id] => world.decree(&Order::Pin(dataset(id)?, None)),
        ["hold", id] => {
            let now = i64::try_from(world.now().millis()).ok()?;
            let until = WallTime(now + HOLD_MS);
            world.decree(&Order::Hold(dataset(id)?, Some(until)));
        }
        ["delete", id] => world.decree(&Order::Delete(dataset(id)?)),
        ["balance", "off"] => {
            let rules = world.registry().newest().balancing;
            world.decree(&Order::SetBalancing(Balancing {
                is_on: false,
                ..rules
            }));
        }
        _ => return None,
    }
    Some(Ok(()))
}
