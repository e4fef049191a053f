//! Scenarios: a script of what happens to a small cluster, and the log that must come out.
//!
//! `scenarios/<a-sentence>/script` holds one command per line (`#` starts a comment):
//!
//! | command | meaning |
//! | --- | --- |
//! | `nodes 3` | first: how many nodes there are |
//! | `dataset 1 on 1 2` | the registry wants dataset 1 on nodes 1 and 2 |
//! | `wait 5s`, `wait 300ms` | time passes |
//! | `write 1 3` | a client writes to dataset 1 three times at the node whose gate is open |
//! | `write 1 3 at 2` | the same at node 2; refused if its gate is closed |
//! | `kill 1`, `powercut 1`, `start 1` | a node dies, loses its power, starts |
//! | `freeze 1`, `thaw 1` | a node stands still, goes on |
//! | `cut 1 2`, `mend` | links are cut, all are mended |
//! | `move 1 to 2`, `delete 1` | orders of an administrator |
//! | `expect live 1 at 2`, `expect nobody serves 1` | must hold at this moment |
//! | `expect divergent 1 at 2` | node 2 keeps a divergent copy of dataset 1 |
//! | `rest` | everything heals and comes to rest |
//!
//! `log.expect` beside it is the log to the letter.

use crate::world::{BrainFactory, Temper, World};
use hwc_api::ids::{DatasetId, NodeId};

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
    let mut stage = Stage { brain, world: None };
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
        let violation = stage.violation();
        if let Some(what) = outcome.err().or(violation) {
            let log = stage.log();
            return Err(ScenarioError::Unmet { line, what, log });
        }
    }
    Ok(stage.log())
}

struct Stage {
    brain: BrainFactory,
    world: Option<World>,
}

impl Stage {
    /// Performs one line; `None` if it is no command.
    fn perform(&mut self, words: &[&str]) -> Option<Result<(), String>> {
        if let ["nodes", count] = words {
            // Any seed would do; this one is kept so that the log stays the same.
            self.world = Some(World::new(
                count.parse().ok()?,
                1,
                Temper::calm(),
                self.brain,
            ));
            return Some(Ok(()));
        }
        let world = self.world.as_mut()?;
        match words {
            ["dataset", id, "on", members @ ..] => {
                let members: Option<Vec<_>> = members.iter().map(|word| node(word)).collect();
                world.set_members(dataset(id)?, members?);
            }
            ["wait", time] => world.run_for(milliseconds(time)?),
            ["write", id, times] => {
                let id = dataset(id)?;
                let Some(live) = world.open_node(id) else {
                    return Some(Err(format!("nobody serves dataset {id}")));
                };
                write(world, live, id, times.parse().ok()?);
            }
            ["write", id, times, "at", at] => {
                write(world, node(at)?, dataset(id)?, times.parse().ok()?);
            }
            ["kill", id] => world.crash(node(id)?),
            ["powercut", id] => world.power_cut(node(id)?),
            ["start", id] => world.boot(node(id)?),
            ["freeze", id] => world.freeze(node(id)?),
            ["thaw", id] => world.thaw(node(id)?),
            ["cut", one, other] => world.cut(node(one)?, node(other)?),
            ["mend"] => world.mend_links(),
            ["move", id, "to", to] => world.move_to(dataset(id)?, node(to)?),
            ["delete", id] => world.delete(dataset(id)?),
            ["rest"] => return Some(world.come_to_rest()),
            ["expect", expectation @ ..] => return expect(world, expectation),
            _ => return None,
        }
        Some(Ok(()))
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

fn write(world: &mut World, at: NodeId, dataset: DatasetId, times: u32) {
    let taken = (0..times).filter(|_| world.write(at, dataset)).count();
    world.note(format!(
        "{at} takes {taken} of {times} writes to dataset {dataset}"
    ));
}

fn expect(world: &World, words: &[&str]) -> Option<Result<(), String>> {
    match words {
        ["live", id, "at", at] => {
            let found = world.open_node(dataset(id)?);
            let is_met = found == Some(node(at)?);
            Some(
                is_met
                    .then_some(())
                    .ok_or_else(|| format!("open at {found:?}")),
            )
        }
        ["nobody", "serves", id] => {
            let found = world.open_node(dataset(id)?);
            Some(found.map_or(Ok(()), |at| Err(format!("open at {at}"))))
        }
        ["divergent", id, "at", at] => {
            let id = dataset(id)?;
            let on_disk = world.disk(node(at)?)?.datasets.get(&id);
            let is_met = on_disk.is_some_and(|on_disk| !on_disk.divergent.is_empty());
            Some(
                is_met
                    .then_some(())
                    .ok_or_else(|| "no divergent copy".to_owned()),
            )
        }
        _ => None,
    }
}

fn node(word: &str) -> Option<NodeId> {
    word.parse().ok()
}

fn dataset(word: &str) -> Option<DatasetId> {
    word.parse().ok()
}

fn milliseconds(word: &str) -> Option<u64> {
    match word.strip_suffix("ms") {
        Some(number) => number.parse().ok(),
        None => {
            let seconds: u64 = word.strip_suffix('s')?.parse().ok()?;
            Some(seconds * 1_000)
        }
    }
}
