//! What a script expects:
//!
//! | words | meaning |
//! | --- | --- |
//! | `live 1 at 2` | dataset 1 is served by node 2 |
//! | `nobody serves 1` | by none |
//! | `divergent 1 at 2` | node 2 keeps a divergent copy of dataset 1 |
//! | `holders 1 are 2 3` | the registry wants dataset 1 on exactly these nodes |
//! | `empty 2` | node 2 holds no copy and serves nothing |
//! | `refused 1 to 9` | a move of dataset 1 to node 9 is refused |
//! | `no failed requests` | every visitor was answered |

use super::words::{dataset, node, nodes};
use super::{Performed, World};
use hwc_api::ids::{DatasetId, NodeId};
use std::collections::BTreeSet;

pub(super) fn check(world: &mut World, words: &[&str]) -> Performed {
    let problem = match words {
        ["live", id, "at", at] => {
            let found = world.open_node(dataset(id)?);
            (found != Some(node(at)?)).then(|| match found {
                Some(at) => format!("it is open at {at}"),
                None => "nobody serves it".to_owned(),
            })
        }
        ["nobody", "serves", id] => {
            let found = world.open_node(dataset(id)?);
            found.map(|at| format!("it is open at {at}"))
        }
        ["divergent", id, "at", at] => {
            let has = has_divergent(world, node(at)?, dataset(id)?);
            (!has).then(|| "there is no divergent copy".to_owned())
        }
        ["holders", id, "are", expected @ ..] => {
            let expected: BTreeSet<_> = nodes(expected)?.into_iter().collect();
            let policy = world.registry().newest().datasets.get(&dataset(id)?)?;
            let found: BTreeSet<_> = policy.replicas.iter().copied().collect();
            (found != expected).then(|| format!("it is to be on {found:?}"))
        }
        ["empty", id] => not_empty(world, node(id)?),
        ["refused", id, "to", to] => {
            let accepted = world.move_to(dataset(id)?, node(to)?).is_ok();
            accepted.then(|| "it is accepted".to_owned())
        }
        ["no", "failed", "requests"] => {
            let requests = world.truth().tally.requests;
            let failed = requests.gave_up + requests.cut_off;
            (failed > 0).then(|| format!("{failed} failed"))
        }
        _ => return None,
    };
    Some(problem.map_or(Ok(()), Err))
}

fn has_divergent(world: &World, at: NodeId, dataset: DatasetId) -> bool {
    let disk = world.disk(at);
    let on_disk = disk.and_then(|disk| disk.datasets.get(&dataset));
    on_disk.is_some_and(|on_disk| !on_disk.divergent.is_empty())
}

fn not_empty(world: &World, id: NodeId) -> Option<String> {
    let live = world.live_on(id);
    if !live.is_empty() {
        return Some(format!("it serves {live:?}"));
    }
    let disk = world.disk(id)?;
    let held = disk.datasets.iter().filter(|(_, held)| held.copy.is_some());
    let held: Vec<_> = held.map(|(id, _)| *id).collect();
    (!held.is_empty()).then(|| format!("it holds {held:?}"))
}
