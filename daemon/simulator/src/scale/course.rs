//! What happens to the cluster, in which order, and what is measured meanwhile.

use super::executor::milliseconds;
use super::figures::{Bytes, Death, Figures, Rates, Start};
use super::layout::{Layout, VICTIM};
use super::meter::{most_resident_bytes, resident_bytes};
use super::node::{Node, Sent};
use super::world::{Activity, World};
use super::{Fault, ScaleSetup};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::HolderState;
use hwc_api::v1::NodeHealth;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often it is looked whether something has come about, milliseconds.
const LOOK_EVERY_MS: u64 = 50;
/// For how long before it is given up.
const LIMIT_MS: u64 = 180_000;
/// What was stirred up has settled after so long.
const SETTLE_MS: u64 = 5_000;
/// Copies of a brain, of which the largest difference in memory counts: the first ones fill gaps
/// that were free already.
const BRAINS_WEIGHED: usize = 3;

const MEBIBYTE: f64 = 1_048_576.0;

/// All of it.
pub(super) fn run(
    setup: ScaleSetup,
    layout: Layout,
    mut tell: impl FnMut(&str),
) -> Result<Figures, Fault> {
    let zone = layout.spare_zone().ok_or(Fault::TooSmall {
        nodes: setup.nodes,
        zones: setup.zones,
        group: setup.group,
    })?;
    let mut world = World::new(setup, layout, true);
    let start = start(&mut world)?;
    tell(&format!("all is served after {:.1} s", start.served_s));
    let minute = milliseconds(setup.minute);
    world.run(SETTLE_MS);
    let quiet = measured(&mut world, minute / 4);
    world.activity = Activity::Reports;
    world.run(SETTLE_MS);
    let reports = measured(&mut world, minute / 4);
    world.activity = Activity::Writes;
    world.run(SETTLE_MS);
    let peace = measured(&mut world, minute);
    tell("one node dies");
    let (one_dies, after_one) = die(&mut world, &[VICTIM])?;
    tell(&format!(
        "all know after {:.1} s; a zone dies",
        one_dies.known_s
    ));
    let (zone_dies, after_zone) = die(&mut world, &zone)?;
    tell(&format!(
        "all know after {:.1} s; all come back",
        zone_dies.known_s
    ));
    let dead: Vec<_> = zone.iter().copied().chain([VICTIM]).collect();
    let back_s = come_back(&mut world, &dead)?;
    check(&world)?;
    let meter = &world.meter;
    let spent_s = meter.spent.as_secs_f64();
    let (steps, longest) = (meter.steps, meter.longest);
    let rss_mb = bytes(most_resident_bytes()) / MEBIBYTE;
    Ok(Figures {
        nodes: setup.nodes,
        datasets: setup.datasets,
        whole_nodes: world.layout.whole().len(),
        start,
        bytes: Bytes {
            quiet,
            reports,
            peace,
            after_one,
            after_zone,
        },
        one_dies,
        zone_dies,
        zone_nodes: zone.len(),
        back_s,
        steps,
        steps_per_s: if spent_s > 0.0 {
            bytes(steps) / spent_s
        } else {
            0.0
        },
        longest_step_ms: longest.as_secs_f64() * 1_000.0,
        brain_mb: brain_bytes(&world) / MEBIBYTE,
        rss_mb,
        false_deaths: meter.false_deaths,
        simulated_s: seconds(world.now),
    })
}

/// Membership alone.
pub(super) fn detection(setup: ScaleSetup, layout: Layout) -> Result<Duration, Fault> {
    let mut world = World::new(setup, layout, false);
    let mut pairs = all_pairs(&world);
    wait(&mut world, "all nodes know all", |world| {
        pairs.retain(|(node, others)| others.iter().any(|other| !is_up(world, *node, *other)));
        pairs.len()
    })?;
    world.run(milliseconds(setup.minute));
    let began = world.now;
    world.kill(VICTIM);
    let mut ignorant = living(&world);
    wait(&mut world, "all know of the death", |world| {
        ignorant.retain(|node| !is_down(world, *node, VICTIM));
        ignorant.len()
    })?;
    let known = world.now - began;
    check(&world)?;
    Ok(Duration::from_millis(known))
}

