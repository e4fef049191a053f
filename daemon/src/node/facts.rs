//! Streams of facts: what the rooms notice goes to the conductor, what other nodes send to the rooms.

use crate::conductor::hands::Rooms;
use crate::conductor::input::{Input, Inputs};
use crate::config::Config;
use crate::network;
use hwc_api::desired::Desired;
use hwc_api::network::Network;
use hwc_group::roster::Roster;
use hwc_registry::Registry;
use hwc_runtime::dial::Service;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Brings what the rooms notice to the conductor.
pub(super) fn spawn_facts(
    rooms: &Arc<Rooms>,
    registry: &Registry,
    config: &Config,
    inputs: &Inputs,
) {
    let (mut desired, settings, group, port, state) = (
        registry.desired(),
        inputs.clone(),
        rooms.group.clone(),
        config.port,
        config.state.clone(),
    );
    rooms
        .tasks
        .spawn_until_stopped("settings to the conductor", async move {
            loop {
                let now = Arc::clone(&desired.borrow_and_update());
                // Before the first settings arrive, the roster known from joining is better than none.
                if let Some(cluster) = &now.cluster {
                    keep_network(&state, cluster.network);
                    group.set_roster(roster(&now, port));
                    let _stopped = settings.send(Input::Desired(now));
                }
                if desired.changed().await.is_err() {
                    return;
                }
            }
        });
    let (mut membership, members) = (rooms.group.membership.subscribe(), inputs.clone());
    rooms
        .tasks
        .spawn_until_stopped("membership to the conductor", async move {
            while let Some(event) = membership.recv().await {
                let _stopped = members.send(Input::Membership(event));
            }
        });
    let (mut board, boards) = (rooms.group.board.subscribe(), inputs.clone());
    rooms
        .tasks
        .spawn_until_stopped("boards to the conductor", async move {
            loop {
                let event = board.next().await;
                if boards.send(Input::Board(event)).is_err() {
                    return;
                }
            }
        });
}

/// Keeps the kind of network for the next start, where it is another one.
fn keep_network(state: &Path, network: Network) {
    let kept = network::load(state).ok();
    if kept == Some(network) {
        return;
    }
    match network::keep(state, network) {
        Ok(()) => tracing::info!(network = network.as_str(), "kept for the next start"),
        Err(error) => tracing::error!(%error, "keep the kind of network for the next start"),
    }
}

/// Which nodes there are and where they listen.
pub(super) fn roster(desired: &Desired, port: u16) -> Roster {
    let removed: BTreeSet<_> = desired
        .nodes
        .values()
        .filter(|node| node.is_removed)
        .map(|node| node.id)
        .collect();
    let nodes = desired
        .active_nodes()
        .map(|node| (node.id, SocketAddr::from((node.address, port))));
    Roster {
        nodes: nodes.collect(),
        removed,
    }
}

/// Hands streams that other nodes open to the rooms that they are for.
pub(super) fn spawn_peers(rooms: &Arc<Rooms>, registry: &Registry) {
    let mut streams = rooms.group.transport.incoming(Service::Registry);
    let registry = registry.clone();
    rooms
        .tasks
        .spawn_until_stopped("registry streams", async move {
            while let Some(incoming) = streams.recv().await {
                registry.serve(incoming.peer, incoming.stream);
            }
        });
    let mut streams = rooms.group.transport.incoming(Service::Snapshots);
    let hcfs = rooms.hcfs.clone();
    rooms
        .tasks
        .spawn_until_stopped("snapshot streams", async move {
            while let Some(incoming) = streams.recv().await {
                hcfs.accept(incoming.peer, incoming.stream);
            }
        });
    let mut streams = rooms.group.transport.incoming(Service::Http);
    let (proxy, tasks) = (rooms.proxy.clone(), rooms.tasks.clone());
    rooms.tasks.spawn_until_stopped("HTTP streams", async move {
        while let Some(incoming) = streams.recv().await {
            let proxy = proxy.clone();
            tasks.spawn_until_stopped(format!("HTTP from node {}", incoming.peer), async move {
                proxy.serve_http_peer(incoming.peer, incoming.stream).await;
            });
        }
    });
    let mut streams = rooms.group.transport.incoming(Service::Mysql);
    let (proxy, tasks) = (rooms.proxy.clone(), rooms.tasks.clone());
    rooms
        .tasks
        .spawn_until_stopped("MySQL streams", async move {
            while let Some(incoming) = streams.recv().await {
                let proxy = proxy.clone();
                tasks.spawn_until_stopped(
                    format!("MySQL from node {}", incoming.peer),
                    async move {
                        proxy.serve_mysql_peer(incoming.peer, incoming.stream).await;
                    },
                );
            }
        });
}
