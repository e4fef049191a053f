//! What all connections of the front doors look at: table, doors, waiting room, upstreams.

use crate::certificates::CertificateSource;
use crate::config::ProxyConfig;
use crate::gates::{Door, Doors, Pass};
use crate::http::upstream::Upstreams;
use crate::routes::{Destination, Route, RoutingTable, destination};
use crate::succession::Succession;
use crate::waiting::WaitingRoom;
use arc_swap::ArcSwap;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::Dial;
use hwc_runtime::lifecycle::Tasks;
use std::sync::Arc;

pub(crate) struct Shared {
    pub me: NodeId,
    pub config: ProxyConfig,
    pub table: Arc<ArcSwap<RoutingTable>>,
    pub doors: Doors,
    pub room: Arc<WaitingRoom>,
    pub upstreams: Upstreams,
    pub dial: Arc<dyn Dial>,
    pub certificates: Arc<dyn CertificateSource>,
    pub clock: Clock,
    /// Everything but visitors' connections.
    pub tasks: Tasks,
    /// Visitors' connections: they outlive the rest when the daemon is restarted.
    pub visitors: Tasks,
    pub admission: crate::listener::Admission,
    pub succession: Succession,
    pub connections: crate::listener::Census,
    pub mysql_sessions: Arc<tokio::sync::Semaphore>,
}

/// Where a request may go at this moment.
pub(crate) enum Way {
    /// In here, with leave.
    Here(Pass),
    /// To another node.
    Peer { node: NodeId, epoch: Epoch },
    /// Nowhere yet.
    Wait,
}

impl Shared {
    /// Finds the way to a dataset and takes the pass, if it leads in here.
    pub fn way(&self, door: &Arc<Door>) -> Way {
        let route = self.table.load().route(door.dataset());
        // A gate that nobody vouches for counts as closed; the request waits.
        if !self.doors.is_vouched() {
            return Way::Wait;
        }
        match destination(self.me, door.open_epoch(), route) {
            // The gate may have closed between the two looks.
            Destination::Here(epoch) => door.enter(epoch).map_or(Way::Wait, Way::Here),
            Destination::Peer { node, epoch } => Way::Peer { node, epoch },
            Destination::Wait => Way::Wait,
        }
    }

    /// Whether requests for the dataset have somewhere to go; remembers since when they have, or
    /// have not. To be called after whatever may change it.
    pub fn note_way(&self, door: &Door) {
        door.note_way(|| {
            let route = self.table.load().route(door.dataset());
            match destination(self.me, door.open_epoch(), route) {
                Destination::Here(_) | Destination::Peer { .. } => true,
                Destination::Wait => false,
            }
        });
    }

    /// Ends once requests for the dataset have another place to go than this node under this epoch.
    /// While a dataset has no live node at all it goes on waiting: a draining node still answers
    /// what it has begun. Cancel-safe.
    pub async fn moved_on(self: Arc<Self>, door: Arc<Door>, node: NodeId, epoch: Epoch) {
        let mut changes = door.changes();
        loop {
            let route = self.table.load().route(door.dataset());
            match destination(self.me, door.open_epoch(), route) {
                Destination::Wait => {}
                Destination::Peer {
                    node: now,
                    epoch: then,
                } if (now, then) == (node, epoch) => {}
                Destination::Peer { .. } | Destination::Here(_) => return,
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes a new table and wakes those who wait for what changed.
    pub fn set_routes(&self, table: RoutingTable) {
        let table = Arc::new(table);
        let old = self.table.swap(Arc::clone(&table));
        self.admission.routed();
        for door in self.doors.all() {
            let dataset = door.dataset();
            if differs(&old, &table, dataset) {
                self.note_way(&door);
                door.notify();
            }
        }
    }
}

fn differs(old: &RoutingTable, new: &RoutingTable, dataset: DatasetId) -> bool {
    let route: fn(&RoutingTable, DatasetId) -> Route = RoutingTable::route;
    route(old, dataset) != route(new, dataset)
        || old.is_suspended(dataset) != new.is_suspended(dataset)
}
