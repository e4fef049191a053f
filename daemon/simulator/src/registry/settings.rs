//! The settings that the brains are told of, and the rules by which they change. The rules are
//! those of the real registry, as far as the brains can run into them.

use hwc_api::balancing::Balancing;
use hwc_api::ids::{DatasetId, MoveId, NodeId, SiteId};
use hwc_api::names::ZoneName;
use hwc_api::time::WallTime;
use hwc_state_machine::{DatasetPolicy, PastMove, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// So many receipts of moves are kept.
const MOVES_MAX: usize = 200;

/// The settings as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Counts changes.
    pub index: u64,
    /// The nodes that belong to the cluster today.
    pub nodes: BTreeMap<NodeId, Member>,
    /// The nodes that were taken out: they never return under their ids.
    pub removed: BTreeSet<NodeId>,
    /// All datasets, deleted ones too.
    pub datasets: BTreeMap<DatasetId, DatasetPolicy>,
    /// The newest moves.
    pub moves: BTreeMap<MoveId, PastMove>,
    /// How load is spread.
    pub balancing: Balancing,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The index at which it joined.
    pub join_index: u64,
    /// Where it stands.
    pub zone: ZoneName,
    /// Whether it may hold datasets.
    pub is_hosting: bool,
    /// Whether it is one of those that keep the settings.
    pub is_voting: bool,
    /// Set while it is emptied: whether datasets may lack copies meanwhile.
    pub drain: Option<bool>,
}

impl Member {
    const fn takes_datasets(&self) -> bool {
        self.is_hosting && self.drain.is_none()
    }
}

/// A change that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A node joins.
    Join(NodeId),
    /// A node joins again with an empty disk.
    JoinAgain(NodeId),
    /// A node is taken out for good.
    Remove(NodeId),
    /// A node stands in another zone.
    SetZone(NodeId, ZoneName),
    /// Hosting is switched on or off on a node.
    SetHosting(NodeId, bool),
    /// A node is to be emptied, if need be below the number of copies.
    Drain(NodeId, bool),
    /// A node is put back to use.
    Undrain(NodeId),
    /// A site is created: its files, and databases beside them, each with so many copies.
    Create {
        /// The files.
        files: DatasetId,
        /// The databases.
        databases: Vec<DatasetId>,
        /// The nodes that are to hold them.
        replicas: Vec<NodeId>,
        /// Copies that each should have.
        copies: u8,
    },
    /// A dataset is deleted.
    Delete(DatasetId),
    /// Other nodes are to hold a dataset.
    SetReplicas {
        /// Which.
        dataset: DatasetId,
        /// The nodes as whoever asks saw them.
        expected: Vec<NodeId>,
        /// The nodes.
        replicas: Vec<NodeId>,
    },
    /// The site of a dataset is pinned, or let go.
    Pin(DatasetId, Option<NodeId>),
    /// The site of a dataset is not to be moved for a while.
    Hold(DatasetId, Option<WallTime>),
    /// Load is spread by other rules.
    SetBalancing(Balancing),
    /// The receipt of a move.
    NoteMove(PastMove),
}

