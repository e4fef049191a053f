//! Removing labs that nobody can use any more, and what is left of labs that are half gone.
//!
//! [`judge`] decides from facts alone; [`collect`] gathers the facts and acts.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::cgroup::Hierarchies;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::names::LabId;
use crate::network;
use crate::progress::Progress;
use crate::state::{self, StateDirectory};
use crate::teardown;

/// How long gc waits for a command that is just beginning a lab.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

/// What is known of a lab.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Another command works on it at this moment.
    pub is_locked: bool,
    /// There is a readable record.
    pub has_record: bool,
    /// It came up completely.
    pub is_up: bool,
    /// It was made in this boot of the machine.
    pub is_of_this_boot: bool,
    /// It belongs to no process, or to one that still runs.
    pub has_owner: bool,
    /// Some node runs, or some node was killed on purpose.
    pub is_in_use: bool,
}

/// What becomes of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes, for this reason.
    Remove(&'static str),
}

/// Decides about one lab.
pub fn judge(facts: Facts) -> Verdict {
    if facts.is_locked {
        Verdict::Keep
    } else if !facts.has_record {
        Verdict::Remove("it has no record")
    } else if !facts.is_of_this_boot {
        Verdict::Remove("it is from before the machine's last boot")
    } else if !facts.is_up {
        Verdict::Remove("it was never completed")
    } else if !facts.has_owner {
        Verdict::Remove("the program that made it is gone")
    } else if !facts.is_in_use {
        Verdict::Remove("all its nodes died by themselves")
    } else {
        Verdict::Keep
    }
}

/// A lab that was removed.
#[derive(Debug, Clone, Serialize)]
pub struct Removed {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// Removes what [`judge`] condemns, or every lab with `all`.
///
/// # Errors
/// When something could not be removed; the rest is removed all the same.
pub fn collect(hierarchies: &Hierarchies, all: bool, progress: Progress) -> Result<Vec<Removed>> {
    let _lock = state::lock_all(Deadline::after(LOCK_LIMIT))?;
    let mut removed = Vec::new();
    let mut first_error = None;
    for id in every_id(hierarchies) {
        let verdict = judge(facts(&id, hierarchies)?);
        let reason = match verdict {
            Verdict::Remove(reason) => reason,
            Verdict::Keep if all => "all labs were asked to go",
            Verdict::Keep => continue,
        };
        progress.say(format_args!("removing lab {id}: {reason}"));
        match teardown::remove(&id, hierarchies) {
            Ok(()) => removed.push(Removed {
                id: id.to_string(),
                reason: reason.to_owned(),
            }),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    first_error.map_or(Ok(removed), Err)
}

/// Every lab of which there is a directory, a note, a namespace or a cgroup.
fn every_id(hierarchies: &Hierarchies) -> BTreeSet<LabId> {
    let mut ids: BTreeSet<LabId> = state::lab_ids().into_iter().collect();
    ids.extend(
        network::namespaces()
            .iter()
            .filter_map(|name| LabId::of_namespace(name)),
    );
    ids.extend(
        hierarchies
            .lab_ids()
            .iter()
            .filter_map(|name| name.parse().ok()),
    );
    ids
}

/// What is known of one lab; [`state::lock_all`] is held.
pub(crate) fn facts(id: &LabId, hierarchies: &Hierarchies) -> Result<Facts> {
    let directory = StateDirectory::of(id);
    // A record that can't be understood was being written when the machine went down.
    let record = directory.record().unwrap_or(None);
    let is_locked = directory.path().exists() && directory.try_lock().is_none();
    let boot = state::boot()?;
    let is_used = |name: &String| {
        hierarchies.is_populated(&format!("{id}/{name}"))
            || state::killed_mark(&directory.node(name)).exists()
    };
    Ok(Facts {
        is_locked,
        has_record: record.is_some(),
        is_up: directory.is_up(),
        is_of_this_boot: record.as_ref().is_some_and(|record| record.boot == boot),
        has_owner: record
            .as_ref()
            .is_some_and(|record| record.owner.as_ref().is_none_or(state::Process::is_alive)),
        is_in_use: record
            .as_ref()
            .is_some_and(|record| record.node_names().iter().any(is_used)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTHY: Facts = Facts {
        is_locked: false,
        has_record: true,
        is_up: true,
        is_of_this_boot: true,
        has_owner: true,
        is_in_use: true,
    };

    #[test]
    fn a_lab_that_someone_can_use_stays() {
        assert_eq!(judge(HEALTHY), Verdict::Keep);
    }

    #[test]
    fn a_lab_that_is_being_worked_on_stays_whatever_it_looks_like() {
        let half_made = Facts {
            is_locked: true,
            has_record: false,
            is_up: false,
            is_in_use: false,
            ..HEALTHY
        };
        assert_eq!(judge(half_made), Verdict::Keep);
    }

    #[test]
    fn every_kind_of_wreck_goes() {
        let wrecks = [
            Facts {
                has_record: false,
                ..HEALTHY
            },
            Facts {
                is_up: false,
                ..HEALTHY
            },
            Facts {
                is_of_this_boot: false,
                ..HEALTHY
            },
            Facts {
                has_owner: false,
                ..HEALTHY
            },
            Facts {
                is_in_use: false,
                ..HEALTHY
            },
        ];
        for wreck in wrecks {
            assert!(matches!(judge(wreck), Verdict::Remove(_)), "{wreck:?}");
        }
    }
}