fn start(world: &mut World) -> Result<Start, Fault> {
    let mut pairs = all_pairs(world);
    let mut unseen: Vec<_> = world.layout.datasets().collect();
    let [known_s, served_s, seen_s] = reached(
        world,
        ["all nodes know all", "all is served", "all is seen"],
        [
            &mut |world| {
                pairs.retain(|(node, others)| {
                    others.iter().any(|other| !is_up(world, *node, *other))
                });
                pairs.len()
            },
            &mut World::unserved,
            &mut |world| {
                if world.unserved() > 0 {
                    return unseen.len();
                }
                unseen.retain(|dataset| !is_seen(world, *dataset));
                unseen.len()
            },
        ],
    )?;
    Ok(Start {
        known_s,
        served_s,
        seen_s,
    })
}

fn die(world: &mut World, dying: &[NodeId]) -> Result<(Death, Rates), Fault> {
    let lost = |dataset: &DatasetId| {
        let live = world.open_at(*dataset);
        live.is_some_and(|(node, _)| dying.contains(&node))
    };
    let orphans: Vec<_> = world.layout.datasets().filter(lost).collect();
    let datasets = orphans.len();
    let end = world.now + milliseconds(world.setup.minute) / 2;
    let (began, sent) = (world.now, sent(world));
    for node in dying {
        world.kill(*node);
    }
    let mut ignorant = living(world);
    let mut unserved = orphans.clone();
    let mut unseen = orphans;
    let [known_s, served_s, seen_s] = reached(
        world,
        [
            "all know of the death",
            "the orphans are served",
            "the orphans are seen",
        ],
        [
            &mut |world| {
                ignorant.retain(|node| dying.iter().any(|dead| !is_down(world, *node, *dead)));
                ignorant.len()
            },
            &mut |world| {
                unserved.retain(|dataset| world.open_at(*dataset).is_none());
                unserved.len()
            },
            &mut |world| {
                unseen.retain(|dataset| !is_seen(world, *dataset));
                unseen.len()
            },
        ],
    )?;
    world.run(end.saturating_sub(world.now));
    let death = Death {
        datasets,
        known_s,
        served_s,
        seen_s,
    };
    Ok((death, rates(world, &sent, began)))
}

fn come_back(world: &mut World, dead: &[NodeId]) -> Result<f64, Fault> {
    world.activity = Activity::Reports;
    for node in dead {
        world.switch_on(*node);
    }
    let mut ignorant: Vec<_> = world.layout.nodes().collect();
    let held = |node: &NodeId| {
        let node = *node;
        let held = world.layout.held_by(node).into_iter();
        held.map(move |dataset| (node, dataset))
    };
    let mut behind: Vec<_> = dead.iter().flat_map(held).collect();
    let [known_s, good_s] = reached(
        world,
        ["all know who is back", "all copies are good"],
        [
            &mut |world| {
                let knows = |node: NodeId| {
                    let others = dead.iter().filter(|other| **other != node);
                    others.into_iter().all(|other| is_up(world, node, *other))
                };
                ignorant.retain(|node| !knows(*node));
                ignorant.len()
            },
            &mut |world| {
                behind.retain(|(node, dataset)| !is_good(world, *node, *dataset));
                behind.len()
            },
        ],
    )?;
    Ok(known_s.max(good_s))
}

/// What must not have happened.
fn check(world: &World) -> Result<(), Fault> {
    let meter = &world.meter;
    for (what, count) in [
        ("a dataset was served twice", meter.served_twice),
        ("a brain or a board refused what it was told", meter.refused),
        (
            "new holders were proposed where none was lost",
            meter.proposals,
        ),
    ] {
        if count > 0 {
            return Err(Fault::Violated { what, count });
        }
    }
    Ok(())
}