impl Settings {
    pub(super) fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        match order {
            Order::Join(node) | Order::JoinAgain(node) => return self.join(*node),
            Order::Remove(node) => return self.remove(*node),
            Order::SetZone(node, zone) => self.member(*node)?.zone = zone.clone(),
            Order::SetHosting(node, is_hosting) => return self.set_hosting(*node, *is_hosting),
            Order::Drain(node, may_lack) => return self.drain(*node, *may_lack),
            Order::Undrain(node) => {
                let member = self.member(*node)?;
                member.drain.take().ok_or("the node is not being drained")?;
            }
            Order::Create {
                files,
                databases,
                replicas,
                copies,
            } => return self.create(*files, databases, replicas, *copies),
            Order::Delete(dataset) => self.dataset(*dataset)?.is_deleted = true,
            Order::SetReplicas {
                dataset,
                expected,
                replicas,
            } => return self.set_replicas(*dataset, expected, replicas),
            Order::Pin(dataset, node) => return self.pin(*dataset, *node),
            Order::Hold(dataset, until) => {
                for dataset in self.unit_of(*dataset)? {
                    self.dataset(dataset)?.hold_until = *until;
                }
            }
            Order::SetBalancing(balancing) => self.balancing = *balancing,
            Order::NoteMove(receipt) => self.note_move(*receipt),
        }
        Ok(())
    }

    fn join(&mut self, node: NodeId) -> Result<(), String> {
        if self.removed.contains(&node) {
            return Err(format!("node {node} was removed for good"));
        }
        let before = self.nodes.get(&node);
        let member = Member {
            join_index: self.index,
            zone: before.map_or_else(ZoneName::default, |member| member.zone.clone()),
            is_hosting: true,
            is_voting: true,
            drain: None,
        };
        self.nodes.insert(node, member);
        Ok(())
    }

    fn remove(&mut self, node: NodeId) -> Result<(), String> {
        self.member(node)?;
        if self.nodes.len() == 1 {
            return Err("the last node can't be removed".to_owned());
        }
        let is_only_holder = |dataset: &DatasetPolicy| dataset.replicas == [node];
        if self
            .datasets
            .values()
            .any(|dataset| !dataset.is_deleted && is_only_holder(dataset))
        {
            return Err(format!("node {node} holds the only copy of a dataset"));
        }
        self.nodes.remove(&node);
        self.removed.insert(node);
        for dataset in self.datasets.values_mut() {
            if !is_only_holder(dataset) {
                dataset.replicas.retain(|holder| *holder != node);
            }
            dataset.pin = dataset.pin.filter(|pin| *pin != node);
        }
        Ok(())
    }

    fn set_hosting(&mut self, node: NodeId, is_hosting: bool) -> Result<(), String> {
        let holds =
            |dataset: &DatasetPolicy| !dataset.is_deleted && dataset.replicas.contains(&node);
        if !is_hosting && self.datasets.values().any(holds) {
            return Err(format!("node {node} holds datasets"));
        }
        self.member(node)?.is_hosting = is_hosting;
        Ok(())
    }

    fn drain(&mut self, node: NodeId, may_lack: bool) -> Result<(), String> {
        if !self.member(node)?.is_hosting {
            return Err(format!("node {node} hosts nothing"));
        }
        let others = self.nodes.iter();
        let others = others
            .filter(|(id, other)| **id != node && other.takes_datasets())
            .count();
        let lacks = |dataset: &DatasetPolicy| {
            !dataset.is_deleted
                && dataset.replicas.contains(&node)
                && usize::from(dataset.copies) > others
        };
        if others == 0 || (!may_lack && self.datasets.values().any(lacks)) {
            return Err(format!("only {others} other nodes take datasets"));
        }
        self.member(node)?.drain = Some(may_lack);
        Ok(())
    }

    fn create(
        &mut self,
        files: DatasetId,
        databases: &[DatasetId],
        replicas: &[NodeId],
        copies: u8,
    ) -> Result<(), String> {
        self.check_replicas(replicas, &[])?;
        let unit = Unit {
            site: SiteId(files.0),
            files,
        };
        for dataset in databases.iter().chain([&files]) {
            if self.datasets.contains_key(dataset) {
                return Err(format!("there is a dataset {dataset}"));
            }
            let policy = DatasetPolicy {
                replicas: replicas.to_vec(),
                copies,
                created_index: self.index,
                is_deleted: false,
                unit: Some(unit),
                pin: None,
                hold_until: None,
            };
            self.datasets.insert(*dataset, policy);
        }
        Ok(())
    }

    fn set_replicas(
        &mut self,
        dataset: DatasetId,
        expected: &[NodeId],
        replicas: &[NodeId],
    ) -> Result<(), String> {
        if self.dataset(dataset)?.replicas != expected {
            return Err("the holders were changed meanwhile".to_owned());
        }
        self.check_replicas(replicas, expected)?;
        self.dataset(dataset)?.replicas = replicas.to_vec();
        Ok(())
    }

    fn check_replicas(&self, replicas: &[NodeId], holders: &[NodeId]) -> Result<(), String> {
        let distinct: BTreeSet<_> = replicas.iter().collect();
        if replicas.is_empty() || distinct.len() != replicas.len() {
            return Err(format!("{replicas:?} is no set of nodes"));
        }
        for node in replicas {
            let member = self.nodes.get(node).ok_or_else(|| unknown(*node))?;
            if !holders.contains(node) && !member.takes_datasets() {
                return Err(format!("node {node} takes no datasets"));
            }
        }
        Ok(())
    }

    fn pin(&mut self, dataset: DatasetId, node: Option<NodeId>) -> Result<(), String> {
        if let Some(node) = node {
            self.member(node)?;
        }
        for dataset in self.unit_of(dataset)? {
            self.dataset(dataset)?.pin = node;
        }
        Ok(())
    }

    fn note_move(&mut self, receipt: PastMove) {
        let last = self.moves.last_key_value().map_or(0, |(id, _)| id.0);
        self.moves.insert(MoveId(last + 1), receipt);
        while self.moves.len() > MOVES_MAX {
            self.moves.pop_first();
        }
    }

    /// The datasets of the site that this one belongs to.
    fn unit_of(&mut self, dataset: DatasetId) -> Result<Vec<DatasetId>, String> {
        let unit = self.dataset(dataset)?.unit;
        let same = self.datasets.iter();
        Ok(same
            .filter(|(_, other)| !other.is_deleted && other.unit == unit)
            .map(|(id, _)| *id)
            .collect())
    }

    fn member(&mut self, node: NodeId) -> Result<&mut Member, String> {
        self.nodes.get_mut(&node).ok_or_else(|| unknown(node))
    }

    fn dataset(&mut self, dataset: DatasetId) -> Result<&mut DatasetPolicy, String> {
        self.datasets
            .get_mut(&dataset)
            .filter(|policy| !policy.is_deleted)
            .ok_or_else(|| format!("there is no dataset {dataset}"))
    }
}

