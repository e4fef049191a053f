//! A change in the making: the settings before it, what it has decided so far, and the questions
//! that many rules ask.

use super::Decision;
use crate::settings::{Counters, Edit, Settings};
use hwc_api::change::Applied;
use hwc_api::desired::{Account, Dataset, DatasetContent, Desired, Node};
use hwc_api::ids::{AccountId, DatasetId, NodeId};
use hwc_api::problem::{Problem, ProblemCode};
use std::collections::BTreeSet;

/// A change in the making.
pub(super) struct Draft<'a> {
    settings: &'a Settings,
    counters: Counters,
    edits: Vec<Edit>,
}

impl<'a> Draft<'a> {
    pub fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            counters: settings.counters,
            edits: Vec::new(),
        }
    }

    /// The settings before this change.
    pub fn settings(&self) -> &'a Settings {
        self.settings
    }

    /// What everyone sees of the settings before this change.
    pub fn desired(&self) -> &'a Desired {
        &self.settings.desired
    }

    /// The index that this change will have.
    pub fn index(&self) -> u64 {
        self.settings.desired.index + 1
    }

    /// Decides one more edit.
    pub fn edit(&mut self, edit: Edit) {
        self.edits.push(edit);
    }

    /// Takes the next number of a kind, such as `|counters| &mut counters.site`.
    ///
    /// # Errors
    /// When all numbers of the kind have been given out.
    pub fn take<N: TryFrom<u64>>(
        &mut self,
        counter: impl FnOnce(&mut Counters) -> &mut u64,
    ) -> Result<N, Problem> {
        let counter = counter(&mut self.counters);
        let number = N::try_from(*counter).map_err(|_| {
            Problem::new(
                ProblemCode::Conflict,
                "All numbers of this kind have been given out.",
            )
        })?;
        *counter += 1;
        Ok(number)
    }

    /// An account that exists.
    pub fn account(&self, id: AccountId) -> Result<&'a Account, Problem> {
        self.desired()
            .accounts
            .get(&id)
            .ok_or_else(|| not_found("account", id).field("account"))
    }

    /// An account that may be given something new. Suspension beats what was asked for before it
    /// and arrives after it.
    pub fn account_in_good_standing(&self, id: AccountId) -> Result<&'a Account, Problem> {
        let account = self.account(id)?;
        if account.is_suspended {
            return Err(Problem::new(
                ProblemCode::Forbidden,
                "The account is suspended. Lift the suspension first.",
            )
            .field("account"));
        }
        Ok(account)
    }

    /// Checks the nodes that are to hold a dataset: at least one, each once, each in the cluster
    /// and taking datasets. Those that hold it already, or what it belongs to, may be draining.
    pub fn check_replicas(&self, replicas: &[NodeId], holders: &[NodeId]) -> Result<(), Problem> {
        if replicas.is_empty() {
            return Err(
                Problem::new(ProblemCode::NoNode, "No node was named to hold the data.")
                    .field("replicas"),
            );
        }
        let mut seen = BTreeSet::new();
        for node in replicas {
            if holders.contains(node) {
                self.node(*node)?;
            } else {
                self.check_takes_datasets(*node)?;
            }
            if !seen.insert(*node) {
                return Err(Problem::new(
                    ProblemCode::Invalid,
                    format!("Node {node} is named twice; name each node once."),
                )
                .field("replicas")
                .detail(node.to_string()));
            }
        }
        Ok(())
    }

    /// A node that is in the cluster today.
    pub fn node(&self, id: NodeId) -> Result<&'a Node, Problem> {
        let node = self.desired().nodes.get(&id);
        node.filter(|node| !node.is_removed)
            .ok_or_else(|| unknown_node(id))
    }

    /// A node that hosts sites.
    pub fn hosting_node(&self, id: NodeId) -> Result<&'a Node, Problem> {
        let node = self.node(id)?;
        if node.is_hosting() {
            return Ok(node);
        }
        Err(Problem::new(
            ProblemCode::NodeNotHosting,
            format!(
                "Node {} hosts no sites: hosting is switched off on it.",
                node.name
            ),
        )
        .field("node")
        .detail(node.name.to_string()))
    }

    /// Checks that datasets may come to a node.
    pub fn check_takes_datasets(&self, id: NodeId) -> Result<(), Problem> {
        let node = self.hosting_node(id)?;
        if node.takes_datasets() {
            return Ok(());
        }
        Err(Problem::new(
            ProblemCode::NodeDraining,
            format!(
                "Node {} is being drained. Choose another, or undrain it.",
                node.name
            ),
        )
        .field("node")
        .detail(node.name.to_string()))
    }

    /// Makes the dataset of a new site or database.
    pub fn create_dataset(
        &mut self,
        content: DatasetContent,
        wish: Copies<'_>,
    ) -> Result<DatasetId, Problem> {
        if wish.number == 0 {
            return Err(no_copies());
        }
        self.check_replicas(wish.replicas, wish.beside)?;
        let id = DatasetId(self.take(|counters| &mut counters.dataset)?);
        self.edit(Edit::PutDataset(Dataset {
            id,
            content,
            replicas: wish.replicas.to_vec(),
            copies: wish.number,
            created_index: self.index(),
            is_deleted: false,
        }));
        Ok(id)
    }

    /// Marks a dataset as deleted: its copies become trash.
    pub fn delete_dataset(&mut self, id: DatasetId) {
        if let Some(dataset) = self.desired().datasets.get(&id) {
            self.edit(Edit::PutDataset(Dataset {
                is_deleted: true,
                ..dataset.clone()
            }));
        }
    }

    pub fn into_decision(self, applied: Applied) -> Decision {
        Decision {
            index: self.index(),
            edits: self.edits,
            counters: self.counters,
            applied,
        }
    }
}

/// Where the copies of a new dataset are, and how many there should be.
pub(super) struct Copies<'a> {
    pub replicas: &'a [NodeId],
    pub number: u8,
    /// The nodes that hold what it belongs to: it may join that on a node that is being drained.
    pub beside: &'a [NodeId],
}

/// Every dataset has at least one copy.
pub(super) fn no_copies() -> Problem {
    Problem::new(
        ProblemCode::Invalid,
        "Ask for at least one copy of each dataset.",
    )
    .field("copies")
    .detail("1")
}

/// There is no such object.
pub(super) fn not_found(what: &str, id: impl std::fmt::Display) -> Problem {
    Problem::new(
        ProblemCode::NotFound,
        format!("There is no {what} with the number {id}. It may have been deleted."),
    )
    .detail(id.to_string())
}

/// There is no such node in the cluster.
pub(super) fn unknown_node(id: NodeId) -> Problem {
    Problem::new(
        ProblemCode::UnknownNode,
        format!("There is no node {id} in the cluster. hwc status lists the nodes."),
    )
    .field("node")
    .detail(id.to_string())
}
