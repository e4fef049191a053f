//! The end of a run: everything heals, and the cluster must come to rest.

use super::{DatasetId, NodeId, Temper, World};
use crate::ghost::labels;
use hwc_state_machine::Phase;

/// The cluster must have come to rest after this long without faults. The longest waits are the
/// back-off and the time of a node that heard nobody, half a minute each.
const REST_WITHIN_MS: u64 = 300_000;
/// It is looked at this often.
const LOOK_EVERY_MS: u64 = 1_000;

impl World {
    /// Mends everything and waits until the cluster is at rest.
    ///
    /// # Errors
    /// What is still wrong when the time is over, or the invariant that was violated.
    pub fn come_to_rest(&mut self) -> Result<(), String> {
        self.note("everything heals".to_owned());
        self.set_temper(Temper::calm());
        self.mend_links();
        let ids: Vec<_> = self.node_ids().collect();
        for id in ids {
            self.thaw(id);
            self.boot(id);
        }
        let until = self.now + REST_WITHIN_MS;
        let mut unrest = String::new();
        while self.now < until {
            self.run_for(LOOK_EVERY_MS);
            if let Some(violation) = self.violation() {
                return Err(violation.to_owned());
            }
            match self.unrest() {
                None => return Ok(()),
                Some(what) => unrest = what,
            }
        }
        Err(format!("not at rest after everything healed: {unrest}"))
    }

    /// What is not as it should be in a healthy cluster; `None` if all is well.
    #[must_use]
    pub fn unrest(&self) -> Option<String> {
        self.policies
            .keys()
            .find_map(|dataset| self.unrest_of(*dataset))
    }

    fn unrest_of(&self, dataset: DatasetId) -> Option<String> {
        let policy = self.policies.get(&dataset)?;
        let statuses: Vec<_> = self
            .node_ids()
            .filter_map(|id| Some((id, self.brain(id)?.status(dataset)?)))
            .collect();
        let serving: Vec<_> = statuses
            .iter()
            .filter(|(_, status)| status.phase != Phase::Replica)
            .map(|(id, _)| *id)
            .collect();
        if policy.is_deleted {
            return (!serving.is_empty()).then(|| format!("{serving:?} serve a deleted dataset"));
        }
        if statuses.iter().any(|(_, status)| status.is_contending) {
            return Some(format!("dataset {dataset} is undecided"));
        }
        let is_any_left = statuses.iter().any(|(_, status)| status.lineage.is_some());
        if !is_any_left && serving.is_empty() {
            // The last disk with a copy is gone: nobody may pretend otherwise.
            return None;
        }
        let [live] = serving.as_slice() else {
            return Some(format!("dataset {dataset} is served by {serving:?}"));
        };
        if self.open_node(dataset) != Some(*live) {
            return Some(format!("{live} is live for {dataset} but not open"));
        }
        self.unlike_copies(dataset, *live)
            .or_else(|| self.unkept_writes(dataset, *live))
    }

    fn unlike_copies(&self, dataset: DatasetId, live: NodeId) -> Option<String> {
        let policy = self.policies.get(&dataset)?;
        let history = |id: NodeId| {
            let copy = self.disk(id)?.datasets.get(&dataset)?.copy.as_ref()?;
            Some((labels(&copy.lineage), copy.content.clone()))
        };
        let truth = history(live);
        for member in &policy.replicas {
            if history(*member) != truth {
                return Some(format!("{member}'s copy of {dataset} is not {live}'s"));
            }
        }
        // An outsider's copy goes only where another member can be counted on besides the live one.
        let counts =
            |member: &NodeId| *member != live && !self.ghost.granted.contains(&(dataset, *member));
        if !policy.replicas.contains(&live) || !policy.replicas.iter().any(counts) {
            return None;
        }
        self.node_ids()
            .find(|id| !policy.replicas.contains(id) && history(*id).is_some())
            .map(|id| format!("{id} still has a copy of {dataset}"))
    }

    fn unkept_writes(&self, dataset: DatasetId, live: NodeId) -> Option<String> {
        let wanted = self.policies.get(&dataset)?.replicas.len().min(2);
        let winner = &self
            .disk(live)?
            .datasets
            .get(&dataset)?
            .copy
            .as_ref()?
            .content;
        for (_, write) in self
            .ghost
            .acknowledged
            .iter()
            .filter(|(of, _)| *of == dataset)
        {
            if winner.contains(write) {
                continue;
            }
            let keepers = self
                .nodes
                .values()
                .filter_map(|node| node.disk.datasets.get(&dataset))
                .filter(|on_disk| on_disk.keeps_divergent(*write))
                .count();
            if keepers < wanted {
                return Some(format!("write {write} is kept by {keepers} nodes only"));
            }
        }
        None
    }
}