fn unknown(node: NodeId) -> String {
    format!("there is no node {node}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let mut settings = Settings::default();
        for node in 1..=3 {
            settings.join(NodeId(node)).expect("joined");
        }
        let create = Order::Create {
            files: DatasetId(1),
            databases: vec![DatasetId(2)],
            replicas: vec![NodeId(1), NodeId(2)],
            copies: 2,
        };
        settings.carry_out(&create).expect("created");
        settings
    }

    #[test]
    fn a_change_upon_an_old_view_is_refused() {
        let mut settings = settings();
        let order = |expected: u16, node: u16| Order::SetReplicas {
            dataset: DatasetId(1),
            expected: vec![NodeId(1), NodeId(expected)],
            replicas: vec![NodeId(1), NodeId(node)],
        };
        assert!(settings.carry_out(&order(2, 3)).is_ok());
        assert!(settings.carry_out(&order(2, 3)).is_err());
        assert!(settings.carry_out(&order(3, 9)).is_err(), "no such node");
    }

    #[test]
    fn a_drain_that_leaves_too_few_copies_is_refused_unless_allowed() {
        let mut settings = settings();
        assert!(settings.carry_out(&Order::Drain(NodeId(3), false)).is_ok());
        assert!(settings.carry_out(&Order::Drain(NodeId(2), false)).is_err());
        assert!(settings.carry_out(&Order::Drain(NodeId(2), true)).is_ok());
        assert!(settings.carry_out(&Order::Drain(NodeId(1), true)).is_err());
    }

    #[test]
    fn what_belongs_to_a_site_is_pinned_together() {
        let mut settings = settings();
        let pin = Order::Pin(DatasetId(2), Some(NodeId(2)));
        settings.carry_out(&pin).expect("pinned");
        let pins: Vec<_> = settings
            .datasets
            .values()
            .map(|policy| policy.pin)
            .collect();
        assert_eq!(pins, [Some(NodeId(2)), Some(NodeId(2))]);
    }
}
