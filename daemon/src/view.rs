//! What people see: desired and observed state put together into the API's views. Pure.
//!
//! Here sites, nodes and accounts; jobs, moves, drains and what is lost with nodes in files of their
//! own.

mod drain;
mod jobs;
mod lost;
mod moves;
mod registry;
#[cfg(test)]
pub(crate) mod sample;

pub(crate) use registry::standing as registry_standing;

use crate::picture::Picture;
use hwc_api::desired::{Account, ApiToken, Database, Dataset, DatasetContent, Desired, Site};
use hwc_api::ids::{AccountId, DatasetId, NodeId};
use hwc_api::names::NodeName;
use hwc_api::ownership::HolderState;
use hwc_api::time::WallTime;
use hwc_api::v1::{
    AccountView, CopyView, DatabaseView, DatasetView, LiveState, NodeRef, NodeView, SiteView,
    TokenView,
};
use std::collections::BTreeSet;

/// The two halves of the truth, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What should be.
    pub desired: &'a Desired,
    /// What is.
    pub picture: &'a Picture,
    /// When.
    pub now: WallTime,
}

impl Scene<'_> {
    /// A site.
    #[must_use]
    pub fn site(&self, site: &Site) -> SiteView {
        let files = self.dataset(site.dataset);
        let databases: Vec<_> = self
            .desired
            .databases_of_site(site.id)
            .map(|database| self.database(database))
            .collect();
        let state = databases
            .iter()
            .map(|d| d.dataset.state)
            .fold(files.state, worse);
        SiteView {
            id: site.id,
            account: site.account,
            account_name: self.account_name(site.account),
            domains: site.domains.clone(),
            title: site_title(site).unwrap_or_default(),
            php: site.php,
            app: site.app.clone(),
            state,
            files,
            databases,
            jobs: self.newest_jobs(site),
            pin: site.pin.map(|node| self.node_ref(node)),
            hold_until: site.hold_until.filter(|until| *until > self.now),
            created_at: site.created_at,
        }
    }

    /// A node.
    #[must_use]
    pub fn node(&self, node: &hwc_api::desired::Node) -> NodeView {
        let mut view = NodeView {
            node: NodeRef {
                id: node.id,
                name: node.name.clone(),
            },
            address: node.address,
            zone: node.zone.clone(),
            switched_off: node.switched_off.clone(),
            drain: node.drain.clone(),
            health: self.picture.health(node.id),
            observed: self.picture.nodes.get(&node.id).cloned(),
            live_sites: 0,
            live_databases: 0,
            copies: 0,
        };
        for dataset in self
            .desired
            .datasets
            .values()
            .filter(|dataset| !dataset.is_deleted)
        {
            let is_live = self
                .picture
                .live_node(dataset.id)
                .is_some_and(|live| live.node == node.id);
            let holds = || {
                let holders = self.picture.holders.get(&dataset.id);
                holders
                    .and_then(|h| h.get(&node.id))
                    .is_some_and(|record| record.has_copy)
            };
            match (is_live, dataset.content) {
                (true, DatasetContent::Site(_)) => view.live_sites += 1,
                (true, DatasetContent::Database(_)) => view.live_databases += 1,
                (false, DatasetContent::Site(_) | DatasetContent::Database(_)) => {
                    view.copies += u32::from(holds());
                }
            }
        }
        view
    }

    /// An account.
    #[must_use]
    pub fn account(&self, account: &Account) -> AccountView {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let sites = self
            .desired
            .sites
            .values()
            .filter(|site| site.account == account.id)
            .count();
        let databases = self
            .desired
            .databases
            .values()
            .filter(|database| database.account == account.id)
            .count();
        AccountView {
            id: account.id,
            login: account.login.clone(),
            name: account.name.clone(),
            email: account.email.clone(),
            role: account.role,
            limits: account.limits,
            sites: count(sites),
            databases: count(databases),
            is_suspended: account.is_suspended,
            created_at: account.created_at,
        }
    }

    /// An API token, without its secret.
    #[must_use]
    pub fn token(&self, token: &ApiToken) -> TokenView {
        TokenView {
            id: token.id,
            label: token.label.clone(),
            created_at: token.created_at,
            expires_at: token.expires_at,
        }
    }

    fn database(&self, database: &Database) -> DatabaseView {
        DatabaseView {
            id: database.id,
            name: database.name.clone(),
            user: database.user.clone(),
            dataset: self.dataset(database.dataset),
        }
    }

    /// A dataset: where it is live, which copies it has and how old they are.
    #[must_use]
    pub fn dataset(&self, id: DatasetId) -> DatasetView {
        let live = self.picture.live_node(id);
        let observed = self.picture.dataset(id);
        let holders = self.picture.holders.get(&id);
        let divergent = holders
            .into_iter()
            .flat_map(|h| h.values())
            .flat_map(|r| &r.divergent);
        let divergent: BTreeSet<_> = divergent
            .map(hwc_api::ownership::Lineage::branch_name)
            .collect();
        DatasetView {
            id,
            state: self.live_state(id),
            live_node: live.map(|live| self.node_ref(live.node)),
            used_bytes: observed.map_or(0, |observed| observed.used_bytes),
            copies: self
                .copy_holders(id)
                .into_iter()
                .filter(|node| live.is_none_or(|live| live.node != *node))
                .map(|node| self.copy(id, node))
                .collect(),
            divergent_copies: u32::try_from(divergent.len()).unwrap_or(u32::MAX),
            moving: self.picture.moving(id).cloned(),
        }
    }

    fn live_state(&self, id: DatasetId) -> LiveState {
        match self
            .picture
            .live_node(id)
            .map(|live| (live.route.state, live.route.is_open))
        {
            Some((HolderState::Live, true)) => LiveState::Live,
            Some((HolderState::Draining, _)) => LiveState::Moving,
            Some((HolderState::Live | HolderState::Replica | HolderState::Claiming, _)) => {
                LiveState::Starting
            }
            None if self.picture.is_being_claimed(id) || self.is_anyone_able(id) => {
                LiveState::Starting
            }
            None => LiveState::Down,
        }
    }

    /// Whether a node in reach could take the dataset over, or begin it.
    fn is_anyone_able(&self, id: DatasetId) -> bool {
        let holders = self.picture.holders.get(&id);
        let has_copy = |node: &NodeId| {
            holders
                .and_then(|h| h.get(node))
                .is_some_and(|record| record.has_copy)
        };
        let nobody_has = holders.is_none_or(|h| h.values().all(|record| !record.has_copy));
        self.copy_holders(id)
            .iter()
            .any(|node| self.picture.is_reachable(*node) && (has_copy(node) || nobody_has))
    }

    /// The nodes that should hold a copy, and those that do.
    fn copy_holders(&self, id: DatasetId) -> Vec<NodeId> {
        let wanted = self
            .desired
            .datasets
            .get(&id)
            .map(|dataset: &Dataset| dataset.replicas.clone());
        let mut nodes = wanted.unwrap_or_default();
        let holders = self.picture.holders.get(&id).into_iter().flatten();
        for (node, record) in holders {
            if record.has_copy && !nodes.contains(node) {
                nodes.push(*node);
            }
        }
        nodes
    }

    fn copy(&self, id: DatasetId, node: NodeId) -> CopyView {
        let record = self
            .picture
            .holders
            .get(&id)
            .and_then(|holders| holders.get(&node));
        let fresh = self
            .picture
            .dataset(id)
            .and_then(|observed| observed.replicas.get(&node));
        let age_ms = fresh
            .filter(|fresh| fresh.acknowledged.is_some())
            .map(|fresh| {
                if fresh.is_current {
                    0
                } else {
                    self.now.since_ms(fresh.current_as_of)
                }
            });
        CopyView {
            node: self.node_ref(node),
            is_reachable: self.picture.is_reachable(node),
            is_complete: record.is_some_and(|record| record.has_copy),
            age_ms,
        }
    }

    /// A node with its name.
    #[must_use]
    pub fn node_ref(&self, id: NodeId) -> NodeRef {
        let name = self.desired.nodes.get(&id).map(|node| node.name.clone());
        let unknown = || NodeName::parse(&format!("node-{id}")).ok();
        // Every id in use has a node in the registry; a name made of its number is one as well.
        let name = name.or_else(unknown);
        NodeRef {
            id,
            name: name.unwrap_or_else(|| unreachable_name(id)),
        }
    }

    fn account_name(&self, id: AccountId) -> String {
        self.desired
            .accounts
            .get(&id)
            .map(|account| account.name.clone())
            .unwrap_or_default()
    }
}

#[expect(
    clippy::panic,
    reason = "“node-” and digits always parse as a node's name"
)]
fn unreachable_name(id: NodeId) -> NodeName {
    panic!("node-{id} does not parse as a node's name")
}

/// The main domain as people write it.
fn site_title(site: &Site) -> Option<String> {
    let domain = site.main_domain();
    domain.map(hwc_api::names::DomainName::to_unicode)
}

const fn rank(state: LiveState) -> u8 {
    match state {
        LiveState::Live => 0,
        LiveState::Moving => 1,
        LiveState::Starting => 2,
        LiveState::Down => 3,
    }
}

const fn worse(one: LiveState, other: LiveState) -> LiveState {
    if rank(other) > rank(one) { other } else { one }
}