/// Lets time pass until nothing is missing of any of these; says when each came about, in seconds.
fn reached<const N: usize>(
    world: &mut World,
    what: [&'static str; N],
    missing: [&mut dyn FnMut(&World) -> usize; N],
) -> Result<[f64; N], Fault> {
    let began = world.now;
    let mut times = [None; N];
    let mut waited = [0; N];
    let mut missing = missing;
    while times.iter().any(Option::is_none) {
        if world.now - began > LIMIT_MS {
            let open = times.iter().position(Option::is_none).unwrap_or_default();
            return Err(Fault::NotReached {
                what: what.get(open).copied().unwrap_or_default(),
                limit_s: LIMIT_MS / 1_000,
                missing: waited.get(open).copied().unwrap_or_default(),
            });
        }
        world.run(LOOK_EVERY_MS);
        let places = times.iter_mut().zip(&mut waited).zip(&mut missing);
        for ((time, waited), missing) in places {
            if time.is_none() {
                *waited = missing(world);
                *time = (*waited == 0).then(|| seconds(world.now - began));
            }
        }
    }
    Ok(times.map(Option::unwrap_or_default))
}

fn wait(
    world: &mut World,
    what: &'static str,
    mut missing: impl FnMut(&World) -> usize,
) -> Result<(), Fault> {
    reached(world, [what], [&mut missing]).map(|_| ())
}

/// What is sent while time passes.
fn measured(world: &mut World, milliseconds: u64) -> Rates {
    let (began, before) = (world.now, sent(world));
    world.run(milliseconds);
    rates(world, &before, began)
}

fn sent(world: &World) -> Vec<Sent> {
    world.nodes.iter().map(|node| node.sent).collect()
}

fn rates(world: &World, before: &[Sent], began: u64) -> Rates {
    let passed_s = seconds(world.now - began);
    let whole = world.layout.whole();
    let (mut datagrams, mut boards) = (0, 0);
    for (node, before) in world.nodes.iter().zip(before) {
        datagrams += node.sent.datagrams - before.datagrams;
        if whole.contains(&node.id) {
            boards += node.sent.board - before.board;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few nodes")]
    let count = |count: usize| count as f64;
    Rates {
        datagrams: bytes(datagrams) / passed_s / count(world.nodes.len()),
        boards: bytes(boards) / passed_s / count(whole.len()),
    }
}

/// Every node with those that it does not know to be up.
fn all_pairs(world: &World) -> Vec<(NodeId, BTreeSet<NodeId>)> {
    let nodes = world.layout.nodes();
    nodes
        .map(|node| (node, world.layout.others(node)))
        .collect()
}

fn living(world: &World) -> Vec<NodeId> {
    let living = world.nodes.iter().filter(|node| node.running.is_some());
    living.map(|node| node.id).collect()
}

fn health(world: &World, by: NodeId, about: NodeId) -> Option<NodeHealth> {
    let running = world.node(by)?.running.as_ref()?;
    running
        .membership
        .standing(about)
        .map(|standing| standing.health)
}

fn is_up(world: &World, by: NodeId, about: NodeId) -> bool {
    health(world, by, about) == Some(NodeHealth::Up)
}

fn is_down(world: &World, by: NodeId, about: NodeId) -> bool {
    health(world, by, about) == Some(NodeHealth::Down)
}

/// Whether every whole node knows where a dataset is served.
fn is_seen(world: &World, dataset: DatasetId) -> bool {
    let Some((live, epoch)) = world.open_at(dataset) else {
        return false;
    };
    let sees = |whole: &NodeId| {
        let Some(rooms) = world.node(*whole).and_then(Node::rooms) else {
            return false;
        };
        let shown = if *whole == live {
            rooms.brain.record(dataset)
        } else {
            rooms.brain.known_record(dataset, live)
        };
        shown.is_some_and(|shown| shown.state == HolderState::Live && shown.epoch == epoch)
    };
    world.layout.whole().iter().all(sees)
}

/// Whether the live node of a dataset knows this node to have a copy on its own history; or this node
/// is the live one.
fn is_good(world: &World, node: NodeId, dataset: DatasetId) -> bool {
    let Some((live, _)) = world.open_at(dataset) else {
        return false;
    };
    let Some(rooms) = world.node(live).and_then(Node::rooms) else {
        return false;
    };
    let (theirs, mine) = (
        rooms.brain.known_record(dataset, node),
        rooms.brain.record(dataset),
    );
    let follows = || Some(theirs?.has_copy && theirs?.lineage.same_branch(&mine?.lineage));
    node == live || follows().unwrap_or(false)
}

/// What one more brain takes that knows everything.
fn brain_bytes(world: &World) -> f64 {
    let whole = world.layout.whole().first();
    let rooms = whole.and_then(|node| world.node(*node)?.rooms());
    let mut copies = Vec::new();
    let mut most = 0;
    for _ in 0..BRAINS_WEIGHED {
        let before = resident_bytes();
        copies.push(rooms.map(|rooms| rooms.brain.clone()));
        most = most.max(resident_bytes().saturating_sub(before));
    }
    bytes(most)
}

fn seconds(milliseconds: u64) -> f64 {
    Duration::from_millis(milliseconds).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
const fn bytes(number: u64) -> f64 {
    number as f64
}
